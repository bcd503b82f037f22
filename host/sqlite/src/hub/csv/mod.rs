//! CSV import and export, for files as they occur in practice; and vCards.
//!
//! Meaning of a cell:
//!
//! - White space around a cell, quoted or not, is part of a text; other kinds of field ignore it, and so does
//!   the comparison of identifiers.
//! - Words for nothing («NULL», «N/A», «-») and dates of zeros are no values of a kind that has no such values; texts
//!   and numbers of telephones keep them, unless the options name them. Both are told.
//! - A quote opens a quoted cell only directly after the delimiter; after a space it is an ordinary
//!   character.
//! - An empty cell, quoted or not, leaves the field unset; with [`Empty::Clear`] it clears the field. CSV
//!   cannot tell null, the empty text and the empty list apart.
//! - An apostrophe before what a spreadsheet program would evaluate is a guard, and is taken off.
//! - A row with more non-empty cells than the header, or with fewer cells, is refused.
//! - A row with an error is refused as a whole and listed; all other rows are imported.
//! - List elements are separated by semicolons, or by what the whole column is seen to have. References are given by
//!   an identifier of the other record, such as the name of a company, or as `company:12`.
//!
//! Change times: without a column of change times, the time of the import (or the one that the options give) is an
//! upper bound for every value, since the file does not say since when it has been right. With such a column, its
//! time is the upper bound for every field in the row: something in the record changed then, and nothing later. A
//! time in the future counts as none and is reported. Where the hub's value of a field is later, the field keeps
//! it and is counted as older; at equal times the file wins.
//! A row whose columns that are read are all empty creates no record and is refused.
//!
//! What a file is like (its encoding, delimiter, header, the order of day and month, what separates lists) is decided
//! from its first megabyte.

mod cards;
mod cells;
mod columns;
mod decode;
mod error;
mod export;
mod import;
mod index;
mod names;
mod notes;
mod nothing;
mod open;
mod options;
mod person;
mod plan;
mod refused;
mod report;
mod resolve;
mod rows;
mod sniff;
mod survey;
mod telling;
#[cfg(test)]
mod tests;
mod write;

pub use cards::{CardVersion, export_cards};
pub use error::CsvError;
pub use export::{ExportOptions, Exported, export_csv};
pub use import::{import_csv, import_with_refused};
pub use notes::{ImportNote, LikelyColumn, UnreadOfCards};
pub use options::{BadCells, Empty, ImportKey, ImportOptions, Only};
pub use refused::REFUSED_COLUMN;
pub use report::{BadCell, BadCode, CellError, ImportReport, LeftOut, RefusalCount, UnusedColumn, Weighing};

#[cfg(test)]
use entente_core::Timestamp;
