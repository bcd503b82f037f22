//! The control API `/control`: faults, request log and manual clock.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::body::JsonBody;
use crate::clock::Stamp;
use crate::error::Problem;
use crate::faults::{Action, Rule};
use crate::handle::Handle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum ClockOrder {
    AdvanceMs(u64),
    Set(Stamp),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    #[serde(default)]
    cursors: bool,
    #[serde(default)]
    sync_tokens: bool,
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body)
        .map_err(|error| Problem::unprocessable("invalid-control", format!("Not understood: {error}.")))
}

pub(crate) async fn set_faults(
    State(handle): State<Handle>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Problem> {
    let Rules { rules } = read(body)?;
    for rule in &rules {
        if let Action::Status { status, .. } = rule.action
            && !(200..=599).contains(&status)
        {
            return Err(Problem::unprocessable(
                "invalid-control",
                format!("{status} is no status that an answer can have."),
            ));
        }
    }
    handle.set_faults(rules);
    Ok(faults(State(handle)).await)
}

pub(crate) async fn faults(State(handle): State<Handle>) -> Json<Value> {
    Json(json!({ "rules": handle.faults() }))
}

pub(crate) async fn requests(State(handle): State<Handle>) -> Json<Value> {
    Json(crate::lock(&handle.0.requests).json())
}

pub(crate) async fn reset(State(handle): State<Handle>) -> StatusCode {
    handle.reset();
    StatusCode::NO_CONTENT
}

pub(crate) async fn clock(
    State(handle): State<Handle>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, Problem> {
    let moved = match read(body)? {
        ClockOrder::AdvanceMs(by) => handle.advance(Duration::from_millis(by)),
        ClockOrder::Set(to) => handle.set_clock(to),
    };
    if !moved {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "clock-runs",
            "This server's clock runs by itself; start it with --clock.",
        ));
    }
    Ok(Json(json!({ "now": handle.now() })))
}

pub(crate) async fn expire(
    State(handle): State<Handle>,
    JsonBody(body): JsonBody,
) -> Result<StatusCode, Problem> {
    let Expire { cursors, sync_tokens } = read(body)?;
    let done = (!cursors || handle.expire_cursors()) && (!sync_tokens || handle.expire_sync_tokens());
    if done { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::internal(&"the state could not be saved")) }
}
