//! A tenant, opened: hub, ledger, configuration and plugins together. What the command line and any program
//! that embeds the host calls.

use crate::config::{
    Added, ApplyOptions, ConfigError, Configuration, ConfigurationPlan, DEFAULT_TENANT, Described, Draft,
    File, FileInputs, HUB, Home, Notice, PluginFacts, PluginSource, Problems, SealingKey, SecretText,
    definition_from_manual,
};
use egress::StoredBudget;
use entente_plugin::{
    Audit, CacheMacKey, CallBudget, Compiler, Inspection, LimitReached, Limits, LoadError, Manifest,
    PluginConfig, PluginExchange, PluginRuntime, TenantAccount, UnknownLimit, inspect,
};
use entente_sqlite::{Hub, HubError, SqliteLedger, Store, StoreError};
use entente_sync::{
    Clock, Description, Engine, Exchange, ExchangeError, LedgerError, Observer, OperatorLedger, Remedy,
    RunEnd, RunOptions, RunStatus, Sides, SyncDefinition, SyncError, SystemClock, SystemRandomness,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::OnceCell;

mod archive;
mod connections;
mod egress;
mod export;
mod limits;
mod operator;
mod presence;
mod remove;
mod rerun;
mod restore;
mod settings;

pub use archive::{ArchiveError, Archived, Content};
pub use egress::{LoggedLine, PluginFiles};
pub(crate) use export::blocking;
pub use operator::{RecordName, Retried, WaitingConflict};
pub use remove::Removed;
pub(crate) use remove::remove;
pub use rerun::RerunError;
pub(crate) use restore::restore;
pub use restore::{RestoreOptions, Restored};

/// Why a tenant could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read or written.
    #[error("{} cannot be {doing}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        why: std::io::Error,
    },
    /// The hub.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A plugin cannot be loaded.
    #[error(transparent)]
    Plugin(#[from] LoadError),
    /// A grant cannot be one.
    #[error(transparent)]
    Grant(#[from] entente_plugin::GrantError),
    /// A sync could not begin.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// An exchange failed outside a run.
    #[error("{exchange} could not {doing}: {error}")]
    Exchange {
        /// Which one.
        exchange: String,
        /// What it was asked.
        doing: &'static str,
        /// What it said.
        error: Box<ExchangeError>,
    },
    /// A run cannot be applied or undone.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// A record is in no sync.
    #[error("no sync knows the record {0}; a record gets into one with the first run that reads it")]
    NoPair(String),
    /// The integration is switched off.
    #[error("the integration '{0}' is disabled")]
    Disabled(String),
    /// A setting that the plugin cannot do without.
    #[error("the plugin of '{integration}' needs the setting '{setting}' ({reason})")]
    NotSet {
        /// Which integration.
        integration: String,
        /// The setting.
        setting: String,
        /// What it is for, as the plugin's author says.
        reason: String,
    },
    /// A limit of the tenant.
    #[error(transparent)]
    Limit(#[from] LimitReached),
    /// A limit cannot be set so.
    #[error(transparent)]
    UnknownLimit(#[from] UnknownLimit),
    /// A tenant cannot be removed now.
    #[error("the tenant '{tenant}' {why}")]
    Busy {
        /// Which one.
        tenant: String,
        /// What is under way, and what to do.
        why: String,
    },
    /// An export cannot be written, or is not what it should be.
    #[error("{}: {error}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        error: ArchiveError,
    },
}

impl TenantError {
    /// What can be done about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            TenantError::Config(error) => error.remedies(),
            TenantError::Ledger(error) => error.remedies(),
            TenantError::Plugin(error) => error.remedies(),
            TenantError::Sync(error) => error.remedies(),
            TenantError::Exchange { error, .. } => error.remedies.clone(),
            TenantError::Rerun(error) => error.remedies(),
            TenantError::Disabled(integration) => vec![Remedy::Enable { integration: integration.clone() }],
            TenantError::NotSet { integration, setting, .. } => {
                vec![Remedy::SetSetting { integration: integration.clone(), setting: setting.clone() }]
            }
            TenantError::Limit(limit) => limit.remedies(),
            TenantError::UnknownLimit(error) => error.remedies(),
            TenantError::Archive { error, .. } => error.remedies(),
            TenantError::Io { .. }
            | TenantError::Hub(_)
            | TenantError::Store(_)
            | TenantError::Grant(_)
            | TenantError::NoPair(_)
            | TenantError::Busy { .. } => Vec::new(),
        }
    }
}

/// A tenant with everything that belongs to it.
pub struct Tenant {
    store: Store,
    hub: Hub,
    ledger: Arc<dyn OperatorLedger>,
    configuration: Configuration,
    clock: Arc<dyn Clock>,
    /// Started when the first plugin is needed: most commands need none. Tenants of one [`crate::host::Host`]
    /// share it.
    plugins: Arc<SharedRuntime>,
    /// What all its plugins take together.
    account: OnceCell<Arc<TenantAccount>>,
    /// The calls that its integrations may make in a minute.
    budget: Arc<dyn CallBudget>,
    /// Where the HTTP calls of its plugins are written down.
    audit: Arc<dyn Audit>,
}

/// What runs plugins, once it is needed.
pub(crate) struct SharedRuntime {
    compiler: Compiler,
    started: OnceCell<PluginRuntime>,
}

impl SharedRuntime {
    pub(crate) fn new(compiler: Compiler) -> Self {
        Self { compiler, started: OnceCell::new() }
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

impl Tenant {
    /// Opens the tenant `default` of a home folder, making both where needed. `key` is the value of
    /// `ENTENTE_KEY`; plugins that are new here are compiled by `compiler`.
    ///
    /// # Errors
    /// Where the folder or the database cannot be used.
    pub fn open(home: &Path, key: Option<SecretText>, compiler: Compiler) -> Result<Self, TenantError> {
        Self::open_named(home, DEFAULT_TENANT, key, compiler)
    }

    /// Opens a tenant that was added to a home folder; `default` need not be. A program that has many open at
    /// a time opens them through [`crate::host::Host`].
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] where there is no such tenant, or where the folder or the database cannot be
    /// used.
    pub fn open_named(
        home: &Path,
        tenant: &str,
        key: Option<SecretText>,
        compiler: Compiler,
    ) -> Result<Self, TenantError> {
        Self::within(Home::open(home)?, tenant, key, Arc::new(SharedRuntime::new(compiler)))
    }

    /// Opens a tenant that runs its plugins together with others.
    pub(crate) fn within(
        home: Home,
        tenant: &str,
        key: Option<SecretText>,
        plugins: Arc<SharedRuntime>,
    ) -> Result<Self, TenantError> {
        let store = home.open_tenant(tenant)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hub = Hub::new(store.clone(), Arc::clone(&clock));
        let folder = home.tenant_folder(tenant);
        let configuration = Self::configuration_over(store.clone(), home, tenant).with_key(key);
        Ok(Self {
            account: OnceCell::new(),
            budget: Arc::new(StoredBudget { store: store.clone(), clock: Arc::clone(&clock) }),
            audit: Arc::new(PluginFiles::new(&folder, Arc::clone(&clock))),
            ledger: Arc::new(SqliteLedger::new(store.clone())),
            hub,
            configuration,
            clock,
            plugins,
            store,
        })
    }

    /// The configuration that a database holds.
    fn configuration_over(store: Store, home: Home, tenant: &str) -> Configuration {
        Configuration::new(store, home).of_tenant(tenant)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.configuration.tenant()
    }

    /// The record store.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Pairs, plans and runs.
    pub fn ledger(&self) -> &dyn OperatorLedger {
        self.ledger.as_ref()
    }

    /// Integrations, secrets, grants and syncs.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock that everything here is dated by.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// What runs plugins.
    ///
    /// # Errors
    /// Where the machine cannot run any.
    pub async fn plugins(&self) -> Result<PluginRuntime, TenantError> {
        let home = self.configuration.home();
        let start = || async {
            let key = CacheMacKey::new(*SealingKey::of_code(home)?.bytes());
            Ok::<_, TenantError>(PluginRuntime::new(
                &home.cache(),
                key,
                Limits::default(),
                self.plugins.compiler.clone(),
            )?)
        };
        let runtime = self.plugins.started.get_or_try_init(start).await?;
        Ok(runtime.on_account(self.account().await?))
    }

    /// What all its plugins take together in this process, under the limits that held when the first of them
    /// was needed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn account(&self) -> Result<Arc<TenantAccount>, TenantError> {
        let open = || async { Ok(Arc::new(TenantAccount::new(self.name(), &self.limits().await?))) };
        self.account.get_or_try_init(open).await.cloned()
    }

    /// Installs a component under a name, having looked at what it is.
    ///
    /// # Errors
    /// Where the bytes are no plugin.
    pub async fn install_plugin(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> Result<(crate::config::InstalledPlugin, Inspection), TenantError> {
        // Compiling now shows at once whether it runs, and makes the first sync quick.
        let inspection = self
            .plugins()
            .await?
            .load_within(bytes.to_vec(), &self.limits().await?)
            .await?
            .inspection()
            .clone();
        let facts = facts(&inspection);
        let installed = self.configuration.install_plugin(name, bytes, &facts).await?;
        Ok((installed, inspection))
    }

    /// An exchange by its name: the hub, or an integration that is ready to run.
    ///
    /// # Errors
    /// [`TenantError::Config`] where there is none of this name, [`TenantError::Disabled`], or where its
    /// plugin cannot be loaded.
    pub async fn exchange(&self, name: &str) -> Result<Box<dyn Exchange>, TenantError> {
        if name == HUB {
            return Ok(Box::new(self.hub.clone()));
        }
        Ok(Box::new(self.plugin_exchange(name).await?))
    }

    async fn plugin_exchange(&self, name: &str) -> Result<PluginExchange, TenantError> {
        let integration = self.configuration.integration(name).await?;
        if !integration.enabled {
            return Err(TenantError::Disabled(name.to_owned()));
        }
        let secrets = self.configuration.open_secrets(name).await?;
        self.run_plugin(&integration, None, secrets).await
    }

    async fn side(&self, name: &str) -> Result<SyncSide, TenantError> {
        if name == HUB {
            return Ok(SyncSide::Hub(self.hub.clone()));
        }
        self.configuration.health(name).await?.check(name, self.clock.now())?;
        Ok(SyncSide::Plugin(Box::new(self.plugin_exchange(name).await?)))
    }

    async fn run_plugin(
        &self,
        integration: &crate::config::Integration,
        bytes: Option<&[u8]>,
        secrets: BTreeMap<String, SecretText>,
    ) -> Result<PluginExchange, TenantError> {
        let state = self.ledger.state(&integration.name).await?;
        let (runtime, limits) = (self.plugins().await?, self.limits().await?);
        let plugin = match bytes {
            Some(bytes) => runtime.load_within(bytes.to_vec(), &limits).await?,
            None => {
                let file = self.configuration.home().component(&integration.digest);
                runtime.load_installed(&file, &integration.digest, &limits).await?
            }
        };
        if let Some(ask) = settings::missing(integration, &plugin.inspection().manifest) {
            let (integration, setting, reason) =
                (integration.name.clone(), ask.name.clone(), ask.reason.clone());
            return Err(TenantError::NotSet { integration, setting, reason });
        }
        let (account, budget, audit) =
            (self.account().await?, Arc::clone(&self.budget), Arc::clone(&self.audit));
        let config = connections::plugin_config(integration, secrets, state, limits)?;
        Ok(plugin.exchange(PluginConfig { account, budget, audit, ..config }))
    }

    /// Runs a sync once.
    ///
    /// # Errors
    /// Where it could not even begin, as with an integration that is quarantined; how it ended is in
    /// [`RunEnd`].
    pub async fn sync(
        &self,
        name: &str,
        options: RunOptions,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(SyncDefinition, RunEnd), TenantError> {
        let definition = self.configuration.definition(name).await?;
        // Before there is a run of ours, whose name may be that of one which has died.
        self.take_over(&definition.relation).await?;
        let presence = self.begin_run(options.wait, stop).await?;
        // One may have died while this one waited for its place.
        self.take_over(&definition.relation).await?;
        let left = self.side(&definition.exchanges.left).await?;
        let right = self.side(&definition.exchanges.right).await?;
        tracing::info!(
            sync = name,
            tenant = self.name(),
            left = definition.exchanges.left,
            right = definition.exchanges.right,
            "a run begins"
        );
        let engine = Engine {
            ledger: self.ledger.as_ref(),
            exchanges: Sides::new(left.exchange(), right.exchange()),
            clock: self.clock.as_ref(),
            randomness: &SystemRandomness,
            observer,
            stop,
            holder: presence.holder(),
        };
        let end = engine.run(&definition, options).await;
        for side in [&left, &right] {
            // The run has been; how it went is told whatever becomes of this.
            if let Err(error) = self.note_health(side, end.is_ok()).await {
                tracing::warn!(sync = name, %error, "whether a plugin crashed could not be noted");
            }
        }
        let end = end?;
        tracing::info!(
            sync = name,
            run = end.run.id,
            status = end.run.status.word(),
            written = end.run.writes(),
            "a run has ended"
        );
        Ok((definition, end))
    }

    async fn note_health(&self, side: &SyncSide, ran: bool) -> Result<(), TenantError> {
        let SyncSide::Plugin(plugin) = side else { return Ok(()) };
        let crash = plugin.crash();
        // A run that never came to call it says nothing about it.
        if crash.is_none() && !ran {
            return Ok(());
        }
        let name = plugin.name();
        let health = self.configuration.note_run(name, crash.as_ref(), self.clock.now()).await?;
        if crash.is_some()
            && let Err(notice) = health.check(name, self.clock.now())
        {
            // As data: whoever shows the line words them.
            let remedies = serde_json::to_string(&notice.remedies()).unwrap_or_default();
            tracing::warn!(integration = name, %remedies, "{notice}");
        }
        Ok(())
    }

    /// What the plugins of these exchanges logged while a run was under way, the oldest first; the latest 8
    /// to 16 MiB of a tenant are kept.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub async fn logged(
        &self,
        run: &entente_sync::Run,
        exchanges: &Sides<String>,
    ) -> Result<Vec<LoggedLine>, TenantError> {
        let folder = self.configuration.home().tenant_folder(self.name());
        let until = match run.ended {
            Some(ended) => ended,
            None if run.status == RunStatus::Running => self.clock.now(),
            // It was killed, nobody knows when: before the next one began.
            None => match self.ledger.run_after(&run.sync, run.id).await? {
                Some(next) => next.started,
                None => self.clock.now(),
            },
        };
        egress::logged(&folder, exchanges, run.started, until).map_err(|why| TenantError::Io {
            path: folder.join("log.jsonl"),
            doing: "read",
            why,
        })
    }

    /// What the plugin of an integration asks for.
    ///
    /// # Errors
    /// Where its component cannot be read, or is not what was installed.
    pub async fn manifest(&self, digest: &str) -> Result<Manifest, TenantError> {
        let path = self.configuration.home().component(digest);
        Ok(PluginRuntime::inspect_installed(&path, digest, &self.limits().await?).await?.manifest)
    }

    /// Applies a configuration file, as a whole or not at all. [`File::parse`] reads its text; `inputs` are the
    /// components and environment variables that it names.
    ///
    /// # Errors
    /// Everything that is wrong with it at once, or what a plugin that must be described says.
    pub async fn apply(
        &self,
        file: &File,
        inputs: FileInputs<'_>,
        options: ApplyOptions,
    ) -> Result<ConfigurationPlan, TenantError> {
        let prepared = self.configuration.prepare(file, inputs).await?;
        let limits = self.limits().await?;
        let (mut described, mut manifests) = (Described::default(), BTreeMap::new());
        described.descriptions.insert(HUB.to_owned(), self.describe(HUB, &self.hub).await?);
        for draft in &prepared.drafts {
            let bytes = match &draft.plugin {
                PluginSource::File(bytes) => Some(&bytes[..]),
                PluginSource::Installed => None,
            };
            if let Some(bytes) = bytes {
                let inspection = inspect(bytes, &limits).map_err(LoadError::from)?;
                inspection.check_asks().map_err(LoadError::from)?;
                let digest = &draft.integration.digest;
                described.facts.insert(digest.clone(), facts(&inspection));
                manifests.insert(digest.as_str(), inspection.manifest);
            }
            // What is wrong already is told without asking a remote system first.
            if draft.needed && prepared.problems.is_empty() {
                let exchange = self.run_plugin(&draft.integration, bytes, draft.secrets.clone()).await?;
                let name = &draft.integration.name;
                described.descriptions.insert(name.clone(), self.describe(name, &exchange).await?);
                let manual =
                    exchange.manual().await.map_err(|error| failed(name, "propose a mapping", error))?;
                described.manuals.insert(name.clone(), manual);
            }
        }
        let mut plan = self.configuration.apply(file, inputs, &described, options).await?;
        for draft in &prepared.drafts {
            let digest = draft.integration.digest.as_str();
            if !manifests.contains_key(digest)
                && let Ok(manifest) = self.manifest(digest).await
            {
                manifests.insert(digest, manifest);
            }
            let unknown =
                manifests.get(digest).map(|manifest| settings::unknown(&draft.integration, manifest));
            plan.notices.extend(unknown.unwrap_or_default().into_iter().map(|name| Notice {
                place: None,
                part: format!("integration {}", draft.integration.name),
                message: settings::unknown_text(&draft.integration, &name),
                remedies: Vec::new(),
            }));
        }
        Ok(plan)
    }

    /// What is to be said of settings of an integration that its plugin does not read.
    pub async fn unknown_settings(&self, integration: &crate::config::Integration) -> Vec<(String, String)> {
        let manifest = self.manifest(&integration.digest).await.unwrap_or_default();
        settings::unknown(integration, &manifest)
            .into_iter()
            .map(|name| (name.clone(), settings::unknown_text(integration, &name)))
            .collect()
    }

    async fn describe(&self, name: &str, exchange: &dyn Exchange) -> Result<Description, TenantError> {
        exchange.describe().await.map_err(|error| failed(name, "describe its objects", error))
    }

    /// Adds an integration, and the sync that its plugin proposes. Tells what of the proposal was left out.
    /// The plugin is asked first, so that a wrong address or key shows now.
    ///
    /// # Errors
    /// Where names are taken or unknown, the plugin fails, or nothing of its proposal fits.
    pub async fn add_integration(
        &self,
        draft: &Draft,
        with_sync: bool,
    ) -> Result<(Added, Vec<String>), TenantError> {
        let name = &draft.integration.name;
        let bytes = match &draft.plugin {
            PluginSource::File(bytes) => Some(&bytes[..]),
            PluginSource::Installed => None,
        };
        let mut notices = Vec::new();
        let mut sync = None;
        if with_sync {
            let exchange = self.run_plugin(&draft.integration, bytes, draft.secrets.clone()).await?;
            let remote = self.describe(name, &exchange).await?;
            let hub = self.describe(HUB, &self.hub).await?;
            let manual = exchange.manual().await.map_err(|error| failed(name, "propose a mapping", error))?;
            let (definition, left_out) =
                definition_from_manual(name, &hub, &remote, &manual).map_err(problems)?;
            notices = left_out;
            sync = Some(definition);
        }
        Ok((self.configuration.add_integration(draft, sync).await?, notices))
    }

    /// Has SQLite look through the whole file.
    ///
    /// # Errors
    /// What it found wrong.
    pub async fn check_database(&self) -> Result<String, TenantError> {
        self.store.check().await?;
        Ok("whole".to_owned())
    }

    /// The key that secrets are sealed with; `None` where there is none yet.
    ///
    /// # Errors
    /// Where the key file cannot be trusted.
    pub fn key(&self, variable: Option<&str>) -> Result<Option<SealingKey>, TenantError> {
        Ok(SealingKey::find(self.configuration.home(), variable)?)
    }
}

/// A side of a sync that runs here.
enum SyncSide {
    Hub(Hub),
    Plugin(Box<PluginExchange>),
}

impl SyncSide {
    fn exchange(&self) -> &dyn Exchange {
        match self {
            SyncSide::Hub(hub) => hub,
            SyncSide::Plugin(plugin) => plugin.as_ref(),
        }
    }
}

/// What is noted of a plugin, so that its file need not be read to list it.
fn facts(inspection: &Inspection) -> PluginFacts {
    let manifest = &inspection.manifest;
    let named = format!("{} {}: {}", manifest.name, manifest.version, manifest.description);
    PluginFacts {
        version: Some(inspection.version.clone()),
        description: named.trim_matches([' ', ':']).to_owned(),
    }
}

fn problems(problems: Problems) -> TenantError {
    TenantError::Config(ConfigError::Problems(problems))
}

fn failed(exchange: &str, doing: &'static str, error: ExchangeError) -> TenantError {
    TenantError::Exchange { exchange: exchange.to_owned(), doing, error: Box::new(error) }
}
