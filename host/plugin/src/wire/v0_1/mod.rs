//! Version 0.1 of the package `entente:integration`: generated bindings, and the conversion to and from the
//! host's own types. Nothing here is visible outside of `wire`.

mod bindings;
mod convert;
mod exports;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod imports;

pub(super) use exports::exports;
pub(super) use imports::link;
