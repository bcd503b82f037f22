//! Changes: parsing, and applying them to the state.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::Stamp;
use crate::error::Problem;
use crate::schema::{Kind, Object};
use crate::store::State;
use crate::table::{Record, Tombstone};
use crate::validate::{self, Mode};

/// One change to one record.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Change {
    Create {
        fields: Map<String, Value>,
    },
    Update {
        record: String,
        fields: Map<String, Value>,
        #[serde(default)]
        if_version: Option<u64>,
    },
    Delete {
        record: String,
        #[serde(default)]
        if_version: Option<u64>,
    },
    Merge {
        record: String,
        into: String,
    },
}

impl Change {
    /// Reads the form that a batch has, without its id.
    pub(crate) fn parse(change: &Value) -> Result<Self, Problem> {
        let invalid = |error: serde_json::Error| {
            Problem::unprocessable("invalid-change", format!("Not a change: {error}."))
        };
        Self::deserialize(change).map_err(invalid)
    }
}

/// The result of a change.
pub(crate) struct Done {
    pub(crate) status: StatusCode,
    pub(crate) record: Option<Value>,
}

/// The state and context of a change.
pub(crate) struct Desk<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) now: Stamp,
    pub(crate) unique_email: bool,
}

impl Desk<'_> {
    /// Applies the change as a whole, or refuses it without effect.
    pub(crate) fn apply(&mut self, object: Object, change: &Change) -> Result<Done, Problem> {
        match change {
            Change::Create { fields } => self.create(object, fields),
            Change::Update { record, fields, if_version } => self.update(object, record, fields, *if_version),
            Change::Delete { record, if_version } => self.delete(object, record, *if_version),
            Change::Merge { record, into } => self.merge(object, record, into),
        }
    }

    fn create(&mut self, object: Object, given: &Map<String, Value>) -> Result<Done, Problem> {
        let given = self.check(object, given, Mode::Create)?;
        self.refuse_duplicate(object, &given, None)?;
        let number = self.state.table_mut(object).take_number();
        let at = self.state.stamp(self.now);
        let mut record = Record {
            number,
            seq: self.state.next_seq(),
            version: 1,
            created_at: at,
            updated_at: at,
            fields: object.fields().iter().map(|field| (field.name.to_owned(), field.blank())).collect(),
            changed: BTreeMap::new(),
        };
        write(&mut record, given, at);
        let view = record.json(object);
        self.state.table_mut(object).put(record);
        Ok(Done { status: StatusCode::CREATED, record: Some(view) })
    }

    fn update(
        &mut self,
        object: Object,
        id: &str,
        given: &Map<String, Value>,
        if_version: Option<u64>,
    ) -> Result<Done, Problem> {
        let record = self.current(object, id, if_version)?.clone();
        let given = self.check(object, given, Mode::Update)?;
        self.refuse_duplicate(object, &given, Some(record.number))?;
        Ok(Done { status: StatusCode::OK, record: Some(self.store(object, record, given)) })
    }

    /// Writes fields into a record; equal values change nothing, version and times included.
    fn store(&mut self, object: Object, mut record: Record, mut values: BTreeMap<String, Value>) -> Value {
        values.retain(|name, value| record.fields.get(name) != Some(value));
        if !values.is_empty() {
            let at = self.state.stamp(self.now);
            record.seq = self.state.next_seq();
            record.version += 1;
            record.updated_at = at;
            write(&mut record, values, at);
            self.state.table_mut(object).put(record.clone());
        }
        record.json(object)
    }

    fn delete(&mut self, object: Object, id: &str, if_version: Option<u64>) -> Result<Done, Problem> {
        let number = self.current(object, id, if_version)?.number;
        self.repoint(object, id, &Value::Null);
        self.bury(object, number, None);
        Ok(Done { status: StatusCode::NO_CONTENT, record: None })
    }

    fn bury(&mut self, object: Object, number: u64, merged_into: Option<u64>) {
        let deleted_at = self.state.stamp(self.now);
        let seq = self.state.next_seq();
        self.state.table_mut(object).bury(Tombstone { number, seq, deleted_at, merged_into });
    }

    /// The winner takes over values that it lacks, all tags, and every reference to the loser.
    fn merge(&mut self, object: Object, id: &str, into: &str) -> Result<Done, Problem> {
        let loser = self.current(object, id, None)?.clone();
        let Some(winner) =
            self.state.find(object, into).filter(|winner| winner.number != loser.number).cloned()
        else {
            return Err(Problem::unprocessable(
                "unknown-reference",
                format!("into: there is no other {object} {into:?}."),
            ));
        };
        let mut taken = BTreeMap::new();
        for field in object.fields() {
            let (Some(mine), Some(theirs)) = (winner.fields.get(field.name), loser.fields.get(field.name))
            else {
                continue;
            };
            if field.kind == Kind::Texts {
                let both: BTreeSet<&str> = [mine, theirs]
                    .into_iter()
                    .filter_map(Value::as_array)
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                taken.insert(field.name.to_owned(), json!(both));
            } else if mine.is_null() || mine == "" {
                taken.insert(field.name.to_owned(), theirs.clone());
            }
        }
        self.repoint(object, id, &json!(into));
        self.bury(object, loser.number, Some(winner.number));
        Ok(Done { status: StatusCode::OK, record: Some(self.store(object, winner, taken)) })
    }

    /// Redirects every reference to a removed record.
    fn repoint(&mut self, target: Object, id: &str, value: &Value) {
        for object in Object::ALL {
            for field in object.fields().iter().filter(|field| field.targets.contains(&target)) {
                let points =
                    |record: &&Record| record.fields.get(field.name).and_then(Value::as_str) == Some(id);
                let pointing: Vec<Record> =
                    self.state.table(object).records().filter(points).cloned().collect();
                for record in pointing {
                    self.store(object, record, BTreeMap::from([(field.name.to_owned(), value.clone())]));
                }
            }
        }
    }

    /// The record to change, unless it is deleted or has another version.
    fn current(&self, object: Object, id: &str, if_version: Option<u64>) -> Result<&Record, Problem> {
        let record = present(self.state, object, id)?;
        if if_version.is_some_and(|expected| expected != record.version) {
            let message = format!("{id} is at version {} now.", record.version);
            let mut problem = Problem::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", message);
            problem.record = Some(record.json(object));
            return Err(problem);
        }
        Ok(record)
    }

    fn check(
        &self,
        object: Object,
        given: &Map<String, Value>,
        mode: Mode,
    ) -> Result<BTreeMap<String, Value>, Problem> {
        let exists = |target: Object, id: &str| self.state.find(target, id).is_some();
        validate::fields(object, given, mode, &exists).map_err(Problem::fields)
    }

    fn refuse_duplicate(
        &self,
        object: Object,
        given: &BTreeMap<String, Value>,
        me: Option<u64>,
    ) -> Result<(), Problem> {
        let email = given.get("email").filter(|email| email.as_str().is_some_and(|email| !email.is_empty()));
        let Some(email) = email.filter(|_| self.unique_email && object == Object::Person) else {
            return Ok(());
        };
        let mut others = self.state.table(object).records().filter(|record| Some(record.number) != me);
        let Some(existing) = others.find(|record| record.fields.get("email") == Some(email)) else {
            return Ok(());
        };
        let id = object.id(existing.number);
        let mut problem =
            Problem::new(StatusCode::CONFLICT, "duplicate", format!("{id} already has this e-mail address."));
        problem.body.existing = Some(id);
        Err(problem)
    }
}

fn write(record: &mut Record, values: BTreeMap<String, Value>, at: Stamp) {
    for (name, value) in values {
        if record.fields.get(&name) != Some(&value) {
            record.changed.insert(name.clone(), at);
            record.fields.insert(name, value);
        }
    }
}

/// The live record with this id, or 410 if it is gone, or 404 if it never was.
pub(crate) fn present<'a>(state: &'a State, object: Object, id: &str) -> Result<&'a Record, Problem> {
    if let Some(record) = state.find(object, id) {
        return Ok(record);
    }
    let table = state.table(object);
    let Some(tombstone) = object.number(id).and_then(|number| table.tombstone(number)) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("There is no {object} {id:?}."),
        ));
    };
    let deleted = table.deleted_view(object, tombstone);
    let message = match &deleted.merged_into {
        Some(into) => format!("{id} was merged into {into} at {}.", deleted.deleted_at),
        None => format!("{id} was deleted at {}.", deleted.deleted_at),
    };
    let mut problem = Problem::new(StatusCode::GONE, "deleted", message);
    problem.body.deleted_at = Some(deleted.deleted_at);
    problem.body.merged_into = deleted.merged_into;
    Err(problem)
}
