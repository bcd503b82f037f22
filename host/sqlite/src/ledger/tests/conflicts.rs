//! Conflicts: opening, repeating and closing.

use super::*;

fn conflict(pair: PairId, slot: Slot, left: &str, right: &str, run: RunId, second: i64) -> Conflict {
    let seen = |text: &str| Seen { value: Value::text(text), time: Some(FieldTime::by(at(second))) };
    Conflict { pair, slot, left: seen(left), right: seen(right), reason: FieldReason::UndoOf { run }, run }
}

async fn save(world: &World, pairs: &[PairId], conflicts: &[Conflict], second: i64) {
    let mut unit = world.unit().await;
    unit.save_conflicts(pairs, conflicts, at(second)).await.unwrap();
    unit.commit().await.unwrap();
}

async fn open(world: &World) -> Vec<OpenConflict> {
    world.ledger.open_conflicts(ConflictFilter::Mappings(&[world.mapping]), 0, 10).await.unwrap()
}

#[tokio::test]
async fn the_same_two_values_are_one_conflict() {
    let world = world().await;
    world.save(&mut [world.pair(Some("1"), Some("a")), world.pair(Some("2"), Some("b"))]).await;
    save(&world, &[1, 2], &[conflict(1, Slot(1), "x", "y", 4, 1), conflict(2, Slot(0), "x", "y", 4, 1)], 10)
        .await;
    save(&world, &[1], &[conflict(1, Slot(1), "x", "y", 5, 2)], 20).await;
    let now = open(&world).await;
    assert_eq!(now.len(), 2, "a pair that was not looked at keeps its conflicts");
    assert_eq!((now[0].conflict.run, now[0].first, now[0].last, now[0].times), (4, at(10), at(20), 2));
    assert_eq!(now[0].conflict.left.time.unwrap().at, at(2), "the times may be known better by now");
    assert_eq!(now[0].conflict.reason, FieldReason::UndoOf { run: 5 });
    assert_eq!(now[0].fields, ["name", "full_name"]);
    assert_eq!(now[0].objects, ["contact", "member"]);
    assert_eq!(now[0].ids, [Some("1".to_owned()), Some("a".to_owned())]);
    assert_eq!(now[1].times, 1);
    assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, now[0].id, 10).await.unwrap(), now[1..]);
    assert!(
        world
            .ledger
            .open_conflicts(ConflictFilter::Mappings(&[world.mapping + 1]), 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn other_values_are_another_conflict_and_agreement_closes() {
    let world = world().await;
    world.save(&mut [world.pair(Some("1"), Some("a"))]).await;
    save(&world, &[1], &[conflict(1, Slot(0), "x", "y", 4, 1), conflict(1, Slot(1), "x", "y", 4, 1)], 10)
        .await;
    save(&world, &[1], &[conflict(1, Slot(0), "x", "z", 5, 2)], 20).await;
    let now = open(&world).await;
    assert_eq!(now.len(), 1);
    assert_eq!(
        (now[0].conflict.run, now[0].conflict.right.value.clone(), now[0].times),
        (5, Value::text("z"), 1)
    );
    save(&world, &[1], &[], 30).await;
    assert!(open(&world).await.is_empty());
    assert_eq!(world.rows("conflict WHERE closed IN (20000000, 30000000)").await, 3);
    // Null is a value like any other, and two entries for a field count once.
    let null =
        Conflict { left: Seen { value: Value::Null, time: None }, ..conflict(1, Slot(0), "", "z", 6, 1) };
    save(&world, &[1], &[conflict(1, Slot(0), "", "z", 6, 1), null.clone()], 40).await;
    let now = open(&world).await;
    assert_eq!(now.len(), 1);
    assert_eq!(now[0].conflict, null);
}

#[tokio::test]
async fn a_removed_pair_has_no_open_conflict() {
    let world = world().await;
    world.save(&mut [world.pair(Some("1"), Some("a"))]).await;
    save(&world, &[], &[conflict(1, Slot(0), "x", "y", 4, 1)], 10).await;
    let mut unit = world.unit().await;
    unit.remove_pairs(&[1]).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(world.rows("conflict WHERE closed IS NULL").await, 0);
}
