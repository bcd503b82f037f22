//! Options of `entente sync` that withhold changes or restrict a run.

use crate::world::World;
use hello_crm::Object;
use serde_json::{Value, json};

/// A record on each side that the other lacks, and one that was edited on both.
fn world() -> (World, String) {
    let world = World::new();
    world
        .import(
            "Last name,E-mail,City,Phone,Changed\nBoth,both@example.org,Umeå,+46 1,2020-02-01T00:00:00Z\n",
        )
        .well();
    world.sync(&[]).well();
    let both = world.person("both@example.org").id;
    world
        .make_person("2020-03-01T00:00:00Z", json!({ "last_name": "Theirs", "email": "theirs@example.org" }));
    world.edit_person("2020-03-01T00:00:01Z", &both, json!({ "city": "Kiruna" }));
    world.import("Last name,E-mail,Phone,Changed\nOurs,ours@example.org,+46 2,2020-03-01T00:00:00Z\nBoth,both@example.org,+46 9,2020-03-01T00:00:00Z\n").well();
    (world, both)
}

fn ours(world: &World) -> (usize, String) {
    (
        world.records("contact").len(),
        world.find("contact", "email", "both@example.org").text("city").to_owned(),
    )
}

fn theirs(world: &World) -> (usize, Value) {
    (world.crm.count(Object::Person), world.person("both@example.org").fields["phone"].clone())
}

#[test]
fn without_push_nothing_is_written_to_the_integration_until_later() {
    let (world, _) = world();
    let output = world.sync(&["--disable-push"]);
    assert_eq!((ours(&world), theirs(&world)), ((3, "Kiruna".to_owned()), (2, json!("+46 1"))), "{output}");
    assert_eq!(output.written("HelloWorld"), 0);
    let output = world.sync(&[]).well();
    assert_eq!((ours(&world), theirs(&world)), ((3, "Kiruna".to_owned()), (3, json!("+46 9"))), "{output}");
    assert_eq!(output.written("hub"), 0);
    world.is_quiet();
}

#[test]
fn without_pull_nothing_is_written_to_the_hub_until_later() {
    let (world, _) = world();
    let output = world.sync(&["--disable-pull"]);
    assert_eq!((ours(&world), theirs(&world)), ((2, "Umeå".to_owned()), (3, json!("+46 9"))), "{output}");
    assert_eq!(output.written("hub"), 0);
    let output = world.sync(&[]).well();
    assert_eq!((ours(&world), theirs(&world)), ((3, "Kiruna".to_owned()), (3, json!("+46 9"))), "{output}");
    assert_eq!(output.written("HelloWorld"), 0);
    world.is_quiet();
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let (world, both) = world();
    let before = world.everything();
    world.crm.reset();
    let output = world.sync(&["--dry-run"]).well();
    assert!(world.everything() == before, "{output}");
    assert_eq!(world.crm.request_count("POST", "/batch"), 0);
    let plan = output.json()["changes"]["rows"].as_array().unwrap().clone();
    let find = |exchange: &str, action: &str| {
        let found: Vec<&Value> = plan
            .iter()
            .filter(|change| change["exchange"] == exchange && change["action"] == action)
            .collect();
        assert_eq!(found.len(), 1, "{exchange} {action}: {output}");
        found[0].clone()
    };
    assert_eq!(plan.len(), 4, "{output}");
    let update = find("HelloWorld", "update");
    assert_eq!(update["record"], json!(format!("HelloWorld/person:{both}")));
    assert_eq!(update["fields"].as_array().unwrap().len(), 1, "{update}");
    assert_eq!(
        (&update["fields"][0]["field"], &update["fields"][0]["after"]),
        (&json!("phone"), &json!("+46 9"))
    );
    let update = find("hub", "update");
    assert_eq!(
        (&update["fields"][0]["field"], &update["fields"][0]["before"], &update["fields"][0]["after"]),
        (&json!("city"), &json!("Umeå"), &json!("Kiruna"))
    );
    let create = find("HelloWorld", "create");
    assert!(
        create["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["after"] == "ours@example.org" && field["reason"] != ""),
        "{create}"
    );
    find("hub", "create");

    world.run(&["sync", "HelloWorld", "--dry-run"]).well().says(&[
        "nothing was written",
        "Kiruna",
        "ours@example.org",
    ]);
    let output = world.sync(&[]).well();
    assert_eq!(
        (output.written("hub"), output.written("HelloWorld")),
        (2, 2),
        "the run does what was planned: {output}"
    );
    world.is_quiet();
    assert_eq!(world.sync(&["--dry-run"]).well().json()["changes"]["rows"], json!([]));
}

#[test]
fn only_the_named_records_are_synced() {
    let (world, both) = world();
    let contact = world.find("contact", "email", "ours@example.org").id;
    let output = world.sync(&[&format!("--object-id=contact:{contact}")]).well();
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (0, 1), "{output}");
    assert_eq!((ours(&world), theirs(&world)), ((2, "Umeå".to_owned()), (3, json!("+46 1"))), "{output}");

    let output = world.sync(&[&format!("--integration-object-id=person:{both}")]).well();
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (1, 1), "{output}");
    assert_eq!((ours(&world), theirs(&world)), ((2, "Kiruna".to_owned()), (3, json!("+46 9"))), "{output}");

    world.sync(&[]).well();
    assert_eq!((ours(&world).0, theirs(&world).0), (3, 3));
    world.is_quiet();
}

#[test]
fn runs_are_listed_and_shown() {
    let (world, _) = world();
    world.sync(&[]).well();
    world.sync(&["--dry-run"]).well();
    let list = world.run(&["run", "list", "--sync", "HelloWorld", "--json"]).well().json()["rows"].clone();
    let runs: Vec<i64> = list.as_array().unwrap().iter().map(|run| run["run"].as_i64().unwrap()).collect();
    assert_eq!(runs, [5, 4, 2], "the others are imports");
    assert!(
        list.as_array().unwrap().iter().all(|run| run["status"] == "done" && run["sync"] == "HelloWorld"),
        "{list}"
    );
    let show = world.run(&["run", "show", "4", "--json"]).well().json();
    assert_eq!(
        (&show["changes"]["total"], &show["changes_by_status"]),
        (&json!(4), &json!({ "done": 4 })),
        "{show}"
    );
    assert!(
        show["changes"]["rows"].as_array().unwrap().iter().all(|change| change["status"] == "done"),
        "{show}"
    );
    world.run(&["run", "show", "4"]).well().says(&["run 4 of HelloWorld, done", "Kiruna"]);
    world.run(&["run", "list", "--sync", "HelloWorld"]).well().says(&["dry run"]);
    let contact = world.find("contact", "email", "both@example.org").id;
    world.run(&["record", "show", &format!("contact:{contact}")]).well().says(&[
        "HelloWorld, run 4",
        "import",
        "HelloWorld: person:p1, ok",
    ]);
}
