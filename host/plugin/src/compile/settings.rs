//! Settings of the wasmtime engine: code generation, and the sizes of the pooling allocator.

use crate::limits::{INSTANCE_SLOTS, MEMORY_SLOT, TABLE_SLOT};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

/// Cache version: raised by hand whenever a setting below changes that wasmtime does not compare when it
/// loads an artifact (optimisation, NaNs).
pub(crate) const SETTINGS_EDITION: &str = "1";

/// The instance allocation strategy. Code compiled for one does not fit the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// The pooling allocator: slots are reserved when the process starts.
    Pooled,
    /// On-demand allocation: memory is mapped for each instance, where no address space can be reserved.
    OnDemand,
}

/// A compile-only engine: it reserves no memory, and its artifacts fit the engine with the same allocation.
pub(crate) fn compile_only(allocation: Allocation) -> wasmtime::Result<Engine> {
    let mut config = code(allocation);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config)
}

/// A hash of everything besides the wasm file that affects compiled code.
pub(crate) fn settings_hash(engine: &Engine) -> u64 {
    /// Rust does not promise that its default hasher stays the same over releases; a changed hash would only
    /// cost a recompilation, but SHA-256 is at hand.
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn finish(&self) -> u64 {
            let digest = self.0.clone().finalize();
            digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    SETTINGS_EDITION.hash(&mut hasher);
    hasher.finish()
}

/// Code generation: the settings of every guest, and its memory layout.
fn code(allocation: Allocation) -> Config {
    let mut config = guest_facing();
    match allocation {
        Allocation::Pooled => {
            config.memory_reservation(MEMORY_SLOT);
        }
        Allocation::OnDemand => {
            // Reserves almost no address space beyond what is used: bounds are checked in code instead.
            config.memory_reservation(0);
            config.memory_reservation_for_growth(1 << 20);
            config.memory_guard_size(64 << 10);
        }
    }
    config
}

/// The settings of every guest, whatever the allocation.
fn guest_facing() -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(OptLevel::Speed);
    // Determinism: the same results on every machine, so that a run can be reproduced.
    config.cranelift_nan_canonicalization(true);
    // Only features that tool chains emit today. Memory64 and multi-memory are less tested paths of the
    // bounds checks, and relaxed SIMD differs between machines. Threads and garbage collection are not
    // compiled in.
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    config.wasm_relaxed_simd(false);
    config.wasm_component_model_map(false);
    // The component-model async feature is young, and makes calls three to five times as expensive.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    // Unwind info is registered for each loaded module, and old unwinders search the modules linearly.
    config.native_unwind_info(false);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32));
    // Otherwise an environment variable decides.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

pub(crate) fn pooled() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCE_SLOTS)
        .total_stacks(INSTANCE_SLOTS)
        // JavaScript and Python components have about 10 core instances, and 10 MB of metadata where others
        // have a few KB.
        .total_core_instances(INSTANCE_SLOTS * 32)
        .max_core_instances_per_component(64)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        // As many as each plugin may have (limits `memories` and `tables`), so that a plugin with more takes
        // none from the others.
        .total_memories(INSTANCE_SLOTS * 8)
        .max_memories_per_component(32)
        .max_memory_size(MEMORY_SLOT as usize)
        .total_tables(INSTANCE_SLOTS * 16)
        .max_tables_per_component(64)
        .max_tables_per_module(64)
        .table_elements(TABLE_SLOT as usize)
        // The pages that nearly every call touches stay resident; the rest is returned to the system.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        // PAGEMAP_SCAN finds the touched pages and resets only those, which halves the time of a start. No
        // effect except on Linux 6.7 and later.
        .pagemap_scan(Enabled::Auto);
    let mut config = code(Allocation::Pooled);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

pub(crate) fn on_demand() -> Config {
    let mut config = code(Allocation::OnDemand);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    config
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::component::Component;

    #[test]
    fn both_ways_of_allocation_make_an_engine_that_compiles() {
        // The smallest component: magic number, version, layer.
        let empty = b"\0asm\x0d\0\x01\0";
        for config in [pooled(), on_demand()] {
            let engine = Engine::new(&config).unwrap();
            Component::from_binary(&engine, empty).unwrap();
        }
    }

    #[test]
    fn what_is_compiled_apart_is_right_for_the_engine_that_runs_it() {
        use crate::compile::disk_cache::load_fresh;
        let compile = |allocation| {
            let engine = compile_only(allocation).unwrap();
            (settings_hash(&engine), engine.precompile_component(crate::compile::compiler::SMALLEST).unwrap())
        };
        let (pooled_engine, other_engine) =
            (Engine::new(&pooled()).unwrap(), Engine::new(&on_demand()).unwrap());
        let (pooled_hash, for_pooled) = compile(Allocation::Pooled);
        let (other_hash, for_other) = compile(Allocation::OnDemand);
        assert_eq!((pooled_hash, other_hash), (settings_hash(&pooled_engine), settings_hash(&other_engine)));
        assert_ne!(pooled_hash, other_hash);
        assert!(
            load_fresh(&pooled_engine, &for_pooled).is_ok() && load_fresh(&other_engine, &for_other).is_ok()
        );
        assert!(
            load_fresh(&pooled_engine, &for_other).is_err()
                && load_fresh(&other_engine, &for_pooled).is_err()
        );
    }
}
