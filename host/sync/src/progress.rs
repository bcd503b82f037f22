//! Progress: the read position of a side of a sync: cursor of an interrupted report, bookmark or watermark of
//! the last complete one.

use super::number::RunId;
use super::report::Window;
use entente_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Position in a report that was not read to its end, from which the next run resumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReport {
    /// Cursor of the next page; opaque.
    pub cursor: String,
    /// Number of the next page, from 0.
    pub iteration: u32,
    /// The window that the report was started with.
    pub window: Window,
    /// The bookmark that the report was started with.
    pub bookmark: Option<String>,
    /// The report lists everything that exists.
    pub full: bool,
    /// When the report was started.
    pub started: Timestamp,
    /// The run that started the report.
    #[serde(default)]
    pub run: RunId,
}

/// Read position of a side of a sync. Committed in the transaction that stores the page it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Bookmark that the last complete report ended with: the next report starts there. Opaque.
    pub bookmark: Option<String>,
    /// Watermark: when the last complete report was started. Without a bookmark the next window starts here,
    /// less an overlap.
    pub read_from: Option<Timestamp>,
    /// The mapping version that the side was read with; another one starts the listing again.
    pub mapping_version: u32,
    /// Objects of which every record is known: listed completely once, and followed without a gap since. This
    /// is the proof of absence that a create needs.
    pub complete: Vec<String>,
    /// A report that was interrupted.
    pub open: Option<OpenReport>,
    /// A complete listing whose absent records have not been treated as deleted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<Listing>,
    /// The mapping changed: match keys are computed again for every row of the next listing.
    #[serde(default)]
    pub rekey: bool,
}

/// A complete listing: a record that was not read since the listing started does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The run that started the listing.
    pub run: RunId,
    /// The objects that were listed.
    pub objects: Vec<String>,
}
