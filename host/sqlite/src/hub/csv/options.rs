//! What an import is told.

use crate::hub::parse::ParseOptions;
use entente_core::Timestamp;
use serde::Serialize;

/// Import options. No cell content denotes the empty text or the empty list: an empty cell, quoted or not,
/// leaves a field unset or clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// The object of the records.
    pub object: String,
    /// The name of the file, by which the history of runs tells the import.
    pub file: String,
    /// The delimiter between cells; `None` detects it.
    pub delimiter: Option<char>,
    /// The encoding by name, such as `windows-1252`; `None` detects it: a byte order mark, otherwise UTF-8,
    /// with Windows-1252 for rows that are not valid UTF-8.
    pub encoding: Option<String>,
    /// How many lines stand before the header; `None` finds the header among the first rows.
    pub skip_lines: Option<u64>,
    /// Whether the first row is a record, so that columns have numbers only: `#1`, `#2`.
    pub no_header: bool,
    /// Columns (by name, or by number as `#3`) and the field that each is read as; an empty field ignores the
    /// column. Other columns are matched by the field's name or label, or by what exporters call it.
    pub map: Vec<(String, String)>,
    /// How an existing record is recognised.
    pub key: ImportKey,
    /// Fields by all of which a record is recognised too, where what comes before finds none: alternatives, in order.
    /// They need be no identifiers.
    pub or_key: Vec<Vec<String>>,
    /// Which rows are taken.
    pub only: Only,
    /// The meaning of an empty cell.
    pub empty: Empty,
    /// What becomes of a row with a cell that is no value of its field.
    pub bad_cells: BadCells,
    /// Words that count as an empty cell in every column, without case.
    pub nothing: Vec<String>,
    /// What separates the elements of a list; `None` finds it for each column, and takes the one of `parse` where
    /// nothing is seen.
    pub list_separator: Option<char>,
    /// How cells are parsed.
    pub parse: ParseOptions,
    /// The column of change times; `None` takes a column named `changed`, `updated_at`, `modified` or the
    /// like; an empty name takes none.
    pub changed_column: Option<String>,
    /// Whether the change time of a row is that of each of its fields, and not only of something in the record.
    pub field_times: bool,
    /// The moment that the file is from: the upper bound of values in rows without a change time; `None`: the
    /// import.
    pub as_of: Option<Timestamp>,
    /// Whether a referenced record that does not exist is created.
    pub create_references: bool,
    /// Dry run: nothing is written. New rows are counted correctly; a row that repeats the key of an earlier
    /// new row counts as updated.
    pub dry_run: bool,
    /// Dry run: of how many records it is told what would be changed.
    pub told: usize,
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
            file: "a file".to_owned(),
            delimiter: None,
            encoding: None,
            skip_lines: None,
            no_header: false,
            map: Vec::new(),
            key: ImportKey::Usual,
            or_key: Vec::new(),
            only: Only::All,
            empty: Empty::Keep,
            bad_cells: BadCells::Refuse,
            nothing: Vec::new(),
            list_separator: None,
            parse: ParseOptions::default(),
            changed_column: None,
            field_times: false,
            as_of: None,
            create_references: true,
            dry_run: false,
            told: 0,
            listed: 1000,
            batch: 500,
        }
    }
}

/// How an existing record is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ImportKey {
    /// By the first identifier field of the object, if the file has it, which makes importing idempotent.
    /// A row without a value there is the record that has all of its values, or a new one.
    #[default]
    Usual,
    /// Not at all: every row is a new record.
    None,
    /// By the column `id` with ids of the hub. Rows without an id are new records.
    Id,
    /// By these identifier fields, all of which must match. A row that lacks one is the record that has all of its
    /// values, or a new one.
    Fields(Vec<String>),
}

/// Which rows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    /// All.
    #[default]
    All,
    /// Those that make a new record.
    New,
    /// Those of records that are there.
    Update,
    /// All, but of a record that is there only fields without a value are filled.
    Fill,
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

/// What becomes of a row with a cell that is no value of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadCells {
    /// The row is refused.
    #[default]
    Refuse,
    /// The cell is left out, unless a record is recognised by it or cannot be without it.
    LeaveOut,
}
