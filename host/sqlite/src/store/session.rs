//! Sessions: an open transaction as code outside this crate sees it, without SQL and without a connection.

use rusqlite::Connection;

/// An open transaction. Calls that are given the same session see one state of the file, and what they write
/// is committed together or not at all.
///
/// It comes from [`Store::snapshot`](crate::Store::snapshot), [`Store::transact`](crate::Store::transact) or
/// [`StoreUnit::session`](crate::StoreUnit::session), and ends with it.
#[derive(Clone, Copy)]
pub struct Session<'c> {
    connection: &'c Connection,
}

impl<'c> Session<'c> {
    pub(crate) fn over(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// What this crate's SQL runs on.
    pub(crate) fn connection(self) -> &'c Connection {
        self.connection
    }
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
