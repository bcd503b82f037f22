//! Run: one execution of a sync, with its options, status, counts and notices.

use super::limits;
use super::notice::{Notice, Oddity};
use super::number::RunId;
use super::options::RunOptions;
use super::reason::Reason;
use super::reason_counts::ReasonCounts;
use super::remedy::Message;
use entente_core::{Side, Sides, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Under way, or its process died and no later run has noticed yet.
    Running,
    /// Ended without an error.
    Done,
    /// Ended by an error. Everything committed before it stays.
    Failed,
    /// Stopped early: by the operator, by its time limit, or by a crash.
    Interrupted,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [RunStatus; 4] =
        [RunStatus::Running, RunStatus::Done, RunStatus::Failed, RunStatus::Interrupted];

    /// The stable name of the status.
    pub const fn word(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
        }
    }

    /// The status with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// Counters of a run for one object on one side. A record may be in several of them: a record that was
/// reported and then changed is both `reported` and `updated`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records in the side's report, including those that could not be read.
    pub reported: u64,
    /// Records of this side that were newly linked to a counterpart, found by their identifiers.
    pub matched: u64,
    /// Records that the run created on this side.
    pub created: u64,
    /// Records that the run updated on this side.
    pub updated: u64,
    /// Records that the run deleted on this side.
    #[serde(default)]
    pub removed: u64,
    /// Records read from this side, by its report or as counterparts, that needed no write. Computed when the
    /// run ends.
    pub unchanged: u64,
    /// Records found to be deleted on this side: reported as deleted, or absent from a complete listing.
    pub deleted: u64,
    /// Fields in conflict. A conflict concerns both sides and is counted on the left only.
    pub conflicts: u64,
    /// Records that are held: they wait for the operator, or for a run that can decide.
    pub held: u64,
    /// Records that could not be read, or whose write was refused.
    pub failed: u64,
    /// Writes that were decided and not executed in this run: planned by a dry run, withheld, deferred by the
    /// remote system, without an answer, or to be retried.
    pub pending: u64,
    /// Records left out: outside the filter, or with nothing to create on the other side.
    pub excluded: u64,
    /// Histogram of the reasons for held, failed and pending records and for conflicts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: ReasonCounts,
}

impl Counts {
    /// Records that the run created, updated or deleted on this side.
    pub fn writes(&self) -> u64 {
        self.created + self.updated + self.removed
    }

    /// Records and fields that need attention: held, failed or in conflict.
    pub fn problems(&self) -> u64 {
        self.held + self.failed + self.conflicts
    }

    /// Counts a reason once.
    pub fn because(&mut self, reason: &Reason) {
        self.because_of(reason, 1);
    }

    /// Counts a reason `times` times.
    pub fn because_of(&mut self, reason: &Reason, times: u64) {
        self.reasons.entry(reason.code()).or_default().add(reason, times);
    }
}

/// One execution of a sync.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number; 0 until the ledger assigns one.
    pub id: RunId,
    /// Name of the sync; empty for an import and its undo.
    pub sync: String,
    /// The set of pairs that it works on; empty for an import and its undo.
    pub relation: String,
    /// What it was asked to do.
    pub options: RunOptions,
    /// Start time.
    pub started: Timestamp,
    /// End time; `None` while it is under way.
    pub ended: Option<Timestamp>,
    /// Its status.
    pub status: RunStatus,
    /// The error that ended it early.
    pub error: Option<Message>,
    /// Counters by side, then by object name.
    pub counts: Sides<BTreeMap<String, Counts>>,
    /// What the operator should know besides the counters: parked fields, the deletion guard, failed orders.
    pub notices: Vec<Notice>,
}

impl Run {
    /// A run that starts now.
    pub fn new(
        sync: impl Into<String>,
        relation: impl Into<String>,
        options: RunOptions,
        now: Timestamp,
    ) -> Self {
        Self {
            id: 0,
            sync: sync.into(),
            relation: relation.into(),
            options,
            started: now,
            ended: None,
            status: RunStatus::Running,
            error: None,
            counts: Sides::default(),
            notices: Vec::new(),
        }
    }

    /// Adds a notice, unless the run already has the same one. Of failures in a stranger's words only the first are kept,
    /// since a run is stored with each page: the records that they are about have their reasons.
    pub fn notice(&mut self, notice: Notice) {
        let in_words =
            |notice: &Notice| matches!(notice, Notice::OrderFailed { .. } | Notice::CollectFailed { .. });
        let said = || self.notices.iter().filter(|notice| in_words(notice)).count();
        let full = in_words(&notice) && said() >= limits::MOST_SAID;
        if !full && !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Counts answers of a side against the rules of the interface.
    pub fn invalid_answers(&mut self, side: Side, object: &str, what: Oddity, more: u64) {
        let full = self.notices.len() >= limits::MOST_NOTICES;
        let known = self.notices.iter_mut().find_map(|notice| match notice {
            Notice::InvalidAnswers { side: of, object: about, what: does, count }
                if (*of, about.as_str(), *does) == (side, object, what) =>
            {
                Some(count)
            }
            _ => None,
        });
        match known {
            Some(count) => *count += more,
            // Names of objects are a stranger's.
            None if full => {}
            None => {
                let object = object.to_owned();
                self.notices.push(Notice::InvalidAnswers { side, object, what, count: more });
            }
        }
    }

    /// Counts a field that a side refused while it took the rest of a record.
    pub fn refused_field(&mut self, side: Side, object: &str, field: &str) {
        let known = self.notices.iter_mut().find_map(|notice| match notice {
            Notice::FieldRefused { side: of, object: about, field: named, records }
                if (*of, about.as_str(), named.as_str()) == (side, object, field) =>
            {
                Some(records)
            }
            _ => None,
        });
        match known {
            Some(records) => *records += 1,
            None => {
                let (object, field) = (object.to_owned(), field.to_owned());
                self.notices.push(Notice::FieldRefused { side, object, field, records: 1 });
            }
        }
    }

    /// The counters of an object on a side; created with zeros where there are none yet.
    pub fn count(&mut self, side: Side, object: &str) -> &mut Counts {
        let counts = &mut self.counts[side];
        if !counts.contains_key(object) {
            counts.insert(object.to_owned(), Counts::default());
        }
        counts.entry(object.to_owned()).or_default()
    }

    /// Records and fields that need attention, over both sides.
    pub fn problems(&self) -> u64 {
        self.counts.iter().flat_map(BTreeMap::values).map(Counts::problems).sum()
    }

    /// Records created, updated or deleted, over both sides.
    pub fn writes(&self) -> u64 {
        self.counts.iter().flat_map(BTreeMap::values).map(Counts::writes).sum()
    }
}
