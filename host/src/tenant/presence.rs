//! Whether a run is still alive: each holds a lock on a file of its own, which the system gives back however the process ends.
//! So the lease of a process that was killed need not run out before the next run begins.

use std::fs::{self, File};
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
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let process = std::process::id();
        // Almost always a process has one run; a program that embeds the host may have more.
        let holder = match RUNS.fetch_add(1, Ordering::Relaxed) {
            0 => format!("process {process}"),
            n => format!("process {process}-{n}"),
        };
        let path = path(folder, &holder);
        let file = File::options().create(true).truncate(false).write(true).open(&path).ok().filter(|file| file.try_lock().is_ok());
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

/// Whether the run of this name is not under way any more. Its file is there from before it takes the lease until after it has given
/// it back; the one who takes the lease away removes what is left with [`forget`], afterwards, since it may be killed in between.
pub(super) fn has_died(folder: &Path, holder: &str) -> bool {
    let known = holder.strip_prefix("process ").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'));
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
        assert!(!has_died(folder.path(), first.holder()) && !has_died(folder.path(), second.holder()), "both are under way");

        let holder = first.holder().to_owned();
        drop(first);
        assert!(has_died(folder.path(), &holder), "it has ended");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        // What a process leaves that was killed. It stays known as dead until its lease has been taken away.
        fs::write(path(folder.path(), "process 1"), "").unwrap();
        assert!(has_died(folder.path(), "process 1") && has_died(folder.path(), "process 1"));
        forget(folder.path(), "process 1");
        assert!(!path(folder.path(), "process 1").exists());
        assert!(!has_died(folder.path(), "another machine") && !has_died(folder.path(), "process 7, without a lock"));
        fs::write(folder.path().join("x.lock"), "").unwrap();
        assert!(!has_died(folder.path(), "process ../x"));
    }
}
