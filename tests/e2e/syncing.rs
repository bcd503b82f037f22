//! Convergence: records on both sides come into agreement.

use crate::world::{World, agree, sample};
use hello_crm::{DropWhen, Object};
use serde_json::json;

const WINDOW: [&str; 2] = ["--start-datetime=2020-01-01 00:00:00", "--end-datetime=2020-01-02 00:00:00"];

#[test]
fn a_window_takes_what_changed_in_it_on_both_sides() {
    let world = World::new();
    let moments = [
        ("before", "2019-12-31T23:59:59.999999Z"),
        ("start", "2020-01-01T00:00:00Z"),
        ("last", "2020-01-01T23:59:59.999999Z"),
        ("end", "2020-01-02T00:00:00Z"),
    ];
    for (name, at) in moments {
        world.make_person(at, json!({ "last_name": name, "email": format!("{name}@crm.example") }));
    }
    let rows = moments.map(|(name, at)| format!("{name},{name}@hub.example,{at}\n"));
    world.import(&format!("Last name,E-mail,Changed\n{}", rows.concat())).well();

    let output = world.sync(&WINDOW).well();
    let expected = json!({ "reported": 2, "matched": 0, "created": 2, "updated": 0, "removed": 0, "unchanged": 2, "deleted": 0, "conflicts": 0,
        "held": 0, "failed": 0, "pending": 0, "excluded": 0, "reasons": [] });
    for (exchange, object) in [("hub", "contact"), ("HelloWorld", "person")] {
        let counts = output.counts(exchange, object);
        assert_eq!(counts["reported"], json!(2), "{output}");
        assert_eq!(counts["created"], json!(2), "{output}");
        assert_eq!(
            counts.as_object().map(|counts| counts.keys().collect::<Vec<_>>()),
            expected.as_object().map(|counts| counts.keys().collect())
        );
    }
    let mut hub: Vec<String> =
        world.records("contact").iter().map(|contact| contact.text("email").to_owned()).collect();
    let mut crm: Vec<String> = world
        .crm
        .records(Object::Person)
        .iter()
        .map(|person| person.fields["email"].as_str().unwrap().to_owned())
        .collect();
    hub.sort();
    crm.sort();
    let with = |also: [&str; 2], own: &str| {
        let mut all: Vec<String> = moments.iter().map(|(name, _)| format!("{name}@{own}")).collect();
        all.extend(also.map(str::to_owned));
        all.sort();
        all
    };
    assert_eq!(hub, with(["start@crm.example", "last@crm.example"], "hub.example"));
    assert_eq!(crm, with(["start@hub.example", "last@hub.example"], "crm.example"));

    let again = world.sync(&WINDOW).well();
    assert_eq!((again.written("hub"), again.written("HelloWorld")), (0, 0), "{again}");
    assert_eq!(world.crm.request_count("POST", "/batch"), 1);
}

#[test]
fn counts_have_reasons() {
    let world = World::new();
    world.make_person("2020-01-01T12:00:00Z", json!({ "last_name": "Nobody" }));
    let output = world.sync(&WINDOW).exits(3);
    let counts = output.counts("HelloWorld", "person");
    assert_eq!(counts["held"], json!(1), "{output}");
    let reason = &counts["reasons"][0];
    assert_eq!((&reason["code"], &reason["count"]), (&json!("absence-not-proven"), &json!(1)), "{output}");
    assert!(world.records("contact").is_empty());
    world.run(&["sync", "HelloWorld", WINDOW[0], WINDOW[1]]).exits(3).says(&[
        "1 × not created in the hub: person:",
        "has no email to look it up by; the next full run decides",
    ]);
}

/// A person linked on both sides, last changed on 2020-02-01.
fn linked() -> (World, String, String) {
    let world = World::new();
    world
        .import("First name,Last name,E-mail,City,Changed\nAda,Ek,ada@ek.example,Umeå,2020-02-01T00:00:00Z\n")
        .well();
    world.sync(&[]).well();
    let person = world.person("ada@ek.example");
    assert_eq!(person.fields["city"], json!("Umeå"));
    let contact = world.find("contact", "email", "ada@ek.example");
    (world, contact.id, person.id)
}

#[test]
fn o_plans_and_histories_are_read_by_name_and_field() {
    let (world, contact, person) = linked();
    world.run(&["record", "set", &format!("contact:{contact}"), "city=Ulm"]).well();
    let record = format!("~ HelloWorld/person:{person} «Ada Ek»");
    let plan = world.run(&["sync", "HelloWorld", "--dry-run"]).well().says(&[
        &record,
        "    city  Umeå → Ulm  (",
        "Plan: 0 to create, 1 to change (1 in HelloWorld), 0 to delete",
    ]);
    let number = plan.stdout.split("plan of run ").nth(1).unwrap().split(':').next().unwrap().to_owned();
    for (filter, there) in [
        ("action=update", true),
        ("action=delete", false),
        ("object=contact,status=planned", true),
        ("object=company", false),
        (&*format!("record=contact:{contact}"), true),
    ] {
        let shown = world.run(&["run", "show", &number, "--filter", filter]).well();
        assert_eq!(shown.stdout.contains(&record), there, "{filter}: {shown}");
    }
    world.run(&["run", "show", "abc"]).fails(2, &["it is no number of a run"]);
    world.run(&["run", "show", &number, "--filter", "colour=red"]).fails(2, &["'colour=red' is no filter"]);
    world
        .run(&["sync", "HelloWorld", "--dry-run", "--filter", "action=delete"])
        .well()
        .says(&["no change of the plan is of these"]);
    world
        .run(&["run", "show", &number, "--filter", "action=delete"])
        .well()
        .says(&["no change of it is of these"]);
    world
        .run(&["sync", "HelloWorld"])
        .well()
        .says(&["Done: 0 created, 1 changed (1 in HelloWorld), 0 deleted"]);
    let history = world.run(&["record", "history", &format!("contact:{contact}"), "--field", "city"]);
    let history = history.well().says(&[
        "set by hand: city = Ulm",
        "of HelloWorld: ~ HelloWorld/person:",
        "city  Umeå → Ulm  (",
    ]);
    assert!(!history.stdout.contains("email"), "{history}");
    let remote = world.run(&["record", "history", &format!("HelloWorld/person:{person}")]).well();
    let _ = remote.says(&["Umeå → Ulm", "+ HelloWorld/person:", "ada@ek.example"]);
    world
        .run(&["record", "history", &format!("contact:{contact}"), "--field", "shoe"])
        .fails(1, &["contact has no field 'shoe'; it has"]);
    world.run(&["record", "history", "contact:999"]).fails(1, &["999"]);
    world.run(&["record", "history", "HelloWorld/person:none"]).fails(1, &["no sync knows"]);
}

#[test]
fn of_two_edits_of_a_field_the_later_one_stays() {
    let (world, contact, person) = linked();
    // The CRM's edit is later.
    world.import("E-mail,City,Changed\nada@ek.example,Lund,2020-03-01T00:00:00Z\n").well();
    world.edit_person("2020-03-01T00:00:01Z", &person, json!({ "city": "Kiruna" }));
    let output = world.sync(&[]).well();
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (1, 0), "{output}");
    assert_eq!(world.find("contact", "email", "ada@ek.example").text("city"), "Kiruna");
    assert_eq!(world.person("ada@ek.example").fields["city"], json!("Kiruna"));
    world.is_quiet();

    // The hub's edit is later: now, against 2020 in the CRM.
    world.edit_person("2020-04-01T00:00:00Z", &person, json!({ "city": "Malmö" }));
    world.run(&["record", "set", &format!("contact:{contact}"), "city=Visby"]).well();
    let output = world.sync(&[]).well();
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (0, 1), "{output}");
    assert_eq!(world.find("contact", "email", "ada@ek.example").text("city"), "Visby");
    assert_eq!(world.person("ada@ek.example").fields["city"], json!("Visby"));
    world.is_quiet();
}

#[test]
fn edits_of_two_fields_on_two_sides_both_stay() {
    let (world, contact, person) = linked();
    world.run(&["record", "set", &format!("contact:{contact}"), "phone=+46 90 1"]).well();
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "city": "Kiruna", "tags": ["vip"] }));
    let output = world.sync(&[]).well();
    assert_eq!((output.written("hub"), output.written("HelloWorld")), (1, 1), "{output}");
    let (hub, crm) = (world.find("contact", "email", "ada@ek.example"), world.person("ada@ek.example"));
    assert_eq!(
        (hub.text("phone"), hub.text("city"), &hub.fields["tags"]),
        ("+46 90 1", "Kiruna", &json!(["vip"]))
    );
    assert_eq!(
        (&crm.fields["phone"], &crm.fields["city"], &crm.fields["tags"]),
        (&json!("+46 90 1"), &json!("Kiruna"), &json!(["vip"]))
    );
    assert_eq!((hub.text("first_name"), &crm.fields["first_name"]), ("Ada", &json!("Ada")));
    world.is_quiet();
}

#[test]
fn elements_that_were_added_to_a_set_on_both_sides_both_stay() {
    let (world, contact, person) = linked();
    world.run(&["record", "set", &format!("contact:{contact}"), "tags=hub"]).well();
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "tags": ["crm"] }));
    world.sync(&[]).well();
    let mut tags: Vec<String> =
        serde_json::from_value(world.find("contact", "email", "ada@ek.example").fields["tags"].clone())
            .unwrap();
    tags.sort();
    assert_eq!(tags, ["crm", "hub"]);
    assert_eq!(world.person("ada@ek.example").fields["tags"], json!(["crm", "hub"]));
    world.is_quiet();
}

#[test]
fn a_cleared_field_is_cleared_on_the_other_side() {
    let (world, contact, person) = linked();
    world.run(&["record", "set", &format!("contact:{contact}"), "city="]).well();
    world.sync(&[]).well();
    assert_eq!(world.person("ada@ek.example").fields["city"], json!(null));
    world.edit_person("2020-03-01T00:00:00Z", &person, json!({ "first_name": null }));
    world.sync(&[]).well();
    assert_eq!(
        world
            .find("contact", "email", "ada@ek.example")
            .fields
            .get("first_name")
            .cloned()
            .unwrap_or_default(),
        json!(null)
    );
    world.is_quiet();
}

#[test]
fn a_deleted_record_is_not_made_again() {
    let (world, _, person) = linked();
    assert_eq!(world.crm.delete(Object::Person, &person).status, 204);
    world.sync(&[]);
    world.sync(&["--full"]);
    assert_eq!(world.crm.count(Object::Person), 0);
    assert_eq!(world.records("contact").len(), 1, "the survivor stays");
    world.is_quiet();
}

#[test]
fn a_first_sync_of_two_full_sides_joins_them_once() {
    let world = World::with_sample(300);
    for (object, file) in [("company", "companies.csv"), ("contact", "contacts.csv")] {
        world.run(&["record", "import", object, &sample(file)]);
    }
    let before = (world.records("contact").len(), world.crm.count(Object::Person));
    assert!(before.0 > 200 && before.1 == 300, "{before:?}");

    let first = world.sync(&["--first-time-sync"]);
    assert!([0, 3].contains(&first.code), "{first}");
    assert!(first.written("hub") > 100 && first.written("HelloWorld") > 100, "{first}");
    let (matched, held) =
        (first.counts("HelloWorld", "person")["matched"].as_u64().unwrap(), |exchange, object| {
            first.counts(exchange, object)["held"].as_u64().unwrap() as usize
        });
    assert!(matched > 20, "{first}");
    assert_eq!(
        first.code,
        if held("hub", "contact") + held("HelloWorld", "person") > 0 { 3 } else { 0 },
        "{first}"
    );
    let people = world.crm.count(Object::Person);
    let contacts = world.records("contact").len();
    assert_eq!(contacts, before.0 + first.counts("hub", "contact")["created"].as_u64().unwrap() as usize);
    assert_eq!(people, before.1 + first.counts("HelloWorld", "person")["created"].as_u64().unwrap() as usize);

    for options in [&[][..], &["--full"], &["--first-time-sync"]] {
        let (before, batches) = (world.everything(), world.crm.request_count("POST", "/batch"));
        let again = world.sync(options);
        // Held records are listed by every run, and left by those alone that have met them.
        assert_eq!(again.json()["waiting"]["total"], first.json()["waiting"]["total"], "{again}");
        assert_eq!(again.json()["waiting"]["held"], first.json()["waiting"]["held"], "{again}");
        assert_eq!((again.written("hub"), again.written("HelloWorld")), (0, 0), "{again}");
        assert_eq!(world.crm.request_count("POST", "/batch"), batches, "{again}");
        assert!(world.everything() == before, "{again}");
    }
    agree(&world);
}

#[test]
fn an_answer_that_got_lost_makes_nothing_twice() {
    let world = World::with_sample(40);
    world.run(&["record", "import", "company", &sample("companies.csv")]).well();
    world.crm.add_fault(
        hello_crm::Rule::new(hello_crm::Action::Drop { drop: DropWhen::After }).path("/batch").times(2),
    );
    let output = world.sync(&[]);
    assert!([0, 3].contains(&output.code), "{output}");
    assert_eq!(world.crm.faults()[0].struck, 2, "{output}");
    world.sync(&[]);
    agree(&world);
    world.is_quiet();
}
