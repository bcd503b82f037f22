//! The trait that every plugin implements.

use crate::{
    Change, Collection, Description, Error, Execution, Mapping, Order, Outcome, Page, ReportRequest,
};

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

    /// Makes one change. What it answers, also an error, is about this change: [`Order::one_by_one`] says what the
    /// host is told, and when the changes after it are still made.
    fn change(&self, order: &Order, change: &Change) -> Result<Outcome, Error> {
        let _ = (order, change);
        Err(Error::unsupported("this plugin changes nothing"))
    }

    /// Makes the changes of an order: one by one with [`Integration::change`], unless the plugin does it otherwise
    /// because the remote system takes many at once. One answer for each change, in any order; one that fails must
    /// not stop the others. **After an error, and without an answer, the host takes a change as sent with its fate
    /// unknown, whatever the code**: answer what is known, and put the error into [`Execution::stopped`].
    fn execute(&self, order: &Order) -> Result<Execution, Error> {
        Ok(order.one_by_one(|change| self.change(order, change)))
    }

    /// What became of the changes that were answered with `Deferred`. `order` has those that are still open, as
    /// they were ordered.
    fn collect(&self, ticket: &str, order: &Order) -> Result<Collection, Error> {
        let _ = (ticket, order);
        Err(Error::unsupported("this plugin never defers a change"))
    }
}
