//! Errors of the hub.

use crate::store::StoreError;
use std::fmt;

/// A value that a field refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field.
    pub field: String,
    /// The failure code, a word of `order-execution.wit`: `invalid-value`, `required`, `too-large`,
    /// `unsupported`.
    pub code: &'static str,
    /// The reason and remedy, for people.
    pub reason: String,
}

impl Refusal {
    pub(super) fn new(field: &str, code: &'static str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), code, reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

fn joined(refusals: &[Refusal]) -> String {
    refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ")
}

fn gone(deleted: bool, kept: bool) -> &'static str {
    match (deleted, kept) {
        (false, _) => "",
        (true, true) => "; it was deleted",
        (true, false) => "; it was deleted, and what it held is not kept",
    }
}

/// Why a call failed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// There is no such object.
    #[error("the hub has no object '{name}'; it has {known}")]
    UnknownObject {
        /// The name requested.
        name: String,
        /// The existing objects.
        known: String,
    },
    /// The object has no such field.
    #[error("{object} has no field '{name}'; it has {known}")]
    UnknownField {
        /// The object.
        object: String,
        /// The name requested.
        name: String,
        /// The existing fields.
        known: String,
    },
    /// There is no such record.
    #[error("there is no {object} {id}{}", gone(*deleted, *kept))]
    NoRecord {
        /// The object.
        object: String,
        /// The id.
        id: String,
        /// Whether it existed and was deleted.
        deleted: bool,
        /// Whether what it held is kept, so that it can be restored.
        kept: bool,
    },
    /// The record is there, so that there is nothing to restore.
    #[error("{object} {id} was not deleted")]
    NotDeleted {
        /// The object.
        object: String,
        /// The id.
        id: String,
    },
    /// What the deleted record held is not kept.
    #[error("what {object} {id} held is not kept: it was erased, or deleted by an earlier version")]
    NotKept {
        /// The object.
        object: String,
        /// The id.
        id: String,
    },
    /// Fields refused their values.
    #[error("{record}: {}", joined(refusals))]
    Refused {
        /// Which record: «contact 12», «new contact».
        record: String,
        /// The refusals, by field.
        refusals: Vec<Refusal>,
    },
    /// A definition is invalid.
    #[error("{what}: {why}")]
    Definition {
        /// Which object or field.
        what: String,
        /// What is wrong with it, and the remedy.
        why: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for HubError {
    fn from(error: rusqlite::Error) -> Self {
        HubError::Store(error.into())
    }
}
