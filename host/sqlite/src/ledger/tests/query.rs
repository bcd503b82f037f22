use super::*;

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let world = world().await;
    let mut run = Run::new(
        "crm",
        RELATION,
        RunOptions {
            full: true,
            ids: Sides::new(vec![("contact".to_owned(), "1".to_owned())], vec![]),
            ..RunOptions::default()
        },
        at(1),
    );
    run = world.ledger.start_run(&world.lease, run).await.unwrap();
    run.count(Side::Right, "member").because(&Reason::NoRecord);
    run.status = RunStatus::Failed;
    run.ended = Some(at(2));
    run.error = Some(Message::new("it rained", [Remedy::Wait]));
    let mut unit = world.unit().await;
    unit.save_run(&run).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(world.ledger.run(run.id).await.unwrap().unwrap(), run);
    assert_eq!(world.ledger.run(99).await.unwrap(), None);
    let other = Run::new("second", RELATION, RunOptions::default(), at(3));
    let other = world.ledger.start_run(&world.lease, other).await.unwrap();
    assert_eq!(world.ledger.runs(None, 9).await.unwrap(), [other.clone(), run.clone()]);
    assert_eq!(world.ledger.runs(None, 1).await.unwrap(), [other]);
    assert_eq!(world.ledger.runs(Some("crm"), 9).await.unwrap(), [run.clone()]);
    run.id = 99;
    assert!(world.unit().await.save_run(&run).await.unwrap_err().to_string().contains("run 99 is not there"));
}

#[tokio::test]
async fn every_pair_is_counted_once_and_those_that_wait_are_listed() {
    let world = world().await;
    let other = world.store.transact(|c| ensure_mapping(c, "other", "contact", "lead")).await.unwrap();
    let mut pairs = Vec::new();
    for mapping in [world.mapping, other] {
        for status in Status::ALL {
            for n in 0..3 {
                let id = format!("{status:?}{n}");
                let mut pair = world.pair(Some(&id), (n == 0).then_some(id.as_str()));
                pair.mapping = mapping;
                pair.status = status;
                pair.reason = (n > 0).then_some(Reason::NotInPlan { run: 7 });
                pair.attempts = n;
                pairs.push(pair);
            }
        }
    }
    world.save(&mut pairs).await;
    let counts = world.ledger.pair_counts(None).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.pairs).sum::<u64>(), pairs.len() as u64);
    let counts = world.ledger.pair_counts(Some("other")).await.unwrap();
    assert_eq!(counts.len(), 2 * Status::ALL.len());
    assert!(counts.contains(&PairCount {
        mapping: other,
        status: Status::Held,
        code: Some(Code::NotInPlan),
        samples: vec![Reason::NotInPlan { run: 7 }],
        pairs: 2
    }));

    for status in Status::ALL {
        let lines = world.ledger.pairs_in(status, None, 0, 100).await.unwrap();
        assert_eq!(lines.len(), 6);
        assert_eq!(world.ledger.pairs_in(status, None, lines[1].id, 2).await.unwrap(), lines[2..4]);
        assert_eq!(world.ledger.pairs_in(status, Some(other), 0, 100).await.unwrap(), lines[3..]);
        let expected = PairLine {
            id: lines[1].id,
            mapping: world.mapping,
            objects: Sides::new("contact".to_owned(), "member".to_owned()),
            ids: Sides::new(Some(format!("{status:?}1")), None),
            status,
            reason: Some(Reason::NotInPlan { run: 7 }),
            attempts: 1,
        };
        assert_eq!(lines[1], expected);
    }
}

#[tokio::test]
async fn a_record_leads_to_its_pairs_in_every_relation() {
    let world = world().await;
    let other = world.store.transact(|c| ensure_mapping(c, "other", "contact", "lead")).await.unwrap();
    let mut pairs = [
        world.pair(Some("1"), Some("a")),
        Pair { mapping: other, ..world.pair(Some("1"), None) },
        world.pair(Some("2"), Some("1")),
    ];
    world.save(&mut pairs).await;
    let found = world.ledger.pairs_of_record(None, Side::Left, "contact", "1").await.unwrap();
    assert_eq!(
        found.iter().map(|(mapping, pair)| (mapping.id, pair.id)).collect::<Vec<_>>(),
        [(world.mapping, 1), (other, 2)]
    );
    let found = world.ledger.pairs_of_record(Some("other"), Side::Left, "contact", "1").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, pairs[1]);
    assert_eq!(world.ledger.pairs_of_record(None, Side::Right, "member", "1").await.unwrap()[0].1.id, 3);
    assert!(world.ledger.pairs_of_record(None, Side::Left, "member", "1").await.unwrap().is_empty());
}

/// Reads that may meet millions of rows must go by an index. (Reads with `INDEXED BY` fail where it would not
/// serve.)
#[tokio::test]
async fn big_tables_are_not_scanned() {
    let world = world().await;
    let plans = [
        ("SELECT id FROM pair WHERE mapping = ?1 AND left_id = ?2", "pair_left (mapping=? AND left_id=?)"),
        ("SELECT id FROM pair WHERE mapping = ?1 AND right_id = ?2", "pair_right (mapping=? AND right_id=?)"),
        (
            "SELECT id FROM pair p WHERE p.status = 'held' AND p.mapping = ?1 AND p.id > ?2 ORDER BY p.id",
            "pair_held (mapping=? AND rowid>?)",
        ),
        (
            "SELECT id FROM pair p WHERE p.status = 'failed' AND p.mapping = ?1 AND p.id > ?2 ORDER BY p.id",
            "pair_failed (mapping=? AND rowid>?)",
        ),
        (
            "SELECT id FROM pair INDEXED BY pair_todo WHERE mapping = ?1 AND status = 'todo' AND id > ?2 ORDER BY id",
            "pair_todo (mapping=? AND rowid>?)",
        ),
        ("SELECT count(*) FROM pair WHERE mapping = ?1 AND status = 'todo'", "pair_todo (mapping=?)"),
        (
            "SELECT * FROM change INDEXED BY change_open WHERE run = ?1 AND mapping = ?2 AND target = ?3 AND status = 'sent' AND id > ?4 ORDER BY id",
            "change_open (mapping=? AND target=? AND status=? AND rowid>?)",
        ),
        (
            "UPDATE change SET settled = ?2 WHERE pair = ?1 AND status IN ('planned', 'withheld')",
            "change_pair (pair=?)",
        ),
        ("SELECT id FROM conflict WHERE pair = ?1 AND closed IS NULL", "conflict_open (pair=?)"),
    ];
    for (sql, expected) in plans {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let plan = world
            .store
            .read(|c| {
                let mut statement = c.prepare(&sql)?;
                for n in 1..=statement.parameter_count() {
                    statement.raw_bind_parameter(n, 1)?;
                }
                let mut rows = statement.raw_query();
                let mut plan = String::new();
                while let Some(row) = rows.next()? {
                    plan += &row.get::<_, String>(3)?;
                }
                Ok(plan)
            })
            .await
            .unwrap();
        assert!(plan.contains(expected) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
