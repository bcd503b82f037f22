//! CSV export, page by page.

use super::cells::{is_guarded_start, unguarded};
use super::{CsvError, nothing, sniff};
use crate::hub::error::HubError;
use crate::hub::list::write_list;
use crate::hub::parse::explicit_reference;
use crate::hub::people::{ListQuery, stretch};
use crate::hub::records::{self, Record};
use crate::hub::schema::{ObjectSchema, Schema};
use crate::hub::{FieldDefinition, Hub};
use entente_core::{Kind, Reference, Value};
use rusqlite::Connection;
use serde::Serialize;
use std::io::Write;

/// Export options. Null, the empty text and the empty list are all written as an empty cell, since CSV cannot
/// tell them apart; an import reads none of them as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportOptions {
    /// The object.
    pub object: String,
    /// The fields, in this order; empty means all.
    pub fields: Vec<String>,
    /// Which records; its paging is ignored.
    pub query: ListQuery,
    /// Whether the first column is `id`.
    pub id: bool,
    /// Whether the last column is `changed`, the record's change time.
    pub changed: bool,
    /// Whether the file begins with a byte order mark, by which spreadsheet programs recognise UTF-8.
    pub byte_order_mark: bool,
    /// The delimiter between cells.
    pub delimiter: char,
    /// The separator between the elements of a list.
    pub list_separator: char,
    /// Whether references are written as `company:12` instead of by name. A reference to a record whose name
    /// is blank or not unique is always written like this.
    pub references_by_id: bool,
    /// Escapes formulas: puts an apostrophe before texts that a spreadsheet program would evaluate (those
    /// that begin with `=`, `+`, `-`, `@`, a tab or a carriage return), but for numbers of telephones. For files that
    /// people open; an import takes it off again.
    pub guard_formulas: bool,
}

impl ExportOptions {
    /// Options for exporting an object completely, for a re-import.
    pub fn new(object: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            fields: Vec::new(),
            query: ListQuery::default(),
            id: false,
            changed: false,
            byte_order_mark: false,
            delimiter: ',',
            list_separator: ';',
            references_by_id: false,
            guard_formulas: false,
        }
    }
}

/// The result of an export.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Exported {
    /// The number of records.
    pub rows: u64,
    /// Fields that have values and that the format has no place for.
    pub left_out: Vec<String>,
}

/// Exports records as UTF-8 with a header of field names. Memory use is constant.
///
/// # Errors
/// [`CsvError::Write`], [`CsvError::Delimiter`], [`CsvError::Hub`] for unknown objects and fields or a
/// failing database.
pub async fn export_csv(
    hub: &Hub,
    mut writer: impl Write + Send,
    options: &ExportOptions,
) -> Result<Exported, CsvError> {
    let delimiter = sniff::given(options.delimiter)?;
    let schema = hub.read(|connection| hub.schema(connection)).await?;
    let object = schema.require(&options.object)?;
    let mut fields = Vec::new();
    for name in &options.fields {
        fields.push(object.require(name)?);
    }
    if fields.is_empty() {
        fields = (0..object.definition.fields.len()).collect();
    }
    if options.byte_order_mark {
        writer.write_all("\u{feff}".as_bytes()).map_err(CsvError::Write)?;
    }
    let mut writer =
        csv::WriterBuilder::new().delimiter(delimiter).terminator(csv::Terminator::CRLF).from_writer(writer);
    let names = fields.iter().map(|field| object.definition.fields[*field].name.as_str());
    let head =
        options.id.then_some("id").into_iter().chain(names).chain(options.changed.then_some("changed"));
    writer.write_record(head).map_err(unwritten)?;

    let mut exported = Exported::default();
    let mut after = 0;
    loop {
        let (rows, end) = hub
            .read(|connection| {
                let (records, end) = stretch(connection, object, &options.query, after, usize::MAX)?;
                let export = Export { connection, schema: &schema, object, options };
                let rows: Result<Vec<_>, HubError> =
                    records.iter().map(|record| export.cells(record, &fields)).collect();
                Ok((rows?, end))
            })
            .await?;
        for row in &rows {
            writer.write_record(row).map_err(unwritten)?;
        }
        exported.rows += rows.len() as u64;
        match end {
            Some(end) => after = end,
            None => break,
        }
    }
    writer.flush().map_err(CsvError::Write)?;
    Ok(exported)
}

/// Whether a text has nothing but a number in it.
fn is_number(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || " +-()/.".contains(c))
        && text.bytes().any(|b| b.is_ascii_digit())
}

fn unwritten(error: csv::Error) -> CsvError {
    let kind = match error.kind() {
        csv::ErrorKind::Io(error) => error.kind(),
        _ => std::io::ErrorKind::Other,
    };
    CsvError::Write(std::io::Error::new(kind, error))
}

struct Export<'a> {
    connection: &'a Connection,
    schema: &'a Schema,
    object: &'a ObjectSchema,
    options: &'a ExportOptions,
}

impl Export<'_> {
    fn cells(&self, record: &Record, fields: &[usize]) -> Result<Vec<String>, HubError> {
        let mut cells = Vec::with_capacity(fields.len() + 2);
        if self.options.id {
            cells.push(record.id.to_string());
        }
        for field in fields {
            cells.push(self.cell(&self.object.definition.fields[*field], record.value(*field))?);
        }
        if self.options.changed {
            cells.push(record.changed.to_string());
        }
        Ok(cells)
    }

    /// Formats a value as a cell.
    fn cell(&self, definition: &FieldDefinition, value: &Value) -> Result<String, HubError> {
        let text = match value {
            Value::Null => String::new(),
            Value::Texts(texts) => write_list(texts.iter().map(String::as_str), self.options.list_separator),
            Value::Reference(reference) => self.link(definition, reference)?,
            Value::References(references) => {
                let links: Result<Vec<String>, HubError> =
                    references.iter().map(|reference| self.link(definition, reference)).collect();
                write_list(links?.iter().map(String::as_str), self.options.list_separator)
            }
            value => value.to_data(),
        };
        let textual =
            matches!(value, Value::Text(_) | Value::Texts(_) | Value::Reference(_) | Value::References(_));
        let evaluated = is_guarded_start(&text) && !(definition.kind == Kind::Phone && is_number(&text));
        // An import takes one apostrophe off again; so that texts that have one keep it, they get another.
        let guard = textual && (self.options.guard_formulas && evaluated || unguarded(&text).is_some());
        Ok(if guard { format!("'{text}") } else { text })
    }

    /// Formats a reference by the other record's identifier, where an import would find the record by it.
    fn link(&self, definition: &FieldDefinition, reference: &Reference) -> Result<String, HubError> {
        let by_id = reference.to_data();
        let (false, Some(target), Some(number)) = (
            self.options.references_by_id,
            self.schema.object(&reference.object),
            records::number(&reference.id),
        ) else {
            return Ok(by_id);
        };
        // An import searches the target objects in order, so that a record of an earlier one with the same
        // name would be found instead.
        if definition.targets.first() != Some(&reference.object) {
            return Ok(by_id);
        }
        let Some(index) = target.identifiers().next() else { return Ok(by_id) };
        let Some(record) = records::load(self.connection, target, number)? else { return Ok(by_id) };
        let name = record.value(index).to_data();
        let only =
            crate::hub::find::matching(self.connection, target, &[(index, record.value(index))], true)?
                == [number];
        // A word for nothing would be read as no reference.
        let plain = explicit_reference(definition, name.trim()).is_none() && !nothing::is_word(&name);
        Ok(if only && plain { name } else { by_id })
    }
}
