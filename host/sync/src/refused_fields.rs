//! Refused fields: a field that a side names in its refusal is parked with its reason, and the rest of the record goes.

use super::definition::ObjectMapping;
use super::number::Slot;
use super::order::Action;
use super::outgoing::Outgoing;
use super::reason::{FieldReason, Reason};
use super::session::Session;
use super::settle::settle_refused;
use super::subject::RemoteSaid;
use entente_core::{Side, Value};

/// Codes of a refusal, of those that the plugin interface lists, to which leaving a field out is no answer: the record is
/// gone, or another one is meant, or the field has to have a value.
const NOT_BY_LEAVING_OUT: [&str; 3] = ["duplicate", "not-found", "required"];

impl Session<'_> {
    /// Parks the fields that a refusal names, and queues the pair, so that what is left is sent in this run. Returns
    /// whether it did. A record that is refused once more in the run fails as a whole.
    pub(super) fn park_refused(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &mut Outgoing,
        reason: &Reason,
    ) -> bool {
        let Reason::Refused { said, fields, .. } = reason else { return false };
        let named = self.parkable(mapping, target, entry, said, fields);
        if named.is_empty() || !self.refused_once.insert((entry.pair.id, target)) {
            return false;
        }
        let Outgoing { change, pair, values, .. } = &mut *entry;
        let create = change.action == Action::Create;
        for (field, sent) in change.fields.iter().zip(values.iter()) {
            let Some(rules) = mapping.field(field.slot).filter(|_| named.contains(&field.slot)) else {
                continue;
            };
            let said = said.clone();
            if create {
                // There is no record yet whose half could be settled: the value itself says what is left out.
                let value = Some(field.source.clone());
                pair.differing.retain(|(slot, _)| *slot != field.slot);
                pair.differing.push((field.slot, FieldReason::Refused { side: target, said, value }));
            } else {
                let kept = field.base.clone().unwrap_or(Value::Null);
                settle_refused(pair, target, (field, sent), kept, said);
            }
            self.run.refused_field(target, mapping.object(target), rules.name(target));
        }
        self.dropped(mapping, entry, reason.clone());
        true
    }

    /// The named fields without which the rest of a refused record can go: none where nothing else is sent, or where the
    /// record would not be the same without one of them.
    fn parkable(
        &self,
        mapping: &ObjectMapping,
        target: Side,
        entry: &Outgoing,
        said: &RemoteSaid,
        names: &[String],
    ) -> Vec<Slot> {
        let change = &entry.change;
        let create = change.action == Action::Create;
        let unknown = create && entry.unanswered;
        if unknown
            || change.is_of_undo()
            || said.code.as_ref().is_some_and(|code| NOT_BY_LEAVING_OUT.contains(&code.as_data()))
        {
            return Vec::new();
        }
        let rules = |slot: Slot| mapping.field(slot);
        let by_name =
            |slot: Slot| rules(slot).is_some_and(|rules| names.iter().any(|name| name == rules.name(target)));
        // A fact is written whole or not at all.
        let group = |slot: Slot| mapping.groups.iter().find(|group| group.contains(&slot));
        let is_named =
            |slot: Slot| by_name(slot) || group(slot).is_some_and(|of| of.iter().any(|slot| by_name(*slot)));
        let (named, rest): (Vec<_>, Vec<_>) = change.fields.iter().partition(|field| is_named(field.slot));
        let goes = |slot: Slot| {
            mapping.identifiers.contains(&slot)
                // What is refused is a record that is not there, which is no matter of this one.
                || rules(slot).is_some_and(|rules| rules.is_reference())
                || rules(slot).is_some_and(|rules| {
                    create && rules.required[target] || rules.is_constant(target.other())
                })
        };
        let needed = named.iter().any(|field| field.joint || goes(field.slot));
        // A new record has to have something of its source.
        let own = |value: &Value, reason: &FieldReason| !value.is_blank() && *reason != FieldReason::Default;
        let left = rest.iter().any(|field| {
            let constant = rules(field.slot).is_none_or(|rules| rules.is_constant(target.other()));
            !create || (own(&field.value, &field.reason) && !constant)
        });
        if needed || !left { Vec::new() } else { named.into_iter().map(|field| field.slot).collect() }
    }
}
