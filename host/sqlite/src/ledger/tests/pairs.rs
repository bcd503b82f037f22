//! Pairs: saving, look-ups, unique records, keys and slots.

use super::*;

fn full(world: &World, run: RunId) -> Pair {
    let mut pair = world.pair(Some("l-\0-1"), Some("r-✓"));
    for (slot, value) in values().into_iter().enumerate() {
        pair.set_agreed(Slot(slot), both(value.clone()));
        let time =
            (slot % 3 > 0).then_some(FieldTime { at: at(slot as i64), certain: slot % 3 == 1, after: None });
        pair.half_mut(Side::BOTH[slot % 2]).set_seen(Slot(slot), Some(Seen { value, time }));
    }
    for side in Side::BOTH {
        let half = pair.half_mut(side);
        half.changed = Some(at(100));
        half.version = Some(format!("v{side}"));
        half.read = Some(run);
        half.deleted = Some(at(-5));
        half.filtered = side == Side::Left;
        half.no_match_in = (side == Side::Right).then_some(run);
    }
    pair.differing = vec![
        (Slot(1), FieldReason::Normalised { side: Side::Right }),
        (Slot(2), FieldReason::Judge(entente_core::Why::DriftKept(Side::Left))),
    ];
    pair.status = Status::Held;
    pair.reason = Some(Reason::NotThere { record: RecordRef::new(Side::Left, "contact", "12") });
    pair.attempts = 3;
    pair.due = Some(at(77));
    pair.dirty = true;
    pair.context = true;
    pair
}

#[tokio::test]
async fn a_pair_comes_back_with_every_kind_of_value() {
    let world = world().await;
    let run = world.run().await;
    let mut pairs = [full(&world, run), world.pair(None, Some("r2"))];
    world.save(&mut pairs).await;
    assert_eq!(pairs[0].id, 1);
    assert_eq!(world.ledger.pairs(&[1, 2, 2, 99]).await.unwrap(), pairs);
    assert_eq!(
        world.ledger.pairs_of(world.mapping, Side::Left, &["l-\0-1".to_owned()]).await.unwrap(),
        pairs[..1]
    );
    assert_eq!(
        world.ledger.pairs_of(world.mapping, Side::Right, &["r2".to_owned(), "no".to_owned()]).await.unwrap(),
        pairs[1..]
    );
    assert!(
        world.ledger.pairs_of(world.mapping, Side::Right, &["l-\0-1".to_owned()]).await.unwrap().is_empty()
    );

    // The same values as an update of a stored pair.
    let changed = &mut pairs[1];
    let id = changed.id;
    *changed = full(&world, run);
    changed.id = id;
    changed.halves.left.id = Some("l2".to_owned());
    changed.halves.right.id = Some("r3".to_owned());
    world.save(&mut pairs[1..]).await;
    assert_eq!(world.ledger.pairs(&[id]).await.unwrap(), pairs[1..]);
}

#[tokio::test]
async fn a_null_that_was_agreed_is_not_unknown() {
    let world = world().await;
    let mut pair = world.pair(Some("1"), None);
    pair.set_agreed(Slot(1), Agreed { left: Some(Value::Null), right: None });
    pair.set_agreed(Slot(3), both(Value::Null));
    pair.set_agreed(Slot(4), Agreed { left: None, right: None });
    let mut pairs = [pair];
    world.save(&mut pairs).await;
    let [read] = &world.ledger.pairs(&[1]).await.unwrap()[..] else { panic!() };
    assert_eq!(read.agreed, pairs[0].agreed);
    assert_eq!(read.agreed(Slot(0)), None);
    assert_eq!(read.agreed(Slot(1)).unwrap().left, Some(Value::Null));
    assert_eq!(read.agreed(Slot(1)).unwrap().right, None);
    assert_eq!(read.current(Side::Right, Slot(3)), Some(&Value::Null));
}

#[tokio::test]
async fn a_record_has_one_pair_in_a_mapping() {
    let world = world().await;
    world.save(&mut [world.pair(Some("1"), None), world.pair(None, Some("1"))]).await;
    for (left, right, said) in [
        (Some("1"), Some("2"), "pair 1 already has the left record '1'"),
        (Some("2"), Some("1"), "pair 2 already has the right record '1'"),
    ] {
        let mut unit = world.unit().await;
        let error = unit.save_pairs(&mut [world.pair(left, right)]).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(matches!(error, LedgerError::Store { doing: "save pairs", .. }));
        assert!(unit.commit().await.is_err(), "what was half done must not be committed");
    }
    let mut unit = world.unit().await;
    let error = unit.save_pairs(&mut [world.pair(Some(""), None)]).await.unwrap_err();
    assert!(error.to_string().contains("left record is empty"), "{error}");
    drop(unit);
    assert_eq!(world.rows("pair").await, 2);

    // The same records may be paired again in another mapping.
    let other = world.store.transact(|c| ensure_mapping(c, RELATION, "contact", "lead")).await.unwrap();
    let mut pair = world.pair(Some("1"), None);
    pair.mapping = other;
    world.save(&mut [pair]).await;
}

#[tokio::test]
async fn records_may_change_hands_within_one_call() {
    let world = world().await;
    let mut pairs =
        [world.pair(Some("1"), Some("a")), world.pair(Some("2"), Some("b")), world.pair(Some("3"), None)];
    world.save(&mut pairs).await;
    // Two swap their right records; the third takes the left record of the second, which gets a new one.
    pairs[0].halves.right.id = Some("b".to_owned());
    pairs[1].halves.right.id = Some("a".to_owned());
    pairs[1].halves.left.id = Some("4".to_owned());
    pairs[2].halves.left.id = Some("2".to_owned());
    world.save(&mut pairs).await;
    assert_eq!(world.ledger.pairs(&[1, 2, 3]).await.unwrap(), pairs);
}

#[tokio::test]
async fn a_pair_that_is_not_there_cannot_be_changed() {
    let world = world().await;
    let mut pair = world.pair(Some("1"), None);
    pair.id = 7;
    let error = world.unit().await.save_pairs(&mut [pair]).await.unwrap_err();
    assert!(error.to_string().contains("there is no pair 7"), "{error}");
}

#[tokio::test]
async fn a_number_is_never_given_to_another_pair() {
    let world = world().await;
    let mut pairs = [world.pair(Some("1"), None), world.pair(Some("2"), None)];
    world.save(&mut pairs).await;
    let mut unit = world.unit().await;
    unit.remove_pairs(&[1, 2, 3]).await.unwrap();
    unit.commit().await.unwrap();
    assert!(world.ledger.pairs(&[1, 2]).await.unwrap().is_empty());
    let mut again = [world.pair(Some("1"), None)];
    world.save(&mut again).await;
    assert_eq!(again[0].id, 3);
}

#[tokio::test]
async fn keys_lead_to_pairs_until_they_are_replaced() {
    let world = world().await;
    let find = async |mapping, side, keys: &[MatchKey]| {
        world.ledger.pairs_by_key(mapping, side, keys).await.unwrap()
    };
    let (ada, bob) = (key(0, "ada@x.org"), key(1, "Bob\0"));
    let mut pairs = [world.pair(Some("1"), None), world.pair(Some("2"), Some("a"))];
    pairs[0].keys = Sides::new(Some(vec![ada.clone(), bob.clone(), ada.clone()]), None);
    pairs[1].keys = Sides::new(Some(vec![ada.clone()]), Some(vec![bob.clone()]));
    world.save(&mut pairs).await;
    let all = [ada.clone(), bob.clone(), key(0, "Bob\0"), key(1, "ada@x.org"), ada.clone()];
    assert_eq!(
        find(world.mapping, Side::Left, &all).await,
        [(ada.clone(), 1), (ada.clone(), 2), (bob.clone(), 1)]
    );
    assert_eq!(find(world.mapping, Side::Right, &all).await, [(bob.clone(), 2)]);
    assert!(find(world.mapping + 1, Side::Left, &all).await.is_empty());

    // `None` leaves the keys, a list replaces them, an empty list removes them.
    pairs[0].keys = Sides::new(None, Some(vec![]));
    pairs[1].keys = Sides::new(Some(vec![bob.clone()]), Some(vec![]));
    world.save(&mut pairs).await;
    assert_eq!(
        find(world.mapping, Side::Left, &all).await,
        [(ada.clone(), 1), (bob.clone(), 1), (bob.clone(), 2)]
    );
    assert!(find(world.mapping, Side::Right, &all).await.is_empty());

    // Keys follow a pair into another mapping, and are removed with it.
    let other = world.store.transact(|c| ensure_mapping(c, RELATION, "contact", "lead")).await.unwrap();
    pairs[0].keys = Sides::new(None, None);
    pairs[0].mapping = other;
    world.save(&mut pairs[..1]).await;
    assert_eq!(find(world.mapping, Side::Left, &all).await, [(bob.clone(), 2)]);
    assert_eq!(find(other, Side::Left, &all).await, [(ada, 1), (bob, 1)]);
    assert_eq!(world.ledger.pairs_of(other, Side::Left, &["1".to_owned()]).await.unwrap().len(), 1);
    let mut unit = world.unit().await;
    unit.remove_pairs(&[1, 2]).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(world.rows("pair_key").await, 0);
}

#[tokio::test]
async fn todo_is_read_by_the_page() {
    let world = world().await;
    let (old, run) = (world.run().await, world.run().await);
    let mut pairs: Vec<Pair> =
        (0..20).map(|n| world.pair(Some(&format!("l{n}")), Some(&format!("r{n}")))).collect();
    for (n, pair) in pairs.iter_mut().enumerate() {
        pair.status = if n % 5 == 4 { Status::Ok } else { Status::Todo };
        pair.halves.left.read = Some(if n % 2 == 0 { run } else { old });
        pair.halves.right.read = (n % 3 == 0).then_some(run);
    }
    world.save(&mut pairs).await;
    let expected = |test: &dyn Fn(&Pair) -> bool| {
        pairs.iter().filter(|pair| pair.status == Status::Todo && test(pair)).cloned().collect::<Vec<_>>()
    };
    let all = async |filter: TodoFilter| {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = world.ledger.todo(&filter, after, 3).await.unwrap();
            assert!(page.len() <= 3);
            let Some(last) = page.last() else { return found };
            after = last.id;
            found.extend(page);
        }
    };
    let filter = TodoFilter { mapping: world.mapping, read_in: None, read_on_both: None };
    assert_eq!(all(filter.clone()).await, expected(&|_| true));
    let read = |pair: &Pair, side: Side| pair.half(side).read == Some(run);
    assert_eq!(
        all(TodoFilter { read_in: Some(run), ..filter.clone() }).await,
        expected(&|pair| read(pair, Side::Left) || read(pair, Side::Right))
    );
    assert_eq!(
        all(TodoFilter { read_on_both: Some(run), ..filter.clone() }).await,
        expected(&|pair| read(pair, Side::Left) && read(pair, Side::Right))
    );
    assert!(all(TodoFilter { mapping: world.mapping + 1, ..filter }).await.is_empty());
}

#[tokio::test]
async fn mappings_and_slots_keep_their_numbers() {
    let world = world().await;
    let again = world.store.transact(|c| ensure_mapping(c, RELATION, "contact", "member")).await.unwrap();
    let other = world.store.transact(|c| ensure_mapping(c, "other", "contact", "member")).await.unwrap();
    assert_eq!(again, world.mapping);
    assert_ne!(other, world.mapping);
    let slots = async |mapping, fields: &[(&str, &str)]| {
        world.store.transact(|c| ensure_slots(c, mapping, fields)).await
    };
    assert_eq!(
        slots(world.mapping, &[("phone", "tel"), ("email", "email")]).await.unwrap(),
        [Slot(2), Slot(0)]
    );
    // After `name` has left the mapping, a new field gets a slot of its own, and `name` gets its old slot
    // when it returns.
    assert_eq!(
        slots(world.mapping, &[("name", "nick"), ("name", "full_name"), ("name", "nick")]).await.unwrap(),
        [Slot(3), Slot(1), Slot(3)]
    );
    assert_eq!(slots(other, &[("name", "nick")]).await.unwrap(), [Slot(0)]);
    assert!(slots(999, &[("a", "b")]).await.is_err());
    assert!(slots(other, &[("a", "")]).await.is_err());

    let rows = world.ledger.mappings(Some(RELATION)).await.unwrap();
    assert_eq!(
        rows,
        [MappingRow {
            id: world.mapping,
            relation: RELATION.to_owned(),
            objects: Sides::new("contact".to_owned(), "member".to_owned())
        }]
    );
    assert_eq!(world.ledger.mappings(None).await.unwrap().len(), 2);
    let rows = world.ledger.slots(world.mapping).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(
        rows[1],
        SlotRow { slot: Slot(1), fields: Sides::new("name".to_owned(), "full_name".to_owned()) }
    );
}
