//! Text of strangers: what a plugin, a remote system, a file or another process said.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Text that somebody else chose: an id, a name, a value, an error of a plugin.
///
/// As data it is what it is: stored, compared, in JSON. Where it is displayed it stays on its line and in its
/// place, whatever it holds: [`fmt::Display`] is the only way to print it, and escapes every character that
/// [`acts_on_a_terminal`] as Rust would write it (`\u{1b}`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Foreign<T = String>(T);

impl<T: AsRef<str>> Foreign<T> {
    /// Marks a text as somebody else's.
    pub const fn new(text: T) -> Self {
        Self(text)
    }

    /// The text itself, to compare, store or send. Not for anything that people read.
    pub fn as_data(&self) -> &str {
        self.0.as_ref()
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> Foreign<&str> {
        Foreign(self.as_data())
    }

    /// For people, in quotation marks, which no mark of its own ends.
    pub fn quoted(&self) -> String {
        let mark = |c: char| match c {
            '«' | '‹' => '<',
            '»' | '›' => '>',
            c => c,
        };
        let shown: String = self.borrowed().to_string().chars().map(mark).collect();
        format!("«{shown}»")
    }

    /// For people: a single word as it is, anything else in quotation marks, so that it reads as no sentence of ours.
    pub fn named(&self) -> String {
        let is_of_word = |c: char| c.is_alphanumeric() || "-_./:@+%~#=*{}".contains(c);
        match self.as_data().chars().all(is_of_word) {
            true => self.as_data().to_owned(),
            false => self.quoted(),
        }
    }

    /// For people, cut to so many bytes.
    pub fn cut(&self, most: usize) -> String {
        let mut shown = String::with_capacity(self.as_data().len().min(most));
        for c in self.as_data().chars() {
            let start = shown.len();
            match acts_on_a_terminal(c) {
                true => shown.extend(c.escape_default()),
                false => shown.push(c),
            }
            if shown.len() > most {
                shown.truncate(start);
                shown.push('…');
                break;
            }
        }
        shown
    }
}

impl<T: AsRef<str>> fmt::Display for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_shown(self.as_data(), f)
    }
}

/// As it is displayed: a debug line is printed as well.
impl<T: AsRef<str>> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        write_shown(self.as_data(), f)?;
        f.write_str("\"")
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Writes a text with what [`acts_on_a_terminal`] escaped.
fn write_shown(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut plain = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| acts_on_a_terminal(*c)) {
        f.write_str(&text[plain..at])?;
        write!(f, "{}", c.escape_default())?;
        plain = at + c.len_utf8();
    }
    f.write_str(&text[plain..])
}

/// Whether a character does something in a terminal, or to the text beside it, instead of showing: control characters with line
/// breaks and tabs, bidirectional controls (Unicode UAX #9) and invisible characters.
pub fn acts_on_a_terminal(c: char) -> bool {
    const UNSEEN: &[std::ops::RangeInclusive<char>] = &[
        '\u{ad}'..='\u{ad}',
        '\u{34f}'..='\u{34f}',
        '\u{61c}'..='\u{61c}',
        '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}',
        '\u{180b}'..='\u{180f}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{3164}'..='\u{3164}',
        '\u{feff}'..='\u{feff}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{fff0}'..='\u{fffb}',
        '\u{13430}'..='\u{1345f}',
        '\u{1bca0}'..='\u{1bca3}',
        '\u{1d159}'..='\u{1d159}',
        '\u{1d173}'..='\u{1d17a}',
        '\u{e0000}'..='\u{e0fff}',
    ];
    c.is_control() || (!c.is_ascii() && UNSEEN.iter().any(|range| range.contains(&c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_stays_on_its_line_and_in_its_length() {
        for (text, shown) in [
            ("plain äöü 漢", "plain äöü 漢"),
            ("a\nb\u{1b}[31m\u{202e}c\0", "a\\nb\\u{1b}[31m\\u{202e}c\\u{0}"),
            ("a\u{61c}b\u{e0041}c\u{ad}", "a\\u{61c}b\\u{e0041}c\\u{ad}"),
            ("\r\u{9b}2J\u{200b}", "\\r\\u{9b}2J\\u{200b}"),
            ("", ""),
        ] {
            assert_eq!(Foreign::new(text).to_string(), shown);
            assert_eq!(format!("{:?}", Foreign::new(text)), format!("\"{shown}\""));
            assert_eq!(Foreign::new(text).cut(100), shown);
        }
        assert_eq!(Foreign::new("äääää").cut(5), "ää…");
        assert_eq!(Foreign::new("").cut(0), "");
    }

    #[test]
    fn x5_a_quotation_ends_at_its_end() {
        assert_eq!(Foreign::new("https://{dc}.example.com/a_b").named(), "https://{dc}.example.com/a_b");
        assert_eq!(Foreign::new("5). next: run").named(), "«5). next: run»");
        assert_eq!(Foreign::new("a «b» c\n").quoted(), "«a <b> c\\n»");
    }

    #[test]
    fn as_data_and_in_json_it_is_what_was_said() {
        let said = Foreign::from("a\u{1b}\nb");
        assert_eq!(said.as_data(), "a\u{1b}\nb");
        let json = serde_json::to_string(&said).unwrap();
        assert_eq!(json, r#""a\u001b\nb""#);
        assert_eq!(serde_json::from_str::<Foreign>(&json).unwrap(), said);
    }
}
