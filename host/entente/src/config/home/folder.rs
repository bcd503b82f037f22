//! The home folder: its layout, and the checks that no other user can change it.

use crate::config::error::{ConfigError, io};
use crate::config::names::check_name;
use entente_plugin::{Owner, changed_by_others};
use entente_sqlite::{Store, StoreError};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The tenant that always exists.
pub const DEFAULT_TENANT: &str = "default";

/// The folder of the tenants in it, which every home has.
pub(super) const TENANTS: &str = "tenants";

/// The folder of an installation.
///
/// `tenants/NAME/entente.db` is the database of a tenant, `plugins/` holds components by digest, `cache/`
/// compiled code, `secret.key` the key that encrypts secrets, `code.key` the MAC key of compiled code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
    /// The user that runs this process.
    we: Owner,
}

impl Home {
    /// The path given, else `ENTENTE_HOME`, else `entente` in the user's data folder (`$XDG_DATA_HOME`,
    /// `~/.local/share`).
    ///
    /// # Errors
    /// Where none of these is set.
    pub fn locate(
        given: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<PathBuf, ConfigError> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = given {
            return Ok(path.to_owned());
        }
        if let Some(path) = set("ENTENTE_HOME") {
            return Ok(path);
        }
        // By its specification, a relative XDG path is ignored.
        if let Some(path) = set("XDG_DATA_HOME").filter(|path| path.is_absolute()) {
            return Ok(path.join("entente"));
        }
        match set("HOME") {
            Some(path) => Ok(path.join(".local/share/entente")),
            None => Err(ConfigError::Home {
                path: PathBuf::from("?"),
                why: "is not known: none is named, and the user has no home folder".to_owned(),
            }),
        }
    }

    /// The folder as [`Home::locate`] has it, where it is a home or nobody named it: a folder that was named is not made without
    /// being asked for, since its name may be mistyped.
    ///
    /// # Errors
    /// As [`Home::locate`]; [`ConfigError::NoHome`] where a folder was named that is no home.
    pub fn find(
        given: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<PathBuf, ConfigError> {
        let named = given.is_some() || environment("ENTENTE_HOME").is_some_and(|value| !value.is_empty());
        let path = Self::locate(given, environment)?;
        // A file there, or a folder that cannot be looked into, is told where it is opened.
        let may_be = match fs::metadata(&path) {
            Ok(found) => !found.is_dir() || fs::metadata(path.join(TENANTS)).is_ok(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        if named && !may_be { Err(ConfigError::NoHome { path }) } else { Ok(path) }
    }

    /// Opens the folder; creates it, accessible to this user only, where it is missing.
    ///
    /// # Errors
    /// Where it is a file, or cannot be created or written.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let refuse = |why: String| ConfigError::Home { path: path.to_owned(), why };
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => {
                return Err(refuse("is a file".to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                make_folder(path).map_err(|error| refuse(format!("cannot be made: {error}")))?;
            }
            Err(error) => {
                return Err(refuse(format!("cannot be used: {error}")));
            }
        }
        // Only writing shows whether it is writable: permissions, read-only mounts and quotas all count.
        let probe = tempfile::Builder::new()
            .prefix(".try-")
            .tempfile_in(path)
            .and_then(|file| file.as_file().metadata());
        let probe =
            probe.map_err(|error| refuse(format!("cannot be written: {error}; check its permissions")))?;
        let home = Self { path: path.to_owned(), we: Owner::of(&probe) };
        // Whoever can change these files could have other plugins run with this user's secrets.
        let inside = [home.plugins(), home.path.join(TENANTS), home.key_file(), home.code_key_file()];
        for place in std::iter::once(home.path.clone()).chain(inside) {
            home.refuse_exposed(&place)?;
        }
        for folder in [home.plugins(), home.cache()] {
            make_folder(&folder).map_err(|error| io(&folder, "made", &error))?;
        }
        Ok(home)
    }

    /// Refuses a file or folder that other users can change; a missing one is accepted.
    fn refuse_exposed(&self, place: &Path) -> Result<(), ConfigError> {
        match fs::metadata(place).ok().and_then(|found| changed_by_others(place, &found, self.we)) {
            Some(why) => Err(ConfigError::Exposed { path: place.to_owned(), why }),
            None => Ok(()),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a tenant.
    pub fn tenant_folder(&self, tenant: &str) -> PathBuf {
        self.path.join(TENANTS).join(tenant)
    }

    /// The database of a tenant.
    pub fn database(&self, tenant: &str) -> PathBuf {
        self.tenant_folder(tenant).join("entente.db")
    }

    /// The folder of installed components.
    pub fn plugins(&self) -> PathBuf {
        self.path.join("plugins")
    }

    /// The component with this digest.
    pub fn component(&self, digest: &str) -> PathBuf {
        self.plugins().join(format!("{digest}.wasm"))
    }

    /// The folder of compiled code, written by this program only.
    pub fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// The file with the key that encrypts secrets.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("secret.key")
    }

    /// The file with the MAC key of compiled code.
    pub fn code_key_file(&self) -> PathBuf {
        self.path.join("code.key")
    }

    /// Opens the database of the tenant `default`.
    ///
    /// # Errors
    /// Where it cannot be opened or made.
    pub fn open_store(&self) -> Result<Store, ConfigError> {
        self.open_tenant(DEFAULT_TENANT)
    }

    /// Opens the database of a tenant. Only that of `default` is created where it is missing; other tenants
    /// must be added first.
    ///
    /// [`ConfigError::Unknown`] where there is no such tenant; where the name is invalid, or the database
    /// cannot be opened.
    /// cannot be opened.
    pub fn open_tenant(&self, tenant: &str) -> Result<Store, ConfigError> {
        check_name("tenant", tenant).map_err(ConfigError::Name)?;
        let path = self.database(tenant);
        if !self.has_tenant(tenant) {
            return Err(self.unknown_tenant(tenant));
        }
        if let Some(folder) = path.parent().filter(|_| tenant == DEFAULT_TENANT) {
            make_folder(folder).map_err(|error| io(folder, "made", &error))?;
        }
        self.refuse_exposed(&self.tenant_folder(tenant))?;
        let made = self.tenant_folder(tenant).join(MADE);
        if made.exists() && fs::metadata(&path).map_or(true, |file| file.is_file() && file.len() == 0) {
            return Err(ConfigError::Store(StoreError::Damaged {
                path,
                why: "it is empty or not there, and had been made before".to_owned(),
            }));
        }
        self.make_private(&path)?;
        let store = Store::open(&path)?;
        if !made.exists() {
            fs::write(&made, "").map_err(|error| io(&made, "written", &error))?;
        }
        Ok(store)
    }

    /// Refuses a database that other users can change, and keeps one from them that they can read.
    fn make_private(&self, database: &Path) -> Result<(), ConfigError> {
        for file in Store::files(database) {
            self.refuse_exposed(&file)?;
            keep_from_others(&file).map_err(|error| io(&file, "made private", &error))?;
        }
        Ok(())
    }
}

/// The file that says that the database of a tenant has been made, so that one that is gone or empty is not taken for a new one.
const MADE: &str = "made";

/// Takes all rights of others from a file, if it is there.
#[cfg(unix)]
fn keep_from_others(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = match fs::metadata(file) {
        // What is no file is refused where it is opened.
        Ok(found) if !found.is_file() => return Ok(()),
        Ok(found) => found.permissions().mode() & 0o777,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(file = %file.display(), "others could read it (mode {mode:03o}); it is for its user alone now");
    match fs::set_permissions(file, fs::Permissions::from_mode(mode & 0o700)) {
        // SQLite removes its log when it closes the database, and another process may do that now.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn keep_from_others(_file: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Creates a folder and its parents, accessible to this user only.
pub(crate) fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(given: Option<&str>, set: &[(&str, &str)]) -> Result<PathBuf, ConfigError> {
        Home::locate(given.map(Path::new), |name| {
            set.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn the_folder_is_found_in_order() {
        let set = [("ENTENTE_HOME", "/e"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(locate(Some("/g"), &set).unwrap(), Path::new("/g"));
        assert_eq!(locate(None, &set).unwrap(), Path::new("/e"));
        assert_eq!(locate(None, &set[1..]).unwrap(), Path::new("/x/entente"));
        assert_eq!(locate(None, &set[2..]).unwrap(), Path::new("/h/.local/share/entente"));
        assert_eq!(
            locate(None, &[("XDG_DATA_HOME", "x"), ("HOME", "/h")]).unwrap(),
            Path::new("/h/.local/share/entente")
        );
        insta::assert_snapshot!(locate(None, &[("ENTENTE_HOME", "")]).unwrap_err(), @"the home folder ? is not known: none is named, and the user has no home folder");
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let said = |path: &Path| {
            Home::open(path).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DIR")
        };
        insta::assert_snapshot!(said(&file), @"the home folder DIR/file is a file");
        assert!(
            said(&file.join("below")).starts_with("the home folder DIR/file/below cannot be "),
            "{}",
            said(&file.join("below"))
        );
    }

    #[cfg(unix)]
    #[test]
    fn one_that_others_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home");
        let home = Home::open(&path).unwrap();
        home.open_store().unwrap();
        let name = folder.path().display().to_string();
        let opened = || Home::open(&path).and_then(|home| home.open_store());
        fs::write(home.key_file(), "a key").unwrap();
        for place in [
            path.clone(),
            home.plugins(),
            path.join(TENANTS),
            path.join("tenants/default"),
            home.key_file(),
            home.database("default"),
        ] {
            fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
            let said = opened().unwrap_err().to_string().replace(&name, "DIR");
            assert!(said.contains("can be changed by others (mode 777)"), "{said}");
            if place == path {
                insta::assert_snapshot!(said, @"DIR/home can be changed by others (mode 777); make it yours alone: chmod go-w 'DIR/home'; it is not used like this");
            }
            fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
            opened().unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn x13_a_database_that_others_can_read_is_kept_from_them_and_one_that_they_can_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let database = home.database("default");
        let open = home.open_store().unwrap();
        let files = Store::files(&database);
        let modes = || files.each_ref().map(|file| fs::metadata(file).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes(), [0o600; 3], "as they are made, with log and index");
        let set = |file: &Path, mode| fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        set(&home.tenant_folder("default"), 0o755);
        for file in &files {
            set(file, 0o644);
            home.open_store().unwrap();
            assert_eq!(modes(), [0o600; 3]);
            set(file, 0o666);
            let said = home.open_store().unwrap_err().to_string();
            assert!(
                said.contains("can be changed by others (mode 666)") && said.contains("chmod go-w"),
                "{said}"
            );
            set(file, 0o600);
        }
        drop(open);
        let copy = folder.path().join("copy.db");
        Store::copy(&database, &copy).unwrap();
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_for_the_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/home");
        let home = Home::open(&path).unwrap();
        home.open_store().unwrap();
        for made in [&path, &home.plugins(), home.database("default").parent().unwrap()] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700, "{}", made.display());
        }
        assert!(home.database("default").is_file());
        assert!(home.open_tenant("../x").is_err());
    }
}
