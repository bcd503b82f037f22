//! CSV import: rows are parsed, then written in batches of one transaction each.

use super::columns::Columns;
use super::decode::Source;
use super::resolve::{Bad, Known, Linked};
use super::rows::{Line, Rows};
use super::{BadCell, CsvError, Empty, ImportKey, ImportOptions, ImportReport, sniff};
use crate::hub::Hub;
use crate::hub::check::{check, cut, same};
use crate::hub::error::HubError;
use crate::hub::list::read_list;
use crate::hub::orders::{admit, missing};
use crate::hub::parse::{parse_timestamp, parse_value};
use crate::hub::records::{Batch, IMPORT, Write};
use crate::hub::schema::{ObjectSchema, Schema};
use entente_core::{Kind, Reference, Timestamp, Value};
use entente_sync::FieldTime;
use rusqlite::Connection;
use std::collections::HashSet;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// Imports a file. `progress` is called after each batch with the bytes and rows read so far.
///
/// Memory use is constant. A batch that has been written is kept, even if a later one fails.
///
/// # Errors
/// [`CsvError`] where the file cannot be read as a whole; errors of single rows are in the report.
pub async fn import_csv(
    hub: &Hub,
    reader: impl Read + Send,
    options: &ImportOptions,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<ImportReport, CsvError> {
    let schema = hub.read(|connection| hub.schema(connection)).await?;
    let object = Arc::clone(schema.require(&options.object)?);
    let mut source = Source::open(reader, options.encoding.as_deref())?;
    let declared = sniff::declared(source.beginning());
    if let Some((_, length)) = declared {
        source.consume(length);
    }
    let delimiter = match (options.delimiter, declared) {
        (Some(delimiter), _) => sniff::given(delimiter)?,
        (None, Some((delimiter, _))) => delimiter,
        (None, None) => sniff::delimiter(source.beginning()),
    };
    let mut rows = Rows::new(source, delimiter, u64::from(declared.is_some()));
    let header = loop {
        match rows.next()? {
            Some(line) if line.is_blank() => {}
            Some(line) => break line,
            None => return Err(CsvError::NoHeader),
        }
    };
    let blank_before = rows.blank_lines();
    let columns = Columns::read(&header, &object, options)?;
    let mut import = Import {
        options,
        columns,
        schema,
        object,
        report: ImportReport::default(),
        seen: HashSet::new(),
        future: 0,
        now: Timestamp::default(),
    };
    import.report.delimiter = char::from(delimiter);

    loop {
        import.now = hub.clock.now();
        let mut parsed = Vec::with_capacity(options.batch);
        let mut end = false;
        while parsed.len() < options.batch.max(1) {
            match rows.next()? {
                Some(line) => parsed.extend(import.parse(&line)),
                None => {
                    end = true;
                    break;
                }
            }
        }
        if !parsed.is_empty() {
            let unit = hub.store.begin().await.map_err(HubError::from)?;
            import.write(hub, unit.connection(), parsed)?;
            if !options.dry_run {
                unit.commit_soon().map_err(HubError::from)?;
            }
        }
        progress(rows.source().bytes, import.report.rows);
        if end {
            break;
        }
        tokio::task::yield_now().await;
    }
    if !options.dry_run {
        hub.store.flush().await.map_err(HubError::from)?;
    }
    import.report.skipped += rows.blank_lines() - blank_before;
    Ok(import.finish(rows.source(), rows.odd_rows))
}

/// A parsed cell.
pub(super) enum Content {
    Value(Value),
    Clear,
    /// The names of referenced records.
    Links(Vec<String>),
}

/// A parsed row.
pub(super) struct Parsed {
    pub(super) line: u64,
    /// Field, column and content of each cell.
    pub(super) cells: Vec<(usize, usize, Content)>,
    pub(super) id: Option<String>,
    pub(super) time: FieldTime,
}

pub(super) struct Import<'a> {
    pub(super) options: &'a ImportOptions,
    pub(super) columns: Columns,
    pub(super) schema: Arc<Schema>,
    pub(super) object: Arc<ObjectSchema>,
    pub(super) report: ImportReport,
    /// Dry run only: keys of records that would have been created by now.
    pub(super) seen: HashSet<(i64, String)>,
    /// The number of rows whose change time lies in the future.
    pub(super) future: u64,
    pub(super) now: Timestamp,
}

impl Import<'_> {
    /// Parses a row; `None` where it is blank or wrong, which is counted.
    fn parse(&mut self, line: &Line) -> Option<Parsed> {
        if line.is_blank() {
            self.report.skipped += 1;
            return None;
        }
        self.report.rows += 1;
        let width = self.columns.names.len();
        let surplus = line.cells.iter().skip(width).find(|cell| !cell.trim().is_empty());
        if line.open_quote {
            let start = line.cells.iter().next_back().unwrap_or_default().trim_end();
            self.bad(
                line.number,
                None,
                start,
                "a quote in this row is never closed, so that everything after it was taken for text; close it and import again".to_owned(),
            );
            return None;
        }
        if let Some(text) = surplus {
            let reason = format!(
                "the row has {} cells, the header only {width}; a delimiter within a text must stand in quotes",
                line.cells.len()
            );
            self.bad(line.number, None, text, reason);
            return None;
        }
        let mut parsed = Parsed {
            line: line.number,
            cells: Vec::with_capacity(width),
            id: None,
            time: FieldTime::by(self.options.as_of.unwrap_or(self.now)),
        };
        let (mut future, mut dated) = (false, self.options.as_of.is_some());
        for (column, text) in line.cells.iter().enumerate().take(width) {
            if self.columns.id == Some(column) {
                parsed.id = Some(text.trim().to_owned()).filter(|id| !id.is_empty());
            } else if self.columns.changed == Some(column) {
                if text.trim().is_empty() {
                    continue;
                }
                match parse_timestamp(text.trim(), &self.options.parse) {
                    // A change time in the future means a wrong clock or time zone; it says no more than the
                    // import does.
                    Ok(at) if at > self.now => {
                        parsed.time = FieldTime::by(self.now);
                        future = true;
                        dated = true;
                    }
                    // The row's time is an upper bound for each of its fields.
                    Ok(at) => {
                        parsed.time = FieldTime::by(at);
                        dated = true;
                    }
                    Err(error) => {
                        self.bad(line.number, Some(column), text, error.0);
                        return None;
                    }
                }
            } else if let Some(field) = self.columns.fields[column] {
                match self.content(field, text) {
                    Ok(Some(content)) => parsed.cells.push((field, column, content)),
                    Ok(None) => {}
                    Err(reason) => {
                        self.bad(line.number, Some(column), text, reason);
                        return None;
                    }
                }
            }
        }
        self.future += u64::from(future);
        self.report.undated += u64::from(!dated);
        Some(parsed)
    }

    /// Parses a cell; `None` where it leaves its field unset.
    fn content(&self, field: usize, text: &str) -> Result<Option<Content>, String> {
        let definition = &self.object.definition.fields[field];
        let kind = &definition.kind;
        // White space is significant in texts.
        let free = matches!(kind, Kind::Text | Kind::LongText | Kind::Phone | Kind::Url);
        if text.is_empty() || (!free && text.trim().is_empty()) {
            return Ok(match self.options.empty {
                Empty::Keep => None,
                Empty::Clear => Some(Content::Clear),
            });
        }
        if *kind == Kind::Reference {
            return Ok(Some(Content::Links(vec![text.to_owned()])));
        }
        if *kind == Kind::References {
            return Ok(Some(Content::Links(read_list(text, self.options.parse.list_separator))));
        }
        parse_value(definition, text, &self.options.parse)
            .map(|value| Some(Content::Value(value)))
            .map_err(|error| error.0)
    }

    /// Writes a batch.
    fn write(&mut self, hub: &Hub, connection: &Connection, parsed: Vec<Parsed>) -> Result<(), HubError> {
        if hub.schema(connection)?.version != self.schema.version {
            let why = "its definition was changed during the import; the rows so far are kept, import the file again".to_owned();
            return Err(HubError::Definition { what: format!("object {}", self.object.name()), why });
        }
        let mut batch = Batch::open(connection, IMPORT, 0)?;
        for row in parsed {
            let line = row.line;
            if let Err(bad) = self.row(&mut batch, row)? {
                self.bad(line, bad.column, &bad.value, bad.reason);
            }
        }
        batch.close()
    }

    fn row(&mut self, batch: &mut Batch<'_>, row: Parsed) -> Result<Result<(), Bad>, HubError> {
        let object = Arc::clone(&self.object);
        let known = match self.known(batch.connection, &row)? {
            Ok(known) => known,
            Err(bad) => return Ok(Err(bad)),
        };
        if matches!(known, Known::New)
            && row.cells.iter().all(|(.., content)| matches!(content, Content::Clear))
        {
            let reason =
                "none of the columns that are read has a value in this row, so it would make an empty record"
                    .to_owned();
            return Ok(Err(Bad { column: None, value: String::new(), reason }));
        }
        let mut writes = Vec::with_capacity(row.cells.len());
        let mut wanting = Vec::new();
        let mut columns = Vec::with_capacity(row.cells.len());
        for (field, column, content) in row.cells {
            let definition = &object.definition.fields[field];
            let value = match content {
                Content::Value(value) => check(definition, value),
                Content::Clear => check(definition, Value::Null),
                Content::Links(names) => {
                    let mut links = Vec::with_capacity(names.len());
                    for (n, name) in names.iter().enumerate() {
                        match self.link(batch.connection, field, name)? {
                            Ok(Linked::There(link)) => links.push(link),
                            Ok(Linked::Wanting { target, index, value }) => {
                                // A record is created for the reference only once the rest of the row is
                                // known to be valid; until then it is a placeholder.
                                wanting.push((writes.len(), n, target, index, value));
                                links.push(Reference { object: String::new(), id: String::new() });
                            }
                            Err(reason) => {
                                return Ok(Err(Bad { column: Some(column), value: name.clone(), reason }));
                            }
                        }
                    }
                    Ok(if definition.kind == Kind::Reference {
                        links.into_iter().next().map_or(Value::Null, Value::Reference)
                    } else {
                        Value::References(links)
                    })
                }
            };
            match value {
                Ok(value) => writes.push(Write { field, value, time: row.time }),
                Err(refusal) => {
                    return Ok(Err(Bad {
                        column: Some(column),
                        value: String::new(),
                        reason: refusal.reason,
                    }));
                }
            }
            columns.push(column);
        }
        if matches!(known, Known::New)
            && let Some(refusal) = missing(&object, &writes).into_iter().next()
        {
            return Ok(Err(Bad { column: None, value: String::new(), reason: refusal.to_string() }));
        }
        for (write, n, target, index, value) in wanting {
            let link = self.make(batch, &target, index, value, row.time)?;
            match &mut writes[write].value {
                Value::Reference(reference) => *reference = link,
                Value::References(references) => references[n] = link,
                _ => {}
            }
        }
        for (write, column) in writes.iter_mut().zip(columns) {
            // A reference by id may dangle.
            let value = std::mem::replace(&mut write.value, Value::Null);
            match admit(batch.connection, &self.schema, &object, write.field, value)? {
                Ok(value) => write.value = value,
                Err(refusal) => {
                    return Ok(Err(Bad {
                        column: Some(column),
                        value: String::new(),
                        reason: refusal.reason,
                    }));
                }
            }
        }
        self.put(batch, known, writes, row.time)?;
        Ok(Ok(()))
    }

    /// Writes a valid row.
    fn put(
        &mut self,
        batch: &mut Batch<'_>,
        known: Known,
        mut writes: Vec<Write>,
        time: FieldTime,
    ) -> Result<(), HubError> {
        let object = Arc::clone(&self.object);
        match known {
            Known::New => {
                if self.options.dry_run {
                    self.see(&object, &writes);
                }
                batch.create(&object, writes, time.at)?;
                self.report.created += 1;
            }
            Known::Seen => self.report.updated += 1,
            Known::Record(mut record) => {
                let report = &mut self.report;
                writes.retain(|write| {
                    let newer = record.fields[write.field]
                        .as_ref()
                        .is_some_and(|stored| stored.stamp.time.at > write.time.at);
                    let keep = newer
                        && !same(
                            &object.definition.fields[write.field],
                            record.value(write.field),
                            &write.value,
                        );
                    report.older += u64::from(keep);
                    !keep
                });
                if batch.update(&object, &mut record, writes)? {
                    self.report.updated += 1;
                } else {
                    self.report.unchanged += 1;
                }
            }
        }
        Ok(())
    }

    fn bad(&mut self, line: u64, column: Option<usize>, value: &str, reason: String) {
        self.report.failed += 1;
        if self.report.bad.len() < self.options.listed {
            let column =
                column.and_then(|column| self.columns.names.get(column).map(|name| name.as_str().into()));
            self.report.bad.push(BadCell { line, column, value: cut(value).into(), reason });
        }
    }

    fn finish<R>(mut self, source: &Source<R>, odd_rows: u64) -> ImportReport {
        let report = &mut self.report;
        let fields = self
            .columns
            .fields
            .iter()
            .enumerate()
            .filter_map(|(column, field)| field.map(|field| (column, field)));
        report.columns = fields
            .map(|(column, field)| {
                (self.columns.names[column].clone(), self.object.definition.fields[field].name.clone())
            })
            .collect();
        report.unused = self.columns.unused;
        report.encoding = source.encoding.name().to_lowercase();
        if let Some(changed) = self.columns.changed {
            report
                .notes
                .push(format!("the change times are those of the column '{}'", self.columns.names[changed]));
        }
        if report.undated > 0 {
            report.notes.push(format!(
                "{} rows do not say since when they are right, so that where another side has changed too, it cannot be told which is newer: such fields are held, or settled by the policy; if the file is older than today, say so with a date as of which it was right",
                report.undated
            ));
        }
        if self.future > 0 {
            report.notes.push(format!(
                "{} rows have a change time that is still to come; they are dated by the import, as an upper bound: check the clock or the time zone that the file was made with",
                self.future
            ));
        }
        if odd_rows > 0 {
            report
                .notes
                .push(format!("{odd_rows} rows are not valid UTF-8 and were read as Windows-1252; if names look wrong, give the encoding"));
        }
        if source.replaced {
            report.notes.push(format!(
                "some bytes are no text in {} and were replaced by \u{fffd}; check the encoding",
                report.encoding
            ));
        }
        if self.columns.key.is_empty() && self.options.key == ImportKey::Usual {
            report
                .notes
                .push("no column identifies records, so every row is a new one; importing the file again would duplicate them".to_owned());
        }
        self.report
    }
}
