//! Fault injection, and the request log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Crm, KEY, config};
use hello_crm::{Action, Config, DropWhen, Object, Rule};
use serde_json::json;

#[test]
fn a_lost_answer_is_found_again_with_the_same_key() {
    let crm = Crm::start();
    crm.handle()
        .set_faults(vec![Rule::new(Action::Drop { drop: DropWhen::After }).method("POST").path("/batch")]);
    let body =
        json!({ "changes": [{ "id": "order-1/1", "action": "create", "fields": { "last_name": "Ek" } }] });
    let lost = crm.send("POST", "/v1/persons/batch", &[], Some(&body));
    assert!(lost.is_err(), "no answer must come");
    assert_eq!(crm.handle().count(Object::Person), 1, "the work was done");
    let again = crm.post("/v1/persons/batch", body);
    assert_eq!(
        (&again.body["results"][0]["status"], &again.body["results"][0]["record"]["id"]),
        (&json!(201), &json!("p1"))
    );
    assert_eq!(crm.handle().count(Object::Person), 1);
}

#[test]
fn a_lost_request_was_never_done() {
    let crm = Crm::start();
    crm.handle().add_fault(Rule::new(Action::Drop { drop: DropWhen::Before }));
    assert!(crm.send("POST", "/v1/persons", &[], Some(&json!({ "fields": { "last_name": "Ek" } }))).is_err());
    assert_eq!(crm.handle().count(Object::Person), 0);
    let line = &crm.handle().requests()[0];
    assert_eq!((line.status, line.fault), (None, Some("drop before")));
}

#[test]
fn rules_over_http_strike_in_their_turn() {
    let crm = Crm::start();
    let rules = json!({ "rules": [
        { "match": { "method": "get", "path_contains": "/persons" }, "after": 1, "times": 1, "action": { "rate_limit": { "retry_after": 7 } } },
        { "match": { "path_contains": "limit=3" }, "times": 2, "action": { "status": 503, "body": "<html>down" } },
        { "match": { "path_contains": "organisations" }, "times": null, "action": { "status": 500 } },
        { "match": { "path_contains": "schema" }, "action": { "delay_ms": 1 } },
    ] });
    let set = crm.post("/control/faults", rules);
    assert_eq!((set.status, set.body["rules"].as_array().unwrap().len()), (200, 4));

    assert_eq!(crm.get("/v1/persons").status, 200);
    let limited = crm.get("/v1/persons?limit=3");
    assert_eq!(
        (limited.status, limited.header("retry-after"), limited.code()),
        (429, Some("7"), "rate-limited")
    );
    let down = crm.get("/v1/persons?limit=3");
    assert_eq!((down.status, &down.body), (503, &json!("<html>down")));
    for _ in 0..3 {
        assert_eq!(crm.get("/v1/organisations").code(), "injected");
    }
    assert_eq!(crm.get("/v1/schema").status, 200);
    let struck: Vec<u64> = crm.get("/control/faults").body["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["struck"].as_u64().unwrap())
        .collect();
    assert_eq!(struck, [1, 1, 3, 1]);

    assert_eq!(crm.send("POST", "/control/reset", &[], None).unwrap().status, 204);
    assert_eq!(crm.get("/v1/organisations").status, 200);
    assert_eq!(crm.handle().requests().len(), 1);
    for wrong in [
        json!({ "rules": [{ "action": { "explode": true } }] }),
        json!({ "rules": [{ "action": { "status": 99 } }] }),
        json!({ "rules": [{ "action": { "status": 500 }, "when": "now" }] }),
        json!([]),
    ] {
        let answer = crm.post("/control/faults", wrong);
        assert_eq!((answer.status, answer.code()), (422, "invalid-control"));
    }
}

#[test]
fn requests_are_counted_and_keys_never_told() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek" }));
    crm.get("/v1/persons?limit=1");
    crm.get("/v1/persons?limit=2");
    crm.get(&format!("/v1/persons/{KEY}"));
    crm.get(&format!("/v1/persons?api_key={KEY}"));
    let told = crm.get("/control/requests").body;
    assert_eq!(
        (&told["total"], &told["counts"]["GET /v1/persons"], &told["counts"]["POST /v1/persons"]),
        (&json!(5), &json!(3), &json!(1))
    );
    assert_eq!((&told["last"][1]["query"], &told["last"][1]["status"]), (&json!("limit=1"), &json!(200)));
    assert!(!told.to_string().contains(KEY), "{told}");
    assert_eq!(crm.handle().request_count("GET", "/persons"), 4);
}

#[test]
fn the_clock_and_tokens_are_moved_over_http() {
    let crm = Crm::start();
    let now = crm.post("/control/clock", json!({ "advance_ms": 1500 })).body;
    assert_eq!(now["now"], "2024-05-01T12:00:01.500000Z");
    assert_eq!(crm.post("/control/clock", json!({ "set": "2025-01-01T00:00:00Z" })).status, 200);
    assert_eq!(crm.handle().now().to_string(), "2025-01-01T00:00:00.000000Z");
    let token = crm.get("/v1/persons").body["sync_token"].as_str().unwrap().to_owned();
    assert_eq!(crm.post("/control/expire", json!({ "cursors": true, "sync_tokens": true })).status, 204);
    assert_eq!(crm.get(&format!("/v1/persons?sync_token={token}")).status, 410);

    let crm = Crm::with(Config { clock: Config::new(KEY).clock, ..config() });
    assert_eq!(crm.post("/control/clock", json!({ "advance_ms": 1 })).code(), "clock-runs");
}
