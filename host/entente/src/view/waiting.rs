//! What waits for the operator: records that are held or failed, and fields in conflict, whichever run saw them.

use super::page::{Page, PageRequest};
use super::reason::{Names, ReasonView};
use super::remedies::of_pair;
use crate::config::HUB;
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::{Sides, Timestamp, Value};
use entente_sync::{ConflictFilter, MappingId, PairId, PairLine, Remedy, Status, SyncDefinition};
use serde::Serialize;
use std::collections::BTreeMap;

/// What waits in a sync.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WaitingView {
    /// Records that are held.
    pub held: u64,
    /// Records that failed.
    pub failed: u64,
    /// Fields in conflict that nobody has decided.
    pub conflicts: u64,
    /// All of these together.
    pub total: u64,
    /// Whether fields differ on purpose, besides.
    pub differing: bool,
    /// The first of each kind; the whole lists come by the page.
    pub list: Vec<WaitingItem>,
}

/// A record, or a field of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingItem {
    /// `held`, `failed` or `conflict`.
    pub status: &'static str,
    /// The records of the pair: those that there are, left first.
    pub records: Vec<RecordName>,
    /// What people call them, where their fields tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The number of the conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<i64>,
    /// The name of the field in conflict, on the left side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Its two values, left first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Sides<Value>>,
    /// Why it waits.
    #[serde(flatten)]
    pub reason: Option<ReasonView>,
    /// What can be done about it, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// A record that is held or failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingRecord {
    /// The sync.
    pub sync: String,
    /// `held` or `failed`.
    pub status: &'static str,
    /// The records of the pair: those that there are, left first.
    pub records: Vec<RecordName>,
    /// What people call them, where their fields tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why it waits.
    #[serde(flatten)]
    pub reason: Option<ReasonView>,
    /// Orders for it that failed in a row.
    pub attempts: u32,
    /// When it is tried again by itself; `None`: not before it changes or somebody asks.
    pub due: Option<Timestamp>,
    /// What can be done about it, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

impl Tenant {
    /// What waits in a sync; of each kind the first `most` are listed.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn show_waiting(&self, sync: &str, most: usize) -> Result<WaitingView, TenantError> {
        let definition = self.configuration().definition(sync).await?;
        let mappings: Vec<MappingId> = definition.mappings.iter().map(|mapping| mapping.id).collect();
        let names = Names(&definition.exchanges);
        let mut waiting = WaitingView::default();
        for status in [Status::Held, Status::Failed] {
            let (lines, count) = self.pairs_that_wait(status, &mappings, 0, most).await?;
            *match status {
                Status::Held => &mut waiting.held,
                _ => &mut waiting.failed,
            } += count;
            let pairs: Vec<PairId> = lines.iter().map(|line| line.id).collect();
            let mut titles = self.titles(&[&definition], &pairs).await?;
            waiting.list.extend(lines.into_iter().map(|line| {
                let records = RecordName::of_pair(&definition.exchanges, &line.objects, &line.ids);
                WaitingItem {
                    status: status.word(),
                    remedies: of_pair(sync, &definition.exchanges, status, line.reason.as_ref(), &records),
                    records,
                    title: titles.remove(&line.id),
                    conflict: None,
                    field: None,
                    values: None,
                    reason: line.reason.map(|reason| names.view(&reason)),
                }
            }));
        }
        for mapping in &mappings {
            waiting.differing |= !self.ledger().differing(*mapping, 0, 1).await?.is_empty();
        }
        let which = ConflictFilter::Undecided(&mappings);
        let counts = self.ledger().count_conflicts(which).await?;
        waiting.conflicts = counts.iter().map(|count| count.conflicts).sum();
        waiting.total = waiting.held + waiting.failed + waiting.conflicts;
        if waiting.conflicts == 0 {
            return Ok(waiting);
        }
        let hub = definition.exchanges.iter().any(|exchange| exchange == HUB);
        let open = self.ledger().open_conflicts(which, 0, most).await?;
        let pairs: Vec<PairId> = open.iter().map(|open| open.conflict.pair).collect();
        let titles = self.titles(&[&definition], &pairs).await?;
        for open in open {
            let times = Sides::new(open.conflict.left.time, open.conflict.right.time);
            waiting.list.push(WaitingItem {
                status: "conflict",
                records: RecordName::of_pair(&definition.exchanges, &open.objects, &open.ids),
                title: titles.get(&open.conflict.pair).cloned(),
                conflict: Some(open.id),
                field: Some(open.fields.left),
                reason: Some(names.field_view(&open.conflict.reason, times)),
                values: Some(Sides::new(open.conflict.left.value, open.conflict.right.value)),
                remedies: vec![Remedy::SettleConflict { conflict: open.id, hub }],
            });
        }
        Ok(waiting)
    }

    /// Records that failed, of one sync or of all.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn list_failed(
        &self,
        sync: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<WaitingRecord>, TenantError> {
        self.list_waiting(Status::Failed, sync, request).await
    }

    /// Records that are held, of one sync or of all.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn list_held(
        &self,
        sync: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<WaitingRecord>, TenantError> {
        self.list_waiting(Status::Held, sync, request).await
    }

    async fn list_waiting(
        &self,
        status: Status,
        sync: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<WaitingRecord>, TenantError> {
        let definitions = self.definitions(sync).await?;
        // Where several syncs map the same objects, the first by name stands for them.
        let mut owners: BTreeMap<MappingId, &SyncDefinition> = BTreeMap::new();
        for definition in &definitions {
            for mapping in &definition.mappings {
                owners.entry(mapping.id).or_insert(definition);
            }
        }
        let mappings: Vec<MappingId> = owners.keys().copied().collect();
        let (lines, total) =
            self.pairs_that_wait(status, &mappings, request.above(), request.to_read()).await?;
        let page = Page::of(lines, request, |line| line.id, Some(total));
        let pairs: Vec<PairId> = page.rows.iter().map(|line| line.id).collect();
        let titles = self.titles(&definitions.iter().collect::<Vec<_>>(), &pairs).await?;
        let view = |line: &PairLine| {
            let definition = owners.get(&line.mapping)?;
            let records = RecordName::of_pair(&definition.exchanges, &line.objects, &line.ids);
            Some(WaitingRecord {
                sync: definition.name.clone(),
                status: status.word(),
                remedies: of_pair(
                    &definition.name,
                    &definition.exchanges,
                    status,
                    line.reason.as_ref(),
                    &records,
                ),
                records,
                title: titles.get(&line.id).cloned(),
                reason: line.reason.as_ref().map(|reason| Names(&definition.exchanges).view(reason)),
                attempts: line.attempts,
                due: line.due,
            })
        };
        let rows = page.rows.iter().filter_map(view).collect();
        Ok(page.with_rows(rows))
    }

    /// The first pairs of these mappings in a status above a number, and how many there are in all. An index holds
    /// the pairs of each mapping in their order, so that each gives its first ones, and the first of those are taken.
    async fn pairs_that_wait(
        &self,
        status: Status,
        mappings: &[MappingId],
        above: i64,
        most: usize,
    ) -> Result<(Vec<PairLine>, u64), TenantError> {
        let (mut lines, mut total) = (Vec::new(), 0);
        for &mapping in mappings {
            let count = self.ledger().count_in(status, mapping).await?;
            if count > 0 {
                total += count;
                lines.extend(self.ledger().pairs_in(status, Some(mapping), above, most).await?);
            }
        }
        lines.sort_by_key(|line| line.id);
        lines.truncate(most);
        Ok((lines, total))
    }
}
