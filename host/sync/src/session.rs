//! Session: the state of a run that is under way, shared by all its phases.

use super::change::Change;
use super::definition::{FieldMapping, ObjectMapping, SyncDefinition};
use super::description::{ChangeTimes, Description, Object};
use super::engine::Engine;
use super::error::SyncError;
use super::exchange::{Exchange, ExchangeError, codes};
use super::feature::Feature;
use super::ledger::{Lease, Unit};
use super::limits;
use super::notice::Notice;
use super::number::{MappingId, PairId, Slot};
use super::open::OpenCreates;
use super::options::StandingTrust;
use super::report::Page;
use super::reported::{Arrival, furthest_ahead};
use super::run::Run;
use super::subject::RecordRef;
use entente_core::{Reference, Side, Sides, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// Why records are read; decides how intake treats them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The side reported them, or the operator named them.
    Report,
    /// They are counterparts of records that the other side reported.
    Counterpart,
    /// They are parents: other records refer to them.
    Parent,
    /// They are read again, to find out what they hold now: before a write, after one without an answer, for
    /// an undo.
    Reread,
}

/// State of a run that is under way.
pub(super) struct Session<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) definition: &'a SyncDefinition,
    pub(super) run: Run,
    pub(super) lease: Lease,
    /// When the lease was last taken or renewed.
    pub(super) leased: Timestamp,
    /// The schemas of both sides.
    pub(super) descriptions: Sides<Description>,
    /// By side, objects with proof of absence: every record is in the ledger, so that one without a pair does
    /// not exist.
    pub(super) listed: Sides<Vec<String>>,
    /// The error of a side that could not be read to its end. The run goes on with pairs that were read on
    /// both sides and creates and deletes nothing.
    pub(super) read_error: Option<SyncError>,
    /// By side, records that others refer to and that a reading by id in this run has not found.
    pub(super) unfound: Sides<HashSet<Reference>>,
    /// By side, records that have left their pair in this run.
    pub(super) ended: Sides<HashSet<Reference>>,
    /// Number of records read by side and object: reported ones and counterparts.
    pub(super) read: Sides<BTreeMap<String, u64>>,
    /// Rows that both sides have reported, unreadable ones, deletions and conversions among them.
    pub(super) told: u64,
    /// In a run by window or ids: the pairs that it has read, whose other halves have to be fetched.
    pub(super) read_pairs: BTreeMap<MappingId, BTreeSet<PairId>>,
    /// Pairs to reconcile in the next round or pass: parents that were just fetched, pairs whose change was
    /// refused as stale, pairs whose references wait for a parent.
    pub(super) revisits: BTreeMap<MappingId, Vec<PairId>>,
    /// Whether another pass of reconcile and execute is needed.
    pub(super) another_pass: bool,
    /// Pause before that pass, and the side that asks for it.
    pub(super) pause: Option<(Side, Duration)>,
    /// One-time trust: the side that wins in this run, whatever changed.
    pub(super) trust: Option<StandingTrust>,
    /// Schema drift: fields that are parked, since the schema of a side no longer fits the mapping.
    pub(super) parked: BTreeSet<(MappingId, Slot)>,
    /// By side, whether match keys are computed again for every row, since the mapping's identifiers may have
    /// changed.
    pub(super) rekey: Sides<bool>,
    /// By side, when the last report that was read to its end was started, before this run.
    pub(super) read_from: Sides<BTreeMap<String, Timestamp>>,
    /// Updates without an answer that an undo has found to have landed, until it has decided.
    pub(super) found_landed: Vec<Change>,
    /// Bisection of failed batches: the largest order that a pair may be part of, for pairs whose order
    /// failed as a whole.
    pub(super) order_caps: HashMap<PairId, usize>,
    /// The last order had a single change and was answered `unavailable`: a second one in a row is no matter of
    /// its record.
    pub(super) failed_alone: bool,
    /// Orders in a row that ended in a rate limit, and whose outcome was found out.
    pub(super) orders_found_out: u32,
    /// By mapping and side, ids of records that changed before their order came, and whose identifiers the
    /// answer did not tell.
    pub(super) stale: BTreeMap<(MappingId, Side), Vec<String>>,
    /// By mapping and side, whose first order of this run was read again before it went: the probe of its history.
    pub(super) probed: BTreeSet<(MappingId, Side)>,
    /// By mapping and side, where another record stood behind an id although nobody had reported a change.
    pub(super) unreported: BTreeSet<(MappingId, Side)>,
    /// Objects with records that a page told as they are no longer, until it is stored.
    pub(super) doubted: Sides<BTreeSet<String>>,
    /// Updates of this pass that were refused since another record has an identifier of theirs.
    pub(super) taken: Vec<(MappingId, Side, PairId)>,
    /// Pairs with a record that was refused in this run for some of its fields, and the side.
    pub(super) refused_once: HashSet<(PairId, Side)>,
    /// A record was deleted, or an order has changed identifiers: a record that is held as a duplicate may be free.
    pub(super) keys_given_up: bool,
    /// By pair and target, the identifier that is written by way of a blank, since records exchange it.
    pub(super) by_way_of_blank: HashMap<(PairId, Side), Slot>,
    /// Pairs whose merge base was forgotten since their records were read in this run: the evidence for their values is
    /// to be read again.
    pub(super) forgotten: HashSet<PairId>,
    /// Deleted records that an undo has made again under another id, until the pairs that refer to them are queued.
    pub(super) replaced: Sides<Vec<Reference>>,
    /// By side, what records have become in the conversions of this run so far: a record that became one of them is told
    /// later, and has become what that one is by now.
    pub(super) became: Sides<HashMap<Reference, Reference>>,
    /// Pairs whose create was sent more than once in this run, and answered without all values of a record that may have
    /// been edited since.
    pub(super) untold: HashSet<PairId>,
    /// Pairs whose change was found out after its plan was made: there may be more to decide about them.
    pub(super) found_out: HashSet<PairId>,
    /// Creates whose outcome the recovery could not find out.
    pub(super) open_creates: OpenCreates,
}

impl<'a> Session<'a> {
    pub(super) fn exchange(&self, side: Side) -> &'a dyn Exchange {
        self.engine.exchanges[side]
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    /// The moments that rows which arrive now are dated by.
    pub(super) fn arrival(&self, side: Side, object: &str) -> Arrival {
        Arrival { at: self.now(), last: self.read_from[side].get(object).copied(), run: self.run.id }
    }

    /// Tells of a clock that is ahead, once for each side.
    pub(super) fn notice_clock(&mut self, side: Side, page: &Page, arrival: Timestamp) {
        let told = |notice: &Notice| matches!(notice, Notice::ClockAhead { side: of, .. } if *of == side);
        if self.run.notices.iter().any(told) {
            return;
        }
        let tolerance = limits::CLOCK_SKEW.as_micros() as i64;
        if let Some((object, id, at)) = furthest_ahead(page, arrival, tolerance) {
            let record = RecordRef::new(side, object, id);
            self.run.notice(Notice::ClockAhead { side, record, at, arrival });
        }
    }

    /// The current schema of a mapping's object on a side.
    pub(super) fn object(&self, mapping: &ObjectMapping, side: Side) -> Option<&Object> {
        self.descriptions[side].object(mapping.object(side))
    }

    /// Whether there is proof of absence for a mapping's object on a side.
    pub(super) fn is_listed(&self, mapping: &ObjectMapping, side: Side) -> bool {
        self.listed[side].iter().any(|name| name == mapping.object(side))
    }

    pub(super) fn has(&self, mapping: &ObjectMapping, side: Side, feature: Feature) -> bool {
        self.object(mapping, side).is_some_and(|object| object.has(feature))
    }

    /// Resolution of change times, in microseconds: the coarser one of both sides.
    pub(super) fn precision(&self, mapping: &ObjectMapping) -> u64 {
        Side::BOTH
            .into_iter()
            .filter_map(|side| self.object(mapping, side))
            .filter(|object| object.change_times != ChangeTimes::None)
            .map(|object| object.precision)
            .max()
            .unwrap_or(1)
            .max(1)
    }

    pub(super) fn one_blank(&self, mapping: &ObjectMapping) -> bool {
        Side::BOTH.into_iter().any(|side| self.has(mapping, side, Feature::OneBlank))
    }

    /// Fields of a mapping that are not parked.
    pub(super) fn fields<'m>(&self, mapping: &'m ObjectMapping) -> impl Iterator<Item = &'m FieldMapping> {
        let parked = &self.parked;
        let id = mapping.id;
        mapping.fields.iter().filter(move |field| !parked.contains(&(id, field.slot)))
    }

    /// Whether records of a mapping can be matched: none of its identifiers is parked.
    pub(super) fn recognises(&self, mapping: &ObjectMapping) -> bool {
        mapping.identifiers.iter().all(|slot| !self.parked.contains(&(mapping.id, *slot)))
    }

    /// Begins a unit of work, after renewing the lease where a third of its time has passed
    /// ([`Ledger::keep`](super::ledger::Ledger::keep) does it meanwhile).
    pub(super) async fn begin(&mut self) -> Result<Box<dyn Unit>, SyncError> {
        let now = self.now();
        let third = limits::LEASE.as_micros() as i64 / 3;
        if now.since(self.leased) > third {
            self.engine.ledger.renew(&self.lease, now, limits::LEASE).await?;
            self.leased = now;
        }
        Ok(self.engine.ledger.begin(&self.lease).await?)
    }

    pub(super) fn call_failed(&self, side: Side, doing: &'static str, error: ExchangeError) -> SyncError {
        SyncError::Exchange { exchange: self.exchange(side).name().to_owned(), doing, error: Box::new(error) }
    }

    pub(super) fn protocol_violation(&self, side: Side, what: impl Into<String>) -> SyncError {
        SyncError::Broken { exchange: self.exchange(side).name().to_owned(), what: what.into() }
    }

    /// Exponential backoff with jitter: after a transient error, sleeps as long as the side asks for, or
    /// twice as long as the last time. Returns whether to retry the call; `tries` counts the attempts.
    pub(super) async fn back_off(
        &self,
        side: Side,
        error: &ExchangeError,
        tries: &mut Tries,
    ) -> Result<bool, SyncError> {
        if !error.is_transient() {
            return Ok(false);
        }
        let (count, most) = if error.code == codes::RATE_LIMITED {
            (&mut tries.rate_limited, limits::RATE_LIMITED_TRIES)
        } else {
            (&mut tries.unavailable, limits::UNAVAILABLE_TRIES)
        };
        *count += 1;
        if *count > most {
            return Ok(false);
        }
        let growing = limits::FIRST_PAUSE.saturating_mul(1 << (*count - 1).min(16));
        // Jitter of up to a quarter, so that many hosts do not retry at one moment.
        let jitter = growing.mul_f64((self.engine.randomness.bits() % 1000) as f64 / 4000.0);
        let pause = error.after.unwrap_or(growing + jitter);
        if pause > limits::LONGEST_PAUSE {
            return Ok(false);
        }
        self.wait(side, pause, &error.told()).await?;
        Ok(true)
    }
}

/// Retry counters of one call.
#[derive(Debug, Default)]
pub(super) struct Tries {
    rate_limited: u32,
    unavailable: u32,
}
