//! Reconcile: works off the queue of pairs and merges each one field by field. The result is the plan, which
//! is committed before anything is sent (write-ahead).

use super::change::{Change, ChangeStatus, ChangedField, Conflict};
use super::definition::{FieldMapping, ObjectMapping};
use super::error::SyncError;
use super::feature::Feature;
use super::ledger::{Requeue, TodoFilter, Unit};
use super::limits;
use super::links::Links;
use super::number::{MappingId, PairId, Slot};
use super::observer::Step;
use super::order::Action;
use super::pair::{Pair, Status};
use super::plan::Plan;
use super::reason::Reason;
use super::session::Session;
use super::settle::{has_landed, is_undone, set_landed, set_undone};
use entente_core::{Reference, Side, Sides};
use std::collections::{BTreeSet, HashMap};

/// Notes the records that a decision has taken out of their pair: the policy ends the link of a deleted record. Returns
/// whether there is one.
fn note_ended(
    mapping: &ObjectMapping,
    pair: &Pair,
    had: Sides<Option<String>>,
    ended: &mut Sides<Vec<Reference>>,
) -> bool {
    let mut any = false;
    for (side, id) in Side::BOTH.into_iter().zip(had) {
        if let Some(id) = id.filter(|_| pair.half(side).id.is_none()) {
            ended[side].push(Reference { object: mapping.object(side).to_owned(), id });
            any = true;
        }
    }
    any
}

/// Takes back what a dry run has settled of a pair with a deleted record: the policy may be another one when a run does it.
fn leave_to_a_run(pair: &mut Pair, before: Pair) {
    if matches!(pair.status, Status::Deleted | Status::Excluded) {
        pair.status = before.status;
        pair.reason = before.reason;
    }
    pair.halves = before.halves;
    pair.agreed = before.agreed;
    pair.differing = before.differing;
    pair.keys = before.keys;
}

impl Session<'_> {
    /// The pairs whose conflicts are stored anew, and these. What the operator has decided is open until a run writes it: a dry run
    /// leaves it as it is, so that it can still be decided otherwise.
    fn conflicts_to_save(&self, pairs: &[PairId], plan: &Plan) -> (Vec<PairId>, Vec<Conflict>) {
        let dry = self.run.options.is_dry();
        let open = |(pair, slot): (PairId, Slot)| {
            plan.conflicts.iter().any(|conflict| (conflict.pair, conflict.slot) == (pair, slot))
        };
        let ruled = plan.rulings.keys().copied().filter(|of| dry && !open(*of));
        let decided: BTreeSet<PairId> = ruled.map(|(pair, _)| pair).collect();
        let pairs = pairs.iter().copied().filter(|pair| !decided.contains(pair)).collect();
        let conflicts = plan.conflicts.iter().filter(|conflict| !decided.contains(&conflict.pair)).cloned();
        (pairs, conflicts.collect())
    }

    /// Decides pairs in batches, parents first. The first pass takes the whole work queue, later passes take
    /// the pairs to revisit.
    pub(super) async fn reconcile(&mut self, first: bool) -> Result<(), SyncError> {
        let definition = self.definition;
        let order = self.parents_first();
        if first {
            let run = self.run.id;
            let mut waiting = 0;
            for mapping in &definition.mappings {
                waiting += self.engine.ledger.count_todo(mapping.id).await?;
            }
            self.engine.observer.begins(Step::Reconcile, Some(waiting));
            for &mapping in &order {
                let filter = TodoFilter {
                    mapping: mapping.id,
                    read_in: (!self.run.options.follows_bookmarks()).then_some(run),
                    read_on_both: self.read_error.is_some().then_some(run),
                };
                let mut after: PairId = 0;
                loop {
                    self.check_stop()?;
                    let pairs = self.engine.ledger.todo(&filter, after, limits::RECONCILE_PAIRS).await?;
                    let Some(last) = pairs.last() else { break };
                    after = last.id;
                    self.reconcile_pairs(mapping, pairs).await?;
                }
            }
        }
        for _ in 0..limits::PARENT_DEPTH {
            let mut revisits = std::mem::take(&mut self.revisits);
            if revisits.is_empty() {
                break;
            }
            for &mapping in &order {
                let Some(mut numbers) = revisits.remove(&mapping.id) else {
                    continue;
                };
                numbers.sort_unstable();
                numbers.dedup();
                for chunk in numbers.chunks(limits::RECONCILE_PAIRS) {
                    let mut pairs = self.engine.ledger.pairs(chunk).await?;
                    pairs.retain(|pair| pair.status == Status::Todo);
                    pairs.sort_by_key(|pair| pair.id);
                    self.reconcile_pairs(mapping, pairs).await?;
                }
            }
        }
        Ok(())
    }

    /// Decides a batch of pairs and commits its plan.
    pub(super) async fn reconcile_pairs(
        &mut self,
        mapping: &ObjectMapping,
        pairs: Vec<Pair>,
    ) -> Result<(), SyncError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let mut pairs = self.due(mapping, pairs);
        self.reopen_failed_creates(mapping, &mut pairs).await?;
        if self.look_for_counterparts(mapping, &pairs).await? {
            pairs = self.still_todo(&pairs).await?;
        }
        if self.read_survivors(mapping, &pairs).await? {
            pairs = self.still_todo(&pairs).await?;
        }
        let mut links = self.links(mapping, &pairs).await?;
        if self.read_error.is_none() && self.fetch_parents(mapping, &pairs, &links).await? {
            // A parent may be a record of this mapping, and preferred to the one that a pair had.
            pairs = self.still_todo(&pairs).await?;
            links = self.links(mapping, &pairs).await?;
        }
        let numbers: Vec<PairId> = pairs.iter().map(|pair| pair.id).collect();
        self.found_out.retain(|pair| !numbers.contains(pair));
        let mut landed = self.landed(mapping, &pairs).await?;
        landed.extend(self.undone_by(&mut pairs).await?);
        let known = self.known_creates(&pairs).await?;
        let mut merged = self.merged_into_undone(&landed).await?;
        let mut plan = Plan::default();
        for ruling in self.engine.ledger.rulings(&numbers).await? {
            plan.rulings.insert((ruling.pair, ruling.slot), ruling);
        }
        plan.sent = self.sent_as_decided(mapping, &pairs).await?;
        let ended = self.decide_all(mapping, &mut pairs, &links, &mut plan);
        self.reuse_idempotency_keys(&pairs, &known, &mut plan).await?;
        let mut earlier = self.approve(&numbers, &mut pairs, &mut plan).await?;
        earlier.extend(landed.into_iter().chain(known));
        let at_once =
            Sides::by(|target| self.take_immediate_creates(target, &links, &mut pairs, &mut plan.changes));
        let now = self.now();
        let mut unit = self.begin().await?;
        let (mut made, mut written) = (Vec::new(), Sides::new(0, 0));
        for (target, outgoing) in Side::BOTH.into_iter().zip(at_once) {
            let (decided, changes) =
                self.execute_immediate_creates(unit.as_mut(), mapping, target, outgoing).await?;
            written[target] = changes.len() as u64;
            pairs.extend(decided);
            made.extend(changes);
        }
        unit.drop_plans(&numbers, now).await?;
        unit.save_changes(&mut made).await?;
        unit.save_changes(&mut earlier).await?;
        let (of, conflicts) = self.conflicts_to_save(&numbers, &plan);
        unit.save_conflicts(&of, &conflicts, now).await?;
        unit.save_changes(&mut plan.changes).await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_pairs(&mut merged).await?;
        self.requeue_referring(unit.as_mut(), ended).await?;
        self.requeue_replaced(unit.as_mut()).await?;
        unit.save_run(&self.run).await?;
        unit.commit_soon().await?;
        self.engine.observer.reconciled(numbers.len() as u64);
        for target in Side::BOTH.into_iter().filter(|target| written[*target] > 0) {
            self.engine.observer.written(target, written[target]);
        }
        Ok(())
    }

    /// The pairs whose backoff is over; the others are counted as pending. A failure does not delay a pair whose record was
    /// deleted since.
    fn due(&mut self, mapping: &ObjectMapping, pairs: Vec<Pair>) -> Vec<Pair> {
        let now = self.now();
        let later = |pair: &Pair| {
            pair.due.is_some_and(|due| due > now) && pair.halves.iter().all(|half| half.deleted.is_none())
        };
        let (waiting, due): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(later);
        for pair in &waiting {
            let counts = self.run.count(Side::Left, mapping.object(Side::Left));
            counts.pending += 1;
            counts.because(pair.reason.as_ref().unwrap_or(&Reason::RetryLater { said: None }));
        }
        due
    }

    /// Decides each pair; the records that have left their pairs by that, by side.
    fn decide_all(
        &mut self,
        mapping: &ObjectMapping,
        pairs: &mut [Pair],
        links: &Links,
        plan: &mut Plan,
    ) -> Sides<Vec<Reference>> {
        let inputs = self.inputs(mapping);
        let mut ended = Sides::default();
        let dry = self.run.options.is_dry() && self.run.options.undoes().is_none();
        for pair in pairs {
            let had = Sides::by(|side| pair.half(side).id.clone());
            let gone = pair.halves.iter().any(|half| half.deleted.is_some());
            let before = (dry && gone).then(|| pair.clone());
            self.decide(&inputs, pair, links, plan);
            if let Some(before) = before {
                leave_to_a_run(pair, before);
            }
            if note_ended(mapping, pair, had, &mut ended) {
                self.forgotten.insert(pair.id);
            }
        }
        for side in Side::BOTH {
            self.ended[side].extend(ended[side].iter().cloned());
        }
        ended
    }

    /// Queues the pairs whose records refer to a record that has left its pair: its counterpart has another one, or
    /// will have, to which they are to refer.
    pub(super) async fn requeue_referring(
        &self,
        unit: &mut dyn Unit,
        ended: Sides<Vec<Reference>>,
    ) -> Result<(), SyncError> {
        for (side, records) in Side::BOTH.into_iter().zip(ended) {
            for mapping in &self.definition.mappings {
                if !records.is_empty() && mapping.fields.iter().any(FieldMapping::is_reference) {
                    unit.requeue(mapping.id, Requeue::Referring(side, records.clone())).await?;
                }
            }
        }
        Ok(())
    }

    /// Queues the pairs whose records refer to a deleted record that was made again: what they refer to is the new one.
    pub(super) async fn requeue_replaced(&mut self, unit: &mut dyn Unit) -> Result<(), SyncError> {
        let replaced = std::mem::take(&mut self.replaced);
        self.requeue_referring(unit, replaced).await
    }

    /// A create that may have been executed already is planned again under its first idempotency key. `known` are those of
    /// which it is known what they have made: what is made now is another record.
    async fn reuse_idempotency_keys(
        &self,
        pairs: &[Pair],
        known: &[Change],
        plan: &mut Plan,
    ) -> Result<(), SyncError> {
        let tried: BTreeSet<PairId> =
            pairs.iter().filter(|pair| pair.attempts > 0).map(|pair| pair.id).collect();
        let creates: Vec<PairId> = plan
            .changes
            .iter()
            .filter(|change| change.action == Action::Create && tried.contains(&change.pair))
            .map(|change| change.pair)
            .collect();
        for earlier in self.engine.ledger.unanswered(&creates).await? {
            if known.iter().any(|of| of.id == earlier.id) {
                continue;
            }
            let same = |change: &&mut Change| {
                change.pair == earlier.pair
                    && change.target == earlier.target
                    && change.action == earlier.action
            };
            plan.changes.iter_mut().filter(same).for_each(|change| change.key.clone_from(&earlier.key));
        }
        Ok(())
    }

    /// What creates without an answer carried, by pair and target, where sending them again makes nothing new.
    async fn sent_as_decided(
        &self,
        mapping: &ObjectMapping,
        pairs: &[Pair],
    ) -> Result<HashMap<(PairId, Side), Vec<ChangedField>>, SyncError> {
        let tried = pairs.iter().filter(|pair| pair.attempts > 0 && !pair.is_linked());
        let tried: Vec<PairId> = tried.map(|pair| pair.id).collect();
        let mut sent = self.engine.ledger.unanswered(&tried).await?;
        sent.retain(|change| {
            change.action == Action::Create && self.has(mapping, change.target, Feature::IdempotentCreate)
        });
        Ok(sent.into_iter().map(|change| ((change.pair, change.target), change.fields)).collect())
    }

    /// These pairs as they are after a reading, as far as they are still to be decided.
    async fn still_todo(&self, pairs: &[Pair]) -> Result<Vec<Pair>, SyncError> {
        let numbers: Vec<PairId> = pairs.iter().map(|pair| pair.id).collect();
        let mut pairs = self.engine.ledger.pairs(&numbers).await?;
        pairs.retain(|pair| pair.status == Status::Todo);
        Ok(pairs)
    }

    /// Updates that were never answered, and whose records hold by now what they sent: they were executed, which is
    /// history that an undo goes by.
    pub(super) async fn landed(
        &self,
        mapping: &ObjectMapping,
        pairs: &[Pair],
    ) -> Result<Vec<Change>, SyncError> {
        let tried: Vec<PairId> = pairs.iter().filter(|pair| pair.attempts > 0).map(|pair| pair.id).collect();
        if tried.is_empty() {
            return Ok(Vec::new());
        }
        let mut changes = self.engine.ledger.unanswered(&tried).await?;
        changes.retain_mut(|change| {
            pairs.iter().any(|pair| pair.id == change.pair && has_landed(mapping, pair, change))
        });
        for change in &mut changes {
            set_landed(change, self.now());
        }
        Ok(changes)
    }

    /// Creates without an answer of which it is known what they have made: the pair has the record, and it has been read. They
    /// are open no more, also once the link has ended. In a dry run nothing is written to the history.
    async fn known_creates(&self, pairs: &[Pair]) -> Result<Vec<Change>, SyncError> {
        let tried = pairs.iter().filter(|pair| pair.attempts > 0 && pair.is_linked());
        let tried: Vec<PairId> = tried.map(|pair| pair.id).collect();
        if tried.is_empty() || self.run.options.is_dry() {
            return Ok(Vec::new());
        }
        let mut creates = self.engine.ledger.unanswered(&tried).await?;
        creates.retain(|change| {
            let read = |pair: &Pair| pair.id == change.pair && pair.half(change.target).read.is_some();
            // One that is under way is settled by its answer, or by the recovery.
            let given_up = matches!(change.status, ChangeStatus::Dropped | ChangeStatus::Retry);
            change.action == Action::Create && given_up && pairs.iter().any(read)
        });
        for change in &mut creates {
            change.status = ChangeStatus::Dropped;
            change.reason = Some(Reason::FoundOut);
            change.sent = None;
            change.settled = Some(self.now());
        }
        Ok(creates)
    }

    /// Deletes of undos that were never answered, and whose records are gone by now: that is what the undo did, and no
    /// deletion by a person, which the policy would be asked about. In a dry run nothing is written to the history.
    async fn undone_by(&self, pairs: &mut [Pair]) -> Result<Vec<Change>, SyncError> {
        let gone = |pair: &&Pair| pair.halves.iter().any(|half| half.id.is_some() && half.deleted.is_some());
        let numbers: Vec<PairId> = pairs.iter().filter(gone).map(|pair| pair.id).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let (mut undone, now) = (Vec::new(), self.now());
        for mut change in self.engine.ledger.unanswered_deletes(&numbers).await? {
            let found = pairs.iter_mut().find(|pair| is_undone(&change, pair));
            let Some(pair) = found else { continue };
            set_undone(pair, change.target, now);
            change.status = ChangeStatus::Done;
            change.reason = Some(Reason::FoundOut);
            change.settled = Some(now);
            undone.push(change);
        }
        if self.run.options.is_dry() {
            undone.clear();
        }
        Ok(undone)
    }

    /// Looks up counterparts where there is no complete listing of the other side, as proof of absence for
    /// creates. Returns whether any lookup was made.
    async fn look_for_counterparts(
        &mut self,
        mapping: &ObjectMapping,
        pairs: &[Pair],
    ) -> Result<bool, SyncError> {
        if self.read_error.is_some() {
            return Ok(false);
        }
        let mut looked = false;
        for read in Side::BOTH {
            let target = read.other();
            if self.is_listed(mapping, target) || !mapping.create[target] {
                continue;
            }
            let run = self.run.id;
            let unproven_create = |pair: &&Pair| {
                let (half, other) = (pair.half(read), pair.half(target));
                half.id.is_some()
                    && half.deleted.is_none()
                    && !half.is_out()
                    && half.no_match_in != Some(run)
                    && other.id.is_none()
                    && other.deleted.is_none()
            };
            let unproven: Vec<Pair> = pairs.iter().filter(unproven_create).cloned().collect();
            for chunk in unproven.chunks(limits::LOOKUP_RECORDS) {
                self.look_up_pairs(mapping, read, chunk.to_vec()).await?;
                looked = true;
            }
        }
        Ok(looked)
    }

    /// Queues a pair for another decision in this run.
    pub(super) fn revisit(&mut self, mapping: MappingId, pair: PairId) {
        self.revisits.entry(mapping).or_default().push(pair);
        self.another_pass = true;
    }
}
