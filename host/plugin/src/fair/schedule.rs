//! Who is next, where there is only so much of something and many tenants want it. Pure: no clock, no
//! threads.
//!
//! Each tenant has a line, first come, first served. Among the lines the one goes first whose tenant has used
//! least. Who has used little for a while begins just before where the others stand, by a small credit: so
//! one that wants a moment now and then does not queue behind those that want it all the time. More it has
//! not: neither may a newcomer hold up everybody until it has caught up, nor can use be forgotten by staying
//! away for a moment.

use std::collections::{BTreeMap, VecDeque};

/// A tenant in a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Party(usize);

/// Something that was asked for and not given yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
struct Line {
    /// The most that it may hold at a time.
    most: usize,
    held: usize,
    /// What its tenant has used, or would have, had it always been there.
    used: u64,
    waiting: VecDeque<Ticket>,
    /// Where it stands in [`Schedule::ready`].
    ready: Option<(u64, u64)>,
}

/// Gives out so many of something.
#[derive(Debug)]
pub(crate) struct Schedule {
    total: usize,
    /// How far before the others one begins that has used less than they have.
    credit: u64,
    held: usize,
    waiting: usize,
    /// What the one that was given something last had used: where newcomers begin. It only grows.
    floor: u64,
    numbers: u64,
    lines: Vec<Option<Line>>,
    /// Lines that wait for nothing but the total: by use, then by how long they stand there.
    ready: BTreeMap<(u64, u64), usize>,
}

impl Schedule {
    pub(crate) fn new(total: usize, credit: u64) -> Self {
        Self {
            total: total.max(1),
            credit,
            held: 0,
            waiting: 0,
            floor: 0,
            numbers: 0,
            lines: Vec::new(),
            ready: BTreeMap::new(),
        }
    }

    /// How many are given out.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// How many are waited for.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many a tenant holds.
    pub(crate) fn held_by(&self, party: Party) -> usize {
        self.line(party).map_or(0, |line| line.held)
    }

    #[cfg(test)]
    pub(crate) fn used_by(&self, party: Party) -> u64 {
        self.line(party).map_or(0, |line| line.used)
    }

    /// A tenant comes, which may hold at most so many at a time.
    pub(crate) fn join(&mut self, most: usize) -> Party {
        let line = Line { most: most.max(1), held: 0, used: 0, waiting: VecDeque::new(), ready: None };
        match self.lines.iter().position(Option::is_none) {
            Some(place) => {
                self.lines[place] = Some(line);
                Party(place)
            }
            None => {
                self.lines.push(Some(line));
                Party(self.lines.len() - 1)
            }
        }
    }

    /// A tenant goes. It must hold nothing and wait for nothing.
    pub(crate) fn leave(&mut self, party: Party) {
        debug_assert!(
            self.line(party).is_some_and(|line| line.held == 0 && line.waiting.is_empty()),
            "it still has something"
        );
        if let Some(line) = self.lines.get_mut(party.0) {
            *line = None;
        }
    }

    /// Asks for one: it is given at once (`None`), or there is a ticket for it.
    pub(crate) fn ask(&mut self, party: Party) -> Option<Ticket> {
        let (floor, credit) = (self.floor, self.credit);
        let room = self.held < self.total;
        let line = self.line_mut(party)?;
        if line.held == 0 && line.waiting.is_empty() {
            line.used = line.used.max(floor.saturating_sub(credit));
        }
        // Where there is room, nobody waits for the total; only this line's own may.
        if room && line.held < line.most && line.waiting.is_empty() {
            line.held += 1;
            let used = line.used;
            self.held += 1;
            self.floor = floor.max(used);
            return None;
        }
        Some(self.stand(party))
    }

    /// Gives one back, having used so much. Answers whose turn it is now.
    pub(crate) fn give_back(&mut self, party: Party, used: u64) -> Option<(Party, Ticket)> {
        self.take_back(party, used);
        self.next()
    }

    /// Gives one back and asks for it again. Answers the new ticket, and whose turn it is now, which may be
    /// this very one.
    pub(crate) fn ask_again(&mut self, party: Party, used: u64) -> (Ticket, Option<(Party, Ticket)>) {
        self.take_back(party, used);
        let ticket = self.stand(party);
        (ticket, self.next())
    }

    /// Counts so much as used beside what was held.
    pub(crate) fn charge(&mut self, party: Party, used: u64) {
        if let Some(line) = self.line_mut(party) {
            line.used = line.used.saturating_add(used);
        }
        self.place(party);
    }

    /// Somebody does not wait any longer.
    pub(crate) fn cancel(&mut self, party: Party, ticket: Ticket) {
        let Some(line) = self.line_mut(party) else { return };
        if let Some(place) = line.waiting.iter().position(|waiting| *waiting == ticket) {
            line.waiting.remove(place);
            self.waiting -= 1;
            self.place(party);
        }
    }

    /// Whether a tenant that holds one and does not need it right now should give it back: another of its own
    /// waits, or a tenant does that holds fewer. So who has one between two calls makes room for who has
    /// none.
    pub(crate) fn wanted_from(&self, party: Party) -> bool {
        let Some(line) = self.line(party) else { return false };
        let first = self.ready.values().next().and_then(|place| self.line(Party(*place)));
        !line.waiting.is_empty() || first.is_some_and(|first| first.held < line.held)
    }

    fn line(&self, party: Party) -> Option<&Line> {
        self.lines.get(party.0).and_then(Option::as_ref)
    }

    fn line_mut(&mut self, party: Party) -> Option<&mut Line> {
        self.lines.get_mut(party.0).and_then(Option::as_mut)
    }

    fn stand(&mut self, party: Party) -> Ticket {
        self.numbers += 1;
        let ticket = Ticket(self.numbers);
        if let Some(line) = self.line_mut(party) {
            line.waiting.push_back(ticket);
            self.waiting += 1;
        }
        self.place(party);
        ticket
    }

    fn take_back(&mut self, party: Party, used: u64) {
        if let Some(line) = self.line_mut(party) {
            line.held = line.held.saturating_sub(1);
            line.used = line.used.saturating_add(used);
            self.held = self.held.saturating_sub(1);
        }
        self.place(party);
    }

    /// Puts a line where it belongs among those that are ready.
    fn place(&mut self, party: Party) {
        self.numbers += 1;
        let number = self.numbers;
        let Some(line) = self.lines.get_mut(party.0).and_then(Option::as_mut) else { return };
        let ready = (!line.waiting.is_empty() && line.held < line.most).then_some(line.used);
        // Who has stood there with the same use keeps its place.
        if ready.is_some() && ready == line.ready.map(|(used, _)| used) {
            return;
        }
        if let Some(key) = line.ready.take() {
            self.ready.remove(&key);
        }
        if let Some(used) = ready {
            line.ready = Some((used, number));
            self.ready.insert((used, number), party.0);
        }
    }

    fn next(&mut self) -> Option<(Party, Ticket)> {
        if self.held >= self.total {
            return None;
        }
        let (key, place) = self.ready.pop_first()?;
        let line = self.lines.get_mut(place).and_then(Option::as_mut)?;
        line.ready = None;
        let ticket = line.waiting.pop_front()?;
        line.held += 1;
        self.held += 1;
        self.waiting -= 1;
        self.floor = self.floor.max(key.0);
        self.place(Party(place));
        Some((Party(place), ticket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn who_has_used_least_goes_first_and_a_newcomer_has_no_credit() {
        let mut schedule = Schedule::new(1, 0);
        let (a, b) = (schedule.join(1), schedule.join(1));
        assert_eq!(schedule.ask(a), None);
        let waits = schedule.ask(b).unwrap();
        // The one that computes asks again; the other has used less.
        let (again, next) = schedule.ask_again(a, 100);
        assert_eq!(next, Some((b, waits)));
        let (more, next) = schedule.ask_again(b, 30);
        assert_eq!(next, Some((b, more)), "b has used 30, a has used 100");
        assert_ne!(more, again);
        let c = schedule.join(1);
        let newcomer = schedule.ask(c).unwrap();
        // It begins where b stood when it was given its turn, at 30: before b, which has used 40 by now, and
        // before a.
        assert_eq!(schedule.give_back(b, 10), Some((c, newcomer)));
        let waits = schedule.ask(b).unwrap();
        assert_eq!(
            schedule.give_back(c, 50),
            Some((b, waits)),
            "it has no credit from the time before it came"
        );
    }

    #[test]
    fn one_that_wants_a_moment_now_and_then_goes_before_those_that_want_it_all() {
        let mut schedule = Schedule::new(1, 20);
        let (a, b, rare) = (schedule.join(1), schedule.join(1), schedule.join(1));
        assert_eq!(schedule.ask(a), None);
        let mut other = (b, schedule.ask(b).unwrap());
        let mut holder = a;
        for _ in 0..10 {
            // Both always want it.
            let (again, next) = schedule.ask_again(holder, 10);
            assert_eq!(next, Some(other));
            (other, holder) = ((holder, again), other.0);
            // The third one is next whenever it comes, for as long as its credit lasts.
            let wants = schedule.ask(rare).unwrap();
            let (again, next) = schedule.ask_again(holder, 10);
            assert_eq!(next, Some((rare, wants)));
            let next = schedule.give_back(rare, 5);
            assert!(next == Some(other) || next == Some((holder, again)));
            if next == Some(other) {
                (other, holder) = ((holder, again), other.0);
            }
        }
        assert!(schedule.line(rare).unwrap().used + 20 + 10 >= schedule.floor, "it saves nothing up");
    }

    #[test]
    fn who_is_counted_less_for_a_turn_gets_more_turns_and_nobody_gets_none() {
        let mut schedule = Schedule::new(1, 0);
        let parties = [(); 17].map(|()| schedule.join(1));
        assert_eq!(schedule.ask(parties[0]), None);
        for party in &parties[1..] {
            schedule.ask(*party);
        }
        let (mut holder, mut turns) = (parties[0], [0_u32; 17]);
        for _ in 0..20_000 {
            turns[holder.0] += 1;
            let (_, next) = schedule.ask_again(holder, if holder == parties[0] { 10 } else { 40 });
            holder = next.unwrap().0;
        }
        assert!((3900..=4100).contains(&turns[0]), "a fifth of the turns: {turns:?}");
        assert!(turns[1..].iter().all(|turns| (950..=1050).contains(turns)), "{turns:?}");
    }

    #[test]
    fn what_is_charged_counts_as_used_also_while_one_waits() {
        let mut schedule = Schedule::new(1, 0);
        let (a, b, c) = (schedule.join(1), schedule.join(1), schedule.join(1));
        assert_eq!(schedule.ask(a), None);
        let waits = [b, c].map(|party| schedule.ask(party).unwrap());
        schedule.charge(b, 5);
        assert_eq!(schedule.give_back(a, 10), Some((c, waits[1])));
        schedule.charge(c, 20);
        assert_eq!(schedule.ask_again(c, 0).1, Some((b, waits[0])));
    }

    #[test]
    fn staying_away_for_a_moment_forgets_nothing() {
        let mut schedule = Schedule::new(1, 0);
        let (a, b) = (schedule.join(1), schedule.join(1));
        assert_eq!(schedule.ask(a), None);
        assert_eq!(schedule.give_back(a, 1000), None);
        assert_eq!(schedule.ask(b), None);
        let waits = [a, b].map(|party| schedule.ask(party).unwrap());
        assert_eq!(schedule.give_back(b, 10), Some((b, waits[1])), "a has used 1000 lately");
    }

    #[test]
    fn a_tenant_has_at_most_its_share_and_its_own_go_in_order() {
        let mut schedule = Schedule::new(3, 0);
        let (a, b) = (schedule.join(1), schedule.join(2));
        assert_eq!(schedule.ask(a), None);
        let second = schedule.ask(a).unwrap();
        let third = schedule.ask(a).unwrap();
        assert_eq!((schedule.ask(b), schedule.ask(b)), (None, None), "others have what a may not have");
        assert_eq!(schedule.give_back(a, 1), Some((a, second)));
        schedule.cancel(a, third);
        assert_eq!((schedule.give_back(a, 1), schedule.held(), schedule.waiting()), (None, 2, 0));
    }

    #[test]
    fn what_is_idle_goes_to_who_has_fewer() {
        let mut schedule = Schedule::new(3, 0);
        let (a, b, c) = (schedule.join(3), schedule.join(1), schedule.join(1));
        for party in [a, a, b] {
            assert_eq!(schedule.ask(party), None);
        }
        assert!(!schedule.wanted_from(a));
        schedule.ask(c);
        assert!(schedule.wanted_from(a) && schedule.wanted_from(b), "c has none");
        let (_, next) = (schedule.ask(a), schedule.give_back(b, 1));
        assert_eq!(next.unwrap().0, c);
        assert!(schedule.wanted_from(a), "its own waits");
        assert!(!schedule.wanted_from(c), "a has more than c");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Ask(usize),
        GiveBack(usize, u64),
        AskAgain(usize, u64),
        Cancel(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..5usize).prop_map(Step::Ask),
            2 => (any::<usize>(), 0..1000u64).prop_map(|(which, used)| Step::GiveBack(which, used)),
            2 => (any::<usize>(), 0..1000u64).prop_map(|(which, used)| Step::AskAgain(which, used)),
            1 => any::<usize>().prop_map(Step::Cancel),
        ];
        proptest::collection::vec(step, 0..200)
    }

    /// What a simple account of the same says.
    struct Model {
        parties: Vec<(Party, usize)>,
        holds: Vec<Party>,
        waits: Vec<(Party, Ticket)>,
    }

    impl Model {
        fn granted(&mut self, schedule: &Schedule, granted: Option<(Party, Ticket)>) {
            let Some((party, ticket)) = granted else { return };
            let own = self.waits.iter().position(|(waits, _)| *waits == party).unwrap();
            assert_eq!(self.waits[own].1, ticket, "first come, first served within a tenant");
            let used = |party: Party| schedule.line(party).unwrap().used;
            for (other, most) in &self.parties {
                let holds = self.holds.iter().filter(|holds| *holds == other).count();
                if self.waits.iter().any(|(waits, _)| waits == other) && holds < *most {
                    assert!(used(party) <= used(*other), "nobody who could have had it has used less");
                }
            }
            self.waits.remove(own);
            self.holds.push(party);
        }

        fn check(&self, schedule: &Schedule, total: usize) {
            assert_eq!((schedule.held(), schedule.waiting()), (self.holds.len(), self.waits.len()));
            assert!(self.holds.len() <= total, "never more than there are");
            for (party, most) in &self.parties {
                let holds = self.holds.iter().filter(|holds| *holds == party).count();
                assert!(
                    holds <= *most && holds == schedule.held_by(*party),
                    "never more than a tenant may have"
                );
                let waits = self.waits.iter().any(|(waits, _)| waits == party);
                assert!(
                    !(waits && holds < *most && self.holds.len() < total),
                    "nobody waits for what is there"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_all_is_given_out_and_never_too_much(total in 1..4usize, most in proptest::collection::vec(1..4usize, 5), steps in steps()) {
            let mut schedule = Schedule::new(total, 0);
            let parties = most.iter().map(|most| (schedule.join(*most), *most)).collect();
            let mut model = Model { parties, holds: Vec::new(), waits: Vec::new() };
            for step in steps {
                match step {
                    Step::Ask(which) => {
                        let party = model.parties[which].0;
                        match schedule.ask(party) {
                            None => model.holds.push(party),
                            Some(ticket) => model.waits.push((party, ticket)),
                        }
                    }
                    Step::GiveBack(which, used) if !model.holds.is_empty() => {
                        let party = model.holds.remove(which % model.holds.len());
                        let next = schedule.give_back(party, used);
                        model.granted(&schedule, next);
                    }
                    Step::AskAgain(which, used) if !model.holds.is_empty() => {
                        let party = model.holds.remove(which % model.holds.len());
                        let (ticket, next) = schedule.ask_again(party, used);
                        model.waits.push((party, ticket));
                        model.granted(&schedule, next);
                    }
                    Step::Cancel(which) if !model.waits.is_empty() => {
                        let (party, ticket) = model.waits.remove(which % model.waits.len());
                        schedule.cancel(party, ticket);
                    }
                    _ => {}
                }
                model.check(&schedule, total);
            }
        }

        #[test]
        fn who_always_wants_more_gets_as_much_as_the_others(total in 1..4usize, tenants in 2..6usize, uses in proptest::collection::vec(1..=1000u64, 300)) {
            let mut schedule = Schedule::new(total, 0);
            let parties: Vec<Party> = (0..tenants).map(|_| schedule.join(total)).collect();
            let mut holds = VecDeque::new();
            // Each has more waiting than there is, all the time.
            for party in parties.iter().flat_map(|party| [party; 8]) {
                if schedule.ask(*party).is_none() {
                    holds.push_back(*party);
                }
            }
            for used in uses {
                let (_, next) = schedule.ask_again(holds.pop_front().unwrap(), used);
                holds.push_back(next.unwrap().0);
            }
            // Nobody is ahead by more than what one can take at once.
            let used: Vec<u64> = parties.iter().map(|party| schedule.line(*party).unwrap().used).collect();
            let apart = used.iter().max().unwrap() - used.iter().min().unwrap();
            prop_assert!(apart <= total as u64 * 1000, "{used:?}");
        }
    }
}
