//! Error of a run: why it ended early.

use super::exchange::ExchangeError;
use super::ledger::LedgerError;
use super::remedy::{Message, Remedy};

/// Why a run ended early. Everything committed before stays, and the next run resumes from there.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A call to a side failed.
    #[error("{exchange} could not {doing}: {error}")]
    Exchange {
        /// Name of the exchange.
        exchange: String,
        /// What the engine asked of it, as a verb phrase.
        doing: &'static str,
        /// The error that it returned.
        error: Box<ExchangeError>,
    },
    /// A side violated the plugin interface.
    #[error("{exchange} {what}; this is a defect of the plugin")]
    Broken {
        /// Name of the exchange.
        exchange: String,
        /// What it did, as a verb phrase.
        what: String,
    },
    /// Schema drift: a side no longer has a mapped object.
    #[error(
        "{exchange} has no object '{object}' (or the manifest of its plugin does not list it), which the sync '{sync}' maps; it has {}",
        or_none(known)
    )]
    NoSuchObject {
        /// Name of the exchange.
        exchange: String,
        /// The object.
        object: String,
        /// The objects that it has.
        known: String,
        /// Name of the sync.
        sync: String,
    },
    /// The ids of a side mean other records than those that they are linked as.
    #[error(
        "{exchange} is not the account that its records are linked with: it was {before}, and is {now}; nothing was read or written"
    )]
    AnotherAccount {
        /// Name of the exchange.
        exchange: String,
        /// The account that the links are with.
        before: String,
        /// The account that it is now.
        now: String,
        /// Whether the exchange told both of them; else settings stand in for what it does not tell.
        told: bool,
    },
    /// The operator named a record of an object that the sync does not map.
    #[error(
        "sync '{sync}' maps no object '{object}' of {exchange}; of {exchange} it maps {}",
        or_none(known)
    )]
    NotMapped {
        /// Name of the exchange.
        exchange: String,
        /// The object.
        object: String,
        /// The objects of this exchange that the sync maps.
        known: String,
        /// Name of the sync.
        sync: String,
    },
    /// The operator stopped the run.
    #[error("stopped by the operator; the next run goes on from here")]
    Stopped,
    /// The run reached its time limit, or would reach it during a wait.
    #[error("the run reached its time limit{}; the next run goes on from here", while_waiting(waiting.as_deref()))]
    TimeUp {
        /// What it was waiting for, where it was.
        waiting: Option<Box<Awaited>>,
    },
    /// The run has used up its budget: a limit of whoever started it.
    #[error("{0}; what was read is kept, and the next run goes on from here")]
    Spent(Message),
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Name of the exchange.
    pub exchange: String,
    /// Why the exchange is not ready, in its words or in those of the host.
    pub reason: String,
}

/// A list within a sentence.
fn or_none(list: &str) -> &str {
    if list.is_empty() { "none" } else { list }
}

/// The part of a sentence that says what a run was waiting for.
fn while_waiting(waiting: Option<&Awaited>) -> String {
    let Some(Awaited { exchange, reason }) = waiting else { return String::new() };
    format!(" while it waited for {exchange} ({reason})")
}

impl SyncError {
    /// What the operator can do about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            SyncError::Ledger(error) => error.remedies(),
            SyncError::Exchange { error, .. } => error.remedies.clone(),
            SyncError::Broken { .. } => vec![Remedy::ReportToAuthor],
            SyncError::NoSuchObject { .. } => vec![Remedy::Export, Remedy::Apply],
            SyncError::AnotherAccount { exchange, now, told, .. } => vec![
                Remedy::ChangeIntegration { integration: exchange.clone() },
                Remedy::RebindSameSystem {
                    integration: exchange.clone(),
                    account: told.then(|| now.clone()),
                },
                Remedy::RebindForgetLinks { integration: exchange.clone(), unasked: false },
            ],
            SyncError::Spent(spent) => spent.remedies.clone(),
            SyncError::NotMapped { .. } | SyncError::Stopped | SyncError::TimeUp { .. } => Vec::new(),
        }
    }

    /// The error as it is stored with the run.
    pub(crate) fn message(&self) -> Message {
        Message::new(self.to_string(), self.remedies())
    }
}
