//! Operator queries: results, cost of a page, and use of indexes.

use super::*;
use crate::ledger::{changes, conflicts as open_conflicts, query as queries, runs};

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let world = world().await;
    let mut run = Run::new(
        "crm",
        RELATION,
        RunOptions::sync(Scope::Ids(Sides::new(vec![("contact".to_owned(), "1".to_owned())], vec![]))),
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
    assert_eq!(world.ledger.runs(None, None, 9).await.unwrap(), [other.clone(), run.clone()]);
    assert_eq!(world.ledger.runs(None, None, 1).await.unwrap(), std::slice::from_ref(&other));
    assert_eq!(world.ledger.runs(Some("crm"), None, 9).await.unwrap(), [run.clone()]);
    assert_eq!(world.ledger.runs(None, Some(other.id), 9).await.unwrap(), [run.clone()]);
    assert_eq!(world.ledger.run_after("crm", run.id).await.unwrap(), None);
    assert_eq!(world.ledger.run_after("second", run.id).await.unwrap().unwrap(), other);
    assert_eq!(world.ledger.count_runs(None).await.unwrap(), 2);
    assert_eq!(world.ledger.count_runs(Some("crm")).await.unwrap(), 1);
    run.id = 99;
    assert!(world.unit().await.save_run(&run).await.unwrap_err().to_string().contains("there is no run 99"));
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
        differing: 0,
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
            due: None,
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

/// The query plan of a statement, and how many virtual-machine steps SQLite takes for all its rows.
async fn plan_and_steps(world: &World, sql: &str, params: &[i64]) -> (String, i32) {
    world
        .store
        .read(|c| {
            let mut explained = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let mut statement = c.prepare(sql)?;
            for n in 1..=statement.parameter_count() {
                let value = params.get(n - 1).copied().unwrap_or(1);
                explained.raw_bind_parameter(n, value)?;
                statement.raw_bind_parameter(n, value)?;
            }
            let mut plan = String::new();
            let mut rows = explained.raw_query();
            while let Some(row) = rows.next()? {
                plan += &row.get::<_, String>(3)?;
                plan += "; ";
            }
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            drop(rows);
            Ok((plan, statement.get_status(rusqlite::StatementStatus::VmStep)))
        })
        .await
        .unwrap()
}

/// Adds runs, changes of run 1, failed pairs, and conflicts of which one in ten is open, numbered `from` to
/// `until`.
async fn fill(world: &World, from: i64, until: i64) {
    world
        .store
        .write(|c| {
            let numbers = format!("WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {until})");
            c.execute_batch(&format!(
                r#"INSERT INTO run (sync, relation, options, started, status, counts) {numbers} SELECT 'crm', 'crm', '{{}}', i, 'done', '{{}}' FROM n;
                 INSERT INTO pair (id, mapping, left_id, status, attempts, dirty, context, left_filtered, right_filtered)
                     {numbers} SELECT i, {mapping}, i, 'failed', 1, 0, 0, 0, 0 FROM n;
                 INSERT INTO change (key, run, mapping, pair, target, action, fields, status) {numbers} SELECT i, 1, {mapping}, i, 1, 'create', '[]', 'done' FROM n;
                 INSERT INTO conflict (pair, slot, left_value, right_value, reason, run, first, last, times, closed)
                     {numbers} SELECT i, 0, '{{"v": 1}}', '{{"v": 2}}', 'ruled', 1, 1, 1, 1, nullif(i % 10 > 0, 0) FROM n;"#,
                mapping = world.mapping
            ))?;
            Ok(())
        })
        .await
        .unwrap();
}

/// The cost of a page depends on its length only: the same number of steps with ten times as many rows.
#[tokio::test]
async fn o14_a_page_reads_what_it_shows() {
    let world = world().await;
    let mapping = world.mapping;
    let of_mapping = [mapping];
    let pages = [
        (
            format!(
                "SELECT * FROM change {}",
                ["?2", "?3", "?4", "?5", "?6", "?7"]
                    .iter()
                    .fold(changes::filtered_sql(), |sql, value| sql.replace(value, "NULL"))
                    .replace("?8", "?2")
                    .replace("?9", "?3")
            ),
            vec![1, 7, 50],
            "change_run (run=? AND rowid>?)",
        ),
        (
            format!("SELECT * FROM run {}", runs::page_sql(false).replace("?1 IS NULL", "?1 > 0")),
            vec![1, i64::MAX, 50],
            "INTEGER PRIMARY KEY (rowid<?)",
        ),
        (
            format!(
                "SELECT * FROM run {}",
                runs::page_sql(true).replace("?1", "'crm'").replace("?2", "?1").replace("?3", "?2")
            ),
            vec![i64::MAX, 50],
            "run_sync (sync=? AND rowid<?)",
        ),
        (
            queries::pairs_sql(Status::Failed, true),
            vec![mapping, 7, 50],
            "pair_failed (mapping=? AND rowid>?)",
        ),
        (open_conflicts::open_sql(ConflictFilter::All), vec![7, 50], "conflict_number (id>?)"),
        (
            open_conflicts::open_sql(ConflictFilter::Mappings(&of_mapping)),
            vec![7, 50],
            "conflict_number (id>?)",
        ),
    ];
    fill(&world, 1, 1000).await;
    let mut steps = Vec::new();
    for (sql, params, expected) in &pages {
        let (plan, taken) = plan_and_steps(&world, sql, params).await;
        assert!(plan.contains(expected) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        steps.push(taken);
    }
    fill(&world, 1001, 10_000).await;
    for ((sql, params, _), before) in pages.iter().zip(steps) {
        assert_eq!(plan_and_steps(&world, sql, params).await.1, before, "{sql}");
    }
}

/// Counts add up to what the lists show.
#[tokio::test]
async fn counts_add_up() {
    let world = world().await;
    fill(&world, 1, 100).await;
    let all = ChangeFilter::default();
    let made =
        ChangeCount { target: Side::Right, deed: Deed::Create, status: ChangeStatus::Done, changes: 100 };
    assert_eq!(world.ledger.count_changes(1, &all).await.unwrap(), [made]);
    assert_eq!(world.ledger.count_changes(2, &all).await.unwrap(), []);
    // What a filter counts is what it lists.
    for (filter, changes) in [
        (ChangeFilter { deed: Some(Deed::Delete), ..ChangeFilter::default() }, 0),
        (ChangeFilter { deletes: Some(false), ..ChangeFilter::default() }, 100),
        (ChangeFilter { mappings: Some(vec![world.mapping + 1]), ..ChangeFilter::default() }, 0),
        (ChangeFilter { mappings: Some(vec![world.mapping]), ..ChangeFilter::default() }, 100),
        (ChangeFilter { pairs: Some(vec![3, 50, 1000]), ..ChangeFilter::of(ChangeStatus::Done) }, 2),
        (ChangeFilter { target: Some(Side::Left), ..ChangeFilter::default() }, 0),
    ] {
        let counts = world.ledger.count_changes(1, &filter).await.unwrap();
        assert_eq!(counts.iter().map(|count| count.changes).sum::<u64>(), changes, "{filter:?}");
        let listed = world.ledger.changes_of_run(1, &filter, 0, 1000).await.unwrap();
        assert_eq!(listed.len() as u64, changes, "{filter:?}");
    }
    let listed = world.ledger.open_conflicts(ConflictFilter::All, 0, 100).await.unwrap();
    let counted = |counts: Vec<ConflictCount>| counts.iter().map(|count| count.conflicts).sum::<u64>();
    for filter in [ConflictFilter::All, ConflictFilter::Mappings(&[world.mapping])] {
        assert_eq!(counted(world.ledger.count_conflicts(filter).await.unwrap()), listed.len() as u64);
    }
    let none = ConflictFilter::Mappings(&[]);
    assert_eq!(world.ledger.count_conflicts(none).await.unwrap(), []);
    assert_eq!(world.ledger.open_conflicts(none, 0, 100).await.unwrap(), []);
    let pair = ConflictFilter::Pair(listed[3].conflict.pair);
    assert_eq!(world.ledger.open_conflicts(pair, 0, 100).await.unwrap(), listed[3..4]);
    assert_eq!(counted(world.ledger.count_conflicts(pair).await.unwrap()), 1);
    let failed = world.ledger.pairs_in(Status::Failed, Some(world.mapping), 0, 1000).await.unwrap();
    assert_eq!(world.ledger.count_in(Status::Failed, world.mapping).await.unwrap(), failed.len() as u64);
}

/// Reads of tables with millions of rows use an index. (Reads with `INDEXED BY` fail by themselves where it
/// does not serve.)
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
