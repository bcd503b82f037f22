//! Record values: values, kinds, references, timestamps and their encodings. No I/O, no policy.

mod identifier;
mod json;
mod kind;
mod timestamp;
mod value;
mod words;

pub use identifier::{KEY_SEPARATOR, bounded_key, canonical_identifier, is_unfit_for_key};
pub use kind::{Carrier, Comparison, Compatibility, Kind};
pub use timestamp::{FieldTime, Timestamp, TimestampError};
pub use value::{Reference, Value, ValueError};
pub use words::{query_words, search_words};
