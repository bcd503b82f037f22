//! Bad records, orders that fail as a whole, deferred changes, schema drift, remotes without conditional
//! writes.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Kind, Value};
use entente_sync::*;
use std::time::Duration;

/// A hub with these people, and a remote that answers `unavailable` to every order that has one of them.
async fn unavailable_for_one(idempotent: bool) -> World {
    let mut world = World::new().await;
    world.right.character.poison = Some("poison");
    world.right.character.order = 8;
    world.right.character.says = Some((codes::UNAVAILABLE.to_owned(), "the answer was 500".to_owned()));
    if !idempotent {
        world.right.character.features.remove(&Feature::IdempotentCreate);
    }
    for n in 0..6 {
        let name = if n == 3 { "poison" } else { "good" };
        let mail = format!("{n}@example.org");
        world.left.put("contact", &[("email", text(&mail)), ("name", text(name))], "2020-01-01");
    }
    world
}

/// Rows of changes in the ledger, over all runs.
async fn rows_of_changes(world: &World, runs: i64) -> usize {
    let mut rows = 0;
    for run in 1..=runs {
        for status in ChangeStatus::ALL {
            rows += world.ledger.changes_in(run, status, 0, 10_000).await.unwrap().len();
        }
    }
    rows
}

#[tokio::test]
async fn k3_contacts_of_a_company_that_is_gone_go_without_it_and_are_quiet() {
    let mut world = World::new().await;
    world.right.character.order = 100;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    world.run().await;
    let org = world.right.find_by("org", "title", "Acme").unwrap();
    world.right.delete("org", &org);
    let reference =
        |id: &str| Value::Reference(entente_core::Reference { object: "company".into(), id: id.into() });
    for n in 0..30 {
        let mail = text(&format!("{n}@example.org"));
        world.left.put("contact", &[("email", mail), ("company", reference(&company))], "2020-01-02");
    }
    world.run().await;
    assert_eq!(world.right.records("person").len(), 30, "they go without it");
    // The next report tells that the field is blank there.
    let last = world.run().await.id;
    let parked = world.ledger.pairs_in(Status::Ok, None, 0, 100).await.unwrap();
    let parked =
        parked.iter().filter(|pair| pair.reason.as_ref().map(Reason::code) == Some(Code::ParentGone));
    assert_eq!(parked.count(), 30, "with the reason");
    let mapping = world.definition.mappings[0].id;
    let differing = world.ledger.differing(mapping, 0, 100).await.unwrap();
    let parked = |pair: &&Pair| matches!(pair.differs(Slot(4)), Some(FieldReason::ParentGone { record }) if record.id == company);
    assert_eq!(differing.iter().filter(parked).count(), 30, "K5: and the reason stands at the field");
    let rows = rows_of_changes(&world, last).await;
    world.assert_quiet().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(rows_of_changes(&world, last + 2).await, rows, "a quiet run adds nothing");
    // A reference to a company that never was is parked too, and set once there is one.
    let acme = world.left.put("company", &[("name", text("Acme again"))], "2026-01-02");
    let first = world.contact("0@example.org");
    world.left.edit("contact", &first, "company", reference(&acme), "2026-01-02");
    world.run().await;
    let again = world.right.find_by("org", "title", "Acme again").unwrap();
    let set = world.right.value("person", &world.person("0@example.org"), "org");
    assert_eq!(set, Value::Reference(entente_core::Reference { object: "org".into(), id: again }));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s30_a_parent_that_comes_back_is_set() {
    let mut world = World::new().await;
    world.definition.mappings[1].filters.left =
        vec![Condition { field: "city".to_owned(), test: Test::Is(text("Umeå")) }];
    let company = world.left.put("company", &[("name", text("Acme")), ("city", text("Lund"))], "2020-01-01");
    let reference =
        Value::Reference(entente_core::Reference { object: "company".into(), id: company.clone() });
    world.left.put("contact", &[("email", text("a@example.org")), ("company", reference)], "2020-01-02");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("a@example.org"), "org"), Value::Null);
    world.assert_quiet().await;
    world.left.edit("company", &company, "city", text("Umeå"), "2026-01-02");
    world.run().await;
    let org = world.right.find_by("org", "title", "Acme").unwrap();
    let set = world.right.value("person", &world.person("a@example.org"), "org");
    assert_eq!(set, Value::Reference(entente_core::Reference { object: "org".into(), id: org }));
    world.assert_quiet().await;
}

#[tokio::test]
async fn k9_records_that_exchange_an_address_are_written_by_way_of_a_blank() {
    for people in [2, 3, 5] {
        let mut world = World::new().await;
        world.right.character.unique = Some("mail");
        world.right.character.order = 100;
        let mail = |n: usize| text(&format!("{n}@example.org"));
        let left: Vec<String> = (0..people)
            .map(|n| {
                let fields = [("email", mail(n)), ("name", text(&format!("Name {n}")))];
                world.left.put("contact", &fields, "2020-01-01")
            })
            .collect();
        // Others, so that few are blanked.
        for n in 10..20 {
            world.left.put("contact", &[("email", mail(n))], "2020-01-01");
        }
        world.run().await;
        let right: Vec<String> = (0..people).map(|n| world.person(&format!("{n}@example.org"))).collect();
        // Each gets the address of the next.
        for (n, id) in left.iter().enumerate() {
            world.left.edit("contact", id, "email", mail((n + 1) % people), "2026-01-02");
        }
        // All identifiers of a fake side change at once here, which the brake on identifiers would hold.
        let lifted = || RunOptions { lift_identifiers: true, ..RunOptions::default() };
        let run = world.run_with(lifted()).await;
        assert_eq!(run.counts.right["person"].failed, 0, "{:?}", run.counts);
        for (n, id) in right.iter().enumerate() {
            assert_eq!(world.right.value("person", id, "mail"), mail((n + 1) % people), "{n} of {people}");
            assert_eq!(world.right.value("person", id, "full"), text(&format!("Name {n}")));
        }
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn k2_one_record_that_makes_a_batch_answer_500_fails_alone_and_is_named() {
    for idempotent in [true, false] {
        let world = unavailable_for_one(idempotent).await;
        let run = world.run().await;
        assert_eq!(world.right.records("person").len(), 5, "idempotent: {idempotent}");
        assert_eq!(run.counts.right["person"].failed, 1, "{:#?}", run.counts);
        let failed = world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap();
        assert_eq!(failed.len(), 1);
        let bad = world.contact("3@example.org");
        assert_eq!(failed[0].ids.left.as_deref(), Some(bad.as_str()));
        world.assert_quiet().await;
        assert_eq!(world.right.records("person").len(), 5, "nobody twice");
        // What is wrong with the record is mended.
        world.left.edit("contact", &bad, "name", text("good"), "2026-01-02");
        world.run().await;
        assert_eq!(world.right.records("person").len(), 6);
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn s31_a_remote_that_is_down_fails_the_run_and_no_record() {
    let mut world = unavailable_for_one(true).await;
    world.right.character.poison = Some("");
    let end = world.try_run(RunOptions::default()).await.unwrap();
    assert!(end.error.is_some());
    assert!(end.run.counts.right["person"].failed <= 1, "{:#?}", end.run.counts);
    world.right.character.poison = None;
    world.clock.advance(Duration::from_secs(600));
    world.run().await;
    assert_eq!(world.right.records("person").len(), 6);
    world.assert_quiet().await;
}

#[tokio::test]
async fn one_bad_record_fails_alone() {
    for idempotent in [true, false] {
        let mut world = World::new().await;
        world.right.character.order = 16;
        world.right.character.page = 16;
        world.right.character.poison = Some("poison");
        if !idempotent {
            world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
        }
        for n in 0..16 {
            let name = if n == 11 { "poison" } else { "fine" };
            world.left.put(
                "contact",
                &[("email", text(&format!("{n}@example.org"))), ("name", text(name))],
                "2020-01-01",
            );
        }
        let before = world.right.calls("execute");
        let run = world.run().await;
        assert_eq!(
            (run.counts.right["person"].created, run.counts.right["person"].failed),
            (15, 1),
            "{:#?}",
            run.counts
        );
        // One call for the whole order, and two for each split.
        assert!(
            world.right.calls("execute") - before <= 1 + 2 * 4,
            "{}",
            world.right.calls("execute") - before
        );
        let said = RemoteSaid::new("invalid-answer", "the whole order was refused");
        let side = Side::Right;
        // Where the create cannot be sent again, it was looked for.
        let (code, reason) = match idempotent {
            true => (Code::OrderFailed, Reason::OrderFailed { side, said }),
            false => (Code::Refused, Reason::Refused { side, said, fields: vec![] }),
        };
        assert_eq!(run.counts.right["person"].reasons[&code].samples, [reason]);
        world.right.character.poison = None;
        world.clock.advance(Duration::from_secs(100_000));
        world.run().await;
        assert_eq!(world.right.records("person").len(), 16, "idempotent {idempotent}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn updates_of_an_order_that_fails_are_made_but_for_the_bad_one() {
    let mut world = World::new().await;
    world.right.character.order = 8;
    let lefts: Vec<String> = (0..8)
        .map(|n| world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01"))
        .collect();
    world.run().await;
    world.right.character.poison = Some("poison");
    for (n, left) in lefts.iter().enumerate() {
        world.left.edit("contact", left, "name", text(if n == 5 { "poison" } else { "new" }), "2025-01-01");
    }
    let run = world.run().await;
    assert_eq!((run.counts.right["person"].updated, run.counts.right["person"].failed), (7, 1));
    let failed = world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap();
    assert_eq!((failed.len(), failed[0].attempts), (1, 1));
}

#[tokio::test]
async fn p1_updates_of_an_order_that_fails_are_sent_again_where_records_cannot_be_read() {
    let mut world = World::new().await;
    world.right.character.features.retain(|feature| *feature != Feature::ById);
    world.right.character.order = 8;
    let lefts: Vec<String> = (0..8)
        .map(|n| world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01"))
        .collect();
    world.run().await;
    world.right.character.poison = Some("poison");
    for (n, left) in lefts.iter().enumerate() {
        world.left.edit("contact", left, "name", text(if n == 5 { "poison" } else { "new" }), "2025-01-01");
    }
    let run = world.run().await;
    assert_eq!((run.counts.right["person"].updated, run.counts.right["person"].failed), (7, 1));
    let done = ChangeFilter::of(ChangeStatus::Done);
    assert_eq!(world.ledger.changes_of_run(run.id, &done, 0, 100).await.unwrap().len(), 7);
    let failed = world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap();
    assert_eq!((failed.len(), failed[0].attempts), (1, 1));
    let names =
        world.right.records("person").into_iter().filter(|(_, r)| r.values.get("full") == Some(&text("new")));
    assert_eq!(names.count(), 7);
}

/// The order puts a tag on and is never answered; then somebody takes off a tag that was there before the order.
#[tokio::test]
async fn p1_a_tag_that_is_taken_off_after_an_unanswered_order_is_taken_off_on_both_sides() {
    let mut world = World::new().await;
    world.left.character.features.retain(|feature| *feature != Feature::ById);
    let left = world.left.put("contact", &[("email", text("ann@example.org"))], "2020-01-01");
    world.run().await;
    let right = world.person("ann@example.org");
    let tags = |tags: &[&str]| Value::Texts(tags.iter().map(|&tag| tag.to_owned()).collect());
    world.left.edit("contact", &left, "tags", tags(&["eu"]), "2026-01-02");
    world.right.edit("person", &right, "labels", tags(&["vip"]), "2026-01-02");
    world.left.fault("execute", 1, Fault::LostByTrap);
    world.run().await;
    assert_eq!(world.left.value("contact", &left, "tags"), tags(&["eu", "vip"]));
    world.left.edit("contact", &left, "tags", tags(&["vip"]), "2026-01-03");
    for _ in 0..3 {
        world.run().await;
    }
    let now = (world.left.value("contact", &left, "tags"), world.right.value("person", &right, "labels"));
    assert_eq!(now, (tags(&["vip"]), tags(&["vip"])));
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_failed_is_tried_again_after_growing_pauses_and_then_waits() {
    let mut world = World::new().await;
    world.right.character.poison = Some("poison");
    world.right.character.order = 1;
    world.left.put("contact", &[("email", text("p@example.org")), ("name", text("poison"))], "2020-01-01");
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    world.run().await;
    let tried = |world: &World| world.right.calls("execute");
    assert_eq!(tried(&world), 1);
    world.run().await;
    assert_eq!(tried(&world), 1, "not before its time");
    for n in 2..=7 {
        world.clock.advance(Duration::from_secs(100_000));
        world.run().await;
        assert_eq!(tried(&world), n);
    }
    world.clock.advance(Duration::from_secs(1_000_000));
    world.run().await;
    assert_eq!(tried(&world), 7, "it waits for the operator");
    let lease =
        world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(60)).await.unwrap();
    let mapping = world.definition.mappings[0].id;
    assert_eq!(world.ledger.retry(&lease, mapping, None).await.unwrap(), 1);
    world.ledger.release(&lease).await.unwrap();
    world.right.character.poison = None;
    world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn s15_a_deferred_answer_is_pending_collected_or_settled_like_a_crash() {
    for lost in [false, true] {
        let mut world = World::new().await;
        world.right.character.defers = true;
        let l =
            world.left.put("contact", &[("email", text("t@example.org")), ("name", text("N"))], "2020-01-01");
        let run = world.run().await;
        assert_eq!((run.counts.right["person"].created, run.counts.right["person"].pending), (0, 1));
        assert_eq!(run.problems(), 0, "pending is no problem");
        world.right.tell(lost);
        world.right.character.defers = false;
        world.run().await;
        world.left.edit("contact", &l, "name", text("M"), "2025-01-01");
        world.run().await;
        assert_eq!(world.right.records("person").len(), 1, "lost {lost}");
        assert_eq!(world.right.value("person", &world.person("t@example.org"), "full"), text("M"));
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn until_settled_waits_for_what_was_deferred() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
    let run = world.run_with(RunKind::Sync { scope: Scope::default(), until_settled: true }.into()).await;
    assert_eq!(
        (run.counts.right["person"].created, run.counts.right["person"].pending),
        (1, 0),
        "{:#?}",
        run.counts
    );
    assert_eq!(world.ledger.pairs_in(Status::Live, None, 0, 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_remote_that_checks_nothing_is_read_just_before_writing() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| *word != Feature::ConditionalUpdate);
    let l = world.left.put(
        "contact",
        &[("email", text("e@example.org")), ("phone", text("1")), ("name", text("N"))],
        "2020-01-01",
    );
    world.run().await;
    let r = world.person("e@example.org");
    world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
    // The third report of the run is the read before the write; somebody edits the record just before it.
    let edit =
        Fault::Edit { object: "person".into(), id: r.clone(), field: "tel".into(), value: text("theirs") };
    world.right.fault("report", 2, edit);
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("theirs"), "the later edit wins");
    assert_eq!(world.left.value("contact", &l, "phone"), text("theirs"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_remote_that_can_do_neither_is_written_and_the_plan_names_the_risk() {
    let mut world = World::new().await;
    world
        .right
        .character
        .features
        .retain(|word| *word != Feature::ConditionalUpdate && *word != Feature::ById);
    let l =
        world.left.put("contact", &[("email", text("e@example.org")), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
    let run = world.run().await;
    let made = world.ledger.changes_in(run.id, ChangeStatus::Done, 0, 10).await.unwrap();
    let object = "person".to_owned();
    assert_eq!(made[0].reason, Some(Reason::Unchecked { side: Side::Right, object }));
}

#[tokio::test]
async fn a_field_that_vanished_is_parked_and_the_rest_goes_on() {
    let world = World::new().await;
    let l = world.left.put(
        "contact",
        &[("email", text("s@example.org")), ("phone", text("1")), ("name", text("N"))],
        "2020-01-01",
    );
    world.run().await;
    let r = world.person("s@example.org");
    world.right.drop_field("person", "tel");
    world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
    world.left.edit("contact", &l, "name", text("M"), "2025-01-01");
    let run = world.run().await;
    let (object, field) = ("person".to_owned(), "tel".to_owned());
    assert_eq!(run.notices, [Notice::FieldParked { side: Side::Right, object, field, kinds: None }]);
    assert_eq!(
        (world.right.value("person", &r, "full"), world.right.value("person", &r, "tel")),
        (text("M"), text("1"))
    );
    // The field is back, with an edit of its own at another time.
    world.right.set_field("person", "tel", "text");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("2"), "what was edited meanwhile arrives");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_of_another_type_is_parked_and_a_new_one_is_told() {
    let world = World::new().await;
    world.left.put("contact", &[("email", text("s@example.org")), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    world.right.set_field("person", "tel", "integer");
    world.right.set_field("person", "fax", "text");
    let run = world.run().await;
    let (side, object) = (Side::Right, "person".to_owned());
    let kinds = Some((Kind::Text, Kind::Integer));
    let parked = Notice::FieldParked { side, object: object.clone(), field: "tel".to_owned(), kinds };
    let new = Notice::NewField { side, object, field: "fax".to_owned() };
    assert_eq!(run.notices, [parked, new]);
    let again = world.run().await;
    assert_eq!(again.notices.len(), 1, "news are told once, what is parked every time: {:?}", again.notices);
}

#[tokio::test]
async fn a_parked_identifier_makes_no_duplicates() {
    let world = World::new().await;
    world.left.put("contact", &[("email", text("s@example.org"))], "2020-01-01");
    world.run().await;
    world.right.drop_field("person", "mail");
    let stranger = world.right.put("person", &[("full", text("who"))], "2025-01-01");
    world.left.put("contact", &[("email", text("new@example.org"))], "2025-01-01");
    world.run().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (2, 2));
    assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap().len(), 2);
    world.right.set_field("person", "mail", "email");
    world.right.edit("person", &stranger, "mail", text("new@example.org"), "2025-01-02");
    world.run().await;
    assert_eq!(
        (world.left.records("contact").len(), world.right.records("person").len()),
        (2, 2),
        "they have met"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn without_a_complete_listing_a_normal_run_looks_before_it_creates() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| *word != Feature::FullListing);
    world.left.put("contact", &[("email", text("n@example.org"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].created, 1, "{:#?}", run.counts);
    world.right.character.can_find = false;
    world.left.put("contact", &[("email", text("m@example.org"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!((run.counts.right["person"].created, run.counts.left["contact"].held), (0, 1));
}

#[tokio::test]
async fn a_later_retry_waits_for_its_time() {
    let world = World::new().await;
    world.left.put("contact", &[("email", text("w@example.org"))], "2020-01-01");
    let later = ExchangeError {
        code: codes::RATE_LIMITED.into(),
        reason: "slow down".into(),
        said: None,
        after: Some(Duration::from_secs(7)),
        object: None,
        remedies: Vec::new(),
    };
    world.right.fault("execute", 1, Fault::Fails(later));
    let before = world.clock.now();
    world.run().await;
    assert!(world.clock.now().micros() - before.micros() >= 7_000_000, "what the remote asks for is obeyed");
    assert_eq!(world.right.records("person").len(), 1);
    let pair = &world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap()[0];
    assert_eq!(pair.attempts, 0, "being told to slow down is no attempt");
    assert_eq!(world.left.value("contact", &world.contact("w@example.org"), "phone"), Value::Null);
}

/// A record is written on both sides: the left one refuses it for now, and the right one takes it. What was refused is
/// tried again by itself.
#[tokio::test]
async fn i1_what_one_side_refuses_is_tried_again_although_the_other_side_took_its_part() {
    let mut world = World::new().await;
    let ann = world.left.put("contact", &[("email", text("ann@example.org"))], "2020-01-01");
    world.run().await;
    let right = world.person("ann@example.org");
    world.left.edit("contact", &ann, "name", text("Ann"), "2025-01-01");
    world.right.edit("person", &right, "tel", text("refused"), "2025-01-01");
    world.left.character.refuses = Some("refused");
    world.run().await;
    assert_eq!(world.right.value("person", &right, "full"), text("Ann"));
    let failed = world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap();
    assert_eq!(failed.len(), 1);
    world.left.character.refuses = None;
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("refused"));
    world.assert_quiet().await;
}

/// One record of an order is too much for the remote system. The change beside it, of a record whose order to the other
/// side has failed just before, is sent again without it, in the same run.
#[tokio::test]
async fn i26_a_change_beside_the_one_that_fails_an_order_is_sent_though_the_other_side_refuses_its_part() {
    let mut world = World::new().await;
    world
        .right
        .character
        .features
        .retain(|word| ![Feature::ConditionalUpdate, Feature::IdempotentCreate].contains(word));
    world.right.character.can_find = false;
    let ann = world.left.put("contact", &[("email", text("ann@example.org"))], "2020-01-01");
    world.run().await;
    let right = world.person("ann@example.org");
    world.left.edit("contact", &ann, "name", text("Ann"), "2025-01-01");
    world.right.edit("person", &right, "tel", text("refused"), "2025-01-01");
    world.left.character.refuses = Some("refused");
    world.left.put("contact", &[("name", text("poison"))], "2025-01-01");
    world.right.character.poison = Some("poison");
    world.run().await;
    assert_eq!(world.right.value("person", &right, "full"), text("Ann"));
    world.left.character.refuses = None;
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("refused"));
}

/// Nothing guards a write to the right, which a run by window has not read. The left is written, and the pair stays held until
/// a run follows the right.
#[tokio::test]
async fn i26_what_cannot_be_checked_on_one_side_stays_held_when_the_other_side_is_written() {
    let mut world = World::new().await;
    let left = world.left.put("contact", &[("email", text("ann@example.org"))], "2020-01-01");
    world.run().await;
    let right = world.person("ann@example.org");
    world.right.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    world.right.edit("person", &right, "tel", text("new"), "2026-01-02");
    world.run_with(RunOptions { disable_pull: true, ..RunOptions::default() }).await;
    world.left.edit("contact", &left, "name", text("Ann"), "2026-02-02");
    world.run_with(World::window("2026-02-01", "2026-03-01")).await;
    assert_eq!(world.left.value("contact", &left, "phone"), text("new"));
    assert_eq!(world.right.value("person", &right, "full"), Value::Null);
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    let codes: Vec<_> = held.into_iter().map(|pair| pair.reason.map(|reason| reason.code())).collect();
    assert_eq!(codes, [Some(Code::NotCheckable)]);
    world.run().await;
    assert_eq!(world.right.value("person", &right, "full"), text("Ann"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_not_written_over() {
    for by_id in [true, false] {
        let (mut world, l, r) = crate::values::pair_of_anas().await;
        world.right.character.unreadable = Some("0000-00-00");
        world.right.character.features.remove(&Feature::ConditionalUpdate);
        if !by_id {
            world.right.character.features.remove(&Feature::ById);
        }
        world.run().await;
        world.right.edit("person", &r, "full", text("0000-00-00"), "2025-06-01");
        world.run().await;
        world.left.edit("contact", &l, "phone", text("8"), "2025-06-02");
        world.right.edit("person", &r, "tel", text("9"), "2025-06-03");
        world.run().await;
        assert_eq!(world.right.value("person", &r, "tel"), text("9"), "{by_id}");
        let mapping = world.definition.mappings[0].id;
        let status = async || {
            let pair =
                world.ledger.pairs_of(mapping, Side::Left, std::slice::from_ref(&l)).await.unwrap().remove(0);
            (pair.status, pair.reason.map(|reason| reason.code()))
        };
        assert_eq!(status().await, (Status::Held, Some(Code::Unreadable)), "{by_id}");
        // Not by an edit on the other side, nor by the operator.
        world.left.edit("contact", &l, "phone", text("7"), "2025-06-02");
        world.run_with(RunOptions::sync(Reading::Full)).await;
        let lease =
            world.ledger.acquire("r", "test", world.clock.now(), Duration::from_secs(60)).await.unwrap();
        world.ledger.retry(&lease, mapping, None).await.unwrap();
        let pair =
            world.ledger.pairs_of(mapping, Side::Left, std::slice::from_ref(&l)).await.unwrap().remove(0);
        world.ledger.retry(&lease, mapping, Some(pair.id)).await.unwrap();
        world.ledger.release(&lease).await.unwrap();
        world.run().await;
        assert_eq!(world.right.value("person", &r, "tel"), text("9"), "{by_id}");
        // As soon as it can be read, both edits count.
        world.right.edit("person", &r, "full", text("Ana"), "2025-06-04");
        world.run().await;
        assert_eq!(world.left.value("contact", &l, "phone"), text("9"), "{by_id}");
        assert_eq!(status().await, (Status::Ok, None), "{by_id}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_new_record_that_cannot_be_read_is_counted_and_comes_when_it_can() {
    let mut world = World::new().await;
    world.right.character.unreadable = Some("0000-00-00");
    let fields = [("mail", text("n@example.org")), ("full", text("0000-00-00"))];
    let r = world.right.put("person", &fields, "2020-01-01");
    world.run().await;
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(held.len(), 1, "its page has gone by");
    assert_eq!(world.left.records("contact").len(), 0);
    // Nobody tells of it again.
    world.right.character.unreadable = None;
    world.run().await;
    assert_eq!(world.left.records("contact").len(), 1, "{r}");
    world.assert_quiet().await;
}
