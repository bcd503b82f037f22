//! Counterparts: fetches the other half of a pair that one side reported, by id or by a lookup of its
//! identifiers.

use super::definition::ObjectMapping;
use super::error::SyncError;
use super::exchange::{Query, codes};
use super::feature::Feature;
use super::identity;
use super::limits;
use super::lookup::{Found, Lookup};
use super::number::PairId;
use super::pair::{Pair, Seen, Status};
use super::reason::{Code, Reason};
use super::report::{Batch, Deletion, FieldTime, Page, ReportRequest, Row, Wanted, Window, fingerprint};
use super::reported::{columns_of, value_at};
use super::session::{Purpose, Session, Tries};
use entente_core::{Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

/// The answer to a lookup, and the pairs that have the records that were found.
type Search = (Vec<Vec<String>>, HashMap<String, Pair>);

/// The records of a batch as pairs of their own, by id.
fn as_pairs(mapping: &ObjectMapping, side: Side, batch: &Batch) -> Vec<(String, Pair)> {
    let columns = columns_of(mapping, side, batch);
    let pair = |row: &Row| {
        let mut pair = Pair::new(mapping.id);
        for (slot, _) in &columns {
            let value = value_at(&columns, row, *slot).cloned();
            pair.half_mut(side).set_seen(*slot, value.map(|value| Seen { value, time: None }));
        }
        (row.id.clone(), pair)
    };
    let gone = |deletion: &Deletion| {
        let mut pair = Pair::new(mapping.id);
        pair.half_mut(side).deleted = deletion.deleted.or(Some(Timestamp::from_micros(0)));
        (deletion.id.clone(), pair)
    };
    batch.rows.iter().map(pair).chain(batch.deleted.iter().map(gone)).collect()
}

/// The most rows, unreadable ones, deletions and conversions that a request for records by id takes: they are held until its
/// last page. A record may be told more than once while it changes.
const MOST_ANSWERS: u64 = 32 * limits::LOOKUP_RECORDS as u64;

impl Session<'_> {
    /// In a run by window or ids, reads the other half of every pair that the run has read; a run that reads
    /// both sides to the end has them already.
    pub(super) async fn fetch_missing_halves(&mut self) -> Result<(), SyncError> {
        if self.run.options.follows_bookmarks() {
            return Ok(());
        }
        let definition = self.definition;
        for mapping in &definition.mappings {
            for read in Side::BOTH {
                self.fetch_counterparts(mapping, read).await?;
                self.look_up(mapping, read).await?;
            }
        }
        Ok(())
    }

    async fn fetch_counterparts(&mut self, mapping: &ObjectMapping, read: Side) -> Result<(), SyncError> {
        let target = read.other();
        if !self.has(mapping, target, Feature::ById) {
            return Ok(());
        }
        let mut after = 0;
        while let Some(pairs) = self.one_sided(mapping, read, &mut after).await? {
            let ids: Vec<String> = pairs.iter().filter_map(|pair| pair.half(target).id.clone()).collect();
            if ids.is_empty() {
                continue;
            }
            self.fetch_as(target, mapping.object(target), &ids, Purpose::Counterpart).await?;
        }
        Ok(())
    }

    /// The next pairs that this run has read on one side only.
    async fn one_sided(
        &self,
        mapping: &ObjectMapping,
        read: Side,
        after: &mut PairId,
    ) -> Result<Option<Vec<Pair>>, SyncError> {
        let read_pairs = self
            .read_pairs
            .get(&mapping.id)
            .into_iter()
            .flat_map(|pairs| pairs.range((Excluded(*after), Unbounded)));
        let numbers: Vec<PairId> = read_pairs.take(limits::LOOKUP_RECORDS).copied().collect();
        let Some(last) = numbers.last() else {
            return Ok(None);
        };
        *after = *last;
        let mut pairs = self.engine.ledger.pairs(&numbers).await?;
        let run = Some(self.run.id);
        pairs.retain(|pair| pair.half(read).read == run && pair.half(read.other()).read != run);
        pairs.sort_by_key(|pair| pair.id);
        Ok(Some(pairs))
    }

    /// Looks up the counterparts of records that have none yet.
    async fn look_up(&mut self, mapping: &ObjectMapping, read: Side) -> Result<(), SyncError> {
        let mut after = 0;
        while let Some(mut pairs) = self.one_sided(mapping, read, &mut after).await? {
            let run = Some(self.run.id);
            pairs.retain(|pair| {
                !pair.is_linked() && pair.half(read).no_match_in != run && pair.status == Status::Todo
            });
            self.look_up_pairs(mapping, read, pairs).await?;
        }
        Ok(())
    }

    /// Looks up the counterparts of pairs that have a record on `read` only, and stores what was found: a
    /// link, a hold or a proof of absence. Does nothing where the other side supports no lookup.
    pub(super) async fn look_up_pairs(
        &mut self,
        mapping: &ObjectMapping,
        read: Side,
        pairs: Vec<Pair>,
    ) -> Result<(), SyncError> {
        let target = read.other();
        if mapping.identifiers.is_empty() || !self.exchange(target).can_find() {
            return Ok(());
        }
        let mut lookup = Lookup::new(mapping, target, pairs);
        if lookup.pairs.is_empty() {
            return Ok(());
        }
        lookup.add_sent(&self.engine.ledger.unanswered(&lookup.open()).await?);
        let lag = self.search_lag(mapping, target);
        if !self.run.options.follows_bookmarks() {
            // Nothing but the search tells of what was made just before.
            self.await_search(target, self.run.started.later_by(lag)).await?;
        }
        let Some((mut answer, mut owners)) = self.search(mapping, target, &lookup).await? else {
            return Ok(());
        };
        if !lag.is_zero() && self.is_outdated(mapping, target, &lookup, &answer, &owners).await? {
            self.await_search(target, self.now().later_by(lag)).await?;
            let Some(again) = self.search(mapping, target, &lookup).await? else { return Ok(()) };
            (answer, owners) = again;
        }
        let meanings = lookup.found(answer, &owners);
        let mut pairs = lookup.pairs;
        let mut found: BTreeMap<PairId, String> = BTreeMap::new();
        for (pair, meaning) in pairs.iter_mut().zip(meanings) {
            match meaning {
                Found::Nothing => pair.half_mut(read).no_match_in = Some(self.run.id),
                Found::Counterpart(id) => drop(found.insert(pair.id, id)),
                // What was looked for was deleted since: no other record is in its way.
                Found::Held(Reason::DuplicateOf { .. }) if pair.half(read).deleted.is_some() => {
                    pair.half_mut(read).no_match_in = Some(self.run.id);
                }
                Found::Held(reason) => self.hold(pair, mapping, read, reason),
            }
        }
        self.merge_counterparts(mapping, target, &mut pairs, &found, &owners).await?;
        found.retain(|_, id| !owners.contains_key(id));
        if found.is_empty() {
            Ok(())
        } else if self.has(mapping, target, Feature::ById) {
            self.fetch_found(mapping, target, found).await
        } else {
            self.link_unread(mapping, target, pairs, found).await
        }
    }

    /// Asks for the records of a lookup: the answer, and the pairs that have them.
    async fn search(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        lookup: &Lookup<'_>,
    ) -> Result<Option<Search>, SyncError> {
        let query = lookup.query();
        let Some(answer) = self.find(target, &query).await? else {
            return Ok(None);
        };
        if answer.len() != query.keys.len() {
            let what =
                format!("answered a lookup of {} keys with {} results", query.keys.len(), answer.len());
            return Err(self.protocol_violation(target, what));
        }
        let ids: BTreeSet<String> = answer.iter().flatten().cloned().collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let owners = self.engine.ledger.pairs_of(mapping.id, target, &ids).await?.into_iter();
        let owners = owners.filter_map(|pair| Some((pair.half(target).id.clone()?, pair))).collect();
        Ok(Some((answer, owners)))
    }

    /// Whether a search has found a record that is another one by now, as far as it is known or can be read.
    async fn is_outdated(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        lookup: &Lookup<'_>,
        answer: &[Vec<String>],
        owners: &HashMap<String, Pair>,
    ) -> Result<bool, SyncError> {
        if lookup.is_outdated(answer, |id| owners.get(id)) {
            return Ok(true);
        }
        let unknown: BTreeSet<&String> =
            answer.iter().flatten().filter(|id| !owners.contains_key(*id)).collect();
        let unknown: Vec<String> = unknown.into_iter().cloned().collect();
        if !self.has(mapping, target, Feature::ById) {
            return Ok(false);
        }
        let mut read: HashMap<String, Pair> = HashMap::new();
        for chunk in unknown.chunks(limits::LOOKUP_RECORDS) {
            let page = self.page_of(target, mapping.object(target), chunk).await?;
            read.extend(page.batches.iter().flat_map(|batch| as_pairs(mapping, target, batch)));
        }
        Ok(lookup.is_outdated(answer, |id| read.get(id)))
    }

    /// Waits until the search of a side finds what was made by `until` less its lag.
    pub(super) async fn await_search(&mut self, side: Side, until: Timestamp) -> Result<(), SyncError> {
        let rest = u64::try_from(until.since(self.now())).unwrap_or(0);
        if rest > 0 {
            let why = "until its search finds new records";
            self.wait(side, Duration::from_micros(rest), why).await?;
        }
        Ok(())
    }

    /// How long the search of a side may lag behind.
    pub(super) fn search_lag(&self, mapping: &ObjectMapping, side: Side) -> Duration {
        self.object(mapping, side).and_then(|object| object.search_lag).unwrap_or(Duration::ZERO)
    }

    /// Stores the results of a lookup. A counterpart that has a pair of its own is merged into the pair that
    /// found it.
    async fn merge_counterparts(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        pairs: &mut [Pair],
        found: &BTreeMap<PairId, String>,
        owners: &HashMap<String, Pair>,
    ) -> Result<(), SyncError> {
        let mut unit = self.begin().await?;
        let absorbed: Vec<PairId> =
            found.values().filter_map(|id| owners.get(id)).map(|pair| pair.id).collect();
        if !absorbed.is_empty() {
            unit.remove_pairs(&absorbed).await?;
        }
        for pair in pairs.iter_mut() {
            if let Some(alone) = found.get(&pair.id).and_then(|id| owners.get(id)) {
                *pair.half_mut(target) = alone.half(target).clone();
                pair.keys[target] = Some(identity::keys(mapping, target, |slot| alone.current(target, slot)));
                self.run.count(target, mapping.object(target)).matched += 1;
            }
        }
        unit.save_pairs(pairs).await?;
        Ok(unit.commit_soon().await?)
    }

    /// Links counterparts that cannot be read by id. Their pairs are held until a report tells the values,
    /// and whether the records meet the filter.
    async fn link_unread(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        mut pairs: Vec<Pair>,
        mut found: BTreeMap<PairId, String>,
    ) -> Result<(), SyncError> {
        pairs.retain(|pair| found.contains_key(&pair.id));
        for pair in &mut pairs {
            pair.half_mut(target).id = found.remove(&pair.id);
            let object = mapping.object(target).to_owned();
            self.hold(pair, mapping, target.other(), Reason::NotReadYet { side: target, object });
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        Ok(unit.commit_soon().await?)
    }

    /// Reads the records that were found for these pairs.
    async fn fetch_found(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        found: BTreeMap<PairId, String>,
    ) -> Result<(), SyncError> {
        let ids: Vec<String> = found.values().cloned().collect();
        for chunk in ids.chunks(limits::LOOKUP_RECORDS) {
            let page = self.page_of(target, mapping.object(target), chunk).await?;
            // The page is taken in with the pairs that found its records.
            self.take_in_found(mapping, target, page, &found).await?;
        }
        Ok(())
    }

    async fn take_in_found(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        page: Page,
        found: &BTreeMap<PairId, String>,
    ) -> Result<(), SyncError> {
        let read: HashSet<&str> =
            page.batches.iter().flat_map(|batch| &batch.rows).map(|row| row.id.as_str()).collect();
        let numbers: Vec<PairId> = found.keys().copied().collect();
        let mut pairs = self.engine.ledger.pairs(&numbers).await?;
        pairs.retain(|pair| pair.mapping == mapping.id && pair.half(target).id.is_none());
        for pair in &mut pairs {
            if let Some(id) = found.get(&pair.id).filter(|id| read.contains(id.as_str())) {
                pair.half_mut(target).id = Some(id.clone());
                self.run.count(target, mapping.object(target)).matched += 1;
            }
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        unit.commit_soon().await?;
        self.take_in(target, page, None, Purpose::Counterpart).await
    }

    /// Holds a pair: it waits for the operator, with this reason.
    pub(super) fn hold(&mut self, pair: &mut Pair, mapping: &ObjectMapping, side: Side, reason: Reason) {
        let counts = self.run.count(side, mapping.object(side));
        counts.held += 1;
        counts.because(&reason);
        pair.status = Status::Held;
        pair.reason = Some(reason);
    }

    /// Reads the records of pairs that are held until they have been read, where the side can be read by id.
    pub(super) async fn read_awaited(&mut self) -> Result<(), SyncError> {
        let definition = self.definition;
        for mapping in &definition.mappings {
            for code in [Code::NotReadYet, Code::Unreadable] {
                self.read_held(mapping, code).await?;
            }
        }
        Ok(())
    }

    async fn read_held(&mut self, mapping: &ObjectMapping, code: Code) -> Result<(), SyncError> {
        let mut after = 0;
        loop {
            self.check_stop()?;
            let held = self.engine.ledger.held(mapping.id, code, after, limits::LOOKUP_RECORDS);
            let pairs = held.await?;
            let Some(last) = pairs.last() else { return Ok(()) };
            after = last.id;
            for side in Side::BOTH {
                if !self.has(mapping, side, Feature::ById) {
                    continue;
                }
                // What this run has found to be unreadable is not asked for again.
                let awaited = |pair: &&Pair| match pair.reason {
                    Some(Reason::NotReadYet { side: awaited, .. }) => awaited == side,
                    Some(Reason::Unreadable { side: awaited, .. }) => {
                        awaited == side && pair.half(side).read != Some(self.run.id)
                    }
                    _ => false,
                };
                let ids = pairs.iter().filter(awaited).filter_map(|pair| pair.half(side).id.clone());
                let ids: Vec<String> = ids.collect();
                self.fetch_as(side, mapping.object(side), &ids, Purpose::Counterpart).await?;
            }
        }
    }

    /// Reads survivors of an unlink or undo again that have a counterpart now, since the evidence for their values is
    /// gone. Returns whether any was read.
    pub(super) async fn read_survivors(
        &mut self,
        mapping: &ObjectMapping,
        pairs: &[Pair],
    ) -> Result<bool, SyncError> {
        let mut any = false;
        for side in Side::BOTH {
            let undated = |seen: &Seen| seen.time.is_none();
            let survived = |pair: &&Pair| {
                let half = pair.half(side);
                pair.is_linked()
                    && pair.agreed.is_empty()
                    && (half.read < Some(self.run.id) || self.forgotten.contains(&pair.id))
                    && half.seen.iter().flatten().any(undated)
            };
            let ids: Vec<String> =
                pairs.iter().filter(survived).filter_map(|pair| pair.half(side).id.clone()).collect();
            if !self.has(mapping, side, Feature::ById) {
                any |= self.date_survivors(pairs, side).await?;
                continue;
            }
            if ids.is_empty() || self.read_error.is_some() {
                continue;
            }
            self.fetch_as(side, mapping.object(side), &ids, Purpose::Reread).await?;
            any = true;
        }
        for pair in pairs {
            self.forgotten.remove(&pair.id);
        }
        Ok(any)
    }

    /// Dates the values of survivors that cannot be read again: none is younger than the record was when it was read.
    /// Returns whether there was any.
    async fn date_survivors(&mut self, pairs: &[Pair], side: Side) -> Result<bool, SyncError> {
        let mut dated = Vec::new();
        for pair in pairs.iter().filter(|pair| pair.is_linked() && pair.agreed.is_empty()) {
            let Some(changed) = pair.half(side).changed else { continue };
            let mut pair = pair.clone();
            let undated = pair.half_mut(side).seen.iter_mut().flatten().filter(|seen| seen.time.is_none());
            if undated.map(|seen| seen.time = Some(FieldTime::by(changed))).count() > 0 {
                dated.push(pair);
            }
        }
        if !dated.is_empty() {
            let mut unit = self.begin().await?;
            unit.save_pairs(&mut dated).await?;
            unit.commit_soon().await?;
        }
        Ok(!dated.is_empty())
    }

    /// Looks records up by identifiers; `None` where the side does not support it after all.
    async fn find(&mut self, side: Side, query: &Query) -> Result<Option<Vec<Vec<String>>>, SyncError> {
        let mut tries = Tries::default();
        loop {
            match self.exchange(side).find(query).await {
                Ok(found) => return Ok(Some(found)),
                Err(error) if error.code == codes::UNSUPPORTED => return Ok(None),
                Err(error) if self.back_off(side, &error, &mut tries).await? => {}
                Err(error) => return Err(self.call_failed(side, "look records up", error)),
            }
        }
    }

    /// Reads records by id, in batches, and takes them in.
    pub(super) async fn fetch_as(
        &mut self,
        side: Side,
        object: &str,
        ids: &[String],
        purpose: Purpose,
    ) -> Result<(), SyncError> {
        for chunk in ids.chunks(limits::LOOKUP_RECORDS) {
            let page = self.page_of(side, object, chunk).await?;
            self.take_in(side, page, None, purpose).await?;
        }
        Ok(())
    }

    /// Reads records by id and joins the pages of the answer into one.
    pub(super) async fn page_of(
        &mut self,
        side: Side,
        object: &str,
        ids: &[String],
    ) -> Result<Page, SyncError> {
        self.check_stop()?;
        let fields = self
            .wanted(side)
            .into_iter()
            .find(|(mapped, _)| mapped == object)
            .map(|(_, fields)| fields)
            .unwrap_or_default();
        let mut request = ReportRequest {
            cursor: None,
            iteration: 0,
            objects: vec![Wanted {
                object: object.to_owned(),
                fields,
                ids: ids.to_vec(),
                window: Window { since: None, until: self.now() },
                bookmark: None,
                full: false,
            }],
            first_time: self.run.options.is_first_time(),
            limit: limits::LOOKUP_RECORDS as u32,
            options: self.run.options.options.clone(),
            sync: self.definition.name.clone(),
        };
        let mut whole = Page::default();
        let mut seen = HashSet::new();
        loop {
            self.check_stop()?;
            let mut page = self.page(side, &request).await?;
            self.told = self.told.saturating_add(page.size());
            // Rows that were not asked for are dropped.
            for batch in &mut page.batches {
                batch.rows.retain(|row| ids.contains(&row.id));
                batch.deleted.retain(|deletion| ids.contains(&deletion.id));
                batch.bad.retain(|bad| bad.id.as_ref().is_none_or(|id| ids.contains(id)));
            }
            page.batches.retain(|batch| !batch.is_empty());
            whole.batches.extend(page.batches);
            whole.conversions.extend(page.conversions);
            whole.state.extend(page.state);
            if whole.size() > MOST_ANSWERS {
                let what = format!("answered {} rows to a request for {} records", whole.size(), ids.len());
                return Err(self.protocol_violation(side, what));
            }
            let Some(next) = page.next else { break };
            if !seen.insert(fingerprint(&next)) {
                return Err(self.protocol_violation(
                    side,
                    "answered a page of records by id with a cursor that it was at",
                ));
            }
            self.check_told()?;
            request.cursor = Some(next);
            request.iteration += 1;
        }
        Ok(whole)
    }
}
