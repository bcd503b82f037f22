//! Every reason of the type `Reason`: a record that stands so names what clears it, and what is printed is run as it is printed.

use crate::world::{World, root};
use entente_sync::Code;
use hello_crm::{Action, Object, Rule};
use serde_json::{Value, json};

/// How a reason is tried.
enum Tried {
    /// A record stands so here, and each command that is printed for it is run in a world of its own.
    Here(fn()),
    /// hello-crm never gives rise to it. A test of the engine that does; that what is printed for it helps is not tried.
    Below(&'static str),
    /// No record waits for it: it is the reason of a change, of a field, of a plan, or of a record that is as it should be.
    NobodyWaits,
}

/// Every reason. Without a wildcard, so that a new one has to be tried.
fn tried(code: Code) -> Tried {
    use Tried::{Below, Here, NobodyWaits};
    match code {
        Code::DuplicateOf => Here(duplicates),
        Code::Ambiguous => Here(ambiguous),
        Code::AbsenceNotProven => Here(not_proven),
        Code::Required => Here(required),
        Code::Merged => Here(merged),
        Code::Brake => Here(braked),
        Code::OtherIdentifiers => Here(other_identifiers),
        Code::DeletedAndEdited => Here(deleted_and_edited),
        Code::LeftOut => Here(left_out),
        Code::DeletedIgnored => Here(deleted_and_ignored),
        Code::Unlinked => Here(unlinked),
        Code::LinkRemoved => Here(link_removed),
        Code::Undone => Here(undone),
        Code::WithheldPush | Code::WithheldPull => Here(withheld),
        Code::PlannedCreate | Code::PlannedUpdate | Code::PlannedDelete => Here(planned),
        Code::Refused => Here(refused),
        Code::Conflict => Here(conflict),
        Code::NotCheckable => Below("an_update_is_guarded_by_what_can_be_checked"),
        Code::NotReadYet => Below("i1_a_retry_by_hand_settles_no_record_that_was_found_and_never_read"),
        Code::Converted | Code::InvalidAnswer => Below("an_answer_without_a_write_means_one_thing"),
        Code::FateUnknown => Below("a_record_whose_create_was_never_answered_is_not_left_out"),
        Code::MayBe => Below("m2_a_record_without_identifiers_waits_while_it_may_be_the_one_that_was_made"),
        Code::Schema => Below("a_parked_identifier_makes_no_duplicates"),
        Code::CannotBeDeleted => Below("the_policy_says_what_becomes_of_the_counterpart"),
        Code::OrderFailed => Here(order_failed),
        // Retried by itself, or decided again by the next run.
        Code::RetryLater | Code::Stale | Code::BecameAnother | Code::DecidedAgain | Code::Deferred => {
            NobodyWaits
        }
        Code::Unanswered | Code::FoundOut | Code::Overtaken | Code::WaitsFor | Code::ParentGone => {
            NobodyWaits
        }
        // As the configuration says; nobody is asked.
        Code::OutsideFilter | Code::WouldBeOutsideFilter | Code::NothingFlows => NobodyWaits,
        Code::NotCreatedThere | Code::MadeAgain | Code::NoRecord => NobodyWaits,
        Code::DeletedEverywhere | Code::DeletedOnBothSides => NobodyWaits,
        // Of changes, plans, runs and rows.
        Code::RecordGone | Code::PairGone | Code::PairJoined | Code::Unchecked => NobodyWaits,
        Code::ExecutedBy | Code::NotExecutedBy | Code::NotInPlan | Code::DiffersFromPlan => NobodyWaits,
        Code::NotUndone | Code::ReferredTo | Code::DeletesNotAgreed => NobodyWaits,
        Code::Unreadable | Code::NotThere | Code::Earlier => NobodyWaits,
    }
}

#[test]
fn every_reason_is_tried_or_said_not_to_be() {
    let mut folders = vec![root().join("tests/engine"), root().join("host/sync/src")];
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => sources.push_str(&std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    let (mut here, mut elsewhere, mut nobody) = (Vec::new(), Vec::new(), Vec::new());
    for code in Code::ALL {
        match tried(*code) {
            Tried::Here(story) => {
                let _: fn() = story;
                here.push(code.word());
            }
            Tried::Below(test) => {
                assert!(sources.contains(&format!("fn {test}(")), "there is no test {test}");
                elsewhere.push(code.word());
            }
            Tried::NobodyWaits => nobody.push(code.word()),
        }
    }
    eprintln!("{} reasons: what is printed is run for {}: {}", Code::ALL.len(), here.len(), here.join(", "));
    eprintln!(
        "not run, since hello-crm never gives rise to them ({}): {}",
        elsewhere.len(),
        elsewhere.join(", ")
    );
    eprintln!("nobody waits for them ({}): {}", nobody.len(), nobody.join(", "));
}

/// What stands in for the words that a printed command leaves open, and for what is to be done elsewhere.
struct Help<'a> {
    /// For FIELD=VALUE.
    change: &'a str,
    /// For COUNTERPART.
    counterpart: &'a dyn Fn(&World) -> String,
    /// What is changed in the file that `export` writes.
    file: &'a dyn Fn(String) -> String,
    /// What a line says that names no command: it is done in the other system.
    there: &'a dyn Fn(&World, &str),
}

impl Default for Help<'_> {
    fn default() -> Self {
        Self {
            change: "",
            counterpart: &|_| panic!("no counterpart is to be named"),
            file: &|_| panic!("no file is to be changed"),
            there: &|_, line| panic!("nothing is to be done elsewhere: {line}"),
        }
    }
}

/// The lines that say what helps a record.
fn lines(world: &World, record: &str) -> Vec<String> {
    let shown = world.run(&["record", "show", record]).well().stdout;
    shown.lines().filter_map(|line| Some(line.trim().strip_prefix("next: ")?.to_owned())).collect()
}

/// Why a record stands as it does.
fn codes(world: &World, record: &str) -> Vec<String> {
    let shown = world.run(&["record", "show", record, "--json"]);
    if shown.code != 0 {
        // It is gone.
        return Vec::new();
    }
    let shown = shown.json();
    let pairs = shown["pairs"].as_array().unwrap().iter();
    pairs.filter_map(|pair| Some(pair["code"].as_str()?.to_owned())).collect()
}

/// Does what a line says.
fn follow(world: &World, line: &str, help: &Help<'_>) {
    let Some((_, command)) = line.split_once(": entente ") else { return (help.there)(world, line) };
    if command.starts_with("export") {
        world.run(&["export"]).well();
        return;
    }
    let exported = || (help.file)(world.run(&["export"]).well().stdout);
    let words: Vec<String> = command
        .split(' ')
        .map(|word| match word {
            "FIELD=VALUE" => help.change.to_owned(),
            "COUNTERPART" => (help.counterpart)(world),
            "FILE" => world.file("changed.toml", exported()),
            word => word.to_owned(),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = world.run(&words);
    assert!([0, 3].contains(&output.code), "{line}: {output}");
}

/// Follows each line that is printed for a record, in a world of its own; after a sync the record does not stand so any more, and
/// nothing is written a second time.
#[track_caller]
fn each_clears(code: Code, make: &dyn Fn() -> (World, String), help: &Help<'_>) {
    let (mut world, mut record) = make();
    let all = lines(&world, &record);
    assert_eq!(codes(&world, &record), [code.word()], "{record}");
    assert!(!all.is_empty(), "nothing helps {record}: {}", world.run(&["record", "show", &record]));
    for (n, line) in all.iter().enumerate() {
        if n > 0 {
            (world, record) = make();
        }
        assert_eq!(lines(&world, &record)[n], *line, "the same story");
        follow(&world, line, help);
        if line.contains("entente export") {
            // Only the beginning of what the next line ends.
            continue;
        }
        world.sync(&[]);
        let now = codes(&world, &record);
        assert!(!now.contains(&code.word().to_owned()), "after «{line}» {record} still stands so");
        world.is_quiet();
    }
}

const ROW: &str =
    "First name,Last name,E-mail,City,Changed\nAda,Byron,ada@x.example,Leeds,2020-02-01T00:00:00Z\n";

/// Makes a contact of the hub.
fn made(world: &World, fields: &[&str]) -> String {
    let args: Vec<&str> = ["record", "set", "contact", "--json"].iter().chain(fields).copied().collect();
    format!("contact:{}", world.run(&args).well().json()["id"].as_str().unwrap())
}

fn ada(world: &World) -> String {
    format!("contact:{}", world.find("contact", "email", "ada@x.example").id)
}

fn person(world: &World) -> String {
    format!("HelloWorld/person:{}", world.person("ada@x.example").id)
}

/// Ada on both sides.
fn linked() -> World {
    let world = World::new();
    world.import(ROW).well();
    world.sync(&[]).well();
    world
}

fn with_policy(policy: &str) -> World {
    let world = linked();
    let file = world.run(&["export"]).well().stdout;
    let with = file.replace("left = \"contact\"\n", &format!("left = \"contact\"\ndeletes = \"{policy}\"\n"));
    assert_ne!(file, with);
    world.run(&["apply", &world.file("policy.toml", with)]).well();
    world
}

/// Does in the CRM what a line says of a person there.
fn in_the_crm(world: &World, line: &str, id: &str) {
    let fields = json!({ "email": "other@x.example" });
    let outcome = match line.contains("delete") {
        true => world.crm.delete(Object::Person, id),
        false => world.crm.update(Object::Person, id, fields),
    };
    assert!([200, 204].contains(&outcome.status), "{line}: {outcome:?}");
}

fn id(name: &str) -> &str {
    name.rsplit(':').next().unwrap()
}

#[test]
fn duplicates() {
    let make = || {
        let world = linked();
        let twin = made(&world, &["last_name=Byron", "email=ada@x.example", "mobile=+46 1"]);
        world.sync(&[]).exits(3);
        (world, twin)
    };
    each_clears(Code::DuplicateOf, &make, &Help { change: "email=other@x.example", ..Help::default() });
    // In the other system.
    let second = |world: &World| world.crm.records(Object::Person).last().unwrap().id.clone();
    let make = || {
        let world = linked();
        let fields = json!({ "last_name": "Byron", "email": "ada@x.example" });
        let twin = world.make_person("2020-02-02T00:00:00Z", fields);
        world.sync(&[]).exits(3);
        (world, format!("HelloWorld/person:{twin}"))
    };
    let there = |world: &World, line: &str| in_the_crm(world, line, &second(world));
    each_clears(Code::DuplicateOf, &make, &Help { there: &there, ..Help::default() });
}

#[test]
fn ambiguous() {
    // Candidates that have been read, which two identifiers lead to, are tried by a test of the engine only.
    let make = || {
        let world = World::new();
        for day in ["2020-01-10", "2020-01-11"] {
            let twin = json!({ "last_name": "Byron", "email": "ada@x.example" });
            world.make_person(&format!("{day}T00:00:00Z"), twin);
        }
        world.import(ROW).well();
        // Of a window, so that both are looked up, and not read.
        world.sync(&["--start-datetime", "2020-02-01", "--end-datetime", "2020-02-02"]).exits(3);
        let record = ada(&world);
        (world, record)
    };
    each_clears(Code::Ambiguous, &make, &Help::default());
}

#[test]
fn order_failed() {
    let make = || {
        let world = World::new();
        world.import(ROW).well();
        let fails = Action::Status { status: 400, body: None };
        world.crm.set_faults(vec![Rule::new(fails).path("/batch").times(None)]);
        world.sync(&[]);
        world.crm.reset();
        let record = ada(&world);
        (world, record)
    };
    each_clears(Code::OrderFailed, &make, &Help::default());
}

#[test]
fn not_proven() {
    let make = || {
        let world = linked();
        world.import("Last name,City,Changed\nNemo,Leeds,2020-03-01T00:00:00Z\n").well();
        let window = ["--start-datetime", "2020-03-01", "--end-datetime", "2020-03-02"];
        world.sync(&window).exits(3);
        let record = format!("contact:{}", world.find("contact", "last_name", "Nemo").id);
        (world, record)
    };
    each_clears(Code::AbsenceNotProven, &make, &Help::default());
}

#[test]
fn required() {
    let make = || {
        let world = linked();
        let record = made(&world, &["email=nemo@x.example"]);
        world.sync(&[]).exits(3);
        (world, record)
    };
    let file = |_| {
        "[sync.HelloWorld]\nmapping = \"default\"\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\n\
         fields = { last_name = { right = \"last_name\", default-right = \"unknown\" } }\n"
            .to_owned()
    };
    each_clears(Code::Required, &make, &Help { change: "last_name=Nemo", file: &file, ..Help::default() });
}

#[test]
fn merged() {
    let make = || {
        let world = linked();
        let other = made(&world, &["last_name=Byron", "email=a@x.example"]);
        world.sync(&[]).well();
        let (gone, remains) = (world.person("a@x.example").id, world.person("ada@x.example").id);
        assert_eq!(world.crm.merge(Object::Person, &gone, &remains).status, 200);
        world.sync(&[]).exits(3);
        (world, other)
    };
    each_clears(Code::Merged, &make, &Help::default());
}

#[test]
fn braked() {
    let make = || {
        let world = with_policy("delete");
        let others = ["b@x.example", "c@x.example"]
            .map(|email| made(&world, &["last_name=B", &format!("email={email}")]));
        world.sync(&[]).well();
        let person = person(&world);
        world.run(&["record", "delete", &others[0], &others[1], &ada(&world), "--yes"]).well();
        world.sync(&[]).exits(3);
        (world, person)
    };
    each_clears(Code::Brake, &make, &Help::default());
}

#[test]
fn other_identifiers() {
    let make = || {
        let world = linked();
        made(&world, &["last_name=B", "email=b@x.example"]);
        world.sync(&[]).well();
        let record = ada(&world);
        for (n, email) in ["ada@x.example", "b@x.example"].into_iter().enumerate() {
            let other = json!({ "email": format!("x{n}@y.example"), "last_name": "Stranger" });
            world.edit_person("2020-04-01T00:00:00Z", &world.person(email).id, other);
        }
        world.sync(&[]).exits(3);
        (world, record)
    };
    each_clears(Code::OtherIdentifiers, &make, &Help::default());
}

#[test]
fn deleted_and_edited() {
    let make = || {
        let world = with_policy("delete");
        let person = person(&world);
        world.run(&["record", "delete", &ada(&world)]).well();
        world.edit_person("2099-01-01T00:00:00Z", id(&person), json!({ "city": "York" }));
        world.sync(&["--lift-brake"]).exits(3);
        (world, person)
    };
    let there = |world: &World, line: &str| in_the_crm(world, line, &world.person("ada@x.example").id);
    each_clears(Code::DeletedAndEdited, &make, &Help { there: &there, ..Help::default() });
    let make = || {
        let world = with_policy("delete");
        let (record, person) = (ada(&world), person(&world));
        assert_eq!(world.crm.delete(Object::Person, id(&person)).status, 204);
        world.run(&["record", "set", &record, "city=York"]).well();
        world.sync(&["--lift-brake"]).exits(3);
        (world, record)
    };
    each_clears(Code::DeletedAndEdited, &make, &Help::default());
}

#[test]
fn left_out() {
    let make = || {
        let world = linked();
        let record = ada(&world);
        world.run(&["link", "exclude", &record]).well();
        world.sync(&[]).well();
        (world, record)
    };
    each_clears(Code::LeftOut, &make, &Help::default());
}

#[test]
fn deleted_and_ignored() {
    let make = || {
        let world = linked();
        let person = person(&world);
        world.run(&["record", "delete", &ada(&world)]).well();
        world.sync(&[]).well();
        (world, person)
    };
    let there = |world: &World, line: &str| in_the_crm(world, line, &world.person("ada@x.example").id);
    each_clears(Code::DeletedIgnored, &make, &Help { there: &there, ..Help::default() });
    let make = || {
        let world = linked();
        assert_eq!(world.crm.delete(Object::Person, id(&person(&world))).status, 204);
        world.sync(&[]).well();
        let record = ada(&world);
        (world, record)
    };
    each_clears(Code::DeletedIgnored, &make, &Help::default());
}

#[test]
fn unlinked() {
    let make = || {
        let world = with_policy("unlink");
        let person = person(&world);
        world.run(&["record", "delete", &ada(&world)]).well();
        world.sync(&[]).well();
        (world, person)
    };
    let there = |world: &World, line: &str| in_the_crm(world, line, &world.person("ada@x.example").id);
    let counterpart = |world: &World| {
        let other = made(world, &["last_name=King", "email=king@x.example"]);
        world.sync(&["--dry-run"]);
        other
    };
    each_clears(Code::Unlinked, &make, &Help { there: &there, counterpart: &counterpart, ..Help::default() });
}

#[test]
fn link_removed() {
    let make = || {
        let world = linked();
        let record = ada(&world);
        world.run(&["link", "remove", &record, &person(&world)]).well();
        // They were two people all the time.
        world.run(&["record", "set", &record, "email=king@x.example"]).well();
        world.sync(&[]).well();
        (world, record)
    };
    each_clears(Code::LinkRemoved, &make, &Help { counterpart: &person, ..Help::default() });
}

#[test]
fn undone() {
    let make = || {
        let world = linked();
        world.run(&["run", "undo", "2", "--delete", "1"]).well();
        let record = ada(&world);
        (world, record)
    };
    each_clears(Code::Undone, &make, &Help::default());
}

#[test]
fn withheld() {
    let make = || {
        let world = World::new();
        world.import(ROW).well();
        world.sync(&["--disable-push"]);
        let record = ada(&world);
        (world, record)
    };
    each_clears(Code::WithheldPush, &make, &Help::default());
    let make = || {
        let world = World::new();
        let fields = json!({ "last_name": "Byron", "email": "ada@x.example" });
        let person = world.make_person("2020-02-02T00:00:00Z", fields);
        world.sync(&["--disable-pull"]);
        (world, format!("HelloWorld/person:{person}"))
    };
    each_clears(Code::WithheldPull, &make, &Help::default());
}

#[test]
fn planned() {
    let make = || {
        let world = World::new();
        world.import(ROW).well();
        world.sync(&["--dry-run"]).well();
        let record = ada(&world);
        (world, record)
    };
    each_clears(Code::PlannedCreate, &make, &Help::default());
    let make = || {
        let world = linked();
        let record = ada(&world);
        world.run(&["record", "set", &record, "city=York"]).well();
        world.sync(&["--dry-run"]).well();
        (world, record)
    };
    each_clears(Code::PlannedUpdate, &make, &Help::default());
    let make = || {
        let world = with_policy("delete");
        let person = person(&world);
        world.run(&["record", "delete", &ada(&world)]).well();
        world.sync(&["--dry-run"]).well();
        (world, person)
    };
    each_clears(Code::PlannedDelete, &make, &Help::default());
}

#[test]
fn refused() {
    let make = || {
        let world = linked();
        let record = ada(&world);
        // All that there is to write, so that there is nothing that could go without it.
        world.run(&["record", "set", &record, "phone=call the office"]).well();
        world.sync(&[]).exits(3);
        (world, record)
    };
    let (world, record) = make();
    assert_eq!(codes(&world, &record), ["refused"]);
    let all = lines(&world, &record);
    let [change, retry] = &all[..] else { panic!("{all:?}") };
    let help = Help { change: "phone=+46 1", ..Help::default() };
    // Tried again without a change it is refused again; with one it need not be asked for.
    follow(&world, retry, &help);
    world.sync(&[]).exits(3);
    assert_eq!(codes(&world, &record), ["refused"]);
    follow(&world, change, &help);
    world.sync(&[]).well();
    assert_eq!(codes(&world, &record), Vec::<String>::new());
    assert_eq!(world.person("ada@x.example").fields["phone"], json!("+46 1"));
    world.is_quiet();
}

#[test]
fn conflict() {
    let world = linked();
    let at = "2020-03-01T00:00:00Z";
    world.import(&format!("E-mail,City,Changed\nada@x.example,Lund,{at}\n")).well();
    world.edit_person(at, &world.person("ada@x.example").id, json!({ "city": "Kiruna" }));
    world.sync(&[]).exits(3);
    let status = world.run(&["status", "HelloWorld", "--json"]).well().json();
    let settle = status[0]["waiting"]["list"][0]["remedies"][0]["command"].as_str().unwrap().to_owned();
    follow(&world, &format!("decide: {settle}"), &Help::default());
    world.sync(&[]).well();
    assert_eq!(world.person("ada@x.example").fields["city"], json!("Lund"));
    let waiting: Value =
        world.run(&["status", "HelloWorld", "--json"]).well().json()[0]["waiting"]["total"].clone();
    assert_eq!(waiting, json!(0));
    world.is_quiet();
}
