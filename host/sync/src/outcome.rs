//! What became of changes: `agreed` moves on a known outcome, and on nothing else.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::execute::{Outgoing, Owners, SentBefore, waits_for};
use super::identity;
use super::intake::apply_row;
use super::limits;
use super::number::{Column, Slot};
use super::order::{Action, Answer, Outcome, Written};
use super::pair::{Agreed, Pair, Seen, Status};
use super::reason::{InvalidAnswer, Reason, RecordRef, RemoteSaid};
use super::report::FieldTime;
use super::session::Session;
use entente_core::{Kind, Side, Sides, Value, canonical, elements, same_content};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

impl Session<'_> {
    /// Records the answers. Changes without one stay as they are and are not among what is returned.
    pub(super) fn settle_answers(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
        slots: &[Slot],
        answers: Vec<Answer>,
        owners: &Owners,
    ) -> (Vec<Pair>, Vec<Change>) {
        let mut by_key: HashMap<String, Outgoing> =
            outgoing.into_iter().map(|entry| (entry.change.key.clone(), entry)).collect();
        let (mut pairs, mut changes) = (Vec::new(), Vec::new());
        let mut ids = HashSet::new();
        let linked = |id: &str| owners.get(id).is_some_and(|owner| owner.half(target.other()).id.is_some());
        for answer in answers {
            // A second answer to one change, or one to a change that nobody sent, says nothing that can be
            // relied on.
            let Some(mut entry) = by_key.remove(&answer.change) else {
                continue;
            };
            let now = self.now();
            entry.change.settled = Some(now);
            match answer.outcome {
                Outcome::Created(_) | Outcome::Updated(_) | Outcome::Unchanged(_)
                    if matches!(entry.change.action, Action::Delete(_)) =>
                {
                    let how = InvalidAnswer::NotDeleted;
                    self.refused(mapping, target, &mut entry, Reason::InvalidAnswer { side: target, how });
                }
                Outcome::Created(written) | Outcome::Updated(written) | Outcome::Unchanged(written)
                    if written.id.is_empty() =>
                {
                    let how = InvalidAnswer::NoId;
                    self.refused(mapping, target, &mut entry, Reason::InvalidAnswer { side: target, how });
                }
                Outcome::Created(written) | Outcome::Updated(written) | Outcome::Unchanged(written)
                    if entry.change.action == Action::Create && !ids.insert(written.id.clone()) =>
                {
                    let became = Some(RecordRef::new(target, mapping.object(target), &written.id));
                    let reason = Reason::DuplicateOf { record: None, preferred: false, became };
                    self.not_its_own(mapping, target, &mut entry, reason);
                }
                Outcome::Created(written) | Outcome::Updated(written) | Outcome::Unchanged(written)
                    if linked(&written.id) =>
                {
                    let counterpart = owners
                        .get(&written.id)
                        .and_then(|owner| owner.half(target.other()).id.clone())
                        .unwrap_or_default();
                    let source = target.other();
                    let reason = Reason::DuplicateOf {
                        record: Some(RecordRef::new(source, mapping.object(source), &counterpart)),
                        preferred: false,
                        became: Some(RecordRef::new(target, mapping.object(target), &written.id)),
                    };
                    self.not_its_own(mapping, target, &mut entry, reason);
                }
                Outcome::Created(written) => {
                    self.made(mapping, target, &mut entry, slots, &written, Made::Created)
                }
                Outcome::Updated(written) => {
                    self.made(mapping, target, &mut entry, slots, &written, Made::Updated)
                }
                Outcome::Unchanged(written) => {
                    self.made(mapping, target, &mut entry, slots, &written, Made::Unchanged)
                }
                Outcome::Deleted => self.gone(mapping, target, &mut entry),
                Outcome::Failed { code, .. }
                    if code == "not-found" && entry.change.action != Action::Create =>
                {
                    self.gone(mapping, target, &mut entry);
                }
                Outcome::Failed { code, reason, fields } => {
                    let said = RemoteSaid { code: Some(code), text: reason };
                    let reason = Reason::Refused { side: target, said, fields };
                    self.refused(mapping, target, &mut entry, reason);
                }
                Outcome::Stale(row) => {
                    let columns: Vec<(Slot, Column)> =
                        slots.iter().enumerate().map(|(column, slot)| (*slot, Column(column))).collect();
                    apply_row(&mut entry.pair, target, &columns, &row, now, self.run.id);
                    self.dropped(mapping, &mut entry, Reason::Stale);
                }
                Outcome::Converted(reference)
                    if reference.object == mapping.object(target) && owners.contains_key(&reference.id) =>
                {
                    entry.change.status = ChangeStatus::Dropped;
                    entry.pair.half_mut(target).deleted = Some(now);
                    entry.pair.keys[target] = Some(Vec::new());
                    let reason = Reason::Merged { from: None, into: RecordRef::of(target, &reference) };
                    self.hold(&mut entry.pair, mapping, target, reason);
                }
                Outcome::Converted(reference) if reference.object == mapping.object(target) => {
                    entry.pair.half_mut(target).id = Some(reference.id.clone());
                    entry.pair.half_mut(target).version = None;
                    self.dropped(mapping, &mut entry, Reason::BecameAnother);
                }
                Outcome::Converted(reference) => {
                    entry.change.status = ChangeStatus::Dropped;
                    let reason = Reason::Converted { from: None, into: RecordRef::of(target, &reference) };
                    self.hold(&mut entry.pair, mapping, target, reason);
                }
                // The first sending may have made the record: the next run sends it once more under its name.
                Outcome::Retry { .. } if entry.resent && entry.change.action == Action::Create => continue,
                Outcome::Retry { after, reason } => self.later(mapping, target, &mut entry, after, &reason),
                Outcome::Deferred(ticket) => {
                    entry.change.status = ChangeStatus::Deferred;
                    entry.change.ticket = Some(ticket);
                    entry.change.settled = None;
                    // A run that waits until all is settled counts what it is told in the end.
                    let later = u64::from(!self.run.options.waits_until_settled());
                    let counts = self.run.count(target, mapping.object(target));
                    counts.pending += later;
                    counts.because(&Reason::Deferred);
                }
            }
            pairs.push(entry.pair);
            changes.push(entry.change);
        }
        (pairs, changes)
    }

    /// The answer names a record that belongs to another one.
    fn not_its_own(&mut self, mapping: &ObjectMapping, target: Side, entry: &mut Outgoing, reason: Reason) {
        entry.change.status = ChangeStatus::Dropped;
        entry.change.sent = None;
        entry.change.reason = Some(reason.clone());
        self.hold(&mut entry.pair, mapping, target.other(), reason);
    }

    fn made(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        slots: &[Slot],
        written: &Written,
        made: Made,
    ) {
        let source = target.other();
        let undo = self.run.options.undoes().is_some();
        let Outgoing { change, pair, values, waits, failed, resent, earlier } = entry;
        let half = pair.half_mut(target);
        half.id = Some(written.id.clone());
        half.version = written.version.clone();
        half.changed = written.changed.or(half.changed);
        half.read = Some(self.run.id);
        half.deleted = None;
        let mut again = false;
        let first_of_two = |pair: &Pair| target == Side::Left || *failed || pair.reason.is_some();
        for (field, sent) in change.fields.iter_mut().zip(values.iter()) {
            let column = slots.iter().position(|slot| *slot == field.slot);
            let stored = column
                .and_then(|column| written.values.get(column).cloned().flatten())
                .unwrap_or_else(|| sent.clone());
            field.stored = Some(&stored).filter(|stored| **stored != field.value).cloned();
            let set_like = mapping.field(field.slot).is_some_and(|rules| rules.set_like) && !undo;
            // What was made may be what was sent before, and what the source has now is an edit since then.
            let rules = mapping.field(field.slot).filter(|_| change.action == Action::Create);
            if let Some(rules) = rules
                && !same_content(&rules.kinds, rules.set_like, &stored, sent)
                && let Some(before) = earlier.iter().rfind(|before| {
                    before.slot == field.slot
                        && same_content(&rules.kinds, rules.set_like, &stored, &before.value)
                })
            {
                settle_earlier(pair, target, before, stored);
                again = true;
                continue;
            }
            // What stands there after a second sending may be an edit made since the first one, and then
            // counts as one.
            if let Some(rules) =
                mapping.field(field.slot).filter(|_| *resent && change.action == Action::Create)
                && !same_content(&rules.kinds, rules.set_like, &stored, sent)
            {
                let halves = match target {
                    Side::Left => Agreed { left: Some(sent.clone()), right: Some(field.source.clone()) },
                    Side::Right => Agreed { left: Some(field.source.clone()), right: Some(sent.clone()) },
                };
                let edited = edited_since(pair, source, field.slot, &field.source);
                pair.set_agreed(field.slot, halves);
                pair.half_mut(source).set_seen(field.slot, edited);
                let time = written.changed.map(|at| FieldTime { at, certain: false });
                pair.half_mut(target).set_seen(field.slot, Some(Seen { value: stored, time }));
                again = true;
                continue;
            }
            if field.joint && !set_like && first_of_two(pair) {
                // What was decided stands on one side only. The other side, or the next run, settles it.
                let time = pair.half(target).seen(field.slot).and_then(|seen| seen.time);
                pair.half_mut(target).set_seen(field.slot, Some(Seen { value: stored, time }));
                continue;
            }
            if field.joint && !set_like {
                let now = pair.current(source, field.slot).cloned();
                field.source = now.unwrap_or_else(|| field.source.clone());
            }
            // A report that came in between may have brought a newer edit of this very field: it is kept as a
            // change.
            let newer =
                pair.dirty.then(|| pair.half(target).seen(field.slot).cloned()).flatten().filter(|seen| {
                    Some(&seen.value) != field.base.as_ref() && seen.value != stored && seen.value != *sent
                });
            if set_like
                && settle_elements(
                    pair,
                    target,
                    field.slot,
                    [field.base.as_ref(), Some(sent), Some(&stored)],
                    newer.clone(),
                )
            {
                continue;
            }
            let edited = edited_since(pair, source, field.slot, &field.source);
            let halves = match target {
                Side::Left => Agreed { left: Some(stored), right: Some(field.source.clone()) },
                Side::Right => Agreed { left: Some(field.source.clone()), right: Some(stored) },
            };
            pair.set_agreed(field.slot, halves);
            pair.half_mut(target).set_seen(field.slot, newer);
            pair.half_mut(source).set_seen(field.slot, edited);
        }
        if change.action == Action::Create {
            for field in &mapping.fields {
                let left_out = change.fields.iter().all(|changed| changed.slot != field.slot);
                if let Some(before) = earlier.iter().rfind(|before| left_out && before.slot == field.slot) {
                    // It was cleared since.
                    settle_earlier(pair, target, before, before.value.clone());
                    again = true;
                    continue;
                }
                let value = pair.current(source, field.slot).cloned();
                // A side in the same store never reports what this sync wrote there; nothing is what was
                // written.
                let unsent = self.exchange(target).local().map(|_| Value::Null);
                // A blank needs no sending; what the new record has there is known with its first report.
                if left_out && value.as_ref().is_some_and(Value::is_blank) {
                    let halves = match source {
                        Side::Left => Agreed { left: value, right: unsent },
                        Side::Right => Agreed { left: unsent, right: value },
                    };
                    pair.set_agreed(field.slot, halves);
                    pair.half_mut(source).set_seen(field.slot, None);
                } else if let Some(value) = unsent.filter(|_| left_out && field.is_reference()) {
                    // A link that has to wait is decided again until it can be sent.
                    pair.half_mut(target).set_seen(field.slot, Some(Seen { value, time: None }));
                }
            }
            // What the new record always gives to the other side is still to be written there.
            again |= mapping.fields.iter().any(|field| field.is_constant(target));
            pair.keys[target] = Some(identity::keys(mapping, target, |slot| pair.current(target, slot)));
            if pair.attempts > 0 {
                // While nobody knew whether it was made, it stood for what was sent as well.
                pair.keys[source] = Some(identity::keys(mapping, source, |slot| pair.current(source, slot)));
            }
        }
        change.status = ChangeStatus::Done;
        pair.context = false;
        pair.due = None;
        // A reason comes from the change of the other side in this round: it failed, is withheld, or has to
        // wait.
        pair.status = match (&pair.reason, *failed) {
            (None, _) => Status::Ok,
            (Some(_), true) => Status::Failed,
            (Some(_), false) => Status::Todo,
        };
        if pair.status == Status::Ok {
            pair.attempts = 0;
        }
        if pair.half(source).deleted.is_some() {
            pair.status = Status::Deleted;
            pair.reason = Some(Reason::MadeAgain);
        }
        if let Some(reference) = waits {
            pair.status = Status::Todo;
            pair.reason = Some(waits_for(source, Some(reference)));
            self.revisit(mapping.id, pair.id);
        } else if std::mem::take(&mut pair.dirty) || again {
            pair.status = Status::Todo;
            self.revisit(mapping.id, pair.id);
        }
        let counts = self.run.count(target, mapping.object(target));
        match made {
            Made::Created => counts.created += 1,
            Made::Updated => counts.updated += 1,
            Made::Unchanged => {}
        }
    }

    /// The record is not there: by this change, or before it, which is as good as a report that it was
    /// deleted.
    fn gone(&mut self, mapping: &ObjectMapping, target: Side, entry: &mut Outgoing) {
        let now = self.now();
        let Outgoing { change, pair, .. } = entry;
        if matches!(change.action, Action::Delete(_)) {
            change.status = ChangeStatus::Done;
            pair.attempts = 0;
            self.run.count(target, mapping.object(target)).removed += 1;
            if self.run.options.undoes().is_some() {
                super::undo::set_undone(pair, target, now);
            } else {
                pair.half_mut(target).deleted = Some(now);
                pair.keys = Sides::by(|_| Some(Vec::new()));
                pair.status = Status::Deleted;
                pair.reason = Some(Reason::DeletedOnBothSides);
            }
            return;
        }
        change.status = ChangeStatus::Dropped;
        change.sent = None;
        change.reason = Some(Reason::RecordGone);
        pair.status = Status::Todo;
        self.bury(mapping, pair, target, now);
        self.revisit(mapping.id, pair.id);
    }

    fn refused(&mut self, mapping: &ObjectMapping, target: Side, entry: &mut Outgoing, reason: Reason) {
        entry.change.status = ChangeStatus::Failed;
        entry.change.reason = Some(reason.clone());
        self.fail(mapping, target, &mut entry.pair, reason);
    }

    /// A record could not be written. It is tried again by itself after growing pauses, and then only when it
    /// changes or the operator asks for it.
    pub(super) fn fail(&mut self, mapping: &ObjectMapping, target: Side, pair: &mut Pair, reason: Reason) {
        pair.status = Status::Failed;
        pair.attempts = pair.attempts.saturating_add(1);
        pair.due = limits::retry_pause(pair.attempts, self.engine.randomness.bits())
            .map(|pause| self.now().later_by(pause));
        let counts = self.run.count(target, mapping.object(target));
        counts.failed += 1;
        counts.because(&reason);
        pair.reason = Some(reason);
    }

    pub(super) fn dropped(&mut self, mapping: &ObjectMapping, entry: &mut Outgoing, reason: Reason) {
        entry.change.status = ChangeStatus::Dropped;
        entry.change.sent = None;
        entry.change.reason = Some(reason.clone());
        entry.pair.status = Status::Todo;
        entry.pair.reason = Some(reason);
        self.revisit(mapping.id, entry.pair.id);
    }

    fn later(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        after: Option<Duration>,
        said: &str,
    ) {
        let reason = Reason::RetryLater { said: Some((target, RemoteSaid::text(said))) };
        entry.change.status = ChangeStatus::Retry;
        entry.change.sent = None;
        entry.change.reason = Some(reason.clone());
        entry.pair.status = Status::Todo;
        entry.pair.attempts = entry.pair.attempts.saturating_add(1);
        let pause = after.unwrap_or(limits::FIRST_PAUSE.saturating_mul(1 << entry.pair.attempts.min(10)));
        if pause <= limits::LONGEST_PAUSE {
            self.pause = self.pause.max(pause);
            self.revisit(mapping.id, entry.pair.id);
        } else {
            entry.pair.due = Some(self.now().later_by(pause));
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += 1;
            counts.because(&reason);
        }
        entry.pair.reason = Some(reason);
    }
}

/// What a side has now, where that is not what it had when an order was made of it: a change since then, also
/// where it only went back to what was agreed before.
pub(super) fn edited_since(pair: &Pair, side: Side, slot: Slot, then: &Value) -> Option<Seen> {
    let seen = pair.half(side).seen(slot).cloned();
    let now =
        seen.or_else(|| pair.current(side, slot).map(|value| Seen { value: value.clone(), time: None }));
    now.filter(|seen| seen.value != *then)
}

/// Settles a field of a new record as it was sent before. What the source has now is a change since then.
fn settle_earlier(pair: &mut Pair, target: Side, before: &SentBefore, stored: Value) {
    let source = target.other();
    let edited = edited_since(pair, source, before.slot, &before.source);
    let (given, stored) = (Some(before.source.clone()), Some(stored));
    let halves = match target {
        Side::Left => Agreed { left: stored, right: given },
        Side::Right => Agreed { left: given, right: stored },
    };
    pair.set_agreed(before.slot, halves);
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

/// How a change was answered that the remote system has made.
#[derive(Debug, Clone, Copy)]
enum Made {
    Created,
    Updated,
    Unchanged,
}
