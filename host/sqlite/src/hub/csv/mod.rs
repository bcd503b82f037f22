//! Import and export of CSV, as people really have it.
//!
//! What a cell means:
//!
//! - White space around a cell, with or without quotes, belongs to the text; every other kind of field
//!   ignores it, and so does the comparison of identifiers. «NULL», «0» and «-» are texts like any other.
//! - A quote begins a quoted cell only right after the delimiter; after a space it is a character like any
//!   other.
//! - An empty cell, with or without quotes, leaves the field as it is; [`Empty::Clear`] clears it instead.
//!   CSV cannot tell null, the empty text and the empty list apart.
//! - A short row lacks its last cells: those fields are left as they are. A row with more filled cells than
//!   the header is refused.
//! - A row that has something wrong is refused as a whole and listed; all other rows are kept.
//! - Lists are separated by semicolons (or what the options say). Links to other records are given by an
//!   identifier of the other record, such as the name of a company, or as `company:12`.
//!
//! Without a column of change times the values are dated by the import, as an upper bound: nobody knows since
//! when the file has been right. With one, every field of the row has that time, as certain; a time that is
//! still to come counts as none, and is told. A field whose value in the hub has a later time keeps it, and
//! is counted as older; at equal times the file wins. A row without a value in any column that is read makes
//! no record and is refused.

mod columns;
mod decode;
mod export;
mod import;
mod resolve;
mod rows;
mod sniff;
#[cfg(test)]
mod tests;

pub use export::{ExportOptions, Exported, export_csv};
pub use import::import_csv;

use super::error::HubError;
use super::parse::ParseOptions;
use serde::Serialize;
use std::io;

/// How a file is imported. Nothing in a file stands for the empty text or the empty list: an empty cell
/// leaves a field as it is or clears it, whether it is written with two quotes or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// The object that the rows are records of.
    pub object: String,
    /// What stands between cells; `None` finds it out.
    pub delimiter: Option<char>,
    /// The encoding by its name, like `windows-1252`; `None` finds it out: a byte order mark, else UTF-8, and
    /// Windows-1252 for rows that are not valid UTF-8.
    pub encoding: Option<String>,
    /// Columns (by name, or `#3` by number) and the field that each belongs to; an empty field leaves the
    /// column out. Other columns are matched by name or label of the field.
    pub map: Vec<(String, String)>,
    /// Which column says that a row is a record that the hub has.
    pub key: ImportKey,
    /// What an empty cell does.
    pub empty: Empty,
    /// How cells are read.
    pub parse: ParseOptions,
    /// The column with the change times of the rows; `None` takes one that is called `changed`, `updated_at`,
    /// `modified` or the like; an empty name takes none.
    pub changed_column: Option<String>,
    /// A record that a row links to, and that does not exist, is made.
    pub create_references: bool,
    /// Nothing is written. Which rows are new is told right; a row that repeats the key of an earlier new one
    /// counts as updated.
    pub dry_run: bool,
    /// How many bad rows are listed; the others are only counted.
    pub listed: usize,
    /// How many rows are written in one transaction.
    pub batch: usize,
}

impl ImportOptions {
    /// The usual options for an object.
    pub fn new(object: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            delimiter: None,
            encoding: None,
            map: Vec::new(),
            key: ImportKey::Usual,
            empty: Empty::Keep,
            parse: ParseOptions::default(),
            changed_column: None,
            create_references: true,
            dry_run: false,
            listed: 1000,
            batch: 500,
        }
    }
}

/// Which column says that a row is a record that the hub has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ImportKey {
    /// The first identifier field of the object, if the file has it: importing a file twice changes nothing.
    /// Rows without a value there are new.
    #[default]
    Usual,
    /// None: every row is a new record.
    None,
    /// The column `id` with ids of the hub. Rows without one are new.
    Id,
    /// Identifier fields, which must all agree. Rows that lack one are new.
    Fields(Vec<String>),
}

/// What an empty cell does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Empty {
    /// It leaves the field as it is.
    #[default]
    Keep,
    /// It clears the field.
    Clear,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Rows after the header, without blank ones.
    pub rows: u64,
    /// New records.
    pub created: u64,
    /// Records that were changed.
    pub updated: u64,
    /// Rows that say what the hub has already.
    pub unchanged: u64,
    /// Rows that were refused.
    pub failed: u64,
    /// Blank rows.
    pub skipped: u64,
    /// Fields that were left alone because the hub has a newer value.
    pub older: u64,
    /// Records that were made because rows link to them.
    pub references_created: u64,
    /// The first refused rows.
    pub bad: Vec<BadCell>,
    /// Columns and the fields that they were read as.
    pub columns: Vec<(String, String)>,
    /// Columns that were not read.
    pub unused: Vec<UnusedColumn>,
    /// The delimiter.
    pub delimiter: char,
    /// The encoding.
    pub encoding: String,
    /// What else the operator should know.
    pub notes: Vec<String>,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadCell {
    /// The line of the file that the row begins on, from 1.
    pub line: u64,
    /// The column that is wrong, if it is one.
    pub column: Option<String>,
    /// The beginning of what it holds.
    pub value: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// A column that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedColumn {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, which may be empty.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Why a file cannot be imported or exported. Batches of rows that were written before are kept; importing
/// again is safe where there is a key.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be read.
    #[error("the file cannot be read after line {line}: {why}; the rows before are kept, import it again")]
    Read {
        /// The last line that could be read.
        line: u64,
        /// What the system said.
        why: io::Error,
    },
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Write(io::Error),
    /// The file is no CSV.
    #[error("the file is {what}, not CSV; {remedy}")]
    NotCsv {
        /// What it looks like.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no encoding of this name.
    #[error("'{0}' is no known encoding; try utf-8, windows-1252, utf-16le or shift_jis")]
    Encoding(String),
    /// A delimiter that cannot be.
    #[error(
        "'{0}' cannot be a delimiter; take one ASCII character such as , or ; and neither a quote nor a line break"
    )]
    Delimiter(char),
    /// The file has no header.
    #[error("the file has no header; its first line must name the columns, such as email,first_name")]
    NoHeader,
    /// No column is a field.
    #[error(
        "no column of the file is a field of {object}; the columns are {columns}; the fields are {fields}; say which is which with a mapping such as \"Mail=email\""
    )]
    NoColumn {
        /// The object.
        object: String,
        /// The columns.
        columns: String,
        /// The fields.
        fields: String,
    },
    /// An option that does not go with the file.
    #[error("{0}")]
    Options(String),
    /// A row without end.
    #[error(
        "the row that begins on line {line} is longer than {limit} bytes; probably a quote in it is never closed"
    )]
    RowTooLong {
        /// Where it begins.
        line: u64,
        /// The most bytes that a row may have.
        limit: usize,
    },
    /// The hub failed.
    #[error(transparent)]
    Hub(#[from] HubError),
}
