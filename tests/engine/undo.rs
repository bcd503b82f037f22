//! Undo acts on the record that a change wrote, not on the one that its pair has by now.

use crate::world::{World, text};
use entente_core::{Reference, Value};
use entente_sync::*;
use std::time::Duration;

/// A contact, and the run that made its person.
async fn made() -> (World, Run, String, String) {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Unlink;
    let left = world.left.put(
        "contact",
        &[("email", text("a@example.org")), ("name", text("Ann")), ("phone", text("1"))],
        "2020-01-01",
    );
    let run = world.run().await;
    let right = world.person("a@example.org");
    (world, run, left, right)
}

/// A person's own record, with the values of the one that a run made.
fn twin(world: &World) -> String {
    let values = [("mail", text("a@example.org")), ("full", text("Ann")), ("tel", text("1"))];
    world.right.put("person", &values, "2020-01-01")
}

async fn left_out(world: &World, run: &Run) -> Vec<Kept> {
    let changes = world.ledger.changes_in(run.id, ChangeStatus::Withheld, 0, 10).await.unwrap();
    let kept = |change: Change| match change.reason {
        Some(Reason::NotUndone(kept)) => kept,
        other => panic!("{other:?}"),
    };
    changes.into_iter().map(kept).collect()
}

fn person(id: &str) -> RecordRef {
    RecordRef::new(Side::Right, "person", id)
}

#[tokio::test]
async fn s23_undo_leaves_what_a_record_was_merged_into_and_history_names_what_was_made() {
    let (world, run, _, p1) = made().await;
    let p2 = twin(&world);
    world.right.merge("person", &p1, &p2);
    world.run().await;
    world.right.writes();
    let undone = world.undo(run.id, 1).await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    assert_eq!(world.right.records("person").len(), 1, "the person's own record");
    let other = Kept::OtherRecord { wrote: Some(person(&p1)), now: Some(person(&p2)) };
    assert_eq!(left_out(&world, &undone).await, [other]);
    let history = world.ledger.changes_of_run(run.id, &ChangeFilter::default(), 0, 10).await.unwrap();
    assert_eq!((history[0].action.clone(), history[0].record()), (Action::Create, Some(p1.as_str())));
    world.assert_quiet().await;
}

#[tokio::test]
async fn l1_undo_of_a_create_leaves_the_record_that_was_linked_after_an_unlink() {
    let (world, run, _, p1) = made().await;
    world.right.delete("person", &p1);
    world.run().await;
    let p2 = twin(&world);
    world.run().await;
    world.right.writes();
    let undone = world.undo(run.id, 1).await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    assert!(world.right.records("person").iter().any(|(id, _)| *id == p2));
    let other = Kept::OtherRecord { wrote: Some(person(&p1)), now: Some(person(&p2)) };
    assert_eq!(left_out(&world, &undone).await, [other]);
}

#[tokio::test]
async fn l1_undo_of_a_create_that_is_gone_lists_it() {
    let (world, run, _, p1) = made().await;
    world.right.delete("person", &p1);
    world.run().await;
    let undone = world.undo(run.id, 0).await;
    assert_eq!(left_out(&world, &undone).await, [Kept::Gone]);
    assert_eq!((world.left.writes(), world.left.records("contact").len()), (vec![], 1));
}

#[tokio::test]
async fn l1_undo_of_an_update_leaves_the_record_that_the_pair_has_now() {
    let (world, _, left, p1) = made().await;
    world.left.edit("contact", &left, "phone", text("2"), "2026-01-01");
    let run = world.run().await;
    assert_eq!(world.right.value("person", &p1, "tel"), text("2"));
    let p2 = twin(&world);
    world.right.edit("person", &p2, "tel", text("2"), "2026-01-01");
    world.right.merge("person", &p1, &p2);
    world.run().await;
    world.right.writes();
    let undone = world.undo(run.id, 0).await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    assert_eq!(world.right.value("person", &p2, "tel"), text("2"));
    let other = Kept::OtherRecord { wrote: Some(person(&p1)), now: Some(person(&p2)) };
    assert_eq!(left_out(&world, &undone).await, [other]);
}

#[tokio::test]
async fn l1_undo_of_a_create_in_the_hub_leaves_what_it_was_merged_into() {
    let world = World::new().await;
    world.right.put("person", &[("mail", text("b@example.org"))], "2020-01-01");
    let run = world.run().await;
    let made = world.contact("b@example.org");
    let own = world.left.put("contact", &[("email", text("b@example.org"))], "2020-01-01");
    world.left.merge("contact", &made, &own);
    world.run().await;
    world.left.writes();
    let undone = world.undo(run.id, 1).await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    let contact = |id: &str| Some(RecordRef::new(Side::Left, "contact", id));
    let other = Kept::OtherRecord { wrote: contact(&made), now: contact(&own) };
    assert_eq!(left_out(&world, &undone).await, [other]);
}

/// A person of a company; the person is deleted on the right, and with it the contact on the left. Then `gone`
/// is done, and the run is undone.
async fn undone_deletion(gone: impl Fn(&World, &str)) -> (World, Run, String, String) {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let values =
        [("email", text("d@example.org")), ("company", Value::reference("company", &company).unwrap())];
    world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    let person = world.person("d@example.org");
    world.right.delete("person", &person);
    let run = world.run().await;
    assert_eq!(world.left.records("contact").len(), 0);
    gone(&world, &company);
    world.run().await;
    let undone = world.undo(run.id, 0).await;
    (world, undone, company, person)
}

#[tokio::test]
async fn l4_undo_of_a_deletion_brings_references_back() {
    let (world, undone, company, _) = undone_deletion(|_, _| {}).await;
    let again = world.contact("d@example.org");
    assert_eq!(
        world.left.value("contact", &again, "company"),
        Value::reference("company", &company).unwrap()
    );
    assert_eq!(left_out(&world, &undone).await, []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn l4_a_reference_that_cannot_come_back_is_listed_and_blanks_nothing() {
    let (world, undone, _, person) =
        undone_deletion(|world, company| world.left.delete("company", company)).await;
    let again = world.contact("d@example.org");
    assert_eq!(world.left.value("contact", &again, "company"), Value::Null);
    assert_eq!(left_out(&world, &undone).await, [Kept::NotKnown]);
    // The person is back as well: its reference stays.
    world.right.restore("person", &person);
    let org = world.right.value("person", &person, "org");
    assert_ne!(org, Value::Null);
    world.run().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.right.value("person", &person, "org"), org);
    world.assert_quiet().await;
}

#[tokio::test]
async fn m1_a_duplicate_that_is_retried_is_matched_anew_and_not_made_twice() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let first = world.left.put("contact", &[("email", text("e@example.org"))], "2020-01-01");
    world.run().await;
    let second = world.left.put("contact", &[("email", text("e@example.org"))], "2020-01-01");
    world.run().await;
    world.right.writes();
    retry_held(&world).await;
    world.run().await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "its rival is still there");
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!((held.len(), held[0].ids.left.as_ref()), (1, Some(&second)));
    world.left.delete("contact", &first);
    world.run().await;
    retry_held(&world).await;
    world.run().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (1, 1));
    world.assert_quiet().await;
}

async fn retry_held(world: &World) {
    let now = world.clock.now();
    let lease = world.ledger.acquire("r", "operator", now, Duration::from_secs(60)).await.unwrap();
    for pair in world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap() {
        assert_eq!(world.ledger.retry(&lease, pair.mapping, Some(pair.id)).await.unwrap(), 1);
    }
    world.ledger.release(&lease).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_of_an_undo_leaves_plans_and_later_runs_as_they_are() {
    let (world, run, left, right) = made().await;
    world.left.edit("contact", &left, "phone", text("2"), "2026-01-01");
    let plan = world.run_with(RunOptions::plan(Scope::default())).await;
    // The record was edited where the ledger has not seen it yet.
    world.right.edit("person", &right, "full", text("Anna"), "2026-01-01");
    let rehearsed = world.run_with(RunKind::PlanUndo { run: run.id }.into()).await;
    assert_eq!(rehearsed.notices, [], "what was edited since is not deleted");
    let left_out = world.ledger.changes_in(rehearsed.id, ChangeStatus::Dropped, 0, 10).await.unwrap();
    let edited = Kept::FieldEdited { field: "full".to_owned() };
    assert_eq!(left_out[0].reason, Some(Reason::NotUndone(edited)));
    assert_eq!((world.left.writes().len(), rehearsed.writes()), (0, 0));
    world.right.writes();
    world.run_with(RunKind::Apply { plan: plan.id, scope: Scope::default() }.into()).await;
    assert_eq!(world.right.writes(), [format!("update person {right}: tel")]);
    world.run().await;
    assert_eq!(world.left.value("contact", &left, "name"), text("Anna"));
    world.assert_quiet().await;
    let rehearsed = world.run_with(RunKind::PlanUndo { run: run.id }.into()).await;
    assert_eq!(world.ledger.changes_in(rehearsed.id, ChangeStatus::Planned, 0, 10).await.unwrap(), []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn k6_a_duplicate_that_is_held_by_the_survivor_of_a_deleted_record_can_take_its_place() {
    let world = World::new().await;
    let first = world.left.put("contact", &[("email", text("k@example.org"))], "2020-01-01");
    world.run().await;
    let second =
        world.left.put("contact", &[("email", text("k@example.org")), ("phone", text("7"))], "2025-01-01");
    world.run().await;
    world.left.delete("contact", &first);
    world.run().await;
    world.run().await;
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(
        (held.len(), held[0].ids.left.as_ref()),
        (1, Some(&second)),
        "by policy the survivor stays alone"
    );
    retry_held(&world).await;
    world.run().await;
    assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap(), []);
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (1, 1));
    assert_eq!(world.right.value("person", &world.person("k@example.org"), "tel"), text("7"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn k6_a_record_that_was_edited_while_the_other_was_deleted_is_settled_by_policy_and_retry() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let left = world.left.put("contact", &[("email", text("k@example.org"))], "2020-01-01");
    world.run().await;
    world.left.delete("contact", &left);
    world.right.edit("person", &world.person("k@example.org"), "tel", text("7"), "2026-01-01");
    world.run().await;
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(held[0].reason.as_ref().map(Reason::code), Some(Code::DeletedAndEdited));
    world.people().deletes = DeletePolicy::Ignore;
    retry_held(&world).await;
    world.run().await;
    assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap(), []);
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn k6_references_follow_a_record_that_takes_the_place_of_a_deleted_one() {
    let world = World::new().await;
    let refers = |id: &str| Value::Reference(Reference { object: "company".to_owned(), id: id.to_owned() });
    let first = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let values = [("email", text("k@example.org")), ("company", refers(&first))];
    let contact = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    let second = world.left.put("company", &[("name", text("Acme"))], "2025-01-01");
    world.run().await;
    world.left.delete("company", &first);
    world.run().await;
    retry_held(&world).await;
    world.run().await;
    assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap(), []);
    world.run().await;
    assert_eq!(world.left.value("contact", &contact, "company"), refers(&second));
    world.assert_quiet().await;
}
