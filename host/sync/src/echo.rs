//! Echo: whether a stored value is the normalised form of one that was sent. A remote system that rewrites what it
//! is given (case, format of telephone numbers, rounding) and whose answer was lost gives the value back in its own
//! form; that is no edit. Pure: no I/O.

use super::definition::FieldMapping;
use entente_core::{Kind, Timestamp, Value, same_content};

/// Digits that two telephone numbers have in common at least, from the end, where one lacks the country code.
const PHONE_DIGITS: usize = 6;
const SECOND: i64 = 1_000_000;

/// Whether `stored` may be what a remote system made of `sent`. An edit that changes nothing but the form is taken
/// for an echo too: both sides then keep their forms.
pub(super) fn is_echo(field: &FieldMapping, sent: &Value, stored: &Value) -> bool {
    same_content(&field.kinds, field.set_like, sent, stored) || normalised(field, sent, stored)
}

fn normalised(field: &FieldMapping, sent: &Value, stored: &Value) -> bool {
    let phone = field.kinds.left == Kind::Phone || field.kinds.right == Kind::Phone;
    match (sent, stored) {
        (Value::Text(sent), Value::Text(stored)) => {
            let (sent, stored) = (letters_and_digits(sent), letters_and_digits(stored));
            !sent.is_empty() && (sent == stored || (phone && same_number(&sent, &stored)))
        }
        (Value::Integer(sent), Value::Float(stored)) => (*sent as f64 - stored).abs() < f64::EPSILON,
        (Value::Float(sent), Value::Integer(stored)) => (sent.round() - *stored as f64).abs() < f64::EPSILON,
        (Value::Float(sent), Value::Float(stored)) => rounded(*sent, *stored),
        (Value::Timestamp(sent), Value::Timestamp(stored)) => truncated(*sent, *stored),
        (Value::Texts(sent), Value::Texts(stored)) => {
            let folded = |texts: &[String]| -> Vec<String> {
                let mut texts: Vec<String> = texts.iter().map(|text| letters_and_digits(text)).collect();
                if field.set_like {
                    texts.sort_unstable();
                    texts.dedup();
                }
                texts
            };
            !sent.is_empty() && folded(sent) == folded(stored)
        }
        _ => false,
    }
}

/// A text without case, spaces and punctuation.
fn letters_and_digits(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Two numbers, one of which may have a country code in place of its leading zeros.
fn same_number(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| text.trim_start_matches('0'));
    let digits = |text: &str| text.chars().all(|character| character.is_ascii_digit());
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    digits(one) && digits(other) && short.len() >= PHONE_DIGITS && long.ends_with(short)
}

/// Whether a number was rounded to up to nine decimals.
fn rounded(sent: f64, stored: f64) -> bool {
    (0..10).any(|decimals| {
        let scale = 10_f64.powi(decimals);
        ((sent * scale).round() / scale - stored).abs() <= f64::EPSILON * sent.abs().max(1.0)
    })
}

/// Whether a time lost its fraction of a second, or its seconds.
fn truncated(sent: Timestamp, stored: Timestamp) -> bool {
    let (sent, stored) = (sent.micros(), stored.micros());
    [SECOND, 60 * SECOND].iter().any(|step| stored.rem_euclid(*step) == 0 && (sent - stored).abs() < *step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_core::Sides;

    fn field(kind: Kind) -> FieldMapping {
        FieldMapping {
            set_like: kind == Kind::Texts,
            kinds: Sides::by(|_| kind.clone()),
            ..FieldMapping::default()
        }
    }

    #[test]
    fn another_form_of_a_value_is_an_echo_and_another_value_is_not() {
        let text = |text: &str| Value::text(text);
        let at = |text: &str| Value::Timestamp(Timestamp::parse(text).unwrap());
        let echoes = [
            (Kind::Text, text("Norway"), text("NORWAY")),
            (Kind::Text, text(" St.  Gallen"), text("st gallen")),
            (Kind::Phone, text("030-1234567"), text("+49 30 1234567")),
            (Kind::Float, Value::Float(2.34567), Value::Float(2.35)),
            (Kind::Float, Value::Float(2.0), Value::Integer(2)),
            (Kind::Timestamp, at("2026-01-01 10:00:00.5"), at("2026-01-01 10:00:00")),
            (
                Kind::Texts,
                Value::Texts(vec!["VIP".into(), "eu".into()]),
                Value::Texts(vec!["eu".into(), "vip".into()]),
            ),
        ];
        for (kind, sent, stored) in echoes {
            assert!(is_echo(&field(kind), &sent, &stored), "{sent:?} {stored:?}");
        }
        let edits = [
            (Kind::Text, text("Norway"), text("Sweden")),
            (Kind::Text, text("Norway"), Value::Null),
            (Kind::Text, text("-"), text("!")),
            (Kind::Phone, text("030-1234567"), text("030-7654321")),
            (Kind::Phone, text("112"), text("0112112")),
            (Kind::Float, Value::Float(2.34567), Value::Float(2.36)),
            (Kind::Timestamp, at("2026-01-01 10:00:00.5"), at("2026-01-02 10:00:00")),
            (Kind::Texts, Value::Texts(vec![]), Value::Texts(vec!["vip".into()])),
        ];
        for (kind, sent, stored) in edits {
            assert!(!is_echo(&field(kind), &sent, &stored), "{sent:?} {stored:?}");
        }
    }
}
