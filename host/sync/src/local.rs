//! Local: exactly-once delivery to a side in the ledger's store: the writes commit in the transaction that
//! records their outcomes.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::ledger::Unit;
use super::links::Links;
use super::number::PairId;
use super::order::{Action, Answer};
use super::outgoing::{Outgoing, Owners, translate};
use super::pair::Pair;
use super::session::Session;
use entente_core::{Side, Value};
use std::collections::{BTreeSet, HashMap};

impl Session<'_> {
    /// Executes an order; writes, outcomes and pairs commit in one transaction.
    pub(super) async fn send_local(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut outgoing: Vec<Outgoing>,
    ) -> Result<(), SyncError> {
        for entry in &mut outgoing {
            entry.pair.dirty |= self.undo_leaves_todo(&entry.pair);
        }
        let (order, slots) = self.order(mapping, target, &outgoing);
        let exchange = self.exchange(target);
        let Some(local) = exchange.local() else {
            return Ok(());
        };
        let mut unit = self.begin().await?;
        let answers = local
            .execute_within(unit.as_mut(), &order)
            .await
            .map_err(|error| self.call_failed(target, "write", error))?;
        let (mut pairs, mut changes) =
            self.settle_answers(mapping, target, outgoing, &slots, answers, &Owners::new());
        unit.save_pairs(&mut pairs).await?;
        unit.save_changes(&mut changes).await?;
        self.requeue_replaced(unit.as_mut()).await?;
        unit.save_run(&self.run).await?;
        unit.commit_soon().await?;
        self.engine.observer.written(target, changes.len() as u64);
        Ok(())
    }

    /// Takes the creates out of a plan that can be executed in the transaction of the decision: their target
    /// is in the ledger's store and no reference waits. The deletion guard does not concern them.
    pub(super) fn take_immediate_creates(
        &self,
        target: Side,
        links: &Links,
        pairs: &mut Vec<Pair>,
        changes: &mut Vec<Change>,
    ) -> Vec<Outgoing> {
        if self.exchange(target).local().is_none()
            || self.run.options.is_dry()
            || self.run.options.applies().is_some()
        {
            return Vec::new();
        }
        let mut planned: HashMap<PairId, usize> = HashMap::with_capacity(changes.len());
        for change in changes.iter() {
            *planned.entry(change.pair).or_default() += 1;
        }
        let mut new: HashMap<PairId, (Change, Vec<Value>)> = HashMap::new();
        let mut later = Vec::new();
        for change in changes.drain(..) {
            let at_once = change.action == Action::Create
                && change.target == target
                && change.status == ChangeStatus::Planned
                && planned.get(&change.pair) == Some(&1);
            let values: Option<Vec<Value>> = if at_once {
                change.fields.iter().map(|field| translate(links, target.other(), field)).collect()
            } else {
                None
            };
            match values {
                Some(values) => drop(new.insert(change.pair, (change, values))),
                None => later.push(change),
            }
        }
        let mut outgoing = Vec::with_capacity(new.len());
        let mut others = Vec::with_capacity(pairs.len() - new.len().min(pairs.len()));
        for pair in pairs.drain(..) {
            match new.remove(&pair.id) {
                Some((change, values)) if pair.attempts == 0 => {
                    outgoing.push(Outgoing {
                        change,
                        pair,
                        values,
                        waits: None,
                        held: false,
                        failed: false,
                        resent: false,
                        unanswered: false,
                        earlier: Vec::new(),
                        left_out: BTreeSet::new(),
                    });
                }
                Some((change, _)) => {
                    later.push(change);
                    others.push(pair);
                }
                None => others.push(pair),
            }
        }
        *pairs = others;
        *changes = later;
        outgoing
    }

    /// Executes these creates within a unit of work.
    pub(super) async fn execute_immediate_creates(
        &mut self,
        unit: &mut dyn Unit,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
    ) -> Result<(Vec<Pair>, Vec<Change>), SyncError> {
        let Some(local) = self.exchange(target).local().filter(|_| !outgoing.is_empty()) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let (order, slots) = self.order(mapping, target, &outgoing);
        let answers: Vec<Answer> = local
            .execute_within(unit, &order)
            .await
            .map_err(|error| self.call_failed(target, "write", error))?;
        Ok(self.settle_answers(mapping, target, outgoing, &slots, answers, &Owners::new()))
    }
}
