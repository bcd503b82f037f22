//! Applies and undos: what they may do, and what a dry run of an undo may not.

use super::{ALL, End};
use crate::book::Edit;
use crate::dice::lock;
use crate::remote::Made;
use crate::schema::target;
use crate::system::System;
use crate::tally::Exception;
use crate::tape::drive;
use crate::verdict::{Verdict, Word};
use crate::world::World;
use anyhow::{Context as _, Result};
use entente_core::Value;
use entente_sync::{
    Action, Change, ChangeFilter, ChangeStatus, ChangedField, ConflictFilter, FieldReason, Ledger as _,
    OperatorLedger as _, Pair, PairId, RunId, Sides, Slot, Status,
};

/// What the ledger has beside its runs: pairs, open conflicts, and the changes of every run so far, by run.
#[derive(Debug, PartialEq)]
pub(crate) struct LedgerState {
    pairs: Vec<String>,
    conflicts: Vec<String>,
    changes: Vec<(RunId, Vec<Change>)>,
}

pub(crate) fn ledger_state(world: &World) -> Result<LedgerState> {
    drive(async {
        let ledger = &world.ledger.inner;
        let mut pairs = Vec::new();
        for status in Status::ALL {
            let lines = ledger.pairs_in(status, None, 0, ALL).await?;
            let ids: Vec<PairId> = lines.iter().map(|line| line.id).collect();
            pairs.extend(ledger.pairs(&ids).await?.iter().map(|pair| format!("{pair:?}")));
        }
        let open = ledger.open_conflicts(ConflictFilter::All, 0, ALL).await?;
        let conflicts = open.iter().map(|open| format!("{open:?}")).collect();
        let mut changes = Vec::new();
        for run in ledger.runs(None, None, ALL).await? {
            let of_run = ledger.changes_of_run(run.id, &ChangeFilter::default(), 0, ALL).await?;
            changes.push((run.id, of_run));
        }
        Ok(LedgerState { pairs, conflicts, changes })
    })
    .context("the ledger waits for something")?
}

/// Checks that the dry run of an undo has left the ledger as it was, except for itself.
pub(crate) fn untouched(world: &World, before: &LedgerState, verdict: &mut Verdict) -> Result<()> {
    let mut now = ledger_state(world)?;
    now.changes.retain(|(run, _)| before.changes.iter().any(|(known, _)| known == run));
    if now != *before {
        verdict.add(Word::Unaccounted, "I25", "the dry run of an undo changed the ledger".to_owned());
    }
    Ok(())
}

impl End<'_> {
    pub(super) fn check_reruns(&self, verdict: &mut Verdict) {
        for run in &self.runs {
            let done = self
                .changes
                .iter()
                .filter(|change| change.run == run.id && change.status == ChangeStatus::Done);
            done.clone().for_each(|change| self.check_deletion(change, verdict));
            if let Some(plan) = run.options.applies() {
                done.for_each(|change| self.check_applied(plan, change, verdict));
            } else if let Some(undone) = run.options.undoes() {
                done.for_each(|change| self.check_undone(undone, change, verdict));
            }
        }
    }

    /// An apply executes only what its plan has, with the same inputs. A reference may be left out whose record could
    /// not be made.
    fn check_applied(&self, plan: RunId, change: &Change, verdict: &mut Verdict) {
        let Some((_, object)) = self.of_mapping(change.mapping) else { return };
        let has = |known: &Change, field: &ChangedField| {
            // Of a joint write, the source side may have been written first.
            let source = |known: &ChangedField| {
                known.source == field.source || (field.joint && field.source == field.value)
            };
            let inputs = (field.slot, &field.value, &field.base);
            known
                .fields
                .iter()
                .any(|known| (known.slot, &known.value, &known.base) == inputs && source(known))
        };
        let left_out = |field: &ChangedField| change.fields.iter().all(|sent| sent.slot != field.slot);
        let planned = self.changes.iter().find(|known| {
            known.run == plan
                && (known.pair, known.target, &known.action) == (change.pair, change.target, &change.action)
        });
        let whole = planned.is_some_and(|known| {
            let reference = |field: &ChangedField| target(object, field.slot.index()).is_some();
            change.fields.iter().all(|field| has(known, field))
                && known.fields.iter().filter(|field| left_out(field)).all(reference)
        });
        if !whole {
            let what = format!("run {} executed {change:?}, and plan {plan} has {planned:?}", change.run);
            verdict.add(Word::Unaccounted, "I27", what);
        }
    }

    /// An undo replaces only what the undone run wrote, and deletes only what a sync has made and nobody has edited.
    fn check_undone(&self, undone: RunId, change: &Change, verdict: &mut Verdict) {
        let Some((sync, object)) = self.of_mapping(change.mapping) else { return };
        let place = self.place(sync, change.target);
        let wrong = |verdict: &mut Verdict, what: String| verdict.add(Word::Lost, "I28", what);
        match &change.action {
            Action::Delete(id) => {
                let name = self.record_name(place, object, id);
                if !self.was_made(place, object, id) {
                    wrong(verdict, format!("run {} undid a person's own {name}", change.run));
                }
                // Who types what was made there anyway, if only in the end, has edited nothing.
                let as_made = |edit: &Edit| {
                    let mut fields = self.changes.iter().filter(|made| made.made.as_ref() == Some(id));
                    let is = |field: &ChangedField| {
                        field.slot == Slot(edit.field) && *field.result() == edit.value
                    };
                    fields.any(|made| made.mapping == change.mapping && made.fields.iter().any(is))
                };
                let book = lock(&self.world.users.book);
                // A person has deleted it before, so that the undo has deleted nothing.
                if book.gone.iter().any(|gone| (gone.place, gone.object, &gone.id) == (place, object, id)) {
                    return verdict.except(Exception::GoneBefore);
                }
                let of = |edit: &&Edit| (edit.place, edit.object, &edit.id) == (place, object, id);
                let last = |edit: &&Edit| {
                    let mut later = book.edits.iter().rev().filter(of);
                    later
                        .find(|known| known.field == edit.field)
                        .is_some_and(|known| std::ptr::eq(known, *edit))
                };
                let mut edits = book.edits.iter().filter(of).filter(last);
                let edited = edits.find(|edit| !edit.value.is_blank() && !as_made(edit));
                if edited.is_some_and(|edit| self.put_back_since(change, edit)) {
                    verdict.except(Exception::EditReplaced);
                } else if let Some(edit) = edited {
                    let field = self.field_name(place, object, edit.field);
                    wrong(
                        verdict,
                        format!("run {} deleted {name}, whose {field} a person has edited", change.run),
                    );
                }
            }
            Action::Update(id) => {
                let wrote = self.changes.iter().filter(|known| {
                    let same = known.record() == Some(id.as_str()) && known.target == change.target;
                    known.run == undone && known.mapping == change.mapping && same
                });
                let wrote: Vec<&Change> = wrote.collect();
                let restores = |field: &&ChangedField| matches!(field.reason, FieldReason::UndoOf { .. });
                for field in change.fields.iter().filter(restores) {
                    let mut same = wrote.iter().flat_map(|known| &known.fields);
                    let is = |value: &Value| Some(value) == field.base.as_ref();
                    if !same.any(|known| known.slot == field.slot && is(known.result())) {
                        let name = self.record_name(place, object, id);
                        wrong(
                            verdict,
                            format!(
                                "run {} replaced {:?} of {name}, which run {undone} did not write: {:?}",
                                change.run, field.slot, field.base
                            ),
                        );
                    }
                }
            }
            Action::Create => {}
        }
    }

    /// Whether another sync had replaced a person's edit before this delete, by what the undone run had written there: by
    /// its rules nothing of the edit was left, and that sync has it in its history.
    fn put_back_since(&self, delete: &Change, edit: &Edit) -> bool {
        let of_edit = |field: &&ChangedField| field.slot == Slot(edit.field);
        let made = |value: &Value| {
            let mut of_it = self.changes.iter().filter(|made| made.made.as_deref() == Some(edit.id.as_str()));
            of_it.any(|made| {
                // What the order did not carry was blank.
                let blank = value.is_blank() && !made.fields.iter().any(|field| of_edit(&field));
                made.mapping == delete.mapping
                    && (blank || made.fields.iter().filter(of_edit).any(|field| field.result() == value))
            })
        };
        self.changes.iter().any(|of| {
            let here = self.of_mapping(of.mapping).is_some_and(|(sync, object)| {
                (self.place(sync, of.target), object) == (edit.place, edit.object)
            });
            let before = of.mapping != delete.mapping && of.id < delete.id && of.status == ChangeStatus::Done;
            let replaces =
                |field: &ChangedField| field.base.as_ref() == Some(&edit.value) && made(field.result());
            here && before
                && of.action == Action::Update(edit.id.clone())
                && of.fields.iter().filter(of_edit).any(replaces)
        })
    }

    /// Nothing is deleted for a record that an undo has deleted, and no person: what was undone is undone on one side.
    fn check_deletion(&self, change: &Change, verdict: &mut Verdict) {
        let Some((sync, object)) = self.of_mapping(change.mapping) else { return };
        let Action::Delete(id) = &change.action else { return };
        let told = change.fields.iter().find_map(|field| match &field.reason {
            FieldReason::Deleted { record } => Some(record),
            _ => None,
        });
        let Some(record) = told else { return };
        let place = self.place(sync, record.side);
        let book = lock(&self.world.users.book);
        let by_person =
            book.gone.iter().any(|gone| (gone.place, gone.object, &gone.id) == (place, object, &record.id));
        let undoes = |field: &ChangedField| matches!(field.reason, FieldReason::UndoOf { .. });
        let by_undo = self.changes.iter().any(|of| {
            let same = of.mapping == change.mapping && of.target == record.side;
            same && of.action == Action::Delete(record.id.clone()) && of.fields.iter().any(undoes)
        });
        let elsewhere = self.changes.iter().any(|of| {
            let same = of.mapping != change.mapping && of.action == Action::Delete(record.id.clone());
            let here = self
                .of_mapping(of.mapping)
                .is_some_and(|(sync, kind)| (self.place(sync, of.target), kind) == (place, object));
            same && here
        });
        if by_undo && !by_person && !elsewhere {
            let name = self.record_name(self.place(sync, change.target), object, id);
            let gone = self.record_name(place, object, &record.id);
            let what = format!("run {} deleted {name}, since an undo had deleted {gone}", change.run);
            verdict.add(Word::Lost, "I28", what);
        }
    }

    /// Whether an undo has put back one of the two values of this field, and nothing was written to it since; of a set,
    /// whether undos have put back every element by which the two differ.
    pub(super) fn restored(&self, pair: &Pair, slot: Slot, now: Sides<&Value>) -> bool {
        let written = self.changes.iter().filter(|of| of.pair == pair.id && of.status == ChangeStatus::Done);
        let fields = written.flat_map(|change| {
            change
                .fields
                .iter()
                .filter(|field| field.slot == slot)
                .map(|field| (change.id, change.target, field))
        });
        let undone: Vec<_> =
            fields.clone().filter(|(.., field)| matches!(field.reason, FieldReason::UndoOf { .. })).collect();
        let set = |value: &Value| match value {
            Value::Texts(texts) => Some(texts.clone()),
            value => value.is_blank().then(Vec::new),
        };
        let is_set = [now.left, now.right].iter().any(|value| matches!(value, Value::Texts(_)));
        if let (true, Some(left), Some(right)) = (is_set, set(now.left), set(now.right)) {
            let has = |value: &Value, text: &String| matches!(value, Value::Texts(of) if of.contains(text));
            let one_side =
                left.iter().chain(&right).filter(|text| left.contains(text) != right.contains(text));
            return one_side.into_iter().all(|text| {
                undone.iter().any(|(_, target, field)| {
                    has(field.result(), text) == has(now[*target], text)
                        && field.base.as_ref().is_some_and(|base| has(base, text)) != has(now[*target], text)
                })
            });
        }
        let last = fields.max_by_key(|(id, ..)| *id);
        last.is_some_and(|(_, target, field)| {
            matches!(field.reason, FieldReason::UndoOf { .. }) && field.result() == now[target]
        })
    }

    /// Whether a sync deleted this record in a run that was undone later.
    pub(super) fn put_back(&self, place: usize, object: usize, id: &str) -> bool {
        let undone = |run: RunId| self.runs.iter().any(|later| later.options.undoes() == Some(run));
        self.changes.iter().any(|change| {
            let here = self
                .of_mapping(change.mapping)
                .is_some_and(|(sync, kind)| (self.place(sync, change.target), kind) == (place, object));
            here && matches!(&change.action, Action::Delete(gone) if gone == id) && undone(change.run)
        })
    }

    /// Whether an undo made this record, in the place of one that the undone run had deleted.
    pub(super) fn made_by_undo(&self, place: usize, object: usize, id: &str) -> bool {
        let undoes = |field: &ChangedField| matches!(field.reason, FieldReason::UndoOf { .. });
        self.changes.iter().any(|change| {
            let here = self
                .of_mapping(change.mapping)
                .is_some_and(|(sync, kind)| (self.place(sync, change.target), kind) == (place, object));
            here && change.made.as_deref() == Some(id) && change.fields.iter().any(undoes)
        })
    }

    /// Whether the history has an undo that put this tag on, or took it off.
    pub(super) fn tag_undone(&self, tag: &str, on: bool) -> bool {
        let has =
            |value: &Value| matches!(value, Value::Texts(texts) if texts.iter().any(|text| text == tag));
        self.changes.iter().flat_map(|change| &change.fields).any(|field| {
            matches!(field.reason, FieldReason::UndoOf { .. })
                && has(field.result()) == on
                && field.base.as_ref().is_some_and(has) != on
        })
    }

    /// Whether a sync has made this record.
    fn was_made(&self, place: usize, object: usize, id: &str) -> bool {
        let is = |made: &Made| made.object == object && made.id == id;
        match self.system(place) {
            System::Hub(_) => lock(&self.world.ledger.shared).made.iter().any(is),
            System::Remote(remote) => remote.made().iter().any(is),
        }
    }
}
