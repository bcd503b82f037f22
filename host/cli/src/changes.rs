//! Changes of a plan or of a run, for people and programs.

use super::output::{cell, table};
use entente::Tenant;
use entente::view::reason::{Names, ReasonView, Times};
use entente_core::{Reference, Side, Value};
use entente_sync::{Action, Change, ChangeStatus, ChangedField, Pair, Sides, SyncDefinition};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many changes people are shown unless they ask for more.
pub(super) const SHOWN: usize = 50;

/// One change, for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct ShownChange {
    exchange: String,
    object: String,
    action: &'static str,
    record: Option<String>,
    source: Option<String>,
    status: &'static str,
    #[serde(flatten)]
    reason: Option<ReasonView>,
    fields: Vec<ShownField>,
}

/// One field of it.
#[derive(Debug, Serialize)]
struct ShownField {
    field: String,
    before: Option<Value>,
    after: Value,
    /// Links among the value to records that the target does not have, by the names of the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_linked: Vec<String>,
    #[serde(flatten)]
    reason: ReasonView,
}

/// Changes with the names of records and fields, and links in the names of the side that is written.
pub(super) async fn shown_changes(
    tenant: &Tenant,
    definition: &SyncDefinition,
    changes: &[Change],
) -> anyhow::Result<Vec<ShownChange>> {
    let mut shown = Vec::with_capacity(changes.len());
    let names = Names(&definition.exchanges);
    let mut links = Links { tenant, definition, known: BTreeMap::new() };
    for chunk in changes.chunks(500) {
        let numbers: Vec<i64> = chunk.iter().map(|change| change.pair).collect();
        let pairs: BTreeMap<i64, Pair> =
            tenant.ledger().pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        for change in chunk {
            let Some(mapping) = definition.mapping(change.mapping) else { continue };
            let half = |side: Side| {
                let id = pairs.get(&change.pair)?.half(side).id.as_ref()?;
                Some(format!("{}:{id}", mapping.object(side)))
            };
            let (action, target) = match &change.action {
                Action::Create => ("create", None),
                Action::Update(id) => ("update", Some(id)),
                Action::Delete(id) => ("delete", Some(id)),
            };
            let mut fields = Vec::with_capacity(change.fields.len());
            for field in &change.fields {
                let name = mapping.field(field.slot).map_or_else(
                    || format!("slot {}", field.slot),
                    |known| known.name(change.target).to_owned(),
                );
                let (after, not_linked) = links.translate(change.target, &field.value).await?;
                fields.push(ShownField {
                    field: name,
                    before: field.base.clone(),
                    after,
                    not_linked,
                    reason: names.field_view(&field.reason, times(change.target, field)),
                });
            }
            shown.push(ShownChange {
                exchange: definition.exchanges[change.target].clone(),
                object: mapping.object(change.target).to_owned(),
                action,
                record: half(change.target)
                    .or_else(|| target.map(|id| format!("{}:{id}", mapping.object(change.target)))),
                source: half(change.target.other()),
                status: change.status.word(),
                reason: change.reason.as_ref().map(|reason| names.view(reason)),
                fields,
            });
        }
    }
    Ok(shown)
}

/// When the two values of a field had changed, left and right.
pub(super) fn times(target: Side, field: &ChangedField) -> Times {
    match target {
        Side::Left => Sides::new(field.base_time, field.time),
        Side::Right => Sides::new(field.time, field.base_time),
    }
}

/// Turns links of the source into those of the target.
struct Links<'a> {
    tenant: &'a Tenant,
    definition: &'a SyncDefinition,
    /// By target and link of the source; `None` where the target has no such record.
    known: BTreeMap<(Side, Reference), Option<Reference>>,
}

impl Links<'_> {
    async fn translate(&mut self, target: Side, value: &Value) -> anyhow::Result<(Value, Vec<String>)> {
        let mut missing = Vec::new();
        let value = match value {
            Value::Reference(link) => Value::Reference(self.link(target, link, &mut missing).await?),
            Value::References(links) => {
                let mut translated = Vec::with_capacity(links.len());
                for link in links {
                    translated.push(self.link(target, link, &mut missing).await?);
                }
                Value::References(translated)
            }
            other => other.clone(),
        };
        Ok((value, missing))
    }

    async fn link(
        &mut self,
        target: Side,
        link: &Reference,
        missing: &mut Vec<String>,
    ) -> anyhow::Result<Reference> {
        let source = target.other();
        if !self.definition.mappings.iter().any(|mapping| mapping.object(source) == link.object) {
            // In the names of the target already.
            return Ok(link.clone());
        }
        let key = (target, link.clone());
        let found = match self.known.get(&key) {
            Some(found) => found.clone(),
            None => {
                let pairs = self
                    .tenant
                    .ledger()
                    .pairs_of_record(Some(&self.definition.relation), source, &link.object, &link.id)
                    .await?;
                let found = pairs.into_iter().find_map(|(mapping, pair)| {
                    Some(Reference {
                        object: mapping.objects[target].clone(),
                        id: pair.half(target).id.clone()?,
                    })
                });
                self.known.insert(key, found.clone());
                found
            }
        };
        Ok(found.unwrap_or_else(|| {
            missing.push(format!("{}:{}", link.object, link.id));
            link.clone()
        }))
    }
}

impl ShownField {
    fn value(&self) -> String {
        let value = cell(&self.after.to_string(), 40);
        match self.not_linked.as_slice() {
            [] => value,
            [one] if matches!(self.after, Value::Reference(_)) => format!("{one} (not linked yet)"),
            some => format!("{value} (not linked yet: {})", some.join(", ")),
        }
    }
}

impl ShownChange {
    /// Which record, as it is called where it is written.
    fn name(&self) -> String {
        self.record
            .clone()
            .unwrap_or_else(|| format!("new {} from {}", self.object, self.source.as_deref().unwrap_or("?")))
    }

    /// Why it was left out: where its fields have reasons of their own, each of them.
    fn why_left(&self) -> String {
        let own = self.reason.as_ref().map_or("overtaken by a newer decision", |own| own.reason.as_str());
        if self.fields.iter().all(|field| field.reason == self.fields[0].reason)
            || !self.fields.iter().any(|field| Some(field.reason.code) == self.code())
        {
            return own.to_owned();
        }
        self.fields
            .iter()
            .map(|field| format!("{}: {}", field.field, field.reason.reason))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn code(&self) -> Option<&'static str> {
        self.reason.as_ref().map(|reason| reason.code)
    }

    /// Why it stands as it does, where it is not simply planned or done.
    fn standing(&self, plain: &str) -> String {
        if self.status == ChangeStatus::Done.word() || self.status == ChangeStatus::Planned.word() {
            plain.to_owned()
        } else {
            let why = self.reason.as_ref().map_or(plain, |reason| reason.reason.as_str());
            format!("{}: {why}", self.status)
        }
    }
}

/// The first changes as a table: a record at a time, with a hint where there are more.
pub(super) fn changes_table(changes: &[ShownChange], limit: usize) -> String {
    let mut rows = table(["write to", "record", "field", "before", "after", "why"]);
    // All that is written to one record stands together.
    let mut places: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut sorted: Vec<(usize, &ShownChange)> = Vec::with_capacity(changes.len().min(limit));
    for change in changes.iter().take(limit) {
        let next = places.len();
        let place = *places.entry((&change.exchange, change.name())).or_insert(next);
        sorted.push((place, change));
    }
    sorted.sort_by_key(|(place, _)| *place);
    let mut last = usize::MAX;
    for (place, change) in sorted {
        let mut first = place != last;
        last = place;
        let lead = |first: &mut bool| {
            let lead = if *first { [change.exchange.clone(), change.name()] } else { Default::default() };
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
            let values: Vec<String> = change.fields.iter().take(3).map(ShownField::value).collect();
            let after =
                if change.action == "delete" { "(deleted)".to_owned() } else { cell(&values.join(", "), 60) };
            let why = change.standing(plain);
            let [exchange, record] = lead(&mut first);
            rows.add_row(vec![exchange, record, fields, String::new(), after, cell(&why, 80)]);
            continue;
        }
        for field in &change.fields {
            let why = change.standing(&field.reason.reason);
            let before = field.before.as_ref().map(|value| cell(&value.to_string(), 40)).unwrap_or_default();
            let [exchange, record] = lead(&mut first);
            rows.add_row(vec![exchange, record, field.field.clone(), before, field.value(), cell(&why, 80)]);
        }
    }
    let mut text = rows.to_string();
    if changes.len() > limit {
        text.push_str(&format!(
            "\nthe first {limit} of {} changes; more with --limit, all with --json",
            changes.len()
        ));
    }
    text
}

/// What was left out, and why.
pub(super) fn left_out_table(changes: &[ShownChange], limit: usize) -> String {
    let mut rows = table(["left out in", "record", "what", "why"]);
    for change in changes.iter().take(limit) {
        let fields: Vec<String> =
            change.fields.iter().map(|field| format!("{} = {}", field.field, field.value())).collect();
        let what = if fields.is_empty() {
            change.action.to_owned()
        } else {
            format!("{} {}", change.action, fields.join(", "))
        };
        let reason = change.why_left();
        rows.add_row(vec![change.exchange.clone(), change.name(), cell(&what, 80), cell(&reason, 160)]);
    }
    let mut text = rows.to_string();
    if changes.len() > limit {
        text.push_str(&format!(
            "\nthe first {limit} of {} that were left out; all with --json",
            changes.len()
        ));
    }
    text
}
