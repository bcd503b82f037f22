//! `entente record show`: where each value of a record comes from, and what waits.

use super::changes::times;
use super::output::{Output, cell, table};
use entente::HUB;
use entente::view::reason::{Names, ReasonView};
use entente::{Tenant, WaitingConflict};
use entente_core::{Side, Timestamp};
use entente_sqlite::{Origin, RecordView};
use entente_sync::{Change, ChangeStatus, Pair, Sides, Status, SyncDefinition};
use serde::Serialize;

/// How many of the latest changes of a pair are looked through for what waits.
const HISTORY: usize = 100;

/// A pair of a record, for people and programs.
#[derive(Debug, Serialize)]
struct ShownPair {
    sync: String,
    counterpart: Option<String>,
    status: &'static str,
    #[serde(flatten)]
    reason: Option<ReasonView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retried: Option<Timestamp>,
}

/// A field about which something is not settled.
#[derive(Debug, Serialize)]
struct Unsettled {
    sync: String,
    field: String,
    /// `conflict`, `pending`, `held`, or the status of a change that was not made.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<i64>,
    /// What the other side has, or is to get.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<entente_core::Value>,
    #[serde(flatten)]
    reason: ReasonView,
}

/// Shows a record of the hub.
pub(super) async fn show(tenant: &Tenant, object: &str, id: &str, output: Output) -> anyhow::Result<()> {
    let view = tenant.hub().get(object, id).await?;
    let (mut pairs, mut unsettled) = (Vec::new(), Vec::new());
    for stored in tenant.configuration().syncs().await? {
        let definition = tenant.configuration().definition(&stored.name).await?;
        for side in Side::BOTH.into_iter().filter(|side| definition.exchanges[*side] == HUB) {
            for (mapping, pair) in
                tenant.ledger().pairs_of_record(Some(&definition.relation), side, object, id).await?
            {
                let other = side.other();
                let counterpart =
                    pair.half(other).id.as_ref().map(|id| format!("{}:{id}", mapping.objects[other]));
                unsettled.extend(waits(tenant, &definition, side, &pair).await?);
                pairs.push(ShownPair {
                    sync: definition.name.clone(),
                    counterpart,
                    status: pair.status.word(),
                    reason: pair.reason.map(|reason| Names(&definition.exchanges).view(&reason)),
                    retried: pair.due,
                });
            }
        }
    }
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        record: &'a RecordView,
        pairs: &'a [ShownPair],
        unsettled: &'a [Unsettled],
    }
    output.show(&Shown { record: &view, pairs: &pairs, unsettled: &unsettled }, |_| {
        record_table(&view, &pairs, &unsettled)
    })
}

/// The fields of a pair about which something is not settled. `side` is where the record stands.
async fn waits(
    tenant: &Tenant,
    definition: &SyncDefinition,
    side: Side,
    pair: &Pair,
) -> anyhow::Result<Vec<Unsettled>> {
    let Some(mapping) = definition.mapping(pair.mapping) else { return Ok(Vec::new()) };
    let names = Names(&definition.exchanges);
    let mut found = Vec::new();
    let mut add = |slot: usize, state, conflict, run, other, reason: ReasonView| {
        let Some(field) = mapping.field(slot) else { return };
        let field = field.name(side).to_owned();
        if found.iter().any(|known: &Unsettled| known.field == field) {
            return;
        }
        let sync = definition.name.clone();
        found.push(Unsettled { sync, field, state, conflict, run, other, reason });
    };
    for WaitingConflict { open, .. } in tenant.conflicts(Some(&definition.name)).await? {
        if open.conflict.pair == pair.id {
            let theirs = if side == Side::Left { &open.conflict.right } else { &open.conflict.left };
            add(
                open.conflict.slot,
                "conflict",
                Some(open.id),
                Some(open.conflict.run),
                Some(theirs.value.clone()),
                names.field_view(
                    &open.conflict.reason,
                    Sides::new(open.conflict.left.time, open.conflict.right.time),
                ),
            );
        }
    }
    // The newest word about a field counts.
    let mut told = Vec::new();
    for change in tenant.ledger().history(pair.id, None, HISTORY).await? {
        let Change { status, fields, target, reason, run, .. } = change;
        let waiting = match status {
            ChangeStatus::Withheld | ChangeStatus::Sent | ChangeStatus::Deferred | ChangeStatus::Retry => {
                true
            }
            ChangeStatus::Failed => pair.status == Status::Failed,
            _ => false,
        };
        for field in fields {
            if told.contains(&field.slot) || status == ChangeStatus::Dropped {
                continue;
            }
            told.push(field.slot);
            if waiting {
                let why = match &reason {
                    Some(reason) => names.view(reason),
                    None => names.field_view(&field.reason, times(target, &field)),
                };
                let other = (target != side).then_some(field.value);
                add(field.slot, status.word(), None, Some(run), other, why);
            }
        }
    }
    let state = match pair.status {
        Status::Todo | Status::Live => "pending",
        Status::Held => "held",
        _ => return Ok(found),
    };
    for field in &mapping.fields {
        if pair.half(side).seen(field.slot).is_some() || pair.half(side.other()).seen(field.slot).is_some() {
            let reason = pair.reason.as_ref().map_or_else(
                || ReasonView { code: "to-be-decided", reason: "decided by the next run".to_owned() },
                |reason| names.view(reason),
            );
            add(field.slot, state, None, None, pair.current(side.other(), field.slot).cloned(), reason);
        }
    }
    Ok(found)
}

fn record_table(view: &RecordView, pairs: &[ShownPair], unsettled: &[Unsettled]) -> String {
    let head = ["field", "value", "since", "from"];
    let mut rows = if unsettled.is_empty() {
        table(head)
    } else {
        table(["field", "value", "since", "from", "not settled"])
    };
    for field in &view.fields {
        let since = match field.time {
            Some(time) if time.certain => time.at.to_string(),
            Some(time) => format!("at the latest {}", time.at),
            None => String::new(),
        };
        let from = match &field.origin {
            Some(Origin::Operator) => "set by hand".to_owned(),
            Some(Origin::Import) => "import".to_owned(),
            Some(Origin::Sync { name, run }) => format!("{name}, run {run}"),
            None => String::new(),
        };
        let mut row = vec![field.name.clone(), cell(&field.value.to_string(), 60), since, from];
        if !unsettled.is_empty() {
            let notes: Vec<String> =
                unsettled.iter().filter(|one| one.field == field.name).map(Unsettled::text).collect();
            row.push(notes.join("; "));
        }
        rows.add_row(row);
    }
    let mut text = format!("{}:{}\n{rows}", view.object, view.id);
    for pair in pairs {
        let counterpart = pair.counterpart.as_deref().unwrap_or("no counterpart");
        let reason = pair.reason.as_ref().map(|why| format!(": {}", why.reason)).unwrap_or_default();
        let retried = pair.retried.map(|at| format!("; tried again after {at}")).unwrap_or_default();
        text.push_str(&format!("\n{}: {counterpart}, {}{reason}{retried}", pair.sync, pair.status));
    }
    text
}

impl Unsettled {
    fn text(&self) -> String {
        let state = match self.conflict {
            Some(number) => format!("conflict {number}"),
            None => self.state.to_owned(),
        };
        let other = self
            .other
            .as_ref()
            .map(|value| format!(" ({})", cell(&value.to_string(), 40)))
            .unwrap_or_default();
        format!("{state} with {}{other}: {}", self.sync, cell(&self.reason.reason, 120))
    }
}
