//! Test fixture: a server on a free port, and a black-box client.
#![allow(dead_code, reason = "not every test file uses everything")]

use std::path::Path;
use std::sync::Arc;

use hello_crm::{Config, Handle, ManualClock, Server, Stamp};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use ureq::Agent;

pub(crate) const KEY: &str = "key-of-the-tests";
pub(crate) const NOW: &str = "2024-05-01T12:00:00Z";

pub(crate) struct Crm {
    runtime: Runtime,
    server: Option<Server>,
    pub(crate) url: String,
    agent: Agent,
    key: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    headers: Vec<(String, String)>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(its, _)| its.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("none")
    }

    /// Name and code of each field that is to blame.
    pub(crate) fn field_codes(&self) -> Vec<(String, String)> {
        field_codes(&self.body["error"])
    }
}

pub(crate) fn field_codes(error: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = error["fields"].as_array().unwrap().iter();
    fields.map(|field| (text(&field["name"]), text(&field["code"]))).collect()
}

pub(crate) fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).max_idle_connections(0).build().new_agent()
}

pub(crate) fn config() -> Config {
    Config { clock: Arc::new(ManualClock::new(Stamp::parse(NOW).unwrap())), ..Config::new(KEY) }
}

pub(crate) fn with_file(path: &Path) -> Config {
    Config { data: Some(path.to_owned()), ..config() }
}

impl Crm {
    pub(crate) fn start() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(Server::start(config)).unwrap();
        Self { runtime, url: server.url(), server: Some(server), agent: agent(), key: KEY.to_owned() }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.server.as_ref().unwrap().handle().clone()
    }

    pub(crate) fn stop(mut self) {
        let server = self.server.take().unwrap();
        self.runtime.block_on(server.stop()).unwrap();
    }

    /// The same server for a caller with another key.
    pub(crate) fn as_key<T>(&mut self, key: &str, act: impl FnOnce(&Self) -> T) -> T {
        let own = std::mem::replace(&mut self.key, key.to_owned());
        let done = act(self);
        self.key = own;
        done
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if !self.key.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.key));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).unwrap())?
            }
            None => self.agent.run(request.body(()).unwrap())?,
        };
        let text = response.body_mut().read_to_string()?;
        let headers = response.headers().iter();
        Ok(Answer {
            status: response.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            body: if text.is_empty() {
                Value::Null
            } else {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            },
        })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[], Some(&body)).unwrap()
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, &[], Some(&body)).unwrap()
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None).unwrap()
    }

    pub(crate) fn person(&self, fields: Value) -> Answer {
        self.post("/v1/persons", json!({ "fields": fields }))
    }

    /// Makes a person and gives its id.
    pub(crate) fn person_id(&self, fields: Value) -> String {
        let answer = self.person(fields);
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn batch(&self, changes: Value) -> Vec<Value> {
        let answer = self.post("/v1/persons/batch", json!({ "changes": changes }));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["results"].as_array().unwrap().clone()
    }

    /// All pages of a listing.
    pub(crate) fn pages(&self, path: &str) -> Vec<Value> {
        self.pages_from(path, None)
    }

    /// All pages of a listing, or those from a cursor on.
    pub(crate) fn pages_from(&self, path: &str, cursor: Option<&Value>) -> Vec<Value> {
        let mut pages = Vec::new();
        let cursor = cursor.and_then(Value::as_str);
        let mut next = cursor.map_or_else(String::new, |cursor| format!("&after={cursor}"));
        loop {
            let answer = self.get(&format!("{path}{next}"));
            assert_eq!(answer.status, 200, "{}", answer.body);
            let cursor = answer.body["next"].as_str().map(str::to_owned);
            pages.push(answer.body);
            match cursor {
                Some(cursor) => next = format!("&after={cursor}"),
                None => return pages,
            }
        }
    }
}

/// The ids in a list of records or deletions of some pages.
pub(crate) fn ids(pages: &[Value], list: &str) -> Vec<String> {
    let entries = pages.iter().flat_map(|page| page[list].as_array().unwrap());
    entries.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn statuses(results: &[Value]) -> Vec<u64> {
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}
