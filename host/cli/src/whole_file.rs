//! Files that people name, written whole or not at all: somebody may be reading the one that is there.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that takes its place when it is finished.
pub(crate) struct WholeFile {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl WholeFile {
    /// Begins a file beside the place that it is for; only this user can read it.
    ///
    /// # Errors
    /// Where something other than a file is there (a device would be replaced by a file), or the folder cannot be
    /// written.
    pub(crate) fn private(path: &Path) -> io::Result<Self> {
        Self::of(path, &tempfile::Builder::new())
    }

    fn of(path: &Path, builder: &tempfile::Builder<'_, '_>) -> io::Result<Self> {
        let target = target(path)?;
        // The same folder, since only then is the last step a rename.
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        Ok(Self { temporary: builder.tempfile_in(folder)?, target })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// Where it cannot be renamed.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.temporary.persist(&self.target).map_err(|error| error.error)?;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Writes an ordinary file in one go, and the folders that it is in.
///
/// # Errors
/// As [`WholeFile::private`].
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut builder = tempfile::Builder::new();
    readable_by_others(&mut builder);
    let mut file = WholeFile::of(path, &builder)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Where a file is written that people name: what a link leads to, and not the link.
///
/// # Errors
/// Where something other than a file is there.
pub(crate) fn target(path: &Path) -> io::Result<PathBuf> {
    let link = match fs::symlink_metadata(path) {
        Ok(found) => found.is_symlink(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_path_buf()),
        Err(error) => return Err(error),
    };
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; name a file in it"));
    }
    if !found.is_file() {
        let why = "it is a pipe or a device, which a file would take the place of; name a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if link { fs::canonicalize(path) } else { Ok(path.to_path_buf()) }
}

/// A temporary file is private to its owner; these are ordinary files, as far as the umask allows.
#[cfg(unix)]
fn readable_by_others(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_others(_builder: &mut tempfile::Builder<'_, '_>) {}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_or_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        write_whole(&file, b"one").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_whole(&link, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "a link stays one");

        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let nowhere = folder.path().join("nowhere");
        std::os::unix::fs::symlink(folder.path().join("missing"), &nowhere).unwrap();
        for bad in [folder.path(), &socket, &nowhere, Path::new("/dev/null")] {
            assert!(write_whole(bad, b"x").is_err(), "{}", bad.display());
        }
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 4, "nothing is left over");
    }
}
