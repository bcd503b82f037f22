//! Reasons: why a pair, a change or a field stands as it does, as data. Sentences are made where they are shown,
//! and nothing here is ever recognised by a text: what a remote system says stands apart, in [`RemoteSaid`].

use super::definition::Braked;
use super::json::present;
use super::number::{RunId, Slot};
use super::order::Action;
use super::remedy::Remedy;
use entente_core::{Kind, Reference, Side, Value, Why};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record of one side that a reason is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRef {
    /// Where it is.
    pub side: Side,
    /// The object.
    pub object: String,
    /// The id.
    pub id: String,
}

impl RecordRef {
    /// A record of a side.
    pub fn new(side: Side, object: &str, id: &str) -> Self {
        Self { side, object: object.to_owned(), id: id.to_owned() }
    }

    /// The record that a reference of a side names.
    pub fn of(side: Side, reference: &Reference) -> Self {
        Self::new(side, &reference.object, &reference.id)
    }
}

/// What a remote system or its plugin said, in its own words. The engine decides nothing by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RemoteSaid {
    /// Its code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its text.
    pub text: String,
}

impl RemoteSaid {
    /// A code with a text.
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: Some(code.to_owned()), text: text.to_owned() }
    }

    /// A text without a code.
    pub fn text(text: &str) -> Self {
        Self { code: None, text: text.to_owned() }
    }
}

/// What is done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

impl Action {
    /// What is done, whatever the record.
    pub const fn deed(&self) -> Deed {
        match self {
            Action::Create => Deed::Create,
            Action::Update(_) => Deed::Update,
            Action::Delete(_) => Deed::Delete,
        }
    }
}

/// How an answer broke the rules of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidAnswer {
    /// The record was to be deleted, and the answer says that it is there.
    NotDeleted,
    /// The record was written, and no id came back.
    NoId,
}

/// How a decision differs from the one that was planned, or why nothing is left of a planned one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Something else would be done.
    Deed {
        /// What was planned.
        planned: Deed,
        /// What it would be now.
        now: Deed,
    },
    /// Another record would be written.
    Record,
    /// Another field would be written too.
    FieldMore {
        /// Its slot.
        slot: Slot,
        /// The value.
        value: Value,
    },
    /// A field need not be written any more.
    FieldLess {
        /// Its slot.
        slot: Slot,
    },
    /// Another value would be written.
    Value {
        /// The slot of the field.
        slot: Slot,
        /// What was planned.
        planned: Value,
        /// What it would be now.
        now: Value,
    },
    /// The target has another value than when it was planned.
    Base {
        /// The slot of the field.
        slot: Slot,
        /// What stood there; `None`: nothing was known.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        planned: Option<Value>,
        /// What stands there now.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        now: Option<Value>,
    },
    /// The records were edited, and now the other side would be written.
    OtherSide,
    /// There is nothing to write any more.
    Nothing,
    /// The record was settled since, or left the sync.
    Settled,
}

/// Why an undo leaves something as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// The record is gone.
    Gone,
    /// The record is there again.
    ThereAgain,
    /// A later run changed it.
    ChangedBy {
        /// That run.
        run: RunId,
    },
    /// It was edited.
    Edited {
        /// What stands there; `None`: nothing is known of it.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        now: Option<Value>,
    },
    /// A field of a record that was to be deleted was edited.
    FieldEdited {
        /// The name of the field.
        field: String,
    },
    /// The other side was edited.
    OtherSideEdited,
    /// What stood there before is not known.
    NotKnown,
    /// Records of this object cannot be deleted on that side.
    CannotBeDeleted {
        /// The side.
        side: Side,
        /// The object.
        object: String,
    },
}

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

/// How often a reason was given, with a few samples of what it was about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// How often.
    pub count: u64,
    /// The first ones that differ, at most [`Counted::SAMPLES`].
    pub samples: Vec<Reason>,
}

impl Counted {
    /// How many samples are kept.
    pub const SAMPLES: usize = 3;

    /// Counts a reason so many times.
    pub fn add(&mut self, reason: &Reason, times: u64) {
        self.count += times;
        if self.samples.len() < Self::SAMPLES && !self.samples.contains(reason) {
            self.samples.push(reason.clone());
        }
    }
}

impl Counted {
    /// Adds the counts of another place.
    pub fn add_all(&mut self, other: &Counted) {
        self.count += other.count;
        other.samples.iter().for_each(|sample| self.add(sample, 0));
    }
}

/// Reasons by their code: however many records they name, a line each.
pub type ReasonCounts = BTreeMap<Code, Counted>;

/// Something that the operator should know of a run, besides its counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The deletion guard holds a part of the plan.
    Brake(Reason),
    /// A field of a side no longer fits the mapping, and is parked.
    FieldParked {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// Its kind as it was mapped, and as it is now; `None`: it is no longer there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kinds: Option<(Kind, Kind)>,
    },
    /// A side has a field that it had not, and that is not mapped.
    NewField {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// A side now needs a field for a new record, and nothing is mapped to it.
    NewlyRequired {
        /// The side.
        side: Side,
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// An order failed as a whole, and is sent in smaller ones.
    OrderFailed {
        /// The side.
        side: Side,
        /// What it said.
        said: RemoteSaid,
        /// What can be done about it, where the host knows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remedies: Vec<Remedy>,
    },
    /// A side stays trusted, whatever changed, until a run without a window has made all of it.
    StaysTrusted {
        /// The side.
        side: Side,
    },
    /// A run that is undone wrote objects that the sync no longer maps.
    NotMapped {
        /// The run.
        run: RunId,
    },
    /// An undo would delete records, and the operator has not agreed to that number.
    DeletesNotAgreed {
        /// The run that is undone.
        run: RunId,
        /// How many records.
        deletes: u64,
    },
    /// A text from before notices were data.
    Earlier {
        /// The text.
        text: String,
    },
}

impl Notice {
    /// What can be done about it, where it is one of a run of this sync.
    pub fn remedies(&self, sync: &str) -> Vec<Remedy> {
        match self {
            Notice::Brake(_) => vec![Remedy::LiftBrake { sync: sync.to_owned() }],
            Notice::FieldParked { .. } | Notice::NewlyRequired { .. } => vec![Remedy::Apply],
            Notice::OrderFailed { remedies, .. } => remedies.clone(),
            Notice::DeletesNotAgreed { run, deletes } => {
                vec![Remedy::UndoRun { run: *run, deletes: *deletes }]
            }
            Notice::NewField { .. }
            | Notice::StaysTrusted { .. }
            | Notice::NotMapped { .. }
            | Notice::Earlier { .. } => Vec::new(),
        }
    }
}
