//! Shared test vectors of host and SDK, as this crate reads and writes them; `tests/vectors` documents them.

use entente_core::{Timestamp, Value};
use serde::Deserialize;
use serde_json::Value as Json;

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
    micros: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Values {
    values: Vec<Stored>,
    no_value: Vec<NoValue>,
}

#[derive(Deserialize)]
struct Stored {
    name: String,
    stored: Json,
    text: Option<String>,
}

#[derive(Deserialize)]
struct NoValue {
    name: String,
    json: Json,
}

#[test]
fn timestamps() {
    let times: Times = serde_json::from_str(include_str!("../../../tests/vectors/timestamps.json")).unwrap();
    for moment in &times.moments {
        let at = Timestamp::from_micros(moment.micros);
        assert_eq!(at.micros(), moment.micros, "{}", moment.name);
        assert_eq!(at.to_string(), moment.host, "{}", moment.name);
        for text in moment.also.iter().chain([&moment.host, &moment.sdk]) {
            assert_eq!(Timestamp::parse(text), Ok(at), "{}: {text}", moment.name);
        }
        assert_eq!(serde_json::to_value(at).unwrap(), moment.host, "{}", moment.name);
        assert_eq!(serde_json::from_value::<Timestamp>(moment.sdk.clone().into()).unwrap(), at);
    }
    for cut in &times.cut {
        assert_eq!(Timestamp::from_micros(cut.wire).micros(), cut.micros, "{}", cut.name);
    }
    for typed in &times.people {
        assert_eq!(Timestamp::parse(&typed.text).map(Timestamp::micros), Ok(typed.micros), "{}", typed.text);
    }
    for text in &times.refused {
        assert!(Timestamp::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn values() {
    let vectors: Values = serde_json::from_str(include_str!("../../../tests/vectors/values.json")).unwrap();
    for vector in &vectors.values {
        let value: Value = serde_json::from_value(vector.stored.clone()).unwrap();
        // Compared as text too, since `3` and `3.0` are two values.
        assert_eq!(serde_json::to_string(&value).unwrap(), vector.stored.to_string(), "{}", vector.name);
        if let Some(text) = &vector.text {
            assert_eq!(value.to_data(), *text, "{}", vector.name);
        }
    }
    for vector in &vectors.no_value {
        assert!(serde_json::from_value::<Value>(vector.json.clone()).is_err(), "{}", vector.name);
    }
}
