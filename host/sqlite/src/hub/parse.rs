//! Parsing text into values by the kind of the field: what people type, and cells of files.

use super::address;
use super::check::{check, choices, shown};
use super::list::read_list;
use super::schema::FieldDefinition;
use chrono::{NaiveDate, NaiveTime};
use entente_core::{Kind, Reference, Timestamp, Value};
use serde::Serialize;

/// The order of day and month in dates such as `01/02/2020`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// Unknown: such dates are refused.
    #[default]
    Unknown,
    /// Day, month, year.
    DayFirst,
    /// Month, day, year.
    MonthFirst,
}

/// Parse options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseOptions {
    /// The separator between the elements of a list.
    pub list_separator: char,
    /// Whether numbers are written as `1.234,5`.
    pub decimal_comma: bool,
    /// The order of day and month in dates with slashes.
    pub date_order: DateOrder,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self { list_separator: ';', decimal_comma: false, date_order: DateOrder::Unknown }
    }
}

/// A text that is not a value of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

fn wrong<T>(why: impl Into<String>) -> Result<T, ParseError> {
    Err(ParseError(why.into()))
}

/// Parses a text as a value of a field.
///
/// Texts are taken exactly as they are: «NULL», «0» and a space are texts. An e-mail address is taken out of
/// what stands around it (`mailto:`, `Name <…>`, quotes), and must be one. Every other kind ignores surrounding white space. No text denotes null: the caller
/// decides what an empty text means. List elements are trimmed and empty ones dropped, unless escaped by a
/// backslash; an element may stand in quotes. A choice is given by its value or its label. A reference is `object:id`, or only the id where
/// there is a single target.
///
/// # Errors
/// [`ParseError`] with the reason and the remedy, for people.
pub fn parse_value(field: &FieldDefinition, text: &str, options: &ParseOptions) -> Result<Value, ParseError> {
    let trimmed = text.trim();
    let shown = || shown(trimmed);
    let value = match &field.kind {
        Kind::Text | Kind::LongText | Kind::Phone | Kind::Url | Kind::Other(_) => Value::text(text),
        Kind::Email => email(trimmed)?,
        Kind::Boolean => boolean(trimmed)?,
        Kind::Integer => integer(trimmed, options)?,
        Kind::Float => match plain_number(trimmed, options).and_then(|plain| plain.parse().ok()) {
            Some(number) => Value::float(number).map_err(|error| ParseError(error.to_string()))?,
            None => return wrong(format!("'{}' is not a number; write for example 1234.5", shown())),
        },
        Kind::Decimal => decimal(trimmed, options)?,
        Kind::Date => match date(trimmed, options) {
            Some(day) => Value::Date(day),
            None => {
                return wrong(format!("'{}' is not a day{}; write 2020-01-31", shown(), order_hint(trimmed)));
            }
        },
        Kind::Timestamp => Value::Timestamp(parse_timestamp(trimmed, options)?),
        Kind::Time => match time(trimmed) {
            Some(time) => {
                Value::Other { kind: "time".to_owned(), text: time.format("%H:%M:%S%.f").to_string() }
            }
            None => return wrong(format!("'{}' is not a time of day; write 18:00 or 18:00:00", shown())),
        },
        Kind::Json => match serde_json::from_str::<serde::de::IgnoredAny>(trimmed) {
            Ok(_) => Value::Other { kind: "json".to_owned(), text: trimmed.to_owned() },
            Err(error) => return wrong(format!("'{}' is not JSON: {error}", shown())),
        },
        Kind::Texts => Value::Texts(read_list(text, options.list_separator)),
        Kind::Choice => Value::Text(choice(field, text)?),
        Kind::Choices => {
            let list = read_list(text, options.list_separator);
            Value::Texts(list.iter().map(|text| choice(field, text)).collect::<Result<_, _>>()?)
        }
        Kind::Reference => Value::Reference(reference(field, trimmed)?),
        Kind::References => {
            let list = read_list(text, options.list_separator);
            Value::References(
                list.iter().map(|text| reference(field, text.trim())).collect::<Result<_, _>>()?,
            )
        }
    };
    // Whether a blank is allowed is decided for the whole record.
    let checked = match field.required {
        true => check(&FieldDefinition { required: false, ..field.clone() }, value),
        false => check(field, value),
    };
    checked.map_err(|refusal| ParseError(refusal.reason))
}

/// Parses a timestamp as people write it; without an offset it is UTC.
pub(super) fn parse_timestamp(text: &str, options: &ParseOptions) -> Result<Timestamp, ParseError> {
    let four_digits =
        |c: &str| c.starts_with(['+', '-']) || c.bytes().take_while(u8::is_ascii_digit).count() >= 4;
    if four_digits(text)
        && let Ok(moment) = Timestamp::parse(text)
    {
        return Ok(moment);
    }
    let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let moment = date(day, options).and_then(|day| {
        let clock = clock.trim();
        Some(day.and_time(if clock.is_empty() { NaiveTime::MIN } else { time(clock)? }))
    });
    match moment {
        Some(moment) => Ok(moment.and_utc().into()),
        None => wrong(format!(
            "'{}' is not a date and time{}; write 2020-01-31 18:00:00 or 2020-01-31T18:00:00+01:00",
            shown(text),
            order_hint(day)
        )),
    }
}

fn email(text: &str) -> Result<Value, ParseError> {
    // An empty text is a blank, not an invalid address.
    if text.is_empty() {
        return Ok(Value::text(text));
    }
    match address::read(text) {
        Some(addresses) if addresses.others == 0 => Ok(Value::text(addresses.first)),
        Some(_) => wrong(format!("'{}' is more than one e-mail address; the field takes one", shown(text))),
        None => wrong(format!("'{}' is not an e-mail address", shown(text))),
    }
}

fn boolean(text: &str) -> Result<Value, ParseError> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" | "on" => Ok(Value::Boolean(true)),
        "false" | "no" | "n" | "f" | "0" | "off" => Ok(Value::Boolean(false)),
        _ => wrong(format!("'{}' is not yes or no; write true or false", shown(text))),
    }
}

fn integer(text: &str, options: &ParseOptions) -> Result<Value, ParseError> {
    let Some(plain) = plain_number(text, options) else {
        return wrong(format!("'{}' is not a whole number; write for example 1234", shown(text)));
    };
    // Spreadsheets write integers as 12.0.
    let whole = match plain.split_once('.') {
        Some((whole, zeros)) if !whole.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => &plain,
    };
    match whole.parse() {
        Ok(number) => Ok(Value::Integer(number)),
        Err(error)
            if matches!(
                error.kind(),
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow
            ) =>
        {
            wrong(format!("{} is larger than a whole number may be", shown(text)))
        }
        Err(_) => wrong(format!("'{}' is not a whole number; write for example 1234", shown(text))),
    }
}

/// The number with a decimal point and without thousands separators; `None` where it has characters that no
/// number has.
fn plain_number(text: &str, options: &ParseOptions) -> Option<String> {
    let plain = if options.decimal_comma { text.replace('.', "").replace(',', ".") } else { text.to_owned() };
    let number = !plain.is_empty()
        && plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    number.then_some(plain)
}

fn decimal(text: &str, options: &ParseOptions) -> Result<Value, ParseError> {
    let canonical = plain_number(text, options).and_then(|plain| {
        let (negative, digits) = match plain.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let zero = whole.is_empty() && part.bytes().all(|b| b == b'0');
        let sign = if negative && !zero { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        // Trailing zeros are kept: 12.50 states a precision that 12.5 does not.
        Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
    });
    match canonical {
        Some(text) => Ok(Value::Other { kind: "decimal".to_owned(), text }),
        None => wrong(format!("'{}' is not a decimal number; write for example 12.50", shown(text))),
    }
}

fn date(text: &str, options: &ParseOptions) -> Option<NaiveDate> {
    let parts = |mark: char| {
        let parts: Vec<&str> = text.split(mark).collect();
        let [a, b, c] = parts[..] else { return None };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (digits(a) && digits(b) && digits(c)).then_some((a, b, c))
    };
    let day = |year: &str, month: &str, day: &str| {
        // A two-digit year is ambiguous.
        if year.len() < 4 || month.len() > 2 || day.len() > 2 {
            return None;
        }
        NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    };
    if let Some((y, m, d)) = parts('-') {
        return day(y, m, d);
    }
    if let Some((d, m, y)) = parts('.') {
        return day(y, m, d);
    }
    if let Some((a, b, c)) = parts('/') {
        return match options.date_order {
            _ if a.len() >= 4 => day(a, b, c),
            DateOrder::DayFirst => day(c, b, a),
            DateOrder::MonthFirst => day(c, a, b),
            DateOrder::Unknown => None,
        };
    }
    // Years before 0 and after 9999 have a sign.
    if text.starts_with(['+', '-']) { text.parse().ok() } else { None }
}

fn order_hint(day: &str) -> &'static str {
    if day.split('/').count() == 3 {
        " that can be read in one way only; say which comes first, day or month"
    } else {
        ""
    }
}

fn time(text: &str) -> Option<NaiveTime> {
    let forms = ["%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I:%M%p"];
    // A leap second cannot be represented.
    forms
        .iter()
        .find_map(|form| NaiveTime::parse_from_str(text, form).ok())
        .filter(|time| !text.contains(":60") || time.format("%S").to_string() != "60")
}

fn choice(field: &FieldDefinition, text: &str) -> Result<String, ParseError> {
    if field.choices.is_empty() || text.is_empty() || field.choices.iter().any(|(value, _)| value == text) {
        return Ok(text.to_owned());
    }
    let wanted = text.trim().to_lowercase();
    let mut close = field
        .choices
        .iter()
        .filter(|(value, label)| value.to_lowercase() == wanted || label.to_lowercase() == wanted);
    match (close.next(), close.next()) {
        (Some((value, _)), None) => Ok(value.clone()),
        _ => wrong(format!("'{}' is not among the choices {}", shown(text), choices(field))),
    }
}

/// A reference as `object:id`, where the object is one of the targets.
pub(super) fn explicit_reference(field: &FieldDefinition, text: &str) -> Option<Reference> {
    let (object, id) = text.split_once(':')?;
    let known = field.targets.iter().any(|target| target == object) && super::records::number(id).is_some();
    known.then(|| Reference { object: object.to_owned(), id: id.to_owned() })
}

fn reference(field: &FieldDefinition, text: &str) -> Result<Reference, ParseError> {
    if let Some(reference) = explicit_reference(field, text) {
        return Ok(reference);
    }
    match field.targets.as_slice() {
        [object] if super::records::number(text).is_some() => {
            Ok(Reference { object: object.clone(), id: text.to_owned() })
        }
        targets => wrong(format!(
            "'{}' names no record; write {}",
            shown(text),
            targets.iter().map(|t| format!("{t}:12")).collect::<Vec<_>>().join(" or ")
        )),
    }
}

#[cfg(test)]
#[path = "tests/parse.rs"]
mod tests;
