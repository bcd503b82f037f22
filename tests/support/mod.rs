//! Helpers shared by several test programs.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test program uses a part")]

pub mod guests;
pub mod handmade;
pub mod server;

pub use guests::{hello_component, hostile_component};
