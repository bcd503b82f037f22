//! Restoring a tenant from its export.

use super::archive::{self, ArchiveError};
use super::export::blocking;
use super::{Tenant, TenantError};
use crate::config::{ConfigError, Configuration, Home, SealingKey, SecretText, check_name, is_digest};
use entente_core::Foreign;
use entente_sqlite::{SqliteLedger, Store, StoreError};
use serde::Serialize;
use std::path::Path;

/// Options of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreOptions {
    /// Whether the secrets are left out, because the key to them is lost.
    pub without_secrets: bool,
}

/// The result of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Its name here.
    pub tenant: String,
    /// Its name when it was exported.
    pub exported_as: String,
    /// Its integrations.
    pub integrations: Vec<String>,
    /// The number of components that were not installed here yet.
    pub components: u64,
    /// The number of secrets restored.
    pub secrets: u64,
    /// Secrets that were left out and must be set again, as `integration/name`.
    pub left_out: Vec<String>,
}

/// Adds a tenant from an export, atomically.
pub(crate) async fn restore(
    home: &Home,
    tenant: &str,
    file: &Path,
    key: Option<SecretText>,
    options: RestoreOptions,
) -> Result<Restored, TenantError> {
    let wrong = |error: ArchiveError| TenantError::Archive { path: file.to_owned(), error };
    let refused = |why: String| wrong(ArchiveError::Database(why));
    // May wait for the lock while another tenant is added, so it runs on the blocking pool.
    let making = (home.clone(), tenant.to_owned());
    let new = blocking(move || making.0.new_tenant(&making.1)).await??;
    let unpacking = (file.to_owned(), new.folder().to_owned());
    let unpacked = blocking(move || archive::unpack(&unpacking.0, &unpacking.1)).await?.map_err(wrong)?;
    let database = new.database();
    let checked = database.clone();
    blocking(move || Store::check_foreign(&checked)).await?.map_err(|error| match error {
        StoreError::Foreign { why, .. } => wrong(ArchiveError::Database(why)),
        StoreError::Newer { .. } => wrong(ArchiveError::Newer(unpacked.list.program.clone())),
        error => refused(error.to_string()),
    })?;

    let store = Store::open(&database).map_err(|error| refused(error.to_string()))?;
    // No run of this home holds a lease in a restored database; writes of former holders are fenced off.
    let ended = SqliteLedger::new(store.clone()).end_leases().await;
    ended.map_err(|error| refused(error.to_string()))?;
    let key = SealingKey::find(home, key.as_ref().map(SecretText::reveal))?;
    let configuration = Tenant::configuration_over(store, home.clone(), tenant);
    for plugin in configuration.plugins().await.map_err(|error| refused(error.to_string()))? {
        if !is_digest(&plugin.digest) {
            let digest = Foreign::new(&plugin.digest).cut(100);
            return Err(wrong(ArchiveError::Database(format!("'{digest}' is no digest of a component"))));
        }
        if !unpacked.components.contains_key(&plugin.digest) {
            return Err(wrong(ArchiveError::Damaged(format!("the component {} is missing", plugin.digest))));
        }
    }
    check_syncs(&configuration).await.map_err(refused)?;
    let mut restored = Restored {
        tenant: tenant.to_owned(),
        exported_as: unpacked.list.tenant.clone(),
        integrations: configuration
            .integrations()
            .await
            .map_err(|error| refused(error.to_string()))?
            .into_iter()
            .map(|integration| integration.name)
            .collect(),
        components: 0,
        secrets: 0,
        left_out: Vec::new(),
    };
    if options.without_secrets {
        restored.left_out = configuration.forget_secrets().await?;
    } else {
        let taken = configuration.take_over_secrets(&unpacked.list.tenant, key.as_ref()).await;
        restored.secrets = taken.map_err(|error| match error {
            ConfigError::Secret { why, .. } => {
                wrong(ArchiveError::Key(format!("its secrets cannot be opened: {why}")))
            }
            error => error.into(),
        })?;
    }
    drop(configuration);

    for path in unpacked.components.values() {
        let bytes = std::fs::read(path).map_err(|why| wrong(ArchiveError::Io { doing: "read", why }))?;
        restored.components += u64::from(home.put_component(&bytes)?);
        std::fs::remove_file(path).map_err(|why| wrong(ArchiveError::Io { doing: "taken apart", why }))?;
    }
    new.finish()?;
    Ok(restored)
}

/// Checks the names that stand within the definitions of syncs, which are those that are shown and completed; those in columns
/// have been checked with the database.
async fn check_syncs(configuration: &Configuration) -> Result<(), String> {
    for sync in configuration.syncs().await.map_err(|error| error.to_string())? {
        check_name("sync", &sync.name)?;
        check_name("relation", &sync.relation)?;
        check_name("integration", &sync.exchanges.left)?;
        check_name("integration", &sync.exchanges.right)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::tenant::archive::{Archived, DATABASE, content, write};
    use entente_core::Timestamp;
    use std::path::PathBuf;

    /// An export whose database somebody has tampered with.
    fn export(folder: &Path, change: &str) -> PathBuf {
        let database = folder.join("made.db");
        drop(Store::open(&database).unwrap());
        rusqlite::Connection::open(&database).unwrap().execute_batch(change).unwrap();
        let mut list = Archived::new("acme", vec![], 0, vec![], Timestamp::from_micros(0));
        list.contents.push(content(DATABASE.to_owned(), &database).unwrap());
        let file = folder.join("export.tar");
        write(&file, &list, &[database]).unwrap();
        file
    }

    #[tokio::test]
    async fn a_database_that_is_not_ours_is_not_taken() {
        for (change, telling) in [
            (
                "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",
                "its database cannot be taken: it has a trigger 't'",
            ),
            (
                "CREATE TRIGGER \"sqlite-autoindex-t\" AFTER INSERT ON run BEGIN DELETE FROM run; END",
                "its database cannot be taken: it has a trigger 'sqlite-autoindex-t'",
            ),
            ("PRAGMA user_version = 999", "which is newer; use that version"),
            (
                "INSERT INTO lease VALUES ('r', 'process 1', 1, 9223372036854775807)",
                "its database cannot be taken: the database could not end the leases",
            ),
            (
                "INSERT INTO relation VALUES ('a' || char(10) || 'FORGED', 'hub', 'crm')",
                "its relation has the name 'a\\nFORGED', which is no name",
            ),
            // What a shell would run where it completes the name.
            (
                "INSERT INTO relation VALUES ('shop;touch x', 'hub', 'crm')",
                "its relation has the name 'shop;touch x', which is no name",
            ),
            (
                "INSERT INTO relation VALUES ('shop', 'hub', '$(touch x)')",
                "its relation has the right_exchange '$(touch x)', which is no name",
            ),
            (
                "INSERT INTO run (sync, relation, options, started, status, counts) VALUES ('`x`', '', '{}', 1, 'done', '{}')",
                "its run has the sync '`x`', which is no name",
            ),
            (
                "INSERT INTO plugin VALUES ('a b', '0123', 1, NULL, '', 0, 1)",
                "its plugin has the name 'a b', which is no name",
            ),
            (
                "INSERT INTO sync_definition VALUES ('shop', 'shop', 'hub', 'crm', '{\"name\": \"shop;touch x\", \"relation\": \"shop\", \"exchanges\": [\"hub\", \"crm\"], \"mappings\": [], \"version\": 1}')",
                "its database cannot be taken: 'shop;touch x' cannot be the name of a sync",
            ),
            (
                "INSERT INTO plugin VALUES ('p', '0123', 1, NULL, '', 0, 1)",
                "its database cannot be taken: '0123' is no digest of a component",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let home = Home::open(&folder.path().join("home")).unwrap();
            let file = export(folder.path(), change);
            let error =
                restore(&home, "acme", &file, None, RestoreOptions::default()).await.unwrap_err().to_string();
            assert!(error.contains(telling) && !error.contains(".adding"), "{error}");
            assert_eq!(home.tenants().unwrap(), ["default"]);
            assert_eq!(std::fs::read_dir(home.path().join("tenants")).unwrap().count(), 0);
        }
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        // Names that this program makes itself, and those that plugins give.
        let ours = "INSERT INTO lease VALUES ('r', 'process 1', 9223372036854775807, 3);
            INSERT INTO run (sync, relation, options, started, status, counts) VALUES ('', '', '{}', 1, 'done', '{}');
            INSERT INTO mapping (relation, left_object, right_object) VALUES ('r until 1700000000000000', 'contact', 'a person''s; 1')";
        let file = export(folder.path(), ours);
        restore(&home, "acme", &file, None, RestoreOptions::default()).await.unwrap();
        let database = rusqlite::Connection::open(home.database("acme")).unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let lease: (Option<String>, i64) =
            database.query_row("SELECT holder, fence FROM lease", [], read).unwrap();
        assert_eq!(lease, (None, 4), "nobody runs anything here");
    }
}
