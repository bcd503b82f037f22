//! Engine: the dependencies of a run, and how it ends.

use super::budget::RunBudget;
use super::env::{Clock, Randomness};
use super::error::SyncError;
use super::exchange::Exchange;
use super::ledger::Ledger;
use super::observer::Observer;
use super::run::Run;
use entente_core::Sides;
use tokio_util::sync::CancellationToken;

/// The dependencies of a run. [`Engine::run`] runs a sync once.
pub struct Engine<'a> {
    /// Persistent state.
    pub ledger: &'a dyn Ledger,
    /// The two sides, left and right.
    pub exchanges: Sides<&'a dyn Exchange>,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Randomness, for idempotency keys and jitter.
    pub randomness: &'a dyn Randomness,
    /// Receives the progress of the run.
    pub observer: &'a dyn Observer,
    /// Cancellation: ends every pause at once, the run at the next safe point, and a call to a side after a grace period
    /// of ten seconds.
    pub stop: &'a CancellationToken,
    /// What the run may use.
    pub budget: &'a RunBudget,
    /// Name of the lease holder (a process and a machine, say), shown to runs that find the lease taken.
    pub holder: &'a str,
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// End of a run: its counts, and the error that ended it early.
#[derive(Debug)]
pub struct RunEnd {
    /// The run with its counts.
    pub run: Run,
    /// The error that ended it early, if any.
    pub error: Option<SyncError>,
}
