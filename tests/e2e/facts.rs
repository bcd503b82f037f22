//! Fields that a remote system refuses alone, and fields that are one fact.

use crate::world::World;
use serde_json::json;

const HEADER: &str = "First name,Last name,E-mail,Mobile,Address,City,Region,Country,Changed\n";

#[test]
fn a_refused_field_is_parked_and_the_rest_of_the_record_goes() {
    let world = World::new();
    world.import(&format!("{HEADER}Ada,Byron,ada@x.example,,,London,,,2020-02-01T00:00:00Z\n")).well();
    let contact = world.find("contact", "email", "ada@x.example").id;
    let name = format!("contact:{contact}");
    // No number of a telephone, which the hub does not mind and hello-crm does.
    world.run(&["record", "set", &name, "mobile=call the office"]).well();
    let synced = world.sync(&[]).well();
    synced.says(&[
        "HelloWorld refused 'mobile' of 1 person record and took the rest",
        "status HelloWorld --differing",
    ]);
    let person = world.person("ada@x.example");
    assert_eq!(
        (person.fields["city"].clone(), person.fields["mobile"].clone()),
        (json!("London"), json!(null))
    );
    world.run(&["status", "HelloWorld", "--differing"]).well().says(&[
        "call the office",
        "refused it",
        &name,
    ]);
    world.is_quiet();

    // Another edit goes without it; mended, it goes by itself.
    world.run(&["record", "set", &name, "city=Paris"]).well();
    world.sync(&[]).well();
    assert_eq!(world.person("ada@x.example").fields["city"], json!("Paris"));
    world.run(&["record", "set", &name, "mobile=+33 1 23"]).well();
    world.sync(&[]).well();
    assert_eq!(world.person("ada@x.example").fields["mobile"], json!("+33 1 23"));
    let differing = world.run(&["status", "HelloWorld", "--differing", "--json"]).well().json();
    assert_eq!(differing[0]["differing"]["list"], json!([]), "{differing}");
    world.is_quiet();
}

#[test]
fn an_address_is_one_fact_unless_the_file_says_otherwise() {
    let world = World::new();
    let row = "Ada,Byron,ada@x.example,,1 Road,Leeds,Yorkshire,,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}")).well();
    world.sync(&[]).well();
    let (contact, person) =
        (world.find("contact", "email", "ada@x.example").id, world.person("ada@x.example").id);
    let file = world.run(&["export"]).well().stdout;
    assert!(!file.contains("groups"), "it is the default: {file}");

    // A city there, then a street here: the newer address is that of the hub, whole.
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "Córdoba", "region": "Andalucía" }));
    world.run(&["record", "set", &format!("contact:{contact}"), "address=2 Road"]).well();
    world.sync(&[]).well();
    let there = world.person("ada@x.example");
    let parts = ["street", "city", "region"].map(|field| there.fields[field].clone());
    assert_eq!(parts, [json!("2 Road"), json!("Leeds"), json!("Yorkshire")]);
    let here = world.find("contact", "email", "ada@x.example");
    assert_eq!(["address", "city", "region"].map(|field| here.text(field)), ["2 Road", "Leeds", "Yorkshire"]);
    world.is_quiet();

    // Switched off, each field is one of its own.
    let with = file.replacen("left = \"contact\"\n", "left = \"contact\"\ngroups = []\n", 1);
    assert_ne!(with, file);
    let path = world.file("off.toml", &with);
    world.run(&["apply", &path, "--dry-run"]).well().says(&["one fact: address + city + region"]);
    world.run(&["apply", &path]).well();
    assert!(world.run(&["export"]).well().stdout.contains("groups = []"));
    world.edit_person("2020-04-01T00:00:00Z", &person, json!({ "city": "Córdoba" }));
    world.run(&["record", "set", &format!("contact:{contact}"), "address=3 Road"]).well();
    world.sync(&[]).well();
    let here = world.find("contact", "email", "ada@x.example");
    assert_eq!(["address", "city"].map(|field| here.text(field)), ["3 Road", "Córdoba"]);
    world.is_quiet();
}

#[test]
fn groups_that_cannot_be_are_told_with_their_place() {
    let world = World::new();
    let file = world.run(&["export"]).well().stdout;
    let with = |groups: &str| {
        let with =
            file.replacen("left = \"contact\"\n", &format!("left = \"contact\"\ngroups = {groups}\n"), 1);
        assert_ne!(with, file);
        world.run(&["apply", &world.file("bad.toml", with)])
    };
    with(r#"[["city"]]"#).fails(1, &["a group has two fields or more"]);
    with(r#"[["city", "plaice"]]"#).fails(1, &["'plaice' is not among the mapped fields"]);
    with(r#"[["city", "tags"]]"#).fails(1, &["'tags' is a set"]);
    with(r#"[["city", "company"]]"#).fails(1, &["'company' refers to other records"]);
    with(r#"[["city", "region"], ["address", "city"]]"#).fails(1, &["'city' is in a group already"]);
    with(r#"[["city", "city"]]"#).fails(1, &["'city' is in a group already"]);
}

#[test]
fn one_of_two_twins_is_left_out_as_the_program_says() {
    let world = World::new();
    let row = "Ada,Byron,ada@x.example,,1 Road,Leeds,,,2020-02-01T00:00:00Z\n";
    world.import(&format!("{HEADER}{row}")).well();
    let twin =
        world.run(&["record", "set", "contact", "first_name=Ada", "email=ada@x.example", "--json"]).well();
    let name = format!("contact:{}", twin.json()["id"].as_str().unwrap());
    let command = format!("link exclude {name} --sync HelloWorld");
    world.sync(&[]).exits(3).says(&[&command]);
    world.run(&["link", "exclude", &name, "--dry-run"]).well().says(&["would be left out of HelloWorld"]);
    let done = world.run(&command.split(' ').collect::<Vec<_>>()).well();
    done.says(&["is left out of HelloWorld", &format!("link include {name} --sync HelloWorld")]);
    world.run(&["link", "exclude", &name]).fails(1, &["is so in HelloWorld already"]);
    world.sync(&["--full"]).exits(0);
    world.run(&["status", "--check"]).exits(0);
    world.run(&["record", "show", &name]).well().says(&["left out by hand"]);
    // Another address, and it takes part.
    world.run(&["record", "set", &name, "email=ada2@x.example", "last_name=Byron"]).well();
    world.sync(&[]).exits(0);
    assert_eq!(world.crm.find(hello_crm::Object::Person, "email", &json!("ada2@x.example")), []);
    world.run(&["link", "include", &name]).well().says(&["takes part in HelloWorld again"]);
    world.sync(&[]).exits(0);
    assert_eq!(world.person("ada2@x.example").fields["last_name"], json!("Byron"));
    world.is_quiet();
}
