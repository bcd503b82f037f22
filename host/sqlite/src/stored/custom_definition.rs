//! Table `custom_definition`: objects and fields that the operator has added to the hub.

use crate::store::{Session, StoreError};
use rusqlite::params;

/// A definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomDefinitionRow {
    /// The object.
    pub object: String,
    /// The field; empty for the object itself.
    pub field: String,
    /// The definition, as JSON.
    pub definition: String,
}

impl Session<'_> {
    /// Every definition, by object and field.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn custom_definitions(self) -> Result<Vec<CustomDefinitionRow>, StoreError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT object, field, definition FROM custom_definition ORDER BY object, field",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(CustomDefinitionRow { object: row.get(0)?, field: row.get(1)?, definition: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes a definition, in place of an older one of that name.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_custom_definition(self, row: &CustomDefinitionRow) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO custom_definition (object, field, definition) VALUES (?1, ?2, ?3)
             ON CONFLICT (object, field) DO UPDATE SET definition = ?3",
            params![row.object, row.field, row.definition],
        )?;
        Ok(())
    }
}
