//! What several test programs share.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod server;

/// The plugin of `plugins/hostile`, as a component.
///
/// Until the tests build it themselves, its path is given by `ENTENTE_HOSTILE_WASM`.
pub(crate) fn hostile_component() -> Vec<u8> {
    let path = std::env::var("ENTENTE_HOSTILE_WASM").expect("ENTENTE_HOSTILE_WASM names the component of plugins/hostile");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
