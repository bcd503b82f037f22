//! Linking: the imports that a plugin's manifest asks for, in the version that it is written for, and no others.

use super::guest::Guest;
use crate::component::manifest::Manifest;
use crate::wire::{Optional, Version};
use wasmtime::component::Linker;
use wasmtime::{Engine, Result};

/// The capabilities of a plugin: which optional imports are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Capabilities {
    http: bool,
    secrets: bool,
    state: bool,
}

impl Capabilities {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self {
            http: !manifest.hosts.is_empty(),
            secrets: !manifest.secrets.is_empty(),
            state: manifest.state.is_some(),
        }
    }
}

/// The versions of the interface that a runtime speaks.
pub(crate) type Versions = &'static [Version<Guest>];

/// The versions that this host speaks.
pub(crate) const SPOKEN: Versions = Version::<Guest>::SPOKEN;

/// The versions of the package `entente:integration` that this host runs, the newest last.
pub const KNOWN_VERSIONS: &[&str] = &{
    let mut known = [""; SPOKEN.len()];
    let mut at = 0;
    while at < known.len() {
        known[at] = SPOKEN[at].interface.version;
        at += 1;
    }
    known
};

/// A linker with the imports for these capabilities; no other host function can be called. A linker is never
/// cloned.
pub(crate) fn linker(
    engine: &Engine,
    capabilities: Capabilities,
    version: &Version<Guest>,
) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    // All of WASI 0.2, which several languages import unasked. The store's context grants none of it.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    if capabilities.http {
        super::http::link(&mut linker)?;
    }
    version.link(&mut linker, Optional { secrets: capabilities.secrets, state: capabilities.state })?;
    Ok(linker)
}
