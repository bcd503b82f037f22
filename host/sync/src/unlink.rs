//! Unlink: ends the link of two records, by the deletion policy or by the word of an operator. Pure: no I/O.

use super::change::Change;
use super::number::Slot;
use super::pair::{Half, Pair, Seen, Status};
use super::reason::Reason;
use super::report::FieldTime;
use super::settle::forget_agreed;
use super::subject::RecordRef;
use entente_core::{Reference, Side, Sides, Timestamp, Value};

/// Operator decision: ends the link of a survivor with a record that was deleted under the policy `ignore`, as the policy
/// `unlink` does, so that the survivor may be matched with another record of that side. False where the pair has no
/// such link.
pub fn release_survivor(pair: &mut Pair, gone: Side, object: &str) -> bool {
    let survivor = pair.half(gone.other());
    let stands = survivor.id.is_some() && survivor.deleted.is_none();
    let (Status::Deleted, true, Half { id: Some(id), deleted: Some(deleted), .. }) =
        (pair.status, stands, pair.half(gone).clone())
    else {
        return false;
    };
    end_link(pair, gone, Half { deleted: Some(deleted), ..Half::default() });
    pair.status = Status::Excluded;
    pair.reason = Some(Reason::Unlinked { side: gone, object: object.to_owned(), id: Some(id) });
    true
}

/// Ends the link of a pair: removes the record of a side and clears the merge base, so that the survivor is
/// merged afresh with its next counterpart.
pub(super) fn end_link(pair: &mut Pair, gone: Side, left: Half) {
    forget_agreed(pair, gone.other());
    *pair.half_mut(gone) = left;
    pair.keys[gone] = Some(Vec::new());
}

/// Dates the value of a side that a sync has written there: it came by a link that is wrong, and says nothing of the record
/// once that has its own counterpart. `history`: the executed changes of the pair, the latest last.
fn date_own_write(pair: &mut Pair, side: Side, slot: Slot, history: &[Change]) {
    let Some(value) = pair.current(side, slot).filter(|value| !value.is_blank()).cloned() else { return };
    let written = history.iter().rev().filter(|change| change.target == side).find_map(|change| {
        let field = change.fields.iter().find(|field| field.slot == slot)?;
        Some((field.result(), change.sent.or(change.settled)?))
    });
    if let Some((result, written)) = written
        && pair.half(side).seen(slot).is_none()
        && *result == value
    {
        let time = Some(FieldTime::of_sync(written));
        pair.half_mut(side).set_seen(slot, Some(Seen { value, time }));
    }
}

/// Operator decision: the link by which references to a record of a side were settled is removed. Both values stand as they
/// are, and the one that a sync wrote gives way once both records have their counterparts.
pub fn unsettle_references(
    pair: &mut Pair,
    side: Side,
    record: &Reference,
    history: &[Change],
    at: Timestamp,
) {
    let refers = |slot: &Slot| {
        let value = pair.agreed(*slot).and_then(|agreed| agreed.half(side));
        matches!(value, Some(Value::Reference(reference)) if reference == record)
    };
    let slots: Vec<Slot> = Slot::first(pair.agreed.len()).filter(refers).collect();
    slots.into_iter().for_each(|slot| unsettle(pair, slot, history, at));
}

fn unsettle(pair: &mut Pair, slot: Slot, history: &[Change], at: Timestamp) {
    for side in Side::BOTH {
        date_own_write(pair, side, slot, history);
        if pair.half(side).seen(slot).is_none() {
            let value = pair.current(side, slot).cloned();
            let time = Some(FieldTime::of_people(at));
            pair.half_mut(side).set_seen(slot, value.map(|value| Seen { value, time }));
        }
    }
    pair.forget_agreed(slot);
    if pair.status == Status::Ok {
        pair.status = Status::Todo;
        pair.reason = None;
    }
}

/// Operator decision: the records of a pair are not counterparts of each other. Each keeps what it has, in a pair of its
/// own, and is not made again on the other side. Returns the pair of the right one. `history`: the executed changes of the
/// pair, the latest last.
pub fn unlink(pair: &mut Pair, objects: &Sides<String>, history: &[Change], at: Timestamp) -> Pair {
    for slot in Slot::first(pair.agreed.len()) {
        for side in Side::BOTH {
            date_own_write(pair, side, slot, history);
        }
    }
    let mut other = pair.clone();
    other.id = 0;
    for (pair, own) in [(&mut *pair, Side::Left), (&mut other, Side::Right)] {
        let gone = own.other();
        let id = pair.half(gone).id.clone().unwrap_or_default();
        end_link(pair, gone, Half { deleted: Some(at), ..Half::default() });
        pair.status = Status::Excluded;
        pair.reason = Some(Reason::LinkRemoved { record: RecordRef::new(gone, &objects[gone], &id) });
        pair.attempts = 0;
        pair.due = None;
        pair.dirty = false;
    }
    other
}

/// Operator decision: what is left of a link to a deleted record, or to one that it was linked with by mistake, no longer
/// keeps a survivor from having another counterpart.
pub fn forget_deleted(pair: &mut Pair, survivor: Side) {
    if pair.half(survivor.other()).deleted.is_some() {
        end_link(pair, survivor.other(), Half::default());
    }
}

/// Operator decision: a record takes no part in the sync; its counterpart, if it has one, stays as it is.
pub fn leave_out(pair: &mut Pair, own: Side) {
    pair.half_mut(own).left_out = true;
    pair.status = Status::Excluded;
    pair.reason = pair.why_out();
    pair.attempts = 0;
    pair.due = None;
}

/// Operator decision: a record that was left out takes part again, and its pair is decided anew.
pub fn take_in(pair: &mut Pair, own: Side) {
    pair.half_mut(own).left_out = false;
    pair.queue();
}
