//! Order execution.

use super::*;
use crate::hub::people::Origin;
use crate::store::{StoreError, StoreUnit};
use entente_sync::{
    Braked, Change, Conflict, Description, LedgerError, MappingId, Pair, PairId, Progress, Reason, Requeue,
    Run, RunId, Side, StandingTrust, StateWrites, Unit,
};
use std::any::Any;

#[tokio::test]
async fn a_created_record_answers_with_what_is_stored() {
    let hub = hub();
    let mut create = change(
        Action::Create,
        vec![text("Ada@Example.org"), None, Some(Value::Integer(3)), Some(Value::Null)],
    );
    create.times = vec![certain(100), None, None, certain(50)];
    let outcomes =
        execute(&hub, &order("mine", &["email", "first_name", "points", "phone"], vec![create])).await;
    let Outcome::Created(written) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(
        written.values,
        [text("Ada@Example.org"), Some(Value::Null), Some(Value::Integer(3)), Some(Value::Null)]
    );
    assert_eq!(written.changed, Some(at(500)), "the newest field, which has the time of the order");
    let record = hub.get("contact", &written.id).await.unwrap();
    let field = |name: &str| record.fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(field("email").time, certain(100));
    assert_eq!(field("points").time, Some(FieldTime::by(at(500))));
    assert_eq!(field("points").origin, Some(Origin::Sync { name: "mine".into(), run: 7 }));
    assert_eq!(
        (field("phone").time, field("first_name").time),
        (None, None),
        "blanks of a new record have no history"
    );
}

#[tokio::test]
async fn one_change_that_fails_does_not_stop_the_others() {
    let hub = hub();
    let cases: Vec<(Vec<Option<Value>>, &str, &str)> = vec![
        (vec![Some(Value::Integer(1)), None, None, None], "invalid-value", "email"),
        (vec![None, text("three"), None, None], "invalid-value", "points"),
        (
            vec![None, None, Some(Value::reference("company", "99").unwrap()), None],
            "invalid-value",
            "company",
        ),
        (vec![None, None, Some(Value::reference("contact", "1").unwrap()), None], "invalid-value", "company"),
        (vec![None, None, None, text("x")], "unsupported", "nonsense"),
        (vec![text(&"x".repeat(70_000)), None, None, None], "too-large", "email"),
    ];
    let mut changes: Vec<OrderedChange> =
        cases.iter().map(|(values, _, _)| change(Action::Create, values.clone())).collect();
    changes.push(change(Action::Create, vec![text("ok@example.org"), Some(Value::Integer(0)), None, None]));
    let outcomes = execute(&hub, &order("mine", &["email", "points", "company", "nonsense"], changes)).await;
    for ((_, code, field), outcome) in cases.iter().zip(&outcomes) {
        let Outcome::Failed { code: got, fields, reason } = outcome else { panic!("{outcome:?}") };
        assert_eq!((got.as_str(), fields.as_slice()), (*code, [(*field).to_owned()].as_slice()), "{reason}");
    }
    assert!(matches!(outcomes.last(), Some(Outcome::Created(_))));
    assert_eq!(hub.count("contact", &Default::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_field_that_has_changed_meanwhile_makes_the_change_stale() {
    let hub = hub();
    let id = hub
        .create("contact", &values(&[("first_name", Value::text("Ada")), ("city", Value::text("London"))]))
        .await
        .unwrap()
        .id;
    let update = |first: (&str, &str), city: Option<(&str, &str)>| {
        let mut update =
            change(Action::Update(id.clone()), vec![text(first.0), city.and_then(|city| text(city.0))]);
        update.base = vec![text(first.1), city.map_or_else(|| text("elsewhere"), |city| text(city.1))];
        order("mine", &["first_name", "city"], vec![update])
    };
    // The stored value already equals the new one, so its base does not matter.
    let outcomes = execute(&hub, &update(("Ada", "A."), Some(("Paris", "London")))).await;
    assert!(matches!(&outcomes[0], Outcome::Updated(_)), "{outcomes:?}");
    // The base of a field that is not written does not matter.
    let outcomes = execute(&hub, &update(("Ada L.", "Ada"), None)).await;
    assert!(matches!(&outcomes[0], Outcome::Updated(_)), "{outcomes:?}");
    let outcomes = execute(&hub, &update(("Augusta", "Ada L."), Some(("Rome", "London")))).await;
    let Outcome::Stale(row) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(row.values, [text("Ada L."), text("Paris")], "nothing of it was written");
    assert_eq!(row.times.len(), 2);
    let outcomes = execute(&hub, &update(("Ada L.", "Ada L."), Some(("Paris", "Paris")))).await;
    assert!(matches!(&outcomes[0], Outcome::Unchanged(_)), "{outcomes:?}");
    // Without a base value the write is unconditional.
    let blind = order("mine", &["city"], vec![change(Action::Update(id.clone()), vec![text("Oslo")])]);
    assert!(matches!(&execute(&hub, &blind).await[0], Outcome::Updated(_)));
}

#[tokio::test]
async fn null_empty_zero_and_false_are_different_also_for_conditions() {
    let hub = hub();
    let id = contact(&hub, "a@example.org").await;
    let awkward = awkward_texts();
    let mut before = Value::Null;
    for now in awkward.iter().map(Value::text).chain([Value::Null]) {
        let mut update = change(Action::Update(id.clone()), vec![Some(now.clone())]);
        update.base = vec![Some(if before == Value::text("") { Value::Null } else { Value::text("") })];
        if update.base[0].as_ref() != Some(&now) && update.base[0].as_ref() != Some(&before) {
            let outcomes = execute(&hub, &order("mine", &["address"], vec![update.clone()])).await;
            assert!(
                matches!(&outcomes[0], Outcome::Stale(row) if row.values[0].as_ref() == Some(&before)),
                "{now:?}: {outcomes:?}"
            );
        }
        update.base = vec![Some(before.clone())];
        let outcomes = execute(&hub, &order("mine", &["address"], vec![update])).await;
        assert!(
            matches!(&outcomes[0], Outcome::Updated(written) if written.values[0].as_ref() == Some(&now)),
            "{outcomes:?}"
        );
        before = now;
    }
}

#[tokio::test]
async fn values_of_every_kind_are_stored_as_they_are() {
    use crate::hub::FieldDefinition;
    use entente_core::Kind;
    let hub = hub();
    let company = hub.create("company", &values(&[("name", Value::text("ACME"))])).await.unwrap().id;
    let link = entente_core::Reference { object: "company".into(), id: company };
    let other = |kind: &str, text: &str| Value::Other { kind: kind.into(), text: text.into() };
    let cases = [
        (Kind::Boolean, Value::Boolean(false)),
        (Kind::Integer, Value::Integer(9_007_199_254_740_993)),
        (Kind::Integer, Value::Integer(0)),
        (Kind::Float, Value::Float(0.0)),
        (Kind::Float, Value::Float(0.1 + 0.2)),
        (Kind::Date, Value::date(1901, 12, 31).unwrap()),
        (Kind::Timestamp, Value::Timestamp(at(-1))),
        (Kind::Timestamp, Value::Timestamp(at(4_000_000_000_000_001))),
        (Kind::Texts, Value::Texts(vec![])),
        (Kind::Texts, Value::Texts(vec![String::new(), "a".into()])),
        (Kind::Reference, Value::Reference(link.clone())),
        (Kind::References, Value::References(vec![link.clone(), link])),
        (Kind::References, Value::References(vec![])),
        (Kind::Decimal, other("decimal", "12.50")),
        (Kind::Time, other("time", "18:00:00")),
        (Kind::Json, other("json", "{\"a\":1}")),
    ];
    for (n, (kind, value)) in cases.into_iter().enumerate() {
        let name = format!("x{n}");
        let mut field = FieldDefinition::new(&name, "X", kind);
        if field.kind.is_link() {
            field.targets = vec!["company".into()];
        }
        hub.define_field("contact", &field).await.unwrap();
        let outcomes =
            execute(&hub, &order("mine", &[&name], vec![change(Action::Create, vec![Some(value.clone())])]))
                .await;
        let Outcome::Created(written) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(written.values, [Some(value.clone())]);
        assert_eq!(hub.get("contact", &written.id).await.unwrap().value(&name), Some(&value));
    }
    // An integer is accepted in a field of floats.
    let outcomes =
        execute(&hub, &order("mine", &["x3"], vec![change(Action::Create, vec![Some(Value::Integer(2))])]))
            .await;
    assert!(
        matches!(&outcomes[0], Outcome::Created(written) if written.values == [Some(Value::Float(2.0))]),
        "{outcomes:?}"
    );
    let outcomes = execute(
        &hub,
        &order(
            "mine",
            &["x3"],
            vec![change(Action::Create, vec![Some(Value::Integer(9_007_199_254_740_993))])],
        ),
    )
    .await;
    assert!(matches!(&outcomes[0], Outcome::Failed { .. }), "{outcomes:?}");
}

#[tokio::test]
async fn what_is_gone_is_deleted_and_its_id_never_comes_again() {
    let hub = hub();
    let id = contact(&hub, "a@example.org").await;
    let mut delete = change(Action::Delete(id.clone()), vec![]);
    delete.base = vec![text("b@example.org")];
    let outcomes = execute(&hub, &order("mine", &["email"], vec![delete.clone()])).await;
    assert!(matches!(&outcomes[0], Outcome::Stale(_)), "edited since the decision: {outcomes:?}");
    delete.base = vec![text("a@example.org")];
    let gone = order("mine", &["email"], vec![delete]);
    assert_eq!(execute(&hub, &gone).await, [Outcome::Deleted]);
    assert_eq!(execute(&hub, &gone).await, [Outcome::Deleted]);
    for id in [id.as_str(), "999", "007", "x", "-1", "9999999999999999999999"] {
        let outcomes = execute(
            &hub,
            &order("mine", &["city"], vec![change(Action::Update(id.into()), vec![text("Oslo")])]),
        )
        .await;
        assert_eq!(outcomes, [Outcome::Deleted], "{id}");
    }
    assert_ne!(contact(&hub, "a@example.org").await, id);
}

#[tokio::test]
async fn elements_of_a_set_have_no_order() {
    let hub = hub();
    let tags = |list: &[&str]| Value::Texts(list.iter().map(|tag| (*tag).to_owned()).collect());
    let id = hub.create("contact", &values(&[("tags", tags(&["a", "b"]))])).await.unwrap().id;
    let outcomes = execute(
        &hub,
        &order("mine", &["tags"], vec![change(Action::Update(id.clone()), vec![Some(tags(&["b", "a"]))])]),
    )
    .await;
    assert!(matches!(&outcomes[0], Outcome::Unchanged(_)), "{outcomes:?}");
    let mut update = change(Action::Update(id), vec![Some(tags(&["a", "b", "c"]))]);
    update.base = vec![Some(tags(&["b", "a"]))];
    let outcomes = execute(&hub, &order("mine", &["tags"], vec![update])).await;
    assert!(matches!(&outcomes[0], Outcome::Updated(_)), "{outcomes:?}");
}

/// The unit of work of a ledger, as the hub sees it.
struct Shared(Option<StoreUnit>);

#[async_trait]
impl Unit for Shared {
    fn shared(&mut self) -> &mut dyn Any {
        self.0.as_mut().unwrap()
    }
    async fn save_pairs(&mut self, _: &mut [Pair]) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn remove_pairs(&mut self, _: &[PairId]) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn requeue(&mut self, _: MappingId, _: Requeue) -> Result<u64, LedgerError> {
        Ok(0)
    }
    async fn hold_planned(
        &mut self,
        _: RunId,
        _: MappingId,
        _: Side,
        _: Braked,
        _: &Reason,
    ) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_trust(&mut self, _: &str, _: Option<&StandingTrust>) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_schema(&mut self, _: &str, _: Side, _: &Description) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_changes(&mut self, _: &mut [Change]) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn drop_plans(&mut self, _: &[PairId], _: Timestamp) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_conflicts(
        &mut self,
        _: &[PairId],
        _: &[Conflict],
        _: Timestamp,
    ) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_progress(&mut self, _: &str, _: Side, _: &Progress) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_state(&mut self, _: &str, _: &StateWrites) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn save_run(&mut self, _: &Run) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn commit(self: Box<Self>) -> Result<(), LedgerError> {
        Ok(())
    }
    async fn commit_soon(self: Box<Self>) -> Result<(), LedgerError> {
        Ok(())
    }
}

#[tokio::test]
async fn an_order_within_a_unit_is_written_with_it_or_not_at_all() -> Result<(), StoreError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("hub.db"))?;
    let hub = Hub::new(store.clone(), Arc::new(Ticks::default()));
    let create = order("mine", &["email"], vec![change(Action::Create, vec![text("a@example.org")])]);
    let mut made = Vec::new();
    for commit in [false, true] {
        let mut unit = Shared(Some(store.begin().await?));
        let answers = hub.local().unwrap().execute_within(&mut unit, &create).await.unwrap();
        let Outcome::Created(written) = &answers[0].outcome else { panic!("{answers:?}") };
        made.push(written.id.clone());
        let unit = unit.0.take().unwrap();
        if commit {
            unit.commit()?;
        } else {
            drop(unit);
        }
        assert_eq!(hub.count("contact", &Default::default()).await.unwrap(), u64::from(commit));
    }
    // The rolled-back record never existed: its id is assigned again.
    assert_eq!(made[0], made[1]);
    let _ = hub.get("contact", &made[1]).await.unwrap();
    Ok(())
}

#[tokio::test]
async fn the_state_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let id = {
        let hub = Hub::new(Store::open(&path).unwrap(), Arc::new(Ticks::default()));
        hub.define_object("deal", "Deal").await.unwrap();
        contact(&hub, "a@example.org").await
    };
    let hub = Hub::new(Store::open(&path).unwrap(), Arc::new(Ticks::default()));
    assert_eq!(hub.get("contact", &id).await.unwrap().value("email"), Some(&Value::text("a@example.org")));
    assert!(hub.objects().await.unwrap().iter().any(|object| object.name == "deal"));
}
