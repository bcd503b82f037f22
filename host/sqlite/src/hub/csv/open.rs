//! Opening a file: its format, encoding, delimiter and header.

use super::cards::Cards;
use super::columns::Columns;
use super::decode::{Source, is_cards, refuse_other_texts};
use super::notes::ImportNote;
use super::options::ImportOptions;
use super::rows::{Line, Rows};
use super::survey::{self, Forms};
use super::{CsvError, sniff};
use crate::hub::schema::ObjectSchema;
use std::collections::BTreeMap;
use std::io::{BufRead, Read};

/// The rows of a file, whatever its format.
pub(super) enum AnyRows<R> {
    Csv(Rows<Source<R>>),
    Cards(Cards<Source<R>>),
}

impl<R: Read> AnyRows<R> {
    pub(super) fn next(&mut self) -> Result<Option<Line>, CsvError> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Cards(cards) => cards.next(),
        }
    }

    pub(super) fn blank_lines(&self) -> u64 {
        match self {
            Self::Csv(rows) => rows.blank_lines(),
            Self::Cards(_) => 0,
        }
    }

    pub(super) fn source(&self) -> &Source<R> {
        match self {
            Self::Csv(rows) => rows.source(),
            Self::Cards(cards) => cards.source(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.source().bytes
    }

    /// What vCards have that was not read, with how many of them; and how many are of groups, and of companies read as people.
    pub(super) fn left_of_cards(&self) -> Option<(&BTreeMap<String, u64>, u64, u64)> {
        match self {
            Self::Csv(_) => None,
            Self::Cards(cards) => Some(cards.left()),
        }
    }

    pub(super) fn odd_rows(&self) -> u64 {
        match self {
            Self::Csv(rows) => rows.odd_rows,
            Self::Cards(_) => 0,
        }
    }
}

/// A file of which is known what it is like.
pub(super) struct Opened<R> {
    pub(super) rows: AnyRows<R>,
    /// The first row, where it has been read.
    pub(super) first: Option<Line>,
    pub(super) delimiter: u8,
    pub(super) columns: Columns,
    pub(super) forms: Forms,
}

impl<R: Read> Opened<R> {
    pub(super) fn new(reader: R, object: &ObjectSchema, options: &ImportOptions) -> Result<Self, CsvError> {
        let mut source = Source::open(reader, options.encoding.as_deref())?;
        let mut before = 0;
        if is_cards(source.beginning()) {
            return Self::cards(source, object, options);
        }
        refuse_other_texts(source.beginning())?;
        for _ in 0..options.skip_lines.unwrap_or(0) {
            skip_line(&mut source).map_err(|why| CsvError::Read { line: before, why })?;
            before += 1;
        }
        let declared = sniff::declared(source.beginning());
        if let Some((_, length)) = declared {
            source.consume(length);
            before += 1;
        }
        let delimiter = match (options.delimiter, declared) {
            (Some(delimiter), _) => sniff::given(delimiter)?,
            (None, Some((delimiter, _))) => delimiter,
            (None, None) => sniff::delimiter(source.beginning()),
        };
        // The first piece is read on over, so that the sample is a copy.
        let sample = source.beginning().to_vec();
        let found = match options.skip_lines.is_some() || options.no_header {
            true => None,
            false => survey::header_line(&sample, delimiter, before, object, options),
        };
        let mut rows = Rows::new(source, delimiter, before);
        let header = loop {
            match rows.next()? {
                Some(line) if line.is_blank() || found.is_some_and(|found| line.number < found) => {}
                Some(line) => break line,
                None => return Err(CsvError::NoHeader),
            }
        };
        let headings: Vec<String> = match options.no_header {
            true => (1..=header.cells.len()).map(|n| format!("#{n}")).collect(),
            false => header.cells.iter().map(|cell| cell.trim().to_owned()).collect(),
        };
        let mut columns = Columns::read(&headings, object, options)?;
        let mut forms =
            survey::forms(&sample, delimiter, (before, header.number), &mut columns, object, options);
        let skipped = first_line_with_text(&sample, delimiter, before).filter(|first| *first < header.number);
        if skipped.is_some() {
            forms.notes.insert(0, ImportNote::Preamble { lines: header.number - 1 });
        }
        let first = options.no_header.then_some(header);
        Ok(Self { rows: AnyRows::Csv(rows), first, delimiter, columns, forms })
    }

    fn cards(source: Source<R>, object: &ObjectSchema, options: &ImportOptions) -> Result<Self, CsvError> {
        let headings: Vec<String> = Cards::<Source<R>>::HEADINGS.map(str::to_owned).into();
        let columns = Columns::read(&headings, object, options)?;
        let forms = Forms { parse: vec![options.parse; headings.len()], notes: Vec::new() };
        let people = object.index("name").is_none();
        Ok(Self {
            rows: AnyRows::Cards(Cards::new(source, people)),
            first: None,
            delimiter: b',',
            columns,
            forms,
        })
    }
}

/// Reads over a line.
fn skip_line(source: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let text = source.fill_buf()?;
        let Some(end) = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            let length = text.len();
            source.consume(length);
            if length == 0 {
                return Ok(());
            }
            continue;
        };
        let carriage = text[end] == b'\r';
        source.consume(end + 1);
        if carriage && source.fill_buf()?.first() == Some(&b'\n') {
            source.consume(1);
        }
        return Ok(());
    }
}

/// The number of the first line that is not blank.
fn first_line_with_text(sample: &[u8], delimiter: u8, before: u64) -> Option<u64> {
    let mut rows = Rows::new(sample, delimiter, before);
    loop {
        match rows.next().ok()?? {
            line if line.is_blank() => {}
            line => return Some(line.number),
        }
    }
}
