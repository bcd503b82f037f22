//! How optional values are read from JSON.

use entente_core::Value;
use serde::{Deserialize, Deserializer};

/// JSON null is a value; only a missing key is `None`.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
