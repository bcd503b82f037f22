//! Deliver: sends an order and records what came of it. An order that ends in an error, or stops in the middle, may have
//! been carried out in part, whatever the error says. What was certainly not carried out is sent again; of what has no
//! answer, only what may be carried out twice; the outcome of everything else is found out.

use super::change::Change;
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::exchange::{ExchangeError, codes};
use super::feature::Feature;
use super::limits;
use super::number::Slot;
use super::order::{Action, Answer, Executed, Outcome};
use super::outgoing::{Outgoing, Owners, absorbed};
use super::pair::Pair;
use super::reason::Reason;
use super::session::{Session, Tries};
use entente_core::Side;
use std::collections::{HashMap, HashSet};

/// What an order that stopped has left over.
pub(super) struct Leftover {
    /// Changes that were put off: nothing of them was carried out.
    pub(super) unsent: Vec<Outgoing>,
    /// Changes that may have been carried out.
    pub(super) open: Vec<Outgoing>,
    /// What the side said of changes that it put off.
    answers: Vec<Answer>,
}

impl Leftover {
    /// Takes out of an order and its answers what has no outcome.
    fn take(outgoing: &mut Vec<Outgoing>, answers: &mut Vec<Answer>) -> Self {
        let is_late = |answer: &Answer| matches!(answer.outcome, Outcome::Retry { .. });
        let (late, told): (Vec<Answer>, Vec<Answer>) = std::mem::take(answers).into_iter().partition(is_late);
        let names = |answers: &[Answer]| -> HashSet<String> {
            answers.iter().map(|answer| answer.change.clone()).collect()
        };
        let (put_off, known) = (names(&late), names(&told));
        let (rest, told_of): (Vec<Outgoing>, Vec<Outgoing>) =
            std::mem::take(outgoing).into_iter().partition(|entry| !known.contains(&entry.change.key));
        // One that was put off this time may have been carried out when it was sent before.
        let (unsent, open) =
            rest.into_iter().partition(|entry| !entry.unanswered && put_off.contains(&entry.change.key));
        (*outgoing, *answers) = (told_of, told);
        Self { unsent, open, answers: late }
    }

    /// All of its changes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Outgoing> + Clone {
        self.unsent.iter().chain(&self.open)
    }
}

impl Session<'_> {
    /// Sends changes that are marked as sent, with retries, and records their outcomes.
    pub(super) async fn deliver(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut outgoing: Vec<Outgoing>,
    ) -> Result<(), SyncError> {
        let mut tries = Tries::default();
        while !outgoing.is_empty() {
            let sent = outgoing.len();
            outgoing = self.deliver_once(mapping, target, outgoing, &mut tries).await?;
            if outgoing.len() < sent {
                tries = Tries::default();
            }
        }
        Ok(())
    }

    /// Sends an order and records its outcomes. Returns the changes that are to be sent again, once the pause is over that
    /// the side asked for.
    async fn deliver_once(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut outgoing: Vec<Outgoing>,
        tries: &mut Tries,
    ) -> Result<Vec<Outgoing>, SyncError> {
        let (order, slots) = self.order(mapping, target, &outgoing);
        let mut executed = match self.exchange(target).execute(&order).await {
            Ok(executed) => executed,
            Err(error) => Executed { stopped: Some(error), ..Executed::default() },
        };
        let Some(error) = executed.stopped.take() else {
            (self.failed_alone, self.orders_found_out) = (false, 0);
            self.record_answers(mapping, target, outgoing, &slots, executed).await?;
            return Ok(Vec::new());
        };
        let left = Leftover::take(&mut outgoing, &mut executed.answers);
        if !outgoing.is_empty() || !executed.state.is_empty() {
            (self.failed_alone, self.orders_found_out) = (false, 0);
            self.record_answers(mapping, target, outgoing, &slots, executed).await?;
        }
        self.go_on(mapping, target, left, &slots, &error, tries).await
    }

    /// Deals with what an order has left over that ended in an error. Returns the changes that are to be sent again.
    async fn go_on(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        left: Leftover,
        slots: &[Slot],
        error: &ExchangeError,
        tries: &mut Tries,
    ) -> Result<Vec<Outgoing>, SyncError> {
        let repeatable = self.is_repeatable(mapping, target, &left.open);
        let asks = repeatable || error.code == codes::RATE_LIMITED;
        let tired = self.orders_found_out > limits::RATE_LIMITED_TRIES;
        if asks && !tired && self.back_off(target, error, tries).await? {
            let Leftover { unsent: mut again, mut open, .. } = left;
            if !repeatable {
                self.orders_found_out += 1;
                let (repeated, others) = self.may_be_sent_again(mapping, target, open);
                self.find_out(mapping, target, others).await?;
                open = repeated;
            }
            open.iter_mut().for_each(Outgoing::send_again);
            again.extend(open);
            return Ok(again);
        }
        if error.is_about_content() || self.answers_otherwise(mapping, target, left.all(), error).await? {
            Box::pin(self.split(mapping, target, left, error)).await?;
            return Ok(Vec::new());
        }
        // What was put off is known not to be there, which the next run need not find out.
        let Leftover { unsent, open, answers } = left;
        if !answers.is_empty() {
            let outgoing = unsent.into_iter().chain(open).collect();
            let executed = Executed { answers, ..Executed::default() };
            self.record_answers(mapping, target, outgoing, slots, executed).await?;
        }
        Err(self.call_failed(target, "carry out its orders", error.clone()))
    }

    /// Whether changes may be sent again as they are though they may have been carried out: creates are idempotent, and
    /// other writes are conditional.
    fn is_repeatable(&self, mapping: &ObjectMapping, target: Side, open: &[Outgoing]) -> bool {
        let (creates, others): (Vec<_>, Vec<_>) =
            open.iter().partition(|entry| entry.change.action == Action::Create);
        (creates.is_empty() || self.has(mapping, target, Feature::IdempotentCreate))
            && (others.is_empty() || self.has(mapping, target, Feature::ConditionalUpdate))
    }

    /// Records the outcomes of an order, in one transaction. A change without an answer stays marked as sent.
    async fn record_answers(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        outgoing: Vec<Outgoing>,
        slots: &[Slot],
        executed: Executed,
    ) -> Result<(), SyncError> {
        let owners = self.owners(mapping, target, &executed.answers, &outgoing).await?;
        let absorbed = absorbed(&owners, target, &executed.answers);
        let sent = outgoing.len();
        let (mut pairs, mut changes): (Vec<Pair>, Vec<Change>) =
            self.settle_answers(mapping, target, outgoing, slots, executed.answers, &owners);
        if changes.len() < sent {
            let counts = self.run.count(target, mapping.object(target));
            counts.pending += (sent - changes.len()) as u64;
            counts.because_of(&Reason::Unanswered, (sent - changes.len()) as u64);
        }
        let mut merged = self.merged_into_undone(&changes).await?;
        let mut unit = self.begin().await?;
        unit.remove_pairs(&absorbed).await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_pairs(&mut merged).await?;
        unit.save_changes(&mut changes).await?;
        self.requeue_replaced(unit.as_mut()).await?;
        if !executed.state.is_empty() {
            unit.save_state(self.exchange(target).name(), &executed.state).await?;
        }
        unit.save_run(&self.run).await?;
        unit.commit().await?;
        self.engine.observer.written(target, changes.len() as u64);
        Ok(())
    }

    /// Other pairs that have the records which answers name, by id.
    pub(super) async fn owners(
        &self,
        mapping: &ObjectMapping,
        target: Side,
        answers: &[Answer],
        outgoing: &[Outgoing],
    ) -> Result<Owners, SyncError> {
        use super::order::Outcome::{Converted, Created, Stale, Unchanged, Updated};
        let asked: HashMap<&str, &Pair> =
            outgoing.iter().map(|entry| (entry.change.key.as_str(), &entry.pair)).collect();
        let named = |answer: &Answer| {
            let id = match &answer.outcome {
                Created(written) | Updated(written) | Unchanged(written) => &written.id,
                Stale(row) => &row.id,
                Converted(reference) if reference.object == mapping.object(target) => &reference.id,
                _ => return None,
            };
            let pair = asked.get(answer.change.as_str())?;
            (pair.half(target).id.as_ref() != Some(id)).then(|| id.clone())
        };
        let ids: Vec<String> = answers.iter().filter_map(named).collect();
        let owners = self.engine.ledger.pairs_of(mapping.id, target, &ids).await?;
        Ok(owners.into_iter().filter_map(|pair| Some((pair.half(target).id.clone()?, pair))).collect())
    }
}
