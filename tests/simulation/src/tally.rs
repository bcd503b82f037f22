//! What histories drew, what really happened in them, and where a check did not apply.

use crate::character::{Character, Manners, Shape, Ties};
use entente_sync::{Blanks, ChangeTimes, DeletePolicy, Drift, Unresolved};
use std::collections::BTreeMap;

/// What no history contains yet.
pub const NOT_DRAWN: &[&str] = &[
    "changes of mapping, policy and filter between runs, schema drift",
    "remote systems that change account, and rebind: tests/engine/account.rs is what there is; one that gives its ids again without saying so cannot be told from one whose records were edited, and the brake on identifiers is what there is",
    "fields that are create-only, required on update, write-only, refused alone or refused by name, choices that are reported only: tests/engine is what there is",
    "edits between report and order at a remote system that neither refuses a stale write nor can be read by id",
    "host clocks that step during a run or while a lease is left over; clocks that are off where windows follow change times",
    "remote systems that are both trusted for good in a fan-out",
    "records that cannot be read: tests/engine/troubles.rs is what there is",
    "remote systems that are restored from a backup: what finds them out (the probe of a run's first order, the brake on identifiers) is tested in tests/engine",
    "search indexes that lag longer than the remote system says, or without a word of it: records are doubled then",
    "plugins that break the interface (answers exchanged, two creates with one id, a ticket that nobody can tell of, an older copy of a record in one report), links by hand, records of one side that are merged by hand (link merge: tests/e2e/merging.rs is what there is) and records that are left out by hand: tests/engine/link.rs, open_creates.rs, stopped.rs and reading.rs are what there is",
];

/// Every fault that may happen, so that one that never did is counted with nothing.
const FAULTS: &[&str] = &[
    "call refused: rate-limited",
    "call refused: trap",
    "call refused: unavailable",
    "change put off",
    "change without an answer",
    "crash",
    "expired place",
    "late search index",
    "late search index, waited for",
    "lost answer",
    "order refused as a whole",
    "order stopped in the middle",
    "page given twice",
    "rate limit after a part of an order",
    "refused value",
    "rows in another order",
];

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The topology of the syncs: histories that have it.
    Topology,
    /// Policies: histories that have them.
    Policy,
    /// Capabilities of remote systems: systems that have them.
    Capability,
    /// Faults that a remote system may have: systems that have them.
    FaultDrawn,
    /// Faults that really happened.
    Fault,
    /// Operations of users and of the passage of time, that were asked for.
    Operation,
    /// Kinds of runs.
    Run,
}

impl Group {
    /// The name of the group.
    pub const fn word(self) -> &'static str {
        match self {
            Group::Topology => "topology",
            Group::Policy => "policy",
            Group::Capability => "capability",
            Group::FaultDrawn => "fault drawn",
            Group::Fault => "fault happened",
            Group::Operation => "operation",
            Group::Run => "run",
        }
    }
}

/// Why a check did not apply to what would else have been a violation. Each is counted where it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    /// A settled pair lacks a record.
    DeletionUntold,
    /// A pair is still to be done.
    WaitsForParent,
    /// A pair is still to be done.
    MayBeMade,
    /// A pair is held.
    SharedIdentifier,
    /// A settled pair has two values in a field.
    OpenConflict,
    /// A settled pair has a reference on one side only.
    ParentGone,
    /// A settled pair has references that cannot be carried.
    NoCounterpart,
    /// A settled pair has two values in a field that flows to the right only.
    OneWay,
    /// A settled pair has a value and a blank.
    BlankWithheld,
    /// A settled pair has two values.
    Undone,
    /// A settled pair has a value that has no counterpart.
    ValueWithoutEntry,
    /// A settled pair has a value and a blank.
    RequiredBlank,
    /// A settled pair has two values in a field.
    WriteRule,
    /// A settled pair has a value and a blank.
    DefaultGiven,
    /// A settled pair has another value than the constant.
    DriftKept,
    /// An edit is not there.
    RecordGone,
    /// An undo has deleted a record that was edited.
    GoneBefore,
    /// An undo has deleted a record that was edited.
    EditReplaced,
    /// A tag is not there.
    TagTakenOff,
    /// A tag is not there, or back.
    TagByTrust,
    /// A tag is not there, or back.
    TagUndone,
    /// A tag is back.
    TagUnheard,
    /// A tag is back.
    TagUnsettled,
    /// Two records were made from one.
    MadeByUndo,
    /// Two records were made from one.
    MadeAgain,
    /// Two records were made from one.
    MadeUnheard,
    /// Two records were made from one.
    Renamed,
    /// A deleted record was made again.
    RecreatedByPolicy,
    /// Two records have one name.
    RecreatedTwice,
    /// Two records have one name.
    SharedName,
    /// A complete listing wrote something.
    TightBrake,
    /// A dry run ended with another state than it began with.
    EditedInDryRun,
    /// A run ended with an error.
    FailedByFault,
    /// A record is in no pair.
    OutsideFilter,
}

impl Exception {
    /// Every exception, in order of display.
    pub const ALL: [Exception; 34] = [
        Exception::DeletionUntold,
        Exception::WaitsForParent,
        Exception::MayBeMade,
        Exception::SharedIdentifier,
        Exception::OpenConflict,
        Exception::ParentGone,
        Exception::NoCounterpart,
        Exception::OneWay,
        Exception::BlankWithheld,
        Exception::Undone,
        Exception::ValueWithoutEntry,
        Exception::RequiredBlank,
        Exception::WriteRule,
        Exception::DefaultGiven,
        Exception::DriftKept,
        Exception::RecordGone,
        Exception::GoneBefore,
        Exception::EditReplaced,
        Exception::TagTakenOff,
        Exception::TagByTrust,
        Exception::TagUndone,
        Exception::TagUnheard,
        Exception::TagUnsettled,
        Exception::MadeByUndo,
        Exception::MadeAgain,
        Exception::MadeUnheard,
        Exception::Renamed,
        Exception::RecreatedByPolicy,
        Exception::RecreatedTwice,
        Exception::SharedName,
        Exception::TightBrake,
        Exception::EditedInDryRun,
        Exception::FailedByFault,
        Exception::OutsideFilter,
    ];

    /// The stable name.
    pub const fn word(self) -> &'static str {
        match self {
            Exception::DeletionUntold => "deletion-untold",
            Exception::WaitsForParent => "waits-for-parent",
            Exception::MayBeMade => "may-be-made",
            Exception::SharedIdentifier => "shared-identifier",
            Exception::OpenConflict => "open-conflict",
            Exception::ParentGone => "parent-gone",
            Exception::NoCounterpart => "no-counterpart",
            Exception::OneWay => "one-way",
            Exception::BlankWithheld => "blank-withheld",
            Exception::Undone => "undone",
            Exception::ValueWithoutEntry => "value-without-entry",
            Exception::RequiredBlank => "required-blank",
            Exception::WriteRule => "write-rule",
            Exception::DefaultGiven => "default-given",
            Exception::DriftKept => "drift-kept",
            Exception::RecordGone => "record-gone",
            Exception::GoneBefore => "gone-before",
            Exception::EditReplaced => "edit-replaced",
            Exception::TagTakenOff => "tag-taken-off",
            Exception::TagByTrust => "tag-by-trust",
            Exception::TagUndone => "tag-undone",
            Exception::TagUnheard => "tag-unheard",
            Exception::TagUnsettled => "tag-unsettled",
            Exception::MadeByUndo => "made-by-undo",
            Exception::MadeAgain => "made-again",
            Exception::MadeUnheard => "made-unheard",
            Exception::Renamed => "renamed",
            Exception::RecreatedByPolicy => "recreated-by-policy",
            Exception::RecreatedTwice => "recreated-twice",
            Exception::SharedName => "shared-name",
            Exception::TightBrake => "tight-brake",
            Exception::EditedInDryRun => "edited-in-dry-run",
            Exception::FailedByFault => "failed-by-fault",
            Exception::OutsideFilter => "outside-filter",
        }
    }

    /// The check, and why it does not apply.
    pub const fn reason(self) -> &'static str {
        match self {
            Exception::DeletionUntold => {
                "I26: a settled pair lacks a record whose deletion was never reported: no complete listing yet"
            }
            Exception::WaitsForParent => {
                "I26: a pair is still to do, since the record that it refers to waits"
            }
            Exception::MayBeMade => {
                "I26: a pair is still to do, since its record may be what a create without an answer has made, and one of them has no identifier, or got another one from a person, or has one that the create carried"
            }
            Exception::SharedIdentifier => {
                "I26: a pair is held as a duplicate, and another record has its identifier: they may be one person or two"
            }
            Exception::OpenConflict => "I1: two values differ, and the field is an open conflict",
            Exception::ParentGone => {
                "I1: a reference on one side only, and the pair says that its target is gone"
            }
            Exception::NoCounterpart => {
                "I1: a reference to a company that has no counterpart, and cannot be carried"
            }
            Exception::OneWay => "I1: a one-way field whose target keeps what was settled, or had before",
            Exception::BlankWithheld => "I1: a blank that the policy for blanks does not carry",
            Exception::Undone => {
                "I1: two values of which an undo put one back, and nothing has been written to the field since"
            }
            Exception::ValueWithoutEntry => {
                "I1: a value that the value map has no entry for, and the pair says so"
            }
            Exception::RequiredBlank => {
                "I1: a blank that is not sent where the field is required, and the pair says so"
            }
            Exception::WriteRule => {
                "I1: a value that the write rule of its field withholds, and the pair says so"
            }
            Exception::DefaultGiven => {
                "I1: the default that a new record got, where the other side has nothing, and the pair says so"
            }
            Exception::DriftKept => "I1: an edit of a constant that is kept, and the pair says so",
            Exception::RecordGone => {
                "I4: the record of the edit is gone, so that there is nothing to look at"
            }
            Exception::GoneBefore => {
                "I28: an undo was to delete a record that a person had deleted before, so that it has deleted nothing"
            }
            Exception::EditReplaced => {
                "I28: an undo deleted a record whose edit another sync had replaced before, by what the undone run wrote"
            }
            Exception::TagTakenOff => "I4: somebody else took the tag off",
            Exception::TagByTrust => {
                "I4: a side that the operator trusts has another set of tags, and the history says so"
            }
            Exception::TagUndone => {
                "I4: an undo put the tag on or took it off, or deleted the counterpart that still had it, and the history says so"
            }
            Exception::TagUnheard => {
                "I4: a tag taken off before every sync knew the record, during its write, or while its counterpart was gone or about to go, so that it was never carried"
            }
            Exception::TagUnsettled => "I4: a tag taken off a record of which a pair is not settled",
            Exception::MadeByUndo => {
                "I3, I8: made twice, and an undo made the second in the place of what the undone run had deleted"
            }
            Exception::MadeAgain => "I3: made twice by the policy recreate, and the first one is gone",
            Exception::MadeUnheard => {
                "I3: made twice, and the first was deleted before the sync was told of it"
            }
            Exception::Renamed => {
                "I3: made twice, and a person changed the first one's identifier before the answer was known"
            }
            Exception::RecreatedByPolicy => {
                "I8: a deleted record was made again, as the policy recreate asks"
            }
            Exception::RecreatedTwice => {
                "I3: a sync made a person again that was deleted in another one, by a person or an undo, and an identifier that tells that they are one is missing"
            }
            Exception::SharedName => {
                "I3: a record was given the address of another person, or made with the one of an unanswered create, was taken for that one, and passed on its name"
            }
            Exception::TightBrake => {
                "I5: a complete listing wrote once more, where the brake stops at one record"
            }
            Exception::EditedInDryRun => "I25: a person edited during the dry run, so that states differ",
            Exception::FailedByFault => "I1: a run failed while remote systems fail",
            Exception::OutsideFilter => "I26: a record in no pair, and it is outside the filter",
        }
    }
}

/// The counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// What was drawn and what happened.
    pub counts: BTreeMap<(Group, &'static str), u64>,
    /// The checks that did not apply.
    pub exceptions: BTreeMap<Exception, u64>,
}

impl Tally {
    pub(crate) fn count(&mut self, group: Group, what: &'static str) {
        *self.counts.entry((group, what)).or_default() += 1;
    }

    /// Counts these with nothing, so that what never happens is seen.
    pub(crate) fn list(&mut self, group: Group, words: impl IntoIterator<Item = &'static str>) {
        words.into_iter().for_each(|word| self.either(group, word, false));
    }

    pub(crate) fn except(&mut self, exception: Exception) {
        *self.exceptions.entry(exception).or_default() += 1;
    }

    /// Adds the counts of another one.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            *self.counts.entry(*what).or_default() += count;
        }
        for (exception, count) in &other.exceptions {
            *self.exceptions.entry(*exception).or_default() += count;
        }
    }

    /// Counts everything that a character has. What it has not is counted with nothing, so that a feature
    /// that is never drawn is seen.
    pub(crate) fn note_character(&mut self, character: &Character) {
        let shapes = [(Shape::Hub, "hub"), (Shape::Remotes, "remotes"), (Shape::FanOut, "fan-out")];
        for (shape, word) in shapes {
            self.either(Group::Topology, word, character.shape == shape);
        }
        let deletes = [
            (DeletePolicy::Ignore, "deletes ignore"),
            (DeletePolicy::Unlink, "deletes unlink"),
            (DeletePolicy::Delete, "deletes delete"),
            (DeletePolicy::Recreate, "deletes recreate"),
        ];
        for (policy, word) in deletes {
            self.either(Group::Policy, word, character.deletes == policy);
        }
        let policies = [
            ("unresolved hold", character.unresolved == Unresolved::Hold),
            ("unresolved left", character.unresolved == Unresolved::Left),
            ("unresolved right", character.unresolved == Unresolved::Right),
            ("unresolved latest", character.unresolved == Unresolved::Latest),
            ("host clock steps", character.steps),
            ("blanks overwrite", character.blanks == Blanks::Overwrite),
            ("blanks keep", character.blanks == Blanks::Keep),
            ("blanks fill", character.blanks == Blanks::Fill),
            ("one-way field, drift keep", character.one_way_phone && character.drift == Drift::Keep),
            ("one-way field, drift restore", character.one_way_phone && character.drift == Drift::Restore),
            ("filter on the left", character.filtered.left),
            ("filter on the right", character.filtered.right),
            ("tight brake", character.brake == 1),
            ("crashes", character.crashes > 0),
            ("edits during runs", character.edits_in_runs > 0),
            ("a side is trusted for names", character.trusted.is_some()),
            ("telephone and city are one fact", character.grouped && !character.one_way_phone),
            ("ties: lowest id", character.prefer == Ties::LowestId),
            ("ties: has a city", character.prefer == Ties::City),
        ];
        for (word, has) in policies.into_iter().chain(character.rules.drawn()) {
            self.either(Group::Policy, word, has);
        }
        character.remotes.iter().for_each(|manners| self.note_manners(manners));
        self.list(Group::Fault, FAULTS.iter().copied());
    }

    fn note_manners(&mut self, manners: &Manners) {
        let able = [
            ("idempotent create", manners.idempotent),
            ("conditional write", manners.conditional),
            ("read by id", manners.by_id),
            ("look-up", manners.find),
            ("late search index", !manners.search_lag.is_zero()),
            ("reported deletions", manners.deletions),
            ("no change times", manners.times == ChangeTimes::None),
            ("change times of records", manners.times == ChangeTimes::Record),
            ("change times of fields", manners.times == ChangeTimes::Field),
            ("coarse change times", manners.precision > 1),
            ("complete listing", manners.keyset),
            ("listing by offset", !manners.keyset),
            ("bookmarks", manners.bookmarks),
            ("normalises values", manners.normalises),
            ("one blank", manners.one_blank),
            ("unique address", manners.unique_email),
            ("skewed clock", manners.skew_seconds != 0),
            ("clock far ahead", manners.skew_seconds > 7200),
            ("times set by people", manners.settable_times),
        ];
        for (word, has) in able {
            self.either(Group::Capability, word, has);
        }
        let faults = &manners.faults;
        let faulty = [
            ("refused call", faults.refused_calls > 0),
            ("lost answer", faults.lost_answers > 0),
            ("expired place", faults.expired > 0),
            ("odd page", faults.odd_pages > 0),
            ("change put off", faults.put_off > 0),
            ("change without an answer", faults.unanswered > 0),
            ("order refused as a whole", faults.whole_orders),
        ];
        for (word, has) in faulty {
            self.either(Group::FaultDrawn, word, has);
        }
    }

    fn either(&mut self, group: Group, what: &'static str, has: bool) {
        *self.counts.entry((group, what)).or_default() += u64::from(has);
    }
}
