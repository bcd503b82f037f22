//! The sample plugin: keeps the people and organisations of hello-crm in step with contacts and companies of
//! the hub.
//!
//! It is made to be copied. `client` talks to the remote system, `objects` says what it has, `report` reads
//! it, `orders` writes it, `lookup` finds records in it, `record` turns its JSON into rows. A plugin for
//! another system keeps the files and changes what is in them.

mod client;
mod lookup;
mod objects;
mod orders;
mod record;
mod report;
#[cfg(test)]
mod tests;

use client::Client;
use entente_sdk::prelude::*;

/// The plugin. It is made anew for each call, so it holds settings only.
pub struct HelloWorld {
    client: Client,
}

impl Integration for HelloWorld {
    fn new() -> Result<Self, Error> {
        Ok(Self { client: Client::new(&settings::text("url")?) })
    }

    fn describe(&self) -> Result<Description, Error> {
        objects::describe(&self.client)
    }

    fn manual(&self) -> Result<Vec<Mapping>, Error> {
        Ok(objects::manual())
    }

    fn report(&self, request: ReportRequest) -> Result<Page, Error> {
        report::report(&self.client, &request)
    }

    // hello-crm takes many changes at once. A plugin for a system that takes one at a time has `change` instead.
    fn execute(&self, order: &Order) -> Result<Execution, Error> {
        Ok(order.at_once(|| orders::execute(&self.client, order)))
    }
}

impl Lookup for HelloWorld {
    fn find(&self, query: Query) -> Result<Vec<Vec<String>>, Error> {
        lookup::find(&self.client, &query)
    }
}

// Lookup is named because it is implemented; hello-crm sends no webhooks, so there is no Webhook.
entente_sdk::export!(HelloWorld: Lookup);
