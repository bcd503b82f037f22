//! What a history is made of: a pseudo-random generator (splitmix64), the character of the remote system, the steps.

use serde_json::{Map, Value, json};

/// A generator. The same seed draws the same.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One for a step: what other steps draw does not change it, so that a story without them is the same.
    pub(crate) fn of_step(seed: u64, step: usize) -> Self {
        let mut dice = Self(seed ^ (step as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `below` - 1.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % below as u64).unwrap()
    }

    /// True in so many of a hundred.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// What is done to counterparts of deleted records.
pub(crate) const POLICIES: [&str; 3] = ["ignore", "unlink", "delete"];

/// The faults that a remote system may have, as `tests/second-crm` names them, and in how many of a hundred requests each
/// strikes at most.
const FAULTS: [(&str, usize); 13] = [
    ("drop", 20),
    ("lose", 20),
    ("cut", 15),
    ("busy", 15),
    ("broken", 15),
    ("broken_after", 20),
    ("broken_item", 30),
    ("busy_item", 20),
    ("late", 60),
    ("twice", 60),
    ("shuffle", 60),
    ("edit", 40),
    ("merge", 6),
];

/// Clock skews of the remote system, in milliseconds.
const SKEWS: [i64; 6] = [0, 0, 0, -300_000, 300_000, 31_536_000_000];

/// The remote system of a history.
#[derive(Debug, Clone)]
pub(crate) struct Character {
    pub(crate) policy: usize,
    /// Its clock is the true one all the time: of two edits the later one wins.
    pub(crate) exact: bool,
    /// Faults strike from the beginning.
    pub(crate) faulty: bool,
    /// New records may be listed late: the absence of one cannot be known, so none is made on both sides at once.
    pub(crate) late: bool,
    /// As `/back-door/reset` takes it.
    pub(crate) given: Value,
}

impl Character {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut faults = Map::new();
        for _ in 0..dice.below(6) {
            let (name, most) = *dice.pick(&FAULTS);
            faults.insert(name.to_owned(), json!((1 + dice.below(most)) as f64 / 100.0));
        }
        let skew = *dice.pick(&SKEWS);
        let steps = dice.percent(10);
        let normalise: &[&str] = if dice.percent(40) { &["country", "phone", "mobile"] } else { &[] };
        let given = json!({
            "seed": seed, "page_size": *dice.pick(&[2, 3, 5, 100]), "unique_email": dice.percent(40),
            "normalise": normalise, "skew_ms": skew, "faults": faults,
        });
        let late = faults.contains_key("late");
        let faulty = dice.percent(60);
        Self { policy: dice.below(POLICIES.len()), exact: skew == 0 && !steps, faulty, late, given }
    }
}

/// What can happen in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    HubEdits,
    CrmEdits,
    HubMakes,
    CrmMakes,
    BothMake,
    HubDeletes,
    CrmDeletes,
    CrmMerges,
    HubGivesAddressAway,
    CrmGivesAddressAway,
    HubTags,
    CrmTags,
    HubEditsCompany,
    CrmEditsCompany,
    HubMakesCompany,
    CrmMakesCompany,
    Sync,
    DryRun,
    Full,
    Killed,
    Faults,
    Calm,
    ClockSteps,
    TokensExpire,
    Retry,
}

/// Each step with its weight.
const STEPS: [(Step, usize); 25] = [
    (Step::HubEdits, 14),
    (Step::CrmEdits, 14),
    (Step::HubMakes, 7),
    (Step::CrmMakes, 6),
    (Step::BothMake, 2),
    (Step::HubDeletes, 2),
    (Step::CrmDeletes, 2),
    (Step::CrmMerges, 2),
    (Step::HubGivesAddressAway, 2),
    (Step::CrmGivesAddressAway, 2),
    (Step::HubTags, 4),
    (Step::CrmTags, 4),
    (Step::HubEditsCompany, 2),
    (Step::CrmEditsCompany, 2),
    (Step::HubMakesCompany, 2),
    (Step::CrmMakesCompany, 2),
    (Step::Sync, 20),
    (Step::DryRun, 3),
    (Step::Full, 2),
    (Step::Killed, 6),
    (Step::Faults, 5),
    (Step::Calm, 2),
    (Step::ClockSteps, 1),
    (Step::TokensExpire, 1),
    (Step::Retry, 1),
];

impl Step {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut at = dice.below(STEPS.iter().map(|(_, weight)| weight).sum());
        for (step, weight) in STEPS {
            if at < weight {
                return step;
            }
            at -= weight;
        }
        Self::Sync
    }
}

/// How many steps the history of a seed has.
pub(crate) fn steps(seed: u64) -> usize {
    let mut dice = Dice::of_step(seed, usize::MAX - 1);
    10 + dice.below(16)
}
