//! Values that differ by a rule of their field: the ledger says so, and the rule is one that the sync has.

use super::End;
use crate::schema::{CITY, ORIGIN, PERSON, PHONE, STAGE};
use crate::system::System;
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::{Value, Why};
use entente_sync::{Drift, FieldReason, Pair, Reason, RecordRef, Sides, Slot, Status, WriteRule};

impl End<'_> {
    /// Whether the values of a field that has a rule correspond; `None` for every other field.
    pub(super) fn correspond(&self, object: usize, field: usize, values: Sides<&Value>) -> Option<bool> {
        let rules = &self.world.character.rules;
        match (object, field) {
            (PERSON, STAGE) => Some(rules.correspond(values.left, values.right)),
            (PERSON, ORIGIN) => Some(rules.constant.is_some_and(|target| rules.is_constant(values[target]))),
            _ => None,
        }
    }

    /// The rule by which the values of a field differ, where the pair gives it as the reason and it holds.
    pub(super) fn by_rule(
        &self,
        object: usize,
        field: usize,
        pair: &Pair,
        values: Sides<&Value>,
    ) -> Option<Exception> {
        let rules = &self.world.character.rules;
        let differs = pair.differs(Slot(field))?;
        match (object, field, differs) {
            (PERSON, STAGE, FieldReason::Judge(Why::NoSuchWord(target))) => {
                let source = target.other();
                (!rules.has_entry(source, values[source])).then_some(Exception::ValueWithoutEntry)
            }
            (_, _, FieldReason::Judge(Why::RequiredBlank(target))) => {
                let required = rules.required_on(*target).any(|known| known == (object, field));
                let holds = required && values[target.other()].is_blank();
                holds.then_some(Exception::RequiredBlank)
            }
            (PERSON, PHONE, FieldReason::Judge(Why::NeverWritten)) => {
                (rules.write == WriteRule::Never).then_some(Exception::WriteRule)
            }
            (PERSON, PHONE, FieldReason::Judge(Why::NotEmpty(target))) => {
                let holds = rules.write == WriteRule::IfEmpty && !values[*target].is_blank();
                holds.then_some(Exception::WriteRule)
            }
            (PERSON, CITY, FieldReason::Default) => {
                let given = |side: entente_sync::Side| {
                    rules.is_default(side, values[side]) && values[side.other()].is_blank()
                };
                entente_sync::Side::BOTH.into_iter().any(given).then_some(Exception::DefaultGiven)
            }
            (PERSON, ORIGIN, FieldReason::Judge(Why::DriftKept(target))) => {
                let holds = rules.constant == Some(*target) && rules.drift == Drift::Keep;
                holds.then_some(Exception::DriftKept)
            }
            _ => None,
        }
    }

    /// Why a pair is wrongly held for a required field: the record has a value in it.
    pub(super) fn wrongly_held(&self, sync: usize, object: usize, pair: &Pair) -> Option<&'static str> {
        if let Some(Reason::ParentGone { record }) = &pair.reason {
            let stands =
                self.parent(sync, record).is_some_and(|of| of.status == Status::Ok && of.is_linked());
            return (stands && self.listed).then_some("the record that it refers to is there on both sides");
        }
        let Some(Reason::Required { side, field, .. }) = &pair.reason else { return None };
        let source = self.half(sync, object, pair, side.other())?;
        let rules = &self.world.character.rules;
        let field = self.system(self.place(sync, *side)).words().read_field(object, field);
        let required = field.filter(|field| rules.required_on(*side).any(|known| known == (object, *field)));
        match required {
            Some(CITY) if rules.default[*side] => Some("the field that is required has a default"),
            Some(field) => (!source[field].is_blank()).then_some("the record has the field that is required"),
            None => Some("no rule requires the field"),
        }
    }

    /// The pair of a record.
    fn parent(&self, sync: usize, of: &RecordRef) -> Option<&Pair> {
        let object = self.system(self.place(sync, of.side)).words().read_object(&of.object)?;
        let mut pairs = self.pairs.iter().filter(|(known, kind, _)| (*known, *kind) == (sync, object));
        pairs.find(|(_, _, known)| known.half(of.side).id.as_ref() == Some(&of.id)).map(|(_, _, pair)| pair)
    }

    /// Why a pair wrongly waits for a record: it stands on both sides, or it is gone and waiting is in vain.
    pub(super) fn wrongly_waiting(&self, sync: usize, pair: &Pair) -> Option<&'static str> {
        let Some(Reason::WaitsFor { record: Some(of) }) = &pair.reason else { return None };
        let Some(parent) = self.parent(sync, of) else {
            let System::Remote(remote) = self.system(self.place(sync, of.side)) else {
                return Some("it waits for a record of the hub that has no pair");
            };
            // Without a complete listing or a reading by id nobody can tell that it is gone.
            let told = self.listed && (remote.manners.by_id || remote.manners.keyset);
            return told.then_some("it waits for a record that is gone");
        };
        match parent.status {
            Status::Ok if parent.is_linked() => Some("it waits for a record that is there on both sides"),
            Status::Deleted | Status::Excluded => Some("it waits for a record that is gone or takes no part"),
            _ => None,
        }
    }

    /// No order leaves a required field without a value.
    pub(super) fn check_breaches(&self, verdict: &mut Verdict) {
        for system in &self.world.users.systems {
            let System::Remote(remote) = system else { continue };
            for breach in remote.breaches() {
                verdict.add(Word::Unaccounted, "I1", breach);
            }
        }
    }
}
