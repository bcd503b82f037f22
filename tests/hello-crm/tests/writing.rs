//! Changes: validation, versions, batches, deletions, merges.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Crm, config, field_codes, statuses};
use hello_crm::{Config, Object};
use serde_json::{Value, json};

#[test]
fn the_schema_tells_what_is_accepted() {
    let crm = Crm::start();
    let schema = crm.get("/v1/schema").body;
    let fields = schema["objects"][0]["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap().clone();
    assert_eq!(schema["objects"][0]["path"], "persons");
    assert_eq!(
        (field("last_name")["required"].clone(), field("email")["identifier"].clone()),
        (json!(true), json!(true))
    );
    assert_eq!(field("organisation")["targets"], json!(["organisation"]));
    assert_eq!(
        (field("tags")["kind"].clone(), field("city")["max_length"].clone()),
        (json!("texts"), json!(255))
    );
}

#[test]
fn a_new_record_is_normalised_and_stamped() {
    let crm = Crm::start();
    let o1 = crm.post("/v1/organisations", json!({ "fields": { "name": "Fjord AB" } })).body["id"].clone();
    let fields = json!({
        "first_name": "", "last_name": " Ek ", "email": " Ek@Example.ORG", "score": -3, "organisation": o1,
        "tags": ["vip", " a", "vip"], "website": "https://ek.example", "phone": "+46 (0)1-2",
    });
    let answer = crm.person(fields);
    assert_eq!((answer.status, answer.header("etag")), (201, Some("\"1\"")));
    let person = &answer.body;
    assert_eq!((&person["id"], &person["version"]), (&json!("p1"), &json!(1)));
    let stored = &person["fields"];
    assert_eq!((&stored["email"], &stored["tags"]), (&json!("ek@example.org"), &json!(["a", "vip"])));
    // An empty text is not null, and text is kept as it is.
    assert_eq!(
        (&stored["first_name"], &stored["city"], &stored["last_name"]),
        (&json!(""), &Value::Null, &json!(" Ek "))
    );
    assert_eq!(stored.as_object().unwrap().len(), 14);
    assert_eq!(person["changed"]["email"], person["updated_at"]);
    assert!(person["changed"].get("city").is_none());
    assert_eq!(
        person["updated_at"], "2024-05-01T12:00:00.000001Z",
        "one stamp was taken by the organisation"
    );
    assert_eq!(crm.get("/v1/persons/p1").body, *person);
}

#[test]
fn every_field_that_is_wrong_is_named() {
    let crm = Crm::start();
    let long = "ä".repeat(256);
    let many: Vec<String> = (0..51).map(|number| number.to_string()).collect();
    for (fields, expected) in [
        (json!({}), vec![("last_name", "required")]),
        (json!({ "last_name": null }), vec![("last_name", "required")]),
        (json!({ "last_name": "  " }), vec![("last_name", "required")]),
        (json!({ "last_name": 5, "city": true }), vec![("city", "wrong-type"), ("last_name", "wrong-type")]),
        (json!({ "last_name": "Ek", "nickname": null }), vec![("nickname", "unknown-field")]),
        (
            json!({ "last_name": long, "email": "x" }),
            vec![("email", "invalid-email"), ("last_name", "too-long")],
        ),
        (json!({ "last_name": "E\u{0}k" }), vec![("last_name", "invalid-text")]),
        (
            json!({ "last_name": "Ek", "phone": "none", "website": "ek.example" }),
            vec![("phone", "invalid-phone"), ("website", "invalid-url")],
        ),
        (json!({ "last_name": "Ek", "score": 1.5 }), vec![("score", "wrong-type")]),
        (json!({ "last_name": "Ek", "score": "1" }), vec![("score", "wrong-type")]),
        (json!({ "last_name": "Ek", "score": 2_147_483_648_i64 }), vec![("score", "out-of-range")]),
        (json!({ "last_name": "Ek", "tags": "vip" }), vec![("tags", "wrong-type")]),
        (json!({ "last_name": "Ek", "tags": ["a", " "] }), vec![("tags", "invalid-text")]),
        (json!({ "last_name": "Ek", "tags": many }), vec![("tags", "too-many")]),
        (json!({ "last_name": "Ek", "organisation": "o9" }), vec![("organisation", "unknown-reference")]),
        (json!({ "last_name": "Ek", "organisation": 9 }), vec![("organisation", "wrong-type")]),
    ] {
        let answer = crm.person(fields.clone());
        assert_eq!((answer.status, answer.code()), (422, "invalid-fields"), "{fields}");
        let found = answer.field_codes();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, code)| (name.as_str(), code.as_str())).collect();
        assert_eq!(found, expected, "{fields}");
    }
    assert_eq!(crm.handle().count(Object::Person), 0);
    assert_eq!(crm.person_id(json!({ "last_name": "ä".repeat(255) })), "p1", "refused records take no id");
}

#[test]
fn an_update_touches_what_it_names() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek", "city": "Umeå", "phone": "1" }));
    let before = crm.get("/v1/persons/p1").body;
    assert!(crm.handle().advance(Duration::from_secs(60)));
    let after = crm.patch("/v1/persons/p1", json!({ "fields": { "city": null, "phone": "1" } })).body;
    assert_eq!(
        (&after["fields"]["city"], &after["fields"]["last_name"], &after["version"]),
        (&Value::Null, &json!("Ek"), &json!(2))
    );
    assert_eq!(after["changed"]["city"], "2024-05-01T12:01:00.000000Z");
    assert_eq!(after["updated_at"], after["changed"]["city"]);
    assert_eq!(
        (&after["changed"]["phone"], &after["created_at"]),
        (&before["changed"]["phone"], &before["created_at"])
    );
    // What changes nothing leaves no trace.
    assert_eq!(crm.patch("/v1/persons/p1", json!({ "fields": { "city": null } })).body, after);
    let refused = crm.patch("/v1/persons/p1", json!({ "fields": { "last_name": null } }));
    assert_eq!(refused.field_codes(), [("last_name".to_owned(), "required".to_owned())]);
}

#[test]
fn stamps_never_go_back() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek" }));
    assert!(crm.handle().set_clock(hello_crm::Stamp::parse("2001-01-01T00:00:00Z").unwrap()));
    let stamps: Vec<Value> = (0..3)
        .map(|number| {
            crm.patch("/v1/persons/p1", json!({ "fields": { "score": number } })).body["updated_at"].clone()
        })
        .collect();
    assert_eq!(
        stamps,
        ["2024-05-01T12:00:00.000001Z", "2024-05-01T12:00:00.000002Z", "2024-05-01T12:00:00.000003Z"]
    );
}

#[test]
fn a_conditional_write_needs_the_current_version() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek" }));
    let write = |etag: &str, city: &str| {
        let body = json!({ "fields": { "city": city } });
        crm.send("PATCH", "/v1/persons/p1", &[("if-match", etag)], Some(&body)).unwrap()
    };
    let done = write("\"1\"", "Umeå");
    assert_eq!((done.status, done.header("etag")), (200, Some("\"2\"")));
    let stale = write("\"1\"", "Malmö");
    assert_eq!((stale.status, stale.code()), (412, "version-mismatch"));
    assert_eq!(stale.body["record"], done.body);
    assert_eq!(write("*", "Åre").status, 200);
    assert_eq!(write("3", "Lund").status, 400);
    let delete =
        |etag: &str| crm.send("DELETE", "/v1/persons/p1", &[("if-match", etag)], None).unwrap().status;
    assert_eq!((delete("\"2\""), delete("\"3\"")), (412, 204));
}

#[test]
fn a_batch_does_what_it_can() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek" }));
    crm.person(json!({ "last_name": "Dahl" }));
    crm.delete("/v1/persons/p2");
    let results = crm.batch(json!([
        { "id": "a", "action": "create", "fields": { "last_name": "Holm", "email": "H@example.org" } },
        { "id": "b", "action": "create", "fields": { "email": "x", "first_name": "X" } },
        { "id": "c", "action": "update", "record": "p1", "fields": { "city": "Åre" }, "if_version": 1 },
        { "id": "d", "action": "update", "record": "p1", "fields": { "city": "Umeå" }, "if_version": 1 },
        { "id": "e", "action": "update", "record": "p99", "fields": {} },
        { "id": "f", "action": "delete", "record": "p2" },
        { "id": "g", "action": "explode", "record": "p1" },
        { "id": "h", "action": "create", "record": "p7", "fields": { "last_name": "Holm" } },
        { "id": "i", "action": "delete", "record": "p1", "if_version": 2 },
        { "id": "j", "action": "update", "record": "p1", "fields": { "city": "Lund" } },
        { "id": "a", "action": "create", "fields": { "last_name": "Holm", "email": "H@example.org" } },
    ]));
    assert_eq!(statuses(&results), [201, 422, 200, 412, 404, 410, 422, 422, 204, 410, 201]);
    let names: Vec<&str> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
    assert_eq!(names.join(""), "abcdefghija");
    assert_eq!(results[0]["record"]["fields"]["email"], "h@example.org");
    let codes = field_codes(&results[1]["error"]);
    assert_eq!(
        codes,
        [("email".to_owned(), "invalid-email".to_owned()), ("last_name".to_owned(), "required".to_owned())]
    );
    assert_eq!(results[3]["record"]["fields"]["city"], "Åre");
    assert_eq!(
        (&results[6]["error"]["code"], &results[7]["error"]["code"]),
        (&json!("invalid-change"), &json!("invalid-change"))
    );
    assert!(results[9]["error"]["deleted_at"].is_string());
    assert_eq!((&results[10]["replayed"], &results[10]["record"]), (&json!(true), &results[0]["record"]));
    assert_eq!(crm.handle().count(Object::Person), 1);
}

#[test]
fn a_batch_without_form_is_refused_as_a_whole() {
    let crm = Crm::start();
    let create = json!({ "id": "a", "action": "create", "fields": { "last_name": "Ek" } });
    for changes in [
        json!("x"),
        json!([create, { "action": "create", "fields": { "last_name": "Ek" } }]),
        json!([create, { "id": "", "action": "delete", "record": "p1" }]),
        json!([create, { "id": 5, "action": "delete", "record": "p1" }]),
        json!([create, { "id": "m", "action": "merge", "record": "p1", "into": "p2" }]),
        json!([create, 5]),
        json!(vec![create.clone(); 101]),
    ] {
        let answer = crm.post("/v1/persons/batch", json!({ "changes": changes }));
        assert_eq!((answer.status, answer.code()), (422, "invalid-batch"));
    }
    assert_eq!(crm.handle().count(Object::Person), 0);
}

#[test]
fn a_change_sent_again_answers_the_same_and_does_nothing() {
    let crm = Crm::start();
    let changes = json!([
        { "id": "1", "action": "create", "fields": { "last_name": "Ek" } },
        { "id": "2", "action": "update", "record": "p1", "fields": { "city": "Åre" }, "if_version": 1 },
        { "id": "3", "action": "update", "record": "p1", "fields": { "city": "Umeå" }, "if_version": 1 },
        { "id": "4", "action": "delete", "record": "p1" },
    ]);
    let first = crm.batch(changes.clone());
    assert_eq!(statuses(&first), [201, 200, 412, 204]);
    let mut second = crm.batch(changes);
    for result in &mut second {
        assert_eq!(result.as_object_mut().unwrap().remove("replayed"), Some(json!(true)));
    }
    assert_eq!(first, second);
    // The key belongs to that change, in a request of its own as well.
    let body = json!({ "fields": { "last_name": "Ek" } });
    let same = crm.send("POST", "/v1/persons", &[("idempotency-key", "1")], Some(&body)).unwrap();
    assert_eq!(
        (same.status, same.body["id"].as_str(), same.header("idempotent-replayed")),
        (201, Some("p1"), Some("true"))
    );
    let other = json!({ "fields": { "last_name": "Dahl" } });
    let reused = crm.send("POST", "/v1/persons", &[("idempotency-key", "1")], Some(&other)).unwrap();
    assert_eq!((reused.status, reused.code()), (422, "idempotency-key-reused"));
    // After two days it is forgotten.
    assert!(crm.handle().advance(Duration::from_secs(24 * 3600)));
    assert_eq!(crm.batch(json!([{ "id": "4", "action": "delete", "record": "p1" }]))[0]["status"], 204);
    assert!(crm.handle().advance(Duration::from_secs(24 * 3600)));
    assert_eq!(crm.batch(json!([{ "id": "4", "action": "delete", "record": "p1" }]))[0]["status"], 410);
}

#[test]
fn two_people_may_have_one_address_unless_told_otherwise() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek", "email": "ek@example.org" }));
    assert_eq!(crm.person(json!({ "last_name": "Ek", "email": "ek@example.org" })).status, 201);

    let crm = Crm::with(Config { unique_email: true, ..config() });
    crm.person(json!({ "last_name": "Ek", "email": "ek@example.org" }));
    crm.person(json!({ "last_name": "Dahl", "email": "" }));
    assert_eq!(crm.person(json!({ "last_name": "Holm", "email": "" })).status, 201);
    let refused = crm.person(json!({ "last_name": "Ek", "email": "EK@example.org" }));
    assert_eq!(
        (refused.status, refused.code(), &refused.body["error"]["existing"]),
        (409, "duplicate", &json!("p1"))
    );
    assert_eq!(crm.patch("/v1/persons/p2", json!({ "fields": { "email": "ek@example.org" } })).status, 409);
    assert_eq!(
        crm.patch("/v1/persons/p1", json!({ "fields": { "email": "ek@example.org", "city": "Åre" } })).status,
        200
    );
}

#[test]
fn a_deleted_record_leaves_a_trace_and_its_id_is_never_used_again() {
    let crm = Crm::start();
    crm.post("/v1/organisations", json!({ "fields": { "name": "Fjord AB" } }));
    crm.person(json!({ "last_name": "Ek", "organisation": "o1" }));
    assert_eq!(crm.delete("/v1/organisations/o1").status, 204);
    let gone = crm.get("/v1/organisations/o1");
    assert_eq!((gone.status, gone.code()), (410, "deleted"));
    assert_eq!(
        gone.body["error"]["deleted_at"],
        json!(crm.handle().deleted(Object::Organisation)[0].deleted_at)
    );
    assert!(gone.body["error"].get("merged_into").is_none());
    assert_eq!(crm.delete("/v1/organisations/o1").status, 410);
    // Who worked there works there no more, and that is a change.
    let person = crm.get("/v1/persons/p1").body;
    assert_eq!((&person["fields"]["organisation"], &person["version"]), (&Value::Null, &json!(2)));
    let refused = crm.patch("/v1/persons/p1", json!({ "fields": { "organisation": "o1" } }));
    assert_eq!(refused.field_codes(), [("organisation".to_owned(), "unknown-reference".to_owned())]);
    assert_eq!(crm.post("/v1/organisations", json!({ "fields": { "name": "Fjord AB" } })).body["id"], "o2");
}

#[test]
fn a_merge_leaves_one_record() {
    let crm = Crm::start();
    crm.person(json!({ "last_name": "Ek", "city": "Umeå", "phone": "1", "tags": ["a", "b"] }));
    crm.person(
        json!({ "last_name": "Eck", "first_name": "Åsa", "city": "Åre", "phone": "", "tags": ["b", "c"] }),
    );
    let body = json!({ "into": "p2" });
    let merged = crm.send("POST", "/v1/persons/p1/merge", &[("idempotency-key", "m")], Some(&body)).unwrap();
    assert_eq!((merged.status, merged.header("etag")), (200, Some("\"2\"")));
    let fields = &merged.body["fields"];
    assert_eq!(
        (&fields["last_name"], &fields["city"], &fields["phone"], &fields["tags"]),
        (&json!("Eck"), &json!("Åre"), &json!("1"), &json!(["a", "b", "c"]))
    );
    let gone = crm.get("/v1/persons/p1");
    assert_eq!((gone.status, &gone.body["error"]["merged_into"]), (410, &json!("p2")));
    let again = crm.send("POST", "/v1/persons/p1/merge", &[("idempotency-key", "m")], Some(&body)).unwrap();
    assert_eq!((again.status, &again.body), (200, &merged.body));
    assert_eq!(crm.post("/v1/persons/p1/merge", body).status, 410);
    assert_eq!(crm.post("/v1/persons/p2/merge", json!({ "into": "p2" })).status, 422);
    assert_eq!(crm.post("/v1/persons/p2/merge", json!({ "into": "p1" })).status, 422);
    assert_eq!(crm.post("/v1/persons/p9/merge", json!({ "into": "p2" })).status, 404);
    // A chain of merges leads to its end.
    crm.person(json!({ "last_name": "Eek" }));
    assert_eq!(crm.post("/v1/persons/p2/merge", json!({ "into": "p3" })).status, 200);
    assert_eq!(crm.get("/v1/persons/p1").body["error"]["merged_into"], "p3");
    let page = crm.get("/v1/persons?include_deleted=true").body;
    assert_eq!(
        (&page["deleted"][0]["merged_into"], &page["deleted"][1]["merged_into"]),
        (&json!("p3"), &json!("p3"))
    );
}

#[test]
fn people_follow_their_organisation_into_a_merge() {
    let crm = Crm::start();
    crm.post("/v1/organisations", json!({ "fields": { "name": "Fjord AB" } }));
    crm.post("/v1/organisations", json!({ "fields": { "name": "Fjord" } }));
    crm.person(json!({ "last_name": "Ek", "organisation": "o2" }));
    assert_eq!(crm.post("/v1/organisations/o2/merge", json!({ "into": "o1" })).status, 200);
    assert_eq!(crm.get("/v1/persons/p1").body["fields"]["organisation"], "o1");
}
