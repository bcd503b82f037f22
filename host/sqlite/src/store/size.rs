//! The size of a tenant's file, and its bound (limit `tenant-database-bytes`).

use super::{Session, Store, StoreError};
use rusqlite::Connection;

/// The most pages that SQLite allows a file.
const MOST_PAGES: i64 = 4_294_967_294;

impl Store {
    /// Bounds the size of the file, in bytes. A file that is larger already grows no more; what is in it can be read, changed
    /// and removed. A write that would need more fails with [`StoreFailure::Full`](super::StoreFailure::Full) and leaves all as it was.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn limit_size(&self, bytes: u64) -> Result<(), StoreError> {
        limit(&*self.connection.lock().await, bytes)
    }

    /// As [`Store::limit_size`], for a store that was just opened and that nobody else has: the limit that the tenant has set
    /// under this name, or the default.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn limit_size_as_set(&self, name: &str, default: u64) -> Result<(), StoreError> {
        let Ok(connection) = self.connection.try_lock() else { return Ok(()) };
        let set = Session::over(&connection).limits()?.get(name).copied();
        limit(&connection, set.unwrap_or(default))
    }

    /// The size of the file, in bytes, without what is only in its log so far.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn size(&self) -> Result<u64, StoreError> {
        let size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        self.read(|connection| Ok(connection.query_row(size, [], |row| row.get::<_, i64>(0))?.unsigned_abs()))
            .await
    }
}

/// Sets the most pages that the file may have.
fn limit(connection: &Connection, bytes: u64) -> Result<(), StoreError> {
    let page: u64 =
        connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))?.unsigned_abs();
    let pages = i64::try_from(bytes / page.max(1)).unwrap_or(i64::MAX).clamp(1, MOST_PAGES);
    connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn x9_a_full_database_ends_what_writes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("x.db")).unwrap();
        store
            .write(|connection| Ok(connection.execute_batch("CREATE TABLE filler (data BLOB)")?))
            .await
            .unwrap();
        let before = store.size().await.unwrap();
        store.limit_size(before + (1 << 20)).await.unwrap();
        let fill = || {
            store.write(|connection| {
                Ok(connection.execute("INSERT INTO filler VALUES (zeroblob(100000))", [])?)
            })
        };
        let mut written = 0;
        let error = loop {
            match fill().await {
                Ok(_) => written += 1,
                Err(error) => break error,
            }
            assert!(written < 100, "it has an end");
        };
        assert!(error.is_full(), "{error}");
        let text = error.to_string();
        assert!(text.contains("raise the limit tenant-database-bytes"), "{text}");
        let count = || {
            store.read(|connection| {
                Ok(connection.query_row("SELECT count(*) FROM filler", [], |row| row.get::<_, i64>(0))?)
            })
        };
        assert_eq!(count().await.unwrap(), written, "what was written before is there, and can be read");
        assert!(store.size().await.unwrap() <= before + (1 << 20));
        // What is removed makes room, and so does a higher limit.
        store
            .write(|connection| Ok(connection.execute("DELETE FROM filler WHERE rowid = 1", [])?))
            .await
            .unwrap();
        fill().await.unwrap();
        assert!(fill().await.is_err());
        store.limit_size(before + (4 << 20)).await.unwrap();
        fill().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_larger_than_its_bound_stays_whole() {
        let store = Store::in_memory().unwrap();
        store.limit_size(1).await.unwrap();
        store.check().await.unwrap();
        assert!(store.size().await.unwrap() > 1);
    }
}
