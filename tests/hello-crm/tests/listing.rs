//! Listings: pages, windows, cursors, sync tokens.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Crm, config, ids};
use hello_crm::seed::{Seed, SeedRecord, sample};
use hello_crm::{Config, Object, Stamp};
use serde_json::json;

/// People p1, p2, … who were last changed at these times.
fn people(times: &[&str]) -> Seed {
    let person = |(place, time): (usize, &&str)| SeedRecord {
        fields: json!({ "last_name": format!("N{place}") }).as_object().unwrap().clone(),
        created_at: Some(Stamp::parse(time).unwrap()),
        changed: Default::default(),
    };
    Seed { organisations: Vec::new(), persons: times.iter().enumerate().map(person).collect() }
}

fn seeded(times: &[&str]) -> Crm {
    Crm::with(Config { seed: Some(people(times)), ..config() })
}

#[test]
fn all_pages_give_every_record_once_in_order() {
    let crm = Crm::with(Config { seed: Some(sample(130)), page_size: 50, ..config() });
    let default = crm.pages("/v1/persons?");
    assert_eq!(default.len(), 3);
    assert_eq!(default[0]["records"].as_array().unwrap().len(), 50);
    assert!(default[0]["sync_token"].is_null() && default[2]["sync_token"].is_string());
    for limit in [1, 7, 130, 200] {
        let pages = crm.pages(&format!("/v1/persons?limit={limit}"));
        assert_eq!(ids(&pages, "records"), ids(&default, "records"));
    }
    let all: BTreeSet<String> = ids(&default, "records").into_iter().collect();
    assert_eq!(all.len(), 130);
    let times: Vec<String> = default
        .iter()
        .flat_map(|page| page["records"].as_array().unwrap())
        .map(|record| record["updated_at"].as_str().unwrap().to_owned())
        .collect();
    assert!(times.is_sorted());
}

#[test]
fn ties_are_broken_by_id_and_never_lost() {
    let same = "2020-01-01T00:00:00Z";
    let crm = seeded(&[same; 12]);
    for limit in 1..=12 {
        let pages = crm.pages(&format!("/v1/persons?limit={limit}"));
        let expected: Vec<String> = (1..=12).map(|number| format!("p{number}")).collect();
        assert_eq!(ids(&pages, "records"), expected, "limit {limit}");
    }
}

#[test]
fn a_record_that_changes_while_pages_are_read_is_not_lost() {
    let days: Vec<String> = (1..=9).map(|day| format!("2020-01-0{day}T00:00:00Z")).collect();
    let crm = seeded(&days.iter().map(String::as_str).collect::<Vec<_>>());
    let first = crm.get("/v1/persons?limit=3").body;
    // One that was read moves to the end and is read again; one that was not is read there; one goes.
    crm.handle().update(Object::Person, "p1", json!({ "city": "Åre" }));
    crm.handle().update(Object::Person, "p5", json!({ "city": "Åre" }));
    crm.handle().delete(Object::Person, "p2");
    crm.handle().delete(Object::Person, "p6");
    let rest = crm.pages_from("/v1/persons?limit=3", Some(&first["next"]));
    assert_eq!(ids(&[first], "records"), ["p1", "p2", "p3"]);
    assert_eq!(ids(&rest, "records"), ["p4", "p7", "p8", "p9", "p1", "p5"]);
    // The token of a listing tells of all that happened since its first page.
    let token = rest.last().unwrap()["sync_token"].as_str().unwrap();
    let since = crm.pages(&format!("/v1/persons?sync_token={token}"));
    assert_eq!(ids(&since, "records"), ["p1", "p5"]);
    assert_eq!(ids(&since, "deleted"), ["p2", "p6"]);
}

#[test]
fn a_window_holds_its_beginning_and_not_its_end() {
    let crm = seeded(&[
        "2019-12-31T23:59:59.999999Z",
        "2020-01-01T00:00:00Z",
        "2020-01-01T23:59:59.999999Z",
        "2020-01-02T00:00:00Z",
    ]);
    let window = |query: &str| ids(&crm.pages(&format!("/v1/persons?{query}")), "records");
    assert_eq!(
        window("updated_since=2020-01-01T00:00:00Z&updated_before=2020-01-02T00:00:00Z"),
        ["p2", "p3"]
    );
    assert_eq!(window("updated_since=2020-01-02T00:00:00Z"), ["p4"]);
    assert_eq!(window("updated_before=2020-01-01T00:00:00Z"), ["p1"]);
    // An offset is understood.
    assert_eq!(window("updated_before=2020-01-01T01:00:00%2B01:00"), ["p1"]);
    let nothing = window("updated_since=2020-01-01T00:00:00Z&updated_before=2020-01-01T00:00:00Z");
    assert!(nothing.is_empty());
}

#[test]
fn deletions_are_listed_where_asked_for() {
    let crm = seeded(&["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"]);
    crm.handle().delete(Object::Person, "p1");
    assert!(ids(&crm.pages("/v1/persons?"), "deleted").is_empty());
    let pages = crm.pages("/v1/persons?include_deleted=true&limit=1");
    assert_eq!(
        (ids(&pages, "records"), ids(&pages, "deleted")),
        (vec!["p2".to_owned()], vec!["p1".to_owned()])
    );
    let deleted_at = crm.handle().deleted(Object::Person)[0].deleted_at;
    assert_eq!(pages[1]["deleted"][0]["deleted_at"], json!(deleted_at));
    let after = crm.pages(&format!(
        "/v1/persons?include_deleted=true&updated_since={}",
        deleted_at.after(Duration::from_micros(1))
    ));
    assert!(ids(&after, "deleted").is_empty());
}

#[test]
fn records_and_fields_can_be_chosen() {
    let crm = Crm::with(Config { seed: Some(sample(20)), ..config() });
    crm.handle().delete(Object::Person, "p3");
    let pages =
        crm.pages("/v1/persons?ids=p2,p3,p99,o1,nonsense&fields=email,last_name&include_deleted=true");
    assert_eq!(
        (ids(&pages, "records"), ids(&pages, "deleted")),
        (vec!["p2".to_owned()], vec!["p3".to_owned()])
    );
    let record = &pages[0]["records"][0];
    let names: Vec<&String> = record["fields"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["email", "last_name"]);
    assert!(record["changed"].as_object().unwrap().keys().all(|name| names.contains(&name)));
    assert!(pages[0]["sync_token"].is_null());
    let many = vec!["p1"; 201].join(",");
    for query in [
        "limit=201",
        "limit=0",
        "limit=x",
        "fields=nickname",
        "colour=red",
        "updated_since=yesterday",
        "limit=1&limit=2",
        "updated_since=2020-01-02T00:00:00Z&updated_before=2020-01-01T00:00:00Z",
        "sync_token=x&ids=p1",
        &format!("ids={many}"),
    ] {
        let answer = crm.get(&format!("/v1/persons?{query}"));
        assert_eq!((answer.status, answer.code()), (422, "invalid-query"), "{query}");
    }
}

#[test]
fn a_cursor_is_good_for_its_query_only() {
    let crm = Crm::with(Config { seed: Some(sample(20)), ..config() });
    let cursor = crm.get("/v1/persons?limit=2").body["next"].as_str().unwrap().to_owned();
    assert_eq!(crm.get(&format!("/v1/persons?limit=5&after={cursor}")).status, 200);
    let refused = |path: String| {
        let answer = crm.get(&path);
        assert_eq!((answer.status, answer.code()), (400, "cursor-expired"), "{path}");
    };
    refused(format!("/v1/persons?fields=email&after={cursor}"));
    refused(format!("/v1/organisations?limit=2&after={cursor}"));
    refused("/v1/persons?after=zz".to_owned());
    refused("/v1/persons?after=%C3%A4%C3%B6".to_owned());
    assert!(crm.handle().expire_cursors());
    refused(format!("/v1/persons?limit=2&after={cursor}"));
}

#[test]
fn a_sync_token_tells_what_changed_since() {
    let crm = Crm::with(Config { seed: Some(sample(10)), ..config() });
    let token =
        |pages: &[serde_json::Value]| pages.last().unwrap()["sync_token"].as_str().unwrap().to_owned();
    let start = token(&crm.pages("/v1/persons?"));
    let nothing = crm.pages(&format!("/v1/persons?sync_token={start}"));
    assert!(ids(&nothing, "records").is_empty());

    let new = crm.person_id(json!({ "last_name": "Neu" }));
    crm.patch("/v1/persons/p2", json!({ "fields": { "city": "Umeå" } }));
    crm.delete("/v1/persons/p4");
    crm.patch("/v1/persons/p2", json!({ "fields": { "city": "Malmö" } }));
    // What changes nothing is no change.
    crm.patch("/v1/persons/p5", json!({ "fields": {} }));
    let pages = crm.pages(&format!("/v1/persons?sync_token={start}&limit=1"));
    assert_eq!(pages.len(), 3);
    assert_eq!(ids(&pages, "records"), [new, "p2".to_owned()]);
    assert_eq!(ids(&pages, "deleted"), ["p4"]);

    let again = crm.pages(&format!("/v1/persons?sync_token={}", token(&pages)));
    assert!(ids(&again, "records").is_empty() && ids(&again, "deleted").is_empty());
    let refused = |path: String| {
        let answer = crm.get(&path);
        assert_eq!((answer.status, answer.code()), (410, "sync-token-expired"), "{path}");
    };
    refused(format!("/v1/organisations?sync_token={start}"));
    refused("/v1/persons?sync_token=abc".to_owned());
    assert!(crm.handle().expire_sync_tokens());
    refused(format!("/v1/persons?sync_token={start}"));
    let fresh = token(&crm.pages("/v1/persons?"));
    assert_eq!(crm.get(&format!("/v1/persons?sync_token={fresh}")).status, 200);
}

#[test]
fn search_finds_what_the_server_would_store() {
    let crm = Crm::start();
    let a = crm.person_id(json!({ "last_name": "Ek", "email": "  Åsa.EK@Example.ORG " }));
    let b = crm.person_id(json!({ "last_name": "Ek", "email": "b@example.org", "phone": "+46 1" }));
    let c = crm.person_id(json!({ "last_name": "Ek", "email": "b@example.org", "phone": "" }));
    let search = |fields: serde_json::Value, keys: serde_json::Value, mode: &str| {
        let answer = crm.post("/v1/persons/search", json!({ "fields": fields, "keys": keys, "match": mode }));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let results = answer.body["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["ids"].clone()).collect::<Vec<_>>()
    };
    let keys = json!([
        ["åsa.ek@EXAMPLE.org"],
        ["nobody@example.org"],
        ["B@example.org"],
        [null],
        [""],
        ["no address"]
    ]);
    let none = json!([]);
    assert_eq!(
        search(json!(["email"]), keys, "all"),
        [json!([a]), none.clone(), json!([b, c]), none.clone(), none.clone(), none.clone()]
    );
    let keys = json!([["b@example.org", "+46 1"], ["b@example.org", ""], ["åsa.ek@example.org", "+46 1"]]);
    assert_eq!(search(json!(["email", "phone"]), keys.clone(), "all"), [json!([b]), none.clone(), none]);
    assert_eq!(search(json!(["email", "phone"]), keys, "any"), [json!([b, c]), json!([b, c]), json!([a, b])]);
    // There is no lag.
    crm.patch(&format!("/v1/persons/{c}"), json!({ "fields": { "email": "c@example.org" } }));
    assert_eq!(search(json!(["email"]), json!([["c@example.org"]]), "any"), [json!([c])]);

    for (body, code) in [
        (json!({ "fields": ["tags"], "keys": [] }), "invalid-fields"),
        (json!({ "fields": ["nickname"], "keys": [] }), "invalid-fields"),
        (json!({ "fields": ["score"], "keys": [["many"]] }), "invalid-fields"),
        (json!({ "fields": [], "keys": [] }), "invalid-search"),
        (json!({ "fields": ["email"], "keys": [["a", "b"]] }), "invalid-search"),
        (json!({ "fields": ["email"], "keys": vec![["a@example.org"]; 201] }), "invalid-search"),
        (json!({ "fields": ["email"], "keys": [], "fuzzy": true }), "invalid-search"),
    ] {
        let answer = crm.post("/v1/persons/search", body);
        assert_eq!((answer.status, answer.code()), (422, code));
    }
}
