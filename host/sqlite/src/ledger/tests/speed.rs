#![allow(clippy::print_stdout, reason = "a measurement is read by people")]

use super::*;
use std::time::Instant;

const PAIRS: usize = 100_000;
const PAGE: usize = 500;

fn hash(n: usize) -> String {
    format!("{:016x}", (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn filled(world: &World, n: usize, run: RunId) -> Pair {
    let mut pair = world.pair(Some(&hash(n)), Some(&hash(n + PAIRS)));
    for slot in 0..8 {
        pair.set_agreed(slot, both(Value::text(format!("value {slot} of {n}"))));
    }
    for side in Side::BOTH {
        let half = pair.half_mut(side);
        half.changed = Some(at(n as i64));
        half.read = Some(run);
        pair.keys[side.index()] = Some(vec![key(0, &format!("{}@example.org", hash(n)))]);
    }
    pair.status = Status::Ok;
    pair
}

/// Settings of the connection to measure with, besides those of the store:
/// `SPEED_PRAGMAS="cache_size=-65536;wal_autocheckpoint=16000"`.
async fn tune(store: &Store) {
    let Ok(pragmas) = std::env::var("SPEED_PRAGMAS") else { return };
    for pragma in pragmas.split(';') {
        let (name, value) = pragma.split_once('=').unwrap();
        let value: i64 = value.parse().unwrap();
        store
            .read(|c| {
                Ok(c.pragma_update(None, name, value)
                    .or_else(|_| c.query_row(&format!("PRAGMA {name}={value}"), [], |_| Ok(())))?)
            })
            .await
            .unwrap();
    }
}

/// `cargo test -p entente-sqlite --lib ledger::tests::speed -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn saving_against_bare_inserts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let world = world_in(Store::open(&path).unwrap()).await;
    tune(&world.store).await;
    let run = world.run().await;
    let rate = |name: &str, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        println!("{name}: {seconds:.2} s, {:.0} pairs/s", PAIRS as f64 / seconds);
    };
    let mut all: Vec<Pair> = (0..PAIRS).map(|n| filled(&world, n, run)).collect();
    let start = Instant::now();
    for page in all.chunks_mut(PAGE) {
        world.save(page).await;
    }
    rate("save_pairs, new", start);

    let start = Instant::now();
    for page in all.chunks_mut(PAGE) {
        for pair in page.iter_mut() {
            pair.status = Status::Todo;
            pair.halves[0].read = Some(run + 1);
            pair.halves[0].set_seen(0, Some(Seen { value: Value::text("new"), time: None }));
        }
        world.save(page).await;
    }
    rate("save_pairs, reported again with the same keys", start);
    let start = Instant::now();
    for page in all.chunks_mut(PAGE) {
        for pair in page.iter_mut() {
            pair.status = Status::Ok;
            pair.halves[0].seen.clear();
            pair.keys = [None, None];
        }
        world.save(page).await;
    }
    rate("save_pairs, settled", start);
    let start = Instant::now();
    for n in (0..PAIRS).step_by(PAGE) {
        let ids: Vec<String> = (n..n + PAGE).map(hash).collect();
        assert_eq!(world.ledger.pairs_of(world.mapping, Side::Left, &ids).await.unwrap().len(), PAGE);
    }
    rate("pairs_of", start);
    let start = Instant::now();
    for n in (0..PAIRS).step_by(PAGE) {
        let keys: Vec<Key> = (n..n + PAGE).map(|n| key(0, &format!("{}@example.org", hash(n)))).collect();
        assert_eq!(world.ledger.pairs_by_key(world.mapping, Side::Right, &keys).await.unwrap().len(), PAGE);
    }
    rate("pairs_by_key", start);

    // The same rows by nothing but prepared inserts into the same tables: with all indexes, then without any.
    for indexes in [true, false] {
        let path_bare = folder.path().join(format!("bare{indexes}.db"));
        let bare = Store::open(&path_bare).unwrap();
        tune(&bare).await;
        bare.write(|c| ensure_mapping(c, RELATION, "contact", "member")).await.unwrap();
        if !indexes {
            bare.write(|c| {
                Ok(c.execute_batch(
                    "DROP INDEX pair_left; DROP INDEX pair_right; DROP INDEX pair_todo; DROP INDEX pair_held; DROP INDEX pair_failed;
                     DROP INDEX pair_left_only; DROP INDEX pair_right_only",
                )?)
            })
            .await
            .unwrap();
        }
        let connection = rusqlite::Connection::open(&path).unwrap();
        let columns =
            "id, mapping, left_id, right_id, status, reason, attempts, dirty, context, left_read, right_read, left_alone, right_alone,
            left_filtered, right_filtered, left_deleted, right_deleted, left_changed, right_changed, left_version, right_version, agreed,
            left_seen, right_seen, left_keys, right_keys";
        let mut select = connection.prepare(&format!("SELECT {columns} FROM pair ORDER BY id")).unwrap();
        let rows: Vec<Vec<rusqlite::types::Value>> = select
            .query_map([], |row| (0..26).map(|n| row.get(n)).collect())
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let mut select = connection
            .prepare("SELECT mapping, side, rank, text, pair FROM pair_key ORDER BY pair, side")
            .unwrap();
        let keys: Vec<Vec<rusqlite::types::Value>> = select
            .query_map([], |row| (0..5).map(|n| row.get(n)).collect())
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let start = Instant::now();
        for (page, keys) in rows.chunks(PAGE).zip(keys.chunks(2 * PAGE)) {
            bare.write(|c| {
                let mut insert = c.prepare_cached(&format!(
                    "INSERT INTO pair ({columns}) VALUES ({}?)",
                    "?, ".repeat(25)
                ))?;
                let mut key = c.prepare_cached("INSERT INTO pair_key VALUES (?, ?, ?, ?, ?)")?;
                for row in page {
                    insert.execute(rusqlite::params_from_iter(row))?;
                }
                for row in keys {
                    key.execute(rusqlite::params_from_iter(row))?;
                }
                Ok(())
            })
            .await
            .unwrap();
        }
        rate(&format!("bare inserts, indexes {indexes}"), start);
        println!("  file {} MB", std::fs::metadata(&path_bare).unwrap().len() / 1_000_000);
    }
}
