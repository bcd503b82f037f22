//! Key management: the key that encrypts secrets, from a file of the home folder or the environment, and the
//! MAC key of compiled code. Keys are never stored in a database.

use super::folder::Home;
use crate::config::error::{ConfigError, io};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use entente_plugin::read_at_most;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// The environment variable that may hold the key.
pub(crate) const KEY_VARIABLE: &str = "ENTENTE_KEY";

const LENGTH: usize = 32;

/// The most bytes that the file of a key has.
const MOST: u64 = 4096;

/// A key of 32 bytes. Its debug output is empty, and it is wiped from memory when dropped.
pub struct SealingKey {
    bytes: Zeroizing<[u8; LENGTH]>,
    origin: String,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl SealingKey {
    /// The key in `ENTENTE_KEY` (given as its value), else the one in the home folder; `None` where there is
    /// neither.
    ///
    /// # Errors
    /// Where it is not a key, or its file is readable by others.
    pub fn find(home: &Home, variable: Option<&str>) -> Result<Option<Self>, ConfigError> {
        if let Some(text) = variable.filter(|text| !text.trim().is_empty()) {
            let bytes = decode(text).ok_or_else(|| {
                ConfigError::Key(format!(
                    "{KEY_VARIABLE} is no key: it must be 32 bytes as base64 or hex (44 or 64 characters)"
                ))
            })?;
            return Ok(Some(Self { bytes, origin: KEY_VARIABLE.to_owned() }));
        }
        const EXPOSED: &str = "its secrets are no longer safe; run `chmod 600` on it, and change the secrets where others use this machine";
        Self::find_in(&home.key_file(), EXPOSED)
    }

    /// The MAC key of compiled code, created where it is missing: plugins are then compiled anew.
    ///
    /// # Errors
    /// Where its file holds no key, is readable by others, or cannot be written.
    pub fn of_code(home: &Home) -> Result<Self, ConfigError> {
        const EXPOSED: &str = "others could have code of theirs run here; remove it, it is made anew";
        let path = home.code_key_file();
        if let Some(key) = Self::find_in(&path, EXPOSED)? {
            return Ok(key);
        }
        Self::make_in(home, &path, EXPOSED)
    }

    fn find_in(path: &Path, exposed: &str) -> Result<Option<Self>, ConfigError> {
        if !path.try_exists().map_err(|error| io(path, "read", &error))? {
            return Ok(None);
        }
        refuse_open_file(path, exposed)?;
        let text = read_at_most(path, MOST).map_err(|error| io(path, "read", &error))?;
        let text = Zeroizing::new(String::from_utf8(text).unwrap_or_default());
        let bytes = decode(&text).ok_or_else(|| {
            ConfigError::Key(format!(
                "{} holds no key: it must be 32 bytes as base64 or hex; restore it from a backup",
                path.display()
            ))
        })?;
        Ok(Some(Self { bytes, origin: path.display().to_string() }))
    }

    /// [`SealingKey::find`], but creates a key in the home folder where there is none.
    ///
    /// # Errors
    /// As [`SealingKey::find`], or where the file cannot be written.
    pub fn find_or_make(home: &Home, variable: Option<&str>) -> Result<Self, ConfigError> {
        if let Some(key) = Self::find(home, variable)? {
            return Ok(key);
        }
        Self::make_in(home, &home.key_file(), "its secrets are no longer safe")
    }

    fn make_in(home: &Home, path: &Path, exposed: &str) -> Result<Self, ConfigError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
            ConfigError::Key(format!("the system has no random numbers to make a key of: {error}"))
        })?;
        let write = |error: &std::io::Error| io(path, "written", error);
        // Written to a temporary file and renamed, so that no reader ever sees a partial key. Temporary files
        // are accessible to this user only.
        let mut file = tempfile::NamedTempFile::new_in(home.path()).map_err(|error| write(&error))?;
        let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        file.write_all(text.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .map_err(|error| write(&error))?;
        file.as_file().sync_all().map_err(|error| write(&error))?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(Self { bytes, origin: path.display().to_string() }),
            // Another process was faster: its key counts.
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::find_in(path, exposed)?.ok_or_else(|| write(&error.error))
            }
            Err(error) => Err(write(&error.error)),
        }
    }

    /// The source of the key: a path, or the name of the variable.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A short fingerprint, which does not reveal the key.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"entente key fingerprint\0");
        hash.update(self.bytes.as_slice());
        hex::encode(&hash.finalize()[..6])
    }

    pub(crate) fn bytes(&self) -> &[u8; LENGTH] {
        &self.bytes
    }
}

fn decode(text: &str) -> Option<Zeroizing<[u8; LENGTH]>> {
    let text = text.trim();
    let bytes = if text.len() == 2 * LENGTH {
        hex::decode(text).ok()?
    } else {
        STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?
    };
    let bytes = Zeroizing::new(bytes);
    let mut key = Zeroizing::new([0; LENGTH]);
    if bytes.len() != LENGTH {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

#[cfg(unix)]
fn refuse_open_file(path: &Path, exposed: &str) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(|error| io(path, "read", &error))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(ConfigError::Key(format!("{} can be read by others (mode {mode:03o}), so {exposed}", path.display())))
}

#[cfg(not(unix))]
fn refuse_open_file(_path: &Path, _exposed: &str) -> Result<(), ConfigError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        assert!(SealingKey::find(&home, None).unwrap().is_none());
        let made = SealingKey::find_or_make(&home, None).unwrap();
        let found = SealingKey::find_or_make(&home, None).unwrap();
        assert_eq!(made.bytes(), found.bytes());
        let text = fs::read_to_string(home.key_file()).unwrap();
        let given = SealingKey::find(&home, Some(&text)).unwrap().unwrap();
        assert_eq!((given.bytes(), given.origin()), (made.bytes(), "ENTENTE_KEY"));
        let given = SealingKey::find(&home, Some(&hex::encode(made.bytes()))).unwrap().unwrap();
        assert_eq!(given.fingerprint(), made.fingerprint());
        assert!(!format!("{made:?}").contains(text.trim()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        insta::assert_snapshot!(SealingKey::find(&home, Some("secret")).unwrap_err(), @"ENTENTE_KEY is no key: it must be 32 bytes as base64 or hex (44 or 64 characters)");
    }

    #[cfg(unix)]
    #[test]
    fn what_has_no_end_or_too_much_is_no_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let large = fs::File::create(home.key_file()).unwrap();
        large.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
        large.set_len(1 << 40).unwrap();
        let said = SealingKey::find(&home, None).unwrap_err().to_string();
        assert!(said.ends_with("it has 1099511627776 bytes; 4096 are the most"), "{said}");
        fs::remove_file(home.key_file()).unwrap();
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(home.key_file()).status();
        assert!(made.unwrap().success());
        let said = SealingKey::find(&home, None).unwrap_err().to_string();
        assert!(said.ends_with("it is a pipe or a device; name a file"), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        SealingKey::find_or_make(&home, None).unwrap();
        let mode = |mode| fs::set_permissions(home.key_file(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fs::metadata(home.key_file()).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o644);
        let said = SealingKey::find(&home, None)
            .unwrap_err()
            .to_string()
            .replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(said, @"DIR/secret.key can be read by others (mode 644), so its secrets are no longer safe; run `chmod 600` on it, and change the secrets where others use this machine");
        mode(0o400);
        assert!(SealingKey::find(&home, None).unwrap().is_some());

        let made = SealingKey::of_code(&home).unwrap();
        assert_eq!(made.bytes(), SealingKey::of_code(&home).unwrap().bytes());
        assert_ne!(made.bytes(), SealingKey::find(&home, None).unwrap().unwrap().bytes());
        fs::set_permissions(home.code_key_file(), fs::Permissions::from_mode(0o640)).unwrap();
        let said = SealingKey::of_code(&home)
            .unwrap_err()
            .to_string()
            .replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(said, @"DIR/code.key can be read by others (mode 640), so others could have code of theirs run here; remove it, it is made anew");
    }
}
