//! `link merge`: two records of the hub that are one person.

use crate::world::World;
use serde_json::json;

const HEADER: &str = "First name,Last name,E-mail,Mobile,Address,City,Company,Changed\n";

/// A contact by its address.
fn contact(world: &World, email: &str) -> String {
    format!("contact:{}", world.find("contact", "email", email).id)
}

fn people(world: &World) -> usize {
    world.crm.count(hello_crm::Object::Person)
}

#[test]
fn a_twin_that_waits_is_merged_as_the_program_says() {
    let world = World::new();
    let row = "Ada,Byron,ada@x.example,,1 Road,Leeds,,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}")).well();
    let linked = contact(&world, "ada@x.example");
    world.sync(&[]).well();
    let twin = ["record", "set", "contact", "email=ada@x.example", "mobile=+46 1", "city=York", "--json"];
    let twin = format!("contact:{}", world.run(&twin).well().json()["id"].as_str().unwrap());
    let command = format!("link merge {twin} {linked}");
    world.sync(&[]).exits(3).says(&["\"step\": \"merge-record\""]);
    world.run(&["status", "HelloWorld"]).says(&[&command]);
    let dry: Vec<&str> = command.split(' ').chain(["--dry-run"]).collect();
    world.run(&dry).well().says(&["+ mobile: +46 1", "- city: York", "nothing was done"]);
    world.run(&command.split(' ').collect::<Vec<_>>()).well().says(&["is merged into", "record restore"]);
    world.sync(&[]).well();
    let person = world.person("ada@x.example");
    assert_eq!((&person.fields["mobile"], &person.fields["city"]), (&json!("+46 1"), &json!("Leeds")));
    world.run(&["status", "--check"]).well();
    world.is_quiet();
}

#[test]
fn a_counterpart_moves_to_the_record_that_remains() {
    let world = World::new();
    let row = "Ada,Byron,ada@x.example,+46 1,,,,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}")).well();
    world.sync(&[]).well();
    let linked = contact(&world, "ada@x.example");
    let person = world.person("ada@x.example").id;
    let better = ["record", "set", "contact", "email=ada@y.example", "last_name=Lovelace", "--json"];
    let better = format!("contact:{}", world.run(&better).well().json()["id"].as_str().unwrap());
    world.run(&["link", "merge", &linked, &better]).well();
    world.sync(&[]).well();
    let moved = world.person("ada@y.example");
    assert_eq!((moved.id.as_str(), people(&world)), (person.as_str(), 1), "the same person as before");
    assert_eq!((&moved.fields["last_name"], &moved.fields["mobile"]), (&json!("Lovelace"), &json!("+46 1")));
    world.is_quiet();

    // Brought back it is a record of its own.
    world.run(&["record", "restore", &linked]).well();
    world.sync(&[]);
    assert_eq!((people(&world), world.records("contact").len()), (2, 2));
    world.is_quiet();
}

#[test]
fn where_both_have_a_counterpart_one_of_these_waits() {
    let world = World::new();
    let rows = "Ada,Byron,ada@x.example,,,,Fjord,2020-02-01T00:00:00Z\nA.,Byron,a@y.example,,,,Fjord AB,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{rows}")).well();
    let file = world.run(&["export"]).well().stdout;
    let with = file.replace("left = \"contact\"\n", "left = \"contact\"\ndeletes = \"delete\"\n");
    world.run(&["apply", &world.file("with.toml", with)]).well();
    world.sync(&[]).well();
    let (ada, other) = (contact(&world, "ada@x.example"), contact(&world, "a@y.example"));
    let left_over = format!("HelloWorld/person:{}", world.person("a@y.example").id);
    world.run(&["link", "merge", &other, &ada]).well();
    // A merge is no deletion, whatever the policy.
    world.sync(&[]).exits(3);
    assert_eq!(people(&world), 2);
    world.run(&["record", "show", &left_over]).well().says(&["was merged into"]);
    world.run(&["status", "HelloWorld"]).says(&["if it is one too many, delete it in HelloWorld"]);
    let (gone, remains) = (world.person("a@y.example").id, world.person("ada@x.example").id);
    assert_eq!(world.crm.merge(hello_crm::Object::Person, &gone, &remains).status, 200);
    world.sync(&[]).well();
    assert_eq!((people(&world), world.records("contact").len()), (1, 1));
    world.run(&["status", "--check"]).well();
    world.is_quiet();

    // The people of a company that is merged are those of the other one.
    let company = |name: &str| format!("company:{}", world.find("company", "name", name).id);
    world
        .run(&["link", "merge", &company("Fjord"), &company("Fjord AB")])
        .well()
        .says(&[&format!("~ {ada} refers to")]);
    world.sync(&[]);
    let organisation = world.person("ada@x.example").fields["organisation"].clone();
    let found = world.crm.find(hello_crm::Object::Organisation, "name", &json!("Fjord AB"));
    assert_eq!(organisation, json!(found[0].id));
}

#[test]
fn what_cannot_be_merged_is_told() {
    let world = World::new();
    let row = "Ada,Byron,ada@x.example,,,,Fjord,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}")).well();
    let ada = contact(&world, "ada@x.example");
    world.run(&["link", "merge", &ada, &ada]).fails(1, &["was named twice"]);
    world.run(&["link", "merge", &ada, "contact:999"]).fails(1, &["there is no contact 999"]);
    world.run(&["link", "merge", &ada, "HelloWorld/person:p1"]).fails(1, &["is merged in HelloWorld"]);
    let company = format!("company:{}", world.find("company", "name", "Fjord").id);
    world.run(&["link", "merge", &ada, &company]).fails(1, &["of different objects"]);
}
