//! Known defects of Mautic's sync engine, one test each, named by the correct behaviour.

use crate::fake::Fault;
use crate::values::pair_of_anas;
use crate::world::{World, text};
use entente_core::Value;
use entente_sync::*;
use std::time::Duration;

/// Mautic: the two sides end up swapped.
#[tokio::test]
async fn a_conflict_leaves_both_sides_equal_and_quiet() {
    let (world, l, r) = pair_of_anas().await;
    world.left.edit("contact", &l, "phone", text("old"), "2025-06-01 10:00:00");
    world.right.edit("person", &r, "tel", text("new"), "2025-06-01 10:30:00");
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "phone"), text("new"));
    assert_eq!(world.right.value("person", &r, "tel"), text("new"));
    world.assert_quiet().await;
}

/// Mautic: a page without changes ends the loop, and later pages are lost.
#[tokio::test]
async fn pages_with_nothing_to_write_are_followed_by_the_others() {
    let world = World::new().await;
    for n in 0..9 {
        for (side, object, mail) in [(&world.left, "contact", "email"), (&world.right, "person", "mail")] {
            side.put(object, &[(mail, text(&format!("{n}@example.org")))], "2020-01-01");
        }
    }
    world.right.put("person", &[("mail", text("last@example.org"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!((run.counts.left["contact"].created, run.counts.right["person"].matched), (1, 9));
    world.right.edit("person", &world.person("last@example.org"), "full", text("edited"), "2025-01-01");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.left.value("contact", &world.contact("last@example.org"), "name"), text("edited"));
    world.assert_quiet().await;
}

/// Mautic: it aborts the run.
#[tokio::test]
async fn a_required_blank_holds_one_record_and_no_other() {
    let mut world = World::new().await;
    world.people().fields[1].required = Sides::new(false, true);
    world.left.put("contact", &[("email", text("none@example.org"))], "2020-01-01");
    world.left.put("contact", &[("email", text("some@example.org")), ("name", text("S"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    assert!(
        matches!(
            &run.counts.left["contact"].reasons[&Code::Required].samples[..],
            [Reason::Required { field, .. }] if field == "full"
        ),
        "{:#?}",
        run.counts
    );
}

/// Mautic: they are never pulled.
#[tokio::test]
async fn edits_made_between_pull_and_push_are_seen_and_a_stale_write_is_refused() {
    let (world, l, r) = pair_of_anas().await;
    world.left.edit("contact", &l, "phone", text("2"), "2025-06-01");
    let edit = Fault::Edit {
        object: "person".into(),
        id: r.clone(),
        field: "full".into(),
        value: text("meanwhile"),
    };
    world.right.fault("execute", 1, edit);
    world.run().await;
    world.run().await;
    assert_eq!(
        (world.right.value("person", &r, "tel"), world.left.value("contact", &l, "name")),
        (text("2"), text("meanwhile"))
    );
    world.assert_quiet().await;
}

/// Mautic: it starts a nested run, which overwrites the options of the outer one.
#[tokio::test]
async fn a_relation_to_an_unknown_object_is_settled_in_the_same_run() {
    let world = World::new().await;
    let company = world.left.put("company", &[("name", text("Old"))], "2010-01-01");
    world.left.put(
        "contact",
        &[("email", text("a@example.org")), ("company", Value::reference("company", &company).unwrap())],
        "2020-01-01",
    );
    world.left.put("contact", &[("email", text("outside@example.org"))], "2019-01-01");
    let options = RunOptions { disable_pull: true, ..World::window("2020-01-01", "2020-01-02") };
    let run = world.run_with(options.clone()).await;
    assert_eq!((run.counts.right["org"].created, run.counts.right["person"].created), (1, 1));
    assert_eq!(run.options, options, "the window still holds");
    assert_eq!(world.ledger.runs(None, None, 10).await.unwrap().len(), 1, "there is one run");
    assert_eq!(world.right.value("person", &world.person("a@example.org"), "org").references().len(), 1);
}

/// Mautic: lower ids are skipped.
#[tokio::test]
async fn a_second_run_in_one_process_sees_lower_ids_too() {
    let world = World::new().await;
    let low = world.left.put("contact", &[("email", text("low@example.org"))], "2020-01-01");
    let high = world.left.put("contact", &[("email", text("high@example.org"))], "2020-01-01");
    world.run().await;
    world.left.edit("contact", &high, "name", text("high"), "2025-01-01");
    world.run().await;
    world.left.edit("contact", &low, "name", text("low"), "2025-01-01");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("low@example.org"), "full"), text("low"));
}

/// Mautic: the whole batch is repeated.
#[tokio::test]
async fn a_retry_of_one_repeats_only_that_one() {
    let mut world = World::new().await;
    world.right.character.refuses = Some("bad");
    for n in 0..4 {
        world.left.put(
            "contact",
            &[
                ("email", text(&format!("{n}@example.org"))),
                ("name", text(if n < 2 { "bad" } else { "good" })),
            ],
            "2020-01-01",
        );
    }
    world.run().await;
    world.right.character.refuses = None;
    world.right.writes();
    let failed = world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap();
    assert_eq!(failed.len(), 2);
    let lease =
        world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(world.ledger.retry(&lease, failed[0].mapping, Some(failed[0].id)).await.unwrap(), 1);
    world.ledger.release(&lease).await.unwrap();
    world.run().await;
    assert_eq!(world.right.writes().len(), 1);
    assert_eq!(world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap().len(), 1);
}

/// Mautic: the record comes back on the next edit of the other side.
#[tokio::test]
async fn a_deleted_record_is_not_made_again() {
    let world = World::new().await;
    let l = world.left.put("contact", &[("email", text("x@example.org"))], "2020-01-01");
    world.run().await;
    world.left.delete("contact", &l);
    world.run().await;
    world.right.edit("person", &world.person("x@example.org"), "full", text("still here"), "2025-01-01");
    world.run().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.left.records("contact").len(), 0);
    assert_eq!(world.right.records("person").len(), 1);
}

/// Mautic: mapping rows are lost.
#[tokio::test]
async fn a_merge_moves_the_link_to_the_winner() {
    let mut world = World::new().await;
    world.people().create = Sides::new(false, true);
    let l = world.left.put("contact", &[("email", text("m@example.org")), ("name", text("M"))], "2020-01-01");
    world.run().await;
    let winner = world.right.put("person", &[("mail", text("w@example.org"))], "2020-01-01");
    world.run().await;
    world.right.merge("person", &world.person("m@example.org"), &winner);
    world.run().await;
    let pairs = world.ledger.pairs_of(world.definition.mappings[0].id, Side::Left, &[l]).await.unwrap();
    assert_eq!(pairs[0].half(Side::Right).id, Some(winner));
}

/// Mautic: there is no unique key, and runs take no lock.
#[tokio::test]
async fn links_are_unique_both_ways_and_a_run_holds_a_lease() {
    let (world, l, r) = pair_of_anas().await;
    let mapping = world.definition.mappings[0].id;
    let lease = world.ledger.acquire("r", "one", world.clock.now(), Duration::from_secs(60)).await.unwrap();
    for (side, id) in [(Side::Left, &l), (Side::Right, &r)] {
        let mut twin = Pair::new(mapping);
        twin.half_mut(side).id = Some(id.clone());
        let mut unit = world.ledger.begin(&lease).await.unwrap();
        assert!(unit.save_pairs(std::slice::from_mut(&mut twin)).await.is_err(), "{id} has a pair");
    }
    let error = world.try_run(RunOptions::default()).await.unwrap_err().to_string();
    assert!(error.contains("another run holds"), "{error}");
}

/// Mautic: they all mean «not set».
#[tokio::test]
async fn zero_false_empty_and_null_travel_as_what_they_are() {
    let values = [
        Value::Integer(0),
        Value::Boolean(false),
        text(""),
        Value::Null,
        text("0"),
        text("NULL"),
        Value::Float(0.0),
        text("a\0b"),
    ];
    for value in values {
        let (world, l, r) = pair_of_anas().await;
        world.left.edit("contact", &l, "phone", value.clone(), "2025-06-01");
        world.run().await;
        assert_eq!(world.right.value("person", &r, "tel"), value);
        world.assert_quiet().await;
    }
}

/// Mautic: a response with status 400 or above counts as success.
#[tokio::test]
async fn what_the_remote_refuses_has_failed_with_its_reason() {
    let mut world = World::new().await;
    world.right.character.refuses = Some("bad");
    world.left.put("contact", &[("email", text("b@example.org")), ("name", text("bad"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!((run.counts.right["person"].failed, run.problems()), (1, 1));
    assert!(
        matches!(
            &run.counts.right["person"].reasons[&Code::Refused].samples[..],
            [Reason::Refused { said, .. }] if said.text.as_data().contains("the answer was 400")
        ),
        "{:?}",
        run.counts.right
    );
    assert_eq!(world.right.records("person").len(), 0);
}

/// Mautic: change rows accumulate where nothing is pushed.
#[tokio::test]
async fn nothing_piles_up_where_data_flows_one_way_only() {
    let mut world = World::new().await;
    for field in &mut world.people().fields {
        field.direction = entente_core::Direction::ToLeft;
    }
    world.people().create = Sides::new(true, false);
    world.right.put("person", &[("mail", text("p@example.org")), ("full", text("P"))], "2020-01-01");
    world.run().await;
    let l = world.contact("p@example.org");
    let mappings: Vec<MappingId> = world.definition.mappings.iter().map(|mapping| mapping.id).collect();
    for n in 0..20 {
        world.left.edit(
            "contact",
            &l,
            "name",
            text(&format!("edit {n}")),
            &format!("2025-01-01 00:{n:02}:00"),
        );
        let run = world.run().await;
        assert_eq!(
            world.ledger.changes_of_run(run.id, &Default::default(), 0, 10).await.unwrap(),
            [],
            "no row for an edit that goes nowhere"
        );
        for status in [ChangeStatus::Planned, ChangeStatus::Withheld, ChangeStatus::Retry] {
            assert_eq!(world.ledger.open_changes(&mappings, status, 0, 10).await.unwrap(), []);
        }
    }
    assert_eq!(world.right.writes(), Vec::<String>::new());
}
