//! A change of grants: what the operator asks for, and what it comes to.

use super::asked::{add, grant_all, open_hosts, open_secrets, useless};
use super::notice::{IntegrationNotice, missing_secrets};
use crate::config::{Grants, Integration, SecretInfo};
use entente_core::Value;
use entente_plugin::{Manifest, SecretUse};
use entente_sync::Remedy;
use std::collections::BTreeMap;

/// A secret, and perhaps a host that it may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretPlace {
    /// Its name.
    pub secret: String,
    /// The host as a grant is written; `None` stands for every host that is granted, and for a secret that is
    /// never sent.
    pub host: Option<String>,
}

/// A change of grants, as the operator asks for it. What is taken away counts for more than what is granted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantRequest {
    /// Take all hosts and secrets away first.
    pub reset: bool,
    /// Grant everything that the plugin asks for.
    pub all: bool,
    /// Hosts to grant.
    pub hosts: Vec<String>,
    /// Secrets to grant.
    pub secrets: Vec<SecretPlace>,
    /// Hosts to take away, as their grants are written.
    pub no_hosts: Vec<String>,
    /// Secrets to take away, or single hosts of them.
    pub no_secrets: Vec<SecretPlace>,
    /// Whether it may keep a few bytes between runs; `None` leaves that as it is.
    pub state: Option<bool>,
}

impl GrantRequest {
    /// Whether it grants anything that the manifest must be read for. To take grants away one need not know what
    /// for they were.
    pub(crate) fn widens(&self) -> bool {
        self.all || !self.hosts.is_empty() || !self.secrets.is_empty()
    }
}

/// What one set of grants has and another has not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantDifference {
    /// Hosts that requests may be sent to.
    pub hosts: Vec<String>,
    /// Secrets, a line for each host that they may be sent to.
    pub secrets: Vec<SecretPlace>,
    /// Keeping a few bytes between runs.
    pub state: bool,
}

impl GrantDifference {
    /// What `grants` has beyond `others`.
    pub(crate) fn beyond(grants: &Grants, others: &Grants) -> Self {
        let mut secrets = Vec::new();
        for (secret, grant) in &grants.secrets {
            // Another header or parameter is another way out for the secret.
            let other = others
                .secrets
                .get(secret)
                .filter(|other| (&other.header, &other.query) == (&grant.header, &grant.query));
            let place = |host: Option<&String>| SecretPlace { secret: secret.clone(), host: host.cloned() };
            match other {
                None if grant.hosts.is_empty() => secrets.push(place(None)),
                other => {
                    let known = |host: &&String| other.is_some_and(|other| other.hosts.contains(host));
                    secrets
                        .extend(grant.hosts.iter().filter(|host| !known(host)).map(|host| place(Some(host))));
                }
            }
        }
        Self {
            hosts: grants.http.iter().filter(|host| !others.http.contains(host)).cloned().collect(),
            secrets,
            state: others.no_state && !grants.no_state,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.secrets.is_empty() && !self.state
    }
}

/// What a change of grants comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantDecision {
    /// The grants as they will be.
    pub grants: Grants,
    /// What they have and those before had not.
    pub widened: GrantDifference,
    /// What those before had and they have not.
    pub narrowed: GrantDifference,
    /// Hosts that the plugin asks for and that no grant names as they are.
    pub open_hosts: Vec<String>,
    /// Secrets that it asks for and that are not granted.
    pub open_secrets: Vec<String>,
    /// What the operator should know.
    pub notices: Vec<IntegrationNotice>,
}

/// Why a change of grants cannot be made as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefused {
    /// A host that is to be taken away is not granted.
    #[error("no grant is written '{host}'; there are: {}", granted.join(", "))]
    NoSuchHost {
        /// As it was given.
        host: String,
        /// What is granted.
        granted: Vec<String>,
    },
    /// A secret that is to be taken away is not granted.
    #[error("the secret '{0}' is not granted")]
    NoSuchSecret(String),
    /// A host that is to be taken away from a secret is none that it may be sent to.
    #[error("no grant of the secret '{secret}' is written '{host}'; there are: {}", granted.join(", "))]
    NoSuchPlace {
        /// The secret.
        secret: String,
        /// The host as it was given.
        host: String,
        /// What is granted.
        granted: Vec<String>,
    },
    /// A secret without a host, and none is granted.
    #[error("the secret '{secret}' needs a host that it may be sent to")]
    NeedsHost {
        /// The integration.
        integration: String,
        /// The secret.
        secret: String,
    },
}

impl GrantRefused {
    /// What can be done about it.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::NeedsHost { integration, secret } => {
                vec![Remedy::NameHost { integration: integration.clone(), secret: Some(secret.clone()) }]
            }
            Self::NoSuchHost { .. } | Self::NoSuchSecret(_) | Self::NoSuchPlace { .. } => Vec::new(),
        }
    }
}

/// Decides what a change of grants comes to. `secrets` are those that have a value.
///
/// # Errors
/// Where what is to be taken away is not granted, or a secret has nowhere to go.
pub(crate) fn decide_grant(
    integration: &Integration,
    manifest: &Manifest,
    secrets: &[SecretInfo],
    request: &GrantRequest,
) -> Result<GrantDecision, GrantRefused> {
    let mut grants = integration.grants.clone();
    if request.reset {
        (grants.http, grants.secrets) = Default::default();
    }
    // First, so that a host that the operator names is one that secrets may go to.
    add(&mut grants.http, request.hosts.iter().cloned());
    let left = match request.all {
        true => grant_all(&mut grants, manifest, &manifest.effective(&integration.settings)),
        false => Vec::new(),
    };
    widen(&mut grants, &integration.name, manifest, request)?;
    // Last: a no counts for more than a yes.
    narrow(&mut grants, request)?;
    grants.no_state = request.state.map_or(grants.no_state, |state| !state);
    // A value for one that is not asked for would be refused.
    let asked = grants.secrets.keys().filter(|secret| manifest.secret(secret).is_some());
    let mut notices = missing_secrets(asked, secrets);
    notices.extend(useless(manifest, &grants, integration));
    notices.extend(left);
    Ok(GrantDecision {
        widened: GrantDifference::beyond(&grants, &integration.grants),
        narrowed: GrantDifference::beyond(&integration.grants, &grants),
        open_hosts: open_hosts(manifest, &grants, &integration.settings),
        open_secrets: open_secrets(manifest, &grants),
        notices,
        grants,
    })
}

/// Decides what a new integration may reach: the hosts that are named, and these for the secrets that it is given;
/// with `all` also everything that the plugin asks for, to which the secrets go only as it asks. Tells what could
/// not be granted.
pub(crate) fn grants_of_new<'a>(
    manifest: &Manifest,
    settings: &BTreeMap<String, Value>,
    hosts: &[String],
    secrets: impl Iterator<Item = &'a String>,
    all: bool,
) -> (Grants, Vec<IntegrationNotice>) {
    let mut grants = Grants::default();
    add(&mut grants.http, hosts.iter().cloned());
    if !hosts.is_empty() {
        secrets.for_each(|secret| grant_secret(&mut grants, manifest, secret, hosts.to_vec()));
    }
    let left = if all { grant_all(&mut grants, manifest, &manifest.effective(settings)) } else { Vec::new() };
    (grants, left)
}

/// Adds where secrets may be sent.
fn widen(
    grants: &mut Grants,
    integration: &str,
    manifest: &Manifest,
    request: &GrantRequest,
) -> Result<(), GrantRefused> {
    for SecretPlace { secret, host } in &request.secrets {
        let hosts = match host {
            Some(host) => vec![host.clone()],
            None => grants.http.clone(),
        };
        if hosts.is_empty() && is_sent(manifest, secret) {
            let (integration, secret) = (integration.to_owned(), secret.clone());
            return Err(GrantRefused::NeedsHost { integration, secret });
        }
        grant_secret(grants, manifest, secret, hosts);
    }
    Ok(())
}

/// Whether a secret goes out with requests: unless the plugin asks only to have texts signed with it.
fn is_sent(manifest: &Manifest, secret: &str) -> bool {
    manifest.secret(secret).is_none_or(|ask| ask.usage == SecretUse::Send)
}

/// Lets a secret be sent to hosts, in the way that the plugin asks for.
fn grant_secret(grants: &mut Grants, manifest: &Manifest, secret: &str, hosts: Vec<String>) {
    let grant = grants.secrets.entry(secret.to_owned()).or_default();
    if let Some(ask) = manifest.secret(secret) {
        grant.header.clone_from(&ask.header);
        grant.query.clone_from(&ask.query);
    }
    if is_sent(manifest, secret) {
        add(&mut grant.hosts, hosts);
    }
}

/// Takes away hosts, and secrets or single hosts of them.
fn narrow(grants: &mut Grants, request: &GrantRequest) -> Result<(), GrantRefused> {
    for host in &request.no_hosts {
        take(&mut grants.http, host)
            .map_err(|granted| GrantRefused::NoSuchHost { host: host.clone(), granted })?;
    }
    for SecretPlace { secret, host } in &request.no_secrets {
        let Some(grant) = grants.secrets.get_mut(secret) else {
            return Err(GrantRefused::NoSuchSecret(secret.clone()));
        };
        if let Some(host) = host {
            take(&mut grant.hosts, host).map_err(|granted| GrantRefused::NoSuchPlace {
                secret: secret.clone(),
                host: host.clone(),
                granted,
            })?;
        }
        if host.is_none() || grant.hosts.is_empty() {
            grants.secrets.remove(secret);
        }
    }
    Ok(())
}

/// Takes a host out of a list; the list where it is not in it.
fn take(hosts: &mut Vec<String>, host: &str) -> Result<(), Vec<String>> {
    let before = hosts.len();
    hosts.retain(|granted| granted != host);
    if hosts.len() == before { Err(hosts.clone()) } else { Ok(()) }
}
