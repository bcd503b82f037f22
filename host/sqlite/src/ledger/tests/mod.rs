//! The ledger against real SQLite, in memory and in files.

mod changes;
mod codec;
mod conflicts;
mod durability;
mod lease;
mod pairs;
mod query;
mod reasons;

use super::{SqliteLedger, ensure_mapping, ensure_slots};
use crate::store::Store;
use entente_core::{Timestamp, Value};
use entente_sync::*;
use std::time::Duration;

pub(super) const RELATION: &str = "crm";
pub(super) const TTL: Duration = Duration::from_secs(60);

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// A ledger with one mapping of one relation, and the lease of it.
pub(super) struct World {
    pub(super) store: Store,
    pub(super) ledger: SqliteLedger,
    pub(super) lease: Lease,
    pub(super) mapping: MappingId,
}

pub(super) async fn world() -> World {
    world_in(Store::in_memory().unwrap()).await
}

pub(super) async fn world_in(store: Store) -> World {
    let mapping = store.transact(|c| ensure_mapping(c, RELATION, "contact", "member")).await.unwrap();
    store.transact(|c| ensure_slots(c, mapping, &[("email", "email"), ("name", "full_name")])).await.unwrap();
    let ledger = SqliteLedger::in_virtual_time(store.clone());
    let lease = ledger.acquire(RELATION, "test", at(0), TTL).await.unwrap();
    World { store, ledger, lease, mapping }
}

impl World {
    pub(super) async fn unit(&self) -> Box<dyn Unit> {
        self.ledger.begin(&self.lease).await.unwrap()
    }

    /// Saves pairs in a unit of their own.
    pub(super) async fn save(&self, pairs: &mut [Pair]) {
        let mut unit = self.unit().await;
        unit.save_pairs(pairs).await.unwrap();
        unit.commit().await.unwrap();
    }

    pub(super) async fn run(&self) -> RunId {
        let run = Run::new("crm", RELATION, RunOptions::default(), at(0));
        self.ledger.start_run(&self.lease, run).await.unwrap().id
    }

    /// A new pair of these records.
    pub(super) fn pair(&self, left: Option<&str>, right: Option<&str>) -> Pair {
        let mut pair = Pair::new(self.mapping);
        pair.halves.left.id = left.map(str::to_owned);
        pair.halves.right.id = right.map(str::to_owned);
        pair
    }

    pub(super) async fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.store.read(|c| Ok(c.query_row(&sql, [], |row| row.get(0))?)).await.unwrap()
    }
}

/// One value of every kind, and the awkward ones.
pub(super) fn values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::text(""),
        Value::Integer(0),
        Value::Boolean(false),
        Value::Float(0.0),
        Value::Texts(vec![]),
        Value::References(vec![]),
        Value::Boolean(true),
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Float(0.1 + 0.2),
        Value::text("a\0b"),
        Value::text("👩‍👩‍👧 אב e\u{301}"),
        Value::text("{\"l\":1}"),
        Value::text("x".repeat(2_000_000)),
        Value::date(-4, 2, 29).unwrap(),
        Value::Timestamp(at(-1)),
        Value::Texts(vec!["".to_owned(), "a".to_owned()]),
        Value::reference("company", "1\0").unwrap(),
        Value::References(vec![entente_core::Reference { object: "group".to_owned(), id: "7".to_owned() }]),
        Value::Other { kind: "decimal".to_owned(), text: "12.50".to_owned() },
    ]
}

pub(super) fn both(value: Value) -> Agreed {
    Agreed { left: Some(value.clone()), right: Some(value) }
}

pub(super) fn key(rank: u32, text: &str) -> MatchKey {
    MatchKey { rank, text: text.to_owned() }
}
