//! Exchange: what the engine asks of a side of a sync.
//!
//! The hub is one exchange, each integration is one; tests bring their own in plain Rust. Requests and answers
//! ([`description`](super::description), [`report`](super::report), [`order`](super::order)) follow the plugin
//! interface (`wit/`), whose comments say what each field promises.

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
    /// The name that people know it by: `hub`, or that of the integration.
    fn name(&self) -> &str;

    /// Objects and fields as they are now.
    async fn describe(&self) -> Result<Description, ExchangeError>;

    /// The mapping that it proposes; empty where it proposes none.
    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError>;

    /// One page of what is new, changed or deleted.
    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError>;

    /// Carries out an order: one answer for each change. A change that is missing from the answers, and every
    /// change of an order that ends in an error, has an unknown fate.
    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError>;

    /// What became of deferred changes.
    async fn collect(
        &self,
        ticket: &str,
        object: &str,
        fields: &[String],
    ) -> Result<Collection, ExchangeError>;

    /// Whether [`Exchange::find`] works.
    fn can_find(&self) -> bool;

    /// For each key, the ids of the records that it identifies.
    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError>;

    /// For a side whose records live in the store that the ledger uses: orders then commit together with
    /// their pairs.
    fn local(&self) -> Option<&dyn LocalExchange> {
        None
    }
}

/// A side that shares the unit of work of the ledger.
#[async_trait]
pub trait LocalExchange: Send + Sync {
    /// Carries out an order within a unit of work: nothing is written unless the unit commits.
    async fn execute_within(&self, unit: &mut dyn Unit, order: &Order) -> Result<Vec<Answer>, ExchangeError>;
}

/// Which records to find.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The object.
    pub object: String,
    /// Names of identifier fields.
    pub fields: Vec<String>,
    /// For each record that is looked for, its values in the order of the fields.
    pub keys: Vec<Vec<Option<Value>>>,
    /// All values that are set must match, or any.
    pub all: bool,
}

/// Why a call to a side failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError {
    /// What the engine decides by, see [`codes`].
    pub code: String,
    /// For a person: what happened. Without secrets.
    pub reason: String,
    /// How long to wait, where the side said so.
    pub after: Option<Duration>,
    /// What the operator can do, where the host knows it. Never a plugin's word.
    pub remedies: Vec<Remedy>,
}

/// The codes of [`ExchangeError`] that the engine knows.
pub mod codes {
    /// The credential was refused.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The credential does not allow it.
    pub const FORBIDDEN: &str = "forbidden";
    /// A setting, secret or grant is missing or wrong.
    pub const MISCONFIGURED: &str = "misconfigured";
    /// Too many calls.
    pub const RATE_LIMITED: &str = "rate-limited";
    /// The remote system cannot be reached or answers that it is down.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The cursor or bookmark is no longer good.
    pub const CURSOR_EXPIRED: &str = "cursor-expired";
    /// The side does not do this.
    pub const UNSUPPORTED: &str = "unsupported";
    /// The remote system answered what the plugin does not understand, or the plugin what the host does not.
    pub const INVALID_ANSWER: &str = "invalid-answer";
    /// The plugin trapped.
    pub const TRAP: &str = "trap";
    /// The plugin ran into a limit of the host.
    pub const LIMIT: &str = "limit";
    /// The store of the host failed.
    pub const STORE: &str = "store";
}

impl ExchangeError {
    /// An error without a waiting time and without remedies.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), reason: reason.into(), after: None, remedies: Vec::new() }
    }

    /// With what the operator can do.
    #[must_use]
    pub fn with(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    /// Whether smaller orders may fare better: the error is about what was sent, not about the remote system or
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

    /// Whether waiting and asking the same again may help.
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
