//! Audit log: an entry for each HTTP call of a plugin, including denied ones, and the plugin's log lines.
//!
//! The entry of a call contains no secret, header, body or query. The path is redacted to its words
//! (`/v1/contacts/*`): ids, addresses and names in it may be personal data.

use super::scrub::Scrubber;
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sink for the audit log.
pub trait Audit: Send + Sync + fmt::Debug {
    /// Records a finished call. Called on the plugin's path: it must not block.
    fn http(&self, call: &HttpCall<'_>);

    /// Whether a call of this integration can be recorded: none leaves the host while it cannot. Called on the plugin's path,
    /// before a request is sent: it must not block.
    fn can_be_recorded(&self, _integration: &str) -> bool {
        true
    }

    /// Records a line that a plugin has logged, at level `info`, `warn` or `error`, within its limits, with
    /// secrets and control characters removed. Called on the plugin's path: it must not block.
    fn log(&self, line: &LogLine<'_>);
}

/// An audit log that discards everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn http(&self, _: &HttpCall<'_>) {}

    fn log(&self, _: &LogLine<'_>) {}
}

/// A line that a plugin has logged or printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine<'a> {
    /// The integration.
    pub integration: &'a str,
    /// `info`, `warn` or `error`.
    pub level: &'a str,
    /// The text.
    pub text: &'a str,
}

/// One HTTP call of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HttpCall<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The integration.
    pub integration: &'a str,
    /// The digest of its plugin.
    pub plugin: &'a str,
    /// The method.
    pub method: &'a str,
    /// Scheme, host and port; empty where the plugin's address cannot be parsed.
    pub to: &'a str,
    /// The redacted path.
    pub path: &'a str,
    /// The response status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no complete response: an error code of wasi:http, or `given-up` where the plugin was
    /// stopped or did not read the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    /// The reason of a denial: `manifest`, `grant`, `address`, `secret`, `header`, `method`, `piece`, `book`, `retry-after`, or the name of
    /// a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<&'a str>,
    /// Whether the request left this host. One that was denied, or given up before it was sent, did not.
    #[serde(skip)]
    pub left: bool,
    /// Bytes of the request body.
    pub bytes_out: u64,
    /// Bytes of the response body.
    pub bytes_in: u64,
    /// The duration of the call.
    #[serde(rename = "ms", serialize_with = "milliseconds")]
    pub duration: Duration,
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The audit log of an integration, with the fields common to its entries.
#[derive(Debug, Clone)]
pub(crate) struct AuditContext {
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) tenant: Arc<str>,
    pub(crate) integration: Arc<str>,
    pub(crate) plugin: Arc<str>,
}

/// The entry of a call in progress. It is written when dropped, however the call ends.
#[derive(Debug)]
pub(crate) struct AuditEntry {
    audit: AuditContext,
    method: String,
    to: String,
    path: String,
    status: Option<u16>,
    error: Option<String>,
    denied: Option<&'static str>,
    left: bool,
    bytes_out: u64,
    bytes_in: u64,
    whole: bool,
    began: Instant,
}

impl AuditEntry {
    pub(crate) fn new(audit: &AuditContext, method: &http::Method, scrubber: Option<&Scrubber>) -> Self {
        Self {
            audit: audit.clone(),
            // A method is arbitrary text.
            method: crate::text::clean(&masked(scrubber, method.as_str()), 20),
            to: String::new(),
            path: String::new(),
            status: None,
            error: None,
            denied: None,
            left: false,
            bytes_out: 0,
            bytes_in: 0,
            whole: false,
            began: Instant::now(),
        }
    }

    /// The address, in which a plugin may have put what it has found out of a secret.
    pub(crate) fn goes_to(&mut self, url: &reqwest::Url, scrubber: Option<&Scrubber>) {
        let host = crate::text::clean(url.host_str().unwrap_or_default(), 255);
        let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
        self.to = format!("{}://{host}{port}", crate::text::clean(url.scheme(), 20));
        self.path = words(&masked(scrubber, url.path()));
        self.to = masked(scrubber, &self.to);
    }

    pub(crate) fn denied(&mut self, by: &'static str) {
        self.denied = Some(by);
    }

    /// The request is on its way, with a body of so many bytes.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.left = true;
        self.bytes_out = bytes;
    }

    /// The request that was on its way did not leave: its host is at an address that is not allowed.
    pub(crate) fn kept_back(&mut self) {
        self.left = false;
        self.bytes_out = 0;
    }

    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    pub(crate) fn read(&mut self, bytes: u64) {
        self.bytes_in += bytes;
    }

    /// The response was read to its end.
    pub(crate) fn ended(&mut self) {
        self.whole = true;
    }

    /// The call failed. Only the error's code is logged: its text is arbitrary.
    pub(crate) fn failed(&mut self, error: &wasmtime_wasi_http::Error) {
        let name = format!("{error:?}");
        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let mut code = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && !code.is_empty() {
                code.push('-');
            }
            code.push(c.to_ascii_lowercase());
        }
        self.error = Some(code);
    }
}

impl Drop for AuditEntry {
    fn drop(&mut self) {
        let given_up = (!self.whole && self.error.is_none()).then_some("given-up");
        let audit = &self.audit;
        audit.audit.http(&HttpCall {
            tenant: &audit.tenant,
            integration: &audit.integration,
            plugin: &audit.plugin,
            method: &self.method,
            to: &self.to,
            path: &self.path,
            status: self.status,
            error: self.error.as_deref().or(given_up),
            denied: self.denied,
            left: self.left,
            bytes_out: self.bytes_out,
            bytes_in: self.bytes_in,
            duration: self.began.elapsed(),
        });
    }
}

/// A text without secrets.
fn masked(scrubber: Option<&Scrubber>, text: &str) -> String {
    match scrubber {
        Some(scrubber) => scrubber.text(text.to_owned()),
        None => text.to_owned(),
    }
}

/// Redacts a path: words and version numbers stay, every other segment becomes a star.
fn words(path: &str) -> String {
    const PARTS: usize = 8;
    let is_word = |part: &str| {
        part.len() <= 24 && part.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
    };
    let is_version = |part: &str| {
        let number = part.strip_prefix('v').unwrap_or(part);
        number.len() <= 4
            && number.contains(|c: char| c.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && {
                // A plain number is an id.
                part.starts_with('v') || number.contains('.')
            }
    };
    let mut shown = String::new();
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    for part in parts.by_ref().take(PARTS) {
        shown.push('/');
        shown.push_str(if is_word(part) || is_version(part) { part } else { "*" });
    }
    if parts.next().is_some() {
        shown.push_str("/…");
    }
    if shown.is_empty() { "/".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_only_words_are_told() {
        let table = [
            ("/", "/"),
            ("", "/"),
            ("/v1/contacts/17", "/v1/contacts/*"),
            ("/3.0/lists/57afe96172/members/d41d8cd98f00b204", "/3.0/lists/*/members/*"),
            ("/people/ann@example.com", "/people/*"),
            ("/people/ann%40example.com/Ann", "/people/*/*"),
            ("/bot123:AAE/sendMessage", "/*/*"),
            ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/…"),
            ("/entente-secret-0123456789abcdef0123456789abcdef", "/*"),
            ("/12", "/*"),
        ];
        for (path, shown) in table {
            assert_eq!(words(path), shown, "{path}");
        }
    }

    #[test]
    fn an_error_is_told_by_its_name() {
        let audit = AuditContext {
            audit: Arc::new(NoAudit),
            tenant: "t".into(),
            integration: "i".into(),
            plugin: "p".into(),
        };
        let mut entry = AuditEntry::new(&audit, &http::Method::GET, None);
        entry.failed(&wasmtime_wasi_http::Error::InternalError(Some("with a secret".to_owned())));
        assert_eq!(entry.error.as_deref(), Some("internal-error"));
        entry.failed(&wasmtime_wasi_http::Error::HttpRequestDenied);
        assert_eq!(entry.error.as_deref(), Some("http-request-denied"));
    }
}
