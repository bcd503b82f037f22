//! Ledger: the memory of the engine (pairs, progress, plans, runs), which it reaches through these traits only.

use super::change::{Change, ChangeStatus, Conflict, Ruling, Weight};
use super::definition::Braked;
use super::description::Description;
use super::number::{MappingId, PairId, RunId};
use super::options::Trust;
use super::pair::{MatchKey, Pair};
use super::progress::Progress;
use super::reason::{Code, Reason};
use super::remedy::Remedy;
use super::report::StateWrites;
use super::run::Run;
use async_trait::async_trait;
use entente_core::{Side, Timestamp};
use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why the ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another run holds the lease.
    #[error("another run holds '{relation}' ({holder}, until {until})")]
    Busy {
        /// The relation.
        relation: String,
        /// Who holds it.
        holder: String,
        /// Until when, unless renewed.
        until: Timestamp,
    },
    /// The lease has gone to another run meanwhile; nothing was written.
    #[error("this run has lost its lease on '{relation}' to another one and wrote nothing more")]
    Fenced {
        /// The relation.
        relation: String,
    },
    /// The database failed.
    #[error("the database could not {doing}: {why}")]
    Store {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        why: String,
    },
}

impl LedgerError {
    /// What can be done about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            LedgerError::Busy { .. } => vec![Remedy::Wait],
            LedgerError::Fenced { .. } | LedgerError::Store { .. } => Vec::new(),
        }
    }
}

/// The right of one run to write, with the number that every commit checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub relation: String,
    /// Grows with each holder.
    pub fence: i64,
}

/// Which pairs are put back to `todo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeue {
    /// Held ones for a reason of this code.
    Held(Code),
    /// Failed ones whose time has come.
    Due(Timestamp),
    /// Settled ones with a value that differs from what was agreed.
    Differing,
    /// All that are linked and settled.
    Linked,
    /// Settled ones with an open conflict.
    InConflict,
}

/// Which pairs are to be reconciled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TodoFilter {
    /// The mapping.
    pub mapping: MappingId,
    /// Only pairs that this run has read, on one side at least.
    pub read_in: Option<RunId>,
    /// Only pairs that this run has read on both sides.
    pub read_on_both: Option<RunId>,
}

/// The memory of the engine. Reads see what is committed; writes go through a [`Unit`].
///
/// Reading while the same task holds a unit may wait for ever: read first, then begin.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes the lease of a relation until `now + ttl`.
    async fn acquire(
        &self,
        relation: &str,
        holder: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, LedgerError>;
    /// Keeps a lease longer.
    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<(), LedgerError>;
    /// Gives a lease back.
    async fn release(&self, lease: &Lease) -> Result<(), LedgerError>;
    /// Begins a unit of work, which commits only while the lease holds.
    async fn begin(&self, lease: &Lease) -> Result<Box<dyn Unit>, LedgerError>;

    /// Begins a run; its number is given by the ledger. Runs of the relation that were left running are
    /// marked interrupted.
    async fn start_run(&self, lease: &Lease, run: Run) -> Result<Run, LedgerError>;
    /// How far a side of a sync has been read.
    async fn progress(&self, sync: &str, side: Side) -> Result<Progress, LedgerError>;
    /// Pairs by their numbers, in any order.
    async fn pairs(&self, ids: &[PairId]) -> Result<Vec<Pair>, LedgerError>;
    /// Pairs by the id of a record, in any order.
    async fn pairs_of(
        &self,
        mapping: MappingId,
        side: Side,
        ids: &[String],
    ) -> Result<Vec<Pair>, LedgerError>;
    /// Which pairs have a record on this side with these keys.
    async fn pairs_by_key(
        &self,
        mapping: MappingId,
        side: Side,
        keys: &[MatchKey],
    ) -> Result<Vec<(MatchKey, PairId)>, LedgerError>;
    /// Pairs with status `todo`, by number, above `after`.
    async fn todo(&self, filter: &TodoFilter, after: PairId, limit: usize) -> Result<Vec<Pair>, LedgerError>;
    /// How many pairs have status `todo`.
    async fn count_todo(&self, mapping: MappingId) -> Result<u64, LedgerError>;
    /// How many changes of a run for one mapping and side are planned.
    async fn count_planned(&self, run: RunId, mapping: MappingId, target: Side) -> Result<u64, LedgerError>;
    /// Changes of a run for one mapping and side, by number, above `after`, in this status.
    async fn changes(
        &self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// Changes of these mappings that are in this status, whatever their run, by number, above `after`.
    async fn open_changes(
        &self,
        mappings: &[MappingId],
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// Changes of a run for these pairs, whatever their status.
    async fn changes_for(&self, run: RunId, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError>;
    /// Changes of a pair that were made after this one, by number.
    async fn changes_after(&self, pair: PairId, change: i64) -> Result<Vec<Change>, LedgerError>;
    /// Creates and updates of these pairs that were sent and of which nobody knows whether they were made,
    /// the latest last.
    async fn unanswered(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError>;
    /// All changes of a run in this status, by number, above `after`.
    async fn changes_in(
        &self,
        run: RunId,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// What a plan would delete and blank.
    async fn weight(&self, run: RunId, mapping: MappingId, target: Side) -> Result<Weight, LedgerError>;
    /// Pairs whose record on this side is not known to be gone and was last read before this run, by number,
    /// above `after`.
    async fn not_read_since(
        &self,
        mapping: MappingId,
        side: Side,
        run: RunId,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError>;
    /// Held pairs whose reason has this code, by number, above `after`.
    async fn held(
        &self,
        mapping: MappingId,
        code: Code,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError>;
    /// What the operator has decided about conflicts of these pairs.
    async fn rulings(&self, pairs: &[PairId]) -> Result<Vec<Ruling>, LedgerError>;
    /// The side that is to win until it has.
    async fn trust(&self, sync: &str) -> Result<Option<Trust>, LedgerError>;
    /// The objects of an exchange as they were when this sync last ran.
    async fn known_schema(&self, sync: &str, side: Side) -> Result<Option<Description>, LedgerError>;
    /// What an exchange has kept.
    async fn state(&self, exchange: &str) -> Result<BTreeMap<String, Vec<u8>>, LedgerError>;
}

/// A unit of work: all of it is written, or nothing.
#[async_trait]
pub trait Unit: Send {
    /// What exchanges that live in the same store write with.
    fn shared(&mut self) -> &mut dyn Any;
    /// Writes pairs; new ones get their numbers.
    async fn save_pairs(&mut self, pairs: &mut [Pair]) -> Result<(), LedgerError>;
    /// Removes pairs that were joined into others.
    async fn remove_pairs(&mut self, ids: &[PairId]) -> Result<(), LedgerError>;
    /// Puts pairs back to `todo`. Says how many.
    async fn requeue(&mut self, mapping: MappingId, which: Requeue) -> Result<u64, LedgerError>;
    /// Writes changes; new ones get their numbers.
    async fn save_changes(&mut self, changes: &mut [Change]) -> Result<(), LedgerError>;
    /// Drops the changes of these pairs that are planned, withheld or to be tried again, and belong to
    /// earlier runs or earlier passes of this one.
    async fn drop_plans(&mut self, pairs: &[PairId], at: Timestamp) -> Result<(), LedgerError>;
    /// Withholds these planned changes of a run and holds their pairs, all with this reason.
    async fn hold_planned(
        &mut self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        which: Braked,
        reason: &Reason,
    ) -> Result<(), LedgerError>;
    /// Notes which side is to win until it has.
    async fn save_trust(&mut self, sync: &str, trust: Option<&Trust>) -> Result<(), LedgerError>;
    /// Notes the objects of an exchange as they are now.
    async fn save_schema(
        &mut self,
        sync: &str,
        side: Side,
        description: &Description,
    ) -> Result<(), LedgerError>;
    /// Notes conflicts; the same two values are one conflict however often seen. Other open conflicts of
    /// these pairs are closed.
    async fn save_conflicts(
        &mut self,
        pairs: &[PairId],
        conflicts: &[Conflict],
        at: Timestamp,
    ) -> Result<(), LedgerError>;
    /// Writes how far a side has been read.
    async fn save_progress(&mut self, sync: &str, side: Side, progress: &Progress)
    -> Result<(), LedgerError>;
    /// Writes what an exchange wants kept.
    async fn save_state(&mut self, exchange: &str, writes: &StateWrites) -> Result<(), LedgerError>;
    /// Writes counts and status of the run.
    async fn save_run(&mut self, run: &Run) -> Result<(), LedgerError>;
    /// Writes everything, or fails and writes nothing.
    async fn commit(self: Box<Self>) -> Result<(), LedgerError>;
}
