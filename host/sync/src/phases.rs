//! Phases: a run from acquiring its lease to storing its counts.

use super::definition::SyncDefinition;
use super::engine::{Engine, RunEnd};
use super::error::SyncError;
use super::ledger::{Lease, LedgerError, Requeue};
use super::limits;
use super::open::OpenCreates;
use super::options::{RunKind, RunOptions, Scope};
use super::reason::{Code, Reason};
use super::rehearsal::Rehearsal;
use super::run::{Run, RunStatus};
use super::session::{Session, Tries};
use entente_core::{Side, Sides};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

impl Engine<'_> {
    /// Runs a sync once. What is committed before an error stays, and the next run resumes from there; such
    /// an error is in [`RunEnd::error`].
    ///
    /// # Errors
    /// If the run cannot start or end in the ledger: another run holds the lease, or the ledger fails. If the
    /// options name a record of an object that the sync does not map; then no run is recorded.
    pub async fn run(&self, definition: &SyncDefinition, options: RunOptions) -> Result<RunEnd, SyncError> {
        check_named(definition, &options)?;
        if let RunKind::PlanUndo { .. } = options.kind {
            let rehearsal = Rehearsal::of(self.ledger);
            return Engine { ledger: &rehearsal, ..*self }.run_on(definition, options).await;
        }
        self.run_on(definition, options).await
    }

    async fn run_on(&self, definition: &SyncDefinition, options: RunOptions) -> Result<RunEnd, SyncError> {
        let lease = self.lease(definition, &options).await?;
        let now = self.clock.now();
        let run = Run::new(definition.name.clone(), definition.relation.clone(), options, now);
        let run = match self.ledger.start_run(&lease, run).await {
            Ok(run) => run,
            Err(error) => {
                self.ledger.release(&lease).await?;
                return Err(error.into());
            }
        };
        let mut session = Session {
            engine: self,
            definition,
            run,
            lease,
            leased: now,
            descriptions: Sides::default(),
            listed: Sides::default(),
            read_error: None,
            read: Sides::default(),
            told: 0,
            read_pairs: BTreeMap::new(),
            revisits: BTreeMap::new(),
            unfound: Sides::default(),
            ended: Sides::default(),
            another_pass: false,
            pause: None,
            trust: None,
            parked: BTreeSet::new(),
            rekey: Sides::default(),
            read_from: Sides::default(),
            found_landed: Vec::new(),
            order_caps: HashMap::new(),
            failed_alone: false,
            orders_found_out: 0,
            stale: BTreeMap::new(),
            probed: BTreeSet::new(),
            unreported: BTreeSet::new(),
            doubted: Sides::default(),
            taken: Vec::new(),
            refused_once: HashSet::new(),
            keys_given_up: false,
            by_way_of_blank: HashMap::new(),
            forgotten: HashSet::new(),
            replaced: Sides::default(),
            became: Sides::default(),
            untold: HashSet::new(),
            found_out: HashSet::new(),
            open_creates: OpenCreates::default(),
        };
        let _kept = self.ledger.keep(&session.lease, limits::LEASE);
        let error = match self.within_grace(session.work()).await {
            Ok(()) => session.read_error.take(),
            Err(error) => Some(error),
        };
        session.end(error).await
    }

    /// Takes the lease of the relation, waiting for it where that was asked for.
    async fn lease(&self, definition: &SyncDefinition, options: &RunOptions) -> Result<Lease, SyncError> {
        loop {
            match self
                .ledger
                .acquire(&definition.relation, self.holder, self.clock.now(), limits::LEASE)
                .await
            {
                Ok(lease) => return Ok(lease),
                Err(LedgerError::Busy { .. }) if options.wait => {
                    self.pause(limits::LEASE_POLL).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Checks that the sync maps the objects of all records that the operator named.
fn check_named(definition: &SyncDefinition, options: &RunOptions) -> Result<(), SyncError> {
    let Some(Scope::Ids(named)) = options.scope() else { return Ok(()) };
    for side in Side::BOTH {
        let known: Vec<&str> = definition.mappings.iter().map(|mapping| mapping.object(side)).collect();
        if let Some((object, _)) = named[side].iter().find(|(object, _)| !known.contains(&object.as_str())) {
            return Err(SyncError::NotMapped {
                exchange: definition.exchanges[side].clone(),
                object: object.clone(),
                known: known.join(", "),
                sync: definition.name.clone(),
            });
        }
    }
    Ok(())
}

impl Session<'_> {
    /// The phases: schema check, recovery, collect (or the plan of an undo), then passes of reconcile and
    /// execute.
    async fn work(&mut self) -> Result<(), SyncError> {
        self.describe().await?;
        for side in Side::BOTH {
            let objects = self.engine.ledger.progress(&self.definition.name, side).await?.objects.into_iter();
            self.read_from[side] =
                objects.filter_map(|(object, position)| Some((object, position.read_from?))).collect();
        }
        self.check_schema().await?;
        self.trust_side().await?;
        self.recover().await?;
        self.load_open_creates().await?;
        match self.run.options.kind {
            RunKind::Undo { run, deletes_agreed } => self.plan_undo(run, Some(deletes_agreed)).await?,
            RunKind::PlanUndo { run } => self.plan_undo(run, None).await?,
            _ => self.read_both().await?,
        }
        for pass in 0..limits::PASSES {
            self.another_pass = false;
            if self.run.options.undoes().is_none() || pass > 0 {
                self.brake_strangers(pass == 0).await?;
                self.reconcile(pass == 0).await?;
                self.brake().await?;
            }
            if self.run.options.is_dry() {
                break;
            }
            self.execute().await?;
            self.untangle(pass + 1 == limits::PASSES).await?;
            let given_up = std::mem::take(&mut self.keys_given_up);
            if given_up && self.run.options.follows_bookmarks() && self.read_error.is_none() {
                self.release_duplicates(true).await?;
            }
            if self.run.options.undoes().is_some() || !self.another_pass || pass + 1 == limits::PASSES {
                break;
            }
            if let Some((side, pause)) = self.pause.take() {
                self.wait(side, pause, "until what it put off may be tried again").await?;
            }
        }
        self.save_landed().await?;
        self.drop_unmatched_plan().await?;
        if self.run.options.waits_until_settled() {
            self.wait_for_deferred().await?;
        }
        for (mapping, mut pairs) in std::mem::take(&mut self.revisits) {
            pairs.sort_unstable();
            pairs.dedup();
            let Some(mapping) = self.definition.mapping(mapping) else { continue };
            let counts = self.run.count(Side::Left, mapping.object(Side::Left));
            counts.pending += pairs.len() as u64;
            counts.because_of(&Reason::DecidedAgain, pairs.len() as u64);
        }
        self.end_trust().await
    }

    /// Collect phase: reads both reports, then the counterparts of what was reported, and treats records that
    /// are absent from a complete listing as deleted.
    async fn read_both(&mut self) -> Result<(), SyncError> {
        for side in Side::BOTH {
            if let Err(error) = self.collect(side).await {
                match error {
                    // The pages that were read stay. The other side is still read, so that pairs read on both
                    // sides can be decided.
                    SyncError::Exchange { .. } | SyncError::Broken { .. } if self.read_error.is_none() => {
                        self.read_error = Some(error)
                    }
                    error => return Err(error),
                }
            }
        }
        if self.read_error.is_none() {
            self.read_awaited().await?;
            self.fetch_missing_halves().await?;
            if self.run.options.follows_bookmarks() {
                for side in Side::BOTH {
                    self.find_absent(side).await?;
                }
                self.release_duplicates(false).await?;
                self.requeue_waiting().await?;
                // After those that wait are in the work queue again.
                self.release_unmade().await?;
            }
        }
        Ok(())
    }

    /// Puts waiting pairs back into the work queue in a run that reads both sides to the end: pairs that were
    /// held for want of proof or by the deletion guard, failed pairs whose backoff has passed, open
    /// conflicts.
    async fn requeue_waiting(&mut self) -> Result<(), SyncError> {
        let now = self.now();
        let all = self.trust.as_ref().is_some_and(|standing| standing.open.is_none());
        let mut unit = self.begin().await?;
        for mapping in &self.definition.mappings {
            for code in [Code::AbsenceNotProven, Code::NotCheckable, Code::Brake] {
                unit.requeue(mapping.id, Requeue::Held(code)).await?;
            }
            unit.requeue(mapping.id, Requeue::Parked(Code::ParentGone)).await?;
            unit.requeue(mapping.id, Requeue::Due(now)).await?;
            unit.requeue(mapping.id, Requeue::InConflict).await?;
            if all {
                unit.requeue(mapping.id, Requeue::Linked).await?;
            }
        }
        Ok(unit.commit_soon().await?)
    }

    /// Reads the schemas of both sides and checks that they have the mapped objects.
    async fn describe(&mut self) -> Result<(), SyncError> {
        for side in Side::BOTH {
            // Every mapped object appears in the counts, also with zeros.
            for mapping in &self.definition.mappings {
                self.run.count(side, mapping.object(side));
            }
            let mut tries = Tries::default();
            let description = loop {
                match self.exchange(side).describe().await {
                    Ok(description) => break description,
                    Err(error) if self.back_off(side, &error, &mut tries).await? => {}
                    Err(error) => return Err(self.call_failed(side, "describe its objects", error)),
                }
            };
            for mapping in &self.definition.mappings {
                if description.object(mapping.object(side)).is_none() {
                    let known: Vec<&str> =
                        description.objects.iter().map(|object| object.name.as_str()).collect();
                    return Err(SyncError::NoSuchObject {
                        exchange: self.exchange(side).name().to_owned(),
                        object: mapping.object(side).to_owned(),
                        known: known.join(", "),
                        sync: self.definition.name.clone(),
                    });
                }
            }
            self.descriptions[side] = description;
        }
        Ok(())
    }

    async fn end(mut self, error: Option<SyncError>) -> Result<RunEnd, SyncError> {
        self.run.ended = Some(self.now());
        self.run.status = match &error {
            None => RunStatus::Done,
            Some(SyncError::Stopped | SyncError::TimeUp { .. } | SyncError::Spent(_)) => {
                RunStatus::Interrupted
            }
            Some(_) => RunStatus::Failed,
        };
        for (side, read) in Side::BOTH.into_iter().zip(std::mem::take(&mut self.read)) {
            for (object, read) in read {
                let counts = self.run.count(side, &object);
                counts.unchanged = read.saturating_sub(
                    counts.updated + counts.pending + counts.held + counts.failed + counts.excluded,
                );
            }
        }
        self.run.error = error.as_ref().map(SyncError::message);
        if !matches!(error, Some(SyncError::Ledger(LedgerError::Fenced { .. }))) {
            let mut unit = self.begin().await?;
            unit.save_run(&self.run).await?;
            unit.commit().await?;
            self.engine.ledger.release(&self.lease).await?;
        }
        Ok(RunEnd { run: self.run, error })
    }
}
