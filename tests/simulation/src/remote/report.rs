//! Reports of a simulated remote: by keyset, offset, bookmark, window or ids.

use super::{Remote, State, Stored};
use crate::dice::lock;
use crate::schema::{COMPANY, PERSON, Words};
use entente_core::Reference;
use entente_sync::{
    Batch, Conversion, Deletion, ExchangeError, Finished, Page, ReportRequest, Wanted, Window, codes,
};

/// The position at which a page starts.
#[derive(Debug, Clone)]
enum Place {
    /// After this object and id (keyset).
    Key(usize, String),
    /// After this number of records (offset).
    Offset(usize),
    /// After this object and change number.
    Seq(usize, u64),
}

/// A cursor: the highest change number when the report began, and the position.
struct Cursor {
    upper: u64,
    place: Place,
}

impl Cursor {
    fn write(&self) -> String {
        match &self.place {
            Place::Key(object, id) => format!("{}/k/{object}/{id}", self.upper),
            Place::Offset(offset) => format!("{}/o/{offset}", self.upper),
            Place::Seq(object, seq) => format!("{}/s/{object}/{seq}", self.upper),
        }
    }

    fn read(text: &str) -> Option<Self> {
        // The cursor of a repeated page has a prefix, so that the same cursor does not occur twice.
        let text = text.split_once('~').map_or(text, |(_, text)| text);
        let mut parts = text.splitn(4, '/');
        let upper = parts.next()?.parse().ok()?;
        let place = match (parts.next()?, parts.next()?, parts.next()) {
            ("k", object, Some(id)) => Place::Key(object.parse().ok()?, id.to_owned()),
            ("o", offset, None) => Place::Offset(offset.parse().ok()?),
            ("s", object, Some(seq)) => Place::Seq(object.parse().ok()?, seq.parse().ok()?),
            _ => return None,
        };
        Some(Self { upper, place })
    }
}

type Entry<'s> = (usize, &'s String, &'s Stored);

/// How an object is listed.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Everything that exists.
    Everything,
    /// What changed after this change number.
    Since(u64),
    /// What changed in a window.
    Window(Window),
}

impl Remote {
    pub(super) fn page(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        self.refuse("report")?;
        let marked = request.objects.iter().find(|wanted| wanted.bookmark.is_some() && !wanted.full);
        let expires = request.cursor.is_some() || marked.is_some();
        if expires && self.happens(self.manners.faults.expired) {
            self.tape.fault("expired place", format_args!("{} has forgotten the place", self.name));
            lock(&self.state).forgotten = true;
            let mut error = ExchangeError::new(codes::CURSOR_EXPIRED, "too long ago");
            error.object = marked
                .filter(|_| request.cursor.is_none() && self.happens(50))
                .map(|wanted| wanted.object.clone());
            return Err(error);
        }
        let mut state = lock(&self.state);
        if request.cursor.is_some() && self.happens(self.manners.faults.odd_pages) {
            state.again += 1;
            let again = state.again;
            if let Some(batches) = state.last_page.take() {
                self.tape
                    .fault("page given twice", format_args!("{} gives the page before once more", self.name));
                let cursor = request.cursor.as_deref().unwrap_or_default();
                let cursor = cursor.split_once('~').map_or(cursor, |(_, cursor)| cursor);
                return Ok(Page { batches, next: Some(format!("{again}~{cursor}")), ..Page::default() });
            }
        }
        let mut page = if request.objects.iter().any(|wanted| !wanted.ids.is_empty()) {
            self.by_ids(&state, request)
        } else {
            self.following(&state, request)?
        };
        if self.happens(self.manners.faults.odd_pages) {
            self.tape.fault("rows in another order", format_args!("{} swaps rows", self.name));
            let mut dice = lock(&self.dice);
            for batch in &mut page.batches {
                dice.shuffle(&mut batch.rows);
            }
            dice.shuffle(&mut page.batches);
        }
        state.last_page = Some(page.batches.clone());
        Ok(page)
    }

    fn by_ids(&self, state: &State, request: &ReportRequest) -> Page {
        let mut page = Page::default();
        for wanted in &request.objects {
            let Some(object) = Words::Remote.read_object(&wanted.object) else { continue };
            let mut batch = empty(wanted);
            for id in &wanted.ids {
                match state.objects[object].get(id) {
                    Some(record) if !record.deleted => {
                        batch.rows.push(self.row(object, id, record, &wanted.fields))
                    }
                    Some(Stored { merged: Some(winner), .. }) => {
                        page.conversions.push(conversion(object, id, winner))
                    }
                    Some(record) => {
                        batch.deleted.push(Deletion { id: id.clone(), deleted: Some(record.changed) })
                    }
                    None => batch.deleted.push(Deletion { id: id.clone(), deleted: None }),
                }
            }
            page.batches.push(batch);
        }
        page
    }

    fn way(&self, wanted: &Wanted) -> Result<Way, ExchangeError> {
        let bookmark = wanted.bookmark.as_deref().filter(|_| !wanted.full);
        if let Some(text) = bookmark {
            let gone = |_| ExchangeError::new(codes::CURSOR_EXPIRED, "no bookmark of ours");
            return text.parse().map(Way::Since).map_err(gone);
        }
        // A system without change times cannot filter by window, and reports everything.
        let timed = self.manners.times != entente_sync::ChangeTimes::None;
        let everything = wanted.full || wanted.window.since.is_none() || !timed;
        Ok(if everything { Way::Everything } else { Way::Window(wanted.window) })
    }

    /// The next page, object by object.
    fn following(&self, state: &State, request: &ReportRequest) -> Result<Page, ExchangeError> {
        let told = |record: &Stored| !record.deleted || self.manners.deletions || record.merged.is_some();
        let (mut ways, mut entries): (Vec<Option<Way>>, Vec<Entry<'_>>) = (vec![None; 2], Vec::new());
        for object in [PERSON, COMPANY] {
            let name = Words::Remote.object(object);
            let Some(wanted) = request.objects.iter().find(|wanted| wanted.object == name) else { continue };
            let way = self.way(wanted)?;
            let inside = |record: &Stored| match way {
                Way::Since(bookmark) => record.seq > bookmark,
                Way::Everything => !record.deleted,
                Way::Window(window) => {
                    window.since.is_none_or(|since| record.changed >= since) && record.changed < window.until
                }
            };
            let records = state.objects[object].iter().filter(|(_, record)| inside(record) && told(record));
            let mut found: Vec<Entry<'_>> = records.map(|(id, record)| (object, id, record)).collect();
            if let Way::Since(_) = way {
                found.sort_by_key(|(_, _, record)| record.seq);
            }
            entries.extend(found);
            ways[object] = Some(way);
        }
        let cursor = match &request.cursor {
            Some(text) => Cursor::read(text)
                .ok_or_else(|| ExchangeError::new(codes::CURSOR_EXPIRED, "no cursor of ours"))?,
            None => Cursor { upper: state.seq, place: Place::Offset(0) },
        };
        let (from, to) = self.span(&entries, &ways, &cursor.place, request.limit as usize);
        let last = to == entries.len();
        let mut page = Page { batches: Vec::new(), ..Page::default() };
        for wanted in &request.objects {
            let mut batch = empty(wanted);
            let of = |object: &usize| Words::Remote.object(*object) == wanted.object;
            for (object, id, record) in entries[from..to].iter().filter(|(object, ..)| of(object)) {
                match &record.merged {
                    Some(winner) => page.conversions.push(conversion(*object, id, winner)),
                    None if record.deleted => {
                        batch.deleted.push(Deletion { id: (*id).clone(), deleted: Some(record.changed) })
                    }
                    None => batch.rows.push(self.row(*object, id, record, &wanted.fields)),
                }
            }
            page.batches.push(batch);
            // An object has ended once nothing of it is left.
            if let Some(object) = Words::Remote.read_object(&wanted.object)
                && let Some(way) = ways[object]
                && entries[to..].iter().all(|(left, ..)| *left != object)
            {
                page.finished.push(Finished {
                    object: wanted.object.clone(),
                    bookmark: self.manners.bookmarks.then(|| cursor.upper.to_string()),
                    complete: matches!(way, Way::Everything) && self.manners.keyset,
                });
            }
        }
        if !last {
            let (object, id, record) = entries[to - 1];
            let place = match ways[object] {
                Some(Way::Since(_)) => Place::Seq(object, record.seq),
                _ if self.manners.keyset => Place::Key(object, id.clone()),
                _ => Place::Offset(to),
            };
            page.next = Some(Cursor { upper: cursor.upper, place }.write());
        }
        Ok(page)
    }

    /// Where a page begins and ends among the entries of all objects.
    fn span(
        &self,
        entries: &[Entry<'_>],
        ways: &[Option<Way>],
        place: &Place,
        limit: usize,
    ) -> (usize, usize) {
        let by_seq = |object: usize| matches!(ways[object], Some(Way::Since(_)));
        let before = |(object, id, record): &Entry<'_>| match place {
            Place::Seq(at, seq) => *object < *at || (*object == *at && by_seq(*object) && record.seq <= *seq),
            Place::Key(at, key) => *object < *at || (*object == *at && !by_seq(*object) && *id <= key),
            Place::Offset(_) => false,
        };
        let from = match place {
            Place::Offset(offset) => (*offset).min(entries.len()),
            _ => entries.partition_point(before),
        };
        (from, (from + limit).min(entries.len()))
    }
}

fn empty(wanted: &Wanted) -> Batch {
    Batch { object: wanted.object.clone(), fields: wanted.fields.clone(), ..Batch::default() }
}

fn conversion(object: usize, before: &str, after: &str) -> Conversion {
    let reference =
        |id: &str| Reference { object: Words::Remote.object(object).to_owned(), id: id.to_owned() };
    Conversion { before: reference(before), after: reference(after), at: None }
}
