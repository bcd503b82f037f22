//! Files of exporters that nobody had looked at: what they showed.

use super::*;
use crate::hub::csv::options::BadCells;

const TWINS: &str =
    "Email,First Name,City\nada@x.example,Ada,Leeds\nbo@x.example,Bo,Lund\nada@x.example,Adele,\n";

#[tokio::test]
async fn a_file_with_two_rows_of_a_record_imported_again_changes_nothing() {
    // With the rows in one batch and in several.
    for batch in [500, 1] {
        let hub = hub();
        let options = ImportOptions { batch, ..ImportOptions::new("contact") };
        let first = import(&hub, TWINS, &options).await.unwrap();
        assert_eq!((first.created, first.repeated), (2, 1));
        let before = unversioned(&hub).await;
        let again = import(&hub, TWINS, &options).await.unwrap();
        assert_eq!((again.updated, again.unchanged), (0, 3), "batches of {batch}");
        assert_eq!(unversioned(&hub).await, before, "values, times and origins");
    }
}

#[tokio::test]
async fn of_two_rows_of_a_record_a_dry_run_tells_what_comes_of_both() {
    let hub = hub();
    contacts(&hub, TWINS).await;
    let options = ImportOptions { dry_run: true, told: 50, ..ImportOptions::new("contact") };
    let again = import(&hub, TWINS, &options).await.unwrap();
    assert_eq!((again.updated, again.unchanged, again.changes.len()), (0, 3, 0));
    let other = format!("{TWINS}ada@x.example,Ada,York\nada@x.example,Anna,York\n");
    let planned = import(&hub, other, &options).await.unwrap();
    let [change] = &planned.changes[..] else { panic!("{:?}", planned.changes) };
    let fields: Vec<(&str, Option<&Value>, &Value)> = change
        .fields
        .iter()
        .map(|field| (field.field.as_str(), field.before.as_ref(), &field.after))
        .collect();
    assert_eq!(
        fields,
        [
            ("first_name", Some(&Value::text("Adele")), &Value::text("Anna")),
            ("city", Some(&Value::text("Leeds")), &Value::text("York"))
        ]
    );
}

#[tokio::test]
async fn a_cell_that_another_key_stands_in_for_is_left_out() {
    let file = "Email,First Name,Last Name\nnone yet,Ada,Byron\n";
    let hub = hub();
    let mut options = ImportOptions { bad_cells: BadCells::LeaveOut, ..ImportOptions::new("contact") };
    assert_eq!(import(&hub, file, &options).await.unwrap().failed, 1, "nothing else identifies the row");
    options.or_key = vec![vec!["first_name".to_owned(), "last_name".to_owned()]];
    let taken = import(&hub, file, &options).await.unwrap();
    assert_eq!((taken.created, taken.failed, taken.left_out.len()), (1, 0, 1));
    assert_eq!(import(&hub, file, &options).await.unwrap().unchanged, 1);
}

#[tokio::test]
async fn of_several_columns_that_are_mapped_to_a_field_the_first_with_a_value_counts() {
    let hub = hub();
    let map = [("Home", "email"), ("Work", "email")];
    let map = map.map(|(column, field)| (column.to_owned(), field.to_owned())).into();
    let options = ImportOptions { map, ..ImportOptions::new("contact") };
    let file = "First name,Work,Home\nAda,work@x.example,home@x.example\nBo,bo@x.example,\n";
    import(&hub, file, &options).await.unwrap();
    assert_eq!(column(&hub, "contact", "email").await, texts(&["home@x.example", "bo@x.example"]));
}

#[tokio::test]
async fn what_is_not_read_and_has_values_is_told_with_how_many() {
    let hub = hub();
    let file = "First name,Attendee e-mail,Fax,Email Suppressions,Seat\nAda,ada@x.example,,UNSUBSCRIBED,1\nBo,bo@x.example,,,2\n";
    let report = contacts(&hub, file).await;
    let unused: Vec<(String, u64)> =
        report.unused.iter().map(|column| (column.name.as_data().to_owned(), column.cells)).collect();
    let expected = [("Attendee e-mail", 2), ("Fax", 0), ("Email Suppressions", 1), ("Seat", 2)];
    assert_eq!(unused, expected.map(|(name, cells)| (name.to_owned(), cells)));
    assert!(told(&report, "if column 'Attendee e-mail' is email, say so"), "{:?}", report.notes);
    assert!(told(
        &report,
        "'Email Suppressions' seems to say who does not want to be written to or called (1 cell)"
    ));
}

#[tokio::test]
async fn full_names_that_are_others_or_companies_are_told() {
    let hub = hub();
    let file = "Contact name,First name,Last name,Email\nMarlow Pty Ltd,Gavin,Poe,a@x.example\nElena Reyes,Elena,Reyes,b@x.example\nKobe Ltd,,,c@x.example\n";
    let report = contacts(&hub, file).await;
    assert!(told(&report, "1 cell of column 'Contact name' has other names"), "{:?}", report.notes);
    assert!(told(&report, "1 cell of column 'Contact name' looks like a company, such as 'Kobe Ltd'"));
}

#[tokio::test]
async fn columns_whose_names_end_as_those_of_fields_are_told() {
    let hub = hub();
    let file = "First name,Email,primary_city,Office Phone,Fax,Do Not Call,primary_address1\nAda,ada@x.example,Leeds,+44 1,,0,1 Road\nBo,bo@x.example,York,,1,1,\n";
    let report = contacts(&hub, file).await;
    assert!(
        told(
            &report,
            "not read: 'primary_city' (as city), 'Office Phone' (as phone), 'primary_address1' (as address)"
        ),
        "{:?}",
        report.notes
    );
    // One of two does not want it; the other cell says no.
    assert!(told(
        &report,
        "'Do Not Call' seems to say who does not want to be written to or called (1 cell)"
    ));
}

#[tokio::test]
async fn cards_of_companies_among_people_are_told() {
    let hub = hub();
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:;;;;\r\nFN:Bakery\r\nORG:Bakery;\r\nEMAIL:hello@bakery.example\r\nX-ABShowAs:COMPANY\r\nEND:VCARD\r\n";
    let report = contacts(&hub, card).await;
    assert!(told(&report, "1 card is of a company"), "{:?}", report.notes);
    assert!(!told(&report, "was split"), "no name was: {:?}", report.notes);
}

#[tokio::test]
async fn of_rows_with_times_the_newest_stays_whatever_stood_there_before() {
    for field_times in [false, true] {
        let hub = hub();
        let options = ImportOptions { field_times, ..ImportOptions::new("contact") };
        let header = "email,first_name,phone,changed\n";
        let row = |phone: &str, year: u16| format!("a@x.example,Ann,{phone},{year}-01-01T00:00:00Z\n");
        import(&hub, format!("{header}{}", row("111", 2010)), &options).await.unwrap();
        // The value comes back, newer, and an older row follows.
        let file = format!("{header}{}{}{}", row("222", 2011), row("111", 2013), row("333", 2012));
        for _ in 0..2 {
            import(&hub, &file, &options).await.unwrap();
            let records = all(&hub, "contact").await;
            let phone = records[0].fields.iter().find(|field| field.name == "phone").unwrap();
            let year = phone.time.unwrap().at.to_string();
            assert_eq!(
                (&phone.value, &year[..4]),
                (&Value::text("111"), "2013"),
                "field times {field_times}"
            );
        }
    }
}

#[tokio::test]
async fn a_column_is_mapped_once() {
    let hub = hub();
    for second in ["phone", ""] {
        let map = [("Mail", "email"), ("Mail", second)];
        let map = map.map(|(column, field)| (column.to_owned(), field.to_owned())).into();
        let options = ImportOptions { map, ..ImportOptions::new("contact") };
        let refused = import(&hub, "Mail\na@x.example\n", &options).await.unwrap_err().to_string();
        assert!(refused.contains("column 'Mail' is mapped twice"), "{refused}");
    }
}
