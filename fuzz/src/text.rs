//! Texts of strangers that people are shown, and words of theirs within commands.

use entente_cli::fuzzing::plugin::clean;
use entente_cli::fuzzing::{quoted, safe, safe_json};

/// The words of a command, as a POSIX shell reads what is plain, in single quotes, or a single character
/// after a backslash; `None` where anything else would be done.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            ' ' => words.extend(word.take()),
            c if c.is_ascii_alphanumeric() || "-_.:/=@%+,".contains(c) => {
                word.get_or_insert_default().push(c)
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Some((most, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let shown = clean(text, u64::from(*most));
    assert!(shown.len() <= usize::from(*most) + '…'.len_utf8(), "{} bytes", shown.len());
    assert!(!shown.chars().any(char::is_control));
    let acts = |c: char| c != '\n' && entente_core::acts_on_a_terminal(c);
    assert!(!safe(text).contains(acts), "a line acts on a terminal");
    let json = serde_json::Value::from(text).to_string();
    let shown = safe_json(&json);
    assert!(!shown.contains(acts), "a document acts on a terminal");
    let read: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
    assert_eq!(read, serde_json::Value::from(text), "it is the same document");
    let whole = clean(text, u64::MAX);
    assert_eq!(clean(&whole, u64::MAX), whole, "it is clean already");
    assert_eq!(
        words(&format!("entente {} x", quoted(&whole))).as_deref(),
        Some(&["entente".to_owned(), whole, "x".to_owned()][..])
    );
}
