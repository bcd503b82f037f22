//! Description: the schema of a side (objects, fields, features), and the mapping that it proposes.

use super::feature::Feature;
use entente_core::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Schema of a side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Description {
    /// Its objects.
    pub objects: Vec<Object>,
    /// Which account of which system it is; `None`: the side does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// What leads to the remote system, in the words of its settings (`url=https://crm.example.com`), sorted. It stands in for the
    /// account where a side does not tell it. Empty: not known, or nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
}

/// An account of a remote system: what the ids of its records belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The installation.
    pub system: String,
    /// The account in it, whatever its name, address or credential.
    pub id: String,
    /// Name for people.
    pub label: String,
}

impl Account {
    /// Whether it is the same account, under whatever name.
    pub fn is(&self, other: &Self) -> bool {
        self.system == other.system && self.id == other.id
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' ({} of {})", self.label, self.id, self.system)
    }
}

impl Description {
    /// Whether it is of another account than an earlier description of the same side: by what both tell, else by what led
    /// there. Where neither is known, nothing speaks for another one.
    pub fn is_of_another_account(&self, before: &Self) -> bool {
        match (&before.account, &self.account) {
            (Some(before), Some(now)) => !now.is(before),
            _ => !before.address.is_empty() && self.address != before.address,
        }
    }

    /// The account, or what leads to it, for people.
    pub fn account_text(&self) -> String {
        match &self.account {
            Some(account) => account.to_string(),
            None => self.address.join(", "),
        }
    }

    /// The object with this name.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.name == name)
    }
}

/// Granularity of the change times that a side reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeTimes {
    /// A time for each field, which is exact.
    Field,
    /// A time for the record: an upper bound for the change time of each field.
    Record,
    /// No change times.
    #[default]
    None,
}

/// An object: a kind of record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Object {
    /// The name that requests and orders use.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Granularity of its change times.
    pub change_times: ChangeTimes,
    /// Resolution of its change times in microseconds; 1 is the finest.
    pub precision: u64,
    /// Features that the side supports for it.
    pub features: BTreeSet<Feature>,
    /// Eventual consistency of lookups: a new record is found after this long at the latest.
    pub search_lag: Option<Duration>,
    /// Largest page of a report, in rows.
    pub page_size: Option<u32>,
    /// Largest order, in changes.
    pub order_size: Option<u32>,
}

impl Object {
    /// Whether the side supports a feature for it.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Field {
    /// The name that requests, batches and orders use.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// Kind of its values.
    pub kind: Kind,
    /// A record cannot be created without it.
    pub required: bool,
    /// It can be written.
    pub writable: bool,
    /// The value is a set, merged element by element.
    pub set_like: bool,
    /// Records can be matched by it.
    pub identifier: bool,
    /// Every update carries it, changed or not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required_on_update: bool,
    /// It is written when the record is created, and never after that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create_only: bool,
    /// It is written, and never reported.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write_only: bool,
    /// For a reference: the objects that it may point to.
    pub targets: Vec<String>,
    /// For a pick-list: the allowed values with their labels; empty: any value.
    pub choices: Vec<(String, String)>,
    /// The values among them that records have and orders never set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported_only: Vec<String>,
    /// Longest text in characters.
    pub max_length: Option<u32>,
}

/// Object mapping between the hub and an exchange, as the exchange proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedMapping {
    /// Name of the hub's object.
    pub hub: String,
    /// Name of the exchange's object.
    pub remote: String,
    /// Its fields.
    pub fields: Vec<ProposedField>,
    /// Names of the hub fields that records are matched by.
    pub identifiers: Vec<String>,
    /// All identifiers must agree; else one is enough.
    pub identify_by_all: bool,
}

/// Field mapping that an exchange proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedField {
    /// Name of the hub's field.
    pub hub: String,
    /// Name of the exchange's field.
    pub remote: String,
    /// Which way data may flow.
    pub direction: ProposedDirection,
    /// A record is not created without it, and a blank is never sent for it.
    pub required: bool,
}

/// Which way data may flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProposedDirection {
    /// To the hub only.
    ToHub,
    /// To the exchange only.
    ToIntegration,
    /// Both ways.
    Both,
}
