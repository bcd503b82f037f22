//! The text form of lists, in CSV cells and for people.

/// Joins elements into a text that [`read_list`] splits again. Separators, backslashes, white space at the ends of an
/// element, a quote at its beginning and commas, by which a list of another program is recognised, are escaped by a
/// backslash; an empty element is `\e`.
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
            if c == separator
                || matches!(c, '\\' | ',')
                || (c == '"' && at == inner.start)
                || (c.is_whitespace() && !inner.contains(&at))
            {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Splits a list. A backslash that escapes nothing is literal, so that `C:\tags` is one element as it stands. An
/// element in quotes is what stands between them.
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
        if c == '"'
            && element.is_empty()
            && !kept_start
            && let Some((inside, rest)) = quoted(chars.clone(), separator)
        {
            (kept_start, kept_end, raw_empty) = (true, inside.len(), inside.is_empty());
            (element, chars) = (inside, rest);
            continue;
        }
        if c == '\\' {
            match chars.peek().copied() {
                Some(next)
                    if next == separator || matches!(next, '\\' | ',' | '"') || next.is_whitespace() =>
                {
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

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// An element in quotes and what follows it, where the quote is closed and the element ends there. A doubled quote
/// within it is one.
fn quoted(mut rest: Rest<'_>, separator: char) -> Option<(String, Rest<'_>)> {
    let mut inside = String::new();
    loop {
        match rest.next()? {
            '"' if rest.peek() == Some(&'"') => {
                rest.next();
                inside.push('"');
            }
            '"' => break,
            c => inside.push(c),
        }
    }
    let mut after = rest.clone();
    let ends = after.find(|c| *c == separator || !c.is_whitespace()).is_none_or(|c| c == separator);
    ends.then_some((inside, rest))
}
