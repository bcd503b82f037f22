//! An import as a run in the history: shown, undone, and carried over by the next sync.

use crate::world::{Home, Output, World};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

fn import(home: &Home, name: &str, content: &str, options: &[&str]) -> Output {
    let file = home.file(name, content);
    let mut args = vec!["record", "import", "contact", &file];
    args.extend(options);
    home.run(&args)
}

/// A home with two people, and a second file that changes one of them and makes two.
fn home() -> Home {
    let home = Home::new();
    let first = "First name,E-mail,City\nAnn,ann@x.example,Oslo\nBea,bea@x.example,Ulm\n";
    import(&home, "people.csv", first, &[]).well().says(&["run 1; put back", "entente run undo 1"]);
    home
}

const MORE: &str = "First name,E-mail,City,Company\nAnn,ann@x.example,Lund,Fjord AB\nCid,cid@x.example,Rom,Fjord AB\nBea,bea@x.example,Ulm,\n";

/// The blocks of records, without what surrounds them.
fn blocks(output: &Output) -> String {
    let of_block = |line: &&str| line.starts_with(['+', '~', '-']) || line.starts_with("    ");
    output.stdout.lines().filter(of_block).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_import_is_a_run_that_is_shown_and_undone() {
    let home = home();
    let before = home.records("contact");
    let plan = import(&home, "more.csv", MORE, &["--dry-run"]).well();
    insta::assert_snapshot!(blocks(&plan), @"
    + new company in the hub «Fjord AB»
        name  Fjord AB
    ~ contact:1 «Ann»
        city     Oslo → Lund
        company  (blank) → new company «Fjord AB» (not linked yet)
    + new contact in the hub «Cid»
        first_name  Cid
        email       cid@x.example
        company     new company «Fjord AB» (not linked yet)
        city        Rom
    ");
    assert!(plan.stdout.trim_end().ends_with("Plan: 2 to create, 1 to change"), "{plan}");
    assert_eq!(home.records("contact").len(), 2);
    let plan = import(&home, "more.csv", MORE, &["--dry-run", "--limit", "1"]).well();
    plan.says(&["the first 1 of 3 changes"]);
    let list = home.run(&["run", "list", "--json"]).well().json();
    assert_eq!(list["rows"].as_array().map(Vec::len), Some(1), "a dry run is none: {list}");

    import(&home, "more.csv", MORE, &[]).well().says(&["run 2; put back"]);
    home.run(&["run", "list"]).well().says(&["import of people.csv", "import of more.csv"]);
    let shown = home.run(&["run", "show", "2"]).well();
    insta::assert_snapshot!(blocks(&shown), @"
    ~ contact:1 «Ann»
        company  (blank) → company:3
        city     Oslo → Lund
    + company:3 «Fjord AB»
        name  Fjord AB
    + contact:4 «Cid»
        first_name  Cid
        email       cid@x.example
        company     company:3
        city        Rom
    ");
    shown.says(&[
        "run 2, import of more.csv into contact, done",
        "Done: 2 created (2 in the hub), 1 changed (1 in the hub), 0 deleted",
    ]);
    let part = home.run(&["run", "show", "2", "--filter", "object=company", "--json"]).well().json();
    assert_eq!(
        (&part["changes"]["total"], &part["counts"]["hub"]["contact"]["created"]),
        (&json!(1), &json!(1)),
        "{part}"
    );
    home.run(&["record", "show", "contact:1"])
        .well()
        .says(&["import of more.csv, run 2", "import of people.csv, run 1"]);
    home.run(&["record", "history", "contact:1"])
        .well()
        .says(&["set by the import of more.csv, run 2: city = Lund"]);

    let undo = home.run(&["record", "import", "--undo", "2", "--dry-run"]).well();
    insta::assert_snapshot!(blocks(&undo), @"
    - company:3 «Fjord AB»
        (the import made it, and nobody has changed it since)
        name  Fjord AB
    - contact:4 «Cid»
        (the import made it, and nobody has changed it since)
        first_name  Cid
        email       cid@x.example
        company     company:3
        city        Rom
    ~ contact:1 «Ann»
        company  company:3 → (blank)  (as before the import)
        city     Lund → Oslo  (as before the import)
    ");
    undo.says(&[
        "nothing was written; do it: entente run undo 2 --delete 2",
        "Plan: 2 to delete, 1 to change, 0 left",
    ]);
    home.run(&["record", "import", "--undo", "2"]).fails(2, &["--yes", "nothing was done"]);
    home.run(&["run", "undo", "2", "--delete", "1"])
        .fails(1, &["would delete 2 records", "entente run undo 2 --delete 2"]);
    home.run(&["run", "undo", "2", "--delete", "2"])
        .well()
        .says(&["run 3: the import of run 2 is undone", "Done: 2 deleted, 1 changed, 0 left"]);
    assert_eq!(
        home.records("contact").iter().map(|record| &record.fields).collect::<Vec<_>>(),
        before.iter().map(|record| &record.fields).collect::<Vec<_>>()
    );
    home.run(&["run", "list"]).well().says(&["undoes run 2"]);
    home.run(&["run", "show", "3"])
        .well()
        .says(&["run 3, undo of the import of run 2, done", "entente run show 2"]);
    home.run(&["run", "show", "2"]).well().says(&["(deleted by an undo of the import"]);
    home.run(&["record", "import", "--undo", "2", "--yes"])
        .well()
        .says(&["nothing of run 2 is left to put back"]);

    for args in [&["run", "undo", "3"][..], &["record", "import", "--undo", "3"]] {
        home.run(args).fails(1, &["run 3 undid the import of run 2", "import the file again"]);
    }
    home.run(&["run", "apply", "1"]).fails(1, &["run 1 was no dry run"]);
    home.run(&["record", "import", "--undo", "9"]).fails(1, &["there is no run 9"]);
    home.run(&["record", "import"]).fails(2, &["<OBJECT>"]);
    home.run(&["record", "import", "contact", "x.csv", "--undo", "1"]).fails(2, &["--undo"]);
}

#[test]
fn what_somebody_has_changed_since_is_left_with_the_reason() {
    let home = home();
    import(&home, "more.csv", MORE, &[]).well();
    home.run(&["record", "set", "contact:1", "city=Bergen"]).well();
    home.run(&["record", "set", "contact:4", "phone=1"]).well();
    let undone = home.run(&["run", "undo", "2", "--yes"]).exits(3);
    undone.says(&["3 left out", "changed since by hand", "contact:4 refers to it and stays"]);
    let ann = home.find("contact", "email", "ann@x.example");
    assert_eq!(
        (ann.text("city"), ann.fields.get("company").cloned().unwrap_or_default()),
        ("Bergen", Value::Null)
    );
    assert_eq!(home.records("company").len(), 1, "the company of a contact that stays");
    // The run of a sync knows nothing of it.
    home.run(&["status", "--json"]).well();
}

fn set_policy(world: &World, policy: &str) {
    let file = world.run(&["export"]).well().stdout;
    let with = file.replace("left = \"contact\"\n", &format!("left = \"contact\"\ndeletes = \"{policy}\"\n"));
    assert_ne!(with, file, "{file}");
    world.run(&["apply", &world.file("policy.toml", with)]).well();
}

#[test]
fn what_an_undo_puts_back_reaches_the_other_side() {
    for policy in ["delete", "ignore"] {
        let world = World::new();
        world.import("First name,Last name,E-mail,City,Changed\nAnn,Lee,ann@x.example,Oslo,2020-02-01T00:00:00Z\nBea,Ek,bea@x.example,Ulm,2020-02-01T00:00:00Z\n").well();
        set_policy(&world, policy);
        world.sync(&[]).well();
        let last = world.run(&["status", "--json"]).well().json()[0]["last_run"]["run"].clone();
        let wrong = world.import("First name,Last name,E-mail,City,Phone,Changed\nAnn,Lee,ann@x.example,Wrong,+47 22 00 00 01,2020-03-01T00:00:00Z\nBea,Ek,bea@x.example,Wrong,,2020-03-01T00:00:00Z\nCid,Ode,cid@x.example,Rom,,2020-03-01T00:00:00Z\n");
        wrong.well().says(&["run 3"]);
        assert_eq!(
            world.run(&["status", "--json"]).well().json()[0]["last_run"]["run"],
            last,
            "an import is no run of the sync"
        );
        world.sync(&[]).well();
        let field =
            |email: &str, field: &str| world.person(email).fields.get(field).cloned().unwrap_or_default();
        assert_eq!(
            (field("ann@x.example", "city"), field("cid@x.example", "city")),
            (json!("Wrong"), json!("Rom"))
        );

        // Bea is edited on the other side, so that her city stays.
        let bea = world.person("bea@x.example").id;
        world.edit_person("2020-04-01T00:00:00Z", &bea, json!({ "city": "Trier" }));
        world.sync(&[]).well();
        let undone = world.run(&["run", "undo", "3", "--yes"]).exits(3);
        undone.says(&["1 deleted, 1 changed, 1 left", "changed since by HelloWorld, run 5"]);
        let synced = world.sync(&["--lift-brake"]);
        assert!([0, 3].contains(&synced.code), "{synced}");
        assert_eq!(field("ann@x.example", "city"), json!("Oslo"), "{policy}: {synced}");
        assert!([Value::Null, json!("")].contains(&field("ann@x.example", "phone")), "{policy}: {synced}");
        assert_eq!(field("bea@x.example", "city"), json!("Trier"));
        let left = world.crm.find(hello_crm::Object::Person, "email", &json!("cid@x.example")).len();
        assert_eq!(left, usize::from(policy == "ignore"), "{policy}: {synced}");
        let ann = world.find("contact", "email", "ann@x.example");
        assert_eq!(ann.text("city"), "Oslo");
        world.is_quiet();
    }
}

#[test]
fn an_import_that_was_killed_reads_so_and_is_undone() {
    let home = Home::new();
    let mut command = home.command(&["record", "import", "contact", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than it looks at before it begins; then it waits for the rest, which never comes.
    let rows: String =
        (0..40_000).map(|n| format!("somebody-with-a-long-name-{n}@x.example,Oslo\n")).collect();
    stdin.write_all(format!("E-mail,City\n{rows}").as_bytes()).unwrap();
    stdin.flush().unwrap();
    let made = || {
        let shown = home.run(&["run", "show", "1", "--limit", "1", "--json"]);
        if shown.code == 0 { shown.json()["changes"]["total"].as_u64().unwrap() } else { 0 }
    };
    while made() < 1000 {
        assert_eq!(child.try_wait().unwrap(), None, "it waits for more rows");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let made = made();
    home.run(&["run", "list"])
        .well()
        .says(&["import of standard input: it is under way, or was stopped before its"]);
    home.run(&["run", "show", "1"]).well().says(&["interrupted", &format!("Done: {made} created")]);
    home.run(&["run", "undo", "1", "--yes"]).well().says(&[&format!("Done: {made} deleted")]);
    assert_eq!(home.records("contact").len(), 0);
}

/// Under the default policy a counterpart whose record was deleted is nobody's; `unlink` says that whoever comes may have it.
#[test]
fn a_file_that_was_undone_and_is_imported_again_is_linked_once_the_policy_says_so() {
    let world = World::new();
    let rows = "Last name,E-mail,Changed\nEk,ek@x.example,2020-02-01T00:00:00Z\nAl,al@x.example,2020-02-01T00:00:00Z\n";
    world.import(rows).well();
    world.sync(&[]).well();
    world.run(&["run", "undo", "1", "--yes"]).well().says(&["ignore: they stay"]);
    world.sync(&[]);
    world.import(rows).well();
    world.sync(&[]).exits(3);
    let file = world.run(&["export"]).well().stdout;
    let with = file.replace("left = \"contact\"\n", "left = \"contact\"\ndeletes = \"unlink\"\n");
    world.run(&["apply", &world.file("unlink.toml", with)]).well();
    world.sync(&[]).well();
    assert_eq!((world.crm.count(hello_crm::Object::Person), world.records("contact").len()), (2, 2));
    world.run(&["status", "--check"]).well();
    world.is_quiet();
}
