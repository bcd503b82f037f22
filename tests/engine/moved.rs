//! Pairs that have another record now: one that was made or linked again, the winner of a merge, a record that has
//! not been read yet.

use crate::fake::{Fake, Fault};
use crate::world::{World, text};
use entente_core::{Reference, Value};
use entente_sync::*;

const ANN: &str = "ann@example.org";

fn refers(object: &str, id: &str) -> Value {
    Value::Reference(Reference { object: object.to_owned(), id: id.to_owned() })
}

fn tags(texts: &[&str]) -> Value {
    Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn company(world: &World, side: Side) -> (&Fake, &'static str, &'static str) {
    match side {
        Side::Left => (&world.left, "company", "name"),
        Side::Right => (&world.right, "org", "title"),
    }
}

/// The reference of Ann on a side, and the only company there.
fn employer(world: &World, side: Side) -> (Value, Value) {
    let (fake, object, _) = company(world, side);
    let ids: Vec<String> = fake.records(object).into_iter().map(|(id, _)| id).collect();
    let [id] = &ids[..] else { panic!("{ids:?}") };
    let value = match side {
        Side::Left => world.left.value("contact", &world.contact(ANN), "company"),
        Side::Right => world.right.value("person", &world.person(ANN), "org"),
    };
    (value, refers(object, id))
}

#[tokio::test]
async fn p1_references_follow_a_record_that_is_made_or_linked_again() {
    for deletes in [DeletePolicy::Recreate, DeletePolicy::Unlink] {
        for side in Side::BOTH {
            let mut world = World::new().await;
            world.definition.mappings[1].deletes = deletes;
            let acme = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
            let link = refers("company", &acme);
            world.left.put("contact", &[("email", text(ANN)), ("company", link)], "2020-01-01");
            world.run().await;
            let (fake, object, field) = company(&world, side);
            let gone = fake.find_by(object, field, "Acme").unwrap();
            fake.delete(object, &gone);
            let mut runs = vec![world.run().await];
            if deletes == DeletePolicy::Unlink {
                fake.put(object, &[(field, text("Acme"))], "2026-01-02");
                runs.push(world.run().await);
            }
            runs.push(world.run().await);
            for side in Side::BOTH {
                let (value, only) = employer(&world, side);
                assert_eq!(value, only, "{deletes:?} {side}");
            }
            let mut whys = Vec::new();
            for run in runs {
                let changes =
                    world.ledger.changes_of_run(run.id, &ChangeFilter::default(), 0, 100).await.unwrap();
                whys.extend(changes.into_iter().flat_map(|change| change.fields).map(|field| field.reason));
            }
            let record = RecordRef::new(side, object, &gone);
            assert!(whys.contains(&FieldReason::Relinked { record }), "{deletes:?} {side}: {whys:?}");
            world.assert_quiet().await;
        }
    }
}

/// What a trusted side refers to was deleted, and made again: a reference that leads nowhere is nothing to trust.
#[tokio::test]
async fn p2_references_follow_a_record_that_is_made_again_also_on_a_trusted_side() {
    let mut world = World::new().await;
    world.definition.mappings[1].deletes = DeletePolicy::Recreate;
    let acme = world.left.put("company", &[("name", text("Acme"))], "2020-01-01");
    let link = refers("company", &acme);
    world.left.put("contact", &[("email", text(ANN)), ("company", link)], "2020-01-01");
    world.run().await;
    world.left.delete("company", &acme);
    let trust = Some(Trust { side: Side::Left, fields: vec![] });
    world.run_with(RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    for side in Side::BOTH {
        let (value, only) = employer(&world, side);
        assert_eq!(value, only, "{side}");
    }
    world.assert_quiet().await;
}

/// A world whose people are linked: Ann, and four beside her. Contact and person of Ann.
async fn ann() -> (World, String, String) {
    let world = World::new().await;
    for n in 0..4 {
        world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    let values =
        [("email", text(ANN)), ("name", text("Ann")), ("phone", text("1")), ("tags", tags(&["a", "b"]))];
    let left = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    let right = world.person(ANN);
    (world, left, right)
}

#[tokio::test]
async fn p1_a_winner_that_was_known_meets_the_counterpart_of_the_loser_for_the_first_time() {
    let (mut world, left, right) = ann().await;
    world.people().create = Sides::new(false, true);
    let winner = world.right.put(
        "person",
        &[("mail", text("winner@example.org")), ("labels", tags(&["c"])), ("tel", Value::Null)],
        "2026-01-02",
    );
    world.run().await;
    world.right.merge("person", &right, &winner);
    for _ in 0..3 {
        world.run().await;
    }
    let sorted = |value: Value| {
        let Value::Texts(mut texts) = value else { panic!("{value:?}") };
        texts.sort();
        texts
    };
    for value in [world.left.value("contact", &left, "tags"), world.right.value("person", &winner, "labels")]
    {
        assert_eq!(sorted(value), ["a", "b", "c"], "what one of them lacks was taken off nobody");
    }
    assert_eq!(world.left.value("contact", &left, "name"), text("Ann"));
    assert_eq!(
        world.left.value("contact", &left, "phone"),
        text("1"),
        "a blank of the winner blanks nothing"
    );
    assert_eq!(world.right.value("person", &winner, "full"), text("Ann"));
    assert_eq!(world.right.value("person", &winner, "tel"), text("1"));
    world.assert_quiet().await;
}

/// Ann's pair as it is now: its status, and what it waits for.
async fn pair(world: &World, left: &str) -> Pair {
    let mapping = world.definition.mappings[0].id;
    world.ledger.pairs_of(mapping, Side::Left, &[left.to_owned()]).await.unwrap().remove(0)
}

#[tokio::test]
async fn p1_a_pair_that_moved_to_a_record_that_was_not_read_yet_waits_for_it() {
    for by_id in [false, true] {
        for hidden in [false, true] {
            let (mut world, left, right) = ann().await;
            world.people().filters.right =
                vec![Condition { field: "tel".to_owned(), test: Test::Not(text("hidden")) }];
            if !by_id {
                world.right.character.features.retain(|feature| *feature != Feature::ById);
            }
            let tel = text(if hidden { "hidden" } else { "2" });
            let winner = world.right.put(
                "person",
                &[("mail", text("winner@example.org")), ("full", text("Winner")), ("tel", tel.clone())],
                "2019-01-01",
            );
            // It is older than everything that is reported: the merge is all that is told.
            world.right.merge("person", &right, &winner);
            world.right.age("person", &winner);
            world.run().await;
            let told = format!("by id: {by_id}, hidden: {hidden}");
            world.right.writes();
            world.left.edit("contact", &left, "name", text("Edited"), "2026-02-01");
            world.run().await;
            let now = pair(&world, &left).await;
            if by_id {
                assert_ne!(now.reason.as_ref().map(Reason::code), Some(Code::NotReadYet), "{told}");
            } else {
                assert_eq!(now.reason.as_ref().map(Reason::code), Some(Code::NotReadYet), "{told}");
            }
            if !by_id || hidden {
                assert_eq!(world.right.writes(), Vec::<String>::new(), "{told}");
                assert_eq!(world.right.value("person", &winner, "full"), text("Winner"), "{told}");
            } else {
                assert_eq!(world.right.value("person", &winner, "full"), text("Edited"), "{told}");
            }
            // A complete listing reads it at last.
            world.run_with(RunOptions::sync(Reading::Full)).await;
            world.run().await;
            let now = pair(&world, &left).await;
            assert_ne!(now.reason.as_ref().map(Reason::code), Some(Code::NotReadYet), "{told}");
            let name = if hidden { "Winner" } else { "Edited" };
            assert_eq!(world.right.value("person", &winner, "full"), text(name), "{told}");
            assert_eq!(world.right.value("person", &winner, "tel"), tel, "{told}");
            world.assert_quiet().await;
        }
    }
}

/// Ann was made on the right without an answer, and Bea is merged into that record, which nobody knows yet.
#[tokio::test]
async fn p1_a_merge_into_what_an_open_create_made_takes_no_pair_away() {
    for (deferred, gone_is_told) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = World::new().await;
        world.people().deletes = DeletePolicy::Delete;
        world.definition.brake.records = 1000;
        world.right.character.features.retain(|feature| {
            ![Feature::IdempotentCreate, Feature::ById, Feature::ConditionalUpdate].contains(feature)
        });
        world.right.character.can_find = false;
        let bea = world.left.put("contact", &[("email", text("bea@example.org"))], "2020-01-01");
        world.run().await;
        let right = world.person("bea@example.org");
        let ann = world.left.put("contact", &[("email", text(ANN)), ("name", text("Ann"))], "2020-01-01");
        if deferred {
            world.right.character.defers = true;
        } else {
            world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
        }
        world.run().await;
        let made = world.person(ANN);
        world.right.merge("person", &right, &made);
        if !gone_is_told {
            world.right.expire_deletions();
        }
        world.run().await;
        if deferred && !gone_is_told {
            assert_eq!(
                pair(&world, &bea).await.status,
                Status::Ok,
                "it is told again when the create is answered"
            );
        }
        world.right.tell(false);
        for _ in 0..4 {
            world.clock.advance(std::time::Duration::from_secs(86_400));
            world.run().await;
        }
        world.run_with(RunOptions::sync(Reading::Full)).await;
        let told = format!("deferred: {deferred}, told as deleted too: {gone_is_told}");
        let ids = |pair: Pair| (pair.half(Side::Right).id.clone(), pair.status);
        assert_eq!(ids(pair(&world, &ann).await), (Some(made.clone()), Status::Ok), "{told}");
        let left_over = pair(&world, &bea).await;
        assert_eq!(left_over.reason.as_ref().map(Reason::code), Some(Code::Merged), "{told}: {left_over:?}");
        assert_eq!(
            (world.left.records("contact").len(), world.right.records("person").len()),
            (2, 1),
            "{told}"
        );
        assert_eq!(world.right.value("person", &made, "mail"), text(ANN), "{told}");
        world.assert_quiet().await;
    }
}

/// The later merge of a chain is told first.
#[tokio::test]
async fn p2_what_became_a_record_that_has_become_another_one_follows_it() {
    let world = World::new().await;
    let put = |mail: &str| world.left.put("contact", &[("email", text(mail))], "2020-01-01");
    let contacts = ["a@example.org", "b@example.org"].map(put);
    world.run().await;
    let [a, b] = ["a@example.org", "b@example.org"].map(|mail| world.person(mail));
    let c = world.right.put("person", &[("mail", text("c@example.org"))], "2026-01-02");
    world.right.merge("person", &b, &c);
    world.right.merge("person", &a, &b);
    world.run().await;
    let mapping = world.definition.mappings[0].id;
    let pairs = world.ledger.pairs_of(mapping, Side::Left, &contacts).await.unwrap();
    let of = |id: &String| pairs.iter().find(|pair| pair.half(Side::Left).id.as_ref() == Some(id)).unwrap();
    assert_eq!(of(&contacts[1]).half(Side::Right).id.as_ref(), Some(&c));
    let into = RecordRef::new(Side::Right, "person", &c);
    let reason = &of(&contacts[0]).reason;
    assert!(matches!(reason, Some(Reason::Merged { into: of, .. }) if *of == into), "{reason:?}");
    world.assert_quiet().await;
}

/// Nobody can tell whether the winner of the merge is the person whose create was never answered.
#[tokio::test]
async fn p2_a_pair_does_not_move_to_a_record_that_an_open_create_may_have_made() {
    let mut world = World::new().await;
    world.right.character.can_find = false;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    world.left.put("contact", &[("email", text("bea@example.org"))], "2020-01-01");
    world.run().await;
    let bea = world.person("bea@example.org");
    world.left.put("contact", &[("name", text("ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.try_run(RunOptions::default()).await.unwrap();
    let ann = world.right.find_by("person", "full", "ann").unwrap();
    for step in 0..3 {
        if step == 1 {
            world.right.merge("person", &bea, &ann);
        }
        world.clock.advance(std::time::Duration::from_secs(86_400));
        world.run().await;
    }
    let called = |name: &str| {
        let people = world.right.records("person").into_iter();
        people.filter(|(_, record)| record.values.get("full") == Some(&text(name))).count()
    };
    assert_eq!(called("ann"), 1);
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    let codes: Vec<Option<Code>> = held.iter().map(|pair| pair.reason.as_ref().map(Reason::code)).collect();
    assert!(codes.contains(&Some(Code::Merged)), "{codes:?}");
    world.assert_quiet().await;
}

/// A record is merged into one that takes no part and cannot be read by id. Until it is told, nothing is written to it,
/// also where the operator asks to try again: what is known is what the first one had.
#[tokio::test]
async fn i4_nothing_is_written_to_the_winner_of_a_merge_that_was_never_read() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::ById);
    let shown = Condition { field: "tel".into(), test: Test::Not(text("hidden")) };
    world.people().filters = Sides::new(vec![], vec![shown]);
    let ann = world.left.put("contact", &[("email", text(ANN)), ("name", text("Ann"))], "2020-01-01");
    let fields = [("full", text("Winner")), ("tel", text("hidden"))];
    let winner = world.right.put("person", &fields, "2020-01-01");
    world.run().await;
    world.right.merge("person", &world.person(ANN), &winner);
    world.run().await;
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    assert_eq!(
        held.iter().map(|pair| pair.reason.as_ref().map(Reason::code)).collect::<Vec<_>>(),
        [Some(Code::NotReadYet)]
    );
    let lease = world
        .ledger
        .acquire("r", "operator", world.clock.now(), std::time::Duration::from_secs(180))
        .await
        .unwrap();
    assert_eq!(world.ledger.retry(&lease, held[0].mapping, Some(held[0].id)).await.unwrap(), 1);
    world.ledger.release(&lease).await.unwrap();
    world.left.edit("contact", &ann, "name", text("Anna"), "2026-01-02");
    world.run().await;
    assert_eq!(world.right.value("person", &winner, "full"), text("Winner"));
}

/// Two linked people, Ann and Bea: their contacts, and what they are on the right.
async fn two() -> (World, [String; 2], [String; 2]) {
    let world = World::new().await;
    let mails = ["ann@example.org", "bea@example.org"];
    let contacts = mails.map(|mail| world.left.put("contact", &[("email", text(mail))], "2020-01-01"));
    world.run().await;
    let people = mails.map(|mail| world.person(mail));
    (world, contacts, people)
}

/// What is told and taken back again holds nobody, and nobody is told to do something that does not help.
#[tokio::test]
async fn conversions_in_a_circle_end_where_they_began() {
    for by_id in [false, true] {
        let (mut world, contacts, [a, b]) = two().await;
        if !by_id {
            world.right.character.features.retain(|feature| *feature != Feature::ById);
        }
        world.right.tell_converted("person", &[(&a, &b), (&b, &a)]);
        world.run().await;
        let ann = pair(&world, &contacts[0]).await;
        assert_eq!((ann.status, ann.half(Side::Right).id.as_ref()), (Status::Ok, Some(&a)), "{ann:?}");
        world.left.edit("contact", &contacts[0], "name", text("Ann"), "2026-02-01");
        world.run().await;
        assert_eq!(world.right.value("person", &a, "full"), text("Ann"));
        world.assert_quiet().await;

        // The other one is reported later, and so is there in spite of what was told.
        let bea = pair(&world, &contacts[1]).await;
        assert_eq!(bea.reason.as_ref().map(Reason::code), Some(Code::Merged));
        world.right.edit("person", &b, "full", text("Bea"), "2026-02-02");
        world.run().await;
        assert_eq!(world.left.value("contact", &contacts[1], "name"), text("Bea"), "by id: {by_id}");
        assert_eq!(pair(&world, &contacts[1]).await.status, Status::Ok);
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn a_record_that_another_one_becomes_is_there_again() {
    let (world, contacts, [a, b]) = two().await;
    world.right.tell_converted("person", &[(&a, &b)]);
    world.run().await;
    let held = pair(&world, &contacts[0]).await;
    assert_eq!(held.reason.as_ref().map(Reason::code), Some(Code::Merged));
    world.right.tell_converted("person", &[(&b, &a)]);
    world.run().await;
    world.left.edit("contact", &contacts[0], "name", text("Ann"), "2026-02-01");
    world.run().await;
    let ann = pair(&world, &contacts[0]).await;
    assert_eq!((ann.status, ann.half(Side::Right).id.as_ref()), (Status::Ok, Some(&a)), "{ann:?}");
    assert_eq!(world.right.value("person", &a, "full"), text("Ann"));
    world.assert_quiet().await;
}
