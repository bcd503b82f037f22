//! What a program calls to read and change the configuration of a tenant.

use super::apply::commit::{self, ApplyOptions, Described, Neighbours, put_integration, sealing_key};
use super::apply::export;
use super::apply::plan::ConfigurationPlan;
use super::apply::prepare::{self, Draft, PluginSource, Prepared, Surroundings};
use super::check::sync::SyncDraft;
use super::error::ConfigError;
use super::file::form::File;
use super::home::folder::{DEFAULT_TENANT, Home};
use super::home::key::Key;
use super::stored::custom::{self, HubSchema};
use super::stored::integrations::{self, Grants, Integration};
use super::stored::plugins;
use super::stored::secrets::{self, SecretInfo, SecretText};
use super::stored::syncs::{self, Numbers, StoredSync};
use entente_core::Value;
use entente_sqlite::Store;
use entente_sync::{Clock, SyncDefinition, SystemClock};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration of a tenant. Clones share the store.
#[derive(Clone)]
pub struct Configuration {
    store: Store,
    home: Home,
    tenant: String,
    key_variable: Option<SecretText>,
    numbers: Arc<dyn Numbers>,
    hub: Arc<dyn HubSchema>,
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configuration")
            .field("home", &self.home)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// An integration that was added.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The integration.
    pub integration: Integration,
    /// The sync of its name, where one was made.
    pub sync: Option<SyncDefinition>,
}

impl Configuration {
    /// The configuration of the tenant `default`.
    pub fn new(store: Store, home: Home, numbers: Arc<dyn Numbers>, hub: Arc<dyn HubSchema>) -> Self {
        Self { store, home, tenant: DEFAULT_TENANT.to_owned(), key_variable: None, numbers, hub }
    }

    /// Of another tenant; `store` must be its own.
    #[must_use]
    pub fn of_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// With the value of `ENTENTE_KEY`, which goes before the key of the home folder.
    #[must_use]
    pub fn with_key(mut self, key: Option<SecretText>) -> Self {
        self.key_variable = key;
        self
    }

    /// As it is in another database, such as a copy.
    #[must_use]
    pub(crate) fn over(mut self, store: Store) -> Self {
        self.store = store;
        self
    }

    /// The home folder.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The name of the tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The folder of the tenant.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.tenant_folder(&self.tenant)
    }

    fn around<'a>(
        &'a self,
        connection: &'a Connection,
        base: &'a Path,
        environment: &'a (dyn Fn(&str) -> Option<String> + Sync),
    ) -> Surroundings<'a> {
        let key_variable = self.key_variable.as_ref().map(SecretText::reveal);
        Surroundings { connection, home: &self.home, tenant: &self.tenant, key_variable, base, environment }
    }

    pub(super) async fn read<T: Send>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ConfigError> + Send,
    ) -> Result<T, ConfigError> {
        self.store.read(|connection| Ok(read(connection))).await?
    }

    pub(super) async fn write<T>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let unit = self.store.begin().await?;
        let value = write(unit.connection())?;
        unit.commit()?;
        Ok(value)
    }

    /// The integrations that a file and its syncs name, as they will be: what is needed to run those that
    /// must be described. Paths in the file start from `base`.
    ///
    /// # Errors
    /// Where the database fails, or a stored secret cannot be opened. What is wrong with the file is in
    /// [`Prepared::problems`].
    pub async fn prepare(
        &self,
        file: &File,
        base: &Path,
        environment: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Prepared, ConfigError> {
        self.read(|connection| prepare::prepare(file, &self.around(connection, base, environment))).await
    }

    /// Applies a file, as a whole or not at all, and tells what has changed. With [`ApplyOptions::dry_run`]
    /// the very same is done and nothing is kept.
    ///
    /// # Errors
    /// [`ConfigError::Problems`] with everything that is wrong; or where the database or a secret fails.
    pub async fn apply(
        &self,
        file: &File,
        base: &Path,
        environment: &(dyn Fn(&str) -> Option<String> + Sync),
        described: &Described,
        options: ApplyOptions,
    ) -> Result<ConfigurationPlan, ConfigError> {
        let _held = self.home.hold_components();
        let unit = self.store.begin().await?;
        let neighbours = Neighbours { numbers: self.numbers.as_ref(), hub: self.hub.as_ref() };
        let around = self.around(unit.connection(), base, environment);
        let plan = commit::apply(file, &around, &neighbours, described, options, SystemClock.now())?;
        if !options.dry_run {
            unit.commit()?;
        }
        Ok(plan)
    }

    /// The stored configuration as `entente.toml`, without secrets.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn export(&self) -> Result<String, ConfigError> {
        self.read(|connection| {
            let custom = custom::load(connection)?;
            Ok(export::export(
                &custom,
                &integrations::list(connection)?,
                &plugins::list(connection)?,
                &syncs::list(connection)?,
            ))
        })
        .await
    }

    /// A new integration that is not stored yet, to be described first.
    ///
    /// # Errors
    /// Where the name is taken or cannot be one, or the plugin is not installed.
    pub async fn draft_integration(
        &self,
        name: &str,
        plugin: &str,
        settings: BTreeMap<String, Value>,
        grants: Grants,
        secrets: BTreeMap<String, SecretText>,
    ) -> Result<Draft, ConfigError> {
        self.read(|connection| {
            super::names::check_integration_name(name).map_err(ConfigError::Name)?;
            refuse_taken(connection, name)?;
            let plugin = plugins::find(connection, plugin)?;
            let integration = Integration {
                name: name.to_owned(),
                plugin: plugin.name,
                digest: plugin.digest,
                enabled: true,
                settings,
                grants,
            };
            let given: BTreeSet<String> = secrets.keys().cloned().collect();
            Ok(Draft { integration, plugin: PluginSource::Installed, secrets, needed: true, given })
        })
        .await
    }

    /// Stores a new integration and, where one is given, the sync that [`super::definition_from_manual`] made
    /// for it; both or neither.
    ///
    /// # Errors
    /// Where the name is taken or cannot be one, a pattern is no grant, or the database or the key fails.
    pub async fn add_integration(
        &self,
        draft: &Draft,
        sync: Option<SyncDraft>,
    ) -> Result<Added, ConfigError> {
        let name = &draft.integration.name;
        let _held = self.home.hold_components();
        self.write(|connection| {
            refuse_taken(connection, name)?;
            if let Some(sync) = sync.as_ref().filter(|sync| !sync.0.exchanges.contains(name)) {
                return Err(ConfigError::Name(format!(
                    "the sync '{}' does not join the integration '{name}'",
                    sync.0.name
                )));
            }
            let around = self.around(connection, Path::new(""), &no_environment);
            put_integration(
                draft,
                &around,
                &Described::default(),
                ApplyOptions::default(),
                SystemClock.now(),
            )?;
            let sync = sync.map(|sync| self.put_sync(connection, sync)).transpose()?;
            Ok(Added { integration: integrations::get(connection, name)?, sync })
        })
        .await
    }

    fn put_sync(&self, connection: &Connection, sync: SyncDraft) -> Result<SyncDefinition, ConfigError> {
        let mut definition = sync.0;
        if syncs::find(connection, &definition.name)?.is_some() {
            let hint = format!(
                "change it with `entente apply`, or remove it with `entente apply --prune` and a file without it; `entente export` shows it as [sync.{}]",
                definition.name
            );
            return Err(ConfigError::Exists { what: "sync", name: definition.name, hint });
        }
        syncs::number(connection, self.numbers.as_ref(), &mut definition)?;
        syncs::put(connection, definition)
    }

    /// The integrations, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn integrations(&self) -> Result<Vec<Integration>, ConfigError> {
        self.read(integrations::list).await
    }

    /// The integration of this name.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn integration(&self, name: &str) -> Result<Integration, ConfigError> {
        self.read(|connection| integrations::get(connection, name)).await
    }

    /// Changes an integration: settings, grants, enabled. Name, plugin and digest are as they were; for
    /// another digest there is [`Configuration::upgrade_integration`].
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is, or where a name or pattern cannot be one.
    pub async fn change_integration(
        &self,
        name: &str,
        change: impl FnOnce(&mut Integration),
    ) -> Result<Integration, ConfigError> {
        self.write(|connection| {
            let stored = integrations::get(connection, name)?;
            let mut changed = stored.clone();
            change(&mut changed);
            changed.name = stored.name;
            changed.plugin = stored.plugin;
            changed.digest = stored.digest;
            integrations::put(connection, &changed)?;
            Ok(changed)
        })
        .await
    }

    /// Removes an integration with its settings, grants and secrets; with `syncs` also the syncs that join
    /// it. Pairs and history stay.
    ///
    /// # Errors
    /// [`ConfigError::InUse`] where syncs join it and are to stay.
    pub async fn remove_integration(&self, name: &str, syncs: bool) -> Result<(), ConfigError> {
        self.write(|connection| {
            integrations::get(connection, name)?;
            let users: Vec<String> = syncs::list(connection)?
                .into_iter()
                .filter(|sync| sync.exchanges.iter().any(|exchange| exchange == name))
                .map(|sync| sync.name)
                .collect();
            if !users.is_empty() && !syncs {
                let users = format!("sync {}", users.join(", "));
                return Err(ConfigError::InUse {
                    what: "integration",
                    name: name.to_owned(),
                    users,
                    hint: "remove it together with its syncs by `--with-syncs`".to_owned(),
                });
            }
            for sync in users {
                syncs::remove(connection, &sync)?;
            }
            integrations::remove(connection, name)
        })
        .await
    }

    /// Sets a secret.
    ///
    /// # Errors
    /// Where there is no such integration, or the key is wrong or missing.
    pub async fn set_secret(
        &self,
        integration: &str,
        name: &str,
        text: &SecretText,
    ) -> Result<(), ConfigError> {
        self.write(|connection| {
            integrations::get(connection, integration)?;
            let key = sealing_key(&self.around(connection, Path::new(""), &no_environment))?;
            secrets::put(connection, &key, &self.tenant, integration, name, text)
        })
        .await
    }

    /// Takes a secret away.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn unset_secret(&self, integration: &str, name: &str) -> Result<(), ConfigError> {
        self.write(|connection| {
            integrations::get(connection, integration)?;
            secrets::remove(connection, integration, name)
        })
        .await
    }

    /// Which secrets an integration has; not what they are.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn secrets(&self, integration: &str) -> Result<Vec<SecretInfo>, ConfigError> {
        self.read(|connection| {
            integrations::get(connection, integration)?;
            secrets::list(connection, integration)
        })
        .await
    }

    /// The secrets of an integration in the clear, for the plugin host.
    ///
    /// # Errors
    /// Where the key is wrong or missing, or a secret is damaged.
    pub async fn open_secrets(&self, integration: &str) -> Result<BTreeMap<String, SecretText>, ConfigError> {
        self.read(|connection| {
            integrations::get(connection, integration)?;
            self.around(connection, Path::new(""), &no_environment).open_secrets(integration)
        })
        .await
    }

    /// Seals all secrets for this tenant that were sealed for one of another name; how many there are.
    ///
    /// # Errors
    /// Where the key is wrong or missing, or a secret is damaged. Then nothing is changed.
    pub(crate) async fn take_over_secrets(
        &self,
        tenant: &str,
        key: Option<&Key>,
    ) -> Result<u64, ConfigError> {
        self.write(|connection| {
            let mut taken = 0;
            for integration in integrations::list(connection)? {
                for secret in secrets::list(connection, &integration.name)? {
                    // Opened also where the name is the same: a wrong key shows now.
                    if let Some(text) =
                        secrets::get(connection, key, tenant, &integration.name, &secret.name)?
                        && let Some(key) = key
                    {
                        secrets::put(connection, key, &self.tenant, &integration.name, &secret.name, &text)?;
                        taken += 1;
                    }
                }
            }
            Ok(taken)
        })
        .await
    }

    /// Takes all secrets away, and gives their names as `integration/name`.
    ///
    /// # Errors
    /// Where the database fails.
    pub(crate) async fn forget_secrets(&self) -> Result<Vec<String>, ConfigError> {
        self.write(|connection| {
            let mut gone = Vec::new();
            for integration in integrations::list(connection)? {
                for secret in secrets::list(connection, &integration.name)? {
                    secrets::remove(connection, &integration.name, &secret.name)?;
                    gone.push(format!("{}/{}", integration.name, secret.name));
                }
            }
            Ok(gone)
        })
        .await
    }

    /// The sync of this name.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn definition(&self, sync: &str) -> Result<SyncDefinition, ConfigError> {
        self.read(|connection| syncs::get(connection, sync)).await
    }

    /// The syncs, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn syncs(&self) -> Result<Vec<StoredSync>, ConfigError> {
        let syncs = self.read(syncs::list).await?;
        let short = |sync: SyncDefinition| StoredSync {
            name: sync.name,
            relation: sync.relation,
            exchanges: sync.exchanges,
            version: sync.version,
        };
        Ok(syncs.into_iter().map(short).collect())
    }

    /// Removes a sync. Pairs and history stay.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn remove_sync(&self, name: &str) -> Result<(), ConfigError> {
        self.write(|connection| syncs::remove(connection, name)).await
    }
}

fn refuse_taken(connection: &Connection, name: &str) -> Result<(), ConfigError> {
    match integrations::find(connection, name)? {
        Some(_) => Err(ConfigError::Exists {
            what: "integration",
            name: name.to_owned(),
            hint: "change it with `entente integration set`, or take another name".to_owned(),
        }),
        None => Ok(()),
    }
}

fn no_environment(_: &str) -> Option<String> {
    None
}
