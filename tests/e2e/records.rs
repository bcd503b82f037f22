//! Record import and export, with files as they occur in practice.

use crate::world::Home;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn import(home: &Home, content: impl AsRef<[u8]>, options: &[&str]) -> crate::world::Output {
    let file = home.file("people.csv", content);
    let mut args = vec!["record", "import", "contact", &file];
    args.extend(options);
    home.run(&args)
}

#[test]
fn every_usual_form_of_a_file_gives_the_same_records() {
    let rows = [
        ["First name", "Last name", "E-mail", "City"],
        ["Åsa", "Öberg", "asa@example.org", "Umeå"],
        ["Bo", "Ek; Holm", "bo@example.org", ""],
    ];
    let with = |delimiter: &str, end: &str| -> String {
        rows.iter()
            .map(|row| {
                row.map(|cell| if cell.contains(';') { format!("\"{cell}\"") } else { cell.to_owned() })
                    .join(delimiter)
                    + end
            })
            .collect()
    };
    let latin: Vec<u8> = with(";", "\r\n").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let utf16: Vec<u8> =
        format!("\u{feff}{}", with("\t", "\r\n")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files = [
        with(",", "\n").into_bytes(),
        with(",", "\r\n").into_bytes(),
        format!("\u{feff}{}", with(";", "\r\n")).into_bytes(),
        with("\t", "\n").into_bytes(),
        with(",", "\n").trim_end().as_bytes().to_vec(),
        latin,
        utf16,
    ];
    for (n, file) in files.into_iter().enumerate() {
        let home = Home::new();
        import(&home, file, &[]).well().says(&["2 rows, 2 created"]);
        let records = home.records("contact");
        assert_eq!(records.len(), 2, "file {n}");
        let asa = home.find("contact", "email", "asa@example.org");
        assert_eq!(
            (asa.text("first_name"), asa.text("last_name"), asa.text("city")),
            ("Åsa", "Öberg", "Umeå"),
            "file {n}"
        );
        let bo = home.find("contact", "email", "bo@example.org");
        assert_eq!(
            (bo.text("last_name"), bo.fields.get("city").cloned().unwrap_or_default()),
            ("Ek; Holm", Value::Null),
            "file {n}"
        );
    }
}

#[test]
fn bad_rows_are_listed_and_good_ones_kept() {
    let home = Home::new();
    let file = "Last name,E-mail,Points,,E-mail,Changed\n\
        Good,good@example.org,1,x,,2020-01-01\n\
        Worse,worse@example.org,many,,,2020-01-01\n\
        \"Two\nlines\",two@example.org,2,,,2020-01-01\n\
        NoMail,not an address,3,,,2020-01-01\n\
        Never,never@example.org,4,,,some day\n\
        Last,last@example.org,5,,,2020-01-01\n";
    let output = import(&home, file, &[]).exits(3).says(&[
        "3 created",
        "3 refused",
        "line 3",
        "many",
        "line 6",
        "not an address",
        "line 7",
        "some day",
    ]);
    assert!(
        output.stdout.contains("column 4 ''") && output.stdout.contains("1 column without a value"),
        "{output}"
    );
    let names: Vec<String> =
        home.records("contact").iter().map(|record| record.text("last_name").to_owned()).collect();
    assert_eq!(names, ["Good", "Two\nlines", "Last"]);

    let json = import(&home, file, &["--json"]).exits(3).json();
    assert_eq!(
        (&json["unchanged"], &json["failed"], &json["created"]),
        (&json!(3), &json!(3), &json!(0)),
        "{json}"
    );
    assert_eq!((&json["bad"][0]["line"], &json["bad"][0]["value"]), (&json!(3), &json!("many")), "{json}");
    assert!(
        json["bad"]
            .as_array()
            .unwrap()
            .iter()
            .all(|bad| bad["reason"].as_str().is_some_and(|reason| !reason.is_empty())),
        "{json}"
    );
    let dry = import(&home, "Last name,E-mail\nNew,new@example.org\n", &["--dry-run"])
        .well()
        .says(&["1 created", "nothing was written"]);
    assert_eq!(home.records("contact").len(), 3, "{dry}");
}

#[test]
fn change_times_of_a_file_decide_against_what_the_hub_has() {
    let home = Home::new();
    import(&home, "Last name,E-mail,City,Changed\nEk,ek@example.org,Umeå,2020-02-01T00:00:00Z\n", &[]).well();
    import(&home, "Last name,E-mail,City,Changed\nEk,ek@example.org,Lund,2020-01-01T00:00:00Z\n", &[])
        .well()
        .says(&["a newer value is there"]);
    assert_eq!(home.find("contact", "email", "ek@example.org").text("city"), "Umeå");
    import(
        &home,
        "E-mail,City,Last touched\nek@example.org,Visby,2020-03-01T00:00:00Z\n",
        &["--changed-column", "Last touched"],
    )
    .well();
    assert_eq!(home.find("contact", "email", "ek@example.org").text("city"), "Visby");
    import(&home, "E-mail,City\nek@example.org,Kiruna\n", &[]).well().says(&["1 updated"]);
    assert_eq!(
        home.find("contact", "email", "ek@example.org").text("city"),
        "Kiruna",
        "without a time it is as of now"
    );
}

#[test]
fn ten_thousand_rows() {
    let home = Home::new();
    let rows: String = (0..10_000)
        .map(|n| format!("First {n},Last {n},p{n}@example.org,Company {},{n}\n", n % 100))
        .collect();
    let file = format!("First name,Last name,E-mail,Company,Points\n{rows}");
    import(&home, &file, &[])
        .well()
        .says(&["10000 rows, 10000 created", "100 records that rows link to were made"]);
    assert_eq!((home.records("contact").len(), home.records("company").len()), (10_000, 100));
    import(&home, &file, &[]).well().says(&["10000 rows, 0 created, 0 updated, 10000 unchanged"]);
    assert_eq!(home.records("contact").len(), 10_000);
}

#[test]
fn o16_a_reader_that_has_read_enough_ends_the_command_well() {
    let home = Home::new();
    let rows: String =
        (0..3000).map(|n| format!("p{n}@example.org,A name that is quite long {n}\n")).collect();
    import(&home, format!("E-mail,Last name\n{rows}"), &[]).well();
    for args in [&["record", "export", "contact", "--json"][..], &["record", "export", "contact"]] {
        let mut command = home.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && said.is_empty(), "{args:?}: {}: {said}", ended.status);
    }
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let (home, other) = (Home::new(), Home::new());
    let tricky = "First name,Last name,E-mail,Company,Points,Tags,City,Changed\n\
        \"Quote \"\"Q\"\"\",\"Comma, Ek\",a@example.org,Fjord AB,7,vip;press,\"Two\nlines\",2020-01-01T00:00:00.000001Z\n\
        =1+1,\u{c5}ngstr\u{f6}m,b@example.org,,,,\u{6771}\u{4eac},2020-01-02T00:00:00Z\n";
    import(&home, tricky, &[]).well();
    for object in ["company", "contact"] {
        let file = home.dir.path().join(format!("{object}.csv"));
        let file = crate::world::text(&file);
        home.run(&["record", "export", object, &file, "--changed", "--bom"]).well();
        other.run(&["record", "import", object, &file]).well();
        let written = home.run(&["record", "export", object, "--changed"]).well().stdout;
        assert_eq!(other.run(&["record", "export", object, "--changed"]).well().stdout, written);
        assert_eq!(other.records(object).len(), home.records(object).len());
    }
    let socket = home.dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let place = crate::world::text(&socket);
    home.run(&["record", "export", "contact", &place])
        .fails(1, &["socket cannot be written", "it is a pipe or a device", "name a file"]);
    assert!(!std::fs::metadata(&socket).unwrap().is_file(), "it stays what it is");
    let a = other.find("contact", "email", "a@example.org");
    assert_eq!(
        (a.text("first_name"), a.text("last_name"), a.text("city")),
        ("Quote \"Q\"", "Comma, Ek", "Two\nlines")
    );
    assert_eq!((&a.fields["points"], &a.fields["tags"]), (&json!(7), &json!(["vip", "press"])));
    assert_eq!(other.find("contact", "email", "b@example.org").text("first_name"), "=1+1");
}

#[test]
fn records_are_deleted_all_or_none() {
    let home = Home::new();
    home.run(&["record", "set", "contact", "email=a@example.org"]).well();
    home.run(&["record", "set", "contact", "email=b@example.org"]).well();
    home.run(&["record", "delete", "contact:1", "contact:99"]).fails(1, &["there is no contact 99"]);
    assert_eq!(home.records("contact").len(), 2);
    home.run(&["record", "delete", "contact:1"]).well().says(&["contact:1 deleted"]);
    assert_eq!(home.records("contact").len(), 1);
    home.run(&["record", "delete", "nonsense"]).fails(2, &["contact:12"]);
}
