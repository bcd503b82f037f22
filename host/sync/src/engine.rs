//! Engine: what a run of a sync works with, and how it ends.

use super::env::{Clock, Randomness};
use super::error::SyncError;
use super::exchange::Exchange;
use super::ledger::Ledger;
use super::observer::Observer;
use super::run::Run;
use entente_core::Sides;
use std::sync::atomic::AtomicBool;

/// What a run works with.
pub struct Engine<'a> {
    /// The memory.
    pub ledger: &'a dyn Ledger,
    /// The two sides, left and right.
    pub exchanges: Sides<&'a dyn Exchange>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Chance.
    pub randomness: &'a dyn Randomness,
    /// Who listens.
    pub observer: &'a dyn Observer,
    /// Set to end the run at the next safe point.
    pub stop: &'a AtomicBool,
    /// Who runs, for those who find the lease taken: a process and a machine, say.
    pub holder: &'a str,
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("holder", &self.holder).finish_non_exhaustive()
    }
}

/// How a run ended: what it did, and the error that ended it early.
#[derive(Debug)]
pub struct RunEnd {
    /// The run with its counts.
    pub run: Run,
    /// Why it ended before its end; `None`: it did not.
    pub error: Option<SyncError>,
}
