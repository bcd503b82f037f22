//! One running plugin: a store, what is in it, and calls with their clocks.

use super::egress::Channel;
use super::error::Failure;
use super::guest::{Guest, size};
use super::limits::Limits;
use super::link::Functions;
use super::runtime::Plugin;
use crate::record::Value;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime::{Store, UpdateDeadline};

/// How long a call waits for a place to run.
const PATIENCE: Duration = Duration::from_secs(30);

/// A plugin that has been started. It is dropped after whatever went wrong in it: a store that has trapped, or whose call was
/// given up, cannot be used again.
pub(super) struct Instance {
    pub(super) store: Store<Guest>,
    pub(super) functions: Functions,
    pub(super) calls: u64,
    limits: Limits,
    _place: OwnedSemaphorePermit,
}

impl Instance {
    pub(super) async fn start(
        plugin: &Plugin,
        channel: Arc<Channel>,
        settings: Arc<BTreeMap<String, Value>>,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let waiting = Arc::clone(&plugin.runtime.places).acquire_owned();
        let place = match timeout(PATIENCE, waiting).await {
            Ok(Ok(place)) => place,
            _ => {
                return Err(Failure::Busy(format!(
                    "all {} places for running plugins are taken; wait, run fewer syncs at the same time, or spread them over several hosts",
                    super::engine::PLACES
                )));
            }
        };
        let mut store = Store::new(&plugin.runtime.engine, Guest::new(channel, settings, limits.clone()));
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(size(limits.hostcall_bytes));
        store.set_max_component_handles(size(limits.handles));
        store.set_epoch_deadline(1);
        // At each tick the plugin gives way to other tasks, and its computing time is counted.
        store.epoch_deadline_callback(|mut store| {
            store.data_mut().tick()?;
            Ok(UpdateDeadline::Yield(1))
        });
        store.data_mut().begin(Arc::default());
        let instance = timed(plugin.pre.instantiate_async(&mut store), limits).await?;
        let functions = Functions::new(Arc::clone(&plugin.exports), instance);
        store.data().log.end();
        Ok(Self { store, functions, calls: 0, limits: limits.clone(), _place: place })
    }

    /// Runs a call under its clocks.
    pub(super) async fn call<T>(
        &mut self,
        kept: Arc<BTreeMap<String, Vec<u8>>>,
        call: impl for<'a> FnOnce(&'a mut Store<Guest>, &'a Functions) -> BoxFuture<'a, wasmtime::Result<T>>,
    ) -> Result<T, Failure> {
        self.calls += 1;
        self.store.data_mut().begin(kept);
        self.store.set_epoch_deadline(1);
        let answered = timed(call(&mut self.store, &self.functions), &self.limits).await;
        self.store.data().log.end();
        answered
    }
}

async fn timed<T>(work: impl Future<Output = wasmtime::Result<T>>, limits: &Limits) -> Result<T, Failure> {
    match timeout(Limits::time(limits.call_time), work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::of(error, limits)),
        Err(_) => Err(Failure::Limit(limits.call_time(None))),
    }
}
