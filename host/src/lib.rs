//! Entente keeps records in agreement between systems, through sandboxed WebAssembly plugins.

pub mod config;
pub mod hub;
pub mod judge;
pub mod ledger;
pub mod plugin;
pub mod record;
pub mod store;
pub mod sync;
pub mod toolchain;
