//! One execution of a sync: what was asked, what it counted.

use super::notice::Notice;
use super::number::RunId;
use super::options::RunOptions;
use super::reason::Reason;
use super::reason_counts::ReasonCounts;
use super::remedy::Message;
use entente_core::{Side, Sides, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It is under way.
    Running,
    /// It came to its end.
    Done,
    /// It failed; what was done by then stays.
    Failed,
    /// It was stopped before its end, by the operator or by a crash.
    Interrupted,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [RunStatus; 4] =
        [RunStatus::Running, RunStatus::Done, RunStatus::Failed, RunStatus::Interrupted];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::Interrupted => "interrupted",
        }
    }

    /// The status of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// What was counted for one object of one side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Records that the side reported.
    pub reported: u64,
    /// Of these, new links to a record of the other side, found by identifiers.
    pub matched: u64,
    /// Records made on this side.
    pub created: u64,
    /// Records changed on this side.
    pub updated: u64,
    /// Records deleted on this side by the run.
    #[serde(default)]
    pub removed: u64,
    /// Records read, reported ones and their counterparts, that needed no write on this side.
    pub unchanged: u64,
    /// Records that the side reported as gone.
    pub deleted: u64,
    /// Fields in conflict.
    pub conflicts: u64,
    /// Records that wait for the operator.
    pub held: u64,
    /// Records that could not be read or written.
    pub failed: u64,
    /// Writes that are decided and were not made in this run: withheld, deferred, to be tried again, or a dry
    /// run.
    pub pending: u64,
    /// Records outside the filter.
    pub excluded: u64,
    /// Why records were held, failed, withheld or left in conflict.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: ReasonCounts,
}

impl Counts {
    /// Whether this side was written.
    pub fn writes(&self) -> u64 {
        self.created + self.updated + self.removed
    }

    /// Whether anything needs a look.
    pub fn problems(&self) -> u64 {
        self.held + self.failed + self.conflicts
    }

    /// Counts a reason.
    pub fn because(&mut self, reason: &Reason) {
        self.because_of(reason, 1);
    }

    /// Counts a reason so many times.
    pub fn because_of(&mut self, reason: &Reason, times: u64) {
        self.reasons.entry(reason.code()).or_default().add(reason, times);
    }
}

/// One execution of a sync.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its number; 0 before the ledger has given one.
    pub id: RunId,
    /// The sync.
    pub sync: String,
    /// The relation that it worked on.
    pub relation: String,
    /// What it was asked to do.
    pub options: RunOptions,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it stands.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<Message>,
    /// What it counted: by side, then by object.
    pub counts: Sides<BTreeMap<String, Counts>>,
    /// What the operator should know: fields that are parked, the brake, a plan that no longer fits.
    pub notices: Vec<Notice>,
}

impl Run {
    /// A run that begins now.
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

    /// Tells the operator something, once.
    pub fn notice(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// The counts of an object of a side.
    pub fn count(&mut self, side: Side, object: &str) -> &mut Counts {
        let counts = &mut self.counts[side];
        if !counts.contains_key(object) {
            counts.insert(object.to_owned(), Counts::default());
        }
        counts.entry(object.to_owned()).or_default()
    }

    /// Records and fields that need a look.
    pub fn problems(&self) -> u64 {
        self.counts.iter().flat_map(BTreeMap::values).map(Counts::problems).sum()
    }

    /// Records written on both sides.
    pub fn writes(&self) -> u64 {
        self.counts.iter().flat_map(BTreeMap::values).map(Counts::writes).sum()
    }
}
