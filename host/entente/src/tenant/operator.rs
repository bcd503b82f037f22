//! Operator calls between runs: settling conflicts and retrying failed records. Each holds the lease of the
//! relation, so that it excludes runs.

use super::presence::{self, Presence};
use super::{Tenant, TenantError};
use crate::config::HUB;
use entente_core::Foreign;
use entente_sync::{
    Choice, ConflictFilter, FieldMapping, Lease, LedgerError, MappingId, ObjectMapping, OpenConflict, Pair,
    Run, RunStatus, Side, Sides, Slot, Status, SyncDefinition,
};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The time to live of such a lease; no operator call takes longer.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// How often a call that waits for the lease tries again.
const POLL: Duration = Duration::from_millis(500);
/// An open conflict, with the sync that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingConflict {
    /// The first sync, by name, that maps the field.
    pub sync: String,
    /// The relation of its pair.
    pub relation: String,
    /// The exchanges, left and right.
    pub exchanges: Sides<String>,
    /// The field mapping; `None` where the field is no longer mapped.
    pub field: Option<FieldMapping>,
    /// The fields that are one fact with it, by their names on the left: a side that is chosen for it is chosen for them.
    pub together: Vec<String>,
    /// The conflict.
    pub open: OpenConflict,
}

/// The other fields of the group of a field, by their names on the left.
fn together(mapping: &ObjectMapping, slot: Slot) -> Vec<String> {
    let group = mapping.groups.iter().find(|group| group.contains(&slot)).into_iter().flatten();
    let others = group.filter(|other| **other != slot).filter_map(|other| mapping.field(*other));
    others.map(|field| field.name(Side::Left).to_owned()).collect()
}

/// The name of a record: `contact:12` of the hub, `HelloWorld/person:p3` of an integration. Serialised as
/// [`to_data`](Self::to_data), displayed as [`Foreign`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordName {
    /// The exchange.
    pub exchange: String,
    /// The object.
    pub object: String,
    /// The id.
    pub id: String,
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Foreign::new(self.to_data()).named())
    }
}

impl Serialize for RecordName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_data())
    }
}

impl RecordName {
    /// The names of a pair's records, left first.
    pub(crate) fn of_pair(
        exchanges: &Sides<String>,
        objects: &Sides<String>,
        ids: &Sides<Option<String>>,
    ) -> Vec<Self> {
        let of_side = |side: Side| {
            let (exchange, object, id) = (exchanges[side].clone(), objects[side].clone(), ids[side].clone()?);
            Some(Self { exchange, object, id })
        };
        Side::BOTH.into_iter().filter_map(of_side).collect()
    }

    /// As commands take it and programs read it.
    pub fn to_data(&self) -> String {
        match self.exchange == HUB {
            true => format!("{}:{}", self.object, self.id),
            false => format!("{}/{}:{}", self.exchange, self.object, self.id),
        }
    }

    /// For people, without the exchange, where it is clear from context.
    pub fn short(&self) -> String {
        format!("{}:{}", Foreign::new(&self.object), Foreign::new(&self.id))
    }
}

impl FromStr for RecordName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{}' names no record; write for example contact:12 (of the hub) or HelloWorld/person:p3",
                Foreign::new(text)
            )
        };
        let (name, id) = text.split_once(':').ok_or_else(wrong)?;
        let (exchange, object) = name.split_once('/').unwrap_or((HUB, name));
        if exchange.is_empty() || object.is_empty() || id.is_empty() {
            return Err(wrong());
        }
        Ok(Self { exchange: exchange.to_owned(), object: object.to_owned(), id: id.to_owned() })
    }
}

/// The result of retrying a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retried {
    /// The record.
    pub record: RecordName,
    /// The sync.
    pub sync: String,
    /// Its status before.
    pub status: Status,
    /// Whether it is retried: only failed and held records can be.
    pub again: bool,
}

/// How many failed records of a sync are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetriedAll {
    /// The sync.
    pub sync: String,
    /// How many records, of those that no sync named before has.
    pub records: u64,
}

/// A lease, with the mark that its holder is alive.
pub(super) struct HeldLease {
    pub(super) lease: Lease,
    _presence: Presence,
}

impl Tenant {
    /// The definition of the sync of this name, or all definitions.
    pub(crate) async fn definitions(&self, sync: Option<&str>) -> Result<Vec<SyncDefinition>, TenantError> {
        if let Some(sync) = sync {
            return Ok(vec![self.configuration.definition(sync).await?]);
        }
        let mut definitions = Vec::new();
        for stored in self.configuration.syncs().await? {
            definitions.push(self.configuration.definition(&stored.name).await?);
        }
        Ok(definitions)
    }

    /// Releases the lease of a relation whose holder is known to have died.
    pub(super) async fn take_over(&self, relation: &str) -> Result<(), TenantError> {
        let folder = self.configuration.folder();
        if let Some((lease, holder)) = self.ledger.holder(relation).await?
            && presence::has_died(&folder, &holder)
        {
            tracing::info!(relation, holder, "a run was cut off; this one goes on from there");
            self.ledger.release(&lease).await?;
            presence::forget(&folder, &holder);
        }
        Ok(())
    }

    /// Runs an operation under the lease of the relation.
    pub(super) async fn leased<T>(
        &self,
        relation: &str,
        wait: bool,
        work: impl AsyncFnOnce(&Lease) -> Result<T, LedgerError>,
    ) -> Result<T, TenantError> {
        let held = self.take_lease(relation, wait).await?;
        let kept = self.ledger.keep(&held.lease, LEASE);
        let done = work(&held.lease).await;
        drop(kept);
        self.ledger.release(&held.lease).await?;
        Ok(done?)
    }

    /// Takes the lease of a relation.
    pub(super) async fn take_lease(&self, relation: &str, wait: bool) -> Result<HeldLease, TenantError> {
        let presence = Presence::begin(&self.configuration.folder());
        loop {
            self.take_over(relation).await?;
            match self.ledger.acquire(relation, presence.holder(), self.clock.now(), LEASE).await {
                Ok(lease) => return Ok(HeldLease { lease, _presence: presence }),
                Err(LedgerError::Busy { .. }) if wait => self.clock.sleep(POLL).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A run with its current status: a run left as running by a process that died is interrupted.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn as_it_stands(&self, mut run: Run) -> Result<Run, TenantError> {
        if run.status != RunStatus::Running {
            return Ok(run);
        }
        let folder = self.configuration.folder();
        if let Some((_, holder)) = self.ledger.holder(&run.relation).await?
            && !presence::has_died(&folder, &holder)
        {
            return Ok(run);
        }
        // The run may have ended since it was read.
        run = self.ledger.run(run.id).await?.unwrap_or(run);
        if run.status == RunStatus::Running {
            run.status = RunStatus::Interrupted;
        }
        Ok(run)
    }

    /// A page of open conflicts by number, after `after`, of one sync or all, also of those that are decided and not yet
    /// written; with the total.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn open_conflicts(
        &self,
        sync: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<(Vec<WaitingConflict>, u64), TenantError> {
        let definitions = self.definitions(sync).await?;
        // If several syncs map the same objects, the first by name is shown.
        let mut owners: BTreeMap<MappingId, (&SyncDefinition, &ObjectMapping)> = BTreeMap::new();
        for definition in &definitions {
            for mapping in &definition.mappings {
                owners.entry(mapping.id).or_insert((definition, mapping));
            }
        }
        let mappings: Vec<MappingId> = owners.keys().copied().collect();
        let which = ConflictFilter::Mappings(&mappings);
        let counts = self.ledger.count_conflicts(which).await?;
        let total = counts.iter().map(|count| count.conflicts).sum();
        let open = self.ledger.open_conflicts(which, after, limit).await?;
        let waiting = open.into_iter().filter_map(|open| {
            let (definition, mapping) = owners.get(&open.mapping)?;
            Some(WaitingConflict {
                sync: definition.name.clone(),
                relation: definition.relation.clone(),
                exchanges: definition.exchanges.clone(),
                field: mapping.field(open.conflict.slot).cloned(),
                together: together(mapping, open.conflict.slot),
                open,
            })
        });
        Ok((waiting.collect(), total))
    }

    /// The conflicts that nobody has decided, of one sync or of all.
    ///
    /// # Errors
    /// As [`Tenant::open_conflicts`].
    pub async fn undecided_conflicts(&self, sync: Option<&str>) -> Result<Vec<WaitingConflict>, TenantError> {
        let (mut open, _) = self.open_conflicts(sync, 0, usize::MAX).await?;
        open.retain(|conflict| conflict.open.ruling.is_none());
        Ok(open)
    }

    /// How many fields in conflict a run has left that no run before it had left. What a dry run was the first to see is left by the
    /// run that follows it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn new_conflicts(&self, run: &Run) -> Result<u64, TenantError> {
        let definition = self.configuration.definition(&run.sync).await?;
        let mappings: Vec<MappingId> = definition.mappings.iter().map(|mapping| mapping.id).collect();
        let (mut before, mut last) = (run.id, None);
        while last.is_none() {
            let earlier = self.ledger.runs(Some(&run.sync), Some(before), 20).await?;
            let Some(oldest) = earlier.last() else { break };
            before = oldest.id;
            last = earlier.iter().find(|earlier| !earlier.options.is_dry()).map(|earlier| earlier.id);
        }
        Ok(self.ledger.count_new_conflicts(&mappings, last.unwrap_or(0)).await?)
    }

    /// The open conflict with this number; `None` where it is closed or never existed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn find_conflict(&self, number: i64) -> Result<Option<WaitingConflict>, TenantError> {
        let (mut found, _) = self.open_conflicts(None, number.saturating_sub(1), 1).await?;
        Ok(found.pop().filter(|conflict| conflict.open.id == number))
    }

    /// Settles conflicts by the operator's rulings, which the next run carries out. Returns the numbers of
    /// those that were closed meanwhile. With `wait`, waits for a run under way.
    ///
    /// # Errors
    /// [`LedgerError::Busy`] while a run is under way, or where the database fails.
    pub async fn settle_conflicts(
        &self,
        choices: &[(WaitingConflict, Choice)],
        wait: bool,
    ) -> Result<Vec<i64>, TenantError> {
        let mut by_relation: BTreeMap<&str, Vec<(i64, &Choice)>> = BTreeMap::new();
        for (conflict, choice) in choices {
            by_relation.entry(&conflict.relation).or_default().push((conflict.open.id, choice));
        }
        let mut gone = Vec::new();
        for (relation, choices) in by_relation {
            let closed = self
                .leased(relation, wait, async |lease| {
                    let mut closed = Vec::new();
                    for (number, choice) in choices {
                        if !self.ledger.settle_conflict(lease, number, choice).await? {
                            closed.push(number);
                        }
                    }
                    Ok(closed)
                })
                .await?;
            gone.extend(closed);
        }
        Ok(gone)
    }

    /// Sets all failed pairs of one sync or all back to `todo`. Returns the number of records by sync.
    ///
    /// # Errors
    /// [`LedgerError::Busy`] while a run is under way; where there is no such sync, or the database fails.
    pub async fn retry_failed(&self, sync: Option<&str>, wait: bool) -> Result<Vec<RetriedAll>, TenantError> {
        let mut again = Vec::new();
        let mut seen: BTreeSet<MappingId> = BTreeSet::new();
        for definition in self.definitions(sync).await? {
            let mappings: Vec<MappingId> = definition
                .mappings
                .iter()
                .map(|mapping| mapping.id)
                .filter(|mapping| seen.insert(*mapping))
                .collect();
            let count = self
                .leased(&definition.relation, wait, async |lease| {
                    let mut count = 0;
                    for mapping in mappings {
                        count += self.ledger.retry(lease, mapping, None).await?;
                    }
                    Ok(count)
                })
                .await?;
            again.push(RetriedAll { sync: definition.name, records: count });
        }
        Ok(again)
    }

    /// Sets the failed and held pairs of these records back to `todo`, in one sync or in all.
    ///
    /// # Errors
    /// [`TenantError::NoPair`] where a record is in no sync; [`LedgerError::Busy`] while a run is under way.
    pub async fn retry_records(
        &self,
        records: &[RecordName],
        sync: Option<&str>,
        wait: bool,
    ) -> Result<Vec<Retried>, TenantError> {
        // All records are looked up before any is changed.
        let mut found: BTreeMap<String, Vec<(MappingId, Pair, Retried)>> = BTreeMap::new();
        let definitions = self.definitions(sync).await?;
        for record in records {
            let mut known = false;
            let mut seen = BTreeSet::new();
            for definition in &definitions {
                for side in
                    Side::BOTH.into_iter().filter(|side| definition.exchanges[*side] == record.exchange)
                {
                    let pairs = self
                        .ledger
                        .pairs_of_record(Some(&definition.relation), side, &record.object, &record.id)
                        .await?;
                    for (mapping, pair) in pairs.into_iter().filter(|(_, pair)| seen.insert(pair.id)) {
                        known = true;
                        let again = matches!(pair.status, Status::Failed | Status::Held);
                        let retried = Retried {
                            record: record.clone(),
                            sync: definition.name.clone(),
                            status: pair.status,
                            again,
                        };
                        found
                            .entry(definition.relation.clone())
                            .or_default()
                            .push((mapping.id, pair, retried));
                    }
                }
            }
            if !known {
                return Err(TenantError::NoPair(record.to_string()));
            }
        }
        let mut done = Vec::new();
        for (relation, pairs) in found {
            let of_relation = self
                .leased(&relation, wait, async |lease| {
                    let mut done = Vec::new();
                    for (mapping, pair, mut retried) in pairs {
                        // What is under way may have been put off by its side.
                        if retried.again || pair.status == Status::Live {
                            retried.again = self.ledger.retry(lease, mapping, Some(pair.id)).await? > 0;
                        }
                        done.push(retried);
                    }
                    Ok(done)
                })
                .await?;
            done.extend(of_relation);
        }
        Ok(done)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn records_are_named_by_exchange_object_and_id() {
        for (text, exchange, object, id) in [
            ("contact:12", "hub", "contact", "12"),
            ("HelloWorld/person:p3", "HelloWorld", "person", "p3"),
            ("Odoo/res.partner:a/b:7", "Odoo", "res.partner", "a/b:7"),
            ("contact:a/b", "hub", "contact", "a/b"),
        ] {
            let name: RecordName = text.parse().unwrap();
            assert_eq!(
                (name.exchange.as_str(), name.object.as_str(), name.id.as_str()),
                (exchange, object, id),
                "{text}"
            );
            assert_eq!((name.to_string(), name.to_data()), (text.to_owned(), text.to_owned()));
        }
        for text in ["", "contact", "contact:", ":12", "/person:1", "x/:1", "12"] {
            assert!(text.parse::<RecordName>().is_err(), "{text}");
        }
    }
}
