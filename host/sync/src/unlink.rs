//! Unlink: ends the link of two records, by the deletion policy or by the word of an operator. Pure: no I/O.

use super::pair::{Half, Pair, Status};
use super::reason::Reason;
use super::settle::forget_agreed;
use super::subject::RecordRef;
use entente_core::{Side, Sides, Timestamp};

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

/// Operator decision: the records of a pair are not counterparts of each other. Each keeps what it has, in a pair of its
/// own, and is not made again on the other side. Returns the pair of the right one.
pub fn unlink(pair: &mut Pair, objects: &Sides<String>, at: Timestamp) -> Pair {
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
