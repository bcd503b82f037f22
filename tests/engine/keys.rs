//! Keys: an identifier belongs to the record that has it now, and is free once that record gives it up.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::Value;
use entente_sync::*;

const A: &str = "a@example.org";
const B: &str = "b@example.org";

/// A contact and a person with the address `a`, linked: contact, person.
async fn linked(deletes: DeletePolicy) -> (World, String, String) {
    let mut world = World::new().await;
    world.people().deletes = deletes;
    // Deletions and blankings are few beside these.
    for n in 0..8 {
        world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    let left = world.left.put("contact", &[("email", text(A)), ("name", text("Ann"))], "2020-01-01");
    world.run().await;
    let right = world.person(A);
    (world, left, right)
}

fn exchange(world: &World, side: Side) -> (&crate::fake::Fake, &'static str, &'static str) {
    match side {
        Side::Left => (&world.left, "contact", "email"),
        Side::Right => (&world.right, "person", "mail"),
    }
}

fn put(world: &World, side: Side, mail: &str) -> String {
    let (fake, object, field) = exchange(world, side);
    fake.put(object, &[(field, text(mail))], "2026-01-02")
}

fn edit(world: &World, side: Side, id: &str, mail: Value) {
    let (fake, object, field) = exchange(world, side);
    fake.edit(object, id, field, mail, "2026-01-02");
}

/// How many records of a side have an address.
fn count(world: &World, side: Side, mail: &str) -> usize {
    let (fake, object, field) = exchange(world, side);
    fake.records(object).iter().filter(|(_, record)| record.values.get(field) == Some(&text(mail))).count()
}

async fn duplicates(world: &World) -> Vec<(String, String)> {
    let held = world.ledger.pairs_in(Status::Held, None, 0, 100).await.unwrap();
    let of = |pair: PairLine| {
        let id = pair.ids.iter().find_map(Clone::clone).unwrap();
        match pair.reason {
            Some(Reason::DuplicateOf { record: Some(record), .. }) => (id, record.id),
            other => panic!("{other:?}"),
        }
    };
    held.into_iter().map(of).collect()
}

async fn assert_made(world: &World, mail: &str) {
    assert_eq!(duplicates(world).await, []);
    for side in Side::BOTH {
        assert_eq!(count(world, side, mail), 1, "{side}: {mail}");
    }
    world.assert_quiet().await;
}

#[tokio::test]
async fn m5_s24_an_address_that_was_changed_or_cleared_is_free_for_its_successor() {
    for side in Side::BOTH {
        for to in [text(B), Value::Null, text("")] {
            // In the same run, and in a later one.
            for runs in [0, 1] {
                let (world, left, right) = linked(DeletePolicy::Ignore).await;
                let id = if side == Side::Left { &left } else { &right };
                edit(&world, side, id, to.clone());
                for _ in 0..runs {
                    world.run().await;
                }
                put(&world, side, A);
                world.run().await;
                assert_made(&world, A).await;
            }
        }
    }
}

#[tokio::test]
async fn m5_a_successor_on_the_other_side_is_made_too() {
    for side in Side::BOTH {
        let (world, left, right) = linked(DeletePolicy::Ignore).await;
        edit(&world, side, if side == Side::Left { &left } else { &right }, text(B));
        put(&world, side.other(), A);
        world.run().await;
        assert_made(&world, A).await;
        assert_eq!((count(&world, Side::Left, B), count(&world, Side::Right, B)), (1, 1));
    }
}

#[tokio::test]
async fn m5_a_held_duplicate_is_decided_again_when_the_address_is_given_up() {
    for side in Side::BOTH {
        for editor in Side::BOTH {
            let (world, left, right) = linked(DeletePolicy::Ignore).await;
            let twin = put(&world, side, A);
            world.run().await;
            let rival = if side == Side::Left { &left } else { &right };
            assert_eq!(duplicates(&world).await, [(twin, rival.clone())]);
            edit(&world, editor, if editor == Side::Left { &left } else { &right }, text(B));
            world.run().await;
            assert_made(&world, A).await;
        }
    }
}

#[tokio::test]
async fn m5_what_is_not_written_yet_is_not_given_up_and_the_reason_names_who_has_it() {
    let (mut world, left, right) = linked(DeletePolicy::Ignore).await;
    world.people().fields[0].writable.right = false;
    edit(&world, Side::Left, &left, text(B));
    let twin = put(&world, Side::Left, A);
    world.run().await;
    world.run().await;
    assert_eq!(duplicates(&world).await, [(twin, right.clone())], "the person has the address");
    // And when it gives it up, the contact is made.
    edit(&world, Side::Right, &right, text(B));
    world.run().await;
    assert_eq!(duplicates(&world).await, []);
    assert_eq!(count(&world, Side::Left, A), 1);
}

#[tokio::test]
async fn m5_s24_a_deleted_record_has_no_address() {
    for side in Side::BOTH {
        // The survivor keeps it with `ignore`: the new record is its duplicate, and the reason names it.
        let (world, left, right) = linked(DeletePolicy::Ignore).await;
        let (gone, survivor) = if side == Side::Left { (&left, &right) } else { (&right, &left) };
        let (fake, object, _) = exchange(&world, side);
        let before = put(&world, side, A);
        world.run().await;
        fake.delete(object, gone);
        let after = put(&world, side, A);
        world.run().await;
        world.run().await;
        let mut held = duplicates(&world).await;
        held.sort();
        let mut expected = [(before.clone(), survivor.clone()), (after, survivor.clone())];
        expected.sort();
        assert_eq!(held, expected);
        // The survivor gives it up: one of the two is made.
        edit(&world, side.other(), survivor, text(B));
        world.run().await;
        world.run().await;
        assert_eq!(duplicates(&world).await.len(), 1);
        assert_eq!(count(&world, side.other(), A), 1);

        // With `unlink` the survivor meets the new one, in the same run.
        let (world, left, right) = linked(DeletePolicy::Unlink).await;
        let gone = if side == Side::Left { &left } else { &right };
        let (fake, object, _) = exchange(&world, side);
        fake.delete(object, gone);
        put(&world, side, A);
        world.run().await;
        assert_made(&world, A).await;

        // With `delete` the address is free when both are gone.
        let (world, left, right) = linked(DeletePolicy::Delete).await;
        let gone = if side == Side::Left { &left } else { &right };
        let (fake, object, _) = exchange(&world, side);
        fake.delete(object, gone);
        put(&world, side, A);
        world.run().await;
        assert_made(&world, A).await;
    }
}

#[tokio::test]
async fn m5_a_restored_record_has_its_address_again() {
    let (world, left, right) = linked(DeletePolicy::Ignore).await;
    world.right.delete("person", &right);
    world.run().await;
    world.left.delete("contact", &left);
    world.run().await;
    world.right.restore("person", &right);
    world.run().await;
    let twin = put(&world, Side::Right, A);
    world.run().await;
    assert_eq!(duplicates(&world).await, [(twin, right)]);
}

#[tokio::test]
async fn m5_the_loser_of_a_merge_has_no_address() {
    let (world, _, right) = linked(DeletePolicy::Ignore).await;
    let other = world.person("1@example.org");
    world.right.merge("person", &right, &other);
    world.run().await;
    let twin = put(&world, Side::Right, A);
    world.run().await;
    let held = world.ledger.pairs_in(Status::Held, None, 0, 9).await.unwrap();
    let of = |pair: &PairLine| pair.ids.right == Some(twin.clone());
    let reason = held.into_iter().find(of).unwrap().reason;
    let Some(Reason::DuplicateOf { record: Some(record), .. }) = reason else { panic!("{reason:?}") };
    assert_eq!(record.side, Side::Left, "the contact that is left over has it");
}

#[tokio::test]
async fn m5_an_undo_gives_addresses_back() {
    let (world, left, _) = linked(DeletePolicy::Ignore).await;
    edit(&world, Side::Left, &left, text(B));
    let run = world.run().await;
    world.run_with(RunKind::Undo { run: run.id, deletes_agreed: 0 }.into()).await;
    let twin = put(&world, Side::Right, A);
    world.run().await;
    let held = duplicates(&world).await;
    assert_eq!(held.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&twin], "{held:?}");
    let other = put(&world, Side::Right, B);
    world.run().await;
    let held = duplicates(&world).await;
    assert!(held.iter().any(|(id, of)| *id == other && *of == left), "the contact still has it: {held:?}");
}

#[tokio::test]
async fn m5_a_record_without_counterpart_waits_when_a_linked_one_gets_its_address() {
    // A person is merged into one that was not met yet and has the address of a contact that is new too.
    let (world, _, right) = linked(DeletePolicy::Ignore).await;
    put(&world, Side::Left, B);
    let other = put(&world, Side::Right, B);
    world.right.merge("person", &right, &other);
    world.run().await;
    world.run().await;
    assert_eq!(count(&world, Side::Right, B), 1, "nothing was made beside it");
}

#[tokio::test]
async fn m5_keys_that_an_earlier_version_left_behind_hold_nobody() {
    let (world, left, _) = linked(DeletePolicy::Ignore).await;
    edit(&world, Side::Left, &left, text(B));
    world.run().await;
    let now = world.clock.now();
    let lease = world.ledger.acquire("r", "test", now, std::time::Duration::from_secs(60)).await.unwrap();
    let mapping = world.definition.mappings[0].id;
    let mut pairs = world.ledger.pairs_of(mapping, Side::Left, std::slice::from_ref(&left)).await.unwrap();
    for side in Side::BOTH {
        pairs[0].keys[side] = Some(vec![MatchKey { rank: 0, text: A.to_owned() }]);
    }
    let mut unit = world.ledger.begin(&lease).await.unwrap();
    unit.save_pairs(&mut pairs).await.unwrap();
    unit.commit().await.unwrap();
    world.ledger.release(&lease).await.unwrap();
    put(&world, Side::Left, A);
    world.run().await;
    assert_made(&world, A).await;
    let twin = put(&world, Side::Left, B);
    world.run().await;
    assert_eq!(duplicates(&world).await, [(twin, left)], "its own key is there again");
}

#[tokio::test]
async fn v5_two_forms_of_one_name_or_address_are_one_record() {
    let mails = [
        ("Ren\u{e9}@example.org", "rene\u{301}@EXAMPLE.org"),
        ("ada@b\u{fc}cher.example", "Ada@xn--bcher-kva.example"),
        ("eva@bu\u{308}cher.example", "EVA@B\u{dc}CHER.example"),
        ("\u{df}@example.org", "SS@example.org"),
    ];
    let names = [
        ("Caf\u{e9} M\u{fc}ller", "CAFE\u{301}  MU\u{308}LLER"),
        ("STRASSE", "stra\u{df}e"),
        ("\u{212b}ngstr\u{f6}m", "\u{e5}ngstro\u{308}m"),
        ("\u{39f}\u{394}\u{39f}\u{3a3}", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}"),
    ];
    // Within a run, and across runs.
    for runs in [0, 1] {
        let world = World::new().await;
        for (left, right) in mails {
            let (here, there) = if runs == 0 { (left, right) } else { (right, left) };
            world.left.put("contact", &[("email", text(here))], "2020-01-01");
            if runs == 0 {
                world.right.put("person", &[("mail", text(there))], "2020-01-01");
            }
        }
        for (left, right) in names {
            world.left.put("company", &[("name", text(left))], "2020-01-01");
            if runs == 0 {
                world.right.put("org", &[("title", text(right))], "2020-01-01");
            }
        }
        world.run().await;
        if runs == 1 {
            for (left, _) in mails {
                world.right.put("person", &[("mail", text(left))], "2026-01-02");
            }
            for (_, right) in names {
                world.right.put("org", &[("title", text(right))], "2026-01-02");
            }
            world.run().await;
            assert_eq!(duplicates(&world).await.len(), mails.len() + names.len());
        }
        if runs == 0 {
            assert_eq!(duplicates(&world).await, []);
        }
        assert_eq!(world.left.records("contact").len(), mails.len());
        assert_eq!(world.left.records("company").len(), names.len());
        let there = mails.len() * (runs + 1);
        assert_eq!(world.right.records("person").len(), there);
    }
}

#[tokio::test]
async fn v5_an_identifier_with_a_nul_fails_alone_and_is_named() {
    let mut world = World::new().await;
    world.people().deletes = DeletePolicy::Delete;
    let right = world.right.put("person", &[("mail", text(A)), ("full", text("a\0b"))], "2020-01-01");
    let bad = world.right.put("person", &[("mail", text("x\0@example.org"))], "2020-01-01");
    let run = world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!((run.counts.right["person"].failed, run.counts.left["contact"].created), (1, 1));
    let sample = format!("{:?}", run.counts.right["person"].reasons);
    assert!(sample.contains(&bad) && sample.contains("'mail'"), "{sample}");
    // A record that gets one is not taken for a deleted one.
    edit(&world, Side::Right, &right, text("a\0@example.org"));
    let run = world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(run.counts.right["person"].failed, 2);
    assert_eq!((count(&world, Side::Left, A), run.counts.right["person"].deleted), (1, 0));
}

/// Two people exchange their addresses, and one of them is blanked to make way. Before the new one is written they change
/// back: the blank is the engine's own, and what they had before is written over it.
#[tokio::test]
async fn i1_addresses_that_are_changed_back_while_one_is_blanked_are_written_again() {
    let mut world = World::new().await;
    world.right.character.unique = Some("mail");
    world.right.character.order = 100;
    let left: Vec<String> = [A, B].map(|mail| put(&world, Side::Left, mail)).into();
    // Others, so that few are blanked.
    for n in 10..20 {
        put(&world, Side::Left, &format!("{n}@example.org"));
    }
    world.run().await;
    let right = [A, B].map(|mail| world.person(mail));
    edit(&world, Side::Left, &left[0], text(B));
    edit(&world, Side::Left, &left[1], text(A));
    world.right.fault("execute", 3, Fault::PutsOff);
    let lifted = || RunOptions { lift_identifiers: true, ..RunOptions::default() };
    world.run_with(lifted()).await;
    let mails = || right.clone().map(|id| world.right.value("person", &id, "mail"));
    assert!(mails().iter().any(Value::is_blank), "{:?}", mails());
    edit(&world, Side::Left, &left[0], text(A));
    edit(&world, Side::Left, &left[1], text(B));
    for _ in 0..6 {
        world.clock.advance(std::time::Duration::from_secs(86_400));
        world.run_with(lifted()).await;
    }
    assert_eq!(mails(), [text(A), text(B)]);
    world.assert_quiet().await;
}

/// Two contacts may each be either of two people who share an address, until both people have others. Then one contact has
/// the address, and the other one is its duplicate, as it would be had it come later.
#[tokio::test]
async fn i3_of_two_records_that_are_ambiguous_no_more_one_is_made_and_the_other_is_its_duplicate() {
    for together in [true, false] {
        let mut world = World::new().await;
        let people = world.twins(A).await;
        put(&world, Side::Left, A);
        if !together {
            world.run().await;
        }
        put(&world, Side::Left, A);
        world.run().await;
        assert_eq!(ambiguous(&world).await, 2);
        // What they had before, which their contacts have still.
        for (person, mail) in people.iter().zip(["first@example.org", "second@example.org"]) {
            world.right.edit("person", person, "mail", text(mail), "2026-01-04");
        }
        for reading in [Reading::Changes, Reading::Full] {
            world.run_with(RunOptions::sync(reading)).await;
            assert_eq!(count(&world, Side::Right, A), 1, "together: {together}");
            assert_eq!(duplicates(&world).await.len(), 1);
        }
        world.assert_quiet().await;
    }
}

/// A record that may be either of two is not made when everything is listed again, nor where it has their address by an edit.
#[tokio::test]
async fn i5_an_ambiguous_record_is_not_made_by_a_listing_that_tells_nothing_new() {
    for edited in [false, true] {
        let mut world = World::new().await;
        world.twins(A).await;
        let contact = put(&world, Side::Left, if edited { B } else { A });
        world.run_with(RunOptions { disable_push: true, ..RunOptions::default() }).await;
        if edited {
            world.left.edit("contact", &contact, "email", text(A), "2026-01-04");
        }
        for reading in [Reading::Changes, Reading::Full, Reading::Full] {
            world.run_with(RunOptions::sync(reading)).await;
            assert_eq!(ambiguous(&world).await, 1, "edited: {edited}, {reading:?}");
            assert_eq!(world.right.records("person").len(), 2);
        }
        world.assert_quiet().await;
    }
}

/// How many records wait since they may be any of several.
async fn ambiguous(world: &World) -> usize {
    let held = world.ledger.pairs_in(Status::Held, None, 0, 100).await.unwrap();
    held.iter().filter(|pair| matches!(pair.reason, Some(Reason::Ambiguous { .. }))).count()
}
