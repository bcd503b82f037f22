//! Settle: moves the merge base (`agreed`) field by field when the outcome of a write is known. Pure: no I/O.

use super::change::{Change, ChangeStatus, ChangedField};
use super::definition::{FieldMapping, ObjectMapping};
use super::echo::is_echo;
use super::number::Slot;
use super::order::{Action, RefusedField, Written};
use super::outgoing::{Outgoing, SentBefore};
use super::pair::{Agreed, Half, Pair, Seen, Status};
use super::reason::{FieldReason, Reason};
use super::report::FieldTime;
use super::subject::RemoteSaid;
use entente_core::{Kind, Side, Sides, Timestamp, Value, canonical, elements, same_content};
use std::collections::{BTreeSet, HashMap};

/// The edit of a side since an order was made from its value: its current value, where that differs from
/// `then`. A value that went back to the old base is an edit too.
pub(super) fn edit_since(pair: &Pair, side: Side, slot: Slot, then: &Value) -> Option<Seen> {
    let seen = pair.half(side).seen(slot).cloned();
    let now =
        seen.or_else(|| pair.current(side, slot).map(|value| Seen { value: value.clone(), time: None }));
    now.filter(|seen| seen.value != *then)
}

/// A successful write, with what is needed to settle it.
pub(super) struct Settlement<'a> {
    pub(super) mapping: &'a ObjectMapping,
    pub(super) target: Side,
    /// Slots of the order's fields; the values of the answer follow their order.
    pub(super) slots: &'a [Slot],
    pub(super) written: &'a Written,
    /// An undo decided the change.
    pub(super) undo: bool,
    /// The target is in the store of the ledger: it never reports what this sync wrote there.
    pub(super) local: bool,
}

/// How a field that was sent is settled.
#[derive(Debug, PartialEq)]
enum FieldOutcome<'e> {
    /// The stored value is the one of an earlier send of this create, which thus succeeded: that value
    /// becomes the base, and the source's current value is an edit.
    AsSentBefore(&'e SentBefore),
    /// An earlier send of this create did not carry the field, and it is blank: that send succeeded, and what the source
    /// has now is an edit.
    LeftOutBefore,
    /// Set of a create that was sent several times, edited since: which send succeeded is not known, so that each element
    /// is settled for itself. These become the base, and the rest is an edit of the side that has it.
    ElementsSince(Value),
    /// We sent this create twice. The stored value differs from what we sent, so the first send succeeded and
    /// somebody edited the record since: the sent value becomes the base, and the stored value is an edit of
    /// the target. With values of earlier sends, the first one is the base.
    EditedSince(Option<&'e SentBefore>),
    /// First of two joint writes: the base moves with the second one, to the other side.
    FirstOfTwo,
    /// Set: only the elements that the order carried are settled.
    Elements,
    /// Set that an undo restores: only the elements that it put back are settled, and on each side as they are there.
    Restored,
    /// The sent and the stored value become the base.
    Agreed,
}

/// The answered change, besides its fields.
struct Sending<'e> {
    create: bool,
    /// It was sent more than once.
    resent: bool,
    /// The pair had failed before this change.
    failed: bool,
    /// Fields of earlier sends under the same idempotency key, the latest last.
    earlier: &'e [SentBefore],
    /// Fields that one of those sends did not carry.
    left_out: &'e BTreeSet<Slot>,
}

impl Settlement<'_> {
    /// Settles a pair whose change was executed. Returns whether the pair has to be decided again.
    pub(super) fn settle(&self, entry: &mut Outgoing) -> bool {
        let Outgoing { change, pair, values, failed, resent, earlier, left_out, .. } = entry;
        let create = change.action == Action::Create;
        let sending = Sending { create, resent: *resent, failed: *failed, earlier, left_out };
        let mut revisit = false;
        for (field, sent) in change.fields.iter_mut().zip(values.iter()) {
            revisit |= self.settle_field(pair, &sending, field, sent);
        }
        if create {
            for field in &self.mapping.fields {
                // A constant of the new record is not what the source has.
                let constant = field.is_constant(self.target);
                if !constant && change.fields.iter().all(|sent| sent.slot != field.slot) {
                    revisit |= self.settle_left_out(pair, earlier, field);
                }
            }
            // Constants of the new record are still to be written to the other side.
            revisit |= self.mapping.fields.iter().any(|field| field.is_constant(self.target));
        }
        revisit
    }

    /// The stored value of a field: from the answer, else from a report of the order's own effect, else as sent.
    fn stored(&self, pair: &Pair, field: &ChangedField, sent: &Value) -> Value {
        let column = self.slots.iter().position(|known| *known == field.slot);
        let said = column.and_then(|column| self.written.values.get(column).cloned().flatten());
        let echo = |seen: &&Seen| {
            let rules = self.mapping.field(field.slot);
            field.base.as_ref() != Some(&seen.value)
                && rules.is_some_and(|rules| is_echo(rules, sent, &seen.value))
        };
        let reported = || pair.half(self.target).seen(field.slot).filter(|_| pair.dirty).filter(echo);
        said.or_else(|| reported().map(|seen| seen.value.clone())).unwrap_or_else(|| sent.clone())
    }

    /// Decides how a sent field is settled.
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
            let of_field = |before: &&SentBefore| before.slot == field.slot;
            let same = |before: &&SentBefore| {
                of_field(before) && same_content(&rules.kinds, rules.set_like, stored, &before.value)
            };
            let echo = |before: &&SentBefore| of_field(before) && is_echo(rules, &before.value, stored);
            let echoes = is_echo(rules, sent, stored);
            let mut earlier = sending.earlier.iter();
            let carried = earlier.clone().rfind(same);
            let carried = carried.or_else(|| earlier.rfind(echo).filter(|_| !echoes));
            if let Some(before) = carried {
                return FieldOutcome::AsSentBefore(before);
            }
            if stored.is_blank() && sending.left_out.contains(&field.slot) {
                return FieldOutcome::LeftOutBefore;
            }
            if sending.resent && !echoes {
                let sends = sending.earlier.iter().filter(of_field).map(|before| &before.value);
                let base =
                    || base_of_sends(sends.chain([sent]), sending.left_out.contains(&field.slot), stored);
                if let Some(base) = rules.set_like.then(base).flatten() {
                    return FieldOutcome::ElementsSince(base);
                }
                return FieldOutcome::EditedSince(sending.earlier.iter().find(of_field));
            }
        }
        let parked = matches!(pair.reason, Some(Reason::ParentGone { .. }));
        let other_waits = sending.failed || (pair.reason.is_some() && !parked);
        let first_of_two = self.target == Side::Left || other_waits;
        if rules.is_some_and(|rules| rules.set_like) {
            if self.undo { FieldOutcome::Restored } else { FieldOutcome::Elements }
        } else if field.joint && first_of_two {
            FieldOutcome::FirstOfTwo
        } else {
            FieldOutcome::Agreed
        }
    }

    /// Settles one field that was sent. Returns whether the pair has to be decided again.
    fn settle_field(
        &self,
        pair: &mut Pair,
        sending: &Sending<'_>,
        field: &mut ChangedField,
        sent: &Value,
    ) -> bool {
        let (target, slot) = (self.target, field.slot);
        if let Some(refused) = self.refused(slot) {
            self.settle_refused(pair, field, sent, refused);
            return false;
        }
        let stored = self.stored(pair, field, sent);
        let differed = pair.differs(slot).cloned();
        field.stored = Some(&stored).filter(|stored| **stored != field.value).cloned();
        match self.field_outcome(pair, sending, field, sent, &stored) {
            FieldOutcome::AsSentBefore(before) => {
                settle_earlier(pair, target, before, stored);
                return true;
            }
            FieldOutcome::LeftOutBefore => {
                let before = SentBefore { slot, source: Value::Null, value: Value::Null };
                settle_earlier(pair, target, &before, stored);
                return true;
            }
            FieldOutcome::ElementsSince(base) => {
                let edit = self.edit_since_sent(pair, slot, stored);
                set_elements(pair, target, slot, Sides::by(|_| Some(base.clone())), Some(edit));
                return true;
            }
            FieldOutcome::EditedSince(first) => {
                let edit = self.edit_since_sent(pair, slot, stored);
                match first {
                    Some(first) => {
                        settle_earlier(pair, target, first, first.value.clone());
                        pair.half_mut(target).set_seen(slot, Some(edit));
                    }
                    None => settle_both(pair, target, field, sent.clone(), Some(edit)),
                }
                return true;
            }
            FieldOutcome::FirstOfTwo => {
                let time = pair.half(target).seen(slot).and_then(|seen| seen.time);
                pair.half_mut(target).set_seen(slot, Some(Seen { value: stored, time }));
            }
            FieldOutcome::Elements => {
                let newer = newer_edit(pair, target, field, sent, &stored);
                let values = [field.base.as_ref(), Some(sent), Some(&stored)];
                if settle_elements(pair, target, slot, values, newer.clone()) {
                    note_elements(pair, slot, differed);
                } else {
                    settle_both(pair, target, field, stored, newer);
                }
            }
            FieldOutcome::Restored => {
                let newer = newer_edit(pair, target, field, sent, &stored);
                let values = [field.base.as_ref(), Some(sent), Some(&stored)];
                let edited = settle_restored(pair, target, slot, values, newer.clone());
                if edited.is_some() {
                    note_elements(pair, slot, Some(field.reason.clone()));
                } else {
                    settle_both(pair, target, field, stored, newer);
                }
                return edited.unwrap_or(false);
            }
            FieldOutcome::Agreed => self.settle_agreed(pair, field, sent, stored),
        }
        false
    }

    /// The stored value of a field that somebody edited since it was sent, with its time.
    fn edit_since_sent(&self, pair: &Pair, slot: Slot, stored: Value) -> Seen {
        let column = self.slots.iter().position(|known| *known == slot);
        let told = column.and_then(|column| self.written.times.get(column).copied().flatten());
        let time = told.or_else(|| self.written.changed.map(FieldTime::by));
        let seen = pair.half(self.target).seen(slot).filter(|seen| seen.value == stored);
        seen.cloned().unwrap_or(Seen { value: stored, time })
    }

    /// Makes the sent and the stored value the base, and notes why they differ.
    fn settle_agreed(&self, pair: &mut Pair, field: &mut ChangedField, sent: &Value, stored: Value) {
        let (target, source, slot) = (self.target, self.target.other(), field.slot);
        if let Some(now) = pair.current(source, slot).filter(|_| field.joint) {
            field.source = now.clone();
        }
        let newer = newer_edit(pair, target, field, sent, &stored);
        let rules = self.mapping.field(slot).filter(|_| newer.is_none() && field.stored.is_some());
        let normalised =
            rules.is_some_and(|rules| !same_content(&rules.kinds, rules.set_like, &stored, sent));
        let filled = self
            .mapping
            .field(slot)
            .is_some_and(|rules| newer.is_none() && rules.is_filled(target, Some(sent), Some(&field.source)));
        let same = self
            .mapping
            .field(slot)
            .is_some_and(|rules| same_content(&rules.kinds, rules.set_like, &stored, &field.source));
        settle_both(pair, target, field, stored, newer);
        if matches!(field.reason, FieldReason::UndoOf { .. }) && !same {
            pair.differing.push((slot, field.reason.clone()));
        } else if filled {
            pair.differing.push((slot, FieldReason::Default));
        } else if normalised {
            pair.differing.push((slot, FieldReason::Normalised { side: target }));
        }
    }

    /// What the side said of a field that it did not write, while it wrote the rest.
    fn refused(&self, slot: Slot) -> Option<&RefusedField> {
        let name = self.mapping.field(slot)?.name(self.target);
        self.written.refused.iter().find(|refused| refused.field == name)
    }

    /// Settles a field that was refused: the target keeps what it has, and the difference has its reason.
    fn settle_refused(
        &self,
        pair: &mut Pair,
        field: &mut ChangedField,
        sent: &Value,
        refused: &RefusedField,
    ) {
        let column = self.slots.iter().position(|known| *known == field.slot);
        let told = column.and_then(|column| self.written.values.get(column).cloned().flatten());
        let kept = told.or_else(|| field.base.clone()).unwrap_or(Value::Null);
        field.stored = Some(kept.clone());
        let said = RemoteSaid::new(&refused.code, &refused.reason);
        settle_refused(pair, self.target, (field, sent), kept, said);
    }

    /// Settles a field of a new record that was not sent. Returns whether the pair has to be decided again.
    fn settle_left_out(&self, pair: &mut Pair, earlier: &[SentBefore], field: &FieldMapping) -> bool {
        let (target, source) = (self.target, self.target.other());
        if let Some(before) = earlier.iter().rfind(|before| before.slot == field.slot) {
            // An earlier send carried the field, and the source was cleared since.
            settle_earlier(pair, target, before, before.value.clone());
            return true;
        }
        let value = pair.current(source, field.slot).cloned();
        if let Some(FieldReason::Refused { side, said, .. }) = pair.refused(target, field.slot).cloned() {
            // Sent before, and refused.
            pair.set_agreed(field.slot, Agreed::of(target, Some(Value::Null), value));
            pair.half_mut(source).set_seen(field.slot, None);
            pair.differing.push((field.slot, FieldReason::Refused { side, said, value: None }));
            return false;
        }
        if self.undo && field.is_reference() {
            // The undo has left the reference out: that the new record is without it is no edit.
            pair.set_agreed(field.slot, Agreed::of(target, Some(Value::Null), value));
            pair.half_mut(target).set_seen(field.slot, None);
            pair.half_mut(source).set_seen(field.slot, None);
            return false;
        }
        // A side in the same store never reports what this sync wrote there: the field is null.
        let unsent = self.local.then_some(Value::Null);
        if value.as_ref().is_some_and(Value::is_blank) {
            // A blank need not be sent; the first report of the new record tells its own value.
            pair.set_agreed(field.slot, Agreed::of(target, unsent, value));
            pair.half_mut(source).set_seen(field.slot, None);
        } else if let Some(value) = unsent {
            // A reference that waits is decided again until it can be sent, and what a rule has withheld once the source
            // has another value.
            pair.half_mut(target).set_seen(field.slot, Some(Seen { value, time: None }));
        }
        false
    }
}

/// Settles a field that a side has refused: it keeps what it has, and the difference has its reason.
pub(super) fn settle_refused(
    pair: &mut Pair,
    side: Side,
    (field, sent): (&ChangedField, &Value),
    kept: Value,
    said: RemoteSaid,
) {
    let newer = newer_edit(pair, side, field, sent, &kept);
    settle_both(pair, side, field, kept, newer);
    pair.differing.push((field.slot, FieldReason::Refused { side, said, value: None }));
}

/// A newer edit of the target's field, reported while the order was in flight (the pair is dirty); it stays
/// an edit.
fn newer_edit(pair: &Pair, target: Side, field: &ChangedField, sent: &Value, stored: &Value) -> Option<Seen> {
    let seen = pair.half(target).seen(field.slot).filter(|_| pair.dirty)?;
    let value = &seen.value;
    (Some(value) != field.base.as_ref() && value != stored && value != sent).then(|| seen.clone())
}

/// Moves the base of a field to `written` and the source's value of the order. Newer values of either side
/// stay edits.
fn settle_both(pair: &mut Pair, target: Side, field: &ChangedField, written: Value, edit: Option<Seen>) {
    let (source, slot) = (target.other(), field.slot);
    let edited = edit_since(pair, source, slot, &field.source);
    pair.set_agreed(slot, Agreed::of(target, Some(written), Some(field.source.clone())));
    pair.half_mut(target).set_seen(slot, edit);
    pair.half_mut(source).set_seen(slot, edited);
}

/// What is settled of a set whose create was sent several times, with these values, and stored as this one: of what is
/// there, what any send carried; of what is not there, what all of them carried, which has been taken off since. What one
/// send lacked (`blank`: the whole field) may have been put on after the one that succeeded. `None`: no sets.
fn base_of_sends<'v>(sends: impl Iterator<Item = &'v Value>, blank: bool, stored: &Value) -> Option<Value> {
    let sends: Vec<Vec<&str>> = sends.map(|value| elements(Some(value))).collect::<Option<_>>()?;
    let there = elements(Some(stored))?;
    let mut base: Vec<String> = Vec::new();
    for text in sends.iter().flatten() {
        let settled = there.contains(text) || (!blank && sends.iter().all(|send| send.contains(text)));
        if settled && base.iter().all(|known| known != text) {
            base.push((*text).to_owned());
        }
    }
    Some(Value::Texts(base))
}

/// Moves the base of a field to an earlier send of the create. The source's current value is an edit since
/// then.
fn settle_earlier(pair: &mut Pair, target: Side, before: &SentBefore, stored: Value) {
    let source = target.other();
    let edited = edit_since(pair, source, before.slot, &before.source);
    pair.set_agreed(before.slot, Agreed::of(target, Some(stored), Some(before.source.clone())));
    pair.half_mut(target).set_seen(before.slot, None);
    pair.half_mut(source).set_seen(before.slot, edited);
}

/// Moves the base of a set element by element: only the elements that an order to `target` carried are
/// settled. `values` are the target's value before, the sent and the stored one. An element that only the
/// target has stays an edit of the target, since the order that takes it to the other side may fail. False
/// where the values are not sets.
pub(super) fn settle_elements(
    pair: &mut Pair,
    target: Side,
    slot: Slot,
    values: [Option<&Value>; 3],
    newer: Option<Seen>,
) -> bool {
    let [Some(was), Some(sent), Some(stored)] = values.map(elements) else { return false };
    let mut halves = Sides::default();
    // Elements that both sides had before the order belong to the base, also if they were never settled.
    let Some(had) = elements(pair.current(target.other(), slot)) else { return false };
    let shared: Vec<&str> = was.iter().filter(|text| had.contains(text)).copied().collect();
    for (side, now) in [(target, &stored), (target.other(), &sent)] {
        let Some(mut agreed) = elements(pair.agreed(slot).and_then(|agreed| agreed.half(side))) else {
            return false;
        };
        agreed.extend(shared.iter().filter(|text| !agreed.contains(text)).copied().collect::<Vec<_>>());
        let added = now.iter().filter(|text| !was.contains(text) && !agreed.contains(text));
        // What only the source still has was taken off by the target. What neither has is settled: it is gone.
        let only_there = |text: &&str| !was.contains(text) && had.contains(text);
        let left = agreed.iter().filter(|text| now.contains(text) || only_there(text));
        halves[side] = Some(Value::Texts(left.chain(added).map(|text| (*text).to_owned()).collect()));
    }
    let held = newer.or_else(|| values[2].map(|value| Seen { value: value.clone(), time: None }));
    set_elements(pair, target, slot, halves, held);
    true
}

/// Settles a set after an undo: the elements that it put on or took off are agreed to differ. Others that are still to
/// be carried to a side stay so. Returns whether there are any; `None` where the values are not sets.
fn settle_restored(
    pair: &mut Pair,
    target: Side,
    slot: Slot,
    values: [Option<&Value>; 3],
    newer: Option<Seen>,
) -> Option<bool> {
    let [Some(was), Some(sent), Some(stored)] = values.map(elements) else { return None };
    let had = elements(pair.current(target.other(), slot))?;
    let mut halves = Sides::default();
    for (side, now) in [(target, &stored), (target.other(), &had)] {
        let mut agreed = elements(pair.agreed(slot).and_then(|agreed| agreed.half(side)))?;
        let put_back = |text: &&str| was.contains(text) != sent.contains(text);
        let shared = |text: &&str| was.contains(text) && had.contains(text);
        let there = |text: &&str| was.contains(text) || had.contains(text);
        agreed.retain(|text| now.contains(text) || (!put_back(text) && there(text)));
        let more = now.iter().filter(|text| put_back(text) || shared(text));
        let more: Vec<&str> = more.filter(|text| !agreed.contains(text)).copied().collect();
        agreed.extend(more);
        halves[side] = Some(Value::Texts(agreed.into_iter().map(str::to_owned).collect()));
    }
    let held = newer.or_else(|| values[2].map(|value| Seen { value: value.clone(), time: None }));
    set_elements(pair, target, slot, halves, held);
    Some(pair.halves.iter().any(|half| half.seen(slot).is_some()))
}

/// Notes why the two sides of a settled set differ: for the reason that they differed for before, or that of the undo.
fn note_elements(pair: &mut Pair, slot: Slot, why: Option<FieldReason>) {
    let set = |value: Option<&Value>| value.map(|value| canonical(&Kind::Texts, true, value));
    let differ =
        pair.agreed(slot).is_some_and(|agreed| set(agreed.left.as_ref()) != set(agreed.right.as_ref()));
    if let Some(why) = why.filter(|_| differ) {
        pair.differing.push((slot, why));
    }
}

/// Stores what was settled of a set; what a side has beside that stays its edit. `held`: what the target has.
fn set_elements(pair: &mut Pair, target: Side, slot: Slot, halves: Sides<Option<Value>>, held: Option<Seen>) {
    let other = pair.half(target.other()).seen(slot).cloned();
    let other = other.or_else(|| {
        pair.current(target.other(), slot).map(|value| Seen { value: value.clone(), time: None })
    });
    let Sides { left, right } = halves;
    let agreed = Agreed { left, right };
    for (side, seen) in [(target, held), (target.other(), other)] {
        let set = |value: &Value| canonical(&Kind::Texts, true, value);
        let differs = |seen: &Seen| agreed.half(side).map(set) != Some(set(&seen.value));
        pair.half_mut(side).set_seen(slot, seen.filter(differs));
    }
    pair.set_agreed(slot, agreed);
}

/// Whether an unanswered update was executed: the record that was read since holds what it sent, but for fields that were
/// edited since then. Notes what was stored. What refers to records stands under other names there, and tells nothing: the
/// other fields do.
pub(super) fn has_landed(mapping: &ObjectMapping, pair: &Pair, change: &mut Change) -> bool {
    let half = pair.half(change.target);
    let ours = matches!(&change.action, Action::Update(id) if half.id.as_ref() == Some(id));
    let mut found: HashMap<Slot, Option<Value>> = HashMap::new();
    for field in change.fields.iter().filter(|field| field.value.references().is_empty()) {
        let (Some(rules), Some(now)) = (mapping.field(field.slot), pair.current(change.target, field.slot))
        else {
            return false;
        };
        let sent = same_content(&rules.kinds, rules.set_like, now, &field.value)
            || is_echo(rules, &field.value, now);
        if field.base.as_ref() == Some(now) {
            // It had that value before, or has got it again since, and tells nothing.
            continue;
        }
        let stored = sent.then(|| now.clone());
        found.insert(field.slot, stored.or_else(|| put_on(field, now).filter(|_| rules.set_like)));
    }
    let landed = ours && half.deleted.is_none() && found.values().any(Option::is_some);
    if landed {
        for field in &mut change.fields {
            let stored = found.remove(&field.slot).flatten();
            field.stored = stored.filter(|stored| *stored != field.value);
        }
    }
    landed
}

/// Notes that an update without an answer was executed: that is history, which an undo goes by.
pub(super) fn set_landed(change: &mut Change, at: Timestamp) {
    change.status = ChangeStatus::Done;
    change.reason = Some(Reason::FoundOut);
    change.settled = Some(at);
}

/// Settles an unanswered change by the record that was read since: fields that hold the sent value are
/// settled as if the answer had come.
pub(super) fn settle_as_sent(mapping: &ObjectMapping, pair: &mut Pair, change: &Change) {
    let target = change.target;
    for field in change.fields.iter().filter(|field| field.value.references().is_empty()) {
        let Some(rules) = mapping.field(field.slot) else { continue };
        let found = pair.current(target, field.slot).cloned();
        if rules.set_like
            && let Some(stored) = found.as_ref().and_then(|found| put_on(field, found))
        {
            let values = [field.base.as_ref(), Some(&field.value), Some(&stored)];
            let now = found.clone().map(|value| Seen {
                time: pair.half(target).seen(field.slot).and_then(|seen| seen.time),
                value,
            });
            if settle_set_as_sent(pair, target, field, values, now) {
                continue;
            }
        }
        // The value from before the write is no echo of it: the write may not have been executed.
        let written = |found: &Value| {
            same_content(&rules.kinds, rules.set_like, found, &field.value)
                || (field.base.as_ref() != Some(found) && is_echo(rules, &field.value, found))
        };
        let Some(found) = found.filter(written) else { continue };
        if rules.set_like
            && settle_set_as_sent(
                pair,
                target,
                field,
                [field.base.as_ref(), Some(&field.value), Some(&found)],
                None,
            )
        {
            continue;
        }
        if field.joint {
            continue;
        }
        let same = same_content(&rules.kinds, rules.set_like, &found, &field.source);
        settle_both(pair, target, field, found, None);
        if matches!(field.reason, FieldReason::UndoOf { .. }) && !same {
            pair.differing.push((field.slot, field.reason.clone()));
        }
    }
}

/// Settles a set of an unanswered change as its answer would have. False where the values are not sets.
fn settle_set_as_sent(
    pair: &mut Pair,
    target: Side,
    field: &ChangedField,
    values: [Option<&Value>; 3],
    now: Option<Seen>,
) -> bool {
    if !matches!(field.reason, FieldReason::UndoOf { .. }) {
        let differed = pair.differs(field.slot).cloned();
        let settled = settle_elements(pair, target, field.slot, values, now);
        if settled {
            note_elements(pair, field.slot, differed);
        }
        return settled;
    }
    let restored = settle_restored(pair, target, field.slot, values, now).is_some();
    if restored {
        note_elements(pair, field.slot, Some(field.reason.clone()));
    }
    restored
}

/// What a write left of a set, by what was read since; `None` where the write put nothing on, or not all of that is
/// there: it may not have been executed. What was sent and is not there has been taken off since, which is an edit.
fn put_on(field: &ChangedField, found: &Value) -> Option<Value> {
    let [Some(was), Some(sent), Some(found)] =
        [field.base.as_ref(), Some(&field.value), Some(found)].map(elements)
    else {
        return None;
    };
    let mut added = sent.iter().filter(|text| !was.contains(text)).peekable();
    added.peek()?;
    let kept = found.iter().filter(|text| was.contains(text) && !sent.contains(text));
    let stored = || sent.iter().chain(kept).map(|text| (*text).to_owned()).collect();
    added.all(|text| found.contains(text)).then(|| Value::Texts(stored()))
}

/// Clears the merge base and keeps the survivor's values as edits, so that it is merged afresh with its next
/// counterpart.
pub(super) fn forget_agreed(pair: &mut Pair, survivor: Side) {
    for slot in Slot::first(pair.agreed.len()) {
        if pair.half(survivor).seen(slot).is_none()
            && let Some(value) = pair.agreed(slot).and_then(|agreed| agreed.half(survivor)).cloned()
        {
            pair.half_mut(survivor).set_seen(slot, Some(Seen { value, time: None }));
        }
    }
    pair.agreed.clear();
    pair.differing.clear();
}

/// Whether the delete of an undo has been executed: its record is gone, which is no deletion by a person.
pub(super) fn is_undone(change: &Change, pair: &Pair) -> bool {
    let half = pair.half(change.target);
    pair.id == change.pair
        && change.is_delete_of_undo()
        && half.deleted.is_some()
        && change.record() == half.id.as_deref()
}

/// Excludes a pair after an undo deleted the record that a run had created.
pub(super) fn set_undone(pair: &mut Pair, target: Side, at: Timestamp) {
    forget_agreed(pair, target.other());
    *pair.half_mut(target) = Half { deleted: Some(at), ..Half::default() };
    pair.keys[target] = Some(Vec::new());
    pair.status = Status::Excluded;
    pair.reason = Some(Reason::Undone);
}

#[cfg(test)]
mod tests;
