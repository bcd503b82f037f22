//! Deletions: who is gone, what that means for the counterpart, and the brake on doing too much of it.

use super::change::ChangedField;
use super::decide::Plan;
use super::definition::{Braked, DeletePolicy, ObjectMapping};
use super::error::SyncError;
use super::feature::Feature;
use super::intake::Purpose;
use super::limits;
use super::number::Slot;
use super::order::Action;
use super::pair::{Half, Pair, Seen, Status};
use super::reason::{FieldReason, Notice, Reason, RecordRef};
use super::session::Session;
use entente_core::Side;

/// What is left to decide about a pair one of whose records is gone.
pub(super) enum AfterDeletion {
    /// Nothing: its status says how it stands.
    Settled,
    /// The gone record is to be made again on this side.
    Create(Side),
}

/// Takes back what was settled, keeping what the survivor has: to whom it is linked next, it is new.
pub(super) fn unsettle(pair: &mut Pair, survivor: Side) {
    for slot in Slot::first(pair.agreed.len()) {
        if pair.half(survivor).seen(slot).is_none()
            && let Some(value) = pair.agreed(slot).and_then(|agreed| agreed.half(survivor)).cloned()
        {
            pair.half_mut(survivor).set_seen(slot, Some(Seen { value, time: None }));
        }
    }
    pair.agreed.clear();
}

/// Whether a side has an edit that was never settled.
fn edited(pair: &Pair, side: Side) -> bool {
    Slot::first(pair.half(side).seen.len()).any(|slot| {
        pair.half(side).seen(slot).is_some_and(|seen| {
            match pair.agreed(slot).and_then(|agreed| agreed.half(side)) {
                Some(was) => *was != seen.value,
                // Never settled: a blank that was always there is no edit.
                None => !seen.value.is_blank(),
            }
        })
    })
}

impl Session<'_> {
    /// Records of which the listing knows nothing are gone. Where a side can be asked for them by id it is
    /// asked first, since a page may have shifted while it was listed.
    pub(super) async fn find_absent(&mut self, side: Side) -> Result<(), SyncError> {
        let definition = self.definition;
        let mut progress = self.engine.ledger.progress(&definition.name, side).await?;
        let Some(listing) = progress.unchecked.take() else {
            return Ok(());
        };
        for mapping in definition
            .mappings
            .iter()
            .filter(|mapping| listing.objects.iter().any(|name| name == mapping.object(side)))
        {
            let by_id = self.has(mapping, side, Feature::ById);
            let mut after = 0;
            loop {
                self.check_stop()?;
                let pairs = self
                    .engine
                    .ledger
                    .not_read_since(mapping.id, side, listing.run, after, limits::LOOKUP_RECORDS)
                    .await?;
                let Some(last) = pairs.last() else { break };
                after = last.id;
                let ids: Vec<String> = pairs.iter().filter_map(|pair| pair.half(side).id.clone()).collect();
                if by_id {
                    self.fetch_as(side, mapping.object(side), &ids, Purpose::Reread).await?;
                }
                let mut gone = self.engine.ledger.pairs_of(mapping.id, side, &ids).await?;
                gone.retain(|pair| {
                    pair.half(side).deleted.is_none() && pair.half(side).read.unwrap_or(0) < listing.run
                });
                let now = self.now();
                for pair in &mut gone {
                    self.bury(mapping, pair, side, now);
                }
                let mut unit = self.begin().await?;
                unit.save_pairs(&mut gone).await?;
                unit.save_run(&self.run).await?;
                unit.commit().await?;
            }
        }
        let mut unit = self.begin().await?;
        unit.save_progress(&definition.name, side, &progress).await?;
        Ok(unit.commit().await?)
    }

    /// Notes that a record is gone. What becomes of its counterpart is decided with everything else.
    pub(super) fn bury(
        &mut self,
        mapping: &ObjectMapping,
        pair: &mut Pair,
        side: Side,
        at: entente_core::Timestamp,
    ) {
        if pair.half(side).deleted.is_none() {
            pair.half_mut(side).deleted = Some(at);
            self.run.count(side, mapping.object(side)).deleted += 1;
        }
        pair.half_mut(side).read = Some(self.run.id);
        if pair.status == Status::Live {
            pair.dirty = true;
        } else {
            pair.status = Status::Todo;
            pair.reason = None;
        }
    }

    /// Decides about a pair with a record that is gone, by the policy.
    pub(super) fn decide_deleted(
        &mut self,
        mapping: &ObjectMapping,
        pair: &mut Pair,
        gone: Side,
        plan: &mut Plan,
    ) -> AfterDeletion {
        let survivor = gone.other();
        let object = mapping.object(gone);
        let was = pair.half(gone).id.clone();
        let settle = |pair: &mut Pair, status: Status, reason: Reason| {
            pair.status = status;
            pair.reason = Some(reason);
            AfterDeletion::Settled
        };
        if pair.half(survivor).id.is_none() || pair.half(survivor).deleted.is_some() {
            // Nobody is recognised by a record that is gone.
            pair.keys[gone] = Some(Vec::new());
            return settle(pair, Status::Deleted, Reason::DeletedEverywhere);
        }
        let Some(was) = was else {
            let reason = match pair.reason {
                Some(Reason::Undone) => Reason::Undone,
                _ => Reason::Unlinked { side: gone, object: object.to_owned(), id: None },
            };
            return settle(pair, Status::Excluded, reason);
        };
        let deleted = RecordRef::new(gone, object, &was);
        match mapping.deletes {
            DeletePolicy::Ignore => settle(pair, Status::Deleted, Reason::DeletedIgnored { record: deleted }),
            DeletePolicy::Unlink => {
                unsettle(pair, survivor);
                *pair.half_mut(gone) = Half { deleted: pair.half(gone).deleted, ..Half::default() };
                pair.keys[gone] = Some(Vec::new());
                let reason = Reason::Unlinked { side: gone, object: deleted.object, id: Some(deleted.id) };
                settle(pair, Status::Excluded, reason)
            }
            DeletePolicy::Recreate => {
                unsettle(pair, survivor);
                *pair.half_mut(gone) = Half::default();
                pair.keys[gone] = Some(Vec::new());
                AfterDeletion::Create(gone)
            }
            DeletePolicy::Delete if edited(pair, survivor) => {
                let id = pair.half(survivor).id.clone().unwrap_or_default();
                let edited = RecordRef::new(survivor, mapping.object(survivor), &id);
                self.hold(pair, mapping, survivor, Reason::DeletedAndEdited { deleted, edited });
                AfterDeletion::Settled
            }
            DeletePolicy::Delete if !self.has(mapping, survivor, Feature::Delete) => settle(
                pair,
                Status::Deleted,
                Reason::CannotBeDeleted { record: deleted, object: mapping.object(survivor).to_owned() },
            ),
            DeletePolicy::Delete => {
                let id = pair.half(survivor).id.clone().unwrap_or_default();
                // What stands there is kept, so that the deletion can be undone.
                let fields = mapping
                    .fields
                    .iter()
                    .filter_map(|field| {
                        let base = pair.current(survivor, field.slot)?.clone();
                        Some(ChangedField {
                            slot: field.slot,
                            value: entente_core::Value::Null,
                            source: entente_core::Value::Null,
                            base: Some(base),
                            time: None,
                            base_time: pair.half(survivor).seen(field.slot).and_then(|seen| seen.time),
                            joint: false,
                            stored: None,
                            reason: FieldReason::Deleted { record: deleted.clone() },
                        })
                    })
                    .collect();
                let change = self.change(mapping, pair, survivor, Action::Delete(id), fields);
                plan.changes.push(change);
                AfterDeletion::Settled
            }
        }
    }

    /// Holds what a plan would delete or blank, where that is more than the operator lets pass unasked.
    pub(super) async fn brake(&mut self) -> Result<(), SyncError> {
        if self.run.options.lift_brake {
            return Ok(());
        }
        let definition = self.definition;
        for mapping in &definition.mappings {
            for target in Side::BOTH {
                let weight = self.engine.ledger.weight(self.run.id, mapping.id, target).await?;
                for (which, records) in
                    [(Braked::Deletes, weight.deletes), (Braked::Blankings, weight.blankings)]
                {
                    if !definition.brake.stops(records, weight.linked) {
                        continue;
                    }
                    let reason = Reason::Brake {
                        which,
                        side: target,
                        object: mapping.object(target).to_owned(),
                        records,
                        linked: weight.linked,
                        percent: definition.brake.percent,
                        least: definition.brake.records,
                    };
                    let counts = self.run.count(target, mapping.object(target));
                    counts.held += records;
                    counts.because_of(&reason, records);
                    self.run.notice(Notice::Brake(reason.clone()));
                    let run = self.run.id;
                    let mut unit = self.begin().await?;
                    unit.hold_planned(run, mapping.id, target, which, &reason).await?;
                    unit.save_run(&self.run).await?;
                    unit.commit().await?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Agreed;
    use entente_core::Value;

    fn pair() -> Pair {
        let mut pair = Pair::new(1);
        pair.half_mut(Side::Left).id = Some("1".to_owned());
        pair.half_mut(Side::Right).id = Some("a".to_owned());
        pair.set_agreed(Slot(0), Agreed { left: Some(Value::text("Ada")), right: Some(Value::text("ADA")) });
        pair
    }

    #[test]
    fn an_edit_is_what_was_never_settled() {
        let mut pair = pair();
        assert!(!edited(&pair, Side::Left));
        pair.half_mut(Side::Left).set_seen(Slot(0), Some(Seen { value: Value::text("Ada"), time: None }));
        assert!(!edited(&pair, Side::Left), "what was agreed is no edit");
        pair.half_mut(Side::Left).set_seen(Slot(0), Some(Seen { value: Value::text("Eva"), time: None }));
        assert!(edited(&pair, Side::Left) && !edited(&pair, Side::Right));
    }

    #[test]
    fn what_the_survivor_has_outlives_the_link() {
        let mut pair = pair();
        unsettle(&mut pair, Side::Right);
        assert_eq!(pair.current(Side::Right, Slot(0)), Some(&Value::text("ADA")));
        assert_eq!(pair.current(Side::Left, Slot(0)), None);
        assert!(pair.agreed.is_empty());
    }
}
