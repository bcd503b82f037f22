//! Subject: the parts of a reason: which record it is about, and what a remote system answered.

use super::failure::ExchangeError;
use entente_core::{Foreign, Reference, Side};
use serde::{Deserialize, Serialize};

/// Names a record: side, object and id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRef {
    /// The side that has it.
    pub side: Side,
    /// The object.
    pub object: String,
    /// The id.
    pub id: String,
}

impl RecordRef {
    /// A record of a side, by object and id.
    pub fn new(side: Side, object: &str, id: &str) -> Self {
        Self { side, object: object.to_owned(), id: id.to_owned() }
    }

    /// The record that a reference names, as a side refers to it.
    pub fn of(side: Side, reference: &Reference) -> Self {
        Self::new(side, &reference.object, &reference.id)
    }
}

/// What a remote system or its plugin said, word for word. The engine shows it and takes no decision by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RemoteSaid {
    /// Its error code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Foreign>,
    /// Its text.
    pub text: Foreign,
}

impl RemoteSaid {
    /// A code with a text.
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: Some(code.into()), text: text.into() }
    }

    /// What came of a call that failed as a whole.
    pub fn of(error: &ExchangeError) -> Self {
        let text = match (&error.said, error.reason.as_str()) {
            (None, reason) => reason.into(),
            (Some(said), "") => (**said).clone(),
            (Some(said), reason) => format!("{}; {reason}", said.as_data()).into(),
        };
        Self { code: Some(error.code.as_str().into()), text }
    }

    /// A text without a code.
    pub fn text(text: &str) -> Self {
        Self { code: None, text: text.into() }
    }
}

/// How an answer violates the plugin interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidAnswer {
    /// A delete was answered as a write.
    NotDeleted,
    /// A write was answered with an empty id.
    NoId,
    /// A write was answered with an id of more than 2 KiB, or with a NUL in it.
    UnfitId,
}
