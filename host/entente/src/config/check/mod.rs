//! Validation: a file and the descriptions of its exchanges in, syncs that can be run or every problem out.
//! Reads and writes no store.

pub(super) mod field;
pub(super) mod fit;
pub(super) mod fixed;
pub(super) mod manual;
pub(super) mod object;
pub(super) mod overlay;
pub(super) mod sync;
