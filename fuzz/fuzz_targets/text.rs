//! Texts of strangers that people are shown, and words of theirs within commands.
#![no_main]

use entente::fuzzing::plugin::{argument, clean};
use libfuzzer_sys::fuzz_target;

/// The words of a command, as a POSIX shell reads what is plain, in single quotes, or a single character after a backslash; `None` where
/// anything else would be done.
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
            c if c.is_ascii_alphanumeric() || "-_.:/=@%+,".contains(c) => word.get_or_insert_default().push(c),
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

fuzz_target!(|input: (&str, u8)| {
    let (text, most) = input;
    let shown = clean(text, most.into());
    assert!(shown.len() <= usize::from(most) + '…'.len_utf8(), "{} bytes", shown.len());
    assert!(!shown.chars().any(char::is_control));
    let whole = clean(text, u64::MAX);
    assert_eq!(clean(&whole, u64::MAX), whole, "it is clean already");
    assert_eq!(words(&format!("entente {} x", argument(&whole))).as_deref(), Some(&["entente".to_owned(), whole, "x".to_owned()][..]));
});
