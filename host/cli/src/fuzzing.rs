//! Ways in for the fuzz targets, and no part of the interface: with the feature `fuzzing` only, and changed
//! without notice.

pub use crate::fuzz_entry::{data, judge_lines, quoted, safe, safe_json};
pub use entente::fuzzing::{Kept, books, calls, export, logged};

/// Answers of plugins, grants, secrets and texts.
pub mod plugin {
    pub use entente_plugin::fuzzing::*;
}
