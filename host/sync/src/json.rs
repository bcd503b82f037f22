//! Deserialisation of optional values from JSON.

use entente_core::Value;
use serde::{Deserialize, Deserializer};

/// For `deserialize_with`: JSON null is the value [`Value::Null`]; only a missing key is `None`.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
