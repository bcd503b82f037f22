//! Deletions: detects deleted records, also by their absence from a complete listing, and the deletion guard
//! (the brake), which holds a plan with too many deletions or blankings.

use super::definition::{Brake, Braked, ObjectMapping};
use super::error::SyncError;
use super::feature::Feature;
use super::limits;
use super::notice::Notice;
use super::pair::{Pair, Status};
use super::reason::Reason;
use super::session::{Purpose, Session};
use entente_core::Side;

impl Session<'_> {
    /// Treats records as deleted that a complete listing did not contain. Where the side can be read by id,
    /// they are read first, since pages may shift while a listing is read.
    pub(super) async fn find_absent(&mut self, side: Side) -> Result<(), SyncError> {
        let definition = self.definition;
        let mut progress = self.engine.ledger.progress(&definition.name, side).await?;
        let listings = std::mem::take(&mut progress.unchecked);
        if listings.is_empty() {
            return Ok(());
        }
        for mapping in &definition.mappings {
            let Some(listing) = listings.get(mapping.object(side)).copied() else { continue };
            let by_id = self.has(mapping, side, Feature::ById);
            let mut after = 0;
            loop {
                self.check_stop()?;
                let pairs = self
                    .engine
                    .ledger
                    .not_read_since(mapping.id, side, listing, after, limits::LOOKUP_RECORDS)
                    .await?;
                let Some(last) = pairs.last() else { break };
                after = last.id;
                let ids: Vec<String> = pairs.iter().filter_map(|pair| pair.half(side).id.clone()).collect();
                if by_id {
                    self.fetch_as(side, mapping.object(side), &ids, Purpose::Reread).await?;
                }
                let mut gone = self.engine.ledger.pairs_of(mapping.id, side, &ids).await?;
                gone.retain(|pair| {
                    pair.half(side).deleted.is_none() && pair.half(side).read.unwrap_or(0) < listing
                });
                let now = self.now();
                for pair in &mut gone {
                    self.note_deletion(mapping, pair, side, now);
                }
                let mut unit = self.begin().await?;
                unit.save_pairs(&mut gone).await?;
                unit.save_run(&self.run).await?;
                unit.commit_soon().await?;
            }
        }
        let mut unit = self.begin().await?;
        unit.save_progress(&definition.name, side, &progress).await?;
        Ok(unit.commit_soon().await?)
    }

    /// Sets the tombstone of a record and queues its pair; the deletion policy is applied when the pair is
    /// decided.
    pub(super) fn note_deletion(
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
        // What an unanswered create has made is still recognised by the keys of its source.
        let unanswered =
            pair.half(side.other()).id.is_none() && (pair.attempts > 0 || pair.status == Status::Live);
        if !unanswered {
            pair.keys[side] = Some(Vec::new());
            self.keys_given_up = true;
        }
        if pair.status == Status::Live {
            pair.dirty = true;
        } else if pair.is_of_unknown_fate() {
            // The deletion of its source does not settle what became of the create.
        } else {
            pair.queue();
        }
    }

    /// Deletion guard: holds the planned deletions or blankings of an object and side that exceed the limits.
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
                    let stops = definition.brake.stops(records, weight.linked);
                    // Records that are missing beside strangers may be missing for the same cause.
                    let beside = which == Braked::Deletes
                        && records > 0
                        && self.strangers_held(mapping, target.other());
                    let Some(limits) = stops.or(beside.then_some(Brake { percent: 0, records: 0 })) else {
                        continue;
                    };
                    let reason = Reason::Brake {
                        which,
                        side: target,
                        object: mapping.object(target).to_owned(),
                        records,
                        linked: weight.linked,
                        percent: limits.percent,
                        least: limits.records,
                    };
                    let counts = self.run.count(target, mapping.object(target));
                    counts.held += records;
                    counts.because_of(&reason, records);
                    self.run.notice(Notice::Brake(reason.clone()));
                    let run = self.run.id;
                    let mut unit = self.begin().await?;
                    unit.hold_planned(run, mapping.id, target, which, &reason).await?;
                    unit.save_run(&self.run).await?;
                    unit.commit_soon().await?;
                }
            }
        }
        Ok(())
    }
}
