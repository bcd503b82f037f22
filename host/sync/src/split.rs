//! Split: bisects a failed batch. An order that failed as a whole is sent again in halves, until the change
//! that causes the error is alone.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::deliver::Leftover;
use super::error::SyncError;
use super::exchange::{ExchangeError, codes};
use super::feature::Feature;
use super::notice::Notice;
use super::number::PairId;
use super::order::Action;
use super::outgoing::Outgoing;
use super::pair::Status;
use super::reason::Reason;
use super::session::Session;
use super::subject::RemoteSaid;
use entente_core::Side;
use std::collections::HashSet;

impl Session<'_> {
    /// Bisects a failed batch. Idempotent creates are sent again at once, and so are updates and deletes where records
    /// cannot be read by id: they say what is to stand there, so that they may be executed twice. The outcome of
    /// every other change is found out first.
    pub(super) async fn split(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        left: Leftover,
        error: &ExchangeError,
    ) -> Result<(), SyncError> {
        let said = RemoteSaid::of(error);
        self.run.notice(Notice::OrderFailed { side: target, said, remedies: error.remedies.clone() });
        let numbers: Vec<PairId> = left.all().map(|entry| entry.pair.id).collect();
        let half = numbers.len() / 2;
        self.order_caps.extend(numbers.iter().map(|number| (*number, half.max(1))));
        let Leftover { unsent: mut again, open, .. } = left;
        let (mut repeated, others) = self.may_be_sent_again(mapping, target, open);
        if half == 0 {
            again.extend(repeated);
            return self.settle_single(mapping, target, again, others, error).await;
        }
        // They stay marked as sent: a crash here leads to another send of a create under the same key.
        repeated.iter_mut().for_each(Outgoing::send_again);
        again.extend(repeated);
        let rest = again.split_off(again.len().div_ceil(2));
        for part in [again, rest].into_iter().filter(|part| !part.is_empty()) {
            Box::pin(self.deliver(mapping, target, part)).await?;
        }
        self.recover_sent(mapping, target, others).await?;
        self.plan_again(mapping, target, &numbers).await
    }

    /// Plans anew what was not made of changes whose outcome was found out. An undo plans nothing but what it undoes: the
    /// next run decides those pairs.
    async fn plan_again(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        numbers: &[PairId],
    ) -> Result<(), SyncError> {
        let mut pairs = self.engine.ledger.pairs(numbers).await?;
        let planned: HashSet<PairId> = self
            .engine
            .ledger
            .changes_for(self.run.id, numbers)
            .await?
            .into_iter()
            .filter(|change| change.target == target && change.status == ChangeStatus::Planned)
            .map(|change| change.pair)
            .collect();
        pairs.retain(|pair| pair.status == Status::Todo && !planned.contains(&pair.id));
        if self.run.options.undoes().is_some() {
            pairs.iter().for_each(|pair| self.revisit(mapping.id, pair.id));
            return Ok(());
        }
        self.reconcile_pairs(mapping, pairs).await
    }

    /// The changes that may be sent again though they may have been executed, and those whose outcome is found out
    /// first.
    pub(super) fn may_be_sent_again(
        &self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
    ) -> (Vec<Outgoing>, Vec<Outgoing>) {
        let idempotent = self.has(mapping, target, Feature::IdempotentCreate);
        let readable = self.has(mapping, target, Feature::ById);
        outgoing.into_iter().partition(|entry| match entry.change.action {
            Action::Create => idempotent,
            Action::Update(_) | Action::Delete(_) => !readable,
        })
    }

    /// Whether an order that was answered `unavailable`, after its retries, failed for the sake of a record in
    /// it: the side answers another call. Some remote systems answer 500, or close the connection, where one
    /// record of a batch is too much for them.
    pub(super) async fn answers_otherwise<'o>(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: impl Iterator<Item = &'o Outgoing> + Clone,
        error: &ExchangeError,
    ) -> Result<bool, SyncError> {
        if error.code != codes::UNAVAILABLE || self.failed_alone {
            return Ok(false);
        }
        self.failed_alone = outgoing.clone().count() == 1;
        // Only a record that was told: an id that the host makes up may be one that means something there.
        let known = { outgoing }.find_map(|entry| entry.pair.half(target).id.clone());
        let answered = match known.filter(|_| self.has(mapping, target, Feature::ById)) {
            Some(id) => self.page_of(target, mapping.object(target), &[id]).await.map(|_| ()),
            None => {
                let described = self.exchange(target).describe().await;
                described.map(|_| ()).map_err(|error| self.call_failed(target, "describe its objects", error))
            }
        };
        match answered {
            Ok(()) => Ok(true),
            Err(SyncError::Exchange { error, .. }) => Ok(error.is_about_content()),
            Err(error) => Err(error),
        }
    }

    /// End of the bisection: the change that is alone has failed, unless it was executed in spite of the
    /// error.
    async fn settle_single(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        again: Vec<Outgoing>,
        others: Vec<Outgoing>,
        error: &ExchangeError,
    ) -> Result<(), SyncError> {
        let said = RemoteSaid::of(error);
        let refused = Reason::Refused { side: target, said: said.clone(), fields: Vec::new() };
        let unknown = Reason::OrderFailed { side: target, said };
        for mut entry in again {
            // The outcome is unknown: the next send keeps the idempotency key, and the next report tells.
            entry.change.status = ChangeStatus::Retry;
            entry.change.reason = Some(unknown.clone());
            self.fail(mapping, target, &mut entry.pair, unknown.clone());
            let mut unit = self.begin().await?;
            unit.save_pairs(std::slice::from_mut(&mut entry.pair)).await?;
            unit.save_changes(std::slice::from_mut(&mut entry.change)).await?;
            unit.commit().await?;
        }
        let sent = others
            .iter()
            .map(|entry| (entry.pair.id, entry.change.action.clone(), entry.change.fields.clone()))
            .next();
        self.recover_sent(mapping, target, others).await?;
        let Some((number, action, fields)) = sent else {
            return Ok(());
        };
        let mut pairs = self.engine.ledger.pairs(&[number]).await?;
        let Some(pair) = pairs.iter_mut().find(|pair| pair.status == Status::Todo) else {
            return Ok(());
        };
        let made = match action {
            Action::Create => pair.half(target).id.is_some(),
            Action::Delete(_) => pair.half(target).deleted.is_some(),
            Action::Update(_) => {
                fields.iter().all(|field| pair.current(target, field.slot) == Some(&field.value))
            }
        };
        if made {
            self.revisit(mapping.id, number);
            return Ok(());
        }
        self.fail(mapping, target, pair, refused);
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Finds out the outcome of changes whose order failed, and plans anew what was not made.
    pub(super) async fn find_out(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
    ) -> Result<(), SyncError> {
        let numbers: Vec<PairId> = outgoing.iter().map(|entry| entry.pair.id).collect();
        self.recover_sent(mapping, target, outgoing).await?;
        self.plan_again(mapping, target, &numbers).await
    }

    /// Finds out the outcome of changes whose order failed.
    async fn recover_sent(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
    ) -> Result<(), SyncError> {
        let changes = outgoing.into_iter().map(|entry| entry.change);
        let (creates, others): (Vec<Change>, Vec<Change>) =
            changes.partition(|change| change.action == Action::Create);
        self.recover_writes(mapping, target, others).await?;
        let now = self.now();
        self.look_for_created(mapping, target, creates, now).await
    }
}
