//! Plugin security tests: the real runtime with hostile plugins, and the operator's view of them.

#![allow(unreachable_pub, missing_docs, reason = "tests are nobody's library")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets what it does not expect shall fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod hostile;
