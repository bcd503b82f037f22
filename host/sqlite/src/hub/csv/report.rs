//! What an import has done, as data; sentences for people are made of it.

use super::options::Only;
use crate::hub::imports::RecordChange;
use crate::hub::parse::DateOrder;
use entente_core::{Foreign, Timestamp};
use entente_sync::RunId;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::fmt;

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ImportReport {
    /// Its run; `None` for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Rows after the header, without blank rows and what stands under a table.
    pub rows: u64,
    /// Records created.
    pub created: u64,
    /// Records changed.
    pub updated: u64,
    /// Rows equal to what the hub already has.
    pub unchanged: u64,
    /// Rows refused.
    pub failed: u64,
    /// Rows that the options do not want: new ones, or those of records that are there.
    pub passed: u64,
    /// Blank rows.
    pub skipped: u64,
    /// Fields left alone because the hub's value is newer.
    pub older: u64,
    /// Rows of a record that a row above them has made: of both, the later values are kept.
    pub repeated: u64,
    /// Rows that no time says when they were right: neither a column of the file nor the options.
    pub undated: u64,
    /// Records created of rows in which nothing identifies a record.
    pub unrecognised: u64,
    /// Records created because a row references them.
    pub references_created: u64,
    /// The first refused rows.
    pub bad: Vec<BadCell>,
    /// All refused rows, by reason and column.
    pub refusals: Vec<RefusalCount>,
    /// Cells that were left out because they are no values, by column.
    pub left_out: Vec<LeftOut>,
    /// The exporter whose columns these are.
    pub layout: Option<&'static str>,
    /// Columns and the fields that they were read as. Of several columns of one field the first that has a value in a
    /// row counts.
    pub columns: Vec<(String, String)>,
    /// Columns that were not read.
    pub unused: Vec<UnusedColumn>,
    /// The delimiter.
    pub delimiter: char,
    /// The encoding.
    pub encoding: String,
    /// How the values are weighed against others.
    pub weighing: Weighing,
    /// What else the operator should know.
    #[serde(serialize_with = "with_texts")]
    pub notes: Vec<ImportNote>,
    /// Dry run: what would be done to the first records.
    #[serde(skip)]
    pub changes: Vec<RecordChange>,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadCell {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// The column that is wrong, where it is a single one.
    pub column: Option<Foreign>,
    /// A prefix of its content.
    pub value: Foreign,
    /// The kind of the reason.
    pub code: BadCode,
    /// What is wrong and what to do.
    pub reason: String,
    /// Further cells of the row that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<CellError>,
}

/// A further cell of a refused row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellError {
    /// The column.
    pub column: Foreign,
    /// A prefix of its content.
    pub value: Foreign,
    /// The kind of the reason.
    pub code: BadCode,
    /// What is wrong and what to do.
    pub reason: String,
}

/// Why a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadCode {
    /// It has fewer cells than the header.
    TooFewCells,
    /// It has more cells than the header.
    TooManyCells,
    /// A quote in it is never closed.
    OpenQuote,
    /// A cell is no value of its field.
    Value,
    /// A date can be read in two ways.
    AmbiguousDate,
    /// The change time cannot be read.
    ChangeTime,
    /// It has no value in a column that is read.
    NoValue,
    /// A field that a new record needs has no value.
    Required,
    /// Several records are recognised by it.
    SeveralRecords,
    /// There is no record of its id.
    NoSuchRecord,
    /// A record that it refers to is not there, or is one of several.
    Reference,
    /// The hub refuses a value.
    Refused,
}

/// How many rows were refused for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalCount {
    /// The reason.
    pub code: BadCode,
    /// The column, where it is a single one.
    pub column: Option<Foreign>,
    /// How many rows.
    pub rows: u64,
}

/// Cells of a column that were left out because they are no values of its field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The column.
    pub column: Foreign,
    /// How many cells.
    pub cells: u64,
    /// The line of the first one.
    pub line: u64,
    /// A prefix of its content.
    pub value: Foreign,
    /// What is wrong with it.
    pub reason: String,
}

/// A column that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedColumn {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, which may be empty.
    pub name: Foreign,
    /// How many of its cells have a value.
    pub cells: u64,
    /// Why.
    pub reason: String,
}

/// Something that vCards have and that no field is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadOfCards {
    /// A property, or what of one.
    pub what: Foreign,
    /// How many cards have it.
    pub cards: u64,
}

/// How the values of a file are weighed where another side has changed the same field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Weighing {
    /// Each is right at the import; nothing says since when.
    #[default]
    Import,
    /// Each came to be at the moment that the options give, or before.
    AsOf {
        /// The moment.
        at: Timestamp,
    },
    /// Each came to be at the time of its row, or before.
    RowTimes {
        /// The column of times.
        column: Foreign,
    },
    /// Each came to be at the time of its row.
    FieldTimes {
        /// The column of times.
        column: Foreign,
    },
}

/// Something that the operator should know of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its sentence, below")]
pub enum ImportNote {
    Preamble { lines: u64 },
    Footers { rows: u64, line: u64, text: Foreign },
    OtherDelimiter { delimiter: char, rows: u64 },
    FullName { column: Foreign },
    DateOrder { column: Foreign, order: DateOrder },
    ListSeparator { column: Foreign, separator: char },
    NotTimes { column: Foreign, value: Foreign },
    Nothing { column: Foreign, cells: u64, value: Foreign },
    NothingKept { column: Foreign, cells: u64, value: Foreign },
    SeveralAddresses { column: Foreign, cells: u64, line: u64 },
    Guards { cells: u64 },
    OtherNames { column: Foreign, cells: u64, value: Foreign },
    FirmNames { column: Foreign, cells: u64, value: Foreign },
    OptOuts { column: Foreign, cells: u64 },
    CardsUnread { what: Vec<UnreadOfCards> },
    Groups { cards: u64 },
    RowTimes { column: Foreign },
    FieldTimes { column: Foreign },
    Undated { rows: u64 },
    Future { rows: u64 },
    OddRows { rows: u64 },
    Replaced { encoding: String },
    NoKey { field: Option<String>, like: Option<Foreign> },
    Unrecognised { rows: u64, by: Vec<String> },
    Passed { rows: u64, only: Only },
}

impl fmt::Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preamble { lines } => {
                write!(f, "the names of the columns stand on line {}; what is above was not read", lines + 1)
            }
            Self::Footers { rows, line, text } => write!(
                f,
                "{rows} rows under the table are no records and were not read, the first on line {line}: '{text}'"
            ),
            Self::OtherDelimiter { delimiter, rows } => write!(
                f,
                "{rows} of the refused rows have '{delimiter}' between their cells, other than the header; a file has one delimiter: mend those rows"
            ),
            Self::FullName { column } => write!(
                f,
                "column '{column}' was split into first and last name: the last word is the last name, with words such as «von» before it, or what stands before a comma"
            ),
            Self::DateOrder { column, order } => write!(
                f,
                "dates of column '{column}' were read with the {} first, since some of them can be read in no other way",
                if *order == DateOrder::DayFirst { "day" } else { "month" }
            ),
            Self::ListSeparator { column, separator: ':' } => {
                write!(f, "column '{column}' was read as lists between three colons")
            }
            Self::ListSeparator { column, separator: ',' } => {
                write!(f, "column '{column}' was read as lists in commas, since it looks so throughout")
            }
            Self::ListSeparator { column, separator } => {
                write!(f, "column '{column}' was read as lists between '{separator}'")
            }
            Self::NotTimes { column, value } => write!(
                f,
                "column '{column}' is called like a change time, but none of its values is one, such as '{value}'; it was not read"
            ),
            Self::Nothing { column, cells, value } => write!(
                f,
                "{cells} cells of column '{column}' have a word for nothing, such as '{value}', and were read as empty"
            ),
            Self::NothingKept { column, cells, value } => write!(
                f,
                "{cells} cells of column '{column}' may mean nothing, such as '{value}'; they were kept as texts"
            ),
            Self::SeveralAddresses { column, cells, line } => write!(
                f,
                "{cells} cells of column '{column}' have several addresses, the first in what begins on line {line}; the first address of each was taken"
            ),
            Self::Guards { cells } => write!(
                f,
                "{cells} cells begin with an apostrophe that keeps spreadsheet programs from evaluating them; it was taken off"
            ),
            Self::OtherNames { column, cells, value } => write!(
                f,
                "{cells} cells of column '{column}' are other names than the first and last name of their rows, such as '{value}', and were not read; if they are companies, say so"
            ),
            Self::FirmNames { column, cells, value } => write!(
                f,
                "{cells} cells of column '{column}' look like companies, such as '{value}', and were read as names of people; if they are companies, say so"
            ),
            Self::OptOuts { column, cells } => write!(
                f,
                "column '{column}' seems to say who does not want to be written to ({cells} cells have a value); it was not read: give it a field, or leave these people out"
            ),
            Self::CardsUnread { what } => {
                let what: Vec<String> =
                    what.iter().map(|of| format!("{} ({} cards)", of.what.cut(60), of.cards)).collect();
                write!(f, "what no field is for was not read: {}", what.join(", "))
            }
            Self::Groups { cards } => {
                write!(f, "{cards} cards are of groups, not of people or companies, and were not read")
            }
            Self::RowTimes { column } => write!(
                f,
                "the change times are those of the column '{column}': each value came to be then or before, so that a later edit elsewhere wins, and an earlier one where it is known that nothing came between; if they are the times of the fields themselves, say so"
            ),
            Self::FieldTimes { column } => write!(
                f,
                "the change times are those of the column '{column}', for each field of a row: the later edit wins"
            ),
            Self::Undated { rows } => write!(
                f,
                "{rows} rows do not say since when they are right, so that where another side has changed too, it cannot be told which is newer: such fields are held, or settled by the policy; if the file is older than today, say so with a date as of which it was right"
            ),
            Self::Future { rows } => write!(
                f,
                "{rows} rows have a change time that is still to come; they are dated by the import, as an upper bound: check the clock or the time zone that the file was made with"
            ),
            Self::OddRows { rows } => write!(
                f,
                "{rows} rows are not valid UTF-8 and were read as Windows-1252; if names look wrong, give the encoding"
            ),
            Self::Replaced { encoding } => write!(
                f,
                "some bytes are no text in {encoding} and were replaced by \u{fffd}; check the encoding"
            ),
            Self::NoKey { field, like } => {
                f.write_str("no column identifies records, so every row that is not the same as a record is a new one; importing a changed file again would duplicate them")?;
                match (field, like) {
                    (Some(field), Some(like)) => write!(f, "; if column '{like}' is {field}, say so"),
                    (Some(field), None) => write!(f, "; if a column is {field}, say so"),
                    (None, _) => Ok(()),
                }
            }
            Self::Unrecognised { rows, by } => write!(
                f,
                "{rows} new records were made of rows in which nothing identifies a record (no {}); changed rows of theirs will be new records again, unless another key is given",
                by.join(", ")
            ),
            Self::Passed { rows, only } => write!(
                f,
                "{rows} rows {} and were passed over",
                if *only == Only::New { "are of records that are there" } else { "would be new records" }
            ),
        }
    }
}

/// Each note with its sentence.
fn with_texts<S: Serializer>(notes: &[ImportNote], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        note: &'a ImportNote,
        text: String,
    }
    let mut list = serializer.serialize_seq(Some(notes.len()))?;
    for note in notes {
        list.serialize_element(&Told { note, text: note.to_string() })?;
    }
    list.end()
}
