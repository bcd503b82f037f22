//! Hostile plugins fail their own run with a reason, and leave no partial writes.

use crate::support::guests;
use crate::world::{Home, Output, text};
use serde_json::json;
use std::sync::OnceLock;

/// The hub has an object for the plugin's object, with one record.
const CONFIGURATION: &str = r#"
[object.thing.field.name]
kind = "text"
identifier = true

[object.thing.field.score]
kind = "float"

[integration.evil]
plugin = "hostile"

[sync.evil]

[[sync.evil.object]]
left = "thing"
right = "thing"
identifiers = ["name"]
create = "both"

[sync.evil.object.fields]
name = true
score = true
"#;

/// A home with the plugin and a sync; tests choose the attack.
fn home() -> Home {
    static TEMPLATE: OnceLock<Home> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| {
            let home = Home::new();
            home.run(&["plugin", "install", &text(guests::hostile_path()), "--name", "hostile"]).well();
            home.run(&["apply", &home.file("entente.toml", CONFIGURATION)]).well();
            home.run(&["record", "set", "thing", "name=ours", "score=2"]).well();
            home
        })
        .copy()
}

fn attack(home: &Home, settings: &[&str]) -> Output {
    let mut args = vec!["integration", "set", "evil"];
    for setting in settings {
        args.extend(["--set", setting]);
    }
    home.run(&args).well();
    home.run(&["sync", "evil", "--json"])
}

/// Attacks during a report: the run fails, nothing is written, and the next run succeeds.
fn in_report(settings: &[&str], telling: &[&str]) {
    let home = home();
    let before = home.records("thing");
    let output =
        attack(&home, settings).fails(1, telling).fails(1, &["error: run 1 of evil did not come to its end"]);
    assert_eq!(output.json()["status"], json!("failed"), "{output}");
    assert_eq!((output.written("hub"), output.written("evil")), (0, 0), "{output}");
    assert_eq!(home.records("thing"), before, "{output}");
    let error = output.error().unwrap();
    assert!(!error["remedies"].as_array().unwrap().is_empty(), "{output}");
    home.run(&["run", "show", "1"]).well().says(telling).says(&["next: "]);

    let output = attack(&home, &["attack=none"]).well();
    assert_eq!((output.written("hub"), output.written("evil")), (1, 1), "{output}");
    let names: Vec<String> =
        home.records("thing").iter().map(|thing| thing.text("name").to_owned()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"one".to_owned()) && names.contains(&"ours".to_owned()), "{names:?}");
}

#[test]
fn one_that_loops_for_ever_is_stopped() {
    in_report(&["attack=loop"], &["the plugin was stopped in report", "limit cpu-time of 5 s reached"]);
}

#[test]
fn one_that_allocates_without_end_is_stopped() {
    in_report(
        &["attack=memory"],
        &["the plugin was stopped in report", "limit memory-bytes of 128 MiB reached"],
    );
}

#[test]
fn one_that_traps_is_told_from_one_that_is_stopped() {
    in_report(
        &["attack=trap"],
        &["the plugin crashed in report: it panicked or aborted, in «hostile::attack::run"],
    );
}

#[test]
fn one_that_recurses_without_end_is_stopped() {
    in_report(&["attack=recursion"], &["in report", "stack"]);
}

#[test]
fn one_that_calls_a_host_that_was_not_granted_reaches_nobody() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let remedy = format!("entente integration grant evil --http {url}");
    in_report(
        &["attack=http", &format!("url={url}/path")],
        &["the plugin was not allowed to call", &url, &remedy],
    );
    assert!(listener.accept().is_err(), "a connection was made");
}

#[test]
fn one_that_answers_too_much_is_stopped() {
    in_report(&["attack=huge-page"], &["limit page-rows"]);
}

#[test]
fn one_that_goes_round_in_circles_is_stopped() {
    in_report(&["attack=same-cursor"], &["evil", "answered page 1 with the cursor of that same page"]);
    in_report(&["attack=circle"], &["evil", "answered page 2 with the cursor of an earlier page"]);
}

#[test]
fn one_that_attacks_when_it_is_looked_at_is_not_added() {
    let home = home();
    for (attack, telling) in
        [("trap", "the plugin crashed in describe"), ("memory", "limit memory-bytes of 128 MiB reached")]
    {
        let attack = format!("attack={attack}");
        home.run(&[
            "integration",
            "add",
            "worse",
            "--plugin",
            "hostile",
            "--set",
            &attack,
            "--set",
            "where=describe",
        ])
        .fails(1, &[telling]);
    }
    let names: Vec<_> = home
        .run(&["integration", "list", "--json"])
        .well()
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, [json!("evil")]);
    home.run(&["sync", "worse"]).fails(2, &["worse"]);
}

#[test]
fn one_that_traps_when_it_writes_leaves_the_hub_whole() {
    let home = home();
    let output = attack(&home, &["attack=trap", "where=execute"]);
    assert_ne!(output.code, 0, "{output}");
    assert!(
        format!("{}{}", output.stdout, output.stderr).contains("the plugin crashed in execute"),
        "{output}"
    );
    assert_eq!(output.written("evil"), 0, "{output}");
    let things = home.records("thing");
    assert!(things.len() <= 2 && things.iter().any(|thing| thing.text("name") == "ours"), "{things:?}");
    home.run(&["doctor", "--offline"]).well();
    // Whether the create was executed is unknown, so it is not sent blindly again.
    let output = attack(&home, &["attack=none"]);
    assert!([0, 3].contains(&output.code), "{output}");
    assert_eq!(home.records("thing").len(), 2);
}

#[test]
fn x5_what_a_plugin_says_is_no_advice_of_the_host() {
    let home = home();
    let said =
        "it is not allowed; allow it with: entente integration grant evil --http https://bad.example.com";
    let output =
        attack(&home, &["attack=forged-error", &format!("said={said}\nnext: entente tenant remove default")]);
    let error = output.fails(1, &["«it is not allowed; allow it with:"]).error().unwrap();
    assert!(!error["remedies"].to_string().contains("bad.example.com"), "{error}");
    let shown = home.run(&["sync", "evil"]).exits(1);
    let lines: Vec<&str> = shown.stderr.lines().chain(shown.stdout.lines()).collect();
    assert!(
        lines.iter().any(|line| line.contains("evil could not") && line.contains("«it is not")),
        "{shown}"
    );
    assert!(
        !lines.iter().any(|line| line.trim_start().starts_with("next:") && line.contains("bad.example")),
        "{shown}"
    );
    assert!(!lines.iter().any(|line| line.starts_with("next: entente tenant remove")), "{shown}");
    // The tenant is added to the commands of the host, and to nothing that a plugin said.
    let shown = home.run(&["--tenant", "default", "sync", "evil"]).exits(1);
    assert!(
        !format!("{}{}", shown.stdout, shown.stderr).contains("--tenant default integration grant"),
        "{shown}"
    );
}

/// What stands outside of quotation marks.
fn outside_quotations(text: &str) -> String {
    let mut parts = text.split('«');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('»').map_or("", |(_, after)| after))
}

#[test]
fn x5_no_mark_of_a_plugin_ends_what_it_says() {
    let home = home();
    let advice = "the plugin was not allowed to call https://bad.example.com/; allow it";
    // It is the code of the error and its text.
    for said in [format!("HTTP 500»; {advice}"), format!("«; {advice}"), format!("{advice} «")] {
        attack(&home, &["attack=forged-error", &format!("said={said}")]).exits(1);
        for command in [
            &["sync", "evil"][..],
            &["sync", "evil", "-v"],
            &["run", "list"],
            &["run", "show", "1"],
            &["status"],
        ] {
            let shown = home.run(command);
            let all = format!("{}\n{}", shown.stdout, shown.stderr);
            assert!(!outside_quotations(&all).contains("bad.example.com"), "{said}: {shown}");
        }
    }
}

/// A tenant with the plugin that reports new rows for ever, with these limits, beside one that is at rest.
fn endless(limits: &[&str]) -> (Home, Output) {
    let home = home();
    home.run(&["tenant", "add", "acme"]).well();
    for limit in limits {
        home.run(&["tenant", "set", "default", "--limit", limit]).well();
    }
    let output = attack(&home, &["attack=endless"]);
    home.run(&["--tenant", "acme", "record", "set", "contact", "email=a@example.org"]).well();
    (home, output)
}

#[test]
fn x9_new_rows_for_ever_end_at_the_rows_of_a_run() {
    let (home, output) = endless(&["run-rows=2000"]);
    let output = output.fails(1, &["limit run-rows of 2000 reached", "tenant set default --limit run-rows="]);
    assert_eq!(output.json()["status"], json!("interrupted"), "{output}");
    assert_eq!(output.counts("evil", "thing")["reported"], json!(2000), "{output}");
    home.run(&["run", "list"]).well().says(&["limit run-rows of 2000 reached"]);
    // It goes on where it was.
    let output = home.run(&["sync", "evil", "--json"]).fails(1, &["limit run-rows of 2000 reached"]);
    assert_eq!(output.counts("evil", "thing")["reported"], json!(2000), "{output}");
}

#[test]
fn x9_new_rows_for_ever_end_at_the_size_of_the_database() {
    let (home, output) = endless(&["tenant-database-bytes=8MiB"]);
    output.fails(1, &["the database has reached its limit tenant-database-bytes", "entente tenant limits"]);
    let database = home.path().join("tenants/default/entente.db");
    let size = std::fs::metadata(&database).unwrap().len();
    assert!(size <= 8 << 20, "{size}");
    // What reads goes on, and so does what makes room.
    home.run(&["status"]).exits(0);
    home.run(&["record", "list", "thing"]).well();
    home.run(&["tenant", "limits"]).well().says(&["tenant-database-bytes", "8 MiB"]);
    home.run(&["tenant", "set", "default", "--limit", "tenant-database-bytes=64MiB"]).well();
    home.run(&["record", "set", "thing", "name=more"]).well();
    home.run(&["doctor", "--offline"]).well();
}

/// What is held without end: which of these is reached first depends on how much time and how many addresses there are.
const MEMORY: &str =
    "limit memory-bytes of|limit tenant-memory-bytes of|limit call-time of|limit cpu-time of";
/// Each side counts its handles.
const HANDLES: &str = "limit resources of|limit handles of|limit call-time of|limit cpu-time of";

/// Attacks that need no server, with what the error of the run says: one of some ends, what the plugin itself says in quotation
/// marks, or nothing where it does not end the run.
const WITHOUT_A_SERVER: &[(&str, &str)] = &[
    ("loop", "limit cpu-time of"),
    ("memory", MEMORY),
    ("trap", "the plugin crashed in report"),
    ("recursion", "the plugin crashed in report|stack"),
    ("huge-error", "«"),
    ("log-flood", ""),
    ("log-control", ""),
    ("print", ""),
    ("handles", HANDLES),
    ("sleep", "limit call-time of"),
    ("state-quota", "limit state-bytes of|«"),
    ("guess-secret", "limit secret-matches of|secret|«"),
    ("leave-marks", ""),
    ("huge-page", "limit page-rows of"),
    ("huge-row", "limit page-bytes of"),
    ("huge-values", "limit hostcall-bytes of"),
    ("huge-cursor", "limit token-bytes of"),
    ("bad-rows", ""),
    ("same-cursor", "cursor"),
    ("empty-pages", "limit pages-without-progress of"),
    ("hold-bodies", MEMORY),
    ("hold-response-bodies", MEMORY),
    ("hold-methods", MEMORY),
    ("hold-paths", MEMORY),
    ("hold-authorities", MEMORY),
    ("hold-fields", MEMORY),
    ("hold-lists", MEMORY),
    ("hold-sets", MEMORY),
    ("hold-clones", MEMORY),
    ("hold-headers", MEMORY),
    ("hold-outgoing-responses", MEMORY),
    ("hold-trailers", HANDLES),
    ("hold-options", HANDLES),
    ("hold-pollables", HANDLES),
    ("hold-output", HANDLES),
    ("hold-input", HANDLES),
    ("hold-networks", HANDLES),
    ("hold-long-method", "limit http-url-bytes of"),
    ("hold-long-path", "limit http-url-bytes of"),
    ("hold-long-authority", "limit http-url-bytes of"),
    ("hold-polls", "limit hostcall-bytes of"),
    ("hold-random", "limit random-bytes of"),
    ("hold-insecure", "limit random-bytes of"),
    ("hold-lookups", "«"),
    ("hold-sockets", "«"),
    ("hold-datagrams", "«"),
];

/// Those that need a server or a secret: they are made in `x1_every_hostile_plugin_at_its_worst_where_addresses_are_few`.
const WITH_A_SERVER: [&str; 8] = [
    "hold-requests",
    "hold-answers",
    "hold-trailers-of-answers",
    "hold-users",
    "hold-long-user",
    "hold-data",
    "http-flood",
    "http",
];

/// The names of attacks in a list of the tests of the runtime.
fn attacks_in(source: &'static str, list: &str) -> Vec<&'static str> {
    let (_, from) = source.split_once(&format!("const {list}: ")).expect("the list is there");
    let (list, _) = from.split_once("\n];").expect("the list ends");
    let named = |line: &'static str| {
        let line = line.trim();
        let (name, _) = line.strip_prefix('(').unwrap_or(line).strip_prefix('"')?.split_once('"')?;
        Some(name)
    };
    list.lines().filter_map(named).collect()
}

#[test]
fn every_attack_is_made_where_addresses_are_few_or_said_to_be_left_out() {
    let floods = attacks_in(include_str!("../plugin/hostile/held.rs"), "FLOODS");
    let attacks = attacks_in(include_str!("../plugin/hostile/beside.rs"), "ATTACKS");
    assert!(floods.len() > 30 && attacks.len() > 20, "{floods:?} {attacks:?}");
    let all: Vec<&str> = floods.into_iter().chain(attacks).collect();
    let made = |attack: &str| WITHOUT_A_SERVER.iter().any(|(name, _)| *name == attack);
    let left_out: Vec<&str> = all.iter().copied().filter(|attack| !made(attack)).collect();
    assert_eq!(left_out, WITH_A_SERVER);
    for (name, _) in WITHOUT_A_SERVER {
        assert!(all.contains(name), "{name} is no attack of the other test");
    }
}

#[cfg(unix)]
#[test]
fn x1_the_program_lives_whatever_a_plugin_does_where_addresses_are_few() {
    let home = home();
    for limit in ["cpu-time=3s", "call-time=6s"] {
        home.run(&["tenant", "set", "default", "--limit", limit]).well();
    }
    let within = |args: &[&str]| {
        let command = home.command(args);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "ulimit -v 3000000 && exec \"$0\" \"$@\""]).arg(command.get_program());
        shell.args(command.get_args()).current_dir(home.dir.path());
        home.run_command(shell, args)
    };
    println!("left out, since they need a server or a secret: {}", WITH_A_SERVER.join(", "));
    let mut ended = 0;
    for (attack, expected) in WITHOUT_A_SERVER {
        // A text: it begins with 0.
        let settings = [format!("attack={attack}"), "count=0100000".to_owned()];
        home.run(&["integration", "set", "evil", "--set", &settings[0], "--set", &settings[1]]).well();
        home.run(&["integration", "resume", "evil"]);
        let output = within(&["sync", "evil", "--json"]);
        let error = output.error().map(|error| error["error"].as_str().unwrap_or_default().to_owned());
        println!(
            "{attack}: exit {}, {}",
            output.code,
            error.as_deref().unwrap_or("nothing of it ends the run")
        );
        assert!([0, 1, 3].contains(&output.code), "{output}");
        let error = error.unwrap_or_default();
        let is_named = match expected.is_empty() {
            // Where a processor is slow, even what ends by itself may take too long.
            true => error.is_empty() || error.contains("limit "),
            false => expected.split('|').any(|end| error.contains(end)),
        };
        assert!(is_named, "{attack}, and not {expected}: {output}");
        ended += usize::from(error.contains("limit "));
        // The home is as it was, and everything else goes on.
        within(&["record", "list", "thing"]).well().says(&["ours"]);
    }
    println!("{ended} of {} ended at a limit", WITHOUT_A_SERVER.len());
    assert!(ended >= 30, "{ended} ended at a limit");
}

#[test]
fn x17_limits_of_nothing_and_files_that_are_none_are_refused() {
    let home = home();
    home.run(&["tenant", "set", "default", "--limit", "cpu-time=0s"])
        .fails(1, &["the limit cpu-time cannot be 0"]);
    let pipe = text(&home.dir.path().join("pipe"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    home.run(&["record", "import", "thing", &pipe]).fails(1, &["it is a pipe or a device; name a file"]);
    home.run(&["tenant", "add", "acme", "--from", &pipe]).fails(1, &["it is a pipe or a device"]);
    let many: Vec<String> = (0..200_000).map(|n| format!("column {n}")).collect();
    let wide = home.file("wide.csv", format!("{}\n1\n", many.join(",")));
    let output = home.run(&["record", "import", "thing", &wide]).fails(1, &["column 0, column 1", "more"]);
    assert!(output.stderr.len() < 10_000, "{}", output.stderr.len());
}
