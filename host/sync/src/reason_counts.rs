//! Histogram of reasons by code, with a few samples of each, so that its size does not grow with the records.

use super::reason::{Code, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Count of the reasons of one code, with samples.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// The first reasons that differ from each other, at most [`Counted::SAMPLES`].
    pub samples: Vec<Reason>,
}

impl Counted {
    /// Most samples that are kept.
    pub const SAMPLES: usize = 3;

    /// Counts a reason `times` times.
    pub fn add(&mut self, reason: &Reason, times: u64) {
        self.count += times;
        if self.samples.len() < Self::SAMPLES && !self.samples.contains(reason) {
            self.samples.push(reason.clone());
        }
    }
}

impl Counted {
    /// Adds another count of the same code.
    pub fn add_all(&mut self, other: &Counted) {
        self.count += other.count;
        other.samples.iter().for_each(|sample| self.add(sample, 0));
    }
}

/// Histogram: a count for each code, however many records the reasons name.
pub type ReasonCounts = BTreeMap<Code, Counted>;
