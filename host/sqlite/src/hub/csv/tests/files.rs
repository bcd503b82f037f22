//! File formats: encodings, delimiters, quotes and line breaks as they occur in practice.

use super::*;

fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

#[tokio::test]
async fn the_same_content_however_it_is_written() {
    let plain = "email,first_name,city\na@example.org,Zoë,\"Rio, RJ\"\nb@example.org,Bob,Oslo\n";
    let variants: Vec<(&str, Vec<u8>)> = vec![
        ("plain", plain.into()),
        ("crlf", plain.replace('\n', "\r\n").into()),
        ("cr", plain.replace('\n', "\r").into()),
        ("no last line break", plain.trim_end().into()),
        ("byte order mark", format!("\u{feff}{plain}").into()),
        ("semicolons", plain.replace("\"Rio, RJ\"", "Rio# RJ").replace(',', ";").replace('#', ",").into()),
        ("tabs", plain.replace("\"Rio, RJ\"", "Rio# RJ").replace(',', "\t").replace('#', ",").into()),
        ("pipes", plain.replace("\"Rio, RJ\"", "Rio# RJ").replace(',', "|").replace('#', ",").into()),
        ("declared", format!("sep=,\r\n{plain}").into()),
        ("utf-16le", utf16(plain, true, true)),
        ("utf-16be", utf16(plain, false, true)),
        ("utf-16le without mark", utf16(plain, true, false)),
        ("utf-16be without mark", utf16(plain, false, false)),
        ("windows-1252", plain.chars().map(|c| c as u8).collect()),
        ("blank lines", format!("\n , ,\n{}\n\n,,\n", plain.replace('\n', "\n\n")).into()),
        ("spaces around headings", plain.replace("email,first_name,city", " email , first_name , city ").into()),
        ("quoted", "\"email\",\"first_name\",\"city\"\n\"a@example.org\",\"Zoë\",\"Rio, RJ\"\n\"b@example.org\",\"Bob\",\"Oslo\"".into()),
        ("people's headings", plain.replace("email,first_name,city", "E-Mail, FIRST NAME ,City:").into()),
        ("ragged", plain.replace("Oslo", "Oslo,,,").into()),
    ];
    for (name, file) in variants {
        let hub = hub();
        let report = contacts(&hub, file).await;
        assert_eq!((report.rows, report.created, report.failed), (2, 2, 0), "{name}: {report:?}");
        assert_eq!(column(&hub, "contact", "first_name").await, texts(&["Zoë", "Bob"]), "{name}");
        assert_eq!(column(&hub, "contact", "city").await, texts(&["Rio, RJ", "Oslo"]), "{name}");
    }
}

#[tokio::test]
async fn encodings_by_name() {
    let hub = hub();
    let options =
        |encoding: &str| ImportOptions { encoding: Some(encoding.into()), ..ImportOptions::new("contact") };
    let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("email,city\na@example.org,東京\n");
    import(&hub, &japanese, &options("shift_jis")).await.unwrap();
    let (cyrillic, _, _) = encoding_rs::WINDOWS_1251.encode("email,city\nb@example.org,Москва\n");
    let report = import(&hub, &cyrillic, &options("cp1251")).await.unwrap();
    assert_eq!(report.encoding, "windows-1251");
    assert_eq!(column(&hub, "contact", "city").await, texts(&["東京", "Москва"]));
    let report = import(&hub, b"email,city\nc@example.org,\xff\n", &options("utf-8")).await.unwrap();
    assert!(told(&report, "replaced"), "{:?}", report.notes);
    let error = import(&hub, "email\n", &options("klingon")).await.unwrap_err().to_string();
    assert!(error.contains("'klingon' is no known encoding"), "{error}");
}

#[tokio::test]
async fn one_odd_row_does_not_spoil_the_encoding_of_the_others() {
    let hub = hub();
    let report =
        contacts(&hub, b"email,city\na@example.org,M\xc3\xbcnchen\nb@example.org,M\xfcnchen\n").await;
    assert_eq!(column(&hub, "contact", "city").await, texts(&["München", "München"]));
    assert!(told(&report, "1 row is not valid UTF-8"), "{:?}", report.notes);
}

#[tokio::test]
async fn what_is_no_csv_is_refused_with_a_remedy() {
    let hub = hub();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"PK\x03\x04xxxx".to_vec(), "save it as CSV"),
        (vec![0xd0, 0xcf, 0x11, 0xe0, 1], "save it as CSV"),
        (vec![0x1f, 0x8b, 8], "unpack"),
        (vec![0xff, 0xfe, 0, 0, b'a', 0, 0, 0], "UTF-8"),
        (b"".to_vec(), "no header"),
        (b"\n\r\n , \n".to_vec(), "no header"),
        (b"\xef\xbb\xbf".to_vec(), "no header"),
        (b"foo,bar\n1,2\n".to_vec(), "no column of the file is a field of contact; the columns are foo, bar"),
    ];
    for (file, expected) in cases {
        let error = import(&hub, &file, &ImportOptions::new("contact")).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = import(&hub, "email\n", &ImportOptions::new("deal")).await.unwrap_err().to_string();
    assert!(error.contains("no object 'deal'"), "{error}");
    for delimiter in ['"', '\n', 'é', '\0'] {
        let options = ImportOptions { delimiter: Some(delimiter), ..ImportOptions::new("contact") };
        assert!(matches!(import(&hub, "email\n", &options).await, Err(CsvError::Delimiter(_))));
    }
}

#[tokio::test]
async fn columns_are_matched_and_the_rest_is_named() {
    let hub = hub();
    let report = contacts(
        &hub,
        "Surname,,Shoe size,e mail,EMAIL,phone\nLovelace,x,39,a@example.org,b@example.org,1\n",
    )
    .await;
    let unused: Vec<(usize, &str)> =
        report.unused.iter().map(|column| (column.number, column.name.as_data())).collect();
    assert_eq!(unused, [(2, ""), (3, "Shoe size"), (5, "EMAIL")]);
    assert!(report.unused[2].reason.contains("another column is email"));
    let columns: Vec<(&str, &str)> =
        report.columns.iter().map(|(column, field)| (column.as_str(), field.as_str())).collect();
    assert_eq!(columns, [("Surname", "last_name"), ("e mail", "email"), ("phone", "phone")]);

    let mapped = |map: &[(&str, &str)]| ImportOptions {
        map: map.iter().map(|(column, field)| ((*column).to_owned(), (*field).to_owned())).collect(),
        ..ImportOptions::new("contact")
    };
    let file = "Mail 1,Mail 2,,city\na@example.org,b@example.org,Vienna,x\n";
    let report =
        import(&hub, file, &mapped(&[("mail 2", "email"), ("#3", "city"), ("Mail 1", "")])).await.unwrap();
    assert_eq!((report.created, report.columns.len()), (1, 2), "{report:?}");
    assert_eq!(column(&hub, "contact", "city").await.last(), Some(&Value::text("Vienna")));
    for (map, expected) in [
        (vec![("Mail 3", "email")], "no column 'Mail 3'"),
        (vec![("Mail 1", "mail")], "no field 'mail'"),
        (vec![("", "email")], "no column ''"),
    ] {
        let error = import(&hub, file, &mapped(&map)).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_quote_that_is_never_closed_says_where() {
    let hub = hub();
    let report =
        contacts(&hub, "email,city\na@example.org,Oslo\n\nb@example.org,\"Rome\nc@example.org,Bern\n").await;
    assert_eq!(counts(&report), [2, 1, 0, 0, 1, 1]);
    assert_eq!((report.bad[0].line, report.bad[0].reason.contains("never closed")), (4, true));
    let endless = format!("email,city\na@example.org,\"{}", "x".repeat(17 * 1024 * 1024));
    let error = import(&hub, &endless, &ImportOptions::new("contact")).await.unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("never closed"), "{error}");
}

#[tokio::test]
async fn lines_are_those_of_an_editor() {
    let hub = hub();
    let report = contacts(
        &hub,
        "email,city\r\na@example.org,\"x\r\ny\nz\"\r\n\r\nbad,Oslo\r\nb@example.org,\"\"\r\nworse,\r\n",
    )
    .await;
    let lines: Vec<u64> = report.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, [6, 8]);
    assert_eq!(column(&hub, "contact", "city").await[0], Value::text("x\r\ny\nz"));
    let old = contacts(&hub, "\remail,city\ra@example.org,\"x\ry\"\r\rbad,Oslo\r").await;
    assert_eq!((old.bad[0].line, old.skipped), (6, 1));
    let declared = contacts(&hub, "sep=;\r\nemail;city\r\nbad;Oslo\r\n\r\n").await;
    assert_eq!((declared.bad[0].line, declared.skipped), (3, 1));
}

/// A reader that yields a few bytes at a time and sometimes fails.
struct Trickle<'a>(&'a [u8], usize);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() && self.1 == 0 {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let length = self.0.len().min(self.1.max(1)).min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[tokio::test]
async fn files_that_come_in_pieces_or_break_off() {
    let file = "\u{feff}email,first_name\r\na@example.org,👩‍👩‍👧 \u{202e}אב e\u{301}\r\n\"b@example.org\",\"\"\"x\"\"\"\r\n";
    for size in 1..20 {
        for bytes in [file.as_bytes().to_vec(), utf16(file, true, false)] {
            let hub = hub();
            import_csv(&hub, Trickle(&bytes, size), &ImportOptions::new("contact"), &mut |_, _| {})
                .await
                .unwrap();
            assert_eq!(
                column(&hub, "contact", "first_name").await,
                texts(&["👩‍👩‍👧 \u{202e}אב e\u{301}", "\"x\""]),
                "{size}"
            );
        }
    }
    let hub = hub();
    let error = import_csv(&hub, Trickle(file.as_bytes(), 0), &ImportOptions::new("contact"), &mut |_, _| {})
        .await
        .unwrap_err();
    assert!(matches!(&error, CsvError::Read { .. }), "{error}");
}
