//! Authentication, rate limit, and malformed requests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Crm, KEY, config};
use hello_crm::{Config, Object, Server};
use serde_json::json;

#[test]
fn a_key_is_needed() {
    let mut crm = Crm::start();
    for key in ["", "wrong", "key-of-the-test", "key-of-the-testsX"] {
        let answer = crm.as_key(key, |crm| crm.get("/v1/persons"));
        assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert!(!answer.body.to_string().contains(KEY));
    }
    assert_eq!(crm.get("/v1/persons").status, 200);
    assert_eq!(crm.as_key("", |crm| crm.get("/health")).body, json!({ "status": "ok" }));
}

#[test]
fn a_read_only_key_reads_and_searches_only() {
    let mut crm = Crm::with(Config { read_only_key: Some("reader".to_owned()), ..config() });
    let id = crm.person_id(json!({ "last_name": "Ek", "email": "ek@example.org" }));
    crm.as_key("reader", |crm| {
        assert_eq!(crm.get(&format!("/v1/persons/{id}")).status, 200);
        let search =
            crm.post("/v1/persons/search", json!({ "fields": ["email"], "keys": [["ek@example.org"]] }));
        assert_eq!(search.body["results"][0]["ids"], json!([id]));
        for answer in [
            crm.person(json!({ "last_name": "Dahl" })),
            crm.patch(&format!("/v1/persons/{id}"), json!({ "fields": {} })),
            crm.delete(&format!("/v1/persons/{id}")),
            crm.post("/v1/persons/batch", json!({ "changes": [] })),
        ] {
            assert_eq!((answer.status, answer.code()), (403, "read-only-key"));
        }
    });
    assert_eq!(crm.handle().count(Object::Person), 1);
}

#[test]
fn a_control_key_guards_control() {
    let mut crm = Crm::with(Config { control_key: Some("boss".to_owned()), ..config() });
    assert_eq!(crm.get("/control/requests").status, 401);
    assert_eq!(crm.as_key("boss", |crm| crm.get("/control/requests")).status, 200);
    // The control key opens nothing else.
    assert_eq!(crm.as_key("boss", |crm| crm.get("/v1/persons")).status, 401);
}

#[test]
fn beyond_the_rate_requests_get_429() {
    let crm = Crm::with(Config { requests_per_second: Some(2), ..config() });
    let statuses: Vec<u16> = (0..3).map(|_| crm.get("/v1/persons").status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    let refused = crm.get("/v1/persons");
    assert_eq!((refused.code(), refused.header("retry-after")), ("rate-limited", Some("1")));
    assert_eq!(refused.body["error"]["retry_after"], 1);
    assert!(crm.handle().advance(Duration::from_secs(1)));
    assert_eq!(crm.get("/v1/persons").status, 200);
}

#[test]
fn what_is_not_understood_is_refused_in_one_form() {
    let crm = Crm::with(Config { max_body: 10_000, ..config() });
    let raw = |kind: &str, body: &str| {
        let mut response = common::agent()
            .post(format!("{}/v1/persons", crm.url))
            .header("authorization", format!("Bearer {KEY}"))
            .content_type(kind)
            .send(body)
            .unwrap();
        let body: serde_json::Value = response.body_mut().read_json().unwrap();
        (response.status().as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(raw("application/json", "{"), (400, "invalid-json".to_owned()));
    assert_eq!(raw("text/plain", "{}"), (415, "unsupported-media-type".to_owned()));
    assert_eq!(raw("application/json", "[]"), (422, "invalid-body".to_owned()));
    assert_eq!(raw("application/json; charset=utf-8", &" ".repeat(10_001)), (413, "too-large".to_owned()));

    for (answer, expected) in [
        (crm.get("/v1/members"), (404, "unknown-object")),
        (crm.get("/v2/persons"), (404, "no-such-path")),
        (crm.post("/v1/schema", json!({})), (405, "no-such-method")),
        (crm.post("/v1/persons", json!({ "fields": {}, "x": 1 })), (422, "invalid-body")),
        (crm.post("/v1/persons", json!({ "fields": [] })), (422, "invalid-change")),
        (crm.get("/v1/persons/p1"), (404, "not-found")),
        (crm.get("/v1/persons/p01"), (404, "not-found")),
    ] {
        assert_eq!((answer.status, answer.code()), expected);
        assert!(answer.body["error"]["fields"].is_array() && answer.body["error"]["message"].is_string());
    }
}

#[test]
fn senseless_configurations_do_not_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for config in [
        Config::new(" "),
        Config { page_size: 201, ..config() },
        Config { read_only_key: Some(KEY.to_owned()), ..config() },
        Config { requests_per_second: Some(0), ..config() },
    ] {
        assert!(runtime.block_on(Server::start(config)).is_err());
    }
}
