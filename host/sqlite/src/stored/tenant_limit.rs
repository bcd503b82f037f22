//! Table `tenant_limit`: limits that a tenant overrides.

use crate::store::{Session, StoreError};
use rusqlite::params;
use std::collections::BTreeMap;

impl Session<'_> {
    /// The overridden limits by name, in the unit of each: bytes, milliseconds or a count.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn limits(self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT name, value FROM tenant_limit")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Sets a limit.
    ///
    /// # Errors
    /// Where the value is above 2^63 - 1, or the database fails.
    pub fn put_limit(self, name: &str, value: u64) -> Result<(), StoreError> {
        let value = i64::try_from(value)
            .map_err(|error| StoreError::Corrupt { what: name.to_owned(), why: error.to_string() })?;
        self.connection().execute(
            "INSERT INTO tenant_limit (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![name, value],
        )?;
        Ok(())
    }

    /// Resets a limit to its default.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove_limit(self, name: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM tenant_limit WHERE name = ?1", [name])?;
        Ok(())
    }
}
