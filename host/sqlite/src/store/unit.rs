//! Units of work: hub and ledger write to one transaction, which commits as a whole.

use super::{Session, StoreError};
use rusqlite::Connection;
use tokio::sync::OwnedMutexGuard;

/// An open transaction. Rolled back when dropped without [`StoreUnit::commit`].
pub struct StoreUnit {
    connection: OwnedMutexGuard<Connection>,
    open: bool,
}

impl std::fmt::Debug for StoreUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreUnit").field("open", &self.open).finish_non_exhaustive()
    }
}

impl StoreUnit {
    pub(super) fn begin(connection: OwnedMutexGuard<Connection>) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { connection, open: true })
    }

    /// The session to write with.
    pub fn session(&self) -> Session<'_> {
        Session::over(&self.connection)
    }

    /// The connection, for this crate's SQL.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Commits.
    ///
    /// # Errors
    /// Where the database fails; then nothing is written.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.connection.execute_batch("COMMIT")?;
        self.open = false;
        Ok(())
    }
}

impl Drop for StoreUnit {
    fn drop(&mut self) {
        if self.open
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            // After some errors SQLite has rolled back by itself; otherwise the transaction ends with the
            // connection.
            tracing::debug!(%error, "roll back");
        }
    }
}
