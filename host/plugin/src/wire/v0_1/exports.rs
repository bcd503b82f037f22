//! The exports of a plugin: looked up once for each component, called in each of its instances.

use super::bindings::entente::integration::data;
use super::bindings::exports::entente::integration::{
    lookup, mapping_manual, order_execution, sync_report, webhook_draft as webhook,
};
use super::convert::{self, Lift};
use crate::component::inspect::Inspection;
use crate::limits::Limits;
use crate::wire::{Called, Execution, PluginError, Refused, Speaker, Unchecked};
use entente_sync::{Collection, Description, Order, Page, ProposedMapping, Query, ReportRequest};
use futures::FutureExt;
use std::sync::{Arc, OnceLock};
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Result, Store};

/// The exported interfaces of a component. Optional ones may be absent.
struct Indices {
    manual: mapping_manual::GuestIndices,
    report: sync_report::GuestIndices,
    orders: order_execution::GuestIndices,
    lookup: Option<lookup::GuestIndices>,
    webhook: Option<webhook::GuestIndices>,
}

pub(crate) fn exports<T: Send + 'static>(
    pre: &InstancePre<T>,
    inspection: &Inspection,
) -> Result<crate::wire::Exports<T>> {
    let indices = Arc::new(Indices {
        manual: mapping_manual::GuestIndices::new(pre)?,
        report: sync_report::GuestIndices::new(pre)?,
        orders: order_execution::GuestIndices::new(pre)?,
        lookup: inspection.lookup.then(|| lookup::GuestIndices::new(pre)).transpose()?,
        webhook: inspection.webhook.then(|| webhook::GuestIndices::new(pre)).transpose()?,
    });
    Ok(Box::new(move |instance| Box::new(Functions::new(Arc::clone(&indices), instance))))
}

/// The functions of one instance. An interface is resolved, and its types checked, when it is first called:
/// most instances are called for one thing only.
struct Functions {
    indices: Arc<Indices>,
    instance: Instance,
    manual: OnceLock<mapping_manual::Guest>,
    report: OnceLock<sync_report::Guest>,
    orders: OnceLock<order_execution::Guest>,
    lookup: OnceLock<lookup::Guest>,
}

impl Functions {
    fn new(indices: Arc<Indices>, instance: Instance) -> Self {
        Self {
            indices,
            instance,
            manual: OnceLock::new(),
            report: OnceLock::new(),
            orders: OnceLock::new(),
            lookup: OnceLock::new(),
        }
    }

    fn manual<T>(&self, store: &mut Store<T>) -> Result<&mapping_manual::Guest> {
        found(&self.manual, || self.indices.manual.load(store, &self.instance))
    }

    fn report<T>(&self, store: &mut Store<T>) -> Result<&sync_report::Guest> {
        found(&self.report, || self.indices.report.load(store, &self.instance))
    }

    fn orders<T>(&self, store: &mut Store<T>) -> Result<&order_execution::Guest> {
        found(&self.orders, || self.indices.orders.load(store, &self.instance))
    }

    fn lookup<T>(&self, store: &mut Store<T>) -> Result<Option<&lookup::Guest>> {
        let Some(lookup) = &self.indices.lookup else { return Ok(None) };
        found(&self.lookup, || lookup.load(store, &self.instance)).map(Some)
    }
}

fn found<T>(cell: &OnceLock<T>, load: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(found) = cell.get() {
        return Ok(found);
    }
    let loaded = load()?;
    Ok(cell.get_or_init(|| loaded))
}

impl From<data::Error> for PluginError {
    fn from(error: data::Error) -> Self {
        Self { code: error.code, reason: error.reason, after: error.after, object: error.object }
    }
}

/// What the plugin is told of a call.
fn call(limits: &Limits) -> data::Call {
    data::Call { deadline: limits.call_time, extra: Vec::new() }
}

/// A result with the function that validates it.
fn unchecked<Q: ?Sized + 'static, W: Send + 'static, T: 'static>(
    answer: std::result::Result<W, data::Error>,
    check: fn(&mut Lift<'_>, W, &Q) -> std::result::Result<T, Refused>,
) -> Result<std::result::Result<Unchecked<Q, T>, PluginError>> {
    Ok(match answer {
        Ok(answer) => Ok(Box::new(move |asked: &Q, limits: &Limits, speaker: &Speaker<'_>| {
            check(&mut Lift::of(limits, *speaker), answer, asked)
        })),
        Err(error) => Err(error.into()),
    })
}

impl<T: Send + 'static> crate::wire::Functions<T> for Functions {
    fn check_types(&self, store: &mut Store<T>) -> Result<()> {
        // Webhooks are not called yet; only their types are checked.
        if let Some(webhook) = &self.indices.webhook {
            webhook.load(&mut *store, &self.instance)?;
        }
        self.manual(store)?;
        self.report(store)?;
        self.orders(store)?;
        self.lookup(store)?;
        Ok(())
    }

    fn describe<'a>(&'a self, store: &'a mut Store<T>, limits: &Limits) -> Called<'a, (), Description> {
        let call = call(limits);
        async move {
            let answer = self.manual(store)?.call_describe(store, &call).await?;
            unchecked(answer, |lift, answer, ()| convert::description(lift, answer))
        }
        .boxed()
    }

    fn manual<'a>(
        &'a self,
        store: &'a mut Store<T>,
        limits: &Limits,
    ) -> Called<'a, (), Vec<ProposedMapping>> {
        let call = call(limits);
        async move {
            let answer = self.manual(store)?.call_manual(store, &call).await?;
            unchecked(answer, |lift, answer, ()| convert::manual(lift, answer))
        }
        .boxed()
    }

    fn report<'a>(
        &'a self,
        store: &'a mut Store<T>,
        request: &ReportRequest,
        limits: &Limits,
    ) -> Called<'a, ReportRequest, Page> {
        let request = convert::lower_request(request, limits, call(limits));
        async move {
            let answer = self.report(store)?.call_report(store, &request).await?;
            unchecked(answer, convert::page)
        }
        .boxed()
    }

    fn execute<'a>(
        &'a self,
        store: &'a mut Store<T>,
        order: &Order,
        with_base: bool,
        limits: &Limits,
    ) -> Called<'a, Order, Execution> {
        let order = convert::lower_order(order, with_base, call(limits));
        async move {
            let answer = self.orders(store)?.call_execute(store, &order).await?;
            unchecked(answer, convert::execution)
        }
        .boxed()
    }

    fn collect<'a>(
        &'a self,
        store: &'a mut Store<T>,
        ticket: &str,
        order: &Order,
        limits: &Limits,
    ) -> Called<'a, Order, Collection> {
        let (ticket, order) = (ticket.to_owned(), convert::lower_order(order, false, call(limits)));
        async move {
            let answer = self.orders(store)?.call_collect(store, &ticket, &order).await?;
            unchecked(answer, convert::collection)
        }
        .boxed()
    }

    fn find<'a>(
        &'a self,
        store: &'a mut Store<T>,
        query: &Query,
        limits: &Limits,
    ) -> Called<'a, Query, Vec<Vec<String>>> {
        let query = convert::lower_query(query, call(limits));
        async move {
            let answer = match self.lookup(store)? {
                Some(lookup) => lookup.call_find(store, &query).await?,
                None => Ok(lookup::Found { ids: Vec::new(), extra: Vec::new() }),
            };
            unchecked(answer, convert::found)
        }
        .boxed()
    }
}
