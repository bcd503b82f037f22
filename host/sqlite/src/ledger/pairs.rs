//! Reading pairs: by number, record, key and status.

use super::codec::{decode, decode_agreed, decode_reason, decode_seen};
use super::progress::side_number;
use crate::store::StoreError;
use entente_core::Timestamp;
use entente_sync::{Code, Half, MappingId, MatchKey, Pair, PairId, RunId, Side, Sides, Status, TodoFilter};
use rusqlite::{Connection, Row, ToSql, params};

/// The columns that [`from_row`] reads, in its order.
pub(super) const COLUMNS: &str = "id, mapping, left_id, right_id, status, reason, attempts, dirty, context, left_read, right_read, \
     left_alone, right_alone, left_filtered, right_filtered, left_deleted, right_deleted, left_changed, right_changed, \
     left_version, right_version, agreed, left_seen, right_seen, due, reason_data, differing";

/// Parses the column `status`.
pub(super) fn status_of(word: &str) -> Result<Status, StoreError> {
    Status::from_word(word).ok_or_else(|| StoreError::Corrupt {
        what: "status of a pair".to_owned(),
        why: format!("'{word}' is none"),
    })
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>, StoreError> {
    row.get_ref(column)?.as_str_or_null().map_err(|error| rusqlite::Error::from(error).into())
}

fn moment(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

/// The bits of `left_filtered` and `right_filtered`: by the filter, and by the word of an operator.
const FILTERED: i64 = 1;
const LEFT_OUT: i64 = 2;

/// Why the record of a half takes no part, as it is stored.
pub(super) fn out_of(half: &Half) -> i64 {
    i64::from(half.filtered) * FILTERED + i64::from(half.left_out) * LEFT_OUT
}

fn half(row: &Row<'_>, side: Side) -> Result<Half, StoreError> {
    let of = |left: usize| if side == Side::Left { left } else { left + 1 };
    let changed = moment(row, of(17))?;
    let out: i64 = row.get(of(13))?;
    Ok(Half {
        id: row.get(of(2))?,
        read: row.get(of(9))?,
        no_match_in: row.get(of(11))?,
        filtered: out & FILTERED != 0,
        left_out: out & LEFT_OUT != 0,
        deleted: moment(row, of(15))?,
        changed,
        version: row.get(of(19))?,
        seen: decode_seen(text(row, of(22))?, changed)?,
    })
}

/// A pair from a row of [`COLUMNS`].
pub(super) fn from_row(row: &Row<'_>) -> Result<Pair, StoreError> {
    Ok(Pair {
        id: row.get(0)?,
        mapping: row.get(1)?,
        halves: Sides::new(half(row, Side::Left)?, half(row, Side::Right)?),
        keys: Sides::new(None, None),
        agreed: decode_agreed(text(row, 21)?)?,
        differing: text(row, 26)?.map_or(Ok(Vec::new()), |text| decode("fields that differ", text))?,
        status: status_of(text(row, 4)?.unwrap_or_default())?,
        reason: decode_reason(text(row, 5)?, text(row, 25)?)?,
        attempts: row.get(6)?,
        due: moment(row, 24)?,
        dirty: row.get(7)?,
        context: row.get(8)?,
    })
}

fn collect(connection: &Connection, sql: &str, params: &[&dyn ToSql]) -> Result<Vec<Pair>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut pairs = Vec::new();
    while let Some(row) = rows.next()? {
        pairs.push(from_row(row)?);
    }
    Ok(pairs)
}

/// Pairs by number, each by a prepared look-up: in process that costs no more than one statement for all.
pub(super) fn by_ids(connection: &Connection, ids: &[PairId]) -> Result<Vec<Pair>, StoreError> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM pair WHERE id = ?1"))?;
    let mut pairs = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(row) = statement.query([id])?.next()? {
            pairs.push(from_row(row)?);
        }
    }
    Ok(pairs)
}

/// Pairs by the ids of their records on a side.
pub(super) fn by_records(
    connection: &Connection,
    mapping: MappingId,
    side: Side,
    ids: &[String],
) -> Result<Vec<Pair>, StoreError> {
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM pair WHERE mapping = ?1 AND {side}_id = ?2"))?;
    let mut pairs = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(row) = statement.query(params![mapping, id])?.next()? {
            pairs.push(from_row(row)?);
        }
    }
    Ok(pairs)
}

/// The pairs that have these keys on a side.
pub(super) fn by_keys(
    connection: &Connection,
    mapping: MappingId,
    side: Side,
    keys: &[MatchKey],
) -> Result<Vec<(MatchKey, PairId)>, StoreError> {
    let mut keys: Vec<&MatchKey> = keys.iter().collect();
    keys.sort_unstable();
    keys.dedup();
    let mut statement = connection
        .prepare_cached("SELECT pair FROM pair_key WHERE mapping = ?1 AND side = ?2 AND rank = ?3 AND text = ?4 ORDER BY pair")?;
    let mut found = Vec::new();
    for key in keys {
        let mut rows = statement.query(params![mapping, side_number(side), key.rank, key.text])?;
        while let Some(row) = rows.next()? {
            found.push((key.clone(), row.get(0)?));
        }
    }
    Ok(found)
}

/// Pairs with status `todo`. With `INDEXED BY`, an index that does not serve is an error, not a slow scan.
pub(super) fn todo(
    connection: &Connection,
    filter: &TodoFilter,
    after: PairId,
    limit: i64,
) -> Result<Vec<Pair>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM pair INDEXED BY pair_todo
         WHERE mapping = ?1 AND status = 'todo' AND id > ?2
           AND (?3 IS NULL OR left_read = ?3 OR right_read = ?3)
           AND (?4 IS NULL OR (left_read = ?4 AND right_read = ?4))
         ORDER BY id LIMIT ?5"
    );
    collect(connection, &sql, &[&filter.mapping, &after, &filter.read_in, &filter.read_on_both, &limit])
}

/// Pairs whose record on a side was last read before this run.
pub(super) fn not_read_since(
    connection: &Connection,
    mapping: MappingId,
    side: Side,
    run: RunId,
    after: PairId,
    limit: i64,
) -> Result<Vec<Pair>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM pair
         WHERE mapping = ?1 AND id > ?3 AND {side}_id IS NOT NULL AND {side}_deleted IS NULL AND coalesce({side}_read, 0) < ?2
         ORDER BY id LIMIT ?4"
    );
    collect(connection, &sql, &[&mapping, &run, &after, &limit])
}

/// Pairs with fields that differ on purpose.
pub(super) fn differing(
    connection: &Connection,
    mapping: MappingId,
    after: PairId,
    limit: i64,
) -> Result<Vec<Pair>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM pair INDEXED BY pair_differing
         WHERE mapping = ?1 AND id > ?2 AND status = 'ok' AND differing IS NOT NULL
         ORDER BY id LIMIT ?3"
    );
    collect(connection, &sql, &[&mapping, &after, &limit])
}

/// Held pairs whose reason has this code.
pub(super) fn held(
    connection: &Connection,
    mapping: MappingId,
    code: Code,
    after: PairId,
    limit: i64,
) -> Result<Vec<Pair>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM pair INDEXED BY pair_held
         WHERE mapping = ?1 AND status = 'held' AND id > ?3 AND reason = ?2 ORDER BY id LIMIT ?4"
    );
    collect(connection, &sql, &[&mapping, &code.word(), &after, &limit])
}

/// Number of held pairs with a reason of this code.
pub(super) fn count_held(connection: &Connection, mapping: MappingId, code: Code) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM pair INDEXED BY pair_held WHERE mapping = ?1 AND status = 'held' AND reason = ?2";
    let rows: i64 =
        connection.prepare_cached(sql)?.query_row(params![mapping, code.word()], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

/// Number of pairs with a record on both sides, or with one that has been deleted since.
pub(super) fn count_linked(connection: &Connection, mapping: MappingId) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM pair WHERE mapping = ?1 AND left_id IS NOT NULL AND right_id IS NOT NULL
               AND (left_deleted IS NULL OR right_deleted IS NULL)";
    let rows: i64 = connection.prepare_cached(sql)?.query_row([mapping], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}
