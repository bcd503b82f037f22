//! Settings that a plugin does not read.

use crate::config::Integration;
use crate::plugin::Manifest;

/// Those that its manifest does not name: it never sees them, and they are probably misspelt.
pub(super) fn unknown(integration: &Integration, manifest: &Manifest) -> Vec<String> {
    let known = |name: &str| manifest.settings.iter().any(|ask| ask.name == name);
    integration.settings.keys().filter(|name| !known(name)).cloned().collect()
}

/// What is said of one.
pub(super) fn unknown_text(integration: &Integration, name: &str) -> String {
    format!("the plugin {} does not read a setting '{name}'; is it spelt right?", integration.plugin)
}
