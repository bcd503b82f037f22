//! What files of other programs have, and what came of it: findings by their number.

use super::*;
use crate::hub::tests::at;
use crate::hub::{DateOrder, FieldDefinition};
use entente_core::{Foreign, Kind};
use entente_sync::FieldTime;

fn texts_of(note: &ImportReport) -> Vec<String> {
    note.notes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn f1_a_row_with_too_few_cells_is_refused_and_another_delimiter_is_told() {
    let hub = hub();
    let file = "First Name;Surname;E-Mail;City\nAda;Ek;ada@example.org;Oslo\nshort;row\nwhole line\n\
        Bo,Holm,bo@example.org,Rome\nCy,Lund,cy@example.org,Bern\nDi;Moe;di@example.org;\n";
    let report = contacts(&hub, file).await;
    assert_eq!(counts(&report), [6, 2, 0, 0, 4, 0], "{report:?}");
    let few = BadCode::TooFewCells;
    assert_eq!(reasons(&report), [(3, few), (4, few), (5, few), (6, few)]);
    assert!(report.bad[0].reason.contains("the row has 2 cells, the header 4"), "{:?}", report.bad[0]);
    assert!(report.bad[1].reason.contains("the row has 1 cell,"), "{:?}", report.bad[1]);
    assert!(
        report.notes.contains(&ImportNote::OtherDelimiter { delimiter: ',', rows: 2 }),
        "{:?}",
        report.notes
    );
    assert_eq!(report.refusals, [RefusalCount { code: few, column: None, rows: 4, needed: false }]);
    // Columns without a name at the end need no cells.
    let report = contacts(&hub, "email,city,,\nx@example.org,Oslo\n").await;
    assert_eq!(counts(&report), [1, 1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn f2_rows_that_nothing_identifies_are_told_and_the_same_row_is_the_same_record() {
    let hub = hub();
    let file = "First Name,Last Name,Email,Phone Number,Tags\nNo,Mail,,+47 22 00 00 01,b;a\nAda,Ek,ada@example.org,,\n";
    let report = contacts(&hub, file).await;
    assert_eq!((counts(&report), report.unrecognised), ([2, 2, 0, 0, 0, 0], 1));
    assert!(told(&report, "1 new record was made of a row in which nothing identifies a record (no email)"));
    let again = file.replace("b;a", "a;b");
    let report = contacts(&hub, &again).await;
    assert_eq!((counts(&report), report.unrecognised), ([2, 0, 0, 2, 0, 0], 0), "{report:?}");
    // Another value makes another record, and so does one that the file does not have.
    let report = contacts(&hub, file.replace("No,Mail", "Nono,Mail")).await;
    assert_eq!((counts(&report), report.unrecognised), ([2, 1, 0, 1, 0, 0], 1));
    let report = contacts(&hub, "First Name,Last Name\nNo,Mail\nNo,Mail\nNo,Body\n").await;
    assert_eq!(counts(&report), [3, 1, 0, 2, 0, 0], "{report:?}");
    // A dry run counts in the same way, also across batches.
    let dry = ImportOptions { dry_run: true, batch: 1, ..ImportOptions::new("contact") };
    let report = import(&hub, "First Name,Email\nNew,\nNew,\nNewer,\n", &dry).await.unwrap();
    assert_eq!(counts(&report), [3, 2, 0, 1, 0, 0], "{report:?}");
    let none = ImportOptions { key: ImportKey::None, ..ImportOptions::new("contact") };
    let report = import(&hub, file, &none).await.unwrap();
    assert_eq!((counts(&report), report.unrecognised), ([2, 2, 0, 0, 0, 0], 0), "as it was asked for");
}

#[tokio::test]
async fn f2_an_alternative_key_finds_what_the_key_does_not() {
    let hub = hub();
    contacts(&hub, "first_name,last_name,email,phone\nAda,Ek,ada@example.org,+46 1\nBo,Ek,,+46 2\nCy,Lund,cy@example.org,+46 1\n").await;
    let or_key = |keys: &[&[&str]]| ImportOptions {
        or_key: keys.iter().map(|key| key.iter().map(|field| (*field).to_owned()).collect()).collect(),
        ..ImportOptions::new("contact")
    };
    let options = or_key(&[&["phone", "last_name"]]);
    let file = "last_name,email,phone,city\nEK,,0046-1,Oslo\nek,bo@example.org,+46 2,Rome\nLund,other@example.org,+46 1,Bern\nMoe,,+46 1,Wien\n";
    for dry_run in [true, false] {
        let report = import(&hub, file, &ImportOptions { dry_run, ..options.clone() }).await.unwrap();
        assert_eq!(counts(&report), [4, 2, 2, 0, 0, 0], "{dry_run}: {report:?}");
        assert_eq!(report.unrecognised, 0);
    }
    let cities = column(&hub, "contact", "city").await;
    assert_eq!(
        cities,
        texts(&["Oslo", "Rome"])
            .into_iter()
            .chain([Value::Null])
            .chain(texts(&["Bern", "Wien"]))
            .collect::<Vec<_>>()
    );
    assert_eq!(column(&hub, "contact", "email").await[1], Value::text("bo@example.org"));
    // What was made by the same file is found too, and several are not chosen from.
    let report =
        import(&hub, "phone,last_name,city\n+47 9,New,Oslo\n+47 9,new,Rome\n", &options).await.unwrap();
    assert_eq!(counts(&report), [2, 1, 1, 0, 0, 0], "{report:?}");
    let report = import(&hub, "phone,city\n+46 1,x\n", &or_key(&[&["phone"]])).await.unwrap();
    assert_eq!(reasons(&report), [(2, BadCode::SeveralRecords)], "{report:?}");
    let error = import(&hub, "phone,city\n+46 1,x\n", &options).await.unwrap_err().to_string();
    assert!(error.contains("known by last_name"), "{error}");
}

#[tokio::test]
async fn f3_what_stands_under_a_table_is_no_record() {
    let hub = hub();
    let file = "\"First Name\",\"Last Name\",\"Email\",\"Account Name\"\n\"Ada\",\"Ek\",\"ada@example.org\",\"Fjord AB\"\n\n\n\
        \"Contacts by Account\"\n\"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved.\"\n\"Confidential Information - Do Not Distribute\"\n\"Generated By: Bo Holm  11/30/2026\"\n";
    let report = contacts(&hub, file).await;
    assert_eq!(counts(&report), [1, 1, 0, 0, 0, 2], "{report:?}");
    assert!(told(
        &report,
        "4 rows under the table are no records and were not read, the first on line 5: 'Contacts by Account'"
    ));
    // Filled up with empty cells, as a spreadsheet program writes it.
    let file = "email,first_name,city\na@example.org,Ada,Oslo\n,,\nGenerated by Bo Holm,,\n";
    assert_eq!(counts(&contacts(&hub, file).await), [1, 1, 0, 0, 0, 1]);
    // A row that more rows follow is no end of a table, and neither is a person.
    let file =
        "email,first_name,city\na@example.org,Ada,Oslo\n\nalone\nb@example.org,Bo,Oslo\n\nc@example.org,,\n";
    let report = contacts(&hub, file).await;
    assert_eq!((counts(&report), reasons(&report)), ([4, 2, 0, 1, 1, 2], vec![(4, BadCode::TooFewCells)]));
}

#[tokio::test]
async fn f4_a_field_that_no_record_can_be_without_is_missed_before_the_first_row() {
    let hub = hub();
    let file = "Firm of theirs,phone,website\nFjord AB,+47 1,https://fjord.example\n";
    let error = import(&hub, file, &ImportOptions::new("company")).await.unwrap_err();
    assert!(matches!(&error, CsvError::Lacking { field, .. } if field == "name"), "{error}");
    assert!(error.to_string().contains("the columns are Firm of theirs, phone, website"), "{error}");
    assert_eq!(all(&hub, "company").await.len(), 0);
    let mapped = ImportOptions {
        map: vec![("Firm of theirs".into(), "name".into())],
        ..ImportOptions::new("company")
    };
    assert_eq!(import(&hub, file, &mapped).await.unwrap().created, 1);
    let report =
        import(&hub, file.replace("Firm of theirs", "Account Name"), &ImportOptions::new("company")).await;
    assert_eq!(report.unwrap().unchanged, 1);

    let mut number = FieldDefinition::new("number", "Number", Kind::Text);
    number.required = true;
    hub.define_field("contact", &number).await.unwrap();
    let file = "email,city\na@example.org,Oslo\n";
    let error = import(&hub, file, &ImportOptions::new("contact")).await.unwrap_err();
    assert!(matches!(&error, CsvError::Lacking { field, .. } if field == "number"), "{error}");
    hub.create("contact", &values(&[("email", Value::text("a@example.org")), ("number", Value::text("1"))]))
        .await
        .unwrap();
    let update = ImportOptions { only: Only::Update, ..ImportOptions::new("contact") };
    let report = import(&hub, "email,city\na@example.org,Oslo\nb@example.org,Rome\n", &update).await.unwrap();
    assert_eq!((counts(&report), report.passed), ([2, 0, 1, 0, 0, 0], 1));
    assert!(told(&report, "1 row would be a new record and was passed over"), "{report:?}");
}

#[tokio::test]
async fn f5_a_first_line_that_is_a_record_is_noticed_and_can_be_read_as_one() {
    let hub = hub();
    let file = "ann@example.org,Ann\nbob@example.org,Bob\ncid@example.org,Cid\n";
    let map = vec![("#1".to_owned(), "email".to_owned()), ("#2".to_owned(), "first_name".to_owned())];
    let options = ImportOptions { map: map.clone(), ..ImportOptions::new("contact") };
    for options in [&options, &ImportOptions::new("contact")] {
        let error = import(&hub, file, options).await.unwrap_err();
        let CsvError::HeaderIsRecord { cell, what } = &error else { panic!("{error}") };
        assert_eq!((cell.as_data(), *what), ("ann@example.org", "an e-mail address"));
    }
    assert_eq!(all(&hub, "contact").await.len(), 0);
    let options = ImportOptions { no_header: true, ..options };
    let report = import(&hub, file, &options).await.unwrap();
    assert_eq!((counts(&report), report.delimiter), ([3, 3, 0, 0, 0, 0], ','));
    assert_eq!(column(&hub, "contact", "first_name").await, texts(&["Ann", "Bob", "Cid"]));
    // Lists and dates are looked at from the first line on.
    let file = "x@example.org|vip, press\n";
    let map = vec![("#1".to_owned(), "email".to_owned()), ("#2".to_owned(), "tags".to_owned())];
    let options =
        ImportOptions { no_header: true, map, delimiter: Some('|'), ..ImportOptions::new("contact") };
    import(&hub, file, &options).await.unwrap();
    assert_eq!(column(&hub, "contact", "tags").await[3], Value::Texts(vec!["vip".into(), "press".into()]));
    // A name with digits in it is a name.
    assert_eq!(contacts(&hub, "E-mail 1 - Value,Phone 1 - Value\ny@example.org,1\n").await.created, 1);
}

#[tokio::test]
async fn f6_f7_times_are_those_of_rows_unless_they_are_said_to_be_those_of_fields() {
    let time = Timestamp::parse("2019-01-01").unwrap();
    let file = "email,city,Last Modified Date\na@example.org,Oslo,2019-01-01\n";
    for (field_times, expected) in [(false, FieldTime::by(time)), (true, FieldTime::certain(time))] {
        let hub = hub();
        let options = ImportOptions { field_times, ..ImportOptions::new("contact") };
        let report = import(&hub, file, &options).await.unwrap();
        let record = &all(&hub, "contact").await[0];
        assert!(record.fields.iter().flat_map(|field| field.time).all(|time| time == expected));
        let column: Foreign = "Last Modified Date".into();
        let weighing =
            if field_times { Weighing::FieldTimes { column } } else { Weighing::RowTimes { column } };
        assert_eq!(report.weighing, weighing);
        assert!(told(&report, if field_times { "the later edit wins" } else { "came to be then or before" }));
    }
    // Without times the import is the upper bound, and no lower one is known; or the day that the options give.
    let hub = hub();
    let report = contacts(&hub, "email,city\nb@example.org,Oslo\n").await;
    assert_eq!((report.weighing.clone(), report.undated), (Weighing::Import, 1));
    assert_eq!(all(&hub, "contact").await[0].fields[2].time, Some(FieldTime::by(at(NOW + 2))));
    let options = ImportOptions { as_of: Some(time), ..ImportOptions::new("contact") };
    let report = import(&hub, "email,city\nc@example.org,Oslo\n", &options).await.unwrap();
    assert_eq!(report.weighing, Weighing::AsOf { at: time });
}

#[tokio::test]
async fn f8_lists_in_quotes_and_commas_are_lists() {
    let lists = |values: &[&[&str]]| -> Vec<Value> {
        let list = |texts: &&[&str]| Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
        values.iter().map(list).collect()
    };
    /// A file, the lists that it has, and what was found to separate them.
    type Case = (&'static str, &'static [&'static [&'static str]], Option<char>);
    let cases: [Case; 6] = [
        // Mailchimp
        (
            "Email Address,TAGS\na@example.org,\"\"\"vip\"\",\"\"news letter\"\"\"\nb@example.org,\"\"\"vip\"\"\"\n",
            &[&["vip", "news letter"], &["vip"]],
            Some(','),
        ),
        // Shopify
        (
            "Email,Tags\na@example.org,\"vip, wholesale\"\nb@example.org,vip\n",
            &[&["vip", "wholesale"], &["vip"]],
            Some(','),
        ),
        // Odoo
        ("Email,Tags\na@example.org,\"Prospects,Gold\"\n", &[&["Prospects", "Gold"]], Some(',')),
        // Google
        ("Email,Labels\na@example.org,Friends ::: * starred\n", &[&["Friends", "* starred"]], Some(':')),
        // A semicolon says what separates, and so does what this program writes.
        (
            "email,tags\na@example.org,\"a, b;c\"\nb@example.org,\"d, e\"\n",
            &[&["a, b", "c"], &["d, e"]],
            None,
        ),
        ("email,tags\na@example.org,\"a\\, b\"\nb@example.org,\"d, e\"\n", &[&["a, b"], &["d, e"]], None),
    ];
    for (file, expected, separator) in cases {
        let hub = hub();
        let report = contacts(&hub, file).await;
        assert_eq!(column(&hub, "contact", "tags").await, lists(expected), "{file}");
        let found = report.notes.iter().find_map(|note| match note {
            ImportNote::ListSeparator { separator, .. } => Some(*separator),
            _ => None,
        });
        assert_eq!(found, separator, "{file}");
    }
    let hub = hub();
    let options = ImportOptions { list_separator: Some(';'), ..ImportOptions::new("contact") };
    let report = import(&hub, "email,tags\na@example.org,\"a, b\"\n", &options).await.unwrap();
    assert_eq!((report.created, column(&hub, "contact", "tags").await), (1, lists(&[&["a, b"]])));
}

#[tokio::test]
async fn f9_an_address_is_one_and_of_several_the_first_is_taken_and_told() {
    let hub = hub();
    let file = "email\ntwo@x.example;second@x.example\nmailto:to@x.example\n<angle@x.example>\n'q@x.example'\n\"tail@x.example,\"\ndot@x.example.\nAda Ek <ada@x.example>\n\"\"\"Ek, Bo\"\" <bo@x.example>, cy@x.example\"\na@@x.example\na@x..example\na@b@c.example\n";
    let options = ImportOptions { delimiter: Some(','), ..ImportOptions::new("contact") };
    let report = import(&hub, file, &options).await.unwrap();
    let read = texts(&[
        "two@x.example",
        "to@x.example",
        "angle@x.example",
        "q@x.example",
        "tail@x.example",
        "dot@x.example",
        "ada@x.example",
        "bo@x.example",
    ]);
    assert_eq!(column(&hub, "contact", "email").await, read);
    let value = BadCode::Value;
    assert_eq!(reasons(&report), [(10, value), (11, value), (12, value)]);
    let several = ImportNote::SeveralAddresses { column: "email".into(), cells: 2, line: 2 };
    assert!(report.notes.contains(&several), "{:?}", report.notes);
    assert_eq!(import(&hub, file, &options).await.unwrap().unchanged, 8);
}

#[tokio::test]
async fn f10_the_guard_against_formulas_is_taken_off_again() {
    let from = hub();
    let file = "email,first_name,last_name,phone,mobile,tags,company\na@example.org,=1+1,'=x,+46 70 12,-,+x;@y,=Firm\nb@example.org,O'Hara,'quoted',@phone,+1,,\n";
    let options = ImportOptions { list_separator: Some(';'), ..ImportOptions::new("contact") };
    import(&from, file.replace("'=x", "''=x"), &options).await.unwrap();
    assert_eq!(column(&from, "contact", "last_name").await, texts(&["'=x", "'quoted'"]));
    for guard_formulas in [true, false] {
        let written = export(&from, &ExportOptions { guard_formulas, ..ExportOptions::new("contact") }).await;
        assert_eq!(written.contains("'=1+1"), guard_formulas, "{written}");
        assert!(
            !written.contains("'+46") && written.contains("''=x") && written.contains("O'Hara"),
            "{written}"
        );
        let to = hub();
        let report = contacts(&to, &written).await;
        assert_eq!((report.failed, report.created), (0, 2), "{report:?}");
        for (before, after) in all(&from, "contact").await.iter().zip(all(&to, "contact").await) {
            for (before, after) in before.fields.iter().zip(&after.fields) {
                assert_eq!(before.value, after.value, "{} {guard_formulas}", before.name);
            }
        }
        assert!(told(&report, "an apostrophe that keeps spreadsheet programs from evaluating what follows"));
    }
}

#[tokio::test]
async fn f11_the_same_name_composed_in_another_way_is_the_same_company() {
    let hub = hub();
    let composed = "name,Téléphone\nSociété Z,+33 1\n";
    let decomposed = composed.replace('é', "e\u{301}");
    assert_eq!(import(&hub, composed, &ImportOptions::new("company")).await.unwrap().created, 1);
    let report = import(&hub, &decomposed, &ImportOptions::new("company")).await.unwrap();
    assert_eq!((report.created, report.updated, report.columns.len()), (0, 1, 2), "the spelling: {report:?}");
    contacts(&hub, "email,company\na@example.org,SOCIÉTÉ z\n").await;
    assert_eq!(all(&hub, "company").await.len(), 1);
}

/// The refused rows of an import as a file.
async fn refused(hub: &Hub, file: &str, options: &ImportOptions) -> (ImportReport, String) {
    let mut out = Vec::new();
    let report =
        import_with_refused(hub, file.as_bytes(), options, Some(&mut out), &mut |_, _| {}).await.unwrap();
    (report, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn f12_refused_rows_are_a_file_that_can_be_mended_and_imported_again() {
    let hub = hub();
    let options = ImportOptions::new("contact");
    let file = "Mail;First name;Points;Shoe size\nada@example.org;Ada;1;39\nbo@example.org;\"Bo; \"\"B\"\"\";many;40\nnobody;Cy;;41\nshort;row\nd@example.org;Di;2;3;4\n;;;5\nei@example.org;\"Ei;1;2\nfi@example.org;Fi;3;4\n";
    let (report, written) = refused(&hub, file, &options).await;
    assert_eq!(counts(&report), [7, 1, 0, 0, 6, 0], "{report:?}");
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "refused because;Mail;First name;Points;Shoe size");
    assert!(lines[1].starts_with("\"Points: 'many' is not a whole number;"), "{written}");
    assert!(lines[1].ends_with(";bo@example.org;\"Bo; \"\"B\"\"\";many;40"), "{written}");
    // Imported as it is, nothing of it is taken but what a quote had swallowed.
    let (report, again) = refused(&hub, &written, &options).await;
    assert_eq!((report.created, report.failed), (1, 6), "{report:?}\n{written}");
    assert!(report.unused.iter().any(|column| column.name.as_data() == REFUSED_COLUMN));
    let mended = again
        .replace(";many;", ";7;")
        .replace(";nobody;", ";cy@example.org;")
        .replace(";short;row", ";short@example.org;row;;")
        .replace(";2;3;4", ";2;3")
        .replace(";;;;5", ";gi@example.org;;;5")
        .replace("\"\"\"Ei\"", "Ei;1;2");
    let (report, rest) = refused(&hub, &mended, &options).await;
    assert_eq!((report.failed, report.created), (1, 5), "{report:?}\n{mended}");
    assert!(rest.contains("Ei"), "{rest}");
    assert_eq!(column(&hub, "contact", "first_name").await[2], Value::text("Bo; \"B\""));
}

#[tokio::test]
async fn f12_thousands_of_refused_rows_are_written_whole_and_in_their_order() {
    let hub = hub();
    let rows: String = (0..3000)
        .map(|n| match n % 3 {
            0 => format!("bad{n},{n}\n"),
            1 => format!("p{n}@example.org,x\n"),
            _ => format!("short{n}\n"),
        })
        .collect();
    let file = format!("email,company\n{rows}");
    let options =
        ImportOptions { create_references: false, listed: 5, batch: 7, ..ImportOptions::new("contact") };
    let (report, written) = refused(&hub, &file, &options).await;
    assert_eq!((report.failed, report.bad.len()), (3000, 5));
    assert_eq!(report.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    let cells: Vec<&str> = written
        .lines()
        .skip(1)
        .map(|line| line.split(',').rev().nth(usize::from(!line.contains("short"))).unwrap())
        .collect();
    assert_eq!(cells.len(), 3000);
    for (n, cell) in cells.iter().enumerate() {
        assert!(cell.contains(&n.to_string()), "{n}: {cell}");
    }
    assert_eq!(report.refusals.iter().map(|count| count.rows).sum::<u64>(), 3000);
    assert!(report.refusals.iter().any(|count| count.code == BadCode::Reference), "{:?}", report.refusals);
}

#[tokio::test]
async fn f13_one_date_that_can_be_read_in_one_way_decides_for_its_column() {
    for (dates, order, first) in [
        (["01/02/2019 10:00", "31/12/2018"], Some(DateOrder::DayFirst), "2019-02-01T10:00:00Z"),
        (["01/02/2019 10:00", "12/31/2018"], Some(DateOrder::MonthFirst), "2019-01-02T10:00:00Z"),
        (["01/02/2019 10:00", "03/04/2018"], None, ""),
    ] {
        let hub = hub();
        let file = format!(
            "email,city,Modified\na@example.org,Oslo,{}\nb@example.org,Rome,{}\n",
            dates[0], dates[1]
        );
        let report = contacts(&hub, &file).await;
        let told = report.notes.iter().find_map(|note| match note {
            ImportNote::DateOrder { order, .. } => Some(*order),
            _ => None,
        });
        assert_eq!((told, report.created), (order, if order.is_some() { 2 } else { 0 }), "{report:?}");
        if order.is_some() {
            let time = all(&hub, "contact").await[0].fields[2].time;
            assert_eq!(time, Some(FieldTime::by(Timestamp::parse(first).unwrap())));
        } else {
            assert_eq!(reasons(&report), [(2, BadCode::ChangeTime), (3, BadCode::ChangeTime)]);
        }
    }
    // Each column for itself; and what contradicts itself decides nothing.
    let hub = hub();
    for name in ["born", "hired"] {
        hub.define_field("contact", &FieldDefinition::new(name, name, Kind::Date)).await.unwrap();
    }
    let file = "email,born,hired\na@example.org,31/01/2000,01/31/2000\nb@example.org,01/02/2000,01/02/2000\n";
    assert_eq!(contacts(&hub, file).await.created, 2);
    let record = &all(&hub, "contact").await[1];
    assert_eq!(record.value("born").unwrap().to_string(), "2000-02-01");
    assert_eq!(record.value("hired").unwrap().to_string(), "2000-01-02");
    let report = contacts(&hub, "email,born\nc@example.org,31/01/2000\nd@example.org,01/31/2000\n").await;
    assert_eq!(reasons(&report), [(2, BadCode::AmbiguousDate), (3, BadCode::AmbiguousDate)]);
}

#[tokio::test]
async fn f14_a_database_that_fails_on_the_way_says_what_is_kept_and_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&folder.path().join("hub.db")).unwrap();
    let hub = Hub::new(store, std::sync::Arc::new(entente_sync::SystemClock));
    let rows: String = (0..5000).map(|n| format!("p{n}@example.org,{}\n", "x".repeat(200))).collect();
    let file = format!("email,city\n{rows}");
    // As many pages as the file may have: a disk that is full.
    let limit = |pages: i64| {
        let hub = &hub;
        async move {
            let unit = hub.store.begin().await.unwrap();
            unit.connection().execute_batch(&format!("PRAGMA max_page_count = {pages}")).unwrap();
        }
    };
    limit(200).await;
    let error = contacts_error(&hub, &file).await;
    let CsvError::Stopped { line, kept, recognised, .. } = &error else { panic!("{error}") };
    let there = all(&hub, "contact").await.len() as u64;
    assert!(*kept > 0 && *kept == there && *line == kept + 2 && *recognised, "{error}: {there}");
    let said = error.to_string();
    assert!(said.contains(&format!("{kept} rows before are in the hub")), "{said}");
    assert!(said.contains("import the file again, the rows that are there are recognised"), "{said}");
    limit(1_000_000).await;
    let report = contacts(&hub, &file).await;
    assert_eq!((report.unchanged, report.created, report.failed), (there, 5000 - there, 0));
}

async fn contacts_error(hub: &Hub, file: &str) -> CsvError {
    import(hub, file, &ImportOptions::new("contact")).await.unwrap_err()
}

/// Yields a text and then fails.
struct Broken<'a>(&'a [u8]);

impl std::io::Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

#[tokio::test]
async fn f14_the_rows_before_the_place_where_a_file_breaks_off_are_kept_as_is_said() {
    let hub = hub();
    // Longer than what is read first.
    let row = |n: usize| format!("p{n}@example.org,{}\n", "x".repeat(1000));
    let file = format!("email,city\n{}", (0..1999).map(row).collect::<String>());
    let options = ImportOptions { batch: 1_000_000, ..ImportOptions::new("contact") };
    let error = import_csv(&hub, Broken(file.as_bytes()), &options, &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(&error, CsvError::Read { line: 2000, .. }), "{error}");
    assert_eq!(all(&hub, "contact").await.len(), 1999, "{error}");
}

#[tokio::test]
async fn words_for_nothing_and_zero_dates_are_no_values_and_are_told() {
    let hub = hub();
    hub.define_field("contact", &FieldDefinition::new("born", "Born", Kind::Date)).await.unwrap();
    let file = "E-Mail,City,Company,Points,Born,Last Modified\n\
        a@example.org,NULL,N/A,-,0/0/00,0000-00-00 00:00:00\nn/a,Oslo,none,NULL,0000-00-00,2019-01-01\n\\N,Rome,\\N,1,,\n";
    let report = contacts(&hub, file).await;
    assert_eq!((counts(&report), report.references_created), ([3, 3, 0, 0, 0, 0], 0), "{report:?}");
    let said = texts_of(&report);
    for told in [
        "2 cells of column 'E-Mail' have a word for nothing, such as 'n/a'",
        "3 cells of column 'Company' have a word for nothing, such as 'N/A'",
        "2 cells of column 'Points'",
        "2 cells of column 'Born'",
        "1 cell of column 'Last Modified'",
        "1 cell of column 'City' may mean nothing, such as 'NULL'; it was kept as a text",
    ] {
        assert!(said.iter().any(|note| note.contains(told)), "{told}: {said:?}");
    }
    assert_eq!(report.undated, 2);
    assert_eq!(column(&hub, "contact", "city").await[0], Value::text("NULL"));
    let options =
        ImportOptions { nothing: vec!["null".into(), "Oslo".into()], ..ImportOptions::new("contact") };
    let report =
        import(&hub, "email,City\nx@example.org,NULL\ny@example.org,oslo\n", &options).await.unwrap();
    assert_eq!(report.created, 2);
    let cities = column(&hub, "contact", "city").await;
    assert_eq!(cities[3..], [Value::Null, Value::Null]);
}

#[tokio::test]
async fn bad_cells_can_be_left_out() {
    let hub = hub();
    let file = "email,points,company,City,changed\na@example.org,many,Nowhere,Oslo,some day\nnobody,1,,Rome,2019-01-01\nb@example.org,x,,Bern,2019-01-01\n";
    let options = ImportOptions {
        bad_cells: BadCells::LeaveOut,
        create_references: false,
        ..ImportOptions::new("contact")
    };
    let report = import(&hub, file, &options).await.unwrap();
    assert_eq!(counts(&report), [3, 2, 0, 0, 1, 0], "{report:?}");
    assert_eq!(
        report.bad[0].column.as_ref().map(Foreign::as_data),
        Some("email"),
        "what identifies is no extra"
    );
    let left: Vec<(&str, u64, u64)> =
        report.left_out.iter().map(|left| (left.column.as_data(), left.cells, left.line)).collect();
    assert_eq!(left, [("points", 2, 2), ("company", 1, 2), ("changed", 1, 2)]);
    assert_eq!(column(&hub, "contact", "city").await, texts(&["Oslo", "Bern"]));
    assert_eq!(column(&hub, "contact", "points").await, [Value::Null, Value::Null]);
    // Otherwise a row is refused with all that is wrong in it.
    let report = contacts(&hub, "email,points,changed\nnobody,many,some day\n").await;
    let bad = &report.bad[0];
    let also: Vec<&str> = bad.also.iter().map(|cell| cell.column.as_data()).collect();
    assert_eq!((bad.code, also), (BadCode::ChangeTime, vec!["email", "points"]));
}

#[tokio::test]
async fn lines_above_the_header_are_found_or_counted() {
    let table = "First Name,Last Name,Email Address,Company\nAda,Ek,ada@example.org,Fjord AB\n";
    for above in [
        "Notes:\n\"When exporting your data, some are missing. \"\n\n",
        "Contacts of \"Fjord\", all\n",
        "a,b\n",
    ] {
        let hub = hub();
        let report = contacts(&hub, format!("{above}{table}")).await;
        assert_eq!((report.created, report.columns.len(), report.bad.len()), (1, 4, 0), "{report:?}");
        assert!(told(&report, "the names of the columns stand on line"), "{report:?}");
    }
    let hub = hub();
    let options = ImportOptions { skip_lines: Some(2), ..ImportOptions::new("contact") };
    let report = import(&hub, format!("email,city\r\n\"open\r\n{table}bad,x,y,z\n"), &options).await.unwrap();
    assert_eq!((report.created, report.bad[0].line), (1, 5), "{report:?}");
    let all_of_it = ImportOptions { skip_lines: Some(9), ..ImportOptions::new("contact") };
    assert!(matches!(import(&hub, table, &all_of_it).await, Err(CsvError::NoHeader)));
}

#[tokio::test]
async fn a_column_that_is_only_called_like_a_time_is_not_read_as_one() {
    let hub = hub();
    let report =
        contacts(&hub, "email,Updated\na@example.org,43831\nb@example.org,43832\nc@example.org,43833\n")
            .await;
    assert_eq!((report.created, report.undated), (3, 3), "{report:?}");
    assert!(told(
        &report,
        "column 'Updated' is called like a change time, but none of its values is one, such as '43831'"
    ));
    assert_eq!(report.unused.len(), 1);
    let named = ImportOptions { changed_column: Some("Updated".into()), ..ImportOptions::new("contact") };
    let report =
        import(&hub, "email,Updated\nd@example.org,43831\ne@example.org,43832\nf@example.org,1\n", &named)
            .await
            .unwrap();
    assert_eq!(report.failed, 3);
}

#[tokio::test]
async fn rows_that_are_not_wanted_are_passed_over_and_filled_fields_left() {
    let hub = hub();
    contacts(&hub, "email,city\na@example.org,Oslo\n").await;
    let file = "email,city,phone,company\na@example.org,Rome,1,Fjord AB\nb@example.org,Bern,2,Fjord AB\n";
    let only = |only| ImportOptions { only, ..ImportOptions::new("contact") };
    let report = import(&hub, file, &only(Only::New)).await.unwrap();
    assert_eq!((counts(&report), report.passed), ([2, 1, 0, 0, 0, 0], 1));
    let report = import(&hub, file, &only(Only::Fill)).await.unwrap();
    assert_eq!((counts(&report), report.passed), ([2, 0, 1, 1, 0, 0], 0), "{report:?}");
    assert_eq!(column(&hub, "contact", "city").await, texts(&["Oslo", "Bern"]));
    assert_eq!(column(&hub, "contact", "phone").await, texts(&["1", "2"]));
    assert!(!column(&hub, "contact", "company").await.contains(&Value::Null));
}

#[tokio::test]
async fn a_full_name_is_split_where_the_row_has_no_names_of_its_own() {
    let hub = hub();
    let file = "Name,First name,E-mail\nLudwig van Beethoven,,a@example.org\nShown Name,Own,b@example.org\nCher,,c@example.org\n";
    let report = contacts(&hub, file).await;
    assert_eq!(column(&hub, "contact", "first_name").await, texts(&["Ludwig", "Own", "Cher"]));
    assert_eq!(column(&hub, "contact", "last_name").await[0], Value::text("van Beethoven"));
    assert!(told(&report, "column 'Name' was split"), "{report:?}");
    assert!(
        report.columns.contains(&("Name".into(), "first_name, last_name".into())),
        "{:?}",
        report.columns
    );
}

#[tokio::test]
async fn one_address_is_taken_whole() {
    let hub = hub();
    let file = "First Name,E-mail Address,Business Street,Business City,Home Street,Home City\n\
        Ada,a@example.org,,Oslo,Homely 1,Bergen\nBo,b@example.org,,,Homely 2,Bergen\n";
    let report = contacts(&hub, file).await;
    assert_eq!((report.layout, report.created), (Some("Outlook"), 2));
    assert_eq!(column(&hub, "contact", "city").await, texts(&["Oslo", "Bergen"]));
    assert_eq!(column(&hub, "contact", "address").await, [Value::Null, Value::text("Homely 2")]);
}
