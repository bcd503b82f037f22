//! Units of work: hub and ledger write to one transaction, which commits as a whole.

use super::flush::Wal;
use super::{Session, StoreError};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// An open transaction. Rolled back when dropped without [`StoreUnit::commit`].
pub struct StoreUnit {
    connection: OwnedMutexGuard<Connection>,
    wal: Option<Arc<Wal>>,
    open: bool,
}

impl std::fmt::Debug for StoreUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreUnit").field("open", &self.open).finish_non_exhaustive()
    }
}

impl StoreUnit {
    pub(super) fn begin(
        connection: OwnedMutexGuard<Connection>,
        wal: Option<Arc<Wal>>,
    ) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { connection, wal, open: true })
    }

    /// The session to write with.
    pub fn session(&self) -> Session<'_> {
        Session::over(&self.connection)
    }

    /// The connection, for this crate's SQL.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Durable commit: flushed to the disk, with every commit before it.
    ///
    /// # Errors
    /// Where the database fails; then nothing is written. Where the flush fails; then it is written, and may be
    /// lost with the power.
    pub fn commit(self) -> Result<(), StoreError> {
        let wal = self.wal.clone();
        self.commit_soon()?;
        wal.map_or(Ok(()), |wal| wal.flush())
    }

    /// Commits, and leaves the flush to a later durable commit.
    ///
    /// # Errors
    /// Where the database fails; then nothing is written.
    pub fn commit_soon(mut self) -> Result<(), StoreError> {
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
