//! Faults of whole calls.

use super::Remote;
use crate::dice::lock;
use entente_sync::{ExchangeError, codes};
use std::time::Duration;

impl Remote {
    /// Whether a fault with this probability, in percent, happens now.
    pub(super) fn happens(&self, percent: u64) -> bool {
        self.faulty() && lock(&self.dice).chance(percent)
    }

    /// Fails sometimes, before anything is done.
    pub(super) fn refuse(&self, call: &str) -> Result<(), ExchangeError> {
        if !self.happens(self.manners.faults.refused_calls) {
            return Ok(());
        }
        let mut dice = lock(&self.dice);
        let error = match dice.below(6) {
            0..=2 => {
                let after =
                    Duration::from_secs(if dice.chance(15) { 120 } else { 1 + dice.below(20) as u64 });
                ExchangeError {
                    after: Some(after),
                    ..ExchangeError::new(codes::RATE_LIMITED, "too many calls")
                }
            }
            3..=4 => ExchangeError::new(codes::UNAVAILABLE, "down for a moment"),
            _ => ExchangeError::new(codes::TRAP, "the plugin fell over before it did anything"),
        };
        drop(dice);
        let kind = match error.code.as_str() {
            codes::RATE_LIMITED => "call refused: rate-limited",
            codes::UNAVAILABLE => "call refused: unavailable",
            _ => "call refused: trap",
        };
        self.tape.fault(kind, format_args!("{} {call}: {error}", self.name));
        Err(error)
    }
}
