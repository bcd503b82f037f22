//! Changes of a plan or of a run, with the names of records and fields.

use super::page::{Page, PageRequest};
use super::reason::{Names, ReasonView, Times};
use super::run::exchanges_of;
use super::title::{named_by, title};
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::{Reference, Side, Sides, Value};
use entente_sync::{
    Action, Change, ChangeCount, ChangeFilter, ChangeStatus, ChangedField, Deed, MappingId, MappingRow, Pair,
    PairId, Run, Slot,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;

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
    /// What people call the record, where its fields tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
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

/// How many changes of a run do the same in the same exchange and have the same status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeTotal {
    /// The exchange that is written.
    pub exchange: String,
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// Their status.
    pub status: &'static str,
    /// How many.
    pub changes: u64,
}

/// Which changes of a run are meant; the default is all of them. As a text: `object=contact,action=update,record=contact:12`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChangeQuery {
    /// Of an object, by its name on either side.
    pub object: Option<String>,
    /// That do this.
    pub action: Option<Deed>,
    /// To this record, or from it.
    pub record: Option<RecordName>,
    /// In this status.
    pub status: Option<ChangeStatus>,
}

impl FromStr for ChangeQuery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let known = |what: &str, words: &[&str]| {
                format!("'{value}' is no {what}; there is: {}", words.join(", "))
            };
            match name.trim() {
                "object" if !value.is_empty() => query.object = Some(value.to_owned()),
                "record" => query.record = Some(value.parse()?),
                "action" => {
                    let deeds = [Deed::Create, Deed::Update, Deed::Delete];
                    let deed = deeds.into_iter().find(|deed| action_word(*deed) == value);
                    query.action = Some(deed.ok_or_else(|| known("action", &deeds.map(action_word)))?);
                }
                "status" => {
                    let status = ChangeStatus::from_word(value);
                    let words = ChangeStatus::ALL.map(ChangeStatus::word);
                    query.status = Some(status.ok_or_else(|| known("status", &words))?);
                }
                _ => {
                    return Err(format!(
                        "'{part}' is no filter; write object=NAME, action=create, status=failed or record=contact:12, with commas between"
                    ));
                }
            }
        }
        Ok(query)
    }
}

pub(super) const fn action_word(deed: Deed) -> &'static str {
    match deed {
        Deed::Create => "create",
        Deed::Update => "update",
        Deed::Delete => "delete",
    }
}

/// Where a page of changes ends: deletions come first, so that a place among them is even, and one among the others odd.
fn place(change: &Change) -> i64 {
    let others = !matches!(change.action, Action::Delete(_));
    change.id.saturating_mul(2).saturating_add(i64::from(others))
}

impl Tenant {
    /// The changes of a run: deletions first, the others in the order of its plan.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_changes(
        &self,
        run: &Run,
        query: &ChangeQuery,
        request: PageRequest,
    ) -> Result<Page<ChangeView>, TenantError> {
        if run.options.imports().is_some() {
            return self.list_imported(run, query, request).await;
        }
        let filter = self.change_filter(run, query).await?;
        let counts = self.ledger().count_changes(run.id, &filter).await?;
        let total = counts.iter().map(|count| count.changes).sum();
        let (above, most) = (request.above(), request.to_read());
        let mut changes = Vec::new();
        let deletes = counts.iter().any(|count| count.deed == Deed::Delete);
        if above % 2 == 0 && deletes {
            let filter = ChangeFilter { deletes: Some(true), ..filter.clone() };
            changes = self.ledger().changes_of_run(run.id, &filter, above / 2, most).await?;
        }
        if changes.len() < most {
            let after = if above % 2 == 0 { 0 } else { above / 2 };
            let filter = ChangeFilter { deletes: Some(false), ..filter };
            changes.extend(self.ledger().changes_of_run(run.id, &filter, after, most - changes.len()).await?);
        }
        let mut page = Page::of(changes, request, place, Some(total));
        let rows = self.view_changes(run, &std::mem::take(&mut page.rows)).await?;
        Ok(page.with_rows(rows))
    }

    /// How many changes of a run do what, in which exchange, and how they stand.
    ///
    /// # Errors
    /// Where the database fails.
    pub(super) async fn total_changes(
        &self,
        run: &Run,
        query: &ChangeQuery,
    ) -> Result<Vec<ChangeTotal>, TenantError> {
        if run.options.imports().is_some() {
            return self.total_imported(run, query).await;
        }
        let exchanges = exchanges_of(self, run).await;
        let filter = self.change_filter(run, query).await?;
        let counts = self.ledger().count_changes(run.id, &filter).await?;
        let total = |count: ChangeCount| ChangeTotal {
            exchange: exchanges[count.target].clone(),
            action: action_word(count.deed),
            status: count.status.word(),
            changes: count.changes,
        };
        Ok(counts.into_iter().map(total).collect())
    }

    async fn change_filter(&self, run: &Run, query: &ChangeQuery) -> Result<ChangeFilter, TenantError> {
        let mut filter = ChangeFilter { status: query.status, deed: query.action, ..ChangeFilter::default() };
        if let Some(object) = &query.object {
            let mappings = self.ledger().mappings(Some(&run.relation)).await?;
            let named = mappings.iter().filter(|row| row.objects.iter().any(|name| name == object));
            filter.mappings = Some(named.map(|row| row.id).collect());
        }
        if let Some(record) = &query.record {
            let exchanges = exchanges_of(self, run).await;
            let mut pairs = Vec::new();
            for side in Side::BOTH.into_iter().filter(|side| exchanges[*side] == record.exchange) {
                let found =
                    self.ledger().pairs_of_record(Some(&run.relation), side, &record.object, &record.id);
                pairs.extend(found.await?.into_iter().map(|(_, pair)| pair.id));
            }
            filter.pairs = Some(pairs);
        }
        Ok(filter)
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
        view_of_relation(self, &run.relation, &exchanges, changes).await
    }
}

/// Changes of a relation with the names of records and fields.
pub(super) async fn view_of_relation(
    tenant: &Tenant,
    relation: &str,
    exchanges: &Sides<String>,
    changes: &[Change],
) -> Result<Vec<ChangeView>, TenantError> {
    let mut lookup = Lookup::new(tenant, relation, exchanges).await?;
    let mut views = Vec::with_capacity(changes.len());
    // Pairs are large: not those of a whole run at a time.
    for changes in changes.chunks(500) {
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        let pairs: BTreeMap<PairId, Pair> =
            tenant.ledger().pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        for change in changes {
            views.push(lookup.view(change, pairs.get(&change.pair)).await?);
        }
    }
    Ok(views)
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
        let title = self.title(change, pair).await?;
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
            action: action_word(change.action.deed()),
            record: change.record().map(|id| self.record(change, target, id)),
            source: half(target.other()).map(|id| self.record(change, target.other(), id)),
            title,
            status: change.status.word(),
            reason: change.reason.as_ref().map(|reason| names.view(reason)),
            fields,
        })
    }

    /// What people call the record of a change: by what is known of its pair, else by what the change writes or deletes. The
    /// names of the hub's fields tell most.
    async fn title(&mut self, change: &Change, pair: Option<&Pair>) -> Result<Option<String>, TenantError> {
        let named_by = named_by(self.exchanges, change.target);
        let mut values: BTreeMap<Slot, &Value> = change
            .fields
            .iter()
            .map(|field| {
                (field.slot, field.base.as_ref().filter(|_| field.value.is_blank()).unwrap_or(&field.value))
            })
            .collect();
        let slots = pair.map_or(0, |pair| {
            pair.agreed.len().max(pair.halves.left.seen.len()).max(pair.halves.right.seen.len())
        });
        for slot in (0..slots).map(Slot) {
            let known = pair.and_then(|pair| {
                let of = |side: Side| pair.current(side, slot).filter(|value| !value.is_blank());
                of(named_by).or_else(|| of(named_by.other()))
            });
            if let Some(value) = known {
                values.insert(slot, value);
            }
        }
        let mut fields = Vec::with_capacity(values.len());
        for (slot, value) in values {
            fields.push((self.field(change.mapping, slot, named_by).await?, value));
        }
        Ok(title(fields.iter().map(|(name, value)| (name.as_str(), *value))))
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
