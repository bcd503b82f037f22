//! Undo of an import: what it made is deleted, and what it replaced put back, where nobody has changed it since.

use super::kept::{Updated, ranges, updates};
use super::list::gone;
use super::{FieldChange, Left, RecordChange, run};
use crate::hub::Hub;
use crate::hub::data::Stored;
use crate::hub::error::HubError;
use crate::hub::orders::admit;
use crate::hub::people::Sources;
use crate::hub::records::{self, Batch, COLUMNS, IMPORT, Record};
use crate::hub::schema::{ObjectSchema, Schema};
use crate::ledger::runs;
use crate::store::StoreError;
use entente_core::{Side, Timestamp, Value};
use entente_sync::{Deed, RunId, RunKind, RunStatus};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many records are read at a time.
const STRETCH: usize = 500;

/// What the undo of an import has done, or would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UndoneImport {
    /// Its own run; `None` where nothing was written.
    pub run: Option<RunId>,
    /// How many records were deleted.
    pub deleted: u64,
    /// How many records got former values back.
    pub put_back: u64,
    /// How many records that the import made were deleted before, by whomever.
    pub gone: u64,
    /// How many records were left as they are, or some fields of them.
    pub left: u64,
    /// The first records that were deleted or changed.
    pub changes: Vec<RecordChange>,
    /// The first records that were left.
    pub left_out: Vec<RecordChange>,
}

/// Why an import is not undone; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UndoImportError {
    /// More records would be deleted than it was agreed to.
    #[error("{deletes} records would be deleted")]
    Deletes {
        /// How many.
        deletes: u64,
    },
    /// The hub fails.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl From<StoreError> for UndoImportError {
    fn from(error: StoreError) -> Self {
        UndoImportError::Hub(error.into())
    }
}

impl Hub {
    /// Undoes an import, in one transaction; deletes at most as many records as it is agreed to, or, where nothing is said, tells what
    /// would be done and writes nothing. Of changed and of left records the first `listed` are told.
    ///
    /// # Errors
    /// [`UndoImportError`]; then nothing was changed.
    pub async fn undo_import(
        &self,
        run: RunId,
        agreed: Option<u64>,
        listed: usize,
    ) -> Result<UndoneImport, UndoImportError> {
        let now = self.clock.now();
        let unit = self.store.begin().await?;
        let undone = {
            let schema = self.schema(unit.connection())?;
            Undo::new(unit.connection(), &schema, run, now, listed)?.all(agreed)?
        };
        // What was only to be told goes with the transaction.
        if agreed.is_some() {
            unit.commit()?;
        }
        Ok(undone)
    }
}

struct Undo<'a> {
    connection: &'a Connection,
    schema: &'a Schema,
    batch: Batch<'a>,
    run: RunId,
    now: Timestamp,
    listed: usize,
    sources: Sources,
    done: UndoneImport,
    /// Records that it deletes: their ids and objects.
    deletes: BTreeMap<i64, Arc<ObjectSchema>>,
    /// How many records of which object were deleted, changed and left.
    counts: BTreeMap<String, [u64; 3]>,
}

impl<'a> Undo<'a> {
    fn new(
        connection: &'a Connection,
        schema: &'a Schema,
        run: RunId,
        now: Timestamp,
        listed: usize,
    ) -> Result<Self, HubError> {
        let batch = Batch::open(connection, IMPORT, 0)?;
        let (sources, done) = (Sources::default(), UndoneImport::default());
        let (deletes, counts) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { connection, schema, batch, run, now, listed, sources, done, deletes, counts })
    }

    fn all(mut self, agreed: Option<u64>) -> Result<UndoneImport, UndoImportError> {
        self.put_back_all()?;
        self.choose_deletes()?;
        self.spare_referred()?;
        self.delete_all()?;
        match agreed {
            Some(agreed) if self.done.deleted > agreed => {
                return Err(UndoImportError::Deletes { deletes: self.done.deleted });
            }
            Some(_) if self.done.deleted + self.done.put_back > 0 => self.note_run()?,
            Some(_) | None => {}
        }
        self.batch.close()?;
        Ok(self.done)
    }

    /// Puts former values back.
    fn put_back_all(&mut self) -> Result<(), HubError> {
        let mut above = 0;
        loop {
            let schema = self.schema;
            let object = |number: i64| schema.numbered(number).cloned();
            let rows = updates(self.connection, object, self.run, above, STRETCH)?;
            let Some((last, ..)) = rows.last() else { return Ok(()) };
            above = *last;
            for (id, object, updated) in rows {
                match records::load(self.connection, &object, id)? {
                    Some(record) => self.put_back(&object, record, &updated)?,
                    None => self.leave_gone(&object, id, &updated)?,
                }
            }
        }
    }

    /// Puts back what a record held, field by field: where the value is still the one of the import.
    fn put_back(
        &mut self,
        object: &ObjectSchema,
        mut record: Record,
        updated: &Updated,
    ) -> Result<(), HubError> {
        let mut change = RecordChange::of(object, &record, Deed::Update);
        let mut left = change.clone();
        let mut back: Vec<(usize, Option<Stored>)> = Vec::new();
        for (field, former, written) in updated.fields() {
            let now = record.fields[field].as_ref();
            let value = former.map_or(Value::Null, |stored| stored.value.clone());
            let mut told = FieldChange::new(object, field, Some(record.value(field).clone()), value.clone());
            match now {
                Some(stored) if stored.stamp.is_of(IMPORT, self.run) => {
                    match admit(self.connection, self.schema, object, field, value)? {
                        Ok(_) => {
                            back.push((field, former.cloned()));
                            change.fields.push(told);
                            continue;
                        }
                        Err(refusal) => told.left = Some(Left::Refused { reason: refusal.reason }),
                    }
                }
                // An undo has put it back before.
                now if now == former => continue,
                now => {
                    told.before = Some(written.clone());
                    told.left = now.map(|now| self.edited(now)).transpose()?;
                }
            }
            left.fields.push(told);
        }
        if !left.fields.is_empty() {
            left.left = left.fields[0].left.clone();
            self.leave(left);
        }
        if !back.is_empty() {
            self.batch.put_back(object, &mut record, back)?;
            self.done.put_back += 1;
            self.counts.entry(object.name().to_owned()).or_default()[1] += 1;
            if self.done.changes.len() < self.listed {
                self.done.changes.push(change);
            }
        }
        Ok(())
    }

    fn edited(&mut self, now: &Stored) -> Result<Left, HubError> {
        let by = self.sources.origin(self.connection, now.stamp.source, now.stamp.run)?;
        Ok(Left::Edited { by, at: now.stamp.time.at })
    }

    fn leave(&mut self, change: RecordChange) {
        self.done.left += 1;
        self.counts.entry(change.object.clone()).or_default()[2] += 1;
        if self.done.left_out.len() < self.listed {
            self.done.left_out.push(change);
        }
    }

    /// A record that was changed, and deleted since.
    fn leave_gone(&mut self, object: &ObjectSchema, id: i64, updated: &Updated) -> Result<(), HubError> {
        let Some((values, left)) = gone(self.connection, object, id)? else { return Ok(()) };
        let fields = updated.fields().map(|(field, former, written)| {
            let value = former.map_or(Value::Null, |stored| stored.value.clone());
            let told = FieldChange::new(object, field, Some(written.clone()), value);
            FieldChange { left: Some(left.clone()), ..told }
        });
        let (fields, name) = (fields.collect(), object.name().to_owned());
        let (id, deed) = (Some(id.to_string()), Deed::Update);
        self.leave(RecordChange { object: name, id, deed, values, fields, left: Some(left) });
        Ok(())
    }

    /// Finds the records that the import made and that are as it made them.
    fn choose_deletes(&mut self) -> Result<(), HubError> {
        let connection = self.connection;
        let mut statement = connection.prepare(&format!(
            "SELECT {COLUMNS}, object FROM hub_record WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
        ))?;
        let mut gone = connection.prepare("SELECT count(*) FROM hub_tombstone WHERE id BETWEEN ?1 AND ?2")?;
        for range in ranges(connection, self.run)? {
            self.done.gone += gone.query_row(range, |row| row.get::<_, i64>(0))?.unsigned_abs();
            let mut rows = statement.query(range)?;
            while let Some(row) = rows.next()? {
                let Some(object) = self.schema.numbered(row.get(7)?).cloned() else { continue };
                let record = Record::read(&object, row)?;
                match self.changed_since(&object, &record)? {
                    None => {
                        self.deletes.insert(record.id, object);
                    }
                    Some(left) => self.leave(left),
                }
            }
        }
        Ok(())
    }

    /// What somebody has changed of a record that the import made.
    fn changed_since(
        &mut self,
        object: &ObjectSchema,
        record: &Record,
    ) -> Result<Option<RecordChange>, HubError> {
        let mut left = RecordChange::of(object, record, Deed::Delete);
        for (field, stored) in record.fields.iter().enumerate() {
            let Some(stored) = stored.as_ref().filter(|stored| !stored.stamp.is_of(IMPORT, self.run)) else {
                continue;
            };
            let mut told = FieldChange::new(object, field, None, stored.value.clone());
            told.left = Some(self.edited(stored)?);
            left.fields.push(told);
        }
        if let Some(first) = left.fields.first() {
            left.left = first.left.clone();
        } else if record.source != IMPORT {
            let by = self.sources.origin(self.connection, record.source, 0)?;
            left.left = Some(Left::Restored { by });
        } else {
            return Ok(None);
        }
        Ok(Some(left))
    }

    /// Leaves records that others refer to which stay: those that were there before, as they are now, and those that are left.
    fn spare_referred(&mut self) -> Result<(), HubError> {
        let made: BTreeSet<&str> = self.deletes.values().map(|object| object.name()).collect();
        let mut edges: Vec<(i64, i64, Arc<ObjectSchema>)> = Vec::new();
        for object in &self.schema.objects {
            let fields = object.definition.fields.iter().enumerate();
            let referring =
                fields.filter(|(_, field)| field.targets.iter().any(|name| made.contains(name.as_str())));
            let referring: Vec<usize> = referring.map(|(field, _)| field).collect();
            if referring.is_empty() {
                continue;
            }
            records::each(self.connection, object, |record| {
                let values = referring.iter().map(|field| record.value(*field));
                let links = values.flat_map(Value::references);
                for target in links.filter_map(|link| records::number(&link.id)) {
                    if self.deletes.contains_key(&target) {
                        edges.push((record.id, target, Arc::clone(object)));
                    }
                }
                Ok(())
            })?;
        }
        // What a spared record refers to is spared too.
        let mut spared = true;
        while std::mem::take(&mut spared) {
            for (from, target, by) in &edges {
                if self.deletes.contains_key(from) {
                    continue;
                }
                let Some(object) = self.deletes.remove(target) else { continue };
                spared = true;
                let Some(record) = records::load(self.connection, &object, *target)? else { continue };
                let mut left = RecordChange::of(&object, &record, Deed::Delete);
                left.left = Some(Left::Referred { object: by.name().to_owned(), id: from.to_string() });
                self.leave(left);
            }
        }
        Ok(())
    }

    fn delete_all(&mut self) -> Result<(), HubError> {
        let mut told = Vec::new();
        for (id, object) in std::mem::take(&mut self.deletes) {
            let Some(record) = records::load(self.connection, &object, id)? else { continue };
            self.batch.delete(&object, &record, self.now)?;
            self.done.deleted += 1;
            self.counts.entry(object.name().to_owned()).or_default()[0] += 1;
            if told.len() < self.listed {
                let mut change = RecordChange::of(&object, &record, Deed::Delete);
                let held = record.fields.iter().enumerate().filter_map(|(field, stored)| {
                    let value = stored.as_ref()?.value.clone();
                    Some(FieldChange::new(&object, field, Some(value), Value::Null))
                });
                change.fields = held.collect();
                told.push(change);
            }
        }
        told.append(&mut self.done.changes);
        told.truncate(self.listed);
        self.done.changes = told;
        Ok(())
    }

    /// Writes the run of the undo.
    fn note_run(&mut self) -> Result<(), HubError> {
        let mut run = run::new(RunKind::Undo { run: self.run, deletes_agreed: self.done.deleted }, self.now);
        for (object, of) in &self.counts {
            let counts = run.count(Side::Left, object);
            [counts.removed, counts.updated, counts.excluded] = *of;
        }
        (run.ended, run.status) = (Some(self.now), RunStatus::Done);
        self.done.run = Some(runs::insert(self.connection, run)?.id);
        Ok(())
    }
}
