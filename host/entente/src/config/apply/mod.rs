//! Applying a configuration file to the stored configuration, the plan of what that changes, and the export
//! of the stored configuration as a file.

pub(super) mod add;
pub(super) mod commit;
pub(super) mod export;
pub(super) mod issue;
pub(super) mod plan;
pub(super) mod prepare;
mod relations;
