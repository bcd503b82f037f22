//! Rows of `import_made` and `import_update`: which records an import made, and what it replaced.

use crate::hub::data::{Fields, Stored, decode, encode};
use crate::hub::error::HubError;
use crate::hub::records::{Batch, Record};
use crate::hub::schema::ObjectSchema;
use entente_core::Value;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;

/// What an import under way has made: the numbers of its records, and those of the batch that is open.
#[derive(Debug, Default)]
pub(in crate::hub) struct Kept {
    made: Vec<(i64, i64)>,
    /// The records that were there before and that rows have changed, with how many rows of each.
    changed: HashMap<i64, u64>,
}

impl Kept {
    /// Whether the import itself has made the record.
    pub(in crate::hub) fn is_own(&self, batch: &Batch<'_>, record: i64) -> bool {
        batch.has_made(record) || self.has_made(record)
    }

    /// Whether a batch before this one made the record.
    fn has_made(&self, record: i64) -> bool {
        let at = self.made.partition_point(|(_, last)| *last < record);
        self.made.get(at).is_some_and(|(first, _)| *first <= record)
    }

    /// What fields of a record held before an earlier row of the import changed them, where one did.
    pub(in crate::hub) fn earlier(
        &self,
        batch: &Batch<'_>,
        object: &ObjectSchema,
        record: i64,
    ) -> Result<Option<Updated>, HubError> {
        match self.changed.contains_key(&record) {
            true => read(batch.connection, object, batch.run(), record),
            false => Ok(None),
        }
    }

    /// Keeps what fields of a record held before the import changed them. Of one that the import itself made, nothing is
    /// put back. Returns how many rows before this one had changed the record, where all of it is as before the import
    /// again.
    pub(in crate::hub) fn update(
        &mut self,
        batch: &Batch<'_>,
        object: &ObjectSchema,
        record: &Record,
        before: Vec<(usize, Option<Stored>)>,
    ) -> Result<Option<u64>, HubError> {
        if self.is_own(batch, record.id) {
            return Ok(None);
        }
        let blank: Fields = vec![None; object.definition.fields.len()];
        let (mut former, mut written) = (blank.clone(), blank);
        if let Some(earlier) = self.earlier(batch, object, record.id)? {
            (former, written) = (earlier.former, earlier.written);
        }
        for (field, stored) in before {
            // What stood there before the first row of the file that changed it.
            if written[field].is_none() {
                former[field] = stored;
            }
            written[field].clone_from(&record.fields[field]);
            if record.fields[field] == former[field] {
                (former[field], written[field]) = (None, None);
            }
        }
        if written.iter().all(Option::is_none) {
            batch
                .connection
                .prepare_cached("DELETE FROM import_update WHERE run = ?1 AND record = ?2")?
                .execute(params![batch.run(), record.id])?;
            return Ok(Some(self.changed.remove(&record.id).unwrap_or_default()));
        }
        *self.changed.entry(record.id).or_default() += 1;
        let (data, stamps) = encode(object, &former)?;
        let (written, _) = encode(object, &written)?;
        batch
            .connection
            .prepare_cached(
                "INSERT INTO import_update (run, record, object, data, stamps, written) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (run, record) DO UPDATE SET data = excluded.data, stamps = excluded.stamps, written = excluded.written",
            )?
            .execute(params![batch.run(), record.id, object.number, data, stamps, written])?;
        Ok(None)
    }

    /// Keeps which records a batch made. Returns what [`Kept::committed`] takes.
    pub(in crate::hub) fn made(&self, batch: &Batch<'_>) -> Result<Option<(i64, i64)>, HubError> {
        let Some((mut first, last)) = batch.made() else { return Ok(None) };
        if let Some((before, end)) = self.made.last()
            && *end + 1 == first
        {
            first = *before;
        }
        batch
            .connection
            .prepare_cached(
                "INSERT INTO import_made (run, first, last) VALUES (?1, ?2, ?3) ON CONFLICT (run, first) DO UPDATE SET last = excluded.last",
            )?
            .execute(params![batch.run(), first, last])?;
        Ok(Some((first, last)))
    }

    /// Takes note of what a committed batch made.
    pub(in crate::hub) fn committed(&mut self, made: Option<(i64, i64)>) {
        let Some(made) = made else { return };
        match self.made.last_mut() {
            Some(last) if last.0 == made.0 => *last = made,
            _ => self.made.push(made),
        }
    }
}

/// What an import changed of a record that was there.
#[derive(Debug)]
pub(in crate::hub) struct Updated {
    /// What the fields held before; those that are not in it, and are in `written`, had never been set.
    pub(in crate::hub) former: Fields,
    /// What the import wrote. Its stamps say nothing.
    pub(in crate::hub) written: Fields,
}

impl Updated {
    fn decode(object: &ObjectSchema, data: &str, stamps: &str, written: &str) -> Result<Self, HubError> {
        const NO_STAMP: &str = "[[0,0,0,0,[]]]";
        let former = decode(object, data, stamps)?;
        Ok(Self { former, written: decode(object, written, NO_STAMP)? })
    }

    /// The fields that the import wrote, with what each held before.
    pub(in crate::hub) fn before(self) -> Vec<(usize, Option<Stored>)> {
        let both = self.former.into_iter().zip(self.written).enumerate();
        both.filter_map(|(field, (former, written))| written.map(|_| (field, former))).collect()
    }

    /// The fields, with what each held before, and since.
    pub(super) fn fields(&self) -> impl Iterator<Item = (usize, Option<&Stored>, &Value)> {
        let both = self.former.iter().zip(&self.written).enumerate();
        both.filter_map(|(field, (former, written))| Some((field, former.as_ref(), &written.as_ref()?.value)))
    }
}

fn read(
    connection: &Connection,
    object: &ObjectSchema,
    run: i64,
    record: i64,
) -> Result<Option<Updated>, HubError> {
    let mut statement = connection
        .prepare_cached("SELECT data, stamps, written FROM import_update WHERE run = ?1 AND record = ?2")?;
    let found: Option<(String, String, String)> = statement
        .query_row(params![run, record], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    found.map(|(data, stamps, written)| Updated::decode(object, &data, &stamps, &written)).transpose()
}

/// Records that an import changed, above a number, at most `most`: their number, the number of their object, and what was changed.
pub(super) fn updates(
    connection: &Connection,
    objects: impl Fn(i64) -> Option<Arc<ObjectSchema>>,
    run: i64,
    above: i64,
    most: usize,
) -> Result<Vec<(i64, Arc<ObjectSchema>, Updated)>, HubError> {
    let mut statement = connection.prepare_cached(
        "SELECT record, object, data, stamps, written FROM import_update WHERE run = ?1 AND record > ?2 ORDER BY record LIMIT ?3",
    )?;
    let mut rows = statement.query(params![run, above, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut updates = Vec::new();
    while let Some(row) = rows.next()? {
        // With the definition of an object its records went.
        let Some(object) = objects(row.get(1)?) else { continue };
        let text = |column: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(column)?.as_str()?) };
        let updated = Updated::decode(&object, text(2)?, text(3)?, text(4)?)?;
        updates.push((row.get(0)?, object, updated));
    }
    Ok(updates)
}

/// The ranges of the ids of records that an import made.
pub(super) fn ranges(connection: &Connection, run: i64) -> Result<Vec<(i64, i64)>, HubError> {
    let mut statement =
        connection.prepare_cached("SELECT first, last FROM import_made WHERE run = ?1 ORDER BY first")?;
    let ranges = statement.query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(ranges.collect::<Result<_, _>>()?)
}

/// Takes what imports replaced of a record out, and returns it.
pub(in crate::hub) fn forget(
    connection: &Connection,
    object: &ObjectSchema,
    record: i64,
) -> Result<Vec<Value>, HubError> {
    let mut values = Vec::new();
    {
        let mut statement =
            connection.prepare_cached("SELECT data, stamps, written FROM import_update WHERE record = ?1")?;
        let mut rows = statement.query([record])?;
        while let Some(row) = rows.next()? {
            let text = |column: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(column)?.as_str()?) };
            let Updated { former, written } = Updated::decode(object, text(0)?, text(1)?, text(2)?)?;
            values.extend(former.into_iter().chain(written).flatten().map(|stored| stored.value));
        }
    }
    connection.prepare_cached("DELETE FROM import_update WHERE record = ?1")?.execute([record])?;
    Ok(values)
}
