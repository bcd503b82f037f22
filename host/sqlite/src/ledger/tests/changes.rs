//! Changes: saving, look-ups, plans and history.

use super::*;

pub(super) fn change(world: &World, run: RunId, pair: PairId, target: Side) -> Change {
    Change {
        id: 0,
        key: format!("{run}-{pair}-{target}"),
        run,
        mapping: world.mapping,
        pair,
        target,
        action: Action::Create,
        made: None,
        fields: vec![],
        status: ChangeStatus::Planned,
        reason: None,
        ticket: None,
        sent: None,
        settled: None,
    }
}

async fn save(world: &World, changes: &mut [Change]) {
    let mut unit = world.unit().await;
    unit.save_changes(changes).await.unwrap();
    unit.commit().await.unwrap();
}

#[tokio::test]
async fn a_change_comes_back_and_can_be_changed_in_every_part() {
    let world = world().await;
    let run = world.run().await;
    let mut first = change(&world, run, 5, Side::Right);
    first.fields = values()
        .into_iter()
        .enumerate()
        .map(|(slot, value)| ChangedField {
            slot: Slot(slot),
            source: if slot % 2 == 0 { value.clone() } else { Value::Null },
            base: (slot % 3 == 0).then_some(Value::Null),
            value,
            time: Some(if slot % 2 == 0 {
                FieldTime::certain(at(1))
            } else {
                FieldTime::between(Some(at(0)), at(1))
            }),
            base_time: None,
            joint: slot % 2 == 1,
            stored: (slot % 3 == 1).then_some(Value::Null),
            reason: FieldReason::UndoOf { run: (slot / 2) as i64 },
        })
        .collect();
    let mut changes = [first, change(&world, run, 6, Side::Right)];
    save(&world, &mut changes).await;
    assert!(changes[0].id > 0 && changes[1].id > changes[0].id);
    let read =
        world.ledger.changes(run, world.mapping, Side::Right, ChangeStatus::Planned, 0, 10).await.unwrap();
    assert_eq!(read, changes);

    for action in [Action::Delete("8".to_owned()), Action::Update("9\0".to_owned())] {
        changes[1].action = action;
        changes[1].status = ChangeStatus::Deferred;
        changes[1].reason =
            Some(Reason::RetryLater { said: Some((Side::Right, RemoteSaid::new("busy", "takes its time"))) });
        changes[1].ticket = Some("t".to_owned());
        changes[1].sent = Some(at(2));
        changes[1].settled = Some(at(3));
        changes[1].target = Side::Left;
        changes[1].pair = 7;
        save(&world, &mut changes[1..]).await;
        assert_eq!(
            world
                .ledger
                .changes(run, world.mapping, Side::Left, ChangeStatus::Deferred, 0, 10)
                .await
                .unwrap(),
            changes[1..]
        );
    }
    assert_eq!(world.ledger.history(7, None, 10).await.unwrap(), changes[1..]);
    assert!(world.ledger.history(6, None, 10).await.unwrap().is_empty());

    changes[0].id = 99;
    let error = world.unit().await.save_changes(&mut changes[..1]).await.unwrap_err();
    assert!(error.to_string().contains("there is no change 99"), "{error}");
}

#[tokio::test]
async fn changes_are_found_by_run_side_and_status() {
    let world = world().await;
    let (old, run) = (world.run().await, world.run().await);
    let other = world.store.transact(|c| ensure_mapping(c, RELATION, "contact", "lead")).await.unwrap();
    let mut changes = Vec::new();
    for pair in 1..4 {
        for status in ChangeStatus::ALL {
            for (run, mapping) in [(run, world.mapping), (old, world.mapping), (run, other), (old, other)] {
                for target in Side::BOTH {
                    changes.push(Change { status, mapping, ..change(&world, run, pair, target) });
                }
            }
        }
    }
    save(&world, &mut changes).await;
    let expected = |test: &dyn Fn(&Change) -> bool| {
        changes.iter().filter(|change| test(change)).cloned().collect::<Vec<_>>()
    };
    for status in ChangeStatus::ALL {
        for target in Side::BOTH {
            let expected =
                expected(&|c| c.run == run && c.mapping == other && c.target == target && c.status == status);
            assert_eq!(expected.len(), 3);
            assert_eq!(world.ledger.changes(run, other, target, status, 0, 10).await.unwrap(), expected);
            assert_eq!(
                world.ledger.changes(run, other, target, status, expected[0].id, 1).await.unwrap(),
                expected[1..2]
            );
        }
        let all = expected(&|c| c.status == status);
        let mappings = [other, world.mapping, other];
        assert_eq!(world.ledger.open_changes(&mappings, status, 0, 100).await.unwrap(), all);
        assert_eq!(world.ledger.open_changes(&mappings, status, all[4].id, 7).await.unwrap(), all[5..12]);
        assert_eq!(
            world.ledger.open_changes(&[other], status, 0, 100).await.unwrap(),
            expected(&|c| c.status == status && c.mapping == other)
        );
        let filter = ChangeFilter { target: Some(Side::Left), ..ChangeFilter::of(status) };
        let of_run = world.ledger.changes_of_run(old, &filter, 0, 100).await.unwrap();
        assert_eq!(of_run, expected(&|c| c.run == old && c.status == status && c.target == Side::Left));
    }
    let of_run = world.ledger.changes_of_run(run, &ChangeFilter::default(), 0, 1000).await.unwrap();
    assert_eq!(of_run, expected(&|c| c.run == run));
    assert_eq!(
        world.ledger.changes_of_run(run, &ChangeFilter::default(), of_run[2].id, 2).await.unwrap(),
        of_run[3..5]
    );

    let mut history = expected(&|c| c.pair == 2);
    history.reverse();
    assert_eq!(world.ledger.history(2, None, 4).await.unwrap(), history[..4]);
    assert_eq!(world.ledger.history(2, Some(history[3].id), 4).await.unwrap(), history[4..8]);
}

#[tokio::test]
async fn plans_are_dropped_and_nothing_else() {
    let world = world().await;
    let run = world.run().await;
    let mut changes: Vec<Change> = (1..3)
        .flat_map(|pair| {
            ChangeStatus::ALL.map(|status| Change { status, ..change(&world, run, pair, Side::Left) })
        })
        .collect();
    save(&world, &mut changes).await;
    let mut unit = world.unit().await;
    unit.drop_plans(&[1, 77], at(9)).await.unwrap();
    unit.commit().await.unwrap();
    let now = world.ledger.changes_of_run(run, &ChangeFilter::default(), 0, 100).await.unwrap();
    for (before, after) in changes.iter().zip(&now) {
        if before.pair == 1
            && matches!(before.status, ChangeStatus::Planned | ChangeStatus::Withheld | ChangeStatus::Retry)
        {
            assert_eq!((after.status, after.settled), (ChangeStatus::Dropped, Some(at(9))));
        } else {
            assert_eq!(after, before);
        }
    }
}

#[tokio::test]
async fn a_pair_that_is_joined_leaves_history_and_no_plans() {
    let world = world().await;
    let run = world.run().await;
    world.save(&mut [world.pair(Some("1"), None)]).await;
    let mut changes = [ChangeStatus::Planned, ChangeStatus::Done, ChangeStatus::Sent]
        .map(|status| Change { status, ..change(&world, run, 1, Side::Left) });
    save(&world, &mut changes).await;
    let mut unit = world.unit().await;
    unit.remove_pairs(&[1]).await.unwrap();
    unit.commit().await.unwrap();
    let statuses: Vec<_> =
        world.ledger.history(1, None, 9).await.unwrap().iter().map(|change| change.status).collect();
    assert_eq!(statuses, [ChangeStatus::Sent, ChangeStatus::Done, ChangeStatus::Dropped]);
}
