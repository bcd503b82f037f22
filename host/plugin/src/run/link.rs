//! What a plugin finds when it is started, and what the host finds in it.

use super::guest::Guest;
use crate::component::inspect::Inspection;
use crate::component::manifest::Manifest;
use crate::wire::v0_1::bindings::entente::integration::{log, secrets, settings, state, types};
use crate::wire::v0_1::bindings::exports::entente::integration::{
    lookup, mapping_manual, order_execution, sync_report, webhook,
};
use std::sync::{Arc, OnceLock};
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Engine, Result, Store};

/// What of the host a plugin can call at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Capabilities {
    http: bool,
    secrets: bool,
    state: bool,
}

impl Capabilities {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self {
            http: !manifest.hosts.is_empty(),
            secrets: !manifest.secrets.is_empty(),
            state: manifest.state.is_some(),
        }
    }
}

/// What the host offers to plugins with these capabilities; nothing else is there to be called. A linker is
/// never cloned.
pub(crate) fn linker(engine: &Engine, capabilities: Capabilities) -> Result<Linker<Guest>> {
    type All = HasSelf<Guest>;
    let mut linker = Linker::new(engine);
    // All of WASI 0.2: several languages import it unasked. The context of a store grants nothing of it.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    types::add_to_linker::<_, All>(&mut linker, |guest| guest)?;
    log::add_to_linker::<_, All>(&mut linker, |guest| guest)?;
    settings::add_to_linker::<_, All>(&mut linker, |guest| guest)?;
    if capabilities.http {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    }
    if capabilities.secrets {
        secrets::add_to_linker::<_, All>(&mut linker, |guest| guest)?;
    }
    if capabilities.state {
        state::add_to_linker::<_, All>(&mut linker, |guest| guest)?;
    }
    Ok(linker)
}

/// Where the exported interfaces stand in a component; found once. Optional ones may be absent.
pub(crate) struct Exports {
    manual: mapping_manual::GuestIndices,
    report: sync_report::GuestIndices,
    orders: order_execution::GuestIndices,
    lookup: Option<lookup::GuestIndices>,
    webhook: Option<webhook::GuestIndices>,
}

impl Exports {
    pub(crate) fn find(pre: &InstancePre<Guest>, inspection: &Inspection) -> Result<Self> {
        Ok(Self {
            manual: mapping_manual::GuestIndices::new(pre)?,
            report: sync_report::GuestIndices::new(pre)?,
            orders: order_execution::GuestIndices::new(pre)?,
            lookup: inspection.lookup.then(|| lookup::GuestIndices::new(pre)).transpose()?,
            webhook: inspection.webhook.then(|| webhook::GuestIndices::new(pre)).transpose()?,
        })
    }
}

/// The functions of one running plugin. Each interface is found, and its types are checked, when it is first
/// called: most instances are asked one thing only.
pub(crate) struct Functions {
    exports: Arc<Exports>,
    instance: Instance,
    manual: OnceLock<mapping_manual::Guest>,
    report: OnceLock<sync_report::Guest>,
    orders: OnceLock<order_execution::Guest>,
    lookup: OnceLock<lookup::Guest>,
}

impl Functions {
    pub(crate) fn new(exports: Arc<Exports>, instance: Instance) -> Self {
        Self {
            exports,
            instance,
            manual: OnceLock::new(),
            report: OnceLock::new(),
            orders: OnceLock::new(),
            lookup: OnceLock::new(),
        }
    }

    /// Checks the types of all of them.
    pub(crate) fn check(&self, store: &mut Store<Guest>) -> Result<()> {
        // What a webhook means is asked by a later part of the host.
        if let Some(webhook) = &self.exports.webhook {
            webhook.load(&mut *store, &self.instance)?;
        }
        self.manual(store)?;
        self.report(store)?;
        self.orders(store)?;
        self.lookup(store)?;
        Ok(())
    }

    pub(crate) fn manual(&self, store: &mut Store<Guest>) -> Result<&mapping_manual::Guest> {
        found(&self.manual, || self.exports.manual.load(store, &self.instance))
    }

    pub(crate) fn report(&self, store: &mut Store<Guest>) -> Result<&sync_report::Guest> {
        found(&self.report, || self.exports.report.load(store, &self.instance))
    }

    pub(crate) fn orders(&self, store: &mut Store<Guest>) -> Result<&order_execution::Guest> {
        found(&self.orders, || self.exports.orders.load(store, &self.instance))
    }

    pub(crate) fn lookup(&self, store: &mut Store<Guest>) -> Result<Option<&lookup::Guest>> {
        let Some(lookup) = &self.exports.lookup else { return Ok(None) };
        found(&self.lookup, || lookup.load(store, &self.instance)).map(Some)
    }
}

fn found<T>(place: &OnceLock<T>, load: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(found) = place.get() {
        return Ok(found);
    }
    let loaded = load()?;
    Ok(place.get_or_init(|| loaded))
}
