//! CSV import: rows are parsed, then written in batches of one transaction each.

use super::cells::{Content, Tally, Wrong};
use super::columns::Columns;
use super::index::Index;
use super::notes::ImportNote;
use super::open::Opened;
use super::options::{BadCells, ImportOptions};
use super::refused::RefusedRows;
use super::report::{BadCode, ImportReport, LeftOut};
use super::resolve::Bad;
use super::rows::Line;
use super::survey::Forms;
use super::{CsvError, person, sniff};
use crate::hub::Hub;
use crate::hub::check::cut;
use crate::hub::error::HubError;
use crate::hub::imports::{Kept, Running};
use crate::hub::records::{Batch, IMPORT};
use crate::hub::schema::{ObjectSchema, Schema};
use csv::StringRecord;
use entente_core::{Timestamp, Value};
use entente_sync::FieldTime;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::sync::Arc;

/// Imports a file. `progress` is called after each batch with the bytes and rows read so far.
///
/// Memory use is bounded. A batch that has been written is kept, even if a later one fails.
///
/// # Errors
/// [`CsvError`] where the file cannot be read as a whole; errors of single rows are in the report.
pub async fn import_csv(
    hub: &Hub,
    reader: impl Read + Send,
    options: &ImportOptions,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<ImportReport, CsvError> {
    import_with_refused(hub, reader, options, None, progress).await
}

/// As [`import_csv`]; all refused rows are written as a CSV file that can be mended and imported again: with the names of
/// the columns, in UTF-8, each after the reason why it is refused.
///
/// # Errors
/// [`CsvError`] where the file cannot be read as a whole, or the refused rows cannot be written.
pub async fn import_with_refused(
    hub: &Hub,
    reader: impl Read + Send,
    options: &ImportOptions,
    refused: Option<&mut (dyn Write + Send)>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<ImportReport, CsvError> {
    let schema = hub.read(|connection| hub.schema(connection)).await?;
    let object = Arc::clone(schema.require(&options.object)?);
    let mut opened = Opened::new(reader, &object, options)?;
    let mut refused = match refused {
        Some(out) => Some(RefusedRows::begin(out, opened.delimiter, &opened.columns.names)?),
        None => None,
    };
    let blank_before = opened.rows.blank_lines();
    let mut import = Import::new(options, &mut opened, schema, object, refused.is_some());
    if options.dry_run {
        import.read(hub, &mut opened, refused.as_mut(), progress).await?;
    } else {
        let running = Running::begin(hub, &options.object, &options.file).await?;
        import.run = running.number();
        import.report.run = Some(import.run);
        let read = import.read(hub, &mut opened, refused.as_mut(), progress).await;
        let error = read.as_ref().err().map(ToString::to_string);
        let ended = running.end(hub, &import.report, &import.made, error).await;
        if let (Err(_), Err(error)) = (&read, &ended) {
            // The run stands as one that was stopped, and what stopped the import is told.
            tracing::warn!(%error, "end the run of an import");
        }
        read?;
        ended.map_err(|why| import.stopped(why))?;
    }
    import.report.skipped += opened.rows.blank_lines() - blank_before;
    Ok(import.finish(&opened.rows))
}

/// A parsed row.
pub(super) struct Parsed {
    pub(super) line: u64,
    /// Field, column and content of each cell.
    pub(super) cells: Vec<(usize, usize, Content)>,
    pub(super) id: Option<String>,
    pub(super) time: FieldTime,
    /// Its cells as they were, where refused rows are written.
    raw: Option<StringRecord>,
    /// Whether it does not say since when it is right.
    pub(super) undated: bool,
}

/// A refused row on its way into the report and the file of refused rows.
pub(super) struct Refusal {
    pub(super) line: u64,
    pub(super) cells: Vec<Bad>,
    pub(super) raw: Option<StringRecord>,
    pub(super) open_quote: bool,
}

pub(super) struct Import<'a> {
    pub(super) options: &'a ImportOptions,
    pub(super) columns: Columns,
    pub(super) forms: Forms,
    pub(super) schema: Arc<Schema>,
    pub(super) object: Arc<ObjectSchema>,
    pub(super) report: ImportReport,
    /// Dry run only: keys of records that would have been created by now.
    pub(super) seen: HashSet<(i64, String)>,
    /// By column.
    pub(super) tallies: Vec<Tally>,
    pub(super) left_out: Vec<Option<LeftOut>>,
    /// For each key the records by it, where the hub has no index; and at the end those that are the same.
    pub(super) indexes: Vec<Option<Index>>,
    /// The number of rows whose change time lies in the future.
    pub(super) future: u64,
    pub(super) now: Timestamp,
    pub(super) refusals: Vec<Refusal>,
    pub(super) counts: BTreeMap<(BadCode, Option<usize>), u64>,
    keeps_raw: bool,
    /// Whether a blank row has come, and single cells since: perhaps what stands under a table.
    after_blank: bool,
    pending: Vec<Line>,
    /// Refused rows that another delimiter would split into the right number of cells.
    pub(super) other_delimiter: (u8, u64),
    /// Fields that a row has filled.
    filled: Vec<bool>,
    /// The last line that was written, and how many rows.
    written: (u64, u64),
    /// The number of its run; 0 for a dry run.
    run: i64,
    /// What it keeps to be undone.
    pub(super) kept: Kept,
    /// How many records of which object it made because a row refers to them.
    pub(super) made: BTreeMap<String, u64>,
    /// Dry run: the ids of referred records that would be made, with what people call them.
    pub(super) to_be_made: BTreeMap<String, String>,
    /// Dry run: the records of the batch that would be made or changed, with their places among what is told.
    pub(super) told_rows: BTreeMap<i64, usize>,
}

impl<'a> Import<'a> {
    fn new<R>(
        options: &'a ImportOptions,
        opened: &mut Opened<R>,
        schema: Arc<Schema>,
        object: Arc<ObjectSchema>,
        keeps_raw: bool,
    ) -> Self {
        let columns = std::mem::take(&mut opened.columns);
        let forms = Forms {
            parse: std::mem::take(&mut opened.forms.parse),
            notes: std::mem::take(&mut opened.forms.notes),
        };
        let (width, keys) = (columns.names.len(), columns.keys.len());
        Self {
            report: ImportReport { delimiter: char::from(opened.delimiter), ..ImportReport::default() },
            options,
            columns,
            forms,
            filled: vec![false; object.definition.fields.len()],
            schema,
            object,
            seen: HashSet::new(),
            tallies: (0..width).map(|_| Tally::default()).collect(),
            left_out: vec![None; width],
            indexes: (0..=keys).map(|_| None).collect(),
            future: 0,
            now: Timestamp::default(),
            refusals: Vec::new(),
            counts: BTreeMap::new(),
            keeps_raw,
            after_blank: false,
            pending: Vec::new(),
            other_delimiter: (0, 0),
            written: (0, 0),
            run: 0,
            kept: Kept::default(),
            made: BTreeMap::new(),
            to_be_made: BTreeMap::new(),
            told_rows: BTreeMap::new(),
        }
    }

    /// Reads all rows, and writes them batch by batch.
    async fn read<R: Read + Send>(
        &mut self,
        hub: &Hub,
        opened: &mut Opened<R>,
        mut refused: Option<&mut RefusedRows<'_>>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), CsvError> {
        let mut next = opened.first.take();
        loop {
            self.now = hub.clock.now();
            let mut parsed = Vec::with_capacity(self.options.batch);
            let mut end = None;
            for _ in 0..self.options.batch.max(1) {
                let line = match next.take() {
                    Some(line) => Ok(Some(line)),
                    None => opened.rows.next(),
                };
                match line {
                    Ok(Some(line)) => self.take(line, &mut parsed),
                    Ok(None) => {
                        self.footers();
                        end = Some(Ok(()));
                    }
                    Err(error) => end = Some(Err(error)),
                }
                if end.is_some() {
                    break;
                }
            }
            self.write(hub, parsed).await?;
            self.told(refused.as_deref_mut())?;
            progress(opened.rows.bytes(), self.report.rows);
            match end {
                Some(end) => return end,
                None => tokio::task::yield_now().await,
            }
        }
    }

    /// Takes a row. What may stand under the table waits for what comes after it.
    fn take(&mut self, line: Line, parsed: &mut Vec<Parsed>) {
        /// How many rows may stand under a table.
        const FOOTERS: usize = 50;
        if line.is_blank() {
            self.report.skipped += 1;
            self.after_blank = true;
            return;
        }
        self.after_blank |= line.after_blank;
        if self.after_blank && self.pending.len() < FOOTERS && self.may_be_footer(&line) {
            self.pending.push(line);
            return;
        }
        self.after_blank = false;
        for line in std::mem::take(&mut self.pending) {
            parsed.extend(self.parse(line));
        }
        parsed.extend(self.parse(line));
    }

    /// Whether a row has a single cell under a table, such as «Copyright …»; filled up with empty cells only where it is
    /// a sentence.
    fn may_be_footer(&self, line: &Line) -> bool {
        let mut texts = line.cells.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty());
        let (Some((0, text)), None) = (texts.next(), texts.next()) else { return false };
        let alone = line.cells.len() == 1 && self.columns.least > 1;
        let sentence = self.columns.least > 2 && text.split_whitespace().count() > 2;
        !line.open_quote && !text.contains('@') && (alone || sentence)
    }

    /// Counts what stands under the table.
    fn footers(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(first) = pending.first() {
            let text = cut(first.cells.get(0).unwrap_or_default().trim());
            let note =
                ImportNote::Footers { rows: pending.len() as u64, line: first.number, text: text.into() };
            self.report.notes.push(note);
        }
    }

    /// What is wrong with the shape of a row.
    fn misshapen(&mut self, line: &Line) -> Option<Bad> {
        let width = self.columns.names.len();
        let bad = |code, value: &str, reason: String| {
            Some(Bad { column: None, value: value.to_owned(), code, reason })
        };
        if line.open_quote {
            let start = line.cells.iter().next_back().unwrap_or_default().trim_end();
            let reason = "a quote in this row is never closed, so that everything after it was taken for text; close it and import again";
            return bad(BadCode::OpenQuote, start, reason.to_owned());
        }
        let has = line.cells.len();
        let surplus = line.cells.iter().skip(width).find(|cell| !cell.trim().is_empty());
        let (code, value, reason) = if let Some(text) = surplus {
            let reason = format!(
                "the row has {has} cells, the header only {width}; a delimiter within a text must stand in quotes"
            );
            (BadCode::TooManyCells, text, reason)
        } else if has < self.columns.least {
            let reason = format!(
                "the row has {has} cell{}, the header {width}; the delimiters of empty cells must be there too",
                if has == 1 { "" } else { "s" }
            );
            (BadCode::TooFewCells, line.cells.iter().next_back().unwrap_or_default(), reason)
        } else {
            return None;
        };
        let delimiter = char::from(self.report.delimiter as u8);
        let whole = line.cells.iter().collect::<Vec<_>>().join(delimiter.encode_utf8(&mut [0; 4]));
        if let Some(other) = sniff::other_delimiter(&whole, delimiter as u8, width)
            && (self.other_delimiter.1 == 0 || self.other_delimiter.0 == other)
        {
            self.other_delimiter = (other, self.other_delimiter.1 + 1);
        }
        bad(code, value, reason)
    }

    /// Parses a row; `None` where it is wrong, which is counted.
    fn parse(&mut self, line: Line) -> Option<Parsed> {
        self.report.rows += 1;
        if let Some(bad) = self.misshapen(&line) {
            self.refuse(line.number, vec![bad], self.keeps_raw.then_some(line.cells), line.open_quote);
            return None;
        }
        let mut wrong: Vec<Bad> = Vec::new();
        let time = match self.time(&line) {
            Ok(time) => time,
            Err((column, error)) => {
                let text = line.cells.get(column).unwrap_or_default();
                self.wrong(&mut wrong, None, column, line.number, text, error);
                None
            }
        };
        let undated = time.is_none() && self.options.as_of.is_none();
        // A time that is still to come says no more than the import does.
        let has_no_time = time.is_none_or(|time| time == FieldTime::by(self.now));
        let by = FieldTime::by(self.options.as_of.unwrap_or(self.now));
        let mut parsed = Parsed {
            line: line.number,
            cells: Vec::with_capacity(line.cells.len()),
            id: None,
            time: time.unwrap_or(by),
            undated: has_no_time,
            raw: None,
        };
        self.filled.fill(false);
        let group = self.group(&line);
        for at in 0..self.columns.order.len() {
            let column = self.columns.order[at];
            let Some(text) = line.cells.get(column) else { continue };
            if ![0, group].contains(&self.columns.groups[column]) {
                continue;
            }
            if self.columns.id == Some(column) {
                parsed.id = Some(text.trim().to_owned()).filter(|id| !id.is_empty());
            } else if let Some(field) = self.columns.fields[column].filter(|field| !self.filled[*field]) {
                self.cell(field, column, text, &mut parsed, &mut wrong);
            }
        }
        self.full_name(&line, &mut parsed, &mut wrong);
        for column in &self.columns.unused {
            let text = line.cells.get(column.number - 1).unwrap_or_default();
            let (text, tally) = (text.trim(), &mut self.tallies[column.number - 1]);
            tally.filled += u64::from(!text.is_empty());
            tally.says_yes +=
                u64::from(!text.is_empty() && !NO.iter().any(|no| text.eq_ignore_ascii_case(no)));
        }
        let raw = self.keeps_raw.then_some(line.cells);
        if !wrong.is_empty() {
            self.refuse(line.number, wrong, raw, false);
            return None;
        }
        self.report.undated += u64::from(undated);
        parsed.raw = raw;
        Some(parsed)
    }

    /// Which of several addresses is taken: the first that has a value. Half of one and half of another would be none.
    fn group(&self, line: &Line) -> u8 {
        let filled = |column: &usize| line.cells.get(*column).is_some_and(|text| !text.trim().is_empty());
        let groups = self.columns.groups.iter().enumerate();
        let groups = groups.filter(|(column, group)| **group > 0 && filled(column)).map(|(_, group)| *group);
        groups.min().unwrap_or(1)
    }

    /// Parses a cell into a row, or into what is wrong with it.
    fn cell(&mut self, field: usize, column: usize, text: &str, parsed: &mut Parsed, wrong: &mut Vec<Bad>) {
        match self.content((field, column), parsed.line, text) {
            Ok(Some(content)) => {
                self.filled[field] = !matches!(content, Content::Clear);
                // A later column of the same field goes before an empty cell that clears.
                if let Some(cell) = parsed.cells.iter_mut().find(|(other, ..)| *other == field) {
                    if self.filled[field] {
                        *cell = (field, column, content);
                    }
                } else {
                    parsed.cells.push((field, column, content));
                }
            }
            Ok(None) => {}
            Err(error) => self.wrong(wrong, Some(field), column, parsed.line, text, error),
        }
    }

    /// Splits a full name, where the row has no names of its own.
    fn full_name(&mut self, line: &Line, parsed: &mut Parsed, wrong: &mut Vec<Bad>) {
        let Some((column, fields)) = self.columns.full_name else { return };
        let mut text = line.cells.get(column).unwrap_or_default().trim();
        if fields.iter().any(|field| self.filled[*field]) {
            let names = fields.map(|field| value_in(&parsed.cells, field).to_data());
            if person::is_another(text, &names) {
                tally(&mut self.tallies[column].other_names, text);
            }
            return;
        }
        if person::looks_like_firm(text) {
            tally(&mut self.tallies[column].firms, text);
        }
        // «Firm, First Last», as Odoo writes the people of a firm.
        for (.., content) in &parsed.cells {
            if let Content::Links(names) = content
                && let Some(person) = names.first().and_then(|firm| text.strip_prefix(firm.as_str()))
                && let Some(person) = person.strip_prefix(',')
            {
                text = person.trim();
            }
        }
        self.tallies[column].split |= !text.is_empty();
        let (first, last) = person::split(text);
        for (field, name) in fields.into_iter().zip([first, last]) {
            self.cell(field, column, &name, parsed, wrong);
        }
    }

    /// Notes a cell that is wrong: as an error of its row, or left out.
    fn wrong(
        &mut self,
        list: &mut Vec<Bad>,
        field: Option<usize>,
        column: usize,
        line: u64,
        text: &str,
        error: Wrong,
    ) {
        let bad = Bad { column: Some(column), value: cut(text), code: error.code, reason: error.reason };
        if !self.leaves_out(field, line, &bad) {
            list.push(bad);
        }
    }

    /// Leaves out a cell, where the options say so and its record can be without it.
    pub(super) fn leaves_out(&mut self, field: Option<usize>, line: u64, bad: &Bad) -> bool {
        let needed = field.is_some_and(|field| self.is_needed(field));
        let Some(column) = bad.column.filter(|_| self.options.bad_cells == BadCells::LeaveOut && !needed)
        else {
            return false;
        };
        let name = &self.columns.names[column];
        let left = self.left_out[column].get_or_insert_with(|| LeftOut {
            column: name.as_str().into(),
            cells: 0,
            line,
            value: cut(&bad.value).into(),
            reason: bad.reason.clone(),
        });
        left.cells += 1;
        true
    }

    /// Whether records cannot be without a field, or are recognised by it alone; where there is another key, a row may be
    /// recognised by that.
    pub(super) fn is_needed(&self, field: usize) -> bool {
        let keys = &self.columns.keys;
        self.object.definition.fields[field].required
            || !keys.is_empty() && keys.iter().all(|key| key.contains(&field))
    }

    fn refuse(&mut self, line: u64, cells: Vec<Bad>, raw: Option<StringRecord>, open_quote: bool) {
        self.report.failed += 1;
        if let Some(first) = cells.first() {
            *self.counts.entry((first.code, first.column)).or_default() += 1;
        }
        self.refusals.push(Refusal { line, cells, raw, open_quote });
    }

    /// Writes a batch.
    async fn write(&mut self, hub: &Hub, parsed: Vec<Parsed>) -> Result<(), CsvError> {
        let Some(first) = parsed.first().map(|row| row.line) else { return Ok(()) };
        let rows = parsed.len() as u64;
        match self.write_batch(hub, parsed).await {
            Ok(last) => {
                self.written = (last, self.written.1 + rows);
                Ok(())
            }
            Err(why) if self.written.1 == 0 => Err(CsvError::Hub(why)),
            Err(why) => {
                self.written.0 = first - 1;
                Err(self.stopped(why))
            }
        }
    }

    fn stopped(&self, why: HubError) -> CsvError {
        let recognised = !self.columns.keys.is_empty() || self.columns.id.is_some();
        CsvError::Stopped { line: self.written.0 + 1, kept: self.written.1, recognised, why }
    }

    async fn write_batch(&mut self, hub: &Hub, parsed: Vec<Parsed>) -> Result<u64, HubError> {
        let unit = hub.store.begin().await?;
        let (last, made) = self.write_rows(hub, unit.connection(), parsed)?;
        if !self.options.dry_run {
            unit.commit_soon()?;
            self.kept.committed(made);
        }
        Ok(last)
    }

    fn write_rows(
        &mut self,
        hub: &Hub,
        connection: &Connection,
        parsed: Vec<Parsed>,
    ) -> Result<(u64, Option<(i64, i64)>), HubError> {
        if hub.schema(connection)?.version != self.schema.version {
            let why = "its definition was changed during the import; the rows so far are kept, import the file again".to_owned();
            return Err(HubError::Definition { what: format!("object {}", self.object.name()), why });
        }
        let mut batch = Batch::open(connection, IMPORT, self.run)?;
        self.told_rows.clear();
        let mut last = 0;
        for mut row in parsed {
            let raw = row.raw.take();
            last = row.line;
            if let Err(bad) = self.row(&mut batch, row)? {
                self.refuse(last, vec![bad], raw, false);
            }
        }
        let made = match self.options.dry_run {
            true => None,
            false => self.kept.made(&batch)?,
        };
        batch.close()?;
        Ok((last, made))
    }
}

/// Words for no.
const NO: [&str; 8] = ["0", "no", "n", "false", "f", "nein", "non", "never"];

/// Counts a cell, and keeps the first.
fn tally((cells, first): &mut (u64, String), text: &str) {
    if *cells == 0 {
        *first = cut(text);
    }
    *cells += 1;
}

/// The value of a field in a row; null where it has none.
pub(super) fn value_in(cells: &[(usize, usize, Content)], field: usize) -> &Value {
    static NULL: Value = Value::Null;
    let found = cells.iter().find(|(index, ..)| *index == field);
    found.map_or(&NULL, |(.., content)| if let Content::Value(value) = content { value } else { &NULL })
}
