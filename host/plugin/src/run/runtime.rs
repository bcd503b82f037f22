//! Loading plugins: validate, compile or take from a cache, link, and instantiate once to check the exports.

use super::compiling::{compile, try_compiler};
use super::engine::{Started, engine};
use super::error::Failure;
use super::exchange::{PluginConfig, PluginExchange};
use super::guest::Guest;
use super::instance::Instance;
use super::link::{Capabilities, SPOKEN, Versions, linker};
use crate::compile::compiler::{self, CompileError, Compiler};
use crate::compile::disk_cache::{CacheError, CacheMacKey, DiskCache};
use crate::compile::failures::Failures;
use crate::compile::memory_cache::MemoryCache;
use crate::compile::sandbox::CompilerSandbox;
use crate::compile::settings::Allocation;
use crate::component::inspect::{InspectError, Inspection, inspect_if, list};
use crate::component::interface::Interface;
use crate::egress::audit::NoAudit;
use crate::egress::budget::BudgetInMemory;
use crate::egress::{Channel, ChannelContext, Hosts, Lookup, Vault, system_lookup};
use crate::fair::account::TenantAccount;
use crate::fair::slots::instance_slots;
use crate::files::read_at_most;
use crate::limits::{LimitReached, Limits};
use crate::wire::{Exports, Version};
use entente_sync::Remedy;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};

/// The plugin runtime: compiles and runs plugins. One per process suffices; clones share everything.
#[derive(Clone)]
pub struct PluginRuntime {
    inner: Arc<Runtime>,
    /// The account that loading plugins counts against.
    account: Arc<TenantAccount>,
}

/// The resource use of all plugins in this process, over all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuntimeUse {
    /// Instance slots in use.
    pub slots: usize,
    /// Running components. This and the following counts are 0 without a pooling allocator.
    pub components: u64,
    /// Their core instances.
    pub instances: u64,
    /// Their memories.
    pub memories: usize,
    /// Their tables.
    pub tables: usize,
    /// Stacks of calls in progress.
    pub stacks: usize,
}

/// A linker for each version and set of capabilities that a plugin has asked for.
type Linkers = HashMap<(&'static str, Capabilities), Arc<Linker<Guest>>>;

pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(super) allocation: Allocation,
    /// The versions of the interface that it speaks.
    versions: Versions,
    linkers: Mutex<Linkers>,
    pub(super) disk_cache: DiskCache,
    pub(super) compiler: Compiler,
    /// Compiled code in memory, shared by all tenants.
    pub(super) memory_cache: MemoryCache,
    /// What could not be compiled, for all tenants too.
    pub(super) failures: Failures,
    pub(super) limits: Limits,
    lookup: Lookup,
}

/// Why a plugin cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not a plugin that this host knows.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The file cannot be read.
    #[error("{file} cannot be read: {error}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// The digest differs from that of the installed component.
    #[error("{file} was changed since it was installed, so it is not run; install the plugin again")]
    Changed {
        /// The file.
        file: String,
    },
    /// The component cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It calls functions that this host does not offer: a later version of the interface has them, on the same track.
    #[error(
        "the plugin is written for entente:integration {asked} and calls {}, which this host ({known}) does not offer; use a newer host, \
         or build the plugin for {known}",
        list(functions)
    )]
    MissingFunctions {
        /// The version that it targets.
        asked: String,
        /// The version that the host has of that track.
        known: &'static str,
        /// The functions, each as `interface#function`.
        functions: Vec<String>,
    },
    /// The types of its imports or exports do not match.
    #[error(
        "the plugin does not fit this host, although it is written for the same version of the interface: {0}; build it again with the current interface files"
    )]
    Shape(String),
    /// Instantiation fails.
    #[error("the plugin cannot be started: {0}")]
    Start(String),
    /// A limit is reached during loading.
    #[error("the plugin cannot be started: {0}")]
    Limit(LimitReached),
    /// This machine cannot run WebAssembly.
    #[error("plugins cannot be run on this machine: {0}")]
    Engine(String),
}

impl LoadError {
    /// Remedies for the error.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            LoadError::Changed { .. } => vec![Remedy::InstallPlugin { file: None }],
            LoadError::Limit(limit) => limit.remedies(),
            LoadError::Compile(error) => error.limit().map(LimitReached::remedies).unwrap_or_default(),
            LoadError::Inspect(error) => error.remedies(),
            _ => Vec::new(),
        }
    }
}

impl PluginRuntime {
    /// Compiled code is cached in `cache`, a folder that is created if missing and must belong to this user
    /// alone. Only artifacts with a MAC of `key` are run from there; missing ones are compiled by `compiler`.
    /// `limits` apply to validating, compiling and starting plugins; each integration brings its own for
    /// calls.
    ///
    /// # Errors
    /// [`LoadError::Cache`] and [`LoadError::Engine`].
    pub fn new(
        cache: &Path,
        key: CacheMacKey,
        limits: Limits,
        compiler: Compiler,
    ) -> Result<Self, LoadError> {
        Self::speaking(SPOKEN, cache, key, limits, compiler)
    }

    /// [`PluginRuntime::new`] with these versions of the interface.
    pub(crate) fn speaking(
        versions: Versions,
        cache: &Path,
        key: CacheMacKey,
        limits: Limits,
        compiler: Compiler,
    ) -> Result<Self, LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Engine(format!("{error:#}"));
        let Started { engine, allocation } = engine().map_err(failed)?;
        let disk_cache = DiskCache::open(cache, key)?;
        let account = Arc::new(TenantAccount::new("", &limits));
        let (linkers, memory_cache) = (Mutex::default(), MemoryCache::default());
        let runtime = Runtime {
            engine,
            allocation,
            versions,
            linkers,
            disk_cache,
            compiler,
            memory_cache,
            failures: Failures::default(),
            limits,
            lookup: system_lookup(),
        };
        Ok(Self { inner: Arc::new(runtime), account })
    }

    /// The same runtime, with loading charged to the account of a tenant.
    #[must_use]
    pub fn on_account(&self, account: Arc<TenantAccount>) -> Self {
        Self { inner: Arc::clone(&self.inner), account }
    }

    /// The current resource use of all plugins, over all tenants and runtimes.
    pub fn used(&self) -> RuntimeUse {
        let slots = instance_slots().held();
        match self.inner.engine.pooling_allocator_metrics() {
            None => RuntimeUse { slots, ..RuntimeUse::default() },
            Some(pool) => RuntimeUse {
                slots,
                components: pool.component_instances(),
                instances: pool.core_instances(),
                memories: pool.memories(),
                tables: pool.tables(),
                stacks: pool.stacks(),
            },
        }
    }

    /// Validates a file without running it.
    ///
    /// # Errors
    /// [`InspectError`], whose text says what it is instead.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspection, InspectError> {
        inspect_if(bytes, &self.inner.limits, &self.inner.interfaces(), |_| Ok(()))
    }

    /// Loads a plugin: validated, compiled (or taken from the cache), linked, and instantiated once to check
    /// the types of all its exports.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load(&self, bytes: Vec<u8>) -> Result<LoadedPlugin, LoadError> {
        self.load_within(bytes, &self.inner.limits).await
    }

    /// [`PluginRuntime::load`] under the limits of a tenant.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load_within(&self, bytes: Vec<u8>, limits: &Limits) -> Result<LoadedPlugin, LoadError> {
        self.load_if(bytes, limits, |_| Ok(())).await
    }

    async fn load_if(
        &self,
        bytes: Vec<u8>,
        limits: &Limits,
        may: impl FnOnce(&str) -> Result<(), LoadError> + Send + 'static,
    ) -> Result<LoadedPlugin, LoadError> {
        let (runtime, own) = (Arc::clone(&self.inner), limits.clone());
        let found = blocking(move || {
            let inspection = inspect_if(&bytes, &own, &runtime.interfaces(), may)?;
            inspection.check_asks()?;
            match runtime.find(&inspection.digest) {
                Some(component) => runtime.link(&component, inspection).map(Ok),
                None => Ok(Err((inspection, bytes))),
            }
        });
        let plugin = Arc::new(match found.await? {
            Ok(plugin) => plugin,
            Err((inspection, bytes)) => {
                compile(&self.inner, &self.account, inspection, bytes, limits).await?
            }
        });
        let loaded = LoadedPlugin { plugin };
        loaded.check(limits, &self.account).await?;
        Ok(loaded)
    }

    /// Tests whether compilation works, with the smallest component.
    ///
    /// # Errors
    /// [`LoadError::Compile`] with the reason.
    pub async fn try_compiler(&self) -> Result<(), LoadError> {
        try_compiler(&self.inner, &self.account).await
    }

    /// What the process that compiles plugins is shut off from on this machine, as it found out itself; `None`
    /// where they are compiled in this process.
    ///
    /// # Errors
    /// [`LoadError::Compile`] where it cannot be started.
    pub async fn compiler_sandbox(&self) -> Result<Option<CompilerSandbox>, LoadError> {
        match &self.inner.compiler {
            Compiler::Child(program) => Ok(Some(compiler::probe(program).await?)),
            Compiler::InThisProcess => Ok(None),
        }
    }

    /// [`PluginRuntime::load`] of a file.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load_file(&self, file: &Path) -> Result<LoadedPlugin, LoadError> {
        self.load_within(read_component(file, &self.inner.limits)?, &self.inner.limits).await
    }

    /// Loads an installed component, under the limits of a tenant. A component whose digest has changed is
    /// refused.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load_installed(
        &self,
        file: &Path,
        digest: &str,
        limits: &Limits,
    ) -> Result<LoadedPlugin, LoadError> {
        let (path, own, digest) = (file.to_owned(), limits.clone(), digest.to_owned());
        let bytes = blocking(move || read_component(&path, &own)).await?;
        let path = file.to_owned();
        self.load_if(bytes, limits, move |found| is_as_installed(found, &digest, &path)).await
    }

    /// Validates an installed component without loading it.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn inspect_installed(
        file: &Path,
        digest: &str,
        limits: &Limits,
    ) -> Result<Inspection, LoadError> {
        let (path, limits, digest) = (file.to_owned(), limits.clone(), digest.to_owned());
        blocking(move || {
            inspect_if(&read_component(&path, &limits)?, &limits, &interfaces(SPOKEN), |found| {
                is_as_installed(found, &digest, &path)
            })
        })
        .await
    }
}

/// Validates the bytes of a plugin.
///
/// # Errors
/// [`InspectError`], whose text says what the file is instead, and what to do.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, InspectError> {
    inspect_if(bytes, limits, &interfaces(SPOKEN), |_| Ok(()))
}

fn interfaces(versions: Versions) -> Vec<&'static Interface> {
    versions.iter().map(|version| version.interface).collect()
}

/// Checked before the file is parsed: a changed file is untrusted.
fn is_as_installed(found: &str, digest: &str, file: &Path) -> Result<(), LoadError> {
    if found == digest { Ok(()) } else { Err(LoadError::Changed { file: file.display().to_string() }) }
}

/// Reads the file of a component, up to the limit of its size.
///
/// # Errors
/// [`LoadError::Read`], and the limit.
pub fn read_component(file: &Path, limits: &Limits) -> Result<Vec<u8>, LoadError> {
    let most = limits.component_bytes;
    if let Ok(found) = std::fs::metadata(file)
        && found.is_file()
        && found.len() > most
    {
        return Err(InspectError::from(limits.component_bytes(Some(found.len()))).into());
    }
    read_at_most(file, most).map_err(|error| LoadError::Read { file: file.display().to_string(), error })
}

impl Runtime {
    fn interfaces(&self) -> Vec<&'static Interface> {
        interfaces(self.versions)
    }

    fn linker(
        &self,
        capabilities: Capabilities,
        version: &Version<Guest>,
    ) -> wasmtime::Result<Arc<Linker<Guest>>> {
        let mut linkers = self.linkers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (version.interface.version, capabilities);
        if let Some(linker) = linkers.get(&key) {
            return Ok(Arc::clone(linker));
        }
        let made = Arc::new(linker(&self.engine, capabilities, version)?);
        linkers.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// Compiled code, from the cache in memory or on disk.
    pub(super) fn find(&self, digest: &str) -> Option<Component> {
        self.memory_cache.get_or_find(digest, || self.disk_cache.get(&self.engine, digest))
    }

    pub(super) fn link(
        self: &Arc<Self>,
        component: &Component,
        inspection: Inspection,
    ) -> Result<Plugin, LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Engine(format!("{error:#}"));
        let asked = inspection.version.as_str();
        let version = self.versions.iter().find(|version| version.interface.runs(asked));
        // The inspection has refused what no version runs.
        let version = version.ok_or_else(|| LoadError::Engine(format!("no module for version {asked}")))?;
        self.check_functions(component, version.interface, asked)?;
        let linker = self.linker(Capabilities::of(&inspection.manifest), version).map_err(failed)?;
        let pre = linker.instantiate_pre(component).map_err(shape)?;
        let exports = version.exports(&pre, &inspection).map_err(shape)?;
        Ok(Plugin { runtime: Arc::clone(self), pre, exports, inspection })
    }

    /// Checks that the host offers every function that a component imports from the interface. This is read
    /// from the compiled component: types within types are bounded by the compiler, and not by a parser in this process.
    fn check_functions(
        &self,
        component: &Component,
        interface: &Interface,
        asked: &str,
    ) -> Result<(), LoadError> {
        let mut functions = Vec::new();
        for (name, import) in component.component_type().imports(&self.engine) {
            let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
            for (function, export) in instance.exports(&self.engine) {
                if matches!(export.ty, ComponentItem::ComponentFunc(_)) && !interface.offers(name, function) {
                    functions.push(crate::text::clean(&format!("{name}#{function}"), 200));
                }
            }
        }
        if functions.is_empty() {
            return Ok(());
        }
        let asked = crate::text::clean(asked, 100);
        Err(LoadError::MissingFunctions { asked, known: interface.version, functions })
    }

    /// A freshly compiled artifact cannot be loaded.
    pub(super) fn not_loaded(&self, error: &wasmtime::Error, limits: &Limits) -> CompileError {
        let text = format!("{error:#}");
        if let Some(limit) = crate::limits::of_pool(limits, &text) {
            return CompileError::Limit(limit);
        }
        let said = crate::text::clean(&text, 500);
        match &self.compiler {
            Compiler::Child(program) => CompileError::Foreign { program: program.clone(), said },
            Compiler::InThisProcess => CompileError::Unfit(said),
        }
    }
}

/// Runs blocking work on Tokio's blocking pool.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LoadError::Engine(error.to_string()))?
}

fn shape(error: wasmtime::Error) -> LoadError {
    LoadError::Shape(crate::text::clean(&format!("{error:#}"), 500))
}

/// A plugin that is ready to be called. Clones share everything.
#[derive(Clone)]
pub struct LoadedPlugin {
    plugin: Arc<Plugin>,
}

pub(crate) struct Plugin {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) exports: Exports<Guest>,
    pub(crate) inspection: Inspection,
}

impl LoadedPlugin {
    /// The result of its validation.
    pub fn inspection(&self) -> &Inspection {
        &self.plugin.inspection
    }

    /// The plugin as an exchange, with the operator's settings and grants. Nothing is called yet.
    pub fn exchange(&self, config: PluginConfig) -> PluginExchange {
        PluginExchange::new(Arc::clone(&self.plugin), Arc::clone(&self.plugin.runtime.lookup), config)
    }

    async fn check(&self, limits: &Limits, account: &Arc<TenantAccount>) -> Result<(), LoadError> {
        let vault = Vault::new(BTreeMap::new(), Vec::new(), &[], &BTreeMap::new());
        let channel = Arc::new(Channel::new(
            "(not yet set up)".to_owned(),
            vault,
            Hosts::default(),
            limits.clone(),
            Arc::clone(&self.plugin.runtime.lookup),
            ChannelContext {
                digest: &self.plugin.inspection.digest,
                account: Arc::clone(account),
                budget: Arc::new(BudgetInMemory::default()),
                audit: Arc::new(NoAudit),
            },
        ));
        let started = Instance::start(&self.plugin, channel, Arc::default(), limits).await;
        let checked = started.and_then(|mut instance| {
            let Instance { functions, store, .. } = &mut instance;
            functions.check_types(store).map_err(|error| Failure::of(error, limits))
        });
        checked.map_err(|failure| match failure {
            Failure::Limit(limit) => LoadError::Limit(limit),
            Failure::Busy(reason, _) => LoadError::Start(reason),
            Failure::Trap(error) => match error.downcast_ref::<wasmtime::Trap>() {
                Some(trap) => LoadError::Start(trap.to_string()),
                None => shape(error),
            },
            _ => LoadError::Start("it gave no reason".to_owned()),
        })
    }
}
