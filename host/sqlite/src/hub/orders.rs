//! Order execution: each change by itself, and each field conditionally on the value that the decision was
//! based on (compare-and-set).

use super::Hub;
use super::check::{check, same};
use super::error::{HubError, Refusal};
use super::records::{self, Batch, Record, Write};
use super::report::as_row;
use super::schema::{ObjectSchema, Schema};
use entente_core::{Reference, Value};
use entente_sync::{Action, Answer, FieldTime, Order, OrderedChange, Outcome, Written};
use rusqlite::Connection;

impl Hub {
    /// Executes an order in the caller's transaction. Only a database failure fails it as a whole.
    pub(super) fn carry_out(&self, connection: &Connection, order: &Order) -> Result<Vec<Answer>, HubError> {
        let schema = self.schema(connection)?;
        let answer = |change: &OrderedChange, outcome| Answer { change: change.id.clone(), outcome };
        let Some(object) = schema.object(&order.object) else {
            let failed = |change| {
                let reason = format!("the hub has no object '{}'", order.object);
                answer(change, Outcome::Failed { code: "unsupported".to_owned(), reason, fields: Vec::new() })
            };
            return Ok(order.changes.iter().map(failed).collect());
        };
        let source = records::sync_source(connection, &order.sync)?;
        let fields = order.fields.iter().map(|field| object.index(field)).collect();
        let mut writing = Writing {
            schema: &schema,
            object,
            order,
            fields,
            batch: Batch::open(connection, source, order.run)?,
        };
        let mut answers = Vec::with_capacity(order.changes.len());
        for change in &order.changes {
            answers.push(answer(change, writing.change(change)?));
        }
        writing.batch.close()?;
        Ok(answers)
    }
}

struct Writing<'a> {
    schema: &'a Schema,
    object: &'a ObjectSchema,
    order: &'a Order,
    /// The indexes of the order's fields; `None` for a field that the hub does not have.
    fields: Vec<Option<usize>>,
    batch: Batch<'a>,
}

impl Writing<'_> {
    fn change(&mut self, change: &OrderedChange) -> Result<Outcome, HubError> {
        let id = match &change.action {
            Action::Create => return self.create(change),
            Action::Update(id) | Action::Delete(id) => id,
        };
        let Some(number) = records::number(id) else { return Ok(Outcome::Deleted) };
        let Some(record) = records::load(self.batch.connection, self.object, number)? else {
            return self.gone(change, number);
        };
        match &change.action {
            Action::Delete(_) => self.delete(change, record),
            _ => self.update(change, record),
        }
    }

    /// The answer for a record that is not there any more.
    fn gone(&self, change: &OrderedChange, number: i64) -> Result<Outcome, HubError> {
        let gone = records::tombstone(self.batch.connection, self.object, number)?;
        Ok(match (&change.action, gone.and_then(|gone| gone.merged)) {
            (Action::Update(_), Some(winner)) => Outcome::Converted(Reference {
                object: self.object.name().to_owned(),
                id: winner.to_string(),
            }),
            _ => Outcome::Deleted,
        })
    }

    fn create(&mut self, change: &OrderedChange) -> Result<Outcome, HubError> {
        let (writes, mut refusals) = self.writes(change)?;
        refusals.extend(missing(self.object, &writes));
        if !refusals.is_empty() {
            return Ok(failed(&refusals));
        }
        let record = self.batch.create(self.object, writes, self.order.at)?;
        Ok(Outcome::Created(self.written(record)))
    }

    fn update(&mut self, change: &OrderedChange, mut record: Record) -> Result<Outcome, HubError> {
        if self.overtaken(change, &record, false) {
            return Ok(Outcome::Stale(as_row(record, &self.fields)));
        }
        let (writes, refusals) = self.writes(change)?;
        if !refusals.is_empty() {
            return Ok(failed(&refusals));
        }
        let updated = self.batch.update(self.object, &mut record, writes)?;
        let written = self.written(record);
        Ok(if updated { Outcome::Updated(written) } else { Outcome::Unchanged(written) })
    }

    fn delete(&mut self, change: &OrderedChange, record: Record) -> Result<Outcome, HubError> {
        if self.overtaken(change, &record, true) {
            return Ok(Outcome::Stale(as_row(record, &self.fields)));
        }
        self.batch.delete(self.object, &record, self.order.at)?;
        Ok(Outcome::Deleted)
    }

    /// Whether the record was edited since the decision: a written field, or for a deletion any field of the
    /// order, differs from its base value.
    fn overtaken(&self, change: &OrderedChange, record: &Record, whole: bool) -> bool {
        self.fields.iter().enumerate().any(|(n, index)| {
            let (Some(index), Some(base)) = (*index, change.base.get(n).and_then(Option::as_ref)) else {
                return false;
            };
            let new = change.values.get(n).and_then(Option::as_ref);
            let field = &self.object.definition.fields[index];
            let now = record.value(index);
            (whole || new.is_some())
                && !same(field, now, base)
                && !new.is_some_and(|new| !whole && same(field, now, new))
        })
    }

    /// The fields to write, and the refused ones.
    fn writes(&self, change: &OrderedChange) -> Result<(Vec<Write>, Vec<Refusal>), HubError> {
        let (mut writes, mut refusals) = (Vec::new(), Vec::new());
        let bound = FieldTime::by(self.order.at);
        for (n, name) in self.order.fields.iter().enumerate() {
            let Some(value) = change.values.get(n).and_then(Option::as_ref) else { continue };
            let Some(field) = self.fields[n] else {
                refusals.push(Refusal::new(
                    name,
                    "unsupported",
                    format!("{} has no field of this name", self.object.name()),
                ));
                continue;
            };
            let time = change.times.get(n).copied().flatten().unwrap_or(bound);
            match admit(self.batch.connection, self.schema, self.object, field, value.clone())? {
                Ok(value) => writes.push(Write { field, value, time }),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Ok((writes, refusals))
    }

    fn written(&self, record: Record) -> Written {
        let row = as_row(record, &self.fields);
        row.into()
    }
}

/// Converts a value to its stored form and checks its references.
pub(super) fn admit(
    connection: &Connection,
    schema: &Schema,
    object: &ObjectSchema,
    field: usize,
    value: Value,
) -> Result<Result<Value, Refusal>, HubError> {
    let definition = &object.definition.fields[field];
    let value = match check(definition, value) {
        Ok(value) => value,
        Err(refusal) => return Ok(Err(refusal)),
    };
    for link in value.references() {
        let there = match (schema.object(&link.object), records::number(&link.id)) {
            (Some(target), Some(number)) => records::exists(connection, target, number)?,
            _ => false,
        };
        if !there {
            let reason = format!("there is no {} {} to refer to", link.object, super::check::shown(&link.id));
            return Ok(Err(Refusal::new(&definition.name, "invalid-value", reason)));
        }
    }
    Ok(Ok(value))
}

/// The required fields that a new record would lack.
pub(super) fn missing(object: &ObjectSchema, writes: &[Write]) -> Vec<Refusal> {
    let lacks = |index: usize| !writes.iter().any(|write| write.field == index && !write.value.is_blank());
    let fields = object.definition.fields.iter().enumerate();
    fields
        .filter(|(index, field)| field.required && lacks(*index))
        .map(|(_, field)| {
            Refusal::new(&field.name, "required", format!("a new {} needs a value here", object.name()))
        })
        .collect()
}

fn failed(refusals: &[Refusal]) -> Outcome {
    let reasons: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
    let mut fields: Vec<String> = refusals.iter().map(|refusal| refusal.field.clone()).collect();
    fields.dedup();
    Outcome::Failed {
        code: refusals.first().map_or("failed", |first| first.code).to_owned(),
        reason: reasons.join("; "),
        fields,
    }
}
