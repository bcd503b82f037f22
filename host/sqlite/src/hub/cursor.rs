//! The hub's report cursor: the position of the next page, as text opaque to the engine.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entente_sync::{ExchangeError, ReportRequest, codes};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The part of an object's report that is being read, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    Records,
    Deletions,
}

/// The position of the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// A digest of the request; a different request cannot continue from this cursor.
    asked: String,
    /// The index of the object in the request.
    pub(super) object: usize,
    pub(super) part: Part,
    /// The last key read: change number, change time or index in the list of ids; `None` before the first.
    pub(super) key: Option<i64>,
    /// The last record among those with an equal key.
    pub(super) id: i64,
    /// The highest change number when the report began. Later changes belong to the next report.
    pub(super) upper: i64,
    /// The highest record id when the report began.
    pub(super) top: i64,
}

impl Cursor {
    pub(super) fn start(request: &ReportRequest, upper: i64, top: i64) -> Self {
        Self { asked: asked(request), object: 0, part: Part::Records, key: None, id: 0, upper, top }
    }

    /// Advances to the next part, or to the next object.
    pub(super) fn advance(&mut self) {
        self.key = None;
        self.id = 0;
        match self.part {
            Part::Records => self.part = Part::Deletions,
            Part::Deletions => self.next_object(),
        }
    }

    pub(super) fn next_object(&mut self) {
        self.key = None;
        self.id = 0;
        self.part = Part::Records;
        self.object += 1;
    }

    pub(super) fn write(&self) -> Result<String, ExchangeError> {
        let json =
            serde_json::to_vec(self).map_err(|error| ExchangeError::new(codes::STORE, error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    pub(super) fn read(text: &str, request: &ReportRequest) -> Result<Self, ExchangeError> {
        let cursor: Option<Self> =
            URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let cursor =
            cursor.ok_or_else(|| expired("the cursor is not one of the hub's; begin the report again"))?;
        if cursor.asked != asked(request) {
            return Err(expired(
                "the cursor belongs to a report of other objects, fields or times; begin the report again",
            ));
        }
        Ok(cursor)
    }
}

pub(super) fn expired(reason: &str) -> ExchangeError {
    ExchangeError::new(codes::CURSOR_EXPIRED, reason)
}

/// A digest of everything in the request that determines rows and their order.
fn asked(request: &ReportRequest) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text.as_bytes());
    };
    for wanted in &request.objects {
        add(&wanted.object);
        add(&wanted.ids.len().to_string());
        wanted.ids.iter().for_each(|id| add(id));
        add(wanted.bookmark.as_deref().unwrap_or("-"));
        add(&format!("{:?} {}", wanted.window, wanted.full || request.first_time));
    }
    add(&request.sync);
    hex::encode(&digest.finalize()[..8])
}
