//! From the file of a plugin to something that can be called.

use super::cache::{Cache, CacheError, CodeKey};
use super::egress::{Channel, Lookup, Vault, system_lookup};
use super::engine::{PLACES, engine};
use super::error::Failure;
use super::exchange::{PluginConfig, PluginExchange};
use super::guest::Guest;
use super::inspect::{InspectError, Inspection, inspect};
use super::instance::Instance;
use super::limits::Limits;
use super::link::{Exports, linker};
use super::shelf::Shelf;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{InstancePre, Linker};

/// Compiles and runs plugins. One is enough for a process; clones share everything.
#[derive(Clone)]
pub struct PluginRuntime {
    inner: Arc<Runtime>,
}

pub(super) struct Runtime {
    pub(super) engine: Engine,
    linker: Linker<Guest>,
    cache: Cache,
    /// Compiled code in memory, which all tenants share.
    shelf: Shelf,
    limits: Limits,
    /// Running plugins, over all tenants.
    pub(super) places: Arc<Semaphore>,
    lookup: Lookup,
}

/// Why a plugin cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no plugin that this host knows.
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
    /// It is damaged in a way that only compiling shows.
    #[error("the plugin cannot be compiled: {0}; build it again, with a tool chain for WebAssembly components (WASI 0.2)")]
    Compile(String),
    /// What it imports or exports has another shape than here.
    #[error(
        "the plugin does not fit this host, although it is written for the same version of the interface: {0}; build it again with the current interface files"
    )]
    Shape(String),
    /// It fails before it can be called.
    #[error("the plugin cannot be started: {0}")]
    Start(String),
    /// This machine cannot run WebAssembly.
    #[error("plugins cannot be run on this machine: {0}")]
    Engine(String),
}

impl PluginRuntime {
    /// Compiled code is kept in `cache`, a folder that is made if it is missing and must belong to this user alone, and only what bears
    /// the mark of `key` is run from there. `limits` hold
    /// for looking at plugins and starting them; each integration brings its own for its calls.
    ///
    /// # Errors
    /// [`LoadError::Cache`] and [`LoadError::Engine`].
    pub fn new(cache: &Path, key: CodeKey, limits: Limits) -> Result<Self, LoadError> {
        let failed = |error: wasmtime::Error| LoadError::Engine(format!("{error:#}"));
        let engine = engine().map_err(failed)?;
        let linker = linker(&engine).map_err(failed)?;
        let cache = Cache::open(cache, key)?;
        let places = Arc::new(Semaphore::new(PLACES as usize));
        Ok(Self { inner: Arc::new(Runtime { engine, linker, cache, shelf: Shelf::default(), limits, places, lookup: system_lookup() }) })
    }

    /// What a file is, without running it.
    ///
    /// # Errors
    /// [`InspectError`], whose text says what it is instead.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspection, InspectError> {
        inspect(bytes, &self.inner.limits)
    }

    /// Makes a plugin ready to be called: looked at, compiled (or found in the cache), linked, and started once to see that
    /// all its exports have the right shape.
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
        let (runtime, own) = (Arc::clone(&self.inner), limits.clone());
        // Compiling takes up to seconds and must not hold up other tasks.
        let compiled = tokio::task::spawn_blocking(move || {
            let inspection = inspect(&bytes, &own)?;
            let compile = || {
                runtime
                    .cache
                    .component(&runtime.engine, &inspection.digest, &bytes)
                    .map_err(|error| LoadError::Compile(super::text::clean(&format!("{error:#}"), 500)))
            };
            let component = runtime.shelf.get_or_load(&inspection.digest, compile)?;
            let pre = runtime.linker.instantiate_pre(&component).map_err(shape)?;
            let exports = Arc::new(Exports::find(&pre, &inspection).map_err(shape)?);
            Ok::<_, LoadError>(Plugin { runtime, pre, exports, inspection })
        });
        let plugin = Arc::new(compiled.await.map_err(|error| LoadError::Engine(error.to_string()))??);
        let loaded = LoadedPlugin { plugin };
        loaded.check(limits).await?;
        Ok(loaded)
    }

    /// [`PluginRuntime::load`] of a file.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load_file(&self, file: &Path) -> Result<LoadedPlugin, LoadError> {
        self.load_file_within(file, &self.inner.limits).await
    }

    /// [`PluginRuntime::load_file`] under the limits of a tenant.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load_file_within(&self, file: &Path, limits: &Limits) -> Result<LoadedPlugin, LoadError> {
        let failed = |error| LoadError::Read { file: file.display().to_string(), error };
        // Not read if it is too large anyway.
        let size = tokio::fs::metadata(file).await.map_err(failed)?.len();
        if size > limits.component_bytes {
            return Err(InspectError::from(limits.component_bytes(Some(size))).into());
        }
        self.load_within(tokio::fs::read(file).await.map_err(failed)?, limits).await
    }
}

fn shape(error: wasmtime::Error) -> LoadError {
    LoadError::Shape(super::text::clean(&format!("{error:#}"), 500))
}

/// A plugin that is ready to be called. Clones share everything.
#[derive(Clone)]
pub struct LoadedPlugin {
    plugin: Arc<Plugin>,
}

pub(super) struct Plugin {
    pub(super) runtime: Arc<Runtime>,
    pub(super) pre: InstancePre<Guest>,
    pub(super) exports: Arc<Exports>,
    pub(super) inspection: Inspection,
}

impl LoadedPlugin {
    /// What is known of it.
    pub fn inspection(&self) -> &Inspection {
        &self.plugin.inspection
    }

    /// The plugin as a side of a sync, with what an operator has set and granted. Nothing is called yet.
    pub fn exchange(&self, config: PluginConfig) -> PluginExchange {
        PluginExchange::new(Arc::clone(&self.plugin), Arc::clone(&self.plugin.runtime.lookup), config)
    }

    async fn check(&self, limits: &Limits) -> Result<(), LoadError> {
        let vault = Vault::new(String::new(), BTreeMap::new(), Vec::new());
        let channel = Arc::new(Channel::new(
            "(not yet set up)".to_owned(),
            vault,
            Vec::new(),
            limits.clone(),
            Arc::clone(&self.plugin.runtime.lookup),
        ));
        let started = Instance::start(&self.plugin, channel, Arc::default(), limits).await;
        let checked = started.and_then(|mut instance| {
            let Instance { functions, store, .. } = &mut instance;
            functions.check(store).map_err(|error| Failure::of(error, limits))
        });
        checked.map_err(|failure| match failure {
            Failure::Limit(limit) => LoadError::Start(limit.to_string()),
            Failure::Busy(reason) => LoadError::Start(reason),
            Failure::Trap(error) => match error.downcast_ref::<wasmtime::Trap>() {
                Some(trap) => LoadError::Start(trap.to_string()),
                None => shape(error),
            },
            _ => LoadError::Start("it gave no reason".to_owned()),
        })
    }
}
