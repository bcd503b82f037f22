//! Record resolution of imported rows: the record that a row changes, and the records that it references.

use super::import::{Content, Import, Parsed};
use crate::hub::check::shown;
use crate::hub::error::HubError;
use crate::hub::find::matching;
use crate::hub::parse::{explicit_reference, parse_value};
use crate::hub::records::{self, Batch, Write};
use crate::hub::schema::ObjectSchema;
use entente_core::{Reference, Value, canonical_identifier};
use entente_sync::FieldTime;
use rusqlite::Connection;
use std::sync::Arc;

/// An error in a row.
pub(super) struct Bad {
    pub(super) column: Option<usize>,
    pub(super) value: String,
    pub(super) reason: String,
}

/// The record that a row changes.
pub(super) enum Known {
    New,
    Record(records::Record),
    /// Dry run only: an earlier row would have created it.
    Seen,
}

/// The record that a cell references.
pub(super) enum Linked {
    There(Reference),
    Wanting { target: Arc<ObjectSchema>, index: usize, value: Value },
}

impl Import<'_> {
    /// Finds the record that a row changes.
    pub(super) fn known(
        &self,
        connection: &Connection,
        row: &Parsed,
    ) -> Result<Result<Known, Bad>, HubError> {
        let object = &self.object;
        if let Some(id) = &row.id {
            let record = records::number(id)
                .map(|number| records::load(connection, object, number))
                .transpose()?
                .flatten();
            let bad = || Bad {
                column: self.columns.id,
                value: id.clone(),
                reason: format!(
                    "there is no {} of this id; leave the cell empty for a new one",
                    object.name()
                ),
            };
            return Ok(record.map(Known::Record).ok_or_else(bad));
        }
        let mut values = Vec::with_capacity(self.columns.key.len());
        for field in &self.columns.key {
            let cell = row.cells.iter().find(|(index, _, _)| index == field);
            match cell {
                Some((_, column, Content::Value(value)))
                    if canonical_identifier(&object.definition.fields[*field].kind, value).is_some() =>
                {
                    values.push((*field, *column, value));
                }
                _ => return Ok(Ok(Known::New)),
            }
        }
        let Some((_, column, value)) = values.first().copied() else { return Ok(Ok(Known::New)) };
        let keys: Vec<(usize, &Value)> = values.iter().map(|(field, _, value)| (*field, *value)).collect();
        match matching(connection, object, &keys, true)?.as_slice() {
            [] => {
                let seen = self.options.dry_run
                    && keys
                        .iter()
                        .all(|(field, value)| self.seen.contains(&self.seen_key(object, *field, value)));
                Ok(Ok(if seen { Known::Seen } else { Known::New }))
            }
            [id] => Ok(Ok(records::load(connection, object, *id)?.map_or(Known::New, Known::Record))),
            several => {
                let ids: Vec<String> = several.iter().take(10).map(i64::to_string).collect();
                let reason = format!(
                    "{} records of {} have this value (ids {}); give the id in a column and take it as the key",
                    several.len(),
                    object.name(),
                    ids.join(", ")
                );
                Ok(Err(Bad { column: Some(column), value: value.to_string(), reason }))
            }
        }
    }

    /// Finds the record that a cell references.
    pub(super) fn link(
        &self,
        connection: &Connection,
        field: usize,
        name: &str,
    ) -> Result<Result<Linked, String>, HubError> {
        let definition = &self.object.definition.fields[field];
        if let Some(link) = explicit_reference(definition, name.trim()) {
            return Ok(Ok(Linked::There(link)));
        }
        for target in &definition.targets {
            let target = self.schema.require(target)?;
            for index in target.identifiers() {
                let Ok(value) =
                    parse_value(&target.definition.fields[index], name.trim(), &self.options.parse)
                else {
                    continue;
                };
                match matching(connection, target, &[(index, &value)], true)?.as_slice() {
                    [] => {}
                    [id] => {
                        return Ok(Ok(Linked::There(Reference {
                            object: target.name().to_owned(),
                            id: id.to_string(),
                        })));
                    }
                    several => {
                        let reason = format!(
                            "{} records of {} have this name; write {}:{} or another id",
                            several.len(),
                            target.name(),
                            target.name(),
                            several[0]
                        );
                        return Ok(Err(reason));
                    }
                }
            }
        }
        let mut targets = definition.targets.iter().filter_map(|target| self.schema.object(target));
        let Some(target) = targets.next() else { return Ok(Err("there is nothing to refer to".to_owned())) };
        if !self.options.create_references {
            let reason = format!(
                "there is no {} '{}'; import those first, or let them be created",
                target.name(),
                shown(name)
            );
            return Ok(Err(reason));
        }
        let Some(index) = target.identifiers().next() else {
            return Ok(Err(format!(
                "{} has no identifier to find records by; write {}:12",
                target.name(),
                target.name()
            )));
        };
        let value = match parse_value(&target.definition.fields[index], name.trim(), &self.options.parse) {
            Ok(value) => value,
            Err(error) => return Ok(Err(format!("no {} can be made of it: {error}", target.name()))),
        };
        if canonical_identifier(&target.definition.fields[index].kind, &value).is_none() {
            return Ok(Err(format!("this identifies no {}", target.name())));
        }
        let lacking = target
            .definition
            .fields
            .iter()
            .enumerate()
            .find(|(other, field)| field.required && *other != index);
        if let Some((_, lacking)) = lacking {
            return Ok(Err(format!(
                "there is no {} '{}', and it cannot be made without {}; import those first",
                target.name(),
                shown(name),
                lacking.name
            )));
        }
        Ok(Ok(Linked::Wanting { target: Arc::clone(target), index, value }))
    }

    /// Creates a referenced record, unless the same row has just created it.
    pub(super) fn make(
        &mut self,
        batch: &mut Batch<'_>,
        target: &Arc<ObjectSchema>,
        index: usize,
        value: Value,
        time: FieldTime,
    ) -> Result<Reference, HubError> {
        let reference = |id: i64| Reference { object: target.name().to_owned(), id: id.to_string() };
        if let [id, ..] = matching(batch.connection, target, &[(index, &value)], true)?.as_slice() {
            return Ok(reference(*id));
        }
        let writes = vec![Write { field: index, value, time }];
        let fresh = !self.options.dry_run || self.see(target, &writes);
        self.report.references_created += u64::from(fresh);
        Ok(reference(batch.create(target, writes, time.at)?.id))
    }

    fn seen_key(&self, object: &ObjectSchema, field: usize, value: &Value) -> (i64, String) {
        let canonical = canonical_identifier(&object.definition.fields[field].kind, value);
        (object.fields[field], canonical.unwrap_or_default())
    }

    /// Dry run only: remembers the keys of a record that is not written. Returns whether any of them is new.
    pub(super) fn see(&mut self, object: &ObjectSchema, writes: &[Write]) -> bool {
        let identifiers = writes
            .iter()
            .filter(|write| object.definition.fields[write.field].identifier && !write.value.is_blank());
        let keys: Vec<_> =
            identifiers.map(|write| self.seen_key(object, write.field, &write.value)).collect();
        let before = self.seen.len();
        self.seen.extend(keys);
        self.seen.len() > before
    }
}
