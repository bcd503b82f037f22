//! What a record is made of: values, references, moments. No I/O, no policy.

mod json;
mod timestamp;
mod value;

pub use timestamp::{FieldTime, Timestamp, TimestampError};
pub use value::{Reference, Value, ValueError};
