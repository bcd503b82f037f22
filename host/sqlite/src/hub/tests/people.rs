//! Record calls for operators.

use super::*;
use crate::hub::people::{ListQuery, Origin};
use crate::hub::{FieldDefinition, HubError};
use entente_core::Kind;

#[tokio::test]
async fn each_field_has_its_own_time_and_origin() {
    let hub = hub();
    let id = hub
        .create("contact", &values(&[("email", Value::text("a@example.org")), ("city", Value::text("Rome"))]))
        .await
        .unwrap()
        .id;
    let mut update = change(Action::Update(id.clone()), vec![text("Oslo"), text("1")]);
    update.times = vec![certain(40), None];
    execute(&hub, &order("mailing", &["city", "phone"], vec![update])).await;
    let record = hub
        .set(
            "contact",
            &id,
            &values(&[("email", Value::text("a@example.org")), ("points", Value::Integer(0))]),
        )
        .await
        .unwrap();
    let field = |name: &str| record.fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(
        (field("email").time, field("email").origin.clone()),
        (certain(1), Some(Origin::Operator)),
        "the same value again is no change"
    );
    assert_eq!(
        (field("city").time, field("city").origin.clone()),
        (certain(40), Some(Origin::Sync { name: "mailing".into(), run: 7 }))
    );
    assert_eq!(field("phone").time, Some(FieldTime::by(at(500))));
    assert_eq!((field("points").time, field("points").origin.clone()), (certain(2), Some(Origin::Operator)));
    assert_eq!((field("tags").time, field("tags").origin.clone()), (None, None));
    assert_eq!(record.changed, at(500));
    assert_eq!(hub.get("contact", &id).await.unwrap(), record);
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["fields"][0]["name"], "first_name");
}

#[tokio::test]
async fn what_cannot_be_says_what_and_why() {
    let hub = hub();
    let id = contact(&hub, "a@example.org").await;
    let cases: Vec<(&str, &str, Value, &str)> = vec![
        ("deal", "x", Value::Null, "the hub has no object 'deal'; it has contact, company"),
        ("company", "points", Value::Null, "company has no field 'points'; it has name, email"),
        (
            "contact",
            "points",
            Value::text("1"),
            "new contact: points: a text is no value of a field of kind integer",
        ),
        (
            "contact",
            "company",
            Value::reference("company", "4").unwrap(),
            "new contact: company: there is no company 4 to refer to",
        ),
    ];
    for (object, field, value, expected) in cases {
        let error = hub.create(object, &values(&[(field, value)])).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    hub.delete("contact", &id).await.unwrap();
    for error in [
        hub.delete("contact", &id).await.unwrap_err(),
        hub.get("contact", &id).await.unwrap_err(),
        hub.set("contact", &id, &[]).await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "there is no contact 1; it was deleted");
    }
    assert!(matches!(hub.get("company", "x").await, Err(HubError::NoRecord { deleted: false, .. })));
}

#[tokio::test]
async fn a_required_field_is_there_and_stays() {
    let hub = hub();
    let mut number = FieldDefinition::new("number", "Number", Kind::Text);
    number.required = true;
    hub.define_field("contact", &number).await.unwrap();
    assert!(matches!(hub.create("contact", &[]).await, Err(HubError::Refused { .. })));
    assert!(hub.create("contact", &values(&[("number", Value::text(""))])).await.is_err());
    let id = hub.create("contact", &values(&[("number", Value::text("0"))])).await.unwrap().id;
    assert!(hub.set("contact", &id, &values(&[("number", Value::Null)])).await.is_err());
    let outcomes =
        execute(&hub, &order("mine", &["city"], vec![change(Action::Create, vec![text("Oslo")])])).await;
    assert!(
        matches!(&outcomes[0], Outcome::Failed { code, fields, .. } if code == "required" && fields == &["number"]),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn lists_by_page_filter_and_search() {
    let hub = hub();
    for n in 0..2500 {
        let tags = Value::Texts(if n % 1000 == 7 { vec!["vip".into()] } else { vec![] });
        let city = if n % 2 == 0 { "Oslo" } else { "ΑΘΉΝΑ" };
        hub.create(
            "contact",
            &values(&[
                ("email", Value::text(format!("p{n}@example.org"))),
                ("city", Value::text(city)),
                ("tags", tags),
            ]),
        )
        .await
        .unwrap();
    }
    let query = |filter: &[(&str, Value)], search: Option<&str>, limit| ListQuery {
        filter: values(filter),
        search: search.map(str::to_owned),
        after: None,
        limit,
    };
    let mut all = query(&[], None, 999);
    let mut seen = 0;
    loop {
        let list = hub.list("contact", &all).await.unwrap();
        seen += list.records.len();
        let Some(next) = list.next else { break };
        all.after = Some(next);
    }
    assert_eq!(seen, 2500);
    assert_eq!(hub.list("contact", &ListQuery::default()).await.unwrap().records.len(), 100);
    assert_eq!(hub.count("contact", &ListQuery::default()).await.unwrap(), 2500);
    assert_eq!(hub.count("contact", &query(&[("city", Value::text("Oslo"))], None, 0)).await.unwrap(), 1250);
    assert_eq!(hub.count("contact", &query(&[], Some("αθήνα"), 0)).await.unwrap(), 1250);
    let vips = hub.list("contact", &query(&[("tags", Value::text("vip"))], None, 2)).await.unwrap();
    assert_eq!(vips.records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["8", "1008"]);
    assert!(vips.next.is_some());
    let one = hub
        .list(
            "contact",
            &query(&[("email", Value::text("P12@example.org")), ("city", Value::text("Oslo"))], None, 5),
        )
        .await
        .unwrap();
    assert_eq!((one.records.len(), one.next), (1, None));
    assert_eq!(hub.count("contact", &query(&[("phone", Value::Null)], None, 0)).await.unwrap(), 2500);
    assert!(hub.list("contact", &query(&[("nonsense", Value::Null)], None, 0)).await.is_err());
}

#[tokio::test]
async fn a_search_finds_names_addresses_and_numbers_over_all_fields() {
    let hub = hub();
    let make = async |first: &str, last: &str, email: &str, phone: &str| {
        let texts = [("first_name", first), ("last_name", last), ("email", email), ("phone", phone)];
        let values: Vec<_> = texts.iter().map(|(name, text)| (*name, Value::text(*text))).collect();
        hub.create("contact", &self::values(&values)).await.unwrap().id
    };
    let wei = make("Wei", "Khan", "wei@khan.example", "+47 22 00 11 22").await;
    let jose = make("José", "Ørsted", "jo@x.example", "+45 33 00 11 22").await;
    make("Weiland", "Other", "o@x.example", "1").await;
    let found = async |search: &str| {
        let query = ListQuery { search: Some(search.to_owned()), ..ListQuery::default() };
        let list = hub.list("contact", &query).await.unwrap();
        assert_eq!(hub.count("contact", &query).await.unwrap(), list.records.len() as u64, "{search}");
        list.records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    for (search, ids) in [
        ("Wei Khan", vec![&wei]),
        ("khan WEI", vec![&wei]),
        ("jose orsted", vec![&jose]),
        ("22001122", vec![&wei]),
        ("33 00 11", vec![&jose]),
        ("wei@khan.example", vec![&wei]),
        ("khan 22001122", vec![&wei]),
        ("nobody", vec![]),
        (&"wei w k kh khan ".repeat(500), vec![&wei]),
        ("…", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(found(search).await.iter().collect::<Vec<_>>(), ids, "{search}");
    }
    assert_eq!(found("wei").await.len(), 2, "a word is begun");
    // What changes is found by what it is now, and what is gone is not.
    hub.set("contact", &wei, &values(&[("last_name", Value::text("Lund"))])).await.unwrap();
    assert_eq!(found("wei lund").await, std::slice::from_ref(&wei));
    assert_eq!(found("wei").await.len(), 2);
    assert_eq!(
        hub.list("contact", &ListQuery { search: Some("Khan".into()), ..ListQuery::default() })
            .await
            .unwrap()
            .records
            .len(),
        1,
        "by its address"
    );
    hub.delete("contact", &jose).await.unwrap();
    assert_eq!(found("jose").await, Vec::<String>::new());
    // By the page.
    let first = ListQuery { search: Some("example".into()), limit: 1, ..ListQuery::default() };
    let page = hub.list("contact", &first).await.unwrap();
    let rest = hub.list("contact", &ListQuery { after: page.next.clone(), limit: 5, ..first }).await.unwrap();
    assert_eq!((page.records.len(), rest.records.len(), rest.next), (1, 1, None));
}
