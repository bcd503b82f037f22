//! Record resolution of imported rows: the record that a row changes, and the records that it references.

use super::import::{Import, Parsed, value_in};
use super::index::{Comparison, Index};
use super::report::BadCode;
use crate::hub::check::{same, shown};
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
    pub(super) code: BadCode,
    pub(super) reason: String,
}

impl Bad {
    /// A value that the hub refuses.
    pub(super) fn refused(column: usize, reason: String) -> Self {
        Self { column: Some(column), value: String::new(), code: BadCode::Refused, reason }
    }
}

/// The record that a row changes.
pub(super) enum Known {
    New,
    Record(records::Record),
    /// Dry run only: an earlier row would have created it.
    Seen,
    /// Dry run only: an earlier row would have created the same record.
    Same,
}

/// The record that a cell references.
pub(super) enum Linked {
    There(Reference),
    Wanting { target: Arc<ObjectSchema>, index: usize, value: Value },
}

/// More records than this are never chosen from.
const MOST_CANDIDATES: usize = 1000;

impl Import<'_> {
    /// Finds the record that a row changes: by its id, or by the first key that finds one.
    pub(super) fn known(
        &mut self,
        connection: &Connection,
        row: &Parsed,
    ) -> Result<Result<Known, Bad>, HubError> {
        let object = Arc::clone(&self.object);
        if let Some(id) = &row.id {
            let record = records::number(id)
                .map(|number| records::load(connection, &object, number))
                .transpose()?
                .flatten();
            let bad = || Bad {
                column: self.columns.id,
                value: id.clone(),
                code: BadCode::NoSuchRecord,
                reason: format!(
                    "there is no {} of this id; leave the cell empty for a new one",
                    object.name()
                ),
            };
            return Ok(record.map(Known::Record).ok_or_else(bad));
        }
        for place in 0..self.columns.keys.len() {
            let values: Vec<(usize, &Value)> =
                self.columns.keys[place].iter().map(|field| (*field, value_in(&row.cells, *field))).collect();
            let identifies = |(field, value): &(usize, &Value)| {
                canonical_identifier(&object.definition.fields[*field].kind, value).is_some()
            };
            if !values.iter().all(identifies) {
                continue;
            }
            let found = self.by_key(connection, place, &values, row)?;
            match found.as_slice() {
                [] => {
                    let seen = |(field, value): &(usize, &Value)| {
                        self.seen.contains(&self.seen_key(&object, *field, value))
                    };
                    if self.options.dry_run && values.iter().all(seen) {
                        return Ok(Ok(Known::Seen));
                    }
                }
                [id] => {
                    let gone = if self.options.dry_run { Known::Seen } else { Known::New };
                    return Ok(Ok(records::load(connection, &object, *id)?.map_or(gone, Known::Record)));
                }
                several => return Ok(Err(self.several(several, values[0].0, row))),
            }
        }
        Ok(Ok(Known::New))
    }

    /// Whether a row has the values of some key.
    pub(super) fn has_key(&self, row: &Parsed) -> bool {
        self.columns.keys.iter().any(|key| key.iter().all(|field| self.identifies(*field, row)))
    }

    fn identifies(&self, field: usize, row: &Parsed) -> bool {
        let kind = &self.object.definition.fields[field].kind;
        canonical_identifier(kind, value_in(&row.cells, field)).is_some()
    }

    /// The records that a key finds. An alternative finds none that has another value of a key before it.
    fn by_key(
        &mut self,
        connection: &Connection,
        place: usize,
        values: &[(usize, &Value)],
        row: &Parsed,
    ) -> Result<Vec<i64>, HubError> {
        let object = Arc::clone(&self.object);
        let indexed = values.iter().all(|(field, _)| object.definition.fields[*field].identifier);
        let mut found = if indexed {
            matching(connection, &object, values, true)?
        } else {
            let fields: Vec<usize> = values.iter().map(|(field, _)| *field).collect();
            if self.indexes[place].is_none() {
                let index = Index::build(connection, &object, &fields, Comparison::Identifiers)?;
                self.indexes[place] = Some(index);
            }
            let value = |field: usize| value_in(&row.cells, field);
            let ids = self.indexes[place].as_ref().map(|index| index.candidates(&object, &value));
            ids.unwrap_or_default().iter().copied().take(MOST_CANDIDATES).collect()
        };
        if indexed && place == 0 {
            return Ok(found);
        }
        let canonical =
            |field: usize, value: &Value| canonical_identifier(&object.definition.fields[field].kind, value);
        let mut fitting = Vec::with_capacity(found.len());
        for id in found.drain(..) {
            let Some(record) = records::load(connection, &object, id)? else {
                if self.options.dry_run {
                    fitting.push(id);
                }
                continue;
            };
            let fits = values
                .iter()
                .all(|(field, value)| canonical(*field, record.value(*field)) == canonical(*field, value));
            let another = self.columns.keys[..place].iter().flatten().any(|field| {
                let (own, theirs) = (value_in(&row.cells, *field), record.value(*field));
                matches!((canonical(*field, own), canonical(*field, theirs)), (Some(own), Some(theirs)) if own != theirs)
            });
            if fits && !another {
                fitting.push(id);
            }
        }
        Ok(fitting)
    }

    fn several(&self, ids: &[i64], first: usize, row: &Parsed) -> Bad {
        const SHOWN: usize = 10;
        let shown: Vec<String> = ids.iter().take(SHOWN).map(i64::to_string).collect();
        let reason = format!(
            "{} records of {} have this value (ids {}); give the id in a column and take it as the key",
            ids.len(),
            self.object.name(),
            shown.join(", ")
        );
        let cell = row.cells.iter().find(|(field, ..)| *field == first);
        let value = value_in(&row.cells, first).to_string();
        Bad { column: cell.map(|(_, column, _)| *column), value, code: BadCode::SeveralRecords, reason }
    }

    /// The record that has the same values in all fields of the file as a row in which nothing identifies one.
    pub(super) fn same_record(
        &mut self,
        connection: &Connection,
        writes: &[Write],
    ) -> Result<Option<Known>, HubError> {
        /// How many records are looked at. One is the same unless two digests are equal by chance.
        const LOOKED_AT: usize = 8;
        static NULL: Value = Value::Null;
        let object = Arc::clone(&self.object);
        let fields: Vec<usize> =
            (0..object.definition.fields.len()).filter(|field| self.columns.feeds(*field)).collect();
        let place = self.indexes.len() - 1;
        if self.indexes[place].is_none() {
            self.indexes[place] = Some(Index::build(connection, &object, &fields, Comparison::Same)?);
        }
        let value = |field: usize| {
            writes.iter().find(|write| write.field == field).map_or(&NULL, |write| &write.value)
        };
        let ids =
            self.indexes[place].as_ref().map(|index| index.candidates(&object, &value)).unwrap_or_default();
        for id in ids.iter().take(LOOKED_AT) {
            let Some(record) = records::load(connection, &object, *id)? else {
                return Ok(self.options.dry_run.then_some(Known::Same));
            };
            let equal = |field: &usize| {
                let (own, theirs) = (value(*field), record.value(*field));
                (own.is_blank() && theirs.is_blank()) || same(&object.definition.fields[*field], theirs, own)
            };
            if fields.iter().all(equal) {
                return Ok(Some(Known::Record(record)));
            }
        }
        Ok(None)
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
        let record = batch.create(target, writes, time.at)?;
        if self.options.dry_run {
            self.tell_made(target, &record, fresh);
        } else {
            *self.made.entry(target.name().to_owned()).or_default() += 1;
        }
        Ok(reference(record.id))
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
