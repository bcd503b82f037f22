//! Sentences for reasons, with the names of the exchanges and records. Nothing reads them back: programs go by the
//! codes.

use crate::config::HUB;
use entente_core::{Basis, FieldTime, Foreign, Side, Sides, Timestamp, Value, Why};
use entente_sync::codes;
use entente_sync::{
    Braked, Code, Counted, Deed, Difference, FieldReason, InvalidAnswer, Kept, Notice, Oddity, Reason,
    RecordRef, RemoteSaid,
};
use serde::Serialize;

/// How an exchange is called within a sentence.
pub fn called(exchange: &str) -> &str {
    if exchange == HUB { "the hub" } else { exchange }
}

/// A reason as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonView {
    /// Its code, for programs.
    pub code: &'static str,
    /// The sentence, for people.
    pub reason: String,
}

/// How often a reason was given, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountedView {
    /// Its code and a sentence for all of them.
    #[serde(flatten)]
    pub reason: ReasonView,
    /// How often.
    pub count: u64,
    /// Sentences of a few that differ.
    pub samples: Vec<String>,
}

/// When the values of a field changed on the left and on the right, as far as that is known.
pub type Times = Sides<Option<FieldTime>>;

/// The names of two exchanges, left and right, for sentences.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(pub &'a Sides<String>);

impl Names<'_> {
    /// A reason with its sentence.
    pub fn view(self, reason: &Reason) -> ReasonView {
        ReasonView { code: reason.code().word(), reason: self.reason(reason) }
    }

    /// The reason of a field with its sentence.
    pub fn field_view(self, reason: &FieldReason, times: Times) -> ReasonView {
        ReasonView { code: reason.code(), reason: self.field(reason, times) }
    }

    /// How often a reason was given, with a sentence.
    pub fn counted(self, code: Code, counted: &Counted) -> CountedView {
        let samples: Vec<String> = counted.samples.iter().map(|reason| self.reason(reason)).collect();
        let reason = match samples.as_slice() {
            [] => title(code).to_owned(),
            [one] => one.clone(),
            [first, ..] => format!("{}, for example: {first}", title(code)),
        };
        CountedView { reason: ReasonView { code: code.word(), reason }, count: counted.count, samples }
    }

    /// How the exchange of a side is called.
    pub fn called(&self, side: Side) -> &str {
        called(&self.0[side])
    }

    /// «person:3 in HelloWorld».
    fn there(self, record: &RecordRef) -> String {
        format!("{} in {}", name(record), self.called(record.side))
    }

    /// The sentence for a reason.
    pub fn reason(self, reason: &Reason) -> String {
        self.identity(reason)
            .or_else(|| self.deletion(reason))
            .or_else(|| self.sending(reason))
            .or_else(|| self.again(reason))
            .unwrap_or_else(|| title(reason.code()).to_owned())
    }

    /// Reasons about which record is which, and which take part.
    fn identity(self, reason: &Reason) -> Option<String> {
        Some(match reason {
            Reason::DuplicateOf { record, preferred, became } => {
                let of = record.as_ref().map_or_else(|| "another record".to_owned(), name);
                let rules = if *preferred { ", which the rules prefer" } else { "" };
                let became = became.as_ref().map(|record| format!(": both became {}", self.there(record)));
                format!("duplicate of {of}{rules}{}", became.unwrap_or_default())
            }
            Reason::Ambiguous { records, .. } => {
                let names: Vec<String> = records.iter().map(|record| self.there(record)).collect();
                format!("ambiguous: it may be {}", names.join(" or "))
            }
            Reason::AbsenceNotProven { record, object, identifiers, without } => {
                let (there, by) = (self.called(record.side.other()), identifiers.join(" or "));
                let why = match (without, by.is_empty()) {
                    (true, false) => format!("{} has no {by} to look it up by", name(record)),
                    (_, true) => format!("{object} was not listed completely"),
                    _ => format!("{object} was neither listed completely nor looked up by {by}"),
                };
                format!("not created in {there}: {why}; the next full run decides")
            }
            Reason::NotCheckable { side, object } => format!(
                "not changed in {}: {object} can neither be read by id nor written conditionally there; the next full run decides",
                self.called(*side)
            ),
            Reason::NotReadYet { side, object } => format!(
                "what it has in {} by now is not known: {object} cannot be read by id there; a run that lists everything reads it",
                self.called(*side)
            ),
            Reason::Required { side, object, field, why } => format!(
                "not created in {}: {field} of {object} is required: {}",
                self.called(*side),
                self.why(*why, Sides::default())
            ),
            Reason::Schema { side, object } => format!(
                "not created in {}: an identifier of {object} is parked there, so it cannot be told whether it exists",
                self.called(*side)
            ),
            Reason::OutsideFilter { side } => format!("outside the filter of {}", self.called(*side)),
            Reason::LeftOut { side } => format!("left out by hand in {}", self.called(*side)),
            Reason::WouldBeOutsideFilter { side } => {
                format!("not created in {}: it would be outside the filter there", self.called(*side))
            }
            Reason::NothingFlows { side } => {
                format!("not created in {}: nothing that it has flows there", self.called(*side))
            }
            Reason::NotCreatedThere { side } => {
                format!("new records are not made in {}", self.called(*side))
            }
            Reason::Conflict { field, why } => {
                format!("conflict in {field}: {}", self.why(*why, Sides::default()))
            }
            Reason::Unreadable { side, object, id, said } => {
                let id = id.as_deref().map_or_else(|| "without id".to_owned(), shown);
                format!("{} gave an unreadable {object} {id}: {}", self.called(*side), quoted(said))
            }
            Reason::NotThere { record } => format!(
                "{} was named: there is no such record, or the filter leaves it out",
                self.there(record)
            ),
            _ => return None,
        })
    }

    /// Reasons about records that are gone or have become others.
    fn deletion(self, reason: &Reason) -> Option<String> {
        let was = |from: &Option<RecordRef>| from.as_ref().map_or_else(|| "its record".to_owned(), name);
        Some(match reason {
            Reason::Converted { from, into } => format!("{} has become {}", was(from), self.there(into)),
            Reason::Merged { from, into } => format!(
                "{} was merged into {}: what it was linked with stays as it is until it is deleted, or {} reports the other one again",
                was(from),
                self.there(into),
                self.called(into.side)
            ),
            Reason::DeletedAndEdited { deleted, edited } => format!(
                "{} was deleted in {}, and {} was edited in {} since; delete that one too, or set deletes to ignore and apply it",
                name(deleted),
                self.called(deleted.side),
                name(edited),
                self.called(edited.side)
            ),
            Reason::OtherIdentifiers { record } => format!(
                "{} of {} has other identifiers than it had, or nothing that it had: another record may have got its id",
                name(record),
                self.called(record.side)
            ),
            Reason::DeletedIgnored { record } => format!(
                "{} was deleted in {}; by policy nothing is done about it",
                name(record),
                self.called(record.side)
            ),
            Reason::CannotBeDeleted { record, object } => format!(
                "{} was deleted in {}; {object} cannot be deleted in {}",
                name(record),
                self.called(record.side),
                self.called(record.side.other())
            ),
            Reason::Unlinked { side, object, id } => {
                let id = id.as_deref().map(|id| format!(":{}", shown(id))).unwrap_or_default();
                format!("its {object}{id} was deleted in {}, and it is not made again", self.called(*side))
            }
            Reason::LinkRemoved { record } => {
                format!("its link with {} was removed by hand, and it is not made again", name(record))
            }
            Reason::Brake { which, side, object, records, linked, percent, least } => {
                let verb = match which {
                    Braked::Deletes => "deleted",
                    Braked::Blankings => "blanked in part",
                };
                format!(
                    "brake: {records} of {linked} {object} records of {} would be {verb}, more than {percent} % and more than {least}",
                    self.called(*side)
                )
            }
            _ => return None,
        })
    }

    /// Reasons about orders and their answers.
    fn sending(self, reason: &Reason) -> Option<String> {
        Some(match reason {
            Reason::FateUnknown { side, object } => format!(
                "fate unknown: {} never answered an order about {object}, and the record cannot be looked up",
                self.called(*side)
            ),
            Reason::MayBe { record } => format!(
                "may be the record that was made for {}: that order was never answered, and nothing is made for this one until it is known",
                record.as_ref().map_or_else(|| "another one".to_owned(), name)
            ),
            Reason::OrderFailed { side, said } => format!(
                "{} ended the order in an error: {}; whether it was carried out is not known, and the next try finds out or sends it again under its key",
                self.called(*side),
                quoted(said)
            ),
            Reason::Refused { side, said, fields } => {
                let fields = match fields.as_slice() {
                    [] => String::new(),
                    some => format!(" ({})", shown(&some.join(", "))),
                };
                format!("{} refused it: {}{fields}", self.called(*side), quoted(said))
            }
            Reason::InvalidAnswer { side, how } => {
                let how = match how {
                    InvalidAnswer::NotDeleted => "the record was to be deleted, and it says that it is there",
                    InvalidAnswer::NoId => "the record was written, and no id came back",
                    InvalidAnswer::UnfitId => {
                        "the record was written, and an id came back that has more than 2 KiB or the character NUL"
                    }
                };
                format!("{} gave an invalid answer: {how}", self.called(*side))
            }
            Reason::RetryLater { said: Some((side, said)) } => {
                format!("{} asks to try again later: {}", self.called(*side), quoted(said))
            }
            Reason::WaitsFor { record: Some(record) } => format!(
                "waits for {}, which has no counterpart in {} yet",
                name(record),
                self.called(record.side.other())
            ),
            Reason::ParentGone { record } => format!(
                "its reference to {} of {} is not written: that record is gone or takes no part",
                name(record),
                self.called(record.side)
            ),
            Reason::Unchecked { side, object } => format!(
                "unchecked: {object} can neither be read by id nor written conditionally in {}; an edit made there since its last report is lost",
                self.called(*side)
            ),
            _ => return None,
        })
    }

    /// Reasons about plans, undoing, and earlier versions.
    fn again(self, reason: &Reason) -> Option<String> {
        Some(match reason {
            Reason::ExecutedBy { run } => format!("executed by run {run}"),
            Reason::NotExecutedBy { run, difference } => {
                format!("not executed by run {run}: {}", differs(difference))
            }
            Reason::NotInPlan { run } => format!("not in the plan of run {run}"),
            Reason::DiffersFromPlan { run, difference } => {
                format!("changed since the plan of run {run}: {}", differs(difference))
            }
            Reason::NotUndone(kept) => self.kept(kept),
            Reason::ReferredTo { by } => format!("{} refers to it", self.there(by)),
            Reason::Earlier { text } => shown(text),
            _ => return None,
        })
    }

    fn kept(self, kept: &Kept) -> String {
        match kept {
            Kept::Gone => "its record is gone".to_owned(),
            Kept::LinkRemoved => {
                "its link was removed since; undo the run while they are linked (link set)".to_owned()
            }
            Kept::ThereAgain => "it has a record again".to_owned(),
            Kept::OtherRecord { wrote, now } => {
                let wrote = wrote.as_ref().map_or_else(
                    || "which record it made was not kept".to_owned(),
                    |record| format!("it wrote {}", self.there(record)),
                );
                match now {
                    Some(now) => format!("{wrote}, and {} stands there now", name(now)),
                    None => format!("{wrote}, and none stands there now"),
                }
            }
            Kept::ChangedBy { run } => format!("it was changed since by run {run}"),
            Kept::Edited { now: Some(now) } => format!("it was edited since: {}", short(now)),
            Kept::Edited { now: None } => "it was edited since: nothing is known of it".to_owned(),
            Kept::FieldEdited { field } => format!("its {field} was edited since"),
            Kept::OtherSideEdited => "its other side was edited since".to_owned(),
            Kept::NotKnown => "what stood there before is not known".to_owned(),
            Kept::Required { side } => format!("it was blank before, and {} requires it", self.called(*side)),
            Kept::OutsideFilter { side } => {
                format!("its record in {} is outside the filter", self.called(*side))
            }
            Kept::CannotBeDeleted { side, object } => {
                format!("{object} cannot be deleted in {}", self.called(*side))
            }
        }
    }

    /// The sentence for the reason of a field.
    pub fn field(self, reason: &FieldReason, times: Times) -> String {
        match reason {
            FieldReason::Default => "default of a new record".to_owned(),
            FieldReason::Ruled => "settled by the operator".to_owned(),
            FieldReason::Deleted { record } => {
                format!("{} was deleted in {}", name(record), self.called(record.side))
            }
            FieldReason::UndoOf { run } => format!("undo of run {run}"),
            FieldReason::NotUndone(kept) => self.kept(kept),
            FieldReason::ByWayOfBlank => {
                "cleared for a moment: another record has the new value, and is to get this one's".to_owned()
            }
            FieldReason::Normalised { side } => {
                format!("{} keeps it in a form of its own", self.called(*side))
            }
            FieldReason::Refused { side, said, .. } => {
                format!("{} refused it and took the rest: {}", self.called(*side), quoted(said))
            }
            FieldReason::ParentGone { record } => {
                format!("a reference to {}, which is gone or takes no part: not written", self.there(record))
            }
            FieldReason::Relinked { record } => {
                format!("{} is gone or has another counterpart now", self.there(record))
            }
            FieldReason::Earlier { text } => shown(text),
            FieldReason::Judge(why) => self.why(*why, times),
        }
    }

    /// The sentence for what the judge said of two values that changed at these times.
    pub fn why(self, why: Why, times: Times) -> String {
        let of = |side: Side| self.called(side);
        match why {
            Why::NotDelivered => "a side has not delivered this field".to_owned(),
            Why::Same => "both sides have the same content".to_owned(),
            Why::AsAgreed => "neither side has changed since it was settled".to_owned(),
            Why::Trusted(side) => format!("{} is trusted", of(side)),
            Why::Source(side) => format!("the field flows one way, from {}", of(side)),
            Why::DriftKept(side) => {
                format!("drift: edited in {}, where nothing flows back from; kept", of(side))
            }
            Why::DriftRestored(side) => {
                format!("drift: edited in {}, restored from {}", of(side), of(side.other()))
            }
            Why::ValueBeatsBlank(side) => format!("{} has a value, {} has none", of(side), of(side.other())),
            Why::OnlyChange(side) => format!("only {} has changed", of(side)),
            Why::Merged => "merged element by element".to_owned(),
            Why::Judged(side, basis) => match self.moments(side, times) {
                Some(moments) => format!("newer in {moments}"),
                None => format!("newer in {}: {}", of(side), basis.text()),
            },
            Why::Policy(side, basis) => {
                format!("{} wins by policy: {}{}", of(side), basis.text(), self.in_brackets(side, times))
            }
            Why::Guessed(side, basis) => {
                let moments = self.in_brackets(side, times);
                format!("a guess, {} is the latest: {}{moments}", of(side), basis.text())
            }
            Why::Undecided(basis) => {
                let moments = self.in_brackets(Side::Left, times);
                format!("both sides have changed, and {}{moments}", undecided(basis))
            }
            Why::NotThisWay(side) => format!("the field does not flow to {}", of(side)),
            Why::NotWritable(side) => format!("the field cannot be written in {}", of(side)),
            Why::CreateOnly(side) => {
                format!("{} takes the field when a record is created, and never after that", of(side))
            }
            Why::ReportedOnly(side) => {
                format!("{} has this value in its records and lets nobody write it", of(side))
            }
            Why::NeverWritten => "the write rule is never".to_owned(),
            Why::NotEmpty(side) => format!("the write rule is if-empty and {} has a value", of(side)),
            Why::BlankKept(side) => format!("a blank does not replace the value of {}", of(side)),
            Why::BlankFilled(side) => {
                format!("the blank of {} is filled from {}", of(side), of(side.other()))
            }
            Why::RequiredBlank(side) => format!("blank, but required in {}: not sent", of(side)),
            Why::NoSuchWord(side) => format!("the value map has no word for this value in {}", of(side)),
            Why::NewRecord => "new record".to_owned(),
        }
    }

    /// «HelloWorld: 12 May 2020 10:02; the hub: 3 Apr 2020», this side first; `None` where no time is known.
    fn moments(self, first: Side, times: Times) -> Option<String> {
        let at = |side: Side| times[side].map(|time| time.at);
        let known = at(first).or(at(first.other()))?;
        let [one, other] = moments([at(first).unwrap_or(known), at(first.other()).unwrap_or(known)]);
        let span = |side: Side, at: &str| match times[side] {
            None => "not known".to_owned(),
            Some(time) if time.is_of_sync() => "written by a sync".to_owned(),
            Some(time) if time.certain => at.to_owned(),
            Some(FieldTime { after: None, .. }) => format!("at the latest {at}"),
            Some(FieldTime { at, after: Some(after), .. }) => {
                let [after, at] = moments([after, at]);
                format!("between {after} and {at}")
            }
        };
        let (one, other) = (span(first, &one), span(first.other(), &other));
        Some(format!("{}: {one}; {}: {other}", self.called(first), self.called(first.other())))
    }

    fn in_brackets(self, first: Side, times: Times) -> String {
        self.moments(first, times).map(|moments| format!(" ({moments})")).unwrap_or_default()
    }

    /// The sentence for a notice.
    pub fn notice(self, notice: &Notice) -> String {
        match notice {
            Notice::Brake(reason) => self.reason(reason),
            Notice::OtherIdentifiers { side, object, records, linked, percent } => format!(
                "brake: {records} of {linked} {object} records of {} have other identifiers than they had, more than {percent} %: its address leads to another account, or a backup was restored that gives ids again. Nothing is written to them. Put that right and read everything; if these are the same records, lift the brake",
                self.called(*side)
            ),
            Notice::UnreportedIdentifiers { side, object, records } => format!(
                "{records} {object} records have other identifiers than they had, and {} did not report that: perhaps a backup was restored there. Nothing is written to them before the next run has read everything",
                self.called(*side)
            ),
            Notice::FieldReadOnly { side, object, field } => format!(
                "'{field}' of {object} can no longer be written in {}; the field is parked: it is not synced until the mapping fits",
                self.called(*side)
            ),
            Notice::FieldParked { side, object, field, kinds } => {
                let what = match kinds {
                    Some((was, now)) => {
                        format!("was of the kind {was} and now is {}", shown(&now.to_string()))
                    }
                    None => "is no longer there, or not listed in the manifest of its plugin".to_owned(),
                };
                format!(
                    "{}: '{field}' of {object} {what}; the field is parked, the rest is synced",
                    self.called(*side)
                )
            }
            Notice::FieldRefused { side, object, field, records } => format!(
                "{} refused '{}' of {records} {object} {} and took the rest; it is sent again when its value changes",
                self.called(*side),
                shown(field),
                if *records == 1 { "record" } else { "records" }
            ),
            Notice::NewField { side, object, field } => format!(
                "{} has a new field '{}' of {object}, which is not mapped; it is synced once a file that maps it is applied",
                self.called(*side),
                shown(field)
            ),
            Notice::NewFields { side, object, fields, required, samples } => {
                let samples = samples.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
                let needs = match required {
                    0 => String::new(),
                    _ => format!("; {required} fields that are not mapped are needed for a new {object}"),
                };
                format!(
                    "{} has {fields} new fields for {object}, which are not mapped, for example {samples}{needs}",
                    self.called(*side)
                )
            }
            Notice::NewlyRequired { side, object, field } => format!(
                "{} now needs '{}' for a new {object}, and nothing is mapped to it",
                self.called(*side),
                shown(field)
            ),
            Notice::OrderFailed { side, said, .. } => format!(
                "{} failed an order as a whole: {}; what became of it is found out, and the rest is sent in smaller orders",
                self.called(*side),
                quoted(said)
            ),
            Notice::CannotCollect { side, object } => format!(
                "{} deferred changes of {object} and then did not know how to tell what became of them (its plugin says of «collect» that it is unsupported): what became of them is found out as after a crash",
                self.called(*side)
            ),
            Notice::CollectFailed { side, object, said, .. } => format!(
                "{} could not tell what became of deferred changes of {object}: {}; it is asked again by the next run",
                self.called(*side),
                quoted(said)
            ),
            Notice::LongDeferred { side, object, sent } => format!(
                "{} has deferred changes of {object} since {sent} and not said yet what became of them. If you know that nothing more comes of one, «retry RECORD» gives it up: the next run finds out what became of it, as after a crash",
                self.called(*side)
            ),
            Notice::InvalidAnswers { side, object, what, count } => {
                self.invalid(*side, object, *what, *count)
            }
            Notice::ClockAhead { side, record, at, arrival } => {
                let [at, arrival] = moments([*at, *arrival]);
                format!(
                    "{} dates {} at {at}, which arrived at {arrival}: its clock is ahead, or the one here is late; such times only say that a value is not newer than its arrival",
                    self.called(*side),
                    name(record)
                )
            }
            Notice::StaysTrusted { side } => format!(
                "{} stays trusted, whatever changed, until a run without a window has made all of it",
                self.called(*side)
            ),
            Notice::NotMapped { run } => {
                format!("run {run} wrote objects that the sync no longer maps; these stay as they are")
            }
            Notice::DeletesNotAgreed { run, deletes } => {
                format!("to undo run {run}, {deletes} records that it made would be deleted")
            }
            Notice::Earlier { text } => shown(text),
        }
    }
}

impl Names<'_> {
    /// The sentence for answers against the rules of the interface.
    fn invalid(self, side: Side, object: &str, what: Oddity, count: u64) -> String {
        let (name, object) = (self.called(side), shown(object));
        match what {
            Oddity::RowsNotAskedFor => {
                format!("{name} reported {count} rows of {object}, which nobody asked for; they are left out")
            }
            Oddity::RefusedWithoutFields => format!(
                "{name} took {count} changes of {object} but for some fields, and did not say which; what it kept shows with its next report"
            ),
            Oddity::ToldTwice => format!(
                "{name} told {count} records of {object} twice in this run, with other values the second time and without change times: what came later counts"
            ),
            Oddity::OfAnotherChange => format!(
                "{name} answered {count} new records of {object} with the identifiers of others that were sent with them; what was made is found out"
            ),
            Oddity::AnsweredTwice => {
                format!(
                    "{name} answered changes of {object} more than once ({count} times); the first answer counts"
                )
            }
        }
    }
}

/// What all reasons of a code have in common.
pub const fn title(code: Code) -> &'static str {
    match code {
        Code::DuplicateOf => "duplicates of other records",
        Code::Ambiguous => "ambiguous: several records have the same identifiers",
        Code::AbsenceNotProven => "not created: nothing proves that they are not there",
        Code::NotCheckable => "not changed: nothing tells what is there now",
        Code::NotReadYet => "what they have by now is not known",
        Code::Required => "not created: a required field is missing",
        Code::Converted => "converted into another object",
        Code::Merged => "merged into other records",
        Code::FateUnknown => "fate unknown: an order was never answered",
        Code::MayBe => "may be what an order made that was never answered",
        Code::Brake => "held by the brake",
        Code::OtherIdentifiers => "held by the brake on identifiers",
        Code::DeletedAndEdited => "deleted on one side and edited on the other",
        Code::Schema => "not created: an identifier is parked",
        Code::OutsideFilter => "outside the filter",
        Code::LeftOut => "left out by hand",
        Code::WouldBeOutsideFilter => "not created: outside the filter of the other side",
        Code::NothingFlows => "not created: nothing flows to the other side",
        Code::NoRecord => "no record on either side",
        Code::NotCreatedThere => "new records are not made on the other side",
        Code::DeletedEverywhere => "deleted on every side that had it",
        Code::DeletedOnBothSides => "deleted on both sides",
        Code::DeletedIgnored => "deleted on one side; by policy nothing is done about it",
        Code::Unlinked => "deleted on one side and not made again",
        Code::CannotBeDeleted => "deleted on one side; the other one cannot delete",
        Code::LinkRemoved => "its link was removed by hand",
        Code::Undone => "undone: the record that was made for it was deleted again",
        Code::MadeAgain => "its record was made again by an undo; the other side stays deleted",
        Code::WithheldPull => "withheld: pulling was switched off for that run",
        Code::WithheldPush => "withheld: pushing was switched off for that run",
        Code::PlannedCreate => "planned: to create",
        Code::PlannedUpdate => "planned: to change",
        Code::PlannedDelete => "planned: to delete",
        Code::OrderFailed => "the order ended in an error; what became of it is not known",
        Code::Refused => "refused",
        Code::InvalidAnswer => "answered against the rules of the interface",
        Code::RetryLater => "to be tried again later",
        Code::WaitsFor => "waits for a record that has no counterpart yet",
        Code::ParentGone => "a reference is not written: its record is gone or takes no part",
        Code::Stale => "the record has changed since the decision; decided again",
        Code::BecameAnother => "the record has become another one; decided again",
        Code::RecordGone => "the record is gone",
        Code::PairGone => "its pair is gone",
        Code::PairJoined => "its pair was joined into another one",
        Code::Overtaken => "overtaken by a newer decision",
        Code::Deferred => "deferred: the remote system tells later what became of it",
        Code::Unanswered => "fate unknown: the order was answered without them",
        Code::FoundOut => "no answer came; what stands there was found out, and it was decided again",
        Code::Unchecked => "written unchecked",
        Code::DecidedAgain => "changed once more, or waits for another record; decided again in the next run",
        Code::ExecutedBy => "executed by a later run",
        Code::NotExecutedBy => "not executed by the run that applied the plan",
        Code::NotInPlan => "not in the plan",
        Code::DiffersFromPlan => "changed since the plan",
        Code::NotUndone => "left as it is by the undo",
        Code::ReferredTo => "another record refers to it",
        Code::DeletesNotAgreed => "not done: the number of deletions was not agreed",
        Code::Conflict => "fields in conflict",
        Code::Unreadable => "unreadable records",
        Code::NotThere => "named records that are not there",
        Code::Earlier => "told by an earlier version",
    }
}

fn name(record: &RecordRef) -> String {
    format!("{}:{}", record.object, shown(&record.id))
}

fn undecided(basis: Basis) -> &'static str {
    match basis {
        Basis::SameTime => "at the same time",
        basis => basis.text(),
    }
}

fn differs(difference: &Difference) -> String {
    let word = |deed: Deed| match deed {
        Deed::Create => "create",
        Deed::Update => "update",
        Deed::Delete => "delete",
    };
    let stood = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), short);
    match difference {
        Difference::Deed { planned, now } => {
            format!("the plan was to {}, and now it is to {}", word(*planned), word(*now))
        }
        Difference::Record => "another record would be written".to_owned(),
        Difference::FieldMore { value, .. } => format!("another field changes too, to {}", short(value)),
        Difference::FieldLess { .. } => "a field need not be changed any more".to_owned(),
        Difference::Value { planned, now, .. } => {
            format!("{} was to be written, and now it would be {}", short(planned), short(now))
        }
        Difference::Base { planned, now, .. } => {
            format!("{} stood there when it was planned, and now {} does", stood(planned), stood(now))
        }
        Difference::OtherSide => {
            "the records have been edited since, and now the other side would be written".to_owned()
        }
        Difference::Nothing => "there is nothing to write any more".to_owned(),
        Difference::Settled => "its record was settled since, or left the sync".to_owned(),
    }
}

/// Two moments, in UTC, as exactly as is needed to tell them apart.
fn moments(at: [Timestamp; 2]) -> [String; 2] {
    const MINUTE: i64 = 60_000_000;
    let day = |at: Timestamp| {
        let form = if at.micros() % (24 * 60 * MINUTE) == 0 { "%-d %b %Y" } else { "%-d %b %Y %H:%M" };
        at.to_datetime().format(form).to_string()
    };
    let [one, other] = at.map(day);
    if one != other || at[0] == at[1] {
        return [one, other];
    }
    at.map(|at| at.to_datetime().format("%-d %b %Y %H:%M:%S%.f").to_string())
}

/// What was said, in quotation marks.
fn quoted(said: &RemoteSaid) -> String {
    let code =
        said.code.as_ref().map(|code| format!(" ({})", codes::shown(code.as_data()))).unwrap_or_default();
    format!("{}{code}", said.text.quoted())
}

/// A text of others as it is displayed.
fn shown(text: &str) -> String {
    Foreign::new(text).to_string()
}

fn short(value: &Value) -> String {
    /// Longer values are cut.
    const MOST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Sides<String> {
        Sides::new("hub".to_owned(), "HelloWorld".to_owned())
    }

    fn time(text: &str, certain: bool) -> Option<FieldTime> {
        Some(FieldTime { at: Timestamp::parse(text).unwrap(), certain, after: None })
    }

    #[test]
    fn the_judge_names_exchanges_and_both_times() {
        let names = names();
        let say = |why: Why, times: Times| Names(&names).why(why, times);
        let times = Sides::new(time("2020-04-03", true), time("2020-05-12 10:02", true));
        let later = Why::Judged(Side::Right, Basis::LaterCertain);
        assert_eq!(say(later, times), "newer in HelloWorld: 12 May 2020 10:02; the hub: 3 Apr 2020");
        let close = Sides::new(time("2020-05-12 10:02:01", true), time("2020-05-12 10:02:07.5", false));
        assert_eq!(
            say(Why::Judged(Side::Left, Basis::LaterPossible), close),
            "newer in the hub: 12 May 2020 10:02:01; HelloWorld: at the latest 12 May 2020 10:02:07.500"
        );
        let right = FieldTime::between(
            Some(Timestamp::parse("2020-05-11").unwrap()),
            Timestamp::parse("2020-05-12 09:30").unwrap(),
        );
        assert_eq!(
            say(
                Why::Judged(Side::Right, Basis::LaterSpan),
                Sides::new(time("2020-05-10", true), Some(right))
            ),
            "newer in HelloWorld: between 11 May 2020 and 12 May 2020 09:30; the hub: 10 May 2020"
        );
        assert_eq!(
            say(Why::Guessed(Side::Right, Basis::SpansMeet), close),
            "a guess, HelloWorld is the latest: the spans of time in which the two values came to be meet (HelloWorld: at the latest 12 May 2020 10:02:07.500; the hub: 12 May 2020 10:02:01)"
        );
        assert_eq!(say(later, Sides::default()), "newer in HelloWorld: its certain change time is later");
        for (why, said) in [
            (Why::OnlyChange(Side::Left), "only the hub has changed"),
            (Why::Trusted(Side::Left), "the hub is trusted"),
            (Why::Source(Side::Right), "the field flows one way, from HelloWorld"),
            (Why::DriftKept(Side::Left), "drift: edited in the hub, where nothing flows back from; kept"),
            (Why::RequiredBlank(Side::Right), "blank, but required in HelloWorld: not sent"),
            (Why::ValueBeatsBlank(Side::Left), "the hub has a value, HelloWorld has none"),
            (
                Why::Undecided(Basis::NoEvidence),
                "both sides have changed, and the change times do not tell which is newer",
            ),
        ] {
            assert_eq!(say(why, Sides::default()), said);
        }
    }

    #[test]
    fn records_and_sides_have_names() {
        let names = names();
        let record = |side, id: &str| RecordRef::new(side, "contact", id);
        for (reason, said) in [
            (
                Reason::CannotBeDeleted { record: record(Side::Right, "7"), object: "contact".to_owned() },
                "contact:7 was deleted in HelloWorld; contact cannot be deleted in the hub",
            ),
            (
                Reason::AbsenceNotProven {
                    record: RecordRef::new(Side::Right, "person", "p34"),
                    object: "contact".to_owned(),
                    identifiers: vec!["email".to_owned()],
                    without: true,
                },
                "not created in the hub: person:p34 has no email to look it up by; the next full run decides",
            ),
            (Reason::OutsideFilter { side: Side::Left }, "outside the filter of the hub"),
            (Reason::LeftOut { side: Side::Left }, "left out by hand in the hub"),
            (
                Reason::Refused {
                    side: Side::Right,
                    said: RemoteSaid::new("duplicate of", "the left\u{1b}[2J \u{202e}wins"),
                    fields: vec![],
                },
                "HelloWorld refused it: «the left\\u{1b}[2J \\u{202e}wins» («duplicate of»)",
            ),
        ] {
            assert_eq!(Names(&names).reason(&reason), said);
        }
    }

    #[test]
    fn many_of_a_code_are_one_line() {
        let names = names();
        let mut counted = Counted::default();
        for n in 0..8000 {
            let record = Some(RecordRef::new(Side::Left, "contact", &n.to_string()));
            counted.add(&Reason::DuplicateOf { record, preferred: false, became: None }, 1);
        }
        let view = Names(&names).counted(Code::DuplicateOf, &counted);
        assert_eq!((view.count, view.samples.len()), (8000, 3));
        assert_eq!(view.reason.reason, "duplicates of other records, for example: duplicate of contact:0");
    }
}
