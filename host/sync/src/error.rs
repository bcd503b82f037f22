//! Why a run ended before its end.

use super::exchange::ExchangeError;
use super::ledger::LedgerError;
use super::remedy::{Message, Remedy};

/// Why a run ended before its end. What was committed by then stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A side failed.
    #[error("{exchange} could not {doing}: {error}")]
    Exchange {
        /// Which side.
        exchange: String,
        /// What it was asked.
        doing: &'static str,
        /// What it said.
        error: Box<ExchangeError>,
    },
    /// A side broke the rules of the interface.
    #[error("{exchange} {what}; this is a defect of the plugin")]
    Broken {
        /// Which side.
        exchange: String,
        /// What it did.
        what: String,
    },
    /// The mapping does not fit what a side has now.
    #[error("{exchange} has no object '{object}', which the sync '{sync}' maps; it has {known}")]
    NoSuchObject {
        /// Which side.
        exchange: String,
        /// The object.
        object: String,
        /// What it has.
        known: String,
        /// The sync.
        sync: String,
    },
    /// The operator named a record of an object that the sync does not have.
    #[error("sync '{sync}' has no object '{object}' on the side of {exchange}; it has {known}")]
    NotMapped {
        /// Which side.
        exchange: String,
        /// The object.
        object: String,
        /// What is mapped there.
        known: String,
        /// The sync.
        sync: String,
    },
    /// The operator stopped it.
    #[error("stopped by the operator; the next run goes on from here")]
    Stopped,
    /// The time that it was given was up.
    #[error("the time that the run was given is up; the next run goes on from here")]
    TimeUp,
}

impl SyncError {
    /// What can be done about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            SyncError::Ledger(error) => error.remedies(),
            SyncError::Exchange { error, .. } => error.remedies.clone(),
            SyncError::Broken { .. } => vec![Remedy::ReportToAuthor],
            SyncError::NoSuchObject { .. } => vec![Remedy::Apply],
            SyncError::NotMapped { .. } | SyncError::Stopped | SyncError::TimeUp => Vec::new(),
        }
    }

    /// What is stored of it with the run.
    pub(crate) fn message(&self) -> Message {
        Message::new(self.to_string(), self.remedies())
    }
}
