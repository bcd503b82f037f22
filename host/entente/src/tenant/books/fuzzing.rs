//! Entry points for the fuzz targets: what is read of the books of an integration.

use super::{Book, CallFilter, Counted, Entry, Keep, KeptCall, KeptLine, LoggedLine};
use entente_core::Timestamp;
use entente_plugin::Limits;
use entente_sync::Sides;
use std::io;
use std::path::Path;

/// An entry of a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Whether the call left the host; of a line, no.
    pub left: bool,
    /// When the first one was.
    pub at: Timestamp,
    /// When the last one was.
    pub until: Timestamp,
    /// How many there were.
    pub count: u64,
    /// Whose it is.
    pub integration: String,
    /// What it is counted by.
    pub kind: String,
    /// Bytes of the requests and of the answers, and how long the longest call took.
    pub amounts: [u64; 3],
    /// How long it is as a line.
    pub size: u64,
}

impl Kept {
    fn of<T: Counted>(entry: &Entry<T>, integration: &str, left: bool, amounts: [u64; 3]) -> Self {
        Self {
            left,
            at: entry.at,
            until: entry.until(),
            count: entry.count,
            integration: integration.to_owned(),
            kind: entry.what.kind(),
            amounts,
            size: serde_json::to_vec(entry).map_or(0, |line| line.len() as u64 + 1),
        }
    }

    fn call(left: bool, entry: &Entry<KeptCall>) -> Self {
        let what = &entry.what;
        Self::of(entry, &what.integration, left, [what.bytes_out, what.bytes_in, what.ms])
    }

    fn line(entry: &Entry<KeptLine>) -> Self {
        Self::of(entry, &entry.what.integration, false, [0; 3])
    }
}

/// Everything in the books of an integration as it is: calls that left, calls that did not, and log lines.
pub fn books(folder: &Path, integration: &str) -> io::Result<[Vec<Kept>; 3]> {
    let book = |name: &str| Book::new(super::folder_of(folder, integration).join(name));
    let calls = |name: &str, left: bool| -> io::Result<Vec<Kept>> {
        Ok(book(name).read::<KeptCall>()?.map(|entry| Kept::call(left, &entry)).collect())
    };
    let logged = book(super::LOG).read::<KeptLine>()?.map(|entry| Kept::line(&entry)).collect();
    Ok([calls(super::SENT, true)?, calls(super::DENIED, false)?, logged])
}

/// The calls of an integration as they are shown.
pub fn calls(
    folder: &Path,
    integration: &str,
    filter: CallFilter,
    (limits, now): (&Limits, Timestamp),
) -> io::Result<Vec<Kept>> {
    let calls = super::calls(folder, integration, filter, (Keep::of(limits), now))?;
    Ok(calls.unwrap_or_default().iter().map(|(left, entry)| Kept::call(*left, entry)).collect())
}

/// The log lines of an integration as they are shown.
pub fn logged(
    folder: &Path,
    integration: &str,
    (from, until): (Timestamp, Timestamp),
) -> io::Result<Vec<LoggedLine>> {
    super::logged(folder, &Sides::new("hub".to_owned(), integration.to_owned()), from, until)
}
