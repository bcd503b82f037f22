//! vCards, in and out.

use super::*;

const CARD: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Ek;Ada;;;\r\nFN:Ada Ek\r\nORG:Fjord AB\r\nEMAIL:ada@example.org\r\nTEL;TYPE=WORK:+46 1\r\nEND:VCARD\r\n";

#[tokio::test]
async fn a_card_is_a_record_and_the_same_one_again() {
    let hub = hub();
    for (file, created, unchanged) in [
        (CARD.to_owned(), 1, 0),
        (format!("\u{feff}\n{CARD}"), 0, 1),
        (CARD.replace("\r\n", "\n"), 0, 1),
        (CARD.replace("END:VCARD\r\n", ""), 0, 1),
        (CARD.replace("END:VCARD\r\n", CARD), 0, 2),
        (format!("{}junk\r\n{}", CARD, CARD.replace("ada@", "bo@").to_lowercase()), 1, 1),
    ] {
        let report = contacts(&hub, &file).await;
        assert_eq!((report.created, report.unchanged), (created, unchanged), "{file}: {report:?}");
    }
    assert_eq!(all(&hub, "company").await.len(), 1);
    let report = contacts(&hub, "BEGIN:VCARD\nVERSION:4.0\nNOTE:nobody\nEND:VCARD\n").await;
    assert_eq!((report.rows, report.skipped), (0, 1), "a card without anything that is read is a blank row");
    let companies = ImportOptions::new("company");
    let report =
        import(&hub, CARD.replace("ORG:Fjord AB", "ORG:Other").replace("FN:Ada Ek", "FN:Other"), &companies)
            .await
            .unwrap();
    assert_eq!(report.created, 1, "{report:?}");
}

#[tokio::test]
async fn an_export_as_cards_comes_back() {
    let from = hub();
    let file = "first_name,last_name,email,phone,mobile,company,position,address,city,region,country,website,tags\n\
        Åsa,\"Ek; \\Holm, \",a@example.org,+46 1,+46 2,Fjord AB,Boss,\"Storgatan 1, 2 tr\",Umeå,Norr,Sweden,https://x.example/?a=1;b,\"vip;a\\, b\"\n\
        ,,b@example.org,,,,,,,,,,\n\
        ,,,,,Fjord AB,,,,,,,\n\
        ,,,+46 3,,,,,,,,,\n\
        Bo,,,,,,,,,,,,\n";
    contacts(&from, file).await;
    for version in [CardVersion::V3, CardVersion::V4] {
        let mut written = Vec::new();
        let exported =
            export_cards(&from, &mut written, &ExportOptions::new("contact"), version).await.unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!((exported.rows, text.matches("END:VCARD").count()), (5, 5), "{text}");
        assert!(text.contains(if version == CardVersion::V3 { "VERSION:3.0" } else { "VERSION:4.0" }));
        let to = hub();
        let report = contacts(&to, &text).await;
        assert_eq!((report.created, report.failed), (5, 0), "{report:?}\n{text}");
        let (before, after) = (all(&from, "contact").await, all(&to, "contact").await);
        // Who has no name is not given that of a company or an address.
        let before = before.iter().flat_map(|record| &record.fields);
        for (before, after) in before.zip(after.iter().flat_map(|record| &record.fields)) {
            let trimmed = before.value.to_string().trim().to_owned();
            assert_eq!(trimmed, after.value.to_string(), "{} {version:?}\n{text}", before.name);
        }
    }
    let unknown = ExportOptions { fields: vec!["nonsense".into()], ..ExportOptions::new("contact") };
    assert!(export_cards(&from, Vec::new(), &unknown, CardVersion::V3).await.is_err());
}

#[tokio::test]
async fn what_a_file_is_instead_is_named() {
    let hub = hub();
    for (file, what) in [
        ("dn: cn=Ada,dc=example\nmail: ada@example.org\n", "LDIF"),
        ("version: 1\ndn: cn=Ada\n", "LDIF"),
        ("{\"email\": \"ada@example.org\"}", "JSON"),
        ("[\n  {\"email\": 1}]", "JSON"),
        ("<html><table><tr><td>email", "HTML"),
        ("\n<!DOCTYPE HTML>\n", "HTML"),
        ("<?xml version=\"1.0\"?>", "XML"),
        ("{\\rtf1 email}", "RTF"),
        ("BEGIN:VCALENDAR\n", "iCalendar"),
        ("%PDF-1.7", "PDF"),
        ("SQLite format 3\0", "database"),
        ("PK\u{3}\u{4}xx xl/workbook.xml", "xlsx"),
    ] {
        let error = import(&hub, file, &ImportOptions::new("contact")).await.unwrap_err();
        assert!(
            matches!(error, CsvError::NotCsv { .. }) && error.to_string().contains(what),
            "{file}: {error}"
        );
    }
    // A header in brackets is none of these.
    assert_eq!(contacts(&hub, "[email],[city]\na@example.org,Oslo\n").await.created, 1);
}

#[tokio::test]
async fn what_of_a_card_is_not_read_is_told() {
    let hub = hub();
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Byron\r\nN:Byron;Ada;King;;\r\nEMAIL:ada@x.example\r\nTEL;VALUE=uri:tel:+44-20-7946-0000;ext=12\r\nTEL;TYPE=fax:+44 1\r\nADR:;;1 Road;London;;SW1;UK\r\nBDAY:18151210\r\nX-PRIVATE:yes\r\nEND:VCARD\r\n";
    let group = "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nFN:Friends\r\nEND:VCARD\r\n";
    let report = contacts(&hub, format!("{card}{group}{group}")).await;
    assert_eq!((report.rows, report.created), (1, 1));
    assert_eq!(column(&hub, "contact", "phone").await, texts(&["+44-20-7946-0000 ext. 12"]));
    for what in [
        "BDAY (1 card)",
        "X-PRIVATE",
        "a further TEL",
        "the postal code in ADR",
        "further names and titles in N",
    ] {
        assert!(told(&report, what), "{what}: {:?}", report.notes);
    }
    assert!(told(&report, "2 cards are of groups"), "{:?}", report.notes);
    // No card has a time, so that none is weighed.
    assert!(!told(&report, "the change times are those"), "{:?}", report.notes);
}

#[tokio::test]
async fn what_a_card_has_no_place_for_is_told() {
    let hub = hub();
    contacts(&hub, "email,points,owner\na@x.example,7,\nb@x.example,,\n").await;
    let mut out = Vec::new();
    let exported =
        export_cards(&hub, &mut out, &ExportOptions::new("contact"), CardVersion::V3).await.unwrap();
    assert_eq!((exported.rows, exported.left_out), (2, vec!["points".to_owned()]));
}
