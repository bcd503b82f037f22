//! A history: operations of users and syncs drawn from a seed, then convergence.

use crate::character::Character;
use crate::check;
use crate::dice::{Dice, lock};
use crate::system::System;
use crate::tally::{Exception, Group};
use crate::verdict::{Verdict, Violation, Word};
use crate::world::{Ran, World};
use anyhow::Result;
use entente_core::Timestamp;
use entente_sync::{Clock, LedgerError, Reading, RunOptions, Scope, Side, Sides, Span, SyncError};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The duration of a lease, less the time that a clock reading takes.
const LEASE_MICROS: i64 = 179_000_000;

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
    let character = Character::draw(&mut dice);
    verdict.tally.note_character(&character);
    verdict.tally.list(Group::Operation, (0..KINDS).map(named));
    verdict.tally.list(Group::Run, RUNS);
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
        let Some(mut own) = step(&world, &mut dice, without, verdict) else { continue };
        verdict.operations += 1;
        operation(&world, &mut own, verdict)?;
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

/// One operation: of a user, of a sync, or a passage of time.
fn operation(world: &World, dice: &mut Dice, verdict: &mut Verdict) -> Result<()> {
    let users = &world.users;
    let place = dice.below(users.systems.len());
    let sync = dice.below(world.syncs.len());
    let kind = dice.below(KINDS);
    // A merge that is not drawn does nothing.
    if named(kind) != MERGE || users.merges {
        verdict.tally.count(Group::Operation, named(kind));
    }
    let done = match kind {
        0..=23 => crate::tape::drive(users.edit(place)),
        24..=31 => crate::tape::drive(users.contest(sync)),
        32..=35 => crate::tape::drive(users.blank(place)),
        36..=42 => crate::tape::drive(users.tag(place)),
        43..=47 => crate::tape::drive(users.employ(place)),
        48..=54 => crate::tape::drive(users.create(place, crate::schema::PERSON, None)),
        55..=56 => crate::tape::drive(users.create(place, crate::schema::COMPANY, None)),
        57..=60 => crate::tape::drive(users.create_on_both(sync)),
        61 => crate::tape::drive(users.duplicate(place)),
        62 => crate::tape::drive(users.swap(place)),
        63..=65 => crate::tape::drive(users.delete(place)),
        66 => crate::tape::drive(users.merge(place)),
        67..=68 => crate::tape::drive(users.recreate()),
        69..=71 => {
            world.clock.advance(Duration::from_secs(dice.between(1, 100_000).unsigned_abs()));
            Some(())
        }
        _ => {
            run(world, dice, sync, verdict)?;
            Some(())
        }
    };
    world.clock.advance(Duration::from_secs(dice.between(0, 600).unsigned_abs()));
    done.ok_or_else(|| anyhow::anyhow!("a person waits for something that never comes"))
}

/// The end of the numbers from which an operation is drawn.
const KINDS: usize = 100;

/// The name of the operation that joins two people.
const MERGE: &str = "merge two people";

/// The name of an operation, for the counts.
fn named(kind: usize) -> &'static str {
    match kind {
        0..=23 => "edit a field",
        24..=31 => "edit one field on both sides",
        32..=35 => "clear a field",
        36..=42 => "put a tag on or take it off",
        43..=47 => "set a reference",
        48..=54 => "make a person",
        55..=56 => "make a company",
        57..=60 => "make the same record on both sides",
        61 => "make a duplicate",
        62 => "swap two addresses",
        63..=65 => "delete a record",
        66 => MERGE,
        67..=68 => "make a deleted record again",
        69..=71 => "let time pass",
        _ => "run a sync",
    }
}

/// Every kind of a run.
const RUNS: [&str; 8] =
    ["changes", "dry", "first time", "full", "ids", "window", "without pull", "without push"];

/// The kind of a run, for the counts.
fn kind_of(options: &RunOptions) -> &'static str {
    match options.scope() {
        Some(Scope::Window(_)) => "window",
        Some(Scope::Ids(_)) => "ids",
        _ if options.is_dry() => "dry",
        _ if options.is_first_time() => "first time",
        _ if options.reading() == Some(Reading::Full) => "full",
        _ if options.disable_push => "without push",
        _ if options.disable_pull => "without pull",
        _ => "changes",
    }
}

fn run(world: &World, dice: &mut Dice, sync: usize, verdict: &mut Verdict) -> Result<()> {
    let options = options(world, dice, sync);
    verdict.tally.count(Group::Run, kind_of(&options));
    let stop = dice.chance(world.character.crashes).then(|| dice.between(1, 60).unsigned_abs());
    let dry = options.is_dry();
    let before = (world.remote_writes(), check::hub_state(world));
    let edits = lock(&world.users.book).size();
    match world.run(sync, options, stop)? {
        Ran::Stopped => {
            verdict.crashes += 1;
            verdict.tally.count(Group::Fault, "crash");
            let leased = lock(&world.ledger.shared).leased.micros();
            let over = world.clock.now().micros() - leased >= LEASE_MICROS;
            // The lease of the crashed run still excludes others.
            if !over
                && dice.chance(20)
                && !matches!(
                    world.run(sync, RunOptions::default(), None)?,
                    Ran::Refused(SyncError::Ledger(LedgerError::Busy { .. }))
                )
            {
                verdict.add(
                    Word::Unaccounted,
                    "I24",
                    "a run began although the lease of another one was not over".to_owned(),
                );
            }
            world.outlive_lease();
        }
        Ran::Refused(error) => verdict.add(Word::Unaccounted, "I1", format!("no run could begin: {error}")),
        Ran::Ended(end) => check::expected_error(end.error.as_ref(), verdict),
    }
    let quiet = edits == lock(&world.users.book).size();
    if dry && before != (world.remote_writes(), check::hub_state(world)) {
        if quiet {
            verdict.add(Word::Unaccounted, "I25", "a dry run wrote something".to_owned());
        } else {
            verdict.except(Exception::EditedInDryRun);
        }
    }
    Ok(())
}

/// Draws the options of a run.
fn options(world: &World, dice: &mut Dice, sync: usize) -> RunOptions {
    let normal = RunOptions::default();
    match dice.below(20) {
        0 => RunOptions::sync(Reading::Full),
        1 => RunOptions::sync(Reading::FirstTime),
        2 => RunOptions { disable_push: true, ..normal },
        3 => RunOptions { disable_pull: true, ..normal },
        4 => RunOptions::plan(Scope::default()),
        5..=6 => {
            let now = world.clock.now().micros();
            let since = now - dice.between(600, 200_000) * 1_000_000;
            let until = if dice.chance(50) { now } else { since + dice.between(600, 100_000) * 1_000_000 };
            let (since, until) = (Timestamp::from_micros(since), Timestamp::from_micros(until));
            RunOptions::sync(Scope::Window(Span::Between(since, until)))
        }
        7..=8 => {
            let mut ids = Sides::new(Vec::new(), Vec::new());
            for side in Side::BOTH {
                let system = &world.users.systems[world.users.links[sync].places[side]];
                let readable = match system {
                    System::Hub(_) => true,
                    System::Remote(remote) => remote.manners.by_id,
                };
                if !readable {
                    continue;
                }
                let object = crate::schema::PERSON;
                let records = crate::tape::drive(system.records(object)).unwrap_or_default();
                for _ in 0..dice.below(3) {
                    if let Some(record) = dice.pick(&records) {
                        ids[side].push((system.words().object(object).to_owned(), record.id.clone()));
                    }
                }
            }
            if ids.iter().all(Vec::is_empty) { normal } else { RunOptions::sync(Scope::Ids(ids)) }
        }
        _ => normal,
    }
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
    if !calm_round(world, RunOptions::default(), verdict)? {
        verdict.add(Word::Unaccounted, "I2", "one more run wrote something".to_owned());
    }
    check::check(world, false, verdict)?;
    verdict.pairs.clear();
    // A complete listing releases what was held for a missing proof of absence; a further one changes
    // nothing.
    come_to_rest(world, true, verdict)?;
    // The listing may have resolved what made records fail.
    for _ in 0..MOST_TRIES {
        if !check::failed_will_be_tried(world) {
            break;
        }
        world.clock.advance(LONGEST_PAUSE);
        come_to_rest(world, false, verdict)?;
    }
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
