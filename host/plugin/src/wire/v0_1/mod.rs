//! Version 0.1 of the package `entente:integration`: generated bindings, and the conversion to and from the
//! host's own types. Nothing here is visible outside of `wire`.

mod bindings;
mod convert;
mod exports;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod imports;

use super::{Imports, Version};
use crate::component::interface::{Capability, Interface, Offer};

impl<T: Imports> Version<T> {
    /// Version 0.1.
    pub(super) const V0_1: Self =
        Self { interface: &INTERFACE, link: imports::link, exports: exports::exports };
}

/// What this version consists of; the files in `wit/` say the rest.
const INTERFACE: Interface = Interface {
    version: "0.1.0-draft.2",
    required: &["mapping-manual", "sync-report", "order-execution"],
    lookup: Some("lookup"),
    webhook: Some("webhook-draft"),
    types: &["data"],
    offers: &[
        Offer { interface: "log", capability: Capability::Log, functions: &["log"] },
        Offer { interface: "settings", capability: Capability::Settings, functions: &["get", "all"] },
        Offer {
            interface: "secrets",
            capability: Capability::Secrets,
            functions: &["use", "basic", "hmac-sha256", "matches"],
        },
        Offer {
            interface: "state",
            capability: Capability::State,
            functions: &["get", "set", "delete", "keys"],
        },
    ],
};
