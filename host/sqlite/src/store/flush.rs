//! Durability: flushes the write-ahead log of a store to the disk.

use super::StoreError;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The write-ahead log of a store. With `synchronous = NORMAL`, SQLite writes a commit to it and leaves the
/// flush to the operating system; flushing the file makes every commit so far durable, and costs nothing where
/// no commit asks for it. SQLite locks other files than this one, so that opening it twice is safe.
#[derive(Debug)]
pub(super) struct Wal {
    path: PathBuf,
    /// Its entry in the folder is durable too.
    listed: AtomicBool,
}

impl Wal {
    /// The log beside a database file.
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), listed: AtomicBool::new(false) }
    }

    /// Flushes every commit so far.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let flush = || -> io::Result<()> {
            OpenOptions::new().write(true).open(&self.path)?.sync_data()?;
            if !self.listed.load(Ordering::Relaxed) {
                if let Some(folder) = self.path.parent().filter(|_| cfg!(unix)) {
                    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                    File::open(folder)?.sync_all()?;
                }
                self.listed.store(true, Ordering::Relaxed);
            }
            Ok(())
        };
        flush().map_err(|error| StoreError::Flush { path: self.path.clone(), why: error.to_string() })
    }
}
