//! HTTP responses.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Code, Error, Timestamp, clock};

/// How much of an answer's text an error shows.
const SHOWN: usize = 500;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What it answers, for errors: method and address without the query.
    pub(crate) request: String,
}

impl Response {
    /// An answer without headers and body; for tests that stand in for the remote system.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), request: String::new() }
    }

    /// Adds a header; for tests.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Gives it a body; for tests.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Gives it a JSON body; for tests.
    pub fn with_json<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, Error> {
        Ok(self.with_header("content-type", "application/json").with_body(serde_json::to_vec(body)?))
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Reads a JSON body; `invalid-answer` where it is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::from(error).context(&self.request))
    }

    /// How long the remote system asks to wait: the header `retry-after`, in seconds or as a date.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let left = Timestamp::parse_http(text)?.micros().saturating_sub(clock::now().micros());
        Some(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }

    /// The answer, if its status is one of success; otherwise the error that the host makes the most of: 401
    /// is `unauthorized`, 403 `forbidden`, 429 `rate-limited`, 5xx and 408 `unavailable`, the last two with
    /// the time to wait. Any other is `http-` and the status.
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.is_success() { Ok(self) } else { Err(self.error()) }
    }

    fn error(&self) -> Error {
        let code = match self.status {
            401 => Code::Unauthorized,
            403 => Code::Forbidden,
            429 => Code::RateLimited,
            408 | 500..=599 => Code::Unavailable,
            status => Code::Other(format!("http-{status}")),
        };
        let mut reason = format!("{} answered {}", self.request, self.status);
        if let (300..=399, Some(to)) = (self.status, self.header("location")) {
            reason.push_str(&format!(" (redirects are not followed; this one leads to {to})"));
        }
        let text: String = self.text().trim().chars().take(SHOWN).collect();
        if !text.is_empty() {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        let wait =
            if matches!(code, Code::RateLimited | Code::Unavailable) { self.retry_after() } else { None };
        Error::new(code, reason).after(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn code(response: Response) -> String {
        response.error_for_status().unwrap_err().code().as_str().to_owned()
    }

    #[test]
    fn statuses_become_codes() {
        let cases = [
            (401, "unauthorized"),
            (403, "forbidden"),
            (429, "rate-limited"),
            (408, "unavailable"),
            (500, "unavailable"),
            (503, "unavailable"),
            (404, "http-404"),
            (302, "http-302"),
        ];
        for (status, expected) in cases {
            assert_eq!(code(Response::new(status)), expected);
        }
        assert!(Response::new(204).error_for_status().is_ok());
    }

    #[test]
    fn waiting_times_are_seconds_or_dates() {
        let _host = testing::Host::new().clock(Timestamp::from_seconds(1_577_836_800)).install();
        let wait = |text: &str| {
            Response::new(429).with_header("Retry-After", text).error_for_status().unwrap_err().wait()
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Wed, 01 Jan 2020 00:00:30 GMT"), Some(30));
        assert_eq!(wait("Tue, 01 Jan 2019 00:00:30 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn long_answers_are_cut_between_characters() {
        let error = Response::new(400).with_body("ä".repeat(10_000)).error_for_status().unwrap_err();
        assert_eq!(error.reason().matches('ä').count(), SHOWN);
    }

    #[test]
    fn what_is_no_json_is_an_invalid_answer() {
        let error = Response::new(200).with_body("<html>").json::<u8>().unwrap_err();
        assert_eq!(*error.code(), Code::InvalidAnswer);
    }
}
