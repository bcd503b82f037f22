//! Look-up: finding records by identifiers.

use std::collections::BTreeMap;

use entente_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::objects::{self, PAGE_SIZE};

#[derive(Deserialize)]
struct Found {
    results: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    ids: Vec<String>,
}

/// For each key of the query the ids of the records that match it.
pub(crate) fn find(client: &Client, query: &Query) -> Result<Vec<Vec<String>>, Error> {
    let path = format!("{}/search", objects::path(&query.object)?);
    let mut found = vec![Vec::new(); query.keys.len()];
    for (set, numbers) in groups(query) {
        let fields: Vec<&String> = set.iter().filter_map(|&at| query.fields.get(at)).collect();
        for chunk in numbers.chunks(PAGE_SIZE as usize) {
            let keys: Vec<Vec<Option<Json>>> =
                chunk.iter().map(|&number| values(&query.keys[number], &set)).collect();
            let body =
                json!({ "fields": fields, "keys": keys, "match": if query.all { "all" } else { "any" } });
            let answer: Found = client.send(client.post(&path).json(&body).reads())?.json()?;
            // Exactly one result per key, or results cannot be assigned to keys.
            if answer.results.len() != chunk.len() {
                return Err(Error::invalid_answer(format!(
                    "{} keys were searched for, {} were answered",
                    chunk.len(),
                    answer.results.len()
                )));
            }
            for (&number, hit) in chunk.iter().zip(answer.results) {
                found[number] = hit.ids;
            }
        }
    }
    Ok(found)
}

/// The indexes of the keys, grouped by which fields are set in them. hello-crm matches nothing for a blank,
/// and with `all` a blank would hide matches of the other values; so blanks are not sent. A key without any
/// value is in no group: nothing matches it.
fn groups(query: &Query) -> BTreeMap<Vec<usize>, Vec<usize>> {
    let mut groups: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (number, key) in query.keys.iter().enumerate() {
        let set: Vec<usize> =
            (0..query.fields.len()).filter(|&at| key.get(at).is_some_and(|value| !is_blank(value))).collect();
        if !set.is_empty() {
            groups.entry(set).or_default().push(number);
        }
    }
    groups
}

fn is_blank(value: &Value) -> bool {
    matches!(value, Value::Unset | Value::Null) || value.as_text() == Some("")
}

fn values(key: &[Value], set: &[usize]) -> Vec<Option<Json>> {
    set.iter().map(|&at| key.get(at).and_then(Value::to_json)).collect()
}
