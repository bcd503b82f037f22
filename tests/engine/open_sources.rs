//! Open creates whose source leaves before anybody knows what became of them: it does not meet the filter any more, is
//! merged with another record, or gets another id. What the create may have made is not forgotten with it.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Sides, Value};
use entente_sync::{
    Code, Condition, DeletePolicy, Feature, OperatorLedger as _, Reading, RunOptions, Scope, Side, Status,
    Test,
};
use std::time::Duration;

/// The codes of the reasons of all pairs with a status.
async fn reasons(world: &World, status: Status) -> Vec<Option<Code>> {
    let pairs = world.ledger.pairs_in(status, None, 0, 100).await.unwrap();
    pairs.into_iter().map(|pair| pair.reason.map(|reason| reason.code())).collect()
}

/// The names on a side, in order.
fn names(world: &World, side: Side) -> Vec<String> {
    let records = match side {
        Side::Left => world.left.records("contact"),
        Side::Right => world.right.records("person"),
    };
    let field = if side == Side::Left { "name" } else { "full" };
    let mut names: Vec<String> =
        records.iter().filter_map(|(_, record)| Some(record.values.get(field)?.to_string())).collect();
    names.sort();
    names
}

/// A world without look-up, in which Ann, who has no identifier, was made without an answer.
async fn open(idempotent: bool, fault: Fault) -> (World, String) {
    let mut world = World::new().await;
    world.right.character.can_find = false;
    if !idempotent {
        world.right.character.features.remove(&Feature::IdempotentCreate);
    }
    let ann = world.left.put("contact", &[("name", text("Ann")), ("phone", text("one"))], "2020-01-01");
    world.right.fault("execute", 1, fault);
    world.run().await;
    (world, ann)
}

#[tokio::test]
async fn i3_what_an_open_create_has_made_is_no_new_record_once_its_source_leaves_the_filter() {
    for idempotent in [false, true] {
        let (mut world, ann) = open(idempotent, Fault::NoAnswers { executed: true }).await;
        if idempotent {
            // It is sent again, and the order is refused as a whole.
            world.right.character.poison = Some("Ann");
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
            assert_eq!(reasons(&world, Status::Failed).await, [Some(Code::OrderFailed)]);
            world.right.character.poison = None;
        }
        let hidden = Condition { field: "phone".into(), test: Test::Not(text("hidden")) };
        world.people().filters = Sides::new(vec![hidden], vec![]);
        world.left.edit("contact", &ann, "phone", text("hidden"), "2026-01-02");
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
            world.run_with(RunOptions::sync(Reading::Full)).await;
            assert_eq!(
                (names(&world, Side::Left), names(&world, Side::Right)),
                (vec!["Ann".into()], vec!["Ann".into()])
            );
        }
        let (status, code) = if idempotent {
            (Status::Excluded, Code::OutsideFilter)
        } else {
            (Status::Held, Code::FateUnknown)
        };
        assert_eq!(reasons(&world, status).await, [Some(code)]);
        world.assert_quiet().await;
        // It comes back, and is decided again.
        world.left.edit("contact", &ann, "phone", text("two"), "2026-02-02");
        world.run().await;
        assert_eq!(
            (names(&world, Side::Left), names(&world, Side::Right)),
            (vec!["Ann".into()], vec!["Ann".into()])
        );
        if idempotent {
            let made = world.right.records("person")[0].0.clone();
            assert_eq!(world.right.value("person", &made, "tel"), text("two"));
        }
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn i3_a_merge_into_the_source_of_an_open_create_does_not_give_it_another_counterpart() {
    for policy in [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Delete, DeletePolicy::Recreate] {
        let mut world = World::new().await;
        world.people().deletes = policy;
        world.right.character.can_find = false;
        world.right.character.features.remove(&Feature::IdempotentCreate);
        let bea = [("email", text("bea@example.org")), ("name", text("Bea"))];
        let bea = world.left.put("contact", &bea, "2020-01-01");
        world.run().await;
        let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
        world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
        world.run().await;
        world.left.merge("contact", &bea, &ann);
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
            world.run_with(RunOptions::sync(Reading::Full)).await;
            assert_eq!(names(&world, Side::Left), ["Ann"], "{policy:?}");
            assert_eq!(names(&world, Side::Right), ["Ann", "Bea"], "{policy:?}");
        }
        let mut held = reasons(&world, Status::Held).await;
        held.sort();
        let mut expected = [Some(Code::FateUnknown), Some(Code::Merged)];
        expected.sort();
        assert_eq!(held, expected, "{policy:?}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn i3_what_an_open_create_has_made_is_no_new_record_once_its_source_is_merged_away() {
    for policy in [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Recreate] {
        let (mut world, ann) = open(false, Fault::NoAnswers { executed: true }).await;
        world.people().deletes = policy;
        let bea = [("email", text("bea@example.org")), ("name", text("Bea"))];
        let bea = world.left.put("contact", &bea, "2020-01-01");
        world.run().await;
        world.left.merge("contact", &ann, &bea);
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
            world.run_with(RunOptions::sync(Reading::Full)).await;
            assert_eq!(names(&world, Side::Left), ["Bea"], "{policy:?}");
            assert_eq!(names(&world, Side::Right), ["Ann", "Bea"], "{policy:?}");
        }
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn i3_an_open_create_is_not_made_once_more_since_its_source_has_another_id() {
    for executed in [true, false] {
        let (world, ann) = open(false, Fault::NoAnswers { executed }).await;
        let again = [("name", text("Ann")), ("phone", text("one"))];
        let again = world.left.put("contact", &again, "2020-01-01");
        world.left.merge("contact", &ann, &again);
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            world.run().await;
            world.run_with(RunOptions::sync(Reading::Full)).await;
            assert_eq!(names(&world, Side::Left), ["Ann"], "executed: {executed}");
            assert_eq!(names(&world, Side::Right), ["Ann"], "executed: {executed}");
        }
        world.assert_quiet().await;
    }
}

/// A create to the right has no answer, its source is deleted, and the policy makes the source again from what was made. That
/// lacks what the left requires: what was once sent to the right is nothing that could be sent to the left.
#[tokio::test]
async fn i1_what_was_sent_to_one_side_is_not_made_on_the_other() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Recreate;
    world.people().fields[2].required.left = true;
    world.definition.brake.records = 1000;
    let ann = [("email", text("ann@example.org")), ("name", text("Ann")), ("phone", Value::Null)];
    let ann = world.left.put("contact", &ann, "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    world.left.delete("contact", &ann);
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(86_400));
        world.run().await;
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!(names(&world, Side::Left), [""; 0]);
    }
    assert_eq!(reasons(&world, Status::Held).await, [Some(Code::Required)]);
    world.assert_quiet().await;
}

/// A search finds two people with the address of a new one, so that it may be either. Both have other addresses again
/// before anybody has read them: it is neither.
#[tokio::test]
async fn a_record_that_was_ambiguous_is_decided_once_at_most_one_has_its_identifier() {
    for left_over in [false, true] {
        let world = World::new().await;
        let mails = ["bea@example.org", "cleo@example.org"];
        let others = mails.map(|mail| {
            let name = mail.split('@').next().unwrap_or_default();
            world.left.put("contact", &[("email", text(mail)), ("name", text(name))], "2020-01-01")
        });
        world.run().await;
        let people = mails.map(|mail| world.person(mail));
        for person in &people {
            world.right.edit("person", person, "mail", text("ann@example.org"), "2026-01-02");
        }
        let ann = [("email", text("ann@example.org")), ("name", text("ann"))];
        let ann = world.left.put("contact", &ann, "2026-01-02");
        let scope = Scope::Ids(Sides::new(vec![("contact".to_owned(), ann.clone())], vec![]));
        world.run_with(RunOptions::sync(scope)).await;
        assert_eq!(reasons(&world, Status::Held).await, [Some(Code::Ambiguous)]);
        for (person, mail) in people.iter().zip(mails).skip(usize::from(left_over)) {
            world.right.edit("person", person, "mail", text(mail), "2026-01-03");
        }
        world.run().await;
        if left_over {
            // Bea has the address now, and Ann is her duplicate.
            assert_eq!(reasons(&world, Status::Held).await, [Some(Code::DuplicateOf)]);
            assert_eq!(world.left.value("contact", &others[0], "email"), text("ann@example.org"));
            assert_eq!(names(&world, Side::Right), ["bea", "cleo"]);
        } else {
            assert_eq!(reasons(&world, Status::Held).await, []);
            assert_eq!(names(&world, Side::Right), ["ann", "bea", "cleo"]);
        }
        world.assert_quiet().await;
    }
}
