//! Orders that end early.

use crate::fake::*;
use crate::world::*;
use entente_sync::*;
use std::time::Duration;

/// Twelve contacts that nothing can be looked up by.
async fn twelve(world: &mut World) {
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    world.right.character.can_find = false;
    world.right.character.order = 12;
    for n in 0..12 {
        world.left.put("contact", &[("phone", text(&n.to_string()))], "2020-01-01");
    }
}

#[tokio::test]
async fn a1_an_order_that_ends_in_an_error_is_never_sent_again_blindly() {
    for find in [false, true] {
        let mut world = World::new().await;
        twelve(&mut world).await;
        world.right.character.can_find = find;
        if find {
            for (id, _) in world.left.records("contact") {
                world.left.edit("contact", &id, "email", text(&format!("{id}@example.org")), "2020-01-02");
            }
        }
        for call in 1..=2 {
            world.right.fault("execute", call, Fault::StopsInError { after: 3 });
        }
        for _ in 0..4 {
            world.run().await;
            world.clock.advance(Duration::from_secs(3600));
        }
        let people = world.right.records("person").len();
        let held = world.ledger.pairs_in(Status::Held, None, 0, 20).await.unwrap();
        // What can be looked up is made. Of the rest nobody can know, and it says so.
        assert_eq!((people, held.len()), if find { (12, 0) } else { (3, 12) }, "{find}");
        let unknown = |line: &PairLine| line.reason.as_ref().map(Reason::code) == Some(Code::FateUnknown);
        assert!(held.iter().all(unknown), "{held:?}");
        world.assert_quiet().await;
    }
}
