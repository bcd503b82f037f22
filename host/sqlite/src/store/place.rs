//! Identity of the file that a store has open. A file that is removed or replaced stays open under the process that has
//! it, which would go on writing into what nobody will read; and another process may have migrated it since.

use super::{StoreError, migrations};
use rusqlite::Connection;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Where the database of a store stands, and which file that was when it was opened.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// `None` where the system does not tell.
    identity: Option<(u64, u64)>,
}

impl Place {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(&std::fs::metadata(path)?) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the file still stands there.
    ///
    /// # Errors
    /// [`StoreError::Gone`].
    pub(super) fn stands(&self) -> Result<(), StoreError> {
        let found = std::fs::metadata(&self.path).map(|found| identity(&found));
        match found {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) => Err(StoreError::Gone { path: self.path.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Gone { path: self.path.clone() })
            }
            // What cannot be looked at says nothing.
            Err(_) => Ok(()),
        }
    }

    /// Checks that the file still stands there and has tables that this program knows. Within a transaction, so that it
    /// stays true until that ends.
    ///
    /// # Errors
    /// [`StoreError::Gone`], [`StoreError::Newer`].
    pub(super) fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        self.stands()?;
        let version: i64 =
            connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?;
        let newest = migrations::newest();
        if usize::try_from(version).is_ok_and(|version| version <= newest) {
            return Ok(());
        }
        let why = format!("its tables have version {version}, here it is {newest}");
        Err(StoreError::Newer { path: self.path.clone(), why })
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "not every system tells")]
fn identity(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    /// A write, a read and a unit of work of a store, each as it fails.
    async fn tried(store: &Store) -> [Option<StoreError>; 3] {
        let written = store.write(|transaction| {
            Ok(transaction.execute("INSERT INTO hub_source (kind, name) VALUES ('sync', 'x')", [])?)
        });
        let read = store.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?));
        [written.await.err(), read.await.err(), store.begin().await.err()]
    }

    #[tokio::test]
    async fn a_file_that_went_is_noticed_also_where_another_one_stands_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let store = Store::open(&path).unwrap();
        assert!(tried(&store).await.iter().all(Option::is_none));
        for file in Store::files(&path) {
            let _ = std::fs::remove_file(file);
        }
        let gone = |error: &Option<StoreError>| matches!(error, Some(StoreError::Gone { .. }));
        let [written, read, begun] = tried(&store).await;
        assert!(gone(&written) && gone(&read) && gone(&begun), "{written:?} {read:?} {begun:?}");
        let other = Store::open(&path).unwrap();
        assert!(tried(&store).await.iter().all(gone), "another file stands there");
        assert!(tried(&other).await.iter().all(Option::is_none));
        let rows = "SELECT count(*) FROM hub_source WHERE name = 'x'";
        let count: i64 =
            other.read(|connection| Ok(connection.query_row(rows, [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(count, 1, "of its own");
    }

    #[tokio::test]
    async fn a_file_that_a_newer_program_has_migrated_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let store = Store::open(&path).unwrap();
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", 999).unwrap();
        let tried = tried(&store).await;
        assert!(tried.iter().all(|error| matches!(error, Some(StoreError::Newer { .. }))), "{tried:?}");
    }
}
