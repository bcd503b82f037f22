//! Operator decisions: rulings on conflicts, retries, the deletion guard, trust, and the schema that a side
//! last had.

use super::WriteError;
use super::changes::{save as save_changes, select, unanswered};
use super::codec::{decode, decode_agreed, encode, reason_columns};
use super::mappings::{mappings, slot_of};
use super::pairs::{by_ids, by_records, count_linked};
use super::progress::side_number;
use super::save::save;
use crate::store::StoreError;
use entente_core::{Reference, Value};
use entente_sync::{
    Action, Braked, ChangeStatus, Choice, Description, MappingId, PairId, Reason, Requeue, Ruling, RunId,
    Seen, Side, Sides, StandingTrust, Status, Weight, release_survivor,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// Sets pairs back to `todo`.
pub(super) fn requeue(
    connection: &Connection,
    mapping: MappingId,
    which: Requeue,
) -> Result<u64, StoreError> {
    const SET: &str = "SET status = 'todo', reason = NULL, reason_data = NULL, due = NULL WHERE mapping = ?1";
    let back = format!("UPDATE pair {SET}");
    let rows = match which {
        Requeue::Held(code) => connection
            .prepare_cached(&format!("{back} AND status = 'held' AND reason = ?2"))?
            .execute(params![mapping, code.word()])?,
        Requeue::Parked(code) => connection
            .prepare_cached(&format!(
                "UPDATE pair INDEXED BY pair_parked {SET} AND status = 'ok' AND reason IS NOT NULL AND reason = ?2"
            ))?
            .execute(params![mapping, code.word()])?,
        Requeue::Due(now) => connection
            .prepare_cached(&format!("{back} AND status = 'failed' AND due <= ?2"))?
            .execute(params![mapping, now.micros()])?,
        Requeue::Differing => connection
            .prepare_cached(&format!(
                "{back} AND status = 'ok' AND (left_seen IS NOT NULL OR right_seen IS NOT NULL)"
            ))?
            .execute([mapping])?,
        Requeue::InConflict => connection
            .prepare_cached(&format!(
                "{back} AND status = 'ok' AND id IN (SELECT pair FROM conflict WHERE closed IS NULL)"
            ))?
            .execute([mapping])?,
        Requeue::Linked => connection
            .prepare_cached(&format!(
                "{back} AND status = 'ok' AND left_id IS NOT NULL AND right_id IS NOT NULL"
            ))?
            .execute([mapping])?,
        Requeue::Referring(side, records) => {
            let mut back = connection.prepare_cached(&format!("{back} AND id = ?2"))?;
            let mut rows = 0;
            for pair in referring(connection, mapping, side, &records)? {
                rows += back.execute([mapping, pair])?;
            }
            rows
        }
    };
    Ok(rows as u64)
}

/// Settled pairs in whose merge base the record of a side refers to one of these records. A scan: there is no index
/// of references, since only a record that is replaced by another one asks for it.
pub(super) fn referring(
    connection: &Connection,
    mapping: MappingId,
    side: Side,
    records: &[Reference],
) -> Result<Vec<PairId>, StoreError> {
    let wanted: HashSet<&Reference> = records.iter().collect();
    let refers = |value: &Value| value.references().iter().any(|reference| wanted.contains(reference));
    let mut found = Vec::new();
    let mut select = connection.prepare_cached(
        "SELECT id, agreed FROM pair WHERE mapping = ?1 AND status = 'ok' AND agreed IS NOT NULL",
    )?;
    let mut rows = select.query([mapping])?;
    while let Some(row) = rows.next()? {
        let agreed = decode_agreed(
            row.get_ref(1)?
                .as_str_or_null()
                .map_err(|error| StoreError::from(rusqlite::Error::from(error)))?,
        )?;
        if agreed.iter().flatten().filter_map(|agreed| agreed.half(side)).any(refers) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// The input of the deletion guard: how many records a plan would delete and blank on one side of a mapping,
/// and how many pairs are live.
pub(super) fn weight(
    connection: &Connection,
    run: RunId,
    mapping: MappingId,
    target: Side,
) -> Result<Weight, StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        let rows: i64 = connection
            .prepare_cached(sql)?
            .query_row(params![run, mapping, side_number(target)], |row| row.get(0))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    };
    let planned = "SELECT count(*) FROM change INDEXED BY change_open
         WHERE run = ?1 AND mapping = ?2 AND target = ?3 AND status = 'planned'";
    let mut weight = Weight {
        deletes: count(&format!("{planned} AND action = 'delete'"))?,
        blankings: count(&format!("{planned} AND blanks"))?,
        linked: 0,
    };
    // Counting all pairs is a scan, so it is done only where the plan deletes or blanks.
    if weight.deletes + weight.blankings > 0 {
        weight.linked = count_linked(connection, mapping)?;
    }
    Ok(weight)
}

/// Withholds the planned deletes or blankings of a side, and holds their pairs.
pub(super) fn hold_planned(
    connection: &Connection,
    run: RunId,
    mapping: MappingId,
    target: Side,
    which: Braked,
    reason: &Reason,
) -> Result<(), StoreError> {
    let (code, data) = reason_columns(Some(reason))?;
    let kind = match which {
        Braked::Deletes => "action = 'delete'",
        Braked::Blankings => "blanks",
    };
    let planned = format!("run = ?1 AND mapping = ?2 AND target = ?3 AND status = 'planned' AND {kind}");
    connection
        .prepare_cached(&format!(
            "UPDATE pair SET status = 'held', reason = ?4, reason_data = ?5 WHERE id IN (SELECT pair FROM change INDEXED BY change_open WHERE {planned})"
        ))?
        .execute(params![run, mapping, side_number(target), code, data])?;
    connection
        .prepare_cached(&format!(
            "UPDATE change INDEXED BY change_open SET status = 'withheld', reason = ?4, reason_data = ?5 WHERE {planned}"
        ))?
        .execute(params![run, mapping, side_number(target), code, data])?;
    Ok(())
}

/// The operator's rulings on conflicts of these pairs, the latest last. Rulings on closed conflicts are
/// included: their write may have failed, and a ruling applies to its two values only.
pub(super) fn rulings(connection: &Connection, pairs: &[PairId]) -> Result<Vec<Ruling>, StoreError> {
    // Fast path: an empty partial index proves that there is no ruling.
    let any = "SELECT EXISTS (SELECT 1 FROM conflict INDEXED BY conflict_ruled WHERE ruling IS NOT NULL)";
    if !connection.prepare_cached(any)?.query_row([], |row| row.get(0))? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT slot, left_value, right_value, ruling FROM conflict INDEXED BY conflict_ruled
         WHERE pair = ?1 AND ruling IS NOT NULL ORDER BY id",
    )?;
    let mut rulings = Vec::new();
    for &pair in pairs {
        let mut rows = statement.query([pair])?;
        while let Some(row) = rows.next()? {
            let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
            let left: Seen = decode("values of a conflict", text(1)?)?;
            let right: Seen = decode("values of a conflict", text(2)?)?;
            let choice: Choice = decode("ruling of a conflict", text(3)?)?;
            rulings.push(Ruling {
                pair,
                slot: slot_of(row.get(0)?)?,
                values: Sides::new(left.value, right.value),
                choice,
            });
        }
    }
    Ok(rulings)
}

/// Stores the operator's ruling on an open conflict, and sets its pair back to `todo`. `None` where no such
/// conflict is open.
pub(super) fn rule(
    connection: &Connection,
    conflict: i64,
    choice: &Choice,
) -> Result<Option<PairId>, WriteError> {
    let pair: Option<PairId> = connection
        .prepare_cached("UPDATE conflict SET ruling = ?2 WHERE id = ?1 AND closed IS NULL RETURNING pair")?
        .query_row(params![conflict, encode("ruling of a conflict", choice)?], |row| row.get(0))
        .optional()?;
    if let Some(pair) = pair {
        connection
            .prepare_cached("UPDATE pair SET status = 'todo', reason = NULL, reason_data = NULL WHERE id = ?1 AND status = 'ok'")?
            .execute([pair])?;
    }
    Ok(pair)
}

/// Sets pairs back to `todo` as if they had not failed: one pair, failed or held, or all failed pairs of a
/// mapping. A record that was held as a duplicate when it was matched stays held: every run that reads both
/// sides matches it anew, and only such a match shows that no other record has its identifiers any more. So does a record
/// that cannot be read, or whose report was doubted, which every run reads again: decided without that, an edit is lost. A create without an answer is asked for again.
pub(super) fn retry(
    connection: &Connection,
    mapping: MappingId,
    pair: Option<PairId>,
) -> Result<u64, WriteError> {
    if let Some(pair) = pair {
        release_survivor_of(connection, mapping, pair)?;
        if ask_again(connection, mapping, pair)? || give_up_ticket(connection, mapping, pair)? {
            return Ok(1);
        }
    }
    const STAYS: &str =
        "status = 'held' AND (reason IN ('unreadable', 'not-read-yet', 'other-identifiers') OR reason = 'duplicate-of' AND (left_id IS NULL OR right_id IS NULL)
                             AND json_extract(reason_data, '$.became') IS NULL)";
    let rows = connection
        .prepare_cached(&format!(
            "UPDATE pair SET status = iif({STAYS}, status, 'todo'), reason = iif({STAYS}, reason, NULL),
                 reason_data = iif({STAYS}, reason_data, NULL), attempts = min(attempts, 1), due = NULL
             WHERE mapping = ?1 AND (?2 IS NULL OR id = ?2) AND (status = 'failed' OR (?2 IS NOT NULL AND status = 'held'))"
        ))?
        .execute(params![mapping, pair])?;
    Ok(rows as u64)
}

/// Where a pair is held since nobody knows whether its create was executed, marks that create as sent again, so that the
/// next run finds out what became of it. It is no proof that there is no such record. Returns whether it did.
fn ask_again(connection: &Connection, mapping: MappingId, pair: PairId) -> Result<bool, WriteError> {
    let Some(mut held) = by_ids(connection, &[pair])?.pop() else { return Ok(false) };
    let unknown = held.status == Status::Held && matches!(held.reason, Some(Reason::FateUnknown { .. }));
    if !unknown || held.is_linked() || held.mapping != mapping {
        return Ok(false);
    }
    let mut creates = unanswered(connection, &[pair])?;
    creates.retain(|change| change.action == Action::Create);
    let Some(mut create) = creates.pop() else { return Ok(false) };
    create.status = ChangeStatus::Sent;
    create.settled = None;
    create.reason = None;
    held.status = Status::Live;
    held.reason = None;
    held.due = None;
    save(connection, std::slice::from_mut(&mut held))?;
    save_changes(connection, std::slice::from_mut(&mut create))?;
    Ok(true)
}

/// Where a change of a pair was deferred and nobody has said what became of it, marks it as sent: the next run finds that
/// out without its ticket. Returns whether there was one.
fn give_up_ticket(connection: &Connection, mapping: MappingId, pair: PairId) -> Result<bool, WriteError> {
    let mut deferred = select(
        connection,
        "INDEXED BY change_pair WHERE pair = ?1 AND mapping = ?2 AND status = 'deferred' ORDER BY id",
        &[&pair, &mapping],
    )?;
    for change in &mut deferred {
        change.status = ChangeStatus::Sent;
        change.ticket = None;
    }
    save_changes(connection, &mut deferred)?;
    Ok(!deferred.is_empty())
}

/// Where a pair is held as a duplicate by the survivor of a record of its side that is gone, gives the survivor free.
fn release_survivor_of(connection: &Connection, mapping: MappingId, pair: PairId) -> Result<(), WriteError> {
    let Some(held) = by_ids(connection, &[pair])?.pop() else { return Ok(()) };
    let Some(Reason::DuplicateOf { record: Some(rival), became: None, .. }) = &held.reason else {
        return Ok(());
    };
    let own = Side::BOTH.into_iter().find(|side| held.half(*side).id.is_some() && !held.is_linked());
    let Some(own) = own.filter(|_| held.status == Status::Held && held.mapping == mapping) else {
        return Ok(());
    };
    let mut owners = by_records(connection, mapping, rival.side, std::slice::from_ref(&rival.id))?;
    let row = mappings(connection, None)?.into_iter().find(|row| row.id == mapping);
    let (Some(owner), Some(row)) = (owners.first_mut(), row) else { return Ok(()) };
    let gone = owner.half(own).id.clone();
    if release_survivor(owner, own, &row.objects[own]) {
        save(connection, &mut owners)?;
        // What refers to the record that is gone is to refer to the one that takes its place.
        let object = row.objects[own].clone();
        let gone: Vec<Reference> =
            gone.into_iter().map(|id| Reference { object: object.clone(), id }).collect();
        for of in mappings(connection, Some(&row.relation))? {
            requeue(connection, of.id, Requeue::Referring(own, gone.clone()))?;
        }
    }
    Ok(())
}

/// The one-shot trust of a sync: the side that wins until a run has completed with it.
pub(super) fn trust(connection: &Connection, sync: &str) -> Result<Option<StandingTrust>, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT trust FROM trust WHERE sync = ?1")?
        .query_row([sync], |row| row.get(0))
        .optional()?;
    text.map(|text| decode("trusted side", &text)).transpose()
}

/// Sets or clears the one-shot trust of a sync.
pub(super) fn save_trust(
    connection: &Connection,
    sync: &str,
    trust: Option<&StandingTrust>,
) -> Result<(), StoreError> {
    match trust {
        Some(trust) => connection
            .prepare_cached("INSERT INTO trust (sync, trust) VALUES (?1, ?2) ON CONFLICT (sync) DO UPDATE SET trust = excluded.trust")?
            .execute(params![sync, encode("trusted side", trust)?])?,
        None => connection.prepare_cached("DELETE FROM trust WHERE sync = ?1")?.execute([sync])?,
    };
    Ok(())
}

/// The description of a side as of the last run; compared to detect schema drift.
pub(super) fn known_schema(
    connection: &Connection,
    sync: &str,
    side: Side,
) -> Result<Option<Description>, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT description FROM known_schema WHERE sync = ?1 AND side = ?2")?
        .query_row(params![sync, side_number(side)], |row| row.get(0))
        .optional()?;
    text.map(|text| decode("objects of a side", &text)).transpose()
}

/// Stores the current description of a side.
pub(super) fn save_schema(
    connection: &Connection,
    sync: &str,
    side: Side,
    description: &Description,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO known_schema (sync, side, description) VALUES (?1, ?2, ?3)
             ON CONFLICT (sync, side) DO UPDATE SET description = excluded.description",
        )?
        .execute(params![sync, side_number(side), encode("objects of a side", description)?])?;
    Ok(())
}
