//! Start-time fair queueing over tenants. Pure: no clock, no threads.
//!
//! Each tenant is a flow: a FIFO of tickets and a virtual time (what it has used). The flow with the smallest
//! virtual time is served next. A flow that returns from idle starts at `max(own, floor − credit)`, where the
//! floor is the virtual time of the queue: it gets a small head start for short calls, but cannot save up
//! idle time, and cannot shed what it used by pausing.
//!
//! Some permits can be kept for flows that hold none: they get one before all others, and the last ones are
//! theirs alone. Whatever the others hold, and however long, a flow that has come lately finds one.

use std::collections::{BTreeMap, VecDeque};

/// A flow in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FlowId(usize);

/// A request that waits for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
struct FlowState {
    /// The most permits that it may hold at a time (cap).
    cap: usize,
    held: usize,
    /// What its tenant has used, raised to the floor (less the credit) when it returns from idle.
    virtual_time: u64,
    waiting: VecDeque<Ticket>,
    /// Its key in [`FairQueue::eligible`].
    eligible: Option<(u64, u64)>,
}

/// A queue over a fixed number of permits.
#[derive(Debug)]
pub(crate) struct FairQueue {
    permits: usize,
    /// How many of them are for flows that hold none.
    kept: usize,
    /// How far below the floor a flow starts that returns from idle.
    credit: u64,
    held: usize,
    waiting: usize,
    /// The virtual time of the queue: the start tag of the flow that was served last. It only grows.
    floor: u64,
    /// Numbers tickets, and breaks ties in order of arrival.
    sequence: u64,
    flows: Vec<Option<FlowState>>,
    /// Flows that have tickets and are below their caps: by virtual time, then by arrival.
    eligible: BTreeMap<(u64, u64), usize>,
    /// Those of them that hold no permit, if some are kept for such.
    without: BTreeMap<(u64, u64), usize>,
}

impl FairQueue {
    pub(crate) fn new(permits: usize, credit: u64) -> Self {
        Self {
            permits: permits.max(1),
            kept: 0,
            credit,
            held: 0,
            waiting: 0,
            floor: 0,
            sequence: 0,
            flows: Vec::new(),
            eligible: BTreeMap::new(),
            without: BTreeMap::new(),
        }
    }

    /// Keeps some of its permits for flows that hold none, and at least one for the others.
    pub(crate) fn keeping(mut self, kept: usize) -> Self {
        self.kept = kept.min(self.permits.saturating_sub(1));
        self
    }

    /// Permits in use.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Tickets waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Permits held by a flow.
    pub(crate) fn held_by(&self, flow: FlowId) -> usize {
        self.flow(flow).map_or(0, |flow| flow.held)
    }

    #[cfg(test)]
    pub(crate) fn virtual_time(&self, flow: FlowId) -> u64 {
        self.flow(flow).map_or(0, |flow| flow.virtual_time)
    }

    /// Adds a flow, which may hold at most `cap` permits at a time.
    pub(crate) fn join(&mut self, cap: usize) -> FlowId {
        let flow =
            FlowState { cap: cap.max(1), held: 0, virtual_time: 0, waiting: VecDeque::new(), eligible: None };
        match self.flows.iter().position(Option::is_none) {
            Some(index) => {
                self.flows[index] = Some(flow);
                FlowId(index)
            }
            None => {
                self.flows.push(Some(flow));
                FlowId(self.flows.len() - 1)
            }
        }
    }

    /// Removes a flow. It must hold no permit and have no ticket.
    pub(crate) fn leave(&mut self, flow: FlowId) {
        debug_assert!(
            self.flow(flow).is_some_and(|flow| flow.held == 0 && flow.waiting.is_empty()),
            "it still has a permit or a ticket"
        );
        if let Some(flow) = self.flows.get_mut(flow.0) {
            *flow = None;
        }
    }

    /// Requests a permit: granted at once (`None`), or a ticket to wait with.
    pub(crate) fn request(&mut self, flow: FlowId) -> Option<Ticket> {
        let (floor, credit) = (self.floor, self.credit);
        let (free, free_for_all) = (self.held < self.permits, self.held < self.permits - self.kept);
        let state = self.flow_mut(flow)?;
        if state.held == 0 && state.waiting.is_empty() {
            state.virtual_time = state.virtual_time.max(floor.saturating_sub(credit));
        }
        // While a permit is free that a flow may have, it does not wait for one; only its own cap can prevent
        // the grant.
        let free = free_for_all || (free && state.held == 0);
        if free && state.held < state.cap && state.waiting.is_empty() {
            state.held += 1;
            let start = state.virtual_time;
            self.held += 1;
            self.floor = floor.max(start);
            return None;
        }
        Some(self.enqueue(flow))
    }

    /// Releases a permit, charging what was used under it. Returns the ticket that is served next.
    pub(crate) fn release(&mut self, flow: FlowId, used: u64) -> Option<(FlowId, Ticket)> {
        let held = self.take_back(flow, used);
        self.serve_next(held)
    }

    /// Releases a permit and requests another one. Returns the new ticket, and the ticket that is served
    /// next, which may be the same.
    pub(crate) fn release_and_request(
        &mut self,
        flow: FlowId,
        used: u64,
    ) -> (Ticket, Option<(FlowId, Ticket)>) {
        let held = self.take_back(flow, used);
        let ticket = self.enqueue(flow);
        (ticket, self.serve_next(held))
    }

    /// Charges a flow's virtual time for use outside of permits.
    pub(crate) fn charge(&mut self, flow: FlowId, used: u64) {
        if let Some(state) = self.flow_mut(flow) {
            state.virtual_time = state.virtual_time.saturating_add(used);
        }
        self.update_eligible(flow);
    }

    /// Cancels a ticket.
    pub(crate) fn cancel(&mut self, flow: FlowId, ticket: Ticket) {
        let Some(state) = self.flow_mut(flow) else { return };
        if let Some(index) = state.waiting.iter().position(|waiting| *waiting == ticket) {
            state.waiting.remove(index);
            self.waiting -= 1;
            self.update_eligible(flow);
        }
    }

    /// Whether a flow should release a permit that it holds unused: it has tickets of its own, or the next
    /// eligible flow holds fewer permits. Idle permits thus go to flows that have none.
    pub(crate) fn should_release(&self, flow: FlowId) -> bool {
        let Some(state) = self.flow(flow) else { return false };
        // Where some are kept, a permit goes to whoever holds fewer; else to the next one only.
        let next = self.eligible.values().take(if self.kept > 0 { usize::MAX } else { 1 });
        !state.waiting.is_empty() || next.into_iter().any(|index| self.held_by(FlowId(*index)) < state.held)
    }

    fn flow(&self, flow: FlowId) -> Option<&FlowState> {
        self.flows.get(flow.0).and_then(Option::as_ref)
    }

    fn flow_mut(&mut self, flow: FlowId) -> Option<&mut FlowState> {
        self.flows.get_mut(flow.0).and_then(Option::as_mut)
    }

    fn enqueue(&mut self, flow: FlowId) -> Ticket {
        self.sequence += 1;
        let ticket = Ticket(self.sequence);
        if let Some(state) = self.flow_mut(flow) {
            state.waiting.push_back(ticket);
            self.waiting += 1;
        }
        self.update_eligible(flow);
        ticket
    }

    /// Takes a permit back. Returns how many the flow held before.
    fn take_back(&mut self, flow: FlowId, used: u64) -> usize {
        let held = self.held_by(flow);
        if let Some(state) = self.flow_mut(flow) {
            state.held = state.held.saturating_sub(1);
            state.virtual_time = state.virtual_time.saturating_add(used);
            self.held = self.held.saturating_sub(1);
        }
        self.update_eligible(flow);
        held
    }

    /// Updates the entry of a changed flow in [`FairQueue::eligible`].
    fn update_eligible(&mut self, flow: FlowId) {
        self.sequence += 1;
        let arrival = self.sequence;
        let kept = self.kept > 0;
        let Some(state) = self.flows.get_mut(flow.0).and_then(Option::as_mut) else { return };
        let start = (!state.waiting.is_empty() && state.held < state.cap).then_some(state.virtual_time);
        let key = match (start, state.eligible) {
            // A flow whose virtual time is unchanged keeps its order of arrival.
            (Some(start), Some((before, arrival))) if start == before => Some((start, arrival)),
            (start, _) => start.map(|start| (start, arrival)),
        };
        if let Some(before) = std::mem::replace(&mut state.eligible, key) {
            self.eligible.remove(&before);
            self.without.remove(&before);
        }
        if let Some(key) = key {
            self.eligible.insert(key, flow.0);
            if kept && state.held == 0 {
                self.without.insert(key, flow.0);
            }
        }
    }

    /// Serves the next ticket after a permit was released by a flow that held so many.
    fn serve_next(&mut self, held: usize) -> Option<(FlowId, Ticket)> {
        if self.held >= self.permits {
            return None;
        }
        // Who holds none goes first where some are kept for such: it may have one that the next one may not.
        let next = match self.without.first_key_value() {
            Some(next) => Some(next),
            None if self.held < self.permits - self.kept => self.eligible.first_key_value(),
            // What is kept becomes no less when a permit goes to a flow that holds fewer.
            None => self.eligible.iter().find(|(_, index)| self.held_by(FlowId(**index)) < held),
        };
        let (key, index) = next.map(|(key, index)| (*key, *index))?;
        self.eligible.remove(&key);
        self.without.remove(&key);
        let (start, _) = key;
        let state = self.flows.get_mut(index).and_then(Option::as_mut)?;
        state.eligible = None;
        let ticket = state.waiting.pop_front()?;
        state.held += 1;
        self.held += 1;
        self.waiting -= 1;
        self.floor = self.floor.max(start);
        self.update_eligible(FlowId(index));
        Some((FlowId(index), ticket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_smallest_virtual_time_is_served_and_a_new_flow_starts_at_the_floor() {
        let mut queue = FairQueue::new(1, 0);
        let (a, b) = (queue.join(1), queue.join(1));
        assert_eq!(queue.request(a), None);
        let waits = queue.request(b).unwrap();
        // `a` requests again; the virtual time of `b` is smaller.
        let (again, next) = queue.release_and_request(a, 100);
        assert_eq!(next, Some((b, waits)));
        let (more, next) = queue.release_and_request(b, 30);
        assert_eq!(next, Some((b, more)), "b has used 30, a has used 100");
        assert_ne!(more, again);
        let c = queue.join(1);
        let newcomer = queue.request(c).unwrap();
        // It starts at the floor, which is 30, the start tag of b: before b, which is at 40 by now, and
        // before a.
        assert_eq!(queue.release(b, 10), Some((c, newcomer)));
        let waits = queue.request(b).unwrap();
        assert_eq!(queue.release(c, 50), Some((b, waits)), "it has no credit from the time before it came");
    }

    #[test]
    fn a_flow_with_short_requests_is_served_before_backlogged_ones() {
        let mut queue = FairQueue::new(1, 20);
        let (a, b, rare) = (queue.join(1), queue.join(1), queue.join(1));
        assert_eq!(queue.request(a), None);
        let mut other = (b, queue.request(b).unwrap());
        let mut holder = a;
        for _ in 0..10 {
            // Both flows are backlogged.
            let (again, next) = queue.release_and_request(holder, 10);
            assert_eq!(next, Some(other));
            (other, holder) = ((holder, again), other.0);
            // The rare flow is served next whenever it requests, for as long as its credit lasts.
            let wants = queue.request(rare).unwrap();
            let (again, next) = queue.release_and_request(holder, 10);
            assert_eq!(next, Some((rare, wants)));
            let next = queue.release(rare, 5);
            assert!(next == Some(other) || next == Some((holder, again)));
            if next == Some(other) {
                (other, holder) = ((holder, again), other.0);
            }
        }
        assert!(queue.virtual_time(rare) + 20 + 10 >= queue.floor, "it saves nothing up");
    }

    #[test]
    fn a_smaller_cost_gets_more_permits_and_no_flow_starves() {
        let mut queue = FairQueue::new(1, 0);
        let flows = [(); 17].map(|()| queue.join(1));
        assert_eq!(queue.request(flows[0]), None);
        for flow in &flows[1..] {
            queue.request(*flow);
        }
        let (mut holder, mut served) = (flows[0], [0_u32; 17]);
        for _ in 0..20_000 {
            served[holder.0] += 1;
            let (_, next) = queue.release_and_request(holder, if holder == flows[0] { 10 } else { 40 });
            holder = next.unwrap().0;
        }
        assert!((3900..=4100).contains(&served[0]), "a fifth of the permits: {served:?}");
        assert!(served[1..].iter().all(|served| (950..=1050).contains(served)), "{served:?}");
    }

    #[test]
    fn a_charge_moves_a_flow_back_while_it_waits() {
        let mut queue = FairQueue::new(1, 0);
        let (a, b, c) = (queue.join(1), queue.join(1), queue.join(1));
        assert_eq!(queue.request(a), None);
        let waits = [b, c].map(|flow| queue.request(flow).unwrap());
        queue.charge(b, 5);
        assert_eq!(queue.release(a, 10), Some((c, waits[1])));
        queue.charge(c, 20);
        assert_eq!(queue.release_and_request(c, 0).1, Some((b, waits[0])));
    }

    #[test]
    fn pausing_sheds_no_virtual_time() {
        let mut queue = FairQueue::new(1, 0);
        let (a, b) = (queue.join(1), queue.join(1));
        assert_eq!(queue.request(a), None);
        assert_eq!(queue.release(a, 1000), None);
        assert_eq!(queue.request(b), None);
        let waits = [a, b].map(|flow| queue.request(flow).unwrap());
        assert_eq!(queue.release(b, 10), Some((b, waits[1])), "a has used 1000 lately");
    }

    #[test]
    fn a_flow_keeps_to_its_cap_and_its_tickets_are_served_in_order() {
        let mut queue = FairQueue::new(3, 0);
        let (a, b) = (queue.join(1), queue.join(2));
        assert_eq!(queue.request(a), None);
        let second = queue.request(a).unwrap();
        let third = queue.request(a).unwrap();
        assert_eq!((queue.request(b), queue.request(b)), (None, None), "others have what a may not have");
        assert_eq!(queue.release(a, 1), Some((a, second)));
        queue.cancel(a, third);
        assert_eq!((queue.release(a, 1), queue.held(), queue.waiting()), (None, 2, 0));
    }

    #[test]
    fn an_idle_permit_is_released_for_a_flow_that_holds_fewer() {
        let mut queue = FairQueue::new(3, 0);
        let (a, b, c) = (queue.join(3), queue.join(1), queue.join(1));
        for flow in [a, a, b] {
            assert_eq!(queue.request(flow), None);
        }
        assert!(!queue.should_release(a));
        queue.request(c);
        assert!(queue.should_release(a) && queue.should_release(b), "c has none");
        let (_, next) = (queue.request(a), queue.release(b, 1));
        assert_eq!(next.unwrap().0, c);
        assert!(queue.should_release(a), "its own waits");
        assert!(!queue.should_release(c), "a has more than c");
    }

    #[test]
    fn x2_the_last_permits_are_for_who_holds_none() {
        let mut queue = FairQueue::new(4, 0).keeping(2);
        let [greedy, other, late, last] = [(); 4].map(|()| queue.join(4));
        assert_eq!((queue.request(greedy), queue.request(greedy)), (None, None));
        let third = queue.request(greedy).unwrap();
        assert_eq!(queue.held(), 2, "what is kept is not for who has two");
        assert_eq!(queue.request(other), None, "nor is it free for all");
        let more = queue.request(other).unwrap();
        assert_eq!(queue.request(late), None);
        let wants = queue.request(last).unwrap();
        assert!(queue.should_release(greedy) && queue.should_release(other));
        // Others came before it, and have used no more; it has none.
        assert_eq!(queue.release(greedy, 0), Some((last, wants)));
        assert_eq!(queue.release(last, 0), None);
        assert_eq!(queue.release(late, 0), None, "two are held, and two are kept");
        assert_eq!(
            queue.release(greedy, 0),
            Some((greedy, third)),
            "who came first, of two that have one or none"
        );
        assert_eq!(queue.release(greedy, 0), Some((other, more)));
    }

    #[test]
    fn x2_a_permit_goes_from_who_holds_most_to_who_holds_fewer_and_else_it_is_kept_again() {
        let mut queue = FairQueue::new(5, 0).keeping(2);
        let [greedy, modest, late] = [(); 3].map(|()| queue.join(5));
        for flow in [greedy, greedy, greedy, modest, late] {
            assert_eq!(queue.request(flow), None);
        }
        let again = queue.request(greedy).unwrap();
        let more = queue.request(modest).unwrap();
        assert_eq!(queue.release(late, 0), None, "both hold as many, and more");
        assert_eq!(queue.release(greedy, 0), Some((greedy, again)), "it gives up one for itself");
        let again = queue.request(greedy).unwrap();
        queue.charge(greedy, 1);
        assert!(queue.should_release(greedy) && queue.should_release(modest));
        assert_eq!(queue.release(greedy, 0), Some((modest, more)), "who has used less");
        assert_eq!(queue.release(modest, 0), None, "as many are held by who waits");
        assert_eq!(
            queue.release(greedy, 0),
            Some((greedy, again)),
            "two are held, and three are free for all"
        );
    }

    #[derive(Debug, Clone)]
    enum Step {
        Request(usize),
        Release(usize, u64),
        ReleaseAndRequest(usize, u64),
        Cancel(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..5usize).prop_map(Step::Request),
            2 => (any::<usize>(), 0..1000u64).prop_map(|(which, used)| Step::Release(which, used)),
            2 => (any::<usize>(), 0..1000u64).prop_map(|(which, used)| Step::ReleaseAndRequest(which, used)),
            1 => any::<usize>().prop_map(Step::Cancel),
        ];
        proptest::collection::vec(step, 0..200)
    }

    /// A naive implementation, to compare with.
    struct Model {
        flows: Vec<(FlowId, usize)>,
        holds: Vec<FlowId>,
        waits: Vec<(FlowId, Ticket)>,
    }

    impl Model {
        fn granted(&mut self, queue: &FairQueue, granted: Option<(FlowId, Ticket)>) {
            let Some((flow, ticket)) = granted else { return };
            let own = self.waits.iter().position(|(waits, _)| *waits == flow).unwrap();
            assert_eq!(self.waits[own].1, ticket, "first come, first served within a tenant");
            let used = |flow: FlowId| queue.virtual_time(flow);
            let has_none = !self.holds.contains(&flow);
            for (other, most) in &self.flows {
                let holds = self.holds.iter().filter(|holds| *holds == other).count();
                if self.waits.iter().any(|(waits, _)| waits == other) && holds < *most {
                    assert!(queue.kept == 0 || has_none || holds > 0, "who has none goes first");
                    let scarce = self.holds.len() + queue.kept >= queue.permits;
                    if queue.kept > 0 && holds > 0 && (has_none || scarce) {
                        continue;
                    }
                    assert!(used(flow) <= used(*other), "nobody who could have had it has used less");
                }
            }
            self.waits.remove(own);
            self.holds.push(flow);
        }

        fn check(&self, queue: &FairQueue, total: usize) {
            assert_eq!((queue.held(), queue.waiting()), (self.holds.len(), self.waits.len()));
            assert!(self.holds.len() <= total, "never more than there are");
            for (flow, most) in &self.flows {
                let holds = self.holds.iter().filter(|holds| *holds == flow).count();
                assert!(holds <= *most && holds == queue.held_by(*flow), "never more than a tenant may have");
                let waits = self.waits.iter().any(|(waits, _)| waits == flow);
                let there = if holds == 0 { total } else { total - queue.kept };
                assert!(
                    !(waits && holds < *most && self.holds.len() < there),
                    "nobody waits for what is there"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn every_history_is_work_conserving_and_keeps_to_the_caps(total in 1..4usize, kept in 0..3usize, most in proptest::collection::vec(1..4usize, 5), steps in steps()) {
            let mut queue = FairQueue::new(total, 0).keeping(kept);
            let flows = most.iter().map(|most| (queue.join(*most), *most)).collect();
            let mut model = Model { flows, holds: Vec::new(), waits: Vec::new() };
            for step in steps {
                match step {
                    Step::Request(which) => {
                        let flow = model.flows[which].0;
                        match queue.request(flow) {
                            None => model.holds.push(flow),
                            Some(ticket) => model.waits.push((flow, ticket)),
                        }
                    }
                    Step::Release(which, used) if !model.holds.is_empty() => {
                        let flow = model.holds.remove(which % model.holds.len());
                        let next = queue.release(flow, used);
                        model.granted(&queue, next);
                    }
                    Step::ReleaseAndRequest(which, used) if !model.holds.is_empty() => {
                        let flow = model.holds.remove(which % model.holds.len());
                        let (ticket, next) = queue.release_and_request(flow, used);
                        model.waits.push((flow, ticket));
                        model.granted(&queue, next);
                    }
                    Step::Cancel(which) if !model.waits.is_empty() => {
                        let (flow, ticket) = model.waits.remove(which % model.waits.len());
                        queue.cancel(flow, ticket);
                    }
                    _ => {}
                }
                model.check(&queue, total);
            }
        }

        #[test]
        fn backlogged_flows_get_equal_shares(total in 1..4usize, tenants in 2..6usize, uses in proptest::collection::vec(1..=1000u64, 300)) {
            let mut queue = FairQueue::new(total, 0);
            let flows: Vec<FlowId> = (0..tenants).map(|_| queue.join(total)).collect();
            let mut holds = VecDeque::new();
            // Each flow stays backlogged: it has more tickets than there are permits.
            for flow in flows.iter().flat_map(|flow| [flow; 8]) {
                if queue.request(*flow).is_none() {
                    holds.push_back(*flow);
                }
            }
            for used in uses {
                let (_, next) = queue.release_and_request(holds.pop_front().unwrap(), used);
                holds.push_back(next.unwrap().0);
            }
            // No flow is ahead by more than one flow can use under all permits at once.
            let used: Vec<u64> = flows.iter().map(|flow| queue.virtual_time(*flow)).collect();
            let apart = used.iter().max().unwrap() - used.iter().min().unwrap();
            prop_assert!(apart <= total as u64 * 1000, "{used:?}");
        }
    }
}
