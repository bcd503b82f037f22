//! Erasure in the hub: the row of a record, its keys, and what its tombstone kept.

use super::Hub;
use super::data::decode;
use super::error::HubError;
use super::imports;
use super::records::{self, Batch, OPERATOR, Record};
use super::schema::ObjectSchema;
use super::search;
use entente_core::{Timestamp, Value};
use rusqlite::{Connection, OptionalExtension, params};

/// What was found of a record in the hub.
pub(crate) struct InHub {
    /// The values that it has, or had when it was deleted.
    pub(crate) values: Vec<Value>,
    /// The ids of other records with one of its identifiers.
    pub(crate) alike: Vec<String>,
}

impl Hub {
    /// Takes the values of a record out of the hub. A tombstone with its id and the time stays. `None` where there never was such a
    /// record.
    pub(crate) fn erase_in(
        &self,
        connection: &Connection,
        object: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<Option<InHub>, HubError> {
        let schema = self.schema(connection)?;
        let object = schema.require(object)?;
        let Some(number) = records::number(id) else { return Ok(None) };
        let mut found = InHub { values: Vec::new(), alike: Vec::new() };
        if let Some(record) = records::load(connection, object, number)? {
            let mut batch = Batch::open(connection, OPERATOR, 0)?;
            batch.delete(object, &record, at)?;
            batch.close()?;
        }
        let kept: Option<(Option<String>, Option<String>)> = connection
            .prepare_cached("SELECT data, stamps FROM hub_tombstone WHERE id = ?1 AND object = ?2")?
            .query_row(params![number, object.number], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some(kept) = kept else { return Ok(None) };
        search::forget(connection, number)?;
        found.values.extend(imports::forget(connection, object, number)?);
        if let (Some(data), Some(stamps)) = kept {
            let fields = decode(object, &data, &stamps)?;
            let record = Record { id: number, seq: 0, other_seq: 0, source: OPERATOR, changed: at, fields };
            found.alike = alike(connection, object, &record)?;
            found.values.extend(record.fields.into_iter().flatten().map(|stored| stored.value));
        }
        connection
            .prepare_cached("UPDATE hub_tombstone SET data = NULL, stamps = NULL WHERE id = ?1")?
            .execute([number])?;
        Ok(Some(found))
    }
}

/// Other records with one of the identifiers of a record.
fn alike(connection: &Connection, object: &ObjectSchema, record: &Record) -> Result<Vec<String>, HubError> {
    let mut alike = Vec::new();
    for field in object.identifiers() {
        let Some(key) = record.key(object, field) else { continue };
        let others = records::by_key(connection, object, field, &key, 100)?;
        alike.extend(others.into_iter().filter(|other| *other != record.id));
    }
    alike.sort_unstable();
    alike.dedup();
    Ok(alike.into_iter().map(|id| id.to_string()).collect())
}
