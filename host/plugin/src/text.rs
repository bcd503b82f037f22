//! Output sanitising: makes untrusted texts safe for a terminal, a log or a shell command.

/// Escapes control, invisible and bidirectional characters, and truncates at `most` bytes.
pub(super) fn clean(text: &str, most: u64) -> String {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut out = String::with_capacity(text.len().min(most));
    for c in text.chars() {
        let start = out.len();
        if is_dangerous(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > most {
            out.truncate(start);
            out.push('…');
            break;
        }
    }
    out
}

/// Characters that a host drops from an address or that nobody sees in one: those that are escaped, and selectors of a shape.
pub(super) fn is_unseen(c: char) -> bool {
    is_dangerous(c)
        || matches!(c, '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Control characters, bidirectional controls and invisible characters.
fn is_dangerous(c: char) -> bool {
    const UNSEEN: &[std::ops::RangeInclusive<char>] = &[
        '\u{ad}'..='\u{ad}',
        '\u{61c}'..='\u{61c}',
        '\u{115f}'..='\u{1160}',
        '\u{180e}'..='\u{180e}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
        '\u{3164}'..='\u{3164}',
        '\u{feff}'..='\u{feff}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{fff9}'..='\u{fffb}',
        '\u{e0000}'..='\u{e007f}',
    ];
    c.is_control() || (!c.is_ascii() && UNSEEN.iter().any(|range| range.contains(&c)))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_is_shown_stays_on_its_line_and_in_its_length() {
        assert_eq!(clean("plain äöü 漢", 100), "plain äöü 漢");
        assert_eq!(clean("a\nb\u{1b}[31m\u{202e}c\0", 100), "a\\nb\\u{1b}[31m\\u{202e}c\\u{0}");
        assert_eq!(clean("äääää", 5), "ää…");
        assert_eq!(clean("", 0), "");
        assert_eq!(clean("a\u{61c}b\u{e0041}c\u{ad}", 100), "a\\u{61c}b\\u{e0041}c\\u{ad}");
    }
}
