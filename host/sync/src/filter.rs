//! Filter: predicates that decide which records take part, and tie-break rules among several.

use super::definition::{Condition, Prefer, Test};
use entente_core::Value;

/// Whether a record meets every condition. A field that was not reported counts as blank.
pub(super) fn takes_part<'a>(conditions: &[Condition], value_of: impl Fn(&str) -> Option<&'a Value>) -> bool {
    conditions.iter().all(|condition| {
        let value = value_of(&condition.field).unwrap_or(&Value::Null);
        match &condition.test {
            Test::Is(wanted) => value == wanted,
            Test::Not(unwanted) => value != unwanted,
            Test::Contains(part) => match value {
                Value::Texts(texts) => texts.iter().any(|text| text == part),
                Value::Text(text) => text.contains(part.as_str()),
                _ => false,
            },
            Test::Blank(blank) => value.is_blank() == *blank,
        }
    })
}

/// Returns the value of a field by its name.
type ValueOf<'a> = dyn Fn(&str) -> Option<&'a Value> + 'a;

/// A record in a tie-break.
pub(super) struct Candidate<'a> {
    pub(super) id: &'a str,
    pub(super) value_of: Box<ValueOf<'a>>,
}

/// Tie-break: whether the rules prefer `one` to `other`. The first rule that distinguishes them decides.
pub(super) fn better(rules: &[Prefer], one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    for rule in rules {
        let order = match rule {
            Prefer::LowestId => lower(one.id, other.id),
            Prefer::Where(condition) => {
                let meets = |candidate: &Candidate<'_>| {
                    takes_part(std::slice::from_ref(condition), |name| (candidate.value_of)(name))
                };
                match (meets(one), meets(other)) {
                    (true, true) => lower(one.id, other.id),
                    (false, false) => continue,
                    (meets, _) => meets,
                }
            }
        };
        return order;
    }
    false
}

/// The order of ids: numbers by their value, before all other texts.
fn lower(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one < other,
        (Ok(_), Err(_)) => true,
        (Err(_), Ok(_)) => false,
        (Err(_), Err(_)) => one < other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let tags = Value::Texts(vec!["customer".into()]);
        let value_of = |name: &str| (name == "tags").then_some(&tags);
        let holds =
            |test: Test, field: &str| takes_part(&[Condition { field: field.into(), test }], value_of);
        assert!(holds(Test::Contains("customer".into()), "tags"));
        assert!(!holds(Test::Contains("custom".into()), "tags"));
        assert!(holds(Test::Blank(true), "city"));
        assert!(!holds(Test::Blank(true), "tags"));
        assert!(holds(Test::Not(Value::text("x")), "city"));
        assert!(!holds(Test::Is(Value::text("")), "city"));
        assert!(takes_part(&[], value_of));
    }

    #[test]
    fn the_first_rule_that_tells_them_apart_chooses() {
        let (yes, no) = (Value::Texts(vec!["news".into()]), Value::Texts(vec![]));
        let candidate = |id: &'static str, tags: &'static str| -> Candidate<'_> {
            let value = if tags == "news" { &yes } else { &no };
            Candidate { id, value_of: Box::new(move |name| (name == "tags").then_some(value)) }
        };
        let in_group = Prefer::Where(Condition { field: "tags".into(), test: Test::Contains("news".into()) });
        let rules = [in_group, Prefer::LowestId];
        assert!(better(&rules, &candidate("9", "news"), &candidate("2", "")));
        assert!(
            better(&rules, &candidate("9", "news"), &candidate("10", "news")),
            "numbers are compared as numbers"
        );
        assert!(better(&rules, &candidate("2", ""), &candidate("9", "")));
        assert!(!better(&rules[..1], &candidate("2", ""), &candidate("9", "")), "no rule tells them apart");
        assert!(!better(&rules, &candidate("2", ""), &candidate("9", "news")));
    }
}
