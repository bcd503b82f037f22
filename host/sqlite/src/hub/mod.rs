//! The hub: the built-in record store, as an [`Exchange`](entente_sync::Exchange).
//!
//! It has the objects `contact` and `company`, and those that the operator defines. For each field of each
//! record it stores the value, its change time (certain or an upper bound) and its origin. A record is one
//! row; identifier fields have an index table. Every change gets the next number of a sequence over the whole
//! hub: bookmarks are positions in this sequence, never times.
//!
//! Ids are decimal numbers that are never reused, not even by another object.
//!
//! Planned: multiple addresses of a contact, and memberships (in or out of a group, with change time), become
//! objects of their own. Their records reference the contact and have fields, stamps and change numbers like
//! any other; virtual fields of the contact (`member.newsletter`, `email.bulk`) read and write them. The
//! tables here stay as they are.

mod address;
mod check;
mod csv;
mod cursor;
mod data;
mod define;
mod erase;
mod error;
mod exchange;
mod find;
mod imports;
mod list;
mod merge;
mod orders;
mod parse;
mod people;
mod records;
mod report;
mod restore;
mod schema;
mod search;
#[cfg(test)]
mod tests;

pub use csv::{
    BadCell, BadCells, BadCode, CardVersion, CellError, CsvError, Empty, ExportOptions, Exported, ImportKey,
    ImportNote, ImportOptions, ImportReport, LeftOut, LikelyColumn, Only, REFUSED_COLUMN, RefusalCount,
    UnreadOfCards, UnusedColumn, Weighing, export_cards, export_csv, import_csv, import_with_refused,
};
pub use define::{Definer, MOST_CHOICES, MOST_FIELDS, MOST_FIELDS_OF_ALL, MOST_OBJECTS};
pub use error::{HubError, Refusal};
pub use imports::{
    FieldChange, ImportFilter, ImportedPage, Left, RecordChange, UndoImportError, UndoneImport,
};
pub use merge::{Merge, Taken};
pub use parse::{DateOrder, ParseError, ParseOptions, parse_value};
pub use people::{List, ListQuery, Origin, RecordField, RecordView};
pub use schema::{FieldDefinition, ObjectDefinition};

use crate::store::{Store, StoreError};
use entente_sync::Clock;
use rusqlite::Connection;
use schema::Schema;
use std::sync::{Arc, Mutex, PoisonError};

/// The record store. Clones share their state.
#[derive(Clone)]
pub struct Hub {
    store: Store,
    clock: Arc<dyn Clock>,
    /// The cached definitions with their version; another process may have written newer ones.
    schema: Arc<Mutex<Option<Arc<Schema>>>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// The hub of a store. Operator writes are dated by the clock.
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

    /// The definitions as of this connection's transaction.
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

    /// Runs reads in one snapshot.
    async fn read<T: Send>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, HubError> + Send,
    ) -> Result<T, HubError> {
        self.store.read(|connection| Ok::<_, StoreError>(read(connection))).await?
    }

    /// Runs writes in a transaction of their own.
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
