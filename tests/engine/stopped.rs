//! Orders and runs that end early, answers that say more than yes or no, and reports object by object.

use crate::fake::*;
use crate::world::*;
use entente_core::{Side, Value};
use entente_sync::*;
use std::time::Duration;

/// Twelve contacts that nothing can be looked up by.
async fn twelve(world: &mut World) {
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    world.right.character.can_find = false;
    world.right.character.order = 12;
    for n in 0..12 {
        world.left.put("contact", &[("phone", text(&n.to_string()))], "2020-01-01");
    }
}

#[tokio::test]
async fn a1_a_remote_that_takes_no_more_in_the_middle_of_an_order_gets_everybody_once() {
    let mut world = World::new().await;
    twelve(&mut world).await;
    for call in 1..=3 {
        world.right.fault("execute", call, Fault::Stops { after: 3 });
    }
    let before = world.clock.now();
    let run = world.run().await;
    assert_eq!(world.right.records("person").len(), 12);
    assert_eq!((run.counts.right["person"].created, run.counts.right["person"].pending), (12, 0));
    assert!(world.clock.now().micros() - before.micros() > 3 * 7_000_000, "it waits as long as it is told");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_remote_that_takes_no_more_for_long_keeps_what_it_has_made() {
    let mut world = World::new().await;
    twelve(&mut world).await;
    for call in 1..=100 {
        world.right.fault("execute", call, Fault::Stops { after: usize::from(call == 1) });
    }
    let end = world.try_run(RunOptions::default()).await.unwrap();
    assert!(
        matches!(end.error, Some(SyncError::Exchange { error, .. }) if error.code == codes::RATE_LIMITED)
    );
    assert_eq!(world.right.records("person").len(), 1);
    for _ in 0..20 {
        world.clock.advance(Duration::from_secs(3600));
        world.try_run(RunOptions::default()).await.unwrap();
    }
    assert_eq!(world.right.records("person").len(), 12, "nobody twice");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a1_an_order_that_ends_in_an_error_is_never_sent_again_blindly() {
    for find in [false, true] {
        let mut world = World::new().await;
        twelve(&mut world).await;
        world.right.character.can_find = find;
        if find {
            for (id, _) in world.left.records("contact") {
                world.left.edit("contact", &id, "email", text(&format!("{id}@example.org")), "2020-01-02");
            }
        }
        for call in 1..=2 {
            world.right.fault("execute", call, Fault::StopsInError { after: 3 });
        }
        for _ in 0..4 {
            world.run().await;
            world.clock.advance(Duration::from_secs(3600));
        }
        let people = world.right.records("person").len();
        let held = world.ledger.pairs_in(Status::Held, None, 0, 20).await.unwrap();
        // What can be looked up is made. Of the rest nobody can know, and it says so.
        assert_eq!((people, held.len()), if find { (12, 0) } else { (3, 12) }, "{find}");
        let unknown = |line: &PairLine| line.reason.as_ref().map(Reason::code) == Some(Code::FateUnknown);
        assert!(held.iter().all(unknown), "{held:?}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_field_that_is_refused_stays_with_its_reason_and_the_rest_is_written() {
    let mut world = World::new().await;
    world.right.character.refuses_field = Some("tel");
    let id =
        world.left.put("contact", &[("email", text("r@example.org")), ("phone", text("x"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!((run.counts.right["person"].created, run.counts.right["person"].failed), (1, 0));
    let person = world.person("r@example.org");
    assert_eq!(world.right.value("person", &person, "tel"), Value::Null);
    let line = world.ledger.pairs_in(Status::Ok, None, 0, 10).await.unwrap().remove(0);
    let pair = world.ledger.pairs(&[line.id]).await.unwrap().remove(0);
    let reasons: Vec<&str> = pair.differing.iter().map(|(_, reason)| reason.code()).collect();
    assert_eq!(reasons, ["refused"]);
    world.assert_quiet().await;

    // An edit of another field leaves it alone; a new value is sent.
    world.left.edit("contact", &id, "email", text("s@example.org"), "2025-01-01");
    world.run().await;
    world.assert_quiet().await;
    world.right.character.refuses_field = None;
    world.left.edit("contact", &id, "phone", text("7"), "2025-02-01");
    world.run().await;
    assert_eq!(world.right.value("person", &person, "tel"), text("7"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_expired_bookmark_of_one_object_lists_that_one_again() {
    let world = World::new().await;
    world.left.put("company", &[("name", text("ACME"))], "2020-01-01");
    world.left.put("contact", &[("email", text("o@example.org"))], "2020-01-01");
    world.run().await;
    world.run().await;
    let before = world.ledger.progress("s", Side::Right).await.unwrap();
    assert_eq!(before.complete(), ["org", "person"]);
    let mut expired = ExchangeError::new(codes::CURSOR_EXPIRED, "too long ago");
    expired.object = Some("person".to_owned());
    world.right.fault("report", 1, Fault::Fails(expired));
    let run = world.run().await;
    assert_eq!(run.error, None);
    assert_eq!(world.right.asked_in_full(), ["person"], "the other one goes on from its bookmark");
    let after = world.ledger.progress("s", Side::Right).await.unwrap();
    assert_eq!(after.complete(), before.complete());
    world.assert_quiet().await;
}

/// A run that may take this long.
fn at_most(seconds: u64, kind: RunKind) -> RunOptions {
    RunOptions { max_time: Some(Duration::from_secs(seconds)), ..kind.into() }
}

/// Runs, and says how long it took in seconds, what it counts as, and what it was waiting for.
async fn ended(world: &World, options: RunOptions) -> (i64, RunStatus, Option<Awaited>) {
    let before = world.clock.now();
    let end = world.try_run(options).await.unwrap();
    let took = (world.clock.now().micros() - before.micros()) / 1_000_000;
    let waiting = match end.error {
        Some(SyncError::TimeUp { waiting }) => waiting.map(|waiting| *waiting),
        None => None,
        other => panic!("{other:?}"),
    };
    (took, end.run.status, waiting)
}

fn awaits(reason: &str) -> Option<Awaited> {
    Some(Awaited { exchange: "R".to_owned(), reason: reason.to_owned() })
}

#[tokio::test]
async fn the_time_of_a_run_ends_its_wait_for_a_page_that_is_being_prepared() {
    let mut world = World::new().await;
    for n in 0..5 {
        world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    world.right.character.prepares = Some(Duration::from_secs(3600));
    let (took, status, waiting) = ended(&world, at_most(600, RunKind::default())).await;
    assert_eq!(status, RunStatus::Interrupted);
    assert_eq!(waiting, awaits("the next page is being prepared"));
    assert!(took <= 600, "it took {took} s");
    assert_eq!(world.left.records("contact").len(), 0, "nothing is decided before everything is read");

    // The next run goes on with the page that it was told to ask for.
    world.right.character.prepares = None;
    let pages = world.right.calls("report");
    world.run().await;
    assert_eq!(world.left.records("contact").len(), 5);
    assert_eq!(world.right.calls("report"), pages + 2, "the second page, and what changed since");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_wait_that_the_time_of_a_run_suffices_for_is_waited() {
    let mut world = World::new().await;
    for n in 0..5 {
        world.right.put("person", &[("mail", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    world.right.character.prepares = Some(Duration::from_secs(300));
    let (took, status, _) = ended(&world, at_most(600, RunKind::default())).await;
    assert_eq!((status, took >= 300), (RunStatus::Done, true), "it took {took} s");
    assert_eq!(world.left.records("contact").len(), 5);
}

#[tokio::test]
async fn the_time_of_a_run_ends_its_wait_for_deferred_changes() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    world.right.character.still_deferred = Some(Duration::from_secs(1800));
    world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
    let settled = || RunKind::Sync { scope: Scope::default(), until_settled: true };
    let before = world.clock.now();
    let end = world.try_run(at_most(200, settled())).await.unwrap();
    let took = (world.clock.now().micros() - before.micros()) / 1_000_000;
    assert!((200..220).contains(&took), "it took {took} s");
    let waiting = awaits("until it has the outcomes of deferred changes").map(Box::new);
    assert!(matches!(end.error, Some(SyncError::TimeUp { waiting: said }) if said == waiting));
    assert_eq!(end.run.counts.right["person"].pending, 1, "{:#?}", end.run.counts);

    world.right.tell(false);
    world.right.character.still_deferred = None;
    world.run_with(settled().into()).await;
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_time_of_a_run_ends_its_wait_for_a_remote_that_is_busy() {
    let mut world = World::new().await;
    world.right.put("person", &[("mail", text("p@example.org"))], "2020-01-01");
    let mut busy = ExchangeError::new(codes::RATE_LIMITED, "too many calls");
    busy.after = Some(Duration::from_secs(50));
    world.right.fault("report", 1, Fault::Fails(busy));
    let (took, status, waiting) = ended(&world, at_most(40, RunKind::default())).await;
    assert_eq!((status, waiting), (RunStatus::Interrupted, awaits("too many calls")));
    assert!(took <= 40, "it took {took} s");
    // The same where what was sent is to be tried again in the same run.
    world.right.character.locks = Some(("q@", Duration::from_secs(50)));
    world.left.put("contact", &[("email", text("q@example.org"))], "2020-01-01");
    let (_, status, waiting) = ended(&world, at_most(60, RunKind::default())).await;
    assert_eq!(
        (status, waiting),
        (RunStatus::Interrupted, awaits("until what it put off may be tried again"))
    );
    world.right.character.locks = None;
    world.run().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (2, 2));
    world.assert_quiet().await;
}

/// Stops a run as soon as it waits.
struct Impatient<'a>(&'a CancellationToken);

impl Observer for Impatient<'_> {
    fn waiting(&self, _: &str, _: Duration, _: &str) {
        self.0.cancel();
    }
}

#[tokio::test]
async fn a_run_that_waits_can_be_stopped() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    world.right.character.still_deferred = Some(Duration::from_secs(1800));
    world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
    let stop = CancellationToken::new();
    let options = RunKind::Sync { scope: Scope::default(), until_settled: true }.into();
    let end = world.stopped_run(options, &Impatient(&stop), &stop).await.unwrap();
    assert!(matches!(end.error, Some(SyncError::Stopped)), "{:?}", end.error);
    assert_eq!(end.run.counts.right["person"].pending, 1);

    // Also while it waits for another run to end.
    let now = world.clock.now();
    world.ledger.acquire("r", "other", now, Duration::from_secs(1_000_000)).await.unwrap();
    let options = RunOptions { wait: true, ..RunOptions::default() };
    let end = world.stopped_run(options, &Silent, &stop).await;
    assert!(matches!(end, Err(SyncError::Stopped)), "{end:?}");
}

/// Runs a sync of which this call, the `n`th of its kind to the right side, never answers, and stops it while that is under
/// way. Returns what ended the run.
async fn cut(world: &World, call: &'static str, n: u64) -> RunEnd {
    let stop = CancellationToken::new();
    let before = world.right.calls(call);
    world.right.fault(call, before + n, Fault::Hangs);
    let run = world.stopped_run(RunOptions::default(), &Silent, &stop);
    let asked = async {
        while world.right.calls(call) < before + n {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(run, asked).0.unwrap()
}

#[tokio::test]
async fn a_call_that_does_not_answer_is_given_up_a_while_after_the_stop() {
    let mut world = World::new().await;
    for n in 0..12 {
        world.left.put("contact", &[("email", text(&format!("l{n}@example.org")))], "2020-01-01");
    }
    // A report of which the second page never comes: the first one stays.
    world.right.character.page = 2;
    world.right.character.order = 12;
    for n in 0..4 {
        world.right.put("person", &[("mail", text(&format!("r{n}@example.org")))], "2020-01-01");
    }
    let end = cut(&world, "report", 2).await;
    assert!(matches!(end.error, Some(SyncError::Stopped)), "{:?}", end.error);
    assert_eq!(end.run.status, RunStatus::Interrupted);
    assert_eq!(world.ledger.run(end.run.id).await.unwrap().unwrap().status, RunStatus::Interrupted);

    // An order that is carried out and not answered: what it made is found out, and not made again.
    let end = cut(&world, "execute", 1).await;
    assert!(matches!(end.error, Some(SyncError::Stopped)), "{:?}", end.error);
    assert_eq!(world.right.records("person").len(), 16, "the order was carried out");
    world.run().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (16, 16));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_side_that_defers_and_cannot_tell_what_came_of_it_has_lost_its_ticket() {
    for settled in [false, true] {
        let mut world = World::new().await;
        world.right.character.defers = true;
        world.right.character.cannot_collect = true;
        let id = world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
        let kind = || RunKind::Sync { scope: Scope::default(), until_settled: settled };
        let mut run = world.run_with(kind().into()).await;
        assert_eq!((run.counts.right["person"].created, run.counts.right["person"].pending), (0, 1));
        if !settled {
            run = world.run_with(kind().into()).await;
        }
        let told = Notice::CannotCollect { side: Side::Right, object: "person".to_owned() };
        assert_eq!(run.notices, [told]);
        world.right.character.defers = false;
        world.run().await;
        assert_eq!(world.right.records("person").len(), 1);
        // What follows goes on as with any other record, also an edit that is deferred.
        world.right.character.defers = true;
        world.left.edit("contact", &id, "name", text("N"), "2025-01-01");
        world.run_with(kind().into()).await;
        world.right.character.defers = false;
        world.run().await;
        assert_eq!(world.right.value("person", &world.person("t@example.org"), "full"), text("N"));
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_remote_that_is_busy_is_asked_for_its_outcomes_again() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
    world.run().await;
    world.right.tell(false);
    let busy = ExchangeError::new(codes::UNAVAILABLE, "down");
    world.right.fault("collect", 1, Fault::Fails(busy));
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].created, 1, "{:#?}", run.counts);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_ticket_that_cannot_be_told_of_keeps_nothing_else_from_being_synced() {
    for settled in [false, true] {
        let mut world = World::new().await;
        world.right.character.defers = true;
        world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
        world.run().await;
        world.right.character.defers = false;
        world.left.put("contact", &[("email", text("u@example.org"))], "2020-01-01");
        for call in 1..=1 + u64::from(settled) {
            let broken = ExchangeError::new("job-failed", "the job has no result");
            world.right.fault("collect", call, Fault::Fails(broken));
        }
        let kind = RunKind::Sync { scope: Scope::default(), until_settled: settled };
        let run = world.run_with(kind.into()).await;
        let counts = &run.counts.right["person"];
        assert_eq!((counts.created, counts.pending), (1, 1), "{counts:?}");
        let told = Notice::CollectFailed {
            side: Side::Right,
            object: "person".to_owned(),
            said: RemoteSaid::new("job-failed", "the job has no result"),
            remedies: vec![],
        };
        assert_eq!(run.notices, [told]);
        // The next run is told of it.
        world.right.tell(true);
        let run = world.run().await;
        assert_eq!((run.counts.right["person"].created, run.notices.len()), (1, 0));
        assert_eq!(world.right.records("person").len(), 2);
        world.assert_quiet().await;
    }
}

/// What is put off for long may still be carried out: only a person gives it up.
#[tokio::test]
async fn a_ticket_that_is_never_done_is_given_up_by_the_operator_alone() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    world.right.character.still_deferred = Some(Duration::from_secs(60));
    world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
    world.run().await;
    world.right.character.defers = false;
    let long = |run: &Run| run.notices.iter().any(|of| matches!(of, Notice::LongDeferred { .. }));
    for (days, told) in [(0, false), (1, true), (100, true)] {
        world.clock.advance(Duration::from_secs(days * 24 * 3600));
        let run = world.run().await;
        assert_eq!((run.counts.right["person"].pending, long(&run)), (1, told), "{days}");
    }
    let now = world.clock.now();
    let lease = world.ledger.acquire("r", "o", now, Duration::from_secs(60)).await.unwrap();
    let pair = world.ledger.pairs_in(Status::Live, None, 0, 10).await.unwrap().remove(0);
    assert_eq!(world.ledger.retry(&lease, pair.mapping, Some(pair.id)).await.unwrap(), 1);
    world.ledger.release(&lease).await.unwrap();
    let run = world.run().await;
    assert!(!long(&run));
    assert!(world.ledger.pairs_in(Status::Live, None, 0, 10).await.unwrap().is_empty());
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
}

/// A ticket that is done with answers that are not taken has nothing more to tell.
#[tokio::test]
async fn answers_of_a_ticket_that_are_not_taken_are_found_out() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    for name in ["ann", "bea"] {
        let email = text(&format!("{name}@example.org"));
        world.left.put("contact", &[("email", email), ("name", text(name))], "2020-01-01");
    }
    world.right.fault("execute", 1, Fault::OneAnswer);
    world.run().await;
    world.right.character.defers = false;
    world.right.tell(false);
    world.run().await;
    assert!(world.ledger.pairs_in(Status::Live, None, 0, 10).await.unwrap().is_empty());
    assert_eq!(world.right.records("person").len(), 2);
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_a_ticket_that_is_done_says_nothing_of_is_found_out() {
    let mut world = World::new().await;
    world.right.character.defers = true;
    world.left.put("contact", &[("email", text("t@example.org"))], "2020-01-01");
    world.run().await;
    world.right.tell(false);
    world.right.forget_answers();
    world.right.character.defers = false;
    world.run().await;
    assert!(world.ledger.pairs_in(Status::Live, None, 0, 10).await.unwrap().is_empty());
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn nobody_is_asked_for_an_id_that_was_never_told() {
    for idempotent in [true, false] {
        let mut world = World::new().await;
        if !idempotent {
            world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
        }
        for n in 0..3 {
            world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01");
        }
        for call in 1..=20 {
            let down = ExchangeError::new(codes::UNAVAILABLE, "the answer was 500");
            world.right.fault("execute", call, Fault::Fails(down));
        }
        let described = world.right.calls("describe");
        world.try_run(RunOptions::default()).await.unwrap();
        assert!(world.right.calls("describe") > described + 1, "it is asked whether it answers at all");
        assert_eq!(world.right.asked_by_id(), [].into(), "idempotent: {idempotent}");
    }
}

#[tokio::test]
async fn answers_against_the_interface_are_counted_and_told() {
    let mut world = World::new().await;
    world.right.character.volunteers = Some("deal");
    world.right.character.answers_twice = true;
    world.right.character.refuses_unnamed = true;
    for n in 0..3 {
        world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    let run = world.run().await;
    let told = |object: &str, what, count| Notice::InvalidAnswers {
        side: Side::Right,
        object: object.to_owned(),
        what,
        count,
    };
    for expected in
        [told("person", Oddity::RefusedWithoutFields, 3), told("person", Oddity::AnsweredTwice, 3)]
    {
        assert!(run.notices.contains(&expected), "{:?}", run.notices);
    }
    let unasked = |notice: &&Notice| matches!(notice, Notice::InvalidAnswers { object, what: Oddity::RowsNotAskedFor, .. } if object == "deal");
    assert_eq!(run.notices.iter().filter(unasked).count(), 1, "{:?}", run.notices);
    assert!(!run.counts.right.contains_key("deal"), "{:#?}", run.counts);
    assert_eq!((run.counts.right["person"].created, world.right.records("person").len()), (3, 3));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_side_that_describes_nothing_has_none() {
    let world = World::new().await;
    world.right.drop_objects();
    let end = world.try_run(RunOptions::default()).await.unwrap();
    let error = end.error.unwrap().to_string();
    assert!(error.ends_with("it has none"), "{error}");
}
