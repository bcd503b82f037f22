//! What a plugin finds when it is started, and what the host finds in it.

use super::bindings::IntegrationFull;
use super::bindings::exports::entente::integration::{lookup, mapping_manual, order_execution, sync_report, webhook};
use super::guest::Guest;
use super::inspect::Inspection;
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};
use wasmtime::{Engine, Result, Store};

/// Everything that the host offers. Made once; a linker is never cloned.
pub(super) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    // All of WASI 0.2: several languages import it unasked. The context of a store grants nothing of it.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    IntegrationFull::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Where the exported interfaces stand in a component; found once. Optional ones may be absent.
pub(super) struct Exports {
    manual: mapping_manual::GuestIndices,
    report: sync_report::GuestIndices,
    orders: order_execution::GuestIndices,
    lookup: Option<lookup::GuestIndices>,
    webhook: Option<webhook::GuestIndices>,
}

impl Exports {
    pub(super) fn find(pre: &InstancePre<Guest>, inspection: &Inspection) -> Result<Self> {
        Ok(Self {
            manual: mapping_manual::GuestIndices::new(pre)?,
            report: sync_report::GuestIndices::new(pre)?,
            orders: order_execution::GuestIndices::new(pre)?,
            lookup: inspection.lookup.then(|| lookup::GuestIndices::new(pre)).transpose()?,
            webhook: inspection.webhook.then(|| webhook::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Finds the functions in an instance, and checks their types.
    pub(super) fn load(&self, store: &mut Store<Guest>, instance: &Instance) -> Result<Functions> {
        // Loaded for its check only: what a webhook means is asked by a later part of the host.
        if let Some(webhook) = &self.webhook {
            webhook.load(&mut *store, instance)?;
        }
        Ok(Functions {
            manual: self.manual.load(&mut *store, instance)?,
            report: self.report.load(&mut *store, instance)?,
            orders: self.orders.load(&mut *store, instance)?,
            lookup: self.lookup.as_ref().map(|lookup| lookup.load(&mut *store, instance)).transpose()?,
        })
    }
}

/// The functions of one running plugin.
#[derive(Clone)]
pub(super) struct Functions {
    pub(super) manual: mapping_manual::Guest,
    pub(super) report: sync_report::Guest,
    pub(super) orders: order_execution::Guest,
    pub(super) lookup: Option<lookup::Guest>,
}
