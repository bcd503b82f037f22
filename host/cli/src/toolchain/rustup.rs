//! `rustup target add`, for a bounded time, and a note when it failed. Where targets cannot be fetched it
//! fails on every build, often only after its whole time; nobody should wait for that twice a day.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::process::{self, RunError};
use super::{Progress, TARGET, environment};

/// How long a failure is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// A failure that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// Seconds since 1970.
    failed_at: u64,
    /// The compiler that it failed for: another one may do better.
    sysroot: PathBuf,
    reason: String,
}

impl Failure {
    pub(super) fn new(now: SystemTime, sysroot: &Path, reason: &str) -> Self {
        Self { failed_at: seconds(now), sysroot: sysroot.to_path_buf(), reason: reason.to_owned() }
    }

    /// What to say instead of trying again; `None` when it is time to try again.
    fn still_holds(&self, now: SystemTime, sysroot: &Path) -> Option<String> {
        // A time to come was written by a clock that was wrong.
        let age = seconds(now).checked_sub(self.failed_at)?;
        if self.sysroot != sysroot || age >= BELIEVED.as_secs() {
            return None;
        }
        let ago = match age / 60 {
            0 => "just now".to_owned(),
            minutes @ 1..60 => format!("{minutes} min ago"),
            minutes => format!("{} h ago", minutes / 60),
        };
        Some(format!("rustup was tried {ago} and is tried again a day later: {}", self.reason))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn note(toolchain_dir: &Path) -> PathBuf {
    toolchain_dir.join("rustup-target-failed.toml")
}

/// Why rustup need not be tried, if it failed not long ago.
pub(super) fn remembered(toolchain_dir: &Path, sysroot: &Path, now: SystemTime) -> Option<String> {
    let text = fs::read_to_string(note(toolchain_dir)).ok()?;
    // A note that cannot be read is as good as none: rustup is tried again and the note written anew.
    toml::from_str::<Failure>(&text).ok()?.still_holds(now, sysroot)
}

/// Keeps a failure. A folder that cannot be written costs no more than trying again.
pub(super) fn remember(toolchain_dir: &Path, failure: &Failure) {
    let text = match toml::to_string(failure) {
        Ok(text) => format!("# Remove this file to have rustup tried again at once.\n{text}"),
        Err(error) => return tracing::debug!(%error, "the failure of rustup is not kept"),
    };
    if let Err(error) = fs::write(note(toolchain_dir), text) {
        tracing::debug!(%error, "the failure of rustup is not kept");
    }
}

/// Forgets a failure, once the target is there.
pub(super) fn forget(toolchain_dir: &Path) {
    match fs::remove_file(note(toolchain_dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, "the note on rustup stays")
        }
        _ => {}
    }
}

/// Adds the target to the compiler that is in use in `dir`, or says why not.
pub(super) fn add_target(
    dir: &Path,
    limit: Duration,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), String> {
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).current_dir(dir);
    environment::clean(&mut command);
    progress(Progress::AddingTarget(String::new()));
    let mut on_line =
        |line: &str| progress(Progress::AddingTarget(line.trim_start_matches("info: ").to_owned()));
    match process::run(command, Some(limit), &mut on_line) {
        Ok(finished) if finished.status.success() => Ok(()),
        Ok(finished) => Err(format!("rustup target add {TARGET} failed: {}", last_words(&finished.stderr))),
        Err(RunError::Io(error)) => Err(format!("rustup cannot be run: {error}")),
        Err(RunError::Slow { stderr }) => Err(format!(
            "rustup target add {TARGET} did not end within {} s ({})",
            limit.as_secs_f32(),
            last_words(&stderr)
        )),
    }
}

/// The error itself, without the lines that only tell how far it got.
fn last_words(stderr: &str) -> String {
    let errors: Vec<&str> = stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    match (errors.is_empty(), stderr.lines().last()) {
        (false, _) => errors.join("; "),
        (true, Some(line)) => format!("its last words: {}", line.trim()),
        (true, None) => "it said nothing".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_for_a_day_and_for_one_compiler() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Path::new("/one"), Path::new("/other"));
        let now = SystemTime::now();
        assert_eq!(remembered(folder.path(), one, now), None);
        remember(folder.path(), &Failure::new(now, one, "no \"route\"\nthere"));
        let reason = remembered(folder.path(), one, now).unwrap();
        assert!(reason.contains("just now") && reason.contains("no \"route\""), "{reason}");
        assert!(
            remembered(folder.path(), one, now + Duration::from_secs(3 * 3600)).unwrap().contains("3 h ago")
        );
        assert!(
            remembered(folder.path(), one, now + Duration::from_secs(300)).unwrap().contains("5 min ago")
        );
        assert_eq!(remembered(folder.path(), other, now), None);
        assert_eq!(remembered(folder.path(), one, now + BELIEVED), None);
        assert_eq!(remembered(folder.path(), one, now - Duration::from_secs(60)), None);
        forget(folder.path());
        assert_eq!(remembered(folder.path(), one, now), None);
        forget(folder.path());
    }

    #[test]
    fn a_broken_note_is_no_note() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(note(folder.path()), "failed_at = \"x\"").unwrap();
        assert_eq!(remembered(folder.path(), Path::new("/one"), SystemTime::now()), None);
    }

    #[test]
    fn the_reason_is_the_error_and_not_the_way_there() {
        assert_eq!(last_words("info: downloading\nerror: no such host\n"), "no such host");
        assert_eq!(last_words("info: downloading\n"), "its last words: info: downloading");
        assert_eq!(last_words(""), "it said nothing");
    }
}
