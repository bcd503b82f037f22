//! Simulated time and randomness, determined by the seed alone.

use crate::dice::{Dice, lock};
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sync::{Clock, Randomness};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// 2026-01-01 00:00:00.
const START: i64 = 1_767_225_600_000_000;

/// A clock that advances a millisecond with each reading, and by every sleep.
#[derive(Debug)]
pub(crate) struct SimClock(AtomicI64);

impl Default for SimClock {
    fn default() -> Self {
        Self(AtomicI64::new(START))
    }
}

impl SimClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_micros()).unwrap_or(0), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1000, Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// The engine's source of randomness.
#[derive(Debug)]
pub(crate) struct SeededBits(pub(crate) Mutex<Dice>);

impl Randomness for SeededBits {
    fn bits(&self) -> u128 {
        lock(&self.0).bits()
    }
}
