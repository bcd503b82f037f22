//! Reruns: what the operator asks for a run that was: an apply of a dry run, an undo of a run and its dry run; and a run of a
//! record by its id as soon as it has been made, on both sides. They come in between the operations of a history, from dice
//! of their own, so that a history without them stays what it is.

use crate::dice::Dice;
use crate::runs;
use crate::schema::{COMPANY, PERSON};
use crate::system::System;
use crate::tally::{Group, Tally};
use crate::tape::drive;
use crate::verdict::Verdict;
use crate::world::World;
use anyhow::{Context as _, Result};
use entente_sync::{
    ChangeFilter, ChangeStatus, Notice, OperatorLedger as _, Reading, Run, RunId, RunKind, RunOptions,
    RunStatus, Scope, Side, Sides,
};
use std::collections::BTreeSet;

/// More runs than a history has.
const ALL: usize = 1_000_000;

/// Part of the seed of the dice for applies, and of those for undos.
const APPLIES: u64 = 0x6170_706C_7920_6120;
const UNDOES: u64 = 0x756E_646F_2061_2072;
const MEETS: u64 = 0x6D65_6574_2061_7420;

/// The share of histories that have undos, in percent.
const UNDO_HISTORIES: u64 = 20;

/// How often it comes after an operation, in percent.
const OFTEN: u64 = 15;

/// An undo that executed something.
const UNDID: &str = "undid something";
/// An apply that executed something.
const APPLIED: &str = "applied something";
/// An undo that waits for leave to delete.
const ASKED: &str = "undo without leave to delete";

/// A run just after a record was made on both sides.
const MET: &str = "just after both sides made a record";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rerun {
    Apply,
    Undo,
    Meet,
}

/// A dry run whose plan may be applied.
struct Planned {
    sync: usize,
    run: Run,
}

/// What is asked for in a history, and what the operator knows of it.
pub(crate) struct Reruns {
    applies: Option<Dice>,
    undoes: Option<Dice>,
    meets: Option<Dice>,
    /// The last dry run of each sync.
    planned: Vec<Planned>,
    /// What the last dry run of an undo has told: the sync, the run and its number of deletes.
    told: Option<(usize, RunId, u64)>,
}

impl Reruns {
    /// `late`: a remote system is searched, also where everything is synced, and its index lags.
    pub(crate) fn draw(seed: u64, late: bool) -> Self {
        let of = |part: u64, share: u64| {
            let mut dice = Dice::new(seed ^ part);
            dice.chance(share).then_some(dice)
        };
        Self {
            applies: of(APPLIES, 20),
            undoes: of(UNDOES, UNDO_HISTORIES),
            meets: of(MEETS, if late { 100 } else { 25 }),
            planned: Vec::new(),
            told: None,
        }
    }

    pub(crate) fn note(&self, tally: &mut Tally) {
        tally.list(Group::Run, [APPLIED, UNDID, ASKED, MET]);
        for (word, has) in [
            ("applies of dry runs", self.applies.is_some()),
            ("undos of runs", self.undoes.is_some()),
            ("runs just after both sides made one", self.meets.is_some()),
        ] {
            tally.list(Group::Policy, [word]);
            if has {
                tally.count(Group::Policy, word);
            }
        }
    }

    /// What comes next, after an operation.
    pub(crate) fn due(&mut self) -> Vec<Rerun> {
        let mut due = Vec::new();
        for (dice, which) in [
            (&mut self.applies, Rerun::Apply),
            (&mut self.undoes, Rerun::Undo),
            (&mut self.meets, Rerun::Meet),
        ] {
            if dice.as_mut().is_some_and(|dice| dice.chance(OFTEN)) {
                due.push(which);
            }
        }
        due
    }

    /// What the steps of these draw from.
    pub(crate) fn dice(&mut self, which: Rerun) -> &mut Dice {
        match which {
            Rerun::Apply => self.applies.get_or_insert_with(|| Dice::new(APPLIES)),
            Rerun::Undo => self.undoes.get_or_insert_with(|| Dice::new(UNDOES)),
            Rerun::Meet => self.meets.get_or_insert_with(|| Dice::new(MEETS)),
        }
    }

    pub(crate) fn rerun(
        &mut self,
        which: Rerun,
        world: &World,
        dice: &mut Dice,
        verdict: &mut Verdict,
    ) -> Result<()> {
        match which {
            Rerun::Apply => self.apply(world, dice, verdict),
            Rerun::Undo => self.undo(world, dice, verdict),
            Rerun::Meet => meet(world, dice, verdict),
        }
    }

    /// Applies the plan of the last dry run, or makes one.
    fn apply(&mut self, world: &World, dice: &mut Dice, verdict: &mut Verdict) -> Result<()> {
        let kept = if self.planned.is_empty() || dice.chance(25) {
            None
        } else {
            Some(self.planned.remove(dice.below(self.planned.len())))
        };
        let Some(Planned { sync, run }) = kept else {
            let sync = dice.below(world.syncs.len());
            let options = plan(dice);
            let ended = runs::carry_out(world, dice, sync, options, verdict)?;
            // Only the plan of the last dry run is applied.
            self.planned.retain(|planned| planned.sync != sync);
            self.planned.extend(ended.map(|run| Planned { sync, run }));
            return Ok(());
        };
        if self.overtaken(world, sync, &run)? {
            return Ok(());
        }
        let RunKind::Plan { scope } = run.options.kind.clone() else { return Ok(()) };
        let options = RunOptions { kind: RunKind::Apply { plan: run.id, scope }, ..run.options.clone() };
        let ended = runs::carry_out(world, dice, sync, options, verdict)?;
        if ended.is_some_and(|end| end.writes() > 0) {
            verdict.tally.count(Group::Run, APPLIED);
        } else if dice.chance(50) {
            // One that did not come to its end may be asked for again.
            self.planned.push(Planned { sync, run });
        }
        Ok(())
    }

    /// Whether the plan is that of the newest dry run no longer, or has been applied.
    fn overtaken(&self, world: &World, sync: usize, plan: &Run) -> Result<bool> {
        let runs = runs_of(world, sync)?;
        let mut later = runs.iter().filter(|later| later.id > plan.id && later.status == RunStatus::Done);
        Ok(later.any(|later| {
            matches!(later.options.kind, RunKind::Plan { .. }) || later.options.applies() == Some(plan.id)
        }))
    }

    /// Undoes a run, with and without leave for its deletes, or tells what that would do.
    fn undo(&mut self, world: &World, dice: &mut Dice, verdict: &mut Verdict) -> Result<()> {
        if let Some((sync, run, deletes)) = self.told.take() {
            return undo_run(world, dice, sync, run, deletes, verdict);
        }
        let sync = dice.below(world.syncs.len());
        let runs = undoable(world, sync)?;
        let newest = dice.chance(50);
        let Some(&run) = (if newest { runs.first() } else { dice.pick(&runs) }) else { return Ok(()) };
        if dice.chance(25) {
            let agreed = dice.below(4) as u64;
            return undo_run(world, dice, sync, run, agreed, verdict);
        }
        let kept = crate::check::ledger_state(world)?;
        let ended = runs::carry_out(world, dice, sync, RunKind::PlanUndo { run }.into(), verdict)?;
        crate::check::untouched(world, &kept, verdict)?;
        let Some(end) = ended else { return Ok(()) };
        let told = end.notices.iter().find_map(|notice| match notice {
            Notice::DeletesNotAgreed { deletes, .. } => Some(*deletes),
            _ => None,
        });
        if dice.chance(50) {
            return undo_run(world, dice, sync, run, told.unwrap_or(0), verdict);
        }
        self.told = Some((sync, run, told.unwrap_or(0)));
        Ok(())
    }
}

/// Makes a record on both sides, and syncs one of the two by its id at once, or everything: a search for the other one comes
/// before its index is up to date. Sometimes the other one is another one by then, or gone. Or a new person gets the address
/// that another one had on both sides.
fn meet(world: &World, dice: &mut Dice, verdict: &mut Verdict) -> Result<()> {
    let (users, sync) = (&world.users, dice.below(world.syncs.len()));
    let side = if dice.chance(50) { Side::Left } else { Side::Right };
    let places = users.links[sync].places;
    let known = places.map(|place| ids(&users.systems[place]));
    let handed_on = dice.chance(50);
    drive(async {
        if handed_on { users.hand_on(sync, side).await } else { users.create_on_both(sync).await }
    })
    .context("a person waits for something that never comes")?;
    let new = Sides::by(|side| {
        let mut now = ids(&users.systems[places[side]]);
        now.retain(|record| !known[side].contains(record));
        now
    });
    let other = new[side.other()].first().filter(|_| dice.chance(30));
    if let Some((object, id)) = other {
        let at = places[side.other()];
        let gone = dice.chance(30);
        drive(async {
            if gone { users.remove(at, *object, id).await } else { users.readdress(at, *object, id).await }
        })
        .context("a person waits for something that never comes")?;
    }
    let system = &users.systems[places[side]];
    let readable = match system {
        System::Hub(_) => true,
        System::Remote(remote) => remote.manners.by_id,
    };
    let by_id = dice.chance(if handed_on { 20 } else { 70 });
    let options = if readable && !new[side].is_empty() && by_id {
        let name = |(object, id): &(usize, String)| (system.words().object(*object).to_owned(), id.clone());
        let mut named = Sides::new(Vec::new(), Vec::new());
        named[side] = new[side].iter().map(name).collect();
        RunOptions::sync(Scope::Ids(named))
    } else {
        RunOptions::default()
    };
    verdict.tally.count(Group::Run, MET);
    runs::carry_out(world, dice, sync, options, verdict)?;
    Ok(())
}

/// The live records of a system, by object and id.
fn ids(system: &System) -> BTreeSet<(usize, String)> {
    let of = |object: usize| {
        let records = drive(system.records(object)).unwrap_or_default();
        records.into_iter().map(move |record| (object, record.id))
    };
    of(PERSON).chain(of(COMPANY)).collect()
}

fn undo_run(
    world: &World,
    dice: &mut Dice,
    sync: usize,
    run: RunId,
    deletes_agreed: u64,
    verdict: &mut Verdict,
) -> Result<()> {
    let options = RunKind::Undo { run, deletes_agreed }.into();
    let Some(end) = runs::carry_out(world, dice, sync, options, verdict)? else { return Ok(()) };
    if end.writes() > 0 {
        verdict.tally.count(Group::Run, UNDID);
    }
    if end.notices.iter().any(|notice| matches!(notice, Notice::DeletesNotAgreed { .. })) {
        verdict.tally.count(Group::Run, ASKED);
    }
    Ok(())
}

/// The options of a dry run.
fn plan(dice: &mut Dice) -> RunOptions {
    let scope = if dice.chance(20) { Scope::from(Reading::Full) } else { Scope::default() };
    let way = dice.below(10);
    RunOptions { disable_push: way == 0, disable_pull: way == 1, ..RunOptions::plan(scope) }
}

/// The runs of a sync, newest first.
fn runs_of(world: &World, sync: usize) -> Result<Vec<Run>> {
    let name = world.syncs[sync].name.as_str();
    Ok(drive(world.ledger.inner.runs(Some(name), None, ALL)).context("the ledger waits for something")??)
}

/// The runs of a sync that have written something, newest first.
fn undoable(world: &World, sync: usize) -> Result<Vec<RunId>> {
    let done = ChangeFilter::of(ChangeStatus::Done);
    let mut found = Vec::new();
    for run in runs_of(world, sync)?.iter().filter(|run| !run.options.is_dry()) {
        let changes = drive(world.ledger.inner.changes_of_run(run.id, &done, 0, 1));
        if !changes.context("the ledger waits for something")??.is_empty() {
            found.push(run.id);
        }
    }
    Ok(found)
}
