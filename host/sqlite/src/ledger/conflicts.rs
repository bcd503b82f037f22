//! Rows of the table `conflict`. A conflict is open until its values agree, the operator settles it, or other
//! values replace it.

use super::WriteError;
use super::codec::{decode, decode_reason, encode, reason_data};
use super::mappings::slot_of;
use crate::store::StoreError;
use entente_core::Timestamp;
use entente_sync::{
    Choice, Conflict, ConflictCount, ConflictFilter, FieldReason, MappingId, OpenConflict, PairId, RunId,
    Seen, Sides, Slot,
};
use rusqlite::{Connection, Row, params};
use std::collections::{BTreeMap, BTreeSet};

/// An open conflict as it is stored.
struct Stored {
    id: i64,
    slot: Slot,
    left: Seen,
    right: Seen,
}

fn seen(row: &Row<'_>, column: usize) -> Result<Seen, StoreError> {
    decode("values of a conflict", row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

fn reason(row: &Row<'_>, code: usize, data: usize) -> Result<FieldReason, StoreError> {
    let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
    decode_reason(text(code)?, text(data)?)?.ok_or_else(|| StoreError::Corrupt {
        what: "reason of a conflict".to_owned(),
        why: "there is none".to_owned(),
    })
}

fn ruling(row: &Row<'_>, column: usize) -> Result<Option<Choice>, StoreError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    text.map(|text| decode("ruling of a conflict", text)).transpose()
}

/// Stores the conflicts of pairs, and closes every other open conflict of these pairs.
pub(super) fn save(
    connection: &Connection,
    pairs: &[PairId],
    conflicts: &[Conflict],
    at: Timestamp,
) -> Result<(), WriteError> {
    // Fast path: an empty partial index proves that no conflict is open.
    let any = "SELECT EXISTS (SELECT 1 FROM conflict INDEXED BY conflict_open WHERE closed IS NULL)";
    if conflicts.is_empty() && !connection.prepare_cached(any)?.query_row([], |row| row.get(0))? {
        return Ok(());
    }
    let mut open = connection.prepare_cached(
        "SELECT id, slot, left_value, right_value FROM conflict WHERE pair = ?1 AND closed IS NULL",
    )?;
    let mut again = connection
        .prepare_cached("UPDATE conflict SET left_value = ?2, right_value = ?3, reason = ?4, reason_data = ?6, last = ?5, times = times + 1 WHERE id = ?1")?;
    let mut close = connection.prepare_cached("UPDATE conflict SET closed = ?2 WHERE id = ?1")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO conflict (pair, slot, left_value, right_value, reason, reason_data, run, first, last, times)
         VALUES (?1, ?2, ?3, ?4, ?5, ?8, ?6, ?7, ?7, 1)",
    )?;
    let ids: BTreeSet<PairId> =
        pairs.iter().copied().chain(conflicts.iter().map(|conflict| conflict.pair)).collect();
    // If a field is listed twice, the later entry counts.
    let by_field: BTreeMap<(PairId, Slot), &Conflict> =
        conflicts.iter().map(|conflict| ((conflict.pair, conflict.slot), conflict)).collect();
    for pair in ids {
        let mut stored = Vec::new();
        let mut rows = open.query([pair])?;
        while let Some(row) = rows.next()? {
            stored.push(Stored {
                id: row.get(0)?,
                slot: slot_of(row.get(1)?)?,
                left: seen(row, 2)?,
                right: seen(row, 3)?,
            });
        }
        drop(rows);
        let now: Vec<&Conflict> = by_field
            .range((pair, Slot(0))..=(pair, Slot(usize::MAX)))
            .map(|(_, conflict)| *conflict)
            .collect();
        // A conflict is identified by its two values; their times may have become known more exactly.
        let same = |old: &Stored, new: &Conflict| {
            old.slot == new.slot && old.left.value == new.left.value && old.right.value == new.right.value
        };
        for old in stored.iter().filter(|old| !now.iter().any(|new| same(old, new))) {
            close.execute(params![old.id, at.micros()])?;
        }
        for new in now {
            let (left, right) =
                (encode("values of a conflict", &new.left)?, encode("values of a conflict", &new.right)?);
            let code = new.reason.code();
            let data = reason_data(code, &new.reason)?;
            match stored.iter().find(|old| same(old, new)) {
                Some(old) => again.execute(params![old.id, left, right, code, at.micros(), data])?,
                None => {
                    let slot = i64::try_from(new.slot.index()).unwrap_or(i64::MAX);
                    insert.execute(params![pair, slot, left, right, code, new.run, at.micros(), data])?
                }
            };
        }
    }
    Ok(())
}

/// The index for reading open conflicts, and an additional condition. `conflict_number` is a partial index by
/// number that holds open conflicts only, so that the cost of a page does not grow with the closed ones.
fn open_where(which: ConflictFilter<'_>) -> (&'static str, String) {
    let of_mappings = |mappings: &[MappingId]| {
        let numbers: Vec<String> = mappings.iter().map(ToString::to_string).collect();
        format!(" AND p.mapping IN ({})", numbers.join(", "))
    };
    match which {
        ConflictFilter::All => ("conflict_number", String::new()),
        ConflictFilter::Mappings(mappings) => ("conflict_number", of_mappings(mappings)),
        ConflictFilter::Undecided(mappings) => {
            ("conflict_number", of_mappings(mappings) + " AND c.ruling IS NULL")
        }
        ConflictFilter::Pair(pair) => ("conflict_open", format!(" AND c.pair = {pair}")),
    }
}

/// The SQL of a page of open conflicts: ?1 is the number after which it begins, ?2 its maximum length.
pub(super) fn open_sql(which: ConflictFilter<'_>) -> String {
    let (index, condition) = open_where(which);
    format!(
        "SELECT c.id, c.pair, c.slot, c.left_value, c.right_value, c.reason, c.run, c.first, c.last, c.times,
                p.mapping, p.left_id, p.right_id, m.left_object, m.right_object, coalesce(s.left_field, ''), coalesce(s.right_field, ''),
                c.reason_data, c.ruling
         FROM conflict c INDEXED BY {index} JOIN pair p ON p.id = c.pair JOIN mapping m ON m.id = p.mapping
              LEFT JOIN slot s ON s.mapping = p.mapping AND s.slot = c.slot
         WHERE c.closed IS NULL AND c.id > ?1{condition}
         ORDER BY c.id LIMIT ?2"
    )
}

/// The number of open conflicts by mapping and reason.
pub(super) fn count(
    connection: &Connection,
    which: ConflictFilter<'_>,
) -> Result<Vec<ConflictCount>, StoreError> {
    if which.is_empty() {
        return Ok(Vec::new());
    }
    let (index, condition) = open_where(which);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT p.mapping, c.reason, c.reason_data, count(*), count(c.ruling)
         FROM conflict c INDEXED BY {index} JOIN pair p ON p.id = c.pair
         WHERE c.closed IS NULL{condition} GROUP BY p.mapping, c.reason, c.reason_data ORDER BY p.mapping, c.reason, c.reason_data"
    ))?;
    let mut rows = statement.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let (conflicts, decided): (i64, i64) = (row.get(3)?, row.get(4)?);
        counts.push(ConflictCount {
            mapping: row.get(0)?,
            reason: reason(row, 1, 2)?,
            conflicts: conflicts.unsigned_abs(),
            decided: decided.unsigned_abs(),
        });
    }
    Ok(counts)
}

/// The number of open conflicts of these mappings that were found first by a later run than this one.
pub(super) fn count_new(
    connection: &Connection,
    mappings: &[MappingId],
    after: RunId,
) -> Result<u64, StoreError> {
    let which = ConflictFilter::Mappings(mappings);
    if which.is_empty() {
        return Ok(0);
    }
    let (index, condition) = open_where(which);
    let count: i64 = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM conflict c INDEXED BY {index} JOIN pair p ON p.id = c.pair
             WHERE c.closed IS NULL AND c.run > ?1{condition}"
        ))?
        .query_row([after], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// A page of open conflicts by number, after `after`.
pub(super) fn open(
    connection: &Connection,
    which: ConflictFilter<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<OpenConflict>, StoreError> {
    if which.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(&open_sql(which))?;
    let mut rows = statement.query(params![after, limit])?;
    let mut conflicts = Vec::new();
    while let Some(row) = rows.next()? {
        conflicts.push(OpenConflict {
            id: row.get(0)?,
            conflict: Conflict {
                pair: row.get(1)?,
                slot: slot_of(row.get(2)?)?,
                left: seen(row, 3)?,
                right: seen(row, 4)?,
                reason: reason(row, 5, 17)?,
                run: row.get(6)?,
            },
            mapping: row.get(10)?,
            objects: Sides::new(row.get(13)?, row.get(14)?),
            ids: Sides::new(row.get(11)?, row.get(12)?),
            fields: Sides::new(row.get(15)?, row.get(16)?),
            first: Timestamp::from_micros(row.get(7)?),
            last: Timestamp::from_micros(row.get(8)?),
            times: u64::try_from(row.get::<_, i64>(9)?).unwrap_or_default(),
            ruling: ruling(row, 18)?,
        });
    }
    Ok(conflicts)
}
