//! What an import has changed, by the page: first the records that were there, then those that it made, each in order of id.

use super::kept::{Updated, ranges, updates};
use super::{FieldChange, Left, RecordChange, named};
use crate::hub::Hub;
use crate::hub::data::{Fields, decode};
use crate::hub::error::HubError;
use crate::hub::people::Sources;
use crate::hub::records::{self, IMPORT};
use crate::hub::schema::{ObjectSchema, Schema};
use entente_core::{Timestamp, Value};
use entente_sync::Deed;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// Which changes of an import are meant; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportFilter {
    /// Of an object.
    pub object: Option<String>,
    /// That do this; an import deletes nothing.
    pub deed: Option<Deed>,
    /// To this record: its object and id.
    pub record: Option<(String, String)>,
}

/// A page of what an import has changed, each with its place in the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportedPage {
    /// The changes.
    pub changes: Vec<(i64, RecordChange)>,
    /// How many records the import made, of those that are meant.
    pub created: u64,
    /// How many it changed.
    pub updated: u64,
}

/// A filter in numbers.
struct Meant {
    updates: bool,
    made: bool,
    object: Option<i64>,
    record: Option<i64>,
}

impl Meant {
    fn of(schema: &Schema, filter: &ImportFilter) -> Self {
        // What is not there has a number that nothing has.
        let object = |name: &str| schema.object(name).map_or(-1, |object| object.number);
        let (mut number, mut record) = (filter.object.as_deref().map(object), None);
        if let Some((name, id)) = &filter.record {
            let of = object(name);
            let fits = number.is_none_or(|number| number == of);
            number = Some(of);
            record = Some(records::number(id).filter(|_| fits).unwrap_or(-1));
        }
        let is = |deed| filter.deed.is_none_or(|wanted| wanted == deed);
        Self { updates: is(Deed::Update), made: is(Deed::Create), object: number, record }
    }
}

impl Hub {
    /// What an import has changed: those behind a place, at most `most`. Of a record that it made the fields that are still as it
    /// wrote them; of another one each field, with what it held before and what the import wrote.
    ///
    /// # Errors
    /// [`HubError::Store`] where the database fails.
    pub async fn imported(
        &self,
        run: i64,
        filter: &ImportFilter,
        above: i64,
        most: usize,
    ) -> Result<ImportedPage, HubError> {
        self.read(|connection| {
            let schema = self.schema(connection)?;
            let meant = Meant::of(&schema, filter);
            let list = Listing { connection, schema: &schema, run, meant };
            let (created, updated) = list.count()?;
            let mut page = ImportedPage { changes: Vec::new(), created, updated };
            if above % 2 == 0 && list.meant.updates {
                list.updates(above / 2, most, &mut page.changes)?;
            }
            if list.meant.made {
                list.made(if above % 2 == 0 { 0 } else { above / 2 }, most, &mut page.changes)?;
            }
            Ok(page)
        })
        .await
    }
}

struct Listing<'a> {
    connection: &'a Connection,
    schema: &'a Schema,
    run: i64,
    meant: Meant,
}

impl Listing<'_> {
    fn object(&self, number: i64) -> Option<Arc<ObjectSchema>> {
        self.schema.numbered(number).cloned()
    }

    fn count(&self) -> Result<(u64, u64), HubError> {
        let Meant { object, record, .. } = self.meant;
        let mut created = 0;
        if self.meant.made {
            let mut statement = self.connection.prepare_cached(
                "SELECT count(*) FROM (SELECT id FROM hub_record WHERE id BETWEEN ?1 AND ?2 AND (?3 IS NULL OR object = ?3)
                 UNION ALL SELECT id FROM hub_tombstone WHERE id BETWEEN ?1 AND ?2 AND (?3 IS NULL OR object = ?3))",
            )?;
            for (first, last) in ranges(self.connection, self.run)? {
                created += match record {
                    None if object.is_none() => last.saturating_sub(first).saturating_add(1).max(0),
                    _ => {
                        let (first, last) =
                            (first.max(record.unwrap_or(first)), last.min(record.unwrap_or(last)));
                        statement.query_row(params![first, last, object], |row| row.get::<_, i64>(0))?
                    }
                };
            }
        }
        let updated: i64 = match self.meant.updates {
            false => 0,
            true => self
                .connection
                .prepare_cached(
                    "SELECT count(*) FROM import_update WHERE run = ?1 AND (?2 IS NULL OR object = ?2) AND (?3 IS NULL OR record = ?3)",
                )?
                .query_row(params![self.run, object, record], |row| row.get(0))?,
        };
        Ok((created.unsigned_abs(), updated.unsigned_abs()))
    }

    fn updates(
        &self,
        above: i64,
        most: usize,
        changes: &mut Vec<(i64, RecordChange)>,
    ) -> Result<(), HubError> {
        let Meant { object, record, .. } = self.meant;
        let mut above = record.map_or(above, |record| above.max(record - 1));
        while changes.len() < most {
            let rows = updates(self.connection, |number| self.object(number), self.run, above, most)?;
            let Some((last, ..)) = rows.last() else { return Ok(()) };
            above = *last;
            for (id, of, updated) in rows {
                if record.is_some_and(|record| record != id) {
                    return Ok(());
                }
                if object.is_none_or(|object| object == of.number) && changes.len() < most {
                    changes.push((id.saturating_mul(2), self.update(&of, id, &updated)?));
                }
            }
        }
        Ok(())
    }

    fn update(&self, object: &ObjectSchema, id: i64, updated: &Updated) -> Result<RecordChange, HubError> {
        let (values, left) = match records::load(self.connection, object, id)? {
            Some(record) => (named(object, &record.fields), None),
            None => match gone(self.connection, object, id)? {
                Some((values, left)) => (values, Some(left)),
                None => (Vec::new(), None),
            },
        };
        let mut fields = Vec::new();
        for (field, former, written) in updated.fields() {
            let before = former.map_or(Value::Null, |stored| stored.value.clone());
            fields.push(FieldChange::new(object, field, Some(before), written.clone()));
        }
        let (object, id) = (object.name().to_owned(), Some(id.to_string()));
        Ok(RecordChange { object, id, deed: Deed::Update, values, fields, left })
    }

    fn made(&self, above: i64, most: usize, changes: &mut Vec<(i64, RecordChange)>) -> Result<(), HubError> {
        let Meant { object, record, .. } = self.meant;
        let mut statement = self.connection.prepare_cached(
            "SELECT id, object, data, stamps, deleted, source FROM (
               SELECT id, object, data, stamps, NULL AS deleted, source FROM hub_record WHERE id BETWEEN ?1 AND ?2
               UNION ALL SELECT id, object, data, stamps, deleted, source FROM hub_tombstone WHERE id BETWEEN ?1 AND ?2)
             WHERE ?3 IS NULL OR object = ?3 ORDER BY id LIMIT ?4",
        )?;
        for (first, last) in ranges(self.connection, self.run)? {
            let (first, last) = (first.max(above.saturating_add(1)), last);
            let (first, last) = (first.max(record.unwrap_or(first)), last.min(record.unwrap_or(last)));
            if first > last || changes.len() >= most {
                continue;
            }
            let rest = i64::try_from(most - changes.len()).unwrap_or(i64::MAX);
            let mut rows = statement.query(params![first, last, object, rest])?;
            while let Some(row) = rows.next()? {
                let Some(object) = self.object(row.get(1)?) else { continue };
                let kept: (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
                let fields = match kept {
                    (Some(data), Some(stamps)) => decode(&object, &data, &stamps)?,
                    _ => Fields::new(),
                };
                let id: i64 = row.get(0)?;
                let deleted: Option<i64> = row.get(4)?;
                let left = deleted.map(|at| deletion(self.connection, at, row.get(5)?)).transpose()?;
                changes.push((
                    id.saturating_mul(2).saturating_add(1),
                    self.creation(&object, id, &fields, left),
                ));
            }
        }
        Ok(())
    }

    fn creation(&self, object: &ObjectSchema, id: i64, fields: &Fields, left: Option<Left>) -> RecordChange {
        let own = fields.iter().enumerate().filter_map(|(field, stored)| {
            let stored = stored.as_ref().filter(|stored| stored.stamp.is_of(IMPORT, self.run))?;
            Some(FieldChange::new(object, field, None, stored.value.clone()))
        });
        RecordChange {
            object: object.name().to_owned(),
            id: Some(id.to_string()),
            deed: Deed::Create,
            values: named(object, fields),
            fields: if left.is_some() { Vec::new() } else { own.collect() },
            left,
        }
    }
}

/// What a deleted record held, field by field, and how it was deleted.
type Gone = (Vec<(String, Value)>, Left);

/// What a deleted record held, and how it was deleted; `None` where no such record was deleted.
pub(super) fn gone(
    connection: &Connection,
    object: &ObjectSchema,
    id: i64,
) -> Result<Option<Gone>, HubError> {
    let mut statement = connection.prepare_cached(
        "SELECT data, stamps, deleted, source FROM hub_tombstone WHERE id = ?1 AND object = ?2",
    )?;
    let found: Option<(Option<String>, Option<String>, i64, i64)> = statement
        .query_row(params![id, object.number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((data, stamps, at, source)) = found else { return Ok(None) };
    let values = match (data, stamps) {
        (Some(data), Some(stamps)) => named(object, &decode(object, &data, &stamps)?),
        _ => Vec::new(),
    };
    Ok(Some((values, deletion(connection, at, source)?)))
}

fn deletion(connection: &Connection, at: i64, source: i64) -> Result<Left, HubError> {
    // The run is not kept with it.
    let by = Sources::default().origin(connection, source, 0)?;
    Ok(Left::Deleted { by, at: Timestamp::from_micros(at) })
}
