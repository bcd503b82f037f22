//! The HTTP channel of an integration: its connections, secrets and quotas.

use super::audit::{Audit, AuditContext};
use super::budget::{CallBudget, Calls};
use super::hosts::Hosts;
use super::notice::Notice;
use super::resolve::{Checked, Lookup};
use super::scrub::Scrubber;
use super::secrets::Vault;
use crate::address::grant::Target;
use crate::fair::account::TenantAccount;
use crate::limits::Limits;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::Error;

/// The HTTP channel of an integration: connection pools, secrets and quotas that no other integration shares.
pub(crate) struct Channel {
    pub(crate) integration: String,
    pub(crate) vault: Vault,
    /// All secrets, for what operators read: log lines and errors.
    pub(crate) scrubber: Option<Scrubber>,
    /// For answers: by the names of the secrets that are looked for.
    scrubbers: Mutex<HashMap<Vec<String>, Option<Scrubber>>>,
    pub(crate) account: Arc<TenantAccount>,
    pub(crate) audit: AuditContext,
    pub(crate) calls: Calls,
    pub(super) limits: Limits,
    pub(super) hosts: Arc<Hosts>,
    lookup: Lookup,
    /// Clients by scheme and port: which addresses are allowed depends on the port, but a resolver is told
    /// the name only.
    clients: Mutex<HashMap<(bool, u16), reqwest::Client>>,
    pub(super) parallel: Arc<Semaphore>,
    pub(super) read_ahead: Arc<Semaphore>,
    /// The denials that were told on the terminal; all are counted in the books.
    denials: Mutex<Told>,
    /// What was told there of answers that were left out in part.
    warnings: Mutex<Told>,
}

/// Kinds of a thing that are told on the terminal.
const TOLD: usize = 20;

/// What was told on the terminal: each once, and not very many, since a plugin may do a thing a thousand times.
#[derive(Default)]
struct Told(BTreeSet<String>);

impl Told {
    /// Whether this is to be told, and, as the last one, that there is no more of its kind.
    fn add(&mut self, text: &str) -> (bool, bool) {
        let new = self.0.len() < TOLD && self.0.insert(text.to_owned());
        (new, new && self.0.len() == TOLD)
    }
}

/// The context that an integration shares with others.
pub(crate) struct ChannelContext<'a> {
    pub(crate) digest: &'a str,
    pub(crate) account: Arc<TenantAccount>,
    pub(crate) budget: Arc<dyn CallBudget>,
    pub(crate) audit: Arc<dyn Audit>,
}

impl Channel {
    pub(crate) fn new(
        integration: String,
        vault: Vault,
        hosts: Hosts,
        limits: Limits,
        lookup: Lookup,
        context: ChannelContext<'_>,
    ) -> Self {
        let ChannelContext { digest, account, budget, audit } = context;
        let permits = |count: u64| {
            Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)))
        };
        Self {
            audit: AuditContext {
                audit,
                tenant: account.tenant().into(),
                integration: integration.as_str().into(),
                plugin: digest.into(),
            },
            calls: Calls::new(&integration, &limits, budget),
            account,
            integration,
            scrubber: Scrubber::new(vault.secrets()),
            scrubbers: Mutex::default(),
            vault,
            hosts: Arc::new(hosts),
            lookup,
            clients: Mutex::default(),
            parallel: permits(limits.http_parallel),
            read_ahead: permits(limits.http_response_bytes),
            denials: Mutex::default(),
            warnings: Mutex::default(),
            limits,
        }
    }

    /// Tells the operator of a denial.
    pub(crate) fn tell(&self, notice: &Notice) {
        let (text, integration) = (self.masked(notice.text()), &self.integration);
        let (new, last) = self.denials.lock().unwrap_or_else(PoisonError::into_inner).add(&text);
        if new {
            // As data: whoever displays the line words the remedies.
            let remedies =
                self.masked(serde_json::to_string(&notice.remedies(integration)).unwrap_or_default());
            tracing::warn!(integration, %remedies, "{text}");
        }
        if last {
            tracing::warn!(
                integration,
                "more of its calls that are denied are counted in its books, and not told here"
            );
        }
    }

    /// Tells the operator of something that was left out of an answer.
    pub(crate) fn warn(&self, text: String) {
        let (text, integration) = (self.masked(text), &self.integration);
        let (new, last) = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).add(&text);
        if new {
            tracing::warn!(integration, "{text}");
        }
        if last {
            tracing::warn!(integration, "more that is left out of its answers is not told here");
        }
    }

    /// A text that operators read.
    fn masked(&self, text: String) -> String {
        match &self.scrubber {
            Some(scrubber) => scrubber.text(text),
            None => text,
        }
    }

    /// What looks for secrets in the answers of a host.
    pub(super) fn scrubber_of(&self, target: &Target) -> Option<Scrubber> {
        let names = self.vault.looked_for(target);
        let key = names.iter().map(|name| (*name).to_owned()).collect();
        let mut scrubbers = self.scrubbers.lock().unwrap_or_else(PoisonError::into_inner);
        scrubbers.entry(key).or_insert_with(|| Scrubber::new(self.vault.named(&names))).clone()
    }

    pub(super) fn client(&self, target: &Target) -> Result<reqwest::Client, Error> {
        let key = (target.https(), target.port());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        // The first call wins; every part of the program installs the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let checked = Checked {
            hosts: Arc::clone(&self.hosts),
            https: target.https(),
            port: target.port(),
            lookup: Arc::clone(&self.lookup),
            places: Arc::clone(&self.account.lookups),
        };
        let mut builder = reqwest::Client::builder()
            .dns_resolver(Arc::new(checked))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // More than the limit, so that it is this host that counts and tells how many; else hyper ends at 100.
            .http1_max_headers(
                usize::try_from(self.limits.http_headers).unwrap_or(usize::MAX).saturating_add(100),
            )
            .connect_timeout(Limits::time(self.limits.http_connect_time))
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(usize::try_from(self.limits.http_parallel).unwrap_or(usize::MAX));
        if !target.https() {
            // Without TLS the system's certificates are not needed, and they may be missing.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            tracing::warn!(integration = self.integration, %error, "no connections can be made from this machine; are the certificates of the system installed?");
            Error::ConfigurationError
        })?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}
