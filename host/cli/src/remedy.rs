//! Remedies as people and programs are shown them: what for, and the command to copy, with `--home` and
//! `--tenant` as they were given.

mod shell;
mod step;

pub(super) use shell::quoted;

use shell::Words;

use entente::{ConfigError, TenantError};
use entente_core::Foreign;
use entente_plugin::{InspectError, LimitReached, LoadError, UnknownLimit};
use entente_sync::{Message, Remedy, SyncError};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::OnceLock;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;

/// What commands to copy take from the command line of this process.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) home: Option<PathBuf>,
    pub(super) tenant: Option<String>,
    /// The arguments as they were given, without the name of the program.
    pub(super) arguments: Vec<String>,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// From now on, commands to copy are for this home and tenant.
pub(super) fn given(given: Given) {
    let _ = GIVEN.set(given);
}

fn this_process() -> &'static Given {
    GIVEN.get_or_init(Given::default)
}

/// The command that does it; of a remedy without one, what to do in words.
pub(super) fn command(remedy: &Remedy) -> String {
    this_process().command(remedy)
}

/// The fields of views that hold next steps. What a stranger says is never a list of objects there.
const NEXT_STEPS: [&str; 2] = ["next", "remedies"];

/// Gives each next step in JSON that the views have made the `command` that does it. The library knows no command.
pub(super) fn add_commands(data: &mut Value) {
    match data {
        Value::Array(items) => items.iter_mut().for_each(add_commands),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(steps) if NEXT_STEPS.contains(&name.as_str()) => {
                        steps.iter_mut().for_each(add_command);
                    }
                    other => add_commands(other),
                }
            }
        }
        _ => {}
    }
}

/// Adds the command of one next step, where it has one.
fn add_command(step: &mut Value) {
    let remedy = Remedy::deserialize(&*step);
    if let (Ok(remedy), Some(fields)) = (remedy, step.as_object_mut())
        && let Some(command) = this_process().step(&remedy).command
    {
        fields.insert("command".to_owned(), command.into());
    }
}

/// For people, on a line: what for, and the command.
pub(super) fn line(remedy: &Remedy) -> String {
    this_process().line(remedy)
}

/// For people: a line beginning with `next:` for each.
pub(super) fn lines<'r>(remedies: impl IntoIterator<Item = &'r Remedy>) -> String {
    remedies.into_iter().map(|remedy| format!("\nnext: {}", line(remedy))).collect()
}

/// The command for another tenant than the one that was named.
pub(super) fn command_in(tenant: &str, remedy: &Remedy) -> String {
    let home = this_process().home.clone();
    Given { home, tenant: Some(tenant.to_owned()), arguments: Vec::new() }.command(remedy)
}

/// What a remedy for an integration that is there comes to while it is being added; `None` where that is no
/// option of `integration add`.
pub(super) fn option_of_add(remedy: &Remedy) -> Option<String> {
    let option = |name: &str, value: &str| Some(Words::new("").option(name, value).0.trim_start().to_owned());
    match remedy {
        Remedy::SetSetting { setting, .. } => option("--set", &format!("{setting}=VALUE")),
        Remedy::SetSecret { secret, .. } => option("--secret", secret),
        Remedy::GrantHost { host, .. } => option("--http", host),
        Remedy::GrantSecret { host: Some(host), .. } => option("--http", host),
        Remedy::GrantSecret { host: None, .. } | Remedy::ShowGrants { .. } | Remedy::GrantState { .. } => {
            Some("--grant-all".to_owned())
        }
        _ => None,
    }
}

/// An error of the command line itself, with what can be done about it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Advised(Message);

impl Advised {
    pub(super) fn new(text: impl Into<String>, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        Self(Message::new(text, remedies))
    }
}

/// What can be done about an error, or about what caused it.
pub(super) fn of(error: &anyhow::Error) -> Vec<Remedy> {
    // A context is no link of the chain by itself.
    if let Some(advised) = error.downcast_ref::<Advised>() {
        return advised.0.remedies.clone();
    }
    error.chain().map(of_cause).find(|remedies| !remedies.is_empty()).unwrap_or_default()
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Vec<Remedy> {
    let known = [
        cause.downcast_ref::<TenantError>().map(TenantError::remedies),
        cause.downcast_ref::<ConfigError>().map(ConfigError::remedies),
        cause.downcast_ref::<SyncError>().map(SyncError::remedies),
        cause.downcast_ref::<LoadError>().map(LoadError::remedies),
        cause.downcast_ref::<InspectError>().map(InspectError::remedies),
        cause.downcast_ref::<LimitReached>().map(LimitReached::remedies),
        cause.downcast_ref::<UnknownLimit>().map(UnknownLimit::remedies),
    ];
    known.into_iter().flatten().next().unwrap_or_default()
}

/// Fields of log lines: `remedies`, which the library gives as data, becomes lines with commands.
pub(super) fn log_fields() -> impl for<'w> FormatFields<'w> + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{}", Foreign::new(format!("{value:?}"))),
        "remedies" => {
            let remedies: Vec<Remedy> = serde_json::from_str(&format!("{value:?}")).unwrap_or_default();
            write!(writer, "{}", lines(&remedies))
        }
        name => write!(writer, "{name}={}", Foreign::new(format!("{value:?}"))),
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests;
