//! The tables, by number. A migration that has been released is never changed; a new one is added.

use super::StoreError;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::Path;

fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("migrations/0001_hub.sql")),
        M::up(include_str!("migrations/0002_ledger.sql")),
        M::up(include_str!("migrations/0003_configuration.sql")),
        M::up(include_str!("migrations/0004_operator.sql")),
        M::up(include_str!("migrations/0005_leaner.sql")),
        M::up(include_str!("migrations/0008_call_budget.sql")),
    ])
}

/// Brings the tables up to date, each migration in a transaction of its own.
pub(super) fn apply(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    migrations().to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::MigrationDefinition(rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead) => {
            StoreError::Newer { path: path.to_owned(), why: error.to_string() }
        }
        error => StoreError::Open { path: path.to_owned(), why: error.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_sound() {
        migrations().validate().unwrap();
    }

    #[test]
    fn a_newer_file_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        let error = apply(&mut connection, Path::new("x.db")).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    }
}
