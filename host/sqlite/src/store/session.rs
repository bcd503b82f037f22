//! Sessions: an open transaction as other crates see it, without SQL or connection.

use rusqlite::Connection;

/// An open transaction. Calls with the same session see one snapshot of the file, and their writes commit
/// together or not at all.
///
/// Obtained from [`Store::snapshot`](crate::Store::snapshot), [`Store::transact`](crate::Store::transact) or
/// [`StoreUnit::session`](crate::StoreUnit::session), whose transaction it lives as long as.
#[derive(Clone, Copy)]
pub struct Session<'c> {
    connection: &'c Connection,
}

impl<'c> Session<'c> {
    pub(crate) fn over(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// The connection, for this crate's SQL.
    pub(crate) fn connection(self) -> &'c Connection {
        self.connection
    }
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
