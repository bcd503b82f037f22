//! What an operator met and could not act on: findings O1, O2, O4, O10, O15 and O17. O13 is a test beside the budget of
//! calls, O14 one beside the ledger, and the others are in `seen` and `records`.

use crate::world::{Home, World};
use hello_crm::Object;
use serde_json::{Value, json};

const HEADER: &str = "First name,Last name,E-mail,City,Phone,Changed\n";

/// A contact in both systems, and a second one in the hub with the same address, by its name.
fn twins() -> (World, String) {
    let world = World::new();
    let row = "Ada,Byron,ada@x.example,Leeds,+44 113 496 0000,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}")).well();
    world.sync(&[]).well();
    let twin = world.run(&["record", "set", "contact", "first_name=Ada", "email=ada@x.example", "--json"]);
    let name = format!("contact:{}", twin.well().json()["id"].as_str().unwrap());
    world.sync(&[]).exits(3);
    (world, name)
}

/// How many people of the CRM have the address of the twins.
fn there(world: &World) -> usize {
    world.crm.find(Object::Person, "email", &json!("ada@x.example")).len()
}

#[test]
fn o1_a_retry_matches_anew_and_makes_no_twin() {
    let (world, twin) = twins();
    world.run(&["retry", &twin]).well();
    world.sync(&[]);
    assert_eq!(there(&world), 1, "a duplicate was made by a retry");
    world.run(&["status", "--check"]).exits(3).says(&["1 record is held"]);
    world.run(&["record", "show", &twin]).well().says(&["duplicate of contact:", "link merge"]);
    // Nor on purpose, but with an identifier of its own.
    world
        .run(&["link", "new", &twin])
        .fails(1, &["has the identifiers of another record", "merge them", "status HelloWorld"]);
    world.run(&["record", "set", &twin, "email=other@x.example", "last_name=Twin"]).well();
    // It counts as held in the run that lets it go, since it was when it was read.
    world.sync(&[]);
    assert_eq!(world.person("other@x.example").fields["last_name"], json!("Twin"));
    world.is_quiet();
}

#[test]
fn a_duplicate_that_was_left_out_and_is_taken_in_again_is_one() {
    let (world, twin) = twins();
    world.run(&["link", "exclude", &twin]).well();
    world.sync(&[]);
    world.run(&["link", "include", &twin]).well();
    world.sync(&[]);
    assert_eq!(there(&world), 1, "a duplicate was made of one that was left out for a while");
    world.run(&["record", "show", &twin]).well().says(&["held: duplicate of contact:1"]);
    // In the other system.
    let fields = json!({ "last_name": "Byron", "email": "ada@x.example" });
    let person = world.make_person("2020-02-03T00:00:00Z", fields);
    let person = format!("HelloWorld/person:{person}");
    world.sync(&[]);
    let contacts = world.records("contact").len();
    world.run(&["link", "exclude", &person]).well();
    world.run(&["link", "include", &person]).well();
    world.sync(&["--full"]);
    assert_eq!(world.records("contact").len(), contacts);
    world.run(&["record", "show", &person]).well().says(&["held: duplicate of person:"]);
    world.is_quiet();
}

#[test]
fn o2_what_is_held_has_a_name_a_reason_and_a_command() {
    let (world, twin) = twins();
    let shown = world.run(&["status", "HelloWorld"]).well().says(&[
        &format!("{twin} «Ada»: duplicate of contact:1"),
        &format!("link exclude {twin} --sync HelloWorld"),
    ]);
    assert!(!shown.stdout.contains("see which records are held"), "it leads to itself: {shown}");
    // The command that the other one prints leads here.
    world.run(&["status"]).well().says(&["next: see which records are held: entente", "status HelloWorld"]);
}

#[test]
fn o4_what_differs_on_purpose_is_told_and_listed() {
    let world = World::new();
    world.import(&format!("{HEADER}Ada,Byron,ada@x.example,Leeds,+44 1,2020-02-01T00:00:00Z\n")).well();
    let file = world.run(&["export"]).well().stdout;
    let one_way =
        file.replace("city = \"city\"\n", "city = { right = \"city\", direction = \"to-right\" }\n");
    let one_way =
        one_way.replace("phone = \"phone\"\n", "phone = { right = \"phone\", direction = \"to-right\" }\n");
    assert_ne!(one_way, file, "{file}");
    world.run(&["apply", &world.file("one-way.toml", one_way)]).well();
    world.sync(&[]).well();
    let person = world.person("ada@x.example").id;
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "York", "phone": "+44 2" }));
    let ended = world.run(&["sync", "HelloWorld"]).well();
    ended.says(&["nothing to do", "some fields differ on purpose", "status HelloWorld --differing"]);
    world
        .run(&["status"])
        .well()
        .says(&["1 of those in sync have fields that differ on purpose", "status HelloWorld --differing"]);
    let shown = world.run(&["status", "HelloWorld", "--differing"]).well();
    shown.says(&["«Ada Byron»", "city", "Leeds", "York", "phone", "+44 1", "+44 2"]);
}

/// The changes of a run, without what became of them.
fn planned(world: &World, run: &str) -> Vec<Value> {
    let shown = world.run(&["run", "show", run, "--json"]).well().json();
    let mut rows = shown["changes"]["rows"].as_array().unwrap().clone();
    for row in &mut rows {
        for of_outcome in ["status", "code", "reason"] {
            row.as_object_mut().unwrap().remove(of_outcome);
        }
    }
    rows
}

#[test]
fn o10_a_plan_stays_as_it_was_once_it_is_done() {
    let (world, twin) = twins();
    world.run(&["record", "delete", &twin]).well();
    let row = "Ada,Byron,ada@x.example,York,+44 113 496 0000,2020-03-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}Bo,Ek,bo@x.example,Lund,,2020-03-01T00:00:00Z\n")).well();
    let plan = world.sync(&["--dry-run"]).json()["run"].to_string();
    let before = planned(&world, &plan);
    assert_eq!(before.len(), 2, "{before:?}");
    let text = world.run(&["run", "show", &plan]).well();
    text.says(&["city  Leeds → York  (only the hub has changed)"]);
    let applied = world.run(&["run", "apply", &plan, "--json"]).well().json()["run"].to_string();
    assert_eq!(planned(&world, &plan), before);
    world
        .run(&["run", "show", &plan])
        .well()
        .says(&["city  Leeds → York  (only the hub has changed)", &format!("(executed by run {applied})")]);
}

#[test]
fn o15_a_run_and_the_list_of_runs_count_alike() {
    let (world, _) = twins();
    let last = |world: &World| {
        world.run(&["run", "list", "--limit", "1", "--json"]).well().json()["rows"][0].clone()
    };
    assert_eq!(last(&world)["problems"], 1);
    // A run that meets nothing of it has left nothing, says so, and says what waits nevertheless.
    let quiet = world.run(&["sync", "HelloWorld"]).says(&["1 need a look (1 held"]);
    let met = last(&world)["problems"].clone();
    let told = quiet.stdout.contains(&format!("this run has met {met} of them"));
    assert_eq!(told, met != 1, "{quiet}");
    // What a plan is to create is not called unchanged as well.
    world.import(&format!("{HEADER}Bo,Ek,bo@x.example,Lund,,2020-03-01T00:00:00Z\n")).well();
    let plan = world.sync(&["--dry-run"]);
    let there = plan.counts("HelloWorld", "person");
    assert_eq!((&there["pending"], &there["unchanged"]), (&json!(1), &json!(0)), "{plan}");
}

#[test]
fn o17_what_is_said_is_said_for_people() {
    let world = World::new();
    let wrong = world.run(&["run", "show", "abc"]).fails(2, &["it is no number of a run", "run list"]);
    assert!(!wrong.stderr.contains("digit"), "{wrong}");
    let unknown =
        world.run(&["integration", "remove", "Helo"]).fails(1, &["unknown integration 'Helo'", "HelloWorld"]);
    assert!(!unknown.stderr.contains("resume"), "{unknown}");
    let error = world.run(&["run", "show", "abc", "--json"]).exits(2).error().unwrap();
    assert_eq!(error["code"], "usage");
    // One is one.
    world.import(&format!("{HEADER}Bo,Ek,bo@x.example,Lund,,2020-03-01T00:00:00Z\n")).well();
    let written = world.run(&["sync", "HelloWorld"]).well();
    assert!(!written.stdout.contains("1 records"), "{written}");
    let status = world.run(&["status"]).well();
    assert!(!status.stdout.contains("1 records"), "{status}");
    // A log without colours where none are wanted.
    let mut command = world.command(&["-vv", "sync", "HelloWorld"]);
    command.env("NO_COLOR", "1");
    let logged = world.run_command(command, &["-vv", "sync", "HelloWorld"]).well();
    assert!(logged.stderr.contains("DEBUG") && !logged.stderr.contains('\u{1b}'), "{logged}");
}

#[test]
fn o17_a_database_that_is_none_is_told_as_what_it_is() {
    let home = Home::new();
    home.run(&["record", "set", "contact", "email=ada@x.example"]).well();
    let database = home.files().into_iter().find(|(path, _)| path.ends_with("entente.db")).unwrap().0;
    std::fs::write(&database, "this is no database, whatever its name says".repeat(100)).unwrap();
    for beside in ["entente.db-wal", "entente.db-shm"] {
        _ = std::fs::remove_file(database.with_file_name(beside));
    }
    let broken = home.run(&["status"]).fails(1, &["entente.db", "tenant add"]);
    assert!(!broken.stderr.contains("permission"), "{broken}");
    // One that is empty, or gone, is not taken for a new one.
    let file = home.file("kept.csv", "what was exported before");
    std::fs::write(&database, "").unwrap();
    for _ in 0..2 {
        home.run(&["record", "export", "contact", &file]).fails(1, &["empty or not there", "tenant add"]);
        home.run(&["doctor", "--offline"]).exits(1).says(&["empty or not there"]);
        _ = std::fs::remove_file(&database);
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was exported before");
}
