//! Budgets of a run (X9): rows and time that whoever starts it allows. What a run has read is kept, and the next one
//! goes on from there.

use crate::world::{World, text};
use entente_core::Sides;
use entente_sync::*;
use std::time::Duration;

fn message(limit: &str) -> Message {
    Message::new(format!("limit {limit} reached"), [Remedy::ShowLimits])
}

fn people(world: &World, count: usize) {
    for n in 0..count {
        world.right.put("person", &[("mail", text(&format!("p{n}@example.org")))], "2020-01-01");
    }
}

#[tokio::test]
async fn x9_a_run_that_is_told_more_rows_than_it_may_ends_and_the_next_goes_on() {
    let mut world = World::new().await;
    people(&world, 10);
    world.budget.rows = Some(Allowance { most: 4, spent: message("run-rows") });
    let mut ends = Vec::new();
    let mut runs = 0;
    loop {
        let end = world.try_run(RunOptions::default()).await.unwrap();
        runs += 1;
        match end.error {
            None => break,
            Some(error @ SyncError::Spent(_)) => {
                assert_eq!(end.run.status, RunStatus::Interrupted);
                assert_eq!(end.run.error, Some(Message::new(error.to_string(), [Remedy::ShowLimits])));
                ends.push(error.to_string());
            }
            other => panic!("{other:?}"),
        }
        assert!(runs < 10, "it goes on where it was, and not from the beginning");
    }
    assert!(!ends.is_empty());
    assert_eq!(ends[0], "limit run-rows reached; what was read is kept, and the next run goes on from here");
    world.budget = RunBudget::default();
    world.assert_quiet().await;
    assert_eq!(world.left.records("contact").len(), 10);
}

#[tokio::test]
async fn x9_the_time_of_a_run_is_bounded_whoever_asks_for_longer() {
    let mut world = World::new().await;
    people(&world, 5);
    world.budget.time = Some(Allowance { most: Duration::from_secs(60), spent: message("run-time") });
    let slow = ExchangeError {
        after: Some(Duration::from_secs(50)),
        ..ExchangeError::new(codes::RATE_LIMITED, "slow down")
    };
    for call in 1..=4 {
        world.right.fault("report", call, crate::fake::Fault::Fails(slow.clone()));
    }
    let asked = RunOptions { max_time: Some(Duration::from_secs(3600)), ..RunOptions::default() };
    let end = world.try_run(asked.clone()).await.unwrap();
    assert!(matches!(&end.error, Some(SyncError::Spent(spent)) if *spent == message("run-time")), "{end:?}");
    // Its own limit comes first where it is shorter, and says so.
    let shorter = RunOptions { max_time: Some(Duration::from_secs(10)), ..asked };
    let end = world.try_run(shorter).await.unwrap();
    assert!(matches!(&end.error, Some(SyncError::TimeUp { .. })), "{end:?}");
    world.budget = RunBudget::default();
    world.run().await;
    world.assert_quiet().await;
}

#[tokio::test]
async fn x9_reading_by_id_is_bounded_as_a_report_is() {
    let mut world = World::new().await;
    people(&world, 9);
    let ids = world.right.records("person").into_iter().map(|(id, _)| ("person".to_owned(), id)).collect();
    let asked = RunOptions::sync(Scope::Ids(Sides::new(vec![], ids)));
    world.budget.rows = Some(Allowance { most: 4, spent: message("run-rows") });
    let end = world.try_run(asked.clone()).await.unwrap();
    assert!(matches!(&end.error, Some(SyncError::Spent(_))), "{end:?}");
    assert_eq!(world.right.calls("report"), 2, "it asks for no page more");
    world.budget = RunBudget::default();
    world.run_with(asked).await;
    assert_eq!(world.left.records("contact").len(), 9);
    world.run().await;
    world.assert_quiet().await;
}
