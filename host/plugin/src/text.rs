//! Output sanitising: makes untrusted texts safe for a terminal, a log or a shell command.

use entente_core::{Foreign, acts_on_a_terminal};

/// Escapes control, invisible and bidirectional characters, and truncates at `most` bytes.
pub(super) fn clean(text: &str, most: u64) -> String {
    Foreign::new(text).cut(usize::try_from(most).unwrap_or(usize::MAX))
}

/// The same in quotation marks, which no mark of its own ends.
pub(super) fn quoted(text: &str, most: u64) -> String {
    Foreign::new(clean(text, most)).quoted()
}

/// Characters that a host drops from an address or that nobody sees in one: those that are escaped, and selectors of a shape.
pub(super) fn is_unseen(c: char) -> bool {
    acts_on_a_terminal(c) || matches!(c, '\u{2800}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}
