//! Difference: why `run apply` does not make a planned change, and why `run undo` keeps what a run wrote.

use super::json::present;
use super::number::{RunId, Slot};
use super::order::Deed;
use super::subject::RecordRef;
use entente_core::{Side, Value};
use serde::{Deserialize, Serialize};

/// How the decision of now differs from a planned change (`run apply`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// Another action would be taken.
    Deed {
        /// The planned action.
        planned: Deed,
        /// The action decided now.
        now: Deed,
    },
    /// Another record would be written.
    Record,
    /// A field would be written that the plan does not have.
    FieldMore {
        /// Its slot.
        slot: Slot,
        /// The value that would be written.
        value: Value,
    },
    /// A field of the plan would not be written.
    FieldLess {
        /// Its slot.
        slot: Slot,
    },
    /// Another value would be written.
    Value {
        /// The slot of the field.
        slot: Slot,
        /// The planned value.
        planned: Value,
        /// The value decided now.
        now: Value,
    },
    /// The base changed: the target holds another value than when the change was planned.
    Base {
        /// The slot of the field.
        slot: Slot,
        /// The value when it was planned; `None`: not known.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        planned: Option<Value>,
        /// The value now; `None`: not known.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        now: Option<Value>,
    },
    /// The records were edited since, and the other side would be written now.
    OtherSide,
    /// The records agree now: nothing would be written.
    Nothing,
    /// The pair was not decided again: it was settled since, or left the sync.
    Settled,
}

/// Why an undo keeps what the run wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// The record was deleted.
    Gone,
    /// An operator has removed the link of the pair.
    LinkRemoved,
    /// The record that the run deleted exists again.
    ThereAgain,
    /// The pair has another record now than the one that the run wrote, or none: it was merged, unlinked or
    /// made again since.
    OtherRecord {
        /// The record that the run wrote; `None`: made by an earlier version, which did not keep its id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wrote: Option<RecordRef>,
        /// The record of the pair now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<RecordRef>,
    },
    /// A later run changed it.
    ChangedBy {
        /// That run.
        run: RunId,
    },
    /// The field was edited since.
    Edited {
        /// The value now; `None`: not known.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        now: Option<Value>,
    },
    /// The record that the run created is not deleted: one of its fields was edited since.
    FieldEdited {
        /// The name of the field.
        field: String,
    },
    /// The field was edited on the other side since.
    OtherSideEdited,
    /// The value from before the run is not known, or refers to a record that is gone.
    NotKnown,
    /// The value from before the run is blank, and the side requires one.
    Required {
        /// The side.
        side: Side,
    },
    /// The record is outside the filter: it is not written.
    OutsideFilter {
        /// The side.
        side: Side,
    },
    /// The record that the run created is not deleted: the side does not support deleting its object.
    CannotBeDeleted {
        /// The side.
        side: Side,
        /// The object.
        object: String,
    },
}
