//! Decide: one pair at a time, what is to be written where, and why. No side is asked and nothing is stored
//! here.

use super::change::{Change, ChangeStatus, ChangedField, Choice, Conflict, Ruling};
use super::definition::{FieldMapping, ObjectMapping};
use super::deletions::AfterDeletion;
use super::feature::Feature;
use super::filter::takes_part;
use super::links::Links;
use super::number::{MappingId, PairId, Slot};
use super::order::Action;
use super::pair::{Agreed, Pair, Seen, Status};
use super::reason::{FieldReason, Reason, RecordRef};
use super::session::Session;
use entente_core::{
    Current, Decision, FieldRules, Settled, Side, Sides, Value, Why, Write, settle, settle_new,
};
use std::collections::HashMap;

/// What was decided about a batch of pairs.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) conflicts: Vec<Conflict>,
    /// What the operator has decided about fields of these pairs.
    pub(super) rulings: HashMap<(PairId, Slot), Ruling>,
}

/// What a side has for a field.
fn current<'p>(field: &'p FieldMapping, pair: &'p Pair, side: Side) -> Option<&'p Value> {
    field.value_of(side, || pair.current(side, field.slot))
}

/// What an operator's decision comes to: which sides are written.
fn ruled(rules: &FieldRules<'_>, ruling: &Ruling, now: Sides<Current<'_>>) -> Option<Decision> {
    if Side::BOTH.into_iter().any(|side| ruling.values[side] != *now[side].value) {
        return None;
    }
    match &ruling.choice {
        Choice::Side(side) => {
            let trusting = FieldRules { trust: Some(*side), ..*rules };
            Some(settle(&trusting, None, Some(now.left), Some(now.right)).decision)
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
            // Written to one side only, the value is what the other one has.
            Some(if writes.is_empty() { Decision::Agree } else { Decision::Write(writes) })
        }
    }
}

/// Why no counterpart is made where nothing proves that it is not there.
fn not_proven(mapping: &ObjectMapping, pair: &Pair, target: Side) -> Reason {
    let source = target.other();
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

impl Session<'_> {
    pub(super) fn decide(
        &mut self,
        mapping: &ObjectMapping,
        pair: &mut Pair,
        links: &Links,
        plan: &mut Plan,
    ) {
        if let Some(side) = Side::BOTH.into_iter().find(|side| pair.half(*side).filtered) {
            // Outside the filter nothing is written, and nothing is deleted.
            let gone = pair.halves.iter().any(|half| half.deleted.is_some());
            pair.status = if gone { Status::Deleted } else { Status::Excluded };
            pair.reason = Some(Reason::OutsideFilter { side });
            return;
        }
        if let Some(gone) = Side::BOTH.into_iter().find(|side| pair.half(*side).deleted.is_some()) {
            if self.broken.is_some() {
                pair.status = Status::Todo;
                return;
            }
            match self.decide_deleted(mapping, pair, gone, plan) {
                AfterDeletion::Settled => {}
                AfterDeletion::Create(target) => self.decide_new(mapping, pair, target, plan),
            }
            return;
        }
        match (pair.half(Side::Left).id.is_some(), pair.half(Side::Right).id.is_some()) {
            (true, true) => self.decide_linked(mapping, pair, links, plan),
            (true, false) => self.decide_new(mapping, pair, Side::Right, plan),
            (false, true) => self.decide_new(mapping, pair, Side::Left, plan),
            (false, false) => {
                pair.status = Status::Excluded;
                pair.reason = Some(Reason::NoRecord);
            }
        }
    }

    /// Whether a new record with these fields would take part. Nobody knows what it will have in a field that
    /// this sync does not write.
    fn fits(&self, mapping: &ObjectMapping, target: Side, fields: &[ChangedField]) -> bool {
        let written = |name: &str| {
            let field = mapping.fields.iter().find(|field| field.name(target) == name)?;
            let ours = field.direction.reaches(target)
                && field.writable[target]
                && !self.parked.contains(&(mapping.id, field.slot));
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

    fn trusted(&self, mapping: MappingId, field: &FieldMapping) -> Option<Side> {
        let once =
            self.trust.as_ref().filter(|trust| trust.covers(mapping, field.slot)).map(|trust| trust.side);
        once.or(field.trust)
    }

    /// Settles the fields of two records that belong together.
    fn decide_linked(&mut self, mapping: &ObjectMapping, pair: &mut Pair, links: &Links, plan: &mut Plan) {
        if pair.context {
            // Read because another record refers to it: linked, and otherwise left as it is until it is
            // reported itself.
            pair.status = Status::Ok;
            return;
        }
        let (precision, one_blank) = (self.precision(mapping), self.one_blank(mapping));
        let mut fields: Sides<Vec<ChangedField>> = Sides::default();
        let mut agreements = Vec::new();
        for field in self.fields(mapping).cloned().collect::<Vec<_>>() {
            let slot = field.slot;
            let rules =
                FieldRules { trust: self.trusted(mapping.id, &field), ..field.rules(precision, one_blank) };
            let linked = Sides::by(|side| {
                if field.is_reference() {
                    pair.current(side, slot).and_then(|value| links.canonical(side, value))
                } else {
                    None
                }
            });
            let time = |side: Side| pair.half(side).seen(slot).and_then(|seen| seen.time);
            let now = Sides::by(|side| {
                Some(Current {
                    value: current(&field, pair, side)?,
                    link: linked[side].as_ref(),
                    time: time(side),
                })
            });
            // A side that is trusted for once wins over what was settled before, too.
            let once = self.trust.as_ref().is_some_and(|trust| trust.covers(mapping.id, slot));
            let halves = pair
                .agreed(slot)
                .filter(|_| !once)
                .map(|agreed| Sides::by(|side| field.value_of(side, || agreed.half(side))));
            let mut settled = settle(&rules, halves, now.left, now.right);
            let mut why = FieldReason::Judge(settled.why);
            if settled.decision == Decision::Conflict
                && let (Some(ruling), Some(now)) = (plan.rulings.get(&(pair.id, slot)), now.both())
                && let Some(decision) = ruled(&rules, ruling, now)
            {
                settled = Settled { decision, ..settled };
                why = FieldReason::Ruled;
            }
            match settled.decision {
                Decision::Unknown => {}
                Decision::Agree => agreements.push(field),
                Decision::Write(writes) => {
                    let joint = writes.len() > 1;
                    for write in writes {
                        fields[write.target].push(ChangedField {
                            slot,
                            value: write.value,
                            source: write.source,
                            base: current(&field, pair, write.target).cloned(),
                            time: write.time,
                            base_time: time(write.target),
                            joint,
                            stored: None,
                            reason: why.clone(),
                        });
                    }
                }
                Decision::Conflict => {
                    let seen = |side: Side| Seen {
                        value: current(&field, pair, side).cloned().unwrap_or(Value::Null),
                        time: time(side),
                    };
                    plan.conflicts.push(Conflict {
                        pair: pair.id,
                        slot,
                        left: seen(Side::Left),
                        right: seen(Side::Right),
                        reason: why,
                        run: self.run.id,
                    });
                    // A conflict belongs to both sides and is counted once, on the left.
                    let counts = self.run.count(Side::Left, mapping.object(Side::Left));
                    counts.conflicts += 1;
                    let field = field.name(Side::Left).to_owned();
                    counts.because(&Reason::Conflict { field, why: settled.why });
                }
            }
        }
        for field in agreements {
            let agreed = Agreed {
                left: current(&field, pair, Side::Left).cloned(),
                right: current(&field, pair, Side::Right).cloned(),
            };
            pair.set_agreed(field.slot, agreed);
            for side in Side::BOTH {
                pair.half_mut(side).set_seen(field.slot, None);
            }
        }
        pair.status = Status::Ok;
        pair.reason = None;
        for target in Side::BOTH {
            let fields = std::mem::take(&mut fields[target]);
            if fields.is_empty() {
                continue;
            }
            let checked = self.exchange(target).local().is_some()
                || (self.has(mapping, target, Feature::ConditionalUpdate)
                    && pair.half(target).version.is_some());
            let readable =
                self.has(mapping, target, Feature::ById) || self.has(mapping, target, Feature::BaseValues);
            if !checked
                && !readable
                && !self.run.options.follows_bookmarks()
                && pair.half(target).read != Some(self.run.id)
            {
                let object = mapping.object(target).to_owned();
                self.hold(pair, mapping, target.other(), Reason::NotCheckable { side: target, object });
                continue;
            }
            let id = pair.half(target).id.clone().unwrap_or_default();
            let mut change = self.change(mapping, pair, target, Action::Update(id), fields);
            if !checked && !readable && change.reason.is_none() {
                let object = mapping.object(target).to_owned();
                change.reason = Some(Reason::Unchecked { side: target, object });
            }
            plan.changes.push(change);
        }
    }

    /// Plans a new record on `target`, if its absence there is proven and everything that it needs is there.
    fn decide_new(&mut self, mapping: &ObjectMapping, pair: &mut Pair, target: Side, plan: &mut Plan) {
        let source = target.other();
        let object = mapping.object(target);
        if self.broken.is_some() {
            // It may be on a page that was not read.
            pair.status = Status::Todo;
            return;
        }
        if !mapping.create[target] || !self.has(mapping, target, Feature::Create) {
            pair.status = Status::Excluded;
            pair.reason = Some(Reason::NotCreatedThere { side: target });
            self.run.count(source, mapping.object(source)).excluded += 1;
            return;
        }
        if !self.recognises(mapping) {
            let reason = Reason::Schema { side: target, object: object.to_owned() };
            self.hold(pair, mapping, source, reason);
            return;
        }
        let proven = self.listed[target].iter().any(|name| name == object)
            || pair.half(source).alone == Some(self.run.id);
        if !proven {
            let reason = not_proven(mapping, pair, target);
            self.hold(pair, mapping, source, reason);
            return;
        }
        let mut fields = Vec::new();
        let mut own = false;
        for field in &mapping.fields {
            let parked = self.parked.contains(&(mapping.id, field.slot));
            let from = current(field, pair, source).filter(|_| !parked);
            let time = pair.half(source).seen(field.slot).and_then(|seen| seen.time);
            if from.is_none_or(Value::is_blank)
                && let Some(default) = &field.default[target]
                && field.direction.reaches(target)
            {
                fields.push(ChangedField {
                    slot: field.slot,
                    value: default.clone(),
                    source: from.cloned().unwrap_or(Value::Null),
                    base: None,
                    time: None,
                    base_time: None,
                    joint: false,
                    stored: None,
                    reason: FieldReason::Default,
                });
                continue;
            }
            match settle_new(
                &field.rules(1, false),
                from.map(|value| Current { value, link: None, time }),
                target,
            ) {
                Ok(Ok(write)) => {
                    own |= !field.is_constant(source);
                    fields.push(ChangedField {
                        slot: field.slot,
                        value: write.value,
                        source: write.source,
                        base: None,
                        time: write.time,
                        base_time: None,
                        joint: false,
                        stored: None,
                        reason: Why::NewRecord.into(),
                    });
                }
                Ok(Err(_)) => {}
                Err(why) => {
                    let (object, field) = (object.to_owned(), field.name(target).to_owned());
                    self.hold(pair, mapping, source, Reason::Required { side: target, object, field, why });
                    return;
                }
            }
        }
        if !own {
            pair.status = Status::Excluded;
            pair.reason = Some(Reason::NothingFlows { side: target });
            self.run.count(source, mapping.object(source)).excluded += 1;
            return;
        }
        if !self.fits(mapping, target, &fields) {
            pair.status = Status::Excluded;
            pair.reason = Some(Reason::WouldBeOutsideFilter { side: target });
            self.run.count(source, mapping.object(source)).excluded += 1;
            return;
        }
        pair.status = Status::Ok;
        pair.reason = None;
        let change = self.change(mapping, pair, target, Action::Create, fields);
        plan.changes.push(change);
    }

    /// A change of the plan. Its pair stays to be done until the outcome is known.
    pub(super) fn change(
        &mut self,
        mapping: &ObjectMapping,
        pair: &mut Pair,
        target: Side,
        action: Action,
        fields: Vec<ChangedField>,
    ) -> Change {
        let withheld = match target {
            Side::Left if self.run.options.disable_pull => Some(Reason::WithheldPull),
            Side::Right if self.run.options.disable_push => Some(Reason::WithheldPush),
            _ => None,
        };
        let later = match &withheld {
            Some(reason) => Some(reason.clone()),
            None if self.run.options.is_dry() => Some(Reason::planned(action.deed())),
            None => None,
        };
        pair.status = Status::Todo;
        if let Some(reason) = later {
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += 1;
            counts.because(&reason);
            pair.reason = Some(reason);
        }
        Change {
            id: 0,
            key: format!("{:032x}", self.engine.randomness.bits()),
            run: self.run.id,
            mapping: mapping.id,
            pair: pair.id,
            target,
            action,
            fields,
            status: if withheld.is_some() { ChangeStatus::Withheld } else { ChangeStatus::Planned },
            reason: withheld,
            ticket: None,
            sent: None,
            settled: None,
        }
    }
}
