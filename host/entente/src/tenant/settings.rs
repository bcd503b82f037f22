//! Unknown, missing and wrong settings of an integration, by its plugin's manifest.

use super::TenantError;
use crate::config::Integration;
use entente_core::Value;
use entente_plugin::{Manifest, SettingAsk};
use std::collections::BTreeMap;

/// Settings that the manifest does not name: the plugin never sees them, and they are probably misspelt.
pub(super) fn unknown(integration: &Integration, manifest: &Manifest) -> Vec<String> {
    let known = |name: &str| manifest.settings.iter().any(|ask| ask.name == name);
    integration.settings.keys().filter(|name| !known(name)).cloned().collect()
}

/// The settings that the plugin is given: with the defaults of its manifest, each in its kind.
///
/// # Errors
/// [`TenantError::NotSet`] and [`TenantError::Setting`], for the first one that is missing or does not fit.
pub(super) fn checked(
    integration: &Integration,
    manifest: &Manifest,
) -> Result<BTreeMap<String, Value>, TenantError> {
    if let Some(ask) = missing(integration, manifest) {
        let (integration, setting, reason) = (integration.name.clone(), ask.name.clone(), ask.reason.clone());
        return Err(TenantError::NotSet { integration, setting, reason });
    }
    fit(integration, manifest)?;
    Ok(manifest.effective(&integration.settings))
}

/// Checks that the settings of an integration have the kinds that the manifest tells.
pub(super) fn fit(integration: &Integration, manifest: &Manifest) -> Result<(), TenantError> {
    manifest.check_settings(&integration.settings).map_err(|error| TenantError::Setting {
        integration: integration.name.clone(),
        error: Box::new(error),
    })
}

/// The first required setting that is not set.
fn missing<'a>(integration: &Integration, manifest: &'a Manifest) -> Option<&'a SettingAsk> {
    manifest
        .settings
        .iter()
        .find(|ask| ask.required && integration.settings.get(&ask.name).is_none_or(Value::is_blank))
}

/// The notice of an unknown setting.
pub(super) fn unknown_text(integration: &Integration, name: &str) -> String {
    format!("the plugin {} does not read a setting '{name}'; is it spelt right?", integration.plugin)
}
