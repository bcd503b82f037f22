//! Custom objects and fields of the hub, as the operator defined them.

use super::json::{from_json, to_json};
use crate::config::error::{ConfigError, Problem, Problems};
use entente_sqlite::{CustomDefinitionRow, Definer, FieldDefinition, HubError, Session};
use entente_sync::Field;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A custom object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomObject {
    /// Its name.
    pub name: String,
    /// The label, for people.
    pub label: String,
}

/// A custom field, on a custom or a built-in object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The object that it is on.
    pub object: String,
    /// The field.
    pub field: Field,
}

/// All custom definitions.
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

/// Loads the stored definitions.
pub(crate) fn load(session: Session<'_>) -> Result<Custom, ConfigError> {
    let mut custom = Custom::default();
    for row in session.custom_definitions()? {
        let what = || format!("custom definition of '{}'", row.object);
        if row.field.is_empty() {
            custom.objects.push(from_json(what, &row.definition)?);
        } else {
            custom.fields.push(from_json(what, &row.definition)?);
        }
    }
    Ok(custom)
}

/// Defines new and changed objects and fields in the hub, and stores the definitions.
pub(crate) fn put(session: Session<'_>, custom: &Custom, before: &Custom) -> Result<(), ConfigError> {
    let row = |object: &str, field: &str, definition: String| CustomDefinitionRow {
        object: object.to_owned(),
        field: field.to_owned(),
        definition,
    };
    let objects: HashMap<&str, &CustomObject> =
        before.objects.iter().map(|object| (object.name.as_str(), object)).collect();
    let fields: HashMap<(&str, &str), &CustomField> = before
        .fields
        .iter()
        .map(|field| ((field.object.as_str(), field.field.name.as_str()), field))
        .collect();
    let stored = |error: HubError| refused("the definitions of the hub".to_owned(), error);
    let mut definer = Definer::begin(session).map_err(stored)?;
    for object in custom.objects.iter().filter(|object| objects.get(object.name.as_str()) != Some(object)) {
        definer
            .object(&object.name, &object.label)
            .map_err(|error| refused(format!("object {}", object.name), error))?;
        session.put_custom_definition(&row(&object.name, "", to_json(&object.name, object)?))?;
    }
    let is_known = |custom: &&CustomField| {
        fields.get(&(custom.object.as_str(), custom.field.name.as_str())) == Some(custom)
    };
    for custom in custom.fields.iter().filter(|field| !is_known(field)) {
        FieldDefinition::from_field(&custom.field)
            .and_then(|field| definer.field(&custom.object, &field))
            .map_err(|error| {
                refused(format!("object {}, field {}", custom.object, custom.field.name), error)
            })?;
        let definition = to_json(&custom.object, custom)?;
        session.put_custom_definition(&row(&custom.object, &custom.field.name, definition))?;
    }
    definer.finish().map_err(stored)
}

/// A definition that the hub refuses is a problem of the file, at the part that defines it.
fn refused(part: String, error: HubError) -> ConfigError {
    match error {
        HubError::Store(error) => ConfigError::Store(error),
        error => ConfigError::Problems(Problems(vec![Problem {
            position: None,
            part,
            message: error.to_string(),
            remedies: Vec::new(),
        }])),
    }
}
