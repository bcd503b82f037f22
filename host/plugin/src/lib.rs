//! Plugins: WebAssembly components that talk to foreign systems, run so that none of them can do harm.
//!
//! [`inspect`] says what a file is. [`PluginRuntime`] compiles plugins and keeps the result; a
//! [`LoadedPlugin`] becomes a [`PluginExchange`], a side of a sync, with what the operator has set and
//! granted in a [`PluginConfig`].
//!
//! A plugin is a stranger. It runs in a store of its own with nothing granted: no files, no environment, no
//! sockets. It reaches the hosts of its [`HttpGrant`]s, uses secrets without seeing them, and everything that
//! it takes is counted by [`Limits`]. Whatever goes wrong in it costs one call: the store is dropped, and the
//! next call starts a fresh one.
//!
//! Only this module knows wasmtime and the HTTP client.

mod account;
mod audit;
mod bindings;
mod budget;
mod cache;
mod compile;
mod compile_child;
mod convert;
mod egress;
mod engine;
mod error;
mod exchange;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod host_api;
mod inspect;
mod instance;
mod interface;
mod limiter;
mod limits;
#[cfg(test)]
mod limits_page;
mod link;
mod log;
mod manifest;
mod runtime;
mod schedule;
#[cfg(test)]
mod security;
mod shares;
mod shelf;
mod text;
mod turns;

pub use account::{TenantAccount, TenantUse};
pub use audit::{Audit, HttpCall, LogLine, NoAudit};
pub use budget::{BudgetError, BudgetInMemory, CallBudget, CallRate, Given};
pub use cache::{CacheError, CodeKey};
pub use compile::{CompileError, Compiler};
pub use compile_child::answer_as_compiler;
pub use egress::{GrantError, HttpGrant, Secret, SecretGrant};
pub use exchange::{PluginConfig, PluginExchange};
pub use files::{MOST_TEXT, Owner, changed_by_others, read_at_most, read_text};
pub use inspect::{InspectError, Inspection, inspect};
pub use interface::{Ask, KNOWN_VERSIONS};
pub use limits::{Limit, LimitReached, Limits, Unit, UnknownLimit};
pub use manifest::{
    AskInWords, AskedHost, HostAsk, MANIFEST_FILE, MANIFEST_SECTION, Manifest, ManifestError, SecretAsk,
    SecretUse, SettingAsk, StateAsk, fill,
};
pub use runtime::{LoadError, LoadedPlugin, PluginRuntime, RuntimeUse, read_component};
