//! Reasons as data: why a pair, a change or a field has its status. Each reason has a stable code; the
//! sentence is built where it is shown. The engine never compares texts: what a remote system said is kept
//! apart, in [`RemoteSaid`].

use super::definition::Braked;
use super::difference::{Difference, Kept};
use super::number::RunId;
use super::order::Deed;
use super::subject::{InvalidAnswer, RecordRef, RemoteSaid};
use entente_core::{Side, Value, Why};
use serde::{Deserialize, Serialize};

/// Why a pair or a change has its status.
///
/// Serialised as `"code"`, or as `{"code": data}` where there is data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Duplicate: another record of this side already has the same identifiers.
    DuplicateOf {
        /// The other record; `None`: a record of the same page or order, which had no number yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<RecordRef>,
        /// The operator's tie-break rules prefer the other record.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preferred: bool,
        /// The one record that the remote system answered with for both.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        became: Option<RecordRef>,
    },
    /// Ambiguous match: several records have the identifiers of this one.
    Ambiguous {
        /// The candidates.
        records: Vec<RecordRef>,
        /// Whether no run has read one of them, so that it cannot be linked by hand.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// No proof of absence: the counterpart may exist on the other side, so it is not created. Proof is a
    /// complete listing, or a lookup in the same run.
    AbsenceNotProven {
        /// The record without a counterpart.
        record: RecordRef,
        /// The object that would be created.
        object: String,
        /// Names of the identifier fields on that side.
        identifiers: Vec<String>,
        /// The record has no value in any of them, so that no lookup is possible.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        without: bool,
    },
    /// Lost update not excluded: the run is limited to a window or ids, and the side offers neither
    /// conditional writes nor a read by id, so that an edit made there could be overwritten.
    NotCheckable {
        /// Where it is.
        side: Side,
        /// Its object.
        object: String,
    },
    /// A lookup found the counterpart, which cannot be read by id: it waits for the next report that lists
    /// it.
    NotReadYet {
        /// Where it is.
        side: Side,
        /// Its object.
        object: String,
    },
    /// A required field of a new record has no value.
    Required {
        /// Where the record would be created.
        side: Side,
        /// Its object.
        object: String,
        /// The name of the field there.
        field: String,
        /// Why the field has no value.
        why: Why,
    },
    /// Conversion: the record became one of another object (a lead became a contact).
    Converted {
        /// The record before, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<RecordRef>,
        /// The record after.
        into: RecordRef,
    },
    /// Merge: the remote system merged the record into another record of the same object.
    Merged {
        /// The record that was merged away, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<RecordRef>,
        /// The record that remains.
        into: RecordRef,
    },
    /// Unknown outcome: a change was sent and never answered, and its effect could not be found out.
    FateUnknown {
        /// Where it was sent.
        side: Side,
        /// The object of the record.
        object: String,
    },
    /// The record may be the one that a create made whose outcome is unknown: it waits until that is known.
    MayBe {
        /// The record that the create was made from, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<RecordRef>,
    },
    /// Deletion guard: the plan would delete or blank more records than the limits allow without consent.
    Brake {
        /// Deletions or blankings.
        which: Braked,
        /// On which side.
        side: Side,
        /// Of which object.
        object: String,
        /// Number of records that would be deleted or blanked.
        records: u64,
        /// Number of linked records of the object.
        linked: u64,
        /// The limit that is exceeded, in percent of the linked records.
        percent: u8,
        /// The limit that is exceeded, in records.
        least: u64,
    },
    /// The brake on identifiers: all identifiers of a linked record have changed, or, where it has none, everything that it
    /// had, so that another record may stand behind its id.
    OtherIdentifiers {
        /// The record.
        record: RecordRef,
    },
    /// Delete/update conflict: deleted on one side and edited on the other.
    DeletedAndEdited {
        /// The deleted record.
        deleted: RecordRef,
        /// The edited record.
        edited: RecordRef,
    },
    /// Schema drift: an identifier field is parked, so that records cannot be matched.
    Schema {
        /// Where the record would be created.
        side: Side,
        /// The object.
        object: String,
    },
    /// The record does not meet the filter of its side.
    OutsideFilter {
        /// The side.
        side: Side,
    },
    /// An operator has left the record of this side out of the sync.
    LeftOut {
        /// The side.
        side: Side,
    },
    /// A new record would not meet the filter of the side that it would be created on.
    WouldBeOutsideFilter {
        /// That side.
        side: Side,
    },
    /// No field of the record has a value that is mapped to the other side.
    NothingFlows {
        /// The side that it would be created on.
        side: Side,
    },
    /// The pair has no record on either side.
    NoRecord,
    /// Records are not created on this side: by the mapping, or because the side cannot.
    NotCreatedThere {
        /// The side.
        side: Side,
    },
    /// Deleted on every side that had the record.
    DeletedEverywhere,
    /// Deleted on one side, and then on the other side by the sync.
    DeletedOnBothSides,
    /// Deleted on one side; the deletion policy `ignore` keeps the survivor.
    DeletedIgnored {
        /// The deleted record.
        record: RecordRef,
    },
    /// Deleted on one side; the deletion policy `unlink` ended the link, and the record is not created again.
    Unlinked {
        /// Where the record was deleted.
        side: Side,
        /// Its object.
        object: String,
        /// Its id, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Deleted on one side; the other side does not support deleting records of this object.
    CannotBeDeleted {
        /// The deleted record.
        record: RecordRef,
        /// The object whose records cannot be deleted.
        object: String,
    },
    /// An operator has removed the link with a record, and it is not made again.
    LinkRemoved {
        /// The record of the other side.
        record: RecordRef,
    },
    /// An undo deleted the record that a run had created.
    Undone,
    /// An undo created the record again; the other side stays deleted.
    MadeAgain,
    /// Withheld: the run writes nothing to the left (`disable_pull`).
    WithheldPull,
    /// Withheld: the run writes nothing to the right (`disable_push`).
    WithheldPush,
    /// Dry run: a record would be created.
    PlannedCreate,
    /// Dry run: a record would be updated.
    PlannedUpdate,
    /// Dry run: a record would be deleted.
    PlannedDelete,
    /// The order of the change ended in an error, also alone: whether the change was executed is not known.
    OrderFailed {
        /// The side.
        side: Side,
        /// What it said.
        said: RemoteSaid,
    },
    /// The side refused the change.
    Refused {
        /// The side.
        side: Side,
        /// What it said.
        said: RemoteSaid,
        /// The fields that it named as the cause.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<String>,
    },
    /// The answer of the side violates the plugin interface.
    InvalidAnswer {
        /// The side.
        side: Side,
        /// What is wrong with the answer.
        how: InvalidAnswer,
    },
    /// The side asked for a retry; nothing was written.
    RetryLater {
        /// The side, and what it said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<(Side, RemoteSaid)>,
    },
    /// A reference waits until the record that it points to has a counterpart.
    WaitsFor {
        /// The record that it points to, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<RecordRef>,
    },
    /// Parked: a reference is not written, since the record that it points to does not exist or takes no part.
    /// It is written once that record has a counterpart.
    ParentGone {
        /// The record that it points to.
        record: RecordRef,
    },
    /// Optimistic concurrency: the record changed after the decision, which is taken again.
    Stale,
    /// The record got another id after the decision.
    BecameAnother,
    /// The record of the change was deleted.
    RecordGone,
    /// The pair of the change was removed.
    PairGone,
    /// The pair of the change was merged into another pair.
    PairJoined,
    /// Superseded: a newer decision replaced this one.
    Overtaken,
    /// The remote system accepted the change and reports its outcome later.
    Deferred,
    /// The answer to an order lacks this change: its outcome is unknown.
    Unanswered,
    /// The change was sent and never answered; reading or looking up the record told what it holds now.
    FoundOut,
    /// Blind write: the side can neither refuse a stale write nor be read first, so that an edit made there
    /// since its last report is overwritten.
    Unchecked {
        /// The side that is written.
        side: Side,
        /// The object.
        object: String,
    },
    /// The pair has to be decided again and the run has no pass left: its record changed once more, or waits
    /// for another record.
    DecidedAgain,
    /// A later run applied the plan and executed this change.
    ExecutedBy {
        /// That run.
        run: RunId,
    },
    /// A later run applied the plan and did not execute this change, which no longer fits.
    NotExecutedBy {
        /// That run.
        run: RunId,
        /// How the decision differs now.
        difference: Box<Difference>,
    },
    /// Withheld: the plan that is applied does not contain the change.
    NotInPlan {
        /// The dry run.
        run: RunId,
    },
    /// Withheld: the change differs from the one in the plan that is applied.
    DiffersFromPlan {
        /// The dry run.
        run: RunId,
        /// How it differs.
        difference: Box<Difference>,
    },
    /// An undo keeps what the run wrote.
    NotUndone(Kept),
    /// An undo does not delete the record: another record refers to it.
    ReferredTo {
        /// The record that refers to it.
        by: RecordRef,
    },
    /// An undo was not executed: the operator has not agreed to its number of deletions.
    DeletesNotAgreed,
    /// A field is in conflict: both sides changed, and the judge cannot tell which value wins.
    Conflict {
        /// The name of the field on the left.
        field: String,
        /// What the judge found.
        why: Why,
    },
    /// A record could not be read.
    Unreadable {
        /// Where it is.
        side: Side,
        /// Its object.
        object: String,
        /// Its id, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What is wrong with the record, in the words of its side.
        said: RemoteSaid,
    },
    /// The operator named a record that does not exist or does not meet the filter.
    NotThere {
        /// The record.
        record: RecordRef,
    },
    /// A text that a version stored before reasons were data.
    Earlier {
        /// The text.
        text: String,
    },
}

macro_rules! codes {
    ($($variant:ident => $word:literal),* $(,)?) => {
        /// The code of a [`Reason`]: its stable name, for tables, counts and programs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Code {
            $(
                #[doc = concat!("Of [`Reason::", stringify!($variant), "`].")]
                $variant,
            )*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The code as a word.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Code::$variant => $word,)*
                }
            }
        }

        impl Reason {
            /// Its code.
            pub const fn code(&self) -> Code {
                match self {
                    $(Reason::$variant { .. } => Code::$variant,)*
                }
            }
        }
    };
}

codes! {
    DuplicateOf => "duplicate-of",
    Ambiguous => "ambiguous",
    AbsenceNotProven => "absence-not-proven",
    NotCheckable => "not-checkable",
    NotReadYet => "not-read-yet",
    Required => "required",
    Converted => "converted",
    Merged => "merged",
    FateUnknown => "fate-unknown",
    MayBe => "may-be",
    Brake => "brake",
    OtherIdentifiers => "other-identifiers",
    DeletedAndEdited => "deleted-and-edited",
    Schema => "schema",
    OutsideFilter => "outside-filter",
    LeftOut => "left-out",
    WouldBeOutsideFilter => "would-be-outside-filter",
    NothingFlows => "nothing-flows",
    NoRecord => "no-record",
    NotCreatedThere => "not-created-there",
    DeletedEverywhere => "deleted-everywhere",
    DeletedOnBothSides => "deleted-on-both-sides",
    DeletedIgnored => "deleted-ignored",
    Unlinked => "unlinked",
    CannotBeDeleted => "cannot-be-deleted",
    LinkRemoved => "link-removed",
    Undone => "undone",
    MadeAgain => "made-again",
    WithheldPull => "withheld-pull",
    WithheldPush => "withheld-push",
    PlannedCreate => "planned-create",
    PlannedUpdate => "planned-update",
    PlannedDelete => "planned-delete",
    OrderFailed => "order-failed",
    Refused => "refused",
    InvalidAnswer => "invalid-answer",
    RetryLater => "retry-later",
    WaitsFor => "waits-for",
    ParentGone => "parent-gone",
    Stale => "stale",
    BecameAnother => "became-another",
    RecordGone => "record-gone",
    PairGone => "pair-gone",
    PairJoined => "pair-joined",
    Overtaken => "overtaken",
    Deferred => "deferred",
    Unanswered => "unanswered",
    FoundOut => "found-out",
    Unchecked => "unchecked",
    DecidedAgain => "decided-again",
    ExecutedBy => "executed-by",
    NotExecutedBy => "not-executed-by",
    NotInPlan => "not-in-plan",
    DiffersFromPlan => "differs-from-plan",
    NotUndone => "not-undone",
    ReferredTo => "referred-to",
    DeletesNotAgreed => "deletes-not-agreed",
    Conflict => "conflict",
    Unreadable => "unreadable",
    NotThere => "not-there",
    Earlier => "earlier",
}

impl Reason {
    /// The record is a duplicate of this one.
    pub(super) fn duplicate(record: RecordRef) -> Self {
        Reason::DuplicateOf { record: Some(record), preferred: false, became: None }
    }

    /// Whether it holds back what is to be written to a side of a linked pair, until a run decides that again which reads both
    /// sides to their ends. The other side may be written meanwhile.
    pub(super) const fn holds_back(&self) -> bool {
        matches!(self, Reason::Brake { .. } | Reason::NotCheckable { .. })
    }

    /// A dry run would do this to a record.
    pub(super) const fn planned(deed: Deed) -> Self {
        match deed {
            Deed::Create => Reason::PlannedCreate,
            Deed::Update => Reason::PlannedUpdate,
            Deed::Delete => Reason::PlannedDelete,
        }
    }
}

/// Why a field is written, kept or left in conflict.
///
/// Serialised as [`Reason`] is, except for what the judge says, which has no enclosing code (untagged).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldReason {
    /// The configured default of a field, given to a new record.
    Default,
    /// The operator settled the conflict.
    Ruled,
    /// The deletion policy deletes the record because its counterpart was deleted.
    Deleted {
        /// The deleted counterpart.
        record: RecordRef,
    },
    /// An undo restores the value that was there before a run.
    UndoOf {
        /// The run that is undone.
        run: RunId,
    },
    /// An undo keeps what the run wrote.
    NotUndone(Kept),
    /// The record gives up its identifier for a moment, since another one, which waits for it, has the new one.
    ByWayOfBlank,
    /// Normalised: the side keeps the value in a form of its own.
    Normalised {
        /// The side.
        side: Side,
    },
    /// The side refused the field and wrote the rest of the record. It is sent again when its value changes.
    Refused {
        /// The side.
        side: Side,
        /// What it said.
        said: RemoteSaid,
        /// The value of the other side that was refused, while there is no merge base that says so: the record is still to be
        /// made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
    },
    /// Parked: the reference is not written, since the record that it points to does not exist or takes no part.
    ParentGone {
        /// The record that it points to.
        record: RecordRef,
    },
    /// The record that the field pointed to has ended, and its counterpart has another one now, to which the field
    /// is to point.
    Relinked {
        /// The record that it pointed to.
        record: RecordRef,
    },
    /// A text that a version stored before reasons were data.
    Earlier {
        /// The text.
        text: String,
    },
    /// The verdict of the judge.
    #[serde(untagged)]
    Judge(Why),
}

impl FieldReason {
    /// Its code: its stable name, for tables and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            FieldReason::Default => "default",
            FieldReason::Ruled => "ruled",
            FieldReason::Deleted { .. } => "deleted",
            FieldReason::UndoOf { .. } => "undo-of",
            FieldReason::NotUndone(_) => "not-undone",
            FieldReason::ByWayOfBlank => "by-way-of-blank",
            FieldReason::Normalised { .. } => "normalised",
            FieldReason::Refused { .. } => "refused",
            FieldReason::ParentGone { .. } => "parent-gone",
            FieldReason::Relinked { .. } => "relinked",
            FieldReason::Earlier { .. } => "earlier",
            FieldReason::Judge(why) => why.code(),
        }
    }
}

impl From<Why> for FieldReason {
    fn from(why: Why) -> Self {
        FieldReason::Judge(why)
    }
}
