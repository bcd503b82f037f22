//! Change: one planned write to one record, kept as history afterwards. Conflict: a field that waits for a
//! ruling of the operator.

use super::json::present;
use super::number::{MappingId, PairId, RunId, Slot};
use super::order::Action;
use super::pair::Seen;
use super::reason::{FieldReason, Reason};
use super::report::FieldTime;
use entente_core::{Side, Sides, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// Status of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeStatus {
    /// Decided and not sent yet.
    Planned,
    /// Decided, and not sent in this run; the reason says why.
    Withheld,
    /// Sent and not answered: its outcome is unknown until recovery finds it out.
    Sent,
    /// Executed.
    Done,
    /// Not executed; superseded by a newer decision.
    Dropped,
    /// Refused by the side.
    Failed,
    /// Accepted by the remote system, which reports the outcome later for the ticket.
    Deferred,
    /// To be retried: put off by the side, or its outcome could not be found out.
    Retry,
    /// Decided by a dry run of an undo. No run takes it up: the undo decides anew.
    Rehearsed,
}

impl ChangeStatus {
    /// Every status.
    pub const ALL: [ChangeStatus; 9] = [
        ChangeStatus::Planned,
        ChangeStatus::Withheld,
        ChangeStatus::Sent,
        ChangeStatus::Done,
        ChangeStatus::Dropped,
        ChangeStatus::Failed,
        ChangeStatus::Deferred,
        ChangeStatus::Retry,
        ChangeStatus::Rehearsed,
    ];

    /// The stable name of the status.
    pub const fn word(self) -> &'static str {
        match self {
            ChangeStatus::Planned => "planned",
            ChangeStatus::Withheld => "withheld",
            ChangeStatus::Sent => "sent",
            ChangeStatus::Done => "done",
            ChangeStatus::Dropped => "dropped",
            ChangeStatus::Failed => "failed",
            ChangeStatus::Deferred => "deferred",
            ChangeStatus::Retry => "retry",
            ChangeStatus::Rehearsed => "rehearsed",
        }
    }

    /// The status with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// A field of a planned change, with the values that the decision was based on. Kept as history after
/// execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedField {
    /// The slot of the field in its mapping.
    pub slot: Slot,
    /// The value to write. A reference names a record of the source side until the order goes out.
    pub value: Value,
    /// The value of the source side.
    pub source: Value,
    /// The value that the target had when the change was decided, for optimistic concurrency and undo;
    /// `None`: not known, or a new record.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub base: Option<Value>,
    /// Change time of the winning value, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<FieldTime>,
    /// Change time of the value that is replaced, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_time: Option<FieldTime>,
    /// The decision writes both sides (a merged set, an operator's own value): the field is settled only when
    /// both writes are done.
    #[serde(default)]
    pub joint: bool,
    /// The value that the target stored, where it differs from `value` (normalised).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub stored: Option<Value>,
    /// Why this value is written.
    pub reason: FieldReason,
}

impl ChangedField {
    /// The value that the target stored.
    pub fn result(&self) -> &Value {
        self.stored.as_ref().unwrap_or(&self.value)
    }
}

/// A change of the plan, kept as history afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number; 0 until the ledger assigns one. Numbers grow in the order of the plan.
    pub id: i64,
    /// Idempotency key: the same however often the change is sent, and never used for another one.
    pub key: String,
    /// The run that decided it.
    pub run: RunId,
    /// The mapping of the pair.
    pub mapping: MappingId,
    /// The pair that it belongs to.
    pub pair: PairId,
    /// The side that is written.
    pub target: Side,
    /// What is done to the record.
    pub action: Action,
    /// For an executed create: the id of the record that it made. The pair may have another record by now.
    /// `None` before, and where an earlier version executed it.
    pub made: Option<String>,
    /// The fields that are written; for a delete, what the record had.
    pub fields: Vec<ChangedField>,
    /// Its status.
    pub status: ChangeStatus,
    /// Why it has this status.
    pub reason: Option<Reason>,
    /// For a deferred change: the ticket that the outcome is collected with.
    pub ticket: Option<String>,
    /// When it was sent; cleared where the answer says that nothing was written.
    pub sent: Option<Timestamp>,
    /// When its outcome became known.
    pub settled: Option<Timestamp>,
}

impl Change {
    /// Whether an undo decided it. The run that gets its answer may be another one, and an undo gets answers to changes
    /// of earlier runs.
    pub(super) fn is_of_undo(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.reason, FieldReason::UndoOf { .. }))
    }

    /// Whether it deletes a record that an undone run had made.
    pub(super) fn is_delete_of_undo(&self) -> bool {
        matches!(self.action, Action::Delete(_)) && self.is_of_undo()
    }

    /// The record that this change is about: the one that it updates, deletes or has made.
    pub fn record(&self) -> Option<&str> {
        match &self.action {
            Action::Create => self.made.as_deref(),
            Action::Update(id) | Action::Delete(id) => Some(id),
        }
    }

    /// Whether it replaces a value by a blank; the deletion guard counts such changes.
    pub fn blanks(&self) -> bool {
        let blanks = |field: &ChangedField| {
            field.value.is_blank() && field.base.as_ref().is_some_and(|base| !base.is_blank())
        };
        matches!(self.action, Action::Update(_)) && self.fields.iter().any(blanks)
    }
}

/// A conflict: a field whose two values changed on both sides, and the judge cannot tell which one wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The pair.
    pub pair: PairId,
    /// The slot of the field.
    pub slot: Slot,
    /// The value of the left side and its change time.
    pub left: Seen,
    /// The value of the right side and its change time.
    pub right: Seen,
    /// What the judge found.
    pub reason: FieldReason,
    /// The run that found it first.
    pub run: RunId,
}

/// How the operator settles a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The value of this side wins.
    Side(Side),
    /// Another value is written to both sides, given as the left side would have it.
    Value(Value),
}

/// A ruling of the operator about a conflict. It holds only while both sides still have the two values.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// The pair.
    pub pair: PairId,
    /// The slot of the field.
    pub slot: Slot,
    /// The two values that it was made for, left and right.
    pub values: Sides<Value>,
    /// The decision.
    pub choice: Choice,
}

/// How much of an object a plan would delete or blank on a side, for the deletion guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Records that it would delete.
    pub deletes: u64,
    /// Records in which it would replace a value by a blank.
    pub blankings: u64,
    /// Linked pairs: with a record on both sides, or with one that has been deleted since.
    pub linked: u64,
}
