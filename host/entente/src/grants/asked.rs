//! What a plugin asks for, beside what is granted: granting all of it, what is still open, and grants that it has
//! no use for.

use super::notice::IntegrationNotice;
use crate::config::{Grants, Integration};
use entente_core::Value;
use entente_plugin::{AskedHost, HttpGrant, Manifest, fill};
use std::collections::{BTreeMap, BTreeSet};

/// Adds what is not there yet, in its order.
pub(super) fn add(hosts: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for host in more {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
}

/// Adds everything that a manifest asks for, as far as the settings, with their defaults, say where. Tells what could not be granted:
/// any host, and hosts of this machine and of private networks that the operator has not named.
pub(super) fn grant_all(
    grants: &mut Grants,
    manifest: &Manifest,
    settings: &BTreeMap<String, Value>,
) -> Vec<IntegrationNotice> {
    let mut left = BTreeSet::new();
    let as_shown = |host: &String| host.parse().map_or(host.clone(), |host: HttpGrant| host.to_string());
    let named: BTreeSet<String> = grants.http.iter().map(as_shown).collect();
    let mut hosts_of = |addresses: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        let host_of = |address: &str| match AskedHost::of(address, settings) {
            Some(AskedHost::Only(host)) => {
                let (text, why) = (host.to_string(), host.not_public());
                match why.filter(|_| !named.contains(&text)) {
                    Some(why) => {
                        left.insert(IntegrationNotice::HostNotPublic { host: text, why });
                        None
                    }
                    None => Some(text),
                }
            }
            Some(AskedHost::Any) => {
                left.insert(IntegrationNotice::AnyHost);
                None
            }
            None => {
                left.insert(IntegrationNotice::HostUnknown { address: address.to_owned() });
                None
            }
        };
        addresses.filter_map(host_of).collect()
    };
    add(&mut grants.http, hosts_of(&mut manifest.hosts.iter().map(|host| host.address.as_str())));
    for ask in &manifest.secrets {
        let hosts = &mut ask.hosts.iter().map(String::as_str).filter(|host| *host != "*");
        let mut hosts = hosts_of(hosts);
        if ask.hosts.iter().any(|host| host == "*") {
            hosts.extend(grants.http.iter().cloned());
        }
        let grant = grants.secrets.entry(ask.name.clone()).or_default();
        grant.header.clone_from(&ask.header);
        grant.query.clone_from(&ask.query);
        add(&mut grant.hosts, hosts);
    }
    grants.no_state &= manifest.state.is_none();
    left.into_iter().collect()
}

/// Hosts that are asked for and that no grant names. A wider grant may cover one; this only helps to see what is
/// missing.
pub(super) fn open_hosts(
    manifest: &Manifest,
    grants: &Grants,
    settings: &BTreeMap<String, Value>,
) -> Vec<String> {
    let hosts = manifest.hosts_with(settings).into_iter().filter_map(|host| match host {
        AskedHost::Only(host) => Some(host.to_string()),
        AskedHost::Any => None,
    });
    hosts.filter(|host| !grants.http.contains(host)).collect()
}

/// Secrets that are asked for and not granted.
pub(super) fn open_secrets(manifest: &Manifest, grants: &Grants) -> Vec<String> {
    let asked = manifest.secrets.iter().map(|ask| &ask.name);
    asked.filter(|name| !grants.secrets.contains_key(*name)).cloned().collect()
}

/// Grants that the plugin has no use for, since it does not ask for them.
pub(super) fn useless(
    manifest: &Manifest,
    grants: &Grants,
    integration: &Integration,
) -> Vec<IntegrationNotice> {
    let mut useless = Vec::new();
    if !grants.http.is_empty() && manifest.hosts.is_empty() {
        useless.push(IntegrationNotice::NoHostAsked);
    }
    let asked: Vec<AskedHost> = manifest.hosts_with(&integration.settings);
    let is_asked_for = |granted: &HttpGrant| {
        asked.iter().any(|asked| match asked {
            AskedHost::Any => true,
            AskedHost::Only(asked) => asked.overlaps(granted),
        })
    };
    let of_secrets = grants.secrets.values().flat_map(|grant| &grant.hosts);
    let granted: BTreeSet<&String> =
        grants.http.iter().chain(of_secrets).filter(|_| !manifest.hosts.is_empty()).collect();
    let settings = manifest.effective(&integration.settings);
    for host in granted {
        if let Some(grant) = fill(host, &settings).ok().and_then(|text| text.parse().ok())
            && !is_asked_for(&grant)
        {
            useless.push(IntegrationNotice::HostNotAsked { host: host.clone() });
        }
    }
    let secrets = grants.secrets.keys().filter(|secret| manifest.secret(secret).is_none());
    useless.extend(secrets.map(|secret| IntegrationNotice::SecretNotAsked { secret: secret.clone() }));
    useless
}
