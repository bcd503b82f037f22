//! `entente apply`: a complete configuration from a file.

use crate::world::{Home, World};
use hello_crm::{ManualClock, Object};
use serde_json::json;
use std::sync::Arc;

/// A custom object and field, an integration with a secret from the environment, a mapping with a filter and
/// policies.
const FILE: &str = r#"
[object.project]
label = "Project"

[object.project.field.title]
kind = "text"
required = true

[object.project.field.customer]
kind = "reference"
targets = ["company"]

[object.contact.field.loyalty]
kind = "choice"
choices = ["silver", { value = "gold", label = "Gold" }]

[integration.HelloWorld]
plugin = "helloworld"
settings = { url = "URL" }

[integration.HelloWorld.secrets]
api-key = { env = "CRM_KEY" }

[integration.HelloWorld.grants]
http = ["URL"]
secrets = { api-key = ["URL"] }

[sync.HelloWorld]
mapping = "default"

[[sync.HelloWorld.object]]
left = "contact"
right = "person"
identifiers = ["email"]
create = "both"
filter-left = [{ field = "email", blank = false }]

[sync.HelloWorld.object.fields]
region = false
loyalty = { right = "region", values = { silver = "S", gold = "G" } }
phone = { right = "phone", blanks = "keep" }
position = { right = "job_title", trust = "hub" }
"#;

fn world() -> World {
    let clock = Arc::new(ManualClock::new(crate::world::moment("2020-01-01T00:00:00Z")));
    World::unconnected(Home::with_plugin(), hello_crm::seed::Seed::default(), clock)
}

/// The complete configuration.
fn state(world: &World) -> Vec<String> {
    [&["integration", "list", "--json"][..], &["plugin", "list", "--json"]]
        .map(|args| world.run(args).well().stdout)
        .into()
}

#[test]
fn a_file_is_applied_as_a_whole_and_once() {
    let world = world();
    let file = world.file("entente.toml", FILE.replace("URL", &world.url));
    let before = state(&world);
    let dry = world.run(&["apply", &file, "--dry-run"]).well().says(&[
        "HelloWorld",
        "loyalty",
        "project",
        "nothing was saved",
    ]);
    assert_eq!(state(&world), before, "{dry}");
    world.run(&["sync", "HelloWorld"]).fails(2, &["HelloWorld"]);
    world.run(&["record", "list", "project"]).fails(1, &["the hub has no object 'project'"]);

    world.run(&["apply", &file]).well().says(&["differences applied"]);
    let applied = state(&world);
    assert_ne!(applied, before);
    world.run(&["apply", &file]).well().says(&["nothing to change"]);
    world.run(&["apply", &file, "--dry-run"]).well().says(&["nothing to change"]);
    assert_eq!(state(&world), applied);
    world.keeps_the_key_secret();

    // The sync acts as configured.
    world.run(&["record", "set", "project", "title=New house"]).well();
    world
        .run(&[
            "record",
            "set",
            "contact",
            "last_name=Ek",
            "email=ek@example.org",
            "loyalty=gold",
            "position=Boss",
            "phone=+46 1",
        ])
        .well();
    world.run(&["record", "set", "contact", "last_name=Hidden", "loyalty=silver"]).well();
    world
        .run(&["record", "set", "contact", "last_name=Wrong", "loyalty=lead"])
        .fails(1, &["loyalty: 'lead'"]);
    world.make_person(
        "2020-01-02T00:00:00Z",
        json!({ "last_name": "Holm", "email": "holm@example.org", "region": "S" }),
    );
    world.sync(&[]);
    let ek = world.person("ek@example.org");
    assert_eq!((&ek.fields["region"], &ek.fields["job_title"]), (&json!("G"), &json!("Boss")));
    assert_eq!(world.find("contact", "email", "holm@example.org").text("loyalty"), "silver");
    assert_eq!(world.crm.count(Object::Person), 2, "who is outside the filter is not made");
    world.is_quiet();

    world.edit_person(
        "2020-02-01T00:00:00Z",
        &ek.id,
        json!({ "region": "S", "phone": null, "job_title": "Underling" }),
    );
    world.sync(&[]);
    let contact = world.find("contact", "email", "ek@example.org");
    assert_eq!(
        (contact.text("loyalty"), contact.text("phone"), contact.text("position")),
        ("silver", "+46 1", "Boss")
    );
    let ek = world.person("ek@example.org");
    assert_eq!((&ek.fields["phone"], &ek.fields["job_title"]), (&json!(null), &json!("Boss")));
    world.is_quiet();
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nothing_is_saved() {
    let world = world();
    let before = state(&world);
    let wrong = FILE
        .replace("URL", &world.url)
        .replace("loyalty = { right = \"region\"", "loyalty = { right = \"state\"")
        .replace("position = {", "rank = {")
        .replace("targets = [\"company\"]", "targets = [\"concern\"]");
    let output = world.run(&["apply", &world.file("wrong.toml", wrong)]).fails(1, &["concern"]);
    assert_eq!(state(&world), before, "{output}");
    // These problems show only once those that they depend on are fixed.
    let wrong = FILE
        .replace("URL", &world.url)
        .replace("{ right = \"region\"", "{ right = \"state\"")
        .replace("position = {", "rank = {");
    let file = world.file("wrong.toml", wrong);
    for args in [&["apply", &file][..], &["apply", &file, "--dry-run"]] {
        let output = world.run(args).fails(1, &["state", "rank", "line ", "2 problems; nothing was saved"]);
        assert_eq!(state(&world), before, "{output}");
        world.run(&["record", "list", "project"]).fails(1, &["the hub has no object 'project'"]);
    }
    let unknown = FILE.replace("URL", &world.url).replace("blanks = \"keep\"", "blanks = \"sometimes\"");
    world.run(&["apply", &world.file("wrong.toml", unknown)]).fails(1, &["sometimes", "keep"]);
    assert_eq!(state(&world), before);
}
