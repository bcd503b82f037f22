//! Object and field definitions: the built-in ones, which a migration writes, and the operator's own.

use super::error::HubError;
use crate::store::StoreError;
use entente_core::{Carrier, Foreign, Kind};
use entente_sync::{ChangeTimes, Description, Feature, Field, Object};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The length limit of object and field names.
pub(super) const LONGEST_NAME: usize = 64;

/// The definition of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDefinition {
    /// The name that mappings use.
    pub name: String,
    /// The label, for people.
    pub label: String,
    /// Whether it is built in.
    #[serde(default)]
    pub builtin: bool,
    /// Its fields, in definition order.
    #[serde(default)]
    pub fields: Vec<FieldDefinition>,
}

/// The definition of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDefinition {
    /// The name that mappings use.
    pub name: String,
    /// The label, for people.
    pub label: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether a new record needs a value, and the field cannot be cleared.
    #[serde(default)]
    pub required: bool,
    /// Whether records are recognised by it.
    #[serde(default)]
    pub identifier: bool,
    /// Whether the value is a set, merged element by element.
    #[serde(default)]
    pub set_like: bool,
    /// The objects that a reference may point to.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The choices: value and label. Empty allows anything.
    #[serde(default)]
    pub choices: Vec<(String, String)>,
    /// The length limit in characters, where it is lower than the hub's own.
    #[serde(default)]
    pub max_length: Option<u32>,
    /// Whether it is built in.
    #[serde(default)]
    pub builtin: bool,
}

impl FieldDefinition {
    /// A field of this kind with default properties.
    pub fn new(name: impl Into<String>, label: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            kind,
            required: false,
            identifier: false,
            set_like: false,
            targets: Vec::new(),
            choices: Vec::new(),
            max_length: None,
            builtin: false,
        }
    }

    /// The definition equivalent to a field of an exchange's description.
    ///
    /// # Errors
    /// [`HubError::Definition`] where the hub has no such field kind.
    pub fn from_field(field: &Field) -> Result<Self, HubError> {
        if let Kind::Other(_) = field.kind {
            let what = format!("field {}", field.name);
            return Err(HubError::Definition { what, why: no_such_kind(&field.kind) });
        }
        Ok(Self {
            required: field.required,
            identifier: field.identifier,
            set_like: field.set_like,
            targets: field.targets.clone(),
            choices: field.choices.clone(),
            max_length: field.max_length,
            ..Self::new(field.name.as_str(), field.label.as_str(), field.kind.clone())
        })
    }

    /// The length limit of its values, in characters.
    pub fn longest(&self) -> u32 {
        let most = longest(&self.kind);
        self.max_length.map_or(most, |own| own.min(most))
    }

    fn describe(&self) -> Field {
        Field {
            name: self.name.clone(),
            label: self.label.clone(),
            kind: self.kind.clone(),
            required: self.required,
            writable: true,
            set_like: self.set_like,
            identifier: self.identifier,
            targets: self.targets.clone(),
            choices: self.choices.clone(),
            max_length: (self.kind.carrier() == Carrier::Text || self.kind == Kind::Json)
                .then(|| self.longest()),
            ..Field::default()
        }
    }
}

/// The default length limit of a kind's values, in characters.
const fn longest(kind: &Kind) -> u32 {
    match kind {
        Kind::LongText | Kind::Json | Kind::Texts | Kind::Choices => 1 << 20,
        Kind::Boolean
        | Kind::Integer
        | Kind::Float
        | Kind::Text
        | Kind::Email
        | Kind::Phone
        | Kind::Url
        | Kind::Date
        | Kind::Timestamp
        | Kind::Choice
        | Kind::Reference
        | Kind::References
        | Kind::Decimal
        | Kind::Time
        | Kind::Other(_) => 1 << 16,
    }
}

/// The message that refuses an unknown kind.
pub(super) fn no_such_kind(kind: &Kind) -> String {
    format!("the hub has no kind '{kind}'; it has {}", names(Kind::KNOWN.iter().map(Kind::as_str)))
}

impl ObjectDefinition {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&FieldDefinition> {
        self.fields.iter().find(|field| field.name == name)
    }

    fn describe(&self) -> Object {
        let words = [
            Feature::Create,
            Feature::Update,
            Feature::Delete,
            Feature::Deletions,
            Feature::FullListing,
            Feature::ConditionalUpdate,
            Feature::ById,
        ];
        Object {
            name: self.name.clone(),
            label: self.label.clone(),
            fields: self.fields.iter().map(FieldDefinition::describe).collect(),
            change_times: ChangeTimes::Field,
            precision: 1,
            features: words.into(),
            search_lag: None,
            page_size: None,
            order_size: None,
        }
    }
}

/// An object definition with its numbers in tables.
#[derive(Debug)]
pub(super) struct ObjectSchema {
    pub(super) number: i64,
    pub(super) definition: ObjectDefinition,
    /// The numbers of the fields, in their order.
    pub(super) fields: Vec<i64>,
}

impl ObjectSchema {
    /// Loads one object.
    pub(super) fn load(connection: &Connection, name: &str) -> Result<Self, HubError> {
        let mut statement = connection
            .prepare_cached("SELECT number, name, label, builtin FROM hub_object WHERE name = ?1")?;
        let mut rows = statement.query([name])?;
        match rows.next()? {
            Some(row) => Self::of(connection, row),
            None => Err(HubError::UnknownObject { name: name.to_owned(), known: String::new() }),
        }
    }

    fn of(connection: &Connection, row: &Row<'_>) -> Result<Self, HubError> {
        let number: i64 = row.get(0)?;
        let (numbers, fields) = fields(connection, number, None)?;
        let definition =
            ObjectDefinition { name: row.get(1)?, label: row.get(2)?, builtin: row.get(3)?, fields };
        Ok(Self { number, definition, fields: numbers })
    }

    /// Takes over a field as it is stored now.
    pub(super) fn take_field(&mut self, connection: &Connection, field: &str) -> Result<(), HubError> {
        let (numbers, fields) = fields(connection, self.number, Some(field))?;
        for (number, field) in numbers.into_iter().zip(fields) {
            match self.index(&field.name) {
                Some(index) => self.definition.fields[index] = field,
                None => {
                    self.fields.push(number);
                    self.definition.fields.push(field);
                }
            }
        }
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        &self.definition.name
    }

    /// The index of a field.
    pub(super) fn index(&self, field: &str) -> Option<usize> {
        self.definition.fields.iter().position(|known| known.name == field)
    }

    pub(super) fn require(&self, field: &str) -> Result<usize, HubError> {
        self.index(field).ok_or_else(|| HubError::UnknownField {
            object: self.name().to_owned(),
            name: field.to_owned(),
            known: names(self.definition.fields.iter().map(|field| field.name.as_str())),
        })
    }

    /// The indexes of the identifier fields.
    pub(super) fn identifiers(&self) -> impl Iterator<Item = usize> {
        self.definition
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.identifier)
            .map(|(index, _)| index)
    }
}

/// All definitions, as of one version.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) version: i64,
    pub(super) objects: Vec<Arc<ObjectSchema>>,
}

impl Schema {
    pub(super) fn object(&self, name: &str) -> Option<&Arc<ObjectSchema>> {
        self.objects.iter().find(|object| object.name() == name)
    }

    /// The object of this number.
    pub(super) fn numbered(&self, number: i64) -> Option<&Arc<ObjectSchema>> {
        self.objects.iter().find(|object| object.number == number)
    }

    pub(super) fn require(&self, name: &str) -> Result<&Arc<ObjectSchema>, HubError> {
        self.object(name).ok_or_else(|| HubError::UnknownObject {
            name: name.to_owned(),
            known: names(self.objects.iter().map(|object| object.name())),
        })
    }

    pub(super) fn describe(&self) -> Description {
        let objects = self.objects.iter().map(|object| object.definition.describe()).collect();
        Description { objects, ..Description::default() }
    }

    /// The current version of the definitions in the database.
    pub(super) fn current(connection: &Connection) -> Result<i64, HubError> {
        Ok(connection.prepare_cached("SELECT schema FROM hub_counter")?.query_row([], |row| row.get(0))?)
    }

    pub(super) fn load(connection: &Connection) -> Result<Self, HubError> {
        let version = Self::current(connection)?;
        let mut objects = Vec::new();
        let mut statement = connection
            .prepare_cached("SELECT number, name, label, builtin FROM hub_object ORDER BY number")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            objects.push(Arc::new(ObjectSchema::of(connection, row)?));
        }
        Ok(Self { version, objects })
    }
}

/// The fields of an object with their numbers, or one of them.
fn fields(
    connection: &Connection,
    object: i64,
    field: Option<&str>,
) -> Result<(Vec<i64>, Vec<FieldDefinition>), HubError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, name, label, kind, required, identifier, set_like, targets, choices, max_length, builtin
         FROM hub_field WHERE object = ?1 AND (?2 IS NULL OR name = ?2) ORDER BY number",
    )?;
    let mut rows = statement.query(params![object, field])?;
    let (mut numbers, mut fields) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        let corrupt = |why: String| StoreError::Corrupt { what: format!("hub field {name}"), why };
        let (kind, targets, choices): (String, String, String) = (row.get(3)?, row.get(7)?, row.get(8)?);
        let kind = match Kind::from(kind) {
            Kind::Other(word) => return Err(corrupt(format!("no kind '{word}'")).into()),
            kind => kind,
        };
        let targets = serde_json::from_str(&targets).map_err(|error| corrupt(error.to_string()))?;
        let choices = serde_json::from_str(&choices).map_err(|error| corrupt(error.to_string()))?;
        numbers.push(row.get(0)?);
        fields.push(FieldDefinition {
            label: row.get(2)?,
            kind,
            required: row.get(4)?,
            identifier: row.get(5)?,
            set_like: row.get(6)?,
            targets,
            choices,
            max_length: row.get(9)?,
            builtin: row.get(10)?,
            name,
        });
    }
    Ok((numbers, fields))
}

/// Names as «a, b, c», for messages: somebody else's, each cut, and not all of very many.
pub(super) fn names<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 50;
    const BYTES: usize = 100;
    let shown = names.by_ref().take(SHOWN).map(|name| Foreign::new(name).cut(BYTES));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.count() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
