//! Intake: upserts a page of reported records into pairs, matches records without a pair by their
//! identifiers, and commits the page in one transaction with the cursor of the next.

use super::change::{Change, ChangedField};
use super::convert::{is_left_over, mark_for_decision};
use super::definition::ObjectMapping;
use super::error::SyncError;
use super::feature::Feature;
use super::filter::{Candidate, better, takes_part};
use super::identity;
use super::notice::Oddity;
use super::number::{Column, MappingId, PairId, Slot};
use super::pair::{Half, MatchKey, Pair, Status};
use super::progress::Progress;
use super::reason::Reason;
use super::report::{Batch, Page, Row};
use super::reported::{Arrival, apply_row, columns_of, on_reported, value_at};
use super::session::{Purpose, Session};
use super::settle::set_landed;
use super::subject::{RecordRef, RemoteSaid};
use super::working::{Entry, Match, Working};
use entente_core::{Reference, Side, Sides};
use std::collections::BTreeMap;

/// Whether a row is dated before what is known of its record.
fn is_earlier(half: &Half, row: &Row) -> bool {
    let earlier = matches!((row.changed, half.changed), (Some(told), Some(known)) if told < known);
    earlier && half.deleted.is_none()
}

fn differs(pair: &Pair, side: Side, columns: &[(Slot, Column)], row: &Row) -> bool {
    let known =
        |slot: Slot| value_at(columns, row, slot).is_none_or(|told| pair.current(side, slot) == Some(told));
    !columns.iter().all(|(slot, _)| known(*slot))
}

/// Whether a row tells what its record had before the last write, and nothing else.
fn is_as_before(
    written: &[ChangedField],
    pair: &Pair,
    side: Side,
    columns: &[(Slot, Column)],
    row: &Row,
) -> bool {
    columns.iter().all(|(slot, _)| {
        let Some(told) = value_at(columns, row, *slot) else { return true };
        let before = written.iter().find(|field| field.slot == *slot).and_then(|field| field.base.as_ref());
        pair.current(side, *slot) == Some(told) || before == Some(told)
    })
}

/// Whether a report tells a record once more with other values, and nothing says which of the two is newer.
fn is_told_twice(pair: &Pair, side: Side, row: &Row, columns: &[(Slot, Column)], arrival: Arrival) -> bool {
    let half = pair.half(side);
    let undated = row.changed.is_none() && half.changed.is_none() && row.times.iter().all(Option::is_none);
    undated && half.read == Some(arrival.run) && half.deleted.is_none() && differs(pair, side, columns, row)
}

impl Session<'_> {
    /// Stores a page with the read position after it.
    pub(super) async fn take_in(
        &mut self,
        side: Side,
        mut page: Page,
        mut progress: Option<&mut Progress>,
        purpose: Purpose,
    ) -> Result<(), SyncError> {
        let remaining = page.remaining;
        let rows: u64 = page.batches.iter().map(|batch| (batch.rows.len() + batch.bad.len()) as u64).sum();
        self.check_rows(side, rows)?;
        let definition = self.definition;
        self.follow_conversions(side, &mut page.conversions);
        self.convert_across(side, &page.conversions).await?;
        let (mut works, mut ended) = (Vec::new(), Sides::<Vec<Reference>>::default());
        for mapping in &definition.mappings {
            let batches: Vec<&Batch> =
                page.batches.iter().filter(|batch| batch.object == mapping.object(side)).collect();
            if batches.is_empty() && page.conversions.is_empty() {
                continue;
            }
            let mut work = self.load(mapping, side, &batches, &page).await?;
            ended[side].extend(self.convert(&mut work, &page));
            let arrival = self.arrival(side, mapping.object(side));
            for batch in batches {
                self.take_in_batch(&mut work, batch, arrival, purpose);
            }
            self.ended[side].extend(work.left.iter().cloned());
            ended[side].append(&mut work.left);
            works.push(work);
        }
        self.count_page(side, &page, purpose);
        self.notice_clock(side, &page, self.now());
        let stored = self.take_doubted(side, progress.as_deref_mut()).await?;
        let mut unit = self.begin().await?;
        let mut revisits: BTreeMap<MappingId, Vec<PairId>> = BTreeMap::new();
        let mut read_pairs: BTreeMap<MappingId, Vec<PairId>> = BTreeMap::new();
        for mut work in works {
            unit.remove_pairs(&work.removed).await?;
            let mapping = work.mapping.id;
            let mut landed = self.found_landed(std::mem::take(&mut work.landed));
            unit.save_changes(&mut landed).await?;
            let mut pairs = work.into_touched();
            unit.save_pairs(&mut pairs).await?;
            if !self.run.options.follows_bookmarks() {
                read_pairs.entry(mapping).or_default().extend(pairs.iter().map(|pair| pair.id));
            }
            if purpose == Purpose::Parent {
                let numbers = pairs.iter().filter(|pair| pair.status == Status::Todo).map(|pair| pair.id);
                revisits.entry(mapping).or_default().extend(numbers);
            }
        }
        self.requeue_referring(unit.as_mut(), ended).await?;
        if let Some(progress) = progress.as_deref().or(stored.as_ref()) {
            unit.save_progress(&self.definition.name, side, progress).await?;
        }
        if !page.state.is_empty() && !self.run.options.is_dry() {
            unit.save_state(self.exchange(side).name(), &page.state).await?;
        }
        unit.save_run(&self.run).await?;
        unit.commit_soon().await?;
        for (mapping, numbers) in read_pairs {
            self.read_pairs.entry(mapping).or_default().extend(numbers);
        }
        for (mapping, numbers) in revisits {
            self.revisits.entry(mapping).or_default().extend(numbers);
        }
        self.engine.observer.collected(side, rows, remaining);
        Ok(())
    }

    /// What is stored at once of the updates that were found to have landed. An undo decides first.
    fn found_landed(&mut self, mut landed: Vec<Change>) -> Vec<Change> {
        let now = self.now();
        for change in &mut landed {
            set_landed(change, now);
        }
        if self.run.options.undoes().is_none() {
            return landed;
        }
        self.found_landed.append(&mut landed);
        landed
    }

    /// Stores which updates an undo has found to have landed. Its dry run keeps nothing of what it reads.
    pub(super) async fn save_landed(&mut self) -> Result<(), SyncError> {
        let mut landed = std::mem::take(&mut self.found_landed);
        if landed.is_empty() || self.run.options.is_dry() {
            return Ok(());
        }
        let mut unit = self.begin().await?;
        unit.save_changes(&mut landed).await?;
        Ok(unit.commit().await?)
    }

    fn check_rows(&self, side: Side, rows: u64) -> Result<(), SyncError> {
        if rows <= u64::from(self.page_rows(side)).max(super::limits::LOOKUP_RECORDS as u64) {
            return Ok(());
        }
        let what = format!("answered a page of {rows} rows, more than were asked for");
        Err(self.protocol_violation(side, what))
    }

    /// Counts the records of a page, as far as the reason for reading them is counted.
    fn count_page(&mut self, side: Side, page: &Page, purpose: Purpose) {
        for batch in &page.batches {
            if matches!(purpose, Purpose::Report | Purpose::Counterpart) {
                *self.read[side].entry(batch.object.clone()).or_default() += batch.rows.len() as u64;
            }
            if purpose != Purpose::Report {
                continue;
            }
            let counts = self.run.count(side, &batch.object);
            counts.reported += (batch.rows.len() + batch.bad.len()) as u64;
            for bad in &batch.bad {
                counts.failed += 1;
                counts.because(&Reason::Unreadable {
                    side,
                    object: batch.object.clone(),
                    id: bad.id.clone(),
                    said: RemoteSaid::text(&bad.reason),
                });
            }
        }
    }

    /// Loads the working set of a page: pairs by record id, and pairs by match key of either side.
    async fn load<'m>(
        &self,
        mapping: &'m ObjectMapping,
        side: Side,
        batches: &[&Batch],
        page: &Page,
    ) -> Result<Working<'m>, SyncError> {
        let ledger = self.engine.ledger;
        let mut work = Working::new(mapping, side);
        let mut ids: Vec<String> = Vec::new();
        for batch in batches {
            ids.extend(batch.rows.iter().map(|row| row.id.clone()));
            ids.extend(batch.deleted.iter().map(|deletion| deletion.id.clone()));
            ids.extend(batch.bad.iter().filter_map(|bad| bad.id.clone()));
        }
        for conversion in &page.conversions {
            ids.extend([conversion.before.id.clone(), conversion.after.id.clone()]);
        }
        ids.sort_unstable();
        ids.dedup();
        for pair in ledger.pairs_of(mapping.id, side, &ids).await? {
            work.add(pair);
        }
        let mut keys: Vec<MatchKey> = Vec::new();
        for batch in batches {
            let columns = columns_of(mapping, side, batch);
            // A linked record keeps its counterpart: it needs no match, but with new identifiers it may meet one that
            // has none.
            let known = |row: &&Row| {
                let pair = work.by_id.get(&row.id).map(|entry| &work.pairs[*entry]);
                pair.is_some_and(|pair| {
                    pair.is_linked()
                        && !identity::is_new(mapping, pair, side, |slot| value_at(&columns, row, slot))
                })
            };
            for row in batch.rows.iter().filter(|row| !known(row)) {
                keys.extend(identity::keys(mapping, side, |slot| value_at(&columns, row, slot)));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        if !keys.is_empty() {
            for owner_side in Side::BOTH {
                let found = ledger.pairs_by_key(mapping.id, owner_side, &keys).await?;
                let mut numbers: Vec<PairId> = found.iter().map(|(_, number)| *number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                numbers.retain(|number| !work.by_number.contains_key(number));
                for pair in ledger.pairs(&numbers).await? {
                    work.add(pair);
                }
                for (key, number) in found {
                    if let Some(entry) = work.by_number.get(&number).copied() {
                        work.note_keys(owner_side, std::slice::from_ref(&key), entry);
                    }
                }
            }
        }
        let open = |pair: &&Pair| pair.attempts > 0 || (pair.status == Status::Live && !pair.is_linked());
        let open: Vec<PairId> = work.pairs.iter().filter(open).map(|pair| pair.id).collect();
        self.load_replaced(&mut work, side, batches).await?;
        for change in ledger.unanswered(&open).await? {
            work.unanswered.entry(change.pair).or_default().push(change);
        }
        Ok(work)
    }

    /// Notes in the read position what a page has put in doubt. Returns the position where the page moves none, and it is to be
    /// stored all the same.
    async fn take_doubted(
        &mut self,
        side: Side,
        progress: Option<&mut Progress>,
    ) -> Result<Option<Progress>, SyncError> {
        let doubted = std::mem::take(&mut self.doubted[side]);
        if doubted.is_empty() {
            return Ok(None);
        }
        if let Some(progress) = progress {
            doubted.iter().for_each(|object| progress.doubt(object));
            return Ok(None);
        }
        let mut stored = self.engine.ledger.progress(&self.definition.name, side).await?;
        doubted.iter().for_each(|object| stored.doubt(object));
        Ok(Some(stored))
    }

    /// Loads what was replaced by the last write to the records that are told as they may have been before it, on a side that
    /// cannot be asked what they have now.
    async fn load_replaced(
        &self,
        work: &mut Working<'_>,
        side: Side,
        batches: &[&Batch],
    ) -> Result<(), SyncError> {
        if self.has(work.mapping, side, Feature::ById) {
            return Ok(());
        }
        for batch in batches {
            let columns = columns_of(work.mapping, side, batch);
            for row in &batch.rows {
                let Some(entry) = work.by_id.get(&row.id) else { continue };
                let pair = &work.pairs[*entry];
                if is_earlier(pair.half(side), row) && differs(pair, side, &columns, row) {
                    let pair = pair.id;
                    work.replaced.insert(pair, self.last_update(pair, side).await?);
                }
            }
        }
        Ok(())
    }

    /// Applies the rows and deletions of a batch to the working set.
    fn take_in_batch(&mut self, work: &mut Working<'_>, batch: &Batch, arrival: Arrival, purpose: Purpose) {
        let (mapping, side) = (work.mapping, work.side);
        let columns = columns_of(mapping, side, batch);
        let object = mapping.object(side);
        for row in &batch.rows {
            let by_name = |name: &str| {
                let column = batch.fields.iter().position(|field| field == name)?;
                row.values.get(column)?.as_ref()
            };
            let inside = takes_part(&mapping.filters[side], by_name);
            let keys = identity::keys(mapping, side, |slot| value_at(&columns, row, slot));
            let mut known = work.by_id.get(&row.id).copied();
            if purpose == Purpose::Report
                && known.is_some_and(|entry| self.tells_the_past(work, entry, row, &columns, arrival))
            {
                continue;
            }
            if purpose == Purpose::Report
                && known.is_some_and(|entry| is_told_twice(&work.pairs[entry], side, row, &columns, arrival))
            {
                self.run.invalid_answers(side, object, Oddity::ToldTwice, 1);
            }
            let left_out = known.is_some_and(|entry| work.pairs[entry].half(side).left_out);
            if !inside || left_out {
                // A record outside the filter is not matched, except with a create of ours that was never
                // answered.
                known = known.or_else(|| work.sent_as(&keys));
                self.run.count(side, object).excluded += 1;
                if let Some(entry) = known {
                    let pair = &mut work.pairs[entry];
                    if apply_row(pair, side, &columns, row, arrival) && self.recognises(mapping) {
                        identity::renew(mapping, pair, side);
                    }
                    pair.half_mut(side).filtered = !inside;
                    work.leave_out(entry);
                }
                continue;
            }
            match known {
                Some(entry) => self.take_in_known(work, entry, row, &columns, keys, arrival, purpose),
                None => self.take_in_unknown(work, row, &columns, keys, arrival, purpose),
            }
        }
        self.take_in_bad(work, batch);
        for deletion in &batch.deleted {
            let Some(entry) = work.by_id.get(&deletion.id).copied() else {
                continue;
            };
            let at = deletion.deleted.unwrap_or(arrival.at).min(arrival.at);
            if work.pairs[entry].half(side).deleted.is_none() {
                self.note_deletion(mapping, &mut work.pairs[entry], side, at);
            }
            work.pairs[entry].half_mut(side).read = Some(self.run.id);
            work.touch(entry);
        }
    }

    /// Whether a row tells a state of its record that is no longer the latest: as it was before the one that this run has read
    /// already, or before the last write. Where that is not plain, the record is read again before anything is decided.
    fn tells_the_past(
        &mut self,
        work: &mut Working<'_>,
        entry: Entry,
        row: &Row,
        columns: &[(Slot, Column)],
        arrival: Arrival,
    ) -> bool {
        let (mapping, side) = (work.mapping, work.side);
        let pair = &work.pairs[entry];
        let earlier = is_earlier(pair.half(side), row);
        if earlier && pair.half(side).read == Some(arrival.run) {
            return true;
        }
        if !earlier || !differs(pair, side, columns, row) {
            return false;
        }
        if self.exchange(side).local().is_none() && self.has(mapping, side, Feature::ById) {
            let pair = &mut work.pairs[entry];
            if matches!(pair.status, Status::Ok | Status::Todo | Status::Failed) {
                pair.status = Status::Held;
                pair.reason = Some(Reason::NotReadYet { side, object: mapping.object(side).to_owned() });
            } else {
                self.stale.entry((mapping.id, side)).or_default().push(row.id.clone());
                // Where the run ends before it is read again, nothing else tells it.
                self.doubted[side].insert(mapping.object(side).to_owned());
            }
        } else {
            let not_read = Reason::NotReadYet { side, object: mapping.object(side).to_owned() };
            // What two runs are told is no copy of before: it has been given an earlier time.
            let again = pair.status == Status::Held && pair.reason.as_ref() == Some(&not_read);
            let as_before =
                work.replaced.get(&pair.id).is_some_and(|by| is_as_before(by, pair, side, columns, row));
            if again || !as_before {
                return false;
            }
            let pair = &mut work.pairs[entry];
            if matches!(pair.status, Status::Ok | Status::Todo | Status::Failed) {
                pair.status = Status::Held;
                pair.reason = Some(not_read);
            }
            self.doubted[side].insert(mapping.object(side).to_owned());
        }
        // It is there all the same.
        work.pairs[entry].half_mut(side).read = Some(arrival.run);
        work.touch(entry);
        true
    }

    /// Holds the pairs of records that cannot be read until they can: what they have by now is not known, so that nothing is
    /// written over it. They are there, and do not count as deleted after a complete listing.
    fn take_in_bad(&mut self, work: &mut Working<'_>, batch: &Batch) {
        let side = work.side;
        for bad in &batch.bad {
            let Some(id) = &bad.id else { continue };
            let entry = match work.by_id.get(id) {
                Some(entry) => *entry,
                None => {
                    // So that it is read again, and counted until then: its page may never come again.
                    let mut pair = Pair::new(work.mapping.id);
                    pair.half_mut(side).id = Some(id.clone());
                    pair.keys[side] = Some(Vec::new());
                    let entry = work.add(pair);
                    work.by_id.insert(id.clone(), entry);
                    entry
                }
            };
            let pair = &mut work.pairs[entry];
            pair.half_mut(side).read = Some(self.run.id);
            if matches!(pair.status, Status::Todo | Status::Ok | Status::Failed) {
                pair.status = Status::Held;
                pair.reason = Some(Reason::Unreadable {
                    side,
                    object: batch.object.clone(),
                    id: bad.id.clone(),
                    said: RemoteSaid::text(&bad.reason),
                });
            }
            work.touch(entry);
        }
    }

    /// Applies a row to its pair.
    #[expect(clippy::too_many_arguments, reason = "a row with its context")]
    fn take_in_known(
        &mut self,
        work: &mut Working<'_>,
        entry: Entry,
        row: &Row,
        columns: &[(Slot, Column)],
        keys: Vec<MatchKey>,
        arrival: Arrival,
        purpose: Purpose,
    ) {
        let side = work.side;
        let sent_keys = if work.pairs[entry].is_linked() {
            Vec::new()
        } else {
            work.sent_keys(work.pairs[entry].id, side.other())
        };
        let pair = &mut work.pairs[entry];
        let was_filtered = std::mem::take(&mut pair.half_mut(side).filtered);
        // A record that was merged away in an earlier run is there again. In the run that tells the merge, its row may be
        // older than that.
        let earlier = pair.half(side).deleted.is_none_or(|merged| merged < self.run.started);
        let is_back = purpose == Purpose::Report && earlier && is_left_over(pair, side);
        // What a pair has moved to was told to be another record.
        let has_moved = pair.half(side).read.is_none();
        let mut new = apply_row(pair, side, columns, row, arrival);
        work.settle_read(entry);
        let pair = &mut work.pairs[entry];
        if pair.context && purpose == Purpose::Report {
            // It was read as a parent before; from its own report on it takes part.
            pair.context = false;
            new = true;
        }
        let duplicate = matches!(pair.reason, Some(Reason::DuplicateOf { .. }));
        let ambiguous = matches!(pair.reason, Some(Reason::Ambiguous { .. })) && pair.attempts == 0;
        let recognised = self.recognises(work.mapping);
        if (new || self.rekey[side]) && !duplicate && recognised {
            identity::renew(work.mapping, pair, side);
            // A create that was never answered may be reported with the identifiers that were sent.
            let stands_for = pair.keys[side].get_or_insert_default();
            stands_for.extend(sent_keys.into_iter().filter(|key| !keys.contains(key)));
        }
        if was_filtered && pair.half(side.other()).is_out() {
            // Still excluded: the record of the other side is outside its filter.
        } else if purpose == Purpose::Reread && pair.status == Status::Held && !new {
            // Read again without a change: the reason for the hold still applies.
        } else if is_back {
            mark_for_decision(pair);
        } else {
            on_reported(pair, side, new);
        }
        if pair.status == Status::Held && purpose == Purpose::Report {
            self.count_held(work.mapping, side, pair);
        }
        // It is decided again, and another one may have its identifiers since.
        let freed = ambiguous && pair.status == Status::Todo && recognised;
        if freed {
            identity::renew(work.mapping, pair, side);
        }
        if !has_moved {
            self.hold_stranger(work.mapping, pair);
        }
        work.touch(entry);
        if (new || freed) && !duplicate && !keys.is_empty() && self.match_known(work, entry, &keys) {
            if work.pairs[entry].is_linked() {
                self.hold_duplicates(work, entry, &keys);
            }
            work.note_keys(side, &keys, entry);
        }
    }

    /// Counts a record that was reported and stays held.
    fn count_held(&mut self, mapping: &ObjectMapping, side: Side, pair: &Pair) {
        let counts = self.run.count(side, mapping.object(side));
        counts.held += 1;
        if let Some(reason) = &pair.reason {
            counts.because(reason);
        }
    }

    /// Holds records that wait for a counterpart to be made and have an identifier that a linked record has got: they
    /// are its duplicates, as they would be had they come later.
    fn hold_duplicates(&mut self, work: &mut Working<'_>, linked: Entry, keys: &[MatchKey]) {
        let (mapping, of) = (work.mapping, work.side);
        let id = work.pairs[linked].half(of).id.clone().unwrap_or_default();
        for side in Side::BOTH {
            for entry in work.owners(side, keys) {
                let pair = &mut work.pairs[entry];
                let free = match &pair.reason {
                    _ if pair.status == Status::Todo => true,
                    Some(Reason::AbsenceNotProven { .. } | Reason::NotCheckable { .. }) => true,
                    _ => false,
                };
                let alone = !pair.is_linked() && pair.halves.iter().all(|half| half.deleted.is_none());
                if entry == linked || !free || !alone || pair.attempts > 0 {
                    continue;
                }
                self.hold(
                    pair,
                    mapping,
                    side,
                    Reason::duplicate(RecordRef::new(of, mapping.object(of), &id)),
                );
                pair.keys[side] = Some(Vec::new());
                work.touch(entry);
            }
        }
    }

    /// Matches a known record without a counterpart by its new identifiers: it is linked to its counterpart,
    /// or held as a duplicate. Returns whether its pair owns these match keys.
    fn match_known(&mut self, work: &mut Working<'_>, entry: Entry, keys: &[MatchKey]) -> bool {
        let (mapping, side) = (work.mapping, work.side);
        let pair = &work.pairs[entry];
        if pair.is_linked()
            || pair.half(side.other()).deleted.is_some()
            || !matches!(pair.status, Status::Todo | Status::Excluded)
            // It may have its counterpart already, under the identifiers that were sent.
            || work.unanswered.contains_key(&pair.id)
        {
            return true;
        }
        if let Some(owner) = work.owners(side, keys).into_iter().find(|owner| *owner != entry) {
            let id = work.pairs[owner].half(side).id.clone().unwrap_or_default();
            let sent_keys = work.sent_keys(work.pairs[entry].id, side.other());
            let pair = &mut work.pairs[entry];
            pair.keys[side] = Some(sent_keys);
            let reason = Reason::duplicate(RecordRef::new(side, mapping.object(side), &id));
            self.hold(pair, mapping, side, reason);
            return false;
        }
        let others: Vec<Entry> =
            work.owners(side.other(), keys).into_iter().filter(|owner| *owner != entry).collect();
        if others.len() > 1 && work.pairs[entry].attempts == 0 {
            let reason = work.ambiguous(&others);
            let pair = &mut work.pairs[entry];
            pair.keys[side] = Some(Vec::new());
            self.hold(pair, mapping, side, reason);
            return false;
        }
        let [other] = others[..] else {
            return true;
        };
        if work.pairs[other].half(side).id.is_some() && work.pairs[entry].attempts == 0 {
            let id = work.pairs[other].half(side.other()).id.clone().unwrap_or_default();
            let pair = &mut work.pairs[entry];
            pair.keys[side] = Some(Vec::new());
            let record = RecordRef::new(side.other(), mapping.object(side.other()), &id);
            self.hold(pair, mapping, side, Reason::duplicate(record));
            return false;
        }
        if work.pairs[other].half(side).id.is_some()
            || work.pairs[other].id == 0
            || work.pairs[other].status == Status::Live
        {
            return true;
        }
        let half = work.pairs[other].half(side.other()).clone();
        work.remove(other);
        let pair = &mut work.pairs[entry];
        *pair.half_mut(side.other()) = half;
        pair.keys[side.other()] =
            Some(identity::keys(mapping, side.other(), |slot| pair.current(side.other(), slot)));
        pair.queue();
        self.run.count(side, mapping.object(side)).matched += 1;
        true
    }

    /// Matches a row that has no pair: it is linked, gets a pair of its own, or is held.
    fn take_in_unknown(
        &mut self,
        work: &mut Working<'_>,
        row: &Row,
        columns: &[(Slot, Column)],
        keys: Vec<MatchKey>,
        arrival: Arrival,
        purpose: Purpose,
    ) {
        let (mapping, side) = (work.mapping, work.side);
        let object = mapping.object(side);
        let (meets, hold) = match work.match_record(&keys) {
            Match::Nothing => (None, None),
            Match::Pair(entry) => (Some(entry), None),
            Match::Held { reason, rival } => (None, Some((reason, rival))),
        };
        let entry = match meets {
            Some(entry) => {
                self.run.count(side, object).matched += 1;
                let pair = &mut work.pairs[entry];
                self.open_creates.settled(pair.id);
                if work.unanswered.contains_key(&pair.id) {
                    pair.keys[side.other()] =
                        Some(identity::keys(mapping, side.other(), |slot| pair.current(side.other(), slot)));
                }
                entry
            }
            None => work.add(Pair::new(mapping.id)),
        };
        let context = purpose == Purpose::Parent;
        let pair = &mut work.pairs[entry];
        let is_new = pair.half(side.other()).id.is_none();
        apply_row(pair, side, columns, row, arrival);
        work.settle_read(entry);
        let pair = &mut work.pairs[entry];
        pair.context = if is_new { context } else { pair.context && context };
        let mut rival = None;
        match hold {
            Some((reason, owner)) => {
                rival = Some(owner);
                // A held newcomer owns no match keys, so that no other record is matched with it.
                pair.keys[side] = Some(Vec::new());
                self.hold(pair, mapping, side, reason);
            }
            None => {
                pair.keys[side] = Some(keys.clone());
                on_reported(pair, side, true);
                work.note_keys(side, &keys, entry);
            }
        }
        work.by_id.insert(row.id.clone(), entry);
        work.touch(entry);
        if let Some(owner) = rival {
            self.prefer(work, owner, entry, keys);
        }
    }

    /// Tie-break: swaps the record of a pair that was never settled with a newcomer that the operator's rules
    /// prefer.
    fn prefer(&mut self, work: &mut Working<'_>, owner: Entry, newcomer: Entry, keys: Vec<MatchKey>) {
        let (mapping, side) = (work.mapping, work.side);
        let rules = &mapping.prefer[side];
        let settled = !work.pairs[owner].agreed.is_empty()
            // A create without an answer may have made the counterpart of this very record.
            || work.unanswered.contains_key(&work.pairs[owner].id)
            // Its link was ended by policy: the tombstone is that of its own counterpart.
            || work.pairs[owner].half(side.other()).deleted.is_some()
            || self.forgotten.contains(&work.pairs[owner].id)
            || work.pairs[owner].status == Status::Live;
        let half = work.pairs[owner].half(side);
        if rules.is_empty() || settled || half.id.is_none() || half.deleted.is_some() {
            return;
        }
        let pairs = &work.pairs;
        let candidate = |entry: Entry| Candidate {
            id: pairs[entry].half(side).id.as_deref().unwrap_or_default(),
            value_of: Box::new(move |name: &str| {
                let field = mapping.fields.iter().find(|field| field.name(side) == name)?;
                pairs[entry].current(side, field.slot)
            }),
        };
        if !better(rules, &candidate(newcomer), &candidate(owner)) {
            return;
        }
        let (winner, loser) = (work.pairs[newcomer].half(side).clone(), work.pairs[owner].half(side).clone());
        work.left
            .extend(loser.id.clone().map(|id| Reference { object: mapping.object(side).to_owned(), id }));
        let (object, id) = (mapping.object(side), winner.id.clone().unwrap_or_default());
        for (entry, half) in [(owner, winner), (newcomer, loser)] {
            if let Some(id) = half.id.clone() {
                work.by_id.insert(id, entry);
            }
            *work.pairs[entry].half_mut(side) = half;
            work.touch(entry);
        }
        work.pairs[owner].keys[side] = Some(keys.clone());
        work.note_keys(side, &keys, owner);
        on_reported(&mut work.pairs[owner], side, true);
        work.pairs[newcomer].reason = Some(Reason::DuplicateOf {
            record: Some(RecordRef::new(side, object, &id)),
            preferred: true,
            became: None,
        });
    }
}
