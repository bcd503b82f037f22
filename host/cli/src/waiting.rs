//! What waits for the operator after a run: records that are held or failed, and fields in conflict,
//! whichever run saw them.

use super::output::cell;
use super::remedy;
use entente::view::reason::{Names, ReasonView};
use entente::{Tenant, WaitingConflict};
use entente_core::Side;
use entente_sync::Remedy;
use entente_sync::{Sides, Status, SyncDefinition};
use serde::Serialize;

/// How many are listed; the numbers count all.
const LISTED: usize = 1000;

/// How many are shown to people.
const SHOWN: usize = 15;

/// What waits.
#[derive(Debug, Default, Serialize)]
pub(super) struct Waiting {
    held: u64,
    failed: u64,
    conflicts: u64,
    list: Vec<WaitingItem>,
}

/// One record, or one field of it.
#[derive(Debug, Serialize)]
struct WaitingItem {
    /// The records of the pair: those that there are.
    records: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    status: &'static str,
    #[serde(flatten)]
    reason: Option<ReasonView>,
}

impl Waiting {
    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.held + self.failed + self.conflicts
    }

    /// For people: a line for each of the first, and what to do about them.
    pub(super) fn text(&self, sync: &str) -> String {
        let mut text = self.lines();
        if self.conflicts > 0 {
            text.push_str(&remedy::lines(&[Remedy::ListConflicts { sync: Some(sync.to_owned()) }]));
        }
        if self.failed > 0 {
            text.push_str(&remedy::lines(&[Remedy::ListFailed { sync: sync.to_owned() }]));
        }
        text
    }

    /// For people: a line for each of the first.
    pub(super) fn lines(&self) -> String {
        let mut text = format!(
            "{} need a look ({} held, {} failed, {} in conflict):",
            self.total(),
            self.held,
            self.failed,
            self.conflicts
        );
        for item in self.list.iter().take(SHOWN) {
            let field = item.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
            text.push_str(&format!(
                "\n  {}{field}: {}",
                item.records.join(" ↔ "),
                cell(item.reason.as_ref().map_or("", |why| why.reason.as_str()), 200)
            ));
        }
        if self.list.len() > SHOWN {
            text.push_str("\n  and more: --json lists them");
        }
        text
    }
}

/// What waits in the relation of a sync.
pub(super) async fn waiting(tenant: &Tenant, definition: &SyncDefinition) -> anyhow::Result<Waiting> {
    let records = |objects: &Sides<String>, ids: &Sides<Option<String>>| -> Vec<String> {
        let record = |side: Side| Some(format!("{}:{}", objects[side], ids[side].as_ref()?));
        Side::BOTH.into_iter().filter_map(record).collect()
    };
    let names = Names(&definition.exchanges);
    let mut waiting = Waiting::default();
    for mapping in &definition.mappings {
        waiting.held += tenant.ledger().count_in(Status::Held, mapping.id).await?;
        waiting.failed += tenant.ledger().count_in(Status::Failed, mapping.id).await?;
    }
    for status in [Status::Held, Status::Failed] {
        for mapping in &definition.mappings {
            for pair in tenant.ledger().pairs_in(status, Some(mapping.id), 0, LISTED).await? {
                waiting.list.push(WaitingItem {
                    records: records(&pair.objects, &pair.ids),
                    field: None,
                    status: status.word(),
                    reason: pair.reason.map(|reason| names.view(&reason)),
                });
            }
        }
    }
    for WaitingConflict { open, .. } in tenant.conflicts(Some(&definition.name)).await? {
        waiting.conflicts += 1;
        let times = Sides::new(open.conflict.left.time, open.conflict.right.time);
        let mut reason = names.field_view(&open.conflict.reason, times);
        reason.reason = format!(
            "{} or {}: {}",
            cell(&open.conflict.left.value.to_string(), 40),
            cell(&open.conflict.right.value.to_string(), 40),
            reason.reason
        );
        waiting.list.push(WaitingItem {
            records: records(&open.objects, &open.ids),
            field: Some(open.fields.left.clone()),
            status: "conflict",
            reason: Some(reason),
        });
    }
    Ok(waiting)
}
