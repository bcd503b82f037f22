//! Store data: the host's state of one instance.

use super::limiter::Limiter;
use super::log::{Log, Printed};
use crate::egress::{Channel, Egress};
use crate::fair::cpu::CpuMeter;
use crate::limits::{LimitReached, Limits};
use entente_core::Value;
use entente_sync::StateWrites;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The data of a store.
pub(crate) struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) limits: Limits,
    pub(crate) egress: Egress,
    pub(crate) log: Log,
    pub(crate) settings: Arc<BTreeMap<String, Value>>,
    pub(crate) state: State,
    pub(crate) matches: u64,
    /// The CPU time of the current call.
    pub(crate) meter: Arc<CpuMeter>,
}

impl Guest {
    pub(crate) fn new(channel: Arc<Channel>, settings: Arc<BTreeMap<String, Value>>, limits: Limits) -> Self {
        let log = Log::new(Arc::clone(&channel), limits.clone());
        // Nothing is granted: no arguments, environment, files or sockets. Clocks and random numbers are
        // real.
        let mut wasi = WasiCtx::builder();
        wasi.stdout(Printed(log.clone())).stderr(Printed(log.clone())).max_random_size(limits.random_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(size(limits.resources));
        let mut http = WasiHttpCtx::new();
        // wasmtime counts the memory of a header, which is about twice its size on the wire.
        http.set_field_size_limit(size(limits.http_header_bytes.saturating_mul(2)));
        Self {
            wasi: wasi.build(),
            http,
            table,
            limiter: Limiter::new(limits.clone(), Arc::clone(&channel.account)),
            egress: Egress::new(channel),
            log,
            settings,
            state: State::new(limits.clone()),
            matches: 0,
            meter: Arc::default(),
            limits,
        }
    }

    /// Resets for the next call.
    pub(crate) fn begin(&mut self, kept: Arc<BTreeMap<String, Vec<u8>>>) {
        self.egress.begin();
        self.log.begin();
        self.matches = 0;
        self.meter.reset();
        self.state.begin(kept);
    }

    /// The epoch callback: counts CPU time; the plugin yields afterwards.
    ///
    /// # Errors
    /// The limit `cpu-time`.
    pub(crate) fn tick(&mut self) -> Result<(), LimitReached> {
        let over = self.meter.yields() > Limits::time(self.limits.cpu_time);
        if over { Err(self.limits.cpu_time(None)) } else { Ok(()) }
    }
}

pub(crate) fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.egress }
    }
}

/// The plugin's state, a key-value store: the committed state, overlaid by the writes of the current call.
pub(crate) struct State {
    limits: Limits,
    kept: Arc<BTreeMap<String, Vec<u8>>>,
    writes: StateWrites,
}

impl State {
    fn new(limits: Limits) -> Self {
        Self { limits, kept: Arc::default(), writes: StateWrites::new() }
    }

    fn begin(&mut self, kept: Arc<BTreeMap<String, Vec<u8>>>) {
        self.kept = kept;
        self.writes.clear();
    }

    /// The writes of a call that succeeded.
    pub(crate) fn take(&mut self) -> StateWrites {
        std::mem::take(&mut self.writes)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Vec<u8>> {
        match self.writes.get(key) {
            Some(written) => written.as_ref(),
            None => self.kept.get(key),
        }
    }

    fn keys_with_sizes(&self) -> BTreeMap<&str, usize> {
        let mut all: BTreeMap<&str, usize> =
            self.kept.iter().map(|(key, value)| (key.as_str(), value.len())).collect();
        for (key, value) in &self.writes {
            match value {
                Some(value) => all.insert(key, value.len()),
                None => all.remove(key.as_str()),
            };
        }
        all
    }

    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.keys_with_sizes()
            .keys()
            .filter(|key| key.starts_with(prefix))
            .map(|key| (*key).to_owned())
            .collect()
    }

    pub(crate) fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), LimitReached> {
        let mut all = self.keys_with_sizes();
        all.insert(&key, value.len());
        // A fixed overhead per key, or a million empty values would be free.
        let total = all.iter().map(|(key, length)| (key.len() + length + 32) as u64).sum();
        if total > self.limits.state_bytes {
            return Err(self.limits.state_bytes(Some(total)));
        }
        self.writes.insert(key, Some(value));
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: String) {
        if self.kept.contains_key(&key) {
            self.writes.insert(key, None);
        } else {
            self.writes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_seen_at_once_and_counted() {
        let mut state = State::new(Limits { state_bytes: 200, ..Limits::default() });
        state.begin(Arc::new([("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])].into()));
        state.set("c".to_owned(), vec![3]).unwrap();
        state.delete("a".to_owned());
        state.set("b".to_owned(), vec![4]).unwrap();
        assert_eq!((state.get("a"), state.get("b"), state.get("c")), (None, Some(&vec![4]), Some(&vec![3])));
        assert_eq!(state.keys(""), ["b", "c"]);
        assert_eq!(state.keys("c"), ["c"]);
        assert_eq!(state.set("d".to_owned(), vec![0; 200]).unwrap_err().name, "state-bytes");
        let writes = state.take();
        assert_eq!(
            writes,
            [("a".to_owned(), None), ("b".to_owned(), Some(vec![4])), ("c".to_owned(), Some(vec![3]))].into()
        );
    }
}
