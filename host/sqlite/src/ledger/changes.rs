//! Rows of the table `change`: the plan of a run, and its history once it has been executed.

use super::WriteError;
use super::codec::{decode_fields, decode_reason, encode_fields, reason_columns};
use super::progress::side_number;
use crate::store::StoreError;
use entente_core::Timestamp;
use entente_sync::{
    Action, Change, ChangeCount, ChangeFilter, ChangeStatus, Code, Deed, MappingId, PairId, RunId, Side,
};
use rusqlite::{Connection, Row, ToSql, params};

const COLUMNS: &str = "id, key, run, mapping, pair, target, action, record, fields, status, reason, ticket, sent, settled, reason_data";

const fn action_of(action: &Action) -> &'static str {
    deed_word(action.deed())
}

/// Whether the partial index `change_open` covers this status; the index definition names the same statuses.
const fn is_open(status: ChangeStatus) -> bool {
    match status {
        ChangeStatus::Planned
        | ChangeStatus::Withheld
        | ChangeStatus::Sent
        | ChangeStatus::Deferred
        | ChangeStatus::Retry => true,
        ChangeStatus::Done | ChangeStatus::Dropped | ChangeStatus::Failed | ChangeStatus::Rehearsed => false,
    }
}

fn from_row(row: &Row<'_>) -> Result<Change, StoreError> {
    let moment = |column: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
    };
    let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
    let target = side_of(row.get(5)?)?;
    let (action, record): (String, Option<String>) = (row.get(6)?, row.get(7)?);
    let (action, made) = match (action.as_str(), record) {
        ("create", made) => (Action::Create, made),
        ("update", Some(id)) => (Action::Update(id), None),
        ("delete", Some(id)) => (Action::Delete(id), None),
        (other, _) => return Err(corrupt("action", format!("'{other}' is none, or has no record"))),
    };
    let status: String = row.get(9)?;
    Ok(Change {
        id: row.get(0)?,
        key: row.get(1)?,
        run: row.get(2)?,
        mapping: row.get(3)?,
        pair: row.get(4)?,
        target,
        action,
        made,
        fields: decode_fields(row.get_ref(8)?.as_str().map_err(rusqlite::Error::from)?)?,
        status: status_of(&status)?,
        reason: decode_reason(text(10)?, text(14)?)?,
        ticket: row.get(11)?,
        sent: moment(12)?,
        settled: moment(13)?,
    })
}

/// Reads changes by `SELECT … FROM change` followed by `rest`.
pub(super) fn select(
    connection: &Connection,
    rest: &str,
    params: &[&dyn ToSql],
) -> Result<Vec<Change>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM change {rest}"))?;
    let mut rows = statement.query(params)?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(from_row(row)?);
    }
    Ok(changes)
}

/// Changes of a run for one mapping and target side that have this status.
pub(super) fn of_run(
    connection: &Connection,
    run: RunId,
    mapping: MappingId,
    target: Side,
    status: ChangeStatus,
    after: i64,
    limit: i64,
) -> Result<Vec<Change>, StoreError> {
    // The status is a literal in the statement: SQLite uses a partial index only where the statement's text
    // implies its condition, not for a bound parameter.
    let index = if is_open(status) { "change_open" } else { "change_run" };
    let rest = format!(
        "INDEXED BY {index} WHERE run = ?1 AND mapping = ?2 AND target = ?3 AND status = '{}' AND id > ?4 ORDER BY id LIMIT ?5",
        status.word()
    );
    select(connection, &rest, &[&run, &mapping, &side_number(target), &after, &limit])
}

/// The conditions of a filter, whose values are parameters 2 to 7.
const FILTER: &str = "run = ?1 AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR action = ?4)
     AND (?5 IS NULL OR (action = 'delete') = ?5) AND (?6 IS NULL OR mapping IN (SELECT value FROM json_each(?6)))
     AND (?7 IS NULL OR pair IN (SELECT value FROM json_each(?7)))";

/// The values of a filter.
fn filter_values(run: RunId, filter: &ChangeFilter) -> [Box<dyn ToSql>; 7] {
    let numbers =
        |numbers: &Option<Vec<i64>>| numbers.as_ref().map(|numbers| serde_json::json!(numbers).to_string());
    [
        Box::new(run),
        Box::new(filter.target.map(side_number)),
        Box::new(filter.status.map(ChangeStatus::word)),
        Box::new(filter.deed.map(deed_word)),
        Box::new(filter.deletes),
        Box::new(numbers(&filter.mappings)),
        Box::new(numbers(&filter.pairs)),
    ]
}

/// The SQL of a page of the changes of a run that a filter matches.
pub(super) fn filtered_sql() -> String {
    format!("INDEXED BY change_run WHERE {FILTER} AND id > ?8 ORDER BY id LIMIT ?9")
}

/// Changes of a run that a filter matches.
pub(super) fn filtered(
    connection: &Connection,
    run: RunId,
    filter: &ChangeFilter,
    after: i64,
    limit: i64,
) -> Result<Vec<Change>, StoreError> {
    let rest = filtered_sql();
    let values = filter_values(run, filter);
    let mut values: Vec<&dyn ToSql> = values.iter().map(|value| &**value as &dyn ToSql).collect();
    values.extend([&after as &dyn ToSql, &limit]);
    select(connection, &rest, &values)
}

/// The number of changes of a run that a filter matches, by side, deed and status.
pub(super) fn count(
    connection: &Connection,
    run: RunId,
    filter: &ChangeFilter,
) -> Result<Vec<ChangeCount>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT target, action, status, count(*) FROM change INDEXED BY change_run WHERE {FILTER} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ))?;
    let values = filter_values(run, filter);
    let mut rows =
        statement.query(rusqlite::params_from_iter(values.iter().map(|value| &**value as &dyn ToSql)))?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let (deed, status): (String, String) = (row.get(1)?, row.get(2)?);
        counts.push(ChangeCount {
            target: side_of(row.get(0)?)?,
            deed: deed_of(&deed)?,
            status: status_of(&status)?,
            changes: row.get::<_, i64>(3)?.unsigned_abs(),
        });
    }
    Ok(counts)
}

const fn deed_word(deed: Deed) -> &'static str {
    match deed {
        Deed::Create => "create",
        Deed::Update => "update",
        Deed::Delete => "delete",
    }
}

fn deed_of(word: &str) -> Result<Deed, StoreError> {
    let deed = [Deed::Create, Deed::Update, Deed::Delete].into_iter().find(|deed| deed_word(*deed) == word);
    deed.ok_or_else(|| corrupt("action", format!("'{word}' is none")))
}

fn side_of(number: i64) -> Result<Side, StoreError> {
    match number {
        0 => Ok(Side::Left),
        1 => Ok(Side::Right),
        other => Err(corrupt("side", format!("{other} is none"))),
    }
}

fn corrupt(what: &str, why: String) -> StoreError {
    StoreError::Corrupt { what: format!("{what} of a change"), why }
}

fn status_of(word: &str) -> Result<ChangeStatus, StoreError> {
    ChangeStatus::from_word(word).ok_or_else(|| StoreError::Corrupt {
        what: "status of a change".to_owned(),
        why: format!("'{word}' is none"),
    })
}

/// The number of planned changes of a run for one mapping and target side.
pub(super) fn count_planned(
    connection: &Connection,
    run: RunId,
    mapping: MappingId,
    target: Side,
) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM change INDEXED BY change_open WHERE run = ?1 AND mapping = ?2 AND target = ?3 AND status = 'planned'";
    let rows: i64 = connection
        .prepare_cached(sql)?
        .query_row(params![run, mapping, side_number(target)], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

/// Changes of these mappings in one status, over all runs.
pub(super) fn open(
    connection: &Connection,
    mappings: &[MappingId],
    status: ChangeStatus,
    after: i64,
    limit: i64,
) -> Result<Vec<Change>, StoreError> {
    let index = if is_open(status) { "INDEXED BY change_open" } else { "" };
    // Two steps: first the numbers per mapping and side in ascending order, then the rows of the first of
    // them.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id FROM change {index} WHERE mapping = ?1 AND target = ?2 AND status = '{}' AND id > ?3 ORDER BY id LIMIT ?4",
        status.word()
    ))?;
    let mut mappings = mappings.to_vec();
    mappings.sort_unstable();
    mappings.dedup();
    let mut ids: Vec<i64> = Vec::new();
    for mapping in mappings {
        for side in Side::BOTH {
            let mut rows = statement.query(params![mapping, side_number(side), after, limit])?;
            while let Some(row) = rows.next()? {
                ids.push(row.get(0)?);
            }
        }
    }
    ids.sort_unstable();
    ids.truncate(usize::try_from(limit).unwrap_or(0));
    let mut load = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM change WHERE id = ?1"))?;
    let mut changes = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(row) = load.query([id])?.next()? {
            changes.push(from_row(row)?);
        }
    }
    Ok(changes)
}

/// Inserts or updates changes; new ones get their numbers.
pub(super) fn save(connection: &Connection, changes: &mut [Change]) -> Result<(), WriteError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO change (key, action, record, fields, status, reason, ticket, sent, settled, run, mapping, pair, target, blanks, reason_data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    // The columns that change rarely (pair, mapping, run) are not in the UPDATE: naming them would rewrite
    // their entries in every index.
    let mut update = connection.prepare_cached(
        "UPDATE change SET key = ?1, action = ?2, record = ?3, fields = ?4, status = ?5, reason = ?6, ticket = ?7, sent = ?8, settled = ?9, reason_data = ?10
         WHERE id = ?11",
    )?;
    let mut belongs = connection.prepare_cached(
        "SELECT 1 FROM change WHERE id = ?1 AND run = ?2 AND mapping = ?3 AND pair = ?4 AND target = ?5",
    )?;
    for change in changes {
        let (action, record) = (action_of(&change.action), change.record());
        let fields = encode_fields(&change.fields)?;
        let (reason, data) = reason_columns(change.reason.as_ref())?;
        let (status, target) = (change.status.word(), side_number(change.target));
        let (sent, settled) = (change.sent.map(Timestamp::micros), change.settled.map(Timestamp::micros));
        if change.id == 0 {
            insert.execute(params![
                change.key,
                action,
                record,
                fields,
                status,
                reason,
                change.ticket,
                sent,
                settled,
                change.run,
                change.mapping,
                change.pair,
                target,
                change.blanks(),
                data
            ])?;
            change.id = connection.last_insert_rowid();
            continue;
        }
        let rows = update.execute(params![
            change.key,
            action,
            record,
            fields,
            status,
            reason,
            change.ticket,
            sent,
            settled,
            data,
            change.id
        ])?;
        if rows != 1 {
            return Err(WriteError::from(format!("there is no change {}", change.id)));
        }
        if !belongs.exists(params![change.id, change.run, change.mapping, change.pair, target])? {
            connection
                .prepare_cached(
                    "UPDATE change SET run = ?2, mapping = ?3, pair = ?4, target = ?5 WHERE id = ?1",
                )?
                .execute(params![change.id, change.run, change.mapping, change.pair, target])?;
        }
    }
    Ok(())
}

/// Drops the planned and withheld changes of pairs.
pub(super) fn drop_plans(connection: &Connection, pairs: &[PairId], at: Timestamp) -> Result<(), WriteError> {
    // Fast path: an empty partial index proves that no pair has an open change. The index's condition is
    // repeated literally, or SQLite would not use it.
    let any = "SELECT EXISTS (SELECT 1 FROM change INDEXED BY change_open
        WHERE status = 'planned' OR status = 'withheld' OR status = 'sent' OR status = 'deferred' OR status = 'retry')";
    if !connection.prepare_cached(any)?.query_row([], |row| row.get(0))? {
        return Ok(());
    }
    // A create that may have been executed stays to be retried until the same create is answered.
    let mut statement = connection.prepare_cached(
        "UPDATE change SET status = 'dropped', reason = ?3, reason_data = NULL, settled = ?2
         WHERE pair = ?1 AND (status IN ('planned', 'withheld') OR status = 'retry' AND (
            action <> 'create' OR sent IS NULL OR EXISTS (
                SELECT 1 FROM change AS answer INDEXED BY change_pair
                WHERE answer.pair = ?1 AND answer.key = change.key AND answer.status IN ('done', 'failed'))))",
    )?;
    for pair in pairs {
        statement.execute(params![pair, at.micros(), Code::Overtaken.word()])?;
    }
    Ok(())
}

/// Changes of a run for these pairs.
pub(super) fn of_pairs(
    connection: &Connection,
    run: RunId,
    pairs: &[PairId],
) -> Result<Vec<Change>, StoreError> {
    let mut found = Vec::new();
    for pair in pairs {
        found.extend(select(
            connection,
            "INDEXED BY change_pair WHERE pair = ?1 AND run = ?2 ORDER BY id",
            &[pair, &run],
        )?);
    }
    Ok(found)
}

/// Changes that were sent and whose outcome is unknown: updates until they are decided again, creates until
/// an answer to their idempotency key arrives.
pub(super) fn unanswered(connection: &Connection, pairs: &[PairId]) -> Result<Vec<Change>, StoreError> {
    const REST: &str = "INDEXED BY change_pair WHERE pair = ?1 AND sent IS NOT NULL AND (
            status = 'retry' AND action = 'update' OR status IN ('sent', 'retry', 'dropped') AND action = 'create' AND NOT EXISTS (
                SELECT 1 FROM change AS answer INDEXED BY change_pair
                WHERE answer.pair = ?1 AND answer.key = change.key AND answer.status IN ('done', 'failed')))
        ORDER BY id";
    of_each(connection, REST, pairs)
}

/// Deletes that were sent and whose outcome is unknown, also those that a later decision has overtaken.
pub(super) fn unanswered_deletes(
    connection: &Connection,
    pairs: &[PairId],
) -> Result<Vec<Change>, StoreError> {
    const REST: &str = "INDEXED BY change_pair WHERE pair = ?1 AND sent IS NOT NULL AND action = 'delete'
            AND status IN ('sent', 'retry', 'dropped')
        ORDER BY id";
    of_each(connection, REST, pairs)
}

fn of_each(connection: &Connection, rest: &'static str, pairs: &[PairId]) -> Result<Vec<Change>, StoreError> {
    let mut found = Vec::new();
    for pair in pairs {
        found.extend(select(connection, rest, &[pair])?);
    }
    Ok(found)
}
