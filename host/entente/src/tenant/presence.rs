//! Liveness of runs: each run holds a file lock of its own, which the system releases however the process
//! ends. The lease of a killed process is thus taken over without waiting for it to expire.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A live run, until dropped.
#[derive(Debug)]
pub(super) struct Presence {
    holder: String,
    path: PathBuf,
    /// `None` where the file system has no locks: leases then simply expire.
    file: Option<File>,
}

impl Presence {
    /// Registers a run of this process, in the folder of its tenant.
    pub(super) fn begin(folder: &Path) -> Self {
        let _quiet = quiet(folder);
        Self::enter(folder)
    }

    /// Registers a run, unless `most` are alive already; their number is the error.
    pub(super) fn begin_within(folder: &Path, most: u64) -> Result<Self, u64> {
        // Counted and registered under one lock, or two runs could take the last permit.
        let _quiet = quiet(folder);
        match living(folder) {
            living if living < most => Ok(Self::enter(folder)),
            living => Err(living),
        }
    }

    fn enter(folder: &Path) -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let process = std::process::id();
        // Usually a process has one run; a program that embeds the host may have more.
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
        // A name that is never looked up as a lock file.
        let holder = if file.is_some() { holder } else { format!("{holder}, without a lock") };
        Self { holder, path, file }
    }

    /// The name under which the run holds its lease.
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

/// The mark of a program that has a tenant open, until dropped: a shared lock on a file of the tenant's folder. Removing the
/// tenant respects it.
#[derive(Debug)]
pub(super) struct OpenMark {
    /// `None` where the file system has no locks.
    _file: Option<File>,
}

impl OpenMark {
    pub(super) fn enter(folder: &Path) -> Self {
        let file = File::options().create(true).truncate(false).write(true).open(open_file(folder));
        Self { _file: file.ok().filter(|file| file.lock_shared().is_ok()) }
    }
}

/// The file that those lock who have the tenant open.
pub(super) fn open_file(folder: &Path) -> PathBuf {
    folder.join("open.lock")
}

/// Whether a program has the tenant open.
pub(super) fn is_open(folder: &Path) -> bool {
    File::options()
        .write(true)
        .open(open_file(folder))
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn path(folder: &Path, holder: &str) -> PathBuf {
    folder.join(format!("{}.lock", holder.replace(' ', "-")))
}

/// The lock held while runs are counted or registered. It is a file of its own, since testing whether a lock
/// is held takes it for a moment.
fn quiet(folder: &Path) -> Option<File> {
    let path = folder.join("runs.lock");
    // A pipe would be waited for.
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return None;
    }
    let file = File::options().create(true).truncate(false).write(true).open(&path).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// The number of live runs of a tenant, in all processes. Runs without a lock are not counted.
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

/// Whether the run of this name has died. Its lock file exists from before it takes the lease until after it
/// has released it. Whoever takes over the lease then removes the file with [`forget`], in this order, since
/// it may be killed in between.
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

/// Removes the lock file of a run that has died.
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

        // What a killed process leaves. It stays known as dead until its lease has been taken over.
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
        // A file left by a killed process does not count as a live run.
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
