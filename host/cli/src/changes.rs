//! Changes of a plan or of a run: a block for each record, with its name, and a line for each field.

use super::output::{cell, table, width};
use super::paging::more;
use entente::RecordName;
use entente::view::reason::called;
use entente::view::{ChangeTotal, ChangeView, ChangedFieldView, Page, ReasonView};
use entente_core::{Foreign, Value};
use entente_sync::ChangeStatus;
use std::collections::BTreeMap;

/// The most characters of a value: about what fits on a screen.
const SCREEN: usize = 1600;

/// A value as it is read; one that is blank is seen.
fn shown(value: &Value) -> String {
    match value.is_blank() {
        true => "(blank)".to_owned(),
        false => cell(&value.to_string(), SCREEN),
    }
}

/// What is written to a field.
fn after(field: &ChangedFieldView) -> String {
    let value = shown(&field.after);
    match field.not_linked.as_slice() {
        [] => value,
        [one] if matches!(field.after, Value::Reference(_)) => format!("{one} (not linked yet)"),
        some => format!("{value} (not linked yet: {})", some.join(", ")),
    }
}

/// Which record, as it is called where it is written.
fn name(change: &ChangeView) -> String {
    change.record.as_ref().map(ToString::to_string).unwrap_or_else(|| {
        let object = Foreign::new(&change.object).named();
        let source = change.source.as_ref().map(|source| format!(", from {source}")).unwrap_or_default();
        format!("new {object} in {}{source}", called(&change.exchange))
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

/// How a change stands, where it is not simply planned or done.
fn standing(change: &ChangeView) -> Option<String> {
    // What a later run did with a plan, and what became of a record since, says all.
    let known = |reason: &&ReasonView| ["executed-by", "deleted-since"].contains(&reason.code);
    let left = change.status == ChangeStatus::Withheld.word();
    if let Some(reason) = change.reason.as_ref().filter(known).filter(|_| !left) {
        return Some(reason.reason.clone());
    }
    let plain = [ChangeStatus::Done, ChangeStatus::Planned, ChangeStatus::Rehearsed];
    if plain.iter().any(|status| change.status == status.word()) {
        return None;
    }
    let why = change.reason.as_ref().map(|reason| format!(": {}", reason.reason));
    Some(format!("{}{}", change.status, why.unwrap_or_default()))
}

/// The line of a record: what is done to it, which one it is, and what people call it.
pub(super) fn head(change: &ChangeView) -> String {
    let sign = match change.action {
        "create" => '+',
        "delete" => '-',
        _ => '~',
    };
    let title = change.title.as_ref().map(|title| format!(" {}", Foreign::new(title).quoted()));
    let standing = standing(change).map(|note| format!(" ({})", cell(&note, 300)));
    format!("{sign} {}{}{}", name(change), title.unwrap_or_default(), standing.unwrap_or_default())
}

/// A line for each field: its value, or what it was and will be, and why.
pub(super) fn fields(change: &ChangeView) -> Vec<String> {
    fields_within(change, width())
}

fn fields_within(change: &ChangeView, width: Option<usize>) -> Vec<String> {
    let longest = change.fields.iter().map(|field| field.field.chars().count()).max().unwrap_or(0).min(24);
    let mut lines = Vec::new();
    for field in &change.fields {
        let name = cell(&field.field, 60);
        let value = match (change.action, &field.before) {
            ("delete", Some(before)) => shown(before),
            ("update", Some(before)) => format!("{} → {}", shown(before), after(field)),
            ("update", None) => format!("(not known) → {}", after(field)),
            _ => after(field),
        };
        let mut line = format!("    {name:longest$}  {value}");
        // Everything of a new record is new, and nothing of one that is deleted stays; all of an import is from its file.
        if change.action == "update" && field.reason.code != "imported" {
            let why = cell(&field.reason.reason, 300);
            let fits = width.is_none_or(|width| line.chars().count() + why.chars().count() + 4 <= width);
            line.push_str(&if fits { format!("  ({why})") } else { format!("\n        {why}") });
        }
        lines.push(line);
    }
    lines
}

/// Why a record is deleted, where its fields say so.
fn why_deleted(change: &ChangeView) -> Option<&str> {
    let first = change.fields.first().filter(|_| change.action == "delete")?;
    Some(first.reason.reason.as_str())
}

/// A page of changes, a record at a time, with a hint where there are more.
pub(super) fn changes_text(page: &Page<ChangeView>) -> String {
    // All that is written to one record stands together.
    let mut places: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut sorted: Vec<(usize, &ChangeView)> = Vec::with_capacity(page.rows.len());
    for (n, change) in page.rows.iter().enumerate() {
        let next = places.len();
        // New records of a file have nothing that tells them apart.
        let which = match change.record.is_some() || change.source.is_some() {
            true => name(change),
            false => n.to_string(),
        };
        let place = *places.entry((change.action, which)).or_insert(next);
        sorted.push((place, change));
    }
    sorted.sort_by_key(|(place, _)| *place);
    let mut lines = Vec::new();
    let mut last = usize::MAX;
    for (place, change) in sorted {
        if place != last || standing(change).is_some() {
            lines.push(head(change));
        }
        last = place;
        lines.extend(why_deleted(change).map(|note| format!("    ({})", cell(note, 300))));
        lines.extend(fields(change));
    }
    format!("{}{}", lines.join("\n"), more(page, "changes"))
}

/// What was left out, and why.
pub(super) fn left_out_table(page: &Page<ChangeView>) -> String {
    let mut rows = table(["left out in", "record", "what", "why"]);
    for change in &page.rows {
        let fields: Vec<String> =
            change.fields.iter().map(|field| format!("{} = {}", field.field, after(field))).collect();
        let what = if fields.is_empty() {
            change.action.to_owned()
        } else {
            format!("{} {}", change.action, fields.join(", "))
        };
        let (record, reason) =
            (change.record.as_ref().map_or_else(|| name(change), RecordName::short), why_left(change));
        rows.add_row(vec![change.exchange.clone(), record, cell(&what, 80), cell(&reason, 160)]);
    }
    format!("{rows}{}", more(page, "that were left out"))
}

/// «282 to create (140 in HelloWorld, 142 in the hub), 47 to change, 0 to delete», and what stands otherwise. `planned`: as a plan
/// says it, of which what was done or overtaken since is a part.
pub(super) fn totals(totals: &[ChangeTotal], planned: bool) -> String {
    let counts = |total: &&ChangeTotal| {
        let meant: &[ChangeStatus] = match planned {
            true => &[ChangeStatus::Planned, ChangeStatus::Rehearsed, ChangeStatus::Dropped],
            false => &[ChangeStatus::Done],
        };
        meant.iter().any(|status| status.word() == total.status)
    };
    let part = |action: &str, word: &str| {
        let mut by_exchange: BTreeMap<&str, u64> = BTreeMap::new();
        for total in totals.iter().filter(counts).filter(|total| total.action == action) {
            *by_exchange.entry(&total.exchange).or_default() += total.changes;
        }
        let all: u64 = by_exchange.values().sum();
        let apart: Vec<String> = by_exchange
            .iter()
            .map(|(exchange, changes)| format!("{changes} in {}", called(exchange)))
            .collect();
        let apart = if apart.is_empty() { String::new() } else { format!(" ({})", apart.join(", ")) };
        format!("{all} {word}{apart}")
    };
    let words = match planned {
        true => [("create", "to create"), ("update", "to change"), ("delete", "to delete")],
        false => [("create", "created"), ("update", "changed"), ("delete", "deleted")],
    };
    let parts: Vec<String> = words.iter().map(|(action, word)| part(action, word)).collect();
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    let stands_so = |total: &&ChangeTotal| !counts(total) || total.status == ChangeStatus::Dropped.word();
    for total in totals.iter().filter(stands_so) {
        *others.entry(total.status).or_default() += total.changes;
    }
    let word = |status: &str| match status == ChangeStatus::Dropped.word() {
        true => "executed or overtaken".to_owned(),
        false => status.to_owned(),
    };
    let others: Vec<String> =
        others.iter().map(|(status, changes)| format!("{changes} {}", word(status))).collect();
    let otherwise = match (others.is_empty(), planned) {
        (true, _) => String::new(),
        (false, true) => format!("; by now {}", others.join(", ")),
        (false, false) => format!("; and {}", others.join(", ")),
    };
    format!("{}{otherwise}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, before: Option<&str>, after: &str, why: &str) -> ChangedFieldView {
        ChangedFieldView {
            field: name.to_owned(),
            before: before.map(|text| Value::Text(text.into())),
            after: Value::Text(after.into()),
            not_linked: Vec::new(),
            reason: ReasonView { code: "x", reason: why.to_owned() },
        }
    }

    fn change(action: &'static str, record: Option<&str>, fields: Vec<ChangedFieldView>) -> ChangeView {
        let record: Option<RecordName> = record.map(|name| name.parse().unwrap());
        ChangeView {
            exchange: record.as_ref().map_or_else(|| "hub".to_owned(), |record| record.exchange.clone()),
            object: "contact".to_owned(),
            action,
            record,
            source: Some("HelloWorld/person:p3".parse().unwrap()),
            title: Some("Jane Doe".to_owned()),
            status: "planned",
            reason: None,
            fields,
        }
    }

    #[test]
    fn a_plan_is_read_record_by_record_and_field_by_field() {
        let newer = "newer in HelloWorld: 12 May 2020 10:02; the hub: 3 Apr 2020";
        let rows = vec![
            change(
                "delete",
                Some("HelloWorld/person:p9"),
                vec![field("email", Some("j@x.example"), "", "contact:9 was deleted in the hub")],
            ),
            change(
                "create",
                None,
                vec![
                    field("email", None, "j@x.example", "new record"),
                    field("city", None, "", "new record"),
                ],
            ),
            change("update", Some("contact:12"), vec![field("phone", Some(""), "+47 1", newer)]),
            ChangeView {
                status: "dropped",
                reason: Some(ReasonView { code: "executed-by", reason: "executed by run 2".to_owned() }),
                ..change(
                    "update",
                    Some("contact:12"),
                    vec![field("city", None, "Ulm", "only HelloWorld has changed")],
                )
            },
        ];
        let page = Page { rows, next: None, total: Some(4) };
        insta::assert_snapshot!(changes_text(&page), @"
        - HelloWorld/person:p9 «Jane Doe»
            (contact:9 was deleted in the hub)
            email  j@x.example
        + new contact in the hub, from HelloWorld/person:p3 «Jane Doe»
            email  j@x.example
            city   (blank)
        ~ contact:12 «Jane Doe»
            phone  (blank) → +47 1  (newer in HelloWorld: 12 May 2020 10:02; the hub: 3 Apr 2020)
        ~ contact:12 «Jane Doe» (executed by run 2)
            city  (not known) → Ulm  (only HelloWorld has changed)
        ");
        let narrow = fields_within(&page.rows[2], Some(60));
        assert_eq!(narrow, [format!("    phone  (blank) → +47 1\n        {newer}")]);
    }

    #[test]
    fn totals_add_up() {
        let total = |exchange: &str, action, status, changes| ChangeTotal {
            exchange: exchange.to_owned(),
            action,
            status,
            changes,
        };
        let all = [
            total("hub", "create", "planned", 142),
            total("HelloWorld", "create", "planned", 140),
            total("hub", "update", "planned", 40),
            total("hub", "update", "dropped", 7),
            total("hub", "update", "withheld", 3),
        ];
        insta::assert_snapshot!(totals(&all, true), @"282 to create (140 in HelloWorld, 142 in the hub), 47 to change (47 in the hub), 0 to delete; by now 7 executed or overtaken, 3 withheld");
        let done = [total("hub", "create", "done", 1), total("hub", "delete", "failed", 2)];
        insta::assert_snapshot!(totals(&done, false), @"1 created (1 in the hub), 0 changed, 0 deleted; and 2 failed");
    }
}
