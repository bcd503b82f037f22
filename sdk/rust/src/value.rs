//! Field values and references.

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::Timestamp;

/// A day of the calendar, without a time and without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

impl Date {
    /// The day, if the calendar has it.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month.into(), day.into()).map(Self)
    }

    /// Reads `2020-01-31`. Put into a [`Value`], a text that is no day is `Unreadable`, never `Null`.
    ///
    /// # Errors
    /// [`Unreadable`], with the text.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        text.trim().parse().map(Self).map_err(|_| Unreadable::new(text, "a day such as 2020-01-31"))
    }

    /// The year.
    pub fn year(self) -> i32 {
        self.0.year()
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        // Fits: chrono answers 1 to 12.
        self.0.month() as u8
    }

    /// The day, 1 to 31.
    pub fn day(self) -> u8 {
        self.0.day() as u8
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text of the remote system that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

impl Unreadable {
    /// What stands there, and what was expected, with an article.
    pub fn new(text: &str, expected: &str) -> Self {
        let shown: String = text.chars().take(100).collect();
        Self(format!("'{shown}' is not {expected}"))
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Another record of the same side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The name of its object.
    pub object: String,
    /// Its id; never empty.
    pub id: String,
}

impl Reference {
    /// The record of this object with this id.
    pub fn new(object: impl Into<String>, id: impl Into<String>) -> Self {
        Self { object: object.into(), id: id.into() }
    }
}

/// The value of a field. Null, empty text, zero, `false` and an empty list are five different values.
///
/// Most Rust types turn into one by themselves; `None` is [`Value::Null`].
///
/// ```
/// use entente_sdk::Value;
///
/// assert_eq!(Value::from("Ada"), Value::Text("Ada".into()));
/// assert_eq!(Value::from(None::<i64>), Value::Null);
/// assert_eq!(Value::from(["a", "b"].map(String::from).to_vec()), Value::Texts(vec!["a".into(), "b".into()]));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing is said about this field: not reported, or not to be written. Never stored; to clear a field,
    /// say `Null`.
    #[default]
    Unset,
    /// The field is empty (cleared).
    Null,
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction. The host refuses NaN and the infinities.
    Float(f64),
    /// Text, exactly as the remote system has it.
    Text(String),
    /// A day.
    Date(Date),
    /// A moment.
    Timestamp(Timestamp),
    /// Several texts. Where their order means nothing, sort them.
    Texts(Vec<String>),
    /// A link to another record of the same side.
    Reference(Reference),
    /// Links to several records of the same side.
    References(Vec<Reference>),
    /// The remote system has a value that cannot be read; says for a person what stands there. The record of the
    /// report is then a failed one and keeps what it had, where `Null` would clear the field on the other side.
    Unreadable(String),
    /// What no other case fits, in the one canonical text of its kind: equal values need equal texts.
    Other {
        /// `decimal`, `time`, `json`, …
        kind: String,
        /// The value.
        text: String,
    },
}

impl Value {
    /// A link to a record; null where the id is empty, since nothing has an empty id.
    pub fn reference(object: impl Into<String>, id: impl Into<String>) -> Self {
        let reference = Reference::new(object, id);
        if reference.id.is_empty() { Self::Null } else { Self::Reference(reference) }
    }

    /// Money and other exact numbers. `text` has to be canonical: always as many decimals as the field has.
    pub fn decimal(text: impl Into<String>) -> Self {
        Self::Other { kind: "decimal".to_owned(), text: text.into() }
    }

    /// What a JSON value says by itself: texts stay texts, even where they look like a date. An array of
    /// texts is [`Value::Texts`]; what has no case of its own is carried as `json`.
    pub fn from_json(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let other = |json: &Json| Self::Other { kind: "json".to_owned(), text: json.to_string() };
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Boolean(yes),
            Json::String(text) => Self::Text(text),
            Json::Number(ref number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Self::Integer(number),
                // Beyond 64 bits with a sign there is no integer, and a float would lose digits.
                (None, Some(number)) if !json.is_u64() => Self::Float(number),
                _ => other(&json),
            },
            Json::Array(ref elements) => {
                let texts: Option<Vec<String>> =
                    elements.iter().map(|element| element.as_str().map(str::to_owned)).collect();
                texts.map_or_else(|| other(&json), Self::Texts)
            }
            Json::Object(_) => other(&json),
        }
    }

    /// The form that most JSON interfaces take: moments as RFC 3339, days as `2020-01-31`, links as the bare
    /// id. `None` for [`Value::Unset`] (and what cannot be read): leave the member out.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        use serde_json::Value as Json;
        Some(match self {
            Self::Unset | Self::Unreadable(_) => return None,
            Self::Null => Json::Null,
            Self::Boolean(yes) => Json::from(*yes),
            Self::Integer(number) => Json::from(*number),
            Self::Float(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Date(day) => Json::from(day.to_string()),
            Self::Timestamp(moment) => Json::from(moment.to_string()),
            Self::Texts(texts) => Json::from(texts.as_slice()),
            Self::Reference(reference) => Json::from(reference.id.as_str()),
            Self::References(references) => {
                references.iter().map(|reference| reference.id.as_str()).collect()
            }
            Self::Other { kind, text } if kind == "json" => {
                serde_json::from_str(text).unwrap_or_else(|_| Json::from(text.as_str()))
            }
            Self::Other { text, .. } => Json::from(text.as_str()),
        })
    }

    /// Whether nothing is said about the field.
    pub fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }

    /// Whether the field is cleared.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The truth value, if it is one.
    pub fn as_boolean(&self) -> Option<bool> {
        if let Self::Boolean(yes) = self { Some(*yes) } else { None }
    }

    /// The linked record, if it is one.
    pub fn as_reference(&self) -> Option<&Reference> {
        if let Self::Reference(reference) = self { Some(reference) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What cannot be read stays what it is: it is not nothing.
impl<T: Into<Value>> From<Result<T, Unreadable>> for Value {
    fn from(value: Result<T, Unreadable>) -> Self {
        value.map_or_else(|unreadable| Self::Unreadable(unreadable.0), Into::into)
    }
}

macro_rules! from {
    ($($type:ty => $case:ident),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$case(value.into())
            }
        }
    )+};
}

from! {
    bool => Boolean,
    i32 => Integer,
    u32 => Integer,
    i64 => Integer,
    f64 => Float,
    String => Text,
    Date => Date,
    Timestamp => Timestamp,
    Vec<String> => Texts,
    Reference => Reference,
    Vec<Reference> => References,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_there_and_back() {
        for json in [
            json!(null),
            json!(true),
            json!(0),
            json!(-1.5),
            json!(""),
            json!("2020-01-01"),
            json!([]),
            json!(["b", "a"]),
        ] {
            assert_eq!(Value::from_json(json.clone()).to_json(), Some(json));
        }
        for json in [json!({"a": 1}), json!([1, 2]), json!(u64::MAX)] {
            let value = Value::from_json(json.clone());
            assert!(matches!(&value, Value::Other { kind, .. } if kind == "json"), "{value:?}");
            assert_eq!(value.to_json(), Some(json));
        }
    }

    #[test]
    fn what_json_has_no_case_for() {
        assert_eq!(Value::Unset.to_json(), None);
        assert_eq!(Value::reference("company", "12").to_json(), Some(json!("12")));
        assert_eq!(Value::from(Date::parse("2020-02-29")).to_json(), Some(json!("2020-02-29")));
        assert_eq!(Value::decimal("12.50").to_json(), Some(json!("12.50")));
    }

    #[test]
    fn a8_what_cannot_be_read_is_not_null() {
        let days = |text: Option<&str>| Value::from(text.map(Date::parse));
        assert_eq!(days(None), Value::Null);
        assert_eq!(
            days(Some("2021-02-30")),
            Value::Unreadable("'2021-02-30' is not a day such as 2020-01-31".into())
        );
        assert!(matches!(Value::from(Timestamp::parse("soon")), Value::Unreadable(_)));
        assert_eq!(days(Some("?")).to_json(), None);
    }

    #[test]
    fn nothing_has_an_empty_id_and_no_february_30_days() {
        assert_eq!(Value::reference("company", ""), Value::Null);
        assert_eq!(Date::new(2021, 2, 29), None);
    }
}
