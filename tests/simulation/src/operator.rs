//! The operator, between runs: rulings on conflicts, and retries by hand.

use crate::dice::{Dice, lock};
use crate::schema::{CITY, NAME, PHONE};
use crate::tape::drive;
use crate::world::World;
use anyhow::{Context as _, Result};
use entente_core::Value;
use entente_sync::{
    Choice, Clock as _, ConflictFilter, Lease, Ledger as _, MappingId, OpenConflict, OperatorLedger as _,
    Side, Slot, Status,
};
use std::time::Duration;

/// As long as a lease of the operator lasts.
const LEASE: Duration = Duration::from_secs(180);

/// Longer than a search index lags.
const DOWN: Duration = Duration::from_secs(300);

/// More conflicts or pairs than a history has.
const ALL: usize = 1_000_000;

impl World {
    /// Takes the lease of a sync, as a command of the operator does.
    async fn leased(&self, sync: usize) -> Result<Lease> {
        let relation = &self.users.links[sync].relation;
        Ok(self.ledger.inner.acquire(relation, "operator", self.clock.now(), LEASE).await?)
    }

    /// The host clock steps by up to a day, back or forward, while the machine is down for longer than any search index
    /// lags. No lease is left over: one of a crashed run would last for as much longer as the clock steps back.
    pub(crate) fn step_clock(&self, dice: &mut Dice) -> Result<()> {
        drive(async {
            for sync in 0..self.syncs.len() {
                let lease = self.leased(sync).await?;
                self.ledger.inner.release(&lease).await?;
            }
            Ok::<_, anyhow::Error>(())
        })
        .context("the operator waits for something")??;
        let seconds = dice.between(-86_400, 86_400);
        self.clock.advance(DOWN);
        self.clock.step(seconds * 1_000_000);
        self.tape.note(format_args!("user: host clock steps by {seconds} s"));
        Ok(())
    }

    fn mappings(&self, sync: usize) -> Vec<MappingId> {
        self.syncs[sync].mappings.iter().map(|mapping| mapping.id).collect()
    }

    /// Settles an open conflict: a side wins, or another value does. Returns whether there was one.
    pub(crate) fn settle(&self, dice: &mut Dice, sync: usize) -> Result<bool> {
        drive(async {
            let mappings = self.mappings(sync);
            let open = self.ledger.inner.open_conflicts(ConflictFilter::Mappings(&mappings), 0, ALL).await?;
            let Some(conflict) = dice.pick(&open) else { return Ok(false) };
            let choice = self.choose(dice, sync, conflict);
            let lease = self.leased(sync).await?;
            let settled = self.ledger.inner.settle_conflict(&lease, conflict.id, &choice).await?;
            self.ledger.inner.release(&lease).await?;
            let (pair, slot) = (conflict.conflict.pair, conflict.conflict.slot);
            self.tape.note(format_args!("user: operator settles {slot} of pair {pair}: {choice:?}"));
            Ok(settled)
        })
        .context("the operator waits for something")?
    }

    fn choose(&self, dice: &mut Dice, sync: usize, conflict: &OpenConflict) -> Choice {
        let person = self.syncs[sync].mappings.first().is_some_and(|mapping| mapping.id == conflict.mapping);
        let typed = person && [NAME, PHONE, CITY].map(Slot).contains(&conflict.conflict.slot);
        if typed && dice.chance(20) {
            let n = lock(&self.users.book).next();
            let phone = conflict.conflict.slot == Slot(PHONE);
            let text = if phone { format!("030{n:06}") } else { format!("Ruled {n}") };
            return Choice::Value(Value::text(text));
        }
        Choice::Side(if dice.chance(50) { Side::Left } else { Side::Right })
    }

    /// Puts failed pairs of an object back into the work queue, or one pair that has failed or is held. Returns
    /// whether there was one.
    pub(crate) fn retry(&self, dice: &mut Dice, sync: usize) -> Result<bool> {
        drive(async {
            let mappings = self.mappings(sync);
            let mapping = mappings[usize::from(dice.chance(25))];
            let mut lines = Vec::new();
            for status in [Status::Failed, Status::Held] {
                lines.extend(self.ledger.inner.pairs_in(status, Some(mapping), 0, ALL).await?);
            }
            let one = dice.pick(&lines).map(|line| line.id).filter(|_| dice.chance(60));
            let lease = self.leased(sync).await?;
            let count = self.ledger.inner.retry(&lease, mapping, one).await?;
            self.ledger.inner.release(&lease).await?;
            self.tape.note(format_args!("user: operator retries {one:?} of {mapping}: {count}"));
            Ok(count > 0)
        })
        .context("the operator waits for something")?
    }
}
