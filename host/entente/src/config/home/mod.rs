//! The home folder: where everything is kept, the keys, and the tenants in it.

pub(super) mod components;
pub(super) mod folder;
pub(super) mod key;
pub(super) mod tenants;
