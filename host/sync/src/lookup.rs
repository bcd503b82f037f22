//! Lookup: builds the query that searches the other side for counterparts by identifiers, and interprets its
//! answer; an empty answer is a proof of absence. Pure: no I/O.

use super::change::Change;
use super::definition::{IdentifyBy, ObjectMapping};
use super::exchange::Query;
use super::identity;
use super::number::PairId;
use super::order::Action;
use super::pair::{MatchKey, Pair, Status};
use super::reason::Reason;
use super::subject::RecordRef;
use entente_core::{Side, Value};
use std::collections::{HashMap, HashSet};

/// Values of the identifiers, in the order of the mapping.
type Identifiers = Vec<Option<Value>>;

/// A lookup of counterparts for pairs that have a record on one side only.
#[derive(Debug)]
pub(super) struct Lookup<'m> {
    mapping: &'m ObjectMapping,
    /// The side that is searched.
    target: Side,
    pub(super) pairs: Vec<Pair>,
    /// For each pair, the identifiers of its record.
    keys: Vec<Identifiers>,
    /// Unanswered creates: their records may exist with the identifiers that were sent.
    sent: Vec<(PairId, Identifiers)>,
}

/// Result of a lookup for one pair.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Nothing: proof of absence.
    Nothing,
    /// Exactly one record: the counterpart, by its id.
    Counterpart(String),
    /// Several candidates, or a record that is the counterpart of another one.
    Held(Reason),
}

impl<'m> Lookup<'m> {
    /// Keeps the pairs that can be looked up: without a record on the target, which would be found itself, and with enough
    /// identifiers. Without identifiers there is neither a match nor a proof of absence.
    pub(super) fn new(mapping: &'m ObjectMapping, target: Side, mut pairs: Vec<Pair>) -> Self {
        let mut keys = Vec::with_capacity(pairs.len());
        pairs.retain(|pair| {
            // Gone before anything was sent for it: a record that is found has nothing to do with it.
            let gone = pair.half(target.other()).deleted.is_some() && !is_open(pair);
            if pair.half(target).id.is_some() || gone {
                return false;
            }
            let key = identity::lookup_key(mapping, target, |slot| pair.current(target.other(), slot));
            let searchable = usable(mapping, &key);
            if searchable {
                keys.push(key);
            }
            searchable
        });
        Self { mapping, target, pairs, keys, sent: Vec::new() }
    }

    /// Pairs that may have an unanswered create.
    pub(super) fn open(&self) -> Vec<PairId> {
        self.pairs.iter().filter(|pair| is_open(pair)).map(|pair| pair.id).collect()
    }

    /// Adds the identifiers that unanswered creates carried.
    pub(super) fn add_sent(&mut self, unanswered: &[Change]) {
        for change in unanswered {
            if change.action == Action::Create && change.target == self.target {
                let key =
                    identity::lookup_key(self.mapping, self.target, |slot| identity::sent(change, slot));
                if usable(self.mapping, &key) {
                    self.sent.push((change.pair, key));
                }
            }
        }
    }

    /// The query to the target.
    pub(super) fn query(&self) -> Query {
        let field = |slot: &_| Some(self.mapping.field(*slot)?.name(self.target).to_owned());
        Query {
            object: self.mapping.object(self.target).to_owned(),
            fields: self.mapping.identifiers.iter().filter_map(field).collect(),
            keys: self.keys.iter().chain(self.sent.iter().map(|(_, key)| key)).cloned().collect(),
            all: self.mapping.identify_by == IdentifyBy::All,
        }
    }

    /// Whether what is known of a record contradicts that it was found: it has another identifier, or is gone. A search
    /// index that lags still has what was before. `known` gives the pair of a record.
    pub(super) fn is_outdated<'p>(
        &self,
        answer: &[Vec<String>],
        known: impl Fn(&String) -> Option<&'p Pair>,
    ) -> bool {
        self.pairs.iter().zip(answer).any(|(pair, ids)| {
            let keys = identity::keys(self.mapping, self.target.other(), |slot| {
                pair.current(self.target.other(), slot)
            });
            ids.iter().filter_map(&known).any(|found| self.contradicts(&keys, found))
        })
    }

    fn contradicts(&self, keys: &[MatchKey], found: &Pair) -> bool {
        let value_of = |slot| found.current(self.target, slot);
        let told = self.mapping.identifiers.iter().any(|slot| value_of(*slot).is_some());
        let has = identity::keys(self.mapping, self.target, value_of);
        found.half(self.target).deleted.is_some() || (told && keys.iter().all(|key| !has.contains(key)))
    }

    /// Interprets the answer for each pair. `answer` has a list of ids for each key of the query; `owners`
    /// are the pairs that already have those records, by id.
    pub(super) fn found(&self, mut answer: Vec<Vec<String>>, owners: &HashMap<String, Pair>) -> Vec<Found> {
        let source = self.target.other();
        let linked = |id: &String| owners.get(id).and_then(|owner| owner.half(source).id.as_deref());
        let as_sent = answer.split_off(self.pairs.len().min(answer.len()));
        for ((number, _), mut ids) in self.sent.iter().zip(as_sent) {
            ids.retain(|id| linked(id).is_none());
            let asked = self.pairs.iter().position(|pair| pair.id == *number);
            if let (Some(place), false) = (asked, ids.is_empty()) {
                answer[place] = ids;
            }
        }
        let mut given: HashSet<String> = HashSet::new();
        let meaning = |mut ids: Vec<String>| {
            ids.sort_unstable();
            ids.dedup();
            match ids.as_slice() {
                [] => Found::Nothing,
                [id] => match linked(id) {
                    Some(of) => {
                        let record = RecordRef::new(source, self.mapping.object(source), of);
                        Found::Held(Reason::duplicate(record))
                    }
                    None if given.insert(id.clone()) => Found::Counterpart(id.clone()),
                    // Another pair of this lookup has claimed the record.
                    None => Found::Held(Reason::DuplicateOf { record: None, preferred: false, became: None }),
                },
                several => {
                    let object = self.mapping.object(self.target);
                    let record = |id: &String| RecordRef::new(self.target, object, id);
                    let unread = several.iter().any(|id| !owners.contains_key(id));
                    Found::Held(Reason::Ambiguous { records: several.iter().map(record).collect(), unread })
                }
            }
        };
        answer.into_iter().map(meaning).collect()
    }
}

/// Whether a pair may have an unanswered create.
fn is_open(pair: &Pair) -> bool {
    pair.attempts > 0 || pair.status == Status::Live
}

/// Whether a key has enough identifiers for a lookup.
fn usable(mapping: &ObjectMapping, key: &Identifiers) -> bool {
    match mapping.identify_by {
        IdentifyBy::All => key.iter().all(Option::is_some),
        IdentifyBy::Any => key.iter().any(Option::is_some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Agreed, ChangeStatus, ChangedField, FieldMapping, FieldReason, Half, Slot};
    use entente_core::{Kind, Sides};

    fn mapping(identify_by: IdentifyBy) -> ObjectMapping {
        let field = |slot, left: &str, right: &str| FieldMapping {
            slot: Slot(slot),
            names: Sides::new(left.to_owned(), right.to_owned()),
            kinds: Sides::by(|_| Kind::Text),
            ..FieldMapping::default()
        };
        ObjectMapping {
            id: 1,
            objects: Sides::new("contact".to_owned(), "member".to_owned()),
            fields: vec![field(0, "email", "mail"), field(1, "phone", "tel")],
            identifiers: vec![Slot(0), Slot(1)],
            identify_by,
            ..ObjectMapping::default()
        }
    }

    /// A pair with a record on the left that has these identifiers.
    fn pair(id: PairId, email: &str, phone: &str) -> Pair {
        let mut pair = Pair { id, ..Pair::new(1) };
        pair.half_mut(Side::Left).id = Some(format!("L{id}"));
        for (slot, text) in [email, phone].into_iter().enumerate() {
            let left = Some(Value::text(text));
            pair.set_agreed(Slot(slot), Agreed { left, right: None });
        }
        pair
    }

    /// A pair that has the record `id` of the right side, and this one of the left.
    fn owner(id: &str, left: Option<&str>) -> (String, Pair) {
        let mut pair = Pair { id: 99, ..Pair::new(1) };
        pair.half_mut(Side::Right).id = Some(id.to_owned());
        pair.half_mut(Side::Left).id = left.map(str::to_owned);
        (id.to_owned(), pair)
    }

    fn create(pair: PairId, email: &str) -> Change {
        let field = ChangedField {
            slot: Slot(0),
            value: Value::text(email),
            source: Value::text(email),
            base: None,
            time: None,
            base_time: None,
            joint: false,
            stored: None,
            reason: FieldReason::Default,
        };
        Change {
            id: 7,
            key: "k".to_owned(),
            run: 1,
            mapping: 1,
            pair,
            target: Side::Right,
            action: Action::Create,
            made: None,
            fields: vec![field],
            status: ChangeStatus::Retry,
            reason: None,
            ticket: None,
            sent: None,
            settled: None,
        }
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn what_has_too_few_identifiers_or_a_counterpart_is_not_searched_for() {
        let mut linked = pair(3, "c@x.org", "3");
        linked.half_mut(Side::Right).id = Some("R".to_owned());
        // Its link has ended since something was sent to the target for it.
        let mut survivor = Pair { attempts: 1, ..pair(5, "e@x.org", "5") };
        *survivor.half_mut(Side::Left) = Half::default();
        survivor.half_mut(Side::Right).id = Some("S".to_owned());
        let pairs = || {
            let (first, second, fourth) = (pair(1, "a@x.org", ""), pair(2, "", ""), pair(4, "d@x.org", "4"));
            vec![first, second, linked.clone(), fourth, survivor.clone()]
        };
        let numbers = |identify_by| {
            let mapping = mapping(identify_by);
            let lookup = Lookup::new(&mapping, Side::Right, pairs());
            assert_eq!(lookup.query().keys.len(), lookup.pairs.len());
            lookup.pairs.iter().map(|pair| pair.id).collect::<Vec<_>>()
        };
        assert_eq!(numbers(IdentifyBy::Any), [1, 4]);
        assert_eq!(numbers(IdentifyBy::All), [4]);
    }

    #[test]
    fn every_answer_means_one_thing() {
        let mapping = mapping(IdentifyBy::Any);
        let owners = HashMap::from([owner("taken", Some("L9")), owner("alone", None)]);
        let found = |answer: &[&str]| {
            let lookup = Lookup::new(&mapping, Side::Right, vec![pair(1, "a@x.org", "")]);
            lookup.found(vec![ids(answer)], &owners).remove(0)
        };
        let record = |side, object: &str, id: &str| RecordRef::new(side, object, id);
        assert_eq!(found(&[]), Found::Nothing);
        assert_eq!(found(&["r"]), Found::Counterpart("r".to_owned()));
        assert_eq!(found(&["r", "r"]), Found::Counterpart("r".to_owned()), "by two identifiers");
        assert_eq!(found(&["alone"]), Found::Counterpart("alone".to_owned()));
        let duplicate = Reason::duplicate(record(Side::Left, "contact", "L9"));
        assert_eq!(found(&["taken"]), Found::Held(duplicate));
        let records = vec![record(Side::Right, "member", "r"), record(Side::Right, "member", "s")];
        assert_eq!(found(&["s", "r"]), Found::Held(Reason::Ambiguous { records, unread: true }));
    }

    #[test]
    fn one_record_is_the_counterpart_of_one_pair() {
        let mapping = mapping(IdentifyBy::Any);
        let lookup =
            Lookup::new(&mapping, Side::Right, vec![pair(1, "a@x.org", "1"), pair(2, "a@x.org", "2")]);
        let found = lookup.found(vec![ids(&["r"]), ids(&["r"])], &HashMap::new());
        assert_eq!(found[0], Found::Counterpart("r".to_owned()));
        assert!(matches!(found[1], Found::Held(Reason::DuplicateOf { record: None, .. })));
    }

    #[test]
    fn what_was_made_under_the_identifiers_of_then_counts_first() {
        let mapping = mapping(IdentifyBy::Any);
        let asked = Pair { attempts: 1, ..pair(1, "new@x.org", "") };
        let mut lookup = Lookup::new(&mapping, Side::Right, vec![asked, pair(2, "b@x.org", "")]);
        assert_eq!(lookup.open(), [1]);
        lookup.add_sent(&[create(1, "old@x.org"), create(1, "")]);
        let keys = lookup.query().keys;
        assert_eq!(keys[2], [Some(Value::text("old@x.org")), None]);
        assert_eq!(keys.len(), 3, "a create without identifiers is not searched for");
        let owners = HashMap::from([owner("taken", Some("L9"))]);
        let found =
            |as_sent: &[&str]| lookup.found(vec![ids(&["now"]), ids(&[]), ids(as_sent)], &owners).remove(0);
        assert_eq!(found(&["then"]), Found::Counterpart("then".to_owned()));
        assert_eq!(found(&["taken"]), Found::Counterpart("now".to_owned()), "that one is somebody else's");
        assert_eq!(found(&[]), Found::Counterpart("now".to_owned()));
    }
}
