//! A version of the interface that was made up for the tests: other interfaces, records and functions, turned
//! into the same types of the host. It is compiled for tests only, and no program speaks it.

mod bindings;
mod convert;
mod exports;
mod imports;

use super::{Imports, Version};
use crate::component::interface::{Capability, Interface, Offer};

const INTERFACE: Interface = Interface {
    version: "0.2.1",
    required: &["shelf"],
    lookup: None,
    webhook: None,
    types: &["things"],
    offers: &[Offer { interface: "desk", capability: Capability::Settings, functions: &["note", "ask"] }],
};

impl<T: Imports> Version<T> {
    /// The versions of a host that speaks it beside the real ones.
    pub(crate) const WITH_MADE_UP: &'static [Self] =
        &[Self::V0_1, Self { interface: &INTERFACE, link: imports::link, exports: exports::exports }];
}
