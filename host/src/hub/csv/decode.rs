//! Bytes of a file to UTF-8, in pieces.

use super::CsvError;
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::io::Read;

/// How much is read at once, and looked at to find out encoding and delimiter.
pub(super) const PIECE: usize = 64 * 1024;

/// A file as UTF-8. Where the encoding is not certain, the bytes are given as they are, and rows that are no UTF-8 are decoded
/// one by one.
pub(super) struct Source<R> {
    reader: R,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    /// Bytes read from the file so far.
    pub(super) bytes: u64,
    pub(super) ended: bool,
    pub(super) encoding: &'static Encoding,
    /// The operator or the file says which encoding it is.
    pub(super) certain: bool,
    /// Something was no text in the encoding and was replaced.
    pub(super) replaced: bool,
}

impl<R: Read> Source<R> {
    /// Looks at the beginning of a file. Answers the first piece as UTF-8.
    pub(super) fn open(reader: R, label: Option<&str>) -> Result<(Self, Vec<u8>), CsvError> {
        let named = match label {
            Some(label) => Some(Encoding::for_label(label.trim().as_bytes()).ok_or_else(|| CsvError::Encoding(label.to_owned()))?),
            None => None,
        };
        let mut source =
            Self { reader, decoder: None, raw: Vec::new(), bytes: 0, ended: false, encoding: UTF_8, certain: false, replaced: false };
        let mut first = Vec::new();
        while first.len() < PIECE && !source.ended {
            first.extend_from_slice(source.piece()?);
        }
        refuse_other_files(&first)?;
        let (encoding, mark) = match (Encoding::for_bom(&first), named) {
            (Some(found), _) => found,
            (None, Some(named)) => (named, 0),
            (None, None) => (wide(&first).unwrap_or(UTF_8), 0),
        };
        source.encoding = encoding;
        source.certain = mark > 0 || named.is_some() || encoding != UTF_8;
        let first = first.split_off(mark);
        if encoding == UTF_8 && !source.certain {
            return Ok((source, first));
        }
        source.decoder = Some(encoding.new_decoder_without_bom_handling());
        let mut text = Vec::new();
        source.decode(&first, &mut text);
        Ok((source, text))
    }

    /// Appends more text; nothing more comes after `ended`.
    pub(super) fn fill(&mut self, text: &mut Vec<u8>) -> Result<(), CsvError> {
        self.piece()?;
        if self.decoder.is_none() {
            text.extend_from_slice(&self.raw);
            return Ok(());
        }
        let raw = std::mem::take(&mut self.raw);
        self.decode(&raw, text);
        self.raw = raw;
        Ok(())
    }

    /// Reads the next bytes.
    fn piece(&mut self) -> Result<&[u8], CsvError> {
        self.raw.resize(PIECE, 0);
        let read = loop {
            match self.reader.read(&mut self.raw) {
                Ok(read) => break read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(why) => return Err(CsvError::Read { line: 0, why }),
            }
        };
        self.raw.truncate(read);
        self.bytes += read as u64;
        self.ended |= read == 0;
        Ok(&self.raw)
    }

    fn decode(&mut self, mut raw: &[u8], text: &mut Vec<u8>) {
        let Some(decoder) = &mut self.decoder else { return };
        let mut piece = [0; 4096];
        loop {
            let (result, read, written, replaced) = decoder.decode_to_utf8(raw, &mut piece, self.ended);
            text.extend_from_slice(&piece[..written]);
            self.replaced |= replaced;
            raw = &raw[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// UTF-16 without a byte order mark: every other byte of ordinary text is zero.
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

fn refuse_other_files(bytes: &[u8]) -> Result<(), CsvError> {
    let (what, remedy) = match bytes {
        [b'P', b'K', 3, 4, ..] => ("a spreadsheet or zip archive", "open it in a spreadsheet program and save it as CSV"),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => ("an old spreadsheet", "open it in a spreadsheet program and save it as CSV"),
        [0x1f, 0x8b, ..] => ("compressed", "unpack it first"),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => ("UTF-32 text", "save it as UTF-8"),
        _ => return Ok(()),
    };
    Err(CsvError::NotCsv { what, remedy })
}
