//! One field of one pair: the first rule that applies decides, then the policies apply to the winner.

use super::canonical::same_content;
use super::claim::{Basis, Claim, Evidence, Mode, Winner, judge};
use super::policy::{Blanks, Drift, FieldRules, Unresolved, WriteRule};
use super::sets;
use super::side::{Side, Sides};
use crate::record::{FieldTime, Value};
use serde::{Deserialize, Serialize};

/// What a side has now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Current<'a> {
    /// The value in the words of its side.
    pub value: &'a Value,
    /// For a link to another record: the value as numbers of pairs, which both sides share. `None` for every
    /// other field, and where the record that is linked to is not known.
    pub link: Option<&'a Value>,
    /// When it changed, and how surely.
    pub time: Option<FieldTime>,
}

/// What was last settled: the left half and the right half, `None` where a half was never known.
pub type Halves<'a> = Sides<Option<&'a Value>>;

/// A value that a side shall be given.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The side that is written.
    pub target: Side,
    /// The value in the words of the target; a link still is one of the source side.
    pub value: Value,
    /// The value that it comes from, in the words of the source.
    pub source: Value,
    /// When that changed.
    pub time: Option<FieldTime>,
}

/// What is to be done about a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// A side has said nothing about the field yet.
    Unknown,
    /// Nothing is written; what stands on the two sides is what is agreed from now on.
    Agree,
    /// One side is written, or, for sets, both.
    Write(Vec<Write>),
    /// The field waits for the operator.
    Conflict,
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// What is to be done.
    pub decision: Decision,
    /// Why.
    pub why: Why,
}

/// Why a field was settled as it was. Serialised as its code, or as `{"code": data}` where there is data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A side has not delivered it.
    NotDelivered,
    /// The contents are equal.
    Same,
    /// Neither side has changed since they agreed to differ.
    AsAgreed,
    /// The operator trusts this side.
    Trusted(Side),
    /// The field flows one way, and this side is its source.
    Source(Side),
    /// The target of a one-way field was edited, and that is kept.
    DriftKept(Side),
    /// The target of a one-way field was edited, and that is undone.
    DriftRestored(Side),
    /// A value beats a blank at the first meeting.
    ValueBeatsBlank(Side),
    /// Only this side has changed.
    OnlyChange(Side),
    /// Sets are merged element by element.
    Merged,
    /// The judge decided for this side.
    Judged(Side, Basis),
    /// The judge could not decide, and the policy names this side.
    Policy(Side, Basis),
    /// The judge could not decide.
    Undecided(Basis),
    /// Nothing may flow towards this side.
    NotThisWay(Side),
    /// The field cannot be written on this side.
    NotWritable(Side),
    /// The write rule says never.
    NeverWritten,
    /// The write rule says only where it is empty.
    NotEmpty(Side),
    /// A blank does not replace a value.
    BlankKept(Side),
    /// The value is written back over this side's blank.
    BlankFilled(Side),
    /// A blank is not sent where the field is required.
    RequiredBlank(Side),
    /// The value map has no word for it on this side.
    NoSuchWord(Side),
    /// A new record is made.
    NewRecord,
}

impl Why {
    /// Its code: stable, for tables and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Why::NotDelivered => "not-delivered",
            Why::Same => "same",
            Why::AsAgreed => "as-agreed",
            Why::Trusted(_) => "trusted",
            Why::Source(_) => "source",
            Why::DriftKept(_) => "drift-kept",
            Why::DriftRestored(_) => "drift-restored",
            Why::ValueBeatsBlank(_) => "value-beats-blank",
            Why::OnlyChange(_) => "only-change",
            Why::Merged => "merged",
            Why::Judged(..) => "judged",
            Why::Policy(..) => "policy",
            Why::Undecided(_) => "undecided",
            Why::NotThisWay(_) => "not-this-way",
            Why::NotWritable(_) => "not-writable",
            Why::NeverWritten => "never-written",
            Why::NotEmpty(_) => "not-empty",
            Why::BlankKept(_) => "blank-kept",
            Why::BlankFilled(_) => "blank-filled",
            Why::RequiredBlank(_) => "required-blank",
            Why::NoSuchWord(_) => "no-such-word",
            Why::NewRecord => "new-record",
        }
    }
}

/// Settles one field of a pair whose two records are there.
pub fn settle(
    rules: &FieldRules<'_>,
    agreed: Option<Halves<'_>>,
    left: Option<Current<'_>>,
    right: Option<Current<'_>>,
) -> Settled {
    let (Some(left), Some(right)) = (left, right) else {
        return Settled { decision: Decision::Unknown, why: Why::NotDelivered };
    };
    let now = Sides { left, right };
    if equal(rules, &left, &right) {
        return agree(Why::Same);
    }
    // Both halves must be known for «changed» to mean anything.
    let agreed = agreed.and_then(Sides::both);
    let changed = agreed.map(|halves| Sides::by(|side| changed(rules, side, halves[side], now[side].value)));
    if let Some(side) = rules.trust {
        // What was settled with the trusted side's value may look different on the other one.
        return if changed == Some(Sides::new(false, false)) {
            agree(Why::AsAgreed)
        } else {
            give(rules, &now, side, Why::Trusted(side))
        };
    }
    if let Some(target) = rules.direction.only_target() {
        return one_way(rules, &now, target, changed);
    }
    if rules.set_like
        && let Some(settled) = merge_sets(rules, &now, agreed)
    {
        return settled;
    }
    match changed.map(Sides::into_array) {
        None => first_meeting(rules, &now),
        Some([false, false]) => agree(Why::AsAgreed),
        Some([true, false]) => give(rules, &now, Side::Left, Why::OnlyChange(Side::Left)),
        Some([false, true]) => give(rules, &now, Side::Right, Why::OnlyChange(Side::Right)),
        Some([true, true]) => contest(rules, &now),
    }
}

/// What a new record on `target` is given for a field: the value, or the reason why it is left out. `Err`
/// where the record cannot be made without it.
///
/// # Errors
/// The reason why no record can be made.
pub fn settle_new(
    rules: &FieldRules<'_>,
    source: Option<Current<'_>>,
    target: Side,
) -> Result<Result<Write, Why>, Why> {
    let required = rules.required[target];
    let left_out = |why: Why| if required { Err(why) } else { Ok(Err(why)) };
    let Some(current) = source else {
        return left_out(if required { Why::RequiredBlank(target) } else { Why::NotDelivered });
    };
    if current.value.is_blank() {
        // A new record has blanks anyway; sending them would only stamp them.
        return left_out(if required { Why::RequiredBlank(target) } else { Why::Same });
    }
    if !rules.direction.reaches(target) {
        return left_out(Why::NotThisWay(target));
    }
    if !rules.writable[target] {
        return left_out(Why::NotWritable(target));
    }
    if rules.write == WriteRule::Never {
        return left_out(Why::NeverWritten);
    }
    match rules.translate(current.value, target.other()) {
        Some(value) => Ok(Ok(Write { target, value, source: current.value.clone(), time: current.time })),
        None => left_out(Why::NoSuchWord(target)),
    }
}

fn agree(why: Why) -> Settled {
    Settled { decision: Decision::Agree, why }
}

fn equal(rules: &FieldRules<'_>, left: &Current<'_>, right: &Current<'_>) -> bool {
    if left.value.is_blank() && right.value.is_blank() && (rules.one_blank || is_link(left) || is_link(right))
    {
        return true;
    }
    if is_link(left) || is_link(right) {
        return match (left.link, right.link) {
            (Some(left), Some(right)) => same_content(rules.kinds, rules.set_like, left, right),
            _ => false,
        };
    }
    if rules.values.is_empty() {
        return same_content(rules.kinds, rules.set_like, left.value, right.value);
    }
    match rules.translate(right.value, Side::Right) {
        Some(right) => same_content(rules.kinds, rules.set_like, left.value, &right),
        None => false,
    }
}

fn is_link(current: &Current<'_>) -> bool {
    current.link.is_some() || matches!(current.value, Value::Reference(_) | Value::References(_))
}

/// Whether a side has changed: its value differs from its own half.
fn changed(rules: &FieldRules<'_>, side: Side, half: &Value, now: &Value) -> bool {
    let kind = &rules.kinds[side];
    half != now
        && !(rules.set_like && super::canonical(kind, true, half) == super::canonical(kind, true, now))
}

fn one_way(
    rules: &FieldRules<'_>,
    now: &Sides<Current<'_>>,
    target: Side,
    changed: Option<Sides<bool>>,
) -> Settled {
    let source = target.other();
    match changed.map(|changed| (changed[source], changed[target])) {
        None if now[source].value.is_blank() && !now[target].value.is_blank() => {
            agree(Why::ValueBeatsBlank(target))
        }
        None | Some((true, _)) => give(rules, now, source, Why::Source(source)),
        Some((false, true)) => match rules.drift {
            Drift::Keep => agree(Why::DriftKept(target)),
            Drift::Restore => give(rules, now, source, Why::DriftRestored(target)),
        },
        Some((false, false)) => agree(Why::AsAgreed),
    }
}

fn first_meeting(rules: &FieldRules<'_>, now: &Sides<Current<'_>>) -> Settled {
    match now.map(|current| current.value.is_blank()).into_array() {
        [false, true] => give(rules, now, Side::Left, Why::ValueBeatsBlank(Side::Left)),
        [true, false] => give(rules, now, Side::Right, Why::ValueBeatsBlank(Side::Right)),
        // Two kinds of blank that never were a value are no contradiction.
        [true, true] => agree(Why::Same),
        [false, false] => contest(rules, now),
    }
}

fn contest(rules: &FieldRules<'_>, now: &Sides<Current<'_>>) -> Settled {
    let Sides { left, right } = now
        .map(|current| Claim { value: current.value, evidence: Evidence::of(current.time, rules.precision) });
    // Fuzzy decides all that hard and best decide, in that order. The contents are known to differ: the same
    // text on two sides may be two different links.
    let verdict = judge(
        Mode::Fuzzy,
        &Claim { value: &0, evidence: left.evidence },
        &Claim { value: &1, evidence: right.evidence },
    );
    match (verdict.winner, rules.unresolved) {
        (Winner::Left, _) => give(rules, now, Side::Left, Why::Judged(Side::Left, verdict.reason)),
        (Winner::Right, _) => give(rules, now, Side::Right, Why::Judged(Side::Right, verdict.reason)),
        (_, Unresolved::Left) => give(rules, now, Side::Left, Why::Policy(Side::Left, verdict.reason)),
        (_, Unresolved::Right) => give(rules, now, Side::Right, Why::Policy(Side::Right, verdict.reason)),
        (_, Unresolved::Hold) => {
            Settled { decision: Decision::Conflict, why: Why::Undecided(verdict.reason) }
        }
    }
}

/// Whether a side may be written at all, whatever the value.
fn may_write(rules: &FieldRules<'_>, target: Side) -> Result<(), Why> {
    if !rules.direction.reaches(target) {
        return Err(Why::NotThisWay(target));
    }
    if !rules.writable[target] {
        return Err(Why::NotWritable(target));
    }
    if rules.write == WriteRule::Never {
        return Err(Why::NeverWritten);
    }
    Ok(())
}

/// Gives the winner's value to the other side, as far as the policies allow.
fn give(rules: &FieldRules<'_>, now: &Sides<Current<'_>>, winner: Side, why: Why) -> Settled {
    let target = winner.other();
    let (from, to) = (&now[winner], &now[target]);
    if let Err(why) = may_write(rules, target) {
        return agree(why);
    }
    if from.value.is_blank() {
        match rules.blanks {
            Blanks::Keep => return agree(Why::BlankKept(target)),
            Blanks::Fill if to.value.is_blank() => return agree(Why::BlankKept(target)),
            Blanks::Fill => {
                return match may_write(rules, winner) {
                    Ok(()) => send(rules, to, winner, Why::BlankFilled(winner)),
                    Err(_) => agree(Why::BlankKept(target)),
                };
            }
            Blanks::Overwrite if rules.required[target] => {
                return agree(Why::RequiredBlank(target));
            }
            Blanks::Overwrite => {}
        }
    }
    if rules.write == WriteRule::IfEmpty && !to.value.is_blank() {
        return agree(Why::NotEmpty(target));
    }
    send(rules, from, target, why)
}

fn send(rules: &FieldRules<'_>, from: &Current<'_>, target: Side, why: Why) -> Settled {
    match rules.translate(from.value, target.other()) {
        Some(value) => Settled {
            decision: Decision::Write(vec![Write {
                target,
                value,
                source: from.value.clone(),
                time: from.time,
            }]),
            why,
        },
        None => Settled { decision: Decision::Conflict, why: Why::NoSuchWord(target) },
    }
}

/// Merges two sets; `None` where a value is none.
fn merge_sets(
    rules: &FieldRules<'_>,
    now: &Sides<Current<'_>>,
    agreed: Option<Sides<&Value>>,
) -> Option<Settled> {
    let have = now.map(|current| sets::elements(Some(current.value))).both()?;
    let was = Sides::by(|side| sets::elements(agreed.map(|halves| halves[side]))).both()?;
    let merged = sets::merge(have.as_ref().map(Vec::as_slice), was.as_ref().map(Vec::as_slice));
    let mut writes = Vec::new();
    for side in Side::BOTH {
        let (new, old) = (&merged[side], &have[side]);
        let same = new.len() == old.len() && new.iter().all(|text| old.contains(text));
        if same || may_write(rules, side).is_err() || (new.is_empty() && rules.required[side]) {
            continue;
        }
        let source = &now[side.other()];
        let value = Value::Texts(new.iter().map(|text| (*text).to_owned()).collect());
        writes.push(Write { target: side, value, source: source.value.clone(), time: source.time });
    }
    Some(if writes.is_empty() {
        agree(Why::Merged)
    } else {
        Settled { decision: Decision::Write(writes), why: Why::Merged }
    })
}

#[cfg(test)]
mod tests;
