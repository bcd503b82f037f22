//! The history of a record: what syncs have written to it and to its counterparts, and by whom the values that it has were set.

use super::change::{ChangeView, view_of_relation};
use super::page::{Cursor, Page, PageRequest};
use crate::config::HUB;
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::{Side, Timestamp, Value};
use entente_sqlite::{HubError, Origin};
use entente_sync::{Change, ChangeStatus, Pair, RunId, SyncDefinition};
use serde::Serialize;
use std::collections::BTreeSet;

/// The history of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordHistory {
    /// The record.
    pub record: RecordName,
    /// Of a record of the hub, the fields that a person or an import has set last. What they had set before is not kept, but where
    /// a sync has carried or replaced it.
    pub edits: Vec<EditView>,
    /// Of a record of the hub that was deleted, when and by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<DeletedByView>,
    /// What syncs have written to it and to its counterparts, the newest first.
    pub changes: Page<HistoryView>,
}

/// The deletion of a record of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletedByView {
    /// When.
    pub at: Timestamp,
    /// Who; of a sync, without the run.
    pub origin: Origin,
}

/// A field that a person or an import has set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditView {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: Value,
    /// When; `None` where that is not known.
    pub at: Option<Timestamp>,
    /// Who.
    pub origin: Origin,
}

/// A change that a run has made, or has tried to make.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryView {
    /// The run that decided it.
    pub run: RunId,
    /// Its sync.
    pub sync: String,
    /// When its outcome was known, else when it was sent, else when the run began.
    pub at: Timestamp,
    /// The change.
    #[serde(flatten)]
    pub change: ChangeView,
}

/// Whether something was written, or was to be written and was not: what was only planned is no history.
fn happened(change: &Change) -> bool {
    match change.status {
        ChangeStatus::Done
        | ChangeStatus::Sent
        | ChangeStatus::Failed
        | ChangeStatus::Deferred
        | ChangeStatus::Retry => true,
        ChangeStatus::Planned | ChangeStatus::Withheld | ChangeStatus::Dropped | ChangeStatus::Rehearsed => {
            false
        }
    }
}

impl Tenant {
    /// The history of a record, of all its fields or of one, by its name on either side.
    ///
    /// # Errors
    /// Where the hub has no such record, no sync knows one of another system ([`TenantError::NoPair`]), or the database fails.
    pub async fn show_history(
        &self,
        record: &RecordName,
        field: Option<&str>,
        request: PageRequest,
    ) -> Result<RecordHistory, TenantError> {
        let deleted = match record.exchange == HUB {
            true => self.hub().deletion(&record.object, &record.id).await?,
            false => None,
        };
        let deleted = deleted.map(|(at, origin)| DeletedByView { at, origin });
        let edits = match record.exchange == HUB && deleted.is_none() {
            true => self.edits(record, field).await?,
            false => Vec::new(),
        };
        let mut known = Vec::new();
        for definition in self.definitions(None).await? {
            for side in Side::BOTH.into_iter().filter(|side| definition.exchanges[*side] == record.exchange) {
                let ledger = self.ledger();
                let found = ledger
                    .pairs_of_record(Some(&definition.relation), side, &record.object, &record.id)
                    .await?;
                known.extend(found.into_iter().map(|(_, pair)| (definition.clone(), pair)));
            }
        }
        if known.is_empty() && record.exchange != HUB {
            return Err(TenantError::NoPair(record.to_string()));
        }
        if let Some(field) = field {
            self.check_field(record, field, &known).await?;
        }
        let mut rows = Vec::new();
        for (definition, pair) in &known {
            rows.extend(self.history_of(definition, pair, field, request).await?);
        }
        rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let page = Page::of(rows, request, |(number, _)| *number, None);
        let shown: Vec<HistoryView> = page.rows.iter().map(|(_, view)| view.clone()).collect();
        Ok(RecordHistory { record: record.clone(), edits, deleted, changes: page.with_rows(shown) })
    }

    /// Refuses the name of a field that neither the hub nor a sync of the record has.
    async fn check_field(
        &self,
        record: &RecordName,
        field: &str,
        known: &[(SyncDefinition, Pair)],
    ) -> Result<(), TenantError> {
        let mut names = BTreeSet::new();
        if record.exchange == HUB {
            let objects = self.hub().objects().await?;
            let fields = objects.into_iter().filter(|object| object.name == record.object);
            names.extend(fields.flat_map(|object| object.fields).map(|field| field.name));
        }
        for (_, pair) in known {
            let slots = self.ledger().slots(pair.mapping).await?;
            names.extend(slots.into_iter().flat_map(|row| row.fields.into_array()));
        }
        match names.contains(field) {
            true => Ok(()),
            false => Err(TenantError::Hub(HubError::UnknownField {
                object: record.object.clone(),
                name: field.to_owned(),
                known: names.into_iter().collect::<Vec<_>>().join(", "),
            })),
        }
    }

    /// What a person or an import has set of a record of the hub.
    async fn edits(&self, record: &RecordName, field: Option<&str>) -> Result<Vec<EditView>, TenantError> {
        let found = self.hub().get(&record.object, &record.id).await?;
        let wanted = |name: &str| field.is_none_or(|field| field == name);
        let edits = found.fields.into_iter().filter(|known| wanted(&known.name)).filter_map(|known| {
            let origin =
                known.origin.filter(|origin| matches!(origin, Origin::Operator | Origin::Import { .. }))?;
            Some(EditView {
                field: known.name,
                value: known.value,
                at: known.time.map(|time| time.at),
                origin,
            })
        });
        Ok(edits.collect())
    }

    /// The latest changes of a pair that happened, below a number, with their numbers: at most a page, and one more.
    async fn history_of(
        &self,
        definition: &SyncDefinition,
        pair: &Pair,
        field: Option<&str>,
        request: PageRequest,
    ) -> Result<Vec<(i64, HistoryView)>, TenantError> {
        let slots = self.ledger().slots(pair.mapping).await?;
        let wanted = |change: &Change| {
            field.is_none_or(|field| {
                let named = slots.iter().filter(|row| row.fields.iter().any(|name| name == field));
                let named: Vec<_> = named.map(|row| row.slot).collect();
                change.fields.iter().any(|changed| named.contains(&changed.slot))
            })
        };
        let (mut before, most) = (request.after.map(Cursor::number), request.to_read());
        let mut found = Vec::new();
        while found.len() < most {
            let changes = self.ledger().history(pair.id, before, most.clamp(50, 500)).await?;
            let Some(last) = changes.last() else { break };
            before = Some(last.id);
            found.extend(changes.into_iter().filter(|change| happened(change) && wanted(change)));
        }
        found.truncate(most);
        let mut views = Vec::with_capacity(found.len());
        let shown = view_of_relation(self, &definition.relation, &definition.exchanges, &found).await?;
        for (change, mut view) in found.into_iter().zip(shown) {
            if let Some(field) = field {
                let names = slots.iter().filter(|row| row.fields.iter().any(|name| name == field));
                let names: Vec<&String> = names.map(|row| &row.fields[change.target]).collect();
                view.fields.retain(|shown| names.contains(&&shown.field));
            }
            let at = match change.settled.or(change.sent) {
                Some(at) => at,
                None => self.find_run(change.run).await?.started,
            };
            let sync = definition.name.clone();
            views.push((change.id, HistoryView { run: change.run, sync, at, change: view }));
        }
        Ok(views)
    }
}
