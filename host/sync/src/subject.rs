//! Subject: the parts of a reason: which record it is about, and what a remote system answered.

use entente_core::{Reference, Side};
use serde::{Deserialize, Serialize};

/// A record of one side that a reason is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRef {
    /// Where it is.
    pub side: Side,
    /// The object.
    pub object: String,
    /// The id.
    pub id: String,
}

impl RecordRef {
    /// A record of a side.
    pub fn new(side: Side, object: &str, id: &str) -> Self {
        Self { side, object: object.to_owned(), id: id.to_owned() }
    }

    /// The record that a reference of a side names.
    pub fn of(side: Side, reference: &Reference) -> Self {
        Self::new(side, &reference.object, &reference.id)
    }
}

/// What a remote system or its plugin said, in its own words. The engine decides nothing by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RemoteSaid {
    /// Its code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its text.
    pub text: String,
}

impl RemoteSaid {
    /// A code with a text.
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: Some(code.to_owned()), text: text.to_owned() }
    }

    /// A text without a code.
    pub fn text(text: &str) -> Self {
        Self { code: None, text: text.to_owned() }
    }
}

/// How an answer broke the rules of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidAnswer {
    /// The record was to be deleted, and the answer says that it is there.
    NotDeleted,
    /// The record was written, and no id came back.
    NoId,
}
