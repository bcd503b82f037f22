//! Upgrade and rollback of an integration's plugin version. Grants belong to a version.

use super::integrations::{self, Grants, Integration};
use super::json::{from_json, to_json};
use super::plugins;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use entente_core::Value;
use entente_sqlite::{PreviousVersionRow, Session};
use std::collections::BTreeMap;

/// Remembers the version that an integration runs, for rollback, and clears its crash record.
fn leave_version(session: Session<'_>, integration: &Integration) -> Result<(), ConfigError> {
    session.put_previous_version(&PreviousVersionRow {
        integration: integration.name.clone(),
        plugin: integration.plugin.clone(),
        digest: integration.digest.clone(),
        grants: to_json("grants", &integration.grants)?,
    })?;
    Ok(session.remove_health(&integration.name)?)
}

impl Configuration {
    /// Upgrades an integration to another installed component, with the grants that the operator agreed to
    /// for it, and with these settings beside those that it has. The previous version is remembered, and its crash record is cleared.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist.
    pub async fn upgrade_integration(
        &self,
        name: &str,
        plugin: &str,
        grants: Grants,
        settings: BTreeMap<String, Value>,
    ) -> Result<Integration, ConfigError> {
        self.write(|session| {
            let mut integration = integrations::get(session, name)?;
            let plugin = plugins::find(session, plugin)?;
            if plugin.digest != integration.digest {
                leave_version(session, &integration)?;
            }
            integration.plugin = plugin.name;
            integration.digest = plugin.digest;
            integration.grants = grants;
            integration.settings.extend(settings);
            integrations::put(session, &integration)?;
            Ok(integration)
        })
        .await
    }

    /// Rolls an integration back to the version that it ran before, with the grants of that version. A second
    /// rollback returns to the newer version.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that exist; [`ConfigError::NoVersionBefore`].
    pub async fn roll_back_integration(&self, name: &str) -> Result<Integration, ConfigError> {
        self.write(|session| {
            let stored = integrations::get(session, name)?;
            let Some(before) = session.previous_version(name)? else {
                return Err(ConfigError::NoVersionBefore(name.to_owned()));
            };
            let grants = from_json(|| format!("earlier grants of integration '{name}'"), &before.grants)?;
            leave_version(session, &stored)?;
            let back = Integration { plugin: before.plugin, digest: before.digest, grants, ..stored };
            integrations::put(session, &back)?;
            Ok(back)
        })
        .await
    }
}
