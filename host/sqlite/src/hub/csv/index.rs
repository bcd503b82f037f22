//! Records by values of fields that the hub has no index of: built of all records when a row needs it first, and kept
//! up with what the import writes. Of each record it holds two numbers.

use crate::hub::error::HubError;
use crate::hub::records::{self, Record};
use crate::hub::schema::ObjectSchema;
use entente_core::{Value, canonical_identifier};
use rusqlite::Connection;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How the values of two records are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// All of them are the same; one may be missing on both sides.
    Same,
    /// All of them are there, and equal as identifiers are.
    Identifiers,
}

pub(super) struct Index {
    fields: Vec<usize>,
    comparison: Comparison,
    records: HashMap<u64, Vec<i64>>,
}

impl Index {
    /// Reads all records.
    pub(super) fn build(
        connection: &Connection,
        object: &ObjectSchema,
        fields: &[usize],
        comparison: Comparison,
    ) -> Result<Self, HubError> {
        let mut index = Self { fields: fields.to_vec(), comparison, records: HashMap::new() };
        records::each(connection, object, |record| {
            index.add(object, &record);
            Ok(())
        })?;
        Ok(index)
    }

    /// Takes up a record that was written.
    pub(super) fn add(&mut self, object: &ObjectSchema, record: &Record) {
        if let Some(digest) = self.digest(object, &|field| record.value(field)) {
            let ids = self.records.entry(digest).or_default();
            if ids.last() != Some(&record.id) {
                ids.push(record.id);
            }
        }
    }

    /// The ids that may have these values; the records themselves say whether they do.
    pub(super) fn candidates<'v>(
        &self,
        object: &ObjectSchema,
        value: &impl Fn(usize) -> &'v Value,
    ) -> &[i64] {
        self.digest(object, value).and_then(|digest| self.records.get(&digest)).map_or(&[], Vec::as_slice)
    }

    fn digest<'v>(&self, object: &ObjectSchema, value: &impl Fn(usize) -> &'v Value) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        for field in &self.fields {
            let (value, definition) = (value(*field), &object.definition.fields[*field]);
            match self.comparison {
                Comparison::Identifiers => canonical_identifier(&definition.kind, value)?.hash(&mut hasher),
                Comparison::Same if value.is_blank() => 0_u8.hash(&mut hasher),
                Comparison::Same => text(value).hash(&mut hasher),
            }
        }
        Some(hasher.finish())
    }
}

/// A text that is equal where two values are the same; the elements of a set have no order.
fn text(value: &Value) -> String {
    let sorted = |mut list: Vec<String>| {
        list.sort_unstable();
        list.dedup();
        list.join("\u{1f}")
    };
    match value {
        Value::Texts(texts) => sorted(texts.clone()),
        Value::References(links) => sorted(links.iter().map(entente_core::Reference::to_data).collect()),
        Value::Integer(number) => (*number as f64).to_string(),
        Value::Float(number) => number.to_string(),
        value => value.to_data(),
    }
}
