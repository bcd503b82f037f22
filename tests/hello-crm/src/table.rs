//! The records of one object, with the indexes for listings.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Stamp;
use crate::schema::Object;

/// A record as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) number: u64,
    /// Where its last change stands in the sequence of all changes.
    pub(crate) seq: u64,
    pub(crate) version: u64,
    pub(crate) created_at: Stamp,
    pub(crate) updated_at: Stamp,
    pub(crate) fields: BTreeMap<String, Value>,
    pub(crate) changed: BTreeMap<String, Stamp>,
}

/// What remains of a deleted record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tombstone {
    pub(crate) number: u64,
    pub(crate) seq: u64,
    pub(crate) deleted_at: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) merged_into: Option<u64>,
}

/// A record as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordView {
    /// The id, given by the server and never used again.
    pub id: String,
    /// Grows by one with each write.
    pub version: u64,
    /// When the record was made.
    pub created_at: Stamp,
    /// When it was last changed: the newest of `changed`.
    pub updated_at: Stamp,
    /// All fields, or those asked for; null where there is no value.
    pub fields: BTreeMap<String, Value>,
    /// When each field that ever had a value was last changed.
    pub changed: BTreeMap<String, Stamp>,
}

/// A deletion as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedView {
    /// The id that the record had.
    pub id: String,
    /// When it was deleted.
    pub deleted_at: Stamp,
    /// The record that took it over, if it was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
}

impl Record {
    /// The record as it is shown, with all fields or only those named.
    pub(crate) fn view(&self, object: Object, only: Option<&BTreeSet<String>>) -> RecordView {
        let wanted = |name: &str| only.is_none_or(|only| only.contains(name));
        RecordView {
            id: object.id(self.number),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            fields: self
                .fields
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            changed: self
                .changed
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, at)| (name.clone(), *at))
                .collect(),
        }
    }

    pub(crate) fn json(&self, object: Object) -> Value {
        json!(self.view(object, None))
    }
}

/// What a place of an index leads to.
pub(crate) enum Entry<'a> {
    Live(&'a Record),
    Deleted(&'a Tombstone),
}

/// The form of a table in the state file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    next: u64,
    records: Vec<Record>,
    deleted: Vec<Tombstone>,
}

/// The records of one object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Rows", into = "Rows")]
pub(crate) struct Table {
    next: u64,
    records: BTreeMap<u64, Record>,
    deleted: BTreeMap<u64, Tombstone>,
    by_time: BTreeSet<(Stamp, u64)>,
    by_seq: BTreeMap<u64, u64>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            next: 1,
            records: BTreeMap::new(),
            deleted: BTreeMap::new(),
            by_time: BTreeSet::new(),
            by_seq: BTreeMap::new(),
        }
    }
}

impl Table {
    /// A number that no record of this table ever had.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Record> {
        self.records.get(&number)
    }

    pub(crate) fn tombstone(&self, number: u64) -> Option<&Tombstone> {
        self.deleted.get(&number)
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(crate) fn tombstones(&self) -> impl Iterator<Item = &Tombstone> {
        self.deleted.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn entry(&self, number: u64) -> Option<Entry<'_>> {
        let live = self.records.get(&number).map(Entry::Live);
        live.or_else(|| self.deleted.get(&number).map(Entry::Deleted))
    }

    /// Change time and number of everything there is or was, in that order.
    pub(crate) fn by_time(&self) -> &BTreeSet<(Stamp, u64)> {
        &self.by_time
    }

    /// Place in the sequence of changes, and the number that stands there.
    pub(crate) fn by_seq(&self) -> &BTreeMap<u64, u64> {
        &self.by_seq
    }

    /// Puts a new record in, or another state of one in place of the last.
    pub(crate) fn put(&mut self, record: Record) {
        self.forget(record.number);
        self.by_time.insert((record.updated_at, record.number));
        self.by_seq.insert(record.seq, record.number);
        self.records.insert(record.number, record);
    }

    /// Leaves a tombstone where the record was.
    pub(crate) fn bury(&mut self, tombstone: Tombstone) {
        self.forget(tombstone.number);
        self.records.remove(&tombstone.number);
        self.by_time.insert((tombstone.deleted_at, tombstone.number));
        self.by_seq.insert(tombstone.seq, tombstone.number);
        self.deleted.insert(tombstone.number, tombstone);
    }

    fn forget(&mut self, number: u64) {
        if let Some(old) = self.records.get(&number) {
            self.by_time.remove(&(old.updated_at, number));
            self.by_seq.remove(&old.seq);
        }
    }

    /// Where a chain of merges ends.
    pub(crate) fn heir(&self, tombstone: &Tombstone) -> Option<u64> {
        let mut heir = tombstone.merged_into?;
        for _ in 0..self.deleted.len() {
            match self.deleted.get(&heir).and_then(|tombstone| tombstone.merged_into) {
                Some(next) => heir = next,
                None => break,
            }
        }
        Some(heir)
    }

    pub(crate) fn deleted_view(&self, object: Object, tombstone: &Tombstone) -> DeletedView {
        DeletedView {
            id: object.id(tombstone.number),
            deleted_at: tombstone.deleted_at,
            merged_into: self.heir(tombstone).map(|number| object.id(number)),
        }
    }
}

impl From<Table> for Rows {
    fn from(table: Table) -> Self {
        Self {
            next: table.next,
            records: table.records.into_values().collect(),
            deleted: table.deleted.into_values().collect(),
        }
    }
}

impl TryFrom<Rows> for Table {
    type Error = String;

    fn try_from(rows: Rows) -> Result<Self, String> {
        let mut table = Self { next: rows.next, ..Self::default() };
        let mut numbers = BTreeSet::new();
        let all = rows.records.iter().map(|record| (record.number, record.seq));
        let all = all.chain(rows.deleted.iter().map(|tombstone| (tombstone.number, tombstone.seq)));
        let mut places = BTreeSet::new();
        for (number, seq) in all {
            if number >= rows.next || !numbers.insert(number) || !places.insert(seq) {
                return Err(format!(
                    "record {number} occurs twice, or beyond the next free number {}",
                    rows.next
                ));
            }
        }
        for tombstone in &rows.deleted {
            if tombstone.merged_into.is_some_and(|into| into == tombstone.number || !numbers.contains(&into))
            {
                return Err(format!(
                    "deleted record {} was merged into one that never was",
                    tombstone.number
                ));
            }
        }
        rows.records.into_iter().for_each(|record| table.put(record));
        rows.deleted.into_iter().for_each(|tombstone| table.bury(tombstone));
        Ok(table)
    }
}
