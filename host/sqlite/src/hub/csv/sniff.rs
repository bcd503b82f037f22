//! Delimiter detection.

use super::CsvError;
use super::rows::Rows;

/// The candidate delimiters, the most likely first.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The number of rows sampled.
const ROWS: usize = 50;

/// The delimiter given by the operator, as a byte.
pub(super) fn given(delimiter: char) -> Result<u8, CsvError> {
    match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => Ok(byte),
        _ => Err(CsvError::Delimiter(delimiter)),
    }
}

/// The `sep=;` line that spreadsheet programs write first, also in quotes or with spaces. Returns the delimiter and the
/// number of bytes to skip.
pub(super) fn declared(sample: &[u8]) -> Option<(u8, usize)> {
    const LONGEST: usize = 16;
    let end = sample.iter().take(LONGEST).position(|byte| matches!(byte, b'\r' | b'\n'))?;
    let line = std::str::from_utf8(&sample[..end]).ok()?.trim_matches([' ', '"']);
    let (word, delimiter) = line.split_at_checked(3)?;
    let delimiter = delimiter.trim_start_matches(' ').strip_prefix('=')?;
    let delimiter = if delimiter.len() > 1 { delimiter.trim_matches([' ', '"', '\'']) } else { delimiter };
    let mut characters = delimiter.chars();
    let (Some(delimiter), None) = (characters.next(), characters.next()) else { return None };
    if !word.eq_ignore_ascii_case("sep") {
        return None;
    }
    let line_break = if sample[end..].starts_with(b"\r\n") { 2 } else { 1 };
    Some((given(delimiter).ok()?, end + line_break))
}

/// The candidate that splits the first rows most evenly into most cells; a comma where none splits any. A candidate
/// that splits the first row goes before one that does not, since it is the header; where none does, lines stand
/// above it.
pub(super) fn delimiter(sample: &[u8]) -> u8 {
    let mut best = (false, 0.0, 0, b',');
    for candidate in CANDIDATES {
        let widths = widths(sample, candidate);
        let Some(&first) = widths.first() else { continue };
        let width = if first > 1 { first } else { most_frequent(&widths) };
        if width < 2 {
            continue;
        }
        let even = widths.iter().filter(|other| **other == width).count() as f64 / widths.len() as f64;
        if (first > 1, even, width) > (best.0, best.1, best.2) {
            best = (first > 1, even, width, candidate);
        }
    }
    best.3
}

/// The width that most rows have, beyond a single cell.
fn most_frequent(widths: &[usize]) -> usize {
    let count = |width: usize| widths.iter().filter(|other| **other == width).count();
    widths.iter().copied().filter(|width| *width > 1).max_by_key(|width| count(*width)).unwrap_or(0)
}

/// The candidate other than `taken` by which a row of a wrong number of cells has the right one.
pub(super) fn other_delimiter(row: &str, taken: u8, width: usize) -> Option<u8> {
    let others = CANDIDATES.into_iter().filter(|candidate| *candidate != taken);
    others.into_iter().find(|candidate| widths(row.as_bytes(), *candidate).first() == Some(&width))
}

/// The number of cells of each row.
fn widths(sample: &[u8], delimiter: u8) -> Vec<usize> {
    // The sample may end inside a row, so the last row is dropped; but a file may be a single row.
    let end = sample.iter().rposition(|byte| matches!(byte, b'\r' | b'\n'));
    let mut rows = Rows::new(end.map_or(sample, |end| &sample[..=end]), delimiter, 0);
    let mut widths = Vec::new();
    while widths.len() < ROWS
        && let Ok(Some(line)) = rows.next()
    {
        if line.open_quote && !widths.is_empty() {
            break;
        }
        if !line.is_blank() {
            widths.push(line.cells.len());
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_found() {
        let cases: [(&str, u8); 10] = [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b;c\n1,5;2,5;3\n", b';'),
            ("a\tb\n1,2\t3\n", b'\t'),
            ("a|b\n1|2", b'|'),
            ("email\nada@example.org\n", b','),
            ("\"a;b\",c\n\"x;y;z\",1\n", b','),
            ("name;\"a,b,c,d\"\nx;\"1,2\"\n", b';'),
            ("a,b", b','),
            ("Notes:\nmade by a program, on a day\n\na;b;c\n1;2;3\n4;5;6\n", b';'),
            ("", b','),
        ];
        for (text, expected) in cases {
            assert_eq!(delimiter(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_declared_delimiter_is_a_line_of_its_own() {
        assert_eq!(declared(b"sep=;\r\na;b"), Some((b';', 7)));
        assert_eq!(declared(b"sep=,\na"), Some((b',', 6)));
        assert_eq!(declared(b"\"sep=;\"\r\na"), Some((b';', 9)));
        assert_eq!(declared(b"Sep = ;\na"), Some((b';', 8)));
        assert_eq!(declared(b"sep=\t\na"), Some((b'\t', 6)));
        assert_eq!(declared(b"sep=x,y\n"), None);
        assert_eq!(declared(b"separator\n"), None);
        assert_eq!(declared(b"sep=\r\na"), None);
        assert_eq!(declared(b"sep=\"\n"), None);
    }
}
