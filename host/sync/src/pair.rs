//! The pair: link, cache and work item in one.

use super::json::present;
use super::number::{MappingId, PairId, RunId, Slot};
use super::reason::Reason;
use super::report::FieldTime;
use entente_core::{Side, Sides, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// Where a pair stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Something was reported that has not been reconciled.
    Todo,
    /// An order is under way.
    Live,
    /// Settled.
    Ok,
    /// An order failed; it stays so until the record changes or the operator asks again.
    Failed,
    /// Waits for the operator.
    Held,
    /// Outside the filter, or left out by choice.
    Excluded,
    /// Gone on one side; the survivor and this tombstone stay.
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

    /// The word for it, in tables and in the ledger.
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

    /// The status of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// What a side last reported for a field, kept while it differs from what was agreed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The value.
    #[serde(rename = "v")]
    pub value: Value,
    /// When it changed, and how surely, if anything is known.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub time: Option<FieldTime>,
}

/// The two values that stood on the two sides when a field was last settled. They may differ: normalised by a
/// remote, mapped, or withheld by a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    /// The left half; `None`: never known.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub left: Option<Value>,
    /// The right half.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub right: Option<Value>,
}

impl Agreed {
    /// What stands on a side, and what stands on the other one.
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
    /// The id of the record; `None` while there is none. Never empty.
    pub id: Option<String>,
    /// By slot, what was last reported where it differs from the agreed half.
    pub seen: Vec<Option<Seen>>,
    /// When the record last changed, as reported.
    pub changed: Option<Timestamp>,
    /// What conditional writes take.
    pub version: Option<String>,
    /// The run that last read the record.
    pub read: Option<RunId>,
    /// When it was deleted: the tombstone.
    pub deleted: Option<Timestamp>,
    /// It is outside the filter of its side.
    pub filtered: bool,
    /// The last run that looked for this record's counterpart and found none.
    pub no_match_in: Option<RunId>,
}

impl Half {
    /// What was last reported for a slot where it differs from the agreed half.
    pub fn seen(&self, slot: Slot) -> Option<&Seen> {
        self.seen.get(slot.index()).and_then(Option::as_ref)
    }

    /// Notes or forgets what was reported for a slot.
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

/// What identifies a record: the place of the identifier in the mapping and its canonical text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchKey {
    /// 0 for the best identifier.
    pub rank: u32,
    /// The canonical text of the value, or of all values together.
    pub text: String,
}

/// The row that joins a left record and a right record.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its number; 0 before it is first saved.
    pub id: PairId,
    /// The mapping that it belongs to; names relation and objects.
    pub mapping: MappingId,
    /// Left and right.
    pub halves: Sides<Half>,
    /// What each side is recognised by; `None`: unchanged since it was loaded.
    pub keys: Sides<Option<Vec<MatchKey>>>,
    /// By slot, what was last settled.
    pub agreed: Vec<Option<Agreed>>,
    /// Where it stands.
    pub status: Status,
    /// Why it stands there, where that is not plain.
    pub reason: Option<Reason>,
    /// Orders for it that failed in a row.
    pub attempts: u32,
    /// When it is tried again after a failure; `None`: not before it changes or the operator asks.
    pub due: Option<Timestamp>,
    /// It was reported while an order was under way.
    pub dirty: bool,
    /// Only read because another record refers to it: linked and created, not otherwise changed.
    pub context: bool,
}

impl Pair {
    /// A new pair with nothing in it.
    pub fn new(mapping: MappingId) -> Self {
        Self {
            id: 0,
            mapping,
            halves: Sides::default(),
            keys: Sides::default(),
            agreed: Vec::new(),
            status: Status::Todo,
            reason: None,
            attempts: 0,
            due: None,
            dirty: false,
            context: false,
        }
    }

    /// One half.
    pub fn half(&self, side: Side) -> &Half {
        &self.halves[side]
    }

    /// One half, to change it.
    pub fn half_mut(&mut self, side: Side) -> &mut Half {
        &mut self.halves[side]
    }

    /// Whether both records are there.
    pub fn is_linked(&self) -> bool {
        self.halves.iter().all(|half| half.id.is_some())
    }

    /// What was settled for a slot.
    pub fn agreed(&self, slot: Slot) -> Option<&Agreed> {
        self.agreed.get(slot.index()).and_then(Option::as_ref)
    }

    /// Settles a slot.
    pub fn set_agreed(&mut self, slot: Slot, agreed: Agreed) {
        if self.agreed.len() <= slot.index() {
            self.agreed.resize(slot.index() + 1, None);
        }
        self.agreed[slot.index()] = Some(agreed);
    }

    /// The value that a side has now, as far as it is known.
    pub fn current(&self, side: Side, slot: Slot) -> Option<&Value> {
        match self.half(side).seen(slot) {
            Some(seen) => Some(&seen.value),
            None => self.agreed(slot).and_then(|agreed| agreed.half(side)),
        }
    }
}
