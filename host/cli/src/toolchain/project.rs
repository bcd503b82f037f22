//! Which language a plugin is written in, told by the files of its folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::BuildError;

/// The language of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// `Cargo.toml`.
    Rust,
    /// `package.json`.
    JavaScript,
    /// `pyproject.toml` or `app.py`.
    Python,
}

/// The full name of the folder, and what is in it.
pub(super) fn recognise(dir: &Path) -> Result<(PathBuf, Language), BuildError> {
    let unusable = |source| BuildError::Folder { path: dir.to_path_buf(), source };
    let folder = dir.canonicalize().map_err(unusable)?;
    if !fs::metadata(&folder).map_err(unusable)?.is_dir() {
        return Err(unusable(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let files = [
        ("Cargo.toml", Language::Rust),
        ("package.json", Language::JavaScript),
        ("pyproject.toml", Language::Python),
        ("app.py", Language::Python),
    ];
    match files.iter().find(|(name, _)| folder.join(name).is_file()) {
        Some((_, language)) => Ok((folder, *language)),
        None => Err(BuildError::NotAProject { path: folder }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_files_tell_the_language() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(recognise(&folder.path().join("none")), Err(BuildError::Folder { .. })));
        assert!(matches!(recognise(folder.path()), Err(BuildError::NotAProject { .. })));
        for (file, language) in [
            ("app.py", Language::Python),
            ("package.json", Language::JavaScript),
            ("Cargo.toml", Language::Rust),
        ] {
            fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(recognise(folder.path()).unwrap(), (folder.path().canonicalize().unwrap(), language));
        }
        assert!(matches!(recognise(&folder.path().join("app.py")), Err(BuildError::Folder { .. })));
    }
}
