//! Sync reports of the hub: new, changed and deleted records, page by page.
//!
//! A report reads by one of four access paths: given ids; a complete listing; changes since a bookmark;
//! change times within a window. Pages use keyset pagination, so that writes between two pages neither repeat
//! nor hide rows. The first page fixes the highest change number; later changes belong to the next report,
//! and that number becomes the bookmark.

use super::Hub;
use super::cursor::{Cursor, Part, expired};
use super::error::HubError;
use super::records::{self, COLUMNS, Record};
use super::schema::{ObjectSchema, Schema};
use crate::store::StoreError;
use entente_core::{Reference, Timestamp, Value};
use entente_sync::{
    BadRow, Batch, Conversion, Deletion, ExchangeError, Finished, Page, ReportRequest, Row, Wanted,
};
use rusqlite::{Connection, Params, ToSql, params};

/// The maximum page length: longer pages would only use more memory.
const LONGEST_PAGE: u32 = 10_000;

/// The access path of an object.
#[derive(Debug, Clone, Copy)]
enum Way {
    Ids,
    Everything,
    Since(i64),
    Window(Timestamp, Timestamp),
}

impl Hub {
    /// Reads one page of a report.
    pub(super) fn page(
        &self,
        connection: &Connection,
        request: &ReportRequest,
    ) -> Result<Page, ExchangeError> {
        let schema = self.schema(connection)?;
        let (seq, top) = counters(connection)?;
        let mut cursor = match &request.cursor {
            Some(text) => Cursor::read(text, request)?,
            None => Cursor::start(request, seq, top),
        };
        if cursor.upper > seq {
            return Err(expired("the cursor is newer than the hub's data; begin the report again"));
        }
        let own = records::known_source(connection, &request.sync)?.unwrap_or(-1);

        let limit = request.limit.clamp(1, LONGEST_PAGE) as usize;
        let mut page = Page::default();
        let total = if request.cursor.is_none() { count(connection, &schema, request, seq)? } else { None };
        let mut read = 0;
        while let Some(wanted) = request.objects.get(cursor.object) {
            if read >= limit {
                page.next = Some(cursor.write()?);
                page.remaining = total.map(|total| total.saturating_sub(read as u64));
                return Ok(page);
            }
            let reading = Reading {
                connection,
                object: schema.require(&wanted.object)?,
                own,
                wanted,
                way: way(request, wanted, seq)?,
            };
            let mut batch =
                Batch { object: wanted.object.clone(), fields: wanted.fields.clone(), ..Batch::default() };
            let found = reading.read(&mut cursor, limit - read, &mut batch, &mut page.conversions)?;
            read += found;
            match page.batches.last_mut() {
                // The same object requested twice stays two batches, since their fields may differ.
                Some(last) if last.object == batch.object && last.fields == batch.fields => {
                    last.rows.append(&mut batch.rows);
                    last.bad.append(&mut batch.bad);
                    last.deleted.append(&mut batch.deleted);
                }
                _ if batch.rows.is_empty() && batch.bad.is_empty() && batch.deleted.is_empty() => {}
                _ => page.batches.push(batch),
            }
        }
        for wanted in request.objects.iter().filter(|wanted| wanted.ids.is_empty()) {
            page.finished.push(Finished {
                object: wanted.object.clone(),
                bookmark: Some(cursor.upper.to_string()),
                complete: matches!(way(request, wanted, seq)?, Way::Everything),
            });
        }
        Ok(page)
    }
}

/// An estimate of the number of records in a report. For a window there is none, since it would cost a second
/// search.
fn count(
    connection: &Connection,
    schema: &Schema,
    request: &ReportRequest,
    seq: i64,
) -> Result<Option<u64>, ExchangeError> {
    let mut total: i64 = 0;
    for wanted in &request.objects {
        let object = schema.require(&wanted.object)?.number;
        let counted = |sql: &str, params: &[&dyn ToSql]| -> Result<i64, HubError> {
            Ok(connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
        };
        total += match way(request, wanted, seq)? {
            Way::Ids => wanted.ids.len() as i64,
            Way::Everything => counted("SELECT count(*) FROM hub_record WHERE object = ?1", &[&object])?,
            Way::Since(bookmark) => counted(
                "SELECT count(*) FROM hub_record WHERE object = ?1 AND seq > ?2",
                &[&object, &bookmark],
            )?,
            Way::Window(..) => return Ok(None),
        };
    }
    Ok(Some(total.unsigned_abs()))
}

fn way(request: &ReportRequest, wanted: &Wanted, seq: i64) -> Result<Way, ExchangeError> {
    if !wanted.ids.is_empty() {
        return Ok(Way::Ids);
    }
    if wanted.full || request.first_time {
        return Ok(Way::Everything);
    }
    Ok(match (&wanted.bookmark, wanted.window.since) {
        // With a bookmark, the window is ignored: the run's window ends now, and hub field times come from
        // other machines. A record dated slightly in the future would fall outside the window, and the
        // bookmark would then skip it for ever.
        (Some(bookmark), _) => Way::Since(
            read_bookmark(bookmark, seq)
                .map_err(|error| ExchangeError { object: Some(wanted.object.clone()), ..error })?,
        ),
        (None, Some(from)) => Way::Window(from, wanted.window.until),
        (None, None) => Way::Everything,
    })
}

fn read_bookmark(bookmark: &str, seq: i64) -> Result<i64, ExchangeError> {
    match bookmark.parse::<i64>() {
        Ok(number) if (0..=seq).contains(&number) => Ok(number),
        Ok(number) if number > seq => {
            Err(expired("the bookmark is newer than the hub's data; list everything again"))
        }
        _ => Err(expired("the bookmark is not one of the hub's; list everything again")),
    }
}

fn counters(connection: &Connection) -> Result<(i64, i64), HubError> {
    let mut statement = connection.prepare_cached("SELECT seq, record FROM hub_counter")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The reading of one object of a report.
struct Reading<'a> {
    connection: &'a Connection,
    object: &'a ObjectSchema,
    /// The number in `hub_source` of the requesting sync.
    own: i64,
    wanted: &'a Wanted,
    way: Way,
}

impl Reading<'_> {
    /// Reads from the cursor until the object is complete or the limit is reached.
    fn read(
        &self,
        cursor: &mut Cursor,
        limit: usize,
        batch: &mut Batch,
        merged: &mut Vec<Conversion>,
    ) -> Result<usize, HubError> {
        if matches!(self.way, Way::Ids) {
            return self.ids(cursor, limit, batch, merged);
        }
        let fields = self.fields();
        let (object, key, id, left) =
            (self.object.number, cursor.key.unwrap_or(i64::MIN), cursor.id, limit as i64);
        let read = match (cursor.part, self.way) {
            (Part::Records, Way::Since(bookmark)) => self.rows(
                &format!(
                    "SELECT {COLUMNS} FROM hub_record WHERE object = ?1 AND seq > ?2 AND seq <= ?3 AND (source <> ?4 OR other_seq > ?5)
                     ORDER BY seq LIMIT ?6"
                ),
                params![object, key.max(bookmark), cursor.upper, self.own, bookmark, left],
                |_, seq, _| cursor.key = Some(seq),
                &fields,
                batch,
            )?,
            (Part::Records, Way::Window(since, until)) => self.rows(
                &format!(
                    "SELECT {COLUMNS} FROM hub_record WHERE object = ?1 AND (changed, id) > (?2, ?3) AND changed >= ?4 AND changed < ?5
                     AND seq <= ?6 ORDER BY changed, id LIMIT ?7"
                ),
                params![object, key, id, since.micros(), until.micros(), cursor.upper, left],
                |id, _, changed| (cursor.key, cursor.id) = (Some(changed), id),
                &fields,
                batch,
            )?,
            // Ordered by id and not by change number, so that a record that is changed during the listing
            // keeps its position.
            (Part::Records, _) => self.rows(
                &format!("SELECT {COLUMNS} FROM hub_record WHERE object = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4"),
                params![object, key, cursor.top, left],
                |id, _, _| cursor.key = Some(id),
                &fields,
                batch,
            )?,
            (Part::Deletions, Way::Window(since, until)) => self.deletions(
                "SELECT id, seq, deleted, merged FROM hub_tombstone WHERE object = ?1 AND (deleted, id) > (?2, ?3) AND deleted >= ?4
                 AND deleted < ?5 AND seq <= ?6 ORDER BY deleted, id LIMIT ?7",
                params![object, key, id, since.micros(), until.micros(), cursor.upper, left],
                |id, _, deleted| (cursor.key, cursor.id) = (Some(deleted), id),
                (batch, merged),
            )?,
            (Part::Deletions, way) => {
                // Echo suppression: since a bookmark, the sync's own deletions are left out; a complete
                // listing leaves out none.
                let (bookmark, own) = if let Way::Since(bookmark) = way { (bookmark, self.own) } else { (0, -1) };
                self.deletions(
                    "SELECT id, seq, deleted, merged FROM hub_tombstone WHERE object = ?1 AND seq > ?2 AND seq <= ?3 AND source <> ?4
                     ORDER BY seq LIMIT ?5",
                    params![object, key.max(bookmark), cursor.upper, own, left],
                    |_, seq, _| cursor.key = Some(seq),
                    (batch, merged),
                )?
            }
        };
        if read < limit {
            cursor.advance();
        }
        Ok(read)
    }

    /// The indexes of the requested fields; `None` for a field that the hub does not have.
    fn fields(&self) -> Vec<Option<usize>> {
        self.wanted.fields.iter().map(|field| self.object.index(field)).collect()
    }

    fn rows(
        &self,
        sql: &str,
        params: impl Params,
        mut place: impl FnMut(i64, i64, i64),
        fields: &[Option<usize>],
        batch: &mut Batch,
    ) -> Result<usize, HubError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            place(id, row.get(1)?, row.get(4)?);
            read += 1;
            match Record::read(self.object, row) {
                Ok(record) => batch.rows.push(as_row(record, fields)),
                // One corrupt record must not stop the others.
                Err(HubError::Store(error @ StoreError::Corrupt { .. })) => {
                    batch.bad.push(BadRow { id: Some(id.to_string()), reason: error.to_string() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// Reads tombstones: deletions into the batch, merges into the list beside it.
    fn deletions(
        &self,
        sql: &str,
        params: impl Params,
        mut place: impl FnMut(i64, i64, i64),
        (batch, merged): (&mut Batch, &mut Vec<Conversion>),
    ) -> Result<usize, HubError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            let (id, seq, deleted): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            place(id, seq, deleted);
            read += 1;
            let at = Some(Timestamp::from_micros(deleted));
            match row.get(3)? {
                Some(winner) => merged.push(self.merge(&id.to_string(), winner, at)),
                None => batch.deleted.push(Deletion { id: id.to_string(), deleted: at }),
            }
        }
        Ok(read)
    }

    /// A record of this object that was merged into another one.
    fn merge(&self, loser: &str, winner: i64, at: Option<Timestamp>) -> Conversion {
        let named = |id: String| Reference { object: self.object.name().to_owned(), id };
        Conversion { before: named(loser.to_owned()), after: named(winner.to_string()), at }
    }

    /// Reads the records with the requested ids; those that do not exist are reported as deleted, or as merged.
    fn ids(
        &self,
        cursor: &mut Cursor,
        limit: usize,
        batch: &mut Batch,
        merged: &mut Vec<Conversion>,
    ) -> Result<usize, HubError> {
        let fields = self.fields();
        let from = usize::try_from(cursor.key.unwrap_or(0)).unwrap_or(0);
        let ids = self.wanted.ids.get(from..).unwrap_or_default();
        for (n, id) in ids.iter().take(limit).enumerate() {
            if self.wanted.ids[..from + n].contains(id) {
                continue;
            }
            let number = records::number(id);
            let record = number
                .map(|number| records::load(self.connection, self.object, number))
                .transpose()?
                .flatten();
            match record {
                Some(record) => batch.rows.push(as_row(record, &fields)),
                None => {
                    let gone = number
                        .map(|number| records::tombstone(self.connection, self.object, number))
                        .transpose()?
                        .flatten();
                    let deleted = gone.map(|gone| gone.at);
                    match gone.and_then(|gone| gone.merged) {
                        Some(winner) => merged.push(self.merge(id, winner, deleted)),
                        None => batch.deleted.push(Deletion { id: id.clone(), deleted }),
                    }
                }
            }
        }
        if ids.len() <= limit {
            cursor.next_object();
        } else {
            cursor.key = Some((from + limit) as i64);
        }
        Ok(ids.len().min(limit))
    }
}

/// Converts a record to a row of these fields.
pub(super) fn as_row(mut record: Record, fields: &[Option<usize>]) -> Row {
    let mut values = Vec::with_capacity(fields.len());
    let mut times = Vec::with_capacity(fields.len());
    for (n, index) in fields.iter().enumerate() {
        let Some(index) = *index else {
            values.push(None);
            times.push(None);
            continue;
        };
        // A field that is requested again later must not be moved out yet.
        let again = fields[n + 1..].contains(&Some(index));
        let stored = if again { record.fields[index].clone() } else { record.fields[index].take() };
        match stored {
            Some(stored) => {
                values.push(Some(stored.value));
                times.push(Some(stored.stamp.time));
            }
            None => {
                values.push(Some(Value::Null));
                times.push(None);
            }
        }
    }
    Row {
        id: record.id.to_string(),
        changed: Some(record.changed),
        version: Some(record.seq.to_string()),
        values,
        times,
    }
}
