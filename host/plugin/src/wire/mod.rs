//! The plugin interface (WIT), one folder for each of its versions.
//!
//! This module is common to all versions, and uses the host's own types only. Generated bindings stay within
//! the folder of their version, behind three items: its [`Interface`] names what it consists of, `link`
//! provides the imports of plugins, and `exports` finds their exports, which [`Functions`] calls. [`Version::SPOKEN`]
//! lists the versions; which of them runs a component is decided by the version that its inspection found.
//!
//! To add a version, add a folder beside `v0_1`, and its line in [`Version::SPOKEN`]. `made_up` is such a folder,
//! for tests only: another interface altogether, which is spoken beside the real one there.

mod lift;
#[cfg(test)]
pub(crate) mod made_up;
pub(crate) mod v0_1;

use crate::component::inspect::Inspection;
use crate::component::interface::Interface;
use crate::egress::Channel;
use crate::egress::SecretError;
use crate::limits::{LimitReached, Limits};
use entente_core::Value;
use entente_sync::{Answer, Collection, Description, Order, Page, ProposedMapping, Query, ReportRequest};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use tracing::Level;
use wasmtime::component::{Instance, InstancePre, Linker};
use wasmtime::{Result as WasmResult, Store};

/// The imports that the host provides, whatever the version; implemented by the store data.
pub(crate) trait Imports: Send + 'static {
    /// Writes a log line.
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]);
    /// The settings that its manifest names.
    fn settings(&self) -> &BTreeMap<String, Value>;
    /// A placeholder for a secret; with `user`, for the complete value of a Basic `authorization` header. The
    /// limit ends the call.
    fn placeholder(
        &mut self,
        secret: &str,
        user: Option<&str>,
    ) -> Result<Result<String, SecretError>, LimitReached>;
    /// HMAC-SHA-256 with a signing key.
    fn hmac_sha256(&self, secret: &str, data: &[u8]) -> Result<Vec<u8>, SecretError>;
    /// Compares a text with a secret in constant time. The limit ends the call.
    fn matches(&mut self, secret: &str, candidate: &str) -> Result<Result<bool, SecretError>, LimitReached>;
    /// The value of a key in the plugin's state.
    fn state_get(&self, key: &str) -> Option<Vec<u8>>;
    /// Sets a key in the plugin's state.
    fn state_set(&mut self, key: String, value: Vec<u8>) -> Result<(), LimitReached>;
    /// Deletes a key of the plugin's state.
    fn state_delete(&mut self, key: String) -> Result<(), LimitReached>;
    /// The keys of the plugin's state with this prefix.
    fn state_keys(&self, prefix: &str) -> Vec<String>;
}

/// Which optional imports are linked; what is not linked cannot be called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Optional {
    pub(crate) secrets: bool,
    pub(crate) state: bool,
}

/// An error that a plugin returned, not validated yet.
#[derive(Debug)]
pub(crate) struct PluginError {
    pub(crate) code: String,
    pub(crate) reason: String,
    /// Seconds after which to call again.
    pub(crate) after: Option<u32>,
    /// The object that it is about.
    pub(crate) object: Option<String>,
}

/// What became of an order.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) answers: Vec<Answer>,
    /// Why it was not carried out to its end.
    pub(crate) stopped: Option<PluginError>,
}

/// Why a result of a plugin is refused.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It exceeds a limit.
    Limit(LimitReached),
    /// It is malformed.
    Invalid(String),
}

impl From<LimitReached> for Refused {
    fn from(limit: LimitReached) -> Self {
        Refused::Limit(limit)
    }
}

/// Who gave a result.
#[derive(Clone, Copy)]
pub(crate) struct Speaker<'a> {
    /// The integration.
    pub(crate) integration: &'a str,
    /// Its channel: what looks for its secrets in texts that operators read, since it may have found one out, and what tells the
    /// operator. `None`: it has no secrets, and nobody is told.
    pub(crate) channel: Option<&'a Channel>,
}

/// A result that is not validated yet. It is checked against the request (`Q`) after the call has released
/// its CPU permit, so that the host's own work is not charged to the plugin.
pub(crate) type Unchecked<Q, T> = Box<dyn FnOnce(&Q, &Limits, &Speaker<'_>) -> Result<T, Refused> + Send>;

/// A call in progress. The outer error is a trap or a limit, after which the store is dropped.
pub(crate) type Called<'a, Q, T> = BoxFuture<'a, WasmResult<Result<Unchecked<Q, T>, PluginError>>>;

/// The exported functions of one instance.
pub(crate) trait Functions<T>: Send + Sync {
    /// Checks the types of all exported interfaces.
    fn check_types(&self, store: &mut Store<T>) -> WasmResult<()>;
    fn describe<'a>(&'a self, store: &'a mut Store<T>, limits: &Limits) -> Called<'a, (), Description>;
    fn manual<'a>(&'a self, store: &'a mut Store<T>, limits: &Limits)
    -> Called<'a, (), Vec<ProposedMapping>>;
    fn report<'a>(
        &'a self,
        store: &'a mut Store<T>,
        request: &ReportRequest,
        limits: &Limits,
    ) -> Called<'a, ReportRequest, Page>;
    /// `with_base`: whether the values that the changes are based on are passed.
    fn execute<'a>(
        &'a self,
        store: &'a mut Store<T>,
        order: &Order,
        with_base: bool,
        limits: &Limits,
    ) -> Called<'a, Order, Execution>;
    /// `order`: the changes that are still open.
    fn collect<'a>(
        &'a self,
        store: &'a mut Store<T>,
        ticket: &str,
        order: &Order,
        limits: &Limits,
    ) -> Called<'a, Order, Collection>;
    fn find<'a>(
        &'a self,
        store: &'a mut Store<T>,
        query: &Query,
        limits: &Limits,
    ) -> Called<'a, Query, Vec<Vec<String>>>;
}

/// The exports of a component, looked up once for all its instances.
pub(crate) type Exports<T> = Box<dyn Fn(Instance) -> Box<dyn Functions<T>> + Send + Sync>;

/// A version of the interface that a host speaks.
pub(crate) struct Version<T: 'static> {
    /// What it consists of.
    pub(crate) interface: &'static Interface,
    link: fn(&mut Linker<T>, Optional) -> WasmResult<()>,
    exports: fn(&InstancePre<T>, &Inspection) -> WasmResult<Exports<T>>,
}

impl<T: Imports> Version<T> {
    /// Every version that this host speaks, the newest last; one for each track of Semantic Versioning.
    pub(crate) const SPOKEN: &'static [Self] = &[Self::V0_1];

    /// Adds the imports of this version to a linker.
    pub(crate) fn link(&self, linker: &mut Linker<T>, optional: Optional) -> WasmResult<()> {
        (self.link)(linker, optional)
    }

    /// Looks up the exports of a component that is written for this version.
    pub(crate) fn exports(&self, pre: &InstancePre<T>, inspection: &Inspection) -> WasmResult<Exports<T>> {
        (self.exports)(pre, inspection)
    }
}
