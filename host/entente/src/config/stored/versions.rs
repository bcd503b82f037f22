//! Which version of its plugin an integration runs: the next one, and back to the one before. Grants belong
//! to a version.

use super::integrations::{self, Grants, Integration};
use super::json::{from_json, to_json};
use super::plugins;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use entente_sqlite::{PreviousVersionRow, Session};

/// Keeps the version that an integration has, to go back to, and forgets the crashes of it.
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
    /// Gives an integration another installed component, with the grants that the operator has agreed to for
    /// it. The version that it had is remembered; what is known of crashes of that one is forgotten.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is.
    pub async fn upgrade_integration(
        &self,
        name: &str,
        plugin: &str,
        grants: Grants,
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
            integrations::put(session, &integration)?;
            Ok(integration)
        })
        .await
    }

    /// Gives an integration back the version that it had before, with the grants of that time. Done twice, it
    /// is the newer one again.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with what there is; [`ConfigError::NoVersionBefore`].
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
