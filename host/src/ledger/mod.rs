//! What the engine remembers, in the SQLite file of the tenant: pairs, plans and their history, conflicts, runs, leases, places in
//! reports, and what exchanges keep. The tables are in `store/migrations/0002_ledger.sql`.
//!
//! [`SqliteLedger`] implements the traits [`Ledger`] and [`Unit`] for the engine, and has reads of its own for people. When a
//! configuration is applied, [`ensure_mapping`] and [`ensure_slots`] give mappings and fields their numbers.

mod changes;
mod codec;
mod conflicts;
mod lease;
mod mappings;
mod pairs;
mod progress;
mod query;
mod runs;
mod save;
mod unit;
mod why;

#[cfg(test)]
mod tests;

pub use conflicts::OpenConflict;
pub use mappings::{MappingRow, SlotRow, ensure_mapping, ensure_slots};
pub use query::{ChangeFilter, PairCount, PairLine};

use crate::record::Timestamp;
use crate::store::Store;
use crate::sync::{
    Change, ChangeStatus, Key, Lease, Ledger, LedgerError, MappingId, Pair, PairId, Progress, Run, RunId, Side, TodoFilter, Unit,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use unit::SqliteUnit;
use why::{Why, failed};

/// The memory of the engine in a [`Store`].
///
/// A pair comes back as it was saved, but for slots without anything at the end of `agreed` and `seen`, which are left out; its keys
/// are not loaded. Numbers that a unit has given to pairs and changes hold once it has committed. A unit in which a write has
/// failed cannot be committed.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    store: Store,
}

impl SqliteLedger {
    /// The ledger in this store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Who has the lease of a relation, for one who knows whether that one is still there. Releasing it takes it away.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn holder(&self, relation: &str) -> Result<Option<(Lease, String)>, LedgerError> {
        self.store.read(|connection| lease::holder(connection, relation)).await.map_err(failed("look at the lease"))
    }
}

/// A page's length for SQLite.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn acquire(&self, relation: &str, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease, LedgerError> {
        self.store.write(|connection| lease::acquire(connection, relation, holder, now, ttl)).await.map_err(failed("take the lease"))?
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<(), LedgerError> {
        let held = self.store.write(|connection| lease::renew(connection, lease, now, ttl)).await.map_err(failed("renew the lease"))?;
        if held { Ok(()) } else { Err(lease::fenced(lease)) }
    }

    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.store.write(|connection| lease::release(connection, lease)).await.map_err(failed("give the lease back"))
    }

    async fn begin(&self, lease: &Lease) -> Result<Box<dyn Unit>, LedgerError> {
        let unit = self.store.begin().await.map_err(failed("begin a unit of work"))?;
        Ok(Box::new(SqliteUnit::begin(unit, lease)?))
    }

    async fn start_run(&self, lease: &Lease, run: Run) -> Result<Run, LedgerError> {
        const DOING: &str = "begin a run";
        if run.relation != lease.relation {
            let why = format!("the run is for '{}' and its lease for '{}'", run.relation, lease.relation);
            return Err(Why::from(why).while_(DOING));
        }
        let run = self
            .store
            .write(|connection| if lease::holds(connection, lease)? { runs::start(connection, run).map(Some) } else { Ok(None) })
            .await
            .map_err(failed(DOING))?;
        run.ok_or_else(|| lease::fenced(lease))
    }

    async fn progress(&self, sync: &str, side: Side) -> Result<Progress, LedgerError> {
        self.store.read(|connection| progress::progress(connection, sync, side)).await.map_err(failed("read how far a side was read"))
    }

    async fn pairs(&self, ids: &[PairId]) -> Result<Vec<Pair>, LedgerError> {
        self.store.read(|connection| pairs::by_ids(connection, ids)).await.map_err(failed("read pairs"))
    }

    async fn pairs_of(&self, mapping: MappingId, side: Side, ids: &[String]) -> Result<Vec<Pair>, LedgerError> {
        self.store.read(|connection| pairs::by_records(connection, mapping, side, ids)).await.map_err(failed("find pairs by their records"))
    }

    async fn pairs_by_key(&self, mapping: MappingId, side: Side, keys: &[Key]) -> Result<Vec<(Key, PairId)>, LedgerError> {
        self.store.read(|connection| pairs::by_keys(connection, mapping, side, keys)).await.map_err(failed("find pairs by their keys"))
    }

    async fn todo(&self, filter: &TodoFilter, after: PairId, limit: usize) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::todo(connection, filter, after, rows(limit)))
            .await
            .map_err(failed("read what is to be reconciled"))
    }

    async fn one_sided(
        &self,
        mapping: MappingId,
        run: RunId,
        read: Side,
        linked: bool,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::one_sided(connection, mapping, run, read, linked, after, rows(limit)))
            .await
            .map_err(failed("read pairs known from one side"))
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
        self.store.read(|connection| changes::open(connection, mappings, status, after, rows(limit))).await.map_err(failed("read changes"))
    }

    async fn state(&self, exchange: &str) -> Result<BTreeMap<String, Vec<u8>>, LedgerError> {
        self.store.read(|connection| progress::state(connection, exchange)).await.map_err(failed("read what an exchange keeps"))
    }
}
