//! Invalid configuration files, and the full message for each.

use super::*;

fn said(text: &str) -> String {
    match check_text(text) {
        Ok(_) => "nothing".to_owned(),
        Err(message) => message,
    }
}

/// A sync with these lines; the first of them is line 7.
fn with(lines: &str) -> String {
    said(&format!(
        "[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"email\"]\nfields.email = true\n{lines}\n"
    ))
}

#[test]
fn the_form() {
    insta::assert_snapshot!(said("[sync.x"), @"line 1, column 8: unclosed table, expected `]`");
    insta::assert_snapshot!(said("a = 1\n[snyc.x]"), @"line 1, column 1: unknown field `a`, expected one of `object`, `integration`, `sync`");
    insta::assert_snapshot!(said("[sync.x]\nlefft = \"hub\""), @"line 2, column 1: unknown field `lefft`, expected one of `left`, `right`, `relation`, `mapping`, `brake`, `object`");
    insta::assert_snapshot!(said("[[sync.x.object]]\nfields = { a = { right = \"b\", direction = \"to-lef\" } }"), @"line 2, column 43: unknown variant `to-lef`, expected one of `to-left`, `to-right`, `to-hub`, `to-integration`, `both`");
    insta::assert_snapshot!(said("[[sync.x.object]]\nfields = { a = { right = \"b\", directon = \"to-left\" } }"), @"line 2, column 31: unknown field `directon`, expected one of `left`, `right`, `direction`, `required`, `trust`, `unresolved`, `blanks`, `write`, `drift`, `values`, `constant`, `default-left`, `default-right`");
    insta::assert_snapshot!(said("[[sync.x.object]]\nfields = { a = 1 }"), @"line 2, column 16: invalid type: integer `1`, expected the name of the field on the right, true (the same name), false (not mapped), or a table");
    insta::assert_snapshot!(said("[[sync.x.object]]\ncreate = true"), @"line 2, column 10: a text is wanted here");
    insta::assert_snapshot!(said("[[sync.x.object]]\nfields = { a = { required = \"yes\" } }"), @"line 2, column 29: required is true, false, left, right, hub or integration");
    insta::assert_snapshot!(said("[integration.x]\nenabled = true"), @"line 1, column 1: missing field `plugin`");
    insta::assert_snapshot!(said("[integration.x]\nplugin = \"p\"\nplugin = \"q\""), @"line 3, column 1: duplicate key");
}

#[test]
fn exchanges_and_relations() {
    insta::assert_snapshot!(said("[sync.HelloWord]"), @"line 1, column 7: sync HelloWord: unknown integration 'HelloWord' (right is missing, so the name of the sync was taken); there is: HelloWorld");
    insta::assert_snapshot!(said("[sync.x]\nright = \"nothing-like-it\""), @"line 2, column 9: sync x: unknown integration 'nothing-like-it'; there is: HelloWorld, Other, hub");
    insta::assert_snapshot!(said("[sync.x]\nright = \"hub\""), @"line 2, column 9: sync x: 'hub' is on both sides; a sync joins two");
    insta::assert_snapshot!(said("[sync.\"x y\"]\nright = \"HelloWorld\""), @"line 1, column 7: sync x y: 'x y' cannot be the name of a sync: ' ' is none of letters (a to z), digits, dash and underscore");
    insta::assert_snapshot!(said("[sync.a]\nright = \"HelloWorld\"\nrelation = \"people\"\n[sync.b]\nright = \"HelloWorld\"\nrelation = \"people\"\n[sync.c]\nleft = \"HelloWorld\"\nright = \"hub\"\nrelation = \"people\""), @"line 10, column 12: sync c: the relation 'people' belongs to sync a, which joins hub and HelloWorld; give this one a relation of its own");
    insta::assert_snapshot!(said("[sync.x]\nleft = \"HelloWorld\"\nright = \"Other\"\nmapping = \"default\""), @"line 4, column 11: sync x: a default mapping joins the hub with an integration; list the objects of this sync with [[sync.NAME.object]]");
    insta::assert_snapshot!(said("[sync.Other]"), @"line 1, column 7: sync Other: the plugin of Other proposes no mapping; list the objects with [[sync.Other.object]]");
}

#[test]
fn objects() {
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contacts\"\nright = \"persno\"\nfields.email = true"), @"
    line 3, column 8: sync HelloWorld: the hub has no object 'contacts'; there is: contact; [object.NAME] defines one
    line 4, column 9: sync HelloWorld: HelloWorld has no object 'persno'; there is: person
    ");
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nfields.email = true"), @"line 2, column 1: sync HelloWorld: an object needs left and right; right is missing (HelloWorld has person, organisation, log)");
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\""), @"line 2, column 1: sync HelloWorld, contact ↔ person: no fields are mapped; list them under fields");
    insta::assert_snapshot!(with("[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"email\"]\nfields.email = true"), @"line 7, column 1: sync HelloWorld, contact ↔ person: these objects are mapped twice; put the fields of both into one, and filters where they differ");
}

#[test]
fn fields() {
    insta::assert_snapshot!(with("fields.nmae = \"full_name\"\nfields.phone = \"mobil\"\nfields.fax = true"), @"
    line 7, column 8: sync HelloWorld, contact ↔ person: contact of the hub has no field 'nmae'; there is: name; [object.contact.field.NAME] defines one
    line 8, column 8: sync HelloWorld, contact ↔ person: person of HelloWorld has no field 'mobil'; there is: mobile
    line 9, column 8: sync HelloWorld, contact ↔ person: contact of the hub has no field 'fax'; there is: email, name, phone, score, active, born, status, company, tags, created; [object.contact.field.NAME] defines one
    line 9, column 8: sync HelloWorld, contact ↔ person: person of HelloWorld has no field 'fax'; there is: email, full_name, mobile, points, state, organisation, labels, made
    ");
    insta::assert_snapshot!(with("fields.score = \"full_name\"\nfields.tags = \"full_name\"\nfields.company = \"full_name\""), @"
    line 7, column 8: sync HelloWorld, contact ↔ person, field score ↔ full_name: integer and text cannot stand for each other; map fields of one kind, or say with values which value stands for which
    line 8, column 8: sync HelloWorld, contact ↔ person, field tags ↔ full_name: choices and text cannot stand for each other; map fields of one kind
    line 9, column 8: sync HelloWorld, contact ↔ person, field company ↔ full_name: reference and text cannot stand for each other; map fields of one kind
    ");
    insta::assert_snapshot!(with("fields.created = \"made\""), @"line 7, column 8: sync HelloWorld, contact ↔ person, field created ↔ made: neither side can be written; leave it out");
    insta::assert_snapshot!(with("fields.phone = { right = \"mobile\", direction = \"to-left\" }\nfields.name = { right = \"mobile\", direction = \"to-right\" }\nfields.status = { right = \"mobile\" }"), @"line 9, column 8: sync HelloWorld, contact ↔ person, field status ↔ mobile: 'mobile' of HelloWorld is written by 'name' already; a field takes its value from one other: leave one out, or turn its direction");
    insta::assert_snapshot!(with("[[sync.HelloWorld.object.field]]\nleft = \"email\""), @"line 7, column 1: sync HelloWorld, contact ↔ person, field email ↔ email: these fields are mapped twice");
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"log\"\nfields.name = { right = \"line\", direction = \"to-right\" }\ncreate = \"both\""), @r#"
    line 5, column 45: sync HelloWorld, contact ↔ log, field name ↔ line: it cannot be written in HelloWorld; write direction = "to-left"
    line 6, column 10: sync HelloWorld, contact ↔ log: records of log cannot be created in HelloWorld; write create = "left"
    "#);
}

#[test]
fn creating_and_identifying() {
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"full_name\", \"emial\"]\nfields.name = \"full_name\""), @r#"
    line 2, column 1: sync HelloWorld, contact ↔ person: a new person of HelloWorld needs email, which nothing is written to; map it, or write create = "left"
    line 5, column 16: sync HelloWorld, contact ↔ person: the identifier 'full_name' is not among the mapped fields (identifiers are named by the left side: here 'name'); there is: name
    line 5, column 29: sync HelloWorld, contact ↔ person: the identifier 'emial' is not among the mapped fields; there is: name
    "#);
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"tags\", \"active\"]\ncreate = \"integration\"\nfields.tags = \"labels\"\nfields.email = { direction = \"to-hub\" }"), @r#"
    line 5, column 16: sync HelloWorld, contact ↔ person: 'tags' cannot tell records apart: it is of the kind choices
    line 5, column 24: sync HelloWorld, contact ↔ person: the identifier 'active' is not among the mapped fields; there is: tags, email
    line 6, column 10: sync HelloWorld, contact ↔ person: a new person of HelloWorld needs email, which nothing is written to; map it, or write create = "none"
    "#);
    insta::assert_snapshot!(said("[sync.x]\nleft = \"Other\"\nright = \"HelloWorld\"\n[[sync.x.object]]\nleft = \"person\"\nright = \"person\"\ncreate = \"hub\"\nidentifiers = [\"email\"]\nfields = { email = { direction = \"to-hub\", trust = \"hub\" } }"), @"
    line 7, column 10: sync x, person ↔ person: create: neither side of this sync is the hub, so write left or right
    line 9, column 34: sync x, person ↔ person, field email ↔ email: neither side of this sync is the hub, so write to-left or to-right
    ");
}

#[test]
fn policies() {
    insta::assert_snapshot!(with("fields.name = { right = \"full_name\", direction = \"to-right\", trust = \"left\", unresolved = \"left\", blanks = \"fill\", required = \"left\" }\nfields.phone = { right = \"mobile\", drift = \"restore\", trust = \"left\", unresolved = \"right\" }"), @r#"
    line 7, column 70: sync HelloWorld, contact ↔ person, field name ↔ full_name: trust is for fields that flow both ways; with direction to-right the source always wins: leave trust out
    line 7, column 91: sync HelloWorld, contact ↔ person, field name ↔ full_name: unresolved is for fields that flow both ways; with direction to-right nothing is judged: leave it out
    line 7, column 108: sync HelloWorld, contact ↔ person, field name ↔ full_name: blanks = "fill" writes back to the side that is blank, and with direction to-right that is not written; take "keep"
    line 7, column 127: sync HelloWorld, contact ↔ person, field name ↔ full_name: required on the left, but nothing flows there (direction to-right)
    line 8, column 44: sync HelloWorld, contact ↔ person, field phone ↔ mobile: drift is for fields that flow one way; an edit on either side of this one is a change: leave drift out
    line 8, column 84: sync HelloWorld, contact ↔ person, field phone ↔ mobile: with trust nothing is left unresolved; leave one of the two out
    "#);
    insta::assert_snapshot!(with("fields.phone = { right = \"mobile\", write = \"never\", required = true, blanks = \"fill\" }\nfields.name = { right = \"full_name\", direction = \"to-right\", write = \"never\", drift = \"restore\" }"), @r#"
    line 7, column 44: sync HelloWorld, contact ↔ person, field phone ↔ mobile: write = "never" and blanks = "fill" contradict each other; leave one of the two out
    line 7, column 44: sync HelloWorld, contact ↔ person, field phone ↔ mobile: write = "never" and required contradict each other; leave one of the two out
    line 8, column 70: sync HelloWorld, contact ↔ person, field name ↔ full_name: write = "never" and drift = "restore" contradict each other; leave one of the two out
    "#);
}

#[test]
fn values_and_filters() {
    insta::assert_snapshot!(with("fields.status = { right = \"state\", values = { nwe = \"N\", won = \"N\", new = \"N\" } }"), @"
    line 7, column 45: sync HelloWorld, contact ↔ person, field status ↔ state: values, left (hub): 'nwe' is not one of its values; there is: new
    line 7, column 45: sync HelloWorld, contact ↔ person, field status ↔ state: values: 'N' on the right stands for two values on the left, so which one to write there is open
    ");
    insta::assert_snapshot!(with("fields.active = { right = \"state\", values = [[true, \"yes\"], [\"no\", 1]] }\nfields.phone = { right = \"mobile\", values = \"x\" }\nfields.name = { right = \"full_name\", values = {} }"), @r#"
    line 7, column 45: sync HelloWorld, contact ↔ person, field active ↔ state: values, left (hub): the text 'no' is no value of the kind boolean
    line 7, column 45: sync HelloWorld, contact ↔ person, field active ↔ state: values, right (HelloWorld): 1 is no value of the kind choice
    line 8, column 45: sync HelloWorld, contact ↔ person, field phone ↔ mobile: values is a table (active = "subscribed") or a list of pairs ([[true, "yes"], [false, "no"]])
    line 9, column 47: sync HelloWorld, contact ↔ person, field name ↔ full_name: values is empty; leave it out
    "#);
    insta::assert_snapshot!(with("filter-left = [{ field = \"tagz\", contains = \"x\" }, { field = \"score\", contains = \"x\" }, { field = \"score\", is = \"x\" }, { field = \"status\", is = \"one\" }]\nfilter-right = [{ field = \"email\" }, { field = \"email\", is = \"a\", not = \"b\" }]"), @"
    line 7, column 26: sync HelloWorld, contact ↔ person: filter-left: contact of the hub has no field 'tagz'; there is: tags
    line 7, column 52: sync HelloWorld, contact ↔ person: filter-left, score: contains is for texts and lists, and its kind is integer
    line 7, column 89: sync HelloWorld, contact ↔ person: filter-left, score: the text 'x' is no value of the kind integer
    line 7, column 120: sync HelloWorld, contact ↔ person: filter-left, status: 'one' is not one of its values; there is: new, won
    line 8, column 17: sync HelloWorld, contact ↔ person: filter-right, email: a condition has one of is, not, contains, blank; write one condition for each
    line 8, column 38: sync HelloWorld, contact ↔ person: filter-right, email: a condition has one of is, not, contains, blank; write one condition for each
    ");
}

#[test]
fn objects_and_fields_of_ones_own() {
    insta::assert_snapshot!(
        said("[object.contact]\nlabel = \"x\"\nfield.email.kind = \"text\"\nfield.x.kind = \"txt\"\nfield.r.kind = \"reference\"\nfield.s.kind = \"reference\"\nfield.s.targets = [\"compny\"]\nfield.t = { kind = \"text\", targets = [\"company\"], set-like = true, choices = [\"a\"] }\n[object.\"a b\"]"),
        @"
    line 1, column 9: object contact: it is built in, so its label cannot be changed; only fields can be added
    line 3, column 7: object contact, field email: the hub has a field 'email' of its own on contact; take another name
    line 4, column 16: object contact, field x: unknown kind 'txt'; there is: text
    line 5, column 7: object contact, field r: a reference needs targets: the objects that it may point to
    line 7, column 20: object contact, field s: the hub has no object 'compny' to point to; there is: company
    line 8, column 20: object contact, field t: only the kinds choice and choices have choices, and its kind is text
    line 8, column 39: object contact, field t: only references have targets, and its kind is text
    line 8, column 62: object contact, field t: only lists are sets, and its kind is text; take texts, choices or references
    line 9, column 9: object a b: 'a b' cannot be the name of an object: ' ' is none of letters (a to z), digits, dash and underscore
    "
    );
}

#[test]
fn constants_and_defaults() {
    insta::assert_snapshot!(with("fields.name = { right = \"full_name\", constant = \"x\" }\nfields.phnoe = { constant = \"1\" }\nfields.score = { constant = \"many\" }\nfields.active = { constant = true, trust = \"left\", direction = \"to-right\", default-left = true }\nfields.created = { constant = 2020-01-01T00:00:00Z }\nfields.company = { constant = { ref = [\"company\", \"1\"] } }\nfields.tags = { constant = [] }"), @"
    line 7, column 49: sync HelloWorld, contact ↔ person: a constant stands in place of the field of one side: name the other one only; one that is written to the right is listed under [[sync.NAME.object.field]], with right and constant
    line 8, column 8: sync HelloWorld, contact ↔ person, field phnoe: contact of the hub has no field 'phnoe'; there is: phone; [object.contact.field.NAME] defines one
    line 9, column 29: sync HelloWorld, contact ↔ person, field score: constant: the text 'many' is no value of the kind integer
    line 10, column 44: sync HelloWorld, contact ↔ person, field active: trust means nothing where the value is always the same; leave it out
    line 10, column 64: sync HelloWorld, contact ↔ person, field active: a constant flows to the hub, and nothing flows back; leave direction out
    line 10, column 91: sync HelloWorld, contact ↔ person, field active: default-left means nothing where the value is always the same; leave it out
    line 11, column 8: sync HelloWorld, contact ↔ person, field created: it cannot be written in the hub; leave it out
    line 12, column 31: sync HelloWorld, contact ↔ person, field company: constant: a reference cannot be given in the file; map it to a field of the other side
    line 13, column 28: sync HelloWorld, contact ↔ person, field tags: constant: it is blank; leave it out
    ");
    insta::assert_snapshot!(with("[[sync.HelloWorld.object.field]]\nright = \"state\"\nconstant = \"a\"\n[[sync.HelloWorld.object.field]]\nleft = \"status\"\nright = \"state\"\n[[sync.HelloWorld.object.field]]\nconstant = 1\n[[sync.HelloWorld.object.field]]\nright = \"organisation\"\nconstant = \"x\"\nrequired = \"left\""), @"
    line 10, column 1: sync HelloWorld, contact ↔ person, field status ↔ state: 'state' of HelloWorld is written by a constant already; a field takes its value from one other: leave one out, or turn its direction
    line 14, column 12: sync HelloWorld, contact ↔ person: a constant stands in place of the field of one side: name the other one only; one that is written to the right is listed under [[sync.NAME.object.field]], with right and constant
    line 17, column 12: sync HelloWorld, contact ↔ person, field organisation: constant: a reference cannot be given in the file; map it to a field of the other side
    line 18, column 12: sync HelloWorld, contact ↔ person, field organisation: required on the left, but nothing flows there (direction to-right)
    ");
    insta::assert_snapshot!(with("fields.status = { right = \"state\", default-left = \"one\", default-right = 1 }\nfields.name = { right = \"full_name\", direction = \"to-right\", default-left = \"x\", default-right = \"\" }\nfields.phone = { right = \"mobile\", write = \"never\", default-left = \"1\" }"), @r#"
    line 7, column 51: sync HelloWorld, contact ↔ person, field status ↔ state: default-left: 'one' is not one of its values; there is: new, won
    line 7, column 74: sync HelloWorld, contact ↔ person, field status ↔ state: default-right: 1 is no value of the kind choice
    line 8, column 77: sync HelloWorld, contact ↔ person, field name ↔ full_name: default-left: nothing flows to the hub (direction to-right); take a constant, or leave it out
    line 8, column 98: sync HelloWorld, contact ↔ person, field name ↔ full_name: default-right: it is blank; leave it out
    line 9, column 68: sync HelloWorld, contact ↔ person, field phone ↔ mobile: write = "never" and default-left contradict each other; leave one of the two out
    "#);
    insta::assert_snapshot!(said("[sync.HelloWorld]\n[[sync.HelloWorld.object]]\nleft = \"contact\"\nright = \"person\"\nidentifiers = [\"status\", \"=state\"]\ncreate = \"hub\"\nfields = { status = { constant = \"new\" } }"), @"
    line 5, column 16: sync HelloWorld, contact ↔ person: 'status' cannot tell records apart: it has the same value in each
    line 5, column 26: sync HelloWorld, contact ↔ person: the identifier '=state' is not among the mapped fields; there is none yet
    ");
}

#[test]
fn preferences_deletions_and_the_brake() {
    insta::assert_snapshot!(with("prefer-left = [{ field = \"tags\", contains = \"x\" }, { field = \"email\" }, \"lowest-id\", \"lowest-id\"]\nprefer-right = [{ field = \"emial\", blank = true }]"), @r#"
    line 7, column 26: sync HelloWorld, contact ↔ person: prefer-left: 'tags' is not among the mapped fields of the hub; there is: email
    line 7, column 52: sync HelloWorld, contact ↔ person: prefer-left, email: a condition has one of is, not, contains, blank; write one condition for each
    line 7, column 52: sync HelloWorld, contact ↔ person: prefer-left: "lowest-id" always chooses one, so nothing after it counts; put it last
    line 8, column 27: sync HelloWorld, contact ↔ person: prefer-right: 'emial' is not among the mapped fields of HelloWorld; there is: email
    "#);
    insta::assert_snapshot!(with("prefer-left = [\"highest-id\"]"), @r#"line 7, column 16: invalid value: string "highest-id", expected "lowest-id", or a condition such as { field = "tags", contains = "newsletter" }"#);
    insta::assert_snapshot!(with("prefer-left = \"lowest-id\""), @r#"line 7, column 15: invalid type: string "lowest-id", expected a sequence"#);
    insta::assert_snapshot!(with("deletes = \"remove\""), @"line 7, column 11: unknown variant `remove`, expected one of `ignore`, `unlink`, `delete`, `recreate`");
    insta::assert_snapshot!(said("[sync.HelloWorld]\nbrake = { percent = 101 }"), @"line 2, column 21: sync HelloWorld: brake: 101 is no percentage; write 0 to 100");
    insta::assert_snapshot!(said("[sync.HelloWorld]\nbrake = { record = 1 }"), @"line 2, column 11: unknown field `record`, expected `percent` or `records`");
    insta::assert_snapshot!(said("[sync.HelloWorld]\nbrake = { records = -1 }"), @"line 2, column 21: invalid value: integer `-1`, expected u64");
}
