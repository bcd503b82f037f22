//! Validation of a configuration file against the descriptions of its exchanges: syncs that can be run, or
//! every problem. Neither reads nor writes the store.

pub(super) mod field;
pub(super) mod fit;
pub(super) mod fixed;
pub(super) mod groups;
pub(super) mod manual;
pub(super) mod names;
pub(super) mod object;
pub(super) mod overlay;
pub(super) mod sync;
