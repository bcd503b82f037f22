//! Whether a run is still alive: each holds a lock on a file of its own, which the system gives back however
//! the process ends. So the lease of a process that was killed need not run out before the next run begins.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A run under way, until dropped.
#[derive(Debug)]
pub(super) struct Presence {
    holder: String,
    path: PathBuf,
    /// None where the folder or file system has no locks: then leases just run out.
    file: Option<File>,
}

impl Presence {
    /// A new run of this process, in the folder of its tenant.
    pub(super) fn begin(folder: &Path) -> Self {
        let _quiet = quiet(folder);
        Self::enter(folder)
    }

    /// A new run, unless so many are under way already: then it gives how many those are.
    pub(super) fn begin_within(folder: &Path, most: u64) -> Result<Self, u64> {
        // Counted and entered at one go, or two could take the last place.
        let _quiet = quiet(folder);
        match living(folder) {
            living if living < most => Ok(Self::enter(folder)),
            living => Err(living),
        }
    }

    fn enter(folder: &Path) -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let process = std::process::id();
        // Almost always a process has one run; a program that embeds the host may have more.
        let holder = match RUNS.fetch_add(1, Ordering::Relaxed) {
            0 => format!("process {process}"),
            n => format!("process {process}-{n}"),
        };
        let path = path(folder, &holder);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .ok()
            .filter(|file| file.try_lock().is_ok());
        // A name that nobody takes for one that can be looked up.
        let holder = if file.is_some() { holder } else { format!("{holder}, without a lock") };
        Self { holder, path, file }
    }

    /// What the lease is held by.
    pub(super) fn holder(&self) -> &str {
        &self.holder
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn path(folder: &Path, holder: &str) -> PathBuf {
    folder.join(format!("{}.lock", holder.replace(' ', "-")))
}

/// Held while runs are counted or entered. A file of its own, since who looks whether a lock is held holds it
/// for a moment himself.
fn quiet(folder: &Path) -> Option<File> {
    let file =
        File::options().create(true).truncate(false).write(true).open(folder.join("runs.lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// How many runs of a tenant are under way, in all processes. Those that cannot lock are not seen.
pub(super) fn under_way(folder: &Path) -> u64 {
    let _quiet = quiet(folder);
    living(folder)
}

fn living(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let lives = |path: PathBuf| {
        File::options()
            .write(true)
            .open(path)
            .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    };
    let runs = entries.filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with("process-") && name.ends_with(".lock"))
            && lives(entry.path())
    });
    runs.count() as u64
}

/// Whether the run of this name is not under way any more. Its file is there from before it takes the lease
/// until after it has given it back; the one who takes the lease away removes what is left with [`forget`],
/// afterwards, since it may be killed in between.
pub(super) fn has_died(folder: &Path, holder: &str) -> bool {
    let known = holder
        .strip_prefix("process ")
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'));
    known
        && match File::options().write(true).open(path(folder, holder)) {
            Ok(file) => file.try_lock().is_ok(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
}

/// Removes what a run left that has died.
pub(super) fn forget(folder: &Path, holder: &str) {
    let _ = fs::remove_file(path(folder, holder));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_who_left_a_file_that_nobody_locks_has_died() {
        let folder = tempfile::tempdir().unwrap();
        let first = Presence::begin(folder.path());
        let second = Presence::begin(folder.path());
        assert_ne!(first.holder(), second.holder());
        assert!(
            !has_died(folder.path(), first.holder()) && !has_died(folder.path(), second.holder()),
            "both are under way"
        );

        let holder = first.holder().to_owned();
        drop(first);
        assert!(has_died(folder.path(), &holder), "it has ended");
        assert_eq!(under_way(folder.path()), 1);

        // What a process leaves that was killed. It stays known as dead until its lease has been taken away.
        fs::write(path(folder.path(), "process 1"), "").unwrap();
        assert!(has_died(folder.path(), "process 1") && has_died(folder.path(), "process 1"));
        forget(folder.path(), "process 1");
        assert!(!path(folder.path(), "process 1").exists());
        assert!(
            !has_died(folder.path(), "another machine")
                && !has_died(folder.path(), "process 7, without a lock")
        );
        fs::write(folder.path().join("x.lock"), "").unwrap();
        assert!(!has_died(folder.path(), "process ../x"));
    }

    #[test]
    fn only_so_many_runs_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(under_way(folder.path()), 0);
        // What a process leaves that was killed takes no place.
        fs::write(path(folder.path(), "process 1"), "").unwrap();
        let first = Presence::begin_within(folder.path(), 2).unwrap();
        let _second = Presence::begin_within(folder.path(), 2).unwrap();
        assert_eq!(Presence::begin_within(folder.path(), 2).unwrap_err(), 2);
        assert_eq!(under_way(folder.path()), 2);
        drop(first);
        let _third = Presence::begin_within(folder.path(), 2).unwrap();
        assert_eq!(Presence::begin_within(folder.path(), 2).unwrap_err(), 2);
    }
}
