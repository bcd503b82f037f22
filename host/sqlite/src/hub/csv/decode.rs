//! Streaming decoder: bytes of a file to UTF-8.

use super::CsvError;
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::{self, BufRead, Read};

/// The size of a read.
const PIECE: usize = 64 * 1024;

/// The size of the sample that all that a file is like is found from.
const SAMPLE: usize = 1024 * 1024;

/// A file as UTF-8. Where the encoding is not certain, bytes pass through unchanged, and rows that are not
/// valid UTF-8 are decoded one at a time.
pub(super) struct Source<R> {
    reader: R,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    /// Decoded text, and how much of it has been consumed.
    text: Vec<u8>,
    at: usize,
    /// Bytes read from the file so far.
    pub(super) bytes: u64,
    ended: bool,
    pub(super) encoding: &'static Encoding,
    /// Whether invalid bytes were replaced.
    pub(super) replaced: bool,
}

impl<R: Read> Source<R> {
    /// Detects the encoding from the beginning of the file.
    pub(super) fn open(reader: R, label: Option<&str>) -> Result<Self, CsvError> {
        let named = match label {
            Some(label) => Some(
                Encoding::for_label(label.trim().as_bytes())
                    .ok_or_else(|| CsvError::Encoding(label.to_owned()))?,
            ),
            None => None,
        };
        let mut source = Self {
            reader,
            decoder: None,
            raw: Vec::new(),
            text: Vec::new(),
            at: 0,
            bytes: 0,
            ended: false,
            encoding: UTF_8,
            replaced: false,
        };
        let mut first = Vec::new();
        while first.len() < SAMPLE && !source.ended {
            source.piece().map_err(|why| CsvError::Read { line: 0, why })?;
            first.extend_from_slice(&source.raw);
        }
        refuse_other_files(&first)?;
        let (encoding, mark) = match (Encoding::for_bom(&first), named) {
            (Some(found), _) => found,
            (None, Some(named)) => (named, 0),
            (None, None) => (wide(&first).unwrap_or(UTF_8), 0),
        };
        source.encoding = encoding;
        // Otherwise neither the operator nor the file names the encoding.
        if mark > 0 || named.is_some() || encoding != UTF_8 {
            source.decoder = Some(encoding.new_decoder_without_bom_handling());
        }
        source.raw = first.split_off(mark);
        source.decode();
        Ok(source)
    }

    /// The first piece of decoded text, until more is read.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.text[self.at..]
    }

    /// Reads the next bytes.
    fn piece(&mut self) -> io::Result<()> {
        self.raw.resize(PIECE, 0);
        let read = loop {
            match self.reader.read(&mut self.raw) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.raw.truncate(read);
        self.bytes += read as u64;
        self.ended |= read == 0;
        Ok(())
    }

    /// Decodes the bytes that were read.
    fn decode(&mut self) {
        self.text.clear();
        self.at = 0;
        let Some(decoder) = &mut self.decoder else {
            std::mem::swap(&mut self.text, &mut self.raw);
            return;
        };
        let mut raw = self.raw.as_slice();
        let mut piece = [0; 4096];
        loop {
            let (result, read, written, replaced) = decoder.decode_to_utf8(raw, &mut piece, self.ended);
            self.text.extend_from_slice(&piece[..written]);
            self.replaced |= replaced;
            raw = &raw[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.text.len() && !self.ended {
            self.piece()?;
            self.decode();
        }
        Ok(&self.text[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.text.len().min(self.at + amount);
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

/// Detects UTF-16 without a byte order mark: in ordinary text every other byte is zero.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    const LOOKED_AT: usize = 1024;
    let sample = &bytes[..bytes.len().min(LOOKED_AT)];
    let zeros = |from: usize| sample.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    if half < 2 {
        None
    } else if odd * 2 > half && even == 0 {
        Some(UTF_16LE)
    } else if even * 2 > half && odd == 0 {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Refuses what is no text, by its first bytes.
fn refuse_other_files(bytes: &[u8]) -> Result<(), CsvError> {
    let spreadsheet = "open it in a spreadsheet program and save it as CSV";
    let (what, remedy) = match bytes {
        [b'P', b'K', 3, 4, ..] => match bytes.windows(3).any(|part| part == b"xl/") {
            true => ("a spreadsheet (xlsx)", spreadsheet),
            false => ("a spreadsheet or zip archive", spreadsheet),
        },
        [0xd0, 0xcf, 0x11, 0xe0, ..] => ("an old spreadsheet (xls)", spreadsheet),
        [0x1f, 0x8b, ..] => ("compressed", "unpack it first"),
        [b'%', b'P', b'D', b'F', ..] => ("a PDF", "export the data that it was printed from"),
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', b'f', ..] => {
            ("a database", "export the table in it as CSV")
        }
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => ("UTF-32 text", "save it as UTF-8"),
        _ => return Ok(()),
    };
    Err(CsvError::NotCsv { what, remedy })
}

/// Whether a text has vCards.
pub(super) fn is_cards(text: &[u8]) -> bool {
    begins(text, "BEGIN:VCARD")
}

/// Refuses a text of another format, by how it begins.
pub(super) fn refuse_other_texts(text: &[u8]) -> Result<(), CsvError> {
    let start = text.trim_ascii_start();
    let after = |n: usize| start.get(n..).map(<[u8]>::trim_ascii_start).and_then(<[u8]>::first).copied();
    let (what, remedy) = if begins(start, "{\\rtf") {
        ("a text document (RTF)", "save the table in it as CSV")
    } else if begins(start, "BEGIN:VCALENDAR") {
        ("a calendar (iCalendar)", "export the contacts instead")
    } else if begins(start, "dn:") || begins(start, "version: 1\ndn:") || begins(start, "version: 1\r\ndn:") {
        ("a directory (LDIF)", "export it as CSV or vCard")
    } else if begins(start, "<!doctype html") || begins(start, "<html") || begins(start, "<table") {
        (
            "a web page (HTML), as some programs name .xls",
            "open it in a spreadsheet program and save it as CSV",
        )
    } else if begins(start, "<?xml") {
        ("XML", "export it as CSV")
    } else if matches!(
        (start.first(), after(1)),
        (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'{' | b'[' | b'"' | b']'))
    ) {
        ("JSON", "convert it to CSV, with a column for each field")
    } else {
        return Ok(());
    };
    Err(CsvError::NotCsv { what, remedy })
}

fn begins(text: &[u8], with: &str) -> bool {
    let text = text.trim_ascii_start();
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
}
