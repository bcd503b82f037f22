//! Building a plugin's configuration from its stored integration.

use super::TenantError;
use crate::config::{Draft, DraftIssue, DraftPlace, Integration, SecretText};
use entente_core::Value;
use entente_plugin::{GrantError, HttpGrant, Limits, Manifest, PluginConfig, Secret, SecretGrant, fill};
use std::collections::BTreeMap;

pub(super) fn plugin_config(
    integration: &Integration,
    settings: &BTreeMap<String, Value>,
    secrets: BTreeMap<String, SecretText>,
    state: BTreeMap<String, Vec<u8>>,
    limits: Limits,
) -> Result<PluginConfig, TenantError> {
    let grants = |patterns: &[String]| -> Result<Vec<HttpGrant>, GrantError> {
        patterns.iter().map(|pattern| host(pattern, settings)).collect()
    };
    let secret_grant =
        |(name, grant): (&String, &crate::config::SecretGrant)| -> Result<SecretGrant, TenantError> {
            let header = grant.header.as_deref().map(header);
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

/// A granted host, with the settings that it names.
fn host(pattern: &str, settings: &BTreeMap<String, Value>) -> Result<HttpGrant, GrantError> {
    fill(pattern, settings).map_err(|error| GrantError { text: pattern.to_owned(), reason: error.0 })?.parse()
}

fn header(text: &str) -> Result<http::HeaderName, GrantError> {
    http::HeaderName::from_bytes(text.as_bytes()).map_err(|_| GrantError {
        text: text.to_owned(),
        reason: "it is not the name of a header".to_owned(),
    })
}

/// The grants of an integration in a file that are none, with the settings that it will have.
pub(super) fn issues_of_draft(draft: &Draft, manifest: &Manifest) -> Vec<DraftIssue> {
    let (grants, settings) = (&draft.integration.grants, manifest.effective(&draft.integration.settings));
    let patterns = grants.http.iter().chain(grants.secrets.values().flat_map(|grant| &grant.hosts));
    let hosts = patterns.filter_map(|pattern| Some((pattern, host(pattern, &settings).err()?)));
    let headers = grants.secrets.values().filter_map(|grant| grant.header.as_ref());
    let headers = headers.filter_map(|text| Some((text, header(text).err()?)));
    let issue = |(text, error): (&String, GrantError)| DraftIssue {
        place: DraftPlace::Grant(text.clone()),
        message: error.to_string(),
        remedies: Vec::new(),
        refused: true,
    };
    hosts.chain(headers).map(issue).collect()
}

/// The settings that are part of a granted host: by name, where the grant has a placeholder for one, or as the address of one.
fn address(integration: &Integration, settings: &BTreeMap<String, Value>, http: &[HttpGrant]) -> Vec<String> {
    let part = |name: &str, value: &str| {
        let placeholder = format!("{{{name}}}");
        integration.grants.http.iter().any(|pattern| pattern.contains(&placeholder))
            || HttpGrant::of_address(value).is_some_and(|host| http.iter().any(|grant| grant.overlaps(&host)))
    };
    let settings = settings.iter().map(|(name, value)| (name, value.to_data()));
    settings
        .filter(|(name, value)| part(name, value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}
