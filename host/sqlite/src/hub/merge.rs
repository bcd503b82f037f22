//! Merge: of two records that are the same, one remains. Syncs read it as a merge, not as a deletion.

use super::Hub;
use super::error::HubError;
use super::people::{RecordView, Sources, require, view};
use super::records::{self, Batch, OPERATOR, Record, Write};
use super::schema::{ObjectSchema, Schema};
use entente_core::{Reference, Value};
use entente_sync::FieldTime;
use rusqlite::Connection;
use serde::Serialize;

/// What a merge has done, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Merge {
    /// The record that remains, as it was.
    pub winner: RecordView,
    /// The record that is merged into it, as it was.
    pub loser: RecordView,
    /// What the one that remains takes over from the other: fields that it has no value for, and elements of sets.
    pub taken: Vec<Taken>,
    /// Records that referred to the one that is gone, and refer to the other one since.
    pub referring: Vec<Reference>,
}

/// A value that the record that remains takes over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Taken {
    /// The field.
    pub field: String,
    /// What it holds then.
    pub value: Value,
}

impl Hub {
    /// Merges a record into another one of its object. That one keeps its values, and takes over what it has none for; of the
    /// fields of a fact in `facts`, all or nothing. References to the other record point to it afterwards. `dry`: only tell.
    ///
    /// # Errors
    /// [`HubError::NoRecord`], [`HubError::UnknownObject`], [`HubError::Store`].
    pub async fn merge(
        &self,
        object: &str,
        winner: &str,
        loser: &str,
        facts: &[&[&str]],
        dry: bool,
    ) -> Result<Merge, HubError> {
        let now = self.clock.now();
        let work = |connection: &Connection| {
            let schema = self.schema(connection)?;
            let object = schema.require(object)?;
            let mut remains = require(connection, object, winner)?;
            let gone = require(connection, object, loser)?;
            let merging = Merging { schema: &schema, object, winner: &remains, loser: &gone };
            let taken = merging.taken(facts);
            let referring = merging.referring(connection)?;
            let told = merging.told(connection, &taken, &referring)?;
            if dry {
                return Ok(told);
            }
            let time = FieldTime { at: now, certain: true, after: None };
            let write = |(field, value)| Write { field, value, time };
            let mut batch = Batch::open(connection, OPERATOR, 0)?;
            for Referring { object, mut record, values } in referring {
                batch.update(object, &mut record, values.into_iter().map(write).collect())?;
            }
            // Also where nothing of it changes, so that syncs read it together with the merge.
            batch.update_anyway(object, &mut remains, taken.into_iter().map(write).collect())?;
            batch.merge_into(object, &gone, remains.id, now)?;
            batch.close()?;
            Ok(told)
        };
        match dry {
            true => self.read(work).await,
            false => self.write(work).await,
        }
    }
}

/// Two records of an object, of which one is to remain.
struct Merging<'s> {
    schema: &'s Schema,
    object: &'s ObjectSchema,
    winner: &'s Record,
    loser: &'s Record,
}

/// A record that refers to the one that is to go, and the values that it gets.
struct Referring<'s> {
    object: &'s ObjectSchema,
    record: Record,
    values: Vec<(usize, Value)>,
}

impl<'s> Merging<'s> {
    fn name(&self, record: &Record) -> Reference {
        Reference { object: self.object.name().to_owned(), id: record.id.to_string() }
    }

    /// What the winner takes over, by field.
    fn taken(&self, facts: &[&[&str]]) -> Vec<(usize, Value)> {
        let fields = &self.object.definition.fields;
        // A part of a fact beside parts of another one would be a third fact.
        let is_filled = |name: &str| {
            let parts = facts.iter().find(|fact| fact.contains(&name)).copied().unwrap_or_default();
            parts
                .iter()
                .filter_map(|part| self.object.index(part))
                .any(|part| !self.winner.value(part).is_blank())
        };
        let mut taken = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let (own, other) = (self.winner.value(index), self.loser.value(index));
            let own_after = self.pointing(own, None).unwrap_or_else(|| own.clone());
            let value = if other.is_blank() || is_filled(&field.name) {
                own_after
            } else if own_after.is_blank() {
                self.pointing(other, None).unwrap_or_else(|| other.clone())
            } else if field.set_like {
                united(&own_after, other)
            } else {
                own_after
            };
            if value != *own {
                taken.push((index, value));
            }
        }
        taken
    }

    /// A value that refers to the loser, with `instead` in its place, or without it; `None`: it does not refer to it. Without
    /// `instead` neither record is referred to, since the value is one of theirs.
    fn pointing(&self, value: &Value, instead: Option<&Reference>) -> Option<Value> {
        let (winner, loser) = (self.name(self.winner), self.name(self.loser));
        let meant = |one: &Reference| *one == loser || (instead.is_none() && *one == winner);
        match value {
            Value::Reference(one) if meant(one) => {
                Some(instead.map_or(Value::Null, |instead| Value::Reference(instead.clone())))
            }
            Value::References(all) if all.iter().any(meant) => {
                let mut kept: Vec<Reference> = Vec::with_capacity(all.len());
                for one in all {
                    let one = if meant(one) { instead } else { Some(one) };
                    kept.extend(one.filter(|one| !kept.contains(one)).cloned());
                }
                Some(Value::References(kept))
            }
            _ => None,
        }
    }

    /// The other records that refer to the loser.
    fn referring(&self, connection: &Connection) -> Result<Vec<Referring<'s>>, HubError> {
        let winner = self.name(self.winner);
        let mut referring = Vec::new();
        for object in &self.schema.objects {
            let fields = object.definition.fields.iter();
            if !fields.clone().any(|field| field.targets.iter().any(|target| target == self.object.name())) {
                continue;
            }
            records::each(connection, object, |record| {
                let own = object.number == self.object.number
                    && [self.winner.id, self.loser.id].contains(&record.id);
                let pointing = |index| Some((index, self.pointing(record.value(index), Some(&winner))?));
                let values: Vec<_> = (0..fields.len()).filter_map(pointing).collect();
                if !own && !values.is_empty() {
                    referring.push(Referring { object, record, values });
                }
                Ok(())
            })?;
        }
        Ok(referring)
    }

    fn told(
        &self,
        connection: &Connection,
        taken: &[(usize, Value)],
        referring: &[Referring<'_>],
    ) -> Result<Merge, HubError> {
        let mut sources = Sources::default();
        let name = |field: usize| self.object.definition.fields[field].name.clone();
        let reference = |of: &Referring<'_>| Reference {
            object: of.object.name().to_owned(),
            id: of.record.id.to_string(),
        };
        Ok(Merge {
            winner: view(connection, self.object, self.winner.clone(), &mut sources)?,
            loser: view(connection, self.object, self.loser.clone(), &mut sources)?,
            taken: taken
                .iter()
                .map(|(field, value)| Taken { field: name(*field), value: value.clone() })
                .collect(),
            referring: referring.iter().map(reference).collect(),
        })
    }
}

/// The elements of both sets.
fn united(own: &Value, other: &Value) -> Value {
    fn all<T: Clone + PartialEq>(own: &[T], other: &[T]) -> Vec<T> {
        let more = other.iter().filter(|one| !own.contains(one));
        own.iter().chain(more).cloned().collect()
    }
    match (own, other) {
        (Value::Texts(own), Value::Texts(other)) => Value::Texts(all(own, other)),
        (Value::References(own), Value::References(other)) => Value::References(all(own, other)),
        _ => own.clone(),
    }
}
