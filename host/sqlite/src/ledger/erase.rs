//! Erasure in the ledger: the pairs of a record with their keys and conflicts go; of changes their place in the history of their
//! runs stays, without any value.

use super::changes::select;
use super::pairs::by_ids;
use crate::store::StoreError;
use entente_core::Value;
use entente_sync::{Pair, PairId, Side, Sides};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// A pair of the record, and where the record stands in it.
pub(crate) struct PairOf {
    pub(crate) pair: Pair,
    pub(crate) side: Side,
    pub(crate) relation: String,
    pub(crate) objects: Sides<String>,
    pub(crate) exchanges: Sides<String>,
}

impl PairOf {
    /// The counterpart that was not deleted.
    pub(crate) fn standing(&self) -> Option<&str> {
        let half = self.pair.half(self.side.other());
        half.id.as_deref().filter(|_| half.deleted.is_none())
    }
}

/// What was erased.
#[derive(Debug, Default)]
pub(crate) struct InLedger {
    pub(crate) pairs: u64,
    pub(crate) changes: u64,
    pub(crate) conflicts: u64,
    /// The values that were in them.
    pub(crate) values: Vec<Value>,
    /// The ids that the records of the pairs had.
    pub(crate) ids: Vec<String>,
}

/// The pairs of a record of an exchange, in all relations.
pub(crate) fn pairs_of(
    connection: &Connection,
    exchange: &str,
    object: &str,
    id: &str,
) -> Result<Vec<PairOf>, StoreError> {
    let mut found = Vec::new();
    for side in Side::BOTH {
        let name = side_name(side);
        let mut statement = connection.prepare(&format!(
            "SELECT p.id, m.relation, m.left_object, m.right_object, r.left_exchange, r.right_exchange
             FROM pair p JOIN mapping m ON m.id = p.mapping JOIN relation r ON r.name = m.relation
             WHERE r.{name}_exchange = ?1 AND m.{name}_object = ?2 AND p.{name}_id = ?3"
        ))?;
        let mut rows = statement.query(params![exchange, object, id])?;
        while let Some(row) = rows.next()? {
            let number: PairId = row.get(0)?;
            let (objects, exchanges) =
                (Sides::new(row.get(2)?, row.get(3)?), Sides::new(row.get(4)?, row.get(5)?));
            if let Some(pair) = by_ids(connection, &[number])?.pop() {
                found.push(PairOf { pair, side, relation: row.get(1)?, objects, exchanges });
            }
        }
    }
    Ok(found)
}

/// Whether an order for one of these pairs was sent and its outcome is not known.
pub(crate) fn is_under_way(connection: &Connection, pairs: &[PairOf]) -> Result<bool, StoreError> {
    let mut open = connection.prepare(
        "SELECT EXISTS (SELECT 1 FROM change INDEXED BY change_pair WHERE pair = ?1 AND status IN ('sent', 'deferred', 'retry'))",
    )?;
    for of in pairs {
        if open.query_row([of.pair.id], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Erases these pairs, and what runs have written to the record and to what was paired with it.
pub(crate) fn erase(
    connection: &Connection,
    exchange: &str,
    object: &str,
    id: &str,
    pairs: &[PairOf],
) -> Result<InLedger, StoreError> {
    let mut erased = InLedger::default();
    let numbers: BTreeSet<PairId> = pairs.iter().map(|of| of.pair.id).collect();
    // A pair that was merged into another one has left its changes behind under its own number.
    let mut with_history = numbers.clone();
    with_history.extend(former_pairs(connection, exchange, object, id)?);
    for pair in &with_history {
        erase_changes(connection, *pair, &mut erased)?;
    }
    for PairOf { pair, .. } in pairs {
        let both = pair.halves.iter();
        erased.ids.extend(both.filter_map(|half| half.id.clone()));
        erased.values.extend(
            pair.agreed
                .iter()
                .flatten()
                .flat_map(|agreed| Side::BOTH.into_iter().filter_map(|side| agreed.half(side).cloned())),
        );
        for half in pair.halves.iter() {
            erased.values.extend(half.seen.iter().flatten().map(|seen| seen.value.clone()));
        }
        erased.conflicts +=
            connection.prepare_cached("DELETE FROM conflict WHERE pair = ?1")?.execute([pair.id])? as u64;
        connection
            .prepare_cached("DELETE FROM pair_key WHERE mapping = ?1 AND pair = ?2")?
            .execute([pair.mapping, pair.id])?;
        erased.pairs +=
            connection.prepare_cached("DELETE FROM pair WHERE id = ?1")?.execute([pair.id])? as u64;
    }
    Ok(erased)
}

/// Pairs that are no more and have changes of the record.
fn former_pairs(
    connection: &Connection,
    exchange: &str,
    object: &str,
    id: &str,
) -> Result<Vec<PairId>, StoreError> {
    let mut former = Vec::new();
    for side in Side::BOTH {
        let name = side_name(side);
        let mut statement = connection.prepare(&format!(
            "SELECT DISTINCT c.pair FROM change c JOIN mapping m ON m.id = c.mapping JOIN relation r ON r.name = m.relation
             WHERE r.{name}_exchange = ?1 AND m.{name}_object = ?2 AND c.record = ?3 AND c.target = ?4
             AND NOT EXISTS (SELECT 1 FROM pair WHERE pair.id = c.pair)"
        ))?;
        let target = super::progress::side_number(side);
        let rows = statement.query_map(params![exchange, object, id, target], |row| row.get(0))?;
        former.extend(rows.collect::<Result<Vec<PairId>, _>>()?);
    }
    Ok(former)
}

fn erase_changes(connection: &Connection, pair: PairId, erased: &mut InLedger) -> Result<(), StoreError> {
    for change in select(connection, "INDEXED BY change_pair WHERE pair = ?1", &[&pair])? {
        erased.ids.extend(change.record().map(str::to_owned));
        for field in change.fields {
            erased.values.extend([field.value, field.source]);
            erased.values.extend(field.base.into_iter().chain(field.stored));
        }
    }
    // What was planned is not made any more. The key names nobody; it is unique and stays.
    const ERASE: &str =
        "UPDATE change SET fields = '[]', reason = NULL, reason_data = NULL, ticket = NULL, blanks = 0,
            record = iif(record IS NULL, NULL, 'erased'),
            status = iif(status IN ('planned', 'withheld'), 'dropped', status)
         WHERE pair = ?1";
    erased.changes += connection.prepare_cached(ERASE)?.execute([pair])? as u64;
    Ok(())
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}
