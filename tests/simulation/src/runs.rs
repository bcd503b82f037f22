//! The runs of a history: their options, and what is checked of each.

use crate::check;
use crate::dice::{Dice, lock};
use crate::system::System;
use crate::tally::{Exception, Group};
use crate::verdict::{Verdict, Word};
use crate::world::{Ran, World};
use anyhow::Result;
use entente_core::Timestamp;
use entente_sync::{Clock, LedgerError, Reading, RunOptions, Scope, Side, Sides, Span, SyncError};

/// The duration of a lease, less the time that a clock reading takes.
const LEASE_MICROS: i64 = 179_000_000;

/// Every kind of a run.
pub(crate) const KINDS: [&str; 8] =
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

/// Runs a sync with drawn options, and crashes it sometimes.
pub(crate) fn run(world: &World, dice: &mut Dice, sync: usize, verdict: &mut Verdict) -> Result<()> {
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
