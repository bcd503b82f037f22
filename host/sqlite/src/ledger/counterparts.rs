//! The word of an operator about the counterpart of a record: which one it is, that there is none, or that the one it
//! is linked with is not it.

use super::WriteError;
use super::changes::{save as save_changes, select, unanswered, unanswered_deletes};
use super::mappings::mappings;
use super::operator::{referring, requeue};
use super::pairs::{by_ids, by_keys, by_records};
use super::save::{end_plans, remove, save, stored_keys};
use entente_core::{Reference, Timestamp};
use entente_sync::{
    Action, Change, ChangeStatus, Code, Counterpart, MappingRow, NotLinked, Pair, PairId, Reason, Requeue,
    Side, Sides, Status, forget_deleted, leave_out, take_in, unlink, unsettle_references,
};
use rusqlite::Connection;

/// What is done at the word of an operator.
enum Deed {
    /// The record that `from` has on `side` moves into the pair.
    Join { pair: Box<Pair>, from: Box<Pair>, side: Side, creates: Vec<Change> },
    /// The creates have made nothing.
    NotMade { pair: Pair, creates: Vec<Change> },
    /// The pair, which has lost its record on the other side, is decided anew.
    MakeAgain { pair: Pair, source: Side },
    /// The pair no longer takes part, or does so again.
    Part { pair: Pair, own: Side, out: bool },
    /// The pair of a mapping becomes two.
    Separate { pair: Pair, mapping: MappingRow },
}

/// Whether the word of an operator about the counterpart of a record can be taken.
pub(super) fn check(
    connection: &Connection,
    pair: PairId,
    counterpart: &Counterpart,
) -> Result<Result<(), NotLinked>, WriteError> {
    Ok(deed(connection, pair, counterpart)?.map(drop))
}

/// Takes the word of an operator about the counterpart of a record.
pub(super) fn set(
    connection: &Connection,
    pair: PairId,
    counterpart: &Counterpart,
    at: Timestamp,
) -> Result<Result<(), NotLinked>, WriteError> {
    match deed(connection, pair, counterpart)? {
        Err(why) => return Ok(Err(why)),
        Ok(Deed::Join { pair, from, side, creates }) => join(connection, *pair, *from, side, creates)?,
        Ok(Deed::NotMade { pair, creates }) => not_made(connection, pair, creates)?,
        Ok(Deed::MakeAgain { mut pair, source }) => {
            forget_deleted(&mut pair, source);
            decide_anew(&mut pair);
            save(connection, std::slice::from_mut(&mut pair))?;
        }
        Ok(Deed::Part { mut pair, own, out }) => {
            if out {
                end_plans(connection, pair.id, Code::Overtaken)?;
                leave_out(&mut pair, own);
            } else {
                take_in(&mut pair, own);
                // It may have been a duplicate when it was left out: the next run looks whether another record has its
                // identifiers, before anything is made for it.
                if pair.half(own.other()).id.is_none() && stored_keys(connection, pair.id)?[own].is_empty() {
                    pair.status = Status::Held;
                    pair.reason = Some(Reason::DuplicateOf { record: None, preferred: false, became: None });
                }
            }
            save(connection, std::slice::from_mut(&mut pair))?;
        }
        Ok(Deed::Separate { pair, mapping }) => separate(connection, pair, &mapping, at)?,
    }
    Ok(Ok(()))
}

/// A deleted record of a pair was restored on its side.
pub(super) fn restored(connection: &Connection, pair: PairId, side: Side) -> Result<(), WriteError> {
    let Some(mut pair) = by_ids(connection, &[pair])?.pop() else { return Ok(()) };
    if pair.half(side.other()).deleted.is_none() || pair.status == Status::Live {
        return Ok(());
    }
    // Its own tombstone stays until it is read again, so that it counts as new then.
    forget_deleted(&mut pair, side);
    save(connection, std::slice::from_mut(&mut pair))
}

fn deed(
    connection: &Connection,
    pair: PairId,
    counterpart: &Counterpart,
) -> Result<Result<Deed, NotLinked>, WriteError> {
    let Some(pair) = by_ids(connection, &[pair])?.pop() else { return Ok(Err(NotLinked::Unreported)) };
    if let Counterpart::Not(other) = counterpart {
        return separable(connection, pair, other);
    }
    if let Counterpart::LeftOut | Counterpart::TakenIn = counterpart {
        return part(connection, pair, *counterpart == Counterpart::LeftOut);
    }
    let source = match one_sided(&pair) {
        Ok(source) => source,
        Err(why) => return Ok(Err(why)),
    };
    let creates = open_creates(connection, pair.id)?;
    let Counterpart::Record(id) = counterpart else {
        if !creates.is_empty() {
            return Ok(Ok(Deed::NotMade { pair, creates }));
        }
        let refused = cannot_be_made(connection, &pair, source)?;
        return Ok(refused.map_or(Ok(Deed::MakeAgain { pair, source }), Err));
    };
    let found = by_records(connection, pair.mapping, source.other(), std::slice::from_ref(id))?.pop();
    let Some(other) = found else { return Ok(Err(NotLinked::Unreported)) };
    let of_other = open_creates(connection, other.id)?;
    let side = source.other();
    Ok(match free(&other, side, &pair) {
        Err(why) => Err(why),
        Ok(()) if of_other.is_empty() => {
            Ok(Deed::Join { pair: Box::new(pair), from: Box::new(other), side, creates })
        }
        // The pair with the open create is the one that stays.
        Ok(()) if creates.is_empty() => {
            let (pair, from) = (Box::new(other), Box::new(pair));
            Ok(Deed::Join { pair, from, side: source, creates: of_other })
        }
        Ok(()) => Err(NotLinked::UnderWay),
    })
}

/// Whether a pair can be left out of the sync, or taken in again. What a create without an answer may have made would be
/// left over, and made a second time once the record is taken in.
fn part(connection: &Connection, pair: Pair, out: bool) -> Result<Result<Deed, NotLinked>, WriteError> {
    let left_out = Side::BOTH.into_iter().find(|side| pair.half(*side).left_out);
    let own = left_out.or_else(|| Side::BOTH.into_iter().find(|side| stands(&pair, *side)));
    let Some(own) = own else { return Ok(Err(NotLinked::Unreported)) };
    if left_out.is_some() == out {
        return Ok(Err(NotLinked::AsItIs));
    }
    if out && pair.status == Status::Live {
        return Ok(Err(NotLinked::UnderWay));
    }
    if out && !unanswered(connection, &[pair.id])?.is_empty() {
        return Ok(Err(NotLinked::Unanswered));
    }
    Ok(Ok(Deed::Part { pair, own, out }))
}

/// Whether a pair has a record on a side that was not deleted.
fn stands(pair: &Pair, side: Side) -> bool {
    pair.half(side).id.is_some() && pair.half(side).deleted.is_none()
}

/// The side of the only record of a pair, where nothing stands against giving it a counterpart. A counterpart that was
/// deleted is none.
fn one_sided(pair: &Pair) -> Result<Side, NotLinked> {
    let own = Side::BOTH.into_iter().find(|side| stands(pair, *side));
    let Some(own) = own else { return Err(NotLinked::Unreported) };
    match &pair.half(own.other()).id {
        Some(other) if stands(pair, own.other()) => Err(NotLinked::HasCounterpart(other.clone())),
        _ if pair.status == Status::Live => Err(NotLinked::UnderWay),
        _ if pair.half(own).is_out() => Err(NotLinked::Filtered),
        _ => Ok(own),
    }
}

/// Whether the record of a pair can leave it for another one.
fn free(other: &Pair, side: Side, pair: &Pair) -> Result<(), NotLinked> {
    match one_sided(other) {
        Ok(own) if own == side && other.id != pair.id => Ok(()),
        Ok(_) => Err(NotLinked::Unreported),
        Err(NotLinked::HasCounterpart(_)) => {
            Err(NotLinked::Taken(other.half(side.other()).id.clone().unwrap_or_default()))
        }
        Err(why) => Err(why),
    }
}

/// Whether a pair has two records, one of them with this id, and nothing under way.
fn separable(
    connection: &Connection,
    pair: Pair,
    other: &str,
) -> Result<Result<Deed, NotLinked>, WriteError> {
    let is_other = |side: &Side| pair.half(*side).id.as_deref() == Some(other);
    if !Side::BOTH.iter().any(is_other) || !Side::BOTH.into_iter().all(|side| stands(&pair, side)) {
        return Ok(Err(NotLinked::OfAnother));
    }
    let open = !unanswered(connection, &[pair.id])?.is_empty()
        || !unanswered_deletes(connection, &[pair.id])?.is_empty();
    if pair.status == Status::Live || open {
        return Ok(Err(NotLinked::UnderWay));
    }
    let mapping = mappings(connection, None)?.into_iter().find(|row| row.id == pair.mapping);
    Ok(mapping.map(|mapping| Deed::Separate { pair, mapping }).ok_or(NotLinked::Unreported))
}

/// Two records are not counterparts of each other: each gets a pair of its own.
fn separate(
    connection: &Connection,
    mut pair: Pair,
    mapping: &MappingRow,
    at: Timestamp,
) -> Result<(), WriteError> {
    let records = Sides::by(|side| {
        let id = pair.half(side).id.clone().unwrap_or_default();
        Reference { object: mapping.objects[side].clone(), id }
    });
    let keys = std::mem::take(&mut stored_keys(connection, pair.id)?[Side::Right]);
    let history = history(connection, pair.id)?;
    let mut right = unlink(&mut pair, &mapping.objects, &history, at);
    right.keys[Side::Right] = Some(keys);
    end_plans(connection, pair.id, Code::Overtaken)?;
    save(connection, std::slice::from_mut(&mut pair))?;
    save(connection, std::slice::from_mut(&mut right))?;
    // What refers to one of them no longer refers to the other one.
    for row in mappings(connection, Some(&mapping.relation))? {
        for side in Side::BOTH {
            let record = &records[side];
            for referring in referring(connection, row.id, side, std::slice::from_ref(record))? {
                unsettle(connection, referring, side, record, at)?;
            }
            requeue(connection, row.id, Requeue::Referring(side, vec![record.clone()]))?;
        }
    }
    Ok(())
}

/// The fields of a pair in which the record of a side refers to this one are settled no more.
fn unsettle(
    connection: &Connection,
    pair: PairId,
    side: Side,
    record: &Reference,
    at: Timestamp,
) -> Result<(), WriteError> {
    let history = history(connection, pair)?;
    let mut pairs = by_ids(connection, &[pair])?;
    pairs.iter_mut().for_each(|pair| unsettle_references(pair, side, record, &history, at));
    save(connection, &mut pairs)
}

/// The executed changes of a pair, the latest last.
fn history(connection: &Connection, pair: PairId) -> Result<Vec<Change>, WriteError> {
    const DONE: &str = "INDEXED BY change_pair WHERE pair = ?1 AND status = 'done' ORDER BY id";
    Ok(select(connection, DONE, &[&pair])?)
}

/// Why no counterpart can be made for the record of a pair. It can, where its counterpart was deleted or its link removed,
/// and nobody has its identifiers on the other side.
fn cannot_be_made(
    connection: &Connection,
    pair: &Pair,
    source: Side,
) -> Result<Option<NotLinked>, WriteError> {
    if pair.half(source.other()).deleted.is_none() {
        if matches!(pair.reason, Some(Reason::DuplicateOf { .. })) {
            return Ok(Some(NotLinked::Duplicate));
        }
        return Ok(Some(match was_sent(connection, pair.id)? {
            true => NotLinked::NothingOpen,
            false => NotLinked::NeverSent,
        }));
    }
    let keys = std::mem::take(&mut stored_keys(connection, pair.id)?[source]);
    let owners = by_keys(connection, pair.mapping, source.other(), &keys)?;
    let owners: Vec<PairId> = owners.into_iter().map(|(_, owner)| owner).collect();
    let same = by_ids(connection, &owners)?;
    let same = same.into_iter().find(|of| of.id != pair.id && stands(of, source.other()));
    Ok(same.map(|same| NotLinked::SameIdentifiers(same.half(source.other()).id.clone().unwrap_or_default())))
}

/// The creates of a pair that were sent and never answered.
fn open_creates(connection: &Connection, pair: PairId) -> Result<Vec<Change>, WriteError> {
    let mut creates = unanswered(connection, &[pair])?;
    creates.retain(|change| change.action == Action::Create);
    Ok(creates)
}

/// Whether a create of a pair was ever sent. One that was said to have made nothing counts as sent: it was planned and settled.
fn was_sent(connection: &Connection, pair: PairId) -> Result<bool, WriteError> {
    const SENT: &str =
        "SELECT EXISTS (SELECT 1 FROM change INDEXED BY change_pair WHERE pair = ?1 AND action = 'create'
        AND (sent IS NOT NULL OR status IN ('done', 'failed')))";
    Ok(connection.prepare_cached(SENT)?.query_row([pair], |row| row.get(0))?)
}

/// An unanswered create has made nothing: its pair is decided anew, as one that nothing was sent for.
fn not_made(connection: &Connection, mut pair: Pair, mut creates: Vec<Change>) -> Result<(), WriteError> {
    for change in &mut creates {
        change.sent = None;
        change.reason = Some(Reason::FoundOut);
    }
    decide_anew(&mut pair);
    save(connection, std::slice::from_mut(&mut pair))?;
    save_changes(connection, &mut creates)
}

/// Moves the record that `from` has on `side` into another pair. What was sent for that pair and never answered is found
/// out by the next run, which then knows the record.
fn join(
    connection: &Connection,
    mut pair: Pair,
    mut from: Pair,
    side: Side,
    mut creates: Vec<Change>,
) -> Result<(), WriteError> {
    forget_deleted(&mut pair, side.other());
    forget_deleted(&mut from, side);
    pair.keys[side] = Some(std::mem::take(&mut stored_keys(connection, from.id)?[side]));
    *pair.half_mut(side) = std::mem::take(from.half_mut(side));
    decide_anew(&mut pair);
    for create in &mut creates {
        pair.status = Status::Live;
        create.status = ChangeStatus::Sent;
        create.settled = None;
        create.reason = None;
    }
    remove(connection, &[from.id])?;
    save(connection, std::slice::from_mut(&mut pair))?;
    save_changes(connection, &mut creates)
}

fn decide_anew(pair: &mut Pair) {
    pair.status = Status::Todo;
    pair.reason = None;
    pair.attempts = 0;
    pair.due = None;
}
