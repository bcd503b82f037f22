//! Record values: values, kinds, references, timestamps and their encodings. No I/O, no policy.

mod identifier;
mod json;
mod kind;
mod timestamp;
mod value;

pub use identifier::canonical_identifier;
pub use kind::{Carrier, Comparison, Compatibility, Kind};
pub use timestamp::{FieldTime, Timestamp, TimestampError};
pub use value::{Reference, Value, ValueError};
