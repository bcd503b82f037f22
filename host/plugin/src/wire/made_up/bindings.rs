//! Generated code only: what `bindgen!` makes of the made-up version.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "src/wire/made_up/interface.wit",
    world: "plugin",
    imports: { default: async | trappable },
    exports: { default: async },
});
