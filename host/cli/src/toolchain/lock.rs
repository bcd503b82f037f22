//! A lock file: one at a time, over threads and processes, and free again when its holder ends, however it
//! ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock. `waiting` is called once if somebody else holds it.
    pub(super) fn acquire(path: &Path, waiting: &mut dyn FnMut()) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock()?;
            }
            // A file system without locks: building without one is better than not building.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(path = %path.display(), "this file system has no locks; do not build twice at once");
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    #[test]
    fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/lock");
        let first = Lock::acquire(&path, &mut || panic!("nobody holds it")).unwrap();
        let released = AtomicBool::new(false);
        let (waiting, waits) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _second = Lock::acquire(&path, &mut || waiting.send(()).unwrap()).unwrap();
                assert!(released.load(Ordering::SeqCst));
            });
            waits.recv_timeout(Duration::from_secs(60)).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            released.store(true, Ordering::SeqCst);
            drop(first);
        });
    }
}
