//! Apply: a run that makes the changes of an earlier plan and no others. Everything is collected and decided
//! again; a change goes out only if its decision and what it rests on are still the same.

use super::decide::Plan;
use super::error::SyncError;
use super::exchange::Action;
use super::ledger::{Change, ChangeStatus, ChangedField};
use super::limits;
use super::pair::{Pair, PairId};
use super::session::Session;
use std::collections::BTreeMap;

/// Why a change that is decided now is not the one that was planned; `None`: it is.
fn difference(planned: &Change, now: &Change) -> Option<String> {
    if planned.action != now.action {
        let word = |action: &Action| match action {
            Action::Create => "create",
            Action::Update(_) => "update",
            Action::Delete(_) => "delete",
        };
        return Some(if word(&planned.action) == word(&now.action) {
            "another record would be written".to_owned()
        } else {
            format!("the plan was to {}, and now it is to {}", word(&planned.action), word(&now.action))
        });
    }
    let by_slot = |change: &Change| -> BTreeMap<usize, ChangedField> {
        change.fields.iter().map(|field| (field.slot, field.clone())).collect()
    };
    let (before, after) = (by_slot(planned), by_slot(now));
    for (slot, field) in &after {
        let Some(known) = before.get(slot) else {
            return Some(format!("another field changes too, to {}", field.value));
        };
        if known.value != field.value || known.source != field.source {
            return Some(format!("{} was to be written, and now it would be {}", known.value, field.value));
        }
        if known.base != field.base {
            let text = |field: &ChangedField| {
                field.base.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
            };
            return Some(format!(
                "{} stood there when it was planned, and now {} does",
                text(known),
                text(field)
            ));
        }
    }
    before
        .keys()
        .any(|slot| !after.contains_key(slot))
        .then(|| "a field need not be changed any more".to_owned())
}

impl Session<'_> {
    /// Compares a batch of decisions with the plan that is applied. Withholds what is not in it, and answers
    /// its changes with what becomes of them.
    pub(super) async fn approve(
        &mut self,
        numbers: &[PairId],
        pairs: &mut [Pair],
        plan: &mut Plan,
    ) -> Result<Vec<Change>, SyncError> {
        let Some(planned) = self.run.options.apply else {
            return Ok(Vec::new());
        };
        let executed = format!("executed by run {}", self.run.id);
        let mut approved = self.engine.ledger.changes_for(planned, numbers).await?;
        approved.retain(|change| {
            change.status == ChangeStatus::Planned || change.reason.as_deref() == Some(&executed)
        });
        let now = self.now();
        for change in plan.changes.iter_mut().filter(|change| change.status == ChangeStatus::Planned) {
            let wanted = approved
                .iter_mut()
                .find(|wanted| wanted.pair == change.pair && wanted.target == change.target);
            let why = match wanted {
                None => format!("not in the plan of run {planned}"),
                Some(wanted) => match difference(wanted, change) {
                    None => {
                        wanted.status = ChangeStatus::Dropped;
                        wanted.reason = Some(executed.clone());
                        wanted.settled = Some(now);
                        continue;
                    }
                    Some(why) => {
                        wanted.status = ChangeStatus::Dropped;
                        wanted.reason = Some(format!("not executed by run {}: {why}", self.run.id));
                        wanted.settled = Some(now);
                        format!("changed since the plan of run {planned}: {why}")
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
                counts.because(why);
            }
        }
        for change in approved.iter_mut().filter(|change| change.status == ChangeStatus::Planned) {
            let turned = plan.changes.iter().any(|other| other.pair == change.pair);
            let why = if turned {
                "the records have been edited since, and now the other side would be written"
            } else {
                "there is nothing to write any more"
            };
            change.status = ChangeStatus::Dropped;
            change.reason = Some(format!("not executed by run {}: {why}", self.run.id));
            change.settled = Some(now);
        }
        Ok(approved)
    }

    /// Ends the plan that was applied: what no decision came back to no longer applies.
    pub(super) async fn end_plan(&mut self) -> Result<(), SyncError> {
        let Some(planned) = self.run.options.apply else {
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
                change.reason = Some(format!(
                    "not executed by run {}: its record was settled since, or left the sync",
                    self.run.id
                ));
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
    use crate::Side;
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
            fields: vec![ChangedField {
                slot: 0,
                value: Value::text(value),
                source: Value::text(value),
                base: Some(Value::text(base)),
                time: None,
                base_time: None,
                joint: false,
                stored: None,
                reason: String::new(),
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
        assert!(
            difference(&change("a", "b"), &change("a", "c")).is_some_and(|why| why.contains("stood there"))
        );
        assert!(
            difference(&change("a", "b"), &change("x", "b"))
                .is_some_and(|why| why.contains("now it would be"))
        );
        let create = Change { action: Action::Create, ..change("a", "b") };
        assert!(difference(&change("a", "b"), &create).is_some_and(|why| why.contains("to create")));
        let nothing = Change { fields: vec![], ..change("a", "b") };
        assert!(
            difference(&change("a", "b"), &nothing).is_some()
                && difference(&nothing, &change("a", "b")).is_some()
        );
    }
}
