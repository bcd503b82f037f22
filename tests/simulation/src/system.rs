//! The synced systems, as their users see them.

use crate::remote::Remote;
use crate::schema::{COMPANY, PERSON, Words, columns};
use entente_core::{Reference, Timestamp, Value};
use entente_sqlite::{Hub, ListQuery};
use std::sync::Arc;

/// A system with people and companies.
#[derive(Clone)]
pub(crate) enum System {
    Hub(Hub),
    Remote(Arc<Remote>),
}

/// A live record.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) id: String,
    pub(crate) values: Vec<Value>,
}

impl System {
    pub(crate) fn words(&self) -> Words {
        match self {
            System::Hub(_) => Words::Hub,
            System::Remote(_) => Words::Remote,
        }
    }

    pub(crate) fn hub(&self) -> Option<&Hub> {
        match self {
            System::Hub(hub) => Some(hub),
            System::Remote(_) => None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            System::Hub(_) => "hub",
            System::Remote(remote) => entente_sync::Exchange::name(remote.as_ref()),
        }
    }

    /// A reference to a record of this system.
    pub(crate) fn reference(&self, object: usize, id: &str) -> Value {
        Value::Reference(Reference { object: self.words().object(object).to_owned(), id: id.to_owned() })
    }

    /// Creates a record; `None` if it is refused.
    pub(crate) async fn create(
        &self,
        object: usize,
        values: &[Value],
        at: Option<Timestamp>,
    ) -> Option<String> {
        match self {
            System::Hub(hub) => {
                let fields = values.iter().enumerate().filter(|(_, value)| **value != Value::Null);
                let named: Vec<(String, Value)> = fields
                    .map(|(field, value)| (Words::Hub.field(object, field).to_owned(), value.clone()))
                    .collect();
                hub.create(Words::Hub.object(object), &named).await.ok().map(|record| record.id)
            }
            System::Remote(remote) => remote.create(object, values.to_vec(), at),
        }
    }

    /// Edits a field; returns the stored value, or `None` if it is refused.
    pub(crate) async fn set(
        &self,
        object: usize,
        id: &str,
        field: usize,
        value: Value,
        at: Option<Timestamp>,
    ) -> Option<Value> {
        match self {
            System::Hub(hub) => {
                let name = Words::Hub.field(object, field);
                let record =
                    hub.set(Words::Hub.object(object), id, &[(name.to_owned(), value)]).await.ok()?;
                record.value(name).cloned()
            }
            System::Remote(remote) => remote.set(object, id, field, value, at),
        }
    }

    pub(crate) async fn delete(&self, object: usize, id: &str) -> bool {
        match self {
            System::Hub(hub) => hub.delete(Words::Hub.object(object), id).await.is_ok(),
            System::Remote(remote) => remote.delete(object, id),
        }
    }

    /// The live records, by id.
    pub(crate) async fn records(&self, object: usize) -> Vec<Live> {
        match self {
            System::Hub(hub) => {
                let query = ListQuery { limit: 100_000, ..ListQuery::default() };
                let Ok(list) = hub.list(Words::Hub.object(object), &query).await else { return Vec::new() };
                let values = |record: &entente_sqlite::RecordView| {
                    let names = (0..columns(object).len()).map(|field| Words::Hub.field(object, field));
                    names.map(|name| record.value(name).cloned().unwrap_or(Value::Null)).collect()
                };
                list.records
                    .iter()
                    .map(|record| Live { id: record.id.clone(), values: values(record) })
                    .collect()
            }
            System::Remote(remote) => {
                let all = remote.all(object).into_iter().filter(|(_, record)| !record.deleted);
                all.map(|(id, record)| Live { id, values: record.values }).collect()
            }
        }
    }

    /// Every object.
    pub(crate) fn objects() -> [usize; 2] {
        [PERSON, COMPANY]
    }
}
