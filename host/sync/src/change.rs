//! Change: one planned write to one record, and afterwards its history; and conflicts, which wait for a ruling of
//! the operator.

use super::json::present;
use super::number::{MappingId, PairId, RunId, Slot};
use super::order::Action;
use super::pair::Seen;
use super::reason::{FieldReason, Reason};
use super::report::FieldTime;
use entente_core::{Side, Sides, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// How a planned change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeStatus {
    /// Decided, not sent.
    Planned,
    /// Decided, not to be sent in this run; the reason says why.
    Withheld,
    /// Sent, no answer yet: its fate is unknown.
    Sent,
    /// Made.
    Done,
    /// Not made; overtaken by a newer decision.
    Dropped,
    /// Refused.
    Failed,
    /// Taken by the remote system, which tells later.
    Deferred,
    /// Not made; to be tried again.
    Retry,
}

impl ChangeStatus {
    /// Every status.
    pub const ALL: [ChangeStatus; 8] = [
        ChangeStatus::Planned,
        ChangeStatus::Withheld,
        ChangeStatus::Sent,
        ChangeStatus::Done,
        ChangeStatus::Dropped,
        ChangeStatus::Failed,
        ChangeStatus::Deferred,
        ChangeStatus::Retry,
    ];

    /// The word for it.
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
        }
    }

    /// The status of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// A field of a planned change, with what it was decided by. Kept as history once the change is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedField {
    /// The slot of the field in its mapping.
    pub slot: Slot,
    /// What is written. A reference is one of the source side until the order goes out.
    pub value: Value,
    /// What the source side has.
    pub source: Value,
    /// What the target had when the change was decided; `None`: not known, or a new record.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub base: Option<Value>,
    /// When the winning value changed, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<FieldTime>,
    /// When the value that was replaced had changed, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_time: Option<FieldTime>,
    /// The other side is written too, and both together are what was decided: only then is it settled.
    #[serde(default)]
    pub joint: bool,
    /// What stood there afterwards, where that is not the value.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub stored: Option<Value>,
    /// Why this value is written.
    pub reason: FieldReason,
}

impl ChangedField {
    /// What stood there once the change was made.
    pub fn result(&self) -> &Value {
        self.stored.as_ref().unwrap_or(&self.value)
    }
}

/// A change of the plan, and afterwards its history.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number; 0 before it is first saved. Numbers grow in the order of the plan.
    pub id: i64,
    /// Names the change towards the exchange, the same however often it is sent, never used twice.
    pub key: String,
    /// The run that decided it.
    pub run: RunId,
    /// The mapping of the pair.
    pub mapping: MappingId,
    /// The pair that it belongs to.
    pub pair: PairId,
    /// The side that is written.
    pub target: Side,
    /// What is done there.
    pub action: Action,
    /// The fields.
    pub fields: Vec<ChangedField>,
    /// How it stands.
    pub status: ChangeStatus,
    /// Why it stands there.
    pub reason: Option<Reason>,
    /// For a deferred change: what to ask with.
    pub ticket: Option<String>,
    /// When it was sent, unless an answer said that it was not carried out.
    pub sent: Option<Timestamp>,
    /// When its fate was known.
    pub settled: Option<Timestamp>,
}

impl Change {
    /// Whether it replaces a value by a blank.
    pub fn blanks(&self) -> bool {
        let blanks = |field: &ChangedField| {
            field.value.is_blank() && field.base.as_ref().is_some_and(|base| !base.is_blank())
        };
        matches!(self.action, Action::Update(_)) && self.fields.iter().any(blanks)
    }
}

/// A field whose two values contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The pair.
    pub pair: PairId,
    /// The slot of the field.
    pub slot: Slot,
    /// What the left side has, and since when.
    pub left: Seen,
    /// What the right side has.
    pub right: Seen,
    /// Why the judge could not decide.
    pub reason: FieldReason,
    /// The run that saw it first.
    pub run: RunId,
}

/// How the operator has settled a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The value of this side.
    Side(Side),
    /// Another value, in the words of the left side.
    Value(Value),
}

/// What the operator has decided about two values that contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// The pair.
    pub pair: PairId,
    /// The slot of the field.
    pub slot: Slot,
    /// The two values that it holds for, left and right.
    pub values: Sides<Value>,
    /// What shall stand on both sides.
    pub choice: Choice,
}

/// How much of an object a plan would delete or blank on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Records that it would delete.
    pub deletes: u64,
    /// Records in which it would replace a value by a blank.
    pub blankings: u64,
    /// Pairs that have a record on both sides, or whose other record has gone since.
    pub linked: u64,
}
