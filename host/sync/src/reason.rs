//! Reasons: why a pair, a change or a field stands as it does, as data. Sentences are made where they are shown,
//! and nothing here is ever recognised by a text: what a remote system says stands apart, in [`RemoteSaid`].

use super::definition::Braked;
use super::difference::{Difference, Kept};
use super::number::RunId;
use super::order::Deed;
use super::subject::{InvalidAnswer, RecordRef, RemoteSaid};
use entente_core::{Side, Why};
use serde::{Deserialize, Serialize};

/// Why a pair or a change stands as it does, where that is not plain.
///
/// Serialised as `"code"`, or as `{"code": data}` where there is data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Another record stands for the identifiers of this one.
    DuplicateOf {
        /// The other one; `None`: one of the same page or order, which had no number yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<RecordRef>,
        /// The operator's rules prefer the other one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preferred: bool,
        /// What both have become, by the answer of the remote system.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        became: Option<RecordRef>,
    },
    /// It may be any of several records.
    Ambiguous {
        /// The candidates.
        records: Vec<RecordRef>,
    },
    /// The counterpart was not made: nothing proves that it is not there.
    AbsenceNotProven {
        /// The record.
        record: RecordRef,
        /// The object that would be made.
        object: String,
        /// The names of the identifiers on that side.
        identifiers: Vec<String>,
        /// The record has a value for none of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        without: bool,
    },
    /// A record is not changed in a run by window or ids: nothing tells what it has now.
    NotCheckable {
        /// Where it is.
        side: Side,
        /// Its object.
        object: String,
    },
    /// A record was found by its identifiers, and can be read by a listing only.
    NotReadYet {
        /// Where it is.
        side: Side,
        /// Its object.
        object: String,
    },
    /// A new record would lack a field that it needs.
    Required {
        /// Where it would be made.
        side: Side,
        /// Its object.
        object: String,
        /// The name of the field.
        field: String,
        /// Why there is no value.
        why: Why,
    },
    /// A record has become one of another object.
    Converted {
        /// What it was, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<RecordRef>,
        /// What it has become.
        into: RecordRef,
    },
    /// A record was merged into another one.
    Merged {
        /// What it was, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<RecordRef>,
        /// What it was merged into.
        into: RecordRef,
    },
    /// Nobody knows whether an order was carried out.
    FateUnknown {
        /// Where it was sent.
        side: Side,
        /// The object that it was about.
        object: String,
    },
    /// The deletion guard holds a plan that would delete or blank more than may pass unasked.
    Brake {
        /// What would be done.
        which: Braked,
        /// Where.
        side: Side,
        /// To which object.
        object: String,
        /// To how many records.
        records: u64,
        /// Of how many that are linked.
        linked: u64,
        /// The limits that are passed: percent.
        percent: u8,
        /// The limits that are passed: records.
        least: u64,
    },
    /// Deleted on one side and edited on the other.
    DeletedAndEdited {
        /// The one that is gone.
        deleted: RecordRef,
        /// The one that was edited.
        edited: RecordRef,
    },
    /// An identifier is parked, so that nothing can be recognised.
    Schema {
        /// Where the record would be made.
        side: Side,
        /// The object.
        object: String,
    },
    /// Outside the filter.
    OutsideFilter {
        /// Of this side.
        side: Side,
    },
    /// A new record would be outside the filter of its side.
    WouldBeOutsideFilter {
        /// That side.
        side: Side,
    },
    /// Nothing that it has flows to the other side.
    NothingFlows {
        /// The side that it would be made on.
        side: Side,
    },
    /// There is no record on either side.
    NoRecord,
    /// New records are not made on this side.
    NotCreatedThere {
        /// The side.
        side: Side,
    },
    /// Deleted on every side that had it.
    DeletedEverywhere,
    /// Deleted on one side, and then by the sync on the other one.
    DeletedOnBothSides,
    /// Deleted on one side, and by policy nothing is done about it.
    DeletedIgnored {
        /// The one that is gone.
        record: RecordRef,
    },
    /// Deleted on one side, and not made again.
    Unlinked {
        /// Where it was deleted.
        side: Side,
        /// Its object.
        object: String,
        /// Its id, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Deleted on one side; records of the other one cannot be deleted.
    CannotBeDeleted {
        /// The one that is gone.
        record: RecordRef,
        /// The object whose records cannot be deleted.
        object: String,
    },
    /// Making it was undone.
    Undone,
    /// An undo made the record again; the other side stays deleted.
    MadeAgain,
    /// Pulling is switched off for this run.
    WithheldPull,
    /// Pushing is switched off for this run.
    WithheldPush,
    /// A dry run would make a record.
    PlannedCreate,
    /// A dry run would change a record.
    PlannedUpdate,
    /// A dry run would delete a record.
    PlannedDelete,
    /// The side refused it.
    Refused {
        /// The side.
        side: Side,
        /// What it said.
        said: RemoteSaid,
        /// The fields that it named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<String>,
    },
    /// The answer breaks the rules of the interface.
    InvalidAnswer {
        /// Whose answer.
        side: Side,
        /// How.
        how: InvalidAnswer,
    },
    /// To be tried again.
    RetryLater {
        /// Who asked for it, and what was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<(Side, RemoteSaid)>,
    },
    /// A link waits until its record has a counterpart.
    WaitsFor {
        /// That record, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<RecordRef>,
    },
    /// The record has changed since the decision.
    Stale,
    /// The record has become another one since the decision.
    BecameAnother,
    /// The record is gone.
    RecordGone,
    /// The pair of the change is gone.
    PairGone,
    /// The pair of the change was joined into another one.
    PairJoined,
    /// A newer decision has taken its place.
    Overtaken,
    /// The remote system tells later what became of it.
    Deferred,
    /// An order was answered without it.
    Unanswered,
    /// No answer came, and what stands there was found out.
    FoundOut,
    /// It rests on what was last reported: an edit made there since then is lost.
    Unchecked {
        /// The side that is written.
        side: Side,
        /// The object.
        object: String,
    },
    /// It changed once more, or waits for another record.
    DecidedAgain,
    /// A planned change was made by a later run.
    ExecutedBy {
        /// That run.
        run: RunId,
    },
    /// A planned change was not made by the run that applied the plan.
    NotExecutedBy {
        /// That run.
        run: RunId,
        /// Why.
        difference: Box<Difference>,
    },
    /// It is not in the plan that is applied.
    NotInPlan {
        /// The dry run.
        run: RunId,
    },
    /// It is not as it was planned.
    DiffersFromPlan {
        /// The dry run.
        run: RunId,
        /// How.
        difference: Box<Difference>,
    },
    /// An undo leaves it as it is.
    NotUndone(Kept),
    /// An undo does not delete it: another record refers to it.
    ReferredTo {
        /// That record.
        by: RecordRef,
    },
    /// An undo was not made: the number of deletions was not agreed.
    DeletesNotAgreed,
    /// A field is in conflict.
    Conflict {
        /// Its name on the left.
        field: String,
        /// Why it cannot be decided.
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
        /// What is wrong with it, in the words of its side.
        said: RemoteSaid,
    },
    /// A record was named, and it is not there or outside the filter.
    NotThere {
        /// The record.
        record: RecordRef,
    },
    /// A text from before reasons were data.
    Earlier {
        /// The text.
        text: String,
    },
}

macro_rules! codes {
    ($($variant:ident => $word:literal),* $(,)?) => {
        /// The code of a [`Reason`]: stable, for tables and programs.
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

            /// The word for it.
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
    Brake => "brake",
    DeletedAndEdited => "deleted-and-edited",
    Schema => "schema",
    OutsideFilter => "outside-filter",
    WouldBeOutsideFilter => "would-be-outside-filter",
    NothingFlows => "nothing-flows",
    NoRecord => "no-record",
    NotCreatedThere => "not-created-there",
    DeletedEverywhere => "deleted-everywhere",
    DeletedOnBothSides => "deleted-on-both-sides",
    DeletedIgnored => "deleted-ignored",
    Unlinked => "unlinked",
    CannotBeDeleted => "cannot-be-deleted",
    Undone => "undone",
    MadeAgain => "made-again",
    WithheldPull => "withheld-pull",
    WithheldPush => "withheld-push",
    PlannedCreate => "planned-create",
    PlannedUpdate => "planned-update",
    PlannedDelete => "planned-delete",
    Refused => "refused",
    InvalidAnswer => "invalid-answer",
    RetryLater => "retry-later",
    WaitsFor => "waits-for",
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

    /// A dry run would do this.
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
/// Serialised as [`Reason`] is; what the judge says stands without a name of its own around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldReason {
    /// The default of a new record.
    Default,
    /// The operator has settled it.
    Ruled,
    /// The record is deleted, since this one was.
    Deleted {
        /// The one that is gone.
        record: RecordRef,
    },
    /// What this run did is undone.
    UndoOf {
        /// The run.
        run: RunId,
    },
    /// An undo leaves it as it is.
    NotUndone(Kept),
    /// A text from before reasons were data.
    Earlier {
        /// The text.
        text: String,
    },
    /// What the judge says.
    #[serde(untagged)]
    Judge(Why),
}

impl FieldReason {
    /// Its code: stable, for tables and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            FieldReason::Default => "default",
            FieldReason::Ruled => "ruled",
            FieldReason::Deleted { .. } => "deleted",
            FieldReason::UndoOf { .. } => "undo-of",
            FieldReason::NotUndone(_) => "not-undone",
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
