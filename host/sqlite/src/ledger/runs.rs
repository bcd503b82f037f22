//! Rows of the table `run`: what a run was asked to do, and its counts.

use super::codec::{decode, encode};
use crate::store::StoreError;
use entente_core::Timestamp;
use entente_sync::{Message, Run, RunId, RunKind, RunStatus, Scope};
use rusqlite::{Connection, Row, ToSql, params};

const COLUMNS: &str = "id, sync, relation, options, started, ended, status, error, counts, notices, remedies";

/// Assigns a run its number. Runs of the relation that are still marked as running were ended by a crash,
/// since a relation has one writer at a time.
pub(super) fn start(connection: &Connection, run: Run) -> Result<Run, StoreError> {
    connection
        .prepare_cached("UPDATE run SET status = 'interrupted' WHERE relation = ?1 AND status = 'running'")?
        .execute([&run.relation])?;
    insert(connection, run)
}

/// Assigns a run its number.
pub(crate) fn insert(connection: &Connection, mut run: Run) -> Result<Run, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO run (sync, relation, options, started, ended, status, error, counts, remedies)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            run.sync,
            run.relation,
            encode("options of a run", &run.options)?,
            run.started.micros(),
            run.ended.map(Timestamp::micros),
            run.status.word(),
            run.error.as_ref().map(|error| &error.text),
            encode("counts of a run", &run.counts)?,
            remedies(&run)?,
        ])?;
    run.id = connection.last_insert_rowid();
    Ok(run)
}

/// Stores the columns that change during a run. False if there is no such run.
pub(crate) fn save(connection: &Connection, run: &Run) -> Result<bool, StoreError> {
    let rows = connection
        .prepare_cached(
            "UPDATE run SET ended = ?2, status = ?3, error = ?4, counts = ?5, notices = ?6, remedies = ?7 WHERE id = ?1",
        )?
        .execute(params![
            run.id,
            run.ended.map(Timestamp::micros),
            run.status.word(),
            run.error.as_ref().map(|error| &error.text),
            encode("counts of a run", &run.counts)?,
            encode("notices of a run", &run.notices)?,
            remedies(run)?,
        ])?;
    Ok(rows == 1)
}

/// The column of a run's remedies; `NULL` where there are none.
fn remedies(run: &Run) -> Result<Option<String>, StoreError> {
    let remedies = run.error.as_ref().map(|error| &error.remedies).filter(|remedies| !remedies.is_empty());
    remedies.map(|remedies| encode("remedies of a run", remedies)).transpose()
}

fn error(row: &Row<'_>) -> Result<Option<Message>, StoreError> {
    let Some(text) = row.get::<_, Option<String>>(7)? else { return Ok(None) };
    let remedies = match row.get_ref(10)?.as_str_or_null().map_err(rusqlite::Error::from)? {
        Some(remedies) => decode("remedies of a run", remedies)?,
        None => Vec::new(),
    };
    Ok(Some(Message { text, remedies }))
}

fn from_row(row: &Row<'_>) -> Result<Run, StoreError> {
    let status: String = row.get(6)?;
    Ok(Run {
        id: row.get(0)?,
        sync: row.get(1)?,
        relation: row.get(2)?,
        options: decode("options of a run", row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)?,
        started: Timestamp::from_micros(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
        status: RunStatus::from_word(&status).ok_or_else(|| StoreError::Corrupt {
            what: "status of a run".to_owned(),
            why: format!("'{status}' is none"),
        })?,
        error: error(row)?,
        counts: decode("counts of a run", row.get_ref(8)?.as_str().map_err(rusqlite::Error::from)?)?,
        notices: decode("notices of a run", row.get_ref(9)?.as_str().map_err(rusqlite::Error::from)?)?,
    })
}

/// Reads runs by `SELECT … FROM run` followed by `rest`.
fn select(connection: &Connection, rest: &str, params: &[&dyn ToSql]) -> Result<Vec<Run>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run {rest}"))?;
    let mut rows = statement.query(params)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(from_row(row)?);
    }
    Ok(runs)
}

/// A page of runs, newest first, below this number.
pub(super) fn page(
    connection: &Connection,
    sync: Option<&str>,
    before: RunId,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    select(connection, page_sql(sync.is_some()), &[&sync, &before, &limit])
}

/// The SQL of a page of runs.
pub(super) const fn page_sql(of_sync: bool) -> &'static str {
    if of_sync {
        "INDEXED BY run_sync WHERE sync = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    } else {
        "WHERE ?1 IS NULL AND id < ?2 ORDER BY id DESC LIMIT ?3"
    }
}

/// The next run of a sync after this one.
pub(super) fn after(connection: &Connection, sync: &str, run: RunId) -> Result<Option<Run>, StoreError> {
    const REST: &str = "INDEXED BY run_sync WHERE sync = ?1 AND id > ?2 ORDER BY id LIMIT 1";
    Ok(select(connection, REST, &[&sync, &run])?.pop())
}

/// The newest run of a sync that read everything or what has changed, and ended well. Runs of a window or of single records, and
/// those that follow from an earlier one, say nothing about the rest.
pub(super) fn last_good(connection: &Connection, sync: &str) -> Result<Option<Run>, StoreError> {
    let mut before = RunId::MAX;
    loop {
        let runs = page(connection, Some(sync), before, 50)?;
        let Some(last) = runs.last() else { return Ok(None) };
        before = last.id;
        let whole = |run: &Run| matches!(run.options.kind, RunKind::Sync { scope: Scope::Whole { .. }, .. });
        if let Some(run) = runs.into_iter().find(|run| run.status == RunStatus::Done && whole(run)) {
            return Ok(Some(run));
        }
    }
}

/// The number of runs.
pub(super) fn count(connection: &Connection, sync: Option<&str>) -> Result<u64, StoreError> {
    let of_sync = if sync.is_some() { "WHERE sync = ?1" } else { "WHERE ?1 IS NULL" };
    let runs: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM run {of_sync}"))?
        .query_row([sync], |row| row.get(0))?;
    Ok(runs.unsigned_abs())
}

/// The run of this number.
pub(crate) fn by_id(connection: &Connection, id: RunId) -> Result<Option<Run>, StoreError> {
    Ok(select(connection, "WHERE id = ?1", &[&id])?.pop())
}
