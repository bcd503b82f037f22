//! Plugins: a capability sandbox for untrusted WebAssembly components that talk to foreign systems.
//!
//! [`inspect`] validates a file. [`PluginRuntime`] compiles plugins and caches the code; a [`LoadedPlugin`]
//! becomes a [`PluginExchange`], a side of a sync, with the operator's settings and grants in a
//! [`PluginConfig`].
//!
//! Plugins are untrusted. Each runs in a store of its own with nothing granted: no files, environment or
//! sockets. It reaches the hosts of its [`HttpGrant`]s, uses secrets without seeing them, and its resource
//! use is limited by [`Limits`]. A failure costs one call: the store is dropped, and the next call starts a
//! fresh one.
//!
//! Only this crate depends on wasmtime and the HTTP client. Its folders are layers; each may use those above
//! it in this table and none below, which `tests/structure.rs` checks:
//!
//! | layer | what it is |
//! |---|---|
//! | `text`, `files`, `process`, `limits` | untrusted texts and files, what this process gives up, and the table of limits |
//! | `address` | patterns of hosts, and which addresses are public |
//! | `component` | what a file is: imports, exports, manifest |
//! | `compile` | to native code: compiler process and its sandbox, engine settings, code caches |
//! | `fair` | start-time fair queueing over tenants: CPU, slots of the pool, turns of the compiler, accounts |
//! | `egress` | HTTP filter, secrets, call budget, audit |
//! | `wire` | the plugin interface in the host's own types; a folder for each version has its bindings |
//! | `run` | engine, store of an instance, calls, and the plugin as an exchange |

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
mod process;
mod run;
#[cfg(test)]
mod security;
mod text;
#[cfg(test)]
mod versions;
mod wire;

pub use address::grant::{GrantError, HttpGrant};
pub use compile::child::answer_as_compiler;
pub use compile::compiler::{CompileError, Compiler};
pub use compile::disk_cache::{CacheError, CacheMacKey};
pub use compile::sandbox::CompilerSandbox;
pub use component::inspect::{InspectError, Inspection};
pub use component::interface::Capability;
pub use component::manifest::{
    AskInWords, AskedHost, Expected, HostAsk, MANIFEST_FILE, MANIFEST_SECTION, Manifest, ManifestError,
    ObjectAsk, SecretAsk, SecretUse, SettingAsk, SettingError, SettingKind, SettingValue, SignatureAlgorithm,
    SignatureEncoding, SignaturePattern, SignatureScheme, StateAsk, USUAL_HEADERS, WebhookAsk, fill,
};
pub use egress::audit::{Audit, HttpCall, LogLine, NoAudit};
pub use egress::budget::{BudgetError, BudgetInMemory, CallBudget, CallRate, Drawn, Held, held_from};
pub use egress::{Secret, SecretGrant};
pub use fair::account::{TenantAccount, TenantUse};
pub use files::{MOST_TEXT, Owner, changed_by_others, open_file, read_at_most, read_text};
pub use limits::{Limit, LimitReached, LimitUnit, Limits, UnknownLimit};
pub use process::{protect_process, with_umask_of_user};
pub use run::exchange::{PluginConfig, PluginExchange};
pub use run::link::KNOWN_VERSIONS;
pub use run::runtime::{LoadError, LoadedPlugin, PluginRuntime, RuntimeUse, inspect, read_component};
