//! The canonical form of identifier values, by which records of the two sides are matched.

use super::{Comparison, Kind, Value};

/// The canonical form of an identifier value: two records match where it is equal. `None` where the value
/// identifies no record.
///
/// Texts are trimmed and lower-cased, and runs of white space become one space. An e-mail address needs text
/// on both sides of its `@`: people fill required fields with «n/a» or «-», and these must not match
/// strangers. Phone numbers are reduced to their digits without a leading `00`; a number of zeros only
/// identifies nobody. Numbers, dates and timestamps are compared by their text, so that customer number 12
/// matches whether its side has it as a number or as text. Booleans, lists of texts and lists of references
/// never identify a record.
pub fn canonical_identifier(kind: &Kind, value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Boolean(_) | Value::Texts(_) | Value::References(_) => None,
        Value::Text(text) | Value::Other { text, .. } => match kind.comparison() {
            Comparison::Address => email(text),
            Comparison::Digits => phone(text),
            Comparison::Exact => words(text),
        },
        Value::Integer(number) if kind.comparison() == Comparison::Digits => phone(&number.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        // Displays 12.0 as 12, like the integer.
        Value::Float(number) => Some(number.to_string()),
        Value::Date(_) | Value::Timestamp(_) | Value::Reference(_) => Some(value.to_string()),
    }
}

/// Fast path: the text has only visible ASCII characters, so that the canonical form is its lower case. Most
/// identifiers are like this, and each is canonicalised several times per record.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn words(text: &str) -> Option<String> {
    if is_plain(text) {
        return Some(text.to_ascii_lowercase());
    }
    spelled_words(text)
}

fn spelled_words(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if word.is_ascii() {
            out.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        } else {
            out.push_str(&word.to_lowercase());
        }
    }
    (!out.is_empty()).then_some(out)
}

fn email(text: &str) -> Option<String> {
    if is_plain(text) {
        let (local, domain) = text.rsplit_once('@')?;
        return (!local.is_empty() && !domain.is_empty()).then(|| text.to_ascii_lowercase());
    }
    spelled_email(text)
}

fn spelled_email(text: &str) -> Option<String> {
    // Zero-width characters come along invisibly when an address is copied from a web page.
    let visible = |c: &char| !matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    let address: String = text.chars().filter(visible).collect();
    let (local, domain) = address.trim().rsplit_once('@')?;
    if local.is_empty() || domain.is_empty() || address.trim().contains(char::is_whitespace) {
        return None;
    }
    spelled_words(&address)
}

fn phone(text: &str) -> Option<String> {
    let digits: String =
        text.chars().filter_map(|c| c.to_digit(10)).filter_map(|d| char::from_digit(d, 10)).collect();
    if digits.chars().all(|c| c == '0') {
        return None;
    }
    Some(digits.strip_prefix("00").map_or_else(|| digits.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(kind: &str, value: Value) -> Option<String> {
        canonical_identifier(&kind.into(), &value)
    }

    #[test]
    fn the_same_record_by_other_spellings() {
        let cases = [
            ("email", " Ada@Example.ORG ", Some("ada@example.org")),
            ("email", "ada\u{200b}@example.org\u{feff}", Some("ada@example.org")),
            ("email", "MÜLLER@example.org", Some("müller@example.org")),
            ("email", "n/a", None),
            ("email", "@example.org", None),
            ("email", "a b@example.org", None),
            ("email", "", None),
            ("phone", "+49 (30) 12-34", Some("49301234")),
            ("phone", "0049 30 1234", Some("49301234")),
            ("phone", "030 1234", Some("0301234")),
            ("phone", "0", None),
            ("phone", "none", None),
            ("text", "  ACME \u{a0} Inc\t", Some("acme inc")),
            ("text", "NULL", Some("null")),
            ("text", "0", Some("0")),
            ("text", " ", None),
            ("text", "אב e\u{301} 👩‍👩‍👧", Some("אב e\u{301} 👩‍👩‍👧")),
            ("unheard-of", "X", Some("x")),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(canonical(kind, Value::text(text)).as_deref(), expected, "{kind} {text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn plain_texts_are_spelled_as_others_are(text in "[ -~]{0,3}@?[!-~]{0,6}@?[!-~]{0,3}") {
            proptest::prop_assert_eq!(words(&text), spelled_words(&text));
            proptest::prop_assert_eq!(email(&text), spelled_email(&text));
        }
    }

    #[test]
    fn numbers_and_the_rest() {
        assert_eq!(
            canonical("integer", Value::Integer(9_007_199_254_740_993)).as_deref(),
            Some("9007199254740993")
        );
        assert_eq!(canonical("integer", Value::Integer(0)).as_deref(), Some("0"));
        assert_eq!(canonical("float", Value::Float(12.0)).as_deref(), Some("12"));
        assert_eq!(canonical("phone", Value::Integer(49_301_234)).as_deref(), Some("49301234"));
        assert_eq!(canonical("date", Value::date(1969, 12, 31).unwrap()).as_deref(), Some("1969-12-31"));
        for nothing in
            [Value::Null, Value::Boolean(false), Value::Texts(vec!["a".into()]), Value::References(vec![])]
        {
            assert_eq!(canonical("text", nothing), None);
        }
    }
}
