//! Who holds a lock on a file, as the kernel lists it. SQLite says only that a file is locked.

use entente_core::Foreign;
use std::fmt;
use std::path::{Path, PathBuf};

/// The byte of the index of a write-ahead log that a writer locks (`WAL_WRITE_LOCK` after the two headers, in SQLite's
/// description of the WAL-index format).
const WRITER: u64 = 120;

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub process: u32,
    /// The name of its program, where the system tells. What it was given may be secret, and is not asked for.
    pub program: Option<Foreign>,
}

impl Holder {
    /// The process that holds the write lock of a database; `None` where nobody does, or the system does not tell.
    pub(super) fn of(database: &Path) -> Option<Self> {
        let mut index = database.as_os_str().to_owned();
        index.push("-shm");
        let process = locks_of(&PathBuf::from(index))?.writer()?;
        Some(Self { process, program: program(process) })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, program } = self;
        match program {
            _ if *process == std::process::id() => f.write_str("this program itself"),
            Some(program) => write!(f, "{} (process {process})", program.named()),
            None => write!(f, "process {process}"),
        }
    }
}

#[cfg(target_os = "linux")]
fn locks_of(file: &Path) -> Option<Locks> {
    use std::os::unix::fs::MetadataExt;
    let inode = std::fs::metadata(file).ok()?.ino();
    Some(Locks { text: std::fs::read_to_string("/proc/locks").ok()?, inode })
}

#[cfg(not(target_os = "linux"))]
fn locks_of(_: &Path) -> Option<Locks> {
    None
}

fn program(process: u32) -> Option<Foreign> {
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(Foreign::new(name.trim_end().to_owned()))
}

/// The locks of all files, as Linux lists them (proc(5)), and the file that is asked about.
struct Locks {
    text: String,
    inode: u64,
}

impl Locks {
    /// The process that has locked the byte of writers. Only the number of the file is compared: devices have other numbers
    /// here than a program is told on some file systems, and another file of that number is hardly locked at this byte.
    fn writer(&self) -> Option<u32> {
        self.text.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // A line with an arrow is of one who waits.
            let [_, "POSIX" | "OFDLCK", _, "WRITE", process, file, first, last] = words[..] else {
                return None;
            };
            let inode: u64 = file.rsplit(':').next()?.parse().ok()?;
            let first: u64 = first.parse().ok()?;
            let last = if last == "EOF" { u64::MAX } else { last.parse().ok()? };
            (inode == self.inode && (first..=last).contains(&WRITER)).then(|| process.parse().ok()).flatten()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, StoreError};
    use std::time::Duration;

    fn writer(text: &str) -> Option<u32> {
        Locks { text: text.to_owned(), inode: 131 }.writer()
    }

    #[test]
    fn the_lock_of_a_writer_is_found_among_others() {
        assert_eq!(writer("1: POSIX  ADVISORY  WRITE 4242 fe:01:131 120 120\n"), Some(4242));
        assert_eq!(writer("1: POSIX  ADVISORY  WRITE 7 fe:01:131 120 127\n"), Some(7));
        assert_eq!(writer("1: POSIX  ADVISORY  WRITE 7 00:2b:131 0 EOF\n"), Some(7));
        let others = "1: POSIX  ADVISORY  READ 5 fe:01:131 123 123\n\
                      2: POSIX  ADVISORY  WRITE 6 fe:01:130 120 120\n\
                      3: FLOCK  ADVISORY  WRITE 8 fe:01:131 0 EOF\n\
                      3: -> POSIX  ADVISORY  WRITE 9 fe:01:131 120 120\n\
                      4: POSIX  ADVISORY  WRITE 10 fe:01:131 121 121\n\
                      5: OFDLCK ADVISORY  WRITE -1 fe:01:131 120 120\n\
                      6: POSIX\n\n";
        assert_eq!(writer(others), None);
        assert_eq!(writer(&format!("{others}7: POSIX  ADVISORY  WRITE 11 fe:01:131 120 120")), Some(11));
    }

    #[tokio::test]
    async fn a_file_that_another_writes_to_is_told_with_who_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let store = Store::open(&path).unwrap().with_patience(Duration::from_millis(20)).await;
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.read(|_| Ok(())).await.unwrap();
        let insert = "INSERT INTO hub_source (kind, name) VALUES ('sync', 'x')";
        let written = store.write(|transaction| Ok(transaction.execute(insert, [])?)).await;
        for error in [written.unwrap_err(), store.begin().await.unwrap_err()] {
            let StoreError::Locked { waited, holder, .. } = &error else { panic!("{error}") };
            assert_eq!(*waited, Duration::from_millis(20));
            if cfg!(target_os = "linux") {
                assert_eq!(holder.as_ref().map(|holder| holder.process), Some(std::process::id()));
                assert!(error.to_string().contains("is locked: this program itself writes to it"), "{error}");
            }
        }
        other.execute_batch("ROLLBACK").unwrap();
        store.write(|transaction| Ok(transaction.execute(insert, [])?)).await.unwrap();
        assert_eq!(Holder::of(&path), None);
    }

    #[test]
    fn a_holder_is_told_by_name_and_number() {
        let told = |process, program: Option<&str>| {
            let program = program.map(|name| Foreign::new(name.to_owned()));
            Holder { process, program }.to_string()
        };
        assert_eq!(told(1, Some("sqlite3")), "sqlite3 (process 1)");
        assert_eq!(told(1, None), "process 1");
        assert_eq!(told(std::process::id(), Some("entente")), "this program itself");
    }
}
