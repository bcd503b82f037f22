//! The plugin interface, one module for each of its versions.

pub(crate) mod v0_1;
