//! Evidence as spans: what the engine knows of when a value came to be, and what it decides by it.

use crate::values::pair_of_anas;
use crate::world::{World, text};
use entente_core::{Basis, Side, Timestamp, Unresolved, Value, Why};
use entente_sync::*;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A pair that agreed on 1 Jan 2026, at a remote system with these change times, a day later.
async fn agreed(times: ChangeTimes) -> (World, String, String) {
    let (mut world, l, r) = pair_of_anas().await;
    world.right.character.times = times;
    world.clock.advance(DAY);
    (world, l, r)
}

async fn open(world: &World) -> Vec<OpenConflict> {
    world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap()
}

/// The values of the phone on both sides.
fn phones(world: &World, l: &str, r: &str) -> [Value; 2] {
    [world.left.value("contact", l, "phone"), world.right.value("person", r, "tel")]
}

#[tokio::test]
async fn a_record_time_decides_only_where_the_spans_do_not_meet() {
    // The last report was on 1 Jan at midnight. The time of the left edit, and the phone that both end with.
    for (left, both) in
        [("2025-12-31 12:00", Some("right")), ("2026-01-01 12:00", None), ("2026-01-01 23:00", Some("left"))]
    {
        let (world, l, r) = agreed(ChangeTimes::Record).await;
        world.left.edit("contact", &l, "phone", text("left"), left);
        world.right.edit("person", &r, "tel", text("right"), "2026-01-01 18:00");
        world.run().await;
        let expected = both.map_or([text("left"), text("right")], |both| [text(both), text(both)]);
        assert_eq!(phones(&world, &l, &r), expected, "{left}");
        assert_eq!(open(&world).await.len(), usize::from(both.is_none()), "{left}");
        world.assert_quiet().await;
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!(phones(&world, &l, &r), expected, "{left}: listing everything changes no verdict");
    }
}

#[tokio::test]
async fn a_side_without_times_is_dated_by_its_reports() {
    for (left, both) in [("2025-12-31 12:00", Some("right")), ("2026-01-01 12:00", None)] {
        let (world, l, r) = agreed(ChangeTimes::None).await;
        world.left.edit("contact", &l, "phone", text("left"), left);
        world.right.edit("person", &r, "tel", text("right"), "2026-01-01 18:00");
        world.run().await;
        let expected = both.map_or([text("left"), text("right")], |both| [text(both), text(both)]);
        assert_eq!(phones(&world, &l, &r), expected, "{left}");
    }
}

#[tokio::test]
async fn the_policy_latest_guesses_and_says_so() {
    let (mut world, l, r) = agreed(ChangeTimes::Record).await;
    world.people().fields[2].unresolved = Unresolved::Latest;
    world.left.edit("contact", &l, "phone", text("left"), "2026-01-01 12:00");
    world.right.edit("person", &r, "tel", text("right"), "2026-01-01 18:00");
    let run = world.run().await;
    assert_eq!(phones(&world, &l, &r), [text("right"), text("right")]);
    let changes = world.ledger.changes_in(run.id, ChangeStatus::Done, 0, 10).await.unwrap();
    let field = &changes[0].fields[0];
    assert_eq!(field.reason, FieldReason::Judge(Why::Guessed(Side::Right, Basis::SpansMeet)));
    // Both times are kept with the change: the right one with the last report before it.
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let (left, right) = (field.base_time.unwrap(), field.time.unwrap());
    assert_eq!((left.at, left.certain), (at("2026-01-01 12:00"), true));
    assert_eq!((right.at, right.certain), (at("2026-01-01 18:00"), false));
    assert!(
        right.after.is_some_and(|after| after >= at("2026-01-01") && after < at("2026-01-01 00:10")),
        "{right:?}"
    );
    world.assert_quiet().await;
}

#[tokio::test]
async fn v1_a_bound_does_not_beat_a_certain_edit() {
    // The left side is as a file that was imported today: a record time, and nothing known before.
    let mut world = World::new().await;
    world.left.character.times = ChangeTimes::Record;
    let l = world.left.put(
        "contact",
        &[("email", text("v@example.org")), ("phone", text("of the file"))],
        "2025-12-31 23:00",
    );
    let r =
        world.right.put("person", &[("mail", text("v@example.org")), ("tel", text("edited"))], "2025-12-30");
    world.run().await;
    assert_eq!(phones(&world, &l, &r), [text("of the file"), text("edited")]);
    let found = open(&world).await;
    assert_eq!(found[0].conflict.reason, FieldReason::Judge(Why::Undecided(Basis::SpansMeet)));
    assert_eq!(found.len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn v3_s27_a_clock_a_year_ahead_does_not_win_and_is_told() {
    for times in [ChangeTimes::Field, ChangeTimes::Record] {
        let (world, l, r) = agreed(times).await;
        world.right.edit("person", &r, "tel", text("right"), "2027-01-01 18:00");
        world.left.edit("contact", &l, "phone", text("left"), "2026-01-01 12:00");
        let run = world.run().await;
        assert_eq!(phones(&world, &l, &r), [text("left"), text("right")], "{times:?}");
        assert_eq!(open(&world).await.len(), 1, "{times:?}");
        let told = |run: &Run| {
            let ahead = |notice: &Notice| matches!(notice, Notice::ClockAhead { side: Side::Right, .. });
            run.notices.iter().filter(|notice| ahead(notice)).count()
        };
        assert_eq!(told(&run), 1, "{:?}", run.notices);
        // Waiting for the time does not make it certain.
        world.clock.advance(DAY * 400);
        world.run_with(RunOptions::sync(Reading::Full)).await;
        assert_eq!(phones(&world, &l, &r), [text("left"), text("right")], "{times:?}");
        // A later edit on the left is newer for sure.
        world.left.edit("contact", &l, "phone", text("newer"), "2027-02-01");
        world.run().await;
        assert_eq!(phones(&world, &l, &r), [text("newer"), text("newer")], "{times:?}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn v4_a_survivor_is_read_again_before_it_is_judged() {
    for full in [false, true] {
        let (mut world, l, r) = pair_of_anas().await;
        world.people().deletes = DeletePolicy::Unlink;
        world.people().fields[2].unresolved = Unresolved::Right;
        world.left.edit("contact", &l, "phone", text("new"), "2025-12-20");
        world.run().await;
        world.right.delete("person", &r);
        world.run().await;
        // An older twin, with a value from long before.
        let twin = world.right.put(
            "person",
            &[("mail", text("ana@example.org")), ("full", text("Ana")), ("tel", text("old"))],
            "2019-01-01",
        );
        let reading = if full { Reading::Full } else { Reading::Changes };
        world.run_with(RunOptions::sync(reading)).await;
        assert_eq!(phones(&world, &l, &twin), [text("new"), text("new")], "full {full}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn v6_null_and_the_empty_text_of_a_new_record_stay_two_values() {
    for one_blank in [false, true] {
        let mut world = World::new().await;
        if one_blank {
            world.right.character.features.insert(Feature::OneBlank);
        }
        let values = [("email", text("v6@example.org")), ("name", text("")), ("phone", Value::Null)];
        world.left.put("contact", &values, "2025-01-01");
        world.run().await;
        let r = world.person("v6@example.org");
        let expected = if one_blank { Value::Null } else { text("") };
        assert_eq!(world.right.value("person", &r, "full"), expected, "one blank {one_blank}");
        assert_eq!(world.right.value("person", &r, "tel"), Value::Null);
        world.assert_quiet().await;
        world.run_with(RunOptions::sync(Reading::Full)).await;
        world.assert_quiet().await;
    }
}
