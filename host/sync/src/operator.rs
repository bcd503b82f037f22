//! Operator queries: runs, changes, pairs and conflicts for status pages, and the writes of an operator
//! (settle a conflict, retry, link). The engine does not use them; every store of a ledger has to implement them.

use super::change::{Change, ChangeStatus, Choice, Conflict};
use super::ledger::{Lease, Ledger, LedgerError};
use super::number::{MappingId, PairId, RunId, Slot};
use super::order::Deed;
use super::pair::{Pair, Status};
use super::reason::{Code, FieldReason, Reason};
use super::run::Run;
use async_trait::async_trait;
use entente_core::{Side, Sides, Timestamp};

/// Filter over the changes of a run; the default matches all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeFilter {
    /// Only those that write this side.
    pub target: Option<Side>,
    /// Only those in this status.
    pub status: Option<ChangeStatus>,
    /// Only those that do this to their record.
    pub deed: Option<Deed>,
    /// Only deletions, or only others.
    pub deletes: Option<bool>,
    /// Only those of these mappings.
    pub mappings: Option<Vec<MappingId>>,
    /// Only those of these pairs.
    pub pairs: Option<Vec<PairId>>,
}

impl ChangeFilter {
    /// Those in this status.
    pub fn of(status: ChangeStatus) -> Self {
        Self { status: Some(status), ..Self::default() }
    }
}

/// Number of changes of a run that do the same to records of the same side, and have the same status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCount {
    /// The side that is written.
    pub target: Side,
    /// What is done to the records.
    pub deed: Deed,
    /// The status.
    pub status: ChangeStatus,
    /// How many.
    pub changes: u64,
}

/// Number of pairs of a mapping with the same status and reason code.
#[derive(Debug, Clone, PartialEq)]
pub struct PairCount {
    /// The mapping.
    pub mapping: MappingId,
    /// The status.
    pub status: Status,
    /// The code of their reasons; `None`: without a reason.
    pub code: Option<Code>,
    /// The first reasons that differ, as many as [`Counted`](super::reason_counts::Counted) keeps.
    pub samples: Vec<Reason>,
    /// Number of pairs.
    pub pairs: u64,
    /// How many of them have fields that differ on purpose.
    pub differing: u64,
}

/// One line in a list of pairs.
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
    /// Failed attempts in a row.
    pub attempts: u32,
    /// Earliest time of the next automatic retry; `None`: no retry by itself.
    pub due: Option<Timestamp>,
}

/// An object mapping as stored in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRow {
    /// Its number.
    pub id: MappingId,
    /// The relation that it belongs to.
    pub relation: String,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
}

/// A field mapping as stored in the ledger, also one that was removed from the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Its number within the mapping.
    pub slot: Slot,
    /// The names of the fields, left and right.
    pub fields: Sides<String>,
}

/// An open conflict with the names and ids of its records.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenConflict {
    /// Its number.
    pub id: i64,
    /// The values, the reason, and the run that found it first.
    pub conflict: Conflict,
    /// The mapping of the pair.
    pub mapping: MappingId,
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
    /// The ids of the records, left and right.
    pub ids: Sides<Option<String>>,
    /// The names of the fields, left and right.
    pub fields: Sides<String>,
    /// When it was found first.
    pub first: Timestamp,
    /// When it was found last.
    pub last: Timestamp,
    /// How often it was found.
    pub times: u64,
    /// What the operator has decided, which the next run writes.
    pub ruling: Option<Choice>,
}

/// What an operator says of the counterpart of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counterpart {
    /// It has none so far, and is the record of the other side with this id.
    Record(String),
    /// There is none: the create that was sent and never answered has made nothing, or the one that it had was deleted, or
    /// its link removed. The next run may make one.
    NotMade,
    /// It is not the one that it is linked with, which has this id.
    Not(String),
    /// It is not asked for: the record takes no part until the operator takes it in.
    LeftOut,
    /// The record that was left out takes part again.
    TakenIn,
}

/// Why the word of an operator about a counterpart was not taken; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLinked {
    /// The pair has two records; the id of one of them.
    HasCounterpart(String),
    /// The other record has a counterpart: the one with this id.
    Taken(String),
    /// No record of the other side with this id has been reported, or it was deleted.
    Unreported,
    /// One of both is outside the filter of its side.
    Filtered,
    /// Orders for one of both are under way, and the next run asks what became of them.
    UnderWay,
    /// Every create that was sent for the record was answered.
    NothingOpen,
    /// No create was ever sent for the record.
    NeverSent,
    /// The record is held as a duplicate of another one of its side.
    Duplicate,
    /// The record is not linked with this one.
    OfAnother,
    /// A create that was sent for the record was never answered: what it has made would be left over.
    Unanswered,
    /// The record takes part already, or was left out already.
    AsItIs,
    /// This record of the other side has the same identifiers: they would be linked, or it would be there twice.
    SameIdentifiers(String),
}

/// Filter over open conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictFilter<'a> {
    /// Conflicts of all pairs.
    All,
    /// Conflicts of pairs of these mappings.
    Mappings(&'a [MappingId]),
    /// Those of them that nobody has decided.
    Undecided(&'a [MappingId]),
    /// Conflicts of one pair.
    Pair(PairId),
}

impl ConflictFilter<'_> {
    /// Whether it names no mapping, so that nothing passes it.
    pub const fn is_empty(self) -> bool {
        matches!(self, ConflictFilter::Mappings([]) | ConflictFilter::Undecided([]))
    }
}

/// Number of open conflicts of a mapping with the same reason.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictCount {
    /// The mapping.
    pub mapping: MappingId,
    /// The reason.
    pub reason: FieldReason,
    /// Number of fields in conflict.
    pub conflicts: u64,
    /// How many of them the operator has decided; the next run writes them.
    pub decided: u64,
}

/// Queries and writes of an operator, beside those of the engine. All lists are pages: by number, above
/// `after` (keyset pagination), at most `limit`, unless said otherwise.
///
/// Every call fails where the database fails, and one that takes a lease also where the lease is lost.
#[async_trait]
pub trait OperatorLedger: Ledger {
    /// The lease of a relation and its holder, also if it has expired. A caller that knows the holder to be
    /// dead takes the lease away by releasing it.
    async fn holder(&self, relation: &str) -> Result<Option<(Lease, String)>, LedgerError>;
    /// Stores a ruling on an open conflict; the next run writes it. False where there is no such conflict.
    async fn settle_conflict(
        &self,
        lease: &Lease,
        conflict: i64,
        choice: &Choice,
    ) -> Result<bool, LedgerError>;
    /// Puts failed pairs back into the work queue: all of a mapping, or one pair, which may be held too.
    /// Returns how many. A duplicate stays held until a run finds nobody with its identifiers; where it is held by
    /// the survivor of a deleted record, it takes the place of that record. A pair that is held since its create was never
    /// answered goes on like one whose create was sent just now: the next run asks what became of it, and sends it again
    /// only where that cannot make a second record. A ticket of a pair whose change was deferred is given up: the next run
    /// finds out in the same way what became of the change.
    async fn retry(
        &self,
        lease: &Lease,
        mapping: MappingId,
        pair: Option<PairId>,
    ) -> Result<u64, LedgerError>;
    /// Takes the word of an operator about the counterpart of a record. A record of the other side leaves its own pair
    /// for this one; where it is what an unanswered create has made, that create counts as executed. The next run decides
    /// the pair. A pair whose link is removed becomes two, which are left alone until something else is said of them.
    /// `at`: now.
    async fn set_counterpart(
        &self,
        lease: &Lease,
        pair: PairId,
        counterpart: &Counterpart,
        at: Timestamp,
    ) -> Result<Result<(), NotLinked>, LedgerError>;
    /// Whether [`OperatorLedger::set_counterpart`] would take it.
    async fn check_counterpart(
        &self,
        pair: PairId,
        counterpart: &Counterpart,
    ) -> Result<Result<(), NotLinked>, LedgerError>;

    /// Takes note that a deleted record of a pair was restored on its side: a counterpart that was deleted is none any more,
    /// so that the next run, which reads the record, may make one. One that is still there is compared with it.
    async fn record_restored(&self, lease: &Lease, pair: PairId, side: Side) -> Result<(), LedgerError>;

    /// Runs, newest first, below `before` where that is given, of one sync or of all.
    async fn runs(
        &self,
        sync: Option<&str>,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Run>, LedgerError>;
    /// Stores a run that could not begin, as failed, and gives it its number. Takes no lease: another run of the relation
    /// may be under way.
    async fn note_unbegun(&self, run: Run) -> Result<Run, LedgerError>;
    /// The newest run of a sync that read everything or what has changed, and ended well.
    async fn last_good_run(&self, sync: &str) -> Result<Option<Run>, LedgerError>;
    /// The next run of a sync after this one.
    async fn run_after(&self, sync: &str, run: RunId) -> Result<Option<Run>, LedgerError>;
    /// Number of runs, of one sync or of all.
    async fn count_runs(&self, sync: Option<&str>) -> Result<u64, LedgerError>;
    /// The run with this number.
    async fn run(&self, id: RunId) -> Result<Option<Run>, LedgerError>;
    /// The changes of a run.
    async fn changes_of_run(
        &self,
        run: RunId,
        filter: &ChangeFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;
    /// Histogram of the changes of a run that the filter matches, without zeros. Every change is counted once.
    async fn count_changes(&self, run: RunId, filter: &ChangeFilter)
    -> Result<Vec<ChangeCount>, LedgerError>;
    /// The changes of a pair, newest first, below `before` where that is given. A pair that was merged into
    /// another one keeps its history under its own number.
    async fn history(
        &self,
        pair: PairId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError>;

    /// Number of pairs.
    async fn count(&self) -> Result<u64, LedgerError>;
    /// Number of pairs of a mapping with this status. A store should answer from an index for `todo`, `held`
    /// and `failed`; other statuses may cost a scan.
    async fn count_in(&self, status: Status, mapping: MappingId) -> Result<u64, LedgerError>;
    /// Histogram of pairs by mapping, status and reason code, of one relation or of all. Every pair is
    /// counted once.
    async fn pair_counts(&self, relation: Option<&str>) -> Result<Vec<PairCount>, LedgerError>;
    /// Pairs with this status, of one mapping or of all.
    async fn pairs_in(
        &self,
        status: Status,
        mapping: Option<MappingId>,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<PairLine>, LedgerError>;
    /// Settled pairs of a mapping with fields that differ on purpose. May cost a scan.
    async fn differing(
        &self,
        mapping: MappingId,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError>;
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

    /// Histogram of open conflicts by mapping and reason. Every conflict is counted once.
    async fn count_conflicts(&self, which: ConflictFilter<'_>) -> Result<Vec<ConflictCount>, LedgerError>;

    /// Number of open conflicts of these mappings that were found first by a later run than this one.
    async fn count_new_conflicts(&self, mappings: &[MappingId], after: RunId) -> Result<u64, LedgerError>;

    /// Every mapping, of one relation or of all.
    async fn mappings(&self, relation: Option<&str>) -> Result<Vec<MappingRow>, LedgerError>;
    /// Every slot of a mapping, also those of removed fields.
    async fn slots(&self, mapping: MappingId) -> Result<Vec<SlotRow>, LedgerError>;
}
