//! The one wasmtime engine of the process, and the clock thread that drives epoch interruption.

use crate::compile::settings::{Allocation, on_demand, pooled};
use crate::fair::compiling::compiler_lanes;
use crate::fair::cpu::cpu_permits;
use crate::fair::slots::instance_slots;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// The epoch tick: how often running plugins yield. Short enough that waiters get permits in time, long
/// enough to cost nothing.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The tick while permits are contended: long enough that switching costs next to nothing, short enough that
/// a short call does not wait for one that computes without end.
const TICK_WHEN_WANTED: Duration = Duration::from_millis(1);

/// The engine, and its instance allocation.
#[derive(Clone)]
pub(crate) struct Started {
    pub(crate) engine: Engine,
    pub(crate) allocation: Allocation,
}

/// The engine, created on first use. One per process: wasmtime has had bugs that confused the types of two
/// engines.
///
/// # Errors
/// Where this machine cannot run compiled code.
pub(crate) fn engine() -> Result<Started, wasmtime::Error> {
    static ENGINE: OnceLock<Result<Started, String>> = OnceLock::new();
    ENGINE.get_or_init(|| start().map_err(|error| format!("{error:#}"))).clone().map_err(wasmtime::Error::msg)
}

fn start() -> wasmtime::Result<Started> {
    let started = match Engine::new(&pooled()) {
        Ok(engine) => Started { engine, allocation: Allocation::Pooled },
        Err(error) => {
            tracing::warn!(%error, "memory for plugins cannot be reserved (a limit on address space?); each is allocated when it starts, which is slower");
            Started { engine: Engine::new(&on_demand())?, allocation: Allocation::OnDemand }
        }
    };
    // A dedicated thread, since plugins may keep the executor busy. It ends with the engine.
    let weak = started.engine.weak();
    std::thread::Builder::new().name("plugin-clock".to_owned()).spawn(move || {
        cpu_permits().set_clock_thread();
        instance_slots().set_clock_thread();
        compiler_lanes().iter().for_each(|lane| lane.set_clock_thread());
        let mut last = Instant::now();
        loop {
            let now = Instant::now();
            instance_slots().tick(now);
            for lane in compiler_lanes() {
                lane.tick(now);
            }
            let tick = if cpu_permits().tick(now) { TICK_WHEN_WANTED } else { TICK };
            if now - last >= tick {
                let Some(engine) = weak.upgrade() else { break };
                engine.increment_epoch();
                last = now;
            }
            // Unparked by the first waiter for a permit, and for deferred wakers.
            std::thread::park_timeout((last + tick).saturating_duration_since(Instant::now()));
        }
    })?;
    Ok(started)
}
