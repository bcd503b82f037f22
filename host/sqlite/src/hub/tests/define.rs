//! Custom objects and fields.

use super::*;
use crate::hub::{Definer, FieldDefinition};
use entente_core::Kind;
use entente_sync::{ChangeTimes, Feature};

fn field(name: &str, kind: Kind) -> FieldDefinition {
    FieldDefinition::new(name, "X", kind)
}

#[tokio::test]
async fn the_built_in_objects_are_described() {
    let description = hub().describe().await.unwrap();
    let contact = description.object("contact").unwrap();
    assert_eq!((contact.change_times, contact.precision), (ChangeTimes::Field, 1));
    for feature in [
        Feature::Create,
        Feature::Update,
        Feature::Delete,
        Feature::Deletions,
        Feature::FullListing,
        Feature::ConditionalUpdate,
        Feature::ById,
    ] {
        assert!(contact.features.contains(&feature), "{feature}");
    }
    let names: Vec<&str> = contact.fields.iter().map(|field| field.name.as_str()).collect();
    let expected = "first_name last_name email phone mobile company address city region country website position points owner tags";
    assert_eq!(names.join(" "), expected);
    assert!(contact.field("email").unwrap().identifier && contact.field("tags").unwrap().set_like);
    assert_eq!(contact.field("company").unwrap().targets, ["company"]);
    assert!(description.object("company").unwrap().field("name").unwrap().identifier);
}

#[tokio::test]
async fn objects_and_fields_of_ones_own() {
    let hub = hub();
    hub.define_object("deal", "Deal").await.unwrap();
    hub.define_object("deal", "Business").await.unwrap();
    let mut link = field("contact", Kind::Reference);
    link.targets = vec!["contact".into()];
    hub.define_field("deal", &link).await.unwrap();
    let id = contact(&hub, "a@example.org").await;
    let deal =
        hub.create("deal", &values(&[("contact", Value::reference("contact", id).unwrap())])).await.unwrap();
    assert_eq!(deal.object, "deal");
    let description = hub.describe().await.unwrap();
    assert_eq!(description.object("deal").unwrap().label, "Business");
}

#[tokio::test]
async fn definitions_that_cannot_be() {
    let hub = hub();
    for name in ["", "1a", "_a", "A", "a b", "ä", "id", "changed", "object", &"a".repeat(65), "a-b", "a\0"] {
        assert!(hub.define_object(name, "X").await.is_err(), "{name:?}");
        assert!(hub.define_field("contact", &field(name, Kind::Text)).await.is_err(), "{name:?}");
    }
    hub.define_object(&"a".repeat(64), "X").await.unwrap();
    let wrong: Vec<(&str, FieldDefinition)> = vec![
        ("which objects", field("x", Kind::Reference)),
        ("no object", FieldDefinition { targets: vec!["deal".into()], ..field("x", Kind::References) }),
        ("only references", FieldDefinition { targets: vec!["company".into()], ..field("x", Kind::Text) }),
        (
            "have choices",
            FieldDefinition { choices: vec![("a".into(), "A".into())], ..field("x", Kind::Text) },
        ),
        (
            "twice",
            FieldDefinition {
                choices: vec![("a".into(), "A".into()), ("a".into(), "B".into())],
                ..field("x", Kind::Choice)
            },
        ),
        ("only lists", FieldDefinition { set_like: true, ..field("x", Kind::Text) }),
        ("cannot identify", FieldDefinition { identifier: true, ..field("x", Kind::Texts) }),
        ("0 characters", FieldDefinition { max_length: Some(0), ..field("x", Kind::Text) }),
        ("cannot be changed", FieldDefinition { ..field("email", Kind::Text) }),
    ];
    for (part, definition) in wrong {
        let error = hub.define_field("contact", &definition).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(hub.define_field("deal", &field("x", Kind::Text)).await.is_err());
}

#[tokio::test]
async fn changes_that_would_lose_data_are_refused() {
    let hub = hub();
    let choice = |values: &[&str]| FieldDefinition {
        choices: values.iter().map(|value| ((*value).to_owned(), (*value).to_owned())).collect(),
        ..field("level", Kind::Choice)
    };
    hub.define_field("contact", &choice(&["gold", "tin"])).await.unwrap();
    hub.define_field("contact", &field("size", Kind::Integer)).await.unwrap();
    hub.create("contact", &values(&[("level", Value::text("gold")), ("size", Value::Integer(3))]))
        .await
        .unwrap();

    let error = hub.define_field("contact", &choice(&["tin"])).await.unwrap_err().to_string();
    assert!(error.contains("contact 1") && error.contains("'gold'"), "{error}");
    hub.define_field("contact", &choice(&["gold"])).await.unwrap();
    let short = FieldDefinition { max_length: Some(3), ..field("level", Kind::Text) };
    assert!(hub.define_field("contact", &short).await.is_err());
    hub.define_field("contact", &FieldDefinition { max_length: Some(4), ..short }).await.unwrap();
    for kind in [Kind::Text, Kind::Float, Kind::Boolean] {
        assert!(hub.define_field("contact", &field("size", kind.clone())).await.is_err(), "{kind}");
    }
    hub.set("contact", "1", &values(&[("size", Value::Null)])).await.unwrap();
    hub.define_field("contact", &field("size", Kind::Float)).await.unwrap();
}

#[tokio::test]
async fn a_field_that_becomes_an_identifier_finds_what_is_there() {
    use entente_sync::Query;
    let hub = hub();
    hub.create("contact", &values(&[("phone", Value::text("+49 30 1"))])).await.unwrap();
    let phone = FieldDefinition { identifier: true, ..FieldDefinition::new("phone", "Phone", Kind::Phone) };
    hub.define_field("contact", &phone).await.unwrap();
    let query = Query {
        object: "contact".into(),
        fields: vec!["phone".into()],
        keys: vec![vec![text("0049301")]],
        all: true,
    };
    assert_eq!(hub.find(&query).await.unwrap(), [["1"]]);
    hub.define_field("contact", &FieldDefinition { identifier: false, ..phone }).await.unwrap();
    assert!(hub.find(&query).await.is_err());
}

#[tokio::test]
async fn another_process_sees_new_definitions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let open = || Hub::new(Store::open(&path).unwrap(), Arc::new(Ticks::default()));
    let (one, two) = (open(), open());
    assert!(two.describe().await.unwrap().object("deal").is_none());
    one.define_object("deal", "Deal").await.unwrap();
    assert!(two.describe().await.unwrap().object("deal").is_some());
}

#[tokio::test]
async fn definitions_within_a_transaction_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("hub.db")).unwrap();
    let hub = Hub::new(store.clone(), Arc::new(Ticks::default()));
    let described = FieldDefinition::new("deal_size", "Size", Kind::Integer);
    for commit in [false, true] {
        let unit = store.begin().await.unwrap();
        let mut definer = Definer::begin(unit.session()).unwrap();
        definer.object("deal", "Deal").unwrap();
        definer.field("deal", &described).unwrap();
        definer.finish().unwrap();
        if commit {
            unit.commit().unwrap();
        } else {
            drop(unit);
        }
        let description = hub.describe().await.unwrap();
        let field = description.object("deal").and_then(|deal| deal.field("deal_size"));
        assert_eq!(field.is_some(), commit);
        if let Some(field) = field {
            assert_eq!(FieldDefinition::from_field(field).unwrap(), described);
        }
    }
    let unknown = entente_sync::Field { name: "x".into(), kind: "colour".into(), ..Default::default() };
    assert!(FieldDefinition::from_field(&unknown).unwrap_err().to_string().contains("no kind 'colour'"));
}

#[tokio::test]
async fn v5_a_record_is_found_by_any_form_of_its_identifier() {
    use entente_sync::Query;
    let hub = hub();
    hub.create("contact", &values(&[("email", Value::text("ren\u{e9}@b\u{fc}cher.example"))])).await.unwrap();
    for form in ["RENE\u{301}@bu\u{308}cher.example", "ren\u{e9}@xn--bcher-kva.example"] {
        let query = Query {
            object: "contact".into(),
            fields: vec!["email".into()],
            keys: vec![vec![text(form)]],
            all: true,
        };
        assert_eq!(hub.find(&query).await.unwrap(), [["1"]], "{form}");
    }
    let refused = hub.create("contact", &values(&[("email", Value::text("a\0@example.org"))])).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("email") && refused.contains("NUL"), "{refused}");
}
