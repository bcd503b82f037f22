//! Settings that a plugin does not read, and those that it cannot do without.

use crate::config::Integration;
use entente_core::Value;
use entente_plugin::{Manifest, SettingAsk};

/// Those that its manifest does not name: it never sees them, and they are probably misspelt.
pub(super) fn unknown(integration: &Integration, manifest: &Manifest) -> Vec<String> {
    let known = |name: &str| manifest.settings.iter().any(|ask| ask.name == name);
    integration.settings.keys().filter(|name| !known(name)).cloned().collect()
}

/// The first one that must be set and is not.
pub(super) fn missing<'a>(integration: &Integration, manifest: &'a Manifest) -> Option<&'a SettingAsk> {
    manifest
        .settings
        .iter()
        .find(|ask| ask.required && integration.settings.get(&ask.name).is_none_or(Value::is_blank))
}

/// What is said of one.
pub(super) fn unknown_text(integration: &Integration, name: &str) -> String {
    format!("the plugin {} does not read a setting '{name}'; is it spelt right?", integration.plugin)
}
