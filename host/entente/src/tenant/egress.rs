//! A tenant's stored call budgets.

use async_trait::async_trait;
use entente_core::Timestamp;
use entente_plugin::{BudgetError, CallBudget, CallRate, Drawn, Held, held_from};
use entente_sqlite::Store;
use entente_sync::{CancellationToken, Clock};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Call budgets, in the tenant's database.
pub(super) struct StoredBudget {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    /// Ends the waits of a run that is stopped.
    pub(super) stop: CancellationToken,
}

impl fmt::Debug for StoredBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredBudget").finish_non_exhaustive()
    }
}

#[async_trait]
impl CallBudget for StoredBudget {
    async fn draw(&self, integration: &str, rate: CallRate, wanted: u64) -> Result<Drawn, BudgetError> {
        let now = self.clock.now().micros();
        let drawn = self
            .store
            .draw_calls(integration, |spent_until, held| {
                let held = held.and_then(|(until, why)| {
                    Held::new(Timestamp::from_micros(until), Timestamp::from_micros(now), why)
                });
                match held {
                    Some(held) => (spent_until, Drawn::Held(held)),
                    None => rate.draw(spent_until, now, wanted),
                }
            })
            .await;
        drawn.map_err(|error| BudgetError { integration: integration.to_owned(), why: error.to_string() })
    }

    async fn hold(&self, integration: &str, after: Duration, why: &str) -> Result<Held, BudgetError> {
        let held = held_from(self.clock.now(), after, why);
        let noted = self.store.hold_calls(integration, held.until.micros(), why).await;
        noted.map_err(|error| BudgetError { integration: integration.to_owned(), why: error.to_string() })?;
        Ok(held)
    }

    async fn pause(&self, pause: Duration) -> bool {
        self.stop.run_until_cancelled(self.clock.sleep(pause)).await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_sqlite::Store;

    struct At(i64);

    #[async_trait]
    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0)
        }

        async fn sleep(&self, _: Duration) {}
    }

    #[tokio::test]
    async fn calls_are_counted_over_processes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entente.db");
        let process = || StoredBudget {
            store: Store::open(&path).unwrap(),
            clock: Arc::new(At(1_700_000_000_000_000)),
            stop: CancellationToken::new(),
        };
        let (one, other, rate) = (process(), process(), CallRate::new(60));
        assert_eq!(one.draw("shop", rate, 4).await.unwrap(), Drawn::Calls(4));
        assert_eq!(other.draw("shop", rate, 4).await.unwrap(), Drawn::Calls(2));
        assert!(matches!(one.draw("shop", rate, 1).await.unwrap(), Drawn::After(_)));
        assert_eq!(one.draw("other", rate, 1).await.unwrap(), Drawn::Calls(1));
    }

    #[tokio::test]
    async fn k4_what_takes_no_calls_is_known_to_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entente.db");
        let process = |seconds: i64| StoredBudget {
            store: Store::open(&path).unwrap(),
            clock: Arc::new(At((1_700_000_000 + seconds) * 1_000_000)),
            stop: CancellationToken::new(),
        };
        let rate = CallRate::new(60);
        let held = process(0).hold("shop", Duration::from_secs(3600), "too many").await.unwrap();
        let later = process(60).draw("shop", rate, 1).await.unwrap();
        let after = Duration::from_secs(3540);
        assert_eq!(later, Drawn::Held(Held { until: held.until, after, why: "too many".to_owned() }));
        assert_eq!(process(60).draw("other", rate, 1).await.unwrap(), Drawn::Calls(1));
        assert_eq!(process(3600).draw("shop", rate, 1).await.unwrap(), Drawn::Calls(1));
    }
}
