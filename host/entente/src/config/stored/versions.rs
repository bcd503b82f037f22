//! Which version of its plugin an integration runs: the next one, and back to the one before. Grants belong
//! to a version.

use super::health;
use super::integrations::{self, Grants, Integration};
use super::plugins;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use entente_sqlite::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

fn json(grants: &Grants) -> Result<String, ConfigError> {
    serde_json::to_string(grants).map_err(|error| {
        ConfigError::Store(StoreError::Corrupt { what: "grants".to_owned(), why: error.to_string() })
    })
}

fn remember(connection: &Connection, integration: &Integration) -> Result<(), ConfigError> {
    connection.execute(
        "INSERT OR REPLACE INTO integration_previous (integration, plugin, digest, grants) VALUES (?1, ?2, ?3, ?4)",
        params![integration.name, integration.plugin, integration.digest, json(&integration.grants)?],
    )?;
    Ok(())
}

/// Plugin, digest and grants of the version before.
fn previous(
    connection: &Connection,
    integration: &str,
) -> Result<Option<(String, String, Grants)>, ConfigError> {
    let row: Option<(String, String, String)> = connection
        .query_row(
            "SELECT plugin, digest, grants FROM integration_previous WHERE integration = ?1",
            [integration],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((plugin, digest, grants)) = row else { return Ok(None) };
    let grants = serde_json::from_str(&grants).map_err(|error| {
        ConfigError::Store(StoreError::Corrupt {
            what: format!("earlier grants of integration '{integration}'"),
            why: error.to_string(),
        })
    })?;
    Ok(Some((plugin, digest, grants)))
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
        self.write(|connection| {
            let mut integration = integrations::get(connection, name)?;
            let plugin = plugins::find(connection, plugin)?;
            if plugin.digest != integration.digest {
                remember(connection, &integration)?;
                health::forget(connection, name)?;
            }
            integration.plugin = plugin.name;
            integration.digest = plugin.digest;
            integration.grants = grants;
            integrations::put(connection, &integration)?;
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
        self.write(|connection| {
            let stored = integrations::get(connection, name)?;
            let Some((plugin, digest, grants)) = previous(connection, name)? else {
                return Err(ConfigError::NoVersionBefore(name.to_owned()));
            };
            remember(connection, &stored)?;
            health::forget(connection, name)?;
            let back = Integration { plugin, digest, grants, ..stored };
            integrations::put(connection, &back)?;
            Ok(back)
        })
        .await
    }
}
