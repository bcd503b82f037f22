//! Lifting and lowering values, rows and references.

use super::super::bindings::entente::integration::data as wit;
use super::Lift;
use crate::limits::LimitReached;
use chrono::Datelike;
use entente_core::{Reference, Timestamp, Value};
use entente_sync::{FieldTime, Row};

/// Lowers a value; `None` becomes `unset`.
pub(crate) fn lower_value(value: Option<&Value>) -> wit::Value {
    match value {
        None => wit::Value::Unset,
        Some(Value::Null) => wit::Value::Null,
        Some(Value::Boolean(yes)) => wit::Value::Boolean(*yes),
        Some(Value::Integer(number)) => wit::Value::Integer(*number),
        Some(Value::Float(number)) => wit::Value::Float(*number),
        Some(Value::Text(text)) => wit::Value::Text(text.clone()),
        // Months and days fit in a byte.
        Some(Value::Date(day)) => {
            wit::Value::Date(wit::Date { year: day.year(), month: day.month() as u8, day: day.day() as u8 })
        }
        Some(Value::Timestamp(moment)) => wit::Value::Timestamp(moment.micros()),
        Some(Value::Texts(texts)) => wit::Value::Texts(texts.clone()),
        Some(Value::Reference(reference)) => wit::Value::Reference(lower_reference(reference)),
        Some(Value::References(references)) => {
            wit::Value::References(references.iter().map(lower_reference).collect())
        }
        Some(Value::Other { kind, text }) => {
            wit::Value::Other(wit::OtherValue { kind: kind.clone(), text: text.clone() })
        }
    }
}

pub(super) fn lower_reference(reference: &Reference) -> wit::Reference {
    wit::Reference { object: reference.object.clone(), id: reference.id.clone() }
}

pub(super) fn lower_values(values: &[Option<Value>]) -> Vec<wit::Value> {
    values.iter().map(|value| lower_value(value.as_ref())).collect()
}

/// The error of a single record; the others are not affected.
pub(super) type OrBad<T> = Result<Result<T, String>, LimitReached>;

impl Lift<'_> {
    fn value(&mut self, value: wit::Value) -> OrBad<Option<Value>> {
        self.count(size(&value))?;
        let lifted = match value {
            wit::Value::Unset => return Ok(Ok(None)),
            wit::Value::Null => Ok(Value::Null),
            wit::Value::Boolean(yes) => Ok(Value::Boolean(yes)),
            wit::Value::Integer(number) => Ok(Value::Integer(number)),
            wit::Value::Float(number) => Value::float(number),
            wit::Value::Text(text) => Ok(Value::Text(text)),
            wit::Value::Date(day) => Value::date(day.year, day.month, day.day),
            wit::Value::Timestamp(micros) => Ok(Value::Timestamp(Timestamp::from_micros(micros))),
            wit::Value::Texts(texts) => Ok(Value::Texts(texts)),
            wit::Value::Reference(reference) => Value::reference(reference.object, reference.id),
            wit::Value::References(references) => references
                .into_iter()
                .map(|reference| match Value::reference(reference.object, reference.id)? {
                    Value::Reference(reference) => Ok(reference),
                    _ => Err(entente_core::ValueError::EmptyReference),
                })
                .collect::<Result<_, _>>()
                .map(Value::References),
            wit::Value::Other(other) => Ok(Value::Other { kind: other.kind, text: other.text }),
            wit::Value::Unreadable(text) => return Ok(Err(self.reason(&text))),
        };
        Ok(lifted.map(Some).map_err(|error| error.to_string()))
    }

    /// Lifts the values of a record, one for each field.
    pub(super) fn values(&mut self, values: Vec<wit::Value>, fields: &[String]) -> OrBad<Vec<Option<Value>>> {
        if values.len() != fields.len() {
            return Ok(Err(format!("it has {} values for {} fields", values.len(), fields.len())));
        }
        let mut lifted = Vec::with_capacity(values.len());
        for (value, field) in values.into_iter().zip(fields) {
            match self.value(value)? {
                Ok(value) => lifted.push(value),
                Err(reason) => return Ok(Err(format!("field {}: {reason}", self.named(field)))),
            }
        }
        Ok(Ok(lifted))
    }

    pub(super) fn row(&mut self, row: wit::Row, fields: &[String]) -> OrBad<Row> {
        if let Err(reason) = self.id(&row.id)? {
            return Ok(Err(reason));
        }
        if !row.field_changed.is_empty() && row.field_changed.len() != row.values.len() {
            return Ok(Err(format!(
                "it has {} field times for {} values",
                row.field_changed.len(),
                row.values.len()
            )));
        }
        let values = match self.values(row.values, fields)? {
            Ok(values) => values,
            Err(reason) => return Ok(Err(reason)),
        };
        let time = |micros| FieldTime::certain(Timestamp::from_micros(micros));
        Ok(Ok(Row {
            id: row.id,
            changed: row.changed.map(Timestamp::from_micros),
            version: self.tokens(row.version)?,
            values,
            times: row.field_changed.into_iter().map(|micros| micros.map(time)).collect(),
        }))
    }

    pub(super) fn reference(&mut self, reference: wit::Reference) -> OrBad<Reference> {
        self.count(reference.object.len())?;
        if let Err(reason) = self.id(&reference.id)? {
            return Ok(Err(reason));
        }
        if reference.object.is_empty() {
            return Ok(Err("it names no object".to_owned()));
        }
        if self.name(reference.object.clone(), "an object").is_err() {
            return Ok(Err("it names an object in a way that no object is named".to_owned()));
        }
        Ok(Ok(Reference { object: reference.object, id: reference.id }))
    }
}

fn size(value: &wit::Value) -> usize {
    match value {
        wit::Value::Text(text) => text.len(),
        wit::Value::Texts(texts) => texts.iter().map(|text| text.len() + 24).sum(),
        wit::Value::Reference(reference) => reference.object.len() + reference.id.len(),
        wit::Value::References(references) => {
            references.iter().map(|reference| reference.object.len() + reference.id.len() + 48).sum()
        }
        wit::Value::Other(other) => other.kind.len() + other.text.len(),
        wit::Value::Unreadable(text) => text.len(),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn every_value_comes_back_as_it_went() {
        let reference = |id: &str| Reference { object: "company".to_owned(), id: id.to_owned() };
        let values = vec![
            None,
            Some(Value::Null),
            Some(Value::Boolean(true)),
            Some(Value::Integer(i64::MIN)),
            Some(Value::Float(0.1)),
            Some(Value::text("")),
            Some(Value::text("äöü")),
            Some(Value::date(2020, 2, 29).unwrap()),
            Some(Value::Timestamp(Timestamp::from_micros(-1))),
            Some(Value::Texts(vec![])),
            Some(Value::Texts(vec!["b".to_owned(), "a".to_owned()])),
            Some(Value::Reference(reference("1"))),
            Some(Value::References(vec![reference("1"), reference("2")])),
            Some(Value::Other { kind: "decimal".to_owned(), text: "12.50".to_owned() }),
        ];
        let fields: Vec<String> = (0..values.len()).map(|n| n.to_string()).collect();
        let limits = Limits::default();
        let back = Lift::new(&limits, "x").values(lower_values(&values), &fields).unwrap();
        assert_eq!(back, Ok(values));
    }

    #[test]
    fn what_is_no_value_is_told_by_its_field() {
        let limits = Limits::default();
        let mut lift = Lift::new(&limits, "x");
        let fields = ["score".to_owned()];
        let mut reason = |value| lift.values(vec![value], &fields).unwrap().unwrap_err();
        assert_eq!(reason(wit::Value::Float(f64::NAN)), "field score: a number must be finite");
        assert_eq!(
            reason(wit::Value::Date(wit::Date { year: 2021, month: 2, day: 29 })),
            "field score: 2021-02-29 is not a day of the calendar"
        );
        let empty = wit::Reference { object: "a".to_owned(), id: String::new() };
        assert!(reason(wit::Value::Reference(empty.clone())).contains("not empty"));
        assert!(reason(wit::Value::References(vec![empty])).contains("not empty"));
    }

    #[test]
    fn texts_are_counted_over_the_whole_answer() {
        let limits = Limits { page_bytes: 1000, ..Limits::default() };
        let mut lift = Lift::new(&limits, "x");
        let fields = ["text".to_owned()];
        let text = || vec![wit::Value::Text("x".repeat(600))];
        assert!(lift.values(text(), &fields).unwrap().is_ok());
        assert_eq!(lift.values(text(), &fields).unwrap_err().name, "page-bytes");
    }
}
