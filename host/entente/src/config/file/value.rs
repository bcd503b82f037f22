//! Conversion between TOML values and record values.
//!
//! Texts, numbers, booleans, dates, date-times and lists of texts are plain TOML; every other value is a
//! table with one key, as in the JSON form: `{ ref = ["company", "12"] }`, `{ other = ["decimal", "12.50"]
//! }`. TOML has no null.

use entente_core::{Timestamp, Value};
use toml::value::Datetime;

/// The record value of a TOML value.
pub(crate) fn from_toml(value: &toml::Value) -> Result<Value, String> {
    match value {
        toml::Value::String(text) => Ok(Value::text(text)),
        toml::Value::Integer(number) => Ok(Value::Integer(*number)),
        toml::Value::Float(number) => Value::float(*number).map_err(|error| error.to_string()),
        toml::Value::Boolean(yes) => Ok(Value::Boolean(*yes)),
        toml::Value::Datetime(moment) => from_datetime(moment),
        toml::Value::Array(list) => {
            let text = |value: &toml::Value| {
                value.as_str().map(str::to_owned).ok_or_else(|| "a list holds texts only".to_owned())
            };
            list.iter().map(text).collect::<Result<_, _>>().map(Value::Texts)
        }
        toml::Value::Table(_) => {
            let json = serde_json::to_value(value).map_err(|error| error.to_string())?;
            serde_json::from_value(json).map_err(|error| error.to_string())
        }
    }
}

fn from_datetime(moment: &Datetime) -> Result<Value, String> {
    let text = moment.to_string();
    match (moment.date, moment.time) {
        (Some(_), Some(_)) => {
            Timestamp::parse(&text).map(Value::Timestamp).map_err(|error| error.to_string())
        }
        (Some(_), None) => text.parse().map(Value::Date).map_err(|_| format!("'{text}' is not a day")),
        _ => Ok(Value::Other { kind: "time".to_owned(), text }),
    }
}

/// The TOML text that [`from_toml`] reads as this value; `None` for null.
pub(crate) fn to_toml(value: &Value) -> Option<String> {
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    Some(match value {
        Value::Null => return None,
        Value::Boolean(yes) => yes.to_string(),
        Value::Integer(number) => number.to_string(),
        // Debug always writes a point or an exponent, so that it is parsed as a float again.
        Value::Float(number) => format!("{number:?}"),
        Value::Text(text) => quote(text),
        Value::Date(day) => format!("{{ date = {} }}", quote(&day.to_string())),
        Value::Timestamp(moment) => format!("{{ time = {} }}", quote(&moment.to_string())),
        Value::Texts(texts) => list(texts.iter().map(|text| quote(text)).collect()),
        Value::Reference(one) => format!("{{ ref = [{}, {}] }}", quote(&one.object), quote(&one.id)),
        Value::References(many) => {
            let links =
                many.iter().map(|one| format!("[{}, {}]", quote(&one.object), quote(&one.id))).collect();
            format!("{{ refs = {} }}", list(links))
        }
        Value::Other { kind, text } => format!("{{ other = [{}, {}] }}", quote(kind), quote(text)),
    })
}

/// A text as a TOML basic string.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A name as a TOML key: bare where possible.
pub(crate) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.to_owned() } else { quote(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter_map("finite", |n| Value::float(n).ok()),
            any::<String>().prop_map(Value::Text),
            (0i32..9999, 1u8..13, 1u8..32).prop_filter_map("a day", |(y, m, d)| Value::date(y, m, d).ok()),
            (0i64..4_000_000_000_000_000).prop_map(|n| Value::Timestamp(Timestamp::from_micros(n))),
            prop::collection::vec(any::<String>(), 0..4).prop_map(Value::Texts),
            ("[a-z.]{1,5}", "\\PC{1,4}")
                .prop_filter_map("a link", |(object, id)| Value::reference(object, id).ok()),
            any::<(String, String)>().prop_map(|(kind, text)| Value::Other { kind, text }),
        ]
    }

    fn read(text: &str) -> Result<Value, String> {
        let table: toml::Table = toml::from_str(&format!("x = {text}")).map_err(|error| error.to_string())?;
        from_toml(&table["x"])
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any_value()) {
            prop_assert_eq!(read(&to_toml(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn every_key_comes_back(name in any::<String>()) {
            let table: toml::Table = toml::from_str(&format!("{} = 1", key(&name))).unwrap();
            prop_assert!(table.contains_key(&name));
        }
    }

    #[test]
    fn dates_are_read_as_toml_has_them() {
        assert_eq!(read("2020-02-29"), Value::date(2020, 2, 29).map_err(|e| e.to_string()));
        assert_eq!(
            read("2020-01-01T00:00:00Z"),
            Ok(Value::Timestamp(Timestamp::parse("2020-01-01").unwrap()))
        );
        assert_eq!(
            read("2020-01-01 01:00:00+01:00"),
            Ok(Value::Timestamp(Timestamp::parse("2020-01-01").unwrap()))
        );
        assert_eq!(
            read("07:32:00"),
            Ok(Value::Other { kind: "time".to_owned(), text: "07:32:00".to_owned() })
        );
        assert!(read("nan").is_err());
        assert!(read("[1]").is_err());
    }
}
