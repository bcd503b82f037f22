//! Pairs: writing them.

use super::Why;
use super::codec::{decode_keys, encode_agreed, encode_keys, encode_seen};
use super::progress::side_number;
use crate::record::Timestamp;
use crate::sync::{Half, Key, MappingId, Pair, PairId, Side};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, ToSql, ffi, params};

/// Written every time.
const BODY: [&str; 19] = [
    "status",
    "reason",
    "attempts",
    "due",
    "dirty",
    "context",
    "left_alone",
    "right_alone",
    "left_filtered",
    "right_filtered",
    "left_deleted",
    "right_deleted",
    "left_changed",
    "right_changed",
    "left_version",
    "right_version",
    "agreed",
    "left_seen",
    "right_seen",
];
// Written only where they differ: SQLite rewrites the entries of every index that a named column is part of, changed or not.
const READ: [&str; 2] = ["left_read", "right_read"];
const PLACE: [&str; 3] = ["mapping", "left_id", "right_id"];
const KEYS: [&str; 2] = ["left_keys", "right_keys"];

/// What differs from the stored row.
#[derive(Debug, Clone, Copy, Default)]
struct Differs {
    read: bool,
    place: bool,
    keys: bool,
}

impl Differs {
    const NEW: Differs = Differs { read: true, place: true, keys: true };

    fn index(self) -> usize {
        usize::from(self.read) | usize::from(self.place) << 1 | usize::from(self.keys) << 2
    }

    fn columns(self) -> Vec<&'static str> {
        let mut columns = BODY.to_vec();
        if self.read {
            columns.extend(READ);
        }
        if self.place {
            columns.extend(PLACE);
        }
        if self.keys {
            columns.extend(KEYS);
        }
        columns
    }
}

/// What is known of the stored row of a pair before it is written.
struct Before {
    mapping: MappingId,
    differs: Differs,
}

/// Writes pairs; new ones get their numbers. Records may change hands between the pairs of one call.
pub(super) fn save(connection: &Connection, pairs: &mut [Pair]) -> Result<(), Why> {
    let before = compare(connection, pairs)?;
    number(connection, pairs, &before)?;
    let mut insert = None;
    let mut updates: [Option<CachedStatement<'_>>; 8] = [const { None }; 8];
    let mut keys = Keys::new(connection)?;
    for (pair, before) in pairs.iter().zip(before) {
        let texts = keys.replace(pair, before.as_ref().map(|row| row.mapping))?;
        let (differs, statement) = match before {
            None => (Differs::NEW, prepared(&mut insert, connection, insert_sql)?),
            Some(Before { mut differs, .. }) => {
                differs.keys = texts.is_some();
                (differs, prepared(&mut updates[differs.index()], connection, || update_sql(differs))?)
            }
        };
        let rows = write(statement, pair, differs, texts).map_err(|error| explain(connection, pair, error))?;
        if rows != 1 {
            return Err(Why::from(format!("pair {} is not there", pair.id)));
        }
    }
    Ok(())
}

fn prepared<'s, 'c>(
    statement: &'s mut Option<CachedStatement<'c>>,
    connection: &'c Connection,
    sql: impl FnOnce() -> String,
) -> Result<&'s mut CachedStatement<'c>, Why> {
    match statement {
        Some(statement) => Ok(statement),
        None => Ok(statement.insert(connection.prepare_cached(&sql())?)),
    }
}

fn insert_sql() -> String {
    let columns = Differs::NEW.columns();
    format!("INSERT INTO pair ({}, id) VALUES ({}?)", columns.join(", "), "?, ".repeat(columns.len()))
}

fn update_sql(differs: Differs) -> String {
    format!("UPDATE pair SET {} = ? WHERE id = ?", differs.columns().join(" = ?, "))
}

/// How pairs differ from what is stored. Records that a pair loses are taken from it at once, so that another may get them.
fn compare(connection: &Connection, pairs: &[Pair]) -> Result<Vec<Option<Before>>, Why> {
    let mut load = connection.prepare_cached("SELECT mapping, left_id, right_id, left_read, right_read FROM pair WHERE id = ?1")?;
    let mut before = Vec::with_capacity(pairs.len());
    for pair in pairs {
        if pair.id == 0 {
            before.push(None);
            continue;
        }
        let mut rows = load.query([pair.id])?;
        let Some(row) = rows.next()? else { return Err(Why::from(format!("pair {} is not there", pair.id))) };
        let mapping = row.get(0)?;
        let mut row_differs = Differs { place: mapping != pair.mapping, ..Differs::default() };
        let mut lost = [row_differs.place; 2];
        for (n, half) in pair.halves.iter().enumerate() {
            let id = row.get_ref(1 + n)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            if id != half.id.as_deref() {
                row_differs.place = true;
                lost[n] |= id.is_some();
            }
            row_differs.read |= row.get::<_, Option<i64>>(3 + n)? != half.read;
        }
        drop(rows);
        for side in Side::BOTH {
            if lost[side.index()] {
                connection.prepare_cached(&format!("UPDATE pair SET {side}_id = NULL WHERE id = ?1"))?.execute([pair.id])?;
            }
        }
        before.push(Some(Before { mapping, differs: row_differs }));
    }
    Ok(before)
}

/// Gives new pairs their numbers, which no other pair ever gets: history names them.
fn number(connection: &Connection, pairs: &mut [Pair], before: &[Option<Before>]) -> Result<(), Why> {
    let new = before.iter().filter(|before| before.is_none()).count();
    if new == 0 {
        return Ok(());
    }
    let mut last: PairId = connection
        .prepare_cached("UPDATE pair_number SET last = last + ?1 RETURNING last - ?1")?
        .query_row([i64::try_from(new).unwrap_or(i64::MAX)], |row| row.get(0))?;
    for (pair, _) in pairs.iter_mut().zip(before).filter(|(_, before)| before.is_none()) {
        last += 1;
        pair.id = last;
    }
    Ok(())
}

fn write(statement: &mut CachedStatement<'_>, pair: &Pair, differs: Differs, keys: Option<[Option<String>; 2]>) -> Result<usize, Why> {
    let [left, right] = &pair.halves;
    let mut place = 0;
    let mut bind = |value: &dyn ToSql| {
        place += 1;
        statement.raw_bind_parameter(place, value)
    };
    let micros = |moment: Option<Timestamp>| moment.map(Timestamp::micros);
    let seen = |half: &Half| encode_seen(&half.seen, half.changed);
    bind(&pair.status.word())?;
    bind(&pair.reason)?;
    bind(&pair.attempts)?;
    bind(&micros(pair.due))?;
    bind(&pair.dirty)?;
    bind(&pair.context)?;
    bind(&left.alone)?;
    bind(&right.alone)?;
    bind(&left.filtered)?;
    bind(&right.filtered)?;
    bind(&micros(left.deleted))?;
    bind(&micros(right.deleted))?;
    bind(&micros(left.changed))?;
    bind(&micros(right.changed))?;
    bind(&left.version)?;
    bind(&right.version)?;
    bind(&encode_agreed(&pair.agreed)?)?;
    bind(&seen(left)?)?;
    bind(&seen(right)?)?;
    if differs.read {
        bind(&left.read)?;
        bind(&right.read)?;
    }
    if differs.place {
        bind(&pair.mapping)?;
        bind(&left.id)?;
        bind(&right.id)?;
    }
    if differs.keys {
        let [left, right] = keys.unwrap_or_default();
        bind(&left)?;
        bind(&right)?;
    }
    bind(&pair.id)?;
    Ok(statement.raw_execute()?)
}

/// What pairs are recognised by. The row of the pair holds a copy, which says what to take out.
struct Keys<'c> {
    connection: &'c Connection,
    load: CachedStatement<'c>,
    put: CachedStatement<'c>,
    remove: CachedStatement<'c>,
}

impl<'c> Keys<'c> {
    fn new(connection: &'c Connection) -> Result<Self, Why> {
        Ok(Self {
            connection,
            load: connection.prepare_cached("SELECT left_keys, right_keys FROM pair WHERE id = ?1")?,
            put: connection.prepare_cached(
                "INSERT INTO pair_key (mapping, side, rank, text, pair) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?,
            remove: connection
                .prepare_cached("DELETE FROM pair_key WHERE mapping = ?1 AND side = ?2 AND rank = ?3 AND text = ?4 AND pair = ?5")?,
        })
    }

    /// The keys that a stored pair has.
    fn stored(&mut self, pair: PairId) -> Result<[Vec<Key>; 2], Why> {
        let texts: Option<[Option<String>; 2]> = self.load.query_row([pair], |row| Ok([row.get(0)?, row.get(1)?])).optional()?;
        let [left, right] = texts.unwrap_or_default();
        Ok([decode_keys(left.as_deref())?, decode_keys(right.as_deref())?])
    }

    /// Replaces the keys of the sides that have new ones. Gives what the row is to hold, where that changes.
    fn replace(&mut self, pair: &Pair, before: Option<MappingId>) -> Result<Option<[Option<String>; 2]>, Why> {
        let moved = before.is_some_and(|mapping| mapping != pair.mapping);
        if !moved && pair.keys.iter().all(Option::is_none) {
            return Ok(None);
        }
        let old = match before {
            Some(_) => self.stored(pair.id)?,
            None => Default::default(),
        };
        let mut changes = false;
        for side in Side::BOTH {
            let old = &old[side.index()];
            let new = pair.keys[side.index()].as_ref().unwrap_or(old);
            for key in old.iter().filter(|key| moved || !new.contains(key)) {
                self.remove.execute(params![before, side_number(side), key.rank, key.text, pair.id])?;
            }
            for key in new.iter().filter(|key| moved || !old.contains(key)) {
                self.put.execute(params![pair.mapping, side_number(side), key.rank, key.text, pair.id])?;
            }
            changes |= new != old;
        }
        if !changes {
            return Ok(None);
        }
        let text = |side: Side| encode_keys(pair.keys[side.index()].as_ref().unwrap_or(&old[side.index()]));
        Ok(Some([text(Side::Left)?, text(Side::Right)?]))
    }

    /// Takes the keys of a pair out.
    fn remove_all(&mut self, pair: PairId) -> Result<(), Why> {
        let mapping: Option<MappingId> =
            self.connection.prepare_cached("SELECT mapping FROM pair WHERE id = ?1")?.query_row([pair], |row| row.get(0)).optional()?;
        for (side, keys) in Side::BOTH.into_iter().zip(self.stored(pair)?) {
            for key in keys {
                self.remove.execute(params![mapping, side_number(side), key.rank, key.text, pair])?;
            }
        }
        Ok(())
    }
}

/// Removes pairs. Their history stays; what was planned for them is dropped and their conflicts are closed, for nothing can come of
/// them any more.
pub(super) fn remove(connection: &Connection, ids: &[PairId]) -> Result<(), Why> {
    let mut keys = Keys::new(connection)?;
    let mut drop_plans = connection.prepare_cached(
        "UPDATE change SET status = 'dropped', reason = 'its pair was joined into another one'
         WHERE pair = ?1 AND status IN ('planned', 'withheld')",
    )?;
    let mut close = connection.prepare_cached("UPDATE conflict SET closed = last WHERE pair = ?1 AND closed IS NULL")?;
    let mut delete = connection.prepare_cached("DELETE FROM pair WHERE id = ?1")?;
    for &id in ids {
        keys.remove_all(id)?;
        drop_plans.execute([id])?;
        close.execute([id])?;
        delete.execute([id])?;
    }
    Ok(())
}

/// Says in words what a constraint refused.
fn explain(connection: &Connection, pair: &Pair, why: Why) -> Why {
    let Some(ffi::Error { code: ErrorCode::ConstraintViolation, .. }) = why.sqlite else { return why };
    for side in Side::BOTH {
        let Some(id) = &pair.half(side).id else { continue };
        if id.is_empty() {
            return Why::from(format!("pair {}: the id of its {side} record is empty", pair.id));
        }
        let holder: Result<Option<PairId>, _> = connection
            .query_row(
                &format!("SELECT id FROM pair WHERE mapping = ?1 AND {side}_id = ?2 AND id <> ?3"),
                params![pair.mapping, id, pair.id],
                |row| row.get(0),
            )
            .optional();
        if let Ok(Some(holder)) = holder {
            return Why::from(format!("pair {}: pair {holder} already has the {side} record '{id}'", pair.id));
        }
    }
    why
}
