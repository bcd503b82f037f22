//! Fuzz input: results of plugins generated from bytes, as the generated bindings would hold them.

use super::bindings::entente::integration::data as wit;
use super::bindings::exports::entente::integration::{lookup, mapping_manual, order_execution, sync_report};
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
    let said = made
        .batches
        .iter()
        .map(|batch| batch.rows.len() + batch.deleted.len() + batch.unreadable.len())
        .sum();
    Ok((said, told(convert::page(&mut Lift::new(limits, "fuzz"), made, request))))
}

/// Outcomes of an order generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn answers(u: &mut Unstructured<'_>, limits: &Limits, order: &Order) -> Result<Lifted<Vec<Answer>>> {
    let answers = list(u, |u| answer(u, order))?;
    let made = order_execution::Execution { answers, stopped: None, extra: vec![] };
    let lifted = convert::execution(&mut Lift::new(limits, "fuzz"), made, order);
    Ok(told(lifted.map(|execution| execution.answers)))
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
    Ok(told(convert::collection(&mut Lift::new(limits, "fuzz"), made, order)))
}

/// Look-up results generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn found(u: &mut Unstructured<'_>, limits: &Limits, query: &Query) -> Result<Lifted<Vec<Vec<String>>>> {
    let made = lookup::Found { ids: list(u, |u| list(u, text))?, extra: vec![] };
    Ok(told(convert::found(&mut Lift::new(limits, "fuzz"), made, query)))
}

/// A description generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn description(u: &mut Unstructured<'_>, limits: &Limits) -> Result<Lifted<Description>> {
    let named = |u: &mut Unstructured<'_>| {
        Ok(mapping_manual::Account { system: name(u)?, id: text(u)?, label: text(u)?, extra: vec![] })
    };
    let account = if u.arbitrary()? { Some(named(u)?) } else { None };
    let made = mapping_manual::Description { objects: list(u, object)?, account, extra: vec![] };
    Ok(told(convert::description(&mut Lift::new(limits, "fuzz"), made)))
}

/// A proposed mapping generated from bytes.
///
/// # Errors
/// Where there are too few bytes.
pub fn manual(u: &mut Unstructured<'_>, limits: &Limits) -> Result<Lifted<Vec<ProposedMapping>>> {
    let mappings = list(u, |u| {
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
    let made = mapping_manual::Proposal { mappings, extra: vec![] };
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
    Ok(match u.int_in_range(0..=12)? {
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
        11 => wit::Value::Unreadable(text(u)?),
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
            unreadable: list(u, |u| {
                let id = if u.arbitrary()? { Some(text(u)?) } else { None };
                Ok(wit::UnreadableRow { id, reason: text(u)?, extra: vec![] })
            })?,
            extra: vec![],
        })
    })?;
    Ok(sync_report::Page {
        batches,
        conversions: list(u, |u| {
            let (before, after) = (reference(u)?, reference(u)?);
            Ok(wit::Conversion { before, after, at: u.arbitrary()?, extra: vec![] })
        })?,
        next: if u.arbitrary()? { Some(text(u)?) } else { None },
        after: u.arbitrary()?,
        finished: list(u, |u| {
            let bookmark = if u.arbitrary()? { Some(text(u)?) } else { None };
            Ok(sync_report::Finished { object: name(u)?, bookmark, complete: u.arbitrary()?, extra: vec![] })
        })?,
        extra: list(u, |u| Ok(("remaining".to_owned(), text(u)?)))?,
    })
}

fn answer(u: &mut Unstructured<'_>, order: &Order) -> Result<order_execution::Answer> {
    use order_execution::Outcome;
    let fields = order.fields.len();
    let change = match order.changes.is_empty() || u.ratio(1, 8)? {
        true => text(u)?,
        false => u.choose(&order.changes)?.id.clone(),
    };
    let outcome = match u.int_in_range(0..=10)? {
        0 => Outcome::Created(row(u, fields)?),
        1 => Outcome::Updated(row(u, fields)?),
        2 => Outcome::Unchanged(row(u, fields)?),
        3 => Outcome::Deleted,
        4 => Outcome::Converted(reference(u)?),
        5 => Outcome::Stale(row(u, fields)?),
        6 => {
            Outcome::Retry(order_execution::Retry { after: u.arbitrary()?, reason: text(u)?, extra: vec![] })
        }
        7 => Outcome::Failed(order_execution::Failure {
            code: text(u)?,
            reason: text(u)?,
            fields: list(u, name)?,
            extra: vec![],
        }),
        8 => Outcome::Deferred(text(u)?),
        9 => Outcome::Partial(order_execution::Partial {
            row: row(u, fields)?,
            refused: list(u, |u| {
                let (field, code, reason) = (name(u)?, text(u)?, text(u)?);
                Ok(order_execution::RefusedField { field, code, reason, extra: vec![] })
            })?,
            extra: vec![],
        }),
        _ => Outcome::Other(order_execution::OtherOutcome { code: text(u)?, text: text(u)?, extra: vec![] }),
    };
    Ok(order_execution::Answer { change, outcome, extra: vec![] })
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
                features: list(u, |u| {
                    Ok((*u.choose(&[
                        "required",
                        "read-only",
                        "set-like",
                        "identifier",
                        "write-only",
                        "?",
                    ])?)
                    .to_owned())
                })?,
                targets: list(u, name)?,
                choices: list(u, |u| {
                    Ok(mapping_manual::Choice {
                        value: text(u)?,
                        label: text(u)?,
                        features: list(u, name)?,
                        extra: vec![],
                    })
                })?,
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
