//! Decoding with a source map: the bytes with their escapes undone, and for each decoded byte its span in the
//! raw bytes.

use std::ops::Range;

/// The longest escape of one byte: `\u0041`.
pub(super) const LONGEST: usize = 6;

/// The escaping schemes that servers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Percent-encoding (`%2F`), as in URLs.
    Percent,
    /// Percent-encoding with a plus for a space, as in forms.
    Form,
    /// JSON escapes (`\/`, `\u002f`).
    Json,
}

/// The bytes decoded by one scheme.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// For each decoded byte: start and length of its raw bytes.
    spans: Vec<(usize, u8)>,
}

impl Decoded {
    /// Every decoding that differs from the raw bytes.
    pub(super) fn all(raw: &[u8]) -> Vec<Self> {
        let (percent, plus, backslash) = (raw.contains(&b'%'), raw.contains(&b'+'), raw.contains(&b'\\'));
        [(percent, Encoding::Percent), (plus, Encoding::Form), (backslash, Encoding::Json)]
            .into_iter()
            .filter(|(differs, _)| *differs)
            .map(|(_, encoding)| Self::of(raw, encoding))
            .collect()
    }

    fn of(raw: &[u8], encoding: Encoding) -> Self {
        let mut decoded = Self { bytes: Vec::with_capacity(raw.len()), spans: Vec::with_capacity(raw.len()) };
        let mut at = 0;
        while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
            let (bytes, count, length) = match encoding {
                Encoding::Json => json(rest),
                encoding => percent(rest, encoding == Encoding::Form),
            };
            for byte in bytes.iter().take(count) {
                decoded.bytes.push(*byte);
                decoded.spans.push((at, length));
            }
            at += usize::from(length);
        }
        decoded
    }

    /// The raw span of a decoded range.
    pub(super) fn span(&self, part: Range<usize>) -> Option<Range<usize>> {
        let (start, _) = *self.spans.get(part.start)?;
        let (last, length) = *self.spans.get(part.end.checked_sub(1)?)?;
        Some(start..last + usize::from(length))
    }

    /// The offset itself, or the start of the escape that contains it: a boundary from which decoding gives
    /// the same result.
    pub(super) fn boundary(&self, at: usize) -> usize {
        let index = self.spans.partition_point(|(start, _)| *start < at);
        match index.checked_sub(1).and_then(|index| self.spans.get(index)) {
            Some((start, length)) if start + usize::from(*length) > at => *start,
            _ => at,
        }
    }
}

fn digits(text: Option<&[u8]>) -> Option<u32> {
    text?.iter().try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

/// Decodes the next byte; returns the number of raw bytes consumed.
fn percent(rest: &[u8], form: bool) -> ([u8; 4], usize, u8) {
    let plain = rest.first().copied().unwrap_or_default();
    match plain {
        b'%' => match digits(rest.get(1..3)).and_then(|number| u8::try_from(number).ok()) {
            Some(byte) => ([byte, 0, 0, 0], 1, 3),
            None => ([plain, 0, 0, 0], 1, 1),
        },
        b'+' if form => ([b' ', 0, 0, 0], 1, 1),
        _ => ([plain, 0, 0, 0], 1, 1),
    }
}

/// Decodes the next character to UTF-8; returns its length, and the number of raw bytes consumed.
fn json(rest: &[u8]) -> ([u8; 4], usize, u8) {
    let plain = rest.first().copied().unwrap_or_default();
    if plain != b'\\' {
        return ([plain, 0, 0, 0], 1, 1);
    }
    let simple = match rest.get(1) {
        Some(byte @ (b'"' | b'\\' | b'/' | b'\'')) => *byte,
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => {
            let unit = |at: usize| {
                (rest.get(at..at + 2) == Some(b"\\u")).then(|| digits(rest.get(at + 2..at + 6))).flatten()
            };
            let (code, length) = match (unit(0), unit(6)) {
                (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                    (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
                }
                (Some(code), _) => (code, 6),
                (None, _) => return ([plain, 0, 0, 0], 1, 1),
            };
            let mut bytes = [0; 4];
            return match char::from_u32(code) {
                Some(character) => {
                    let count = character.encode_utf8(&mut bytes).len();
                    (bytes, count, length)
                }
                None => ([plain, 0, 0, 0], 1, 1),
            };
        }
        _ => return ([plain, 0, 0, 0], 1, 1),
    };
    ([simple, 0, 0, 0], 1, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str, encoding: Encoding) -> String {
        String::from_utf8(Decoded::of(raw.as_bytes(), encoding).bytes).unwrap()
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        assert_eq!(read("a%2Fb%2f+%4%zz%", Encoding::Percent), "a/b/+%4%zz%");
        assert_eq!(read("a+b%20c", Encoding::Form), "a b c");
        assert_eq!(
            read(r#"\"a\/\u00e4\ud83d\ude00\n\\u0041\q\u12"#, Encoding::Json),
            "\"a/ä😀\n\\u0041\\q\\u12"
        );
        assert_eq!(read(r"\ud83dx\ude00", Encoding::Json), r"\ud83dx\ude00", "half a character is none");
        assert!(Decoded::all(b"plain").is_empty());
    }

    #[test]
    fn places_lead_back() {
        let decoded = Decoded::of(br"x\u0041\/y", Encoding::Json);
        assert_eq!((decoded.bytes.as_slice(), decoded.span(1..3)), (&b"xA/y"[..], Some(1..9)));
        assert_eq!([0, 1, 2, 6, 7, 8, 9, 10].map(|at| decoded.boundary(at)), [0, 1, 1, 1, 7, 7, 9, 10]);
        assert_eq!(decoded.span(3..5), None);
        assert_eq!(decoded.span(0..0), None);
    }
}
