//! hello-crm's records, and their conversion to rows.

use std::collections::BTreeMap;

use entente_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::objects::ORGANISATION;

/// A record.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) updated_at: Timestamp,
    fields: Map<String, Json>,
    /// When each field last changed, for those that ever had a value.
    changed: BTreeMap<String, Timestamp>,
}

impl Record {
    /// The record as a row of these fields, in their order.
    pub(crate) fn row(&self, fields: &[String]) -> Row {
        Row::new(self.id.as_str())
            .changed(self.updated_at)
            .version(self.version.to_string())
            .values(fields.iter().map(|name| self.value(name)))
            .times(fields.iter().map(|name| self.changed.get(name).copied()))
    }

    fn value(&self, name: &str) -> Value {
        match self.fields.get(name) {
            // A field that is not reported differs from an empty one.
            None => Value::Unset,
            // The only reference there is, and in JSON a mere id.
            Some(Json::String(id)) if name == "organisation" => Value::reference(ORGANISATION, id.as_str()),
            Some(value) => Value::from_json(value.clone()),
        }
    }
}

/// A record that is gone.
#[derive(Debug, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) id: String,
    pub(crate) deleted_at: Timestamp,
    /// The record that took it over.
    pub(crate) merged_into: Option<String>,
}
