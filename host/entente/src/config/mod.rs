//! The configuration: the home folder, plugins, integrations, secrets, grants and syncs, and `entente apply
//! FILE`.
//!
//! [`Configuration`] is the handle that programs use. Its layers, each of which depends only on those before
//! it: [`file`] (parsing `entente.toml`), [`home`] (folder, keys, tenants), [`stored`] (what the database
//! keeps), [`check`](mod@check) (a file and descriptions in, [`Checked`] syncs or every [`Problem`] out),
//! [`apply`] (a file and the stored configuration). The caller obtains descriptions of integrations, since
//! that takes a running plugin.

mod apply;
mod check;
mod configuration;
mod error;
mod file;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod home;
mod names;
mod secret_text;
mod stored;

#[cfg(test)]
mod tests;

pub use apply::add::Added;
pub use apply::commit::{ApplyOptions, Described, SettingIssue};
pub use apply::issue::{DraftIssue, DraftPlace};
pub use apply::plan::{ConfigurationPlan, PlanLine, PlanSign};
pub use apply::prepare::{Draft, FileInputs, PluginSource, Prepared};
pub use check::fit::fit;
pub(crate) use check::groups::ADDRESS;
pub use check::manual::definition_from_manual;
pub use check::names::Names;
pub use check::sync::{Checked, SyncDraft, check};
pub use configuration::Configuration;
pub use error::{ConfigError, FileError, Notice, Position, Problem, Problems};
pub use file::form::File;
pub use home::components::digest_of;
pub(crate) use home::components::is_digest;
pub(crate) use home::folder::make_folder;
pub use home::folder::{DEFAULT_TENANT, Home};
pub use home::key::SealingKey;
pub use home::tenants::{HomeLock, NewTenant};
pub use names::HUB;
pub use names::check_name;
pub use secret_text::SecretText;
pub use stored::custom::{CustomField, CustomObject};
pub use stored::description::Told;
pub use stored::health::Health;
pub use stored::integrations::{Grants, Integration, SecretGrant};
pub use stored::plugins::{InstalledPlugin, PluginFacts};
pub use stored::secrets::SecretInfo;
pub use stored::syncs::StoredSync;
