//! JSON bodies, with parse errors in the form of all other errors.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::Value;

use crate::error::Problem;

/// The body of a request that says it is JSON.
pub(crate) struct JsonBody(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = "The body must be JSON, with Content-Type: application/json.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", message));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            let status = rejection.into_response().status();
            match status {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "too-large", "The body is too large."),
                _ => Problem::new(
                    StatusCode::BAD_REQUEST,
                    "incomplete-body",
                    "The body did not arrive as a whole.",
                ),
            }
        })?;
        let invalid = |error: serde_json::Error| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-json", format!("The body is no JSON: {error}."))
        };
        serde_json::from_slice(&bytes).map(Self).map_err(invalid)
    }
}
