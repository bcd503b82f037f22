//! The canonical form of identifier values, by which records of the two sides are matched.

use super::{Comparison, Kind, Value};
use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use idna::{AsciiDenyList, domain_to_ascii_cow};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The longest key, in bytes: an index over keys stays small whatever a remote system has in its fields.
const KEY_BYTES: usize = 512;

/// Joins the texts of a composite key. No text has it.
pub const KEY_SEPARATOR: char = '\u{1f}';

/// Characters that no identifier has: NUL, at which other programs end a text, and the one that joins composite keys.
pub fn is_unfit_for_key(text: &str) -> bool {
    text.bytes().any(|byte| byte == 0 || byte == KEY_SEPARATOR as u8)
}

/// A key of at most 512 bytes: a longer one keeps its beginning and ends in its SHA-256.
pub fn bounded_key(mut key: String) -> String {
    if key.len() > KEY_BYTES {
        let digest = Sha256::digest(key.as_bytes());
        key.truncate(key.floor_char_boundary(KEY_BYTES - 2 * digest.len()));
        for byte in digest {
            // Writing to a text never fails.
            let _ = write!(key, "{byte:02x}");
        }
    }
    key
}

/// The canonical form of an identifier value: two records match where it is equal. `None` where the value
/// identifies no record.
///
/// Texts are trimmed, runs of white space become one space, and what is left is compared without case in Unicode
/// normal form C (caseless matching): «STRASSE» is «straße», however its letters are composed. The domain of an
/// e-mail address is in its ASCII form (IDNA); any text with exactly one `@` and without white space counts as an
/// address there. An address needs text on both sides of its `@`: people fill required fields with «n/a» or «-», and
/// these must not match strangers. Phone numbers are reduced to their digits without a leading `00`; a number of
/// zeros only identifies nobody. Numbers, dates and timestamps are compared by their text, so that customer number 12
/// matches whether its side has it as a number or as text. Booleans, lists of texts and lists of references
/// never identify a record, nor does a text with a character that no key has ([`is_unfit_for_key`]). A form of more
/// than 512 bytes ends in its SHA-256 ([`bounded_key`]).
pub fn canonical_identifier(kind: &Kind, value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Boolean(_) | Value::Texts(_) | Value::References(_) => None,
        Value::Text(text) | Value::Other { text, .. } => match kind.comparison() {
            Comparison::Address => email(text),
            Comparison::Digits => phone(text),
            Comparison::Exact => words(text),
        }
        .map(bounded_key),
        Value::Integer(number) if kind.comparison() == Comparison::Digits => phone(&number.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        // Displays 12.0 as 12, like the integer.
        Value::Float(number) => Some(number.to_string()),
        Value::Date(_) | Value::Timestamp(_) | Value::Reference(_) => Some(value.to_data()),
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
    if is_unfit_for_key(text) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if word.is_ascii() {
            out.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        } else if word.len() == text.trim().len() {
            out.push_str(&address(word).unwrap_or_else(|| fold(word)));
        } else {
            out.push_str(&fold(word));
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Full case folding between the two normal forms, as canonical caseless matching asks for (Unicode, D145).
fn fold(text: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    let folded = CaseMapper::new().fold_string(&decomposed);
    ComposingNormalizerBorrowed::new_nfc().normalize(&folded).into_owned()
}

/// An address with its domain in ASCII. `None` where the text is none, or its domain cannot be one.
fn address(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@').filter(|(_, domain)| !domain.contains('@'))?;
    let domain = domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::URL).ok()?;
    (!local.is_empty() && !domain.is_empty()).then(|| format!("{}@{domain}", fold(local)))
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
            ("text", "אב e\u{301} 👩‍👩‍👧", Some("אב \u{e9} 👩‍👩‍👧")),
            ("text", "STRASSE 1", Some("strasse 1")),
            ("text", "Straße 1", Some("strasse 1")),
            ("text", "\u{212b}ngstrom", Some("\u{e5}ngstrom")),
            ("text", "ΟΔΟΣ", Some("οδοσ")),
            ("text", "a\0b", None),
            ("text", "a\u{1f}b", None),
            ("email", "ü\0@example.org", None),
            ("email", "Ada@BÜCHER.example", Some("ada@xn--bcher-kva.example")),
            ("email", "Ada@bu\u{308}cher.example", Some("ada@xn--bcher-kva.example")),
            ("email", "ada@xn--bcher-kva.EXAMPLE", Some("ada@xn--bcher-kva.example")),
            ("email", "Ada@straße.example", Some("ada@xn--strae-oqa.example")),
            ("text", "Ada@bücher.example", Some("ada@xn--bcher-kva.example")),
            ("text", "ada@bücher.example 2", Some("ada@bücher.example 2")),
            ("email", "ü@a@bücher.example", Some("ü@a@bücher.example")),
            ("unheard-of", "X", Some("x")),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(canonical(kind, Value::text(text)).as_deref(), expected, "{kind} {text:?}");
        }
    }

    #[test]
    fn v5_a_long_key_ends_in_its_digest() {
        let key = |text: &str| canonical("text", Value::text(text)).unwrap();
        let long = "ü".repeat(300);
        let (one, other) = (key(&format!("{long}a")), key(&format!("{long}b")));
        assert!(one.len() <= KEY_BYTES && one.starts_with("üüü") && one != other, "{one}");
        assert_eq!(key(&one), one);
        assert_eq!(key(&"x".repeat(KEY_BYTES)), "x".repeat(KEY_BYTES));
        assert_eq!(key(&"x".repeat(KEY_BYTES + 1)).len(), KEY_BYTES);
    }

    #[test]
    fn v5_every_character_has_one_key() {
        for c in '\0'..=char::MAX {
            for text in [format!("{c}"), format!("x{c}\u{301}"), format!("{c}@{c}.example")] {
                let Some(key) = spelled_words(&text) else { continue };
                assert_eq!(spelled_words(&key).as_ref(), Some(&key), "{text:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn v5_forms_of_one_text_have_one_key(text in "(\\PC|[a-zäöüßẞ@ \u{300}-\u{345}ΐÅſς가각]){0,12}", kind in "text|email") {
            let nfd = DecomposingNormalizerBorrowed::new_nfd().normalize(&text).into_owned();
            let nfc = ComposingNormalizerBorrowed::new_nfc().normalize(&text).into_owned();
            let key = canonical(&kind, Value::text(&text));
            proptest::prop_assert_eq!(&canonical(&kind, Value::text(&nfd)), &key);
            proptest::prop_assert_eq!(&canonical(&kind, Value::text(&nfc)), &key);
            if let Some(key) = key {
                proptest::prop_assert_eq!(canonical(&kind, Value::text(&key)), Some(key));
            }
        }

        #[test]
        fn v5_ascii_keeps_its_form(text in "[\\x01-\\x1e -\\x7f]{0,40}") {
            let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
            let words = Some(words.join(" ")).filter(|words| !words.is_empty());
            proptest::prop_assert_eq!(canonical("text", Value::text(&text)), words);
        }

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
