//! Exports: from the component's functions to the traits that an author implements.

use std::marker::PhantomData;
use std::sync::Once;

use crate::bindings::integration::entente::integration::data;
use crate::bindings::integration::exports::entente::integration::{
    mapping_manual, order_execution, sync_report,
};
use crate::bindings::lookup::exports::entente::integration::lookup;
use crate::bindings::webhook::exports::entente::integration::webhook_draft;
use crate::{Error, Integration, Lookup, Webhook, log, turn};

/// Adapts a plugin to the generated traits.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exported<P>(PhantomData<P>);

/// Creates the plugin and calls it.
fn ask<P: Integration, T, W: From<T>>(
    limits: &data::Call,
    call: impl FnOnce(P) -> Result<T, Error>,
) -> Result<W, data::Error> {
    static PANICS: Once = Once::new();
    // The host sees a panic as a trap, and this target has no stderr: the message goes to the log.
    PANICS.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string(), &[])))
    });
    turn::begin(limits.deadline);
    Ok(P::new().and_then(call)?.into())
}

impl<P: Integration> mapping_manual::Guest for Exported<P> {
    fn describe(call: data::Call) -> Result<mapping_manual::Description, data::Error> {
        ask(&call, |plugin: P| plugin.describe())
    }

    fn manual(call: data::Call) -> Result<mapping_manual::Proposal, data::Error> {
        ask(&call, |plugin: P| plugin.manual())
    }
}

impl<P: Integration> sync_report::Guest for Exported<P> {
    fn report(request: sync_report::Request) -> Result<sync_report::Page, data::Error> {
        ask(&request.call.clone(), |plugin: P| plugin.report(request.into()))
    }
}

impl<P: Integration> order_execution::Guest for Exported<P> {
    fn execute(order: order_execution::Order) -> Result<order_execution::Execution, data::Error> {
        ask(&order.call.clone(), |plugin: P| plugin.execute(&order.into()))
    }

    fn collect(
        ticket: String,
        order: order_execution::Order,
    ) -> Result<order_execution::Collection, data::Error> {
        ask(&order.call.clone(), |plugin: P| plugin.collect(&ticket, &order.into()))
    }
}

impl<P: Lookup> lookup::Guest for Exported<P> {
    fn find(query: lookup::Query) -> Result<lookup::Found, data::Error> {
        ask(&query.call.clone(), |plugin: P| {
            Ok(lookup::Found { ids: plugin.find(query.into())?, extra: vec![] })
        })
    }
}

impl<P: Webhook> webhook_draft::Guest for Exported<P> {
    fn receive(request: webhook_draft::Request) -> Result<webhook_draft::Reaction, data::Error> {
        ask(&request.call.clone(), |plugin: P| plugin.receive(request.into()))
    }
}

/// Makes a component of a plugin: `export!(MyPlugin)`, with optional interfaces `export!(MyPlugin: Lookup)`,
/// `export!(MyPlugin: Lookup + Webhook)`. Once in a crate.
///
/// The host takes what a component exports for what the plugin can do, so name an optional interface only if
/// it is implemented.
#[macro_export]
macro_rules! export {
    ($plugin:ident $(: $first:ident $(+ $more:ident)*)?) => {
        const _: () = {
            type Plugin = $plugin;
            $crate::__export_one!(Integration Plugin);
            $(
                $crate::__export_one!($first Plugin);
                $($crate::__export_one!($more Plugin);)*
            )?
        };
    };
}

/// Exports an interface where there is a component. Elsewhere the raw names mean nothing, and linkers stumble
/// over them: there it is only checked that the interface is implemented.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_one {
    (Integration $plugin:ident) => {
        $crate::__export_one!(@ Integration $plugin integration export_integration);
    };
    (Lookup $plugin:ident) => {
        $crate::__export_one!(@ Lookup $plugin lookup export_lookup);
    };
    (Webhook $plugin:ident) => {
        $crate::__export_one!(@ Webhook $plugin webhook export_webhook);
    };
    (@ $interface:ident $plugin:ident $module:ident $export:ident) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "what a component exports is found by its raw name")]
        const _: () = {
            type Exported = $crate::__private::Exported<$plugin>;
            $crate::__private::$module::$export!(Exported with_types_in $crate::__private::$module);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = {
            fn implemented<P: $crate::$interface>() {}
            implemented::<$plugin>
        };
    };
    ($other:ident $plugin:ident) => {
        ::std::compile_error!(::std::concat!(
            "'", ::std::stringify!($other), "' is no optional interface; there are Lookup and Webhook"
        ));
    };
}
