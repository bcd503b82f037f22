//! Column encodings: round trips, and their stored form.

use super::*;
use crate::ledger::codec::*;
use entente_core::{Basis, Reference, Why};
use proptest::prelude::*;

fn any_value() -> impl Strategy<Value = Value> {
    let link = ("[a-z]{1,3}", "\\PC{1,4}").prop_map(|(object, id)| Reference { object, id });
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<f64>().prop_filter_map("finite", |n| Value::float(n).ok()),
        any::<String>().prop_map(Value::Text),
        (-9999i32..9999, 1u8..13, 1u8..29).prop_map(|(y, m, d)| Value::date(y, m, d).unwrap()),
        any_moment().prop_map(Value::Timestamp),
        prop::collection::vec(any::<String>(), 0..4).prop_map(Value::Texts),
        link.clone().prop_map(Value::Reference),
        prop::collection::vec(link, 0..3).prop_map(Value::References),
        any::<(String, String)>().prop_map(|(kind, text)| Value::Other { kind, text }),
    ]
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn any_time() -> impl Strategy<Value = FieldTime> {
    (any_moment(), any::<bool>(), prop::option::of(1i64..1_000_000_000)).prop_map(|(at, certain, length)| {
        if certain {
            FieldTime::certain(at)
        } else {
            FieldTime::between(length.map(|length| at.earlier_by(length)), at)
        }
    })
}

fn any_agreed() -> impl Strategy<Value = Agreed> {
    prop_oneof![
        any_value().prop_map(both),
        (prop::option::of(any_value()), prop::option::of(any_value()))
            .prop_map(|(left, right)| Agreed { left, right }),
    ]
}

fn any_seen() -> impl Strategy<Value = Seen> {
    (any_value(), prop::option::of(any_time())).prop_map(|(value, time)| Seen { value, time })
}

fn any_reason() -> impl Strategy<Value = FieldReason> {
    prop_oneof![
        Just(FieldReason::Judge(Why::NewRecord)),
        Just(FieldReason::Judge(Why::Judged(Side::Left, Basis::SameTime))),
        Just(FieldReason::Default),
        "[ab]{0,1}".prop_map(|text| FieldReason::Earlier { text }),
    ]
}

fn any_field() -> impl Strategy<Value = ChangedField> {
    (
        0usize..9,
        any_value(),
        prop::option::of(any_value()),
        prop::option::of(any_value()),
        prop::option::of(any_time()),
        any_reason(),
    )
        .prop_map(|(slot, value, source, base, time, reason)| ChangedField {
            slot: Slot(slot),
            source: source.unwrap_or_else(|| value.clone()),
            value,
            base,
            time,
            base_time: time,
            joint: slot % 2 == 1,
            stored: (slot % 3 == 1).then_some(Value::Null),
            reason,
        })
}

/// What decoding returns: the list without trailing `None`s.
fn trimmed<T: Clone>(mut list: Vec<Option<T>>) -> Vec<Option<T>> {
    while list.last().is_some_and(Option::is_none) {
        list.pop();
    }
    list
}

proptest! {
    #[test]
    fn agreed_comes_back(agreed in prop::collection::vec(prop::option::of(any_agreed()), 0..6)) {
        let text = encode_agreed(&agreed).unwrap();
        prop_assert_eq!(decode_agreed(text.as_deref()).unwrap(), trimmed(agreed));
    }

    #[test]
    fn seen_comes_back(seen in prop::collection::vec(prop::option::of(any_seen()), 0..6), changed in prop::option::of(any_moment())) {
        let text = encode_seen(&seen, changed).unwrap();
        prop_assert_eq!(decode_seen(text.as_deref(), changed).unwrap(), trimmed(seen));
    }

    #[test]
    fn fields_come_back(fields in prop::collection::vec(any_field(), 0..6)) {
        let text = encode_fields(&fields).unwrap();
        prop_assert_eq!(decode_fields(&text).unwrap(), fields);
    }

    #[test]
    fn keys_come_back(keys in prop::collection::vec((any::<u32>(), any::<String>()), 0..4)) {
        let keys: Vec<MatchKey> = keys.into_iter().map(|(rank, text)| MatchKey { rank, text }).collect();
        let text = encode_keys(&keys).unwrap();
        prop_assert_eq!(decode_keys(text.as_deref()).unwrap(), keys);
    }
}

#[test]
fn what_is_plain_is_short() {
    let agreed = vec![
        Some(both(Value::text("Ada"))),
        None,
        Some(both(Value::Null)),
        Some(Agreed { left: Some(Value::Null), right: None }),
        None,
    ];
    assert_eq!(encode_agreed(&agreed).unwrap().as_deref(), Some(r#"["Ada",{},null,{"l":null}]"#));
    assert_eq!(encode_agreed(&[None, None]).unwrap(), None);

    let time = |certain| Some(FieldTime { at: at(5), certain, after: None });
    let seen = vec![
        Some(Seen { value: Value::text("Ada"), time: time(false) }),
        None,
        Some(Seen { value: Value::Null, time: time(true) }),
        Some(Seen { value: Value::Integer(1), time: None }),
    ];
    assert_eq!(
        encode_seen(&seen, Some(at(5))).unwrap().as_deref(),
        Some(r#"[["Ada",0],null,[null,0,true],[1]]"#)
    );

    let field = |slot, text: &str| ChangedField {
        slot,
        value: Value::text(text),
        source: Value::text(text),
        base: None,
        time: None,
        base_time: None,
        joint: false,
        stored: None,
        reason: Why::OnlyChange(Side::Left).into(),
    };
    let fields = [field(Slot(0), "Ada"), field(Slot(1), "b")];
    assert_eq!(
        encode_fields(&fields).unwrap(),
        r#"[{"s":0,"v":"Ada","y":{"only-change":"left"}},{"s":1,"v":"b"}]"#
    );
}

#[test]
fn what_cannot_be_read_is_said_and_does_not_panic() {
    for text in ["", "{", "[{\"x\":1}]", "[[1]]", "[{\"l\":1,\"z\":2}]", "7"] {
        assert!(decode_agreed(Some(text)).is_err(), "{text}");
    }
    for text in ["", "[[]]", "[[1,2,\"3\"]]", "[1]", "[[1,2,true,4]]"] {
        assert!(decode_seen(Some(text), None).is_err(), "{text}");
    }
    assert!(decode_fields("[{\"s\":-1,\"v\":1}]").is_err());
}
