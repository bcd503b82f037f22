//! One plugin call with a page of 1,000 rows of 8 fields, in each direction.

use crate::world::{Guest, World};
use anyhow::{Result, ensure};
use entente_core::{Timestamp, Value};
use entente_sync::{Action, Exchange, Order, OrderedChange, Page, ReportRequest, Wanted, Window};
use made_up::people::{FIELDS, OBJECT, PAGE_ROWS, People};
use std::path::Path;
use tokio::runtime::{Builder, Runtime};

/// What everything here runs in: as the program.
///
/// # Errors
/// Where the system has no threads left.
pub fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// A plugin and what it is called with.
pub struct PageCall {
    runtime: Runtime,
    exchange: Box<dyn Exchange>,
    request: ReportRequest,
    order: Order,
    /// The page that it answers.
    pub page: Page,
    /// What it lives in.
    _world: World,
}

impl std::fmt::Debug for PageCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageCall").finish_non_exhaustive()
    }
}

impl PageCall {
    /// Gets it ready; the first call has been made.
    ///
    /// # Errors
    /// Where the plugin cannot be run.
    pub fn new(guest: Guest, component: &Path, parent: &Path) -> Result<Self> {
        let runtime = runtime()?;
        let people = People { records: u64::from(PAGE_ROWS), ..People::default() };
        let world = runtime.block_on(World::new(people, component, parent))?;
        let exchange = runtime.block_on(world.exchange(guest))?;
        let fields: Vec<String> = FIELDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let request = ReportRequest {
            cursor: None,
            iteration: 0,
            objects: vec![Wanted {
                object: OBJECT.to_owned(),
                fields: fields.clone(),
                ids: Vec::new(),
                window: Window { since: None, until: Timestamp::from_micros(i64::MAX) },
                bookmark: None,
                full: true,
            }],
            first_time: false,
            limit: PAGE_ROWS,
            options: Vec::new(),
            sync: "speed".to_owned(),
        };
        let page = runtime.block_on(exchange.report(&request))?;
        let rows = &page.batches[0].rows;
        ensure!(rows.len() == PAGE_ROWS as usize, "{} rows of {PAGE_ROWS}", rows.len());
        let change = |row: &entente_sync::Row| OrderedChange {
            id: format!("change-{}", row.id),
            action: Action::Update(row.id.clone()),
            values: row.values.clone(),
            base: Vec::new(),
            times: Vec::new(),
            version: None,
            source: None,
        };
        let order = Order {
            object: OBJECT.to_owned(),
            fields,
            changes: rows.iter().map(change).collect(),
            first_time: false,
            options: Vec::new(),
            sync: "speed".to_owned(),
            run: 1,
            at: Timestamp::from_micros(0),
        };
        Ok(Self { runtime, exchange, request, order, page, _world: world })
    }

    /// A page out of the plugin.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn report(&self) -> Result<Page> {
        Ok(self.runtime.block_on(self.exchange.report(&self.request))?)
    }

    /// A page into the plugin.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn execute(&self) -> Result<usize> {
        Ok(self.runtime.block_on(self.exchange.execute(&self.order))?.answers.len())
    }

    /// The values of the page, copied to one place.
    pub fn copy(&self, into: &mut Vec<u8>) {
        into.clear();
        for value in self.page.batches.iter().flat_map(|batch| &batch.rows).flat_map(|row| &row.values) {
            match value {
                Some(Value::Text(text)) => into.extend_from_slice(text.as_bytes()),
                Some(Value::Integer(number)) => into.extend_from_slice(&number.to_le_bytes()),
                _ => into.push(0),
            }
        }
    }
}
