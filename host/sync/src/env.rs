//! Environment: clock and randomness, injected so that tests and the simulation are deterministic.

use async_trait::async_trait;
use entente_core::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Clock: the current time, and sleeping.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current time in UTC.
    fn now(&self) -> Timestamp;
    /// Sleeps.
    async fn sleep(&self, duration: Duration);
}

/// Source of randomness, for idempotency keys and for jitter.
pub trait Randomness: Send + Sync {
    /// 128 random bits.
    fn bits(&self) -> u128;
}

/// Clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        chrono::Utc::now().into()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn bits(&self) -> u128 {
        // Drawn in blocks of 4 KiB: a system call for each key would cost as much as writing its row.
        static DRAWN: Mutex<Vec<u128>> = Mutex::new(Vec::new());
        let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.is_empty() {
            let mut bytes = [0; 4096];
            // The operating system's source fails on no supported platform once the machine is up. If it did,
            // the time would still give a key that was not used before.
            if getrandom::fill(&mut bytes).is_err() {
                return SystemClock.now().micros() as u128;
            }
            drawn.extend(bytes.as_chunks().0.iter().map(|chunk| u128::from_le_bytes(*chunk)));
        }
        drawn.pop().unwrap_or_default()
    }
}
