//! The sides of a sync as they describe themselves: the hub, and an integration.

use entente_sync::{Description, Feature, Field, Object, ProposedDirection, ProposedField, ProposedMapping};
use std::collections::BTreeMap;

fn field(name: &str, kind: &str) -> Field {
    Field {
        name: name.into(),
        label: name.into(),
        kind: kind.into(),
        writable: true,
        set_like: kind == "choices",
        ..Field::default()
    }
}

fn object(name: &str, fields: Vec<Field>) -> Object {
    let features = ["create", "update", "delete"].map(Feature::from).into();
    Object { name: name.into(), label: name.into(), fields, features, ..Object::default() }
}

fn linked(name: &str, to: &str) -> Field {
    Field { targets: vec![to.into()], ..field(name, "reference") }
}

/// What each side has.
pub fn descriptions() -> BTreeMap<String, Description> {
    let status = Field {
        choices: vec![("new".into(), "New".into()), ("won".into(), "Won".into())],
        ..field("status", "choice")
    };
    let contact = vec![
        field("email", "email"),
        field("name", "text"),
        field("phone", "phone"),
        field("score", "integer"),
        field("active", "boolean"),
        field("born", "date"),
        field("seen", "timestamp"),
        field("price", "decimal"),
        status,
        linked("company", "company"),
        field("tags", "choices"),
        Field { writable: false, ..field("created", "timestamp") },
    ];
    let hub = vec![
        object("contact", contact),
        object("company", vec![field("name", "text"), field("city", "text")]),
    ];
    let person = vec![
        Field { required: true, identifier: true, ..field("email", "email") },
        field("full_name", "text"),
        field("mobile", "phone"),
        field("points", "float"),
        field("state", "choice"),
        linked("organisation", "organisation"),
        field("labels", "texts"),
        Field { writable: false, ..field("made", "timestamp") },
    ];
    let remote = vec![object("person", person), object("organisation", vec![field("title", "text")])];
    [("hub", &hub), ("HelloWorld", &remote), ("Other", &remote)]
        .map(|(name, objects)| {
            (name.to_owned(), Description { objects: objects.clone(), ..Description::default() })
        })
        .into()
}

/// What the integration proposes.
pub fn manuals() -> BTreeMap<String, Vec<ProposedMapping>> {
    let pair = |hub: &str, remote: &str| ProposedField {
        hub: hub.into(),
        remote: remote.into(),
        direction: ProposedDirection::Both,
        required: false,
    };
    let person = ProposedMapping {
        hub: "contact".into(),
        remote: "person".into(),
        fields: vec![pair("email", "email"), pair("name", "full_name"), pair("company", "organisation")],
        identifiers: vec!["email".into()],
        identify_by_all: false,
    };
    let company = ProposedMapping {
        hub: "company".into(),
        remote: "organisation".into(),
        fields: vec![pair("name", "title")],
        identifiers: vec!["name".into()],
        identify_by_all: false,
    };
    [("HelloWorld".to_owned(), vec![person, company])].into()
}
