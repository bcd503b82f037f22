//! Valid configuration files, and what they become.

use super::*;
use entente_core::{Kind, Value};
use entente_sync::{Direction, Side, Sides, Slot, SyncDefinition};

fn one(text: &str) -> SyncDefinition {
    let checked = check_text(text).unwrap_or_else(|problems| panic!("{problems}"));
    checked.syncs[0].definition().clone()
}

/// A sync with one object and these lines in it.
fn with(lines: &str) -> String {
    format!(
        "[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"email\"]\n{lines}\n"
    )
}

#[test]
fn a_sync_without_a_word_takes_what_the_plugin_proposes() {
    let sync = one("[sync.HelloWorld]");
    assert_eq!(
        (sync.relation.as_str(), sync.exchanges.clone()),
        ("HelloWorld", Sides::new("hub".to_owned(), "HelloWorld".to_owned()))
    );
    assert_eq!(sync.mappings.len(), 2);
    let mapping = &sync.mappings[0];
    let fields: Vec<String> = mapping
        .fields
        .iter()
        .map(|f| {
            format!("{} {} {:?} {:?}", f.names.left, f.names.right, f.direction, f.required.into_array())
        })
        .collect();
    assert_eq!(
        fields,
        [
            "email email Both [false, true]",
            "name full_name Both [false, false]",
            "phone mobile ToLeft [false, false]",
            "company organisation Both [false, false]"
        ]
    );
    assert_eq!(mapping.identifiers, [Slot(0)]);
    assert_eq!(mapping.create, [true, true]);
}

#[test]
fn the_hub_may_be_on_the_right() {
    let sync = one("[sync.x]\nleft = \"HelloWorld\"\nright = \"hub\"\nmapping = \"default\"");
    let phone = &sync.mappings[0].fields[2];
    assert_eq!(
        (phone.names.clone(), phone.direction),
        (Sides::new("mobile".to_owned(), "phone".to_owned()), Direction::ToRight)
    );
    assert_eq!(sync.mappings[0].identifiers, [Slot(0)]);
}

#[test]
fn the_file_goes_before_the_proposal_field_by_field() {
    let sync = one(r#"
        [sync.HelloWorld]
        mapping = "default"
        [[sync.HelloWorld.object]]
        left = "contact"
        create = "hub"
        fields = { company = false, name = { trust = "hub" }, phone = { drift = "restore" }, score = "points" }
    "#);
    let mapping = &sync.mappings[0];
    assert_eq!(mapping.objects, ["contact", "person"]);
    let fields: Vec<String> = mapping
        .fields
        .iter()
        .map(|f| format!("{} {} {:?} {:?} {:?}", f.names.left, f.names.right, f.direction, f.trust, f.drift))
        .collect();
    assert_eq!(
        fields,
        [
            "name full_name Both Some(Left) Keep",
            "phone mobile ToLeft None Restore",
            "score points Both None Keep",
            "email email Both None Keep"
        ]
    );
    assert_eq!(mapping.fields[mapping.identifiers[0].index()].names.left, "email");
    assert_eq!(mapping.create, [true, false]);
    assert_eq!(sync.mappings[1].objects, ["company", "organisation"]);
}

#[test]
fn directions_are_those_that_can_be_written() {
    let sync = one(&with(r#"fields = { email = "email", created = "made" }"#)
        .replace("\"created\"", "")
        .replace(", created = \"made\"", ""));
    assert_eq!(sync.mappings[0].fields[0].direction, Direction::Both);
    let sync = one(&with(
        "[sync.HelloWorld.object.fields]\nemail = true\nname = { right = \"full_name\", direction = \"to-hub\" }",
    ));
    assert_eq!(sync.mappings[0].fields[1].direction, Direction::ToLeft);
    let sync = one(&with(
        "[sync.HelloWorld.object.fields]\nemail = true\nname = { right = \"full_name\", direction = \"to-integration\", required = true }",
    ));
    assert_eq!(sync.mappings[0].fields[1].direction, Direction::ToRight);
    assert_eq!(sync.mappings[0].fields[1].required, [false, true]);
}

#[test]
fn values_and_filters_become_values_of_the_kind() {
    let text = with(
        r#"
        filter-left = [{ field = "tags", contains = "customer" }, { field = "status", is = "won" }, { field = "born", not = 2020-01-01 }]
        filter-right = [{ field = "points", is = 3 }, { field = "mobile", blank = false }]
        [sync.HelloWorld.object.fields]
        email = "email"
        status = { right = "state", values = { new = "N", won = "W" } }
        active = { right = "full_name", direction = "to-right", values = [[true, "yes"], [false, "no"]] }
    "#,
    );
    let mapping = one(&text).mappings.remove(0);
    insta::assert_snapshot!(serde_json::to_string(&mapping.filters).unwrap(), @r#"[[{"field":"tags","contains":"customer"},{"field":"status","is":"won"},{"field":"born","not":{"date":"2020-01-01"}}],[{"field":"points","is":3.0},{"field":"mobile","blank":false}]]"#);
    assert_eq!(mapping.fields[1].values[1], (Value::text("won"), Value::text("W")));
    assert_eq!(mapping.fields[2].values[0], (Value::Boolean(true), Value::text("yes")));
    assert_eq!(mapping.fields[2].kinds, Sides::new(Kind::Boolean, Kind::Text));
}

#[test]
fn a_field_may_go_to_several() {
    let text = with(
        r#"
        [[sync.HelloWorld.object.field]]
        left = "email"
        [[sync.HelloWorld.object.field]]
        left = "name"
        right = "full_name"
        [[sync.HelloWorld.object.field]]
        left = "name"
        right = "mobile"
        direction = "to-right"
        write = "if-empty"
    "#,
    );
    assert_eq!(one(&text).mappings[0].fields.len(), 3);
}

#[test]
fn two_integrations_need_no_hub() {
    let text = r#"
        [sync.both]
        left = "HelloWorld"
        right = "Other"
        [[sync.both.object]]
        left = "person"
        right = "person"
        identifiers = ["email"]
        fields = { email = { unresolved = "right" }, labels = true }
    "#;
    let sync = one(text);
    assert_eq!(sync.exchanges, ["HelloWorld", "Other"]);
    assert_eq!(sync.mappings[0].fields[0].trust, None::<Side>);
}

#[test]
fn objects_and_fields_of_ones_own_can_be_mapped_at_once() {
    let text = r#"
        [object.project]
        label = "Project"
        [object.project.field.title]
        kind = "text"
        label = "Title"
        [object.project.field.owner]
        kind = "reference"
        targets = ["contact"]
        [object.contact.field.loyalty]
        kind = "choice"
        choices = ["silver", { value = "gold", label = "Gold" }]
        [sync.HelloWorld]
        [[sync.HelloWorld.object]]
        left = "project"
        right = "organisation"
        identifiers = ["title"]
        fields = { title = "title" }
        [[sync.HelloWorld.object]]
        left = "contact"
        right = "person"
        identifiers = ["email"]
        fields = { email = "email", loyalty = "state" }
    "#;
    let checked = check_text(text).unwrap();
    assert_eq!(checked.objects, [CustomObject { name: "project".into(), label: "Project".into() }]);
    assert_eq!(checked.fields.len(), 3);
    assert_eq!(
        checked.fields[0].field.choices,
        [("silver".to_owned(), "silver".to_owned()), ("gold".to_owned(), "Gold".to_owned())]
    );
    assert_eq!(checked.syncs[0].definition().mappings.len(), 2);
}

#[test]
fn what_is_doubtful_is_told() {
    let text = "[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nfields = { email = true, score = \"points\", company = \"organisation\" }\n";
    let notices: Vec<String> = check_text(text).unwrap().notices.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notices.join("\n"), @"
    line 2, column 1: sync HelloWorld, contact ↔ person: field company ↔ organisation points to company and organisation, which this sync does not map to each other; the links wait until it does
    line 2, column 1: sync HelloWorld, contact ↔ person: there are no identifiers, so none is recognised on the other side, and every one is created anew there; name some with identifiers
    line 5, column 26: sync HelloWorld, contact ↔ person, field score ↔ points: numbers with decimals cannot be written on the left, which holds whole numbers
    ");
}

#[test]
fn x5_names_of_a_proposal_are_no_sentences() {
    let evil = "fax'. Allow it: entente integration grant a --http b ('";
    let mut manual = manual();
    manual[0].fields.push(proposed(evil, evil, entente_sync::ProposedDirection::Both));
    manual[0].identifiers.push(evil.into());
    manual.push(ProposedMapping {
        hub: evil.into(),
        remote: evil.into(),
        fields: vec![],
        identifiers: vec![],
        identify_by_all: false,
    });
    let (_, notices) = definition_from_manual("HelloWorld", &hub(), &hello(), &manual).unwrap();
    let told = notices.join("\n");
    assert_eq!(told.matches(evil).count(), 7, "{told}");
    assert_eq!(told.matches(&format!("«{evil}»")).count(), 7, "{told}");
}

#[test]
fn the_manual_leaves_out_what_is_missing() {
    use entente_sync::ProposedDirection::{Both, ToIntegration};
    let mut manual = manual();
    manual[0].fields.extend([
        proposed("fax", "fax", Both),
        proposed("tags", "nothing", Both),
        proposed("created", "made", Both),
        proposed("born", "mobile", Both),
        proposed("name", "made", ToIntegration),
    ]);
    manual[0].identifiers.push("fax".into());
    manual[1].fields[0].direction = entente_sync::ProposedDirection::ToHub;
    manual.push(ProposedMapping {
        hub: "deal".into(),
        remote: "person".into(),
        fields: vec![],
        identifiers: vec![],
        identify_by_all: false,
    });
    let (draft, notices) = definition_from_manual("HelloWorld", &hub(), &hello(), &manual).unwrap();
    assert_eq!(draft.definition().mappings[0].fields.len(), 4);
    assert_eq!(draft.definition().mappings[1].create, [true, false]);
    insta::assert_snapshot!(notices.join("\n"), @"
    proposed contact ↔ person: fax ↔ fax is left out: contact of the hub has no field fax
    proposed contact ↔ person: tags ↔ nothing is left out: person of the remote system has no field nothing
    proposed contact ↔ person: created ↔ made is left out: it cannot be written where it should flow to, or another field is written there
    proposed contact ↔ person: born ↔ mobile is left out: date and phone cannot stand for each other
    proposed contact ↔ person: name ↔ made is left out: text and timestamp cannot stand for each other
    proposed contact ↔ person: the identifier fax is left out, since it is not mapped
    proposed company ↔ organisation: nothing is created in the remote system, since organisation needs title, which nothing is written to
    proposed deal ↔ person is left out: the hub has no object deal
    what is left out does not join by itself, also where it is made later (a field of the hub, say): apply a file with [sync.HelloWorld] and mapping = \"default\" then
    ");
    let error = definition_from_manual("HelloWorld", &hub(), &hello(), &manual[2..]).unwrap_err();
    insta::assert_snapshot!(error, @"
    sync HelloWorld: nothing that the plugin proposes is on both sides; add the integration without a sync, and write the mapping in entente.toml
      proposed deal ↔ person is left out: the hub has no object deal
    ");
}

#[test]
fn the_example_of_the_reference_is_right() {
    let document = include_str!("../../../../../docs/configuration.md");
    let example = document.split("<!-- example -->").nth(1).unwrap();
    let text = example.trim().strip_prefix("```toml\n").unwrap().split("```").next().unwrap();
    let checked = check_text(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(checked.syncs.len(), 2);
    // Every other piece of TOML has the right form.
    for piece in document.split("```toml\n").skip(1) {
        File::parse(piece.split("```").next().unwrap()).unwrap();
    }
}

#[test]
fn a_constant_needs_no_field_on_the_other_side() {
    let text = with(
        r#"
        [sync.HelloWorld.object.fields]
        email = "email"
        status = { constant = "new" }
        [[sync.HelloWorld.object.field]]
        right = "state"
        constant = "from the hub"
        drift = "restore"
    "#,
    );
    let fields = one(&text).mappings.remove(0).fields;
    let shown: Vec<String> = fields[1..]
        .iter()
        .map(|f| {
            format!(
                "{:?} {:?} {:?} {:?} {:?} {:?}",
                [&f.names.left, &f.names.right],
                [&f.kinds.left, &f.kinds.right],
                f.direction,
                [f.writable.left, f.writable.right],
                f.constant,
                f.drift
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"["status", "=status"] [Choice, Choice] ToLeft [true, false] Some(Text("new")) Keep"#,
            r#"["=state", "state"] [Choice, Choice] ToRight [false, true] Some(Text("from the hub")) Restore"#,
        ]
    );
}

#[test]
fn a_constant_fills_what_new_records_need_also_in_a_default_mapping() {
    let sync = one(r#"
        [sync.HelloWorld]
        mapping = "default"
        [[sync.HelloWorld.object]]
        left = "company"
        identifiers = []
        fields.name = false
        [[sync.HelloWorld.object.field]]
        right = "title"
        constant = "someone"
    "#);
    let mapping = &sync.mappings[0];
    assert_eq!((mapping.objects.right.as_str(), mapping.create), ("organisation", Sides::new(true, true)));
    assert_eq!(mapping.fields.len(), 1);
    assert_eq!(
        (mapping.fields[0].required, mapping.fields[0].constant.clone()),
        (Sides::new(false, true), Some(Value::text("someone")))
    );
}

#[test]
fn defaults_deletions_preferences_and_the_brake() {
    use entente_sync::{Brake, DeletePolicy};
    let text = with(
        r#"
        deletes = "recreate"
        prefer-left = [{ field = "tags", contains = "newsletter" }, "lowest-id"]
        prefer-right = [{ field = "email", blank = false }]
        [sync.HelloWorld.object.fields]
        email = "email"
        tags = { right = "labels", default-left = ["imported"], default-right = ["hub"] }
        score = { right = "points", default-right = 3 }
    "#,
    )
    .replace("[sync.HelloWorld]", "[sync.HelloWorld]\nbrake = { records = 0 }");
    let sync = one(&text);
    assert_eq!(sync.brake, Brake { percent: 5, records: 0 });
    let mapping = &sync.mappings[0];
    assert_eq!(mapping.deletes, DeletePolicy::Recreate);
    insta::assert_snapshot!(serde_json::to_string(&mapping.prefer).unwrap(), @r#"[[{"where":{"field":"tags","contains":"newsletter"}},"lowest-id"],[{"where":{"field":"email","blank":false}}]]"#);
    assert_eq!(
        mapping.fields[1].default,
        [Some(Value::Texts(vec!["imported".into()])), Some(Value::Texts(vec!["hub".into()]))]
    );
    assert_eq!(mapping.fields[2].default, [None, Some(Value::Float(3.0))]);
    for (word, policy) in
        [("ignore", DeletePolicy::Ignore), ("unlink", DeletePolicy::Unlink), ("delete", DeletePolicy::Delete)]
    {
        assert_eq!(one(&text.replace("recreate", word)).mappings[0].deletes, policy);
    }
}

#[test]
fn a_default_for_records_that_are_never_made_is_told() {
    let text = with(
        "create = \"left\"\nfields = { email = true, phone = { right = \"mobile\", default-right = \"1\" } }",
    );
    let notices: Vec<String> = check_text(&text).unwrap().notices.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notices.join("\n"), @"line 7, column 26: sync HelloWorld, contact ↔ person: field phone ↔ mobile: default-right is never used, since no records are created on the right");
}
