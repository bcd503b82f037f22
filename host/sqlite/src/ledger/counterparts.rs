//! The word of an operator about the counterpart of a record that has none: which record it is, or that an
//! unanswered create has made nothing.

use super::WriteError;
use super::changes::{save as save_changes, unanswered};
use super::pairs::{by_ids, by_records};
use super::save::{remove, save, stored_keys};
use entente_sync::{
    Action, Change, ChangeStatus, Counterpart, NotLinked, Pair, PairId, Reason, Side, Status,
};
use rusqlite::Connection;

/// Takes the word of an operator about the counterpart of a pair that has a record on one side only.
pub(super) fn set(
    connection: &Connection,
    pair: PairId,
    counterpart: &Counterpart,
) -> Result<Result<(), NotLinked>, WriteError> {
    let Some(pair) = by_ids(connection, &[pair])?.pop() else { return Ok(Err(NotLinked::Unreported)) };
    let source = match one_sided(&pair) {
        Ok(source) => source,
        Err(why) => return Ok(Err(why)),
    };
    let creates = open_creates(connection, pair.id)?;
    match counterpart {
        Counterpart::NotMade if creates.is_empty() => Ok(Err(match was_sent(connection, pair.id)? {
            true => NotLinked::NothingOpen,
            false => NotLinked::NeverSent,
        })),
        Counterpart::NotMade => not_made(connection, pair, creates).map(Ok),
        Counterpart::Record(id) => {
            let found = by_records(connection, pair.mapping, source.other(), std::slice::from_ref(id))?.pop();
            let Some(other) = found else { return Ok(Err(NotLinked::Unreported)) };
            let of_other = open_creates(connection, other.id)?;
            match free(&other, source.other(), &pair) {
                Err(why) => Ok(Err(why)),
                Ok(()) if of_other.is_empty() => {
                    join(connection, pair, other, source.other(), creates).map(Ok)
                }
                // The pair with the open create is the one that stays.
                Ok(()) if creates.is_empty() => join(connection, other, pair, source, of_other).map(Ok),
                Ok(()) => Ok(Err(NotLinked::UnderWay)),
            }
        }
    }
}

/// The side of the only record of a pair, where nothing stands against giving it a counterpart.
fn one_sided(pair: &Pair) -> Result<Side, NotLinked> {
    let own = Side::BOTH.into_iter().find(|side| pair.half(*side).id.is_some());
    let Some(own) = own else { return Err(NotLinked::Unreported) };
    match &pair.half(own.other()).id {
        Some(other) => Err(NotLinked::HasCounterpart(other.clone())),
        None if pair.status == Status::Live => Err(NotLinked::UnderWay),
        None if pair.half(own).deleted.is_some() => Err(NotLinked::Unreported),
        None if pair.half(own).filtered => Err(NotLinked::Filtered),
        None => Ok(own),
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
