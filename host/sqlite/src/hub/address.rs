//! E-mail addresses as people and files write them: a crate decides what is one, and what stands around it is
//! taken off.

use email_address::{EmailAddress, Options};
use std::borrow::Cow;

/// The addresses of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Addresses<'a> {
    pub(super) first: Cow<'a, str>,
    /// How many come after it.
    pub(super) others: usize,
}

/// The addresses of a text: alone, as `mailto:a@b`, `<a@b>`, `Name <a@b>` or in quotes, several of them between
/// commas, semicolons or white space. `None` where something in it is no address.
pub(super) fn read(text: &str) -> Option<Addresses<'_>> {
    let text = text.trim();
    if is_address(text) {
        return Some(Addresses { first: text.into(), others: 0 });
    }
    let named = text.contains('<');
    let mut found: Vec<String> = Vec::new();
    for piece in pieces(text) {
        let piece = unwrapped(piece);
        if is_address(&piece) {
            found.push(piece);
            continue;
        }
        let words: Vec<String> = piece.split_whitespace().map(unwrapped).collect();
        if words.len() > 1 && words.iter().all(|word| is_address(word)) {
            found.extend(words);
        } else if !named || piece.contains('@') {
            // Without an address it may be the half of a name: «Ek, Ada <ada@example.org>».
            return None;
        }
    }
    let others = found.len().checked_sub(1)?;
    Some(Addresses { first: found.swap_remove(0).into(), others })
}

/// The parts between commas, semicolons and `:::`, outside of quotes and angle brackets.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let (mut quoted, mut angle) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            ',' | ';' | '\n' if !quoted && !angle => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    let parts = pieces.into_iter().flat_map(|piece| piece.split(":::"));
    parts.filter(|piece| !piece.trim().is_empty()).collect()
}

/// Takes off what stands around an address.
fn unwrapped(text: &str) -> String {
    let text: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let mut text = text.trim();
    if let Some((_, inner)) = text.rsplit_once('<')
        && let Some(inner) = inner.trim_end().strip_suffix('>')
    {
        text = inner.trim();
    }
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            text = inner.trim();
        }
    }
    if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("mailto:")) {
        text = text[7..].split('?').next().unwrap_or_default();
    }
    // A domain may end in the dot of the root.
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

/// Characters without a width come along when an address is copied from a web page.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn is_address(text: &str) -> bool {
    let options = Options::default().without_display_text().without_domain_literal();
    // The standard allows white space in a quoted local part; nobody has such an address.
    if !text.contains('@') || text.contains(|c: char| c.is_whitespace() || is_invisible(c)) {
        return false;
    }
    if text.is_ascii() {
        return EmailAddress::parse_with_options(text, options).is_ok();
    }
    // Beyond ASCII everything is a letter of an address (RFC 6531); what the domain may hold is not looked at.
    let letters: String =
        text.chars().map(|c| if c.is_ascii() || c.is_control() { c } else { 'x' }).collect();
    EmailAddress::parse_with_options(&letters, options).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f9_addresses_are_read_by_what_the_standard_says_and_taken_out_of_what_is_around_them() {
        let cases = [
            ("ada@example.org", Some(("ada@example.org", 0))),
            (" Ada@Example.org ", Some(("Ada@Example.org", 0))),
            ("two@x.example;second@x.example", Some(("two@x.example", 1))),
            ("a@x.example,b@x.example", Some(("a@x.example", 1))),
            ("a@x.example b@x.example", Some(("a@x.example", 1))),
            ("a@x.example ::: b@x.example ::: c@x.example", Some(("a@x.example", 2))),
            ("a@x.example\nb@x.example", Some(("a@x.example", 1))),
            ("mailto:to@x.example", Some(("to@x.example", 0))),
            ("MAILTO:to@x.example?subject=a", Some(("to@x.example", 0))),
            ("<angle@x.example>", Some(("angle@x.example", 0))),
            ("Ada Ek <ada@x.example>", Some(("ada@x.example", 0))),
            ("\"Ek, Ada\" <ada@x.example>, bo@x.example", Some(("ada@x.example", 1))),
            ("Ek, Ada <ada@x.example>", Some(("ada@x.example", 0))),
            ("'q@x.example'", Some(("q@x.example", 0))),
            ("\"q@x.example\"", Some(("q@x.example", 0))),
            ("tail@x.example,", Some(("tail@x.example", 0))),
            ("dot@x.example.", Some(("dot@x.example", 0))),
            ("ada\u{200b}@x.example\u{feff}", Some(("ada@x.example", 0))),
            ("É@x", Some(("É@x", 0))),
            ("ada@bu\u{308}cher.example", Some(("ada@bu\u{308}cher.example", 0))),
            ("o'neil+news@x.example", Some(("o'neil+news@x.example", 0))),
            ("a@@x.example", None),
            ("a@x..example", None),
            ("a@b@c.example", None),
            ("a b@x.example", None),
            ("a@x.example, call me", None),
            ("a@x.example, b@@x", None),
            ("n/a", None),
            ("@x.example", None),
            ("a@", None),
            ("<>", None),
            (",", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = read(text);
            let found = found.as_ref().map(|found| (found.first.as_ref(), found.others));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
