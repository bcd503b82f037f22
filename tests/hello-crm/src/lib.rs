//! A small CRM with an HTTP JSON API: the remote system of the HelloWorld plugin.
//!
//! It is started by the quick start, by hand (the binary `hello-crm`) and by tests, in process:
//!
//! ```no_run
//! # async fn example() -> Result<(), hello_crm::StartError> {
//! let server = hello_crm::Server::start(hello_crm::Config::new("a-key")).await?;
//! println!("{} people", server.handle().count(hello_crm::Object::Person));
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The README of this folder describes the API and the faults that can be asked for.

mod api;
mod body;
mod change;
mod clock;
mod connection;
mod control;
mod crm;
mod error;
mod faults;
mod guard;
mod handle;
mod limit;
mod listing;
mod names;
mod requests;
mod sample;
pub mod sample_csv;
mod schema;
mod search;
pub mod seed;
mod server;
mod store;
mod table;
mod validate;

pub use api::router;
pub use clock::{Clock, ManualClock, Stamp, SystemClock};
pub use crm::Outcome;
pub use error::{ErrorBody, FieldProblem};
pub use faults::{Action, DropWhen, Match, RateLimit, Rule, RuleStatus};
pub use handle::Handle;
pub use requests::RequestLine;
pub use schema::Object;
pub use server::{Config, Server, StartError};
pub use store::StoreError;
pub use table::{DeletedView, RecordView};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A poisoned lock is used anyway: every change under it is complete on its own.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
