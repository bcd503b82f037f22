//! Effects of imported rows on records.

use super::*;
use crate::hub::tests::at;
use crate::hub::{FieldDefinition, Origin};
use entente_core::{Foreign, Kind};
use entente_sync::FieldTime;

#[tokio::test]
async fn importing_a_file_again_changes_nothing() {
    let hub = hub();
    let file = "email,first_name\nada@example.org,Ada\nbob@example.org,Bob\n,Nobody\n";
    assert_eq!(counts(&contacts(&hub, file).await), [3, 3, 0, 0, 0, 0]);
    let again = file.replace("ada@", "ADA@").replace("Bob", "Robert");
    assert_eq!(
        counts(&contacts(&hub, &again).await),
        [3, 0, 2, 1, 0, 0],
        "the spelling of the address, and the name; the one that nothing identifies is the same"
    );
    assert_eq!(counts(&contacts(&hub, &again).await), [3, 0, 0, 3, 0, 0]);
    let no_key = ImportOptions { key: ImportKey::None, ..ImportOptions::new("contact") };
    assert_eq!(counts(&import(&hub, &again, &no_key).await.unwrap()), [3, 3, 0, 0, 0, 0]);
    let report = contacts(&hub, &again).await;
    assert_eq!(
        (report.failed, report.bad[0].line, report.bad[0].column.as_ref().map(Foreign::as_data)),
        (2, 2, Some("email"))
    );
    assert!(
        report.bad[0].reason.contains("2 records of contact have this value (ids 1, 4)"),
        "{:?}",
        report.bad[0]
    );
}

#[tokio::test]
async fn one_person_twice_in_a_file_is_one_record() {
    let hub = hub();
    let file = "email,first_name,city\na@example.org,Ada,\nA@example.org ,,Rome\n";
    let dry = ImportOptions { dry_run: true, ..ImportOptions::new("contact") };
    assert_eq!(import(&hub, file, &dry).await.unwrap().repeated, 1);
    let report = contacts(&hub, file).await;
    assert_eq!((counts(&report), report.repeated), ([2, 1, 1, 0, 0, 0], 1));
    assert_eq!(contacts(&hub, file).await.repeated, 0, "the record was there before");
    assert_eq!(
        (column(&hub, "contact", "first_name").await, column(&hub, "contact", "city").await),
        (texts(&["Ada"]), texts(&["Rome"]))
    );
}

#[tokio::test]
async fn bad_rows_are_listed_and_the_good_ones_kept() {
    let hub = hub();
    let long = "x".repeat(70_000);
    let file = format!(
        "email,points,city,tags\na@example.org,1,Oslo,a;b\nnobody,2,,\nb@example.org,many,,\nc@example.org,4,Rome,,surplus\nd@example.org,5,{long},\ne@example.org,9007199254740993,,\n"
    );
    let report = contacts(&hub, &file).await;
    assert_eq!(counts(&report), [6, 2, 0, 0, 4, 0]);
    let bad: Vec<(u64, Option<&str>, &str)> = report
        .bad
        .iter()
        .map(|bad| (bad.line, bad.column.as_ref().map(Foreign::as_data), bad.value.as_data()))
        .collect();
    let cut = format!("{}…", "x".repeat(60));
    assert_eq!(
        bad,
        [
            (3, Some("email"), "nobody"),
            (4, Some("points"), "many"),
            (5, None, "surplus"),
            (6, Some("city"), cut.as_str())
        ]
    );
    assert_eq!(
        column(&hub, "contact", "points").await,
        [Value::Integer(1), Value::Integer(9_007_199_254_740_993)]
    );
    assert_eq!(column(&hub, "contact", "tags").await[0], Value::Texts(vec!["a".into(), "b".into()]));

    let few = ImportOptions { listed: 1, ..ImportOptions::new("contact") };
    let report = import(&hub, &file, &few).await.unwrap();
    assert_eq!((report.bad.len(), report.failed), (1, 4));
}

#[tokio::test]
async fn cells_without_text() {
    let hub = hub();
    let id = hub
        .create(
            "contact",
            &values(&[
                ("email", Value::text("a@example.org")),
                ("city", Value::text("Oslo")),
                ("phone", Value::text("1")),
            ]),
        )
        .await
        .unwrap()
        .id;
    let file = "email,city,first_name\na@example.org,\"\",\n";
    assert_eq!(counts(&contacts(&hub, file).await), [1, 0, 0, 1, 0, 0]);
    assert_eq!(hub.get("contact", &id).await.unwrap().value("city"), Some(&Value::text("Oslo")));
    let clear = ImportOptions { empty: Empty::Clear, ..ImportOptions::new("contact") };
    import(&hub, file, &clear).await.unwrap();
    let record = hub.get("contact", &id).await.unwrap();
    assert_eq!(record.value("city"), Some(&Value::Null));
    assert_eq!(record.value("phone"), Some(&Value::text("1")), "the file says nothing about it");
    assert_eq!(record.fields[0].time, None, "a field that was never set has nothing to be cleared");
}

#[tokio::test]
async fn texts_are_kept_as_they_are() {
    let hub = hub();
    contacts(&hub, "city,phone\nNULL,0\n\"  x \",  y  \n- ,a\0b\n\" \",n/a\n").await;
    assert_eq!(column(&hub, "contact", "city").await, texts(&["NULL", "  x ", "- ", " "]));
    assert_eq!(column(&hub, "contact", "phone").await, texts(&["0", "  y  ", "a\0b", "n/a"]));
}

#[tokio::test]
async fn white_space_around_cells_matters_to_texts_only() {
    let hub = hub();
    for (name, kind) in [("number", Kind::Integer), ("since", Kind::Date), ("marks", Kind::Texts)] {
        hub.define_field("contact", &FieldDefinition::new(name, name, kind)).await.unwrap();
    }
    let file = "email , company , city , number , since , marks , changed\n a@example.org , ACME , Oslo , 7 , 2001-02-03 , a ; b , 2019-01-01 \n  ,  , \t,  ,  ,  ,  \n";
    let report = contacts(&hub, file).await;
    assert_eq!((counts(&report), report.references_created), ([1, 1, 0, 0, 0, 1], 1), "{report:?}");
    let record = &all(&hub, "contact").await[0];
    assert_eq!(record.value("email"), Some(&Value::text("a@example.org")));
    assert_eq!(record.value("city"), Some(&Value::text(" Oslo ")));
    assert_eq!(record.value("number"), Some(&Value::Integer(7)));
    assert_eq!(record.value("since").unwrap().to_string(), "2001-02-03");
    assert_eq!(record.value("marks"), Some(&Value::Texts(vec!["a".into(), "b".into()])));
    assert_eq!(column(&hub, "company", "name").await, texts(&["ACME"]));
    // Cells with only white space do not affect the other cells.
    let report =
        contacts(&hub, "email,company,city,number,since,marks\nA@example.org ,  ,\" Oslo \",  ,  ,  \n")
            .await;
    assert_eq!(counts(&report), [1, 0, 1, 0, 0, 0], "the spelling of the address: {report:?}");
    let after = &all(&hub, "contact").await[0];
    for field in ["company", "city", "number", "since", "marks"] {
        assert_eq!(after.value(field), record.value(field), "{field}");
    }
}

#[tokio::test]
async fn companies_by_name() {
    let hub = hub();
    hub.create("company", &values(&[("name", Value::text("ACME Inc"))])).await.unwrap();
    let file = "email,company\na@example.org,acme  inc\nb@example.org,New Ltd\nc@example.org,new ltd\nd@example.org,company:1\ne@example.org,company:99\nf@example.org,\nbad,Never made\n";
    let never = ImportOptions { create_references: false, ..ImportOptions::new("contact") };
    let report = import(&hub, file, &never).await.unwrap();
    assert_eq!((report.created, report.failed, report.references_created), (3, 4, 0));
    assert!(
        report.bad[1].reason.contains("no company 'New Ltd'")
            || report.bad[0].reason.contains("no company 'New Ltd'"),
        "{:?}",
        report.bad
    );
    let report = contacts(&hub, file).await;
    assert_eq!(
        (report.created, report.unchanged, report.failed, report.references_created),
        (2, 3, 2, 1),
        "{report:?}"
    );
    assert_eq!(
        column(&hub, "company", "name").await,
        texts(&["ACME Inc", "New Ltd"]),
        "nothing is made for a bad row"
    );
    let company = |id: &str| Value::reference("company", id).unwrap();
    let mut links = column(&hub, "contact", "company").await;
    links.sort_by_key(ToString::to_string);
    assert_eq!(links.iter().filter(|link| **link == company("1")).count(), 2);
    assert_eq!(links.iter().filter(|link| link.references().iter().any(|link| link.id != "1")).count(), 2);

    hub.create("company", &values(&[("name", Value::text("acme inc"))])).await.unwrap();
    let report = contacts(&hub, "email,company\na@example.org,ACME Inc\n").await;
    assert!(
        report.bad[0].reason.contains("2 records of company have this name; write company:1"),
        "{report:?}"
    );
}

#[tokio::test]
async fn older_values_do_not_overwrite_newer_ones() {
    let hub = hub();
    let id = hub
        .create("contact", &values(&[("email", Value::text("a@example.org")), ("city", Value::text("Oslo"))]))
        .await
        .unwrap()
        .id;
    let set = at(NOW + 1);
    assert_eq!(hub.get("contact", &id).await.unwrap().changed, set);
    let report =
        contacts(&hub, "email,city,first_name,Updated at\na@example.org,Rome,Ada,2019-12-31 12:00:00\n")
            .await;
    assert_eq!((report.updated, report.older), (1, 1));
    let record = hub.get("contact", &id).await.unwrap();
    assert_eq!(
        (record.value("city"), record.value("first_name")),
        (Some(&Value::text("Oslo")), Some(&Value::text("Ada")))
    );
    let first = &record.fields[0];
    let bound = Some(FieldTime::by(at(1_577_793_600_000_000)));
    assert_eq!(
        (first.time, first.origin.clone()),
        (bound, Some(Origin::Import { run: Some(1), file: Some(Foreign::from("a file")) }))
    );
    assert_eq!(record.changed, set, "the newest field is as new as it was");

    // At equal times the file wins, and at later ones; no time lies after the import.
    for (time, city) in
        [(set.to_string(), "Bern"), ("2019-12-31".to_owned(), "Bern"), ("2999-01-01".to_owned(), "Wien")]
    {
        contacts(
            &hub,
            &format!(
                "email,city,changed\na@example.org,{},{time}\n",
                if city == "Bern" && time.starts_with("2019") { "Paris" } else { city }
            ),
        )
        .await;
        assert_eq!(hub.get("contact", &id).await.unwrap().value("city"), Some(&Value::text(city)), "{time}");
    }
    assert!(hub.get("contact", &id).await.unwrap().changed < at(NOW + 1_000_000));

    let report =
        contacts(&hub, "email,city,changed\na@example.org,Nice,yesterday\nb@example.org,Nice,\n").await;
    assert_eq!(
        (report.failed, report.bad[0].column.as_ref().map(Foreign::as_data), report.created),
        (1, Some("changed"), 1)
    );
    let own = ImportOptions { changed_column: Some("When".into()), ..ImportOptions::new("contact") };
    let report = import(&hub, "email,When\nc@example.org,2001-01-01\n", &own).await.unwrap();
    assert!(told(&report, "'When'"));
    let none = ImportOptions { changed_column: Some(String::new()), ..ImportOptions::new("contact") };
    assert_eq!(import(&hub, "email,changed\nc@example.org,x\n", &none).await.unwrap().unused.len(), 1);
}

#[tokio::test]
async fn without_change_times_the_import_is_an_upper_bound() {
    let hub = hub();
    contacts(&hub, "email,city\na@example.org,Oslo\n").await;
    let record = &all(&hub, "contact").await[0];
    let field = record.fields.iter().find(|field| field.name == "city").unwrap();
    assert_eq!(field.time, Some(FieldTime::by(at(NOW + 2))));
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let hub = hub();
    hub.create("contact", &values(&[("email", Value::text("a@example.org"))])).await.unwrap();
    let file = "email,city,company\na@example.org,Oslo,ACME\nb@example.org,Rome,ACME\nB@example.org,Rome,acme\nbad,x,ACME\n";
    for batch in [1, 500] {
        let dry = ImportOptions { dry_run: true, batch, ..ImportOptions::new("contact") };
        let report = import(&hub, file, &dry).await.unwrap();
        assert_eq!(
            (report.created, report.updated + report.unchanged, report.failed, report.references_created),
            (1, 2, 1, 1),
            "{batch}: {report:?}"
        );
        assert_eq!((all(&hub, "contact").await.len(), all(&hub, "company").await.len()), (1, 0));
    }
}

#[tokio::test]
async fn keys_of_other_kinds() {
    let hub = hub();
    let mut number = FieldDefinition::new("number", "Customer number", Kind::Integer);
    number.identifier = true;
    hub.define_field("contact", &number).await.unwrap();
    let by = |fields: &[&str]| ImportOptions {
        key: ImportKey::Fields(fields.iter().map(|field| (*field).to_owned()).collect()),
        ..ImportOptions::new("contact")
    };
    import(&hub, "email,number\na@example.org,0\nb@example.org,1\n", &by(&["number"])).await.unwrap();
    let report =
        import(&hub, "Customer Number,email\n0,new@example.org\n2,c@example.org\n", &by(&["number"]))
            .await
            .unwrap();
    assert_eq!((report.created, report.updated), (1, 1));
    let report = import(
        &hub,
        "number,email\n1,new@example.org\n1,b@example.org\n,b@example.org\n",
        &by(&["number", "email"]),
    )
    .await
    .unwrap();
    assert_eq!((report.created, report.unchanged), (2, 1), "both must agree; who lacks one is new");

    let by_id = ImportOptions { key: ImportKey::Id, ..ImportOptions::new("contact") };
    let report = import(&hub, "ID,city\n1,Oslo\n99,Rome\n,Bern\n01,x\n", &by_id).await.unwrap();
    assert_eq!((report.updated, report.created, report.failed), (1, 1, 2));
    assert!(report.bad[0].reason.contains("no contact of this id"));
    for (options, file, expected) in [
        (by_id, "city\nx\n", "no column 'id'"),
        (by(&["city"]), "city\nx\n", "no identifier"),
        (by(&["email"]), "city\nx\n", "no column of the file is that field"),
    ] {
        let error = import(&hub, file, &options).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let report = contacts(&hub, "city\nOslo\n").await;
    assert!(told(&report, "would duplicate them"));
}

#[tokio::test]
async fn required_fields_of_new_records() {
    let hub = hub();
    let mut number = FieldDefinition::new("number", "Number", Kind::Text);
    number.required = true;
    hub.define_field("contact", &number).await.unwrap();
    let report = contacts(&hub, "email,number\na@example.org,\nb@example.org,7\n").await;
    assert_eq!(
        (report.created, report.bad[0].reason.as_str()),
        (1, "number: a new contact needs a value here")
    );
    let clear = ImportOptions { empty: Empty::Clear, ..ImportOptions::new("contact") };
    let report = import(&hub, "email,number\nb@example.org,\n", &clear).await.unwrap();
    assert_eq!(report.bad[0].column.as_ref().map(Foreign::as_data), Some("number"));
}

#[tokio::test]
async fn the_samples_are_imported_whole() {
    // The clock is at 2022: no change time lies in the future.
    let hub = hub_from(1_640_995_200_000_000);
    let sample = |name: &str| {
        std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(name)).unwrap()
    };
    let companies = import(&hub, sample("companies.csv"), &ImportOptions::new("company")).await.unwrap();
    assert_eq!(counts(&companies), [40, 40, 0, 0, 0, 0]);
    let report = contacts(&hub, sample("contacts.csv")).await;
    assert_eq!((report.rows, report.failed, report.unused.len()), (300, 0, 0), "{report:?}");
    let unrecognised = ImportNote::Unrecognised { rows: 8, by: vec!["email".into()] };
    assert_eq!(report.notes, [ImportNote::RowTimes { column: "Changed".into() }, unrecognised]);
    let again = contacts(&hub, sample("contacts.csv")).await;
    assert_eq!((again.created, again.updated), (0, 0), "F2: those without an address, too");
}

#[tokio::test]
async fn a_row_without_a_value_in_a_column_that_is_read_makes_no_record() {
    let hub = hub();
    let file =
        "email,city,shoe size,changed\na@example.org,Oslo,1,\n,,44,\n,,,2019-01-01\n,,,\nb@example.org,,,\n";
    let report = contacts(&hub, file).await;
    assert_eq!(counts(&report), [4, 2, 0, 0, 2, 1], "{report:?}");
    let bad: Vec<(u64, &str)> = report.bad.iter().map(|bad| (bad.line, bad.reason.as_str())).collect();
    let reason =
        "none of the columns that are read has a value in this row, so it would make an empty record";
    assert_eq!(bad, [(3, reason), (4, reason)]);
    // With empty cells that clear, too, no record is created; but an existing record may be cleared.
    let clear = ImportOptions { empty: Empty::Clear, ..ImportOptions::new("contact") };
    let report = import(&hub, "email,city,shoe size\na@example.org,,1\n,,44\n", &clear).await.unwrap();
    assert_eq!((report.updated, report.created, report.failed), (1, 0, 1), "{report:?}");
    assert_eq!(all(&hub, "contact").await.len(), 2);
}

#[tokio::test]
async fn a_change_time_that_is_still_to_come_is_not_certain() {
    let hub = hub();
    let report =
        contacts(&hub, "email,city,changed\na@example.org,Oslo,2030-01-01\nb@example.org,Oslo,2019-01-01\n")
            .await;
    assert_eq!(report.created, 2);
    assert!(told(&report, "1 row has a change time that is still to come"), "{report:?}");
    let records = all(&hub, "contact").await;
    let time = |email: &str| {
        let record =
            records.iter().find(|record| record.value("email") == Some(&Value::text(email))).unwrap();
        record.fields.iter().find(|field| field.name == "city").unwrap().time.unwrap()
    };
    let (future, past) = (time("a@example.org"), time("b@example.org"));
    assert!(
        !future.certain && future.at.micros() >= NOW && future.at.micros() < NOW + 1_000_000,
        "{future:?}"
    );
    assert!(!past.certain && past.at.micros() < NOW, "{past:?}");
}

#[tokio::test]
async fn v2_the_time_of_a_row_is_an_upper_bound_for_each_of_its_fields() {
    let hub = hub();
    contacts(&hub, "email,city,Last Modified\na@example.org,Oslo,2019-01-01\n").await;
    let record = &all(&hub, "contact").await[0];
    let at = Timestamp::parse("2019-01-01").unwrap();
    assert!(record.fields.iter().flat_map(|field| field.time).all(|time| time == FieldTime::by(at)));
}

#[tokio::test]
async fn s28_a_file_without_times_is_as_old_as_it_says() {
    let hub = hub();
    let report = contacts(&hub, "email,city\na@example.org,Oslo\n").await;
    assert_eq!(report.undated, 1);
    let told = |report: &ImportReport| told(report, "since when it is right");
    assert!(told(&report), "{report:?}");

    let as_of = Timestamp::parse("2018-05-01").unwrap();
    let options = ImportOptions { as_of: Some(as_of), ..ImportOptions::new("contact") };
    // The hub's value is by now, the file's by 2018: the hub keeps its own.
    let report = import(&hub, "email,city,phone\na@example.org,Rome,1\n", &options).await.unwrap();
    assert_eq!((report.undated, report.older, told(&report)), (0, 1, false));
    let record = &all(&hub, "contact").await[0];
    let field = |name: &str| record.fields.iter().find(|field| field.name == name).unwrap();
    assert_eq!(field("city").value, Value::text("Oslo"));
    assert_eq!(field("phone").time, Some(FieldTime::by(as_of)));
    // A time of the row's own goes before.
    let file = "email,phone,changed\nb@example.org,2,2017-01-01\nc@example.org,3,\n";
    let report = import(&hub, file, &options).await.unwrap();
    assert_eq!((report.created, report.undated), (2, 0));
    let records = all(&hub, "contact").await;
    let times: Vec<_> = records[1..]
        .iter()
        .map(|record| record.fields.iter().flat_map(|f| f.time).max_by_key(|t| t.at))
        .collect();
    let own = Timestamp::parse("2017-01-01").unwrap();
    assert_eq!(times, [Some(FieldTime::by(own)), Some(FieldTime::by(as_of))]);
}
