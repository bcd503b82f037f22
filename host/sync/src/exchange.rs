//! Exchange: the interface of a side of a sync (a connector): describe, report, execute, look up.
//!
//! The hub is an exchange, and so is each integration; tests implement the trait in plain Rust. Requests and
//! answers ([`description`](super::description), [`report`](super::report), [`order`](super::order)) follow
//! the plugin interface (`wit/`), whose comments say what each field promises.

pub use super::failure::{ExchangeError, codes};

use super::description::{Description, ProposedMapping};
use super::ledger::Unit;
use super::order::{Answer, Collection, Executed, Order};
use super::report::{Page, ReportRequest};
use async_trait::async_trait;
use entente_core::Value;

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

    /// Collects the outcomes of deferred changes. `order` has those that are still open, as they were ordered.
    async fn collect(&self, ticket: &str, order: &Order) -> Result<Collection, ExchangeError>;

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
