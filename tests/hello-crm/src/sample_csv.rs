//! Two sample CSV files for an import into the hub, which overlap with the sample seed: half of the companies
//! and about a third of the contacts are in both, some with other values and other times.

use std::path::Path;

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};

use crate::clock::Stamp;
use crate::names::JOBS;
use crate::sample::{
    self, SampleOrganisation, SamplePerson, Y2020, Y2021, at, below, once_in, organisation_locale,
    person_locale, phone, pick,
};
use crate::seed::sample_person;

/// The seed that the files overlap with: `--seed 300`.
const SEED: usize = 300;
const CONTACTS: usize = 300;
const COMPANIES: usize = 40;
/// Indexes from here on are of people and companies that the seed does not have.
const OTHER_PEOPLE: usize = 1800;
const OTHER_COMPANIES: usize = 80;

const CONTACT_COLUMNS: [&str; 15] = [
    "First name",
    "Last name",
    "E-mail",
    "Phone",
    "Mobile",
    "Position",
    "Company",
    "Address",
    "City",
    "Region",
    "Country",
    "Website",
    "Points",
    "Tags",
    "Changed",
];
const COMPANY_COLUMNS: [&str; 9] =
    ["Name", "E-mail", "Phone", "Address", "City", "Region", "Country", "Website", "Changed"];

/// Writes `contacts.csv` and `companies.csv` into a folder.
pub fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("contacts.csv"), contacts())?;
    std::fs::write(folder.join("companies.csv"), companies())
}

/// The contacts, as a spreadsheet program writes them: with a byte order mark and CRLF.
pub fn contacts() -> String {
    let mut rows = vec![CONTACT_COLUMNS.map(str::to_owned).to_vec()];
    // In threes through the seed, and again from its second; without those who are there for other tests.
    let indexes =
        (0..SEED - 1).map(|place| place * 3 % (SEED - 1)).filter(|index| !matches!(index, 4 | 5 | 10 | 11));
    let people = indexes.map(|index| (index, sample_person(index)));
    let mut shared = people.filter(|(_, person)| person.email.is_some()).peekable();
    let mut others = 0;
    for row in 0..CONTACTS {
        // Every third row is of somebody whom the CRM has too.
        let person = match shared.next_if(|_| row % 3 == 1) {
            Some((index, person)) => edited(index, person),
            None => {
                others += 1;
                other(row, OTHER_PEOPLE + others)
            }
        };
        rows.push(contact(row, &person));
    }
    format!("\u{feff}{}", lines(&rows, "\r\n"))
}

/// The companies, as a program on Unix writes them.
pub fn companies() -> String {
    let mut rows = vec![COMPANY_COLUMNS.map(str::to_owned).to_vec()];
    for row in 0..COMPANIES {
        let index = company_index(row);
        let mut company = sample::organisation(index);
        if row % 2 == 0 {
            edit_company(index, &mut company);
        }
        rows.push(company_row(row, company));
    }
    lines(&rows, "\n")
}

/// Even rows are of organisations that the seed has, odd rows of others.
fn company_index(row: usize) -> usize {
    if row.is_multiple_of(2) { row } else { OTHER_COMPANIES + row }
}

fn edit_company(index: usize, company: &mut SampleOrganisation) {
    match index / 2 % 4 {
        1 => company.phone = Some(phone(organisation_locale(index), index, "new phone")),
        2 => {
            let (city, region) = pick(&organisation_locale(index).cities, index, "new city");
            company.city = city.to_owned();
            company.region = Some(region.to_owned());
        }
        3 => company.website = None,
        _ => {}
    }
}

/// Somebody whom the CRM has too; three of four were edited on one side.
fn edited(index: usize, mut person: SamplePerson) -> SamplePerson {
    match index / 3 % 4 {
        1 => person.phone = Some(phone(person_locale(index), index, "new phone")),
        2 => {
            let (city, region) = pick(&person_locale(index).cities, index, "new city");
            person.city = Some(city.to_owned());
            person.region = Some(region.to_owned());
        }
        3 => person.job_title = Some(pick(&JOBS, index, "new job").to_owned()),
        _ => {}
    }
    if once_in(12, index, "capitals") {
        // An address that only differs in its case is the same to every CRM.
        person.email = person.email.map(|email| email.split('.').map(capital).collect::<Vec<_>>().join("."));
    }
    // The file knows the companies of its even rows only.
    person.organisation = person.organisation.filter(|organisation| organisation.is_multiple_of(2));
    person
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Somebody whom the CRM does not have, employed in any company of the file.
fn other(row: usize, index: usize) -> SamplePerson {
    let employer = (!once_in(4, index, "employed"))
        .then(|| company_index(below(COMPANIES as u64, index, "employer") as usize));
    let mut person = sample::person(index, employer);
    match row {
        // Two people of one name.
        51 | 75 => {
            person.first_name = Some("Małgorzata".to_owned());
            person.last_name = "O'Connor-Wójcik".to_owned();
            person.email =
                Some(if row == 51 { "m.oconnor@example.com" } else { "gosia.wojcik@example.net" }.to_owned());
        }
        // One person twice.
        120 | 210 => {
            person.first_name = Some("Jean-François".to_owned());
            person.last_name = "Béchamel".to_owned();
            person.email = Some("jf.bechamel@example.org".to_owned());
        }
        _ => {}
    }
    person
}

fn contact(row: usize, person: &SamplePerson) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    vec![
        text(&person.first_name),
        person.last_name.clone(),
        text(&person.email),
        text(&person.phone),
        text(&person.mobile),
        text(&person.job_title),
        person.organisation.map(|index| sample::organisation(index).name).unwrap_or_default(),
        text(&person.street),
        text(&person.city),
        text(&person.region),
        text(&person.country),
        text(&person.website),
        person.score.map(|score| score.to_string()).unwrap_or_default(),
        person.tags.join(";"),
        changed(row, "contact"),
    ]
}

fn company_row(row: usize, company: SampleOrganisation) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    vec![
        company.name,
        text(company.email),
        text(company.phone),
        text(company.street),
        company.city,
        text(company.region),
        company.country,
        text(company.website),
        changed(row, "company"),
    ]
}

/// A change time between June 2019 and June 2021; a good quarter lie in 2020, some of them on its first day.
fn changed(row: usize, what: &str) -> String {
    let offset = [0, 3600, 7200, -18_000][below(4, row, "offset") as usize];
    let spread = |from: u64, days: u64| from + below(days * 86_400, row, what);
    let seconds = match row % 75 {
        0 => Y2020,
        1 => Y2020 + 86_400,
        2 => Y2021 - 1800,
        3..=5 => spread(Y2020, 1),
        6..=22 => spread(Y2020 + 86_400, 364),
        turn if turn % 2 == 0 => spread(Y2020 - 214 * 86_400, 213),
        _ => spread(Y2021, 150),
    };
    written(at(seconds, 0), offset)
}

fn written(stamp: Stamp, offset: i32) -> String {
    let instant = DateTime::<Utc>::from(stamp);
    match FixedOffset::east_opt(offset) {
        Some(offset) => instant.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, true),
        None => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

fn lines(rows: &[Vec<String>], end: &str) -> String {
    rows.iter().map(|row| row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + end).collect()
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
