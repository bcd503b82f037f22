//! Turns to compute. A plugin computes only while its call is polled, and it gives way at each tick of the
//! clock; so each poll takes a turn, and there are fewer turns than processors: however many plugins compute,
//! the work of the host goes on beside them.
//!
//! What a turn costs where nobody waits: a lock that nobody else wants, twice, and the time, twice; a tenth
//! of a microsecond beside calls that take ten and more.

use super::shares::{Claim, Seat, Shares};
use crate::limits::INSTANCE_SLOTS;
use futures::future::BoxFuture;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How far before the others a tenant begins that has computed less than they have: a few calls for a page,
/// so that a sync beside plugins that compute without end waits for the turn that is under way and no more.
const CREDIT: Duration = Duration::from_millis(20);

/// A call that has computed for so long is a long one; a page of a thousand rows takes some milliseconds.
const LONG: Duration = Duration::from_millis(50);

/// How many times the turns of a call count from then on, and those of one that ended in a crash or at a
/// limit. One tenant whose calls are short and end well gets eight times the turns of each that computes
/// without end or crashes again and again, so beside sixteen of those a third; and each of them still gets
/// its own.
const SURCHARGE: u32 = 8;

/// The turns of this process: one fewer than processors, and at least one.
pub(crate) fn turns() -> &'static Arc<Shares> {
    static TURNS: OnceLock<Arc<Shares>> = OnceLock::new();
    TURNS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Shares::new(processors.saturating_sub(1), CREDIT)
    })
}

/// The places of the pool that plugins run in, which is one for the process.
pub(crate) fn places() -> &'static Arc<Shares> {
    static SHARES: OnceLock<Arc<Shares>> = OnceLock::new();
    SHARES.get_or_init(|| Shares::new(INSTANCE_SLOTS as usize, Duration::ZERO))
}

/// What one look at the clock counts at most: more has passed where the machine was busy with something else.
const MOST: u64 = 40_000_000;

/// Counts how long a plugin computes in one call.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// In nanoseconds, by the end of the last turn.
    used: AtomicU64,
    /// When this turn began; 0 between turns.
    since: AtomicU64,
    /// It gave way, and wants to go on.
    gave_way: AtomicBool,
    failed: AtomicBool,
}

impl Meter {
    /// Nanoseconds since the process began; never 0.
    fn now() -> u64 {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Before each call.
    pub(crate) fn reset(&self) {
        self.used.store(0, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
    }

    /// How long it has computed so far. Called when it gives way.
    pub(crate) fn gives_way(&self) -> Duration {
        self.gave_way.store(true, Ordering::Relaxed);
        Duration::from_nanos(self.used_at(Self::now()))
    }

    fn used_at(&self, now: u64) -> u64 {
        let since = self.since.load(Ordering::Relaxed);
        let turn = if since == 0 { 0 } else { now.saturating_sub(since).min(MOST) };
        self.used.load(Ordering::Relaxed) + turn
    }

    fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// How many times a turn of this call counts now.
    fn rate(&self) -> u32 {
        if self.failed.load(Ordering::Relaxed) || self.used() > LONG { SURCHARGE } else { 1 }
    }

    /// The call ended in a crash or at a limit. What comes after it, as cleaning up, counts as much as it
    /// does.
    pub(crate) fn fail(&self, seat: &Seat) {
        // What counted more as it was long has been counted so.
        let once = self.used().min(LONG);
        self.failed.store(true, Ordering::Relaxed);
        seat.charge(once * (SURCHARGE - 1));
    }

    fn begin(&self, now: u64) {
        self.since.store(now, Ordering::Relaxed);
    }

    /// Whether it gave way.
    fn end(&self, now: u64) -> bool {
        self.used.store(self.used_at(now), Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
        self.gave_way.swap(false, Ordering::Relaxed)
    }
}

/// A call that computes only when it is its tenant's turn.
pub(crate) struct InTurn<'a, T> {
    work: BoxFuture<'a, T>,
    claim: Claim,
    meter: Arc<Meter>,
    waited: Duration,
    waits_since: Option<Instant>,
}

impl<'a, T> InTurn<'a, T> {
    pub(crate) fn new(work: BoxFuture<'a, T>, seat: Arc<Seat>, meter: Arc<Meter>) -> Self {
        Self { work, claim: Claim::new(seat), meter, waited: Duration::ZERO, waits_since: None }
    }

    /// How long it has waited for its turns.
    pub(crate) fn waited(&self) -> Duration {
        self.waited + self.waits_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl<T> Future for InTurn<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if this.claim.poll_take(cx).is_pending() {
            this.waits_since.get_or_insert_with(Instant::now);
            return Poll::Pending;
        }
        if let Some(since) = this.waits_since.take() {
            this.waited += since.elapsed();
        }
        this.meter.begin(Meter::now());
        let polled = this.work.as_mut().poll(cx);
        let gave_way = this.meter.end(Meter::now());
        this.claim.counts(this.meter.rate());
        match polled {
            Poll::Ready(_) => this.claim.end(),
            Poll::Pending if gave_way => this.claim.take_again(cx),
            Poll::Pending => this.claim.rest(),
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn computing_counts_and_waiting_does_not() {
        const MS: u64 = 1_000_000;
        let meter = Meter::default();
        meter.begin(100 * MS);
        assert_eq!(meter.used_at(103 * MS), 3 * MS);
        assert!(!meter.end(105 * MS));
        assert_eq!(meter.used_at(900 * MS), 5 * MS, "it waits");
        meter.begin(1000 * MS);
        meter.end(2000 * MS);
        assert_eq!(meter.used_at(0), 45 * MS, "the machine was busy with something else");
        assert_eq!(meter.rate(), 1);
        meter.begin(3000 * MS);
        meter.end(3006 * MS);
        assert_eq!(meter.rate(), SURCHARGE, "51 ms in this call");
        meter.reset();
        assert_eq!(meter.rate(), 1);
        meter.begin(MS);
        meter.end(21 * MS);
        let shares = Shares::new(1, Duration::ZERO);
        let [failed, other] = [(); 2].map(|()| shares.seat(1));
        meter.fail(&failed);
        assert_eq!(
            [failed.used(), other.used()],
            [20 * MS * u64::from(SURCHARGE - 1), 0],
            "besides what it has used"
        );
        assert_eq!(meter.rate(), SURCHARGE, "what comes after a crash");
        meter.reset();
        assert_eq!(meter.rate(), 1);
        meter.begin(MS);
        assert!(meter.gives_way() >= Duration::ZERO);
        assert!(meter.end(MS));
        assert!(!meter.end(MS), "once");
    }

    /// Computes in so many turns, and notes who did.
    fn computes(
        name: char,
        turns: usize,
        shares: &Shares,
        meter: &Arc<Meter>,
        order: &Arc<std::sync::Mutex<String>>,
    ) -> BoxFuture<'static, ()> {
        assert!(shares.held() <= 1);
        let (meter, order, mut left) = (Arc::clone(meter), Arc::clone(order), turns);
        Box::pin(poll_fn(move |cx| {
            order.lock().unwrap().push(name);
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            meter.gives_way();
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    #[tokio::test]
    async fn calls_take_turns_and_leave_nothing_behind() {
        let shares = Shares::new(1, Duration::ZERO);
        let order = Arc::default();
        let call = |name, seat: &Arc<Seat>| {
            let meter = Arc::default();
            InTurn::new(computes(name, 3, &shares, &meter, &order), Arc::clone(seat), meter)
        };
        let (a, b) = (shares.seat(1), shares.seat(1));
        let (one, two) = tokio::join!(tokio::spawn(call('a', &a)), tokio::spawn(call('b', &b)));
        one.unwrap();
        two.unwrap();
        let order = order.lock().unwrap().clone();
        assert!(order.starts_with("aab"), "the other one goes first as soon as it is there: {order}");
        assert_eq!((order.matches('a').count(), order.matches('b').count(), shares.held()), (3, 3, 0));
    }

    #[tokio::test]
    async fn the_turns_of_a_long_call_count_more() {
        let shares = Shares::new(1, Duration::ZERO);
        for (used, rate) in [(Duration::ZERO, 1), (LONG * 2, SURCHARGE)] {
            let meter: Arc<Meter> = Arc::default();
            meter.used.store(u64::try_from(used.as_nanos()).unwrap(), Ordering::Relaxed);
            let work = computes('a', 2, &shares, &meter, &Arc::default());
            let mut call = InTurn::new(work, shares.seat(1), meter);
            let mut context = Context::from_waker(futures::task::noop_waker_ref());
            assert!(Pin::new(&mut call).poll(&mut context).is_pending());
            assert_eq!(call.claim.rate(), rate);
        }
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_gives_its_turn_back() {
        let shares = Shares::new(1, Duration::ZERO);
        let (a, b) = (shares.seat(1), shares.seat(1));
        let endless = |seat: &Arc<Seat>| {
            let meter: Arc<Meter> = Arc::default();
            let gives_way = Arc::clone(&meter);
            let work = poll_fn(move |cx| {
                gives_way.gives_way();
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            InTurn::new(Box::pin(work), Arc::clone(seat), meter)
        };
        for _ in 0..100 {
            let both = async { tokio::join!(endless(&a), endless(&b)) };
            assert!(tokio::time::timeout(Duration::from_micros(200), both).await.is_err());
            assert_eq!(shares.held(), 0);
        }
    }
}
