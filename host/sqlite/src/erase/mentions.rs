//! Mentions: the texts of an erased record, looked for in what others have said of it (messages of runs, log lines, addresses of
//! calls), and masked there.

use crate::store::SAID_KEYS;
use aho_corasick::{AhoCorasick, MatchKind};
use entente_core::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Stands where a mention was.
pub const ERASED: &str = "[erased]";

/// The fewest characters of a text that is looked for: a shorter one is within everything.
const LEAST: usize = 3;

/// How many digits at its end tell a number, however the country before them is written.
const TELLING: usize = 7;

/// The texts of an erased record. They are shown nowhere.
pub struct Mentions {
    find: Option<AhoCorasick>,
    /// The digits of its numbers.
    numbers: Vec<String>,
}

impl std::fmt::Debug for Mentions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mentions").finish_non_exhaustive()
    }
}

impl Mentions {
    /// The texts among these values, and the ids of other systems that are more than a number.
    pub(super) fn of(values: &[Value], ids: &[String]) -> Self {
        let (mut texts, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        let mut take = |text: &str| {
            add(&mut texts, text.trim());
            numbers.extend(number(text));
        };
        for value in values {
            match value {
                Value::Text(text) | Value::Other { text, .. } => take(text),
                Value::Texts(list) => list.iter().for_each(|text| take(text)),
                _ => {}
            }
        }
        // An id that is an address tells who it is; a short one or a number is within everything.
        for id in ids.iter().filter(|id| id.contains('@')) {
            add(&mut texts, id);
        }
        let find = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&texts)
            .ok()
            .filter(|_| !texts.is_empty());
        Self { find, numbers: numbers.into_iter().collect() }
    }

    /// The text with every mention masked; `None` where there is none. A mention is a whole word: «Ann» is not within «Anniversary».
    pub fn mask(&self, text: &str) -> Option<String> {
        match self.mask_texts(text) {
            Some(masked) => Some(self.mask_numbers(&masked).unwrap_or(masked)),
            None => self.mask_numbers(text),
        }
    }

    /// Masks numbers that end as one of the record does: a country may stand before them in another way, or not at all.
    fn mask_numbers(&self, text: &str) -> Option<String> {
        let is_own = |digits: &str| {
            let tail = |number: &String| number[number.len().saturating_sub(TELLING)..].to_owned();
            digits.len() >= TELLING
                && self
                    .numbers
                    .iter()
                    .any(|own| digits.len() <= own.len() + 4 && digits.ends_with(&tail(own)))
        };
        let (mut masked, mut rest, mut any) = (String::new(), text, false);
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            masked.push_str(&rest[..start]);
            let run = &rest[start..];
            let length = run
                .char_indices()
                .take_while(|(_, c)| c.is_ascii_digit() || " -./()".contains(*c))
                .filter(|(_, c)| c.is_ascii_digit())
                .last()
                .map_or(1, |(at, _)| at + 1);
            let digits: String = run[..length].chars().filter(char::is_ascii_digit).collect();
            let own = is_own(&digits);
            any |= own;
            masked.push_str(if own { ERASED } else { &run[..length] });
            rest = &run[length..];
        }
        masked.push_str(rest);
        any.then_some(masked)
    }

    fn mask_texts(&self, text: &str) -> Option<String> {
        let find = self.find.as_ref()?;
        let mut masked = String::new();
        let mut rest = 0;
        for found in find.find_iter(text) {
            if !is_whole(text, found.start(), found.end()) {
                continue;
            }
            masked.push_str(&text[rest..found.start()]);
            masked.push_str(ERASED);
            rest = found.end();
        }
        if rest == 0 {
            return None;
        }
        masked.push_str(&text[rest..]);
        Some(masked)
    }

    /// The JSON document with every mention in its texts masked; `None` where there is none. What is no JSON is masked as text.
    pub fn mask_json(&self, text: &str) -> Option<String> {
        // Most documents mention nobody, and an escaped text is rare.
        let Ok(mut document) = serde_json::from_str::<serde_json::Value>(text) else {
            return self.mask(text);
        };
        self.mask_value(&mut document, false).then(|| document.to_string())
    }

    /// `said`: it stands where strangers' words stand. Elsewhere a single word in lower case is one of ours, by which the document is
    /// read.
    fn mask_value(&self, value: &mut serde_json::Value, said: bool) -> bool {
        match value {
            serde_json::Value::String(text) if !said && is_word_of_ours(text) => false,
            serde_json::Value::String(text) => match self.mask(text) {
                Some(masked) => {
                    *text = masked;
                    true
                }
                None => false,
            },
            serde_json::Value::Array(list) => {
                list.iter_mut().fold(false, |any, value| self.mask_value(value, said) | any)
            }
            serde_json::Value::Object(object) => {
                let said = |key: &str| said || SAID_KEYS.contains(&key);
                object.iter_mut().fold(false, |any, (key, value)| self.mask_value(value, said(key)) | any)
            }
            _ => false,
        }
    }

    /// Whether bytes that only a stranger can read hold a mention.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.mask(&text).is_some()
    }
}

/// Adds a text in the forms that others write it in: as it is, in capitals and without, and as addresses encode it.
fn add(texts: &mut BTreeSet<String>, text: &str) {
    if text.chars().count() < LEAST {
        return;
    }
    for form in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
        let encoded = percent_encoded(&form, true);
        texts.insert(encoded.replace("%20", "+"));
        texts.insert(encoded.replace("%40", "@"));
        texts.insert(encoded);
        texts.insert(percent_encoded(&form, false).replace("%20", "+"));
        texts.insert(percent_encoded(&form, false));
        texts.insert(form);
    }
}

/// The digits of a text that is a number, written with signs and spaces; a date or an address with words is none.
fn number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let plain = text.chars().all(|c| c.is_ascii_digit() || " +-()/.\u{a0}".contains(c));
    (plain && digits.len() >= TELLING).then_some(digits)
}

fn is_word_of_ours(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    text.bytes().all(plain) && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// `only_ascii`: what is outside ASCII stays as it is, as some leave it.
fn percent_encoded(text: &str, only_ascii: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.' | '_' | '~' => encoded.push(c),
            c if !c.is_ascii() && only_ascii => encoded.push(c),
            c => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(encoded, "%{byte:02X}");
                }
            }
        }
    }
    encoded
}

/// Whether no letter or digit goes on before or after.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let (before, within, after) = (&text[..start], &text[start..end], &text[end..]);
    let goes_on = |inner: Option<char>, outer: Option<char>| {
        inner.is_some_and(char::is_alphanumeric) && outer.is_some_and(char::is_alphanumeric)
    };
    !goes_on(within.chars().next(), before.chars().next_back())
        && !goes_on(within.chars().next_back(), after.chars().next())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn mentions() -> Mentions {
        let texts = ["Ann", "O'Neil", "José", "ann@x.example", "+47 22 00 11 22", "no", "Storgata 5"];
        let mut values = texts.map(Value::text).to_vec();
        values.push(Value::Texts(vec!["Zq77".into()]));
        Mentions::of(&values, &["p3".to_owned(), "Ann.N@crm.example".to_owned()])
    }

    #[test]
    fn whole_words_are_masked_in_the_forms_that_others_write() {
        for (text, masked) in [
            ("contact Ann was refused", "contact [erased] was refused"),
            ("ANN@X.EXAMPLE; ann@x.example", "[erased]; [erased]"),
            ("GET /people?mail=ann%40x.example&x=1", "GET /people?mail=[erased]&x=1"),
            ("tel:+4722001122", "tel:+[erased]"),
            (
                "to=%2B4722001122 and 0047 22 00 11 22, or 22-00-11-22",
                "to=%2B[erased] and [erased], or [erased]",
            ),
            ("JOSÉ, José%20of, q=JOS%C3%89", "[erased], [erased]%20of, q=[erased]"),
            ("storgata+5, STORGATA%205", "[erased], [erased]"),
            ("tags Zq77 and more", "tags [erased] and more"),
            ("at Storgata 5, 0155", "at [erased], 0155"),
            ("ann.n@crm.example is gone", "[erased] is gone"),
        ] {
            assert_eq!(mentions().mask(text).as_deref(), Some(masked), "{text}");
        }
        for text in ["Anniversary", "Joann", "no", "person p3", "Storgata 55", "1234567", "22001123", ""] {
            assert_eq!(mentions().mask(text), None, "{text}");
        }
    }

    #[test]
    fn a_document_stays_one() {
        let text = r#"{"said":["O'Neil","\u004fther"],"n":1}"#;
        assert_eq!(mentions().mask_json(text).unwrap(), r#"{"n":1,"said":["[erased]","Other"]}"#);
        assert_eq!(mentions().mask_json(r#"{"a":"b"}"#), None);
        let lower = Mentions::of(&[Value::text("held")], &[]);
        let text = r#"{"status":"held","said":"held","more":"is held"}"#;
        let masked = r#"{"status":"held","said":"[erased]","more":"is [erased]"}"#;
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parsed(&lower.mask_json(text).unwrap()), parsed(masked), "a word of ours stays");
        assert_eq!(mentions().mask_json("Ann{").unwrap(), "[erased]{");
    }

    #[test]
    fn nothing_is_mentioned_where_there_is_no_text() {
        assert_eq!(Mentions::of(&[Value::text("x")], &[]).mask("x x"), None);
    }
}
