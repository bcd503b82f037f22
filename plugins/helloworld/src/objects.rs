//! The description of hello-crm's objects, and their proposed mapping to the hub.

use std::time::Duration;

use entente_sdk::prelude::*;
use serde::Deserialize;

use crate::client::Client;

pub(crate) const PERSON: &str = "person";
pub(crate) const ORGANISATION: &str = "organisation";

/// The most rows of a page where the schema tells no other number, and the most keys of a search and ids of a
/// listing that hello-crm takes.
pub(crate) const PAGE_SIZE: u32 = 200;
/// The most changes of a batch.
const ORDER_SIZE: u32 = 100;

/// The name of an object in paths.
pub(crate) fn path(object: &str) -> Result<&'static str, Error> {
    match object {
        PERSON => Ok("persons"),
        ORGANISATION => Ok("organisations"),
        other => Err(Error::misconfigured(format!("hello-crm has no object '{other}'; check the mapping"))),
    }
}

#[derive(Deserialize)]
struct Schema {
    account: Option<SchemaAccount>,
    largest_page: Option<u32>,
    objects: Vec<SchemaObject>,
}

#[derive(Deserialize)]
struct SchemaAccount {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct SchemaObject {
    name: String,
    label: String,
    fields: Vec<SchemaField>,
}

#[derive(Deserialize)]
struct SchemaField {
    name: String,
    label: String,
    kind: String,
    required: bool,
    writable: bool,
    max_length: Option<u32>,
    identifier: bool,
    #[serde(default)]
    targets: Vec<String>,
}

/// Asks hello-crm for its schema: fields belong to the customer, and a wrong key is found out here.
pub(crate) fn describe(client: &Client) -> Result<Description, Error> {
    let schema: Schema = client.send(client.get("schema"))?.json()?;
    let page_size = schema.largest_page.unwrap_or(PAGE_SIZE);
    let objects = schema.objects.into_iter().filter(|object| path(&object.name).is_ok());
    let objects = objects.map(|told| object(told).page_size(page_size));
    let description: Description = objects.collect();
    // Versions of hello-crm that do not tell their account are told apart by their address.
    Ok(match schema.account {
        Some(account) => description.account("hello-crm", account.id, account.name),
        None => description,
    })
}

fn object(object: SchemaObject) -> Object {
    Object::new(object.name, object.label)
        .fields(object.fields.into_iter().map(field))
        .change_times(ChangeTimes::Field)
        .precision(Duration::from_micros(1))
        .features([
            features::CREATE,
            features::UPDATE,
            features::DELETE,
            features::DELETIONS,
            features::FULL_LISTING,
            features::IDEMPOTENT_CREATE,
            features::CONDITIONAL_UPDATE,
            features::BY_ID,
        ])
        .order_size(ORDER_SIZE)
}

fn field(field: SchemaField) -> Field {
    // hello-crm and Entente have the same words for kinds. Its lists of texts are sets: sorted, each text
    // once.
    let is_set = field.kind == "texts";
    let words = [
        ("required", field.required),
        ("read-only", !field.writable),
        ("identifier", field.identifier),
        ("set-like", is_set),
    ];
    let mut described = Field::new(field.name, field.label, field.kind).targets(field.targets);
    described.max_length = field.max_length;
    words.into_iter().filter(|(_, holds)| *holds).fold(described, |field, (word, _)| field.feature(word))
}

/// The mapping that the operator starts from.
pub(crate) fn manual() -> Vec<Mapping> {
    let companies = Mapping::of("company", ORGANISATION)
        .both("name", "name")
        .required()
        .both("email", "email")
        .both("phone", "phone")
        .both("website", "website")
        .both("address", "street")
        .both("city", "city")
        .both("region", "region")
        .both("country", "country")
        .identify_by(["name"]);
    let contacts = Mapping::of("contact", PERSON)
        .both("first_name", "first_name")
        .both("last_name", "last_name")
        .required()
        .both("email", "email")
        .both("phone", "phone")
        .both("mobile", "mobile")
        .both("company", "organisation")
        .both("position", "job_title")
        .both("address", "street")
        .both("city", "city")
        .both("region", "region")
        .both("country", "country")
        .both("website", "website")
        .both("points", "score")
        .both("tags", "tags")
        .identify_by(["email"]);
    vec![companies, contacts]
}
