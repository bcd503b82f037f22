//! Undo: compensating run. Its plan restores the values that an earlier run replaced, field by field; fields
//! that were changed since are kept and listed.

use super::change::{Change, ChangeStatus, ChangedField};
use super::definition::ObjectMapping;
use super::difference::Kept;
use super::echo::is_echo;
use super::error::SyncError;
use super::feature::Feature;
use super::limits;
use super::links::Links;
use super::notice::Notice;
use super::number::{PairId, RunId, Slot};
use super::order::Action;
use super::pair::Pair;
use super::reason::{FieldReason, Reason};
use super::session::{Purpose, Session};
use super::settle::has_landed;
use super::subject::RecordRef;
use entente_core::{Reference, Side, Sides, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Decision of an undo about one change.
#[derive(Default)]
struct Undone {
    /// Fields to restore.
    fields: Vec<ChangedField>,
    /// Fields that are kept, each with its reason.
    left: Vec<ChangedField>,
    /// The first of those reasons.
    why: Option<Kept>,
}

/// What an undo knows besides a change and its pair.
#[derive(Clone, Copy)]
struct Since<'a> {
    /// Later changes of the pair.
    later: &'a [Change],
    /// The change that the same run made on the other side of the pair.
    beside: Option<&'a Change>,
    links: &'a Links,
}

/// Effect of an undo's plan on references between records.
#[derive(Default)]
struct UndoEffects {
    /// By side, the records to delete, with the numbers of their changes.
    deletes: Sides<HashMap<Reference, i64>>,
    /// The pairs of those records.
    gone: HashSet<(PairId, Side)>,
    /// Fields that the plan writes, whose references are replaced.
    written: HashSet<(PairId, Side, Slot)>,
}

impl UndoEffects {
    /// The deletes of records that a record still refers to in one of these slots.
    fn deleted_targets(&self, pair: &Pair, side: Side, slots: &[Slot]) -> impl Iterator<Item = i64> {
        slots
            .iter()
            .filter(move |slot| !self.written.contains(&(pair.id, side, **slot)))
            .filter_map(move |slot| pair.current(side, *slot))
            .flat_map(Value::references)
            .filter_map(move |reference| self.deletes[side].get(reference).copied())
    }
}

impl Session<'_> {
    /// Plans an undo. `deletes_agreed`: how many deletions the operator has agreed to; with another number
    /// nothing is executed. `None`: a dry run, which tells how many there are.
    pub(super) async fn plan_undo(
        &mut self,
        run: RunId,
        deletes_agreed: Option<u64>,
    ) -> Result<(), SyncError> {
        let definition = self.definition;
        self.read_unreadable().await?;
        let mut deletes = 0;
        let mut after = 0;
        loop {
            self.check_stop()?;
            let changes =
                self.engine.ledger.changes_in(run, ChangeStatus::Done, after, limits::LOOKUP_RECORDS).await?;
            let Some(last) = changes.last() else { break };
            after = last.id;
            let mut groups: BTreeMap<(i64, Side), Vec<Change>> = BTreeMap::new();
            for change in changes {
                groups.entry((change.mapping, change.target)).or_default().push(change);
            }
            for ((mapping, target), changes) in groups {
                let Some(mapping) = definition.mapping(mapping) else {
                    self.run.notice(Notice::NotMapped { run });
                    continue;
                };
                deletes += self.undo_changes(mapping, target, &changes).await?;
            }
        }
        self.save_landed().await?;
        if deletes > 0 {
            deletes -= self.withhold_referenced_deletes().await?;
        }
        match deletes_agreed {
            None => self.count_plan(run, deletes).await,
            Some(agreed) if agreed != deletes => self.ask_for_deletes(run, deletes).await,
            Some(_) => Ok(()),
        }
    }

    /// Reads the reports of sides whose records cannot be read by id, so that what people edited since the last run is
    /// known before anything is decided.
    async fn read_unreadable(&mut self) -> Result<(), SyncError> {
        for side in Side::BOTH {
            if self.definition.mappings.iter().any(|mapping| !self.has(mapping, side, Feature::ById)) {
                self.collect(side).await?;
            }
        }
        Ok(())
    }

    /// Dry run: counts what the undo would do.
    async fn count_plan(&mut self, run: RunId, deletes: u64) -> Result<(), SyncError> {
        if deletes > 0 {
            self.run.notice(Notice::DeletesNotAgreed { run, deletes });
        }
        let definition = self.definition;
        let mut after = 0;
        loop {
            let page = self.planned_after(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for change in &page {
                let Some(mapping) = definition.mapping(change.mapping) else { continue };
                let counts = self.run.count(change.target, mapping.object(change.target));
                counts.pending += 1;
                counts.because(&Reason::planned(change.action.deed()));
            }
        }
    }

    /// Referential integrity: withholds the delete of a record that a record outside this undo refers to,
    /// since the remote system would blank that reference, and the blank would count as an edit. A record that stays for
    /// that reason keeps those that it refers to. Returns how many are withheld.
    async fn withhold_referenced_deletes(&mut self) -> Result<u64, SyncError> {
        let mut withheld = 0;
        loop {
            let more = self.withhold_once().await?;
            if more == 0 {
                return Ok(withheld);
            }
            withheld += more;
        }
    }

    /// Withholds the deletes of records that records refer to which the plan, as it is now, leaves.
    async fn withhold_once(&mut self) -> Result<u64, SyncError> {
        let undoing = self.undoing().await?;
        let mut kept: HashMap<i64, RecordRef> = HashMap::new();
        for mapping in &self.definition.mappings {
            for side in Side::BOTH {
                self.note_referrers(mapping, side, &undoing, &mut kept).await?;
            }
        }
        let mut after = 0;
        loop {
            let mut page = self.planned_after(after).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            page.retain(|change| kept.contains_key(&change.id));
            for change in &mut page {
                change.status = ChangeStatus::Withheld;
                change.reason = kept.get(&change.id).cloned().map(|by| Reason::ReferredTo { by });
            }
            let mut unit = self.begin().await?;
            unit.save_changes(&mut page).await?;
            unit.commit().await?;
        }
        Ok(kept.len() as u64)
    }

    async fn planned_after(&self, after: i64) -> Result<Vec<Change>, SyncError> {
        let ledger = self.engine.ledger;
        Ok(ledger.changes_in(self.run.id, ChangeStatus::Planned, after, limits::RECONCILE_PAIRS).await?)
    }

    /// Collects what the plan of this undo deletes and writes.
    async fn undoing(&self) -> Result<UndoEffects, SyncError> {
        let mut undoing = UndoEffects::default();
        let mut after = 0;
        loop {
            let page = self.planned_after(after).await?;
            let Some(last) = page.last() else { return Ok(undoing) };
            after = last.id;
            for change in page {
                match (&change.action, self.definition.mapping(change.mapping)) {
                    (Action::Delete(id), Some(mapping)) => {
                        let object = mapping.object(change.target).to_owned();
                        let record = Reference { object, id: id.clone() };
                        undoing.deletes[change.target].insert(record, change.id);
                        undoing.gone.insert((change.pair, change.target));
                    }
                    _ => {
                        let written = |field: &ChangedField| (change.pair, change.target, field.slot);
                        undoing.written.extend(change.fields.iter().map(written));
                    }
                }
            }
        }
    }

    /// Finds records of a side that still refer to a record which the undo deletes: the first one for each
    /// delete, by the number of its change.
    async fn note_referrers(
        &self,
        mapping: &ObjectMapping,
        side: Side,
        undoing: &UndoEffects,
        kept: &mut HashMap<i64, RecordRef>,
    ) -> Result<(), SyncError> {
        let slots: Vec<Slot> =
            mapping.fields.iter().filter(|field| field.is_reference()).map(|field| field.slot).collect();
        if slots.is_empty() || undoing.deletes[side].is_empty() {
            return Ok(());
        }
        let (ledger, mut after) = (self.engine.ledger, 0);
        loop {
            let pairs =
                ledger.not_read_since(mapping.id, side, RunId::MAX, after, limits::RECONCILE_PAIRS).await?;
            let Some(last) = pairs.last() else { return Ok(()) };
            after = last.id;
            for pair in pairs.iter().filter(|pair| !undoing.gone.contains(&(pair.id, side))) {
                let id = pair.half(side).id.as_deref().unwrap_or_default();
                for change in undoing.deleted_targets(pair, side, &slots) {
                    kept.entry(change).or_insert_with(|| RecordRef::new(side, mapping.object(side), id));
                }
            }
        }
    }

    async fn undo_changes(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: &[Change],
    ) -> Result<u64, SyncError> {
        self.reread(mapping, target, changes).await?;
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        let mut pairs: HashMap<PairId, Pair> =
            self.engine.ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        // An update without an answer that was executed may have replaced an edit, as one with an answer.
        let known: Vec<Pair> = pairs.values().cloned().collect();
        let landed = self.landed_since(mapping, &known).await?;
        // What the run wrote to both sides at once is put back on both.
        let mut beside =
            self.engine.ledger.changes_for(changes.first().map_or(0, |change| change.run), &numbers).await?;
        beside.retain(|other| other.target != target && other.status == ChangeStatus::Done);
        let links = self.links_of_bases(changes.iter().chain(&beside)).await?;
        let (mut planned, mut touched, mut deletes) = (Vec::new(), BTreeSet::new(), 0);
        for change in changes {
            let mut later = self.engine.ledger.changes_after(change.pair, change.id).await?;
            let since = |other: &&Change| other.pair == change.pair && other.id > change.id;
            later.extend(landed.iter().filter(since).cloned());
            // A pair that was merged into another one has no record any more.
            let absorbed = &mut Pair { id: change.pair, ..Pair::new(mapping.id) };
            let pair = pairs.get_mut(&change.pair).unwrap_or(absorbed);
            if change.action == Action::Create && pair.reason == Some(Reason::Undone) {
                // An undo has deleted it before.
                continue;
            }
            let later: Vec<Change> = later.into_iter().filter(|other| other.run != change.run).collect();
            let beside = beside.iter().find(|other| other.pair == change.pair);
            let since = Since { later: &later, beside, links: &links };
            let (action, undone) = self.undo_change(mapping, change, pair, since);
            for (fields, stays) in [(undone.fields, None), (undone.left, undone.why)] {
                if fields.is_empty() {
                    continue;
                }
                let before = (pair.status, pair.reason.clone());
                let mut new = self.change(mapping, pair, target, action.clone(), fields);
                // The pair keeps its status: a restored field is settled by its outcome, and a kept field
                // needs no work.
                (pair.status, pair.reason) = before;
                if let Some(why) = stays {
                    new.made = change.made.clone();
                    new.status = ChangeStatus::Withheld;
                    new.reason = Some(Reason::NotUndone(why));
                } else if matches!(action, Action::Delete(_)) {
                    deletes += 1;
                }
                touched.insert(pair.id);
                planned.push(new);
            }
        }
        let mut unit = self.begin().await?;
        unit.save_changes(&mut planned).await?;
        unit.save_run(&self.run).await?;
        unit.commit().await?;
        Ok(deletes)
    }

    /// Updates without an answer that these pairs show to be executed; in a dry run nobody has asked what became of them.
    async fn landed_since(&self, mapping: &ObjectMapping, pairs: &[Pair]) -> Result<Vec<Change>, SyncError> {
        let mut landed = self.landed(mapping, pairs).await?;
        let mut after = 0;
        loop {
            let ledger = self.engine.ledger;
            let mut sent = ledger
                .open_changes(&[mapping.id], ChangeStatus::Sent, after, limits::RECONCILE_PAIRS)
                .await?;
            let Some(last) = sent.last() else { return Ok(landed) };
            after = last.id;
            sent.retain_mut(|change| {
                pairs.iter().any(|pair| pair.id == change.pair && has_landed(mapping, pair, change))
            });
            landed.append(&mut sent);
        }
    }

    /// Decides about one change: the action that undoes it, with the fields to restore and those to keep.
    fn undo_change(
        &self,
        mapping: &ObjectMapping,
        change: &Change,
        pair: &Pair,
        since: Since<'_>,
    ) -> (Action, Undone) {
        let Since { later, links, .. } = since;
        // A record outside the filter is never written.
        let outside = Side::BOTH.into_iter().find(|side| pair.half(*side).is_out());
        let moved = outside.map(|side| Kept::OutsideFilter { side }).or_else(|| moved(mapping, change, pair));
        match (&change.action, moved) {
            (Action::Update(id), Some(why)) => (Action::Update(id.clone()), keep_whole(change, why)),
            (Action::Create | Action::Delete(_), Some(why)) => (Action::Create, keep_whole(change, why)),
            (Action::Update(id), None) => {
                (Action::Update(id.clone()), undo_fields(mapping, change, pair, since))
            }
            (Action::Create, None) => match self.undo_create(mapping, change, pair, later) {
                Ok(id) => (Action::Delete(id), undo_whole(mapping, change, pair)),
                Err(why) => (Action::Create, keep_whole(change, why)),
            },
            (Action::Delete(_), None) if pair.half(change.target).deleted.is_some() => {
                (Action::Create, undo_delete(mapping, change, links))
            }
            (Action::Delete(_), None) => (Action::Create, keep_whole(change, Kept::ThereAgain)),
        }
    }

    /// Reads the records again, where they can be read by id.
    async fn reread(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: &[Change],
    ) -> Result<(), SyncError> {
        if !self.has(mapping, target, Feature::ById) {
            return Ok(());
        }
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        let pairs = self.engine.ledger.pairs(&numbers).await?;
        for side in Side::BOTH {
            if self.has(mapping, side, Feature::ById) {
                let ids: Vec<String> = pairs
                    .iter()
                    .filter(|pair| pair.half(side).deleted.is_none())
                    .filter_map(|pair| pair.half(side).id.clone())
                    .collect();
                self.fetch_as(side, mapping.object(side), &ids, Purpose::Reread).await?;
            }
        }
        Ok(())
    }

    async fn links_of_bases(&self, changes: impl Iterator<Item = &Change>) -> Result<Links, SyncError> {
        let mut wanted: Sides<BTreeSet<Reference>> = Default::default();
        for change in changes {
            let bases = change.fields.iter().filter_map(|field| field.base.as_ref());
            wanted[change.target].extend(bases.flat_map(Value::references).cloned());
        }
        self.links_to(self.definition, wanted).await
    }

    /// Undo of a create: the id of the record to delete; an error where it is kept.
    fn undo_create(
        &self,
        mapping: &ObjectMapping,
        change: &Change,
        pair: &Pair,
        later: &[Change],
    ) -> Result<String, Kept> {
        let target = change.target;
        let half = pair.half(target);
        let Some(id) = half.id.clone().filter(|_| half.deleted.is_none()) else {
            return Err(Kept::Gone);
        };
        if let Some(other) = later.first() {
            return Err(Kept::ChangedBy { run: other.run });
        }
        let wrote =
            |slot: Slot| change.fields.iter().find(|field| field.slot == slot).map(ChangedField::result);
        for field in &mapping.fields {
            let was = pair.agreed(field.slot).and_then(|agreed| agreed.half(target));
            let seen = half.seen(field.slot).is_some_and(|seen| {
                was.is_some_and(|was| *was != seen.value) || (was.is_none() && !seen.value.is_blank())
            });
            // An edit may have been settled without a change here: one whose write to the other side has no answer, or
            // one that a policy kept.
            let since = was.is_some_and(|was| match wrote(field.slot) {
                Some(wrote) => !is_echo(field, wrote, was),
                None => !was.is_blank(),
            });
            if seen || since {
                return Err(Kept::FieldEdited { field: field.name(target).to_owned() });
            }
        }
        if !self.has(mapping, target, Feature::Delete) {
            let object = mapping.object(target).to_owned();
            return Err(Kept::CannotBeDeleted { side: target, object });
        }
        Ok(id)
    }

    /// Withholds the whole undo until the operator has agreed to its number of deletions.
    async fn ask_for_deletes(&mut self, run: RunId, deletes: u64) -> Result<(), SyncError> {
        self.run.notice(Notice::DeletesNotAgreed { run, deletes });
        let mut after = 0;
        loop {
            let mut page = self.planned_after(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for change in &mut page {
                change.status = ChangeStatus::Withheld;
                change.reason = Some(Reason::DeletesNotAgreed);
            }
            let mut unit = self.begin().await?;
            unit.save_changes(&mut page).await?;
            unit.commit().await?;
        }
    }
}

impl Undone {
    /// Keeps a field, with the reason.
    fn leave(&mut self, field: &ChangedField, why: Kept) {
        self.left.push(ChangedField { reason: FieldReason::NotUndone(why.clone()), ..field.clone() });
        self.why.get_or_insert(why);
    }
}

/// Identity: why a change is kept whose pair has another record by now than the one that it wrote. What a run
/// did to a record is never undone on another one.
fn moved(mapping: &ObjectMapping, change: &Change, pair: &Pair) -> Option<Kept> {
    let target = change.target;
    let half = pair.half(target);
    let (wrote, now) = (change.record(), half.id.as_deref());
    if wrote.is_some() && wrote == now {
        return None;
    }
    if now.is_none() && matches!(pair.reason, Some(Reason::LinkRemoved { .. })) {
        return Some(Kept::LinkRemoved);
    }
    if now.is_none() && half.deleted.is_some() && !matches!(change.action, Action::Delete(_)) {
        return Some(Kept::Gone);
    }
    let record = |id: &str| RecordRef::new(target, mapping.object(target), id);
    Some(Kept::OtherRecord { wrote: wrote.map(record), now: now.map(record) })
}

/// Keeps every field of a change, for one reason.
fn keep_whole(change: &Change, why: Kept) -> Undone {
    let mut undone = Undone::default();
    change.fields.iter().for_each(|field| undone.leave(field, why.clone()));
    undone
}

/// Undo of an update, field by field: the base values are restored where nobody has changed the field since.
fn undo_fields(
    mapping: &ObjectMapping,
    change: &Change,
    pair: &Pair,
    Since { later, beside, links }: Since<'_>,
) -> Undone {
    let (target, source) = (change.target, change.target.other());
    let restorable = |field: &ChangedField, side: Side| {
        let value = back(links, side, field.base.as_ref()?)?;
        let required = mapping.field(field.slot).is_some_and(|rules| rules.required[side]);
        Some(value).filter(|value| !(required && value.is_blank()))
    };
    let mut undone = Undone::default();
    for field in &change.fields {
        let slot = field.slot;
        let changed_by = later.iter().find(|other| other.fields.iter().any(|changed| changed.slot == slot));
        let now = pair.current(target, slot);
        // The same decision wrote the other side too, which has that value still.
        let on_source =
            beside.and_then(|other| other.fields.iter().find(|wrote| wrote.slot == slot && wrote.joint));
        let on_source =
            on_source.filter(|wrote| field.joint && pair.current(source, slot) == Some(wrote.result()));
        let why = if pair.half(target).deleted.is_some() || pair.half(target).id.is_none() {
            Some(Kept::Gone)
        } else if let Some(other) = changed_by {
            Some(Kept::ChangedBy { run: other.run })
        } else if now != Some(field.result()) {
            Some(Kept::Edited { now: now.cloned() })
        } else if let Some(wrote) = on_source {
            // Both or neither: one alone would be carried over the other by the next run.
            restorable(wrote, source).is_none().then_some(Kept::NotKnown)
        } else if pair.current(source, slot).is_some_and(|value| *value != field.source) {
            Some(Kept::OtherSideEdited)
        } else {
            None
        };
        let back = field.base.as_ref().and_then(|base| back(links, target, base));
        let required = mapping.field(slot).is_some_and(|rules| rules.required[target]);
        match (why, back) {
            (Some(why), _) => undone.leave(field, why),
            (None, None) => undone.leave(field, Kept::NotKnown),
            (None, Some(value)) if required && value.is_blank() => {
                undone.leave(field, Kept::Required { side: target });
            }
            (None, Some(value)) => undone.fields.push(ChangedField {
                slot,
                value,
                source: pair.current(source, slot).cloned().unwrap_or_else(|| field.source.clone()),
                base: now.cloned(),
                time: None,
                base_time: None,
                joint: on_source.is_some(),
                stored: None,
                reason: FieldReason::UndoOf { run: change.run },
            }),
        }
    }
    undone
}

/// Undo of a create: a delete that records the current values, so that it can be undone too.
fn undo_whole(mapping: &ObjectMapping, change: &Change, pair: &Pair) -> Undone {
    let field = |slot: Slot| {
        Some(ChangedField {
            slot,
            value: Value::Null,
            source: Value::Null,
            base: Some(pair.current(change.target, slot)?.clone()),
            time: None,
            base_time: None,
            joint: false,
            stored: None,
            reason: FieldReason::UndoOf { run: change.run },
        })
    };
    let fields = mapping.fields.iter().filter_map(|known| field(known.slot)).collect();
    Undone { fields, ..Undone::default() }
}

/// A value of the target as an order to it has it: with references in the names of the source. `None` where a
/// record that it refers to is gone from the target, or has no counterpart.
fn back(links: &Links, target: Side, base: &Value) -> Option<Value> {
    links.translate(target, base).filter(|_| links.stand(target, base))
}

/// Undo of a delete: the record is created again with the values that it had. A reference whose record is gone
/// is kept as it is, which is blank; where it is required, so is the whole record.
fn undo_delete(mapping: &ObjectMapping, change: &Change, links: &Links) -> Undone {
    let (mut undone, target) = (Undone::default(), change.target);
    for field in &change.fields {
        let Some(base) = field.base.as_ref().filter(|base| !base.is_blank()) else { continue };
        match back(links, target, base) {
            Some(value) => undone.fields.push(ChangedField {
                source: Value::Null,
                value,
                base: None,
                reason: FieldReason::UndoOf { run: change.run },
                ..field.clone()
            }),
            None => undone.leave(&ChangedField { value: base.clone(), ..field.clone() }, Kept::NotKnown),
        }
    }
    let lacks = |slot: Slot| undone.fields.iter().all(|field| field.slot != slot);
    if mapping.fields.iter().any(|field| field.required[target] && lacks(field.slot)) {
        return keep_whole(change, undone.why.unwrap_or(Kept::Required { side: target }));
    }
    undone
}
