//! Error responses of requests and changes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Stamp;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field, or the query parameter.
    pub name: String,
    /// What is wrong, for programs: `required`, `too-long`, …
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

/// The `error` of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong, for programs.
    pub code: String,
    /// What went wrong, for people.
    pub message: String,
    /// The fields that are to blame, if any are.
    pub fields: Vec<FieldProblem>,
    /// When the record was deleted (410).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Stamp>,
    /// The record that took over the deleted one (410).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// The record that already has the value (409).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<String>,
    /// Seconds to wait (429).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// A refusal: status, error and, where it helps, the record as it is.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) body: Box<ErrorBody>,
    pub(crate) record: Option<Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let body = ErrorBody {
            code: code.to_owned(),
            message: message.into(),
            fields: Vec::new(),
            deleted_at: None,
            merged_into: None,
            existing: None,
            retry_after: None,
        };
        Self { status, body: Box::new(body), record: None }
    }

    pub(crate) fn unprocessable(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// A refusal because of the fields that a change gives.
    pub(crate) fn fields(problems: Vec<FieldProblem>) -> Self {
        let names: Vec<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
        let mut problem =
            Self::unprocessable("invalid-fields", format!("Not accepted: {}.", names.join(", ")));
        problem.body.fields = problems;
        problem
    }

    /// A refusal because of one query parameter.
    pub(crate) fn query(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::unprocessable("invalid-query", format!("{name}: {message}"));
        problem.body.fields.push(FieldProblem {
            name: name.to_owned(),
            code: "invalid-query".to_owned(),
            message,
        });
        problem
    }

    pub(crate) fn too_many_requests(retry_after: u64) -> Self {
        let message = format!("Too many requests: try again in {retry_after} s.");
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", message);
        problem.body.retry_after = Some(retry_after);
        problem
    }

    /// An internal failure; the cause goes to the log, not to the caller.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal failure");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed; its log says why.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let retry_after = self.body.retry_after;
        let mut answer = json!({ "error": self.body });
        if let Some(record) = self.record {
            answer["record"] = record;
        }
        let mut response = (self.status, Json(answer)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
