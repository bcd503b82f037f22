//! Execute: sends the plan in batches (orders), in topological order of the references, and records each
//! outcome on its own.
//!
//! An order to a side in the ledger's store commits in one transaction with its pairs. For any other side
//! delivery is at least once: each change is marked as sent before the call (write-ahead), so that a change
//! without an answer is known to have an unknown outcome.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::feature::Feature;
use super::limits;
use super::number::{PairId, Slot};
use super::observer::Step;
use super::order::{Action, Order};
use super::outgoing::{Outgoing, ordered, waits_for};
use super::pair::{Pair, Status};
use super::reason::Reason;
use super::session::{Purpose, Session};
use entente_core::{Reference, Side, Sides};
use std::collections::{BTreeSet, HashMap, HashSet};

impl Session<'_> {
    /// Sends the planned changes of the run, by mapping and side.
    pub(super) async fn execute(&mut self) -> Result<(), SyncError> {
        let mut order = self.parents_first();
        if self.run.options.undoes().is_some() {
            // Deletes go the other way: a referring record goes before the one that it refers to.
            order.reverse();
        }
        for mapping in order {
            for target in Side::BOTH {
                let size = self
                    .object(mapping, target)
                    .and_then(|object| object.order_size)
                    .unwrap_or(limits::ORDER_CHANGES)
                    .max(1);
                let planned = self.engine.ledger.count_planned(self.run.id, mapping.id, target).await?;
                if planned > 0 {
                    self.engine.observer.begins(Step::Execute(target), Some(planned));
                }
                loop {
                    self.check_stop()?;
                    // A queue: a change that was sent is no longer planned, so that the first ones are the
                    // next ones.
                    let mut changes = self
                        .engine
                        .ledger
                        .changes(self.run.id, mapping.id, target, ChangeStatus::Planned, 0, size as usize)
                        .await?;
                    let most =
                        |change: &Change| self.order_caps.get(&change.pair).copied().unwrap_or(size as usize);
                    let Some(first) = changes.first().map(most) else { break };
                    let together =
                        changes.iter().take(first).take_while(|change| most(change) == first).count();
                    // An undo may have several changes of one pair. A later one goes by the outcome of the one before it.
                    let mut ordered = HashSet::new();
                    let apart = changes.iter().take_while(|change| ordered.insert(change.pair)).count();
                    changes.truncate(together.min(apart).max(1));
                    self.send(mapping, target, changes).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: Vec<Change>,
    ) -> Result<(), SyncError> {
        let (mut outgoing, mut waiting) = self.prepare(mapping, target, changes).await?;
        if !waiting.is_empty() {
            self.defer_waiting(mapping, target, &mut waiting).await?;
        }
        if self.exchange(target).local().is_none() {
            outgoing = self.drop_stale(mapping, target, outgoing).await?;
        }
        if outgoing.is_empty() {
            return Ok(());
        }
        if self.exchange(target).local().is_some() {
            self.send_local(mapping, target, outgoing).await
        } else {
            self.send_remote(mapping, target, outgoing).await
        }
    }

    /// Translates the references of changes to the target. Returns the changes to send, and those that wait
    /// for a parent.
    pub(super) async fn prepare(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: Vec<Change>,
    ) -> Result<(Vec<Outgoing>, Vec<Outgoing>), SyncError> {
        let source = target.other();
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        let mut pairs: HashMap<PairId, Pair> =
            self.engine.ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        let mut wanted: Sides<BTreeSet<Reference>> = Default::default();
        let tried: Vec<PairId> = pairs
            .values()
            .filter(|pair| pair.attempts > 0 && !pair.is_linked())
            .map(|pair| pair.id)
            .collect();
        let mut unanswered = self.engine.ledger.unanswered(&tried).await?;
        unanswered.retain(|earlier| {
            changes.iter().any(|change| change.key == earlier.key && change.id != earlier.id)
        });
        for change in changes.iter().chain(&unanswered) {
            wanted[source].extend(change.fields.iter().flat_map(|field| field.value.references()).cloned());
        }
        let links = self.links_to(self.definition, wanted).await?;
        let (mut outgoing, mut waiting, mut orphans) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            let Some(pair) = pairs.remove(&change.pair) else {
                orphans.push(Change {
                    status: ChangeStatus::Dropped,
                    reason: Some(Reason::PairGone),
                    ..change
                });
                continue;
            };
            let mut entry = Outgoing::new(change, pair, mapping, &links, &unanswered);
            entry.resent |= self.order_caps.contains_key(&entry.pair.id);
            if entry.must_wait() { waiting.push(entry) } else { outgoing.push(entry) }
        }
        if !orphans.is_empty() {
            let mut unit = self.begin().await?;
            unit.save_changes(&mut orphans).await?;
            unit.commit_soon().await?;
        }
        Ok((outgoing, waiting))
    }

    /// Drops changes that wait for a parent without a counterpart, and queues their pairs for the next pass.
    async fn defer_waiting(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        waiting: &mut [Outgoing],
    ) -> Result<(), SyncError> {
        let now = self.now();
        let mut pairs = Vec::new();
        let mut changes = Vec::new();
        for entry in waiting {
            let reason = waits_for(target.other(), entry.waits.as_ref());
            entry.change.status = ChangeStatus::Dropped;
            entry.change.reason = Some(reason.clone());
            entry.change.settled = Some(now);
            entry.pair.status = Status::Todo;
            entry.pair.reason = Some(reason);
            self.revisit(mapping.id, entry.pair.id);
            pairs.push(entry.pair.clone());
            changes.push(entry.change.clone());
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_changes(&mut changes).await?;
        unit.commit_soon().await?;
        Ok(())
    }

    /// The order for these changes, and the slots of its fields.
    pub(super) fn order(
        &self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: &[Outgoing],
    ) -> (Order, Vec<Slot>) {
        let local = self.exchange(target).local().is_some();
        let (slots, changes) = ordered(mapping, outgoing, local);
        let order = Order {
            object: mapping.object(target).to_owned(),
            fields: slots
                .iter()
                .filter_map(|slot| Some(mapping.field(*slot)?.name(target).to_owned()))
                .collect(),
            changes,
            first_time: self.run.options.is_first_time(),
            options: self.run.options.options.clone(),
            sync: self.definition.name.clone(),
            run: self.run.id,
            at: self.now(),
        };
        (order, slots)
    }

    /// In an undo: whether the pair has reported edits that the undo does not decide, and stays in the work
    /// queue.
    pub(super) fn undo_leaves_todo(&self, pair: &Pair) -> bool {
        self.run.options.undoes().is_some() && pair.status == Status::Todo
    }

    /// Optimistic concurrency by reading: where the side has neither conditional writes nor a plugin that
    /// compares base values, records are read again just before they are written. A change whose record
    /// differs by now is dropped as stale, and its pair is decided again.
    ///
    /// Where writes are conditional, the first order to an object in a run is read again all the same, as far as the run
    /// has not read its records: a remote that was restored from a backup may take the bookmark of before, give ids and
    /// versions again, and report nothing.
    async fn drop_stale(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Outgoing>, SyncError> {
        let ids = self.wants_reread(mapping, target, &outgoing);
        if ids.is_empty() {
            return Ok(outgoing);
        }
        self.fetch_as(target, mapping.object(target), &ids, Purpose::Reread).await?;
        let numbers: Vec<PairId> = outgoing.iter().map(|entry| entry.pair.id).collect();
        let mut now: HashMap<PairId, Pair> =
            self.engine.ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        let (mut unchanged, mut stale) = (Vec::new(), Vec::new());
        for mut entry in outgoing {
            let Some(pair) = now.remove(&entry.pair.id) else { continue };
            let changed = entry.change.action != Action::Create
                && (pair.half(target).id != entry.pair.half(target).id
                    || pair.half(target).deleted != entry.pair.half(target).deleted
                    || mapping.fields.iter().any(|field| {
                        pair.current(target, field.slot) != entry.pair.current(target, field.slot)
                    }));
            entry.pair = pair;
            if changed { stale.push(entry) } else { unchanged.push(entry) }
        }
        if !stale.is_empty() {
            for entry in &mut stale {
                self.dropped(mapping, entry, Reason::Stale);
                entry.change.settled = Some(self.now());
            }
            let strangers: Vec<Pair> = stale.iter().map(|entry| entry.pair.clone()).collect();
            self.found_unreported(mapping, target, &strangers).await?;
            let mut pairs: Vec<Pair> = stale.iter().map(|entry| entry.pair.clone()).collect();
            let mut changes: Vec<Change> = stale.into_iter().map(|entry| entry.change).collect();
            let mut unit = self.begin().await?;
            unit.save_pairs(&mut pairs).await?;
            unit.save_changes(&mut changes).await?;
            unit.commit_soon().await?;
        }
        Ok(unchanged)
    }

    /// The ids of the records that are read again before they are written.
    fn wants_reread(&mut self, mapping: &ObjectMapping, target: Side, outgoing: &[Outgoing]) -> Vec<String> {
        let by_values = self.has(mapping, target, Feature::BaseValues);
        if !self.has(mapping, target, Feature::ById) {
            return Vec::new();
        }
        let conditional = self.has(mapping, target, Feature::ConditionalUpdate);
        let place = (mapping.id, target);
        let updates = outgoing.iter().any(|entry| entry.change.action != Action::Create);
        let probes = self.unreported.contains(&place) || (updates && self.probed.insert(place));
        let run = self.run.id;
        let known = |entry: &Outgoing| match &entry.change.action {
            Action::Create => None,
            Action::Update(id) | Action::Delete(id) => {
                let half = entry.pair.half(target);
                let guarded = by_values || (conditional && half.version.is_some());
                Some(id.clone()).filter(|_| !guarded || (probes && half.read != Some(run)))
            }
        };
        outgoing.iter().filter_map(known).collect()
    }

    /// Marks changes as sent and their pairs as in flight, commits that, and delivers them.
    async fn send_remote(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut outgoing: Vec<Outgoing>,
    ) -> Result<(), SyncError> {
        let now = self.now();
        for entry in &mut outgoing {
            entry.change.status = ChangeStatus::Sent;
            entry.change.sent = Some(now);
            entry.pair.dirty = self.undo_leaves_todo(&entry.pair);
            entry.pair.status = Status::Live;
        }
        let mut pairs: Vec<Pair> = outgoing.iter().map(|entry| entry.pair.clone()).collect();
        let mut changes: Vec<Change> = outgoing.iter().map(|entry| entry.change.clone()).collect();
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_changes(&mut changes).await?;
        unit.commit().await?;
        self.deliver(mapping, target, outgoing).await
    }
}
