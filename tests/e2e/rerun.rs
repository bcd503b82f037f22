//! Applying plans, undoing runs, and one-shot options: trust, and a lifted deletion guard.

use crate::world::{Output, World};
use hello_crm::Object;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Three people linked on both sides.
fn world() -> World {
    let world = World::new();
    world
        .import("Last name,E-mail,City,Changed\nA,a@example.org,Umeå,2020-02-01T00:00:00Z\nB,b@example.org,Umeå,2020-02-01T00:00:00Z\nC,c@example.org,Umeå,2020-02-01T00:00:00Z\n")
        .well();
    world.sync(&[]).well();
    world
}

fn number(output: &Output) -> String {
    output.json()["run"].as_i64().unwrap().to_string()
}

fn left_out(output: &Output) -> Vec<Value> {
    output.json()["left_out"]["rows"].as_array().unwrap().clone()
}

#[test]
fn a_plan_is_applied_where_nothing_has_changed_since() {
    let world = world();
    world.import("E-mail,City,Changed\na@example.org,Lund,2020-03-01T00:00:00Z\nb@example.org,Lund,2020-03-01T00:00:00Z\n").well();
    let older = number(&world.sync(&["--dry-run"]).well());
    let plan = world.sync(&["--dry-run"]).well();
    assert_eq!(plan.json()["changes"]["rows"].as_array().map(Vec::len), Some(2), "{plan}");
    let plan = number(&plan);
    // One of them is edited meanwhile, and a third person, who is not in the plan.
    world.import("E-mail,City,Changed\nb@example.org,Ystad,2020-04-01T00:00:00Z\nc@example.org,Ystad,2020-04-01T00:00:00Z\n").well();
    world
        .run(&["run", "apply", &older])
        .fails(1, &[&format!("run {older} is not the newest dry run of HelloWorld; that is run {plan}")]);
    world.run(&["run", "apply", "1"]).fails(1, &["run 1 was no dry run"]);
    world.run(&["run", "apply", "99"]).fails(1, &["there is no run 99"]);

    let applied = world.run(&["run", "apply", &plan, "--json"]).exits(3);
    assert_eq!(applied.written("HelloWorld"), 1, "{applied}");
    let city = |email: &str| world.person(email).fields["city"].clone();
    assert_eq!(
        (city("a@example.org"), city("b@example.org"), city("c@example.org")),
        (json!("Lund"), json!("Umeå"), json!("Umeå"))
    );
    let left: BTreeMap<String, String> = left_out(&applied)
        .iter()
        .map(|change| {
            (change["record"].as_str().unwrap().to_owned(), change["reason"].as_str().unwrap().to_owned())
        })
        .collect();
    let reason = |email: &str| left[&format!("HelloWorld/person:{}", world.person(email).id)].as_str();
    assert!(
        reason("b@example.org").starts_with(&format!("changed since the plan of run {plan}: ")),
        "{applied}"
    );
    assert_eq!(reason("c@example.org"), format!("not in the plan of run {plan}"), "{applied}");
    assert_eq!(left.len(), 2, "{applied}");
    assert_eq!(applied.json()["changes"]["rows"].as_array().map(Vec::len), Some(1), "{applied}");
    world
        .run(&["run", "apply", &plan])
        .fails(1, &[&format!("run {plan} was applied already, by run {}", number(&applied))]);

    world.sync(&[]).well();
    assert_eq!((city("b@example.org"), city("c@example.org")), (json!("Ystad"), json!("Ystad")));
    world.is_quiet();
}

#[test]
fn what_was_planned_and_needs_no_writing_any_more_is_told() {
    let world = world();
    world.import("E-mail,City,Changed\na@example.org,Lund,2020-03-01T00:00:00Z\n").well();
    let plan = number(&world.sync(&["--dry-run"]).well());
    world.edit_person("2020-03-02T00:00:00Z", &world.person("a@example.org").id, json!({ "city": "Lund" }));
    let applied = world.run(&["run", "apply", &plan]).exits(3).says(&[
        "0 changes written",
        "written\n1 left out:",
        "there is nothing to write any more",
    ]);
    assert!(applied.stdout.contains("update city = Lund"), "{applied}");
    world.is_quiet();
}

#[test]
fn what_a_run_changed_is_put_back_where_nobody_has_changed_it_since() {
    let world = world();
    world.import("E-mail,City,Changed\na@example.org,Lund,2020-03-01T00:00:00Z\nb@example.org,Lund,2020-03-01T00:00:00Z\n").well();
    let run = number(&world.sync(&[]).well());
    world.edit_person("2020-04-01T00:00:00Z", &world.person("b@example.org").id, json!({ "city": "Kiruna" }));
    let undone = world.run(&["run", "undo", &run, "--json"]).exits(3);
    assert_eq!(undone.written("HelloWorld"), 1, "{undone}");
    let city = |email: &str| world.person(email).fields["city"].clone();
    assert_eq!((city("a@example.org"), city("b@example.org")), (json!("Umeå"), json!("Kiruna")), "{undone}");
    let left = left_out(&undone);
    assert_eq!(left.len(), 1, "{undone}");
    assert!(left[0]["reason"].as_str().unwrap().contains("edited since"), "{undone}");
    // The next run does not repeat what was undone.
    world.sync(&[]);
    assert_eq!(city("a@example.org"), json!("Umeå"));
    let dry = number(&world.sync(&["--dry-run"]));
    world.run(&["run", "undo", &dry]).fails(1, &[&format!("run {dry} was a dry run and wrote nothing")]);
    let quiet = number(&world.sync(&[]));
    world.run(&["run", "undo", &quiet]).fails(1, &[&format!("run {quiet} wrote nothing")]);
}

#[test]
fn records_that_a_run_made_are_deleted_when_their_number_is_named() {
    let world = world();
    let undone = world.run(&["run", "undo", "2", "--json"]).exits(3);
    assert_eq!(world.crm.count(Object::Person), 3, "{undone}");
    assert_eq!(left_out(&undone).len(), 3, "{undone}");
    assert!(
        undone.json()["notices"][0]["remedies"][0]["command"] == "entente run undo 2 --delete 3",
        "{undone}"
    );
    world.run(&["run", "undo", "2"]).exits(3).says(&[
        "notice: ",
        "--delete 3",
        "written\n3 left out:",
        "the number of deletions was not agreed",
    ]);
    let undone = world.run(&["run", "undo", "2", "--delete", "3", "--json"]);
    assert_eq!((world.crm.count(Object::Person), world.records("contact").len()), (0, 3), "{undone}");
    world.sync(&[]);
    assert_eq!(world.crm.count(Object::Person), 0, "they are not made again");
}

#[test]
fn a_trusted_side_wins_once_whatever_changed() {
    let world = world();
    world.edit_person(
        "2020-04-01T00:00:00Z",
        &world.person("a@example.org").id,
        json!({ "city": "Kiruna", "phone": "+46 1" }),
    );
    world.import("E-mail,City,Phone,Changed\na@example.org,Lund,+46 2,2020-03-01T00:00:00Z\n").well();
    // Without trust, the CRM's later values would win.
    world.sync(&["--trust", "hub", "--trust-field", "contact.city"]).well();
    let (hub, crm) = (world.find("contact", "email", "a@example.org"), world.person("a@example.org"));
    assert_eq!((hub.text("city"), &crm.fields["city"]), ("Lund", &json!("Lund")));
    assert_eq!((hub.text("phone"), &crm.fields["phone"]), ("+46 1", &json!("+46 1")), "only that field");
    world.sync(&["--trust-field", "contact.city"]).exits(2);
    world
        .sync(&["--trust", "hub", "--trust-field", "contact.fax"])
        .fails(2, &["'contact.fax' is no mapped field"]);
    world.sync(&["--trust", "hub", "--object-id=contact:1"]).fails(2, &["--trust holds until a whole run"]);
    world.edit_person("2020-05-01T00:00:00Z", &crm.id, json!({ "city": "Gävle" }));
    world.sync(&[]).well();
    assert_eq!(world.find("contact", "email", "a@example.org").text("city"), "Gävle", "it was for once");
    world.is_quiet();
}

#[test]
fn more_deletions_than_usual_are_held_until_the_brake_is_lifted() {
    let world = world();
    let file = world.file(
        "entente.toml",
        "[sync.HelloWorld]\nmapping = \"default\"\nbrake = { percent = 10, records = 1 }\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\ndeletes = \"delete\"\n",
    );
    world
        .run(&["apply", &file])
        .well()
        .says(&["brake over 10 % and 1 records", "deletions carried to the other side"]);
    world.sync(&[]).well();
    for email in ["a@example.org", "b@example.org"] {
        assert_eq!(world.crm.delete(Object::Person, &world.person(email).id).status, 204);
    }
    let held = world.sync(&[]).exits(3);
    assert_eq!(world.records("contact").len(), 3, "{held}");
    assert!(!held.json()["notices"].as_array().unwrap().is_empty(), "{held}");
    world.run(&["sync", "HelloWorld"]).exits(3).says(&["notice: ", "--lift-brake"]);
    let lifted = world.sync(&["--lift-brake"]).well();
    assert_eq!(lifted.counts("hub", "contact")["removed"], json!(2), "{lifted}");
    assert_eq!(world.records("contact").len(), 1);
    world.is_quiet();
}

#[test]
fn l5_a_small_account_that_is_empty_at_once_is_held_and_named() {
    let world = world();
    let file = world.file(
        "entente.toml",
        "[sync.HelloWorld]\nmapping = \"default\"\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\ndeletes = \"delete\"\n",
    );
    world.run(&["apply", &file]).well();
    world.sync(&[]).well();
    let names: Vec<String> =
        world.records("contact").iter().map(|contact| format!("contact:{}", contact.id)).collect();
    for email in ["a@example.org", "b@example.org", "c@example.org"] {
        assert_eq!(world.crm.delete(Object::Person, &world.person(email).id).status, 204);
    }
    let held = world.run(&["sync", "HelloWorld"]).exits(3);
    assert_eq!(world.records("contact").len(), 3, "{held}");
    let mut expected = vec![
        "brake: 3 of 3 contact records of the hub would be deleted",
        "entente sync HelloWorld --lift-brake",
    ];
    expected.extend(names.iter().map(String::as_str));
    held.says(&expected);
    let status = world.run(&["status"]).well().says(&["entente sync HelloWorld --lift-brake"]);
    assert_eq!(world.records("contact").len(), 3, "{status}");
    world.sync(&["--lift-brake"]).well();
    assert_eq!(world.records("contact").len(), 0);
    world.is_quiet();
}

#[test]
fn s26_people_who_are_somebody_else_at_once_are_not_written_to() {
    let world = world();
    for (n, email) in ["a@example.org", "b@example.org", "c@example.org"].into_iter().enumerate() {
        let other = json!({ "email": format!("x{n}@example.net"), "last_name": "Stranger" });
        world.edit_person("2020-04-01T00:00:00Z", &world.person(email).id, other);
    }
    world.import("E-mail,City,Changed\na@example.org,Lund,2020-05-01T00:00:00Z\n").well();
    let (hub, crm) = world.everything();
    let held = world.run(&["sync", "HelloWorld"]).exits(3);
    assert_eq!(world.everything(), (hub, crm), "{held}");
    let told = [
        "brake: 3 of 3 person records of HelloWorld have other identifiers than they had",
        "entente sync HelloWorld --full",
        "entente sync HelloWorld --lift-identifiers",
        "another record may have got its id",
    ];
    held.says(&told);
    world.run(&["status"]).well().says(&["entente sync HelloWorld --lift-identifiers"]);
    world.sync(&["--lift-identifiers"]).well();
    assert_eq!(world.find("contact", "email", "x0@example.net").text("city"), "Lund");
    assert_eq!(world.person("x0@example.net").fields["city"], json!("Lund"));
    world.is_quiet();
}

#[test]
fn constants_and_defaults_are_written() {
    let world = World::new();
    let file = world.file(
        "entente.toml",
        "[sync.HelloWorld]\nmapping = \"default\"\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nfields = { position = { right = \"job_title\", default-right = \"unknown\" }, country = { constant = \"SE\" } }\n[[sync.HelloWorld.object.field]]\nright = \"region\"\nconstant = \"north\"\n",
    );
    world.run(&["apply", &file]).well().says(&["always north", "always SE", "new on the right: unknown"]);
    world
        .import("Last name,E-mail,Position,Changed\nA,a@example.org,,2020-02-01T00:00:00Z\nB,b@example.org,Boss,2020-02-01T00:00:00Z\n")
        .well();
    world.make_person("2020-02-01T00:00:00Z", json!({ "last_name": "C", "email": "c@example.org" }));
    world.sync(&[]).well();
    for (email, title) in [("a@example.org", "unknown"), ("b@example.org", "Boss")] {
        let person = world.person(email);
        assert_eq!(
            (&person.fields["job_title"], &person.fields["region"]),
            (&json!(title), &json!("north")),
            "{email}"
        );
    }
    let contact = world.find("contact", "email", "c@example.org");
    assert_eq!(
        (contact.text("country"), contact.text("position")),
        ("SE", ""),
        "a default is for the side that it names"
    );
    world.is_quiet();
    let text = world.run(&["export"]).well().stdout;
    let file = world.file("again.toml", text);
    world.run(&["apply", &file]).well().says(&["nothing to change"]);
}
