//! CSV rows and cells.
//!
//! The `csv` crate splits cells. It is fed line by line, because the import also needs what only the lines
//! show: on which line a row begins, how many blank lines precede it, how long it is, and whether the file
//! ends inside it.

use super::CsvError;
use csv::{ByteRecord, StringRecord};
use encoding_rs::WINDOWS_1252;
use std::io::{self, BufRead, Read};

/// The length limit of a row; otherwise a quote that is never closed would take the whole file into memory.
const LONGEST_ROW: usize = 16 * 1024 * 1024;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line of the file on which it begins, from 1.
    pub(super) number: u64,
    pub(super) cells: StringRecord,
    /// Whether the file ends inside a quoted cell.
    pub(super) open_quote: bool,
    /// Whether a blank line stands before it.
    pub(super) after_blank: bool,
}

impl Line {
    /// Whether every cell is empty.
    pub(super) fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty()) && !self.open_quote
    }
}

/// The rows of a file.
pub(super) struct Rows<R> {
    reader: csv::Reader<Lines<R>>,
    /// The number of rows decoded as Windows-1252.
    pub(super) odd_rows: u64,
}

impl<R: BufRead> Rows<R> {
    /// The rows of a text of which `lines` lines were already read.
    pub(super) fn new(text: R, delimiter: u8, lines: u64) -> Self {
        let lines =
            Lines { text, given: lines, blank: 0, began: lines + 1, length: 0, last: b'\n', ended: false };
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(lines);
        Self { reader, odd_rows: 0 }
    }

    /// The underlying source.
    pub(super) fn source(&self) -> &R {
        &self.reader.get_ref().text
    }

    /// The number of blank lines between rows.
    pub(super) fn blank_lines(&self) -> u64 {
        self.reader.get_ref().blank
    }

    /// The next row; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, CsvError> {
        self.reader.get_mut().length = 0;
        let blank = self.blank_lines();
        let mut record = ByteRecord::new();
        let found = self.reader.read_byte_record(&mut record);
        let lines = self.reader.get_ref();
        match found {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) if lines.length > LONGEST_ROW => {
                return Err(CsvError::RowTooLong { line: lines.began, limit: LONGEST_ROW });
            }
            Err(error) => return Err(CsvError::Read { line: lines.given, why: error.into() }),
        }
        let (number, open_quote, after_blank) = (lines.began, lines.ended, lines.blank > blank);
        // The encoding is decided per row, so that a file that is nearly all UTF-8 is read correctly but for
        // the odd rows.
        let cells = StringRecord::from_byte_record(record).unwrap_or_else(|error| {
            self.odd_rows += 1;
            error
                .into_byte_record()
                .iter()
                .map(|cell| WINDOWS_1252.decode_without_bom_handling(cell).0)
                .collect()
        });
        Ok(Some(Line { number, cells, open_quote, after_blank }))
    }
}

/// A reader that yields at most one line at a time, so that the parser never holds more than the row it is
/// reading. Blank lines before a row are skipped. The last line always gets a line break: a row that is still
/// incomplete at the end of the text is then known to be inside a quoted cell.
struct Lines<R> {
    text: R,
    /// Lines yielded or skipped.
    given: u64,
    /// Lines skipped.
    blank: u64,
    /// The line on which the current row begins.
    began: u64,
    /// Bytes of the current row yielded so far.
    length: usize,
    /// The last byte yielded.
    last: u8,
    /// Whether the text is at its end.
    ended: bool,
}

fn breaks_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.length > LONGEST_ROW {
                return Err(io::Error::other("the row is too long"));
            }
            let text = self.text.fill_buf()?;
            let at_end = text.is_empty();
            let text = match text {
                [] if breaks_line(self.last) => {
                    self.ended = true;
                    return Ok(0);
                }
                [] => b"\n",
                text => &text[..text.len().min(out.len())],
            };
            let end = text.iter().position(|byte| breaks_line(*byte));
            let taken = end.map_or(text.len(), |end| end + 1);
            out[..taken].copy_from_slice(&text[..taken]);
            // The LF of a CR LF whose CR was already yielded.
            let paired = self.last == b'\r' && out[0] == b'\n';
            self.last = out[taken - 1];
            self.text.consume(if at_end { 0 } else { taken });
            let between_rows = self.length == 0;
            if between_rows && !paired {
                self.began = self.given + 1;
            }
            self.given += u64::from(end.is_some() && !paired);
            if between_rows && end == Some(0) {
                self.blank += u64::from(!paired);
                continue;
            }
            self.length += taken;
            return Ok(taken);
        }
    }
}
