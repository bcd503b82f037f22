//! Rehearsal: the ledger of a dry run of an undo. Pairs that the run reads or changes are kept in memory, and what it
//! decides is stored as rehearsed; everything else is read from the ledger, and nothing of it is written.

use super::change::{Change, ChangeStatus, Conflict, Ruling, Weight};
use super::definition::Braked;
use super::description::Description;
use super::ledger::{Lease, Ledger, LedgerError, Requeue, TodoFilter, Unit};
use super::number::{MappingId, PairId, RunId};
use super::options::StandingTrust;
use super::pair::{MatchKey, Pair};
use super::progress::Progress;
use super::reason::{Code, Reason};
use super::report::StateWrites;
use super::run::Run;
use async_trait::async_trait;
use entente_core::{Side, Timestamp};
use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Pairs as the rehearsal has them; `None`: removed.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<PairId, Option<Pair>>>>);

impl Kept {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<PairId, Option<Pair>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts what is kept of stored pairs in their place.
    fn replace(&self, pairs: Vec<Pair>) -> Vec<Pair> {
        self.with(|kept| {
            let now = |pair: Pair| kept.get(&pair.id).cloned().unwrap_or(Some(pair));
            pairs.into_iter().filter_map(now).collect()
        })
    }

    fn save(&self, pairs: &mut [Pair]) {
        self.with(|kept| {
            for pair in pairs {
                if pair.id == 0 {
                    // Numbers of stored pairs are positive.
                    pair.id = kept.keys().next().copied().unwrap_or(0).min(0) - 1;
                }
                kept.insert(pair.id, Some(pair.clone()));
            }
        });
    }
}

/// The ledger of a dry run of an undo.
pub(super) struct Rehearsal<'a> {
    ledger: &'a dyn Ledger,
    kept: Kept,
}

impl<'a> Rehearsal<'a> {
    pub(super) fn of(ledger: &'a dyn Ledger) -> Self {
        Self { ledger, kept: Kept::default() }
    }
}

/// How a change of a rehearsal is stored: with a status that no run takes up.
const fn stored(status: ChangeStatus) -> ChangeStatus {
    match status {
        ChangeStatus::Planned => ChangeStatus::Rehearsed,
        ChangeStatus::Withheld => ChangeStatus::Dropped,
        other => other,
    }
}

#[async_trait]
impl Ledger for Rehearsal<'_> {
    async fn acquire(
        &self,
        relation: &str,
        holder: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, LedgerError> {
        self.ledger.acquire(relation, holder, now, ttl).await
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<(), LedgerError> {
        self.ledger.renew(lease, now, ttl).await
    }

    fn keep(&self, lease: &Lease, ttl: Duration) -> Box<dyn Any + Send> {
        self.ledger.keep(lease, ttl)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.ledger.release(lease).await
    }

    async fn begin(&self, lease: &Lease) -> Result<Box<dyn Unit>, LedgerError> {
        let unit = self.ledger.begin(lease).await?;
        Ok(Box::new(RehearsalUnit { unit, kept: self.kept.clone() }))
    }

    async fn start_run(&self, lease: &Lease, run: Run) -> Result<Run, LedgerError> {
        self.ledger.start_run(lease, run).await
    }

    async fn progress(&self, sync: &str, side: Side) -> Result<Progress, LedgerError> {
        self.ledger.progress(sync, side).await
    }

    async fn pairs(&self, ids: &[PairId]) -> Result<Vec<Pair>, LedgerError> {
        let mut pairs = self.kept.replace(self.ledger.pairs(ids).await?);
        let stored: HashSet<PairId> = pairs.iter().map(|pair| pair.id).collect();
        let new = |id: &&PairId| **id < 0 && !stored.contains(*id);
        self.kept.with(|kept| {
            pairs.extend(ids.iter().filter(new).filter_map(|id| kept.get(id).cloned().flatten()));
        });
        Ok(pairs)
    }

    async fn pairs_of(
        &self,
        mapping: MappingId,
        side: Side,
        ids: &[String],
    ) -> Result<Vec<Pair>, LedgerError> {
        let stored = self.ledger.pairs_of(mapping, side, ids).await?;
        let meant = |pair: &Pair| {
            pair.mapping == mapping && pair.half(side).id.as_ref().is_some_and(|id| ids.contains(id))
        };
        Ok(self.kept.with(|kept| {
            let unchanged = stored.into_iter().filter(|pair| !kept.contains_key(&pair.id));
            let changed = kept.values().flatten().filter(|pair| meant(pair)).cloned();
            unchanged.chain(changed).collect()
        }))
    }

    async fn pairs_by_key(
        &self,
        mapping: MappingId,
        side: Side,
        keys: &[MatchKey],
    ) -> Result<Vec<(MatchKey, PairId)>, LedgerError> {
        self.ledger.pairs_by_key(mapping, side, keys).await
    }

    async fn todo(&self, filter: &TodoFilter, after: PairId, limit: usize) -> Result<Vec<Pair>, LedgerError> {
        self.ledger.todo(filter, after, limit).await
    }

    async fn count_todo(&self, mapping: MappingId) -> Result<u64, LedgerError> {
        self.ledger.count_todo(mapping).await
    }

    async fn count_held(&self, mapping: MappingId, code: Code) -> Result<u64, LedgerError> {
        self.ledger.count_held(mapping, code).await
    }

    async fn count_linked(&self, mapping: MappingId) -> Result<u64, LedgerError> {
        self.ledger.count_linked(mapping).await
    }

    async fn count_planned(&self, run: RunId, mapping: MappingId, target: Side) -> Result<u64, LedgerError> {
        self.ledger.count_planned(run, mapping, target).await
    }

    async fn changes(
        &self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.ledger.changes(run, mapping, target, status, after, limit).await
    }

    async fn open_changes(
        &self,
        mappings: &[MappingId],
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.ledger.open_changes(mappings, status, after, limit).await
    }

    async fn changes_for(&self, run: RunId, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.ledger.changes_for(run, pairs).await
    }

    async fn changes_after(&self, pair: PairId, change: i64) -> Result<Vec<Change>, LedgerError> {
        self.ledger.changes_after(pair, change).await
    }

    async fn unanswered(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.ledger.unanswered(pairs).await
    }

    async fn unanswered_deletes(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.ledger.unanswered_deletes(pairs).await
    }

    async fn changes_in(
        &self,
        run: RunId,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        let mut changes = self.ledger.changes_in(run, stored(status), after, limit).await?;
        changes.iter_mut().for_each(|change| change.status = status);
        Ok(changes)
    }

    async fn weight(&self, run: RunId, mapping: MappingId, target: Side) -> Result<Weight, LedgerError> {
        self.ledger.weight(run, mapping, target).await
    }

    async fn not_read_since(
        &self,
        mapping: MappingId,
        side: Side,
        run: RunId,
        mut after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        loop {
            let stored = self.ledger.not_read_since(mapping, side, run, after, limit).await?;
            let Some(last) = stored.last() else { return Ok(stored) };
            after = last.id;
            let mut pairs = self.kept.replace(stored);
            pairs.retain(|pair| pair.half(side).id.is_some() && pair.half(side).deleted.is_none());
            if !pairs.is_empty() {
                return Ok(pairs);
            }
        }
    }

    async fn held(
        &self,
        mapping: MappingId,
        code: Code,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.ledger.held(mapping, code, after, limit).await
    }

    async fn rulings(&self, pairs: &[PairId]) -> Result<Vec<Ruling>, LedgerError> {
        self.ledger.rulings(pairs).await
    }

    async fn standing_trust(&self, sync: &str) -> Result<Option<StandingTrust>, LedgerError> {
        self.ledger.standing_trust(sync).await
    }

    async fn known_schema(&self, sync: &str, side: Side) -> Result<Option<Description>, LedgerError> {
        self.ledger.known_schema(sync, side).await
    }

    async fn state(&self, exchange: &str) -> Result<BTreeMap<String, Vec<u8>>, LedgerError> {
        self.ledger.state(exchange).await
    }
}

/// A unit of work of a rehearsal: stores the run and what was decided, and nothing else.
struct RehearsalUnit {
    unit: Box<dyn Unit>,
    kept: Kept,
}

#[async_trait]
impl Unit for RehearsalUnit {
    fn shared(&mut self) -> &mut dyn Any {
        self.unit.shared()
    }

    async fn save_pairs(&mut self, pairs: &mut [Pair]) -> Result<(), LedgerError> {
        self.kept.save(pairs);
        Ok(())
    }

    async fn remove_pairs(&mut self, ids: &[PairId]) -> Result<(), LedgerError> {
        self.kept.with(|kept| kept.extend(ids.iter().map(|id| (*id, None))));
        Ok(())
    }

    async fn requeue(&mut self, _: MappingId, _: Requeue) -> Result<u64, LedgerError> {
        Ok(0)
    }

    async fn save_changes(&mut self, changes: &mut [Change]) -> Result<(), LedgerError> {
        let mut rehearsed = changes.to_vec();
        rehearsed.iter_mut().for_each(|change| change.status = stored(change.status));
        self.unit.save_changes(&mut rehearsed).await?;
        changes.iter_mut().zip(rehearsed).for_each(|(change, stored)| change.id = stored.id);
        Ok(())
    }

    async fn drop_plans(&mut self, _: &[PairId], _: Timestamp) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn hold_planned(
        &mut self,
        _: RunId,
        _: MappingId,
        _: Side,
        _: Braked,
        _: &Reason,
    ) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn save_trust(&mut self, _: &str, _: Option<&StandingTrust>) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn save_schema(&mut self, _: &str, _: Side, _: &Description) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn save_conflicts(
        &mut self,
        _: &[PairId],
        _: &[Conflict],
        _: Timestamp,
    ) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn save_progress(&mut self, _: &str, _: Side, _: &Progress) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn save_state(&mut self, _: &str, _: &StateWrites) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn save_run(&mut self, run: &Run) -> Result<(), LedgerError> {
        self.unit.save_run(run).await
    }

    async fn commit(self: Box<Self>) -> Result<(), LedgerError> {
        self.unit.commit().await
    }

    async fn commit_soon(self: Box<Self>) -> Result<(), LedgerError> {
        self.unit.commit_soon().await
    }
}
