//! Settle: how `agreed` moves, field by field, once it is known what stands on a side. Pure: no side is asked,
//! nothing is stored.

use super::change::{Change, ChangedField};
use super::definition::{FieldMapping, ObjectMapping};
use super::number::Slot;
use super::order::{Action, Written};
use super::outgoing::{Outgoing, SentBefore};
use super::pair::{Agreed, Half, Pair, Seen, Status};
use super::reason::Reason;
use super::report::FieldTime;
use entente_core::{Kind, Side, Sides, Timestamp, Value, canonical, elements, same_content};

/// What a side has now, where that is not what it had when an order was made of it: a change since then, also
/// where it only went back to what was agreed before.
pub(super) fn edit_since(pair: &Pair, side: Side, slot: Slot, then: &Value) -> Option<Seen> {
    let seen = pair.half(side).seen(slot).cloned();
    let now =
        seen.or_else(|| pair.current(side, slot).map(|value| Seen { value: value.clone(), time: None }));
    now.filter(|seen| seen.value != *then)
}

/// An answer that says what the target holds now, with what else bears on settling it.
pub(super) struct Settlement<'a> {
    pub(super) mapping: &'a ObjectMapping,
    pub(super) target: Side,
    /// The fields of the order, which the values of the answer follow.
    pub(super) slots: &'a [Slot],
    pub(super) written: &'a Written,
    /// The run is an undo.
    pub(super) undo: bool,
    /// The target shares the store of the ledger: it never reports what this sync wrote there.
    pub(super) local: bool,
}

/// How a field that was sent is settled.
#[derive(Debug, PartialEq)]
enum FieldOutcome<'e> {
    /// What stands there is what an earlier sending of the create carried: that is agreed, and what the source has
    /// now is an edit.
    AsSentBefore(&'e SentBefore),
    /// We sent this create twice. The stored value differs from what we sent, so the first sending succeeded and
    /// somebody has edited the record since: what was sent is agreed, and what is stored is an edit of the target.
    EditedSince,
    /// Both sides are written, and this one came first: nothing is settled before the other one is.
    FirstOfTwo,
    /// The elements of a set that were carried are settled, and no others.
    Elements,
    /// What was sent and what stands there is agreed.
    Agreed,
}

/// The change that was answered, besides its fields.
struct Sending<'e> {
    create: bool,
    /// It was sent before.
    resent: bool,
    /// The pair had failed before.
    failed: bool,
    /// What was sent under its name before, the latest last.
    earlier: &'e [SentBefore],
}

impl Settlement<'_> {
    /// Settles a pair whose change was made. Says whether the pair has to be decided once more.
    pub(super) fn settle(&self, entry: &mut Outgoing) -> bool {
        let Outgoing { change, pair, values, failed, resent, earlier, .. } = entry;
        let create = change.action == Action::Create;
        let sending = Sending { create, resent: *resent, failed: *failed, earlier };
        let mut again = false;
        for (field, sent) in change.fields.iter_mut().zip(values.iter()) {
            again |= self.settle_field(pair, &sending, field, sent);
        }
        if create {
            for field in &self.mapping.fields {
                if change.fields.iter().all(|sent| sent.slot != field.slot) {
                    again |= self.settle_left_out(pair, earlier, field);
                }
            }
            // What the new record always gives to the other side is still to be written there.
            again |= self.mapping.fields.iter().any(|field| field.is_constant(self.target));
        }
        again
    }

    /// What stands in a field now: what the answer says, or what was sent.
    fn stored(&self, slot: Slot, sent: &Value) -> Value {
        let column = self.slots.iter().position(|known| *known == slot);
        let said = column.and_then(|column| self.written.values.get(column).cloned().flatten());
        said.unwrap_or_else(|| sent.clone())
    }

    fn field_outcome<'e>(
        &self,
        pair: &Pair,
        sending: &Sending<'e>,
        field: &ChangedField,
        sent: &Value,
        stored: &Value,
    ) -> FieldOutcome<'e> {
        let rules = self.mapping.field(field.slot);
        if let Some(rules) = rules.filter(|_| sending.create)
            && !same_content(&rules.kinds, rules.set_like, stored, sent)
        {
            let carried = |before: &&SentBefore| {
                before.slot == field.slot && same_content(&rules.kinds, rules.set_like, stored, &before.value)
            };
            if let Some(before) = sending.earlier.iter().rfind(carried) {
                return FieldOutcome::AsSentBefore(before);
            }
            if sending.resent {
                return FieldOutcome::EditedSince;
            }
        }
        let first_of_two = self.target == Side::Left || sending.failed || pair.reason.is_some();
        if rules.is_some_and(|rules| rules.set_like) && !self.undo {
            FieldOutcome::Elements
        } else if field.joint && first_of_two {
            FieldOutcome::FirstOfTwo
        } else {
            FieldOutcome::Agreed
        }
    }

    /// Settles one field that was sent. Says whether the pair has to be decided once more.
    fn settle_field(
        &self,
        pair: &mut Pair,
        sending: &Sending<'_>,
        field: &mut ChangedField,
        sent: &Value,
    ) -> bool {
        let (target, source, slot) = (self.target, self.target.other(), field.slot);
        let stored = self.stored(slot, sent);
        field.stored = Some(&stored).filter(|stored| **stored != field.value).cloned();
        match self.field_outcome(pair, sending, field, sent, &stored) {
            FieldOutcome::AsSentBefore(before) => {
                settle_earlier(pair, target, before, stored);
                return true;
            }
            FieldOutcome::EditedSince => {
                let time = self.written.changed.map(|at| FieldTime { at, certain: false });
                let edit = Seen { value: stored, time };
                settle_both(pair, target, field, sent.clone(), Some(edit));
                return true;
            }
            FieldOutcome::FirstOfTwo => {
                let time = pair.half(target).seen(slot).and_then(|seen| seen.time);
                pair.half_mut(target).set_seen(slot, Some(Seen { value: stored, time }));
            }
            FieldOutcome::Elements => {
                let newer = newer_edit(pair, target, field, sent, &stored);
                let values = [field.base.as_ref(), Some(sent), Some(&stored)];
                if !settle_elements(pair, target, slot, values, newer.clone()) {
                    settle_both(pair, target, field, stored, newer);
                }
            }
            FieldOutcome::Agreed => {
                if let Some(now) = pair.current(source, slot).filter(|_| field.joint) {
                    field.source = now.clone();
                }
                let newer = newer_edit(pair, target, field, sent, &stored);
                settle_both(pair, target, field, stored, newer);
            }
        }
        false
    }

    /// Settles a field of a new record that was not sent. Says whether the pair has to be decided once more.
    fn settle_left_out(&self, pair: &mut Pair, earlier: &[SentBefore], field: &FieldMapping) -> bool {
        let (target, source) = (self.target, self.target.other());
        if let Some(before) = earlier.iter().rfind(|before| before.slot == field.slot) {
            // It was cleared since.
            settle_earlier(pair, target, before, before.value.clone());
            return true;
        }
        let value = pair.current(source, field.slot).cloned();
        // A side in the same store never reports what this sync wrote there; nothing is what was written.
        let unsent = self.local.then_some(Value::Null);
        if value.as_ref().is_some_and(Value::is_blank) {
            // A blank needs no sending; what the new record has there is known with its first report.
            pair.set_agreed(field.slot, Agreed::of(target, unsent, value));
            pair.half_mut(source).set_seen(field.slot, None);
        } else if let Some(value) = unsent.filter(|_| field.is_reference()) {
            // A link that has to wait is decided again until it can be sent.
            pair.half_mut(target).set_seen(field.slot, Some(Seen { value, time: None }));
        }
        false
    }
}

/// A report that came while the order was under way may have brought a newer edit of this very field of the
/// target, which is kept as a change.
fn newer_edit(pair: &Pair, target: Side, field: &ChangedField, sent: &Value, stored: &Value) -> Option<Seen> {
    let seen = pair.half(target).seen(field.slot).filter(|_| pair.dirty)?;
    let value = &seen.value;
    (Some(value) != field.base.as_ref() && value != stored && value != sent).then(|| seen.clone())
}

/// Settles a field: `written` is agreed with what the source had, and what either side has by now is an edit.
fn settle_both(pair: &mut Pair, target: Side, field: &ChangedField, written: Value, edit: Option<Seen>) {
    let (source, slot) = (target.other(), field.slot);
    let edited = edit_since(pair, source, slot, &field.source);
    pair.set_agreed(slot, Agreed::of(target, Some(written), Some(field.source.clone())));
    pair.half_mut(target).set_seen(slot, edit);
    pair.half_mut(source).set_seen(slot, edited);
}

/// Settles a field of a new record as it was sent before. What the source has now is a change since then.
fn settle_earlier(pair: &mut Pair, target: Side, before: &SentBefore, stored: Value) {
    let source = target.other();
    let edited = edit_since(pair, source, before.slot, &before.source);
    pair.set_agreed(before.slot, Agreed::of(target, Some(stored), Some(before.source.clone())));
    pair.half_mut(target).set_seen(before.slot, None);
    pair.half_mut(source).set_seen(before.slot, edited);
}

/// Settles those elements of a set that were carried by an order to `target`, whose value was, was sent, and
/// is stored now. What only the target has stays a change of the target, since the order that takes it to the
/// other side may not be made. False where the values are no sets.
pub(super) fn settle_elements(
    pair: &mut Pair,
    target: Side,
    slot: Slot,
    values: [Option<&Value>; 3],
    newer: Option<Seen>,
) -> bool {
    let [Some(was), Some(sent), Some(stored)] = values.map(elements) else { return false };
    let mut halves = Sides::default();
    // What both had before the order was agreed, whether or not that was ever settled.
    let Some(had) = elements(pair.current(target.other(), slot)) else { return false };
    let shared: Vec<&str> = was.iter().filter(|text| had.contains(text)).copied().collect();
    for (side, now) in [(target, &stored), (target.other(), &sent)] {
        let Some(mut agreed) = elements(pair.agreed(slot).and_then(|agreed| agreed.half(side))) else {
            return false;
        };
        agreed.extend(shared.iter().filter(|text| !agreed.contains(text)).copied().collect::<Vec<_>>());
        let added = now.iter().filter(|text| !was.contains(text) && !agreed.contains(text));
        let left = agreed.iter().filter(|text| now.contains(text) || !was.contains(text));
        halves[side] = Some(Value::Texts(left.chain(added).map(|text| (*text).to_owned()).collect()));
    }
    let other = pair.half(target.other()).seen(slot).cloned();
    let other = other.or_else(|| {
        pair.current(target.other(), slot).map(|value| Seen { value: value.clone(), time: None })
    });
    let held = newer.or_else(|| values[2].map(|value| Seen { value: value.clone(), time: None }));
    let Sides { left, right } = halves;
    let agreed = Agreed { left, right };
    for (side, seen) in [(target, held), (target.other(), other)] {
        let set = |value: &Value| canonical(&Kind::Texts, true, value);
        let differs = |seen: &Seen| agreed.half(side).map(set) != Some(set(&seen.value));
        pair.half_mut(side).set_seen(slot, seen.filter(differs));
    }
    pair.set_agreed(slot, agreed);
    true
}

/// What was sent and never answered is settled where it stands there now, as if the answer had come.
pub(super) fn settle_as_sent(mapping: &ObjectMapping, pair: &mut Pair, change: &Change) {
    let target = change.target;
    for field in change.fields.iter().filter(|field| field.value.references().is_empty()) {
        let Some(rules) = mapping.field(field.slot) else { continue };
        let found = pair.current(target, field.slot).cloned();
        let Some(found) =
            found.filter(|found| same_content(&rules.kinds, rules.set_like, found, &field.value))
        else {
            continue;
        };
        if rules.set_like
            && settle_elements(
                pair,
                target,
                field.slot,
                [field.base.as_ref(), Some(&field.value), Some(&found)],
                None,
            )
        {
            continue;
        }
        if field.joint {
            continue;
        }
        settle_both(pair, target, field, found, None);
    }
}

/// Takes back what was settled, keeping what the survivor has: to whom it is linked next, it is new.
pub(super) fn forget_agreed(pair: &mut Pair, survivor: Side) {
    for slot in Slot::first(pair.agreed.len()) {
        if pair.half(survivor).seen(slot).is_none()
            && let Some(value) = pair.agreed(slot).and_then(|agreed| agreed.half(survivor)).cloned()
        {
            pair.half_mut(survivor).set_seen(slot, Some(Seen { value, time: None }));
        }
    }
    pair.agreed.clear();
}

/// What becomes of a pair whose record was deleted because making it was undone.
pub(super) fn set_undone(pair: &mut Pair, target: Side, at: Timestamp) {
    forget_agreed(pair, target.other());
    *pair.half_mut(target) = Half { deleted: Some(at), ..Half::default() };
    pair.keys[target] = Some(Vec::new());
    pair.status = Status::Excluded;
    pair.reason = Some(Reason::Undone);
}

#[cfg(test)]
mod tests;
