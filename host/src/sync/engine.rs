//! A run from its lease to its last count.

use super::definition::SyncDefinition;
use super::env::{Clock, Randomness};
use super::error::SyncError;
use super::exchange::{Description, Exchange};
use super::ledger::{Ledger, LedgerError, Requeue};
use super::limits;
use super::observer::Observer;
use super::pair::Side;
use super::run::{Run, RunOptions, RunStatus};
use super::session::{Session, Tries};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What a run works with.
pub struct Engine<'a> {
    /// The memory.
    pub ledger: &'a dyn Ledger,
    /// The two sides, left and right.
    pub exchanges: [&'a dyn Exchange; 2],
    /// The time.
    pub clock: &'a dyn Clock,
    /// Chance.
    pub randomness: &'a dyn Randomness,
    /// Who listens.
    pub observer: &'a dyn Observer,
    /// Set to end the run at the next safe point.
    pub stop: &'a AtomicBool,
    /// Who runs, for those who find the lease taken: a process and a machine, say.
    pub holder: &'a str,
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// How a run ended: what it did, and the error that ended it early.
#[derive(Debug)]
pub struct RunEnd {
    /// The run with its counts.
    pub run: Run,
    /// Why it ended before its end; `None`: it did not.
    pub error: Option<SyncError>,
}

impl Engine<'_> {
    /// Runs a sync once. What is committed by the time of an error stays, and the next run goes on from there.
    ///
    /// # Errors
    /// Where no run could even begin: the lease is taken, or the ledger fails.
    pub async fn run(&self, definition: &SyncDefinition, options: RunOptions) -> Result<RunEnd, SyncError> {
        let lease = loop {
            match self.ledger.acquire(&definition.relation, self.holder, self.clock.now(), limits::LEASE).await {
                Ok(lease) => break lease,
                Err(LedgerError::Busy { .. }) if options.wait => self.clock.sleep(limits::LEASE_POLL).await,
                Err(error) => return Err(error.into()),
            }
        };
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
            descriptions: [Description::default(), Description::default()],
            listed: [Vec::new(), Vec::new()],
            broken: None,
            read: [BTreeMap::new(), BTreeMap::new()],
            fresh: BTreeMap::new(),
            again: false,
            pause: Duration::ZERO,
        };
        let error = match session.work().await {
            Ok(()) => session.broken.take(),
            Err(error) => Some(error),
        };
        session.end(error).await
    }
}

impl Session<'_> {
    async fn work(&mut self) -> Result<(), SyncError> {
        self.describe().await?;
        self.recover().await?;
        for side in Side::BOTH {
            if let Err(error) = self.collect(side).await {
                match error {
                    // What was read stays. The other side is still read, so that what needs no more can go on.
                    SyncError::Exchange { .. } | SyncError::Broken { .. } if self.broken.is_none() => self.broken = Some(error),
                    error => return Err(error),
                }
            }
        }
        if self.broken.is_none() {
            self.meet().await?;
            self.ask_again().await?;
        }
        for pass in 0..limits::PASSES {
            self.again = false;
            self.reconcile(pass == 0).await?;
            if self.run.options.dry_run {
                break;
            }
            self.execute().await?;
            if !self.again || pass + 1 == limits::PASSES {
                break;
            }
            if !self.pause.is_zero() {
                self.engine.clock.sleep(std::mem::take(&mut self.pause)).await;
            }
        }
        for (mapping, mut pairs) in std::mem::take(&mut self.fresh) {
            pairs.sort_unstable();
            pairs.dedup();
            let Some(mapping) = self.definition.mapping(mapping) else { continue };
            let counts = self.run.count(Side::Left, mapping.object(Side::Left));
            counts.pending += pairs.len() as u64;
            *counts
                .reasons
                .entry("changed once more, or waits for another record; decided again in the next run".to_owned())
                .or_default() += pairs.len() as u64;
        }
        Ok(())
    }

    /// What was held for want of a proof is looked at again by a run that may have it.
    async fn ask_again(&mut self) -> Result<(), SyncError> {
        if !self.run.options.follows_bookmarks() {
            return Ok(());
        }
        let mut unit = self.begin().await?;
        for mapping in &self.definition.mappings {
            unit.requeue(mapping.id, Requeue::Held(super::intake::held::ABSENCE)).await?;
        }
        Ok(unit.commit().await?)
    }

    /// Asks both sides what they have now, and checks that the mapped objects are among it.
    async fn describe(&mut self) -> Result<(), SyncError> {
        for side in Side::BOTH {
            // Every object is counted, also where there is nothing to count.
            for mapping in &self.definition.mappings {
                self.run.count(side, mapping.object(side));
            }
            let mut tries = Tries::default();
            let description = loop {
                match self.exchange(side).describe().await {
                    Ok(description) => break description,
                    Err(error) if self.wait_out(side, &error, &mut tries).await? => {}
                    Err(error) => return Err(self.failed(side, "describe its objects", error)),
                }
            };
            for mapping in &self.definition.mappings {
                if description.object(mapping.object(side)).is_none() {
                    let known: Vec<&str> = description.objects.iter().map(|object| object.name.as_str()).collect();
                    return Err(SyncError::NoSuchObject {
                        exchange: self.exchange(side).name().to_owned(),
                        object: mapping.object(side).to_owned(),
                        known: known.join(", "),
                        sync: self.definition.name.clone(),
                    });
                }
            }
            self.descriptions[side.index()] = description;
        }
        Ok(())
    }

    async fn end(mut self, error: Option<SyncError>) -> Result<RunEnd, SyncError> {
        self.run.ended = Some(self.now());
        self.run.status = match &error {
            None => RunStatus::Done,
            Some(SyncError::Stopped | SyncError::TimeUp) => RunStatus::Interrupted,
            Some(_) => RunStatus::Failed,
        };
        for (side, read) in Side::BOTH.into_iter().zip(std::mem::take(&mut self.read)) {
            for (object, read) in read {
                let counts = self.run.count(side, &object);
                counts.unchanged = read.saturating_sub(counts.updated + counts.pending + counts.held + counts.failed + counts.excluded);
            }
        }
        self.run.error = error.as_ref().map(ToString::to_string);
        if !matches!(error, Some(SyncError::Ledger(LedgerError::Fenced { .. }))) {
            let mut unit = self.begin().await?;
            unit.save_run(&self.run).await?;
            unit.commit().await?;
            self.engine.ledger.release(&self.lease).await?;
        }
        Ok(RunEnd { run: self.run, error })
    }
}
