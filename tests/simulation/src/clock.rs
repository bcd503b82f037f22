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

/// Time, and the clock of the host, which may step away from it. A reading takes a millisecond, and a sleep its time.
#[derive(Debug)]
pub(crate) struct SimClock {
    time: AtomicI64,
    /// The host clock's offset, in microseconds.
    offset: AtomicI64,
    /// The latest time that the host clock has shown.
    latest: AtomicI64,
}

impl Default for SimClock {
    fn default() -> Self {
        Self { time: AtomicI64::new(START), offset: AtomicI64::new(0), latest: AtomicI64::new(START) }
    }
}

impl SimClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.time.fetch_add(i64::try_from(duration.as_micros()).unwrap_or(0), Ordering::SeqCst);
    }

    /// The true time, by which remote systems go.
    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.time.fetch_add(1000, Ordering::SeqCst))
    }

    /// The true time, without a reading of the clock.
    pub(crate) fn stands_at(&self) -> i64 {
        self.time.load(Ordering::SeqCst)
    }

    /// Lets time pass until the host clock is later than ever before: what waits, waits until a time that it showed.
    pub(crate) fn catch_up(&self) {
        let behind = self.latest.load(Ordering::SeqCst) - self.now().micros();
        self.advance(Duration::from_micros(u64::try_from(behind).unwrap_or(0)));
    }

    /// The host clock steps.
    pub(crate) fn step(&self, micros: i64) {
        self.offset.fetch_add(micros, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let now = self.time().micros() + self.offset.load(Ordering::SeqCst);
        self.latest.fetch_max(now, Ordering::SeqCst);
        Timestamp::from_micros(now)
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
