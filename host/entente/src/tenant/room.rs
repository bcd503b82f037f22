//! Room on the disk that is kept for the lines of calls under way: a file of one size beside a book. Where the disk is full, the
//! file is emptied, and those lines take its place; without it no other call leaves.

use super::book::Book;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The size: a line has some hundred bytes, and as many calls are under way as `http-parallel` says.
const ROOM: usize = 64 << 10;

/// The file.
pub(super) struct Room(PathBuf);

impl Room {
    /// For the lines of this book.
    pub(super) fn of(book: &Book) -> Self {
        Self(book.path().parent().unwrap_or(Path::new(".")).join("room"))
    }

    /// Keeps the room, where that is not done yet.
    pub(super) fn keep(&self) -> io::Result<()> {
        if fs::metadata(&self.0).is_ok_and(|file| file.is_file() && file.len() == ROOM as u64) {
            return Ok(());
        }
        // Random, since what a file system compresses keeps no room.
        let mut bytes = vec![0; ROOM];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.0)?;
        // Some file systems find out that they are full when they write.
        let kept = file.write_all(&bytes).and_then(|()| file.sync_data());
        if kept.is_err() {
            file.set_len(0)?;
        }
        kept
    }

    /// Gives the room up to what is written next, where `error` says that there is none.
    pub(super) fn give_up(&self, error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            && OpenOptions::new().write(true).open(&self.0).and_then(|file| file.set_len(0)).is_ok()
    }
}
