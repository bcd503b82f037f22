//! What programs read: errors as data, and lists that are streamed.

use crate::world::{Home, World};
use serde_json::{Value, json};

#[test]
fn an_error_is_an_object_with_a_code_and_next_steps() {
    let home = Home::new();
    for (args, code, exit) in [
        (&["sync", "nobody", "--json"][..], "unknown", 2),
        (&["run", "show", "7", "--json"], "unknown", 1),
        (&["record", "show", "contact", "--json"], "usage", 2),
        (&["sync", "--no-such-option", "--json"], "usage", 2),
        (&["export", "--json"], "usage", 2),
        (&["plugin", "install", "nowhere.wasm", "--json"], "failed", 1),
    ] {
        let output = home.run(args).exits(exit);
        let error = output.error().unwrap_or_else(|| panic!("no JSON: {output}"));
        assert_eq!(error["code"], code, "{output}");
        assert!(error["error"].as_str().is_some_and(|text| !text.is_empty()), "{output}");
        assert!(error["remedies"].is_array(), "{output}");
        assert_eq!(output.stdout, "", "{output}");
    }
    let file = home.file("entente.toml", "[sync.nobody]\nexchanges = ['hub', 'nobody']\n");
    let output = home.run(&["apply", &file, "--json"]).exits(1);
    let error = output.error().unwrap();
    assert_eq!(error["code"], "invalid", "{output}");
}

/// The next steps of an error name the commands, with the home as it was given.
#[test]
fn a_next_step_has_its_command() {
    let home = Home::new();
    let output = home.run(&["sync", "nobody", "--json"]).exits(2);
    let error = output.error().unwrap();
    let commands: Vec<&str> =
        error["remedies"].as_array().unwrap().iter().filter_map(|step| step["command"].as_str()).collect();
    assert!(
        !commands.is_empty() && commands.iter().all(|command| command.starts_with("entente ")),
        "{output}"
    );
}

/// All pages together are what is printed at once.
#[test]
fn a_list_without_a_limit_is_all_of_its_pages() {
    let world = World::new();
    let people: String =
        (0..30).map(|n| format!("First{n},Last{n},p{n}@ek.example,2020-02-01T00:00:00Z\n")).collect();
    world.import(&format!("First name,Last name,E-mail,Changed\n{people}")).well();
    world.sync(&[]).well();
    let whole = world.run(&["run", "show", "1", "--json"]).well().json();
    let changes = whole["changes"]["rows"].as_array().unwrap().clone();
    assert_eq!(whole["changes"]["total"], json!(changes.len()), "{}", whole["changes"]);
    assert_eq!(whole["changes"]["next"], Value::Null);
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["run", "show", "1", "--json", "--limit", "7"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let page = world.run(&args).well().json();
        rows.extend(page["changes"]["rows"].as_array().unwrap().clone());
        assert_eq!(page["counts"], whole["counts"]);
        match page["changes"]["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(rows, changes);
    assert!(rows.len() > 7, "{} rows are one page", rows.len());
    let none = world.run(&["conflict", "list", "--json"]).well().json();
    assert_eq!(none, json!({ "rows": [], "next": null, "total": 0 }));
}
