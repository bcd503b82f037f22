//! Table tests of the merge base: each row is a case with the expected base and edits afterwards.

use super::*;
use crate::{ChangeStatus, FieldReason, RunId};
use entente_core::FieldTime as Time;

const RUN: RunId = 5;
const WRITTEN: Timestamp = Timestamp::from_micros(9);

fn field(slot: usize, set_like: bool) -> FieldMapping {
    let kind = if set_like { Kind::Texts } else { Kind::Text };
    FieldMapping { slot: Slot(slot), kinds: Sides::by(|_| kind.clone()), set_like, ..FieldMapping::default() }
}

/// A name, and tags, which are a set.
fn mapping() -> ObjectMapping {
    ObjectMapping { id: 1, fields: vec![field(0, false), field(1, true)], ..ObjectMapping::default() }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn tags(tags: &[&str]) -> Value {
    Value::Texts(tags.iter().map(|tag| (*tag).to_owned()).collect())
}

fn both(left: Value, right: Value) -> Option<Agreed> {
    Some(Agreed { left: Some(left), right: Some(right) })
}

fn edit(value: Value) -> Option<Seen> {
    Some(Seen { value, time: None })
}

/// A change of one field to the right: the left has `source`, which is sent as it is.
fn outgoing(action: Action, slot: usize, source: Value, base: Option<Value>) -> Outgoing {
    let changed = ChangedField {
        slot: Slot(slot),
        value: source.clone(),
        source: source.clone(),
        base: base.clone(),
        time: None,
        base_time: None,
        joint: false,
        stored: None,
        reason: FieldReason::Default,
    };
    let change = Change {
        id: 1,
        key: "k".to_owned(),
        run: RUN,
        mapping: 1,
        pair: 1,
        target: Side::Right,
        action,
        made: None,
        fields: vec![changed],
        status: ChangeStatus::Sent,
        reason: None,
        ticket: None,
        sent: None,
        settled: None,
    };
    let mut pair = Pair { id: 1, ..Pair::new(1) };
    pair.half_mut(Side::Left).set_seen(Slot(slot), edit(source.clone()));
    if let Some(base) = base {
        pair.set_agreed(Slot(slot), Agreed { left: Some(base.clone()), right: Some(base) });
    }
    let values = vec![source];
    let (waits, earlier) = (None, Vec::new());
    let unanswered = !earlier.is_empty();
    let left_out = std::collections::BTreeSet::new();
    let (held, failed, resent) = (false, false, false);
    Outgoing { change, pair, values, waits, held, failed, resent, unanswered, earlier, left_out }
}

fn update(source: Value, base: Value) -> Outgoing {
    let slot = usize::from(matches!(source, Value::Texts(_)));
    outgoing(Action::Update("a".to_owned()), slot, source, Some(base))
}

/// Settles an answer with this stored value of the field. Returns whether the pair has to be decided again.
fn settle(entry: &mut Outgoing, stored: Option<Value>) -> bool {
    let mapping = mapping();
    let slots = [entry.change.fields[0].slot];
    let written = Written {
        id: "a".to_owned(),
        changed: Some(WRITTEN),
        values: stored.into_iter().map(Some).collect(),
        ..Written::default()
    };
    let target = Side::Right;
    Settlement { mapping: &mapping, target, slots: &slots, written: &written, undo: false, local: false }
        .settle(entry)
}

/// The base, and the edits on the left and on the right.
fn state(entry: &Outgoing, slot: usize) -> (Option<Agreed>, Option<Seen>, Option<Seen>) {
    let pair = &entry.pair;
    let seen = |side| pair.half(side).seen(Slot(slot)).cloned();
    (pair.agreed(Slot(slot)).cloned(), seen(Side::Left), seen(Side::Right))
}

#[test]
fn an_update_is_agreed_as_it_was_stored() {
    type State = (Option<Agreed>, Option<Seen>, Option<Seen>);
    type Case = (&'static str, Option<&'static str>, fn(&mut Outgoing), State);
    let right = |entry: &mut Outgoing, value: &str| {
        entry.pair.half_mut(Side::Right).set_seen(Slot(0), edit(text(value)));
    };
    let cases: [Case; 6] = [
        ("taken as sent", None, |_| {}, (both(text("Eva"), text("Eva")), None, None)),
        ("normalised", Some("EVA"), |_| {}, (both(text("Eva"), text("EVA")), None, None)),
        (
            "the source was edited since",
            None,
            |entry| entry.pair.half_mut(Side::Left).set_seen(Slot(0), edit(text("Uta"))),
            (both(text("Eva"), text("Eva")), edit(text("Uta")), None),
        ),
        (
            "the source went back to what was agreed before",
            None,
            |entry| entry.pair.half_mut(Side::Left).set_seen(Slot(0), None),
            (both(text("Eva"), text("Eva")), edit(text("Ada")), None),
        ),
        (
            "the target was edited while the order was under way",
            None,
            |entry| {
                entry.pair.dirty = true;
                entry.pair.half_mut(Side::Right).set_seen(Slot(0), edit(text("Ida")));
            },
            (both(text("Eva"), text("Eva")), None, edit(text("Ida"))),
        ),
        (
            "the report that came meanwhile has what was sent",
            None,
            |entry| {
                entry.pair.dirty = true;
                entry.pair.half_mut(Side::Right).set_seen(Slot(0), edit(text("Eva")));
            },
            (both(text("Eva"), text("Eva")), None, None),
        ),
    ];
    for (case, stored, touch, expected) in cases {
        let mut entry = update(text("Eva"), text("Ada"));
        touch(&mut entry);
        assert!(!settle(&mut entry, stored.map(text)), "{case}: nothing is left to decide");
        assert_eq!(state(&entry, 0), expected, "{case}");
    }
    let mut old = update(text("Eva"), text("Ada"));
    right(&mut old, "Ida");
    settle(&mut old, None);
    assert_eq!(state(&old, 0).2, None, "a report from before the decision is no newer edit");
}

#[test]
fn what_is_stored_is_noted_only_where_it_differs() {
    for (stored, noted) in [(None, None), (Some("Eva"), None), (Some("EVA"), Some(text("EVA")))] {
        let mut entry = update(text("Eva"), text("Ada"));
        settle(&mut entry, stored.map(text));
        assert_eq!(entry.change.fields[0].stored, noted);
    }
}

#[test]
fn a_create_that_was_sent_twice_keeps_what_was_edited_since() {
    let create = || outgoing(Action::Create, 0, text("Eva"), None);
    let time = Some(Time::by(WRITTEN));

    let mut twice = Outgoing { resent: true, ..create() };
    assert!(settle(&mut twice, Some(text("Uta"))));
    let edited = Some(Seen { value: text("Uta"), time });
    assert_eq!(state(&twice, 0), (both(text("Eva"), text("Eva")), None, edited), "an edit of the target");

    let mut once = create();
    assert!(!settle(&mut once, Some(text("Uta"))));
    assert_eq!(state(&once, 0), (both(text("Eva"), text("Uta")), None, None), "the remote normalised it");

    let mut same = Outgoing { resent: true, ..create() };
    assert!(!settle(&mut same, Some(text("Eva"))));
    assert_eq!(state(&same, 0), (both(text("Eva"), text("Eva")), None, None));
}

#[test]
fn what_an_earlier_sending_carried_is_agreed_and_the_source_has_an_edit() {
    let before = |slot: usize, value: Value| SentBefore { slot: Slot(slot), source: value.clone(), value };
    let earlier = vec![before(0, text("Ada")), before(0, text("Ida")), before(1, tags(&["vip"]))];
    let mut entry = Outgoing { resent: true, earlier, ..outgoing(Action::Create, 0, text("Eva"), None) };
    assert!(settle(&mut entry, Some(text("Ida"))), "what the source has now is still to be written");
    assert_eq!(state(&entry, 0), (both(text("Ida"), text("Ida")), edit(text("Eva")), None));
    assert_eq!(state(&entry, 1).0, both(tags(&["vip"]), tags(&["vip"])), "it was cleared since");
}

#[test]
fn a_new_record_agrees_on_blanks_that_were_not_sent() {
    let mut entry = outgoing(Action::Create, 0, text("Eva"), None);
    entry.pair.half_mut(Side::Left).set_seen(Slot(1), edit(tags(&[])));
    assert!(!settle(&mut entry, None));
    let agreed = Agreed { left: Some(tags(&[])), right: None };
    assert_eq!(state(&entry, 1), (Some(agreed), None, None), "what is there is known with its first report");
}

#[test]
fn what_is_written_to_both_sides_is_agreed_when_both_are() {
    let joint = |target: Side, failed: bool| {
        let mut entry = update(text("both"), text("Ada"));
        entry.change.fields[0].joint = true;
        entry.change.target = target;
        entry.failed = failed;
        let mapping = mapping();
        let slots = [Slot(0)];
        let written = Written { id: "a".to_owned(), ..Written::default() };
        let settlement = Settlement {
            mapping: &mapping,
            target,
            slots: &slots,
            written: &written,
            undo: false,
            local: false,
        };
        settlement.settle(&mut entry);
        state(&entry, 0)
    };
    let before = both(text("Ada"), text("Ada"));
    assert_eq!(joint(Side::Left, false).0, before, "the left comes first");
    assert_eq!(joint(Side::Right, true), (before, edit(text("both")), edit(text("both"))), "the left failed");
    assert_eq!(joint(Side::Right, false), (both(text("both"), text("both")), None, None));
}

#[test]
fn of_a_set_the_elements_that_were_carried_are_agreed() {
    let mut entry = update(tags(&["a", "b"]), tags(&["a"]));
    settle(&mut entry, Some(tags(&["a", "b", "theirs"])));
    let (agreed, left, right) = state(&entry, 1);
    assert_eq!(agreed, both(tags(&["a", "b"]), tags(&["a", "b", "theirs"])));
    assert_eq!((left, right), (None, None));
}

#[test]
fn what_the_survivor_has_outlives_the_link() {
    let mut pair = Pair::new(1);
    pair.set_agreed(Slot(0), Agreed { left: Some(text("Ada")), right: Some(text("ADA")) });
    forget_agreed(&mut pair, Side::Right);
    assert_eq!(pair.current(Side::Right, Slot(0)), Some(&text("ADA")));
    assert_eq!(pair.current(Side::Left, Slot(0)), None);
    assert!(pair.agreed.is_empty());
}

#[test]
fn a_change_without_an_answer_is_settled_only_where_it_stands_there() {
    let mapping = mapping();
    let settled = |now: &str| {
        let mut entry = update(text("Eva"), text("Ada"));
        entry.pair.half_mut(Side::Right).set_seen(Slot(0), edit(text(now)));
        settle_as_sent(&mapping, &mut entry.pair, &entry.change);
        state(&entry, 0)
    };
    assert_eq!(settled("Eva"), (both(text("Eva"), text("Eva")), None, None));
    let open = (both(text("Ada"), text("Ada")), edit(text("Eva")), edit(text("Ida")));
    assert_eq!(settled("Ida"), open, "it is decided again by what is there");
}

#[test]
fn an_update_has_landed_where_one_field_tells_so() {
    let second = || ChangedField {
        slot: Slot(2),
        ..outgoing(Action::Update("r".to_owned()), 0, text("sent"), Some(text("base")))
            .change
            .fields
            .remove(0)
    };
    let mapping = ObjectMapping { fields: vec![field(0, false), field(2, false)], ..mapping() };
    for (base, now, landed) in [
        ("base", "sent", true),
        // It has got the value of before again.
        ("base", "base", true),
        ("base", "edited since", true),
        // The target had it before: that tells nothing.
        ("sent", "sent", true),
    ] {
        let mut entry = outgoing(Action::Update("r".to_owned()), 0, text("sent"), Some(text(base)));
        entry.change.fields.push(second());
        entry.pair.half_mut(Side::Right).id = Some("r".to_owned());
        entry.pair.half_mut(Side::Right).set_seen(Slot(0), edit(text(now)));
        entry.pair.half_mut(Side::Right).set_seen(Slot(2), edit(text("sent")));
        assert_eq!(has_landed(&mapping, &entry.pair, &mut entry.change), landed, "{base} {now}");
        entry.pair.half_mut(Side::Right).set_seen(Slot(2), edit(text("base")));
        // It has the value of before, perhaps again: that tells nothing either.
        let other = (base, now) == ("base", "sent");
        assert_eq!(has_landed(&mapping, &entry.pair, &mut entry.change), other, "{base} {now}");
    }
}
