//! Engine tests: exchanges in plain Rust and the real ledger in memory. Every test ends with convergence: one
//! more run writes nothing.
#![allow(unreachable_pub, missing_docs, reason = "tests are nobody's library")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what it does not expect shall fail"
)]

mod account;
mod budget;
mod crashes;
mod deletions;
mod evidence;
mod fake;
mod fanout;
mod groups;
mod identity;
mod keys;
mod link;
mod mautic;
mod moved;
mod open_creates;
mod open_sources;
mod operator;
mod parents;
mod reading;
mod refused;
mod relations;
mod rules;
mod stopped;
mod troubles;
mod undo;
mod undone;
mod values;
mod words;
mod world;
