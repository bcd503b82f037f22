//! Deleted, merged and converted records, deletion policies, and the deletion guard.

use crate::fake::{Fake, Fault};
use crate::world::{World, text};
use entente_core::{Unresolved, Value};
use entente_sync::*;

/// A world with this many linked pairs.
async fn linked(count: usize, policy: DeletePolicy) -> (World, Vec<String>, Vec<String>) {
    let mut world = World::new().await;
    world.people().deletes = policy;
    let lefts: Vec<String> = (0..count)
        .map(|n| {
            world.left.put(
                "contact",
                &[("email", text(&format!("{n}@example.org"))), ("name", text(&format!("name {n}")))],
                "2020-01-01",
            )
        })
        .collect();
    world.run().await;
    let rights = (0..count).map(|n| world.person(&format!("{n}@example.org"))).collect();
    world.left.writes();
    world.right.writes();
    (world, lefts, rights)
}

fn alive(side: &Fake, object: &str) -> usize {
    side.records(object).len()
}

async fn statuses(world: &World, status: Status) -> Vec<Option<Code>> {
    let pairs = world.ledger.pairs_in(status, None, 0, 100).await.unwrap();
    pairs.into_iter().map(|pair| pair.reason.map(|reason| reason.code())).collect()
}

#[tokio::test]
async fn delete_is_carried_to_the_other_side() {
    let (world, lefts, _) = linked(3, DeletePolicy::Delete).await;
    world.left.delete("contact", &lefts[0]);
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].removed, 1);
    assert_eq!((alive(&world.left, "contact"), alive(&world.right, "person")), (2, 2));
    world.assert_quiet().await;
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!((alive(&world.left, "contact"), alive(&world.right, "person")), (2, 2));
}

#[tokio::test]
async fn deleted_here_and_edited_there_is_held() {
    let (world, lefts, rights) = linked(2, DeletePolicy::Delete).await;
    world.left.delete("contact", &lefts[0]);
    world.right.edit("person", &rights[0], "full", text("edited"), "2026-01-02");
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].held, 1);
    assert_eq!(alive(&world.right, "person"), 2);
    assert_eq!(statuses(&world, Status::Held).await[0], Some(Code::DeletedAndEdited));
}

#[tokio::test]
async fn what_is_unlinked_is_not_made_again_and_may_meet_another() {
    let (world, lefts, rights) = linked(2, DeletePolicy::Unlink).await;
    world.left.delete("contact", &lefts[0]);
    world.run().await;
    world.right.edit("person", &rights[0], "full", text("alone"), "2026-01-02");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!((alive(&world.left, "contact"), alive(&world.right, "person")), (1, 2));
    let again = world.left.put("contact", &[("email", text("0@example.org"))], "2026-01-03");
    let run = world.run().await;
    assert_eq!(run.counts.left["contact"].matched, 1);
    assert_eq!(world.left.value("contact", &again, "name"), text("alone"));
    assert_eq!((alive(&world.left, "contact"), alive(&world.right, "person")), (2, 2));
    world.assert_quiet().await;
}

#[tokio::test]
async fn recreate_makes_it_again() {
    let (world, lefts, rights) = linked(2, DeletePolicy::Recreate).await;
    world.left.delete("contact", &lefts[0]);
    world.right.edit("person", &rights[0], "full", text("kept"), "2026-01-02");
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 2);
    assert_eq!(world.left.value("contact", &world.contact("0@example.org"), "name"), text("kept"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn p2_recreate_looks_for_the_record_in_the_run_that_finds_it_gone() {
    let (mut world, lefts, rights) = linked(2, DeletePolicy::Recreate).await;
    world.right.character.features.retain(|word| *word != Feature::Deletions);
    world.right.delete("person", &rights[0]);
    world.left.edit("contact", &lefts[0], "name", text("edited"), "2026-01-02");
    world.run_with(World::window("2026-01-02", "2026-01-03")).await;
    assert_eq!(world.right.value("person", &world.person("0@example.org"), "full"), text("edited"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_update_that_finds_nothing_is_a_report_of_the_deletion() {
    let (mut world, lefts, rights) = linked(2, DeletePolicy::Delete).await;
    // A remote that does not report deletions.
    world.right.character.features.retain(|word| *word != Feature::Deletions);
    world.right.delete("person", &rights[0]);
    world.right.expire_deletions();
    world.left.edit("contact", &lefts[0], "name", text("edited"), "2026-01-02");
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await[0], Some(Code::DeletedAndEdited));
}

#[tokio::test]
async fn absence_is_deletion_only_after_a_complete_listing() {
    let (mut world, _, rights) = linked(4, DeletePolicy::Delete).await;
    world.right.character.features.retain(|word| *word != Feature::Deletions);
    world.right.delete("person", &rights[1]);
    world.right.expire_deletions();
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 4, "nobody has said that it is gone");
    let run = world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(run.counts.right["person"].deleted, 1);
    assert_eq!(alive(&world.left, "contact"), 3);
    world.assert_quiet().await;
}

/// A listing that is no proof of absence tells no deletion, and those of before it would be told never more.
#[tokio::test]
async fn a_deletion_before_a_listing_that_proves_no_absence_is_told_by_the_next_report() {
    let (mut world, _, rights) = linked(4, DeletePolicy::Delete).await;
    world.right.character.features.remove(&Feature::FullListing);
    world.run().await;
    world.right.delete("person", &rights[1]);
    world.run_with(RunOptions::sync(Reading::Full)).await;
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].deleted, 1);
    assert_eq!(alive(&world.left, "contact"), 3);
    world.assert_quiet().await;
    // Also where the listing is broken off, and goes on in another run.
    world.right.delete("person", &rights[2]);
    let failure = ExchangeError::new("trap", "fell over");
    world.right.fault("report", 1, Fault::Fails(failure));
    assert!(world.try_run(RunOptions::sync(Reading::Full)).await.unwrap().error.is_some());
    world.run().await;
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 2);
    world.assert_quiet().await;
}

/// A merge is told by the reports of a system that tells no deletion, and by no listing.
#[tokio::test]
async fn a_merge_before_a_listing_that_proves_no_absence_is_told_by_the_next_report() {
    let (mut world, _, rights) = linked(2, DeletePolicy::Ignore).await;
    let lacks = [Feature::FullListing, Feature::Deletions];
    world.right.character.features.retain(|feature| !lacks.contains(feature));
    world.right.character.lists_merges = false;
    world.run().await;
    world.right.merge("person", &rights[1], &rights[0]);
    world.run_with(RunOptions::sync(Reading::Full)).await;
    world.run().await;
    let mapping = world.definition.mappings[0].id;
    let loser = world.ledger.pairs_of(mapping, Side::Right, &rights[1..]).await.unwrap();
    assert!(loser.iter().all(|pair| pair.status != Status::Ok), "{loser:?}");
}

/// A run of single records meets one under another identifier, and the whole object is listed anew, since the bookmark may be of
/// another history. If it is of this one, it alone tells what was deleted before.
#[tokio::test]
async fn a_deletion_before_a_bookmark_is_given_up_is_told_all_the_same() {
    let (mut world, _, rights) = linked(20, DeletePolicy::Delete).await;
    world.right.character.features.remove(&Feature::FullListing);
    world.run().await;
    world.right.delete("person", &rights[1]);
    give_ids_again(&world, &rights[3..4]);
    meet_unreported(&world, &rights[3]).await;
    world.run().await;
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 19);
    world.assert_quiet().await;
}

/// If it is of another history, it tells of no change, and what it says to go on from is not followed.
#[tokio::test]
async fn a_bookmark_of_another_history_passes_over_nothing() {
    let (world, lefts, rights) = linked(20, DeletePolicy::Delete).await;
    world.assert_quiet().await;
    world.right.count_again_from(5);
    let values = [("mail", text("x@example.net"))];
    world.right.give_again("person", &rights[3], &values);
    meet_unreported(&world, &rights[3]).await;
    world.run().await;
    world.right.edit("person", &rights[4], "full", text("edited"), "2026-01-05");
    world.run().await;
    world.run().await;
    assert_eq!(world.left.value("contact", &lefts[4], "name"), text("edited"));
    world.assert_quiet().await;
}

/// A run of a single record, which has another identifier than was reported.
async fn meet_unreported(world: &World, right: &str) {
    let ids = Sides::new(vec![], vec![("person".to_owned(), right.to_owned())]);
    let run = world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    let told = |notice: &Notice| matches!(notice, Notice::UnreportedIdentifiers { records: 1, .. });
    assert!(run.notices.iter().any(told), "{:?}", run.notices);
}

#[tokio::test]
async fn a_listing_that_lost_a_page_is_checked_by_id() {
    let (world, ..) = linked(6, DeletePolicy::Delete).await;
    world.right.shorten(true);
    let run = world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(run.counts.right["person"].deleted, 0);
    assert_eq!(alive(&world.left, "contact"), 6);
}

#[tokio::test]
async fn the_brake_holds_mass_deletion_by_a_broken_page_and_says_how_to_go_on() {
    let (mut world, ..) = linked(60, DeletePolicy::Delete).await;
    // It cannot be read by id, so that a missing page looks like twelve deletions.
    world.right.character.features.retain(|word| *word != Feature::ById && *word != Feature::Deletions);
    world.right.character.page = 12;
    world.right.shorten(true);
    let run = world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(run.counts.right["person"].deleted, 12);
    assert_eq!((run.counts.left["contact"].removed, run.counts.left["contact"].held), (0, 12));
    assert_eq!(alive(&world.left, "contact"), 60);
    assert!(
        matches!(run.notices[0], Notice::Brake(Reason::Brake { records: 12, linked: 60, .. })),
        "{:?}",
        run.notices
    );
    // The page is back: nothing was deleted.
    world.right.shorten(false);
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(alive(&world.left, "contact"), 60);
    assert_eq!(statuses(&world, Status::Held).await.len(), 0);
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_brake_holds_mass_deletion_until_it_is_lifted() {
    let (world, _, rights) = linked(60, DeletePolicy::Delete).await;
    for right in &rights[..12] {
        world.right.delete("person", right);
    }
    let run = world.run().await;
    assert_eq!((run.counts.left["contact"].removed, run.counts.left["contact"].held), (0, 12));
    assert_eq!(world.run().await.counts.left["contact"].held, 12, "every run says so");
    assert_eq!(alive(&world.left, "contact"), 60);
    let run = world.run_with(RunOptions { lift_brake: true, ..RunOptions::default() }).await;
    assert_eq!(run.counts.left["contact"].removed, 12);
    assert_eq!(alive(&world.left, "contact"), 48);
    world.assert_quiet().await;
}

#[tokio::test]
async fn the_brake_lets_a_few_pass() {
    let (world, _, rights) = linked(60, DeletePolicy::Delete).await;
    for right in &rights[..10] {
        world.right.delete("person", right);
    }
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 50);
}

#[tokio::test]
async fn l5_more_than_half_of_a_small_account_is_held() {
    let (world, _, rights) = linked(3, DeletePolicy::Delete).await;
    world.right.delete("person", &rights[0]);
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 2, "one of three is a normal day");
    world.assert_quiet().await;
    for right in &rights[1..] {
        world.right.delete("person", right);
    }
    let run = world.run().await;
    assert_eq!((run.counts.left["contact"].removed, run.counts.left["contact"].held), (0, 2));
    assert_eq!(alive(&world.left, "contact"), 2);
    let held = Reason::Brake {
        which: Braked::Deletes,
        side: Side::Left,
        object: "contact".to_owned(),
        records: 2,
        linked: 2,
        percent: 50,
        least: 1,
    };
    assert_eq!(run.notices, [Notice::Brake(held)]);
    world.run_with(RunOptions { lift_brake: true, ..RunOptions::default() }).await;
    assert_eq!(alive(&world.left, "contact"), 0);
    world.assert_quiet().await;
}

#[tokio::test]
async fn s25_a_small_account_whose_listing_is_empty_is_held() {
    let (mut world, _, rights) = linked(3, DeletePolicy::Delete).await;
    // Without a read by id, a listing that is empty by mistake cannot be told from three deletions.
    world.right.character.features.retain(|word| *word != Feature::ById && *word != Feature::Deletions);
    for right in &rights {
        world.right.delete("person", right);
    }
    world.right.expire_deletions();
    let run = world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!((run.counts.left["contact"].removed, run.counts.left["contact"].held), (0, 3));
    assert_eq!(alive(&world.left, "contact"), 3);
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::Brake); 3]);
}

#[tokio::test]
async fn the_brake_holds_mass_blanking() {
    let (world, _, rights) = linked(40, DeletePolicy::Ignore).await;
    for right in &rights[..11] {
        world.right.edit("person", right, "full", Value::Null, "2026-01-02");
    }
    let run = world.run().await;
    assert_eq!((run.counts.left["contact"].updated, run.counts.left["contact"].held), (0, 11));
    world.run_with(RunOptions { lift_brake: true, ..RunOptions::default() }).await;
    assert_eq!(world.left.value("contact", &world.contact("0@example.org"), "name"), Value::Null);
    world.assert_quiet().await;
}

/// Of one pair the brake holds what blanks a field of one side, and the other side is written in the same run.
#[tokio::test]
async fn i26_what_the_brake_holds_stays_held_when_the_other_side_is_written() {
    for braked in Side::BOTH {
        let (world, lefts, rights) = linked(3, DeletePolicy::Ignore).await;
        let edit = |side: Side, n: usize, fields: Sides<&str>, value: Value| match side {
            Side::Left => world.left.edit("contact", &lefts[n], fields.left, value, "2026-01-02"),
            Side::Right => world.right.edit("person", &rights[n], fields.right, value, "2026-01-02"),
        };
        let value = |n: usize, fields: Sides<&str>| {
            let left = world.left.value("contact", &lefts[n], fields.left);
            [left, world.right.value("person", &rights[n], fields.right)]
        };
        let (name, phone) = (Sides::new("name", "full"), Sides::new("phone", "tel"));
        for n in 0..2 {
            edit(braked.other(), n, name, Value::Null);
        }
        edit(braked, 0, phone, text("new"));
        world.run().await;
        assert_eq!(value(0, phone), [text("new"), text("new")], "the {braked} is braked");
        assert!(value(0, name).contains(&text("name 0")), "the {braked} is braked");
        assert_eq!(statuses(&world, Status::Held).await, [Some(Code::Brake); 2], "the {braked} is braked");
        assert!(statuses(&world, Status::Todo).await.is_empty(), "the {braked} is braked");
        world.assert_quiet().await;
        world.run_with(RunOptions { lift_brake: true, ..RunOptions::default() }).await;
        for n in 0..2 {
            assert_eq!(value(n, name), [Value::Null, Value::Null], "the {braked} was braked");
        }
        assert!(statuses(&world, Status::Held).await.is_empty());
        world.assert_quiet().await;
    }
}

/// Somebody else stands behind each of these ids: another account, or a backup that gave the ids again.
fn give_ids_again(world: &World, rights: &[String]) {
    for (n, right) in rights.iter().enumerate() {
        for (field, value) in [("mail", format!("x{n}@example.net")), ("full", format!("stranger {n}"))] {
            world.right.edit("person", right, field, text(&value), "2026-01-02");
        }
    }
}

#[tokio::test]
async fn s26_another_account_behind_the_same_address_is_not_written_to() {
    let (world, lefts, rights) = linked(60, DeletePolicy::Delete).await;
    give_ids_again(&world, &rights);
    world.left.edit("contact", &lefts[0], "phone", text("1"), "2026-01-03");
    let run = world.run().await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "nothing is written");
    assert_eq!(run.counts.right["person"].held, 60);
    let told = Notice::OtherIdentifiers {
        side: Side::Right,
        object: "person".to_owned(),
        records: 60,
        linked: 60,
        percent: 10,
    };
    assert!(run.notices.contains(&told), "{:?}", run.notices);
    // An edit in the hub is not written to a stranger either.
    world.left.edit("contact", &lefts[1], "phone", text("2"), "2026-01-03");
    world.assert_quiet().await;
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::OtherIdentifiers); 60]);
    // The address is put right: what the true account has is read again, and the edits go there.
    for (n, right) in rights.iter().enumerate() {
        world.right.edit("person", right, "mail", text(&format!("{n}@example.org")), "2020-01-01");
        world.right.edit("person", right, "full", text(&format!("name {n}")), "2020-01-01");
    }
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.right.value("person", &rights[1], "tel"), text("2"));
    assert_eq!(statuses(&world, Status::Held).await, []);
    world.assert_quiet().await;
}

#[tokio::test]
async fn s26_a_restored_backup_that_takes_the_bookmark_of_before_is_found_out_before_anything_is_written() {
    let (world, lefts, rights) = linked(40, DeletePolicy::Delete).await;
    world.assert_quiet().await;
    for (n, right) in rights.iter().enumerate().skip(20) {
        let values = [("mail", text(&format!("x{n}@example.net"))), ("full", text(&format!("stranger {n}")))];
        world.right.give_again("person", right, &values);
    }
    for n in [3, 25, 30] {
        world.left.edit("contact", &lefts[n], "phone", text("1"), "2026-01-03");
    }
    let run = world.run().await;
    assert_eq!(
        world.right.writes(),
        [format!("update person {}: tel", rights[3])],
        "who is the same is written"
    );
    assert_eq!(world.left.writes(), Vec::<String>::new());
    assert_eq!(run.counts.right["person"].held, 2, "two were read again");
    // The next run lists everything, and sees how many they are.
    let run = world.run().await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "nothing is written");
    assert_eq!(run.counts.right["person"].held, 20);
    let told = |notice: &Notice| matches!(notice, Notice::OtherIdentifiers { records: 20, linked: 40, .. });
    assert!(run.notices.iter().any(told), "{:?}", run.notices);
    world.assert_quiet().await;
    let lifted = RunOptions { lift_identifiers: true, ..RunOptions::default() };
    world.run_with(lifted).await;
    assert_eq!(world.left.value("contact", &lefts[25], "email"), text("x25@example.net"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s26_a_run_of_single_records_writes_to_no_stranger() {
    let (world, lefts, rights) = linked(40, DeletePolicy::Delete).await;
    world.assert_quiet().await;
    for (n, right) in rights.iter().enumerate().skip(20) {
        let values = [("mail", text(&format!("x{n}@example.net"))), ("full", text(&format!("stranger {n}")))];
        world.right.give_again("person", right, &values);
    }
    world.left.edit("contact", &lefts[25], "phone", text("1"), "2026-01-03");
    let left = Sides::new(vec![("contact".to_owned(), lefts[25].clone())], vec![]);
    let right = Sides::new(vec![], vec![("person".to_owned(), rights[30].clone())]);
    for ids in [left, right] {
        let run = world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
        assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "nothing is written");
        let told = |notice: &Notice| matches!(notice, Notice::UnreportedIdentifiers { records: 1, .. });
        assert!(run.notices.iter().any(told), "{:?}", run.notices);
    }
    // The next whole run lists everything, and sees how many they are.
    let run = world.run().await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "nothing is written");
    assert_eq!(run.counts.right["person"].held, 20);
}

#[tokio::test]
async fn s26_what_is_missing_beside_strangers_is_not_deleted() {
    let (world, _lefts, rights) = linked(40, DeletePolicy::Delete).await;
    world.assert_quiet().await;
    give_ids_again(&world, &rights[20..38]);
    world.right.delete("person", &rights[39]);
    world.run().await;
    assert_eq!(alive(&world.left, "contact"), 40, "one would be too few for the brake on deletions");
    let held = statuses(&world, Status::Held).await;
    assert_eq!(held.iter().filter(|code| **code == Some(Code::Brake)).count(), 1, "{held:?}");
}

#[tokio::test]
async fn l6_new_identifiers_of_many_are_held_until_the_brake_is_lifted() {
    let (world, lefts, rights) = linked(20, DeletePolicy::Ignore).await;
    give_ids_again(&world, &rights[..3]);
    let run = world.run().await;
    assert_eq!((run.counts.left["contact"].updated, run.counts.right["person"].held), (0, 3));
    let only = RunOptions::sync(Scope::Ids(Sides::new(
        vec![("contact".to_owned(), lefts[0].clone())],
        vec![("person".to_owned(), rights[0].clone())],
    )));
    world.run_with(only).await;
    assert_eq!(world.left.value("contact", &lefts[0], "email"), text("0@example.org"), "also by its id");
    let run = world.run_with(RunOptions { lift_identifiers: true, ..RunOptions::default() }).await;
    assert_eq!(run.counts.left["contact"].updated, 3);
    assert_eq!(world.left.value("contact", &lefts[2], "email"), text("x2@example.net"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn new_identifiers_of_a_few_are_written() {
    let (world, lefts, rights) = linked(20, DeletePolicy::Ignore).await;
    give_ids_again(&world, &rights[..2]);
    world.run().await;
    assert_eq!(world.left.value("contact", &lefts[1], "email"), text("x1@example.net"));
    world.assert_quiet().await;
    // Found out just before a write: decided by the next run, which lists everything first.
    let (object, id, field) = ("person".to_owned(), rights[5].clone(), "mail".to_owned());
    let value = text("new@example.net");
    world.right.fault("execute", 1, crate::fake::Fault::Edit { object, id, field, value });
    world.left.edit("contact", &lefts[5], "phone", text("1"), "2026-01-03");
    world.run().await;
    assert_eq!(world.left.value("contact", &lefts[5], "email"), text("5@example.org"));
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::OtherIdentifiers)]);
    world.run().await;
    assert_eq!(world.left.value("contact", &lefts[5], "email"), text("new@example.net"));
    assert_eq!(world.right.value("person", &rights[5], "tel"), text("1"));
    world.assert_quiet().await;
}

/// Twenty people with a telephone number, and one without an address.
async fn linked_with_numbers() -> (World, Vec<String>, Vec<String>) {
    let (world, mut lefts, mut rights) = linked(20, DeletePolicy::Ignore).await;
    for (n, left) in lefts.iter().enumerate() {
        world.left.edit("contact", left, "phone", text(&format!("{n}")), "2020-01-02");
    }
    lefts.push(world.left.put("contact", &[("name", text("Zoe")), ("phone", text("z"))], "2020-01-01"));
    world.run().await;
    rights.push(world.right.find_by("person", "full", "Zoe").unwrap());
    world.left.writes();
    world.right.writes();
    (world, lefts, rights)
}

/// A backup was restored that gives the id of one person, or of one without an address, to somebody else. That is not taken
/// for a person with a new address, however few they are: nothing of what it had is left.
#[tokio::test]
async fn s26_a_single_record_with_nothing_left_of_what_it_had_is_another_one() {
    for (whom, address) in [(3, "stranger@example.net"), (3, ""), (20, ""), (20, "stranger@example.net")] {
        let (world, lefts, rights) = linked_with_numbers().await;
        let stranger = [("mail", address), ("full", "Mallory"), ("tel", "666")];
        for (field, value) in stranger {
            world.right.edit("person", &rights[whom], field, text(value), "2026-01-02");
        }
        let run = world.run().await;
        assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "{whom}");
        assert_eq!(run.counts.right["person"].held, 1, "{whom}");
        let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap().remove(0);
        let now = world.clock.now();
        let lease = world.ledger.acquire("r", "o", now, std::time::Duration::from_secs(60)).await.unwrap();
        world.ledger.retry(&lease, held.mapping, Some(held.id)).await.unwrap();
        world.ledger.release(&lease).await.unwrap();
        world.run().await;
        assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]), "a retry lifts nothing");
        world.left.edit("contact", &lefts[whom], "phone", text("5"), "2026-01-03");
        world.run().await;
        assert_eq!(world.right.value("person", &rights[whom], "tel"), text("666"), "{whom}");
        assert_eq!(statuses(&world, Status::Held).await, [Some(Code::OtherIdentifiers)], "{whom}");
        world.assert_quiet().await;
        world.left.writes();
        world.run_with(RunOptions { lift_identifiers: true, ..RunOptions::default() }).await;
        assert_eq!(
            world.left.value("contact", &lefts[whom], "name"),
            text("Mallory"),
            "it is a person's word"
        );
        assert_eq!(statuses(&world, Status::Held).await, []);
        world.assert_quiet().await;
    }
}

/// The same, told by nobody until the sync has written to it, at a remote system that cannot be asked what stands there: the
/// value that was written is no likeness.
#[tokio::test]
async fn s26_a_stranger_does_not_pass_by_the_value_that_was_written_to_it() {
    let (mut world, lefts, rights) = linked_with_numbers().await;
    world.right.character.features.retain(|of| !matches!(of, Feature::ById | Feature::ConditionalUpdate));
    world.assert_quiet().await;
    let stranger = [("mail", text("stranger@example.net")), ("full", text("Mallory")), ("tel", text("666"))];
    world.right.give_again("person", &rights[3], &stranger);
    world.left.edit("contact", &lefts[3], "phone", text("5"), "2026-01-03");
    world.run().await;
    assert_eq!(world.right.value("person", &rights[3], "tel"), text("5"), "nobody could know");
    // The report of the next run tells what was written, and what stands there.
    let run = world.run().await;
    assert_eq!(run.counts.right["person"].held, 1);
    assert_eq!(world.left.value("contact", &lefts[3], "name"), text("name 3"));
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::OtherIdentifiers)]);
    world.assert_quiet().await;
}

/// Somebody with a new address and number is the same person still.
#[tokio::test]
async fn s26_a_record_that_has_something_left_is_the_same_one() {
    let (world, lefts, rights) = linked_with_numbers().await;
    for (field, value) in [("mail", "new@example.org"), ("tel", "new")] {
        world.right.edit("person", &rights[3], field, text(value), "2026-01-02");
    }
    world.right.edit("person", &rights[20], "full", text("Zoe Lee"), "2026-01-02");
    world.run().await;
    assert_eq!(world.left.value("contact", &lefts[3], "email"), text("new@example.org"));
    assert_eq!(world.left.value("contact", &lefts[20], "name"), text("Zoe Lee"));
    world.assert_quiet().await;
}

/// While many have other addresses, one without any that has kept its number is no more certain.
#[tokio::test]
async fn s26_who_has_no_address_is_held_while_the_brake_holds_others() {
    let (world, lefts, rights) = linked_with_numbers().await;
    give_ids_again(&world, &rights[..5]);
    world.right.edit("person", &rights[20], "full", text("Mallory"), "2026-01-02");
    world.run().await;
    assert_eq!((world.left.writes(), world.right.writes()), (vec![], vec![]));
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::OtherIdentifiers); 6]);
    world.assert_quiet().await;
    world.run_with(RunOptions { lift_identifiers: true, ..RunOptions::default() }).await;
    assert_eq!(world.left.value("contact", &lefts[20], "name"), text("Mallory"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn s20_a_remote_merge_keeps_the_winners_pair_and_holds_what_is_left_over() {
    let (world, lefts, rights) = linked(3, DeletePolicy::Ignore).await;
    world.right.merge("person", &rights[0], &rights[1]);
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await.len(), 1);
    assert_eq!(statuses(&world, Status::Held).await[0], Some(Code::Merged));
    world.left.edit("contact", &lefts[1], "name", text("winner"), "2026-01-02");
    world.left.edit("contact", &lefts[0], "name", text("left over"), "2026-01-02");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!(world.right.value("person", &rights[1], "full"), text("winner"));
    assert_eq!((alive(&world.left, "contact"), alive(&world.right, "person")), (3, 2));
    assert_eq!(statuses(&world, Status::Held).await.len(), 1);
}

#[tokio::test]
async fn a_merge_into_a_record_without_counterpart_moves_the_pair() {
    let (mut world, lefts, rights) = linked(2, DeletePolicy::Ignore).await;
    world.people().create = Sides::new(false, true);
    let stranger = world.right.put(
        "person",
        &[("mail", text("new@example.org")), ("full", text("stranger"))],
        "2026-01-02",
    );
    world.run().await;
    world.right.merge("person", &rights[0], &stranger);
    world.run().await;
    world.left.edit("contact", &lefts[0], "name", text("moved"), "2026-02-02");
    world.run().await;
    assert_eq!(world.right.value("person", &stranger, "full"), text("moved"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_duplicate_takes_the_place_of_one_that_is_gone() {
    let (world, _, rights) = linked(2, DeletePolicy::Unlink).await;
    let twin =
        world.right.put("person", &[("mail", text("0@example.org")), ("full", text("twin"))], "2026-01-02");
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await.len(), 1);
    world.right.delete("person", &rights[0]);
    world.run().await;
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await.len(), 0);
    world.right.edit("person", &twin, "tel", text("9"), "2026-01-03");
    world.run().await;
    assert_eq!(world.left.value("contact", &world.contact("0@example.org"), "phone"), text("9"));
    // The names differ in their change times, which come with the next report.
    world.run().await;
    assert_eq!(world.left.value("contact", &world.contact("0@example.org"), "name"), text("twin"));
    world.assert_quiet().await;
}

/// Nothing was ever sent for it: the record that has its address is no reason to keep it.
#[tokio::test]
async fn p2_a_held_duplicate_that_is_deleted_is_held_no_more() {
    let (world, _, _) = linked(2, DeletePolicy::Unlink).await;
    let twin = world.left.put("contact", &[("email", text("0@example.org"))], "2026-01-02");
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::DuplicateOf)]);
    world.left.delete("contact", &twin);
    // A run by ids looks the counterparts of what it reads up.
    let ids = Sides::new(vec![("contact".to_owned(), twin)], vec![]);
    world.run_with(RunOptions::sync(Scope::Ids(ids))).await;
    assert_eq!(statuses(&world, Status::Held).await, []);
    world.assert_quiet().await;
}

/// A tombstone has no identifiers, on neither side.
#[tokio::test]
async fn p2_the_address_of_a_record_that_is_deleted_everywhere_is_free() {
    for policy in [DeletePolicy::Ignore, DeletePolicy::Unlink] {
        let (world, lefts, rights) = linked(3, policy).await;
        let value = world.left.value("contact", &lefts[0], "email");
        world.left.delete("contact", &lefts[0]);
        world.right.delete("person", &rights[0]);
        world.right.put("person", &[("mail", value.clone()), ("full", text("Bea"))], "2026-01-02");
        for _ in 0..3 {
            world.run().await;
        }
        assert_eq!(statuses(&world, Status::Held).await, [], "{policy:?}");
        assert!(world.left.find_by("contact", "name", "Bea").is_some(), "{policy:?}");
        world.assert_quiet().await;
    }
}

/// The survivor of a deletion that is ignored gives its address up later.
#[tokio::test]
async fn p2_an_address_that_the_survivor_of_a_deletion_gave_up_is_free() {
    let (world, lefts, rights) = linked(3, DeletePolicy::Ignore).await;
    let value = world.left.value("contact", &lefts[0], "email");
    world.left.delete("contact", &lefts[0]);
    world.run().await;
    world.left.put("contact", &[("email", value), ("name", text("Bea"))], "2026-01-02");
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await, [Some(Code::DuplicateOf)]);
    world.right.edit("person", &rights[0], "mail", text("other@example.org"), "2026-01-03");
    for _ in 0..3 {
        world.run().await;
    }
    assert_eq!(statuses(&world, Status::Held).await, []);
    assert!(world.right.find_by("person", "full", "Bea").is_some());
    world.assert_quiet().await;
}

/// What was refused may have been executed, so that the record keeps its address until its deletion is decided; the
/// successor comes on the same page.
#[tokio::test]
async fn p2_the_address_of_a_refused_record_that_is_deleted_is_free_in_the_same_run() {
    let mut world = World::new().await;
    world.right.character.refuses = Some("bad");
    let value = text("ann@example.org");
    let bad = world.left.put("contact", &[("email", value.clone()), ("name", text("bad"))], "2020-01-01");
    world.run().await;
    assert_eq!(world.right.records("person").len(), 0);
    world.left.delete("contact", &bad);
    world.left.put("contact", &[("email", value), ("name", text("Ann"))], "2026-01-02");
    world.run().await;
    assert_eq!(statuses(&world, Status::Held).await, []);
    assert!(world.right.find_by("person", "full", "Ann").is_some());
    world.assert_quiet().await;
}

/// The survivor of an unlinked deletion meets the successor in the run that lists both sides; it cannot be read once more.
#[tokio::test]
async fn p2_a_survivor_that_cannot_be_read_again_is_judged_by_the_time_of_its_record() {
    let (mut world, lefts, rights) = linked(1, DeletePolicy::Unlink).await;
    for side in [&mut world.left, &mut world.right] {
        side.character.times = ChangeTimes::Record;
        side.character.features.retain(|feature| *feature != Feature::ById);
        side.character.features.remove(&Feature::Deletions);
    }
    world.people().fields[1].unresolved = Unresolved::Latest;
    let value = world.left.value("contact", &lefts[0], "email");
    world.left.delete("contact", &lefts[0]);
    let twin = world.left.put("contact", &[("email", value), ("name", text("twin"))], "2019-01-01");
    world.run_with(RunOptions::sync(Reading::Full)).await;
    world.run().await;
    let names =
        || (world.left.value("contact", &twin, "name"), world.right.value("person", &rights[0], "full"));
    assert_eq!(names(), (text("name 0"), text("name 0")));
    world.right.writes();
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!((names(), world.right.writes()), ((text("name 0"), text("name 0")), vec![]));
}

/// A contact whose counterpart was deleted is not to be made there again. One that goes before it by the rules comes and is
/// deleted.
#[tokio::test]
async fn p1_a_newcomer_that_goes_first_does_not_take_the_tombstone_of_another() {
    let (mut world, lefts, rights) = linked(2, DeletePolicy::Unlink).await;
    let tagged = Condition { field: "tags".into(), test: Test::Contains("news".into()) };
    world.people().prefer = Sides::new(vec![Prefer::Where(tagged)], vec![]);
    world.right.delete("person", &rights[0]);
    world.run().await;
    let value = world.left.value("contact", &lefts[0], "email");
    let tags = Value::Texts(vec!["news".into()]);
    let twin = world.left.put("contact", &[("email", value), ("tags", tags)], "2026-01-02");
    world.run().await;
    world.left.delete("contact", &twin);
    for _ in 0..3 {
        world.run().await;
    }
    assert_eq!(alive(&world.right, "person"), 1, "what was deleted is not made again");
    world.assert_quiet().await;
}

/// Two contacts have the address of a newcomer, and one of them has no counterpart any more: there is nobody to swap with.
#[tokio::test]
async fn p2_a_newcomer_that_goes_first_and_could_be_of_several_stays_in_its_pair() {
    let (mut world, lefts, rights) = linked(2, DeletePolicy::Recreate).await;
    let tagged = Condition { field: "labels".into(), test: Test::Contains("news".into()) };
    world.people().prefer = Sides::new(vec![], vec![Prefer::Where(tagged)]);
    world.right.character.refuses = Some("bad");
    world.left.edit("contact", &lefts[0], "name", text("bad"), "2026-01-02");
    world.right.delete("person", &rights[0]);
    world.run().await;
    let value = world.left.value("contact", &lefts[0], "email");
    world.left.edit("contact", &lefts[1], "email", value.clone(), "2026-01-02");
    world.run().await;
    let tags = Value::Texts(vec!["news".into()]);
    let newcomer = world.right.put("person", &[("mail", value), ("labels", tags)], "2026-01-03");
    world.run().await;
    let lines = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    let held: Vec<_> = lines.iter().map(|line| line.ids.right.as_deref()).collect();
    assert_eq!(held, [Some(newcomer.as_str())]);
}

/// The order that updates both is told that one has become the other. That one is no duplicate of itself.
#[tokio::test]
async fn p2_a_record_into_which_another_of_the_same_order_was_merged_takes_its_update() {
    let (mut world, lefts, rights) = linked(2, DeletePolicy::Delete).await;
    world.right.character.order = 10;
    for left in &lefts {
        world.left.edit("contact", left, "phone", text("1"), "2026-01-02");
    }
    let [before, after] = [&rights[0], &rights[1]].map(String::clone);
    let merge = Fault::Merge { object: "person".to_owned(), before, after };
    world.right.fault("execute", 1, merge);
    world.run().await;
    assert_eq!(world.right.value("person", &rights[1], "tel"), text("1"));
    let lines = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    let held: Vec<_> = lines.iter().map(|line| line.ids.right.as_deref()).collect();
    assert_eq!(held, [Some(rights[0].as_str())], "what was merged away, and not the other one");
}

/// What has failed for one counterpart does not delay the next one.
#[tokio::test]
async fn i26_a_new_counterpart_does_not_wait_for_what_has_failed_before() {
    for unlinked_first in [true, false] {
        let (mut world, lefts, rights) = linked(1, DeletePolicy::Unlink).await;
        world.right.character.refuses = Some("refused");
        world.left.edit("contact", &lefts[0], "name", text("refused"), "2026-01-02");
        world.run().await;
        assert_eq!(statuses(&world, Status::Failed).await, [Some(Code::Refused)]);
        world.right.character.refuses = None;
        world.right.delete("person", &rights[0]);
        if unlinked_first {
            world.run().await;
        }
        let again = [("mail", text("0@example.org")), ("tel", text("one"))];
        let again = world.right.put("person", &again, "2026-01-02");
        world.run().await;
        assert_eq!(statuses(&world, Status::Ok).await, [None], "unlinked first: {unlinked_first}");
        assert_eq!(world.right.value("person", &again, "full"), text("refused"));
        assert_eq!(world.left.value("contact", &lefts[0], "phone"), text("one"));
        world.assert_quiet().await;
    }
}

/// What a dry run shows follows the policy of its time, and leaves nothing of that behind.
#[tokio::test]
async fn o9_a_dry_run_under_another_policy_does_not_decide_about_a_deletion() {
    for other in [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Recreate, DeletePolicy::Delete] {
        for policy in
            [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Recreate, DeletePolicy::Delete]
        {
            let (mut world, lefts, _) = linked(3, other).await;
            let (mut plain, plain_lefts, _) = linked(3, policy).await;
            world.left.delete("contact", &lefts[0]);
            plain.left.delete("contact", &plain_lefts[0]);
            world.run_with(RunOptions::plan(Reading::Changes)).await;
            world.people().deletes = policy;
            plain.people().deletes = policy;
            for world in [&world, &plain] {
                world.run().await;
                world.assert_quiet().await;
            }
            let records = |world: &World| (alive(&world.left, "contact"), alive(&world.right, "person"));
            assert_eq!(records(&world), records(&plain), "{other:?}, then {policy:?}");
            for status in [Status::Deleted, Status::Excluded, Status::Held, Status::Ok] {
                assert_eq!(
                    statuses(&world, status).await,
                    statuses(&plain, status).await,
                    "{other:?}, {policy:?}"
                );
            }
        }
    }
}
