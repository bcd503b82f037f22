//! Table `integration_secret`: secrets of integrations, sealed under a key that is not in this file.

use crate::store::{Session, StoreError};
use rusqlite::{OptionalExtension, Row, params};

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// The integration.
    pub integration: String,
    /// Its name.
    pub name: String,
    /// The fingerprint of the key that it is sealed with.
    pub key: String,
    /// The nonce that it was sealed with.
    pub nonce: Vec<u8>,
    /// The ciphertext.
    pub sealed: Vec<u8>,
}

const SELECT: &str = "SELECT integration, name, key, nonce, sealed FROM integration_secret";

fn read(row: &Row<'_>) -> rusqlite::Result<SecretRow> {
    Ok(SecretRow {
        integration: row.get(0)?,
        name: row.get(1)?,
        key: row.get(2)?,
        nonce: row.get(3)?,
        sealed: row.get(4)?,
    })
}

impl Session<'_> {
    /// The secrets of an integration, by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn secrets(self, integration: &str) -> Result<Vec<SecretRow>, StoreError> {
        let mut statement =
            self.connection().prepare_cached(&format!("{SELECT} WHERE integration = ?1 ORDER BY name"))?;
        let rows = statement.query_map([integration], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A secret.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn secret(self, integration: &str, name: &str) -> Result<Option<SecretRow>, StoreError> {
        let mut statement =
            self.connection().prepare_cached(&format!("{SELECT} WHERE integration = ?1 AND name = ?2"))?;
        Ok(statement.query_row([integration, name], read).optional()?)
    }

    /// The fingerprint of the key of any secret; `None` where there are no secrets.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn secret_key(self) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT key FROM integration_secret LIMIT 1")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    /// The fingerprint of a key other than `key` that any secret but this one is sealed with.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn other_secret_key(
        self,
        key: &str,
        integration: &str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT key FROM integration_secret WHERE key <> ?1 AND NOT (integration = ?2 AND name = ?3) LIMIT 1",
        )?;
        Ok(statement.query_row([key, integration, name], |row| row.get(0)).optional()?)
    }

    /// Writes a secret, in place of an older one of that name.
    ///
    /// # Errors
    /// Where there is no such integration, or the database fails.
    pub fn put_secret(self, row: &SecretRow) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO integration_secret (integration, name, key, nonce, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (integration, name) DO UPDATE SET key = ?3, nonce = ?4, sealed = ?5",
            params![row.integration, row.name, row.key, row.nonce, row.sealed],
        )?;
        Ok(())
    }

    /// Removes a secret; false where there is none.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn remove_secret(self, integration: &str, name: &str) -> Result<bool, StoreError> {
        let delete = "DELETE FROM integration_secret WHERE integration = ?1 AND name = ?2";
        Ok(self.connection().execute(delete, [integration, name])? > 0)
    }
}
