//! The configuration: the home folder, plugins, integrations, secrets, grants and syncs, and `entente apply
//! FILE`.
//!
//! [`Configuration`] is what a program calls. [`File`] is `entente.toml`; [`check`] turns it into [`Checked`]
//! syncs, or into every [`Problem`] at once. Integrations are described by the caller, since that needs a
//! running plugin.

mod apply;
mod check;
mod custom;
mod error;
mod export;
mod facade;
mod field;
mod file;
mod fixed;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod home;
mod integrations;
mod key;
mod kinds;
mod manual;
mod names;
mod object;
mod overlay;
mod plan;
mod plugins;
mod prepare;
mod secrets;
mod syncs;
mod tenants;
mod value;
mod versions;
mod words;

#[cfg(test)]
mod tests;

pub use apply::{ApplyOptions, Described};
pub use check::{Checked, SyncDraft, check};
pub use custom::{CustomField, CustomObject, HubSchema, SchemaError};
pub use error::{ConfigError, FileError, Notice, Place, Problem, Problems};
pub use facade::{Added, Configuration};
pub use file::File;
pub use health::Health;
pub use home::{DEFAULT_TENANT, Home};
pub use integrations::{Grants, Integration, SecretGrant};
pub use key::Key;
pub use kinds::fit;
pub use manual::definition_from_manual;
pub use names::HUB;
pub use names::check_name;
pub use plan::{ConfigurationPlan, PlanLine, PlanSign};
pub(crate) use plugins::digests_in;
pub use plugins::{InstalledPlugin, PluginFacts, digest_of};
pub use prepare::{Draft, PluginSource, Prepared};
pub use secrets::{SecretInfo, SecretText};
pub use syncs::{Numbers, StoredSync};
pub(crate) use tenants::is_digest;
pub use tenants::{Held, NewTenant};
