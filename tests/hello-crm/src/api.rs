//! The HTTP API `/v1` for client programs.

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};

use crate::body::JsonBody;
use crate::crm::{self, Keyed, Outcome};
use crate::error::Problem;
use crate::handle::Handle;
use crate::schema::{self, Object};
use crate::search::Search;
use crate::{control, guard, listing};

/// The limit of changes in a batch.
const MOST_CHANGES: usize = 100;
/// The length limit of an idempotency key.
const LONGEST_KEY: usize = 200;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The whole service.
pub fn router(handle: Handle) -> Router {
    let control = Router::new()
        .route("/faults", get(control::faults).post(control::set_faults))
        .route("/requests", get(control::requests))
        .route("/reset", post(control::reset))
        .route("/clock", post(control::clock))
        .route("/expire", post(control::expire));
    Router::new()
        .route("/health", get(health))
        .route("/v1/schema", get(describe))
        .route("/v1/{objects}", get(list).post(create))
        .route("/v1/{objects}/search", post(search))
        .route("/v1/{objects}/batch", post(batch))
        .route("/v1/{objects}/{id}", get(show).patch(update).delete(delete))
        .route("/v1/{objects}/{id}/merge", post(merge))
        .nest("/control", control)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(handle.0.config.max_body))
        .layer(middleware::from_fn_with_state(handle.clone(), guard::guard))
        .with_state(handle)
}

async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-path", "There is nothing at this path.")
}

async fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no-such-method", "This path does not take this method.")
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn describe(State(handle): State<Handle>) -> Json<Value> {
    Json(schema::describe(handle.0.crm.read(|state| state.instance), handle.0.config.largest_page))
}

/// The kind of record and the id that a path names.
struct Target {
    object: Object,
    id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(segments) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::internal(&error))?;
        let segment =
            |wanted: &str| segments.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let objects = segment("objects").unwrap_or_default();
        let Some(object) = Object::from_plural(objects) else {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "unknown-object",
                format!("There are no {objects:?}, only persons and organisations."),
            ));
        };
        Ok(Self { object, id: segment("id").unwrap_or_default().to_owned() })
    }
}

type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

async fn list(
    State(handle): State<Handle>,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let Query(parameters) =
        parameters.map_err(|error| Problem::unprocessable("invalid-query", error.body_text()))?;
    let query = listing::Query::parse(target.object, &parameters)?;
    let page = handle.0.crm.read(|state| query.page(state, target.object, &handle.0.config))?;
    Ok(Json(page).into_response())
}

async fn show(State(handle): State<Handle>, target: Target) -> Result<Response, Problem> {
    let record = handle.0.crm.get(target.object, &target.id)?;
    Ok(with_etag(&record, Json(record.clone()).into_response()))
}

async fn search(
    State(handle): State<Handle>,
    target: Target,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Problem> {
    let search = Search::parse(&body)?;
    handle.0.crm.read(|state| search.run(state, target.object)).map(Json)
}

async fn create(
    State(handle): State<Handle>,
    target: Target,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let change = json!({ "action": "create", "fields": only(body, "fields")? });
    single(handle, target.object, &headers, change).await
}

async fn update(
    State(handle): State<Handle>,
    target: Target,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let change = json!({ "action": "update", "record": target.id, "fields": only(body, "fields")?, "if_version": if_match(&headers)? });
    single(handle, target.object, &headers, change).await
}

async fn delete(
    State(handle): State<Handle>,
    target: Target,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let change = json!({ "action": "delete", "record": target.id, "if_version": if_match(&headers)? });
    single(handle, target.object, &headers, change).await
}

async fn merge(
    State(handle): State<Handle>,
    target: Target,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let change = json!({ "action": "merge", "record": target.id, "into": only(body, "into")? });
    single(handle, target.object, &headers, change).await
}

async fn batch(
    State(handle): State<Handle>,
    target: Target,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Problem> {
    let invalid = |message: String| Err(Problem::unprocessable("invalid-batch", message));
    let Value::Array(changes) = only(body, "changes")? else {
        return invalid("changes must be a list.".to_owned());
    };
    if changes.len() > MOST_CHANGES {
        return invalid(format!("At most {MOST_CHANGES} changes are accepted."));
    }
    let mut ids = Vec::new();
    let mut keyed = Vec::new();
    for (position, mut change) in changes.into_iter().enumerate() {
        let id = change.as_object_mut().and_then(|change| change.remove("id"));
        let Some(id) = id.as_ref().and_then(Value::as_str).filter(|id| is_key(id)) else {
            return invalid(format!(
                "changes[{position}] needs an id: a text of 1 to {LONGEST_KEY} characters."
            ));
        };
        if change["action"] == "merge" {
            return invalid(format!("changes[{position}]: a merge has a path of its own."));
        }
        ids.push(id.to_owned());
        keyed.push(Keyed { key: Some(id.to_owned()), change });
    }
    let outcomes = write(handle, target.object, keyed).await?;
    let results: Vec<Value> = ids
        .into_iter()
        .zip(outcomes)
        .map(|(id, outcome)| {
            let mut result = json!(outcome);
            result["id"] = json!(id);
            result
        })
        .collect();
    Ok(Json(json!({ "results": results })))
}

/// Executes changes. It runs to its end even if the client disconnects.
async fn write(handle: Handle, object: Object, changes: Vec<Keyed>) -> Result<Vec<Outcome>, Problem> {
    let written = tokio::task::spawn_blocking(move || handle.0.crm.write(object, changes)).await;
    written.map_err(|error| Problem::internal(&error))?
}

async fn single(
    handle: Handle,
    object: Object,
    headers: &HeaderMap,
    change: Value,
) -> Result<Response, Problem> {
    let key = match headers.get(IDEMPOTENCY_KEY).map(|key| key.to_str()) {
        None => None,
        Some(Ok(key)) if is_key(key) => Some(key.to_owned()),
        Some(_) => {
            let message = format!("Idempotency-Key must have 1 to {LONGEST_KEY} characters.");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-header", message));
        }
    };
    let outcomes = write(handle, object, vec![Keyed { key, change }]).await?;
    let Some(outcome) = outcomes.into_iter().next() else {
        return Err(Problem::internal(&"a change without an outcome"));
    };
    let status = crm::status(&outcome);
    let mut response = match (outcome.error, outcome.record) {
        (Some(error), record) => Problem { status, body: Box::new(error), record }.into_response(),
        (None, Some(record)) => with_etag(&record, (status, Json(record.clone())).into_response()),
        (None, None) => status.into_response(),
    };
    if outcome.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn is_key(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.chars().count())
}

/// The single member that a body must have.
fn only(body: Value, name: &str) -> Result<Value, Problem> {
    let refused = || {
        Problem::unprocessable(
            "invalid-body",
            format!("The body must be an object with {name:?} and nothing else."),
        )
    };
    let Value::Object(mut members) = body else {
        return Err(refused());
    };
    let value = members.remove(name).ok_or_else(refused)?;
    if members.is_empty() { Ok(value) } else { Err(refused()) }
}

/// The version in If-Match, if the header is given and not `*`.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(given) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let given = given.to_str().unwrap_or_default().trim();
    if given == "*" {
        return Ok(None);
    }
    let version = given
        .strip_prefix('"')
        .and_then(|given| given.strip_suffix('"'))
        .and_then(|version| version.parse().ok());
    let refused = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-header",
            "If-Match must be an ETag as this server gives it, such as \"3\".",
        )
    };
    version.map(Some).ok_or_else(refused)
}

fn with_etag(record: &Value, mut response: Response) -> Response {
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", record["version"])) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
