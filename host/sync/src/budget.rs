//! Budget: how many rows a run may be told, and how long it may take, as whoever starts it allows. A side that reports
//! new rows for ever ends its run there, and no run of others.

use super::remedy::Message;
use std::time::Duration;

/// What a run may use; the default is without bounds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunBudget {
    /// Rows, unreadable ones, deletions and conversions that both sides report.
    pub rows: Option<Allowance<u64>>,
    /// Time from the beginning of the run.
    pub time: Option<Allowance<Duration>>,
}

/// So much of something, and what to say where it is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance<T> {
    /// How much.
    pub most: T,
    /// The limit behind it, for people, with what can be done.
    pub spent: Message,
}
