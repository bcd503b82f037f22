//! Durability: rollback and commit of units of work, and a process that dies.

use super::*;
use crate::store::StoreUnit;
use std::collections::{BTreeMap, BTreeSet};

fn progress() -> Progress {
    Progress {
        objects: BTreeMap::from([(
            "contact".to_owned(),
            Position { bookmark: Some("b\0".to_owned()), read_from: Some(at(3)), complete: true },
        )]),
        mapping_version: 2,
        open: Some(OpenReport {
            cursor: "c".to_owned(),
            iteration: 7,
            asked: BTreeMap::from([(
                "contact".to_owned(),
                Asked { window: Window { since: None, until: at(9) }, bookmark: None, full: true },
            )]),
            finished: BTreeSet::from(["company".to_owned()]),
            started: at(8),
            run: 5,
            again: true,
        }),
        unchecked: BTreeMap::from([("person".to_owned(), 4)]),
        went_on: BTreeMap::from([("person".to_owned(), true)]),
        told_from: BTreeMap::from([(
            "contact".to_owned(),
            Position { bookmark: Some("a".to_owned()), read_from: Some(at(2)), complete: false },
        )]),
        doubted: BTreeSet::from(["person".to_owned()]),
        told_once: BTreeMap::from([(
            "contact".to_owned(),
            Position { bookmark: Some("0".to_owned()), read_from: None, complete: true },
        )]),
        rekey: true,
    }
}

#[tokio::test]
async fn a_unit_that_is_dropped_leaves_nothing() {
    let world = world().await;
    let run = world.run().await;
    let mut unit = world.unit().await;
    let mut pairs = [world.pair(Some("1"), None)];
    pairs[0].keys.left = Some(vec![key(0, "a")]);
    unit.save_pairs(&mut pairs).await.unwrap();
    unit.save_changes(&mut [super::changes::change(&world, run, 1, Side::Left)]).await.unwrap();
    unit.save_progress("crm", Side::Left, &progress()).await.unwrap();
    unit.save_state("x", &StateWrites::from([("k".to_owned(), Some(vec![1]))])).await.unwrap();
    unit.shared()
        .downcast_mut::<StoreUnit>()
        .unwrap()
        .connection()
        .execute("CREATE TABLE hub_was_here (x)", [])
        .unwrap();
    drop(unit);
    for table in
        ["pair", "pair_key", "change", "progress", "state", "sqlite_schema WHERE name = 'hub_was_here'"]
    {
        assert_eq!(world.rows(table).await, 0, "{table}");
    }
    // The numbers of the rolled-back unit are assigned again.
    world.save(&mut pairs.map(|pair| Pair { id: 0, ..pair })).await;
    assert_eq!(world.ledger.pairs(&[1]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_others_write_with_the_unit_commits_with_it() {
    let world = world().await;
    let mut unit = world.unit().await;
    unit.save_pairs(&mut [world.pair(Some("1"), None)]).await.unwrap();
    let shared = unit.shared().downcast_mut::<StoreUnit>().unwrap();
    shared
        .connection()
        .execute_batch("CREATE TABLE hub_was_here (x); INSERT INTO hub_was_here VALUES (1)")
        .unwrap();
    unit.commit().await.unwrap();
    assert_eq!((world.rows("hub_was_here").await, world.rows("pair").await), (1, 1));
}

#[tokio::test]
async fn state_and_progress_come_back() {
    let world = world().await;
    assert_eq!(world.ledger.progress("crm", Side::Left).await.unwrap(), Progress::default());
    for n in 0..2u8 {
        let mut unit = world.unit().await;
        unit.save_progress("crm", Side::Left, &progress()).await.unwrap();
        unit.save_progress(
            "crm",
            Side::Right,
            &Progress { mapping_version: n.into(), ..Progress::default() },
        )
        .await
        .unwrap();
        let writes = [
            ("a", Some(vec![n])),
            ("b", Some(vec![])),
            ("", Some(vec![0, 255])),
            ("gone", (n == 0).then(|| vec![1])),
        ];
        unit.save_state("x", &writes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            .await
            .unwrap();
        unit.commit().await.unwrap();
    }
    assert_eq!(world.ledger.progress("crm", Side::Left).await.unwrap(), progress());
    assert_eq!(world.ledger.progress("crm", Side::Right).await.unwrap().mapping_version, 1);
    let expected =
        [("a", vec![1]), ("b", vec![]), ("", vec![0, 255])].map(|(key, value)| (key.to_owned(), value));
    assert_eq!(world.ledger.state("x").await.unwrap(), BTreeMap::from(expected));
    assert!(world.ledger.state("y").await.unwrap().is_empty());
}

#[tokio::test]
async fn everything_is_there_after_reopening_and_nothing_of_what_was_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenant.db");
    let world = world_in(Store::open(&path).unwrap()).await;
    let run = world.run().await;
    let mut pairs = [world.pair(Some("1"), Some("a"))];
    pairs[0].set_agreed(Slot(0), both(Value::text("x")));
    pairs[0].keys.right = Some(vec![key(2, "k")]);
    let mut changes = [super::changes::change(&world, run, 1, Side::Right)];
    let mut unit = world.unit().await;
    unit.save_pairs(&mut pairs).await.unwrap();
    unit.save_changes(&mut changes).await.unwrap();
    unit.save_progress("crm", Side::Left, &progress()).await.unwrap();
    unit.commit().await.unwrap();
    // The process dies in the middle of the next unit of work.
    let mut unit = world.unit().await;
    unit.remove_pairs(&[1]).await.unwrap();
    unit.save_pairs(&mut [world.pair(Some("2"), None)]).await.unwrap();
    unit.save_progress("crm", Side::Left, &Progress::default()).await.unwrap();
    let (lease, mapping) = (world.lease.clone(), world.mapping);
    drop((unit, world));

    let ledger = SqliteLedger::new(Store::open(&path).unwrap());
    pairs[0].keys = Sides::new(None, None);
    assert_eq!(ledger.pairs(&[1, 2]).await.unwrap(), pairs);
    assert_eq!(ledger.pairs_by_key(mapping, Side::Right, &[key(2, "k")]).await.unwrap(), [(key(2, "k"), 1)]);
    assert_eq!(ledger.history(1, None, 9).await.unwrap(), changes);
    assert_eq!(ledger.progress("crm", Side::Left).await.unwrap(), progress());
    assert_eq!(ledger.run(run).await.unwrap().unwrap().status, RunStatus::Running);
    let mut unit = ledger.begin(&lease).await.unwrap();
    let mut new = [Pair::new(mapping)];
    unit.save_pairs(&mut new).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(new[0].id, 2);
}
