//! Changes of a plan or of a run, with the names of records and fields.

use super::page::{Page, PageRequest};
use super::reason::{Names, ReasonView, Times};
use super::run::exchanges_of;
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::{Reference, Side, Sides, Value};
use entente_sync::{
    Action, Change, ChangeFilter, ChangeStatus, ChangedField, MappingId, MappingRow, Pair, PairId, Run, Slot,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// A change of one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeView {
    /// The exchange that is written.
    pub exchange: String,
    /// The object there.
    pub object: String,
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// The record that is written or was made, also if its pair has another one by now; `None` while it is to
    /// be made.
    pub record: Option<RecordName>,
    /// The record of the other side that it comes from, where there is one.
    pub source: Option<RecordName>,
    /// `planned`, `withheld`, `sent`, `done`, `dropped`, `failed`, `deferred` or `retry`.
    pub status: &'static str,
    /// Why it stands there, where that is not plain.
    #[serde(flatten)]
    pub reason: Option<ReasonView>,
    /// Its fields.
    pub fields: Vec<ChangedFieldView>,
}

/// A field of a change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangedFieldView {
    /// The name of the field in the exchange that is written.
    pub field: String,
    /// What stood there when it was decided; `None` where that was not known, or the record is new.
    pub before: Option<Value>,
    /// What is written, with links in the names of the exchange that is written.
    pub after: Value,
    /// Links among the value to records that the exchange does not have yet, by their names on the other side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_linked: Vec<String>,
    /// Why this value is written.
    #[serde(flatten)]
    pub reason: ReasonView,
}

impl Tenant {
    /// The changes of a run in the order of its plan: all, or those in a status.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_changes(
        &self,
        run: &Run,
        status: Option<ChangeStatus>,
        request: PageRequest,
    ) -> Result<Page<ChangeView>, TenantError> {
        let filter = ChangeFilter { target: None, status };
        let changes =
            self.ledger().changes_of_run(run.id, filter, request.above(), request.to_read()).await?;
        let counts = self.ledger().count_changes(run.id).await?;
        let counted = counts.iter().filter(|(counted, _)| status.is_none_or(|status| status == *counted));
        let total = counted.map(|(_, count)| count).sum();
        let mut page = Page::of(changes, request, |change| change.id, Some(total));
        let rows = self.view_changes(run, &std::mem::take(&mut page.rows)).await?;
        Ok(page.with_rows(rows))
    }

    /// What a run that applied or undid another one left out; each has its reason.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_left_out(
        &self,
        run: &Run,
        request: PageRequest,
    ) -> Result<Page<ChangeView>, TenantError> {
        // Counted once: a later page is read on from where the one before ended.
        let total = match request.after {
            None => Some(self.count_left_out(run).await?),
            Some(_) => None,
        };
        let read = self.left_out(run, request.above(), request.to_read()).await?;
        let mut page = Page::of(read, request, |change| change.id, total);
        let rows = self.view_changes(run, &std::mem::take(&mut page.rows)).await?;
        Ok(page.with_rows(rows))
    }

    async fn view_changes(&self, run: &Run, changes: &[Change]) -> Result<Vec<ChangeView>, TenantError> {
        let exchanges = exchanges_of(self, run).await;
        let mut lookup = Lookup::new(self, &run.relation, &exchanges).await?;
        let mut views = Vec::with_capacity(changes.len());
        // Pairs are large: not those of a whole run at a time.
        for changes in changes.chunks(500) {
            let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
            let pairs: BTreeMap<PairId, Pair> =
                self.ledger().pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
            for change in changes {
                views.push(lookup.view(change, pairs.get(&change.pair)).await?);
            }
        }
        Ok(views)
    }
}

/// When the two values of a field had changed, left and right.
pub(super) fn times(target: Side, field: &ChangedField) -> Times {
    Sides::seen_from(target, field.base_time, field.time)
}

/// Names of objects, fields and linked records, each looked up once. They are those that the ledger numbers, so that
/// the history of what a sync no longer maps can still be read.
struct Lookup<'a> {
    tenant: &'a Tenant,
    relation: &'a str,
    exchanges: &'a Sides<String>,
    mappings: BTreeMap<MappingId, MappingRow>,
    fields: BTreeMap<MappingId, BTreeMap<Slot, Sides<String>>>,
    /// By target and link of the source; `None` where the target has no such record.
    links: BTreeMap<(Side, Reference), Option<Reference>>,
}

impl<'a> Lookup<'a> {
    async fn new(
        tenant: &'a Tenant,
        relation: &'a str,
        exchanges: &'a Sides<String>,
    ) -> Result<Self, TenantError> {
        let rows = tenant.ledger().mappings(Some(relation)).await?;
        let mappings = rows.into_iter().map(|row| (row.id, row)).collect();
        Ok(Self { tenant, relation, exchanges, mappings, fields: BTreeMap::new(), links: BTreeMap::new() })
    }

    fn object(&self, mapping: MappingId, side: Side) -> String {
        self.mappings.get(&mapping).map_or_else(|| "?".to_owned(), |row| row.objects[side].clone())
    }

    fn record(&self, change: &Change, side: Side, id: &str) -> RecordName {
        RecordName {
            exchange: self.exchanges[side].clone(),
            object: self.object(change.mapping, side),
            id: id.to_owned(),
        }
    }

    async fn field(&mut self, mapping: MappingId, slot: Slot, side: Side) -> Result<String, TenantError> {
        if !self.fields.contains_key(&mapping) {
            let slots = self.tenant.ledger().slots(mapping).await?;
            self.fields.insert(mapping, slots.into_iter().map(|row| (row.slot, row.fields)).collect());
        }
        let known = self.fields.get(&mapping).and_then(|slots| slots.get(&slot));
        Ok(known.map_or_else(|| format!("slot {slot}"), |names| names[side].clone()))
    }

    async fn view(&mut self, change: &Change, pair: Option<&Pair>) -> Result<ChangeView, TenantError> {
        let (target, names) = (change.target, Names(self.exchanges));
        let half = |side: Side| pair.and_then(|pair| pair.half(side).id.as_deref());
        let action = match change.action {
            Action::Create => "create",
            Action::Update(_) => "update",
            Action::Delete(_) => "delete",
        };
        let mut fields = Vec::with_capacity(change.fields.len());
        for field in &change.fields {
            let (after, not_linked) = self.translate(target, &field.value).await?;
            fields.push(ChangedFieldView {
                field: self.field(change.mapping, field.slot, target).await?,
                before: field.base.clone(),
                after,
                not_linked,
                reason: names.field_view(&field.reason, times(target, field)),
            });
        }
        Ok(ChangeView {
            exchange: self.exchanges[target].clone(),
            object: self.object(change.mapping, target),
            action,
            record: change.record().map(|id| self.record(change, target, id)),
            source: half(target.other()).map(|id| self.record(change, target.other(), id)),
            status: change.status.word(),
            reason: change.reason.as_ref().map(|reason| names.view(reason)),
            fields,
        })
    }

    /// A value with links in the names of the target, and those that it does not have.
    async fn translate(&mut self, target: Side, value: &Value) -> Result<(Value, Vec<String>), TenantError> {
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
    ) -> Result<Reference, TenantError> {
        let source = target.other();
        if !self.mappings.values().any(|mapping| mapping.objects[source] == link.object) {
            // In the names of the target already.
            return Ok(link.clone());
        }
        let key = (target, link.clone());
        let found = match self.links.get(&key) {
            Some(found) => found.clone(),
            None => {
                let ledger = self.tenant.ledger();
                let pairs =
                    ledger.pairs_of_record(Some(self.relation), source, &link.object, &link.id).await?;
                let found = pairs.into_iter().find_map(|(mapping, pair)| {
                    Some(Reference {
                        object: mapping.objects[target].clone(),
                        id: pair.half(target).id.clone()?,
                    })
                });
                self.links.insert(key, found.clone());
                found
            }
        };
        Ok(found.unwrap_or_else(|| {
            missing.push(format!("{}:{}", link.object, link.id));
            link.clone()
        }))
    }
}
