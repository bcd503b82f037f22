//! Notices: what the operator should know of a run besides its counts.

use super::number::RunId;
use super::reason::Reason;
use super::remedy::Remedy;
use super::subject::RemoteSaid;
use entente_core::{Kind, Side};
use serde::{Deserialize, Serialize};

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
