//! A run under way: what all its phases share.

use super::definition::{FieldMapping, ObjectMapping, SyncDefinition};
use super::description::{ChangeTimes, Description, Object};
use super::engine::Engine;
use super::error::SyncError;
use super::exchange::{Exchange, ExchangeError, codes};
use super::feature::Feature;
use super::ledger::{Lease, Unit};
use super::limits;
use super::number::{MappingId, PairId, Slot};
use super::options::Trust;
use super::run::Run;
use entente_core::{Side, Sides, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Why records were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The side reported them.
    Report,
    /// The other side reported their counterparts.
    Counterpart,
    /// Another record refers to them.
    Parent,
    /// The fate of a change was unknown.
    Reread,
}

/// A run under way.
pub(super) struct Session<'a> {
    pub(super) engine: &'a Engine<'a>,
    pub(super) definition: &'a SyncDefinition,
    pub(super) run: Run,
    pub(super) lease: Lease,
    /// When the lease was last taken or renewed.
    pub(super) leased: Timestamp,
    /// What the two sides have now.
    pub(super) descriptions: Sides<Description>,
    /// Objects of which every record is known, by side: who is not among the pairs does not exist.
    pub(super) listed: Sides<Vec<String>>,
    /// A side could not be read to its end; the run does only what needs no more.
    pub(super) broken: Option<SyncError>,
    /// Records read, by side and object: those reported, and their counterparts.
    pub(super) read: Sides<BTreeMap<String, u64>>,
    /// Pairs that were read in this run, where what was not reported has to be asked for: by window or ids.
    pub(super) read_pairs: BTreeMap<MappingId, BTreeSet<PairId>>,
    /// Pairs that are to be reconciled in the next round or pass: parents that were read because a record
    /// refers to them, changes that met a newer record, links that wait for their parent.
    pub(super) revisits: BTreeMap<MappingId, Vec<PairId>>,
    /// Something happened that asks for one more pass.
    pub(super) another_pass: bool,
    /// How long to wait before that pass.
    pub(super) pause: Duration,
    /// The side that wins in this run, whatever changed.
    pub(super) trust: Option<Trust>,
    /// Fields that take no part: the schema of a side no longer fits the mapping.
    pub(super) parked: BTreeSet<(MappingId, Slot)>,
    /// A listing whose rows are looked at anew, by side: identifiers may be others than before.
    pub(super) rekey: Sides<bool>,
    /// Pairs that were in an order which failed as a whole: the most changes that an order with them may
    /// have.
    pub(super) order_caps: HashMap<PairId, usize>,
}

impl<'a> Session<'a> {
    pub(super) fn exchange(&self, side: Side) -> &'a dyn Exchange {
        self.engine.exchanges[side]
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    /// The object of a mapping on a side, as it is described now.
    pub(super) fn object(&self, mapping: &ObjectMapping, side: Side) -> Option<&Object> {
        self.descriptions[side].object(mapping.object(side))
    }

    /// Whether every record of a mapping's object on a side is known.
    pub(super) fn is_listed(&self, mapping: &ObjectMapping, side: Side) -> bool {
        self.listed[side].iter().any(|name| name == mapping.object(side))
    }

    pub(super) fn has(&self, mapping: &ObjectMapping, side: Side, feature: Feature) -> bool {
        self.object(mapping, side).is_some_and(|object| object.has(feature))
    }

    /// The step of change times that both sides can tell.
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

    /// Fields of a mapping that take part.
    pub(super) fn fields<'m>(&self, mapping: &'m ObjectMapping) -> impl Iterator<Item = &'m FieldMapping> {
        let parked = &self.parked;
        let id = mapping.id;
        mapping.fields.iter().filter(move |field| !parked.contains(&(id, field.slot)))
    }

    /// Whether records of a mapping can be recognised: none of its identifiers is parked.
    pub(super) fn recognises(&self, mapping: &ObjectMapping) -> bool {
        mapping.identifiers.iter().all(|slot| !self.parked.contains(&(mapping.id, *slot)))
    }

    /// Begins a unit of work, keeping the lease alive.
    pub(super) async fn begin(&mut self) -> Result<Box<dyn Unit>, SyncError> {
        let now = self.now();
        let third = limits::LEASE.as_micros() as i64 / 3;
        if now.micros() - self.leased.micros() > third {
            self.engine.ledger.renew(&self.lease, now, limits::LEASE).await?;
            self.leased = now;
        }
        Ok(self.engine.ledger.begin(&self.lease).await?)
    }

    /// Ends the run at a safe point where the operator or the clock asks for it.
    pub(super) fn check_stop(&self) -> Result<(), SyncError> {
        if self.engine.stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(SyncError::Stopped);
        }
        if let Some(most) = self.run.options.max_time {
            let spent = self.now().micros() - self.run.started.micros();
            if spent > i64::try_from(most.as_micros()).unwrap_or(i64::MAX) {
                return Err(SyncError::TimeUp);
            }
        }
        Ok(())
    }

    pub(super) fn failed(&self, side: Side, doing: &'static str, error: ExchangeError) -> SyncError {
        SyncError::Exchange { exchange: self.exchange(side).name().to_owned(), doing, error: Box::new(error) }
    }

    pub(super) fn broke(&self, side: Side, what: impl Into<String>) -> SyncError {
        SyncError::Broken { exchange: self.exchange(side).name().to_owned(), what: what.into() }
    }

    /// Whether to ask the same once more after an error, having waited as long as the side asked for. `tries`
    /// counts the attempts so far.
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
        // Up to a quarter more, so that many hosts do not come back at one moment.
        let jitter = growing.mul_f64((self.engine.randomness.bits() % 1000) as f64 / 4000.0);
        let pause = error.after.unwrap_or(growing + jitter);
        if pause > limits::LONGEST_PAUSE {
            return Ok(false);
        }
        self.engine.observer.waiting(self.exchange(side).name(), pause, &error.reason);
        self.check_stop()?;
        self.engine.clock.sleep(pause).await;
        Ok(true)
    }
}

/// How often one call has been tried.
#[derive(Debug, Default)]
pub(super) struct Tries {
    rate_limited: u32,
    unavailable: u32,
}
