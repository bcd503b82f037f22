//! The trait that every plugin implements.

use crate::{Answer, Collection, Description, Error, Mapping, Order, Page, ReportRequest};

/// What every plugin does. Export it with [`export!`](crate::export).
///
/// The host makes a new value for each call, so nothing is carried from one call to the next: settings are
/// always as they are now, and a call that failed leaves nothing behind. What has to last belongs into the
/// cursor, the bookmark or [`state`](crate::state).
pub trait Integration: Sized {
    /// Reads the settings and gets ready. No requests here: it runs before every call.
    fn new() -> Result<Self, Error>;

    /// The objects and fields of the remote system as they are now. Also the test of a new integration: ask
    /// the remote system something, so that a refused credential ends in `unauthorized` here.
    fn describe(&self) -> Result<Description, Error>;

    /// The mapping that fits most customers. The operator's own replaces it. May be empty.
    fn manual(&self) -> Result<Vec<Mapping>, Error>;

    /// One page of what is new, changed or deleted. A row may come twice: better twice than never. Any
    /// failure ends the report without moving the window or the bookmark.
    fn report(&self, request: ReportRequest) -> Result<Page, Error>;

    /// Makes changes. One answer for each, in any order; one that fails must not stop the others. After an
    /// error, or without an answer, the host takes a change as sent with its fate unknown.
    fn execute(&self, order: Order) -> Result<Vec<Answer>, Error>;

    /// What became of the changes that were answered with `Deferred`. `object` and `fields` are those of the
    /// order.
    fn collect(&self, ticket: &str, object: &str, fields: &[String]) -> Result<Collection, Error> {
        let _ = (ticket, object, fields);
        Err(Error::unsupported("this plugin never defers a change"))
    }
}
