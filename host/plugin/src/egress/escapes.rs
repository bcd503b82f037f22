//! What bytes say once escapes are undone, and where each letter of it stands in what came.

use std::ops::Range;

/// One byte can take so many as it comes: `\u0041`.
pub(super) const LONGEST: usize = 6;

/// The ways in which servers write what does not fit as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `%2F`, as in addresses.
    Percent,
    /// The same with a plus for a space, as in forms.
    Form,
    /// `\/`, `\u002f`, as in JSON.
    Json,
}

/// The bytes, read in one way.
pub(super) struct Reading {
    pub(super) bytes: Vec<u8>,
    /// For each of them: where what stands for it begins, and how long that is.
    places: Vec<(usize, u8)>,
}

impl Reading {
    /// All readings that differ from the bytes themselves.
    pub(super) fn all(raw: &[u8]) -> Vec<Self> {
        let (percent, plus, backslash) = (raw.contains(&b'%'), raw.contains(&b'+'), raw.contains(&b'\\'));
        [(percent, Way::Percent), (plus, Way::Form), (backslash, Way::Json)]
            .into_iter()
            .filter(|(differs, _)| *differs)
            .map(|(_, way)| Self::of(raw, way))
            .collect()
    }

    fn of(raw: &[u8], way: Way) -> Self {
        let mut reading =
            Self { bytes: Vec::with_capacity(raw.len()), places: Vec::with_capacity(raw.len()) };
        let mut at = 0;
        while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
            let (bytes, count, length) = match way {
                Way::Json => json(rest),
                way => percent(rest, way == Way::Form),
            };
            for byte in bytes.iter().take(count) {
                reading.bytes.push(*byte);
                reading.places.push((at, length));
            }
            at += usize::from(length);
        }
        reading
    }

    /// Where in what came a part of the reading stands.
    pub(super) fn place(&self, part: Range<usize>) -> Option<Range<usize>> {
        let (start, _) = *self.places.get(part.start)?;
        let (last, length) = *self.places.get(part.end.checked_sub(1)?)?;
        Some(start..last + usize::from(length))
    }

    /// The place itself, or the beginning of the escape that it lies within: from there on everything reads
    /// as it did.
    pub(super) fn boundary(&self, at: usize) -> usize {
        let index = self.places.partition_point(|(start, _)| *start < at);
        match index.checked_sub(1).and_then(|index| self.places.get(index)) {
            Some((start, length)) if start + usize::from(*length) > at => *start,
            _ => at,
        }
    }
}

fn digits(text: Option<&[u8]>) -> Option<u32> {
    text?.iter().try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

/// The next byte, and how many stand for it.
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

/// The next character as UTF-8, how many bytes that are, and how many stand for it.
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

    fn read(raw: &str, way: Way) -> String {
        String::from_utf8(Reading::of(raw.as_bytes(), way).bytes).unwrap()
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        assert_eq!(read("a%2Fb%2f+%4%zz%", Way::Percent), "a/b/+%4%zz%");
        assert_eq!(read("a+b%20c", Way::Form), "a b c");
        assert_eq!(read(r#"\"a\/\u00e4\ud83d\ude00\n\\u0041\q\u12"#, Way::Json), "\"a/ä😀\n\\u0041\\q\\u12");
        assert_eq!(read(r"\ud83dx\ude00", Way::Json), r"\ud83dx\ude00", "half a character is none");
        assert!(Reading::all(b"plain").is_empty());
    }

    #[test]
    fn places_lead_back() {
        let reading = Reading::of(br"x\u0041\/y", Way::Json);
        assert_eq!((reading.bytes.as_slice(), reading.place(1..3)), (&b"xA/y"[..], Some(1..9)));
        assert_eq!([0, 1, 2, 6, 7, 8, 9, 10].map(|at| reading.boundary(at)), [0, 1, 1, 1, 7, 7, 9, 10]);
        assert_eq!(reading.place(3..5), None);
        assert_eq!(reading.place(0..0), None);
    }
}
