//! Validation and normalisation of field values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::error::FieldProblem;
use crate::schema::{Field, Kind, Object};

/// Most elements of a list of texts.
const MOST_TEXTS: usize = 50;
/// Integers are 32 bits wide, as in many a CRM's database.
const INTEGERS: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

/// Whether required fields have to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Create,
    Update,
}

/// Checks and normalises the fields of a change. `exists` says whether a referenced record is there.
pub(crate) fn fields(
    object: Object,
    given: &Map<String, Value>,
    mode: Mode,
    exists: &dyn Fn(Object, &str) -> bool,
) -> Result<BTreeMap<String, Value>, Vec<FieldProblem>> {
    let mut accepted = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in given {
        let checked = match object.field(name) {
            None => Err(("unknown-field", format!("{object} has no such field"))),
            Some(field) if !field.writable => Err(("read-only", "the field cannot be written".to_owned())),
            Some(field) => check(field, value, exists),
        };
        match checked {
            Ok(value) => {
                accepted.insert(name.clone(), value);
            }
            Err((code, message)) => {
                problems.push(FieldProblem { name: name.clone(), code: code.to_owned(), message })
            }
        }
    }
    if mode == Mode::Create {
        for field in object.fields().iter().filter(|field| field.required && !given.contains_key(field.name))
        {
            let (code, message) = required();
            problems.push(FieldProblem { name: field.name.to_owned(), code: code.to_owned(), message });
        }
    }
    if problems.is_empty() { Ok(accepted) } else { Err(problems) }
}

type Refusal = (&'static str, String);

fn required() -> Refusal {
    ("required", "the field must have a value".to_owned())
}

fn check(field: &Field, value: &Value, exists: &dyn Fn(Object, &str) -> bool) -> Result<Value, Refusal> {
    let value = normalise(field, value)?;
    if field.required && (value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())) {
        return Err(required());
    }
    if let (Kind::Reference, Some(id)) = (field.kind, value.as_str())
        && !field.targets.iter().any(|target| exists(*target, id))
    {
        return Err((
            "unknown-reference",
            format!("there is no {} {id:?}", field.targets.first().map_or("record", |target| target.name())),
        ));
    }
    Ok(value)
}

/// The value as it would be stored, without the checks that need other records.
pub(crate) fn normalise(field: &Field, value: &Value) -> Result<Value, Refusal> {
    if value.is_null() {
        return Ok(field.blank());
    }
    match field.kind {
        Kind::Text => {
            let text = text(value)?;
            if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                return Err(("invalid-text", "control characters are not accepted".to_owned()));
            }
            short(field, text)?;
            Ok(json!(text))
        }
        Kind::Email => {
            let text = text(value)?.trim().to_lowercase();
            short(field, &text)?;
            if !text.is_empty() && !is_email(&text) {
                return Err(("invalid-email", "this is no e-mail address".to_owned()));
            }
            Ok(json!(text))
        }
        Kind::Phone => {
            let text = text(value)?;
            short(field, text)?;
            if !text.is_empty() && !is_phone(text) {
                return Err((
                    "invalid-phone",
                    "digits, spaces and +-()./,;#x are accepted, with a digit at least".to_owned(),
                ));
            }
            Ok(json!(text))
        }
        Kind::Url => {
            let text = text(value)?;
            short(field, text)?;
            if !text.is_empty() && !is_url(text) {
                return Err((
                    "invalid-url",
                    "an address that begins with http:// or https:// is expected".to_owned(),
                ));
            }
            Ok(json!(text))
        }
        Kind::Integer => {
            let Some(number) = value.as_i64() else {
                return Err(("wrong-type", "an integer is expected".to_owned()));
            };
            if !INTEGERS.contains(&number) {
                return Err(("out-of-range", "the integer must fit in 32 bits".to_owned()));
            }
            Ok(json!(number))
        }
        Kind::Reference => match value.as_str() {
            Some(id) => Ok(json!(id)),
            None => Err(("wrong-type", "the id of a record is expected".to_owned())),
        },
        Kind::Texts => texts(field, value),
    }
}

fn text(value: &Value) -> Result<&str, Refusal> {
    value.as_str().ok_or_else(|| ("wrong-type", "text is expected".to_owned()))
}

fn short(field: &Field, text: &str) -> Result<(), Refusal> {
    match field.max_length {
        Some(most) if text.chars().count() > most => {
            Err(("too-long", format!("at most {most} characters are accepted")))
        }
        _ => Ok(()),
    }
}

/// A list of texts is a set: sorted, without repetitions.
fn texts(field: &Field, value: &Value) -> Result<Value, Refusal> {
    let Some(list) = value.as_array() else {
        return Err(("wrong-type", "a list of texts is expected".to_owned()));
    };
    let mut set = BTreeSet::new();
    for element in list {
        let element = text(element)?.trim();
        if element.is_empty() {
            return Err(("invalid-text", "an element must not be blank".to_owned()));
        }
        short(field, element)?;
        set.insert(element);
    }
    if set.len() > MOST_TEXTS {
        return Err(("too-many", format!("at most {MOST_TEXTS} elements are accepted")));
    }
    Ok(json!(set))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && local.chars().count() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c));
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.chars().count() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    local_ok && domain.contains('.') && domain.split('.').all(label_ok)
}

fn is_phone(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || " +-()./,;#xX".contains(c))
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.example", "o'brien+crm@mail.example.org", "jürgen@köln.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.example",
            "a@b",
            "a b@c.example",
            "a@b..example",
            ".a@b.example",
            "a..b@c.example",
            "a@-b.example",
            "a@b@c.example",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn phones_and_urls() {
        assert!(is_phone("+49 (0)30 123-45/6"));
        assert!(!is_phone("call me") && !is_phone("+ -"));
        assert!(is_url("https://www.example.org/a?b=c") && is_url("http://localhost"));
        assert!(
            !is_url("www.example.org")
                && !is_url("https://")
                && !is_url("https://a b.example")
                && !is_url("ftp://example.org")
        );
    }
}
