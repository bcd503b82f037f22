//! Field values and references between records.

use super::Timestamp;
use crate::Foreign;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A link to a record of the same side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The object it belongs to.
    pub object: String,
    /// Its id there; never empty.
    pub id: String,
}

/// A value of a field. Null, empty text, zero, `false` and the empty list are five different values.
///
/// A field that its side does not report (unset) has no value: the `None` of an `Option<Value>`.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Value {
    /// The field is empty (cleared).
    Null,
    /// True or false.
    Boolean(bool),
    /// A signed 64-bit integer.
    Integer(i64),
    /// A finite 64-bit floating-point number; [`Value::float`] refuses NaN and the infinities.
    Float(f64),
    /// Text, exactly as its side has it.
    Text(String),
    /// A calendar day without time and zone.
    Date(NaiveDate),
    /// A moment in UTC, to the microsecond.
    Timestamp(Timestamp),
    /// An ordered list of texts.
    Texts(Vec<String>),
    /// A reference to another record.
    Reference(Reference),
    /// An ordered list of references.
    References(Vec<Reference>),
    /// A value of any other kind, compared as text: `decimal`, `time`, `json`.
    Other {
        /// The word of its kind.
        kind: String,
        /// Its canonical text.
        text: String,
    },
}

impl Eq for Value {}

/// Why a value cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A floating-point number is NaN or infinite.
    #[error("a number must be finite")]
    NotFinite,
    /// A reference has no object or no id.
    #[error("a reference needs an object and an id that are not empty")]
    EmptyReference,
    /// Year, month and day do not name a day of the calendar.
    #[error("{year}-{month:02}-{day:02} is not a day of the calendar")]
    NoSuchDay {
        /// The year given.
        year: i32,
        /// The month given.
        month: u8,
        /// The day given.
        day: u8,
    },
    /// A JSON text encodes no value.
    #[error("{0}")]
    Json(String),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into())
    }

    /// A finite floating-point value. Minus zero becomes zero, so that equal numbers have one representation.
    ///
    /// # Errors
    /// [`ValueError::NotFinite`] for NaN and the infinities.
    pub fn float(number: f64) -> Result<Self, ValueError> {
        if number.is_finite() { Ok(Value::Float(number + 0.0)) } else { Err(ValueError::NotFinite) }
    }

    /// A reference to a record.
    ///
    /// # Errors
    /// [`ValueError::EmptyReference`] where object or id are empty.
    pub fn reference(object: impl Into<String>, id: impl Into<String>) -> Result<Self, ValueError> {
        let reference = Reference { object: object.into(), id: id.into() };
        if reference.object.is_empty() || reference.id.is_empty() {
            return Err(ValueError::EmptyReference);
        }
        Ok(Value::Reference(reference))
    }

    /// A calendar day.
    ///
    /// # Errors
    /// [`ValueError::NoSuchDay`] where the calendar has no such day.
    pub fn date(year: i32, month: u8, day: u8) -> Result<Self, ValueError> {
        NaiveDate::from_ymd_opt(year, month.into(), day.into())
            .map(Value::Date)
            .ok_or(ValueError::NoSuchDay { year, month, day })
    }

    /// Whether the value is blank, so that the policies for blanks apply: null, empty text or an empty list.
    /// Zero and `false` are not blank.
    pub fn is_blank(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::Texts(texts) => texts.is_empty(),
            Value::References(references) => references.is_empty(),
            _ => false,
        }
    }

    /// Its text as data: what is exported, searched and compared. The text for people is its [`Display`](fmt::Display).
    pub fn to_data(&self) -> String {
        let joined = |references: &[Reference]| {
            references.iter().map(Reference::to_data).collect::<Vec<_>>().join(", ")
        };
        match self {
            Value::Text(text) | Value::Other { text, .. } => text.clone(),
            Value::Texts(texts) => texts.join(", "),
            Value::Reference(_) | Value::References(_) => joined(self.references()),
            Value::Null
            | Value::Boolean(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Date(_)
            | Value::Timestamp(_) => self.to_string(),
        }
    }

    /// The references in the value: one, several, or none for other kinds.
    pub fn references(&self) -> &[Reference] {
        match self {
            Value::Reference(reference) => std::slice::from_ref(reference),
            Value::References(references) => references,
            _ => &[],
        }
    }
}

impl Reference {
    /// `object:id`, as data.
    pub fn to_data(&self) -> String {
        format!("{}:{}", self.object, self.id)
    }
}

impl fmt::Display for Reference {
    /// `object:id` for people, as [`Foreign`] is displayed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Foreign::new(&self.object), Foreign::new(&self.id))
    }
}

impl fmt::Display for Value {
    /// Text for people, as [`Foreign`] is displayed: list elements are joined by commas, null is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Boolean(yes) => write!(f, "{yes}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Text(text) | Value::Other { text, .. } => write!(f, "{}", Foreign::new(text)),
            Value::Date(day) => write!(f, "{day}"),
            Value::Timestamp(moment) => write!(f, "{moment}"),
            Value::Texts(texts) => write!(f, "{}", Foreign::new(texts.join(", "))),
            Value::Reference(reference) => write!(f, "{reference}"),
            Value::References(references) => {
                for (n, reference) in references.iter().enumerate() {
                    if n > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{reference}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_is_null_empty_text_or_empty_list_and_nothing_else() {
        let blank = [Value::Null, Value::text(""), Value::Texts(vec![]), Value::References(vec![])];
        let full = [
            Value::Integer(0),
            Value::Float(0.0),
            Value::Boolean(false),
            Value::text(" "),
            Value::text("0"),
            Value::text("NULL"),
        ];
        assert!(blank.iter().all(Value::is_blank));
        assert!(!full.iter().any(Value::is_blank));
        for (n, a) in blank.iter().chain(&full).enumerate() {
            for (m, b) in blank.iter().chain(&full).enumerate() {
                assert_eq!(a == b, n == m, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(Value::float(f64::NAN), Err(ValueError::NotFinite));
        assert_eq!(Value::float(-0.0), Ok(Value::Float(0.0)));
        assert!(Value::reference("company", "").is_err());
        assert!(Value::date(2021, 2, 29).is_err());
        assert!(Value::date(2020, 2, 29).is_ok());
    }
}
