//! What the operator adds to the hub: objects and fields of their own.

use super::error::ConfigError;
use crate::store::StoreError;
use crate::sync::Field;
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

/// The part of the hub that takes in custom objects and fields. Both are asked for again whenever a configuration is applied,
/// so the same definition a second time is no error.
pub trait HubSchema: Send + Sync {
    /// Makes an object, or gives it another label.
    ///
    /// # Errors
    /// Where the database fails.
    fn define_object(&self, connection: &Connection, object: &CustomObject) -> Result<(), StoreError>;

    /// Makes a field, or changes what is changeable about it: its kind is not.
    ///
    /// # Errors
    /// Where the database fails.
    fn define_field(&self, connection: &Connection, field: &CustomField) -> Result<(), StoreError>;
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
    let mut statement = connection.prepare_cached("SELECT object, field, definition FROM custom_definition ORDER BY object, field")?;
    let rows: Vec<(String, String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
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

/// Remembers what is defined and hands it to the hub.
pub(crate) fn put(connection: &Connection, hub: &dyn HubSchema, custom: &Custom) -> Result<(), ConfigError> {
    const PUT: &str = "INSERT INTO custom_definition (object, field, definition) VALUES (?1, ?2, ?3)
        ON CONFLICT (object, field) DO UPDATE SET definition = ?3";
    for object in &custom.objects {
        let json = serde_json::to_string(object).map_err(|error| corrupt(&object.name, &error))?;
        connection.execute(PUT, params![object.name, "", json])?;
        hub.define_object(connection, object)?;
    }
    for field in &custom.fields {
        let json = serde_json::to_string(field).map_err(|error| corrupt(&field.object, &error))?;
        connection.execute(PUT, params![field.object, field.field.name, json])?;
        hub.define_field(connection, field)?;
    }
    Ok(())
}
