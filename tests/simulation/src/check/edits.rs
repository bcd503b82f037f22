//! Lost updates: every user edit is still there, or the history records what replaced it.

use super::End;
use crate::book::Edit;
use crate::dice::lock;
use crate::schema::{TAGS, meaning};
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::{Value, Why};
use entente_sync::{Action, FieldReason, Side, Slot, Status};
use std::collections::{BTreeMap, BTreeSet};

impl End<'_> {
    pub(super) fn check_edits(&self, verdict: &mut Verdict) {
        let book = lock(&self.world.users.book);
        let mut last: BTreeMap<(usize, usize, &str, usize), &Edit> = BTreeMap::new();
        for edit in book.edits.iter().filter(|edit| edit.tag.is_none()) {
            last.insert((edit.place, edit.object, &edit.id, edit.field), edit);
        }
        for edit in last.into_values() {
            self.check_edit(edit, verdict);
        }
        let mut off: BTreeSet<&str> = BTreeSet::new();
        for edit in &book.edits {
            off.extend(edit.tag.as_ref().filter(|tag| !tag.put_on).map(|tag| tag.text.as_str()));
        }
        for edit in &book.edits {
            self.check_tag(edit, &off, verdict);
        }
    }

    fn check_edit(&self, edit: &Edit, verdict: &mut Verdict) {
        let Some(values) = self.record(edit.place, edit.object, &edit.id) else {
            return verdict.except(Exception::RecordGone);
        };
        let same = |value: &Value| {
            meaning(edit.object, edit.field, value) == meaning(edit.object, edit.field, &edit.value)
        };
        let now = &values[edit.field];
        if same(now) || self.replaced(edit, &same) {
            return;
        }
        let what = format!(
            "{} of {} was set to {} and is {now}; nothing says what replaced it",
            self.field_name(edit.place, edit.object, edit.field),
            self.record_name(edit.place, edit.object, &edit.id),
            edit.value,
        );
        verdict.add(Word::Lost, "I4", what);
    }

    /// Whether the history has a change that replaced this value.
    fn replaced(&self, edit: &Edit, same: &dyn Fn(&Value) -> bool) -> bool {
        self.changes.iter().any(|change| {
            let here = self.of_mapping(change.mapping).is_some_and(|(sync, object)| {
                object == edit.object && self.place(sync, change.target) == edit.place
            });
            let this = matches!(&change.action, Action::Update(id) if *id == edit.id);
            here && this
                && change
                    .fields
                    .iter()
                    .any(|field| field.slot == Slot(edit.field) && field.base.as_ref().is_some_and(same))
        })
    }

    fn check_tag(&self, edit: &Edit, off: &BTreeSet<&str>, verdict: &mut Verdict) {
        let Some(tag) = &edit.tag else { return };
        let Some(values) = self.record(edit.place, edit.object, &edit.id) else {
            return verdict.except(Exception::RecordGone);
        };
        let there = matches!(&values[TAGS], Value::Texts(texts) if texts.contains(&tag.text));
        let record = self.record_name(edit.place, edit.object, &edit.id);
        if tag.put_on && !there {
            if off.contains(tag.text.as_str()) {
                return verdict.except(Exception::TagTakenOff);
            }
            if self.by_trust(&tag.text, false) {
                return verdict.except(Exception::TagByTrust);
            }
            if self.tag_undone(&tag.text, false) {
                return verdict.except(Exception::TagUndone);
            }
            verdict.add(Word::Lost, "I4", format!("{} was put on {record} and is gone", tag.text));
        }
        if !tag.put_on && there {
            if !tag.heard {
                return verdict.except(Exception::TagUnheard);
            }
            if self.by_trust(&tag.text, true) {
                return verdict.except(Exception::TagByTrust);
            }
            if self.tag_undone(&tag.text, true) {
                return verdict.except(Exception::TagUndone);
            }
            if !self.settled(edit) {
                return verdict.except(Exception::TagUnsettled);
            }
            verdict.add(Word::Lost, "I4", format!("{} was taken off {record} and is back", tag.text));
        }
    }

    /// Whether the history has a change by which a trusted side put a tag on, or took it off.
    fn by_trust(&self, tag: &str, on: bool) -> bool {
        let has =
            |value: &Value| matches!(value, Value::Texts(texts) if texts.iter().any(|text| text == tag));
        self.changes.iter().flat_map(|change| &change.fields).any(|field| {
            matches!(field.reason, FieldReason::Judge(Why::Trusted(_)))
                && has(field.result()) == on
                && field.base.as_ref().is_some_and(has) != on
        })
    }

    /// Whether every pair of the record is settled.
    fn settled(&self, edit: &Edit) -> bool {
        self.pairs.iter().all(|(sync, object, pair)| {
            let of_it = *object == edit.object
                && Side::BOTH.into_iter().any(|side| {
                    self.place(*sync, side) == edit.place
                        && pair.half(side).id.as_deref() == Some(edit.id.as_str())
                });
            !of_it || pair.status == Status::Ok
        })
    }
}
