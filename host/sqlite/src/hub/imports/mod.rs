//! Imports as runs in the history: what each has changed, record by record, and putting it back.

mod kept;
mod list;
mod run;
#[cfg(test)]
mod tests;
mod undo;

pub use list::{ImportFilter, ImportedPage};
pub use undo::{UndoImportError, UndoneImport};

pub(super) use kept::{Kept, Updated, forget};
pub(super) use run::{Running, file_of};

use super::people::Origin;
use super::schema::ObjectSchema;
use super::{data::Fields, records::Record};
use entente_core::{Timestamp, Value};
use entente_sync::Deed;

/// What an import has done to a record of the hub, or would do; or what its undo does, or leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordChange {
    /// The object.
    pub object: String,
    /// The id; `None` where it would be made.
    pub id: Option<String>,
    /// What is done.
    pub deed: Deed,
    /// The values of the record as far as they are known, which tell what people call it.
    pub values: Vec<(String, Value)>,
    /// The fields.
    pub fields: Vec<FieldChange>,
    /// Why an undo leaves it, or one of its fields; of an import, that it was deleted since.
    pub left: Option<Left>,
}

/// A field of such a record.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// What stood there; `None` where that is not known, or the record is new.
    pub before: Option<Value>,
    /// What stands there then.
    pub after: Value,
    /// Records that the value refers to and that would be made, by what people call them.
    pub to_be_made: Vec<String>,
    /// Why an undo leaves it.
    pub left: Option<Left>,
}

/// Why an undo of an import leaves a record or a field as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    /// Somebody has changed it since.
    Edited {
        /// Who.
        by: Origin,
        /// When the value came to be, at the latest.
        at: Timestamp,
    },
    /// It was deleted since.
    Deleted {
        /// Who.
        by: Origin,
        /// When.
        at: Timestamp,
    },
    /// It was deleted and restored since.
    Restored {
        /// By whom.
        by: Origin,
    },
    /// A record that stays refers to it.
    Referred {
        /// The object of that record.
        object: String,
        /// Its id.
        id: String,
    },
    /// The hub does not take the former value any more.
    Refused {
        /// Why.
        reason: String,
    },
}

impl RecordChange {
    fn of(object: &ObjectSchema, record: &Record, deed: Deed) -> Self {
        Self {
            object: object.name().to_owned(),
            id: Some(record.id.to_string()),
            deed,
            values: named(object, &record.fields),
            fields: Vec::new(),
            left: None,
        }
    }
}

impl FieldChange {
    pub(super) fn new(object: &ObjectSchema, field: usize, before: Option<Value>, after: Value) -> Self {
        let field = object.definition.fields[field].name.clone();
        Self { field, before, after, to_be_made: Vec::new(), left: None }
    }
}

/// The values of fields with their names.
pub(in crate::hub) fn named(object: &ObjectSchema, fields: &Fields) -> Vec<(String, Value)> {
    let all = object.definition.fields.iter().zip(fields);
    let values = all.filter_map(|(field, stored)| Some((field.name.clone(), stored.as_ref()?.value.clone())));
    values.filter(|(_, value)| !value.is_blank()).collect()
}
