//! Parsing text into values.

use super::super::list::{read_list, write_list};
use super::*;
use entente_core::{Kind, Reference, Timestamp};
use proptest::prelude::*;

fn field(kind: Kind) -> FieldDefinition {
    let mut field = FieldDefinition::new("x", "X", kind);
    if field.kind.is_link() {
        field.targets = vec!["company".into()];
    }
    field
}

fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    parse_value(&field(kind), text, &ParseOptions::default()).map_err(|error| error.0)
}

#[test]
fn what_people_write() {
    let other = |kind: &str, text: &str| Value::Other { kind: kind.into(), text: text.into() };
    let day = |y, m, d| Value::date(y, m, d).unwrap();
    let moment = |text| Value::Timestamp(Timestamp::parse(text).unwrap());
    let long = "x".repeat(65_536);
    let cases = [
        (Kind::Text, "NULL", Value::text("NULL")),
        (Kind::Text, " ", Value::text(" ")),
        (Kind::Text, "", Value::text("")),
        (Kind::Text, "0", Value::text("0")),
        (Kind::Text, "a\0b", Value::text("a\0b")),
        (Kind::Text, long.as_str(), Value::text(long.as_str())),
        (Kind::LongText, " a\nb ", Value::text(" a\nb ")),
        (Kind::Email, " Ada@example.org ", Value::text("Ada@example.org")),
        (Kind::Boolean, "Yes", Value::Boolean(true)),
        (Kind::Boolean, " FALSE ", Value::Boolean(false)),
        (Kind::Boolean, "0", Value::Boolean(false)),
        (Kind::Integer, "0", Value::Integer(0)),
        (Kind::Integer, " -12 ", Value::Integer(-12)),
        (Kind::Integer, "12.0", Value::Integer(12)),
        (Kind::Integer, "9007199254740993", Value::Integer(9_007_199_254_740_993)),
        (Kind::Float, "0.0", Value::Float(0.0)),
        (Kind::Float, "-1e3", Value::Float(-1000.0)),
        (Kind::Decimal, "+0012.50", other("decimal", "12.50")),
        (Kind::Decimal, "-0.00", other("decimal", "0.00")),
        (Kind::Decimal, ".5", other("decimal", "0.5")),
        (Kind::Date, "1969-12-31", day(1969, 12, 31)),
        (Kind::Date, "31.12.2039", day(2039, 12, 31)),
        (Kind::Date, "2040/1/5", day(2040, 1, 5)),
        (Kind::Timestamp, "2040-01-01T01:00:00+01:00", moment("2040-01-01")),
        (Kind::Timestamp, "1969-12-31 23:59:59", moment("1969-12-31 23:59:59")),
        (Kind::Timestamp, "31.01.2020 6:05 PM", moment("2020-01-31 18:05")),
        (Kind::Timestamp, "31.01.2020", moment("2020-01-31")),
        (Kind::Time, "18:00", other("time", "18:00:00")),
        (Kind::Time, "06:00 pm", other("time", "18:00:00")),
        (Kind::Json, " {\"a\": [1]} ", other("json", "{\"a\": [1]}")),
        (Kind::Texts, "a; b ;;c", Value::Texts(vec!["a".into(), "b".into(), "c".into()])),
        (Kind::Texts, "", Value::Texts(vec![])),
        (Kind::Texts, r"C:\tags;a\;b;\e", Value::Texts(vec![r"C:\tags".into(), "a;b".into(), String::new()])),
        (Kind::Reference, "company:12", Value::reference("company", "12").unwrap()),
        (Kind::Reference, "12", Value::reference("company", "12").unwrap()),
        (
            Kind::References,
            "1; company:2",
            Value::References(vec![
                Reference { object: "company".into(), id: "1".into() },
                Reference { object: "company".into(), id: "2".into() },
            ]),
        ),
    ];
    for (kind, text, expected) in cases {
        assert_eq!(parse(kind.clone(), text), Ok(expected), "{kind} {:?}", shown(text));
    }
}

#[test]
fn what_is_no_value_is_refused() {
    let long = "x".repeat(65_537);
    let cases = [
        (Kind::Boolean, "maybe"),
        (Kind::Boolean, ""),
        (Kind::Boolean, "2"),
        (Kind::Integer, ""),
        (Kind::Integer, "1.5"),
        (Kind::Integer, "1,000"),
        (Kind::Integer, "9223372036854775808"),
        (Kind::Integer, "1e3"),
        (Kind::Float, "NaN"),
        (Kind::Float, "inf"),
        (Kind::Float, "1e999"),
        (Kind::Float, "12,5"),
        (Kind::Decimal, "."),
        (Kind::Decimal, "1e3"),
        (Kind::Decimal, "--1"),
        (Kind::Date, "01/02/2020"),
        (Kind::Date, "20-01-31"),
        (Kind::Date, "2020-02-30"),
        (Kind::Date, "NULL"),
        (Kind::Timestamp, "1577836800"),
        (Kind::Timestamp, "yesterday"),
        (Kind::Time, "25:00"),
        (Kind::Time, "23:59:60"),
        (Kind::Json, "{"),
        (Kind::Email, "n/a"),
        (Kind::Email, "a b@example.org"),
        (Kind::Reference, "ACME"),
        (Kind::Reference, "contact:1"),
        (Kind::Reference, "company:007"),
        (Kind::Text, long.as_str()),
    ];
    for (kind, text) in cases {
        let parsed = parse(kind.clone(), text);
        assert!(parsed.is_err(), "{kind} {:?} {parsed:?}", shown(text));
    }
}

#[test]
fn local_ways_of_writing_on_request() {
    let options =
        ParseOptions { decimal_comma: true, date_order: DateOrder::DayFirst, ..ParseOptions::default() };
    assert_eq!(parse_value(&field(Kind::Float), "1.234,5", &options), Ok(Value::Float(1234.5)));
    assert_eq!(parse_value(&field(Kind::Date), "01/02/2020", &options), Ok(Value::date(2020, 2, 1).unwrap()));
    let options = ParseOptions { date_order: DateOrder::MonthFirst, ..options };
    assert_eq!(parse_value(&field(Kind::Date), "01/02/2020", &options), Ok(Value::date(2020, 1, 2).unwrap()));
}

#[test]
fn choices_by_value_or_label() {
    let mut field = field(Kind::Choice);
    field.choices = vec![("gold".into(), "Gold customer".into()), ("tin".into(), "Tin".into())];
    let parse = |text| parse_value(&field, text, &ParseOptions::default());
    assert_eq!(parse("gold"), Ok(Value::text("gold")));
    assert_eq!(parse(" gold CUSTOMER"), Ok(Value::text("gold")));
    assert_eq!(parse(""), Ok(Value::text("")));
    assert!(parse("silver").unwrap_err().0.contains("gold, tin"));
}

proptest! {
    #[test]
    fn nothing_panics(text in any::<String>(), n in 0..Kind::KNOWN.len(), order in 0..3) {
        let date_order = [DateOrder::Unknown, DateOrder::DayFirst, DateOrder::MonthFirst][order as usize];
        let options = ParseOptions { decimal_comma: order == 1, date_order, ..ParseOptions::default() };
        let _ = parse_value(&field(Kind::KNOWN[n].clone()), &text, &options);
    }

    #[test]
    fn lists_come_back(list in prop::collection::vec(r"[a; \\e\t\u{a0}é]{0,5}|\PC{0,6}", 0..5), separator in prop::sample::select(vec![';', ',', '|'])) {
        let text = write_list(list.iter().map(String::as_str), separator);
        prop_assert_eq!(read_list(&text, separator), list, "{}", text);
    }

    #[test]
    fn numbers_and_times_come_back(number in any::<i64>(), float in any::<f64>(), micros in any::<i64>()) {
        prop_assert_eq!(parse(Kind::Integer, &number.to_string()), Ok(Value::Integer(number)));
        if let Ok(value) = Value::float(float) {
            prop_assert_eq!(parse(Kind::Float, &value.to_string()), Ok(value));
        }
        let moment = Timestamp::from_micros(micros);
        prop_assert_eq!(parse(Kind::Timestamp, &moment.to_string()), Ok(Value::Timestamp(moment)));
        let day = moment.to_datetime().date_naive();
        prop_assert_eq!(parse(Kind::Date, &day.to_string()), Ok(Value::Date(day)));
    }
}
