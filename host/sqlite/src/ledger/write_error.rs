//! The error inside the ledger: what failed, before it is known in which call.

use crate::store::{StoreError, StoreFailure};
use entente_sync::LedgerError;

/// A failed read or write. [`WriteError::while_`] adds what was tried and makes it an error of the trait.
#[derive(Debug)]
pub(super) struct WriteError {
    text: String,
    /// What kind of failure the database reported, if it did.
    pub(super) kind: Option<StoreFailure>,
}

impl WriteError {
    /// The error for people.
    pub(super) fn while_(self, doing: &'static str) -> LedgerError {
        LedgerError::Store { doing, why: self.text }
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
            // The sentence that it goes into says already that the database failed.
            StoreError::Failed { kind, why } => Self { text: why, kind: Some(kind) },
            error => error.to_string().into(),
        }
    }
}

/// Turns a failure into a [`LedgerError`] that says what was tried.
pub(super) fn failed<E: Into<WriteError>>(doing: &'static str) -> impl Fn(E) -> LedgerError {
    move |error| error.into().while_(doing)
}
