//! Rows and cells.
//!
//! Read here and not by a library, because it matters whether a cell was quoted: white space in quotes belongs to the text, and
//! two quotes with nothing between them are not the same as nothing.

use super::CsvError;
use super::decode::Source;
use encoding_rs::{UTF_8, WINDOWS_1252};
use std::io::Read;

/// The most bytes that a row may have; a quote that is never closed would else take the whole file into memory.
const LONGEST_ROW: usize = 16 * 1024 * 1024;

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// It was written in quotes.
    pub(super) quoted: bool,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line of the file that it begins on, from 1.
    pub(super) number: u64,
    pub(super) cells: Vec<Cell>,
    /// The file ends within a quote.
    pub(super) open_quote: bool,
}

impl Line {
    /// Nothing in any cell.
    pub(super) fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.text.trim().is_empty()) && !self.open_quote
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a cell, or in white space there.
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes: the end of them, or the first of two that stand for one.
    Quote,
}

/// Takes bytes and gives rows.
#[derive(Debug)]
pub(super) struct Splitter {
    delimiter: u8,
    state: State,
    bytes: Vec<u8>,
    /// Where each finished cell ends, and whether it was quoted.
    ends: Vec<(usize, bool)>,
    start: usize,
    quoted: bool,
    /// The line that is being read, and the one that the row began on.
    line: u64,
    began: u64,
    /// The last byte was a carriage return, which with a line feed is one line break.
    after_return: bool,
}

/// A row before its bytes are known to be text.
pub(super) struct RawLine {
    number: u64,
    bytes: Vec<u8>,
    ends: Vec<(usize, bool)>,
    open_quote: bool,
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            state: State::Start,
            bytes: Vec::new(),
            ends: Vec::new(),
            start: 0,
            quoted: false,
            line: 1,
            began: 1,
            after_return: false,
        }
    }

    /// Takes bytes up to the end of a row. Answers how many, and the row if it ended.
    pub(super) fn take(&mut self, input: &[u8]) -> (usize, Option<RawLine>) {
        for (n, &byte) in input.iter().enumerate() {
            let paired = std::mem::replace(&mut self.after_return, byte == b'\r') && byte == b'\n';
            let ends_line = matches!(byte, b'\r' | b'\n');
            if ends_line && !paired {
                self.line += 1;
            }
            match self.state {
                State::Quoted if byte == b'"' => self.state = State::Quote,
                State::Quoted => self.bytes.push(byte),
                State::Quote if byte == b'"' => {
                    self.bytes.push(byte);
                    self.state = State::Quoted;
                }
                // The second half of a line break whose first half has ended a row.
                _ if paired && self.is_fresh() => self.began = self.line,
                _ if ends_line => {
                    self.end_cell();
                    return (n + 1, Some(self.end_row(false)));
                }
                _ if byte == self.delimiter => self.end_cell(),
                // People write a space after the comma also before a quote.
                State::Start if byte == b'"' => {
                    self.bytes.truncate(self.start);
                    self.quoted = true;
                    self.state = State::Quoted;
                }
                State::Start => {
                    self.bytes.push(byte);
                    if byte != b' ' && byte != b'\t' {
                        self.state = State::Plain;
                    }
                }
                // White space after the closing quote is layout; anything else is kept rather than lost.
                State::Quote if byte == b' ' || byte == b'\t' => {}
                State::Quote | State::Plain => {
                    self.bytes.push(byte);
                    self.state = State::Plain;
                }
            }
        }
        (input.len(), None)
    }

    /// The last row, where the file does not end with a line break.
    pub(super) fn finish(&mut self) -> Option<RawLine> {
        if self.is_fresh() {
            return None;
        }
        let open = self.state == State::Quoted;
        self.end_cell();
        Some(self.end_row(open))
    }

    fn is_fresh(&self) -> bool {
        self.state == State::Start && self.bytes.is_empty() && self.ends.is_empty()
    }

    fn end_cell(&mut self) {
        self.ends.push((self.bytes.len(), self.quoted));
        self.start = self.bytes.len();
        self.quoted = false;
        self.state = State::Start;
    }

    fn end_row(&mut self, open_quote: bool) -> RawLine {
        self.start = 0;
        let number = std::mem::replace(&mut self.began, self.line);
        RawLine { number, bytes: std::mem::take(&mut self.bytes), ends: std::mem::take(&mut self.ends), open_quote }
    }

    fn length(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<(usize, bool)>()
    }
}

impl RawLine {
    /// The row as text, and whether it had to be taken for Windows-1252. That is decided by the row, so that a file that is
    /// UTF-8 nearly everywhere is read right nearly everywhere.
    pub(super) fn decode(self, certain: bool) -> (Line, bool) {
        let utf8 = certain || std::str::from_utf8(&self.bytes).is_ok();
        let mut cells = Vec::with_capacity(self.ends.len());
        let mut from = 0;
        for (end, quoted) in self.ends {
            let bytes = &self.bytes[from..end];
            let encoding = if utf8 { UTF_8 } else { WINDOWS_1252 };
            let (text, _) = encoding.decode_without_bom_handling(bytes);
            cells.push(Cell { text: text.into_owned(), quoted });
            from = end;
        }
        (Line { number: self.number, cells, open_quote: self.open_quote }, !utf8)
    }
}

/// The rows of a file.
pub(super) struct Rows<R> {
    pub(super) source: Source<R>,
    splitter: Splitter,
    buffer: Vec<u8>,
    at: usize,
    /// Rows that were taken for Windows-1252.
    pub(super) odd_rows: u64,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(source: Source<R>, first: Vec<u8>, delimiter: u8) -> Self {
        Self { source, splitter: Splitter::new(delimiter), buffer: first, at: 0, odd_rows: 0 }
    }

    /// The next row; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, CsvError> {
        loop {
            let (taken, row) = self.splitter.take(&self.buffer[self.at..]);
            self.at += taken;
            if let Some(row) = row {
                return Ok(Some(self.decode(row)));
            }
            if self.splitter.length() > LONGEST_ROW {
                return Err(CsvError::RowTooLong { line: self.splitter.began, limit: LONGEST_ROW });
            }
            self.buffer.clear();
            self.at = 0;
            if self.source.ended {
                return Ok(self.splitter.finish().map(|row| self.decode(row)));
            }
            let line = self.splitter.line;
            self.source.fill(&mut self.buffer).map_err(|error| match error {
                CsvError::Read { why, .. } => CsvError::Read { line, why },
                error => error,
            })?;
        }
    }

    fn decode(&mut self, row: RawLine) -> Line {
        let (line, odd) = row.decode(self.source.certain);
        self.odd_rows += u64::from(odd);
        line
    }
}
