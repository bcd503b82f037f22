//! Fan-out: several syncs on one hub. A change from one remote reaches the others and is never echoed to its
//! origin.

use crate::fake::{Counter, Fake, ManualClock};
use crate::world::text;
use entente_core::Value;
use entente_sqlite::{Hub, SqliteLedger, Store, StoreError, ensure_mapping, ensure_slots};
use entente_sync::*;
use std::sync::Arc;

struct Fan {
    hub: Hub,
    remotes: [Fake; 2],
    ledger: SqliteLedger,
    definitions: [SyncDefinition; 2],
    clock: Arc<ManualClock>,
    randomness: Counter,
}

impl Fan {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-01-01 00:00:00"));
        let store = Store::in_memory().unwrap();
        let hub = Hub::new(store.clone(), Arc::clone(&clock) as Arc<dyn Clock>);
        let mut definitions = Vec::new();
        for name in ["A", "B"] {
            let fields =
                [("email", "mail", "email"), ("first_name", "full", "text"), ("phone", "tel", "phone")];
            let names: Vec<(&str, &str)> = fields.iter().map(|(left, right, _)| (*left, *right)).collect();
            let id = store
                .transact::<_, StoreError, _>(|session| {
                    let id = ensure_mapping(session, name, "contact", "person")?;
                    ensure_slots(session, id, &names)?;
                    Ok(id)
                })
                .await
                .unwrap();
            let field = |(slot, (left, right, kind)): (usize, &(&str, &str, &str))| FieldMapping {
                slot: Slot(slot),
                names: Sides::new((*left).to_owned(), (*right).to_owned()),
                kinds: Sides::by(|_| (*kind).into()),
                writable: Sides::new(true, true),
                ..FieldMapping::default()
            };
            definitions.push(SyncDefinition {
                name: name.to_owned(),
                relation: name.to_owned(),
                exchanges: Sides::new("hub".to_owned(), name.to_owned()),
                mappings: vec![ObjectMapping {
                    id,
                    objects: Sides::new("contact".to_owned(), "person".to_owned()),
                    fields: fields.iter().enumerate().map(field).collect(),
                    identifiers: vec![Slot(0)],
                    create: Sides::new(true, true),
                    ..ObjectMapping::default()
                }],
                version: 1,
                brake: Brake::default(),
            });
        }
        let remote = |name: &str| {
            Fake::new(
                name,
                &[("person", &[("mail", "email"), ("full", "text"), ("tel", "phone")])],
                Arc::clone(&clock),
            )
        };
        let remotes = [remote("A"), remote("B")];
        let definitions = definitions.try_into().unwrap();
        Self {
            hub,
            remotes,
            ledger: SqliteLedger::in_virtual_time(store),
            definitions,
            clock,
            randomness: Counter::default(),
        }
    }

    async fn run(&self, which: usize) -> Run {
        self.run_with(which, RunOptions::default()).await
    }

    async fn run_with(&self, which: usize, options: RunOptions) -> Run {
        let stop = CancellationToken::new();
        let engine = Engine {
            ledger: &self.ledger,
            exchanges: Sides::new(&self.hub, &self.remotes[which]),
            clock: self.clock.as_ref(),
            randomness: &self.randomness,
            observer: &Silent,
            stop: &stop,
            budget: &RunBudget::default(),
            holder: "test",
        };
        let end = engine.run(&self.definitions[which], options).await.unwrap();
        assert!(end.error.is_none(), "{:?}", end.error);
        end.run
    }

    fn tel(&self, which: usize) -> Value {
        let remote = &self.remotes[which];
        remote.value("person", &remote.find_by("person", "mail", "x@example.org").unwrap(), "tel")
    }
}

#[tokio::test]
async fn what_a_brought_reaches_b_and_does_not_go_back() {
    let mut fan = Fan::new().await;
    // A normalises values, so that an echo would show.
    fan.remotes[0].character.normalise = |field, value| match (field, value) {
        ("tel", Value::Text(number)) => Value::text(number.replace("0", "+49 ")),
        (_, value) => value,
    };
    fan.remotes[0].put(
        "person",
        &[("mail", text("x@example.org")), ("full", text("Xenia")), ("tel", text("1"))],
        "2020-01-01",
    );
    fan.run(0).await;
    let run = fan.run(1).await;
    assert_eq!(run.counts.right["person"].created, 1);
    assert_eq!(fan.tel(1), text("1"));
    for which in [0, 1, 0, 1] {
        fan.run(which).await;
    }
    assert_eq!(fan.remotes[0].writes(), Vec::<String>::new(), "nothing goes back to A");
    assert_eq!(fan.remotes[1].writes().len(), 1, "B was written once");
    // The other way round: B's edit reaches A, in A's form, and B is not written.
    let id = fan.remotes[1].find_by("person", "mail", "x@example.org").unwrap();
    fan.remotes[1].edit("person", &id, "tel", text("02"), "2026-06-01");
    fan.run(1).await;
    fan.run(0).await;
    assert_eq!((fan.tel(0), fan.tel(1)), (text("+49 2"), text("02")), "each side keeps its form");
    fan.remotes.iter().for_each(|remote| drop(remote.writes()));
    for which in [0, 1, 0, 1] {
        fan.run(which).await;
    }
    assert_eq!((fan.remotes[0].writes(), fan.remotes[1].writes()), (vec![], vec![]));
}

#[tokio::test]
async fn p1_a_person_that_two_syncs_make_again_is_made_once() {
    let mut fan = Fan::new().await;
    for definition in &mut fan.definitions {
        definition.mappings[0].deletes = DeletePolicy::Recreate;
    }
    let person = [("mail", text("x@example.org")), ("full", text("Xenia"))];
    fan.remotes[0].put("person", &person, "2020-01-01");
    fan.run(0).await;
    fan.run(1).await;
    let all = entente_sqlite::ListQuery { limit: 100, ..Default::default() };
    let before = fan.hub.list("contact", &all).await.unwrap().records.remove(0).id;
    fan.hub.delete("contact", &before).await.unwrap();
    fan.run(0).await;
    let made = fan.hub.list("contact", &all).await.unwrap().records.remove(0).id;
    assert_ne!(made, before);
    for which in [1, 0, 1] {
        fan.run(which).await;
    }
    let ids: Vec<String> =
        fan.hub.list("contact", &all).await.unwrap().records.into_iter().map(|record| record.id).collect();
    assert_eq!(ids, [made], "the second sync links what the first made");
    for (which, remote) in fan.remotes.iter().enumerate() {
        assert_eq!(remote.records("person").len(), 1);
        let pairs = fan.ledger.pairs(&(1..10).collect::<Vec<_>>()).await.unwrap();
        let of = |pair: &&Pair| pair.mapping == fan.definitions[which].mappings[0].id;
        assert_eq!(pairs.iter().filter(of).map(|pair| pair.status).collect::<Vec<_>>(), [Status::Ok]);
    }
}

#[tokio::test]
async fn s14_a_week_old_value_does_not_beat_yesterdays() {
    let fan = Fan::new().await;
    for remote in &fan.remotes {
        remote.put("person", &[("mail", text("x@example.org")), ("tel", text("old"))], "2020-01-01");
    }
    fan.run(0).await;
    fan.run(1).await;
    let ids = [0, 1].map(|n: usize| fan.remotes[n].find_by("person", "mail", "x@example.org").unwrap());
    fan.remotes[0].edit("person", &ids[0], "tel", text("a week ago"), "2026-06-01");
    fan.remotes[0].edit("person", &ids[0], "full", text("only A has it"), "2026-06-01");
    fan.remotes[1].edit("person", &ids[1], "tel", text("yesterday"), "2026-06-07");
    fan.clock.advance(std::time::Duration::from_secs(200 * 24 * 3600));
    for which in [0, 1, 0, 1] {
        fan.run(which).await;
    }
    assert_eq!((fan.tel(0), fan.tel(1)), (text("yesterday"), text("yesterday")));
    assert_eq!(
        fan.remotes[1].value("person", &ids[1], "full"),
        text("only A has it"),
        "where B has nothing, the old value arrives"
    );
}

#[tokio::test]
async fn k5_what_a_new_record_of_the_hub_went_without_arrives_once_it_may() {
    let mut fan = Fan::new().await;
    fan.definitions[0].mappings[0].fields[1].values = vec![(text("Xenia"), text("X"))];
    let person = [("mail", text("x@example.org")), ("full", text("nobody knows"))];
    let id = fan.remotes[0].put("person", &person, "2020-01-01");
    fan.run(0).await;
    fan.remotes[0].edit("person", &id, "full", text("X"), "2026-06-01");
    fan.run(0).await;
    let all = entente_sqlite::ListQuery { limit: 100, ..Default::default() };
    let made = fan.hub.list("contact", &all).await.unwrap().records.remove(0);
    assert_eq!(made.value("first_name"), Some(&text("Xenia")));
}

/// Each of two systems is trusted for once, and each refuses a record for good: what was settled under the trust is
/// nobody's to be trusted any more, else either value would be written over the other one for ever.
#[tokio::test]
async fn i1_two_sides_that_are_trusted_for_once_come_to_rest_while_a_record_is_refused() {
    let mut fan = Fan::new().await;
    let put = |fan: &Fan, which: usize, name: &str| {
        let mail = format!("{name}@example.org");
        let values = [("mail", text(&mail)), ("full", text(name)), ("tel", text("1"))];
        fan.remotes[which].put("person", &values, "2020-01-01")
    };
    let x = put(&fan, 0, "x");
    put(&fan, 0, "not for B");
    put(&fan, 1, "not for A");
    fan.remotes[0].character.refuses = Some("not for A");
    fan.remotes[1].character.refuses = Some("not for B");
    for which in [0, 1, 0, 1] {
        fan.run(which).await;
    }
    let other = fan.remotes[1].find_by("person", "mail", "x@example.org").unwrap();
    fan.remotes[0].edit("person", &x, "tel", text("3"), "2026-06-01");
    fan.remotes[1].edit("person", &other, "tel", text("4"), "2026-06-01");
    let next_try = || fan.clock.advance(std::time::Duration::from_secs(86_400));
    for which in [0, 1] {
        next_try();
        let trust = Some(Trust { side: Side::Right, fields: vec![] });
        fan.run_with(which, RunOptions::sync(Scope::Whole { reading: Reading::Changes, trust })).await;
    }
    for which in [0, 1] {
        next_try();
        fan.run(which).await;
        assert_eq!(fan.ledger.trust(["A", "B"][which]).await.unwrap(), None);
    }
    assert_eq!((fan.tel(0), fan.tel(1)), (text("4"), text("4")), "the one that was trusted last");
    fan.remotes.iter().for_each(|remote| drop(remote.writes()));
    for which in [0, 1, 0, 1] {
        next_try();
        let run = fan.run(which).await;
        assert_eq!(run.counts.left["contact"].updated, 0);
    }
    assert_eq!((fan.remotes[0].writes(), fan.remotes[1].writes()), (vec![], vec![]));
}
