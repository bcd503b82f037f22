//! Counterparts: the other half of what one side reported is fetched by its id or looked for, and parents
//! that nobody reported are fetched because a record refers to them.

use super::definition::ObjectMapping;
use super::error::SyncError;
use super::exchange::{Query, codes};
use super::feature::Feature;
use super::identity;
use super::intake::Purpose;
use super::limits;
use super::number::PairId;
use super::order::Action;
use super::pair::{Pair, Status};
use super::reason::{Reason, RecordRef};
use super::report::{Page, ReportRequest, Wanted, Window};
use super::session::{Session, Tries};
use entente_core::Side;
use std::collections::HashMap;
use std::ops::Bound::{Excluded, Unbounded};

impl Session<'_> {
    /// Brings the other half of every record that was read in this run. Needed where a side was not listed:
    /// by window or ids.
    pub(super) async fn meet(&mut self) -> Result<(), SyncError> {
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

    /// The next pairs that this run has read on this side only.
    async fn one_sided(
        &self,
        mapping: &ObjectMapping,
        read: Side,
        after: &mut PairId,
    ) -> Result<Option<Vec<Pair>>, SyncError> {
        let taken = self
            .taken
            .get(&mapping.id)
            .into_iter()
            .flat_map(|taken| taken.range((Excluded(*after), Unbounded)));
        let numbers: Vec<PairId> = taken.take(limits::LOOKUP_RECORDS).copied().collect();
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

    /// Looks on the other side for records that have no counterpart yet.
    async fn look_up(&mut self, mapping: &ObjectMapping, read: Side) -> Result<(), SyncError> {
        let mut after = 0;
        while let Some(mut pairs) = self.one_sided(mapping, read, &mut after).await? {
            let run = Some(self.run.id);
            pairs.retain(|pair| {
                !pair.is_linked() && pair.half(read).alone != run && pair.status == Status::Todo
            });
            self.look_up_pairs(mapping, read, pairs).await?;
        }
        Ok(())
    }

    /// Looks for the counterparts of these pairs, which have a record on `read` only. Where the other side
    /// cannot look, nothing is known afterwards that was not known before.
    pub(super) async fn look_up_pairs(
        &mut self,
        mapping: &ObjectMapping,
        read: Side,
        mut pairs: Vec<Pair>,
    ) -> Result<(), SyncError> {
        let target = read.other();
        if mapping.identifiers.is_empty() || !self.exchange(target).can_find() {
            return Ok(());
        }
        let fields: Vec<String> = mapping
            .identifiers
            .iter()
            .filter_map(|slot| Some(mapping.field(*slot)?.name(target).to_owned()))
            .collect();
        pairs.retain(|pair| !pair.is_linked());
        // A record without any identifier cannot be found, and its absence cannot be proven this way.
        let keys: Vec<_> = pairs
            .iter()
            .map(|pair| identity::lookup_key(mapping, target, |slot| pair.current(read, slot)))
            .collect();
        let all = mapping.identify_by == super::definition::IdentifyBy::All;
        let usable = |key: &Vec<Option<entente_core::Value>>| {
            if all { key.iter().all(Option::is_some) } else { key.iter().any(Option::is_some) }
        };
        let (mut pairs, keys): (Vec<Pair>, Vec<_>) =
            pairs.into_iter().zip(keys).filter(|(_, key)| usable(key)).unzip();
        if pairs.is_empty() {
            return Ok(());
        }
        // What was sent and never answered may be there under the identifiers of then.
        let open: Vec<PairId> = pairs
            .iter()
            .filter(|pair| pair.attempts > 0 || pair.status == Status::Live)
            .map(|pair| pair.id)
            .collect();
        let sent: Vec<(PairId, Vec<_>)> = self
            .engine
            .ledger
            .unanswered(&open)
            .await?
            .iter()
            .filter(|change| change.action == Action::Create && change.target == target)
            .map(|change| {
                (change.pair, identity::lookup_key(mapping, target, |slot| identity::sent(change, slot)))
            })
            .filter(|(_, key)| usable(key))
            .collect();
        let asked = keys.into_iter().chain(sent.iter().map(|(_, key)| key.clone())).collect();
        let query = Query { object: mapping.object(target).to_owned(), fields, keys: asked, all };
        let Some(mut found) = self.find(target, &query).await? else {
            return Ok(());
        };
        if found.len() != query.keys.len() {
            return Err(self.broke(
                target,
                format!("answered {} keys when {} were looked up", found.len(), query.keys.len()),
            ));
        }
        let found_as_sent = found.split_off(pairs.len());
        let mut ids: Vec<String> = found.iter().chain(&found_as_sent).flatten().cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        let taken: HashMap<String, Pair> = self
            .engine
            .ledger
            .pairs_of(mapping.id, target, &ids)
            .await?
            .into_iter()
            .filter_map(|pair| Some((pair.half(target).id.clone()?, pair)))
            .collect();
        for ((number, _), mut as_sent) in sent.iter().zip(found_as_sent) {
            as_sent.retain(|id| taken.get(id).is_none_or(|owner| owner.half(read).id.is_none()));
            if let Some(place) =
                pairs.iter().position(|pair| pair.id == *number).filter(|_| !as_sent.is_empty())
            {
                found[place] = as_sent;
            }
        }
        let mut hints: HashMap<String, PairId> = HashMap::new();
        let mut wanted = Vec::new();
        for (pair, found) in pairs.iter_mut().zip(&found) {
            let mut candidates: Vec<&String> = found.iter().collect();
            candidates.sort_unstable();
            candidates.dedup();
            match candidates.as_slice() {
                [] => pair.half_mut(read).alone = Some(self.run.id),
                [id] => match taken.get(*id) {
                    Some(owner) if owner.half(read).id.is_some() => {
                        let of = owner.half(read).id.clone().unwrap_or_default();
                        let reason = Reason::duplicate(RecordRef::new(read, mapping.object(read), &of));
                        self.hold(pair, mapping, read, reason);
                    }
                    // The record is known and alone: both halves become one pair.
                    Some(_) | None if !hints.contains_key(*id) => {
                        hints.insert((*id).clone(), pair.id);
                        wanted.push((*id).clone());
                    }
                    _ => {
                        let reason = Reason::DuplicateOf { record: None, preferred: false, became: None };
                        self.hold(pair, mapping, read, reason);
                    }
                },
                several => {
                    let object = mapping.object(target);
                    let records = several.iter().map(|id| RecordRef::new(target, object, id)).collect();
                    self.hold(pair, mapping, read, Reason::Ambiguous { records });
                }
            }
        }
        // Halves that wait alone for a partner give their record to the pair that has found it.
        let absorbed: Vec<PairId> = taken
            .values()
            .filter(|pair| hints.contains_key(pair.half(target).id.as_deref().unwrap_or_default()))
            .map(|pair| pair.id)
            .collect();
        let mut unit = self.begin().await?;
        if !absorbed.is_empty() {
            unit.remove_pairs(&absorbed).await?;
            for pair in &mut pairs {
                let Some((id, _)) = hints.iter().find(|(_, number)| **number == pair.id) else {
                    continue;
                };
                if let Some(alone) = taken.get(id) {
                    *pair.half_mut(target) = alone.half(target).clone();
                    pair.keys[target] =
                        Some(identity::keys(mapping, target, |slot| alone.current(target, slot)));
                    self.run.count(target, mapping.object(target)).matched += 1;
                }
            }
        }
        unit.save_pairs(&mut pairs).await?;
        unit.commit().await?;
        wanted.retain(|id| !taken.contains_key(id));
        if wanted.is_empty() {
            return Ok(());
        }
        if self.has(mapping, target, Feature::ById) {
            return self.fetch_found(mapping, target, &wanted, hints).await;
        }
        // The record cannot be read by itself: the link is made, and waits until a report says what the
        // record has, and whether it takes part at all.
        let mut linked: Vec<Pair> =
            pairs.into_iter().filter(|pair| hints.values().any(|number| *number == pair.id)).collect();
        for pair in &mut linked {
            pair.half_mut(target).id =
                hints.iter().find(|(_, number)| **number == pair.id).map(|(id, _)| id.clone());
            let object = mapping.object(target).to_owned();
            self.hold(pair, mapping, read, Reason::NotReadYet { side: target, object });
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut linked).await?;
        unit.commit().await?;
        Ok(())
    }

    async fn fetch_found(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        ids: &[String],
        hints: HashMap<String, PairId>,
    ) -> Result<(), SyncError> {
        for chunk in ids.chunks(limits::LOOKUP_RECORDS) {
            let page = self.page_of(target, mapping.object(target), chunk).await?;
            // The pairs that looked must be among those that the page touches.
            self.take_in_found(mapping, target, page, hints.clone()).await?;
        }
        Ok(())
    }

    async fn take_in_found(
        &mut self,
        mapping: &ObjectMapping,
        target: Side,
        page: Page,
        hints: HashMap<String, PairId>,
    ) -> Result<(), SyncError> {
        let numbers: Vec<PairId> = hints.values().copied().collect();
        let mut pairs = self.engine.ledger.pairs(&numbers).await?;
        pairs.retain(|pair| pair.mapping == mapping.id && pair.half(target).id.is_none());
        for pair in &mut pairs {
            let id = hints.iter().find(|(_, number)| **number == pair.id).map(|(id, _)| id.clone());
            let exists =
                page.batches.iter().any(|batch| batch.rows.iter().any(|row| Some(&row.id) == id.as_ref()));
            if exists {
                pair.half_mut(target).id = id;
                self.run.count(target, mapping.object(target)).matched += 1;
            }
        }
        let mut unit = self.begin().await?;
        unit.save_pairs(&mut pairs).await?;
        unit.commit().await?;
        self.take_in(target, page, None, Purpose::Counterpart).await
    }

    pub(super) fn hold(&mut self, pair: &mut Pair, mapping: &ObjectMapping, side: Side, reason: Reason) {
        let counts = self.run.count(side, mapping.object(side));
        counts.held += 1;
        counts.because(&reason);
        pair.status = Status::Held;
        pair.reason = Some(reason);
    }

    /// Asks for records by identifiers; `None` where the side does not do this after all.
    async fn find(&mut self, side: Side, query: &Query) -> Result<Option<Vec<Vec<String>>>, SyncError> {
        let mut tries = Tries::default();
        loop {
            match self.exchange(side).find(query).await {
                Ok(found) => return Ok(Some(found)),
                Err(error) if error.code == codes::UNSUPPORTED => return Ok(None),
                Err(error) if self.wait_out(side, &error, &mut tries).await? => {}
                Err(error) => return Err(self.failed(side, "look records up", error)),
            }
        }
    }

    /// Reads records by their ids.
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

    async fn page_of(&mut self, side: Side, object: &str, ids: &[String]) -> Result<Page, SyncError> {
        self.check_stop()?;
        let fields = self
            .wanted(side)
            .into_iter()
            .find(|wanted| wanted.object == object)
            .map(|wanted| wanted.fields)
            .unwrap_or_default();
        let mut request = ReportRequest {
            window: Window { since: None, until: self.now() },
            cursor: None,
            bookmark: None,
            iteration: 0,
            objects: vec![Wanted { object: object.to_owned(), fields, ids: ids.to_vec() }],
            first_time: self.run.options.is_first_time(),
            full: false,
            limit: limits::LOOKUP_RECORDS as u32,
            options: self.run.options.options.clone(),
            sync: self.definition.name.clone(),
        };
        let mut whole = Page::default();
        loop {
            let page = self.page(side, &request).await?;
            whole.batches.extend(page.batches);
            whole.conversions.extend(page.conversions);
            whole.state.extend(page.state);
            match page.next {
                Some(next) if request.cursor.as_ref() != Some(&next) => {
                    request.cursor = Some(next);
                    request.iteration += 1;
                }
                Some(_) => {
                    return Err(self.broke(side, "answered a page with the cursor that it was given"));
                }
                None => break,
            }
        }
        // What was not asked for is not taken, so that a report by ids stays one.
        for batch in &mut whole.batches {
            batch.rows.retain(|row| ids.contains(&row.id));
            batch.deleted.retain(|deletion| ids.contains(&deletion.id));
        }
        Ok(whole)
    }
}
