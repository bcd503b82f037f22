//! Local: a side that shares the ledger's store is written in the very commit that records the outcome.

use super::definition::ObjectMapping;
use super::error::SyncError;
use super::exchange::{Action, Answer};
use super::execute::{Outgoing, Owners, translate};
use super::ledger::{Change, ChangeStatus, Unit};
use super::links::Links;
use super::pair::{Pair, PairId, Side};
use super::session::Session;
use crate::record::Value;
use std::collections::{HashMap, HashSet};

impl Session<'_> {
    /// Order, outcomes and pairs in one commit.
    pub(super) async fn send_local(&mut self, mapping: &ObjectMapping, target: Side, mut outgoing: Vec<Outgoing>) -> Result<(), SyncError> {
        for entry in &mut outgoing {
            entry.pair.dirty |= self.owes_more(&entry.pair);
        }
        let (order, slots) = self.order(mapping, target, &outgoing);
        let exchange = self.exchange(target);
        let Some(local) = exchange.local() else {
            return Ok(());
        };
        let mut unit = self.begin().await?;
        let answers = local.execute_within(unit.as_mut(), &order).await.map_err(|error| self.failed(target, "write", error))?;
        let (mut pairs, mut changes) = self.settle_answers(mapping, target, outgoing, &slots, answers, &Owners::new());
        unit.save_pairs(&mut pairs).await?;
        unit.save_changes(&mut changes).await?;
        unit.save_run(&self.run).await?;
        unit.commit().await?;
        self.engine.observer.written(target, changes.len() as u64);
        Ok(())
    }

    /// Takes those new records out of a plan that can be made in the commit of the decision: nothing is asked of another system, and
    /// nothing has to wait. The brake is about what is deleted and blanked; these are neither.
    pub(super) fn creates_at_once(&self, target: Side, links: &Links, pairs: &[Pair], changes: &mut Vec<Change>) -> Vec<Outgoing> {
        if self.exchange(target).local().is_none() || self.run.options.dry_run || self.run.options.apply.is_some() {
            return Vec::new();
        }
        let places: HashMap<PairId, usize> = pairs.iter().enumerate().map(|(place, pair)| (pair.id, place)).collect();
        let mut several: HashSet<PairId> = HashSet::new();
        let mut seen: HashSet<PairId> = HashSet::with_capacity(changes.len());
        several.extend(changes.iter().map(|change| change.pair).filter(|pair| !seen.insert(*pair)));
        let (mut now, mut later) = (Vec::with_capacity(changes.len()), Vec::new());
        for change in std::mem::take(changes) {
            let new = change.action == Action::Create && change.target == target && change.status == ChangeStatus::Planned;
            let pair = places.get(&change.pair).map(|place| &pairs[*place]);
            let pair = pair.filter(|pair| new && pair.attempts == 0 && !several.contains(&pair.id));
            let values: Option<Vec<Value>> =
                pair.and_then(|_| change.fields.iter().map(|field| translate(links, target.other(), field)).collect());
            match (pair, values) {
                (Some(pair), Some(values)) => now.push(Outgoing {
                    change,
                    pair: pair.clone(),
                    values,
                    waits: None,
                    failed: false,
                    resent: false,
                    earlier: Vec::new(),
                }),
                _ => later.push(change),
            }
        }
        *changes = later;
        now
    }

    /// Makes new records within a unit of work. Gives the changes, and puts the pairs in the place of those that were decided.
    pub(super) async fn make_at_once(
        &mut self,
        unit: &mut dyn Unit,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
        pairs: &mut [Pair],
    ) -> Result<Vec<Change>, SyncError> {
        let Some(local) = self.exchange(target).local().filter(|_| !outgoing.is_empty()) else {
            return Ok(Vec::new());
        };
        let (order, slots) = self.order(mapping, target, &outgoing);
        let answers: Vec<Answer> = local.execute_within(unit, &order).await.map_err(|error| self.failed(target, "write", error))?;
        let (made, changes) = self.settle_answers(mapping, target, outgoing, &slots, answers, &Owners::new());
        let places: HashMap<PairId, usize> = pairs.iter().enumerate().map(|(place, pair)| (pair.id, place)).collect();
        for pair in made {
            if let Some(place) = places.get(&pair.id) {
                pairs[*place] = pair;
            }
        }
        Ok(changes)
    }
}
