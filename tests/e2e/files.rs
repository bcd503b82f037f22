//! Files of other programs, through the program: what is told of them, and which options help.

use crate::world::{Home, Output, text};
use serde_json::json;

fn import(home: &Home, content: impl AsRef<[u8]>, options: &[&str]) -> Output {
    let file = home.file("people.csv", content);
    let mut args = vec!["record", "import", "contact", &file];
    args.extend(options);
    home.run(&args)
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/files").join(name))
        .unwrap()
}

#[test]
fn f12_refused_rows_are_written_mended_and_imported() {
    let home = Home::new();
    let rows: String = (0..3000).map(|n| format!("Person {n},p{n}(at)example.org,{n}\n")).collect();
    let file = format!("Last name,E-mail,Points\nGood,good@example.org,1\n{rows}");
    let refused = text(&home.dir.path().join("refused.csv"));
    let output = import(&home, &file, &["--refused", &refused]).exits(3).says(&[
        "1 created",
        "3000 refused",
        "and 2980 more refused rows",
        "3000 rows in column 'E-mail': no value of the field",
        "the 3000 refused rows are in",
        "mend what is wrong there",
    ]);
    assert!(!output.stdout.contains("--refused FILE"), "{output}");
    let written = std::fs::read_to_string(&refused).unwrap();
    assert_eq!(written.lines().count(), 3001);
    std::fs::write(&refused, written.replace("(at)", "@")).unwrap();
    home.run(&["record", "import", "contact", &refused]).well().says(&[
        "3000 rows, 3000 created",
        "column 1 'refused because' was not read: it has the reasons of an earlier import",
    ]);
    home.run(&["record", "import", "contact", &refused, "--refused", &refused]).fails(2, &["--refused"]);
    import(&home, &file, &[]).exits(3).says(&["--refused FILE"]);
}

#[test]
fn what_helps_is_named_with_the_option_and_helps() {
    let home = Home::new();
    let dates = "E-mail,City,Changed\na@example.org,Oslo,01/02/2019 10:00\n";
    import(&home, dates, &[]).exits(3).says(&["--day-first or --month-first", "--changed-column \"\""]);
    import(&home, dates, &["--day-first"]).well();
    let bare = "b@example.org;Bo\n";
    import(&home, bare, &["--map", "#1=email"])
        .fails(1, &["'b@example.org' is an e-mail address", "--no-header"]);
    import(&home, bare, &["--no-header", "--map", "#1=email", "--map", "#2=first_name"])
        .well()
        .says(&["1 rows, 1 created"]);
    import(&home, "Last name,Phone\nEk,+46 1\nEk,+46 1\n", &[]).well().says(&[
        "1 created",
        "1 unchanged",
        "--or-key",
    ]);
    import(&home, "Last name,Phone,City\nEk,0046 1,Umeå\n", &["--or-key", "phone,last_name"])
        .well()
        .says(&["1 updated"]);
    import(&home, "E-mail,Points\nc@example.org,many\n", &["--bad-cells", "leave-out"])
        .well()
        .says(&["1 created", "1 cells of column 'Points' were left out, the first on line 2"]);
    import(&home, "E-mail,City\nc@example.org,NULL\n", &[]).well().says(&["may mean nothing", "--nothing"]);
    import(&home, "E-mail,City\nc@example.org,Rome\nnew@example.org,Rome\n", &["--only", "update"])
        .well()
        .says(&["1 updated", "1 row would be a new record and was passed over"]);
    import(&home, "E-mail,City,Changed\nc@example.org,Bern,2019-01-01\n", &["--field-times", "--json"])
        .well();
    home.run(&["record", "import", "company", &home.file("firms.csv", "Firm of theirs,Phone\nFjord AB,1\n")])
        .fails(1, &["no column of the file is name", "--map"]);
}

#[test]
fn an_exporter_is_named_and_json_has_all_of_it() {
    let home = Home::new();
    import(&home, sample("salesforce.csv"), &[]).well().says(&[
        "2 rows, 2 created",
        "the columns are those of Salesforce",
        "rows under the table are no records",
        "with the month first",
    ]);
    let json = import(&home, sample("google.csv"), &["--json"]).well().json();
    assert_eq!((&json["layout"], &json["created"]), (&json!("Google Contacts"), &json!(3)), "{json}");
    assert_eq!(json["weighing"], json!({ "by": "import" }), "{json}");
    let codes: Vec<&str> =
        json["notes"].as_array().unwrap().iter().map(|note| note["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"several-addresses") && codes.contains(&"undated"), "{json}");
    assert!(json["notes"][0]["text"].is_string(), "{json}");
}

#[test]
fn cards_go_in_and_out() {
    let (home, other) = (Home::new(), Home::new());
    home.run(&["record", "import", "contact", &home.file("cards.vcf", sample("contacts.vcf"))])
        .well()
        .says(&["3 rows, 3 created"]);
    for format in ["vcard", "vcard-4"] {
        let file = text(&home.dir.path().join("out.vcf"));
        home.run(&["record", "export", "contact", &file, "--format", format])
            .well()
            .says(&["3 records exported"]);
        other.run(&["record", "import", "contact", &file]).well().says(&["0 refused"]);
    }
    assert_eq!(other.records("contact").len(), 3);
    home.run(&["record", "export", "contact", "--format", "vcard", "--bom"]).fails(2, &["--bom"]);
    home.run(&["record", "export", "contact", "--format", "vcard", "--json"]).fails(2, &["--format"]);
}
