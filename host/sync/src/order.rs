//! Order: a batch of changes that a side is asked to execute, and the outcome of each.

use super::failure::ExchangeError;
use super::number::Slot;
use super::report::{FieldTime, Row, StateWrites};
use entente_core::{Reference, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A batch of changes to records of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The object.
    pub object: String,
    /// Field names; `values`, `base` and `times` of each change follow their order.
    pub fields: Vec<String>,
    /// The changes.
    pub changes: Vec<OrderedChange>,
    /// The run is a first-time sync.
    pub first_time: bool,
    /// What the operator gave with `--option`.
    pub options: Vec<(String, String)>,
    /// The sync that writes; the hub stores it as the origin of the values.
    pub sync: String,
    /// The run that writes.
    pub run: i64,
    /// When the order was made; the hub takes it as the change time of values without one.
    pub at: Timestamp,
}

/// What is done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Create a record.
    Create,
    /// Update the record with this id.
    Update(String),
    /// Delete the record with this id.
    Delete(String),
}

impl Action {
    /// The kind of the action, without the id.
    pub const fn deed(&self) -> Deed {
        match self {
            Action::Create => Deed::Create,
            Action::Update(_) => Deed::Update,
            Action::Delete(_) => Deed::Delete,
        }
    }
}

/// Kind of an [`Action`], without the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Create a record.
    Create,
    /// Update a record.
    Update,
    /// Delete a record.
    Delete,
}

/// One change of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedChange {
    /// Idempotency key: the same however often the change is sent.
    pub id: String,
    /// What is done to the record.
    pub action: Action,
    /// The values to write; `None` leaves the field as it is.
    pub values: Vec<Option<Value>>,
    /// The values that the record had when the change was decided, for a compare-and-set by the side; `None`
    /// where nothing is known. Empty for a create.
    pub base: Vec<Option<Value>>,
    /// Change times of the values, for a side that stores field times itself; as long as `values`, or empty.
    pub times: Vec<Option<FieldTime>>,
    /// Version of the record at its last report, for a conditional write (an `If-Match`, say).
    pub version: Option<String>,
    /// The record of the other side that the values come from.
    pub source: Option<Reference>,
}

/// What an exchange answers to an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Executed {
    /// One answer for each change, in any order. A change without an answer has an unknown outcome.
    pub answers: Vec<Answer>,
    /// Why the order was not carried out to its end; what is answered counts all the same.
    pub stopped: Option<ExchangeError>,
    /// State that the exchange wants stored; committed together with the outcomes.
    pub state: StateWrites,
}

/// The outcome of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The idempotency key of the change.
    pub change: String,
    /// Its outcome.
    pub outcome: Outcome,
}

/// A record as its side stores it after a write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// The id of the record.
    pub id: String,
    /// Change time of the record, if the side tells.
    pub changed: Option<Timestamp>,
    /// Version of the record after the write, for the next conditional write.
    pub version: Option<String>,
    /// The stored values, in the order of the order's fields; empty: stored as ordered.
    pub values: Vec<Option<Value>>,
    /// Change time of each field, as in [`Row::times`]; empty where the side tells none.
    pub times: Vec<Option<FieldTime>>,
    /// Fields that were not written, while the rest of the record was.
    pub refused: Vec<RefusedField>,
    /// The side said that fields were not written, and named none of the order.
    pub refused_unnamed: bool,
}

/// A row as it was read says what the side stores, too.
impl From<Row> for Written {
    fn from(row: Row) -> Self {
        let Row { id, changed, version, values, times } = row;
        Self { id, changed, version, values, times, ..Self::default() }
    }
}

impl Written {
    /// Whether the value of a field is told, by the fields of the order.
    pub(super) fn tells(&self, slots: &[Slot], slot: Slot) -> bool {
        let column = slots.iter().position(|of| *of == slot);
        column.and_then(|column| self.values.get(column)).is_some_and(Option::is_some)
    }
}

/// A field that was not written, while the rest of the record was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedField {
    /// The name of the field.
    pub field: String,
    /// Error code, see `order-execution.wit`.
    pub code: String,
    /// Message, in the words of the side.
    pub reason: String,
}

/// Outcome of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A record was created.
    Created(Written),
    /// The record was updated.
    Updated(Written),
    /// The record already had these values; nothing was written.
    Unchanged(Written),
    /// The record is deleted, by this change or before it.
    Deleted,
    /// The record has been converted into this one; nothing was written.
    Converted(Reference),
    /// The conditional write was refused: the record changed after the decision. This is what it holds now.
    Stale(Row),
    /// Nothing was written; the side asks for a retry.
    Retry {
        /// How long to wait, if the side tells.
        after: Option<Duration>,
        /// Why, in the words of the side.
        reason: String,
    },
    /// Nothing was written, and a retry would not help.
    Failed {
        /// Error code, see `order-execution.wit`.
        code: String,
        /// Message, in the words of the side.
        reason: String,
        /// Names of the fields that were refused.
        fields: Vec<String>,
    },
    /// Accepted for asynchronous processing; the outcome is collected later with this ticket.
    Deferred(String),
}

/// The outcomes of deferred changes so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Outcomes that are known by now.
    pub answers: Vec<Answer>,
    /// State of the ticket.
    pub state: TicketState,
}

/// State of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketState {
    /// Every change is answered.
    Done,
    /// Some changes are open; poll again after this long.
    Pending(Option<Duration>),
    /// The side no longer knows the ticket.
    Lost,
}
