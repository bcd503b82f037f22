//! The invariants at the end of a history.

mod edits;
mod made;
mod pairs;
mod rerun;
mod rules;

pub(crate) use rerun::{ledger_state, untouched};

use crate::schema::{CITY, PERSON, columns};
use crate::system::System;
use crate::tally::Exception;
use crate::tape::drive;
use crate::verdict::{Verdict, Word};
use crate::world::World;
use anyhow::{Context, Result};
use entente_core::Value;
use entente_sqlite::ListQuery;
use entente_sync::{
    Change, ChangeFilter, ConflictFilter, MappingId, OperatorLedger as _, Pair, PairId, Run, Side, Slot,
    Status, SyncError,
};
use std::collections::{BTreeMap, BTreeSet};

/// A page length above any number of rows in a history.
const ALL: usize = 1_000_000;

/// Live records: by system and object, by id.
type Records = BTreeMap<(usize, usize), BTreeMap<String, Vec<Value>>>;

/// The final state.
struct End<'w> {
    world: &'w World,
    records: Records,
    /// Pairs, with their sync and object.
    pairs: Vec<(usize, usize, Pair)>,
    /// Fields in conflict: pair and slot.
    conflicts: BTreeSet<(PairId, Slot)>,
    runs: Vec<Run>,
    changes: Vec<Change>,
    /// Every side was listed since the last edit: records that are gone have been missed.
    listed: bool,
}

/// Checks a world that has converged.
pub(crate) fn check(world: &World, listed: bool, verdict: &mut Verdict) -> Result<()> {
    let mut end = drive(End::gather(world)).context("the ledger waits for something")??;
    end.listed = listed;
    end.check_pairs(verdict);
    end.check_edits(verdict);
    end.check_made(verdict);
    end.check_reruns(verdict);
    end.check_breaches(verdict);
    Ok(())
}

/// The last change numbers of all records in the hub.
pub(crate) fn hub_state(world: &World) -> Vec<(String, String)> {
    let mut state = Vec::new();
    for system in &world.users.systems {
        let System::Hub(hub) = system else { continue };
        for object in System::objects() {
            let query = ListQuery { limit: ALL, ..ListQuery::default() };
            if let Some(Ok(list)) = drive(hub.list(system.words().object(object), &query)) {
                state.extend(list.records.into_iter().map(|record| (record.id, record.version)));
            }
        }
    }
    state
}

/// Whether failed records are due for a retry.
pub(crate) fn failed_will_be_tried(world: &World) -> bool {
    let due = |mapping| async move {
        let lines = world.ledger.inner.pairs_in(Status::Failed, Some(mapping), 0, ALL).await?;
        let ids: Vec<PairId> = lines.iter().map(|line| line.id).collect();
        let pairs = entente_sync::Ledger::pairs(&world.ledger.inner, &ids).await?;
        Ok::<bool, entente_sync::LedgerError>(pairs.iter().any(|pair| pair.due.is_some()))
    };
    let mappings = world.syncs.iter().flat_map(|definition| &definition.mappings);
    mappings.into_iter().any(|mapping| matches!(drive(due(mapping.id)), Some(Ok(true))))
}

/// Exchanges may fail under faults; the engine and its ledger may not.
pub(crate) fn expected_error(error: Option<&SyncError>, verdict: &mut Verdict) {
    match error {
        None => {}
        Some(SyncError::Exchange { .. }) => verdict.except(Exception::FailedByFault),
        Some(error) => verdict.add(Word::Unaccounted, "I1", format!("a run failed: {error}")),
    }
}

impl<'w> End<'w> {
    async fn gather(world: &'w World) -> Result<Self> {
        let ledger = &world.ledger.inner;
        let mut records = Records::new();
        for (place, system) in world.users.systems.iter().enumerate() {
            for object in System::objects() {
                let live = system.records(object).await;
                records.insert(
                    (place, object),
                    live.into_iter().map(|record| (record.id, record.values)).collect(),
                );
            }
        }
        let mut pairs = Vec::new();
        for (sync, definition) in world.syncs.iter().enumerate() {
            for (object, mapping) in System::objects().into_iter().zip(&definition.mappings) {
                for status in Status::ALL {
                    let lines = ledger.pairs_in(status, Some(mapping.id), 0, ALL).await?;
                    let ids: Vec<PairId> = lines.iter().map(|line| line.id).collect();
                    let found = entente_sync::Ledger::pairs(ledger, &ids).await?;
                    pairs.extend(found.into_iter().map(|pair| (sync, object, pair)));
                }
            }
        }
        let open = ledger.open_conflicts(ConflictFilter::All, 0, ALL).await?;
        let conflicts = open.into_iter().map(|open| (open.conflict.pair, open.conflict.slot)).collect();
        let mut changes = Vec::new();
        let runs = ledger.runs(None, None, ALL).await?;
        for run in &runs {
            changes.extend(ledger.changes_of_run(run.id, &ChangeFilter::default(), 0, ALL).await?);
        }
        Ok(Self { world, records, pairs, conflicts, runs, changes, listed: false })
    }

    /// The system on a side of a sync.
    fn place(&self, sync: usize, side: Side) -> usize {
        self.world.users.links[sync].places[side]
    }

    fn system(&self, place: usize) -> &System {
        &self.world.users.systems[place]
    }

    fn record(&self, place: usize, object: usize, id: &str) -> Option<&Vec<Value>> {
        self.records.get(&(place, object))?.get(id)
    }

    /// The live record of a pair's half.
    fn half(&self, sync: usize, object: usize, pair: &Pair, side: Side) -> Option<&Vec<Value>> {
        self.record(self.place(sync, side), object, pair.half(side).id.as_deref()?)
    }

    /// The sync and object of a mapping.
    fn of_mapping(&self, id: MappingId) -> Option<(usize, usize)> {
        let syncs = self.world.syncs.iter().enumerate();
        syncs
            .flat_map(|(sync, definition)| {
                definition.mappings.iter().enumerate().map(move |(object, mapping)| (sync, object, mapping))
            })
            .find(|(_, _, mapping)| mapping.id == id)
            .map(|(sync, object, _)| (sync, object))
    }

    /// Whether a record passes the sync's filter on this side.
    fn inside(&self, sync: usize, object: usize, side: Side, values: &[Value]) -> bool {
        let _ = sync;
        !(object == PERSON && self.world.character.filtered[side] && values[CITY] == Value::text("hidden"))
    }

    /// A description of a pair, for people.
    fn name(&self, sync: usize, object: usize, pair: &Pair) -> String {
        let name = |side: Side| {
            let system = self.system(self.place(sync, side));
            let id = pair.half(side).id.as_deref().unwrap_or("-");
            format!("{}:{}:{id}", system.name(), system.words().object(object))
        };
        let reason = pair.reason.as_ref().map(|reason| format!(", {reason:?}")).unwrap_or_default();
        format!(
            "pair {} {} = {} [{}{reason}]",
            pair.id,
            name(Side::Left),
            name(Side::Right),
            pair.status.word()
        )
    }

    fn record_name(&self, place: usize, object: usize, id: &str) -> String {
        format!("{}:{}:{id}", self.system(place).name(), self.system(place).words().object(object))
    }

    fn field_name(&self, place: usize, object: usize, field: usize) -> &'static str {
        debug_assert!(field < columns(object).len());
        self.system(place).words().field(object, field)
    }
}
