//! Running components: engine, stores with their limits, calls with their deadlines, and the plugin as an
//! exchange.

mod compiling;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod guest;
mod http;
pub(crate) mod idle;
mod imports;
pub(crate) mod instance;
pub(crate) mod limiter;
pub(crate) mod link;
pub(crate) mod log;
pub(crate) mod runtime;
mod waiting;
