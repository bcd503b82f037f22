//! Apply: executes an approved plan (a saved dry run). Everything is collected and decided again; a change is
//! sent only if its decision and its base values are those of the plan.

use super::change::{Change, ChangeStatus, ChangedField};
use super::difference::Difference;
use super::error::SyncError;
use super::limits;
use super::number::{PairId, Slot};
use super::pair::Pair;
use super::plan::Plan;
use super::reason::{FieldReason, Reason};
use super::session::Session;
use std::collections::BTreeMap;

/// How a change that is decided now differs from the planned one; `None`: it does not.
fn difference(planned: &Change, now: &Change) -> Option<Difference> {
    if planned.action != now.action {
        let (planned, now) = (planned.action.deed(), now.action.deed());
        return Some(if planned == now { Difference::Record } else { Difference::Deed { planned, now } });
    }
    let by_slot = |change: &Change| -> BTreeMap<Slot, ChangedField> {
        change.fields.iter().map(|field| (field.slot, field.clone())).collect()
    };
    let (before, after) = (by_slot(planned), by_slot(now));
    for (slot, field) in &after {
        let Some(known) = before.get(slot) else {
            return Some(Difference::FieldMore { slot: *slot, value: field.value.clone() });
        };
        if known.value != field.value || known.source != field.source {
            let (planned, now) = (known.value.clone(), field.value.clone());
            return Some(Difference::Value { slot: *slot, planned, now });
        }
        if known.base != field.base {
            let (planned, now) = (known.base.clone(), field.base.clone());
            return Some(Difference::Base { slot: *slot, planned, now });
        }
    }
    let less = before.keys().find(|slot| !after.contains_key(slot))?;
    Some(Difference::FieldLess { slot: *less })
}

/// Whether a change of the plan that was sent in this run is sent again without a field that the side has refused.
fn is_by_refusal(
    difference: &Difference,
    wanted: &Change,
    now: &Change,
    pairs: &[Pair],
    executed: &Option<Reason>,
) -> bool {
    let Difference::FieldLess { .. } = difference else { return false };
    let Some(pair) = pairs.iter().find(|pair| pair.id == now.pair) else { return false };
    let refused = |slot: Slot| matches!(pair.differs(slot), Some(FieldReason::Refused { side, .. }) if *side == now.target);
    let sent = |slot: Slot| now.fields.iter().any(|field| field.slot == slot);
    wanted.reason == *executed && wanted.fields.iter().all(|field| sent(field.slot) || refused(field.slot))
}

impl Session<'_> {
    /// Compares a batch of decisions with the approved plan. Withholds changes that differ or are not in it;
    /// returns the changes of the plan, each with what became of it.
    pub(super) async fn approve(
        &mut self,
        numbers: &[PairId],
        pairs: &mut [Pair],
        plan: &mut Plan,
    ) -> Result<Vec<Change>, SyncError> {
        let Some(planned) = self.run.options.applies() else {
            return Ok(Vec::new());
        };
        let run = self.run.id;
        let executed = Some(Reason::ExecutedBy { run });
        let mut approved = self.engine.ledger.changes_for(planned, numbers).await?;
        approved.retain(|change| change.status == ChangeStatus::Planned || change.reason == executed);
        let now = self.now();
        for change in plan.changes.iter_mut().filter(|change| change.status == ChangeStatus::Planned) {
            let wanted = approved
                .iter_mut()
                .find(|wanted| wanted.pair == change.pair && wanted.target == change.target);
            let why = match wanted {
                None => Reason::NotInPlan { run: planned },
                Some(wanted) => match difference(wanted, change)
                    .filter(|difference| !is_by_refusal(difference, wanted, change, pairs, &executed))
                {
                    None => {
                        wanted.status = ChangeStatus::Dropped;
                        wanted.reason.clone_from(&executed);
                        wanted.settled = Some(now);
                        continue;
                    }
                    Some(difference) => {
                        let difference = Box::new(difference);
                        wanted.status = ChangeStatus::Dropped;
                        wanted.reason = Some(Reason::NotExecutedBy { run, difference: difference.clone() });
                        wanted.settled = Some(now);
                        Reason::DiffersFromPlan { run: planned, difference }
                    }
                },
            };
            change.status = ChangeStatus::Withheld;
            change.reason = Some(why.clone());
            if let Some(pair) = pairs.iter_mut().find(|pair| pair.id == change.pair) {
                pair.reason = Some(why.clone());
            }
            let definition = self.definition;
            if let Some(mapping) = definition.mapping(change.mapping) {
                let counts = self.run.count(change.target, mapping.object(change.target));
                counts.pending += 1;
                counts.because(&why);
            }
        }
        for change in approved.iter_mut().filter(|change| change.status == ChangeStatus::Planned) {
            let turned = plan.changes.iter().any(|other| other.pair == change.pair);
            let difference = if turned { Difference::OtherSide } else { Difference::Nothing };
            change.status = ChangeStatus::Dropped;
            change.reason = Some(Reason::NotExecutedBy { run, difference: Box::new(difference) });
            change.settled = Some(now);
        }
        Ok(approved)
    }

    /// Drops the rest of the approved plan: changes whose pairs were not decided in this run.
    pub(super) async fn drop_unmatched_plan(&mut self) -> Result<(), SyncError> {
        let Some(planned) = self.run.options.applies() else {
            return Ok(());
        };
        loop {
            let mut left = self
                .engine
                .ledger
                .changes_in(planned, ChangeStatus::Planned, 0, limits::RECONCILE_PAIRS)
                .await?;
            if left.is_empty() {
                return Ok(());
            }
            let now = self.now();
            for change in &mut left {
                change.status = ChangeStatus::Dropped;
                let difference = Box::new(Difference::Settled);
                change.reason = Some(Reason::NotExecutedBy { run: self.run.id, difference });
                change.settled = Some(now);
            }
            let mut unit = self.begin().await?;
            unit.save_changes(&mut left).await?;
            unit.commit().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Deed, Side};
    use entente_core::Value;

    fn change(value: &str, base: &str) -> Change {
        Change {
            id: 0,
            key: "k".to_owned(),
            run: 1,
            mapping: 1,
            pair: 1,
            target: Side::Left,
            action: Action::Update("1".to_owned()),
            made: None,
            fields: vec![ChangedField {
                slot: Slot(0),
                value: Value::text(value),
                source: Value::text(value),
                base: Some(Value::text(base)),
                time: None,
                base_time: None,
                joint: false,
                stored: None,
                reason: entente_core::Why::OnlyChange(Side::Right).into(),
            }],
            status: ChangeStatus::Planned,
            reason: None,
            ticket: None,
            sent: None,
            settled: None,
        }
    }

    #[test]
    fn only_what_rests_on_the_same_is_the_same() {
        assert_eq!(difference(&change("a", "b"), &change("a", "b")), None);
        let text = Value::text;
        assert_eq!(
            difference(&change("a", "b"), &change("a", "c")),
            Some(Difference::Base { slot: Slot(0), planned: Some(text("b")), now: Some(text("c")) })
        );
        assert_eq!(
            difference(&change("a", "b"), &change("x", "b")),
            Some(Difference::Value { slot: Slot(0), planned: text("a"), now: text("x") })
        );
        let create = Change { action: Action::Create, ..change("a", "b") };
        assert_eq!(
            difference(&change("a", "b"), &create),
            Some(Difference::Deed { planned: Deed::Update, now: Deed::Create })
        );
        let nothing = Change { fields: vec![], ..change("a", "b") };
        assert!(
            difference(&change("a", "b"), &nothing).is_some()
                && difference(&nothing, &change("a", "b")).is_some()
        );
    }
}
