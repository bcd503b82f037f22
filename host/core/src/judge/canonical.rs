//! The canonical form in which two values are compared, so that differences of notation count as no change.

use super::side::Sides;
use crate::record::{Comparison, Kind, Value};

/// The canonical form of a value of a kind. E-mail addresses lose case and outer white space, phone numbers
/// keep digits and plus signs, sets are sorted without duplicates, whole floats become integers. Everything
/// else stays as it is.
pub fn canonical(kind: &Kind, set_like: bool, value: &Value) -> Value {
    match value {
        Value::Text(text) => match kind.comparison() {
            Comparison::Exact => value.clone(),
            Comparison::Address => Value::Text(text.trim().to_lowercase()),
            Comparison::Digits => {
                let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
                // A «phone number» without digits, such as "none", is compared as text.
                if digits.chars().any(|c| c.is_ascii_digit()) { Value::Text(digits) } else { value.clone() }
            }
        },
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 => {
            Value::Integer(*number as i64)
        }
        Value::Texts(texts) if set_like => {
            let mut texts = texts.clone();
            texts.sort();
            texts.dedup();
            Value::Texts(texts)
        }
        Value::References(references) => {
            let mut references = references.clone();
            references.sort();
            references.dedup();
            Value::References(references)
        }
        other => other.clone(),
    }
}

/// Whether two values of two kinds are equal in canonical form.
pub fn same_content(kinds: &Sides<Kind>, set_like: bool, left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    // A kind that is not plain text takes precedence: an e-mail address in a plain text field is compared as
    // an address.
    let Sides { left: one, right: other } = kinds;
    let kind = if *one != Kind::Text { one } else { other };
    canonical(kind, set_like, left) == canonical(kind, set_like, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same() {
        let same = [
            ("email", Value::text("Ana@Example.org "), Value::text("ana@example.org")),
            ("phone", Value::text("+49 30 1234"), Value::text("+49-30-1234")),
            ("integer", Value::Integer(3), Value::Float(3.0)),
            (
                "texts",
                Value::Texts(vec!["b".into(), "a".into()]),
                Value::Texts(vec!["a".into(), "b".into(), "a".into()]),
            ),
        ];
        for (kind, left, right) in same {
            let kinds = Sides::by(|_| kind.into());
            assert!(same_content(&kinds, true, &left, &right), "{kind} {left:?} {right:?}");
        }
        let different = [
            ("text", Value::text("Ana"), Value::text("ana")),
            ("text", Value::Null, Value::text("")),
            ("phone", Value::text("030-1234"), Value::text("+49 30 1234")),
            ("phone", Value::text("none"), Value::text("unknown")),
            ("integer", Value::Integer(0), Value::Boolean(false)),
            ("integer", Value::Integer(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0)),
        ];
        for (kind, left, right) in different {
            let kinds = Sides::by(|_| kind.into());
            assert!(!same_content(&kinds, true, &left, &right), "{kind} {left:?} {right:?}");
        }
        let order = |list: &[&str]| Value::Texts(list.iter().map(|&s| s.into()).collect());
        assert!(!same_content(
            &Sides::by(|_| "texts".into()),
            false,
            &order(&["a", "b"]),
            &order(&["b", "a"])
        ));
    }
}
