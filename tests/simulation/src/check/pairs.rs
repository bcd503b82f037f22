//! Pair invariants: every record is in a pair, every pair has a status, and settled pairs agree on both
//! sides.

use super::End;
use crate::book::Gone;
use crate::dice::lock;
use crate::schema::{CITY, IDENTIFIER, ORIGIN, PERSON, PHONE, columns, meaning, target};
use crate::system::System;
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::Value;
use entente_sync::{
    Action, Blanks, Change, ChangeStatus, FieldReason, Pair, Reason, Side, Sides, Slot, Status,
};
use std::collections::BTreeMap;

/// Whether two values of a settled pair agree, or why they need not.
enum Agreement {
    Yes,
    No,
    Excepted(Exception),
}

impl End<'_> {
    pub(super) fn check_pairs(&self, verdict: &mut Verdict) {
        let mut owners: BTreeMap<(usize, usize, Side, &str), Vec<&Pair>> = BTreeMap::new();
        for (sync, object, pair) in &self.pairs {
            *verdict.pairs.entry(pair.status.word()).or_default() += 1;
            for side in Side::BOTH {
                if let Some(id) = &pair.half(side).id {
                    owners.entry((*sync, *object, side, id)).or_default().push(pair);
                }
            }
            self.check_pair(*sync, *object, pair, verdict);
        }
        for ((sync, object, side, id), pairs) in &owners {
            if pairs.len() > 1 {
                let names: Vec<String> = pairs.iter().map(|pair| self.name(*sync, *object, pair)).collect();
                let record = self.record_name(self.place(*sync, *side), *object, id);
                verdict.add(
                    Word::Doubled,
                    "I17",
                    format!("{record} is in several pairs: {}", names.join("; ")),
                );
            }
        }
        for sync in 0..self.world.syncs.len() {
            for object in System::objects() {
                for side in Side::BOTH {
                    let place = self.place(sync, side);
                    for (id, values) in self.records.get(&(place, object)).into_iter().flatten() {
                        if owners.contains_key(&(sync, object, side, id)) {
                            continue;
                        }
                        if self.inside(sync, object, side, values) {
                            let record = self.record_name(place, object, id);
                            verdict.add(
                                Word::Unaccounted,
                                "I26",
                                format!("{record} is in no pair of {}", self.world.syncs[sync].name),
                            );
                        } else {
                            verdict.except(Exception::OutsideFilter);
                        }
                    }
                }
            }
        }
    }

    fn check_pair(&self, sync: usize, object: usize, pair: &Pair, verdict: &mut Verdict) {
        let name = self.name(sync, object, pair);
        let there = Sides::by(|side| self.half(sync, object, pair, side));
        let mut wrong = |what: &str| verdict.add(Word::Unaccounted, "I26", format!("{name}: {what}"));
        match pair.status {
            Status::Todo if matches!(pair.reason, Some(Reason::WaitsFor { .. })) => {
                match self.wrongly_waiting(sync, pair) {
                    Some(what) => wrong(what),
                    None => verdict.except(Exception::WaitsForParent),
                }
            }
            Status::Todo if self.may_be_made(sync, object, pair) => verdict.except(Exception::MayBeMade),
            Status::Todo => wrong("it is still to be done"),
            Status::Live => wrong("an order is still under way"),
            Status::Failed | Status::Held if pair.reason.is_none() => wrong("there is no reason"),
            Status::Held
                if matches!(pair.reason, Some(Reason::DuplicateOf { .. } | Reason::Ambiguous { .. })) =>
            {
                match self.rival(sync, object, pair) {
                    Some(exception) => verdict.except(exception),
                    None => wrong("nobody else has its identifier"),
                }
            }
            Status::Held | Status::Failed => {
                if let Some(what) = self.wrongly_held(sync, object, pair) {
                    wrong(what);
                }
            }
            Status::Deleted => {
                if there.iter().all(Option::is_some) {
                    wrong("both records are there");
                }
            }
            Status::Excluded => {
                let inside =
                    |side: Side| there[side].is_none_or(|values| self.inside(sync, object, side, values));
                if pair.is_linked() && Side::BOTH.into_iter().all(inside) && there.iter().all(Option::is_some)
                {
                    wrong("both records are inside the filter");
                }
            }
            Status::Ok => match there.into_array() {
                [Some(left), Some(right)] => {
                    self.check_values(sync, object, pair, Sides::new(left, right), verdict)
                }
                _ if !pair.is_linked() => wrong("it is settled with one record only"),
                _ => {
                    for side in Side::BOTH.into_iter().filter(|side| there[*side].is_none()) {
                        if self.would_be_told(self.place(sync, side), object, pair.half(side).id.as_deref()) {
                            let what = format!("{name}: the record on the {side} is gone");
                            verdict.add(Word::Unaccounted, "I26", what);
                        } else {
                            verdict.except(Exception::DeletionUntold);
                        }
                    }
                }
            },
        }
    }

    /// Why a pair may be held as a duplicate: its identifier is also that of another record of its side, or of one of
    /// the other side that is somebody else's, so that the two may be one person or two; or one of them is gone, and
    /// nobody has told so.
    fn rival(&self, sync: usize, object: usize, pair: &Pair) -> Option<Exception> {
        let side = Side::BOTH.into_iter().find(|side| pair.half(*side).id.is_some())?;
        let untold = |side: Side, id: &str| {
            let place = self.place(sync, side);
            self.record(place, object, id).is_none() && !self.would_be_told(place, object, Some(id))
        };
        let others = match &pair.reason {
            Some(Reason::DuplicateOf { record, .. }) => record.iter().collect(),
            Some(Reason::Ambiguous { records, .. }) => records.iter().collect(),
            _ => Vec::new(),
        };
        // The other one may have the identifier by its counterpart alone.
        let any_untold = |of: &&Pair| {
            Side::BOTH.into_iter().any(|side| of.half(side).id.as_deref().is_some_and(|id| untold(side, id)))
        };
        let mut theirs = self.pairs.iter().filter(|(of, kind, _)| (*of, *kind) == (sync, object));
        let owns = |of: &Pair| others.iter().any(|other| of.half(other.side).id.as_ref() == Some(&other.id));
        if any_untold(&pair) || theirs.any(|(_, _, of)| owns(of) && any_untold(&of)) {
            return Some(Exception::DeletionUntold);
        }
        if let Some(Reason::DuplicateOf { became: Some(of), .. }) = &pair.reason
            && self.renamed(&lock(&self.world.users.book), self.place(sync, of.side), &of.id)
        {
            return Some(Exception::Renamed);
        }
        let own = meaning(object, IDENTIFIER, &self.half(sync, object, pair, side)?[IDENTIFIER]);
        // A create that was never answered may have made a record with it.
        let may_have = |change: &Change| {
            let sent = |slot: Slot, value: &Value| {
                slot == Slot(IDENTIFIER) && meaning(object, IDENTIFIER, value) == own && !own.is_blank()
            };
            change.pair != pair.id
                && change.action == Action::Create
                && change.sent.is_some()
                && matches!(change.status, ChangeStatus::Sent | ChangeStatus::Retry | ChangeStatus::Dropped)
                && change.fields.iter().any(|field| sent(field.slot, &field.value))
        };
        if self.changes.iter().any(|change| {
            let mut pairs = self.pairs.iter();
            may_have(change) && pairs.any(|(_, _, of)| of.id == change.pair && !of.is_linked() && owns(of))
        }) {
            return Some(Exception::MayBeMade);
        }
        let having = |side: Side| {
            let records = self.records.get(&(self.place(sync, side), object)).into_iter().flatten();
            records.filter(|(_, values)| meaning(object, IDENTIFIER, &values[IDENTIFIER]) == own).count()
        };
        let shared = !own.is_blank() && (having(side) > 1 || having(side.other()) > 0);
        shared.then_some(Exception::SharedIdentifier)
    }

    /// Whether the deletion of a record has been told by now: by a complete listing, or by the reports of a system that
    /// tells deletions and has forgotten no place, where they were followed from a bookmark when it went.
    fn would_be_told(&self, place: usize, object: usize, id: Option<&str>) -> bool {
        match self.system(place) {
            System::Hub(_) => true,
            System::Remote(remote) => {
                (remote.manners.keyset && self.listed)
                    || id.is_some_and(|id| {
                        let book = lock(&self.world.users.book);
                        let mut gone = book.gone.iter();
                        let known =
                            |gone: &Gone| (gone.place, gone.object, gone.id.as_str()) == (place, object, id);
                        gone.any(|gone| known(gone) && gone.followed) && remote.tells_deletion(object, id)
                    })
            }
        }
    }

    /// Whether a pair waits since its record may be the one that a create without an answer has made, and nobody
    /// could tell: the remote system takes no key twice, or has refused every order with it as a whole, or the create must
    /// refer to a record that is gone, or its own is outside the filter; and of the two one has no identifier, or a person has
    /// given the found one another.
    fn may_be_made(&self, sync: usize, object: usize, pair: &Pair) -> bool {
        let Some(Reason::MayBe { record: Some(source) }) = &pair.reason else { return false };
        let side = source.side.other();
        let System::Remote(remote) = self.system(self.place(sync, side)) else { return false };
        let held = self.pairs.iter().find(|(of, kind, other)| {
            (*of, *kind) == (sync, object) && other.half(source.side).id.as_ref() == Some(&source.id)
        });
        let Some((_, _, held)) = held else { return false };
        let unnamed = |value: &Value| meaning(object, IDENTIFIER, value).is_blank();
        let creates = || {
            let of_it = |change: &&Change| change.pair == held.id && change.action == Action::Create;
            self.changes.iter().filter(of_it)
        };
        let sent_without = creates().any(|change| {
            change.sent.is_some()
                && change.fields.iter().all(|field| field.slot != Slot(IDENTIFIER) || unnamed(&field.value))
        });
        // Gone, and nobody has told so: what was known of it last.
        let untold = || {
            pair.current(side, Slot(IDENTIFIER)).filter(|_| {
                !self.would_be_told(self.place(sync, side), object, pair.half(side).id.as_deref())
            })
        };
        let found = self.half(sync, object, pair, side).map(|values| &values[IDENTIFIER]).or_else(untold);
        let found_without = found.is_some_and(unnamed);
        // What was deleted meanwhile is not sent again either.
        let gone = self.half(sync, object, held, source.side).is_none();
        let given_up =
            (gone || !remote.manners.idempotent) && matches!(held.reason, Some(Reason::FateUnknown { .. }));
        // Refused as a whole again and again, so that no answer was ever about this record.
        let refused = held.status == Status::Failed
            && held.due.is_none()
            && creates().any(|change| change.status == ChangeStatus::Retry);
        // The record that it must refer to is gone since it was sent, so that it cannot be sent again.
        let parentless = held.status == Status::Held
            && matches!(held.reason, Some(Reason::ParentGone { .. }))
            && creates().any(|change| change.sent.is_some() && change.status == ChangeStatus::Retry);
        // Outside the filter it is not sent again either.
        let outside = held.status == Status::Excluded
            && matches!(held.reason, Some(Reason::OutsideFilter { .. }))
            && creates().any(|change| change.sent.is_some() && change.status == ChangeStatus::Retry);
        let renamed = || {
            let id = pair.half(side).id.as_deref().unwrap_or_default();
            self.renamed(&lock(&self.world.users.book), self.place(sync, side), id)
        };
        // The found one has an address that the create carried, and is somebody else's or what it made.
        let carried = || {
            let same = |value: &Value| {
                found.is_some_and(|found| {
                    meaning(object, IDENTIFIER, value) == meaning(object, IDENTIFIER, found)
                })
            };
            let carries = |change: &Change| {
                change.fields.iter().any(|field| field.slot == Slot(IDENTIFIER) && same(&field.value))
            };
            creates().any(|change| change.sent.is_some() && carries(change))
        };
        (given_up || refused || parentless || outside)
            && (sent_without || found_without || renamed() || carried())
    }

    fn check_values(
        &self,
        sync: usize,
        object: usize,
        pair: &Pair,
        now: Sides<&Vec<Value>>,
        verdict: &mut Verdict,
    ) {
        for field in 0..columns(object).len() {
            if self.world.syncs[sync].mappings[object].field(Slot(field)).is_none() {
                continue;
            }
            let values = now.map(|values| &values[field]);
            match self.agree(sync, object, field, pair, values) {
                Agreement::Yes => {
                    // Where the engine can tell: not those that differ in a space.
                    let equal =
                        values.left == values.right || self.correspond(object, field, values).is_some();
                    if equal && self.conflicts.contains(&(pair.id, Slot(field))) {
                        let name = self.name(sync, object, pair);
                        let field = self.field_name(self.place(sync, Side::Left), object, field);
                        let what = format!("{name}: {field} is an open conflict between equal values");
                        verdict.add(Word::Unaccounted, "I26", what);
                    }
                    continue;
                }
                Agreement::Excepted(exception) => {
                    verdict.except(exception);
                    let told = self.conflicts.contains(&(pair.id, Slot(field)))
                        || pair.differs(Slot(field)).is_some();
                    if !told {
                        let (name, field) = (
                            self.name(sync, object, pair),
                            self.field_name(self.place(sync, Side::Left), object, field),
                        );
                        let Sides { left, right } = values;
                        verdict.add(Word::Unaccounted, "I26", format!("{name}: {field} is {left} on the left and {right} on the right, and nothing says why"));
                    }
                    continue;
                }
                Agreement::No => {}
            }
            let Sides { left, right } = values;
            let name = format!(
                "{}: {} is {left} on the left and {right} on the right",
                self.name(sync, object, pair),
                self.field_name(self.place(sync, Side::Left), object, field)
            );
            let typed = |value: &Value, side: Side| {
                let place = self.place(sync, side);
                let id = pair.half(side).id.as_deref();
                let book = lock(&self.world.users.book);
                let mut edits = book
                    .edits
                    .iter()
                    .filter(|edit| (edit.place, edit.object, edit.field) == (place, object, field));
                edits.any(|edit| {
                    id == Some(edit.id.as_str())
                        && meaning(object, field, &edit.value) == meaning(object, field, value)
                })
            };
            let crossed =
                !left.is_blank() && !right.is_blank() && typed(left, Side::Right) && typed(right, Side::Left);
            if crossed && !typed(left, Side::Left) && !typed(right, Side::Right) {
                verdict.add(Word::Swapped, "I1", name);
            } else {
                verdict.add(Word::Lost, "I1", name);
            }
        }
    }

    /// Whether two values of a settled pair agree.
    fn agree(
        &self,
        sync: usize,
        object: usize,
        field: usize,
        pair: &Pair,
        values: Sides<&Value>,
    ) -> Agreement {
        let Sides { left, right } = values;
        let reference = target(object, field);
        let same = if let Some(of) = reference {
            self.same_record(sync, of, left, right)
        } else if let Some(correspond) = self.correspond(object, field, values) {
            if correspond { Agreement::Yes } else { Agreement::No }
        } else if meaning(object, field, left) == meaning(object, field, right) {
            Agreement::Yes
        } else {
            Agreement::No
        };
        if !matches!(same, Agreement::No) {
            return same;
        }
        if self.conflicts.contains(&(pair.id, Slot(field))) {
            return Agreement::Excepted(Exception::OpenConflict);
        }
        // Parked: the reference that the reason of the field names, to a record that is gone or takes no part.
        if reference.is_some()
            && let Some(FieldReason::ParentGone { record }) = pair.differs(Slot(field))
            && let Value::Reference(reference) = values[record.side]
            && (&reference.object, &reference.id) == (&record.object, &record.id)
        {
            return Agreement::Excepted(Exception::ParentGone);
        }
        if let Some(exception) = self.by_rule(object, field, pair, values) {
            return Agreement::Excepted(exception);
        }
        let character = &self.world.character;
        let agreed = pair.agreed(Slot(field)).map(|agreed| [agreed.left.as_ref(), agreed.right.as_ref()]);
        // The order of a set is none of its content.
        let is = |agreed: Option<&Value>, now: &Value| match now {
            Value::Texts(_) => {
                agreed.is_some_and(|agreed| meaning(object, field, agreed) == meaning(object, field, now))
            }
            // Nothing and an empty set are one.
            _ => agreed == Some(now) || (now.is_blank() && agreed.is_some_and(Value::is_blank)),
        };
        let as_agreed = agreed.is_some_and(|agreed| is(agreed[0], left) && is(agreed[1], right));
        // Of a constant the other side has nothing.
        let stands = match character.rules.constant.filter(|_| (object, field) == (PERSON, ORIGIN)) {
            Some(target) => {
                pair.agreed(Slot(field)).and_then(|agreed| agreed.half(target)) == Some(values[target])
            }
            None => as_agreed,
        };
        if stands && self.restored(pair, Slot(field), values) {
            return Agreement::Excepted(Exception::Undone);
        }
        match (object, field) {
            // As long as the source never had a value, the target keeps its original one.
            (PERSON, PHONE)
                if character.one_way_phone
                    && (as_agreed
                        || (left.is_blank() && agreed.is_none_or(|agreed| agreed[0].is_none()))) =>
            {
                Agreement::Excepted(Exception::OneWay)
            }
            (PERSON, CITY)
                if character.blanks != Blanks::Overwrite
                    && as_agreed
                    && (left.is_blank() || right.is_blank()) =>
            {
                Agreement::Excepted(Exception::BlankWithheld)
            }
            _ => Agreement::No,
        }
    }

    fn same_record(&self, sync: usize, of: usize, left: &Value, right: &Value) -> Agreement {
        if let ([left], [right]) = (left.references(), right.references()) {
            // Also where the two are deleted by now.
            let both = |pair: &Pair| {
                pair.half(Side::Left).id.as_ref() == Some(&left.id)
                    && pair.half(Side::Right).id.as_ref() == Some(&right.id)
            };
            let mut pairs =
                self.pairs.iter().filter(|(sync_of, object, _)| (*sync_of, *object) == (sync, of));
            if pairs.any(|(_, _, pair)| both(pair)) {
                return Agreement::Yes;
            }
        }
        let partner = |side: Side, value: &Value| {
            let reference = value.references().first()?;
            let mut pairs =
                self.pairs.iter().filter(|(sync_of, object, _)| (*sync_of, *object) == (sync, of));
            pairs.find_map(|(_, _, pair)| {
                // A reference to a record without a counterpart cannot be carried.
                let linked =
                    pair.half(side).id.as_deref() == Some(&reference.id) && pair.status != Status::Deleted;
                linked.then(|| pair.half(side.other()).id.clone())?
            })
        };
        let id = |value: &Value| value.references().first().map(|reference| reference.id.clone());
        match (partner(Side::Left, left), partner(Side::Right, right)) {
            (None, None) if left.is_blank() && right.is_blank() => Agreement::Yes,
            (None, None) => Agreement::Excepted(Exception::NoCounterpart),
            (from_left, from_right)
                if (from_left.is_none() || from_left == id(right))
                    && (from_right.is_none() || from_right == id(left)) =>
            {
                Agreement::Yes
            }
            _ => Agreement::No,
        }
    }
}
