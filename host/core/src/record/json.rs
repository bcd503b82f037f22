//! The JSON encoding of values: in the database, in `--json` output, and in what people type.
//!
//! Null, booleans, numbers, texts and lists of texts are themselves; a number with a decimal point is a
//! float. The rest are objects with one key: `{"date":"2020-01-31"}`, `{"time":"2020-01-31T10:00:00Z"}`,
//! `{"ref":["company","12"]}`, `{"refs":[["company","12"]]}`, `{"other":["decimal","12.50"]}`.

use super::{Reference, Timestamp, Value, ValueError};
use chrono::NaiveDate;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn single<S: Serializer, T: Serialize>(
            serializer: S,
            key: &str,
            value: &T,
        ) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(key, value)?;
            map.end()
        }
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Boolean(yes) => serializer.serialize_bool(*yes),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Date(day) => single(serializer, "date", &day.to_string()),
            Value::Timestamp(moment) => single(serializer, "time", &moment.to_string()),
            Value::Texts(texts) => texts.serialize(serializer),
            Value::Reference(reference) => single(serializer, "ref", &[&reference.object, &reference.id]),
            Value::References(references) => {
                let pairs: Vec<[&String; 2]> = references.iter().map(|r| [&r.object, &r.id]).collect();
                single(serializer, "refs", &pairs)
            }
            Value::Other { kind, text } => single(serializer, "other", &[kind, text]),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

fn wrong<E: de::Error>(error: impl fmt::Display) -> E {
    E::custom(error)
}

fn link<E: de::Error>([object, id]: [String; 2]) -> Result<Reference, E> {
    if object.is_empty() || id.is_empty() {
        return Err(wrong(ValueError::EmptyReference));
    }
    Ok(Reference { object, id })
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a value: null, true, a number, a text, a list of texts, or an object with one of the keys date, time, ref, refs, other",
        )
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(Value::Boolean(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Integer)
            .map_err(|_| wrong(format!("{number} is larger than a whole number may be; write it as text")))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Value::float(number).map_err(wrong)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            texts.push(text);
        }
        Ok(Value::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(wrong("an empty object is no value"));
        };
        let value = match key.as_str() {
            "date" => {
                let text: String = map.next_value()?;
                let day: NaiveDate =
                    text.parse().map_err(|_| wrong(format!("'{text}' is not a day; write 2020-01-31")))?;
                Value::Date(day)
            }
            "time" => {
                let text: String = map.next_value()?;
                Value::Timestamp(Timestamp::parse(&text).map_err(wrong)?)
            }
            "ref" => Value::Reference(link(map.next_value()?)?),
            "refs" => {
                let pairs: Vec<[String; 2]> = map.next_value()?;
                Value::References(pairs.into_iter().map(link).collect::<Result<_, _>>()?)
            }
            "other" => {
                let [kind, text]: [String; 2] = map.next_value()?;
                Value::Other { kind, text }
            }
            other => {
                return Err(wrong(format!(
                    "'{other}' is no kind of value; known are date, time, ref, refs, other"
                )));
            }
        };
        if map.next_key::<String>()?.is_some() {
            return Err(wrong("an object that stands for a value has one key"));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_value() -> impl Strategy<Value = Value> {
        let link = ("[a-z]{1,3}", "\\PC{1,4}").prop_map(|(object, id)| Reference { object, id });
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter_map("finite", |n| Value::float(n).ok()),
            any::<String>().prop_map(Value::Text),
            (-9999i32..9999, 1u8..13, 1u8..32)
                .prop_filter_map("a day", |(y, m, d)| Value::date(y, m, d).ok()),
            any::<i64>().prop_map(|n| Value::Timestamp(Timestamp::from_micros(n))),
            prop::collection::vec(any::<String>(), 0..4).prop_map(Value::Texts),
            link.clone().prop_map(Value::Reference),
            prop::collection::vec(link, 0..3).prop_map(Value::References),
            any::<(String, String)>().prop_map(|(kind, text)| Value::Other { kind, text }),
        ]
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any_value()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn the_awkward_ones_come_back() {
        let values = [
            Value::Integer(9_007_199_254_740_993),
            Value::Float(0.0),
            Value::Integer(0),
            Value::text("NULL"),
            Value::text("a\0b"),
            Value::text("👩‍👩‍👧 אב e\u{301}"),
            Value::Texts(vec![]),
            Value::References(vec![]),
        ];
        for value in values {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_stands_for_no_value_is_refused() {
        for text in [
            "{}",
            r#"{"x":1}"#,
            "[1]",
            r#"{"ref":["company",""]}"#,
            r#"{"date":"2020-02-30"}"#,
            r#"{"date":"2020-02-01","x":1}"#,
            "18446744073709551615",
        ] {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
    }
}
