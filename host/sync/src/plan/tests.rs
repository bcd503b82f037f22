//! Table tests of decisions: each row is a case with its expected result.

use super::*;
use crate::{Condition, Direction, IdentifyBy, Test, Trust};
use entente_core::{Kind, Timestamp};

const RUN: RunId = 5;

fn field(slot: usize, left: &str, right: &str) -> FieldMapping {
    FieldMapping {
        slot: Slot(slot),
        names: Sides::new(left.to_owned(), right.to_owned()),
        kinds: Sides::by(|_| Kind::Text),
        writable: Sides::by(|_| true),
        ..FieldMapping::default()
    }
}

/// `email` identifies and is required on the right; `name`, and `city`, which flows to the left only.
fn mapping() -> ObjectMapping {
    ObjectMapping {
        id: 1,
        objects: Sides::new("contact".to_owned(), "member".to_owned()),
        fields: vec![
            FieldMapping { required: Sides::new(false, true), ..field(0, "email", "mail") },
            field(1, "name", "full_name"),
            FieldMapping { direction: Direction::ToLeft, ..field(2, "city", "town") },
        ],
        identifiers: vec![Slot(0)],
        identify_by: IdentifyBy::Any,
        create: Sides::by(|_| true),
        ..ObjectMapping::default()
    }
}

fn inputs(mapping: &ObjectMapping) -> Inputs<'_> {
    let can =
        Capabilities { listed: true, create: true, delete: true, by_id: true, ..Capabilities::default() };
    Inputs {
        mapping,
        fields: mapping.fields.iter().collect(),
        parked: Vec::new(),
        sides: Sides::by(|_| can),
        precision: 1,
        one_blank: false,
        trust: None,
        run: RUN,
        read_failed: false,
        follows_bookmarks: true,
    }
}

fn seen(text: &str) -> Option<Seen> {
    Some(Seen { value: Value::text(text), time: None })
}

/// A pair with a record on the left that has these values, none of them settled.
fn alone(values: &[&str]) -> Pair {
    let mut pair = Pair { id: 3, ..Pair::new(1) };
    pair.half_mut(Side::Left).id = Some("1".to_owned());
    for (slot, text) in Slot::first(values.len()).zip(values) {
        pair.half_mut(Side::Left).set_seen(slot, seen(text));
    }
    pair
}

/// A pair with two records whose fields were settled with these values.
fn linked(values: &[&str]) -> Pair {
    let mut pair = Pair { id: 3, ..Pair::new(1) };
    pair.half_mut(Side::Left).id = Some("1".to_owned());
    pair.half_mut(Side::Right).id = Some("a".to_owned());
    for (slot, text) in Slot::first(values.len()).zip(values) {
        let value = Some(Value::text(*text));
        pair.set_agreed(slot, Agreed { left: value.clone(), right: value });
    }
    pair
}

/// The slots of the record that is made on the right for one on the left with these values, or why none is.
fn new_record(
    values: &[&str],
    change: fn(&mut ObjectMapping),
    adjust: fn(&mut Inputs<'_>),
) -> Result<Vec<usize>, NewRecord> {
    let mut mapping = mapping();
    change(&mut mapping);
    let mut inputs = inputs(&mapping);
    adjust(&mut inputs);
    match inputs.new_record(&alone(values), Side::Right) {
        NewRecord::Create(fields, _) => Ok(fields.iter().map(|field| field.slot.index()).collect()),
        other => Err(other),
    }
}

#[test]
fn a_new_record_has_what_flows_there() {
    assert_eq!(new_record(&["a@x.org", "Ada", "Ulm"], |_| {}, |_| {}), Ok(vec![0, 1]));
    assert_eq!(new_record(&["a@x.org", ""], |_| {}, |_| {}), Ok(vec![0, 1]), "the empty text is a value");
    let one_blank = new_record(&["a@x.org", ""], |_| {}, |inputs| inputs.one_blank = true);
    assert_eq!(one_blank, Ok(vec![0]), "where null and the empty text are one, blanks are left out");
    let parked = new_record(&["a@x.org", "Ada"], |_| {}, |g| g.parked = vec![Slot(1)]);
    assert_eq!(parked, Ok(vec![0]), "what is parked is left out");
}

#[test]
fn a_new_record_waits_for_proof_and_for_what_it_needs() {
    let (side, object) = (Side::Right, || "member".to_owned());
    let unread = new_record(&["a@x.org"], |_| {}, |inputs| inputs.read_failed = true);
    assert_eq!(unread, Err(NewRecord::Later));
    let parked = new_record(&["a@x.org"], |_| {}, |g| g.parked = vec![Slot(0)]);
    assert_eq!(parked, Err(NewRecord::Held(Reason::Schema { side, object: object() })));
    let not_proven = Reason::AbsenceNotProven {
        record: RecordRef::new(Side::Left, "contact", "1"),
        object: object(),
        identifiers: vec!["mail".to_owned()],
        without: false,
    };
    let unlisted = new_record(&["a@x.org"], |_| {}, |g| g.sides.right.listed = false);
    assert_eq!(unlisted, Err(NewRecord::Held(not_proven)));
    let (field, why) = ("mail".to_owned(), Why::RequiredBlank(side));
    let required = Reason::Required { side, object: object(), field, why };
    assert_eq!(new_record(&["", "Ada"], |_| {}, |_| {}), Err(NewRecord::Held(required)));
}

#[test]
fn no_new_record_is_made_where_it_would_not_take_part() {
    let side = Side::Right;
    let excluded = |reason| Err(NewRecord::Excluded(reason));
    let not_created = || excluded(Reason::NotCreatedThere { side });
    assert_eq!(new_record(&["a@x.org"], |m| m.create.right = false, |_| {}), not_created());
    assert_eq!(new_record(&["a@x.org"], |_| {}, |g| g.sides.right.create = false), not_created());
    let nothing = || excluded(Reason::NothingFlows { side });
    let optional = |m: &mut ObjectMapping| m.fields[0].required.right = false;
    assert_eq!(new_record(&["", "", "Ulm"], optional, |_| {}), nothing());
    let with_default = |m: &mut ObjectMapping| {
        m.fields[0].required.right = false;
        m.fields[1].default.right = Some(Value::text("unknown"));
    };
    assert_eq!(
        new_record(&["", "", "Ulm"], with_default, |_| {}),
        nothing(),
        "a default is nothing of its own"
    );
    let filtered = |m: &mut ObjectMapping| {
        let test = Test::Is(Value::text("Eva"));
        m.filters.right = vec![Condition { field: "full_name".to_owned(), test }];
    };
    let outside = excluded(Reason::WouldBeOutsideFilter { side });
    assert_eq!(new_record(&["a@x.org", "Ada"], filtered, |_| {}), outside);
    assert_eq!(new_record(&["a@x.org", "Eva"], filtered, |_| {}), Ok(vec![0, 1]));
}

#[test]
fn a_lookup_of_this_run_proves_absence_too() {
    let mapping = mapping();
    let mut inputs = inputs(&mapping);
    inputs.sides.right.listed = false;
    let mut pair = alone(&["a@x.org"]);
    pair.half_mut(Side::Left).no_match_in = Some(RUN - 1);
    assert!(matches!(inputs.new_record(&pair, Side::Right), NewRecord::Held(_)));
    pair.half_mut(Side::Left).no_match_in = Some(RUN);
    assert!(matches!(inputs.new_record(&pair, Side::Right), NewRecord::Create(..)));
}

#[test]
fn a_default_fills_what_the_source_leaves_blank() {
    let mut mapping = mapping();
    mapping.fields[1].default.right = Some(Value::text("unknown"));
    let NewRecord::Create(fields, _) = inputs(&mapping).new_record(&alone(&["a@x.org", ""]), Side::Right)
    else {
        panic!("it is made");
    };
    assert_eq!((&fields[1].value, &fields[1].reason), (&Value::text("unknown"), &FieldReason::Default));
    assert_eq!(fields[1].source, Value::text(""));
}

#[test]
fn an_update_is_guarded_by_what_can_be_checked() {
    type Case = (&'static str, Option<&'static str>, Option<RunId>, fn(&mut Inputs<'_>), WriteCheck);
    let cases: [Case; 8] = [
        ("it is read before it is written", None, None, |g| g.sides.right.by_id = true, WriteCheck::Checked),
        ("the plugin compares", None, None, |g| g.sides.right.base_values = true, WriteCheck::Checked),
        ("one store", None, None, |g| g.sides.right.local = true, WriteCheck::Checked),
        (
            "a version goes with it",
            Some("v"),
            None,
            |g| g.sides.right.conditional = true,
            WriteCheck::Checked,
        ),
        ("no version is known", None, None, |g| g.sides.right.conditional = true, WriteCheck::NotCheckable),
        ("a version that nobody takes", Some("v"), None, |_| {}, WriteCheck::NotCheckable),
        ("followed without a gap", None, None, |g| g.follows_bookmarks = true, WriteCheck::Unchecked),
        ("read in this run", None, Some(RUN), |_| {}, WriteCheck::Unchecked),
    ];
    let mapping = mapping();
    for (case, version, read, adjust, expected) in cases {
        let mut inputs = Inputs { sides: Sides::default(), follows_bookmarks: false, ..inputs(&mapping) };
        adjust(&mut inputs);
        let mut pair = linked(&["a@x.org"]);
        pair.half_mut(Side::Right).version = version.map(str::to_owned);
        pair.half_mut(Side::Right).read = read;
        assert_eq!(inputs.write_check(&pair, Side::Right), expected, "{case}");
    }
}

#[test]
fn one_edit_is_written_and_two_are_a_conflict_until_the_operator_rules() {
    let mapping = mapping();
    let inputs = inputs(&mapping);
    let (links, none) = (Links::default(), HashMap::new());
    let mut pair = linked(&["a@x.org", "Ada", "Ulm"]);
    let settled = inputs.linked(&pair, &links, &none);
    assert!(settled.writes.iter().all(Vec::is_empty) && settled.conflicts.is_empty());

    pair.half_mut(Side::Left).set_seen(Slot(1), seen("Eva"));
    let one = inputs.linked(&pair, &links, &none);
    let [write] = one.writes.right.as_slice() else { panic!("one field: {:?}", one.writes) };
    assert_eq!(
        (write.slot, &write.value, &write.base),
        (Slot(1), &Value::text("Eva"), &Some(Value::text("Ada")))
    );
    assert!(one.writes.left.is_empty() && one.conflicts.is_empty());

    pair.half_mut(Side::Right).set_seen(Slot(1), seen("Ida"));
    let two = inputs.linked(&pair, &links, &none);
    let [(conflict, _)] = two.conflicts.as_slice() else { panic!("one field: {:?}", two.conflicts) };
    assert_eq!((conflict.pair, conflict.slot, conflict.run), (3, Slot(1), RUN));
    assert!(two.writes.iter().all(Vec::is_empty));

    let ruling = |left: &str, choice| {
        let values = Sides::new(Value::text(left), Value::text("Ida"));
        HashMap::from([((3, Slot(1)), Ruling { pair: 3, slot: Slot(1), values, choice })])
    };
    let ruled = inputs.linked(&pair, &links, &ruling("Eva", Choice::Side(Side::Right)));
    assert_eq!(ruled.writes.left[0].value, Value::text("Ida"));
    assert_eq!((&ruled.writes.left[0].reason, ruled.conflicts.len()), (&FieldReason::Ruled, 0));
    let other = inputs.linked(&pair, &links, &ruling("Eva", Choice::Value(Value::text("Uta"))));
    assert!(other.writes.iter().all(|fields| fields.len() == 1 && fields[0].joint), "both sides get it");
    let stale = inputs.linked(&pair, &links, &ruling("Ada", Choice::Side(Side::Right)));
    assert_eq!(stale.conflicts.len(), 1, "the operator has seen other values");
}

#[test]
fn a_side_that_is_trusted_for_one_run_wins_over_what_was_settled() {
    let mapping = mapping();
    let mut pair = linked(&["a@x.org", "Ada"]);
    pair.set_agreed(Slot(1), Agreed { left: Some(Value::text("Ada")), right: Some(Value::text("ADA L.")) });
    let plain = inputs(&mapping).linked(&pair, &Links::default(), &HashMap::new());
    assert!(plain.writes.iter().all(Vec::is_empty), "they agreed to differ");
    let writes = |open| {
        let trust = Trust { side: Side::Right, fields: Vec::new() };
        let trusting = Inputs { trust: Some(StandingTrust { trust, open }), ..inputs(&mapping) };
        trusting.linked(&pair, &Links::default(), &HashMap::new()).writes.left
    };
    assert_eq!(writes(None)[0].value, Value::text("ADA L."));
    assert_eq!(writes(Some([(pair.id, Slot(1))].into()))[0].value, Value::text("ADA L."));
    assert_eq!(writes(Some([(pair.id, Slot(0))].into())), [], "used up");
}

#[test]
fn equal_values_are_agreed_and_no_longer_edits() {
    let mapping = mapping();
    let mut pair = linked(&["a@x.org"]);
    for side in Side::BOTH {
        pair.half_mut(side).set_seen(Slot(1), seen("Ada"));
    }
    let agreements = inputs(&mapping).linked(&pair, &Links::default(), &HashMap::new()).agreements;
    assert!(agreements.iter().any(|field| field.slot == Slot(1)));
    agree(&mut pair, &agreements);
    let both = Some(Value::text("Ada"));
    assert_eq!(pair.agreed(Slot(1)), Some(&Agreed { left: both.clone(), right: both }));
    assert_eq!(pair.half(Side::Left).seen(Slot(1)), None);
}

#[test]
fn an_edit_is_what_was_never_settled() {
    let mut pair = linked(&["Ada"]);
    assert!(!edited(&pair, Side::Left));
    pair.half_mut(Side::Left).set_seen(Slot(0), seen("Ada"));
    assert!(!edited(&pair, Side::Left), "what was agreed is no edit");
    pair.half_mut(Side::Left).set_seen(Slot(0), seen("Eva"));
    assert!(edited(&pair, Side::Left) && !edited(&pair, Side::Right));
    pair.half_mut(Side::Right).set_seen(Slot(2), seen(""));
    assert!(!edited(&pair, Side::Right), "a blank that was always there is no edit");
}

#[test]
fn the_policy_says_what_becomes_of_the_counterpart() {
    let deleted = Timestamp::from_micros(1);
    let gone = |policy, adjust: fn(&mut Inputs<'_>), touch: fn(&mut Pair)| {
        let mapping = ObjectMapping { deletes: policy, ..mapping() };
        let mut inputs = inputs(&mapping);
        adjust(&mut inputs);
        let mut pair = linked(&["a@x.org", "Ada"]);
        pair.half_mut(Side::Right).deleted = Some(deleted);
        touch(&mut pair);
        (inputs.gone(&mut pair, Side::Right), pair)
    };
    let record = RecordRef::new(Side::Right, "member", "a");

    let (outcome, pair) = gone(DeletePolicy::Ignore, |_| {}, |_| {});
    assert_eq!(outcome, Gone::Settled(Status::Deleted, Reason::DeletedIgnored { record: record.clone() }));
    assert!(pair.is_linked(), "survivor and tombstone stay");

    let (outcome, pair) = gone(DeletePolicy::Unlink, |_| {}, |_| {});
    let (object, id) = ("member".to_owned(), Some("a".to_owned()));
    let unlinked = Reason::Unlinked { side: Side::Right, object, id };
    assert_eq!(outcome, Gone::Settled(Status::Excluded, unlinked));
    assert_eq!((pair.half(Side::Right).id.as_ref(), pair.half(Side::Right).deleted), (None, Some(deleted)));
    assert_eq!(
        pair.current(Side::Left, Slot(1)),
        Some(&Value::text("Ada")),
        "it is new to its next counterpart"
    );

    let (outcome, pair) = gone(DeletePolicy::Recreate, |_| {}, |_| {});
    assert_eq!((outcome, pair.half(Side::Right).deleted), (Gone::Recreate, None));

    let (outcome, _) = gone(DeletePolicy::Delete, |_| {}, |_| {});
    let Gone::Delete(id, fields) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (id.as_str(), fields[1].base.as_ref()),
        ("1", Some(&Value::text("Ada"))),
        "so that it can be undone"
    );

    let (outcome, _) = gone(DeletePolicy::Delete, |g| g.sides.left.delete = false, |_| {});
    let cannot = Reason::CannotBeDeleted { record: record.clone(), object: "contact".to_owned() };
    assert_eq!(outcome, Gone::Settled(Status::Deleted, cannot));

    let edit = |pair: &mut Pair| pair.half_mut(Side::Left).set_seen(Slot(1), seen("Eva"));
    let (outcome, _) = gone(DeletePolicy::Delete, |_| {}, edit);
    let edited = RecordRef::new(Side::Left, "contact", "1");
    assert_eq!(outcome, Gone::Held(Reason::DeletedAndEdited { deleted: record, edited }));

    for policy in [DeletePolicy::Ignore, DeletePolicy::Unlink, DeletePolicy::Delete, DeletePolicy::Recreate] {
        let both = |pair: &mut Pair| pair.half_mut(Side::Left).deleted = Some(Timestamp::from_micros(2));
        let (outcome, pair) = gone(policy, |_| {}, both);
        assert_eq!(outcome, Gone::Settled(Status::Deleted, Reason::DeletedEverywhere), "{policy:?}");
        assert_eq!(pair.keys.right, Some(Vec::new()));
    }
}

#[test]
fn what_was_undone_or_unlinked_before_stays_so() {
    let mapping = mapping();
    let mut pair = alone(&["a@x.org"]);
    pair.half_mut(Side::Right).deleted = Some(Timestamp::from_micros(1));
    let unlinked = Reason::Unlinked { side: Side::Right, object: "member".to_owned(), id: None };
    assert_eq!(inputs(&mapping).gone(&mut pair, Side::Right), Gone::Settled(Status::Excluded, unlinked));
    pair.reason = Some(Reason::Undone);
    assert_eq!(
        inputs(&mapping).gone(&mut pair, Side::Right),
        Gone::Settled(Status::Excluded, Reason::Undone)
    );
}
