//! JSON columns. A column that cannot be parsed is reported as database corruption, with its row.

use entente_sqlite::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Serialises a column.
pub(super) fn to_json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt { what: what.to_owned(), why: error.to_string() })
}

/// Parses a column; `what` names the row for the error.
pub(super) fn from_json<T: DeserializeOwned>(
    what: impl FnOnce() -> String,
    json: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt { what: what(), why: error.to_string() })
}
