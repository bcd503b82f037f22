//! Undo acts on what stands in the two systems: what could not be read by id, was never answered, or is still to be
//! carried to a side.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Direction, Value};
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
        let done = ChangeFilter { target: None, status: Some(ChangeStatus::Done) };
        let changes = world.ledger.changes_of_run(run.id, done, 0, 10).await.unwrap();
        assert_eq!((changes.len(), changes[0].reason.clone()), (1, Some(Reason::FoundOut)), "by id: {by_id}");
        world.undo(run.id, 0).await;
        assert_eq!(world.right.value("person", &people[0], "full"), text("ann"));
        assert_eq!(world.left.value("contact", &contact, "name"), text("Anna"));
        world.assert_quiet().await;
    }
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
