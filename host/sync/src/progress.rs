//! Progress: how far a side of a sync has been read, by bookmark or by window.

use super::number::RunId;
use super::report::Window;
use entente_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How a report stands that has not been read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReport {
    /// Where the next page starts.
    pub cursor: String,
    /// Number of the next page.
    pub iteration: u32,
    /// The window that it was begun with.
    pub window: Window,
    /// The bookmark that it was begun with.
    pub bookmark: Option<String>,
    /// Everything is listed.
    pub full: bool,
    /// When it was begun.
    pub started: Timestamp,
    /// The run that began it.
    #[serde(default)]
    pub run: RunId,
}

/// How far a side of a sync has been read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Where the next report starts, from the last one that ended.
    pub bookmark: Option<String>,
    /// When that one began; where a remote gives no bookmark the next window starts here, less an overlap.
    pub read_from: Option<Timestamp>,
    /// The mapping version it was read with.
    pub mapping_version: u32,
    /// Objects of which every record is known: listed completely, and followed without a gap since.
    pub complete: Vec<String>,
    /// A report that broke off.
    pub open: Option<OpenReport>,
    /// Objects that were listed completely, where it is still to be found out which records are gone, and the
    /// run that began the listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<Listing>,
    /// What records are recognised by may have changed with the mapping: every row is to be looked at anew.
    #[serde(default)]
    pub rekey: bool,
}

/// A complete listing: who was not read since it began is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The run that began it.
    pub run: RunId,
    /// The objects that were listed.
    pub objects: Vec<String>,
}
