//! Ledger: the persistent state of the engine (pairs, read positions, plans, runs, leases), behind traits.
//! The pairs with status `todo` are its work queue; every write goes through a unit of work that a lease
//! fences.

use super::change::{Change, ChangeStatus, Conflict, Ruling, Weight};
use super::definition::Braked;
use super::description::Description;
use super::number::{MappingId, PairId, RunId};
use super::options::{StandingTrust, Trust};
use super::pair::{MatchKey, Pair};
use super::progress::Progress;
use super::reason::{Code, Reason};
use super::remedy::Remedy;
use super::report::StateWrites;
use super::run::Run;
use async_trait::async_trait;
use entente_core::{Reference, Side, Timestamp};
use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a call to the ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another run holds the lease.
    #[error("another run holds '{relation}' ({holder}, until {until})")]
    Busy {
        /// The relation.
        relation: String,
        /// Holder of the lease, as `Engine::holder` names it.
        holder: String,
        /// When the lease expires, unless renewed.
        until: Timestamp,
    },
    /// Fenced: the lease expired and another run took it; nothing was written.
    #[error("this run lost its lease on '{relation}' to another run and wrote nothing more")]
    Fenced {
        /// The relation.
        relation: String,
    },
    /// The database has no room: the disk is full, or a limit on its size is reached.
    #[error(
        "the database could not {doing}: {why}: the disk is full, or the database has reached its limit tenant-database-bytes. Nothing of this was written, and what was before is kept; make room or raise the limit, and go on"
    )]
    Full {
        /// What was tried, as a verb phrase.
        doing: &'static str,
        /// The error of the database.
        why: String,
    },
    /// Another process writes to the database, for longer than is waited.
    #[error("{why}")]
    Locked {
        /// Who writes to it, and what to do.
        why: String,
    },
    /// The database failed.
    #[error("the database could not {doing}: {why}")]
    Store {
        /// What was tried, as a verb phrase.
        doing: &'static str,
        /// The error of the database.
        why: String,
    },
}

impl LedgerError {
    /// What the operator can do about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            LedgerError::Busy { .. } => vec![Remedy::Wait],
            LedgerError::Full { .. } => vec![Remedy::ShowLimits],
            LedgerError::Fenced { .. } | LedgerError::Locked { .. } | LedgerError::Store { .. } => Vec::new(),
        }
    }
}

/// Lease with fencing token: the exclusive right of one run to write to a relation. Every commit checks the
/// token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The relation that it covers.
    pub relation: String,
    /// Fencing token: grows with each holder, so that a run whose lease has passed to another one cannot
    /// commit.
    pub fence: i64,
}

/// Which pairs to put back into the work queue (status `todo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeue {
    /// Held pairs with a reason of this code.
    Held(Code),
    /// Settled pairs with a parked field, with a reason of this code.
    Parked(Code),
    /// Failed pairs whose backoff has passed at this time.
    Due(Timestamp),
    /// Settled pairs with a reported value that differs from the merge base.
    Differing,
    /// All settled pairs that are linked.
    Linked,
    /// Settled pairs with an open conflict.
    InConflict,
    /// Settled pairs in whose merge base a record of this side refers to one of these records.
    Referring(Side, Vec<Reference>),
}

/// Filter over the work queue: which pairs to reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TodoFilter {
    /// The mapping.
    pub mapping: MappingId,
    /// Only pairs that this run has read on at least one side.
    pub read_in: Option<RunId>,
    /// Only pairs that this run has read on both sides.
    pub read_on_both: Option<RunId>,
}

/// Persistent state of the engine. Reads see committed data only; writes go through a [`Unit`]. Lists are
/// pages: by number, above `after` (keyset pagination), at most `limit`.
///
/// A task that reads while it holds a unit may deadlock: read first, then begin.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Acquires the lease of a relation until `now + ttl`, with the next fencing token. `now` is the time of the
    /// caller: a store that has a clock of its own, which all its callers share, goes by that one.
    async fn acquire(
        &self,
        relation: &str,
        holder: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, LedgerError>;
    /// Extends a lease until `now + ttl`, dated as in [`Ledger::acquire`].
    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<(), LedgerError>;
    /// Renews a lease by a task of its own, so that a long call to a side does not lose it, until what is returned is
    /// dropped. A store in virtual time does nothing: there a run renews its lease as it begins units of work.
    fn keep(&self, lease: &Lease, ttl: Duration) -> Box<dyn Any + Send>;
    /// Releases a lease.
    async fn release(&self, lease: &Lease) -> Result<(), LedgerError>;
    /// Begins a unit of work, which commits only while the fencing token of the lease is the latest.
    async fn begin(&self, lease: &Lease) -> Result<Box<dyn Unit>, LedgerError>;

    /// Stores a new run and assigns its number. Runs of the relation that a crash left running become
    /// interrupted.
    async fn start_run(&self, lease: &Lease, run: Run) -> Result<Run, LedgerError>;
    /// Read position of a side of a sync.
    async fn progress(&self, sync: &str, side: Side) -> Result<Progress, LedgerError>;
    /// Pairs by their numbers, in any order.
    async fn pairs(&self, ids: &[PairId]) -> Result<Vec<Pair>, LedgerError>;
    /// Pairs by the ids of their records on a side, in any order.
    async fn pairs_of(
        &self,
        mapping: MappingId,
        side: Side,
        ids: &[String],
    ) -> Result<Vec<Pair>, LedgerError>;
    /// The pairs whose record on a side has one of these match keys.
    async fn pairs_by_key(
        &self,
        mapping: MappingId,
        side: Side,
        keys: &[MatchKey],
    ) -> Result<Vec<(MatchKey, PairId)>, LedgerError>;
    /// A page of the work queue: pairs with status `todo`.
    async fn todo(&self, filter: &TodoFilter, after: PairId, limit: usize) -> Result<Vec<Pair>, LedgerError>;
    /// Length of the work queue of a mapping.
    async fn count_todo(&self, mapping: MappingId) -> Result<u64, LedgerError>;
    /// Number of held pairs of a mapping with a reason of this code.
    async fn count_held(&self, mapping: MappingId, code: Code) -> Result<u64, LedgerError>;
    /// Number of linked pairs of a mapping: with a record on both sides, or with one that has been deleted
    /// since.
    async fn count_linked(&self, mapping: MappingId) -> Result<u64, LedgerError>;
    /// Number of planned changes of a run for one mapping and side.
    async fn count_planned(&self, run: RunId, mapping: MappingId, target: Side) -> Result<u64, LedgerError>;
    /// Changes of a run for one mapping and side, with this status.
    async fn changes(
        &self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// Changes of these mappings with this status, of all runs.
    async fn open_changes(
        &self,
        mappings: &[MappingId],
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// Changes of a run for these pairs, with any status.
    async fn changes_for(&self, run: RunId, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError>;
    /// Executed changes of a pair with a higher number than this one.
    async fn changes_after(&self, pair: PairId, change: i64) -> Result<Vec<Change>, LedgerError>;
    /// Creates and updates of these pairs with an unknown outcome (sent and never answered), the latest last.
    async fn unanswered(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError>;
    /// Deletes of these pairs with an unknown outcome, also given-up ones, the latest last.
    async fn unanswered_deletes(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError>;
    /// Changes of a run with this status, of all mappings.
    async fn changes_in(
        &self,
        run: RunId,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// Number of records that a plan would delete or blank, for the deletion guard.
    async fn weight(&self, run: RunId, mapping: MappingId, target: Side) -> Result<Weight, LedgerError>;
    /// Pairs whose record on this side is not deleted and was last read before this run.
    async fn not_read_since(
        &self,
        mapping: MappingId,
        side: Side,
        run: RunId,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError>;
    /// Held pairs whose reason has this code.
    async fn held(
        &self,
        mapping: MappingId,
        code: Code,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError>;
    /// The operator's rulings on conflicts of these pairs.
    async fn rulings(&self, pairs: &[PairId]) -> Result<Vec<Ruling>, LedgerError>;
    /// The stored one-time trust of a sync, as far as it is not used up.
    async fn standing_trust(&self, sync: &str) -> Result<Option<StandingTrust>, LedgerError>;
    /// The stored one-time trust of a sync.
    async fn trust(&self, sync: &str) -> Result<Option<Trust>, LedgerError> {
        Ok(self.standing_trust(sync).await?.map(|standing| standing.trust))
    }
    /// The schema of an exchange as stored by the last run of this sync.
    async fn known_schema(&self, sync: &str, side: Side) -> Result<Option<Description>, LedgerError>;
    /// The stored state of an exchange.
    async fn state(&self, exchange: &str) -> Result<BTreeMap<String, Vec<u8>>, LedgerError>;
}

/// Unit of work: a transaction that is committed as a whole or not at all, and only under a valid lease.
#[async_trait]
pub trait Unit: Send {
    /// The transaction itself, for a [`LocalExchange`](super::exchange::LocalExchange) in the same store.
    fn shared(&mut self) -> &mut dyn Any;
    /// Inserts or updates pairs; new ones get their numbers.
    async fn save_pairs(&mut self, pairs: &mut [Pair]) -> Result<(), LedgerError>;
    /// Deletes pairs that were merged into others.
    async fn remove_pairs(&mut self, ids: &[PairId]) -> Result<(), LedgerError>;
    /// Puts pairs back into the work queue. Returns how many.
    async fn requeue(&mut self, mapping: MappingId, which: Requeue) -> Result<u64, LedgerError>;
    /// Inserts or updates changes; new ones get their numbers.
    async fn save_changes(&mut self, changes: &mut [Change]) -> Result<(), LedgerError>;
    /// Supersedes the open plans of these pairs: changes that are planned, withheld or to be retried become
    /// dropped.
    async fn drop_plans(&mut self, pairs: &[PairId], at: Timestamp) -> Result<(), LedgerError>;
    /// Deletion guard: withholds the planned deletions or blankings of a run and holds their pairs, with this
    /// reason.
    async fn hold_planned(
        &mut self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        which: Braked,
        reason: &Reason,
    ) -> Result<(), LedgerError>;
    /// Stores or clears the one-time trust of a sync.
    async fn save_trust(&mut self, sync: &str, trust: Option<&StandingTrust>) -> Result<(), LedgerError>;
    /// Stores the schema of an exchange.
    async fn save_schema(
        &mut self,
        sync: &str,
        side: Side,
        description: &Description,
    ) -> Result<(), LedgerError>;
    /// Stores conflicts, idempotently: the same two values are one conflict however often found. Other open
    /// conflicts of these pairs are closed.
    async fn save_conflicts(
        &mut self,
        pairs: &[PairId],
        conflicts: &[Conflict],
        at: Timestamp,
    ) -> Result<(), LedgerError>;
    /// Stores the read position of a side.
    async fn save_progress(&mut self, sync: &str, side: Side, progress: &Progress)
    -> Result<(), LedgerError>;
    /// Stores the state of an exchange.
    async fn save_state(&mut self, exchange: &str, writes: &StateWrites) -> Result<(), LedgerError>;
    /// Stores counts, notices and status of a run.
    async fn save_run(&mut self, run: &Run) -> Result<(), LedgerError>;
    /// Durable commit: commits everything and flushes it to the disk, with all that was committed before; or
    /// fails and writes nothing. For what is relied on from then on: the mark *sent* before a call, an outcome,
    /// an answer to a person.
    async fn commit(self: Box<Self>) -> Result<(), LedgerError>;
    /// Commits everything, or fails and writes nothing; a loss of power may take it back until something is
    /// flushed. For what can be had again: collected pages, plans.
    async fn commit_soon(self: Box<Self>) -> Result<(), LedgerError>;
}
