//! Removing integrations and plugins: what goes, what stays, and what is refused with the way out.

use crate::support::guests;
use crate::world::{CANARY, Home, World, text};
use serde_json::json;

#[test]
fn an_integration_with_syncs_is_removed_with_them_or_not_at_all() {
    let world = World::with_sample(5);
    world.sync(&[]).well();
    let before = world.everything();
    let listed = world.run(&["integration", "list", "--json"]).well().json();

    let refused = world.run(&["integration", "remove", "HelloWorld"]).exits(1);
    insta::assert_snapshot!(refused.stderr.trim(), @r"
    error: integration 'HelloWorld' is used by sync HelloWorld
    next: remove it together with its syncs: entente integration remove HelloWorld --with-syncs
    ");
    assert_eq!(refused.stdout, "");
    let refused = world.run(&["integration", "remove", "HelloWorld", "--json"]).exits(1);
    assert_eq!(refused.stdout, "", "no data, and the error where it does not get into data");
    assert_eq!(world.run(&["integration", "list", "--json"]).well().json(), listed, "nothing has changed");
    world.is_quiet();

    let removed = world.run(&["integration", "remove", "HelloWorld", "--with-syncs", "--json"]).well();
    assert_eq!(removed.json(), json!({ "integration": "HelloWorld", "syncs": ["HelloWorld"] }));
    assert_eq!(world.run(&["integration", "list", "--json"]).well().json(), json!([]));
    world.run(&["sync", "HelloWorld"]).fails(2, &["unknown sync 'HelloWorld'; there is none yet"]);
    world.run(&["integration", "remove", "HelloWorld"]).fails(
        1,
        &["unknown integration 'HelloWorld'; there is none yet", "next: add one: entente integration add"],
    );
    assert_eq!(world.everything(), before, "no record goes on either side");
    world.run(&["run", "show", "1"]).well().says(&["run 1 of HelloWorld"]);

    // Its secret went with it, and its links stay: after it comes back nobody is there twice.
    let set = format!("url={}", world.url);
    world
        .run(&["integration", "add", "HelloWorld", "--set", &set, "--http", &world.url])
        .fails(1, &["HelloWorld was not added", "--secret api-key"]);
    world.connect().well();
    world.sync(&[]).well();
    assert_eq!(world.everything(), before);
    world.keeps_the_key_secret();
}

#[test]
fn an_integration_without_a_sync_is_simply_removed() {
    let home = Home::with_plugin();
    home.run(&["integration", "add", "HelloWorld", "--no-sync"]).well();
    home.run_with(&["integration", "set", "HelloWorld", "--secret", "api-key"], format!("{CANARY}\n")).well();
    let removed = home.run(&["integration", "remove", "HelloWorld"]).well();
    insta::assert_snapshot!(removed.stdout.trim(), @"removed the integration HelloWorld");
    // What comes back under its name has none of its secrets.
    home.run(&["integration", "add", "HelloWorld", "--no-sync"]).well();
    let listed = home.run(&["integration", "list", "--json"]).well().json();
    assert_eq!(listed[0]["secrets"], json!([]));

    home.run(&["integration", "add", "Second", "--plugin", "helloworld", "--no-sync"]).well();
    let removed = home.run(&["integration", "remove", "Second", "--with-syncs", "--json"]).well().json();
    assert_eq!(removed, json!({ "integration": "Second", "syncs": [] }), "there were none to remove");
    home.run(&["integration", "remove", "Secnd"])
        .fails(1, &["unknown integration 'Secnd'; there is: HelloWorld"]);
}

#[test]
fn a_plugin_that_an_integration_runs_is_not_removed() {
    let home = Home::with_plugin();
    let listed = home.run(&["plugin", "list", "--json"]).well().json();
    let digest = listed[0]["digest"].as_str().unwrap().to_owned();
    home.run(&["integration", "add", "HelloWorld", "--no-sync"]).well();
    home.run(&["integration", "add", "Second", "--plugin", "helloworld", "--no-sync"]).well();

    let refused = home.run(&["plugin", "remove", "helloworld"]).exits(1);
    insta::assert_snapshot!(refused.stderr.trim(), @r"
    error: plugin 'helloworld' is used by HelloWorld, Second
    next: remove HelloWorld: entente integration remove HelloWorld
    next: remove Second: entente integration remove Second
    ");
    assert_eq!(refused.stdout, "");
    home.run(&["plugin", "remove", &digest, "--json"])
        .fails(1, &["is used by HelloWorld, Second"])
        .says(&[""]);
    assert_eq!(home.run(&["plugin", "list", "--json"]).well().json(), listed, "it is still there");

    // The next steps lead on.
    home.run(&["integration", "remove", "HelloWorld"]).well();
    home.run(&["plugin", "remove", "helloworld"]).fails(1, &["is used by Second"]);
    home.run(&["integration", "remove", "Second"]).well();
    let removed = home.run(&["plugin", "remove", "helloworld", "--json"]).well().json();
    assert_eq!(removed, listed[0], "one of the list");
    assert_eq!(home.run(&["plugin", "list", "--json"]).well().json(), json!([]));
    home.run(&["plugin", "list"]).well().says(&["no plugin is installed\nnext: build the plugin"]);
    home.run(&["plugin", "remove", "helloworld"])
        .fails(1, &["unknown plugin 'helloworld'; there is none yet", "next: install the plugin"]);
    home.run(&["integration", "add", "HelloWorld"]).fails(1, &["unknown plugin 'helloworld'"]);
}

#[test]
fn a_plugin_that_was_removed_can_be_installed_again() {
    let home = Home::with_plugin();
    let removed = home.run(&["plugin", "remove", "helloworld"]).well();
    insta::assert_snapshot!(removed.stdout.trim(), @"removed the plugin helloworld");
    let installed = home.run(&["plugin", "install", &text(guests::hello_path()), "--json"]).well().json();
    let listed = home.run(&["plugin", "list", "--json"]).well().json();
    assert_eq!(listed, json!([installed]));
    home.run(&["integration", "add", "HelloWorld", "--no-sync"]).well();
}
