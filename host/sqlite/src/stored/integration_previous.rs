//! Table `integration_previous`: the plugin version that an integration ran before, for rollback.

use crate::store::{Session, StoreError};
use rusqlite::{OptionalExtension, params};

/// An earlier version of the plugin of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousVersionRow {
    /// The integration.
    pub integration: String,
    /// The name of the plugin.
    pub plugin: String,
    /// The digest of the component.
    pub digest: String,
    /// The grants that it had, as JSON.
    pub grants: String,
}

impl Session<'_> {
    /// The plugin version that an integration ran before.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn previous_version(self, integration: &str) -> Result<Option<PreviousVersionRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT integration, plugin, digest, grants FROM integration_previous WHERE integration = ?1",
        )?;
        let row = statement.query_row([integration], |row| {
            Ok(PreviousVersionRow {
                integration: row.get(0)?,
                plugin: row.get(1)?,
                digest: row.get(2)?,
                grants: row.get(3)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Stores the version that an integration ran before, replacing an earlier one.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_previous_version(self, row: &PreviousVersionRow) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO integration_previous (integration, plugin, digest, grants) VALUES (?1, ?2, ?3, ?4)",
            params![row.integration, row.plugin, row.digest, row.grants],
        )?;
        Ok(())
    }
}
