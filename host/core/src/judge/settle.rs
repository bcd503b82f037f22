//! Settling one field of a pair: the first rule that applies chooses a winner, then the field's policies are
//! applied to its value.

use super::canonical::same_content;
use super::claim::{Basis, Claim, Evidence, Mode, Winner, judge};
use super::policy::{Blanks, Drift, FieldRules, Unresolved, WriteRule};
use super::sets;
use super::side::{Side, Sides};
use crate::record::{FieldTime, Kind, Value};
use serde::{Deserialize, Serialize};

/// The current state of a field on one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Current<'a> {
    /// The value as this side reports it.
    pub value: &'a Value,
    /// For a reference to a known record: the value as pair numbers, which both sides share. `None` for every
    /// other field, and where the referenced record is not in a pair.
    pub link: Option<&'a Value>,
    /// The change time, with whether it is certain.
    pub time: Option<FieldTime>,
}

/// The agreed values, left half and right half; `None` where a half was never known.
pub type Halves<'a> = Sides<Option<&'a Value>>;

/// A value that a side shall be given.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The side that is written.
    pub target: Side,
    /// The value as the target stores it; a reference still names the source's record.
    pub value: Value,
    /// The source's value that it was translated from.
    pub source: Value,
    /// The change time of the source's value.
    pub time: Option<FieldTime>,
}

/// What to do about a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing: a side has not reported the field yet.
    Unknown,
    /// Nothing is written; the current values become the agreed ones.
    Agree,
    /// One side is written; for a merged set possibly both.
    Write(Vec<Write>),
    /// The field is in conflict and waits for the operator.
    Conflict,
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// What to do.
    pub decision: Decision,
    /// Why.
    pub why: Why,
}

/// Why a field was settled as it was. Serialised as its code, or as `{"code": data}` where it carries data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A side has not reported the field.
    NotDelivered,
    /// The two values have equal content.
    Same,
    /// Neither side has changed since the values were agreed, although they differ.
    AsAgreed,
    /// The operator trusts this side: it wins whatever changed.
    Trusted(Side),
    /// The field flows one way, and this side is its source.
    Source(Side),
    /// Drift: the target of a one-way field was edited, and the edit is kept.
    DriftKept(Side),
    /// Drift: the target of a one-way field was edited, and the source's value is written again.
    DriftRestored(Side),
    /// First link: a value beats a blank.
    ValueBeatsBlank(Side),
    /// Only this side has changed.
    OnlyChange(Side),
    /// Two sets were merged element by element.
    Merged,
    /// The judge decided for this side, on this evidence.
    Judged(Side, Basis),
    /// The judge could not decide; the policy for unresolved fields names this side.
    Policy(Side, Basis),
    /// The judge could not decide; the policy `latest` guesses this side, whose value came to be later if both came
    /// to be at the latest moment possible.
    Guessed(Side, Basis),
    /// The judge could not decide; the field is in conflict.
    Undecided(Basis),
    /// The direction of the field excludes this side.
    NotThisWay(Side),
    /// The field cannot be written on this side.
    NotWritable(Side),
    /// The field is written there when a record is created, and never after that.
    CreateOnly(Side),
    /// The value is one that records there have and that is never written.
    ReportedOnly(Side),
    /// The write rule is `never`.
    NeverWritten,
    /// The write rule is `if-empty`, and this side has a value.
    NotEmpty(Side),
    /// The policy for blanks is `keep`: a blank does not replace this side's value.
    BlankKept(Side),
    /// The policy for blanks is `fill`: the value is written back over this side's blank.
    BlankFilled(Side),
    /// A blank is not sent to this side, where the field is required.
    RequiredBlank(Side),
    /// The value map has no counterpart for the value on this side.
    NoSuchWord(Side),
    /// The value is part of a new record.
    NewRecord,
}

impl Why {
    /// The stable code of the reason, for tables and programs.
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
            Why::Guessed(..) => "guessed",
            Why::Undecided(_) => "undecided",
            Why::NotThisWay(_) => "not-this-way",
            Why::NotWritable(_) => "not-writable",
            Why::CreateOnly(_) => "create-only",
            Why::ReportedOnly(_) => "reported-only",
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

/// Settles one field of a pair that has both records.
pub fn settle(
    rules: &FieldRules<'_>,
    agreed: Option<Halves<'_>>,
    left: Option<Current<'_>>,
    right: Option<Current<'_>>,
) -> Settled {
    let now = match (left, right) {
        (Some(left), Some(right)) => Sides { left, right },
        (left, right) => return never_told(rules, Sides { left, right }),
    };
    if equal(rules, &now.left, &now.right) {
        return agree(Why::Same);
    }
    // A change can be told only against a known half of `agreed`.
    let agreed = agreed.and_then(Sides::both);
    let changed = agreed.map(|halves| Sides::by(|side| changed(rules, side, halves[side], now[side].value)));
    if let Some(side) = rules.trust {
        // The two values may differ although the trusted side's value was settled: the other side may store
        // it in another form, or a policy withheld it.
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
        Some([true, true]) => contest(rules, &now, evidence(rules, &now)),
    }
}

/// Settles one field of a record that is to be created on `target`: the value to send, or the reason why the
/// field is left out. `Err` where the record cannot be created without the field.
///
/// # Errors
/// The reason why the record cannot be created.
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
        // A new record has nulls anyway; sending them would only give them a change time. The empty text is another
        // value, and goes where it can be told from null: a date or an address would be refused for it.
        let free = matches!(rules.kinds[target], Kind::Text | Kind::LongText);
        let sent = free && !rules.one_blank && *current.value == Value::text("");
        if required || !sent {
            return left_out(if required { Why::RequiredBlank(target) } else { Why::Same });
        }
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
        Some(value) if rules.terms[target].reported_only.contains(&value) => {
            left_out(Why::ReportedOnly(target))
        }
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
    // Several values of one side may be one on the other: then only one of the two ways leads back.
    let same = |left: &Value, right: &Value| same_content(rules.kinds, rules.set_like, left, right);
    rules.translate(right.value, Side::Right).is_some_and(|right| same(left.value, &right))
        || rules.translate(left.value, Side::Left).is_some_and(|left| same(&left, right.value))
}

fn is_link(current: &Current<'_>) -> bool {
    current.link.is_some() || matches!(current.value, Value::Reference(_) | Value::References(_))
}

/// Whether a side has changed: its value differs from its own half.
pub(super) fn changed(rules: &FieldRules<'_>, side: Side, half: &Value, now: &Value) -> bool {
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
        // Two different blanks (null and empty text) are no conflict where neither side ever had a value.
        [true, true] => agree(Why::Same),
        [false, false] => contest(rules, now, evidence(rules, now)),
    }
}

fn evidence(rules: &FieldRules<'_>, now: &Sides<Current<'_>>) -> Sides<Evidence> {
    now.map(|current| Evidence::of(current.time, rules.precision))
}

/// Lets the judge decide on this evidence, and the policy for unresolved fields where it does not.
pub(super) fn contest(
    rules: &FieldRules<'_>,
    now: &Sides<Current<'_>>,
    evidence: Sides<Evidence>,
) -> Settled {
    // The two contents are known to differ, so the judge gets two constants: equal ids on two sides may be
    // references to different records.
    let verdict = judge(
        Mode::Span,
        &Claim { value: &0, evidence: &evidence.left },
        &Claim { value: &1, evidence: &evidence.right },
    );
    decided(rules, now, &evidence, verdict.winner, verdict.reason)
}

/// Gives the winner's value to the other side; without a winner the policy for unresolved fields decides.
pub(super) fn decided(
    rules: &FieldRules<'_>,
    now: &Sides<Current<'_>>,
    evidence: &Sides<Evidence>,
    winner: Winner,
    reason: Basis,
) -> Settled {
    // Where the rules withhold either value, there is nothing to be decided.
    let undecided = || {
        let given = Sides::by(|side| give(rules, now, side, Why::Undecided(reason)));
        match (&given.left.decision, &given.right.decision) {
            (Decision::Agree, Decision::Agree) => given.left,
            _ => Settled { decision: Decision::Conflict, why: Why::Undecided(reason) },
        }
    };
    match (winner, rules.unresolved) {
        (Winner::Left, _) => give(rules, now, Side::Left, Why::Judged(Side::Left, reason)),
        (Winner::Right, _) => give(rules, now, Side::Right, Why::Judged(Side::Right, reason)),
        (_, Unresolved::Left) => give(rules, now, Side::Left, Why::Policy(Side::Left, reason)),
        (_, Unresolved::Right) => give(rules, now, Side::Right, Why::Policy(Side::Right, reason)),
        (_, Unresolved::Latest) => match evidence.left.latest(&evidence.right) {
            Some(side) => give(rules, now, side, Why::Guessed(side, reason)),
            None => undecided(),
        },
        (_, Unresolved::Hold) => undecided(),
    }
}

/// Whether the field's rules let this side be written at all, whatever the value.
fn may_write(rules: &FieldRules<'_>, target: Side) -> Result<(), Why> {
    if !rules.direction.reaches(target) {
        return Err(Why::NotThisWay(target));
    }
    if !rules.writable[target] {
        return Err(Why::NotWritable(target));
    }
    if rules.terms[target].create_only {
        return Err(Why::CreateOnly(target));
    }
    if rules.write == WriteRule::Never {
        return Err(Why::NeverWritten);
    }
    Ok(())
}

/// Settles a field that a side does not tell. Where that side never tells it, nothing was written to it yet (what is written is
/// known from then on), so that the other side's value is, whatever may be there.
fn never_told(rules: &FieldRules<'_>, sides: Sides<Option<Current<'_>>>) -> Settled {
    const NOTHING: Current<'_> = Current { value: &Value::Null, link: None, time: None };
    let from = Side::BOTH.into_iter().find(|side| rules.terms[side.other()].write_only);
    match from.and_then(|from| Some((from, sides[from].filter(|current| !current.value.is_blank())?))) {
        Some((from, current)) => {
            let mut now = Sides::by(|_| NOTHING);
            now[from] = current;
            give(rules, &now, from, Why::ValueBeatsBlank(from))
        }
        None => Settled { decision: Decision::Unknown, why: Why::NotDelivered },
    }
}

/// Applies the field's policies to the winner's value, and writes it to the other side where they allow it.
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
        Some(value) if rules.terms[target].reported_only.contains(&value) => agree(Why::ReportedOnly(target)),
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

/// Three-way merge of the two sets; `None` where a value is not a set.
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
