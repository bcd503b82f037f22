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

mod address;
mod compile;
mod component;
mod egress;
mod fair;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
#[cfg(test)]
mod limits_page;
mod run;
#[cfg(test)]
mod security;
mod text;
mod wire;

pub use address::grant::{GrantError, HttpGrant};
pub use compile::cache::{CacheError, CodeKey};
pub use compile::child::answer_as_compiler;
pub use compile::compiler::{CompileError, Compiler};
pub use component::inspect::{InspectError, Inspection, inspect};
pub use component::interface::{Ask, KNOWN_VERSIONS};
pub use component::manifest::{
    AskInWords, AskedHost, HostAsk, MANIFEST_FILE, MANIFEST_SECTION, Manifest, ManifestError, SecretAsk,
    SecretUse, SettingAsk, StateAsk, fill,
};
pub use egress::audit::{Audit, HttpCall, LogLine, NoAudit};
pub use egress::budget::{BudgetError, BudgetInMemory, CallBudget, CallRate, Given};
pub use egress::{Secret, SecretGrant};
pub use fair::account::{TenantAccount, TenantUse};
pub use files::{MOST_TEXT, Owner, changed_by_others, read_at_most, read_text};
pub use limits::{Limit, LimitReached, Limits, Unit, UnknownLimit};
pub use run::exchange::{PluginConfig, PluginExchange};
pub use run::runtime::{LoadError, LoadedPlugin, PluginRuntime, RuntimeUse, read_component};
