//! What the engine takes from the world outside: time and chance.

use async_trait::async_trait;
use entente_core::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The time, and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// Chance: for names that must never come twice, and for jitter.
pub trait Randomness: Send + Sync {
    /// 128 random bits.
    fn bits(&self) -> u128;
}

/// The clock of the machine.
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

/// The random numbers of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn bits(&self) -> u128 {
        // Asked for by the page: a call for each name would cost as much as writing its row does.
        static DRAWN: Mutex<Vec<u128>> = Mutex::new(Vec::new());
        let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.is_empty() {
            let mut bytes = [0; 4096];
            // The operating system's source fails on no supported platform once the machine is up; where it
            // did, the time still makes a name that has not been used.
            if getrandom::fill(&mut bytes).is_err() {
                return SystemClock.now().micros() as u128;
            }
            drawn.extend(bytes.as_chunks().0.iter().map(|chunk| u128::from_le_bytes(*chunk)));
        }
        drawn.pop().unwrap_or_default()
    }
}
