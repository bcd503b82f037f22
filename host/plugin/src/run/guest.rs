//! Store data: the host's state of one instance.

use super::http::{Counted, Ledger};
use super::limiter::Limiter;
use super::log::{Log, Printed};
use crate::component::inspect::Inspection;
use crate::egress::{Channel, Egress};
use crate::fair::cpu::CpuMeter;
use crate::fair::held::{ENTRY, Held, Reservation, bytes_of};
use crate::limits::{LimitReached, Limits};
use entente_core::Value;
use entente_sync::StateWrites;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

/// What a handle takes on both sides, where nothing else counts it: streams, pollables, errors.
const HANDLE: u64 = 256;

/// What is kept for each function of an instance: the reference to it.
const FUNCTION: u64 = 64;
/// What is kept for each global variable.
const GLOBAL: u64 = 16;

/// What an instance takes when it starts, besides its memories: as if it had all the handles that it may have. A module that a
/// component instantiates several times counts once; the pool bounds what all of them take to 10 MiB.
pub(crate) fn instance_size(limits: &Limits, inspection: &Inspection) -> u64 {
    let handles = limits.resources.saturating_add(limits.handles).saturating_mul(HANDLE);
    let globals = inspection.globals.saturating_mul(GLOBAL);
    handles.saturating_add(inspection.functions.saturating_mul(FUNCTION)).saturating_add(globals)
}

/// The data of a store.
pub(crate) struct Guest {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    /// What its resources of `wasi:http` have taken.
    ledger: Ledger,
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
    pub(crate) fn new(
        channel: Arc<Channel>,
        settings: Arc<BTreeMap<String, Value>>,
        limits: Limits,
        held: &Held,
    ) -> Self {
        let log = Log::new(Arc::clone(&channel), limits.clone());
        // Nothing is granted: no arguments, environment, files or sockets. Clocks and random numbers are
        // real.
        let mut wasi = WasiCtx::builder();
        // A socket would be one of this process as soon as it is made, whatever it may connect to. wasmtime allows none
        // by default; here it is said.
        wasi.allow_tcp(false).allow_udp(false);
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
            ledger: Ledger::new(held.clone(), limits.clone()),
            limiter: Limiter::new(limits.clone(), held),
            egress: Egress::new(channel, held.clone()),
            log,
            settings,
            state: State::new(limits.clone(), held),
            matches: 0,
            meter: Arc::default(),
            limits,
        }
    }

    /// Its view for `wasi:http`.
    pub(super) fn counted(&mut self) -> Counted<'_> {
        let Self { http, table, egress, ledger, .. } = self;
        Counted { http, table, egress, ledger }
    }

    /// Resets for the next call.
    ///
    /// # Errors
    /// Where there is no memory for its state.
    pub(crate) fn begin(&mut self, kept: Arc<BTreeMap<String, Vec<u8>>>) -> Result<(), LimitReached> {
        self.egress.begin();
        self.log.begin();
        self.matches = 0;
        self.meter.reset();
        self.state.begin(kept)
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

/// The plugin's state, a key-value store: the committed state, overlaid by the writes of the current call.
pub(crate) struct State {
    limits: Limits,
    kept: Arc<BTreeMap<String, Vec<u8>>>,
    writes: StateWrites,
    /// What both take.
    of_kept: Reservation,
    of_writes: Reservation,
}

/// What a key with its value takes.
fn entry_size(key: &str, value: usize) -> u64 {
    ENTRY + bytes_of(key.len()) + bytes_of(value)
}

impl State {
    fn new(limits: Limits, held: &Held) -> Self {
        let (of_kept, of_writes) = (held.nothing(), held.nothing());
        Self { limits, kept: Arc::default(), writes: StateWrites::new(), of_kept, of_writes }
    }

    fn begin(&mut self, kept: Arc<BTreeMap<String, Vec<u8>>>) -> Result<(), LimitReached> {
        self.take();
        self.of_kept.resize(kept.iter().map(|(key, value)| entry_size(key, value.len())).sum())?;
        self.kept = kept;
        Ok(())
    }

    /// The writes of a call that succeeded.
    pub(crate) fn take(&mut self) -> StateWrites {
        self.of_writes.shrink(u64::MAX);
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
        self.of_writes.grow(entry_size(&key, value.len()))?;
        self.write(key, Some(value));
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: String) -> Result<(), LimitReached> {
        if self.kept.contains_key(&key) {
            self.of_writes.grow(entry_size(&key, 0))?;
            self.write(key, None);
        } else if let Some(before) = self.writes.remove(&key) {
            self.of_writes.shrink(entry_size(&key, before.map_or(0, |value| value.len())));
        }
        Ok(())
    }

    /// Writes what was taken before, and gives back what it replaces.
    fn write(&mut self, key: String, value: Option<Vec<u8>>) {
        let length = key.len();
        if let Some(before) = self.writes.insert(key, value) {
            self.of_writes.shrink(ENTRY + bytes_of(length) + before.map_or(0, |value| bytes_of(value.len())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_seen_at_once_and_counted() {
        let limits = Limits { state_bytes: 200, ..Limits::default() };
        let held = Held::new(limits.clone(), Arc::default());
        let mut state = State::new(limits, &held);
        state.begin(Arc::new([("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])].into())).unwrap();
        let kept = held.used();
        state.set("c".to_owned(), vec![3]).unwrap();
        state.delete("a".to_owned()).unwrap();
        state.set("b".to_owned(), vec![4]).unwrap();
        assert_eq!((state.get("a"), state.get("b"), state.get("c")), (None, Some(&vec![4]), Some(&vec![3])));
        assert_eq!(state.keys(""), ["b", "c"]);
        assert_eq!(state.keys("c"), ["c"]);
        assert_eq!(state.set("d".to_owned(), vec![0; 200]).unwrap_err().name, "state-bytes");
        for _ in 0..1000 {
            state.set("c".to_owned(), vec![3]).unwrap();
            state.delete("a".to_owned()).unwrap();
        }
        assert_eq!(held.used(), kept + 3 * (ENTRY + 1) + 2, "each key counts once");
        let writes = state.take();
        assert_eq!(held.used(), kept);
        assert_eq!(
            writes,
            [("a".to_owned(), None), ("b".to_owned(), Some(vec![4])), ("c".to_owned(), Some(vec![3]))].into()
        );
    }
}
