//! `entente record show`: where each value of a record comes from, and what waits.

use super::changes::{fields, head};
use super::output::{Output, cell, second, table};
use super::paging::go_on;
use super::remedy;
use entente::view::{
    HistoryView, KnownRecordView, PairView, RecordDetail, RecordHistory, UnsettledView, by_whom, import_name,
};
use entente::{RecordName, Tenant};
use entente_core::Timestamp;
use entente_sqlite::Origin;

/// Shows a record of another system, as far as syncs know it.
pub(super) async fn show_known(tenant: &Tenant, record: &RecordName, output: Output) -> anyhow::Result<()> {
    output.show(&tenant.show_known_record(record).await?, known_table)
}

fn known_table(known: &KnownRecordView) -> String {
    let unsettled = of_fields(&known.unsettled, &known.pairs);
    let mut rows = match unsettled.is_empty() {
        true => table(["field", "last told"]),
        false => table(["field", "last told", "not settled"]),
    };
    for field in &known.fields {
        let mut row = vec![field.name.clone(), cell(&field.value.to_string(), 60)];
        if !unsettled.is_empty() {
            row.push(notes(&unsettled, &field.name));
        }
        rows.add_row(row);
    }
    let mut text = format!("{}\n{rows}", known.record);
    for pair in &known.pairs {
        text.push_str(&pair_text(pair));
        text.push_str(&remedy::lines(&pair.remedies));
    }
    text
}

/// Shows a record of the hub.
pub(super) async fn show(tenant: &Tenant, object: &str, id: &str, output: Output) -> anyhow::Result<()> {
    output.show(&tenant.show_record(object, id).await?, record_table)
}

fn record_table(detail: &RecordDetail) -> String {
    let RecordDetail { record: view, put_back, pairs, unsettled } = detail;
    let unsettled = of_fields(unsettled, pairs);
    let head = ["field", "value", "since", "from"];
    let mut rows = if unsettled.is_empty() {
        table(head)
    } else {
        table(["field", "value", "since", "from", "not settled"])
    };
    for field in &view.fields {
        let since = match field.time {
            Some(time) if time.certain => second(time.at),
            Some(time) => format!("at the latest {}", second(time.at)),
            None => String::new(),
        };
        let back = put_back.iter().find(|back| back.field == field.name);
        let back = back.map(|back| format!("put back by run {}, as before run {}", back.run, back.undoes));
        let from = match &field.origin {
            Some(Origin::Operator) => "set by hand".to_owned(),
            Some(Origin::Import { run: None, .. }) => "import".to_owned(),
            Some(Origin::Import { run: Some(run), file: None }) => format!("import, run {run}"),
            Some(Origin::Import { run: Some(run), file: Some(file) }) => {
                format!("{}, run {run}", import_name(file))
            }
            Some(Origin::Sync { name, run }) => format!("{name}, run {run}"),
            None => String::new(),
        };
        let from = back.unwrap_or(from);
        let mut row = vec![field.name.clone(), cell(&field.value.to_string(), 60), since, from];
        if !unsettled.is_empty() {
            row.push(notes(&unsettled, &field.name));
        }
        rows.add_row(row);
    }
    let mut text = format!("{}:{}\n{rows}", view.object, view.id);
    text.extend(pairs.iter().map(|pair| pair_text(pair) + &remedy::lines(&pair.remedies)));
    text
}

/// What is not settled of single fields; what holds for the whole record is told of its pair.
fn of_fields<'u>(unsettled: &'u [UnsettledView], pairs: &[PairView]) -> Vec<&'u UnsettledView> {
    let of_pair = |one: &UnsettledView| {
        let same = |pair: &&PairView| pair.sync == one.sync && pair.reason.as_ref() == Some(&one.reason);
        one.conflict.is_none() && one.other.is_none() && pairs.iter().any(|pair| same(&pair))
    };
    unsettled.iter().filter(|one| !of_pair(one)).collect()
}

/// What happened to a record, the newest first.
pub(super) fn history_text(history: &RecordHistory) -> String {
    let mut told: Vec<(Option<Timestamp>, String)> = Vec::new();
    for edit in &history.edits {
        let who = match &edit.origin {
            Origin::Import { run: None, .. } => "an import set".to_owned(),
            Origin::Import { .. } => format!("set {}:", by_whom(&edit.origin)),
            _ => "set by hand:".to_owned(),
        };
        let at = edit.at.map_or_else(|| "at a time that is not known".to_owned(), second);
        let value = cell(&edit.value.to_string(), 200);
        told.push((edit.at, format!("{at}  {who} {} = {value}", edit.field)));
    }
    for HistoryView { run, sync, at, change } in &history.changes.rows {
        let lines = [format!("{}  run {run} of {sync}: {}", second(*at), head(change))]
            .into_iter()
            .chain(fields(change));
        told.push((Some(*at), lines.collect::<Vec<_>>().join("\n")));
    }
    if let Some(deleted) = &history.deleted {
        let by = match &deleted.origin {
            Origin::Operator => "deleted by hand".to_owned(),
            // Imports delete nothing, but their undo does.
            Origin::Import { .. } => "deleted by the undo of an import".to_owned(),
            Origin::Sync { name, .. } => format!("deleted by {name}"),
        };
        told.push((Some(deleted.at), format!("{}  {by}", second(deleted.at))));
    }
    if told.is_empty() {
        return format!("no sync has written to {}", history.record);
    }
    told.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let lines: Vec<String> = told.into_iter().map(|(_, text)| text).collect();
    format!("{}{}", lines.join("\n"), go_on(&history.changes))
}

/// What is not settled of a field.
fn notes(unsettled: &[&UnsettledView], field: &str) -> String {
    let of_field = unsettled.iter().filter(|one| one.field == field);
    let notes: Vec<String> = of_field.map(|one| unsettled_text(one)).collect();
    notes.join("; ")
}

fn pair_text(pair: &PairView) -> String {
    let counterpart =
        pair.counterpart.as_ref().map_or_else(|| "no counterpart".to_owned(), RecordName::short);
    let reason = pair.reason.as_ref().map(|why| format!(": {}", why.reason)).unwrap_or_default();
    let retried = pair.due.map(|at| format!("; tried again after {at}")).unwrap_or_default();
    format!("\n{}: {counterpart}, {}{reason}{retried}", pair.sync, pair.status)
}

fn unsettled_text(field: &UnsettledView) -> String {
    let state = match field.conflict {
        Some(number) if field.state == "decided" => format!("conflict {number}, decided,"),
        Some(number) => format!("conflict {number}"),
        None => field.state.to_owned(),
    };
    let other =
        field.other.as_ref().map(|value| format!(" ({})", cell(&value.to_string(), 40))).unwrap_or_default();
    format!("{state} with {}{other}: {}", field.sync, cell(&field.reason.reason, 120))
}
