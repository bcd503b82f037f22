//! Lost answers and crashes: changes with an unknown outcome.

use crate::fake::Fault;
use crate::world::{World, text};
use entente_core::Value;
use entente_sync::{Feature, OperatorLedger as _, Reading, Reason, RecordRef, RunOptions, Side, Status};

async fn lost_create(world: &World) {
    for n in 0..5 {
        world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01");
    }
    world.right.fault("execute", 2, Fault::Lost);
    let end = world.try_run(RunOptions::default()).await.unwrap();
    assert!(end.error.is_some());
    assert_eq!(world.right.records("person").len(), 4);
}

#[tokio::test]
async fn a_create_without_an_answer_is_sent_again_where_it_is_made_once() {
    let world = World::new().await;
    lost_create(&world).await;
    world.run().await;
    assert_eq!(world.right.records("person").len(), 5);
    assert_eq!(world.left.records("contact").len(), 5);
    world.assert_quiet().await;
}

#[tokio::test]
async fn else_it_is_looked_up() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    lost_create(&world).await;
    world.run().await;
    assert_eq!(world.right.records("person").len(), 5);
    assert_eq!(world.left.records("contact").len(), 5);
    world.assert_quiet().await;
}

#[tokio::test]
async fn else_it_is_held() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    world.right.character.can_find = false;
    lost_create(&world).await;
    world.run().await;
    // The two unknown creates are held; the fifth record is created.
    assert_eq!(world.right.records("person").len(), 5);
    // Their records are reported, and matched by their identifiers.
    world.run_with(RunOptions::sync(Reading::Full)).await;
    assert_eq!((world.right.records("person").len(), world.left.records("contact").len()), (5, 5));
}

#[tokio::test]
async fn s12_an_update_without_an_answer_is_read_again_and_not_sent_blind() {
    for made in [true, false] {
        let world = World::new().await;
        let l = world.left.put(
            "contact",
            &[("email", text("u@example.org")), ("phone", text("1"))],
            "2020-01-01",
        );
        world.run().await;
        let r = world.person("u@example.org");
        world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
        let fault = if made {
            Fault::Lost
        } else {
            Fault::Fails(entente_sync::ExchangeError::new("unauthorized", "nothing was done"))
        };
        world.right.fault("execute", 1, fault);
        assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
        // Somebody edits the record before the engine looks again.
        world.right.edit("person", &r, "full", text("edited"), "2025-01-02");
        world.right.writes();
        world.run().await;
        assert_eq!(world.right.value("person", &r, "tel"), text("2"));
        assert_eq!(world.left.value("contact", &l, "name"), text("edited"));
        assert_eq!(world.right.writes().len(), usize::from(!made), "made {made}");
        world.assert_quiet().await;
    }
}

#[tokio::test]
async fn s13_an_edit_during_an_order_survives_its_outcome() {
    let world = World::new().await;
    let l =
        world.left.put("contact", &[("email", text("v@example.org")), ("phone", text("1"))], "2020-01-01");
    world.run().await;
    let r = world.person("v@example.org");
    world.left.edit("contact", &l, "phone", text("2"), "2025-01-01");
    world.right.fault("execute", 1, Fault::Lost);
    assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
    assert_eq!(world.ledger.pairs_in(Status::Live, None, 0, 10).await.unwrap().len(), 1);
    world.right.edit("person", &r, "tel", Value::Integer(3), "2026-12-01");
    world.run().await;
    assert_eq!(world.right.value("person", &r, "tel"), Value::Integer(3));
    assert_eq!(world.left.value("contact", &l, "phone"), Value::Integer(3));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_order_that_never_left_is_not_forgotten_when_the_other_side_was_written() {
    let world = World::new().await;
    let lefts: Vec<String> = (0..5)
        .map(|n| world.left.put("contact", &[("email", text(&format!("{n}@example.org")))], "2020-01-01"))
        .collect();
    world.run().await;
    for (n, left) in lefts.iter().enumerate() {
        world.left.edit("contact", left, "phone", text("2"), "2025-01-01");
        world.right.edit(
            "person",
            &world.person(&format!("{n}@example.org")),
            "full",
            text("edited"),
            "2025-01-01",
        );
    }
    world.right.fault(
        "execute",
        1,
        Fault::Fails(entente_sync::ExchangeError::new("unauthorized", "nothing was done")),
    );
    assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
    world.run().await;
    for (n, left) in lefts.iter().enumerate() {
        assert_eq!(world.right.value("person", &world.person(&format!("{n}@example.org")), "tel"), text("2"));
        assert_eq!(world.left.value("contact", left, "name"), text("edited"));
    }
    world.assert_quiet().await;
}

/// The next create on the right is executed, and the plugin traps before it answers.
async fn trap_after_create(world: &World) -> String {
    let left =
        world.left.put("contact", &[("email", text("old@example.org")), ("name", text("Ann"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::LostByTrap);
    let before = world.right.records("person").len();
    world.run().await;
    assert_eq!(world.right.records("person").len(), before + 1);
    left
}

#[tokio::test]
async fn a_create_without_an_answer_is_recognised_by_what_was_sent() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    world.right.character.can_find = false;
    let left = trap_after_create(&world).await;
    world.left.edit("contact", &left, "email", text("new@example.org"), "2025-01-01");
    // A new record takes over the identifier.
    world.left.put("contact", &[("email", text("old@example.org")), ("name", text("Bea"))], "2025-01-02");
    for _ in 0..3 {
        world.run_with(RunOptions::sync(Reading::Full)).await;
    }
    assert_eq!(world.right.value("person", &world.person("new@example.org"), "full"), text("Ann"));
    assert_eq!(world.right.value("person", &world.person("old@example.org"), "full"), text("Bea"));
    assert_eq!((world.right.records("person").len(), world.left.records("contact").len()), (2, 2));
    world.assert_quiet().await;
}

#[tokio::test]
async fn it_is_looked_up_by_what_was_sent() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| *word != Feature::IdempotentCreate);
    let left = world.left.put("contact", &[("email", text("old@example.org"))], "2020-01-01");
    world.right.fault("execute", 1, Fault::Lost);
    assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
    // A run for other records is told of the edit while the create's outcome is still unknown.
    world.left.edit("contact", &left, "email", text("new@example.org"), "2025-01-01");
    world.run().await;
    assert_eq!((world.right.records("person").len(), world.left.records("contact").len()), (1, 1));
    world.run().await;
    assert!(world.right.find_by("person", "mail", "new@example.org").is_some());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_create_without_an_answer_keeps_its_name_whatever_is_edited() {
    let mut world = World::new().await;
    world.right.character.can_find = false;
    world.right.character.page = 1;
    world.left.put("contact", &[("email", text("first@example.org"))], "2020-01-01");
    world.run().await;
    let left = trap_after_create(&world).await;
    // The listing lacks the record, and the order that follows from that is never sent, twice.
    world.right.shorten(true);
    for n in 0..2 {
        world.left.edit("contact", &left, "name", text(&format!("Ann {n}")), "2025-01-01");
        let down = entente_sync::ExchangeError::new("unauthorized", "nothing was done");
        world.right.fault("execute", 1, Fault::Fails(down));
        world.clock.advance(std::time::Duration::from_secs(86_400));
        let options = RunOptions::sync(Reading::Full);
        assert!(world.try_run(options).await.unwrap().error.is_some());
    }
    world.run().await;
    assert_eq!(world.right.records("person").len(), 2);
    assert_eq!(world.right.value("person", &world.person("old@example.org"), "full"), text("Ann 1"));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_update_without_an_answer_is_settled_by_the_next_report() {
    let mut world = World::new().await;
    world.right.character.features.retain(|word| ![Feature::ById, Feature::ConditionalUpdate].contains(word));
    let left =
        world.left.put("contact", &[("email", text("u@example.org")), ("name", text("Ann"))], "2020-01-01");
    world.run().await;
    let right = world.person("u@example.org");
    world.left.edit("contact", &left, "tags", Value::Texts(vec!["new".to_owned()]), "2025-01-01");
    world.right.fault("execute", 1, Fault::Lost);
    assert!(world.try_run(RunOptions::default()).await.unwrap().error.is_some());
    assert_eq!(world.right.value("person", &right, "labels"), Value::Texts(vec!["new".to_owned()]));
    // The tag reached the right side and is then removed on the left: that is an edit, not a value that the
    // left never had.
    world.left.edit("contact", &left, "tags", Value::Texts(vec![]), "2025-01-02");
    world.run().await;
    assert_eq!(world.right.value("person", &right, "labels"), Value::Texts(vec![]));
    assert_eq!(world.left.value("contact", &left, "tags"), Value::Texts(vec![]));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_answer_that_names_the_record_of_another_pair_is_held_and_blocks_nothing() {
    let mut world = World::new().await;
    world.right.character.can_find = false;
    trap_after_create(&world).await;
    // With nothing left of what was sent before it is reported, the record appears as a new one.
    let right = world.person("old@example.org");
    world.right.edit("person", &right, "mail", text("other@example.org"), "2026-01-02");
    world.right.edit("person", &right, "full", text("Bea"), "2026-01-02");
    world.clock.advance(std::time::Duration::from_secs(86_400));
    world.run_with(RunOptions::sync(Reading::Full)).await;
    world.left.put("contact", &[("email", text("next@example.org"))], "2026-01-03");
    world.run().await;
    assert!(world.right.find_by("person", "mail", "next@example.org").is_some());
    let held = world.ledger.pairs_in(Status::Held, None, 0, 10).await.unwrap();
    let reasons: Vec<Reason> = held.into_iter().filter_map(|pair| pair.reason).collect();
    let record = Some(RecordRef::new(Side::Left, "contact", &world.contact("other@example.org")));
    let became = Some(RecordRef::new(Side::Right, "person", &right));
    assert_eq!(reasons, [Reason::DuplicateOf { record, preferred: false, became }]);
    world.assert_quiet().await;
}

/// A failed create that may have been executed keeps a record that resembles it from becoming another one.
#[tokio::test]
async fn p2_a_record_that_was_renamed_before_its_failed_create_is_answered_stays_one() {
    let mut world = World::new().await;
    world.right.character.can_find = false;
    trap_after_create(&world).await;
    let right = world.person("old@example.org");
    world.right.edit("person", &right, "mail", text("other@example.org"), "2026-01-02");
    world.clock.advance(std::time::Duration::from_secs(86_400));
    world.run_with(RunOptions::sync(Reading::Full)).await;
    world.run().await;
    assert_eq!(world.left.records("contact").len(), 1);
    assert_eq!(world.left.find_by("contact", "email", "other@example.org").as_deref(), Some("L1"));
    world.assert_quiet().await;
}
