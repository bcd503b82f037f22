//! A run's unit of work: one transaction, begun under its lease.

use super::write_error::{WriteError, failed};
use super::{changes, conflicts, lease, operator, progress, runs, save};
use crate::store::StoreUnit;
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sync::{
    Braked, Change, Conflict, Description, Lease, LedgerError, MappingId, Pair, PairId, Progress, Reason,
    Requeue, Run, RunId, Side, StandingTrust, StateWrites, Unit,
};
use rusqlite::Connection;
use std::any::Any;

/// An open unit of work. Its transaction holds the file's write lock from the beginning, so that the lease
/// checked there cannot change hands before the commit.
#[derive(Debug)]
pub(super) struct SqliteUnit {
    unit: StoreUnit,
    /// A write failed half way, so the unit must not be committed.
    broken: bool,
}

impl SqliteUnit {
    /// Checks the lease inside the transaction that the unit will commit.
    pub(super) fn begin(unit: StoreUnit, lease: &Lease) -> Result<Self, LedgerError> {
        if lease::holds(unit.connection(), lease).map_err(failed("begin a unit of work"))? {
            Ok(Self { unit, broken: false })
        } else {
            Err(lease::fenced(lease))
        }
    }

    /// The unit to commit; an error where a write in it failed.
    fn whole(self) -> Result<StoreUnit, LedgerError> {
        if self.broken {
            return Err(WriteError::from("a write in it had failed, so it was rolled back".to_owned())
                .while_("commit"));
        }
        Ok(self.unit)
    }

    fn write<T, E: Into<WriteError>>(
        &mut self,
        doing: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, LedgerError> {
        let written = write(self.unit.connection());
        self.broken |= written.is_err();
        written.map_err(failed(doing))
    }
}

#[async_trait]
impl Unit for SqliteUnit {
    fn shared(&mut self) -> &mut dyn Any {
        &mut self.unit
    }

    async fn save_pairs(&mut self, pairs: &mut [Pair]) -> Result<(), LedgerError> {
        self.write("save pairs", |connection| save::save(connection, pairs))
    }

    async fn remove_pairs(&mut self, ids: &[PairId]) -> Result<(), LedgerError> {
        self.write("remove pairs", |connection| save::remove(connection, ids))
    }

    async fn requeue(&mut self, mapping: MappingId, which: Requeue) -> Result<u64, LedgerError> {
        self.write("put pairs back", |connection| operator::requeue(connection, mapping, which))
    }

    async fn save_changes(&mut self, changes: &mut [Change]) -> Result<(), LedgerError> {
        self.write("save changes", |connection| changes::save(connection, changes))
    }

    async fn drop_plans(&mut self, pairs: &[PairId], at: Timestamp) -> Result<(), LedgerError> {
        self.write("drop plans", |connection| changes::drop_plans(connection, pairs, at))
    }

    async fn hold_planned(
        &mut self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        which: Braked,
        reason: &Reason,
    ) -> Result<(), LedgerError> {
        self.write("hold a plan", |connection| {
            operator::hold_planned(connection, run, mapping, target, which, reason)
        })
    }

    async fn save_trust(&mut self, sync: &str, trust: Option<&StandingTrust>) -> Result<(), LedgerError> {
        self.write("save which side is trusted", |connection| operator::save_trust(connection, sync, trust))
    }

    async fn save_schema(
        &mut self,
        sync: &str,
        side: Side,
        description: &Description,
    ) -> Result<(), LedgerError> {
        self.write("save the known objects", |connection| {
            operator::save_schema(connection, sync, side, description)
        })
    }

    async fn save_conflicts(
        &mut self,
        pairs: &[PairId],
        conflicts: &[Conflict],
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write("save conflicts", |connection| conflicts::save(connection, pairs, conflicts, at))
    }

    async fn save_progress(
        &mut self,
        sync: &str,
        side: Side,
        progress: &Progress,
    ) -> Result<(), LedgerError> {
        self.write("save the bookmark and cursor of a side", |connection| {
            progress::save_progress(connection, sync, side, progress)
        })
    }

    async fn save_state(&mut self, exchange: &str, writes: &StateWrites) -> Result<(), LedgerError> {
        self.write("save the state of an exchange", |connection| {
            progress::save_state(connection, exchange, writes)
        })
    }

    async fn save_run(&mut self, run: &Run) -> Result<(), LedgerError> {
        self.write("save the run", |connection| {
            if runs::save(connection, run)? {
                Ok(())
            } else {
                Err(WriteError::from(format!("there is no run {}", run.id)))
            }
        })
    }

    async fn commit(self: Box<Self>) -> Result<(), LedgerError> {
        self.whole()?.commit().map_err(failed("commit"))
    }

    async fn commit_soon(self: Box<Self>) -> Result<(), LedgerError> {
        self.whole()?.commit_soon().map_err(failed("commit"))
    }
}
