//! The exports of plugins of the made-up version.

use super::bindings::exports::entente::integration::shelf::{Guest, GuestIndices};
use super::convert;
use crate::component::inspect::Inspection;
use crate::limits::Limits;
use crate::wire::lift::Lift;
use crate::wire::{Called, Execution, Exports, PluginError, Speaker, Unchecked};
use entente_sync::{Collection, Description, Order, Page, ProposedMapping, Query, ReportRequest, codes};
use futures::FutureExt;
use std::sync::Arc;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Result, Store};

pub(super) fn exports<T: Send + 'static>(pre: &InstancePre<T>, _: &Inspection) -> Result<Exports<T>> {
    let indices = Arc::new(GuestIndices::new(pre)?);
    Ok(Box::new(move |instance| Box::new(Functions { indices: Arc::clone(&indices), instance })))
}

struct Functions {
    indices: Arc<GuestIndices>,
    instance: Instance,
}

impl Functions {
    fn shelf<T>(&self, store: &mut Store<T>) -> Result<Guest> {
        self.indices.load(store, &self.instance)
    }
}

/// What this version cannot be asked.
fn nothing<Q, T: Send + 'static>(answer: T) -> Result<std::result::Result<Unchecked<Q, T>, PluginError>> {
    Ok(Ok(Box::new(|_, _, _| Ok(answer))))
}

impl<T: Send + 'static> crate::wire::Functions<T> for Functions {
    fn check_types(&self, store: &mut Store<T>) -> Result<()> {
        self.shelf(store).map(drop)
    }

    fn describe<'a>(&'a self, store: &'a mut Store<T>, _: &Limits) -> Called<'a, (), Description> {
        async move {
            Ok(match self.shelf(store)?.call_kinds(store).await? {
                Ok(kinds) => Ok(Box::new(move |(): &(), limits: &Limits, speaker: &Speaker<'_>| {
                    convert::description(&mut Lift::of(limits, *speaker), kinds)
                }) as Unchecked<(), Description>),
                Err(trouble) => Err(trouble.into()),
            })
        }
        .boxed()
    }

    fn manual<'a>(&'a self, _: &'a mut Store<T>, _: &Limits) -> Called<'a, (), Vec<ProposedMapping>> {
        async { nothing(Vec::new()) }.boxed()
    }

    fn report<'a>(
        &'a self,
        store: &'a mut Store<T>,
        request: &ReportRequest,
        limits: &Limits,
    ) -> Called<'a, ReportRequest, Page> {
        let most = request.limit.min(u32::try_from(limits.page_rows).unwrap_or(u32::MAX));
        let (wanted, from) = (request.objects.first().cloned(), request.cursor.clone());
        async move {
            let Some(wanted) = wanted else { return nothing(Page::default()) };
            let shelf = self.shelf(&mut *store)?;
            let answer =
                shelf.call_look(store, &wanted.object, &wanted.fields, from.as_deref(), most).await?;
            Ok(match answer {
                Ok(listing) => {
                    Ok(Box::new(move |_: &ReportRequest, limits: &Limits, speaker: &Speaker<'_>| {
                        convert::page(&mut Lift::of(limits, *speaker), listing, wanted, most)
                    }) as Unchecked<ReportRequest, Page>)
                }
                Err(trouble) => Err(trouble.into()),
            })
        }
        .boxed()
    }

    fn execute<'a>(
        &'a self,
        store: &'a mut Store<T>,
        order: &Order,
        _: bool,
        _: &Limits,
    ) -> Called<'a, Order, Execution> {
        let (object, changes) = (order.object.clone(), convert::lower_changes(order));
        async move {
            let shelf = self.shelf(&mut *store)?;
            let mut fates = Vec::with_capacity(changes.len());
            for (slip, deed, contents) in changes {
                let fate = shelf.call_put(&mut *store, &object, &slip, &deed, &contents).await?;
                fates.push(fate);
            }
            Ok(Ok(Box::new(move |order: &Order, limits: &Limits, speaker: &Speaker<'_>| {
                convert::execution(&mut Lift::of(limits, *speaker), fates, order)
            }) as Unchecked<Order, Execution>))
        }
        .boxed()
    }

    fn collect<'a>(
        &'a self,
        _: &'a mut Store<T>,
        _: &str,
        _: &Order,
        _: &Limits,
    ) -> Called<'a, Order, Collection> {
        let reason = "this version of the interface has no tickets".to_owned();
        let error = PluginError { code: codes::UNSUPPORTED.to_owned(), reason, after: None, object: None };
        async { Ok(Err(error)) }.boxed()
    }

    fn find<'a>(
        &'a self,
        _: &'a mut Store<T>,
        query: &Query,
        _: &Limits,
    ) -> Called<'a, Query, Vec<Vec<String>>> {
        let none = vec![Vec::new(); query.keys.len()];
        async { nothing(none) }.boxed()
    }
}
