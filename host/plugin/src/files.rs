//! Untrusted files: bounded reads, and checks of ownership and permissions.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// The size limit of files that people write: settings, manifests.
pub const MOST_TEXT: u64 = 16 << 20;

/// Opens a file to read it piece by piece.
///
/// # Errors
/// Where it cannot be opened, or is no file: opening a pipe would wait for whoever writes to it.
pub fn open_file(path: &Path) -> io::Result<File> {
    check_is_file(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    // What was there a moment ago may be something else by now.
    check_is_file(&file.metadata()?)?;
    Ok(file)
}

fn check_is_file(found: &Metadata) -> io::Result<()> {
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device; name a file"));
    }
    Ok(())
}

/// Reads a whole file, up to a size limit. Pipes and devices, which may never end, are refused.
///
/// # Errors
/// Where it cannot be read, is no file, or is larger.
pub fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let too_much = |size: u64| {
        io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {size} bytes; {most} are the most"))
    };
    let found = fs::metadata(path)?;
    check_is_file(&found)?;
    if found.len() > most {
        return Err(too_much(found.len()));
    }
    let mut bytes = Vec::new();
    // The file may grow, and special files report a size of 0.
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_much(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Reads a text file that people write.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_at_most(path, MOST_TEXT)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The owner of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    #[cfg(unix)]
    /// The owner of a file or folder.
    pub fn of(found: &Metadata) -> Self {
        Self(std::os::unix::fs::MetadataExt::uid(found))
    }

    #[cfg(not(unix))]
    pub fn of(_found: &Metadata) -> Self {
        Self(0)
    }
}

/// Why other users can change a file or folder, if they can: a phrase to follow its name, with the remedy.
#[cfg(unix)]
pub fn changed_by_others(path: &Path, found: &Metadata, we: Owner) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    if found.uid() != we.0 && found.uid() != 0 {
        return Some(format!(
            "belongs to another user ({}); run this as that user, or make it yours: chown {} '{}'",
            found.uid(),
            we.0,
            path.display()
        ));
    }
    let mode = found.mode() & 0o777;
    (mode & 0o022 != 0).then(|| {
        format!(
            "can be changed by others (mode {mode:03o}); make it yours alone: chmod go-w '{}'",
            path.display()
        )
    })
}

#[cfg(not(unix))]
pub fn changed_by_others(_path: &Path, _found: &Metadata, _we: Owner) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_or_too_much_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "twelve bytes").unwrap();
        assert_eq!(read_at_most(&file, 12).unwrap(), b"twelve bytes");
        assert_eq!(read_at_most(&file, 11).unwrap_err().to_string(), "it has 12 bytes; 11 are the most");
        assert_eq!(read_at_most(folder.path(), 12).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        fs::write(&file, b"\xff").unwrap();
        assert_eq!(read_text(&file).unwrap_err().to_string(), "it is not UTF-8 text");
        #[cfg(unix)]
        assert_eq!(
            read_text(Path::new("/dev/zero")).unwrap_err().to_string(),
            "it is a pipe or a device; name a file"
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_change_is_told() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let we = Owner::of(&tempfile::tempfile().unwrap().metadata().unwrap());
        let said = |mode: u32| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            let found = fs::metadata(folder.path()).unwrap();
            changed_by_others(folder.path(), &found, we)
                .map(|why| why.replace(&folder.path().display().to_string(), "DIR"))
        };
        assert_eq!((said(0o700), said(0o755)), (None, None));
        insta::assert_snapshot!(said(0o770).unwrap(), @"can be changed by others (mode 770); make it yours alone: chmod go-w 'DIR'");
        assert!(said(0o702).is_some());
    }
}
