//! Duplicates: releases records that are held as duplicates when no other record has their identifiers any
//! more.

use super::change::Change;
use super::definition::{DeletePolicy, ObjectMapping};
use super::error::SyncError;
use super::identity;
use super::limits;
use super::number::PairId;
use super::pair::{MatchKey, Pair, Status};
use super::reason::{Code, Reason};
use super::session::Session;
use super::settle::forget_agreed;
use super::subject::RecordRef;
use entente_core::{Reference, Side, Sides};
use std::collections::{HashMap, HashSet};

impl Session<'_> {
    /// Checks every held duplicate again: its rival may be deleted, or have other identifiers by now. `again`: the
    /// work queue has been read already, so that what is released is put into it for the next pass.
    pub(super) async fn release_duplicates(&mut self, again: bool) -> Result<(), SyncError> {
        let definition = self.definition;
        for mapping in &definition.mappings {
            if !self.recognises(mapping) {
                continue;
            }
            let mut after = 0;
            loop {
                self.check_stop()?;
                let pairs = self
                    .engine
                    .ledger
                    .held(mapping.id, Code::DuplicateOf, after, limits::RECONCILE_PAIRS)
                    .await?;
                let Some(last) = pairs.last() else { break };
                after = last.id;
                self.release(mapping, pairs, again).await?;
            }
            self.release_ambiguous(mapping, again).await?;
        }
        Ok(())
    }

    /// Lets records be looked up again that were ambiguous, where at most one of those that they may be has an identifier of
    /// theirs by now. What this run does not know of may still make them so.
    async fn release_ambiguous(&mut self, mapping: &ObjectMapping, again: bool) -> Result<(), SyncError> {
        let ledger = self.engine.ledger;
        let mut after = 0;
        loop {
            let pairs = ledger.held(mapping.id, Code::Ambiguous, after, limits::RECONCILE_PAIRS).await?;
            let Some(last) = pairs.last() else { return Ok(()) };
            self.check_stop()?;
            after = last.id;
            let mut others: Sides<HashMap<String, Pair>> = Sides::default();
            for side in Side::BOTH {
                let named = pairs.iter().flat_map(|pair| named(pair, side));
                let ids: Vec<String> = named.collect::<HashSet<_>>().into_iter().collect();
                let found = ledger.pairs_of(mapping.id, side, &ids).await?;
                let by_id = found.into_iter().filter_map(|pair| Some((pair.half(side).id.clone()?, pair)));
                others[side] = by_id.collect();
            }
            let free =
                pairs.into_iter().filter(|pair| is_ambiguous_no_more(mapping, pair, &others)).collect();
            self.free_ambiguous(mapping, free, again).await?;
        }
    }

    /// Queues records that are ambiguous no more, each with the keys that it has. Where another one of its side has one of
    /// them, it is a duplicate of that.
    async fn free_ambiguous(
        &mut self,
        mapping: &ObjectMapping,
        free: Vec<Pair>,
        again: bool,
    ) -> Result<(), SyncError> {
        let alone = alone(mapping, free);
        if alone.is_empty() {
            return Ok(());
        }
        let owners = self.owners_of(mapping, &alone).await?;
        let (mut saved, mut held): (Vec<Pair>, HashSet<PairId>) = Default::default();
        let mut taken: Sides<HashMap<MatchKey, String>> = Sides::default();
        for (side, mut pair, keys) in alone {
            let owner = owners.rivals(side, &keys).find(|of| of.id != pair.id && !held.contains(&of.id));
            let owner = owner.and_then(|of| of.half(side).id.clone());
            let owner = owner.or_else(|| keys.iter().find_map(|key| taken[side].get(key).cloned()));
            // Something may have been sent for it, which is found out as that of any other.
            if let Some(id) = owner.filter(|_| pair.attempts == 0) {
                pair.keys[side] = Some(Vec::new());
                held.insert(pair.id);
                let record = RecordRef::new(side, mapping.object(side), &id);
                self.hold(&mut pair, mapping, side, Reason::duplicate(record));
            } else {
                let id = pair.half(side).id.clone().unwrap_or_default();
                taken[side].extend(keys.iter().map(|key| (key.clone(), id.clone())));
                pair.keys[side] = Some(keys);
                pair.queue();
                if again {
                    self.revisit(mapping.id, pair.id);
                }
            }
            saved.push(pair);
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut saved).await?;
        Ok(unit.commit_soon().await?)
    }

    async fn release(
        &mut self,
        mapping: &ObjectMapping,
        pairs: Vec<Pair>,
        again: bool,
    ) -> Result<(), SyncError> {
        let alone = alone(mapping, pairs);
        let mut owners = self.owners_of(mapping, &alone).await?;
        let (mut saved, mut removed, mut taken): (Vec<Pair>, Vec<PairId>, HashSet<MatchKey>) =
            Default::default();
        let mut renamed: Vec<Pair> = Vec::new();
        let mut ended: Sides<Vec<Reference>> = Sides::default();
        for (side, mut pair, keys) in alone {
            let owner = |of: Side| owners.first(of, &keys, pair.id);
            let same = owner(side);
            let Some(owner) = same.or_else(|| owner(side.other())) else {
                if !keys.iter().any(|key| taken.contains(key)) {
                    pair.keys[side] = Some(keys.clone());
                    pair.queue();
                    saved.push(pair);
                    taken.extend(keys);
                }
                continue;
            };
            let Some(other) = owners.pairs.get(&owner) else { continue };
            if same.is_some() || !vacant(mapping, other, side) || other.status == Status::Live {
                renamed.extend(owners.renamed(mapping, pair, side, other, &keys));
                continue;
            }
            if keys.iter().any(|key| taken.contains(key)) {
                continue;
            }
            let mut other = other.clone();
            if let Some(id) = other.half(side).id.clone() {
                forget_agreed(&mut other, side.other());
                self.forgotten.insert(other.id);
                ended[side].push(Reference { object: mapping.object(side).to_owned(), id });
            }
            *other.half_mut(side) = pair.half(side).clone();
            other.keys[side] = Some(keys.clone());
            other.queue();
            removed.push(pair.id);
            saved.push(other);
            self.run.count(side, mapping.object(side)).matched += 1;
            taken.extend(keys);
        }
        if again {
            saved.iter().for_each(|pair| self.revisit(mapping.id, pair.id));
        }
        owners.stale.retain(|pair| saved.iter().all(|saved| saved.id != pair.id));
        saved.append(&mut owners.stale);
        saved.extend(renamed);
        if saved.is_empty() {
            return Ok(());
        }
        let mut unit = self.begin().await?;
        unit.remove_pairs(&removed).await?;
        unit.save_pairs(&mut saved).await?;
        self.requeue_referring(unit.as_mut(), ended).await?;
        Ok(unit.commit_soon().await?)
    }

    /// The pairs that have identifiers of these duplicates now.
    async fn owners_of(
        &self,
        mapping: &ObjectMapping,
        alone: &[(Side, Pair, Vec<MatchKey>)],
    ) -> Result<Owning, SyncError> {
        let ledger = self.engine.ledger;
        let keys: Vec<MatchKey> = alone.iter().flat_map(|(_, _, keys)| keys.iter().cloned()).collect();
        let mut found = Vec::new();
        for side in Side::BOTH {
            for (key, number) in ledger.pairs_by_key(mapping.id, side, &keys).await? {
                found.push((side, key, number));
            }
        }
        let numbers: HashSet<PairId> = found.iter().map(|(_, _, number)| *number).collect();
        let numbers: Vec<PairId> = numbers.into_iter().collect();
        let pairs = ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair));
        let mut owning = Owning { pairs: pairs.collect(), ..Owning::default() };
        let open = |pair: &Pair| pair.attempts > 0 || pair.status == Status::Live;
        let tried: Vec<PairId> =
            owning.pairs.values().filter(|pair| open(pair)).map(|pair| pair.id).collect();
        let unanswered = ledger.unanswered(&tried).await?;
        let sent = |pair: &Pair, side: Side, key: &MatchKey| {
            let of_it = |change: &&Change| change.pair == pair.id && change.target == side.other();
            unanswered.iter().filter(of_it).any(|change| identity::keys_sent(mapping, change).contains(key))
        };
        for (side, key, number) in found {
            let Some(pair) = owning.pairs.get(&number) else { continue };
            let half = pair.half(side);
            let has = half.id.is_some()
                && half.deleted.is_none()
                && identity::keys(mapping, side, |slot| pair.current(side, slot)).contains(&key);
            // A record whose create was never answered also stands for what was sent; one that is gone, for nothing else.
            if has || (open(pair) && (half.deleted.is_none() || sent(pair, side, &key))) {
                owning.by_key[side].entry(key).or_default().push(number);
            } else if !open(pair) && owning.stale.iter().all(|pair| pair.id != number) {
                // Its keys stem from a version that did not renew them.
                let mut now = pair.clone();
                for side in Side::BOTH {
                    identity::renew(mapping, &mut now, side);
                }
                owning.stale.push(now);
            }
        }
        Ok(owning)
    }
}

/// The records of a side that an ambiguous one may be.
fn named(pair: &Pair, side: Side) -> impl Iterator<Item = String> {
    let records = match &pair.reason {
        Some(Reason::Ambiguous { records, .. }) => records.as_slice(),
        _ => &[],
    };
    records.iter().filter(move |record| record.side == side).map(|record| record.id.clone())
}

/// Whether all records that an ambiguous one may be are known, and at most one has an identifier of its by now.
fn is_ambiguous_no_more(mapping: &ObjectMapping, pair: &Pair, others: &Sides<HashMap<String, Pair>>) -> bool {
    let Some(side) = Side::BOTH.into_iter().find(|side| named(pair, side.other()).next().is_some()) else {
        return false;
    };
    let keys = identity::keys(mapping, side, |slot| pair.current(side, slot));
    let there: Option<Vec<&Pair>> =
        named(pair, side.other()).map(|id| others[side.other()].get(&id)).collect();
    let has = |other: &&Pair| {
        let half = other.half(side.other());
        let found = identity::keys(mapping, side.other(), |slot| other.current(side.other(), slot));
        half.deleted.is_none() && found.iter().any(|key| keys.contains(key))
    };
    there.is_some_and(|there| there.into_iter().filter(has).count() <= 1)
}

/// The pairs that have identifiers of held duplicates.
#[derive(Default)]
struct Owning {
    by_key: Sides<HashMap<MatchKey, Vec<PairId>>>,
    pairs: HashMap<PairId, Pair>,
    /// Pairs with keys that their records no longer have, with those that they have.
    stale: Vec<Pair>,
}

impl Owning {
    /// The pairs whose records on a side have one of these keys.
    fn rivals(&self, side: Side, keys: &[MatchKey]) -> impl Iterator<Item = &Pair> {
        let numbers = keys.iter().filter_map(move |key| self.by_key[side].get(key)).flatten();
        numbers.filter_map(|number| self.pairs.get(number))
    }

    /// The first pair but this one whose record on a side has one of these keys.
    fn first(&self, side: Side, keys: &[MatchKey], but: PairId) -> Option<PairId> {
        let mut owners = keys.iter().filter_map(|key| self.by_key[side].get(key)).flatten().copied();
        owners.find(|owner| *owner != but)
    }

    /// A duplicate that stays held while its reason names a record without its identifiers: with the reason that names
    /// the one that has them now.
    fn renamed(
        &self,
        mapping: &ObjectMapping,
        mut pair: Pair,
        side: Side,
        owner: &Pair,
        keys: &[MatchKey],
    ) -> Option<Pair> {
        let known = |key: &MatchKey, side: Side| {
            self.by_key[side].get(key).is_some_and(|numbers| numbers.contains(&owner.id))
        };
        let has = Sides::by(|side| keys.iter().any(|key| known(key, side)));
        let Some(Reason::DuplicateOf { record, .. }) = &mut pair.reason else { return None };
        if record
            .as_ref()
            .is_some_and(|record| has[record.side] && owner.half(record.side).id.as_ref() == Some(&record.id))
        {
            return None;
        }
        let side = if has[side] { side } else { side.other() };
        let id = owner.half(side).id.as_deref().unwrap_or_default();
        *record = Some(RecordRef::new(side, mapping.object(side), id));
        Some(pair)
    }
}

/// Whether a pair takes another record on this side: it has none, or a deleted one whose link ends by policy, so that
/// a record that is there already is linked instead of making one.
fn vacant(mapping: &ObjectMapping, pair: &Pair, side: Side) -> bool {
    let half = pair.half(side);
    let ends = matches!(mapping.deletes, DeletePolicy::Unlink | DeletePolicy::Recreate);
    half.id.is_none() || (half.deleted.is_some() && ends && pair.half(side.other()).deleted.is_none())
}

/// The pairs with one record, which can be released, with the side and the keys of that record.
fn alone(mapping: &ObjectMapping, pairs: Vec<Pair>) -> Vec<(Side, Pair, Vec<MatchKey>)> {
    let with_keys = |pair: Pair| {
        let side = Side::BOTH.into_iter().find(|side| pair.half(*side).id.is_some())?;
        // One record answered for two of ours: none is made for the second one while the first has it.
        let answered = matches!(pair.reason, Some(Reason::DuplicateOf { became: Some(_), .. }));
        if answered || pair.is_linked() || pair.half(side).deleted.is_some() || pair.half(side).is_out() {
            return None;
        }
        let keys = identity::keys(mapping, side, |slot| pair.current(side, slot));
        Some((side, pair, keys))
    };
    pairs.into_iter().filter_map(with_keys).collect()
}
