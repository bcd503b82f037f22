//! Table `integration_health`: consecutive crashes of an integration's plugin, with pause and quarantine.

use crate::store::{Session, StoreError};
use entente_core::Timestamp;
use entente_sync::Remedy;
use rusqlite::{OptionalExtension, params};

/// The crashes of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRow {
    /// Consecutive runs that crashed.
    pub crashes: u32,
    /// The reason of the last crash.
    pub reason: String,
    /// Remedies for the last crash.
    pub remedies: Vec<Remedy>,
    /// The time of the last crash.
    pub last: Timestamp,
    /// The integration is not run before then.
    pub paused_until: Option<Timestamp>,
    /// Since when the integration is quarantined.
    pub quarantined: Option<Timestamp>,
}

impl Session<'_> {
    /// The crashes of an integration; `None` where its last run went well.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn health(self, integration: &str) -> Result<Option<HealthRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT crashes, reason, last, paused_until, quarantined, remedies FROM integration_health WHERE integration = ?1",
        )?;
        let row = statement.query_row([integration], |row| {
            let time = |at: Option<i64>| at.map(Timestamp::from_micros);
            Ok(HealthRow {
                crashes: row.get(0)?,
                reason: row.get(1)?,
                last: Timestamp::from_micros(row.get(2)?),
                paused_until: time(row.get(3)?),
                quarantined: time(row.get(4)?),
                // Remedies that cannot be read must not hide the crash.
                remedies: row
                    .get::<_, Option<String>>(5)?
                    .and_then(|text| serde_json::from_str(&text).ok())
                    .unwrap_or_default(),
            })
        });
        Ok(row.optional()?)
    }

    /// Writes the crashes of an integration; nothing where there is no such integration.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_health(self, integration: &str, row: &HealthRow) -> Result<(), StoreError> {
        let time = |at: Option<Timestamp>| at.map(Timestamp::micros);
        self.connection().execute(
            "INSERT OR REPLACE INTO integration_health (integration, crashes, reason, last, paused_until, quarantined, remedies)
             SELECT name, ?2, ?3, ?4, ?5, ?6, ?7 FROM integration WHERE name = ?1",
            params![
                integration,
                row.crashes,
                row.reason,
                row.last.micros(),
                time(row.paused_until),
                time(row.quarantined),
                serde_json::to_string(&row.remedies).ok()
            ],
        )?;
        Ok(())
    }

    /// Removes the crash record of an integration.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove_health(self, integration: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM integration_health WHERE integration = ?1", [integration])?;
        Ok(())
    }
}
