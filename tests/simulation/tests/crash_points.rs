//! Crash points: a run crashes after each of its effects in turn, also between the execution of a call and
//! its answer. The next runs complete the work: nothing is lost and nothing is duplicated.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use entente_sync::DeletePolicy;
use simulation::{Manners, Scenario, Shape, Story, count_effects, crash_after};
use std::time::Duration;

/// The ways in which a remote lets the engine find out whether a record was created.
fn manners() -> [(&'static str, Manners); 4] {
    let best = Manners::best();
    [
        ("idempotent create", best.clone()),
        ("only find", Manners { idempotent: false, ..best.clone() }),
        ("late find", Manners { idempotent: false, search_lag: Duration::from_secs(90), ..best.clone() }),
        ("neither", Manners { idempotent: false, find: false, by_id: false, conditional: false, ..best }),
    ]
}

fn every_effect(story: Story, shape: Shape, deletes: DeletePolicy) {
    let mut broken = Vec::new();
    for (name, manners) in manners() {
        let scenario = Scenario { story, shape, manners, deletes };
        let effects = count_effects(&scenario).unwrap();
        assert!(effects > 10, "{name} has {effects} effects only");
        for effect in 1..=effects {
            let verdict = crash_after(&scenario, effect, false).unwrap();
            broken.extend(
                verdict
                    .violations
                    .iter()
                    .map(|violation| format!("{name}, after effect {effect} of {effects}: {violation}")),
            );
        }
    }
    assert!(broken.is_empty(), "{story:?} {shape:?} {deletes:?}\n{}", broken.join("\n"));
}

#[test]
fn a_first_sync_with_the_hub() {
    every_effect(Story::FirstSync, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn a_first_sync_of_two_remote_systems() {
    every_effect(Story::FirstSync, Shape::Remotes, DeletePolicy::Ignore);
}

#[test]
fn updates_both_ways_with_the_hub() {
    every_effect(Story::Updates, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn updates_both_ways_of_two_remote_systems() {
    every_effect(Story::Updates, Shape::Remotes, DeletePolicy::Ignore);
}

#[test]
fn deletions_that_are_ignored() {
    every_effect(Story::Deletions, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn deletions_that_are_passed_on() {
    every_effect(Story::Deletions, Shape::Hub, DeletePolicy::Delete);
    every_effect(Story::Deletions, Shape::Remotes, DeletePolicy::Delete);
}

#[test]
fn deletions_that_are_undone() {
    every_effect(Story::Deletions, Shape::Hub, DeletePolicy::Recreate);
}
