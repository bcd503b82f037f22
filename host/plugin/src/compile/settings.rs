//! Settings of the wasmtime engine: code generation, and the sizes of the pooling allocator.

use crate::limits::{INSTANCE_SLOTS, MEMORY_SLOT, TABLE_SLOT};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails, WasmFeatures,
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

/// What guests may use, each by its name: a new version of wasmtime adds nothing by itself. It is what the tool
/// chains emit, Rust, componentize-py and componentize-js among them.
///
/// Not in it, and why: memory64, multi-memory and custom page sizes are less tested paths of the bounds checks; relaxed
/// SIMD differs between machines; tail calls, wide arithmetic, function references, exceptions and stack switching are
/// code of the compiler that no plugin needs yet; threads and garbage collection are not compiled in; of the component
/// model, what is asynchronous is young.
const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::SIMD)
    // Libraries that componentize-py links have addresses that are sums.
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The settings of every guest, whatever the allocation.
fn guest_facing() -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(OptLevel::Speed);
    // Determinism: the same results on every machine, so that a run can be reproduced.
    config.cranelift_nan_canonicalization(true);
    config.wasm_features(FEATURES.complement(), false);
    config.wasm_features(FEATURES, true);
    // What one call has left on a stack is not there for the next one, whoever makes it.
    config.async_stack_zeroing(true);
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
    fn x17_engine_and_validator_take_the_features_of_the_list_and_no_others() {
        let modules = [
            ("", true, "(memory 1)"),
            ("simd", true, "(func (result v128) (v128.const i64x2 0 0))"),
            (
                "bulk memory",
                true,
                "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
            ),
            ("reference types", true, "(table 1 funcref) (func (drop (table.size 0)))"),
            ("multi-value", true, "(func (result i32 i32) i32.const 0 i32.const 0)"),
            ("sign extension", true, "(func (drop (i32.extend8_s (i32.const 0))))"),
            ("saturating", true, "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))"),
            ("mutable global", true, "(global (export \"g\") (mut i32) (i32.const 0))"),
            ("extended constants", true, "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
            ("tail calls", false, "(func return_call 0)"),
            ("exceptions", false, "(tag)"),
            (
                "wide arithmetic",
                false,
                "(func (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1)))",
            ),
            (
                "relaxed simd",
                false,
                "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
            ),
            ("memory64", false, "(memory i64 1)"),
            ("multi-memory", false, "(memory 1) (memory 1)"),
            ("custom page sizes", false, "(memory 1 (pagesize 1))"),
            ("threads", false, "(memory 1 1 shared)"),
            ("garbage collection", false, "(type (struct))"),
            ("function references", false, "(type $f (func)) (func (param (ref $f)))"),
            ("stack switching", false, "(type $f (func)) (type (cont $f))"),
        ];
        let components = [("streams", "(type (stream u8))"), ("error contexts", "(type error-context)")];
        let texts = modules
            .map(|(what, may, text)| (what, may, format!("(component (core module {text}))")))
            .into_iter()
            .chain(components.map(|(what, text)| (what, false, format!("(component {text})"))));
        // The validator is of another version than that in wasmtime, and knows them by the same names.
        let same = FEATURES.iter_names().map(|(name, _)| wasmparser::WasmFeatures::from_name(name).unwrap());
        let same = same.fold(wasmparser::WasmFeatures::empty(), |all, one| all | one);
        let engine = Engine::new(&on_demand()).unwrap();
        for (what, may, text) in texts {
            let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{what}: {error}"));
            let validated = wasmparser::Validator::new_with_features(same).validate_all(&bytes).is_ok();
            let compiled = engine.precompile_component(&bytes).is_ok();
            assert_eq!((validated, compiled), (may, may), "{what}");
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
