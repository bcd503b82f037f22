//! Table `plugin`: installed components by name and digest. The last one installed under a name is current;
//! older versions serve the integrations that were set up with them.

use crate::store::{Session, Store, StoreError};
use entente_core::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BTreeSet;
use std::path::Path;

/// An installed version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRow {
    /// The name that it was installed under.
    pub name: String,
    /// The SHA-256 of its bytes, in hex.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// The version of the WIT package that it was built for, where known.
    pub version: Option<String>,
    /// What it says about itself.
    pub description: String,
    /// When it was installed.
    pub installed: Timestamp,
    /// Whether a new integration with this name gets it.
    pub current: bool,
}

const COLUMNS: &str = "name, digest, size, version, description, installed, current";

fn read(row: &Row<'_>) -> rusqlite::Result<PluginRow> {
    Ok(PluginRow {
        name: row.get(0)?,
        digest: row.get(1)?,
        size: row.get::<_, i64>(2)?.unsigned_abs(),
        version: row.get(3)?,
        description: row.get(4)?,
        installed: Timestamp::from_micros(row.get(5)?),
        current: row.get(6)?,
    })
}

impl Session<'_> {
    /// The installed versions, by name, the current one of each first.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn plugins(self) -> Result<Vec<PluginRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM plugin ORDER BY name, current DESC, installed DESC"
        ))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes that a plugin is installed now; how many were since `since`, this one included. Those before are forgotten.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn note_install(self, now: Timestamp, since: Timestamp) -> Result<u64, StoreError> {
        let connection = self.connection();
        connection.execute("DELETE FROM plugin_install WHERE at <= ?1", [since.micros()])?;
        connection.execute("INSERT INTO plugin_install (at) VALUES (?1)", [now.micros()])?;
        let count = "SELECT count(*) FROM plugin_install";
        Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The current version of a plugin.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn current_plugin(self, name: &str) -> Result<Option<PluginRow>, StoreError> {
        let mut statement = self
            .connection()
            .prepare_cached(&format!("SELECT {COLUMNS} FROM plugin WHERE name = ?1 AND current = 1"))?;
        Ok(statement.query_row([name], read).optional()?)
    }

    /// Makes a version current, whether new or known, and removes earlier versions that no integration runs
    /// or can be rolled back to. Returns the resulting row: a known version keeps its first installation
    /// time, and whatever the new row leaves empty.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_current_plugin(self, row: &PluginRow) -> Result<PluginRow, StoreError> {
        let (connection, name, digest) = (self.connection(), &row.name, &row.digest);
        connection
            .execute("UPDATE plugin SET current = 0 WHERE name = ?1 AND digest <> ?2", [name, digest])?;
        connection.execute(
            "INSERT INTO plugin (name, digest, size, version, description, installed, current) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)
             ON CONFLICT (name, digest) DO UPDATE SET current = 1, version = coalesce(?4, version),
                 description = CASE WHEN ?5 = '' THEN description ELSE ?5 END",
            params![
                name,
                digest,
                i64::try_from(row.size).unwrap_or(i64::MAX),
                row.version,
                row.description,
                row.installed.micros()
            ],
        )?;
        connection.execute(
            "DELETE FROM plugin WHERE name = ?1 AND current = 0
             AND NOT EXISTS (SELECT 1 FROM integration AS run WHERE run.plugin = plugin.name AND run.digest = plugin.digest)
             AND NOT EXISTS (SELECT 1 FROM integration_previous AS ran WHERE ran.plugin = plugin.name AND ran.digest = plugin.digest)",
            [name],
        )?;
        let select = format!("SELECT {COLUMNS} FROM plugin WHERE name = ?1 AND digest = ?2");
        Ok(connection.query_row(&select, [name, digest], read)?)
    }

    /// Removes the version of this digest, or all versions of a plugin, including those kept for rollback.
    ///
    /// # Errors
    /// Where an integration runs it, or the database fails.
    pub fn remove_plugin(self, name: &str, digest: Option<&str>) -> Result<(), StoreError> {
        let connection = self.connection();
        connection.execute(
            "DELETE FROM integration_previous WHERE plugin = ?1 AND digest = coalesce(?2, digest)",
            params![name, digest],
        )?;
        connection.execute(
            "DELETE FROM plugin WHERE name = ?1 AND digest = coalesce(?2, digest)",
            params![name, digest],
        )?;
        Ok(())
    }
}

impl Store {
    /// The component digests that a database file names, in whatever schema version it has. No migration is
    /// applied.
    ///
    /// # Errors
    /// Where the file cannot be read as a database.
    pub fn digests_in(path: &Path) -> Result<BTreeSet<String>, StoreError> {
        let connection = crate::store::open_as_it_is(path)?;
        let mut statement =
            connection.prepare("SELECT digest FROM plugin UNION SELECT digest FROM integration")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}
