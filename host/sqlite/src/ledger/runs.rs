//! Runs, with what they were asked and what they counted.

use super::codec::{decode, encode};
use crate::store::StoreError;
use entente_core::Timestamp;
use entente_sync::{Message, Run, RunId, RunStatus};
use rusqlite::{Connection, Row, params};

const COLUMNS: &str = "id, sync, relation, options, started, ended, status, error, counts, notices, remedies";

/// Gives a run its number. Runs of the relation that are still running were left by a crash: one writer at a
/// time.
pub(super) fn start(connection: &Connection, mut run: Run) -> Result<Run, StoreError> {
    connection
        .prepare_cached("UPDATE run SET status = 'interrupted' WHERE relation = ?1 AND status = 'running'")?
        .execute([&run.relation])?;
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

/// Writes what may have changed since the run began. False where there is no such run.
pub(super) fn save(connection: &Connection, run: &Run) -> Result<bool, StoreError> {
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

/// What can be done about the error of a run; nothing is stored of none.
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

/// The latest runs, newest first.
pub(super) fn latest(
    connection: &Connection,
    sync: Option<&str>,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    let of_sync = if sync.is_some() { "WHERE sync = ?1" } else { "WHERE ?1 IS NULL" };
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM run {of_sync} ORDER BY id DESC LIMIT ?2"))?;
    let mut rows = statement.query(params![sync, limit])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(from_row(row)?);
    }
    Ok(runs)
}

/// The run of this number.
pub(super) fn by_id(connection: &Connection, id: RunId) -> Result<Option<Run>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(from_row).transpose()
}
