//! The initial records of a server: samples, or a file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::Stamp;
use crate::sample::{self, SampleOrganisation, SamplePerson, Y2019, Y2020, Y2022, at, below, mix, once_in};
use crate::schema::Object;
use crate::store::State;
use crate::table::Record;
use crate::validate::{self, Mode};

/// Records to begin with. Ids are given in order, so organisation 3 is `o3`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The organisations.
    #[serde(default)]
    pub organisations: Vec<SeedRecord>,
    /// The people; they refer to organisations by id.
    #[serde(default)]
    pub persons: Vec<SeedRecord>,
}

/// A record to begin with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRecord {
    /// The fields, as in a request that creates a record.
    pub fields: Map<String, Value>,
    /// When the record was made; the present if it is left out.
    #[serde(default)]
    pub created_at: Option<Stamp>,
    /// When fields were changed last, where that was later.
    #[serde(default)]
    pub changed: BTreeMap<String, Stamp>,
}

impl Seed {
    /// Reads a seed from a JSON file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let bytes =
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Puts the records into a new state. A seed is older than every change: it may go back in time.
    pub(crate) fn plant(&self, state: &mut State) -> Result<(), String> {
        let start = Stamp::from_micros(i64::try_from(state.instance).unwrap_or(i64::MAX));
        let start = start.ok_or("the clock stands outside of time")?;
        for (object, records) in
            [(Object::Organisation, &self.organisations), (Object::Person, &self.persons)]
        {
            for seed in records {
                let number = state.table_mut(object).take_number();
                let what = object.id(number);
                let exists = |target: Object, id: &str| state.find(target, id).is_some();
                let given =
                    validate::fields(object, &seed.fields, Mode::Create, &exists).map_err(|problems| {
                        problems
                            .iter()
                            .map(|problem| format!("{what}: {}: {}", problem.name, problem.message))
                            .collect::<Vec<_>>()
                            .join("; ")
                    })?;
                let created_at = seed.created_at.unwrap_or(start);
                let mut fields: BTreeMap<String, Value> =
                    object.fields().iter().map(|field| (field.name.to_owned(), field.blank())).collect();
                let mut changed = BTreeMap::new();
                for (name, value) in given {
                    if fields.get(&name) != Some(&value) {
                        changed.insert(name.clone(), created_at);
                        fields.insert(name, value);
                    }
                }
                for (name, at) in &seed.changed {
                    if object.field(name).is_none() || *at < created_at {
                        return Err(format!(
                            "{what}: changed: {name} is no field, or was changed before the record was made"
                        ));
                    }
                    changed.insert(name.clone(), *at);
                }
                let updated_at = changed.values().copied().max().unwrap_or(created_at);
                let seq = state.next_seq();
                state.table_mut(object).put(Record {
                    number,
                    seq,
                    version: 1,
                    created_at,
                    updated_at,
                    fields,
                    changed,
                });
            }
        }
        Ok(())
    }
}

/// How many organisations go with so many people.
pub(crate) fn organisations_for(people: usize) -> usize {
    (people * 2).div_ceil(15)
}

/// So many invented people with their organisations, always the same, last changed in the years 2019 to 2021.
/// Among them are two people of one name (p5 and p6) and one person twice (p11 and p12).
pub fn sample(people: usize) -> Seed {
    let organisations = organisations_for(people);
    Seed {
        organisations: (0..organisations)
            .map(|index| timed(index, "organisation", organisation_fields(&sample::organisation(index))))
            .collect(),
        persons: (0..people)
            .map(|index| timed(index, "person", person_fields(&sample_person(index), organisations)))
            .collect(),
    }
}

/// The person with this index as every seed has it, however large it is.
pub(crate) fn sample_person(index: usize) -> SamplePerson {
    let mut person = sample::person(index, employer(index));
    match index {
        // A namesake of the one before.
        5 => {
            let other = sample::person(4, None);
            person.first_name = other.first_name;
            person.last_name = other.last_name;
        }
        10 | 11 => {
            person = sample::person(10, employer(10));
            person.first_name = Some("Zoë".to_owned());
            person.last_name = "Fontaine-Lacroix".to_owned();
            person.email = Some("zoe.fontaine-lacroix@example.org".to_owned());
            if index == 11 {
                // The same person, written by somebody else.
                person.first_name = Some("Zoe".to_owned());
                person.last_name = "Fontaine Lacroix".to_owned();
                person.email = Some("Zoe.Fontaine-Lacroix@Example.org".to_owned());
                person.phone = None;
            }
        }
        _ => {}
    }
    person
}

fn employer(index: usize) -> Option<usize> {
    let organisations = organisations_for((index + 1).max(300)) as u64;
    (!once_in(4, index, "employed")).then(|| below(organisations, index, "employer") as usize)
}

fn organisation_fields(organisation: &SampleOrganisation) -> Map<String, Value> {
    let SampleOrganisation { name, email, phone, website, street, city, region, country } = organisation;
    given([
        ("name", json!(name)),
        ("email", json!(email)),
        ("phone", json!(phone)),
        ("website", json!(website)),
        ("street", json!(street)),
        ("city", json!(city)),
        ("region", json!(region)),
        ("country", json!(country)),
    ])
}

fn person_fields(person: &SamplePerson, organisations: usize) -> Map<String, Value> {
    let organisation = person.organisation.filter(|index| *index < organisations);
    let organisation = organisation.map(|index| Object::Organisation.id(index as u64 + 1));
    given([
        ("first_name", json!(person.first_name)),
        ("last_name", json!(person.last_name)),
        ("email", json!(person.email)),
        ("phone", json!(person.phone)),
        ("mobile", json!(person.mobile)),
        ("job_title", json!(person.job_title)),
        ("street", json!(person.street)),
        ("city", json!(person.city)),
        ("region", json!(person.region)),
        ("country", json!(person.country)),
        ("website", json!(person.website)),
        ("score", json!(person.score)),
        ("organisation", json!(organisation)),
        ("tags", json!(person.tags)),
    ])
}

fn given<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null() && *value != json!([]))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Times for the record and its fields: made once, some fields changed later.
fn timed(index: usize, what: &str, fields: Map<String, Value>) -> SeedRecord {
    let (last, micros) = last_change(index, what);
    let age = below(300 * 86_400, index, &format!("{what} age"));
    let created = last.saturating_sub(age).max(Y2019 - 200 * 86_400);
    let mut changed = BTreeMap::new();
    let mut newest = None;
    for (place, name) in fields.keys().enumerate() {
        let turn = mix(index * 32 + place, what);
        if turn.is_multiple_of(3) {
            changed.insert(name.clone(), at(created + turn / 3 % (last - created + 1), 0));
        }
        if newest.is_none_or(|(most, _)| turn > most) {
            newest = Some((turn, name));
        }
    }
    if let Some((_, name)) = newest {
        changed.insert(name.clone(), at(last, micros));
    }
    SeedRecord { fields, created_at: Some(at(created, 0)), changed }
}

/// When a record of the samples was changed last: some on the first day of 2020, two of them at its very
/// ends.
fn last_change(index: usize, what: &str) -> (u64, u64) {
    match (index % 150, what) {
        (60, "person") => (Y2020, 0),
        (72, "person") => (Y2020 + 86_400, 0),
        (7 | 21 | 33 | 48 | 90, _) => (Y2020 + 6 * 3600 + below(12 * 3600, index, what), 0),
        _ => (
            Y2019 + below(Y2022 - Y2019, index, &format!("{what} time")),
            below(1_000_000, index, &format!("{what} micros")),
        ),
    }
}
