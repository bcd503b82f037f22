//! The HTTP client of hello-crm.

use entente_sdk::http::{Request, Response};
use entente_sdk::prelude::*;
use serde::Deserialize;

/// Address and key of the remote system, and the mapping of its errors.
pub(crate) struct Client {
    base: String,
}

/// An error response of hello-crm.
#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: String,
    message: String,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        Self { base: url.trim_end_matches('/').to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        Request::get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        Request::post(self.url(path))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.base)
    }

    /// Sends a request with the key, and converts an error response into an error that the host can act on.
    pub(crate) fn send(&self, request: Request) -> Result<Response, Error> {
        // A placeholder is valid for one call only, so it is requested each time.
        let response = request.authorization(secrets::bearer("api-key")?).send()?;
        // The status alone does not tell an expired cursor or sync token.
        if let (400 | 410, Ok(Refusal { error })) = (response.status(), response.json())
            && matches!(error.code.as_str(), "cursor-expired" | "sync-token-expired")
        {
            return Err(Error::cursor_expired(error.message));
        }
        response.error_for_status()
    }
}
