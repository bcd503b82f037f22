//! Rows and cells.
//!
//! The library finds the cells. It is handed the file line by line, since what else must be known of a row
//! shows in the lines: which one it begins on, which were blank before it, how long it is, and whether the
//! file ends within it.

use super::CsvError;
use csv::{ByteRecord, StringRecord};
use encoding_rs::WINDOWS_1252;
use std::io::{self, BufRead, Read};

/// The most bytes that a row may have; a quote that is never closed would else take the whole file into
/// memory.
const LONGEST_ROW: usize = 16 * 1024 * 1024;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line of the file that it begins on, from 1.
    pub(super) number: u64,
    pub(super) cells: StringRecord,
    /// The file ends within a quote.
    pub(super) open_quote: bool,
}

impl Line {
    /// Nothing in any cell.
    pub(super) fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty()) && !self.open_quote
    }
}

/// The rows of a file.
pub(super) struct Rows<R> {
    reader: csv::Reader<Lines<R>>,
    /// Rows that were taken for Windows-1252.
    pub(super) odd_rows: u64,
}

impl<R: BufRead> Rows<R> {
    /// The rows of a text, of which some lines were read before.
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

    /// What the rows are read from.
    pub(super) fn source(&self) -> &R {
        &self.reader.get_ref().text
    }

    /// How many lines between rows had nothing at all on them; those are no rows.
    pub(super) fn blank_lines(&self) -> u64 {
        self.reader.get_ref().blank
    }

    /// The next row; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, CsvError> {
        self.reader.get_mut().length = 0;
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
        let (number, open_quote) = (lines.began, lines.ended);
        // Decided by the row, so that a file that is UTF-8 nearly everywhere is read right nearly everywhere.
        let cells = StringRecord::from_byte_record(record).unwrap_or_else(|error| {
            self.odd_rows += 1;
            error
                .into_byte_record()
                .iter()
                .map(|cell| WINDOWS_1252.decode_without_bom_handling(cell).0)
                .collect()
        });
        Ok(Some(Line { number, cells, open_quote }))
    }
}

/// Gives a text at most a line at a time, so that no more has been given than the row takes that is being
/// read. Blank lines before a row are left out. The last line always ends in a line break: what then is still
/// not a whole row at the end of the text is within a quote.
struct Lines<R> {
    text: R,
    /// How many lines have been given or left out.
    given: u64,
    /// How many have been left out.
    blank: u64,
    /// The line that the row begins on.
    began: u64,
    /// How much of the row has been given.
    length: usize,
    /// The byte that was taken last.
    last: u8,
    /// There is no more.
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
            // The second half of a line break.
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
