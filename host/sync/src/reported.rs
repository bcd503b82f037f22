//! Reported: applies a reported row to a pair, and updates the pair's status. Pure: no I/O.

use super::definition::ObjectMapping;
use super::number::{Column, RunId, Slot};
use super::pair::{Pair, Seen, Status};
use super::reason::Reason;
use super::report::{Batch, FieldTime, Row};
use entente_core::{Side, Timestamp, Value};

/// The column of a batch that each slot is in.
pub(super) fn columns_of(mapping: &ObjectMapping, side: Side, batch: &Batch) -> Vec<(Slot, Column)> {
    let column = |name: &str| batch.fields.iter().position(|field| field == name).map(Column);
    mapping.fields.iter().filter_map(|field| Some((field.slot, column(field.name(side))?))).collect()
}

pub(super) fn value_at<'r>(columns: &[(Slot, Column)], row: &'r Row, slot: Slot) -> Option<&'r Value> {
    let Column(column) = columns.iter().find(|(known, _)| *known == slot)?.1;
    row.values.get(column)?.as_ref()
}

/// Applies a row to a half of its pair. Returns whether the row differs from what was known.
pub(super) fn apply_row(
    pair: &mut Pair,
    side: Side,
    columns: &[(Slot, Column)],
    row: &Row,
    arrival: Timestamp,
    run: RunId,
) -> bool {
    let clamp = |time: FieldTime| FieldTime { at: time.at.min(arrival), ..time };
    let mut new = pair.half(side).id.as_deref() != Some(row.id.as_str());
    for &(slot, Column(column)) in columns {
        let Some(value) = row.values.get(column).and_then(Option::as_ref) else {
            continue;
        };
        let before = pair.half(side).seen(slot);
        let last =
            before.map(|seen| &seen.value).or_else(|| pair.agreed(slot).and_then(|agreed| agreed.half(side)));
        let differs = last != Some(value);
        let time = match row.times.get(column).copied().flatten() {
            Some(time) => Some(clamp(time)),
            // The record's time is an upper bound for fields that have changed since the last report; other
            // fields keep their times, so that an unrelated edit never decides.
            None if differs => row.changed.map(|at| clamp(FieldTime { at, certain: false })),
            None => before.and_then(|seen| seen.time),
        };
        let as_agreed = pair.agreed(slot).and_then(|agreed| agreed.half(side)) == Some(value);
        let seen = (!as_agreed).then(|| Seen { value: value.clone(), time });
        new |= differs;
        if pair.half(side).seen(slot) != seen.as_ref() {
            pair.half_mut(side).set_seen(slot, seen);
        }
    }
    let half = pair.half_mut(side);
    half.id = Some(row.id.clone());
    half.changed = row.changed.map(|at| at.min(arrival));
    half.version = row.version.clone();
    half.read = Some(run);
    if half.deleted.take().is_some() {
        new = true;
    }
    new
}

/// Updates a pair's status after its record was reported again; `changed` says whether anything differs.
pub(super) fn on_reported(pair: &mut Pair, side: Side, changed: bool) {
    match pair.status {
        Status::Live => pair.dirty |= changed,
        // Unlinked or undone: the other record is not created again, whatever is edited here.
        Status::Excluded
            if pair.half(side.other()).deleted.is_some() && pair.half(side.other()).id.is_none() => {}
        // Tombstone of the other side: a later edit of the survivor does not create the other record again.
        Status::Deleted if pair.half(side.other()).deleted.is_some() => {}
        // Duplicates and leftovers of a merge wait for the operator, whatever is edited on them. Other holds
        // are decided again.
        Status::Held if matches!(pair.reason, Some(Reason::DuplicateOf { .. } | Reason::Merged { .. })) => {}
        Status::Held | Status::Excluded | Status::Deleted => {
            pair.status = Status::Todo;
            pair.reason = None;
        }
        Status::Ok | Status::Failed if changed => {
            pair.status = Status::Todo;
            pair.reason = None;
            // Not 0: a change may have been sent and never answered.
            pair.attempts = pair.attempts.min(1);
            pair.due = None;
        }
        Status::Ok | Status::Failed | Status::Todo => {}
    }
}
