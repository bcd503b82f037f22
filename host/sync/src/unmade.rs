//! Unmade: which creates of earlier runs are still open, and the proof that one has made nothing: everything has been
//! reported since, and no new record could be it.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::identity;
use super::ledger::TodoFilter;
use super::limits;
use super::number::PairId;
use super::open::is_stranger;
use super::order::Action;
use super::pair::{MatchKey, Pair, Status};
use super::reason::{Code, Reason};
use super::session::Session;
use entente_core::{Side, Timestamp};
use std::collections::BTreeSet;

/// A held pair, the side of its creates, and the identifiers that they carried.
type Unmade = (PairId, Side, Vec<MatchKey>);

/// Whether a pair is a record without a counterpart that has an identifier which was sent.
fn is_namesake(mapping: &ObjectMapping, pair: &Pair, side: Side, sent: &[MatchKey]) -> bool {
    let has = || identity::keys(mapping, side, |slot| pair.current(side, slot));
    is_stranger(mapping, pair, side, sent) && has().iter().any(|key| sent.contains(key))
}

impl Session<'_> {
    /// Loads the creates whose outcome is still unknown: those that are under way, those that are sent again once their
    /// failed pairs are due, and those whose pairs are held.
    pub(super) async fn load_open_creates(&mut self) -> Result<(), SyncError> {
        let definition = self.definition;
        let ledger = self.engine.ledger;
        for mapping in &definition.mappings {
            for status in [ChangeStatus::Sent, ChangeStatus::Deferred] {
                let mut after = 0;
                loop {
                    let open =
                        ledger.open_changes(&[mapping.id], status, after, limits::RECONCILE_PAIRS).await?;
                    let Some(last) = open.last() else { break };
                    after = last.id;
                    let numbers: Vec<PairId> = open.iter().map(|change| change.pair).collect();
                    self.add_open_creates(mapping, ledger.pairs(&numbers).await?, open);
                }
            }
            self.load_failed_creates(mapping).await?;
            let mut after = 0;
            loop {
                let held = ledger.held(mapping.id, Code::FateUnknown, after, limits::RECONCILE_PAIRS).await?;
                let Some(last) = held.last() else { break };
                after = last.id;
                let numbers: Vec<PairId> = held.iter().map(|pair| pair.id).collect();
                let open = ledger.unanswered(&numbers).await?;
                self.add_open_creates(mapping, held, open);
            }
        }
        Ok(())
    }

    /// Creates whose order failed, perhaps after it was executed. What was put off was not made, and a later try may
    /// have been answered.
    async fn load_failed_creates(&mut self, mapping: &ObjectMapping) -> Result<(), SyncError> {
        let ledger = self.engine.ledger;
        let mut after = 0;
        loop {
            let failed = ledger
                .open_changes(&[mapping.id], ChangeStatus::Retry, after, limits::RECONCILE_PAIRS)
                .await?;
            let Some(last) = failed.last() else { return Ok(()) };
            after = last.id;
            let unknown = |change: &&Change| change.action == Action::Create && change.sent.is_some();
            let numbers: BTreeSet<PairId> = failed.iter().filter(unknown).map(|change| change.pair).collect();
            let numbers: Vec<PairId> = numbers.into_iter().collect();
            let mut pairs = ledger.pairs(&numbers).await?;
            // A duplicate came of an answer to a later try.
            let answered = |pair: &Pair| matches!(pair.reason, Some(Reason::DuplicateOf { .. }));
            let again = [Status::Todo, Status::Failed, Status::Live, Status::Held];
            // Outside the filter it is not sent again until it is back.
            let waits =
                |pair: &Pair| pair.status == Status::Excluded && pair.halves.iter().any(|half| half.is_out());
            pairs.retain(|pair| {
                !pair.is_linked() && (again.contains(&pair.status) || waits(pair)) && !answered(pair)
            });
            let numbers: Vec<PairId> = pairs.iter().map(|pair| pair.id).collect();
            let open = ledger.unanswered(&numbers).await?;
            self.add_open_creates(mapping, pairs, open);
        }
    }

    fn add_open_creates(&mut self, mapping: &ObjectMapping, pairs: Vec<Pair>, changes: Vec<Change>) {
        for change in changes.into_iter().filter(|change| change.action == Action::Create) {
            if let Some(pair) = pairs.iter().find(|pair| pair.id == change.pair && !pair.is_linked()) {
                self.open_creates.add(mapping, pair, change);
            }
        }
    }

    /// Takes out of these pairs those whose create failed, perhaps after it was executed, and whose record was deleted since.
    /// It is not sent again, and what it may have made is not forgotten: it counts as sent and not answered, so that the
    /// next run finds out what became of it as of any other. A dry run leaves it as it is.
    pub(super) async fn reopen_failed_creates(
        &mut self,
        mapping: &ObjectMapping,
        pairs: &mut Vec<Pair>,
    ) -> Result<(), SyncError> {
        let mut reopened = Vec::new();
        pairs.retain_mut(|pair| {
            let failed = self.open_creates.failed(pair.id).filter(|_| !pair.is_linked());
            let Some(target) = failed.map(|create| create.target) else { return true };
            if pair.half(target.other()).deleted.is_none() {
                return true;
            }
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += 1;
            counts.because(&Reason::Unanswered);
            reopened.push(Pair { status: Status::Live, reason: None, due: None, ..pair.clone() });
            false
        });
        if reopened.is_empty() || self.run.options.is_dry() {
            return Ok(());
        }
        // All of its sends: any of them may have been executed.
        let numbers: Vec<PairId> = reopened.iter().map(|pair| pair.id).collect();
        let mut creates = self.engine.ledger.unanswered(&numbers).await?;
        creates.retain(|change| change.action == Action::Create && change.status == ChangeStatus::Retry);
        for create in &mut creates {
            create.status = ChangeStatus::Sent;
            create.reason = None;
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut reopened).await?;
        unit.save_changes(&mut creates).await?;
        Ok(unit.commit().await?)
    }

    /// Proof of absence for held creates with an unknown outcome: every record of the target has been reported since,
    /// and none of those without a counterpart could be the one. Their pairs are decided again.
    pub(super) async fn release_unmade(&mut self) -> Result<(), SyncError> {
        if self.open_creates.is_empty() {
            return Ok(());
        }
        let definition = self.definition;
        let ledger = self.engine.ledger;
        for mapping in &definition.mappings {
            let mut after = 0;
            loop {
                let mut held =
                    ledger.held(mapping.id, Code::FateUnknown, after, limits::RECONCILE_PAIRS).await?;
                let Some(last) = held.last() else { break };
                after = last.id;
                let numbers: Vec<PairId> = held.iter().map(|pair| pair.id).collect();
                let mut creates = ledger.unanswered(&numbers).await?;
                let unmade = self.proven_unmade(mapping, &held, &creates).await?;
                held.retain(|pair| unmade.contains(&pair.id));
                creates.retain(|change| unmade.contains(&change.pair));
                for change in &mut creates {
                    // What is answered to another create of the pair is the whole truth from now on.
                    change.sent = None;
                    change.reason = Some(Reason::FoundOut);
                }
                for pair in &mut held {
                    pair.status = Status::Todo;
                    pair.reason = None;
                    pair.attempts = 0;
                    // It stands for nothing that was sent any more.
                    for side in Side::BOTH {
                        identity::renew(mapping, pair, side);
                    }
                    self.open_creates.settled(pair.id);
                }
                let mut unit = self.begin().await?;
                unit.save_pairs(&mut held).await?;
                unit.save_changes(&mut creates).await?;
                unit.commit().await?;
            }
        }
        Ok(())
    }

    /// The held pairs whose creates have made nothing. A new record of the target that could be what was made waits in the work
    /// queue, or is held for an identifier that was sent; each is read once for all of them.
    async fn proven_unmade(
        &self,
        mapping: &ObjectMapping,
        held: &[Pair],
        creates: &[Change],
    ) -> Result<Vec<PairId>, SyncError> {
        let mut unmade: Vec<Unmade> = Vec::new();
        for pair in held.iter().filter(|pair| !pair.is_linked()) {
            let sent: Vec<&Change> = creates.iter().filter(|change| change.pair == pair.id).collect();
            let Some(target) = sent.first().map(|change| change.target) else { continue };
            let keys: Vec<MatchKey> =
                sent.iter().flat_map(|change| identity::keys_sent(mapping, change)).collect();
            // A record that does not meet the filter does not wait: without identifiers it could be any.
            let seen = !keys.is_empty() || mapping.filters[target].is_empty();
            let visible = |change: &&Change| {
                change.sent.is_some_and(|sent| self.would_be_listed(mapping, target, sent))
            };
            if seen && self.is_listed(mapping, target) && sent.iter().all(visible) {
                unmade.push((pair.id, target, keys));
            }
        }
        let filter = TodoFilter { mapping: mapping.id, read_in: None, read_on_both: None };
        let mut after = 0;
        while !unmade.is_empty() {
            let pairs = self.engine.ledger.todo(&filter, after, limits::RECONCILE_PAIRS).await?;
            let Some(last) = pairs.last() else { break };
            after = last.id;
            unmade.retain(|(_, target, keys)| {
                !pairs.iter().any(|pair| is_stranger(mapping, pair, *target, keys))
            });
        }
        for code in [Code::Ambiguous, Code::DuplicateOf] {
            let mut after = 0;
            while !unmade.is_empty() {
                let pairs = self.engine.ledger.held(mapping.id, code, after, limits::RECONCILE_PAIRS).await?;
                let Some(last) = pairs.last() else { break };
                after = last.id;
                unmade.retain(|(_, target, keys)| {
                    !pairs.iter().any(|pair| is_namesake(mapping, pair, *target, keys))
                });
            }
        }
        Ok(unmade.into_iter().map(|(pair, ..)| pair).collect())
    }

    /// Whether a record that was made by an order sent at this time would have been reported in this run.
    fn would_be_listed(&self, mapping: &ObjectMapping, target: Side, sent: Timestamp) -> bool {
        let lag = self.search_lag(mapping, target);
        sent.later_by(limits::IN_FLIGHT).later_by(lag) <= self.run.started
    }
}
