//! Refusals that name fields: these are parked with their reason, and the rest of the record goes.

use crate::world::{World, text};
use entente_core::Value;
use entente_sync::{
    Code, Ledger as _, Notice, OperatorLedger as _, Pair, Reason, Run, RunKind, RunOptions, Scope, Side,
    Status,
};
use std::time::Duration;

/// A remote system that refuses records with «bad» in a value, and names the fields.
async fn world() -> World {
    let mut world = World::new().await;
    world.right.character.refuses = Some("bad");
    world.right.character.refuses_by_name = true;
    world
}

/// The only pair, which has this status.
async fn pair(world: &World, status: Status) -> Pair {
    let line = world.ledger.pairs_in(status, None, 0, 10).await.unwrap().remove(0);
    world.ledger.pairs(&[line.id]).await.unwrap().remove(0)
}

fn differing(pair: &Pair) -> Vec<(usize, &str)> {
    pair.differing.iter().map(|(slot, reason)| (slot.index(), reason.code())).collect()
}

fn refused(field: &str, records: u64) -> Notice {
    Notice::FieldRefused { side: Side::Right, object: "person".to_owned(), field: field.to_owned(), records }
}

/// Created, updated and failed records on the right.
fn counts(run: &Run) -> (u64, u64, u64) {
    run.counts.right.get("person").map_or((0, 0, 0), |of| (of.created, of.updated, of.failed))
}

const ADA: &str = "ada@example.org";

#[tokio::test]
async fn a_new_record_is_made_without_the_fields_that_a_refusal_names() {
    let world = world().await;
    let fields = [("email", text(ADA)), ("name", text("Ada")), ("phone", text("bad"))];
    let ada = world.left.put("contact", &fields, "2020-01-01");
    let run = world.run().await;
    assert_eq!((counts(&run), run.notices), ((1, 0, 0), vec![refused("tel", 1)]));
    let person = world.person(ADA);
    assert_eq!(world.right.value("person", &person, "full"), text("Ada"));
    assert_eq!(world.right.value("person", &person, "tel"), Value::Null);
    assert_eq!(differing(&pair(&world, Status::Ok).await), [(2, "refused")]);
    assert_eq!(world.right.writes(), [format!("create person {person}")], "it is not tried again");
    world.assert_quiet().await;

    // An edit of another field leaves it alone; mended, it flows by itself.
    world.left.edit("contact", &ada, "name", text("Ada L"), "2025-01-01");
    assert_eq!(counts(&world.run().await), (0, 1, 0));
    assert_eq!(differing(&pair(&world, Status::Ok).await), [(2, "refused")]);
    world.left.edit("contact", &ada, "phone", text("7"), "2025-02-01");
    assert_eq!(counts(&world.run().await), (0, 1, 0));
    assert_eq!(world.right.value("person", &person, "tel"), text("7"));
    assert_eq!(differing(&pair(&world, Status::Ok).await), []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_rest_of_an_update_goes_and_the_refused_field_keeps_what_it_has() {
    let world = world().await;
    let fields = [("email", text(ADA)), ("name", text("Ada")), ("phone", text("1"))];
    let ada = world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    let person = world.person(ADA);
    world.left.edit("contact", &ada, "name", text("Ada L"), "2025-01-01");
    world.left.edit("contact", &ada, "phone", text("bad"), "2025-01-01");
    let run = world.run().await;
    assert_eq!((counts(&run), &run.notices[..]), ((0, 1, 0), &[refused("tel", 1)][..]));
    assert_eq!(world.right.value("person", &person, "full"), text("Ada L"));
    assert_eq!(world.right.value("person", &person, "tel"), text("1"));
    assert_eq!(world.left.value("contact", &ada, "phone"), text("bad"), "the source keeps its own");
    assert_eq!(differing(&pair(&world, Status::Ok).await), [(2, "refused")]);
    world.assert_quiet().await;

    // The other side mends it.
    world.right.edit("person", &person, "tel", text("2"), "2025-02-01");
    world.run().await;
    assert_eq!(world.left.value("contact", &ada, "phone"), text("2"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn where_nothing_else_is_left_or_an_identifier_is_refused_the_record_fails() {
    let world = world().await;
    let ada = world.left.put("contact", &[("email", text(ADA)), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    world.left.edit("contact", &ada, "phone", text("bad"), "2025-01-01");
    let fields = [("email", text("bad@example.org")), ("name", text("Bea"))];
    world.left.put("contact", &fields, "2020-01-01");
    let run = world.run().await;
    assert_eq!((counts(&run), run.notices), ((0, 0, 2), vec![]));
    for line in world.ledger.pairs_in(Status::Failed, None, 0, 10).await.unwrap() {
        let Some(Reason::Refused { fields, .. }) = line.reason else { panic!("{line:?}") };
        assert!(matches!(fields[..], [ref name] if name == "tel" || name == "mail"), "{fields:?}");
    }
}

#[tokio::test]
async fn what_a_record_must_have_is_not_left_out() {
    let mut world = world().await;
    world.people().fields[2].required = entente_sync::Sides::new(false, true);
    let fields = [("email", text(ADA)), ("name", text("Ada")), ("phone", text("bad"))];
    world.left.put("contact", &fields, "2020-01-01");
    assert_eq!(counts(&world.run().await), (0, 0, 1));
    assert_eq!(differing(&pair(&world, Status::Failed).await), []);
}

/// One that names a field at a time.
#[tokio::test]
async fn a_record_that_is_refused_twice_in_a_run_fails_and_goes_on_with_the_next_try() {
    let mut world = world().await;
    world.right.character.refuses_first = true;
    let fields = [("email", text(ADA)), ("name", text("bad")), ("phone", text("bad")), ("tags", text_list())];
    let ada = world.left.put("contact", &fields, "2020-01-01");
    let run = world.run().await;
    assert_eq!((counts(&run), run.notices), ((0, 0, 1), vec![refused("full", 1)]));
    let failed = pair(&world, Status::Failed).await;
    assert_eq!(differing(&failed), [(1, "refused")]);
    assert_eq!(failed.reason.as_ref().map(Reason::code), Some(Code::Refused));
    world.clock.advance(Duration::from_secs(86_400));
    let run = world.run().await;
    assert_eq!((counts(&run), run.notices), ((1, 0, 0), vec![refused("tel", 1)]));
    assert_eq!(differing(&pair(&world, Status::Ok).await), [(1, "refused"), (2, "refused")]);
    world.assert_quiet().await;
    world.left.edit("contact", &ada, "name", text("Ada"), "2025-01-01");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person(ADA), "full"), text("Ada"));
    assert_eq!(differing(&pair(&world, Status::Ok).await), [(2, "refused")]);
    world.assert_quiet().await;
}

fn text_list() -> Value {
    Value::Texts(vec!["vip".to_owned()])
}

/// The parked field of a record that was never made says nothing of the one that is found in its stead.
#[tokio::test]
async fn a_record_that_is_found_after_a_refusal_is_merged_as_any_other() {
    let mut world = world().await;
    world.right.character.refuses_first = true;
    let fields = [("email", text(ADA)), ("name", text("bad")), ("phone", text("bad")), ("tags", text_list())];
    world.left.put("contact", &fields, "2020-01-01");
    world.run().await;
    pair(&world, Status::Failed).await;
    let person = world.right.put("person", &[("mail", text(ADA)), ("full", text("Ada"))], "2025-12-31");
    world.clock.advance(Duration::from_secs(86_400));
    world.run().await;
    assert_eq!(world.right.records("person").len(), 1);
    assert_eq!(world.right.value("person", &person, "full"), text("Ada"));
    let ada = world.left.records("contact").remove(0).0;
    assert_eq!(world.left.value("contact", &ada, "name"), text("Ada"), "the newer of the two");
}

/// The plan was of the refused field too; what is left of it is what was agreed to.
#[tokio::test]
async fn a_plan_is_applied_without_the_fields_that_a_refusal_names() {
    let world = world().await;
    let bea = [("email", text("bea@example.org")), ("name", text("Bea")), ("phone", text("1"))];
    let bea = world.left.put("contact", &bea, "2020-01-01");
    world.run().await;
    world.left.edit("contact", &bea, "name", text("Beatrice"), "2025-01-01");
    world.left.edit("contact", &bea, "phone", text("bad"), "2025-01-01");
    let fields = [("email", text(ADA)), ("name", text("Ada")), ("phone", text("bad"))];
    world.left.put("contact", &fields, "2020-01-01");
    let plan = world.run_with(RunOptions::plan(Scope::default())).await;
    let run = world.run_with(RunKind::Apply { plan: plan.id, scope: Scope::default() }.into()).await;
    assert_eq!((counts(&run), run.notices), ((1, 1, 0), vec![refused("tel", 2)]));
    let person = world.person("bea@example.org");
    assert_eq!(world.right.value("person", &person, "full"), text("Beatrice"));
    assert_eq!(world.right.value("person", &person, "tel"), text("1"));
    assert_eq!(world.right.value("person", &world.person(ADA), "full"), text("Ada"));
    world.assert_quiet().await;
}
