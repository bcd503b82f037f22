//! Links by hand: an operator says which record is the counterpart of another, and that it is not.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::Value;
use entente_sync::*;
use std::time::Duration;

/// The pair of a record.
async fn pair(world: &World, side: Side, id: &str) -> Pair {
    for mapping in &world.definition.mappings {
        let mut found = world.ledger.pairs_of(mapping.id, side, &[id.to_owned()]).await.unwrap();
        if let Some(pair) = found.pop() {
            return pair;
        }
    }
    panic!("{id} is in no pair");
}

/// What the operator says of the counterpart of a record.
async fn tell(world: &World, side: Side, id: &str, counterpart: &Counterpart) -> Result<(), NotLinked> {
    let pair = pair(world, side, id).await.id;
    let now = world.clock.now();
    let lease = world.ledger.acquire("r", "operator", now, Duration::from_secs(180)).await.unwrap();
    let checked = world.ledger.check_counterpart(pair, counterpart).await.unwrap();
    let told = world.ledger.set_counterpart(&lease, pair, counterpart, now).await.unwrap();
    world.ledger.release(&lease).await.unwrap();
    assert_eq!(checked, told);
    told
}

fn record(id: &str) -> Counterpart {
    Counterpart::Record(id.to_owned())
}

fn not(id: &str) -> Counterpart {
    Counterpart::Not(id.to_owned())
}

fn numbers(world: &World) -> (usize, usize) {
    (world.left.records("contact").len(), world.right.records("person").len())
}

/// Ann's create was never answered, and somebody took Bea for what it has made.
#[tokio::test]
async fn a_wrong_link_is_removed_and_each_record_has_its_own_counterpart_in_the_end() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    world.right.character.can_find = false;
    let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    let made = world.right.records("person").into_iter().next().unwrap().0;
    world.right.edit("person", &made, "full", text("Ann Lee"), "2026-01-02");
    let bea = world.right.put("person", &[("full", text("Bea")), ("tel", text("7"))], "2026-01-02");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(tell(&world, Side::Left, &ann, &not(&bea)).await, Err(NotLinked::OfAnother));
    assert_eq!(tell(&world, Side::Left, &ann, &record(&bea)).await, Ok(()));
    assert_eq!(tell(&world, Side::Left, &ann, &not(&bea)).await, Err(NotLinked::UnderWay));
    world.run().await;
    world.run().await;
    assert_eq!(tell(&world, Side::Left, &ann, &not("other")).await, Err(NotLinked::OfAnother));
    let values = |world: &World| world.right.records("person");
    let before = values(&world);
    assert_eq!(tell(&world, Side::Right, &bea, &not(&ann)).await, Ok(()));
    // Both are left alone, also where they are edited.
    world.right.edit("person", &bea, "tel", text("8"), "2026-01-03");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    world.run().await;
    assert_eq!(pair(&world, Side::Left, &ann).await.status, Status::Excluded);
    assert_eq!(numbers(&world).1, before.len());
    let had = world.left.records("contact").len();
    assert_eq!(world.left.find_by("contact", "phone", "8"), None);
    // Ann gets her own, and Bea is made.
    let free = pair(&world, Side::Right, &made).await;
    if let Some(other) = free.half(Side::Left).id.clone() {
        assert_eq!(tell(&world, Side::Right, &made, &not(&other)).await, Ok(()));
        world.left.delete("contact", &other);
        world.run().await;
    }
    assert_eq!(tell(&world, Side::Left, &ann, &record(&made)).await, Ok(()));
    assert_eq!(tell(&world, Side::Right, &bea, &Counterpart::NotMade).await, Ok(()));
    world.run().await;
    assert!(numbers(&world).0 >= had);
    assert_eq!(pair(&world, Side::Left, &ann).await.half(Side::Right).id.as_deref(), Some(&*made));
    assert!(pair(&world, Side::Right, &bea).await.is_linked());
    world.left.edit("contact", &ann, "phone", text("9"), "2026-02-01");
    world.run().await;
    assert_eq!(world.right.value("person", &made, "tel"), text("9"));
    assert_eq!(world.right.value("person", &bea, "tel"), text("8"));
    world.assert_quiet().await;
}

/// A removed link is a right one: its records are left alone, and nothing makes one of them twice.
#[tokio::test]
async fn a_right_link_that_is_removed_doubles_nobody() {
    let world = World::new().await;
    let values = [("email", text("a@example.org")), ("name", text("Ann"))];
    let ann = world.left.put("contact", &values, "2020-01-01");
    world.run().await;
    let made = world.person("a@example.org");
    assert_eq!(tell(&world, Side::Left, &ann, &not(&made)).await, Ok(()));
    for _ in 0..2 {
        world.run_with(RunOptions::sync(Reading::Full)).await;
    }
    assert_eq!(numbers(&world), (1, 1));
    let same = Err(NotLinked::SameIdentifiers(made.clone()));
    assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::NotMade).await, same);
    let same = Err(NotLinked::SameIdentifiers(ann.clone()));
    assert_eq!(tell(&world, Side::Right, &made, &Counterpart::NotMade).await, same);
    assert_eq!(tell(&world, Side::Left, &ann, &record(&made)).await, Ok(()));
    world.run().await;
    world.left.edit("contact", &ann, "name", text("Ann Lee"), "2026-02-01");
    world.run().await;
    assert_eq!(world.right.value("person", &made, "full"), text("Ann Lee"));
    assert_eq!(numbers(&world), (1, 1));
    world.assert_quiet().await;
}

/// Two records of one person, each of which has lost its counterpart under the policy `ignore`, are joined; or the lost one
/// is made again.
#[tokio::test]
async fn what_has_lost_its_counterpart_may_have_another_one() {
    for joined in [true, false] {
        let mut world = World::new().await;
        world.people().deletes = DeletePolicy::Ignore;
        let put = |name: &str| {
            let email = text(&format!("{name}@example.org"));
            world.left.put("contact", &[("email", email), ("name", text(name))], "2020-01-01")
        };
        let (ann, other) = (put("ann"), put("anna"));
        world.run().await;
        let (of_ann, of_other) = (world.person("ann@example.org"), world.person("anna@example.org"));
        world.right.delete("person", &of_ann);
        world.left.delete("contact", &other);
        world.run().await;
        assert_eq!(pair(&world, Side::Left, &ann).await.status, Status::Deleted);
        assert_eq!(tell(&world, Side::Left, &ann, &not(&of_ann)).await, Err(NotLinked::OfAnother));
        if joined {
            assert_eq!(tell(&world, Side::Left, &ann, &record(&of_other)).await, Ok(()));
        } else {
            assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::NotMade).await, Ok(()));
        }
        world.run().await;
        world.left.edit("contact", &ann, "phone", text("9"), "2026-02-01");
        world.run().await;
        let linked = pair(&world, Side::Left, &ann).await.half(Side::Right).id.clone().unwrap();
        assert_eq!(linked == of_other, joined);
        assert_eq!(world.right.value("person", &linked, "tel"), text("9"));
        assert_eq!(world.right.value("person", &of_other, "tel") == text("9"), joined);
        world.assert_quiet().await;
    }
}

/// A plugin answers all creates of an order with one id, and tells no values: nobody knows what the others have made.
#[tokio::test]
async fn creates_that_are_answered_with_one_record_are_asked_for_and_not_made_twice() {
    for (named, finds) in [(true, true), (true, false), (false, false)] {
        let mut world = World::new().await;
        world.right.character.features.remove(&Feature::IdempotentCreate);
        world.right.character.can_find = finds;
        for name in ["ann", "bea"] {
            let email = if named { text(&format!("{name}@example.org")) } else { Value::Null };
            world.left.put("contact", &[("email", email), ("name", text(name))], "2020-01-01");
        }
        world.right.fault("execute", 1, Fault::OneAnswer);
        world.run().await;
        for _ in 0..3 {
            world.clock.advance(Duration::from_secs(86_400));
            for pair in world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap() {
                let now = world.clock.now();
                let lease = world.ledger.acquire("r", "o", now, Duration::from_secs(60)).await.unwrap();
                world.ledger.retry(&lease, pair.mapping, Some(pair.id)).await.unwrap();
                world.ledger.release(&lease).await.unwrap();
            }
            world.run().await;
        }
        assert_eq!(numbers(&world), (2, 2), "named: {named}, finds: {finds}");
        // Without an identifier nobody can tell: it is held, and a person says it.
        for (id, contact) in world.left.records("contact").into_iter().filter(|_| named) {
            let linked = pair(&world, Side::Left, &id).await.half(Side::Right).id.clone();
            let linked = linked.map(|id| world.right.value("person", &id, "full"));
            assert_eq!(linked.as_ref(), contact.values.get("name"), "named: {named}, finds: {finds}");
        }
        world.assert_quiet().await;
    }
}

/// What a sync has written under a wrong link is no edit of anybody once the links are right, also where somebody has edited
/// meanwhile.
#[tokio::test]
async fn what_a_wrong_link_has_written_gives_way_when_the_links_are_right() {
    for edited in [true, false] {
        let world = World::new().await;
        let put = |name: &str, phone: &str| {
            let email = text(&format!("{name}@example.org"));
            let values = [("email", email), ("name", text(name)), ("phone", text(phone))];
            world.left.put("contact", &values, "2020-01-01")
        };
        let (ann, bea) = (put("ann", "1"), put("bea", "2"));
        world.run().await;
        let (of_ann, of_bea) = (world.person("ann@example.org"), world.person("bea@example.org"));
        assert_eq!(tell(&world, Side::Left, &ann, &not(&of_ann)).await, Ok(()));
        assert_eq!(tell(&world, Side::Left, &bea, &not(&of_bea)).await, Ok(()));
        assert_eq!(tell(&world, Side::Left, &ann, &record(&of_bea)).await, Ok(()));
        world.left.edit("contact", &ann, "phone", text("3"), "2026-01-02");
        if edited {
            world.left.edit("contact", &bea, "phone", text("4"), "2026-01-03");
        }
        world.run().await;
        assert_eq!(world.right.value("person", &of_bea, "tel"), text("3"), "somebody else's");
        assert_eq!(tell(&world, Side::Left, &ann, &not(&of_bea)).await, Ok(()));
        assert_eq!(tell(&world, Side::Left, &ann, &record(&of_ann)).await, Ok(()));
        assert_eq!(tell(&world, Side::Left, &bea, &record(&of_bea)).await, Ok(()));
        world.run().await;
        world.run().await;
        let phone = if edited { "4" } else { "2" };
        for (left, right, name, phone) in [(&ann, &of_ann, "ann", "3"), (&bea, &of_bea, "bea", phone)] {
            let seen = ["name", "phone"].map(|field| world.left.value("contact", left, field));
            assert_eq!(seen, [text(name), text(phone)], "edited: {edited}");
            let seen = ["full", "tel"].map(|field| world.right.value("person", right, field));
            assert_eq!(seen, [text(name), text(phone)], "edited: {edited}");
        }
        world.assert_quiet().await;
    }
}

/// References go by links: what a wrong one has made of them is put right with it.
#[tokio::test]
async fn references_that_a_wrong_link_has_rewritten_follow_the_right_ones() {
    let world = World::new().await;
    let link = |object: &str, id: &str| Value::reference(object, id).unwrap();
    let [acme, corp] =
        ["Acme", "Corp"].map(|name| world.left.put("company", &[("name", text(name))], "2020-01-01"));
    let ann = [("email", text("ann@example.org")), ("company", link("company", &acme))];
    let ann = world.left.put("contact", &ann, "2020-01-01");
    world.run().await;
    let [of_acme, of_corp] =
        ["Acme", "Corp"].map(|title| world.right.find_by("org", "title", title).unwrap());
    let bea = [("mail", text("bea@example.org")), ("org", link("org", &of_corp))];
    let of_bea = world.right.put("person", &bea, "2020-01-01");
    world.run().await;
    let (of_ann, bea) = (world.person("ann@example.org"), world.contact("bea@example.org"));
    for (company, org) in [(&acme, &of_acme), (&corp, &of_corp)] {
        assert_eq!(tell(&world, Side::Left, company, &not(org)).await, Ok(()));
    }
    assert_eq!(tell(&world, Side::Left, &acme, &record(&of_corp)).await, Ok(()));
    world.run().await;
    assert_eq!(tell(&world, Side::Left, &acme, &not(&of_corp)).await, Ok(()));
    for (company, org) in [(&acme, &of_acme), (&corp, &of_corp)] {
        assert_eq!(tell(&world, Side::Left, company, &record(org)).await, Ok(()));
    }
    world.run().await;
    world.run().await;
    for (left, right, company, org) in [(&ann, &of_ann, &acme, &of_acme), (&bea, &of_bea, &corp, &of_corp)] {
        assert_eq!(world.left.value("contact", left, "company"), link("company", company));
        assert_eq!(world.right.value("person", right, "org"), link("org", org));
    }
    for (company, org, name) in [(&acme, &of_acme, "Acme"), (&corp, &of_corp, "Corp")] {
        let seen = (world.left.value("company", company, "name"), world.right.value("org", org, "title"));
        assert_eq!(seen, (text(name), text(name)));
    }
    world.assert_quiet().await;
}

/// An undo says why it cannot put back what was written to a pair whose link was removed.
#[tokio::test]
async fn an_undo_names_a_removed_link() {
    let world = World::new().await;
    let ann = [("email", text("ann@example.org")), ("name", text("Ann"))];
    let ann = world.left.put("contact", &ann, "2020-01-01");
    world.run().await;
    let made = world.person("ann@example.org");
    world.left.edit("contact", &ann, "name", text("Ann Lee"), "2026-01-02");
    let run = world.run().await.id;
    assert_eq!(tell(&world, Side::Left, &ann, &not(&made)).await, Ok(()));
    let undo = world.run_with(RunKind::Undo { run, deletes_agreed: 0 }.into()).await;
    let changes = world.ledger.changes_of_run(undo.id, &ChangeFilter::default(), 0, 10).await.unwrap();
    let reasons: Vec<_> = changes.iter().filter_map(|change| change.reason.clone()).collect();
    assert_eq!(reasons, [Reason::NotUndone(Kept::LinkRemoved)]);
}

/// A remote system that has a duplicate by its own rule answers with that record, which has a counterpart, or a pair of its
/// own: nothing fails, and what is ordered beside it is made.
#[tokio::test]
async fn a_change_that_is_answered_with_the_record_of_another_pair_is_held_alone() {
    for (linked, update) in [(true, false), (true, true), (false, false)] {
        let mut world = World::new().await;
        world.right.character.order = 1;
        let put = |name: &str| {
            let email = text(&format!("{name}@example.org"));
            world.left.put("contact", &[("email", email), ("name", text(name))], "2020-01-01")
        };
        let (ann, bea) = (put("ann"), put("bea"));
        world.run().await;
        let of_ann = world.person("ann@example.org");
        if update {
            world.left.edit("contact", &bea, "name", text("Bea"), "2026-01-02");
        } else {
            put("cid");
        }
        let id = match linked {
            true => of_ann.clone(),
            false => world.right.put("person", &[("full", text("alone"))], "2020-01-01"),
        };
        put("dan");
        world.right.fault("execute", 1, Fault::Stale { id });
        for _ in 0..3 {
            let run = world.run().await;
            assert_eq!(run.status, RunStatus::Done, "linked: {linked}, update: {update}");
        }
        assert!(world.right.find_by("person", "mail", "dan@example.org").is_some());
        assert_eq!(pair(&world, Side::Left, &ann).await.half(Side::Right).id.as_ref(), Some(&of_ann));
        world.assert_quiet().await;
    }
}

/// The reason of a record's pair.
async fn code(world: &World, side: Side, id: &str) -> Option<Code> {
    pair(world, side, id).await.reason.as_ref().map(Reason::code)
}

#[tokio::test]
async fn one_of_two_twins_is_left_out_and_taken_in_again() {
    let world = World::new().await;
    let ann = [("email", text("ann@example.org")), ("name", text("Ann"))];
    world.left.put("contact", &ann, "2020-01-01");
    let twin = world.left.put("contact", &ann, "2020-01-02");
    world.run().await;
    assert_eq!(code(&world, Side::Left, &twin).await, Some(Code::DuplicateOf));
    assert_eq!(tell(&world, Side::Left, &twin, &Counterpart::TakenIn).await, Err(NotLinked::AsItIs));
    assert_eq!(tell(&world, Side::Left, &twin, &Counterpart::LeftOut).await, Ok(()));
    assert_eq!(tell(&world, Side::Left, &twin, &Counterpart::LeftOut).await, Err(NotLinked::AsItIs));
    world.assert_quiet().await;
    // Whatever becomes of it, and whatever is listed.
    world.left.edit("contact", &twin, "name", text("Anna"), "2025-01-01");
    world.run().await;
    world.left.edit("contact", &twin, "email", text("anna@example.org"), "2025-01-02");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(numbers(&world), (2, 1));
    let left_out = pair(&world, Side::Left, &twin).await;
    assert_eq!(
        (left_out.status, code(&world, Side::Left, &twin).await),
        (Status::Excluded, Some(Code::LeftOut))
    );
    assert_eq!(world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap(), []);
    world.assert_quiet().await;

    assert_eq!(tell(&world, Side::Left, &twin, &Counterpart::TakenIn).await, Ok(()));
    world.run().await;
    assert_eq!(numbers(&world), (2, 2));
    assert_eq!(world.right.value("person", &world.person("anna@example.org"), "full"), text("Anna"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_linked_record_that_is_left_out_stays_as_it_is_on_both_sides() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let fields = |mail: &str| [("email", text(mail)), ("name", text("A")), ("phone", text("1"))];
    let ann = world.left.put("contact", &fields("ann@example.org"), "2020-01-01");
    let bea = world.left.put("contact", &fields("bea@example.org"), "2020-01-01");
    world.run().await;
    let (person, other) = (world.person("ann@example.org"), world.person("bea@example.org"));
    assert_eq!(tell(&world, Side::Right, &person, &Counterpart::LeftOut).await, Ok(()));
    assert_eq!(tell(&world, Side::Left, &bea, &Counterpart::LeftOut).await, Ok(()));
    world.left.edit("contact", &ann, "name", text("Ann"), "2025-01-01");
    world.right.edit("person", &person, "tel", text("2"), "2025-01-01");
    world.right.delete("person", &other);
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("1"));
    assert_eq!(world.right.value("person", &person, "full"), text("A"));
    assert_eq!(numbers(&world), (2, 1), "its deletion is not carried");
    world.assert_quiet().await;

    assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::TakenIn).await, Ok(()));
    world.run().await;
    assert_eq!(world.left.value("contact", &ann, "phone"), text("2"));
    assert_eq!(world.right.value("person", &person, "full"), text("Ann"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_that_is_taken_in_outside_its_filter_stays_out() {
    let mut world = World::new().await;
    let condition = Condition { field: "name".to_owned(), test: Test::Is(text("A")) };
    world.people().filters.left = vec![condition];
    let ann =
        world.left.put("contact", &[("email", text("ann@example.org")), ("name", text("A"))], "2020-01-01");
    world.run_with(RunOptions { disable_push: true, ..RunOptions::default() }).await;
    assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::LeftOut).await, Ok(()));
    world.left.edit("contact", &ann, "name", text("B"), "2025-01-01");
    world.run().await;
    assert_eq!(code(&world, Side::Left, &ann).await, Some(Code::LeftOut));
    assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::TakenIn).await, Ok(()));
    world.run().await;
    assert_eq!(code(&world, Side::Left, &ann).await, Some(Code::OutsideFilter));
    assert_eq!(numbers(&world), (1, 0));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_whose_create_was_never_answered_is_not_left_out() {
    let mut world = World::new().await;
    world.right.character.features.remove(&Feature::IdempotentCreate);
    world.right.character.can_find = false;
    let ann = world.left.put("contact", &[("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::NoAnswers { executed: true });
    world.run().await;
    assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::LeftOut).await, Err(NotLinked::UnderWay));
    world.run().await;
    assert_eq!(code(&world, Side::Left, &ann).await, Some(Code::FateUnknown));
    assert_eq!(tell(&world, Side::Left, &ann, &Counterpart::LeftOut).await, Err(NotLinked::Unanswered));
}
