//! Reports of a simulated remote: by keyset, offset, bookmark, window or ids.

use super::{Remote, State, Stored};
use crate::dice::lock;
use crate::schema::{COMPANY, PERSON, Words};
use entente_core::Reference;
use entente_sync::{Batch, Conversion, Deletion, ExchangeError, Page, ReportRequest, Wanted, codes};

/// The position at which a page starts.
#[derive(Debug, Clone)]
enum Place {
    /// After this object and id (keyset).
    Key(usize, String),
    /// After this number of records (offset).
    Offset(usize),
    /// After this change number.
    Seq(u64),
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
            Place::Seq(seq) => format!("{}/s/{seq}", self.upper),
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
            ("s", seq, None) => Place::Seq(seq.parse().ok()?),
            _ => return None,
        };
        Some(Self { upper, place })
    }
}

type Entry<'s> = (usize, &'s String, &'s Stored);

impl Remote {
    pub(super) fn page(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        self.refuse("report")?;
        let expires = request.cursor.is_some() || request.bookmark.is_some();
        if expires && self.happens(self.manners.faults.expired) {
            self.tape.fault("expired place", format_args!("{} has forgotten the place", self.name));
            return Err(ExchangeError::new(codes::CURSOR_EXPIRED, "too long ago"));
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

    fn following(&self, state: &State, request: &ReportRequest) -> Result<Page, ExchangeError> {
        let bookmark = match request.bookmark.as_deref().filter(|_| !request.full) {
            Some(text) => Some(
                text.parse::<u64>()
                    .map_err(|_| ExchangeError::new(codes::CURSOR_EXPIRED, "no bookmark of ours"))?,
            ),
            None => None,
        };
        let window = request.window;
        // A system without change times cannot filter by window, and reports everything.
        let timed = self.manners.times != entente_sync::ChangeTimes::None;
        let everything = bookmark.is_none() && (request.full || window.since.is_none() || !timed);
        let cursor = match &request.cursor {
            Some(text) => Cursor::read(text)
                .ok_or_else(|| ExchangeError::new(codes::CURSOR_EXPIRED, "no cursor of ours"))?,
            None => Cursor {
                upper: state.seq,
                place: match bookmark {
                    Some(seq) => Place::Seq(seq),
                    None if self.manners.keyset => Place::Key(PERSON, String::new()),
                    None => Place::Offset(0),
                },
            },
        };
        let inside = |record: &Stored| {
            if let Some(bookmark) = bookmark {
                record.seq > bookmark
            } else if everything {
                !record.deleted
            } else {
                window.since.is_none_or(|since| record.changed >= since) && record.changed < window.until
            }
        };
        let told = |record: &Stored| !record.deleted || self.manners.deletions || record.merged.is_some();
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for object in [PERSON, COMPANY] {
            if request.objects.iter().any(|wanted| wanted.object == Words::Remote.object(object)) {
                let records =
                    state.objects[object].iter().filter(|(_, record)| inside(record) && told(record));
                entries.extend(records.map(|(id, record)| (object, id, record)));
            }
        }
        let limit = request.limit as usize;
        let (chosen, next) = choose(entries, &cursor.place, limit);
        let mut page = Page::default();
        for wanted in &request.objects {
            let mut batch = empty(wanted);
            for (object, id, record) in
                chosen.iter().filter(|(object, ..)| Words::Remote.object(*object) == wanted.object)
            {
                match &record.merged {
                    Some(winner) => page.conversions.push(conversion(*object, id, winner)),
                    None if record.deleted => {
                        batch.deleted.push(Deletion { id: (*id).clone(), deleted: Some(record.changed) })
                    }
                    None => batch.rows.push(self.row(*object, id, record, &wanted.fields)),
                }
            }
            page.batches.push(batch);
        }
        page.next = next.map(|place| Cursor { upper: cursor.upper, place }.write());
        if page.next.is_none() {
            page.bookmark = self.manners.bookmarks.then(|| cursor.upper.to_string());
            if everything && self.manners.keyset {
                page.complete = request.objects.iter().map(|wanted| wanted.object.clone()).collect();
            }
        }
        Ok(page)
    }
}

/// The rows of a page, and the position of the next one if there is one.
fn choose<'s>(mut entries: Vec<Entry<'s>>, place: &Place, limit: usize) -> (Vec<Entry<'s>>, Option<Place>) {
    let from = match place {
        Place::Seq(seq) => {
            entries.sort_by_key(|(_, _, record)| record.seq);
            entries.partition_point(|(_, _, record)| record.seq <= *seq)
        }
        Place::Key(object, id) => {
            entries.partition_point(|(entry, known, _)| (*entry, *known) <= (*object, id))
        }
        Place::Offset(offset) => (*offset).min(entries.len()),
    };
    let to = (from + limit).min(entries.len());
    let next = (to < entries.len()).then(|| match (place, entries[to - 1]) {
        (Place::Seq(_), (_, _, record)) => Place::Seq(record.seq),
        (Place::Key(..), (object, id, _)) => Place::Key(object, id.clone()),
        (Place::Offset(_), _) => Place::Offset(to),
    });
    (entries[from..to].to_vec(), next)
}

fn empty(wanted: &Wanted) -> Batch {
    Batch { object: wanted.object.clone(), fields: wanted.fields.clone(), ..Batch::default() }
}

fn conversion(object: usize, before: &str, after: &str) -> Conversion {
    let reference =
        |id: &str| Reference { object: Words::Remote.object(object).to_owned(), id: id.to_owned() };
    Conversion { before: reference(before), after: reference(after) }
}
