//! Undo acts on what stands in the two systems: what could not be read by id, was never answered, or is still to be
//! carried to a side.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Direction, Reference, Value};
use entente_sync::*;

fn tags(texts: &[&str]) -> Value {
    Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// Contacts that a run has made on the right.
async fn made(world: &World, names: &[&str]) -> (Run, Vec<String>) {
    for name in names {
        let mail = text(&format!("{name}@example.org"));
        let values = [("email", mail), ("name", text(name)), ("phone", text("1"))];
        world.left.put("contact", &values, "2020-01-01");
    }
    let run = world.run().await;
    let people = names.iter().map(|name| world.person(&format!("{name}@example.org"))).collect();
    world.right.writes();
    (run, people)
}

async fn left_out(world: &World, run: &Run) -> Vec<Kept> {
    let changes = world.ledger.changes_in(run.id, ChangeStatus::Withheld, 0, 10).await.unwrap();
    let kept = |change: Change| match change.reason {
        Some(Reason::NotUndone(kept)) => kept,
        other => panic!("{other:?}"),
    };
    changes.into_iter().map(kept).collect()
}

#[tokio::test]
async fn an_undo_hears_first_of_edits_that_cannot_be_read_by_id() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    let (run, people) = made(&world, &["ann"]).await;
    world.right.edit("person", &people[0], "tel", text("9"), "2026-01-01");
    let undone = world.undo(run.id, 1).await;
    assert_eq!(left_out(&world, &undone).await, [Kept::FieldEdited { field: "tel".to_owned() }]);
    assert_eq!(world.right.writes(), Vec::<String>::new());
    world.run().await;
    assert_eq!(world.left.value("contact", &world.contact("ann@example.org"), "phone"), text("9"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_update_that_was_found_out_to_be_executed_is_history_and_can_be_undone() {
    for by_id in [true, false] {
        let mut world = World::new().await;
        world.right.character.features.retain(|word| by_id || *word != Feature::ById);
        let (_, people) = made(&world, &["ann"]).await;
        let contact = world.contact("ann@example.org");
        world.left.edit("contact", &contact, "name", text("Anna"), "2026-01-01");
        world.right.fault("execute", 1, Fault::Lost);
        let run = world.try_run(RunOptions::default()).await.unwrap().run;
        world.run().await;
        world.run().await;
        assert_eq!(world.right.value("person", &people[0], "full"), text("Anna"));
        let done = ChangeFilter::of(ChangeStatus::Done);
        let changes = world.ledger.changes_of_run(run.id, &done, 0, 10).await.unwrap();
        assert_eq!((changes.len(), changes[0].reason.clone()), (1, Some(Reason::FoundOut)), "by id: {by_id}");
        world.undo(run.id, 0).await;
        assert_eq!(world.right.value("person", &people[0], "full"), text("ann"));
        assert_eq!(world.left.value("contact", &contact, "name"), text("Anna"));
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn what_a_report_shows_to_be_executed_is_history_also_where_its_run_decides_nothing() {
    let mut world = World::new().await;
    world.left.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.right.edit("person", &people[0], "labels", tags(&["a"]), "2026-01-01");
    let run = world.run().await;
    world.left.fault("execute", 1, Fault::NoAnswers { executed: true });
    let undone = world.run_with(RunKind::Undo { run: run.id, deletes_agreed: 0 }.into()).await;
    assert!(world.left.value("contact", &contact, "tags").is_blank());
    // The left is read, and nothing is decided.
    world.right.fault("report", 1, Fault::Fails(ExchangeError::new("trap", "fell over")));
    assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
    world.left.edit("contact", &contact, "tags", tags(&["b"]), "2026-01-02");
    world.run().await;
    assert_eq!(world.left.value("contact", &contact, "tags"), tags(&["b"]));
    assert_eq!(world.right.value("person", &people[0], "labels"), tags(&["a", "b"]));
    let done = ChangeFilter::of(ChangeStatus::Done);
    let changes = world.ledger.changes_of_run(undone.id, &done, 0, 10).await.unwrap();
    assert_eq!(changes.first().and_then(|change| change.reason.clone()), Some(Reason::FoundOut));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_keeps_a_record_whose_edit_an_update_without_an_answer_has_replaced() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    world.people().fields[1].trust = Some(Side::Left);
    let (run, people) = made(&world, &["ann"]).await;
    world.right.edit("person", &people[0], "full", text("Anna"), "2026-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    let later = world.run().await;
    assert_eq!(world.right.value("person", &people[0], "full"), text("ann"));
    let undone = world.undo(run.id, 0).await;
    assert_eq!(left_out(&world, &undone).await, [Kept::ChangedBy { run: later.id }]);
    assert_eq!(world.right.value("person", &people[0], "full"), text("ann"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_that_was_sent_twice_does_not_come_back_to_the_other_side() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::ById);
    let (_, people) = made(&world, &["ann", "ben"]).await;
    let contacts = ["ann@example.org", "ben@example.org"].map(|mail| world.contact(mail));
    for contact in &contacts {
        world.left.edit("contact", contact, "phone", text("2"), "2026-01-01");
    }
    let run = world.run().await;
    world.right.fault("execute", 1, Fault::LostByTrap);
    world.undo(run.id, 0).await;
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(86_400));
        world.run().await;
    }
    for (contact, person) in contacts.iter().zip(&people) {
        let phones =
            (world.left.value("contact", contact, "phone"), world.right.value("person", person, "tel"));
        assert_eq!(phones, (text("2"), text("1")));
    }
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_keeps_a_record_whose_edit_was_settled_without_a_change() {
    let mut world = World::new().await;
    world.people().fields[2].direction = Direction::ToRight;
    let (run, people) = made(&world, &["ann"]).await;
    world.right.edit("person", &people[0], "tel", text("9"), "2026-01-01");
    world.run().await;
    let undone = world.undo(run.id, 1).await;
    assert_eq!(left_out(&world, &undone).await, [Kept::FieldEdited { field: "tel".to_owned() }]);
    assert_eq!(world.right.value("person", &people[0], "tel"), text("9"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_of_a_set_leaves_what_is_still_to_be_carried() {
    let world = World::new().await;
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.left.edit("contact", &contact, "tags", tags(&["left"]), "2026-01-01");
    world.right.edit("person", &people[0], "labels", tags(&["right"]), "2026-01-01");
    let run = world.run_with(RunOptions { disable_push: true, ..RunOptions::default() }).await;
    assert_eq!(world.left.value("contact", &contact, "tags"), tags(&["left", "right"]));
    world.undo(run.id, 0).await;
    assert_eq!(world.left.value("contact", &contact, "tags"), tags(&["left"]));
    world.run().await;
    assert_eq!(world.right.value("person", &people[0], "labels"), tags(&["right", "left"]));
    assert_eq!(
        world.left.value("contact", &contact, "tags"),
        tags(&["left"]),
        "what was undone stays undone"
    );
    world.assert_quiet().await;
}

async fn pair(world: &World, left: &str) -> Pair {
    let mapping = world.definition.mappings[0].id;
    world.ledger.pairs_of(mapping, Side::Left, &[left.to_owned()]).await.unwrap().remove(0)
}

#[tokio::test]
async fn k5_what_an_undo_has_put_back_differs_for_that_reason() {
    let world = World::new().await;
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.left.edit("contact", &contact, "name", text("Anna"), "2026-01-01");
    world.left.edit("contact", &contact, "tags", tags(&["a"]), "2026-01-01");
    let run = world.run().await;
    world.undo(run.id, 0).await;
    let undone = Some(FieldReason::UndoOf { run: run.id });
    let reasons = |now: &Pair| [1, 3].map(|slot| now.differs(Slot(slot)).cloned());
    assert_eq!(reasons(&pair(&world, &contact).await), [undone.clone(), undone.clone()]);
    world.assert_quiet().await;
    let now = pair(&world, &contact).await;
    assert_eq!(reasons(&now), [undone.clone(), undone.clone()]);
    assert_eq!((now.status, now.differing.len()), (Status::Ok, 2));
    // What is written to a set leaves alone what the undo took off.
    world.right.edit("person", &people[0], "labels", tags(&["b"]), "2026-01-02");
    world.run().await;
    let sets =
        (world.left.value("contact", &contact, "tags"), world.right.value("person", &people[0], "labels"));
    assert_eq!(sets, (tags(&["a", "b"]), tags(&["b"])));
    assert_eq!(pair(&world, &contact).await.differs(Slot(3)).cloned(), undone);
    world.assert_quiet().await;
    // What is edited later is carried, and no longer differs.
    world.left.edit("contact", &contact, "name", text("Anne"), "2026-01-03");
    world.run().await;
    assert_eq!(world.right.value("person", &people[0], "full"), text("Anne"));
    assert_eq!(pair(&world, &contact).await.differs(Slot(1)), None);
}

#[tokio::test]
async fn an_undo_leaves_a_record_outside_the_filter() {
    let mut world = World::new().await;
    world.people().filters.left = vec![Condition { field: "phone".to_owned(), test: Test::Not(text("9")) }];
    let (create, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.left.edit("contact", &contact, "name", text("Anna"), "2026-01-01");
    let run = world.run().await;
    world.left.edit("contact", &contact, "phone", text("9"), "2026-01-02");
    world.right.writes();
    for run in [run, create] {
        let undone = world.undo(run.id, 0).await;
        assert_eq!(left_out(&world, &undone).await, [Kept::OutsideFilter { side: Side::Left }]);
    }
    assert_eq!(world.right.writes(), Vec::<String>::new());
    assert_eq!(world.right.value("person", &people[0], "full"), text("Anna"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_leaves_no_required_field_blank() {
    let mut world = World::new().await;
    world.people().fields[2].required = Sides::new(false, true);
    let values = |mail, name| [(mail, text("ann@example.org")), (name, text("ann"))];
    let contact = world.left.put("contact", &values("email", "name"), "2020-01-01");
    let person = world.right.put("person", &values("mail", "full"), "2020-01-01");
    world.run().await;
    world.left.edit("contact", &contact, "phone", text("2"), "2026-01-01");
    let run = world.run().await;
    let undone = world.undo(run.id, 0).await;
    assert_eq!(left_out(&world, &undone).await, [Kept::Required { side: Side::Right }]);
    assert_eq!(world.right.value("person", &person, "tel"), text("2"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_undo_makes_no_record_without_a_reference_that_is_required() {
    let mut world = World::new().await;
    world.people().fields[4].required = Sides::new(false, true);
    world.people().deletes = DeletePolicy::Delete;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let acme = Value::Reference(Reference { object: "company".to_owned(), id: company });
    let values = [("email", text("ann@example.org")), ("company", acme)];
    let contact = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    world.left.delete("contact", &contact);
    let run = world.run().await;
    world.right.delete("org", &world.right.find_by("org", "title", "Acme").unwrap());
    world.run().await;
    let undone = world.undo(run.id, 0).await;
    assert_eq!(left_out(&world, &undone).await, [Kept::NotKnown]);
    assert_eq!(world.right.find_by("person", "mail", "ann@example.org"), None);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_deletion_by_an_undo_that_was_never_answered_is_none_by_a_person() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let (run, _) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.right.fault("execute", 1, Fault::Lost);
    world.try_run(RunKind::Undo { run: run.id, deletes_agreed: 1 }.into()).await.unwrap();
    assert_eq!(world.right.find_by("person", "mail", "ann@example.org"), None);
    for _ in 0..2 {
        world.clock.advance(std::time::Duration::from_secs(86_400));
        world.run().await;
    }
    assert_eq!(world.left.find_by("contact", "email", "ann@example.org"), Some(contact.clone()));
    let now = pair(&world, &contact).await;
    assert_eq!((now.status, now.reason), (Status::Excluded, Some(Reason::Undone)));
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_a_deletion_by_an_undo_that_was_given_up_is_none_by_a_person() {
    for (fault, name) in [
        (Fault::NoAnswers { executed: true }, "unknown"),
        (Fault::LostByTrap, "failed"),
        (Fault::StopsInError { after: 1 }, "put off when it was sent again"),
    ] {
        let mut world = World::new().await;
        world.right.character.features.remove(&Feature::ById);
        world.people().deletes = DeletePolicy::Delete;
        let (run, _) = made(&world, &["ann"]).await;
        let contact = world.contact("ann@example.org");
        world.right.fault("execute", 1, fault);
        world.right.fault("execute", 2, Fault::PutsOff);
        world.try_run(RunKind::Undo { run: run.id, deletes_agreed: 1 }.into()).await.unwrap();
        assert_eq!(world.right.find_by("person", "mail", "ann@example.org"), None, "{name}");
        for _ in 0..2 {
            world.clock.advance(std::time::Duration::from_secs(86_400));
            world.run().await;
        }
        assert_eq!(
            world.left.find_by("contact", "email", "ann@example.org"),
            Some(contact.clone()),
            "nothing is deleted for a record that an undo has deleted: {name}"
        );
        let now = pair(&world, &contact).await;
        assert_eq!((now.status, now.reason), (Status::Excluded, Some(Reason::Undone)), "{name}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn p2_references_follow_a_record_that_an_undo_has_made_again() {
    let mut world = World::new().await;
    world.definition.mappings[1].deletes = DeletePolicy::Delete;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let acme = Value::Reference(Reference { object: "company".to_owned(), id: company.clone() });
    let values = [("email", text("ann@example.org")), ("company", acme)];
    world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    world.left.delete("company", &company);
    let run = world.run().await;
    assert_eq!(world.right.find_by("org", "title", "Acme"), None);
    world.undo(run.id, 0).await;
    let org = world.right.find_by("org", "title", "Acme").unwrap();
    world.run().await;
    let refers = Value::Reference(Reference { object: "org".to_owned(), id: org });
    assert_eq!(world.right.value("person", &world.person("ann@example.org"), "org"), refers);
    world.assert_quiet().await;
}

/// A world with references from contacts to contacts, which are written once both are there.
async fn with_bosses() -> World {
    let mut world = World::new().await;
    world.left.set_field("contact", "boss", "reference:contact");
    world.right.set_field("person", "chief", "reference:person");
    world.people().fields.push(FieldMapping {
        slot: Slot(5),
        names: Sides::new("boss".into(), "chief".into()),
        kinds: Sides::by(|_| "reference".into()),
        writable: Sides::new(true, true),
        ..FieldMapping::default()
    });
    world
}

fn refers(object: &str, id: &str) -> Value {
    Value::Reference(Reference { object: object.to_owned(), id: id.to_owned() })
}

#[tokio::test]
async fn p2_an_undo_that_gets_the_answer_to_a_create_of_an_earlier_run_does_not_settle_it_as_its_own() {
    let mut world = with_bosses().await;
    world.right.character.order = 1;
    let first = world.run().await;
    let boss = world.left.put("contact", &[("email", text("z@example.org"))], "2020-01-01");
    let fields = [("email", text("a@example.org")), ("boss", refers("contact", &boss))];
    let contact = world.left.put("contact", &fields, "2020-01-01");
    world.left.edit("contact", &boss, "boss", refers("contact", &contact), "2020-01-01");
    world.right.fault("execute", 1, Fault::Lost);
    world.try_run(RunOptions::default()).await.unwrap();
    // The undo finds out what became of the create.
    world.try_run(RunKind::Undo { run: first.id, deletes_agreed: 0 }.into()).await.unwrap();
    for _ in 0..2 {
        world.clock.advance(std::time::Duration::from_secs(86_400));
        world.run().await;
    }
    let [chief, person] = ["z@example.org", "a@example.org"].map(|mail| world.person(mail));
    assert_eq!(world.right.value("person", &chief, "chief"), refers("person", &person));
    assert_eq!(world.right.value("person", &person, "chief"), refers("person", &chief));
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_an_undo_puts_back_all_that_a_run_wrote_to_a_record_in_several_orders() {
    let mut world = with_bosses().await;
    world.right.character.order = 5;
    let person = world.right.put("person", &[("mail", text("a@example.org"))], "2020-01-01");
    let boss = world.left.put("contact", &[("email", text("z@example.org"))], "2020-01-01");
    let fields = [
        ("email", text("a@example.org")),
        ("name", text("Ada")),
        ("phone", text("1")),
        ("boss", refers("contact", &boss)),
    ];
    world.left.put("contact", &fields, "2020-01-01");
    let run = world.run().await;
    assert_eq!(world.right.value("person", &person, "full"), text("Ada"));
    assert_eq!(
        world.right.value("person", &person, "chief"),
        refers("person", &world.person("z@example.org"))
    );
    world.undo(run.id, 1).await;
    for field in ["full", "tel", "chief"] {
        assert!(world.right.value("person", &person, field).is_blank(), "{field}");
    }
    world.assert_quiet().await;
}

async fn history(world: &World, run: &Run) -> Vec<(ChangeStatus, Option<Reason>)> {
    let changes = world.ledger.changes_of_run(run.id, &ChangeFilter::default(), 0, 10).await.unwrap();
    changes.into_iter().map(|change| (change.status, change.reason)).collect()
}

#[tokio::test]
async fn p2_what_an_undo_wrote_without_an_answer_is_history_and_differs_for_that_reason() {
    for by_id in [true, false] {
        let mut world = World::new().await;
        world.right.character.features.retain(|word| by_id || *word != Feature::ById);
        let company = |name: &str| world.left.put("company", &[("name", text(name))], "2020-01-01");
        let [acme, beta] = ["Acme", "Beta"].map(company);
        let (first, people) = made(&world, &["ann"]).await;
        let contact = world.contact("ann@example.org");
        world.left.edit("contact", &contact, "company", refers("company", &acme), "2026-01-01");
        world.run().await;
        world.left.edit("contact", &contact, "company", refers("company", &beta), "2026-01-02");
        world.left.edit("contact", &contact, "name", text("Anna"), "2026-01-02");
        world.left.edit("contact", &contact, "tags", tags(&["a"]), "2026-01-02");
        let run = world.run().await;
        world.right.fault("execute", 1, Fault::Lost);
        let undone =
            world.try_run(RunKind::Undo { run: run.id, deletes_agreed: 0 }.into()).await.unwrap().run;
        // It is read by a run that decides nothing, and decided by a dry one.
        world.run_with(RunKind::Undo { run: first.id, deletes_agreed: 99 }.into()).await;
        world.run_with(RunOptions::plan(Scope::default())).await;
        for _ in 0..2 {
            world.clock.advance(std::time::Duration::from_secs(86_400));
            world.run().await;
        }
        let org = world.right.find_by("org", "title", "Acme").unwrap();
        let now = ["full", "labels", "org"].map(|field| world.right.value("person", &people[0], field));
        assert_eq!(now, [text("ann"), Value::Null, refers("org", &org)], "by id: {by_id}");
        let reason = Some(FieldReason::UndoOf { run: run.id });
        let pair = pair(&world, &contact).await;
        assert_eq!([1, 3].map(|slot| pair.differs(Slot(slot)).cloned()), [reason.clone(), reason], "{by_id}");
        assert_eq!(history(&world, &undone).await, [(ChangeStatus::Done, Some(Reason::FoundOut))], "{by_id}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn p2_an_undo_whose_order_fails_decides_nothing_else() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    made(&world, &["ann", "ben", "cid"]).await;
    for name in ["ann", "ben"] {
        let contact = world.contact(&format!("{name}@example.org"));
        world.left.edit("contact", &contact, "phone", text("2"), "2026-01-01");
    }
    let run = world.run().await;
    world.left.delete("contact", &world.contact("ann@example.org"));
    let trap = ExchangeError::new(codes::TRAP, "the plugin fell over");
    world.right.fault("execute", 1, Fault::Fails(trap));
    world.right.writes();
    world.try_run(RunKind::Undo { run: run.id, deletes_agreed: 0 }.into()).await.unwrap();
    let deletes = world.right.writes().into_iter().filter(|write| write.starts_with("delete")).count();
    assert_eq!(deletes, 0, "what was deleted on the left is no matter of an undo");
    world.run().await;
    assert_eq!(world.right.find_by("person", "mail", "ann@example.org"), None);
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_an_undo_keeps_what_a_record_refers_to_that_it_keeps() {
    let world = with_bosses().await;
    let cid = world.left.put("contact", &[("email", text("c@example.org"))], "2020-01-01");
    world.run().await;
    let beta = world.left.put("company", &[("name", text("Beta"))], "2020-01-01");
    let fields = [("email", text("a@example.org")), ("company", refers("company", &beta))];
    let ann = world.left.put("contact", &fields, "2020-01-01");
    let run = world.run().await;
    world.left.edit("contact", &cid, "boss", refers("contact", &ann), "2026-01-01");
    world.run().await;
    // Cid refers to Ann, who refers to Beta.
    let undone = world.undo(run.id, 0).await;
    assert_eq!(undone.notices, [], "no delete is left to agree to");
    let org = world.right.find_by("org", "title", "Beta").unwrap();
    assert_eq!(world.right.value("person", &world.person("a@example.org"), "org"), refers("org", &org));
    world.assert_quiet().await;
}

/// The order of an undo is executed and never answered, and a person edits one of its fields before that is found out: it
/// was carried out all the same, and the history says so.
#[tokio::test]
async fn i1_an_undo_without_an_answer_is_in_the_history_though_one_of_its_fields_was_edited_since() {
    let world = World::new().await;
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.left.edit("contact", &contact, "name", text("Ann of the left"), "2026-01-01");
    world.left.edit("contact", &contact, "tags", tags(&["left"]), "2026-01-01");
    let run = world.run().await;
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    let undone = world.undo(run.id, 0).await;
    world.right.edit("person", &people[0], "full", text("typed since"), "2026-01-03");
    world.run().await;
    let done = ChangeFilter::of(ChangeStatus::Done);
    let changes = world.ledger.changes_of_run(undone.id, &done, 0, 10).await.unwrap();
    let slots: Vec<Slot> = changes.iter().flat_map(|change| &change.fields).map(|field| field.slot).collect();
    assert_eq!(slots, [Slot(1), Slot(3)]);
    assert_eq!(world.left.value("contact", &contact, "name"), text("typed since"));
    assert_eq!(world.left.value("contact", &contact, "tags"), tags(&["left"]));
    assert!(world.right.value("person", &people[0], "labels").is_blank());
    world.assert_quiet().await;
}

/// A tag is taken off on both sides while another one is put on, which is carried: neither side has it any more, and putting
/// it on again is an edit.
#[tokio::test]
async fn i1_a_tag_that_was_taken_off_on_both_sides_can_be_put_on_again() {
    let world = World::new().await;
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    let labels = || world.right.value("person", &people[0], "labels");
    world.left.edit("contact", &contact, "tags", tags(&["news"]), "2026-01-01");
    world.run().await;
    assert_eq!(labels(), tags(&["news"]));
    world.left.edit("contact", &contact, "tags", tags(&[]), "2026-01-02");
    world.right.edit("person", &people[0], "labels", tags(&["vip"]), "2026-01-02");
    world.run().await;
    assert_eq!(world.left.value("contact", &contact, "tags"), tags(&["vip"]));
    world.left.edit("contact", &contact, "tags", tags(&["vip", "news"]), "2026-01-03");
    world.run().await;
    assert_eq!(labels(), tags(&["vip", "news"]));
    world.assert_quiet().await;
}

/// An undo writes to both sides, and one of them does not answer. Before that is found out, the undo is undone, which writes
/// to the other side only.
#[tokio::test]
async fn i1_an_undo_of_an_undo_forgets_no_order_to_the_other_side_without_an_answer() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.left.edit("contact", &contact, "phone", text("2"), "2026-01-01");
    world.right.edit("person", &people[0], "full", text("Anna"), "2026-01-01");
    let run = world.run().await;
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    let undone = world.undo(run.id, 0).await;
    world.undo(undone.id, 0).await;
    world.run().await;
    let done = ChangeFilter { target: Some(Side::Right), ..ChangeFilter::of(ChangeStatus::Done) };
    assert_eq!(world.ledger.changes_of_run(undone.id, &done, 0, 10).await.unwrap().len(), 1);
    world.assert_quiet().await;
}

/// An undo writes several fields and gets no answer, and a person gives one of them back what it had before the undo.
/// The others still say that it was executed.
#[tokio::test]
async fn i1_an_undo_without_an_answer_is_in_the_history_though_one_of_its_fields_was_put_back() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    let fields = [("email", text("a@example.org")), ("name", text("Ann")), ("phone", text("1"))];
    let left = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    let right = world.person("a@example.org");
    world.left.edit("contact", &left, "name", text("Anna"), "2025-01-01");
    world.left.edit("contact", &left, "phone", text("2"), "2025-01-01");
    let run = world.run().await;
    world.right.fault("execute", 1, Fault::LostByTrap);
    let undone = world.run_with(RunKind::Undo { run: run.id, deletes_agreed: 0 }.into()).await;
    assert_eq!(world.right.value("person", &right, "full"), text("Ann"));
    world.right.edit("person", &right, "tel", text("2"), "2026-01-02");
    world.clock.advance(std::time::Duration::from_secs(86_400));
    world.run().await;
    let changes = history(&world, &undone).await;
    assert_eq!(changes, [(ChangeStatus::Done, Some(Reason::FoundOut))]);
    world.assert_quiet().await;
}

/// A person merges a record that a run made into another one of that run, and the run is undone. That the record is gone
/// which it was merged into is no deletion by a person, also when the remote system tells the merge once more.
#[tokio::test]
async fn i28_nothing_is_deleted_on_the_other_side_because_an_undo_deleted_the_winner_of_a_merge() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    world.definition.brake.records = 1000;
    let (run, people) = made(&world, &["ann", "bea"]).await;
    world.right.merge("person", &people[0], &people[1]);
    world.run().await;
    world.undo(run.id, 1).await;
    assert_eq!(world.right.records("person").len(), 0);
    for _ in 0..2 {
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!(world.left.records("contact").len(), 2);
    }
    world.assert_quiet().await;
}

/// An order is carried out, its answer is lost, and when it is sent again the record is locked for now: that says nothing
/// about the first time.
#[tokio::test]
async fn i4_an_update_that_is_put_off_when_it_is_sent_again_may_have_been_carried_out_before() {
    let world = World::new().await;
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.left.edit("contact", &contact, "tags", tags(&["left"]), "2026-01-01");
    world.right.fault("execute", 1, Fault::StopsInError { after: 1 });
    world.right.fault("execute", 2, Fault::PutsOff);
    let run = world.run().await;
    assert_eq!(world.right.value("person", &people[0], "labels"), tags(&["left"]));
    world.right.edit("person", &people[0], "tel", text("1"), "2026-01-02");
    world.clock.advance(std::time::Duration::from_secs(86_400));
    world.run().await;
    let put_off = history(&world, &run).await;
    assert_eq!(put_off, [(ChangeStatus::Done, Some(Reason::FoundOut))]);
    world.assert_quiet().await;
}

/// A tag that an undo has taken off is on the other side still, and the reason says so, whatever is written to that side since.
#[tokio::test]
async fn i26_a_set_that_an_undo_left_different_keeps_its_reason_through_a_write_without_an_answer() {
    let world = World::new().await;
    let (_, people) = made(&world, &["ann"]).await;
    let contact = world.contact("ann@example.org");
    world.right.edit("person", &people[0], "labels", tags(&["a"]), "2026-01-01");
    let run = world.run().await;
    world.undo(run.id, 0).await;
    world.left.edit("contact", &contact, "tags", tags(&["b"]), "2026-01-02");
    // Carried out, and never answered; the next run reads what is there.
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    world.run().await;
    assert_eq!(world.right.value("person", &people[0], "labels"), tags(&["a", "b"]));
    assert_eq!(world.left.value("contact", &contact, "tags"), tags(&["b"]));
    let pairs = world.all_pairs().await;
    let reasons: Vec<&str> =
        pairs.iter().flat_map(|pair| &pair.differing).map(|(_, reason)| reason.code()).collect();
    assert_eq!(reasons, ["undo-of"]);
    world.assert_quiet().await;
}
