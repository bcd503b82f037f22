//! An asynchronous semaphore with start-time fair queueing over tenants ([`FairQueue`]). The process has four:
//! permits to compute, instance slots, and the two lanes of the compiler.

use super::queue::{FairQueue, FlowId, Ticket};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long a granted permit waits for its task to be polled. A task that is not polled must not block the
/// others: its permit then goes to the next ticket.
const GRACE: Duration = Duration::from_millis(20);

/// A fixed number of permits. A held one is released when its [`Permit`] is dropped.
#[derive(Debug)]
pub(crate) struct FairSemaphore {
    state: Mutex<State>,
    /// Whether tickets are waiting.
    contended: AtomicBool,
    /// Whether wakers are deferred to [`FairSemaphore::tick`].
    attention: AtomicBool,
    /// The clock thread, which calls [`FairSemaphore::tick`].
    clock: OnceLock<Thread>,
}

#[derive(Debug)]
struct State {
    queue: FairQueue,
    /// The wakers of waiting tickets.
    wakers: HashMap<Ticket, Waker>,
    /// Granted tickets whose tasks have not been polled since.
    granted: HashMap<Ticket, (FlowId, Instant)>,
    /// Wakers for the clock thread to call.
    deferred: Vec<Waker>,
}

/// The thread that wakes the next waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// This thread: its task is about to wait, so the thread is free for the woken task.
    Here,
    /// The clock thread: the current task continues, and Tokio puts a task woken by a worker into that
    /// worker's LIFO slot, from which no other worker can steal it.
    ByClock,
}

impl FairSemaphore {
    /// A semaphore with this many permits. A flow that returns from idle starts `credit` below the floor.
    pub(crate) fn new(permits: usize, credit: Duration) -> Arc<Self> {
        Self::over(FairQueue::new(permits, u64::try_from(credit.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// A semaphore without credit that keeps some of its permits for flows that hold none.
    pub(crate) fn keeping(permits: usize, kept: usize) -> Arc<Self> {
        Self::over(FairQueue::new(permits, 0).keeping(kept))
    }

    fn over(queue: FairQueue) -> Arc<Self> {
        let state = State { queue, wakers: HashMap::new(), granted: HashMap::new(), deferred: Vec::new() };
        Arc::new(Self {
            state: Mutex::new(state),
            contended: AtomicBool::new(false),
            attention: AtomicBool::new(false),
            clock: OnceLock::new(),
        })
    }

    /// Adds the flow of a tenant, which may hold at most `cap` permits at a time.
    pub(crate) fn flow(self: &Arc<Self>, cap: u64) -> Arc<Flow> {
        let id = self.state().queue.join(usize::try_from(cap).unwrap_or(usize::MAX));
        Arc::new(Flow { semaphore: Arc::clone(self), id })
    }

    /// Permits that are held.
    pub(crate) fn held(&self) -> usize {
        self.state().queue.held()
    }

    /// Makes the current thread the clock thread: it calls [`FairSemaphore::tick`] whenever it is unparked.
    pub(crate) fn set_clock_thread(&self) {
        let _ = self.clock.set(std::thread::current());
    }

    /// Calls deferred wakers, and passes on permits whose tasks were not polled within [`GRACE`]. Returns
    /// whether tickets are waiting.
    pub(crate) fn tick(&self, now: Instant) -> bool {
        if !self.attention.load(Ordering::Acquire) && !self.contended.load(Ordering::Acquire) {
            return false;
        }
        let mut state = self.state();
        self.attention.store(false, Ordering::Release);
        let mut wake = std::mem::take(&mut state.deferred);
        let late: Vec<(Ticket, FlowId)> = state
            .granted
            .iter()
            .filter(|(_, (_, since))| now.saturating_duration_since(*since) > GRACE)
            .map(|(ticket, (flow, _))| (*ticket, *flow))
            .collect();
        for (ticket, flow) in late {
            // If its task is polled after all, it requests a permit again.
            state.granted.remove(&ticket);
            let next = state.queue.release(flow, 0);
            wake.extend(state.grant(next, now));
        }
        self.update_contended(&state);
        let contended = state.queue.waiting() > 0;
        drop(state);
        wake.into_iter().for_each(Waker::wake);
        contended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates `contended`. The clock ticks faster while it is set, so the first ticket unparks it.
    fn update_contended(&self, state: &State) {
        let contended = state.queue.waiting() > 0;
        if self.contended.swap(contended, Ordering::AcqRel) != contended && contended {
            self.unpark_clock();
        }
    }

    fn unpark_clock(&self) {
        if let Some(clock) = self.clock.get() {
            clock.unpark();
        }
    }

    /// Grants a permit to the next ticket and wakes its task.
    fn hand_over(&self, mut state: MutexGuard<'_, State>, next: Option<(FlowId, Ticket)>, wake: Wake) {
        let waker = next.and_then(|next| state.grant(Some(next), Instant::now()));
        self.update_contended(&state);
        let Some(waker) = waker else { return };
        if wake == Wake::ByClock && self.clock.get().is_some() {
            state.deferred.push(waker);
            self.attention.store(true, Ordering::Release);
            drop(state);
            self.unpark_clock();
        } else {
            drop(state);
            waker.wake();
        }
    }
}

impl State {
    /// Marks a ticket as granted. Returns the waker of its task.
    fn grant(&mut self, next: Option<(FlowId, Ticket)>, now: Instant) -> Option<Waker> {
        let (flow, ticket) = next?;
        self.granted.insert(ticket, (flow, now));
        self.wakers.remove(&ticket)
    }
}

/// The flow of a tenant in a semaphore; it is removed when dropped.
#[derive(Debug)]
pub(crate) struct Flow {
    semaphore: Arc<FairSemaphore>,
    id: FlowId,
}

impl Flow {
    /// Permits that the tenant holds.
    pub(crate) fn held(&self) -> usize {
        self.semaphore.state().queue.held_by(self.id)
    }

    #[cfg(test)]
    pub(crate) fn virtual_time(&self) -> u64 {
        self.semaphore.state().queue.virtual_time(self.id)
    }

    /// Charges the tenant's virtual time.
    pub(crate) fn charge(&self, used: Duration) {
        self.semaphore.state().queue.charge(self.id, u64::try_from(used.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Permit {
        let mut permit = Permit::new(Arc::clone(self));
        poll_fn(|cx| permit.poll_acquire(cx)).await;
        permit
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.semaphore.state().queue.leave(self.id);
    }
}

/// A permit: not requested, requested or held. It can be released and acquired again many times.
#[derive(Debug)]
pub(crate) struct Permit {
    flow: Arc<Flow>,
    phase: Phase,
    /// The factor by which the time it is held counts towards virtual time.
    surcharge: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Idle,
    Waiting(Ticket),
    /// Held since this moment.
    Held(Instant),
}

impl Permit {
    pub(crate) fn new(flow: Arc<Flow>) -> Self {
        Self { flow, phase: Phase::Idle, surcharge: 1 }
    }

    /// Sets the factor for the time that it is held from now on.
    pub(crate) fn set_surcharge(&mut self, factor: u32) {
        self.surcharge = factor;
    }

    #[cfg(test)]
    pub(crate) fn surcharge(&self) -> u32 {
        self.surcharge
    }

    /// Ready once the permit is held.
    pub(crate) fn poll_acquire(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.phase, Phase::Held(_)) {
            return Poll::Ready(());
        }
        let semaphore = &self.flow.semaphore;
        let mut state = semaphore.state();
        if let Phase::Waiting(ticket) = self.phase {
            if state.granted.remove(&ticket).is_some() {
                self.phase = Phase::Held(Instant::now());
                return Poll::Ready(());
            }
            if let Some(waker) = state.wakers.get_mut(&ticket) {
                waker.clone_from(cx.waker());
                return Poll::Pending;
            }
        }
        match state.queue.request(self.flow.id) {
            None => {
                self.phase = Phase::Held(Instant::now());
                Poll::Ready(())
            }
            Some(ticket) => {
                state.wakers.insert(ticket, cx.waker().clone());
                semaphore.update_contended(&state);
                self.phase = Phase::Waiting(ticket);
                Poll::Pending
            }
        }
    }

    /// Releases and requests the permit under one lock, so that this flow competes when the next ticket is
    /// chosen.
    pub(crate) fn reacquire(&mut self, cx: &mut Context<'_>) {
        let Phase::Held(since) = self.phase else { return };
        let semaphore = &self.flow.semaphore;
        let used = nanoseconds(since).saturating_mul(self.surcharge.into());
        let mut state = semaphore.state();
        let (ticket, next) = state.queue.release_and_request(self.flow.id, used);
        state.wakers.insert(ticket, cx.waker().clone());
        self.phase = Phase::Waiting(ticket);
        if next.is_some_and(|(_, next)| next == ticket) {
            state.grant(next, Instant::now());
            semaphore.update_contended(&state);
            drop(state);
            cx.waker().wake_by_ref();
        } else {
            semaphore.hand_over(state, next, Wake::Here);
        }
    }

    /// Releases the permit; the task is about to wait for something else.
    pub(crate) fn release_and_wait(&mut self) {
        self.release(Wake::Here);
    }

    /// Releases the permit; the task continues with something else.
    pub(crate) fn release_and_run(&mut self) {
        self.release(Wake::ByClock);
    }

    /// Whether a permit that is held unused should be released, see [`FairQueue::should_release`].
    pub(crate) fn should_release(&self) -> bool {
        self.flow.semaphore.contended.load(Ordering::Acquire)
            && self.flow.semaphore.state().queue.should_release(self.flow.id)
    }

    fn release(&mut self, wake: Wake) {
        let (semaphore, flow) = (&self.flow.semaphore, self.flow.id);
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle => {}
            Phase::Held(since) => {
                let mut state = semaphore.state();
                let used = nanoseconds(since).saturating_mul(self.surcharge.into());
                let next = state.queue.release(flow, used);
                semaphore.hand_over(state, next, wake);
            }
            Phase::Waiting(ticket) => {
                let mut state = semaphore.state();
                let next = if state.granted.remove(&ticket).is_some() {
                    state.queue.release(flow, 0)
                } else {
                    state.queue.cancel(flow, ticket);
                    None
                };
                state.wakers.remove(&ticket);
                semaphore.hand_over(state, next, wake);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release_and_run();
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::task::noop_waker_ref;

    fn poll(permit: &mut Permit) -> bool {
        permit.poll_acquire(&mut Context::from_waker(noop_waker_ref())).is_ready()
    }

    /// Counts of permits held, tickets, wakers, and permits granted but not picked up.
    fn counts(semaphore: &FairSemaphore) -> [usize; 4] {
        let state = semaphore.state();
        [state.queue.held(), state.queue.waiting(), state.wakers.len(), state.granted.len()]
    }

    #[tokio::test]
    async fn a_released_permit_wakes_the_next_waiter() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let (a, b) = (semaphore.flow(1), semaphore.flow(1));
        let held = a.acquire().await;
        let waits = tokio::spawn(async move { drop(b.acquire().await) });
        tokio::task::yield_now().await;
        assert_eq!(counts(&semaphore), [1, 1, 1, 0]);
        drop(held);
        waits.await.unwrap();
        assert_eq!(counts(&semaphore), [0; 4]);
    }

    fn spin(time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn the_surcharge_counts_however_a_permit_is_released() {
        for (rate, least) in [(1, 10_000), (1_000_000, 10_000_000_000)] {
            let semaphore = FairSemaphore::new(1, Duration::ZERO);
            let flows = [(); 2].map(|()| semaphore.flow(1));
            let mut permits = flows.each_ref().map(|flow| Permit::new(Arc::clone(flow)));
            for permit in &mut permits {
                assert!(poll(permit));
                permit.set_surcharge(rate);
                spin(Duration::from_micros(10));
                if permit.flow.id == flows[1].id {
                    permit.reacquire(&mut Context::from_waker(noop_waker_ref()));
                    // What is used from here on is not charged.
                    permit.set_surcharge(0);
                    assert!(poll(permit));
                }
                permit.release_and_run();
            }
            let used = flows.each_ref().map(|flow| flow.virtual_time());
            assert!(used[0] >= least && used[1] >= least, "{used:?} at {rate}");
        }
    }

    #[tokio::test]
    async fn a_charge_changes_the_order() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let [charged, other, third] = [(); 3].map(|()| semaphore.flow(1));
        let held = third.acquire().await;
        let (mut one, mut two) = (Permit::new(Arc::clone(&charged)), Permit::new(other));
        assert!(!poll(&mut one) && !poll(&mut two));
        charged.charge(Duration::from_millis(1));
        drop(held);
        assert!(poll(&mut two) && !poll(&mut one), "it came first, and has used more");
    }

    #[tokio::test]
    async fn a_dropped_waiter_leaves_nothing_behind() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let (a, b, c) = (semaphore.flow(1), semaphore.flow(1), semaphore.flow(1));
        let held = a.acquire().await;
        let mut gives_up = Permit::new(b);
        let mut stays = Permit::new(c);
        assert!(!poll(&mut gives_up) && !poll(&mut stays));
        // Dropped after its grant: the next ticket gets the permit.
        drop(held);
        assert_eq!(counts(&semaphore), [1, 1, 1, 1]);
        drop(gives_up);
        assert!(poll(&mut stays));
        drop(stays);
        assert_eq!(counts(&semaphore), [0; 4]);
    }

    #[tokio::test]
    async fn a_granted_permit_that_is_not_picked_up_goes_to_the_next() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let (a, b, c) = (semaphore.flow(1), semaphore.flow(1), semaphore.flow(1));
        let held = a.acquire().await;
        let (mut sleeps, mut stays) = (Permit::new(b), Permit::new(c));
        assert!(!poll(&mut sleeps) && !poll(&mut stays));
        drop(held);
        let now = Instant::now();
        assert!(semaphore.tick(now), "one waits");
        assert!(!poll(&mut stays), "the other one was served");
        assert!(!semaphore.tick(now + GRACE * 2), "nobody waits any more");
        assert!(poll(&mut stays));
        assert!(!poll(&mut sleeps), "it has to ask anew");
        drop(stays);
        assert!(poll(&mut sleeps));
    }

    #[tokio::test]
    async fn reacquiring_goes_behind_a_smaller_virtual_time() {
        let semaphore = FairSemaphore::new(1, Duration::ZERO);
        let (a, b) = (semaphore.flow(1), semaphore.flow(1));
        let mut first = a.acquire().await;
        first.reacquire(&mut Context::from_waker(noop_waker_ref()));
        assert!(poll(&mut first), "nobody else wants it");
        let mut second = Permit::new(b);
        assert!(!poll(&mut second));
        first.reacquire(&mut Context::from_waker(noop_waker_ref()));
        assert!(poll(&mut second) && !poll(&mut first));
        drop(second);
        assert!(poll(&mut first));
        assert!(semaphore.flow(1).acquire().now_or_never().is_none());
    }
}
