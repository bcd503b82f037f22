//! Operator decisions: conflicts, plans, undo, trust, retries, tie-break rules.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::{Blanks, Value};
use entente_sync::*;
use std::time::Duration;

async fn conflict() -> (World, String, String) {
    let world = World::new().await;
    let l =
        world.left.put("contact", &[("email", text("a@example.org")), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    let r = world.person("a@example.org");
    world.left.edit("contact", &l, "phone", text("l"), "2025-06-01");
    world.right.edit("person", &r, "tel", text("r"), "2025-06-01");
    world.run().await;
    (world, l, r)
}

async fn settle(world: &World, choice: Choice) {
    let open = world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap();
    let lease =
        world.ledger.acquire("r", "operator", world.clock.now(), Duration::from_secs(60)).await.unwrap();
    assert!(world.ledger.settle_conflict(&lease, open[0].id, &choice).await.unwrap());
    assert!(!world.ledger.settle_conflict(&lease, 999, &choice).await.unwrap());
    world.ledger.release(&lease).await.unwrap();
}

#[tokio::test]
async fn a_conflict_is_settled_as_the_operator_says() {
    for (choice, wanted) in [
        (Choice::Side(Side::Left), "l"),
        (Choice::Side(Side::Right), "r"),
        (Choice::Value(text("both")), "both"),
    ] {
        let (world, l, r) = conflict().await;
        settle(&world, choice).await;
        world.run().await;
        assert_eq!(
            (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
            (text(wanted), text(wanted))
        );
        assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap().len(), 0);
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn an_undo_puts_back_on_both_sides_what_one_decision_wrote_to_both() {
    let (world, l, r) = conflict().await;
    settle(&world, Choice::Value(text("both"))).await;
    let settled = world.run().await;
    assert_eq!((settled.writes(), world.left.value("contact", &l, "phone")), (2, text("both")));
    let undone = world.run_with(RunKind::Undo { run: settled.id, deletes_agreed: 0 }.into()).await;
    assert_eq!(
        (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
        (text("l"), text("r")),
        "{undone:?}"
    );
    assert_eq!(undone.writes(), 2);
    world.assert_quiet().await;

    // Where one of both was edited since, both stay.
    let (world, l, r) = conflict().await;
    settle(&world, Choice::Value(text("both"))).await;
    let settled = world.run().await;
    world.right.edit("person", &r, "tel", text("newer"), "2025-07-01");
    let undone = world.run_with(RunKind::Undo { run: settled.id, deletes_agreed: 0 }.into()).await;
    assert_eq!(undone.writes(), 0, "{undone:?}");
    assert_eq!(
        (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
        (text("both"), text("newer"))
    );
}

#[tokio::test]
async fn a_ruling_holds_for_its_two_values_only() {
    let (world, l, r) = conflict().await;
    settle(&world, Choice::Side(Side::Left)).await;
    world.right.edit("person", &r, "tel", text("newer"), "2025-06-01");
    world.run().await;
    assert_eq!(
        (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
        (text("l"), text("newer"))
    );
    assert_eq!(world.ledger.open_conflicts(ConflictFilter::All, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_ruling_outlives_a_write_that_fails() {
    let (world, l, r) = conflict().await;
    settle(&world, Choice::Side(Side::Left)).await;
    world.run_with(RunOptions { disable_push: true, ..RunOptions::default() }).await;
    assert_eq!(world.right.value("person", &r, "tel"), text("r"));
    world.run().await;
    assert_eq!(
        (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
        (text("l"), text("l"))
    );
}

fn dry() -> RunOptions {
    RunOptions::plan(Scope::default())
}

#[tokio::test]
async fn s16_an_old_plan_does_only_what_still_holds() {
    let world = World::new().await;
    let lefts: Vec<String> = (0..4)
        .map(|n| {
            world.left.put(
                "contact",
                &[("email", text(&format!("{n}@example.org"))), ("phone", text("1"))],
                "2020-01-01",
            )
        })
        .collect();
    world.run().await;
    let rights: Vec<String> = (0..4).map(|n| world.person(&format!("{n}@example.org"))).collect();
    for left in &lefts {
        world.left.edit("contact", left, "phone", text("2"), "2025-01-01");
    }
    let plan = world.run_with(dry()).await;
    // After the plan: one target is edited, one source is edited, and a record is created.
    world.right.edit("person", &rights[0], "tel", text("edited there"), "2026-06-01");
    world.left.edit("contact", &lefts[1], "phone", text("3"), "2026-06-01");
    // An older edit of the target would lose as before, but the operator has not agreed to overwrite it.
    world.right.edit("person", &rights[3], "tel", text("older"), "2024-06-01");
    world.left.put("contact", &[("email", text("new@example.org"))], "2026-06-01");
    world.right.writes();
    let run = world.run_with(RunKind::Apply { plan: plan.id, scope: Scope::default() }.into()).await;
    assert_eq!(world.right.writes(), [format!("update person {}: tel", rights[2])]);
    assert_eq!(world.left.writes(), Vec::<String>::new());
    assert_eq!(world.right.value("person", &rights[0], "tel"), text("edited there"));
    let left_out = world.ledger.changes_in(run.id, ChangeStatus::Withheld, 0, 10).await.unwrap();
    let reasons: Vec<&Reason> = left_out.iter().filter_map(|change| change.reason.as_ref()).collect();
    assert_eq!(left_out.len(), 4, "{reasons:?}");
    assert_eq!(world.right.value("person", &rights[3], "tel"), text("older"));
    let based = |reason: &Reason| match reason {
        Reason::DiffersFromPlan { difference, .. } => matches!(**difference, Difference::Base { .. }),
        _ => false,
    };
    assert!(reasons.iter().any(|reason| based(reason)), "{reasons:?}");
    assert!(reasons.contains(&&Reason::NotInPlan { run: plan.id }), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.code() == Code::DiffersFromPlan), "{reasons:?}");
    let planned = world.ledger.changes_in(plan.id, ChangeStatus::Planned, 0, 10).await.unwrap();
    assert_eq!(planned, [], "the plan is used up");
    // The next run executes what was left out, as it is then decided.
    world.run().await;
    assert_eq!(world.right.value("person", &rights[1], "tel"), text("3"));
    assert_eq!(world.left.value("contact", &lefts[0], "phone"), text("edited there"));
    assert_eq!(world.right.value("person", &rights[3], "tel"), text("2"));
    assert_eq!(world.right.records("person").len(), 5);
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_fresh_plan_is_what_the_run_does() {
    let world = World::new().await;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let reference = Value::Reference(entente_core::Reference { object: "company".into(), id: company });
    world.left.put("contact", &[("email", text("a@example.org")), ("company", reference)], "2020-01-01");
    world.right.put("person", &[("mail", text("b@example.org"))], "2020-01-01");
    let plan = world.run_with(dry()).await;
    assert_eq!((world.left.writes().len(), world.right.writes().len()), (0, 0));
    let run = world.run_with(RunKind::Apply { plan: plan.id, scope: Scope::default() }.into()).await;
    assert_eq!(
        (
            run.counts.right["person"].created,
            run.counts.right["org"].created,
            run.counts.left["contact"].created
        ),
        (1, 1, 1)
    );
    assert_eq!(world.ledger.changes_in(run.id, ChangeStatus::Withheld, 0, 10).await.unwrap(), []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn s17_what_was_undone_does_not_come_back() {
    let world = World::new().await;
    let l = world.left.put(
        "contact",
        &[("email", text("u@example.org")), ("phone", text("1")), ("name", text("N"))],
        "2020-01-01",
    );
    world.run().await;
    let r = world.person("u@example.org");
    world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
    world.right.edit("person", &r, "full", text("M"), "2025-01-01");
    let run = world.run().await;
    world.undo(run.id, 0).await;
    assert_eq!(
        (world.right.value("person", &r, "tel"), world.left.value("contact", &l, "name")),
        (text("1"), text("N"))
    );
    assert_eq!(
        (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "full")),
        (text("2"), text("M")),
        "the sources stay"
    );
    world.assert_quiet().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.right.value("person", &r, "tel"), text("1"));
    // A later edit flows as usual.
    world.left.edit("contact", &l, "phone", text("3"), "2026-06-01");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("3"));
}

#[tokio::test]
async fn undo_leaves_and_lists_what_was_edited_since() {
    let world = World::new().await;
    let l = world.left.put(
        "contact",
        &[("email", text("u@example.org")), ("phone", text("1")), ("name", text("N"))],
        "2020-01-01",
    );
    world.run().await;
    let r = world.person("u@example.org");
    world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
    world.left.edit("contact", &l, "name", text("M"), "2025-01-01");
    let run = world.run().await;
    world.right.edit("person", &r, "tel", text("edited"), "2026-01-02");
    let undone = world.undo(run.id, 0).await;
    assert_eq!(
        (world.right.value("person", &r, "tel"), world.right.value("person", &r, "full")),
        (text("edited"), text("N"))
    );
    let left_out = world.ledger.changes_in(undone.id, ChangeStatus::Withheld, 0, 10).await.unwrap();
    assert_eq!(left_out.len(), 1);
    assert_eq!(left_out[0].reason, Some(Reason::NotUndone(Kept::Edited { now: Some(text("edited")) })));
    // The undo does not overwrite the edit.
    world.run().await;
    assert_eq!(world.left.value("contact", &l, "phone"), text("edited"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn undone_creates_are_deleted_when_their_number_is_agreed() {
    let world = World::new().await;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let reference = Value::Reference(entente_core::Reference { object: "company".into(), id: company });
    world.left.put("contact", &[("email", text("a@example.org")), ("company", reference)], "2020-01-01");
    world.right.put("person", &[("mail", text("b@example.org"))], "2020-01-01");
    world.right.put("person", &[("mail", text("c@example.org"))], "2020-01-01");
    let run = world.run().await;
    world.clock.advance(std::time::Duration::from_secs(2 * 24 * 3600));
    world.right.edit("person", &world.person("a@example.org"), "full", text("edited since"), "2026-01-02");
    let asked = world.undo(run.id, 0).await;
    assert_eq!(asked.notices, [Notice::DeletesNotAgreed { run: run.id, deletes: 2 }]);
    assert_eq!(
        (world.left.records("contact").len(), world.right.records("person").len()),
        (3, 3),
        "nothing was deleted"
    );
    let undone = world.undo(run.id, 2).await;
    assert_eq!((undone.counts.left["contact"].removed, undone.counts.right["org"].removed), (2, 0));
    assert_eq!((world.left.records("contact").len(), world.left.records("company").len()), (1, 1));
    assert_eq!(
        (world.right.records("person").len(), world.right.records("org").len()),
        (3, 1),
        "the edited one stays, and what it refers to"
    );
    world.right.writes();
    world.left.writes();
    world.run().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(
        (world.left.records("contact").len(), world.right.records("org").len()),
        (1, 1),
        "they do not come back"
    );
    let excluded = world.ledger.pairs_in(Status::Excluded, None, 0, 10).await.unwrap();
    assert_eq!(excluded.iter().filter(|pair| pair.reason == Some(Reason::Undone)).count(), 2);
}

#[tokio::test]
async fn an_undo_deletes_nothing_that_others_refer_to() {
    let world = World::new().await;
    let company = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let run = world.run().await;
    let link = Value::reference("company", &company).unwrap();
    world.left.put(
        "contact",
        &[("email", text("later@example.org")), ("company", link.clone())],
        "2025-01-01",
    );
    world.run().await;
    let asked = world.undo(run.id, 0).await;
    assert_eq!((asked.notices.len(), world.right.records("org").len()), (0, 1), "{:?}", asked.notices);
    let left_out = world.ledger.changes_in(asked.id, ChangeStatus::Withheld, 0, 10).await.unwrap();
    assert!(matches!(left_out[0].reason, Some(Reason::ReferredTo { .. })), "{left_out:?}");
    world.assert_quiet().await;
    assert_eq!(world.left.value("contact", &world.contact("later@example.org"), "company"), link);
}

#[tokio::test]
async fn a_deletion_that_was_carried_over_can_be_undone() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let l =
        world.left.put("contact", &[("email", text("d@example.org")), ("name", text("Dee"))], "2020-01-01");
    world.run().await;
    world.left.delete("contact", &l);
    let run = world.run().await;
    assert_eq!(world.right.records("person").len(), 0);
    world.undo(run.id, 0).await;
    assert_eq!(world.right.value("person", &world.person("d@example.org"), "full"), text("Dee"));
    world.assert_quiet().await;
    assert_eq!(world.right.records("person").len(), 1);
}

#[tokio::test]
async fn trust_for_once_holds_until_everything_was_made() {
    let world = World::new().await;
    let l =
        world.left.put("contact", &[("email", text("t@example.org")), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    let r = world.person("t@example.org");
    world.left.edit("contact", &l, "phone", text("newest"), "2026-01-05");
    world.right.edit("person", &r, "tel", text("older"), "2025-06-01");
    let trust = Some(Trust { side: Side::Right, fields: vec![] });
    let trusting = RunOptions {
        disable_pull: true,
        ..RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })
    };
    world.run_with(trusting).await;
    assert_eq!(world.left.value("contact", &l, "phone"), text("newest"), "withheld");
    world.run().await;
    assert_eq!(
        (world.left.value("contact", &l, "phone"), world.right.value("person", &r, "tel")),
        (text("older"), text("older"))
    );
    assert_eq!(world.ledger.trust("s").await.unwrap(), None);
    world.left.edit("contact", &l, "phone", text("again"), "2026-06-01");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), text("again"), "it held once");
}

#[tokio::test]
async fn the_rules_choose_among_several_candidates() {
    let in_group = || Prefer::Where(Condition { field: "tags".into(), test: Test::Contains("news".into()) });
    for (rules, wanted) in
        [(vec![in_group(), Prefer::LowestId], "L2"), (vec![Prefer::LowestId], "L1"), (vec![], "L1")]
    {
        let mut world = World::new().await;
        world.people().prefer = Sides::new(rules, vec![]);
        world.people().create = Sides::new(false, false);
        let contact = |tags: &[&str]| {
            let tags = Value::Texts(tags.iter().map(|tag| (*tag).to_owned()).collect());
            world.left.put("contact", &[("email", text("two@example.org")), ("tags", tags)], "2020-01-01")
        };
        contact(&[]);
        contact(&["news"]);
        contact(&["news"]);
        let r = world.right.put(
            "person",
            &[("mail", text("two@example.org")), ("full", text("from R"))],
            "2020-01-01",
        );
        world.run().await;
        assert_eq!(world.left.value("contact", wanted, "name"), text("from R"), "{wanted}");
        assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap().len(), 2);
        assert_eq!(world.right.records("person").len(), 1, "{r}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn constants_and_defaults_fill_new_records_and_make_no_echo() {
    let mut world = World::new().await;
    world.left.set_field("contact", "source", "text");
    world.right.set_field("person", "origin", "text");
    world.people().fields[1].default = Sides::new(None, Some(text("unknown")));
    let constant = FieldMapping {
        slot: Slot(5),
        names: Sides::new("=origin".into(), "origin".into()),
        kinds: Sides::new("text".into(), "text".into()),
        direction: entente_core::Direction::ToRight,
        writable: Sides::new(true, true),
        constant: Some(text("hub")),
        ..FieldMapping::default()
    };
    world.people().fields.push(constant);
    let l = world.left.put("contact", &[("email", text("c@example.org"))], "2020-01-01");
    world.run().await;
    let r = world.person("c@example.org");
    assert_eq!(
        (world.right.value("person", &r, "full"), world.right.value("person", &r, "origin")),
        (text("unknown"), text("hub"))
    );
    assert_eq!(world.left.value("contact", &l, "name"), Value::Null);
    world.assert_quiet().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.left.value("contact", &l, "name"), Value::Null, "a filler does not travel back");
    world.left.edit("contact", &l, "name", text("known"), "2025-01-01");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "full"), text("known"));
}

/// What the brake holds was decided by the trust: without it the other side would win in the next run.
#[tokio::test]
async fn p2_trust_for_once_holds_while_the_brake_holds_a_part_of_it() {
    let mut world = World::new().await;
    world.definition.brake.records = 1;
    let mut lefts = Vec::new();
    for n in 0..4 {
        let mail = format!("{n}@example.org");
        lefts.push(world.left.put("contact", &[("email", text(&mail)), ("name", text("Ann"))], "2020-01-01"));
    }
    world.run().await;
    for (n, left) in lefts.iter().enumerate() {
        world.left.edit("contact", left, "name", Value::Null, "2025-01-01");
        let right = world.person(&format!("{n}@example.org"));
        world.right.edit("person", &right, "full", text("Newer"), "2025-06-01");
    }
    let trust = Some(Trust { side: Side::Left, fields: vec![] });
    world.run_with(RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    world.run().await;
    assert_eq!(
        world.left.value("contact", &lefts[0], "name"),
        Value::Null,
        "held, and not the other way round"
    );
    world.run_with(RunOptions { lift_brake: true, ..RunOptions::default() }).await;
    assert_eq!(world.right.value("person", &world.person("0@example.org"), "full"), Value::Null);
    assert_eq!(world.ledger.trust("s").await.unwrap(), None);
    world.assert_quiet().await;
}

/// A record is refused while a side is trusted for once: the trust stands for that record, and for no other one.
#[tokio::test]
async fn i1_trust_for_once_stands_for_the_records_that_it_could_not_be_carried_out_for() {
    let mut world = World::new().await;
    for name in ["ann", "bea"] {
        let email = text(&format!("{name}@example.org"));
        world.left.put("contact", &[("email", email), ("phone", text("1"))], "2020-01-01");
    }
    world.run().await;
    let [ann, bea] = ["ann@example.org", "bea@example.org"].map(|mail| world.person(mail));
    for mail in ["ann@example.org", "bea@example.org"] {
        let phone = text(&format!("left, {mail}"));
        world.left.edit("contact", &world.contact(mail), "phone", phone, "2025-01-01");
        world.right.edit("person", &world.person(mail), "tel", text("newer"), "2025-06-01");
    }
    world.right.character.refuses = Some("left, bea");
    let trust = Some(Trust { side: Side::Left, fields: vec![] });
    world.run_with(RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    assert_eq!(world.right.value("person", &ann, "tel"), text("left, ann@example.org"));
    assert_eq!(world.right.value("person", &bea, "tel"), text("newer"), "refused");
    world.right.character.refuses = None;
    world.right.edit("person", &ann, "tel", text("typed since"), "2025-12-01");
    world.clock.advance(std::time::Duration::from_secs(3600));
    world.run().await;
    assert_eq!(world.left.value("contact", &world.contact("ann@example.org"), "phone"), text("typed since"));
    assert_eq!(world.right.value("person", &bea, "tel"), text("left, bea@example.org"));
    assert_eq!(world.ledger.trust("s").await.unwrap(), None);
    world.assert_quiet().await;
}

/// Two values differ by a policy when a side is trusted for once, and what it writes is put off: the trust stands for it.
#[tokio::test]
async fn i1_trust_for_once_stands_for_what_differed_on_purpose_and_was_put_off() {
    let mut world = World::new().await;
    world.people().fields[2].blanks = Blanks::Keep;
    let values = [("email", text("ann@example.org")), ("phone", text("1"))];
    let ann = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    world.left.edit("contact", &ann, "phone", Value::Null, "2026-01-02");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("ann@example.org"), "tel"), text("1"));
    world.left.fault("execute", 1, Fault::PutsOff);
    let trust = Some(Trust { side: Side::Right, fields: vec![] });
    world.run_with(RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    assert!(world.left.value("contact", &ann, "phone").is_blank(), "put off");
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("1"));
    assert_eq!(world.ledger.trust("s").await.unwrap(), None);
    world.assert_quiet().await;
}
