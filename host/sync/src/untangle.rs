//! Untangle: records that exchange an identifier at a side that lets no two have the same one. Each is refused while
//! another has it, for ever; all but one of them are written by way of a blank.

use super::change::{Change, ChangedField};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::identity;
use super::number::{MappingId, PairId, Slot};
use super::options::RunKind;
use super::order::Action;
use super::pair::{Pair, Status};
use super::reason::{FieldReason, Reason};
use super::session::Session;
use entente_core::{Foreign, Side, Value};
use std::collections::{BTreeMap, HashMap};

/// Code of a refusal: another record has the value.
const DUPLICATE: &str = "duplicate";

/// How many records an exchange may have. A longer one is hardly more than a chain, which comes free from its end.
const LONGEST: usize = 32;

/// A pair in an exchange of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Exchanged {
    slot: Slot,
    /// It gives up its identifier before it gets the new one.
    blanked: bool,
}

/// The pairs that exchange identifiers on `target`: each wants the one that the next has, in a circle. The one with the
/// highest number, which is sent after the others, gets its new identifier at once.
fn exchanged(mapping: &ObjectMapping, target: Side, pairs: &[Pair]) -> HashMap<PairId, Exchanged> {
    let mut found = HashMap::new();
    for &slot in &mapping.identifiers {
        let blankable = |required: bool, writable: bool| writable && !required;
        if !mapping.field(slot).is_some_and(|field| blankable(field.required[target], field.writable[target]))
        {
            continue;
        }
        let text = |pair: &Pair, side: Side| identity::text(mapping, side, slot, pair.current(side, slot));
        let has: HashMap<String, PairId> =
            pairs.iter().filter_map(|pair| Some((text(pair, target)?, pair.id))).collect();
        let wants = |pair: &Pair| Some((pair.id, *has.get(&text(pair, target.other())?)?));
        let next: BTreeMap<PairId, PairId> = pairs.iter().filter_map(wants).collect();
        for &first in next.keys() {
            let (mut cycle, mut last) = (vec![first], first);
            while let Some(&other) = next.get(&last).filter(|other| **other > first)
                && cycle.len() < LONGEST
                && !cycle.contains(&other)
            {
                cycle.push(other);
                last = other;
            }
            if cycle.len() > 1 && next.get(&last) == Some(&first) {
                let highest = cycle.iter().copied().max();
                for pair in cycle {
                    found.entry(pair).or_insert(Exchanged { slot, blanked: Some(pair) != highest });
                }
            }
        }
    }
    found
}

/// Writes a blank in place of the new value of a field. Whatever the source has is an edit after that, also the value from
/// before; it is written in the next pass.
pub(super) fn by_way_of_blank(slot: Slot, fields: &mut [ChangedField]) {
    for field in fields.iter_mut().filter(|field| field.slot == slot) {
        field.value = Value::Null;
        field.source = Value::Null;
        field.time = None;
        field.reason = FieldReason::ByWayOfBlank;
    }
}

impl Session<'_> {
    /// Whether a change was refused since another record has one of its values, so that the two may be exchanging
    /// them. What becomes of it is decided after the pass ([`Session::untangle`]).
    pub(super) fn is_exchangeable(&self, change: &Change, reason: &Reason) -> bool {
        let taken = matches!(reason, Reason::Refused { said, .. } if said.code.as_ref().map(Foreign::as_data) == Some(DUPLICATE));
        taken
            && matches!(change.action, Action::Update(_))
            && matches!(self.run.options.kind, RunKind::Sync { .. })
            && !self.by_way_of_blank.contains_key(&(change.pair, change.target))
    }

    /// Decides again about records that exchange identifiers; the others have failed. After the last pass all have.
    pub(super) async fn untangle(&mut self, last: bool) -> Result<(), SyncError> {
        let mut refused: BTreeMap<(MappingId, Side), Vec<PairId>> = BTreeMap::new();
        for (mapping, target, pair) in std::mem::take(&mut self.taken) {
            refused.entry((mapping, target)).or_default().push(pair);
        }
        for ((mapping, target), numbers) in refused {
            let Some(mapping) = self.definition.mapping(mapping) else { continue };
            let mut pairs = self.engine.ledger.pairs(&numbers).await?;
            pairs.retain(|pair| pair.status == Status::Todo);
            let exchanged = if last { HashMap::new() } else { exchanged(mapping, target, &pairs) };
            for pair in &mut pairs {
                match (exchanged.get(&pair.id), pair.reason.take()) {
                    (Some(one), _) => {
                        if one.blanked {
                            self.by_way_of_blank.insert((pair.id, target), one.slot);
                        }
                        self.revisit(mapping.id, pair.id);
                    }
                    (None, Some(reason)) => self.fail(mapping, target, pair, reason),
                    (None, None) => {}
                }
            }
            let mut unit = self.begin().await?;
            unit.save_pairs(&mut pairs).await?;
            unit.commit().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Agreed, FieldMapping, Seen};
    use entente_core::Sides;

    #[test]
    fn an_exchange_is_a_circle_of_who_wants_what_the_next_has() {
        let mapping = ObjectMapping {
            fields: vec![FieldMapping {
                kinds: Sides::by(|_| "email".into()),
                writable: Sides::new(true, true),
                ..FieldMapping::default()
            }],
            identifiers: vec![Slot(0)],
            ..ObjectMapping::default()
        };
        let pair = |(id, has, wants): &(PairId, &str, &str)| {
            let mut pair = Pair { id: *id, ..Pair::new(1) };
            let value = |text: &str| Value::text(format!("{text}@example.org"));
            pair.set_agreed(Slot(0), Agreed { left: Some(value(has)), right: Some(value(has)) });
            pair.half_mut(Side::Left).set_seen(Slot(0), Some(Seen { value: value(wants), time: None }));
            pair
        };
        type Case = (&'static [(PairId, &'static str, &'static str)], &'static [(PairId, bool)]);
        let cases: [Case; 5] = [
            (&[(1, "a", "b"), (2, "b", "a")], &[(1, true), (2, false)]),
            (&[(3, "a", "b"), (7, "b", "c"), (5, "c", "a")], &[(3, true), (5, true), (7, false)]),
            (&[(1, "a", "b"), (2, "b", "c")], &[]),
            (&[(1, "a", "B"), (2, "b", "a"), (3, "c", "a")], &[(1, true), (2, false)]),
            (&[(1, "a", "a"), (2, "b", "a")], &[]),
        ];
        for (pairs, expected) in cases {
            let pairs: Vec<Pair> = pairs.iter().map(pair).collect();
            let found = exchanged(&mapping, Side::Right, &pairs);
            let found: BTreeMap<PairId, bool> = found.iter().map(|(id, one)| (*id, one.blanked)).collect();
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        }
    }
}
