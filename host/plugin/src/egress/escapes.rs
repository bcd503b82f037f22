//! Escapes that servers write: one decoded byte at a time, so that a stream can be read without keeping it.

/// The longest escape of one byte: `\u0041`.
pub(super) const LONGEST: usize = 6;

/// How many bytes are looked at to read one escape: a character of two units, `\ud83d\ude00`.
pub(super) const WIDEST: usize = 12;

/// The escaping schemes that servers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Percent-encoding (`%2F`), as in URLs.
    Percent,
    /// Percent-encoding with a plus for a space, as in forms.
    Form,
    /// JSON escapes (`\/`, `\u002f`).
    Json,
}

impl Encoding {
    pub(super) const ALL: [Self; 3] = [Self::Percent, Self::Form, Self::Json];

    /// Whether an escape may begin with this byte. Every other byte stands for itself.
    pub(super) fn begins(self, byte: u8) -> bool {
        match self {
            Encoding::Percent => byte == b'%',
            Encoding::Form => byte == b'%' || byte == b'+',
            Encoding::Json => byte == b'\\',
        }
    }

    /// Decodes what stands at the beginning: the bytes, how many of them count, and how long it is in its raw
    /// form. `None` where more must be known first.
    pub(super) fn decode(self, rest: &[u8], ended: bool) -> Option<([u8; 4], usize, u8)> {
        let first = *rest.first()?;
        if !self.begins(first) {
            return Some(([first, 0, 0, 0], 1, 1));
        }
        if rest.len() < WIDEST && !ended {
            return None;
        }
        Some(match self {
            Encoding::Json => json(rest),
            encoding => percent(rest, encoding == Encoding::Form),
        })
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

    fn decoded(raw: &[u8], encoding: Encoding) -> Vec<u8> {
        let (mut bytes, mut at) = (Vec::new(), 0);
        while let Some((part, count, length)) = encoding.decode(&raw[at..], true) {
            bytes.extend_from_slice(&part[..count]);
            at += usize::from(length);
        }
        bytes
    }

    fn read(raw: &str, encoding: Encoding) -> String {
        String::from_utf8(decoded(raw.as_bytes(), encoding)).unwrap()
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
    }

    #[test]
    fn an_escape_is_read_when_it_is_whole() {
        assert_eq!(Encoding::Json.decode(br"\ud83d", false), None);
        assert_eq!(Encoding::Json.decode(br"\ud83d", true), Some((*b"\\\0\0\0", 1, 1)));
        assert_eq!(Encoding::Percent.decode(b"+", false), Some((*b"+\0\0\0", 1, 1)));
        assert_eq!(Encoding::Form.decode(b"", true), None);
    }
}
