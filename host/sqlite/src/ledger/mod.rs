//! The ledger in the tenant's SQLite file: pairs, plans and history, conflicts, runs, leases, bookmarks and
//! cursors, and the state of exchanges. `store/migrations` has the tables.
//!
//! [`SqliteLedger`] implements the engine's traits [`Ledger`] and [`Unit`], and [`OperatorLedger`] for the
//! operator. [`ensure_mapping`] and [`ensure_slots`] number mappings and field pairs when a configuration is
//! applied.

mod changes;
mod codec;
mod conflicts;
mod counterparts;
pub(crate) mod erase;
mod keeper;
mod lease;
mod mappings;
mod operator;
mod pairs;
mod progress;
mod query;
pub(crate) mod runs;
mod save;
mod unit;
mod write_error;

#[cfg(test)]
mod tests;

pub use mappings::{ensure_mapping, ensure_slots};

use crate::store::{Store, StoreError};
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sync::{
    Change, ChangeFilter, ChangeStatus, Code, Description, Lease, Ledger, LedgerError, MappingId, MatchKey,
    OperatorLedger, Pair, PairId, Progress, Ruling, Run, RunId, Side, StandingTrust, Status, SystemClock,
    TodoFilter, Unit, Weight,
};
use keeper::Keeper;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use unit::SqliteUnit;
use write_error::{WriteError, failed};

/// The [`Ledger`] in a [`Store`].
///
/// A pair is read back as it was saved, except that trailing empty slots of `agreed` and `seen` are left out,
/// and keys are not loaded. Numbers assigned to pairs and changes are valid once their unit has committed. A
/// unit with a failed write cannot be committed.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    store: Store,
    /// Leases are dated by the callers, which share a clock that is not the one of the machine.
    virtual_time: bool,
}

impl SqliteLedger {
    /// The ledger in this store. Leases are dated by the clock of SQLite, in the transaction that takes or renews them,
    /// and renewed by a task while they are kept.
    pub fn new(store: Store) -> Self {
        Self { store, virtual_time: false }
    }

    /// A ledger whose leases are dated by the times that its callers give, for tests and simulations whose clock is not
    /// the one of the machine. No task renews them.
    pub fn in_virtual_time(store: Store) -> Self {
        Self { store, virtual_time: true }
    }

    /// The clock that leases are dated by; `given` is the caller's time.
    fn lease_time(
        &self,
        connection: &rusqlite::Connection,
        given: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        if self.virtual_time { Ok(given) } else { lease::now(connection) }
    }

    /// Ends every lease and fences off its holder. For a database that was copied or restored, whose leases
    /// no run of this home can hold.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_leases(&self) -> Result<(), LedgerError> {
        self.store.write(|connection| lease::end_all(connection)).await.map_err(failed("end the leases"))
    }

    /// Runs a write in a transaction that first checks the lease.
    async fn within<T>(
        &self,
        lease: &Lease,
        doing: &'static str,
        write: impl FnOnce(&rusqlite::Connection) -> Result<T, WriteError> + Send,
    ) -> Result<T, LedgerError> {
        let unit = self.store.begin().await.map_err(failed(doing))?;
        if !lease::holds(unit.connection(), lease).map_err(failed(doing))? {
            return Err(lease::fenced(lease));
        }
        let written = write(unit.connection()).map_err(|why| why.while_(doing))?;
        unit.commit_soon().map_err(failed(doing))?;
        Ok(written)
    }
}

/// A page length as an SQLite parameter.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn acquire(
        &self,
        relation: &str,
        holder: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, LedgerError> {
        self.store
            .write_soon(|connection| {
                lease::acquire(connection, relation, holder, self.lease_time(connection, now)?, ttl)
            })
            .await
            .map_err(failed("take the lease"))?
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<(), LedgerError> {
        let held = self
            .store
            .write_soon(|connection| lease::renew(connection, lease, self.lease_time(connection, now)?, ttl))
            .await
            .map_err(failed("renew the lease"))?;
        if held { Ok(()) } else { Err(lease::fenced(lease)) }
    }

    fn keep(&self, lease: &Lease, ttl: Duration) -> Box<dyn Any + Send> {
        if self.virtual_time {
            return Box::new(());
        }
        Box::new(Keeper::start(self.store.clone(), lease.clone(), ttl, Arc::new(SystemClock)))
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.store
            .write_soon(|connection| lease::release(connection, lease))
            .await
            .map_err(failed("release the lease"))
    }

    async fn begin(&self, lease: &Lease) -> Result<Box<dyn Unit>, LedgerError> {
        let unit = self.store.begin().await.map_err(failed("begin a unit of work"))?;
        Ok(Box::new(SqliteUnit::begin(unit, lease)?))
    }

    async fn start_run(&self, lease: &Lease, run: Run) -> Result<Run, LedgerError> {
        const DOING: &str = "begin a run";
        if run.relation != lease.relation {
            let why = format!("the run is for '{}' and its lease for '{}'", run.relation, lease.relation);
            return Err(WriteError::from(why).while_(DOING));
        }
        let run = self
            .store
            .write(|connection| {
                if lease::holds(connection, lease)? {
                    runs::start(connection, run).map(Some)
                } else {
                    Ok(None)
                }
            })
            .await
            .map_err(failed(DOING))?;
        run.ok_or_else(|| lease::fenced(lease))
    }

    async fn progress(&self, sync: &str, side: Side) -> Result<Progress, LedgerError> {
        self.store
            .read(|connection| progress::progress(connection, sync, side))
            .await
            .map_err(failed("read the bookmark and cursor of a side"))
    }

    async fn pairs(&self, ids: &[PairId]) -> Result<Vec<Pair>, LedgerError> {
        self.store.read(|connection| pairs::by_ids(connection, ids)).await.map_err(failed("read pairs"))
    }

    async fn pairs_of(
        &self,
        mapping: MappingId,
        side: Side,
        ids: &[String],
    ) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::by_records(connection, mapping, side, ids))
            .await
            .map_err(failed("find pairs by their records"))
    }

    async fn pairs_by_key(
        &self,
        mapping: MappingId,
        side: Side,
        keys: &[MatchKey],
    ) -> Result<Vec<(MatchKey, PairId)>, LedgerError> {
        self.store
            .read(|connection| pairs::by_keys(connection, mapping, side, keys))
            .await
            .map_err(failed("find pairs by their keys"))
    }

    async fn todo(&self, filter: &TodoFilter, after: PairId, limit: usize) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::todo(connection, filter, after, rows(limit)))
            .await
            .map_err(failed("read what is to be reconciled"))
    }

    async fn count_todo(&self, mapping: MappingId) -> Result<u64, LedgerError> {
        self.count_in(Status::Todo, mapping).await
    }

    async fn count_held(&self, mapping: MappingId, code: Code) -> Result<u64, LedgerError> {
        self.store
            .read(|connection| Ok(pairs::count_held(connection, mapping, code)?))
            .await
            .map_err(failed("count held pairs"))
    }

    async fn count_linked(&self, mapping: MappingId) -> Result<u64, LedgerError> {
        self.store
            .read(|connection| Ok(pairs::count_linked(connection, mapping)?))
            .await
            .map_err(failed("count linked pairs"))
    }

    async fn count_planned(&self, run: RunId, mapping: MappingId, target: Side) -> Result<u64, LedgerError> {
        self.store
            .read(|connection| changes::count_planned(connection, run, mapping, target))
            .await
            .map_err(failed("count what is planned"))
    }

    async fn changes(
        &self,
        run: RunId,
        mapping: MappingId,
        target: Side,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.store
            .read(|connection| changes::of_run(connection, run, mapping, target, status, after, rows(limit)))
            .await
            .map_err(failed("read changes"))
    }

    async fn open_changes(
        &self,
        mappings: &[MappingId],
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.store
            .read(|connection| changes::open(connection, mappings, status, after, rows(limit)))
            .await
            .map_err(failed("read changes"))
    }

    async fn changes_for(&self, run: RunId, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.store
            .read(|connection| changes::of_pairs(connection, run, pairs))
            .await
            .map_err(failed("read changes"))
    }

    async fn changes_after(&self, pair: PairId, change: i64) -> Result<Vec<Change>, LedgerError> {
        const REST: &str =
            "INDEXED BY change_pair WHERE pair = ?1 AND id > ?2 AND status = 'done' ORDER BY id";
        self.store
            .read(|connection| changes::select(connection, REST, &[&pair, &change]))
            .await
            .map_err(failed("read changes"))
    }

    async fn unanswered(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.store
            .read(|connection| changes::unanswered(connection, pairs))
            .await
            .map_err(failed("read changes"))
    }

    async fn unanswered_deletes(&self, pairs: &[PairId]) -> Result<Vec<Change>, LedgerError> {
        self.store
            .read(|connection| changes::unanswered_deletes(connection, pairs))
            .await
            .map_err(failed("read changes"))
    }

    async fn changes_in(
        &self,
        run: RunId,
        status: ChangeStatus,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.changes_of_run(run, &ChangeFilter::of(status), after, limit).await
    }

    async fn weight(&self, run: RunId, mapping: MappingId, target: Side) -> Result<Weight, LedgerError> {
        self.store
            .read(|connection| operator::weight(connection, run, mapping, target))
            .await
            .map_err(failed("weigh a plan"))
    }

    async fn not_read_since(
        &self,
        mapping: MappingId,
        side: Side,
        run: RunId,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::not_read_since(connection, mapping, side, run, after, rows(limit)))
            .await
            .map_err(failed("find what was not listed"))
    }

    async fn held(
        &self,
        mapping: MappingId,
        code: Code,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::held(connection, mapping, code, after, rows(limit)))
            .await
            .map_err(failed("read held pairs"))
    }

    async fn rulings(&self, pairs: &[PairId]) -> Result<Vec<Ruling>, LedgerError> {
        self.store
            .read(|connection| operator::rulings(connection, pairs))
            .await
            .map_err(failed("read what the operator decided"))
    }

    async fn standing_trust(&self, sync: &str) -> Result<Option<StandingTrust>, LedgerError> {
        self.store
            .read(|connection| operator::trust(connection, sync))
            .await
            .map_err(failed("read which side is trusted"))
    }

    async fn known_schema(&self, sync: &str, side: Side) -> Result<Option<Description>, LedgerError> {
        self.store
            .read(|connection| operator::known_schema(connection, sync, side))
            .await
            .map_err(failed("read the known objects"))
    }

    async fn state(&self, exchange: &str) -> Result<BTreeMap<String, Vec<u8>>, LedgerError> {
        self.store
            .read(|connection| progress::state(connection, exchange))
            .await
            .map_err(failed("read the state of an exchange"))
    }
}
