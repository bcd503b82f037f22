//! Order execution: sending changes as a batch, and mapping the results to outcomes.

use std::time::Duration;

use entente_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::client::Client;
use crate::objects;
use crate::record::Record;

#[derive(Deserialize)]
struct Answers {
    results: Vec<Done>,
}

/// hello-crm's result of one change.
#[derive(Debug, Deserialize)]
pub(crate) struct Done {
    id: String,
    /// The HTTP status that the change alone would have got.
    status: u16,
    record: Option<Record>,
    error: Option<Refusal>,
}

#[derive(Debug, Default, Deserialize)]
struct Refusal {
    code: String,
    message: String,
    #[serde(default)]
    fields: Vec<FieldRefusal>,
    merged_into: Option<String>,
    retry_after: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct FieldRefusal {
    name: String,
    code: String,
    message: String,
}

/// Sends the order as one batch. The id of a change is its idempotency key, so nothing happens twice when an
/// answer gets lost and the host sends the change again.
pub(crate) fn execute(client: &Client, order: &Order) -> Result<Vec<Answer>, Error> {
    let changes: Vec<Json> = order.changes.iter().map(|change| wire(order, change)).collect();
    let path = format!("{}/batch", objects::path(&order.object)?);
    let answers: Answers = client.send(client.post(&path).json(&json!({ "changes": changes })))?.json()?;
    // A change without a result gets no answer: the host then finds out by itself what became of it.
    let outcome = |change: &Change| {
        let done = answers.results.iter().find(|done| done.id == change.id)?;
        outcome(order, change, done)
    };
    Ok(order.changes.iter().filter_map(|change| Some(change.answer(outcome(change)?))).collect())
}

/// A change as hello-crm takes it.
fn wire(order: &Order, change: &Change) -> Json {
    let fields: Map<String, Json> = change
        .set_fields(order)
        .filter_map(|(name, value)| Some((name.to_owned(), value.to_json()?)))
        .collect();
    // Only for what the plugin has reported itself; should it not be a number, the change goes without.
    let version = change.version.as_deref().and_then(|version| version.parse::<u64>().ok());
    match &change.action {
        Action::Create => json!({ "id": change.id, "action": "create", "fields": fields }),
        Action::Update(id) => {
            json!({ "id": change.id, "action": "update", "record": id, "fields": fields, "if_version": version })
        }
        Action::Delete(id) => {
            json!({ "id": change.id, "action": "delete", "record": id, "if_version": version })
        }
    }
}

/// The outcome of a change, for the host; `None`: hello-crm failed over it and may have made it.
pub(crate) fn outcome(order: &Order, change: &Change, done: &Done) -> Option<Outcome> {
    let row = || done.record.as_ref().map(|record| record.row(&order.fields));
    let unknown = Refusal::default();
    let refusal = done.error.as_ref().unwrap_or(&unknown);
    let outcome = match (done.status, row()) {
        (201, Some(row)) => Outcome::Created(row),
        // hello-crm leaves the version as it is when a write changes nothing.
        (200, Some(row)) if row.version == change.version => Outcome::Unchanged(row),
        (200, Some(row)) => Outcome::Updated(row),
        (412, Some(row)) => Outcome::Stale(row),
        (204 | 404, _) => Outcome::Deleted,
        (410, _) => match &refusal.merged_into {
            Some(heir) => Outcome::Converted(Reference::new(&order.object, heir)),
            None => Outcome::Deleted,
        },
        (status, _) => {
            let after = refusal.retry_after.map(|seconds| Duration::from_secs(seconds.into()));
            match Outcome::unconfirmed(status, after, &refusal.message)? {
                // hello-crm tells more about what it refuses than its status does.
                Outcome::Failed { .. } => refused(status, refusal),
                other => other,
            }
        }
    };
    Some(outcome)
}

fn refused(status: u16, refusal: &Refusal) -> Outcome {
    // A code of the remote's own is told as one: the host acts on some of those that the interface has.
    let own = format!("hello-crm:{}", refusal.code);
    let code = match (status, refusal.code.as_str()) {
        (403, _) => failures::FORBIDDEN,
        (409, _) => failures::DUPLICATE,
        (_, "invalid-fields") if refusal.fields.iter().all(|field| field.code == "required") => {
            failures::REQUIRED
        }
        (_, "invalid-fields") => failures::INVALID_VALUE,
        (_, "") => "unknown-answer",
        _ => own.as_str(),
    };
    let details: Vec<String> =
        refusal.fields.iter().map(|field| format!("{}: {}", field.name, field.message)).collect();
    let reason = match (refusal.message.as_str(), details.is_empty()) {
        ("", _) => format!("hello-crm answered {status}"),
        (message, true) => message.to_owned(),
        (message, false) => format!("{message} {}", details.join("; ")),
    };
    Outcome::refused(code, reason, refusal.fields.iter().map(|field| field.name.as_str()))
}
