//! The real runtime with plugins that mean harm, and what the operator reads of it.

#![allow(unreachable_pub, missing_docs, reason = "tests are nobody's library")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what it does not expect shall fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod hostile;
