//! Report: what a side is asked for (change data capture by window or bookmark), and the pages that it
//! answers.

pub use entente_core::FieldTime;

use entente_core::{Reference, Timestamp, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

/// Half-open interval of change times: `since` ≤ time < `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Start, inclusive; `None`: from the beginning.
    pub since: Option<Timestamp>,
    /// End, exclusive.
    pub until: Timestamp,
}

/// An object that a report shall cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The object.
    pub object: String,
    /// Names of the fields to report.
    pub fields: Vec<String>,
    /// Ids of the records to report; empty: all.
    pub ids: Vec<String>,
    /// Interval of change times; the same on every page.
    pub window: Window,
    /// Bookmark that the object was last finished with: its report starts there. More exact than the window.
    pub bookmark: Option<String>,
    /// List everything that exists.
    pub full: bool,
}

/// Request for one page of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRequest {
    /// Cursor of the page, from the page before; `None` for the first one.
    pub cursor: Option<String>,
    /// Number of the page, from 0.
    pub iteration: u32,
    /// The objects.
    pub objects: Vec<Wanted>,
    /// Report everything, as if nothing had ever been synced.
    pub first_time: bool,
    /// Most rows in the answer.
    pub limit: u32,
    /// What the operator gave with `--option`.
    pub options: Vec<(String, String)>,
    /// The sync that asks; the hub leaves out what this sync itself wrote (no echo).
    pub sync: String,
}

/// A page of a report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Rows and deletions, by object.
    pub batches: Vec<Batch>,
    /// Records that were converted into others.
    pub conversions: Vec<Conversion>,
    /// Cursor of the next page; `None`: this is the last one.
    pub next: Option<String>,
    /// How long to wait before the next page is asked for: the side is preparing it. No rate limit.
    pub after: Option<Duration>,
    /// Objects of which the report has no more rows. The last page ends those that were never named.
    pub finished: Vec<Finished>,
    /// Estimate of the rows that follow this page, where the side tells; for progress bars.
    pub remaining: Option<u64>,
    /// State that the exchange wants stored; committed together with the page.
    pub state: StateWrites,
}

/// A cursor in eight bytes: a report may have a million pages.
pub(super) fn fingerprint(cursor: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    cursor.hash(&mut hasher);
    hasher.finish()
}

impl Batch {
    /// Whether it reports nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.bad.is_empty() && self.deleted.is_empty()
    }
}

impl Page {
    /// Whether it tells of records that are there no more: deleted, or converted into others.
    pub(super) fn tells_gone(&self) -> bool {
        !self.conversions.is_empty() || self.batches.iter().any(|batch| !batch.deleted.is_empty())
    }

    /// Everything that it reports: rows, unreadable ones, deletions and conversions.
    pub(super) fn size(&self) -> u64 {
        let of_batch = |batch: &Batch| batch.rows.len() + batch.bad.len() + batch.deleted.len();
        (self.batches.iter().map(of_batch).sum::<usize>() + self.conversions.len()) as u64
    }
}

/// An object whose report has ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finished {
    /// The object.
    pub object: String,
    /// Bookmark where its report starts in the next run.
    pub bookmark: Option<String>,
    /// Every record that exists was listed (complete listing).
    pub complete: bool,
}

/// State writes of an exchange: key and new value; `None` removes the key.
pub type StateWrites = BTreeMap<String, Option<Vec<u8>>>;

/// Rows of one object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The object.
    pub object: String,
    /// Field names; the values of each row follow their order.
    pub fields: Vec<String>,
    /// The records.
    pub rows: Vec<Row>,
    /// Rows that could not be read.
    pub bad: Vec<BadRow>,
    /// Records that were deleted.
    pub deleted: Vec<Deletion>,
}

/// A record as its side has it now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Its id; never empty.
    pub id: String,
    /// Change time of the record, if the side tells.
    pub changed: Option<Timestamp>,
    /// Version of the record, for conditional writes.
    pub version: Option<String>,
    /// The values, as long as the fields of the batch; `None`: unset, the side says nothing about the field.
    pub values: Vec<Option<Value>>,
    /// Change time of each field, exact or an upper bound; empty where the side tells none.
    pub times: Vec<Option<FieldTime>>,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// What is wrong with it, in the words of the side.
    pub reason: String,
}

/// A deleted record (tombstone).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Its id.
    pub id: String,
    /// When it was deleted, if the side tells.
    pub deleted: Option<Timestamp>,
}

/// A conversion: a record that was merged, renumbered, or turned into one of another object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The record before.
    pub before: Reference,
    /// The record now.
    pub after: Reference,
    /// When it was converted, if the side tells.
    pub at: Option<Timestamp>,
}
