//! Histogram of reasons by code, with a few samples of each, so that its size does not grow with the records.

use super::reason::{Code, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often a reason was given, with a few samples of what it was about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// How often.
    pub count: u64,
    /// The first ones that differ, at most [`Counted::SAMPLES`].
    pub samples: Vec<Reason>,
}

impl Counted {
    /// How many samples are kept.
    pub const SAMPLES: usize = 3;

    /// Counts a reason so many times.
    pub fn add(&mut self, reason: &Reason, times: u64) {
        self.count += times;
        if self.samples.len() < Self::SAMPLES && !self.samples.contains(reason) {
            self.samples.push(reason.clone());
        }
    }
}

impl Counted {
    /// Adds the counts of another place.
    pub fn add_all(&mut self, other: &Counted) {
        self.count += other.count;
        other.samples.iter().for_each(|sample| self.add(sample, 0));
    }
}

/// Reasons by their code: however many records they name, a line each.
pub type ReasonCounts = BTreeMap<Code, Counted>;
