//! Writing pairs: inserts, partial updates, and the key index.

use super::WriteError;
use super::codec::{decode_keys, encode, encode_agreed, encode_keys, encode_seen, reason_columns};
use super::pairs::out_of;
use super::progress::side_number;
use crate::store::StoreFailure;
use entente_core::Timestamp;
use entente_sync::{Code, Half, MappingId, MatchKey, Pair, PairId, Side, Sides};
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params};

/// Columns that every update writes.
const BODY: [&str; 23] = [
    "status",
    "reason",
    "reason_data",
    "attempts",
    "due",
    "dirty",
    "context",
    "left_read",
    "right_read",
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
    "differing",
];
// Columns that an update names only if they differ: SQLite rewrites the entries of every index on a named
// column, even for an equal value.
const APART: [&str; 5] = ["mapping", "left_id", "right_id", "left_keys", "right_keys"];

/// Which columns of `APART` differ from the stored row.
#[derive(Debug, Clone, Copy, Default)]
struct Differs([bool; APART.len()]);

impl Differs {
    const NEW: Differs = Differs([true; APART.len()]);
    const MAPPING: usize = 0;
    const IDS: usize = 1;
    const KEYS: usize = 3;

    fn index(self) -> usize {
        self.0.iter().rev().fold(0, |index, &differs| index << 1 | usize::from(differs))
    }

    fn columns(self) -> Vec<&'static str> {
        let apart = APART.iter().zip(self.0).filter(|(_, differs)| *differs);
        BODY.iter().chain(apart.map(|(column, _)| column)).copied().collect()
    }
}

/// By side, the new text of the column of keys; the outer `None` means unchanged.
type KeyTexts = Sides<Option<Option<String>>>;

/// The stored row of a pair before it is updated.
struct Before {
    mapping: MappingId,
    differs: Differs,
    /// The stored keys, loaded where the pair has new ones or moves to another mapping.
    keys: Sides<Vec<MatchKey>>,
}

/// Inserts or updates pairs; new ones get their numbers. Within one call, a record may move from one pair to
/// another.
pub(super) fn save(connection: &Connection, pairs: &mut [Pair]) -> Result<(), WriteError> {
    let before = compare(connection, pairs)?;
    number(connection, pairs, &before)?;
    let mut insert = None;
    let mut updates: [Option<CachedStatement<'_>>; 1 << APART.len()] = [const { None }; 1 << APART.len()];
    let mut keys = Keys::new(connection)?;
    for (pair, before) in pairs.iter().zip(before) {
        let texts = keys.replace(pair, before.as_ref())?;
        let (differs, statement) = match before {
            None => (Differs::NEW, prepared(&mut insert, connection, insert_sql)?),
            Some(Before { mut differs, .. }) => {
                for (place, text) in texts.iter().enumerate() {
                    differs.0[Differs::KEYS + place] = text.is_some();
                }
                (differs, prepared(&mut updates[differs.index()], connection, || update_sql(differs))?)
            }
        };
        let rows =
            write(statement, pair, differs, &texts).map_err(|error| explain(connection, pair, error))?;
        if rows != 1 {
            return Err(WriteError::from(format!("there is no pair {}", pair.id)));
        }
    }
    Ok(())
}

fn prepared<'s, 'c>(
    statement: &'s mut Option<CachedStatement<'c>>,
    connection: &'c Connection,
    sql: impl FnOnce() -> String,
) -> Result<&'s mut CachedStatement<'c>, WriteError> {
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

/// Compares pairs with their stored rows. Ids that a pair gives up are set to NULL at once, so that the
/// unique index lets another pair of the same call take them.
fn compare(connection: &Connection, pairs: &[Pair]) -> Result<Vec<Option<Before>>, WriteError> {
    let mut load = connection
        .prepare_cached("SELECT mapping, left_id, right_id, left_keys, right_keys FROM pair WHERE id = ?1")?;
    let mut before = Vec::with_capacity(pairs.len());
    for pair in pairs {
        if pair.id == 0 {
            before.push(None);
            continue;
        }
        let mut rows = load.query([pair.id])?;
        let Some(row) = rows.next()? else {
            return Err(WriteError::from(format!("there is no pair {}", pair.id)));
        };
        let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
        let mapping = row.get(0)?;
        let mut differs = Differs::default();
        let moved = mapping != pair.mapping;
        differs.0[Differs::MAPPING] = moved;
        let mut lost = Sides::new(moved, moved);
        for (n, side) in Side::BOTH.into_iter().enumerate() {
            let half = pair.half(side);
            let id = text(1 + n)?;
            if id != half.id.as_deref() {
                differs.0[Differs::IDS + n] = true;
                lost[side] |= id.is_some();
            }
            // A pair that moved to another mapping was set to NULL above, so its ids are written again.
            differs.0[Differs::IDS + n] |= moved;
        }
        let keys = if moved || pair.keys.iter().any(Option::is_some) {
            Sides::new(decode_keys(text(3)?)?, decode_keys(text(4)?)?)
        } else {
            Default::default()
        };
        drop(rows);
        for side in Side::BOTH {
            if lost[side] {
                connection
                    .prepare_cached(&format!("UPDATE pair SET {side}_id = NULL WHERE id = ?1"))?
                    .execute([pair.id])?;
            }
        }
        before.push(Some(Before { mapping, differs, keys }));
    }
    Ok(before)
}

/// Assigns numbers to new pairs. Numbers are never reused, since the history names them.
fn number(connection: &Connection, pairs: &mut [Pair], before: &[Option<Before>]) -> Result<(), WriteError> {
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

fn write(
    statement: &mut CachedStatement<'_>,
    pair: &Pair,
    differs: Differs,
    keys: &KeyTexts,
) -> Result<usize, WriteError> {
    let Sides { left, right } = &pair.halves;
    let mut place = 0;
    let mut bind = |value: &dyn ToSql| {
        place += 1;
        statement.raw_bind_parameter(place, value)
    };
    let micros = |moment: Option<Timestamp>| moment.map(Timestamp::micros);
    let seen = |half: &Half| encode_seen(&half.seen, half.changed);
    bind(&pair.status.word())?;
    let (reason, data) = reason_columns(pair.reason.as_ref())?;
    bind(&reason)?;
    bind(&data)?;
    bind(&pair.attempts)?;
    bind(&micros(pair.due))?;
    bind(&pair.dirty)?;
    bind(&pair.context)?;
    bind(&left.read)?;
    bind(&right.read)?;
    bind(&left.no_match_in)?;
    bind(&right.no_match_in)?;
    bind(&out_of(left))?;
    bind(&out_of(right))?;
    bind(&micros(left.deleted))?;
    bind(&micros(right.deleted))?;
    bind(&micros(left.changed))?;
    bind(&micros(right.changed))?;
    bind(&left.version)?;
    bind(&right.version)?;
    bind(&encode_agreed(&pair.agreed)?)?;
    bind(&seen(left)?)?;
    bind(&seen(right)?)?;
    let differing = match pair.differing.as_slice() {
        [] => None,
        fields => Some(encode("fields that differ", &fields)?),
    };
    bind(&differing)?;
    if differs.0[Differs::MAPPING] {
        bind(&pair.mapping)?;
    }
    for (place, half) in pair.halves.iter().enumerate() {
        if differs.0[Differs::IDS + place] {
            bind(&half.id)?;
        }
    }
    for (place, text) in keys.iter().enumerate() {
        if differs.0[Differs::KEYS + place] {
            bind(&text.as_ref().and_then(Option::as_ref))?;
        }
    }
    bind(&pair.id)?;
    Ok(statement.raw_execute()?)
}

/// The index of keys (`pair_key`). The pair's row holds a copy of its keys, which says which entries to
/// remove.
struct Keys<'c> {
    connection: &'c Connection,
    load: CachedStatement<'c>,
    put: CachedStatement<'c>,
    remove: CachedStatement<'c>,
}

impl<'c> Keys<'c> {
    fn new(connection: &'c Connection) -> Result<Self, WriteError> {
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

    /// The stored keys of a pair.
    fn stored(&mut self, pair: PairId) -> Result<Sides<Vec<MatchKey>>, WriteError> {
        let texts: Option<Sides<Option<String>>> =
            self.load.query_row([pair], |row| Ok(Sides::new(row.get(0)?, row.get(1)?))).optional()?;
        let Sides { left, right } = texts.unwrap_or_default();
        Ok(Sides::new(decode_keys(left.as_deref())?, decode_keys(right.as_deref())?))
    }

    /// Replaces the keys of the sides that have new ones. Returns the new texts of the columns, where they
    /// change.
    fn replace(&mut self, pair: &Pair, before: Option<&Before>) -> Result<KeyTexts, WriteError> {
        let moved = before.is_some_and(|before| before.mapping != pair.mapping);
        let mut texts = KeyTexts::default();
        for side in Side::BOTH {
            let old = before.map(|before| before.keys[side].as_slice()).unwrap_or_default();
            let new = match &pair.keys[side] {
                Some(new) => new.as_slice(),
                None if moved => old,
                None => continue,
            };
            for key in old.iter().filter(|key| moved || !new.contains(key)) {
                let mapping = before.map(|before| before.mapping);
                self.remove.execute(params![mapping, side_number(side), key.rank, key.text, pair.id])?;
            }
            for key in new.iter().filter(|key| moved || !old.contains(key)) {
                self.put.execute(params![pair.mapping, side_number(side), key.rank, key.text, pair.id])?;
            }
            if new != old {
                texts[side] = Some(encode_keys(new)?);
            }
        }
        Ok(texts)
    }

    /// Removes all keys of a pair.
    fn remove_all(&mut self, pair: PairId) -> Result<(), WriteError> {
        let mapping: Option<MappingId> = self
            .connection
            .prepare_cached("SELECT mapping FROM pair WHERE id = ?1")?
            .query_row([pair], |row| row.get(0))
            .optional()?;
        for (side, keys) in Side::BOTH.into_iter().zip(self.stored(pair)?) {
            for key in keys {
                self.remove.execute(params![mapping, side_number(side), key.rank, key.text, pair])?;
            }
        }
        Ok(())
    }
}

/// The stored keys of a pair.
pub(super) fn stored_keys(connection: &Connection, pair: PairId) -> Result<Sides<Vec<MatchKey>>, WriteError> {
    Keys::new(connection)?.stored(pair)
}

/// Drops the planned changes of a pair that is no more what it was, and closes its conflicts.
pub(super) fn end_plans(connection: &Connection, pair: PairId, why: Code) -> Result<(), WriteError> {
    connection
        .prepare_cached(
            "UPDATE change SET status = 'dropped', reason = ?2, reason_data = NULL
             WHERE pair = ?1 AND status IN ('planned', 'withheld')",
        )?
        .execute(params![pair, why.word()])?;
    connection
        .prepare_cached("UPDATE conflict SET closed = last WHERE pair = ?1 AND closed IS NULL")?
        .execute([pair])?;
    Ok(())
}

/// Removes pairs. Their history stays; planned changes are dropped and conflicts closed, since no run will
/// come back to them.
pub(super) fn remove(connection: &Connection, ids: &[PairId]) -> Result<(), WriteError> {
    let mut keys = Keys::new(connection)?;
    let mut delete = connection.prepare_cached("DELETE FROM pair WHERE id = ?1")?;
    for &id in ids {
        keys.remove_all(id)?;
        end_plans(connection, id, Code::PairJoined)?;
        delete.execute([id])?;
    }
    Ok(())
}

/// Names the record and the pair in a violation of a unique constraint.
fn explain(connection: &Connection, pair: &Pair, why: WriteError) -> WriteError {
    if why.kind != Some(StoreFailure::Constraint) {
        return why;
    }
    for side in Side::BOTH {
        let Some(id) = &pair.half(side).id else { continue };
        if id.is_empty() {
            return WriteError::from(format!("pair {}: the id of its {side} record is empty", pair.id));
        }
        let holder: Result<Option<PairId>, _> = connection
            .query_row(
                &format!("SELECT id FROM pair WHERE mapping = ?1 AND {side}_id = ?2 AND id <> ?3"),
                params![pair.mapping, id, pair.id],
                |row| row.get(0),
            )
            .optional();
        if let Ok(Some(holder)) = holder {
            return WriteError::from(format!(
                "pair {}: pair {holder} already has the {side} record '{id}'",
                pair.id
            ));
        }
    }
    why
}
