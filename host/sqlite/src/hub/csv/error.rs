//! Why a file as a whole is not imported or exported.

use crate::hub::error::HubError;
use entente_core::Foreign;
use std::io;

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
    /// The file of refused rows cannot be written.
    #[error("the refused rows cannot be written: {0}; the rows so far are kept, import the file again")]
    Refused(#[source] io::Error),
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
    /// The first row is a record.
    #[error(
        "the first line looks like a record and not like the names of the columns: '{cell}' is {what}; if the file has no header, say so, and which field each column is by its number, such as \"#1=email\""
    )]
    HeaderIsRecord {
        /// The cell.
        cell: Foreign,
        /// What it is.
        what: &'static str,
    },
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
    /// No column is a field that every record of the object needs.
    #[error(
        "no column of the file is {field}, and a new {object} cannot be without it; the columns are {columns}; say which one it is with a mapping such as \"Mail={field}\", or import only rows of records that are there"
    )]
    Lacking {
        /// The object.
        object: String,
        /// The field.
        field: String,
        /// The columns.
        columns: String,
    },
    /// An option does not fit the file.
    #[error("{0}")]
    Options(String),
    /// A row exceeds the length limit.
    #[error(
        "the row that begins on line {line} is longer than {limit} bytes; probably a quote in it is never closed; the rows before are kept"
    )]
    RowTooLong {
        /// The line on which it begins.
        line: u64,
        /// The length limit of a row, in bytes.
        limit: usize,
    },
    /// The hub failed on the way.
    #[error(
        "the import stopped on line {line}: {why}; {kept} rows before are in the hub; mend that and import the file again{}",
        if *recognised { ", the rows that are there are recognised" } else { " from this line on, since its rows are not recognised" }
    )]
    Stopped {
        /// The first line that was not written.
        line: u64,
        /// How many rows were written.
        kept: u64,
        /// Whether the rows that are kept are recognised when the file is imported again.
        recognised: bool,
        /// What failed.
        why: HubError,
    },
    /// The hub failed.
    #[error(transparent)]
    Hub(#[from] HubError),
}
