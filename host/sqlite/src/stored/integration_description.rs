//! Table `integration_description`: what a plugin told of its objects when it was last asked.

use crate::store::{Session, StoreError};
use entente_core::Timestamp;
use rusqlite::{OptionalExtension, params};

/// What a plugin told, as JSON, and of which component with which settings it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptionRow {
    /// The digest of the component.
    pub digest: String,
    /// The settings of the integration.
    pub settings: String,
    /// When it was told.
    pub told: Timestamp,
    /// The objects.
    pub description: String,
    /// The mappings that it proposes.
    pub manual: String,
}

impl Session<'_> {
    /// What the plugin of an integration told last; `None` where it was never asked.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn description(self, integration: &str) -> Result<Option<DescriptionRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT digest, settings, told, description, manual FROM integration_description WHERE integration = ?1",
        )?;
        let row = statement.query_row([integration], |row| {
            Ok(DescriptionRow {
                digest: row.get(0)?,
                settings: row.get(1)?,
                told: Timestamp::from_micros(row.get(2)?),
                description: row.get(3)?,
                manual: row.get(4)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Keeps what the plugin of an integration told; nothing where there is no such integration.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_description(self, integration: &str, row: &DescriptionRow) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO integration_description (integration, digest, settings, told, description, manual)
             SELECT name, ?2, ?3, ?4, ?5, ?6 FROM integration WHERE name = ?1
             ON CONFLICT (integration) DO UPDATE SET digest = excluded.digest, settings = excluded.settings, told = excluded.told,
                 description = excluded.description, manual = excluded.manual",
            params![integration, row.digest, row.settings, row.told.micros(), row.description, row.manual],
        )?;
        Ok(())
    }
}
