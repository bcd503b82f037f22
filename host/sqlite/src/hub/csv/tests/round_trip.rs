//! Round trip: an import of an export restores the values.

use super::*;
use crate::hub::FieldDefinition;
use crate::hub::csv::decode::Source;
use crate::hub::csv::rows::Rows;
use crate::hub::tests::awkward_texts;
use entente_core::{Kind, Reference, Timestamp};
use proptest::prelude::*;

/// Defines a field of every kind.
async fn with_every_kind(hub: &Hub) {
    for kind in Kind::KNOWN {
        let mut field = FieldDefinition::new(
            format!("x_{}", kind.as_str().replace('-', "_")),
            kind.as_str(),
            kind.clone(),
        );
        if kind.is_link() {
            field.targets = vec!["company".into(), "contact".into()];
        }
        if kind.is_choice() {
            field.choices = vec![("a;b".into(), "A".into()), (" c".into(), "a;b".into())];
        }
        hub.define_field("contact", &field).await.unwrap();
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(awkward_texts()), any::<String>(), r#"[ a"',;\n\r\t\\=]{0,8}"#]
}

/// A value of the kind; references point to the first two companies.
fn any_value(kind: &Kind) -> BoxedStrategy<Value> {
    let choice = || prop::sample::select(vec!["a;b".to_owned(), " c".to_owned(), String::new()]);
    let link = || {
        prop::sample::select(vec!["1", "2", "3"])
            .prop_map(|id| Reference { object: "company".into(), id: id.into() })
    };
    let moment = || any::<i64>().prop_map(Timestamp::from_micros);
    let other = |text: &str| Value::Other { kind: kind.as_str().into(), text: text.into() };
    let value = match kind {
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
        Kind::Float => any::<f64>().prop_filter_map("finite", |number| Value::float(number).ok()).boxed(),
        Kind::Email => prop::sample::select(vec!["a@example.org", "É@x", ""]).prop_map(Value::text).boxed(),
        Kind::Text | Kind::LongText | Kind::Phone | Kind::Url | Kind::Other(_) => {
            any_text().prop_map(Value::Text).boxed()
        }
        Kind::Date => moment().prop_map(|moment| Value::Date(moment.to_datetime().date_naive())).boxed(),
        Kind::Timestamp => moment().prop_map(Value::Timestamp).boxed(),
        Kind::Texts => prop::collection::vec(any_text(), 0..4).prop_map(Value::Texts).boxed(),
        Kind::Choice => choice().prop_map(Value::Text).boxed(),
        Kind::Choices => prop::collection::vec(choice(), 0..3).prop_map(Value::Texts).boxed(),
        Kind::Reference => link().prop_map(Value::Reference).boxed(),
        Kind::References => prop::collection::vec(link(), 0..3).prop_map(Value::References).boxed(),
        Kind::Decimal => Just(other("-12.50")).boxed(),
        Kind::Time => Just(other("23:59:59.000001")).boxed(),
        Kind::Json => Just(other("{\"a\":[\"x,\\\"y\",null]}")).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 5 => value].boxed()
}

fn any_record() -> impl Strategy<Value = Vec<(String, Value)>> {
    let field = |kind: &'static Kind| {
        any_value(kind).prop_map(move |value| (format!("x_{}", kind.as_str().replace('-', "_")), value))
    };
    Kind::KNOWN.iter().map(field).collect::<Vec<_>>()
}

/// The value that a cell restores: the empty text and the empty list become null.
fn cell(value: &Value) -> &Value {
    if value.is_blank() { &Value::Null } else { value }
}

/// The number of line ends in a text.
fn lines(text: &[u8]) -> u64 {
    String::from_utf8_lossy(text).replace("\r\n", "\n").matches(['\r', '\n']).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_back(records in prop::collection::vec(any_record(), 1..4), delimiter in prop::sample::select(vec![',', ';', '\t']), by_id in any::<bool>(), mark in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (from, to) = (hub(), hub());
            for hub in [&from, &to] {
                with_every_kind(hub).await;
                for name in ["ACME; \"Inc\" \\", "company:1", "twice", "Twice"] {
                    hub.create("company", &values(&[("name", Value::text(name))])).await.unwrap();
                }
            }
            for record in &records {
                from.create("contact", record).await.unwrap();
            }
            let options = ExportOptions { delimiter, references_by_id: by_id, byte_order_mark: mark, ..ExportOptions::new("contact") };
            let file = export(&from, &options).await;
            let report = import(&to, &file, &ImportOptions::new("contact")).await.unwrap();
            prop_assert!(report.bad.is_empty(), "{:?}", report.bad);
            let there = all(&to, "contact").await;
            for (n, before) in all(&from, "contact").await.iter().enumerate() {
                // A record without values is exported as a blank row.
                if before.fields.iter().all(|field| cell(&field.value).to_string().trim().is_empty()) {
                    return Ok(());
                }
                for (before, after) in before.fields.iter().zip(&there[n].fields) {
                    prop_assert_eq!(cell(&before.value), &after.value, "{}", before.name);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn rows_are_found_with_the_lines_they_begin_on(rows in prop::collection::vec(prop::collection::vec(any_text(), 3), 1..6), always in any::<bool>()) {
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer = csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
        let mut numbers = Vec::new();
        for row in &rows {
            writer.flush().unwrap();
            numbers.push(lines(writer.get_ref()) + 1);
            writer.write_record(row).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let mut reader = Rows::new(Source::open(file.as_slice(), Some("utf-8")).unwrap(), b',', 0);
        let (mut read, mut found) = (Vec::new(), Vec::new());
        while let Some(line) = reader.next().unwrap() {
            prop_assert!(!line.open_quote);
            found.push(line.number);
            read.push(line.cells.iter().map(str::to_owned).collect::<Vec<_>>());
        }
        prop_assert_eq!(found, numbers);
        // A byte order mark at the very beginning of the text is read as such.
        if !rows[0][0].starts_with('\u{feff}') {
            prop_assert_eq!(read, rows);
        }
    }

    #[test]
    fn no_file_makes_it_panic(file in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b",;\"\n\r a\0".to_vec())], 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut bytes = b"email,first_name,points,tags\n".to_vec();
            bytes.extend(&file);
            let _ = import(&hub(), &bytes, &ImportOptions::new("contact")).await;
            let _ = import(&hub(), &file, &ImportOptions::new("contact")).await;
        });
    }
}

#[tokio::test]
async fn exports_chosen_fields_records_and_columns() {
    let hub = hub();
    contacts(&hub, "email,city,phone,tags\na@example.org,Oslo,+47 1,a;b\nb@example.org,Rome,=1+1,\n").await;
    let options = ExportOptions {
        fields: vec!["phone".into(), "email".into(), "tags".into()],
        id: true,
        changed: true,
        ..ExportOptions::new("contact")
    };
    let expected = "id,phone,email,tags,changed\r\n1,+47 1,a@example.org,a;b,2020-01-01T00:00:00.000002Z\r\n2,=1+1,b@example.org,,2020-01-01T00:00:00.000002Z\r\n";
    assert_eq!(export(&hub, &options).await, expected);
    let query = ListQuery { filter: values(&[("city", Value::text("Rome"))]), ..ListQuery::default() };
    let options = ExportOptions {
        fields: vec!["phone".into()],
        query,
        guard_formulas: true,
        byte_order_mark: true,
        delimiter: ';',
        ..ExportOptions::new("contact")
    };
    assert_eq!(export(&hub, &options).await, "\u{feff}phone\r\n'=1+1\r\n");
    let error = export_csv(
        &hub,
        Vec::new(),
        &ExportOptions { fields: vec!["nonsense".into()], ..ExportOptions::new("contact") },
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("no field 'nonsense'"), "{error}");
    assert!(
        export_csv(&hub, Vec::new(), &ExportOptions { delimiter: '"', ..ExportOptions::new("contact") })
            .await
            .is_err()
    );
    let blank = ExportOptions { fields: vec!["website".into()], ..ExportOptions::new("contact") };
    assert_eq!(export(&hub, &blank).await, "website\r\n\"\"\r\n\"\"\r\n");
}

#[tokio::test]
async fn an_export_with_ids_goes_back_onto_the_same_records() {
    let hub = hub();
    let twins = ImportOptions { key: ImportKey::None, ..ImportOptions::new("contact") };
    import(&hub, "first_name,company\nAda,ACME\nAda,ACME\n", &twins).await.unwrap();
    let file =
        export(&hub, &ExportOptions { id: true, changed: true, ..ExportOptions::new("contact") }).await;
    assert!(file.contains("ACME"), "{file}");
    let options = ImportOptions { key: ImportKey::Id, empty: Empty::Clear, ..ImportOptions::new("contact") };
    assert_eq!(counts(&import(&hub, &file, &options).await.unwrap()), [2, 0, 0, 2, 0, 0]);
}
