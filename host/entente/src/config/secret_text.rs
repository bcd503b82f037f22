//! Secrets in plain text, while they are in memory.

use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// The bits of what is not guessed by trying.
const ENOUGH: f64 = 64.0;
/// The bits of a word, of some ten thousands that people use.
const WORD: f64 = 16.0;

/// A secret in plain text. Its debug output is empty, and it is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes ownership of a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// What makes it weak, if it is: so few guesses that whoever can try them finds it. Only that much is told of it, and nothing that
    /// makes guessing easier than its kind does.
    pub fn weakness(&self) -> Option<String> {
        /// Different characters that what was made at random has.
        const DIFFERENT: usize = 6;
        let different = self.reveal().chars().collect::<BTreeSet<_>>().len();
        let has = |is: fn(char) -> bool| self.reveal().chars().any(is);
        let kinds = [
            ("digits", 10, has(|c| c.is_ascii_digit())),
            ("small letters", 26, has(|c| c.is_ascii_lowercase())),
            ("capital letters", 26, has(|c| c.is_ascii_uppercase())),
            ("other characters", 32, has(|c| !c.is_ascii_alphanumeric())),
        ];
        let kinds: Vec<(&str, u32)> =
            kinds.into_iter().filter(|kind| kind.2).map(|(name, size, _)| (name, size)).collect();
        let alphabet: u32 = kinds.iter().map(|(_, size)| size).sum();
        let each = f64::from(alphabet.max(1)).log2();
        if self.repeats() {
            return Some("it repeats a few characters".to_owned());
        }
        if self
            .words_and_rest()
            .is_some_and(|(words, rest)| f64::from(words) * WORD + f64::from(rest) * each < ENOUGH)
        {
            return Some("it is made of words".to_owned());
        }
        let bits = self.reveal().chars().count() as f64 * each;
        if bits < ENOUGH {
            let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
            return Some(format!("it is short for {}", names.join(" and ")));
        }
        (different < DIFFERENT).then(|| "it repeats a few characters".to_owned())
    }

    /// Whether it is a short text, twelve characters at most, several times.
    fn repeats(&self) -> bool {
        let text: Vec<char> = self.reveal().chars().collect();
        (1..=text.len() / 2)
            .filter(|length| *length <= 12 && text.len().is_multiple_of(*length))
            .any(|length| text.chunks(length).all(|part| part == &text[..length]))
    }

    /// How many words there may be in it, six letters each, and how many other characters; `None` where there are no words. A word is
    /// four or more letters of one case, or small ones after a capital, or a row of the keyboard; one that is there again says
    /// nothing new.
    fn words_and_rest(&self) -> Option<(u32, u32)> {
        const ROWS: [&str; 4] = ["abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
        let (mut words, mut rest) = (BTreeSet::new(), 0);
        let mut letters = self.reveal().chars().peekable();
        while let Some(first) = letters.next() {
            let mut run = first.to_ascii_lowercase().to_string();
            let capitals = first.is_ascii_uppercase() && letters.peek().is_some_and(char::is_ascii_uppercase);
            let is_next = |c: &char| if capitals { c.is_ascii_uppercase() } else { c.is_ascii_lowercase() };
            while first.is_ascii_alphabetic()
                && let Some(next) = letters.next_if(is_next)
            {
                run.push(next.to_ascii_lowercase());
            }
            let row = ROWS.iter().any(|row| row.contains(&run));
            match run.len() {
                0..4 => rest += run.len() as u32,
                _ if row => drop(words.insert(run)),
                _ => words
                    .extend(run.as_bytes().chunks(6).map(|part| String::from_utf8_lossy(part).into_owned())),
            }
        }
        (!words.is_empty()).then(|| (u32::try_from(words.len()).unwrap_or(u32::MAX), rest))
    }

    /// The plain text. It must not be written, logged or sent to a plugin.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x7_a_weak_secret_is_told_from_one_that_cannot_be_guessed() {
        let table = [
            ("", Some("it is short for ")),
            ("470815", Some("it is short for digits")),
            ("hunter2", Some("it is made of words")),
            ("Tr0ub4dor&", None),
            ("Summer2026!", Some("it is made of words")),
            ("PASSWORDPASSWORD", Some("it repeats a few characters")),
            ("passwordpasswordpassword", Some("it repeats a few characters")),
            ("12345678901234567890", Some("it repeats a few characters")),
            ("Password1234", Some("it is made of words")),
            ("admin:admin-2024", Some("it is made of words")),
            ("qwertyuiopasdfghjklzxcvbnm", None),
            ("qwhdkzlrpvnxbtfsgmcj", None),
            ("1234567890123456789", Some("it is short for digits")),
            ("correcthorsebattery", None),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Some("it repeats a few characters")),
            ("0123456789abcdef0123456789abcdef-us1", None),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", None),
        ];
        for (text, expected) in table {
            assert_eq!(SecretText::new(text).weakness().as_deref(), expected, "{text}");
        }
    }
}
