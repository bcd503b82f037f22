//! The sample seed, and the CSV files that overlap with it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hello_crm::seed::sample;
use hello_crm::{Config, Handle, Object, RecordView, sample_csv};

fn people(count: usize) -> Vec<RecordView> {
    let handle = Handle::new(Config { seed: Some(sample(count)), ..Config::new("key") }).unwrap();
    handle.records(Object::Person)
}

fn text(record: &RecordView, field: &str) -> String {
    record.fields[field].as_str().unwrap_or_default().to_owned()
}

fn by_email(people: &[RecordView]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for person in people {
        found.entry(text(person, "email")).or_default().push(person.id.clone());
    }
    found.remove("");
    found
}

#[test]
fn the_seed_is_the_same_every_time_and_for_every_size() {
    let people = people(3000);
    assert_eq!(sample(300), sample(300));
    let emails =
        |count: usize| self::people(count).iter().map(|person| text(person, "email")).collect::<Vec<_>>();
    assert_eq!(emails(40), emails(300)[..40]);
    let twice: Vec<Vec<String>> = by_email(&people).into_values().filter(|ids| ids.len() > 1).collect();
    assert_eq!(twice, [["p11", "p12"]], "one person is there twice, and nobody else");
    let name = |number: usize| (text(&people[number], "first_name"), text(&people[number], "last_name"));
    assert_eq!(name(4), name(5));
    assert_ne!(text(&people[4], "email"), text(&people[5], "email"));
    let years: BTreeSet<String> =
        people.iter().map(|person| person.updated_at.to_string()[..4].to_owned()).collect();
    assert_eq!(years.into_iter().collect::<Vec<_>>(), ["2019", "2020", "2021"]);
    let handle = Handle::new(Config { seed: Some(sample(3000)), ..Config::new("key") }).unwrap();
    let names: BTreeSet<String> =
        handle.records(Object::Organisation).iter().map(|record| text(record, "name")).collect();
    assert_eq!(names.len(), handle.count(Object::Organisation));
}

/// The first cells of each line, enough for columns without commas before them.
fn column(csv: &str, column: usize) -> Vec<String> {
    csv.lines().skip(1).map(|line| line.split(',').nth(column).unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_files_are_as_generated_and_overlap_with_the_seed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host/samples");
    for (file, made) in [("contacts.csv", sample_csv::contacts()), ("companies.csv", sample_csv::companies())]
    {
        let kept = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(kept == made, "{file} is not what `hello-crm sample-csv host/samples` writes");
    }
    let seed = by_email(&people(300));
    let contacts = sample_csv::contacts();
    assert!(contacts.starts_with("\u{feff}First name,") && contacts.ends_with("\r\n"));
    let addresses = column(&contacts, 2);
    assert_eq!(addresses.len(), 300);
    let shared: Vec<&String> =
        addresses.iter().filter(|address| seed.contains_key(&address.to_lowercase())).collect();
    assert_eq!(shared.len(), 100);
    let changed: Vec<&str> =
        contacts.lines().skip(1).map(|line| line.rsplit(',').next().unwrap_or_default()).collect();
    let in_2020 = changed
        .iter()
        .filter(|time| hello_crm::Stamp::parse(time).unwrap().to_string().starts_with("2020"))
        .count();
    assert!((60..=100).contains(&in_2020), "{in_2020}");
}
