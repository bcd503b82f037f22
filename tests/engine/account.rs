//! Another account behind a side: the ids that it gives mean other records.

use crate::world::*;
use entente_sync::*;

fn account(id: &str, label: &str) -> Option<Account> {
    Some(Account { system: "crm".to_owned(), id: id.to_owned(), label: label.to_owned() })
}

/// Somebody is linked with the account `a`, at the address `one`.
async fn linked(told: Option<Account>) -> World {
    let mut world = World::new().await;
    world.right.character.account = told;
    world.right.character.address = vec!["url=one".to_owned()];
    let id = world.left.put("contact", &[("email", text("a@example.org"))], "2020-01-01");
    world.run().await;
    world.left.edit("contact", &id, "phone", text("7"), "2020-02-01");
    world
}

/// Runs of every kind that reads end before they read. Returns the names of the two accounts.
async fn refused(world: &World) -> (String, String) {
    let mut told = Vec::new();
    for options in [RunOptions::default(), RunOptions::plan(Scope::default())] {
        let calls =
            || ["report", "execute", "find"].map(|call| (world.left.calls(call), world.right.calls(call)));
        let before = calls();
        let error = world.try_run(options).await.unwrap().error.unwrap();
        assert_eq!(calls(), before, "nothing is read or written");
        let rebind = |remedy: &&Remedy| {
            matches!(remedy, Remedy::RebindSameSystem { .. } | Remedy::RebindForgetLinks { .. })
        };
        assert_eq!(error.remedies().iter().filter(rebind).count(), 2);
        let SyncError::AnotherAccount { before, now, .. } = error else { panic!("{error}") };
        told.push((before, now));
    }
    assert_eq!(told[0], told[1]);
    told.remove(0)
}

#[tokio::test]
async fn another_account_is_neither_read_nor_written_to() {
    let mut world = linked(account("a", "Acme")).await;
    world.right.character.account = account("b", "Acme");
    let (was, now) = refused(&world).await;
    assert_eq!((was.as_str(), now.as_str()), ("'Acme' (a of crm)", "'Acme' (b of crm)"));
    // It is put right, and everything goes on.
    world.right.character.account = account("a", "Acme");
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("a@example.org"), "tel"), text("7"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_account_that_moves_or_is_renamed_is_the_same_one() {
    let mut world = linked(account("a", "Acme")).await;
    world.right.character.account = account("a", "Acme and Sons");
    world.right.character.address = vec!["url=two".to_owned()];
    world.run().await;
    assert_eq!(world.right.value("person", &world.person("a@example.org"), "tel"), text("7"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn where_the_account_is_not_told_another_address_is_asked_about() {
    for (first, name) in [(account("a", "Acme"), "'Acme' (a of crm)"), (None, "url=one")] {
        let mut world = linked(first).await;
        world.right.character.account = None;
        world.run().await;
        world.right.character.address = vec!["url=two".to_owned()];
        assert_eq!(refused(&world).await, (name.to_owned(), "url=two".to_owned()));
    }
}

#[tokio::test]
async fn an_account_that_is_told_once_is_not_forgotten_when_it_is_not_told() {
    let mut world = linked(account("a", "Acme")).await;
    world.right.character.account = None;
    world.run().await;
    world.right.character.account = account("b", "Acme");
    refused(&world).await;
}
