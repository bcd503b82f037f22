//! Words for nothing, and dates of zeros.

use entente_core::Kind;

/// What programs and people write where they have no value, in lower case.
const WORDS: [&str; 14] = [
    "n/a",
    "#n/a",
    "n.a.",
    "null",
    "(null)",
    "[null]",
    "\\n",
    "none",
    "(none)",
    "nil",
    "undefined",
    "-",
    "--",
    "—",
];

/// Whether a cell has a word for nothing.
pub(super) fn is_word(text: &str) -> bool {
    let text = text.trim();
    // The longest has nine letters.
    text.len() <= 9 && !text.is_empty() && WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether the values of a kind may be such a word themselves, so that it has to be kept.
pub(super) fn may_be_a_value(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Text | Kind::LongText | Kind::Phone | Kind::Url | Kind::Texts | Kind::Json | Kind::Other(_)
    )
}

/// Whether a date has only zeros, as some databases and Outlook write one that is not known: `0000-00-00 00:00:00`,
/// `0/0/00`.
pub(super) fn is_zero_date(text: &str) -> bool {
    let text = text.trim();
    let marks = |c: char| matches!(c, '-' | '/' | '.' | ':' | ' ' | 'T' | 'Z' | '0');
    text.contains('0') && text.contains(['-', '/', '.']) && text.chars().all(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_nothing() {
        for text in ["N/A", " null ", "NULL", "\\N", "-", "none", "#N/A"] {
            assert!(is_word(text), "{text}");
        }
        for text in ["", " ", "0", "Nullarbor", "Nonesuch", "no", "na"] {
            assert!(!is_word(text), "{text}");
        }
        for text in ["0000-00-00", "0000-00-00 00:00:00", "0/0/00", "00.00.0000", "0000-00-00T00:00:00Z"] {
            assert!(is_zero_date(text), "{text}");
        }
        for text in ["", "0", "-", "2000-00-00", "00:00", "1/0/00"] {
            assert!(!is_zero_date(text), "{text}");
        }
    }
}
