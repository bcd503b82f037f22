//! Running components: the engine, the store of an instance with its limits, calls with their deadlines, and
//! the plugin as a side of a sync.

pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod guest;
pub(crate) mod idle;
mod imports;
pub(crate) mod instance;
pub(crate) mod limiter;
pub(crate) mod link;
pub(crate) mod log;
pub(crate) mod runtime;
