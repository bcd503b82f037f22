//! `plugins/made-up` compiled natively, without a component: the same people behind the same trait. Or the
//! contacts of a file.

use crate::contacts::Contacts;
use anyhow::Result;
use async_trait::async_trait;
use entente_core::{Timestamp, Value};
use entente_sync::{
    Action, Answer, Batch, ChangeTimes, Collection, Description, Exchange, ExchangeError, Executed, Feature,
    Field, Finished, Object, Order, Outcome, Page, ProposedMapping, Query, ReportRequest, Row, Written,
    codes,
};
use made_up::people::{Content, FIELDS, IDENTIFIER, OBJECT, PAGE_ROWS, People, TOLD_ROWS};

/// The plugin as plain Rust.
#[derive(Debug)]
pub(crate) struct Native {
    /// Who there is.
    pub(crate) source: Source,
    /// The name of the integration that it stands for.
    pub(crate) name: String,
}

/// Where its records come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Made up, as the plugin has them.
    People(People),
    /// A file.
    Contacts(Contacts),
}

#[async_trait]
impl Exchange for Native {
    fn name(&self) -> &str {
        &self.name
    }

    async fn describe(&self) -> Result<Description, ExchangeError> {
        let field = |(name, _, kind): (&str, &str, &str)| Field {
            name: name.to_owned(),
            label: name.to_owned(),
            kind: kind.into(),
            writable: true,
            identifier: name == IDENTIFIER,
            ..Field::default()
        };
        let words = [
            Feature::Create,
            Feature::Update,
            Feature::Delete,
            Feature::FullListing,
            Feature::IdempotentCreate,
        ];
        let object = Object {
            name: OBJECT.to_owned(),
            label: "Person".to_owned(),
            fields: FIELDS.map(field).into(),
            change_times: ChangeTimes::Record,
            precision: 1,
            features: words.into(),
            search_lag: None,
            page_size: Some(TOLD_ROWS),
            order_size: Some(PAGE_ROWS),
        };
        Ok(Description { objects: vec![object], ..Description::default() })
    }

    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError> {
        Ok(Vec::new())
    }

    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        match &self.source {
            Source::People(people) => page_of(people, request),
            Source::Contacts(contacts) => contacts
                .page(request)
                .map_err(|error| ExchangeError::new(codes::CURSOR_EXPIRED, format!("{error:#}"))),
        }
    }

    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError> {
        let outcome = |action: &Action, id: &str| match action {
            Action::Create => Outcome::Created(Written { id: format!("new-{id}"), ..Written::default() }),
            Action::Update(id) => Outcome::Updated(Written { id: id.clone(), ..Written::default() }),
            Action::Delete(_) => Outcome::Deleted,
        };
        let answers = order
            .changes
            .iter()
            .map(|change| Answer { change: change.id.clone(), outcome: outcome(&change.action, &change.id) })
            .collect();
        Ok(Executed { answers, ..Executed::default() })
    }

    async fn collect(&self, _: &str, _: &Order) -> Result<Collection, ExchangeError> {
        Err(ExchangeError::new(codes::UNSUPPORTED, "nothing is ever deferred"))
    }

    fn can_find(&self) -> bool {
        false
    }

    async fn find(&self, _: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        Err(ExchangeError::new(codes::UNSUPPORTED, "nothing is looked up"))
    }
}

fn page_of(people: &People, request: &ReportRequest) -> Result<Page, ExchangeError> {
    let Some(wanted) = request.objects.iter().find(|wanted| wanted.object == OBJECT) else {
        return Ok(Page::default());
    };
    let slice = people
        .page(
            wanted.full || request.first_time,
            wanted.bookmark.as_deref(),
            request.cursor.as_deref(),
            request.limit,
        )
        .map_err(|error| ExchangeError::new(codes::CURSOR_EXPIRED, error))?;
    let places: Vec<Option<usize>> =
        wanted.fields.iter().map(|name| FIELDS.iter().position(|(field, ..)| field == name)).collect();
    let value = |number, place: &Option<usize>| {
        place.map(|place| match people.content(number, place) {
            Content::Text(text) => Value::Text(text),
            Content::Number(number) => Value::Integer(number),
        })
    };
    let row = |&number: &u64| Row {
        id: people.id(number),
        changed: Some(Timestamp::from_micros(people.changed_at(number))),
        values: places.iter().map(|place| value(number, place)).collect(),
        ..Row::default()
    };
    let rows = slice.numbers.iter().map(row).collect();
    let batch = Batch { object: OBJECT.to_owned(), fields: wanted.fields.clone(), rows, ..Batch::default() };
    let finished = Finished { object: OBJECT.to_owned(), bookmark: slice.bookmark, complete: slice.complete };
    Ok(Page {
        batches: vec![batch],
        finished: if slice.next.is_none() { vec![finished] } else { Vec::new() },
        next: slice.next,
        remaining: Some(slice.remaining),
        ..Page::default()
    })
}
