//! Rate limit: a token bucket of requests per second.

use crate::clock::Stamp;

/// The bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Stamp,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, now: Stamp) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, tokens: per_second, filled: now }
    }

    /// Takes a token, or says after how many seconds there will be one.
    pub(crate) fn take(&mut self, now: Stamp) -> Result<(), u64> {
        let gained = now.since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.per_second);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        // At least one token a second comes in, so a second is always long enough.
        Err(1)
    }
}
