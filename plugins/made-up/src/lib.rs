//! A plugin for measuring the host: its remote system is generated.
//!
//! Settings: `records`, how many people there are; `ids`, `sequential` or `random`; `changed`, how many of
//! them are edited with every new edition; `edition`, how often that has happened. A report from a bookmark
//! has the people who were edited since. Orders are answered as made, and forgotten.

pub mod people;

use entente_sdk::prelude::*;
use people::{Content, FIELDS, IDENTIFIER, OBJECT, PAGE_ROWS, People, TOLD_ROWS};

/// The plugin.
#[derive(Debug)]
pub struct MadeUp {
    people: People,
}

fn setting(name: &str) -> Option<String> {
    match settings::get(name) {
        Some(Value::Text(text)) => Some(text),
        Some(Value::Integer(number)) => Some(number.to_string()),
        _ => None,
    }
}

impl Integration for MadeUp {
    fn new() -> Result<Self, Error> {
        Ok(Self { people: People::from_settings(setting).map_err(Error::misconfigured)? })
    }

    fn describe(&self) -> Result<Description, Error> {
        let fields = FIELDS.map(|(name, _, kind)| {
            let field = Field::new(name, name, kind);
            if name == IDENTIFIER { field.identifier() } else { field }
        });
        let object = Object::new(OBJECT, "Person")
            .fields(fields)
            .change_times(ChangeTimes::Record)
            .features([
                features::CREATE,
                features::UPDATE,
                features::DELETE,
                features::FULL_LISTING,
                features::IDEMPOTENT_CREATE,
            ])
            .page_size(TOLD_ROWS)
            .order_size(PAGE_ROWS);
        Ok(Description::new().object(object))
    }

    fn manual(&self) -> Result<Vec<Mapping>, Error> {
        let mapping = FIELDS
            .iter()
            .fold(Mapping::of("contact", OBJECT), |mapping, (name, hub, _)| mapping.both(*hub, *name));
        Ok(vec![mapping.identify_by([IDENTIFIER])])
    }

    fn report(&self, request: ReportRequest) -> Result<Page, Error> {
        let Some(wanted) = request.objects.iter().find(|wanted| wanted.object == OBJECT) else {
            return Ok(Page::new());
        };
        let slice = self
            .people
            .page(wanted.full, wanted.bookmark.as_deref(), request.cursor.as_deref(), request.limit)
            .map_err(Error::cursor_expired)?;
        let places: Vec<Option<usize>> =
            wanted.fields.iter().map(|name| FIELDS.iter().position(|(field, ..)| field == name)).collect();
        let value =
            |number, place: &Option<usize>| match place.map(|place| self.people.content(number, place)) {
                Some(Content::Text(text)) => Value::Text(text),
                Some(Content::Number(number)) => Value::Integer(number),
                None => Value::Unset,
            };
        let mut batch = Batch::new(OBJECT, wanted.fields.iter().cloned());
        batch.rows.reserve(slice.numbers.len());
        for &number in &slice.numbers {
            let row = Row::new(self.people.id(number))
                .changed(Timestamp::from_micros(self.people.changed_at(number)));
            batch.push(row.values(places.iter().map(|place| value(number, place))));
        }
        let mut page = Page::new().batch(batch).remaining(slice.remaining);
        if slice.next.is_none() {
            let mut finished = Finished::new(OBJECT);
            finished.bookmark = slice.bookmark;
            page = page.finished(if slice.complete { finished.complete() } else { finished });
        }
        page.next = slice.next;
        Ok(page)
    }

    fn change(&self, _: &Order, change: &Change) -> Result<Outcome, Error> {
        Ok(match &change.action {
            Action::Create => Outcome::Created(Row::new(format!("new-{}", change.id))),
            Action::Update(id) => Outcome::Updated(Row::new(id.as_str())),
            Action::Delete(_) => Outcome::Deleted,
        })
    }
}

entente_sdk::export!(MadeUp);
