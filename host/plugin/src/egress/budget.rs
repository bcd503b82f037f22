//! Rate limit: a token bucket per integration for its HTTP calls, since a remote system counts by credential.
//! All syncs and processes that use the integration share the bucket, and draw a few tokens at a time. Where the
//! remote system has asked not to be called for a time (`Retry-After`), there are none until then.

use crate::limits::Limits;
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sync::{Clock as _, SystemClock};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex as AsyncMutex;

const MINUTE: i64 = 60_000_000;

/// Parameters of a token bucket. Tokens return at a steady rate; the burst is a tenth of a minute's calls and
/// is subtracted from that rate, so that no minute exceeds its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRate {
    per_minute: u64,
}

/// The result of a draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drawn {
    /// This many tokens.
    Calls(u64),
    /// None; the next token returns after this time.
    After(Duration),
    /// None: the remote system takes no calls.
    Held(Held),
}

/// A remote system takes no calls of an integration until a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Until when.
    pub until: Timestamp,
    /// How long that is from now.
    pub after: Duration,
    /// What the plugin said of it.
    pub why: String,
}

impl Held {
    /// The longest time that a remote system is not called for: a longer one would be a mistake.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

    /// For this long from now; `None` where that is over, or where the clock was ahead when it was noted.
    pub fn new(until: Timestamp, now: Timestamp, why: &str) -> Option<Self> {
        let after =
            u64::try_from(until.micros().saturating_sub(now.micros())).ok().filter(|left| *left > 0)?;
        let after = Duration::from_micros(after);
        (after <= Self::LONGEST).then(|| Self { until, after, why: why.to_owned() })
    }
}

impl CallRate {
    /// Parameters for this many calls a minute.
    pub fn new(per_minute: u64) -> Self {
        Self { per_minute }
    }

    fn burst(self) -> i64 {
        i64::try_from(self.per_minute / 10).unwrap_or(i64::MAX / MINUTE).clamp(1, i64::MAX / MINUTE)
    }

    /// Microseconds per token.
    fn pace(self) -> i64 {
        let steady = i64::try_from(self.per_minute).unwrap_or(i64::MAX).saturating_sub(self.burst()).max(1);
        (MINUTE + steady - 1) / steady
    }

    /// Draws tokens by the generic cell rate algorithm. The bucket's state is one moment, in microseconds:
    /// the theoretical arrival time, until which all drawn tokens are spent; any past moment is a full
    /// bucket. Returns the new state and at most `wanted` tokens.
    pub fn draw(self, spent_until: i64, now: i64, wanted: u64) -> (i64, Drawn) {
        if self.per_minute == 0 {
            return (spent_until, Drawn::After(Duration::from_secs(60)));
        }
        let (pace, burst) = (self.pace(), self.burst());
        let ahead = pace.saturating_mul(burst);
        // If the clock was set back, nobody waits longer than for one whole budget.
        let spent = spent_until.clamp(now, now.saturating_add(ahead));
        let calls = (now.saturating_add(ahead) - spent) / pace;
        let calls = calls.min(i64::try_from(wanted.max(1)).unwrap_or(i64::MAX));
        if calls > 0 {
            return (spent.saturating_add(calls * pace), Drawn::Calls(calls.unsigned_abs()));
        }
        let wait = spent - (now.saturating_add(ahead) - pace);
        // The clamped moment is kept: with the old one, a clock that was set back would be waited for again after
        // each pause, until it has caught up.
        (spent, Drawn::After(Duration::from_micros(wait.unsigned_abs())))
    }

    /// Tokens drawn at a time: as many as return within a second, so that the shared store is not asked for
    /// each call, and few tokens expire unused.
    fn batch(self) -> u64 {
        (self.per_minute / 60).clamp(1, 16)
    }
}

/// A budget cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the calls a minute of the integration '{integration}' cannot be counted: {why}")]
pub struct BudgetError {
    /// The integration.
    pub integration: String,
    /// The reason.
    pub why: String,
}

/// The store of call budgets, shared by all processes that use the integrations.
#[async_trait]
pub trait CallBudget: Send + Sync + fmt::Debug {
    /// Draws at most `wanted` tokens; see [`CallRate::draw`].
    ///
    /// # Errors
    /// Where the budget cannot be read or written.
    async fn draw(&self, integration: &str, rate: CallRate, wanted: u64) -> Result<Drawn, BudgetError>;

    /// Gives no tokens for this long, since the remote system takes no calls, and why.
    ///
    /// # Errors
    /// Where the budget cannot be read or written.
    async fn hold(&self, integration: &str, after: Duration, why: &str) -> Result<Held, BudgetError>;

    /// Waits. Returns whether it has: the run may be stopped meanwhile.
    async fn pause(&self, pause: Duration) -> bool {
        tokio::time::sleep(pause).await;
        true
    }
}

/// Call budgets of this process only.
#[derive(Debug)]
pub struct BudgetInMemory {
    began: Instant,
    spent: Mutex<HashMap<String, i64>>,
    held: Mutex<HashMap<String, Held>>,
}

impl Default for BudgetInMemory {
    fn default() -> Self {
        Self { began: Instant::now(), spent: Mutex::default(), held: Mutex::default() }
    }
}

#[async_trait]
impl CallBudget for BudgetInMemory {
    async fn draw(&self, integration: &str, rate: CallRate, wanted: u64) -> Result<Drawn, BudgetError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(integration).cloned();
        if let Some(held) = held.and_then(|held| Held::new(held.until, SystemClock.now(), &held.why)) {
            return Ok(Drawn::Held(held));
        }
        let now = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = spent.entry(integration.to_owned()).or_insert(i64::MIN);
        let (until, given) = rate.draw(*spent, now, wanted);
        *spent = until;
        Ok(given)
    }

    async fn hold(&self, integration: &str, after: Duration, why: &str) -> Result<Held, BudgetError> {
        let held = held_from(SystemClock.now(), after, why);
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(integration.to_owned(), held.clone());
        Ok(held)
    }
}

/// What is noted where a remote system takes no calls for this long.
pub fn held_from(now: Timestamp, after: Duration, why: &str) -> Held {
    let after = after.min(Held::LONGEST);
    let micros = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
    Held { until: Timestamp::from_micros(now.micros().saturating_add(micros)), after, why: why.to_owned() }
}

/// The tokens of one exchange, which draws a few at a time and keeps those not yet used.
#[derive(Debug)]
pub(crate) struct Calls {
    integration: String,
    rate: CallRate,
    budget: Arc<dyn CallBudget>,
    prefetched: AsyncMutex<Prefetched>,
}

#[derive(Debug, Default)]
struct Prefetched {
    left: u64,
    at: Option<Instant>,
}

/// Why there is no token.
#[derive(Debug)]
pub(crate) enum NoToken {
    /// The next token returns after this time, which is too late.
    After(Duration),
    /// The remote system takes no calls.
    Held(Held),
    /// The budget cannot be read or written.
    Failed(BudgetError),
}

impl Calls {
    /// How long prefetched tokens are valid; after that they would count towards a minute that is over.
    const KEPT: Duration = Duration::from_secs(10);

    /// How long a call waits by itself for a remote system that takes no calls.
    const MOMENT: Duration = Duration::from_secs(1);

    pub(crate) fn new(integration: &str, limits: &Limits, budget: Arc<dyn CallBudget>) -> Self {
        let rate = CallRate::new(limits.http_per_minute);
        Self { integration: integration.to_owned(), rate, budget, prefetched: AsyncMutex::default() }
    }

    /// Takes a token for one call, waiting at most `patience`.
    pub(crate) async fn take(&self, patience: Duration) -> Result<(), NoToken> {
        // The mutex is fair: waiters are served in order of arrival.
        let mut prefetched = self.prefetched.lock().await;
        if prefetched.at.is_none_or(|at| at.elapsed() > Self::KEPT) {
            prefetched.left = 0;
        }
        let mut waited = Duration::ZERO;
        while prefetched.left == 0 {
            match self
                .budget
                .draw(&self.integration, self.rate, self.rate.batch())
                .await
                .map_err(NoToken::Failed)?
            {
                Drawn::Calls(calls) => *prefetched = Prefetched { left: calls, at: Some(Instant::now()) },
                Drawn::After(pause) if waited + pause > patience => return Err(NoToken::After(pause)),
                // A longer one is waited for by the run, which says so.
                Drawn::Held(held) if held.after > Self::MOMENT || waited + held.after > patience => {
                    return Err(NoToken::Held(held));
                }
                Drawn::Held(held) if !self.budget.pause(held.after).await => return Err(NoToken::Held(held)),
                Drawn::Held(held) => waited += held.after,
                Drawn::After(pause) if !self.budget.pause(pause).await => return Err(NoToken::After(pause)),
                Drawn::After(pause) => waited += pause,
            }
        }
        prefetched.left -= 1;
        Ok(())
    }

    /// Makes no calls for this long, in any process: the remote system takes none.
    pub(crate) async fn hold(&self, after: Duration, why: &str) -> Result<Held, BudgetError> {
        self.prefetched.lock().await.left = 0;
        self.budget.hold(&self.integration, after, why).await
    }

    /// The time until one more token returns.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_micros(self.rate.pace().unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn a_tenth_at_once_and_then_one_by_one() {
        let rate = CallRate::new(60);
        let (spent, given) = rate.draw(i64::MIN, 0, 100);
        assert_eq!(given, Drawn::Calls(6));
        let (spent, given) = rate.draw(spent, 0, 1);
        assert_eq!(given, Drawn::After(Duration::from_micros(1_111_112)));
        let (spent, given) = rate.draw(spent, 1_111_112, 100);
        assert_eq!(given, Drawn::Calls(1));
        assert!(matches!(rate.draw(spent, 1_111_113, 1).1, Drawn::After(_)));
        assert_eq!(
            rate.draw(spent, 600_000_000, 100).1,
            Drawn::Calls(6),
            "what was not used does not add up"
        );
        assert_eq!(
            rate.draw(i64::MAX, 5, 1).1,
            Drawn::After(Duration::from_micros(1_111_112)),
            "a clock that was set back"
        );
        assert!(matches!(CallRate::new(0).draw(0, 0, 1).1, Drawn::After(_)));
    }

    proptest! {
        #[test]
        fn no_minute_has_more_calls_than_it_may_have(
            per_minute in 2..3000u64,
            asks in proptest::collection::vec((0..4_000_000i64, 1..40u64), 1..200),
        ) {
            let rate = CallRate::new(per_minute);
            let (mut now, mut spent, mut made) = (0, i64::MIN, Vec::<(i64, u64)>::new());
            for (pause, wanted) in asks {
                now += pause;
                let (until, given) = rate.draw(spent, now, wanted);
                spent = until;
                match given {
                    Drawn::Calls(calls) => {
                        prop_assert!(calls > 0 && calls <= wanted);
                        made.push((now, calls));
                    }
                    Drawn::Held(held) => prop_assert!(false, "{held:?}"),
                    Drawn::After(pause) => {
                        prop_assert!(pause > Duration::ZERO);
                        let then = now + i64::try_from(pause.as_micros()).unwrap();
                        prop_assert!(matches!(rate.draw(spent, then, 1).1, Drawn::Calls(1)), "after the pause there is one");
                    }
                }
            }
            for (at, _) in &made {
                let within: u64 = made.iter().filter(|(then, _)| then >= at && *then < at + MINUTE).map(|(_, calls)| calls).sum();
                prop_assert!(within <= per_minute, "{within} of {per_minute}");
            }
        }
    }

    #[tokio::test]
    async fn k1_o13_a_clock_that_was_ahead_once_is_waited_for_a_pace_and_no_more() {
        let budget = Arc::new(Faked::default());
        // The sync before ran with a clock that was a year ahead.
        budget.spent.store(365 * 24 * 60 * MINUTE, Ordering::Relaxed);
        let calls = Calls::new("shop", &Limits { http_per_minute: 60, ..Limits::default() }, budget.clone());
        for _ in 0..10 {
            calls.take(Duration::from_secs(2)).await.unwrap();
        }
        let now = budget.now.load(Ordering::Relaxed);
        assert!(now < 12_000_000, "ten calls at one a second, here {now}");
    }

    /// A budget with virtual time, which passes only by waiting.
    #[derive(Debug, Default)]
    struct Faked {
        now: AtomicI64,
        spent: AtomicI64,
        asked: AtomicI64,
    }

    #[async_trait]
    impl CallBudget for Faked {
        async fn draw(&self, _: &str, rate: CallRate, wanted: u64) -> Result<Drawn, BudgetError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let (until, given) =
                rate.draw(self.spent.load(Ordering::Relaxed), self.now.load(Ordering::Relaxed), wanted);
            self.spent.store(until, Ordering::Relaxed);
            Ok(given)
        }

        async fn hold(&self, _: &str, after: Duration, why: &str) -> Result<Held, BudgetError> {
            Ok(held_from(Timestamp::from_micros(self.now.load(Ordering::Relaxed)), after, why))
        }

        async fn pause(&self, pause: Duration) -> bool {
            self.now.fetch_add(i64::try_from(pause.as_micros()).unwrap(), Ordering::Relaxed);
            true
        }
    }

    #[tokio::test]
    async fn calls_wait_while_there_is_time_and_draw_together() {
        let budget = Arc::new(Faked::default());
        let limits = Limits { http_per_minute: 600, ..Limits::default() };
        let calls = Calls::new("shop", &limits, budget.clone());
        for _ in 0..60 {
            calls.take(Duration::ZERO).await.unwrap();
        }
        assert_eq!(budget.asked.load(Ordering::Relaxed), 6, "ten at a time");
        let error = calls.take(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, NoToken::After(pause) if pause == calls.pace()), "{error:?}");
        // Another exchange of the same integration shares the empty bucket.
        assert!(Calls::new("shop", &limits, budget.clone()).take(Duration::ZERO).await.is_err());
        for _ in 0..540 {
            calls.take(Duration::from_secs(1)).await.unwrap();
        }
        let now = budget.now.load(Ordering::Relaxed);
        assert!((59_000_000..61_000_000).contains(&now), "600 calls take a minute, here {now}");
    }

    #[tokio::test]
    async fn budgets_in_memory_are_kept_by_integration() {
        let (budget, rate) = (BudgetInMemory::default(), CallRate::new(10));
        assert_eq!(budget.draw("a", rate, 5).await.unwrap(), Drawn::Calls(1));
        assert!(matches!(budget.draw("a", rate, 5).await.unwrap(), Drawn::After(_)));
        assert_eq!(budget.draw("b", rate, 5).await.unwrap(), Drawn::Calls(1));
    }

    #[tokio::test]
    async fn k4_a_remote_system_that_takes_no_calls_is_not_called_by_anybody() {
        let budget = Arc::new(BudgetInMemory::default());
        let calls = |name| Calls::new(name, &Limits::default(), budget.clone());
        let (one, other) = (calls("shop"), calls("shop"));
        one.take(Duration::ZERO).await.unwrap();
        let held = one.hold(Duration::from_secs(3600), "429").await.unwrap();
        for calls in [&one, &other] {
            let error = calls.take(Duration::from_secs(60)).await.unwrap_err();
            assert!(
                matches!(&error, NoToken::Held(now) if now.until == held.until && now.why == "429"),
                "{error:?}"
            );
        }
        calls("another").take(Duration::ZERO).await.unwrap();
        // A moment is waited for.
        one.hold(Duration::from_millis(20), "429").await.unwrap();
        one.take(Duration::from_secs(2)).await.unwrap();
        // A mistake is not believed, nor a moment that was noted by a clock that was ahead.
        assert_eq!(one.hold(Duration::MAX, "429").await.unwrap().after, Held::LONGEST);
        let (now, year) = (Timestamp::from_micros(0), Timestamp::from_micros(365 * 24 * 60 * MINUTE));
        assert_eq!(Held::new(year, now, ""), None);
        assert_eq!(Held::new(now, year, ""), None);
    }
}
