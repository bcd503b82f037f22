//! Applying a file to what is stored, all of it or nothing, the difference that this makes, and the way back:
//! what is stored as a file.

pub(super) mod add;
pub(super) mod commit;
pub(super) mod export;
pub(super) mod plan;
pub(super) mod prepare;
