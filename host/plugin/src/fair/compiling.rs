//! Turns of the compiler, over all tenants. One plugin of a tenant is compiled at a time, and two of all
//! tenants: one in the long lane, for as long as its limits allow, and one in the short lane, for as long as
//! nobody else waits. Plugins that are made to be hard to compile thus hold up each other, and others for no
//! longer than a time slice.

use super::semaphore::{FairSemaphore, Flow, Permit};
use crate::limits::{LimitReached, Limits};
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a compilation has the short lane where others wait for it: twice what a plugin in Rust takes on a
/// busy machine.
const SLICE: Duration = Duration::from_secs(4);
/// How often it is looked at whether others wait.
const LOOK: Duration = Duration::from_millis(100);

/// The lanes, long and short.
struct Lanes([Arc<FairSemaphore>; 2]);

impl Lanes {
    fn new() -> Self {
        Self([(); 2].map(|()| FairSemaphore::new(1, Duration::ZERO)))
    }
}

/// Those of this process.
static LANES: LazyLock<Lanes> = LazyLock::new(Lanes::new);

/// The lanes of this process, for the clock thread.
pub(crate) fn compiler_lanes() -> &'static [Arc<FairSemaphore>; 2] {
    &LANES.0
}

/// What a tenant has compiled, and waits for.
#[derive(Debug)]
pub(crate) struct Compiling {
    long: Arc<Flow>,
    short: Arc<Flow>,
    /// One at a time, in order of arrival.
    own: Semaphore,
    there: AtomicU64,
}

/// The place of a plugin among those of its tenant that are compiled or wait for it.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Compiling);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.there.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Compiling {
    pub(crate) fn new() -> Self {
        Self::in_turns(&LANES)
    }

    fn in_turns(Lanes([long, short]): &Lanes) -> Self {
        let own = Semaphore::const_new(1);
        Self { long: long.flow(1), short: short.flow(1), own, there: AtomicU64::new(0) }
    }

    /// Takes a place for a plugin.
    ///
    /// # Errors
    /// The limit `tenant-compiles`.
    pub(crate) fn enter(&self, limits: &Limits) -> Result<Place<'_>, LimitReached> {
        let place = Place(self);
        let there = self.there.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if there > limits.tenant_compiles {
            return Err(limits.tenant_compiles(Some(there)));
        }
        Ok(place)
    }

    /// Waits for the turn of a plugin: after those of the same tenant that came before, and as soon as a lane is
    /// free that no other tenant has used less.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        // The semaphore is never closed.
        let own = self.own.acquire().await.ok();
        let mut long = Permit::new(Arc::clone(&self.long));
        let mut short = Permit::new(Arc::clone(&self.short));
        poll_fn(|cx| {
            if long.poll_acquire(cx).is_ready() {
                short.release_and_run();
                return Poll::Ready(());
            }
            short.poll_acquire(cx)
        })
        .await;
        Turn { long, short, since: Instant::now(), _own: own }
    }
}

/// A turn of the compiler; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    long: Permit,
    short: Permit,
    since: Instant,
    _own: Option<SemaphorePermit<'a>>,
}

impl Turn<'_> {
    /// Moves to the long lane as soon as that is free. Ready when it is not, the time slice is over, and another
    /// tenant waits: what is compiled has to be given up for now.
    pub(crate) async fn is_over(&mut self) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.long.poll_acquire(cx)) => {
                    self.short.release_and_run();
                    pending::<()>().await;
                }
                _ = look.tick() => {
                    if self.since.elapsed() >= SLICE && self.short.should_release() {
                        return;
                    }
                }
            }
        }
    }

    /// Gives the short lane back, and waits for the long one.
    pub(crate) async fn wait_for_long(&mut self) {
        self.short.release_and_run();
        poll_fn(|cx| self.long.poll_acquire(cx)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn x3_what_waits_for_the_compiler_has_an_end() {
        let (compiling, limits) = (Compiling::new(), Limits { tenant_compiles: 2, ..Limits::default() });
        let places = [(); 2].map(|()| compiling.enter(&limits).unwrap());
        insta::assert_snapshot!(compiling.enter(&limits).unwrap_err(), @"limit tenant-compiles of 2 reached (asked for: 3); it is shared by everything that the tenant runs at the same time");
        assert!(compiling.enter(&limits).is_err(), "what is refused takes no place");
        drop(places);
        assert!(compiling.enter(&limits).is_ok());
    }

    #[tokio::test]
    async fn x3_one_of_a_tenant_is_compiled_at_a_time_and_another_tenant_does_not_wait() {
        let lanes = Lanes::new();
        let [bombs, healthy, third] = [(); 3].map(|()| Compiling::in_turns(&lanes));
        let mut first = bombs.turn().await;
        assert!(bombs.turn().now_or_never().is_none(), "its own wait");
        assert!(first.is_over().now_or_never().is_none(), "nobody else wants it");
        let mut second = healthy.turn().now_or_never().expect("another tenant has a lane");
        let mut waits = Box::pin(third.turn());
        assert!(futures::poll!(&mut waits).is_pending(), "there are two");
        assert!(second.is_over().now_or_never().is_none(), "its time slice is not over");
        second.since -= SLICE;
        second.is_over().await;
        let mut goes_on = Box::pin(second.wait_for_long());
        assert!(futures::poll!(&mut goes_on).is_pending());
        let third = waits.await;
        drop(first);
        goes_on.await;
        drop(third);
        drop(second);
        assert_eq!(lanes.0.each_ref().map(|lane| lane.held()), [0, 0]);
    }
}
