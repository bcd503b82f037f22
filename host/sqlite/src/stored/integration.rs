//! Table `integration`: a plugin with name, settings and grants.

use crate::store::{Session, StoreError};
use rusqlite::{OptionalExtension, Row, params};

/// An integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationRow {
    /// Its name.
    pub name: String,
    /// The name of its plugin.
    pub plugin: String,
    /// The digest of the component.
    pub digest: String,
    /// Whether it may run.
    pub enabled: bool,
    /// Its settings, as JSON.
    pub settings: String,
    /// Its grants, as JSON.
    pub grants: String,
}

const SELECT: &str = "SELECT name, plugin, digest, enabled, settings, grants FROM integration";

fn read(row: &Row<'_>) -> rusqlite::Result<IntegrationRow> {
    Ok(IntegrationRow {
        name: row.get(0)?,
        plugin: row.get(1)?,
        digest: row.get(2)?,
        enabled: row.get(3)?,
        settings: row.get(4)?,
        grants: row.get(5)?,
    })
}

impl Session<'_> {
    /// The integrations, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn integrations(self) -> Result<Vec<IntegrationRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(&format!("{SELECT} ORDER BY name"))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The integration of this name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn integration(self, name: &str) -> Result<Option<IntegrationRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(&format!("{SELECT} WHERE name = ?1"))?;
        Ok(statement.query_row([name], read).optional()?)
    }

    /// The names of the integrations that run a plugin, in the version of this digest or in any.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn integrations_of(self, plugin: &str, digest: Option<&str>) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT name FROM integration WHERE plugin = ?1 AND digest = coalesce(?2, digest) ORDER BY name",
        )?;
        let names = statement.query_map(params![plugin, digest], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Writes an integration, new or changed. Its plugin must be installed in that version.
    ///
    /// # Errors
    /// Where the plugin is not installed, or the database fails.
    pub fn put_integration(self, row: &IntegrationRow) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO integration (name, plugin, digest, enabled, settings, grants) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (name) DO UPDATE SET plugin = ?2, digest = ?3, enabled = ?4, settings = ?5, grants = ?6",
            params![row.name, row.plugin, row.digest, row.enabled, row.settings, row.grants],
        )?;
        Ok(())
    }

    /// Removes an integration with its secrets, its health and its earlier version; false where there is
    /// none.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove_integration(self, name: &str) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM integration WHERE name = ?1", [name])? > 0)
    }
}
