//! Unknown and missing settings of an integration, by its plugin's manifest.

use crate::config::Integration;
use entente_core::Value;
use entente_plugin::{Manifest, SettingAsk};

/// Settings that the manifest does not name: the plugin never sees them, and they are probably misspelt.
pub(super) fn unknown(integration: &Integration, manifest: &Manifest) -> Vec<String> {
    let known = |name: &str| manifest.settings.iter().any(|ask| ask.name == name);
    integration.settings.keys().filter(|name| !known(name)).cloned().collect()
}

/// The first required setting that is not set.
pub(super) fn missing<'a>(integration: &Integration, manifest: &'a Manifest) -> Option<&'a SettingAsk> {
    manifest
        .settings
        .iter()
        .find(|ask| ask.required && integration.settings.get(&ask.name).is_none_or(Value::is_blank))
}

/// The notice of an unknown setting.
pub(super) fn unknown_text(integration: &Integration, name: &str) -> String {
    format!("the plugin {} does not read a setting '{name}'; is it spelt right?", integration.plugin)
}
