//! What a run tells while it works, for progress bars and logs.

use super::pair::Side;
use std::time::Duration;

/// Listens to a run. Every method does nothing by default.
pub trait Observer: Send + Sync {
    /// A page was read and stored.
    fn collected(&self, side: Side, rows: u64) {
        let _ = (side, rows);
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
