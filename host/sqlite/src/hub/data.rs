//! Row encoding: how the fields of a record are stored in one row.
//!
//! Values are a JSON object by field name. Stamps are stored by group, since most fields of a record were
//! written together; the largest group omits its field names.

use super::schema::ObjectSchema;
use crate::store::StoreError;
use entente_core::{Timestamp, Value};
use entente_sync::FieldTime;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use std::fmt::{self, Write as _};

/// The change time and origin of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) time: FieldTime,
    /// The number in `hub_source` of who wrote it.
    pub(super) source: i64,
    /// The run of the sync or of the import; 0 for the operator, and for imports before these were runs.
    pub(super) run: i64,
}

impl Stamp {
    /// Whether a run of a source has written it.
    pub(super) fn is_of(&self, source: i64, run: i64) -> bool {
        (self.source, self.run) == (source, run)
    }
}

/// A stored field that was set at least once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) value: Value,
    pub(super) stamp: Stamp,
}

/// The fields of a record, in the order of its object; `None` where a field was never set.
pub(super) type Fields = Vec<Option<Stored>>;

/// A group of fields that share a stamp, as it is stored: time, kind of time, source, run, fields. The kind is 1 for
/// a certain time, 0 for an upper bound, and negative for a span: its length with the sign turned.
type Group<'a> = (i64, i64, i64, i64, Vec<&'a str>);

/// Encodes values and stamps.
pub(super) fn encode(object: &ObjectSchema, fields: &Fields) -> Result<(String, String), StoreError> {
    let name = |index: usize| object.definition.fields[index].name.as_str();
    let mut data = Vec::with_capacity(64 * fields.len());
    let mut groups: Vec<(Stamp, Vec<usize>)> = Vec::new();
    data.push(b'{');
    for (index, stored) in fields.iter().enumerate() {
        let Some(stored) = stored else { continue };
        if data.len() > 1 {
            data.push(b',');
        }
        // Field names are letters, digits and underscores, so that nothing needs escaping.
        data.push(b'"');
        data.extend_from_slice(name(index).as_bytes());
        data.extend_from_slice(b"\":");
        serde_json::to_writer(&mut data, &stored.value).map_err(|error| corrupt(object, &error))?;
        match groups.iter_mut().find(|(stamp, _)| *stamp == stored.stamp) {
            Some((_, members)) => members.push(index),
            None => groups.push((stored.stamp, vec![index])),
        }
    }
    data.push(b'}');
    let data = String::from_utf8(data).map_err(|error| corrupt(object, &error))?;

    groups.sort_by_key(|(_, members)| members.len());
    let mut stamps = String::with_capacity(32);
    stamps.push('[');
    for (n, (stamp, members)) in groups.iter().enumerate() {
        if n > 0 {
            stamps.push(',');
        }
        let FieldTime { at, certain, after } = stamp.time;
        let kind = match after {
            _ if certain => 1,
            Some(after) => after.micros().saturating_sub(at.micros()).min(0),
            None => 0,
        };
        // Writing to a String cannot fail.
        let _ = write!(stamps, "[{},{kind},{},{},[", at.micros(), stamp.source, stamp.run);
        if n + 1 < groups.len() {
            for (m, &index) in members.iter().enumerate() {
                let _ = write!(stamps, "{}\"{}\"", if m > 0 { "," } else { "" }, name(index));
            }
        }
        stamps.push_str("]]");
    }
    stamps.push(']');
    Ok((data, stamps))
}

/// Decodes values and stamps.
pub(super) fn decode(object: &ObjectSchema, data: &str, stamps: &str) -> Result<Fields, StoreError> {
    let groups: Vec<Group<'_>> = serde_json::from_str(stamps).map_err(|error| corrupt(object, &error))?;
    let stamp = |(at, kind, source, run, _): &Group<'_>| {
        let at = Timestamp::from_micros(*at);
        let time = match *kind {
            0 => FieldTime::by(at),
            span if span < 0 => FieldTime::between(Some(at.earlier_by(span.saturating_neg())), at),
            _ => FieldTime::certain(at),
        };
        Stamp { time, source: *source, run: *run }
    };
    let mut deserializer = serde_json::Deserializer::from_str(data);
    let values = deserializer.deserialize_map(Values { object }).map_err(|error| corrupt(object, &error))?;
    let rest = groups.last().map(stamp);
    let mut fields = Fields::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let Some(value) = value else {
            fields.push(None);
            continue;
        };
        let name = object.definition.fields[index].name.as_str();
        let own = if groups.len() > 1 {
            groups.iter().find(|group| group.4.contains(&name)).map(stamp)
        } else {
            None
        };
        let stamp = own.or(rest).ok_or_else(|| corrupt(object, &"a value without a stamp"))?;
        fields.push(Some(Stored { value, stamp }));
    }
    Ok(fields)
}

fn corrupt(object: &ObjectSchema, why: &dyn fmt::Display) -> StoreError {
    StoreError::Corrupt { what: format!("a {} of the hub", object.name()), why: why.to_string() }
}

/// Deserialises values directly into their slots.
struct Values<'a> {
    object: &'a ObjectSchema,
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Vec<Option<Value>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a value for each field")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let known = &self.object.definition.fields;
        let mut values = vec![None; known.len()];
        // Values are written in field order, so the next name is nearly always found after the current one.
        let mut from = 0;
        while let Some(name) = map.next_key::<&str>()? {
            let ahead = known[from..].iter().position(|field| field.name == name).map(|ahead| from + ahead);
            match ahead.or_else(|| self.object.index(name)) {
                Some(index) => {
                    values[index] = Some(map.next_value()?);
                    from = index + 1;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(values)
    }
}
