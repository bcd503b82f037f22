//! What waits for the operator, for people.

use super::output::{Output, cell};
use super::remedy;
use entente::RecordName;
use entente::view::{DifferingField, DifferingView, WaitingItem, WaitingView};
use entente_core::{Foreign, Value};
use entente_sync::Remedy;

/// How many of each kind are shown to people.
const SHOWN: usize = 15;

/// How many of each kind are in the data; the numbers count all.
const LISTED: usize = 1000;

/// How many of each kind are read.
pub(super) fn most(output: Output) -> usize {
    if output.json { LISTED } else { SHOWN }
}

/// A line for each of the first, and what to do about them.
pub(super) fn waiting_text(waiting: &WaitingView, sync: &str) -> String {
    let mut text = waiting_lines(waiting);
    if waiting.conflicts > 0 {
        text.push_str(&remedy::lines(&[Remedy::ListConflicts { sync: Some(sync.to_owned()) }]));
    }
    if waiting.failed > 0 {
        text.push_str(&remedy::lines(&[Remedy::ListFailed { sync: sync.to_owned() }]));
    }
    text
}

/// A line for each of the first.
pub(super) fn waiting_lines(waiting: &WaitingView) -> String {
    let mut text = format!(
        "{} need a look ({} held, {} failed, {} in conflict):",
        waiting.total, waiting.held, waiting.failed, waiting.conflicts
    );
    let mut told: Vec<&Remedy> = Vec::new();
    for item in waiting.list.iter().take(SHOWN) {
        text.push_str(&format!("\n  {}", line(item)));
        // The commands that clear it, each once; those for conflicts and failures are the same for all, and follow.
        let new: Vec<&Remedy> = item.remedies.iter().filter(|remedy| !told.contains(remedy)).collect();
        if item.status == "held" {
            text.push_str(&remedy::lines(new.iter().copied()).replace('\n', "\n      "));
            told.extend(new);
        }
    }
    if waiting.total > waiting.list.len().min(SHOWN) as u64 {
        text.push_str("\n  and more: --json lists them");
    }
    text
}

fn line(item: &WaitingItem) -> String {
    let field = item.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
    let why = item.reason.as_ref().map_or("", |why| why.reason.as_str());
    let why = match &item.values {
        Some(values) => {
            let [left, right] = values.as_ref().map(shown).into_array();
            format!("{left} or {right}: {why}")
        }
        None => why.to_owned(),
    };
    format!("{}{}{field}: {}", records(&item.records), named(&item.title), cell(&why, 200))
}

/// What people call a record, after its name.
fn named(title: &Option<String>) -> String {
    title.as_ref().map(|title| format!(" {}", Foreign::new(title).quoted())).unwrap_or_default()
}

/// A line for each of the first fields that differ on purpose.
pub(super) fn differing_lines(differing: &DifferingView) -> String {
    if differing.list.is_empty() {
        return "no field differs on purpose".to_owned();
    }
    let mut text = "these fields differ on purpose:".to_owned();
    for DifferingField { records: of, field, values, title, reason } in &differing.list {
        let [left, right] = values.as_ref().map(shown).into_array();
        let why = cell(&reason.reason, 200);
        text.push_str(&format!("\n  {}{} {field}: {left} and {right}: {why}", records(of), named(title)));
    }
    if differing.more {
        text.push_str("\n  and more: --json lists them");
    }
    text
}

/// A value in a sentence; one that is blank is seen.
fn shown(value: &Value) -> String {
    if value.is_blank() { "(blank)".to_owned() } else { cell(&value.to_string(), 40) }
}

/// The records of a pair.
pub(super) fn records(records: &[RecordName]) -> String {
    records.iter().map(RecordName::short).collect::<Vec<_>>().join(" ↔ ")
}
