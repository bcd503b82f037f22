//! Settings of a manifest: kind, default, choices and example, and the check of what an operator sets.

use super::ManifestError;
use crate::address::grant::HttpGrant;
use crate::text::clean;
use chrono::NaiveDate;
use entente_core::{Foreign, Value};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The limit of choices of a setting: an operator reads them all.
const MOST_CHOICES: usize = 100;
const MOST_VALUE: usize = 300;

/// A setting that a plugin reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingAsk {
    /// Its name.
    pub name: String,
    /// Whether the plugin requires it.
    #[serde(default)]
    pub required: bool,
    /// The kind of its value; without it, any value as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SettingKind>,
    /// The value that the plugin reads where the operator has set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<SettingValue>,
    /// The only values that it may have; empty: any of its kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<SettingValue>,
    /// A value as it looks, for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<SettingValue>,
    /// Its description, for the operator.
    pub reason: String,
}

/// The kind of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum SettingKind {
    /// Text: what was given as a number or as `true` is the text that was given.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// The address of a host, with or without a path: `https://crm.example.com/api`.
    Url,
    /// A calendar day: `2026-12-31`.
    Date,
    /// A word of a later host: a value of it is taken as it was given.
    Other(String),
}

impl SettingKind {
    fn word(&self) -> &str {
        match self {
            SettingKind::Text => "text",
            SettingKind::Integer => "integer",
            SettingKind::Boolean => "boolean",
            SettingKind::Url => "url",
            SettingKind::Date => "date",
            SettingKind::Other(word) => word,
        }
    }

    /// The value in this kind, `None` where it is none of it.
    fn read(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (SettingKind::Other(_), value) => Some(value.clone()),
            (SettingKind::Text, Value::Text(_)) | (SettingKind::Integer, Value::Integer(_)) => {
                Some(value.clone())
            }
            (SettingKind::Text, Value::Integer(_) | Value::Boolean(_)) => {
                Some(Value::text(value.to_string()))
            }
            (SettingKind::Boolean, Value::Boolean(_)) | (SettingKind::Date, Value::Date(_)) => {
                Some(value.clone())
            }
            (SettingKind::Url, Value::Text(text)) => {
                HttpGrant::of_address(text).map(|_| Value::text(text.trim()))
            }
            (SettingKind::Date, Value::Text(text)) => {
                NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok().map(Value::Date)
            }
            (SettingKind::Integer, Value::Text(text)) => text.trim().parse().ok().map(Value::Integer),
            (SettingKind::Boolean, Value::Text(text)) => text.trim().parse().ok().map(Value::Boolean),
            _ => None,
        }
    }
}

impl From<String> for SettingKind {
    fn from(word: String) -> Self {
        match word.as_str() {
            "text" => SettingKind::Text,
            "integer" => SettingKind::Integer,
            "boolean" => SettingKind::Boolean,
            "url" => SettingKind::Url,
            "date" => SettingKind::Date,
            _ => SettingKind::Other(clean(&word, 60)),
        }
    }
}

impl From<SettingKind> for String {
    fn from(kind: SettingKind) -> Self {
        kind.word().to_owned()
    }
}

impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SettingKind::Text => "a text",
            SettingKind::Integer => "a whole number",
            SettingKind::Boolean => "true or false",
            SettingKind::Url => "an address such as https://crm.example.com",
            SettingKind::Date => "a day such as 2026-12-31",
            SettingKind::Other(word) => return write!(f, "a value of the kind {word}"),
        })
    }
}

/// A value of a setting in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, a whole number, or true or false (a day is written as a text)")]
pub enum SettingValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<&SettingValue> for Value {
    fn from(value: &SettingValue) -> Self {
        match value {
            SettingValue::Boolean(value) => Value::Boolean(*value),
            SettingValue::Integer(value) => Value::Integer(*value),
            SettingValue::Text(value) => Value::text(value.clone()),
        }
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Boolean(value) => value.fmt(f),
            SettingValue::Integer(value) => value.fmt(f),
            SettingValue::Text(value) => value.fmt(f),
        }
    }
}

/// Why a value cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the setting '{name}' cannot be '{value}': it is {expected}{}", example_text(.example.as_deref()))]
pub struct SettingError {
    /// The setting.
    pub name: String,
    /// What was given.
    pub value: String,
    /// What it has to be.
    pub expected: Expected,
    /// A value as it looks, where the author gives one.
    pub example: Option<String>,
}

fn example_text(example: Option<&str>) -> String {
    example.map(|value| format!("; an example is {value}")).unwrap_or_default()
}

/// What a setting has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A value of this kind.
    Kind(SettingKind),
    /// One of these.
    Choices(Vec<String>),
    /// A part of a host name, which the manifest fills into an address.
    HostPart,
    /// An address, whose host the manifest asks for.
    Address,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Kind(kind) => kind.fmt(f),
            Expected::Choices(choices) => write!(f, "one of {}", choices.join(", ")),
            Expected::HostPart => f.write_str("a part of a host name: letters, digits and dashes"),
            Expected::Address => SettingKind::Url.fmt(f),
        }
    }
}

impl SettingAsk {
    /// The value that the plugin reads, in the kind of the setting.
    ///
    /// # Errors
    /// [`SettingError`] where it has another kind, or is none of the choices.
    pub fn read(&self, value: &Value) -> Result<Value, SettingError> {
        let read = match &self.kind {
            None => value.clone(),
            Some(kind) => kind.read(value).ok_or_else(|| self.wrong(value, Expected::Kind(kind.clone())))?,
        };
        let is = |choice: &SettingValue| {
            let choice = Value::from(choice);
            self.kind.as_ref().map_or(Some(choice.clone()), |kind| kind.read(&choice)).as_ref() == Some(&read)
        };
        if !self.choices.is_empty() && !self.choices.iter().any(is) {
            let choices = self.choices.iter().map(ToString::to_string).collect();
            return Err(self.wrong(value, Expected::Choices(choices)));
        }
        Ok(read)
    }

    pub(super) fn wrong(&self, value: &Value, expected: Expected) -> SettingError {
        SettingError {
            name: self.name.clone(),
            value: clean(&value.to_string(), 100),
            expected,
            example: self.example.as_ref().map(ToString::to_string),
        }
    }

    /// Checks what the author says about it, and makes its texts fit to be shown.
    pub(super) fn checked(&mut self) -> Result<(), ManifestError> {
        let name = &self.name;
        if self.choices.len() > MOST_CHOICES {
            let count = self.choices.len();
            return Err(ManifestError(format!(
                "the setting '{name}' has {count} choices; {MOST_CHOICES} are the most"
            )));
        }
        for value in self.choices.iter_mut().chain(&mut self.default).chain(&mut self.example) {
            if let SettingValue::Text(text) = value {
                if text.is_empty() {
                    return Err(ManifestError(format!(
                        "the setting '{name}' has a default, choice or example that is empty"
                    )));
                }
                if text.len() > MOST_VALUE || clean(text, MOST_VALUE as u64) != *text {
                    return Err(ManifestError(format!(
                        "the setting '{name}' has a default, choice or example that is longer than {MOST_VALUE} bytes or cannot be shown: {}",
                        clean(text, 60)
                    )));
                }
            }
        }
        for (what, value) in [("default", &self.default), ("example", &self.example)] {
            if let Some(value) = value
                && let Err(error) = self.read(&value.into())
            {
                let error = SettingError { example: None, ..error };
                return Err(ManifestError(format!("the {what} does not fit: {error}")));
            }
        }
        if let Some(kind) = &self.kind
            && let Some(choice) =
                self.choices.iter().find(|choice| kind.read(&Value::from(*choice)).is_none())
        {
            return Err(ManifestError(format!("the choice {choice} of the setting '{name}' is not {kind}")));
        }
        if self.required && self.default.is_some() {
            return Err(ManifestError(format!(
                "the setting '{name}' has a default, so it is not required; leave out one of the two"
            )));
        }
        Ok(())
    }

    /// `, one of us1, us2; us1 unless set`, behind the words for the setting.
    pub(super) fn words(&self) -> String {
        fn named(value: &SettingValue) -> String {
            Foreign::new(value.to_string()).named()
        }
        let mut words = String::new();
        if self.required {
            words.push_str(", which must be set");
        }
        if self.choices.is_empty() {
            match &self.kind {
                None | Some(SettingKind::Text) => {}
                Some(kind) => words.push_str(&format!(", {kind}")),
            }
        } else {
            let choices: Vec<String> = self.choices.iter().map(named).collect();
            words.push_str(&format!(", one of {}", choices.join(", ")));
        }
        if let Some(default) = &self.default {
            words.push_str(&format!("; {} unless set", named(default)));
        }
        if let Some(example) = &self.example {
            words.push_str(&format!("; such as {}", named(example)));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(toml: &str) -> SettingAsk {
        toml::from_str(&format!("name = \"s\"\nreason = \"r\"\n{toml}")).unwrap()
    }

    #[test]
    fn a_value_is_read_in_the_kind_of_its_setting() {
        let text = |text: &str| Value::text(text);
        let table = [
            ("", Value::Integer(5), Some(Value::Integer(5))),
            ("kind = \"text\"", Value::Integer(5), Some(text("5"))),
            ("kind = \"text\"", Value::Boolean(true), Some(text("true"))),
            ("kind = \"integer\"", text(" 5 "), Some(Value::Integer(5))),
            ("kind = \"integer\"", text("5.5"), None),
            ("kind = \"integer\"", Value::Boolean(true), None),
            ("kind = \"boolean\"", text("true"), Some(Value::Boolean(true))),
            ("kind = \"boolean\"", text("yes"), None),
            ("kind = \"boolean\"", Value::Integer(1), None),
            ("kind = \"url\"", text("https://a.example/b "), Some(text("https://a.example/b"))),
            ("kind = \"url\"", text("a.example"), None),
            ("kind = \"url\"", text("file:///etc/passwd"), None),
            ("kind = \"date\"", text("2026-12-31"), Some(Value::date(2026, 12, 31).unwrap())),
            ("kind = \"date\"", text("2026-02-30"), None),
            ("kind = \"colour\"", text("red"), Some(text("red"))),
            ("choices = [\"us1\", \"us2\"]", text("us2"), Some(text("us2"))),
            ("choices = [\"us1\", \"us2\"]", text("us3"), None),
            ("kind = \"text\"\nchoices = [\"1\", \"2\"]", Value::Integer(2), Some(text("2"))),
            ("kind = \"integer\"\nchoices = [1, 2]", text("2"), Some(Value::Integer(2))),
            ("kind = \"integer\"\nchoices = [1, 2]", Value::Integer(3), None),
        ];
        for (toml, given, expected) in table {
            assert_eq!(ask(toml).read(&given).ok(), expected, "{toml} {given:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_choices_and_an_example() {
        let told = |toml: &str, value: &str| ask(toml).read(&Value::text(value)).unwrap_err().to_string();
        assert_eq!(
            told("kind = \"integer\"\nexample = 500", "many"),
            "the setting 's' cannot be 'many': it is a whole number; an example is 500"
        );
        assert_eq!(
            told("choices = [\"us1\", \"us2\"]", "\u{1b}[2J"),
            "the setting 's' cannot be '\\u{1b}[2J': it is one of us1, us2"
        );
    }

    #[test]
    fn what_an_author_says_about_a_setting_must_fit() {
        let table = [
            ("kind = \"integer\"\ndefault = \"many\"", "the default does not fit"),
            ("kind = \"date\"\nexample = \"soon\"", "the example does not fit"),
            ("choices = [\"a\"]\ndefault = \"b\"", "the default does not fit"),
            ("kind = \"boolean\"\nchoices = [1]", "the choice 1 of the setting 's' is not true or false"),
            ("required = true\ndefault = \"a\"", "leave out one of the two"),
            ("example = \"\\u001b[2J\"", "cannot be shown"),
        ];
        for (toml, expected) in table {
            let error = ask(toml).checked().unwrap_err().to_string();
            assert!(error.contains(expected), "{toml}: {error}");
        }
        let many = format!("choices = [{}]", "\"a\",".repeat(101));
        assert!(ask(&many).checked().unwrap_err().to_string().contains("101 choices"));
        for toml in
            ["", "kind = \"url\"\nexample = \"https://crm.example.com\"", "choices = [1, 2]\ndefault = 1"]
        {
            ask(toml).checked().unwrap();
        }
    }
}
