//! Description: the objects and fields of a side, and the mapping that it proposes.

use super::feature::Feature;
use entente_core::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

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
