//! Record calls for operators: create, read, list, change and delete.

use super::Hub;
use super::check::shown;
use super::error::HubError;
use super::find::matching;
use super::imports;
use super::orders::{admit, missing};
use super::records::{self, Batch, COLUMNS, OPERATOR, Record, Write};
use super::schema::{ObjectSchema, Schema};
use super::search;
use entente_core::{Foreign, Timestamp, Value, query_words};
use entente_sync::FieldTime;
use rusqlite::{Connection, params};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many records a list examines before it releases the database.
const STRETCH: usize = 1000;

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "source")]
pub enum Origin {
    /// The operator, through the record calls.
    Operator,
    /// A file import.
    Import {
        /// Its run; `None` for an import before these were runs, and for the undo of one.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<i64>,
        /// The name of the file.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<Foreign>,
    },
    /// A sync.
    Sync {
        /// Its name.
        name: String,
        /// The run.
        run: i64,
    },
}

/// A field of a record, for display.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordField {
    /// Its name.
    pub name: String,
    /// The value; null where it was never set.
    pub value: Value,
    /// Its change time, with whether it is certain; `None` where it was never set.
    pub time: Option<FieldTime>,
    /// Its origin; `None` where it was never set.
    pub origin: Option<Origin>,
}

/// A record, for display.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordView {
    /// The object.
    pub object: String,
    /// The id.
    pub id: String,
    /// Its change time: the newest of its fields.
    pub changed: Timestamp,
    /// The change number of its last change.
    pub version: String,
    /// All fields of the object, in definition order.
    pub fields: Vec<RecordField>,
}

impl RecordView {
    /// The value of a field; `None` where the object has no such field.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|known| known.name == field).map(|field| &field.value)
    }
}

/// Filter and paging of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListQuery {
    /// Fields and the value that each must have. Identifiers are compared in canonical form
    /// («ada@example.org» finds «Ada@Example.org»); a list field must contain the text, or equal the list.
    pub filter: Vec<(String, Value)>,
    /// Words, each of which has to begin a word of the record, over all its fields; without case and accents, and numbers
    /// without what stands between their digits.
    pub search: Option<String>,
    /// The id after which the page begins.
    pub after: Option<String>,
    /// The page length; 0 means 100.
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct List {
    /// The records, in order of id.
    pub records: Vec<RecordView>,
    /// The `after` of the next page; `None` at the end.
    pub next: Option<String>,
}

impl Hub {
    /// Creates a record. Its values are dated now, as certain.
    ///
    /// # Errors
    /// [`HubError::Refused`] with every field that is wrong; [`HubError::UnknownObject`],
    /// [`HubError::UnknownField`], [`HubError::Store`].
    pub async fn create(&self, object: &str, values: &[(String, Value)]) -> Result<RecordView, HubError> {
        let now = self.clock.now();
        self.write(|connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let (writes, mut refusals) = writes(connection, &schema, object, values, now)?;
            refusals.extend(missing(object, &writes));
            if !refusals.is_empty() {
                return Err(HubError::Refused { record: format!("new {}", object.name()), refusals });
            }
            let mut batch = Batch::open(connection, OPERATOR, 0)?;
            let record = batch.create(object, writes, now)?;
            batch.close()?;
            view(connection, object, record, &mut Sources::default())
        })
        .await
    }

    /// Changes fields of a record. An unchanged value keeps its time and origin.
    ///
    /// # Errors
    /// As [`Hub::create`], and [`HubError::NoRecord`].
    pub async fn set(
        &self,
        object: &str,
        id: &str,
        values: &[(String, Value)],
    ) -> Result<RecordView, HubError> {
        let now = self.clock.now();
        self.write(|connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let mut record = require(connection, object, id)?;
            let (writes, refusals) = writes(connection, &schema, object, values, now)?;
            if !refusals.is_empty() {
                return Err(HubError::Refused { record: format!("{} {id}", object.name()), refusals });
            }
            let mut batch = Batch::open(connection, OPERATOR, 0)?;
            batch.update(object, &mut record, writes)?;
            batch.close()?;
            view(connection, object, record, &mut Sources::default())
        })
        .await
    }

    /// Deletes a record and leaves a tombstone, with what it held. References to it stay as they are. Syncs apply their policy
    /// for deletions.
    ///
    /// # Errors
    /// [`HubError::NoRecord`], [`HubError::UnknownObject`], [`HubError::Store`].
    pub async fn delete(&self, object: &str, id: &str) -> Result<(), HubError> {
        let now = self.clock.now();
        self.write(|connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let record = require(connection, object, id)?;
            let mut batch = Batch::open(connection, OPERATOR, 0)?;
            batch.delete(object, &record, now)?;
            batch.close()
        })
        .await
    }

    /// A record with the value, time and origin of every field.
    ///
    /// # Errors
    /// [`HubError::NoRecord`], [`HubError::UnknownObject`], [`HubError::Store`].
    pub async fn get(&self, object: &str, id: &str) -> Result<RecordView, HubError> {
        self.read(|connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let record = require(connection, object, id)?;
            view(connection, object, record, &mut Sources::default())
        })
        .await
    }

    /// When a record was deleted, and by whom; `None` where it was not, or never was there.
    ///
    /// # Errors
    /// [`HubError::UnknownObject`], [`HubError::Store`].
    pub async fn deletion(&self, object: &str, id: &str) -> Result<Option<(Timestamp, Origin)>, HubError> {
        self.read(|connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let Some(number) = records::number(id) else { return Ok(None) };
            let Some(gone) = records::tombstone(connection, object, number)? else { return Ok(None) };
            // The run is not kept with it.
            let origin = Sources::default().origin(connection, gone.source, 0)?;
            Ok(Some((gone.at, origin)))
        })
        .await
    }

    /// A page of records, in order of id.
    ///
    /// # Errors
    /// [`HubError::UnknownObject`], [`HubError::UnknownField`], [`HubError::Store`].
    pub async fn list(&self, object: &str, query: &ListQuery) -> Result<List, HubError> {
        let limit = if query.limit == 0 { 100 } else { query.limit };
        if query.search.is_some() {
            self.catch_up().await?;
        }
        let mut after = query.after.as_deref().and_then(records::number).unwrap_or(0);
        let mut list = List { records: Vec::new(), next: None };
        loop {
            let wanted = limit - list.records.len();
            let (found, end) = self
                .read(|connection| {
                    let schema = self.schema(connection)?;
                    let object = schema.require(object)?;
                    let (records, end) = stretch(connection, object, query, after, wanted)?;
                    let mut sources = Sources::default();
                    let views: Result<Vec<_>, HubError> = records
                        .into_iter()
                        .map(|record| view(connection, object, record, &mut sources))
                        .collect();
                    Ok((views?, end))
                })
                .await?;
            list.records.extend(found);
            match end {
                None => return Ok(list),
                Some(end) if list.records.len() >= limit => {
                    list.next = Some(end.to_string());
                    return Ok(list);
                }
                Some(end) => after = end,
            }
        }
    }

    /// The number of records that match; paging is ignored.
    ///
    /// # Errors
    /// As [`Hub::list`].
    pub async fn count(&self, object: &str, query: &ListQuery) -> Result<u64, HubError> {
        if query.filter.is_empty() && query.search.is_none() {
            return self
                .read(|connection| {
                    let object = self.schema(connection)?.require(object)?.number;
                    let mut statement =
                        connection.prepare_cached("SELECT count(*) FROM hub_record WHERE object = ?1")?;
                    let count: i64 = statement.query_row([object], |row| row.get(0))?;
                    Ok(count.unsigned_abs())
                })
                .await;
        }
        if query.search.is_some() {
            self.catch_up().await?;
        }
        let (mut count, mut after) = (0, 0);
        loop {
            let (found, end) = self
                .read(|connection| {
                    let schema = self.schema(connection)?;
                    stretch(connection, schema.require(object)?, query, after, usize::MAX)
                        .map(|(records, end)| (records.len(), end))
                })
                .await?;
            count += found as u64;
            match end {
                None => return Ok(count),
                Some(end) => after = end,
            }
        }
    }
}

/// The fields to write, and the refused ones.
fn writes(
    connection: &Connection,
    schema: &Schema,
    object: &ObjectSchema,
    values: &[(String, Value)],
    now: Timestamp,
) -> Result<(Vec<Write>, Vec<super::Refusal>), HubError> {
    let (mut writes, mut refusals) = (Vec::new(), Vec::new());
    for (name, value) in values {
        let field = object.require(name)?;
        match admit(connection, schema, object, field, value.clone())? {
            Ok(value) => writes.push(Write { field, value, time: FieldTime::certain(now) }),
            Err(refusal) => refusals.push(refusal),
        }
    }
    Ok((writes, refusals))
}

pub(super) fn require(connection: &Connection, object: &ObjectSchema, id: &str) -> Result<Record, HubError> {
    let number = records::number(id);
    let record = number.map(|number| records::load(connection, object, number)).transpose()?.flatten();
    if let Some(record) = record {
        return Ok(record);
    }
    let gone = number.map(|number| records::tombstone(connection, object, number)).transpose()?.flatten();
    let (deleted, kept) = (gone.is_some(), gone.is_some_and(|gone| gone.kept));
    Err(HubError::NoRecord { object: object.name().to_owned(), id: shown(id), deleted, kept })
}

/// The next matching records, at most `wanted`, out of at most [`STRETCH`] examined; and where to continue if
/// there may be more.
pub(super) fn stretch(
    connection: &Connection,
    object: &ObjectSchema,
    query: &ListQuery,
    after: i64,
    wanted: usize,
) -> Result<(Vec<Record>, Option<i64>), HubError> {
    let mut filter = Vec::with_capacity(query.filter.len());
    for (name, value) in &query.filter {
        filter.push((object.require(name)?, value));
    }
    if let Some(search) = &query.search {
        return searched(connection, object, &query_words(search), &filter, after, wanted);
    }
    let mut found = Vec::new();
    // An identifier matches few records, so the index is used instead of a scan.
    let key =
        filter.iter().find(|(field, value)| object.definition.fields[*field].identifier && !value.is_blank());
    if let Some((field, value)) = key {
        let ids = matching(connection, object, &[(*field, *value)], true)?;
        for id in ids.into_iter().filter(|id| *id > after) {
            if let Some(record) = records::load(connection, object, id)?
                && matches(object, &record, &filter)
            {
                if found.len() == wanted {
                    let last = found.last().map(|record: &Record| record.id);
                    return Ok((found, last));
                }
                found.push(record);
            }
        }
        return Ok((found, None));
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM hub_record WHERE object = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![object.number, after, STRETCH as i64 + 1])?;
    let (mut looked, mut last) = (0, after);
    while let Some(row) = rows.next()? {
        if looked == STRETCH || found.len() == wanted {
            return Ok((found, Some(last)));
        }
        looked += 1;
        let record = Record::read(object, row)?;
        last = record.id;
        if matches(object, &record, &filter) {
            found.push(record);
        }
    }
    Ok((found, None))
}

/// The next records that a search finds and a filter lets pass, at most `wanted`; and where to continue if there may be more.
fn searched(
    connection: &Connection,
    object: &ObjectSchema,
    words: &[String],
    filter: &[(usize, &Value)],
    after: i64,
    wanted: usize,
) -> Result<(Vec<Record>, Option<i64>), HubError> {
    let (mut found, mut next): (Vec<Record>, Option<i64>) = (Vec::new(), None);
    // A search for signs alone finds nothing.
    if words.is_empty() {
        return Ok((found, None));
    }
    search::find(connection, object, words, after, |record| {
        if found.len() == wanted {
            next = found.last().map(|last| last.id);
            return false;
        }
        if matches(object, &record, filter) {
            found.push(record);
        }
        true
    })?;
    Ok((found, next))
}

fn matches(object: &ObjectSchema, record: &Record, filter: &[(usize, &Value)]) -> bool {
    let equal = |(index, wanted): &(usize, &Value)| {
        let definition = &object.definition.fields[*index];
        let value = record.value(*index);
        let canonical = |value| entente_core::canonical_identifier(&definition.kind, value);
        super::check::same(definition, value, wanted)
            || (definition.identifier && canonical(wanted).is_some_and(|key| canonical(value) == Some(key)))
            || matches!((value, *wanted), (Value::Texts(list), Value::Text(text)) if list.contains(text))
    };
    filter.iter().all(equal)
}

/// Origins by number, each loaded once.
#[derive(Default)]
pub(super) struct Sources {
    sources: BTreeMap<i64, (String, String)>,
    /// By the runs of imports.
    files: BTreeMap<i64, Option<Foreign>>,
}

impl Sources {
    pub(super) fn origin(
        &mut self,
        connection: &Connection,
        source: i64,
        run: i64,
    ) -> Result<Origin, HubError> {
        let (kind, name) = match self.sources.entry(source) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let mut statement =
                    connection.prepare_cached("SELECT kind, name FROM hub_source WHERE number = ?1")?;
                place.insert(statement.query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))?)
            }
        };
        Ok(match kind.as_str() {
            "sync" => Origin::Sync { name: name.clone(), run },
            "import" if run == 0 => Origin::Import { run: None, file: None },
            "import" => {
                let file = match self.files.entry(run) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(imports::file_of(connection, run)?),
                };
                Origin::Import { run: Some(run), file: file.clone() }
            }
            _ => Origin::Operator,
        })
    }
}

pub(super) fn view(
    connection: &Connection,
    object: &ObjectSchema,
    record: Record,
    sources: &mut Sources,
) -> Result<RecordView, HubError> {
    let mut fields = Vec::with_capacity(record.fields.len());
    for (definition, stored) in object.definition.fields.iter().zip(record.fields) {
        let name = definition.name.clone();
        fields.push(match stored {
            None => RecordField { name, value: Value::Null, time: None, origin: None },
            Some(stored) => RecordField {
                name,
                value: stored.value,
                time: Some(stored.stamp.time),
                origin: Some(sources.origin(connection, stored.stamp.source, stored.stamp.run)?),
            },
        });
    }
    Ok(RecordView {
        object: object.name().to_owned(),
        id: record.id.to_string(),
        changed: record.changed,
        version: record.seq.to_string(),
        fields,
    })
}
