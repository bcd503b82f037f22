//! References to records that are gone, required ones, and references in cycles.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Reference, Value};
use entente_sync::{
    Condition, DeletePolicy, Feature, FieldMapping, FieldReason, Ledger as _, Pair, Prefer, Reading, Reason,
    RecordRef, RunOptions, Scope, Side, Sides, Slot, Status, Test, Trust,
};

fn reference(object: &str, id: &str) -> Value {
    Value::Reference(Reference { object: object.to_owned(), id: id.to_owned() })
}

async fn pair(world: &World, left: &str) -> Pair {
    let mapping = world.definition.mappings[0].id;
    world.ledger.pairs_of(mapping, Side::Left, &[left.to_owned()]).await.unwrap().remove(0)
}

fn gone(id: &str) -> RecordRef {
    RecordRef::new(Side::Left, "company", id)
}

#[tokio::test]
async fn p2_a_required_reference_to_what_is_gone_holds_a_new_record() {
    let mut world = World::new().await;
    world.people().fields[4].required = Sides::new(false, true);
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    world.left.delete("company", &company);
    let fields = [("email", text("a@example.org")), ("company", reference("company", &company))];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    let held = pair(&world, &l).await;
    assert_eq!(
        (held.status, held.reason),
        (Status::Held, Some(Reason::ParentGone { record: gone(&company) }))
    );
    world.assert_quiet().await;
    // Another one takes its place.
    let other = world.left.put("company", &[("name", text("Other"))], "2020-01-01");
    world.left.edit("contact", &l, "company", reference("company", &other), "2025-01-01");
    world.run().await;
    assert_eq!(pair(&world, &l).await.status, Status::Ok);
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_a_required_reference_to_what_is_gone_does_not_stop_an_update() {
    let mut world = World::new().await;
    world.people().fields[4].required = Sides::new(false, true);
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let fields = [("email", text("a@example.org")), ("company", reference("company", &company))];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    world.left.edit("contact", &l, "company", reference("company", "999"), "2025-01-01");
    world.left.edit("contact", &l, "name", text("Ada"), "2025-01-01");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("a@example.org"), "full"), text("Ada"));
    let settled = pair(&world, &l).await;
    assert_eq!(settled.status, Status::Ok);
    assert_eq!(settled.differs(Slot(4)), Some(&FieldReason::ParentGone { record: gone("999") }));
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_what_a_reading_by_id_does_not_find_is_not_waited_for() {
    let mut world = World::new().await;
    world.left.character.features.retain(|feature| *feature != Feature::FullListing);
    world.right.character.features.retain(|feature| *feature != Feature::FullListing);
    let pairs = [("contact", "email"), ("person", "mail")];
    let l = world.left.put(pairs[0].0, &[(pairs[0].1, text("a@example.org"))], "2020-01-01");
    world.right.put(pairs[1].0, &[(pairs[1].1, text("a@example.org"))], "2020-01-01");
    world.run().await;
    world.left.edit("contact", &l, "company", reference("company", "999"), "2025-01-01");
    world.run().await;
    let settled = pair(&world, &l).await;
    assert_eq!(settled.status, Status::Ok, "{:?}", settled.reason);
    assert_eq!(settled.differs(Slot(4)), Some(&FieldReason::ParentGone { record: gone("999") }));
    world.assert_quiet().await;
}

/// The boss and the one who refers to the boss are decided together, and the latter has a change of its own.
#[tokio::test]
async fn p2_a_reference_follows_a_record_that_is_made_again_in_the_same_run() {
    let mut world = World::new().await;
    world.left.set_field("contact", "boss", "reference:contact");
    world.right.set_field("person", "chief", "reference:person");
    world.people().deletes = DeletePolicy::Recreate;
    world.people().fields.push(FieldMapping {
        slot: Slot(5),
        names: Sides::new("boss".into(), "chief".into()),
        kinds: Sides::by(|_| "reference".into()),
        writable: Sides::new(true, true),
        ..FieldMapping::default()
    });
    let boss = world.left.put("contact", &[("email", text("boss@example.org"))], "2020-01-01");
    let fields = [("email", text("a@example.org")), ("boss", reference("contact", &boss))];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    world.run().await;
    world.left.delete("contact", &boss);
    world.left.edit("contact", &l, "name", text("Ada"), "2025-01-01");
    world.run().await;
    world.run().await;
    let again = world.left.find_by("contact", "email", "boss@example.org").unwrap();
    assert_ne!(again, boss);
    assert_eq!(world.left.value("contact", &l, "boss"), reference("contact", &again));
    world.assert_quiet().await;
}

/// The right keeps the name in a form of its own, so that a trust for once writes it in every run. What refers to a record
/// that is gone does not keep the trust for ever.
#[tokio::test]
async fn p2_a_trust_for_once_does_not_wait_for_a_record_that_is_gone() {
    let mut world = World::new().await;
    world.right.character.normalise = |name, value| match value {
        Value::Text(text) if name == "full" => Value::Text(text.trim().to_owned()),
        value => value,
    };
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    world.run().await;
    world.right.delete("org", &world.right.find_by("org", "title", "Acme").unwrap());
    let fields = [
        ("email", text("a@example.org")),
        ("name", text("Ada ")),
        ("company", reference("company", &company)),
    ];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    let trust = Some(Trust { side: Side::Left, fields: vec![] });
    world.run_with(RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    let settled = pair(&world, &l).await;
    assert_eq!(
        (settled.status, settled.reason.clone()),
        (Status::Ok, Some(Reason::ParentGone { record: gone(&company) }))
    );
    assert_eq!(settled.differs(Slot(4)), Some(&FieldReason::ParentGone { record: gone(&company) }));
    assert_eq!(world.ledger.trust("s").await.unwrap(), None);
    world.assert_quiet().await;
}

/// The remote system does not say what refers to the record that it has merged away.
#[tokio::test]
async fn p2_a_reference_follows_a_record_that_was_merged_into_a_new_one() {
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
    let boss = world.left.put("contact", &[("email", text("boss@example.org"))], "2020-01-01");
    let fields = [("email", text("a@example.org")), ("boss", reference("contact", &boss))];
    world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    world.run().await;
    let person = world.person("a@example.org");
    let before = world.person("boss@example.org");
    assert_eq!(world.right.value("person", &person, "chief"), reference("person", &before));
    let after = world.right.put("person", &[("mail", text("chief@example.org"))], "2026-01-02");
    world.right.merge("person", &before, &after);
    world.run().await;
    world.run().await;
    assert_eq!(world.right.value("person", &person, "chief"), reference("person", &after));
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_a_record_that_has_nothing_but_a_reference_to_what_takes_no_part_waits_for_nothing() {
    let world = World::new().await;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let run = world.run().await;
    world.undo(run.id, 1).await;
    let l = world.left.put("contact", &[("company", reference("company", &company))], "2025-01-01");
    world.run().await;
    let held = pair(&world, &l).await;
    assert_eq!(
        (held.status, held.reason),
        (Status::Held, Some(Reason::ParentGone { record: gone(&company) }))
    );
    world.left.edit("contact", &l, "name", text("Ann"), "2025-01-02");
    world.run().await;
    assert!(world.right.find_by("person", "full", "Ann").is_some());
    world.assert_quiet().await;
}

/// The parent is of the same object, has the same address, and is preferred.
#[tokio::test]
async fn p2_a_parent_that_takes_the_place_of_its_child_is_decided_in_its_place() {
    let mut world = World::new().await;
    world.left.set_field("contact", "boss", "reference:contact");
    world.right.set_field("person", "chief", "reference:person");
    world.people().prefer = Sides::new(vec![Prefer::LowestId], vec![]);
    world.people().fields.push(FieldMapping {
        slot: Slot(5),
        names: Sides::new("boss".into(), "chief".into()),
        kinds: Sides::by(|_| "reference".into()),
        writable: Sides::new(true, true),
        ..FieldMapping::default()
    });
    let boss = world.left.put("contact", &[("email", text("a@example.org"))], "2020-01-01");
    let fields = [("email", text("a@example.org")), ("boss", reference("contact", &boss))];
    let child = world.left.put("contact", &fields, "2020-01-01");
    let ids = Sides::new(vec![("contact".to_owned(), child.clone())], vec![]);
    world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    assert_eq!(pair(&world, &boss).await.status, Status::Ok);
    assert_eq!(pair(&world, &child).await.status, Status::Held);
    world.assert_quiet().await;
}

/// The answer to an order is lost that left out a reference whose parent waits, and found out in the same run; then the
/// other side is written. The reference is still to be carried.
#[tokio::test]
async fn i1_a_reference_that_waits_is_carried_after_an_order_whose_answer_was_found_out() {
    let mut world = World::new().await;
    let values = [("email", text("ann@example.org")), ("name", text("Ann")), ("phone", text("1"))];
    let ann = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    let made = world.person("ann@example.org");
    let org = world.right.put("org", &[("title", text("refused"))], "2020-01-01");
    let org = Value::Reference(Reference { object: "org".to_owned(), id: org });
    world.right.edit("person", &made, "org", org, "2026-01-02");
    world.right.edit("person", &made, "tel", text("2"), "2026-01-02");
    world.left.edit("contact", &ann, "name", text("Anna"), "2026-01-02");
    world.left.character.refuses = Some("refused");
    world.left.fault("execute", 2, Fault::LostByTrap);
    world.run().await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("2"));
    world.left.character.refuses = None;
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(86_400));
        world.run().await;
    }
    assert!(!world.left.value("contact", &ann, "company").is_blank());
    assert_eq!(world.right.value("person", &made, "full"), text("Anna"));
    world.assert_quiet().await;
}

/// A new record must refer to one that waits for the operator, and also refers to one that is gone: what it waits for is
/// the first one.
#[tokio::test]
async fn i26_a_record_waits_for_what_it_must_refer_to_and_not_for_what_is_gone() {
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
    world.people().fields[4].required = Sides::new(false, true);
    world.definition.mappings[1].deletes = DeletePolicy::Delete;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let boss = world.left.put("contact", &[("email", text("b@example.org"))], "2020-01-01");
    world.run().await;
    // Deleted here and edited there.
    world.right.delete("org", &world.right.find_by("org", "title", "Acme").unwrap());
    world.left.edit("company", &company, "city", text("Rome"), "2025-01-01");
    world.left.delete("contact", &boss);
    let fields = [
        ("email", text("a@example.org")),
        ("company", reference("company", &company)),
        ("boss", reference("contact", &boss)),
    ];
    let contact = world.left.put("contact", &fields, "2025-01-01");
    world.run().await;
    let waits = pair(&world, &contact).await;
    assert_eq!(waits.reason, Some(Reason::WaitsFor { record: Some(gone(&company)) }), "{:?}", waits.status);
}

/// A record is linked with one that takes no part, and a preferred one of the same address takes its place. What referred
/// to the first one on this side, and to their counterpart on the other, refers to the preferred one.
#[tokio::test]
async fn i1_a_reference_follows_where_a_preferred_record_takes_the_place_of_another_one() {
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
    let with = |field: &str, part: &str| Condition { field: field.into(), test: Test::Contains(part.into()) };
    world.people().filters = Sides::new(vec![], vec![with("tel", "inside")]);
    world.people().prefer = Sides::new(vec![Prefer::Where(with("name", "preferred"))], vec![]);
    let chief = world.right.put("person", &[("mail", text("a@example.org"))], "2020-01-01");
    let address = || ("email", text("a@example.org"));
    let boss = world.left.put("contact", &[address()], "2020-01-01");
    let fields =
        [("phone", text("inside")), ("email", text("b@example.org")), ("boss", reference("contact", &boss))];
    let contact = world.left.put("contact", &fields, "2020-01-01");
    for id in [&boss, &contact] {
        let ids = Sides::new(vec![("contact".to_owned(), id.clone())], vec![]);
        world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    }
    let person = world.person("b@example.org");
    assert_eq!(world.right.value("person", &person, "chief"), reference("person", &chief));
    let preferred = world.left.put("contact", &[address(), ("name", text("preferred"))], "2026-01-02");
    world.run().await;
    assert_eq!(pair(&world, &boss).await.status, Status::Held);
    assert_eq!(pair(&world, &preferred).await.halves.right.id, Some(chief));
    assert_eq!(world.left.value("contact", &contact, "boss"), reference("contact", &preferred));
    world.assert_quiet().await;
}
