//! Collect: incremental read of a side, page by page. Each page is committed together with the cursor of the
//! next one, so that a run that is interrupted resumes there; the bookmark moves when a report has been read
//! to its end.

use super::description::ChangeTimes;
use super::error::SyncError;
use super::exchange::codes;
use super::feature::Feature;
use super::ledger::Requeue;
use super::limits;
use super::notice::Oddity;
use super::observer::Step;
use super::options::{Reading, Scope};
use super::progress::{Asked, OpenReport, Position, Progress};
use super::reason::{Code, Reason};
use super::report::{Batch, Finished, Page, ReportRequest, Wanted, Window, fingerprint};
use super::session::{Purpose, Session, Tries};
use super::subject::RecordRef;
use super::unfit::sort_out;
use entente_core::{Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

/// Start of a window without a lower bound: year 1, which every system can represent.
const EARLIEST: Timestamp = Timestamp::from_micros(-62_135_596_800_000_000);

impl Session<'_> {
    /// Reads the report of one side to its end.
    pub(super) async fn collect(&mut self, side: Side) -> Result<(), SyncError> {
        match self.run.options.scope() {
            Some(Scope::Ids(ids)) => {
                let ids = ids[side].clone();
                self.collect_ids(side, ids).await
            }
            Some(Scope::Window(span)) => {
                // Never `None`: a report without a lower bound would be a complete listing.
                let since = Some(span.since().unwrap_or(EARLIEST));
                let until = span.until().unwrap_or(self.run.started);
                self.collect_window(side, Window { since, until }).await
            }
            Some(Scope::Whole { .. }) | None => self.follow(side).await,
        }
    }

    /// Reads a side from its cursor, bookmark or watermark on, or everything.
    async fn follow(&mut self, side: Side) -> Result<(), SyncError> {
        let mut progress = self.engine.ledger.progress(&self.definition.name, side).await?;
        let all = self.run.options.reading().is_some_and(|reading| reading != Reading::Changes);
        let remapped = progress.mapping_version != self.definition.version;
        let lists_all = |open: &OpenReport| open.asked.values().all(|asked| asked.full);
        if remapped || (all && progress.open.as_ref().is_none_or(|open| !lists_all(open))) {
            let rekey = remapped || progress.rekey;
            progress = progress.anew(self.definition.version, rekey);
        }
        if remapped {
            self.reopen_mappings().await?;
        }
        self.rekey[side] = progress.rekey;
        self.listed[side] = progress.complete();
        let mut expired: BTreeSet<Option<String>> = BTreeSet::new();
        let (mut resumed, mut again) = (false, false);
        loop {
            let whole = all && !resumed && !again;
            let first = || OpenReport { again, ..self.first_page(side, &progress, whole) };
            let open = progress.open.clone().unwrap_or_else(first);
            resumed = open.run != self.run.id;
            if resumed && !open.again {
                self.note_going_on(side, &open, &mut progress);
            }
            match self.pages(side, open, Some(&mut progress)).await {
                // The position is lost, not the data: the object, or all of them, is listed again, which renews the
                // proof of absence. Once in a run for each.
                Err(SyncError::Exchange { error, .. })
                    if error.code == codes::CURSOR_EXPIRED
                        && !expired.contains(&None)
                        && expired.insert(error.object.clone()) =>
                {
                    progress.forget(error.object.as_ref());
                    progress.open = None;
                    self.listed[side] = progress.complete();
                }
                // A resumed report has pages that an earlier run read. What changed since is read as well
                // before anything is decided.
                Ok(()) if resumed => {}
                Ok(()) if progress.list_again() => again = true,
                other => return other,
            }
        }
    }

    /// Notes the listings that go on in another run than they began in. Where an object of the report tells no deletions, any
    /// of its records may have been deleted meanwhile, and since one cursor goes through all objects, each listing may lack a
    /// row for it.
    fn note_going_on(&self, side: Side, open: &OpenReport, progress: &mut Progress) {
        let tells = |object: &String| {
            self.descriptions[side].object(object).is_some_and(|of| of.has(Feature::Deletions))
        };
        let told = open.asked.keys().all(tells);
        let listed =
            open.asked.iter().filter(|(object, asked)| asked.full && !open.finished.contains(*object));
        for (object, _) in listed {
            progress.went_on.entry(object.clone()).or_insert(!told);
        }
    }

    /// New mapping version: puts pairs back into the work queue whose decision may change: settled ones with
    /// differing values, ambiguous matches, missing required fields.
    async fn reopen_mappings(&mut self) -> Result<(), SyncError> {
        let mut unit = self.begin().await?;
        for mapping in &self.definition.mappings {
            unit.requeue(mapping.id, Requeue::Differing).await?;
            unit.requeue(mapping.id, Requeue::Held(Code::Ambiguous)).await?;
            unit.requeue(mapping.id, Requeue::Held(Code::Required)).await?;
        }
        Ok(unit.commit_soon().await?)
    }

    /// Start of a report, by object: the bookmark, else the watermark less an overlap, else the beginning.
    fn first_page(&self, side: Side, progress: &Progress, full: bool) -> OpenReport {
        let started = self.now();
        let overlap = limits::WINDOW_OVERLAP.as_micros() as i64;
        // Clock skew: a remote clock that is ahead dates the newest changes later than now.
        let until = Timestamp::from_micros(started.micros().saturating_add(overlap));
        let asked = |object: &str| {
            let position = progress.next(object).filter(|_| !full);
            let bookmark = position.and_then(|position| position.bookmark.clone());
            let since = match (&bookmark, position.and_then(|position| position.read_from)) {
                (None, Some(from)) => Some(from.earlier_by(overlap)),
                _ => None,
            };
            let full = bookmark.is_none() && since.is_none();
            Asked { window: Window { since, until }, bookmark, full }
        };
        self.open_report(side, started, asked)
    }

    fn open_report(&self, side: Side, started: Timestamp, asked: impl Fn(&str) -> Asked) -> OpenReport {
        let objects = self.wanted(side).into_iter();
        OpenReport {
            cursor: String::new(),
            iteration: 0,
            asked: objects.map(|(object, _)| (object.clone(), asked(&object))).collect(),
            finished: BTreeSet::new(),
            started,
            run: self.run.id,
            again: false,
        }
    }

    async fn collect_window(&mut self, side: Side, window: Window) -> Result<(), SyncError> {
        let open = self.open_report(side, self.now(), |_| Asked { window, bookmark: None, full: false });
        self.pages(side, open, None).await
    }

    /// Reads the records that the operator named on a side.
    async fn collect_ids(&mut self, side: Side, ids: Vec<(String, String)>) -> Result<(), SyncError> {
        let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (object, id) in ids {
            named.entry(object).or_default().insert(id);
        }
        for (object, ids) in named {
            let definition = self.definition;
            let Some(mapping) = definition.mappings.iter().find(|mapping| mapping.object(side) == object)
            else {
                continue;
            };
            let ids: Vec<String> = ids.into_iter().collect();
            self.fetch_as(side, &object, &ids, Purpose::Report).await?;
            let read = self.engine.ledger.pairs_of(mapping.id, side, &ids).await?;
            for id in &ids {
                if !read.iter().any(|pair| pair.half(side).id.as_ref() == Some(id)) {
                    let counts = self.run.count(side, &object);
                    counts.failed += 1;
                    counts.because(&Reason::NotThere { record: RecordRef::new(side, &object, id) });
                }
            }
        }
        Ok(())
    }

    /// The mapped objects of a side, with the fields that mappings and filters need of each.
    pub(super) fn wanted(&self, side: Side) -> Vec<(String, Vec<String>)> {
        let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
        for mapping in &self.definition.mappings {
            let object = mapping.object(side);
            let place = wanted.iter().position(|(known, _)| known == object).unwrap_or_else(|| {
                wanted.push((object.to_owned(), Vec::new()));
                wanted.len() - 1
            });
            let fields = &mut wanted[place].1;
            let filters = mapping.filters[side].iter().map(|condition| condition.field.as_str());
            for name in mapping.fields.iter().map(|field| field.name(side)).chain(filters) {
                let exists =
                    self.descriptions[side].object(object).is_some_and(|object| object.field(name).is_some());
                if exists && !fields.iter().any(|known| known == name) {
                    fields.push(name.to_owned());
                }
            }
        }
        wanted
    }

    /// Page size: the smallest that any object of the side tells; without one a moderate one.
    pub(super) fn page_rows(&self, side: Side) -> u32 {
        let sizes = self.descriptions[side].objects.iter().filter_map(|object| object.page_size);
        sizes.min().unwrap_or(limits::PAGE_ROWS).clamp(1, limits::MOST_PAGE_ROWS)
    }

    /// The objects of an open report, as they are asked for on each of its pages.
    fn objects_of(&self, side: Side, open: &OpenReport) -> Vec<Wanted> {
        let wanted = self.wanted(side).into_iter().filter_map(|(object, fields)| {
            let Asked { window, bookmark, full } = open.asked.get(&object)?.clone();
            Some(Wanted { object, fields, ids: Vec::new(), window, bookmark, full })
        });
        wanted.collect()
    }

    /// Reads pages until the report ends. Each page is committed with the read position after it; a cursor
    /// that does not advance is an error.
    async fn pages(
        &mut self,
        side: Side,
        mut open: OpenReport,
        mut progress: Option<&mut Progress>,
    ) -> Result<(), SyncError> {
        let mut request = ReportRequest {
            cursor: None,
            iteration: 0,
            objects: self.objects_of(side, &open),
            first_time: self.run.options.is_first_time(),
            limit: self.page_rows(side),
            options: self.run.options.options.clone(),
            sync: self.definition.name.clone(),
        };
        self.engine.observer.begins(Step::Collect(side), None);
        let mut seen = HashSet::from([fingerprint(&open.cursor)]);
        loop {
            self.check_stop()?;
            request.cursor = Some(open.cursor.clone()).filter(|cursor| !cursor.is_empty());
            request.iteration = open.iteration;
            let page = self.page(side, &request).await?;
            if let Some(next) = &page.next {
                self.check_cursor(side, &open, next, &mut seen)?;
            }
            let (next, after) = (page.next.clone(), page.after);
            self.told = self.told.saturating_add(page.size());
            if let Some(progress) = progress.as_deref_mut() {
                self.finish_objects(side, &mut open, &page, progress);
                // One cursor goes through all objects: the rows of any of them may have moved up.
                if page.tells_gone() {
                    progress.went_on.values_mut().for_each(|lacks| *lacks = true);
                }
                match &next {
                    Some(cursor) => {
                        (open.cursor, open.iteration) = (cursor.clone(), open.iteration + 1);
                        progress.open = Some(open.clone());
                    }
                    None => {
                        (progress.open, progress.rekey) = (None, false);
                        let all_told = open.run == self.run.id;
                        progress.went_on.retain(|_, lacks| *lacks || !all_told);
                    }
                }
            } else if let Some(cursor) = &next {
                (open.cursor, open.iteration) = (cursor.clone(), open.iteration + 1);
            }
            self.take_in(side, page, progress.as_deref_mut(), Purpose::Report).await?;
            if next.is_none() {
                break;
            }
            self.check_told()?;
            if let Some(after) = after {
                self.wait_for_page(side, after).await?;
            }
        }
        if let Some(progress) = progress {
            self.listed[side] = progress.complete();
        }
        Ok(())
    }

    /// Ends a run that was told more than it may be. What it was told is committed.
    pub(super) fn check_told(&self) -> Result<(), SyncError> {
        match &self.engine.budget.rows {
            Some(rows) if self.told >= rows.most => Err(SyncError::Spent(rows.spent.clone())),
            _ => Ok(()),
        }
    }

    /// Refuses a cursor that this run has been at: the report would go round for ever.
    fn check_cursor(
        &self,
        side: Side,
        open: &OpenReport,
        next: &str,
        seen: &mut HashSet<u64>,
    ) -> Result<(), SyncError> {
        let page = open.iteration;
        if next.is_empty() || next == open.cursor {
            let what = format!("answered page {page} with the cursor of that same page");
            return Err(self.protocol_violation(side, what));
        }
        if !seen.insert(fingerprint(next)) {
            let what = format!("answered page {page} with the cursor of an earlier page");
            return Err(self.protocol_violation(side, what));
        }
        Ok(())
    }

    /// The side is preparing the next page. What was read is committed, so that a run that is stopped meanwhile, or
    /// has no time left, goes on there.
    async fn wait_for_page(&self, side: Side, after: Duration) -> Result<(), SyncError> {
        let pause = after.min(limits::LONGEST_PAGE_WAIT);
        self.wait(side, pause, "the next page is being prepared").await
    }

    /// Moves the read position of the objects that end with this page. The last page ends all that are left.
    fn finish_objects(&self, side: Side, open: &mut OpenReport, page: &Page, progress: &mut Progress) {
        let left = |object: &&String| !page.finished.iter().any(|finished| finished.object == **object);
        let last = open.asked.keys().filter(|_| page.next.is_none()).filter(left);
        let unnamed: Vec<Finished> =
            last.map(|object| Finished { object: object.clone(), ..Finished::default() }).collect();
        for finished in page.finished.iter().chain(&unnamed) {
            let Some(asked) = open.asked.get(&finished.object) else { continue };
            if open.finished.insert(finished.object.clone()) {
                self.finish_object(side, asked, open, finished, progress);
            }
        }
    }

    /// Moves the read position of an object: bookmark, watermark, proof of absence.
    fn finish_object(
        &self,
        side: Side,
        asked: &Asked,
        open: &OpenReport,
        finished: &Finished,
        progress: &mut Progress,
    ) {
        let object = self.descriptions[side].object(&finished.object);
        let before = progress.objects.remove(&finished.object).unwrap_or_default();
        if asked.full {
            progress.listed_anew(&finished.object, &before);
        }
        let complete = if asked.full {
            finished.complete && object.is_some_and(|object| object.has(Feature::FullListing))
        } else {
            // Incremental without a gap: from a bookmark, or, where changes have times, from a window that
            // overlaps the last one.
            let timed = object.is_some_and(|object| object.change_times != ChangeTimes::None);
            before.complete && (asked.bookmark.is_some() || timed)
        };
        if asked.full && complete {
            progress.unchecked.insert(finished.object.clone(), open.run);
        }
        // While a create is under way, what is told about the record that it may have made cannot be attributed. The
        // position stays, so that it is told again when the id is known.
        let under_way = |mapping| self.open_creates.under_way(mapping, side);
        let position = match self.definition.mappings.iter().any(under_way) {
            true => Position { complete, ..before },
            false if progress.was_once(&finished.object, asked) => before,
            false => {
                // A listing does not tell what was deleted or merged since the last report, and may have passed over what
                // has changed since. Unless it proves absence, the side is asked for that from there on.
                let kept = progress.told_from.remove(&finished.object).filter(|_| asked.full && !complete);
                let new = || Position {
                    bookmark: finished.bookmark.clone(),
                    read_from: Some(open.started),
                    complete,
                };
                kept.map_or_else(new, |kept| Position { complete, ..kept })
            }
        };
        progress.objects.insert(finished.object.clone(), position);
    }

    /// Leaves out of a page the batches of objects that were not asked for.
    fn leave_out_unasked(&mut self, side: Side, request: &ReportRequest, page: &mut Page) {
        let unasked = |batch: &mut Batch| !request.objects.iter().any(|wanted| wanted.object == batch.object);
        for batch in page.batches.extract_if(.., unasked) {
            let rows = (batch.rows.len() + batch.bad.len() + batch.deleted.len()) as u64;
            // A stranger's name, of any length.
            let object: String = batch.object.chars().take(100).collect();
            if rows > 0 {
                self.run.invalid_answers(side, &object, Oddity::RowsNotAskedFor, rows);
            }
        }
    }

    /// Reads one page, with retries where the side is busy or unavailable.
    pub(super) async fn page(&mut self, side: Side, request: &ReportRequest) -> Result<Page, SyncError> {
        let mut tries = Tries::default();
        loop {
            match self.exchange(side).report(request).await {
                Ok(mut page) => {
                    self.leave_out_unasked(side, request, &mut page);
                    sort_out(&self.definition.mappings, side, &mut page);
                    return Ok(page);
                }
                Err(error) if self.back_off(side, &error, &mut tries).await? => {}
                Err(error) => return Err(self.call_failed(side, "report its changes", error)),
            }
        }
    }
}
