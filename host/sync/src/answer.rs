//! Answer: validates and interprets the outcome of a change by the rules of the plugin interface. Pure: no
//! I/O.

use super::change::Change;
use super::definition::ObjectMapping;
use super::identity;
use super::number::Slot;
use super::order::{Action, Answer, Outcome, Written};
use super::outgoing::{Outgoing, Owners};
use super::pair::MatchKey;
use super::reason::Reason;
use super::report::Row;
use super::subject::{InvalidAnswer, RecordRef, RemoteSaid};
use super::unfit::is_unfit_id;
use entente_core::{Reference, Side, Value};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How a change was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Execution {
    Created,
    Updated,
    Unchanged,
}

/// Interpretation of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// Executed: the record is stored as written.
    Made(Execution, Written),
    /// The record is deleted, by this change or before it.
    Gone,
    /// Refused: nothing was written, and a retry would not help.
    Refused(Reason),
    /// Duplicate: the record that the answer names is the counterpart of another record of the source.
    BelongsToAnother(Reason),
    /// Stale: the record changed after the decision; this is what it holds now.
    Stale(Row),
    /// Merge: the record was merged into one that has a pair of its own.
    Merged(Reason),
    /// The record has another id now.
    Renamed(String),
    /// Conversion: the record became one of another object.
    Converted(Reason),
    /// Unknown outcome: an earlier send of the create may have succeeded.
    Open,
    /// Retry: nothing was written.
    Later(Option<Duration>, String),
    /// Deferred: the outcome is collected later with this ticket.
    Deferred(String),
}

/// Interprets the answers to one order.
pub(super) struct Answers<'a> {
    mapping: &'a ObjectMapping,
    target: Side,
    /// Other pairs that have records which answers name, by id.
    owners: &'a Owners,
    /// Ids of other records than their own that changes of this order were answered with; a second one with the same id is a
    /// duplicate.
    made: HashSet<String>,
}

impl<'a> Answers<'a> {
    pub(super) fn new(mapping: &'a ObjectMapping, target: Side, owners: &'a Owners) -> Self {
        Self { mapping, target, owners, made: HashSet::new() }
    }

    /// Interprets the outcome of a change; `unanswered`: an earlier send of it has no answer.
    pub(super) fn meaning(&mut self, action: &Action, unanswered: bool, outcome: Outcome) -> Meaning {
        match outcome {
            Outcome::Created(written) => self.written(action, Execution::Created, written),
            Outcome::Updated(written) => self.written(action, Execution::Updated, written),
            Outcome::Unchanged(written) => self.written(action, Execution::Unchanged, written),
            Outcome::Deleted => Meaning::Gone,
            Outcome::Failed { code, .. } if code == "not-found" && *action != Action::Create => Meaning::Gone,
            Outcome::Failed { code, reason, fields } => {
                let said = RemoteSaid { code: Some(code.into()), text: reason.into() };
                Meaning::Refused(Reason::Refused { side: self.target, said, fields })
            }
            // To a create it names what is there already, which may be the counterpart of another record.
            Outcome::Stale(row) => match self.claimed(action, &row.id) {
                Some(reason) => Meaning::BelongsToAnother(reason),
                None => Meaning::Stale(row),
            },
            Outcome::Converted(reference) => self.converted(reference),
            // The first send may have succeeded: the next run sends it again under its idempotency key.
            Outcome::Retry { .. } if unanswered && *action == Action::Create => Meaning::Open,
            Outcome::Retry { after, reason } => Meaning::Later(after, reason),
            Outcome::Deferred(ticket) => Meaning::Deferred(ticket),
        }
    }

    fn written(&mut self, action: &Action, made: Execution, written: Written) -> Meaning {
        let target = self.target;
        let invalid = |how| Meaning::Refused(Reason::InvalidAnswer { side: target, how });
        if matches!(action, Action::Delete(_)) {
            return invalid(InvalidAnswer::NotDeleted);
        }
        if written.id.is_empty() {
            return invalid(InvalidAnswer::NoId);
        }
        if is_unfit_id(&written.id) {
            return invalid(InvalidAnswer::UnfitId);
        }
        match self.claimed(action, &written.id) {
            Some(reason) => Meaning::BelongsToAnother(reason),
            None => Meaning::Made(made, written),
        }
    }

    /// Why the record that an answer names is not the one of its change: another pair has it, or another change of the order
    /// was answered with it.
    fn claimed(&mut self, action: &Action, id: &str) -> Option<Reason> {
        let record = |side: Side, id: &str| RecordRef::new(side, self.mapping.object(side), id);
        // Another answer of the order may name the record of this one, as what was merged into it.
        if id.is_empty() || matches!(action, Action::Update(own) if own == id) {
            return None;
        }
        let became = Some(record(self.target, id));
        let source = self.target.other();
        let counterpart = self.owners.get(id).and_then(|owner| owner.half(source).id.as_deref());
        let counterpart = counterpart.map(|counterpart| record(source, counterpart));
        let first = self.made.insert(id.to_owned());
        (counterpart.is_some() || !first).then(|| Reason::DuplicateOf {
            record: counterpart.filter(|_| first),
            preferred: false,
            became,
        })
    }

    fn converted(&mut self, reference: Reference) -> Meaning {
        let into = RecordRef::of(self.target, &reference);
        if reference.object != self.mapping.object(self.target) {
            Meaning::Converted(Reason::Converted { from: None, into })
        } else if self.owners.contains_key(&reference.id) || !self.made.insert(reference.id.clone()) {
            Meaning::Merged(Reason::Merged { from: None, into })
        } else {
            Meaning::Renamed(reference.id)
        }
    }
}

/// The creates whose answers are those of other creates of the order: the ids of two records were exchanged, say. They tell
/// identifiers of another one and none of their own, or, without any, nothing but what was sent with another one. An answer
/// that tells no values shows nothing.
pub(super) fn mistaken(
    mapping: &ObjectMapping,
    target: Side,
    outgoing: &HashMap<String, Outgoing>,
    slots: &[Slot],
    answers: &[Answer],
) -> HashSet<String> {
    let creates = || outgoing.values().map(|entry| &entry.change).filter(|of| of.action == Action::Create);
    let mut sent: Option<HashMap<MatchKey, &str>> = None;
    let mut mistaken = answered_with_one(mapping, outgoing, slots, answers);
    for Answer { change, outcome } in answers {
        let (Outcome::Created(written) | Outcome::Unchanged(written)) = outcome else { continue };
        let own = outgoing.get(change).map(|entry| &entry.change).filter(|of| of.action == Action::Create);
        let Some(own) = own else { continue };
        let told = |slot: Slot| told(written, slots, slot);
        if mapping.identifiers.iter().any(|slot| told(*slot).is_some_and(|value| carried(own, *slot, value)))
        {
            continue;
        }
        let keys = identity::keys(mapping, target, told);
        let own_keys = identity::keys_sent(mapping, own);
        if keys.is_empty() {
            let values: Vec<(Slot, &Value)> =
                slots.iter().filter_map(|slot| Some((*slot, told(*slot)?))).collect();
            let all = |of: &Change| {
                !values.is_empty() && values.iter().all(|(slot, value)| carried(of, *slot, value))
            };
            let none = !values.iter().any(|(slot, value)| carried(own, *slot, value));
            if none && creates().any(all) {
                mistaken.insert(change.clone());
            }
            continue;
        }
        if keys.iter().any(|key| own_keys.contains(key)) {
            continue;
        }
        let sent = sent.get_or_insert_with(|| {
            let keys = |change| identity::keys_sent(mapping, change);
            creates().flat_map(|of| keys(of).into_iter().map(|key| (key, of.key.as_str()))).collect()
        });
        if keys.iter().any(|key| sent.contains_key(key)) {
            mistaken.insert(change.clone());
        }
    }
    mistaken
}

/// The creates that are answered with one record though they have no identifier in common: it is that of one of them at
/// most, and what the others have made is not known. One whose own values are told is not among them.
fn answered_with_one(
    mapping: &ObjectMapping,
    outgoing: &HashMap<String, Outgoing>,
    slots: &[Slot],
    answers: &[Answer],
) -> HashSet<String> {
    let mut by_id: HashMap<&str, Vec<(&Change, &Written)>> = HashMap::new();
    for Answer { change, outcome } in answers {
        let (Outcome::Created(written) | Outcome::Unchanged(written)) = outcome else { continue };
        let own = outgoing.get(change).map(|entry| &entry.change).filter(|of| of.action == Action::Create);
        if let Some(own) = own {
            let answered = by_id.entry(&written.id).or_default();
            if !answered.iter().any(|(first, _)| first.key == own.key) {
                answered.push((own, written));
            }
        }
    }
    let mut unknown = HashSet::new();
    for answered in by_id.into_values().filter(|answered| answered.len() > 1) {
        let keys: Vec<Vec<MatchKey>> =
            answered.iter().map(|(own, _)| identity::keys_sent(mapping, own)).collect();
        for (place, (own, written)) in answered.iter().enumerate() {
            let same = |other: usize| keys[other].iter().any(|key| keys[place].contains(key));
            let merged = (0..keys.len()).any(|other| other != place && same(other));
            let only_own = |slot: Slot, value: &Value| {
                carried(own, slot, value)
                    && answered.iter().all(|(of, _)| of.key == own.key || !carried(of, slot, value))
            };
            let told = |slot: &Slot| told(written, slots, *slot).is_some_and(|value| only_own(*slot, value));
            if !merged && !slots.iter().any(told) {
                unknown.insert(own.key.clone());
            }
        }
    }
    unknown
}

/// A value that an answer tells, unless it is blank.
fn told<'w>(written: &'w Written, slots: &[Slot], slot: Slot) -> Option<&'w Value> {
    let column = slots.iter().position(|of| *of == slot)?;
    written.values.get(column)?.as_ref().filter(|value| !value.is_blank())
}

/// Whether a change was sent with this value.
fn carried(change: &Change, slot: Slot, value: &Value) -> bool {
    change.fields.iter().any(|field| field.slot == slot && field.value == *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pair;
    use entente_core::Sides;

    fn written(id: &str) -> Written {
        Written { id: id.to_owned(), ..Written::default() }
    }

    fn record(side: Side, object: &str, id: &str) -> RecordRef {
        RecordRef::new(side, object, id)
    }

    /// What an outcome means where the record `taken` has a counterpart `7`, and `alone` waits in a pair of
    /// its own.
    fn meaning(action: &Action, resent: bool, outcome: Outcome) -> Meaning {
        let mapping = ObjectMapping {
            objects: Sides::new("contact".to_owned(), "member".to_owned()),
            ..ObjectMapping::default()
        };
        let owner = |left: Option<&str>, right: &str| {
            let mut pair = Pair::new(1);
            pair.half_mut(Side::Left).id = left.map(str::to_owned);
            pair.half_mut(Side::Right).id = Some(right.to_owned());
            (right.to_owned(), pair)
        };
        let owners = Owners::from([owner(Some("7"), "taken"), owner(None, "alone")]);
        Answers::new(&mapping, Side::Right, &owners).meaning(action, resent, outcome)
    }

    fn row(id: &str) -> Row {
        Row { id: id.to_owned(), ..Row::default() }
    }

    fn duplicate(record: Option<RecordRef>, became: &str) -> Meaning {
        let became = Some(self::record(Side::Right, "member", became));
        Meaning::BelongsToAnother(Reason::DuplicateOf { record, preferred: false, became })
    }

    #[test]
    fn an_answer_that_names_a_record_means_one_thing() {
        let (update, delete) = (Action::Update("a".to_owned()), Action::Delete("a".to_owned()));
        let invalid = |how| Meaning::Refused(Reason::InvalidAnswer { side: Side::Right, how });
        let made = |made, id: &str| Meaning::Made(made, written(id));
        let counterpart = || Some(record(Side::Left, "contact", "7"));
        let merged_into = Action::Update("taken".to_owned());
        let table = [
            (&Action::Create, Outcome::Created(written("b")), made(Execution::Created, "b")),
            (&Action::Create, Outcome::Unchanged(written("alone")), made(Execution::Unchanged, "alone")),
            (&update, Outcome::Updated(written("a")), made(Execution::Updated, "a")),
            (&delete, Outcome::Updated(written("a")), invalid(InvalidAnswer::NotDeleted)),
            (&Action::Create, Outcome::Created(written("")), invalid(InvalidAnswer::NoId)),
            (&Action::Create, Outcome::Created(written("1\0")), invalid(InvalidAnswer::UnfitId)),
            (&Action::Create, Outcome::Created(written("taken")), duplicate(counterpart(), "taken")),
            (&update, Outcome::Updated(written("taken")), duplicate(counterpart(), "taken")),
            (&merged_into, Outcome::Updated(written("taken")), made(Execution::Updated, "taken")),
            (&update, Outcome::Stale(row("taken")), duplicate(counterpart(), "taken")),
            (&Action::Create, Outcome::Stale(row("taken")), duplicate(counterpart(), "taken")),
            (&Action::Create, Outcome::Stale(row("alone")), Meaning::Stale(row("alone"))),
            (&update, Outcome::Stale(row("a")), Meaning::Stale(row("a"))),
        ];
        for (action, outcome, expected) in table {
            let shown = format!("{action:?}, {outcome:?}");
            assert_eq!(meaning(action, false, outcome), expected, "{shown}");
        }
    }

    #[test]
    fn an_answer_without_a_write_means_one_thing() {
        let (create, update) = (Action::Create, Action::Update("a".to_owned()));
        let failed =
            |code: &str| Outcome::Failed { code: code.to_owned(), reason: "no".to_owned(), fields: vec![] };
        let refused = |code: &str| {
            let said = RemoteSaid::new(code, "no");
            Meaning::Refused(Reason::Refused { side: Side::Right, said, fields: vec![] })
        };
        let retry = || Outcome::Retry { after: None, reason: "busy".to_owned() };
        let later = || Meaning::Later(None, "busy".to_owned());
        let became = |object: &str, id: &str| {
            Outcome::Converted(Reference { object: object.to_owned(), id: id.to_owned() })
        };
        let merged = Reason::Merged { from: None, into: record(Side::Right, "member", "alone") };
        let converted = Reason::Converted { from: None, into: record(Side::Right, "lead", "z") };
        let table = [
            (&Action::Delete("a".to_owned()), false, Outcome::Deleted, Meaning::Gone),
            (&update, false, Outcome::Deleted, Meaning::Gone),
            (&update, false, failed("not-found"), Meaning::Gone),
            (&create, false, failed("not-found"), refused("not-found")),
            (&update, false, failed("invalid"), refused("invalid")),
            (&update, false, Outcome::Stale(Row::default()), Meaning::Stale(Row::default())),
            (&update, false, became("member", "z"), Meaning::Renamed("z".to_owned())),
            (&update, false, became("member", "alone"), Meaning::Merged(merged)),
            (&update, false, became("lead", "z"), Meaning::Converted(converted)),
            (&update, true, retry(), later()),
            (&create, false, retry(), later()),
            (&create, true, retry(), Meaning::Open),
            (&update, false, Outcome::Deferred("t".to_owned()), Meaning::Deferred("t".to_owned())),
        ];
        for (action, resent, outcome, expected) in table {
            let shown = format!("{action:?}, resent: {resent}, {outcome:?}");
            assert_eq!(meaning(action, resent, outcome), expected, "{shown}");
        }
    }

    #[test]
    fn two_creates_of_one_order_cannot_become_the_same_record() {
        let mapping = ObjectMapping::default();
        let owners = Owners::new();
        let mut answers = Answers::new(&mapping, Side::Left, &owners);
        let mut create = || answers.meaning(&Action::Create, false, Outcome::Created(written("b")));
        assert_eq!(create(), Meaning::Made(Execution::Created, written("b")));
        assert!(matches!(create(), Meaning::BelongsToAnother(Reason::DuplicateOf { record: None, .. })));
    }
}
