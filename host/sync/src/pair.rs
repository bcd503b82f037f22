//! Pair: link, cache and work-queue item in one row.
//!
//! The link joins the ids of a left and a right record. The cache is the base of the three-way merge
//! (`agreed`) and what each side last reported where that differs from the base (`seen`). The work item is
//! the status.

use super::json::present;
use super::number::{MappingId, PairId, RunId, Slot};
use super::reason::{FieldReason, Reason};
use super::report::FieldTime;
use entente_core::{Side, Sides, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// Status of a pair: its state in the work queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Queued: something was reported that has not been reconciled.
    Todo,
    /// In flight: an order was sent and not answered yet.
    Live,
    /// In sync.
    Ok,
    /// A change was refused. Retried by itself a few times, and when the record changes or the operator asks.
    Failed,
    /// Waits for the operator; [`Pair::reason`] says for what.
    Held,
    /// Takes no part: outside the filter, or left out by a policy.
    Excluded,
    /// Tombstone: the record was deleted on one side or on both; a survivor stays as it is.
    Deleted,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 7] = [
        Status::Todo,
        Status::Live,
        Status::Ok,
        Status::Failed,
        Status::Held,
        Status::Excluded,
        Status::Deleted,
    ];

    /// The stable name of the status, for tables and the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Todo => "todo",
            Status::Live => "live",
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Held => "held",
            Status::Excluded => "excluded",
            Status::Deleted => "deleted",
        }
    }

    /// The status with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// A field value that a side last reported, kept while it differs from that side's half of the merge base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The value.
    #[serde(rename = "v")]
    pub value: Value,
    /// When the value changed, if the side tells: exactly, or as an upper bound.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub time: Option<FieldTime>,
}

/// Base of the three-way merge of a field: the values that both sides held when it was last settled. The two
/// halves may differ (normalised by a remote, mapped, withheld by a policy); a side has changed where its
/// value differs from its own half, so that a remote that normalises makes no echo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    /// The left half; `None`: not known.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub left: Option<Value>,
    /// The right half; `None`: not known.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub right: Option<Value>,
}

impl Agreed {
    /// Built from the value of a side and the value of the other side.
    pub(super) fn of(side: Side, own: Option<Value>, other: Option<Value>) -> Self {
        match side {
            Side::Left => Self { left: own, right: other },
            Side::Right => Self { left: other, right: own },
        }
    }

    /// The half of a side.
    pub fn half(&self, side: Side) -> Option<&Value> {
        match side {
            Side::Left => self.left.as_ref(),
            Side::Right => self.right.as_ref(),
        }
    }
}

/// One side of a pair.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Half {
    /// Id of the record; `None` while there is no record. Never empty.
    pub id: Option<String>,
    /// By slot, the last reported value where it differs from this side's half of `agreed`.
    pub seen: Vec<Option<Seen>>,
    /// Change time of the record, as last reported.
    pub changed: Option<Timestamp>,
    /// Version of the record (an ETag, say), as last reported. A conditional write carries it and is refused
    /// if the record has another one by then.
    pub version: Option<String>,
    /// The last run that read the record.
    pub read: Option<RunId>,
    /// Tombstone: when the record was deleted, or was found to be.
    pub deleted: Option<Timestamp>,
    /// The record does not meet the filter of its side.
    pub filtered: bool,
    /// An operator has left the record out of the sync.
    pub left_out: bool,
    /// The last run that looked for this record's counterpart and found none.
    pub no_match_in: Option<RunId>,
}

impl Half {
    /// Whether the record takes no part: by the filter of its side, or by the word of an operator.
    pub const fn is_out(&self) -> bool {
        self.filtered || self.left_out
    }

    /// The last reported value of a slot, where it differs from the base.
    pub fn seen(&self, slot: Slot) -> Option<&Seen> {
        self.seen.get(slot.index()).and_then(Option::as_ref)
    }

    /// Stores or clears the reported value of a slot.
    pub fn set_seen(&mut self, slot: Slot, seen: Option<Seen>) {
        if self.seen.len() <= slot.index() {
            if seen.is_none() {
                return;
            }
            self.seen.resize(slot.index() + 1, None);
        }
        self.seen[slot.index()] = seen;
    }
}

/// Key that a record is matched by: an identifier of the mapping and its canonical text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchKey {
    /// Position of the identifier in the mapping; 0 is the best one.
    pub rank: u32,
    /// Canonical text of the identifier's value, or of all identifiers where all must agree.
    pub text: String,
}

/// The row that joins a left record and a right record; either may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its number; 0 until the ledger assigns one.
    pub id: PairId,
    /// The object mapping that it belongs to.
    pub mapping: MappingId,
    /// The two records, left and right.
    pub halves: Sides<Half>,
    /// By side, the keys that its record is matched by; `None`: unchanged since the pair was loaded.
    pub keys: Sides<Option<Vec<MatchKey>>>,
    /// By slot, the base of the three-way merge; `None`: never settled.
    pub agreed: Vec<Option<Agreed>>,
    /// Fields of a linked pair whose two values differ on purpose, and why nothing is written.
    pub differing: Vec<(Slot, FieldReason)>,
    /// Its state in the work queue.
    pub status: Status,
    /// Why it has this status, where the status alone does not say it.
    pub reason: Option<Reason>,
    /// Attempts in a row that failed, were put off by the side or were never answered; sets the backoff.
    pub attempts: u32,
    /// Earliest time of the next attempt after a failure; `None`: no retry by itself.
    pub due: Option<Timestamp>,
    /// Reported while an order was in flight: queued again once the order is answered.
    pub dirty: bool,
    /// Read only as the parent of another record: linked and created if need be, not updated otherwise.
    pub context: bool,
}

impl Pair {
    /// An empty pair, queued.
    pub fn new(mapping: MappingId) -> Self {
        Self {
            id: 0,
            mapping,
            halves: Sides::default(),
            keys: Sides::default(),
            agreed: Vec::new(),
            differing: Vec::new(),
            status: Status::Todo,
            reason: None,
            attempts: 0,
            due: None,
            dirty: false,
            context: false,
        }
    }

    /// Queues the pair for a decision about what stands there now: it does not wait for what has failed, or was put off,
    /// before.
    pub(super) fn queue(&mut self) {
        self.status = Status::Todo;
        self.reason = None;
        // Not 0: a change may have been sent and never answered.
        self.attempts = self.attempts.min(1);
        self.due = None;
    }

    /// Whether nobody knows what became of a create of this pair, and nothing has been found that it has made.
    pub(super) fn is_of_unknown_fate(&self) -> bool {
        let unknown = matches!(self.reason, Some(Reason::FateUnknown { .. }));
        self.status == Status::Held && unknown && !self.is_linked()
    }

    /// The half of a side.
    pub fn half(&self, side: Side) -> &Half {
        &self.halves[side]
    }

    /// The half of a side, mutable.
    pub fn half_mut(&mut self, side: Side) -> &mut Half {
        &mut self.halves[side]
    }

    /// Why a pair takes no part: which of its records does not.
    pub(super) fn why_out(&self) -> Option<Reason> {
        let side = Side::BOTH.into_iter().find(|side| self.half(*side).is_out())?;
        let left_out = Side::BOTH.into_iter().find(|side| self.half(*side).left_out);
        Some(left_out.map_or(Reason::OutsideFilter { side }, |side| Reason::LeftOut { side }))
    }

    /// Whether the pair has a record on both sides.
    pub fn is_linked(&self) -> bool {
        self.halves.iter().all(|half| half.id.is_some())
    }

    /// The merge base of a slot.
    pub fn agreed(&self, slot: Slot) -> Option<&Agreed> {
        self.agreed.get(slot.index()).and_then(Option::as_ref)
    }

    /// Why the two values of a slot differ, where they do so on purpose.
    pub fn differs(&self, slot: Slot) -> Option<&FieldReason> {
        self.differing.iter().find(|(of, _)| *of == slot).map(|(_, reason)| reason)
    }

    /// Why a new record on this side is made without a field: the side has refused the value that the other one still has.
    pub(super) fn refused(&self, target: Side, slot: Slot) -> Option<&FieldReason> {
        self.differs(slot).filter(|reason| match reason {
            FieldReason::Refused { side, value: Some(refused), .. } => {
                *side == target && self.current(target.other(), slot) == Some(refused)
            }
            _ => false,
        })
    }

    /// Stores the merge base of a slot. It no longer differs on purpose.
    pub fn set_agreed(&mut self, slot: Slot, agreed: Agreed) {
        if !self.differing.is_empty() {
            self.differing.retain(|(of, _)| *of != slot);
        }
        if self.agreed.len() <= slot.index() {
            self.agreed.resize(slot.index() + 1, None);
        }
        self.agreed[slot.index()] = Some(agreed);
    }

    /// Takes away the merge base of a slot.
    pub fn forget_agreed(&mut self, slot: Slot) {
        self.differing.retain(|(of, _)| *of != slot);
        if let Some(agreed) = self.agreed.get_mut(slot.index()) {
            *agreed = None;
        }
    }

    /// The last known value of a side: as reported, else the base.
    pub fn current(&self, side: Side, slot: Slot) -> Option<&Value> {
        match self.half(side).seen(slot) {
            Some(seen) => Some(&seen.value),
            None => self.agreed(slot).and_then(|agreed| agreed.half(side)),
        }
    }
}
