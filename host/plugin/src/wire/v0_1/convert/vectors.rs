//! Shared test vectors of host and SDK, as they cross the interface; `tests/vectors` documents them.

use super::super::bindings::entente::integration::data as wit;
use super::Lift;
use super::value::lower_values;
use crate::limits::Limits;
use entente_core::{FieldTime, Timestamp, Value};
use entente_sync::Row;
use serde::Deserialize;
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Values {
    values: Vec<Accepted>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Accepted {
    name: String,
    wire: Json,
    stored: Json,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    wire: Json,
    why: String,
}

#[derive(Deserialize)]
struct Rows {
    fields: Vec<String>,
    rows: Vec<AcceptedRow>,
    refused: Vec<RefusedRow>,
}

#[derive(Deserialize)]
struct AcceptedRow {
    name: String,
    wire: WireRow,
    row: HostRow,
}

#[derive(Deserialize)]
struct RefusedRow {
    name: String,
    wire: WireRow,
    why: String,
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

#[derive(Deserialize)]
struct HostRow {
    id: String,
    changed: Option<Timestamp>,
    version: Option<String>,
    values: Vec<Vec<Value>>,
    times: Vec<Option<Timestamp>>,
}

fn wire(json: &Json) -> wit::Value {
    fn read<T: serde::de::DeserializeOwned>(json: &Json) -> T {
        serde_json::from_value(json.clone()).unwrap()
    }
    let link = |(object, id): (String, String)| wit::Reference { object, id };
    let case = json.as_object().map(|object| object.iter().next().unwrap());
    match case.map(|(case, value)| (case.as_str(), value)) {
        None if json == "unset" => wit::Value::Unset,
        None if json == "null" => wit::Value::Null,
        Some(("boolean", value)) => wit::Value::Boolean(read(value)),
        Some(("integer", value)) => wit::Value::Integer(read(value)),
        Some(("float", Json::String(word))) => wit::Value::Float(word.parse().unwrap()),
        Some(("float", value)) => wit::Value::Float(read(value)),
        Some(("text", value)) => wit::Value::Text(read(value)),
        Some(("date", value)) => {
            let (year, month, day) = read(value);
            wit::Value::Date(wit::Date { year, month, day })
        }
        Some(("timestamp", value)) => wit::Value::Timestamp(read(value)),
        Some(("texts", value)) => wit::Value::Texts(read(value)),
        Some(("reference", value)) => wit::Value::Reference(link(read(value))),
        Some(("references", value)) => {
            wit::Value::References(read::<Vec<_>>(value).into_iter().map(link).collect())
        }
        Some(("other", value)) => {
            let (kind, text) = read(value);
            wit::Value::Other(wit::OtherValue { kind, text })
        }
        _ => panic!("no value of the interface: {json}"),
    }
}

fn wire_row(row: WireRow) -> wit::Row {
    wit::Row {
        id: row.id,
        changed: row.changed,
        version: row.version,
        values: row.values.iter().map(wire).collect(),
        field_changed: row.field_changed,
        extra: Vec::new(),
    }
}

/// The generated type has no equality, so its debug form is compared; minus zero is zero.
fn told(value: &wit::Value) -> String {
    match value {
        wit::Value::Float(number) => format!("{:?}", number + 0.0),
        other => format!("{other:?}"),
    }
}

#[test]
fn values() {
    let vectors: Values =
        serde_json::from_str(include_str!("../../../../../../tests/vectors/values.json")).unwrap();
    let limits = Limits::default();
    let fields = ["x".to_owned()];
    let lift = |json: &Json| Lift::new(&limits, "x").values(vec![wire(json)], &fields).unwrap();
    for vector in &vectors.values {
        let value: Value = serde_json::from_value(vector.stored.clone()).unwrap();
        assert_eq!(lift(&vector.wire), Ok(vec![Some(value.clone())]), "{}", vector.name);
        let lowered = lower_values(&[Some(value)]);
        assert_eq!(told(&lowered[0]), told(&wire(&vector.wire)), "{}", vector.name);
    }
    for vector in &vectors.refused {
        assert_eq!(lift(&vector.wire), Err(format!("field x: {}", vector.why)), "{}", vector.name);
    }
}

#[test]
fn rows() {
    let vectors: Rows =
        serde_json::from_str(include_str!("../../../../../../tests/vectors/rows.json")).unwrap();
    let limits = Limits::default();
    let certain = FieldTime::certain;
    for vector in vectors.rows {
        let expected = Row {
            id: vector.row.id,
            changed: vector.row.changed,
            version: vector.row.version,
            values: vector.row.values.into_iter().map(|said| said.into_iter().next()).collect(),
            times: vector.row.times.into_iter().map(|time| time.map(certain)).collect(),
        };
        let lifted = Lift::new(&limits, "x").row(wire_row(vector.wire), &vectors.fields).unwrap();
        assert_eq!(lifted, Ok(expected), "{}", vector.name);
    }
    for vector in vectors.refused {
        let lifted = Lift::new(&limits, "x").row(wire_row(vector.wire), &vectors.fields).unwrap();
        assert_eq!(lifted, Err(vector.why), "{}", vector.name);
    }
}
