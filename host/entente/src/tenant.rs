//! An open tenant: hub, ledger, configuration and plugins together, with the calls that the command line and
//! embedding programs make.

use crate::config::{
    Added, ConfigError, Configuration, DEFAULT_TENANT, Draft, HUB, Home, PluginFacts, PluginSource, Problems,
    SealingKey, SecretText, SettingIssue, Told, definition_from_manual,
};
use crate::grants::{GrantRefused, IntegrationNotice};
use crate::view::NotMerged;
use egress::StoredBudget;
use entente_core::{Foreign, Timestamp};
use entente_plugin::{
    CacheMacKey, CallBudget, Compiler, Inspection, LimitReached, Limits, LoadError, Manifest, PluginConfig,
    PluginExchange, PluginRuntime, SettingError, TenantAccount, UnknownLimit,
};
use entente_sqlite::{Hub, HubError, SqliteLedger, Store, StoreError};
use entente_sync::{
    CancellationToken, Clock, Description, Engine, Exchange, ExchangeError, LedgerError, Message, Observer,
    OperatorLedger, Remedy, RunEnd, RunOptions, RunStatus, Sides, SyncDefinition, SyncError, SystemClock,
    SystemRandomness,
};
use presence::OpenMark;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::OnceCell;

mod apply;
mod archive;
mod asked;
mod book;
mod books;
mod connections;
mod egress;
mod erase;
mod export;
mod imports;
mod integrations;
mod limits;
mod link;
mod operator;
mod presence;
mod rebind;
mod remove;
mod rerun;
mod restore;
mod room;
mod settings;

pub use archive::{ArchiveError, Archived, Content};
#[cfg(feature = "fuzzing")]
pub(crate) use books::fuzzing;
pub use books::{CallFilter, LoggedLine, PluginFiles};
pub(crate) use books::{KeptCall, OTHERS};
pub use erase::{ErasureView, NotErased};
pub(crate) use export::blocking;
pub use integrations::{Changed, Granted, IntegrationChange, NewIntegration, Upgraded};
pub use link::{LinkOptions, LinkRefused, Linked, LinkedField};
pub use operator::{RecordName, Retried, RetriedAll, WaitingConflict};
pub use rebind::{Rebind, Rebound};
pub use remove::Removed;
pub(crate) use remove::remove;
pub use rerun::RerunError;
pub(crate) use restore::restore;
pub use restore::{RestoreOptions, Restored};

/// Why a call on a tenant failed.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// The configuration failed.
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
    /// The hub failed.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A plugin cannot be loaded.
    #[error(transparent)]
    Plugin(#[from] LoadError),
    /// A grant is invalid.
    #[error(transparent)]
    Grant(#[from] entente_plugin::GrantError),
    /// A sync could not begin.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// An exchange failed outside a run.
    #[error("{exchange} could not {doing}: {error}")]
    Exchange {
        /// The exchange.
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
    #[error(
        "no sync knows the record {0}; a record gets into one with the first run that reads it, a dry run too"
    )]
    NoPair(String),
    /// A record was not linked by hand.
    #[error(transparent)]
    NotLinked(Box<LinkRefused>),
    /// A record was not erased.
    #[error(transparent)]
    NotErased(Box<NotErased>),
    /// Two records were not merged.
    #[error(transparent)]
    NotMerged(Box<NotMerged>),
    /// The integration is disabled.
    #[error("the integration '{0}' is disabled")]
    Disabled(String),
    /// A setting that the plugin requires is not set.
    #[error("the plugin of '{integration}' needs the setting '{setting}' ({})", Foreign::new(reason).quoted())]
    NotSet {
        /// The integration.
        integration: String,
        /// The setting.
        setting: String,
        /// Its purpose, in the words of the plugin's author.
        reason: String,
    },
    /// A setting has a value that the plugin cannot read.
    #[error("{integration}: {error}")]
    Setting {
        /// The integration.
        integration: String,
        /// What is wrong with it.
        error: Box<SettingError>,
    },
    /// The plugin tells another account than the one that the records are linked with.
    #[error(
        "{integration} tells another account than the one that its records are linked with: it was {before}, and is {now}; nothing was changed"
    )]
    AnotherAccount {
        /// The integration.
        integration: String,
        /// The account that the links are with.
        before: String,
        /// The account that it tells now.
        now: String,
    },
    /// The operator names another account than the plugin tells.
    #[error("{integration} does not tell the account {named}; it tells {now}; nothing was changed")]
    NotThatAccount {
        /// The integration.
        integration: String,
        /// The account as it was given.
        named: String,
        /// The account that it tells.
        now: String,
    },
    /// Links with records that would be made twice.
    #[error(
        "{without} of {links} linked records of {integration} have no identifiers: their links forgotten, each of them is made a second time on both sides; nothing was changed"
    )]
    WouldDouble {
        /// The integration.
        integration: String,
        /// The links.
        links: u64,
        /// Those whose records have no identifiers.
        without: u64,
    },
    /// A secret that the plugin does not ask for.
    #[error("{}", asked::not_asked(plugin, secret, asked))]
    SecretNotAsked {
        /// The plugin.
        plugin: String,
        /// The secret.
        secret: String,
        /// The secrets that it asks for.
        asked: Vec<String>,
    },
    /// A version of a plugin cannot run with the settings that the integration has.
    #[error(
        "{integration} keeps the version that it has: with its settings {plugin} cannot run{}",
        lines(issues)
    )]
    Unfit {
        /// The integration.
        integration: String,
        /// The plugin.
        plugin: String,
        /// What is wrong with the settings.
        issues: Vec<SettingIssue>,
    },
    /// An integration was not added, for what came up once its plugin was asked.
    #[error("{error}")]
    NotAdded {
        /// The integration.
        integration: String,
        /// Notices for the operator besides.
        notices: Vec<IntegrationNotice>,
        /// What came up.
        error: Box<TenantError>,
    },
    /// Grants cannot be changed as it was asked for.
    #[error(transparent)]
    Grants(#[from] GrantRefused),
    /// A limit of the tenant is reached.
    #[error(transparent)]
    Limit(#[from] LimitReached),
    /// A limit cannot be set.
    #[error(transparent)]
    UnknownLimit(#[from] UnknownLimit),
    /// The tenant cannot be removed while it is in use.
    #[error("the tenant '{tenant}' {why}")]
    Busy {
        /// The tenant.
        tenant: String,
        /// What is under way, and what to do.
        why: String,
    },
    /// An export cannot be written, or an archive cannot be used.
    #[error("{}: {error}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong, and what to do.
        error: ArchiveError,
    },
}

impl TenantError {
    /// Remedies for the error.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            TenantError::Config(error) => error.remedies(),
            TenantError::Ledger(error) => error.remedies(),
            TenantError::Plugin(error) => error.remedies(),
            TenantError::Sync(error) => error.remedies(),
            TenantError::Exchange { error, .. } => error.remedies.clone(),
            TenantError::Rerun(error) => error.remedies(),
            TenantError::NotLinked(error) => error.remedies(),
            TenantError::NotErased(error) => error.remedies(),
            TenantError::Hub(HubError::NoRecord { object, id, kept: true, .. }) => {
                vec![Remedy::RestoreRecord { record: format!("{object}:{id}") }]
            }
            TenantError::Disabled(integration) => vec![Remedy::Enable { integration: integration.clone() }],
            TenantError::NotSet { integration, setting, .. } => {
                vec![Remedy::SetSetting { integration: integration.clone(), setting: setting.clone() }]
            }
            TenantError::Setting { integration, error } => {
                vec![Remedy::SetSetting { integration: integration.clone(), setting: error.name.clone() }]
            }
            TenantError::Unfit { integration, issues, .. } => {
                let settings = issues.iter().map(|issue| issue.setting.clone()).collect();
                vec![Remedy::UpgradeWith { integration: integration.clone(), settings }]
            }
            TenantError::AnotherAccount { integration, now, .. } => vec![
                Remedy::RebindSameSystem { integration: integration.clone(), account: Some(now.clone()) },
                Remedy::RebindForgetLinks { integration: integration.clone(), unasked: false },
            ],
            TenantError::WouldDouble { integration, .. } => {
                vec![Remedy::RebindForgetLinks { integration: integration.clone(), unasked: true }]
            }
            TenantError::NotAdded { error, .. } => error.remedies(),
            TenantError::Grants(error) => error.remedies(),
            TenantError::Limit(limit) => limit.remedies(),
            TenantError::UnknownLimit(error) => error.remedies(),
            TenantError::Archive { error, .. } => error.remedies(),
            TenantError::Store(error) | TenantError::Hub(HubError::Store(error)) if error.is_full() => {
                vec![Remedy::ShowLimits]
            }
            TenantError::Io { .. }
            | TenantError::Hub(_)
            | TenantError::Store(_)
            | TenantError::Grant(_)
            | TenantError::SecretNotAsked { .. }
            | TenantError::NotThatAccount { .. }
            | TenantError::NoPair(_)
            | TenantError::NotMerged(_)
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
    /// Started when a plugin is first needed, which most commands never do. Tenants of one
    /// [`crate::host::Host`] share it.
    plugins: Arc<SharedRuntime>,
    /// The account that its plugins' resource use counts against.
    account: OnceCell<Arc<TenantAccount>>,
    /// The books of its plugins: their HTTP calls and log lines.
    books: PluginFiles,
    /// Released after everything else.
    _open: OpenMark,
}

/// The plugin runtime, started on demand.
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
    /// Opens the tenant `default` of a home folder, creating both where needed. `key` is the value of
    /// `ENTENTE_KEY`; plugins without cached code are compiled by `compiler`.
    ///
    /// # Errors
    /// Where the folder or the database cannot be used.
    pub fn open(home: &Path, key: Option<SecretText>, compiler: Compiler) -> Result<Self, TenantError> {
        Self::open_named(home, DEFAULT_TENANT, key, compiler)
    }

    /// Opens a tenant that was added to a home folder; `default` need not be added. A program with many open
    /// tenants opens them through [`crate::host::Host`].
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

    /// Opens a tenant that shares a plugin runtime with others.
    pub(crate) fn within(
        home: Home,
        tenant: &str,
        key: Option<SecretText>,
        plugins: Arc<SharedRuntime>,
    ) -> Result<Self, TenantError> {
        let store = home.open_tenant(tenant)?;
        store.limit_size_as_set("tenant-database-bytes", Limits::default().tenant_database_bytes)?;
        let folder = home.tenant_folder(tenant);
        let open = OpenMark::enter(&folder);
        // It may have been removed before the mark was there to be seen.
        store.stands()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let hub = Hub::new(store.clone(), Arc::clone(&clock));
        let configuration = Self::configuration_over(store.clone(), home, tenant).with_key(key);
        Ok(Self {
            account: OnceCell::new(),
            books: PluginFiles::new(&folder, Arc::clone(&clock)),
            ledger: Arc::new(SqliteLedger::new(store.clone())),
            hub,
            configuration,
            clock,
            plugins,
            store,
            _open: open,
        })
    }

    /// The configuration in a database.
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

    /// The ledger of pairs, plans and runs, as operators query it.
    pub fn ledger(&self) -> &dyn OperatorLedger {
        self.ledger.as_ref()
    }

    /// Integrations, secrets, grants and syncs.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Its SQLite store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock that dates all writes.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The plugin runtime, started now where needed.
    ///
    /// # Errors
    /// Where this machine cannot run plugins.
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

    /// The account that its plugins' resource use counts against in this process, with the limits in force
    /// when it was first needed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn account(&self) -> Result<Arc<TenantAccount>, TenantError> {
        let open = || async { Ok(Arc::new(TenantAccount::new(self.name(), &self.limits().await?))) };
        self.account.get_or_try_init(open).await.cloned()
    }

    /// Installs a component under a name, after validating it.
    ///
    /// # Errors
    /// Where the bytes are not a plugin.
    pub async fn install_plugin(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> Result<(crate::config::InstalledPlugin, Inspection), TenantError> {
        let limits = self.limits().await?;
        self.note_install(&limits).await?;
        // Compiling now shows at once whether it works, and makes the first sync fast.
        let inspection =
            self.plugins().await?.load_within(bytes.to_vec(), &limits).await?.inspection().clone();
        let facts = facts(&inspection);
        let installed = self.configuration.install_plugin(name, bytes, &facts).await?;
        Ok((installed, inspection))
    }

    /// An exchange by name: the hub, or an integration ready to run.
    ///
    /// # Errors
    /// [`TenantError::Config`] where there is none of this name, [`TenantError::Disabled`], or where its
    /// plugin cannot be loaded.
    pub async fn exchange(&self, name: &str) -> Result<Box<dyn Exchange>, TenantError> {
        if name == HUB {
            return Ok(Box::new(self.hub.clone()));
        }
        Ok(Box::new(self.plugin_exchange(name, &CancellationToken::new()).await?))
    }

    async fn plugin_exchange(
        &self,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<PluginExchange, TenantError> {
        let integration = self.configuration.integration(name).await?;
        if !integration.enabled {
            return Err(TenantError::Disabled(name.to_owned()));
        }
        let secrets = self.configuration.open_secrets(name).await?;
        self.run_plugin(&integration, None, secrets, stop).await
    }

    async fn side(&self, name: &str, stop: &CancellationToken) -> Result<SyncSide, TenantError> {
        if name == HUB {
            return Ok(SyncSide::Hub(self.hub.clone()));
        }
        self.configuration.health(name).await?.check(name, self.clock.now())?;
        Ok(SyncSide::Plugin(Box::new(self.plugin_exchange(name, stop).await?)))
    }

    async fn run_plugin(
        &self,
        integration: &crate::config::Integration,
        bytes: Option<&[u8]>,
        secrets: BTreeMap<String, SecretText>,
        stop: &CancellationToken,
    ) -> Result<PluginExchange, TenantError> {
        let state = self.ledger.state(&integration.name).await?;
        let (runtime, limits) = (self.plugins().await?, self.limits().await?);
        let plugin = match bytes {
            Some(bytes) => {
                self.note_install(&limits).await?;
                runtime.load_within(bytes.to_vec(), &limits).await?
            }
            None => {
                let file = self.configuration.home().component(&integration.digest);
                runtime.load_installed(&file, &integration.digest, &limits).await?
            }
        };
        let settings = settings::checked(integration, &plugin.inspection().manifest)?;
        let account = self.account().await?;
        let budget =
            StoredBudget { store: self.store.clone(), clock: Arc::clone(&self.clock), stop: stop.clone() };
        let budget: Arc<dyn CallBudget> = Arc::new(budget);
        let audit = Arc::new(self.books.within(&limits));
        let config = connections::plugin_config(integration, &settings, secrets, state, limits)?;
        Ok(plugin.exchange(PluginConfig { account, budget, audit, ..config }))
    }

    /// Runs a sync once.
    ///
    /// # Errors
    /// Where the run could not begin, for example because an integration is quarantined; how a run ended is
    /// in [`RunEnd`].
    pub async fn sync(
        &self,
        name: &str,
        options: RunOptions,
        observer: &dyn Observer,
        stop: &CancellationToken,
    ) -> Result<(SyncDefinition, RunEnd), TenantError> {
        let definition = self.configuration.definition(name).await?;
        // Before this run has a name, which may equal that of a run that died.
        self.take_over(&definition.relation).await?;
        let presence = self.begin_run(options.wait, stop).await?;
        // Another run may have died while this one waited for its permit.
        self.take_over(&definition.relation).await?;
        let limits = self.limits().await?;
        self.store.limit_size(limits.tenant_database_bytes).await?;
        let began = self.clock.now();
        let sides = async {
            let left = self.side(&definition.exchanges.left, stop).await?;
            Ok((left, self.side(&definition.exchanges.right, stop).await?))
        };
        // Starting a plugin may compile it first.
        let sides = stop.run_until_cancelled(sides).await.unwrap_or(Err(SyncError::Stopped.into()));
        let (left, right) = match sides {
            Ok(sides) => sides,
            Err(error @ TenantError::Sync(SyncError::Stopped)) => return Err(error),
            Err(error) => return Err(self.note_unbegun(&definition, options, began, error).await),
        };
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
            budget: &limits::run_budget(&limits),
            holder: presence.holder(),
        };
        let end = engine.run(&definition, options).await;
        self.books.within(&limits).flush();
        for side in [&left, &right] {
            // The run is over; its result is returned whether or not this write succeeds.
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

    /// Keeps a run that could not begin as one that failed, with its reason, so that lists of runs and monitors have it.
    /// Returns that reason.
    async fn note_unbegun(
        &self,
        definition: &SyncDefinition,
        options: RunOptions,
        began: Timestamp,
        error: TenantError,
    ) -> TenantError {
        let mut run = entente_sync::Run::new(&definition.name, &definition.relation, options, began);
        run.status = RunStatus::Failed;
        run.ended = Some(self.clock.now());
        run.error = Some(Message::new(error.to_string(), error.remedies()));
        // Why it could not begin is told in any case.
        if let Err(error) = self.ledger.note_unbegun(run).await {
            tracing::warn!(sync = definition.name, %error, "that a run could not begin could not be stored");
        }
        error
    }

    async fn note_health(&self, side: &SyncSide, ran: bool) -> Result<(), TenantError> {
        let SyncSide::Plugin(plugin) = side else { return Ok(()) };
        let crash = plugin.crash();
        // A run that never called the plugin says nothing about it.
        if crash.is_none() && !ran {
            return Ok(());
        }
        let name = plugin.name();
        let health = self.configuration.note_run(name, crash.as_ref(), self.clock.now()).await?;
        if crash.is_some()
            && let Err(notice) = health.check(name, self.clock.now())
        {
            // As data: whoever displays the line words the remedies.
            let remedies = serde_json::to_string(&notice.remedies()).unwrap_or_default();
            tracing::warn!(integration = name, %remedies, "{notice}");
        }
        Ok(())
    }

    /// The log lines of these exchanges' plugins during a run, oldest first, as far as they are kept (limits `book-bytes` and
    /// `book-days`).
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
            // The process was killed at an unknown time, but before the next run began.
            None => match self.ledger.run_after(&run.sync, run.id).await? {
                Some(next) => next.started,
                None => self.clock.now(),
            },
        };
        let read = books::logged(&folder, exchanges, run.started, until);
        read.map_err(|why| TenantError::Io { path: folder.join("books"), doing: "read", why })
    }

    /// The calls of an integration's plugin that are still kept, newest first, and whether each left the host.
    pub(crate) async fn kept_calls(
        &self,
        integration: &str,
        filter: CallFilter,
    ) -> Result<Vec<books::CallEntry>, TenantError> {
        let folder = self.configuration.home().tenant_folder(self.name());
        self.books.flush();
        let keep = (book::Keep::of(&self.limits().await?), self.clock.now());
        let (place, name) = (folder.clone(), integration.to_owned());
        let read = blocking(move || books::calls(&place, &name, filter, keep)).await?;
        let there = read.map_err(|why| TenantError::Io { path: folder.join("books"), doing: "read", why })?;
        match there {
            Some(calls) => Ok(calls),
            // What one did that was removed is still kept.
            None => Ok(self.configuration.integration(integration).await.map(|_| Vec::new())?),
        }
    }

    /// The manifest of a component.
    ///
    /// # Errors
    /// Where the component cannot be read, or is not the one installed.
    pub async fn manifest(&self, digest: &str) -> Result<Manifest, TenantError> {
        let path = self.configuration.home().component(digest);
        Ok(PluginRuntime::inspect_installed(&path, digest, &self.limits().await?).await?.manifest)
    }

    /// Asks an exchange for its objects and the mappings that it proposes.
    pub(crate) async fn describe_exchange(&self, name: &str) -> Result<Told, TenantError> {
        let exchange = self.exchange(name).await?;
        let description = self.describe(name, exchange.as_ref()).await?;
        let manual = exchange.manual().await.map_err(|error| failed(name, "propose a mapping", error))?;
        Ok(Told { at: self.clock.now(), description, manual })
    }

    async fn describe(&self, name: &str, exchange: &dyn Exchange) -> Result<Description, TenantError> {
        exchange.describe().await.map_err(|error| failed(name, "describe its objects", error))
    }

    /// Adds an integration, and the sync that its plugin proposes. Returns notices of what was left out of
    /// the proposal. The plugin is asked first, so that a wrong address or key is noticed now.
    ///
    /// # Errors
    /// Where names are taken or unknown, the plugin fails, or nothing of its proposal can be used.
    pub async fn add_integration(
        &self,
        draft: &Draft,
        with_sync: bool,
    ) -> Result<(Added, Vec<String>), TenantError> {
        let name = &draft.integration.name;
        let bytes = component(draft);
        let mut notices = Vec::new();
        let (mut sync, mut told) = (None, None);
        if with_sync {
            let (secrets, stop) = (draft.secrets.clone(), CancellationToken::new());
            let exchange = self.run_plugin(&draft.integration, bytes, secrets, &stop).await?;
            let remote = self.describe(name, &exchange).await?;
            let hub = self.describe(HUB, &self.hub).await?;
            let manual = exchange.manual().await.map_err(|error| failed(name, "propose a mapping", error))?;
            let (definition, left_out) =
                definition_from_manual(name, &hub, &remote, &manual).map_err(problems)?;
            told = Some(Told { at: self.clock.now(), description: remote, manual });
            notices = left_out;
            sync = Some(definition);
        }
        let added = self.configuration.add_integration(draft, sync).await?;
        if let Some(told) = told {
            self.configuration.keep_told(&added.integration, &told).await?;
        }
        Ok((added, notices))
    }

    /// Runs SQLite's integrity check over the whole database.
    ///
    /// # Errors
    /// What the check found.
    pub async fn check_database(&self) -> Result<String, TenantError> {
        self.store.check().await?;
        Ok("whole".to_owned())
    }

    /// The key that encrypts secrets; `None` where there is none yet.
    ///
    /// # Errors
    /// Where the key file is readable by others, or is no key.
    pub fn key(&self, variable: Option<&str>) -> Result<Option<SealingKey>, TenantError> {
        Ok(SealingKey::find(self.configuration.home(), variable)?)
    }
}

/// A side of a running sync.
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

fn lines(issues: &[SettingIssue]) -> String {
    issues.iter().map(|issue| format!("\n  {}", issue.message)).collect()
}

/// The component of a draft that is not installed yet.
fn component(draft: &Draft) -> Option<&[u8]> {
    match &draft.plugin {
        PluginSource::File(bytes) => Some(&bytes[..]),
        PluginSource::Installed => None,
    }
}

/// The facts stored about a plugin, so that listing it need not read its file.
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
