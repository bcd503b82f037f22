//! Listings by time window or by sync token, page by page.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use axum::http::StatusCode;
use serde::Serialize;

use crate::clock::Stamp;
use crate::crm::fingerprint;
use crate::error::Problem;
use crate::schema::Object;
use crate::server::Config;
use crate::store::State;
use crate::table::{DeletedView, Entry, RecordView};

/// The limit of records in a page, and of ids in a request.
pub(crate) const MOST: usize = 200;
/// The most that the largest page can be set to.
pub(crate) const LARGEST: usize = 1000;

/// A page as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    records: Vec<RecordView>,
    deleted: Vec<DeletedView>,
    /// The cursor of the next page.
    next: Option<String>,
    /// On the last page: what to ask with for the changes since this listing began.
    sync_token: Option<String>,
}

/// What a request asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    since: Option<Stamp>,
    before: Option<Stamp>,
    after: Option<String>,
    limit: Option<usize>,
    ids: Option<BTreeSet<u64>>,
    fields: Option<BTreeSet<String>>,
    include_deleted: bool,
    sync_token: Option<String>,
    /// Binds a cursor to its query.
    fingerprint: u64,
}

impl Query {
    pub(crate) fn parse(object: Object, parameters: &[(String, String)]) -> Result<Self, Problem> {
        let mut query = Self::default();
        let mut seen = BTreeSet::new();
        let mut canonical = BTreeSet::new();
        for (name, value) in parameters {
            if !seen.insert(name.as_str()) {
                return Err(Problem::query(name, "given twice"));
            }
            if !matches!(name.as_str(), "after" | "limit") {
                canonical.insert(format!("{name}={value}"));
            }
            match name.as_str() {
                "updated_since" => query.since = Some(instant(name, value)?),
                "updated_before" => query.before = Some(instant(name, value)?),
                "after" => query.after = Some(value.clone()),
                "limit" => query.limit = Some(limit(name, value)?),
                "ids" => query.ids = Some(ids(object, name, value)?),
                "fields" => query.fields = Some(fields(object, name, value)?),
                "include_deleted" => {
                    query.include_deleted =
                        value.parse().map_err(|_| Problem::query(name, "true or false is expected"))?;
                }
                "sync_token" => query.sync_token = Some(value.clone()),
                _ => return Err(Problem::query(name, "there is no such parameter")),
            }
        }
        if query.since.zip(query.before).is_some_and(|(since, before)| since > before) {
            return Err(Problem::query("updated_before", "lies before updated_since"));
        }
        if query.sync_token.is_some()
            && let Some(other) =
                ["updated_since", "updated_before", "ids"].into_iter().find(|name| seen.contains(name))
        {
            return Err(Problem::query(other, "does not go with sync_token"));
        }
        query.fingerprint = fingerprint(&format!("{object} {canonical:?}"));
        Ok(query)
    }

    /// The page that the query asks for.
    pub(crate) fn page(&self, state: &State, object: Object, config: &Config) -> Result<Page, Problem> {
        let limit = self.limit.unwrap_or(config.page_size);
        if limit > config.largest_page {
            return Err(Problem::query(
                "limit",
                format!("a number from 1 to {} is expected", config.largest_page),
            ));
        }
        match &self.sync_token {
            Some(token) => self.changes(state, object, token, limit),
            None => self.window(state, object, limit),
        }
    }

    /// What changed in the window, by change time and then id.
    fn window(&self, state: &State, object: Object, limit: usize) -> Result<Page, Problem> {
        let table = state.table(object);
        let cursor = self.after.as_deref().map(|text| self.cursor(state, text)).transpose()?;
        let start = cursor.as_ref().map_or(state.seq, |cursor| cursor.start);
        let from = match &cursor {
            Some(Cursor { at: Some(at), number, .. }) => Excluded((*at, *number)),
            Some(_) => return Err(expired_cursor()),
            None => self.since.map_or(Unbounded, |since| std::ops::Bound::Included((since, 0))),
        };
        let chosen;
        let index = match &self.ids {
            None => table.by_time(),
            Some(ids) => {
                chosen = ids
                    .iter()
                    .filter_map(|number| table.entry(*number).map(|entry| (time(&entry), *number)))
                    .collect();
                &chosen
            }
        };
        let before = |place: &&(Stamp, u64)| self.before.is_none_or(|before| place.0 < before);
        let entries =
            index.range((from, Unbounded)).take_while(before).filter_map(|(_, number)| table.entry(*number));
        let entries = entries.filter(|entry| self.include_deleted || matches!(entry, Entry::Live(_)));
        let (mut page, last) = self.fill(state, object, entries, limit);
        match last {
            Some(last) => page.next = Some(self.write_cursor(state, start, &last)),
            None if self.ids.is_none() => page.sync_token = Some(token(state, object, start)),
            None => {}
        }
        Ok(page)
    }

    /// What changed since the token was given, in the order of the changes.
    fn changes(&self, state: &State, object: Object, given: &str, limit: usize) -> Result<Page, Problem> {
        let since = read_token(state, object, given)?;
        let table = state.table(object);
        let cursor = self.after.as_deref().map(|text| self.cursor(state, text)).transpose()?;
        let from = match &cursor {
            Some(Cursor { at: None, number, .. }) => *number,
            Some(_) => return Err(expired_cursor()),
            None => since,
        };
        let entries =
            table.by_seq().range((Excluded(from), Unbounded)).filter_map(|(_, number)| table.entry(*number));
        let (mut page, last) = self.fill(state, object, entries, limit);
        match last {
            Some(last) => page.next = Some(self.write_cursor(state, since, &last)),
            // Up to the last change there is, all were listed: what changed meanwhile stands at the end.
            None => page.sync_token = Some(token(state, object, state.seq)),
        }
        Ok(page)
    }

    /// The first entries as a page, with the last of them if there are more.
    fn fill<'a>(
        &self,
        state: &State,
        object: Object,
        entries: impl Iterator<Item = Entry<'a>>,
        limit: usize,
    ) -> (Page, Option<Entry<'a>>) {
        let mut page = Page { records: Vec::new(), deleted: Vec::new(), next: None, sync_token: None };
        let mut last = None;
        for entry in entries {
            if page.records.len() + page.deleted.len() == limit {
                return (page, last);
            }
            match entry {
                Entry::Live(record) => page.records.push(record.view(object, self.fields.as_ref())),
                Entry::Deleted(tombstone) => {
                    page.deleted.push(state.table(object).deleted_view(object, tombstone))
                }
            }
            last = Some(entry);
        }
        (page, None)
    }

    fn write_cursor(&self, state: &State, start: u64, last: &Entry<'_>) -> String {
        let place = match &self.sync_token {
            Some(_) => format!("s.{}", seq(last)),
            None => format!("t.{}.{}", number(last), time(last).micros()),
        };
        opaque(&format!("{}.{}.{}.{start}.{place}", state.instance, state.epoch, self.fingerprint))
    }

    fn cursor(&self, state: &State, text: &str) -> Result<Cursor, Problem> {
        self.read_cursor(state, text).ok_or_else(expired_cursor)
    }

    fn read_cursor(&self, state: &State, text: &str) -> Option<Cursor> {
        let text = reveal(text)?;
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let mut expect = |value: u64| (next()? == value.to_string()).then_some(());
        expect(state.instance)?;
        expect(state.epoch)?;
        expect(self.fingerprint)?;
        let start = next()?.parse().ok()?;
        let by_time = next()? == "t";
        let number = next()?.parse().ok()?;
        let at = if by_time { Some(Stamp::from_micros(next()?.parse().ok()?)?) } else { None };
        Some(Cursor { start, number, at })
    }
}

/// A place in a listing.
struct Cursor {
    /// How many changes there had been when the listing began.
    start: u64,
    /// Where `at` is given the number of the record, else the place in the sequence of changes.
    number: u64,
    at: Option<Stamp>,
}

fn time(entry: &Entry<'_>) -> Stamp {
    match entry {
        Entry::Live(record) => record.updated_at,
        Entry::Deleted(tombstone) => tombstone.deleted_at,
    }
}

fn seq(entry: &Entry<'_>) -> u64 {
    match entry {
        Entry::Live(record) => record.seq,
        Entry::Deleted(tombstone) => tombstone.seq,
    }
}

fn number(entry: &Entry<'_>) -> u64 {
    match entry {
        Entry::Live(record) => record.number,
        Entry::Deleted(tombstone) => tombstone.number,
    }
}

fn token(state: &State, object: Object, seq: u64) -> String {
    opaque(&format!("{}.{object}.{seq}", state.instance))
}

fn read_token(state: &State, object: Object, token: &str) -> Result<u64, Problem> {
    let read = || {
        let text = reveal(token)?;
        let seq: u64 = text.strip_prefix(&format!("{}.{object}.", state.instance))?.parse().ok()?;
        (state.oldest_token..=state.seq).contains(&seq).then_some(seq)
    };
    let message = "This sync token is not valid, or not any more: list everything again.";
    read().ok_or_else(|| Problem::new(StatusCode::GONE, "sync-token-expired", message))
}

fn expired_cursor() -> Problem {
    let message = "This cursor is not of this query, or has expired: start the listing again.";
    Problem::new(StatusCode::BAD_REQUEST, "cursor-expired", message)
}

fn instant(name: &str, value: &str) -> Result<Stamp, Problem> {
    Stamp::parse(value)
        .map_err(|_| Problem::query(name, "an RFC 3339 instant is expected, such as 2020-01-01T00:00:00Z"))
}

fn limit(name: &str, value: &str) -> Result<usize, Problem> {
    let limit = value.parse().ok().filter(|limit| *limit >= 1);
    limit.ok_or_else(|| Problem::query(name, "a number from 1 is expected"))
}

fn ids(object: Object, name: &str, value: &str) -> Result<BTreeSet<u64>, Problem> {
    let ids: Vec<&str> = list(value).collect();
    if ids.len() > MOST {
        return Err(Problem::query(name, format!("at most {MOST} ids are accepted")));
    }
    Ok(ids.into_iter().filter_map(|id| object.number(id)).collect())
}

fn fields(object: Object, name: &str, value: &str) -> Result<BTreeSet<String>, Problem> {
    let known = |field: &str| match object.field(field) {
        Some(field) => Ok(field.name.to_owned()),
        None => Err(Problem::query(name, format!("{object} has no field {field:?}"))),
    };
    list(value).map(known).collect()
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Hexadecimal: nobody is tempted to read or to build it.
fn opaque(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn reveal(hex: &str) -> Option<String> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}
