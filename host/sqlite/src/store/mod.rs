//! The SQLite file of a tenant, which hub, ledger and configuration share: connection, migrations, units of
//! work.
//!
//! Nothing but this module, `hub`, `ledger` and `config` may name `rusqlite`.

mod copy;
mod migrations;
mod unit;

pub use unit::StoreUnit;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a statement waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// What SQLite keeps of the file in memory. Its own 2 MiB are less than the indexes of a hundred thousand
/// pairs.
const PAGE_CACHE_KIB: i64 = 16 * 1024;

/// After how many pages the log goes into the file: 16 MiB, so that a page which many commits touch is
/// written there once.
const CHECKPOINT_PAGES: i64 = 4096;

/// Statements that stay prepared on a connection; more than the program has.
const PREPARED_STATEMENTS: usize = 256;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened as a database.
    #[error("the database {} cannot be opened: {why}; check the file and its permissions", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// The file was written by a newer version of the program.
    #[error("the database {} was written by a newer version of entente ({why}); use that version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What the migrations said.
        why: String,
    },
    /// A copy cannot be written.
    #[error("the copy {} of the database cannot be written: {why}; is there room for it?", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// A file that came from elsewhere and is something else.
    #[error("{} is no database of entente: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is strange about it.
        why: String,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What is stored cannot be read.
    #[error("the database holds something that cannot be read ({what}): {why}")]
    Corrupt {
        /// Where.
        what: String,
        /// Why.
        why: String,
    },
}

/// One SQLite file. Clones share the connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a file, making it and bringing its tables up to date where needed.
    ///
    /// # Errors
    /// Where the file cannot be opened or written, or is from a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open =
            |error: rusqlite::Error| StoreError::Open { path: path.to_owned(), why: error.to_string() };
        let connection = Connection::open(path).map_err(open)?;
        Self::prepare(connection, path)
    }

    /// A store that is gone with the process, for tests.
    ///
    /// # Errors
    /// Where SQLite fails.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, Path::new(":memory:"))
    }

    fn prepare(mut connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let open =
            |error: rusqlite::Error| StoreError::Open { path: path.to_owned(), why: error.to_string() };
        connection.busy_timeout(BUSY_TIMEOUT).map_err(open)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        connection.pragma_update(None, "journal_mode", "WAL").map_err(open)?;
        // With WAL, NORMAL loses no committed transaction when the process dies and keeps the file whole when
        // the machine does.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(open)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(open)?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(open)?;
        connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB).map_err(open)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(open)?;
        // Plans of statements are made once, and not anew for every value that is bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(open)?;
        migrations::apply(&mut connection, path)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Reads.
    ///
    /// # Errors
    /// What the closure gives.
    pub async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
        T: Send,
    {
        let connection = self.connection.lock().await;
        // One look at the file for all statements: each one by itself would lock it anew.
        let looking = connection.unchecked_transaction()?;
        let value = read(&looking)?;
        looking.commit()?;
        Ok(value)
    }

    /// Writes in one transaction: all of it, or nothing where the closure fails.
    ///
    /// # Errors
    /// What the closure gives, or the commit.
    pub async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send,
        T: Send,
    {
        let mut connection = self.connection.lock().await;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = write(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Begins a unit of work that several parts of the program write to.
    ///
    /// # Errors
    /// Where the database is locked by another process for too long.
    pub async fn begin(&self) -> Result<StoreUnit, StoreError> {
        StoreUnit::begin(Arc::clone(&self.connection).lock_owned().await)
    }
}
