//! Numbers: surrogate keys that the ledger assigns to mappings, pairs, runs and mapped fields.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of an object mapping in the ledger.
pub type MappingId = i64;

/// The number of a pair in the ledger.
pub type PairId = i64;

/// The number of a run in the ledger.
pub type RunId = i64;

/// The number of a field mapping within its object mapping, counted from 0. Pairs keep their values by it; it
/// is never given to another field mapping, also when its own has been removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub usize);

impl Slot {
    /// Its index in lists by slot.
    pub const fn index(self) -> usize {
        self.0
    }

    /// The first `count` slots, in order.
    pub(super) fn first(count: usize) -> impl Iterator<Item = Slot> {
        (0..count).map(Slot)
    }
}

/// The position of a field in the rows of a batch or in the changes of an order, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column(pub(super) usize);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
