//! The runs of a history: their options, and what is checked of each.

use crate::check;
use crate::dice::{Dice, lock};
use crate::schema::{CITY, NAME};
use crate::system::System;
use crate::tally::{Exception, Group};
use crate::verdict::{Verdict, Word};
use crate::world::{Ran, World};
use anyhow::Result;
use entente_core::Timestamp;
use entente_sync::{
    Clock, LedgerError, Reading, Run, RunOptions, Scope, Side, Sides, Slot, Span, SyncError, Trust,
};
use std::time::Duration;

/// The duration of a lease, less the time that a clock reading takes.
const LEASE_MICROS: i64 = 179_000_000;

/// A run that ended at a safe point since its time was up.
const TIME_UP: &str = "ended since its time was up";

/// Every kind of a run.
pub(crate) const KINDS: [&str; 16] = [
    "apply",
    "changes",
    "dry",
    "dry run of an undo",
    "first time",
    "full",
    "ids",
    "window",
    "without pull",
    "without push",
    "trusts a side",
    "undo",
    "lifts the brake",
    "lifts the brake on identifiers",
    "has little time",
    TIME_UP,
];

/// The kind of a run, for the counts.
fn kind_of(options: &RunOptions) -> &'static str {
    match options.scope() {
        None if options.is_dry() => "dry run of an undo",
        None => "undo",
        _ if options.applies().is_some() => "apply",
        _ if options.trust().is_some() => "trusts a side",
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

/// Runs a sync with drawn options, and crashes it sometimes.
pub(crate) fn run(world: &World, dice: &mut Dice, sync: usize, verdict: &mut Verdict) -> Result<()> {
    let options = options(world, dice, sync);
    carry_out(world, dice, sync, options, verdict)?;
    Ok(())
}

/// Runs a sync with these options, and crashes it sometimes. Returns the run if it came to its end.
pub(crate) fn carry_out(
    world: &World,
    dice: &mut Dice,
    sync: usize,
    options: RunOptions,
    verdict: &mut Verdict,
) -> Result<Option<Run>> {
    verdict.tally.count(Group::Run, kind_of(&options));
    let with = [
        (options.lift_brake, "lifts the brake"),
        (options.lift_identifiers, "lifts the brake on identifiers"),
        (options.max_time.is_some(), "has little time"),
    ];
    with.iter().filter(|(has, _)| *has).for_each(|(_, word)| verdict.tally.count(Group::Run, word));
    let stop = dice.chance(world.character.crashes).then(|| dice.between(1, 60).unsigned_abs());
    let dry = options.is_dry();
    let before = (world.remote_writes(), check::hub_state(world));
    let edits = lock(&world.users.book).size();
    let mut ended = None;
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
        Ran::Ended(end) if matches!(end.error, Some(SyncError::TimeUp { .. })) => {
            verdict.tally.count(Group::Run, TIME_UP);
        }
        Ran::Ended(end) => {
            check::expected_error(end.error.as_ref(), verdict);
            ended = end.error.is_none().then_some(end.run);
        }
    }
    let quiet = edits == lock(&world.users.book).size();
    if dry && before != (world.remote_writes(), check::hub_state(world)) {
        if quiet {
            verdict.add(Word::Unaccounted, "I25", "a dry run wrote something".to_owned());
        } else {
            verdict.except(Exception::EditedInDryRun);
        }
    }
    Ok(ended)
}

/// Draws the options of a run.
fn options(world: &World, dice: &mut Dice, sync: usize) -> RunOptions {
    let scoped = scoped(world, dice, sync);
    RunOptions {
        lift_brake: dice.chance(10),
        lift_identifiers: dice.chance(10),
        max_time: dice.chance(10).then(|| Duration::from_millis(dice.between(1, 300).unsigned_abs())),
        ..scoped
    }
}

fn scoped(world: &World, dice: &mut Dice, sync: usize) -> RunOptions {
    let normal = RunOptions::default();
    match dice.below(20) {
        9 => {
            let side = if dice.chance(50) { Side::Left } else { Side::Right };
            let reading = if dice.chance(50) { Reading::Full } else { Reading::Changes };
            let mapping = world.syncs[sync].mappings[0].id;
            let fields =
                if dice.chance(50) { vec![(mapping, Slot(NAME)), (mapping, Slot(CITY))] } else { Vec::new() };
            RunOptions::sync(Scope::Whole { reading, trust: Some(Trust { side, fields }) })
        }
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
