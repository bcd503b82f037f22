//! Linking: the imports that a plugin's manifest asks for, and no others.

use super::guest::Guest;
use crate::component::manifest::Manifest;
use crate::wire::{self, Optional};
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

/// A linker with the imports for these capabilities; no other host function can be called. A linker is never
/// cloned.
pub(crate) fn linker(engine: &Engine, capabilities: Capabilities) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    // All of WASI 0.2, which several languages import unasked. The store's context grants none of it.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    if capabilities.http {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    }
    wire::link(&mut linker, Optional { secrets: capabilities.secrets, state: capabilities.state })?;
    Ok(linker)
}
