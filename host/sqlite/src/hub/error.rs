//! What the hub refuses, and why.

use crate::store::StoreError;
use std::fmt;

/// A value that the hub does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field.
    pub field: String,
    /// A word of `order-execution.wit`: `invalid-value`, `required`, `too-large`, `unsupported`.
    pub code: &'static str,
    /// For a person: what is wrong and what to do.
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

/// Why the hub could not do what it was asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// There is no such kind of record.
    #[error("the hub has no object '{name}'; it has {known}")]
    UnknownObject {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The object has no such field.
    #[error("{object} has no field '{name}'; it has {known}")]
    UnknownField {
        /// The object.
        object: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is no such record.
    #[error("there is no {object} {id}{}", if *deleted { "; it was deleted" } else { "" })]
    NoRecord {
        /// The object.
        object: String,
        /// The id.
        id: String,
        /// There was one.
        deleted: bool,
    },
    /// Values that the fields do not take.
    #[error("{record}: {}", joined(refusals))]
    Refused {
        /// Which record: «contact 12», «new contact».
        record: String,
        /// What is wrong, field by field.
        refusals: Vec<Refusal>,
    },
    /// A definition that cannot be.
    #[error("{what}: {why}")]
    Definition {
        /// Which object or field.
        what: String,
        /// What is wrong with it and what to do.
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
