//! Reading: pages, cursors, bookmarks, and exchanges that fail meanwhile.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Unresolved, Value};
use entente_sync::{
    ChangeTimes, Clock as _, Code, ExchangeError, Feature, Ledger as _, Notice, Observer, Oddity,
    OperatorLedger as _, Reading, Reason, RunOptions, RunStatus, Scope, Side, Sides, Status, Step, codes,
};
use std::sync::Mutex;
use std::time::Duration;

#[tokio::test]
async fn s10_a_broken_page_creates_nothing_and_the_next_run_goes_on_there() {
    let world = World::new().await;
    for n in 0..20 {
        world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    world.left.put("contact", &[("email", text("15@example.org"))], "2020-01-01");
    world.right.fault("report", 3, Fault::Fails(ExchangeError::new("odd", "page 3 is broken")));
    let end = world.try_run(RunOptions::default()).await.unwrap();
    assert_eq!(end.run.status, RunStatus::Failed);
    assert!(end.error.unwrap().to_string().contains("page 3 is broken"));
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (1, 20));
    let run = world.run().await;
    // Two of three pages were kept.
    assert_eq!(run.counts.right["person"].reported, 14);
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (20, 20));
    world.assert_quiet().await;
}

/// A remote system that pages through a moving list tells a record twice, the second time as it was before.
#[tokio::test]
async fn of_two_copies_of_a_record_in_one_report_the_newer_one_counts() {
    let mut world = World::new().await;
    world.right.character.times = ChangeTimes::Record;
    for full in [false, true] {
        let address = format!("{full}@example.org");
        let values = [("mail", text(&address)), ("full", text("Ann"))];
        let right = world.right.put("person", &values, "2020-01-01");
        world.run().await;
        world.right.keep_copy("person", &right);
        world.right.edit("person", &right, "full", text("Ann Lee"), "2026-01-02");
        let reading = if full { Reading::Full } else { Reading::Changes };
        world.run_with(RunOptions::sync(reading)).await;
        world.right.drop_copies();
        let left = world.contact(&address);
        assert_eq!(world.left.value("contact", &left, "name"), text("Ann Lee"), "full: {full}");
        assert_eq!(world.right.value("person", &right, "full"), text("Ann Lee"), "full: {full}");
        world.assert_quiet().await;
    }
}

/// Without change times nothing says which of the two is newer: the later one counts, and the run says so.
#[tokio::test]
async fn two_copies_of_a_record_without_change_times_are_told() {
    for times in [ChangeTimes::None, ChangeTimes::Record] {
        let mut world = World::new().await;
        world.right.character.times = times;
        let right = world.right.put(
            "person",
            &[("mail", text("a@example.org")), ("full", text("Ann"))],
            "2020-01-01",
        );
        let same =
            world.right.put("person", &[("mail", text("b@example.org")), ("full", text("Bo"))], "2020-01-01");
        world.run().await;
        world.right.keep_copy("person", &right);
        world.right.keep_copy("person", &same);
        world.right.edit("person", &right, "full", text("Ann Lee"), "2026-01-02");
        let run = world.run_with(RunOptions::sync(Reading::Full)).await;
        world.right.drop_copies();
        let twice = |notice: &&Notice| {
            matches!(
                notice,
                Notice::InvalidAnswers { side: Side::Right, what: Oddity::ToldTwice, count: 1, .. }
            )
        };
        let told = run.notices.iter().filter(twice).count();
        assert_eq!(told, usize::from(times == ChangeTimes::None), "{times:?}: {:?}", run.notices);
        let run = world.run().await;
        assert_eq!(run.notices.iter().filter(twice).count(), 0, "once is not twice");
    }
}

/// A listing of a later run tells a record as it was before the last write, by a replica that lags behind, say.
#[tokio::test]
async fn a_listing_that_tells_what_a_write_has_replaced_takes_no_edit_back() {
    for by_id in [false, true] {
        let mut world = World::new().await;
        world.right.character.times = ChangeTimes::Record;
        if !by_id {
            world.right.character.features.remove(&Feature::ById);
        }
        let values = [("email", text("ann@example.org")), ("name", text("Ann"))];
        let left = world.left.put("contact", &values, "2020-01-01");
        world.run().await;
        let right = world.person("ann@example.org");
        world.right.keep_copy("person", &right);
        world.clock.advance(Duration::from_secs(3600));
        world.left.edit("contact", &left, "name", text("Ann Lee"), "2026-01-02");
        world.run().await;
        assert_eq!(world.right.value("person", &right, "full"), text("Ann Lee"));
        world.right.tell_only_copies();
        world.run_with(RunOptions::sync(Reading::Full)).await;
        world.right.drop_copies();
        assert_eq!(world.left.value("contact", &left, "name"), text("Ann Lee"), "by id: {by_id}");
        assert_eq!(world.right.value("person", &right, "full"), text("Ann Lee"), "by id: {by_id}");
        world.assert_quiet().await;
        // What somebody puts back there is an edit.
        world.right.edit("person", &right, "full", text("Ann"), "2027-01-02");
        world.run().await;
        assert_eq!(world.left.value("contact", &left, "name"), text("Ann"), "by id: {by_id}");
        world.assert_quiet().await;
    }
}

/// An edit that brings back what the last write has replaced, and that its author or an import has given an earlier time, looks
/// like a copy of before. Where it cannot be read by id, nothing is written to it until it has been told twice.
#[tokio::test]
async fn an_edit_with_an_earlier_time_that_puts_back_what_a_write_replaced_is_taken_when_it_is_told_again() {
    let mut world = World::new().await;
    world.right.character.times = ChangeTimes::Record;
    world.right.character.features.remove(&Feature::ById);
    let values = [("email", text("ann@example.org")), ("name", text("Ann"))];
    let left = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    let right = world.person("ann@example.org");
    world.clock.advance(Duration::from_secs(3600));
    world.left.edit("contact", &left, "name", text("Ann Lee"), "2026-01-02");
    world.run().await;
    world.right.edit("person", &right, "full", text("Ann"), "2019-01-01");
    world.right.date("person", &right, "2019-01-01");
    world.left.edit("contact", &left, "phone", text("1"), "2026-01-03");
    world.run().await;
    assert_eq!(world.right.value("person", &right, "tel"), Value::Null, "not over what is not known");
    world.run().await;
    assert_eq!(world.left.value("contact", &left, "name"), text("Ann"));
    assert_eq!(world.right.value("person", &right, "tel"), text("1"));
    world.assert_quiet().await;
}

/// The same, and an operator has the held record tried again before it is told a second time: what it has by now is still not
/// known, so that it stays held, and the edit is taken then.
#[tokio::test]
async fn i4_a_retry_by_hand_takes_no_edit_back_whose_report_was_doubted() {
    for named in [true, false] {
        let mut world = World::new().await;
        world.right.character.times = ChangeTimes::Record;
        world.right.character.features.remove(&Feature::ById);
        let values = [("email", text("ann@example.org")), ("name", text("Ann"))];
        let left = world.left.put("contact", &values, "2020-01-01");
        world.run().await;
        let right = world.person("ann@example.org");
        world.clock.advance(Duration::from_secs(3600));
        world.left.edit("contact", &left, "name", text("Ann Lee"), "2026-01-02");
        world.run().await;
        world.right.edit("person", &right, "full", text("Ann"), "2019-01-01");
        world.right.date("person", &right, "2019-01-01");
        world.run().await;
        let waits = || async { world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap() };
        let held = waits().await;
        assert_eq!(
            held.iter().map(|pair| pair.reason.as_ref().map(Reason::code)).collect::<Vec<_>>(),
            [Some(Code::NotReadYet)]
        );
        let lease =
            world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(180)).await.unwrap();
        let pair = named.then_some(held[0].id);
        world.ledger.retry(&lease, held[0].mapping, pair).await.unwrap();
        world.ledger.release(&lease).await.unwrap();
        assert_eq!(waits().await, held, "named: {named}");
        world.run().await;
        assert_eq!(world.left.value("contact", &left, "name"), text("Ann"), "named: {named}");
        assert_eq!(world.right.value("person", &right, "full"), text("Ann"));
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn an_expired_place_starts_the_report_again() {
    let world = World::new().await;
    world.right.put("person", &[("mail", text("a@example.org"))], "2020-01-01");
    world.run().await;
    world.right.put("person", &[("mail", text("b@example.org"))], "2020-01-01");
    world.right.fault("report", 1, Fault::Fails(ExchangeError::new(codes::CURSOR_EXPIRED, "too old")));
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].reported, 2);
    assert_eq!(world.left.records("contact").len(), 2);
    world.assert_quiet().await;
}

#[tokio::test]
async fn being_told_to_slow_down_is_waited_out() {
    let world = World::new().await;
    world.right.put("person", &[("mail", text("a@example.org"))], "2020-01-01");
    let slow = ExchangeError {
        code: codes::RATE_LIMITED.into(),
        reason: "slow down".into(),
        said: None,
        after: Some(std::time::Duration::from_secs(30)),
        object: None,
        remedies: Vec::new(),
    };
    for n in 1..=6 {
        world.right.fault("report", n, Fault::Fails(slow.clone()));
    }
    world.run().await;
    assert_eq!(world.left.records("contact").len(), 1);
}

#[tokio::test]
async fn a_side_that_is_down_fails_the_run_and_nothing_else() {
    let world = World::new().await;
    world.left.put("contact", &[("email", text("a@example.org"))], "2020-01-01");
    for n in 1..=10 {
        world.right.fault(
            "report",
            n,
            Fault::Fails(ExchangeError::new(codes::UNAVAILABLE, "connection refused")),
        );
    }
    let end = world.try_run(RunOptions::default()).await.unwrap();
    assert_eq!(end.run.status, RunStatus::Failed);
    assert_eq!(world.right.records("person").len(), 0);
}

#[tokio::test]
async fn a_second_run_is_refused_while_one_holds_the_lease() {
    use entente_sync::{Clock, Ledger, Remedy};
    let world = World::new().await;
    let lease = world
        .ledger
        .acquire("r", "somebody", world.clock.now(), std::time::Duration::from_secs(600))
        .await
        .unwrap();
    let error = world.try_run(RunOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("somebody"), "{error}");
    assert_eq!(error.remedies(), [Remedy::Wait]);
    world.ledger.release(&lease).await.unwrap();
    world.run().await;
}

#[tokio::test]
async fn a_lease_that_went_to_another_run_writes_nothing_more() {
    use entente_sync::{Clock, Ledger};
    let world = World::new().await;
    let old =
        world.ledger.acquire("r", "old", world.clock.now(), std::time::Duration::from_secs(1)).await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(60));
    world.ledger.acquire("r", "new", world.clock.now(), std::time::Duration::from_secs(600)).await.unwrap();
    assert!(world.ledger.begin(&old).await.is_err());
}

#[tokio::test]
async fn time_that_is_up_ends_the_run_and_the_next_goes_on() {
    let world = World::new().await;
    for n in 0..40 {
        world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    // The clock advances a second with each reading.
    let short = || RunOptions { max_time: Some(std::time::Duration::from_secs(40)), ..RunOptions::default() };
    let mut ends = Vec::new();
    for _ in 0..60 {
        let end = world.try_run(short()).await.unwrap();
        ends.push(end.run.status);
        if end.run.status == RunStatus::Done {
            break;
        }
    }
    assert_eq!(ends.first(), Some(&RunStatus::Interrupted));
    assert_eq!(ends.last(), Some(&RunStatus::Done), "{ends:?}");
    assert_eq!(world.left.records("contact").len(), 40);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_named_record_that_is_not_there_is_told() {
    let world = World::new().await;
    let ids = Sides::new(vec![("contact".to_owned(), "L99".to_owned())], vec![]);
    let run = world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    assert_eq!(run.counts.left["contact"].failed, 1);
    let ids = Sides::new(vec![], vec![("contact".to_owned(), "L99".to_owned())]);
    let error = world.try_run(RunOptions::sync(Scope::Ids(ids))).await.unwrap_err();
    assert!(error.to_string().contains("it maps person, org"), "{error}");
    // K8: no run of it is recorded.
    assert_eq!(world.ledger.count_runs(None).await.unwrap(), 1);
}

/// By step: the announced and the actual number of records.
#[derive(Default)]
struct Watcher(Mutex<Vec<(Step, Option<u64>, u64)>>);

impl Watcher {
    fn advance(&self, of: Step, by: u64) -> u64 {
        let mut steps = self.0.lock().unwrap();
        let (step, _, done) = steps.last_mut().unwrap();
        assert_eq!(*step, of);
        *done += by;
        *done
    }
}

impl Observer for Watcher {
    fn begins(&self, step: Step, records: Option<u64>) {
        self.0.lock().unwrap().push((step, records, 0));
    }

    fn collected(&self, side: Side, rows: u64, remaining: Option<u64>) {
        let read = self.advance(Step::Collect(side), rows);
        self.0.lock().unwrap().last_mut().unwrap().1 = remaining.map(|remaining| read + remaining);
    }

    fn reconciled(&self, pairs: u64) {
        self.advance(Step::Reconcile, pairs);
    }

    fn written(&self, side: Side, changes: u64) {
        self.advance(Step::Execute(side), changes);
    }
}

#[tokio::test]
async fn who_watches_a_run_is_told_how_far_it_is() {
    let world = World::new().await;
    for n in 0..20 {
        world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    world.left.put("contact", &[("email", text("15@example.org"))], "2020-01-01");
    world.left.put("contact", &[("email", text("x@example.org"))], "2020-01-01");
    let watcher = Watcher::default();
    assert!(world.watched_run(RunOptions::default(), &watcher).await.unwrap().error.is_none());
    let steps = watcher.0.into_inner().unwrap();
    let of = |step: Step, records: u64| (step, Some(records), records);
    let expected = [
        of(Step::Collect(Side::Left), 2),
        of(Step::Collect(Side::Right), 20),
        of(Step::Reconcile, 21),
        of(Step::Execute(Side::Left), 19),
        of(Step::Execute(Side::Right), 1),
    ];
    assert_eq!(steps, expected);
}

/// Pages are counted in rows. A listing breaks off, a record that it has read is deleted, and the next run goes on where it
/// broke off: the rows have moved up by one. Whether deletions are told or not, no record is passed over.
#[tokio::test]
async fn i26_a_listing_that_goes_on_in_a_later_run_passes_over_no_record() {
    for told in [true, false] {
        let mut world = World::new().await;
        if !told {
            world.right.character.features.remove(&Feature::Deletions);
        }
        for n in 1..=5 {
            world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
        }
        let down = || Fault::Fails(ExchangeError::new(codes::UNAUTHORIZED, "the session ended"));
        world.right.fault("report", 2, down());
        assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
        let first = world.person("1@example.org");
        world.right.delete("person", &first);
        world.run().await;
        assert_eq!(world.left.records("contact").len(), 4, "deletions are told: {told}");
        world.assert_quiet().await;
        let before = world.right.calls("report");
        world.run().await;
        assert_eq!(world.right.calls("report"), before + 1, "it is listed again once");
    }
}

/// One cursor goes through all objects of a report. A listing breaks off behind the people, one of them is deleted or merged
/// away, and the next run goes on where it broke off: the organisations have moved up by one, and none is passed over.
#[tokio::test]
async fn i26_a_listing_that_goes_on_passes_over_no_record_where_one_of_another_object_is_gone() {
    for merged in [false, true] {
        let world = World::new().await;
        for n in 1..=3 {
            world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
        }
        for n in 1..=2 {
            world.right.put("org", &[("title", text(&format!("Company {n}")))], "2020-01-01");
        }
        let down = Fault::Fails(ExchangeError::new(codes::UNAUTHORIZED, "the session ended"));
        world.right.fault("report", 2, down);
        assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
        let [first, second] = ["1@example.org", "2@example.org"].map(|mail| world.person(mail));
        if merged {
            world.right.merge("person", &first, &second);
            // It is told as merged alone.
            world.right.expire_deletions();
        } else {
            world.right.delete("person", &first);
        }
        world.run().await;
        assert_eq!(world.left.records("company").len(), 2, "merged: {merged}");
        assert_eq!(world.left.records("contact").len(), 2, "merged: {merged}");
        world.assert_quiet().await;
        let before = world.right.calls("report");
        world.run().await;
        assert_eq!(world.right.calls("report"), before + 1, "it is listed again once");
    }
}

/// The clock of a remote system is ahead: two edits of one moment cannot be ordered, and waiting until the told time has
/// passed orders them no better.
#[tokio::test]
async fn i5_a_time_that_lay_ahead_decides_nothing_once_it_has_passed() {
    let mut world = World::new().await;
    world.right.character.precision = 24 * 3_600_000_000;
    world.people().fields[2].unresolved = Unresolved::Latest;
    let values = [("email", text("ann@example.org")), ("phone", text("one"))];
    let ann = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    world.left.edit("contact", &ann, "phone", text("two"), "2026-01-03");
    world.right.edit("person", &world.person("ann@example.org"), "tel", text("three"), "2026-01-05");
    let run = world.run().await;
    assert_eq!(run.counts.left["contact"].conflicts, 1);
    world.clock.advance(Duration::from_secs(30 * 86_400));
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("two"), "still a conflict");
    world.assert_quiet().await;
}
