//! What the operator adds to the hub: objects and fields of their own.

use crate::config::error::{ConfigError, Problem, Problems};
use entente_sqlite::StoreError;
use entente_sync::Field;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// An object of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomObject {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: String,
}

/// A field of the operator's own, on one of their objects or on a built-in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The object that it is on.
    pub object: String,
    /// The field.
    pub field: Field,
}

/// Why the hub does not take a definition.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It cannot be, or not any more: records have values that would no longer fit.
    #[error("{0}")]
    Refused(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The part of the hub that takes in custom objects and fields, within the transaction of the caller. It is
/// asked for what is new or different only.
pub trait HubSchema: Send + Sync {
    /// Makes an object, or gives it another label.
    ///
    /// # Errors
    /// Where the hub refuses it, or the database fails.
    fn define_object(&self, connection: &Connection, object: &CustomObject) -> Result<(), SchemaError>;

    /// Makes a field, or changes its definition.
    ///
    /// # Errors
    /// Where the hub refuses it, or the database fails.
    fn define_field(&self, connection: &Connection, field: &CustomField) -> Result<(), SchemaError>;
}

/// Everything that was ever defined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Custom {
    pub(crate) objects: Vec<CustomObject>,
    pub(crate) fields: Vec<CustomField>,
}

impl Custom {
    pub(crate) fn field(&self, object: &str, name: &str) -> Option<&CustomField> {
        self.fields.iter().find(|custom| custom.object == object && custom.field.name == name)
    }

    pub(crate) fn object(&self, name: &str) -> Option<&CustomObject> {
        self.objects.iter().find(|custom| custom.name == name)
    }
}

fn corrupt(object: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { what: format!("custom definition of '{object}'"), why: error.to_string() }
}

/// What was defined before.
pub(crate) fn load(connection: &Connection) -> Result<Custom, ConfigError> {
    let mut statement = connection
        .prepare_cached("SELECT object, field, definition FROM custom_definition ORDER BY object, field")?;
    let rows: Vec<(String, String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut custom = Custom::default();
    for (object, field, definition) in rows {
        if field.is_empty() {
            custom.objects.push(serde_json::from_str(&definition).map_err(|error| corrupt(&object, &error))?);
        } else {
            custom.fields.push(serde_json::from_str(&definition).map_err(|error| corrupt(&object, &error))?);
        }
    }
    Ok(custom)
}

/// Hands what is new or different to the hub, and remembers it.
pub(crate) fn put(
    connection: &Connection,
    hub: &dyn HubSchema,
    custom: &Custom,
    before: &Custom,
) -> Result<(), ConfigError> {
    const PUT: &str = "INSERT INTO custom_definition (object, field, definition) VALUES (?1, ?2, ?3)
        ON CONFLICT (object, field) DO UPDATE SET definition = ?3";
    let refused = |part: String, error: SchemaError| match error {
        SchemaError::Refused(why) => {
            ConfigError::Problems(Problems(vec![Problem { place: None, part, message: why }]))
        }
        SchemaError::Store(error) => ConfigError::Store(error),
    };
    for object in custom.objects.iter().filter(|object| before.object(&object.name) != Some(object)) {
        let json = serde_json::to_string(object).map_err(|error| corrupt(&object.name, &error))?;
        hub.define_object(connection, object)
            .map_err(|error| refused(format!("object {}", object.name), error))?;
        connection.execute(PUT, params![object.name, "", json])?;
    }
    for field in
        custom.fields.iter().filter(|field| before.field(&field.object, &field.field.name) != Some(field))
    {
        let json = serde_json::to_string(field).map_err(|error| corrupt(&field.object, &error))?;
        hub.define_field(connection, field).map_err(|error| {
            refused(format!("object {}, field {}", field.object, field.field.name), error)
        })?;
        connection.execute(PUT, params![field.object, field.field.name, json])?;
    }
    Ok(())
}
