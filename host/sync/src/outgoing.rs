//! Outgoing: changes that are about to be sent, with references translated to the ids of the target, and the
//! order that carries them. Pure: no I/O.

use super::change::{Change, ChangedField};
use super::definition::ObjectMapping;
use super::links::Links;
use super::number::{PairId, Slot};
use super::order::{Action, Answer, OrderedChange};
use super::pair::{Pair, Status};
use super::reason::Reason;
use super::subject::RecordRef;
use entente_core::{Reference, Side, Value};
use std::collections::{BTreeSet, HashMap};

/// A change that is about to be sent, with its pair.
pub(super) struct Outgoing {
    pub(super) change: Change,
    pub(super) pair: Pair,
    /// By field of the change, the value with references translated to the target.
    pub(super) values: Vec<Value>,
    /// The record without a counterpart that a reference waits for.
    pub(super) waits: Option<Reference>,
    /// The target requires that reference, so that the whole change waits.
    pub(super) held: bool,
    /// The pair has status `failed`, by a change to its other side.
    pub(super) failed: bool,
    /// It was sent before and may have been executed then, so that the record may have been edited since.
    pub(super) resent: bool,
    /// An earlier send has no answer: the order was sent again, or failed as a whole.
    pub(super) unanswered: bool,
    /// Fields of earlier sends under the same idempotency key, the latest last; any of those sends may have
    /// succeeded.
    pub(super) earlier: Vec<SentBefore>,
    /// Fields that one of those sends did not carry.
    pub(super) left_out: BTreeSet<Slot>,
}

/// A field of an unanswered create.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SentBefore {
    pub(super) slot: Slot,
    /// The value of the source at that time.
    pub(super) source: Value,
    /// The value that was sent.
    pub(super) value: Value,
}

impl Outgoing {
    /// Translates the references of a change to the target, and takes out those that have to wait.
    /// `unanswered` are earlier sends; those with the same idempotency key become [`Outgoing::earlier`].
    pub(super) fn new(
        mut change: Change,
        pair: Pair,
        mapping: &ObjectMapping,
        links: &Links,
        unanswered: &[Change],
    ) -> Self {
        let (target, source) = (change.target, change.target.other());
        let mut values = Vec::with_capacity(change.fields.len());
        let (mut waits, mut held): (Option<&Reference>, bool) = (None, false);
        let planned = std::mem::take(&mut change.fields);
        for field in &planned {
            match translate(links, source, field) {
                Some(value) => {
                    values.push(value);
                    change.fields.push(field.clone());
                }
                None => {
                    let missing = links.missing(source, &field.value);
                    // A record that stands has one; the rest of the update does not wait.
                    let required = change.action == Action::Create
                        && mapping.field(field.slot).is_some_and(|rules| rules.required[target]);
                    // What holds the change is what it waits for, and nothing waits for a record that is gone.
                    let in_vain = |reference: &Reference| links.is_gone(source, reference);
                    let better = waits.is_none_or(in_vain) && !missing.is_some_and(in_vain);
                    if waits.is_none() || (required && !held) || (better && !held) {
                        waits = missing;
                    }
                    held |= required;
                }
            }
        }
        let waits = waits.cloned();
        let same = |earlier: &&Change| earlier.key == change.key && earlier.id != change.id;
        let unanswered_before = unanswered.iter().any(|earlier| same(&earlier));
        let sent_before = |field: &ChangedField| {
            let value = translate(links, source, field)?;
            Some(SentBefore { slot: field.slot, source: field.source.clone(), value })
        };
        let sends = || unanswered.iter().filter(same);
        let earlier = sends().flat_map(|earlier| &earlier.fields).filter_map(sent_before).collect();
        let carries = |send: &Change, slot: Slot| send.fields.iter().any(|field| field.slot == slot);
        let slots = mapping.fields.iter().map(|field| field.slot);
        let left_out = slots.filter(|slot| sends().any(|send| !carries(send, *slot))).collect();
        let (failed, resent) = (pair.status == Status::Failed, pair.attempts > 0);
        let unanswered = unanswered_before;
        Self { change, pair, values, waits, held, failed, resent, unanswered, earlier, left_out }
    }

    /// Marks it as sent once more, since the answer to an earlier send did not come.
    pub(super) fn send_again(&mut self) {
        self.resent = true;
        self.unanswered = true;
    }

    /// Whether the whole change waits: a required reference is missing, or no field is left to send.
    pub(super) fn must_wait(&self) -> bool {
        self.held || self.change.fields.is_empty()
    }

    /// The change as a row of an order, with a value for each of these slots. A target in the store of the
    /// ledger (`local`) also gets the change times.
    fn ordered(&self, mapping: &ObjectMapping, slots: &[Slot], local: bool) -> OrderedChange {
        let Change { key, action, fields, target, .. } = &self.change;
        let of = |slot: &Slot| fields.iter().position(|field| field.slot == *slot);
        let source = self.pair.half(target.other()).id.clone();
        OrderedChange {
            id: key.clone(),
            action: action.clone(),
            values: match action {
                Action::Delete(_) => vec![None; slots.len()],
                Action::Create => slots.iter().map(|slot| Some(self.values[of(slot)?].clone())).collect(),
                Action::Update(_) => slots
                    .iter()
                    .map(|slot| match of(slot) {
                        Some(place) => Some(self.values[place].clone()),
                        None if carried(mapping, *target).any(|carried| carried == *slot) => {
                            self.pair.current(*target, *slot).cloned()
                        }
                        None => None,
                    })
                    .collect(),
            },
            base: match action {
                Action::Create => Vec::new(),
                _ => slots.iter().map(|slot| fields[of(slot)?].base.clone()).collect(),
            },
            times: match local {
                true => slots.iter().map(|slot| fields[of(slot)?].time).collect(),
                false => Vec::new(),
            },
            version: self.pair.half(*target).version.clone(),
            source: source.map(|id| Reference { object: mapping.object(target.other()).to_owned(), id }),
        }
    }
}

/// Fields that every update of the target carries, changed or not: with what the record has.
fn carried(mapping: &ObjectMapping, target: Side) -> impl Iterator<Item = Slot> {
    let fields = mapping.fields.iter().filter(move |field| field.terms[target].required_on_update);
    fields.map(|field| field.slot)
}

/// The columns of an order (the union of the fields of its changes) and its rows.
pub(super) fn ordered(
    mapping: &ObjectMapping,
    outgoing: &[Outgoing],
    local: bool,
) -> (Vec<Slot>, Vec<OrderedChange>) {
    let mut slots: BTreeSet<Slot> =
        outgoing.iter().flat_map(|entry| entry.change.fields.iter().map(|field| field.slot)).collect();
    let updates = outgoing.iter().filter(|entry| matches!(entry.change.action, Action::Update(_)));
    if let Some(entry) = updates.into_iter().next() {
        slots.extend(carried(mapping, entry.change.target));
    }
    let slots: Vec<Slot> = slots.into_iter().collect();
    let changes = outgoing.iter().map(|entry| entry.ordered(mapping, &slots, local)).collect();
    (slots, changes)
}

/// Pairs by the id of their record on the target.
pub(super) type Owners = HashMap<String, Pair>;

/// Pairs to delete after an answer named their record: a record in a pair without a counterpart now belongs
/// to the pair whose change was answered with it.
pub(super) fn absorbed(owners: &Owners, target: Side, answers: &[Answer]) -> Vec<PairId> {
    use super::order::Outcome::{Created, Stale, Unchanged, Updated};
    let named = |answer: &Answer| match &answer.outcome {
        Created(written) | Updated(written) | Unchanged(written) => owners.get(&written.id),
        Stale(row) => owners.get(&row.id),
        _ => None,
    };
    answers
        .iter()
        .filter_map(named)
        .filter(|pair| pair.half(target.other()).id.is_none())
        .map(|pair| pair.id)
        .collect()
}

/// The value of a field with its references translated to the target; `None` where one of them has to wait.
pub(super) fn translate(links: &Links, source: Side, field: &ChangedField) -> Option<Value> {
    if field.value.references().is_empty() {
        Some(field.value.clone())
    } else {
        links.translate(source, &field.value)
    }
}

/// The reason for a reference that waits for the counterpart of a record of `source`.
pub(super) fn waits_for(source: Side, reference: Option<&Reference>) -> Reason {
    Reason::WaitsFor { record: reference.map(|reference| RecordRef::of(source, reference)) }
}
