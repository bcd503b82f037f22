//! Entry points for the fuzz targets, to code that is private otherwise.

pub use crate::config::fuzzing::export;
pub use crate::tenant::fuzzing::{Kept, books, calls, logged};
