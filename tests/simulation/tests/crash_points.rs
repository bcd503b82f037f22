//! Crash points: a run crashes after each of its effects in turn, also between the execution of a call and
//! its answer. The next runs complete the work: nothing is lost and nothing is duplicated.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use entente_sync::DeletePolicy;
use simulation::{Manners, Scenario, Shape, Story, count_effects, crash_after};
use std::time::Duration;

/// Every combination of what lets the engine find out whether a record was created: creates that may be sent again,
/// look-up by identifiers, reading by id. Beside them a search index that lags, and a remote that can do nothing.
fn manners() -> Vec<(String, Manners)> {
    let best = Manners::best();
    let named = |has: bool, word: &'static str| if has { word } else { "-" };
    let mut all = Vec::new();
    for bits in 0..8 {
        let (idempotent, find, by_id) = (bits & 1 == 0, bits & 2 == 0, bits & 4 == 0);
        let name = [named(idempotent, "idempotent"), named(find, "look-up"), named(by_id, "by id")].join(" ");
        all.push((name, Manners { idempotent, find, by_id, ..best.clone() }));
    }
    let late = Manners { idempotent: false, search_lag: Duration::from_secs(90), ..best.clone() };
    all.push(("late look-up".to_owned(), late));
    let none = Manners { idempotent: false, find: false, by_id: false, conditional: false, ..best };
    all.push(("nothing, not even conditional writes".to_owned(), none));
    all
}

/// Crashes a story at every effect, at every kind of remote, and prints how many crash points there were. An undo and
/// an apply go on both ways: with the next sync, and by being asked for once more.
#[expect(clippy::print_stdout, reason = "how many there were is part of the proof")]
fn every_effect(story: Story, shape: Shape, deletes: DeletePolicy) {
    let mut broken = Vec::new();
    let (mut points, mut ends) = (0, 0);
    let ways: &[bool] = if matches!(story, Story::Undo | Story::Apply) { &[false, true] } else { &[false] };
    for (name, manners) in manners() {
        let scenario = Scenario { story, shape, manners, deletes };
        let effects = count_effects(&scenario).unwrap();
        assert!(effects > 10, "{name} has {effects} effects only");
        points += effects;
        for effect in 1..=effects {
            for again in ways {
                ends += 1;
                let verdict = crash_after(&scenario, effect, *again, false).unwrap();
                let asked = if *again { ", asked for once more" } else { "" };
                broken.extend(verdict.violations.iter().map(|violation| {
                    format!("{name}, after effect {effect} of {effects}{asked}: {violation}")
                }));
            }
        }
    }
    println!(
        "{story:?} {shape:?} {deletes:?}: {points} crash points, {ends} ends (one seed, single crashes, this policy only)"
    );
    assert!(broken.is_empty(), "{story:?} {shape:?} {deletes:?}: {}\n{}", broken.len(), broken.join("\n"));
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

#[test]
fn a_create_without_an_answer_and_edits_on_both_sides_with_the_hub() {
    every_effect(Story::OpenCreate, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn a_create_without_an_answer_and_edits_on_both_sides_of_two_remote_systems() {
    every_effect(Story::OpenCreate, Shape::Remotes, DeletePolicy::Ignore);
}

#[test]
fn an_undo_with_the_hub() {
    every_effect(Story::Undo, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn an_undo_of_two_remote_systems() {
    every_effect(Story::Undo, Shape::Remotes, DeletePolicy::Ignore);
}

#[test]
fn an_apply_with_the_hub() {
    every_effect(Story::Apply, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn an_apply_of_two_remote_systems() {
    every_effect(Story::Apply, Shape::Remotes, DeletePolicy::Ignore);
}

#[test]
fn records_that_get_another_id_with_the_hub() {
    every_effect(Story::Rename, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn records_that_get_another_id_of_two_remote_systems() {
    every_effect(Story::Rename, Shape::Remotes, DeletePolicy::Ignore);
}

#[test]
fn a_merge_with_the_hub() {
    every_effect(Story::Merge, Shape::Hub, DeletePolicy::Ignore);
}

#[test]
fn a_merge_of_two_remote_systems() {
    every_effect(Story::Merge, Shape::Remotes, DeletePolicy::Ignore);
}
