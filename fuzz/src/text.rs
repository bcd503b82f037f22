//! Texts of strangers that people are shown, and words of theirs within commands.

use entente_cli::fuzzing::plugin::clean;
use entente_cli::fuzzing::{data, quoted, safe, safe_json};

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

/// Data that is streamed to a terminal, in pieces: they make no difference, and nothing acts on it; of CSV, each line is a row.
fn check_data(size: usize, text: &str) {
    for kind in 0..3 {
        let shown = data(kind, &text.as_bytes().chunks(size).collect::<Vec<_>>());
        assert_eq!(shown, data(kind, &[text.as_bytes()]), "pieces make a difference");
        let shown = String::from_utf8(shown).expect("a text stays one");
        assert!(
            !shown.contains(|c: char| c != '\n' && entente_core::acts_on_a_terminal(c)),
            "data acts on a terminal"
        );
        let within = |text: &str| text.matches('"').count() % 2 == 1;
        assert!(
            kind != 1 || !shown.split_inclusive('\n').any(|line| line.ends_with('\n') && within(line)),
            "a row of two lines"
        );
    }
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let Some((most, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let shown = clean(text, u64::from(*most));
    assert!(shown.len() <= usize::from(*most) + '…'.len_utf8(), "{} bytes", shown.len());
    assert!(!shown.contains(entente_core::acts_on_a_terminal), "a text acts on a terminal");
    let acts = |c: char| c != '\n' && entente_core::acts_on_a_terminal(c);
    assert!(!safe(text).contains(acts), "a line acts on a terminal");
    let json = serde_json::Value::from(text).to_string();
    let shown = safe_json(&json);
    assert!(!shown.contains(acts), "a document acts on a terminal");
    let read: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
    assert_eq!(read, serde_json::Value::from(text), "it is the same document");
    check_data(usize::from(most % 16) + 1, text);
    let quotation = entente_core::Foreign::new(text).quoted();
    assert!(!quotation.contains(acts) && !quotation.contains('\n'), "a quotation acts on a terminal");
    assert!(
        quotation.strip_prefix('«').and_then(|rest| rest.find(['«', '»'])) == Some(quotation.len() - 4),
        "a quotation ends before its end"
    );
    let whole = clean(text, u64::MAX);
    assert_eq!(clean(&whole, u64::MAX), whole, "it is clean already");
    assert_eq!(
        words(&format!("entente {} x", quoted(&whole))).as_deref(),
        Some(&["entente".to_owned(), whole, "x".to_owned()][..])
    );
}
