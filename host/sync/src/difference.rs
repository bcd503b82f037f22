//! Difference: why `run apply` does not make a planned change, and why `run undo` keeps what a run wrote.

use super::json::present;
use super::number::{RunId, Slot};
use super::order::Deed;
use entente_core::{Side, Value};
use serde::{Deserialize, Serialize};

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
