//! Another account behind an integration.

use crate::world::*;
use hello_crm::seed::Seed;
use hello_crm::{ManualClock, Object};
use serde_json::json;
use std::sync::Arc;

/// People with names and addresses that the other hello-crm has not.
fn fill(world: &World, people: usize, domain: &str) {
    for n in 0..people {
        let fields = json!({ "last_name": format!("{domain} {n}"), "email": format!("p{n}@{domain}") });
        assert_eq!(world.crm.create(Object::Person, fields).status, 201);
    }
}

/// A first sync with one hello-crm, and the address of another one in its place.
fn moved(people: usize) -> (World, World) {
    let world = World::new();
    fill(&world, people, "example.org");
    world.sync(&[]).well();
    world.is_quiet();
    let clock = Arc::new(ManualClock::new(moment("2022-05-05T00:00:00Z")));
    let other = World::unconnected(Home::new(), Seed::default(), clock);
    fill(&other, people, "example.net");
    let url = format!("url={}", other.url);
    world.run(&["integration", "set", "HelloWorld", "--set", &url]).well();
    world.run(&["integration", "grant", "HelloWorld", "--http", &other.url, "--secret", "api-key"]).well();
    (world, other)
}

#[test]
fn a_second_account_is_not_written_to_until_its_links_are_forgotten() {
    let (world, other) = moved(60);
    let everything = |world: &World| Object::ALL.map(|object| world.crm.records(object));
    let (strangers, contacts) = (everything(&other), world.records("contact"));
    for _ in 0..2 {
        world.sync(&[]).fails(
            1,
            &[
                "HelloWorld is not the account that its records are linked with",
                "nothing was read or written",
                "entente integration rebind HelloWorld --same-system --account",
                "entente integration rebind HelloWorld --forget-links",
            ],
        );
        assert!(everything(&other) == strangers && world.records("contact") == contacts);
    }
    world.run(&["integration", "rebind", "HelloWorld"]).fails(2, &["--same-system"]);
    world.run(&["integration", "rebind", "HelloWorld", "--forget-links"]).well().says(&[
        "60 links of HelloWorld are forgotten, 0 of them of records without identifiers",
        "entente sync HelloWorld --dry-run",
    ]);
    world.run(&["sync", "HelloWorld"]).well();
    assert_eq!(other.crm.count(Object::Person), 120, "everybody is in both");
    assert_eq!(world.records("contact").len(), 120);
    for n in 0..60 {
        let found = other.crm.find(Object::Person, "email", &json!(format!("p{n}@example.net")));
        assert_eq!(found.len(), 1, "no stranger was overwritten");
    }
    let again = world.sync(&[]).well();
    assert_eq!((again.written("hub"), again.written("HelloWorld")), (0, 0), "{again}");
    assert_eq!(world.crm.count(Object::Person), 60, "the first account is as it was");
    world.run(&["run", "show", "1"]).well();
    world.run(&["doctor"]).well();
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn links_of_records_without_identifiers_are_forgotten_only_where_that_is_said() {
    let world = World::new();
    fill(&world, 2, "example.org");
    let nameless = json!({ "last_name": "Nobody" });
    assert_eq!(world.crm.create(Object::Person, nameless).status, 201);
    world.sync(&[]).well();
    let before = world.everything();
    let forget = ["integration", "rebind", "HelloWorld", "--forget-links"];
    world.run(&forget).fails(
        1,
        &[
            "1 of 3 linked records of HelloWorld have no identifiers",
            "rebind HelloWorld --forget-links --yes",
        ],
    );
    world.is_quiet();
    world.run(&[&forget[..], &["--yes"]].concat()).well().says(&["3 links", "1 of them"]);
    assert!(world.everything() == before);
}

#[test]
fn the_same_account_with_another_name_keeps_its_links() {
    let (world, other) = moved(5);
    world.sync(&[]).fails(1, &["is not the account"]);
    // That it is the same one is not believed: both tell their account.
    let rebind = ["integration", "rebind", "HelloWorld", "--same-system"];
    let told = world.run(&[&rebind[..], &["--json"]].concat()).exits(1).error().unwrap();
    let text = told["error"].as_str().unwrap();
    let accounts: Vec<&str> = text.split_once("it was ").unwrap().1.split(", and is ").collect();
    let [before, now] = accounts[..] else { panic!("{text}") };
    let now = now.split_once("; nothing").unwrap().0;
    assert!(before.ends_with("of hello-crm)") && now.ends_with("of hello-crm)") && before != now, "{text}");
    let steps: Vec<&str> =
        told["remedies"].as_array().unwrap().iter().filter_map(|step| step["command"].as_str()).collect();
    assert!(
        steps
            .iter()
            .any(|step| step.ends_with("--same-system --account NOW".replace("NOW", &quoted(now)).as_str())),
        "{told}"
    );
    assert!(steps.iter().any(|step| step.ends_with("--forget-links")), "{told}");
    world.sync(&[]).fails(1, &["is not the account"]);
    world.run(&[&rebind[..], &["--account", before]].concat()).fails(1, &["does not tell the account", now]);
    // The operator names it, and goes back to the other one.
    world
        .run(&[&rebind[..], &["--account", now]].concat())
        .well()
        .says(&["the links of HelloWorld stay", "of hello-crm"]);
    let url = format!("url={}", world.url);
    world.run(&["integration", "set", "HelloWorld", "--set", &url]).well();
    world.sync(&[]).fails(1, &["is not the account"]);
    world.run(&rebind).fails(1, &["--account"]);
    world.run(&[&rebind[..], &["--account", before]].concat()).well();
    let again = world.sync(&[]).well();
    assert_eq!((again.written("hub"), again.written("HelloWorld")), (0, 0), "{again}");
    assert_eq!((world.crm.count(Object::Person), other.crm.count(Object::Person)), (5, 5));
}

/// Forty linked people, and a remote of before the last twenty, which has given their ids to strangers meanwhile.
fn restored() -> World {
    let (mut world, file) = World::with_file();
    fill(&world, 20, "early.example");
    world.sync(&[]).well();
    world.stop_crm();
    let backup = std::fs::read(&file).unwrap();
    world.start_crm(&file);
    fill(&world, 20, "late.example");
    world.sync(&[]).well();
    world.is_quiet();
    let ids = |world: &World| -> Vec<String> {
        world.crm.records(Object::Person).into_iter().map(|record| record.id).collect()
    };
    let before = ids(&world);
    world.stop_crm();
    std::fs::write(&file, backup).unwrap();
    world.start_crm(&file);
    fill(&world, 20, "stranger.example");
    assert_eq!(ids(&world), before, "ids are given again");
    world
}

/// How many contacts and people have an address in a domain.
fn counted(world: &World, domain: &str) -> (usize, usize) {
    let contacts = world.records("contact");
    let contacts = contacts.iter().filter(|contact| contact.text("email").ends_with(domain)).count();
    let people = world.crm.records(Object::Person);
    let is = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.ends_with(domain));
    (contacts, people.iter().filter(|person| is(&person.fields["email"])).count())
}

#[test]
fn s26_a_remote_restored_from_a_backup_that_gives_ids_again_is_not_written_to() {
    let world = restored();
    let late = world.find("contact", "email", "p3@late.example");
    world.run(&["record", "set", &format!("contact:{}", late.id), "city=Rome"]).well();
    let before = world.everything();
    // The CRM takes the token of before, and reports nothing: found out just before the write.
    let found = world.run(&["sync", "HelloWorld"]).exits(3).says(&[
        "person:p24 of HelloWorld has other identifiers than it had",
        "HelloWorld did not report that: perhaps a backup was restored there",
    ]);
    assert!(world.everything() == before, "nothing was written: {found}");
    for _ in 0..2 {
        let held = world.run(&["sync", "HelloWorld"]).exits(3).says(&[
            "20 of 40 person records of HelloWorld have other identifiers",
            "entente sync HelloWorld --lift-identifiers",
            "entente integration rebind HelloWorld --forget-links",
        ]);
        assert!(world.everything() == before, "nothing was written: {held}");
    }
    world.run(&["integration", "rebind", "HelloWorld", "--forget-links"]).well();
    world.run(&["sync", "HelloWorld"]).well();
    for domain in ["early.example", "late.example", "stranger.example"] {
        assert_eq!(counted(&world, domain), (20, 20), "{domain}: everybody is in both, once");
    }
    assert_eq!(
        world.person("p3@late.example").fields["city"],
        json!("Rome"),
        "the edit has gone to whom it is for"
    );
    world.is_quiet();
}
