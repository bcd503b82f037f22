//! Files of contacts: an import, its undo, and finding somebody among them.

use super::{Row, thousands};
use crate::bench::Bench;
use crate::line::Line;
use crate::quantity::Quantity;
use crate::took::{Took, Watch, median};
use anyhow::{Context, Result};
use async_trait::async_trait;
use entente::Tenant;
use entente_plugin::Compiler;
use entente_sqlite::{ImportOptions, ListQuery, import_csv};
use rusqlite::Connection;
use std::path::Path;

const RECORDS: u64 = 100_000;

/// The time within which somebody is to be found.
const PATIENCE: Quantity = Quantity::Seconds(0.050);

/// An import of a file, its undo, and a search.
#[derive(Debug)]
pub(super) struct Import;

/// A file as people have it: names that many share, and addresses and numbers of their own.
fn file() -> String {
    const GIVEN: [&str; 8] = ["Åsa", "Wei", "José", "Ada", "Noël", "Mary", "Jürgen", "Zoë"];
    const FAMILY: [&str; 9] =
        ["Khan", "Müller", "O'Brien", "Ek", "García", "Nowak", "Smith", "van Dyk", "Lee"];
    let mut file = String::from("First name,Last name,E-mail,Phone,City,Company,Changed\n");
    for n in 0..RECORDS {
        let (given, family) = (GIVEN[n as usize % GIVEN.len()], FAMILY[n as usize % FAMILY.len()]);
        let (phone, city, company) = (1_000_000 + n, n % 500, n % 2_000);
        file.push_str(&format!(
            "{given},{family},p{n}@example.org,+46 8 {phone},City {city},Company {company},2020-01-01T00:00:00Z\n"
        ));
    }
    file
}

/// The file read by the crate that reads it, and each row inserted by itself, with an index of the addresses.
fn bare(file: &str, folder: &Path) -> Result<Took> {
    let path = folder.join("bare.db");
    let _ = std::fs::remove_file(&path);
    let watch = Watch::start();
    let mut connection = Connection::open(&path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.execute_batch(
        "CREATE TABLE contact (id INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT;
         CREATE TABLE address (address TEXT NOT NULL, contact INTEGER NOT NULL, PRIMARY KEY (address, contact)) STRICT, WITHOUT ROWID;",
    )?;
    let unit = connection.transaction()?;
    {
        let mut contact = unit.prepare("INSERT INTO contact (data) VALUES (?1)")?;
        let mut address = unit.prepare("INSERT INTO address VALUES (?1, ?2)")?;
        for row in csv::Reader::from_reader(file.as_bytes()).records() {
            let row = row?;
            let cells: Vec<&str> = row.iter().collect();
            let id = contact.insert([serde_json::to_string(&cells)?])?;
            address.execute((row.get(2), id))?;
        }
    }
    unit.commit()?;
    Ok(watch.took())
}

async fn search(tenant: &Tenant, words: &str) -> Result<Took> {
    let query = ListQuery { search: Some(words.to_owned()), limit: 50, ..ListQuery::default() };
    let mut times = Vec::new();
    for _ in 0..21 {
        let watch = Watch::start();
        let found = tenant.hub().list("contact", &query).await?;
        times.push(watch.took());
        anyhow::ensure!(!found.records.is_empty(), "nobody was found by {words}");
    }
    Ok(median(times))
}

#[async_trait(?Send)]
impl Row for Import {
    fn name(&self) -> &'static str {
        "import"
    }

    async fn measure(&self, bench: &mut Bench) -> Result<Vec<Line>> {
        let file = file();
        let (mut imports, mut undone, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = None;
        for _ in 0..3 {
            let folder = tempfile::tempdir_in(bench.folder.path())?;
            let tenant = Tenant::open(folder.path(), None, Compiler::InThisProcess)?;
            let watch = Watch::start();
            let report =
                import_csv(tenant.hub(), file.as_bytes(), &ImportOptions::new("contact"), &mut |_, _| {})
                    .await?;
            imports.push(watch.took());
            anyhow::ensure!(report.created == RECORDS && report.failed == 0, "not imported: {report:?}");
            bares.push(bare(&file, folder.path())?);
            if found.is_none() {
                found = Some((search(&tenant, "wei khan").await?, search(&tenant, "+46 8 1099999").await?));
            }
            let run = report.run.context("an import has a run")?;
            let deletes = report.created + report.references_created;
            let watch = Watch::start();
            tenant.undo_import(run, Some(deletes), 50).await?;
            undone.push(watch.took());
        }
        let (import, undo, bare) = (median(imports), median(undone), median(bares));
        let (name, number) = found.context("nothing was looked for")?;
        let rows = thousands(RECORDS);
        let found = |what: &str, took: Took| {
            Line::took(format!("finding {what} among {rows} contacts"), took).under(PATIENCE)
        };
        Ok(vec![
            Line::took(format!("import of {rows} contacts from a file, as a run that can be undone"), import)
                .beside("the same rows read and inserted by bare SQLite", Quantity::Seconds(bare.wall)),
            Line::took(format!("its undo, {rows} contacts and the companies that it made"), undo)
                .beside("the import", Quantity::Seconds(import.wall)),
            found("two words of names", name),
            found("a telephone number", number),
        ])
    }
}
