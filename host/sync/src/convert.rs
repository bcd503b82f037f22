//! Conversions: moves pairs of records that were merged into another record, got another id, or became
//! records of another object.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::identity;
use super::limits;
use super::number::MappingId;
use super::pair::{Agreed, Pair, Seen, Status};
use super::reason::{Code, Reason};
use super::report::{Batch, Conversion, Page};
use super::session::Session;
use super::settle::{forget_agreed, set_undone};
use super::subject::RecordRef;
use super::working::{Entry, Working};
use entente_core::{Reference, Side};

/// Queues a pair for a decision, or marks it dirty while an order is in flight. Another id of its source does not settle
/// what became of a create.
pub(super) fn mark_for_decision(pair: &mut Pair) {
    if pair.status == Status::Live {
        pair.dirty = true;
    } else if !pair.is_of_unknown_fate() {
        pair.queue();
    }
}

/// Holds a pair whose record has another id until that one has been read: it may be an older record, with values
/// and a place in the filter of its own.
pub(super) fn await_reading(pair: &mut Pair, mapping: &ObjectMapping, side: Side) {
    // What was read of it is of the record that it was before: however its pair is queued, nothing is decided by that.
    pair.half_mut(side).read = None;
    if pair.status != Status::Live && !pair.is_of_unknown_fate() {
        pair.status = Status::Held;
        pair.reason = Some(Reason::NotReadYet { side, object: mapping.object(side).to_owned() });
    }
}

/// Whether a pair is what a merge on this side has left over.
pub(super) fn is_left_over(pair: &Pair, side: Side) -> bool {
    let merged = matches!(&pair.reason, Some(Reason::Merged { into, .. }) if into.side == side);
    pair.status == Status::Held && merged
}

/// Whether a page also tells the loser of a merge as deleted.
fn is_told_gone(page: &Page, conversion: &Conversion) -> bool {
    let before = &conversion.before;
    let names = |batch: &Batch| batch.deleted.iter().any(|deletion| deletion.id == before.id);
    page.batches.iter().any(|batch| batch.object == before.object && names(batch))
}

/// Clears the merge base of sets, which are united then: what the winner of a merge lacks need not have been taken
/// off it.
pub(super) fn forget_sets(mapping: &ObjectMapping, pair: &mut Pair, survivor: Side) {
    for field in mapping.fields.iter().filter(|field| field.set_like) {
        let Some(agreed) = pair.agreed(field.slot).cloned() else { continue };
        if let (None, Some(value)) = (pair.half(survivor).seen(field.slot), agreed.half(survivor).cloned()) {
            pair.half_mut(survivor).set_seen(field.slot, Some(Seen { value, time: None }));
        }
        pair.set_agreed(field.slot, Agreed { left: None, right: None });
    }
}

/// Leaves out conversions that later ones of the page have taken back: what became another record and that one it again is
/// what it was.
fn without_circles(conversions: &mut Vec<Conversion>) {
    let taken_back = |place: usize, conversion: &Conversion| {
        let later = conversions.iter().skip(place + 1);
        let mut now = &conversion.after;
        for step in later.filter(|step| step.before != step.after) {
            if step.before == *now {
                now = &step.after;
                if *now == conversion.before {
                    return true;
                }
            }
        }
        false
    };
    let kept: Vec<bool> =
        conversions.iter().enumerate().map(|(place, conversion)| !taken_back(place, conversion)).collect();
    let mut kept = kept.into_iter();
    conversions.retain(|_| kept.next().unwrap_or(true));
}

impl Session<'_> {
    /// Conversions whose target was itself converted earlier in this run lead to what that one is by now.
    pub(super) fn follow_conversions(&mut self, side: Side, conversions: &mut Vec<Conversion>) {
        without_circles(conversions);
        let became = &mut self.became[side];
        for conversion in conversions {
            if let Some(now) = became.get(&conversion.after).filter(|now| **now != conversion.before) {
                conversion.after = now.clone();
            }
            became.values_mut().filter(|now| **now == conversion.before).for_each(|now| {
                *now = conversion.after.clone();
            });
            became.remove(&conversion.after);
            became.insert(conversion.before.clone(), conversion.after.clone());
        }
    }

    /// Conversions within an object (merge, new id). In a merge the winner keeps its pair if it has a
    /// counterpart, or may have one by an open create, and the loser's counterpart is held; else the loser's pair
    /// moves to the winner. Returns the records that have left their pairs so.
    pub(super) fn convert(&mut self, work: &mut Working<'_>, page: &Page) -> Vec<Reference> {
        let mut ended = Vec::new();
        let (mapping, side) = (work.mapping, work.side);
        let object = mapping.object(side);
        let ours = |conversion: &&Conversion| {
            conversion.before.object == object && conversion.after.object == object
        };
        for conversion in page.conversions.iter().filter(ours) {
            let Some(entry) = work.by_id.get(&conversion.before.id).copied() else {
                continue;
            };
            if conversion.before.id == conversion.after.id {
                continue;
            }
            let winner = work.by_id.get(&conversion.after.id).copied();
            if let Some(winner) = winner
                && !page.conversions.iter().any(|other| other.before == conversion.after)
            {
                self.is_back(work, winner);
            }
            let alone = |entry: Entry| work.pairs[entry].half(side.other()).id.is_none();
            // Its counterpart may be there already.
            let has_open = winner.is_some_and(|winner| work.has_open_create(winner));
            let may_be_made = match winner {
                Some(winner) => {
                    alone(winner)
                        && self.open_creates.may_have_made(mapping, &work.pairs[winner], side).is_some()
                }
                None => self.open_creates.any(mapping, side),
            };
            match winner {
                // The winner may be what an open create has made. It is told again when that is known, or is
                // a record of its own until then. The loser is not taken for deleted meanwhile.
                None if self.open_creates.under_way(mapping, side) && !is_told_gone(page, conversion) => {}
                _ if may_be_made => self.hold_loser(work, entry, conversion),
                Some(winner) if !alone(winner) || has_open || alone(entry) => {
                    self.hold_loser(work, entry, conversion);
                }
                Some(winner) => {
                    ended.push(conversion.before.clone());
                    // The winner has no counterpart: the pair of the loser moves to it.
                    let half = work.pairs[winner].half(side).clone();
                    work.remove(winner);
                    self.follow_record(
                        work,
                        entry,
                        &conversion.before.id,
                        half.id.clone().unwrap_or_default(),
                    );
                    let pair = &mut work.pairs[entry];
                    // The merge base is of another record: what the winner lacks was never taken off it.
                    forget_agreed(pair, side.other());
                    self.forgotten.insert(pair.id);
                    *pair.half_mut(side) = half;
                    pair.keys[side] = Some(identity::keys(mapping, side, |slot| pair.current(side, slot)));
                }
                None => {
                    ended.push(conversion.before.clone());
                    forget_sets(mapping, &mut work.pairs[entry], side.other());
                    self.follow_record(work, entry, &conversion.before.id, conversion.after.id.clone());
                    await_reading(&mut work.pairs[entry], mapping, side);
                }
            }
        }
        self.ended[side].extend(ended.iter().cloned());
        ended
    }

    /// A record that was merged away in an earlier run is there again, since another one has become it.
    fn is_back(&self, work: &mut Working<'_>, entry: Entry) {
        let (mapping, side) = (work.mapping, work.side);
        if !is_left_over(&work.pairs[entry], side) {
            return;
        }
        work.touch(entry);
        let pair = &mut work.pairs[entry];
        pair.half_mut(side).deleted = None;
        identity::renew(mapping, pair, side);
        await_reading(pair, mapping, side);
    }

    /// Merge into a record that has, or may have, a pair of its own: the loser has ended, and its counterpart is held.
    fn hold_loser(&mut self, work: &mut Working<'_>, entry: Entry, conversion: &Conversion) {
        let (mapping, side) = (work.mapping, work.side);
        work.touch(entry);
        // What a create has made that carried identifiers is known by these.
        let keys = work.sent_keys(work.pairs[entry].id, side.other());
        let (now, open) = (self.now(), keys.is_empty() && work.has_open_create(entry));
        let pair = &mut work.pairs[entry];
        if pair.half(side).deleted.is_some() {
            return;
        }
        if open {
            // It is gone, and what its create has made is still to be found out.
            self.note_deletion(mapping, pair, side, now);
            return;
        }
        let reason = Reason::Merged {
            from: Some(RecordRef::of(side, &conversion.before)),
            into: RecordRef::of(side, &conversion.after),
        };
        pair.half_mut(side).deleted = Some(now);
        pair.keys[side] = Some(Vec::new());
        if pair.halves.iter().any(|half| half.left_out) {
            // By the word of an operator nothing is done about this pair, and nobody waits for it.
        } else if pair.half(side.other()).id.is_some() && pair.half(side.other()).deleted.is_none() {
            self.hold(pair, mapping, side, reason);
        } else {
            pair.status = Status::Deleted;
            pair.reason = Some(reason);
        }
    }

    /// Pairs held since their records were merged into records that these changes of an undo have deleted. What they had is
    /// gone by the undo as well, and is no deletion by a person, however often the merge is told.
    pub(super) async fn merged_into_undone(&self, changes: &[Change]) -> Result<Vec<Pair>, SyncError> {
        let done = |change: &&Change| change.status == ChangeStatus::Done && change.is_delete_of_undo();
        let undone: Vec<&Change> = changes.iter().filter(done).collect();
        let (mut pairs, now) = (Vec::new(), self.now());
        for mapping in &self.definition.mappings {
            let mut after = 0;
            while undone.iter().any(|change| change.mapping == mapping.id) {
                let ledger = self.engine.ledger;
                let held = ledger.held(mapping.id, Code::Merged, after, limits::RECONCILE_PAIRS).await?;
                let Some(last) = held.last() else { break };
                after = last.id;
                for mut pair in held {
                    let Some(Reason::Merged { into, .. }) = &pair.reason else { continue };
                    let side = into.side;
                    let deletes = |change: &&Change| {
                        (change.mapping, change.target) == (mapping.id, side)
                            && into.object == mapping.object(side)
                            && change.record() == Some(into.id.as_str())
                    };
                    if undone.iter().any(deletes) {
                        set_undone(&mut pair, side, now);
                        pairs.push(pair);
                    }
                }
            }
        }
        Ok(pairs)
    }

    /// Moves a pair to the new id of its record.
    fn follow_record(&mut self, work: &mut Working<'_>, entry: Entry, before: &str, after: String) {
        let side = work.side;
        let pair = &mut work.pairs[entry];
        let half = pair.half_mut(side);
        half.id = Some(after.clone());
        half.version = None;
        half.deleted = None;
        mark_for_decision(pair);
        work.by_id.remove(before);
        work.by_id.insert(after, entry);
        work.touch(entry);
    }

    /// Conversions between objects (a lead became a contact): moves the pair to the mapping of the new
    /// object, if that has the same object on the other side; else the pair is held.
    pub(super) async fn convert_across(
        &mut self,
        side: Side,
        conversions: &[Conversion],
    ) -> Result<(), SyncError> {
        let definition = self.definition;
        for conversion in
            conversions.iter().filter(|conversion| conversion.before.object != conversion.after.object)
        {
            for from in
                definition.mappings.iter().filter(|mapping| mapping.object(side) == conversion.before.object)
            {
                let ids = std::slice::from_ref(&conversion.before.id);
                let Some(mut pair) = self.engine.ledger.pairs_of(from.id, side, ids).await?.pop() else {
                    continue;
                };
                if pair.half(side).deleted.is_some() {
                    continue;
                }
                let fits = |to: &&ObjectMapping| {
                    to.object(side) == conversion.after.object
                        && to.object(side.other()) == from.object(side.other())
                };
                let target = definition.mappings.iter().find(fits);
                let taken = match target {
                    Some(to) => {
                        self.is_taken(to.id, side, &conversion.after.id, pair.half(side.other()).id.as_ref())
                            .await?
                    }
                    None => true,
                };
                match target {
                    Some(to) if !taken && pair.status != Status::Live => {
                        move_pair(&mut pair, from, to, side, &conversion.after.id);
                    }
                    _ => {
                        let reason = Reason::Converted {
                            from: Some(RecordRef::of(side, &conversion.before)),
                            into: RecordRef::of(side, &conversion.after),
                        };
                        if pair.reason.as_ref() == Some(&reason) {
                            continue;
                        }
                        self.hold(&mut pair, from, side, reason);
                    }
                }
                let mut unit = self.begin().await?;
                unit.save_pairs(std::slice::from_mut(&mut pair)).await?;
                unit.commit_soon().await?;
            }
        }
        Ok(())
    }

    /// Whether a mapping already has a pair for the converted record or for its counterpart.
    async fn is_taken(
        &self,
        mapping: MappingId,
        side: Side,
        id: &str,
        counterpart: Option<&String>,
    ) -> Result<bool, SyncError> {
        let ledger = self.engine.ledger;
        let winner = ledger.pairs_of(mapping, side, &[id.to_owned()]).await?;
        let other = match counterpart {
            Some(counterpart) => {
                ledger.pairs_of(mapping, side.other(), std::slice::from_ref(counterpart)).await?
            }
            None => Vec::new(),
        };
        Ok(!winner.is_empty() || !other.is_empty())
    }
}

/// Moves a pair to another mapping, with the merge base of fields that both mappings have.
fn move_pair(pair: &mut Pair, from: &ObjectMapping, to: &ObjectMapping, side: Side, id: &str) {
    let old = pair.clone();
    pair.mapping = to.id;
    pair.agreed.clear();
    for half in &mut pair.halves {
        half.seen.clear();
    }
    let other = side.other();
    for field in &to.fields {
        let Some(before) = from.fields.iter().find(|known| known.name(other) == field.name(other)) else {
            continue;
        };
        if before.name(side) == field.name(side) {
            if let Some(agreed) = old.agreed(before.slot) {
                pair.set_agreed(field.slot, agreed.clone());
            }
            pair.half_mut(side).set_seen(field.slot, old.half(side).seen(before.slot).cloned());
            pair.half_mut(other).set_seen(field.slot, old.half(other).seen(before.slot).cloned());
        } else if let Some(value) = old.current(other, before.slot) {
            let time = old.half(other).seen(before.slot).and_then(|seen| seen.time);
            pair.half_mut(other).set_seen(field.slot, Some(Seen { value: value.clone(), time }));
        }
    }
    let half = pair.half_mut(side);
    half.id = Some(id.to_owned());
    half.version = None;
    for side in Side::BOTH {
        pair.keys[side] = Some(identity::keys(to, side, |slot| pair.current(side, slot)));
    }
    pair.status = Status::Todo;
    pair.reason = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_left_out() {
        let conversion = |text: &str| {
            let of = |id: char| Reference { object: "person".to_owned(), id: id.to_string() };
            let mut ids = text.chars();
            Conversion { before: of(ids.next().unwrap()), after: of(ids.next().unwrap()), at: None }
        };
        let left = |texts: &[&str]| {
            let mut list: Vec<Conversion> = texts.iter().map(|text| conversion(text)).collect();
            without_circles(&mut list);
            let text = |one: &Conversion| format!("{}{}", one.before.id, one.after.id);
            list.iter().map(text).collect::<Vec<_>>().join(" ")
        };
        let table = [
            (&["ab"][..], "ab"),
            (&["ab", "bc"], "ab bc"),
            (&["bc", "ab"], "bc ab"),
            (&["ab", "ba"], "ba"),
            (&["ba", "ab"], "ab"),
            (&["ab", "bc", "ca"], "bc ca"),
            (&["ab", "ba", "ab"], "ab"),
            (&["ab", "ba", "ac"], "ba ac"),
            (&["ab", "cd", "ba"], "cd ba"),
        ];
        for (told, expected) in table {
            assert_eq!(left(told), expected, "{told:?}");
        }
    }
    use crate::{FieldMapping, Slot};
    use entente_core::{Sides, Value};

    #[test]
    fn what_both_mappings_have_goes_with_the_pair() {
        let field = |slot, left: &str, right: &str| FieldMapping {
            slot,
            names: Sides::new(left.to_owned(), right.to_owned()),
            ..FieldMapping::default()
        };
        let mapping = |id, right: &str, fields| ObjectMapping {
            id,
            objects: Sides::new("contact".to_owned(), right.to_owned()),
            fields,
            ..ObjectMapping::default()
        };
        let lead = mapping(1, "lead", vec![field(Slot(0), "email", "mail"), field(Slot(1), "name", "title")]);
        let contact =
            mapping(2, "contact", vec![field(Slot(0), "name", "full_name"), field(Slot(1), "email", "mail")]);
        let mut pair = Pair::new(1);
        pair.half_mut(Side::Right).id = Some("L1".to_owned());
        pair.half_mut(Side::Left).id = Some("7".to_owned());
        let agreed = |text: &str| Agreed { left: Some(Value::text(text)), right: Some(Value::text(text)) };
        pair.set_agreed(Slot(0), agreed("a@example.org"));
        pair.set_agreed(Slot(1), agreed("Ada"));
        move_pair(&mut pair, &lead, &contact, Side::Right, "C9");
        assert_eq!((pair.mapping, pair.half(Side::Right).id.as_deref()), (2, Some("C9")));
        assert_eq!(pair.agreed(Slot(1)), Some(&agreed("a@example.org")), "the same two fields stay settled");
        assert_eq!(pair.agreed(Slot(0)), None, "other fields meet for the first time");
        assert_eq!(pair.current(Side::Left, Slot(0)), Some(&Value::text("Ada")), "with what is known");
    }
}
