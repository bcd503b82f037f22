//! Migrations of the schema, by number. A released migration is never changed; a new one is appended.

mod earlier;
mod keys;

use super::StoreError;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::Path;

/// Kind, name and SQL of a table, an index or another schema object.
pub(super) type Made = (String, String, Option<String>);

fn all() -> Vec<M<'static>> {
    vec![
        M::up(include_str!("migrations/0001_hub.sql")),
        M::up(include_str!("migrations/0002_ledger.sql")),
        M::up(include_str!("migrations/0003_configuration.sql")),
        M::up(include_str!("migrations/0004_operator.sql")),
        M::up(include_str!("migrations/0005_leaner.sql")),
        M::up(include_str!("migrations/0006_tenant.sql")),
        M::up(include_str!("migrations/0007_integration.sql")),
        M::up(include_str!("migrations/0008_call_budget.sql")),
        M::up_with_hook(include_str!("migrations/0009_reasons.sql"), |transaction| {
            earlier::apply(transaction)
        }),
        M::up(include_str!("migrations/0010_remedies.sql")),
        M::up(include_str!("migrations/0011_conflict_number.sql")),
        M::up(include_str!("migrations/0012_parked.sql")),
        M::up(include_str!("migrations/0013_differing.sql")),
        M::up(include_str!("migrations/0014_call_held.sql")),
        M::up(include_str!("migrations/0015_relation.sql")),
        M::up_with_hook(include_str!("migrations/0016_keys.sql"), |transaction| keys::apply(transaction)),
        M::up(include_str!("migrations/0017_positions.sql")),
        M::up(include_str!("migrations/0018_plugin_install.sql")),
        M::up(include_str!("migrations/0019_deleted_values.sql")),
        M::up(include_str!("migrations/0020_described.sql")),
        M::up(include_str!("migrations/0021_words.sql")),
        M::up(include_str!("migrations/0023_imports.sql")),
        M::up(include_str!("migrations/0024_merged.sql")),
        M::up(include_str!("migrations/0025_pairs_that_differ.sql")),
    ]
}

fn migrations() -> Migrations<'static> {
    Migrations::new(all())
}

/// The newest schema version.
pub(super) fn newest() -> usize {
    all().len()
}

/// Kind, name and SQL of every schema object of a version.
pub(super) fn tables_of(version: usize) -> Result<Vec<Made>, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    migrations().to_version(&mut connection, version).map_err(|error| StoreError::Corrupt {
        what: format!("version {version} of its tables"),
        why: error.to_string(),
    })?;
    tables(&connection)
}

/// Kind, name and SQL of every schema object in a file, except the indexes that SQLite makes for constraints: those, and no others,
/// have no SQL. A name says nothing, since a file may give any.
pub(super) fn tables(connection: &Connection) -> Result<Vec<Made>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE NOT (type = 'index' AND sql IS NULL) ORDER BY type, name",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Applies the missing migrations, each in its own transaction.
pub(super) fn apply(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    migrations().to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::MigrationDefinition(
            rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead,
        ) => StoreError::Newer { path: path.to_owned(), why: error.to_string() },
        rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::opening(path, &err),
        error => StoreError::Open { path: path.to_owned(), why: error.to_string() },
    })
}

/// Migrates up to this version only.
#[cfg(test)]
pub(super) fn to(connection: &mut Connection, version: usize) {
    migrations().to_version(connection, version).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_core::Timestamp;
    use entente_sync::{Position, Progress};
    use std::collections::BTreeMap;

    #[test]
    fn the_migrations_are_sound() {
        migrations().validate().unwrap();
    }

    #[test]
    fn a_relation_is_known_by_the_sync_that_works_on_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        to(&mut connection, 14);
        connection
            .execute_batch(
                "INSERT INTO sync_definition VALUES ('a', 'people', 'hub', 'crm', '{}'), ('b', 'people', 'hub', 'crm', '{}')",
            )
            .unwrap();
        apply(&mut connection, Path::new("x.db")).unwrap();
        let row: (String, String, String) = connection
            .query_row("SELECT name, left_exchange, right_exchange FROM relation", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(row, ("people".to_owned(), "hub".to_owned(), "crm".to_owned()));
    }

    #[test]
    fn a_newer_file_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        let error = apply(&mut connection, Path::new("x.db")).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    }

    #[test]
    fn the_position_of_a_side_becomes_one_of_each_object() {
        let mut connection = Connection::open_in_memory().unwrap();
        to(&mut connection, 16);
        let before = [
            r#"{"bookmark":"b","read_from":"2026-01-02T00:00:00Z","mapping_version":3,"complete":["person","organisation"],
                "open":{"cursor":"c","iteration":1,"window":{"since":null,"until":"2026-01-02T00:00:00Z"},"bookmark":null,
                "full":false,"started":"2026-01-02T00:00:00Z","run":7},"unchecked":{"run":4,"objects":["person"]},"rekey":true}"#,
            r#"{"bookmark":null,"read_from":null,"mapping_version":1,"complete":[],"open":null,"rekey":false}"#,
        ];
        for (side, place) in (0i64..).zip(before) {
            connection
                .execute("INSERT INTO progress (sync, side, place) VALUES ('s', ?1, ?2)", (side, place))
                .unwrap();
        }
        to(&mut connection, 17);
        let after = |side: i64| -> Progress {
            let place: String = connection
                .query_row("SELECT place FROM progress WHERE side = ?1", [side], |row| row.get(0))
                .unwrap();
            serde_json::from_str(&place).unwrap()
        };
        let read_from = Timestamp::parse("2026-01-02T00:00:00Z").ok();
        let position = Position { bookmark: Some("b".to_owned()), read_from, complete: true };
        let expected = Progress {
            objects: ["person", "organisation"].map(|object| (object.to_owned(), position.clone())).into(),
            mapping_version: 3,
            open: None,
            unchecked: BTreeMap::from([("person".to_owned(), 4)]),
            rekey: true,
            ..Progress::default()
        };
        assert_eq!(after(0), expected);
        assert_eq!(after(1), Progress { mapping_version: 1, ..Progress::default() });
    }
}
