//! Plan: decides for one pair what to write on which side, and why. Pure: no I/O; the inputs besides the pair
//! are [`Inputs`].

use super::change::{Change, ChangedField, Choice, Conflict, Ruling};
use super::definition::{DeletePolicy, FieldMapping, ObjectMapping};
use super::filter::takes_part;
use super::links::Links;
use super::number::{PairId, RunId, Slot};
use super::options::StandingTrust;
use super::pair::{Agreed, Half, Pair, Seen, Status};
use super::reason::{FieldReason, Reason};
use super::subject::RecordRef;
use super::unlink::end_link;
use entente_core::{
    Current, Decision, FieldRules, FieldTime, Reference, Settled, Side, Sides, Value, Why, Write, settle,
    settle_new,
};
use std::collections::HashMap;

/// Decisions about a batch of pairs.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) conflicts: Vec<Conflict>,
    /// The operator's rulings on conflicts of these pairs.
    pub(super) rulings: HashMap<(PairId, Slot), Ruling>,
    /// What creates without an answer carried to a side that takes an idempotency key once, by that side.
    pub(super) sent: HashMap<(PairId, Side), Vec<ChangedField>>,
}

/// Features of an object on a side, and what this run knows of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Capabilities {
    /// Proof of absence: every record is in the ledger.
    pub(super) listed: bool,
    pub(super) create: bool,
    pub(super) delete: bool,
    /// Records can be read by id, just before a write.
    pub(super) by_id: bool,
    /// The plugin compares the base values itself before it writes.
    pub(super) base_values: bool,
    /// Conditional writes: refused where the record has another version.
    pub(super) conditional: bool,
    /// The side is in the store of the ledger and checks each field within the transaction.
    pub(super) local: bool,
}

/// Inputs of the decisions about the pairs of one mapping.
#[derive(Debug, Clone)]
pub(super) struct Inputs<'m> {
    pub(super) mapping: &'m ObjectMapping,
    /// Fields that are not parked.
    pub(super) fields: Vec<&'m FieldMapping>,
    /// Slots of parked fields (schema drift).
    pub(super) parked: Vec<Slot>,
    pub(super) sides: Sides<Capabilities>,
    /// Resolution of change times, in microseconds: the coarser one of both sides.
    pub(super) precision: u64,
    /// A side does not tell null from empty.
    pub(super) one_blank: bool,
    /// One-time trust: the side that wins in this run, whatever changed.
    pub(super) trust: Option<StandingTrust>,
    pub(super) run: RunId,
    /// A side could not be read to its end.
    pub(super) read_failed: bool,
    /// The run reads both sides from their bookmarks: a record that it did not read has not changed.
    pub(super) follows_bookmarks: bool,
}

/// Decision about a linked pair: the result of the three-way merge.
#[derive(Debug, Default)]
pub(super) struct Linked<'m> {
    /// Fields whose values are equal on both sides; they become the new merge base.
    pub(super) agreements: Vec<&'m FieldMapping>,
    /// Of these, and of those that wait, the ones whose values differ on purpose.
    pub(super) differing: Vec<(Slot, FieldReason)>,
    /// Fields in conflict, with the verdict of the judge.
    pub(super) conflicts: Vec<(Conflict, Why)>,
    /// Fields to write, by target side.
    pub(super) writes: Sides<Vec<ChangedField>>,
}

impl Linked<'_> {
    /// Notes what is written to a field. `times`: when the fact that it is part of came to be, where it is one of a group.
    fn write(
        &mut self,
        field: &FieldMapping,
        pair: &Pair,
        writes: Vec<Write>,
        reason: &FieldReason,
        times: Option<Sides<Option<FieldTime>>>,
    ) {
        let joint = writes.len() > 1;
        for write in writes {
            let target = write.target;
            let own = || pair.half(target).seen(field.slot).and_then(|seen| seen.time);
            self.writes[target].push(ChangedField {
                slot: field.slot,
                value: write.value,
                source: write.source,
                base: current(field, pair, target).cloned(),
                time: times.map_or(write.time, |times| times[target.other()]),
                base_time: times.map_or_else(own, |times| times[target]),
                joint,
                stored: None,
                reason: reason.clone(),
            });
        }
    }
}

/// Decision about a record without a counterpart.
#[derive(Debug, PartialEq)]
pub(super) enum NewRecord {
    /// Undecided: the counterpart may be on a page that was not read.
    Later,
    /// No counterpart is created.
    Excluded(Reason),
    /// Held for the operator.
    Held(Reason),
    /// A counterpart with these fields is created. Fields that have a value and are left out have a reason.
    Create(Vec<ChangedField>, Vec<(Slot, FieldReason)>),
}

impl NewRecord {
    /// Whether the values that the record has by now are why no counterpart is created.
    pub(super) fn lacks_values(&self) -> bool {
        use Reason::{AbsenceNotProven, NothingFlows, ParentGone, Required, WouldBeOutsideFilter};
        match self {
            NewRecord::Excluded(reason) => {
                matches!(reason, NothingFlows { .. } | WouldBeOutsideFilter { .. })
            }
            NewRecord::Held(AbsenceNotProven { without, .. }) => *without,
            NewRecord::Held(reason) => matches!(reason, Required { .. } | ParentGone { .. }),
            NewRecord::Later | NewRecord::Create(..) => false,
        }
    }
}

/// Decision about a pair with a tombstone.
#[derive(Debug, PartialEq)]
pub(super) enum Gone {
    /// Nothing is written.
    Settled(Status, Reason),
    /// Held for the operator.
    Held(Reason),
    /// The deleted record is created again.
    Recreate,
    /// The survivor, by its id, is deleted too. The fields hold its values, so that the delete can be undone.
    Delete(String, Vec<ChangedField>),
}

/// Protection against lost updates: whether a write can overwrite an edit that was made on the target after
/// the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteCheck {
    /// Protected: by a conditional write, by comparing the base values, or by reading the record just before.
    Checked,
    /// Unprotected, but the last report is recent: of this run, or followed without a gap.
    Unchecked,
    /// Unprotected, and the last report is old: nothing is written.
    NotCheckable,
}

/// Current value of a side for a field.
pub(super) fn current<'p>(field: &'p FieldMapping, pair: &'p Pair, side: Side) -> Option<&'p Value> {
    field.value_of(side, || pair.current(side, field.slot))
}

/// The writes that a ruling leads to, and why there are none where a rule of the field withholds them; `None` where a
/// value has changed since the ruling.
pub(super) fn ruled(
    rules: &FieldRules<'_>,
    ruling: &Ruling,
    now: Sides<Current<'_>>,
) -> Option<(Decision, Option<Why>)> {
    if Side::BOTH.into_iter().any(|side| ruling.values[side] != *now[side].value) {
        return None;
    }
    match &ruling.choice {
        Choice::Side(side) => {
            let trusting = FieldRules { trust: Some(*side), ..*rules };
            let settled = settle(&trusting, None, Some(now.left), Some(now.right));
            let withheld = (settled.decision == Decision::Agree).then_some(settled.why);
            Some((settled.decision, withheld))
        }
        Choice::Value(value) => {
            let mut writes = Vec::new();
            for target in Side::BOTH {
                let wanted =
                    if target == Side::Left { value.clone() } else { rules.translate(value, Side::Left)? };
                if wanted != *now[target].value && rules.direction.reaches(target) && rules.writable[target] {
                    let source = now[target.other()].value.clone();
                    writes.push(Write { target, value: wanted, source, time: None });
                }
            }
            // One write only: the other side already has the value.
            Some((if writes.is_empty() { Decision::Agree } else { Decision::Write(writes) }, None))
        }
    }
}

/// The first reference of a side to a record without a pair.
fn dangling<'v>(links: &Links, side: Side, now: Option<Current<'v>>) -> Option<&'v Reference> {
    now?.value.references().iter().find(|reference| links.pair_of(side, reference).is_none())
}

/// The side whose reference still leads to a pair, where the one of the other side was agreed with it and leads to
/// none any more, with the record that the other one names: that was deleted, and its pair has, or will have, another one;
/// or a preferred record has taken its place, and it is held as a duplicate.
fn relinked<'v>(links: &Links, now: Sides<Option<Current<'v>>>) -> Option<(Side, &'v Reference)> {
    let leads = |side: Side| now[side].is_some_and(|now| now.link.is_some());
    Side::BOTH.into_iter().filter(|source| leads(*source)).find_map(|source| {
        let other = source.other();
        let gone = dangling(links, other, now[other]);
        Some((source, gone.or_else(|| replaced(links, source, now))?))
    })
}

/// The first reference of a side to a record without a counterpart, where the other side names one that has both.
fn replaced<'v>(links: &Links, source: Side, now: Sides<Option<Current<'v>>>) -> Option<&'v Reference> {
    let (named, other) = (now[source]?, now[source.other()]?);
    let both = named.link != other.link && links.translate(source, named.value).is_some();
    links.missing(source.other(), other.value).filter(|_| both)
}

/// Whether a side has an edit since the merge base.
pub(super) fn edited(pair: &Pair, side: Side) -> bool {
    Slot::first(pair.half(side).seen.len()).any(|slot| {
        pair.half(side).seen(slot).is_some_and(|seen| {
            match pair.agreed(slot).and_then(|agreed| agreed.half(side)) {
                Some(was) => *was != seen.value,
                // No base: a blank is not an edit.
                None => !seen.value.is_blank(),
            }
        })
    })
}

/// Makes the current values of these fields the merge base.
pub(super) fn agree(pair: &mut Pair, agreements: &[&FieldMapping]) {
    for field in agreements {
        let [left, right] = Side::BOTH.map(|side| current(field, pair, side).cloned());
        pair.set_agreed(field.slot, Agreed { left, right });
        for side in Side::BOTH {
            pair.half_mut(side).set_seen(field.slot, None);
        }
    }
}

impl<'m> Inputs<'m> {
    fn takes_part(&self, slot: Slot) -> bool {
        !self.parked.contains(&slot)
    }

    /// Whether records can be matched: no identifier is parked.
    fn recognises(&self) -> bool {
        self.mapping.identifiers.iter().all(|slot| self.takes_part(*slot))
    }

    /// The side with one-time trust for a field; it wins also where the field was settled before.
    pub(super) fn one_time_trust(&self, pair: &Pair, slot: Slot) -> Option<Side> {
        let standing = self.trust.as_ref().filter(|trust| trust.covers(self.mapping.id, pair.id, slot));
        standing.map(|standing| standing.trust.side)
    }

    /// Three-way merge of the fields of a linked pair.
    pub(super) fn linked(
        &self,
        pair: &Pair,
        links: &Links,
        rulings: &HashMap<(PairId, Slot), Ruling>,
    ) -> Linked<'m> {
        let mut linked = Linked::default();
        for slot in &self.parked {
            linked.differing.extend(pair.differs(*slot).map(|reason| (*slot, reason.clone())));
        }
        let mut grouped = self.grouped(pair, rulings);
        for field in &self.fields {
            let of_group = grouped.remove(&field.slot);
            let times = of_group.as_ref().map(|of| of.times);
            let time = |side: Side| match &times {
                Some(times) => times[side],
                None => pair.half(side).seen(field.slot).and_then(|seen| seen.time),
            };
            let (settled, reason) = match of_group {
                Some(of) => (of.settled, of.reason),
                None => self.field(field, pair, links, rulings),
            };
            match settled.decision {
                Decision::Unknown => {
                    linked.differing.extend(pair.differs(field.slot).map(|kept| (field.slot, kept.clone())));
                }
                Decision::Agree => {
                    linked.agreements.push(field);
                    let blank = |side| current(field, pair, side).is_none_or(Value::is_blank);
                    if settled.why != Why::Same && !Side::BOTH.into_iter().all(blank) {
                        // Settled in an earlier run: the reason is the one of that run.
                        let earlier = settled.why == Why::AsAgreed || field.set_like;
                        let kept = pair.differs(field.slot).filter(|_| earlier).cloned();
                        let filled = || {
                            let of = |side| current(field, pair, side);
                            let filled = |side: Side| field.is_filled(side, of(side), of(side.other()));
                            Side::BOTH.into_iter().any(filled).then_some(FieldReason::Default)
                        };
                        linked.differing.push((field.slot, kept.or_else(filled).unwrap_or(reason)));
                    }
                }
                Decision::Write(writes) => {
                    // Until it is written, and of a set also then, what was settled stays with its reason. What a trusted
                    // side has not written yet is nothing that differs on purpose.
                    let stays = field.set_like || self.one_time_trust(pair, field.slot).is_none();
                    let kept = pair.differs(field.slot).filter(|_| stays);
                    linked.differing.extend(kept.map(|kept| (field.slot, kept.clone())));
                    linked.write(field, pair, writes, &reason, times);
                }
                Decision::Conflict => {
                    linked.differing.extend(pair.differs(field.slot).map(|kept| (field.slot, kept.clone())));
                    let [left, right] = Side::BOTH.map(|side| Seen {
                        value: current(field, pair, side).cloned().unwrap_or(Value::Null),
                        time: time(side),
                    });
                    let (pair, slot, run) = (pair.id, field.slot, self.run);
                    linked.conflicts.push((Conflict { pair, slot, left, right, reason, run }, settled.why));
                }
            }
        }
        linked
    }

    /// Verdict on one field: of the judge, or a ruling of the operator where the judge finds a conflict.
    fn field(
        &self,
        field: &FieldMapping,
        pair: &Pair,
        links: &Links,
        rulings: &HashMap<(PairId, Slot), Ruling>,
    ) -> (Settled, FieldReason) {
        let slot = field.slot;
        // A constant is nobody's to be trusted or not.
        let once = self.one_time_trust(pair, slot).filter(|_| field.constant.is_none());
        let rules = FieldRules { trust: once.or(field.trust), ..field.rules(self.precision, self.one_blank) };
        let link = Sides::by(|side| {
            let value = pair.current(side, slot).filter(|_| field.is_reference())?;
            links.canonical(side, value)
        });
        let now = Sides::by(|side| {
            let time = pair.half(side).seen(slot).and_then(|seen| seen.time);
            Some(Current { value: current(field, pair, side)?, link: link[side].as_ref(), time })
        });
        let halves = pair
            .agreed(slot)
            .filter(|_| once.is_none())
            .map(|agreed| Sides::by(|side| field.value_of(side, || agreed.half(side))));
        let settled = settle(&rules, halves, now.left, now.right);
        if settled.decision == Decision::Conflict
            && let (Some(ruling), Some(now)) = (rulings.get(&(pair.id, slot)), now.both())
            && let Some((decision, withheld)) = ruled(&rules, ruling, now)
        {
            let reason = withheld.map_or(FieldReason::Ruled, FieldReason::Judge);
            return (Settled { decision, why: withheld.unwrap_or(settled.why) }, reason);
        }
        let as_agreed = settled.why == Why::AsAgreed
            || once.is_some() && {
                // Who trusts a side trusts what it says, and a reference that leads nowhere says nothing.
                let known = pair.agreed(slot);
                let halves = known.map(|agreed| Sides::by(|side| field.value_of(side, || agreed.half(side))));
                let own = FieldRules { trust: field.trust, ..rules };
                settle(&own, halves, now.left, now.right).why == Why::AsAgreed
            };
        // No rule withholds anything: the reason of a field that was decided with the record itself is none.
        let free = |kept: &FieldReason| {
            matches!(kept, FieldReason::ParentGone { .. } | FieldReason::Judge(Why::AsAgreed))
        };
        if as_agreed
            && pair.differs(slot).is_none_or(free)
            && let Some((source, reference)) = relinked(links, now)
        {
            let trusting = FieldRules { trust: Some(source), ..rules };
            let record = RecordRef::of(source.other(), reference);
            return (settle(&trusting, None, now.left, now.right), FieldReason::Relinked { record });
        }
        let why = FieldReason::Judge(settled.why);
        (settled, why)
    }

    /// How an update of the target is protected against a lost update.
    pub(super) fn write_check(&self, pair: &Pair, target: Side) -> WriteCheck {
        let can = self.sides[target];
        let half = pair.half(target);
        if can.local || (can.conditional && half.version.is_some()) || can.by_id || can.base_values {
            WriteCheck::Checked
        } else if self.follows_bookmarks || half.read == Some(self.run) {
            WriteCheck::Unchecked
        } else {
            WriteCheck::NotCheckable
        }
    }

    /// Decides whether a counterpart is created on `target`: requires proof of absence and every required
    /// field.
    pub(super) fn new_record(&self, pair: &Pair, target: Side) -> NewRecord {
        let source = target.other();
        let object = self.mapping.object(target);
        if self.read_failed {
            return NewRecord::Later;
        }
        if !self.mapping.create[target] || !self.sides[target].create {
            return NewRecord::Excluded(Reason::NotCreatedThere { side: target });
        }
        if !self.recognises() {
            return NewRecord::Held(Reason::Schema { side: target, object: object.to_owned() });
        }
        if !self.sides[target].listed && pair.half(source).no_match_in != Some(self.run) {
            return NewRecord::Held(self.not_proven(pair, target));
        }
        let (mut fields, mut left_out) = (Vec::new(), Vec::new());
        let mut own = false;
        for field in &self.mapping.fields {
            if let Some(reason) = pair.refused(target, field.slot) {
                left_out.push((field.slot, reason.clone()));
                continue;
            }
            match self.new_field(field, pair, target) {
                Ok(Ok(changed)) => {
                    own |= changed.reason != FieldReason::Default
                        && !field.is_constant(source)
                        && !changed.value.is_blank();
                    fields.push(changed);
                }
                Ok(Err(why)) => {
                    if current(field, pair, source).is_some_and(|value| !value.is_blank()) {
                        left_out.push((field.slot, why.into()));
                    }
                }
                Err(why) => {
                    let (object, field) = (object.to_owned(), field.name(target).to_owned());
                    return NewRecord::Held(Reason::Required { side: target, object, field, why });
                }
            }
        }
        if !own {
            return NewRecord::Excluded(Reason::NothingFlows { side: target });
        }
        if !self.meets_filter(target, &fields) {
            return NewRecord::Excluded(Reason::WouldBeOutsideFilter { side: target });
        }
        NewRecord::Create(fields, left_out)
    }

    /// A field of a new record, or why nothing is written; an error where a required field has no value.
    fn new_field(
        &self,
        field: &FieldMapping,
        pair: &Pair,
        target: Side,
    ) -> Result<Result<ChangedField, Why>, Why> {
        let source = target.other();
        let from = current(field, pair, source).filter(|_| self.takes_part(field.slot));
        let new = |value: Value, source: Value, time, reason: FieldReason| ChangedField {
            slot: field.slot,
            value,
            source,
            base: None,
            time,
            base_time: None,
            joint: false,
            stored: None,
            reason,
        };
        if from.is_none_or(Value::is_blank)
            && let Some(default) = &field.default[target]
            && field.direction.reaches(target)
        {
            let from = from.cloned().unwrap_or(Value::Null);
            return Ok(Ok(new(default.clone(), from, None, FieldReason::Default)));
        }
        let time = pair.half(source).seen(field.slot).and_then(|seen| seen.time);
        let now = from.map(|value| Current { value, link: None, time });
        match settle_new(&field.rules(1, self.one_blank), now, target)? {
            Ok(write) => Ok(Ok(new(write.value, write.source, write.time, Why::NewRecord.into()))),
            Err(why) => Ok(Err(why)),
        }
    }

    /// The reason for a create without proof of absence.
    fn not_proven(&self, pair: &Pair, target: Side) -> Reason {
        let (mapping, source) = (self.mapping, target.other());
        let fields = || mapping.identifiers.iter().filter_map(|slot| mapping.field(*slot));
        let blank = |field: &FieldMapping| current(field, pair, source).is_none_or(Value::is_blank);
        let id = pair.half(source).id.as_deref().unwrap_or_default();
        Reason::AbsenceNotProven {
            record: RecordRef::new(source, mapping.object(source), id),
            object: mapping.object(target).to_owned(),
            identifiers: fields().map(|field| field.name(target).to_owned()).collect(),
            without: fields().all(blank),
        }
    }

    /// Whether a new record with these fields would meet the filter of its side. Conditions on fields that
    /// this sync does not write are not checked, since their values are unknown.
    fn meets_filter(&self, target: Side, fields: &[ChangedField]) -> bool {
        let mapping = self.mapping;
        let written = |name: &str| {
            let field = mapping.fields.iter().find(|field| field.name(target) == name)?;
            let ours =
                field.direction.reaches(target) && field.writable[target] && self.takes_part(field.slot);
            ours.then_some(field.slot)
        };
        mapping.filters[target].iter().filter(|condition| written(&condition.field).is_some()).all(
            |condition| {
                takes_part(std::slice::from_ref(condition), |name| {
                    let slot = written(name)?;
                    fields.iter().find(|field| field.slot == slot).map(|field| &field.value)
                })
            },
        )
    }

    /// Applies the deletion policy to a pair whose record on `gone` was deleted. Clears the merge base where
    /// the policy ends the link.
    pub(super) fn gone(&self, pair: &mut Pair, gone: Side) -> Gone {
        let (mapping, survivor) = (self.mapping, gone.other());
        let object = mapping.object(gone);
        // A tombstone has no match keys.
        pair.keys[gone] = Some(Vec::new());
        if pair.half(survivor).id.is_none() || pair.half(survivor).deleted.is_some() {
            pair.keys[survivor] = Some(Vec::new());
            return Gone::Settled(Status::Deleted, Reason::DeletedEverywhere);
        }
        let Some(was) = pair.half(gone).id.clone() else {
            let reason = match &pair.reason {
                Some(kept @ (Reason::Undone | Reason::LinkRemoved { .. })) => kept.clone(),
                _ => Reason::Unlinked { side: gone, object: object.to_owned(), id: None },
            };
            return Gone::Settled(Status::Excluded, reason);
        };
        let record = RecordRef::new(gone, object, &was);
        match mapping.deletes {
            DeletePolicy::Ignore => Gone::Settled(Status::Deleted, Reason::DeletedIgnored { record }),
            DeletePolicy::Unlink => {
                let deleted = pair.half(gone).deleted;
                end_link(pair, gone, Half { deleted, ..Half::default() });
                let RecordRef { object, id, .. } = record;
                Gone::Settled(Status::Excluded, Reason::Unlinked { side: gone, object, id: Some(id) })
            }
            DeletePolicy::Recreate => {
                end_link(pair, gone, Half::default());
                Gone::Recreate
            }
            DeletePolicy::Delete => self.delete_survivor(pair, survivor, record),
        }
    }

    fn delete_survivor(&self, pair: &Pair, survivor: Side, deleted: RecordRef) -> Gone {
        let mapping = self.mapping;
        let id = pair.half(survivor).id.clone().unwrap_or_default();
        if edited(pair, survivor) {
            let edited = RecordRef::new(survivor, mapping.object(survivor), &id);
            return Gone::Held(Reason::DeletedAndEdited { deleted, edited });
        }
        if !self.sides[survivor].delete {
            let object = mapping.object(survivor).to_owned();
            return Gone::Settled(Status::Deleted, Reason::CannotBeDeleted { record: deleted, object });
        }
        let kept = |field: &FieldMapping| {
            Some(ChangedField {
                slot: field.slot,
                value: Value::Null,
                source: Value::Null,
                base: Some(pair.current(survivor, field.slot)?.clone()),
                time: None,
                base_time: pair.half(survivor).seen(field.slot).and_then(|seen| seen.time),
                joint: false,
                stored: None,
                reason: FieldReason::Deleted { record: deleted.clone() },
            })
        };
        Gone::Delete(id, mapping.fields.iter().filter_map(kept).collect())
    }
}

#[cfg(test)]
mod tests;
