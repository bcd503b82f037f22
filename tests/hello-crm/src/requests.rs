//! The request log, for tests and for people who watch a plugin. Headers are not kept.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::Stamp;

/// How many requests are kept.
const KEPT: usize = 1000;
/// How many paths are counted one by one.
const PATHS: usize = 10_000;

/// A request that was answered, or dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestLine {
    /// When the answer was ready.
    pub at: Stamp,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The status of the answer; none if the connection was closed instead.
    pub status: Option<u16>,
    /// The fault that struck it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

/// The last requests, and how many there were in all.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    last: VecDeque<RequestLine>,
    counts: BTreeMap<String, u64>,
    total: u64,
}

impl RequestLog {
    pub(crate) fn push(&mut self, line: RequestLine) {
        let mut name = format!("{} {}", line.method, line.path);
        if self.counts.len() >= PATHS && !self.counts.contains_key(&name) {
            name = "other".to_owned();
        }
        *self.counts.entry(name).or_default() += 1;
        self.total += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub(crate) fn last(&self) -> Vec<RequestLine> {
        self.last.iter().cloned().collect()
    }

    /// How many requests there were with this method whose path contains `part`.
    pub(crate) fn count(&self, method: &str, part: &str) -> u64 {
        let matches = |name: &str| {
            name.split_once(' ')
                .is_some_and(|(its, path)| its.eq_ignore_ascii_case(method) && path.contains(part))
        };
        self.counts.iter().filter(|(name, _)| matches(name)).map(|(_, count)| count).sum()
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "total": self.total, "counts": self.counts, "last": self.last })
    }
}
