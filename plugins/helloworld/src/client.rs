//! Talking to hello-crm.

use entente_sdk::http::{Request, Response};
use entente_sdk::prelude::*;
use serde::Deserialize;

/// Knows the address and the key of the remote system, and what its refusals mean.
pub(crate) struct Client {
    base: String,
}

/// How hello-crm says that it refuses something.
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

    /// Sends a request with the key, and turns a refusal into the error that the host knows what to do with.
    pub(crate) fn send(&self, request: Request) -> Result<Response, Error> {
        // A placeholder is good for one call only, so it is asked for each time.
        let response = request.authorization(secrets::bearer("api-key")?).send()?;
        // The one thing that the status alone does not tell: a place in a listing that is no longer good.
        if let (400 | 410, Ok(Refusal { error })) = (response.status(), response.json())
            && matches!(error.code.as_str(), "cursor-expired" | "sync-token-expired")
        {
            return Err(Error::cursor_expired(error.message));
        }
        response.error_for_status()
    }
}
