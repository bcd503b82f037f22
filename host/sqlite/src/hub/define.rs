//! Custom objects and fields, and schema changes that lose no stored value.

use super::Hub;
use super::check::check;
use super::error::HubError;
use super::records;
use super::schema::{FieldDefinition, LONGEST_NAME, ObjectSchema, Schema, no_such_kind};
use crate::store::{Session, StoreError};
use entente_core::Kind;
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Reserved field names.
const RESERVED: [&str; 3] = ["id", "object", "changed"];

/// The limit of fields per object.
pub const MOST_FIELDS: usize = 500;
/// The limit of objects: far more than people define, and few enough that every command can load them.
pub const MOST_OBJECTS: usize = 1000;
/// The limit of choices of a field.
pub const MOST_CHOICES: usize = 2000;
/// The limit of fields of all objects.
pub const MOST_FIELDS_OF_ALL: usize = 20_000;

impl Hub {
    /// Defines an object, or changes its label.
    ///
    /// # Errors
    /// [`HubError::Definition`] for an invalid name; [`HubError::Store`].
    pub async fn define_object(&self, name: &str, label: &str) -> Result<(), HubError> {
        self.write(|connection| {
            let mut definer = Definer::begin(Session::over(connection))?;
            definer.object(name, label)?;
            definer.finish()
        })
        .await
    }

    /// Defines a field, or changes its definition. Its name cannot be changed. A new kind, fewer choices or
    /// targets, or a lower length limit are accepted only if every stored value still fits. Whether the field
    /// is built in does not change.
    ///
    /// # Errors
    /// [`HubError::Definition`] with what is wrong and what to do, [`HubError::UnknownObject`],
    /// [`HubError::Store`].
    pub async fn define_field(&self, object: &str, field: &FieldDefinition) -> Result<(), HubError> {
        self.write(|connection| {
            let mut definer = Definer::begin(Session::over(connection))?;
            definer.field(object, field)?;
            definer.finish()
        })
        .await
    }
}

/// Defines many objects and fields in the transaction of the caller. The definitions are loaded once, so that the time is
/// proportional to their number.
pub struct Definer<'c> {
    connection: &'c Connection,
    schema: Schema,
    /// The index of each object in the schema, by its name.
    indexes: HashMap<String, usize>,
    fields: usize,
    changed: bool,
}

impl<'c> Definer<'c> {
    /// Loads the definitions.
    ///
    /// # Errors
    /// [`HubError::Store`].
    pub fn begin(session: Session<'c>) -> Result<Self, HubError> {
        let connection = session.connection();
        // Loaded without the cache: uncommitted definitions must not be cached.
        let schema = Schema::load(connection)?;
        let names = schema.objects.iter().map(|object| object.name().to_owned());
        Ok(Self {
            indexes: names.zip(0..).collect(),
            fields: schema.objects.iter().map(|object| object.fields.len()).sum(),
            connection,
            schema,
            changed: false,
        })
    }

    /// As [`Hub::define_object`].
    ///
    /// # Errors
    /// As [`Hub::define_object`].
    pub fn object(&mut self, name: &str, label: &str) -> Result<(), HubError> {
        check_name("object", name)?;
        let known = self.indexes.get(name).copied();
        if known.is_none() && self.schema.objects.len() >= MOST_OBJECTS {
            let why = format!("the hub has at most {MOST_OBJECTS} objects");
            return Err(HubError::Definition { what: format!("object {name}"), why });
        }
        self.connection
            .prepare_cached(
                "INSERT INTO hub_object (name, label) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET label = excluded.label",
            )?
            .execute(params![name, label])?;
        self.changed = true;
        let object = ObjectSchema::load(self.connection, name)?;
        match known.and_then(|index| self.schema.objects.get_mut(index)) {
            Some(there) => *there = object.into(),
            None => {
                self.indexes.insert(name.to_owned(), self.schema.objects.len());
                self.schema.objects.push(object.into());
            }
        }
        Ok(())
    }

    /// As [`Hub::define_field`].
    ///
    /// # Errors
    /// As [`Hub::define_field`].
    pub fn field(&mut self, object: &str, field: &FieldDefinition) -> Result<(), HubError> {
        let connection = self.connection;
        let Some(index) = self.indexes.get(object).copied() else {
            return self.schema.require(object).map(drop);
        };
        let object = &self.schema.objects[index];
        check_field(|name| self.indexes.contains_key(name), object, field)?;
        let mut keys_change = true;
        if let Some(index) = object.index(&field.name) {
            let old = &object.definition.fields[index];
            keys_change = old.identifier != field.identifier || old.kind != field.kind;
            check_change(connection, object, index, field)?;
        } else if object.fields.len() >= MOST_FIELDS {
            return Err(wrong(object, field, format!("an object has at most {MOST_FIELDS} fields")));
        } else if self.fields >= MOST_FIELDS_OF_ALL {
            let why = format!("all objects together have at most {MOST_FIELDS_OF_ALL} fields");
            return Err(wrong(object, field, why));
        }
        store_field(connection, object, field)?;
        self.changed = true;
        let before = object.fields.len();
        // Nobody else has the schema, so that nothing is copied.
        if let Some(object) = Arc::get_mut(&mut self.schema.objects[index]) {
            object.take_field(connection, &field.name)?;
        }
        let object = &self.schema.objects[index];
        self.fields += object.fields.len() - before;
        if keys_change {
            records::rebuild_keys(connection, object, object.require(&field.name)?)?;
        }
        Ok(())
    }

    /// Raises the version of the definitions where they have changed, so that every reader reloads them.
    ///
    /// # Errors
    /// [`HubError::Store`].
    pub fn finish(self) -> Result<(), HubError> {
        if self.changed {
            self.connection.execute("UPDATE hub_counter SET schema = schema + 1", [])?;
        }
        Ok(())
    }
}

fn wrong(object: &ObjectSchema, field: &FieldDefinition, why: impl Into<String>) -> HubError {
    HubError::Definition { what: format!("field {} of {}", field.name, object.name()), why: why.into() }
}

fn check_name(what: &str, name: &str) -> Result<(), HubError> {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let why = if !letters || !name.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) {
        "a name begins with a letter and has lower-case letters a to z, digits and underscores, like `customer_number`".to_owned()
    } else if name.len() > LONGEST_NAME {
        format!("a name has at most {LONGEST_NAME} characters")
    } else if RESERVED.contains(&name) {
        "this name is used for something else; choose another".to_owned()
    } else {
        return Ok(());
    };
    Err(HubError::Definition { what: format!("{what} '{}'", super::check::shown(name)), why })
}

fn check_field(
    is_object: impl Fn(&str) -> bool,
    object: &ObjectSchema,
    field: &FieldDefinition,
) -> Result<(), HubError> {
    check_name("field", &field.name)?;
    if let Kind::Other(_) = field.kind {
        return Err(wrong(object, field, no_such_kind(&field.kind)));
    }
    if field.kind.is_link() == field.targets.is_empty() {
        let why = if field.kind.is_link() {
            "say which objects it may refer to"
        } else {
            "only references have targets"
        };
        return Err(wrong(object, field, why));
    }
    if let Some(target) = field.targets.iter().find(|target| !is_object(target)) {
        return Err(wrong(
            object,
            field,
            format!("it refers to '{target}', which is no object of the hub; define that first"),
        ));
    }
    if !field.choices.is_empty() && !field.kind.is_choice() {
        return Err(wrong(object, field, "only fields of kind choice or choices have choices"));
    }
    if field.choices.len() > MOST_CHOICES {
        return Err(wrong(object, field, format!("a field has at most {MOST_CHOICES} choices")));
    }
    let mut listed = HashSet::new();
    for (value, _) in &field.choices {
        if value.is_empty() || !listed.insert(value) {
            return Err(wrong(object, field, format!("the choice '{value}' is empty or listed twice")));
        }
    }
    if field.set_like && !field.kind.is_list() {
        return Err(wrong(object, field, "only lists can be sets: texts, choices, references"));
    }
    if field.identifier && (!field.kind.is_distinctive() || field.kind == Kind::Json) {
        return Err(wrong(object, field, format!("a field of kind {} cannot identify records", field.kind)));
    }
    if field.max_length == Some(0) {
        return Err(wrong(object, field, "a limit of 0 characters leaves no value; leave the limit out"));
    }
    Ok(())
}

/// Refuses a change that would lose or invalidate stored values.
fn check_change(
    connection: &Connection,
    object: &ObjectSchema,
    index: usize,
    new: &FieldDefinition,
) -> Result<(), HubError> {
    let old = &object.definition.fields[index];
    if old.builtin && old.kind != new.kind {
        return Err(wrong(
            object,
            new,
            format!("the field comes with the program as {}; its kind cannot be changed", old.kind),
        ));
    }
    let narrower = old.kind != new.kind
        || old.choices != new.choices
        || old.targets != new.targets
        || new.longest() < old.longest();
    if !narrower {
        return Ok(());
    }
    // A field that becomes required may have stored blanks.
    let lenient = FieldDefinition { required: false, ..new.clone() };
    let mut misfits = 0u64;
    let mut first = String::new();
    records::each(connection, object, |record| {
        let value = record.value(index);
        if value.is_blank() && old.kind.carrier() == new.kind.carrier() {
            return Ok(());
        }
        let why = match check(&lenient, value.clone()) {
            Ok(stored) if stored == *value => return Ok(()),
            Ok(_) => format!("the value is kept as {}", old.kind),
            Err(refusal) => refusal.reason,
        };
        if misfits == 0 {
            first = format!("{} {}: {why}", object.name(), record.id);
        }
        misfits += 1;
        Ok(())
    })?;
    if misfits > 0 {
        let why = format!(
            "{misfits} records have values that would no longer fit ({first}); change them first, or define another field"
        );
        return Err(wrong(object, new, why));
    }
    Ok(())
}

fn store_field(
    connection: &Connection,
    object: &ObjectSchema,
    field: &FieldDefinition,
) -> Result<(), HubError> {
    let json = |list: serde_json::Result<String>| {
        list.map_err(|error| StoreError::Corrupt {
            what: format!("the definition of {}", field.name),
            why: error.to_string(),
        })
    };
    connection.execute(
        "INSERT INTO hub_field (object, name, label, kind, required, identifier, set_like, targets, choices, max_length)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (object, name) DO UPDATE SET label = excluded.label, kind = excluded.kind, required = excluded.required,
           identifier = excluded.identifier, set_like = excluded.set_like, targets = excluded.targets, choices = excluded.choices,
           max_length = excluded.max_length",
        params![
            object.number,
            field.name,
            field.label,
            field.kind.as_str(),
            field.required,
            field.identifier,
            field.set_like,
            json(serde_json::to_string(&field.targets))?,
            json(serde_json::to_string(&field.choices))?,
            field.max_length,
        ],
    )?;
    Ok(())
}
