//! Matching: links, duplicates, proof of absence, parents.

use crate::world::{World, text};
use entente_core::Value;
use entente_sync::{
    ChangeTimes, Code, Condition, ConflictFilter, Feature, Ledger, OperatorLedger as _, Reading, Reason,
    RunOptions, Scope, Side, Sides, Status, Test,
};
use std::time::Duration;

#[tokio::test]
async fn a_first_sync_links_what_is_there_and_creates_the_rest() {
    let world = World::new().await;
    for n in 0..7 {
        world.left.put(
            "contact",
            &[("email", text(&format!("l{n}@example.org"))), ("name", text("L"))],
            "2020-01-01",
        );
        world.right.put(
            "person",
            &[("mail", text(&format!("r{n}@example.org"))), ("full", text("R"))],
            "2020-01-01",
        );
        world.left.put("contact", &[("email", text(&format!("Both{n}@Example.org")))], "2020-01-01");
        world.right.put("person", &[("mail", text(&format!("both{n}@example.org")))], "2020-01-01");
    }
    let run = world.run().await;
    assert_eq!(world.left.records("contact").len(), 21);
    assert_eq!(world.right.records("person").len(), 21);
    assert_eq!(run.counts.right["person"].matched, 7);
    assert_eq!((run.counts.left["contact"].created, run.counts.right["person"].created), (7, 7));
    world.assert_quiet().await;
    // Once the sides are known, a new record is created without a complete listing.
    world.left.put("contact", &[("email", text("later@example.org"))], "2026-02-01");
    let run = world.run().await;
    assert_eq!((run.counts.left["contact"].reported, run.counts.right["person"].created), (1, 1));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s6_a_window_by_hand_makes_no_duplicates() {
    let world = World::new().await;
    // The hub's records are dated today, the other side's 2020.
    for n in 0..5 {
        world.left.put(
            "contact",
            &[("email", text(&format!("{n}@example.org"))), ("name", text("today"))],
            "2025-12-31",
        );
        world.right.put(
            "person",
            &[("mail", text(&format!("{n}@example.org"))), ("full", text("then"))],
            "2020-01-01",
        );
    }
    world.right.put(
        "person",
        &[("mail", text("only@example.org")), ("full", text("x"))],
        "2020-01-01 12:00:00",
    );
    let run = world.run_with(World::window("2020-01-01", "2020-01-02")).await;
    assert_eq!(run.counts.right["person"].reported, 6);
    assert_eq!(world.left.records("contact").len(), 6, "{:#?}", run.counts);
    assert_eq!(world.right.records("person").len(), 6);
    assert_eq!(world.right.value("person", &world.person("3@example.org"), "full"), text("today"));
    let run = world.run().await;
    assert_eq!(run.writes(), 0, "{:#?}", run.counts);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_window_is_half_open_and_reads_nothing_else() {
    let world = World::new().await;
    for (mail, at) in [
        ("before", "2019-12-31 23:59:59.999999"),
        ("first", "2020-01-01"),
        ("last", "2020-01-01 23:59:59.999999"),
        ("after", "2020-01-02"),
    ] {
        world.left.put("contact", &[("email", text(&format!("l-{mail}@example.org")))], at);
        world.right.put("person", &[("mail", text(&format!("r-{mail}@example.org")))], at);
    }
    let run = world.run_with(World::window("2020-01-01", "2020-01-02")).await;
    assert_eq!((run.counts.left["contact"].reported, run.counts.right["person"].reported), (2, 2));
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (6, 6));
}

#[tokio::test]
async fn without_lookup_a_window_creates_nothing() {
    let mut world = World::new().await;
    world.right.character.can_find = false;
    world.left.put("contact", &[("email", text("a@example.org"))], "2020-01-01");
    let run = world.run_with(World::window("2020-01-01", "2020-01-02")).await;
    assert_eq!(world.right.records("person").len(), 0);
    assert_eq!(run.counts.left["contact"].held, 1);
    assert_eq!(run.counts.left["contact"].reasons[&Code::AbsenceNotProven].count, 1);
    // A complete listing is a proof of absence.
    world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
    // This also holds for records that are not reported again.
    world.left.put("contact", &[("email", text("b@example.org"))], "2020-01-01");
    world.run_with(World::window("2020-01-01", "2020-01-02")).await;
    assert_eq!(world.right.records("person").len(), 1);
    world.run().await;
    assert_eq!(world.right.records("person").len(), 2);
    world.assert_quiet().await;
}

#[tokio::test]
async fn s8_two_for_one_makes_one_pair_and_holds_the_newcomer() {
    let world = World::new().await;
    world.left.put("contact", &[("email", text("d@example.org"))], "2020-01-01");
    world.right.put("person", &[("mail", text("d@example.org"))], "2020-01-01");
    world.right.put("person", &[("mail", text("D@example.org "))], "2020-01-01");
    world.left.put("contact", &[("email", text("e@example.org"))], "2020-01-01");
    world.left.put("contact", &[("email", text("e@example.org"))], "2020-01-01");
    world.right.put("person", &[("mail", text("e@example.org"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!(
        (run.counts.left["contact"].held, run.counts.right["person"].held),
        (1, 1),
        "{:#?}",
        run.counts
    );
    for _ in 0..2 {
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (3, 3));
    }
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|pair| matches!(pair.reason, Some(Reason::DuplicateOf { .. }))), "{held:?}");
}

#[tokio::test]
async fn parents_go_before_their_children_and_links_are_translated() {
    let world = World::new().await;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let link = |object: &str, id: &str| Value::reference(object, id).unwrap();
    world.left.put(
        "contact",
        &[("email", text("p@example.org")), ("company", link("company", &company))],
        "2020-01-01",
    );
    let org = world.right.put("org", &[("title", text("Umbrella"))], "2020-01-01");
    world.right.put("person", &[("mail", text("q@example.org")), ("org", link("org", &org))], "2020-01-01");
    world.run().await;
    let acme = world.right.find_by("org", "title", "Acme").unwrap();
    let umbrella = world.left.find_by("company", "name", "Umbrella").unwrap();
    assert_eq!(world.right.value("person", &world.person("p@example.org"), "org"), link("org", &acme));
    assert_eq!(
        world.left.value("contact", &world.contact("q@example.org"), "company"),
        link("company", &umbrella)
    );
    world.assert_quiet().await;
    // The reference is a field like any other.
    world.left.edit(
        "contact",
        &world.contact("q@example.org"),
        "company",
        link("company", &company),
        "2025-01-01",
    );
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("q@example.org"), "org"), link("org", &acme));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s9_a_parent_outside_the_window_is_fetched_and_linked() {
    let world = World::new().await;
    let link = |object: &str, id: &str| Value::reference(object, id).unwrap();
    let known = world.left.put("company", &[("name", text("Known")), ("city", text("Bonn"))], "2010-01-01");
    let org = world.right.put("org", &[("title", text("known")), ("town", text("Köln"))], "2010-01-01");
    let new = world.left.put("company", &[("name", text("New"))], "2010-01-01");
    world.left.put(
        "contact",
        &[("email", text("k@example.org")), ("company", link("company", &known))],
        "2020-01-01",
    );
    world.left.put(
        "contact",
        &[("email", text("n@example.org")), ("company", link("company", &new))],
        "2020-01-01",
    );
    let run = world.run_with(World::window("2020-01-01", "2020-01-02")).await;
    assert_eq!(
        world.right.value("person", &world.person("k@example.org"), "org"),
        link("org", &org),
        "{:#?}",
        run.counts
    );
    // The parent is linked, and not updated otherwise.
    assert_eq!(world.right.value("org", &org, "town"), text("Köln"));
    assert_eq!(world.left.value("company", &known, "city"), text("Bonn"));
    let made = world.right.find_by("org", "title", "New").unwrap();
    assert_eq!(world.right.value("person", &world.person("n@example.org"), "org"), link("org", &made));
    assert_eq!(world.right.records("org").len(), 2);
    assert_eq!(world.right.writes().iter().filter(|write| write.starts_with("update person")).count(), 0);
}

#[tokio::test]
async fn a_link_to_a_record_that_cannot_be_had_waits() {
    let world = World::new().await;
    let gone = Value::reference("company", "L999").unwrap();
    world.left.put(
        "contact",
        &[("email", text("w@example.org")), ("name", text("W")), ("company", gone)],
        "2020-01-01",
    );
    let run = world.run().await;
    let id = world.person("w@example.org");
    assert_eq!(world.right.value("person", &id, "full"), text("W"), "{:#?}", run.counts);
    assert_eq!(world.right.value("person", &id, "org"), Value::Null);
    world.assert_quiet().await;
}

#[tokio::test]
async fn only_the_named_records_are_read() {
    let world = World::new().await;
    let a = world.left.put("contact", &[("email", text("a@example.org"))], "2020-01-01");
    world.left.put("contact", &[("email", text("b@example.org"))], "2020-01-01");
    world.right.put("person", &[("mail", text("c@example.org"))], "2020-01-01");
    let ids = Sides::new(vec![("contact".to_owned(), a)], vec![]);
    let run = world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    assert_eq!(run.counts.left["contact"].reported, 1);
    assert_eq!(world.right.records("person").len(), 2);
    assert_eq!(world.left.records("contact").len(), 2);
}

#[tokio::test]
async fn where_nothing_may_be_created_nothing_is() {
    let mut world = World::new().await;
    world.people().create = Sides::new(true, false);
    world.left.put("contact", &[("email", text("a@example.org"))], "2020-01-01");
    world.right.put("person", &[("mail", text("c@example.org"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (2, 1));
    assert_eq!(run.counts.left["contact"].excluded, 1);
    world.right.character.features.retain(|word| *word != Feature::Create);
}

#[tokio::test]
async fn s11_without_a_hub_history_origin_and_undo_are_there_all_the_same() {
    let mut world = World::new().await;
    // Neither side has change times, and neither is the hub.
    world.left.character.times = ChangeTimes::None;
    world.right.character.times = ChangeTimes::None;
    let l = world.left.put("contact", &[("email", text("n@example.org")), ("name", text("N"))], "2020-01-01");
    world.right.put("person", &[("mail", text("o@example.org"))], "2020-01-01");
    world.run().await;
    let r = world.person("n@example.org");
    world.right.edit("person", &r, "full", text("M"), "2025-01-01");
    let run = world.run().await;
    assert_eq!(world.left.value("contact", &l, "name"), text("M"));
    let pair = world
        .ledger
        .pairs_of(world.definition.mappings[0].id, Side::Left, std::slice::from_ref(&l))
        .await
        .unwrap()
        .remove(0);
    let history = world.ledger.history(pair.id, None, 10).await.unwrap();
    assert_eq!(
        (history[0].run, history[0].target, history[0].fields[0].base.clone()),
        (run.id, Side::Left, Some(text("N")))
    );
    world.left.edit("contact", &l, "name", text("L"), "2025-02-01");
    world.right.edit("person", &r, "full", text("R"), "2025-02-01");
    world.run().await;
    assert_eq!(
        world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap().len(),
        1,
        "nobody can tell which is newer"
    );
    assert_eq!(
        (world.left.value("contact", &l, "name"), world.right.value("person", &r, "full")),
        (text("L"), text("R"))
    );
}

#[tokio::test]
async fn a_record_that_would_be_outside_the_filter_of_the_other_side_is_not_made_there() {
    let mut world = World::new().await;
    let outside = Condition { field: "tel".into(), test: Test::Not(text("0")) };
    // The value of an unmapped field in a new record is unknown.
    let unmapped = Condition { field: "region".into(), test: Test::Is(text("north")) };
    // So is that of a field that flows to the left only.
    let one_way = Condition { field: "full".into(), test: Test::Blank(false) };
    world.people().fields[1].direction = entente_core::Direction::ToLeft;
    world.people().filters.right = vec![outside, unmapped, one_way];
    let left =
        world.left.put("contact", &[("email", text("a@example.org")), ("phone", text("0"))], "2020-01-01");
    world.left.put("contact", &[("email", text("b@example.org")), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    assert!(world.right.find_by("person", "mail", "a@example.org").is_none());
    assert!(world.right.find_by("person", "mail", "b@example.org").is_some());
    let excluded = world.ledger.pairs_in(Status::Excluded, None, 0, 10).await.unwrap();
    assert_eq!(excluded[0].reason, Some(Reason::WouldBeOutsideFilter { side: Side::Right }));
    world.left.edit("contact", &left, "phone", text("2"), "2026-01-02");
    world.run().await;
    assert!(world.right.find_by("person", "mail", "a@example.org").is_some());
}

#[tokio::test]
async fn a_link_that_a_new_record_had_to_do_without_comes_later() {
    let mut world = World::new().await;
    world.definition.mappings[1].create = Sides::new(false, false);
    let org = world.right.put("org", &[("title", text("Acme"))], "2020-01-01");
    let link = |object: &str, id: &str| {
        Value::Reference(entente_core::Reference { object: object.to_owned(), id: id.to_owned() })
    };
    world.right.put("person", &[("mail", text("a@example.org")), ("org", link("org", &org))], "2020-01-01");
    world.run().await;
    let left = world.contact("a@example.org");
    assert_eq!(world.left.value("contact", &left, "company"), Value::Null);
    world.definition.mappings[1].create = Sides::new(true, true);
    world.run_with(RunOptions::sync(Reading::Full)).await;
    let company = world.left.find_by("company", "name", "Acme").unwrap();
    assert_eq!(world.left.value("contact", &left, "company"), link("company", &company));
    world.assert_quiet().await;
}

/// The host wrote the new address itself, so that the report of it is an echo.
#[tokio::test]
async fn p2_an_address_that_the_sync_took_away_is_free_for_its_successor() {
    let world = World::new().await;
    let ann =
        world.left.put("contact", &[("email", text("ann@example.org")), ("name", text("Ann"))], "2020-01-01");
    world.run().await;
    world.left.put("contact", &[("email", text("ann@example.org")), ("name", text("Bea"))], "2025-01-01");
    world.left.edit("contact", &ann, "email", text(""), "2025-01-02");
    for _ in 0..3 {
        world.run().await;
    }
    assert_eq!(world.right.value("person", &world.person("ann@example.org"), "full"), text("Bea"));
    assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap(), []);
    world.assert_quiet().await;
}

/// A world whose left side is never listed as a whole, and whose search lags by a minute, with a contact on the left alone.
async fn searched(filters: Vec<Condition>) -> (World, String) {
    let mut world = World::new().await;
    world.people().filters.left = filters;
    world.left.character.features.remove(&Feature::FullListing);
    world.left.character.search_lag = Some(Duration::from_secs(60));
    world.people().create.right = false;
    let contact = world.left.put("contact", &[("email", text("ann@example.org"))], "2020-01-01");
    world.run().await;
    (world, contact)
}

/// As it is where records are listed only.
fn unread(world: &mut World) {
    let lacks = [Feature::ById, Feature::ConditionalUpdate];
    world.left.character.features.retain(|feature| !lacks.contains(feature));
}

#[tokio::test]
async fn a_run_of_named_records_waits_until_the_search_finds_what_was_made_just_before() {
    let (world, _) = searched(vec![]).await;
    world.left.hold_index();
    let contact = world.left.put("contact", &[("email", text("bea@example.org"))], "2026-01-01");
    let person = world.right.put("person", &[("mail", text("bea@example.org"))], "2026-01-01");
    let ids = Sides::new(vec![], vec![("person".to_owned(), person)]);
    world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    world.run().await;
    let contacts = world.left.records("contact");
    assert_eq!(contacts.iter().filter(|(_, of)| of.values["email"] == text("bea@example.org")).count(), 1);
    assert_eq!(world.contact("bea@example.org"), contact);
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_a_late_search_still_finds_is_another_record_by_now() {
    for (by_id, known) in [(true, true), (false, true), (true, false)] {
        // What is outside the filter is not known.
        let nobody = || Condition { field: "name".to_owned(), test: Test::Is(text("nobody")) };
        let (mut world, contact) = searched((!known).then(nobody).into_iter().collect()).await;
        if !by_id {
            unread(&mut world);
        }
        world.left.hold_index();
        world.left.edit("contact", &contact, "email", text("bea@example.org"), "2026-01-01");
        let ann = [("mail", text("ann@example.org")), ("full", text("nobody"))];
        world.right.put("person", &ann, "2026-01-01");
        world.run().await;
        assert_eq!(world.left.value("contact", &contact, "email"), text("bea@example.org"));
        let made = world.left.find_by("contact", "email", "ann@example.org");
        assert!(made.is_some(), "by id: {by_id}, known: {known}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn what_a_late_search_still_finds_may_be_gone_by_now() {
    for by_id in [true, false] {
        let (mut world, contact) = searched(vec![]).await;
        if !by_id {
            unread(&mut world);
        }
        world.left.hold_index();
        world.left.delete("contact", &contact);
        world.right.put("person", &[("mail", text("ann@example.org"))], "2026-01-01");
        world.run().await;
        assert!(world.left.find_by("contact", "email", "ann@example.org").is_some(), "by id: {by_id}");
        world.assert_quiet().await;
    }
}
