//! Ways in for the fuzz targets, and no part of the interface: with the feature `fuzzing` only, and changed
//! without notice.

pub use crate::fuzz_entry::{judge_lines, quoted, safe, safe_json};
pub use entente::fuzzing::export;

/// Answers of plugins, grants, secrets and texts.
pub mod plugin {
    pub use entente_plugin::fuzzing::*;
}
