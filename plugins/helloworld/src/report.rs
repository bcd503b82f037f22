//! Sync reports: reading new, changed and deleted records.

use std::collections::BTreeSet;

use entente_sdk::http::Request;
use entente_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::objects::{self, ORGANISATION, PAGE_SIZE, PERSON};
use crate::record::{Deleted, Record};

/// Organisations first, so that those that people refer to are known by then.
const READING_ORDER: [&str; 2] = [ORGANISATION, PERSON];

/// The position at which a page starts: the cursor of this plugin. It holds everything that later pages need,
/// since the host creates the plugin anew for each page, and may continue days later.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    /// The object that is being read, by its number in [`READING_ORDER`].
    object: usize,
    /// How it is read; `None` before its first page.
    way: Option<Way>,
    /// The cursor of hello-crm in its listing.
    after: Option<String>,
    /// How many of the wanted ids have been read.
    ids_done: usize,
}

/// How an object is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Way {
    /// Just the records that are asked for.
    Ids,
    /// Everything there is.
    Everything,
    /// What changed since this token was given.
    Since(String),
    /// What changed in the window.
    Window(Timestamp),
}

/// A page of a listing as hello-crm answers it.
#[derive(Debug, Default, Deserialize)]
struct Listing {
    records: Vec<Record>,
    deleted: Vec<Deleted>,
    next: Option<String>,
    /// On the last page.
    sync_token: Option<String>,
}

/// One page of a report: one page of one object.
pub(crate) fn report(client: &Client, request: &ReportRequest) -> Result<Page, Error> {
    // Says what is wrong with the mapping, instead of leaving an object out.
    request.objects.iter().try_for_each(|wanted| objects::path(&wanted.object).map(drop))?;

    let mut place: Place = request.cursor_as()?.unwrap_or_default();
    let Some((object, wanted)) = next_object(request, place.object) else {
        return Ok(Page::new());
    };
    place.object = object;
    let way = place.way.take().unwrap_or_else(|| way(wanted));
    let (page, goes_on) = match way {
        Way::Ids => by_ids(client, request, wanted, &mut place)?,
        // A token that is too old is one of this object: the others go on from theirs.
        _ => {
            listed(client, request, wanted, &way, &mut place).map_err(|error| error.object(&wanted.object))?
        }
    };
    if goes_on {
        place.way = Some(way);
        return page.next_as(&place);
    }
    match next_object(request, object + 1) {
        Some((object, _)) => page.next_as(&Place { object, ..Place::default() }),
        None => Ok(page),
    }
}

/// The next object that is wanted, and its number.
fn next_object(request: &ReportRequest, from: usize) -> Option<(usize, &Wanted)> {
    let wanted = |object: &str| request.objects.iter().find(|wanted| wanted.object == object);
    READING_ORDER.iter().enumerate().skip(from).find_map(|(number, object)| Some((number, wanted(object)?)))
}

fn way(wanted: &Wanted) -> Way {
    if !wanted.ids.is_empty() {
        return Way::Ids;
    }
    match (&wanted.bookmark, wanted.since()) {
        _ if wanted.full => Way::Everything,
        // hello-crm's sync token is the bookmark of this plugin.
        (Some(token), _) => Way::Since(token.clone()),
        (None, Some(since)) => Way::Window(since),
        (None, None) => Way::Everything,
    }
}

/// A page of a listing, and whether there is another one.
fn listed(
    client: &Client,
    request: &ReportRequest,
    wanted: &Wanted,
    way: &Way,
    place: &mut Place,
) -> Result<(Page, bool), Error> {
    let mut ask = ask(client, request, wanted)?;
    match way {
        Way::Since(token) => ask = ask.query("sync_token", token),
        Way::Window(since) => {
            ask = ask
                .query("updated_since", since)
                .query("updated_before", wanted.window.until)
                .query("include_deleted", true);
        }
        // No end: the token that comes with the last page covers what happens after the first, so a listing
        // that left out what changed between `until` and its first page would lose it.
        _ => ask = ask.query("include_deleted", !request.first_time),
    }
    if let Some(after) = &place.after {
        ask = ask.query("after", after);
    }
    let listing: Listing = client.send(ask)?.json()?;
    let page = page(wanted, &listing);
    if listing.next.is_some() {
        place.after = listing.next;
        return Ok((page, true));
    }
    let mut finished = Finished::new(&wanted.object);
    // A window ends before its listing begins: the token would skip what happened in between.
    if let (Some(token), false) = (listing.sync_token, matches!(way, Way::Window(_))) {
        finished = finished.bookmark(token);
    }
    Ok((page.finished(if *way == Way::Everything { finished.complete() } else { finished }), false))
}

/// A page of the wanted ids, and whether some are left.
fn by_ids(
    client: &Client,
    request: &ReportRequest,
    wanted: &Wanted,
    place: &mut Place,
) -> Result<(Page, bool), Error> {
    let left = wanted.ids.get(place.ids_done..).unwrap_or_default();
    let most = request.limit.clamp(1, PAGE_SIZE) as usize;
    let now: BTreeSet<&str> = left.iter().take(most).map(String::as_str).collect();
    let joined: Vec<&str> = now.iter().copied().collect();
    let mut listing = Listing::default();
    loop {
        let ask = ask(client, request, wanted)?.query("ids", joined.join(",")).query("include_deleted", true);
        let ask = match &listing.next {
            Some(after) => ask.query("after", after),
            None => ask,
        };
        let part: Listing = client.send(ask)?.json()?;
        listing.records.extend(part.records);
        listing.deleted.extend(part.deleted);
        listing.next = part.next;
        // Pages may be smaller than what was asked for: what is on the next one is not missing.
        if listing.next.is_none() {
            break;
        }
    }
    let mut page = page(wanted, &listing);
    // An id that hello-crm passes over was never there, or is so no more: for the host both is gone.
    let told: BTreeSet<&str> = listing
        .records
        .iter()
        .map(|r| r.id.as_str())
        .chain(listing.deleted.iter().map(|d| d.id.as_str()))
        .collect();
    if let Some(batch) = page.batches.first_mut() {
        now.difference(&told).for_each(|missing| batch.deleted(*missing, None));
    }
    place.ids_done += left.len().min(most);
    Ok((page, place.ids_done < wanted.ids.len()))
}

fn ask(client: &Client, request: &ReportRequest, wanted: &Wanted) -> Result<Request, Error> {
    let path = objects::path(&wanted.object)?;
    Ok(client.get(path).query("fields", wanted.fields.join(",")).query("limit", request.limit))
}

fn page(wanted: &Wanted, listing: &Listing) -> Page {
    let mut batch = Batch::new(wanted.object.as_str(), wanted.fields.iter().cloned());
    let mut page = Page::new();
    for record in &listing.records {
        batch.push(record.row(&wanted.fields));
    }
    for gone in &listing.deleted {
        match &gone.merged_into {
            Some(heir) => {
                page = page.conversion(
                    Reference::new(&wanted.object, &gone.id),
                    Reference::new(&wanted.object, heir),
                )
            }
            None => batch.deleted(gone.id.as_str(), gone.deleted_at),
        }
    }
    page.batch(batch)
}
