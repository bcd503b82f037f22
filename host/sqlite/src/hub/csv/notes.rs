//! What the operator should know of an import besides its numbers, as data and as sentences.

use super::options::Only;
use crate::hub::parse::DateOrder;
use entente_core::Foreign;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::fmt;

/// Something that the operator should know of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is its sentence, below")]
pub enum ImportNote {
    Preamble { lines: u64 },
    Footers { rows: u64, line: u64, text: Foreign },
    OtherDelimiter { delimiter: char, rows: u64 },
    OddRows { rows: u64 },
    Replaced { encoding: String },
    CardsUnread { what: Vec<UnreadOfCards> },
    Groups { cards: u64 },
    Firms { cards: u64 },
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
    Likely { columns: Vec<LikelyColumn> },
    RowTimes { column: Foreign },
    FieldTimes { column: Foreign },
    Undated { rows: u64 },
    Future { rows: u64 },
    NoKey { field: Option<String>, like: Option<Foreign> },
    Unrecognised { rows: u64, by: Vec<String> },
    Passed { rows: u64, only: Only },
}

/// Something that vCards have and that no field is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadOfCards {
    /// A property, or what of one.
    pub what: Foreign,
    /// How many cards have it.
    pub cards: u64,
}

/// A column that was not read and is called like a field that no column is read as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LikelyColumn {
    /// The column.
    pub column: Foreign,
    /// The field.
    pub field: String,
}

/// «1 row», «2 rows».
fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// The verb of that.
fn verb(number: u64, one: &'static str, several: &'static str) -> &'static str {
    if number == 1 { one } else { several }
}

impl fmt::Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preamble { .. } | Self::Footers { .. } | Self::OtherDelimiter { .. } => self.of_file(f),
            Self::OddRows { .. } | Self::Replaced { .. } => self.of_file(f),
            Self::CardsUnread { .. } | Self::Groups { .. } | Self::Firms { .. } => self.of_file(f),
            Self::FullName { .. } | Self::DateOrder { .. } | Self::ListSeparator { .. } => self.of_columns(f),
            Self::NotTimes { .. } | Self::OptOuts { .. } | Self::Likely { .. } => self.of_columns(f),
            Self::Nothing { .. } | Self::NothingKept { .. } | Self::SeveralAddresses { .. } => {
                self.of_cells(f)
            }
            Self::Guards { .. } | Self::OtherNames { .. } | Self::FirmNames { .. } => self.of_cells(f),
            Self::RowTimes { .. } | Self::FieldTimes { .. } | Self::Undated { .. } => self.of_times(f),
            Self::Future { .. } => self.of_times(f),
            Self::NoKey { .. } | Self::Unrecognised { .. } | Self::Passed { .. } => self.of_records(f),
        }
    }
}

/// The sentences, by what they are of.
impl ImportNote {
    fn of_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preamble { lines } => {
                write!(f, "the names of the columns stand on line {}; what is above was not read", lines + 1)
            }
            Self::Footers { rows, line, text } => {
                let rows = (
                    count(*rows, "row"),
                    verb(*rows, "is no record", "are no records"),
                    verb(*rows, "was", "were"),
                );
                write!(
                    f,
                    "{} under the table {} and {} not read, the first on line {line}: '{text}'",
                    rows.0, rows.1, rows.2
                )
            }
            Self::OtherDelimiter { delimiter, rows } => {
                let has = verb(*rows, "has", "have");
                write!(
                    f,
                    "{rows} of the refused rows {has} '{delimiter}' between the cells, other than the header; a file has one delimiter: mend those rows"
                )
            }
            Self::OddRows { rows } => {
                let (is, was) = (verb(*rows, "is", "are"), verb(*rows, "was", "were"));
                write!(
                    f,
                    "{} {is} not valid UTF-8 and {was} read as Windows-1252; if names look wrong, give the encoding",
                    count(*rows, "row")
                )
            }
            Self::Replaced { encoding } => {
                write!(
                    f,
                    "some bytes are no text in {encoding} and were replaced by \u{fffd}; check the encoding"
                )
            }
            Self::CardsUnread { what } => {
                let one = |of: &UnreadOfCards| format!("{} ({})", of.what.cut(60), count(of.cards, "card"));
                let what: Vec<String> = what.iter().map(one).collect();
                write!(f, "what no field is for was not read: {}", what.join(", "))
            }
            Self::Groups { cards } => {
                let (is, was) = (verb(*cards, "is of a group", "are of groups"), verb(*cards, "was", "were"));
                write!(f, "{} {is}, not of people or companies, and {was} not read", count(*cards, "card"))
            }
            Self::Firms { cards } => {
                let is = verb(*cards, "is of a company and was", "are of companies and were");
                write!(
                    f,
                    "{} {is} read as what was asked for: import the file as companies too, and delete what is no person",
                    count(*cards, "card")
                )
            }
            _ => Ok(()),
        }
    }

    fn of_columns(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FullName { column } => write!(
                f,
                "column '{column}' was split into first and last name: the last word is the last name, with words such as «von» before it, or what stands before a comma"
            ),
            Self::DateOrder { column, order } => {
                let first = if *order == DateOrder::DayFirst { "day" } else { "month" };
                write!(
                    f,
                    "dates of column '{column}' were read with the {first} first, since some of them can be read in no other way"
                )
            }
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
            Self::OptOuts { column, cells } => write!(
                f,
                "column '{column}' seems to say who does not want to be written to or called ({}); it was not read: give it a field of its own, or delete these people",
                count(*cells, "cell")
            ),
            Self::Likely { columns } => {
                let one = |of: &LikelyColumn| format!("'{}' (as {})", of.column.cut(60), of.field);
                let columns: Vec<String> = columns.iter().map(one).collect();
                write!(
                    f,
                    "columns that may be fields by their names and were not read: {}",
                    columns.join(", ")
                )
            }
            _ => Ok(()),
        }
    }

    fn of_cells(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { column, cells, value } => {
                let (has, was) = (verb(*cells, "has", "have"), verb(*cells, "was", "were"));
                write!(
                    f,
                    "{} of column '{column}' {has} a word for nothing, such as '{value}', and {was} read as empty",
                    count(*cells, "cell")
                )
            }
            Self::NothingKept { column, cells, value } => {
                let was = verb(*cells, "it was kept as a text", "they were kept as texts");
                write!(
                    f,
                    "{} of column '{column}' may mean nothing, such as '{value}'; {was}",
                    count(*cells, "cell")
                )
            }
            Self::SeveralAddresses { column, cells, line } => {
                let has = verb(*cells, "has", "have");
                write!(
                    f,
                    "{} of column '{column}' {has} several addresses, the first in what begins on line {line}; the first address of each was taken",
                    count(*cells, "cell")
                )
            }
            Self::Guards { cells } => {
                let begins = verb(*cells, "begins", "begin");
                write!(
                    f,
                    "{} {begins} with an apostrophe that keeps spreadsheet programs from evaluating what follows; it was taken off",
                    count(*cells, "cell")
                )
            }
            Self::OtherNames { column, cells, value } => {
                let (has, was) = (verb(*cells, "has", "have"), verb(*cells, "was", "were"));
                write!(
                    f,
                    "{} of column '{column}' {has} other names than the first and last name of the row, such as '{value}', and {was} not read; if these are companies, say so",
                    count(*cells, "cell")
                )
            }
            Self::FirmNames { column, cells, value } => {
                let (looks, was) = (
                    verb(*cells, "looks like a company", "look like companies"),
                    verb(*cells, "was", "were"),
                );
                write!(
                    f,
                    "{} of column '{column}' {looks}, such as '{value}', and {was} read as names of people; if these are companies, say so",
                    count(*cells, "cell")
                )
            }
            _ => Ok(()),
        }
    }

    fn of_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowTimes { column } => write!(
                f,
                "the change times are those of the column '{column}': each value came to be then or before, so that a later edit elsewhere wins, and an earlier one where it is known that nothing came between; if they are the times of the fields themselves, say so"
            ),
            Self::FieldTimes { column } => write!(
                f,
                "the change times are those of the column '{column}', for each field of a row: the later edit wins"
            ),
            Self::Undated { rows } => {
                let (does, are) = (verb(*rows, "does", "do"), verb(*rows, "it is", "they are"));
                write!(
                    f,
                    "{} {does} not say since when {are} right, so that where another side has changed too, it cannot be told which is newer: such fields are held, or settled by the policy; if the file is older than today, say so with a date as of which it was right",
                    count(*rows, "row")
                )
            }
            Self::Future { rows } => {
                let (has, is) = (verb(*rows, "has", "have"), verb(*rows, "it is", "they are"));
                write!(
                    f,
                    "{} {has} a change time that is still to come; {is} dated by the import, as an upper bound: check the clock or the time zone that the file was made with",
                    count(*rows, "row")
                )
            }
            _ => Ok(()),
        }
    }

    fn of_records(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey { field, like } => {
                f.write_str("no column identifies records, so every row that is not the same as a record is a new one; importing a changed file again would duplicate them")?;
                match (field, like) {
                    (Some(field), Some(like)) => write!(f, "; if column '{like}' is {field}, say so"),
                    (Some(field), None) => write!(f, "; if a column is {field}, say so"),
                    (None, _) => Ok(()),
                }
            }
            Self::Unrecognised { rows, by } => {
                let (was, of) = (verb(*rows, "was", "were"), verb(*rows, "a row", "rows"));
                write!(
                    f,
                    "{} {was} made of {of} in which nothing identifies a record (no {}); a row of such a record that has changed will be a new record again, unless another key is given",
                    count(*rows, "new record"),
                    by.join(", ")
                )
            }
            Self::Passed { rows, only } => {
                let what = match (*only, *rows) {
                    (Only::New, 1) => "is of a record that is there and was",
                    (Only::New, _) => "are of records that are there and were",
                    (_, 1) => "would be a new record and was",
                    (_, _) => "would be new records and were",
                };
                write!(f, "{} {what} passed over", count(*rows, "row"))
            }
            _ => Ok(()),
        }
    }
}

/// Each note with its sentence.
pub(super) fn with_texts<S: Serializer>(notes: &[ImportNote], serializer: S) -> Result<S::Ok, S::Error> {
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
