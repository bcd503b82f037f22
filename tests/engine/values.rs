//! Which value wins, and that both sides then converge.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Blanks, Direction, Value, Why, WriteRule};
use entente_sync::{
    ConflictFilter, FieldMapping, FieldReason, Ledger as _, OperatorLedger as _, Reading, RunOptions, Scope,
    Side, Slot, Status,
};

pub async fn pair_of_anas() -> (World, String, String) {
    let world = World::new().await;
    let l = world.left.put(
        "contact",
        &[("email", text("ana@example.org")), ("name", text("Ana")), ("phone", text("1"))],
        "2020-01-01",
    );
    let r = world.right.put(
        "person",
        &[("mail", text("ana@example.org")), ("full", text("Ana")), ("tel", text("1"))],
        "2020-01-01",
    );
    world.run().await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    (world, l, r)
}

#[tokio::test]
async fn edits_of_different_fields_both_survive() {
    let (world, l, r) = pair_of_anas().await;
    world.left.edit("contact", &l, "phone", text("2"), "2025-06-01 10:00:00");
    world.right.edit("person", &r, "full", text("Ana Maria"), "2025-06-01 10:00:00");
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "name"), text("Ana Maria"));
    assert_eq!(world.right.value("person", &r, "tel"), text("2"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s19_a_tie_is_held_once_and_the_other_fields_go_on() {
    let (world, l, r) = pair_of_anas().await;
    world.left.edit("contact", &l, "phone", text("a"), "2025-06-01 10:00:00");
    world.right.edit("person", &r, "tel", text("b"), "2025-06-01 10:00:00");
    world.left.edit("contact", &l, "name", text("Ana M."), "2025-06-01 10:00:00");
    let run = world.run().await;
    assert_eq!(run.counts.left["contact"].conflicts, 1);
    assert_eq!(world.right.value("person", &r, "full"), text("Ana M."));
    assert_eq!(world.right.value("person", &r, "tel"), text("b"));
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap().len(), 1);
    // A new edit is judged anew.
    world.left.edit("contact", &l, "phone", text("c"), "2025-06-02 10:00:00");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("c"));
    assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn s3_clearing_by_policy() {
    for (blanks, left, right) in [
        (Blanks::Overwrite, Value::Null, Value::Null),
        (Blanks::Keep, Value::Null, text("1")),
        (Blanks::Fill, text("1"), text("1")),
    ] {
        let (mut world, l, r) = pair_of_anas().await;
        world.people().fields[2].blanks = blanks;
        world.left.edit("contact", &l, "phone", Value::Null, "2025-06-01");
        world.run().await;
        assert_eq!(
            (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
            (left, right),
            "{blanks:?}"
        );
        world.assert_quiet().await;
    }
}

/// The reasons of a person's fields that differ on purpose, as they are stored.
async fn differing(world: &World, left: &str) -> Vec<(usize, FieldReason)> {
    let mapping = world.definition.mappings[0].id;
    let pairs = world.ledger.pairs_of(mapping, Side::Left, &[left.to_owned()]).await.unwrap();
    assert_eq!(pairs[0].status, Status::Ok);
    pairs[0].differing.iter().map(|(slot, reason)| (slot.index(), reason.clone())).collect()
}

#[tokio::test]
async fn k5_what_differs_on_purpose_has_its_reason_until_it_does_not_differ() {
    // A drift that is kept: until the source changes.
    let (mut world, l, r) = pair_of_anas().await;
    assert_eq!(differing(&world, &l).await, []);
    world.people().fields[2].direction = Direction::ToRight;
    world.right.edit("person", &r, "tel", text("drift"), "2025-06-01");
    world.run().await;
    let drift = [(2, Why::DriftKept(Side::Right).into())];
    assert_eq!(differing(&world, &l).await, drift);
    // Another field changes, and everything is read again: the reason stays the first one.
    world.left.edit("contact", &l, "name", text("Anna"), "2025-06-02");
    world.run().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(differing(&world, &l).await, drift);
    let mapping = world.definition.mappings[0].id;
    let listed = world.ledger.differing(mapping, 0, 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|pair| pair.half(Side::Left).id.as_deref()).collect::<Vec<_>>(),
        [Some(l.as_str())]
    );
    let counts = world.ledger.pair_counts(None).await.unwrap();
    assert_eq!(counts.iter().map(|count| count.differing).sum::<u64>(), 1);
    world.left.edit("contact", &l, "phone", text("2"), "2025-06-03");
    world.run().await;
    assert_eq!(differing(&world, &l).await, []);

    // What the rules of a field withhold.
    type Rule = fn(&mut FieldMapping);
    let cases: [(Rule, Value, Why); 4] = [
        (|field| field.blanks = Blanks::Keep, Value::Null, Why::BlankKept(Side::Right)),
        (|field| field.required.right = true, Value::Null, Why::RequiredBlank(Side::Right)),
        (|field| field.write = WriteRule::Never, text("2"), Why::NeverWritten),
        (|field| field.write = WriteRule::IfEmpty, text("2"), Why::NotEmpty(Side::Right)),
    ];
    for (rule, edit, why) in cases {
        let (mut world, l, r) = pair_of_anas().await;
        rule(&mut world.people().fields[2]);
        world.left.edit("contact", &l, "phone", edit.clone(), "2025-06-01");
        world.run().await;
        assert_eq!(differing(&world, &l).await, [(2, why.into())]);
        world.assert_quiet().await;
        // The other side comes to agree by itself.
        world.right.edit("person", &r, "tel", edit, "2025-06-02");
        world.run().await;
        assert_eq!(differing(&world, &l).await, [], "{why:?}");
    }
}

#[tokio::test]
async fn k5_a_field_that_a_new_record_goes_without_has_its_reason() {
    let mut world = World::new().await;
    world.people().fields[2].write = WriteRule::Never;
    world.people().fields[1].direction = Direction::ToLeft;
    let fields = [("email", text("a@example.org")), ("name", text("Ada")), ("phone", text("1"))];
    let l = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    world.run().await;
    let reasons = differing(&world, &l).await;
    assert_eq!(reasons.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [1, 2], "{reasons:?}");
    world.assert_quiet().await;
    assert_eq!(differing(&world, &l).await, reasons);
}

#[tokio::test]
async fn s1_one_way_drift_is_kept_until_the_source_changes() {
    let (mut world, l, r) = pair_of_anas().await;
    world.people().fields[2].direction = Direction::ToRight;
    world.right.edit("person", &r, "tel", text("drift"), "2025-06-01");
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "phone"), text("1"));
    assert_eq!(world.right.value("person", &r, "tel"), text("drift"));
    world.left.edit("contact", &l, "phone", text("2"), "2025-06-02");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("2"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s4_a_normalising_remote_makes_no_echo() {
    let mut world = World::new().await;
    world.right.character.normalise = |field, value| match (field, value) {
        ("tel", Value::Text(text)) => Value::Text(format!("+{}", text.trim_start_matches('+'))),
        (_, value) => value,
    };
    let l = world.left.put(
        "contact",
        &[("email", text("b@example.org")), ("phone", text("49 30"))],
        "2020-01-01",
    );
    world.run().await;
    let r = world.person("b@example.org");
    assert_eq!(world.right.value("person", &r, "tel"), text("+49 30"));
    assert_eq!(world.left.value("contact", &l, "phone"), text("49 30"));
    let form = [(2, FieldReason::Normalised { side: Side::Right })];
    assert_eq!(differing(&world, &l).await, form, "K5");
    world.assert_quiet().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(differing(&world, &l).await, form, "K5");
    world.assert_quiet().await;
}

#[tokio::test]
async fn s5_an_edit_in_between_is_seen_and_judged_again() {
    let (world, l, r) = pair_of_anas().await;
    world.left.edit("contact", &l, "phone", text("2"), "2025-06-01");
    let edit = Fault::Edit { object: "person".into(), id: r.clone(), field: "tel".into(), value: text("3") };
    world.right.fault("execute", 1, edit);
    world.run().await;
    // The edit in between is later: it wins on both sides.
    assert_eq!(world.right.value("person", &r, "tel"), text("3"));
    assert_eq!(world.left.value("contact", &l, "phone"), text("3"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s18_sets_are_merged_element_by_element() {
    let world = World::new().await;
    let tags = |list: &[&str]| Value::Texts(list.iter().map(|tag| (*tag).to_owned()).collect());
    let l = world.left.put(
        "contact",
        &[("email", text("t@example.org")), ("tags", tags(&["old"]))],
        "2020-01-01",
    );
    let r = world.right.put(
        "person",
        &[("mail", text("t@example.org")), ("labels", tags(&["old"]))],
        "2020-01-01",
    );
    world.run().await;
    world.left.edit("contact", &l, "tags", tags(&["old", "vip"]), "2025-06-01");
    world.right.edit("person", &r, "labels", tags(&["eu"]), "2025-06-01");
    world.run().await;
    for value in [world.left.value("contact", &l, "tags"), world.right.value("person", &r, "labels")] {
        let Value::Texts(mut list) = value else { panic!("{value:?}") };
        list.sort();
        assert_eq!(list, ["eu", "vip"]);
    }
    world.assert_quiet().await;
}

#[tokio::test]
async fn withheld_writes_stay_pending_and_nothing_is_lost() {
    // Example S7: runs with --disable-pull, edits on both sides, then a normal run.
    let (world, l, r) = pair_of_anas().await;
    let no_pull = || RunOptions { disable_pull: true, ..RunOptions::default() };
    for n in 0..3 {
        world.right.edit("person", &r, "full", text(&format!("Ana {n}")), &format!("2025-06-0{}", n + 1));
        world.left.edit("contact", &l, "phone", text(&format!("{n}")), &format!("2025-06-0{}", n + 1));
        let run = world.run_with(no_pull()).await;
        assert_eq!(run.counts.left["contact"].pending, 1, "{:#?}", run.counts);
    }
    assert_eq!(world.left.value("contact", &l, "name"), text("Ana"));
    assert_eq!(world.right.value("person", &r, "tel"), text("2"));
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "name"), text("Ana 2"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_the_run_does_what_it_said() {
    let (world, l, r) = pair_of_anas().await;
    world.left.edit("contact", &l, "phone", text("9"), "2025-06-01");
    let run = world.run_with(RunOptions::plan(Scope::default())).await;
    assert_eq!(run.counts.right["person"].pending, 1);
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    let plan = world.ledger.changes_of_run(run.id, &Default::default(), 0, 10).await.unwrap();
    assert_eq!(plan.len(), 1);
    assert_eq!(plan[0].fields[0].value, text("9"));
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("9"));
}

#[tokio::test]
async fn s2_a_first_link_takes_the_value_and_judges_the_rest() {
    use entente_sync::ChangeTimes;
    // A record's time is an upper bound: a later one says nothing, an earlier one that the other side is newer.
    for (times, at, names, conflicts) in [
        (ChangeTimes::Field, "2025-12-01", ["Right", "Right"], 0),
        (ChangeTimes::Record, "2025-12-01", ["Left", "Right"], 1),
        (ChangeTimes::Record, "2019-12-01", ["Left", "Left"], 0),
        (ChangeTimes::None, "2025-12-01", ["Left", "Right"], 1),
    ] {
        let mut world = World::new().await;
        world.right.character.times = times;
        let l = world.left.put(
            "contact",
            &[("email", text("f@example.org")), ("phone", text("123")), ("name", text("Left"))],
            "2020-01-01",
        );
        let r = world.right.put(
            "person",
            &[("mail", text("f@example.org")), ("tel", text("")), ("full", text("Right"))],
            at,
        );
        world.run().await;
        assert_eq!(
            (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
            (text("123"), text("123"))
        );
        // Without usable change times the judge cannot decide: the field is held, and both values stay.
        assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap().len(), conflicts);
        assert_eq!(
            (world.left.value("contact", &l, "name"), world.right.value("person", &r, "full")),
            (text(names[0]), text(names[1]))
        );
    }
}

#[tokio::test]
async fn s7_pull_off_then_on_loses_nothing() {
    let (world, l, r) = pair_of_anas().await;
    for n in 0..10 {
        world.left.edit(
            "contact",
            &l,
            "name",
            text(&format!("name {n}")),
            &format!("2025-06-01 10:{n:02}:00"),
        );
        world.right.edit("person", &r, "tel", text(&format!("tel {n}")), &format!("2025-06-01 10:{n:02}:30"));
        let run = world.run_with(RunOptions { disable_pull: true, ..RunOptions::default() }).await;
        assert_eq!(run.counts.left["contact"].pending, 1, "what is withheld is shown");
        assert_eq!(world.left.value("contact", &l, "phone"), text("1"));
    }
    assert_eq!(world.right.value("person", &r, "full"), text("name 9"));
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "phone"), text("tel 9"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s21_a_newly_mapped_field_brings_its_old_values() {
    let mut world = World::new().await;
    let tel = world.people().fields.remove(2);
    let l = world.left.put(
        "contact",
        &[("email", text("m@example.org")), ("phone", text("old")), ("name", text("N"))],
        "2020-01-01",
    );
    world.run().await;
    let r = world.person("m@example.org");
    assert_eq!(world.right.value("person", &r, "tel"), Value::Null);
    world.left.edit("contact", &l, "name", text("edited"), "2025-01-01");
    world.people().fields.insert(2, tel);
    world.definition.version = 2;
    world.run().await;
    assert_eq!(
        (world.right.value("person", &r, "tel"), world.right.value("person", &r, "full")),
        (text("old"), text("edited"))
    );
    assert_eq!(world.right.records("person").len(), 1);
    world.assert_quiet().await;
}

#[tokio::test]
async fn other_identifiers_start_a_new_recognition() {
    let mut world = World::new().await;
    world.left.put("contact", &[("email", text("1@example.org")), ("phone", text("77"))], "2020-01-01");
    world.run().await;
    world.people().identifiers = vec![Slot(2)];
    world.definition.version = 2;
    world.run().await;
    let stranger =
        world.right.put("person", &[("mail", text("other@example.org")), ("tel", text("77"))], "2025-01-01");
    world.run().await;
    assert_eq!(world.left.records("contact").len(), 1, "{stranger} is recognised by its phone");
    assert_eq!(world.ledger.pairs_in(entente_sync::Status::Held, None, 0, 10).await.unwrap().len(), 1);
}

/// A value that was planned and never sent, and is gone again: what was settled before has its reason still.
#[tokio::test]
async fn k5_what_differs_keeps_its_reason_while_a_planned_change_was_not_sent() {
    let mut world = World::new().await;
    world.people().fields[1].required.right = true;
    let contact =
        world.left.put("contact", &[("email", text("ann@example.org")), ("name", text("Ann"))], "2020-01-01");
    world.run().await;
    world.left.edit("contact", &contact, "name", Value::Null, "2026-01-01");
    world.run().await;
    let why = async |world: &World| {
        let pair = world
            .ledger
            .pairs_of(world.definition.mappings[0].id, Side::Left, std::slice::from_ref(&contact))
            .await;
        pair.unwrap()[0].differs(Slot(1)).cloned()
    };
    let before = why(&world).await;
    assert!(before.is_some());
    world.left.edit("contact", &contact, "name", text("Anna"), "2026-01-02");
    world.run_with(RunOptions::plan(Scope::default())).await;
    world.left.edit("contact", &contact, "name", Value::Null, "2026-01-03");
    world.run().await;
    assert_eq!(why(&world).await, before);
    world.assert_quiet().await;
}
