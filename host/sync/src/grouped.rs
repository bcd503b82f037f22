//! Field groups: fields that are one fact, such as the parts of an address, are decided together. Pure: no I/O.

use super::change::{Choice, Ruling};
use super::definition::FieldMapping;
use super::number::{PairId, Slot};
use super::pair::Pair;
use super::plan::{Inputs, current, ruled};
use super::reason::FieldReason;
use entente_core::{
    Current, Decision, FieldRules, FieldTime, Halves, Member, Settled, Side, Sides, Why, settle, settle_group,
};
use std::collections::HashMap;

/// The verdict on a field of a group that was judged as one fact.
pub(super) struct Grouped {
    pub(super) settled: Settled,
    pub(super) reason: FieldReason,
    /// When the fact came to be on each side.
    pub(super) times: Sides<Option<FieldTime>>,
}

/// What both sides have of a field.
struct Part<'p> {
    field: &'p FieldMapping,
    rules: FieldRules<'p>,
    agreed: Option<Halves<'p>>,
    now: Sides<Option<Current<'p>>>,
}

impl Inputs<'_> {
    /// The verdicts on fields of groups that both sides say something else of; what is not among them is decided field by
    /// field.
    pub(super) fn grouped(
        &self,
        pair: &Pair,
        rulings: &HashMap<(PairId, Slot), Ruling>,
    ) -> HashMap<Slot, Grouped> {
        let mut all = HashMap::new();
        for group in &self.mapping.groups {
            // What a side has not changed since both agreed it does not contest.
            let speaks = |side: Side| group.iter().any(|slot| pair.half(side).seen(*slot).is_some());
            let trusted = group.iter().any(|slot| self.one_time_trust(pair, *slot).is_some());
            if trusted || !Side::BOTH.into_iter().any(speaks) {
                continue;
            }
            let parts = self.parts(pair, group);
            if !Side::BOTH.into_iter().all(speaks) {
                let source = if speaks(Side::Left) { Side::Left } else { Side::Right };
                all.extend(parts.iter().filter_map(|part| part.with_the_rest(pair, source)));
                continue;
            }
            let members: Vec<Member<'_>> = parts
                .iter()
                .map(|part| Member { rules: &part.rules, agreed: part.agreed, now: part.now })
                .collect();
            let fact = settle_group(&members);
            let Some(times) = fact.times else { continue };
            let side = ruled_for(pair, &parts, &fact.settled, rulings);
            for (part, settled) in parts.iter().zip(fact.settled) {
                let (settled, reason) = part.by_ruling(pair, settled, side, rulings);
                all.insert(part.field.slot, Grouped { settled, reason, times });
            }
        }
        all
    }

    /// The fields of a group that take part.
    fn parts<'p>(&'p self, pair: &'p Pair, group: &[Slot]) -> Vec<Part<'p>> {
        let fields = self.fields.iter().filter(|field| group.contains(&field.slot));
        let part = |field: &&'p FieldMapping| {
            let field: &'p FieldMapping = field;
            let agreed = pair
                .agreed(field.slot)
                .map(|agreed| Sides::by(|side| field.value_of(side, || agreed.half(side))));
            let now = Sides::by(|side| {
                let time = pair.half(side).seen(field.slot).and_then(|seen| seen.time);
                Some(Current { value: current(field, pair, side)?, link: None, time })
            });
            let rules = FieldRules { trust: field.trust, ..field.rules(self.precision, self.one_blank) };
            Part { field, rules, agreed, now }
        };
        fields.map(part).collect()
    }
}

/// The side that the operator has chosen for a field of a group in conflict: the fact is one, so the choice is for all of it.
fn ruled_for(
    pair: &Pair,
    parts: &[Part<'_>],
    settled: &[Settled],
    rulings: &HashMap<(PairId, Slot), Ruling>,
) -> Option<Side> {
    let in_conflict = parts.iter().zip(settled).filter(|(_, settled)| settled.decision == Decision::Conflict);
    let chosen = |part: &Part<'_>| {
        let ruling = rulings.get(&(pair.id, part.field.slot))?;
        let holds = part.now.both().is_some_and(|now| ruled(&part.rules, ruling, now).is_some());
        match ruling.choice {
            Choice::Side(side) if holds => Some(side),
            _ => None,
        }
    };
    in_conflict.map(|(part, _)| part).find_map(chosen)
}

impl Part<'_> {
    /// The verdict on a field that was refused with the rest of the group, by the other side or by this one: it goes along with
    /// what this side has changed since, so that no part of the fact that was refused stands beside a newer one.
    fn with_the_rest(&self, pair: &Pair, source: Side) -> Option<(Slot, Grouped)> {
        let slot = self.field.slot;
        let parked = matches!(pair.differs(slot), Some(FieldReason::Refused { .. }));
        if !parked {
            return None;
        }
        let trusting = FieldRules { trust: Some(source), ..self.rules };
        let settled = settle(&trusting, None, self.now.left, self.now.right);
        let reason = match &settled.decision {
            Decision::Write(_) => Why::OnlyChange(source),
            _ => settled.why,
        };
        let times = self.now.map(|now| now.and_then(|now| now.time));
        Some((slot, Grouped { settled, reason: reason.into(), times }))
    }

    /// The verdict on the field with what the operator has decided: for a side, as for the whole group, or for a value.
    fn by_ruling(
        &self,
        pair: &Pair,
        settled: Settled,
        side: Option<Side>,
        rulings: &HashMap<(PairId, Slot), Ruling>,
    ) -> (Settled, FieldReason) {
        let why = settled.why;
        if settled.decision != Decision::Conflict {
            return (settled, FieldReason::Judge(why));
        }
        let own = || {
            let ruling = rulings.get(&(pair.id, self.field.slot))?;
            ruled(&self.rules, ruling, self.now.both()?)
        };
        if let Some((decision, withheld)) = own() {
            let reason = withheld.map_or(FieldReason::Ruled, FieldReason::Judge);
            return (Settled { decision, why: withheld.unwrap_or(why) }, reason);
        }
        let Some(side) = side else { return (settled, FieldReason::Judge(why)) };
        let trusting = FieldRules { trust: Some(side), ..self.rules };
        let given = settle(&trusting, None, self.now.left, self.now.right);
        let reason = if given.decision == Decision::Agree {
            FieldReason::Judge(given.why)
        } else {
            FieldReason::Ruled
        };
        (given, reason)
    }
}
