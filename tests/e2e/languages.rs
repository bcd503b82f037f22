//! Plugins in Python and JavaScript, built by `entente plugin build` and synced both ways; and what else it makes components of.
//!
//! The tools of these languages are looked for in `.tools` (`./check tests` installs them there) and on the PATH. Where they are not to be
//! had the tests say so on standard error, and pass.

use crate::world::{CANARY, Home, World, agree, moment, root, text};
use hello_crm::{Action, DropWhen, ManualClock, Object, RateLimit, Rule};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A copy of a plugin's source in a folder of its own.
fn copy_of(name: &str, home: &Home) -> PathBuf {
    let (from, to) = (root().join("plugins").join(name), home.dir.path().join(name));
    copy(&from, &to);
    to
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_file() {
            std::fs::copy(path, to.join(name)).unwrap();
        } else if name != "target" && name != "node_modules" && name != ".venv" {
            copy(&path, &to.join(name));
        }
    }
}

/// The PATH, with the folder of the tools in front.
fn path_with_tools() -> std::ffi::OsString {
    let before = std::env::var_os("PATH").unwrap_or_default();
    let tools = std::iter::once(root().join(".tools/python/bin"));
    std::env::join_paths(tools.chain(std::env::split_paths(&before))).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    JavaScript,
}

impl Language {
    /// A home with the plugin in the place of HelloWorld; `None` where its tool is not there.
    fn home(self) -> Option<Home> {
        static PYTHON: OnceLock<Option<Home>> = OnceLock::new();
        static JAVASCRIPT: OnceLock<Option<Home>> = OnceLock::new();
        let made = match self {
            Self::Python => PYTHON.get_or_init(|| installed("hello-python")),
            Self::JavaScript => JAVASCRIPT.get_or_init(|| installed("hello-javascript")),
        };
        made.as_ref().map(Home::copy)
    }

    /// A world without records in 2020, with a clock that is moved by hand.
    fn world(self) -> Option<World> {
        let clock = Arc::new(ManualClock::new(moment("2020-01-01T00:00:00Z")));
        Some(World::with(self.home()?, hello_crm::seed::Seed::default(), clock))
    }
}

fn installed(name: &str) -> Option<Home> {
    let home = Home::new();
    let source = copy_of(name, &home);
    let modules = root().join(".tools/node/node_modules");
    if modules.is_dir() {
        std::os::unix::fs::symlink(modules, source.join("node_modules")).unwrap();
    }
    let mut command = home.command(&["plugin", "build", &text(&source), "--json"]);
    let output = command.env("PATH", path_with_tools()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("is not installed: ") {
        eprintln!("left out: plugins/{name} was not built and not tried. {said}");
        return None;
    }
    assert!(output.status.success(), "{said}");
    let built: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&built["package"], &built["version"]), (&json!(name), &json!("0.1.0")));
    let component = source.join("target/components").join(format!("{name}.wasm"));
    assert_eq!(built["component"].as_str(), component.canonicalize().unwrap().to_str());
    home.run(&["plugin", "install", &text(&component), "--name", "helloworld"]).well().says(&[
        &format!("{name} 0.1.0: "),
        "it can look records up by identifiers",
        "it uses the secrets that you grant",
    ]);
    // The adapter of both is written in Rust, the plugin is not.
    let inspected = home.run(&["plugin", "inspect", &text(&component), "--json"]).well().json();
    let language = &inspected["producers"]["language"];
    assert!(language.is_null() || *language == json!(["JavaScript"]), "{inspected}");
    Some(home)
}

/// Creations and edits on both sides, conflicts, references and sets.
fn edits_go_both_ways(language: Language) {
    let Some(world) = language.world() else { return };
    world
        .import("First name,Last name,E-mail,City,Company,Changed\nAda,Ek,ada@ek.example,Umeå,Fjord AB,2020-02-01T00:00:00Z\n")
        .well();
    let bo = world.make_person(
        "2020-01-02T03:04:05.000678Z",
        json!({ "first_name": "Bo", "last_name": "Holm", "email": "bo@holm.example", "score": 7, "tags": ["a", "b"] }),
    );
    world.sync(&[]).well();
    agree(&world);
    let contact = world.find("contact", "email", "bo@holm.example");
    assert_eq!((&contact.fields["points"], &contact.fields["tags"]), (&json!(7), &json!(["a", "b"])));
    let ada = world.person("ada@ek.example");
    assert!(ada.fields["organisation"].is_string(), "{ada:?}");
    world.is_quiet();

    // Of two fields both edits stay, of one the later one.
    world.edit_person(
        "2020-03-01T00:00:00Z",
        &bo,
        json!({ "city": "Kiruna", "phone": "+46 1", "score": null }),
    );
    world.run(&["record", "set", &format!("contact:{}", contact.id), "city=Visby", "mobile=+46 2"]).well();
    world.sync(&[]).well();
    let (hub, crm) = (world.find("contact", "email", "bo@holm.example"), world.person("bo@holm.example"));
    assert_eq!((hub.text("city"), hub.text("phone"), hub.text("mobile")), ("Visby", "+46 1", "+46 2"));
    assert_eq!((&crm.fields["city"], &crm.fields["mobile"]), (&json!("Visby"), &json!("+46 2")));
    assert!(hub.fields.get("points").is_none_or(serde_json::Value::is_null), "{hub:?}");
    world.is_quiet();
    world.keeps_the_key_secret();
}

/// Pages, and a full listing.
fn many_records_come_in_pages(language: Language) {
    let Some(home) = language.home() else { return };
    let world = World::with(home, hello_crm::seed::sample(450), Arc::new(hello_crm::SystemClock));
    let first = world.sync(&[]);
    assert!([0, 3].contains(&first.code), "{first}");
    assert!(world.crm.request_count("GET", "/persons") > 2, "more than a page");
    agree(&world);
    let full = world.sync(&["--full"]);
    assert_eq!((full.written("hub"), full.written("HelloWorld")), (0, 0), "{full}");
    // What was given so far is no longer valid: the object is listed again.
    world.crm.expire_sync_tokens();
    let again = world.sync(&[]);
    assert_eq!(
        (again.code, again.written("hub"), again.written("HelloWorld")),
        (first.code, 0, 0),
        "{again}"
    );
}

fn deletions_and_merges_arrive(language: Language) {
    let Some(world) = language.world() else { return };
    let config = "[sync.HelloWorld]\nmapping = \"default\"\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\ndeletes = \"delete\"\n";
    world.run(&["apply", &world.file("entente.toml", config)]).well();
    let people = ["one", "two", "three", "four"].map(|name| {
        world.make_person(
            "2020-01-01T12:00:00Z",
            json!({ "last_name": name, "email": format!("{name}@crm.example") }),
        )
    });
    world.sync(&[]).well();
    assert_eq!(world.crm.delete(Object::Person, &people[0]).status, 204);
    let two = world.find("contact", "email", "two@crm.example").id;
    world.run(&["record", "delete", &format!("contact:{two}")]).well();
    assert_eq!(world.crm.merge(Object::Person, &people[2], &people[3]).status, 200);
    world.sync(&["--lift-brake"]);
    let left: Vec<String> =
        world.crm.records(Object::Person).iter().map(|person| person.id.clone()).collect();
    assert_eq!(left, [people[3].clone()]);
    let emails: Vec<String> =
        world.records("contact").iter().map(|contact| contact.text("email").to_owned()).collect();
    assert!(!emails.contains(&"one@crm.example".to_owned()), "{emails:?}");
    assert!(emails.contains(&"four@crm.example".to_owned()), "{emails:?}");
    world.is_quiet();
}

/// A field that the remote system names is left out of its record; where that cannot be done (the record is recognised by it) the record
/// waits. The others are made all the same.
fn what_is_refused_is_told_and_everything_else_is_made(language: Language) {
    let Some(world) = language.world() else { return };
    for (name, email, website) in [
        ("Good", "good@example.org", "https://x.example"),
        ("Part", "part@example.org", "gopher://x.example"),
        ("Bad", "\"ba,d\"@example.org", "https://x.example"),
    ] {
        let fields = [format!("last_name={name}"), format!("email={email}"), format!("website={website}")];
        world.run(&["record", "set", "contact", &fields[0], &fields[1], &fields[2]]).well();
    }
    let output = world.sync(&[]).exits(3);
    let counts = output.counts("HelloWorld", "person");
    assert_eq!((&counts["created"], &counts["failed"]), (&json!(2), &json!(1)), "{output}");
    assert!(counts["reasons"].to_string().contains("email"), "{output}");
    assert_eq!(world.person("good@example.org").fields["website"], json!("https://x.example"));
    assert_eq!(world.person("part@example.org").fields["website"], json!(null));
    world.run(&["status", "HelloWorld", "--differing"]).says(&["gopher://x.example", "refused it"]);

    let part = world.find("contact", "last_name", "Part").id;
    world.run(&["record", "set", &format!("contact:{part}"), "website=https://y.example"]).well();
    let bad = world.find("contact", "last_name", "Bad").id;
    world.run(&["record", "set", &format!("contact:{bad}"), "email=bad@example.org"]).well();
    world.sync(&[]).well();
    assert_eq!(world.person("part@example.org").fields["website"], json!("https://y.example"));
    world.person("bad@example.org");
    world.is_quiet();
}

fn a_wrong_key_and_a_remote_that_is_down_are_told(language: Language) {
    let Some(mut world) = language.world() else { return };
    world.make_person("2020-01-01T12:00:00Z", json!({ "last_name": "Ek", "email": "ek@example.org" }));
    let set_key = ["integration", "set", "HelloWorld", "--secret", "api-key"];
    world.run_with(&set_key, format!("{CANARY}-and-wrong\n")).well();
    let refused = "HelloWorld could not describe its objects: unauthorized";
    let set = "\"command\": \"entente integration set HelloWorld --secret api-key\"";
    let told = world.sync(&[]);
    assert!(told.stderr.contains(set), "{told}");
    told.fails(1, &[refused]);
    world.run_with(&set_key, format!("{CANARY}\n")).well();
    world.sync(&[]).well();
    assert_eq!(world.records("contact").len(), 1);
    world.stop_crm();
    world.sync(&[]).fails(1, &["HelloWorld could not describe its objects: unavailable"]);
}

/// A1: nobody is made twice by an order that is turned away in the middle. Nothing could find them again: they have no e-mail address.
fn a1_a_remote_that_answers_429_in_the_middle_gets_twelve_people(language: Language) {
    let Some(world) = language.world() else { return };
    for n in 0..12 {
        world.run(&["record", "set", "contact", &format!("last_name=Person {n}")]).well();
    }
    let slow = || Action::RateLimited { rate_limit: RateLimit { retry_after: 1 } };
    let order = || Rule::new(slow()).method("POST").path("/persons");
    // In Python, which sends change by change: the fifth, the one after it, and two more later. A look-up is none.
    world.crm.set_faults(vec![order().after(4).times(2), order().after(9).times(1)]);
    let output = world.sync(&[]).well();
    assert_eq!(world.crm.count(Object::Person), 12, "{output}");
    assert_eq!(output.counts("HelloWorld", "person")["created"], json!(12), "{output}");
    if matches!(language, Language::Python) {
        assert!(world.crm.faults().iter().all(|rule| rule.struck > 0), "{:?}", world.crm.faults());
    }
    world.is_quiet();
}

fn an_answer_that_got_lost_makes_nobody_twice(language: Language) {
    let Some(world) = language.world() else { return };
    for n in 0..6 {
        let email = format!("email=p{n}@example.org");
        world.run(&["record", "set", "contact", &format!("last_name=Person {n}"), &email]).well();
    }
    let lost = Rule::new(Action::Drop { drop: DropWhen::After }).method("POST").path("/persons");
    // In Python the first POST is a look-up already; the rule strikes a while later.
    world.crm.set_faults(vec![lost.after(if matches!(language, Language::Python) { 2 } else { 0 }).times(1)]);
    for _ in 0..3 {
        world.sync(&[]);
    }
    assert_eq!(world.crm.faults()[0].struck, 1);
    agree(&world);
    assert_eq!(world.crm.count(Object::Person), 6);
    world.is_quiet();
}

/// A5, A6: what is wrong in the code is told with its place.
fn a6_a_mistake_in_the_code_is_told_with_its_place(language: Language) {
    let Some(world) = language.world() else { return };
    let body = Some(json!({ "objects": [{ "name": "person", "label": "Person" }] }));
    world.crm.set_faults(vec![Rule::new(Action::Status { status: 200, body }).path("/schema").times(None)]);
    let place = match language {
        Language::Python => ["KeyError: 'fields'", "app.py"],
        Language::JavaScript => ["fields is undefined", "index.js"],
    };
    world.sync(&[]).fails(1, &["HelloWorld could not describe its objects: plugin-failed"]).fails(1, &place);
}

macro_rules! in_both {
    ($($test:ident),* $(,)?) => {
        mod python { $(#[test] fn $test() { super::$test(super::Language::Python) })* }
        mod javascript { $(#[test] fn $test() { super::$test(super::Language::JavaScript) })* }
    };
}

in_both! {
    edits_go_both_ways,
    many_records_come_in_pages,
    deletions_and_merges_arrive,
    what_is_refused_is_told_and_everything_else_is_made,
    a_wrong_key_and_a_remote_that_is_down_are_told,
    a1_a_remote_that_answers_429_in_the_middle_gets_twelve_people,
    an_answer_that_got_lost_makes_nobody_twice,
    a6_a_mistake_in_the_code_is_told_with_its_place,
}

#[test]
fn a_tool_that_is_not_there_is_named_with_the_commands_that_install_it() {
    let home = Home::new();
    for (name, parts) in [
        (
            "hello-python",
            ["componentize-py is not installed", "python3 -m venv .venv", "pip install componentize-py=="],
        ),
        (
            "hello-javascript",
            [
                "node is not installed",
                "Node.js 20",
                "npm install --save-dev @bytecodealliance/componentize-js@",
            ],
        ),
    ] {
        let source = copy_of(name, &home);
        let mut command = home.command(&["plugin", "build", &text(&source)]);
        let output = command.env("PATH", home.dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
    let empty = home.dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    home.run(&["plugin", "build", &text(&empty)]).fails(1, &["Cargo.toml", "package.json", "app.py"]);
}

/// A4: the SDK, the interface and the profile come from the program.
#[test]
fn a4_a_copy_of_helloworld_elsewhere_is_built_and_works() {
    let home = Home::new();
    let source = copy_of("helloworld", &home);
    home.run(&["plugin", "build", &text(&source)]).well().says(&["helloworld 0.1.0 built with"]);
    // Its tests find the SDK that came with the program, by the words of the README.
    let mut cargo = std::process::Command::new("cargo");
    cargo.args(["test", "--quiet"]).current_dir(&source);
    for (name, _) in std::env::vars_os() {
        // An outer build is none of its business.
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            cargo.env_remove(name);
        }
    }
    let tested = cargo.output().unwrap();
    let said =
        String::from_utf8_lossy(&tested.stdout).into_owned() + &String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success() && said.contains("test result: ok"), "{said}");
    let component = source.join("target/components/helloworld.wasm");
    let beside = std::fs::metadata(crate::support::guests::hello_path()).unwrap().len();
    let built = std::fs::metadata(&component).unwrap().len();
    assert!(built.abs_diff(beside) < beside / 20, "{built} bytes, and {beside} in its own workspace");
    home.run(&["plugin", "install", &text(&component)]).well();
    let clock = Arc::new(ManualClock::new(moment("2020-01-01T00:00:00Z")));
    let world = World::with(home, hello_crm::seed::Seed::default(), clock);
    world.make_person("2020-01-01T12:00:00Z", json!({ "last_name": "Ek", "email": "ek@example.org" }));
    world.sync(&[]).well();
    assert_eq!(world.records("contact").len(), 1);
    world.is_quiet();
}

/// A7: a core module becomes a component, with the adapter for WASI before components.
#[test]
fn a7_a_core_module_of_another_tool_chain_becomes_a_component() {
    let home = Home::new();
    let module = crate::support::handmade::Handmade {
        imports: r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#,
        ..Default::default()
    }
    .module();
    let file = home.file("mail.wasm", module);
    home.run(&["plugin", "build", &file]).fails(1, &["plugin.toml cannot be read", "--manifest"]);
    let manifest = home.file("asks.toml", "description = \"by hand\"\n");
    let output = home.run(&["plugin", "build", &file, "--manifest", &manifest]).well();
    let component = text(&home.dir.path().join("components/mail.wasm"));
    output.says(&[&component, "mail : by hand", "world integration", "it asks for: nothing"]);
    home.run(&["plugin", "install", &component]).well();
    // What is a component already gets its manifest.
    home.file("plugin.toml", "name = \"post\"\nversion = \"2\"\n");
    // What is no file is left as it is, and a link leads to the file.
    let socket = home.dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for from in [&component, &text(&root().join("plugins/helloworld"))] {
        home.run(&["plugin", "build", from, "--manifest", &manifest, "--output", &text(&socket)])
            .fails(1, &["socket cannot be written: it is a pipe or a device", "name a file"]);
    }
    assert!(!std::fs::metadata(&socket).unwrap().is_file());
    let (link, there) = (home.dir.path().join("link.wasm"), home.file("there.wasm", ""));
    std::os::unix::fs::symlink(&there, &link).unwrap();
    home.run(&["plugin", "build", &component, "--manifest", &manifest, "--output", &text(&link)]).well();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::metadata(&there).unwrap().len() > 0);
    home.run(&["plugin", "build", &component, "--manifest", &text(&home.dir.path().join("plugin.toml"))])
        .well()
        .says(&["components/components/mail.wasm", "post 2: "]);
    let bare = home.file("bare.wasm", b"\0asm\x01\0\0\0");
    home.run(&["plugin", "build", &bare])
        .fails(1, &["does not say which world", "wasm-tools component embed"]);
}
