//! Operator commands between runs: conflicts, retries, status.

use crate::world::World;
use serde_json::{Value, json};

/// A person linked on both sides, with ids on the left and on the right.
fn linked() -> (World, String, String) {
    let world = World::new();
    world.import("First name,Last name,E-mail,City,Phone,Changed\nAda,Ek,ada@ek.example,Umeå,+46 1,2020-02-01T00:00:00Z\n").well();
    world.sync(&[]).well();
    let (contact, person) =
        (world.find("contact", "email", "ada@ek.example").id, world.person("ada@ek.example").id);
    (world, contact, person)
}

/// Edits the city on both sides at the same moment, so that the judge cannot decide.
fn disagree(world: &World, person: &str, at: &str, ours: &str, theirs: &str) {
    world.import(&format!("E-mail,City,Changed\nada@ek.example,{ours},{at}\n")).well();
    world.edit_person(at, person, json!({ "city": theirs }));
}

fn conflicts(world: &World) -> Vec<Value> {
    world.run(&["conflict", "list", "--json"]).well().json()["rows"].as_array().unwrap().clone()
}

fn cities(world: &World) -> (String, Value) {
    (
        world.find("contact", "email", "ada@ek.example").text("city").to_owned(),
        world.person("ada@ek.example").fields["city"].clone(),
    )
}

#[test]
fn v1_a_file_without_times_is_held_against_an_edit_until_it_says_how_old_it_is() {
    for (as_of, city) in [(None, None), (Some("--as-of=2020-02-15"), Some("Kiruna"))] {
        let (world, _, person) = linked();
        let file = world.file("list.csv", "E-mail,City\nada@ek.example,Lund\n");
        let mut import = vec!["record", "import", "contact", file.as_str()];
        import.extend(as_of);
        let output = world.run(&import).well();
        let told = "1 row does not say since when it is right";
        assert_eq!(output.stdout.contains(told), as_of.is_none(), "{output}");
        world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "Kiruna" }));
        let synced = world.sync(&[]);
        assert_eq!(synced.code, if city.is_some() { 0 } else { 3 }, "{synced}");
        let (hub, crm) = cities(&world);
        assert_eq!((hub.as_str(), crm), (city.unwrap_or("Lund"), json!("Kiruna")));
        let open = conflicts(&world);
        assert_eq!(open.len(), usize::from(city.is_none()), "{open:?}");
        if let [one] = &open[..] {
            let reason = one["reason"].as_str().unwrap();
            assert!(
                reason.contains("the hub: at the latest") && reason.contains("HelloWorld: 1 Mar 2020"),
                "{one}"
            );
        }
        world.is_quiet();
    }
}

#[test]
fn s27_a_clock_ahead_wins_nothing_and_is_told_by_the_run_and_by_doctor() {
    let (world, contact, person) = linked();
    world.run(&["doctor"]).well();
    world.run(&["record", "set", &format!("contact:{contact}"), "city=Lund"]).well();
    world.edit_person("2099-03-01T00:00:00Z", &person, json!({ "city": "Kiruna" }));
    let told = "its clock is ahead, or the one here is late";
    world.run(&["sync", "HelloWorld"]).exits(3).says(&["HelloWorld dates person:", "1 Mar 2099", told]);
    let (hub, crm) = cities(&world);
    assert_eq!((hub.as_str(), crm), ("Lund", json!("Kiruna")));
    assert_eq!(conflicts(&world).len(), 1);
    let doctor = world.run(&["doctor"]);
    assert_ne!(doctor.code, 0, "{doctor}");
    doctor.says(&["clock of HelloWorld", told]);
}

#[test]
fn a_conflict_is_listed_and_settled_by_a_side() {
    let (world, contact, person) = linked();
    assert_eq!(conflicts(&world), Vec::<Value>::new());
    world.run(&["conflict", "list"]).well().says(&["no conflict is open"]);
    disagree(&world, &person, "2020-03-01T00:00:00Z", "Lund", "Kiruna");
    world.sync(&[]).exits(3);
    world.sync(&["--strict"]).exits(3);
    let open = conflicts(&world);
    assert_eq!(open.len(), 1, "the same two values are one conflict: {open:?}");
    let one = &open[0];
    assert_eq!(one["records"], json!([format!("contact:{contact}"), format!("HelloWorld/person:{person}")]));
    assert_eq!((&one["sync"], &one["field"], &one["run"]), (&json!("HelloWorld"), &json!("city"), &json!(4)));
    let hub = json!({ "exchange": "hub", "field": "city", "value": "Lund", "since": "2020-03-01T00:00:00Z", "certain": false });
    assert_eq!(one["left"], hub);
    assert_eq!((&one["right"]["exchange"], &one["right"]["value"]), (&json!("HelloWorld"), &json!("Kiruna")));
    assert!(
        one["reason"].as_str().is_some_and(|reason| !reason.is_empty())
            && one["first"].as_str() <= one["last"].as_str(),
        "{one}"
    );
    world.run(&["conflict", "list", "--sync", "HelloWorld"]).well().says(&[
        "Lund",
        "Kiruna",
        "at the latest since 2020-03-01T00:00:00Z",
        "hub: ",
    ]);
    world.run(&["conflict", "list", "--sync", "Other"]).fails(2, &["unknown sync 'Other'"]);
    world
        .run(&["record", "show", &format!("contact:{contact}")])
        .well()
        .says(&["conflict 1 with HelloWorld (Kiruna)"]);

    let settled = world.run(&["conflict", "settle", "1", "--integration"]).well();
    settled.says(&[
        "conflict 1: city takes Kiruna of HelloWorld",
        "1 settled; the next run writes it: entente sync HelloWorld",
    ]);
    assert_eq!(cities(&world), ("Lund".to_owned(), json!("Kiruna")), "settling writes nothing by itself");
    let output = world.sync(&[]).well();
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (1, 0), "{output}");
    assert_eq!(cities(&world), ("Kiruna".to_owned(), json!("Kiruna")));
    assert_eq!(conflicts(&world), Vec::<Value>::new());
    world.is_quiet();
    world
        .run(&["conflict", "settle", "1", "--hub"])
        .fails(1, &["no conflict 1 is open; nothing was settled"]);
}

#[test]
fn a_conflict_is_settled_by_another_value_or_all_at_once() {
    let (world, _, person) = linked();
    disagree(&world, &person, "2020-03-01T00:00:00Z", "Lund", "Kiruna");
    world.sync(&[]).exits(3);
    for (args, part) in [
        (&["conflict", "settle", "1"][..], "--left"),
        (&["conflict", "settle", "--left"], "CONFLICTS"),
        (&["conflict", "settle", "1", "--left", "--value", "x"], "--value"),
    ] {
        world.run(args).fails(2, &[part]);
    }
    world
        .run(&["conflict", "settle", "1", "7", "--left"])
        .fails(1, &["no conflict 7 is open; nothing was settled"]);
    let settled = world.run(&["conflict", "settle", "1", "--value", "Ystad", "--json"]).well().json();
    assert_eq!(
        settled,
        json!([{ "conflict": 1, "sync": "HelloWorld", "choice": { "value": "Ystad" }, "closed": false }])
    );
    world.sync(&[]).well();
    assert_eq!(cities(&world), ("Ystad".to_owned(), json!("Ystad")));
    world.is_quiet();

    disagree(&world, &person, "2099-03-01T00:00:00Z", "Lund", "Kiruna");
    world
        .run(&[
            "record",
            "set",
            &format!("contact:{}", world.find("contact", "email", "ada@ek.example").id),
            "phone=+46 5",
        ])
        .well();
    let _ = world.sync(&[]);
    world.run(&["conflict", "settle", "--all", "--left"]).well();
    world.sync(&[]);
    assert_eq!(conflicts(&world), Vec::<Value>::new());
}

/// A contact whose phone number the CRM refuses.
fn refused() -> (World, String) {
    let (world, contact, _) = linked();
    world.run(&["record", "set", &format!("contact:{contact}"), "phone=not a number"]).well();
    world.sync(&[]).exits(3);
    (world, contact)
}

#[test]
fn what_failed_is_listed_and_tried_again() {
    let (world, contact) = refused();
    let letters = world.run(&["retry", "--json"]).well().json();
    assert_eq!((&letters["total"], &letters["next"]), (&json!(1), &Value::Null), "{letters}");
    let letter = &letters["rows"][0];
    assert_eq!(
        (&letter["sync"], &letter["records"][0]),
        (&json!("HelloWorld"), &json!(format!("contact:{contact}")))
    );
    assert!(letter["records"][1].as_str().unwrap().starts_with("HelloWorld/person:"), "{letter}");
    assert_eq!(letter["attempts"], json!(1));
    assert!(letter["reason"].as_str().unwrap().contains("phone"), "{letter}");
    world.run(&["retry"]).well().says(&[
        "phone",
        &format!("contact:{contact}"),
        "next: try again (--all for all of them): entente retry RECORD",
    ]);
    world.run(&["record", "show", &format!("contact:{contact}")]).well().says(&["failed"]);

    // The record is retried; it fails again, with its attempts counted anew.
    let record = letter["records"][1].as_str().unwrap();
    world
        .run(&["retry", record])
        .well()
        .says(&["was failed; it is tried again by the next run: entente sync HelloWorld"]);
    world.run(&["retry"]).well().says(&["nothing has failed"]);
    world.run(&["retry", record]).well().says(&["only what failed or is held is put back"]);
    world.sync(&[]).exits(3);
    let all = world.run(&["retry", "--all", "--sync", "HelloWorld", "--json"]).well().json();
    assert_eq!(all, json!([{ "sync": "HelloWorld", "records": 1 }]));
    assert_eq!(
        world.run(&["retry", "--all", "--json"]).well().json(),
        json!([{ "sync": "HelloWorld", "records": 0 }])
    );

    world.run(&["record", "set", &format!("contact:{contact}"), "phone=+46 7"]).well();
    world.sync(&[]).well();
    assert_eq!(world.person("ada@ek.example").fields["phone"], json!("+46 7"));
    world.is_quiet();
    world.run(&["retry", "contact"]).fails(2, &["'contact' names no record"]);
    world.run(&["retry", "contact:99"]).fails(1, &["no sync knows the record contact:99"]);
    world.run(&["retry", "contact:1", "--all"]).exits(2);
}

/// Two records without a counterpart become a pair where a person says so; whoever has a counterpart keeps it.
#[test]
fn a_person_says_which_record_is_the_counterpart_of_another() {
    let (world, contact) = refused();
    let linked = world.person("ada@ek.example").id;
    let (contact, person) = (format!("contact:{contact}"), format!("HelloWorld/person:{linked}"));
    let refusal = world.run(&["link", "set", &contact, &person]);
    refusal.fails(1, &["has a counterpart in HelloWorld already", &linked]);
    let other_way = world.run(&["link", "set", &person, &contact, "--json"]).exits(1);
    let told = format!("{person} has a counterpart in HelloWorld already: {contact}");
    let error = other_way.error().unwrap();
    assert_eq!((&error["code"], &error["error"]), (&json!("invalid"), &json!(told)));
    world.run(&["link", "new", &contact]).fails(1, &["has a counterpart"]);
    world.run(&["link", "set", &contact, "person:p1"]).fails(1, &["no sync knows the record person:p1"]);
    world.run(&["link", "set", "contact:99", &person]).fails(1, &["no sync knows the record contact:99"]);
    world.run(&["link", "set", "contact", &person]).fails(2, &["'contact' names no record"]);
    world.run(&["link", "new", &contact, "--sync", "HelloMars"]).fails(2, &["unknown sync 'HelloMars'"]);

    // The same person with two addresses: read by a dry run, and made by nobody yet.
    world.import("Last name,E-mail,Changed\nLee,lee@example.org,2020-02-01T00:00:00Z\n").well();
    let other = json!({ "last_name": "Lee", "email": "lee@example.com" });
    let other = world.make_person("2020-02-01T00:00:00Z", other);
    world.sync(&["--dry-run"]);
    let lee = format!("contact:{}", world.find("contact", "email", "lee@example.org").id);
    let other = format!("HelloWorld/person:{other}");
    world
        .run(&["link", "new", &lee])
        .fails(1, &["no order to make a counterpart of contact:", "entente sync"]);
    world
        .run(&["link", "set", &lee, &person])
        .fails(1, &[&format!("{person} has a counterpart in HelloWorld already: {contact}")]);
    world.run(&["status"]).says(&["entente run apply"]);
    let told = world.run(&["link", "set", &lee, &other]).well();
    told.says(&[&format!("{lee} is linked with {other}"), "entente sync HelloWorld"]);
    world.run(&["link", "set", &lee, &other]).fails(1, &["has a counterpart"]);
    // The plan is of before.
    let status = world.run(&["status"]).says(&["entente sync HelloWorld --dry-run"]);
    assert!(!status.stdout.contains("run apply"), "{status}");
    world.sync(&[]);
    let (_, remote) = world.everything();
    let lees =
        remote.iter().flatten().filter(|one| one.fields.get("last_name") == Some(&json!("Lee"))).count();
    assert_eq!((lees, world.records("contact").len()), (1, 2), "{remote:?}");
}

#[test]
fn a_link_is_shown_removed_and_set_again() {
    let (world, contact, person) = linked();
    let (contact, person) = (format!("contact:{contact}"), format!("HelloWorld/person:{person}"));
    let dry = world.run(&["link", "remove", &contact, &person, "--dry-run", "--json"]).well();
    let dry = &dry.json()[0];
    assert_eq!(
        (&dry["removed"], &dry["dry"], &dry["counterpart"]),
        (&json!(true), &json!(true), &json!(person))
    );
    let field = |name: &str| {
        let fields = dry["fields"].as_array().unwrap();
        fields.iter().find(|of| of["field"] == json!(name)).cloned().unwrap()
    };
    assert_eq!(field("email")["value"], field("email")["other"]);
    let own = format!("{person}2");
    world.run(&["link", "remove", &contact, &own]).fails(1, &["is not linked with"]);
    world
        .run(&["link", "remove", &contact, &person])
        .well()
        .says(&["is no longer linked with", "until you say so"]);
    world.sync(&["--full"]).well();
    assert_eq!(world.records("contact").len(), 1);
    world.run(&["record", "show", &contact]).well().says(&["was removed by hand"]);
    world.run(&["link", "new", &contact]).fails(1, &["has the same identifiers", &person]);
    world.run(&["link", "remove", &contact, &person]).fails(1, &["is not linked with"]);
    world.run(&["link", "set", &contact, &person]).well().says(&["is linked with"]);
    world.sync(&[]);
    world.run(&["sync", "HelloWorld"]).well().says(&["nothing to do"]);
}

/// The number of pairs in the ledger.
fn pairs(world: &World) -> u64 {
    let connection = rusqlite::Connection::open(world.path().join("tenants/default/entente.db")).unwrap();
    connection.query_row("SELECT count(*) FROM pair", [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

#[test]
fn status_counts_every_record_once() {
    let world = World::new();
    world.run(&["status"]).well().says(&[
        "HelloWorld: hub ↔ HelloWorld",
        "it has not run yet",
        "next: see what a run would do: entente sync HelloWorld --dry-run",
    ]);
    let (world, contact) = refused();
    // One pair in conflict, one failed, one held, one deleted, one pending.
    world
        .import(
            "Last name,E-mail,City,Changed\nBo,bo@example.org,Umeå,2020-02-01T00:00:00Z\nGone,gone@example.org,Lund,2020-02-01T00:00:00Z\n",
        )
        .well();
    world.sync(&[]).well();
    let (bo, gone) = (world.person("bo@example.org").id, world.person("gone@example.org").id);
    world.import("E-mail,City,Changed\nbo@example.org,Ystad,2020-05-01T00:00:00Z\n").well();
    world.edit_person("2020-05-01T00:00:00Z", &bo, json!({ "city": "Kiruna" }));
    assert_eq!(world.crm.delete(hello_crm::Object::Person, &gone).status, 204);
    world.sync(&[]).exits(3);
    world.run(&["record", "set", "contact", "last_name=Later", "email=later@example.org"]).well();
    world.sync(&["--disable-push"]).well();

    let status = world.run(&["status", "--json"]).well().json();
    let (one, total) = (&status[0], &status[0]["total"]);
    let count = |name: &str| total[name].as_u64().unwrap();
    assert_eq!(count("records"), pairs(&world), "{status}");
    assert_eq!(
        count("in_sync") + count("pending") + count("failed") + count("held") + count("excluded"),
        count("records"),
        "{status}"
    );
    assert_eq!(
        (count("failed"), count("excluded"), count("conflicts"), count("pending")),
        (1, 1, 1, 1),
        "{status}"
    );
    let sum: u64 =
        one["objects"].as_array().unwrap().iter().map(|object| object["records"].as_u64().unwrap()).sum();
    assert_eq!(sum, count("records"), "{status}");
    assert_eq!(
        (&one["last_run"]["run"], &one["last_run"]["status"]),
        (&json!(8), &json!("done")),
        "{status}"
    );
    let next = one["next"].as_array().unwrap();
    for (step, command) in [
        ("sync", "entente sync HelloWorld"),
        ("list-conflicts", "entente conflict list --sync HelloWorld"),
        ("list-failed", "entente retry --sync HelloWorld"),
    ] {
        let found =
            next.iter().find(|next| next["step"] == step).unwrap_or_else(|| panic!("{step}: {next:?}"));
        assert_eq!((&found["command"], &found["sync"]), (&json!(command), &json!("HelloWorld")));
    }
    let text = world.run(&["status", "HelloWorld"]).well();
    let text = text.says(&["last: run 8", "contact ↔ person", &format!("contact:{contact}"), "conflict"]);
    assert!(
        !text.stdout.contains("the left") && !text.stdout.contains("the right"),
        "sides are called by their names: {text}"
    );
    world.run(&["integration", "set", "HelloWorld", "--disable"]).well();
    world.run(&["status"]).well().says(&["(HelloWorld is disabled)", "next: switch HelloWorld on"]);
    world.run(&["status", "HelloMars"]).fails(2, &["unknown sync 'HelloMars'"]);
}

#[test]
fn a_command_to_copy_names_the_home_that_was_given() {
    let world = World::new();
    let output = world.command(&["status"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let command = format!("entente --home {} sync HelloWorld --dry-run", world.path().display());
    assert!(shown.contains(&command), "«{command}» is not in: {shown}");
}
