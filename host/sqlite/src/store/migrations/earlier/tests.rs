//! Migration 9: every text of earlier versions, and the reason that it becomes.

use super::super::{apply as migrate, to};
use super::*;
use std::path::Path;

const LEFT: Side = Side::Left;
const RIGHT: Side = Side::Right;

fn contact(id: &str) -> RecordRef {
    RecordRef::new(LEFT, "contact", id)
}

fn person(id: &str) -> RecordRef {
    RecordRef::new(RIGHT, "person", id)
}

fn duplicate(record: Option<RecordRef>, preferred: bool, became: Option<RecordRef>) -> Reason {
    Reason::DuplicateOf { record, preferred, became }
}

/// Texts of pairs with a contact, and the reasons they become.
fn of_pairs() -> Vec<(&'static str, &'static str, Reason)> {
    let object = || "person".to_owned();
    vec![
        ("held", "duplicate of contact:12", duplicate(Some(contact("12")), false, None)),
        ("held", "duplicate of contact:1, which the rules prefer", duplicate(Some(contact("1")), true, None)),
        ("held", "duplicate of another contact with the same identifiers", duplicate(None, false, None)),
        (
            "held",
            "duplicate of contact:1: both became person:p2",
            duplicate(Some(contact("1")), false, Some(person("p2"))),
        ),
        (
            "held",
            "duplicate of another record of this order: both became person:p2",
            duplicate(None, false, Some(person("p2"))),
        ),
        (
            "held",
            "ambiguous: it may be person:1 or person:2",
            Reason::Ambiguous { records: vec![person("1"), person("2")], unread: false },
        ),
        (
            "held",
            "absence not proven: person was neither listed completely nor looked up by mail, tel; run a sync without a window, or give the record an identifier",
            Reason::AbsenceNotProven {
                record: contact(""),
                object: object(),
                identifiers: vec!["mail".to_owned(), "tel".to_owned()],
                without: false,
            },
        ),
        (
            "held",
            "absence not proven: person cannot be read by id and takes no conditional write; run a sync without a window",
            Reason::NotCheckable { side: RIGHT, object: object() },
        ),
        (
            "held",
            "not read yet: it was found by its identifiers, and a person cannot be read by its id; run a sync with --full",
            Reason::NotReadYet { side: RIGHT, object: object() },
        ),
        (
            "held",
            "required: full of person: blank, but required on the right: not sent",
            Reason::Required {
                side: RIGHT,
                object: object(),
                field: "full".to_owned(),
                why: Why::RequiredBlank(RIGHT),
            },
        ),
        (
            "held",
            "converted: contact:1 has become lead:2",
            Reason::Converted { from: Some(contact("1")), into: RecordRef::new(LEFT, "lead", "2") },
        ),
        (
            "held",
            "converted: the record has become lead:2",
            Reason::Converted { from: None, into: RecordRef::new(LEFT, "lead", "2") },
        ),
        (
            "held",
            "merged: person:1 was merged into person:2",
            Reason::Merged { from: Some(person("1")), into: person("2") },
        ),
        (
            "held",
            "merged: its record was merged into person:2",
            Reason::Merged { from: None, into: person("2") },
        ),
        (
            "held",
            "fate unknown: an order was sent to person and never answered, and the record cannot be looked up",
            Reason::FateUnknown { side: RIGHT, object: object() },
        ),
        (
            "held",
            "brake: 12 of 60 person records of R would be deleted, more than 5 % and more than 10; if that is right: entente sync s --lift-brake",
            Reason::Brake {
                which: Braked::Deletes,
                side: RIGHT,
                object: object(),
                records: 12,
                linked: 60,
                percent: 5,
                least: 10,
            },
        ),
        (
            "held",
            "deleted and edited: contact:1 was deleted on the left, and person:2 was edited since; delete that one too, or set deletes to ignore and apply it",
            Reason::DeletedAndEdited { deleted: contact("1"), edited: person("2") },
        ),
        (
            "held",
            "schema: an identifier of person is parked, so it cannot be told whether it exists there",
            Reason::Schema { side: RIGHT, object: object() },
        ),
        ("excluded", "outside the filter of the left", Reason::OutsideFilter { side: LEFT }),
        (
            "excluded",
            "it would be outside the filter of the right",
            Reason::WouldBeOutsideFilter { side: RIGHT },
        ),
        ("excluded", "it has nothing that flows to the right", Reason::NothingFlows { side: RIGHT }),
        ("excluded", "new records are not made on the right", Reason::NotCreatedThere { side: RIGHT }),
        ("excluded", "it has no record on either side", Reason::NoRecord),
        (
            "excluded",
            "unlinked: its person was deleted, and it is not made again",
            Reason::Unlinked { side: RIGHT, object: object(), id: None },
        ),
        (
            "excluded",
            "unlinked: its person:3 was deleted, and it is not made again",
            Reason::Unlinked { side: RIGHT, object: object(), id: Some("3".to_owned()) },
        ),
        ("excluded", "undone: its person was deleted, and it is not made again", Reason::Undone),
        ("excluded", "undone: the record that was made for it was deleted again", Reason::Undone),
        ("deleted", "deleted on every side that had it", Reason::DeletedEverywhere),
        ("deleted", "deleted on both sides", Reason::DeletedOnBothSides),
        (
            "deleted",
            "person:3 was deleted on the right; by policy nothing is done about it",
            Reason::DeletedIgnored { record: person("3") },
        ),
        (
            "deleted",
            "person:3 was deleted on the right; records of the left cannot be deleted",
            Reason::CannotBeDeleted { record: person("3"), object: "contact".to_owned() },
        ),
        ("deleted", "its record was made again by an undo; the other side stays deleted", Reason::MadeAgain),
        ("todo", "withheld: --disable-push", Reason::WithheldPush),
        ("todo", "withheld: --disable-pull", Reason::WithheldPull),
        ("todo", "planned: --dry-run", Reason::PlannedUpdate),
        (
            "todo",
            "to be tried again: locked",
            Reason::RetryLater { said: Some((LEFT, RemoteSaid::text("locked"))) },
        ),
        (
            "todo",
            "waits for contact:9, which has no counterpart yet",
            Reason::WaitsFor { record: Some(contact("9")) },
        ),
        ("todo", "waits for a record that has no counterpart yet", Reason::WaitsFor { record: None }),
        ("todo", "the record has changed since the decision; decided again", Reason::Stale),
        ("todo", "the record has become another one; decided again", Reason::BecameAnother),
        ("todo", "not in the plan of run 4", Reason::NotInPlan { run: 4 }),
        (
            "todo",
            "changed since the plan of run 4: the plan was to update, and now it is to create",
            Reason::DiffersFromPlan {
                run: 4,
                difference: Box::new(Difference::Deed { planned: Deed::Update, now: Deed::Create }),
            },
        ),
        // A remote system's text is kept as its own, whatever it looks like.
        (
            "failed",
            "duplicate of: contact:12",
            Reason::Refused {
                side: RIGHT,
                said: RemoteSaid::new("duplicate of", "contact:12"),
                fields: vec![],
            },
        ),
        (
            "failed",
            "invalid-answer: the record was written but no id came back",
            Reason::InvalidAnswer { side: RIGHT, how: InvalidAnswer::NoId },
        ),
        (
            "held",
            "something of a version that nobody knows",
            Reason::Earlier { text: "something of a version that nobody knows".to_owned() },
        ),
    ]
}

/// Texts of changes to the right side.
fn of_changes() -> Vec<(&'static str, &'static str, Reason)> {
    let not = |difference| Reason::NotExecutedBy { run: 5, difference: Box::new(difference) };
    vec![
        ("dropped", "its pair is gone", Reason::PairGone),
        ("dropped", "its pair was joined into another one", Reason::PairJoined),
        ("dropped", "overtaken by a newer decision", Reason::Overtaken),
        ("dropped", "the record is gone", Reason::RecordGone),
        (
            "dropped",
            "no answer came; what stands there was found out, and it was decided again",
            Reason::FoundOut,
        ),
        (
            "dropped",
            "fate unknown: no answer came, and the record cannot be looked up",
            Reason::FateUnknown { side: RIGHT, object: String::new() },
        ),
        (
            "dropped",
            "duplicate of contact:1: both became person:2",
            duplicate(Some(contact("1")), false, Some(person("2"))),
        ),
        (
            "dropped",
            "waits for company:9, which has no counterpart yet",
            Reason::WaitsFor { record: Some(RecordRef::new(LEFT, "company", "9")) },
        ),
        ("dropped", "executed by run 5", Reason::ExecutedBy { run: 5 }),
        ("dropped", "not executed by run 5: another record would be written", not(Difference::Record)),
        ("dropped", "not executed by run 5: there is nothing to write any more", not(Difference::Nothing)),
        (
            "dropped",
            "not executed by run 5: the records have been edited since, and now the other side would be written",
            not(Difference::OtherSide),
        ),
        (
            "dropped",
            "not executed by run 5: its record was settled since, or left the sync",
            not(Difference::Settled),
        ),
        (
            "withheld",
            "changed since the plan of run 5: a was to be written, and now it would be b",
            Reason::Earlier {
                text: "changed since the plan of run 5: a was to be written, and now it would be b"
                    .to_owned(),
            },
        ),
        ("withheld", "contact:3 refers to it", Reason::ReferredTo { by: contact("3") }),
        ("withheld", "not done: the number of deletions was not agreed", Reason::DeletesNotAgreed),
        ("withheld", "its record is gone", Reason::NotUndone(Kept::Gone)),
        ("withheld", "it has a record again", Reason::NotUndone(Kept::ThereAgain)),
        ("withheld", "it was changed since by run 8", Reason::NotUndone(Kept::ChangedBy { run: 8 })),
        (
            "withheld",
            "its tel was edited since",
            Reason::NotUndone(Kept::FieldEdited { field: "tel".to_owned() }),
        ),
        ("withheld", "its other side was edited since", Reason::NotUndone(Kept::OtherSideEdited)),
        ("withheld", "what stood there before is not known", Reason::NotUndone(Kept::NotKnown)),
        (
            "done",
            "unchecked: person can neither be read by id nor written conditionally; an edit made there since its last report is lost",
            Reason::Unchecked { side: RIGHT, object: "person".to_owned() },
        ),
        (
            "failed",
            "merged: so it says",
            Reason::Refused { side: RIGHT, said: RemoteSaid::new("merged", "so it says"), fields: vec![] },
        ),
        (
            "retry",
            "trap: fell over",
            Reason::Refused { side: RIGHT, said: RemoteSaid::new("trap", "fell over"), fields: vec![] },
        ),
        (
            "retry",
            "to be tried again: locked",
            Reason::RetryLater { said: Some((RIGHT, RemoteSaid::text("locked"))) },
        ),
    ]
}

/// Texts of fields.
fn of_fields() -> Vec<(&'static str, FieldReason)> {
    vec![
        ("new record", Why::NewRecord.into()),
        ("default of a new record", FieldReason::Default),
        ("settled by the operator", FieldReason::Ruled),
        ("undo of run 6", FieldReason::UndoOf { run: 6 }),
        ("person:3 was deleted on the right", FieldReason::Deleted { record: person("3") }),
        ("its record is gone", FieldReason::NotUndone(Kept::Gone)),
        ("of no version", FieldReason::Earlier { text: "of no version".to_owned() }),
        ("a side has not delivered this field", Why::NotDelivered.into()),
        ("both sides have the same content", Why::Same.into()),
        ("neither side has changed since it was settled", Why::AsAgreed.into()),
        ("the left side is trusted", Why::Trusted(LEFT).into()),
        ("the field flows one way, from the right", Why::Source(RIGHT).into()),
        ("drift: edited on the left, where nothing flows back from; kept", Why::DriftKept(LEFT).into()),
        ("drift: edited on the right, restored from the other side", Why::DriftRestored(RIGHT).into()),
        ("the left has a value, the other side has none", Why::ValueBeatsBlank(LEFT).into()),
        ("only the right has changed", Why::OnlyChange(RIGHT).into()),
        ("merged element by element", Why::Merged.into()),
        ("the left wins: its certain change time is later", Why::Judged(LEFT, Basis::LaterCertain).into()),
        (
            "the right wins by policy: both sides changed at the same time",
            Why::Policy(RIGHT, Basis::SameTime).into(),
        ),
        (
            "both sides have changed, and the change times do not tell which is newer",
            Why::Undecided(Basis::NoEvidence).into(),
        ),
        ("the field does not flow to the left", Why::NotThisWay(LEFT).into()),
        ("the field cannot be written on the right", Why::NotWritable(RIGHT).into()),
        ("the write rule is never", Why::NeverWritten.into()),
        ("the write rule is if-empty and the left has a value", Why::NotEmpty(LEFT).into()),
        ("a blank does not replace the value of the right", Why::BlankKept(RIGHT).into()),
        ("the blank of the left is filled from the other side", Why::BlankFilled(LEFT).into()),
        ("blank, but required on the right: not sent", Why::RequiredBlank(RIGHT).into()),
        ("the value map has no word for this value on the left", Why::NoSuchWord(LEFT).into()),
    ]
}

/// A database of version 8 with one row per text.
fn before() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    to(&mut connection, 8);
    let mapping =
        "INSERT INTO mapping (id, relation, left_object, right_object) VALUES (1, 'r', 'contact', 'person')";
    connection.execute(mapping, []).unwrap();
    for (n, (status, text, _)) in of_pairs().into_iter().enumerate() {
        let pair = "INSERT INTO pair (id, mapping, left_id, status, reason, attempts, dirty, context, left_filtered, right_filtered)
             VALUES (?1, 1, ?1, ?2, ?3, 0, 0, 0, 0, 0)";
        connection.execute(pair, params![n as i64 + 1, status, text]).unwrap();
    }
    let change = "INSERT INTO change (key, run, mapping, pair, target, action, fields, status, reason)
         VALUES ('k', 1, 1, 9999, 1, 'create', ?1, ?2, ?3)";
    for (status, text, _) in of_changes() {
        connection.execute(change, params!["[]", status, text]).unwrap();
    }
    for (text, _) in of_fields() {
        // A float and a text that must stay byte for byte, and a second field with the same reason.
        let fields = serde_json::json!([{"s": 0, "v": 0.1, "b": "\"y\":", "y": text}, {"s": 1, "v": null}]);
        connection.execute(change, params![fields.to_string(), "done", None::<String>]).unwrap();
        let conflict = "INSERT INTO conflict (pair, slot, left_value, right_value, reason, run, first, last, times, closed)
             VALUES (1, 0, '{}', '{}', ?1, 1, 1, 1, 1, 1)";
        connection.execute(conflict, [text]).unwrap();
    }
    let mut reasons = serde_json::Map::new();
    for n in 0..8000 {
        reasons.insert(format!("duplicate of contact:{n}"), 1.into());
    }
    for text in
        ["planned: --dry-run: create", "withheld: --disable-push: update", "conflict in name: new record"]
    {
        reasons.insert(text.to_owned(), 2.into());
    }
    reasons.insert("invalid-value: too long".to_owned(), 3.into());
    reasons.insert("what nobody knows".to_owned(), 4.into());
    let counts = serde_json::json!([{"contact": {"reported": 3, "reasons": reasons}}, {}]);
    let run = "INSERT INTO run (sync, relation, options, started, status, counts, notices)
         VALUES ('s', 'r', '{}', 1, 'done', ?1, '[\"told once\"]')";
    connection.execute(run, [counts.to_string()]).unwrap();
    connection
}

fn stored<T: for<'a> serde::Deserialize<'a>>(code: &str, data: Option<&str>) -> T {
    let text = match data {
        None => format!("\"{code}\""),
        Some(data) => format!("{{\"{code}\":{data}}}"),
    };
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_text_of_version_8_becomes_data() {
    let mut connection = before();
    migrate(&mut connection, Path::new("x.db")).unwrap();
    let rows = |table: &str| -> Vec<(String, Option<String>)> {
        let sql = format!("SELECT reason, reason_data FROM {table} WHERE reason IS NOT NULL ORDER BY id");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    for (table, expected) in [("pair", of_pairs()), ("change", of_changes())] {
        let rows = rows(table);
        assert_eq!(rows.len(), expected.len());
        for ((code, data), (_, text, reason)) in rows.into_iter().zip(expected) {
            assert_eq!(stored::<Reason>(&code, data.as_deref()), reason, "{text}");
        }
    }
    for ((code, data), (text, reason)) in rows("conflict").into_iter().zip(of_fields()) {
        assert_eq!(stored::<FieldReason>(&code, data.as_deref()), reason, "{text}");
    }
}

#[test]
fn the_fields_of_changes_keep_everything_else() {
    let mut connection = before();
    migrate(&mut connection, Path::new("x.db")).unwrap();
    let mut statement = connection
        .prepare("SELECT fields FROM change WHERE status = 'done' AND reason IS NULL ORDER BY id")
        .unwrap();
    let rows: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), of_fields().len());
    for (text, (_, reason)) in rows.iter().zip(of_fields()) {
        let fields: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!((&fields[0]["v"], &fields[0]["b"]), (&0.1.into(), &"\"y\":".into()));
        let key = if matches!(reason, FieldReason::Judge(_)) { "y" } else { "x" };
        assert_eq!(fields[0][key], serde_json::to_value(&reason).unwrap(), "{text}");
        assert_eq!(fields[1], serde_json::json!({"s": 1, "v": null}));
    }
}

#[test]
fn the_counts_of_a_run_have_a_line_for_each_code() {
    let mut connection = before();
    migrate(&mut connection, Path::new("x.db")).unwrap();
    let (counts, notices): (String, String) = connection
        .query_row("SELECT counts, notices FROM run", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let counts: [BTreeMap<String, entente_sync::Counts>; 2] = {
        let mut counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
        let object = counts[0]["contact"].as_object_mut().unwrap();
        for name in [
            "matched",
            "created",
            "updated",
            "unchanged",
            "deleted",
            "conflicts",
            "held",
            "failed",
            "pending",
            "excluded",
        ] {
            object.entry(name).or_insert(0.into());
        }
        serde_json::from_value(counts).unwrap()
    };
    let reasons = &counts[0]["contact"].reasons;
    let times = |code| reasons[&code].count;
    use entente_sync::Code;
    assert_eq!((times(Code::DuplicateOf), reasons[&Code::DuplicateOf].samples.len()), (8000, 3));
    assert_eq!((times(Code::PlannedCreate), times(Code::WithheldPush), times(Code::Conflict)), (2, 2, 2));
    assert_eq!((times(Code::Refused), times(Code::Earlier)), (3, 4));
    let notices: Vec<Notice> = serde_json::from_str(&notices).unwrap();
    assert_eq!(notices, [Notice::Earlier { text: "told once".to_owned() }]);
}
