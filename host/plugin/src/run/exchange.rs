//! A plugin as an exchange, a side of a sync.

use super::error::Failure;
use super::guest::Guest;
use super::idle::Idle;
use super::instance::Instance;
use super::runtime::Plugin;
use crate::address::grant::HttpGrant;
use crate::component::interface::Capability;
use crate::egress::audit::{Audit, NoAudit};
use crate::egress::budget::{BudgetInMemory, CallBudget};
use crate::egress::{Channel, ChannelContext, Hosts, Lookup, Notice, Secret, SecretGrant, Vault};
use crate::fair::account::TenantAccount;
use crate::limits::{LimitReached, Limits};
use crate::wire::{Called, Functions, Refused, Speaker};
use async_trait::async_trait;
use entente_core::Value;
use entente_sync::{
    Collection, Description, Exchange, ExchangeError, Executed, Feature, Message, Order, Page,
    ProposedMapping, Query, Remedy, ReportRequest, StateWrites, codes,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use tokio::sync::Mutex;
use wasmtime::Store;

/// The settings and grants of one integration.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The name of the integration.
    pub integration: String,
    /// Its settings. The plugin sees those that its manifest names.
    pub settings: BTreeMap<String, Value>,
    /// Its secrets, by name.
    pub secrets: BTreeMap<String, Secret>,
    /// The grants of its secrets. A secret without a grant cannot be used.
    pub secret_grants: Vec<SecretGrant>,
    /// The hosts that it may send requests to, as far as its manifest asks for them.
    pub http: Vec<HttpGrant>,
    /// See [`Description::address`].
    pub address: Vec<String>,
    /// Whether state between calls is withheld.
    pub no_state: bool,
    /// Its limits.
    pub limits: Limits,
    /// The state that it kept in earlier runs.
    pub state: BTreeMap<String, Vec<u8>>,
    /// The account of its tenant, shared by all integrations and runs.
    pub account: Arc<TenantAccount>,
    /// Its call budget, shared by all users of the integration.
    pub budget: Arc<dyn CallBudget>,
    /// The audit log.
    pub audit: Arc<dyn Audit>,
}

impl Default for PluginConfig {
    /// No settings and no grants, with an account and a budget of its own.
    fn default() -> Self {
        Self {
            integration: String::new(),
            settings: BTreeMap::new(),
            secrets: BTreeMap::new(),
            secret_grants: Vec::new(),
            http: Vec::new(),
            address: Vec::new(),
            no_state: false,
            limits: Limits::default(),
            state: BTreeMap::new(),
            account: Arc::default(),
            budget: Arc::new(BudgetInMemory::default()),
            audit: Arc::new(NoAudit),
        }
    }
}

/// A plugin as a side of a sync. It has one instance, started by the first call, and replaced after every
/// failure; calls are serialised.
pub struct PluginExchange {
    address: Vec<String>,
    plugin: Arc<Plugin>,
    channel: Arc<Channel>,
    settings: Arc<BTreeMap<String, Value>>,
    limits: Limits,
    /// The error of every call, if the plugin requires a capability that is not granted.
    withheld: Option<ExchangeError>,
    /// The warm instance between calls.
    idle: Arc<Idle>,
    running: Mutex<Running>,
    /// The last crash.
    crash: std::sync::Mutex<Option<Message>>,
    /// The objects whose orders carry `base`; known after the first description.
    with_base: OnceLock<Vec<String>>,
    /// Consecutive empty pages of the current report.
    empty_pages: AtomicU64,
}

struct Running {
    /// The plugin's state, with the committed writes of this exchange.
    kept: Arc<BTreeMap<String, Vec<u8>>>,
    /// State written by calls whose results cannot carry it; committed with the next page or outcome.
    unsaved: StateWrites,
}

impl Running {
    /// Takes what a call has written.
    ///
    /// # Errors
    /// The limit `state-bytes`, where what is to be committed is twice as large: keys that were set and removed again leave
    /// marks, over any number of calls that save nothing.
    fn write(&mut self, written: StateWrites, limits: &Limits) -> Result<(), LimitReached> {
        if written.is_empty() {
            return Ok(());
        }
        let kept = Arc::make_mut(&mut self.kept);
        for (key, value) in &written {
            match value {
                Some(value) => kept.insert(key.clone(), value.clone()),
                None => kept.remove(key),
            };
        }
        self.unsaved.extend(written);
        let size = |(key, value): (&String, &Option<Vec<u8>>)| key.len() + value.as_ref().map_or(0, Vec::len);
        let held = self.unsaved.iter().map(size).sum::<usize>() as u64;
        match held > limits.state_bytes.saturating_mul(2) {
            true => Err(limits.state_bytes(Some(held))),
            false => Ok(()),
        }
    }
}

impl PluginExchange {
    pub(crate) fn new(plugin: Arc<Plugin>, lookup: Lookup, config: PluginConfig) -> Self {
        let manifest = &plugin.inspection.manifest;
        let settings = manifest.effective(&config.settings);
        let vault = Vault::new(config.secrets, config.secret_grants, &manifest.secrets, &settings);
        let hosts = Hosts {
            asked: manifest.hosts_with(&settings),
            granted: config.http,
            headers: manifest.headers.clone(),
        };
        let withheld = (config.no_state && plugin.inspection.asks.contains(&Capability::State)).then(|| {
            let reason = "the plugin needs to keep a few bytes between runs, which is not granted";
            let remedy = Remedy::GrantState { integration: config.integration.clone() };
            ExchangeError::new(codes::MISCONFIGURED, reason).with([remedy])
        });
        let digest = plugin.inspection.digest.as_str();
        let context =
            ChannelContext { digest, account: config.account, budget: config.budget, audit: config.audit };
        let channel = Channel::new(config.integration, vault, hosts, config.limits.clone(), lookup, context);
        Self {
            idle: Idle::new(Arc::clone(&channel.account)),
            channel: Arc::new(channel),
            plugin,
            settings: Arc::new(settings),
            withheld,
            address: config.address,
            limits: config.limits,
            running: Mutex::new(Running { kept: Arc::new(config.state), unsaved: StateWrites::new() }),
            crash: std::sync::Mutex::default(),
            with_base: OnceLock::new(),
            empty_pages: AtomicU64::new(0),
        }
    }

    /// The last crash or limit of the plugin in this exchange.
    pub fn crash(&self) -> Option<Message> {
        self.crash.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn explain(&self, failure: Failure, function: &str, notices: &[Notice]) -> ExchangeError {
        let crashed =
            matches!(failure, Failure::Trap(_) | Failure::Limit(_) | Failure::Refused(Refused::Limit(_)));
        let error = failure.explain(function, &self.channel, &self.limits, notices);
        if crashed {
            *self.crash.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Message::new(error.told(), error.remedies.iter().cloned()));
        }
        error
    }

    /// The warm instance, if there is one that may take another call.
    async fn warm(&self) -> Option<Instance> {
        match self.idle.take() {
            Some(instance) if !instance.is_fresh() => {
                instance.retire().await;
                None
            }
            warm => warm,
        }
    }

    /// One call: takes the warm instance or starts one, calls it under deadlines, and validates the result.
    /// `save` tells whether the result carries state; `accept` is the final check of a valid result.
    async fn call<Q: ?Sized + Sync, U: Send>(
        &self,
        function: &'static str,
        save: bool,
        asked: &Q,
        call: impl for<'a> FnOnce(&'a dyn Functions<Guest>, &'a mut Store<Guest>) -> Called<'a, Q, U> + Send,
        accept: impl FnOnce(U) -> Result<U, Refused> + Send,
    ) -> Result<(U, StateWrites), ExchangeError> {
        if let Some(withheld) = &self.withheld {
            return Err(withheld.clone());
        }
        let mut running = self.running.lock().await;
        let kept = Arc::clone(&running.kept);
        // Taken out: if this future is dropped during a call, the instance is dropped with it.
        let mut instance = match self.warm().await {
            Some(instance) => instance,
            None => Instance::start(
                &self.plugin,
                Arc::clone(&self.channel),
                Arc::clone(&self.settings),
                &self.limits,
            )
            .await
            .map_err(|failure| self.explain(failure, "its start", &[]))?,
        };
        let answered = match instance.call(kept, call).await {
            Ok(Ok(unchecked)) => {
                let speaker =
                    Speaker { integration: &self.channel.integration, channel: Some(&self.channel) };
                let checked = unchecked(asked, &self.limits, &speaker);
                checked.and_then(accept).map_err(Failure::from)
            }
            Ok(Err(error)) => Err(Failure::Plugin(error)),
            Err(failure) => Err(failure),
        };
        instance.settle();
        let notices = instance.store.data().egress.notices();
        let refused = instance.store.data().egress.unauthorized();
        let written = instance.store.data_mut().state.take();
        match answered {
            Ok(answer) => {
                self.idle.put(instance);
                if let Err(limit) = running.write(written, &self.limits) {
                    return Err(self.explain(Failure::Limit(limit), function, &notices));
                }
                let state = if save { std::mem::take(&mut running.unsaved) } else { StateWrites::new() };
                Ok((answer, state))
            }
            Err(failure) => {
                // After an error that the plugin returned, its instance stays usable; every other failure
                // ends it.
                if matches!(failure, Failure::Plugin(_)) {
                    self.idle.put(instance);
                } else {
                    instance.end().await;
                }
                let error = self.with_keys(self.explain(failure, function, &notices), refused);
                Err(if notices.is_empty() { self.hold(error).await } else { error })
            }
        }
    }

    /// Adds how to set the secrets that the plugin sends where the remote system refuses them: by the plugin's word, or
    /// with the answer 401 (`refused`), whatever the plugin made of it.
    fn with_keys(&self, error: ExchangeError, refused: bool) -> ExchangeError {
        let passes = error.is_transient() || [codes::CURSOR_EXPIRED, codes::LIMIT].contains(&&*error.code);
        let of_key = [codes::UNAUTHORIZED, codes::FORBIDDEN].contains(&&*error.code);
        if !of_key && (!refused || passes) {
            return error;
        }
        let set = |secret: &str| Remedy::SetSecret {
            integration: self.channel.integration.clone(),
            secret: secret.to_owned(),
        };
        let new = self.channel.vault.sent().map(set).filter(|remedy| !error.remedies.contains(remedy));
        let new: Vec<Remedy> = new.collect();
        error.with(new)
    }

    /// Notes that the remote system takes no calls for as long as the plugin says: all syncs and processes call by
    /// the same credential, and so would the next command.
    async fn hold(&self, error: ExchangeError) -> ExchangeError {
        let Some(after) = error.after.filter(|after| error.code == codes::RATE_LIMITED && !after.is_zero())
        else {
            return error;
        };
        match self.channel.calls.hold(after, &error.told()).await {
            Ok(held) => {
                let mut error = error;
                error.push_reason(&format!("it takes no calls before {}", held.until));
                let integration = self.channel.integration.clone();
                let remedy = Remedy::Resume { integration, until: Some(held.until) };
                error.with([remedy])
            }
            Err(failed) => {
                tracing::warn!(error = %failed, "that a remote system takes no calls could not be noted");
                error
            }
        }
    }

    /// Counts consecutive empty pages that are not the last one.
    fn counted(&self, request: &ReportRequest, page: Page) -> Result<Page, Refused> {
        let has_something = page
            .batches
            .iter()
            .any(|batch| !(batch.rows.is_empty() && batch.bad.is_empty() && batch.deleted.is_empty()))
            || !page.conversions.is_empty();
        let before = if request.cursor.is_some() { self.empty_pages.load(Ordering::Relaxed) } else { 0 };
        let empty = if has_something || page.next.is_none() { 0 } else { before + 1 };
        self.empty_pages.store(empty, Ordering::Relaxed);
        if empty > self.limits.pages_without_progress {
            return Err(Refused::Limit(self.limits.pages_without_progress(None)));
        }
        Ok(page)
    }

    async fn wants_base(&self, object: &str) -> Result<bool, ExchangeError> {
        if self.with_base.get().is_none() {
            self.describe().await?;
        }
        Ok(self.with_base.get().is_some_and(|objects| objects.iter().any(|name| name == object)))
    }
}

#[async_trait]
impl Exchange for PluginExchange {
    fn name(&self) -> &str {
        &self.channel.integration
    }

    async fn describe(&self) -> Result<Description, ExchangeError> {
        let called =
            self.call("describe", false, &(), |plugin, store| plugin.describe(store, &self.limits), Ok);
        let (mut description, _) = called.await?;
        description.address.clone_from(&self.address);
        // Here, so that no mapping and no order can name what the operator has not been shown.
        self.plugin.inspection.manifest.narrow(&mut description.objects);
        let objects = description
            .objects
            .iter()
            .filter(|object| object.has(Feature::BaseValues))
            .map(|object| object.name.clone());
        // The first description is valid for the life of the exchange, which is one run.
        let _ = self.with_base.set(objects.collect());
        Ok(description)
    }

    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError> {
        let called = self.call("manual", false, &(), |plugin, store| plugin.manual(store, &self.limits), Ok);
        Ok(called.await?.0)
    }

    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        let called = self.call(
            "report",
            true,
            request,
            |plugin, store| plugin.report(store, request, &self.limits),
            |page| self.counted(request, page),
        );
        let (page, state) = called.await?;
        Ok(Page { state, ..page })
    }

    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError> {
        let base = order.changes.iter().any(|change| !change.base.is_empty())
            && self.wants_base(&order.object).await?;
        let called = self.call(
            "execute",
            true,
            order,
            |plugin, store| plugin.execute(store, order, base, &self.limits),
            Ok,
        );
        let (execution, state) = called.await?;
        let stopped = match execution.stopped {
            Some(error) => {
                let error = self.explain(Failure::Plugin(error), "execute", &[]);
                Some(self.hold(self.with_keys(error, false)).await)
            }
            None => None,
        };
        Ok(Executed { answers: execution.answers, stopped, state })
    }

    async fn collect(&self, ticket: &str, order: &Order) -> Result<Collection, ExchangeError> {
        let called = self.call(
            "collect",
            false,
            order,
            |plugin, store| plugin.collect(store, ticket, order, &self.limits),
            Ok,
        );
        Ok(called.await?.0)
    }

    fn can_find(&self) -> bool {
        self.plugin.inspection.lookup
    }

    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        if !self.can_find() {
            return Err(ExchangeError::new(codes::UNSUPPORTED, "the plugin does not export lookup"));
        }
        let called =
            self.call("find", false, query, |plugin, store| plugin.find(store, query, &self.limits), Ok);
        Ok(called.await?.0)
    }
}
