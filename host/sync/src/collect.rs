//! Collect: incremental read of a side, page by page. Each page is committed together with the cursor of the
//! next one, so that a run that is interrupted resumes there; the bookmark moves when a report has been read
//! to its end.

use super::description::ChangeTimes;
use super::error::SyncError;
use super::exchange::codes;
use super::feature::Feature;
use super::ledger::Requeue;
use super::limits;
use super::observer::Step;
use super::options::{Reading, Scope};
use super::progress::{Listing, OpenReport, Progress};
use super::reason::{Code, Reason};
use super::report::{Page, ReportRequest, Wanted, Window};
use super::session::{Purpose, Session, Tries};
use super::subject::RecordRef;
use super::unfit::sort_out;
use entente_core::{Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

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
        if remapped || (all && progress.open.as_ref().is_none_or(|open| !open.full)) {
            progress = Progress {
                mapping_version: self.definition.version,
                rekey: remapped || progress.rekey,
                ..Progress::default()
            };
        }
        if remapped {
            self.reopen_mappings().await?;
        }
        self.rekey[side] = progress.rekey;
        self.listed[side] = progress.complete.clone();
        let (mut expired, mut resumed) = (false, false);
        loop {
            let open = progress
                .open
                .clone()
                .unwrap_or_else(|| self.first_page(&progress, (all || expired) && !resumed));
            resumed = open.run != self.run.id;
            match self.pages(side, open, Some(&mut progress)).await {
                Err(SyncError::Exchange { error, .. }) if error.code == codes::CURSOR_EXPIRED && !expired => {
                    // The position is lost, not the data: everything is listed again, which renews the proof
                    // of absence.
                    expired = true;
                    progress = Progress {
                        mapping_version: self.definition.version,
                        rekey: progress.rekey,
                        ..Progress::default()
                    };
                    self.listed[side].clear();
                }
                // A resumed report has pages that an earlier run read. What changed since is read as well
                // before anything is decided.
                Ok(()) if resumed => {}
                other => return other,
            }
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

    /// Start position of a report: the bookmark, else the watermark less an overlap, else the beginning.
    fn first_page(&self, progress: &Progress, full: bool) -> OpenReport {
        let started = self.now();
        let bookmark = progress.bookmark.clone().filter(|_| !full);
        let overlap = limits::WINDOW_OVERLAP.as_micros() as i64;
        let since = match (&bookmark, progress.read_from) {
            (None, Some(from)) if !full => Some(from.earlier_by(overlap)),
            _ => None,
        };
        OpenReport {
            cursor: String::new(),
            iteration: 0,
            // Clock skew: a remote clock that is ahead dates the newest changes later than now.
            window: Window { since, until: Timestamp::from_micros(started.micros().saturating_add(overlap)) },
            full: full || (bookmark.is_none() && since.is_none()),
            bookmark,
            started,
            run: self.run.id,
        }
    }

    async fn collect_window(&mut self, side: Side, window: Window) -> Result<(), SyncError> {
        let open = OpenReport {
            cursor: String::new(),
            iteration: 0,
            window,
            bookmark: None,
            full: false,
            started: self.now(),
            run: self.run.id,
        };
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
    pub(super) fn wanted(&self, side: Side) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for mapping in &self.definition.mappings {
            let object = mapping.object(side);
            let place = wanted.iter().position(|entry| entry.object == object).unwrap_or_else(|| {
                wanted.push(Wanted { object: object.to_owned(), fields: Vec::new(), ids: Vec::new() });
                wanted.len() - 1
            });
            let fields = &mut wanted[place].fields;
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

    /// Page size: the smallest that any object of the side asks for.
    pub(super) fn page_rows(&self, side: Side) -> u32 {
        let sizes = self.descriptions[side].objects.iter().filter_map(|object| object.page_size);
        sizes.min().unwrap_or(limits::PAGE_ROWS).clamp(1, limits::PAGE_ROWS)
    }

    /// Reads pages until the report ends. Each page is committed with the read position after it; a cursor
    /// that does not advance is an error.
    async fn pages(
        &mut self,
        side: Side,
        mut open: OpenReport,
        mut progress: Option<&mut Progress>,
    ) -> Result<(), SyncError> {
        let wanted = self.wanted(side);
        let limit = self.page_rows(side);
        self.engine.observer.begins(Step::Collect(side), None);
        loop {
            self.check_stop()?;
            let request = ReportRequest {
                window: open.window,
                cursor: Some(open.cursor.clone()).filter(|cursor| !cursor.is_empty()),
                bookmark: open.bookmark.clone(),
                iteration: open.iteration,
                objects: wanted.clone(),
                first_time: self.run.options.is_first_time(),
                full: open.full,
                limit,
                options: self.run.options.options.clone(),
                sync: self.definition.name.clone(),
            };
            let page = self.page(side, &request).await?;
            if page.next.as_deref() == Some(open.cursor.as_str()) || page.next.as_deref() == Some("") {
                return Err(self.protocol_violation(
                    side,
                    format!("answered page {} with the cursor of that same page", open.iteration),
                ));
            }
            let next = page.next.clone();
            if let Some(progress) = progress.as_deref_mut() {
                match &next {
                    Some(cursor) => {
                        progress.open = Some(OpenReport {
                            cursor: cursor.clone(),
                            iteration: open.iteration + 1,
                            ..open.clone()
                        });
                    }
                    None => self.finish_report(side, &open, &page, progress),
                }
            }
            self.take_in(side, page, progress.as_deref(), Purpose::Report).await?;
            match next {
                Some(cursor) => {
                    open.cursor = cursor;
                    open.iteration += 1;
                }
                None => break,
            }
        }
        if let Some(progress) = progress {
            self.listed[side] = progress.complete.clone();
        }
        Ok(())
    }

    /// Moves the read position when a report has been read to its end: bookmark, watermark, proof of absence.
    fn finish_report(&self, side: Side, open: &OpenReport, page: &Page, progress: &mut Progress) {
        let description = &self.descriptions[side];
        let lists =
            |name: &String| description.object(name).is_some_and(|object| object.has(Feature::FullListing));
        progress.complete = if open.full {
            page.complete.iter().filter(|name| lists(name)).cloned().collect()
        } else {
            // Incremental without a gap: from a bookmark, or, where changes have times, from a window that
            // overlaps the last one.
            let timed = |name: &String| {
                open.bookmark.is_some()
                    || description.object(name).is_some_and(|object| object.change_times != ChangeTimes::None)
            };
            std::mem::take(&mut progress.complete).into_iter().filter(timed).collect()
        };
        if open.full && !progress.complete.is_empty() {
            progress.unchecked = Some(Listing { run: open.run, objects: progress.complete.clone() });
        }
        progress.rekey = false;
        progress.open = None;
        // While a create is under way, what is told about the record that it may have made cannot be attributed. The
        // position stays, so that it is told again when the id is known.
        let under_way = |mapping| self.open_creates.under_way(mapping, side);
        if !self.definition.mappings.iter().any(under_way) {
            progress.bookmark = page.bookmark.clone();
            progress.read_from = Some(open.started);
        }
    }

    /// Reads one page, with retries where the side is busy or unavailable.
    pub(super) async fn page(&mut self, side: Side, request: &ReportRequest) -> Result<Page, SyncError> {
        let mut tries = Tries::default();
        loop {
            match self.exchange(side).report(request).await {
                Ok(mut page) => {
                    sort_out(&self.definition.mappings, side, &mut page);
                    return Ok(page);
                }
                Err(error) if self.back_off(side, &error, &mut tries).await? => {}
                Err(error) => return Err(self.call_failed(side, "report its changes", error)),
            }
        }
    }
}
