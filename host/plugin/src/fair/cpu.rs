//! Permits to compute. A plugin computes only while its call is polled, and epoch interruption makes it yield
//! at each tick. Each poll takes a permit, and there are fewer permits than processors, so that the host's
//! own work continues whatever the number of plugins that compute.
//!
//! Without contention a poll costs two uncontended locks and two clock readings: a tenth of a microsecond,
//! beside calls of ten microseconds and more.

use super::semaphore::{FairSemaphore, Flow, Permit};
use futures::future::BoxFuture;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The credit of a flow that returns from idle: a few calls for a page. A sync beside plugins that compute
/// without end then waits only for the permit in use.
const CREDIT: Duration = Duration::from_millis(20);

/// CPU time after which a call pays the surcharge; a page of a thousand rows takes some milliseconds.
const LONG: Duration = Duration::from_millis(50);

/// The factor by which CPU time counts beyond `LONG`, and in calls that ended in a crash or at a limit. A
/// tenant with short, successful calls gets eight times as much as each one that computes without end or
/// crashes repeatedly, so a third beside sixteen of those; and none of them starves.
const SURCHARGE: u32 = 8;

/// The permits of this process: the number of processors less one, and at least one.
pub(crate) fn cpu_permits() -> &'static Arc<FairSemaphore> {
    static PERMITS: OnceLock<Arc<FairSemaphore>> = OnceLock::new();
    PERMITS.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        FairSemaphore::new(processors.saturating_sub(1), CREDIT)
    })
}

/// The most nanoseconds counted between two clock readings: a longer gap means that the machine was busy with
/// something else.
const LONGEST_STEP: u64 = 40_000_000;

/// The CPU time of a plugin in one call: wall time while its call is polled.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    /// Nanoseconds up to the end of the last poll.
    used: AtomicU64,
    /// The start of the current poll; 0 between polls.
    since: AtomicU64,
    /// Nanoseconds for which it has waited in the host, for an answer or a clock, and the start of the current
    /// wait; 0 while it computes or waits for a permit.
    blocked: AtomicU64,
    blocked_since: AtomicU64,
    /// Whether it yielded at a tick, and is ready to continue.
    yielded: AtomicBool,
    failed: AtomicBool,
}

impl CpuMeter {
    /// Nanoseconds since the process began; never 0.
    fn now() -> u64 {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Resets for the next call.
    pub(crate) fn reset(&self) {
        self.used.store(0, Ordering::Relaxed);
        self.blocked.store(0, Ordering::Relaxed);
        self.blocked_since.store(0, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
    }

    /// The CPU time so far. Called when the plugin yields at a tick.
    pub(crate) fn yields(&self) -> Duration {
        self.yielded.store(true, Ordering::Relaxed);
        Duration::from_nanos(self.used_at(Self::now()))
    }

    fn used_at(&self, now: u64) -> u64 {
        let since = self.since.load(Ordering::Relaxed);
        let poll = if since == 0 { 0 } else { now.saturating_sub(since).min(LONGEST_STEP) };
        self.used.load(Ordering::Relaxed) + poll
    }

    fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// How long the call has waited in the host, all its waits together, if it does so now.
    pub(crate) fn blocked(&self) -> Option<Duration> {
        self.blocked_at(Self::now())
    }

    fn blocked_at(&self, now: u64) -> Option<Duration> {
        let since = self.blocked_since.load(Ordering::Relaxed);
        let before = self.blocked.load(Ordering::Relaxed);
        (since != 0).then(|| Duration::from_nanos(before.saturating_add(now.saturating_sub(since))))
    }

    /// The plugin has what it waited for.
    fn unblock(&self, now: u64) {
        let since = self.blocked_since.swap(0, Ordering::Relaxed);
        if since != 0 {
            self.blocked.fetch_add(now.saturating_sub(since), Ordering::Relaxed);
        }
    }

    /// The surcharge factor that applies now.
    fn surcharge(&self) -> u32 {
        if self.failed.load(Ordering::Relaxed) || self.used() > LONG { SURCHARGE } else { 1 }
    }

    /// The call ended in a crash or at a limit: the surcharge applies to all its CPU time, and to cleaning up
    /// after it.
    pub(crate) fn fail(&self, flow: &Flow) {
        // Beyond `LONG` the surcharge was charged already.
        let once = self.used().min(LONG);
        self.failed.store(true, Ordering::Relaxed);
        flow.charge(once * (SURCHARGE - 1));
    }

    fn begin(&self, now: u64) {
        self.unblock(now);
        self.since.store(now, Ordering::Relaxed);
    }

    /// Ends the poll; returns whether the plugin yielded. One that did not, waits in the host, or is done.
    fn end(&self, now: u64) -> bool {
        self.used.store(self.used_at(now), Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
        let yielded = self.yielded.swap(false, Ordering::Relaxed);
        if !yielded {
            self.blocked_since.store(now, Ordering::Relaxed);
        }
        yielded
    }
}

/// A future that is polled only while it holds a permit to compute.
pub(crate) struct OnCpu<'a, T> {
    work: BoxFuture<'a, T>,
    permit: Permit,
    meter: Arc<CpuMeter>,
    waited: Duration,
    waits_since: Option<Instant>,
}

impl<'a, T> OnCpu<'a, T> {
    pub(crate) fn new(work: BoxFuture<'a, T>, flow: Arc<Flow>, meter: Arc<CpuMeter>) -> Self {
        Self { work, permit: Permit::new(flow), meter, waited: Duration::ZERO, waits_since: None }
    }

    /// The time spent waiting for permits.
    pub(crate) fn waited(&self) -> Duration {
        self.waited + self.waits_since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl<T> Future for OnCpu<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if this.permit.poll_acquire(cx).is_pending() {
            if this.waits_since.is_none() {
                this.waits_since = Some(Instant::now());
                this.meter.unblock(CpuMeter::now());
            }
            return Poll::Pending;
        }
        if let Some(since) = this.waits_since.take() {
            this.waited += since.elapsed();
        }
        this.meter.begin(CpuMeter::now());
        let polled = this.work.as_mut().poll(cx);
        let yielded = this.meter.end(CpuMeter::now());
        this.permit.set_surcharge(this.meter.surcharge());
        match polled {
            Poll::Ready(_) => this.permit.release_and_run(),
            Poll::Pending if yielded => this.permit.reacquire(cx),
            Poll::Pending => this.permit.release_and_wait(),
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn cpu_time_counts_and_waiting_does_not() {
        const MS: u64 = 1_000_000;
        let meter = CpuMeter::default();
        meter.begin(100 * MS);
        assert_eq!(meter.used_at(103 * MS), 3 * MS);
        assert!(!meter.end(105 * MS));
        assert_eq!(meter.used_at(900 * MS), 5 * MS, "it waits");
        meter.begin(1000 * MS);
        meter.end(2000 * MS);
        assert_eq!(meter.used_at(0), 45 * MS, "the machine was busy with something else");
        assert_eq!(meter.surcharge(), 1);
        meter.begin(3000 * MS);
        meter.end(3006 * MS);
        assert_eq!(meter.surcharge(), SURCHARGE, "51 ms in this call");
        meter.reset();
        assert_eq!(meter.surcharge(), 1);
        meter.begin(MS);
        meter.end(21 * MS);
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let [failed, other] = [(); 2].map(|()| semaphore.flow(1));
        meter.fail(&failed);
        assert_eq!(
            [failed.virtual_time(), other.virtual_time()],
            [20 * MS * u64::from(SURCHARGE - 1), 0],
            "besides what it has used"
        );
        assert_eq!(meter.surcharge(), SURCHARGE, "what comes after a crash");
        meter.reset();
        assert_eq!(meter.surcharge(), 1);
        meter.begin(MS);
        assert!(meter.yields() >= Duration::ZERO);
        assert!(meter.end(MS));
        assert!(!meter.end(MS), "once");
    }

    #[test]
    fn x2_what_a_call_waits_for_in_the_host_is_summed_and_no_other_wait() {
        let meter = CpuMeter::default();
        meter.begin(10);
        assert_eq!(meter.blocked_at(15), None, "it computes");
        meter.yields();
        meter.end(20);
        assert_eq!(meter.blocked_at(90), None, "it yielded, and waits for a permit");
        meter.begin(100);
        meter.end(110);
        assert_eq!(meter.blocked_at(150), Some(Duration::from_nanos(40)));
        meter.unblock(160);
        assert_eq!(meter.blocked_at(500), None, "it has its answer, and waits for a permit");
        meter.begin(1000);
        meter.end(1010);
        assert_eq!(meter.blocked_at(1020), Some(Duration::from_nanos(60)), "with its wait before");
        meter.reset();
        assert_eq!(meter.blocked_at(2000), None);
    }

    /// Computes in this many polls, and records which task did.
    fn computes(
        name: char,
        polls: usize,
        semaphore: &FairSemaphore,
        meter: &Arc<CpuMeter>,
        order: &Arc<std::sync::Mutex<String>>,
    ) -> BoxFuture<'static, ()> {
        assert!(semaphore.held() <= 1);
        let (meter, order, mut left) = (Arc::clone(meter), Arc::clone(order), polls);
        Box::pin(poll_fn(move |cx| {
            order.lock().unwrap().push(name);
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            meter.yields();
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    #[tokio::test]
    async fn calls_alternate_and_release_their_permits() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let order = Arc::default();
        let call = |name, flow: &Arc<Flow>| {
            let meter = Arc::default();
            OnCpu::new(computes(name, 3, &semaphore, &meter, &order), Arc::clone(flow), meter)
        };
        let (a, b) = (semaphore.flow(1), semaphore.flow(1));
        let (one, two) = tokio::join!(tokio::spawn(call('a', &a)), tokio::spawn(call('b', &b)));
        one.unwrap();
        two.unwrap();
        let order = order.lock().unwrap().clone();
        assert!(order.starts_with("aab"), "the other one goes first as soon as it is there: {order}");
        assert_eq!((order.matches('a').count(), order.matches('b').count(), semaphore.held()), (3, 3, 0));
    }

    #[tokio::test]
    async fn long_calls_pay_the_surcharge() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        for (used, rate) in [(Duration::ZERO, 1), (LONG * 2, SURCHARGE)] {
            let meter: Arc<CpuMeter> = Arc::default();
            meter.used.store(u64::try_from(used.as_nanos()).unwrap(), Ordering::Relaxed);
            let work = computes('a', 2, &semaphore, &meter, &Arc::default());
            let mut call = OnCpu::new(work, semaphore.flow(1), meter);
            let mut context = Context::from_waker(futures::task::noop_waker_ref());
            assert!(Pin::new(&mut call).poll(&mut context).is_pending());
            assert_eq!(call.permit.surcharge(), rate);
        }
    }

    #[tokio::test]
    async fn a_dropped_call_releases_its_permit() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let (a, b) = (semaphore.flow(1), semaphore.flow(1));
        let endless = |flow: &Arc<Flow>| {
            let meter: Arc<CpuMeter> = Arc::default();
            let yields = Arc::clone(&meter);
            let work = poll_fn(move |cx| {
                yields.yields();
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            OnCpu::new(Box::pin(work), Arc::clone(flow), meter)
        };
        for _ in 0..100 {
            let both = async { tokio::join!(endless(&a), endless(&b)) };
            assert!(tokio::time::timeout(Duration::from_micros(200), both).await.is_err());
            assert_eq!(semaphore.held(), 0);
        }
    }
}
