//! Strangers: the brake on identifiers. Linked records of a remote side whose identifiers have all changed are
//! held as they are read, and let go before the next decision unless there are too many of them: then another
//! account stands behind the address, or a restored backup that gives ids again.

use super::change::{Change, ChangedField};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::feature::Feature;
use super::identity;
use super::ledger::TodoFilter;
use super::limits;
use super::notice::Notice;
use super::number::PairId;
use super::order::Action;
use super::pair::{Pair, Status};
use super::reason::{Code, Reason};
use super::session::{Purpose, Session};
use super::subject::RecordRef;
use entente_core::Side;

/// The share of the linked records of an object whose identifiers may all change in one run, in percent.
const PERCENT: u8 = 10;

/// Whether so many linked records with other identifiers are too many. A single one is somebody with a new
/// address, however small the account.
fn too_many(strangers: u64, linked: u64) -> bool {
    strangers > 1 && u128::from(strangers) * 100 > u128::from(linked) * u128::from(PERCENT)
}

impl Session<'_> {
    /// Holds a pair that is about to be decided while another record seems to stand behind one of its ids. A
    /// side in the store of the ledger never gives an id twice.
    pub(super) fn hold_stranger(&self, mapping: &ObjectMapping, pair: &mut Pair) {
        if pair.status != Status::Todo || pair.halves.iter().any(|half| half.deleted.is_some()) {
            return;
        }
        let remote = |side: &Side| self.exchange(*side).local().is_none();
        let stranger = |side: &Side| {
            remote(side)
                && (identity::became_another(mapping, pair, *side)
                    || identity::has_become_another(mapping, pair, *side))
        };
        if let Some(side) = Side::BOTH.into_iter().find(stranger) {
            let id = pair.half(side).id.as_deref().unwrap_or_default();
            let record = RecordRef::new(side, mapping.object(side), id);
            pair.status = Status::Held;
            pair.reason = Some(Reason::OtherIdentifiers { record });
        }
    }

    /// Lets strangers go where they are few or the operator has lifted the brake; else they stay held, and the
    /// run says so. A run that could not read a side to its end does not know how many there are.
    pub(super) async fn brake_strangers(&mut self, first: bool) -> Result<(), SyncError> {
        self.read_stale().await?;
        let definition = self.definition;
        for mapping in &definition.mappings {
            let strangers = self.engine.ledger.count_held(mapping.id, Code::OtherIdentifiers).await?;
            if strangers == 0 {
                continue;
            }
            let linked = self.engine.ledger.count_linked(mapping.id).await?;
            let many = too_many(strangers, linked) || self.read_error.is_some();
            // A run of single records cannot know how many there are.
            let partial = !self.run.options.follows_bookmarks();
            let mut after: PairId = 0;
            loop {
                let pairs = self
                    .engine
                    .ledger
                    .held(mapping.id, Code::OtherIdentifiers, after, limits::RECONCILE_PAIRS)
                    .await?;
                let Some(last) = pairs.last() else { break };
                after = last.id;
                if !many && (partial || !first) {
                    for side in Side::BOTH {
                        self.found_unreported(mapping, side, &pairs).await?;
                    }
                }
                let unreported = Side::BOTH.iter().any(|side| self.unreported.contains(&(mapping.id, *side)));
                if !self.run.options.lift_identifiers && (many || unreported || partial) {
                    if first && many {
                        self.count_strangers(mapping, &pairs, linked);
                    }
                } else {
                    let pairs = self.keep_strangers(mapping, pairs, first).await?;
                    self.let_go(mapping, pairs, first).await?;
                }
            }
            if first {
                self.hold_unnamed(mapping).await?;
            }
        }
        Ok(())
    }

    /// Whether this run holds strangers of a side.
    pub(super) fn strangers_held(&self, mapping: &ObjectMapping, side: Side) -> bool {
        self.run.notices.iter().any(|notice| match notice {
            Notice::OtherIdentifiers { side: told, object, .. }
            | Notice::UnreportedIdentifiers { side: told, object, .. } => {
                *told == side && object == mapping.object(side)
            }
            _ => false,
        })
    }

    /// Another record stands behind an id, and no whole run was told of it: perhaps the bookmark is not of the history that
    /// the remote system has now. Strangers are held until everything has been listed, by the next run, and their number is
    /// known.
    pub(super) async fn found_unreported(
        &mut self,
        mapping: &ObjectMapping,
        side: Side,
        read: &[Pair],
    ) -> Result<(), SyncError> {
        let run = self.run.id;
        let stranger = |pair: &&Pair| match &pair.reason {
            Some(Reason::OtherIdentifiers { record }) => {
                record.side == side && pair.status == Status::Held && pair.half(side).read == Some(run)
            }
            _ => false,
        };
        let strangers: Vec<Pair> = read.iter().filter(stranger).cloned().collect();
        let lifted = self.run.options.lift_identifiers;
        if strangers.is_empty() || lifted || self.unreported.contains(&(mapping.id, side)) {
            return Ok(());
        }
        let records = strangers.len() as u64;
        let counts = self.run.count(side, mapping.object(side));
        counts.held += records;
        for reason in strangers.iter().filter_map(|pair| pair.reason.as_ref()) {
            counts.because(reason);
        }
        self.run.notice(Notice::UnreportedIdentifiers {
            side,
            object: mapping.object(side).to_owned(),
            records,
        });
        self.unreported.insert((mapping.id, side));
        let mut progress = self.engine.ledger.progress(&self.definition.name, side).await?;
        progress.doubt(mapping.object(side));
        let mut unit = self.begin().await?;
        unit.save_progress(&self.definition.name, side, &progress).await?;
        Ok(unit.commit_soon().await?)
    }

    /// Few records have other identifiers, and that may be somebody with a new address. One that has nothing else left of
    /// what it had is another record all the same and stays held, unless the operator has lifted the brake. Returns those
    /// that are let go.
    async fn keep_strangers(
        &mut self,
        mapping: &ObjectMapping,
        pairs: Vec<Pair>,
        first: bool,
    ) -> Result<Vec<Pair>, SyncError> {
        if self.run.options.lift_identifiers {
            return Ok(pairs);
        }
        let (mut kept, mut gone): (Vec<Pair>, Vec<Pair>) = (Vec::new(), Vec::new());
        for pair in pairs {
            let another = match &pair.reason {
                Some(Reason::OtherIdentifiers { record }) => {
                    self.is_another(mapping, &pair, record.side).await?
                }
                _ => false,
            };
            if another { kept.push(pair) } else { gone.push(pair) }
        }
        if first {
            for reason in kept.iter().filter_map(|pair| pair.reason.as_ref()) {
                let Reason::OtherIdentifiers { record } = reason else { continue };
                let counts = self.run.count(record.side, mapping.object(record.side));
                counts.held += 1;
                counts.because(reason);
            }
        }
        Ok(gone)
    }

    /// Whether a record with other identifiers has nothing else left of what it had. Where records cannot be read before they
    /// are written, the last write may have gone to the stranger, who has its values then.
    async fn is_another(&self, mapping: &ObjectMapping, pair: &Pair, side: Side) -> Result<bool, SyncError> {
        if identity::has_nothing_left(mapping, pair, side) {
            return Ok(true);
        }
        if self.has(mapping, side, Feature::ById) {
            return Ok(false);
        }
        let written = self.last_update(pair.id, side).await?;
        Ok(identity::has_nothing_left_but(mapping, pair, side, &written))
    }

    /// The fields of the last update of a pair's record on a side that was executed.
    pub(super) async fn last_update(&self, pair: PairId, side: Side) -> Result<Vec<ChangedField>, SyncError> {
        let done = self.engine.ledger.changes_after(pair, 0).await?;
        let update = |change: &Change| change.target == side && matches!(change.action, Action::Update(_));
        Ok(done.into_iter().rfind(update).map(|change| change.fields).unwrap_or_default())
    }

    /// While the brake holds the records whose identifiers have changed, what is told of those without any identifier is
    /// no more certain: they are held too.
    async fn hold_unnamed(&mut self, mapping: &ObjectMapping) -> Result<(), SyncError> {
        for side in Side::BOTH {
            if !self.strangers_held(mapping, side) {
                continue;
            }
            let filter = TodoFilter { mapping: mapping.id, read_in: None, read_on_both: None };
            let mut after: PairId = 0;
            loop {
                let mut pairs = self.engine.ledger.todo(&filter, after, limits::RECONCILE_PAIRS).await?;
                let Some(last) = pairs.last() else { break };
                after = last.id;
                let told = |pair: &Pair| {
                    mapping.fields.iter().any(|field| pair.half(side).seen(field.slot).is_some())
                };
                pairs.retain(|pair| {
                    pair.is_linked()
                        && pair.half(side).deleted.is_none()
                        && told(pair)
                        && identity::is_unnamed(mapping, pair, side)
                });
                for pair in &mut pairs {
                    let id = pair.half(side).id.as_deref().unwrap_or_default();
                    let record = RecordRef::new(side, mapping.object(side), id);
                    self.hold(pair, mapping, side, Reason::OtherIdentifiers { record });
                }
                let mut unit = self.begin().await?;
                unit.save_pairs(&mut pairs).await?;
                unit.commit_soon().await?;
            }
        }
        Ok(())
    }

    /// Reads records again that were refused as stale: the answer tells the fields of the order only, and by
    /// now another record may stand there.
    async fn read_stale(&mut self) -> Result<(), SyncError> {
        for ((mapping, side), ids) in std::mem::take(&mut self.stale) {
            let Some(mapping) = self.definition.mapping(mapping) else { continue };
            if self.exchange(side).local().is_none() && self.has(mapping, side, Feature::ById) {
                self.fetch_as(side, mapping.object(side), &ids, Purpose::Reread).await?;
            }
        }
        Ok(())
    }

    /// Counts held strangers, and tells of them.
    fn count_strangers(&mut self, mapping: &ObjectMapping, pairs: &[Pair], linked: u64) {
        for pair in pairs {
            let Some(Reason::OtherIdentifiers { record }) = &pair.reason else { continue };
            let side = record.side;
            let counts = self.run.count(side, mapping.object(side));
            counts.held += 1;
            counts.because_of(&Reason::OtherIdentifiers { record: record.clone() }, 1);
            let object = mapping.object(side);
            let same = |notice: &&mut Notice| match notice {
                Notice::OtherIdentifiers { side: told, object: of, .. } => *told == side && of == object,
                _ => false,
            };
            if let Some(Notice::OtherIdentifiers { records, .. }) = self.run.notices.iter_mut().find(same) {
                *records += 1;
            } else {
                let object = object.to_owned();
                self.run.notice(Notice::OtherIdentifiers {
                    side,
                    object,
                    records: 1,
                    linked,
                    percent: PERCENT,
                });
            }
        }
    }

    async fn let_go(
        &mut self,
        mapping: &ObjectMapping,
        mut pairs: Vec<Pair>,
        first: bool,
    ) -> Result<(), SyncError> {
        for pair in &mut pairs {
            pair.status = Status::Todo;
            pair.reason = None;
            if !first {
                self.revisit(mapping.id, pair.id);
            }
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        Ok(unit.commit_soon().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_are_too_many_and_a_single_one_never() {
        for (strangers, linked, expected) in
            [(0, 0, false), (1, 1, false), (2, 2, true), (2, 20, false), (3, 20, true), (60, 60, true)]
        {
            assert_eq!(too_many(strangers, linked), expected, "{strangers} of {linked}");
        }
    }
}
