//! Search: records by the values of some fields.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{FieldProblem, Problem};
use crate::listing::MOST;
use crate::schema::{Field, Kind, Object};
use crate::store::State;
use crate::table::Record;
use crate::validate;

/// The body of a search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    fields: Vec<String>,
    keys: Vec<Vec<Value>>,
    #[serde(default, rename = "match")]
    mode: Mode,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// A record must match in every field.
    #[default]
    All,
    /// A record must match in one field.
    Any,
}

impl Search {
    pub(crate) fn parse(body: &Value) -> Result<Self, Problem> {
        let search = Self::deserialize(body)
            .map_err(|error| Problem::unprocessable("invalid-search", format!("Not a search: {error}.")))?;
        let invalid = |message: String| Err(Problem::unprocessable("invalid-search", message));
        if search.fields.is_empty() {
            return invalid("At least one field is needed.".to_owned());
        }
        if search.keys.len() > MOST {
            return invalid(format!("At most {MOST} keys are accepted."));
        }
        if search.keys.iter().any(|key| key.len() != search.fields.len()) {
            return invalid(format!("Each key needs {} values, one for each field.", search.fields.len()));
        }
        Ok(search)
    }

    /// For each key the ids of the records that match it. A blank matches nothing.
    pub(crate) fn run(&self, state: &State, object: Object) -> Result<Value, Problem> {
        let fields = self.searchable(object)?;
        let mut keys = Vec::new();
        for key in &self.keys {
            keys.push(normalised(&fields, key)?);
        }
        let found = match self.mode {
            Mode::All => {
                let index = index(state, object, |record| {
                    fields.iter().map(|field| value(record, field)).collect::<Option<Vec<String>>>()
                });
                let all = |key: &Vec<Option<String>>| {
                    key.iter().cloned().collect::<Option<Vec<_>>>().and_then(|key| index.get(&key).cloned())
                };
                keys.iter().map(|key| all(key).unwrap_or_default()).collect::<Vec<_>>()
            }
            Mode::Any => {
                let indexes: Vec<_> =
                    fields.iter().map(|field| index(state, object, |record| value(record, field))).collect();
                let any = |key: &Vec<Option<String>>| -> Vec<u64> {
                    let hits =
                        key.iter().zip(&indexes).filter_map(|(value, index)| index.get(value.as_ref()?));
                    hits.flatten().copied().collect::<BTreeSet<u64>>().into_iter().collect()
                };
                keys.iter().map(any).collect()
            }
        };
        let results: Vec<Value> = self
            .keys
            .iter()
            .zip(found)
            .map(|(key, numbers)| json!({ "key": key, "ids": numbers.into_iter().map(|number| object.id(number)).collect::<Vec<_>>() }))
            .collect();
        Ok(json!({ "results": results }))
    }

    fn searchable(&self, object: Object) -> Result<Vec<&'static Field>, Problem> {
        let mut fields = Vec::new();
        let mut problems = Vec::new();
        for name in &self.fields {
            match object.field(name) {
                Some(field) if field.kind != Kind::Texts => fields.push(field),
                Some(_) => problems.push(problem(name, "not-searchable", "a list cannot be searched for")),
                None => problems.push(problem(name, "unknown-field", &format!("{object} has no such field"))),
            }
        }
        if problems.is_empty() { Ok(fields) } else { Err(Problem::fields(problems)) }
    }
}

fn problem(name: &str, code: &str, message: &str) -> FieldProblem {
    FieldProblem { name: name.to_owned(), code: code.to_owned(), message: message.to_owned() }
}

/// The key as the server would store its values. One that it would never store matches nothing.
fn normalised(fields: &[&'static Field], key: &[Value]) -> Result<Vec<Option<String>>, Problem> {
    let mut values = Vec::new();
    for (field, value) in fields.iter().zip(key) {
        match validate::normalise(field, value) {
            Ok(value) => values.push(comparable(&value)),
            Err(("wrong-type", message)) => {
                return Err(Problem::fields(vec![problem(field.name, "wrong-type", &message)]));
            }
            Err(_) => values.push(None),
        }
    }
    Ok(values)
}

fn value(record: &Record, field: &Field) -> Option<String> {
    record.fields.get(field.name).and_then(comparable)
}

fn comparable(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn index<K: std::hash::Hash + Eq>(
    state: &State,
    object: Object,
    key: impl Fn(&Record) -> Option<K>,
) -> HashMap<K, Vec<u64>> {
    let mut index: HashMap<K, Vec<u64>> = HashMap::new();
    for record in state.table(object).records() {
        if let Some(key) = key(record) {
            index.entry(key).or_default().push(record.number);
        }
    }
    index
}
