//! Search: records of which each word of a query begins a word, over all fields at once. The index is caught up with when somebody
//! searches.

use super::Hub;
use super::error::HubError;
use super::records::{COLUMNS, Record};
use super::schema::{ObjectSchema, Schema};
use entente_core::search_words;
use rusqlite::{Connection, ToSql, params};
use std::collections::BTreeSet;

/// How many records are taken in before the database is released.
const STRETCH: usize = 2000;

impl Hub {
    /// Takes what has changed since the last search into the index.
    pub(super) async fn catch_up(&self) -> Result<(), HubError> {
        let behind = |connection: &Connection| {
            const BEHIND: &str = "SELECT (SELECT seq FROM hub_counter) > (SELECT upto FROM hub_word_upto)";
            Ok(connection.prepare_cached(BEHIND)?.query_row([], |row| row.get::<_, bool>(0))?)
        };
        if !self.read(behind).await? {
            return Ok(());
        }
        while self.write(|connection| take_in(connection, &*self.schema(connection)?)).await? {}
        Ok(())
    }
}

/// Takes the next records into the index, in the order of their changes. Returns whether there may be more.
fn take_in(connection: &Connection, schema: &Schema) -> Result<bool, HubError> {
    let upto: i64 = connection.query_row("SELECT upto FROM hub_word_upto", [], |row| row.get(0))?;
    let newest: i64 = connection.query_row("SELECT seq FROM hub_counter", [], |row| row.get(0))?;
    let mut insert = connection
        .prepare_cached("INSERT INTO hub_word (word, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    // Each object has its own order of changes; the first ones of all are those of each.
    let mut next: Vec<Record> = Vec::new();
    for object in &schema.objects {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM hub_record WHERE object = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
        ))?;
        let mut rows = statement.query(params![object.number, upto, STRETCH as i64])?;
        while let Some(row) = rows.next()? {
            next.push(Record::read(object, row)?);
        }
    }
    next.sort_by_key(|record| record.seq);
    let more = next.len() >= STRETCH;
    next.truncate(STRETCH);
    let reached = match next.last() {
        Some(last) if more => last.seq,
        _ => newest,
    };
    for record in next {
        for word in words(&record) {
            insert.execute(params![word, record.id])?;
        }
    }
    connection.execute("UPDATE hub_word_upto SET upto = ?1", [reached])?;
    Ok(more)
}

/// The words of a record, each once.
fn words(record: &Record) -> Vec<String> {
    let mut words: Vec<String> =
        record.fields.iter().flatten().flat_map(|stored| search_words(&stored.value)).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A word that begins more words than this is not looked up: reading that many places costs more than reading the records.
const COMMON: i64 = 20_000;
/// How many words are looked up, the rarest first; the others are compared with what these have found.
const LOOKED_UP: usize = 4;

/// Records after an id of which each of these words begins a word, by id.
pub(super) fn find(
    connection: &Connection,
    object: &ObjectSchema,
    wanted: &[String],
    after: i64,
    mut visit: impl FnMut(Record) -> bool,
) -> Result<(), HubError> {
    let mut bounds = Vec::new();
    // What begins another one of them says nothing more.
    let begins_other =
        |word: &&String| wanted.iter().any(|other| other != *word && other.starts_with(word.as_str()));
    let distinct: BTreeSet<&String> = wanted.iter().filter(|word| !begins_other(word)).collect();
    for word in &distinct {
        let high = format!("{word}\u{10ffff}");
        const COUNT: &str =
            "SELECT count(*) FROM (SELECT 1 FROM hub_word WHERE word >= ?1 AND word < ?2 LIMIT ?3)";
        let count: i64 =
            connection.prepare_cached(COUNT)?.query_row(params![word, high, COMMON + 1], |row| row.get(0))?;
        if count == 0 {
            return Ok(());
        }
        if count <= COMMON {
            bounds.push((count, word.as_str(), high));
        }
    }
    bounds.sort_unstable_by_key(|(count, ..)| *count);
    bounds.truncate(LOOKED_UP);
    let ranges: Vec<String> = (0..bounds.len())
        .map(|n| {
            format!("SELECT record FROM hub_word WHERE word >= ?{} AND word < ?{}", 3 + 2 * n, 4 + 2 * n)
        })
        .collect();
    let among = if ranges.is_empty() {
        String::new()
    } else {
        format!(" AND id IN ({})", ranges.join(" INTERSECT "))
    };
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM hub_record WHERE object = ?1 AND id > ?2{among} ORDER BY id"
    ))?;
    let mut values: Vec<&dyn ToSql> = vec![&object.number, &after];
    for (_, low, high) in &bounds {
        values.extend([low as &dyn ToSql, high]);
    }
    let mut rows = statement.query(values.as_slice())?;
    while let Some(row) = rows.next()? {
        let record = Record::read(object, row)?;
        // A word that it had once may still stand in the index.
        let own = words(&record);
        let has = |wanted: &&String| own.iter().any(|word| word.starts_with(wanted.as_str()));
        if distinct.iter().all(has) && !visit(record) {
            break;
        }
    }
    Ok(())
}

/// Takes a record out of the index, with every word that it ever had.
pub(super) fn forget(connection: &Connection, record: i64) -> Result<(), HubError> {
    connection.execute("DELETE FROM hub_word WHERE record = ?1", [record])?;
    Ok(())
}
