//! The home folder of an installation: its layout, the keys, and the tenants in it.

pub(super) mod components;
pub(super) mod folder;
pub(super) mod key;
pub(super) mod tenants;
