//! The internal error of the ledger's writes, before the call that failed is known.

use crate::store::{StoreError, StoreFailure};
use entente_sync::LedgerError;

/// A failed read or write. [`WriteError::while_`] adds what was tried and converts it to the trait's error.
#[derive(Debug)]
pub(super) struct WriteError {
    text: String,
    /// The kind of failure, where the database reported it.
    pub(super) kind: Option<StoreFailure>,
}

impl WriteError {
    /// Converts to the trait's error.
    pub(super) fn while_(self, doing: &'static str) -> LedgerError {
        match self.kind {
            Some(StoreFailure::Busy) => LedgerError::Locked { why: self.text },
            Some(StoreFailure::Full) => LedgerError::Full { doing, why: self.text },
            _ => LedgerError::Store { doing, why: self.text },
        }
    }
}

impl From<String> for WriteError {
    fn from(text: String) -> Self {
        Self { text, kind: None }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        match error {
            // The surrounding sentence already says that the database failed.
            StoreError::Failed { kind, why } => Self { text: why, kind: Some(kind) },
            error @ StoreError::Locked { .. } => {
                Self { text: error.to_string(), kind: Some(StoreFailure::Busy) }
            }
            error => error.to_string().into(),
        }
    }
}

/// Converts a failure into a [`LedgerError`] that says what was tried.
pub(super) fn failed<E: Into<WriteError>>(doing: &'static str) -> impl Fn(E) -> LedgerError {
    move |error| error.into().while_(doing)
}
