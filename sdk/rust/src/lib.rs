//! SDK for authors of Entente plugins.
//!
//! A plugin joins one remote system to Entente: it says what the remote system has, reports what changed
//! there, and makes the changes that it is asked to make. What is right when both sides differ is decided by
//! the host. A plugin is a type that implements [`Integration`], one line that exports it, and a manifest
//! beside it.
//!
//! A small plugin, whole:
//!
//! ```
//! use entente_sdk::http::{self, Request};
//! use entente_sdk::prelude::*;
//! use serde::Deserialize;
//! use serde_json::{Map, json};
//!
//! struct Members {
//!     url: String,
//! }
//!
//! #[derive(Deserialize)]
//! struct Member {
//!     id: String,
//!     name: String,
//!     email: Option<String>,
//!     modified: Timestamp,
//! }
//!
//! impl Members {
//!     fn request(&self, method: &str, path: &str) -> Result<Request, Error> {
//!         Ok(Request::new(method, format!("{}{path}", self.url)).authorization(secrets::bearer("api-key")?))
//!     }
//! }
//!
//! impl Integration for Members {
//!     fn new() -> Result<Self, Error> {
//!         Ok(Self { url: settings::text("url")? })
//!     }
//!
//!     fn describe(&self) -> Result<Description, Error> {
//!         // Asks something, so that a refused key is found out here.
//!         self.request("GET", "/members")?.query("limit", 1).send()?.error_for_status()?;
//!         let member = Object::new("member", "Member")
//!             .field(Field::text("name", "Name").required())
//!             .field(Field::email("email", "E-mail").identifier())
//!             .change_times(ChangeTimes::Record)
//!             .features([features::CREATE, features::UPDATE, features::IDEMPOTENT_CREATE]);
//!         Ok(Description::new().object(member))
//!     }
//!
//!     fn manual(&self) -> Result<Vec<Mapping>, Error> {
//!         let mapping = Mapping::of("contact", "member").both("last_name", "name").both("email", "email");
//!         Ok(vec![mapping.identify_by(["email"])])
//!     }
//!
//!     fn report(&self, request: ReportRequest) -> Result<Page, Error> {
//!         let Some(wanted) = request.wanted("member") else { return Ok(Page::new()) };
//!         // Page after page, until one comes back empty.
//!         until_empty(&request, |page| {
//!             let mut ask = self.request("GET", "/members")?.query("page", page).query("limit", request.limit);
//!             if let Some(since) = wanted.since() {
//!                 ask = ask.query("modified_since", since);
//!             }
//!             let members: Vec<Member> = ask.send()?.error_for_status()?.json()?;
//!             let mut batch = Batch::new("member", ["name", "email"]);
//!             for member in members {
//!                 batch.row(member.id).set("name", member.name).set("email", member.email).changed(member.modified);
//!             }
//!             Ok(vec![batch])
//!         })
//!     }
//!
//!     // One change. An error here is about this change: what the host is told of it, and of those after it, is
//!     // the work of `Order::one_by_one`, which makes the rest of an order from this.
//!     fn change(&self, order: &Order, change: &Change) -> Result<Outcome, Error> {
//!         let body: Map<_, _> = change.set_fields(order).filter_map(|(name, value)| Some((name.into(), value.to_json()?))).collect();
//!         let request = match &change.action {
//!             Action::Create => self.request("POST", "/members")?.header("idempotency-key", change.id.as_str()),
//!             Action::Update(id) => self.request("PATCH", &format!("/members/{}", http::segment(id)))?,
//!             Action::Delete(_) => return Ok(Outcome::failed(failures::UNSUPPORTED, "members cannot be deleted")),
//!         };
//!         let response = request.json(&body).send()?;
//!         if response.status() == 422 {
//!             return Ok(Outcome::failed(failures::INVALID_VALUE, response.text()));
//!         }
//!         let member: Member = response.error_for_status()?.json()?;
//!         let row = Row::new(member.id).changed(member.modified);
//!         Ok(if change.action == Action::Create { Outcome::Created(row) } else { Outcome::Updated(row) })
//!     }
//! }
//!
//! entente_sdk::export!(Members);
//! #
//! # let _host = entente_sdk::testing::Host::new()
//! #     .setting("url", "https://club.example")
//! #     .secret("api-key")
//! #     .http(|request| {
//! #         let members = match request.parameter("page").as_deref() {
//! #             Some("0") => json!([{ "id": "1", "name": "Ada", "email": null, "modified": "2020-01-01T00:00:00Z" }]),
//! #             _ => json!([]),
//! #         };
//! #         http::Response::new(200).with_json(&members)
//! #     })
//! #     .install();
//! # let mut request = ReportRequest::new([Wanted::new("member", ["name", "email"])]);
//! # let page = Members::new()?.report(request.clone())?;
//! # assert_eq!(page.batches[0].rows[0].values, ["Ada".into(), Value::Null]);
//! # request.cursor = page.next;
//! # assert_eq!(Members::new()?.report(request)?.next, None);
//! # Ok::<(), Error>(())
//! ```
//!
//! What a plugin may also do is an optional trait, named when it is exported: [`Lookup`] finds records by
//! what identifies them, [`Webhook`] understands what the remote system sends by itself.
//!
//! # What to keep in mind
//!
//! - A remote system is asked through [`http`], with placeholders from [`secrets`]; nothing else can be
//!   reached, there are no files and no environment.
//! - [`Error`] ends a call and says what the host does next; an [`Outcome`] is about one change only. An order that ends in
//!   an error has an unknown fate, whatever the code: answer change by change.
//! - What the remote system has and cannot be read is [`Value::Unreadable`], never null: null clears a field.
//! - An instance serves several calls and ends at any time between two of them: a `static` may still hold what the last
//!   call left there, or not.
//! - Null, empty text, zero, `false` and an empty list are five different [`Value`]s.
//! - A panic costs the page of the run and is counted against the plugin. Its message goes to the log.
//! - Built for the machine itself, the plugin runs in [`testing`]: no host, no network, plain `cargo test`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod bindings;
mod convert;
mod describe;
mod error;
mod export;
mod host;
mod integration;
mod lookup;
mod mapping;
mod order;
mod report;
mod timestamp;
mod turn;
mod value;
#[cfg(test)]
mod vectors;
mod webhook;

pub mod clock;
pub mod http;
pub mod log;
pub mod secrets;
pub mod settings;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use describe::{Account, ChangeTimes, Choice, Description, Field, Object, features};
pub use error::{Code, Error};
pub use integration::Integration;
pub use lookup::{Lookup, Query};
pub use mapping::{Direction, FieldMapping, Mapping};
pub use order::{
    Action, Answer, Change, Collection, Execution, Order, Outcome, RefusedField, TicketState, failures,
};
pub use report::{
    Batch, Conversion, Deletion, Finished, NamedRow, Page, ReportRequest, Row, UnreadableRow, Wanted, Window,
    until_empty,
};
pub use timestamp::Timestamp;
pub use value::{Date, Reference, Unreadable, Value};
pub use webhook::{Reaction, Webhook, WebhookRequest, WebhookResponse};

/// What most plugins need, in one line.
pub mod prelude {
    pub use crate::{
        Account, Action, Answer, Batch, Change, ChangeTimes, Code, Collection, Date, Description, Error,
        Execution, Field, Finished, Integration, Lookup, Mapping, Object, Order, Outcome, Page, Query,
        Reaction, Reference, ReportRequest, Row, TicketState, Timestamp, Value, Wanted, Webhook,
        WebhookRequest, WebhookResponse, Window, failures, features, log, secrets, settings, state,
        until_empty,
    };
}

/// For the macros of this crate only.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::{integration, lookup, webhook};
    pub use crate::export::Exported;
}
