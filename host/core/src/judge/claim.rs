//! The judge's modes: two claims on a field, compared by the evidence of their change times.

use super::side::Side;
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
    /// A lower bound of the field's change time: at this moment the side still had its old value. Counts in
    /// mode span only.
    pub after: Option<Timestamp>,
}

impl Evidence {
    /// Evidence from a field's change time, truncated to `precision`. A certain time also serves as the
    /// possible one, so that an unrelated edit of the record never decides.
    pub fn of(time: Option<FieldTime>, precision: u64) -> Self {
        let Some(time) = time else { return Self::default() };
        let at = time.at.cut_to(precision);
        // The first moment of the span is the one after `after`.
        let first = |after: Timestamp| Timestamp::from_micros(after.micros().saturating_add(1));
        Self {
            certain: time.certain.then_some(at),
            possible: Some(at),
            after: time.lower().map(|after| first(after).cut_to(precision).earlier_by(1)),
        }
    }

    /// The side with the later upper bound, left being this one: a guess where spans meet. `None` where one has no
    /// upper bound, or they are equal.
    pub(super) fn latest(&self, right: &Self) -> Option<Side> {
        match later(self.upper(), right.upper())? {
            Winner::Left => Some(Side::Left),
            _ => Some(Side::Right),
        }
    }

    /// The span's lower bound, exclusive; a certain time is a span of one moment.
    #[inline]
    fn lower(&self) -> Option<Timestamp> {
        self.certain.map(|at| at.earlier_by(1)).or(self.after)
    }

    /// The span's upper bound, inclusive.
    #[inline]
    fn upper(&self) -> Option<Timestamp> {
        self.certain.or(self.possible)
    }
}

/// A side's value with its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a, V: ?Sized> {
    /// The value claimed.
    pub value: &'a V,
    /// Its evidence.
    pub evidence: &'a Evidence,
}

/// Which evidence counts. The first three are Mautic's: each decides whatever the one before it decides, and
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Both certain times: the later wins.
    Hard,
    /// Hard, then both possible times.
    Best,
    /// Best, then one side's certain time that is later than the other side's possible time.
    Fuzzy,
    /// The spans in which the values came to be: where they do not meet, the later wins. What syncs use.
    Span,
}

impl Mode {
    /// Mautic's modes, strictest first.
    pub const MAUTIC: [Mode; 3] = [Mode::Hard, Mode::Best, Mode::Fuzzy];
    /// Every mode.
    pub const ALL: [Mode; 4] = [Mode::Hard, Mode::Best, Mode::Fuzzy, Mode::Span];

    /// The word for the mode.
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Hard => "hard",
            Mode::Best => "best",
            Mode::Fuzzy => "fuzzy",
            Mode::Span => "span",
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
    /// The spans in which the values came to be do not meet: the later wins.
    LaterSpan,
    /// The spans in which the values came to be meet.
    SpansMeet,
    /// The times are known and equal.
    SameTime,
    /// A side has no time that the mode may use.
    NoEvidence,
    /// Of a group: the newer fact lacks a part that the other side has, and nobody has taken it away.
    LacksPart,
}

impl Basis {
    /// A sentence for people.
    pub const fn text(self) -> &'static str {
        match self {
            Basis::SameContent => "both sides have the same content",
            Basis::LaterCertain => "its certain change time is later",
            Basis::LaterPossible => "its possible change time is later",
            Basis::CertainAfterPossible => "it certainly changed after the other side's last possible change",
            Basis::LaterSpan => "it came to be after the other side's value",
            Basis::SpansMeet => "the spans of time in which the two values came to be meet",
            Basis::SameTime => "both sides changed at the same time",
            Basis::NoEvidence => "the change times do not tell which is newer",
            Basis::LacksPart => "the newer one lacks a part that the other has",
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

/// Mode span. Two certain times are compared as in mode hard.
#[inline(never)]
fn weigh_spans(left: &Evidence, right: &Evidence) -> Verdict {
    let wholly_after = |one: &Evidence, other: &Evidence| matches!((one.lower(), other.upper()), (Some(lower), Some(upper)) if lower >= upper);
    let hard = left.certain.is_some() && right.certain.is_some();
    let decided = if hard { Basis::LaterCertain } else { Basis::LaterSpan };
    match (wholly_after(left, right), wholly_after(right, left)) {
        (true, false) => Verdict { winner: Winner::Left, reason: decided },
        (false, true) => Verdict { winner: Winner::Right, reason: decided },
        // Both can hold only where a lower bound does not lie before its upper one.
        _ => {
            let reason = match (left.upper(), right.upper()) {
                (Some(_), Some(_)) if hard => Basis::SameTime,
                (Some(_), Some(_)) => Basis::SpansMeet,
                _ => Basis::NoEvidence,
            };
            Verdict { winner: Winner::Unresolved, reason }
        }
    }
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
fn weigh(mode: Mode, left: &Evidence, right: &Evidence) -> Verdict {
    if let Some(winner) = later(left.certain, right.certain) {
        return Verdict { winner, reason: Basis::LaterCertain };
    }
    if mode != Mode::Hard {
        if mode == Mode::Span {
            return weigh_spans(left, right);
        }
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

    fn evidence(certain: Option<i64>, possible: Option<i64>) -> Evidence {
        Evidence {
            certain: certain.map(Timestamp::from_micros),
            possible: possible.map(Timestamp::from_micros),
            after: None,
        }
    }

    fn verdict(mode: Mode, left: Evidence, right: Evidence) -> (Winner, Basis) {
        let verdict =
            judge(mode, &Claim { value: "l", evidence: &left }, &Claim { value: "r", evidence: &right });
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
            for (mode, winner) in Mode::MAUTIC.into_iter().zip(winners) {
                let (said, _) = verdict(mode, evidence(left.0, left.1), evidence(right.0, right.1));
                assert_eq!(said, *winner, "{mode:?} {left:?} {right:?}");
            }
        }
    }

    #[test]
    fn equal_content_is_agreement_whatever_the_times() {
        for mode in Mode::ALL {
            let evidence = [1, 2].map(|at| evidence(Some(at), Some(at)));
            let [left, right] = evidence.each_ref().map(|evidence| Claim { value: "x", evidence });
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

    fn any_span() -> impl Strategy<Value = Evidence> {
        let span = (0i64..5, prop::option::of(1i64..4)).prop_map(|(by, before)| Evidence {
            after: before.map(|before| Timestamp::from_micros(by - before)),
            ..evidence(None, Some(by))
        });
        prop_oneof![
            (0i64..5).prop_map(|at| evidence(Some(at), Some(at))),
            span,
            (0i64..5).prop_map(|after| Evidence {
                after: Some(Timestamp::from_micros(after)),
                ..evidence(None, None)
            }),
            Just(evidence(None, None)),
        ]
    }

    fn turned(winner: Winner) -> Winner {
        match winner {
            Winner::Left => Winner::Right,
            Winner::Right => Winner::Left,
            other => other,
        }
    }

    /// The evidence of the left and of the right, and the verdict.
    #[test]
    fn the_table_of_spans() {
        use Winner::{Left, Right, Unresolved};
        let span = |after: Option<i64>, by: i64| Evidence {
            after: after.map(Timestamp::from_micros),
            ..evidence(None, Some(by))
        };
        let certain = |at: i64| evidence(Some(at), Some(at));
        let table = [
            // An upper bound alone never beats anything: the value may be as old as can be.
            (span(None, 9), certain(5), Unresolved, Basis::SpansMeet),
            (span(None, 9), span(None, 5), Unresolved, Basis::SpansMeet),
            (span(None, 4), certain(5), Right, Basis::LaterSpan),
            (span(None, 5), certain(5), Unresolved, Basis::SpansMeet),
            // The old value was still there at the moment of the other's change.
            (span(Some(5), 9), certain(5), Left, Basis::LaterSpan),
            (span(Some(4), 9), certain(5), Unresolved, Basis::SpansMeet),
            (span(Some(5), 9), span(Some(2), 5), Left, Basis::LaterSpan),
            (certain(6), certain(5), Left, Basis::LaterCertain),
            (certain(5), certain(5), Unresolved, Basis::SameTime),
            (certain(5), evidence(None, None), Unresolved, Basis::NoEvidence),
        ];
        for (left, right, winner, reason) in table {
            assert_eq!(verdict(Mode::Span, left, right), (winner, reason), "{left:?} {right:?}");
        }
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
        fn turned_round_the_other_span_wins(left in any_span(), right in any_span()) {
            let (winner, why) = verdict(Mode::Span, left, right);
            prop_assert_eq!((turned(winner), why), verdict(Mode::Span, right, left));
        }

        /// More doubt on a side may leave open what was decided, and never decides anything new.
        #[test]
        fn a_wider_span_never_decides(left in any_span(), right in any_span(), wider in (0i64..3, 0i64..3), forget in any::<[bool; 2]>()) {
            let lower = left.lower().filter(|_| !forget[0]).map(|lower| lower.earlier_by(wider.0));
            let upper = left.upper().filter(|_| !forget[1]).map(|upper| upper.earlier_by(-wider.1));
            let doubtful = Evidence { certain: None, possible: upper, after: lower };
            let (before, after) = (verdict(Mode::Span, left, right).0, verdict(Mode::Span, doubtful, right).0);
            prop_assert!(after == before || after == Winner::Unresolved, "{:?} became {:?}", before, after);
        }

        #[test]
        fn with_certain_times_on_both_sides_span_is_hard(left in 0i64..4, right in 0i64..4) {
            let [left, right] = [left, right].map(|at| evidence(Some(at), Some(at)));
            prop_assert_eq!(verdict(Mode::Span, left, right), verdict(Mode::Hard, left, right));
        }

        /// Whatever a span says for sure is so for every moment in it.
        #[test]
        fn a_span_decides_as_every_moment_in_it(left in any_span(), right in any_span()) {
            let said = verdict(Mode::Span, left, right).0;
            let moments = |span: Evidence| {
                let first = span.lower().map_or(-2, |lower| lower.micros() + 1);
                first..=span.upper().map_or(8, Timestamp::micros)
            };
            for (l, r) in moments(left).flat_map(|l| moments(right).map(move |r| (l, r))) {
                match said {
                    Winner::Left => prop_assert!(l > r),
                    Winner::Right => prop_assert!(r > l),
                    _ => {}
                }
            }
        }

        /// A coarse side cuts its times: what is decided then is so for every time that is cut to them.
        #[test]
        fn cut_times_decide_as_the_true_ones(left in 1i64..40, right in 1i64..40, before in 0i64..20, precision in 1u64..8) {
            let span = FieldTime::between(Some(Timestamp::from_micros(left - 1 - before)), Timestamp::from_micros(left));
            let exact = FieldTime::certain(Timestamp::from_micros(right));
            let (left, right) = (Evidence::of(Some(span), precision), Evidence::of(Some(exact), precision));
            match verdict(Mode::Span, left, right).0 {
                Winner::Left => prop_assert!(span.after.unwrap() >= exact.at),
                Winner::Right => prop_assert!(exact.at > span.at),
                _ => {}
            }
        }

        #[test]
        fn a_wider_mode_decides_what_a_stricter_one_decided(left in any_evidence(), right in any_evidence()) {
            let said = Mode::MAUTIC.map(|mode| verdict(mode, left, right).0);
            for pair in said.windows(2) {
                if pair[0] != Winner::Unresolved {
                    prop_assert_eq!(pair[0], pair[1]);
                }
            }
        }

        #[test]
        fn shifting_all_clocks_changes_nothing(left in any_evidence(), right in any_evidence(), shift in -1000i64..1000) {
            let moved = |e: Evidence| Evidence { certain: e.certain.map(|t| t.earlier_by(shift)), possible: e.possible.map(|t| t.earlier_by(shift)), after: e.after.map(|t| t.earlier_by(shift)) };
            for mode in Mode::ALL {
                prop_assert_eq!(verdict(mode, left, right), verdict(mode, moved(left), moved(right)));
            }
        }
    }
}
