//! Reading progress of each side (bookmark, cursor), and the state that exchanges keep.

use super::codec::{decode, encode};
use crate::store::StoreError;
use entente_sync::{Progress, Side, StateWrites};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// The number of a side in tables.
pub(super) fn side_number(side: Side) -> i64 {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

/// The reading progress of a side; the default where none is stored.
pub(super) fn progress(connection: &Connection, sync: &str, side: Side) -> Result<Progress, StoreError> {
    let place: Option<String> = connection
        .prepare_cached("SELECT place FROM progress WHERE sync = ?1 AND side = ?2")?
        .query_row(params![sync, side_number(side)], |row| row.get(0))
        .optional()?;
    place.map_or_else(|| Ok(Progress::default()), |place| decode("progress", &place))
}

/// Stores the reading progress of a side.
pub(super) fn save_progress(
    connection: &Connection,
    sync: &str,
    side: Side,
    progress: &Progress,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO progress (sync, side, place) VALUES (?1, ?2, ?3)
             ON CONFLICT (sync, side) DO UPDATE SET place = excluded.place",
        )?
        .execute(params![sync, side_number(side), encode("progress", progress)?])?;
    Ok(())
}

/// The state that an exchange has kept.
pub(super) fn state(
    connection: &Connection,
    exchange: &str,
) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT key, value FROM state WHERE exchange = ?1")?;
    let state =
        statement.query_map([exchange], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(state)
}

/// Writes and removes state of an exchange.
pub(super) fn save_state(
    connection: &Connection,
    exchange: &str,
    writes: &StateWrites,
) -> Result<(), StoreError> {
    let mut put = connection.prepare_cached(
        "INSERT INTO state (exchange, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (exchange, key) DO UPDATE SET value = excluded.value",
    )?;
    let mut remove = connection.prepare_cached("DELETE FROM state WHERE exchange = ?1 AND key = ?2")?;
    for (key, value) in writes {
        match value {
            Some(value) => put.execute(params![exchange, key, value])?,
            None => remove.execute(params![exchange, key])?,
        };
    }
    Ok(())
}
