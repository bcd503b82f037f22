//! Usability for newcomers: hints that work when followed, and unambiguous messages.

use crate::world::{Home, World};
use hello_crm::{Action, Rule};
use serde_json::{Value, json};
use std::process::Stdio;

#[test]
fn links_of_a_plan_are_in_the_words_of_the_side_that_is_written() {
    let world = World::new();
    world.run(&["record", "set", "company", "name=Acme"]).well();
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    world.sync(&[]).well();
    let contact = format!("contact:{}", world.find("contact", "email", "ek@example.org").id);
    let company = format!("company:{}", world.find("company", "name", "Acme").id);
    let organisation = &world.crm.records(hello_crm::Object::Organisation)[0].id;
    world.run(&["record", "set", &contact, &format!("company={company}")]).well();
    let plan = world.sync(&["--dry-run"]).well().json();
    let after = |plan: &Value| {
        let field = plan["changes"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|change| change["fields"].as_array().unwrap());
        field
            .clone()
            .find(|field| field["field"] == "organisation")
            .cloned()
            .unwrap_or_else(|| panic!("{plan}"))
    };
    assert_eq!(after(&plan)["after"], json!({ "ref": ["organisation", organisation] }), "{plan}");
    world.run(&["record", "set", "company", "name=Beta"]).well();
    let new = format!("company:{}", world.find("company", "name", "Beta").id);
    world.run(&["record", "set", &contact, &format!("company={new}")]).well();
    let plan = world.sync(&["--dry-run"]).well().json();
    assert_eq!(after(&plan)["not_linked"], json!([new]), "{plan}");
    world.run(&["sync", "HelloWorld", "--dry-run"]).well().says(&[&format!("{new} (not linked yet)")]);
    world.sync(&[]).well();
    let run = world.run(&["run", "list", "--json"]).well().json()["rows"][0]["run"].to_string();
    let shown = world.run(&["run", "show", &run]).well();
    assert!(!shown.stdout.contains("not linked yet"), "{shown}");
}

#[test]
fn a_long_plan_shows_its_beginning() {
    let world = World::new();
    let rows: String = (0..60).map(|n| format!("P{n},p{n}@example.org\n")).collect();
    world.import(&format!("Last name,E-mail\n{rows}")).well();
    let plan = world
        .run(&["sync", "HelloWorld", "--dry-run"])
        .well()
        .says(&["the first 50 of 60 changes; more with --limit, all with --json"]);
    assert_eq!(plan.stdout.matches("+ new person in HelloWorld, from contact:").count(), 50, "{plan}");
    let plan = world.run(&["sync", "HelloWorld", "--dry-run", "--limit", "60"]).well();
    assert_eq!(plan.stdout.matches("+ new person in HelloWorld, from contact:").count(), 60, "{plan}");
    assert_eq!(
        world.sync(&["--dry-run"]).well().json()["changes"]["rows"].as_array().map(Vec::len),
        Some(60)
    );
}

#[test]
fn what_an_integration_lacks_is_told_by_the_command_that_adds_it() {
    let clock = std::sync::Arc::new(hello_crm::SystemClock);
    let world = World::unconnected(Home::with_plugin(), hello_crm::seed::Seed::default(), clock);
    let set = format!("url={}", world.url);
    let output = world.run(&["integration", "add", "HelloWorld", "--set", &set, "--http", &world.url]);
    let again =
        format!("entente integration add HelloWorld --set {set} --http {} --secret api-key\n", world.url);
    let output = output.fails(1, &[&again, "HelloWorld was not added"]);
    assert!(!output.stderr.contains("entente integration set"), "{output}");
    world.connect().well();

    let output = world.run(&["integration", "grant", "HelloWorld", "--secret", "api-kee"]).well();
    assert!(output.stderr.contains("does not ask for a secret 'api-kee'"), "{output}");
    let output = world.run(&["integration", "set", "HelloWorld", "--set", "adress-of-it=x"]).well();
    assert!(output.stderr.contains("does not read a setting 'adress-of-it'"), "{output}");
    let output =
        world.run(&["integration", "set", "HelloWorld", "--set", &set, "--unset", "adress-of-it"]).well();
    assert!(!output.stderr.contains("warning"), "{output}");
    let file = world.file(
        "entente.toml",
        format!("[integration.HelloWorld]\nplugin = \"helloworld\"\nsettings = {{ url = \"{}\", adress-of-it = 1 }}\n", world.url),
    );
    world.run(&["apply", &file, "--dry-run"]).well().says(&["does not read a setting 'adress-of-it'"]);
}

#[test]
fn a_run_that_fails_at_once_says_only_that() {
    let world = World::new();
    world.crm.add_fault(Rule::new(Action::Status { status: 401, body: None }).times(None));
    let output = world.run(&["sync", "HelloWorld"]).exits(1);
    assert_eq!(output.stdout, "", "{output}");
    assert!(output.stderr.contains("did not come to its end"), "{output}");
}

#[test]
fn a_run_that_was_killed_is_interrupted() {
    let world = World::new();
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    world.crm.add_fault(Rule::new(Action::Delay { delay_ms: 3_600_000 }).path("/batch").times(None));
    let mut child = world
        .command(&["sync", "HelloWorld"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while world.crm.faults()[0].struck == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    let status =
        |world: &World| world.run(&["run", "list", "--json"]).well().json()["rows"][0]["status"].clone();
    assert_eq!(status(&world), json!("running"));
    world.run(&["retry", "--all"]).fails(1, &["another run holds 'HelloWorld'", "--wait"]);
    world.run(&["run", "undo", "1"]).fails(1, &["run 1 is still under way"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(status(&world), json!("interrupted"));
    world.run(&["run", "show", "1"]).well().says(&["run 1 of HelloWorld, interrupted"]);
    world
        .run(&["status"])
        .well()
        .says(&["was interrupted", "next: go on where run 1 was interrupted: entente sync HelloWorld"]);
    world.run(&["retry", "--all"]).well();
}

#[test]
fn a_healthy_run_tells_what_it_does_when_asked() {
    let world = World::with_sample(5);
    let quiet = world.run(&["sync", "HelloWorld", "--dry-run"]).well();
    assert_eq!(quiet.stderr, "", "{quiet}");
    let told = world.run(&["sync", "HelloWorld", "-v"]).well();
    for part in
        ["a run begins", "read a page", "compared both sides", "an order was answered", "a run has ended"]
    {
        assert!(told.stderr.contains(part), "«{part}»: {told}");
    }
}

#[test]
fn reasons_name_the_exchanges() {
    let world = World::new();
    world.import("Last name,E-mail,City,Changed\nEk,ek@example.org,Umeå,2020-02-01T00:00:00Z\n").well();
    world.sync(&[]).well();
    world.run(&["record", "set", "contact:1", "city=Lund"]).well();
    world.run(&["sync", "HelloWorld", "--dry-run"]).well().says(&["only the hub has changed"]);
    let plan = world.sync(&["--dry-run"]).well().json();
    let field = &plan["changes"]["rows"][0]["fields"][0];
    assert_eq!(
        (&field["code"], &field["reason"]),
        (&json!("only-change"), &json!("only the hub has changed"))
    );
    assert_eq!(plan["exchanges"], json!({ "left": "hub", "right": "HelloWorld" }));
}

#[test]
fn records_are_exported_as_lines_of_json() {
    let home = Home::new();
    for name in ["Ek", "Öberg"] {
        home.run(&["record", "set", "contact", &format!("last_name={name}"), "city=Umeå"]).well();
    }
    let lines =
        |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let records = lines(&home.run(&["record", "export", "contact", "--json"]).well().stdout);
    assert_eq!(records.len(), 2);
    assert_eq!((&records[0]["object"], &records[1]["id"]), (&json!("contact"), &json!("2")));
    let some = home
        .run(&[
            "record",
            "export",
            "contact",
            "--json",
            "--fields",
            "city,last_name",
            "--filter",
            "last_name=Öberg",
        ])
        .well();
    let some = lines(&some.stdout);
    let fields: Vec<&Value> =
        some[0]["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert_eq!((some.len(), fields), (1, vec![&json!("city"), &json!("last_name")]));
    let file = crate::world::text(&home.dir.path().join("out.jsonl"));
    assert_eq!(
        home.run(&["record", "export", "contact", &file, "--json"]).well().json(),
        json!({ "rows": 2 })
    );
    assert_eq!(lines(&std::fs::read_to_string(&file).unwrap()), records);
    home.run(&["record", "export", "contact", "--json", "--bom"]).fails(2, &["leave them out with --json"]);
    home.run(&["record", "export", "contact", "--json", "--fields", "fax"])
        .fails(1, &["contact has no field 'fax'"]);
}

#[test]
fn next_steps_are_other_commands_that_do_something_as_they_are_printed() {
    let world = World::with_sample(3);
    world.run(&["integration", "set", "HelloWorld"]).fails(2, &["nothing was given to change", "--set"]);
    world.sync(&[]).well();
    world.run(&["sync", "HelloWorld"]).well().says(&["nothing to do"]);

    // A record that waits: it is shown, and what helps it.
    for _ in 0..2 {
        world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    }
    world.run(&["sync", "HelloWorld"]).exits(3);
    let show = "see which records are held: entente status HelloWorld";
    world.run(&["status"]).well().says(&[show]);
    let shown = world.run(&["status", "HelloWorld"]).well();
    assert!(!shown.stdout.contains(show), "{shown}");
    assert!(!shown.stdout.contains("entente retry"), "tried again, it stays a duplicate: {shown}");
    shown.says(&[
        "next: change it: entente record set contact:",
        "next: if it is one too many, delete it: entente record delete contact:",
    ]);
    world.run(&["sync", "HelloWorld", "--dry-run"]).says(&["nothing to do but for 1 that wait for you"]);
    // A record of the other side is named there too.
    for _ in 0..2 {
        world.crm.create(hello_crm::Object::Person, json!({ "last_name": "Al", "email": "al@example.org" }));
    }
    world.run(&["sync", "HelloWorld"]).exits(3);
    let waiting = world.run(&["status", "HelloWorld", "--json"]).well().json();
    let list = waiting[0]["waiting"]["list"].as_array().unwrap();
    let names = list.iter().flat_map(|one| one["records"].as_array().unwrap());
    let held = names.filter_map(|name| name.as_str()).find(|name| name.starts_with("HelloWorld/")).unwrap();
    world.run(&["record", "show", held]).well().says(&[
        held,
        "al@example.org",
        "HelloWorld: no counterpart, held: ",
        "next: if it is one too many, delete it in HelloWorld",
    ]);
    let unknown = "HelloWorld/person:no-such-person";
    world
        .run(&["record", "show", unknown])
        .fails(1, &["no sync knows the record HelloWorld/person:no-such-person"]);
}

#[test]
fn what_failed_is_said_beside_nothing_to_do() {
    let world = World::with_sample(3);
    world.sync(&[]).well();
    let said = ["nothing to do but for 1 that failed", "next: see what its plugins logged: entente run show"];
    let named = ["sync", "HelloWorld", "--integration-object-id", "person:nobody"];
    world.run(&named).exits(3).says(&said);
    world.run(&[&named[..], &["--dry-run"]].concat()).says(&said);
}

#[test]
fn a_field_of_the_hub_that_is_defined_later_is_told_with_what_to_do() {
    let world = World::with_sample(3);
    world.sync(&[]).well();
    let file = world.file("entente.toml", "[object.contact.field.loyalty]\nkind = \"text\"\n");
    world.run(&["apply", &file]).well();
    world.run(&["sync", "HelloWorld"]).well().says(&[
        "the hub has a new field 'loyalty' of contact, which is not mapped; it is synced once a file that maps it is applied",
        "next: where there is no file of the configuration, write one: entente export > entente.toml",
    ]);
}
