//! Writing a parsed row: the record that it is, the values, and what is left alone.

use super::cells::Content;
use super::import::{Import, Parsed};
use super::options::{ImportKey, Only};
use super::report::BadCode;
use super::resolve::{Bad, Known, Linked};
use crate::hub::check::{check, same};
use crate::hub::data::Stored;
use crate::hub::error::HubError;
use crate::hub::imports::Updated;
use crate::hub::orders::{admit, missing};
use crate::hub::records::{Batch, Record, Write};
use crate::hub::schema::ObjectSchema;
use entente_core::{Kind, Reference, Value};
use entente_sync::FieldTime;
use std::sync::Arc;

/// The id of a record that a dry run would have made.
const NOT_WRITTEN: i64 = -1;

/// A record that a row refers to and that is not there yet.
struct Wanting {
    write: usize,
    /// Its place among the references of the cell.
    place: usize,
    target: Arc<ObjectSchema>,
    index: usize,
    value: Value,
}

/// The values of a row, with the columns that they are from.
#[derive(Default)]
struct Values {
    writes: Vec<Write>,
    columns: Vec<usize>,
    wanting: Vec<Wanting>,
}

impl Import<'_> {
    /// Writes a row; or says why it is refused.
    pub(super) fn row(&mut self, batch: &mut Batch<'_>, row: Parsed) -> Result<Result<(), Bad>, HubError> {
        let mut known = match self.known(batch.connection, &row)? {
            Ok(known) => known,
            Err(bad) => return Ok(Err(bad)),
        };
        let (line, time, undated) = (row.line, row.time, row.undated);
        if matches!(known, Known::New)
            && row.cells.iter().all(|(.., content)| matches!(content, Content::Clear))
        {
            let reason =
                "none of the columns that are read has a value in this row, so it would make an empty record"
                    .to_owned();
            return Ok(Err(Bad { column: None, value: String::new(), code: BadCode::NoValue, reason }));
        }
        let mut unrecognised = matches!(known, Known::New) && !self.has_key(&row);
        let mut values = match self.values(batch, row)? {
            Ok(values) => values,
            Err(bad) => return Ok(Err(bad)),
        };
        if matches!(known, Known::New)
            && unrecognised
            && matches!(self.options.key, ImportKey::Usual | ImportKey::Fields(_))
            && values.wanting.is_empty()
            && let Some(same) = self.same_record(batch.connection, &values.writes)?
        {
            (known, unrecognised) = (same, false);
        }
        let object = Arc::clone(&self.object);
        match (&known, self.options.only) {
            (Known::New, Only::Update) | (Known::Record(_) | Known::Seen, Only::New) => {
                self.report.passed += 1;
                return Ok(Ok(()));
            }
            (Known::Record(record), Only::Fill) => {
                values.keep(|write| record.value(write.field).is_blank());
            }
            _ => {}
        }
        if matches!(known, Known::New)
            && let Some(refusal) = missing(&object, &values.writes).into_iter().next()
        {
            let reason = refusal.to_string();
            return Ok(Err(Bad { column: None, value: String::new(), code: BadCode::Required, reason }));
        }
        if let Err(bad) = self.finished(batch, &mut values, line, time)? {
            return Ok(Err(bad));
        }
        let counted = unrecognised && self.options.key != ImportKey::None && !self.columns.keys.is_empty();
        self.report.unrecognised += u64::from(counted);
        self.put(batch, known, values.writes, (time, undated))?;
        Ok(Ok(()))
    }

    /// The values of a row's cells.
    fn values(&mut self, batch: &Batch<'_>, row: Parsed) -> Result<Result<Values, Bad>, HubError> {
        let object = Arc::clone(&self.object);
        let mut values = Values::default();
        for (field, column, content) in row.cells {
            let definition = &object.definition.fields[field];
            let value = match content {
                Content::Value(value) => check(definition, value),
                Content::Clear => check(definition, Value::Null),
                Content::Links(names) => match self.links(batch, (field, column), &names, &mut values)? {
                    Ok(value) => Ok(value),
                    Err(bad) if self.leaves_out(Some(field), row.line, &bad) => continue,
                    Err(bad) => return Ok(Err(bad)),
                },
            };
            match value {
                Ok(value) => values.writes.push(Write { field, value, time: row.time }),
                Err(refusal) => {
                    let bad = Bad::refused(column, refusal.reason);
                    if self.leaves_out(Some(field), row.line, &bad) {
                        continue;
                    }
                    return Ok(Err(bad));
                }
            }
            values.columns.push(column);
        }
        Ok(Ok(values))
    }

    /// The records that a cell refers to. One that is not there is created only once the rest of the row is known to be
    /// valid; until then it is a placeholder.
    fn links(
        &mut self,
        batch: &Batch<'_>,
        (field, column): (usize, usize),
        names: &[String],
        values: &mut Values,
    ) -> Result<Result<Value, Bad>, HubError> {
        let mut links = Vec::with_capacity(names.len());
        let mut wanting = Vec::new();
        for (place, name) in names.iter().enumerate() {
            match self.link(batch.connection, field, name)? {
                Ok(Linked::There(link)) => links.push(link),
                Ok(Linked::Wanting { target, index, value }) => {
                    wanting.push(Wanting { write: values.writes.len(), place, target, index, value });
                    links.push(Reference { object: String::new(), id: String::new() });
                }
                Err(reason) => {
                    let (code, value) = (BadCode::Reference, name.clone());
                    return Ok(Err(Bad { column: Some(column), value, code, reason }));
                }
            }
        }
        values.wanting.append(&mut wanting);
        Ok(Ok(if self.object.definition.fields[field].kind == Kind::Reference {
            links.into_iter().next().map_or(Value::Null, Value::Reference)
        } else {
            Value::References(links)
        }))
    }

    /// Creates the records that a row refers to, and has the hub admit every value.
    fn finished(
        &mut self,
        batch: &mut Batch<'_>,
        values: &mut Values,
        line: u64,
        time: FieldTime,
    ) -> Result<Result<(), Bad>, HubError> {
        let object = Arc::clone(&self.object);
        let wanting = std::mem::take(&mut values.wanting);
        let refers: Vec<usize> = wanting.iter().map(|wanting| wanting.write).collect();
        let mut left_out = Vec::new();
        // Nothing is made for a row that is refused, so that all other values come first.
        let mut wanting = Some(wanting);
        for made in [false, true] {
            for wanting in wanting.take_if(|_| made).into_iter().flatten() {
                let link = self.make(batch, &wanting.target, wanting.index, wanting.value, time)?;
                match &mut values.writes[wanting.write].value {
                    Value::Reference(reference) => *reference = link,
                    Value::References(references) => references[wanting.place] = link,
                    _ => {}
                }
            }
            for (n, write) in values.writes.iter_mut().enumerate() {
                if refers.contains(&n) != made {
                    continue;
                }
                // A reference by id may dangle.
                let value = std::mem::replace(&mut write.value, Value::Null);
                match admit(batch.connection, &self.schema, &object, write.field, value)? {
                    Ok(value) => write.value = value,
                    Err(refusal) => {
                        let bad = Bad::refused(values.columns[n], refusal.reason);
                        if !self.leaves_out(Some(write.field), line, &bad) {
                            return Ok(Err(bad));
                        }
                        left_out.push(n);
                    }
                }
            }
        }
        left_out.sort_unstable();
        for n in left_out.into_iter().rev() {
            values.writes.remove(n);
        }
        Ok(Ok(()))
    }

    /// Writes a valid row.
    fn put(
        &mut self,
        batch: &mut Batch<'_>,
        known: Known,
        mut writes: Vec<Write>,
        (time, undated): (FieldTime, bool),
    ) -> Result<(), HubError> {
        let object = Arc::clone(&self.object);
        self.report.repeated += u64::from(match &known {
            Known::New => false,
            Known::Seen | Known::Same => true,
            Known::Record(record) => self.kept.is_own(batch, record.id),
        });
        match known {
            Known::New => {
                if self.options.dry_run {
                    self.see(&object, &writes);
                }
                let mut record = batch.create(&object, writes, time.at)?;
                if self.options.dry_run {
                    self.tell_new(&object, &record);
                    // It is gone with its batch, and its id is another one's then.
                    record.id = NOT_WRITTEN;
                }
                self.take_up(&record);
                self.report.created += 1;
            }
            Known::Seen => self.report.updated += 1,
            Known::Same => self.report.unchanged += 1,
            Known::Record(record) => {
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
                self.change(batch, record, writes, undated)?;
            }
        }
        Ok(())
    }

    /// Writes a row into the record that it is. Where the row does not say since when it is right, a field whose value is put
    /// back to what it was before an earlier row of the file changed it gets its time and origin back too, so that importing
    /// a file again changes nothing. Rows with times are kept from that by their times.
    fn change(
        &mut self,
        batch: &mut Batch<'_>,
        mut record: Record,
        mut writes: Vec<Write>,
        undated: bool,
    ) -> Result<(), HubError> {
        let object = Arc::clone(&self.object);
        let before = |write: &Write| (write.field, record.fields[write.field].clone());
        let mut before: Vec<(usize, Option<Stored>)> = writes.iter().map(before).collect();
        let back = match self.kept.earlier(batch, &object, record.id)? {
            Some(earlier) if undated => put_back(&object, &record, earlier, &mut writes),
            _ => Vec::new(),
        };
        let is_back = !back.is_empty();
        if is_back {
            batch.put_back(&object, &mut record, back)?;
        }
        if !batch.update(&object, &mut record, writes)? && !is_back {
            self.report.unchanged += 1;
            return Ok(());
        }
        before.retain(|(field, stored)| *stored != record.fields[*field]);
        let told = self.options.dry_run.then(|| before.clone());
        let as_before = self.kept.update(batch, &object, &record, before)?;
        if let Some(before) = told {
            self.tell_changed(batch, &object, &record, before, as_before.is_some())?;
        }
        match as_before {
            Some(rows) => {
                self.report.updated -= rows;
                self.report.unchanged += rows + 1;
            }
            None => self.report.updated += 1,
        }
        self.take_up(&record);
        Ok(())
    }

    /// Takes a record up in the indexes that there are.
    fn take_up(&mut self, record: &Record) {
        for index in self.indexes.iter_mut().flatten() {
            index.add(&self.object, record);
        }
    }
}

/// Takes those writes out that put a value back to what it was before the import, and returns what then stood there.
fn put_back(
    object: &ObjectSchema,
    record: &Record,
    mut earlier: Updated,
    writes: &mut Vec<Write>,
) -> Vec<(usize, Option<Stored>)> {
    let mut back = Vec::new();
    writes.retain(|write| {
        let (field, definition) = (write.field, &object.definition.fields[write.field]);
        let former = earlier.former[field].as_ref().map_or(&Value::Null, |stored| &stored.value);
        let is_back = earlier.written[field].is_some()
            && same(definition, former, &write.value)
            && !same(definition, record.value(field), &write.value);
        if is_back {
            back.push((field, earlier.former[field].take()));
        }
        !is_back
    });
    back
}

impl Values {
    /// Keeps some of the writes, with what belongs to them.
    fn keep(&mut self, keep: impl Fn(&Write) -> bool) {
        let kept: Vec<bool> = self.writes.iter().map(keep).collect();
        let place = |write: usize| kept[..write].iter().filter(|kept| **kept).count();
        self.wanting.retain(|wanting| kept[wanting.write]);
        for wanting in &mut self.wanting {
            wanting.write = place(wanting.write);
        }
        let mut flags = kept.iter();
        self.writes.retain(|_| flags.next().is_some_and(|kept| *kept));
        let mut flags = kept.iter();
        self.columns.retain(|_| flags.next().is_some_and(|kept| *kept));
    }
}
