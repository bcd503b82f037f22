//! What a history is like: every feature that can be on or off, in one place.

use crate::dice::Dice;
use entente_sync::{Blanks, ChangeTimes, DeletePolicy, Drift, Sides, Unresolved};
use std::time::Duration;

/// What is not drawn, because the engine does not get it right yet.
pub const KNOWN: &[Feature] = &[
    Feature::EditBeforeWrite,
    Feature::RefusedBatch,
    Feature::DeletePolicies,
    Feature::Merges,
    Feature::Absence,
];

/// What a history may have that the plainest one has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// People edit, between report and order, records of a remote system that refuses no stale write.
    EditBeforeWrite,
    /// A remote system refuses a whole order for the sake of one record in it.
    RefusedBatch,
    /// Deletions go further than the record that was deleted.
    DeletePolicies,
    /// A remote system joins two records and says so.
    Merges,
    /// What a complete listing no longer has is gone.
    Absence,
}

impl Feature {
    /// What it is, for whoever reads the result of the simulation.
    pub const fn words(self) -> &'static str {
        match self {
            Feature::EditBeforeWrite => {
                "edits between report and order at a remote system that refuses no stale write"
            }
            Feature::RefusedBatch => "orders refused as a whole for the sake of one record",
            Feature::DeletePolicies => "deletions that go further than the record that was deleted",
            Feature::Merges => "remote systems that join two records and say so",
            Feature::Absence => "records that are gone because a complete listing no longer has them",
        }
    }
}

/// Whether a feature may be drawn.
pub(crate) fn on(feature: Feature) -> bool {
    !KNOWN.contains(&feature)
}

/// Who is synced with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The hub with one remote system.
    Hub,
    /// Two remote systems with each other.
    Remotes,
    /// The hub with two remote systems.
    FanOut,
}

/// What a remote system can do, and its manners.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The same change id makes a record once only.
    pub idempotent: bool,
    /// Writes of records that have changed are refused.
    pub conditional: bool,
    /// Records can be read by their id.
    pub by_id: bool,
    /// Records can be looked up.
    pub find: bool,
    /// New records are found only so much later.
    pub search_lag: Duration,
    /// Deletions are reported.
    pub deletions: bool,
    /// How exactly changes are dated.
    pub times: ChangeTimes,
    /// The step of those times in microseconds.
    pub precision: i64,
    /// Full listings go by key and are complete; else they go by offset, and rows that move are missed.
    pub keyset: bool,
    /// Reports give a bookmark.
    pub bookmarks: bool,
    /// Values are rewritten when they are stored.
    pub normalises: bool,
    /// Null and empty text are one thing.
    pub one_blank: bool,
    /// No two people have the same e-mail address.
    pub unique_email: bool,
    /// Rows of a page.
    pub page: u32,
    /// Changes of an order.
    pub order: u32,
    /// How much its clock is ahead.
    pub skew_seconds: i64,
    /// People may set the time of a change themselves.
    pub settable_times: bool,
    /// What goes wrong.
    pub faults: Faults,
}

/// How often what goes wrong, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Calls that fail before anything is done.
    pub refused_calls: u64,
    /// Orders that are carried out, at least in part, and whose answer is lost.
    pub lost_answers: u64,
    /// Bookmarks and cursors that are no longer good.
    pub expired: u64,
    /// Pages that come once more, or with their rows in another order.
    pub odd_pages: u64,
    /// Changes that are put off.
    pub put_off: u64,
    /// Changes that are left out of the answer.
    pub unanswered: u64,
    /// Orders that are refused as a whole for one record that cannot be taken.
    pub whole_orders: bool,
}

impl Manners {
    /// A remote system that can do everything and never fails.
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
        // Where neither bookmarks nor times say what is new, every report is a whole listing.
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
            // Where windows follow the change times, only clocks that agree within their overlap lose
            // nothing.
            skew_seconds: if bookmarks { dice.between(-7200, 7200) } else { dice.between(-200, 200) },
            settable_times: bookmarks && dice.chance(40),
            faults: Faults {
                refused_calls: often(dice, 12),
                lost_answers: often(dice, 15),
                expired: often(dice, 6),
                odd_pages: often(dice, 15),
                put_off: often(dice, 10),
                unanswered: often(dice, 8),
                whole_orders: faulty && on(Feature::RefusedBatch) && dice.chance(30),
            },
        }
    }

    /// Whether people may edit its records while a run is under way, without the run being able to overwrite
    /// what it never saw.
    pub(crate) fn guards_edits(&self) -> bool {
        self.conditional || (self.by_id && on(Feature::EditBeforeWrite))
    }
}

/// What a history is like.
#[derive(Debug, Clone)]
pub struct Character {
    /// Who is synced with whom.
    pub shape: Shape,
    /// The remote systems, as many as the shape has.
    pub remotes: Vec<Manners>,
    /// What happens to the counterpart of a deleted record.
    pub deletes: DeletePolicy,
    /// Conflicts that the judge leaves open.
    pub unresolved: Unresolved,
    /// What blanks do to cities.
    pub blanks: Blanks,
    /// The phone number flows to the right only.
    pub one_way_phone: bool,
    /// What an edit on the wrong side of such a field becomes.
    pub drift: Drift,
    /// People whose city is «hidden» take no part, by side.
    pub filtered: Sides<bool>,
    /// The brake stops at so many records.
    pub brake: u64,
    /// Operations before the end.
    pub operations: usize,
    /// Of a hundred runs, how many are stopped dead.
    pub crashes: u64,
    /// Of a hundred calls, before how many people edit something.
    pub edits_in_runs: u64,
}

impl Character {
    /// Draws one.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let shape = match dice.below(10) {
            0..=5 => Shape::Hub,
            6..=7 => Shape::Remotes,
            _ => Shape::FanOut,
        };
        let faulty = dice.chance(75);
        let remotes =
            (0..if shape == Shape::Hub { 1 } else { 2 }).map(|_| Manners::draw(dice, faulty)).collect();
        let policies =
            [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Delete, DeletePolicy::Recreate];
        let deletes =
            dice.pick(&policies).copied().filter(|_| on(Feature::DeletePolicies)).unwrap_or_default();
        Self {
            shape,
            remotes,
            deletes,
            unresolved: dice
                .pick(&[Unresolved::Hold, Unresolved::Hold, Unresolved::Left, Unresolved::Right])
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
            operations: 15 + dice.below(45),
            crashes: if dice.chance(70) { u64::try_from(dice.between(5, 40)).unwrap_or(5) } else { 0 },
            edits_in_runs: if dice.chance(60) { u64::try_from(dice.between(2, 12)).unwrap_or(2) } else { 0 },
        }
    }
}
