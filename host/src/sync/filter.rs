//! Which records take part.

use super::definition::{Condition, Test};
use crate::record::Value;

/// Whether a record meets every condition. A field that was not delivered counts as blank.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let tags = Value::Texts(vec!["customer".into()]);
        let value_of = |name: &str| (name == "tags").then_some(&tags);
        let holds = |test: Test, field: &str| takes_part(&[Condition { field: field.into(), test }], value_of);
        assert!(holds(Test::Contains("customer".into()), "tags"));
        assert!(!holds(Test::Contains("custom".into()), "tags"));
        assert!(holds(Test::Blank(true), "city"));
        assert!(!holds(Test::Blank(true), "tags"));
        assert!(holds(Test::Not(Value::text("x")), "city"));
        assert!(!holds(Test::Is(Value::text("")), "city"));
        assert!(takes_part(&[], value_of));
    }
}
