//! Tenant isolation: tenants share no data, are added and removed atomically, and have limits of their own.

use crate::support::guests;
use crate::world::{CANARY, Home, Output, World, contains, text};
use hello_crm::{Action, Object, Rule, SystemClock};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;

/// A delay that never ends by itself during a test.
const LONG: u64 = 3_600_000;

/// Runs a command for a tenant.
fn of(home: &Home, tenant: &str, args: &[&str]) -> Output {
    home.run(&[&["--tenant", tenant], args].concat())
}

/// Adds a tenant with the integration HelloWorld, to this CRM.
fn add(home: &Home, tenant: &str, url: &str, key: &str) {
    home.run(&["tenant", "add", tenant]).well();
    of(home, tenant, &["plugin", "install", &text(guests::hello_path())]).well();
    connect(home, tenant, url, key).well();
}

fn connect(home: &Home, tenant: &str, url: &str, key: &str) -> Output {
    let set = format!("url={url}");
    home.run_with(
        &[
            "--tenant",
            tenant,
            "integration",
            "add",
            "HelloWorld",
            "--set",
            &set,
            "--http",
            url,
            "--secret",
            "api-key",
        ],
        format!("{key}\n"),
    )
}

/// A CRM with one person of this name.
fn crm(name: &str) -> World {
    let world =
        World::unconnected(Home::with_plugin(), hello_crm::seed::Seed::default(), Arc::new(SystemClock));
    let person = world
        .crm
        .create(Object::Person, json!({ "last_name": name, "email": format!("{name}@example.org") }));
    assert_eq!(person.status, 201, "{person:?}");
    world
}

fn last_names(home: &Home, tenant: &str) -> Vec<String> {
    let list = of(home, tenant, &["record", "export", "contact", "--json"]).well();
    let name = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let fields = record["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["name"] == "last_name").unwrap();
        field["value"].as_str().unwrap_or_default().to_owned()
    };
    list.stdout.lines().map(name).collect()
}

/// Begins a sync whose request the CRM delays.
fn begin_long_run(world: &World) -> Child {
    world.crm.add_fault(Rule::new(Action::Delay { delay_ms: LONG }).path("/").times(None));
    let mut child = world
        .command(&["sync", "HelloWorld"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while world.crm.faults()[0].struck == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The run completed and wrote to neither side.
#[track_caller]
fn has_nothing_to_do(output: &Output) {
    assert!([0, 3].contains(&output.code), "{output}");
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (0, 0), "{output}");
}

fn database(home: &Home, tenant: &str) -> PathBuf {
    home.path().join("tenants").join(tenant).join("entente.db")
}

#[test]
fn tenants_with_the_same_names_see_nothing_of_each_other() {
    let (acme, globex) = (crm("anna-of-acme"), crm("gustav-of-globex"));
    let home = &acme.home;
    add(home, "acme", &acme.url, CANARY);
    add(home, "globex", &globex.url, CANARY);
    let both =
        ["acme", "globex"].map(|tenant| home.command(&["--tenant", tenant, "sync", "HelloWorld"]).output());
    assert!(both.iter().all(|output| output.as_ref().unwrap().status.success()), "{both:?}");
    assert_eq!(last_names(home, "acme"), ["anna-of-acme"]);
    assert_eq!(last_names(home, "globex"), ["gustav-of-globex"]);

    // Run and record numbers are per tenant; so are names and settings.
    for tenant in ["acme", "globex"] {
        let runs = of(home, tenant, &["run", "list", "--json"]).well().json()["rows"].clone();
        assert_eq!((runs.as_array().unwrap().len(), &runs[0]["run"]), (1, &json!(1)), "{runs}");
        of(home, tenant, &["sync", "HelloWorld", "--json"]).well();
    }
    assert_eq!(
        home.run(&["run", "list", "--json"]).well().json()["total"],
        json!(0),
        "of the tenant default"
    );
    for list in [&["integration", "list", "--json"], &["status", "--json"][..]] {
        assert_eq!(home.run(list).well().json(), json!([]), "of the tenant default");
    }
    for (tenant, foreign) in [("acme", "gustav-of-globex"), ("globex", "anna-of-acme")] {
        let folder = home.path().join("tenants").join(tenant);
        for (path, bytes) in home.files().iter().filter(|(path, _)| path.starts_with(&folder)) {
            assert!(!contains(bytes, foreign.as_bytes()), "{}", path.display());
        }
    }
    for (world, own) in [(&acme, "anna-of-acme"), (&globex, "gustav-of-globex")] {
        let people: Vec<Value> = world
            .crm
            .records(Object::Person)
            .iter()
            .map(|person| person.fields["last_name"].clone())
            .collect();
        assert_eq!(people, [json!(own)]);
    }

    // A secret cannot be decrypted for another tenant, even under the same names.
    home.run(&["tenant", "add", "initech"]).well();
    of(home, "initech", &["plugin", "install", &text(guests::hello_path())]).well();
    connect(home, "initech", &acme.url, "a-wrong-key").fails(1, &["could not"]);
    of(home, "acme", &["sync", "HelloWorld"]).well();
    home.keeps_the_key_secret();

    let listed = home.run(&["tenant", "list", "--json"]).well().json();
    let shown = |n: usize| {
        (listed[n]["tenant"].clone(), listed[n]["integrations"].clone(), listed[n]["records"].clone())
    };
    assert_eq!(shown(0), (json!("default"), json!([]), json!(0)));
    assert_eq!(shown(1), (json!("acme"), json!(["HelloWorld"]), json!(1)));
    assert_eq!(
        (&listed[1]["pairs"], &listed[1]["last_run"]["status"]),
        (&json!(1), &json!("done")),
        "{listed}"
    );
    assert!(listed[1]["bytes"].as_u64().unwrap() > 10_000, "{listed}");
    home.run(&["tenant", "list"]).well().says(&["globex", "HelloWorld done"]);
}

#[test]
fn a_tenant_that_was_not_added_is_refused_everywhere() {
    let home = Home::with_plugin();
    for args in [
        &["record", "list", "contact"][..],
        &["sync", "HelloWorld"],
        &["status"],
        &["integration", "list"],
        &["tenant", "limits"],
        &["export"],
    ] {
        of(&home, "acme", args).fails(1, &["unknown tenant 'acme'", "entente tenant add acme"]);
    }
    let output = home.command(&["status"]).env("ENTENTE_TENANT", "acme").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(" tenant add acme"));
    for args in
        [&["tenant", "export", "acme", "--output", "x.tar"][..], &["tenant", "remove", "acme", "--yes"]]
    {
        home.run(args).fails(1, &["unknown tenant 'acme'"]);
    }
    of(&home, "../acme", &["status"]).fails(1, &["cannot be the name of a tenant"]);
    assert!(!home.path().join("tenants/acme").exists());

    home.run(&["tenant", "add", "acme"]).well().says(&["--tenant acme", "ENTENTE_TENANT=acme"]);
    home.run(&["tenant", "add", "acme"]).fails(1, &["already exists"]);
    home.run(&["tenant", "add", "default"]).fails(1, &["already exists"]);
    of(&home, "acme", &["status"]).well();
    // The option takes precedence over the variable.
    let output =
        home.command(&["status", "--tenant", "default"]).env("ENTENTE_TENANT", "nobody").output().unwrap();
    assert!(output.status.success());
    of(&home, "acme", &["doctor", "--offline"]).well();

    // A tenant that cannot be opened hides no other, and keeps components that it may use.
    home.run(&["tenant", "add", "broken"]).well();
    std::fs::write(database(&home, "broken"), "no database").unwrap();
    home.run(&["tenant", "list"]).well().says(&["acme", "cannot be opened: the database"]);
    let removed = home.run(&["tenant", "remove", "acme", "--yes"]).well();
    assert!(removed.stderr.contains("warning: components that may be of no more use were left"), "{removed}");
    home.run(&["tenant", "remove", "broken", "--yes"]).well();
    assert_eq!(home.run(&["tenant", "list", "--json"]).well().json().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_tenant_goes_into_a_file_and_comes_back() {
    let world = World::with_sample(12);
    world.sync(&[]);
    let file = text(&world.dir.path().join("default.tar"));
    let list = world.run(&["tenant", "export", "default", "--output", &file, "--json"]).well().json();
    assert_eq!((&list["tenant"], &list["secrets"]), (&json!("default"), &json!(1)), "{list}");
    let paths: Vec<&str> = list["contents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|content| content["path"].as_str().unwrap())
        .collect();
    assert_eq!((paths.len(), paths[0], paths[2]), (3, "entente.toml", "entente.db"), "{paths:?}");
    world
        .run(&["tenant", "export", "default", "--output", &file])
        .fails(1, &["there is a file of this name"]);

    // The file contains neither the secret nor its key, and says where the key is.
    let bytes = std::fs::read(&file).unwrap();
    let key = std::fs::read_to_string(world.path().join("secret.key")).unwrap();
    for never in [CANARY, key.trim()] {
        assert!(!contains(&bytes, never.as_bytes()));
    }
    assert!(contains(&bytes, b"which is not in this archive") && contains(&bytes, b"[sync.HelloWorld]"));

    // Restored under another name in the same home, with its secret: the sync finds nothing to do.
    world.run(&["tenant", "add", "copy", "--from", &file]).well().says(&["exported as default", "1 secrets"]);
    has_nothing_to_do(&of(&world, "copy", &["sync", "HelloWorld", "--json"]));
    let records = |home: &Home, tenant: &str| {
        of(home, tenant, &["record", "export", "contact", "--json"]).well().stdout
    };
    assert_eq!(records(&world, "copy"), records(&world, "default"));
    assert_eq!(of(&world, "copy", &["export"]).well().stdout, world.run(&["export"]).well().stdout);
    world.run(&["tenant", "add", "copy", "--from", &file]).fails(1, &["already exists"]);

    // In another home the key is missing or different; a failed restore leaves nothing behind.
    let elsewhere = Home::new();
    let add = ["tenant", "add", "acme", "--from", &file];
    elsewhere
        .run(&add)
        .fails(1, &["its secrets cannot be opened", "is missing", "ENTENTE_KEY", "--without-secrets"]);
    let output = elsewhere.command(&add).env("ENTENTE_KEY", "00".repeat(32)).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("ENTENTE_KEY is 19628099288f") && said.contains("--without-secrets"), "{said}");
    assert_eq!(std::fs::read_dir(elsewhere.path().join("tenants")).unwrap().count(), 0);
    let output = elsewhere.command(&add).env("ENTENTE_KEY", key.trim()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut sync = elsewhere.command(&["--tenant", "acme", "sync", "HelloWorld", "--json"]);
    let output = sync.env("ENTENTE_KEY", key.trim()).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");

    // If the key is lost, secrets are set again.
    elsewhere
        .run(&["tenant", "add", "globex", "--from", &file, "--without-secrets"])
        .well()
        .says(&["set again: entente --tenant globex integration set HelloWorld --secret api-key"]);
    of(&elsewhere, "globex", &["sync", "HelloWorld"]).exits(1);
    let set = ["--tenant", "globex", "integration", "set", "HelloWorld", "--secret", "api-key"];
    elsewhere.run_with(&set, format!("{CANARY}\n")).well();
    has_nothing_to_do(&of(&elsewhere, "globex", &["sync", "HelloWorld", "--json"]));

    // A file that was changed in transit is refused.
    let mut changed = bytes.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let changed = world.file("changed.tar", changed);
    world.run(&["tenant", "add", "other", "--from", &changed]).fails(1, &["is not what was exported"]);
    world
        .run(&["tenant", "add", "other", "--from", &text(guests::hello_path())])
        .fails(1, &["is no export of a tenant"]);
    assert!(!world.path().join("tenants/other").exists());
    world.keeps_the_key_secret();
}

#[test]
fn a_run_under_way_is_in_the_export_as_interrupted_and_keeps_its_tenant_from_being_removed() {
    let world = World::with_sample(5);
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    let run = begin_long_run(&world);
    let file = text(&world.dir.path().join("running.tar"));
    world.run(&["tenant", "export", "default", "--output", &file]).well();
    world
        .run(&["tenant", "remove", "default", "--yes"])
        .fails(1, &["the tenant 'default' has a run under way"]);
    assert_eq!(world.run(&["run", "list", "--json"]).well().json()["rows"][0]["status"], json!("running"));
    world.run(&["tenant", "add", "copy", "--from", &file]).well();
    assert_eq!(
        of(&world, "copy", &["run", "list", "--json"]).well().json()["rows"][0]["status"],
        json!("interrupted")
    );
    kill(run);
    world.crm.set_faults(vec![]);
    of(&world, "copy", &["sync", "HelloWorld"]).well();
    world.run(&["tenant", "remove", "default", "--yes"]).well();
}

#[test]
fn nothing_of_a_removed_tenant_stays() {
    const TENANT: &str = "gone-q7x";
    const MARKER: &str = "marker-5d1f7c-of-the-tenant";
    let world = World::with_sample(5);
    world.sync(&[]).well();
    let home = &world.home;
    add(home, TENANT, &world.url, CANARY);
    // A plugin that no other tenant uses, a record, a setting, a run, and a killed run.
    of(home, TENANT, &["plugin", "install", &text(guests::hostile_path()), "--name", "hostile"]).well();
    of(home, TENANT, &["record", "set", "contact", &format!("last_name={MARKER}")]).well();
    of(home, TENANT, &["integration", "set", "HelloWorld", "--set", &format!("note={MARKER}")]).well();
    of(home, TENANT, &["sync", "HelloWorld", "--disable-push"]);
    world.crm.add_fault(Rule::new(Action::Delay { delay_ms: LONG }).path("/").times(None));
    let mut child = home.command(&["--tenant", TENANT, "sync", "HelloWorld"]);
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.crm.faults()[0].struck == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    kill(child);
    world.crm.set_faults(vec![]);

    let holds = |what: &[u8]| {
        let files = home.files().into_iter().filter(|(path, bytes)| {
            contains(bytes, what) || contains(path.as_os_str().as_encoded_bytes(), what)
        });
        files.map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert!(!holds(MARKER.as_bytes()).is_empty());
    let digest = |name: &str| {
        let plugins = of(home, TENANT, &["plugin", "list", "--json"]).well().json();
        let plugin =
            plugins.as_array().unwrap().iter().find(|plugin| plugin["name"] == name).unwrap().clone();
        plugin["digest"].as_str().unwrap().to_owned()
    };
    let (hostile, hello) = (digest("hostile"), digest("helloworld"));
    assert_eq!(
        holds(hostile.as_bytes())
            .iter()
            .filter(|path| !path.starts_with(home.path().join("tenants")))
            .count(),
        2,
        "component and code"
    );

    home.run(&["tenant", "remove", TENANT]).fails(2, &["no terminal", "tenant remove gone-q7x --yes"]);
    home.run(&["tenant", "remove", TENANT, "--yes"]).well().says(&["removed gone-q7x, and 1 components"]);
    assert_eq!(holds(MARKER.as_bytes()), Vec::<PathBuf>::new());
    assert_eq!(holds(hostile.as_bytes()), Vec::<PathBuf>::new());
    assert_eq!(holds(TENANT.as_bytes()), Vec::<PathBuf>::new());
    assert!(!holds(hello.as_bytes()).is_empty(), "the tenant default uses it");
    home.run(&["tenant", "remove", TENANT, "--yes"]).fails(1, &["unknown tenant"]);
    world.is_quiet();

    // `default` can be emptied and filled again.
    let file = text(&world.dir.path().join("default.tar"));
    home.run(&["tenant", "export", "default", "--output", &file]).well();
    home.run(&["tenant", "remove", "default", "--yes"]).well().says(&["emptied default"]);
    assert!(!database(home, "default").exists());
    assert_eq!(holds(hello.as_bytes()).len(), 1, "only the export has it");
    assert!(
        home.run(&["record", "list", "contact", "--json"]).well().json()["rows"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    home.run(&["tenant", "remove", "default", "--yes"]).well();
    home.run(&["tenant", "add", "default", "--from", &file]).well();
    world.is_quiet();
}

#[test]
fn a_limit_holds_for_its_tenant_only_and_its_error_says_how_to_raise_it() {
    let world = World::with_sample(5);
    let home = &world.home;
    add(home, "acme", &world.url, CANARY);
    home.run(&["tenant", "set", "acme", "--limit", "memory-bytes=64KiB"])
        .well()
        .says(&["memory-bytes: 64 KiB (default 128 MiB)"]);
    let mut output =
        of(home, "acme", &["sync", "HelloWorld"]).fails(1, &["limit memory-bytes of 64 KiB reached"]);
    world.sync(&[]).well();
    // Follows the remedy of each error until the command succeeds.
    let mut tries = 0;
    while output.code == 1 {
        let (_, rest) =
            output.stderr.split_once("allow more: entente ").unwrap_or_else(|| panic!("{output}"));
        let (command, _) = rest.split_once('\n').unwrap_or_else(|| panic!("{output}"));
        assert!(command.starts_with("tenant set acme --limit memory-bytes="), "{output}");
        home.run(&command.split(' ').collect::<Vec<_>>()).well();
        output = of(home, "acme", &["sync", "HelloWorld"]);
        tries += 1;
        assert!(tries < 10, "{output}");
    }
    output.well();

    let limits = home.run(&["tenant", "limits", "acme", "--json"]).well().json();
    let limit =
        |name: &str| limits.as_array().unwrap().iter().find(|limit| limit["name"] == name).unwrap().clone();
    assert_eq!(limit("memory-bytes")["set"], json!(true));
    let runs = limit("runs-at-once");
    assert_eq!((&runs["value"], &runs["unit"], &runs["set"]), (&json!(4), &json!("count"), &json!(false)));
    of(home, "acme", &["tenant", "limits"]).well().says(&[
        "memory-bytes",
        "(set)",
        "tenant set acme --limit",
    ]);
    assert!(!home.run(&["tenant", "limits"]).well().stdout.contains("(set)"));
    of(home, "acme", &["tenant", "limits", "--used"]).well().says(&[
        "runs-at-once",
        "in all processes",
        "0 bytes (0 bytes by the host)",
        "in this process",
    ]);
    home.run(&["tenant", "set", "acme", "--unset", "memory-bytes"])
        .well()
        .says(&["all limits of acme are the defaults"]);
    home.run(&["tenant", "set", "acme", "--limit", "memory=1"])
        .fails(1, &["there is no limit 'memory'", "entente tenant limits"]);
    home.run(&["tenant", "set", "acme", "--limit", "cpu-time"]).fails(2, &["LIMIT=VALUE"]);
    home.run(&["tenant", "set", "acme"]).exits(2);
}

#[test]
fn more_runs_than_a_tenant_may_have_are_refused_or_wait() {
    let world = World::with_sample(5);
    add(&world.home, "acme", &world.url, CANARY);
    world.run(&["tenant", "set", "default", "--limit", "runs-at-once=1"]).well();
    let first = begin_long_run(&world);
    let refused = ["limit runs-at-once of 1 reached", "entente tenant set default --limit runs-at-once=2"];
    world.run(&["sync", "HelloWorld"]).fails(1, &refused);
    let waiting = world
        .command(&["sync", "HelloWorld", "--wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    world.crm.set_faults(vec![]);
    of(&world, "acme", &["sync", "HelloWorld"]).well();
    kill(first);
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
