//! What `bindgen!` generates for the world `integration-full`, and nothing else. Only `convert`, `host_api`
//! and `link` name it.
//!
//! The world with all optional interfaces is bound, but each exported interface is resolved alone (see
//! `link`), so a plugin that lacks an optional one still loads.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit/0.1.0-draft",
    world: "integration-full",
    imports: { default: async | trappable },
    exports: { default: async },
});
