//! The peers' contacts file, read page by page.

use anyhow::{Context, Result};
use entente_core::{Timestamp, Value};
use entente_sync::{Batch, Finished, Page, ReportRequest, Row};
use made_up::people::{OBJECT, PAGE_ROWS};
use std::path::PathBuf;

/// The columns that are synced, and the fields of a person that they stand for.
pub(crate) const COLUMNS: [(&str, &str); 4] =
    [("first", "first_name"), ("last", "last_name"), ("email", "email"), ("company", "job_title")];

/// A file with the columns `id`, `email`, `first`, `last`, `company` and `updated_at`.
#[derive(Debug, Clone)]
pub(crate) struct Contacts(pub(crate) PathBuf);

impl Contacts {
    /// The page from the byte that the cursor names.
    pub(crate) fn page(&self, request: &ReportRequest) -> Result<Page> {
        let mut reader = csv::Reader::from_path(&self.0)
            .with_context(|| format!("{} cannot be read", self.0.display()))?;
        let headers = reader.headers()?.clone();
        let column = |name: &str| {
            let found = headers.iter().position(|header| header == name);
            found.with_context(|| format!("{} has no column '{name}'", self.0.display()))
        };
        let (id, changed) = (column("id")?, column("updated_at")?);
        let wanted = request
            .objects
            .iter()
            .find(|wanted| wanted.object == OBJECT)
            .context("another object is asked for")?;
        let mut places = Vec::new();
        for field in &wanted.fields {
            let found = COLUMNS.iter().find(|(_, known)| known == field);
            places.push(found.map(|(name, _)| column(name)).transpose()?);
        }
        if let Some(cursor) = &request.cursor {
            let mut position = csv::Position::new();
            position.set_byte(cursor.parse()?);
            reader.seek(position)?;
        }
        let mut batch =
            Batch { object: OBJECT.to_owned(), fields: wanted.fields.clone(), ..Batch::default() };
        let mut line = csv::StringRecord::new();
        while batch.rows.len() < request.limit.min(PAGE_ROWS) as usize {
            if !reader.read_record(&mut line)? {
                let bookmark = Some(String::from("end"));
                let finished = vec![Finished { object: OBJECT.to_owned(), bookmark, complete: true }];
                return Ok(Page { batches: vec![batch], finished, ..Page::default() });
            }
            let text = |place: usize| line.get(place).unwrap_or_default();
            batch.rows.push(Row {
                id: text(id).to_owned(),
                changed: Some(Timestamp::parse(text(changed))?),
                values: places.iter().map(|place| place.map(|place| Value::text(text(place)))).collect(),
                ..Row::default()
            });
        }
        Ok(Page { batches: vec![batch], next: Some(reader.position().byte().to_string()), ..Page::default() })
    }
}
