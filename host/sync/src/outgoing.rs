//! Outgoing: changes on their way to a side, with values in its words, and the order that carries them. Pure: no
//! side is asked, nothing is stored.

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

/// A change on its way: what of it is sent, and what has to wait.
pub(super) struct Outgoing {
    pub(super) change: Change,
    pub(super) pair: Pair,
    /// By field of the change, the value in the words of the target.
    pub(super) values: Vec<Value>,
    /// The record that a link waits for.
    pub(super) waits: Option<Reference>,
    /// The target requires that link.
    pub(super) held: bool,
    /// The pair had failed before: a change of its other side did.
    pub(super) failed: bool,
    /// It was sent before, and the record may have been edited since it was made.
    pub(super) resent: bool,
    /// What was sent under its name before, the latest last: any of it may be what was made.
    pub(super) earlier: Vec<SentBefore>,
}

/// A field of a create that was never answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SentBefore {
    pub(super) slot: Slot,
    /// What the source had.
    pub(super) source: Value,
    /// What was sent, in the words of the target.
    pub(super) value: Value,
}

impl Outgoing {
    /// Puts the links of a change into the names of its target, and takes those out that have to wait.
    /// `unanswered` are earlier sendings; the one of the same name carried what may have been made.
    pub(super) fn new(
        mut change: Change,
        pair: Pair,
        mapping: &ObjectMapping,
        links: &Links,
        unanswered: &[Change],
    ) -> Self {
        let (target, source) = (change.target, change.target.other());
        let mut values = Vec::with_capacity(change.fields.len());
        let (mut waits, mut held) = (None, false);
        for field in std::mem::take(&mut change.fields) {
            match translate(links, source, &field) {
                Some(value) => {
                    values.push(value);
                    change.fields.push(field);
                }
                None => {
                    waits = links.missing(source, &field.value).cloned();
                    held |= mapping.field(field.slot).is_some_and(|rules| rules.required[target]);
                }
            }
        }
        let sent_before = |field: &ChangedField| {
            let value = translate(links, source, field)?;
            Some(SentBefore { slot: field.slot, source: field.source.clone(), value })
        };
        let earlier = unanswered
            .iter()
            .filter(|earlier| earlier.key == change.key && earlier.id != change.id)
            .flat_map(|earlier| &earlier.fields)
            .filter_map(sent_before)
            .collect();
        let (failed, resent) = (pair.status == Status::Failed, pair.attempts > 0);
        Self { change, pair, values, waits, held, failed, resent, earlier }
    }

    /// Whether it has to wait as a whole: nothing is left to send, or what is missing is required.
    pub(super) fn must_wait(&self) -> bool {
        self.held || self.change.fields.is_empty()
    }

    /// The change as an order carries it, with a value for each of these slots. A target that shares the store of
    /// the ledger (`local`) keeps field times itself.
    fn ordered(&self, mapping: &ObjectMapping, slots: &[Slot], local: bool) -> OrderedChange {
        let Change { key, action, fields, target, .. } = &self.change;
        let of = |slot: &Slot| fields.iter().position(|field| field.slot == *slot);
        let source = self.pair.half(target.other()).id.clone();
        OrderedChange {
            id: key.clone(),
            action: action.clone(),
            values: match action {
                Action::Delete(_) => vec![None; slots.len()],
                _ => slots.iter().map(|slot| of(slot).map(|place| self.values[place].clone())).collect(),
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

/// The fields of an order, which are those that any of its changes has, by their slots; and its changes.
pub(super) fn ordered(
    mapping: &ObjectMapping,
    outgoing: &[Outgoing],
    local: bool,
) -> (Vec<Slot>, Vec<OrderedChange>) {
    let slots: BTreeSet<Slot> =
        outgoing.iter().flat_map(|entry| entry.change.fields.iter().map(|field| field.slot)).collect();
    let slots: Vec<Slot> = slots.into_iter().collect();
    let changes = outgoing.iter().map(|entry| entry.ordered(mapping, &slots, local)).collect();
    (slots, changes)
}

/// Pairs by the id of the record that they have.
pub(super) type Owners = HashMap<String, Pair>;

/// A create may be answered with a record that is known already: where that waits alone in a pair of its own,
/// the pair goes, since the record now belongs to the one that asked.
pub(super) fn absorbed(owners: &Owners, target: Side, answers: &[Answer]) -> Vec<PairId> {
    use super::order::Outcome::{Created, Unchanged, Updated};
    let named = |answer: &Answer| match &answer.outcome {
        Created(written) | Updated(written) | Unchanged(written) => owners.get(&written.id),
        _ => None,
    };
    answers
        .iter()
        .filter_map(named)
        .filter(|pair| pair.half(target.other()).id.is_none())
        .map(|pair| pair.id)
        .collect()
}

pub(super) fn translate(links: &Links, source: Side, field: &ChangedField) -> Option<Value> {
    if field.value.references().is_empty() {
        Some(field.value.clone())
    } else {
        links.translate(source, &field.value)
    }
}

/// A link waits until the record of `source` that it names has a counterpart.
pub(super) fn waits_for(source: Side, reference: Option<&Reference>) -> Reason {
    Reason::WaitsFor { record: reference.map(|reference| RecordRef::of(source, reference)) }
}
