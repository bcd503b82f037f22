//! Wrong usage, and remote systems that refuse or fail: exit codes, and errors with remedies.

use crate::world::{CANARY, Home, World, sample};
use hello_crm::{Action, Object, RateLimit, Rule, SystemClock};
use serde_json::json;
use std::sync::Arc;

#[test]
fn wrong_usage_is_told_before_anything_is_done() {
    let world = World::new();
    let before = world.crm.requests().len();
    let cases: [(&[&str], &[&str]); 10] = [
        (
            &["--start-datetime=some day"],
            &["--start-datetime: 'some day' is not a date", "2020-01-01 00:00:00"],
        ),
        (&["--end-datetime=2020-02-30 00:00:00"], &["--end-datetime: '2020-02-30 00:00:00' is not a date"]),
        (
            &["--start-datetime=2020-01-02 00:00:00", "--end-datetime=2020-01-01 00:00:00"],
            &["--end-datetime (2020-01-01T00:00:00Z) is not after --start-datetime (2020-01-02T00:00:00Z)"],
        ),
        (
            &["--start-datetime=2020-01-01 00:00:00", "--end-datetime=2020-01-01 00:00:00"],
            &["the window is empty"],
        ),
        (
            &["--start-datetime=2020-01-01 00:00:00", "--full"],
            &["a window and --first-time-sync or --full exclude each other"],
        ),
        (&["--object-id=contact:1", "--full"], &["exclude each other"]),
        (&["--object-id=contact"], &["--object-id: 'contact' is not of the form contact:12"]),
        (&["--option=segment"], &["--option: 'segment'"]),
        (&["--max-time=soon"], &["--max-time: 'soon' is no duration"]),
        (&["--no-such-option"], &["--no-such-option"]),
    ];
    for (options, telling) in cases {
        world.sync(options).fails(2, telling);
    }
    world.run(&["sync"]).exits(2);
    assert_eq!(world.crm.requests().len(), before);
    assert_eq!(world.run(&["run", "list", "--json"]).well().json()["rows"], json!([]));
}

#[test]
fn names_that_nobody_knows_are_told() {
    let world = World::new();
    world.run(&["sync", "HelloMars"]).fails(2, &["HelloMars", "HelloWorld"]);
    world.run(&["integration", "grant", "HelloMars"]).fails(1, &["HelloMars"]);
    world.run(&["integration", "set", "HelloMars", "--set", "a=b"]).fails(1, &["HelloMars"]);
    world.run(&["integration", "add", "HelloWorld"]).fails(1, &["HelloWorld"]);
    world
        .run(&["integration", "add", "Other", "--plugin", "absent"])
        .fails(1, &["unknown plugin 'absent'; there is: helloworld"]);
    world.run(&["integration", "add", "no name", "--plugin", "helloworld"]).fails(1, &["no name"]);
    world.run(&["run", "show", "99"]).fails(1, &["there is no run 99"]);
    world
        .run(&["record", "list", "martian"])
        .fails(1, &["the hub has no object 'martian'; it has", "contact"]);
    world.run(&["record", "show", "contact:99"]).fails(1, &["there is no contact 99"]);
    world
        .run(&["record", "show", "contact"])
        .fails(2, &["'contact' names no record; write for example contact:12"]);
    world.run(&["record", "set", "contact:99", "city=Umeå"]).fails(1, &["99"]);
    world
        .run(&["record", "set", "contact", "shoe_size=46"])
        .fails(1, &["contact has no field 'shoe_size'", "first_name"]);
    world.run(&["record", "set", "contact", "points=many"]).fails(1, &["points: 'many'"]);
    world.run(&["record", "set", "contact", "city"]).fails(2, &["'city' is not of the form FIELD=VALUE"]);
    assert!(world.records("contact").is_empty());
}

#[test]
fn k8_an_unknown_object_or_sync_is_wrong_usage_and_no_run() {
    let world = World::new();
    world.sync(&["--object-id=martian:1"]).fails(2, &["maps no object 'martian' of hub", "contact"]);
    world
        .sync(&["--integration-object-id=martian:1", "--dry-run"])
        .fails(2, &["maps no object 'martian' of HelloWorld", "person"]);
    world.run(&["sync", "HelloMars"]).fails(2, &["unknown sync 'HelloMars'; there is: HelloWorld"]);
    assert_eq!(world.run(&["run", "list", "--json"]).well().json()["rows"], json!([]));
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let home = Home::new();
    let text = |path: &std::path::Path| crate::world::text(path);
    home.run(&["record", "import", "contact", "missing.csv"]).fails(1, &["missing.csv cannot be read"]);
    home.run(&["record", "import", "contact", &text(home.dir.path())]).fails(1, &[&text(home.dir.path())]);
    let binary: Vec<u8> = (0..4000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let output =
        home.run(&["record", "import", "contact", &home.file("photo.csv", &binary)]).fails(1, &["photo.csv"]);
    assert!(output.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{output}");
    home.run(&["record", "import", "contact", &home.file("empty.csv", "")]).fails(1, &["empty.csv"]);
    home.run(&["record", "import", "martian", &sample("contacts.csv")]).fails(1, &["martian"]);
    home.run(&["record", "import", "contact", &home.file("other.csv", "Alpha,Beta\n1,2\n")])
        .fails(1, &["other.csv", "Alpha"]);
    home.run(&["apply", "missing.toml"]).fails(1, &["missing.toml cannot be read"]);
    home.run(&["apply", &home.file("broken.toml", "[integration.X\nplugin = 1\n")])
        .fails(1, &["broken.toml", "line 1"]);
    assert!(home.records("contact").is_empty());
}

#[test]
fn a_key_that_is_refused_is_told_and_shown_nowhere() {
    let world = World::with_sample(30);
    world
        .run_with(
            &["integration", "set", "HelloWorld", "--secret", "api-key"],
            format!("{CANARY}-and-wrong\n"),
        )
        .well();
    let (before, batches) = (world.everything(), world.crm.request_count("POST", ""));
    for verbose in ["-v", "-vv", "-vvv"] {
        let output = world
            .sync(&[verbose])
            .fails(1, &["HelloWorld could not describe its objects: unauthorized", "401"]);
        assert_eq!(output.json()["status"], json!("failed"), "{output}");
    }
    world.run(&["doctor"]).fails(1, &["something needs a look"]).says(&["unauthorized"]);
    world.run(&["run", "show", "1", "--json"]).well().says(&["unauthorized"]);
    assert!(world.everything() == before && world.crm.request_count("POST", "") == batches);
    world.keeps_the_key_secret();

    world
        .run_with(&["integration", "set", "HelloWorld", "--secret", "api-key"], format!("{CANARY}\n"))
        .well();
    for args in [
        &["sync", "HelloWorld", "-vvv"][..],
        &["sync", "HelloWorld", "--json", "-vvv"],
        &["doctor", "-vvv"],
        &["run", "show", "4", "--json"],
    ] {
        let output = world.run(args);
        assert!([0, 3].contains(&output.code), "{output}");
    }
    assert!(world.records("contact").len() >= 29);
    for args in [
        &["integration", "list", "--json"][..],
        &["integration", "list"],
        &["integration", "grant", "HelloWorld", "--json"],
    ] {
        world.run(args).well().says(&["api-key"]);
    }
    world.keeps_the_key_secret();
}

#[test]
fn a_key_that_may_only_read_fails_the_records_that_it_would_write() {
    let world = World::with_sample(5);
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    world.crm.add_fault(
        Rule::new(Action::Status {
            status: 403,
            body: Some(json!({ "error": { "code": "read-only-key", "message": "This key may only read.", "fields": [] } })),
        })
        .path("/batch")
        .times(None),
    );
    let output = world.sync(&[]);
    assert!([1, 3].contains(&output.code), "{output}");
    assert!(output.stdout.contains("This key may only read.") || output.stdout.contains("403"), "{output}");
    assert_eq!(output.written("HelloWorld"), 0);
    assert_eq!(world.crm.count(Object::Person), 5);
    world.crm.reset();
    let output = world.sync(&["--full"]);
    assert_eq!(world.crm.count(Object::Person), 6, "{output}");
}

#[test]
fn a_system_that_is_down_is_told() {
    let mut world = World::with_sample(5);
    world.stop_crm();
    let url = world.url.clone();
    world.sync(&[]).fails(
        1,
        &["HelloWorld could not describe its objects: unavailable", &url, "the connection was refused"],
    );
    world.run(&["doctor"]).fails(1, &["something needs a look"]).says(&["the connection was refused"]);
    world.run(&["doctor", "--offline"]).well();
    assert!(world.records("contact").is_empty());
    let home = Home::with_plugin();
    let set = format!("url={url}");
    home.run_with(
        &["integration", "add", "HelloWorld", "--set", &set, "--http", &url, "--secret", "api-key"],
        format!("{CANARY}\n"),
    )
    .fails(1, &["the connection was refused"]);
    assert_eq!(home.run(&["integration", "list", "--json"]).well().json(), json!([]), "nothing was saved");
}

#[test]
fn a_wrong_key_is_told_with_the_command_that_sets_it() {
    let world = World::unconnected(Home::with_plugin(), hello_crm::seed::sample(5), Arc::new(SystemClock));
    let set = format!("url={}", world.url);
    let add = ["integration", "add", "HelloWorld", "--set", &set, "--http", &world.url];
    let again = |option: &str| {
        format!(
            "next: give it again, with another api-key: entente integration add HelloWorld --set {set} --http {} {option}",
            world.url
        )
    };
    let wrong = || format!("{CANARY}-and-wrong\n");
    let said = ["unauthorized", "HelloWorld was not added"];
    world
        .run_with(&[&add[..], &["--secret", "api-key"]].concat(), wrong())
        .fails(1, &said)
        .fails(1, &[&again("--secret api-key")]);
    let mut command = world.home.command(&[&add[..], &["--secret-env=api-key=WRONG_KEY"]].concat());
    let output = command.env("WRONG_KEY", wrong().trim()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(said.iter().all(|part| stderr.contains(part)), "{stderr}");
    assert!(
        stderr.contains("with another api-key: entente ")
            && stderr.contains("--secret-env=api-key=WRONG_KEY"),
        "{stderr}"
    );
    assert_eq!(world.run(&["integration", "list", "--json"]).well().json(), json!([]));

    world.connect().well();
    let set_key = ["integration", "set", "HelloWorld", "--secret", "api-key"];
    let next = "next: set the secret api-key: entente integration set HelloWorld --secret api-key";
    // Whatever it is asked: before a run, in the middle of one, by doctor.
    world.run_with(&set_key, wrong()).well();
    world.run(&["sync", "HelloWorld"]).fails(1, &["unauthorized", next]);
    world.run(&["doctor"]).fails(1, &[]).says(&["unauthorized", next]);
    world.run(&["status"]).says(&[next]);
    world.run_with(&set_key, format!("{CANARY}\n")).well();
    world.run(&["sync", "HelloWorld"]).well();
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    world
        .crm
        .set_faults(vec![Rule::new(Action::Status { status: 401, body: None }).path("/batch").times(None)]);
    world.run(&["sync", "HelloWorld"]).fails(1, &["unauthorized", next]);
}

#[test]
fn a_system_that_fails_is_asked_again_and_then_told() {
    let world = World::with_sample(5);
    world.crm.add_fault(Rule::new(Action::fail()).path("/persons?").times(1));
    world.sync(&[]).well();
    assert_eq!(world.crm.faults()[0].struck, 1);
    assert_eq!(world.records("contact").len(), 5);

    world.crm.set_faults(vec![Rule::new(Action::fail()).path("/persons?").times(None)]);
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    let output = world.sync(&[]).fails(1, &["HelloWorld could not report its changes: unavailable", "500"]);
    assert_eq!(output.written("HelloWorld"), 0, "{output}");
    world.crm.reset();
    world.sync(&[]).well();
    assert_eq!(world.crm.count(Object::Person), 6);
}

#[test]
fn a_system_that_asks_to_slow_down_gets_its_way() {
    let world = World::with_sample(5);
    world.run(&["record", "set", "contact", "last_name=Ek", "email=ek@example.org"]).well();
    let slow = || Rule::new(Action::RateLimited { rate_limit: RateLimit { retry_after: 1 } });
    world.crm.set_faults(vec![slow().path("/schema"), slow().path("/persons?"), slow().path("/batch")]);
    world.sync(&[]).well();
    assert!(world.crm.faults().iter().all(|rule| rule.struck == 1), "{:?}", world.crm.faults());
    assert_eq!((world.crm.count(Object::Person), world.records("contact").len()), (6, 6));
    world.is_quiet();
}

/// A1, in Rust: HelloWorld sends an order as one request, so that the middle is between two orders.
#[test]
fn a1_a_remote_that_answers_429_in_the_middle_gets_everybody_once() {
    let world = World::new();
    let people: String =
        (0..120).map(|n| format!("Person {n},p{n}@example.org,2020-01-01T00:00:00Z\n")).collect();
    world.import(&format!("Last name,E-mail,Changed\n{people}")).well();
    let slow = Action::RateLimited { rate_limit: RateLimit { retry_after: 1 } };
    world.crm.set_faults(vec![Rule::new(slow).method("POST").path("/persons/batch").after(1).times(2)]);
    let output = world.sync(&[]).well();
    assert_eq!(world.crm.faults()[0].struck, 2);
    assert_eq!(world.crm.count(Object::Person), 120, "{output}");
    assert_eq!(output.counts("HelloWorld", "person")["created"], json!(120), "{output}");
    world.is_quiet();
}

#[test]
fn k4_a_system_that_takes_no_calls_for_an_hour_is_called_once_in_it() {
    let world = World::with_sample(5);
    let hour = Action::RateLimited { rate_limit: RateLimit { retry_after: 3600 } };
    world.crm.set_faults(vec![Rule::new(hour).path("/persons?").times(None)]);
    world.sync(&[]).fails(
        1,
        &[
            "HelloWorld could not report its changes: rate-limited",
            "it takes no calls before 20",
            "entente integration resume HelloWorld",
        ],
    );
    let called = world.crm.requests().len();
    for _ in 0..2 {
        world.sync(&[]).fails(1, &["rate-limited", "it takes no calls before 20"]);
    }
    assert_eq!(world.crm.requests().len(), called, "nobody called it");
    world.crm.set_faults(vec![]);
    world.run(&["integration", "resume", "HelloWorld"]).well().says(&["HelloWorld is called again at once"]);
    world.sync(&[]).well();
    assert_eq!(world.records("contact").len(), 5);
}

#[test]
fn answers_that_make_no_sense_are_told() {
    let world = World::with_sample(5);
    for body in [json!("<html>Bad gateway</html>"), json!({ "records": 7 }), json!("")] {
        world.crm.set_faults(vec![
            Rule::new(Action::Status { status: 200, body: Some(body) }).path("/persons?").times(None),
        ]);
        world.sync(&[]).fails(1, &["HelloWorld could not report its changes"]);
    }
    world.crm.reset();
    world.sync(&[]).well();
    assert_eq!(world.records("contact").len(), 5);
}

#[test]
fn a_record_that_is_refused_is_told_and_the_others_are_made() {
    let world = World::new();
    world
        .run(&["record", "set", "contact", "last_name=Good", "email=good@example.org", "phone=+46 1"])
        .well();
    // A field that is required there: nothing can go without it.
    let long = format!("last_name={}", "B".repeat(2000));
    world.run(&["record", "set", "contact", &long, "email=bad@example.org", "city=Bergen"]).well();
    let output = world.sync(&[]).exits(3);
    let counts = output.counts("HelloWorld", "person");
    assert_eq!((&counts["created"], &counts["failed"]), (&json!(1), &json!(1)), "{output}");
    assert!(counts["reasons"].to_string().contains("last_name"), "{output}");
    assert_eq!(world.crm.count(Object::Person), 1);
    world.person("good@example.org");
    let bad = world.find("contact", "email", "bad@example.org").id;
    world.run(&["record", "show", &format!("contact:{bad}")]).well().says(&["failed", "last_name"]);
    world.run(&["record", "set", &format!("contact:{bad}"), "last_name=Bad"]).well();
    world.sync(&[]).well();
    world.person("bad@example.org");
    world.is_quiet();
}
