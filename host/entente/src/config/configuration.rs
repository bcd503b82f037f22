//! `Configuration`, the handle on a tenant's configuration. Its calls are beside their subject: those on
//! integrations, plugins, secrets and syncs in `stored`, those that take or make a file in `apply`.

use super::error::ConfigError;
use super::home::folder::{DEFAULT_TENANT, Home};
use super::secret_text::SecretText;
use super::stored::secrets::SecretStore;
use entente_sqlite::{Session, Store, StoreUnit};
use std::path::PathBuf;

/// The configuration of a tenant. Clones share the store.
#[derive(Clone)]
pub struct Configuration {
    store: Store,
    home: Home,
    tenant: String,
    key_variable: Option<SecretText>,
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configuration")
            .field("home", &self.home)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Configuration {
    /// The configuration of the tenant `default`.
    pub fn new(store: Store, home: Home) -> Self {
        Self { store, home, tenant: DEFAULT_TENANT.to_owned(), key_variable: None }
    }

    /// Of another tenant; `store` must be that tenant's.
    #[must_use]
    pub fn of_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// With the value of `ENTENTE_KEY`, which takes precedence over the key in the home folder.
    #[must_use]
    pub fn with_key(mut self, key: Option<SecretText>) -> Self {
        self.key_variable = key;
        self
    }

    /// The same configuration on another database, such as a copy.
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

    /// The secrets of the tenant, within a transaction.
    pub(super) fn secret_store<'a>(&'a self, session: Session<'a>) -> SecretStore<'a> {
        let key_variable = self.key_variable.as_ref().map(SecretText::reveal);
        SecretStore { session, home: &self.home, tenant: &self.tenant, key_variable }
    }

    pub(super) async fn read<T: Send>(
        &self,
        read: impl FnOnce(Session<'_>) -> Result<T, ConfigError> + Send,
    ) -> Result<T, ConfigError> {
        self.store.snapshot(read).await
    }

    pub(super) async fn write<T>(
        &self,
        write: impl FnOnce(Session<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        self.store.transact(write).await
    }

    /// Begins a transaction, which the caller commits or drops.
    pub(super) async fn begin(&self) -> Result<StoreUnit, ConfigError> {
        Ok(self.store.begin().await?)
    }
}
