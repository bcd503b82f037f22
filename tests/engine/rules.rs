//! Constants, defaults and value maps.

use crate::values::pair_of_anas;
use crate::world::{World, text};
use entente_core::{Direction, Value, Why, WriteRule};
use entente_sync::{
    Choice, Clock as _, ConflictFilter, FieldMapping, FieldReason, FieldTerms, Ledger as _,
    OperatorLedger as _, Reading, RunOptions, Scope, Side, Sides, Slot, Status, Trust,
};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

/// The field source of the left has a constant.
async fn with_constant() -> World {
    let mut world = World::new().await;
    world.left.set_field("contact", "source", "text");
    let constant = FieldMapping {
        slot: Slot(5),
        names: Sides::new("source".into(), "=source".into()),
        kinds: Sides::by(|_| "text".into()),
        direction: Direction::ToLeft,
        writable: Sides::new(true, true),
        constant: Some(text("crm")),
        ..FieldMapping::default()
    };
    world.people().fields.push(constant);
    world
}

#[tokio::test]
async fn p2_a_constant_reaches_the_record_that_a_new_one_was_made_from() {
    let world = with_constant().await;
    let fields = [("email", text("a@example.org")), ("source", Value::Null)];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    assert_eq!(world.left.value("contact", &l, "source"), text("crm"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_a_constant_is_written_whichever_side_is_trusted_for_once() {
    let world = with_constant().await;
    let fields = [("email", text("a@example.org")), ("source", Value::Null)];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.right.put("person", &[("mail", text("a@example.org"))], "2020-01-01");
    let trust = Some(Trust { side: Side::Left, fields: vec![] });
    world.run_with(RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "source"), text("crm"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn k5_a_default_is_the_reason_why_a_new_record_has_what_the_other_has_not() {
    let mut world = World::new().await;
    world.people().fields[1].default = Sides::new(None, Some(text("unknown")));
    let blank = [("email", text("c@example.org")), ("name", Value::Null)];
    let l = world.left.put("contact", &blank, "2020-01-01");
    world.run().await;
    let differing = async || {
        let mapping = world.definition.mappings[0].id;
        let pairs = world.ledger.pairs_of(mapping, Side::Left, std::slice::from_ref(&l)).await.unwrap();
        assert_eq!(pairs[0].status, Status::Ok);
        pairs[0].differing.clone()
    };
    let given = [(Slot(1), FieldReason::Default)];
    assert_eq!(differing().await, given);
    // Another field changes, and everything is read again: the reason stays.
    world.left.edit("contact", &l, "phone", text("1"), "2025-06-01");
    world.run().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(differing().await, given);
    world.left.edit("contact", &l, "name", text("Cleo"), "2025-06-02");
    world.run().await;
    assert_eq!(differing().await, []);
}

/// «Won» and «lost» are both «closed» on the right, which leads back to «won» alone.
#[tokio::test]
async fn p2_values_are_equal_where_the_map_makes_one_of_the_other() {
    for (two_on, left, right) in [(Side::Left, "lost", "closed"), (Side::Right, "closed", "lost")] {
        let (mut world, l, r) = pair_of_anas().await;
        let entries = [("won", "closed"), ("lost", "closed"), ("new", "fresh")];
        world.people().fields[2].values = entries
            .map(|(one, other)| (text(one), text(other)))
            .map(|(one, other)| if two_on == Side::Left { (one, other) } else { (other, one) })
            .to_vec();
        world.left.edit("contact", &l, "phone", text(left), "2025-06-01");
        world.right.edit("person", &r, "tel", text(right), "2025-06-01");
        world.run().await;
        assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap(), []);
        assert_eq!(world.left.value("contact", &l, "phone"), text(left));
        assert_eq!(world.right.value("person", &r, "tel"), text(right));
        world.assert_quiet().await;
    }
}

/// Whatever is decided, the rule withholds it: there is no conflict to be settled.
#[tokio::test]
async fn k5_values_that_a_rule_keeps_apart_are_no_conflict() {
    for rule in [WriteRule::Never, WriteRule::IfEmpty] {
        let (mut world, l, r) = pair_of_anas().await;
        world.left.edit("contact", &l, "phone", text("2"), "2025-06-01");
        world.right.edit("person", &r, "tel", text("3"), "2025-06-01");
        world.run().await;
        let open = world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap();
        assert_eq!(open.len(), 1);
        world.people().fields[2].write = rule;
        world.left.edit("contact", &l, "name", text("Anna"), "2025-06-02");
        world.run().await;
        assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap(), []);
        let mapping = world.definition.mappings[0].id;
        let pairs = world.ledger.pairs_of(mapping, Side::Left, &[l]).await.unwrap();
        let why = if rule == WriteRule::Never { Why::NeverWritten } else { Why::NotEmpty(Side::Right) };
        assert_eq!(pairs[0].differs(Slot(2)), Some(&FieldReason::Judge(why)), "{rule:?}");
        world.assert_quiet().await;
    }
}

/// A ruling for a value that may not be written says by which rule, and not that it was carried out.
#[tokio::test]
async fn k5_a_ruling_that_a_rule_withholds_says_so() {
    let (mut world, l, r) = pair_of_anas().await;
    world.people().fields[2].required.right = true;
    world.left.edit("contact", &l, "phone", Value::Null, "2025-06-01");
    world.right.edit("person", &r, "tel", text("3"), "2025-06-01");
    world.run().await;
    let open = world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap();
    let lease = world.ledger.acquire("r", "test", world.clock.now(), LEASE).await.unwrap();
    assert!(world.ledger.settle_conflict(&lease, open[0].id, &Choice::Side(Side::Left)).await.unwrap());
    world.ledger.release(&lease).await.unwrap();
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("3"));
    let mapping = world.definition.mappings[0].id;
    let pairs = world.ledger.pairs_of(mapping, Side::Left, &[l]).await.unwrap();
    let why = FieldReason::Judge(Why::RequiredBlank(Side::Right));
    assert_eq!(pairs[0].differs(Slot(2)), Some(&why));
    world.assert_quiet().await;
}

/// What the right says of its field `tel`.
async fn with_terms(terms: FieldTerms) -> (World, String) {
    let mut world = World::new().await;
    let phone = world.people().fields.iter_mut().find(|field| field.names.left == "phone").unwrap();
    phone.terms = Sides::new(FieldTerms::default(), terms);
    let fields = [("email", text("t@example.org")), ("phone", text("1"))];
    let id = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    (world, id)
}

async fn why(world: &World) -> Vec<&'static str> {
    let line = world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().remove(0);
    let pair = world.ledger.pairs(&[line.id]).await.unwrap().remove(0);
    pair.differing.iter().map(|(_, reason)| reason.code()).collect()
}

#[tokio::test]
async fn a_create_only_field_is_written_with_the_record_and_never_after() {
    let (world, id) = with_terms(FieldTerms { create_only: true, ..FieldTerms::default() }).await;
    let person = world.person("t@example.org");
    assert_eq!(world.right.value("person", &person, "tel"), text("1"));
    world.left.edit("contact", &id, "phone", text("2"), "2020-02-01");
    world.left.edit("contact", &id, "name", text("T"), "2020-02-01");
    world.run().await;
    let values = ["tel", "full"].map(|field| world.right.value("person", &person, field));
    assert_eq!(values, [text("1"), text("T")]);
    assert_eq!(why(&world).await, ["create-only"]);
    // An edit there still comes here.
    world.right.edit("person", &person, "tel", text("3"), "2020-03-01");
    world.run().await;
    assert_eq!(world.left.value("contact", &id, "phone"), text("3"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_choice_that_is_reported_only_is_never_ordered() {
    let terms = FieldTerms { reported_only: vec![text("cleaned")], ..FieldTerms::default() };
    let (world, id) = with_terms(terms).await;
    let person = world.person("t@example.org");
    world.left.edit("contact", &id, "phone", text("cleaned"), "2020-02-01");
    world.run().await;
    assert_eq!(world.right.value("person", &person, "tel"), text("1"));
    assert_eq!(why(&world).await, ["reported-only"]);
    let fields = [("email", text("u@example.org")), ("phone", text("cleaned"))];
    world.left.put("contact", &fields, "2020-02-01");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("u@example.org"), "tel"), Value::Null);
    world.right.edit("person", &person, "tel", text("cleaned"), "2020-03-01");
    world.run().await;
    assert_eq!(why(&world).await, [""; 0], "it is the same on both sides");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_field_that_is_required_on_update_goes_with_every_update() {
    let (world, id) = with_terms(FieldTerms { required_on_update: true, ..FieldTerms::default() }).await;
    let person = world.person("t@example.org");
    world.left.edit("contact", &id, "name", text("T"), "2020-02-01");
    world.run().await;
    let update = world.right.writes().into_iter().rfind(|write| write.starts_with("update")).unwrap();
    assert_eq!(update, format!("update person {person}: full tel"));
    assert_eq!(world.right.value("person", &person, "tel"), text("1"));
    world.assert_quiet().await;
}

/// A remote system that takes `tel` and never tells it.
async fn silent_about_tel() -> World {
    let mut world = World::new().await;
    world.right.character.write_only = Some("tel");
    let phone = world.people().fields.iter_mut().find(|field| field.names.left == "phone").unwrap();
    phone.terms = Sides::new(FieldTerms::default(), FieldTerms { write_only: true, ..FieldTerms::default() });
    world
}

#[tokio::test]
async fn a_write_only_field_is_written_when_it_changes_and_never_cleared() {
    let world = silent_about_tel().await;
    let fields = [("email", text("t@example.org")), ("phone", text("1"))];
    let id = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    let person = world.person("t@example.org");
    assert_eq!(world.right.value("person", &person, "tel"), text("1"));
    world.assert_quiet().await;
    let writes = world.right.writes().len();
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.right.writes().len(), writes, "what is not told is no difference");
    // Another field changes on either side: this one stays.
    world.left.edit("contact", &id, "name", text("T"), "2020-02-01");
    world.run().await;
    world.right.edit("person", &person, "full", text("Tt"), "2020-03-01");
    world.run().await;
    assert_eq!(world.left.value("contact", &id, "phone"), text("1"));
    assert!(world.right.writes().last().unwrap().ends_with(": full"), "{:?}", world.right.writes());
    world.left.edit("contact", &id, "phone", text("2"), "2020-04-01");
    world.run().await;
    assert_eq!(world.right.value("person", &person, "tel"), text("2"));
    world.left.edit("contact", &id, "phone", Value::Null, "2020-05-01");
    world.run().await;
    assert_eq!(world.right.value("person", &person, "tel"), Value::Null);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_write_only_field_is_written_once_to_a_record_that_was_there() {
    let world = silent_about_tel().await;
    let person =
        world.right.put("person", &[("mail", text("t@example.org")), ("tel", text("0"))], "2020-01-01");
    let fields = [("email", text("t@example.org")), ("phone", text("1"))];
    let id = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    assert_eq!(world.right.value("person", &person, "tel"), text("1"), "nobody knows what is there");
    assert_eq!(world.left.value("contact", &id, "phone"), text("1"));
    world.assert_quiet().await;
}
