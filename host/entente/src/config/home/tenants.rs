//! The tenants of a home: listing, adding and removing them under a lock between processes.
//!
//! A tenant is a folder in `tenants/` with a database. It is added and removed atomically: its folder is
//! prepared elsewhere and renamed into place, and renamed away before it is deleted. Names that begin with a
//! dot are never tenants.

use super::folder::{DEFAULT_TENANT, Home, TENANTS, make_folder};
use crate::config::error::{ConfigError, io};
use crate::config::names::{check_name, known};
use entente_sqlite::Store;
use entente_sync::Remedy;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const ADDING: &str = ".adding-";
const REMOVING: &str = ".removing-";

/// A file lock on the tenants or the components of a home, held until dropped. Advisory: on a file system
/// without locks it excludes nobody.
#[derive(Debug)]
#[must_use]
pub struct HomeLock {
    _file: Option<File>,
}

/// A tenant that is being added, in a temporary folder that is removed when this is dropped.
#[derive(Debug)]
pub struct NewTenant {
    folder: tempfile::TempDir,
    target: PathBuf,
    _held: HomeLock,
}

impl NewTenant {
    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database in the temporary folder.
    pub fn database(&self) -> PathBuf {
        self.folder().join("entente.db")
    }

    /// Renames the folder into place, which adds the tenant. The database must be closed.
    ///
    /// # Errors
    /// Where the folder cannot be moved.
    pub fn finish(self) -> Result<(), ConfigError> {
        // An empty folder of that name would be in the way of the rename.
        let _ = fs::remove_dir(&self.target);
        fs::rename(self.folder.path(), &self.target).map_err(|error| io(&self.target, "made", &error))?;
        // The temporary folder has moved, so there is nothing to clean up.
        let _ = self.folder.keep();
        Ok(())
    }
}

impl Home {
    fn tenants_folder(&self) -> PathBuf {
        self.path().join(TENANTS)
    }

    /// The tenants by name; first `default`, which always exists.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn tenants(&self) -> Result<Vec<String>, ConfigError> {
        let folder = self.tenants_folder();
        let mut names = BTreeSet::new();
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(|error| io(&folder, "read", &error))?;
                    let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                    if check_name("tenant", &name).is_ok() && name != DEFAULT_TENANT && self.has_tenant(&name)
                    {
                        names.insert(name);
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io(&folder, "read", &error)),
        }
        Ok(std::iter::once(DEFAULT_TENANT.to_owned()).chain(names).collect())
    }

    /// Whether a tenant of this name exists.
    pub fn has_tenant(&self, tenant: &str) -> bool {
        tenant == DEFAULT_TENANT || (check_name("tenant", tenant).is_ok() && self.database(tenant).is_file())
    }

    /// The error that there is no tenant of this name.
    pub(crate) fn unknown_tenant(&self, tenant: &str) -> ConfigError {
        let there = self.tenants().unwrap_or_default();
        let known = known(tenant, there.iter().map(String::as_str));
        let remedies = vec![Remedy::AddTenant { tenant: tenant.to_owned() }];
        ConfigError::Unknown { what: "tenant", name: tenant.to_owned(), known, remedies }
    }

    /// Begins to add a tenant, under the lock that excludes adding and removing others.
    ///
    /// # Errors
    /// [`ConfigError::Exists`], or where the name is invalid or a folder cannot be created.
    pub fn new_tenant(&self, tenant: &str) -> Result<NewTenant, ConfigError> {
        check_name("tenant", tenant).map_err(ConfigError::Name)?;
        let folder = self.tenants_folder();
        make_folder(&folder).map_err(|error| io(&folder, "made", &error))?;
        let held = self.hold_tenants();
        self.sweep_tenants();
        if self.database(tenant).exists() {
            let remedies = vec![Remedy::RemoveTenant { tenant: tenant.to_owned() }];
            return Err(ConfigError::Exists { what: "tenant", name: tenant.to_owned(), remedies });
        }
        // Temporary folders are accessible to this user only.
        let made = tempfile::Builder::new()
            .prefix(ADDING)
            .tempdir_in(&folder)
            .map_err(|error| io(&folder, "written", &error))?;
        Ok(NewTenant { folder: made, target: self.tenant_folder(tenant), _held: held })
    }

    /// Adds an empty tenant.
    ///
    /// # Errors
    /// As [`Home::new_tenant`], or where the database cannot be created.
    pub fn add_tenant(&self, tenant: &str) -> Result<(), ConfigError> {
        let new = self.new_tenant(tenant)?;
        drop(Store::open(&new.database())?);
        new.finish()
    }

    /// Renames a tenant's folder away so that it can no longer be opened, and returns its new path. If
    /// `still_busy`, it is renamed back, and the result is `None`. The caller holds [`Home::hold_tenants`].
    pub(crate) fn put_aside(
        &self,
        tenant: &str,
        still_busy: impl FnOnce(&Path) -> bool,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let place = self.tenant_folder(tenant);
        let aside = tempfile::Builder::new()
            .prefix(REMOVING)
            .tempdir_in(self.tenants_folder())
            .map_err(|error| io(&place, "removed", &error))?;
        let target = aside.path().join(tenant);
        fs::rename(&place, &target).map_err(|error| io(&place, "removed", &error))?;
        if still_busy(&target) {
            fs::rename(&target, &place).map_err(|error| io(&place, "put back", &error))?;
            return Ok(None);
        }
        Ok(Some(aside.keep()))
    }

    /// Removes folders that interrupted processes left while adding or removing tenants. The caller holds
    /// [`Home::hold_tenants`].
    pub(crate) fn sweep_tenants(&self) {
        for entry in fs::read_dir(self.tenants_folder()).into_iter().flatten().flatten() {
            let left = entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(ADDING) || name.starts_with(REMOVING));
            if left && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(folder = %entry.path().display(), %error, "what is left of a tenant could not be removed");
            }
        }
    }

    /// The exclusive lock for adding and removing tenants. Waits for other processes.
    pub(crate) fn hold_tenants(&self) -> HomeLock {
        hold(&self.path().join("tenants.lock"), File::lock)
    }
}

pub(super) fn hold(path: &Path, lock: fn(&File) -> std::io::Result<()>) -> HomeLock {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let locked = file.and_then(|file| lock(&file).map(|()| file));
    if let Err(error) = &locked {
        tracing::debug!(path = %path.display(), %error, "there are no locks here");
    }
    HomeLock { _file: locked.ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        (folder, home)
    }

    #[test]
    fn tenants_come_and_go_as_a_whole() {
        let (_folder, home) = home();
        assert_eq!(home.tenants().unwrap(), ["default"]);
        home.add_tenant("b").unwrap();
        home.add_tenant("a").unwrap();
        assert_eq!(home.tenants().unwrap(), ["default", "a", "b"]);
        home.open_tenant("a").unwrap();
        insta::assert_snapshot!(home.add_tenant("a").unwrap_err(), @"the tenant 'a' already exists");
        insta::assert_snapshot!(home.open_tenant("ab").unwrap_err(), @"unknown tenant 'ab'; there is: a, b");
        insta::assert_snapshot!(home.add_tenant("../x").unwrap_err(), @"'../x' cannot be the name of a tenant: '.' is none of letters (a to z), digits, dash and underscore");

        let begun = home.new_tenant("c").unwrap();
        drop(Store::open(&begun.database()).unwrap());
        assert!(begun.folder().is_dir() && !home.has_tenant("c"));
        drop(begun);
        let left = |home: &Home| fs::read_dir(home.path().join("tenants")).unwrap().count();
        assert_eq!(left(&home), 2, "given up, it leaves nothing");

        let _held = home.hold_tenants();
        assert!(home.put_aside("a", |_| true).unwrap().is_none());
        assert!(home.has_tenant("a"), "it was put back");
        home.put_aside("a", |aside| !aside.join("entente.db").is_file()).unwrap().unwrap();
        assert!(!home.has_tenant("a"));
        // A folder left by a killed process.
        fs::create_dir(home.path().join("tenants/.adding-x")).unwrap();
        home.sweep_tenants();
        assert_eq!(left(&home), 1);
    }

    #[test]
    fn default_is_there_without_being_made() {
        let (_folder, home) = home();
        assert!(home.has_tenant("default") && !home.database("default").exists());
        home.add_tenant("default").unwrap();
        insta::assert_snapshot!(home.add_tenant("default").unwrap_err(), @"the tenant 'default' already exists");
    }
}
