//! What went wrong, before it is known what was being done.

use crate::store::{StoreError, StoreFailure};
use entente_sync::LedgerError;

/// A failure without its occasion.
#[derive(Debug)]
pub(super) struct Why {
    text: String,
    /// What kind of failure the database reported, if it did.
    pub(super) kind: Option<StoreFailure>,
}

impl Why {
    /// The error for people.
    pub(super) fn while_(self, doing: &'static str) -> LedgerError {
        LedgerError::Store { doing, why: self.text }
    }
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self { text, kind: None }
    }
}

impl From<rusqlite::Error> for Why {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<StoreError> for Why {
    fn from(error: StoreError) -> Self {
        match error {
            // The sentence that it goes into says already that the database failed.
            StoreError::Failed { kind, why } => Self { text: why, kind: Some(kind) },
            error => error.to_string().into(),
        }
    }
}

/// Turns a failure into a [`LedgerError`] that says what was tried.
pub(super) fn failed<E: Into<Why>>(doing: &'static str) -> impl Fn(E) -> LedgerError {
    move |error| error.into().while_(doing)
}
