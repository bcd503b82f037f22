//! Sync reports: new, changed and deleted records, page by page.

use serde::Serialize;
use serde::de::DeserializeOwned;

use std::time::Duration;

use crate::{Error, Reference, Timestamp, Value};

/// A half-open span of change times: `since` ≤ time < `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From here; `None` from the beginning.
    pub since: Option<Timestamp>,
    /// To here, exclusive.
    pub until: Timestamp,
}

/// One object that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Its name.
    pub object: String,
    /// The fields to report, in this order if you like.
    pub fields: Vec<String>,
    /// Not empty: report just these records, whatever the window says, deleted ones as deletions.
    pub ids: Vec<String>,
    /// The span of change times; the same on every page.
    pub window: Window,
    /// Where the report starts for this object, by the last one that finished it ([`Finished::bookmark`]). It says more
    /// exactly than the window where that is.
    pub bookmark: Option<String>,
    /// List everything that exists, changed or not.
    pub full: bool,
}

impl Wanted {
    /// Asks for an object with these fields.
    pub fn new<T: Into<String>>(object: impl Into<String>, fields: impl IntoIterator<Item = T>) -> Self {
        Self {
            object: object.into(),
            fields: fields.into_iter().map(Into::into).collect(),
            ids: Vec::new(),
            window: Window { since: None, until: Timestamp::MAX },
            bookmark: None,
            full: false,
        }
    }

    /// From when on changes are to be reported; `None`: from the beginning, or everything.
    pub fn since(&self) -> Option<Timestamp> {
        self.window.since.filter(|_| !self.full)
    }

    /// The bookmark as the value that [`Finished::bookmark_as`] wrote; one that cannot be read is `cursor-expired`
    /// for this object. `None` where everything is to be listed.
    pub fn bookmark_as<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let bookmark = self.bookmark.as_deref().filter(|_| !self.full);
        read(bookmark, "bookmark").map_err(|error| error.object(&self.object))
    }

    /// Asks for these records only.
    #[must_use]
    pub fn ids<T: Into<String>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.ids = ids.into_iter().map(Into::into).collect();
        self
    }
}

/// What a report shall contain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRequest {
    /// Where this page starts, by the page before it; `None` for the first.
    pub cursor: Option<String>,
    /// Number of the page, from 0.
    pub iteration: u32,
    /// The objects that are asked for; the same on every page of a report.
    pub objects: Vec<Wanted>,
    /// Everything, as if nothing had ever been synced. Each object is then wanted in full as well.
    pub first_time: bool,
    /// The most rows, of all objects together, that the answer may have.
    pub limit: u32,
    /// What the operator gave with `--option name:text`.
    pub options: Vec<(String, String)>,
}

impl ReportRequest {
    /// The first page of a report of these objects over all time; what a test begins with.
    pub fn new(objects: impl IntoIterator<Item = Wanted>) -> Self {
        Self {
            cursor: None,
            iteration: 0,
            objects: objects.into_iter().collect(),
            first_time: false,
            limit: 1_000,
            options: Vec::new(),
        }
    }

    /// The cursor as the value that [`Page::next_as`] wrote; one that cannot be read is `cursor-expired`,
    /// since another version of the plugin may have written it.
    pub fn cursor_as<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        read(self.cursor.as_deref(), "cursor")
    }

    /// What is asked of an object; `None`: it is not asked for.
    pub fn wanted(&self, object: &str) -> Option<&Wanted> {
        self.objects.iter().find(|wanted| wanted.object == object)
    }

    /// What the operator gave for an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        option(&self.options, name)
    }
}

/// If a name appears twice, the last one counts.
pub(crate) fn option<'a>(options: &'a [(String, String)], name: &str) -> Option<&'a str> {
    options.iter().rfind(|(key, _)| key == name).map(|(_, text)| text.as_str())
}

fn read<T: DeserializeOwned>(text: Option<&str>, what: &str) -> Result<Option<T>, Error> {
    let unreadable = |error| {
        Error::cursor_expired(format!("this {what} was not written by this plugin as it is now: {error}"))
    };
    text.map(serde_json::from_str).transpose().map_err(unreadable)
}

/// A page of a report.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Page {
    /// Rows and deletions, by object.
    pub batches: Vec<Batch>,
    /// Records that have become others.
    pub conversions: Vec<Conversion>,
    /// Where the next page starts; `None`: this is the last.
    pub next: Option<String>,
    /// How long to wait before the next page is asked for.
    pub after: Option<Duration>,
    /// The objects that end with this page.
    pub finished: Vec<Finished>,
    /// About how many rows come after this page.
    pub remaining: Option<u64>,
}

impl Page {
    /// An empty page, and the last.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds rows and deletions of one object.
    #[must_use]
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batches.push(batch);
        self
    }

    /// Says that a record has become another one: converted, or merged into it.
    #[must_use]
    pub fn conversion(mut self, before: Reference, after: Reference) -> Self {
        self.conversions.push(Conversion { before, after, at: None });
        self
    }

    /// Says where the next page starts. The same cursor twice is an error.
    #[must_use]
    pub fn next(mut self, cursor: impl Into<String>) -> Self {
        self.next = Some(cursor.into());
        self
    }

    /// Says where the next page starts, as JSON; [`ReportRequest::cursor_as`] reads it.
    pub fn next_as<T: Serialize>(self, cursor: &T) -> Result<Self, Error> {
        Ok(self.next(write(cursor)?))
    }

    /// Says that the next page is to be asked for after so long: the remote system is preparing an export, say. No rate
    /// limit, and no failure; parts of a second count as a whole one.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = Some(wait);
        self
    }

    /// Says that an object ends with this page. Objects that no page names end with the last one, without a
    /// bookmark and not complete.
    #[must_use]
    pub fn finished(mut self, finished: Finished) -> Self {
        self.finished.push(finished);
        self
    }

    /// Says about how many rows come after this page, for people who wait: most remote systems tell how many
    /// records match. The first page is enough.
    #[must_use]
    pub fn remaining(mut self, rows: u64) -> Self {
        self.remaining = Some(rows);
        self
    }

    /// Whether it names no record at all.
    pub fn is_empty(&self) -> bool {
        self.conversions.is_empty() && self.batches.iter().all(Batch::is_empty)
    }
}

/// An object of which a report has no more rows.
///
/// ```
/// use entente_sdk::{Finished, Page};
///
/// let page = Page::new().finished(Finished::new("person").bookmark("token 7").complete());
/// assert!(page.finished[0].complete);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// The object.
    pub object: String,
    /// Where its report starts in the next run; `None`: by the window.
    pub bookmark: Option<String>,
    /// Every record that exists was listed.
    pub complete: bool,
}

impl Finished {
    /// An object that goes on by the window in the next run.
    pub fn new(object: impl Into<String>) -> Self {
        Self { object: object.into(), bookmark: None, complete: false }
    }

    /// Says where its report starts in the next run.
    #[must_use]
    pub fn bookmark(mut self, bookmark: impl Into<String>) -> Self {
        self.bookmark = Some(bookmark.into());
        self
    }

    /// Says where its report starts in the next run, as JSON; [`Wanted::bookmark_as`] reads it.
    pub fn bookmark_as<T: Serialize>(self, bookmark: &T) -> Result<Self, Error> {
        Ok(self.bookmark(write(bookmark)?))
    }

    /// Says that the object was listed completely, so that what no page of this report had does not exist. Records
    /// are deleted by it: say it only when it is certain.
    #[must_use]
    pub fn complete(mut self) -> Self {
        self.complete = true;
        self
    }
}

fn write<T: Serialize>(place: &T) -> Result<String, Error> {
    serde_json::to_string(place)
        .map_err(|error| Error::other("bad-cursor", format!("the cursor cannot be written: {error}")))
}

/// Reads a remote system that is asked page after page until a page comes back empty.
///
/// `fetch` gets the number of the page, from 0, and answers its batches. That number is the cursor, so a
/// report that was interrupted goes on at the right page.
///
/// ```
/// use entente_sdk::{Batch, Error, Page, ReportRequest, until_empty};
///
/// # fn fetch(page: u32) -> Result<Vec<Batch>, Error> { Ok(vec![]) }
/// fn report(request: ReportRequest) -> Result<Page, Error> {
///     until_empty(&request, |page| fetch(page))
/// }
/// # assert_eq!(report(ReportRequest::new([]))?.next, None);
/// # Ok::<(), Error>(())
/// ```
pub fn until_empty(
    request: &ReportRequest,
    fetch: impl FnOnce(u32) -> Result<Vec<Batch>, Error>,
) -> Result<Page, Error> {
    let number: u32 = request.cursor_as()?.unwrap_or(0);
    let page = Page { batches: fetch(number)?, ..Page::default() };
    match number.checked_add(1) {
        Some(next) if !page.is_empty() => page.next_as(&next),
        _ => Ok(page),
    }
}

/// Records of one object. The names of the fields are said once; every row follows them.
///
/// ```
/// use entente_sdk::{Batch, Timestamp};
///
/// let mut batch = Batch::new("person", ["first_name", "email"]);
/// batch.row("p1").version("3").set("email", "ada@example.org").changed(Timestamp::from_seconds(0));
/// batch.deleted("p2", None);
/// assert_eq!(batch.rows[0].values.len(), 2);
/// assert!(batch.rows[0].values[0].is_unset());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// The object.
    pub object: String,
    /// The names that the values of the rows follow.
    pub fields: Vec<String>,
    /// The records.
    pub rows: Vec<Row>,
    /// Records that are gone.
    pub deleted: Vec<Deletion>,
    /// Records that no row can be made of. They count as failed; the others go on.
    pub unreadable: Vec<UnreadableRow>,
}

impl Batch {
    /// No records yet.
    pub fn new<T: Into<String>>(object: impl Into<String>, fields: impl IntoIterator<Item = T>) -> Self {
        let fields = fields.into_iter().map(Into::into).collect();
        Self { object: object.into(), fields, rows: Vec::new(), deleted: Vec::new(), unreadable: Vec::new() }
    }

    /// Adds a record, every field `unset`, and hands it out to be filled by the names of the fields.
    pub fn row(&mut self, id: impl Into<String>) -> NamedRow<'_> {
        let mut row = Row::new(id);
        row.values.resize(self.fields.len(), Value::Unset);
        self.rows.push(row);
        // Just pushed; the other arm cannot be.
        let last = self.rows.len() - 1;
        NamedRow { fields: &self.fields, row: &mut self.rows[last] }
    }

    /// Adds a record whose values are in the order of the fields already.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a record that is gone, with the time where the remote system tells it.
    pub fn deleted(&mut self, id: impl Into<String>, at: impl Into<Option<Timestamp>>) {
        self.deleted.push(Deletion { id: id.into(), at: at.into() });
    }

    /// Adds a record that no row can be made of, with what is wrong with it.
    pub fn unreadable(&mut self, id: Option<String>, reason: impl Into<String>) {
        self.unreadable.push(UnreadableRow { id, reason: reason.into() });
    }

    /// Whether it names no record at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.deleted.is_empty() && self.unreadable.is_empty()
    }
}

/// A row that is filled by the names of its fields. Names that the batch does not have are passed over:
/// nobody asked for them.
#[derive(Debug)]
pub struct NamedRow<'a> {
    fields: &'a [String],
    row: &'a mut Row,
}

impl NamedRow<'_> {
    /// Sets a field.
    pub fn set(self, field: &str, value: impl Into<Value>) -> Self {
        self.place(field, value.into(), None)
    }

    /// Sets a field, with the time when just this field last changed.
    pub fn set_at(self, field: &str, value: impl Into<Value>, changed: impl Into<Option<Timestamp>>) -> Self {
        self.place(field, value.into(), changed.into())
    }

    /// Says when the record last changed.
    pub fn changed(self, at: impl Into<Option<Timestamp>>) -> Self {
        self.row.changed = at.into();
        self
    }

    /// Says what conditional writes take: an ETag, a revision.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.row.version = Some(version.into());
        self
    }

    fn place(self, field: &str, value: Value, changed: Option<Timestamp>) -> Self {
        if let Some(at) = self.fields.iter().position(|name| name == field) {
            self.row.values[at] = value;
            if changed.is_some() {
                self.row.times.resize(self.fields.len(), None);
                self.row.times[at] = changed;
            }
        }
        self
    }
}

/// One record as the remote system has it now.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Row {
    /// Its id; never empty.
    pub id: String,
    /// When the remote system last changed it, if it says so.
    pub changed: Option<Timestamp>,
    /// What conditional writes take; handed back with an order.
    pub version: Option<String>,
    /// One value for each field of the batch.
    pub values: Vec<Value>,
    /// When each field last changed; empty where no field times are known at all.
    pub times: Vec<Option<Timestamp>>,
}

impl Row {
    /// A record without values yet.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Says when the record last changed.
    #[must_use]
    pub fn changed(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.changed = at.into();
        self
    }

    /// Says what conditional writes take.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Gives the values, in the order of the fields.
    #[must_use]
    pub fn values(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values = values.into_iter().collect();
        self
    }

    /// Gives the change times of the fields, in their order.
    #[must_use]
    pub fn times(mut self, times: impl IntoIterator<Item = Option<Timestamp>>) -> Self {
        self.times = times.into_iter().collect();
        self
    }
}

/// A record that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deletion {
    /// The id that it had.
    pub id: String,
    /// When it was deleted, if the remote system says so.
    pub at: Option<Timestamp>,
}

/// A record that no row can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its id, where that is known.
    pub id: Option<String>,
    /// What is wrong with it, for a person.
    pub reason: String,
}

/// A record that has become another one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversion {
    /// What it was.
    pub before: Reference,
    /// What it is now.
    pub after: Reference,
    /// When, if the remote system says so.
    pub at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Vec<Batch> {
        let mut batch = Batch::new("person", ["name"]);
        batch.row("1").set("name", "Ada").set("nobody asked", 1);
        vec![batch]
    }

    #[test]
    fn until_empty_counts_pages_and_stops() {
        let mut request = ReportRequest::new([]);
        let first = until_empty(&request, |page| {
            assert_eq!(page, 0);
            Ok(one())
        })
        .unwrap();
        request.cursor = first.next;
        let second = until_empty(&request, |page| {
            assert_eq!(page, 1);
            Ok(one())
        })
        .unwrap();
        request.cursor = second.next;
        let last = until_empty(&request, |page| {
            assert_eq!(page, 2);
            Ok(vec![Batch::new("person", ["name"])])
        })
        .unwrap();
        assert_eq!(last.next, None);
    }

    #[test]
    fn a_cursor_of_another_plugin_has_expired() {
        let request = ReportRequest { cursor: Some("~".to_owned()), ..ReportRequest::new([]) };
        assert_eq!(*until_empty(&request, |_| Ok(one())).unwrap_err().code(), crate::Code::CursorExpired);
    }

    #[test]
    fn field_times_cost_nothing_until_there_is_one() {
        let at = Timestamp::from_seconds(7);
        let mut batch = Batch::new("person", ["a", "b"]);
        batch.row("1").set("a", 1).set("b", None::<bool>);
        batch.row("2").set_at("b", 2, at);
        assert!(batch.rows[0].times.is_empty());
        assert_eq!(batch.rows[0].values, [Value::Integer(1), Value::Null]);
        assert_eq!(batch.rows[1].times, [None, Some(at)]);
        assert_eq!(batch.rows[1].values, [Value::Unset, Value::Integer(2)]);
    }

    #[test]
    fn the_last_of_two_options_counts() {
        let options =
            [("a", "1"), ("b", "2"), ("a", "3")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(option(&options, "a"), Some("3"));
        assert_eq!(option(&options, "c"), None);
    }
}
