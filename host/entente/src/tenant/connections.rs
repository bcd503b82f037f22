//! Building a plugin's configuration from its stored integration.

use super::TenantError;
use crate::config::{Integration, SecretText};
use entente_core::Value;
use entente_plugin::{GrantError, HttpGrant, Limits, PluginConfig, Secret, SecretGrant, fill};
use std::collections::BTreeMap;

pub(super) fn plugin_config(
    integration: &Integration,
    settings: &BTreeMap<String, Value>,
    secrets: BTreeMap<String, SecretText>,
    state: BTreeMap<String, Vec<u8>>,
    limits: Limits,
) -> Result<PluginConfig, TenantError> {
    let grants = |patterns: &[String]| -> Result<Vec<HttpGrant>, GrantError> {
        let filled = |pattern: &String| {
            fill(pattern, settings).map_err(|error| GrantError { text: pattern.clone(), reason: error.0 })
        };
        patterns.iter().map(|pattern| filled(pattern)?.parse()).collect()
    };
    let secret_grant =
        |(name, grant): (&String, &crate::config::SecretGrant)| -> Result<SecretGrant, TenantError> {
            let header = grant.header.as_deref().map(|text| {
                http::HeaderName::from_bytes(text.as_bytes()).map_err(|_| GrantError {
                    text: text.to_owned(),
                    reason: "it is not the name of a header".to_owned(),
                })
            });
            Ok(SecretGrant {
                name: name.clone(),
                hosts: grants(&grant.hosts)?,
                header: header.transpose()?,
                query: grant.query.clone(),
            })
        };
    let http = grants(&integration.grants.http)?;
    let address = address(integration, settings, &http);
    Ok(PluginConfig {
        integration: integration.name.clone(),
        settings: settings.clone(),
        secrets: secrets.into_iter().map(|(name, text)| (name, Secret::new(text.reveal()))).collect(),
        secret_grants: integration.grants.secrets.iter().map(secret_grant).collect::<Result<_, _>>()?,
        http,
        address,
        no_state: integration.grants.no_state,
        limits,
        state,
        ..PluginConfig::default()
    })
}

/// The settings that are part of a granted host: by name, where the grant has a placeholder for one, or as the address of one.
fn address(integration: &Integration, settings: &BTreeMap<String, Value>, http: &[HttpGrant]) -> Vec<String> {
    let part = |name: &str, value: &str| {
        let placeholder = format!("{{{name}}}");
        integration.grants.http.iter().any(|pattern| pattern.contains(&placeholder))
            || HttpGrant::of_address(value).is_some_and(|host| http.iter().any(|grant| grant.overlaps(&host)))
    };
    let settings = settings.iter().map(|(name, value)| (name, value.to_string()));
    settings
        .filter(|(name, value)| part(name, value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}
