//! The optional interface `webhook`: what the remote system sends on its own.

use serde::de::DeserializeOwned;

use crate::{Batch, Error, Integration, Reference};

/// An optional interface: export it with `export!(MyPlugin: Webhook)`.
///
/// A webhook is a hint: it may be late, doubled, out of order or forged. The host has stored and answered it
/// before the plugin sees it. Prefer [`Reaction::sync`] over rows.
pub trait Webhook: Integration {
    /// What the request means. An error is kept for the operator; the stored request can be replayed.
    fn receive(&self, request: WebhookRequest) -> Result<Reaction, Error>;
}

/// A request to the address of the integration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookRequest {
    /// Upper case.
    pub method: String,
    /// What follows the address of the integration; empty or starting with a slash.
    pub path: String,
    /// Without the question mark, still encoded.
    pub query: String,
    /// Names in lower case, repeated names in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The host has checked the signature. Rows in the reaction to a request that is not verified are
    /// refused.
    pub verified: bool,
}

impl WebhookRequest {
    /// A request; what a test begins with.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            verified: false,
        }
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first parameter of the query of this name, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        crate::http::decode_pairs(&self.query).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The fields of a body that is a form.
    pub fn form(&self) -> Vec<(String, String)> {
        crate::http::decode_pairs(&String::from_utf8_lossy(&self.body)).collect()
    }

    /// Reads a JSON body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// The answer to a challenge: text or JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookResponse {
    /// The HTTP status.
    pub status: u16,
    /// Only `content-type` is kept by the host.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl WebhookResponse {
    /// An answer of plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: text.into().into_bytes() }
    }
}

/// What a webhook means.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Reaction {
    /// What the caller of a challenge (GET) gets. Everything else has been answered already.
    pub response: Option<WebhookResponse>,
    /// Records to sync at once; the host asks `report` for them.
    pub sync: Vec<Reference>,
    /// Rows, as in a report.
    pub batches: Vec<Batch>,
    /// Tickets that can be collected now.
    pub collect: Vec<String>,
}

impl Reaction {
    /// It means nothing to us.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Answers a challenge.
    pub fn response(response: WebhookResponse) -> Self {
        Self { response: Some(response), ..Self::default() }
    }

    /// Has a record synced at once.
    #[must_use]
    pub fn sync(mut self, object: impl Into<String>, id: impl Into<String>) -> Self {
        self.sync.push(Reference::new(object, id));
        self
    }

    /// Has a ticket collected now.
    #[must_use]
    pub fn collect(mut self, ticket: impl Into<String>) -> Self {
        self.collect.push(ticket.into());
        self
    }

    /// Gives rows, which the host takes only where it has verified the request.
    #[must_use]
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batches.push(batch);
        self
    }
}
