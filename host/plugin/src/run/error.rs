//! Error mapping: from the failure of a plugin's call to the code on which the engine acts, and the text for
//! the operator.

use crate::egress::{Channel, Notice, Scrubber};
use crate::limits::{LimitReached, Limits};
use crate::text::clean;
use crate::wire::{PluginError, Refused};
use entente_core::Foreign;
use entente_sync::{ExchangeError, Remedy, codes};
use std::time::Duration;
use wasmtime::Trap;

/// How a call of a plugin failed.
pub(crate) enum Failure {
    /// The plugin returned an error; its instance stays usable.
    Plugin(PluginError),
    /// The answer is malformed or exceeds a limit.
    Refused(Refused),
    /// A limit ended the call.
    Limit(LimitReached),
    /// A trap, or an error of the runtime.
    Trap(wasmtime::Error),
    /// No slot of the pool is free.
    Busy(String, Vec<Remedy>),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Limit(limit) => Failure::Limit(limit),
            invalid @ Refused::Invalid(_) => Failure::Refused(invalid),
        }
    }
}

impl Failure {
    /// Classifies an error of wasmtime: a limit, a full pool, or a trap.
    pub(crate) fn of(error: wasmtime::Error, limits: &Limits) -> Self {
        if let Some(limit) = error.downcast_ref::<LimitReached>() {
            return Failure::Limit(limit.clone());
        }
        if let Some(full) = error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>() {
            // Components of unusual shape can exhaust a pool other than that of instances (memories, tables).
            let text =
                format!("{full}; wait, run fewer syncs at the same time, or spread them over several hosts");
            return Failure::Busy(text, Vec::new());
        }
        if error
            .downcast_ref::<wasmtime::component::ResourceTableError>()
            .is_some_and(|error| matches!(error, wasmtime::component::ResourceTableError::Full))
        {
            return Failure::Limit(limits.resources(None));
        }
        // Errors of types private to wasmtime, recognised by text; a test for each fails if the wording
        // changes.
        let text = format!("{error:#}");
        let known = [
            ("fuel allocated for hostcalls", limits.hostcall_bytes(None)),
            ("resource table has no free keys", limits.resources(None)),
            ("store handle limit exceeded", limits.handles(None)),
            ("total size of fields exceeds limit", limits.http_header_bytes(None)),
            ("requested len", limits.random_bytes(None)),
            ("memory count too high", limits.memories(None)),
            ("table count too high", limits.tables(None)),
            ("instance count too high", limits.instances(None)),
        ];
        match known.into_iter().find(|(words, _)| text.contains(words)) {
            Some((_, limit)) => Failure::Limit(limit),
            None => Failure::Trap(error),
        }
    }

    /// The error for the engine and the operator.
    pub(crate) fn explain(
        self,
        function: &str,
        channel: &Channel,
        limits: &Limits,
        notices: &[Notice],
    ) -> ExchangeError {
        let integration = &channel.integration;
        // Before a text is cut, since a part of a secret would not be found.
        let masked = |text: String| match &channel.scrubber {
            Some(scrubber) => scrubber.text(text),
            None => text,
        };
        let error = match self {
            Failure::Plugin(error) => plugin_error(error, limits, channel.scrubber.as_ref()),
            Failure::Refused(Refused::Invalid(reason)) => ExchangeError::new(
                codes::INVALID_ANSWER,
                format!(
                    "the plugin's answer to {function} cannot be taken: {}",
                    clean(&masked(reason), limits.reason_bytes)
                ),
            )
            .with([Remedy::ReportToAuthor]),
            Failure::Refused(Refused::Limit(limit)) | Failure::Limit(limit) => {
                ExchangeError::new(codes::LIMIT, format!("the plugin was stopped in {function}: {limit}"))
                    .with(limit.remedies())
            }
            Failure::Trap(error) => {
                ExchangeError::new(codes::TRAP, trap(function, &error)).with([Remedy::ReportToAuthor])
            }
            Failure::Busy(reason, remedies) => ExchangeError {
                code: codes::UNAVAILABLE.to_owned(),
                reason,
                said: None,
                object: None,
                after: Some(Duration::from_secs(5)),
                remedies,
            },
        };
        let error = with_notices(error, integration, notices);
        match &channel.scrubber {
            Some(scrubber) => ExchangeError {
                code: scrubber.text(error.code),
                reason: scrubber.text(error.reason),
                said: error.said.map(|said| Box::new(scrubber.text(said.as_data().to_owned()).into())),
                remedies: error.remedies.into_iter().map(|remedy| scrubbed(remedy, scrubber)).collect(),
                ..error
            },
            None => error,
        }
    }
}

/// The plugin's own text, truncated and escaped. Codes for limits and traps are the host's alone, so a
/// plugin's claim to one is ignored.
fn plugin_error(error: PluginError, limits: &Limits, scrubber: Option<&Scrubber>) -> ExchangeError {
    // Secrets are masked before a text is cut, since a part of one would not be found.
    let masked = |text: String| match scrubber {
        Some(scrubber) => scrubber.text(text),
        None => text,
    };
    let code = clean(&masked(error.code), 100);
    let code = match code.as_str() {
        codes::LIMIT | codes::TRAP | codes::STORE => format!("plugin-{code}"),
        "" => codes::INVALID_ANSWER.to_owned(),
        _ => code,
    };
    let (reason, said) = match clean(&masked(error.reason), limits.reason_bytes) {
        none if none.is_empty() => ("the plugin gave no reason".to_owned(), None),
        said => (String::new(), Some(Box::new(said.into()))),
    };
    ExchangeError {
        code,
        reason,
        said,
        after: error.after.map(|seconds| Duration::from_secs(seconds.min(86_400).into())),
        object: error.object.map(|object| clean(&masked(object), limits.id_bytes)),
        // A plugin cannot propose remedies, only text.
        remedies: Vec::new(),
    }
}

/// A plugin chooses the host that a remedy names, so secrets are masked there too.
fn scrubbed(remedy: Remedy, scrubber: &Scrubber) -> Remedy {
    match remedy {
        Remedy::GrantHost { integration, host } => {
            Remedy::GrantHost { integration, host: scrubber.text(host) }
        }
        Remedy::GrantSecret { integration, secret, host } => {
            Remedy::GrantSecret { integration, secret, host: host.map(|host| scrubber.text(host)) }
        }
        other => other,
    }
}

/// Adds what the plugin may not know or not say: that the host denied something.
fn with_notices(mut error: ExchangeError, integration: &str, notices: &[Notice]) -> ExchangeError {
    for notice in notices {
        // Beside what the plugin said, whatever that was: it cannot say in the host's place.
        error.push_reason(&notice.text());
        for remedy in notice.remedies(integration) {
            if !error.remedies.contains(&remedy) {
                error.remedies.push(remedy);
            }
        }
    }
    // Where a permission is missing, retrying does not help, whatever code the plugin chose.
    let (code, after) = match notices.first() {
        Some(
            Notice::NotAsked { .. }
            | Notice::Header { .. }
            | Notice::Denied { .. }
            | Notice::Address { .. }
            | Notice::Secret { .. },
        ) => (codes::MISCONFIGURED, None),
        // The code that a remote system would answer that limits calls itself.
        Some(Notice::Spent { after, .. }) => {
            (codes::RATE_LIMITED, Some((*after).max(Duration::from_secs(1))))
        }
        Some(Notice::Held(held)) => (codes::RATE_LIMITED, Some(held.after)),
        // A slow or large response may be the remote's doing, so the plugin's code stands.
        Some(Notice::Limit(_) | Notice::NoSecret(_) | Notice::Piece { .. } | Notice::NotRecorded) | None => {
            return error;
        }
    };
    if error.code != codes::LIMIT && error.code != codes::TRAP {
        code.clone_into(&mut error.code);
        error.after = after;
    }
    error
}

fn trap(function: &str, error: &wasmtime::Error) -> String {
    let what = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "it panicked or aborted".to_owned(),
        Some(Trap::StackOverflow) => "stack overflow (endless recursion?)".to_owned(),
        Some(Trap::MemoryOutOfBounds) => {
            "out-of-bounds memory access (a stack overflow, or an invalid pointer)".to_owned()
        }
        Some(Trap::IntegerDivisionByZero) => "it divided by zero".to_owned(),
        Some(trap) => trap.to_string(),
        None => clean(&error.root_cause().to_string(), 300),
    };
    let frames = error.downcast_ref::<wasmtime::WasmBacktrace>().map(places).unwrap_or_default();
    let place = if frames.is_empty() { String::new() } else { format!(", in {}", frames.join(" < ")) };
    format!("the plugin crashed in {function}: {what}{place}; its log lines may say more")
}

/// The innermost functions of a backtrace, without the panic machinery, each once. Their names are untrusted
/// text too.
fn places(trace: &wasmtime::WasmBacktrace) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for name in trace.frames().iter().filter_map(wasmtime::FrameInfo::func_name) {
        // The alternate form omits the hash.
        let name = Foreign::new(clean(&format!("{:#}", rustc_demangle::demangle(name)), 120)).quoted();
        let tells =
            !["panic", "rust_begin", "core::", "std::", "alloc::"].iter().any(|noise| name.contains(noise));
        if tells && !places.contains(&name) {
            places.push(name);
        }
    }
    places.truncate(2);
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::tests::knowing;

    #[test]
    fn x7_no_error_of_a_call_has_a_secret_that_a_plugin_has_found_out() {
        const FOUND: &str = "correcthorsebattery";
        let (channel, _) = knowing(FOUND);
        let limits = Limits { reason_bytes: 40, ..Limits::default() };
        let cut = |before: usize| format!("{}{FOUND}", "x".repeat(before));
        let said = |code: String, reason: String, object: Option<String>| {
            Failure::Plugin(PluginError { code, reason, object, after: None })
        };
        let notice = Notice::Denied {
            url: format!("https://{FOUND}.example"),
            grant: format!("https://{FOUND}.example"),
        };
        for failure in [
            said(FOUND.to_owned(), FOUND.to_uppercase(), Some(FOUND.to_owned())),
            said(cut(90), cut(30), Some(cut(2000))),
            Failure::Refused(Refused::Invalid(cut(30))),
            Failure::Trap(wasmtime::Error::msg(cut(0))),
        ] {
            let error = failure.explain("report", &channel, &limits, std::slice::from_ref(&notice));
            let text = format!("{error:?}").to_lowercase();
            assert!(text.contains("grant") && !text.contains(&FOUND[..6]), "{text}");
        }
    }
}
