//! The file of refused rows: their cells as they were, after a column with the reasons, so that it can be mended and
//! imported again.

use super::CsvError;
use csv::StringRecord;
use std::io::Write;

/// The first column of a file of refused rows, which an import does not read.
pub const REFUSED_COLUMN: &str = "refused because";

/// A refused row.
pub(super) struct Row {
    pub(super) cells: StringRecord,
    pub(super) reason: String,
    /// Whether its last cell has what followed a quote that is never closed.
    pub(super) open_quote: bool,
}

/// Writes refused rows.
pub(super) struct RefusedRows<'a> {
    writer: csv::Writer<&'a mut (dyn Write + Send)>,
    delimiter: u8,
}

impl<'a> RefusedRows<'a> {
    /// Begins the file with the names of the columns.
    pub(super) fn begin(
        out: &'a mut (dyn Write + Send),
        delimiter: u8,
        headings: &[String],
    ) -> Result<Self, CsvError> {
        let writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::CRLF)
            // A row keeps its number of cells, by which it may have been refused.
            .flexible(true)
            .from_writer(out);
        let mut rows = Self { writer, delimiter };
        let headings = headings.iter().map(String::as_str);
        rows.record(std::iter::once(REFUSED_COLUMN).chain(headings))?;
        Ok(rows)
    }

    pub(super) fn row(&mut self, row: &Row) -> Result<(), CsvError> {
        if row.open_quote {
            return self.swallowed(row);
        }
        self.record(std::iter::once(row.reason.as_str()).chain(row.cells.iter()))
    }

    /// The rows that a quote without an end has swallowed, each for itself.
    fn swallowed(&mut self, row: &Row) -> Result<(), CsvError> {
        let whole = row.cells.len().saturating_sub(1);
        let before: Vec<&str> = row.cells.iter().take(whole).collect();
        let text = format!("\"{}", row.cells.iter().next_back().unwrap_or_default());
        let (first, rest) = text.split_once(['\n', '\r']).unwrap_or((&text, ""));
        self.record(std::iter::once(row.reason.as_str()).chain(before).chain(std::iter::once(first)))?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(rest.as_bytes());
        for record in reader.records().map_while(Result::ok) {
            self.record(std::iter::once(row.reason.as_str()).chain(record.iter()))?;
        }
        Ok(())
    }

    fn record<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> Result<(), CsvError> {
        self.writer.write_record(cells).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => CsvError::Refused(error),
            other => CsvError::Refused(std::io::Error::other(format!("{other:?}"))),
        })
    }

    pub(super) fn flush(&mut self) -> Result<(), CsvError> {
        self.writer.flush().map_err(CsvError::Refused)
    }
}
