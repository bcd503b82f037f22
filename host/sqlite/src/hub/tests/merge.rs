//! Merging two records of the hub, and how syncs read that.

use super::*;
use crate::hub::{HubError, Merge};
use entente_core::Reference;
use entente_sync::Conversion;

const ADDRESS: &[&str] = &["address", "city", "region", "country"];

async fn make(hub: &Hub, object: &str, fields: &[(&str, Value)]) -> String {
    hub.create(object, &values(fields)).await.unwrap().id
}

async fn merge(hub: &Hub, winner: &str, loser: &str, dry: bool) -> Merge {
    hub.merge("contact", winner, loser, &[ADDRESS], dry).await.unwrap()
}

fn taken(merge: &Merge) -> Vec<(&str, Value)> {
    merge.taken.iter().map(|taken| (taken.field.as_str(), taken.value.clone())).collect()
}

fn tags(tags: &[&str]) -> Value {
    Value::Texts(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

fn reference(object: &str, id: &str) -> Reference {
    Reference { object: object.to_owned(), id: id.to_owned() }
}

#[tokio::test]
async fn the_one_that_remains_takes_over_what_it_lacks() {
    let hub = hub();
    let text = Value::text;
    let own = [("email", text("a@x.example")), ("city", text("Oslo")), ("tags", tags(&["a", "b"]))];
    let winner = make(&hub, "contact", &own).await;
    let other = [
        ("email", text("b@x.example")),
        ("phone", text("+46 1")),
        ("region", text("Norr")),
        ("tags", tags(&["c", "b"])),
    ];
    let loser = make(&hub, "contact", &other).await;
    let before = hub.get("contact", &winner).await.unwrap();
    let would = merge(&hub, &winner, &loser, true).await;
    assert_eq!(hub.get("contact", &winner).await.unwrap(), before, "only told");
    // The region is part of another address.
    assert_eq!(taken(&would), [("phone", text("+46 1")), ("tags", tags(&["a", "b", "c"]))]);
    assert_eq!(merge(&hub, &winner, &loser, false).await, would);
    let after = hub.get("contact", &winner).await.unwrap();
    assert_eq!(after.value("email"), Some(&text("a@x.example")), "it keeps its own");
    assert_eq!(after.value("phone"), Some(&text("+46 1")));
    assert_eq!(after.value("region"), Some(&Value::Null));
    let gone = hub.get("contact", &loser).await.unwrap_err();
    assert!(matches!(gone, HubError::NoRecord { deleted: true, kept: true, .. }), "{gone}");
    let again = hub.merge("contact", &winner, &loser, &[], false).await.unwrap_err();
    assert!(matches!(again, HubError::NoRecord { .. }), "{again}");
    assert_eq!(hub.restore("contact", &loser).await.unwrap().value("city"), Some(&Value::Null));
    assert_eq!(deleted(&pages(&hub, request(&["email"])).await), Vec::<String>::new());
}

#[tokio::test]
async fn what_referred_to_the_one_that_is_gone_refers_to_the_other_one() {
    let hub = hub();
    let company = async |name: &str| make(&hub, "company", &[("name", Value::text(name))]).await;
    let (winner, loser) = (company("Fjord AB").await, company("Fjord").await);
    let of = |id: &str| Value::Reference(reference("company", id));
    let one = make(&hub, "contact", &[("company", of(&loser))]).await;
    let two = make(&hub, "contact", &[("company", of(&winner))]).await;
    let merged = hub.merge("company", &winner, &loser, &[], false).await.unwrap();
    assert_eq!(merged.referring, [reference("contact", &one)]);
    for id in [one, two] {
        assert_eq!(hub.get("contact", &id).await.unwrap().value("company"), Some(&of(&winner)));
    }
}

#[tokio::test]
async fn syncs_read_a_merge_and_no_deletion() {
    let hub = hub();
    let (winner, loser) = (contact(&hub, "a@x.example").await, contact(&hub, "b@x.example").await);
    let from = bookmark(&pages(&hub, request(&["email"])).await).unwrap();
    // Nothing is taken over: it is read again all the same.
    merge(&hub, &winner, &loser, false).await;
    let by_ids = asking(&["email"], |wanted| wanted.ids = vec![loser.clone(), winner.clone()]);
    let window = asking(&["email"], |wanted| wanted.window.since = Some(at(0)));
    for request in [since(&from, &["email"]), request(&["email"]), by_ids, window] {
        let pages = pages(&hub, request.clone()).await;
        assert_eq!(deleted(&pages), Vec::<String>::new(), "{request:?}");
        assert!(ids(&pages).contains(&winner), "{request:?}");
        let merged: Vec<&Conversion> = pages.iter().flat_map(|page| &page.conversions).collect();
        let [Conversion { before, after, at: Some(_) }] = merged[..] else { panic!("{merged:?}") };
        assert_eq!((before, after), (&reference("contact", &loser), &reference("contact", &winner)));
    }
    // An order that was decided before is told what the record is now; a deletion has nothing to delete.
    let update = change(Action::Update(loser.clone()), vec![text("c@x.example")]);
    let answered = execute(&hub, &order("mine", &["email"], vec![update])).await;
    assert_eq!(answered, [Outcome::Converted(reference("contact", &winner))]);
    let delete = change(Action::Delete(loser), vec![None]);
    assert_eq!(execute(&hub, &order("mine", &["email"], vec![delete])).await, [Outcome::Deleted]);
}
