//! How syncs stand: every pair counted once.

use super::differing::DifferingView;
use super::reason::{Names, ReasonView};
use super::run::{Exchanges, RunView};
use super::waiting::WaitingView;
use crate::config::{ConfigError, HUB, Health};
use crate::tenant::{Tenant, TenantError};
use entente_core::{Sides, Timestamp};
use entente_sync::{
    Code, ConflictCount, ConflictFilter, Counted, MappingId, PairCount, Remedy, RunKind, RunStatus, Status,
    SyncDefinition, Trust,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How a sync stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusView {
    /// Its name.
    pub sync: String,
    /// The exchanges.
    pub exchanges: Exchanges,
    /// Those of them that are switched off.
    pub disabled: Vec<String>,
    /// Those of them whose plugins crashed in their last runs.
    pub crashed: BTreeMap<String, Health>,
    /// The side that wins until it has, where one was named.
    pub trust: Option<Trust>,
    /// Its last run.
    pub last_run: Option<RunView>,
    /// By pair of objects.
    pub objects: Vec<ObjectStatus>,
    /// All objects together, without reasons.
    pub total: Tally,
    /// What to do next, the first thing first; nothing where all is well.
    pub next: Vec<Remedy>,
    /// What waits, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// Fields that differ on purpose, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differing: Option<DifferingView>,
}

/// How the pairs of two objects stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectStatus {
    /// The names of the objects, left and right.
    pub objects: Sides<String>,
    /// Whether the sync still maps them.
    pub mapped: bool,
    /// How many there are of which.
    #[serde(flatten)]
    pub tally: Tally,
}

/// Records, each pair counted once; fields in conflict are counted besides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// All pairs.
    pub records: u64,
    /// Nothing is to be done.
    pub in_sync: u64,
    /// The next run has something to do.
    pub pending: u64,
    /// A write was refused.
    pub failed: u64,
    /// They wait for the operator.
    pub held: u64,
    /// Outside the filter, left out by choice, or deleted.
    pub excluded: u64,
    /// Fields whose two values contradict each other, and nobody has decided.
    pub conflicts: u64,
    /// Such fields that were decided; the next run writes them.
    pub decided: u64,
    /// Records in sync with fields that differ on purpose: what a policy withholds, a drift that is kept, a reference
    /// that cannot be written, a form that a remote system gives to a value.
    pub differing: u64,
    /// Why, where it is known.
    pub reasons: Vec<CountedReason>,
}

/// A reason, and how many have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountedReason {
    /// The status that it is the reason of: a word of [`Status`], or `conflict`.
    pub status: &'static str,
    /// The code, and a sentence for all of them.
    #[serde(flatten)]
    pub reason: ReasonView,
    /// How many.
    pub records: u64,
    /// Sentences of a few that differ.
    pub samples: Vec<String>,
}

impl Tally {
    /// Whether any of its records has a reason of this code.
    fn has(&self, code: Code) -> bool {
        self.reasons.iter().any(|counted| counted.reason.code == code.word())
    }

    fn count(&mut self, count: PairCount, names: Names<'_>) {
        let PairCount { status, code, samples, pairs, differing, .. } = count;
        self.records += pairs;
        self.differing += if status == Status::Ok { differing } else { 0 };
        *match status {
            Status::Ok => &mut self.in_sync,
            Status::Todo | Status::Live => &mut self.pending,
            Status::Failed => &mut self.failed,
            Status::Held => &mut self.held,
            Status::Excluded | Status::Deleted => &mut self.excluded,
        } += pairs;
        if let Some(code) = code
            && status != Status::Ok
        {
            let counted = names.counted(code, &Counted { count: pairs, samples });
            self.reasons.push(CountedReason {
                status: status.word(),
                reason: counted.reason,
                records: pairs,
                samples: counted.samples,
            });
        }
    }

    fn count_conflicts(&mut self, count: &ConflictCount, names: Names<'_>) {
        let open = count.conflicts.saturating_sub(count.decided);
        self.conflicts += open;
        self.decided += count.decided;
        if open == 0 {
            return;
        }
        let reason = names.field_view(&count.reason, Sides::default());
        self.reasons.push(CountedReason {
            status: "conflict",
            samples: vec![reason.reason.clone()],
            reason,
            records: open,
        });
    }

    /// Adds another one, but for its reasons.
    pub fn add(&mut self, other: &Tally) {
        self.records += other.records;
        self.in_sync += other.in_sync;
        self.pending += other.pending;
        self.failed += other.failed;
        self.held += other.held;
        self.excluded += other.excluded;
        self.conflicts += other.conflicts;
        self.decided += other.decided;
        self.differing += other.differing;
    }
}

impl StatusView {
    /// Whether all that is pending stands as the last dry run left it: each with a reason. What was linked, settled or put back
    /// by hand since has none until it is decided.
    fn is_as_planned(&self) -> bool {
        let reasons = self.objects.iter().flat_map(|object| &object.tally.reasons);
        let pending = [Status::Todo, Status::Live].map(Status::word);
        let known: u64 = reasons.filter(|one| pending.contains(&one.status)).map(|one| one.records).sum();
        known >= self.total.pending
    }

    fn remedies(&self, now: Timestamp) -> Vec<Remedy> {
        let sync = || self.sync.clone();
        let total = &self.total;
        let mut next: Vec<Remedy> =
            self.disabled.iter().map(|name| Remedy::Enable { integration: name.clone() }).collect();
        let held_back: Vec<_> =
            self.crashed.iter().filter_map(|(name, health)| health.check(name, now).err()).collect();
        let resume = |remedy: &Remedy| matches!(remedy, Remedy::Resume { .. });
        next.extend(held_back.iter().flat_map(ConfigError::remedies).filter(resume));
        match &self.last_run {
            _ if !held_back.is_empty() => {}
            None => next.push(Remedy::PlanSync { sync: sync() }),
            Some(run) if run.status == RunStatus::Failed => {
                next.extend(run.remedies.iter().cloned());
                next.push(Remedy::SyncAgain { sync: sync(), run: run.run })
            }
            Some(run) if run.status == RunStatus::Interrupted => {
                next.push(Remedy::GoOn { sync: sync(), run: run.run })
            }
            Some(run)
                if matches!(run.options.kind, RunKind::Plan { .. })
                    && run.status == RunStatus::Done
                    && total.pending > 0 =>
            {
                next.push(match self.is_as_planned() {
                    true => Remedy::ApplyRun { run: run.run },
                    false => Remedy::PlanSync { sync: sync() },
                })
            }
            Some(run) if run.status != RunStatus::Running && total.pending > 0 => {
                next.push(Remedy::Sync { sync: Some(sync()) })
            }
            Some(_) => {}
        }
        if total.conflicts > 0 {
            next.push(Remedy::ListConflicts { sync: Some(sync()) });
        }
        if total.failed > 0 {
            next.push(Remedy::ListFailed { sync: sync() });
        }
        if self.objects.iter().any(|object| object.tally.has(Code::Brake)) {
            next.push(Remedy::LiftBrake { sync: sync() });
        }
        if self.objects.iter().any(|object| object.tally.has(Code::OtherIdentifiers)) {
            next.push(Remedy::LiftIdentifiers { sync: sync() });
        }
        if total.held > 0 {
            next.push(Remedy::ShowWaiting { sync: sync() });
        }
        next
    }
}

impl Tenant {
    /// How the syncs stand, all or the one of this name. Pairs of objects that no sync maps any more are
    /// counted with the first sync of their relation.
    ///
    /// # Errors
    /// Where there is no such sync, or the database fails.
    pub async fn status(&self, sync: Option<&str>) -> Result<Vec<StatusView>, TenantError> {
        let all = self.definitions(None).await?;
        if let Some(sync) = sync {
            self.configuration().definition(sync).await?;
        }
        let mut statuses = Vec::new();
        let mut relations = BTreeSet::new();
        for definition in &all {
            let first = relations.insert(definition.relation.clone());
            if sync.is_some_and(|sync| sync != definition.name) {
                continue;
            }
            let objects = self.object_statuses(definition, first, &all).await?;
            let mut total = Tally::default();
            objects.iter().for_each(|object| total.add(&object.tally));
            let mut status = StatusView {
                sync: definition.name.clone(),
                exchanges: definition.exchanges.clone().into(),
                disabled: Vec::new(),
                crashed: BTreeMap::new(),
                trust: self.ledger().trust(&definition.name).await?,
                last_run: self.last_run(definition).await?,
                objects,
                total,
                next: Vec::new(),
                waiting: None,
                differing: None,
            };
            for exchange in definition.exchanges.iter().filter(|exchange| *exchange != HUB) {
                let health = self.configuration().health(exchange).await?;
                if health.crashes > 0 {
                    status.crashed.insert(exchange.clone(), health);
                }
                if !self.configuration().integration(exchange).await?.enabled {
                    status.disabled.push(exchange.clone());
                }
            }
            status.next = status.remedies(self.clock().now());
            statuses.push(status);
        }
        Ok(statuses)
    }

    async fn object_statuses(
        &self,
        definition: &SyncDefinition,
        first: bool,
        all: &[SyncDefinition],
    ) -> Result<Vec<ObjectStatus>, TenantError> {
        let mapped = |id| all.iter().any(|sync| sync.mapping(id).is_some());
        let names = Names(&definition.exchanges);
        let counts = self.ledger().pair_counts(Some(&definition.relation)).await?;
        let mappings: Vec<MappingId> = definition.mappings.iter().map(|mapping| mapping.id).collect();
        let conflicts = self.ledger().count_conflicts(ConflictFilter::Mappings(&mappings)).await?;
        let mut objects = Vec::new();
        for mapping in self.ledger().mappings(Some(&definition.relation)).await? {
            let ours = definition.mapping(mapping.id).is_some();
            let of_mapping = counts.iter().filter(|count| count.mapping == mapping.id);
            let mut tally = Tally::default();
            for count in of_mapping {
                tally.count(count.clone(), names);
            }
            if !ours && (!first || mapped(mapping.id) || tally.records == 0) {
                continue;
            }
            for count in conflicts.iter().filter(|count| count.mapping == mapping.id) {
                tally.count_conflicts(count, names);
            }
            objects.push(ObjectStatus { objects: mapping.objects, mapped: ours, tally });
        }
        Ok(objects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_sync::{Code, Reason};

    #[test]
    fn every_pair_is_counted_once() {
        let mut tally = Tally::default();
        let exchanges = Sides::new("hub".to_owned(), "HelloWorld".to_owned());
        for (n, status) in Status::ALL.into_iter().enumerate() {
            let (code, samples) = (Some(Code::NoRecord), vec![Reason::NoRecord]);
            tally.count(
                PairCount { mapping: 1, status, code, samples, pairs: 1 << n, differing: 0 },
                Names(&exchanges),
            );
        }
        assert_eq!(tally.records, 127);
        assert_eq!(tally.in_sync + tally.pending + tally.failed + tally.held + tally.excluded, tally.records);
        assert!(tally.reasons.iter().all(|reason| reason.status != "ok"));
        assert_eq!(
            tally.reasons.iter().map(|reason| reason.records).sum::<u64>(),
            tally.records - tally.in_sync
        );
    }
}
