//! The hub: the built-in record store, as an [`Exchange`](entente_sync::Exchange).
//!
//! It has the objects `contact` and `company` and those that the operator defines. For each field of each
//! record it keeps the value, since when it has it (surely, or at most since), and where it came from. A
//! record is one row, so that one write stores it; identifier fields are found through a table of their own.
//! Every change has a number that grows over the whole hub: bookmarks run on these numbers, never on times.
//!
//! Ids are the digits of a number that is never given again, not even to another object.
//!
//! What is to come, and where it has its place: several addresses of one contact and memberships (in or out
//! of a group, since when) become objects of their own, whose records refer to the contact and have the same
//! fields, stamps and change numbers as any other; virtual fields of the contact (`member.newsletter`,
//! `email.bulk`) read and write them. Nothing of the tables here changes for that.

mod check;
mod csv;
mod cursor;
mod data;
mod define;
mod error;
mod exchange;
mod find;
mod list;
mod orders;
mod parse;
mod people;
mod records;
mod report;
mod schema;
#[cfg(test)]
mod tests;

pub use csv::{
    BadCell, CsvError, Empty, ExportOptions, Exported, ImportKey, ImportOptions, ImportReport, UnusedColumn,
    export_csv, import_csv,
};
pub use error::{HubError, Refusal};
pub use parse::{DateOrder, ParseError, ParseOptions, parse_value};
pub use people::{List, ListQuery, Origin, RecordField, RecordView};
pub use schema::{FieldDefinition, ObjectDefinition};

use crate::store::{Store, StoreError};
use entente_sync::Clock;
use rusqlite::Connection;
use schema::Schema;
use std::sync::{Arc, Mutex, PoisonError};

/// The record store. Clones share everything.
#[derive(Clone)]
pub struct Hub {
    store: Store,
    clock: Arc<dyn Clock>,
    /// The definitions as last read, with their version; another process may have written new ones.
    schema: Arc<Mutex<Option<Arc<Schema>>>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// The hub of a store. What people write is dated by the clock.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, schema: Arc::default() }
    }

    /// All objects with their fields.
    ///
    /// # Errors
    /// [`HubError::Store`] where the database fails.
    pub async fn objects(&self) -> Result<Vec<ObjectDefinition>, HubError> {
        let schema = self.read(|connection| self.schema(connection)).await?;
        Ok(schema.objects.iter().map(|object| object.definition.clone()).collect())
    }

    /// How many records there are.
    ///
    /// # Errors
    /// [`HubError::Store`] where the database fails.
    pub async fn count_all(&self) -> Result<u64, HubError> {
        let count = |connection: &Connection| {
            let records: i64 = connection
                .prepare_cached("SELECT count(*) FROM hub_record")?
                .query_row([], |row| row.get(0))?;
            Ok(records.unsigned_abs())
        };
        Ok(self.store.read(count).await?)
    }

    /// The definitions as this connection sees them.
    fn schema(&self, connection: &Connection) -> Result<Arc<Schema>, HubError> {
        let version = Schema::current(connection)?;
        let mut cached = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = cached.as_ref().filter(|schema| schema.version == version) {
            return Ok(Arc::clone(schema));
        }
        let schema = Arc::new(Schema::load(connection)?);
        *cached = Some(Arc::clone(&schema));
        Ok(schema)
    }

    /// Reads from one state of the database.
    async fn read<T: Send>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, HubError> + Send,
    ) -> Result<T, HubError> {
        self.store.read(|connection| Ok::<_, StoreError>(read(connection))).await?
    }

    /// Writes in a transaction of its own.
    async fn write<T: Send>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, HubError> + Send,
    ) -> Result<T, HubError> {
        let unit = self.store.begin().await?;
        let value = write(unit.connection())?;
        unit.commit()?;
        Ok(value)
    }
}
