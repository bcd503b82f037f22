//! Duplicates: releases records that are held as duplicates when no other record has their identifiers any
//! more.

use super::definition::ObjectMapping;
use super::error::SyncError;
use super::identity;
use super::limits;
use super::number::PairId;
use super::pair::{MatchKey, Pair, Status};
use super::reason::{Code, Reason};
use super::session::Session;
use entente_core::{Side, Sides};
use std::collections::{HashMap, HashSet};

impl Session<'_> {
    /// Checks every held duplicate again: its rival may be deleted, or have other identifiers by now.
    pub(super) async fn release_duplicates(&mut self) -> Result<(), SyncError> {
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
                self.release(mapping, pairs).await?;
            }
        }
        Ok(())
    }

    async fn release(&mut self, mapping: &ObjectMapping, pairs: Vec<Pair>) -> Result<(), SyncError> {
        let alone = alone(mapping, pairs);
        let mut owners: Sides<HashMap<MatchKey, Vec<PairId>>> = Default::default();
        for side in Side::BOTH {
            let keys: Vec<MatchKey> = alone.iter().flat_map(|(_, _, keys)| keys.iter().cloned()).collect();
            for (key, pair) in self.engine.ledger.pairs_by_key(mapping.id, side, &keys).await? {
                owners[side].entry(key).or_default().push(pair);
            }
        }
        let (mut saved, mut removed, mut taken): (Vec<Pair>, Vec<PairId>, HashSet<MatchKey>) =
            Default::default();
        for (side, mut pair, keys) in alone {
            // A duplicate that a lookup or an order found has keys of its own. Where the remote system has said
            // so, it is asked again only when the operator wants it.
            let number = pair.id;
            let told = matches!(pair.reason, Some(Reason::DuplicateOf { became: Some(_), .. }));
            let owner = |side: Side| {
                let mut owners = keys.iter().filter_map(|key| owners[side].get(key)).flatten().copied();
                owners.find(|owner| told || *owner != number)
            };
            if owner(side).is_some() || keys.iter().any(|key| taken.contains(key)) {
                continue;
            }
            let counterpart = match owner(side.other()) {
                Some(number) => self.engine.ledger.pairs(&[number]).await?.pop(),
                None => None,
            };
            match counterpart {
                Some(other) if other.half(side).id.is_some() || other.status == Status::Live => continue,
                Some(mut other) => {
                    *other.half_mut(side) = pair.half(side).clone();
                    other.keys[side] = Some(keys.clone());
                    other.status = Status::Todo;
                    other.reason = None;
                    removed.push(pair.id);
                    saved.push(other);
                    self.run.count(side, mapping.object(side)).matched += 1;
                }
                None => {
                    pair.keys[side] = Some(keys.clone());
                    pair.status = Status::Todo;
                    pair.reason = None;
                    saved.push(pair);
                }
            }
            taken.extend(keys);
        }
        if saved.is_empty() {
            return Ok(());
        }
        let mut unit = self.begin().await?;
        unit.remove_pairs(&removed).await?;
        unit.save_pairs(&mut saved).await?;
        Ok(unit.commit_soon().await?)
    }
}

/// The pairs with one record, which can be released, with the side and the keys of that record.
fn alone(mapping: &ObjectMapping, pairs: Vec<Pair>) -> Vec<(Side, Pair, Vec<MatchKey>)> {
    let with_keys = |pair: Pair| {
        let side = Side::BOTH.into_iter().find(|side| pair.half(*side).id.is_some())?;
        // One record answered for two of ours: none is made for the second one while the first has it.
        let answered = matches!(pair.reason, Some(Reason::DuplicateOf { became: Some(_), .. }));
        if answered || pair.is_linked() || pair.half(side).deleted.is_some() || pair.half(side).filtered {
            return None;
        }
        let keys = identity::keys(mapping, side, |slot| pair.current(side, slot));
        Some((side, pair, keys))
    };
    pairs.into_iter().filter_map(with_keys).collect()
}
