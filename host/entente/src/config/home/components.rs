//! The component store of a home: content-addressed files, shared by all tenants.

use super::folder::Home;
use super::tenants::{HomeLock, hold};
use crate::config::error::{ConfigError, io};
use entente_sqlite::Store;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};

/// The digest of a component: SHA-256 in hex.
pub fn digest_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Whether a text is a SHA-256 in hex.
pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Stores a component in the home folder. It is written to a temporary file and renamed; equal bytes are
/// stored once.
pub(crate) fn store_component(home: &Home, bytes: &[u8]) -> Result<String, ConfigError> {
    let digest = digest_of(bytes);
    let path = home.component(&digest);
    if std::fs::read(&path).is_ok_and(|there| digest_of(&there) == digest) {
        return Ok(digest);
    }
    let mut file =
        tempfile::NamedTempFile::new_in(home.plugins()).map_err(|error| io(&path, "written", &error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| io(&path, "written", &error))?;
    file.persist(&path).map_err(|error| io(&path, "written", &error.error))?;
    Ok(digest)
}

impl Home {
    /// Stores a component in the home folder; false where it is there already.
    pub(crate) fn put_component(&self, bytes: &[u8]) -> Result<bool, ConfigError> {
        let there = self.component(&digest_of(bytes)).is_file();
        store_component(self, bytes)?;
        Ok(!there)
    }

    /// A shared lock that excludes [`Home::sweep_components`] while a component is installed that no tenant
    /// names yet.
    pub fn hold_components(&self) -> HomeLock {
        hold(&self.path().join("plugins.lock"), File::lock_shared)
    }

    /// Garbage collection: removes components that no tenant names, and their compiled code. If the database
    /// of any tenant cannot be read, nothing is removed. Returns the removed digests.
    ///
    /// # Errors
    /// Where a tenant's database cannot be read, or a file cannot be removed.
    pub fn sweep_components(&self) -> Result<BTreeSet<String>, ConfigError> {
        let _held = hold(&self.path().join("plugins.lock"), File::lock);
        let mut used = BTreeSet::new();
        for tenant in self.tenants()?.iter().filter(|tenant| self.database(tenant).exists()) {
            used.extend(Store::digests_in(&self.database(tenant))?);
        }
        let mut gone = BTreeSet::new();
        for (folder, end) in [(self.plugins(), '.'), (self.cache(), '-')] {
            for entry in fs::read_dir(&folder).map_err(|error| io(&folder, "read", &error))?.flatten() {
                let name = entry.file_name();
                let digest = name.to_str().and_then(|name| name.split_once(end)).map(|(digest, _)| digest);
                let Some(digest) = digest.filter(|digest| is_digest(digest)) else { continue };
                if used.contains(digest) {
                    continue;
                }
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(io(&entry.path(), "removed", &error));
                    }
                    _ => gone.insert(digest.to_owned()),
                };
            }
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_stay_while_a_tenant_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let digest = |n: usize| format!("{n:064x}");
        for (n, tenant) in ["a", "b"].into_iter().enumerate() {
            home.add_tenant(tenant).unwrap();
            let connection = rusqlite::Connection::open(home.database(tenant)).unwrap();
            let insert = "INSERT INTO plugin VALUES ('p', ?1, 1, NULL, '', 0, 1)";
            connection.execute(insert, [digest(n)]).unwrap();
        }
        for n in 0..3 {
            fs::write(home.component(&digest(n)), "x").unwrap();
            fs::write(home.cache().join(format!("{}-0123.bin", digest(n))), "x").unwrap();
        }
        fs::write(home.cache().join("of-somebody-else"), "x").unwrap();
        assert_eq!(home.sweep_components().unwrap(), [digest(2)].into());
        assert!(
            home.component(&digest(0)).exists()
                && home.component(&digest(1)).exists()
                && !home.component(&digest(2)).exists()
        );
        assert_eq!(fs::read_dir(home.cache()).unwrap().count(), 3);

        // A tenant whose database cannot be read may use any component.
        fs::write(home.component(&digest(3)), "x").unwrap();
        fs::write(home.database("b"), "no database").unwrap();
        assert!(home.sweep_components().is_err());
        assert!(home.component(&digest(3)).exists());
    }
}
