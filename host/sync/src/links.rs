//! Links: translates references between records (foreign keys) from the ids of one side to the ids of the
//! other, through the pairs.

use super::definition::ObjectMapping;
use super::number::{PairId, Slot};
use super::pair::{Pair, Status};
use entente_core::{Reference, Side, Sides, Value};
use std::collections::{HashMap, HashSet};

/// Object name of a canonical reference, which names a pair. No side has an object of this name.
const PAIR: &str = "\u{0}pair";

/// The pairs of all records that a batch of pairs refers to.
#[derive(Debug, Default)]
pub(super) struct Links {
    numbers: Sides<HashMap<Reference, PairId>>,
    /// By pair number, the records of both sides.
    records: HashMap<PairId, Sides<Option<Reference>>>,
    /// References to records that do not exist, or take no part.
    gone: Sides<HashSet<Reference>>,
}

impl Links {
    /// Adds a pair, so that references to its record on `side` can be translated.
    pub(super) fn add(&mut self, mapping: &ObjectMapping, side: Side, pair: &Pair) {
        let reference = |side: Side| {
            let id = pair.half(side).id.clone()?;
            Some(Reference { object: mapping.object(side).to_owned(), id })
        };
        if let Some(reference) = reference(side) {
            if matches!(pair.status, Status::Deleted | Status::Excluded) {
                self.gone[side].insert(reference.clone());
            }
            self.numbers[side].entry(reference).or_insert(pair.id);
        }
        // A reference cannot be translated to a deleted record.
        let there = Sides::by(|side| reference(side).filter(|_| pair.half(side).deleted.is_none()));
        self.records.insert(pair.id, there);
    }

    /// Notes that the record of a reference does not exist.
    pub(super) fn note_gone(&mut self, side: Side, reference: Reference) {
        self.gone[side].insert(reference);
    }

    /// The first reference in the value that cannot be translated, and whose record is gone: no later run can
    /// translate it either unless the record comes back.
    pub(super) fn gone<'v>(&self, from: Side, value: &'v Value) -> Option<&'v Reference> {
        self.missing(from, value).filter(|reference| self.is_gone(from, reference))
    }

    /// Whether the record of a reference does not exist, or takes no part.
    pub(super) fn is_gone(&self, from: Side, reference: &Reference) -> bool {
        self.gone[from].contains(reference)
    }

    pub(super) fn pair_of(&self, side: Side, reference: &Reference) -> Option<PairId> {
        self.numbers[side].get(reference).copied()
    }

    fn each(
        &self,
        value: &Value,
        mut translate: impl FnMut(&Reference) -> Option<Reference>,
    ) -> Option<Value> {
        match value {
            Value::Reference(reference) => translate(reference).map(Value::Reference),
            Value::References(references) => {
                references.iter().map(translate).collect::<Option<_>>().map(Value::References)
            }
            other => Some(other.clone()),
        }
    }

    /// The references as pair numbers, which are comparable across sides; `None` where a record has no pair.
    pub(super) fn canonical(&self, side: Side, value: &Value) -> Option<Value> {
        if value.references().is_empty() {
            return None;
        }
        self.each(value, |reference| {
            let number = self.pair_of(side, reference)?;
            Some(Reference { object: PAIR.to_owned(), id: number.to_string() })
        })
    }

    /// The references as ids of the other side; `None` where a record has no counterpart there yet.
    pub(super) fn translate(&self, from: Side, value: &Value) -> Option<Value> {
        self.each(value, |reference| {
            let number = self.pair_of(from, reference)?;
            self.records.get(&number)?[from.other()].clone()
        })
    }

    /// Whether every record that the value refers to exists on this side.
    pub(super) fn stand(&self, side: Side, value: &Value) -> bool {
        let stands = |reference: &&Reference| {
            let records = self.pair_of(side, reference).and_then(|number| self.records.get(&number));
            records.is_some_and(|records| records[side].is_some())
        };
        value.references().iter().all(|reference| stands(&reference))
    }

    /// The first reference in the value whose record has no counterpart on the other side.
    pub(super) fn missing<'v>(&self, from: Side, value: &'v Value) -> Option<&'v Reference> {
        value
            .references()
            .iter()
            .find(|reference| self.translate(from, &Value::Reference((*reference).clone())).is_none())
    }
}

/// Every reference in the current values of a side.
pub(super) fn references<'p>(
    mapping: &'p ObjectMapping,
    side: Side,
    pairs: &'p [Pair],
) -> impl Iterator<Item = &'p Reference> {
    let slots: Vec<Slot> =
        mapping.fields.iter().filter(|field| field.is_reference()).map(|field| field.slot).collect();
    pairs.iter().flat_map(move |pair| {
        let values: Vec<&Value> = slots.iter().filter_map(|slot| pair.current(side, *slot)).collect();
        values.into_iter().flat_map(Value::references)
    })
}
