//! Table `integration_health`: integrations whose plugin crashed in its last runs.

use crate::store::{Session, StoreError};
use entente_core::Timestamp;
use entente_sync::Remedy;
use rusqlite::{OptionalExtension, params};

/// The crashes of an integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRow {
    /// Runs in a row that it crashed in.
    pub crashes: u32,
    /// Why, the last time.
    pub reason: String,
    /// What can be done about that.
    pub remedies: Vec<Remedy>,
    /// When, the last time.
    pub last: Timestamp,
    /// It is not run before then.
    pub paused_until: Option<Timestamp>,
    /// Since when it is not run any more.
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
                // What cannot be read is no reason to know nothing of the crash.
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

    /// Forgets the crashes of an integration.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove_health(self, integration: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM integration_health WHERE integration = ?1", [integration])?;
        Ok(())
    }
}
