//! Trust: the one-time trust of an operator in a side, from the run that was given it until it is used up. A run that
//! has read both sides to their ends uses it up field by field: what it has settled is nobody's to be trusted any more.

use super::definition::{FieldMapping, ObjectMapping};
use super::error::SyncError;
use super::limits;
use super::notice::Notice;
use super::number::{PairId, RunId, Slot};
use super::options::StandingTrust;
use super::pair::{Pair, Status};
use super::reason::Reason;
use super::run::Counts;
use super::session::Session;
use entente_core::{Side, same_content};
use std::collections::{BTreeMap, BTreeSet};

impl Session<'_> {
    /// Loads the one-time trust: of this run, or of an earlier run that has not used it up.
    pub(super) async fn trust_side(&mut self) -> Result<(), SyncError> {
        let sync = &self.definition.name;
        let own = self.run.options.trust().cloned().map(|trust| StandingTrust { trust, open: None });
        if let (Some(standing), false) = (&own, self.run.options.is_dry()) {
            let mut unit = self.begin().await?;
            unit.save_trust(sync, Some(standing)).await?;
            unit.commit().await?;
        }
        self.trust = match own {
            None => self.engine.ledger.standing_trust(sync).await?,
            own => own,
        };
        Ok(())
    }

    /// Leaves of the one-time trust what a run could not carry out that read both sides to their ends.
    pub(super) async fn end_trust(&mut self) -> Result<(), SyncError> {
        if self.run.options.is_dry() {
            return Ok(());
        }
        let Some(standing) = self.trust.take() else { return Ok(()) };
        // What the brake holds is part of what the trust is for.
        let braked = self.run.notices.iter().any(|notice| matches!(notice, Notice::Brake(_)));
        let complete = self.run.options.follows_bookmarks() && self.read_error.is_none() && !braked;
        let made = |counts: &Counts| counts.pending == 0 && counts.failed == 0;
        let open = match complete {
            true if self.run.counts.iter().flat_map(BTreeMap::values).all(made) => Some(BTreeSet::new()),
            true => self.open_trust(&standing).await?,
            false => standing.open.clone(),
        };
        let stays = open.as_ref().is_none_or(|open| !open.is_empty());
        if stays {
            self.run.notice(Notice::StaysTrusted { side: standing.trust.side });
        }
        if open != standing.open {
            let left = StandingTrust { open, ..standing };
            let mut unit = self.begin().await?;
            unit.save_trust(&self.definition.name, Some(&left).filter(|_| stays)).await?;
            unit.commit().await?;
        }
        Ok(())
    }

    /// The fields of pairs to which a trust still applies, since what it decided is not written yet; `None`: too many to
    /// be named.
    async fn open_trust(
        &self,
        standing: &StandingTrust,
    ) -> Result<Option<BTreeSet<(PairId, Slot)>>, SyncError> {
        let (ledger, mut open) = (self.engine.ledger, BTreeSet::new());
        let named: Option<BTreeSet<PairId>> =
            standing.open.as_ref().map(|open| open.iter().map(|(pair, _)| *pair).collect());
        for mapping in &self.definition.mappings {
            let mut after = 0;
            loop {
                let size = limits::RECONCILE_PAIRS;
                let pairs = match &named {
                    Some(named) => {
                        let next: Vec<PairId> = named.range(after + 1..).take(size).copied().collect();
                        after = next.last().copied().unwrap_or(after);
                        let mut pairs = ledger.pairs(&next).await?;
                        pairs.retain(|pair| pair.mapping == mapping.id);
                        if next.is_empty() {
                            break;
                        }
                        pairs
                    }
                    None => {
                        let pairs =
                            ledger.not_read_since(mapping.id, Side::Left, RunId::MAX, after, size).await?;
                        let Some(last) = pairs.last() else { break };
                        after = last.id;
                        pairs
                    }
                };
                open.extend(pairs.iter().flat_map(|pair| unsettled(mapping, standing, pair)));
                if open.len() > limits::OPEN_TRUST {
                    return Ok(None);
                }
            }
        }
        Ok(Some(open))
    }
}

/// The fields of a pair that a trust is for and whose values are not settled, where an order of the pair is still open.
fn unsettled<'p>(
    mapping: &'p ObjectMapping,
    standing: &'p StandingTrust,
    pair: &'p Pair,
) -> impl Iterator<Item = (PairId, Slot)> + 'p {
    let held = pair.status == Status::Held && pair.reason.as_ref().is_some_and(Reason::holds_back);
    let open = held || matches!(pair.status, Status::Todo | Status::Live | Status::Failed);
    let waits = pair.is_linked() && open;
    let fields = mapping.fields.iter().filter(move |field| waits && field.constant.is_none());
    fields
        .filter(move |field| standing.covers(mapping.id, pair.id, field.slot) && differs(field, pair))
        .map(|field| (pair.id, field.slot))
}

/// Whether the two values of a field differ for no reason that is known, or have never been settled.
fn differs(field: &FieldMapping, pair: &Pair) -> bool {
    let slot = field.slot;
    if pair.agreed(slot).is_none() || pair.halves.iter().any(|half| half.seen(slot).is_some()) {
        return true;
    }
    let [Some(left), Some(right)] = Side::BOTH.map(|side| pair.current(side, slot)) else { return false };
    let rules = field.rules(1, false);
    let same = match rules.translate(left, Side::Left) {
        // Their names differ on either side.
        _ if field.is_reference() => left.is_blank() == right.is_blank(),
        Some(left) => same_content(&field.kinds, field.set_like, &left, right),
        None => false,
    };
    !same && pair.differs(slot).is_none()
}
