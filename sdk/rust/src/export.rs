//! From the exports of the component to the traits that an author has implemented.

use std::marker::PhantomData;
use std::sync::Once;

use crate::bindings::integration::entente::integration::types;
use crate::bindings::integration::exports::entente::integration::{
    mapping_manual, order_execution, sync_report,
};
use crate::bindings::lookup::exports::entente::integration::lookup;
use crate::bindings::webhook::exports::entente::integration::webhook;
use crate::{Error, Integration, Lookup, Webhook, log};

/// Stands between the component and the plugin.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exported<P>(PhantomData<P>);

/// Makes the plugin and asks it.
fn ask<P: Integration, T, W: From<T>>(
    call: impl FnOnce(P) -> Result<T, Error>,
) -> Result<W, types::Error> {
    static PANICS: Once = Once::new();
    // The host sees a panic as a trap, and this target has no stderr of its own: the log is where the message can go.
    PANICS.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            log::write(log::Level::Error, &panic.to_string(), &[])
        }))
    });
    Ok(P::new().and_then(call)?.into())
}

impl<P: Integration> mapping_manual::Guest for Exported<P> {
    fn describe() -> Result<mapping_manual::Description, types::Error> {
        ask(|plugin: P| plugin.describe())
    }

    fn manual() -> Result<Vec<mapping_manual::ObjectMapping>, types::Error> {
        ask(|plugin: P| {
            Ok(plugin
                .manual()?
                .into_iter()
                .map(Into::into)
                .collect::<Vec<_>>())
        })
    }
}

impl<P: Integration> sync_report::Guest for Exported<P> {
    fn report(request: sync_report::Request) -> Result<sync_report::Page, types::Error> {
        ask(|plugin: P| plugin.report(request.into()))
    }
}

impl<P: Integration> order_execution::Guest for Exported<P> {
    fn execute(
        order: order_execution::Order,
    ) -> Result<Vec<order_execution::Answer>, types::Error> {
        ask(|plugin: P| {
            Ok(plugin
                .execute(order.into())?
                .into_iter()
                .map(Into::into)
                .collect::<Vec<_>>())
        })
    }

    fn collect(
        ticket: String,
        object: String,
        fields: Vec<String>,
    ) -> Result<order_execution::Collection, types::Error> {
        ask(|plugin: P| plugin.collect(&ticket, &object, &fields))
    }
}

impl<P: Lookup> lookup::Guest for Exported<P> {
    fn find(query: lookup::Query) -> Result<Vec<Vec<String>>, types::Error> {
        ask(|plugin: P| plugin.find(query.into()))
    }
}

impl<P: Webhook> webhook::Guest for Exported<P> {
    fn receive(request: webhook::Request) -> Result<webhook::Reaction, types::Error> {
        ask(|plugin: P| plugin.receive(request.into()))
    }
}

/// Makes a component of a plugin: `export!(MyPlugin)`, with optional interfaces `export!(MyPlugin: Lookup)`,
/// `export!(MyPlugin: Lookup + Webhook)`. Once in a crate.
///
/// The host takes what a component exports for what the plugin can do, so name an optional interface only if it is implemented.
#[macro_export]
macro_rules! export {
    ($plugin:ident $(: $($interface:ident)++)?) => {
        #[allow(unsafe_code, reason = "what a component exports is found by its raw name")]
        const _: () = {
            type Exported = $crate::__private::Exported<$plugin>;
            $crate::__private::integration::export_integration!(
                Exported with_types_in $crate::__private::integration
            );
            $($($crate::__export_optional!($interface Exported);)+)?
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_optional {
    (Lookup $exported:ident) => {
        const _: () = {
            $crate::__private::lookup::export_lookup!($exported with_types_in $crate::__private::lookup);
        };
    };
    (Webhook $exported:ident) => {
        const _: () = {
            $crate::__private::webhook::export_webhook!($exported with_types_in $crate::__private::webhook);
        };
    };
    ($other:ident $exported:ident) => {
        ::std::compile_error!(::std::concat!("'", ::std::stringify!($other), "' is no optional interface; there are Lookup and Webhook"));
    };
}
