//! What is said of a history.

use std::collections::BTreeMap;
use std::fmt;

/// The words under which violations are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// What somebody typed is nowhere any more.
    Lost,
    /// One record has become two.
    Doubled,
    /// Each side holds what the other one had.
    Swapped,
    /// Something stands nowhere in the books, or the books are wrong about it.
    Unaccounted,
}

impl Word {
    /// All of them, in the order in which they are told.
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

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Under which word it is counted.
    pub word: Word,
    /// The invariant.
    pub invariant: &'static str,
    /// What happened, to which record.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.word, self.invariant, self.what)
    }
}

/// What came of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its seed.
    pub seed: u64,
    /// What people and syncs did.
    pub operations: u64,
    /// Runs that were stopped dead.
    pub crashes: u64,
    /// What went wrong with calls.
    pub faults: u64,
    /// Effects of the engine on the world outside.
    pub effects: u64,
    /// A digest of everything that happened, in its order.
    pub trace: u64,
    /// How many pairs stand where at the end.
    pub pairs: BTreeMap<&'static str, u64>,
    /// Rules that were broken.
    pub violations: Vec<Violation>,
}

impl Verdict {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            operations: 0,
            crashes: 0,
            faults: 0,
            effects: 0,
            trace: 0,
            pairs: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, word: Word, invariant: &'static str, what: String) {
        self.violations.push(Violation { word, invariant, what });
    }

    /// How many violations are counted under a word.
    pub fn count(&self, word: Word) -> usize {
        self.violations.iter().filter(|violation| violation.word == word).count()
    }
}
