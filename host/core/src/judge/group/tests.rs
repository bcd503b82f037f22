//! Groups: examples of an address, and properties over random groups.

use super::super::policy::{Blanks, Drift, Unresolved, WriteRule};
use super::super::{FieldTerms, Write};
use super::*;
use crate::record::{Kind, Value};
use proptest::prelude::*;

const NONE: FieldTerms = FieldTerms {
    create_only: false,
    required_on_update: false,
    write_only: false,
    reported_only: Vec::new(),
};
static NO_TERMS: Sides<FieldTerms> = Sides { left: NONE, right: NONE };
static TEXTS: Sides<Kind> = Sides { left: Kind::Text, right: Kind::Text };

fn rules() -> FieldRules<'static> {
    FieldRules {
        kinds: &TEXTS,
        direction: super::super::Direction::Both,
        required: Sides::new(false, false),
        writable: Sides::new(true, true),
        terms: &NO_TERMS,
        set_like: false,
        trust: None,
        unresolved: Unresolved::Hold,
        blanks: Blanks::Overwrite,
        write: WriteRule::Always,
        drift: Drift::Keep,
        values: &[],
        one_blank: false,
        precision: 1,
    }
}

/// A field of a group: what was agreed (by both sides), and what both have now with the certain times of these values.
type Field = (Option<Value>, Sides<(Value, Option<i64>)>);

fn text(text: &str) -> Value {
    if text == "-" { Value::Null } else { Value::text(text) }
}

fn field(agreed: Option<&str>, left: (&str, i64), right: (&str, i64)) -> Field {
    (agreed.map(text), Sides::new((text(left.0), Some(left.1)), (text(right.0), Some(right.1))))
}

fn run(rules: &FieldRules<'_>, fields: &[Field]) -> OneFact {
    let members: Vec<Member<'_>> = fields
        .iter()
        .map(|(agreed, now)| Member {
            rules,
            agreed: agreed.as_ref().map(|value| Sides::by(|_| Some(value))),
            now: now.as_ref().map(|(value, at)| {
                let time = at.map(|at| FieldTime::certain(Timestamp::from_micros(at)));
                Some(Current { value, link: None, time })
            }),
        })
        .collect();
    settle_group(&members)
}

/// What both sides have afterwards; `None` where the group is in conflict.
fn after(fields: &[Field], fact: &OneFact) -> Option<Sides<Vec<Value>>> {
    let mut now: Sides<Vec<Value>> =
        Sides::by(|side| fields.iter().map(|(_, now)| now[side].0.clone()).collect());
    for (at, settled) in fact.settled.iter().enumerate() {
        match &settled.decision {
            Decision::Conflict => return None,
            Decision::Write(writes) => {
                for Write { target, value, .. } in writes {
                    now[*target][at] = value.clone();
                }
            }
            Decision::Agree | Decision::Unknown => {}
        }
    }
    Some(now)
}

#[test]
fn an_address_that_both_sides_changed_is_that_of_the_newest_change_and_no_mixture() {
    let fields = [
        field(Some("Leeds"), ("Córdoba", 5), ("Valencia", 3)),
        field(Some("Yorkshire"), ("Yorkshire", 1), ("Comunitat Valenciana", 4)),
        field(Some("1 Road"), ("1 Road", 1), ("1 Road", 1)),
    ];
    let fact = run(&rules(), &fields);
    let left: Vec<Value> = ["Córdoba", "Yorkshire", "1 Road"].map(Value::text).into();
    assert_eq!(after(&fields, &fact), Some(Sides::by(|_| left.clone())), "{fact:?}");
    let times = fact.times.map(|times| times.map(|time| time.map(|time| time.at.micros())));
    assert_eq!(times, Some(Sides::new(Some(5), Some(4))));
}

#[test]
fn edits_of_different_fields_are_edits_of_one_fact() {
    let fields = [
        field(Some("Leeds"), ("York", 2), ("Leeds", 1)),
        field(Some("1 Road"), ("1 Road", 1), ("2 Road", 3)),
    ];
    let fact = run(&rules(), &fields);
    let right: Vec<Value> = ["Leeds", "2 Road"].map(Value::text).into();
    assert_eq!(after(&fields, &fact), Some(Sides::by(|_| right.clone())));
    // Nobody knows which came later: all that differs waits.
    let fields = [
        field(Some("Leeds"), ("York", 2), ("Leeds", 1)),
        field(Some("1 Road"), ("1 Road", 1), ("2 Road", 2)),
    ];
    let fact = run(&rules(), &fields);
    let conflicts = fact.settled.iter().filter(|settled| settled.decision == Decision::Conflict).count();
    assert_eq!(conflicts, 2, "{fact:?}");
}

#[test]
fn what_one_side_lacks_is_filled_unless_the_rest_differs() {
    let fields = [field(None, ("York", 1), ("York", 1)), field(None, ("-", 1), ("2 Road", 1))];
    let both: Vec<Value> = ["York", "2 Road"].map(Value::text).into();
    assert_eq!(after(&fields, &run(&rules(), &fields)), Some(Sides::by(|_| both.clone())));
    // Another city: its own street is not known, and the one of the other city is no part of it.
    let fields = [field(None, ("York", 2), ("Leeds", 1)), field(None, ("-", 2), ("2 Road", 1))];
    let fact = run(&rules(), &fields);
    assert_eq!(after(&fields, &fact), None, "{fact:?}");
    assert_eq!(fact.settled[1].why, Why::Undecided(Basis::LacksPart));
    let fact = run(&FieldRules { unresolved: Unresolved::Left, ..rules() }, &fields);
    let left = vec![text("York"), Value::Null];
    assert_eq!(after(&fields, &fact), Some(Sides::by(|_| left.clone())), "as the policy says");
}

#[test]
fn what_one_side_filled_in_is_not_taken_away_by_a_newer_edit_of_another_field() {
    let fields = [field(Some("Leeds"), ("York", 3), ("Leeds", 1)), field(Some("-"), ("-", 1), ("2 Road", 2))];
    let fact = run(&rules(), &fields);
    assert_eq!(after(&fields, &fact), None, "{fact:?}");
    // One that it had, and cleared, is.
    let fields =
        [field(Some("Leeds"), ("York", 3), ("Leeds", 1)), field(Some("1 Road"), ("-", 3), ("2 Road", 2))];
    let left = vec![text("York"), Value::Null];
    assert_eq!(after(&fields, &run(&rules(), &fields)), Some(Sides::by(|_| left.clone())));
}

#[test]
fn an_unknown_time_of_one_changed_field_is_unknown_for_the_fact() {
    let mut fields = [field(Some("Leeds"), ("York", 9), ("Leeds", 1)), field(Some("a"), ("b", 3), ("c", 9))];
    fields[0].1.left.1 = None;
    let fact = run(&rules(), &fields);
    assert_eq!(after(&fields, &fact), None, "{fact:?}");
    assert_eq!(fact.times.map(|times| times.left), Some(None));
}

#[test]
fn of_a_span_and_a_moment_the_later_end_counts() {
    let at = Timestamp::from_micros;
    let span = FieldTime::between(Some(at(2)), at(9));
    assert_eq!(newest(FieldTime::certain(at(5)), span), FieldTime::between(Some(at(5)), at(9)));
    assert_eq!(newest(FieldTime::certain(at(9)), span), FieldTime::between(Some(at(9)), at(9)));
    assert_eq!(newest(FieldTime::certain(at(10)), span), FieldTime::certain(at(10)));
    assert_eq!(newest(span, FieldTime::by(at(7))), span);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["-", "a", "b"]).prop_map(text)
}

fn any_field() -> impl Strategy<Value = Field> {
    let side = || (any_value(), prop::option::weighted(0.9, 0i64..4));
    (prop::option::of(any_value()), side(), side())
        .prop_map(|(agreed, left, right)| (agreed, Sides::new(left, right)))
}

fn any_unresolved() -> impl Strategy<Value = Unresolved> {
    prop::sample::select(vec![Unresolved::Hold, Unresolved::Latest, Unresolved::Left, Unresolved::Right])
}

fn turned(side: Side, fact: &OneFact) -> Vec<Option<Side>> {
    let of = |settled: &Settled| match &settled.decision {
        Decision::Write(writes) => writes.first().map(|write| write.target),
        _ => None,
    };
    let turn = |target: Side| if side == Side::Left { target } else { target.other() };
    fact.settled.iter().map(|settled| of(settled).map(turn)).collect()
}

proptest! {
    /// No mixture: where the fields were judged together, every write goes the same way, or every field that differs waits.
    #[test]
    fn a_group_that_is_judged_has_one_winner(
        fields in prop::collection::vec(any_field(), 1..5), unresolved in any_unresolved(),
    ) {
        let rules = FieldRules { unresolved, ..rules() };
        let fact = run(&rules, &fields);
        if fact.times.is_none() {
            return Ok(());
        }
        let mut ways = Vec::new();
        for settled in &fact.settled {
            match &settled.decision {
                Decision::Conflict => ways.push(None),
                Decision::Write(writes) => ways.extend(writes.iter().map(|write| Some(write.target))),
                Decision::Agree => prop_assert!(matches!(settled.why, Why::Same | Why::AsAgreed), "{settled:?}"),
                Decision::Unknown => {}
            }
        }
        ways.dedup();
        prop_assert!(ways.len() <= 1, "{fact:?}");
    }

    /// Nothing that one side has is replaced by a blank that the other never wrote, unless a policy says so.
    #[test]
    fn a_blank_that_nobody_wrote_replaces_nothing(fields in prop::collection::vec(any_field(), 1..5)) {
        let fact = run(&rules(), &fields);
        for ((agreed, now), settled) in fields.iter().zip(&fact.settled) {
            if let Decision::Write(writes) = &settled.decision {
                for write in writes.iter().filter(|write| write.value.is_blank()) {
                    let had = agreed.as_ref().is_some_and(|agreed| !agreed.is_blank());
                    prop_assert!(had || now[write.target].0.is_blank(), "{fact:?}");
                }
            }
        }
    }

    /// Where they were not, each field is settled as it would be alone; and a field alone is no group.
    #[test]
    fn a_group_that_is_not_judged_is_its_fields(fields in prop::collection::vec(any_field(), 1..5)) {
        let rules = rules();
        let fact = run(&rules, &fields);
        for (at, field) in fields.iter().enumerate() {
            let alone = run(&rules, std::slice::from_ref(field));
            if fact.times.is_none() {
                prop_assert_eq!(&alone.settled[0], &fact.settled[at]);
            }
            let now = field.1.as_ref().map(|(value, at)| {
                let time = at.map(|at| FieldTime::certain(Timestamp::from_micros(at)));
                Current { value, link: None, time }
            });
            let agreed = field.0.as_ref().map(|value| Sides::by(|_| Some(value)));
            prop_assert_eq!(&alone.settled[0], &settle(&rules, agreed, Some(now.left), Some(now.right)));
        }
    }

    /// Turned round, the other side wins.
    #[test]
    fn turned_round_the_other_side_wins(
        fields in prop::collection::vec(any_field(), 1..5), latest in any::<bool>(),
    ) {
        let unresolved = if latest { Unresolved::Latest } else { Unresolved::Hold };
        let rules = FieldRules { unresolved, ..rules() };
        let other: Vec<Field> = fields
            .iter()
            .map(|(agreed, now)| (agreed.clone(), Sides::new(now.right.clone(), now.left.clone())))
            .collect();
        let (fact, round) = (run(&rules, &fields), run(&rules, &other));
        prop_assert_eq!(turned(Side::Left, &fact), turned(Side::Right, &round));
    }

    /// Convergence: a second round after the writes are settled writes nothing.
    #[test]
    fn quiet_after_one_round(
        fields in prop::collection::vec(any_field(), 1..5), unresolved in any_unresolved(),
    ) {
        let rules = FieldRules { unresolved, ..rules() };
        let Some(now) = after(&fields, &run(&rules, &fields)) else { return Ok(()) };
        let members: Vec<Member<'_>> = (0..fields.len())
            .map(|at| Member {
                rules: &rules,
                agreed: Some(now.as_ref().map(|values| Some(&values[at]))),
                now: now.as_ref().map(|values| Some(Current { value: &values[at], link: None, time: None })),
            })
            .collect();
        for settled in settle_group(&members).settled {
            prop_assert_eq!(settled.decision, Decision::Agree);
        }
    }
}
