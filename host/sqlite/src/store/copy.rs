//! Copies of a database: online backup, and validation of a database file that came from elsewhere.

use super::{BUSY_TIMEOUT, Store, StoreError, make_private, migrations, texts};
use entente_core::Foreign;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Opens a file without applying migrations.
pub(crate) fn open_as_it_is(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::opening(path, &error);
    // Not read-only, since the WAL must be readable; without CREATE, so that a missing file is an error.
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    Ok(connection)
}

impl Store {
    /// Online backup: copies the database as of one moment while other connections go on writing. Deleted
    /// rows are not in the copy.
    ///
    /// # Errors
    /// Where the file is no database, or the copy cannot be written.
    pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let write = |why: String| StoreError::Copy { path: to.to_owned(), why };
        let connection = open_as_it_is(from)?;
        // SQLite writes into an empty file, and refuses any other.
        make_private(to).map_err(|error| write(error.to_string()))?;
        let to = to.to_str().ok_or_else(|| write("its path is no text".to_owned()))?;
        connection.execute("VACUUM INTO ?1", [to]).map_err(|error| write(error.to_string()))?;
        Ok(())
    }

    /// Validates a database that came from elsewhere: its integrity, that it has exactly the tables of this program, and that
    /// its names are names. It is brought to the newest version, and then, in texts that are printed as they are, what acts on a
    /// terminal is escaped: an earlier version may keep in a value what is a name in this one.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where it is from a newer version, [`StoreError::Foreign`] where it is something
    /// else.
    pub fn check_foreign(path: &Path) -> Result<(), StoreError> {
        let foreign = |why: String| StoreError::Foreign { path: path.to_owned(), why };
        let strange = |error: rusqlite::Error| foreign(error.to_string());
        let connection = open_as_it_is(path)?;
        // With an untrusted schema, SQL from the file's own schema may call only functions that SQLite marks
        // as innocuous.
        connection.pragma_update(None, "trusted_schema", false).map_err(strange)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(strange)?;
        let version = usize::try_from(version).map_err(|_| foreign(format!("it has version {version}")))?;
        if version > migrations::newest() {
            let why = format!("its tables have version {version}, here it is {}", migrations::newest());
            return Err(StoreError::Newer { path: path.to_owned(), why });
        }
        if version == 0 {
            return Err(foreign("it has no tables".to_owned()));
        }
        let (there, expected) = (migrations::tables(&connection)?, migrations::tables_of(version)?);
        if let Some((kind, name, _)) = there.iter().find(|made| !expected.contains(made)) {
            return Err(foreign(format!(
                "it has a {kind} '{}' that is not of this program",
                Foreign::new(name).cut(100)
            )));
        }
        if let Some((kind, name, _)) = expected.iter().find(|made| !there.contains(made)) {
            return Err(foreign(format!("it lacks the {kind} '{name}'")));
        }
        let found: String =
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(strange)?;
        if found != "ok" {
            return Err(foreign(format!("it is damaged: {}", Foreign::new(found).cut(300))));
        }
        let dangling = connection.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([]));
        if dangling.map_err(strange)? {
            return Err(foreign("rows of it refer to rows that are not there".to_owned()));
        }
        drop(connection);
        drop(Store::open(path).map_err(|error| foreign(error.to_string()))?);
        let connection = open_as_it_is(path)?;
        texts::take_in(&connection).map_err(strange)?.map_or(Ok(()), |why| Err(foreign(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_made_while_others_write_and_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let store = Store::open(&path).unwrap();
        let mark = |text: &'static str| {
            let store = store.clone();
            async move {
                let insert = "INSERT INTO hub_source (kind, name) VALUES ('sync', ?1)";
                store.write(|transaction| Ok(transaction.execute(insert, [text]).map(drop)?)).await.unwrap();
            }
        };
        mark("before").await;
        let unit = store.begin().await.unwrap();
        unit.connection()
            .execute("INSERT INTO hub_source (kind, name) VALUES ('sync', 'not committed')", [])
            .unwrap();
        Store::copy(&path, &copy).unwrap();
        unit.commit().unwrap();
        Store::check_foreign(&copy).unwrap();
        let names: Vec<String> = Store::open(&copy)
            .unwrap()
            .read(|connection| {
                let mut statement = connection.prepare("SELECT name FROM hub_source WHERE kind = 'sync'")?;
                Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
            })
            .await
            .unwrap();
        assert_eq!(names, ["before"]);
        // A file that has been opened before, and is in another journal mode since, is accepted too.
        Store::check_foreign(&copy).unwrap();
        assert!(Store::copy(&path, &copy).is_err(), "a file that is there is not overwritten");
        assert!(Store::copy(&folder.path().join("none.db"), &folder.path().join("c.db")).is_err());
        assert!(!folder.path().join("none.db").exists());
    }

    #[test]
    fn every_earlier_version_is_known() {
        let folder = tempfile::tempdir().unwrap();
        for version in 1..=migrations::newest() {
            let path = folder.path().join(format!("{version}.db"));
            migrations::to(&mut Connection::open(&path).unwrap(), version);
            Store::check_foreign(&path).unwrap();
            Store::open(&path).unwrap();
            Store::check_foreign(&path).unwrap();
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = |what: &str, change: &str| {
            let path = folder.path().join(format!("{what}.db"));
            drop(Store::open(&path).unwrap());
            Connection::open(&path).unwrap().execute_batch(change).unwrap();
            Store::check_foreign(&path)
                .unwrap_err()
                .to_string()
                .replace(&folder.path().display().to_string(), "DIR")
        };
        insta::assert_snapshot!(said("trigger", "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END"), @"DIR/trigger.db is no database of entente: it has a trigger 't' that is not of this program");
        insta::assert_snapshot!(said("index", "CREATE TRIGGER \"sqlite-autoindex-t\" AFTER INSERT ON run BEGIN DELETE FROM run; END"), @"DIR/index.db is no database of entente: it has a trigger 'sqlite-autoindex-t' that is not of this program");
        insta::assert_snapshot!(said("view", "DROP TABLE tenant_limit; CREATE VIEW tenant_limit AS SELECT 'memory-bytes' AS name, 1 AS value"), @"DIR/view.db is no database of entente: it has a view 'tenant_limit' that is not of this program");
        insta::assert_snapshot!(said("less", "DROP TABLE tenant_limit"), @"DIR/less.db is no database of entente: it lacks the table 'tenant_limit'");
        let newer = said("newer", "PRAGMA user_version = 999");
        assert!(
            newer.contains("was written by a newer version of entente (its tables have version 999"),
            "{newer}"
        );
        std::fs::write(
            folder.path().join("text.db"),
            "this is no database, whatever it is called".repeat(100),
        )
        .unwrap();
        let error = Store::check_foreign(&folder.path().join("text.db")).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
        let empty = folder.path().join("empty.db");
        std::fs::write(&empty, "").unwrap();
        assert!(Store::check_foreign(&empty).is_err());
    }
}
