//! The in-process handle on a server, for tests and embedding programs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::Stamp;
use crate::crm::{Crm, Keyed, Outcome};
use crate::error::Problem;
use crate::faults::{Faults, Rule, RuleStatus};
use crate::limit::Bucket;
use crate::requests::{RequestLine, RequestLog};
use crate::schema::Object;
use crate::server::{Config, StartError};
use crate::table::{DeletedView, RecordView};

/// The server from inside. Clones share it.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Inside>);

pub(crate) struct Inside {
    pub(crate) crm: Crm,
    pub(crate) config: Config,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) requests: Mutex<RequestLog>,
    pub(crate) bucket: Option<Mutex<Bucket>>,
    /// Becomes true when the server is to stop.
    pub(crate) stopping: watch::Sender<bool>,
}

impl Handle {
    /// A server that does not listen yet; [`crate::Server::start`] makes one that does.
    pub fn new(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let clock = config.clock.clone();
        let bucket = config.requests_per_second.map(|limit| Mutex::new(Bucket::new(limit, clock.now())));
        let crm = Crm::open(config.data.clone(), clock, config.unique_email, config.seed.as_ref())?;
        Ok(Self(Arc::new(Inside {
            crm,
            config,
            faults: Mutex::default(),
            requests: Mutex::default(),
            bucket,
            stopping: watch::Sender::new(false),
        })))
    }

    /// The live record with this id.
    pub fn record(&self, object: Object, id: &str) -> Option<RecordView> {
        self.0.crm.read(|state| state.find(object, id).map(|record| record.view(object, None)))
    }

    /// All live records, in the order of their ids.
    pub fn records(&self, object: Object) -> Vec<RecordView> {
        self.0
            .crm
            .read(|state| state.table(object).records().map(|record| record.view(object, None)).collect())
    }

    /// How many live records there are.
    pub fn count(&self, object: Object) -> usize {
        self.0.crm.read(|state| state.table(object).len())
    }

    /// All deletions, in the order of the ids.
    pub fn deleted(&self, object: Object) -> Vec<DeletedView> {
        self.0.crm.read(|state| {
            let table = state.table(object);
            table.tombstones().map(|tombstone| table.deleted_view(object, tombstone)).collect()
        })
    }

    /// Makes a record, as somebody who works in the CRM would.
    pub fn create(&self, object: Object, fields: Value) -> Outcome {
        self.write(object, json!({ "action": "create", "fields": fields }))
    }

    /// Changes fields of a record.
    pub fn update(&self, object: Object, id: &str, fields: Value) -> Outcome {
        self.write(object, json!({ "action": "update", "record": id, "fields": fields }))
    }

    /// Deletes a record.
    pub fn delete(&self, object: Object, id: &str) -> Outcome {
        self.write(object, json!({ "action": "delete", "record": id }))
    }

    /// Merges a record into another, which survives.
    pub fn merge(&self, object: Object, id: &str, into: &str) -> Outcome {
        self.write(object, json!({ "action": "merge", "record": id, "into": into }))
    }

    fn write(&self, object: Object, change: Value) -> Outcome {
        match self.0.crm.write(object, vec![Keyed { key: None, change }]) {
            Ok(outcomes) => outcomes
                .into_iter()
                .next()
                .unwrap_or_else(|| Problem::internal(&"a change without an outcome").into()),
            Err(problem) => problem.into(),
        }
    }

    /// Finds records by the value of one field, as it is stored.
    pub fn find(&self, object: Object, field: &str, value: &Value) -> Vec<RecordView> {
        let mut records = self.records(object);
        records.retain(|record| record.fields.get(field) == Some(value));
        records
    }

    /// Puts these rules in place of those in force.
    pub fn set_faults(&self, rules: Vec<Rule>) {
        crate::lock(&self.0.faults).set(rules);
    }

    /// Adds a rule.
    pub fn add_fault(&self, rule: Rule) {
        crate::lock(&self.0.faults).add(rule);
    }

    /// The rules in force, with what they have counted.
    pub fn faults(&self) -> Vec<RuleStatus> {
        crate::lock(&self.0.faults).list()
    }

    /// The last requests, oldest first.
    pub fn requests(&self) -> Vec<RequestLine> {
        crate::lock(&self.0.requests).last()
    }

    /// How many requests there were with this method whose path (without the query) contains `part`.
    pub fn request_count(&self, method: &str, part: &str) -> u64 {
        crate::lock(&self.0.requests).count(method, part)
    }

    /// Forgets all rules and requests. Records stay.
    pub fn reset(&self) {
        self.set_faults(Vec::new());
        *crate::lock(&self.0.requests) = RequestLog::default();
    }

    /// The present instant of the server.
    pub fn now(&self) -> Stamp {
        self.0.crm.clock.now()
    }

    /// Moves a manual clock on; `false` if the clock runs by itself.
    pub fn advance(&self, by: Duration) -> bool {
        self.0.crm.clock.advance(by)
    }

    /// Sets a manual clock; `false` if the clock runs by itself.
    pub fn set_clock(&self, to: Stamp) -> bool {
        self.0.crm.clock.set(to)
    }

    /// Makes every cursor invalid that was given so far; `false` if the state could not be saved.
    pub fn expire_cursors(&self) -> bool {
        self.0.crm.adjust(|state| state.epoch += 1).is_ok()
    }

    /// Makes every sync token invalid that was given so far; `false` if the state could not be saved.
    pub fn expire_sync_tokens(&self) -> bool {
        self.0
            .crm
            .adjust(|state| {
                state.seq += 1;
                state.oldest_token = state.seq;
            })
            .is_ok()
    }

    /// Lets requests that wait go on, and the server stop.
    pub(crate) fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Waits until the server is to stop.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // An error means that the sender is gone, and with it the server.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("config", &self.0.config).finish_non_exhaustive()
    }
}
