//! Migration 9: the texts of reasons become codes with data. A text that is not recognised is kept as
//! [`Reason::Earlier`].

use entente_core::{Basis, Side, Sides, Why};
use entente_sync::{
    Braked, Deed, Difference, FieldReason, InvalidAnswer, Kept, Notice, Reason, ReasonCounts, RecordRef,
    RemoteSaid,
};
use rusqlite::{Connection, OptionalExtension, params};
use rusqlite_migration::{HookError, HookResult};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The number of rows read before they are rewritten.
const PAGE: i64 = 1000;

/// The context of a text: what the row says besides it.
struct Context {
    /// The side that the text is about, where the text names none.
    side: Side,
    /// The object names, left and right, where known.
    objects: Sides<Option<String>>,
    /// The row records a refusal by an exchange, so the text is the exchange's own.
    refused: bool,
}

impl Context {
    /// The record with this name. If both sides have such an object, the one of the context's side.
    fn record(&self, name: &str) -> Option<RecordRef> {
        let (object, id) = name.split_once(':')?;
        let has = |side: Side| self.objects[side].as_deref() == Some(object);
        let side = if has(self.side) || !has(self.side.other()) { self.side } else { self.side.other() };
        Some(RecordRef::new(side, object, id))
    }

    fn reason(&self, text: &str) -> Reason {
        let known = if self.refused { None } else { self.ours(text) };
        let said = || {
            let (code, said) = text.split_once(": ").filter(|_| self.refused)?;
            Some(Reason::Refused { side: self.side, said: RemoteSaid::new(code, said), fields: Vec::new() })
        };
        let broken = || {
            let how = match text.strip_prefix("invalid-answer: ")? {
                "it was to be deleted, and the answer says that it is there" => InvalidAnswer::NotDeleted,
                "the record was written but no id came back" => InvalidAnswer::NoId,
                _ => return None,
            };
            Some(Reason::InvalidAnswer { side: self.side, how })
        };
        known.or_else(broken).or_else(said).unwrap_or_else(|| Reason::Earlier { text: text.to_owned() })
    }

    /// Parses a text of an earlier version.
    fn ours(&self, text: &str) -> Option<Reason> {
        plain(text)
            .or_else(|| sided(text))
            .or_else(|| self.held(text))
            .or_else(|| self.deleted(text))
            .or_else(|| self.planned(text))
    }

    fn held(&self, text: &str) -> Option<Reason> {
        let (side, other) = (self.side, self.side.other());
        if let Some(of) = text.strip_prefix("duplicate of ") {
            return self.duplicate(of);
        }
        if let Some(names) = text.strip_prefix("ambiguous: it may be ") {
            let elsewhere = Context { side: other, objects: self.objects.clone(), refused: false };
            let records = names.split(" or ").map(|name| elsewhere.record(name)).collect::<Option<_>>()?;
            return Some(Reason::Ambiguous { records, unread: false });
        }
        if let Some(rest) = text.strip_prefix("absence not proven: ") {
            if let Some((object, _)) = rest.split_once(" cannot be read by id") {
                return Some(Reason::NotCheckable { side: other, object: object.to_owned() });
            }
            let (object, rest) = rest.split_once(" was neither listed completely nor looked up by ")?;
            let (names, _) = rest.split_once(';')?;
            return Some(Reason::AbsenceNotProven {
                record: RecordRef::new(side, self.objects[side].as_deref().unwrap_or_default(), ""),
                object: object.to_owned(),
                identifiers: names.split(", ").map(str::to_owned).collect(),
                without: false,
            });
        }
        if let Some(rest) = text.strip_prefix("not read yet: it was found by its identifiers, and a ") {
            let (object, _) = rest.split_once(" cannot be read")?;
            return Some(Reason::NotReadYet { side: other, object: object.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("schema: an identifier of ") {
            let (object, _) = rest.split_once(" is parked")?;
            return Some(Reason::Schema { side: other, object: object.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("required: ") {
            let (name, why) = rest.split_once(": ")?;
            let (field, object) = name.rsplit_once(" of ")?;
            let (object, field) = (object.to_owned(), field.to_owned());
            return Some(Reason::Required { side: other, object, field, why: why_of(why)? });
        }
        if text.strip_prefix("fate unknown: ").is_some() {
            let object = between(text, "an order was sent to ", " and never answered").unwrap_or_default();
            return Some(Reason::FateUnknown { side: other, object: object.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("brake: ") {
            return self.brake(rest);
        }
        if let Some(rest) = text.strip_prefix("conflict in ") {
            let (field, why) = rest.split_once(": ")?;
            return Some(Reason::Conflict { field: field.to_owned(), why: why_of(why)? });
        }
        let (field, words) = (between(text, "waits for ", ", which has no counterpart yet"), text);
        if field.is_some() || words == "waits for a record that has no counterpart yet" {
            return Some(Reason::WaitsFor { record: field.and_then(|name| self.record(name)) });
        }
        None
    }

    fn duplicate(&self, of: &str) -> Option<Reason> {
        let mut became = None;
        let of = match of.split_once(": both became ") {
            Some((of, name)) => {
                let (object, id) = name.split_once(':')?;
                became = Some(RecordRef::new(self.side.other(), object, id));
                of
            }
            None => of,
        };
        let (of, preferred) = match of.strip_suffix(", which the rules prefer") {
            Some(of) => (of, true),
            None => (of, false),
        };
        let unnamed = of == "another record of this order" || of.ends_with(" with the same identifiers");
        let record = if unnamed { None } else { Some(self.record(of)?) };
        Some(Reason::DuplicateOf { record, preferred, became })
    }

    fn brake(&self, rest: &str) -> Option<Reason> {
        let (records, rest) = rest.split_once(" of ")?;
        let (linked, rest) = rest.split_once(' ')?;
        let (object, rest) = rest.split_once(" records of ")?;
        let (_, rest) = rest.split_once(" would be ")?;
        let (verb, rest) = rest.split_once(", more than ")?;
        let (percent, rest) = rest.split_once(" % and more than ")?;
        let (least, _) = rest.split_once(';')?;
        Some(Reason::Brake {
            which: if verb == "deleted" { Braked::Deletes } else { Braked::Blankings },
            side: self.record(&format!("{object}:")).map_or(self.side, |record| record.side),
            object: object.to_owned(),
            records: records.parse().ok()?,
            linked: linked.parse().ok()?,
            percent: percent.parse().ok()?,
            least: least.parse().ok()?,
        })
    }

    fn deleted(&self, text: &str) -> Option<Reason> {
        if let Some((name, rest)) = text.split_once(" was deleted on the ") {
            let name = name.strip_prefix("deleted and edited: ").unwrap_or(name);
            let (object, id) = name.split_once(':')?;
            let of = |side| RecordRef::new(side, object, id);
            if let Some((gone, edited)) = rest.split_once(", and ") {
                let side = side_of(gone)?;
                let (object, id) = edited.split_once(" was edited since")?.0.split_once(':')?;
                let edited = RecordRef::new(side.other(), object, id);
                return Some(Reason::DeletedAndEdited { deleted: of(side), edited });
            }
            let (gone, what) = rest.split_once("; ")?;
            let record = of(side_of(gone)?);
            if what == "by policy nothing is done about it" {
                return Some(Reason::DeletedIgnored { record });
            }
            let object = self.objects[record.side.other()].clone().unwrap_or_default();
            return Some(Reason::CannotBeDeleted { record, object });
        }
        if let Some(name) = between(text, "unlinked: its ", " was deleted, and it is not made again") {
            let (object, id) = name.split_once(':').map_or((name, None), |(object, id)| (object, Some(id)));
            let record = self.record(&format!("{object}:"))?;
            return Some(Reason::Unlinked {
                side: record.side,
                object: record.object,
                id: id.map(str::to_owned),
            });
        }
        if text.strip_prefix("undone: ").is_some() {
            return Some(Reason::Undone);
        }
        if let Some((from, into)) =
            text.strip_prefix("merged: ").and_then(|rest| rest.split_once(" was merged into "))
        {
            return Some(Reason::Merged { from: self.record(from), into: self.record(into)? });
        }
        None
    }

    fn planned(&self, text: &str) -> Option<Reason> {
        let run = |text: &str, prefix: &str| text.strip_prefix(prefix)?.parse().ok();
        if let Some(run) = run(text, "executed by run ") {
            return Some(Reason::ExecutedBy { run });
        }
        if let Some(run) = run(text, "not in the plan of run ") {
            return Some(Reason::NotInPlan { run });
        }
        for (prefix, later) in [("not executed by run ", true), ("changed since the plan of run ", false)] {
            let Some((run, what)) = text.strip_prefix(prefix).and_then(|rest| rest.split_once(": ")) else {
                continue;
            };
            let (run, difference) = (run.parse().ok()?, Box::new(difference_of(what)?));
            return Some(match later {
                true => Reason::NotExecutedBy { run, difference },
                false => Reason::DiffersFromPlan { run, difference },
            });
        }
        if let Some(name) = text.strip_suffix(" refers to it") {
            return Some(Reason::ReferredTo { by: self.record(name)? });
        }
        if let Some((from, into)) =
            text.strip_prefix("converted: ").and_then(|t| t.split_once(" has become "))
        {
            return Some(Reason::Converted { from: self.record(from), into: self.record(into)? });
        }
        if let Some(rest) = text.strip_prefix("unchecked: ") {
            let (object, _) = rest.split_once(" can neither")?;
            return Some(Reason::Unchecked { side: self.side, object: object.to_owned() });
        }
        if let Some(said) = text.strip_prefix("to be tried again: ") {
            return Some(Reason::RetryLater { said: Some((self.side, RemoteSaid::text(said))) });
        }
        if let Some(rest) = text.strip_prefix("unreadable record ") {
            let (id, said) = rest.split_once(": ")?;
            return Some(Reason::Unreadable {
                side: self.side,
                object: self.objects[self.side].clone().unwrap_or_default(),
                id: (id != "without id").then(|| id.to_owned()),
                said: RemoteSaid::text(said),
            });
        }
        if let Some(name) =
            text.strip_suffix(" was named, but there is no such record, or the filter leaves it out")
        {
            return Some(Reason::NotThere { record: self.record(name)? });
        }
        kept(text).map(Reason::NotUndone)
    }

    fn field(&self, text: &str) -> FieldReason {
        let known = match text {
            "default of a new record" => Some(FieldReason::Default),
            "settled by the operator" => Some(FieldReason::Ruled),
            text => why_of(text).map(FieldReason::Judge).or_else(|| kept(text).map(FieldReason::NotUndone)),
        };
        let undo = || Some(FieldReason::UndoOf { run: text.strip_prefix("undo of run ")?.parse().ok()? });
        let deleted = || {
            let (name, side) = text.split_once(" was deleted on the ")?;
            let (object, id) = name.split_once(':')?;
            Some(FieldReason::Deleted { record: RecordRef::new(side_of(side)?, object, id) })
        };
        known.or_else(undo).or_else(deleted).unwrap_or_else(|| FieldReason::Earlier { text: text.to_owned() })
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.find(after).map(|end| &rest[..end])
}

fn side_of(word: &str) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| side.to_string() == word)
}

/// Parses texts without parameters.
fn plain(text: &str) -> Option<Reason> {
    Some(match text {
        "it has no record on either side" => Reason::NoRecord,
        "deleted on every side that had it" => Reason::DeletedEverywhere,
        "deleted on both sides" => Reason::DeletedOnBothSides,
        "its record was made again by an undo; the other side stays deleted" => Reason::MadeAgain,
        "withheld: --disable-pull" => Reason::WithheldPull,
        "withheld: --disable-push" => Reason::WithheldPush,
        "planned: --dry-run: create" => Reason::PlannedCreate,
        "planned: --dry-run: update" | "planned: --dry-run" => Reason::PlannedUpdate,
        "planned: --dry-run: delete" => Reason::PlannedDelete,
        "to be tried again later" => Reason::RetryLater { said: None },
        "the record has changed since the decision; decided again" => Reason::Stale,
        "the record has become another one; decided again" => Reason::BecameAnother,
        "the record is gone" => Reason::RecordGone,
        "its pair is gone" => Reason::PairGone,
        "its pair was joined into another one" => Reason::PairJoined,
        "overtaken by a newer decision" => Reason::Overtaken,
        "deferred: the remote system tells later what became of it" => Reason::Deferred,
        "fate unknown: the order was answered without them" => Reason::Unanswered,
        "no answer came; what stands there was found out, and it was decided again" => Reason::FoundOut,
        "changed once more, or waits for another record; decided again in the next run" => {
            Reason::DecidedAgain
        }
        "not done: the number of deletions was not agreed" => Reason::DeletesNotAgreed,
        text => {
            let (withheld, _) = text.strip_prefix("withheld: --disable-pu")?.split_once(": ")?;
            if withheld == "ll" { Reason::WithheldPull } else { Reason::WithheldPush }
        }
    })
}

/// Parses texts that end in a side.
fn sided(text: &str) -> Option<Reason> {
    for side in Side::BOTH {
        match text.strip_suffix(&format!(" the {side}")) {
            Some("outside the filter of") => return Some(Reason::OutsideFilter { side }),
            Some("it would be outside the filter of") => return Some(Reason::WouldBeOutsideFilter { side }),
            Some("new records are not made on") => return Some(Reason::NotCreatedThere { side }),
            Some("it has nothing that flows to") => return Some(Reason::NothingFlows { side }),
            _ => {}
        }
    }
    None
}

/// Parses texts about a stale plan. Values in them cannot be read back.
fn difference_of(text: &str) -> Option<Difference> {
    let deed = |word| match word {
        "create" => Some(Deed::Create),
        "update" => Some(Deed::Update),
        "delete" => Some(Deed::Delete),
        _ => None,
    };
    Some(match text {
        "another record would be written" => Difference::Record,
        "the records have been edited since, and now the other side would be written" => {
            Difference::OtherSide
        }
        "there is nothing to write any more" => Difference::Nothing,
        "its record was settled since, or left the sync" => Difference::Settled,
        text => {
            let (planned, now) = text.strip_prefix("the plan was to ")?.split_once(", and now it is to ")?;
            Difference::Deed { planned: deed(planned)?, now: deed(now)? }
        }
    })
}

/// Parses texts about records that an undo leaves alone.
fn kept(text: &str) -> Option<Kept> {
    Some(match text {
        "its record is gone" => Kept::Gone,
        "it has a record again" => Kept::ThereAgain,
        "its other side was edited since" => Kept::OtherSideEdited,
        "what stood there before is not known" => Kept::NotKnown,
        "it was edited since: nothing is known of it" => Kept::Edited { now: None },
        text => match text.strip_prefix("it was changed since by run ") {
            Some(run) => Kept::ChangedBy { run: run.parse().ok()? },
            None => Kept::FieldEdited { field: between(text, "its ", " was edited since")?.to_owned() },
        },
    })
}

/// Parses every text of the earlier versions' judge.
fn why_of(text: &str) -> Option<Why> {
    let plain = match text {
        "a side has not delivered this field" => Some(Why::NotDelivered),
        "both sides have the same content" => Some(Why::Same),
        "neither side has changed since it was settled" => Some(Why::AsAgreed),
        "merged element by element" => Some(Why::Merged),
        "the write rule is never" => Some(Why::NeverWritten),
        "new record" => Some(Why::NewRecord),
        _ => None,
    };
    let basis = |said: &str| {
        const ALL: [Basis; 6] = [
            Basis::SameContent,
            Basis::LaterCertain,
            Basis::LaterPossible,
            Basis::CertainAfterPossible,
            Basis::SameTime,
            Basis::NoEvidence,
        ];
        ALL.into_iter().find(|basis| basis.text() == said)
    };
    let undecided = || Some(Why::Undecided(basis(text.strip_prefix("both sides have changed, and ")?)?));
    let of_side = |side: Side| {
        let judged = |words: &str| basis(text.strip_prefix(&format!("the {side} {words}: "))?);
        let why = |before: &str, after: &str| text == format!("{before} the {side}{after}");
        if let Some(basis) = judged("wins") {
            return Some(Why::Judged(side, basis));
        }
        if let Some(basis) = judged("wins by policy") {
            return Some(Why::Policy(side, basis));
        }
        let whole = format!("the {side}");
        match text.strip_prefix(&whole) {
            Some(" side is trusted") => return Some(Why::Trusted(side)),
            Some(" has a value, the other side has none") => return Some(Why::ValueBeatsBlank(side)),
            _ => {}
        }
        let table = [
            (why("the field flows one way, from", ""), Why::Source(side)),
            (why("drift: edited on", ", where nothing flows back from; kept"), Why::DriftKept(side)),
            (why("drift: edited on", ", restored from the other side"), Why::DriftRestored(side)),
            (why("only", " has changed"), Why::OnlyChange(side)),
            (why("the field does not flow to", ""), Why::NotThisWay(side)),
            (why("the field cannot be written on", ""), Why::NotWritable(side)),
            (why("the write rule is if-empty and", " has a value"), Why::NotEmpty(side)),
            (why("a blank does not replace the value of", ""), Why::BlankKept(side)),
            (why("the blank of", " is filled from the other side"), Why::BlankFilled(side)),
            (why("blank, but required on", ": not sent"), Why::RequiredBlank(side)),
            (why("the value map has no word for this value on", ""), Why::NoSuchWord(side)),
        ];
        table.into_iter().find(|(is, _)| *is).map(|(_, why)| why)
    };
    plain.or_else(undecided).or_else(|| Side::BOTH.into_iter().find_map(of_side))
}

fn hook(error: impl std::fmt::Display) -> HookError {
    HookError::Hook(error.to_string())
}

/// Code and data of anything serialised like a reason.
fn columns<T: serde::Serialize>(code: &str, reason: &T) -> Result<Option<String>, HookError> {
    let text = serde_json::to_string(reason).map_err(hook)?;
    let data = text.strip_suffix('}').and_then(|text| text.get(code.len() + r#"{"":"#.len()..));
    Ok(data.map(str::to_owned))
}

fn side(number: i64) -> Side {
    if number == 0 { Side::Left } else { Side::Right }
}

/// Converts every text in the database.
pub(super) fn apply(connection: &Connection) -> HookResult {
    pairs(connection)?;
    changes(connection)?;
    conflicts(connection)?;
    runs(connection)
}

fn pairs(connection: &Connection) -> HookResult {
    let mut read = connection.prepare(
        "SELECT p.id, p.status, p.reason, m.left_object, m.right_object, p.left_id IS NOT NULL, p.right_id IS NOT NULL
         FROM pair p JOIN mapping m ON m.id = p.mapping
         WHERE p.id > ?1 AND p.reason IS NOT NULL ORDER BY p.id LIMIT ?2",
    )?;
    let mut failed = connection.prepare(
        "SELECT target FROM change WHERE pair = ?1 AND status = 'failed' ORDER BY id DESC LIMIT 1",
    )?;
    let mut write = connection.prepare("UPDATE pair SET reason = ?2, reason_data = ?3 WHERE id = ?1")?;
    let mut after = 0;
    loop {
        type Line = (i64, String, String, Sides<Option<String>>, Sides<bool>);
        let lines: Vec<Line> = read
            .query_map(params![after, PAGE], |row| {
                let objects = Sides::new(row.get(3)?, row.get(4)?);
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, objects, Sides::new(row.get(5)?, row.get(6)?)))
            })?
            .collect::<Result<_, _>>()?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.0;
        for (id, status, text, objects, has) in lines {
            let refused = status == "failed";
            let mut about = if has.left { Side::Left } else { Side::Right };
            if refused {
                let target = failed.query_row([id], |row| row.get(0)).optional()?;
                about = target.map_or(about.other(), side);
            }
            let reason = Context { side: about, objects, refused }.reason(&text);
            let code = reason.code().word();
            write.execute(params![id, code, columns(code, &reason)?])?;
        }
    }
}

/// Converts the reasons in the column `fields`; everything else stays byte for byte.
fn fields(context: &Context, text: &str) -> Result<String, HookError> {
    let mut fields: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(text).map_err(hook)?;
    for field in &mut fields {
        let Some(text) = field.remove("y") else { continue };
        let text: String = serde_json::from_str(text.get()).map_err(hook)?;
        let reason = context.field(&text);
        let key = if matches!(reason, FieldReason::Judge(_)) { "y" } else { "x" };
        field.insert(key.to_owned(), serde_json::value::to_raw_value(&reason).map_err(hook)?);
    }
    serde_json::to_string(&fields).map_err(hook)
}

fn changes(connection: &Connection) -> HookResult {
    let mut read = connection.prepare(
        "SELECT c.id, c.status, c.reason, c.fields, c.target, m.left_object, m.right_object
         FROM change c LEFT JOIN mapping m ON m.id = c.mapping WHERE c.id > ?1 ORDER BY c.id LIMIT ?2",
    )?;
    let mut write =
        connection.prepare("UPDATE change SET reason = ?2, reason_data = ?3, fields = ?4 WHERE id = ?1")?;
    let mut after = 0;
    loop {
        type Line = (i64, String, Option<String>, String, i64, Sides<Option<String>>);
        let lines: Vec<Line> = read
            .query_map(params![after, PAGE], |row| {
                let objects = Sides::new(row.get(5)?, row.get(6)?);
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, objects))
            })?
            .collect::<Result<_, _>>()?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.0;
        for (id, status, text, list, target, objects) in lines {
            let ours = |text: &str| text.strip_prefix("fate unknown: ").is_some();
            let again = |text: &str| text.strip_prefix("to be tried again: ").is_some();
            let refused = match &text {
                Some(text) => status == "failed" || (status == "retry" && !ours(text) && !again(text)),
                None => false,
            };
            // A change's text is about its target; that of a duplicate is about the source.
            let mut context = Context { side: side(target), objects, refused };
            let list = fields(&context, &list)?;
            if text.as_ref().is_some_and(|text| text.strip_prefix("duplicate of ").is_some() || ours(text)) {
                context.side = context.side.other();
            }
            if text.as_ref().is_some_and(|text| text.strip_prefix("waits for ").is_some()) {
                context.side = context.side.other();
            }
            let reason = text.map(|text| context.reason(&text));
            let code = reason.as_ref().map(|reason| reason.code().word());
            let data = match (&reason, code) {
                (Some(reason), Some(code)) => columns(code, reason)?,
                _ => None,
            };
            write.execute(params![id, code, data, list])?;
        }
    }
}

fn conflicts(connection: &Connection) -> HookResult {
    let mut read = connection.prepare("SELECT id, reason FROM conflict")?;
    let lines: Vec<(i64, String)> =
        read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut write = connection.prepare("UPDATE conflict SET reason = ?2, reason_data = ?3 WHERE id = ?1")?;
    let context = Context { side: Side::Left, objects: Sides::default(), refused: false };
    for (id, text) in lines {
        let reason = context.field(&text);
        write.execute(params![id, reason.code(), columns(reason.code(), &reason)?])?;
    }
    Ok(())
}

fn runs(connection: &Connection) -> HookResult {
    let mut read = connection.prepare("SELECT id, counts, notices FROM run")?;
    let lines: Vec<(i64, String, String)> =
        read.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    let mut write = connection.prepare("UPDATE run SET counts = ?2, notices = ?3 WHERE id = ?1")?;
    for (id, counts, notices) in lines {
        let notices: Vec<String> = serde_json::from_str(&notices).map_err(hook)?;
        let notices: Vec<Notice> = notices.into_iter().map(|text| Notice::Earlier { text }).collect();
        let notices = serde_json::to_string(&notices).map_err(hook)?;
        write.execute(params![id, counts_of(&counts)?, notices])?;
    }
    Ok(())
}

/// Converts the reasons in the counts of a run, which are nested by side and object.
fn counts_of(text: &str) -> Result<String, HookError> {
    type Counts = [BTreeMap<String, BTreeMap<String, Box<RawValue>>>; 2];
    let mut sides: Counts = serde_json::from_str(text).map_err(hook)?;
    for (side, objects) in Side::BOTH.into_iter().zip(&mut sides) {
        for (object, counts) in objects {
            let Some(reasons) = counts.get("reasons") else { continue };
            let texts: BTreeMap<String, u64> = serde_json::from_str(reasons.get()).map_err(hook)?;
            let mut known: Sides<Option<String>> = Sides::default();
            known[side] = Some(object.clone());
            let mut context = Context { side, objects: known, refused: false };
            let mut counted = ReasonCounts::new();
            for (text, times) in texts {
                context.refused = false;
                if context.ours(&text).is_none() {
                    let code = text.split_once(": ").map(|(code, _)| code);
                    context.refused = code.is_some_and(|code| !code.contains(' '));
                }
                let reason = context.reason(&text);
                counted.entry(reason.code()).or_default().add(&reason, times);
            }
            let reasons = serde_json::value::to_raw_value(&counted).map_err(hook)?;
            counts.insert("reasons".to_owned(), reasons);
        }
    }
    serde_json::to_string(&sides).map_err(hook)
}

#[cfg(test)]
mod tests;
