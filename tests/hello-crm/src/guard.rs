//! Request middleware: faults, delays, rate limit, authentication, and the request log.

use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::connection::Connection;
use crate::error::Problem;
use crate::faults::{Action, DropWhen};
use crate::handle::Handle;
use crate::requests::RequestLine;

/// The outermost layer.
pub(crate) async fn guard(State(handle): State<Handle>, request: Request, next: Next) -> Response {
    if is_under(request.uri().path(), "/control") {
        return match control_access(&handle, &request) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    let method = request.method().clone();
    let path = handle.0.config.redact(request.uri().path());
    let query = request.uri().query().map(|query| handle.0.config.redact(query));
    let connection = connection(&request);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let fault = crate::lock(&handle.0.faults).strike(method.as_str(), target);
    let label = fault.as_ref().map(Action::label);

    let dropped = matches!(fault, Some(Action::Drop { .. }));
    let response = match fault {
        Some(Action::Status { status, body }) => made(status, body),
        Some(Action::RateLimited { rate_limit }) => {
            Problem::too_many_requests(rate_limit.retry_after).into_response()
        }
        Some(Action::Drop { drop: DropWhen::Before }) => StatusCode::BAD_GATEWAY.into_response(),
        Some(Action::Delay { delay_ms }) => {
            pause(&handle, Duration::from_millis(delay_ms)).await;
            admit(&handle, request, next).await
        }
        Some(Action::Drop { drop: DropWhen::After }) | None => admit(&handle, request, next).await,
    };
    if let (true, Some(connection)) = (dropped, connection) {
        connection.cut();
    }
    let status = (!dropped).then(|| response.status().as_u16());
    tracing::debug!(%method, path, status, fault = label, "request");
    let line =
        RequestLine { at: handle.now(), method: method.to_string(), path, query, status, fault: label };
    crate::lock(&handle.0.requests).push(line);
    response
}

/// Lets a request through to the API if it may pass.
async fn admit(handle: &Handle, request: Request, next: Next) -> Response {
    if is_under(request.uri().path(), "/v1") {
        pause(handle, handle.0.config.latency).await;
        if let Err(problem) = limit(handle).and_then(|()| access(handle, &request)) {
            return problem.into_response();
        }
    }
    next.run(request).await
}

fn is_under(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn pause(handle: &Handle, time: Duration) {
    if !time.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = handle.stopped() => {}
        }
    }
}

fn limit(handle: &Handle) -> Result<(), Problem> {
    match &handle.0.bucket {
        Some(bucket) => crate::lock(bucket).take(handle.now()).map_err(Problem::too_many_requests),
        None => Ok(()),
    }
}

fn access(handle: &Handle, request: &Request) -> Result<(), Problem> {
    let config = &handle.0.config;
    let given = bearer(request.headers()).unwrap_or_default();
    if same(given, &config.api_key) {
        return Ok(());
    }
    if !config.read_only_key.as_deref().is_some_and(|key| same(given, key)) {
        let message = "A valid key is needed, as Authorization: Bearer KEY.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message));
    }
    let reads =
        matches!(*request.method(), Method::GET | Method::HEAD) || request.uri().path().ends_with("/search");
    if reads {
        Ok(())
    } else {
        Err(Problem::new(StatusCode::FORBIDDEN, "read-only-key", "This key may only read."))
    }
}

/// With a control key whoever has it; without one callers of the same machine.
fn control_access(handle: &Handle, request: &Request) -> Result<(), Problem> {
    match &handle.0.config.control_key {
        Some(key) if bearer(request.headers()).is_some_and(|given| same(given, key)) => Ok(()),
        Some(_) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The control key is needed, as Authorization: Bearer KEY.",
        )),
        None if connection(request)
            .is_none_or(|connection| connection.peer.ip().to_canonical().is_loopback()) =>
        {
            Ok(())
        }
        None => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "loopback-only",
            "Without a control key, /control answers to the same machine only.",
        )),
    }
}

fn connection(request: &Request) -> Option<Connection> {
    request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Compares in a time that tells the length of the key at most.
fn same(given: &str, key: &str) -> bool {
    let difference = given.bytes().zip(key.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b));
    given.len() == key.len() && std::hint::black_box(difference) == 0
}

/// An answer that a rule makes up.
fn made(status: u16, body: Option<Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        Some(Value::String(text)) => (status, text).into_response(),
        Some(body) => (status, Json(body)).into_response(),
        None => Problem::new(status, "injected", "This answer was asked for.").into_response(),
    }
}
