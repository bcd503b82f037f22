//! Settings of the integration, by the names in the plugin's manifest.

use crate::{Error, Value, host};

/// A setting of any kind; `None` where it is not set and has no default.
pub fn get(name: &str) -> Option<Value> {
    host::setting(name)
}

/// All settings.
pub fn all() -> Vec<(String, Value)> {
    host::settings()
}

/// A text that has to be set; `misconfigured` otherwise. An empty one counts as not set.
pub fn text(name: &str) -> Result<String, Error> {
    optional_text(name)?.ok_or_else(|| missing(name))
}

/// A text, if it is set and not empty.
pub fn optional_text(name: &str) -> Result<Option<String>, Error> {
    match host::setting(name) {
        None | Some(Value::Null | Value::Unset) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong(name, "a text")),
    }
}

/// A whole number, if it is set.
pub fn integer(name: &str) -> Result<Option<i64>, Error> {
    match host::setting(name) {
        None | Some(Value::Null | Value::Unset) => Ok(None),
        Some(value) => value.as_integer().map(Some).ok_or_else(|| wrong(name, "a whole number")),
    }
}

/// A truth value; `false` where it is not set.
pub fn boolean(name: &str) -> Result<bool, Error> {
    match host::setting(name) {
        None | Some(Value::Null | Value::Unset) => Ok(false),
        Some(value) => value.as_boolean().ok_or_else(|| wrong(name, "true or false")),
    }
}

fn missing(name: &str) -> Error {
    Error::misconfigured(format!("the setting '{name}' is missing: give it with `entente integration set`"))
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::misconfigured(format!("the setting '{name}' has to be {expected}"))
}
