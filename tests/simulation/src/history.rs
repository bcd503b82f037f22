//! A history: operations of users and syncs drawn from a seed, then convergence.

use crate::character::{Character, Manners};
use crate::dice::{Dice, lock};
use crate::rerun::Reruns;
use crate::tally::{Exception, Group};
use crate::verdict::{Verdict, Violation, Word};
use crate::world::{Ran, World};
use crate::{check, operation, runs};
use anyhow::Result;
use entente_sync::{Reading, RunOptions};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Settings of a history.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Whether to print every effect.
    pub trace: bool,
    /// Whether the store is a file instead of memory.
    pub file: bool,
}

/// Runs the history of a seed, from its first operation to the final checks.
pub fn run_history(seed: u64, settings: Settings) -> Verdict {
    run_without(seed, settings, &BTreeSet::new())
}

/// Runs the history of a seed without some of its steps. Every step draws from a seed of its own, so that the
/// others stay what they are.
pub(crate) fn run_without(seed: u64, settings: Settings, without: &BTreeSet<usize>) -> Verdict {
    let mut verdict = Verdict::new(seed);
    // A panic of the engine is recorded as a violation, and the other seeds go on.
    let ended = catch_unwind(AssertUnwindSafe(|| live(seed, settings, without, &mut verdict)));
    let what = match ended {
        Ok(Ok(())) => return verdict,
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            format!("panicked: {}", text.unwrap_or("without words"))
        }
    };
    verdict.violations.push(Violation { word: Word::Unaccounted, invariant: "I1", what });
    verdict
}

fn live(seed: u64, settings: Settings, without: &BTreeSet<usize>, verdict: &mut Verdict) -> Result<()> {
    let mut dice = Dice::new(seed);
    let character = Character::draw(seed, &mut dice);
    verdict.tally.note_character(&character);
    verdict.tally.list(Group::Operation, operation::names());
    verdict.tally.list(Group::Run, runs::KINDS);
    let late = |of: &Manners| of.find && !of.keyset && !of.search_lag.is_zero();
    let mut reruns = Reruns::draw(seed, character.remotes.iter().any(late));
    reruns.note(&mut verdict.tally);
    let world = World::new(character, &mut dice, settings.trace, settings.file)?;
    world.tape.note(format_args!("{:?}", world.character));
    for place in 0..world.users.systems.len() {
        for _ in 0..dice.below(5) {
            let Some(mut own) = step(&world, &mut dice, without, verdict) else { continue };
            crate::tape::drive(world.users.create(place, own.below(5).min(1) ^ 1, None));
        }
    }
    *lock(&world.users.busy) = world.character.edits_in_runs;
    for _ in 0..world.character.operations {
        if let Some(mut own) = step(&world, &mut dice, without, verdict) {
            verdict.operations += 1;
            operation::operate(&world, &mut own, verdict)?;
        }
        for which in reruns.due() {
            if let Some(mut own) = step(&world, reruns.dice(which), without, verdict) {
                verdict.operations += 1;
                reruns.rerun(which, &world, &mut own, verdict)?;
            }
        }
    }
    finish(&world, verdict)
}

/// Begins the next step of a history: what it draws from, and everybody else meanwhile. `None` if it is left
/// out.
fn step(world: &World, dice: &mut Dice, without: &BTreeSet<usize>, verdict: &mut Verdict) -> Option<Dice> {
    let mut own = dice.fork();
    let number = verdict.steps;
    verdict.steps += 1;
    if without.contains(&number) {
        return None;
    }
    world.reseed(&mut own);
    world.tape.note(format_args!("-- step {number}"));
    Some(own)
}

/// The number of rounds within which everything must converge.
const ROUNDS: usize = 8;

/// More retries than a record gets.
const MOST_TRIES: usize = 8;

/// Longer than any pause before a retry.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Convergence: without faults and edits, runs every sync until nothing changes, then checks the invariants.
pub(crate) fn finish(world: &World, verdict: &mut Verdict) -> Result<()> {
    world.reseed(&mut Dice::new(0));
    world.tape.note(format_args!("== nothing goes wrong any more, and nobody edits"));
    world.calm();
    // Rows missed by offset paging come with the next complete listing only.
    come_to_rest(world, world.remotes().any(|remote| !remote.manners.keyset), verdict)?;
    wait_for_retries(world, verdict)?;
    if !calm_round(world, RunOptions::default(), verdict)? {
        verdict.add(Word::Unaccounted, "I2", "one more run wrote something".to_owned());
    }
    check::check(world, false, verdict)?;
    verdict.pairs.clear();
    // A complete listing releases what was held for a missing proof of absence; a further one changes
    // nothing.
    come_to_rest(world, true, verdict)?;
    // The listing may have resolved what made records fail.
    wait_for_retries(world, verdict)?;
    // How many blankings a tight deletion guard lets pass depends on which failed records are due.
    let tight = world.character.brake == 1;
    if !calm_round(world, RunOptions::sync(Reading::Full), verdict)? {
        if tight {
            verdict.except(Exception::TightBrake);
        } else {
            verdict.add(Word::Unaccounted, "I5", "listing everything once more wrote something".to_owned());
        }
    }
    check::check(world, true, verdict)?;
    verdict.violations.dedup();
    verdict.story = world.tape.story();
    verdict.effects = world.tape.effects();
    for (kind, count) in world.tape.faults() {
        verdict.faults += count;
        *verdict.tally.counts.entry((Group::Fault, kind)).or_default() += count;
    }
    verdict.trace = world.tape.hash();
    Ok(())
}

/// Lets time pass until no failed record is due for a retry any more: until then a run may write.
fn wait_for_retries(world: &World, verdict: &mut Verdict) -> Result<()> {
    for _ in 0..MOST_TRIES {
        if !check::failed_will_be_tried(world) {
            break;
        }
        world.clock.advance(LONGEST_PAUSE);
        come_to_rest(world, false, verdict)?;
    }
    Ok(())
}

/// Runs every sync until nothing is written.
fn come_to_rest(world: &World, full: bool, verdict: &mut Verdict) -> Result<()> {
    for round in 0..ROUNDS {
        let reading = if full && round == 0 { Reading::Full } else { Reading::Changes };
        if calm_round(world, RunOptions::sync(reading), verdict)? && round > 0 {
            return Ok(());
        }
    }
    verdict.add(Word::Unaccounted, "I1", format!("it has not come to rest after {ROUNDS} rounds"));
    Ok(())
}

/// Runs every sync once. Returns whether nothing was written.
fn calm_round(world: &World, options: RunOptions, verdict: &mut Verdict) -> Result<bool> {
    let before = (world.remote_writes(), check::hub_state(world));
    for sync in 0..world.syncs.len() {
        world.clock.advance(Duration::from_secs(3600));
        match world.run(sync, options.clone(), None)? {
            Ran::Ended(end) => {
                if let Some(error) = end.error {
                    verdict.add(
                        Word::Unaccounted,
                        "I1",
                        format!("a run fails although nothing goes wrong: {error}"),
                    );
                }
            }
            Ran::Refused(error) => verdict.add(
                Word::Unaccounted,
                "I1",
                format!("no run could begin although nothing goes wrong: {error}"),
            ),
            Ran::Stopped => {}
        }
    }
    Ok(before == (world.remote_writes(), check::hub_state(world)))
}
