//! Changes of a plan or of a run as a table.

use super::output::{cell, table};
use super::paging::more;
use entente::RecordName;
use entente::view::{ChangeView, ChangedFieldView, Page};
use entente_core::Value;
use entente_sync::ChangeStatus;
use std::collections::BTreeMap;

/// What is written to a field.
fn value(field: &ChangedFieldView) -> String {
    let value = cell(&field.after.to_string(), 40);
    match field.not_linked.as_slice() {
        [] => value,
        [one] if matches!(field.after, Value::Reference(_)) => format!("{one} (not linked yet)"),
        some => format!("{value} (not linked yet: {})", some.join(", ")),
    }
}

/// Which record, as it is called where it is written.
fn name(change: &ChangeView) -> String {
    change.record.as_ref().map(RecordName::short).unwrap_or_else(|| {
        let source = change.source.as_ref().map_or_else(|| "?".to_owned(), RecordName::short);
        format!("new {} from {source}", change.object)
    })
}

/// Why a change was left out: where its fields have reasons of their own, each of them.
fn why_left(change: &ChangeView) -> String {
    let code = change.reason.as_ref().map(|reason| reason.code);
    let own = change.reason.as_ref().map_or("overtaken by a newer decision", |own| own.reason.as_str());
    if change.fields.iter().all(|field| field.reason == change.fields[0].reason)
        || !change.fields.iter().any(|field| Some(field.reason.code) == code)
    {
        return own.to_owned();
    }
    let whys = change.fields.iter().map(|field| format!("{}: {}", field.field, field.reason.reason));
    whys.collect::<Vec<_>>().join("; ")
}

/// Why a change stands as it does, where it is not simply planned or done.
fn standing(change: &ChangeView, plain: &str) -> String {
    let plain_ones = [ChangeStatus::Done, ChangeStatus::Planned, ChangeStatus::Rehearsed];
    if plain_ones.iter().any(|status| change.status == status.word()) {
        return plain.to_owned();
    }
    let why = change.reason.as_ref().map_or(plain, |reason| reason.reason.as_str());
    format!("{}: {why}", change.status)
}

/// A page of changes as a table: a record at a time, with a hint where there are more.
pub(super) fn changes_table(page: &Page<ChangeView>) -> String {
    let mut rows = table(["write to", "record", "field", "before", "after", "why"]);
    // All that is written to one record stands together.
    let mut places: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut sorted: Vec<(usize, &ChangeView)> = Vec::with_capacity(page.rows.len());
    for change in &page.rows {
        let next = places.len();
        let place = *places.entry((&change.exchange, name(change))).or_insert(next);
        sorted.push((place, change));
    }
    sorted.sort_by_key(|(place, _)| *place);
    let mut last = usize::MAX;
    for (place, change) in sorted {
        let mut first = place != last;
        last = place;
        let lead = |first: &mut bool| {
            let lead = if *first { [change.exchange.clone(), name(change)] } else { Default::default() };
            *first = false;
            lead
        };
        if change.action != "update" || change.fields.is_empty() {
            // Everything of a new record is new: its first values tell which one it is.
            let (fields, plain) = match change.action {
                "create" => (format!("{} fields", change.fields.len()), "new record"),
                "delete" => ("the record".to_owned(), "deleted"),
                _ => (String::new(), ""),
            };
            let values: Vec<String> = change.fields.iter().take(3).map(value).collect();
            let after =
                if change.action == "delete" { "(deleted)".to_owned() } else { cell(&values.join(", "), 60) };
            let why = standing(change, plain);
            let [exchange, record] = lead(&mut first);
            rows.add_row(vec![exchange, record, fields, String::new(), after, cell(&why, 80)]);
            continue;
        }
        for field in &change.fields {
            let why = standing(change, &field.reason.reason);
            let before = field.before.as_ref().map(|value| cell(&value.to_string(), 40)).unwrap_or_default();
            let [exchange, record] = lead(&mut first);
            rows.add_row(vec![exchange, record, field.field.clone(), before, value(field), cell(&why, 80)]);
        }
    }
    format!("{rows}{}", more(page, "changes"))
}

/// What was left out, and why.
pub(super) fn left_out_table(page: &Page<ChangeView>) -> String {
    let mut rows = table(["left out in", "record", "what", "why"]);
    for change in &page.rows {
        let fields: Vec<String> =
            change.fields.iter().map(|field| format!("{} = {}", field.field, value(field))).collect();
        let what = if fields.is_empty() {
            change.action.to_owned()
        } else {
            format!("{} {}", change.action, fields.join(", "))
        };
        let reason = why_left(change);
        rows.add_row(vec![change.exchange.clone(), name(change), cell(&what, 80), cell(&reason, 160)]);
    }
    format!("{rows}{}", more(page, "that were left out"))
}
