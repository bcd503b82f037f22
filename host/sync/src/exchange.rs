//! Exchange: the interface of a side of a sync (a connector): describe, report, execute, look up.
//!
//! The hub is an exchange, and so is each integration; tests implement the trait in plain Rust. Requests and
//! answers ([`description`](super::description), [`report`](super::report), [`order`](super::order)) follow
//! the plugin interface (`wit/`), whose comments say what each field promises.

use super::description::{Description, ProposedMapping};
use super::ledger::Unit;
use super::order::{Answer, Collection, Executed, Order};
use super::remedy::Remedy;
use super::report::{Page, ReportRequest};
use async_trait::async_trait;
use entente_core::Value;
use std::fmt;
use std::time::Duration;

/// A side of a sync: describes its objects, reports changes, executes orders.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// The name that operators know it by: `hub`, or the name of the integration.
    fn name(&self) -> &str;

    /// The current schema: objects, fields, features.
    async fn describe(&self) -> Result<Description, ExchangeError>;

    /// The mappings that it proposes; empty where it proposes none.
    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError>;

    /// One page of what is new, changed or deleted.
    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError>;

    /// Executes an order, with one answer for each change. A change without an answer has an unknown outcome,
    /// and so has every change of an order that ends in an error. Delivery is at least once: a change may be
    /// sent again under its idempotency key.
    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError>;

    /// Collects the outcomes of deferred changes.
    async fn collect(
        &self,
        ticket: &str,
        object: &str,
        fields: &[String],
    ) -> Result<Collection, ExchangeError>;

    /// Whether [`Exchange::find`] is supported.
    fn can_find(&self) -> bool;

    /// Looks records up by identifier values: for each key, the ids of the records that have it.
    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError>;

    /// The same exchange as a [`LocalExchange`], for a side whose records are in the store of the ledger.
    fn local(&self) -> Option<&dyn LocalExchange> {
        None
    }
}

/// A side in the store of the ledger: its orders commit in one transaction with the pairs, so that no outcome
/// is ever unknown.
#[async_trait]
pub trait LocalExchange: Send + Sync {
    /// Executes an order within a unit of work: nothing is written unless the unit commits.
    async fn execute_within(&self, unit: &mut dyn Unit, order: &Order) -> Result<Vec<Answer>, ExchangeError>;
}

/// Lookup of records by identifier values.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The object.
    pub object: String,
    /// Names of identifier fields.
    pub fields: Vec<String>,
    /// For each wanted record, its values in the order of the fields.
    pub keys: Vec<Vec<Option<Value>>>,
    /// All values that are set must match; else one is enough.
    pub all: bool,
}

/// Why a call to a side failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError {
    /// Error code, which the engine decides by, see [`codes`].
    pub code: String,
    /// Message for people, without secrets.
    pub reason: String,
    /// How long to wait before a retry, where the side tells.
    pub after: Option<Duration>,
    /// What the operator can do, where the host knows it. Never taken from a plugin.
    pub remedies: Vec<Remedy>,
}

/// The error codes of [`ExchangeError`] that the engine knows. Others count as errors about the content of
/// the call.
pub mod codes {
    /// The credential was refused.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The credential does not allow the call.
    pub const FORBIDDEN: &str = "forbidden";
    /// A setting, secret or grant is missing or wrong.
    pub const MISCONFIGURED: &str = "misconfigured";
    /// Too many calls.
    pub const RATE_LIMITED: &str = "rate-limited";
    /// The remote system cannot be reached, or answers that it is down.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The cursor or bookmark has expired; the listing starts again.
    pub const CURSOR_EXPIRED: &str = "cursor-expired";
    /// The side does not support the call.
    pub const UNSUPPORTED: &str = "unsupported";
    /// The plugin cannot interpret an answer of the remote system, or the host an answer of the plugin.
    pub const INVALID_ANSWER: &str = "invalid-answer";
    /// The plugin trapped.
    pub const TRAP: &str = "trap";
    /// The plugin exceeded a limit of the host.
    pub const LIMIT: &str = "limit";
    /// The store of the host failed.
    pub const STORE: &str = "store";
}

impl ExchangeError {
    /// An error without a waiting time and without remedies.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), reason: reason.into(), after: None, remedies: Vec::new() }
    }

    /// Adds remedies.
    #[must_use]
    pub fn with(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    /// Whether bisecting the batch may help: the error is about what was sent, not about the remote system or
    /// the right to use it.
    pub(super) fn is_about_content(&self) -> bool {
        !matches!(
            self.code.as_str(),
            codes::UNAUTHORIZED
                | codes::FORBIDDEN
                | codes::MISCONFIGURED
                | codes::RATE_LIMITED
                | codes::UNAVAILABLE
                | codes::UNSUPPORTED
                | codes::CURSOR_EXPIRED
                | codes::STORE
        )
    }

    /// Whether a retry of the same call after a pause may help.
    pub fn is_transient(&self) -> bool {
        self.code == codes::RATE_LIMITED || self.code == codes::UNAVAILABLE
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for ExchangeError {}
