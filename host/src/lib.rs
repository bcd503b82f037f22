//! Entente keeps records (contacts, companies, anything with fields) in agreement between systems.
//!
//! Each foreign system is spoken to by a plugin: a sandboxed WebAssembly component. The host decides: it
//! collects what changed on both sides, judges field by field which value is right, writes orders, and keeps
//! state.
//!
//! - [`tenant::Tenant`] is the whole, opened: what the command line does, an embedding program can call
//!   there.
//! - [`host::Host`] is a home with many tenants, for a program that serves all of them.
//! - [`judge`] is the pure core: who wins, and why.
//! - [`sync`] is the engine, over the traits [`sync::Exchange`] and [`sync::Ledger`].
//! - [`hub`], [`ledger`] and [`plugin`] implement these traits; [`store`] is the file that the first two
//!   share.
//! - [`config`] is what the operator has set; [`toolchain`] makes components from source.
//!
//! ARCHITECTURE.md tells which part may know what.

pub mod cli;
pub mod config;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod tenant;
pub mod toolchain;
