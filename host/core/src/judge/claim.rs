//! The judge's modes: two claims on a field, compared by the evidence of their change times.

use crate::record::{FieldTime, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The change times that the judge compares. An absent time is unknown, not «oldest».
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The field's own change time (certain).
    pub certain: Option<Timestamp>,
    /// An upper bound of the field's change time (possible): usually the record's change time.
    pub possible: Option<Timestamp>,
}

impl Evidence {
    /// Evidence from a field's change time, truncated to `precision`. A certain time also serves as the
    /// possible one, so that an unrelated edit of the record never decides.
    pub fn of(time: Option<FieldTime>, precision: u64) -> Self {
        let at = time.map(|time| time.at.cut_to(precision));
        Self { certain: at.filter(|_| time.is_some_and(|time| time.certain)), possible: at }
    }
}

/// A side's value with its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a, V: ?Sized> {
    /// The value claimed.
    pub value: &'a V,
    /// Its evidence.
    pub evidence: Evidence,
}

/// Which evidence counts. Each mode decides whatever the mode before it decides, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Both certain times: the later wins.
    Hard,
    /// Hard, then both possible times.
    Best,
    /// Best, then one side's certain time that is later than the other side's possible time.
    Fuzzy,
}

impl Mode {
    /// Every mode, strictest first.
    pub const ALL: [Mode; 3] = [Mode::Hard, Mode::Best, Mode::Fuzzy];

    /// The word for the mode.
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Hard => "hard",
            Mode::Best => "best",
            Mode::Fuzzy => "fuzzy",
        }
    }

    /// The mode with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// The winner of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Winner {
    /// The left claim.
    Left,
    /// The right claim.
    Right,
    /// Neither: the values are equal.
    Equal,
    /// Neither: the evidence does not decide.
    Unresolved,
}

impl Winner {
    /// The word for the winner.
    pub const fn word(self) -> &'static str {
        match self {
            Winner::Left => "left",
            Winner::Right => "right",
            Winner::Equal => "equal",
            Winner::Unresolved => "unresolved",
        }
    }
}

/// The evidence that a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The contents are equal.
    SameContent,
    /// Both certain times are known, and they differ: the later wins.
    LaterCertain,
    /// Both possible times are known, and they differ: the later wins.
    LaterPossible,
    /// A certain time is later than the other side's possible time.
    CertainAfterPossible,
    /// The times are known and equal.
    SameTime,
    /// A side has no time that the mode may use.
    NoEvidence,
}

impl Basis {
    /// A sentence for people.
    pub const fn text(self) -> &'static str {
        match self {
            Basis::SameContent => "both sides have the same content",
            Basis::LaterCertain => "its certain change time is later",
            Basis::LaterPossible => "its possible change time is later",
            Basis::CertainAfterPossible => "it certainly changed after the other side's last possible change",
            Basis::SameTime => "both sides changed at the same time",
            Basis::NoEvidence => "the change times do not tell which is newer",
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The judge's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Which side wins.
    pub winner: Winner,
    /// Why.
    pub reason: Basis,
}

/// Compares two claims. Equal values are agreement in every mode; equal times never decide; the values
/// themselves have no influence beyond their equality.
#[inline]
pub fn judge<V: PartialEq + ?Sized>(mode: Mode, left: &Claim<'_, V>, right: &Claim<'_, V>) -> Verdict {
    if left.value == right.value {
        return Verdict { winner: Winner::Equal, reason: Basis::SameContent };
    }
    weigh(mode, left.evidence, right.evidence)
}

/// The side with the later time, if both times are known and differ.
#[inline]
fn later(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Winner> {
    match (left, right) {
        (Some(left), Some(right)) if left > right => Some(Winner::Left),
        (Some(left), Some(right)) if left < right => Some(Winner::Right),
        _ => None,
    }
}

#[inline]
fn weigh(mode: Mode, left: Evidence, right: Evidence) -> Verdict {
    if let Some(winner) = later(left.certain, right.certain) {
        return Verdict { winner, reason: Basis::LaterCertain };
    }
    if mode != Mode::Hard {
        if let Some(winner) = later(left.possible, right.possible) {
            return Verdict { winner, reason: Basis::LaterPossible };
        }
        if mode == Mode::Fuzzy {
            if later(left.certain, right.possible) == Some(Winner::Left) {
                return Verdict { winner: Winner::Left, reason: Basis::CertainAfterPossible };
            }
            if later(left.possible, right.certain) == Some(Winner::Right) {
                return Verdict { winner: Winner::Right, reason: Basis::CertainAfterPossible };
            }
        }
    }
    let tie = (left.certain.is_some() && left.certain == right.certain)
        || (mode != Mode::Hard && left.possible.is_some() && left.possible == right.possible);
    Verdict { winner: Winner::Unresolved, reason: if tie { Basis::SameTime } else { Basis::NoEvidence } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(n: i64) -> Option<Timestamp> {
        Some(Timestamp::from_micros(n))
    }

    fn evidence(certain: Option<i64>, possible: Option<i64>) -> Evidence {
        Evidence {
            certain: certain.map(Timestamp::from_micros),
            possible: possible.map(Timestamp::from_micros),
        }
    }

    fn verdict(mode: Mode, left: Evidence, right: Evidence) -> (Winner, Basis) {
        let verdict =
            judge(mode, &Claim { value: "l", evidence: left }, &Claim { value: "r", evidence: right });
        (verdict.winner, verdict.reason)
    }

    /// Left and right evidence (certain, possible), and the winner in each mode.
    #[test]
    fn the_table_of_modes() {
        use Winner::{Left, Right, Unresolved};
        type Times = (Option<i64>, Option<i64>);
        let table: &[(Times, Times, [Winner; 3])] = &[
            ((Some(2), None), (Some(1), None), [Left, Left, Left]),
            ((Some(1), None), (Some(2), None), [Right, Right, Right]),
            ((Some(1), None), (Some(1), None), [Unresolved, Unresolved, Unresolved]),
            ((None, Some(2)), (None, Some(1)), [Unresolved, Left, Left]),
            ((None, Some(1)), (None, Some(2)), [Unresolved, Right, Right]),
            ((None, Some(1)), (None, Some(1)), [Unresolved, Unresolved, Unresolved]),
            ((Some(2), None), (None, Some(1)), [Unresolved, Unresolved, Left]),
            ((None, Some(1)), (Some(2), None), [Unresolved, Unresolved, Right]),
            ((Some(1), None), (None, Some(2)), [Unresolved, Unresolved, Unresolved]),
            ((Some(1), None), (None, Some(1)), [Unresolved, Unresolved, Unresolved]),
            // Certain times decide before possible ones.
            ((Some(2), Some(3)), (Some(1), Some(9)), [Left, Left, Left]),
            ((Some(5), Some(5)), (Some(5), Some(6)), [Unresolved, Right, Right]),
            ((None, None), (Some(1), Some(1)), [Unresolved, Unresolved, Unresolved]),
            ((None, None), (None, None), [Unresolved, Unresolved, Unresolved]),
        ];
        for (left, right, winners) in table {
            for (mode, winner) in Mode::ALL.into_iter().zip(winners) {
                let (said, _) = verdict(mode, evidence(left.0, left.1), evidence(right.0, right.1));
                assert_eq!(said, *winner, "{mode:?} {left:?} {right:?}");
            }
        }
    }

    #[test]
    fn equal_content_is_agreement_whatever_the_times() {
        for mode in Mode::ALL {
            let left = Claim { value: "x", evidence: Evidence { certain: at(1), possible: at(1) } };
            let right = Claim { value: "x", evidence: Evidence { certain: at(2), possible: at(2) } };
            assert_eq!(
                judge(mode, &left, &right),
                Verdict { winner: Winner::Equal, reason: Basis::SameContent }
            );
        }
    }

    #[test]
    fn a_reason_names_the_kind_of_silence() {
        assert_eq!(verdict(Mode::Hard, evidence(Some(1), None), evidence(Some(1), None)).1, Basis::SameTime);
        assert_eq!(
            verdict(Mode::Hard, evidence(None, Some(1)), evidence(None, Some(2))).1,
            Basis::NoEvidence
        );
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let time = || prop::option::of(0i64..4);
        (time(), time()).prop_map(|(certain, possible)| evidence(certain, possible))
    }

    proptest! {
        #[test]
        fn swapping_the_sides_swaps_the_winner(left in any_evidence(), right in any_evidence()) {
            // Mode fuzzy asks the left side first, so that it is not symmetric where both sides would win.
            for mode in [Mode::Hard, Mode::Best] {
                let (a, why) = verdict(mode, left, right);
                let (b, why_swapped) = verdict(mode, right, left);
                let swapped = match b { Winner::Left => Winner::Right, Winner::Right => Winner::Left, other => other };
                prop_assert_eq!(a, swapped);
                prop_assert_eq!(why, why_swapped);
            }
        }

        #[test]
        fn a_wider_mode_decides_what_a_stricter_one_decided(left in any_evidence(), right in any_evidence()) {
            let said = Mode::ALL.map(|mode| verdict(mode, left, right).0);
            for pair in said.windows(2) {
                if pair[0] != Winner::Unresolved {
                    prop_assert_eq!(pair[0], pair[1]);
                }
            }
        }

        #[test]
        fn shifting_all_clocks_changes_nothing(left in any_evidence(), right in any_evidence(), shift in -1000i64..1000) {
            let moved = |e: Evidence| Evidence { certain: e.certain.map(|t| t.earlier_by(shift)), possible: e.possible.map(|t| t.earlier_by(shift)) };
            for mode in Mode::ALL {
                prop_assert_eq!(verdict(mode, left, right), verdict(mode, moved(left), moved(right)));
            }
        }
    }
}
