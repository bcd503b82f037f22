//! Errors of the store.

use super::BUSY_TIMEOUT;
use super::holder::Holder;
use rusqlite::ErrorCode;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What kind of failure SQLite reported, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreFailure {
    /// Another process held a lock on the file for longer than the busy timeout.
    Busy,
    /// The disk or the quota is full.
    Full,
    /// The file or its folder is not writable.
    ReadOnly,
    /// The operating system could not read or write.
    Io,
    /// The file is damaged, or is no database.
    Damaged,
    /// A table constraint was violated: a duplicate, or a dangling reference.
    Constraint,
    /// Anything else.
    Other,
}

impl StoreFailure {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Io,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::ConstraintViolation) => Self::Constraint,
            _ => Self::Other,
        }
    }
}

impl StoreError {
    /// Says of a file that is locked who holds the lock, after so long a wait.
    pub(super) fn locked(self, path: &Path, waited: Duration) -> Self {
        match self {
            Self::Failed { kind: StoreFailure::Busy, .. } => {
                Self::Locked { path: path.to_owned(), waited, holder: Holder::of(path) }
            }
            error => error,
        }
    }

    /// That a file cannot be opened as a database.
    pub(super) fn opening(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, why) = (path.to_owned(), error.to_string());
        match StoreFailure::of(error) {
            StoreFailure::Busy => Self::Locked { holder: Holder::of(&path), path, waited: BUSY_TIMEOUT },
            StoreFailure::Damaged => Self::Damaged { path, why },
            _ => Self::Open { path, why },
        }
    }
}

/// The process that holds a lock, in words.
fn by_whom(holder: Option<&Holder>) -> String {
    holder.map_or("another process".to_owned(), ToString::to_string)
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened as a database.
    #[error("the database {} cannot be opened: {why}; check the file, its permissions, and whether there is room on the disk", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// The file is damaged, or is no database.
    #[error("the database {} is damaged, or is none of entente: {why}; keep the file, and get the tenant back from an export, under another name (tenant add NAME --from FILE)", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// Another process writes to the file, for longer than is waited.
    #[error("the database {} is locked: {} writes to it, and has not ended within {} s; nothing was written; wait for its end, or end it, and do this again", path.display(), by_whom(holder.as_ref()), waited.as_secs_f32())]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
        /// Who holds the lock, where the system tells.
        holder: Option<Holder>,
    },
    /// The file does not stand there any more: it was removed, or replaced by another one.
    #[error("the database {} has been removed or replaced since it was opened; nothing was written; do this again, with what stands there now", path.display())]
    Gone {
        /// Where it stood.
        path: PathBuf,
    },
    /// The file was written by a newer version of the program.
    #[error("the database {} was written by a newer version of entente ({why}); use that version", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        why: String,
    },
    /// What was written cannot be flushed to the disk.
    #[error("{} cannot be flushed to the disk: {why}; what was just written may be lost with the power", path.display())]
    Flush {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        why: String,
    },
    /// A copy cannot be written.
    #[error("the copy {} of the database cannot be written: {why}; is there room for it?", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// What SQLite said.
        why: String,
    },
    /// A file that came from elsewhere is not a database of this program.
    #[error("{} is no database of entente: {why}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is unexpected about it.
        why: String,
    },
    /// A statement failed.
    #[error("the database failed: {why}{}", room(*kind))]
    Failed {
        /// What kind of failure it is.
        kind: StoreFailure,
        /// What SQLite said.
        why: String,
    },
    /// A stored value cannot be decoded.
    #[error("the database holds something that cannot be read ({what}): {why}")]
    Corrupt {
        /// Which value.
        what: String,
        /// Why.
        why: String,
    },
}

impl StoreError {
    /// Whether there is no room: the disk is full, or the database has reached its limit.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Failed { kind: StoreFailure::Full, .. })
    }
}

/// What to do where there is no room.
fn room(kind: StoreFailure) -> &'static str {
    match kind {
        StoreFailure::Full => {
            "; nothing of this was written: make room on the disk, or raise the limit tenant-database-bytes where that is reached"
        }
        _ => "",
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed { kind: StoreFailure::of(&error), why: error.to_string() }
    }
}
