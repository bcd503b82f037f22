//! Row access: reading and writing records, within the caller's transaction.

use super::data::{Fields, Stamp, Stored, decode, encode};
use super::error::HubError;
use super::schema::ObjectSchema;
use crate::store::StoreError;
use entente_core::{Timestamp, Value, canonical_identifier};
use entente_sync::FieldTime;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// The number in `hub_source` of the operator.
pub(super) const OPERATOR: i64 = 1;
/// The number in `hub_source` of imports.
pub(super) const IMPORT: i64 = 2;

/// The columns that [`Record::read`] reads, in its order.
pub(super) const COLUMNS: &str = "id, seq, other_seq, source, changed, data, stamps";

/// A stored record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) id: i64,
    pub(super) seq: i64,
    pub(super) other_seq: i64,
    pub(super) source: i64,
    pub(super) changed: Timestamp,
    pub(super) fields: Fields,
}

impl Record {
    pub(super) fn read(object: &ObjectSchema, row: &Row<'_>) -> Result<Self, HubError> {
        let text = |index: usize| -> Result<&str, HubError> {
            Ok(row.get_ref(index)?.as_str().map_err(rusqlite::Error::from)?)
        };
        Ok(Self {
            id: row.get(0)?,
            seq: row.get(1)?,
            other_seq: row.get(2)?,
            source: row.get(3)?,
            changed: Timestamp::from_micros(row.get(4)?),
            fields: decode(object, text(5)?, text(6)?)?,
        })
    }

    /// The value of a field; null where it was never set.
    pub(super) fn value(&self, field: usize) -> &Value {
        static NULL: Value = Value::Null;
        self.fields.get(field).and_then(Option::as_ref).map_or(&NULL, |stored| &stored.value)
    }

    /// The canonical form of an identifier field, as the index has it.
    pub(super) fn key(&self, object: &ObjectSchema, field: usize) -> Option<String> {
        canonical_identifier(&object.definition.fields[field].kind, self.value(field))
    }
}

/// Parses an id; `None` where it is not an id of the hub.
pub(super) fn number(id: &str) -> Option<i64> {
    // Only the canonical decimal form is an id: «007» and «+7» are not 7.
    id.parse().ok().filter(|number: &i64| *number > 0 && number.to_string() == id)
}

/// The record of this id.
pub(super) fn load(
    connection: &Connection,
    object: &ObjectSchema,
    id: i64,
) -> Result<Option<Record>, HubError> {
    let mut statement = connection
        .prepare_cached("SELECT id, seq, other_seq, source, changed, data, stamps FROM hub_record WHERE id = ?1 AND object = ?2")?;
    let mut rows = statement.query(params![id, object.number])?;
    rows.next()?.map(|row| Record::read(object, row)).transpose()
}

/// Whether a record with this id exists.
pub(super) fn exists(connection: &Connection, object: &ObjectSchema, id: i64) -> Result<bool, HubError> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM hub_record WHERE id = ?1 AND object = ?2")?;
    Ok(statement.exists(params![id, object.number])?)
}

/// What is left of a deleted record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tombstone {
    /// When it was deleted.
    pub(super) at: Timestamp,
    /// The number in `hub_source` of who deleted it.
    pub(super) source: i64,
    /// Whether what it held is kept.
    pub(super) kept: bool,
    /// The record that it was merged into.
    pub(super) merged: Option<i64>,
}

/// The tombstone of the record with this id.
pub(super) fn tombstone(
    connection: &Connection,
    object: &ObjectSchema,
    id: i64,
) -> Result<Option<Tombstone>, HubError> {
    let mut statement = connection.prepare_cached(
        "SELECT deleted, source, data IS NOT NULL, merged FROM hub_tombstone WHERE id = ?1 AND object = ?2",
    )?;
    let found = statement.query_row(params![id, object.number], |row| {
        Ok(Tombstone {
            at: Timestamp::from_micros(row.get(0)?),
            source: row.get(1)?,
            kept: row.get(2)?,
            merged: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// The ids of records whose identifier field has this canonical form, ascending; at most `limit`.
pub(super) fn by_key(
    connection: &Connection,
    object: &ObjectSchema,
    field: usize,
    canonical: &str,
    limit: usize,
) -> Result<Vec<i64>, HubError> {
    let mut statement = connection.prepare_cached(
        "SELECT record FROM hub_key WHERE field = ?1 AND canonical = ?2 ORDER BY record LIMIT ?3",
    )?;
    let ids =
        statement.query_map(params![object.fields[field], canonical, limit as i64], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The number in `hub_source` of a sync, assigned now if it has none.
pub(super) fn sync_source(connection: &Connection, sync: &str) -> Result<i64, HubError> {
    if let Some(number) = known_source(connection, sync)? {
        return Ok(number);
    }
    connection.prepare_cached("INSERT INTO hub_source (kind, name) VALUES ('sync', ?1)")?.execute([sync])?;
    Ok(connection.last_insert_rowid())
}

/// The number in `hub_source` of a sync; `None` if it has never written.
pub(super) fn known_source(connection: &Connection, sync: &str) -> Result<Option<i64>, HubError> {
    let mut statement =
        connection.prepare_cached("SELECT number FROM hub_source WHERE kind = 'sync' AND name = ?1")?;
    Ok(statement.query_row([sync], |row| row.get(0)).optional()?)
}

/// A field write.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) field: usize,
    pub(super) value: Value,
    pub(super) time: FieldTime,
}

/// A batch of writes with one change sequence. The counters are read once and stored by [`Batch::close`]; a
/// batch that is not closed must be rolled back.
pub(super) struct Batch<'c> {
    pub(super) connection: &'c Connection,
    source: i64,
    run: i64,
    seq: i64,
    record: i64,
    /// The last id before this batch.
    before: i64,
}

impl<'c> Batch<'c> {
    pub(super) fn open(connection: &'c Connection, source: i64, run: i64) -> Result<Self, HubError> {
        let (seq, record): (i64, i64) = connection
            .prepare_cached("SELECT seq, record FROM hub_counter")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        // Far from the end, so that no batch counts beyond it: a restored database may hold anything.
        if [seq, record].iter().any(|counter| !(0..=i64::MAX / 2).contains(counter)) {
            let why =
                format!("{seq} changes and {record} records are no numbers that this program counts to");
            return Err(StoreError::Corrupt { what: "the counters of the hub".to_owned(), why }.into());
        }
        Ok(Self { connection, source, run, seq, record, before: record })
    }

    pub(super) fn close(self) -> Result<(), HubError> {
        self.connection
            .prepare_cached("UPDATE hub_counter SET seq = ?1, record = ?2")?
            .execute(params![self.seq, self.record])?;
        Ok(())
    }

    /// The number of its run.
    pub(super) fn run(&self) -> i64 {
        self.run
    }

    /// The first and the last id that it has given.
    pub(super) fn made(&self) -> Option<(i64, i64)> {
        (self.record > self.before).then_some((self.before + 1, self.record))
    }

    /// Whether it has made a record.
    pub(super) fn has_made(&self, record: i64) -> bool {
        record > self.before
    }

    fn stored(&self, value: Value, time: FieldTime) -> Stored {
        Stored { value, stamp: Stamp { time, source: self.source, run: self.run } }
    }

    /// Creates a record. `at` is its change time where no field has one.
    pub(super) fn create(
        &mut self,
        object: &ObjectSchema,
        writes: Vec<Write>,
        at: Timestamp,
    ) -> Result<Record, HubError> {
        let mut fields: Fields = vec![None; object.definition.fields.len()];
        for write in writes {
            // A blank in a new record gets no stamp: it says nothing about when a value was cleared.
            if write.value != Value::Null {
                fields[write.field] = Some(self.stored(write.value, write.time));
            }
        }
        self.record += 1;
        self.insert(object, self.record, fields, at)
    }

    /// Inserts a record that was deleted, under its id, and takes its tombstone away. `at` as in [`Batch::create`].
    pub(super) fn restore(
        &mut self,
        object: &ObjectSchema,
        id: i64,
        fields: Fields,
        at: Timestamp,
    ) -> Result<Record, HubError> {
        self.connection.prepare_cached("DELETE FROM hub_tombstone WHERE id = ?1")?.execute([id])?;
        self.insert(object, id, fields, at)
    }

    fn insert(
        &mut self,
        object: &ObjectSchema,
        id: i64,
        fields: Fields,
        at: Timestamp,
    ) -> Result<Record, HubError> {
        self.seq += 1;
        let changed = newest(&fields).unwrap_or(at);
        let record = Record { id, seq: self.seq, other_seq: 0, source: self.source, changed, fields };
        let (data, stamps) = encode(object, &record.fields)?;
        self.connection
            .prepare_cached(
                "INSERT INTO hub_record (id, object, seq, other_seq, source, changed, data, stamps) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![record.id, object.number, record.seq, record.source, changed.micros(), data, stamps])?;
        for field in object.identifiers() {
            if let Some(key) = record.key(object, field) {
                self.add_key(object.fields[field], &key, record.id)?;
            }
        }
        Ok(record)
    }

    /// Writes the fields that differ. Returns whether any did.
    pub(super) fn update(
        &mut self,
        object: &ObjectSchema,
        record: &mut Record,
        writes: Vec<Write>,
    ) -> Result<bool, HubError> {
        let mut changed = false;
        for write in writes {
            let index = write.field;
            let definition = &object.definition.fields[index];
            if super::check::same(definition, record.value(index), &write.value) {
                continue;
            }
            changed = true;
            let stored = self.stored(write.value, write.time);
            self.replace(object, record, index, Some(stored))?;
        }
        if changed {
            self.store(object, record)?;
        }
        Ok(changed)
    }

    /// As [`Batch::update`]; the record counts as changed also where no field differs.
    pub(super) fn update_anyway(
        &mut self,
        object: &ObjectSchema,
        record: &mut Record,
        writes: Vec<Write>,
    ) -> Result<(), HubError> {
        if !self.update(object, record, writes)? {
            self.store(object, record)?;
        }
        Ok(())
    }

    /// Gives fields the values back that they had, with their times and origins.
    pub(super) fn put_back(
        &mut self,
        object: &ObjectSchema,
        record: &mut Record,
        former: Vec<(usize, Option<Stored>)>,
    ) -> Result<(), HubError> {
        for (field, stored) in former {
            self.replace(object, record, field, stored)?;
        }
        self.store(object, record)
    }

    /// Sets a field of a record, and its key.
    fn replace(
        &self,
        object: &ObjectSchema,
        record: &mut Record,
        index: usize,
        stored: Option<Stored>,
    ) -> Result<(), HubError> {
        let identifier = object.definition.fields[index].identifier;
        let before = identifier.then(|| record.key(object, index)).flatten();
        record.fields[index] = stored;
        let after = identifier.then(|| record.key(object, index)).flatten();
        if before != after {
            if let Some(key) = before {
                self.remove_key(object.fields[index], &key, record.id)?;
            }
            if let Some(key) = after {
                self.add_key(object.fields[index], &key, record.id)?;
            }
        }
        Ok(())
    }

    /// Stores a changed record under the next change number.
    fn store(&mut self, object: &ObjectSchema, record: &mut Record) -> Result<(), HubError> {
        if record.source != self.source {
            // `other_seq` is the last change by any source but the current one.
            record.other_seq = record.seq;
            record.source = self.source;
        }
        self.seq += 1;
        record.seq = self.seq;
        record.changed = newest(&record.fields).unwrap_or(record.changed);
        let (data, stamps) = encode(object, &record.fields)?;
        self.connection
            .prepare_cached(
                "UPDATE hub_record SET seq = ?2, other_seq = ?3, source = ?4, changed = ?5, data = ?6, stamps = ?7 WHERE id = ?1",
            )?
            .execute(params![record.id, record.seq, record.other_seq, record.source, record.changed.micros(), data, stamps])?;
        Ok(())
    }

    /// Deletes a record and leaves its tombstone.
    pub(super) fn delete(
        &mut self,
        object: &ObjectSchema,
        record: &Record,
        at: Timestamp,
    ) -> Result<(), HubError> {
        for field in object.identifiers() {
            if let Some(key) = record.key(object, field) {
                self.remove_key(object.fields[field], &key, record.id)?;
            }
        }
        self.seq += 1;
        let (data, stamps) = encode(object, &record.fields)?;
        self.connection.prepare_cached("DELETE FROM hub_record WHERE id = ?1")?.execute([record.id])?;
        self.connection
            .prepare_cached(
                "INSERT INTO hub_tombstone (id, object, seq, source, deleted, data, stamps) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![record.id, object.number, self.seq, self.source, at.micros(), data, stamps])?;
        Ok(())
    }

    /// Deletes a record that was merged into another one, and leaves its tombstone.
    pub(super) fn merge_into(
        &mut self,
        object: &ObjectSchema,
        loser: &Record,
        winner: i64,
        at: Timestamp,
    ) -> Result<(), HubError> {
        self.delete(object, loser, at)?;
        self.connection
            .prepare_cached("UPDATE hub_tombstone SET merged = ?2 WHERE id = ?1")?
            .execute([loser.id, winner])?;
        Ok(())
    }

    fn add_key(&self, field: i64, key: &str, record: i64) -> Result<(), HubError> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO hub_key (field, canonical, record) VALUES (?1, ?2, ?3)")?
            .execute(params![field, key, record])?;
        Ok(())
    }

    fn remove_key(&self, field: i64, key: &str, record: i64) -> Result<(), HubError> {
        self.connection
            .prepare_cached("DELETE FROM hub_key WHERE field = ?1 AND canonical = ?2 AND record = ?3")?
            .execute(params![field, key, record])?;
        Ok(())
    }
}

/// The newest change time of the fields.
fn newest(fields: &Fields) -> Option<Timestamp> {
    fields.iter().flatten().map(|stored| stored.stamp.time.at).max()
}

/// Visits all records of an object in order of id.
pub(super) fn each(
    connection: &Connection,
    object: &ObjectSchema,
    mut visit: impl FnMut(Record) -> Result<(), HubError>,
) -> Result<(), HubError> {
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} FROM hub_record WHERE object = ?1 ORDER BY id"))?;
    let mut rows = statement.query([object.number])?;
    while let Some(row) = rows.next()? {
        visit(Record::read(object, row)?)?;
    }
    Ok(())
}

/// Rebuilds the index of one identifier field.
pub(super) fn rebuild_keys(
    connection: &Connection,
    object: &ObjectSchema,
    field: usize,
) -> Result<(), HubError> {
    connection.execute("DELETE FROM hub_key WHERE field = ?1", [object.fields[field]])?;
    if !object.definition.fields[field].identifier {
        return Ok(());
    }
    each(connection, object, |record| {
        if let Some(key) = record.key(object, field) {
            connection
                .prepare_cached("INSERT INTO hub_key (field, canonical, record) VALUES (?1, ?2, ?3)")?
                .execute(params![object.fields[field], key, record.id])?;
        }
        Ok(())
    })
}
