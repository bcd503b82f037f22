//! Texts that a stranger wrote, made fit to be shown.

/// Cuts at so many bytes and escapes what could move a cursor, hide text or turn it around.
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

/// Control characters, and those that change the direction of text or are not seen.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
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
    }
}
