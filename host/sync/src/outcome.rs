//! Outcome: applies the answers to an order to changes, pairs and counts. The merge base moves on a known
//! outcome only.

use super::answer::{Answers, Execution, Meaning, mistaken};
use super::change::{Change, ChangeStatus, ChangedField};
use super::convert::{await_reading, forget_sets};
use super::definition::ObjectMapping;
use super::identity;
use super::limits;
use super::links::references;
use super::notice::Oddity;
use super::number::{Column, Slot};
use super::order::{Action, Answer, Outcome, Written};
use super::outgoing::{Outgoing, Owners, waits_for};
use super::pair::{Half, Pair, Seen, Status};
use super::reason::Reason;
use super::report::Row;
use super::reported::apply_row;
use super::session::Session;
use super::settle::{Settlement, forget_agreed, has_landed, set_undone, settle_as_sent};
use super::subject::{RecordRef, RemoteSaid};
use entente_core::{Reference, Side, Sides};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

impl Session<'_> {
    /// Applies the answers to an order. Returns the pairs and changes to store; a change without an answer is
    /// not among them and keeps its unknown outcome.
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
        let (mut pairs, mut changes, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        let mistaken = self.mistaken_answers(mapping, target, &by_key, slots, &answers);
        let mut meanings = Answers::new(mapping, target, owners);
        let mut answered: HashSet<String> = HashSet::new();
        for answer in answers {
            // It names the record of another change, and what its own has made is not known.
            if mistaken.contains(&answer.change) {
                continue;
            }
            // A second answer to a change, or an answer to a change that was not sent, is left out.
            let Some(mut entry) = by_key.remove(&answer.change) else {
                if answered.contains(&answer.change) {
                    self.run.invalid_answers(target, mapping.object(target), Oddity::AnsweredTwice, 1);
                }
                continue;
            };
            answered.insert(answer.change.clone());
            if let Outcome::Created(written) | Outcome::Updated(written) = &answer.outcome
                && written.refused_unnamed
            {
                self.run.invalid_answers(target, mapping.object(target), Oddity::RefusedWithoutFields, 1);
            }
            match meanings.meaning(&entry.change.action, entry.unanswered, answer.outcome) {
                Meaning::Open => continue,
                meaning => {
                    let mut mistaken = None;
                    if let Meaning::Made(_, written) = &meaning {
                        mistaken = give_up(&mut entry, target, written);
                        hand_over(&mut entry, target, written, owners);
                    }
                    self.settle_answer(mapping, target, &mut entry, slots, meaning);
                    if let Some(half) = mistaken {
                        alone.push(self.duplicate_of_made(mapping, target, &entry.pair, half));
                    }
                }
            }
            pairs.push(entry.pair);
            changes.push(entry.change);
        }
        // After the pairs that had their records.
        pairs.append(&mut alone);
        (pairs, changes)
    }

    /// The changes whose answers are those of other changes of the order; the run says so.
    fn mistaken_answers(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: &HashMap<String, Outgoing>,
        slots: &[Slot],
        answers: &[Answer],
    ) -> HashSet<String> {
        let mistaken = mistaken(mapping, target, outgoing, slots, answers);
        if !mistaken.is_empty() {
            let count = mistaken.len() as u64;
            self.run.invalid_answers(target, mapping.object(target), Oddity::OfAnotherChange, count);
        }
        mistaken
    }

    /// A record that was taken for what a create without an answer had made, until the answer named another one. It is
    /// held as a duplicate of that one, whose identifiers it had, as it would have been had the answer come first.
    fn duplicate_of_made(&mut self, mapping: &ObjectMapping, target: Side, made: &Pair, half: Half) -> Pair {
        let out = half.is_out();
        let mut pair = Pair::new(mapping.id);
        *pair.half_mut(target) = half;
        pair.keys[target] = Some(Vec::new());
        if out {
            pair.status = Status::Excluded;
            pair.reason = pair.why_out();
            return pair;
        }
        let id = made.half(target).id.as_deref().unwrap_or_default();
        let record = RecordRef::new(target, mapping.object(target), id);
        self.hold(&mut pair, mapping, target, Reason::duplicate(record));
        self.keys_given_up = true;
        pair
    }

    fn settle_answer(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        slots: &[Slot],
        meaning: Meaning,
    ) {
        let now = self.now();
        entry.change.settled = Some(now);
        match meaning {
            Meaning::Made(made, written) => self.made(mapping, target, entry, slots, &written, made),
            Meaning::Gone => self.gone(mapping, target, entry),
            Meaning::Refused(reason) => self.refused(mapping, target, entry, reason),
            Meaning::BelongsToAnother(reason) => self.belongs_to_another(mapping, target, entry, reason),
            Meaning::Stale(row) => self.met_newer(mapping, target, entry, slots, row),
            Meaning::Merged(reason) => {
                entry.change.status = ChangeStatus::Dropped;
                entry.pair.half_mut(target).deleted = Some(now);
                entry.pair.keys[target] = Some(Vec::new());
                self.keys_given_up = true;
                self.hold(&mut entry.pair, mapping, target, reason);
            }
            Meaning::Renamed(id) => {
                entry.change.status = ChangeStatus::Dropped;
                entry.change.reason = Some(Reason::BecameAnother);
                // The unknown winner may be what an open create has made: what it became is asked again.
                if !self.open_creates.under_way(mapping, target) {
                    forget_sets(mapping, &mut entry.pair, target.other());
                    entry.pair.half_mut(target).id = Some(id);
                    entry.pair.half_mut(target).version = None;
                }
                entry.pair.status = Status::Todo;
                await_reading(&mut entry.pair, mapping, target);
            }
            Meaning::Converted(reason) => {
                entry.change.status = ChangeStatus::Dropped;
                self.hold(&mut entry.pair, mapping, target, reason);
            }
            Meaning::Later(after, said) => self.later(mapping, target, entry, after, &said),
            Meaning::Deferred(ticket) => {
                entry.change.status = ChangeStatus::Deferred;
                entry.change.ticket = Some(ticket);
                entry.change.settled = None;
                // A run that polls until everything is settled counts the final outcomes instead.
                let later = u64::from(!self.run.options.waits_until_settled());
                let counts = self.run.count(target, mapping.object(target));
                counts.pending += later;
                counts.because(&Reason::Deferred);
            }
            // The outcome stays unknown.
            Meaning::Open => {}
        }
    }

    /// Holds a pair whose change was answered with a record that belongs to another pair.
    fn belongs_to_another(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        reason: Reason,
    ) {
        entry.change.status = ChangeStatus::Dropped;
        entry.change.sent = None;
        entry.change.reason = Some(reason.clone());
        if entry.pair.half(target.other()).deleted.is_some() && entry.pair.half(target).id.is_none() {
            // Nothing is left that could be a duplicate, and the other record has a pair of its own.
            entry.pair.status = Status::Deleted;
            entry.pair.reason = Some(Reason::DeletedEverywhere);
            entry.pair.keys = Sides::by(|_| Some(Vec::new()));
            self.keys_given_up = true;
            return;
        }
        self.hold(&mut entry.pair, mapping, target.other(), reason);
    }

    /// Settles an executed change.
    fn made(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        slots: &[Slot],
        written: &Written,
        made: Execution,
    ) {
        let half = entry.pair.half_mut(target);
        if let Some(id) = half.id.replace(written.id.clone()).filter(|id| *id != written.id) {
            self.replaced[target].push(Reference { object: mapping.object(target).to_owned(), id });
        }
        // The version of a record that may have been edited since its values were told protects nothing.
        let told = mapping.fields.iter().all(|field| written.tells(slots, field.slot));
        half.version = written.version.clone().filter(|_| !entry.resent || told);
        if entry.resent && !told {
            self.untold.insert(entry.pair.id);
        }
        let half = entry.pair.half_mut(target);
        half.changed = written.changed.or(half.changed);
        half.read = Some(self.run.id);
        self.open_creates.settled(entry.pair.id);
        let settlement = Settlement {
            mapping,
            target,
            slots,
            written,
            undo: entry.change.is_of_undo(),
            local: self.exchange(target).local().is_some(),
        };
        // After the blank comes the new value.
        let blanked = self.by_way_of_blank.remove(&(entry.pair.id, target)).is_some();
        // What it refers to may have left its pair since this change was decided.
        let relinks = self.refers_to_ended(mapping, &entry.pair) || self.found_out.remove(&entry.pair.id);
        let mut revisit = settlement.settle(entry) || blanked || relinks;
        if entry.resent && entry.change.action == Action::Create {
            // It was sent as it had been decided before: what the source has by now is an edit.
            let edited = |field: &ChangedField| entry.pair.half(target.other()).seen(field.slot).is_some();
            revisit |= entry.change.fields.iter().any(edited);
        }
        if entry.change.action == Action::Create {
            entry.change.made = Some(written.id.clone());
            identity::renew(mapping, &mut entry.pair, target);
            if entry.pair.attempts > 0 {
                // While the create was unanswered, the source also owned the keys that were sent.
                identity::renew(mapping, &mut entry.pair, target.other());
            }
        } else if entry.change.fields.iter().any(|field| mapping.identifiers.contains(&field.slot)) {
            identity::renew(mapping, &mut entry.pair, target);
            self.keys_given_up = true;
        }
        entry.change.status = ChangeStatus::Done;
        for refused in &written.refused {
            self.run.refused_field(target, mapping.object(target), &refused.field);
        }
        self.end_made(mapping, target, entry, revisit);
        let counts = self.run.count(target, mapping.object(target));
        match made {
            Execution::Created => counts.created += 1,
            Execution::Updated => counts.updated += 1,
            Execution::Unchanged => {}
        }
    }

    /// Whether a record of a pair refers to one that has left its pair in this run.
    fn refers_to_ended(&self, mapping: &ObjectMapping, pair: &Pair) -> bool {
        Side::BOTH.into_iter().filter(|side| !self.ended[*side].is_empty()).any(|side| {
            references(mapping, side, std::slice::from_ref(pair)).any(|of| self.ended[side].contains(of))
        })
    }

    /// Status of a pair whose change was executed; `revisit`: the pair has to be decided again.
    fn end_made(&mut self, mapping: &ObjectMapping, target: Side, entry: &mut Outgoing, revisit: bool) {
        let source = target.other();
        let by_undo = entry.change.is_of_undo();
        let Outgoing { pair, waits, failed, .. } = entry;
        pair.context = false;
        // A reason stems from the change to the other side in this pass: it failed, is withheld or waits, or is held back and
        // stays so. A reference that is parked waits for nothing.
        pair.status = match (&pair.reason, *failed) {
            (None | Some(Reason::ParentGone { .. }), _) => Status::Ok,
            (Some(_), true) => Status::Failed,
            (Some(reason), false) if reason.holds_back() => Status::Held,
            (Some(_), false) => Status::Todo,
        };
        // What an undo leaves in the work queue may have an update to its other side without an answer.
        if pair.status == Status::Ok && !(by_undo && pair.dirty) {
            pair.attempts = 0;
        }
        let gone = pair.halves.iter().any(|half| half.deleted.is_some() || half.is_out());
        if pair.half(source).deleted.is_some() && by_undo {
            pair.status = Status::Deleted;
            pair.reason = Some(Reason::MadeAgain);
        } else if gone {
            // Deleted, or outside the filter, while the outcome was unknown: the policy decides.
            pair.dirty = true;
        }
        if let Some(reference) = waits {
            pair.status = Status::Todo;
            pair.reason = Some(waits_for(source, Some(reference)));
            self.revisit(mapping.id, pair.id);
        } else if std::mem::take(&mut pair.dirty) || revisit {
            pair.status = Status::Todo;
            self.revisit(mapping.id, pair.id);
        }
        // What has failed for the other side is tried again when it is due.
        if pair.status != Status::Failed {
            pair.due = None;
        }
    }

    /// A deleted record: the outcome of a delete, or of an update, which then counts as a report of the
    /// deletion.
    fn gone(&mut self, mapping: &ObjectMapping, target: Side, entry: &mut Outgoing) {
        let now = self.now();
        self.keys_given_up = true;
        let Outgoing { change, pair, .. } = entry;
        if matches!(change.action, Action::Delete(_)) {
            change.status = ChangeStatus::Done;
            pair.attempts = 0;
            self.run.count(target, mapping.object(target)).removed += 1;
            if change.is_delete_of_undo() {
                set_undone(pair, target, now);
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
        self.note_deletion(mapping, pair, target, now);
        self.revisit(mapping.id, pair.id);
    }

    fn refused(&mut self, mapping: &ObjectMapping, target: Side, entry: &mut Outgoing, reason: Reason) {
        // What is refused now may have been made by an earlier send: its key is kept. So may what an undo deletes.
        let may_be_done = entry.change.action == Action::Create || entry.change.is_delete_of_undo();
        let unknown = entry.unanswered && may_be_done;
        entry.change.status = if unknown { ChangeStatus::Retry } else { ChangeStatus::Failed };
        entry.change.reason = Some(reason.clone());
        if self.park_refused(mapping, target, entry, &reason) {
            return;
        }
        if self.is_exchangeable(&entry.change, &reason) {
            entry.pair.status = Status::Todo;
            entry.pair.reason = Some(reason);
            self.taken.push((mapping.id, target, entry.pair.id));
            return;
        }
        self.fail(mapping, target, &mut entry.pair, reason);
    }

    /// Fails a pair: it is retried with exponential backoff, and after the last retry only when a record
    /// changes or the operator asks.
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

    /// The record has changed since the decision: takes in what it has, and queues the pair for another one.
    fn met_newer(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        slots: &[Slot],
        row: Row,
    ) {
        let columns: Vec<(Slot, Column)> =
            slots.iter().enumerate().map(|(column, slot)| (*slot, Column(column))).collect();
        apply_row(&mut entry.pair, target, &columns, &row, self.arrival(target, mapping.object(target)));
        identity::renew(mapping, &mut entry.pair, target);
        let told = |slot: Slot| {
            columns.iter().any(|(of, Column(at))| *of == slot && matches!(row.values.get(*at), Some(Some(_))))
        };
        if !mapping.fields.iter().all(|field| told(field.slot)) {
            // The new version protects only what was told with it: the rest is read before anything is written over it.
            entry.pair.half_mut(target).version = None;
            self.untold.insert(entry.pair.id);
            self.stale.entry((mapping.id, target)).or_default().push(row.id.clone());
        }
        // Sent before without an answer: what makes this send stale may be what the first one wrote.
        let landed = entry.resent && has_landed(mapping, &entry.pair, &mut entry.change);
        if landed {
            settle_as_sent(mapping, &mut entry.pair, &entry.change);
        }
        self.dropped(mapping, entry, Reason::Stale);
        if landed {
            entry.change.status = ChangeStatus::Done;
            entry.change.reason = Some(Reason::FoundOut);
        }
    }

    /// Drops a change whose decision no longer holds, and queues its pair for another one.
    pub(super) fn dropped(&mut self, mapping: &ObjectMapping, entry: &mut Outgoing, reason: Reason) {
        entry.change.status = ChangeStatus::Dropped;
        entry.change.sent = None;
        entry.change.reason = Some(reason.clone());
        entry.pair.queue();
        entry.pair.reason = Some(reason);
        self.hold_stranger(mapping, &mut entry.pair);
        self.revisit(mapping.id, entry.pair.id);
    }

    /// Retry on request of the side: in this run where the pause is short, else in a later run.
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
        // An earlier send without an answer may have been carried out.
        if !entry.unanswered {
            entry.change.sent = None;
        }
        entry.change.reason = Some(reason.clone());
        entry.pair.status = Status::Todo;
        entry.pair.attempts = entry.pair.attempts.saturating_add(1);
        let pause = after.unwrap_or(limits::FIRST_PAUSE.saturating_mul(1 << entry.pair.attempts.min(10)));
        if pause <= limits::LONGEST_PAUSE {
            if self.pause.is_none_or(|(_, longest)| longest < pause) {
                self.pause = Some((target, pause));
            }
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

/// Takes out of a pair the record that was taken for what its create had made, where the answer names another one.
/// `None`: there is none, or it is gone.
fn give_up(entry: &mut Outgoing, target: Side, written: &Written) -> Option<Half> {
    let Outgoing { change, pair, .. } = entry;
    let half = pair.half(target);
    let stands = half.deleted.is_none() && half.id.as_ref().is_some_and(|id| *id != written.id);
    if change.action != Action::Create || !stands {
        return None;
    }
    // What was settled by that record is not what was made.
    let mut mistaken = pair.clone();
    forget_agreed(&mut mistaken, target);
    forget_agreed(pair, target.other());
    *pair.half_mut(target) = Half::default();
    Some(std::mem::take(mistaken.half_mut(target)))
}

/// Takes over what was reported of a record while the outcome of its create was unknown: the record had a pair of
/// its own until the answer named it. Its values are edits since the create, also its deletion.
fn hand_over(entry: &mut Outgoing, target: Side, written: &Written, owners: &Owners) {
    let pair = &mut entry.pair;
    if pair.half(target).id.as_ref() != Some(&written.id) {
        pair.half_mut(target).deleted = None;
    }
    let source = target.other();
    let Some(owner) = owners.get(&written.id).filter(|owner| owner.half(source).id.is_none()) else { return };
    for slot in Slot::first(owner.half(target).seen.len().max(owner.agreed.len())) {
        let seen = owner.half(target).seen(slot).cloned();
        let seen = seen
            .or_else(|| owner.current(target, slot).map(|value| Seen { value: value.clone(), time: None }));
        if seen.is_some() {
            pair.half_mut(target).set_seen(slot, seen);
        }
    }
    pair.half_mut(target).deleted = owner.half(target).deleted;
    pair.half_mut(target).changed = owner.half(target).changed;
    pair.dirty = true;
    entry.resent = true;
}
