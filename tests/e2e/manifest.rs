//! What a manifest says of settings, objects and headers, and what follows for the operator.

use crate::support::guests;
use crate::world::*;
use hello_crm::seed::Seed;
use hello_crm::{ManualClock, Object};
use serde_json::json;
use std::sync::Arc;

fn unconnected() -> World {
    let clock = Arc::new(ManualClock::new(moment("2020-01-01T00:00:00Z")));
    World::unconnected(Home::with_plugin(), Seed::default(), clock)
}

/// HelloWorld with another manifest, installed as `narrow`.
fn narrow(world: &World, url: &str, rest: &str) {
    let manifest = format!(
        "name = \"narrow\"\n\
         [[host]]\naddress = \"{{url}}\"\nreason = \"the CRM\"\n\
         [[secret]]\nname = \"api-key\"\nhosts = [\"{{url}}\"]\nreason = \"signs in\"\n\
         [[setting]]\nname = \"url\"\nreason = \"the address\"\n{url}{rest}"
    );
    let manifest = world.file("narrow.toml", manifest);
    let (from, to) = (text(guests::hello_path()), text(&world.dir.path().join("narrow.wasm")));
    world.run(&["plugin", "build", &from, "--manifest", &manifest, "--output", &to]).well();
    world.run(&["plugin", "install", &to, "--name", "narrow"]).well();
}

/// Two more settings.
const SETTINGS: &str = "[[setting]]\nname = \"page\"\nkind = \"integer\"\nreason = \"rows\"\n\
                        [[setting]]\nname = \"colour\"\nchoices = [\"green\", \"blue\"]\nreason = \"paint\"\n";

fn add(world: &World, options: &[&str]) -> Output {
    // The server of a test is at an address of this machine, which is granted by its name only.
    let args = [
        "integration",
        "add",
        "Narrow",
        "--plugin",
        "narrow",
        "--secret",
        "api-key",
        "--grant-all",
        "--http",
        &world.url,
    ];
    world.run_with(&[&args, options].concat(), format!("{CANARY}\n"))
}

#[test]
fn x10_what_grant_all_grants_is_printed_and_no_address_of_this_machine_is_among_it() {
    let world = unconnected();
    narrow(
        &world,
        "",
        "[[host]]\naddress = \"https://[::ffff:a9fe:a9fe]:443\"\nreason = \"metrics\"\n\
                        [[host]]\naddress = \"https://аpi.mailchimp.com\"\nreason = \"the API\"\n",
    );
    let inspected = world.run(&["plugin", "inspect", &text(&world.dir.path().join("narrow.wasm"))]).well();
    let lookalike = "https://xn--pi-6kc.mailchimp.com (reads аpi.mailchimp.com, with letters of Cyrillic and Latin in one word: it may \
                     pass for another name)";
    let metadata = "https://169.254.169.254:443 (link-local, as metadata services are)";
    inspected.says(&[&format!("sends requests to {metadata}"), &format!("sends requests to {lookalike}")]);

    let url = format!("url={}", world.url);
    let add = |options: &[&str]| {
        let args = [
            "integration",
            "add",
            "Narrow",
            "--plugin",
            "narrow",
            "--secret",
            "api-key",
            "--grant-all",
            "--set",
            &url,
        ];
        world.run_with(&[&args, options].concat(), format!("{CANARY}\n"))
    };
    // Not granted, and the way to grant it is said.
    let local =
        format!("{} is this machine: it is not granted with everything else, only by its name", world.url);
    add(&[]).fails(1, &[&local, &format!("--http {}", world.url)]);
    let added = add(&["--http", &world.url]).well();
    added.says(&[
        &format!("Narrow may send requests to: {} (this machine), {lookalike}", world.url),
        &format!("its secret api-key may be sent to: {} (this machine)", world.url),
        "https://169.254.169.254:443 is link-local, as metadata services are: it is not granted with everything else",
    ]);
    let listed = world.run(&["integration", "list", "--json"]).well().json();
    assert_eq!(listed[0]["grants"]["http"], json!([world.url, "https://xn--pi-6kc.mailchimp.com"]));
    world.run(&["integration", "grant", "Narrow", "--all", "--json"]).well();
    let listed = world.run(&["integration", "list", "--json"]).well().json();
    assert_eq!(
        listed[0]["grants"]["http"],
        json!([world.url, "https://xn--pi-6kc.mailchimp.com"]),
        "nor later"
    );
}

#[test]
fn x8_what_a_plugin_called_is_listed() {
    let world = World::new();
    world.sync(&[]).well();
    let page = world.run(&["integration", "calls", "HelloWorld", "--json"]).well().json();
    let rows = page["rows"].as_array().unwrap();
    assert_eq!(page["total"], json!(rows.len()));
    assert!(rows.len() > 3, "{page}");
    let to = world.url.clone();
    assert!(rows.iter().all(|row| row["to"] == json!(to) && row["left"] == json!(true)), "{page}");
    let times: Vec<&str> = rows.iter().map(|row| row["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next), "newest first: {times:?}");

    // By the page, the same.
    let mut by_page = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut args = vec!["integration", "calls", "HelloWorld", "--json", "--limit", "2"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let page = world.run(&args).well().json();
        by_page.extend(page["rows"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(&by_page, rows);

    world.run(&["integration", "grant", "HelloWorld", "--no-http", &world.url]).well();
    world.sync(&[]);
    let denied = world.run(&["integration", "calls", "HelloWorld", "--denied"]).well();
    denied.says(&["not sent", "denied: grant", &to]);
    let since = world.run(&["integration", "calls", "HelloWorld", "--sent", "--since", "2100-01-01"]).well();
    since.says(&["no call of HelloWorld is written down"]);
    world.run(&["integration", "calls", "HelloWorld", "--since", "soon"]).fails(2, &["--since"]);
    world.run(&["integration", "calls", "Nobody"]).fails(1, &["unknown integration 'Nobody'"]);

    // They are kept longer than the integration, and go with the tenant.
    world.run(&["integration", "remove", "HelloWorld", "--with-syncs"]).well();
    world.run(&["integration", "calls", "HelloWorld", "--denied"]).well().says(&["denied: grant"]);
}

const PERSON: &str = "[[object]]\nname = \"person\"\nreads = [\"first_name\", \"last_name\", \"email\"]\n\
                      writes = [\"email\"]\nreason = \"the people\"\n";

#[test]
fn a_setting_that_does_not_fit_is_refused_before_the_plugin_runs() {
    let world = World::new();
    let asked = world.crm.request_count("GET", "/v1/");
    let told = [
        "the setting 'url' cannot be 'crm.example.com': it is an address",
        "an example is https://crm.example.com",
    ];
    world.run(&["integration", "set", "HelloWorld", "--set", "url=crm.example.com"]).fails(1, &told);
    world.run(&["integration", "set", "HelloWorld", "--set", "url=5"]).fails(1, &["cannot be '5'"]);
    let args = ["integration", "add", "Other", "--plugin", "helloworld", "--set", "url=crm.example.com"];
    world.run(&args).fails(1, &told);
    let file = world.file(
        "entente.toml",
        "[integration.HelloWorld]\nplugin = \"helloworld\"\nsettings = { url = \"crm.example.com\" }\n",
    );
    world.run(&["apply", &file]).fails(1, &told).fails(1, &["line 3, column 20: integration HelloWorld"]);
    let output = world.run(&["integration", "set", "HelloWorld", "--set", "url=crm.example.com", "--json"]);
    let error = output.error().unwrap();
    assert_eq!(error["code"], "invalid", "{error}");
    assert_eq!(world.crm.request_count("GET", "/v1/"), asked, "nobody was asked");
    let stored = world.run(&["integration", "list", "--json"]).well().json();
    assert_eq!(stored.as_array().unwrap().len(), 1, "nothing was added");
    assert_eq!(stored[0]["settings"]["url"], json!(world.url), "nothing was changed");
    world.sync(&[]).well();
}

#[test]
fn a_file_is_told_every_setting_that_does_not_fit_with_its_line() {
    let world = unconnected();
    narrow(&world, "required = true\nkind = \"url\"\n", SETTINGS);
    add(&world, &["--set", &format!("url={}", world.url)]).well();
    let asked = world.crm.request_count("GET", "/v1/");
    let file = |settings: &str| {
        let sync = "[sync.Narrow]\nmapping = \"default\"\n";
        let text = format!("[integration.Narrow]\nplugin = \"narrow\"\n{settings}\n{sync}");
        world.file("entente.toml", text)
    };
    let three = file("[integration.Narrow.settings]\nurl = \"crm\"\npage = \"many\"\ncolour = \"red\"");
    world.run(&["apply", &three]).fails(
        1,
        &[
            "line 4, column 7: integration Narrow: the setting 'url' cannot be 'crm'",
            "line 5, column 8: integration Narrow: the setting 'page' cannot be 'many'",
            "line 6, column 10: integration Narrow: the setting 'colour' cannot be 'red': it is one of green, blue",
        ],
    );
    // One that is needed and not in the file, whether the file runs the plugin or not.
    let dropped = file("settings = { page = 5 }");
    let told =
        ["line 1, column 14: integration Narrow: its plugin needs the setting 'url'", "which is not set"];
    world.run(&["apply", &dropped]).fails(1, &told);
    let alone = "[integration.Narrow]\nplugin = \"narrow\"\nsettings = { page = 5 }\n";
    world.run(&["apply", &world.file("entente.toml", alone)]).fails(1, &told);
    assert_eq!(world.crm.request_count("GET", "/v1/"), asked, "nobody was asked");
    let stored = world.run(&["integration", "list", "--json"]).well().json();
    assert_eq!(stored[0]["settings"]["url"], json!(world.url), "nothing was changed");
    world.run(&["apply", &file(&format!("settings = {{ url = \"{}\", page = 5 }}", world.url))]).well();
}

#[test]
fn names_that_nobody_has_are_told_beside_settings_and_grants() {
    let world = unconnected();
    narrow(&world, "required = true\nkind = \"url\"\n", PERSON);
    let asked = world.crm.request_count("GET", "/v1/");
    let file = |integration: &str| {
        let sync = "[[sync.Narrow.object]]\nleft = \"contakt\"\nright = \"person\"\nfields = { email = \"emial\" }\n\
                    [[sync.Narrow.object]]\nleft = \"company\"\nright = \"organization\"\nfields = { nmae = \"name\" }\n";
        let text = format!(
            "[integration.Narrow]\nplugin = \"narrow\"\nsecrets = {{ api-key = {{ env = \"CRM_KEY\" }} }}\n{integration}\n{sync}"
        );
        world.file("entente.toml", text)
    };
    let names = [
        "line 7, column 8: sync Narrow: the hub has no object 'contakt'; there is: contact",
        "line 9, column 12: sync Narrow: person of Narrow has no field 'emial'; there is: email",
        "line 12, column 9: sync Narrow: Narrow has no object 'organization'; there is: person",
        "line 13, column 12: sync Narrow: company of the hub has no field 'nmae'; there is: name",
    ];
    let wrong = file("settings = { url = \"crm\" }\ngrants = { http = [\"ftp://crm.example.com\"] }");
    let told = world.run(&["apply", &wrong]).fails(
        1,
        &[
            "line 4, column 20: integration Narrow: the setting 'url' cannot be 'crm'",
            "line 5, column 20: integration Narrow: 'ftp://crm.example.com' is no grant",
        ],
    );
    told.fails(1, &names).fails(1, &["6 problems"]);
    // A grant that only the plugin's settings make one, and one that is too narrow for the plugin to describe itself.
    let settings = format!("settings = {{ url = \"{}\" }}", world.url);
    let wrong = file(&format!("{settings}\ngrants = {{ http = [\"https://{{dc}}.example.com\"] }}"));
    world.run(&["apply", &wrong]).fails(1, &["line 5, column 20: integration Narrow"]).fails(1, &names);
    let wrong = file(&format!(
        "{settings}\ngrants = {{ http = [\"https://crm.example.com\"], secrets = {{ api-key = [\"https://crm.example.com\"] }} }}"
    ));
    let told = "line 5, column 20: integration Narrow: Narrow could not describe its objects";
    world.run(&["apply", &wrong]).fails(1, &[told]).fails(1, &names);
    assert_eq!(world.crm.request_count("GET", "/v1/"), asked, "nobody was asked");
}

#[test]
fn a_secret_that_the_plugin_does_not_ask_for_is_refused() {
    let world = unconnected();
    let (url, told) =
        (format!("url={}", world.url), "helloworld asks for no secret 'apikey'; it asks for api-key");
    let add = ["integration", "add", "HelloWorld", "--set", &url, "--http", &world.url, "--secret"];
    world.run_with(&[&add[..], &["apikey"]].concat(), format!("{CANARY}\n")).fails(1, &[told]);
    assert_eq!(world.run(&["integration", "list", "--json"]).well().json(), json!([]), "nothing was added");
    world.connect().well();
    let before = world.run(&["integration", "list", "--json"]).well().stdout;
    let set = ["integration", "set", "HelloWorld", "--secret-env", "apikey=CRM_KEY"];
    world.run(&set).fails(1, &[told]);
    let text = |more: &str| format!("[integration.HelloWorld]\nplugin = \"helloworld\"\n{more}\n");
    let file = world.file("entente.toml", text("secrets = { apikey = { env = \"CRM_KEY\" } }"));
    world.run(&["apply", &file]).fails(1, &[told, "line 3, column 13: integration HelloWorld"]);
    let file =
        world.file("entente.toml", text("grants = { secrets = { apikey = [\"https://crm.example.com\"] } }"));
    world.run(&["apply", &file]).fails(1, &[told, "line 3, column 24: integration HelloWorld"]);
    assert_eq!(world.run(&["integration", "list", "--json"]).well().stdout, before, "nothing was changed");
    world.sync(&[]).well();
}

#[test]
fn a_default_stands_where_nothing_is_set() {
    let world = unconnected();
    narrow(&world, &format!("kind = \"url\"\ndefault = \"{}\"\n", world.url), "");
    let component = text(&world.dir.path().join("narrow.wasm"));
    let words = format!(
        "reads the setting url, an address such as https://crm.example.com; {} unless set",
        world.url
    );
    world.run(&["plugin", "inspect", &component]).well().says(&[&words]);
    add(&world, &[]).well();
    world.run(&["sync", "Narrow"]).well();
    let elsewhere = format!("url={}", world.url.replace("127.0.0.1", "127.0.0.2"));
    world.run(&["integration", "set", "Narrow", "--set", &elsewhere]).well();
    world.run(&["sync", "Narrow"]).fails(1, &["127.0.0.2"]);
    world.run(&["integration", "set", "Narrow", "--unset", "url"]).well();
    world.run(&["sync", "Narrow"]).well();
}

#[test]
fn what_the_manifest_does_not_name_is_neither_read_nor_written() {
    let world = unconnected();
    narrow(&world, "", PERSON);
    let component = text(&world.dir.path().join("narrow.wasm"));
    world.run(&["plugin", "inspect", &component]).well().says(&[
        "reads of the object person: first_name, last_name, email; writes to it: email",
        "the people",
    ]);
    let fields =
        json!({ "first_name": "Ada", "last_name": "Ash", "email": "ada@example.org", "city": "Rome" });
    assert_eq!(world.crm.create(Object::Person, fields).status, 201);
    assert_eq!(world.crm.create(Object::Organisation, json!({ "name": "Acme" })).status, 201);
    let url = format!("url={}", world.url);
    add(&world, &["--set", &url]).well().says(&[
        "company ↔ organisation is left out: the remote system has no object organisation",
        "city ↔ city is left out: person of the remote system has no field city",
        "first_name ↔ first_name flows to the hub only",
    ]);
    world.run(&["sync", "Narrow"]).well();
    assert_eq!(world.records("company").len(), 0);
    let ada = world.find("contact", "email", "ada@example.org");
    assert_eq!(
        (ada.text("first_name"), ada.fields.get("city").filter(|city| !city.is_null())),
        ("Ada", None)
    );
    let key = format!("contact:{}", ada.id);
    world.run(&["record", "set", &key, "first_name=Eve", "email=eve@example.org", "city=Bonn"]).well();
    world.run(&["sync", "Narrow"]).well();
    let person = world.person("eve@example.org");
    assert_eq!((&person.fields["first_name"], &person.fields["city"]), (&json!("Ada"), &json!("Rome")));

    // A version that writes less writes less, also where the mapping is of before.
    narrow(&world, "", &PERSON.replace("writes = [\"email\"]", "writes = []"));
    world.run(&["integration", "upgrade", "Narrow"]).well().says(&["email"]);
    world.run(&["record", "set", &key, "email=ada@example.com"]).well();
    world.run(&["sync", "Narrow"]).says(&["'email' of person can no longer be written in Narrow"]);
    assert_eq!(world.crm.find(Object::Person, "email", &json!("eve@example.org")).len(), 1, "as it was");

    // Nor by a mapping of the operator's own.
    let file = "[sync.Narrow]\n[[sync.Narrow.object]]\nleft = \"contact\"\nright = \"person\"\n\
                [sync.Narrow.object.fields]\ncity = { right = \"city\" }\n";
    world.run(&["apply", &world.file("entente.toml", file)]).fails(1, &["city"]);
}

#[test]
fn a_mapping_is_not_made_without_what_its_records_are_recognised_by() {
    let world = unconnected();
    narrow(
        &world,
        "",
        "[[object]]\nname = \"person\"\nreads = [\"first_name\", \"last_name\"]\nreason = \"the people\"\n",
    );
    let url = format!("url={}", world.url);
    // What is printed keeps what was given.
    let again = format!("--grant-all --http {} --set {url} --no-sync", world.url);
    add(&world, &["--set", &url]).fails(
        1,
        &["person is left out: its records are recognised by email, which cannot be mapped", &again],
    );
    add(&world, &["--set", &url, "--no-sync"]).well();
}

#[test]
fn what_no_host_would_install_is_not_built() {
    let world = unconnected();
    let manifest = "[[host]]\naddress = \"*\"\nreason = \"x\"\n[[secret]]\nname = \"api-key\"\nhosts = [\"*\"]\nreason = \"x\"\n\
                    [[secret]]\nname = \"hook\"\nuse = \"sign\"\nreason = \"x\"\n\
                    [webhook]\nsecret = \"hook\"\nscheme = \"stripe\"\nreason = \"x\"\n";
    let manifest = world.file("hooked.toml", manifest);
    let (from, to) = (text(guests::hello_path()), world.dir.path().join("hooked.wasm"));
    let args = ["plugin", "build", &from, "--manifest", &manifest, "--output", &text(&to)];
    world.run(&args).fails(1, &["does not export 'webhook'"]);
    assert!(!to.exists());
}

#[test]
fn a_version_that_cannot_run_with_the_settings_is_not_taken() {
    let world = unconnected();
    let (url, asks) = (format!("url={}", world.url), "required = true\nkind = \"url\"\n");
    narrow(&world, asks, SETTINGS);
    add(&world, &["--set", &url, "--set", "page=many-rows", "--set", "colour=blue"])
        .fails(1, &["the setting 'page' cannot be 'many-rows'"]);
    add(&world, &["--set", &url, "--set", "page=500", "--set", "colour=blue"]).well();
    let before = world.run(&["integration", "list", "--json"]).well().json();

    // Another kind, other choices, and one more that must be set.
    let other = SETTINGS.replace("\"integer\"", "\"date\"").replace("\"blue\"", "\"red\"");
    narrow(
        &world,
        asks,
        &format!("{other}[[setting]]\nname = \"region\"\nrequired = true\nreason = \"where\"\n"),
    );
    world.run(&["integration", "upgrade", "Narrow"]).fails(
        1,
        &[
            "Narrow keeps the version that it has",
            "its plugin needs the setting 'region' («where»), which is not set",
            "the setting 'page' cannot be '500': it is a day",
            "the setting 'colour' cannot be 'blue': it is one of green, red",
            "next: set them with the new version: entente integration upgrade Narrow --set region=VALUE --set page=VALUE --set colour=VALUE",
        ],
    );
    let wrong = ["--set", "region=eu", "--set", "page=2026-01-01", "--set", "colour=blue"];
    world
        .run(&[&["integration", "upgrade", "Narrow"], &wrong[..]].concat())
        .fails(1, &["the setting 'colour' cannot be 'blue'", "--set colour=blue --set colour=VALUE"]);
    assert_eq!(world.run(&["integration", "list", "--json"]).well().json(), before, "nothing was changed");
    let right = ["--set", "region=eu", "--set", "page=2026-01-01", "--set", "colour=red"];
    let upgraded = world.run(&[&["integration", "upgrade", "Narrow"], &right[..]].concat()).well();
    upgraded.says(&["back with: ", "set: colour=red, page=2026-01-01, region=eu"]);
    let upgraded = world.run(&["integration", "upgrade", "Narrow", "--set", "region=us"]).well();
    upgraded.says(&["Narrow has this version of narrow already, and keeps it", "set: region=us"]);
    let same = world.run(&["integration", "upgrade", "Narrow"]).well();
    assert!(same.stdout.trim_end().ends_with("Narrow has this version of narrow already"), "{same}");
    world.run(&["sync", "Narrow"]).well();
    // Back again the settings of now do not fit, which is told at once.
    let output = world.run(&["integration", "rollback", "Narrow"]).well();
    for part in ["the setting 'colour' cannot be 'red'", "entente integration set Narrow --set colour=VALUE"]
    {
        assert!(output.stderr.contains(part), "{output}");
    }
}

#[test]
fn a_version_that_asks_for_more_keeps_the_settings_that_were_given_with_it() {
    let world = unconnected();
    let (url, asks) = (format!("url={}", world.url), "required = true\nkind = \"url\"\n");
    narrow(&world, asks, "");
    add(&world, &["--set", &url]).well();
    let more = "[[host]]\naddress = \"https://stats.example.com\"\nreason = \"counts\"\n\
                [[setting]]\nname = \"region\"\nrequired = true\nreason = \"where\"\n";
    narrow(&world, asks, more);
    let waits = world.run(&["integration", "upgrade", "Narrow", "--set=region=eu"]).exits(1);
    let agree = waits.stdout.lines().find_map(|line| line.split_once("to agree: entente ")).unwrap().1;
    assert!(agree.contains("--set region=eu --agree"), "{waits}");
    world.run(&agree.split(' ').collect::<Vec<_>>()).well();
    let stored = world.run(&["integration", "list", "--json"]).well().json();
    assert_eq!(stored[0]["settings"]["region"], json!("eu"));
}

#[test]
fn a_version_that_names_its_objects_is_not_said_to_read_none() {
    let world = unconnected();
    narrow(&world, "", "");
    add(&world, &["--set", &format!("url={}", world.url)]).well();
    narrow(&world, "", PERSON);
    let output = world.run(&["integration", "upgrade", "Narrow"]).well();
    assert!(!output.stdout.contains("no longer reads of every object"), "{output}");
    output.says(&["- it no longer reads or writes objects that it does not name"]);
}
