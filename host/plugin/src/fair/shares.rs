//! Something that the process has only so much of (turns to compute, places to run in), shared out among
//! tenants as [`Schedule`] says.

use super::schedule::{Party, Schedule, Ticket};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// How long one that was called may take to come. A task that is not polled, since what polls it does
/// something else, must not hold up the others.
const GRACE: Duration = Duration::from_millis(20);

/// So much of something. What is held is given back when a [`Claim`] is dropped.
#[derive(Debug)]
pub(crate) struct Shares {
    state: Mutex<State>,
    /// Somebody waits.
    contended: AtomicBool,
    /// There is something to do for [`Shares::beat`].
    attention: AtomicBool,
    /// The thread that calls [`Shares::beat`].
    clock: OnceLock<Thread>,
}

#[derive(Debug)]
struct State {
    schedule: Schedule,
    /// Those that wait.
    asleep: HashMap<Ticket, Waker>,
    /// Those that were called and have not come yet.
    called: HashMap<Ticket, (Party, Instant)>,
    /// To be woken from another thread.
    later: Vec<Waker>,
}

/// From where the next one is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// From here: this task is about to wait, so the thread is free for the one that is woken.
    Here,
    /// From another thread: this task goes on, and an executor may keep the one that is woken for this very
    /// thread until then.
    Elsewhere,
}

impl Shares {
    /// So much of it. Who has used less than the others begins so far before them.
    pub(crate) fn new(total: usize, credit: Duration) -> Arc<Self> {
        let credit = u64::try_from(credit.as_nanos()).unwrap_or(u64::MAX);
        let state = State {
            schedule: Schedule::new(total, credit),
            asleep: HashMap::new(),
            called: HashMap::new(),
            later: Vec::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            contended: AtomicBool::new(false),
            attention: AtomicBool::new(false),
            clock: OnceLock::new(),
        })
    }

    /// A tenant's standing, which may hold so many at a time.
    pub(crate) fn seat(self: &Arc<Self>, most: u64) -> Arc<Seat> {
        let party = self.state().schedule.join(usize::try_from(most).unwrap_or(usize::MAX));
        Arc::new(Seat { shares: Arc::clone(self), party })
    }

    /// How many are given out.
    pub(crate) fn held(&self) -> usize {
        self.state().schedule.held()
    }

    /// From now on this thread calls [`Shares::beat`] whenever it is unparked.
    pub(crate) fn attend(&self) {
        let _ = self.clock.set(std::thread::current());
    }

    /// Wakes who is to be woken from elsewhere, and calls others in place of those that do not come. Answers
    /// whether anybody waits.
    pub(crate) fn beat(&self, now: Instant) -> bool {
        if !self.attention.load(Ordering::Acquire) && !self.contended.load(Ordering::Acquire) {
            return false;
        }
        let mut state = self.state();
        self.attention.store(false, Ordering::Release);
        let mut wake = std::mem::take(&mut state.later);
        let late: Vec<(Ticket, Party)> = state
            .called
            .iter()
            .filter(|(_, (_, since))| now.saturating_duration_since(*since) > GRACE)
            .map(|(ticket, (party, _))| (*ticket, *party))
            .collect();
        for (ticket, party) in late {
            // It asks anew when it comes after all.
            state.called.remove(&ticket);
            let next = state.schedule.give_back(party, 0);
            wake.extend(state.call(next, now));
        }
        self.settle(&state);
        let contended = state.schedule.waiting() > 0;
        drop(state);
        wake.into_iter().for_each(Waker::wake);
        contended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers whether anybody waits, and has the clock go faster when the first one does.
    fn settle(&self, state: &State) {
        let contended = state.schedule.waiting() > 0;
        if self.contended.swap(contended, Ordering::AcqRel) != contended && contended {
            self.unpark();
        }
    }

    fn unpark(&self) {
        if let Some(clock) = self.clock.get() {
            clock.unpark();
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>, next: Option<(Party, Ticket)>, how: Wake) {
        let waker = next.and_then(|next| state.call(Some(next), Instant::now()));
        self.settle(&state);
        let Some(waker) = waker else { return };
        if how == Wake::Elsewhere && self.clock.get().is_some() {
            state.later.push(waker);
            self.attention.store(true, Ordering::Release);
            drop(state);
            self.unpark();
        } else {
            drop(state);
            waker.wake();
        }
    }
}

impl State {
    /// Calls the next one.
    fn call(&mut self, next: Option<(Party, Ticket)>, now: Instant) -> Option<Waker> {
        let (party, ticket) = next?;
        self.called.insert(ticket, (party, now));
        self.asleep.remove(&ticket)
    }
}

/// The standing of a tenant.
#[derive(Debug)]
pub(crate) struct Seat {
    shares: Arc<Shares>,
    party: Party,
}

impl Seat {
    /// How many the tenant holds.
    pub(crate) fn held(&self) -> usize {
        self.shares.state().schedule.held_by(self.party)
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.shares.state().schedule.used_by(self.party)
    }

    /// Counts so much more as used by the tenant.
    pub(crate) fn charge(&self, used: Duration) {
        self.shares.state().schedule.charge(self.party, u64::try_from(used.as_nanos()).unwrap_or(u64::MAX));
    }

    /// One for the tenant, when it is its turn.
    pub(crate) async fn take(self: &Arc<Self>) -> Claim {
        let mut claim = Claim::new(Arc::clone(self));
        poll_fn(|cx| claim.poll_take(cx)).await;
        claim
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shares.state().schedule.leave(self.party);
    }
}

/// One of what there is: not asked for, waited for or held.
#[derive(Debug)]
pub(crate) struct Claim {
    seat: Arc<Seat>,
    standing: Standing,
    /// How many times the time that it is held counts.
    rate: u32,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    Idle,
    Waits(Ticket),
    Holds(Instant),
}

impl Claim {
    pub(crate) fn new(seat: Arc<Seat>) -> Self {
        Self { seat, standing: Standing::Idle, rate: 1 }
    }

    /// From now on, what is held counts so many times.
    pub(crate) fn counts(&mut self, rate: u32) {
        self.rate = rate;
    }

    #[cfg(test)]
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// Ready once it is held.
    pub(crate) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.standing, Standing::Holds(_)) {
            return Poll::Ready(());
        }
        let shares = &self.seat.shares;
        let mut state = shares.state();
        if let Standing::Waits(ticket) = self.standing {
            if state.called.remove(&ticket).is_some() {
                self.standing = Standing::Holds(Instant::now());
                return Poll::Ready(());
            }
            if let Some(waker) = state.asleep.get_mut(&ticket) {
                waker.clone_from(cx.waker());
                return Poll::Pending;
            }
        }
        match state.schedule.ask(self.seat.party) {
            None => {
                self.standing = Standing::Holds(Instant::now());
                Poll::Ready(())
            }
            Some(ticket) => {
                state.asleep.insert(ticket, cx.waker().clone());
                shares.settle(&state);
                self.standing = Standing::Waits(ticket);
                Poll::Pending
            }
        }
    }

    /// Gives it back and asks for it again at once, so that this one counts when the next is chosen.
    pub(crate) fn take_again(&mut self, cx: &mut Context<'_>) {
        let Standing::Holds(since) = self.standing else { return };
        let shares = &self.seat.shares;
        let mut state = shares.state();
        let (ticket, next) =
            state.schedule.ask_again(self.seat.party, nanoseconds(since).saturating_mul(self.rate.into()));
        state.asleep.insert(ticket, cx.waker().clone());
        self.standing = Standing::Waits(ticket);
        if next.is_some_and(|(_, next)| next == ticket) {
            state.call(next, Instant::now());
            shares.settle(&state);
            drop(state);
            cx.waker().wake_by_ref();
        } else {
            shares.wake(state, next, Wake::Here);
        }
    }

    /// Gives it back; the task is about to wait for something else.
    pub(crate) fn rest(&mut self) {
        self.give_back(Wake::Here);
    }

    /// Gives it back; the task goes on with something else.
    pub(crate) fn end(&mut self) {
        self.give_back(Wake::Elsewhere);
    }

    /// Whether one that is held and not needed right now should be given back.
    pub(crate) fn is_wanted(&self) -> bool {
        self.seat.shares.contended.load(Ordering::Acquire)
            && self.seat.shares.state().schedule.wanted_from(self.seat.party)
    }

    fn give_back(&mut self, how: Wake) {
        let (shares, party, rate) = (&self.seat.shares, self.seat.party, self.rate);
        match std::mem::replace(&mut self.standing, Standing::Idle) {
            Standing::Idle => {}
            Standing::Holds(since) => {
                let mut state = shares.state();
                let next = state.schedule.give_back(party, nanoseconds(since).saturating_mul(rate.into()));
                shares.wake(state, next, how);
            }
            Standing::Waits(ticket) => {
                let mut state = shares.state();
                let next = if state.called.remove(&ticket).is_some() {
                    state.schedule.give_back(party, 0)
                } else {
                    state.schedule.cancel(party, ticket);
                    None
                };
                state.asleep.remove(&ticket);
                shares.wake(state, next, how);
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end();
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

    fn poll(claim: &mut Claim) -> bool {
        claim.poll_take(&mut Context::from_waker(noop_waker_ref())).is_ready()
    }

    /// How many are held, waited for, asleep and called.
    fn counts(shares: &Shares) -> [usize; 4] {
        let state = shares.state();
        [state.schedule.held(), state.schedule.waiting(), state.asleep.len(), state.called.len()]
    }

    #[tokio::test]
    async fn what_is_given_back_wakes_the_next_one() {
        let shares = Shares::new(1, Duration::ZERO);
        let (a, b) = (shares.seat(1), shares.seat(1));
        let held = a.take().await;
        let waits = tokio::spawn(async move { drop(b.take().await) });
        tokio::task::yield_now().await;
        assert_eq!(counts(&shares), [1, 1, 1, 0]);
        drop(held);
        waits.await.unwrap();
        assert_eq!(counts(&shares), [0; 4]);
    }

    fn spin(time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn what_counts_more_counts_however_it_is_given_back() {
        for (rate, least) in [(1, 10_000), (1_000_000, 10_000_000_000)] {
            let shares = Shares::new(1, Duration::ZERO);
            let seats = [(); 2].map(|()| shares.seat(1));
            let mut claims = seats.each_ref().map(|seat| Claim::new(Arc::clone(seat)));
            for claim in &mut claims {
                assert!(poll(claim));
                claim.counts(rate);
                spin(Duration::from_micros(10));
                if claim.seat.party == seats[1].party {
                    claim.take_again(&mut Context::from_waker(noop_waker_ref()));
                    // What follows is not looked at.
                    claim.counts(0);
                    assert!(poll(claim));
                }
                claim.end();
            }
            let used = seats.each_ref().map(|seat| seat.used());
            assert!(used[0] >= least && used[1] >= least, "{used:?} at {rate}");
        }
    }

    #[tokio::test]
    async fn what_is_charged_counts() {
        let shares = Shares::new(1, Duration::ZERO);
        let [charged, other, third] = [(); 3].map(|()| shares.seat(1));
        let held = third.take().await;
        let (mut one, mut two) = (Claim::new(Arc::clone(&charged)), Claim::new(other));
        assert!(!poll(&mut one) && !poll(&mut two));
        charged.charge(Duration::from_millis(1));
        drop(held);
        assert!(poll(&mut two) && !poll(&mut one), "it came first, and has used more");
    }

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind() {
        let shares = Shares::new(1, Duration::ZERO);
        let (a, b, c) = (shares.seat(1), shares.seat(1), shares.seat(1));
        let held = a.take().await;
        let mut gives_up = Claim::new(b);
        let mut stays = Claim::new(c);
        assert!(!poll(&mut gives_up) && !poll(&mut stays));
        // Given up while it waits, and given up after it was called: the next one is called instead.
        drop(held);
        assert_eq!(counts(&shares), [1, 1, 1, 1]);
        drop(gives_up);
        assert!(poll(&mut stays));
        drop(stays);
        assert_eq!(counts(&shares), [0; 4]);
    }

    #[tokio::test]
    async fn who_is_called_and_does_not_come_is_passed_over() {
        let shares = Shares::new(1, Duration::ZERO);
        let (a, b, c) = (shares.seat(1), shares.seat(1), shares.seat(1));
        let held = a.take().await;
        let (mut sleeps, mut stays) = (Claim::new(b), Claim::new(c));
        assert!(!poll(&mut sleeps) && !poll(&mut stays));
        drop(held);
        let now = Instant::now();
        assert!(shares.beat(now), "one waits");
        assert!(!poll(&mut stays), "the other one was called");
        assert!(!shares.beat(now + GRACE * 2), "nobody waits any more");
        assert!(poll(&mut stays));
        assert!(!poll(&mut sleeps), "it has to ask anew");
        drop(stays);
        assert!(poll(&mut sleeps));
    }

    #[tokio::test]
    async fn one_that_asks_again_goes_behind_who_has_used_less() {
        let shares = Shares::new(1, Duration::ZERO);
        let (a, b) = (shares.seat(1), shares.seat(1));
        let mut first = a.take().await;
        first.take_again(&mut Context::from_waker(noop_waker_ref()));
        assert!(poll(&mut first), "nobody else wants it");
        let mut second = Claim::new(b);
        assert!(!poll(&mut second));
        first.take_again(&mut Context::from_waker(noop_waker_ref()));
        assert!(poll(&mut second) && !poll(&mut first));
        drop(second);
        assert!(poll(&mut first));
        assert!(shares.seat(1).take().now_or_never().is_none());
    }
}
