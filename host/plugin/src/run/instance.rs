//! One instance of a component: its store, and calls under deadlines (CPU time by epochs, wall time by a
//! timer).

use super::error::Failure;
use super::guest::{Guest, instance_size, size};
use super::idle::to_evict;
use super::runtime::Plugin;
use super::waiting::{Ended, InProgress, end_longest_wait};
use crate::egress::Channel;
use crate::fair::account::TenantAccount;
use crate::fair::cpu::{CpuMeter, OnCpu};
use crate::fair::held::{Held, Reservation};
use crate::fair::semaphore::Permit;
use crate::limits::{INSTANCE_SLOTS, KEPT_SLOTS, Limits};
use crate::wire::Functions;
use entente_core::Value;
use entente_sync::Remedy;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep_until, timeout};
use wasmtime::{Store, UpdateDeadline};

/// How long a call waits for an instance slot.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks for one that another call could do without.
const LOOK: Duration = Duration::from_millis(250);

/// A running plugin. It is dropped after every failure: a store that has trapped, or whose call was
/// cancelled, cannot be used again.
pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    pub(crate) functions: Box<dyn Functions<Guest>>,
    pub(crate) calls: u64,
    limits: Limits,
    /// What a call under way takes.
    under_way: Reservation,
    /// What it has taken when it was started.
    _started: Reservation,
    /// Its instance slot, released after the store is dropped.
    slot: Permit,
}

/// The stack of a call.
const STACK: u64 = 1 << 20;

/// How many bytes the host may hold for one that it reads of a text that is not in UTF-8: two to three, and some while
/// they become more.
const WIDE: u64 = 3;

impl Instance {
    pub(crate) async fn start(
        plugin: &Plugin,
        channel: Arc<Channel>,
        settings: Arc<BTreeMap<String, Value>>,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let account = Arc::clone(&channel.account);
        let slot = slot(&account).await?;
        let held = Held::new(limits.clone(), Arc::clone(&account));
        let started = held.take(instance_size(limits, &plugin.inspection)).map_err(Failure::Limit)?;
        let under_way = held.nothing();
        let guest = Guest::new(channel, settings, limits.clone(), &held);
        let mut store = Store::new(&plugin.runtime.engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        // wasmtime counts texts as they are in the plugin, and the limit is for what the host holds.
        let factor = if plugin.inspection.wide_texts { WIDE } else { 1 };
        store.set_hostcall_fuel(size(limits.hostcall_bytes / factor));
        store.set_max_component_handles(size(limits.handles));
        store.set_epoch_deadline(1);
        // At each tick the plugin yields to other tasks, and its CPU time is counted.
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().tick()?;
            Ok(UpdateDeadline::Yield(1))
        });
        store.data_mut().begin(Arc::default()).map_err(Failure::Limit)?;
        let meter = Arc::clone(&store.data().meter);
        let instance =
            match timed(Box::pin(plugin.pre.instantiate_async(&mut store)), &account, meter, limits).await {
                Ok(instance) => instance,
                Err(failure) => {
                    store.data().log.end();
                    fail(&store);
                    discard(store).await;
                    return Err(failure);
                }
            };
        let functions = (plugin.exports)(instance);
        store.data().log.end();
        Ok(Self { store, functions, calls: 0, limits: limits.clone(), under_way, _started: started, slot })
    }

    /// Runs a call under its deadlines. What it hands over, in both directions, is taken from the account
    /// until [`Instance::settle`].
    pub(crate) async fn call<T>(
        &mut self,
        kept: Arc<BTreeMap<String, Vec<u8>>>,
        call: impl for<'a> FnOnce(
            &'a dyn Functions<Guest>,
            &'a mut Store<Guest>,
        ) -> BoxFuture<'a, wasmtime::Result<T>>,
    ) -> Result<T, Failure> {
        self.calls += 1;
        self.under_way.resize(self.limits.hostcall_bytes.saturating_add(STACK)).map_err(Failure::Limit)?;
        self.store.data_mut().begin(kept).map_err(Failure::Limit)?;
        self.store.set_epoch_deadline(1);
        let (account, meter) =
            (Arc::clone(&self.store.data().egress.channel().account), Arc::clone(&self.store.data().meter));
        let answered =
            timed(call(self.functions.as_ref(), &mut self.store), &account, meter, &self.limits).await;
        self.store.data().log.end();
        answered
    }

    /// What the last call has handed over is the engine's now, or gone.
    pub(crate) fn settle(&mut self) {
        self.under_way.shrink(u64::MAX);
    }

    /// Whether it may take another call. The engines of some languages give handles back late or never, some eight for each
    /// request, so that an instance ends well before their limit.
    pub(crate) fn is_fresh(&self) -> bool {
        const HANDLES_OF_REQUEST: u64 = 16;
        let handles = self.store.data().egress.sent().saturating_mul(HANDLES_OF_REQUEST);
        self.calls < self.limits.calls_per_instance && handles < self.limits.handles / 2
    }

    /// Ends the instance after a failed call.
    pub(crate) async fn end(self) {
        fail(&self.store);
        discard(self.store).await;
    }

    /// Ends the instance between two calls.
    pub(crate) async fn retire(self) {
        discard(self.store).await;
    }

    /// Whether another exchange waits for its slot, so that it should end rather than stay warm.
    pub(crate) fn should_be_evicted(&self) -> bool {
        self.slot.should_release()
    }
}

fn fail(store: &Store<Guest>) {
    store.data().meter.fail(&store.data().egress.channel().account.cpu);
}

/// Drops a store. Unmapping much memory takes a while, so it holds a permit too, and is charged to the
/// tenant.
async fn discard(store: Store<Guest>) {
    let (cpu, meter) =
        (Arc::clone(&store.data().egress.channel().account.cpu), Arc::clone(&store.data().meter));
    OnCpu::new(Box::pin(async move { drop(store) }), cpu, meter).await;
}

/// An instance slot: one that is free, that of a warm instance, or that of a call which waits in the host, as
/// far as their tenants hold more than this one.
async fn slot(account: &Arc<TenantAccount>) -> Result<Permit, Failure> {
    let mut acquiring = pin!(account.slots.acquire());
    if let Poll::Ready(slot) = futures::poll!(&mut acquiring) {
        return Ok(slot);
    }
    // Asked for all the while: a slot that is granted and not picked up goes to the next one.
    let acquired = async {
        tokio::select! {
            biased;
            slot = acquiring => slot,
            never = others_give_way(account) => match never {},
        }
    };
    timeout(PATIENCE, acquired).await.map_err(|_| no_slot(account))
}

/// Has others give up slots, for as long as it is polled.
async fn others_give_way(account: &Arc<TenantAccount>) -> Infallible {
    let mut look = interval(LOOK);
    loop {
        look.tick().await;
        if let Some(idle) = to_evict(account) {
            idle.retire().await;
        } else if !account.has_all_its_slots() {
            end_longest_wait(account);
        }
    }
}

fn no_slot(account: &TenantAccount) -> Failure {
    let limit = account.limits().tenant_instances;
    if account.has_all_its_slots() {
        let text = format!(
            "all {limit} instance slots of the tenant are in use by running plugins; wait until one is free"
        );
        Failure::Busy(text, account.limits().tenant_instances(None).remedies())
    } else {
        // What is kept is for who holds none.
        let there = if account.slots.held() == 0 { INSTANCE_SLOTS } else { INSTANCE_SLOTS - KEPT_SLOTS };
        let text = format!(
            "all {there} instance slots are in use by running plugins; wait, run fewer syncs at the same time, or spread them over several hosts"
        );
        Failure::Busy(text, Vec::new())
    }
}

/// A call was ended so that another tenant has a slot.
fn ended_for_another(Ended { held, waited }: Ended) -> Failure {
    let text = format!(
        "the call was ended after it had waited {} s: all instance slots were in use, another tenant waited for one, and this one held the most ({held})",
        waited.as_secs()
    );
    Failure::Busy(text, vec![Remedy::RunFewer])
}

/// Runs a call under permits and the deadline `call-time`. Waiting for permits extends the deadline, at most
/// by the same time again: the engine relies on every call to end.
async fn timed<T>(
    work: BoxFuture<'_, wasmtime::Result<T>>,
    account: &Arc<TenantAccount>,
    meter: Arc<CpuMeter>,
    limits: &Limits,
) -> Result<T, Failure> {
    let most = Limits::time(limits.call_time);
    let mut end = Instant::now() + most;
    let mut excused = Duration::ZERO;
    let in_progress = InProgress::new(account, &meter);
    let mut call = OnCpu::new(work, Arc::clone(&account.cpu), meter);
    let mut clock = pin!(sleep_until(end));
    let answered = poll_fn(|cx| {
        loop {
            if let Poll::Ready(answered) = Pin::new(&mut call).poll(cx) {
                return Poll::Ready(Ok(answered));
            }
            if let Some(ended) = in_progress.ended(cx) {
                return Poll::Ready(Err(ended_for_another(ended)));
            }
            if clock.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let waited = call.waited().min(most);
            if waited <= excused {
                return Poll::Ready(Err(Failure::Limit(limits.call_time(None))));
            }
            end += waited - excused;
            excused = waited;
            clock.as_mut().reset(end);
        }
    });
    answered.await?.map_err(|error| Failure::of(error, limits))
}
