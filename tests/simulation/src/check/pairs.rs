//! Pair invariants: every record is in a pair, every pair has a status, and settled pairs agree on both
//! sides.

use super::End;
use crate::dice::lock;
use crate::schema::{CITY, COMPANY, EMPLOYER, PERSON, PHONE, columns, meaning};
use crate::system::System;
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::Value;
use entente_sync::{Blanks, Pair, Reason, Side, Sides, Slot, Status};
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
                verdict.except(Exception::WaitsForParent);
            }
            Status::Todo => wrong("it is still to be done"),
            Status::Live => wrong("an order is still under way"),
            Status::Failed | Status::Held if pair.reason.is_none() => wrong("there is no reason"),
            Status::Failed | Status::Held => {}
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
                        let told = match self.system(self.place(sync, side)) {
                            System::Hub(_) => true,
                            // After an incomplete listing, earlier deletions are never reported.
                            System::Remote(remote) => remote.manners.keyset && self.listed,
                        };
                        if told {
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

    fn check_values(
        &self,
        sync: usize,
        object: usize,
        pair: &Pair,
        now: Sides<&Vec<Value>>,
        verdict: &mut Verdict,
    ) {
        for field in 0..columns(object).len() {
            let values = now.map(|values| &values[field]);
            match self.agree(sync, object, field, pair, values) {
                Agreement::Yes => continue,
                Agreement::Excepted(exception) => {
                    verdict.except(exception);
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
        let same = if (object, field) == (PERSON, EMPLOYER) {
            self.same_company(sync, left, right)
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
        // Parked: the reference that the pair's own reason names, to a record that is gone or takes no part.
        if (object, field) == (PERSON, EMPLOYER)
            && let Some(Reason::ParentGone { record }) = &pair.reason
            && let Value::Reference(reference) = values[record.side]
            && (&reference.object, &reference.id) == (&record.object, &record.id)
        {
            return Agreement::Excepted(Exception::ParentGone);
        }
        let character = &self.world.character;
        let agreed = pair.agreed(Slot(field)).map(|agreed| [agreed.left.as_ref(), agreed.right.as_ref()]);
        let as_agreed = agreed == Some([Some(left), Some(right)]);
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

    fn same_company(&self, sync: usize, left: &Value, right: &Value) -> Agreement {
        let partner = |side: Side, value: &Value| {
            let reference = value.references().first()?;
            let mut companies = self.pairs.iter().filter(|(of, object, _)| (*of, *object) == (sync, COMPANY));
            companies.find_map(|(_, _, pair)| {
                // A reference to a company without a counterpart cannot be carried.
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
