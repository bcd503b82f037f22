//! What an operator sees and can do about it: findings O3, O5, O6, O7, O8, O12, and the erasure of a person.

use crate::world::{Home, World, contains, text};
use serde_json::{Value, json};

/// A person linked on both sides, with ids on the left and on the right.
fn linked(world: &World) -> (String, String) {
    world
        .import(
            "First name,Last name,E-mail,City,Phone,Changed\n\
             Quirina,Zwolle,quirina@zwolle.example,Ronneby,+46 70 555 01 99,2020-02-01T00:00:00Z\n",
        )
        .well();
    world.sync(&[]).well();
    let contact = world.find("contact", "email", "quirina@zwolle.example").id;
    (contact, world.person("quirina@zwolle.example").id)
}

/// Lets the sync do this with the counterparts of deleted records.
fn set_policy(world: &World, policy: &str) {
    let file = world.run(&["export"]).well().stdout;
    assert!(!file.contains("deletes ="), "{file}");
    let with = file.replace("left = \"contact\"\n", &format!("left = \"contact\"\ndeletes = \"{policy}\"\n"));
    assert_ne!(with, file, "{file}");
    world.run(&["apply", &world.file("policy.toml", with)]).well();
}

#[test]
fn o3_a_deleted_record_is_restored_and_its_counterpart_compared() {
    let world = World::new();
    let (contact, person) = linked(&world);
    let name = format!("contact:{contact}");
    world.run(&["record", "restore", &name]).fails(1, &["was not deleted"]);
    world.run(&["record", "restore", "contact:999999"]).fails(1, &["there is no contact 999999"]);
    world.run(&["record", "delete", &name]).well();
    // What it was is told to whoever looks for it, with the way back.
    world.run(&["record", "show", &name]).fails(1, &["it was deleted", &format!("record restore {name}")]);
    world.sync(&[]).well();
    assert_eq!(world.person("quirina@zwolle.example").id, person, "the policy is to ignore deletions");

    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "Karlskrona" }));
    world.run(&["record", "restore", &name]).well();
    let back = world.find("contact", "email", "quirina@zwolle.example");
    assert_eq!(
        (back.id.as_str(), back.text("city")),
        (contact.as_str(), "Ronneby"),
        "as it was, under its id"
    );
    world.sync(&[]).well();
    assert_eq!(world.find("contact", "email", "quirina@zwolle.example").text("city"), "Karlskrona");
    assert_eq!(world.person("quirina@zwolle.example").id, person, "still the same pair");
    world.is_quiet();
}

#[test]
fn o3_a_restored_record_whose_counterpart_was_deleted_is_made_there_again() {
    let world = World::new();
    let (contact, person) = linked(&world);
    set_policy(&world, "delete");
    let name = format!("contact:{contact}");
    world.run(&["record", "delete", &name]).well();
    world.sync(&["--lift-brake"]).well();
    assert_eq!(world.crm.find(hello_crm::Object::Person, "email", &json!("quirina@zwolle.example")), []);
    world.run(&["record", "restore", &name]).well();
    world.sync(&[]).well();
    let again = world.person("quirina@zwolle.example");
    assert_ne!(again.id, person, "the remote system gives it an id of its own");
    assert_eq!(world.find("contact", "email", "quirina@zwolle.example").id, contact);
    world.is_quiet();
}

#[test]
fn o3_more_than_one_record_is_deleted_after_a_question_only() {
    let world = World::new();
    let (contact, person) = linked(&world);
    let other =
        world.run(&["record", "set", "contact", "first_name=Bo", "email=bo@x.example", "--json"]).well();
    let names = [format!("contact:{contact}"), format!("contact:{}", other.json()["id"].as_str().unwrap())];
    let shown = world.run(&["record", "delete", &names[0], &names[1], "--dry-run"]).well();
    shown.says(&[
        "«Quirina Zwolle»",
        &format!("HelloWorld: HelloWorld/person:{person} (stays, policy ignore)"),
        "nothing was deleted",
    ]);
    world.run(&["record", "delete", &names[0], &names[1]]).fails(2, &["--yes", "nothing was done"]);
    assert_eq!(world.records("contact").len(), 2);
    // Nothing is deleted where one of them is not there.
    world.run(&["record", "delete", &names[0], "contact:99999", "--yes"]).fails(1, &["99999"]);
    assert_eq!(world.records("contact").len(), 2);
    world.run(&["record", "delete", &names[0], &names[1], "--yes"]).well();
    assert_eq!(world.records("contact").len(), 0);
}

#[test]
fn o5_a_run_that_could_not_begin_is_a_run_with_its_reason() {
    let world = World::new();
    linked(&world);
    world.run(&["integration", "disable", "HelloWorld"]).well();
    world.run(&["sync", "HelloWorld"]).fails(1, &["the integration 'HelloWorld' is disabled"]);
    let runs = world.run(&["run", "list", "--json"]).well().json();
    let last = &runs["rows"][0];
    assert_eq!(
        (&last["status"], &last["error"]),
        (&json!("failed"), &json!("the integration 'HelloWorld' is disabled"))
    );
    assert!(last["ended"].is_string() && last["remedies"][0]["step"] == "enable", "{last}");
    world.run(&["status"]).well().says(&["failed: the integration 'HelloWorld' is disabled"]);
    world.run(&["status", "--check"]).exits(3).says(&["NOT WELL", "HelloWorld is disabled"]);
    world.run(&["integration", "enable", "HelloWorld"]).well();
    world.sync(&[]).well();
    world.run(&["status", "--check"]).well().says(&["HelloWorld: well, last came to its end 20"]);
}

#[test]
fn o6_a_monitor_is_told_and_a_run_ends_by_what_it_left_itself() {
    let empty = Home::new();
    empty.run(&["status", "--check"]).exits(3).says(&["no sync yet"]);
    let world = World::new();
    world.run(&["status", "--check"]).exits(3).says(&["no whole run has ended well"]);
    let (_, person) = linked(&world);
    world.run(&["status", "--check", "--max-age", "2h"]).well();
    world.run(&["status", "--check", "--max-age", "0s"]).exits(3).says(&["the last good run, 2, ended"]);
    world.run(&["status", "--max-age", "2h"]).fails(2, &["--check"]);
    world.run(&["status", "--check", "--max-age", "soon"]).fails(2, &["'soon' is no duration"]);

    let at = "2020-03-01T00:00:00Z";
    world.import(&format!("E-mail,City,Changed\nquirina@zwolle.example,Lund,{at}\n")).well();
    world.edit_person(at, &person, json!({ "city": "Kiruna" }));
    // That a dry run was the first to see it makes it no older.
    world.sync(&["--dry-run"]);
    world.run(&["sync", "HelloWorld"]).exits(3).says(&["1 in conflict"]);
    // It still waits; a run that left nothing itself ends well, and says so all the same.
    world.run(&["sync", "HelloWorld"]).well().says(&["1 need a look"]);
    world.run(&["sync", "HelloWorld", "--strict"]).exits(3);
    let checks = world.run(&["status", "--check", "--json"]).exits(3).json();
    assert_eq!(
        (&checks[0]["sync"], &checks[0]["well"], &checks[0]["alarms"]),
        (&json!("HelloWorld"), &json!(false), &json!([{ "alarm": "conflicts", "fields": 1 }]))
    );
    // A run of a window is none that says anything about the rest.
    world.sync(&["--start-datetime", "2020-01-01", "--end-datetime", "2020-01-02"]);
    let later = world.run(&["status", "--check", "--json"]).exits(3).json();
    assert_eq!(later[0]["last_good_run"], checks[0]["last_good_run"]);
}

#[test]
fn o7_a_home_that_was_named_is_made_on_purpose_only() {
    let home = Home::new();
    let folder = home.dir.path().join("typo");
    let named = text(&folder);
    let entente = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_entente"));
        command.args(args).env_remove("ENTENTE_HOME").env_remove("ENTENTE_TENANT").env_remove("ENTENTE_KEY");
        command.output().unwrap()
    };
    for args in [&["record", "list", "contact"][..], &["status"], &["tenant", "list"], &["export"]] {
        let output = entente(&[&["--home", named.as_str()], args].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?} {said}");
        assert!(said.contains("there is no home folder at") && said.contains("--create"), "{args:?} {said}");
        assert!(!folder.exists(), "{args:?}");
    }
    // A folder of something else is none either.
    let said = entente(&["--home", &text(home.dir.path()), "status"]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(entente(&["--home", &named, "init"]).status.success());
    assert!(entente(&["--home", &named, "status"]).status.success());
    let created = text(&home.dir.path().join("created"));
    assert!(entente(&["--home", &created, "--create", "record", "list", "contact"]).status.success());
    assert!(entente(&["--home", &created, "record", "list", "contact"]).status.success());
}

#[test]
fn o11_a_plan_that_another_run_has_done_is_not_applied() {
    let world = World::new();
    let (_, person) = linked(&world);
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "Karlshamn" }));
    let plan = world.sync(&["--dry-run"]).json()["run"].to_string();
    world.sync(&[]).well();
    let runs = || world.run(&["run", "list", "--json"]).well().json()["rows"].as_array().map(Vec::len);
    let before = runs();
    let refused = world.run(&["run", "apply", &plan]);
    refused.fails(1, &[&format!("nothing of the plan of run {plan} is left"), "sync HelloWorld --dry-run"]);
    assert_eq!(runs(), before, "it is no run");
    let plan = world.sync(&["--dry-run"]).json()["run"].to_string();
    world.run(&["run", "apply", &plan]).fails(1, &["is left to do"]);
}

#[test]
fn o18_a_value_that_an_undo_has_put_back_says_so() {
    let world = World::new();
    let (contact, person) = linked(&world);
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "Karlshamn" }));
    let run = world.sync(&[]).well().json()["run"].clone();
    let undo = world.run(&["run", "undo", &run.to_string(), "--json"]).well().json()["run"].clone();
    let name = format!("contact:{contact}");
    let shown = world.run(&["record", "show", &name]).well();
    let shown = shown.says(&["Ronneby", &format!("put back by run {undo}, as before run {run}")]);
    drop(shown);
    let detail = world.run(&["record", "show", &name, "--json"]).well().json();
    assert_eq!(detail["put_back"], json!([{ "field": "city", "run": undo, "undoes": run }]));
}

#[test]
fn o12_what_was_decided_is_shown_and_left_alone() {
    let world = World::new();
    let (contact, person) = linked(&world);
    let at = "2020-03-01T00:00:00Z";
    world.import(&format!("E-mail,City,Phone,Changed\nquirina@zwolle.example,Lund,+46 2,{at}\n")).well();
    world.edit_person(at, &person, json!({ "city": "Kiruna", "phone": "+46 3" }));
    world.sync(&[]).exits(3);
    let open = |count: usize| {
        let rows = world.run(&["conflict", "list", "--json"]).well().json()["rows"].clone();
        assert_eq!(rows.as_array().map(Vec::len), Some(count), "{rows}");
        rows
    };
    let rows = open(2);
    let first = rows[0]["conflict"].to_string();
    world.run(&["conflict", "settle", &first, "--hub"]).well();
    let rows = open(2);
    assert_eq!((&rows[0]["decided"], &rows[1]["decided"]), (&json!({ "side": "left" }), &Value::Null));
    world.run(&["conflict", "list"]).well().says(&["decided", "┆ hub"]);
    let status = world.run(&["status", "HelloWorld", "--json"]).well().json();
    assert_eq!((&status[0]["total"]["conflicts"], &status[0]["total"]["decided"]), (&json!(1), &json!(1)));
    assert_eq!(status[0]["waiting"]["conflicts"], 1);
    world
        .run(&["record", "show", &format!("contact:{contact}")])
        .well()
        .says(&[&format!("conflict {first}, decided,")]);
    // A dry run leaves a decision open: it can be decided otherwise after a look at the plan.
    world.sync(&["--dry-run"]);
    let rows = open(2);
    assert_eq!(rows[0]["decided"], json!({ "side": "left" }), "{rows}");
    // All that are open are those that nobody has decided.
    let all = world.run(&["conflict", "settle", "--all", "--integration", "--json"]).well().json();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    assert_ne!(all[0]["conflict"].to_string(), first);
    // Named, it is decided otherwise, and that is said.
    world
        .run(&["conflict", "settle", &first, "--integration"])
        .well()
        .says(&["it was decided otherwise before"]);
    world.run(&["conflict", "settle", &first, "--hub"]).well();
    world.sync(&[]).well();
    open(0);
    let both = world.find("contact", "email", "quirina@zwolle.example");
    let city = [&rows[0], &rows[1]].into_iter().find(|row| row["field"] == "city").unwrap();
    let is_first = first.parse().is_ok_and(|number: i64| city["conflict"] == number);
    let expected = if is_first { "Lund" } else { "Kiruna" };
    assert_eq!(both.text("city"), expected);
    world.is_quiet();
}

#[test]
fn a_policy_is_set_and_fields_are_listed_while_the_remote_system_is_away() {
    let mut world = World::new();
    linked(&world);
    world
        .run(&["integration", "fields", "HelloWorld", "--object", "person"])
        .well()
        .says(&["email", "identifier"]);
    world.run(&["integration", "fields", "hub", "--object", "company"]).well().says(&["website", "url"]);
    world
        .run(&["integration", "fields", "HelloWorld", "--object", "lead"])
        .fails(2, &["no object 'lead'", "person"]);
    world.run(&["integration", "fields", "Nobody"]).fails(1, &["Nobody"]);
    world.stop_crm();
    world.sync(&[]).exits(1);
    let fields = world.run(&["integration", "fields", "HelloWorld", "--json"]).well().json();
    assert!(fields["told"].is_string() && fields["unasked"].is_string(), "{fields}");
    assert!(fields["objects"].as_array().is_some_and(|objects| objects.len() >= 2), "{fields}");
    // The export has the policy once it is set, and what a plugin has told stands in for the answer.
    let file = world.run(&["export"]).well().stdout;
    let with = file.replace("left = \"contact\"\n", "left = \"contact\"\ndeletes = \"unlink\"\n");
    let applied = world.run(&["apply", &world.file("away.toml", with)]).well();
    assert!(
        format!("{}{}", applied.stdout, applied.stderr).contains("cannot be asked for its fields now"),
        "{applied}"
    );
    assert!(world.run(&["export"]).well().stdout.contains("deletes = \"unlink\""));
    // A field that it never told is refused as it would be with the answer.
    let wrong = file.replace("left = \"contact\"\n", "left = \"contact\"\nidentifiers = [\"shoe_size\"]\n");
    let wrong = world.run(&["apply", &world.file("wrong.toml", wrong)]);
    assert_ne!(wrong.code, 0, "{wrong}");
}

/// The bytes of the person in any file of the home, the log of the database included.
fn mentions(world: &World, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in world.files() {
        if !path.starts_with(world.path()) {
            continue;
        }
        for part in texts.iter().filter(|part| contains(&bytes, part.as_bytes())) {
            found.push(format!("{part} in {}", path.display()));
        }
    }
    found
}

#[test]
fn an_erased_person_is_in_no_file_of_the_home() {
    let world = World::new();
    let (contact, person) = linked(&world);
    let name = format!("contact:{contact}");
    // A history, on both sides, with a conflict and a failed write.
    world.edit_person(
        "2020-03-01T00:00:00Z",
        &person,
        json!({ "city": "Karlshamn", "phone": "+46 70 555 01 98" }),
    );
    world.sync(&[]).well();
    // What an import has replaced stands nowhere else any more.
    let replaced = "E-mail,City,Changed\nquirina@zwolle.example,Nättraby,2020-03-02T00:00:00Z\n";
    world.import(replaced).well();
    let at = "2020-04-01T00:00:00Z";
    world.import(&format!("E-mail,City,Changed\nquirina@zwolle.example,Olofström,{at}\n")).well();
    world.edit_person(at, &person, json!({ "city": "Sölvesborg" }));
    world.sync(&[]).exits(3);
    let texts = [
        "Quirina",
        "Zwolle",
        "quirina@zwolle.example",
        "quirina%40zwolle.example",
        "Ronneby",
        "Karlshamn",
        "Nättraby",
        "Olofström",
        "Sölvesborg",
        "555 01 99",
        "555 01 98",
        "46705550199",
        "46705550198",
    ];
    assert!(mentions(&world, &texts).len() >= 8, "they are there before: {:?}", mentions(&world, &texts));

    // While a counterpart is there, it would be read again.
    world.run(&["record", "erase", &name, "--yes"]).fails(
        1,
        &[&format!("HelloWorld/person:{person}"), "delete them first", &format!("record delete {name}")],
    );
    world.run(&["record", "erase", &name]).fails(2, &["--yes"]);
    world.run(&["conflict", "settle", "--all", "--integration"]).well();
    world.sync(&[]).well();
    set_policy(&world, "delete");
    world.run(&["record", "delete", &name]).well();
    world.sync(&["--lift-brake"]).well();
    // The operator has looked for it too, and its file lies outside the home.
    let runs = world.run(&["run", "list", "--json"]).well().json();
    let receipt = world.run(&["record", "erase", &name, "--yes", "--json"]).well();
    assert_eq!(mentions(&world, &texts), Vec::<String>::new());
    for text in texts {
        assert!(!receipt.stdout.contains(text), "the receipt names a value: {receipt}");
    }
    let receipt = receipt.json();
    assert_eq!((&receipt["record"], &receipt["pairs"]), (&json!(name), &json!(1)));
    assert!(receipt["changes"].as_u64() >= Some(4), "{receipt}");

    // Runs stay readable, with their numbers.
    let after = world.run(&["run", "list", "--json"]).well().json();
    let written = |runs: &Value| -> Vec<Value> {
        runs["rows"].as_array().unwrap().iter().map(|run| run["written"].clone()).collect()
    };
    assert_eq!(written(&runs), written(&after));
    for run in after["rows"].as_array().unwrap() {
        world.run(&["run", "show", &run["run"].to_string()]).well();
    }
    world.run(&["record", "restore", &name]).fails(1, &["is not kept"]);
    let gone = world.run(&["record", "show", &name]);
    assert!(!gone.stderr.contains("record restore"), "what cannot be restored is not offered: {gone}");
    gone.fails(1, &["what it held is not kept"]);
    world.run(&["record", "history", &name]).well().says(&["deleted by hand"]);
    world.run(&["record", "erase", "contact:999999", "--yes"]).fails(1, &["there is no contact 999999"]);
    world
        .run(&["record", "erase", &format!("HelloWorld/person:{person}"), "--yes"])
        .fails(1, &["no record of the hub"]);
    // It can be done again, and finds nothing.
    let again = world.run(&["record", "erase", &name, "--yes", "--json"]).well().json();
    assert_eq!((&again["pairs"], &again["changes"]), (&json!(0), &json!(0)));
    world.is_quiet();
}

/// A command at a terminal of this many rows; `type_at`: what is typed once the prompt is there.
#[cfg(unix)]
fn at_a_terminal(
    home: &Home,
    args: &[&str],
    rows: u16,
    typed: Option<(&str, &str)>,
    more: &[(&str, &str)],
) -> String {
    use std::io::{Read as _, Write as _};
    let size = nix::pty::Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let plain = home.command(args);
    // With the pty as its controlling terminal, as a shell has it.
    let mut command = std::process::Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(home.dir.path()).env("TERM", "xterm").envs(more.iter().copied());
    for name in ["ENTENTE_HOME", "ENTENTE_TENANT", "ENTENTE_KEY", "ENTENTE_LOG", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    let slave = std::fs::File::from(pty.slave);
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut master = std::fs::File::from(pty.master);
    let (mut said, mut buffer, mut typed) = (Vec::new(), [0; 4096], typed);
    // Linux tells the end of a pty as an error.
    while let Ok(read @ 1..) = master.read(&mut buffer) {
        said.extend_from_slice(&buffer[..read]);
        if let Some((prompt, answer)) = typed.take_if(|(prompt, _)| contains(&said, prompt.as_bytes())) {
            // Nobody types within the moment between the prompt and the end of the echo.
            let echoes = || {
                nix::sys::termios::tcgetattr(&master)
                    .is_ok_and(|now| now.local_flags.contains(nix::sys::termios::LocalFlags::ECHO))
            };
            while prompt.contains("not shown") && echoes() {
                std::thread::yield_now();
            }
            master.write_all(answer.as_bytes()).unwrap();
        }
    }
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&said));
    String::from_utf8(said).unwrap()
}

#[cfg(unix)]
#[test]
fn o8_a_secret_that_is_typed_is_not_shown() {
    let world = World::new();
    let secret = "typed-6b0f5d1c9a";
    let args = ["integration", "set", "HelloWorld", "--secret", "api-key"];
    let said = at_a_terminal(&world.home, &args, 50, Some(("not shown): ", &format!("{secret}\n"))), &[]);
    assert!(said.contains("the integration HelloWorld is set") && !said.contains(secret), "{said}");
    world.sync(&[]).exits(1);
    // The key that was typed is the one that is used: the CRM takes the right one only.
    let right = format!("{}\n", crate::world::CANARY);
    at_a_terminal(&world.home, &args, 50, Some(("not shown): ", &right)), &[]);
    world.sync(&[]).well();
}

#[cfg(unix)]
#[test]
fn what_is_longer_than_the_terminal_goes_through_the_pager() {
    let home = Home::new();
    home.run(&["status"]).well();
    // A pager of our own, which says that it was asked.
    let args = ["tenant", "limits"];
    let pager = [("PAGER", "sed -e s/^/paged:/")];
    assert!(at_a_terminal(&home, &args, 10, None, &pager).contains("paged:"), "it is longer");
    assert!(!at_a_terminal(&home, &args, 2000, None, &pager).contains("paged:"), "all of it fits");
    assert!(!at_a_terminal(&home, &args, 10, None, &[("PAGER", "cat")]).contains("paged:"));
    let gone = at_a_terminal(&home, &args, 10, None, &[("PAGER", "/no/such/pager")]);
    assert!(gone.contains("memory-bytes"), "shown as it is: {gone}");
    // What goes elsewhere is never paged.
    let mut piped = home.command(&args);
    piped.env("PAGER", "sed -e s/^/paged:/");
    assert!(!home.run_command(piped, &args).stdout.contains("paged:"));
}

#[test]
fn a_shell_completes_the_names_of_what_there_is() {
    let world = World::new();
    linked(&world);
    let home = text(&world.path());
    let complete = |words: &[&str]| -> Vec<String> {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_entente"));
        command.env("COMPLETE", "fish").args(["--", "entente", "--home", &home]).args(words);
        command.env_remove("ENTENTE_HOME").env_remove("ENTENTE_TENANT");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(complete(&["sync", "He"]), ["HelloWorld"]);
    assert_eq!(complete(&["conflict", "list", "--sync", ""]), ["HelloWorld"]);
    assert_eq!(complete(&["integration", "disable", "H"]), ["HelloWorld"]);
    assert!(complete(&["run", "show", ""]).contains(&"1".to_owned()));
    assert_eq!(complete(&["tenant", "export", "def"]), ["default"]);
    assert!(complete(&["sync", "HelloWorld", "--start-d"]).contains(&"--start-datetime".to_owned()));
    // A home that is not there is not made.
    let none = world.dir.path().join("none");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_entente"));
    command.env("COMPLETE", "fish").args(["--", "entente", "--home", &text(&none), "sync", ""]);
    let output = command.output().unwrap();
    assert!(output.status.success() && !none.exists(), "{output:?}");
}
