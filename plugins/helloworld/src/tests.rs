//! Tests against a fake hello-crm of a few lines: requests, and the conversion of responses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use entente_sdk::http::{Request, Response};
use entente_sdk::prelude::*;
use entente_sdk::testing::{Host, Installed};
use serde_json::{Value as Json, json};

use crate::HelloWorld;

const AT: &str = "2020-01-01T00:00:00.000001Z";

fn hello_crm(answer: impl Fn(&Request) -> (u16, Json) + 'static) -> (HelloWorld, Installed) {
    let host = Host::new().setting("url", "https://crm.example/").secret("api-key").http(move |request| {
        assert_eq!(request.header_value("authorization"), Some("Bearer placeholder of api-key"));
        let (status, body) = answer(request);
        Response::new(status).with_json(&body)
    });
    let installed = host.install();
    (HelloWorld::new().unwrap(), installed)
}

fn person(id: &str) -> Json {
    json!({
        "id": id, "version": 3, "created_at": AT, "updated_at": AT,
        "fields": { "last_name": "Ek", "email": null, "organisation": "o1", "tags": ["a"] },
        "changed": { "last_name": AT, "organisation": AT, "tags": AT },
    })
}

fn wanted() -> [Wanted; 2] {
    // People first: the plugin turns it round.
    [
        Wanted::new("person", ["last_name", "email", "organisation", "score"]),
        Wanted::new("organisation", ["name"]),
    ]
}

/// All pages of a report, with the request of each but its fields.
fn pages(plugin: &HelloWorld, mut request: ReportRequest) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        let page = plugin.report(request.clone()).unwrap();
        let next = page.next.clone();
        pages.push(page);
        if next.is_none() {
            return pages;
        }
        assert_ne!(request.cursor, next, "the same cursor twice");
        request.cursor = next;
    }
}

/// Two pages of organisations, one of people.
fn listing(request: &Request) -> (u16, Json) {
    let of = |records: Json, next: Json, token: Json| json!({ "records": records, "deleted": [], "next": next, "sync_token": token });
    let page = match (request.path(), request.parameter("after").as_deref()) {
        ("/v1/organisations", None) => of(json!([]), json!("2"), json!(null)),
        ("/v1/organisations", Some("2")) => of(json!([]), json!(null), json!("to")),
        ("/v1/persons", None) => of(json!([person("p1")]), json!(null), json!("tp")),
        other => panic!("{other:?}"),
    };
    (200, page)
}

#[test]
fn a_first_report_lists_everything_and_says_so() {
    let (plugin, _host) = hello_crm(|request| {
        assert_eq!(request.parameter("updated_since"), None);
        assert_eq!(request.parameter("updated_before"), None);
        assert_eq!(request.parameter("limit").as_deref(), Some("1000"), "as it was asked for");
        listing(request)
    });
    let pages = pages(&plugin, ReportRequest::new(wanted()));
    let objects: Vec<&str> = pages.iter().map(|page| page.batches[0].object.as_str()).collect();
    assert_eq!(objects, ["organisation", "organisation", "person"]);
    assert_eq!(pages[0].finished, []);
    assert_eq!(pages[1].finished, [Finished::new("organisation").bookmark("to").complete()]);
    assert_eq!(pages[2].finished, [Finished::new("person").bookmark("tp").complete()]);

    let at = Timestamp::parse(AT).ok();
    let row = &pages[2].batches[0].rows[0];
    assert_eq!((row.id.as_str(), row.version.as_deref(), row.changed), ("p1", Some("3"), at));
    assert_eq!(
        row.values,
        [Value::from("Ek"), Value::Null, Value::reference("organisation", "o1"), Value::Unset]
    );
    assert_eq!(row.times, [at, None, at, None]);
}

#[test]
fn a_bookmark_asks_for_what_changed_and_claims_nothing_complete() {
    let (plugin, _host) = hello_crm(|request| {
        assert_eq!(request.parameter("sync_token").as_deref(), Some("old"));
        assert_eq!(request.parameter("updated_since"), None);
        listing(request)
    });
    let mut request = ReportRequest::new(wanted());
    for wanted in &mut request.objects {
        wanted.bookmark = Some("old".to_owned());
        wanted.window.since = Timestamp::parse(AT).ok();
    }
    let last = pages(&plugin, request).pop().unwrap();
    assert_eq!(last.finished, [Finished::new("person").bookmark("tp")]);
}

#[test]
fn a_window_gives_no_bookmark() {
    let (plugin, _host) = hello_crm(|request| {
        assert_eq!(request.parameter("updated_since").as_deref(), Some(AT));
        assert_eq!(request.parameter("updated_before").as_deref(), Some("2020-01-02T00:00:00.000000Z"));
        assert_eq!(request.parameter("include_deleted").as_deref(), Some("true"));
        listing(request)
    });
    let mut request = ReportRequest::new(wanted());
    let until = Timestamp::parse("2020-01-02T00:00:00Z").unwrap();
    for wanted in &mut request.objects {
        wanted.window = Window { since: Timestamp::parse(AT).ok(), until };
    }
    let last = pages(&plugin, request).pop().unwrap();
    assert_eq!(last.finished, [Finished::new("person")]);
}

#[test]
fn ids_that_are_not_there_are_gone_and_merged_ones_are_others() {
    let (plugin, _host) = hello_crm(|request| {
        let ids = request.parameter("ids").unwrap();
        let (records, deleted) = match ids.as_str() {
            "p1,p2" => {
                (json!([person("p1")]), json!([{ "id": "p2", "deleted_at": AT, "merged_into": "p1" }]))
            }
            "p3,p4" => (json!([]), json!([{ "id": "p3", "deleted_at": AT }])),
            other => panic!("{other}"),
        };
        (200, json!({ "records": records, "deleted": deleted, "next": null, "sync_token": null }))
    });
    let mut request =
        ReportRequest::new([Wanted::new("person", ["last_name"]).ids(["p1", "p2", "p3", "p4"])]);
    request.limit = 2;
    let pages = pages(&plugin, request);
    assert_eq!(pages[0].conversions[0].after, Reference::new("person", "p1"));
    assert!(pages[0].batches[0].deleted.is_empty());
    let gone: Vec<_> = pages[1].batches[0].deleted.iter().map(|gone| (gone.id.as_str(), gone.at)).collect();
    assert_eq!(gone, [("p3", Timestamp::parse(AT).ok()), ("p4", None)]);
    assert_eq!((&pages[1].finished, pages.len()), (&vec![], 2));
}

#[test]
fn ids_on_the_next_page_are_not_missing() {
    let (plugin, _host) = hello_crm(|request| {
        let (record, next) = match request.parameter("after").as_deref() {
            None => ("p1", json!("cursor")),
            Some("cursor") => ("p2", json!(null)),
            other => panic!("{other:?}"),
        };
        (200, json!({ "records": [person(record)], "deleted": [], "next": next, "sync_token": null }))
    });
    let request = ReportRequest::new([Wanted::new("person", ["last_name"]).ids(["p1", "p2", "p3"])]);
    let pages = pages(&plugin, request);
    let batch = &pages[0].batches[0];
    assert_eq!(batch.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["p1", "p2"]);
    assert_eq!(batch.deleted.iter().map(|gone| gone.id.as_str()).collect::<Vec<_>>(), ["p3"]);
    assert_eq!(pages.len(), 1);
}

#[test]
fn refusals_become_errors_that_the_host_knows() {
    let code = |status: u16, code: &'static str| {
        let (plugin, _host) =
            hello_crm(move |_| (status, json!({ "error": { "code": code, "message": "no", "fields": [] } })));
        plugin.report(ReportRequest::new(wanted())).unwrap_err().code().as_str().to_owned()
    };
    assert_eq!(code(400, "cursor-expired"), "cursor-expired");
    assert_eq!(code(410, "sync-token-expired"), "cursor-expired");
    assert_eq!(code(401, "unauthorized"), "unauthorized");
    assert_eq!(code(429, "rate-limited"), "rate-limited");
    assert_eq!(code(400, "invalid-json"), "http-400");
}

#[test]
fn a_cursor_of_another_version_has_expired() {
    let (plugin, _host) = hello_crm(listing);
    let mut request = ReportRequest::new(wanted());
    request.cursor = Some("{}".to_owned());
    assert_eq!(*plugin.report(request).unwrap_err().code(), Code::CursorExpired);
}

fn update(id: &str) -> Change {
    Change::new(id, Action::Update("p1".into()), [Value::from("Ek"), Value::Unset, Value::Null]).version("3")
}

/// The outcome of an update of p1, answered like this.
fn outcome(mut answer: Json) -> Outcome {
    answer["id"] = json!("c1");
    let (plugin, _host) = hello_crm(move |_| (200, json!({ "results": [answer] })));
    let order = Order::new("person", ["last_name", "email", "organisation"]).change(update("c1"));
    plugin.execute(&order).unwrap().answers.pop().unwrap().outcome
}

#[test]
fn an_order_is_one_batch() {
    let (plugin, _host) = hello_crm(|request| {
        assert_eq!((request.method(), request.path()), ("POST", "/v1/persons/batch"));
        let body: Json = serde_json::from_slice(request.body_bytes()).unwrap();
        let expected = json!({ "changes": [
            { "id": "c1", "action": "update", "record": "p1", "fields": { "last_name": "Ek", "organisation": null }, "if_version": 3 },
            { "id": "c2", "action": "create", "fields": { "last_name": "Ny", "organisation": "o1" } },
            { "id": "c3", "action": "delete", "record": "p9", "if_version": null },
        ] });
        assert_eq!(body, expected);
        (
            200,
            json!({ "results": [{ "id": "c2", "status": 201, "record": person("p2") }, { "id": "c3", "status": 204 }] }),
        )
    });
    let create = [Value::from("Ny"), Value::Unset, Value::reference("organisation", "o1")];
    let order = Order::new("person", ["last_name", "email", "organisation"])
        .change(update("c1"))
        .change(Change::new("c2", Action::Create, create))
        .change(Change::new("c3", Action::Delete("p9".into()), []));
    let answers = plugin.execute(&order).unwrap().answers;
    // No word of c1: no answer, rather than an invented one.
    assert_eq!(answers.iter().map(|answer| answer.change.as_str()).collect::<Vec<_>>(), ["c2", "c3"]);
    let Outcome::Created(written) = &answers[0].outcome else { panic!("{answers:?}") };
    assert_eq!(written.values, [Value::from("Ek"), Value::Null, Value::reference("organisation", "o1")]);
    assert_eq!(answers[1].outcome, Outcome::Deleted);
}

#[test]
fn results_become_outcomes() {
    assert!(matches!(outcome(json!({ "status": 200, "record": person("p1") })), Outcome::Unchanged(_)));
    let mut newer = person("p1");
    newer["version"] = json!(4);
    assert!(
        matches!(outcome(json!({ "status": 200, "record": newer })), Outcome::Updated(written) if written.version.as_deref() == Some("4"))
    );
    let mismatch = json!({ "code": "version-mismatch", "message": "p1 is at version 3 now." });
    assert!(
        matches!(outcome(json!({ "status": 412, "record": person("p1"), "error": mismatch })), Outcome::Stale(row) if row.values.len() == 3)
    );

    let refused = |status: u16, error: Json| outcome(json!({ "status": status, "error": error }));
    assert_eq!(refused(404, json!({ "code": "not-found", "message": "no" })), Outcome::Deleted);
    assert_eq!(refused(410, json!({ "code": "deleted", "message": "no" })), Outcome::Deleted);
    let merged = json!({ "code": "deleted", "message": "no", "merged_into": "p7" });
    assert_eq!(refused(410, merged), Outcome::Converted(Reference::new("person", "p7")));
    let limited = json!({ "code": "rate-limited", "message": "later", "retry_after": 3 });
    assert_eq!(refused(429, limited), Outcome::Retry { after: Some(3), reason: "later".into() });
    assert_eq!(
        refused(409, json!({ "code": "duplicate", "message": "p9 has it" })),
        Outcome::failed("duplicate", "p9 has it")
    );
    // A code that means something else to the host stays one of the remote's own.
    assert_eq!(
        refused(422, json!({ "code": "not-found", "message": "it is locked" })),
        Outcome::failed("hello-crm:not-found", "it is locked")
    );
    assert_eq!(
        outcome(json!({ "status": 418 })),
        Outcome::failed("unknown-answer", "hello-crm answered 418")
    );
}

#[test]
fn m3_a_change_over_which_the_remote_failed_gets_no_answer() {
    let error = json!({ "code": "internal", "message": "the change may have been made" });
    for status in [500, 502, 503, 504] {
        let error = error.clone();
        let (plugin, _host) = hello_crm(move |_| {
            let failed = json!({ "id": "c1", "status": status, "error": error });
            let made = json!({ "id": "c2", "status": 201, "record": person("p2") });
            (200, json!({ "results": [failed, made] }))
        });
        let create = |id: &str| Change::new(id, Action::Create, [Value::from("Ny")]);
        let order = Order::new("person", ["last_name"]).change(create("c1")).change(create("c2"));
        let answers = plugin.execute(&order).unwrap().answers;
        assert_eq!(answers.iter().map(|answer| answer.change.as_str()).collect::<Vec<_>>(), ["c2"]);
    }
}

#[test]
fn a1_a_batch_that_was_turned_away_made_nothing() {
    let order = Order::new("person", ["last_name", "email", "organisation"]).change(update("c1"));
    let executed = |status: u16| {
        let (plugin, _host) =
            hello_crm(move |_| (status, json!({ "error": { "code": "x", "message": "no", "fields": [] } })));
        let execution = plugin.execute(&order).unwrap();
        (execution.answers.len(), execution.stopped.unwrap().code().as_str().to_owned())
    };
    assert_eq!(executed(429), (1, "rate-limited".to_owned()), "answered with retry");
    assert_eq!(executed(503), (0, "unavailable".to_owned()), "any of it may have been made");
}

#[test]
fn an_expired_token_is_one_of_its_object() {
    let (plugin, _host) = hello_crm(|request| match request.path() {
        "/v1/persons" => {
            (410, json!({ "error": { "code": "sync-token-expired", "message": "no", "fields": [] } }))
        }
        _ => listing(request),
    });
    let mut request = ReportRequest::new(wanted());
    request.objects[0].bookmark = Some("old".to_owned());
    request.cursor = Some(r#"{"object":1,"way":null,"after":null,"ids_done":0}"#.to_owned());
    let error = plugin.report(request).unwrap_err();
    assert_eq!(error, Error::cursor_expired("no").object("person"));
}

#[test]
fn refused_fields_are_named() {
    let refused = |code: &str| {
        let fields = json!([{ "name": "email", "code": code, "message": "bad" }]);
        outcome(
            json!({ "status": 422, "error": { "code": "invalid-fields", "message": "Not accepted: email.", "fields": fields } }),
        )
    };
    let reason = "Not accepted: email. email: bad";
    assert_eq!(refused("invalid-email"), Outcome::refused("invalid-value", reason, ["email"]));
    assert_eq!(refused("required"), Outcome::refused("required", reason, ["email"]));
}

#[test]
fn blanks_are_not_searched_for() {
    let (plugin, _host) = hello_crm(|request| {
        let body: Json = serde_json::from_slice(request.body_bytes()).unwrap();
        let results = match body.to_string().as_str() {
            r#"{"fields":["email"],"keys":[["a"],["b"]],"match":"all"}"# => {
                json!([{ "ids": ["p1"] }, { "ids": [] }])
            }
            r#"{"fields":["email","city"],"keys":[["c","d"]],"match":"all"}"# => {
                json!([{ "ids": ["p3", "p4"] }])
            }
            other => panic!("{other}"),
        };
        (200, json!({ "results": results }))
    });
    let keys = vec![
        vec!["a".into(), Value::Unset],
        vec!["c".into(), "d".into()],
        vec![Value::Null, "".into()],
        vec!["b".into(), Value::Null],
    ];
    let mut query = Query::new("person", ["email", "city"], keys);
    query.all = true;
    let found = plugin.find(query).unwrap();
    assert_eq!(found, [vec!["p1".to_owned()], vec!["p3".into(), "p4".into()], vec![], vec![]]);
}

#[test]
fn the_schema_is_the_customers() {
    let (plugin, _host) = hello_crm(|request| {
        assert_eq!(request.path(), "/v1/schema");
        let field = |name: &str, kind: &str, targets: Json| json!({ "name": name, "label": name, "kind": kind, "required": false, "writable": true, "max_length": null, "identifier": false, "targets": targets });
        let fields = json!([
            field("tags", "texts", json!([])),
            field("organisation", "reference", json!(["organisation"]))
        ]);
        (
            200,
            json!({ "objects": [{ "name": "person", "path": "persons", "label": "Person", "fields": fields }, { "name": "deal", "label": "Deal", "fields": [] }] }),
        )
    });
    let description = plugin.describe().unwrap();
    // What the plugin has no way to read is not offered.
    assert_eq!(description.objects.len(), 1);
    let fields = &description.objects[0].fields;
    assert_eq!((&fields[0].features[..], &fields[1].features[..]), (&["set-like".to_owned()][..], &[][..]));
    assert_eq!(fields[1].targets, ["organisation"]);
}

#[test]
fn every_mapped_field_is_mapped_once() {
    let (plugin, _host) = hello_crm(|_| panic!("the mapping needs no request"));
    for mapping in plugin.manual().unwrap() {
        let mut hub: Vec<&str> = mapping.fields.iter().map(|field| field.hub.as_str()).collect();
        let mut remote: Vec<&str> = mapping.fields.iter().map(|field| field.remote.as_str()).collect();
        assert!(mapping.identifiers.iter().all(|name| hub.contains(&name.as_str())));
        for names in [&mut hub, &mut remote] {
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
