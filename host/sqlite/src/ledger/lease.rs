//! Leases with fencing numbers: one writer per relation; every unit of work checks the number.

use crate::store::StoreError;
use entente_core::Timestamp;
use entente_sync::{Lease, LedgerError};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// The time by SQLite's clock: one for all processes that use the file.
pub(super) fn now(connection: &Connection) -> Result<Timestamp, StoreError> {
    let micros = connection
        .prepare_cached("SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)")?
        .query_row([], |row| row.get(0))?;
    Ok(Timestamp::from_micros(micros))
}

/// `now + ttl`, saturating.
fn end(now: Timestamp, ttl: Duration) -> i64 {
    let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_add(micros)).micros()
}

/// Takes the lease unless another holder has it at `now`. The inner error is [`LedgerError::Busy`].
pub(super) fn acquire(
    connection: &Connection,
    relation: &str,
    holder: &str,
    now: Timestamp,
    ttl: Duration,
) -> Result<Result<Lease, LedgerError>, StoreError> {
    let held: Option<(Option<String>, i64)> = connection
        .prepare_cached("SELECT holder, until FROM lease WHERE relation = ?1")?
        .query_row([relation], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((Some(holder), until)) = held
        && until > now.micros()
    {
        return Ok(Err(LedgerError::Busy {
            relation: relation.to_owned(),
            holder,
            until: Timestamp::from_micros(until),
        }));
    }
    let fence = connection
        .prepare_cached(
            "INSERT INTO lease (relation, holder, until, fence) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT (relation) DO UPDATE SET holder = ?2, until = ?3, fence = fence + 1
             RETURNING fence",
        )?
        .query_row(params![relation, holder, end(now, ttl)], |row| row.get(0))?;
    Ok(Ok(Lease { relation: relation.to_owned(), fence }))
}

/// The lease of a relation and its holder, whether or not it has expired.
pub(super) fn holder(connection: &Connection, relation: &str) -> Result<Option<(Lease, String)>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT fence, holder FROM lease WHERE relation = ?1 AND holder IS NOT NULL")?
        .query_row([relation], |row| {
            Ok((Lease { relation: relation.to_owned(), fence: row.get(0)? }, row.get(1)?))
        })
        .optional()?)
}

/// Renews the lease; false if another holder has taken it.
pub(super) fn renew(
    connection: &Connection,
    lease: &Lease,
    now: Timestamp,
    ttl: Duration,
) -> Result<bool, StoreError> {
    let rows = connection
        .prepare_cached(
            "UPDATE lease SET until = ?3 WHERE relation = ?1 AND fence = ?2 AND holder IS NOT NULL",
        )?
        .execute(params![lease.relation, lease.fence, end(now, ttl)])?;
    Ok(rows == 1)
}

/// Releases the lease; no effect if another holder has taken it.
pub(super) fn release(connection: &Connection, lease: &Lease) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE lease SET holder = NULL, until = 0 WHERE relation = ?1 AND fence = ?2")?
        .execute(params![lease.relation, lease.fence])?;
    Ok(())
}

/// Ends every lease; later writes of its holders are fenced off.
pub(super) fn end_all(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE lease SET holder = NULL, until = 0, fence = fence + 1", [])?;
    Ok(())
}

/// Whether the fencing number is still current. An expired lease remains valid until another run takes it.
pub(super) fn holds(connection: &Connection, lease: &Lease) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM lease WHERE relation = ?1 AND fence = ?2 AND holder IS NOT NULL")?
        .exists(params![lease.relation, lease.fence])?)
}

pub(super) fn fenced(lease: &Lease) -> LedgerError {
    LedgerError::Fenced { relation: lease.relation.clone() }
}
