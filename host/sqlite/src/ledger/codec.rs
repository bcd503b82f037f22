//! The encoding of columns that hold several values: compact JSON that omits whatever is at its default.
//!
//! - `agreed`: an array by slot. A plain value stands for both halves; `{"l":…,"r":…}` gives halves that
//!   differ, or of which only one is known; `{}` marks a slot that was never settled. Such slots are cut off at
//!   the end of the array, and an empty array is `NULL`. JSON null is the value null.
//! - `left_seen`, `right_seen`: an array by slot: `null`, or `[value]`, `[value,time]`, `[value,time,true]`
//!   with a certain time, `[value,time,length]` with a span that ends at that time. The time is in microseconds
//!   relative to the record's change time, which it rarely differs from.
//! - `differing`: `[[slot,reason],…]`, `NULL` where no field differs on purpose.
//! - `left_keys`, `right_keys`: `[[rank,text],…]`.
//! - `fields` of a change: an array of `{"s":slot,"v":value}`, with `f` the source's value where it differs,
//!   `b` the base value, `t` a possible or `c` a certain time, `a` the moment after which a possible one lies,
//!   `bt`, `bc` or `ba` the same for the base, `j` joint,
//!   `o` the outcome where it differs from `v`, and the reason where it differs from the previous field's: `y`
//!   a reason of settling, `x` any other.
//! - `reason`, `reason_data`: the code of a reason and its data; both `NULL` without a reason, `reason_data`
//!   also where the code has no data.

use crate::store::StoreError;
use entente_core::{Timestamp, Value, Why};
use entente_sync::{Agreed, ChangedField, FieldReason, FieldTime, MatchKey, Reason, Seen, Slot};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;

fn corrupt(what: &str) -> impl Fn(serde_json::Error) -> StoreError + '_ {
    move |error| StoreError::Corrupt { what: what.to_owned(), why: error.to_string() }
}

/// Serialises a column as JSON.
pub(super) fn encode<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(corrupt(what))
}

/// Reads what [`encode`] wrote.
pub(super) fn decode<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(corrupt(what))
}

/// The column `reason_data` of a reason; `None` where the code has no data. Reasons are serialised as
/// `"code"` or as `{"code":data}`.
pub(super) fn reason_data<T: Serialize>(code: &str, reason: &T) -> Result<Option<String>, StoreError> {
    let text = encode("reason", reason)?;
    let data = text.strip_suffix('}').and_then(|text| text.get(code.len() + r#"{"":"#.len()..));
    Ok(data.map(str::to_owned))
}

/// Reads a reason from its two columns.
pub(super) fn decode_reason<T: for<'a> Deserialize<'a>>(
    code: Option<&str>,
    data: Option<&str>,
) -> Result<Option<T>, StoreError> {
    let Some(code) = code else { return Ok(None) };
    // As a text, so that nothing in it ends the name.
    let code = encode("reason", &code)?;
    match data {
        None => decode("reason", &code),
        Some(data) => decode("reason", &format!("{{{code}:{data}}}")),
    }
    .map(Some)
}

/// A reason as its two columns.
pub(super) fn reason_columns(
    reason: Option<&Reason>,
) -> Result<(Option<&'static str>, Option<String>), StoreError> {
    let Some(reason) = reason else { return Ok((None, None)) };
    let code = reason.code().word();
    Ok((Some(code), reason_data(code, reason)?))
}

/// The list without trailing `None`s; `None` where nothing remains.
fn trimmed<T>(list: &[Option<T>]) -> Option<&[Option<T>]> {
    list.iter().rposition(Option::is_some).map(|last| &list[..=last])
}

/// Encodes the column `agreed`.
pub(super) fn encode_agreed(agreed: &[Option<Agreed>]) -> Result<Option<String>, StoreError> {
    struct Slots<'a>(&'a [Option<Agreed>]);
    struct Slot<'a>(&'a Option<Agreed>);
    impl Serialize for Slots<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(Slot))
        }
    }
    impl Serialize for Slot<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                None => serializer.serialize_map(Some(0))?.end(),
                Some(Agreed { left: Some(left), right: Some(right) }) if left == right => {
                    left.serialize(serializer)
                }
                Some(Agreed { left: None, right: None }) => {
                    let mut map = serializer.serialize_map(Some(1))?;
                    map.serialize_entry("unknown", &true)?;
                    map.end()
                }
                Some(agreed) => agreed.serialize(serializer),
            }
        }
    }
    trimmed(agreed).map(|slots| encode("agreed values", &Slots(slots))).transpose()
}

/// Decodes the column `agreed`.
pub(super) fn decode_agreed(text: Option<&str>) -> Result<Vec<Option<Agreed>>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let slots: Vec<AgreedSlot> = decode("agreed values", text)?;
    Ok(slots.into_iter().map(|slot| slot.0).collect())
}

struct AgreedSlot(Option<Agreed>);

impl AgreedSlot {
    fn both(value: Value) -> Self {
        Self(Some(Agreed { left: Some(value.clone()), right: Some(value) }))
    }
}

impl<'de> Deserialize<'de> for AgreedSlot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AgreedVisitor)
    }
}

struct AgreedVisitor;

impl<'de> Visitor<'de> for AgreedVisitor {
    type Value = AgreedSlot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or an object with the halves l and r")
    }

    fn visit_unit<E: de::Error>(self) -> Result<AgreedSlot, E> {
        Ok(AgreedSlot::both(Value::Null))
    }

    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<AgreedSlot, E> {
        Ok(AgreedSlot::both(Value::Boolean(yes)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<AgreedSlot, E> {
        Ok(AgreedSlot::both(Value::Integer(number)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<AgreedSlot, E> {
        Value::deserialize(number.into_deserializer()).map(AgreedSlot::both)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<AgreedSlot, E> {
        Value::deserialize(number.into_deserializer()).map(AgreedSlot::both)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AgreedSlot, E> {
        Ok(AgreedSlot::both(Value::text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<AgreedSlot, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(AgreedSlot::both)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgreedSlot, A::Error> {
        let mut agreed = Agreed { left: None, right: None };
        let Some(first) = map.next_key::<String>()? else { return Ok(AgreedSlot(None)) };
        if !matches!(first.as_str(), "l" | "r" | "unknown") {
            // The value is itself an object: deserialise it with the key that was already read.
            return Value::deserialize(MapAccessDeserializer::new(WithKey { key: Some(first), rest: map }))
                .map(AgreedSlot::both);
        }
        let mut next = Some(first);
        while let Some(key) = next {
            match key.as_str() {
                "l" => agreed.left = Some(map.next_value()?),
                "r" => agreed.right = Some(map.next_value()?),
                "unknown" => drop(map.next_value::<bool>()?),
                other => return Err(de::Error::unknown_field(other, &["l", "r"])),
            }
            next = map.next_key()?;
        }
        Ok(AgreedSlot(Some(agreed)))
    }
}

/// A map access that replays a first key which was already read.
struct WithKey<A> {
    key: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithKey<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.key.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

/// Encodes a column of seen values; `changed` is the record's change time.
pub(super) fn encode_seen(
    seen: &[Option<Seen>],
    changed: Option<Timestamp>,
) -> Result<Option<String>, StoreError> {
    struct Slots<'a>(&'a [Option<Seen>], i64);
    struct Slot<'a>(&'a Seen, i64);
    impl Serialize for Slots<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(|slot| slot.as_ref().map(|seen| Slot(seen, self.1))))
        }
    }
    impl Serialize for Slot<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(None)?;
            list.serialize_element(&self.0.value)?;
            if let Some(time) = self.0.time {
                list.serialize_element(&time.at.micros().wrapping_sub(self.1))?;
                if time.certain {
                    list.serialize_element(&true)?;
                } else if let Some(after) = time.after {
                    list.serialize_element(&time.at.micros().saturating_sub(after.micros()))?;
                }
            }
            list.end()
        }
    }
    let base = changed.map_or(0, Timestamp::micros);
    trimmed(seen).map(|slots| encode("reported values", &Slots(slots, base))).transpose()
}

/// Decodes a column of seen values.
pub(super) fn decode_seen(
    text: Option<&str>,
    changed: Option<Timestamp>,
) -> Result<Vec<Option<Seen>>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let base = changed.map_or(0, Timestamp::micros);
    let slots: Vec<Option<SeenSlot>> = decode("reported values", text)?;
    let seen = |SeenSlot { value, offset, kind }| {
        let time = offset.map(|offset: i64| {
            let at = Timestamp::from_micros(base.wrapping_add(offset));
            match kind {
                TimeKind::Certain(true) => FieldTime::certain(at),
                TimeKind::Certain(false) => FieldTime::by(at),
                TimeKind::Length(length) => FieldTime::between(Some(at.earlier_by(length)), at),
            }
        });
        Seen { value, time }
    };
    Ok(slots.into_iter().map(|slot| slot.map(seen)).collect())
}

struct SeenSlot {
    value: Value,
    offset: Option<i64>,
    kind: TimeKind,
}

/// The third element of a seen value: whether the time is certain, or how long the span is that ends with it.
#[derive(Deserialize)]
#[serde(untagged)]
enum TimeKind {
    Certain(bool),
    Length(i64),
}

impl<'de> Deserialize<'de> for SeenSlot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SeenVisitor;
        impl<'de> Visitor<'de> for SeenVisitor {
            type Value = SeenSlot;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of a value, a time, and whether it is certain or how long its span is")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<SeenSlot, A::Error> {
                let value = list.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let offset = list.next_element()?;
                let kind = list.next_element()?.unwrap_or(TimeKind::Certain(false));
                Ok(SeenSlot { value, offset, kind })
            }
        }
        deserializer.deserialize_seq(SeenVisitor)
    }
}

/// Encodes the keys of a side.
pub(super) fn encode_keys(keys: &[MatchKey]) -> Result<Option<String>, StoreError> {
    if keys.is_empty() {
        return Ok(None);
    }
    let list: Vec<(u32, &str)> = keys.iter().map(|key| (key.rank, key.text.as_str())).collect();
    encode("keys", &list).map(Some)
}

/// Decodes the keys of a side.
pub(super) fn decode_keys(text: Option<&str>) -> Result<Vec<MatchKey>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let list: Vec<(u32, String)> = decode("keys", text)?;
    Ok(list.into_iter().map(|(rank, text)| MatchKey { rank, text }).collect())
}

/// Keeps JSON null as the value null, so that only a missing key is `None`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Encodes the fields of a change.
pub(super) fn encode_fields(fields: &[ChangedField]) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Field<'a> {
        s: Slot,
        v: &'a Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        f: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        t: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        c: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bt: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bc: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ba: Option<i64>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        j: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        o: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        y: Option<Why>,
        #[serde(skip_serializing_if = "Option::is_none")]
        x: Option<&'a FieldReason>,
    }
    let mut before = None;
    let list: Vec<Field<'_>> = fields
        .iter()
        .map(|field| {
            let reason = Some(&field.reason).filter(|reason| before != Some(*reason));
            before = Some(&field.reason);
            let (y, x) = match reason {
                Some(FieldReason::Judge(why)) => (Some(*why), None),
                other => (None, other),
            };
            Field {
                s: field.slot,
                v: &field.value,
                f: (field.source != field.value).then_some(&field.source),
                b: field.base.as_ref(),
                t: field.time.filter(|time| !time.certain).map(|time| time.at.micros()),
                c: field.time.filter(|time| time.certain).map(|time| time.at.micros()),
                a: field.time.and_then(|time| time.after).map(Timestamp::micros),
                bt: field.base_time.filter(|time| !time.certain).map(|time| time.at.micros()),
                bc: field.base_time.filter(|time| time.certain).map(|time| time.at.micros()),
                ba: field.base_time.and_then(|time| time.after).map(Timestamp::micros),
                j: field.joint,
                o: field.stored.as_ref(),
                y,
                x,
            }
        })
        .collect();
    encode("fields of a change", &list)
}

/// Decodes the fields of a change.
pub(super) fn decode_fields(text: &str) -> Result<Vec<ChangedField>, StoreError> {
    #[derive(Deserialize)]
    struct Field {
        s: Slot,
        v: Value,
        #[serde(default, deserialize_with = "present")]
        f: Option<Value>,
        #[serde(default, deserialize_with = "present")]
        b: Option<Value>,
        t: Option<i64>,
        c: Option<i64>,
        a: Option<i64>,
        bt: Option<i64>,
        bc: Option<i64>,
        ba: Option<i64>,
        #[serde(default)]
        j: bool,
        #[serde(default, deserialize_with = "present")]
        o: Option<Value>,
        y: Option<Why>,
        x: Option<FieldReason>,
    }
    let list: Vec<Field> = decode("fields of a change", text)?;
    let mut before = FieldReason::Judge(Why::NotDelivered);
    Ok(list
        .into_iter()
        .map(|field| {
            let moment = |possible: Option<i64>, certain: Option<i64>, after: Option<i64>| match certain {
                Some(at) => Some(FieldTime::certain(Timestamp::from_micros(at))),
                None => possible.map(|by| {
                    FieldTime::between(after.map(Timestamp::from_micros), Timestamp::from_micros(by))
                }),
            };
            if let Some(reason) = field.y.map(FieldReason::Judge).or(field.x) {
                before = reason;
            }
            ChangedField {
                slot: field.s,
                source: field.f.unwrap_or_else(|| field.v.clone()),
                value: field.v,
                base: field.b,
                time: moment(field.t, field.c, field.a),
                base_time: moment(field.bt, field.bc, field.ba),
                joint: field.j,
                stored: field.o,
                reason: before.clone(),
            }
        })
        .collect())
}
