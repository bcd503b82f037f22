//! Decide: applies the decision about one pair: status, reason, changes of the plan, counts of the run. No
//! I/O.

use super::change::{Change, ChangeStatus, ChangedField};
use super::definition::ObjectMapping;
use super::feature::Feature;
use super::links::Links;
use super::order::Action;
use super::pair::{Pair, Status};
use super::plan::{Capabilities, Gone, Inputs, NewRecord, Plan, WriteCheck, agree};
use super::reason::{FieldReason, Reason};
use super::session::Session;
use super::subject::RecordRef;
use super::untangle::by_way_of_blank;
use entente_core::{Side, Sides};

/// The record that a new one cannot be made without, where it is gone: it is required, or all that the new one would have.
fn required_gone(
    mapping: &ObjectMapping,
    links: &Links,
    target: Side,
    fields: &[ChangedField],
) -> Option<RecordRef> {
    let gone = |field: &ChangedField| links.gone(target.other(), &field.value).is_some();
    let all = fields.iter().all(gone);
    let required =
        |field: &&ChangedField| all || mapping.field(field.slot).is_some_and(|of| of.required[target]);
    let gone = fields.iter().filter(required).find_map(|field| links.gone(target.other(), &field.value))?;
    Some(RecordRef::of(target.other(), gone))
}

impl Session<'_> {
    /// The inputs of decisions about the pairs of a mapping.
    pub(super) fn inputs<'m>(&self, mapping: &'m ObjectMapping) -> Inputs<'m> {
        let capabilities = |side: Side| Capabilities {
            listed: self.is_listed(mapping, side),
            create: self.has(mapping, side, Feature::Create),
            delete: self.has(mapping, side, Feature::Delete),
            by_id: self.has(mapping, side, Feature::ById),
            base_values: self.has(mapping, side, Feature::BaseValues),
            conditional: self.has(mapping, side, Feature::ConditionalUpdate),
            local: self.exchange(side).local().is_some(),
        };
        Inputs {
            mapping,
            fields: self.fields(mapping).collect(),
            parked: self.parked.iter().filter(|(of, _)| *of == mapping.id).map(|(_, slot)| *slot).collect(),
            sides: Sides::by(capabilities),
            precision: self.precision(mapping),
            one_blank: self.one_blank(mapping),
            trust: self.trust.clone(),
            run: self.run.id,
            read_failed: self.read_error.is_some(),
            follows_bookmarks: self.run.options.follows_bookmarks(),
        }
    }

    /// Decides one pair.
    pub(super) fn decide(&mut self, inputs: &Inputs<'_>, pair: &mut Pair, links: &Links, plan: &mut Plan) {
        if let Some(reason) = pair.why_out() {
            // It is neither written nor deleted.
            let gone = pair.halves.iter().any(|half| half.deleted.is_some());
            pair.status = if gone { Status::Deleted } else { Status::Excluded };
            pair.reason = Some(reason);
            return;
        }
        if let Some(gone) = Side::BOTH.into_iter().find(|side| pair.half(*side).deleted.is_some()) {
            self.decide_deleted(inputs, pair, gone, links, plan);
            return;
        }
        match (pair.half(Side::Left).id.is_some(), pair.half(Side::Right).id.is_some()) {
            (true, true) => self.decide_linked(inputs, pair, links, plan),
            (true, false) => self.decide_alone(inputs, pair, Side::Left, links, plan),
            (false, true) => self.decide_alone(inputs, pair, Side::Right, links, plan),
            (false, false) => {
                pair.status = Status::Excluded;
                pair.reason = Some(Reason::NoRecord);
            }
        }
    }

    fn decide_linked(&mut self, inputs: &Inputs<'_>, pair: &mut Pair, links: &Links, plan: &mut Plan) {
        if let Some(side) = Side::BOTH.into_iter().find(|side| pair.half(*side).read.is_none()) {
            // Found by a search and never told: what it has is not known, also where the operator asks to try again.
            let object = inputs.mapping.object(side).to_owned();
            self.hold(pair, inputs.mapping, side.other(), Reason::NotReadYet { side, object });
            return;
        }
        if pair.context {
            // Read as a parent only: linked, and not updated until it is reported itself.
            pair.status = Status::Ok;
            return;
        }
        let mapping = inputs.mapping;
        let linked = inputs.linked(pair, links, &plan.rulings);
        for (conflict, why) in linked.conflicts {
            // A conflict concerns both sides and is counted once, on the left.
            let counts = self.run.count(Side::Left, mapping.object(Side::Left));
            counts.conflicts += 1;
            let field = mapping.field(conflict.slot).map_or("", |field| field.name(Side::Left)).to_owned();
            counts.because(&Reason::Conflict { field, why });
            plan.conflicts.push(conflict);
        }
        agree(pair, &linked.agreements);
        pair.differing = linked.differing;
        pair.status = Status::Ok;
        pair.reason = None;
        for (target, mut fields) in Side::BOTH.into_iter().zip(linked.writes) {
            if let Some(slot) = self.by_way_of_blank.get(&(pair.id, target)) {
                by_way_of_blank(*slot, &mut fields);
            }
            // What refers to a record that is gone is parked. It waits for nothing that the other fields could wait for.
            let source = target.other();
            let (gone, fields): (Vec<_>, Vec<_>) =
                fields.into_iter().partition(|field| links.gone(source, &field.value).is_some());
            for field in gone {
                let Some(record) = links.gone(source, &field.value) else { continue };
                let record = RecordRef::of(source, record);
                pair.differing.retain(|(slot, _)| *slot != field.slot);
                pair.differing.push((field.slot, FieldReason::ParentGone { record: record.clone() }));
                pair.reason.get_or_insert(Reason::ParentGone { record });
            }
            if !fields.is_empty() {
                self.decide_update(inputs, pair, target, fields, plan);
            }
        }
    }

    fn decide_update(
        &mut self,
        inputs: &Inputs<'_>,
        pair: &mut Pair,
        target: Side,
        fields: Vec<ChangedField>,
        plan: &mut Plan,
    ) {
        let mapping = inputs.mapping;
        let object = || mapping.object(target).to_owned();
        let check = inputs.write_check(pair, target);
        let untold = check == WriteCheck::Unchecked && self.untold.contains(&pair.id);
        if check == WriteCheck::NotCheckable || untold {
            let reason = Reason::NotCheckable { side: target, object: object() };
            self.hold(pair, mapping, target.other(), reason);
            return;
        }
        let id = pair.half(target).id.clone().unwrap_or_default();
        let mut change = self.change(mapping, pair, target, Action::Update(id), fields);
        if check == WriteCheck::Unchecked && change.reason.is_none() {
            change.reason = Some(Reason::Unchecked { side: target, object: object() });
        }
        plan.changes.push(change);
    }

    /// Decides a record of `source` without a counterpart: one is created, unless the record may itself be what an
    /// open create has made.
    fn decide_alone(
        &mut self,
        inputs: &Inputs<'_>,
        pair: &mut Pair,
        source: Side,
        links: &Links,
        plan: &mut Plan,
    ) {
        let mapping = inputs.mapping;
        // A create of its own that may have been executed is sent again, so that its outcome becomes known.
        let stranger = self.open_creates.may_have_made(mapping, pair, source);
        match stranger.filter(|_| !self.open_creates.has(pair.id)) {
            Some(reason) => {
                let counts = self.run.count(source, mapping.object(source));
                counts.pending += 1;
                counts.because(&reason);
                pair.status = Status::Todo;
                pair.reason = Some(reason);
            }
            // Read before the next pass, which decides it.
            None if self.has_waited_unread(mapping, pair, source) => {
                let id = pair.half(source).id.clone().unwrap_or_default();
                self.stale.entry((mapping.id, source)).or_default().push(id);
                self.revisit(mapping.id, pair.id);
                pair.status = Status::Todo;
            }
            None => self.decide_new(inputs, pair, source.other(), links, plan),
        }
    }

    /// Whether a record has waited for a create that might have made it, and may have been deleted meanwhile without a word:
    /// it is read again before another one is made of it.
    fn has_waited_unread(&self, mapping: &ObjectMapping, pair: &Pair, source: Side) -> bool {
        let waited = matches!(pair.reason, Some(Reason::MayBe { .. }));
        waited
            && pair.half(source).read != Some(self.run.id)
            && self.exchange(source).local().is_none()
            && self.has(mapping, source, Feature::ById)
            && !self.has(mapping, source, Feature::Deletions)
    }

    fn decide_new(
        &mut self,
        inputs: &Inputs<'_>,
        pair: &mut Pair,
        target: Side,
        links: &Links,
        plan: &mut Plan,
    ) {
        let (mapping, source) = (inputs.mapping, target.other());
        let mut new = inputs.new_record(pair, target);
        if let NewRecord::Create(fields, _) = &new
            && let Some(record) = required_gone(mapping, links, target, fields)
        {
            new = NewRecord::Held(Reason::ParentGone { record });
        }
        // An idempotent create that may have been executed is sent again as it was: its answer alone tells.
        if new.lacks_values()
            && let Some(sent) = plan.sent.remove(&(pair.id, target))
            && required_gone(mapping, links, target, &sent).is_none()
        {
            new = NewRecord::Create(sent, Vec::new());
        }
        match new {
            NewRecord::Later => pair.status = Status::Todo,
            NewRecord::Excluded(reason) => {
                pair.status = Status::Excluded;
                pair.reason = Some(reason);
                self.run.count(source, mapping.object(source)).excluded += 1;
            }
            NewRecord::Held(reason) => self.hold(pair, mapping, source, reason),
            NewRecord::Create(fields, left_out) => {
                pair.differing = left_out;
                pair.status = Status::Ok;
                pair.reason = None;
                let change = self.change(mapping, pair, target, Action::Create, fields);
                plan.changes.push(change);
            }
        }
    }

    fn decide_deleted(
        &mut self,
        inputs: &Inputs<'_>,
        pair: &mut Pair,
        gone: Side,
        links: &Links,
        plan: &mut Plan,
    ) {
        if inputs.read_failed {
            pair.status = Status::Todo;
            return;
        }
        let (mapping, survivor) = (inputs.mapping, gone.other());
        match inputs.gone(pair, gone) {
            Gone::Settled(status, reason) => {
                // A record whose create may have been executed had its keys until now.
                self.keys_given_up |= reason == Reason::DeletedEverywhere;
                pair.status = status;
                pair.reason = Some(reason);
            }
            Gone::Held(reason) => self.hold(pair, mapping, survivor, reason),
            Gone::Recreate if self.is_to_be_looked_up(inputs, pair, gone) => {
                pair.status = Status::Todo;
                pair.reason = None;
                self.revisit(mapping.id, pair.id);
            }
            Gone::Recreate => self.decide_new(inputs, pair, gone, links, plan),
            Gone::Delete(id, fields) => {
                let change = self.change(mapping, pair, survivor, Action::Delete(id), fields);
                plan.changes.push(change);
            }
        }
    }

    /// Whether a search has yet to prove that a record which is to be made again is absent: its link has only just been
    /// ended. With that proof the pair is decided in this run.
    fn is_to_be_looked_up(&self, inputs: &Inputs<'_>, pair: &Pair, target: Side) -> bool {
        let capabilities = &inputs.sides[target];
        inputs.mapping.create[target]
            && capabilities.create
            && !capabilities.listed
            && self.exchange(target).can_find()
            && pair.half(target.other()).no_match_in != Some(self.run.id)
    }

    /// Makes a change of the plan; withheld or counted as pending where the options say so. The pair stays
    /// `todo` until the outcome is known.
    pub(super) fn change(
        &mut self,
        mapping: &ObjectMapping,
        pair: &mut Pair,
        target: Side,
        action: Action,
        fields: Vec<ChangedField>,
    ) -> Change {
        let withheld = match target {
            Side::Left if self.run.options.disable_pull => Some(Reason::WithheldPull),
            Side::Right if self.run.options.disable_push => Some(Reason::WithheldPush),
            _ => None,
        };
        let later = match &withheld {
            Some(reason) => Some(reason.clone()),
            // An undo is counted once its plan is whole.
            None if self.run.options.is_dry() && self.run.options.undoes().is_none() => {
                Some(Reason::planned(action.deed()))
            }
            None => None,
        };
        pair.status = Status::Todo;
        if let Some(reason) = later {
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += 1;
            counts.because(&reason);
            pair.reason = Some(reason);
        }
        Change {
            id: 0,
            key: format!("{:032x}", self.engine.randomness.bits()),
            run: self.run.id,
            mapping: mapping.id,
            pair: pair.id,
            target,
            action,
            made: None,
            fields,
            status: if withheld.is_some() { ChangeStatus::Withheld } else { ChangeStatus::Planned },
            reason: withheld,
            ticket: None,
            sent: None,
            settled: None,
        }
    }
}
