//! Operator queries, and the operator's writes (settling a conflict, retrying, linking): [`OperatorLedger`] on
//! SQLite.

use super::codec::decode_reason;
use super::write_error::failed;
use super::{SqliteLedger, changes, conflicts, counterparts, lease, mappings, operator, pairs, rows, runs};
use crate::store::StoreError;
use async_trait::async_trait;
use entente_core::Timestamp;
use entente_sync::{
    Change, ChangeCount, ChangeFilter, Choice, ConflictCount, ConflictFilter, Counted, Counterpart, Lease,
    LedgerError, MappingId, MappingRow, NotLinked, OpenConflict, OperatorLedger, Pair, PairCount, PairId,
    PairLine, Reason, Run, RunId, Side, Sides, SlotRow, Status,
};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

#[async_trait]
impl OperatorLedger for SqliteLedger {
    async fn holder(&self, relation: &str) -> Result<Option<(Lease, String)>, LedgerError> {
        self.store
            .read(|connection| lease::holder(connection, relation))
            .await
            .map_err(failed("look at the lease"))
    }

    async fn settle_conflict(
        &self,
        lease: &Lease,
        conflict: i64,
        choice: &Choice,
    ) -> Result<bool, LedgerError> {
        let pair = self
            .within(lease, "settle a conflict", |connection| operator::rule(connection, conflict, choice))
            .await?;
        Ok(pair.is_some())
    }

    async fn retry(
        &self,
        lease: &Lease,
        mapping: MappingId,
        pair: Option<PairId>,
    ) -> Result<u64, LedgerError> {
        self.within(lease, "set pairs back to todo", |connection| operator::retry(connection, mapping, pair))
            .await
    }

    async fn set_counterpart(
        &self,
        lease: &Lease,
        pair: PairId,
        counterpart: &Counterpart,
        at: Timestamp,
    ) -> Result<Result<(), NotLinked>, LedgerError> {
        self.within(lease, "link a record", |connection| counterparts::set(connection, pair, counterpart, at))
            .await
    }

    async fn check_counterpart(
        &self,
        pair: PairId,
        counterpart: &Counterpart,
    ) -> Result<Result<(), NotLinked>, LedgerError> {
        let told = self.store.read(|connection| Ok(counterparts::check(connection, pair, counterpart))).await;
        told.map_err(failed("check a link"))?.map_err(failed("check a link"))
    }

    async fn record_restored(&self, lease: &Lease, pair: PairId, side: Side) -> Result<(), LedgerError> {
        self.within(lease, "take note of a restored record", |connection| {
            counterparts::restored(connection, pair, side)
        })
        .await
    }

    async fn runs(
        &self,
        sync: Option<&str>,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<Run>, LedgerError> {
        self.store
            .read(|connection| runs::page(connection, sync, before.unwrap_or(RunId::MAX), rows(limit)))
            .await
            .map_err(failed("list runs"))
    }

    async fn note_unbegun(&self, run: Run) -> Result<Run, LedgerError> {
        self.store
            .write(|connection| runs::insert(connection, run))
            .await
            .map_err(failed("store a run that could not begin"))
    }

    async fn last_good_run(&self, sync: &str) -> Result<Option<Run>, LedgerError> {
        self.store
            .read(|connection| runs::last_good(connection, sync))
            .await
            .map_err(failed("find the last run that ended well"))
    }

    async fn run_after(&self, sync: &str, run: RunId) -> Result<Option<Run>, LedgerError> {
        self.store
            .read(|connection| runs::after(connection, sync, run))
            .await
            .map_err(failed("find the run after one"))
    }

    async fn count_runs(&self, sync: Option<&str>) -> Result<u64, LedgerError> {
        self.store.read(|connection| runs::count(connection, sync)).await.map_err(failed("count runs"))
    }

    async fn run(&self, id: RunId) -> Result<Option<Run>, LedgerError> {
        self.store.read(|connection| runs::by_id(connection, id)).await.map_err(failed("read a run"))
    }

    async fn changes_of_run(
        &self,
        run: RunId,
        filter: &ChangeFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        self.store
            .read(|connection| changes::filtered(connection, run, filter, after, rows(limit)))
            .await
            .map_err(failed("read the changes of a run"))
    }

    async fn count_changes(
        &self,
        run: RunId,
        filter: &ChangeFilter,
    ) -> Result<Vec<ChangeCount>, LedgerError> {
        self.store
            .read(|connection| changes::count(connection, run, filter))
            .await
            .map_err(failed("count the changes of a run"))
    }

    async fn history(
        &self,
        pair: PairId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Change>, LedgerError> {
        const REST: &str = "INDEXED BY change_pair WHERE pair = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
        let before = before.unwrap_or(i64::MAX);
        self.store
            .read(|connection| changes::select(connection, REST, &[&pair, &before, &rows(limit)]))
            .await
            .map_err(failed("read the history of a pair"))
    }

    async fn pair_counts(&self, relation: Option<&str>) -> Result<Vec<PairCount>, LedgerError> {
        self.store.read(|connection| pair_counts(connection, relation)).await.map_err(failed("count pairs"))
    }

    async fn count(&self) -> Result<u64, LedgerError> {
        let count = |connection: &Connection| {
            let pairs: i64 =
                connection.prepare_cached("SELECT count(*) FROM pair")?.query_row([], |row| row.get(0))?;
            Ok(pairs.unsigned_abs())
        };
        self.store.read(count).await.map_err(failed("count pairs"))
    }

    async fn count_in(&self, status: Status, mapping: MappingId) -> Result<u64, LedgerError> {
        self.store
            .read(|connection| count_in(connection, status, mapping))
            .await
            .map_err(failed("count pairs"))
    }

    async fn pairs_in(
        &self,
        status: Status,
        mapping: Option<MappingId>,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<PairLine>, LedgerError> {
        self.store
            .read(|connection| pairs_in(connection, status, mapping, after, rows(limit)))
            .await
            .map_err(failed("list pairs"))
    }

    async fn differing(
        &self,
        mapping: MappingId,
        after: PairId,
        limit: usize,
    ) -> Result<Vec<Pair>, LedgerError> {
        self.store
            .read(|connection| pairs::differing(connection, mapping, after, rows(limit)))
            .await
            .map_err(failed("list pairs that differ"))
    }

    async fn pairs_of_record(
        &self,
        relation: Option<&str>,
        side: Side,
        object: &str,
        id: &str,
    ) -> Result<Vec<(MappingRow, Pair)>, LedgerError> {
        let ids = [id.to_owned()];
        self.store
            .read(|connection| {
                let mut found = Vec::new();
                for mapping in mappings::mappings(connection, relation)? {
                    if mapping.objects[side] == object {
                        for pair in pairs::by_records(connection, mapping.id, side, &ids)? {
                            found.push((mapping.clone(), pair));
                        }
                    }
                }
                Ok(found)
            })
            .await
            .map_err(failed("find the pairs of a record"))
    }

    async fn open_conflicts(
        &self,
        which: ConflictFilter<'_>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<OpenConflict>, LedgerError> {
        self.store
            .read(|connection| conflicts::open(connection, which, after, rows(limit)))
            .await
            .map_err(failed("list conflicts"))
    }

    async fn count_conflicts(&self, which: ConflictFilter<'_>) -> Result<Vec<ConflictCount>, LedgerError> {
        self.store
            .read(|connection| conflicts::count(connection, which))
            .await
            .map_err(failed("count conflicts"))
    }

    async fn count_new_conflicts(&self, mappings: &[MappingId], after: RunId) -> Result<u64, LedgerError> {
        self.store
            .read(|connection| conflicts::count_new(connection, mappings, after))
            .await
            .map_err(failed("count new conflicts"))
    }

    async fn mappings(&self, relation: Option<&str>) -> Result<Vec<MappingRow>, LedgerError> {
        self.store
            .read(|connection| mappings::mappings(connection, relation))
            .await
            .map_err(failed("list mappings"))
    }

    async fn slots(&self, mapping: MappingId) -> Result<Vec<SlotRow>, LedgerError> {
        self.store.read(|connection| mappings::slots(connection, mapping)).await.map_err(failed("list slots"))
    }
}

/// The pairs with one reason code: their number, and data of some of them.
#[derive(Default)]
struct OfCode {
    pairs: u64,
    samples: Vec<Reason>,
    /// Data of the first of these reasons.
    data: Vec<Option<String>>,
    /// How many have fields that differ on purpose.
    differing: u64,
}

impl OfCode {
    fn add(&mut self, code: Option<&str>, data: Option<&str>) -> Result<(), StoreError> {
        self.pairs += 1;
        let known = || self.data.iter().any(|known| known.as_deref() == data);
        if self.samples.len() < Counted::SAMPLES && !known() {
            self.samples.extend(decode_reason(code, data)?);
            self.data.push(data.map(str::to_owned));
        }
        Ok(())
    }
}

fn pair_counts(connection: &Connection, relation: Option<&str>) -> Result<Vec<PairCount>, StoreError> {
    // Grouped in Rust: with GROUP BY, SQLite would first sort all pairs.
    let mut statement = connection.prepare_cached(
        "SELECT mapping, status, reason, reason_data, differing IS NOT NULL FROM pair
         WHERE ?1 IS NULL OR mapping IN (SELECT id FROM mapping WHERE relation = ?1)",
    )?;
    let mut rows = statement.query([relation])?;
    let mut counts: BTreeMap<(MappingId, &str, Option<String>), (Status, OfCode)> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
        let status = pairs::status_of(text(1)?.unwrap_or_default())?;
        let (code, data) = (text(2)?, text(3)?);
        let key = (row.get(0)?, status.word(), code.map(str::to_owned));
        let of_code = &mut counts.entry(key).or_insert_with(|| (status, OfCode::default())).1;
        of_code.add(code, data)?;
        of_code.differing += u64::from(row.get::<_, bool>(4)?);
    }
    let count = |((mapping, ..), (status, of_code)): ((MappingId, _, _), (Status, OfCode))| {
        let OfCode { pairs, samples, differing, .. } = of_code;
        PairCount { mapping, status, code: samples.first().map(Reason::code), samples, pairs, differing }
    };
    Ok(counts.into_iter().map(count).collect())
}

fn count_in(connection: &Connection, status: Status, mapping: MappingId) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM pair WHERE mapping = ?1 AND status = '{}'", status.word());
    let pairs: i64 = connection.prepare_cached(&sql)?.query_row([mapping], |row| row.get(0))?;
    Ok(u64::try_from(pairs).unwrap_or_default())
}

/// The SQL of a page of pairs: ?1 is the mapping, ?2 the number after which it begins, ?3 its maximum length.
pub(super) fn pairs_sql(status: Status, of_mapping: bool) -> String {
    // The status is a literal in the statement: SQLite uses a partial index only where the statement's text
    // implies its condition, not for a bound parameter.
    let of_mapping = if of_mapping { "p.mapping = ?1" } else { "?1 IS NULL" };
    format!(
        "SELECT p.id, p.mapping, m.left_object, m.right_object, p.left_id, p.right_id, p.reason, p.attempts, p.reason_data, p.due
         FROM pair p JOIN mapping m ON m.id = p.mapping
         WHERE p.status = '{}' AND {of_mapping} AND p.id > ?2 ORDER BY p.id LIMIT ?3",
        status.word()
    )
}

fn pairs_in(
    connection: &Connection,
    status: Status,
    mapping: Option<MappingId>,
    after: PairId,
    limit: i64,
) -> Result<Vec<PairLine>, StoreError> {
    let mut statement = connection.prepare_cached(&pairs_sql(status, mapping.is_some()))?;
    let mut rows = statement.query(params![mapping, after, limit])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
        lines.push(PairLine {
            id: row.get(0)?,
            mapping: row.get(1)?,
            objects: Sides::new(row.get(2)?, row.get(3)?),
            ids: Sides::new(row.get(4)?, row.get(5)?),
            status,
            reason: decode_reason(text(6)?, text(8)?)?,
            attempts: row.get(7)?,
            due: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_micros),
        });
    }
    Ok(lines)
}
