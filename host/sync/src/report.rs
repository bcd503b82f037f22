//! Report: which changes a side is asked for, and the pages that it answers.

pub use entente_core::FieldTime;

use entente_core::{Reference, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
