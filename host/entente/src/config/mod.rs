//! The configuration: the home folder, plugins, integrations, secrets, grants and syncs, and `entente apply
//! FILE`.
//!
//! [`Configuration`] is what a program calls. Its floors, each of which knows only those before it: [`file`]
//! (the text of `entente.toml`), [`home`] (folder, keys, tenants), [`stored`] (what the database keeps),
//! [`check`](mod@check) (a file and descriptions in, [`Checked`] syncs or every [`Problem`] out), [`apply`]
//! (a file and what is stored). Integrations are described by the caller, since that needs a running plugin.

mod apply;
mod check;
mod configuration;
mod error;
mod file;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod home;
mod names;
mod stored;

#[cfg(test)]
mod tests;

pub use apply::commit::{ApplyOptions, Described};
pub use apply::plan::{ConfigurationPlan, PlanLine, PlanSign};
pub use apply::prepare::{Draft, PluginSource, Prepared};
pub use check::fit::fit;
pub use check::manual::definition_from_manual;
pub use check::sync::{Checked, SyncDraft, check};
pub use configuration::{Added, Configuration};
pub use error::{ConfigError, FileError, Notice, Place, Problem, Problems};
pub use file::form::File;
pub use home::folder::{DEFAULT_TENANT, Home};
pub use home::key::Key;
pub(crate) use home::tenants::is_digest;
pub use home::tenants::{Held, NewTenant};
pub use names::HUB;
pub use names::check_name;
pub use stored::custom::{CustomField, CustomObject, HubSchema, SchemaError};
pub use stored::health::Health;
pub use stored::integrations::{Grants, Integration, SecretGrant};
pub(crate) use stored::plugins::digests_in;
pub use stored::plugins::{InstalledPlugin, PluginFacts, digest_of};
pub use stored::secrets::{SecretInfo, SecretText};
pub use stored::syncs::{Numbers, StoredSync};
