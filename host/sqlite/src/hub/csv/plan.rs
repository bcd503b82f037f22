//! What a dry run tells: the records that it would make and change, field by field.

use super::import::Import;
use crate::hub::data::Stored;
use crate::hub::error::HubError;
use crate::hub::imports::{FieldChange, RecordChange, Updated, named};
use crate::hub::records::{Batch, Record};
use crate::hub::schema::ObjectSchema;
use entente_core::{Foreign, Value};
use entente_sync::Deed;

impl Import<'_> {
    fn has_room(&self) -> bool {
        self.report.changes.len() < self.options.told
    }

    /// Tells a record that would be made.
    pub(super) fn tell_new(&mut self, object: &ObjectSchema, record: &Record) {
        if !self.has_room() {
            return;
        }
        self.told_rows.insert(record.id, self.report.changes.len());
        let change = self.new_record(object, record);
        self.report.changes.push(change);
    }

    fn new_record(&self, object: &ObjectSchema, record: &Record) -> RecordChange {
        let fields = record.fields.iter().enumerate();
        let fields = fields.filter_map(|(field, stored)| Some((field, None, stored.as_ref()?.value.clone())));
        let fields = fields.map(|(field, before, after)| self.field(object, field, before, after)).collect();
        RecordChange {
            object: object.name().to_owned(),
            // It is gone with its batch, and its id is another one's then.
            id: None,
            deed: Deed::Create,
            values: named(object, &record.fields),
            fields,
            left: None,
        }
    }

    /// Tells a record that would be made because a row refers to it.
    pub(super) fn tell_made(&mut self, object: &ObjectSchema, record: &Record, fresh: bool) {
        let values = named(object, &record.fields);
        let called = values.first().map(|(_, value)| Foreign::new(value.to_string()).quoted());
        let name = format!("new {} {}", object.name(), called.unwrap_or_default());
        self.to_be_made.insert(record.id.to_string(), name);
        if fresh {
            self.tell_new(object, record);
        }
    }

    /// Tells a record that would be changed. One that an earlier row of the batch would make is told as it is in the end.
    pub(super) fn tell_changed(
        &mut self,
        batch: &Batch<'_>,
        object: &ObjectSchema,
        record: &Record,
        before: Vec<(usize, Option<Stored>)>,
        as_before: bool,
    ) -> Result<(), HubError> {
        if batch.has_made(record.id) {
            if let Some(place) = self.told_rows.get(&record.id).copied() {
                self.report.changes[place] = self.new_record(object, record);
            }
            return Ok(());
        }
        let place = self.told_rows.get(&record.id).copied();
        match (place, as_before) {
            (Some(place), true) => self.untell(record.id, place),
            (Some(place), false) => {
                // Of two rows for a record, what both change.
                let earlier = self.kept.earlier(batch, object, record.id)?;
                let before = earlier.map_or(before, Updated::before);
                self.report.changes[place] = self.changed_record(object, record, before);
            }
            (None, false) if self.has_room() => {
                self.told_rows.insert(record.id, self.report.changes.len());
                let change = self.changed_record(object, record, before);
                self.report.changes.push(change);
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Takes back what was told of a record that the rows of the file leave as it is.
    fn untell(&mut self, record: i64, place: usize) {
        self.report.changes.remove(place);
        self.told_rows.remove(&record);
        self.told_rows.values_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
    }

    fn changed_record(
        &self,
        object: &ObjectSchema,
        record: &Record,
        before: Vec<(usize, Option<Stored>)>,
    ) -> RecordChange {
        let field = |(field, stored): (usize, Option<Stored>)| {
            let before = stored.map_or(Value::Null, |stored| stored.value);
            self.field(object, field, Some(before), record.value(field).clone())
        };
        RecordChange {
            object: object.name().to_owned(),
            id: Some(record.id.to_string()),
            deed: Deed::Update,
            values: named(object, &record.fields),
            fields: before.into_iter().map(field).collect(),
            left: None,
        }
    }

    fn field(&self, object: &ObjectSchema, field: usize, before: Option<Value>, after: Value) -> FieldChange {
        let links = after.references().iter().filter_map(|link| self.to_be_made.get(&link.id).cloned());
        let to_be_made = links.collect();
        FieldChange { to_be_made, ..FieldChange::new(object, field, before, after) }
    }
}
