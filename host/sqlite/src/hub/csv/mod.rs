//! CSV import and export, for files as they occur in practice.
//!
//! Meaning of a cell:
//!
//! - White space around a cell, quoted or not, is part of a text; other kinds of field ignore it, and so does
//!   the comparison of identifiers. «NULL», «0» and «-» are ordinary texts.
//! - A quote opens a quoted cell only directly after the delimiter; after a space it is an ordinary
//!   character.
//! - An empty cell, quoted or not, leaves the field unset; with [`Empty::Clear`] it clears the field. CSV
//!   cannot tell null, the empty text and the empty list apart.
//! - A row that is too short leaves its last fields unset. A row with more non-empty cells than the header is
//!   refused.
//! - A row with an error is refused as a whole and listed; all other rows are imported.
//! - List elements are separated by semicolons (or as the options say). References are given by an identifier
//!   of the other record, such as the name of a company, or as `company:12`.
//!
//! Change times: without a column of change times, the time of the import (or the one that the options give) is an
//! upper bound for every value, since the file does not say since when it has been right. With such a column, its
//! time is the upper bound for every field in the row: something in the record changed then, and nothing later. A
//! time in the future counts as none and is reported. Where the hub's value of a field is later, the field keeps
//! it and is counted as older; at equal times the file wins.
//! A row whose columns that are read are all empty creates no record and is refused.

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
use entente_core::{Foreign, Timestamp};
use serde::Serialize;
use std::io;

/// Import options. No cell content denotes the empty text or the empty list: an empty cell, quoted or not,
/// leaves a field unset or clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// The object of the records.
    pub object: String,
    /// The delimiter between cells; `None` detects it.
    pub delimiter: Option<char>,
    /// The encoding by name, such as `windows-1252`; `None` detects it: a byte order mark, otherwise UTF-8,
    /// with Windows-1252 for rows that are not valid UTF-8.
    pub encoding: Option<String>,
    /// Columns (by name, or by number as `#3`) and the field that each is read as; an empty field ignores the
    /// column. Other columns are matched by the field's name or label.
    pub map: Vec<(String, String)>,
    /// How an existing record is recognised.
    pub key: ImportKey,
    /// The meaning of an empty cell.
    pub empty: Empty,
    /// How cells are parsed.
    pub parse: ParseOptions,
    /// The column of change times; `None` takes a column named `changed`, `updated_at`, `modified` or the
    /// like; an empty name takes none.
    pub changed_column: Option<String>,
    /// The moment that the file is from: the upper bound of values in rows without a change time; `None`: the
    /// import.
    pub as_of: Option<Timestamp>,
    /// Whether a referenced record that does not exist is created.
    pub create_references: bool,
    /// Dry run: nothing is written. New rows are counted correctly; a row that repeats the key of an earlier
    /// new row counts as updated.
    pub dry_run: bool,
    /// How many refused rows are listed; further ones are only counted.
    pub listed: usize,
    /// Rows per transaction.
    pub batch: usize,
}

impl ImportOptions {
    /// Default options for an object.
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
            as_of: None,
            create_references: true,
            dry_run: false,
            listed: 1000,
            batch: 500,
        }
    }
}

/// How an existing record is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ImportKey {
    /// By the first identifier field of the object, if the file has it, which makes importing idempotent.
    /// Rows without a value there are new records.
    #[default]
    Usual,
    /// Not at all: every row is a new record.
    None,
    /// By the column `id` with ids of the hub. Rows without an id are new records.
    Id,
    /// By these identifier fields, all of which must match. Rows that lack one are new records.
    Fields(Vec<String>),
}

/// The meaning of an empty cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Empty {
    /// It leaves the field unset.
    #[default]
    Keep,
    /// It clears the field.
    Clear,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Rows after the header, without blank rows.
    pub rows: u64,
    /// Records created.
    pub created: u64,
    /// Records changed.
    pub updated: u64,
    /// Rows equal to what the hub already has.
    pub unchanged: u64,
    /// Rows refused.
    pub failed: u64,
    /// Blank rows.
    pub skipped: u64,
    /// Fields left alone because the hub's value is newer.
    pub older: u64,
    /// Rows that no time says when they were right: neither a column of the file nor the options.
    pub undated: u64,
    /// Records created because a row references them.
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
    /// Further notes for the operator.
    pub notes: Vec<String>,
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
    /// What is wrong and what to do.
    pub reason: String,
}

/// A column that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusedColumn {
    /// Its number, from 1.
    pub number: usize,
    /// Its name, which may be empty.
    pub name: Foreign,
    /// Why.
    pub reason: String,
}

/// Why a file cannot be imported or exported. Batches written before are kept; repeating the import is safe
/// where records are recognised by a key.
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
    Write(#[source] io::Error),
    /// The file is not CSV.
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
    /// The character cannot be a delimiter.
    #[error(
        "'{0}' cannot be a delimiter; take one ASCII character such as , or ; and neither a quote nor a line break"
    )]
    Delimiter(char),
    /// The file has no header row.
    #[error("the file has no header; its first line must name the columns, such as email,first_name")]
    NoHeader,
    /// No column matches a field of the object.
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
    /// An option does not fit the file.
    #[error("{0}")]
    Options(String),
    /// A row exceeds the length limit.
    #[error(
        "the row that begins on line {line} is longer than {limit} bytes; probably a quote in it is never closed"
    )]
    RowTooLong {
        /// The line on which it begins.
        line: u64,
        /// The length limit of a row, in bytes.
        limit: usize,
    },
    /// The hub failed.
    #[error(transparent)]
    Hub(#[from] HubError),
}
