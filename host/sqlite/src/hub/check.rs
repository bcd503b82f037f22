//! Validation of a value against its field's definition.

use super::error::Refusal;
use super::schema::FieldDefinition;
use entente_core::{Foreign, Kind, Value, is_unfit_for_key};

/// The largest integer magnitude up to which every integer is exact as an `f64`.
const EXACT_IN_FLOAT: u64 = 1 << 53;

/// Validates a value and converts it to its stored form: an integer becomes a float where the field holds
/// floats and the conversion is exact. Everything else is stored as it is or refused. Referential integrity
/// is not checked here.
pub(super) fn check(field: &FieldDefinition, value: Value) -> Result<Value, Refusal> {
    let refuse = |code, reason: String| Err(Refusal::new(&field.name, code, reason));
    if field.required && value.is_blank() {
        return refuse("required", "the field is required and cannot be blank".to_owned());
    }
    if value == Value::Null {
        return Ok(value);
    }
    let value = match (&field.kind, value) {
        (Kind::Float, Value::Integer(number)) if number.unsigned_abs() <= EXACT_IN_FLOAT => {
            Value::Float(number as f64)
        }
        (_, value) => value,
    };
    let finite = !matches!(value, Value::Float(number) if !number.is_finite());
    if !finite || !field.kind.carries(&value) {
        return refuse(
            "invalid-value",
            format!("{} is no value of a field of kind {}", kind_of(&value), field.kind),
        );
    }
    if field.identifier
        && matches!(&value, Value::Text(text) | Value::Other { text, .. } if is_unfit_for_key(text))
    {
        return refuse("invalid-value", "an identifier cannot have the character NUL or U+001F".to_owned());
    }
    let longest = field.longest() as usize;
    let length = match &value {
        Value::Text(text) | Value::Other { text, .. } => characters(text, longest),
        Value::Texts(texts) => texts.iter().map(|text| characters(text, longest)).sum(),
        _ => 0,
    };
    if length > longest {
        return refuse("too-large", format!("the value is too long; the field takes {longest} characters"));
    }
    if field.kind.is_choice() && !field.choices.is_empty() {
        let given = match &value {
            Value::Text(text) => std::slice::from_ref(text),
            Value::Texts(texts) => texts,
            _ => &[],
        };
        for text in given.iter().filter(|text| !text.is_empty()) {
            if !field.choices.iter().any(|(value, _)| value == text) {
                return refuse(
                    "invalid-value",
                    format!("'{}' is not among the choices {}", shown(text), choices(field)),
                );
            }
        }
    }
    for link in value.references() {
        if !field.targets.contains(&link.object) {
            return refuse("invalid-value", format!("{link} is no {}", field.targets.join(" or ")));
        }
    }
    Ok(value)
}

/// The number of characters; they are counted only where the byte length does not decide.
fn characters(text: &str, longest: usize) -> usize {
    if text.len() <= longest { text.len() } else { text.chars().count() }
}

pub(super) fn choices(field: &FieldDefinition) -> String {
    const SHOWN: usize = 20;
    let mut list = super::schema::names(field.choices.iter().take(SHOWN).map(|(value, _)| value.as_str()));
    if field.choices.len() > SHOWN {
        list.push_str(", …");
    }
    list
}

/// A prefix of somebody's text, within a message.
pub(super) fn shown(text: &str) -> String {
    Foreign::new(cut(text)).to_string()
}

/// A prefix of a text.
pub(super) fn cut(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether two values of a field are equal; the elements of a set have no order.
pub(super) fn same(field: &FieldDefinition, a: &Value, b: &Value) -> bool {
    fn sorted<T: Ord>(list: &[T]) -> Vec<&T> {
        let mut list: Vec<&T> = list.iter().collect();
        list.sort_unstable();
        list.dedup();
        list
    }
    match (a, b) {
        (Value::Texts(a), Value::Texts(b)) if field.set_like && a != b => sorted(a) == sorted(b),
        (Value::References(a), Value::References(b)) if field.set_like && a != b => sorted(a) == sorted(b),
        (Value::Integer(n), float @ Value::Float(_)) | (float @ Value::Float(_), Value::Integer(n)) => {
            n.unsigned_abs() <= EXACT_IN_FLOAT && *float == Value::Float(*n as f64)
        }
        _ => a == b,
    }
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(_) => "a boolean".to_owned(),
        Value::Integer(_) => "a whole number".to_owned(),
        Value::Float(_) => "a number".to_owned(),
        Value::Text(_) => "a text".to_owned(),
        Value::Date(_) => "a date".to_owned(),
        Value::Timestamp(_) => "a timestamp".to_owned(),
        Value::Texts(_) => "a list of texts".to_owned(),
        Value::Reference(_) => "a reference".to_owned(),
        Value::References(_) => "a list of references".to_owned(),
        Value::Other { kind, .. } => format!("a value of kind {kind}"),
    }
}
