//! Settings that a plugin does not seem to know.

use crate::config::Integration;

/// A plugin asks for a setting by its name, so the name stands somewhere in its file. One that does not is probably misspelt.
pub(super) fn unknown(integration: &Integration, component: &[u8]) -> Vec<String> {
    let stands = |name: &str| component.windows(name.len()).any(|window| window == name.as_bytes());
    integration.settings.keys().filter(|name| !name.is_empty() && !stands(name)).cloned().collect()
}
