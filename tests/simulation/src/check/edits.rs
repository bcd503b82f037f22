//! Lost updates: every user edit is still there, or the history records what replaced it.

use super::End;
use crate::book::{Edit, Gone};
use crate::dice::lock;
use crate::schema::{TAGS, meaning};
use crate::tally::Exception;
use crate::verdict::{Verdict, Word};
use entente_core::{Reference, Value, Why};
use entente_sync::{Action, Change, ChangeStatus, ChangedField, FieldReason, Side, Slot, Status};
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
            self.check_tag(edit, &off, &book.gone, verdict);
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

    fn check_tag(&self, edit: &Edit, off: &BTreeSet<&str>, gone: &[Gone], verdict: &mut Verdict) {
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
            if !tag.heard || self.went_with_counterpart(gone, edit, &tag.text) {
                return verdict.except(Exception::TagUnheard);
            }
            if self.counterpart_undone(edit, &tag.text) {
                return verdict.except(Exception::TagUndone);
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

    /// Whether a person deleted a counterpart of the record, and no order of one of its syncs has ever taken the tag off
    /// anything: the counterpart went before that sync heard of it, and the other system still has what it had.
    fn went_with_counterpart(&self, gone: &[Gone], edit: &Edit, tag: &str) -> bool {
        let counterpart = |gone: &Gone| {
            let of = |partner: &Reference| {
                let object = self.system(edit.place).words().read_object(&partner.object);
                (object, &partner.id) == (Some(edit.object), &edit.id)
            };
            gone.place != edit.place && gone.partners.iter().any(|(_, partner)| of(partner))
        };
        let sync_of = |change: &Change| {
            self.of_mapping(change.mapping).map(|(sync, _)| self.world.syncs[sync].name.as_str())
        };
        let takes_off = |field: &ChangedField| {
            field.base.as_ref().is_some_and(|base| has(base, tag)) && !has(field.result(), tag)
        };
        let taken_off = |sync: &str| {
            let mut done = self.changes.iter().filter(|change| change.status == ChangeStatus::Done);
            done.any(|change| {
                sync_of(change) == Some(sync)
                    && matches!(change.action, Action::Update(_))
                    && change.fields.iter().any(takes_off)
            })
        };
        let mut counterparts = gone.iter().filter(|gone| counterpart(gone));
        counterparts.any(|gone| gone.partners.iter().any(|(sync, _)| !taken_off(sync)))
    }

    /// Whether an undo has deleted a counterpart of the record that still had the tag; also that of a counterpart, since
    /// nobody types a tag twice.
    fn counterpart_undone(&self, edit: &Edit, tag: &str) -> bool {
        self.changes.iter().any(|change| {
            let source = change.target.other();
            let ours = self.pairs.iter().any(|(sync, object, pair)| {
                pair.id == change.pair
                    && (self.place(*sync, source), *object) == (edit.place, edit.object)
                    && pair.half(source).id.as_ref() == Some(&edit.id)
            });
            let kin = || {
                let place = self.of_mapping(change.mapping).map(|(sync, _)| self.place(sync, change.target));
                place.is_some_and(|place| place != edit.place)
            };
            let had = |field: &ChangedField| {
                matches!(field.reason, FieldReason::UndoOf { .. })
                    && field.base.as_ref().is_some_and(|base| has(base, tag))
            };
            (ours || kin())
                && matches!(change.action, Action::Delete(_))
                && change.status == ChangeStatus::Done
                && change.fields.iter().any(had)
        })
    }

    /// Whether the history has a change by which a trusted side put a tag on, or took it off.
    fn by_trust(&self, tag: &str, on: bool) -> bool {
        let has = |value: &Value| has(value, tag);
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

/// Whether a set has this tag.
fn has(value: &Value, tag: &str) -> bool {
    matches!(value, Value::Texts(texts) if texts.iter().any(|text| text == tag))
}
