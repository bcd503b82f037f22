//! Shared test vectors of host and SDK, as this crate reads and writes them; `tests/vectors` documents them.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::bindings::integration::entente::integration::data as wire;
use crate::{Batch, Date, Reference, Row, Timestamp, Value};

#[derive(Deserialize)]
struct Times {
    moments: Vec<Moment>,
    cut: Vec<Cut>,
    people: Vec<Typed>,
    refused: Vec<String>,
}

#[derive(Deserialize)]
struct Moment {
    name: String,
    micros: i64,
    host: String,
    sdk: String,
    also: Vec<String>,
}

#[derive(Deserialize)]
struct Cut {
    name: String,
    wire: i64,
    micros: i64,
}

#[derive(Deserialize)]
struct Typed {
    text: String,
}

#[derive(Deserialize)]
struct Values {
    values: Vec<Vector>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    wire: Json,
    remote: Json,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    wire: Json,
}

#[derive(Deserialize)]
struct Rows {
    fields: Vec<String>,
    rows: Vec<RowVector>,
}

#[derive(Deserialize)]
struct RowVector {
    name: String,
    wire: WireRow,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireRow {
    id: String,
    changed: Option<i64>,
    version: Option<String>,
    values: Vec<Json>,
    field_changed: Vec<Option<i64>>,
}

fn read<T: serde::de::DeserializeOwned>(json: &Json) -> T {
    serde_json::from_value(json.clone()).unwrap()
}

fn case(json: &Json) -> (&str, &Json) {
    match json.as_object() {
        Some(object) => object.iter().next().map(|(case, value)| (case.as_str(), value)).unwrap(),
        None => (json.as_str().unwrap(), &Json::Null),
    }
}

/// The value as a plugin makes it; `None` where this crate has no such value.
fn value(json: &Json) -> Option<Value> {
    let link = |(object, id): (String, String)| Reference::new(object, id);
    Some(match case(json) {
        ("unset", _) => Value::Unset,
        ("null", _) => Value::Null,
        ("boolean", yes) => Value::Boolean(read(yes)),
        ("integer", number) => Value::Integer(read(number)),
        ("float", Json::String(word)) => Value::Float(word.parse().unwrap()),
        ("float", number) => Value::Float(read(number)),
        ("text", text) => Value::Text(read(text)),
        ("date", parts) => {
            let (year, month, day) = read(parts);
            Value::Date(Date::new(year, month, day)?)
        }
        ("timestamp", micros) => Value::Timestamp(Timestamp::from_micros(read(micros))),
        ("texts", texts) => Value::Texts(read(texts)),
        ("reference", reference) => Value::Reference(link(read(reference))),
        ("references", list) => Value::References(read::<Vec<_>>(list).into_iter().map(link).collect()),
        ("other", parts) => {
            let (kind, text) = read(parts);
            Value::Other { kind, text }
        }
        (case, _) => panic!("no case {case}"),
    })
}

/// A value of the interface in the words of the vectors.
fn told(value: wire::Value) -> Json {
    use serde_json::json;
    match value {
        wire::Value::Unset => json!("unset"),
        wire::Value::Null => json!("null"),
        wire::Value::Boolean(yes) => json!({ "boolean": yes }),
        wire::Value::Integer(number) => json!({ "integer": number }),
        wire::Value::Float(number) => json!({ "float": number }),
        wire::Value::Text(text) => json!({ "text": text }),
        wire::Value::Date(day) => json!({ "date": [day.year, i32::from(day.month), i32::from(day.day)] }),
        wire::Value::Timestamp(micros) => json!({ "timestamp": micros }),
        wire::Value::Texts(texts) => json!({ "texts": texts }),
        wire::Value::Reference(link) => json!({ "reference": [link.object, link.id] }),
        wire::Value::References(links) => {
            let links: Vec<_> = links.into_iter().map(|link| [link.object, link.id]).collect();
            json!({ "references": links })
        }
        wire::Value::Other(other) => json!({ "other": [other.kind, other.text] }),
        wire::Value::Unreadable(text) => json!({ "unreadable": text }),
    }
}

#[test]
fn timestamps() {
    let times: Times = serde_json::from_str(include_str!("../../../tests/vectors/timestamps.json")).unwrap();
    for moment in &times.moments {
        let at = Timestamp::from_micros(moment.micros);
        assert_eq!(at.micros(), moment.micros, "{}", moment.name);
        assert_eq!(at.to_string(), moment.sdk, "{}", moment.name);
        for text in moment.also.iter().chain([&moment.host, &moment.sdk]) {
            assert_eq!(Timestamp::parse(text), Ok(at), "{}: {text}", moment.name);
        }
        assert_eq!(serde_json::to_value(at).unwrap(), moment.sdk, "{}", moment.name);
        assert_eq!(serde_json::from_value::<Timestamp>(moment.host.clone().into()).unwrap(), at);
    }
    for cut in &times.cut {
        assert_eq!(Timestamp::from_micros(cut.wire).micros(), cut.micros, "{}", cut.name);
    }
    let typed = times.people.iter().map(|typed| &typed.text);
    for text in times.refused.iter().chain(typed) {
        assert!(Timestamp::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn values() {
    let vectors: Values = serde_json::from_str(include_str!("../../../tests/vectors/values.json")).unwrap();
    for vector in &vectors.values {
        let value = value(&vector.wire).unwrap();
        assert_eq!(value.to_json(), Some(vector.remote.clone()), "{}", vector.name);
        let sent = wire::Value::from(value.clone());
        assert_eq!(Value::from(sent.clone()), value, "{}", vector.name);
        assert_eq!(told(sent), vector.wire, "{}", vector.name);
    }
    for vector in &vectors.refused {
        // A day that the host refuses cannot be made; the rest is for the host to refuse.
        let made = value(&vector.wire);
        assert_eq!(made.is_none(), case(&vector.wire).0 == "date", "{}", vector.name);
    }
    assert_eq!(Value::Unset.to_json(), None);
}

#[test]
fn rows() {
    let vectors: Rows = serde_json::from_str(include_str!("../../../tests/vectors/rows.json")).unwrap();
    let moment = Timestamp::from_micros;
    for RowVector { name, wire } in vectors.rows {
        let values: Vec<Value> = wire.values.iter().map(|json| value(json).unwrap()).collect();
        let times: Vec<_> = wire.field_changed.iter().map(|micros| micros.map(moment)).collect();
        let changed = wire.changed.map(moment);

        let mut plain =
            Row::new(wire.id.as_str()).values(values.clone()).times(times.clone()).changed(changed);
        plain.version.clone_from(&wire.version);
        let mut batch = Batch::new("person", vectors.fields.clone());
        let mut named = batch.row(wire.id.as_str()).changed(changed);
        for (n, (field, value)) in vectors.fields.iter().zip(&values).enumerate() {
            named = named.set_at(field, value.clone(), times.get(n).copied().flatten());
        }
        if let Some(version) = &wire.version {
            named.version(version.as_str());
        }
        assert_eq!(batch.rows[0], plain, "{name}: by names and by places");

        let sent = wire::Row::from(plain);
        assert_eq!(sent.id, wire.id, "{name}");
        // Beyond the calendar the moment is cut on this side already; the host cuts it the same way.
        assert_eq!(sent.changed, changed.map(Timestamp::micros), "{name}");
        assert_eq!(sent.version, wire.version, "{name}");
        assert_eq!(sent.values.into_iter().map(told).collect::<Vec<_>>(), wire.values, "{name}");
        let times: Vec<_> = times.into_iter().map(|time| time.map(Timestamp::micros)).collect();
        assert_eq!(sent.field_changed, times, "{name}");
    }
}
