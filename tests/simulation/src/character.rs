//! The character of a history: every feature that can be on or off.

use crate::dice::Dice;
use crate::rules::Rules;
use entente_sync::{Blanks, ChangeTimes, DeletePolicy, Drift, Side, Sides, Unresolved};
use std::time::Duration;

/// The seconds of a year.
const YEAR: i64 = 365 * 24 * 3600;

/// The topology of the syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The hub with one remote system.
    Hub,
    /// Two remote systems with each other.
    Remotes,
    /// The hub with two remote systems.
    FanOut,
}

/// Tie-break rules: which of two people with the same address is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// The one reported first.
    First,
    /// The one with the lowest id.
    LowestId,
    /// One that has a city.
    City,
}

/// The capabilities and faults of a remote system.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Idempotent creates: the same change id creates a record once.
    pub idempotent: bool,
    /// Conditional writes: a write to a changed record is refused.
    pub conditional: bool,
    /// Reads by id.
    pub by_id: bool,
    /// Look-up by identifiers.
    pub find: bool,
    /// The lag of the search index.
    pub search_lag: Duration,
    /// Reported deletions.
    pub deletions: bool,
    /// The granularity of change times.
    pub times: ChangeTimes,
    /// The precision of change times, in microseconds.
    pub precision: i64,
    /// Complete listings by keyset; otherwise listings by offset, which miss rows that move.
    pub keyset: bool,
    /// Bookmarks.
    pub bookmarks: bool,
    /// Stored values are normalised.
    pub normalises: bool,
    /// Null and the empty text are equal.
    pub one_blank: bool,
    /// E-mail addresses are unique.
    pub unique_email: bool,
    /// The page size.
    pub page: u32,
    /// The order size.
    pub order: u32,
    /// The clock skew.
    pub skew_seconds: i64,
    /// Users may set the time of an edit.
    pub settable_times: bool,
    /// Its faults.
    pub faults: Faults,
}

/// Fault rates, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Calls that fail before anything is done.
    pub refused_calls: u64,
    /// Orders that are executed, at least in part, and whose answer is lost.
    pub lost_answers: u64,
    /// Expired bookmarks and cursors.
    pub expired: u64,
    /// Pages that are repeated, or whose rows are reordered.
    pub odd_pages: u64,
    /// Changes that are to be retried.
    pub put_off: u64,
    /// Changes missing from the answer.
    pub unanswered: u64,
    /// Whether an order is refused as a whole because of one record.
    pub whole_orders: bool,
}

impl Manners {
    /// A remote with every capability and no faults.
    pub fn best() -> Self {
        Self {
            idempotent: true,
            conditional: true,
            by_id: true,
            find: true,
            search_lag: Duration::ZERO,
            deletions: true,
            times: ChangeTimes::Field,
            precision: 1,
            keyset: true,
            bookmarks: true,
            normalises: false,
            one_blank: false,
            unique_email: false,
            page: 3,
            order: 2,
            skew_seconds: 0,
            settable_times: false,
            faults: Faults::default(),
        }
    }

    fn draw(dice: &mut Dice, faulty: bool) -> Self {
        let times = match dice.below(4) {
            0 => ChangeTimes::None,
            1 => ChangeTimes::Record,
            _ => ChangeTimes::Field,
        };
        // Without bookmarks and change times, every report is a complete listing.
        let bookmarks = times == ChangeTimes::None || dice.chance(80);
        let conditional = dice.chance(50);
        let step = [1, 1, 1_000_000, 60_000_000];
        let often = |dice: &mut Dice, most: i64| {
            if faulty { u64::try_from(dice.between(0, most)).unwrap_or(0) } else { 0 }
        };
        Self {
            idempotent: dice.chance(40),
            conditional,
            by_id: dice.chance(75),
            find: dice.chance(65),
            search_lag: if dice.chance(40) {
                Duration::from_secs(u64::try_from(dice.between(5, 120)).unwrap_or(5))
            } else {
                Duration::ZERO
            },
            deletions: dice.chance(65),
            times,
            precision: dice.pick(&step).copied().unwrap_or(1),
            keyset: dice.chance(80),
            bookmarks,
            normalises: dice.chance(50),
            one_blank: dice.chance(25),
            unique_email: dice.chance(30),
            page: u32::try_from(dice.between(1, 7)).unwrap_or(3),
            order: u32::try_from(dice.between(1, 5)).unwrap_or(2),
            // Where windows follow change times, nothing is lost only while clock skew is less than their
            // overlap.
            skew_seconds: match bookmarks {
                true if dice.chance(10) => dice.between(7200, YEAR),
                true => dice.between(-7200, 7200),
                false => dice.between(-200, 200),
            },
            settable_times: bookmarks && dice.chance(40),
            faults: Faults {
                refused_calls: often(dice, 12),
                lost_answers: often(dice, 15),
                expired: often(dice, 6),
                odd_pages: often(dice, 15),
                put_off: often(dice, 10),
                unanswered: often(dice, 8),
                whole_orders: faulty && dice.chance(30),
            },
        }
    }

    /// Whether users may edit its records during a run, without the run overwriting an edit that it never
    /// saw.
    pub(crate) fn guards_edits(&self) -> bool {
        self.conditional || self.by_id
    }
}

/// The character of a history.
#[derive(Debug, Clone)]
pub struct Character {
    /// The topology.
    pub shape: Shape,
    /// The remote systems, as many as the topology has.
    pub remotes: Vec<Manners>,
    /// The deletion policy.
    pub deletes: DeletePolicy,
    /// The policy for fields that the judge cannot decide.
    pub unresolved: Unresolved,
    /// The policy for blanks, of the field city.
    pub blanks: Blanks,
    /// Whether the phone number flows to the right only.
    pub one_way_phone: bool,
    /// The policy for drift of that field.
    pub drift: Drift,
    /// Whether a side's filter excludes people whose city is «hidden».
    pub filtered: Sides<bool>,
    /// The deletion guard's limit of records.
    pub brake: u64,
    /// The side that wins every name, whatever changed.
    pub trusted: Option<Side>,
    /// Which of two people with the same address goes first.
    pub prefer: Ties,
    /// Whether the host clock steps. Where windows follow change times, it does not: what is reported would depend on
    /// the step.
    pub steps: bool,
    /// The number of operations.
    pub operations: usize,
    /// The percentage of runs that crash.
    pub crashes: u64,
    /// The percentage of calls before which a user edits something.
    pub edits_in_runs: u64,
    /// The rules of its fields.
    pub rules: Rules,
    /// Whether telephone and city are one fact.
    pub grouped: bool,
}

impl Character {
    /// Draws the character of the history of a seed, from these dice and from streams of its own.
    pub(crate) fn draw(seed: u64, dice: &mut Dice) -> Self {
        let shape = match dice.below(10) {
            0..=5 => Shape::Hub,
            6..=7 => Shape::Remotes,
            _ => Shape::FanOut,
        };
        let faulty = dice.chance(75);
        let remotes: Vec<Manners> =
            (0..if shape == Shape::Hub { 1 } else { 2 }).map(|_| Manners::draw(dice, faulty)).collect();
        let policies =
            [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Delete, DeletePolicy::Recreate];
        let deletes = dice.pick(&policies).copied().unwrap_or_default();
        let steps = remotes.iter().all(|remote| remote.bookmarks) && dice.chance(50);
        Self {
            shape,
            remotes,
            steps,
            deletes,
            unresolved: dice
                .pick(&[
                    Unresolved::Hold,
                    Unresolved::Hold,
                    Unresolved::Left,
                    Unresolved::Right,
                    Unresolved::Latest,
                ])
                .copied()
                .unwrap_or_default(),
            blanks: dice
                .pick(&[Blanks::Overwrite, Blanks::Overwrite, Blanks::Keep, Blanks::Fill])
                .copied()
                .unwrap_or_default(),
            one_way_phone: dice.chance(20),
            drift: dice.pick(&[Drift::Keep, Drift::Restore]).copied().unwrap_or_default(),
            filtered: Sides::new(dice.chance(12), dice.chance(12)),
            brake: if dice.chance(25) { 1 } else { 10 },
            trusted: match dice.below(5) {
                0 => Some(Side::Left),
                // Two systems that both win against the hub never agree.
                1 if shape != Shape::FanOut => Some(Side::Right),
                _ => None,
            },
            prefer: dice
                .pick(&[Ties::First, Ties::First, Ties::LowestId, Ties::City])
                .copied()
                .unwrap_or(Ties::First),
            operations: 15 + dice.below(45),
            crashes: if dice.chance(70) { u64::try_from(dice.between(5, 40)).unwrap_or(5) } else { 0 },
            edits_in_runs: if dice.chance(60) { u64::try_from(dice.between(2, 12)).unwrap_or(2) } else { 0 },
            rules: Rules::draw(seed),
            // From dice of its own, so that all else of a seed stays as it is without it.
            grouped: Dice::new(seed ^ 0x6772_6f75_7073).chance(40),
        }
    }
}
