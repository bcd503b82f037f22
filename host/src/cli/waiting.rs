//! What waits for the operator after a run: records that are held or failed, and fields in conflict, whichever run saw them.

use super::output::cell;
use crate::judge::Side;
use crate::sync::{MappingId, Status, SyncDefinition};
use crate::tenant::Tenant;
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
    reason: String,
}

impl Waiting {
    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.held + self.failed + self.conflicts
    }

    /// For people: a line for each of the first.
    pub(super) fn text(&self) -> String {
        let mut text =
            format!("{} need a look ({} held, {} failed, {} in conflict):", self.total(), self.held, self.failed, self.conflicts);
        for item in self.list.iter().take(SHOWN) {
            let field = item.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
            text.push_str(&format!("\n  {}{field}: {}", item.records.join(" ↔ "), cell(&item.reason, 150)));
        }
        if self.list.len() > SHOWN {
            text.push_str("\n  and more: --json lists them");
        }
        text
    }
}

/// What waits in the relation of a sync.
pub(super) async fn waiting(tenant: &Tenant, definition: &SyncDefinition) -> anyhow::Result<Waiting> {
    let ours = |mapping: MappingId| definition.mapping(mapping).is_some();
    let named = |objects: &[String; 2], ids: &[Option<String>; 2]| -> Vec<String> {
        let record = |side: Side| Some(format!("{}:{}", objects[side.index()], ids[side.index()].as_ref()?));
        Side::BOTH.into_iter().filter_map(record).collect()
    };
    let mut waiting = Waiting::default();
    for count in tenant.ledger().pair_counts(Some(&definition.relation)).await? {
        match count.status {
            Status::Held if ours(count.mapping) => waiting.held += count.pairs,
            Status::Failed if ours(count.mapping) => waiting.failed += count.pairs,
            _ => {}
        }
    }
    for status in [Status::Held, Status::Failed] {
        for pair in tenant.ledger().pairs_in(status, None, 0, LISTED).await?.into_iter().filter(|pair| ours(pair.mapping)) {
            waiting.list.push(WaitingItem {
                records: named(&pair.objects, &pair.ids),
                field: None,
                status: status.word(),
                reason: pair.reason.unwrap_or_default(),
            });
        }
    }
    for open in tenant.ledger().open_conflicts(None, 0, LISTED).await?.into_iter().filter(|open| ours(open.mapping)) {
        waiting.conflicts += 1;
        let reason = format!(
            "{} or {}: {}",
            cell(&open.conflict.left.value.to_string(), 40),
            cell(&open.conflict.right.value.to_string(), 40),
            open.conflict.reason
        );
        waiting.list.push(WaitingItem {
            records: named(&open.objects, &open.ids),
            field: Some(open.fields[Side::Left.index()].clone()),
            status: "conflict",
            reason,
        });
    }
    Ok(waiting)
}
