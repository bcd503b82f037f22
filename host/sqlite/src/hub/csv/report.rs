//! What an import has done, as data; sentences for people are made of it.

use super::notes::{ImportNote, with_texts};
use crate::hub::imports::RecordChange;
use entente_core::{Foreign, Timestamp};
use entente_sync::RunId;
use serde::Serialize;

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
    /// Whether records are recognised by the column, or cannot be without it, so that its cells are never left out.
    pub needed: bool,
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
