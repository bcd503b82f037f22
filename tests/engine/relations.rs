//! Relations and syncs that get another name.

use crate::world::{World, text};
use entente_sqlite::{StoreError, SyncRow, ensure_mapping};
use entente_sync::*;
use std::time::Duration;

/// Two contacts that are linked, of which one has nothing that it could be matched by.
async fn linked() -> (World, Run) {
    let world = World::new().await;
    world.left.put("contact", &[("name", text("Nameless"))], "2020-01-01");
    world.left.put("contact", &[("email", text("a@example.org")), ("name", text("Ann"))], "2020-01-01");
    let run = world.run().await;
    assert_eq!(world.right.records("person").len(), 2);
    (world, run)
}

/// Gives the relation of the world another name, as a changed configuration does.
async fn rename(world: &mut World, after: &str) {
    let definition = &mut world.definition;
    let before = std::mem::replace(&mut definition.relation, after.to_owned());
    for mapping in &mut definition.mappings {
        let Sides { left, right } = mapping.objects.clone();
        let (before, after) = (before.clone(), after.to_owned());
        let renamed = world.store.transact::<_, StoreError, _>(move |session| {
            if session.has_pairs(&before)? {
                session.rename_relation(&before, &after)?;
            }
            ensure_mapping(session, &after, &left, &right)
        });
        mapping.id = renamed.await.unwrap();
    }
}

#[tokio::test]
async fn m7_links_follow_a_relation_that_gets_another_name() {
    let (mut world, first) = linked().await;
    rename(&mut world, "people").await;
    world.definition.version += 1;
    world.assert_quiet().await;
    assert_eq!((world.left.records("contact").len(), world.right.records("person").len()), (2, 2));
    // What a run did under the old name can still be undone.
    assert_eq!(world.ledger.run(first.id).await.unwrap().unwrap().relation, "people");
    let undone = world.undo(first.id, 2).await;
    assert_eq!((undone.writes(), world.right.records("person").len()), (2, 0));
    world.assert_quiet().await;
}

#[tokio::test]
async fn m7_a_mapping_that_never_had_pairs_makes_room() {
    let (mut world, _) = linked().await;
    world.store.transact(|session| ensure_mapping(session, "people", "contact", "person")).await.unwrap();
    let people = world.definition.mappings[0].id;
    rename(&mut world, "people").await;
    assert_eq!(world.definition.mappings[0].id, people);
    world.assert_quiet().await;
}

#[tokio::test]
async fn m7_a_run_that_is_under_way_writes_nothing_more_after_a_rename() {
    let (mut world, _) = linked().await;
    let (now, lasting) = (world.clock.now(), Duration::from_secs(60));
    let lease = world.ledger.acquire("r", "slow", now, lasting).await.unwrap();
    rename(&mut world, "people").await;
    let held = |lease: &Lease| {
        let lease = lease.clone();
        let ledger = &world.ledger;
        async move { ledger.begin(&lease).await?.commit().await }
    };
    assert!(matches!(held(&lease).await, Err(LedgerError::Fenced { .. })));
    // A new relation of the old name gives no number twice.
    for _ in 0..3 {
        let next = world.ledger.acquire("r", "next", now, lasting).await.unwrap();
        assert!(matches!(held(&lease).await, Err(LedgerError::Fenced { .. })), "{lease:?} {next:?}");
        world.ledger.release(&next).await.unwrap();
    }
}

#[tokio::test]
async fn m7_a_sync_that_gets_another_name_keeps_its_place_and_its_history() {
    let (mut world, first) = linked().await;
    let before = world.ledger.progress("s", Side::Right).await.unwrap();
    assert!(before.objects.values().all(|position| position.bookmark.is_some()));
    world
        .store
        .transact::<_, StoreError, _>(|session| {
            let row = SyncRow {
                name: "s".to_owned(),
                relation: "r".to_owned(),
                exchanges: Sides::new("L".to_owned(), "R".to_owned()),
                definition: "{}".to_owned(),
            };
            session.put_sync(&row, 3)?;
            session.rename_sync("s", "people")?;
            assert_eq!((session.sync_version("s")?, session.sync_version("people")?), (None, Some(3)));
            assert_eq!(session.linked_relations()?[0].name, "r");
            Ok(())
        })
        .await
        .unwrap();
    world.definition.name = "people".to_owned();
    assert_eq!(world.ledger.progress("people", Side::Right).await.unwrap(), before);
    assert_eq!(world.ledger.runs(Some("people"), None, 9).await.unwrap()[0].id, first.id);
    world.assert_quiet().await;
}
