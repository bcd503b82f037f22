//! What the engine asks of a side of a sync.
//!
//! The hub is one exchange, each integration is one; tests bring their own in plain Rust. The types follow
//! the plugin interface (`wit/`), whose comments say what each field promises.

use super::feature::Feature;
use super::ledger::Unit;
use super::remedy::Remedy;
use async_trait::async_trait;
pub use entente_core::FieldTime;
use entente_core::{Kind, Reference, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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

/// What a side has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Description {
    /// Its objects.
    pub objects: Vec<Object>,
}

impl Description {
    /// The object of this name.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name == name)
    }
}

/// How exactly a side tells when something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeTimes {
    /// For each field: such a time is certain.
    Field,
    /// For the record: an upper bound for its fields.
    Record,
    /// Not at all.
    #[default]
    None,
}

/// A kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Object {
    /// The name that requests and orders use.
    pub name: String,
    /// For people.
    pub label: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// How exactly changes are told.
    pub change_times: ChangeTimes,
    /// The step of those times in microseconds; 1 for the finest.
    pub precision: u64,
    /// What can be done with it.
    pub features: BTreeSet<Feature>,
    /// After how long a new record is sure to be found by a lookup.
    pub search_lag: Option<Duration>,
    /// The most rows that a page may sensibly have.
    pub page_size: Option<u32>,
    /// The most changes that one order may have.
    pub order_size: Option<u32>,
}

impl Object {
    /// Whether it has a feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Field {
    /// The name that requests, batches and orders use.
    pub name: String,
    /// For people.
    pub label: String,
    /// What it holds.
    pub kind: Kind,
    /// A new record cannot be made without it.
    pub required: bool,
    /// It can be written.
    pub writable: bool,
    /// The value is a set, merged element by element.
    pub set_like: bool,
    /// Records can be recognised by it.
    pub identifier: bool,
    /// The objects that a reference may point to.
    pub targets: Vec<String>,
    /// What a choice may be: value and label. Empty: anything.
    pub choices: Vec<(String, String)>,
    /// The longest text in characters.
    pub max_length: Option<u32>,
}

/// A mapping that an exchange proposes; `hub` names are those of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedMapping {
    /// The object of the hub.
    pub hub: String,
    /// The object of the proposer.
    pub remote: String,
    /// Its fields.
    pub fields: Vec<ProposedField>,
    /// Hub fields that tell that two records are the same.
    pub identifiers: Vec<String>,
    /// All identifiers must agree, or any.
    pub identify_by_all: bool,
}

/// A pair of fields that an exchange proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedField {
    /// The field of the hub.
    pub hub: String,
    /// The field of the proposer.
    pub remote: String,
    /// Which way data may flow.
    pub direction: ProposedDirection,
    /// Delivered with every change.
    pub required: bool,
}

/// Which way data may flow, seen from the proposer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposedDirection {
    /// Towards the hub only.
    ToHub,
    /// Towards the proposer only.
    ToIntegration,
    /// Both ways.
    Both,
}

/// Half-open span of change times: `since` ≤ time < `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From here; `None` from the beginning.
    pub since: Option<Timestamp>,
    /// To here, exclusive.
    pub until: Timestamp,
}

/// One object that a report is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The object.
    pub object: String,
    /// The fields wanted.
    pub fields: Vec<String>,
    /// Just these records, if any are named.
    pub ids: Vec<String>,
}

/// What a report shall contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest {
    /// The span of change times; the same on every page.
    pub window: Window,
    /// Where the page starts; `None` for the first.
    pub cursor: Option<String>,
    /// Where the report starts, from the last page of the one before; says it more exactly than the window.
    pub bookmark: Option<String>,
    /// Number of the page, from 0.
    pub iteration: u32,
    /// The objects.
    pub objects: Vec<Wanted>,
    /// Everything, as if nothing had ever been synced.
    pub first_time: bool,
    /// List everything that exists.
    pub full: bool,
    /// The most rows in the answer.
    pub limit: u32,
    /// What the operator gave with `--option`.
    pub options: Vec<(String, String)>,
    /// The sync that asks; the hub leaves out what this sync itself wrote.
    pub sync: String,
}

/// A page of a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Rows and deletions, by object.
    pub batches: Vec<Batch>,
    /// Records that have become others.
    pub conversions: Vec<Conversion>,
    /// Where the next page starts; `None`: this was the last.
    pub next: Option<String>,
    /// With the last page: where the report of the next run starts.
    pub bookmark: Option<String>,
    /// With the last page: the objects of which every record was listed.
    pub complete: Vec<String>,
    /// About how many rows come after this page, where the side tells. For people who wait.
    pub remaining: Option<u64>,
    /// What the exchange wants kept together with the page.
    pub state: StateWrites,
}

/// Keys and what they shall hold from now on; `None` removes the key.
pub type StateWrites = BTreeMap<String, Option<Vec<u8>>>;

/// Records of one object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The object.
    pub object: String,
    /// The names that the values of the rows follow.
    pub fields: Vec<String>,
    /// The records.
    pub rows: Vec<Row>,
    /// Rows that could not be read: id where known, and why.
    pub bad: Vec<BadRow>,
    /// Records that are gone.
    pub deleted: Vec<Deletion>,
}

/// One record as its side has it now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Its id; never empty.
    pub id: String,
    /// When it last changed, if the side says so.
    pub changed: Option<Timestamp>,
    /// What conditional writes take.
    pub version: Option<String>,
    /// The values, `None` where nothing is said; as long as the fields of the batch.
    pub values: Vec<Option<Value>>,
    /// When each field last changed, and how surely; empty where no field times are known at all.
    pub times: Vec<Option<FieldTime>>,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// A record that is no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Its id.
    pub id: String,
    /// When it was deleted, if the side says so.
    pub deleted: Option<Timestamp>,
}

/// A record that has become another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// What it was.
    pub before: Reference,
    /// What it is now.
    pub after: Reference,
}

/// The changes of one object that a side is asked to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The object.
    pub object: String,
    /// The names that values and base follow.
    pub fields: Vec<String>,
    /// The changes.
    pub changes: Vec<OrderedChange>,
    /// The run is a first-time sync.
    pub first_time: bool,
    /// What the operator gave with `--option`.
    pub options: Vec<(String, String)>,
    /// The sync that writes; the hub notes it as the origin.
    pub sync: String,
    /// The run that writes.
    pub run: i64,
    /// When the order was made: the hub dates by it what has no time of its own.
    pub at: Timestamp,
}

/// What is done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A new record is made.
    Create,
    /// The record of this id is changed.
    Update(String),
    /// The record of this id is deleted.
    Delete(String),
}

/// One change of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedChange {
    /// Names the change; the same however often it is sent.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// What to write; `None` leaves the field as it is.
    pub values: Vec<Option<Value>>,
    /// What the record had when the change was decided; `None` where nothing is known. Empty for a create.
    pub base: Vec<Option<Value>>,
    /// The times of the values, for a side that keeps field times itself; as long as `values`, or empty.
    pub times: Vec<Option<FieldTime>>,
    /// What the last report of the record gave for conditional writes.
    pub version: Option<String>,
    /// The record of the other side that the values come from.
    pub source: Option<Reference>,
}

/// What an exchange answers to an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Executed {
    /// One answer for each change, in any order.
    pub answers: Vec<Answer>,
    /// What the exchange wants kept together with the outcomes.
    pub state: StateWrites,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id of the change.
    pub change: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a side holds after a write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Written {
    /// The id of the record.
    pub id: String,
    /// When it changed.
    pub changed: Option<Timestamp>,
    /// What conditional writes take from now on.
    pub version: Option<String>,
    /// What was stored, in the order of the fields; empty: taken as ordered.
    pub values: Vec<Option<Value>>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A new record was made.
    Created(Written),
    /// The record was written.
    Updated(Written),
    /// The record already had these values.
    Unchanged(Written),
    /// The record is gone, by this change or before it.
    Deleted,
    /// The record has become another one; nothing was written.
    Converted(Reference),
    /// The record has changed since the decision; nothing was written.
    Stale(Row),
    /// Nothing was written; later it may be.
    Retry {
        /// How long to wait, if the side says so.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// Nothing was written, and trying again would not help.
    Failed {
        /// A word, see `order-execution.wit`.
        code: String,
        /// For a person.
        reason: String,
        /// The fields that were refused.
        fields: Vec<String>,
    },
    /// Taken; what becomes of it is told later for this ticket.
    Deferred(String),
}

/// What became of deferred changes so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// What is settled.
    pub answers: Vec<Answer>,
    /// How it stands with the ticket.
    pub state: TicketState,
}

/// How it stands with a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketState {
    /// Everything is answered.
    Done,
    /// Something is still open; ask again after this long.
    Pending(Option<Duration>),
    /// The side no longer knows the ticket.
    Lost,
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
