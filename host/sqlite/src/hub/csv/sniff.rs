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

/// The `sep=;` line that spreadsheet programs write first. Returns the delimiter and the number of bytes to
/// skip.
pub(super) fn declared(sample: &[u8]) -> Option<(u8, usize)> {
    let rest = sample.strip_prefix(b"sep=").or_else(|| sample.strip_prefix(b"SEP="))?;
    let (&delimiter, rest) = rest.split_first()?;
    given(char::from(delimiter)).ok()?;
    let line_break =
        if rest.starts_with(b"\r\n") { 2 } else { usize::from(matches!(rest.first(), Some(b'\r' | b'\n'))) };
    (line_break > 0).then_some((delimiter, 5 + line_break))
}

/// The candidate that splits the first rows most evenly into most cells; a comma where none splits any.
pub(super) fn delimiter(sample: &[u8]) -> u8 {
    let mut best = (0.0, 0, b',');
    for candidate in CANDIDATES {
        let widths = widths(sample, candidate);
        let Some(&header) = widths.first() else { continue };
        if header < 2 {
            continue;
        }
        let even = widths.iter().filter(|width| **width == header).count() as f64 / widths.len() as f64;
        if (even, header) > (best.0, best.1) {
            best = (even, header, candidate);
        }
    }
    best.2
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
        let cases: [(&str, u8); 9] = [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b;c\n1,5;2,5;3\n", b';'),
            ("a\tb\n1,2\t3\n", b'\t'),
            ("a|b\n1|2", b'|'),
            ("email\nada@example.org\n", b','),
            ("\"a;b\",c\n\"x;y;z\",1\n", b','),
            ("name;\"a,b,c,d\"\nx;\"1,2\"\n", b';'),
            ("a,b", b','),
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
        assert_eq!(declared(b"sep=x,y\n"), None);
        assert_eq!(declared(b"separator\n"), None);
        assert_eq!(declared(b"sep=\r\na"), None);
        assert_eq!(declared(b"sep=\"\n"), None);
    }
}
