//! Kinds of field: which can be joined, and which values they take.

use entente_core::Value;
use entente_sync::Field;

/// Kinds whose values are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    Boolean,
    Integer,
    Float,
    Text,
    Date,
    Timestamp,
    List,
    Reference,
    References,
    /// Values of `other`, by their own kind.
    Other(String),
}

/// The kinds that a custom field may have.
pub(crate) const KINDS: [&str; 18] = [
    "boolean",
    "integer",
    "float",
    "text",
    "long-text",
    "email",
    "phone",
    "url",
    "date",
    "timestamp",
    "texts",
    "choice",
    "choices",
    "reference",
    "references",
    "decimal",
    "time",
    "json",
];

/// The class of a kind. A kind that is not known is handled as text.
pub(crate) fn class(kind: &str) -> Class {
    match kind {
        "boolean" => Class::Boolean,
        "integer" => Class::Integer,
        "float" => Class::Float,
        "date" => Class::Date,
        "timestamp" => Class::Timestamp,
        "texts" | "choices" => Class::List,
        "reference" => Class::Reference,
        "references" => Class::References,
        "decimal" | "time" | "json" => Class::Other(kind.to_owned()),
        _ => Class::Text,
    }
}

/// How two kinds go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Match {
    /// Values go over as they are.
    Alike,
    /// Whole numbers and others: towards the whole ones, decimals are lost or refused.
    Numbers,
    /// Only where a table says which value stands for which.
    ByTable,
    /// Not at all.
    Not,
}

/// Whether values of two kinds can stand for each other.
pub(crate) fn compare(left: &str, right: &str) -> Match {
    let linking = |class: &Class| matches!(class, Class::Reference | Class::References);
    match (class(left), class(right)) {
        (a, b) if a == b => Match::Alike,
        (Class::Integer, Class::Float) | (Class::Float, Class::Integer) => Match::Numbers,
        (a, b) if linking(&a) || linking(&b) || a == Class::List || b == Class::List => Match::Not,
        _ => Match::ByTable,
    }
}

/// The value as the field would hold it, or why it cannot. For a list field this is the list, or an element
/// as text.
pub fn fit(value: Value, field: &Field, element: bool) -> Result<Value, String> {
    let refused = |value: &Value| Err(format!("{} is no value of the kind {}", describe(value), field.kind));
    let fitted = match (class(&field.kind), value) {
        (Class::Float, Value::Integer(number)) => Value::Float(number as f64),
        (Class::Other(kind), Value::Text(text)) => Value::Other { kind, text },
        (Class::List, value @ Value::Text(_)) if element => value,
        (class, value) => {
            let fits = match (&class, &value) {
                (Class::Boolean, Value::Boolean(_))
                | (Class::Integer, Value::Integer(_))
                | (Class::Float, Value::Float(_))
                | (Class::Text, Value::Text(_))
                | (Class::Date, Value::Date(_))
                | (Class::Timestamp, Value::Timestamp(_))
                | (Class::Reference, Value::Reference(_))
                | (Class::References, Value::References(_)) => true,
                (Class::List, Value::Texts(_)) => !element,
                (Class::Other(kind), Value::Other { kind: given, .. }) => kind == given,
                _ => false,
            };
            if !fits {
                return refused(&value);
            }
            value
        }
    };
    if !field.choices.is_empty() {
        let parts: Vec<&str> = match &fitted {
            Value::Text(text) => vec![text],
            Value::Texts(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let known = || field.choices.iter().map(|(value, _)| value.as_str());
        if let Some(unknown) =
            parts.into_iter().find(|part| !part.is_empty() && !known().any(|choice| choice == *part))
        {
            return Err(format!(
                "'{unknown}' is not one of its values; {}",
                crate::config::names::known(unknown, known())
            ));
        }
    }
    Ok(fitted)
}

fn describe(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("the text '{text}'"),
        Value::Texts(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}
