//! Execute: the plan goes out in orders, parents before the records that refer to them, and each outcome is
//! recorded on its own.
//!
//! An order to a side that shares the ledger's store commits together with its pairs. For any other side
//! every change is marked as sent before the call, so that one without an answer is known to have an unknown
//! fate.

use super::change::{Change, ChangeStatus, ChangedField};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::exchange::codes;
use super::feature::Feature;
use super::intake::Purpose;
use super::limits;
use super::links::Links;
use super::number::{PairId, Slot};
use super::observer::Step;
use super::order::{Action, Answer, Order, OrderedChange};
use super::pair::{Pair, Status};
use super::reason::{Reason, RecordRef};
use super::session::{Session, Tries};
use super::split::splittable;
use entente_core::{Reference, Side, Sides, Value};
use std::collections::{BTreeSet, HashMap};

/// A change on its way: what of it is sent, and what has to wait.
pub(super) struct Outgoing {
    pub(super) change: Change,
    pub(super) pair: Pair,
    /// By field of the change, the value in the words of the target.
    pub(super) values: Vec<Value>,
    /// The record that a link waits for.
    pub(super) waits: Option<Reference>,
    /// The pair had failed before: a change of its other side did.
    pub(super) failed: bool,
    /// It was sent before, and the record may have been edited since it was made.
    pub(super) resent: bool,
    /// What was sent under its name before, the latest last: any of it may be what was made.
    pub(super) earlier: Vec<SentBefore>,
}

/// A field of a create that was never answered.
#[derive(Debug, Clone)]
pub(super) struct SentBefore {
    pub(super) slot: Slot,
    /// What the source had.
    pub(super) source: Value,
    /// What was sent, in the words of the target.
    pub(super) value: Value,
}

impl Session<'_> {
    /// Sends what is planned.
    pub(super) async fn execute(&mut self) -> Result<(), SyncError> {
        let definition = self.definition;
        let mut order = self.parents_first();
        if self.run.options.undoes().is_some() {
            // What refers to a record goes before it.
            order.reverse();
        }
        for place in order {
            let mapping = &definition.mappings[place];
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
                    // What was sent is planned no longer, so that the first ones are always the next ones.
                    let mut changes = self
                        .engine
                        .ledger
                        .changes(self.run.id, mapping.id, target, ChangeStatus::Planned, 0, size as usize)
                        .await?;
                    let most =
                        |change: &Change| self.careful.get(&change.pair).copied().unwrap_or(size as usize);
                    let Some(first) = changes.first().map(most) else { break };
                    let together =
                        changes.iter().take(first).take_while(|change| most(change) == first).count();
                    changes.truncate(together.max(1));
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
            self.put_off(mapping, target, &mut waiting).await?;
        }
        if self.exchange(target).local().is_none() {
            outgoing = self.look_before_writing(mapping, target, outgoing).await?;
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

    /// Puts links into the names of the target. What has nothing left to send, or cannot be made without what
    /// is missing, waits.
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
        for mut change in changes {
            let Some(pair) = pairs.remove(&change.pair) else {
                orphans.push(Change {
                    status: ChangeStatus::Dropped,
                    reason: Some(Reason::PairGone),
                    ..change
                });
                continue;
            };
            let mut values = Vec::with_capacity(change.fields.len());
            let mut waits = None;
            let mut held = false;
            let fields = std::mem::take(&mut change.fields);
            for field in fields {
                match translate(&links, source, &field) {
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
            let failed = pair.status == Status::Failed;
            let resent = self.careful.contains_key(&pair.id) || pair.attempts > 0;
            let earlier = unanswered
                .iter()
                .filter(|earlier| earlier.key == change.key && earlier.id != change.id)
                .flat_map(|earlier| &earlier.fields)
                .filter_map(|field| {
                    let value = translate(&links, source, field)?;
                    Some(SentBefore { slot: field.slot, source: field.source.clone(), value })
                })
                .collect();
            let entry = Outgoing { change, pair, values, waits, failed, resent, earlier };
            if held || entry.change.fields.is_empty() { waiting.push(entry) } else { outgoing.push(entry) }
        }
        if !orphans.is_empty() {
            let mut unit = self.begin().await?;
            unit.save_changes(&mut orphans).await?;
            unit.commit().await?;
        }
        Ok((outgoing, waiting))
    }

    /// Notes that these changes wait for a record that has no counterpart yet.
    async fn put_off(
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
        unit.commit().await?;
        Ok(())
    }

    /// The order for these changes; its fields are those that any of them has.
    pub(super) fn order(
        &self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: &[Outgoing],
    ) -> (Order, Vec<Slot>) {
        let slots: Vec<Slot> = outgoing
            .iter()
            .flat_map(|entry| entry.change.fields.iter().map(|field| field.slot))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let local = self.exchange(target).local().is_some();
        let changes = outgoing
            .iter()
            .map(|entry| {
                let of = |slot: Slot| entry.change.fields.iter().position(|field| field.slot == slot);
                let create = entry.change.action == Action::Create;
                let source = entry.pair.half(target.other()).id.clone();
                OrderedChange {
                    id: entry.change.key.clone(),
                    action: entry.change.action.clone(),
                    values: if matches!(entry.change.action, Action::Delete(_)) {
                        vec![None; slots.len()]
                    } else {
                        slots.iter().map(|slot| of(*slot).map(|place| entry.values[place].clone())).collect()
                    },
                    base: if create {
                        Vec::new()
                    } else {
                        slots.iter().map(|slot| entry.change.fields[of(*slot)?].base.clone()).collect()
                    },
                    times: if local {
                        slots.iter().map(|slot| entry.change.fields[of(*slot)?].time).collect()
                    } else {
                        Vec::new()
                    },
                    version: entry.pair.half(target).version.clone(),
                    source: source
                        .map(|id| Reference { object: mapping.object(target.other()).to_owned(), id }),
                }
            })
            .collect();
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

    /// An undo touches pairs that are not decided in its run: what is new on them stays to be done.
    pub(super) fn owes_more(&self, pair: &Pair) -> bool {
        self.run.options.undoes().is_some() && pair.status == Status::Todo
    }

    /// Reads records just before they are written, where the remote system neither refuses what rests on an
    /// older state nor has a plugin that compares for itself. What has changed since the decision is decided
    /// again.
    async fn look_before_writing(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Outgoing>, SyncError> {
        let conditional = self.has(mapping, target, Feature::ConditionalUpdate);
        let known = |entry: &Outgoing| match &entry.change.action {
            Action::Create => None,
            Action::Update(id) | Action::Delete(id) => {
                Some(id.clone()).filter(|_| !(conditional && entry.pair.half(target).version.is_some()))
            }
        };
        let ids: Vec<String> = outgoing.iter().filter_map(known).collect();
        if ids.is_empty()
            || self.has(mapping, target, Feature::BaseValues)
            || !self.has(mapping, target, Feature::ById)
        {
            return Ok(outgoing);
        }
        self.fetch_as(target, mapping.object(target), &ids, Purpose::Reread).await?;
        let numbers: Vec<PairId> = outgoing.iter().map(|entry| entry.pair.id).collect();
        let mut now: HashMap<PairId, Pair> =
            self.engine.ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        let (mut fresh, mut stale) = (Vec::new(), Vec::new());
        for mut entry in outgoing {
            let Some(pair) = now.remove(&entry.pair.id) else { continue };
            let changed = entry.change.action != Action::Create
                && (pair.half(target).deleted != entry.pair.half(target).deleted
                    || mapping.fields.iter().any(|field| {
                        pair.current(target, field.slot) != entry.pair.current(target, field.slot)
                    }));
            entry.pair = pair;
            if changed { stale.push(entry) } else { fresh.push(entry) }
        }
        if !stale.is_empty() {
            for entry in &mut stale {
                self.dropped(mapping, entry, Reason::Stale);
                entry.change.settled = Some(self.now());
            }
            let mut pairs: Vec<Pair> = stale.iter().map(|entry| entry.pair.clone()).collect();
            let mut changes: Vec<Change> = stale.into_iter().map(|entry| entry.change).collect();
            let mut unit = self.begin().await?;
            unit.save_pairs(&mut pairs).await?;
            unit.save_changes(&mut changes).await?;
            unit.commit().await?;
        }
        Ok(fresh)
    }

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
            entry.pair.dirty = self.owes_more(&entry.pair);
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

    /// Sends changes that are marked as sent, and records what became of them.
    pub(super) async fn deliver(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut outgoing: Vec<Outgoing>,
    ) -> Result<(), SyncError> {
        let (order, slots) = self.order(mapping, target, &outgoing);
        // The same order may go out again only where a change that was made the first time is not made twice.
        let creates = outgoing.iter().any(|entry| entry.change.action == Action::Create);
        let repeatable = (!creates || self.has(mapping, target, Feature::IdempotentCreate))
            && (outgoing.iter().all(|entry| entry.change.action == Action::Create)
                || self.has(mapping, target, Feature::ConditionalUpdate));
        let mut tries = Tries::default();
        let executed = loop {
            match self.exchange(target).execute(&order).await {
                Ok(executed) => break executed,
                Err(error) => {
                    let may = repeatable || error.code == codes::RATE_LIMITED;
                    if may && self.wait_out(target, &error, &mut tries).await? {
                        if error.code != codes::RATE_LIMITED {
                            outgoing.iter_mut().for_each(|entry| entry.resent = true);
                        }
                        continue;
                    }
                    if splittable(&error) {
                        return Box::pin(self.split(mapping, target, outgoing, &error)).await;
                    }
                    return Err(self.failed(target, "carry out its orders", error));
                }
            }
        };
        let owners = self.owners(mapping, target, &executed.answers, &outgoing).await?;
        let absorbed = absorbed(&owners, target, &executed.answers);
        let sent = outgoing.len();
        let (mut pairs, mut changes) =
            self.settle_answers(mapping, target, outgoing, &slots, executed.answers, &owners);
        if changes.len() < sent {
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += (sent - changes.len()) as u64;
            counts.because_of(&Reason::Unanswered, (sent - changes.len()) as u64);
        }
        let mut unit = self.begin().await?;
        unit.remove_pairs(&absorbed).await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_changes(&mut changes).await?;
        if !executed.state.is_empty() {
            unit.save_state(self.exchange(target).name(), &executed.state).await?;
        }
        unit.save_run(&self.run).await?;
        unit.commit().await?;
        self.engine.observer.written(target, changes.len() as u64);
        Ok(())
    }

    /// The other pairs that have the records which answers name, by id.
    pub(super) async fn owners(
        &self,
        mapping: &ObjectMapping,
        target: Side,
        answers: &[Answer],
        outgoing: &[Outgoing],
    ) -> Result<Owners, SyncError> {
        use super::order::Outcome::{Converted, Created, Unchanged, Updated};
        let asked: HashMap<&str, &Pair> =
            outgoing.iter().map(|entry| (entry.change.key.as_str(), &entry.pair)).collect();
        let named = |answer: &Answer| {
            let id = match &answer.outcome {
                Created(written) | Updated(written) | Unchanged(written) => &written.id,
                Converted(reference) if reference.object == mapping.object(target) => &reference.id,
                _ => return None,
            };
            let pair = asked.get(answer.change.as_str())?;
            (pair.half(target).id.as_ref() != Some(id)).then(|| id.clone())
        };
        let ids: Vec<String> = answers.iter().filter_map(named).collect();
        let owners = self.engine.ledger.pairs_of(mapping.id, target, &ids).await?;
        Ok(owners.into_iter().filter_map(|pair| Some((pair.half(target).id.clone()?, pair))).collect())
    }
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
