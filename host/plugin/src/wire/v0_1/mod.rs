//! Version 0.1 of the package `entente:integration`: generated bindings, and the conversion from and to the
//! host's own types.

pub(crate) mod bindings;
pub(crate) mod convert;
pub(crate) mod host_api;
