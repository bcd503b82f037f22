//! Waits of a run: they end with the run's time, and when the operator stops it.

use super::engine::Engine;
use super::error::{Awaited, SyncError};
use super::limits;
use super::session::Session;
use entente_core::Side;
use std::time::Duration;

impl Session<'_> {
    /// Safe point: an error where the operator has stopped the run or its time limit is reached.
    pub(super) fn check_stop(&self) -> Result<(), SyncError> {
        if self.engine.stop.is_cancelled() {
            return Err(SyncError::Stopped);
        }
        match self.time_left() {
            Some(None) => Err(self.time_up(None)),
            _ => Ok(()),
        }
    }

    /// The time that the run has left, where it has a limit, its own or that of its budget; `Some(None)`: it has reached
    /// it.
    fn time_left(&self) -> Option<Option<Duration>> {
        let of_budget = self.engine.budget.time.as_ref().map(|time| time.most);
        let most = self.run.options.max_time.into_iter().chain(of_budget).min()?;
        let most = i64::try_from(most.as_micros()).unwrap_or(i64::MAX);
        let spent = self.now().micros().saturating_sub(self.run.started.micros());
        Some(u64::try_from(most.saturating_sub(spent)).ok().map(Duration::from_micros))
    }

    /// Waits for a side, as a whole or not at all: where the time of the run ends before the wait does, the run ends at
    /// once, since it could do nothing after it. What was committed stays, so that the next run goes on there.
    ///
    /// # Errors
    /// [`SyncError::TimeUp`] with what it would have waited for, [`SyncError::Spent`], and [`SyncError::Stopped`].
    pub(super) async fn wait(&self, side: Side, pause: Duration, reason: &str) -> Result<(), SyncError> {
        self.engine.observer.waiting(self.exchange(side).name(), pause, reason);
        self.check_stop()?;
        if self.time_left().is_some_and(|left| left.is_none_or(|left| left < pause)) {
            return Err(self.time_up(Some((side, reason))));
        }
        self.engine.pause(pause).await
    }

    /// Waits for a side that is asked again afterwards in any case: no longer than the time of the run lasts.
    ///
    /// # Errors
    /// As [`Session::wait`], where no time is left.
    pub(super) async fn wait_at_most(
        &self,
        side: Side,
        pause: Duration,
        reason: &str,
    ) -> Result<(), SyncError> {
        let pause = match self.time_left() {
            Some(None | Some(Duration::ZERO)) => return Err(self.time_up(Some((side, reason)))),
            Some(Some(left)) => pause.min(left),
            None => pause,
        };
        self.engine.observer.waiting(self.exchange(side).name(), pause, reason);
        self.engine.pause(pause).await
    }

    /// The error of the limit that comes first: the run's own, or that of its budget.
    fn time_up(&self, waiting: Option<(Side, &str)>) -> SyncError {
        let own = self.run.options.max_time;
        match &self.engine.budget.time {
            Some(time) if own.is_none_or(|own| time.most < own) => SyncError::Spent(time.spent.clone()),
            _ => SyncError::TimeUp {
                waiting: waiting.map(|(side, reason)| {
                    let exchange = self.exchange(side).name().to_owned();
                    Box::new(Awaited { exchange, reason: reason.to_owned() })
                }),
            },
        }
    }
}

impl Engine<'_> {
    /// Sleeps; a stop ends it at once.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), SyncError> {
        let slept = self.stop.run_until_cancelled(self.clock.sleep(pause)).await;
        slept.ok_or(SyncError::Stopped)
    }

    /// The work of a run, which is given up where it goes on for longer than the grace period after a stop: a side takes
    /// that long to answer. It then ends as if the process had been killed there, which loses nothing.
    pub(super) async fn within_grace(
        &self,
        work: impl Future<Output = Result<(), SyncError>>,
    ) -> Result<(), SyncError> {
        let over = async {
            self.stop.cancelled().await;
            self.clock.sleep(limits::STOP_GRACE).await;
        };
        tokio::select! {
            biased;
            done = work => done,
            () = over => Err(SyncError::Stopped),
        }
    }
}
