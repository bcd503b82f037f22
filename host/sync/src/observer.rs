//! Observer: receives the progress of a run, for progress bars and logs.

use entente_core::Side;
use std::time::Duration;

/// Step of a run. Steps follow one another; some come several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A side is asked for its report.
    Collect(Side),
    /// Queued pairs are decided.
    Reconcile,
    /// Orders are sent to a side.
    Execute(Side),
}

/// Receives the progress of a run. Every method does nothing by default.
pub trait Observer: Send + Sync {
    /// A step begins; `records`: how many records it will process, where that is known.
    fn begins(&self, step: Step, records: Option<u64>) {
        let _ = (step, records);
    }
    /// A page of `rows` rows was stored; `remaining`: estimate of the rows still to come, where the side
    /// tells.
    fn collected(&self, side: Side, rows: u64, remaining: Option<u64>) {
        let _ = (side, rows, remaining);
    }
    /// Pairs were reconciled.
    fn reconciled(&self, pairs: u64) {
        let _ = pairs;
    }
    /// Changes of an order were answered and stored.
    fn written(&self, side: Side, changes: u64) {
        let _ = (side, changes);
    }
    /// The run sleeps for `pause` because of `exchange`.
    fn waiting(&self, exchange: &str, pause: Duration, reason: &str) {
        let _ = (exchange, pause, reason);
    }
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
