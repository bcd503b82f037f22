//! Test fixture: the process of `tests/second-crm`, a server of hello-crm's interface in another language, and its
//! back door.

use crate::world::{CANARY, Home, World, root};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// What to do where the interpreter is missing.
const NO_PYTHON: &str = "tests/second-crm needs Python 3.9 or later as `python3` on the PATH: install it (Debian: apt-get install \
                         python3; macOS: brew install python3). It needs no packages.";

/// The running process, ended with this value.
pub(crate) struct SecondCrm {
    process: Child,
    pub(crate) accounts: Vec<Account>,
}

impl SecondCrm {
    /// Starts as many CRMs in one process, each at an address of its own.
    pub(crate) fn start(accounts: usize) -> Self {
        let mut process = Command::new("python3")
            .arg(root().join("tests/second-crm/second_crm.py"))
            .args(["--api-key", CANARY, "--until-stdin-closes", "--accounts", &accounts.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("python3 cannot be started ({error}). {NO_PYTHON}"));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Vec<u16> = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("second_crm.py did not start ({error}): {line}. {NO_PYTHON}"));
        let account = |port| Account { url: format!("http://127.0.0.1:{port}") };
        Self { process, accounts: ports.into_iter().map(account).collect() }
    }
}

impl Drop for SecondCrm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One CRM of the process.
pub(crate) struct Account {
    pub(crate) url: String,
}

impl Account {
    fn door(&self, what: &str, body: &Value) -> Value {
        let mut answer = ureq::post(format!("{}/back-door/{what}", self.url))
            .send_json(body)
            .unwrap_or_else(|error| panic!("the back door {what}: {error}"));
        answer.body_mut().read_json().unwrap()
    }

    /// Forgets everything and begins with this character, without faults.
    pub(crate) fn reset(&self, character: &Value) {
        self.door("reset", character);
    }

    /// Lets the faults of the character strike from now on, or no longer.
    pub(crate) fn faults(&self, on: bool) {
        self.door("faults", &json!({ "on": on }));
    }

    /// Steps its clock.
    pub(crate) fn step_clock(&self, step_ms: i64) {
        self.door("clock", &json!({ "step_ms": step_ms }));
    }

    /// Makes every sync token and cursor that was given so far invalid.
    pub(crate) fn expire(&self) {
        self.door("expire", &json!({}));
    }

    /// Holds the request after so many others until [`Self::release`], and gives it no answer. Whether it is done: `no`,
    /// `yes` (before it is held), `late` (after the release).
    pub(crate) fn hang(&self, after: u64, done: &str) {
        self.door("hang", &json!({ "after": after, "done": done }));
    }

    /// Whether a request is held.
    pub(crate) fn hung(&self) -> bool {
        self.door("hung", &json!({}))["hung"] == json!(true)
    }

    /// Lets the held request go.
    pub(crate) fn release(&self) {
        self.door("release", &json!({}));
    }

    /// What a person does in the CRM itself; an error of the interface where that is refused.
    pub(crate) fn person(&self, deed: &Value) -> Result<Value, Value> {
        let done = self.door("do", deed);
        if done["status"] == json!(200) { Ok(done["record"].clone()) } else { Err(done) }
    }

    /// Every record, what was deleted, what people did, and counts.
    pub(crate) fn state(&self) -> Value {
        self.door("state", &json!({}))
    }
}

/// A request of the interface: method, path, one header, body.
type Request = (&'static str, &'static str, Option<(&'static str, &'static str)>, Value);

/// Status and body; what a server is free to choose (times, cursors, sentences) is taken out.
fn ask(url: &str, (method, path, header, body): &Request) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = ureq::http::Request::builder()
        .method(*method)
        .uri(format!("{url}{path}"))
        .header("authorization", format!("Bearer {CANARY}"));
    if let Some((name, value)) = header {
        request = request.header(*name, *value);
    }
    let mut answer = match body {
        Value::Null => agent.run(request.body(()).unwrap()),
        body => agent.run(request.header("content-type", "application/json").body(body.to_string()).unwrap()),
    }
    .unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), comparable(serde_json::from_str(&body).unwrap_or(Value::Null)))
}

fn comparable(value: Value) -> Value {
    const FREE: [&str; 9] = [
        "account",
        "created_at",
        "updated_at",
        "deleted_at",
        "message",
        "label",
        "next",
        "sync_token",
        "retry_after",
    ];
    match value {
        Value::Array(list) => list.into_iter().map(comparable).collect(),
        // The README names the fields of refused values only.
        Value::Object(mut fields) => {
            if fields.get("code").is_some_and(|code| code != "invalid-fields") {
                fields.remove("fields");
            }
            let own = |(name, value): (String, Value)| {
                let value = match value {
                    Value::Null => return None,
                    Value::Array(list) if list.is_empty() => return None,
                    _ if FREE.contains(&name.as_str()) => json!("…"),
                    Value::Object(times) if name == "changed" => {
                        times.into_iter().map(|(name, _)| name).collect()
                    }
                    value => comparable(value),
                };
                Some((name, value))
            };
            Value::Object(fields.into_iter().filter_map(own).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Requests in their order: what is allowed, what is refused, and with which code.
fn requests() -> Vec<Request> {
    let batch = json!({ "changes": [
        { "id": "k/1", "action": "create", "fields": { "last_name": "Holm", "tags": ["b ", "a", "b"] } },
        { "id": "k/2", "action": "update", "record": "p1", "fields": { "city": null }, "if_version": 1 },
        { "id": "k/3", "action": "update", "record": "p1", "fields": { "city": "Lund" }, "if_version": 77 },
        { "id": "k/4", "action": "delete", "record": "p99" },
        { "id": "k/5", "action": "create", "fields": { "email": "no address" } },
    ] });
    let search =
        |fields: Value, keys: Value, how: &str| json!({ "fields": fields, "keys": keys, "match": how });
    let person = |fields: Value| json!({ "fields": fields });
    vec![
        ("GET", "/v1/schema", None, json!(null)),
        ("POST", "/v1/organisations", None, person(json!({ "name": "Fjord AB" }))),
        (
            "POST",
            "/v1/persons",
            None,
            person(json!({ "last_name": "Ek", "email": " EK@Example.org ", "organisation": "o1" })),
        ),
        ("POST", "/v1/persons", Some(("idempotency-key", "41")), person(json!({ "last_name": "Berg" }))),
        ("POST", "/v1/persons", Some(("idempotency-key", "41")), person(json!({ "last_name": "Berg" }))),
        ("POST", "/v1/persons", Some(("idempotency-key", "41")), person(json!({ "last_name": "Other" }))),
        ("POST", "/v1/persons", None, person(json!({ "first_name": "Nobody" }))),
        ("POST", "/v1/persons", None, person(json!({ "last_name": "" }))),
        (
            "POST",
            "/v1/persons",
            None,
            person(json!({ "last_name": "X", "nickname": "Y", "score": "many", "phone": "none" })),
        ),
        (
            "POST",
            "/v1/persons",
            None,
            person(json!({ "last_name": "X", "website": "ftp://x", "organisation": "o9" })),
        ),
        ("POST", "/v1/persons", None, person(json!({ "last_name": "X", "score": 2_147_483_648_i64 }))),
        ("PATCH", "/v1/persons/p1", Some(("if-match", "\"1\"")), person(json!({ "city": "Umeå" }))),
        ("PATCH", "/v1/persons/p1", Some(("if-match", "\"1\"")), person(json!({ "city": "Lund" }))),
        ("PATCH", "/v1/persons/p1", Some(("if-match", "one")), person(json!({ "city": "Lund" }))),
        ("PATCH", "/v1/persons/p1", None, person(json!({ "city": "Umeå" }))),
        ("PATCH", "/v1/persons/p99", None, person(json!({ "city": "Umeå" }))),
        ("PATCH", "/v1/persons/p1", None, person(json!({ "last_name": null }))),
        ("GET", "/v1/persons/p1", None, json!(null)),
        ("POST", "/v1/persons/batch", None, batch.clone()),
        ("POST", "/v1/persons/batch", None, batch),
        ("POST", "/v1/persons/batch", None, json!({ "changes": [{ "action": "create", "fields": {} }] })),
        (
            "POST",
            "/v1/persons/search",
            None,
            search(json!(["email"]), json!([["EK@example.org"], ["no@example.org"], [null]]), "all"),
        ),
        (
            "POST",
            "/v1/persons/search",
            None,
            search(json!(["email", "last_name"]), json!([["no@example.org", "Holm"]]), "any"),
        ),
        (
            "POST",
            "/v1/persons/search",
            None,
            search(json!(["email", "last_name"]), json!([["ek@example.org", "Holm"]]), "all"),
        ),
        ("POST", "/v1/persons/search", None, search(json!(["tags"]), json!([["a"]]), "all")),
        ("GET", "/v1/persons?limit=2", None, json!(null)),
        ("GET", "/v1/persons?ids=p1,p77&fields=email,city", None, json!(null)),
        ("GET", "/v1/persons?limit=201", None, json!(null)),
        ("GET", "/v1/persons?fields=nickname", None, json!(null)),
        ("GET", "/v1/persons?after=nonsense", None, json!(null)),
        ("GET", "/v1/persons?updated_before=2001-01-01T00:00:00Z", None, json!(null)),
        ("POST", "/v1/persons/p2/merge", None, json!({ "into": "p77" })),
        ("POST", "/v1/persons/p2/merge", None, json!({ "into": "p1" })),
        ("GET", "/v1/persons/p2", None, json!(null)),
        ("DELETE", "/v1/persons/p3", Some(("if-match", "\"9\"")), json!(null)),
        ("DELETE", "/v1/persons/p3", None, json!(null)),
        ("DELETE", "/v1/persons/p3", None, json!(null)),
        ("DELETE", "/v1/organisations/o1", None, json!(null)),
        ("GET", "/v1/persons/p1", None, json!(null)),
        ("GET", "/v1/persons?include_deleted=true", None, json!(null)),
        ("GET", "/v1/deals", None, json!(null)),
        ("PUT", "/v1/persons", None, json!({})),
        ("GET", "/v1/persons/p1/history", None, json!(null)),
    ]
}

#[test]
fn both_servers_of_the_interface_answer_alike() {
    let second = SecondCrm::start(1);
    let first = World::unconnected(
        Home::new(),
        hello_crm::seed::Seed::default(),
        std::sync::Arc::new(hello_crm::SystemClock),
    );
    let mut apart = Vec::new();
    for request in requests() {
        let (one, other) = (ask(&first.url, &request), ask(&second.accounts[0].url, &request));
        if one != other {
            apart.push(format!("{request:?}\n  hello-crm:  {one:?}\n  second-crm: {other:?}"));
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
}

#[test]
fn m3_an_item_that_was_answered_5xx_makes_one_person() {
    let crm = SecondCrm::start(1);
    let account = &crm.accounts[0];
    let home = Home::with_plugin();
    crate::histories::connect(&home, account);
    // Half of the changes are made and half are not; the answer to each is a 500 that does not say which.
    account.reset(&json!({ "seed": 3, "faults": { "broken_item": 1.0 } }));
    for name in ["Ek", "Berg", "Holm", "Dahl", "Lund", "Moe"] {
        home.run(&["record", "set", "contact", &format!("last_name={name}")]).well();
    }
    account.faults(true);
    home.run(&["sync", "HelloWorld"]);
    let made = account.state()["records"]["person"].as_array().unwrap().len();
    assert!(made > 0, "none was made");
    account.faults(false);
    for _ in 0..3 {
        home.run(&["retry", "--all"]).well();
        home.run(&["sync", "HelloWorld"]);
    }
    let names = |records: &Value| {
        let names = records.as_array().unwrap().iter().map(|one| one["fields"]["last_name"].to_string());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let people = names(&account.state()["records"]["person"]);
    assert_eq!(people, ["\"Berg\"", "\"Dahl\"", "\"Ek\"", "\"Holm\"", "\"Lund\"", "\"Moe\""]);
    assert_eq!(home.records("contact").len(), 6);
}
