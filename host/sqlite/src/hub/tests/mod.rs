//! Shared set-up of the hub's tests.

mod define;
mod earlier;
mod merge;
mod orders;
mod people;
mod report;

use super::Hub;
use crate::store::Store;
use async_trait::async_trait;
use entente_core::{Timestamp, Value};
use entente_sync::{
    Action, Answer, Clock, Exchange, FieldTime, Order, OrderedChange, Outcome, Page, ReportRequest, Wanted,
    Window,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A clock that advances by one microsecond with each call.
#[derive(Default)]
pub(super) struct Ticks(AtomicI64);

#[async_trait]
impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    async fn sleep(&self, _: Duration) {}
}

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(super) fn hub() -> Hub {
    Hub::new(Store::in_memory().unwrap(), Arc::new(Ticks::default()))
}

/// A hub whose clock begins here.
pub(super) fn hub_from(micros: i64) -> Hub {
    Hub::new(Store::in_memory().unwrap(), Arc::new(Ticks(AtomicI64::new(micros))))
}

pub(super) fn text(text: &str) -> Option<Value> {
    Some(Value::text(text))
}

pub(super) fn values(pairs: &[(&str, Value)]) -> Vec<(String, Value)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Creates a contact as the operator.
pub(super) async fn contact(hub: &Hub, email: &str) -> String {
    hub.create("contact", &values(&[("email", Value::text(email))])).await.unwrap().id
}

/// An order of a sync for contacts.
pub(super) fn order(sync: &str, fields: &[&str], changes: Vec<OrderedChange>) -> Order {
    Order {
        object: "contact".into(),
        fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        changes,
        first_time: false,
        options: Vec::new(),
        sync: sync.into(),
        run: 7,
        at: at(500),
    }
}

pub(super) fn change(action: Action, values: Vec<Option<Value>>) -> OrderedChange {
    OrderedChange {
        id: "c1".into(),
        action,
        values,
        base: Vec::new(),
        times: Vec::new(),
        version: None,
        source: None,
    }
}

pub(super) async fn execute(hub: &Hub, order: &Order) -> Vec<Outcome> {
    hub.execute(order).await.unwrap().answers.into_iter().map(|Answer { outcome, .. }| outcome).collect()
}

pub(super) fn request(fields: &[&str]) -> ReportRequest {
    ReportRequest {
        cursor: None,
        iteration: 0,
        objects: vec![Wanted {
            object: "contact".into(),
            fields: fields.iter().map(|name| (*name).to_owned()).collect(),
            ids: Vec::new(),
            window: Window { since: None, until: at(i64::MAX) },
            bookmark: None,
            full: false,
        }],
        first_time: false,
        limit: 100,
        options: Vec::new(),
        sync: "mine".into(),
    }
}

/// A request whose object is asked for in another way.
pub(super) fn asking(fields: &[&str], change: impl FnOnce(&mut Wanted)) -> ReportRequest {
    let mut request = request(fields);
    change(&mut request.objects[0]);
    request
}

/// A request from a bookmark on.
pub(super) fn since(bookmark: &str, fields: &[&str]) -> ReportRequest {
    asking(fields, |wanted| wanted.bookmark = Some(bookmark.to_owned()))
}

/// All pages of a report; the closure may write after each.
pub(super) async fn all_pages(
    hub: &Hub,
    mut request: ReportRequest,
    mut between: impl AsyncFnMut(usize),
) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        let page = hub.report(&request).await.unwrap();
        request.cursor = page.next.clone();
        request.iteration += 1;
        let end = page.next.is_none();
        let by_id = request.objects.iter().any(|wanted| !wanted.ids.is_empty());
        assert_eq!(page.finished.is_empty(), !end || by_id);
        pages.push(page);
        assert!(pages.len() < 10_000, "a report without end");
        if end {
            return pages;
        }
        between(pages.len()).await;
    }
}

pub(super) async fn pages(hub: &Hub, request: ReportRequest) -> Vec<Page> {
    all_pages(hub, request, async |_| {}).await
}

pub(super) fn ids(pages: &[Page]) -> Vec<String> {
    pages
        .iter()
        .flat_map(|page| &page.batches)
        .flat_map(|batch| &batch.rows)
        .map(|row| row.id.clone())
        .collect()
}

pub(super) fn deleted(pages: &[Page]) -> Vec<String> {
    pages
        .iter()
        .flat_map(|page| &page.batches)
        .flat_map(|batch| &batch.deleted)
        .map(|deletion| deletion.id.clone())
        .collect()
}

pub(super) fn bookmark(pages: &[Page]) -> Option<String> {
    pages.last().unwrap().finished.first().and_then(|finished| finished.bookmark.clone())
}

pub(super) fn certain(micros: i64) -> Option<FieldTime> {
    Some(FieldTime::certain(at(micros)))
}

/// Texts that must never be taken for one another.
pub(super) fn awkward_texts() -> Vec<String> {
    let long = "long ".repeat(10_000);
    [
        "",
        " ",
        "0",
        "NULL",
        "null",
        "false",
        "a\0b",
        "👩‍👩‍👧 \u{202e}אב e\u{301}",
        "\u{feff}x",
        "a\r\nb\nc\rd",
        "\"",
        "\\",
        ";,\t|",
        "=1+1",
        "'",
        &long,
    ]
    .map(str::to_owned)
    .to_vec()
}
