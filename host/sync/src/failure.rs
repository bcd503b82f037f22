//! Failure: why a call to a side failed as a whole, and the codes that the engine decides by.

use super::remedy::Remedy;
use entente_core::Foreign;
use std::fmt;
use std::time::Duration;

/// Why a call to a side failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError {
    /// Error code, which the engine decides by, see [`codes`].
    pub code: String,
    /// What the host found, for people, without secrets; may be empty where something was said.
    pub reason: String,
    /// What the plugin or its remote system said, for people, without secrets.
    pub said: Option<Box<Foreign>>,
    /// How long to wait before a retry, where the side tells.
    pub after: Option<Duration>,
    /// The object that it is about, where it is about one: the one whose bookmark has expired.
    pub object: Option<String>,
    /// What the operator can do, where the host knows it. Never taken from a plugin.
    pub remedies: Vec<Remedy>,
}

/// The error codes of [`ExchangeError`] that the engine knows. Others count as errors about the content of
/// the call.
pub mod codes {
    /// The credential was refused.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The credential does not allow the call.
    pub const FORBIDDEN: &str = "forbidden";
    /// A setting, secret or grant is missing or wrong.
    pub const MISCONFIGURED: &str = "misconfigured";
    /// Too many calls.
    pub const RATE_LIMITED: &str = "rate-limited";
    /// The remote system cannot be reached, or answers that it is down.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The cursor or bookmark has expired; the listing starts again.
    pub const CURSOR_EXPIRED: &str = "cursor-expired";
    /// The side does not support the call.
    pub const UNSUPPORTED: &str = "unsupported";
    /// The plugin cannot interpret an answer of the remote system, or the host an answer of the plugin.
    pub const INVALID_ANSWER: &str = "invalid-answer";
    /// The plugin trapped.
    pub const TRAP: &str = "trap";
    /// The plugin exceeded a limit of the host.
    pub const LIMIT: &str = "limit";
    /// The store of the host failed.
    pub const STORE: &str = "store";

    /// A code for people: a word as it is, anything else as somebody's words.
    pub fn shown(code: &str) -> String {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        match !code.is_empty() && code.len() <= 60 && code.chars().all(is_word) {
            true => code.to_owned(),
            false => super::Foreign::new(code).quoted(),
        }
    }
}

impl ExchangeError {
    /// An error without a waiting time and without remedies.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            reason: reason.into(),
            said: None,
            after: None,
            object: None,
            remedies: Vec::new(),
        }
    }

    /// An error in somebody else's words.
    pub fn said(code: &str, said: impl Into<Foreign>) -> Self {
        Self { said: Some(Box::new(said.into())), ..Self::new(code, "") }
    }

    /// For people: what was said, in quotation marks, and what the host found.
    pub fn told(&self) -> String {
        match (&self.said, self.reason.as_str()) {
            (None, reason) => reason.to_owned(),
            (Some(said), "") => said.quoted(),
            (Some(said), reason) => format!("{}; {reason}", said.quoted()),
        }
    }

    /// Adds what the host found.
    pub fn push_reason(&mut self, reason: &str) {
        if !self.reason.is_empty() {
            self.reason.push_str("; ");
        }
        self.reason.push_str(reason);
    }

    /// Adds remedies.
    #[must_use]
    pub fn with(mut self, remedies: impl IntoIterator<Item = Remedy>) -> Self {
        self.remedies.extend(remedies);
        self
    }

    /// Whether bisecting the batch may help: the error is about what was sent, not about the remote system or
    /// the right to use it.
    pub(super) fn is_about_content(&self) -> bool {
        !matches!(
            self.code.as_str(),
            codes::UNAUTHORIZED
                | codes::FORBIDDEN
                | codes::MISCONFIGURED
                | codes::RATE_LIMITED
                | codes::UNAVAILABLE
                | codes::UNSUPPORTED
                | codes::CURSOR_EXPIRED
                | codes::STORE
        )
    }

    /// Whether a retry of the same call after a pause may help.
    pub fn is_transient(&self) -> bool {
        self.code == codes::RATE_LIMITED || self.code == codes::UNAVAILABLE
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", codes::shown(&self.code), self.told())
    }
}

impl std::error::Error for ExchangeError {}
