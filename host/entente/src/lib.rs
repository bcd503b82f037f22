//! Entente keeps records (contacts, companies, anything with fields) in agreement between systems.
//!
//! Each foreign system is spoken to by a plugin: a sandboxed WebAssembly component. The host decides: it
//! collects what changed on both sides, judges field by field which value is right, writes orders, and keeps
//! state. This crate is what a program embeds; the command line calls nothing else.
//!
//! - [`Tenant`] is an open tenant: everything that the command line does is a call of it.
//! - [`Host`] is a home with many tenants, for a program that serves all of them.
//! - [`view`] is what is shown of a tenant, as data: the command line prints it, a service answers with it.
//! - [`Configuration`] is the stored configuration; [`File`] is a parsed `entente.toml`.
//!
//! The crates below are re-exported, so that an embedding program depends on this one alone: [`entente_core`]
//! (values and the judge), [`entente_sync`] (the engine), [`entente_sqlite`] (hub and ledger) and
//! [`entente_plugin`] (components). ARCHITECTURE.md tells which part may know what.

mod config;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod host;
mod tenant;
pub mod view;

pub use config::{
    Added, ApplyOptions, Checked, ConfigError, Configuration, ConfigurationPlan, CustomField, CustomObject,
    DEFAULT_TENANT, Described, Draft, DraftIssue, DraftPlace, File, FileError, FileInputs, Grants, HUB,
    Health, Home, HomeLock, InstalledPlugin, Integration, Names, NewTenant, Notice, PlanLine, PlanSign,
    PluginFacts, PluginSource, Position, Prepared, Problem, Problems, SealingKey, SecretGrant, SecretInfo,
    SecretText, SettingIssue, StoredSync, SyncDraft, Told, check, check_name, definition_from_manual,
    digest_of, fit,
};
pub use entente_core;
pub use entente_plugin;
pub use entente_sqlite;
pub use entente_sync;
pub use grants::{
    GrantDecision, GrantDifference, GrantRefused, GrantRequest, IntegrationNotice, SecretPlace,
    UpgradeDecision,
};
pub use host::{Host, HostOptions};
pub use tenant::{
    ArchiveError, Archived, CallFilter, Changed, Content, ErasureView, Granted, IntegrationChange,
    LinkOptions, LinkRefused, Linked, LinkedField, LoggedLine, NewIntegration, NotErased, PluginFiles,
    Rebind, Rebound, RecordName, Removed, RerunError, RestoreOptions, Restored, Retried, RetriedAll, Tenant,
    TenantError, Upgraded, WaitingConflict,
};
