//! Open creates: creates that were sent and whose outcome is unknown. Until it is known, everything that is reported
//! is kept, and a new record of the target that could be the one that was made is neither linked nor created on the
//! other side. Pure: no I/O.

use super::change::{Change, ChangeStatus, ChangedField};
use super::definition::{DeletePolicy, FieldMapping, ObjectMapping};
use super::echo::is_echo;
use super::identity;
use super::number::{MappingId, PairId};
use super::pair::{MatchKey, Pair, Status};
use super::reason::{FieldReason, Reason};
use super::subject::RecordRef;
use entente_core::{Side, Value};
use std::collections::HashMap;

/// What a side offers to find out the fate of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Means {
    /// The same create, sent again, makes nothing new.
    pub(super) idempotent: bool,
    /// The record can be looked up by the identifiers that were sent.
    pub(super) lookup: bool,
    /// Records are deleted where their counterpart was deleted: by policy, and because the side can.
    pub(super) deletes: bool,
}

/// How the fate of an open create is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is sent again under the same idempotency key.
    Resend,
    /// The record is looked up.
    LookUp,
    /// The pair is held until a report shows the record, or a complete listing lacks it.
    Hold,
}

/// The next step for an open create; `source_gone`: its record was deleted since it was sent. Then nothing may be
/// made that was not made before, except where it is deleted again at once.
pub(super) const fn next_step(means: Means, source_gone: bool) -> Step {
    match (means, source_gone) {
        (Means { idempotent: true, .. }, false) => Step::Resend,
        (Means { idempotent: true, deletes: true, .. }, true) => Step::Resend,
        (Means { lookup: true, .. }, _) => Step::LookUp,
        _ => Step::Hold,
    }
}

/// Whether deletions reach the other side by policy.
pub(super) fn policy_deletes(mapping: &ObjectMapping) -> bool {
    mapping.deletes == DeletePolicy::Delete
}

/// A create with an unknown outcome.
#[derive(Debug)]
struct Open {
    change: Change,
    /// The record that it was made from.
    source: Option<RecordRef>,
    /// Identifiers that it carried.
    keys: Vec<MatchKey>,
}

impl Open {
    /// Whether a record shares a text with a create that will be answered yet, so that another identifier alone does
    /// not make it another record: it may have been edited. What many records have is no such text.
    fn resembles(&self, mapping: &ObjectMapping, pair: &Pair) -> bool {
        let shared = |field: &ChangedField| {
            let Some(rules) = mapping.field(field.slot) else { return false };
            let found = pair.current(self.change.target, field.slot);
            matches!(field.value, Value::Text(_))
                && !is_common(rules, field)
                && found.is_some_and(|found| is_echo(rules, &field.value, found))
        };
        (self.under_way() || self.change.status == ChangeStatus::Retry)
            && self.change.fields.iter().any(shared)
    }

    /// Sent, and not given up.
    fn under_way(&self) -> bool {
        matches!(self.change.status, ChangeStatus::Sent | ChangeStatus::Deferred)
    }
}

/// The creates of a sync with an unknown outcome, by mapping and target.
#[derive(Debug, Default)]
pub(super) struct OpenCreates(HashMap<(MappingId, Side), Vec<Open>>);

impl OpenCreates {
    pub(super) fn add(&mut self, mapping: &ObjectMapping, pair: &Pair, change: Change) {
        let source = change.target.other();
        let record =
            pair.half(source).id.as_deref().map(|id| RecordRef::new(source, mapping.object(source), id));
        let keys = identity::keys_sent(mapping, &change);
        let list = self.0.entry((mapping.id, change.target)).or_default();
        list.retain(|open| open.change.key != change.key);
        list.push(Open { change, source: record, keys });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// Forgets the creates of a pair whose outcome is known now.
    pub(super) fn settled(&mut self, pair: PairId) {
        for list in self.0.values_mut() {
            list.retain(|open| open.change.pair != pair);
        }
    }

    /// Whether a side has open creates that are under way: sent, and not given up.
    pub(super) fn under_way(&self, mapping: &ObjectMapping, target: Side) -> bool {
        let list = self.0.get(&(mapping.id, target));
        list.into_iter().flatten().any(Open::under_way)
    }

    /// Whether a pair has an open create.
    pub(super) fn has(&self, pair: PairId) -> bool {
        self.0.values().flatten().any(|open| open.change.pair == pair)
    }

    /// The open create of a pair that failed, perhaps after it was executed, and is to be sent again once the pair is due.
    pub(super) fn failed(&self, pair: PairId) -> Option<&Change> {
        let mut creates = self.0.values().flatten().map(|open| &open.change);
        creates.find(|change| change.pair == pair && change.status == ChangeStatus::Retry)
    }

    /// Whether a side has open creates, also given-up ones.
    pub(super) fn any(&self, mapping: &ObjectMapping, target: Side) -> bool {
        self.0.get(&(mapping.id, target)).is_some_and(|list| !list.is_empty())
    }

    /// The reason why a record without a counterpart waits: an open create may have made it. It cannot be that record
    /// if its identifiers contradict those that were sent.
    pub(super) fn may_have_made(&self, mapping: &ObjectMapping, pair: &Pair, side: Side) -> Option<Reason> {
        let keys = identity::keys(mapping, side, |slot| pair.current(side, slot));
        self.0
            .get(&(mapping.id, side))
            .into_iter()
            .flatten()
            .filter(|open| open.change.pair != pair.id)
            .find(|open| could_be(&open.keys, &keys) || open.resembles(mapping, pair))
            .map(|open| Reason::MayBe { record: open.source.clone() })
    }
}

/// Whether many records have the value of a field of a create: one of a pick-list, a constant, or the default.
fn is_common(rules: &FieldMapping, field: &ChangedField) -> bool {
    rules.has_common_values() || field.reason == FieldReason::Default
}

/// Whether a record with the keys `found` could be the one that was sent with the keys `sent`: one identifier is the
/// same, or there is none that both have.
pub(super) fn could_be(sent: &[MatchKey], found: &[MatchKey]) -> bool {
    let both =
        || sent.iter().filter_map(|key| Some((key, found.iter().find(|other| other.rank == key.rank)?)));
    both().next().is_none() || both().any(|(key, other)| key == other)
}

/// Whether a pair is a record without a counterpart that could be the one of an open create with the keys `sent`.
pub(super) fn is_stranger(mapping: &ObjectMapping, pair: &Pair, side: Side, sent: &[MatchKey]) -> bool {
    let half = pair.half(side);
    half.id.is_some()
        && half.deleted.is_none()
        && pair.half(side.other()).id.is_none()
        && pair.status != Status::Live
        && could_be(sent, &identity::keys(mapping, side, |slot| pair.current(side, slot)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_whose_source_is_gone_is_never_made_for_good() {
        use Step::{Hold, LookUp, Resend};
        for (idempotent, lookup, deletes, there, gone) in [
            (true, true, true, Resend, Resend),
            (true, true, false, Resend, LookUp),
            (true, false, true, Resend, Resend),
            (true, false, false, Resend, Hold),
            (false, true, true, LookUp, LookUp),
            (false, true, false, LookUp, LookUp),
            (false, false, true, Hold, Hold),
            (false, false, false, Hold, Hold),
        ] {
            let means = Means { idempotent, lookup, deletes };
            assert_eq!((next_step(means, false), next_step(means, true)), (there, gone), "{means:?}");
        }
    }

    #[test]
    fn identifiers_that_contradict_make_another_record() {
        let key = |rank, text: &str| MatchKey { rank, text: text.to_owned() };
        let ann = key(0, "ann@example.org");
        assert!(could_be(&[], &[]));
        assert!(could_be(std::slice::from_ref(&ann), &[]));
        assert!(could_be(&[], std::slice::from_ref(&ann)));
        assert!(could_be(std::slice::from_ref(&ann), std::slice::from_ref(&ann)));
        assert!(could_be(std::slice::from_ref(&ann), &[key(1, "17")]));
        assert!(!could_be(std::slice::from_ref(&ann), &[key(0, "bea@example.org")]));
        assert!(could_be(&[ann, key(1, "17")], &[key(0, "bea@example.org"), key(1, "17")]));
    }
}
