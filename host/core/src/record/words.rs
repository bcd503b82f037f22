//! Words of a text, for searching: without case and accents, and numbers without what stands between their digits.

use super::value::Value;
use icu_casemap::CaseMapper;
use icu_normalizer::DecomposingNormalizerBorrowed;

/// The longest word that is kept, in characters.
const LONGEST: usize = 40;
/// The most words of a value.
const MOST: usize = 200;
/// The fewest digits of a number that is found by its end.
const LEAST_DIGITS: usize = 4;

/// Letters that no normal form takes apart, and how people type them.
const TYPED: [(char, &str); 9] = [
    ('ø', "o"),
    ('ł', "l"),
    ('đ', "d"),
    ('ð', "d"),
    ('þ', "th"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('ı', "i"),
    ('ħ', "h"),
];

/// The words that a value is found by: each begins with what is looked for. Of a number all its ends, so that it is found without
/// the prefix of its country.
pub fn search_words(value: &Value) -> Vec<String> {
    let mut words = Vec::new();
    match value {
        Value::Text(text) | Value::Other { text, .. } => add(text, &mut words),
        Value::Texts(texts) => texts.iter().for_each(|text| add(text, &mut words)),
        Value::Null | Value::Boolean(_) | Value::Reference(_) | Value::References(_) => {}
        other => add(&other.to_data(), &mut words),
    }
    words.truncate(MOST);
    words
}

/// The words of a query, each of which has to begin a word of a record.
pub fn query_words(query: &str) -> Vec<String> {
    if let Some(digits) = number(query) {
        return vec![digits];
    }
    query
        .split_whitespace()
        .flat_map(|part| number(part).map_or_else(|| split(part), |digits| vec![digits]))
        .collect()
}

fn add(text: &str, words: &mut Vec<String>) {
    if let Some(digits) = number(text) {
        let ends = (0..=digits.len().saturating_sub(LEAST_DIGITS)).map(|start| digits[start..].to_owned());
        words.extend(ends.take(MOST));
    }
    words.extend(split(text));
}

/// The digits of a text that is a number as people write one.
fn number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let plain = text.chars().all(|c| c.is_ascii_digit() || " +-()/.\u{a0}".contains(c));
    (plain && digits.len() >= LEAST_DIGITS).then(|| digits.chars().take(LONGEST).collect())
}

fn split(text: &str) -> Vec<String> {
    let folded = folded(text);
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(LONGEST).collect()).collect()
}

/// Without case and accents.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let mut out = String::with_capacity(text.len());
    for c in CaseMapper::new().fold_string(&decomposed).chars().filter(|c| !is_accent(*c)) {
        match TYPED.iter().find(|(letter, _)| *letter == c) {
            Some((_, typed)) => out.push_str(typed),
            None => out.push(c),
        }
    }
    out
}

/// Marks on Latin, Greek and Cyrillic letters; those of other scripts belong to the letter.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_without_case_and_accents() {
        for (text, words) in [
            ("José O'Neil-Müller", &["jose", "o", "neil", "muller"][..]),
            ("Ærø STRASSE Straße", &["aero", "strasse", "strasse"]),
            ("jane.doe@x.example", &["jane", "doe", "x", "example"]),
            ("ΑΘΉΝΑ", &["αθηνα"]),
            ("Łódź", &["lodz"]),
            (" - ", &[]),
        ] {
            assert_eq!(search_words(&Value::text(text)), words, "{text}");
        }
        let list = Value::Texts(vec!["VIP".into(), "wholesale".into()]);
        assert_eq!(search_words(&list), ["vip", "wholesale"]);
        assert_eq!(search_words(&Value::Integer(12345)), ["12345", "2345", "12345"]);
    }

    #[test]
    fn a_number_is_found_by_its_end_however_it_is_written() {
        let words = search_words(&Value::text("+47 22 00 11-22"));
        for query in ["22001122", "22 00 11 22", "+47 22 00", "4722001122"] {
            let [wanted] = &query_words(query)[..] else { panic!("{query}") };
            assert!(words.iter().any(|word| word.starts_with(wanted.as_str())), "{query}: {words:?}");
        }
        assert!(!words.iter().any(|word| word.starts_with("9999")));
    }

    #[test]
    fn each_word_of_a_query_counts() {
        assert_eq!(query_words("Wei KHAN 22001122"), ["wei", "khan", "22001122"]);
        assert_eq!(query_words("…"), Vec::<String>::new());
    }
}
