//! Generated code only: what `bindgen!` makes of the world `integration-full`. Used by `convert`, `host_api`
//! and `link` alone.
//!
//! The world with all optional interfaces is bound, but each exported interface is looked up by itself (see
//! `link`), so that a plugin without an optional one still loads.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit/0.1.0-draft.2",
    world: "integration-full",
    imports: { default: async | trappable },
    exports: { default: async },
});
