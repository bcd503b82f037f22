//! The optional interface `lookup`: finding records by identifiers.

use crate::{Error, Integration, Value};

/// An optional interface: export it with `export!(MyPlugin: Lookup)`. The host asks before it makes a record,
/// and after a lost answer.
pub trait Lookup: Integration {
    /// For each key of the query, in their order, the ids of the records that match: none, one or several.
    /// The answers have to be fresh: a search index that lags behind makes duplicates.
    fn find(&self, query: Query) -> Result<Vec<Vec<String>>, Error>;
}

/// Which records to find.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// The object.
    pub object: String,
    /// Names of identifier fields.
    pub fields: Vec<String>,
    /// For each record that is looked for its values in the order of the fields, `Unset` where it has none.
    pub keys: Vec<Vec<Value>>,
    /// All values that are set must match, or any of them.
    pub all: bool,
}

impl Query {
    /// A query; what a test begins with.
    pub fn new<T: Into<String>>(
        object: impl Into<String>,
        fields: impl IntoIterator<Item = T>,
        keys: Vec<Vec<Value>>,
    ) -> Self {
        Self { object: object.into(), fields: fields.into_iter().map(Into::into).collect(), keys, all: false }
    }
}
