//! The text form of lists, in CSV cells and for people.

/// Joins elements into a text that [`read_list`] splits again. Separators, backslashes before them and white
/// space at the ends of an element are escaped by a backslash; an empty element is `\e`.
pub(super) fn write_list<'a>(elements: impl Iterator<Item = &'a str>, separator: char) -> String {
    let mut out = String::new();
    for (n, element) in elements.enumerate() {
        if n > 0 {
            out.push(separator);
        }
        if element.is_empty() {
            out.push_str("\\e");
        }
        let inner = element.len() - element.trim_start().len()..element.trim_end().len();
        for (at, c) in element.char_indices() {
            if c == separator || c == '\\' || (c.is_whitespace() && !inner.contains(&at)) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Splits a list. A backslash that escapes nothing is literal, so that `C:\tags` is one element as it stands.
pub(super) fn read_list(text: &str, separator: char) -> Vec<String> {
    let mut list = Vec::new();
    let mut element = String::new();
    // White space up to here is escaped, and not trimmed.
    let (mut kept_start, mut kept_end) = (false, 0);
    let mut raw_empty = false;
    let mut chars = text.chars().peekable();
    let finish = |element: &mut String,
                  kept_start: &mut bool,
                  kept_end: &mut usize,
                  raw_empty: &mut bool,
                  list: &mut Vec<String>| {
        let end = element.trim_end().len().max(*kept_end);
        element.truncate(end);
        if !element.is_empty() || *raw_empty {
            list.push(std::mem::take(element));
        }
        (*kept_start, *kept_end, *raw_empty) = (false, 0, false);
    };
    while let Some(c) = chars.next() {
        if c == separator {
            finish(&mut element, &mut kept_start, &mut kept_end, &mut raw_empty, &mut list);
            continue;
        }
        if c == '\\' {
            match chars.peek().copied() {
                Some(next) if next == separator || next == '\\' || next.is_whitespace() => {
                    chars.next();
                    element.push(next);
                    kept_start = true;
                    kept_end = element.len();
                    continue;
                }
                Some('e') if element.is_empty() => {
                    let mut rest = chars.clone();
                    rest.next();
                    if rest.find(|c| *c == separator || !c.is_whitespace()).is_none_or(|c| c == separator) {
                        chars.next();
                        raw_empty = true;
                        continue;
                    }
                }
                _ => {}
            }
        }
        if c.is_whitespace() && element.is_empty() && !kept_start {
            continue;
        }
        element.push(c);
    }
    finish(&mut element, &mut kept_start, &mut kept_end, &mut raw_empty, &mut list);
    list
}
