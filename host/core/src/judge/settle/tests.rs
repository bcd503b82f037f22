//! Settling: tables of rules, and properties over all of them.

use super::super::FieldTerms;
use super::*;
use crate::record::{Kind, Timestamp};
use proptest::prelude::*;

fn kinds() -> Sides<Kind> {
    Sides::by(|_| Kind::Text)
}

const NONE: FieldTerms = FieldTerms {
    create_only: false,
    required_on_update: false,
    write_only: false,
    reported_only: Vec::new(),
};
static NO_TERMS: Sides<FieldTerms> = Sides { left: NONE, right: NONE };

fn rules(kinds: &Sides<Kind>) -> FieldRules<'_> {
    FieldRules {
        kinds,
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

fn certain(at: i64) -> Option<FieldTime> {
    Some(FieldTime::certain(Timestamp::from_micros(at)))
}

fn current(value: &Value, at: Option<FieldTime>) -> Option<Current<'_>> {
    Some(Current { value, link: None, time: at })
}

/// Settles two texts; "-" is null. `agreed` is its left and right half.
fn run(
    rules: &FieldRules<'_>,
    agreed: Option<(&str, &str)>,
    left: (&str, i64),
    right: (&str, i64),
) -> (Decision, Why) {
    let value = |text: &str| {
        if text == "-" { Value::Null } else { Value::text(text) }
    };
    let (l, r) = (value(left.0), value(right.0));
    let halves = agreed.map(|(l, r)| (value(l), value(r)));
    let settled = settle(
        rules,
        halves.as_ref().map(|(l, r)| Sides::new(Some(l), Some(r))),
        current(&l, certain(left.1)),
        current(&r, certain(right.1)),
    );
    (settled.decision, settled.why)
}

fn written(decision: &Decision) -> Vec<(Side, String)> {
    match decision {
        Decision::Write(writes) => {
            writes.iter().map(|write| (write.target, write.value.to_string())).collect()
        }
        _ => vec![],
    }
}

#[test]
fn later_certain_time_wins_when_both_changed() {
    let kinds = kinds();
    let (decision, why) = run(&rules(&kinds), Some(("a", "a")), ("b", 1), ("c", 2));
    assert_eq!(written(&decision), [(Side::Left, "c".to_owned())]);
    assert_eq!(why, Why::Judged(Side::Right, Basis::LaterCertain));
}

#[test]
fn one_change_wins_whatever_the_times() {
    let kinds = kinds();
    let (decision, why) = run(&rules(&kinds), Some(("a", "a")), ("b", 1), ("a", 9));
    assert_eq!(written(&decision), [(Side::Right, "b".to_owned())]);
    assert_eq!(why, Why::OnlyChange(Side::Left));
}

#[test]
fn a_tie_is_held_or_decided_by_policy() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    assert_eq!(run(&rules, Some(("a", "a")), ("b", 5), ("c", 5)).0, Decision::Conflict);
    rules.unresolved = Unresolved::Left;
    assert_eq!(
        written(&run(&rules, Some(("a", "a")), ("b", 5), ("c", 5)).0),
        [(Side::Right, "b".to_owned())]
    );
}

/// A field with record times on the right: the policies where the spans meet, and what is said of it.
#[test]
fn spans_that_meet_are_left_to_the_policy() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    let (a, b, c) = (Value::text("a"), Value::text("b"), Value::text("c"));
    let at = Timestamp::from_micros;
    let settled = |rules: &FieldRules<'_>, right: FieldTime| {
        let agreed = Some(Sides::new(Some(&a), Some(&a)));
        let settled = settle(rules, agreed, current(&b, certain(5)), current(&c, Some(right)));
        (written(&settled.decision), settled.why)
    };
    let (to_left, to_right) = (vec![(Side::Left, "c".to_owned())], vec![(Side::Right, "b".to_owned())]);
    let meets = FieldTime::by(at(9));
    assert_eq!(settled(&rules, meets), (vec![], Why::Undecided(Basis::SpansMeet)));
    rules.unresolved = Unresolved::Left;
    assert_eq!(settled(&rules, meets), (to_right.clone(), Why::Policy(Side::Left, Basis::SpansMeet)));
    rules.unresolved = Unresolved::Latest;
    assert_eq!(settled(&rules, meets), (to_left.clone(), Why::Guessed(Side::Right, Basis::SpansMeet)));
    assert_eq!(settled(&rules, FieldTime::by(at(5))), (vec![], Why::Undecided(Basis::SpansMeet)));
    // Spans that do not meet are decided, whatever the policy.
    assert_eq!(settled(&rules, FieldTime::by(at(4))), (to_right, Why::Judged(Side::Left, Basis::LaterSpan)));
    let after = FieldTime::between(Some(at(5)), at(9));
    assert_eq!(settled(&rules, after), (to_left, Why::Judged(Side::Right, Basis::LaterSpan)));
}

#[test]
fn s1_one_way_drift() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    rules.direction = super::super::Direction::ToRight;
    assert_eq!(
        run(&rules, Some(("a", "a")), ("a", 1), ("x", 2)),
        (Decision::Agree, Why::DriftKept(Side::Right))
    );
    // Settled as drift: halves a and x. The later edit on the left wins on the right, and nothing flows left.
    assert_eq!(
        written(&run(&rules, Some(("a", "x")), ("b", 3), ("x", 2)).0),
        [(Side::Right, "b".to_owned())]
    );
    assert_eq!(run(&rules, Some(("a", "x")), ("a", 1), ("x", 2)), (Decision::Agree, Why::AsAgreed));
    rules.drift = Drift::Restore;
    assert_eq!(
        written(&run(&rules, Some(("a", "a")), ("a", 1), ("x", 2)).0),
        [(Side::Right, "a".to_owned())]
    );
}

#[test]
fn s2_a_value_beats_a_blank_at_the_first_meeting() {
    let kinds = kinds();
    for blanks in [Blanks::Overwrite, Blanks::Keep, Blanks::Fill] {
        let mut rules = rules(&kinds);
        rules.blanks = blanks;
        assert_eq!(
            written(&run(&rules, None, ("123", 1), ("-", 9)).0),
            [(Side::Right, "123".to_owned())],
            "{blanks:?}"
        );
        assert_eq!(
            written(&run(&rules, None, ("", 9), ("123", 1)).0),
            [(Side::Left, "123".to_owned())],
            "{blanks:?}"
        );
    }
}

#[test]
fn s3_clearing() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    assert_eq!(written(&run(&rules, Some(("a", "a")), ("-", 2), ("a", 1)).0), [(Side::Right, String::new())]);
    rules.blanks = Blanks::Keep;
    assert_eq!(
        run(&rules, Some(("a", "a")), ("-", 2), ("a", 1)),
        (Decision::Agree, Why::BlankKept(Side::Right))
    );
    rules.blanks = Blanks::Fill;
    assert_eq!(written(&run(&rules, Some(("a", "a")), ("-", 2), ("a", 1)).0), [(Side::Left, "a".to_owned())]);
}

#[test]
fn a_required_blank_is_not_sent() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    rules.required = Sides::new(false, true);
    assert_eq!(
        run(&rules, Some(("a", "a")), ("-", 2), ("a", 1)),
        (Decision::Agree, Why::RequiredBlank(Side::Right))
    );
    assert!(settle_new(&rules, current(&Value::Null, None), Side::Right).is_err());
    assert!(matches!(settle_new(&rules, current(&Value::Null, None), Side::Left), Ok(Err(Why::Same))));
}

#[test]
fn v6_the_empty_text_of_a_new_record_is_sent_where_it_is_a_value_of_its_own() {
    let (kinds, empty) = (kinds(), Value::text(""));
    let mut rules = rules(&kinds);
    let sent = |rules: &FieldRules<'_>, value: &Value| {
        settle_new(rules, current(value, None), Side::Right).unwrap().map(|write| write.value)
    };
    assert_eq!(sent(&rules, &empty), Ok(empty.clone()));
    assert_eq!(sent(&rules, &Value::Null), Err(Why::Same));
    let dates = Sides::new(Kind::Text, Kind::Date);
    assert_eq!(sent(&FieldRules { kinds: &dates, ..rules }, &empty), Err(Why::Same));
    rules.one_blank = true;
    assert_eq!(sent(&rules, &empty), Err(Why::Same));
}

#[test]
fn write_rules() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    rules.write = WriteRule::IfEmpty;
    assert_eq!(
        run(&rules, Some(("a", "a")), ("b", 2), ("a", 1)),
        (Decision::Agree, Why::NotEmpty(Side::Right))
    );
    assert_eq!(
        written(&run(&rules, Some(("-", "-")), ("b", 2), ("-", 1)).0),
        [(Side::Right, "b".to_owned())]
    );
    rules.write = WriteRule::Never;
    assert_eq!(run(&rules, Some(("-", "-")), ("b", 2), ("-", 1)).0, Decision::Agree);
}

#[test]
fn trust_wins_whatever_changed() {
    let kinds = kinds();
    let mut rules = rules(&kinds);
    rules.trust = Some(Side::Left);
    assert_eq!(
        written(&run(&rules, Some(("a", "a")), ("a", 1), ("b", 9)).0),
        [(Side::Right, "a".to_owned())]
    );
}

#[test]
fn null_empty_zero_and_false_are_four_values() {
    let kinds = Sides::by(|_| Kind::Text);
    let values = [Value::Null, Value::text(""), Value::Integer(0), Value::Boolean(false)];
    for agreed in &values {
        for edited in values.iter().filter(|value| *value != agreed) {
            let settled = settle(
                &rules(&kinds),
                Some(Sides::new(Some(agreed), Some(agreed))),
                current(edited, certain(2)),
                current(agreed, certain(1)),
            );
            assert!(
                matches!(&settled.decision, Decision::Write(writes) if writes[0].value == *edited && writes[0].target == Side::Right),
                "{agreed:?} {edited:?} {settled:?}"
            );
        }
    }
}

#[test]
fn value_maps_translate_and_compare() {
    let kinds = kinds();
    let values = [(Value::text("f"), Value::text("female")), (Value::text("m"), Value::text("male"))];
    let mut rules = rules(&kinds);
    rules.values = &values;
    assert_eq!(run(&rules, None, ("f", 1), ("female", 2)).1, Why::Same);
    assert_eq!(
        written(&run(&rules, Some(("f", "female")), ("m", 3), ("female", 2)).0),
        [(Side::Right, "male".to_owned())]
    );
    assert_eq!(
        run(&rules, Some(("f", "female")), ("f", 1), ("other", 2)),
        (Decision::Conflict, Why::NoSuchWord(Side::Left))
    );
}

fn any_text() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(Value::text("")),
        Just(Value::text("a")),
        Just(Value::text("b")),
        Just(Value::text("c"))
    ]
}

fn any_rules() -> impl Strategy<
    Value = (Blanks, WriteRule, Unresolved, super::super::Direction, Option<Side>, Drift, Sides<bool>),
> {
    use super::super::Direction;
    (
        prop::sample::select(vec![Blanks::Overwrite, Blanks::Keep, Blanks::Fill]),
        prop::sample::select(vec![WriteRule::Always, WriteRule::IfEmpty, WriteRule::Never]),
        prop::sample::select(vec![Unresolved::Left, Unresolved::Right, Unresolved::Latest, Unresolved::Hold]),
        prop::sample::select(vec![Direction::Both, Direction::ToLeft, Direction::ToRight]),
        prop::option::of(prop::sample::select(vec![Side::Left, Side::Right])),
        prop::sample::select(vec![Drift::Keep, Drift::Restore]),
        any::<[bool; 2]>().prop_map(Sides::from),
    )
}

proptest! {
    /// Convergence (I2): whatever the rules, a second round after the writes are settled writes nothing.
    #[test]
    fn quiet_after_one_round(
        (blanks, write, unresolved, direction, trust, drift, required) in any_rules(),
        base in prop::option::of((any_text(), any_text())),
        left in any_text(), right in any_text(), times in (0i64..3, 0i64..3),
    ) {
        let kinds = kinds();
        let mut rules = rules(&kinds);
        (rules.blanks, rules.write, rules.unresolved, rules.direction, rules.trust, rules.drift, rules.required) =
            (blanks, write, unresolved, direction, trust, drift, required);
        let halves = base.as_ref().map(|(l, r)| Sides::new(Some(l), Some(r)));
        let first = settle(&rules, halves, current(&left, certain(times.0)), current(&right, certain(times.1)));
        let mut now = Sides::new(left.clone(), right.clone());
        match first.decision {
            Decision::Write(writes) => {
                for write in writes {
                    prop_assert!(direction.reaches(write.target));
                    now[write.target] = write.value;
                }
            }
            Decision::Conflict => return Ok(()),
            Decision::Agree | Decision::Unknown => {}
        }
        let second = settle(&rules, Some(now.as_ref().map(Some)), current(&now.left, certain(times.0)), current(&now.right, certain(times.1)));
        prop_assert_eq!(&second.decision, &Decision::Agree, "{:?}", second.why);
    }

    /// No lost update: a value that both sides changed wins, is in conflict, or is withheld by a policy with
    /// its reason.
    #[test]
    fn no_edit_vanishes(base in any_text(), left in any_text(), right in any_text(), times in (0i64..3, 0i64..3)) {
        let kinds = kinds();
        let rules = rules(&kinds);
        let settled = settle(&rules, Some(Sides::new(Some(&base), Some(&base))), current(&left, certain(times.0)), current(&right, certain(times.1)));
        let (edited_left, edited_right) = (left != base, right != base);
        match (left == right, edited_left, edited_right) {
            (true, _, _) | (false, false, false) => prop_assert_eq!(settled.decision, Decision::Agree),
            (false, true, false) => prop_assert_eq!(written(&settled.decision), [(Side::Right, left.to_string())]),
            (false, false, true) => prop_assert_eq!(written(&settled.decision), [(Side::Left, right.to_string())]),
            (false, true, true) => match times.0.cmp(&times.1) {
                std::cmp::Ordering::Equal => prop_assert_eq!(settled.decision, Decision::Conflict),
                std::cmp::Ordering::Greater => prop_assert_eq!(written(&settled.decision), [(Side::Right, left.to_string())]),
                std::cmp::Ordering::Less => prop_assert_eq!(written(&settled.decision), [(Side::Left, right.to_string())]),
            },
        }
    }
}
