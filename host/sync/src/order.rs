//! Order: the changes that a side is asked to make, and what it answers to each.

use super::report::{FieldTime, Row, StateWrites};
use entente_core::{Reference, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The changes of one object that a side is asked to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The object.
    pub object: String,
    /// The names that values and base follow.
    pub fields: Vec<String>,
    /// The changes.
    pub changes: Vec<OrderedChange>,
    /// The run is a first-time sync.
    pub first_time: bool,
    /// What the operator gave with `--option`.
    pub options: Vec<(String, String)>,
    /// The sync that writes; the hub notes it as the origin.
    pub sync: String,
    /// The run that writes.
    pub run: i64,
    /// When the order was made: the hub dates by it what has no time of its own.
    pub at: Timestamp,
}

/// What is done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A new record is made.
    Create,
    /// The record of this id is changed.
    Update(String),
    /// The record of this id is deleted.
    Delete(String),
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

/// One change of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedChange {
    /// Names the change; the same however often it is sent.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// What to write; `None` leaves the field as it is.
    pub values: Vec<Option<Value>>,
    /// What the record had when the change was decided; `None` where nothing is known. Empty for a create.
    pub base: Vec<Option<Value>>,
    /// The times of the values, for a side that keeps field times itself; as long as `values`, or empty.
    pub times: Vec<Option<FieldTime>>,
    /// What the last report of the record gave for conditional writes.
    pub version: Option<String>,
    /// The record of the other side that the values come from.
    pub source: Option<Reference>,
}

/// What an exchange answers to an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Executed {
    /// One answer for each change, in any order.
    pub answers: Vec<Answer>,
    /// What the exchange wants kept together with the outcomes.
    pub state: StateWrites,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id of the change.
    pub change: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a side holds after a write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// The id of the record.
    pub id: String,
    /// When it changed.
    pub changed: Option<Timestamp>,
    /// What conditional writes take from now on.
    pub version: Option<String>,
    /// What was stored, in the order of the fields; empty: taken as ordered.
    pub values: Vec<Option<Value>>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A new record was made.
    Created(Written),
    /// The record was written.
    Updated(Written),
    /// The record already had these values.
    Unchanged(Written),
    /// The record is gone, by this change or before it.
    Deleted,
    /// The record has become another one; nothing was written.
    Converted(Reference),
    /// The record has changed since the decision; nothing was written.
    Stale(Row),
    /// Nothing was written; later it may be.
    Retry {
        /// How long to wait, if the side says so.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Nothing was written, and trying again would not help.
    Failed {
        /// A word, see `order-execution.wit`.
        code: String,
        /// For a person.
        reason: String,
        /// The fields that were refused.
        fields: Vec<String>,
    },
    /// Taken; what becomes of it is told later for this ticket.
    Deferred(String),
}

/// What became of deferred changes so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// What is settled.
    pub answers: Vec<Answer>,
    /// How it stands with the ticket.
    pub state: TicketState,
}

/// How it stands with a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketState {
    /// Everything is answered.
    Done,
    /// Something is still open; ask again after this long.
    Pending(Option<Duration>),
    /// The side no longer knows the ticket.
    Lost,
}
