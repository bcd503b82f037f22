//! The stored configuration of a tenant: one file per kind of thing.

pub(super) mod custom;
pub(super) mod description;
pub(super) mod health;
pub(super) mod integrations;
mod json;
pub(super) mod plugins;
pub(super) mod secrets;
pub(super) mod syncs;
pub(super) mod versions;
