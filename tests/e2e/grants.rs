//! Manifest and grants: the effective permissions, upgrades that ask for more, and quarantine.

use crate::support::guests;
use crate::world::{Home, text};
use serde_json::json;
use wasmparser::{Parser, Payload};

const SETTINGS: &str = r#"
state = { reason = "to fill it" }
[[setting]]
name = "attack"
reason = "what to do"
[[setting]]
name = "url"
reason = "where to go"
"#;

const FILE: &str = r#"
[object.thing.field.name]
kind = "text"
identifier = true
[integration.evil]
plugin = "evil"
[sync.evil]
[[sync.evil.object]]
left = "thing"
right = "thing"
identifiers = ["name"]
create = "both"
[sync.evil.object.fields]
name = true
"#;

/// The hostile plugin without its manifest, as other tools would have built it.
fn without_manifest() -> Vec<u8> {
    let whole = guests::hostile_component();
    let (mut start, mut depth) = (None, 0);
    for payload in Parser::new(0).parse_all(&whole) {
        match payload.unwrap() {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if depth == 1 && section.name() == "entente:manifest" => {
                // The section id and a two-byte length precede its content.
                assert!((128..16384).contains(&(section.range().end - section.range().start)));
                start = Some(usize::try_from(section.range().start).unwrap() - 3);
                assert_eq!(section.range().end, whole.len() as u64, "it comes last");
            }
            _ => {}
        }
    }
    whole[..start.unwrap()].to_vec()
}

/// A plugin whose manifest asks for this, besides settings and state.
fn asking(home: &Home, name: &str, asks: &str) -> String {
    let component = home.file("bare.wasm", without_manifest());
    let manifest = home.file("plugin.toml", format!("{SETTINGS}{asks}"));
    let output = home.dir.path().join(name).display().to_string();
    home.run(&["plugin", "build", &component, "--manifest", &manifest, "--output", &output]).well();
    output
}

fn integrate(home: &Home, component: &str) {
    home.run(&["plugin", "install", component, "--name", "evil"]).well();
    home.run(&["integration", "add", "evil", "--no-sync"]).well();
    home.run(&["apply", &home.file("entente.toml", FILE)]).well();
}

fn digest(home: &Home) -> String {
    home.run(&["integration", "list", "--json"]).well().json()[0]["digest"].as_str().unwrap().to_owned()
}

fn attack(home: &Home, attack: &str) -> crate::world::Output {
    home.run(&["integration", "set", "evil", "--set", &format!("attack={attack}")]).well();
    home.run(&["sync", "evil"])
}

#[test]
fn a_hostile_plugin_that_asks_for_nothing_is_not_installed() {
    let home = Home::new();
    let bare = home.file("bare.wasm", without_manifest());
    home.run(&["plugin", "inspect", &bare])
        .well()
        .says(&["it asks for: nothing", "it cannot be used as it is"]);
    let remedy =
        "but its manifest does not ask for that; the author says so, with the reason, in plugin.toml";
    home.run(&["plugin", "install", &bare]).fails(1, &["the plugin sends HTTP requests", remedy]);
    home.run(&["plugin", "inspect", &text(guests::hello_path())]).well().says(&[
        "helloworld 0.1.0: Keeps people and organisations of hello-crm in step",
        "- it sends requests to the host of the setting url («the API of the CRM»)",
        "- it has the secret api-key sent to the host of the setting url in the header authorization («signs in at the CRM»)",
        "- it reads the setting url, which must be set",
    ]);
}

#[test]
fn a_hostile_plugin_reaches_only_what_it_asks_for_and_is_granted() {
    let home = Home::new();
    let ask = "[[host]]\naddress = \"https://api.example.com\"\nreason = \"the API\"\n[[secret]]\nname = \"key\"\nhosts = [\"*\"]\nreason = \"x\"";
    integrate(&home, &asking(&home, "narrow.wasm", ask));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    home.run(&["integration", "set", "evil", "--set", &format!("url={url}")]).well();
    let shown = home.run(&["integration", "grant", "evil", "--http", &url]).well();
    shown.says(&[
        "it sends requests to https://api.example.com («the API»)",
        "not granted: https://api.example.com\nnext: if that is meant, allow it: entente integration grant evil --http",
    ]);
    attack(&home, "http").fails(1, &["which its manifest does not ask for, so that it cannot be granted"]);
    assert!(listener.accept().is_err(), "a connection was made");

    home.run(&["integration", "grant", "evil", "--no-state"])
        .well()
        .says(&["it may keep nothing between runs"]);
    attack(&home, "none").fails(
        1,
        &["needs to keep a few bytes between runs, which is not granted", "integration grant evil --state"],
    );
    home.run(&["integration", "grant", "evil", "--state"]).well();
    attack(&home, "none").well();
}

#[test]
fn a_version_that_asks_for_more_waits_for_the_operator() {
    let home = Home::new();
    let url = "[[host]]\naddress = \"{url}\"\nreason = \"your server\"\n[[secret]]\nname = \"key\"\nhosts = [\"{url}\"]\nreason = \"signs in\"";
    let first = asking(&home, "first.wasm", url);
    let second = asking(
        &home,
        "second.wasm",
        &format!("{url}\n[[host]]\naddress = \"https://stats.example.com\"\nreason = \"counts\""),
    );
    integrate(&home, &first);
    home.run(&["integration", "set", "evil", "--set", "url=https://crm.example.com"]).well();
    home.run(&["integration", "grant", "evil", "--all"])
        .well()
        .says(&["evil may send requests to: https://crm.example.com\n"]);
    let old = digest(&home);
    home.run(&["plugin", "install", &second, "--name", "evil"]).well();
    assert_eq!(digest(&home), old, "installing changes no integration");

    let waits = home.run(&["integration", "upgrade", "evil"]).fails(1, &["evil waits for your word"]);
    let waits = waits.says(&[
        "  + it sends requests to https://stats.example.com («counts»)",
        "to agree: entente integration upgrade evil --plugin ",
    ]);
    assert_eq!(digest(&home), old);
    // The printed command agrees to what was shown, and not to a component installed meanwhile.
    let agree = waits.stdout.split("upgrade evil --plugin ").nth(1).unwrap().trim().to_owned();
    assert_eq!(agree.find(' '), Some(64), "the whole digest, of which nobody can make a second one: {agree}");
    let agree: Vec<&str> =
        ["integration", "upgrade", "evil", "--plugin"].into_iter().chain(agree.split(' ')).collect();
    let third = asking(
        &home,
        "third.wasm",
        &format!("{url}\n[[host]]\naddress = \"https://*.evil.example\"\nreason = \"takes\""),
    );
    home.run(&["plugin", "install", &third, "--name", "evil"]).well();
    home.run(&agree).fails(1, &["unknown plugin"]);
    assert_eq!(digest(&home), old);
    home.run(&["plugin", "install", &second, "--name", "evil"]).well();
    let shown = home.run(&agree).well();
    shown.says(&["evil may send requests to: https://crm.example.com, https://stats.example.com"]);
    let new = digest(&home);
    assert_ne!(new, old);

    home.run(&["integration", "rollback", "evil"])
        .well()
        .says(&["evil may send requests to: https://crm.example.com\n"]);
    assert_eq!(digest(&home), old);
    home.run(&["integration", "rollback", "evil"]).well();
    assert_eq!(digest(&home), new);
    // A revoked grant stays revoked: an upgrade agrees to additional requests only.
    home.run(&["integration", "rollback", "evil"]).well();
    home.run(&["integration", "grant", "evil", "--reset"]).well();
    let shown = home.run(&["integration", "upgrade", "evil", "--agree"]).well();
    shown.says(&["evil may send requests to: https://stats.example.com"]);
    // One grant at a time; state is granted independently.
    home.run(&["integration", "grant", "evil", "--no-state"])
        .well()
        .says(&["it may keep nothing between runs"]);
    let shown = home
        .run(&[
            "integration",
            "grant",
            "evil",
            "--reset",
            "--http",
            "https://crm.example.com",
            "--secret",
            "key",
        ])
        .well();
    shown.says(&[
        "its secret key may be sent to: https://crm.example.com",
        "it may keep nothing between runs",
    ]);
    home.run(&["integration", "grant", "evil", "--all"])
        .well()
        .says(&["it may keep a few bytes between runs"]);
    // `no` takes precedence over `yes`.
    let shown =
        home.run(&["integration", "grant", "evil", "--all", "--no-http", "https://stats.example.com"]).well();
    shown.says(&["evil may send requests to: https://crm.example.com\n"]);
    home.run(&["integration", "grant", "evil", "--all"]).well();
    let shown = home
        .run(&[
            "integration",
            "grant",
            "evil",
            "--no-secret",
            "key",
            "--no-http",
            "https://stats.example.com",
        ])
        .well();
    shown.says(&[
        "evil may send requests to: https://crm.example.com\n",
        "not granted: the secret key\nnext: if that is meant, allow it: entente integration grant evil --secret key",
        "not granted: https://stats.example.com\nnext: if that is meant, allow it: entente integration grant evil --http https://stats.example.com",
    ]);
    home.run(&["integration", "grant", "evil", "--no-http", "https://stats.example.com"])
        .fails(2, &["no grant is written"]);
    let useless = home.run(&["integration", "grant", "evil", "--http", "https://other.example.com"]).well();
    assert!(
        useless.stderr.contains("the plugin of evil does not ask for https://other.example.com"),
        "{useless}"
    );
    // The older version asks for less, which needs no agreement.
    home.run(&["plugin", "install", &first, "--name", "evil"]).well();
    home.run(&["integration", "upgrade", "evil"])
        .well()
        .says(&["  - it no longer sends requests to https://stats.example.com"]);
    assert_eq!(digest(&home), old);
}

/// What a program reads that decides for the operator: the same as people do, as data.
#[test]
fn what_a_version_asks_for_in_addition_is_data() {
    let home = Home::new();
    let url = "[[host]]\naddress = \"{url}\"\nreason = \"your server\"\n[[secret]]\nname = \"key\"\nhosts = [\"{url}\"]\nreason = \"signs in\"";
    let stats = "https://stats.example.com";
    let first = asking(&home, "first.wasm", url);
    let second =
        asking(&home, "second.wasm", &format!("{url}\n[[host]]\naddress = \"{stats}\"\nreason = \"counts\""));
    integrate(&home, &first);
    let shown = home.run(&["integration", "grant", "evil", "--all", "--json"]).well().json();
    assert_eq!((&shown["http"], &shown["open"]), (&json!([]), &json!([])), "its setting is not set");
    assert_eq!(
        (&shown["notices"][0]["code"], &shown["notices"][1]["code"]),
        (&json!("secret-not-set"), &json!("host-unknown"))
    );
    let command = shown["notices"][0]["remedies"][0]["command"].as_str().unwrap();
    assert!(command.ends_with("integration set evil --secret key"), "{command}");
    home.run(&["integration", "set", "evil", "--set", "url=https://crm.example.com"]).well();
    let shown = home.run(&["integration", "grant", "evil", "--all", "--json"]).well().json();
    let widened = json!({
        "http": ["https://crm.example.com"],
        "secrets": [{ "secret": "key", "host": "https://crm.example.com" }],
        "state": false,
    });
    assert_eq!(shown["widened"], widened);
    let none = json!({ "http": [], "secrets": [], "state": false });
    assert_eq!(shown["narrowed"], none);

    let old = digest(&home);
    home.run(&["plugin", "install", &second, "--name", "evil"]).well();
    let waits = home.run(&["integration", "upgrade", "evil", "--json"]).exits(1).json();
    assert_eq!(
        (&waits["waits"], &waits["upgraded"], &waits["before"]),
        (&json!(true), &json!(false), &json!(old))
    );
    assert_eq!(waits["more"][0]["ask"], "host");
    assert_eq!(waits["more"][0]["name"], stats);
    assert_eq!(waits["widened"]["http"], json!([stats]), "what agreeing would grant");
    assert_eq!(digest(&home), old);
    let wanted = waits["wanted"].as_str().unwrap();
    let agreed =
        home.run(&["integration", "upgrade", "evil", "--plugin", wanted, "--agree", "--json"]).well().json();
    assert_eq!((&agreed["waits"], &agreed["upgraded"]), (&json!(false), &json!(true)));
    assert_eq!((&agreed["widened"], &agreed["more"]), (&waits["widened"], &waits["more"]), "what was shown");
    assert_eq!(agreed["integration"]["digest"], wanted);

    // The version before may be removed, since nobody runs it; then there is no way back to it.
    home.run(&["plugin", "remove", wanted]).fails(1, &["is used by evil"]);
    let removed = home.run(&["plugin", "remove", &old, "--json"]).well().json();
    assert_eq!((&removed["digest"], &removed["current"]), (&json!(old), &json!(false)));
    home.run(&["integration", "rollback", "evil"]).fails(1, &["has had no other version of its plugin"]);
    assert_eq!(digest(&home), wanted);
}

#[test]
fn a_setting_that_must_be_set_is_asked_for_before_anything_runs() {
    let home = Home::new();
    home.run(&["tenant", "add", "acme"]).well();
    let of_acme = |args: &[&str]| home.run(&[&["--tenant", "acme"], args].concat());
    let asks = "required = true\n[[host]]\naddress = \"{url}\"\nreason = \"your server\"\n\
                [[secret]]\nname = \"key\"\nhosts = [\"{url}\"]\nreason = \"signs in\"";
    let component = asking(&home, "strict.wasm", asks);
    of_acme(&["plugin", "install", &component, "--name", "evil"]).well();
    let refused = of_acme(&["integration", "add", "evil"]);
    assert_eq!(refused.code, 1, "{refused}");
    insta::assert_snapshot!(refused.stderr.trim(), @r"
    error: the plugin of 'evil' needs the setting 'url' («where to go»)
    evil was not added
    next: give it again with more: entente --tenant acme integration add evil --set url=VALUE
    ");
    assert_eq!(of_acme(&["integration", "list", "--json"]).well().json(), json!([]));
    of_acme(&["integration", "add", "evil", "--no-sync"]).well();
    let refused = of_acme(&["apply", &home.file("entente.toml", FILE)]);
    assert_eq!(refused.code, 1, "{refused}");
    insta::assert_snapshot!(refused.stderr.trim(), @r"
    error: line 5, column 14: integration evil: its plugin needs the setting 'url' («where to go»), which is not set
    next: set url: entente --tenant acme integration set evil --set url=VALUE
    ");
}

#[test]
fn what_was_changed_since_it_was_installed_is_not_run() {
    let home = Home::new();
    let asks = "[[host]]\naddress = \"*\"\nreason = \"x\"\n[[secret]]\nname = \"key\"\nhosts = [\"*\"]\nreason = \"x\"";
    let (honest, other) =
        (asking(&home, "honest.wasm", asks), asking(&home, "other.wasm", &asks.replace("\"x\"", "\"y\"")));
    integrate(&home, &honest);
    home.run(&["sync", "evil"]).well();
    let file = home.dir.path().join("home/plugins").join(format!("{}.wasm", digest(&home)));
    let whole = std::fs::read(&honest).unwrap();
    // Another plugin, a flipped bit, a truncated file.
    let mut bit = whole.clone();
    bit[20_000] ^= 1;
    for changed in [std::fs::read(&other).unwrap(), bit, whole[..1000].to_vec()] {
        std::fs::write(&file, changed).unwrap();
        let refused =
            home.run(&["sync", "evil"]).fails(1, &["was changed since it was installed, so it is not run"]);
        assert!(refused.stdout.is_empty(), "{refused}");
        home.run(&["doctor", "--offline"])
            .fails(1, &["something needs a look"])
            .says(&["was changed since it was installed"]);
        home.run(&["integration", "grant", "evil", "--all"])
            .fails(1, &["was changed since it was installed"]);
    }
    home.run(&["plugin", "install", &honest, "--name", "evil"]).well();
    home.run(&["sync", "evil"]).well();
}

#[test]
fn what_a_plugin_logs_is_kept_with_its_run() {
    let home = Home::new();
    let asks = "[[host]]\naddress = \"*\"\nreason = \"x\"\n[[secret]]\nname = \"key\"\nhosts = [\"*\"]\nreason = \"x\"";
    integrate(&home, &asking(&home, "talks.wasm", asks));
    attack(&home, "log-control").well();
    attack(&home, "none").well();
    home.run(&["run", "show", "1"]).well().says(&["its plugins logged a line: entente run show 1 --log"]);
    let shown = home.run(&["run", "show", "1", "--log"]).well();
    let shown = shown.says(&[" warn evil first\\nsecond \\u{1b}[31mred key=va\\rlue"]);
    assert!(!shown.stdout.contains("--log"), "{shown}");
    assert_eq!(home.run(&["run", "show", "1", "--json"]).well().json()["log"][0]["level"], "warn");
    assert_eq!(home.run(&["run", "show", "2", "--json"]).well().json()["log"], json!([]));
    // The end of a killed run is unknown; log lines of later runs are not shown with it.
    attack(&home, "log-control").well();
    let database =
        rusqlite::Connection::open(home.dir.path().join("home/tenants/default/entente.db")).unwrap();
    assert_eq!(
        database.execute("UPDATE run SET ended = NULL, status = 'interrupted' WHERE id = 1", []).unwrap(),
        1
    );
    assert_eq!(home.run(&["run", "show", "1", "--json"]).well().json()["log"].as_array().unwrap().len(), 1);
}

#[test]
fn a_hostile_plugin_that_crashes_again_and_again_is_quarantined() {
    let home = Home::new();
    let asks = "[[host]]\naddress = \"*\"\nreason = \"x\"\n[[secret]]\nname = \"key\"\nhosts = [\"*\"]\nreason = \"x\"";
    integrate(&home, &asking(&home, "evil.wasm", asks));
    home.run(&["integration", "rollback", "evil"]).fails(1, &["has had no other version of its plugin"]);
    for _ in 0..2 {
        attack(&home, "trap").fails(1, &["the plugin crashed in report"]);
    }
    attack(&home, "none").well();
    for _ in 0..3 {
        attack(&home, "trap").fails(1, &["the plugin crashed in report"]);
    }
    let paused = [
        "pauses until",
        "crashed in 3 runs in a row",
        "the plugin crashed in report",
        "entente integration resume evil",
    ];
    attack(&home, "none").fails(1, &paused);
    home.run(&["integration", "list"]).well().says(&["pauses until"]);
    home.run(&["status"])
        .well()
        .says(&["evil pauses until", "or let evil run at once: entente integration resume evil"]);

    // Lets the pause expire, twice.
    let database =
        rusqlite::Connection::open(home.dir.path().join("home/tenants/default/entente.db")).unwrap();
    for _ in 0..2 {
        database.execute("UPDATE integration_health SET paused_until = 0", []).unwrap();
        attack(&home, "trap").fails(1, &["the plugin crashed in report"]);
    }
    let quarantined = [
        "is quarantined since",
        "crashed in 5 runs in a row",
        "integration resume evil",
        "integration rollback evil",
    ];
    attack(&home, "none").fails(1, &quarantined);
    assert!(
        home.run(&["integration", "list", "--json"]).well().json()[0]["health"]["quarantined"] != json!(null)
    );
    let status = home.run(&["status"]).well();
    let status = status.says(&[
        "evil is quarantined since",
        "next: let evil run again once its plugin is mended: entente integration resume evil",
    ]);
    assert!(!status.stdout.contains("then: entente sync"), "{status}");
    assert!(home.run(&["status", "--json"]).well().json()[0]["crashed"]["evil"]["quarantined"].is_string());
    home.run(&["doctor", "--offline"]).fails(1, &["something needs a look"]).says(&["is quarantined since"]);
    home.run(&["integration", "resume", "evil"]).well().says(&["evil may run again"]);
    attack(&home, "none").well();
}
