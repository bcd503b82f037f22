//! plugin.
mod bindings;
mod cache;
mod engine;
mod inspect;
mod limiter;
mod limits;
mod text;
pub use inspect::*;
pub use limits::{Limits, LimitReached};
