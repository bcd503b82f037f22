//! Whether the machine's own compiler knows the target.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{self, RunError};
use super::{TARGET, environment};

/// rustc answers at once, unless rustup fetches the toolchain that the folder asks for.
const LIMIT: Duration = Duration::from_secs(60);

/// The folder of the compiler that is in use in `dir`, or why there is none.
pub(super) fn sysroot(dir: &Path) -> Result<PathBuf, String> {
    let rustc = environment::program("rustc").ok_or("rustc is not installed")?;
    let mut command = Command::new(&rustc);
    command.args(["--print", "sysroot"]).current_dir(dir);
    environment::clean(&mut command);
    let finished = process::run(command, Some(LIMIT), &mut |_| {}).map_err(|error| match error {
        RunError::Io(error) => format!("{} cannot be run: {error}", rustc.display()),
        RunError::Slow { .. } => format!("{} did not answer within {} s", rustc.display(), LIMIT.as_secs()),
    })?;
    let sysroot = finished.stdout.trim();
    if !finished.status.success() || sysroot.is_empty() {
        return Err(format!("{} does not work: {}", rustc.display(), finished.stderr.trim()));
    }
    Ok(PathBuf::from(sysroot))
}

/// Whether the target's standard library is there. The folder alone proves nothing: an installation that was
/// cut short may have left it.
pub(super) fn is_installed(sysroot: &Path) -> bool {
    let Ok(files) = sysroot.join("lib/rustlib").join(TARGET).join("lib").read_dir() else {
        return false;
    };
    files.flatten().any(|file| {
        let name = file.file_name();
        name.to_str().is_some_and(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_target_is_its_standard_library() {
        let sysroot = tempfile::tempdir().unwrap();
        assert!(!is_installed(sysroot.path()));
        let lib = sysroot.path().join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&lib).unwrap();
        assert!(!is_installed(sysroot.path()));
        fs::write(lib.join("libcore-1.rlib"), "").unwrap();
        assert!(!is_installed(sysroot.path()));
        fs::write(lib.join("libstd-1.rlib"), "").unwrap();
        assert!(is_installed(sysroot.path()));
    }
}
