//! Building a plugin's configuration from its stored integration.

use super::TenantError;
use crate::config::{Integration, SecretText};
use entente_plugin::{GrantError, HttpGrant, Limits, PluginConfig, Secret, SecretGrant, fill};
use std::collections::BTreeMap;

pub(super) fn plugin_config(
    integration: &Integration,
    secrets: BTreeMap<String, SecretText>,
    state: BTreeMap<String, Vec<u8>>,
    limits: Limits,
) -> Result<PluginConfig, TenantError> {
    let grants = |patterns: &[String]| -> Result<Vec<HttpGrant>, GrantError> {
        let filled = |pattern: &String| {
            fill(pattern, &integration.settings)
                .map_err(|error| GrantError { text: pattern.clone(), reason: error.0 })
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
    Ok(PluginConfig {
        integration: integration.name.clone(),
        settings: integration.settings.clone(),
        secrets: secrets.into_iter().map(|(name, text)| (name, Secret::new(text.reveal()))).collect(),
        secret_grants: integration.grants.secrets.iter().map(secret_grant).collect::<Result<_, _>>()?,
        http: grants(&integration.grants.http)?,
        no_state: integration.grants.no_state,
        limits,
        state,
        ..PluginConfig::default()
    })
}
