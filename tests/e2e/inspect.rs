//! `plugin inspect` and `plugin install`: validation of files.

use crate::support::guests;
use crate::world::{Home, text};
use serde_json::json;

#[test]
fn a_component_is_described() {
    let home = Home::new();
    let path = text(guests::hello_path());
    home.run(&["plugin", "inspect", &path]).well().says(&[
        "a plugin for entente:integration@0.1.0-draft.2, world integration",
        "it asks for:",
        "it can look records up by identifiers",
    ]);
    let json = home.run(&["plugin", "inspect", &path, "--json"]).well().json();
    assert_eq!(
        (&json["version"], &json["lookup"], &json["webhook"]),
        (&json!("0.1.0-draft.2"), &json!(true), &json!(false))
    );
    assert!(json["asks"].as_array().is_some_and(|asks| !asks.is_empty()), "{json}");
    let json = home.run(&["plugin", "install", &path, "--json"]).well().json();
    let listed = home.run(&["plugin", "list", "--json"]).well().json();
    assert_eq!((&listed[0]["digest"], &listed[0]["name"]), (&json["digest"], &json!("helloworld")));
}

#[test]
fn files_that_are_no_plugins_are_told_apart_and_refused() {
    let home = Home::new();
    let component = guests::hello_component();
    let mut unknown = component.clone();
    let (ours, theirs) = (b"0.1.0-draft.2", b"9.9.9-draft.2");
    let mut patched = 0;
    for at in 0..unknown.len() - ours.len() {
        if &unknown[at..at + ours.len()] == ours {
            unknown[at..at + ours.len()].copy_from_slice(theirs);
            patched += 1;
        }
    }
    assert!(patched > 0);
    let cases: [(&str, &[u8], &[&str]); 7] = [
        ("text.wasm", b"this is no plugin at all\n", &["WebAssembly"]),
        ("empty.wasm", b"", &["empty"]),
        ("truncated.wasm", &component[..component.len() / 2], &["truncated.wasm"]),
        ("begun.wasm", &component[..9], &["begun.wasm"]),
        ("module.wasm", b"\0asm\x01\0\0\0", &["module", "component"]),
        ("bare.wasm", b"\0asm\x0d\0\x01\0", &["entente:integration"]),
        ("unknown.wasm", &unknown, &["9.9.9-draft.2", "0.1.0-draft.2"]),
    ];
    for (name, bytes, telling) in cases {
        let file = home.file(name, bytes);
        let inspected =
            home.run(&["plugin", "inspect", &file]).fails(1, telling).fails(1, &[name, "error: "]);
        assert_eq!(inspected.stdout, "");
        home.run(&["plugin", "install", &file]).fails(1, telling);
    }
    home.run(&["plugin", "inspect", "no-such-file.wasm"]).fails(1, &["no-such-file.wasm cannot be read"]);
    home.run(&["plugin", "inspect", "."]).fails(1, &[". cannot be read"]);
    home.run(&["plugin", "inspect"]).exits(2);
    assert_eq!(home.run(&["plugin", "list", "--json"]).well().json(), json!([]));
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_not_read_in_the_place_of_components_manifests_and_settings() {
    let home = Home::new();
    let pipe = text(&home.dir.path().join("pipe.wasm"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let module = home.file("module.wasm", b"\0asm\x01\0\0\0");
    for file in ["/dev/zero", pipe.as_str()] {
        for args in [
            &["plugin", "inspect", file][..],
            &["plugin", "install", file, "--name", "strange"],
            &["plugin", "build", &module, "--manifest", file],
            &["apply", file],
        ] {
            home.run(args).fails(1, &["cannot be read", "it is a pipe or a device; name a file"]);
        }
    }
    let settings = home.file("entente.toml", format!("[integration.evil]\nplugin = \"{pipe}\"\n"));
    home.run(&["apply", &settings]).fails(1, &["cannot be read", "it is a pipe or a device; name a file"]);
    assert_eq!(home.run(&["plugin", "list", "--json"]).well().json(), json!([]));
}
