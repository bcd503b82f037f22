//! Integrations: a plugin with name, settings and grants.

use crate::config::error::ConfigError;
use crate::config::names::{check_integration_name, check_name, known};
use entente_core::Value;
use entente_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A configured plugin. Its secrets are apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Integration {
    /// Its name, by which syncs know it.
    pub name: String,
    /// The name of the plugin.
    pub plugin: String,
    /// The digest of the component. It stays until `entente integration upgrade`.
    pub digest: String,
    /// Whether it may run.
    pub enabled: bool,
    /// What the plugin reads through `settings`.
    pub settings: BTreeMap<String, Value>,
    /// What it may reach.
    pub grants: Grants,
}

/// What an integration may reach. Nothing, unless it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Where it may send requests: `https://api.example.com`, `https://*.example.com`,
    /// `https://{dc}.api.example.com`.
    #[serde(default)]
    pub http: Vec<String>,
    /// Where each secret may be sent.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretGrant>,
    /// It may keep nothing between calls, although its manifest asks for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_state: bool,
}

/// Where a secret may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SecretGrant {
    /// To these hosts, by the same patterns.
    pub hosts: Vec<String>,
    /// Only as this header; `None`: as the plugin's manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// As this parameter of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// Whether a pattern can be a grant: scheme, host, perhaps a port; plain http only literally.
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

fn read(row: &Row<'_>) -> rusqlite::Result<(Integration, String, String)> {
    let integration = Integration {
        name: row.get(0)?,
        plugin: row.get(1)?,
        digest: row.get(2)?,
        enabled: row.get(3)?,
        settings: BTreeMap::new(),
        grants: Grants::default(),
    };
    Ok((integration, row.get(4)?, row.get(5)?))
}

fn parse(
    (mut integration, settings, grants): (Integration, String, String),
) -> Result<Integration, ConfigError> {
    let corrupt = |what: &str, error: serde_json::Error| StoreError::Corrupt {
        what: format!("{what} of integration '{}'", integration.name),
        why: error.to_string(),
    };
    let settings = serde_json::from_str(&settings).map_err(|error| corrupt("settings", error))?;
    let grants = serde_json::from_str(&grants).map_err(|error| corrupt("grants", error))?;
    integration.settings = settings;
    integration.grants = grants;
    Ok(integration)
}

const SELECT: &str = "SELECT name, plugin, digest, enabled, settings, grants FROM integration";

/// All of them, by name.
pub(crate) fn list(connection: &Connection) -> Result<Vec<Integration>, ConfigError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY name"))?;
    let rows: Vec<_> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    rows.into_iter().map(parse).collect()
}

/// The one of this name, if there is one.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<Integration>, ConfigError> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE name = ?1"))?
        .query_row([name], read)
        .optional()?
        .map(parse)
        .transpose()
}

/// The one of this name.
pub(crate) fn get(connection: &Connection, name: &str) -> Result<Integration, ConfigError> {
    if let Some(integration) = find(connection, name)? {
        return Ok(integration);
    }
    Err(unknown(connection, name)?)
}

fn unknown(connection: &Connection, name: &str) -> Result<ConfigError, ConfigError> {
    let mut statement = connection.prepare_cached("SELECT name FROM integration ORDER BY name")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut said = known(name, names.iter().map(String::as_str));
    if names.is_empty() {
        said.push_str("; add one with `entente integration add`");
    }
    Ok(ConfigError::Unknown { what: "integration", name: name.to_owned(), known: said })
}

/// Stores an integration, new or changed.
pub(crate) fn put(connection: &Connection, integration: &Integration) -> Result<(), ConfigError> {
    check(integration).map_err(ConfigError::Name)?;
    let json = |value: Result<String, serde_json::Error>| {
        value.map_err(|error| {
            ConfigError::Store(StoreError::Corrupt { what: "integration".to_owned(), why: error.to_string() })
        })
    };
    connection.execute(
        "INSERT INTO integration (name, plugin, digest, enabled, settings, grants) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO UPDATE SET plugin = ?2, digest = ?3, enabled = ?4, settings = ?5, grants = ?6",
        params![
            integration.name,
            integration.plugin,
            integration.digest,
            integration.enabled,
            json(serde_json::to_string(&integration.settings))?,
            json(serde_json::to_string(&integration.grants))?,
        ],
    )?;
    Ok(())
}

/// What is wrong with the names and patterns of an integration.
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

/// Settings are named by plugin authors, who like dots.
pub(crate) fn check_setting_name(name: &str) -> Result<(), String> {
    check_name("setting", &name.replace('.', "-"))
}

/// Forgets an integration with its settings, grants and secrets.
pub(crate) fn remove(connection: &Connection, name: &str) -> Result<(), ConfigError> {
    if connection.execute("DELETE FROM integration WHERE name = ?1", [name])? == 0 {
        return Err(unknown(connection, name)?);
    }
    Ok(())
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
