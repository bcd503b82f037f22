//! Conversion between the types of this crate and the generated ones. The lists called `extra` are reserved
//! for later versions: left empty on the way out, ignored on the way in.

use std::time::Duration;

use crate::bindings::integration::entente::integration::data as wire;
use crate::bindings::integration::exports::entente::integration::{
    mapping_manual, order_execution, sync_report,
};
use crate::bindings::lookup::exports::entente::integration::lookup;
use crate::bindings::webhook::exports::entente::integration::webhook_draft as webhook;
use crate::error::whole_seconds;
use crate::{
    Account, Action, Answer, Batch, Change, ChangeTimes, Choice, Code, Collection, Conversion, Date,
    Deletion, Description, Direction, Error, Execution, Field, FieldMapping, Finished, Mapping, Object,
    Order, Outcome, Page, Query, Reaction, Reference, RefusedField, ReportRequest, Row, TicketState,
    Timestamp, UnreadableRow, Value, Wanted, WebhookRequest, WebhookResponse, Window,
};

fn all<A, B: From<A>>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(B::from).collect()
}

fn micros(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::micros)
}

impl From<wire::Reference> for Reference {
    fn from(reference: wire::Reference) -> Self {
        Self { object: reference.object, id: reference.id }
    }
}

impl From<Reference> for wire::Reference {
    fn from(reference: Reference) -> Self {
        Self { object: reference.object, id: reference.id }
    }
}

impl From<wire::Value> for Value {
    fn from(value: wire::Value) -> Self {
        match value {
            wire::Value::Unset => Self::Unset,
            wire::Value::Null => Self::Null,
            wire::Value::Boolean(yes) => Self::Boolean(yes),
            wire::Value::Integer(number) => Self::Integer(number),
            wire::Value::Float(number) => Self::Float(number),
            wire::Value::Text(text) => Self::Text(text),
            // The host sends no day that is not in the calendar; should it, the field is left alone rather
            // than cleared.
            wire::Value::Date(day) => Date::new(day.year, day.month, day.day).map_or(Self::Unset, Self::Date),
            wire::Value::Timestamp(micros) => Self::Timestamp(Timestamp::from_micros(micros)),
            wire::Value::Texts(texts) => Self::Texts(texts),
            wire::Value::Reference(reference) => Self::Reference(reference.into()),
            wire::Value::References(references) => Self::References(all(references)),
            wire::Value::Other(other) => Self::Other { kind: other.kind, text: other.text },
            wire::Value::Unreadable(text) => Self::Unreadable(text),
        }
    }
}

impl From<Value> for wire::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Unset => Self::Unset,
            Value::Null => Self::Null,
            Value::Boolean(yes) => Self::Boolean(yes),
            Value::Integer(number) => Self::Integer(number),
            Value::Float(number) => Self::Float(number),
            Value::Text(text) => Self::Text(text),
            Value::Date(day) => {
                Self::Date(wire::Date { year: day.year(), month: day.month(), day: day.day() })
            }
            Value::Timestamp(moment) => Self::Timestamp(moment.micros()),
            Value::Texts(texts) => Self::Texts(texts),
            Value::Reference(reference) => Self::Reference(reference.into()),
            Value::References(references) => Self::References(all(references)),
            Value::Other { kind, text } => Self::Other(wire::OtherValue { kind, text }),
            Value::Unreadable(text) => Self::Unreadable(text),
        }
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        let after = error.after.map(|seconds| Duration::from_secs(seconds.into()));
        Self::new(Code::from(error.code.as_str()), error.reason).after(after)
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        Self {
            code: error.code().as_str().to_owned(),
            after: error.wait(),
            object: error.about().map(str::to_owned),
            reason: error.reason().to_owned(),
            extra: vec![],
        }
    }
}

impl From<Row> for wire::Row {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            changed: micros(row.changed),
            version: row.version,
            values: all(row.values),
            field_changed: row.times.into_iter().map(micros).collect(),
            extra: vec![],
        }
    }
}

impl From<Deletion> for wire::Deletion {
    fn from(deletion: Deletion) -> Self {
        Self { id: deletion.id, deleted: micros(deletion.at), extra: vec![] }
    }
}

impl From<Conversion> for wire::Conversion {
    fn from(conversion: Conversion) -> Self {
        Self {
            before: conversion.before.into(),
            after: conversion.after.into(),
            at: micros(conversion.at),
            extra: vec![],
        }
    }
}

impl From<UnreadableRow> for wire::UnreadableRow {
    fn from(row: UnreadableRow) -> Self {
        Self { id: row.id, reason: row.reason, extra: vec![] }
    }
}

impl From<Batch> for wire::Batch {
    fn from(batch: Batch) -> Self {
        Self {
            object: batch.object,
            fields: batch.fields,
            rows: all(batch.rows),
            deleted: all(batch.deleted),
            unreadable: all(batch.unreadable),
            extra: vec![],
        }
    }
}

impl From<Choice> for mapping_manual::Choice {
    fn from(choice: Choice) -> Self {
        let features = if choice.reported_only { vec!["reported-only".to_owned()] } else { vec![] };
        Self { value: choice.value, label: choice.label, features, extra: vec![] }
    }
}

impl From<Field> for mapping_manual::Field {
    fn from(field: Field) -> Self {
        Self {
            name: field.name,
            label: field.label,
            kind: field.kind,
            features: field.features,
            targets: field.targets,
            choices: all(field.choices),
            max_length: field.max_length,
            extra: vec![],
        }
    }
}

impl From<Object> for mapping_manual::Object {
    fn from(object: Object) -> Self {
        let change_times = match object.change_times {
            ChangeTimes::Field => "field",
            ChangeTimes::Record => "record",
            ChangeTimes::None => "none",
        };
        Self {
            name: object.name,
            label: object.label,
            fields: all(object.fields),
            change_times: change_times.to_owned(),
            precision: object.precision.map(|step| u64::try_from(step.as_micros()).unwrap_or(u64::MAX)),
            features: object.features,
            search_lag: object.search_lag.map(whole_seconds),
            page_size: object.page_size,
            order_size: object.order_size,
            extra: vec![],
        }
    }
}

impl From<Description> for mapping_manual::Description {
    fn from(description: Description) -> Self {
        Self {
            objects: all(description.objects),
            account: description.account.map(Into::into),
            extra: vec![],
        }
    }
}

impl From<Account> for mapping_manual::Account {
    fn from(account: Account) -> Self {
        Self { system: account.system, id: account.id, label: account.label, extra: vec![] }
    }
}

impl From<Vec<Mapping>> for mapping_manual::Proposal {
    fn from(mappings: Vec<Mapping>) -> Self {
        Self { mappings: all(mappings), extra: vec![] }
    }
}

impl From<FieldMapping> for mapping_manual::FieldMapping {
    fn from(field: FieldMapping) -> Self {
        let direction = match field.direction {
            Direction::ToHub => mapping_manual::Direction::ToHub,
            Direction::ToIntegration => mapping_manual::Direction::ToIntegration,
            Direction::Both => mapping_manual::Direction::Both,
        };
        Self { hub: field.hub, remote: field.remote, direction, required: field.required, extra: vec![] }
    }
}

impl From<Mapping> for mapping_manual::ObjectMapping {
    fn from(mapping: Mapping) -> Self {
        Self {
            hub: mapping.hub,
            remote: mapping.remote,
            fields: all(mapping.fields),
            identifiers: mapping.identifiers,
            identify_by_all: mapping.identify_by_all,
            extra: vec![],
        }
    }
}

impl From<sync_report::Wanted> for Wanted {
    fn from(wanted: sync_report::Wanted) -> Self {
        Self {
            object: wanted.object,
            fields: wanted.fields,
            ids: wanted.ids,
            window: Window {
                since: wanted.window.since.map(Timestamp::from_micros),
                until: Timestamp::from_micros(wanted.window.until),
            },
            bookmark: wanted.bookmark,
            full: wanted.full,
        }
    }
}

impl From<sync_report::Request> for ReportRequest {
    fn from(request: sync_report::Request) -> Self {
        let objects: Vec<Wanted> = all(request.objects);
        let first_time = request.first_time;
        let whole = |wanted: Wanted| Wanted { full: wanted.full || first_time, ..wanted };
        Self {
            cursor: request.cursor,
            iteration: request.iteration,
            objects: objects.into_iter().map(whole).collect(),
            first_time,
            limit: request.limit,
            options: request.options,
        }
    }
}

impl From<Page> for sync_report::Page {
    fn from(page: Page) -> Self {
        Self {
            batches: all(page.batches),
            conversions: all(page.conversions),
            next: page.next,
            after: page.after.map(whole_seconds),
            finished: all(page.finished),
            extra: page
                .remaining
                .map(|rows| ("remaining".to_owned(), rows.to_string()))
                .into_iter()
                .collect(),
        }
    }
}

impl From<Finished> for sync_report::Finished {
    fn from(finished: Finished) -> Self {
        Self {
            object: finished.object,
            bookmark: finished.bookmark,
            complete: finished.complete,
            extra: vec![],
        }
    }
}

impl From<order_execution::Change> for Change {
    fn from(change: order_execution::Change) -> Self {
        let action = match change.action {
            order_execution::Action::Create => Action::Create,
            order_execution::Action::Update(id) => Action::Update(id),
            order_execution::Action::Delete(id) => Action::Delete(id),
        };
        Self {
            id: change.id,
            action,
            values: all(change.values),
            base: all(change.base),
            version: change.version,
            source: change.source.map(Reference::from),
        }
    }
}

impl From<order_execution::Order> for Order {
    fn from(order: order_execution::Order) -> Self {
        Self {
            object: order.object,
            fields: order.fields,
            changes: all(order.changes),
            first_time: order.first_time,
            options: order.options,
        }
    }
}

impl From<RefusedField> for order_execution::RefusedField {
    fn from(refused: RefusedField) -> Self {
        Self { field: refused.field, code: refused.code, reason: refused.reason, extra: vec![] }
    }
}

impl From<Outcome> for order_execution::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Created(written) => Self::Created(written.into()),
            Outcome::Updated(written) => Self::Updated(written.into()),
            Outcome::Unchanged(written) => Self::Unchanged(written.into()),
            Outcome::Partial { row, refused } => Self::Partial(order_execution::Partial {
                row: row.into(),
                refused: all(refused),
                extra: vec![],
            }),
            Outcome::Deleted => Self::Deleted,
            Outcome::Converted(reference) => Self::Converted(reference.into()),
            Outcome::Stale(row) => Self::Stale(row.into()),
            Outcome::Retry { after, reason } => {
                Self::Retry(order_execution::Retry { after, reason, extra: vec![] })
            }
            Outcome::Failed { code, reason, fields } => {
                Self::Failed(order_execution::Failure { code, reason, fields, extra: vec![] })
            }
            Outcome::Deferred(ticket) => Self::Deferred(ticket),
            Outcome::Other { code, text } => {
                Self::Other(order_execution::OtherOutcome { code, text, extra: vec![] })
            }
        }
    }
}

impl From<Answer> for order_execution::Answer {
    fn from(answer: Answer) -> Self {
        Self { change: answer.change, outcome: answer.outcome.into(), extra: vec![] }
    }
}

impl From<Execution> for order_execution::Execution {
    fn from(execution: Execution) -> Self {
        Self { answers: all(execution.answers), stopped: execution.stopped.map(Into::into), extra: vec![] }
    }
}

impl From<Collection> for order_execution::Collection {
    fn from(collection: Collection) -> Self {
        let state = match collection.state {
            TicketState::Done => order_execution::TicketState::Done,
            TicketState::Pending(after) => order_execution::TicketState::Pending(after),
            TicketState::Lost => order_execution::TicketState::Lost,
        };
        Self { answers: all(collection.answers), state, extra: vec![] }
    }
}

impl From<lookup::Query> for Query {
    fn from(query: lookup::Query) -> Self {
        Self {
            object: query.object,
            fields: query.fields,
            keys: query.keys.into_iter().map(all).collect(),
            all: query.all,
        }
    }
}

impl From<webhook::Request> for WebhookRequest {
    fn from(request: webhook::Request) -> Self {
        Self {
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
            body: request.body,
            verified: request.verified,
        }
    }
}

impl From<WebhookResponse> for webhook::Response {
    fn from(response: WebhookResponse) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body }
    }
}

impl From<Reaction> for webhook::Reaction {
    fn from(reaction: Reaction) -> Self {
        Self {
            response: reaction.response.map(Into::into),
            sync: all(reaction.sync),
            batches: all(reaction.batches),
            collect: reaction.collect,
            extra: vec![],
        }
    }
}
