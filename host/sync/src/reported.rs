//! Reported: applies a reported row to a pair, and updates the pair's status. Pure: no I/O.

use super::definition::ObjectMapping;
use super::number::{Column, RunId, Slot};
use super::pair::{Pair, Seen, Status};
use super::reason::Reason;
use super::report::{Batch, FieldTime, Page, Row};
use entente_core::{Side, Timestamp, Value};

/// The moments that a reported row is dated by, and the run that reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// When the row arrived. No value came to be later.
    pub(super) at: Timestamp,
    /// When the last report that was read to its end was started: a value that is new now was not there yet.
    pub(super) last: Option<Timestamp>,
    pub(super) run: RunId,
}

impl Arrival {
    /// The time that a side gave for a field itself; ahead of its arrival it is an upper bound at best. `before`: the
    /// time of the same value, where the field has not changed.
    fn own_time(&self, time: FieldTime, differs: bool, before: Option<FieldTime>) -> FieldTime {
        match before.filter(|_| !differs) {
            // A host clock that was set back puts no told time ahead of its arrival.
            Some(before) if before.certain && time.at == before.at => before,
            // The value was there before that time: it lay ahead when the value arrived, and waiting for it proves nothing.
            Some(before) if !before.certain && time.at >= before.at.min(self.at) => before,
            Some(before) if !before.certain => time,
            _ if time.at <= self.at => time,
            _ if differs => FieldTime::between(time.after.max(self.last), self.at),
            _ => FieldTime::by(self.at),
        }
    }

    /// The span of a value that is new since the last report, by the record's change time. A record that says to be
    /// older than a report without this value has a clock that is late, and counts as without time.
    fn span(&self, changed: Option<Timestamp>) -> FieldTime {
        let by = changed.map_or(self.at, |changed| changed.min(self.at));
        match self.last {
            Some(last) if by <= last && last < self.at => FieldTime::by(self.at),
            last => FieldTime::between(last, by),
        }
    }
}

/// The record of a page that is dated furthest ahead of its arrival, by more than `tolerance` microseconds: object, id,
/// time.
pub(super) fn furthest_ahead(
    page: &Page,
    arrival: Timestamp,
    tolerance: i64,
) -> Option<(&str, &str, Timestamp)> {
    let rows =
        page.batches.iter().flat_map(|batch| batch.rows.iter().map(|row| (batch.object.as_str(), row)));
    let latest = rows.filter_map(|(object, row)| {
        let fields = row.times.iter().flatten().map(|time| time.at).max();
        Some((object, row.id.as_str(), fields.max(row.changed)?))
    });
    let ahead = |at: Timestamp| at.micros().saturating_sub(arrival.micros()) > tolerance;
    latest.filter(|(.., at)| ahead(*at)).max_by_key(|(.., at)| *at)
}

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
    arrival: Arrival,
) -> bool {
    let mut new = pair.half(side).id.as_deref() != Some(row.id.as_str());
    for &(slot, Column(column)) in columns {
        let Some(value) = row.values.get(column).and_then(Option::as_ref) else {
            continue;
        };
        let before = pair.half(side).seen(slot);
        let last =
            before.map(|seen| &seen.value).or_else(|| pair.agreed(slot).and_then(|agreed| agreed.half(side)));
        let differs = last != Some(value);
        let known = before.and_then(|seen| seen.time);
        let time = match row.times.get(column).copied().flatten() {
            Some(time) => Some(arrival.own_time(time, differs, known)),
            // The record's time is an upper bound for fields that have changed since the last report; other
            // fields keep their times, so that an unrelated edit never decides.
            None if differs && last.is_some() => Some(arrival.span(row.changed)),
            None if differs || known.is_none() => row.changed.map(|at| FieldTime::by(at.min(arrival.at))),
            None => known,
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
    half.changed = row.changed.map(|at| at.min(arrival.at));
    half.version = row.version.clone();
    half.read = Some(arrival.run);
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
        // A create with an unknown outcome: an edit of its source settles nothing.
        Status::Held if pair.is_of_unknown_fate() => {}
        // A record of the other side that has not been read yet, or that cannot be read.
        Status::Held if matches!(pair.reason, Some(Reason::NotReadYet { side: awaited, .. } | Reason::Unreadable { side: awaited, .. }) if awaited != side) =>
            {}
        Status::Held | Status::Excluded | Status::Deleted => pair.queue(),
        Status::Ok | Status::Failed if changed => pair.queue(),
        Status::Ok | Status::Failed | Status::Todo => {}
    }
}
