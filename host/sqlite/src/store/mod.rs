//! The tenant's SQLite file, shared by hub, ledger and configuration: connection, migrations, units of work.
//!
//! Only this crate runs SQL. Other crates hold a [`Session`] and make the calls that take one.

mod copy;
mod error;
mod flush;
mod holder;
mod migrations;
mod place;
mod session;
mod size;
mod texts;
mod unit;

pub(crate) use copy::open_as_it_is;
pub use error::{StoreError, StoreFailure};
pub use holder::Holder;
pub use session::Session;
pub(crate) use texts::SAID_KEYS;
pub use unit::StoreUnit;

use place::Place;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// SQLite's busy timeout: how long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// SQLite's page cache. Its default of 2 MiB is less than the indexes of a hundred thousand pairs.
const PAGE_CACHE_KIB: i64 = 16 * 1024;

/// Pages in the WAL before a checkpoint: 16 MiB, so that a page touched by many commits is written to the
/// file once.
const CHECKPOINT_PAGES: i64 = 4096;

/// The statement cache of a connection, larger than the number of statements in the program.
const PREPARED_STATEMENTS: usize = 256;

/// One SQLite file. Clones share the connection.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    /// What a durable commit flushes; `None`: in memory, or SQLite flushes each commit itself.
    wal: Option<Arc<flush::Wal>>,
    /// Its file; `None`: in memory.
    place: Option<Arc<Place>>,
    /// How long it waits for another writer.
    patience: Duration,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a file, creating it and applying migrations where needed.
    ///
    /// # Errors
    /// Where the file cannot be opened or written, or is from a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |error: rusqlite::Error| StoreError::opening(path, &error);
        make_private(path)
            .map_err(|error| StoreError::Open { path: path.to_owned(), why: error.to_string() })?;
        let connection = Connection::open(path).map_err(open)?;
        let mut store = Self::prepare(connection, path)?;
        let place = Place::of(path)
            .map_err(|error| StoreError::Open { path: path.to_owned(), why: error.to_string() })?;
        store.place = Some(Arc::new(place));
        Ok(store)
    }

    /// Checks that the file that it has open still stands where it was opened.
    ///
    /// # Errors
    /// [`StoreError::Gone`].
    pub fn stands(&self) -> Result<(), StoreError> {
        self.place.as_ref().map_or(Ok(()), |place| place.stands())
    }

    /// The same store, which waits for other writers no longer than this.
    #[cfg(test)]
    pub(crate) async fn with_patience(mut self, patience: Duration) -> Self {
        self.connection.lock().await.busy_timeout(patience).unwrap();
        self.patience = patience;
        self
    }

    /// Says of an error that the file is locked who holds the lock.
    fn explained(&self, error: impl Into<StoreError>) -> StoreError {
        let error = error.into();
        match &self.place {
            Some(place) => error.locked(place.path(), self.patience),
            None => error,
        }
    }

    /// [`Store::stands`], and that no newer program has migrated it; within a transaction.
    fn check_place(&self, connection: &Connection) -> Result<(), StoreError> {
        self.place.as_ref().map_or(Ok(()), |place| place.check(connection))
    }

    /// The files of the database at this path: itself, its log and the index of that. SQLite gives the others the
    /// rights that the first one has.
    pub fn files(path: &Path) -> [PathBuf; 3] {
        ["", "-wal", "-shm"].map(|suffix| {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            PathBuf::from(file)
        })
    }

    /// A file as an earlier version made it.
    #[cfg(test)]
    pub(crate) fn of_version(path: &Path, version: usize) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        migrations::to(&mut connection, version);
        connection
    }

    /// The number of the newest version.
    #[cfg(test)]
    pub(crate) fn newest_version() -> usize {
        migrations::newest()
    }

    /// A store in memory, for tests.
    ///
    /// # Errors
    /// Where SQLite fails.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, Path::new(":memory:"))
    }

    fn prepare(mut connection: Connection, path: &Path) -> Result<Self, StoreError> {
        let open = |error: rusqlite::Error| StoreError::opening(path, &error);
        connection.busy_timeout(BUSY_TIMEOUT).map_err(open)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
            .map_err(open)?;
        // In WAL mode, NORMAL loses no committed transaction when the process dies, and does not corrupt the
        // file when the machine does. What must outlast the machine is flushed (`StoreUnit::commit`).
        let wal = mode.eq_ignore_ascii_case("wal").then(|| Arc::new(flush::Wal::of(path)));
        let synchronous = if wal.is_some() { "NORMAL" } else { "FULL" };
        connection.pragma_update(None, "synchronous", synchronous).map_err(open)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(open)?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(open)?;
        connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB).map_err(open)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(open)?;
        // The query planner stability guarantee: a statement is planned once, and not again for each bound
        // value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(open)?;
        migrations::apply(&mut connection, path)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), wal, place: None, patience: BUSY_TIMEOUT })
    }

    /// Read transaction: all reads in the closure see the snapshot of the first one.
    ///
    /// # Errors
    /// The closure's error, or where the database fails.
    pub async fn snapshot<T, E, F>(&self, read: F) -> Result<T, E>
    where
        F: FnOnce(Session<'_>) -> Result<T, E> + Send,
        T: Send,
        E: From<StoreError> + Send,
    {
        self.read(|connection| Ok(read(Session::over(connection)))).await?
    }

    /// Write transaction: committed as a whole, or rolled back if the closure fails.
    ///
    /// # Errors
    /// The closure's error, or where the database fails.
    pub async fn transact<T, E, F>(&self, write: F) -> Result<T, E>
    where
        F: FnOnce(Session<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let unit = self.begin().await?;
        let value = write(unit.session())?;
        unit.commit()?;
        Ok(value)
    }

    /// Runs SQLite's integrity check over the whole file.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with what it found wrong.
    pub async fn check(&self) -> Result<(), StoreError> {
        let look = "PRAGMA quick_check";
        let found: String =
            self.read(|connection| Ok(connection.query_row(look, [], |row| row.get(0))?)).await?;
        if found == "ok" {
            return Ok(());
        }
        Err(StoreError::Corrupt { what: "file".to_owned(), why: found })
    }

    /// Writes the whole file anew, without what was deleted, and empties its log: bytes of rows that are gone stay in
    /// neither. Takes as much room on the disk as the file, and a few seconds for a hundred thousand records.
    ///
    /// # Errors
    /// Where the disk is full, or another process reads the file for longer than the busy timeout.
    pub(crate) async fn rewrite(&self) -> Result<(), StoreError> {
        let connection = self.connection.lock().await;
        let truncate = || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        let busy = match connection.execute_batch("VACUUM").and_then(|()| truncate()) {
            Ok(busy) => busy,
            Err(error) if StoreFailure::of(&error) == StoreFailure::Busy => true,
            Err(error) => return Err(error.into()),
        };
        if !busy {
            return Ok(());
        }
        // What is gone has been committed as that; its bytes are what is left.
        let why = "another process uses it, so that it or its log still holds the bytes of what is gone; do it again when that has ended";
        Err(StoreError::Failed { kind: StoreFailure::Busy, why: why.to_owned() })
    }

    /// [`Store::snapshot`] for the SQL of this crate.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
        T: Send,
    {
        let connection = self.connection.lock().await;
        // One read transaction for all statements; in autocommit, each statement would lock the file by
        // itself.
        let looking = connection.unchecked_transaction()?;
        self.check_place(&looking)?;
        let value = read(&looking).map_err(|error| self.explained(error))?;
        looking.commit()?;
        Ok(value)
    }

    /// [`Store::transact`] for the SQL of this crate.
    pub(crate) async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send,
        T: Send,
    {
        let value = self.write_soon(write).await?;
        self.flush().await?;
        Ok(value)
    }

    /// [`Store::write`] without a flush.
    pub(crate) async fn write_soon<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send,
        T: Send,
    {
        let mut connection = self.connection.lock().await;
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| self.explained(error))?;
        self.check_place(&transaction)?;
        let value = write(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Flushes every commit so far to the disk.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let _connection = self.connection.lock().await;
        self.wal.as_ref().map_or(Ok(()), |wal| wal.flush())
    }

    /// Begins a unit of work, a write transaction that several parts of the program share.
    ///
    /// # Errors
    /// Where the database is locked by another process for too long.
    pub async fn begin(&self) -> Result<StoreUnit, StoreError> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let unit = StoreUnit::begin(connection, self.wal.clone()).map_err(|error| self.explained(error))?;
        self.check_place(unit.connection())?;
        Ok(unit)
    }
}

/// Makes an empty file that only its user can read, unless there is one: SQLite would leave that to the umask.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
