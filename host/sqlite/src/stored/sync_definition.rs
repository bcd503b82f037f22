//! Tables `sync_definition` and `sync_version`: syncs, and their mapping versions. A version outlives its
//! sync, so that a sync re-created under the name does not resume listings of an older mapping.

use crate::store::{Session, StoreError};
use entente_core::Sides;
use rusqlite::{OptionalExtension, Row, params};

/// A sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRow {
    /// Its name.
    pub name: String,
    /// The relation that it works on.
    pub relation: String,
    /// The names of the exchanges, left and right.
    pub exchanges: Sides<String>,
    /// The definition, as JSON.
    pub definition: String,
}

const SELECT: &str = "SELECT name, relation, left_exchange, right_exchange, definition FROM sync_definition";

fn read(row: &Row<'_>) -> rusqlite::Result<SyncRow> {
    Ok(SyncRow {
        name: row.get(0)?,
        relation: row.get(1)?,
        exchanges: Sides::new(row.get(2)?, row.get(3)?),
        definition: row.get(4)?,
    })
}

impl Session<'_> {
    /// The syncs, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn syncs(self) -> Result<Vec<SyncRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(&format!("{SELECT} ORDER BY name"))?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The sync of this name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn sync(self, name: &str) -> Result<Option<SyncRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(&format!("{SELECT} WHERE name = ?1"))?;
        Ok(statement.query_row([name], read).optional()?)
    }

    /// The last mapping version of a sync with this name, whether or not the sync still exists.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn sync_version(self, name: &str) -> Result<Option<u32>, StoreError> {
        let mut statement =
            self.connection().prepare_cached("SELECT version FROM sync_version WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Stores a sync with its mapping version.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_sync(self, row: &SyncRow, version: u32) -> Result<(), StoreError> {
        let Sides { left, right } = &row.exchanges;
        self.connection().execute(
            "INSERT INTO sync_definition (name, relation, left_exchange, right_exchange, definition) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name) DO UPDATE SET relation = ?2, left_exchange = ?3, right_exchange = ?4, definition = ?5",
            params![row.name, row.relation, left, right, row.definition],
        )?;
        self.put_relation(&row.relation, &row.exchanges)?;
        self.connection().execute(
            "INSERT INTO sync_version (name, version) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET version = ?2",
            params![row.name, version],
        )?;
        Ok(())
    }

    /// Gives a sync another name: its definition, mapping version, places in reports, trust, known schemas, runs and what
    /// it wrote to the hub go with it. What an earlier sync of the other name left behind is dropped, but for its runs.
    ///
    /// # Errors
    /// Where a sync has the other name, or the database fails.
    pub fn rename_sync(self, before: &str, after: &str) -> Result<(), StoreError> {
        let connection = self.connection();
        for (table, column) in
            [("sync_version", "name"), ("progress", "sync"), ("trust", "sync"), ("known_schema", "sync")]
        {
            connection.execute(&format!("DELETE FROM {table} WHERE {column} = ?1"), [after])?;
            connection
                .execute(&format!("UPDATE {table} SET {column} = ?2 WHERE {column} = ?1"), [before, after])?;
        }
        connection.execute("UPDATE sync_definition SET name = ?2 WHERE name = ?1", [before, after])?;
        connection.execute("UPDATE run SET sync = ?2 WHERE sync = ?1", [before, after])?;
        // Where both have written to the hub, what the old name wrote keeps it.
        connection.execute(
            "UPDATE OR IGNORE hub_source SET name = ?2 WHERE kind = 'sync' AND name = ?1",
            [before, after],
        )?;
        Ok(())
    }

    /// Removes a sync; false where there is none. Its mapping version, pairs and history stay.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove_sync(self, name: &str) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM sync_definition WHERE name = ?1", [name])? > 0)
    }
}
