//! Values that differ by a rule of their field: the ledger says so, and the rule is one that the sync has.

use super::End;
use crate::schema::{CITY, ORIGIN, PERSON, PHONE, STAGE};
use crate::system::System;
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::{Value, Why};
use entente_sync::{Drift, FieldReason, Pair, Reason, Sides, Slot, WriteRule};

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
            (PERSON, CITY, FieldReason::Judge(Why::RequiredBlank(target))) => {
                let holds = rules.required[*target] && values[target.other()].is_blank();
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
        let Some(Reason::Required { side, .. }) = &pair.reason else { return None };
        let source = self.half(sync, object, pair, side.other())?;
        let rules = &self.world.character.rules;
        if object != PERSON || !rules.required[*side] || rules.default[*side] {
            return Some("no rule requires a field there that has no default");
        }
        (!source[CITY].is_blank()).then_some("the record has the field that is required")
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
