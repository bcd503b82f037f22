//! Leases: fencing, expiry, and a second process.

use super::*;

#[tokio::test]
async fn one_writer_at_a_time() {
    let world = world().await;
    let ledger = &world.ledger;
    let error = ledger.acquire(RELATION, "second", at(59), TTL).await.unwrap_err();
    assert!(
        matches!(&error, LedgerError::Busy { holder, until, .. } if holder == "test" && *until == at(60)),
        "{error}"
    );
    let elsewhere = ledger.acquire("other", "second", at(59), TTL).await.unwrap();
    assert_eq!(elsewhere.fence, 1);

    ledger.renew(&world.lease, at(50), TTL).await.unwrap();
    assert!(ledger.acquire(RELATION, "second", at(109), TTL).await.is_err());
    ledger.release(&world.lease).await.unwrap();
    let second = ledger.acquire(RELATION, "second", at(0), TTL).await.unwrap();
    assert!(second.fence > world.lease.fence);
    // The first holder is fenced off: it can neither renew nor release the lease.
    assert!(matches!(ledger.renew(&world.lease, at(0), TTL).await, Err(LedgerError::Fenced { .. })));
    ledger.release(&world.lease).await.unwrap();
    assert!(ledger.acquire(RELATION, "third", at(0), TTL).await.is_err());
    ledger.begin(&second).await.unwrap().commit().await.unwrap();
    // The expiry saturates at the end of time.
    ledger.renew(&second, Timestamp::MAX, Duration::MAX).await.unwrap();
}

#[tokio::test]
async fn an_expired_lease_is_taken_over_and_the_old_holder_writes_nothing() {
    let world = world().await;
    // The lease has expired but nobody has taken it: its holder may go on.
    world.save(&mut [world.pair(Some("1"), None)]).await;
    let second = world.ledger.acquire(RELATION, "second", at(60), TTL).await.unwrap();
    assert!(second.fence > world.lease.fence);
    let begun = world.ledger.begin(&world.lease).await;
    assert!(matches!(&begun, Err(LedgerError::Fenced { relation }) if relation == RELATION));
    let run = Run::new("crm", RELATION, RunOptions::default(), at(0));
    assert!(matches!(world.ledger.start_run(&world.lease, run).await, Err(LedgerError::Fenced { .. })));
    assert_eq!(world.rows("run").await, 0);
    world.ledger.release(&second).await.unwrap();
    assert!(
        matches!(world.ledger.begin(&second).await, Err(LedgerError::Fenced { .. })),
        "given back is given back"
    );
    assert!(matches!(world.ledger.begin(&world.lease).await, Err(LedgerError::Fenced { .. })));
    assert!(world.ledger.begin(&Lease { relation: "unheard of".to_owned(), fence: 1 }).await.is_err());
}

#[tokio::test]
async fn a_lease_cannot_change_hands_under_an_open_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenant.db");
    let world = world_in(Store::open(&path).unwrap()).await;
    let mut unit = world.unit().await;
    unit.save_pairs(&mut [world.pair(Some("1"), None)]).await.unwrap();
    // A second process, which does not wait for locks.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.busy_timeout(Duration::ZERO).unwrap();
    assert!(other.execute("UPDATE lease SET fence = fence + 1", []).is_err());
    unit.commit().await.unwrap();
    other.execute("UPDATE lease SET fence = fence + 1", []).unwrap();
    assert!(matches!(world.ledger.begin(&world.lease).await, Err(LedgerError::Fenced { .. })));
}

#[tokio::test]
async fn runs_left_running_are_marked_interrupted() {
    let world = world().await;
    let first = world.run().await;
    let other_lease = world.ledger.acquire("other", "test", at(0), TTL).await.unwrap();
    let elsewhere = world
        .ledger
        .start_run(&other_lease, Run::new("o", "other", RunOptions::default(), at(0)))
        .await
        .unwrap();
    let second = world.run().await;
    let status = async |id| world.ledger.run(id).await.unwrap().unwrap().status;
    assert_eq!(status(first).await, RunStatus::Interrupted);
    assert_eq!(status(second).await, RunStatus::Running);
    assert_eq!(status(elsewhere.id).await, RunStatus::Running);
    let wrong = Run::new("o", "other", RunOptions::default(), at(0));
    assert!(
        world
            .ledger
            .start_run(&world.lease, wrong)
            .await
            .unwrap_err()
            .to_string()
            .contains("the run is for 'other'")
    );
}

/// A clock that stands, but for those who are let sleep on.
#[derive(Debug, Default)]
struct Steps {
    asked: tokio::sync::Notify,
    go: tokio::sync::Notify,
}

#[async_trait::async_trait]
impl Clock for Steps {
    fn now(&self) -> Timestamp {
        at(0)
    }

    async fn sleep(&self, _: Duration) {
        self.asked.notify_one();
        self.go.notified().await;
    }
}

#[tokio::test]
async fn leases_are_dated_by_the_clock_of_sqlite_whatever_the_callers_clock_says() {
    let (world, ahead) = (world().await, Timestamp::MAX);
    let ledger = SqliteLedger::new(world.store.clone());
    let lease = ledger.acquire("of-the-store", "one", at(0), TTL).await.unwrap();
    let error = ledger.acquire("of-the-store", "other", ahead, TTL).await.unwrap_err();
    let LedgerError::Busy { until, .. } = &error else { panic!("{error}") };
    let now = SystemClock.now().micros();
    assert!((until.micros() - now - TTL.as_micros() as i64).abs() < 30_000_000, "{until}");
    ledger.renew(&lease, at(0), TTL * 2).await.unwrap();
    let error = ledger.acquire("of-the-store", "other", ahead, TTL).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Busy { until: later, .. } if later > until), "{error}");
}

#[tokio::test]
async fn a_lease_is_renewed_by_a_task_while_it_is_kept() {
    let world = world().await;
    let clock = std::sync::Arc::new(Steps::default());
    let until = async || -> i64 {
        let sql = "SELECT until FROM lease WHERE relation = ?1";
        world.store.read(|c| Ok(c.query_row(sql, [RELATION], |row| row.get(0))?)).await.unwrap()
    };
    // Long over by the clock of SQLite, and nobody has taken it.
    assert_eq!(until().await, at(60).micros());
    let kept =
        super::super::keeper::Keeper::start(world.store.clone(), world.lease.clone(), TTL, clock.clone());
    clock.asked.notified().await;
    clock.go.notify_one();
    clock.asked.notified().await;
    let renewed = until().await;
    assert!(renewed > SystemClock.now().micros(), "a third later it was renewed, without any unit of work");
    drop(kept);
    clock.go.notify_one();
    tokio::task::yield_now().await;
    assert_eq!(until().await, renewed, "and not after the run");
}
