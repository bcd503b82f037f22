//! Recovery: finds out the outcome of changes that were sent and never answered (a crash, a lost answer).
//! Only idempotent creates are sent again; other changes are read or looked up first.

use super::change::{Change, ChangeStatus};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::exchange::codes;
use super::feature::Feature;
use super::identity;
use super::limits;
use super::lookup::Lookup;
use super::notice::Notice;
use super::number::PairId;
use super::open::{Means, Step, next_step, policy_deletes};
use super::order::{Action, Collection, Order, TicketState};
use super::outgoing::{Outgoing, absorbed};
use super::pair::{Pair, Status};
use super::reason::{Code, Reason};
use super::session::{Purpose, Session, Tries};
use super::settle::{has_landed, is_undone, set_undone, settle_as_sent};
use super::subject::RemoteSaid;
use entente_core::{Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

impl Session<'_> {
    /// Settles changes with an unknown outcome of earlier runs. A dry run leaves them open, since recovery
    /// may write.
    pub(super) async fn recover(&mut self) -> Result<(), SyncError> {
        self.reopen_unsent().await?;
        if self.run.options.is_dry() {
            return Ok(());
        }
        self.collect_deferred().await?;
        let definition = self.definition;
        for mapping in &definition.mappings {
            for target in Side::BOTH {
                self.look_again(mapping, target).await?;
                let mut after = 0;
                loop {
                    let size = self
                        .object(mapping, target)
                        .and_then(|object| object.order_size)
                        .unwrap_or(limits::ORDER_CHANGES)
                        .max(1);
                    let open = self
                        .engine
                        .ledger
                        .open_changes(&[mapping.id], ChangeStatus::Sent, after, size as usize)
                        .await?;
                    let Some(last) = open.last() else { break };
                    after = last.id;
                    let (creates, others): (Vec<Change>, Vec<Change>) = open
                        .into_iter()
                        .filter(|change| change.target == target)
                        .partition(|change| change.action == Action::Create);
                    self.let_land(mapping, target, &others).await?;
                    self.recover_writes(mapping, target, others).await?;
                    self.recover_creates(mapping, target, creates).await?;
                }
            }
        }
        Ok(())
    }

    /// Requeues pairs with a planned change that was never sent, although the change to their other side was
    /// executed (a run that ended between its sides). The new decision supersedes the old plan.
    async fn reopen_unsent(&mut self) -> Result<(), SyncError> {
        let definition = self.definition;
        for mapping in &definition.mappings {
            let mut after = 0;
            loop {
                let open = self
                    .engine
                    .ledger
                    .open_changes(&[mapping.id], ChangeStatus::Planned, after, limits::RECONCILE_PAIRS)
                    .await?;
                let Some(last) = open.last() else { break };
                after = last.id;
                let numbers: BTreeSet<PairId> = open.iter().map(|change| change.pair).collect();
                let mut pairs = self.engine.ledger.pairs(&numbers.into_iter().collect::<Vec<_>>()).await?;
                pairs.retain(|pair| pair.status == Status::Ok);
                for pair in &mut pairs {
                    pair.status = Status::Todo;
                }
                if !pairs.is_empty() {
                    let mut unit = self.begin().await?;
                    unit.save_pairs(&mut pairs).await?;
                    unit.commit().await?;
                }
            }
        }
        Ok(())
    }

    /// Waits until unanswered updates have landed or never will, where a late one would overwrite what was
    /// written since. A conditional one is refused then.
    async fn let_land(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: &[Change],
    ) -> Result<(), SyncError> {
        let Some(sent) = changes.iter().filter_map(|change| change.sent).max() else { return Ok(()) };
        // A mark from a clock that ran ahead is not waited for longer than one of this moment.
        let (now, landed) = (self.now(), sent.later_by(limits::IN_FLIGHT));
        let rest = u64::try_from(landed.since(now)).unwrap_or(0);
        let rest = Duration::from_micros(rest).min(limits::IN_FLIGHT);
        if rest.is_zero() || self.has(mapping, target, Feature::ConditionalUpdate) {
            return Ok(());
        }
        let why = "until what was sent before and never answered has been carried out";
        self.wait(target, rest, why).await
    }

    /// Updates and deletes: reads the records again; what they hold decides what is still to be written.
    pub(super) async fn recover_writes(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: Vec<Change>,
    ) -> Result<(), SyncError> {
        if changes.is_empty() {
            return Ok(());
        }
        let readable = self.has(mapping, target, Feature::ById);
        if readable {
            let ids: Vec<String> = changes
                .iter()
                .filter_map(|change| match &change.action {
                    Action::Update(id) | Action::Delete(id) => Some(id.clone()),
                    Action::Create => None,
                })
                .collect();
            self.fetch_as(target, mapping.object(target), &ids, Purpose::Reread).await?;
        }
        self.reopen(mapping, target, changes, readable).await
    }

    /// Creates: sent again under the same key where the side is idempotent, else looked up by identifiers
    /// ([`next_step`]).
    async fn recover_creates(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: Vec<Change>,
    ) -> Result<(), SyncError> {
        if changes.is_empty() {
            return Ok(());
        }
        let source = target.other();
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        if self.has(mapping, source, Feature::ById) {
            // A record that was deleted meanwhile is not made any more.
            let pairs = self.engine.ledger.pairs(&numbers).await?;
            let ids: Vec<String> = pairs.iter().filter_map(|pair| pair.half(source).id.clone()).collect();
            self.fetch_as(source, mapping.object(source), &ids, Purpose::Reread).await?;
        }
        let pairs: HashMap<PairId, Pair> =
            self.engine.ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        let step = |change: &Change| {
            let Some(pair) = pairs.get(&change.pair) else { return Step::Hold };
            let searchable = !identity::keys_sent(mapping, change).is_empty();
            let means = Means {
                idempotent: self.has(mapping, target, Feature::IdempotentCreate),
                lookup: searchable && self.exchange(target).can_find(),
                deletes: policy_deletes(mapping) && self.has(mapping, target, Feature::Delete),
            };
            next_step(means, pair.half(source).deleted.is_some())
        };
        let (again, changes): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| step(change) == Step::Resend);
        if !again.is_empty() {
            let (mut outgoing, waiting): (Vec<Outgoing>, Vec<Outgoing>) =
                self.prepare(mapping, target, again).await?;
            outgoing.extend(waiting);
            outgoing.iter_mut().for_each(Outgoing::send_again);
            self.deliver(mapping, target, outgoing).await?;
        }
        if changes.is_empty() {
            return Ok(());
        }
        let sent = changes.iter().filter_map(|change| change.sent).max().unwrap_or(self.run.started);
        // Upper bound for the time of the create: the end of the call, which takes no longer than a lease
        // lasts, or of a request that is still being processed.
        let during = self.now().min(sent.later_by(limits::LEASE));
        self.look_for_created(mapping, target, changes, during.max(sent.later_by(limits::IN_FLIGHT))).await
    }

    /// Looks up once more what held creates have made: where several records had the identifiers that they carried, one or none
    /// of them may have them by now.
    async fn look_again(&mut self, mapping: &ObjectMapping, target: Side) -> Result<(), SyncError> {
        if !self.exchange(target).can_find() {
            return Ok(());
        }
        let ledger = self.engine.ledger;
        let mut after = 0;
        loop {
            let held = ledger.held(mapping.id, Code::FateUnknown, after, limits::LOOKUP_RECORDS).await?;
            let Some(last) = held.last() else { return Ok(()) };
            after = last.id;
            let searchable = Lookup::new(mapping, target, held).pairs;
            let numbers: Vec<PairId> = searchable.iter().map(|pair| pair.id).collect();
            let mut creates = ledger.unanswered(&numbers).await?;
            creates.retain(|change| {
                change.action == Action::Create
                    && change.target == target
                    && change.status == ChangeStatus::Dropped
                    && !identity::keys_sent(mapping, change).is_empty()
            });
            let sent = creates.iter().filter_map(|change| change.sent).max().unwrap_or(self.run.started);
            self.look_for_created(mapping, target, creates, sent.later_by(limits::IN_FLIGHT)).await?;
        }
    }

    /// Looks up the records of unanswered creates, which were executed by `until` or never. Waits for the
    /// search lag of the side first (eventual consistency).
    pub(super) async fn look_for_created(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        changes: Vec<Change>,
        until: Timestamp,
    ) -> Result<(), SyncError> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.exchange(target).can_find() {
            let lag = self.search_lag(mapping, target);
            self.await_search(target, until.later_by(lag)).await?;
            let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
            let pairs = self.engine.ledger.pairs(&numbers).await?;
            self.look_up_pairs(mapping, target.other(), pairs).await?;
        }
        let run = self.run.id;
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        let pairs: HashMap<PairId, Pair> =
            self.engine.ledger.pairs(&numbers).await?.into_iter().map(|pair| (pair.id, pair)).collect();
        // A lookup proves that nothing was made only by the identifiers that were sent.
        let is_known = |change: &Change| {
            let none = |pair: &Pair| {
                pair.half(target.other()).no_match_in == Some(run)
                    && !identity::keys_sent(mapping, change).is_empty()
            };
            pairs.get(&change.pair).is_some_and(|pair| pair.is_linked() || none(pair))
        };
        let (known, unknown): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(is_known);
        self.reopen(mapping, target, known, true).await?;
        self.reopen(mapping, target, unknown, false).await
    }

    /// Ends changes with an unknown outcome. Where the current state of the record is known (`known`), their
    /// pairs are decided again; else the pairs are held, and updates stay unanswered.
    async fn reopen(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut changes: Vec<Change>,
        known: bool,
    ) -> Result<(), SyncError> {
        let numbers: Vec<PairId> = changes.iter().map(|change| change.pair).collect();
        let mut pairs: Vec<Pair> = self.engine.ledger.pairs(&numbers).await?;
        let now = self.now();
        let unknown = Reason::FateUnknown { side: target, object: mapping.object(target).to_owned() };
        // Records that were found and not read yet are settled by the report that tells their values.
        let unread: Vec<PairId> = pairs
            .iter()
            .filter(|pair| pair.is_linked() && pair.half(target).read.is_none())
            .map(|pair| pair.id)
            .collect();
        for change in &mut changes {
            let unanswered = !known && matches!(change.action, Action::Update(_));
            let pair = pairs.iter().find(|pair| pair.id == change.pair).filter(|_| known);
            let landed =
                pair.is_some_and(|pair| is_undone(change, pair) || has_landed(mapping, pair, change));
            change.status = match (unanswered, landed) {
                (true, _) => ChangeStatus::Retry,
                (false, true) => ChangeStatus::Done,
                (false, false) => ChangeStatus::Dropped,
            };
            change.settled = Some(now);
            change.reason = Some(if known {
                if !landed && !unread.contains(&change.pair) {
                    change.sent = None;
                }
                Reason::FoundOut
            } else {
                unknown.clone()
            });
        }
        for pair in pairs.iter_mut().filter(|pair| !known || unread.contains(&pair.id)) {
            pair.attempts = pair.attempts.saturating_add(1);
        }
        // With two remote sides, the answer of the other side may have settled the pair (`ok`) meanwhile.
        let open = |pair: &&mut Pair| {
            let answered = matches!(pair.status, Status::Live | Status::Ok);
            // Held before, and found now.
            let held = pair.status == Status::Held && matches!(pair.reason, Some(Reason::FateUnknown { .. }));
            answered || (known && held) || (!known && found_in_vain(mapping, pair, &changes))
        };
        for pair in pairs.iter_mut().filter(open) {
            pair.dirty = false;
            if known {
                self.decide_found(mapping, target, pair, &changes);
            } else if pair.status == Status::Held {
                // The search has counted it.
                pair.reason = Some(unknown.clone());
            } else {
                self.hold(pair, mapping, target.other(), unknown.clone());
            }
        }
        let mut merged = self.merged_into_undone(&changes).await?;
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_pairs(&mut merged).await?;
        unit.save_changes(&mut changes).await?;
        Ok(unit.commit().await?)
    }

    /// Queues a pair whose record is known now, with what was sent for it settled.
    fn decide_found(&mut self, mapping: &ObjectMapping, target: Side, pair: &mut Pair, changes: &[Change]) {
        let number = pair.id;
        for change in changes.iter().filter(|change| change.pair == number) {
            settle_as_sent(mapping, pair, change);
        }
        pair.status = Status::Todo;
        pair.reason = None;
        pair.due = None; // Decided at once, also where the order to the other side has failed.
        self.found_out.insert(pair.id);
        if changes.iter().any(|change| is_undone(change, pair)) {
            set_undone(pair, target, self.now());
        }
    }

    /// Collects the outcomes of deferred changes by ticket. Returns what is still open.
    async fn collect_deferred(&mut self) -> Result<StillDeferred, SyncError> {
        let mut still = StillDeferred::default();
        let definition = self.definition;
        for mapping in &definition.mappings {
            let mut after = 0;
            loop {
                let open = self
                    .engine
                    .ledger
                    .open_changes(&[mapping.id], ChangeStatus::Deferred, after, limits::RECONCILE_PAIRS)
                    .await?;
                let Some(last) = open.last() else { break };
                after = last.id;
                let mut tickets: BTreeMap<(Side, String), Vec<Change>> = BTreeMap::new();
                for change in open {
                    tickets
                        .entry((change.target, change.ticket.clone().unwrap_or_default()))
                        .or_default()
                        .push(change);
                }
                for ((target, ticket), changes) in tickets {
                    self.collect_ticket(mapping, target, &ticket, changes, &mut still).await?;
                }
            }
        }
        Ok(still)
    }

    /// Polls for deferred changes until all are answered, the time limit is reached or the operator stops the
    /// run. What is open then counts as pending.
    pub(super) async fn wait_for_deferred(&mut self) -> Result<(), SyncError> {
        loop {
            let still = self.collect_deferred().await?;
            self.count_pending(still.lost);
            let Some((side, pause)) = still.again else {
                // What could not be told is asked by the next run.
                self.count_pending(still.open);
                return Ok(());
            };
            let pause = pause.clamp(limits::FIRST_PAUSE, limits::LONGEST_PAUSE);
            let why = "until it has the outcomes of deferred changes";
            if let Err(ended) = self.wait_at_most(side, pause, why).await {
                self.count_pending(still.open);
                return Err(ended);
            }
        }
    }

    fn count_pending(&mut self, open: BTreeMap<(Side, String), u64>) {
        for ((side, object), open) in open {
            self.run.count(side, &object).pending += open;
        }
    }

    /// Polls one ticket and applies the outcomes known by now. Adds what is still open.
    async fn collect_ticket(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        ticket: &str,
        changes: Vec<Change>,
        still: &mut StillDeferred,
    ) -> Result<(), SyncError> {
        let total = changes.len();
        let (mut outgoing, waiting) = self.prepare(mapping, target, changes).await?;
        outgoing.extend(waiting);
        let (order, slots) = self.order(mapping, target, &outgoing);
        let answer = self.ask_ticket(target, ticket, &order).await?;
        let told = answer.is_some();
        let collection =
            answer.unwrap_or(Collection { answers: Vec::new(), state: TicketState::Pending(None) });
        self.notice_old(target, &order, &outgoing, &collection.state);
        // Of what is done and has no answer that counts nothing more will be told, as of a lost ticket.
        let lost = !matches!(collection.state, TicketState::Pending(_));
        let mut unanswered: Vec<Change> = if lost {
            let open = outgoing.iter().map(|entry| entry.change.clone());
            open.map(|change| Change { status: ChangeStatus::Sent, ticket: None, ..change }).collect()
        } else {
            Vec::new()
        };
        let owners = self.owners(mapping, target, &collection.answers, &outgoing).await?;
        let absorbed = absorbed(&owners, target, &collection.answers);
        let (mut pairs, mut settled) =
            self.settle_answers(mapping, target, outgoing, &slots, collection.answers, &owners);
        let known: HashSet<&str> = settled.iter().map(|change| change.key.as_str()).collect();
        unanswered.retain(|open| !known.contains(open.key.as_str()));
        let open = (total - settled.len()) as u64;
        if !lost && !self.run.options.waits_until_settled() {
            self.run.count(target, mapping.object(target)).pending += open;
        }
        // Changes of a lost ticket are recovered like those of a crash: sent, with an unknown outcome.
        *still.lost.entry((target, mapping.object(target).to_owned())).or_default() +=
            unanswered.len() as u64;
        settled.extend(unanswered);
        let mut merged = self.merged_into_undone(&settled).await?;
        let mut unit = self.begin().await?;
        unit.remove_pairs(&absorbed).await?;
        unit.save_pairs(&mut pairs).await?;
        unit.save_pairs(&mut merged).await?;
        unit.save_changes(&mut settled).await?;
        self.requeue_replaced(unit.as_mut()).await?;
        unit.save_run(&self.run).await?;
        unit.commit().await?;
        if let TicketState::Pending(after) = collection.state {
            *still.open.entry((target, mapping.object(target).to_owned())).or_default() += open;
            if !told {
                return Ok(());
            }
            let after = after.unwrap_or(limits::LONGEST_PAUSE);
            if still.again.is_none_or(|(_, least)| after < least) {
                still.again = Some((target, after));
            }
        }
        Ok(())
    }

    /// Says so where nothing was told of a ticket for long. It is given up by the word of an operator alone: what the side may
    /// still carry out would be made twice, or written over what came later.
    fn notice_old(&mut self, target: Side, order: &Order, outgoing: &[Outgoing], state: &TicketState) {
        let Some(sent) = outgoing.iter().filter_map(|entry| entry.change.sent).min() else { return };
        let pending = matches!(state, TicketState::Pending(_));
        if pending && sent.later_by(limits::TICKET_AGE) <= self.now() {
            self.run.notice(Notice::LongDeferred { side: target, object: order.object.clone(), sent });
        }
    }

    /// Asks for the outcomes of a ticket, with retries where the side is busy. A side that deferred and does not know how
    /// to tell what came of it has lost the ticket. `None`: it failed to tell, and what it deferred stays open.
    async fn ask_ticket(
        &mut self,
        target: Side,
        ticket: &str,
        order: &Order,
    ) -> Result<Option<Collection>, SyncError> {
        let mut tries = Tries::default();
        loop {
            match self.exchange(target).collect(ticket, order).await {
                Ok(collection) => return Ok(Some(collection)),
                Err(error) if self.back_off(target, &error, &mut tries).await? => {}
                Err(error) if error.code == codes::UNSUPPORTED => {
                    self.run.notice(Notice::CannotCollect { side: target, object: order.object.clone() });
                    return Ok(Some(Collection { answers: Vec::new(), state: TicketState::Lost }));
                }
                Err(error) if error.code == codes::STORE => {
                    return Err(self.call_failed(target, "report the outcomes of deferred changes", error));
                }
                // One ticket that cannot be told of does not keep everything else from being synced.
                Err(error) => {
                    let said = RemoteSaid::of(&error);
                    let (object, remedies) = (order.object.clone(), error.remedies);
                    self.run.notice(Notice::CollectFailed { side: target, object, said, remedies });
                    return Ok(None);
                }
            }
        }
    }
}

/// Deferred changes whose outcomes are not told yet.
#[derive(Default)]
struct StillDeferred {
    /// When to ask again, and which side.
    again: Option<(Side, Duration)>,
    /// How many there are, by side and object.
    open: BTreeMap<(Side, String), u64>,
    /// How many others nothing will be told of, which the next run finds out.
    lost: BTreeMap<(Side, String), u64>,
}

/// Whether a pair is held for what a search has found, which does not tell what a create has made: somebody else who has the
/// identifiers of now, where it carried none, or several.
fn found_in_vain(mapping: &ObjectMapping, pair: &Pair, changes: &[Change]) -> bool {
    let several = matches!(pair.reason, Some(Reason::Ambiguous { .. }));
    let other = matches!(pair.reason, Some(Reason::DuplicateOf { .. }));
    let untold = |change: &Change| {
        change.pair == pair.id
            && change.action == Action::Create
            && (several || other && identity::keys_sent(mapping, change).is_empty())
    };
    pair.status == Status::Held && !pair.is_linked() && changes.iter().any(untold)
}
