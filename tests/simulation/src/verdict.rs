//! The verdict on a history.

use crate::tally::{Exception, Tally};
use std::collections::BTreeMap;
use std::fmt;

/// The kinds under which violations are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Lost update: a typed value is nowhere any more.
    Lost,
    /// Duplicate: one record has become two.
    Doubled,
    /// Swap: each side has the other's value.
    Swapped,
    /// Accounting: a record has no status, or the ledger is wrong about it.
    Unaccounted,
}

impl Word {
    /// Every kind, in order of display.
    pub const ALL: [Word; 4] = [Word::Lost, Word::Doubled, Word::Swapped, Word::Unaccounted];
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Word::Lost => "lost",
            Word::Doubled => "doubled",
            Word::Swapped => "swapped",
            Word::Unaccounted => "unaccounted",
        })
    }
}

/// A violated invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its kind.
    pub word: Word,
    /// The invariant.
    pub invariant: &'static str,
    /// The event and the record.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.word, self.invariant, self.what)
    }
}

/// The result of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its seed.
    pub seed: u64,
    /// The number of operations of users and syncs.
    pub operations: u64,
    /// The number of steps that may be left out: first records, and operations.
    pub steps: usize,
    /// The number of crashed runs.
    pub crashes: u64,
    /// The number of faults.
    pub faults: u64,
    /// The number of the engine's effects.
    pub effects: u64,
    /// A digest of all effects in order.
    pub trace: u64,
    /// The number of pairs by status at the end.
    pub pairs: BTreeMap<&'static str, u64>,
    /// What people, runs and faults did, in order.
    pub story: Vec<String>,
    /// What was drawn and what happened.
    pub tally: Tally,
    /// The violated invariants.
    pub violations: Vec<Violation>,
}

impl Verdict {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            operations: 0,
            steps: 0,
            crashes: 0,
            faults: 0,
            effects: 0,
            trace: 0,
            pairs: BTreeMap::new(),
            story: Vec::new(),
            tally: Tally::default(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, word: Word, invariant: &'static str, what: String) {
        self.violations.push(Violation { word, invariant, what });
    }

    /// A check does not apply to what would else be a violation.
    pub(crate) fn except(&mut self, exception: Exception) {
        self.tally.except(exception);
    }

    /// The number of violations of a kind.
    pub fn count(&self, word: Word) -> usize {
        self.violations.iter().filter(|violation| violation.word == word).count()
    }
}
