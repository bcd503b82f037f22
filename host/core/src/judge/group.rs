//! Settling a group: fields that are one fact, such as the parts of an address, have one winner.

use super::claim::{Basis, Evidence, Winner};
use super::policy::FieldRules;
use super::settle::{Current, Decision, Halves, Settled, Why, changed, contest, decided, settle};
use super::side::{Side, Sides};
use crate::record::{FieldTime, Timestamp};

/// A field of a group, as [`settle`] takes it.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The rules of the field.
    pub rules: &'a FieldRules<'a>,
    /// The agreed values.
    pub agreed: Option<Halves<'a>>,
    /// The current state on both sides.
    pub now: Sides<Option<Current<'a>>>,
}

/// The decisions about the fields of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct OneFact {
    /// By field, in the order of the members.
    pub settled: Vec<Settled>,
    /// Where the fields were judged together, the time of the fact on each side.
    pub times: Option<Sides<Option<FieldTime>>>,
}

/// Settles the fields of a group. Where both sides have something to say, be it of one field or of several, they are judged
/// as one: by the newest change of each side, and for all fields, so that no mixture of the two comes out; unless the newer fact
/// has nothing where the other has something, which is unresolved. Where only one
/// side does, or where what one has is what the other lacks, each field is settled for itself, which comes to the same.
pub fn settle_group(members: &[Member<'_>]) -> OneFact {
    let own: Vec<Settled> = members
        .iter()
        .map(|member| settle(member.rules, member.agreed, member.now.left, member.now.right))
        .collect();
    if !is_contested(&own) {
        return OneFact { settled: own, times: None };
    }
    let times = Sides::by(|side| time_of(members, &own, side));
    let lacks = lacks_a_part(members, &own, times);
    let settled = members.iter().zip(own).map(|(member, own)| match member.now.both() {
        Some(now) if own.why != Why::Same => {
            let evidence = times.map(|time| Evidence::of(time, member.rules.precision));
            let judged = match lacks {
                true => decided(member.rules, &now, &evidence, Winner::Unresolved, Basis::LacksPart),
                false => contest(member.rules, &now, evidence),
            };
            // What differs on purpose goes along with the rest, but is nothing to be asked about.
            if own.why == Why::AsAgreed && judged.decision == Decision::Conflict { own } else { judged }
        }
        _ => own,
    });
    OneFact { settled: settled.collect(), times: Some(times) }
}

/// Whether the side that would win has no value in a field that the other side has filled, and never took it away. A blank
/// that nobody wrote replaces nothing; and to fill it in would mix the two.
fn lacks_a_part(members: &[Member<'_>], own: &[Settled], times: Sides<Option<FieldTime>>) -> bool {
    members.iter().zip(own).any(|(member, own)| {
        let Some(now) = member.now.both() else { return false };
        let evidence = times.map(|time| Evidence::of(time, member.rules.precision));
        let Why::Judged(winner, _) = contest(member.rules, &now, evidence).why else { return false };
        let had = member.agreed.and_then(Sides::both).is_some_and(|halves| !halves[winner].is_blank());
        let differs = !matches!(own.why, Why::Same | Why::AsAgreed);
        differs && now[winner].value.is_blank() && !now[winner.other()].value.is_blank() && !had
    })
}

/// Whether both sides have changed the fact, or say something else of it when they first meet.
fn is_contested(own: &[Settled]) -> bool {
    let mut speaks = Sides::new(false, false);
    let mut strong = false;
    for settled in own {
        match settled.why {
            Why::Undecided(_) => return true,
            Why::OnlyChange(side) | Why::Judged(side, _) | Why::Policy(side, _) | Why::Guessed(side, _) => {
                speaks[side] = true;
                strong = true;
            }
            // A policy has withheld the blank, or the value, of the other side.
            Why::BlankKept(target) | Why::RequiredBlank(target) | Why::NotEmpty(target) => {
                speaks[target.other()] = true;
                strong = true;
            }
            Why::ValueBeatsBlank(side) => speaks[side] = true,
            _ => {}
        }
    }
    strong && speaks == Sides::new(true, true)
}

/// When the fact came to be on a side: at its newest change. Unknown, if that of one of its changed fields is.
fn time_of(members: &[Member<'_>], own: &[Settled], side: Side) -> Option<FieldTime> {
    let moved = members.iter().zip(own).filter(|(member, own)| {
        let Some(now) = member.now[side].filter(|_| own.why != Why::Same) else { return false };
        match member.agreed.and_then(Sides::both) {
            Some(halves) => changed(member.rules, side, halves[side], now.value),
            None => !now.value.is_blank(),
        }
    });
    let mut of_all: Option<FieldTime> = None;
    for (member, _) in moved {
        let time = member.now[side]?.time?;
        of_all = Some(of_all.map_or(time, |before| newest(before, time)));
    }
    of_all
}

/// The time of two changes together: when the later of them was made.
fn newest(a: FieldTime, b: FieldTime) -> FieldTime {
    let (last, other) = if (a.at, b.certain) > (b.at, a.certain) { (a, b) } else { (b, a) };
    if last.certain {
        return last;
    }
    let first = |time: FieldTime| if time.certain { Some(time.at) } else { time.after };
    let after: Option<Timestamp> = first(last).max(first(other));
    FieldTime::between(after, last.at)
}

#[cfg(test)]
mod tests;
