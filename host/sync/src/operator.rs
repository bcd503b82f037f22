//! Operator queries: what ran, what it did, what waits, and the two things that an operator changes in the
//! ledger by hand. The engine itself needs none of them; a second store has to implement them all the same.

use super::change::{Change, ChangeStatus, Choice, Conflict};
use super::ledger::{Lease, Ledger, LedgerError};
use super::number::{MappingId, PairId, RunId, Slot};
use super::pair::{Pair, Status};
use super::reason::{Code, FieldReason, Reason};
use super::run::Run;
use async_trait::async_trait;
use entente_core::{Side, Sides, Timestamp};

/// Filter over the changes of a run; the default matches all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeFilter {
    /// Only those that write this side.
    pub target: Option<Side>,
    /// Only those in this status.
    pub status: Option<ChangeStatus>,
}

/// How many pairs of a mapping have the same status and a reason of the same code.
#[derive(Debug, Clone, PartialEq)]
pub struct PairCount {
    /// The mapping.
    pub mapping: MappingId,
    /// The status.
    pub status: Status,
    /// The code of their reasons.
    pub code: Option<Code>,
    /// The first reasons that differ, as many as [`Counted`](super::reason::Counted) keeps.
    pub samples: Vec<Reason>,
    /// How many.
    pub pairs: u64,
}

/// What a list of pairs shows of one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairLine {
    /// Its number.
    pub id: PairId,
    /// Its mapping.
    pub mapping: MappingId,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
    /// The ids of the records, left and right.
    pub ids: Sides<Option<String>>,
    /// Its status.
    pub status: Status,
    /// Why it has that status.
    pub reason: Option<Reason>,
    /// Orders for it that failed in a row.
    pub attempts: u32,
    /// When a failed one is tried again by itself; `None`: not before it changes or somebody asks.
    pub due: Option<Timestamp>,
}

/// Two objects that correspond, as the ledger numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRow {
    /// Its number.
    pub id: MappingId,
    /// The relation that it belongs to.
    pub relation: String,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
}

/// Two fields that correspond, or once did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Its place in the pairs of the mapping.
    pub slot: Slot,
    /// The names of the fields, left and right.
    pub fields: Sides<String>,
}

/// An open conflict, with the names and ids that people look it up by.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenConflict {
    /// Its number.
    pub id: i64,
    /// The values, the reason, and the run that saw it first.
    pub conflict: Conflict,
    /// The mapping of the pair.
    pub mapping: MappingId,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
    /// The ids of the records, left and right.
    pub ids: Sides<Option<String>>,
    /// The names of the fields, left and right.
    pub fields: Sides<String>,
    /// When it was seen first.
    pub first: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// How often it was seen.
    pub times: u64,
}

/// Which open conflicts are listed or counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictFilter<'a> {
    /// Those of all pairs.
    All,
    /// Those of the pairs of these mappings.
    Mappings(&'a [MappingId]),
    /// Those of one pair.
    Pair(PairId),
}

/// How many open conflicts of a mapping have the same reason.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictCount {
    /// The mapping.
    pub mapping: MappingId,
    /// The reason.
    pub reason: FieldReason,
    /// How many fields.
    pub conflicts: u64,
}

/// What an operator asks of a ledger beside what the engine asks of it. All lists are pages: by number, above
/// `after`, at most `limit`, unless said otherwise.
///
/// Every call fails where the database fails, and one that takes a lease also where the lease is lost.
#[async_trait]
pub trait OperatorLedger: Ledger {
    /// The lease of a relation and its holder, whether or not its time is over. A caller that knows the
    /// holder to be dead takes the lease away by releasing it.
    async fn holder(&self, relation: &str) -> Result<Option<(Lease, String)>, LedgerError>;
    /// Settles an open conflict; the next run writes the choice. False where there is no such conflict.
    async fn settle_conflict(
        &self,
        lease: &Lease,
        conflict: i64,
        choice: &Choice,
    ) -> Result<bool, LedgerError>;
    /// Puts failed pairs back to `todo`: all of a mapping, or one, which may be held too. Says how many.
    async fn retry(
        &self,
        lease: &Lease,
        mapping: MappingId,
        pair: Option<PairId>,
    ) -> Result<u64, LedgerError>;

    /// Runs, newest first, below `before` where that is given, of one sync or of all.
    async fn runs(
        &self,
        sync: Option<&str>,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Run>, LedgerError>;
    /// The run of a sync that came after this one.
    async fn run_after(&self, sync: &str, run: RunId) -> Result<Option<Run>, LedgerError>;
    /// How many runs there are, of one sync or of all.
    async fn count_runs(&self, sync: Option<&str>) -> Result<u64, LedgerError>;
    /// The run of this number.
    async fn run(&self, id: RunId) -> Result<Option<Run>, LedgerError>;
    /// The changes of a run.
    async fn changes_of_run(
        &self,
        run: RunId,
        filter: ChangeFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// How many changes of a run have which status; those of none are left out. Every change is counted once.
    async fn count_changes(&self, run: RunId) -> Result<Vec<(ChangeStatus, u64)>, LedgerError>;
    /// The changes of a pair, newest first, below `before` where that is given. A pair that was joined into
    /// another one keeps its history under its own number.
    async fn history(
        &self,
        pair: PairId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;

    /// How many pairs there are.
    async fn count(&self) -> Result<u64, LedgerError>;
    /// How many pairs of a mapping have this status. A store should answer from an index for `todo`, `held`
    /// and `failed`; the others may cost a scan.
    async fn count_in(&self, status: Status, mapping: MappingId) -> Result<u64, LedgerError>;
    /// How many pairs have which status and reason, of one relation or of all. Every pair is counted once.
    async fn pair_counts(&self, relation: Option<&str>) -> Result<Vec<PairCount>, LedgerError>;
    /// Pairs with this status, of one mapping or of all.
    async fn pairs_in(
        &self,
        status: Status,
        mapping: Option<MappingId>,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<PairLine>, LedgerError>;
    /// The pairs of a record: `object` and `id` name it, `side` is where its exchange stands in the relation.
    /// Without a relation, of all relations in which such an object stands on that side.
    async fn pairs_of_record(
        &self,
        relation: Option<&str>,
        side: Side,
        object: &str,
        id: &str,
    ) -> Result<Vec<(MappingRow, Pair)>, LedgerError>;
    /// Open conflicts.
    async fn open_conflicts(
        &self,
        which: ConflictFilter<'_>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<OpenConflict>, LedgerError>;

    /// How many open conflicts of which mapping have which reason. Every conflict is counted once.
    async fn count_conflicts(&self, which: ConflictFilter<'_>) -> Result<Vec<ConflictCount>, LedgerError>;

    /// Every mapping, of one relation or of all.
    async fn mappings(&self, relation: Option<&str>) -> Result<Vec<MappingRow>, LedgerError>;
    /// Every slot of a mapping, also of fields that have left it.
    async fn slots(&self, mapping: MappingId) -> Result<Vec<SlotRow>, LedgerError>;
}
