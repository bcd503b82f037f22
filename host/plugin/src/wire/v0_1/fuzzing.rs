//! Fuzz input: results of plugins generated from bytes, as the generated bindings would hold them.

use super::bindings::entente::integration::types as wit;
use super::bindings::exports::entente::integration::{mapping_manual, order_execution, sync_report};
use super::convert::{self, Lift};
use crate::limits::Limits;
use crate::wire::Refused;
use arbitrary::{Result, Unstructured};
use entente_sync::{Answer, Collection, Description, Order, Page, ProposedMapping, Query, ReportRequest};

/// A result, lifted or refused with this message.
pub type Lifted<T> = std::result::Result<T, String>;

fn told<T>(lifted: std::result::Result<T, Refused>) -> Lifted<T> {
    lifted.map_err(|refused| match refused {
        Refused::Limit(limit) => limit.to_string(),
        Refused::Invalid(reason) => reason,
    })
}

/// A page generated from bytes, and the rows and deletions that it had.
/// # Errors
/// Where there are too few bytes.
pub fn page(
    u: &mut Unstructured<'_>,
    limits: &Limits,
    request: &ReportRequest,
) -> Result<(usize, Lifted<Page>)> {
    let made = made_page(u)?;
    let said = made.batches.iter().map(|batch| batch.rows.len() + batch.deleted.len()).sum();
    Ok((said, told(convert::page(&mut Lift::new(limits, "fuzz"), made, request))))
}

/// Outcomes of an order generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn answers(u: &mut Unstructured<'_>, limits: &Limits, order: &Order) -> Result<Lifted<Vec<Answer>>> {
    let made = list(u, |u| answer(u, order))?;
    Ok(told(convert::answers(&mut Lift::new(limits, "fuzz"), made, &order.fields, Some(order))))
}

/// Outcomes of a ticket generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn collection(u: &mut Unstructured<'_>, limits: &Limits, order: &Order) -> Result<Lifted<Collection>> {
    let state = match u.int_in_range(0..=2)? {
        0 => order_execution::TicketState::Done,
        1 => order_execution::TicketState::Pending(u.arbitrary()?),
        _ => order_execution::TicketState::Lost,
    };
    let made = order_execution::Collection { answers: list(u, |u| answer(u, order))?, state, extra: vec![] };
    Ok(told(convert::collection(&mut Lift::new(limits, "fuzz"), made, &order.fields)))
}

/// Look-up results generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn found(u: &mut Unstructured<'_>, limits: &Limits, query: &Query) -> Result<Lifted<Vec<Vec<String>>>> {
    let made = list(u, |u| list(u, text))?;
    Ok(told(convert::found(&mut Lift::new(limits, "fuzz"), made, query)))
}

/// A description generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn description(u: &mut Unstructured<'_>, limits: &Limits) -> Result<Lifted<Description>> {
    let made = mapping_manual::Description { objects: list(u, object)?, extra: vec![] };
    Ok(told(convert::description(&mut Lift::new(limits, "fuzz"), made)))
}

/// A proposed mapping generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn manual(u: &mut Unstructured<'_>, limits: &Limits) -> Result<Lifted<Vec<ProposedMapping>>> {
    let made = list(u, |u| {
        Ok(mapping_manual::ObjectMapping {
            hub: name(u)?,
            remote: name(u)?,
            fields: list(u, |u| {
                Ok(mapping_manual::FieldMapping {
                    hub: name(u)?,
                    remote: name(u)?,
                    direction: mapping_manual::Direction::Both,
                    required: u.arbitrary()?,
                    extra: vec![],
                })
            })?,
            identifiers: list(u, name)?,
            identify_by_all: u.arbitrary()?,
            extra: vec![],
        })
    })?;
    Ok(told(convert::manual(&mut Lift::new(limits, "fuzz"), made)))
}

/// A list that is usually short, and sometimes long enough to exceed small limits.
fn list<'a, T>(
    u: &mut Unstructured<'a>,
    mut one: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = u.int_in_range(0..=9)?;
    (0..count).map(|_| one(u)).collect()
}

/// Any text; long ones repeat a piece, so that they cost few bytes.
fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let piece: &str = u.arbitrary()?;
    let times = if u.ratio(1, 16)? { u.int_in_range(1..=300)? } else { 1 };
    Ok(piece.repeat(times))
}

/// A name, usually one of a few valid ones.
fn name(u: &mut Unstructured<'_>) -> Result<String> {
    if u.ratio(1, 8)? { text(u) } else { Ok((*u.choose(&["thing", "name", "score", "other"])?).to_owned()) }
}

fn reference(u: &mut Unstructured<'_>) -> Result<wit::Reference> {
    Ok(wit::Reference { object: name(u)?, id: text(u)? })
}

fn value(u: &mut Unstructured<'_>) -> Result<wit::Value> {
    Ok(match u.int_in_range(0..=11)? {
        0 => wit::Value::Unset,
        1 => wit::Value::Null,
        2 => wit::Value::Boolean(u.arbitrary()?),
        3 => wit::Value::Integer(u.arbitrary()?),
        4 => wit::Value::Float(u.arbitrary()?),
        5 => wit::Value::Text(text(u)?),
        6 => wit::Value::Date(wit::Date { year: u.arbitrary()?, month: u.arbitrary()?, day: u.arbitrary()? }),
        7 => wit::Value::Timestamp(u.arbitrary()?),
        8 => wit::Value::Texts(list(u, text)?),
        9 => wit::Value::Reference(reference(u)?),
        10 => wit::Value::References(list(u, reference)?),
        _ => wit::Value::Other(wit::OtherValue { kind: name(u)?, text: text(u)? }),
    })
}

/// Values, usually one for each field.
fn values(u: &mut Unstructured<'_>, fields: usize) -> Result<Vec<wit::Value>> {
    if u.ratio(1, 16)? { list(u, value) } else { (0..fields).map(|_| value(u)).collect() }
}

fn row(u: &mut Unstructured<'_>, fields: usize) -> Result<wit::Row> {
    Ok(wit::Row {
        id: text(u)?,
        changed: u.arbitrary()?,
        version: if u.arbitrary()? { Some(text(u)?) } else { None },
        values: values(u, fields)?,
        field_changed: match u.int_in_range(0..=3)? {
            0 => list(u, |u| u.arbitrary())?,
            1 => (0..fields).map(|_| u.arbitrary()).collect::<Result<_>>()?,
            _ => vec![],
        },
        extra: vec![],
    })
}

fn made_page(u: &mut Unstructured<'_>) -> Result<sync_report::Page> {
    let batches = list(u, |u| {
        let fields = list(u, name)?;
        Ok(wit::Batch {
            object: name(u)?,
            rows: list(u, |u| row(u, fields.len()))?,
            fields,
            deleted: list(u, |u| Ok(wit::Deletion { id: text(u)?, deleted: u.arbitrary()?, extra: vec![] }))?,
            extra: vec![],
        })
    })?;
    Ok(sync_report::Page {
        batches,
        conversions: list(u, |u| Ok(wit::Conversion { before: reference(u)?, after: reference(u)? }))?,
        next: if u.arbitrary()? { Some(text(u)?) } else { None },
        bookmark: if u.arbitrary()? { Some(text(u)?) } else { None },
        complete: list(u, name)?,
        extra: list(u, |u| Ok(("remaining".to_owned(), text(u)?)))?,
    })
}

fn written(u: &mut Unstructured<'_>, fields: usize) -> Result<order_execution::Written> {
    Ok(order_execution::Written {
        id: text(u)?,
        changed: u.arbitrary()?,
        version: if u.arbitrary()? { Some(text(u)?) } else { None },
        values: values(u, fields)?,
        extra: vec![],
    })
}

fn answer(u: &mut Unstructured<'_>, order: &Order) -> Result<order_execution::Answer> {
    use order_execution::Outcome;
    let fields = order.fields.len();
    let change = match order.changes.is_empty() || u.ratio(1, 8)? {
        true => text(u)?,
        false => u.choose(&order.changes)?.id.clone(),
    };
    let outcome = match u.int_in_range(0..=9)? {
        0 => Outcome::Created(written(u, fields)?),
        1 => Outcome::Updated(written(u, fields)?),
        2 => Outcome::Unchanged(written(u, fields)?),
        3 => Outcome::Deleted,
        4 => Outcome::Converted(reference(u)?),
        5 => Outcome::Stale(row(u, fields)?),
        6 => Outcome::Retry(order_execution::Retry { after: u.arbitrary()?, reason: text(u)? }),
        7 => Outcome::Failed(order_execution::Failure {
            code: text(u)?,
            reason: text(u)?,
            fields: list(u, name)?,
            extra: vec![],
        }),
        8 => Outcome::Deferred(text(u)?),
        _ => Outcome::Other(order_execution::OtherOutcome { code: text(u)?, text: text(u)? }),
    };
    Ok(order_execution::Answer { change, outcome })
}

fn object(u: &mut Unstructured<'_>) -> Result<mapping_manual::Object> {
    Ok(mapping_manual::Object {
        name: if u.arbitrary()? { text(u)? } else { name(u)? },
        label: text(u)?,
        fields: list(u, |u| {
            Ok(mapping_manual::Field {
                name: if u.arbitrary()? { text(u)? } else { name(u)? },
                label: text(u)?,
                kind: text(u)?,
                required: u.arbitrary()?,
                writable: u.arbitrary()?,
                set_like: u.arbitrary()?,
                identifier: u.arbitrary()?,
                targets: list(u, name)?,
                choices: list(u, |u| Ok(mapping_manual::Choice { value: text(u)?, label: text(u)? }))?,
                max_length: u.arbitrary()?,
                extra: vec![],
            })
        })?,
        change_times: (*u.choose(&["field", "record", "none", "?"])?).to_owned(),
        precision: u.arbitrary()?,
        features: list(u, name)?,
        search_lag: u.arbitrary()?,
        page_size: u.arbitrary()?,
        order_size: u.arbitrary()?,
        extra: vec![],
    })
}
