//! Instrumented ledger and exchanges: every effect is counted, and the run may crash at it.

use crate::dice::lock;
use crate::remote::Made;
use crate::schema::Words;
use crate::tape::Tape;
use crate::users::Users;
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sqlite::SqliteLedger;
use entente_sync::*;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// State shared by the gates of a world.
#[derive(Default)]
pub(crate) struct Shared {
    /// When the last lease was taken or renewed.
    pub(crate) leased: Timestamp,
    /// Leases that later runs have taken over.
    old: Vec<Lease>,
    /// Records created in the hub, not committed yet.
    uncommitted: Vec<Made>,
    /// Records created in the hub.
    pub(crate) made: Vec<Made>,
    /// Commits by a run after it lost its lease.
    pub(crate) unfenced: Vec<String>,
}

/// The instrumented ledger.
pub(crate) struct GatedLedger {
    pub(crate) inner: SqliteLedger,
    pub(crate) tape: Arc<Tape>,
    pub(crate) shared: Arc<Mutex<Shared>>,
}

impl GatedLedger {
    /// Checks fencing: an earlier run can no longer write.
    async fn fence(&self, lease: &Lease) {
        let old: Vec<Lease> =
            lock(&self.shared).old.iter().filter(|old| old.relation == lease.relation).cloned().collect();
        for old in old.iter().filter(|old| *old != lease) {
            if self.inner.begin(old).await.is_ok() {
                lock(&self.shared)
                    .unfenced
                    .push(format!("lease {} of '{}' still writes", old.fence, old.relation));
            }
        }
        let mut shared = lock(&self.shared);
        shared.old.retain(|old| old.relation != lease.relation);
        shared.old.push(lease.clone());
    }
}

#[async_trait]
impl Ledger for GatedLedger {
    async fn acquire(
        &self,
        relation: &str,
        holder: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, LedgerError> {
        let lease = self.inner.acquire(relation, holder, now, ttl).await;
        if let Ok(lease) = &lease {
            self.fence(lease).await;
            lock(&self.shared).leased = now;
            self.tape.effect(format!("lease {} of {relation}", lease.fence)).await;
        }
        lease
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<(), LedgerError> {
        let renewed = self.inner.renew(lease, now, ttl).await;
        lock(&self.shared).leased = now;
        self.tape.effect("lease renewed".to_owned()).await;
        renewed
    }

    fn keep(&self, lease: &Lease, ttl: Duration) -> Box<dyn std::any::Any + Send> {
        self.inner.keep(lease, ttl)
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        let released = self.inner.release(lease).await;
        lock(&self.shared).leased = Timestamp::from_micros(0);
        self.tape.effect("lease given back".to_owned()).await;
        released
    }

    async fn begin(&self, lease: &Lease) -> Result<Box<dyn Unit>, LedgerError> {
        lock(&self.shared).uncommitted.clear();
        let inner = self.inner.begin(lease).await?;
        Ok(Box::new(GatedUnit {
            inner,
            tape: Arc::clone(&self.tape),
            shared: Arc::clone(&self.shared),
            what: Vec::new(),
        }))
    }

    async fn start_run(&self, lease: &Lease, run: Run) -> Result<Run, LedgerError> {
        let run = self.inner.start_run(lease, run).await;
        self.tape.effect(format!("run begun: {:?}", run.as_ref().map(|run| run.id).ok())).await;
        run
    }

    async fn progress(&self, sync: &str, side: Side) -> Result<Progress, LedgerError> {
        self.inner.progress(sync, side).await
    }

    async fn pairs(&self, ids: &[PairId]) -> Result<Vec<Pair>, LedgerError> {
        self.inner.pairs(ids).await
    }

    async fn pairs_of(
        &self,
        mapping: MappingId,
        side: Side,
        ids: &[String],
    ) -> Result<Vec<Pair>, LedgerError> {
        self.inner.pairs_of(mapping, side, ids).await
    }

    async fn pairs_by_key(
        &self,
        mapping: MappingId,
        side: Side,
        keys: &[MatchKey],
    ) -> Result<Vec<(MatchKey, PairId)>, LedgerError> {
        self.inner.pairs_by_key(mapping, side, keys).await
    }

    async fn todo(&self, filter: &TodoFilter, after: PairId, limit: usize) -> Result<Vec<Pair>, LedgerError> {
        self.inner.todo(filter, after, limit).await
    }

    async fn count_todo(&self, mapping: MappingId) -> Result<u64, LedgerError> {
        self.inner.count_todo(mapping).await
    }

    async fn count_held(&self, mapping: MappingId, code: Code) -> Result<u64, LedgerError> {
        self.inner.count_held(mapping, code).await
    }

    async fn count_linked(&self, mapping: MappingId) -> Result<u64, LedgerError> {
        self.inner.count_linked(mapping).await
    }

    async fn count_planned(&self, run: RunId, mapping: MappingId, target: Side) -> Result<u64, LedgerError> {
        self.inner.count_planned(run, mapping, target).await
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
        self.inner.changes(run, mapping, target, status, after, limit).await
    }

    async fn open_changes(
        &self,
        mappings: &[MappingId],
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.inner.open_changes(mappings, status, after, limit).await
    }

    async fn changes_for(&self, run: RunId, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.inner.changes_for(run, pairs).await
    }

    async fn changes_after(&self, pair: PairId, change: i64) -> Result<Vec<Change>, LedgerError> {
        self.inner.changes_after(pair, change).await
    }

    async fn unanswered(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.inner.unanswered(pairs).await
    }

    async fn unanswered_deletes(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.inner.unanswered_deletes(pairs).await
    }

    async fn changes_in(
        &self,
        run: RunId,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.inner.changes_in(run, status, after, limit).await
    }

    async fn weight(&self, run: RunId, mapping: MappingId, target: Side) -> Result<Weight, LedgerError> {
        self.inner.weight(run, mapping, target).await
    }

    async fn not_read_since(
        &self,
        mapping: MappingId,
        side: Side,
        run: RunId,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.inner.not_read_since(mapping, side, run, after, limit).await
    }

    async fn held(
        &self,
        mapping: MappingId,
        code: Code,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.inner.held(mapping, code, after, limit).await
    }

    async fn rulings(&self, pairs: &[PairId]) -> Result<Vec<Ruling>, LedgerError> {
        self.inner.rulings(pairs).await
    }

    async fn standing_trust(&self, sync: &str) -> Result<Option<StandingTrust>, LedgerError> {
        self.inner.standing_trust(sync).await
    }

    async fn known_schema(&self, sync: &str, side: Side) -> Result<Option<Description>, LedgerError> {
        self.inner.known_schema(sync, side).await
    }

    async fn state(&self, exchange: &str) -> Result<BTreeMap<String, Vec<u8>>, LedgerError> {
        self.inner.state(exchange).await
    }
}

/// The instrumented unit of work.
struct GatedUnit {
    inner: Box<dyn Unit>,
    tape: Arc<Tape>,
    shared: Arc<Mutex<Shared>>,
    /// Its contents, for the trace.
    what: Vec<String>,
}

#[async_trait]
impl Unit for GatedUnit {
    fn shared(&mut self) -> &mut dyn Any {
        self.inner.shared()
    }

    async fn save_pairs(&mut self, pairs: &mut [Pair]) -> Result<(), LedgerError> {
        self.inner.save_pairs(pairs).await?;
        for pair in pairs.iter() {
            let id = |side: Side| pair.half(side).id.clone().unwrap_or_else(|| "-".to_owned());
            let reason = pair.reason.as_ref().map(|reason| format!(" ({reason:?})")).unwrap_or_default();
            self.what.push(format!(
                "pair {} {}={} {}{reason}",
                pair.id,
                id(Side::Left),
                id(Side::Right),
                pair.status.word()
            ));
        }
        Ok(())
    }

    async fn remove_pairs(&mut self, ids: &[PairId]) -> Result<(), LedgerError> {
        if !ids.is_empty() {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            self.what.push(format!("pairs {ids:?} removed"));
        }
        self.inner.remove_pairs(ids).await
    }

    async fn requeue(&mut self, mapping: MappingId, which: Requeue) -> Result<u64, LedgerError> {
        let count = self.inner.requeue(mapping, which.clone()).await?;
        if count > 0 {
            self.what.push(format!("{count} pairs again: {which:?}"));
        }
        Ok(count)
    }

    async fn save_changes(&mut self, changes: &mut [Change]) -> Result<(), LedgerError> {
        self.inner.save_changes(changes).await?;
        for change in changes.iter() {
            let fields: Vec<String> = change
                .fields
                .iter()
                .map(|field| {
                    let base = field.base.as_ref().map_or("?".to_owned(), ToString::to_string);
                    format!("{}: {base} -> {} [{:?}]", field.slot, field.value, field.reason)
                })
                .collect();
            let (target, status) = (change.target, change.status.word());
            self.what.push(format!(
                "change {} of pair {} {status} to {target} {:?} {fields:?}",
                change.id, change.pair, change.action
            ));
        }
        Ok(())
    }

    async fn drop_plans(&mut self, pairs: &[PairId], at: Timestamp) -> Result<(), LedgerError> {
        self.inner.drop_plans(pairs, at).await
    }

    async fn hold_planned(
        &mut self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        which: Braked,
        reason: &Reason,
    ) -> Result<(), LedgerError> {
        self.what.push(format!("brake on {which:?} to the {target}: {reason:?}"));
        self.inner.hold_planned(run, mapping, target, which, reason).await
    }

    async fn save_trust(&mut self, sync: &str, trust: Option<&StandingTrust>) -> Result<(), LedgerError> {
        self.inner.save_trust(sync, trust).await
    }

    async fn save_schema(
        &mut self,
        sync: &str,
        side: Side,
        description: &Description,
    ) -> Result<(), LedgerError> {
        self.inner.save_schema(sync, side, description).await
    }

    async fn save_conflicts(
        &mut self,
        pairs: &[PairId],
        conflicts: &[Conflict],
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        for conflict in conflicts {
            let (left, right) = (&conflict.left.value, &conflict.right.value);
            self.what.push(format!(
                "conflict of pair {} in {}: {left} or {right}: {:?}",
                conflict.pair, conflict.slot, conflict.reason
            ));
        }
        self.inner.save_conflicts(pairs, conflicts, at).await
    }

    async fn save_progress(
        &mut self,
        sync: &str,
        side: Side,
        progress: &Progress,
    ) -> Result<(), LedgerError> {
        self.what.push(format!(
            "place on the {side}: {:?} {:?}",
            progress.objects,
            progress.open.as_ref().map(|open| &open.cursor)
        ));
        self.inner.save_progress(sync, side, progress).await
    }

    async fn save_state(&mut self, exchange: &str, writes: &StateWrites) -> Result<(), LedgerError> {
        self.inner.save_state(exchange, writes).await
    }

    async fn save_run(&mut self, run: &Run) -> Result<(), LedgerError> {
        self.inner.save_run(run).await
    }

    async fn commit_soon(self: Box<Self>) -> Result<(), LedgerError> {
        self.commit().await
    }

    async fn commit(self: Box<Self>) -> Result<(), LedgerError> {
        let Self { inner, tape, shared, what } = *self;
        inner.commit().await?;
        {
            let mut shared = lock(&shared);
            let made = std::mem::take(&mut shared.uncommitted);
            shared.made.extend(made);
        }
        for what in what {
            tape.note(format_args!("   {what}"));
        }
        tape.effect("committed".to_owned()).await;
        Ok(())
    }
}

/// An instrumented exchange.
pub(crate) struct GatedExchange {
    pub(crate) inner: Arc<dyn Exchange>,
    pub(crate) tape: Arc<Tape>,
    pub(crate) shared: Arc<Mutex<Shared>>,
    /// The users, who act during runs.
    pub(crate) users: Arc<Users>,
}

impl GatedExchange {
    /// The effect of a call: the engine may crash before the call, and after the exchange has executed it.
    async fn around<T>(
        &self,
        call: &str,
        answer: impl Future<Output = Result<T, ExchangeError>> + Send,
    ) -> Result<T, ExchangeError> {
        self.tape.effect(format!("{} is asked to {call}", self.inner.name())).await;
        let answer = answer.await;
        let how = if answer.is_ok() { "done" } else { "failed" };
        self.tape.effect(format!("{} has answered: {how}", self.inner.name())).await;
        answer
    }
}

#[async_trait]
impl Exchange for GatedExchange {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn describe(&self) -> Result<Description, ExchangeError> {
        self.around("describe itself", self.inner.describe()).await
    }

    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError> {
        self.inner.manual().await
    }

    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        let collecting = request.objects.iter().all(|wanted| wanted.ids.is_empty());
        self.users.meanwhile(collecting).await;
        let named: Vec<&String> = request.objects.iter().flat_map(|wanted| &wanted.ids).collect();
        let from: Vec<_> = request.objects.iter().map(|wanted| &wanted.bookmark).collect();
        let call = format!("report {:?} {from:?} {named:?}", request.cursor);
        let page = self.around(&call, self.inner.report(request)).await?;
        for batch in &page.batches {
            let ids: Vec<&str> = batch.rows.iter().map(|row| row.id.as_str()).collect();
            let gone: Vec<&str> = batch.deleted.iter().map(|deletion| deletion.id.as_str()).collect();
            if !(ids.is_empty() && gone.is_empty()) {
                self.tape.note(format_args!("   {} {ids:?} gone {gone:?}", batch.object));
            }
        }
        Ok(page)
    }

    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError> {
        self.users.meanwhile(false).await;
        let call = format!("carry out {} changes of {}", order.changes.len(), order.object);
        self.around(&call, self.inner.execute(order)).await
    }

    async fn collect(&self, ticket: &str, order: &Order) -> Result<Collection, ExchangeError> {
        self.around("tell what became of a ticket", self.inner.collect(ticket, order)).await
    }

    fn can_find(&self) -> bool {
        self.inner.can_find()
    }

    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        let found = self.around(&format!("find {:?}", query.keys), self.inner.find(query)).await?;
        self.tape.note(format_args!("   {found:?}"));
        Ok(found)
    }

    fn local(&self) -> Option<&dyn LocalExchange> {
        self.inner.local().map(|_| self as &dyn LocalExchange)
    }
}

#[async_trait]
impl LocalExchange for GatedExchange {
    async fn execute_within(&self, unit: &mut dyn Unit, order: &Order) -> Result<Vec<Answer>, ExchangeError> {
        let Some(local) = self.inner.local() else {
            return Err(ExchangeError::new(codes::UNSUPPORTED, "it keeps its records elsewhere"));
        };
        let answers = local.execute_within(unit, order).await?;
        for answer in &answers {
            self.tape.note(format_args!("   {} {:?}", self.inner.name(), answer.outcome));
            let change = order.changes.iter().find(|change| change.id == answer.change);
            if let (Outcome::Created(written), Some(change)) = (&answer.outcome, change) {
                lock(&self.shared).uncommitted.push(Made {
                    sync: order.sync.clone(),
                    source: change.source.clone(),
                    object: Words::Hub.read_object(&order.object).unwrap_or_default(),
                    id: written.id.clone(),
                    when: self.tape.effects(),
                });
            }
        }
        Ok(answers)
    }
}
