//! Sync reports of the hub.

use super::*;
use crate::hub::people::ListQuery;
use entente_sync::codes;
use std::collections::BTreeSet;

async fn many(hub: &Hub, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(contact(hub, &format!("p{n}@example.org")).await);
    }
    ids
}

#[tokio::test]
async fn a_first_report_lists_everything_in_pages() {
    let hub = hub();
    let made = many(&hub, 25).await;
    hub.create("company", &values(&[("name", Value::text("ACME"))])).await.unwrap();
    for limit in [1, 7, 25, 26, 1000] {
        let mut request = request(&["email", "nonsense", "phone", "email"]);
        request.limit = limit;
        request.objects[0].window.until = at(3);
        let company =
            Wanted { object: "company".into(), fields: vec!["name".into()], ..request.objects[0].clone() };
        request.objects.push(company);
        let pages = pages(&hub, request).await;
        assert!(pages.iter().all(|page| {
            page.batches.iter().map(|batch| batch.rows.len() + batch.deleted.len()).sum::<usize>()
                <= limit as usize
        }));
        assert_eq!(ids(&pages)[..25], made, "whatever the end of the window");
        assert_eq!(ids(&pages).len(), 26);
        let complete = pages.last().unwrap().finished.iter().filter(|finished| finished.complete);
        assert_eq!(
            complete.map(|finished| finished.object.as_str()).collect::<Vec<_>>(),
            ["contact", "company"]
        );
        let first = pages[0].batches.iter().map(|batch| batch.rows.len()).sum::<usize>() as u64;
        assert_eq!(pages[0].remaining.unwrap_or_default(), 26 - first);
        assert_eq!(bookmark(&pages).as_deref(), Some("26"));
        let row = &pages[0].batches[0].rows[0];
        assert_eq!(row.values, [text("p0@example.org"), None, Some(Value::Null), text("p0@example.org")]);
        assert_eq!(row.times, [certain(1), None, None, certain(1)]);
        assert_eq!((row.changed, row.version.as_deref()), (Some(at(1)), Some("1")));
    }
}

#[tokio::test]
async fn writes_during_a_report_are_neither_lost_nor_repeated_for_ever() {
    for (way, limit) in [("full", 3), ("full", 1), ("bookmark", 3), ("window", 3)] {
        let hub = hub();
        let made = many(&hub, 20).await;
        let mut request = request(&["city"]);
        request.limit = limit;
        match way {
            "bookmark" => request.objects[0].bookmark = Some("0".into()),
            "window" => request.objects[0].window.since = Some(at(0)),
            _ => {}
        }
        let (others, gone) = (&hub, &made[19]);
        let pages = all_pages(&hub, request.clone(), async |page| {
            // Every record is changed repeatedly, new ones appear, and one is deleted before its page.
            for id in made.iter().take(19) {
                others.set("contact", id, &values(&[("city", Value::text(page.to_string()))])).await.unwrap();
            }
            contact(others, &format!("new{page}@example.org")).await;
            if page == 1 {
                others.delete("contact", gone).await.unwrap();
            }
        })
        .await;
        let first = ids(&pages);
        let distinct: BTreeSet<&String> = first.iter().collect();
        assert_eq!(distinct.len(), first.len(), "{way}: no record twice in one report");
        if way == "full" {
            assert_eq!(first, made[..19], "{way}: a complete listing has every record that is there");
            assert_eq!(
                deleted(&pages),
                Vec::<String>::new(),
                "{way}: what went away during it comes with the next"
            );
        }
        request.objects[0].bookmark = bookmark(&pages);
        request.objects[0].window.since = None;
        request.limit = 1000;
        let next = super::pages(&hub, request).await;
        let seen: BTreeSet<String> = first.iter().cloned().chain(ids(&next)).collect();
        let all = hub.list("contact", &ListQuery { limit: 1000, ..ListQuery::default() }).await.unwrap();
        for record in &all.records {
            assert!(seen.contains(&record.id), "{way}: {} is lost", record.id);
            let newest = ids(&next).contains(&record.id);
            assert!(
                newest || record.version.parse::<i64>().unwrap() <= 20,
                "{way}: the last change of {} is lost",
                record.id
            );
        }
        assert_eq!(deleted(&next), [made[19].clone()], "{way}");
    }
}

#[tokio::test]
async fn what_a_sync_wrote_is_not_reported_to_it_but_to_every_other() {
    let hub = hub();
    let ids_since = async |sync: &str, bookmark: &str| {
        let request = ReportRequest { sync: sync.into(), ..since(bookmark, &["email"]) };
        ids(&pages(&hub, request).await)
    };
    let create = order("mine", &["email"], vec![change(Action::Create, vec![text("a@example.org")])]);
    execute(&hub, &create).await;
    assert_eq!(ids_since("mine", "0").await, Vec::<String>::new());
    assert_eq!(ids_since("other", "0").await, ["1"]);
    assert_eq!(ids_since("never heard of", "0").await, ["1"]);

    // The operator writes too, and then this sync again.
    hub.set("contact", "1", &values(&[("city", Value::text("Rome"))])).await.unwrap();
    execute(&hub, &order("mine", &["phone"], vec![change(Action::Update("1".into()), vec![text("1")])]))
        .await;
    execute(&hub, &order("mine", &["phone"], vec![change(Action::Update("1".into()), vec![text("2")])]))
        .await;
    assert_eq!(ids_since("mine", "1").await, ["1"], "the operator's change lies after the bookmark");
    assert_eq!(ids_since("mine", "2").await, Vec::<String>::new());
    assert_eq!(ids_since("other", "2").await, ["1"]);
    execute(&hub, &order("other", &["phone"], vec![change(Action::Update("1".into()), vec![text("3")])]))
        .await;
    assert_eq!(ids_since("mine", "4").await, ["1"]);
    assert_eq!(ids_since("other", "4").await, Vec::<String>::new());
    assert_eq!(ids_since("other", "3").await, ["1"], "what the other sync wrote before");

    // A complete listing has every record, whoever wrote it.
    let full = asking(&["email"], |wanted| (wanted.full, wanted.bookmark) = (true, Some("5".to_owned())));
    assert_eq!(ids(&pages(&hub, full).await), ["1"]);

    execute(&hub, &order("mine", &["email"], vec![change(Action::Delete("1".into()), vec![])])).await;
    let since = |sync: &str| ReportRequest { sync: sync.into(), ..since("5", &["email"]) };
    assert_eq!(deleted(&pages(&hub, since("mine")).await), Vec::<String>::new());
    assert_eq!(deleted(&pages(&hub, since("other")).await), ["1"]);
}

#[tokio::test]
async fn a_window_is_half_open_and_goes_by_change_times() {
    let hub = hub();
    for micros in [10, 20, 30] {
        let mut create = change(Action::Create, vec![text(&format!("{micros}@example.org")), text("x")]);
        create.times = vec![certain(micros), certain(micros - 5)];
        execute(&hub, &order("other", &["email", "city"], vec![create])).await;
    }
    let window = async |since, until| {
        let window = Window { since: Some(at(since)), until: at(until) };
        let request = asking(&["email"], |wanted| wanted.window = window);
        let pages = pages(&hub, ReportRequest { limit: 2, ..request }).await;
        assert!(!pages.last().unwrap().finished[0].complete);
        ids(&pages)
    };
    assert_eq!(window(10, 30).await, ["1", "2"]);
    assert_eq!(window(10, 31).await, ["1", "2", "3"]);
    assert_eq!(window(11, 20).await, Vec::<String>::new());
    assert_eq!(window(20, 21).await, ["2"]);
    assert_eq!(window(31, 30).await, Vec::<String>::new());
    assert_eq!(window(-1_000_000, i64::MAX).await.len(), 3);
}

#[tokio::test]
async fn deletions_by_their_time_or_since_a_bookmark() {
    let hub = hub();
    many(&hub, 5).await;
    for id in ["2", "4"] {
        hub.delete("contact", id).await.unwrap();
    }
    let window = |since, until| ReportRequest {
        limit: 1,
        ..asking(&["email"], |wanted| wanted.window = Window { since: Some(at(since)), until: at(until) })
    };
    let gone = async |request| deleted(&pages(&hub, request).await);
    assert_eq!(gone(window(0, 1000)).await, ["2", "4"]);
    assert_eq!(gone(window(6, 7)).await, ["2"]);
    assert_eq!(gone(window(8, 1000)).await, Vec::<String>::new());
    assert_eq!(gone(since("6", &["email"])).await, ["4"]);
    assert_eq!(gone(request(&["email"])).await, ["2", "4"]);
    assert_eq!(hub.report(&request(&["email"])).await.unwrap().batches[0].deleted[0].deleted, Some(at(6)));
}

#[tokio::test]
async fn named_records_and_nothing_else() {
    let hub = hub();
    many(&hub, 4).await;
    hub.create("company", &values(&[("name", Value::text("ACME"))])).await.unwrap();
    hub.delete("contact", "3").await.unwrap();
    let mut request = request(&["email"]);
    request.limit = 2;
    request.objects[0].ids = ["4", "3", "4", "1", "5", "77", "x", "01"].map(str::to_owned).to_vec();
    let pages = pages(&hub, request).await;
    assert_eq!(ids(&pages), ["4", "1"]);
    assert_eq!(deleted(&pages), ["3", "5", "77", "x", "01"], "5 is a company");
    assert_eq!(bookmark(&pages), None, "records by name move no bookmark");
}

#[tokio::test]
async fn bookmarks_and_cursors_that_the_hub_did_not_give_are_refused() {
    let hub = hub();
    many(&hub, 5).await;
    for bookmark in ["6", "-1", "x", "", "1.0"] {
        let error = hub.report(&since(bookmark, &["email"])).await.unwrap_err();
        let object = error.object.as_deref();
        assert_eq!((error.code.as_str(), object), (codes::CURSOR_EXPIRED, Some("contact")), "{bookmark}");
    }
    let first = hub.report(&ReportRequest { limit: 2, ..request(&["email"]) }).await.unwrap();
    let go_on = ReportRequest { cursor: first.next.clone(), limit: 2, ..request(&["email"]) };
    assert!(hub.report(&go_on).await.is_ok());
    let others = [
        ReportRequest { cursor: Some("x".into()), ..go_on.clone() },
        ReportRequest { objects: since("1", &["email"]).objects, ..go_on.clone() },
        ReportRequest {
            objects: vec![Wanted { object: "company".into(), fields: vec![], ..go_on.objects[0].clone() }],
            ..go_on.clone()
        },
    ];
    for request in others {
        assert_eq!(hub.report(&request).await.unwrap_err().code, codes::CURSOR_EXPIRED);
    }
    let unknown = ReportRequest { ..asking(&[], |wanted| wanted.object = "deal".to_owned()) };
    assert_eq!(hub.report(&unknown).await.unwrap_err().code, codes::MISCONFIGURED);
}

#[tokio::test]
async fn records_are_found_by_their_identifiers() {
    use crate::hub::FieldDefinition;
    use entente_core::Kind;
    use entente_sync::Query;
    let hub = hub();
    contact(&hub, "Ada@Example.org").await;
    contact(&hub, "bob@example.org").await;
    contact(&hub, " ada@example.org").await;
    let mut number = FieldDefinition::new("number", "Customer number", Kind::Integer);
    number.identifier = true;
    hub.define_field("contact", &number).await.unwrap();
    hub.set("contact", "2", &values(&[("number", Value::Integer(0))])).await.unwrap();
    let find = async |fields: &[&str], keys: Vec<Vec<Option<Value>>>, all| {
        let fields = fields.iter().map(|name| (*name).to_owned()).collect();
        hub.find(&Query { object: "contact".into(), fields, keys, all }).await
    };
    let none: Vec<String> = vec![];
    let keys = vec![
        vec![text("ADA@example.org ")],
        vec![text("eve@example.org")],
        vec![None],
        vec![text("")],
        vec![Some(Value::Null)],
    ];
    assert_eq!(
        find(&["email"], keys, true).await.unwrap(),
        [vec!["1".to_owned(), "3".into()], none.clone(), none.clone(), none.clone(), none.clone()]
    );
    let both = vec![
        vec![text("bob@example.org"), Some(Value::Integer(0))],
        vec![text("ada@example.org"), Some(Value::Integer(0))],
        vec![None, text("0")],
    ];
    assert_eq!(
        find(&["email", "number"], both.clone(), true).await.unwrap(),
        [vec!["2".to_owned()], none, vec!["2".into()]]
    );
    assert_eq!(find(&["email", "number"], both, false).await.unwrap()[1], ["1", "2", "3"]);
    assert_eq!(find(&["city"], vec![], true).await.unwrap_err().code, codes::UNSUPPORTED);

    // Changed and deleted records are no longer found by the old value.
    hub.set("contact", "1", &values(&[("email", Value::Null)])).await.unwrap();
    hub.delete("contact", "3").await.unwrap();
    assert_eq!(
        find(&["email"], vec![vec![text("ada@example.org")]], true).await.unwrap(),
        [Vec::<String>::new()]
    );
}
