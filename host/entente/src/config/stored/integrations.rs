//! Integrations: a plugin with name, settings and grants.

use super::json::{from_json, to_json};
use super::syncs;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use crate::config::names::{check_integration_name, check_name, known};
use entente_core::{Timestamp, Value};
use entente_sqlite::{IntegrationRow, Session};
use entente_sync::Remedy;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A configured plugin. Its secrets are stored apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Integration {
    /// Its name, which syncs refer to.
    pub name: String,
    /// The name of the plugin.
    pub plugin: String,
    /// The digest of its component. It changes only by `entente integration upgrade`.
    pub digest: String,
    /// Whether it may run.
    pub enabled: bool,
    /// The values that the plugin reads through `settings`.
    pub settings: BTreeMap<String, Value>,
    /// What it is allowed.
    pub grants: Grants,
}

/// The grants of an integration. Whatever is not listed is denied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    /// The hosts that it may send requests to: `https://api.example.com`, `https://*.example.com`,
    /// `https://{dc}.api.example.com`.
    #[serde(default)]
    pub http: Vec<String>,
    /// The hosts that each secret may be sent to.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretGrant>,
    /// Whether it is denied state between calls, although its manifest asks for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_state: bool,
}

/// The grant of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecretGrant {
    /// The hosts that it may be sent to, as patterns.
    pub hosts: Vec<String>,
    /// The only header that it may be sent in; `None`: as the plugin's manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The query parameter that it may be sent in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Checks that a pattern can be a grant: scheme, host, optional port; plain http only for a literal host.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!(
            "'{pattern}' is no grant: {why}; write for example https://api.example.com or https://*.example.com"
        ))
    };
    let (plain, rest) = match (pattern.strip_prefix("https://"), pattern.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return wrong("it does not begin with https:// (or http://)"),
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.is_empty() || host.starts_with(':') {
        return wrong("it names no host");
    }
    if host.contains(['/', '?', '#', '@']) {
        return wrong("it may name scheme, host and port, nothing else");
    }
    if host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return wrong("a host has no such characters");
    }
    if host == "*" || host == "*." {
        return wrong("it would allow every host");
    }
    if plain && host.contains('*') {
        return wrong("plain http is granted host by host, without wildcards");
    }
    Ok(())
}

fn parse(row: IntegrationRow) -> Result<Integration, ConfigError> {
    let what = |what: &str| format!("{what} of integration '{}'", row.name);
    Ok(Integration {
        settings: from_json(|| what("settings"), &row.settings)?,
        grants: from_json(|| what("grants"), &row.grants)?,
        name: row.name,
        plugin: row.plugin,
        digest: row.digest,
        enabled: row.enabled,
    })
}

/// All integrations, by name.
pub(crate) fn list(session: Session<'_>) -> Result<Vec<Integration>, ConfigError> {
    session.integrations()?.into_iter().map(parse).collect()
}

/// The integration of this name; `None` where there is none.
pub(crate) fn find(session: Session<'_>, name: &str) -> Result<Option<Integration>, ConfigError> {
    session.integration(name)?.map(parse).transpose()
}

/// The integration of this name.
pub(crate) fn get(session: Session<'_>, name: &str) -> Result<Integration, ConfigError> {
    if let Some(integration) = find(session, name)? {
        return Ok(integration);
    }
    Err(unknown(session, name)?)
}

fn unknown(session: Session<'_>, name: &str) -> Result<ConfigError, ConfigError> {
    let there = session.integrations()?;
    let known = known(name, there.iter().map(|integration| integration.name.as_str()));
    let remedies = if there.is_empty() { vec![Remedy::AddIntegration { plugin: None }] } else { Vec::new() };
    Ok(ConfigError::Unknown { what: "integration", name: name.to_owned(), known, remedies })
}

/// Stores an integration, new or changed.
pub(crate) fn put(session: Session<'_>, integration: &Integration) -> Result<(), ConfigError> {
    check(integration).map_err(ConfigError::Name)?;
    session.put_integration(&IntegrationRow {
        name: integration.name.clone(),
        plugin: integration.plugin.clone(),
        digest: integration.digest.clone(),
        enabled: integration.enabled,
        settings: to_json("integration", &integration.settings)?,
        grants: to_json("integration", &integration.grants)?,
    })?;
    Ok(())
}

/// Checks the names and patterns of an integration.
fn check(integration: &Integration) -> Result<(), String> {
    check_integration_name(&integration.name)?;
    for name in integration.settings.keys() {
        check_setting_name(name)?;
    }
    for pattern in integration
        .grants
        .http
        .iter()
        .chain(integration.grants.secrets.values().flat_map(|grant| &grant.hosts))
    {
        check_pattern(pattern)?;
    }
    for name in integration.grants.secrets.keys() {
        check_name("secret", name)?;
    }
    Ok(())
}

/// Checks the name of a setting: as other names, and dots, which plugin authors like.
pub(crate) fn check_setting_name(name: &str) -> Result<(), String> {
    check_name("setting", &name.replace('.', "-"))
}

/// Removes an integration with its settings, grants and secrets.
pub(crate) fn remove(session: Session<'_>, name: &str) -> Result<(), ConfigError> {
    if session.remove_integration(name)? { Ok(()) } else { Err(unknown(session, name)?) }
}

impl Configuration {
    /// The integrations, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn integrations(&self) -> Result<Vec<Integration>, ConfigError> {
        self.read(list).await
    }

    /// The integration of this name.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn integration(&self, name: &str) -> Result<Integration, ConfigError> {
        self.read(|session| get(session, name)).await
    }

    /// Changes settings, grants and `enabled` of an integration. Name, plugin and digest are kept;
    /// [`Configuration::upgrade_integration`] changes the digest.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist, or where a name or pattern is invalid.
    pub async fn change_integration(
        &self,
        name: &str,
        change: impl FnOnce(&mut Integration),
    ) -> Result<Integration, ConfigError> {
        self.write(|session| {
            let stored = get(session, name)?;
            let mut changed = stored.clone();
            change(&mut changed);
            changed.name = stored.name;
            changed.plugin = stored.plugin;
            changed.digest = stored.digest;
            put(session, &changed)?;
            Ok(changed)
        })
        .await
    }

    /// Removes an integration with its settings, grants and secrets; with `syncs` also the syncs that use it,
    /// whose names are returned. Pairs and history stay.
    ///
    /// # Errors
    /// [`ConfigError::InUse`] where syncs use it and are not to be removed.
    pub async fn remove_integration(&self, name: &str, syncs: bool) -> Result<Vec<String>, ConfigError> {
        self.write(|session| {
            get(session, name)?;
            let users: Vec<String> = syncs::list(session)?
                .into_iter()
                .filter(|sync| sync.exchanges.iter().any(|exchange| exchange == name))
                .map(|sync| sync.name)
                .collect();
            if !users.is_empty() && !syncs {
                let users = format!("sync {}", users.join(", "));
                return Err(ConfigError::InUse {
                    what: "integration",
                    name: name.to_owned(),
                    users,
                    remedies: vec![Remedy::RemoveWithSyncs { integration: name.to_owned() }],
                });
            }
            for sync in &users {
                syncs::remove(session, sync)?;
            }
            remove(session, name)?;
            Ok(users)
        })
        .await
    }

    /// Forgets what the syncs of an integration have linked, where they have read to, and what its plugin keeps between
    /// calls; history stays. Where records have no identifiers, nothing is done unless `unasked`.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub(crate) async fn forget_links(
        &self,
        name: &str,
        unasked: bool,
        now: Timestamp,
    ) -> Result<Forgotten, ConfigError> {
        self.write(|session| {
            get(session, name)?;
            let mut syncs = syncs::list(session)?;
            syncs.retain(|sync| sync.exchanges.iter().any(|exchange| exchange == name));
            let relations: BTreeSet<&String> = syncs.iter().map(|sync| &sync.relation).collect();
            let mut forgotten = Forgotten::default();
            for relation in &relations {
                let (links, without) = session.count_links(relation)?;
                forgotten.links += links;
                forgotten.without += without;
            }
            if forgotten.without > 0 && !unasked {
                return Ok(forgotten);
            }
            for sync in &syncs {
                session.forget_place(&sync.name)?;
            }
            for relation in relations {
                let archive = format!("{relation} until {}", now.micros());
                session.forget_links(relation, &archive, now.micros())?;
            }
            session.forget_state(name)?;
            Ok(Forgotten { done: true, ..forgotten })
        })
        .await
    }
}

/// Links that were forgotten, or would be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Forgotten {
    /// Pairs of two records.
    pub(crate) links: u64,
    /// Of these, those whose records have no identifiers.
    pub(crate) without: u64,
    /// Whether they were forgotten.
    pub(crate) done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_name_scheme_host_and_port() {
        for good in [
            "https://api.example.com",
            "https://*.example.com",
            "https://{dc}.api.mailchimp.com",
            "http://127.0.0.1:8787",
            "https://x/",
        ] {
            assert_eq!(check_pattern(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "ftp://x",
            "https://",
            "https://*",
            "http://*.x",
            "https://u@x",
            "https://x/path",
            "https://x y",
            "https://:80",
        ] {
            assert!(check_pattern(bad).is_err(), "{bad}");
        }
        insta::assert_snapshot!(check_pattern("http://*.x").unwrap_err(), @"'http://*.x' is no grant: plain http is granted host by host, without wildcards; write for example https://api.example.com or https://*.example.com");
    }
}
