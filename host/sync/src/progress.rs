//! Progress: the read position of a side of a sync: cursor of an interrupted report, and for each object the
//! bookmark or watermark of its last report.

use super::number::RunId;
use super::report::Window;
use entente_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Position in a report that was not read to its end, from which the next run resumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReport {
    /// Cursor of the next page; opaque.
    pub cursor: String,
    /// Number of the next page, from 0.
    pub iteration: u32,
    /// How each object was asked for; the same on every page.
    pub asked: BTreeMap<String, Asked>,
    /// Objects that have ended, and whose position has moved.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub finished: BTreeSet<String>,
    /// When the report was started.
    pub started: Timestamp,
    /// The run that started the report.
    #[serde(default)]
    pub run: RunId,
    /// Objects are listed once more, since the listing before it may lack records. It is the last time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// How an object is asked for in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Interval of change times.
    pub window: Window,
    /// Bookmark to start from.
    pub bookmark: Option<String>,
    /// Everything that exists is listed.
    pub full: bool,
}

/// Read position of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Bookmark that its last report ended with: the next one starts there. Opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookmark: Option<String>,
    /// Watermark: when its last report was started. Without a bookmark the next window starts here, less an
    /// overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_from: Option<Timestamp>,
    /// Every record is known: listed completely once, and followed without a gap since. This is the proof of
    /// absence that a create needs.
    #[serde(default)]
    pub complete: bool,
}

/// Read position of a side of a sync, by object. Committed in the transaction that stores the page it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The position of each object; one without is listed from the beginning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, Position>,
    /// The mapping version that the side was read with; another one starts the listing again.
    pub mapping_version: u32,
    /// A report that was interrupted.
    pub open: Option<OpenReport>,
    /// Complete listings whose absent records have not been treated as deleted yet: by object the run that started the
    /// listing. A record that was not read since does not exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unchecked: BTreeMap<String, RunId>,
    /// Complete listings that went on in a later run than they began in: whether a record may have been deleted or merged away
    /// since, of whichever object. Where pages are counted in rows, the rows after it have moved up, those of other objects of
    /// the report as well, and one of them was passed over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub went_on: BTreeMap<String, bool>,
    /// The positions from before listings that may prove no absence, by object: what has been deleted since is told from
    /// there on, and no listing tells it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told_from: BTreeMap<String, Position>,
    /// Objects that are listed anew by the next whole run: the bookmark may be of another history than the remote system has now,
    /// or a record was told as it no longer is, and no report may tell it again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub doubted: BTreeSet<String>,
    /// The positions from before such a listing. Each is asked from once more after it: if it is of the same history, it tells
    /// what was deleted or merged since, and no listing does. What it says to go on from is not followed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told_once: BTreeMap<String, Position>,
    /// The mapping changed: match keys are computed again for every row of the next listing.
    #[serde(default)]
    pub rekey: bool,
}

impl Progress {
    /// Begins anew, with this mapping version. Where deletions are told from is kept.
    pub(super) fn anew(mut self, mapping_version: u32, rekey: bool) -> Self {
        self.keep_positions(|_| true);
        let (told_from, told_once) = (self.told_from, self.told_once);
        Self { mapping_version, rekey, told_from, told_once, ..Self::default() }
    }

    /// Lets an object be listed anew.
    pub(super) fn doubt(&mut self, object: &str) {
        self.doubted.insert(object.to_owned());
    }

    /// Forgets the positions of an object, or of all, which the remote system knows no more.
    pub(super) fn forget(&mut self, object: Option<&String>) {
        let of_it = |name: &String| object.is_none_or(|object| name == object);
        self.objects.retain(|name, _| !of_it(name));
        self.told_once.retain(|name, _| !of_it(name));
    }

    /// Where the next report of an object begins; `None` at the beginning.
    pub(super) fn next(&self, object: &str) -> Option<&Position> {
        let listed = self.objects.get(object).filter(|_| !self.doubted.contains(object))?;
        Some(self.told_once.get(object).unwrap_or(listed))
    }

    /// Notes that an object was listed whose position from before was in doubt.
    pub(super) fn listed_anew(&mut self, object: &str, before: &Position) {
        if self.doubted.remove(object) && before.bookmark.is_some() {
            self.told_once.entry(object.to_owned()).or_insert_with(|| before.clone());
        }
    }

    /// Whether a report that has ended began where the object is asked from once. That has been done then.
    pub(super) fn was_once(&mut self, object: &str, asked: &Asked) -> bool {
        let bookmark = self.told_once.get(object).and_then(|position| position.bookmark.as_ref());
        let once = bookmark.is_some() && bookmark == asked.bookmark.as_ref();
        if once {
            self.told_once.remove(object);
        }
        once
    }

    /// Keeps the positions of objects that are about to be listed. The earliest one counts.
    fn keep_positions(&mut self, listed: impl Fn(&String) -> bool) {
        for (object, position) in self.objects.iter().filter(|(object, _)| listed(object)) {
            if position.bookmark.is_some() {
                self.told_from.entry(object.clone()).or_insert_with(|| position.clone());
            }
        }
    }

    /// Objects of which every record is known.
    pub fn complete(&self) -> Vec<String> {
        let complete = self.objects.iter().filter(|(_, position)| position.complete);
        let complete = complete.filter(|(object, _)| !self.doubted.contains(*object));
        complete.map(|(object, _)| object.clone()).collect()
    }

    /// Puts objects back to the beginning whose listings may lack records. Returns whether there are any.
    pub(super) fn list_again(&mut self) -> bool {
        let went_on = std::mem::take(&mut self.went_on);
        let lacking: Vec<String> =
            went_on.into_iter().filter(|(_, lacks)| *lacks).map(|(object, _)| object).collect();
        self.keep_positions(|object| lacking.contains(object));
        self.objects.retain(|object, _| !lacking.contains(object));
        !lacking.is_empty()
    }
}
