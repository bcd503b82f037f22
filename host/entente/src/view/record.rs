//! Records of the hub: where each value comes from, and what waits.

use super::change::times;
use super::page::{Cursor, Page};
use super::reason::{Names, ReasonView};
use super::remedies::of_pair;
use super::title::title;
use crate::config::HUB;
use crate::tenant::{RecordName, Tenant, TenantError};
use entente_core::{Side, Sides, Timestamp, Value};
use entente_sqlite::{ListQuery, Origin, RecordView};
use entente_sync::{
    Change, ChangeStatus, ConflictFilter, DeletePolicy, FieldMapping, Pair, Remedy, RunId, Status,
    SyncDefinition,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many of the latest changes of a pair are looked through for what waits.
const HISTORY: usize = 100;

/// How many conflicts of a pair are looked at: more than any mapping has fields.
const CONFLICTS: usize = 10_000;

/// A record of the hub, with its pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordDetail {
    /// The record: each field with its value, since when, and who wrote it.
    #[serde(flatten)]
    pub record: RecordView,
    /// Fields whose value an undo has put back: it is older than the run that their origin names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub put_back: Vec<PutBackView>,
    /// Its pairs, by sync.
    pub pairs: Vec<PairView>,
    /// Fields about which something is not settled.
    pub unsettled: Vec<UnsettledView>,
}

/// A field whose value an undo has put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PutBackView {
    /// Its name.
    pub field: String,
    /// The run that has put it back.
    pub run: RunId,
    /// The run that had replaced it.
    pub undoes: RunId,
}

/// A record of another system than the hub, as its syncs know it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownRecordView {
    /// Its name.
    pub record: RecordName,
    /// Its mapped fields with the values that were last told or written; those of which nothing is known are left out.
    pub fields: Vec<KnownFieldView>,
    /// Its pairs, by sync.
    pub pairs: Vec<PairView>,
    /// Fields about which something is not settled.
    pub unsettled: Vec<UnsettledView>,
}

/// A field of such a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownFieldView {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// What syncs know of a record.
#[derive(Default)]
struct Known {
    pairs: Vec<PairView>,
    unsettled: Vec<UnsettledView>,
    fields: Vec<KnownFieldView>,
}

/// Records that were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletedView {
    /// Their names, as they were given.
    pub deleted: Vec<String>,
}

/// A record that would be deleted, and what its syncs would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletionView {
    /// The record.
    pub record: RecordName,
    /// What people call it, where its fields tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its counterparts that are still there.
    pub counterparts: Vec<CounterpartDeletionView>,
}

/// A counterpart of a record that would be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CounterpartDeletionView {
    /// The sync.
    pub sync: String,
    /// The counterpart.
    pub record: RecordName,
    /// What the sync does with it, by its policy.
    pub deletes: DeletePolicy,
}

/// What was exported to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedView {
    /// How many records.
    pub rows: u64,
    /// Fields that have values and that the format has no place for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A pair of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairView {
    /// The sync.
    pub sync: String,
    /// The record on the other side, where there is one.
    pub counterpart: Option<RecordName>,
    /// `todo`, `live`, `ok`, `failed`, `held`, `excluded` or `deleted`.
    pub status: &'static str,
    /// Why it stands there, where that is not plain.
    #[serde(flatten)]
    pub reason: Option<ReasonView>,
    /// When a failed one is tried again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What can be done about it, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// A field about which something is not settled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnsettledView {
    /// The sync.
    pub sync: String,
    /// The field of the record.
    pub field: String,
    /// `conflict`, `decided` for one that the next run writes as it was settled, `pending`, `held`, `differs` where the two values differ on purpose, or the status of a change that was not made.
    pub state: &'static str,
    /// The number of the conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<i64>,
    /// The run that saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// What the other side has, or is to get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Value>,
    /// Why it is not settled.
    #[serde(flatten)]
    pub reason: ReasonView,
}

impl Tenant {
    /// Records of the hub by id. Their number is not counted, since a search would have to read them all.
    ///
    /// # Errors
    /// Where there is no such object or field, or the database fails.
    pub async fn list_records(
        &self,
        object: &str,
        query: &ListQuery,
    ) -> Result<Page<RecordView>, TenantError> {
        let list = self.hub().list(object, query).await?;
        let next = list.next.and_then(|next| next.parse().ok()).map(Cursor::behind);
        Ok(Page { rows: list.records, next, total: None })
    }

    /// A record of the hub.
    ///
    /// # Errors
    /// Where there is no such record, or the database fails.
    pub async fn show_record(&self, object: &str, id: &str) -> Result<RecordDetail, TenantError> {
        let record = self.hub().get(object, id).await?;
        let Known { pairs, unsettled, .. } = self.known(HUB, object, id).await?;
        let put_back = self.put_back(&record).await?;
        Ok(RecordDetail { record, put_back, pairs, unsettled })
    }

    /// The fields that have a value from an undo.
    async fn put_back(&self, record: &RecordView) -> Result<Vec<PutBackView>, TenantError> {
        let (mut put_back, mut undoes) = (Vec::new(), BTreeMap::new());
        for field in &record.fields {
            let Some(Origin::Sync { run, .. }) = field.origin else { continue };
            if let Entry::Vacant(place) = undoes.entry(run) {
                place.insert(self.ledger().run(run).await?.and_then(|run| run.options.undoes()));
            }
            if let Some(Some(undoes)) = undoes.get(&run) {
                put_back.push(PutBackView { field: field.name.clone(), run, undoes: *undoes });
            }
        }
        Ok(put_back)
    }

    /// What a deletion of a record of the hub would mean: its name, and what its syncs would do.
    ///
    /// # Errors
    /// Where there is no such record, or the database fails.
    pub async fn show_deletion(&self, object: &str, id: &str) -> Result<DeletionView, TenantError> {
        let found = self.hub().get(object, id).await?;
        let mut counterparts = Vec::new();
        for definition in self.definitions(None).await? {
            for side in Side::BOTH.into_iter().filter(|side| definition.exchanges[*side] == HUB) {
                let pairs =
                    self.ledger().pairs_of_record(Some(&definition.relation), side, object, id).await?;
                for (mapping, pair) in pairs {
                    let (other, of) = (side.other(), definition.mapping(mapping.id));
                    let half = pair.half(other);
                    let Some((id, of)) = half.id.clone().filter(|_| half.deleted.is_none()).zip(of) else {
                        continue;
                    };
                    let exchange = definition.exchanges[other].clone();
                    let record = RecordName { exchange, object: mapping.objects[other].clone(), id };
                    let sync = definition.name.clone();
                    counterparts.push(CounterpartDeletionView { sync, record, deletes: of.deletes });
                }
            }
        }
        let title = title(found.fields.iter().map(|field| (field.name.as_str(), &field.value)));
        let record = RecordName { exchange: HUB.to_owned(), object: object.to_owned(), id: found.id };
        Ok(DeletionView { record, title, counterparts })
    }

    /// A record of another system, as far as syncs know it: the values that were last told or written, and what waits. The
    /// remote system is not asked.
    ///
    /// # Errors
    /// [`TenantError::NoPair`] where no sync knows the record, or where the database fails.
    pub async fn show_known_record(&self, record: &RecordName) -> Result<KnownRecordView, TenantError> {
        let Known { pairs, unsettled, fields } =
            self.known(&record.exchange, &record.object, &record.id).await?;
        if pairs.is_empty() {
            return Err(TenantError::NoPair(record.to_string()));
        }
        Ok(KnownRecordView { record: record.clone(), fields, pairs, unsettled })
    }

    async fn known(&self, exchange: &str, object: &str, id: &str) -> Result<Known, TenantError> {
        let Known { mut pairs, mut unsettled, mut fields } = Known::default();
        for definition in self.definitions(None).await? {
            for side in Side::BOTH.into_iter().filter(|side| definition.exchanges[*side] == exchange) {
                let found =
                    self.ledger().pairs_of_record(Some(&definition.relation), side, object, id).await?;
                for (mapping, pair) in found {
                    let other = side.other();
                    add_fields(&definition, side, &pair, &mut fields);
                    unsettled.extend(self.unsettled(&definition, side, &pair).await?);
                    let ids = pair.halves.as_ref().map(|half| half.id.clone());
                    let records = RecordName::of_pair(&definition.exchanges, &mapping.objects, &ids);
                    pairs.push(PairView {
                        remedies: of_pair(
                            &definition.name,
                            &definition.exchanges,
                            pair.status,
                            pair.reason.as_ref(),
                            &records,
                        ),
                        sync: definition.name.clone(),
                        counterpart: pair.half(other).id.clone().map(|id| RecordName {
                            exchange: definition.exchanges[other].clone(),
                            object: mapping.objects[other].clone(),
                            id,
                        }),
                        status: pair.status.word(),
                        reason: pair.reason.map(|reason| Names(&definition.exchanges).view(&reason)),
                        due: pair.due,
                    });
                }
            }
        }
        Ok(Known { pairs, unsettled, fields })
    }

    /// The fields of a pair about which something is not settled. `side` is where the record stands.
    async fn unsettled(
        &self,
        definition: &SyncDefinition,
        side: Side,
        pair: &Pair,
    ) -> Result<Vec<UnsettledView>, TenantError> {
        let Some(mapping) = definition.mapping(pair.mapping) else { return Ok(Vec::new()) };
        let names = Names(&definition.exchanges);
        let mut found = Found { sync: &definition.name, side, views: Vec::new() };
        let which = ConflictFilter::Pair(pair.id);
        for open in self.ledger().open_conflicts(which, 0, CONFLICTS).await? {
            let theirs = if side == Side::Left { &open.conflict.right } else { &open.conflict.left };
            let times = Sides::new(open.conflict.left.time, open.conflict.right.time);
            let reason = names.field_view(&open.conflict.reason, times);
            let other = Some(theirs.value.clone());
            let numbers = (Some(open.id), Some(open.conflict.run));
            let state = if open.ruling.is_some() { "decided" } else { "conflict" };
            found.add(mapping.field(open.conflict.slot), state, numbers, other, reason);
        }
        // The newest word about a field counts.
        let mut told = Vec::new();
        for change in self.ledger().history(pair.id, None, HISTORY).await? {
            let waits = waits(&change, pair);
            let Change { status, fields, target, reason, run, .. } = change;
            for field in fields {
                if told.contains(&field.slot)
                    || matches!(status, ChangeStatus::Dropped | ChangeStatus::Rehearsed)
                {
                    continue;
                }
                told.push(field.slot);
                if waits {
                    let why = match &reason {
                        Some(reason) => names.view(reason),
                        None => names.field_view(&field.reason, times(target, &field)),
                    };
                    let other = (target != side).then_some(field.value);
                    found.add(mapping.field(field.slot), status.word(), (None, Some(run)), other, why);
                }
            }
        }
        for (slot, reason) in pair.differing.iter().filter(|_| pair.status == Status::Ok) {
            let other = pair.current(side.other(), *slot).cloned();
            let why = names.field_view(reason, Sides::default());
            found.add(mapping.field(*slot), "differs", (None, None), other, why);
        }
        let state = match pair.status {
            Status::Todo | Status::Live => "pending",
            Status::Held => "held",
            _ => return Ok(found.views),
        };
        let reported = |slot| pair.half(side).seen(slot).or(pair.half(side.other()).seen(slot)).is_some();
        for field in mapping.fields.iter().filter(|field| reported(field.slot)) {
            let reason = pair.reason.as_ref().map_or_else(
                || ReasonView { code: "to-be-decided", reason: "decided by the next run".to_owned() },
                |reason| names.view(reason),
            );
            let other = pair.current(side.other(), field.slot).cloned();
            found.add(Some(field), state, (None, None), other, reason);
        }
        Ok(found.views)
    }
}

/// Adds what is known of the mapped fields of a record, each once.
fn add_fields(definition: &SyncDefinition, side: Side, pair: &Pair, fields: &mut Vec<KnownFieldView>) {
    let mapped = definition.mapping(pair.mapping).into_iter().flat_map(|mapping| &mapping.fields);
    for field in mapped.filter(|field| field.constant.is_none()) {
        let name = field.name(side);
        if let Some(value) = pair.current(side, field.slot)
            && !fields.iter().any(|known| known.name == name)
        {
            fields.push(KnownFieldView { name: name.to_owned(), value: value.clone() });
        }
    }
}

/// Whether a change still waits to be made.
fn waits(change: &Change, pair: &Pair) -> bool {
    match change.status {
        ChangeStatus::Withheld | ChangeStatus::Sent | ChangeStatus::Deferred | ChangeStatus::Retry => true,
        ChangeStatus::Failed => pair.status == Status::Failed,
        ChangeStatus::Planned | ChangeStatus::Done | ChangeStatus::Dropped | ChangeStatus::Rehearsed => false,
    }
}

/// What was found of a pair: each field once, the first word about it.
struct Found<'a> {
    sync: &'a str,
    side: Side,
    views: Vec<UnsettledView>,
}

impl Found<'_> {
    fn add(
        &mut self,
        field: Option<&FieldMapping>,
        state: &'static str,
        (conflict, run): (Option<i64>, Option<i64>),
        other: Option<Value>,
        reason: ReasonView,
    ) {
        let Some(field) = field.map(|field| field.name(self.side).to_owned()) else { return };
        if !self.views.iter().any(|known| known.field == field) {
            let sync = self.sync.to_owned();
            self.views.push(UnsettledView { sync, field, state, conflict, run, other, reason });
        }
    }
}
