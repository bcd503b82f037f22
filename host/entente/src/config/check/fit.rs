//! Conversion of a value to the kind of a field.

use entente_core::{Carrier, Value};
use entente_sync::Field;

/// The value as the field would hold it, or why it cannot. For a list field this is the list, or with
/// `element` one element as text.
pub fn fit(value: Value, field: &Field, element: bool) -> Result<Value, String> {
    let refused = |value: &Value| Err(format!("{} is no value of the kind {}", describe(value), field.kind));
    let fitted = match (field.kind.carrier(), value) {
        (Carrier::Float, Value::Integer(number)) => Value::Float(number as f64),
        (Carrier::Other(kind), Value::Text(text)) => Value::Other { kind: kind.to_owned(), text },
        (Carrier::Texts, value @ Value::Text(_)) if element => value,
        (Carrier::Texts, value @ Value::Texts(_)) if element => return refused(&value),
        (_, value) if field.kind.carries(&value) => value,
        (_, value) => return refused(&value),
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
