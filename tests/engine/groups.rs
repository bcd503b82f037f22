//! Field groups: the parts of an address are judged and written as one fact.

use crate::world::{World, text};
use entente_core::{Direction, Value};
use entente_sync::{
    Choice, Clock as _, ConflictFilter, FieldMapping, Ledger as _, OperatorLedger as _, Side, Sides, Slot,
};

/// Companies have a street beside their city, and the two are one fact.
async fn world() -> World {
    let mut world = World::new().await;
    world.left.set_field("company", "street", "text");
    world.right.set_field("org", "road", "text");
    let companies = &mut world.definition.mappings[1];
    companies.fields.push(FieldMapping {
        slot: Slot(2),
        names: Sides::new("street".into(), "road".into()),
        kinds: Sides::by(|_| "text".into()),
        direction: Direction::Both,
        writable: Sides::new(true, true),
        ..FieldMapping::default()
    });
    companies.groups = vec![vec![Slot(1), Slot(2)]];
    world
}

/// The right side refuses «bad» by the name of its field; companies have a note, which can go without the rest.
fn refuse_by_name(world: &mut World) {
    world.right.character.refuses = Some("bad");
    world.right.character.refuses_by_name = true;
    for (side, object) in [(&world.left, "company"), (&world.right, "org")] {
        side.set_field(object, "note", "text");
    }
    world.definition.mappings[1].fields.push(FieldMapping {
        slot: Slot(3),
        names: Sides::by(|_| "note".into()),
        kinds: Sides::by(|_| "text".into()),
        direction: Direction::Both,
        writable: Sides::new(true, true),
        ..FieldMapping::default()
    });
}

/// A company on both sides, with one address; the ids.
async fn acme(world: &World) -> (String, String) {
    let fields = [("name", text("ACME")), ("city", text("Leeds")), ("street", text("1 Road"))];
    let left = world.left.put("company", &fields, "2020-01-01");
    world.run().await;
    (left, world.right.records("org").remove(0).0)
}

/// City and street on both sides.
fn addresses(world: &World, (left, right): &(String, String)) -> [(Value, Value); 2] {
    [
        (world.left.value("company", left, "city"), world.left.value("company", left, "street")),
        (world.right.value("org", right, "town"), world.right.value("org", right, "road")),
    ]
}

async fn conflicts(world: &World) -> Vec<entente_sync::OpenConflict> {
    world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap()
}

#[tokio::test]
async fn a_street_here_and_a_city_there_are_no_mixed_address() {
    let world = world().await;
    let ids = acme(&world).await;
    world.left.edit("company", &ids.0, "city", text("Córdoba"), "2025-01-01");
    world.right.edit("org", &ids.1, "road", text("2 Calle"), "2025-01-02");
    world.run().await;
    assert_eq!(addresses(&world, &ids), [(text("Leeds"), text("2 Calle")), (text("Leeds"), text("2 Calle"))]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn where_one_side_changed_the_address_the_other_takes_it() {
    let world = world().await;
    let ids = acme(&world).await;
    world.left.edit("company", &ids.0, "city", text("York"), "2025-01-01");
    world.run().await;
    world.right.edit("org", &ids.1, "road", text("3 Road"), "2025-01-01");
    world.run().await;
    assert_eq!(addresses(&world, &ids), [(text("York"), text("3 Road")), (text("York"), text("3 Road"))]);
    world.assert_quiet().await;
}

#[tokio::test]
async fn one_decision_of_the_operator_settles_the_whole_address() {
    let world = world().await;
    let ids = acme(&world).await;
    world.left.edit("company", &ids.0, "city", text("York"), "2025-01-01");
    world.right.edit("org", &ids.1, "road", text("2 Road"), "2025-01-01");
    world.run().await;
    let open = conflicts(&world).await;
    assert_eq!(open.iter().map(|one| one.conflict.slot).collect::<Vec<_>>(), [Slot(1), Slot(2)]);
    let until = std::time::Duration::from_secs(60);
    let lease = world.ledger.acquire("r", "operator", world.clock.now(), until).await.unwrap();
    assert!(world.ledger.settle_conflict(&lease, open[1].id, &Choice::Side(Side::Left)).await.unwrap());
    world.ledger.release(&lease).await.unwrap();
    world.run().await;
    assert_eq!(addresses(&world, &ids), [(text("York"), text("1 Road")), (text("York"), text("1 Road"))]);
    assert_eq!(conflicts(&world).await.len(), 0);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_part_that_is_refused_leaves_out_the_whole_address() {
    let mut world = world().await;
    refuse_by_name(&mut world);
    let ids = acme(&world).await;
    world.left.edit("company", &ids.0, "city", text("bad"), "2025-01-01");
    world.left.edit("company", &ids.0, "street", text("9 Road"), "2025-01-01");
    world.left.edit("company", &ids.0, "note", text("call first"), "2025-01-01");
    world.run().await;
    assert_eq!(world.right.value("org", &ids.1, "note"), text("call first"));
    assert_eq!(addresses(&world, &ids)[1], (text("Leeds"), text("1 Road")));
    world.assert_quiet().await;
    world.left.edit("company", &ids.0, "city", text("Hull"), "2025-02-01");
    world.run().await;
    world.assert_quiet().await;
    assert_eq!(addresses(&world, &ids)[1], (text("Hull"), text("9 Road")));
}

#[tokio::test]
async fn a_refused_address_is_not_mixed_with_a_newer_one_of_the_side_that_refused_it() {
    let mut world = world().await;
    refuse_by_name(&mut world);
    let ids = acme(&world).await;
    for (field, value) in [("city", "bad"), ("street", "9 Road"), ("note", "call first")] {
        world.left.edit("company", &ids.0, field, text(value), "2025-01-01");
    }
    world.run().await;
    let parked = [(text("bad"), text("9 Road")), (text("Leeds"), text("1 Road"))];
    assert_eq!(addresses(&world, &ids), parked);
    // The street alone is edited there: the fact of that side is the newer one, whole.
    world.right.edit("org", &ids.1, "road", text("7 Road"), "2025-02-01");
    world.run().await;
    assert_eq!(addresses(&world, &ids), [(text("Leeds"), text("7 Road")), (text("Leeds"), text("7 Road"))]);
    world.assert_quiet().await;
}
