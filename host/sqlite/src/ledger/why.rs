//! What went wrong, before it is known what was being done.

use crate::store::StoreError;
use entente_sync::LedgerError;
use rusqlite::ffi;

/// A failure without its occasion.
#[derive(Debug)]
pub(super) struct Why {
    text: String,
    /// What SQLite said, for those who can say it in better words.
    pub(super) sqlite: Option<ffi::Error>,
}

impl Why {
    /// The error for people.
    pub(super) fn while_(self, doing: &'static str) -> LedgerError {
        LedgerError::Store { doing, why: self.text }
    }
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self { text, sqlite: None }
    }
}

impl From<rusqlite::Error> for Why {
    fn from(error: rusqlite::Error) -> Self {
        Self { text: error.to_string(), sqlite: error.sqlite_error().copied() }
    }
}

impl From<StoreError> for Why {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Sqlite(error) => error.into(),
            error => error.to_string().into(),
        }
    }
}

/// Turns a failure into a [`LedgerError`] that says what was tried.
pub(super) fn failed<E: Into<Why>>(doing: &'static str) -> impl Fn(E) -> LedgerError {
    move |error| error.into().while_(doing)
}
