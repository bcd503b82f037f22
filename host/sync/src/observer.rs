//! What a run tells while it works, for progress bars and logs.

use entente_core::Side;
use std::time::Duration;

/// What a run is at. One after the other; some come several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A side reports what it has.
    Collect(Side),
    /// Pairs with something new are decided.
    Reconcile,
    /// Orders go out to a side.
    Execute(Side),
}

/// Listens to a run. Every method does nothing by default.
pub trait Observer: Send + Sync {
    /// A step begins, with the number of its records where that is known.
    fn begins(&self, step: Step, records: Option<u64>) {
        let _ = (step, records);
    }
    /// A page was read and stored, and about so many rows are still to come.
    fn collected(&self, side: Side, rows: u64, remaining: Option<u64>) {
        let _ = (side, rows, remaining);
    }
    /// Pairs were reconciled.
    fn reconciled(&self, pairs: u64) {
        let _ = pairs;
    }
    /// Changes were answered.
    fn written(&self, side: Side, changes: u64) {
        let _ = (side, changes);
    }
    /// A side asked to wait.
    fn waiting(&self, exchange: &str, pause: Duration, reason: &str) {
        let _ = (exchange, pause, reason);
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
